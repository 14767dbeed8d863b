//! The client's credential where the backend is to have it: the token that was verified, and fields of credentials that the
//! gateway has no use for. An API key is never handed on.

use base64ct::{Base64, Encoding};

use super::DecisionContext;
use crate::{
    http::{credential_copies, fields::FieldLines},
    identity::{
        api_key::ApiKeys,
        credential::{Credential, find_credential},
        method::AuthMethod,
        places::Place,
    },
    state::route::{HandsOn, Route},
};

const AUTHORIZATION: &str = "authorization";

impl DecisionContext<'_> {
    /// Sets what a backend gets of the client's credentials, among the fields that the request has by then.
    #[cold]
    #[inline(never)]
    pub(super) fn hand_on(
        &self,
        route: &Route,
        hands_on: &HandsOn,
        method: &AuthMethod,
        set: &mut FieldLines,
    ) {
        let keys = self.gateway.api_keys.as_ref();
        let found = find_credential(self.head, keys, &route.auth.places).ok().flatten();
        let mut copy = |name: &str, is_kept: &dyn Fn(&str) -> bool| {
            if let Some(value) = self.head.fields.get(name)
                && is_kept(&value)
            {
                set.push(name, value.trim());
            }
        };
        for name in &hands_on.fields {
            // Client libraries send one key in several fields.
            copy(name, &|value| {
                let is_sent = |found| credential_copies::holds(value, Credential::as_str(found));
                !found.as_ref().is_some_and(|found| is_sent(&found.credential))
                    && !keys.is_some_and(|keys| holds_key(value, keys))
            });
        }
        let (true, AuthMethod::Token(_) | AuthMethod::TenantToken(_), Some(found)) =
            (hands_on.token, method, &found)
        else {
            return;
        };
        match found.place {
            Place::TokenField(field) => copy(&field.name, &|_| true),
            Place::Authorization | Place::Basic => copy(AUTHORIZATION, &|_| true),
            // Where a client could set no field, the backend need not know.
            Place::KeyField(_) | Place::Subprotocol | Place::Query(_) | Place::Cookie(_) => {
                set.push(AUTHORIZATION, &format!("Bearer {}", found.credential.as_str()));
            }
        }
    }
}

/// Whether a field for the backend holds an API key of this gateway, by its prefix: whoever sent it has mistaken the field.
fn holds_key(value: &str, keys: &ApiKeys) -> bool {
    let has = |text: &str| {
        text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
            .any(|word| keys.prefix_of(word).is_some())
    };
    let encoded = value.trim().rsplit(' ').next().and_then(|text| Base64::decode_vec(text).ok());
    has(value) || encoded.is_some_and(|text| has(&String::from_utf8_lossy(&text)))
}
