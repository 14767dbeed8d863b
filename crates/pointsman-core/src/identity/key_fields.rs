//! The fields that API keys come in, and what stands before a key there.

use std::borrow::Cow;

use base64ct::{Base64, Encoding};

const AUTHORIZATION: &str = "authorization";
/// The scheme whose credentials are a user and a password (RFC 7617).
const BASIC: &str = "basic";

/// The fields that API keys come in.
#[derive(Clone, Debug)]
pub struct KeyFields {
    names: Vec<String>,
    schemes: Vec<String>,
    in_authorization: bool,
}

impl KeyFields {
    /// `names` in lower case, at least one. `schemes` are those that may stand before a key, an empty one for none: in
    /// `Authorization`, where that is one of the fields, else in each field. The other fields then hold a key alone.
    #[must_use]
    pub fn new(names: Vec<String>, schemes: Vec<String>) -> Self {
        let in_authorization = names.iter().any(|name| name == AUTHORIZATION);
        Self { names, schemes, in_authorization }
    }

    /// Whether one of them is `Authorization`.
    #[must_use]
    pub const fn in_authorization(&self) -> bool {
        self.in_authorization
    }

    /// Whether a key may stand behind `Basic` in `Authorization`.
    #[must_use]
    pub fn are_basic(&self) -> bool {
        self.in_authorization && self.schemes.iter().any(|scheme| is_basic(scheme))
    }

    /// Their names, in lower case.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// Those that are not `Authorization`.
    pub fn own(&self) -> impl Iterator<Item = &str> {
        self.names().filter(|name| *name != AUTHORIZATION)
    }

    /// The schemes that may stand before a key in `Authorization`, or in the fields of their own where keys come in no
    /// other. An empty one is none.
    #[must_use]
    pub fn schemes(&self) -> &[String] {
        &self.schemes
    }

    /// The schemes of fields other than `Authorization`.
    #[must_use]
    pub fn own_schemes(&self) -> &[String] {
        if self.in_authorization { &[] } else { &self.schemes }
    }

    /// How a client sends `key` in the first of the fields: the field's name, and its value.
    #[must_use]
    pub fn show(&self, key: &str) -> (&str, String) {
        let name = self.names().next().unwrap_or(AUTHORIZATION);
        let schemes = if name == AUTHORIZATION { self.schemes() } else { self.own_schemes() };
        let value = match schemes.first().map_or("", String::as_str) {
            "" => key.to_owned(),
            scheme if is_basic(scheme) => {
                format!("{scheme} {}", Base64::encode_string(format!("{key}:").as_bytes()))
            }
            scheme => format!("{scheme} {key}"),
        };
        (name, value)
    }

    /// What callers without a key are told in `WWW-Authenticate` (RFC 9110, section 11.6.1).
    #[must_use]
    pub fn challenge(&self) -> Cow<'static, str> {
        let scheme = self.schemes.iter().find(|scheme| !scheme.is_empty());
        match (scheme, self.own().next()) {
            (_, Some(name)) if !self.in_authorization => format!("ApiKey header=\"{name}\"").into(),
            // A realm is part of this scheme (RFC 7617, section 2).
            (Some(scheme), _) if is_basic(scheme) => format!("{scheme} realm=\"API key\"").into(),
            (Some(scheme), _) => scheme.clone().into(),
            (None, _) => "Bearer".into(),
        }
    }
}

/// Whether a scheme is `Basic`.
pub(super) fn is_basic(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case(BASIC)
}

/// The user of Basic credentials with an empty password: how HTTP clients that know no other scheme send a key.
#[cold]
#[inline(never)]
pub(super) fn user_alone(credentials: &str) -> Option<String> {
    let text = String::from_utf8(Base64::decode_vec(credentials).ok()?).ok()?;
    // A user holds no colon (RFC 7617, section 2).
    text.strip_suffix(':').filter(|user| !user.contains(':')).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(names: &[&str], schemes: &[&str]) -> KeyFields {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        KeyFields::new(owned(names), owned(schemes))
    }

    #[test]
    fn a_key_is_shown_as_the_first_field_takes_it() {
        for (names, schemes, shown) in [
            (&["authorization"][..], &["Bearer"][..], ("authorization", "Bearer k_1")),
            (&["authorization"], &["Basic", "Bearer"], ("authorization", "Basic a18xOg==")),
            (&["authorization"], &["", "Bearer"], ("authorization", "k_1")),
            (&["x-api-key"], &["Key"], ("x-api-key", "Key k_1")),
            (&["x-api-key", "authorization"], &["Bearer"], ("x-api-key", "k_1")),
            (&["authorization", "x-api-key"], &["Bearer"], ("authorization", "Bearer k_1")),
        ] {
            assert_eq!(fields(names, schemes).show("k_1"), (shown.0, shown.1.to_owned()), "{names:?}");
        }
    }

    #[test]
    fn the_challenge_names_authorization_where_keys_come_there() {
        for (names, schemes, challenge) in [
            (&["authorization"][..], &["Bearer"][..], "Bearer"),
            (&["authorization"], &[""], "Bearer"),
            (&["authorization"], &["", "ApiKey"], "ApiKey"),
            (&["authorization"], &["Basic"], "Basic realm=\"API key\""),
            (&["x-api-key", "authorization"], &["Bearer", "Basic"], "Bearer"),
            (&["x-api-key", "apikey"], &[""], "ApiKey header=\"x-api-key\""),
        ] {
            assert_eq!(fields(names, schemes).challenge(), challenge);
        }
    }

    #[test]
    fn basic_credentials_are_a_key_as_user_and_no_password() {
        for (credentials, user) in [
            ("a18xOg==", Some("k_1")),
            ("Og==", Some("")),
            // k_1, k_1:x, :k_1, k:1:
            ("a18x", None),
            ("a18xOng=", None),
            ("OmtfMQ==", None),
            ("azoxOg==", None),
            // Without its padding, with bits that are no part of it, not UTF-8, in the other alphabet.
            ("a18xOg", None),
            ("a18xOh==", None),
            ("/zo=", None),
            ("_zo=", None),
            ("", None),
        ] {
            assert_eq!(user_alone(credentials).as_deref(), user, "{credentials}");
        }
    }
}
