//! The client's credential where the backend is to have it: the token that was verified, and fields of credentials that the
//! gateway has no use for. An API key is never handed on.

use base64ct::{Base64, Encoding};

use super::DecisionContext;
use crate::{
    http::{credential_copies, fields::FieldLines},
    identity::{api_key::ApiKeys, credential::find_credential, method::AuthMethod, places::Place},
    state::route::Route,
};

const AUTHORIZATION: &str = "authorization";

impl DecisionContext<'_> {
    /// Sets what a backend gets of the client's credentials, but for the fields that it has of its own.
    #[cold]
    #[inline(never)]
    pub(super) fn hand_on(
        &self,
        route: &Route,
        method: &AuthMethod,
        own: Option<&FieldLines>,
        set: &mut FieldLines,
    ) {
        let keys = self.gateway.api_keys.as_ref();
        let found = find_credential(self.head, keys, &route.auth.places).ok().flatten();
        let mut push = |name: &str, value: &str| {
            if !own.is_some_and(|own| own.has(name)) {
                set.push(name, value.trim());
            }
        };
        for name in &route.hands_on.fields {
            let Some(value) = self.head.fields.get(name) else { continue };
            // Client libraries send one key in several fields.
            let is_credential = found
                .as_ref()
                .is_some_and(|found| credential_copies::holds(&value, found.credential.as_str()));
            if !is_credential && !keys.is_some_and(|keys| holds_key(&value, keys)) {
                push(name, &value);
            }
        }
        let (true, AuthMethod::Token(_) | AuthMethod::TenantToken(_), Some(found)) =
            (route.hands_on.token, method, &found)
        else {
            return;
        };
        let name = match found.place {
            Place::TokenField(field) => &field.name,
            Place::Authorization | Place::Basic => AUTHORIZATION,
            // Where a client could set no field, the backend need not know.
            Place::KeyField(_) | Place::Subprotocol | Place::Query(_) | Place::Cookie(_) => {
                return push(AUTHORIZATION, &format!("Bearer {}", found.credential.as_str()));
            }
        };
        if let Some(value) = self.head.fields.get(name) {
            push(name, &value);
        }
    }
}

/// Whether a field for the backend holds an API key of this gateway, by its prefix: whoever sent it has mistaken the field.
fn holds_key(value: &str, keys: &ApiKeys) -> bool {
    // Without prefixes any text has the form of a key.
    if keys.has_form("-") {
        return false;
    }
    let encoded = value.rsplit(' ').next().and_then(|text| Base64::decode_vec(text.trim()).ok());
    let decoded = encoded.and_then(|text| String::from_utf8(text).ok());
    [Some(value), decoded.as_deref()].into_iter().flatten().any(|text| {
        let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        words.into_iter().any(|word| keys.has_form(word))
    })
}
