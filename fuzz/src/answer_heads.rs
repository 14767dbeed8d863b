//! What answers are given by CORS policies, and what the log says of answers' `Location`. Lines of a text: the origins of a
//! policy, a request's `Origin`, the fields that its preflight asks for, a `Location`, and anything for a policy with
//! credentials.

use super::oracle::is_field_value;
use pointsman_core::{
    base::time::Span,
    http::cors::{AllowedOrigins, CorsPolicy, OriginPattern, Preflight, RequestHeaders},
};
use pointsman_loader::ports::FetchedDocument;

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let lines: Vec<&str> = text.split('\n').collect();
    let line = |index: usize| lines.get(index).copied().unwrap_or_default();
    redirects_show_no_secret(line(3));

    let listed: Vec<&str> = line(0).split(' ').filter(|text| OriginPattern::parse(text).is_ok()).collect();
    let any = line(0) == "*";
    let origins = if any {
        AllowedOrigins::Any
    } else {
        AllowedOrigins::Listed(listed.iter().filter_map(|text| OriginPattern::parse(text).ok()).collect())
    };
    let policy = CorsPolicy {
        origins,
        headers: RequestHeaders::Any,
        expose: vec!["x-total".to_owned()],
        max_age: Span::from_secs(60),
        credentials: !line(4).is_empty(),
    };
    check(&policy, any, &listed, line(1), line(2));
}

fn check(policy: &CorsPolicy, any: bool, listed: &[&str], origin: &str, headers: &str) {
    let answer = policy.answer(Some(origin)).set;
    let preflight = policy.preflight(Preflight { origin, headers: Some(headers) }, "GET");
    let value = |fields: &[(&'static str, String)], name: &str| -> Option<String> {
        let values: Vec<_> = fields.iter().filter(|(own, _)| *own == name).collect();
        assert!(values.len() <= 1, "{name} stands twice");
        values.first().map(|(_, value)| value.clone())
    };
    for (name, value) in answer.iter().chain(&preflight) {
        assert!(is_field_value(value), "{name}: {value:?}");
    }

    let allowed = value(&answer, "access-control-allow-origin");
    assert_eq!(allowed, value(&preflight, "access-control-allow-origin"), "preflight and answer agree");
    let credentials = value(&answer, "access-control-allow-credentials").is_some();
    match allowed.as_deref() {
        // No browser takes `*` with credentials, and a policy that says it means less than it says.
        Some("*") => assert!(any && !credentials && !policy.credentials),
        Some(reflected) => {
            assert_eq!((reflected, credentials), (origin, policy.credentials));
            assert!(
                any || listed.iter().any(|pattern| is_covered(pattern, origin)),
                "{origin:?} is on no list"
            );
            assert!(origin == "null" || names_one_origin(origin), "{origin:?} was reflected");
        }
        None => {
            let grants = |(name, _): &&(&'static str, String)| name.starts_with("access-control-");
            assert_eq!(answer.iter().chain(&preflight).find(grants), None, "{origin:?} is allowed something");
            let is_exact = |pattern: &&&str| !pattern.contains('*');
            assert!(!listed.iter().filter(is_exact).any(|own| *own == origin), "{origin:?} is on the list");
        }
    }
    // A WebSocket is opened to the same pages.
    assert_eq!(policy.allows_handshake(origin), any || allowed.is_some());

    let asked: Vec<_> = headers.split(',').map(str::trim).collect();
    let granted = value(&preflight, "access-control-allow-headers").unwrap_or_default();
    for name in granted.split(", ").filter(|name| !name.is_empty()) {
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        assert!(asked.contains(&name) && name.bytes().all(is_token), "{name:?} is granted");
    }
}

/// Whether a pattern covers an origin, by what stands before and behind its `*`: what is between is letters, digits and
/// hyphens of one label, or a port.
fn is_covered(pattern: &str, origin: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else { return pattern == origin };
    if let Some(host) = before.strip_suffix(':') {
        let port = origin.strip_prefix(host);
        return port.is_some_and(|port| {
            port.is_empty() || port.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok())
        });
    }
    let between = origin.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
    between.is_some_and(|text| !text.is_empty() && !text.contains(['.', '/', ':', '@']))
}

/// Whether a text has one scheme and one authority and nothing else, so that it cannot speak for a second origin.
fn names_one_origin(origin: &str) -> bool {
    let Some((scheme, host)) = origin.split_once("://") else { return false };
    !scheme.is_empty() && !host.contains(['/', '?', '#', '@', ',', ' ', '\\'])
}

/// What the log says of a redirect has no query, no fragment, no user name and password, and is one line.
fn redirects_show_no_secret(location: &str) {
    let told =
        FetchedDocument { status: 302, location: Some(location.to_owned()), ..FetchedDocument::default() }
            .outcome();
    assert!(!told.chars().any(char::is_control), "{told:?}");
    let place = told.split_once("a redirect to ").map(|(_, place)| place).unwrap_or_default();
    assert!(!place.contains(['?', '#']) && place.chars().count() <= 200, "{place:?}");
    // Without what parsers read over or escape, so that a password that stands in the path again is found there.
    let plain: String = location.chars().filter(|character| !character.is_control()).collect();
    if let Ok(url) = url::Url::parse(&plain)
        && let Some(password) = url.password()
        && password.len() >= 8
        && !url.path().contains(password)
        && !url.host_str().unwrap_or_default().contains(password)
    {
        assert!(!place.contains(password), "{place:?} has the password of {location:?}");
    }
}
