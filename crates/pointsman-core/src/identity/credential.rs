//! Who is calling: exactly one credential, found by its field and told apart by its form.

use std::borrow::Cow;

use crate::{
    base::{refusal::Refusal, scan},
    http::head::{Head, PresentFields},
    identity::{
        api_key::ApiKeys,
        introspection,
        key_fields::{is_basic, user_alone},
        named_value,
        places::{Place, Places},
    },
};

/// A credential as it was sent, not verified yet.
#[derive(Clone, Eq, PartialEq)]
pub enum Credential<'a> {
    /// An API key.
    ApiKey(Cow<'a, str>),
    /// A token in JWS compact serialization (RFC 7515, section 3.1).
    Token(Cow<'a, str>),
    /// The same behind `DPoP`: its holder proves that it holds the token's key too (RFC 9449, section 7.1).
    DpopToken(Cow<'a, str>),
    /// A token that only its issuer can read (RFC 7662), behind `Bearer` or by itself.
    OpaqueToken(Cow<'a, str>),
    /// The same behind `DPoP`.
    OpaqueDpopToken(Cow<'a, str>),
}

impl Credential<'_> {
    /// The credential itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::ApiKey(text)
            | Self::Token(text)
            | Self::DpopToken(text)
            | Self::OpaqueToken(text)
            | Self::OpaqueDpopToken(text) => text,
        }
    }

    fn into_owned(self) -> Credential<'static> {
        match self {
            Self::ApiKey(key) => Credential::ApiKey(Cow::Owned(key.into_owned())),
            Self::Token(token) => Credential::Token(Cow::Owned(token.into_owned())),
            Self::DpopToken(token) => Credential::DpopToken(Cow::Owned(token.into_owned())),
            Self::OpaqueToken(token) => Credential::OpaqueToken(Cow::Owned(token.into_owned())),
            Self::OpaqueDpopToken(token) => Credential::OpaqueDpopToken(Cow::Owned(token.into_owned())),
        }
    }
}

/// A credential, and where it was found.
#[derive(Clone)]
pub struct Found<'a, 'p> {
    /// The credential.
    pub credential: Credential<'a>,
    /// The first of the places in which it stands.
    pub place: Place<'p>,
}

/// Finds the one credential of a request.
///
/// `Ok(None)` is "there is none", which is not the same as a bad one: only the former can make a
/// caller anonymous where a route allows that.
///
/// # Errors
/// Two credentials, or one in no known form.
pub fn find_credential<'a, 'p>(
    head: &Head<'a>,
    api_keys: Option<&'p ApiKeys>,
    places: &'p Places,
) -> Result<Option<Found<'a, 'p>>, Refusal> {
    let mut authorization = head.field(PresentFields::AUTHORIZATION, "authorization");
    if places.passes_authorization {
        authorization = None;
    }
    let is_in_further = head.seen.has(PresentFields::API_KEY.and(PresentFields::FURTHER_CREDENTIAL));
    // Of Basic credentials the place is looked at, too.
    if is_in_further || places.basic || (head.target.query.is_some() && !places.query.is_empty()) {
        return find_in_all_places(head, authorization, api_keys, places);
    }
    let Some(value) = authorization else { return Ok(None) };
    let credential = match read(value, None, api_keys) {
        Ok(credential) => credential,
        Err(refusal) => opaque_instead(head, places, refusal)?,
    };
    Ok(Some(Found { credential, place: Place::Authorization }))
}

fn place_of(authorization: &str, places: &Places) -> Place<'static> {
    if places.basic && is_behind_basic(authorization) { Place::Basic } else { Place::Authorization }
}

#[cold]
#[inline(never)]
fn is_behind_basic(authorization: &str) -> bool {
    scheme_and_text(field_content(authorization)).is_some_and(|(scheme, _)| is_basic(scheme))
}

/// The token that only its issuer can read, where `Authorization` has one and the route takes such; else what was refused.
#[cold]
#[inline(never)]
fn opaque_instead(
    head: &Head<'_>,
    places: &Places,
    refusal: Refusal,
) -> Result<Credential<'static>, Refusal> {
    if refusal != Refusal::CredentialMalformed || places.introspection.is_none() {
        return Err(refusal);
    }
    let value = head.field(PresentFields::AUTHORIZATION, "authorization").unwrap_or_default();
    let (scheme, text) = scheme_and_text(field_content(&value)).ok_or(refusal)?;
    let is_token = is_opaque(text);
    let token = Cow::Owned(text.to_owned());
    match (is_token, scheme.to_ascii_lowercase().as_str()) {
        (true, "bearer") => Ok(Credential::OpaqueToken(token)),
        (true, "dpop") => Ok(Credential::OpaqueDpopToken(token)),
        _ => Err(refusal),
    }
}

/// What was found in one place.
type InPlace<'a, 'p> = Result<Found<'a, 'p>, Refusal>;

/// As [`find_credential`], of a request with other fields that hold credentials than `Authorization`.
#[inline(never)]
fn find_in_all_places<'a, 'p>(
    head: &Head<'a>,
    authorization: Option<Cow<'a, str>>,
    api_keys: Option<&'p ApiKeys>,
    places: &'p Places,
) -> Result<Option<Found<'a, 'p>>, Refusal> {
    let at = |place| move |credential| Found { credential, place };
    let mut found = authorization.map(|value| {
        let place = place_of(&value, places);
        let read = read(value, None, api_keys).or_else(|refusal| opaque_instead(head, places, refusal));
        read.map(at(place))
    });
    if let Some(keys) = api_keys {
        // Of the first field it is known whether it is there, of the others whether any is.
        let mut kind = PresentFields::API_KEY;
        for name in keys.sent().own() {
            if let Some(value) = head.field(kind, name) {
                add(&mut found, read(value, Some(keys), api_keys).map(at(Place::KeyField(name))));
            }
            kind = PresentFields::FURTHER_CREDENTIAL;
        }
    }
    if !places.are_usual() {
        find_in_further_places(head, api_keys, places, &mut found);
    }
    found.transpose()
}

#[cold]
#[inline(never)]
fn find_in_further_places<'a, 'p>(
    head: &Head<'a>,
    api_keys: Option<&ApiKeys>,
    places: &'p Places,
    found: &mut Option<InPlace<'a, 'p>>,
) {
    for field in &places.fields {
        if let Some(value) = head.field(PresentFields::FURTHER_CREDENTIAL, &field.name) {
            let credential = read_token_field(&value).map(Credential::into_owned);
            add(found, credential.map(|credential| Found { credential, place: Place::TokenField(field) }));
        }
    }
    let mut add = |text, place| add_bare(found, text, (api_keys, places), place);
    add(places.offer(head).map(|offer| offer.map(|offer| offer.credential)), Place::Subprotocol);
    for name in &places.query {
        add(named_value::parameter(head, name), Place::Query(name));
    }
    // Last: a credential that is elsewhere too was not sent by a browser alone.
    for name in &places.cookies {
        add(named_value::cookie(head, name), Place::Cookie(name));
    }
}

/// Adds a text that is a credential by itself, where there is one.
fn add_bare<'a, 'p>(
    found: &mut Option<InPlace<'a, 'p>>,
    text: Result<Option<String>, Refusal>,
    (api_keys, places): (Option<&ApiKeys>, &Places),
    place: Place<'p>,
) {
    if let Some(text) = text.transpose() {
        let credential = text.and_then(|text| match read_bare(&text, api_keys) {
            Err(Refusal::CredentialMalformed) if places.introspection.is_some() && is_opaque(&text) => {
                Ok(Credential::OpaqueToken(Cow::Owned(text)))
            }
            read => read.map(Credential::into_owned),
        });
        add(found, credential.map(|credential| Found { credential, place }));
    }
}

/// Reads a text that is a credential by itself: a key by its form, else a token.
pub(crate) fn read_bare<'a>(text: &'a str, api_keys: Option<&ApiKeys>) -> Result<Credential<'a>, Refusal> {
    match api_keys.filter(|keys| keys.has_form(text)) {
        Some(keys) => read_key(text, keys, true),
        None => read_token(text),
    }
}

/// Adds what a further place holds.
fn add<'a, 'p>(found: &mut Option<InPlace<'a, 'p>>, also: InPlace<'a, 'p>) {
    *found = Some(match found.take() {
        None => also,
        Some(before) => only_one(before, also),
    });
}

/// The one credential that came in two places. Clients that move to another place send theirs in both for a while, and
/// some libraries always do; but two that differ, or of which one cannot be read, leave open who calls.
#[cold]
#[inline(never)]
fn only_one<'a, 'p>(one: InPlace<'a, 'p>, other: InPlace<'a, 'p>) -> InPlace<'a, 'p> {
    match (one, other) {
        // The other place counts: there, a browser alone did not send it.
        (Ok(one), Ok(other)) if one.credential == other.credential => {
            Ok(if one.place == Place::Basic { other } else { one })
        }
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
    if scheme.eq_ignore_ascii_case("bearer") { read_token(text) } else { read_dpop_token(scheme, text) }
}

/// Reads a token behind `DPoP`. Whether its issuer's may come so is seen once it is known whose it is.
#[cold]
#[inline(never)]
fn read_dpop_token<'a>(scheme: &str, text: &'a str) -> Result<Credential<'a>, Refusal> {
    if !scheme.eq_ignore_ascii_case("dpop") {
        return Err(Refusal::CredentialScheme);
    }
    match read_token(text)? {
        Credential::Token(token) => Ok(Credential::DpopToken(token)),
        other => Ok(other),
    }
}

fn read_token(text: &str) -> Result<Credential<'_>, Refusal> {
    let is_token = has_three_parts(text) && is_credential_text(text);
    if is_token { Ok(Credential::Token(Cow::Borrowed(text))) } else { Err(Refusal::CredentialMalformed) }
}

/// Reads a field that holds a token, alone or behind `Bearer`.
fn read_token_field(value: &str) -> Result<Credential<'_>, Refusal> {
    let value = field_content(value);
    let text = match scheme_and_text(value) {
        Some((scheme, text)) if scheme.eq_ignore_ascii_case("bearer") => text,
        _ => value,
    };
    let token = read_token(text);
    // Fetch joins repeated fields with a comma.
    if token.is_err() && text.split(',').filter(|part| has_three_parts(part)).count() > 1 {
        return Err(Refusal::CredentialRepeated);
    }
    token
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

/// Whether a text may be a token that only its issuer can read.
fn is_opaque(text: &str) -> bool {
    is_credential_text(text) && text.len() <= introspection::MAX_BYTES
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
mod tests;
