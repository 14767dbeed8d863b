//! The credential under a second name: client libraries send their key in `Authorization`, in a field of their own and in
//! the query. Whatever holds the credential that was verified reaches no backend.

use super::fields::{FieldLines, FieldPolicy, is_token};
use crate::{
    base::percent::decode_lenient,
    http::head::{Head, PresentFields, RequestTarget},
};

/// From this length on, a credential is known inside of a longer text too. A shorter one (keys minted elsewhere may be of
/// any length) could stand there as a word.
const UNMISTAKABLE: usize = 16;

/// Fields of fixed grammars, which HTTP libraries, browsers and the platform fill in. To read one value costs a call of
/// the runtime, and ordinary requests have hardly any others.
const FIXED: &[&str] = &[
    // What the client takes, and what it is.
    "accept",
    "accept-charset",
    "accept-datetime",
    "accept-encoding",
    "accept-language",
    "user-agent",
    "dnt",
    "priority",
    "prefer",
    "save-data",
    "upgrade-insecure-requests",
    // The target and the part of it that is wanted.
    "host",
    "range",
    // The body.
    "content-digest",
    "content-disposition",
    "content-encoding",
    "content-language",
    "content-length",
    "content-location",
    "content-md5",
    "content-range",
    "content-type",
    // Conditions.
    "if-match",
    "if-modified-since",
    "if-none-match",
    "if-range",
    "if-unmodified-since",
    // Caching, dates, numbers of hops.
    "cache-control",
    "cdn-loop",
    "date",
    "early-data",
    "max-forwards",
    "pragma",
    // Tracing (W3C Trace Context): ids in hexadecimal digits, and lists of them.
    "traceparent",
    "tracestate",
    // WebSocket handshakes, and browsers' own.
    "sec-gpc",
    "sec-purpose",
    "sec-websocket-extensions",
    "sec-websocket-key",
    "sec-websocket-version",
];

/// Families of such fields: preflights; browsers' own, which no script can set; the platform's. A family is here only where
/// nobody else adds to it: `Content-Key` and `Sec-Api-Key` are as good a name for a key as any.
const FIXED_PREFIXES: &[&str] = &["access-control-request-", "sec-ch-", "sec-fetch-", "cf-"];

/// WebSockets in browsers can set no other field, so credentials are sent as the name of a subprotocol.
pub const SUBPROTOCOLS: &str = "sec-websocket-protocol";

/// Whether the value of a field, in lower case, is looked at.
pub(super) fn may_hold_a_credential(name: &str) -> bool {
    name == SUBPROTOCOLS
        || !(FIXED.contains(&name) || FIXED_PREFIXES.iter().any(|prefix| name.starts_with(prefix)))
}

/// Takes off all fields that hold the credential, and what holds it of cookies and subprotocols, which are lists of things
/// that the backend needs. `subprotocols` are those that are left where the credential was found among them.
#[cold]
#[inline(never)]
pub fn take_off(
    head: &Head<'_>,
    policy: &FieldPolicy,
    credential: &str,
    subprotocols: Option<&str>,
    remove: &mut Vec<String>,
    set: &mut FieldLines,
) {
    head.fields.visit(&mut |name, value| {
        // What `Connection` named goes as a whole, and is not set again.
        if value.len() < credential.len() || remove.iter().any(|own| own == name) {
            return;
        }
        if !policy.judge(name).seen.has(PresentFields::MAY_HOLD_CREDENTIAL) {
            return;
        }
        let rest = match name {
            "cookie" => clean_cookies(value, credential),
            SUBPROTOCOLS => {
                let rest =
                    without(subprotocols.unwrap_or(value), b",", |protocol| holds(protocol, credential));
                rest.or_else(|| subprotocols.map(str::to_owned))
            }
            _ => holds(value, credential).then(String::new),
        };
        match rest.as_deref().map(str::trim) {
            None => {}
            Some("") => remove.push(name.to_owned()),
            Some(rest) => set.push(name, rest),
        }
    });
}

/// The query without the parameters that hold the credential, where there are any: the rest of it, byte for byte.
#[cold]
#[inline(never)]
#[must_use]
pub fn clean_query(target: RequestTarget<'_>, credential: &str) -> Option<String> {
    let query = target.query.filter(|query| !credential.is_empty() && query.len() >= credential.len())?;
    // Old parsers part parameters by `;` too.
    without(query, b"&;", |parameter| is_parameter_with(parameter, credential))
}

/// The text without those of its parts that `is_copy` knows, each with one separator; `None` where there is none.
fn without(text: &str, separators: &[u8], is_copy: impl Fn(&str) -> bool) -> Option<String> {
    let is_separator = |letter: char| u8::try_from(letter).is_ok_and(|byte| separators.contains(&byte));
    if !text.split(is_separator).any(&is_copy) {
        return None;
    }
    let mut rest = String::with_capacity(text.len());
    let mut first = true;
    // Each part with the separator before it.
    let mut begins = 0;
    for part in text.split(is_separator) {
        let ends = begins + part.len();
        if !is_copy(part) {
            let from = if first { begins } else { begins.saturating_sub(1) };
            rest.push_str(text.get(from..ends).unwrap_or_default());
            first = false;
        }
        begins = ends + 1;
    }
    Some(rest)
}

/// The cookies without those that hold the credential. Where two fields were joined, a comma parts two cookies; but one may
/// also stand within a cookie, whose rest would be nothing that anybody set.
fn clean_cookies(value: &str, credential: &str) -> Option<String> {
    let text = |pair: &str| pair.split_once('=').map_or(pair, |(_, value)| value).to_owned();
    let whole = without(value, b";,", |pair| is_decoded(&text(pair), credential, is_copy));
    let rest = whole.as_deref().unwrap_or(value);
    without(rest, b";", |pair| is_decoded(&text(pair), credential, contains_credential)).or(whole)
}

/// Whether a parameter's value is the credential or holds it, or its name does.
#[must_use]
pub fn is_parameter_with(parameter: &str, credential: &str) -> bool {
    if credential.is_empty() || parameter.len() < credential.len() {
        return false;
    }
    let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
    is_decoded(value, credential, contains_credential) || is_decoded(name, credential, contains_credential)
}

/// Whether a text, once it is percent-decoded, is what `is_it` knows. `+` may mean itself or a space, so the two count as
/// one.
fn is_decoded(text: &str, credential: &str, is_it: fn(&str, &str) -> bool) -> bool {
    if text.len() < credential.len() {
        return false;
    }
    if !text.contains(['%', '+']) {
        return is_it(text, credential);
    }
    let spaced = |text: &str| text.replace('+', " ");
    let decoded = String::from_utf8_lossy(&decode_lenient(text.as_bytes())).into_owned();
    is_it(&decoded, credential) || is_copy(&spaced(&decoded), &spaced(credential))
}

/// Whether a text is the credential, or one in which that stands unmistakably: a URL to come back to, JSON of a session.
fn contains_credential(text: &str, credential: &str) -> bool {
    is_copy(text, credential) || (credential.len() >= UNMISTAKABLE && stands_in(text, credential))
}

/// Whether a field's value holds the credential: it is that, or one of a list (repeated fields arrive as one), or, where
/// the credential cannot be mistaken for a word, it stands in it (`Token token="…"`).
#[must_use]
pub fn holds(value: &str, credential: &str) -> bool {
    if value.len() < credential.len() || credential.is_empty() || !value.contains(credential) {
        return false;
    }
    value.split(',').any(|element| is_copy(element, credential))
        || (credential.len() >= UNMISTAKABLE && stands_in(value, credential))
}

/// Whether a text is the credential, white space, quotes and a scheme before it left out of account.
fn is_copy(text: &str, credential: &str) -> bool {
    // A credential has no white space at its ends (RFC 9110, section 5.5), but a `+` may have stood there.
    let (text, credential) = (unquoted(text), credential.trim());
    let behind_scheme = text
        .split_once(|letter: char| letter.is_ascii_whitespace())
        .is_some_and(|(scheme, behind)| is_token(scheme) && unquoted(behind) == credential);
    text == credential || behind_scheme
}

fn unquoted(text: &str) -> &str {
    let text = text.trim();
    text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text)
}

/// Whether it stands in the text with something else than letters of credentials on either side.
fn stands_in(text: &str, credential: &str) -> bool {
    let is_letter = |letter: char| letter.is_ascii_alphanumeric() || "-_~+/".contains(letter);
    text.match_indices(credential).any(|(at, found)| {
        let before = text.get(..at).and_then(|before| before.chars().next_back());
        let behind = text.get(at + found.len()..).and_then(|behind| behind.chars().next());
        // `openai-insecure-api-key.sk_…` is a subprotocol; `key=sk_…` a parameter.
        !before.is_some_and(is_letter) && !behind.is_some_and(|letter| is_letter(letter) || letter == '=')
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::http::head::test_support::TestFields;

    const KEY: &str = "sk_live_abcDEF123_x9";

    fn query(text: &str, credential: &str) -> Option<String> {
        clean_query(RequestTarget::parse(&format!("https://gw.example/x?{text}")).unwrap(), credential)
    }

    /// What becomes of fields: those that go, and those that are set to something else.
    fn cleaned(fields: &[(&str, &str)], credential: &str) -> (Vec<String>, Vec<(String, String)>) {
        let fields = TestFields::new(fields);
        let target = RequestTarget::parse("https://gw.example/x").unwrap();
        let head = Head { method: "GET", target, seen: fields.seen([]), fields: &fields, request_id: "id" };
        let (mut remove, mut set) = (Vec::new(), FieldLines::default());
        take_off(&head, &FieldPolicy::new([], [], Vec::new()), credential, None, &mut remove, &mut set);
        let set = set.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        (remove, set)
    }

    #[test]
    fn a_field_with_the_credential_goes_in_every_form() {
        for value in [
            KEY.to_owned(),
            format!("Bearer {KEY}"),
            format!("  {KEY}\t"),
            format!("token   {KEY}"),
            format!("\"{KEY}\""),
            format!("Token token=\"{KEY}\""),
            format!("{KEY}, {KEY}"),
            format!("other, {KEY}"),
            format!("https://app.example/?apikey={KEY}&x=1"),
            format!("{{\"key\":\"{KEY}\"}}"),
        ] {
            assert_eq!(
                cleaned(&[("apikey", &value)], KEY),
                (vec!["apikey".to_owned()], Vec::new()),
                "{value}"
            );
        }
        for value in ["", "sk_live_abcDEF123_x", "sk_live_abcDEF123_x91", "xsk_live_abcDEF123_x9", "other"] {
            assert_eq!(cleaned(&[("apikey", value)], KEY), (Vec::new(), Vec::new()), "{value}");
        }
    }

    #[test]
    fn a_name_of_its_own_is_looked_at_in_every_family() {
        for name in
            ["sec-api-key", "content-key", "accept-token", "if-key", "sec-websocket-token", "access-token"]
        {
            assert_eq!(cleaned(&[(name, KEY)], KEY).0, [name], "{name}");
        }
        for name in
            ["accept-encoding", "content-type", "if-none-match", "sec-fetch-mode", "sec-ch-ua", "cf-ray"]
        {
            assert!(!may_hold_a_credential(name), "{name}");
        }
    }

    /// A key of another maker may be a word.
    #[test]
    fn a_short_credential_is_only_known_as_a_whole() {
        let fields = [("x-mode", "gold"), ("x-note", "all is gold here"), ("x-scheme-too", "Key gold")];
        assert_eq!(cleaned(&fields, "gold").0, ["x-mode", "x-scheme-too"]);
    }

    #[test]
    fn of_cookies_and_subprotocols_only_the_credential_goes() {
        let set = |name: &str, value: &str| vec![(name.to_owned(), value.to_owned())];
        for (name, before, after) in [
            ("cookie", format!("a=1; token={KEY}; b=2"), "a=1; b=2"),
            ("cookie", format!("token={KEY}; b=2"), "b=2"),
            ("cookie", format!("a=1; token=\"{KEY}\""), "a=1"),
            ("cookie", format!("a=1; token=Bearer%20{KEY};c=\"x y\""), "a=1;c=\"x y\""),
            ("cookie", format!("a=1, token={KEY}, b={KEY}z"), "a=1, b=sk_live_abcDEF123_x9z"),
            ("cookie", format!("a=1; s={{\"k\":\"{KEY}\"}}; b=2"), "a=1; b=2"),
            ("cookie", format!("a=1; s=%5B%22{KEY}%22%2C%22refresh%22%5D; b=2"), "a=1; b=2"),
            ("cookie", format!("a=1; s=[\"{KEY}\",\"refresh\"]; b=2"), "a=1; b=2"),
            (SUBPROTOCOLS, format!("graphql-ws, {KEY}"), "graphql-ws"),
            (SUBPROTOCOLS, format!("insecure-api-key.{KEY}, realtime"), "realtime"),
        ] {
            assert_eq!(cleaned(&[(name, &before)], KEY), (Vec::new(), set(name, after)), "{before}");
        }
        for (name, value) in [("cookie", format!("token={KEY}")), (SUBPROTOCOLS, KEY.to_owned())] {
            assert_eq!(cleaned(&[(name, &value)], KEY), (vec![name.to_owned()], Vec::new()), "{value}");
        }
        let other = [("cookie", "session=b7f1c9e3b5d7f9a1c3e5b7d9f1a3c5e7; theme=dark")];
        assert_eq!(cleaned(&other, KEY), (Vec::new(), Vec::new()));
    }

    #[test]
    fn a_parameter_with_the_credential_goes_and_the_others_stay_as_they_are() {
        for (before, after) in [
            (format!("apikey={KEY}"), ""),
            (format!("apikey={KEY}&a=%20+b"), "a=%20+b"),
            (format!("a=1&apikey={KEY}&b=2"), "a=1&b=2"),
            (format!("a=1&&apikey={KEY}"), "a=1&"),
            (format!("apikey={KEY}&&a=1"), "&a=1"),
            (format!("a=1;apikey={KEY}&b=2"), "a=1&b=2"),
            (format!("x={KEY}&y={KEY}&z"), "z"),
            (format!("key=Bearer+{KEY}&z"), "z"),
            (format!("key=bearer%20{KEY}&z"), "z"),
            ("key=%73k_live_abc%44EF123_x9&z".to_owned(), "z"),
            // A % by itself keeps no credential from being found.
            (format!("back=%zz%,%2C{KEY}&z"), "z"),
            (format!("{KEY}&z"), "z"),
            (format!("{KEY}=&z"), "z"),
            (format!("back=https://app.example/?apikey={KEY}&z"), "z"),
            (format!("back=https%3A%2F%2Fapp.example%2F%3Fapikey%3D{KEY}%26x&z"), "z"),
            (format!("s=%7B%22k%22%3A%22{KEY}%22%7D&z"), "z"),
        ] {
            assert_eq!(query(&before, KEY).as_deref(), Some(after), "{before}");
        }
        for same in
            [String::new(), "a=1".to_owned(), format!("a={KEY}x"), format!("a=x{KEY}"), format!("a={KEY}%41")]
        {
            assert_eq!(query(&same, KEY), None, "{same}");
        }
        // In keys that were minted elsewhere.
        for (text, key) in
            [("k=a%2Bb%2Fc%3D%3D", "a+b/c=="), ("k=a+b/c==", "a+b/c=="), ("k=Key+a+b/c==", "a+b/c==")]
        {
            assert_eq!(query(text, key).as_deref(), Some(""), "{text}");
        }
    }

    fn encoded(text: &str, which: &[bool]) -> String {
        let letters = text.bytes().zip(which.iter().cycle());
        letters
            .map(|(byte, yes)| if *yes { format!("%{byte:02x}") } else { char::from(byte).into() })
            .collect()
    }

    proptest! {
        /// Whatever stands around it, and however it is encoded: it goes, and the others stay in their order.
        #[test]
        fn no_encoding_of_the_credential_passes_in_a_query(
            before in proptest::collection::vec("[a-z]{0,3}(=[a-z%+=.]{0,6})?", 0..4),
            behind in proptest::collection::vec("[a-z]{0,3}(=[a-z%+=.]{0,6})?", 0..4),
            credential in "[A-Za-z0-9._~/-]{8,40}",
            which in proptest::collection::vec(any::<bool>(), 1..8),
        ) {
            let copy = format!("k={}", encoded(&credential, &which));
            let all = [before.clone(), vec![copy], behind.clone()].concat().join("&");
            let rest = [before, behind].concat().join("&");
            prop_assert_eq!(query(&all, &credential), Some(rest));
        }

        #[test]
        fn what_does_not_hold_it_is_left_alone(
            text in "[a-z0-9=&;%+. ]{0,60}",
            name in "[a-z]{1,8}",
        ) {
            prop_assert_eq!(query(&text, KEY), None);
            prop_assert_eq!(cleaned(&[(&name, &text)], KEY), (Vec::new(), Vec::new()));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,40}", credential in "\\PC{0,12}") {
            let _ = query(&text, &credential);
            let _ = cleaned(&[("cookie", &text), ("x-a", &text), (SUBPROTOCOLS, &text)], &credential);
        }
    }
}
