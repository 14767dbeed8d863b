//! Who is calling: exactly one credential, found by its field and told apart by its form.

use std::borrow::Cow;

use crate::{
    base::{refusal::Refusal, scan},
    http::head::{Head, PresentFields},
    identity::api_key::ApiKeys,
};

/// A credential as it was sent, not verified yet.
#[derive(Clone, Eq, PartialEq)]
pub enum Credential<'a> {
    /// An API key.
    ApiKey(Cow<'a, str>),
    /// A token in JWS compact serialization (RFC 7515, section 3.1).
    Token(Cow<'a, str>),
}

impl Credential<'_> {
    /// The credential itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::ApiKey(text) | Self::Token(text) => text,
        }
    }

    fn into_owned(self) -> Credential<'static> {
        match self {
            Self::ApiKey(key) => Credential::ApiKey(Cow::Owned(key.into_owned())),
            Self::Token(token) => Credential::Token(Cow::Owned(token.into_owned())),
        }
    }
}

/// Finds the one credential of a request.
///
/// `Ok(None)` is "there is none", which is not the same as a bad one: only the former can make a
/// caller anonymous where a route allows that.
///
/// # Errors
/// Two credentials, or one in no known form.
pub fn find_credential<'a>(
    head: &Head<'a>,
    api_keys: Option<&ApiKeys>,
) -> Result<Option<Credential<'a>>, Refusal> {
    let authorization = head.field(PresentFields::AUTHORIZATION, "authorization");
    let separate = api_keys.filter(|keys| !keys.in_authorization());
    let in_own_field = separate.and_then(|keys| head.field(PresentFields::API_KEY, keys.field()));
    let (value, own_field) = match (authorization, in_own_field) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => return Err(Refusal::CredentialInTwoFields),
        (Some(value), None) => (value, None),
        (None, Some(value)) => (value, separate),
    };
    match value {
        Cow::Borrowed(value) => read(value, own_field, api_keys).map(Some),
        Cow::Owned(value) => read(&value, own_field, api_keys).map(|found| Some(found.into_owned())),
    }
}

fn read<'a>(
    value: &'a str,
    own_field: Option<&ApiKeys>,
    api_keys: Option<&ApiKeys>,
) -> Result<Credential<'a>, Refusal> {
    let value = field_content(value);
    match own_field {
        Some(keys) => read_own_field(value, keys),
        None => read_authorization(value, api_keys.filter(|keys| keys.in_authorization())),
    }
}

/// A field's value without the white space around it, which is no part of it (RFC 9110, section 5.5). The runtime
/// hands on what stands at the end.
pub(crate) fn field_content(value: &str) -> &str {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    match value.as_bytes() {
        [first, .., last] if !is_space(first) && !is_space(last) => value,
        _ => value.trim_matches([' ', '\t']),
    }
}

/// A scheme and what stands behind it, after one space or several (RFC 9110, section 11.4).
pub(crate) fn scheme_and_text(value: &str) -> Option<(&str, &str)> {
    let (scheme, text) = scan::cut(value, b' ')?;
    Some((scheme, if text.starts_with(' ') { text.trim_start_matches(' ') } else { text }))
}

fn read_authorization<'a>(value: &'a str, api_keys: Option<&ApiKeys>) -> Result<Credential<'a>, Refusal> {
    // Fetch joins repeated fields with a comma, so a second credential shows as a list.
    if scan::position(value, b',').is_some() && lists_credentials(value, api_keys) {
        return Err(Refusal::CredentialRepeated);
    }
    let (scheme, text) = scheme_and_text(value).unwrap_or((value, ""));
    if let Some(keys) = api_keys {
        if keys.scheme().is_empty() && keys.has_form(value) {
            return read_key(value, keys, true);
        }
        let ours = !keys.scheme().is_empty() && scheme.eq_ignore_ascii_case(keys.scheme());
        if ours && keys.has_form(text) {
            return read_key(text, keys, true);
        }
        if ours && !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Refusal::CredentialMalformed);
        }
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Refusal::CredentialScheme);
    }
    let is_token = has_three_parts(text) && is_credential_text(text);
    if is_token { Ok(Credential::Token(Cow::Borrowed(text))) } else { Err(Refusal::CredentialMalformed) }
}

/// Three parts: a signed token. Five would be an encrypted one, which nobody here can read.
fn has_three_parts(text: &str) -> bool {
    let behind = |text| scan::cut(text, b'.').map(|(_, behind)| behind);
    behind(text).and_then(behind).is_some_and(|last| scan::position(last, b'.').is_none())
}

#[cold]
#[inline(never)]
fn lists_credentials(value: &str, api_keys: Option<&ApiKeys>) -> bool {
    let own = api_keys.map_or("", |keys| keys.scheme());
    value.split(',').skip(1).any(|element| begins_with_scheme(element, own))
}

/// Reads a field of its own that holds an API key.
fn read_own_field<'a>(value: &'a str, keys: &ApiKeys) -> Result<Credential<'a>, Refusal> {
    let text = match keys.scheme() {
        "" => value,
        scheme => match scheme_and_text(value) {
            Some((sent, text)) if sent.eq_ignore_ascii_case(scheme) => text,
            _ => return Err(Refusal::CredentialScheme),
        },
    };
    read_key(text, keys, keys.has_form(text))
}

/// Reads an API key, after its scheme has been taken off.
fn read_key<'a>(text: &'a str, keys: &ApiKeys, has_form: bool) -> Result<Credential<'a>, Refusal> {
    let is_one = is_credential_text(text);
    if !is_one && lists_keys(text, keys) {
        return Err(Refusal::CredentialRepeated);
    }
    let plausible = has_form && is_one && text.len() <= ApiKeys::MAX_BYTES;
    if plausible { Ok(Credential::ApiKey(Cow::Borrowed(text))) } else { Err(Refusal::CredentialMalformed) }
}

#[cold]
#[inline(never)]
fn lists_keys(text: &str, keys: &ApiKeys) -> bool {
    text.split(',').map(str::trim).filter(|part| keys.has_form(part)).count() > 1
}

/// Visible ASCII without a comma: one credential, not a list and not a text around one.
#[inline]
fn is_credential_text(text: &str) -> bool {
    !text.is_empty() && !scan::any(text, |word| word.below(b'!') | word.beyond_visible() | word.is(b','))
}

/// The schemes by which a list element is known for another credential. Any other text behind a comma
/// is junk in one credential, which is malformed rather than ambiguous.
const SCHEMES: [&str; 6] = ["basic", "bearer", "digest", "dpop", "hoba", "negotiate"];

/// Whether a list element is `Scheme credential`.
fn begins_with_scheme(element: &str, own: &str) -> bool {
    element.trim().split_once(' ').is_some_and(|(scheme, rest)| {
        let scheme = scheme.to_ascii_lowercase();
        let known = SCHEMES.contains(&scheme.as_str()) || own.eq_ignore_ascii_case(&scheme);
        known && !rest.trim().is_empty()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::head::{RequestTarget, test_support::TestFields};

    fn find(fields: &[(&str, &str)], keys: &ApiKeys) -> Result<Option<Credential<'static>>, Refusal> {
        let fields = TestFields::new(fields);
        let head = Head {
            method: "GET",
            target: RequestTarget::parse("https://api.example.com/").unwrap(),
            seen: fields.seen(Some(keys.field())),
            fields: &fields,
            request_id: "r",
        };
        find_credential(&head, Some(keys)).map(|found| found.map(Credential::into_owned))
    }

    fn bearer() -> ApiKeys {
        ApiKeys::for_tests("authorization", "Bearer", &["sk_live", "sk_test"])
    }

    fn own() -> ApiKeys {
        ApiKeys::for_tests("x-api-key", "", &["sk_live"])
    }

    #[test]
    fn the_form_tells_keys_from_tokens() {
        let key = find(&[("authorization", "Bearer sk_live_abc")], &bearer()).unwrap();
        assert!(matches!(key, Some(Credential::ApiKey(key)) if key == "sk_live_abc"));
        let token = find(&[("authorization", "bearer a.b.c")], &bearer()).unwrap();
        assert!(matches!(token, Some(Credential::Token(token)) if token == "a.b.c"));
        let own_field = find(&[("x-api-key", "sk_live_abc")], &own()).unwrap();
        assert!(matches!(own_field, Some(Credential::ApiKey(_))));
        assert!(find(&[], &bearer()).unwrap().is_none());
    }

    /// RFC 9110, sections 5.5 and 11.4; RFC 6750, section 2.1.
    #[test]
    fn white_space_around_a_credential_is_no_part_of_it() {
        for credential in ["sk_live_a", "a.b.c"] {
            for (before, between, after) in
                [("", "  ", ""), ("", " ", " "), ("", " ", "\t"), ("\t ", "    ", " \t "), (" ", " ", "")]
            {
                let value = format!("{before}Bearer{between}{credential}{after}");
                let found = find(&[("authorization", &value)], &bearer()).unwrap();
                let Some(Credential::ApiKey(text) | Credential::Token(text)) = found else {
                    panic!("{value:?}")
                };
                assert_eq!(text, credential);
            }
        }
        for value in ["sk_live_a ", " sk_live_a", "\tsk_live_a\t"] {
            let found = find(&[("x-api-key", value)], &own()).unwrap();
            assert!(matches!(found, Some(Credential::ApiKey(key)) if key == "sk_live_a"), "{value:?}");
        }
        let scheme = ApiKeys::for_tests("x-api-key", "Key", &["sk_live"]);
        let found = find(&[("x-api-key", " key   sk_live_a\t")], &scheme).unwrap();
        assert!(matches!(found, Some(Credential::ApiKey(key)) if key == "sk_live_a"));
        let nothing = ApiKeys::for_tests("authorization", "", &["sk_live"]);
        let found = find(&[("authorization", " sk_live_a ")], &nothing).unwrap();
        assert!(matches!(found, Some(Credential::ApiKey(key)) if key == "sk_live_a"));
    }

    #[test]
    fn two_credentials_are_ambiguous() {
        for value in [
            "Bearer a.b.c, Bearer a.b.c",
            "Bearer sk_live_a, Basic dTpw",
            "Bearer sk_live_a,Bearer sk_live_b",
        ] {
            assert_eq!(
                find(&[("authorization", value)], &bearer()).err(),
                Some(Refusal::CredentialRepeated),
                "{value}"
            );
        }
        let both = find(&[("authorization", "Bearer a.b.c"), ("x-api-key", "sk_live_a")], &own());
        assert_eq!(both.err(), Some(Refusal::CredentialInTwoFields));
        let repeated = find(&[("x-api-key", "sk_live_a, sk_live_b")], &own());
        assert_eq!(repeated.err(), Some(Refusal::CredentialRepeated));
    }

    #[test]
    fn what_is_no_credential_is_malformed_or_of_another_scheme() {
        for value in [
            "Bearer",
            "Bearer ",
            "Bearer \tsk_live_a",
            "Bearer sk_live_a\u{a0}",
            "Bearer sk_live_a \r",
            "Bearer   ",
            "Bearer sk_live_a b",
            "Bearer sk_live_a,b",
            "Bearer a.b",
            "Bearer a.b.c.d.e",
            "Bearer sk_prod_a",
            "Bearer sk_live_é",
            "Bearer a.b.c,",
            "Bearer sk_live_a, b c",
        ] {
            assert_eq!(
                find(&[("authorization", value)], &bearer()).err(),
                Some(Refusal::CredentialMalformed),
                "{value}"
            );
        }
        for value in ["Basic dTpw", "Bearer\tsk_live_a", "sk_live_abc", "Digest x=y", "", "DPoP a.b.c"] {
            assert_eq!(
                find(&[("authorization", value)], &bearer()).err(),
                Some(Refusal::CredentialScheme),
                "{value}"
            );
        }
        assert_eq!(find(&[("x-api-key", "hello")], &own()).err(), Some(Refusal::CredentialMalformed));
    }
}
