//! The credentials of a route: Zuplo asks for one after the other, and here a request has one.

use serde_json::{Map, Value};

use super::{
    policies::{AUTH, Asked},
    values::{flag, only},
};
use crate::convert::findings::Kind;

/// One credential that a route takes, and whether requests pass without it.
pub(super) struct Credential {
    pub(super) name: String,
    pub(super) optional: bool,
    /// The policy, where it has clients without a token told who gives tokens.
    pub(super) told_by: Option<String>,
}

impl Credential {
    /// The policy that has clients told of an issuer, and the issuer.
    pub(super) fn told(&self) -> Option<(String, String)> {
        Some((self.told_by.clone()?, self.name.clone()))
    }
}

/// Whether requests without a certificate pass.
pub(super) fn certificates(options: &Map<String, Value>) -> Result<bool, String> {
    let bad = ["allowExpiredCertificates", "allowRevokedCertificates"];
    only(options, &[&bad[..], &["allowUnauthenticatedRequests"]].concat())?;
    for name in bad {
        if flag(options, name)? {
            return Err(format!("it has {name}, and here a bad certificate is always refused"));
        }
    }
    flag(options, "allowUnauthenticatedRequests")
}

/// Zuplo asks policies one after the other; here a request has one credential.
pub(super) fn combine(credentials: Vec<Credential>, asked: &mut Asked) {
    let mut seen: Vec<Credential> = Vec::new();
    for credential in credentials {
        match seen.iter_mut().find(|known| known.name == credential.name) {
            Some(known) => known.optional &= credential.optional,
            None => seen.push(credential),
        }
    }
    let names = |optional| {
        let those = seen.iter().filter(|credential| credential.optional == optional);
        those.map(|credential| credential.name.clone()).collect::<Vec<_>>()
    };
    let (needed, optional) = (names(false), names(true));
    match needed.as_slice() {
        [] if optional.is_empty() => {}
        [] => {
            asked.auth = optional;
            asked.anonymous = true;
            let what = "callers with a bad credential passed as nobody; here they are refused, and those without one pass";
            asked.said.push((Kind::Note, what.to_owned(), AUTH));
        }
        [_] => asked.auth = needed,
        several => {
            let what =
                format!("{} are all asked for, and a request has one credential here", several.join(" and "));
            asked.said.push((Kind::Closed, what, AUTH));
            asked.auth = needed;
        }
    }
}
