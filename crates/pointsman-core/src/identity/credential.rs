//! Who is calling: exactly one credential, found by its field and told apart by its form.

use std::borrow::Cow;

use crate::{
    base::{refusal::Refusal, scan},
    http::head::{Head, PresentFields},
    identity::{
        api_key::ApiKeys,
        key_fields::{is_basic, user_alone},
    },
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
    let own =
        api_keys.filter(|_| head.seen.has(PresentFields::API_KEY.and(PresentFields::FURTHER_CREDENTIAL)));
    match (authorization, own) {
        (None, None) => Ok(None),
        (Some(value), None) => read(value, None, api_keys).map(Some),
        (authorization, Some(keys)) => find_in_own_fields(head, authorization, keys),
    }
}

/// As [`find_credential`], of a request with a field for API keys that is not `Authorization`.
#[inline(never)]
fn find_in_own_fields<'a>(
    head: &Head<'a>,
    authorization: Option<Cow<'a, str>>,
    keys: &ApiKeys,
) -> Result<Option<Credential<'a>>, Refusal> {
    let mut kinds = [PresentFields::API_KEY].into_iter();
    // Of the first field it is known whether it is there, of the others whether any is.
    let own = keys.sent().own().filter_map(|name| {
        let kind = kinds.next().unwrap_or(PresentFields::FURTHER_CREDENTIAL);
        head.field(kind, name)
    });
    let mut found = authorization.map(|value| read(value, None, Some(keys)));
    for value in own {
        let also = read(value, Some(keys), Some(keys));
        found = Some(match found {
            None => also,
            Some(before) => only_one(before, also),
        });
    }
    found.transpose()
}

/// The one credential that came in two places. Clients that move to another place send theirs in both for a while, and
/// some libraries always do; but two that differ, or of which one cannot be read, leave open who calls.
#[cold]
#[inline(never)]
fn only_one<'a>(
    one: Result<Credential<'a>, Refusal>,
    other: Result<Credential<'a>, Refusal>,
) -> Result<Credential<'a>, Refusal> {
    match (one, other) {
        (Ok(one), Ok(other)) if one == other => Ok(one),
        _ => Err(Refusal::CredentialInTwoFields),
    }
}

fn read<'a>(
    value: Cow<'a, str>,
    own_field: Option<&ApiKeys>,
    api_keys: Option<&ApiKeys>,
) -> Result<Credential<'a>, Refusal> {
    match value {
        Cow::Borrowed(value) => read_field(value, own_field, api_keys),
        Cow::Owned(value) => read_field(&value, own_field, api_keys).map(Credential::into_owned),
    }
}

fn read_field<'a>(
    value: &'a str,
    own_field: Option<&ApiKeys>,
    api_keys: Option<&ApiKeys>,
) -> Result<Credential<'a>, Refusal> {
    let value = field_content(value);
    match own_field {
        Some(keys) => read_own_field(value, keys),
        None => read_authorization(value, api_keys.filter(|keys| keys.sent().in_authorization())),
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
    if let Some(keys) = api_keys
        && let Some(key) = read_behind_scheme(value, (scheme, text), keys.sent().schemes(), keys)
    {
        return key;
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
    let own = api_keys.map_or(&[][..], |keys| keys.sent().schemes());
    value.split(',').skip(1).any(|element| begins_with_scheme(element, own))
}

/// Reads a field of its own that holds an API key.
fn read_own_field<'a>(value: &'a str, keys: &ApiKeys) -> Result<Credential<'a>, Refusal> {
    let schemes = keys.sent().own_schemes();
    if schemes.iter().all(String::is_empty) {
        return read_key(value, keys, keys.has_form(value));
    }
    let parts = scheme_and_text(value).unwrap_or((value, ""));
    match read_behind_scheme(value, parts, schemes, keys) {
        Some(key) => key,
        None if schemes.iter().any(|own| parts.0.eq_ignore_ascii_case(own)) => {
            Err(Refusal::CredentialMalformed)
        }
        None => Err(Refusal::CredentialScheme),
    }
}

/// Reads an API key behind one of the schemes, or by itself where that is one of them. `None` for what is no key, and may
/// be something else.
fn read_behind_scheme<'a>(
    value: &'a str,
    (scheme, text): (&'a str, &'a str),
    schemes: &[String],
    keys: &ApiKeys,
) -> Option<Result<Credential<'a>, Refusal>> {
    let mut takes_bare = false;
    for own in schemes {
        if own.is_empty() {
            takes_bare = true;
        } else if scheme.eq_ignore_ascii_case(own) {
            if is_basic(own) {
                return Some(read_basic(text, keys));
            }
            if keys.has_form(text) {
                return Some(read_key(text, keys, true));
            }
            if !scheme.eq_ignore_ascii_case("bearer") {
                return Some(Err(Refusal::CredentialMalformed));
            }
        }
    }
    (takes_bare && keys.has_form(value)).then(|| read_key(value, keys, true))
}

/// Reads Basic credentials whose user is an API key.
#[cold]
#[inline(never)]
fn read_basic<'a>(text: &str, keys: &ApiKeys) -> Result<Credential<'a>, Refusal> {
    let key = user_alone(text).ok_or(Refusal::CredentialMalformed)?;
    read_key(&key, keys, keys.has_form(&key)).map(Credential::into_owned)
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
fn begins_with_scheme(element: &str, own: &[String]) -> bool {
    element.trim().split_once(' ').is_some_and(|(scheme, rest)| {
        let mut known = SCHEMES.into_iter().chain(own.iter().map(String::as_str));
        known.any(|known| known.eq_ignore_ascii_case(scheme)) && !rest.trim().is_empty()
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
            seen: fields.seen(keys.sent().own()),
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

    fn both(schemes: &[&str]) -> ApiKeys {
        ApiKeys::sent_in(&["x-api-key", "authorization", "apikey"], schemes, &["sk_live"])
    }

    #[test]
    fn a_key_may_come_in_any_of_several_fields() {
        let keys = both(&["Bearer"]);
        for field in
            [("x-api-key", "sk_live_a"), ("apikey", "sk_live_a"), ("authorization", "Bearer sk_live_a")]
        {
            let found = find(&[field], &keys).unwrap();
            assert!(matches!(found, Some(Credential::ApiKey(key)) if key == "sk_live_a"), "{field:?}");
        }
        // The scheme is that of `Authorization`.
        for (field, refusal) in [
            (("x-api-key", "Bearer sk_live_a"), Refusal::CredentialMalformed),
            (("authorization", "sk_live_a"), Refusal::CredentialScheme),
        ] {
            assert_eq!(find(&[field], &keys).err(), Some(refusal), "{field:?}");
        }
        let token = find(&[("authorization", "Bearer a.b.c")], &keys).unwrap();
        assert!(matches!(token, Some(Credential::Token(_))));
    }

    #[test]
    fn one_credential_in_several_fields_is_one_and_two_are_ambiguous() {
        let keys = both(&["Bearer", "Basic"]);
        let one = [
            ("x-api-key", "sk_live_a"),
            ("apikey", " sk_live_a"),
            ("authorization", "Basic c2tfbGl2ZV9hOg=="),
        ];
        for fields in [&one[..], &one[..2], &one[1..]] {
            let found = find(fields, &keys).unwrap();
            assert!(matches!(found, Some(Credential::ApiKey(key)) if key == "sk_live_a"), "{fields:?}");
        }
        for other in [
            ("apikey", "sk_live_b"),
            ("apikey", ""),
            ("apikey", "other"),
            ("authorization", "Bearer sk_live_b"),
            ("authorization", "Bearer a.b.c"),
            ("authorization", "Basic dTpw"),
            ("authorization", "Digest sk_live_a"),
        ] {
            let found = find(&[("x-api-key", "sk_live_a"), other], &keys);
            assert_eq!(found.err(), Some(Refusal::CredentialInTwoFields), "{other:?}");
        }
        let repeated = find(&[("apikey", "sk_live_a, sk_live_a")], &keys);
        assert_eq!(repeated.err(), Some(Refusal::CredentialRepeated));
    }

    #[test]
    fn a_key_is_read_behind_each_of_the_schemes_and_behind_no_other() {
        let keys = ApiKeys::sent_in(&["authorization"], &["", "Basic", "Bearer", "ApiKey"], &["sk_live"]);
        for value in ["sk_live_a", "bearer sk_live_a", "BASIC c2tfbGl2ZV9hOg==", "apikey  sk_live_a "] {
            let found = find(&[("authorization", value)], &keys).unwrap();
            assert!(matches!(found, Some(Credential::ApiKey(key)) if key == "sk_live_a"), "{value:?}");
        }
        for (value, refusal) in [
            ("Basic sk_live_a", Refusal::CredentialMalformed),
            // sk_live_a:x, and other:
            ("Basic c2tfbGl2ZV9hOng=", Refusal::CredentialMalformed),
            ("Basic b3RoZXI6", Refusal::CredentialMalformed),
            ("ApiKey other", Refusal::CredentialMalformed),
            ("ApiKey a.b.c", Refusal::CredentialMalformed),
            ("Digest sk_live_a", Refusal::CredentialScheme),
            ("other", Refusal::CredentialScheme),
            ("sk_live_a, Basic c2tfbGl2ZV9hOg==", Refusal::CredentialRepeated),
            ("Basic c2tfbGl2ZV9hOg==, ApiKey sk_live_a", Refusal::CredentialRepeated),
        ] {
            assert_eq!(find(&[("authorization", value)], &keys).err(), Some(refusal), "{value:?}");
        }
        let token = find(&[("authorization", "Bearer a.b.c")], &keys).unwrap();
        assert!(matches!(token, Some(Credential::Token(_))));
    }

    /// What is no token may be a key there, whatever it looks like, but not with a space in it.
    #[test]
    fn keys_of_another_maker_are_told_from_schemes() {
        let keys = ApiKeys::sent_in(&["authorization"], &["", "Bearer"], &[]);
        for (value, key) in [("anything", "anything"), ("Bearer anything", "anything")] {
            let found = find(&[("authorization", value)], &keys).unwrap();
            assert!(matches!(found, Some(Credential::ApiKey(found)) if found == key), "{value:?}");
        }
        let basic = find(&[("authorization", "Basic dTpw")], &keys);
        assert_eq!(basic.err(), Some(Refusal::CredentialMalformed));
        let token = find(&[("authorization", "Bearer a.b.c")], &keys).unwrap();
        assert!(matches!(token, Some(Credential::Token(_))));
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
