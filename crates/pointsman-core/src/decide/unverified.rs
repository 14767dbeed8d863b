//! Whom a credential names that was refused: by the record of its key, or by the claims of a token that nobody vouched for.
//! It is for the log alone, where somebody asks whose requests fail. Nothing is decided by it.

use std::rc::Rc;

use serde_json::Value;

use super::DecisionContext;
use crate::{
    base::{identifier::identifier, name::Name},
    identity::{
        claimed::Claimed,
        claims::Claims,
        compact,
        credential::{Credential, Found, find_credential},
        jwt::Issuer,
        method::{API_KEY, CLIENT_CERTIFICATE},
        places::Place,
        principal::Principal,
    },
    state::{config::Gateway, route::Route},
};

/// What a credential says of its caller that does not count. Whoever sends a request can write anything into a token.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Unverified {
    /// The customer.
    pub customer: Option<Rc<str>>,
    /// The subject, up to [`LONGEST_SUBJECT`] bytes of it.
    pub subject: Option<Rc<str>>,
}

/// A line of the log must not grow by what a stranger sends.
pub const LONGEST_SUBJECT: usize = 256;

impl Unverified {
    /// What a principal says of its caller that is none here.
    #[cold]
    #[inline(never)]
    pub(super) fn of(principal: &Principal, subject: Option<&str>, gateway: &Gateway) -> Self {
        let claim = gateway.customers.as_ref().map(|customers| &customers.claim);
        let customer = match claim.map(|claim| Claimed::read(&principal.claims, claim)) {
            Some(Claimed::Id(id)) => Some(id.shared()),
            Some(Claimed::Missing | Claimed::Malformed) | None => None,
        };
        let subject = subject.filter(|subject| !subject.is_empty());
        Self { customer, subject: subject.map(|subject| Rc::from(beginning(subject, LONGEST_SUBJECT))) }
    }
}

impl DecisionContext<'_> {
    /// Notes how a caller tried to be authenticated, and whom a token names. Whom a key's record names is noted where the
    /// record is judged; and whoever was authenticated is known better.
    #[cold]
    #[inline(never)]
    pub(super) fn note_unverified(&mut self, route: &Route) {
        if self.trace.auth.is_some() {
            return;
        }
        match find_credential(self.head, self.gateway.api_keys.as_ref(), &route.auth.places) {
            Ok(Some(Found { credential: Credential::ApiKey(_), .. })) => {
                self.trace.auth = Some(Name::Fixed(API_KEY));
            }
            Ok(Some(Found {
                credential: Credential::Token(token) | Credential::DpopToken(token),
                place,
            })) => self.note_claims(&token, place, route),
            // Without any credential there is a key where the connection has a certificate.
            Ok(None) if self.trace.key.is_some() => {
                self.trace.auth = Some(Name::Fixed(CLIENT_CERTIFICATE));
            }
            Ok(_) | Err(_) => {}
        }
    }

    /// Whom a token names, and which issuer.
    fn note_claims(&mut self, token: &str, place: Place<'_>, route: &Route) {
        let Ok(parts) = compact::parse(token) else { return };
        let principal = Principal::new(None, Claims::new(parts.claims));
        let claims = &principal.claims;
        let iss = claims.member("iss").and_then(Value::as_str);
        let accepted =
            route.auth.issuers_in(place).iter().filter_map(|index| self.gateway.issuers.get(*index));
        let is_of = |issuer: &&Issuer| iss.is_some_and(|iss| issuer.issuer.fits(iss));
        let issuer = accepted.into_iter().find(is_of);
        self.trace.auth = issuer.map(|issuer| Name::Given(Rc::clone(&issuer.name)));
        let subject = match issuer {
            Some(issuer) => claims.find(&issuer.subject),
            None => claims.member("sub"),
        };
        let subject = subject.and_then(identifier);
        let unverified = Unverified::of(&principal, subject.as_deref(), self.gateway);
        self.trace.rare().unverified = Some(unverified);
    }
}

/// At most so many bytes of a text, and no part of a character.
fn beginning(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}
