//! A credential among the subprotocols of a WebSocket handshake: scripts in browsers can set no other field there.

use base64ct::{Base64UrlUnpadded, Encoding};

use crate::base::refusal::Refusal;

/// How a credential is offered among subprotocols (RFC 6455, section 11.3.4), whose names are compared as they are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SubprotocolForm {
    /// A subprotocol of this name, and the credential as the next one.
    Pair(String),
    /// A subprotocol that begins so; the rest of it is the credential.
    Prefix {
        /// What it begins with.
        prefix: String,
        /// Whether the credential is in base64url, since subprotocols hold few characters.
        encoded: bool,
    },
}

/// A prefix that begins so says that base64url follows, as Kubernetes has it.
const ENCODED: &str = "base64url.";

impl SubprotocolForm {
    /// Reads one as it is configured: what ends in a dot is a prefix.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        if text.ends_with('.') {
            Self::Prefix { prefix: text.to_owned(), encoded: text.starts_with(ENCODED) }
        } else {
            Self::Pair(text.to_owned())
        }
    }

    /// As it is configured.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Pair(name) => name,
            Self::Prefix { prefix, .. } => prefix,
        }
    }
}

/// What a client offers.
#[derive(Debug, Eq, PartialEq)]
pub struct Offer {
    /// The credential.
    pub credential: String,
    /// The other subprotocols, as a list; empty where there are none.
    pub rest: String,
    /// The subprotocol to answer with where the backend chose none: a browser fails a WebSocket for which none of those is
    /// answered that it offered. Never the one with the credential.
    pub answer: Option<String>,
}

/// Finds the credential in `Sec-WebSocket-Protocol`.
///
/// # Errors
/// There are two, or the name of a pair is the last one, or it is no base64url where it has to be.
#[cold]
#[inline(never)]
pub fn find_offer(value: &str, forms: &[SubprotocolForm]) -> Result<Option<Offer>, Refusal> {
    let mut offered = value.split(',').map(str::trim).filter(|name| !name.is_empty());
    let mut rest: Vec<&str> = Vec::new();
    let mut found: Option<(String, Option<&str>)> = None;
    while let Some(name) = offered.next() {
        let with_credential = forms.iter().find_map(|form| match form {
            SubprotocolForm::Pair(own) => {
                (own == name).then(|| (offered.next().map(str::to_owned), Some(name)))
            }
            SubprotocolForm::Prefix { prefix, encoded } => {
                let text = name.strip_prefix(prefix.as_str())?;
                Some((if *encoded { decode(text) } else { Some(text.to_owned()) }, None))
            }
        });
        let Some((credential, answer)) = with_credential else {
            rest.push(name);
            continue;
        };
        let credential = credential.ok_or(Refusal::CredentialMalformed)?;
        if found.replace((credential, answer)).is_some() {
            return Err(Refusal::CredentialRepeated);
        }
    }
    Ok(found.map(|(credential, answer)| Offer {
        credential,
        answer: answer.or(rest.first().copied()).map(str::to_owned),
        rest: rest.join(", "),
    }))
}

fn decode(text: &str) -> Option<String> {
    String::from_utf8(Base64UrlUnpadded::decode_vec(text).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn forms() -> Vec<SubprotocolForm> {
        ["bearer", "insecure-key.", "base64url.bearer.example."].map(SubprotocolForm::parse).to_vec()
    }

    #[test]
    fn a_credential_is_found_in_each_form_and_the_others_stay() {
        for (value, credential, rest, answer) in [
            ("bearer, a.b.c", "a.b.c", "", Some("bearer")),
            ("bearer,a.b.c,graphql-ws", "a.b.c", "graphql-ws", Some("bearer")),
            ("v1, bearer, a.b.c , v2", "a.b.c", "v1, v2", Some("bearer")),
            ("insecure-key.sk_1", "sk_1", "", None),
            ("realtime, insecure-key.sk_1, v1", "sk_1", "realtime, v1", Some("realtime")),
            ("base64url.bearer.example.YS5iLmM, v4.example", "a.b.c", "v4.example", Some("v4.example")),
            ("insecure-key., v1", "", "v1", Some("v1")),
        ] {
            let found = find_offer(value, &forms()).unwrap().unwrap();
            assert_eq!((found.credential.as_str(), found.rest.as_str()), (credential, rest), "{value}");
            assert_eq!(found.answer.as_deref(), answer, "{value}");
        }
        for value in ["", "graphql-ws", "Bearer, a.b.c", "xbearer, a.b.c", "insecure-key, sk_1"] {
            assert_eq!(find_offer(value, &forms()), Ok(None), "{value}");
        }
    }

    #[test]
    fn what_is_there_twice_or_cut_off_is_refused() {
        for value in [
            "bearer, a.b.c, bearer, a.b.c",
            "bearer, a.b.c, insecure-key.sk_1",
            "insecure-key.sk_1, insecure-key.sk_1",
        ] {
            assert_eq!(find_offer(value, &forms()), Err(Refusal::CredentialRepeated), "{value}");
        }
        for value in ["bearer", "v1, bearer", "bearer,", "base64url.bearer.example.YS5iLmM="] {
            assert_eq!(find_offer(value, &forms()), Err(Refusal::CredentialMalformed), "{value}");
        }
    }

    proptest! {
        /// Neither what goes on to the backend nor what is answered holds it.
        #[test]
        fn the_credential_is_in_neither_the_rest_nor_the_answer(
            others in proptest::collection::vec("[a-z]{1,6}", 0..4),
            at in any::<prop::sample::Index>(),
            form in 0..3_usize,
        ) {
            const CREDENTIAL: &str = "SK_LIVE_1";
            let encoded = Base64UrlUnpadded::encode_string(CREDENTIAL.as_bytes());
            let own = [
                format!("bearer, {CREDENTIAL}"),
                format!("insecure-key.{CREDENTIAL}"),
                format!("base64url.bearer.example.{encoded}"),
            ];
            prop_assume!(others.iter().all(|name| name != "bearer"));
            let mut all = others.clone();
            all.insert(at.index(others.len() + 1), own[form].clone());
            let found = find_offer(&all.join(", "), &forms()).unwrap().unwrap();
            prop_assert_eq!(&found.credential, CREDENTIAL);
            prop_assert_eq!(&found.rest, &others.join(", "));
            let answer = found.answer.unwrap_or_default();
            prop_assert!(!answer.contains(CREDENTIAL) && !answer.contains(&encoded), "{}", answer);
        }
    }
}
