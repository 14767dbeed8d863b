//! What a customer's own backend asks for: secrets in the customer's record, each sealed for one field at one origin.
//!
//! A sealed secret is a JWE (RFC 7516) in compact form, encrypted with A256GCM under a key that the Worker alone has. Its
//! header says whom it is for: `sub` the customer, `aud` the origin, `field` the field (claims in a header: RFC 7519, section
//! 5.3). The header is authenticated with the rest. So what is read here, and opened by `secrets.js` when a request is sent,
//! is as true as the secret itself: copied to another record, origin or field, it is refused, and changed it does not open.

use std::rc::Rc;

use serde_json::{Map, Value};

use super::origins::CustomerOrigin;
use crate::{
    base::{object::parse_object, record::RecordErrors},
    http::fields::is_token,
    identity::jwk,
};

/// Secrets for one origin: a line with a field's name, a line with the JWE of its value, and so on.
pub type SealedLines = Rc<str>;

/// The longest JWE, in bytes: a field of 4096 characters and what is around it.
pub const LONGEST_SEALED: usize = 8192;

/// Gives each origin its secrets. One for an origin that the record does not have is a fault: its backend has moved, and the
/// new one is not to have it unseen.
pub(super) fn assign(
    secrets: &[String],
    customer: &str,
    origins: &mut [CustomerOrigin],
    errors: &mut RecordErrors,
) {
    for (index, sealed) in secrets.iter().enumerate() {
        if let Err(what) = assign_one(sealed, customer, origins) {
            errors.note(format!("/secrets/{index}"), what);
        }
    }
}

fn assign_one(sealed: &str, customer: &str, origins: &mut [CustomerOrigin]) -> Result<(), &'static str> {
    const FORM: &str = "must be a secret as `pointsman customers seal` writes it";
    let header = header_of(sealed).ok_or(FORM)?;
    let said = |name| header.get(name).and_then(Value::as_str).unwrap_or_default();
    let (field, origin) = (said("field"), said("aud"));
    if !is_token(field) || field.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(FORM);
    }
    if said("sub") != customer {
        return Err("was sealed for another customer");
    }
    let mut result =
        Err("was sealed for an origin that no backend of this record has: seal it anew, or take it away");
    for own in origins.iter_mut().filter(|own| own.url.origin().as_ref() == origin) {
        let before = own.secrets.as_deref().unwrap_or_default();
        own.secrets = Some(Rc::from([before, field, "\n", sealed, "\n"].concat()));
        result = Ok(());
    }
    result
}

/// The protected header of a JWE in compact form. That it is one shows when it is opened.
#[must_use]
pub fn header_of(sealed: &str) -> Option<Map<String, Value>> {
    // A line break would make a line of its own.
    let is_plain = sealed.len() <= LONGEST_SEALED && sealed.bytes().all(|byte| byte.is_ascii_graphic());
    let (header, _) = sealed.split_once('.').filter(|_| is_plain)?;
    parse_object(&jwk::decode(header)?).ok()
}

/// The fields that are filled at an origin with these secrets.
pub fn fields_of(secrets: &str) -> impl Iterator<Item = &str> {
    secrets.lines().step_by(2)
}
