//! Cross-origin requests (the CORS protocol of the Fetch standard), answered for all backends alike.

use crate::{
    request::{Head, Seen},
    time::Span,
};

/// A policy that a route names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CorsPolicy {
    /// Which origins may read answers.
    pub origins: Origins,
    /// The request fields that scripts may set.
    pub headers: RequestHeaders,
    /// The answer fields that scripts may read beyond the safelisted ones.
    pub expose: Vec<String>,
    /// How long a browser may remember a preflight's answer.
    pub max_age: Span,
    /// Whether cookies and credentials may be sent along.
    pub credentials: bool,
}

/// Which origins a policy allows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Origins {
    /// Any; reflected, since `*` is no wildcard where credentials are allowed.
    Any,
    /// One of these.
    Listed(Vec<OriginPattern>),
}

/// Which request fields a policy allows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RequestHeaders {
    /// Whatever the preflight asks for.
    Any,
    /// These.
    Listed(Vec<String>),
}

/// An exact origin, or one whose first label is free: `https://*.example.com`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OriginPattern {
    scheme: String,
    /// The host and port; after the wildcard's dot where there is one.
    rest: String,
    wildcard: bool,
}

impl OriginPattern {
    /// Reads `https://app.example.com`, `http://localhost:5173` or `https://*.example.com`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (scheme, host) = text.split_once("://")?;
        let (wildcard, rest) = host.strip_prefix("*.").map_or((false, host), |rest| (true, rest));
        let fixed_enough = !wildcard || rest.contains('.');
        let pattern = Self { scheme: scheme.to_owned(), rest: rest.to_owned(), wildcard };
        (is_origin(&format!("{scheme}://{rest}")) && fixed_enough).then_some(pattern)
    }

    fn matches(&self, origin: &str) -> bool {
        let Some(host) = origin.strip_prefix(&self.scheme).and_then(|rest| rest.strip_prefix("://")) else {
            return false;
        };
        if !self.wildcard {
            return host == self.rest;
        }
        // Exactly one label: `https://a.b.example.com` and `https://evilexample.com` are not it.
        let label = host.strip_suffix(&self.rest).and_then(|label| label.strip_suffix('.'));
        label.is_some_and(|label| !label.is_empty() && !label.contains(['.', ':']))
    }
}

/// Whether `text` is a serialized origin: lower-case scheme, host and port, nothing else.
fn is_origin(text: &str) -> bool {
    let Some((scheme, host)) = text.split_once("://") else { return false };
    let scheme_plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte);
    let host_plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._:[]".contains(&byte);
    !scheme.is_empty() && scheme.bytes().all(scheme_plain) && !host.is_empty() && host.bytes().all(host_plain)
}

/// What becomes of an answer that a shared cache on its way to the caller might store.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum AnswerPrivacy {
    /// It stays as it is: nobody's credential was needed for it.
    #[default]
    Untouched,
    /// It is made private where it says that it may be shared. Else the caller's `Authorization` keeps shared caches
    /// from storing it (RFC 9111, section 3.5).
    IfShareable,
    /// It is made private unless it keeps shared caches out by itself: the credential came in a field of which no
    /// cache knows that it is one.
    UnlessPrivate,
}

impl AnswerPrivacy {
    /// For the answer to an authenticated request.
    #[must_use]
    pub fn of_authenticated(head: &Head<'_>) -> Self {
        // Only answers to GET and HEAD are stored without being told to (RFC 9110, section 9.2.3).
        let stored_untold = matches!(head.method, "GET" | "HEAD");
        if stored_untold && !head.seen.has(Seen::AUTHORIZATION) {
            Self::UnlessPrivate
        } else {
            Self::IfShareable
        }
    }
}

/// What is done to the fields of an answer.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AnswerEdits {
    /// Whether the backend's own `Access-Control-*` fields are taken off: the policy is answered here.
    pub replaces_cors: bool,
    /// Fields that are set.
    pub set: Vec<(&'static str, String)>,
    /// Whether `Vary: Origin` is added.
    pub vary_origin: bool,
    /// Whether shared caches are kept out.
    pub privacy: AnswerPrivacy,
    /// Whether what speaks for the whole origin is taken off: the answer is of a customer's own backend, and the
    /// origin is everybody's.
    pub isolates: bool,
}

impl AnswerEdits {
    /// Whether the route has none: what is left then depends on what the answer says.
    #[must_use]
    pub fn are_conditional(&self) -> bool {
        !self.replaces_cors && self.set.is_empty() && !self.vary_origin
    }
}

/// A preflight's questions.
#[derive(Clone, Copy, Debug)]
pub struct Preflight<'a> {
    /// `Origin`.
    pub origin: &'a str,
    /// `Access-Control-Request-Headers`.
    pub headers: Option<&'a str>,
}

impl CorsPolicy {
    /// The policy called `anything-goes`: any origin, reflected, with credentials.
    #[must_use]
    pub const fn anything_goes() -> Self {
        Self {
            origins: Origins::Any,
            headers: RequestHeaders::Any,
            expose: Vec::new(),
            max_age: Span::from_secs(600),
            credentials: true,
        }
    }

    /// The fields for an answer to a request with or without an `Origin`. `Vary` is there in either
    /// case: a cache must not give one origin the answer made for another.
    #[must_use]
    pub fn answer(&self, origin: Option<&str>) -> AnswerEdits {
        let mut set = Vec::new();
        if let Some(origin) = origin.filter(|origin| self.allows(origin)) {
            self.allow_origin(origin, &mut set);
            if !self.expose.is_empty() {
                set.push(("access-control-expose-headers", self.expose.join(", ")));
            }
        }
        AnswerEdits { replaces_cors: true, set, vary_origin: true, ..AnswerEdits::default() }
    }

    /// The fields of a preflight's answer. A refused origin gets none that allow anything: the
    /// browser then does not send the request, which is how a refusal is said in this protocol.
    #[must_use]
    pub fn preflight(&self, preflight: Preflight<'_>, methods: &str) -> Vec<(&'static str, String)> {
        let vary = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";
        let mut set = vec![("vary", vary.to_owned())];
        if !self.allows(preflight.origin) {
            return set;
        }
        self.allow_origin(preflight.origin, &mut set);
        set.push(("access-control-allow-methods", methods.to_owned()));
        let headers = match &self.headers {
            RequestHeaders::Any => preflight.headers.map(only_tokens).unwrap_or_default(),
            RequestHeaders::Listed(names) => names.join(", "),
        };
        if !headers.is_empty() {
            set.push(("access-control-allow-headers", headers));
        }
        set.push(("access-control-max-age", self.max_age.secs_ceil().to_string()));
        set
    }

    fn allow_origin(&self, origin: &str, set: &mut Vec<(&'static str, String)>) {
        set.push(("access-control-allow-origin", origin.to_owned()));
        if self.credentials {
            set.push(("access-control-allow-credentials", "true".to_owned()));
        }
    }

    fn allows(&self, origin: &str) -> bool {
        match &self.origins {
            // "null" is what sandboxed frames and local files send; "any" means them too.
            Origins::Any => origin == "null" || is_origin(origin),
            Origins::Listed(patterns) => {
                is_origin(origin) && patterns.iter().any(|pattern| pattern.matches(origin))
            }
        }
    }
}

/// The tokens of a list, so that nothing else is reflected.
fn only_tokens(list: &str) -> String {
    let names: Vec<_> =
        list.split(',').map(str::trim).filter(|name| crate::forward::fields::is_token(name)).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(origins: &[&str]) -> CorsPolicy {
        CorsPolicy {
            origins: Origins::Listed(
                origins.iter().map(|origin| OriginPattern::parse(origin).unwrap()).collect(),
            ),
            headers: RequestHeaders::Listed(vec!["content-type".to_owned()]),
            expose: vec!["x-total".to_owned()],
            max_age: Span::from_secs(60),
            credentials: false,
        }
    }

    #[test]
    fn origins_match_exactly_or_by_one_label() {
        let policy = listed(&["https://app.example.com", "https://*.example.org", "http://localhost:5173"]);
        for origin in ["https://app.example.com", "https://a.example.org", "http://localhost:5173"] {
            assert!(policy.allows(origin), "{origin}");
        }
        for origin in [
            "https://app.example.com.evil.example",
            "https://app.example.com:444",
            "http://app.example.com",
            "https://APP.example.com",
            "https://example.org",
            "https://a.b.example.org",
            "https://evilexample.org",
            "https://.example.org",
            "https://x:1.example.org",
            "null",
            "",
            "https://app.example.com/",
            "https://app.example.com, https://evil.example",
            "http://localhost",
        ] {
            assert!(!policy.allows(origin), "{origin}");
        }
    }

    #[test]
    fn anything_goes_reflects_an_origin_and_nothing_else() {
        let policy = CorsPolicy::anything_goes();
        assert!(policy.allows("https://whoever.example") && policy.allows("null"));
        for origin in ["", "*", "https://a b", "https://a\r\nx: y", "https://a, https://b"] {
            assert!(!policy.allows(origin), "{origin}");
        }
        let edits = policy.answer(Some("https://x.example"));
        assert!(edits.set.contains(&("access-control-allow-origin", "https://x.example".to_owned())));
        assert!(edits.set.contains(&("access-control-allow-credentials", "true".to_owned())));
        assert!(edits.vary_origin);
    }

    #[test]
    fn a_refused_origin_is_allowed_nothing() {
        let policy = listed(&["https://app.example.com"]);
        let preflight = Preflight { origin: "https://evil.example", headers: None };
        let fields = policy.preflight(preflight, "GET");
        assert!(fields.iter().all(|(name, _)| !name.starts_with("access-control-")));
        let edits = policy.answer(Some("https://evil.example"));
        assert!(edits.set.is_empty() && edits.vary_origin && edits.replaces_cors);
    }

    #[test]
    fn a_preflight_is_answered_from_the_policy() {
        let policy = listed(&["https://app.example.com"]);
        let preflight = Preflight { origin: "https://app.example.com", headers: Some("x-evil") };
        let fields = policy.preflight(preflight, "GET, POST");
        assert!(fields.contains(&("access-control-allow-methods", "GET, POST".to_owned())));
        assert!(fields.contains(&("access-control-allow-headers", "content-type".to_owned())));
        assert!(fields.contains(&("access-control-max-age", "60".to_owned())));
        let asked = Preflight { origin: "https://x.example", headers: Some("X-A, bad name,\tb") };
        let fields = CorsPolicy::anything_goes().preflight(asked, "GET");
        assert!(fields.contains(&("access-control-allow-headers", "X-A, b".to_owned())));
    }

    #[test]
    fn the_field_of_the_credential_decides_what_caches_are_told() {
        use crate::request::{Target, test_support::TestFields};
        let privacy = |method: &str, field: &str| {
            let fields = TestFields::new(&[(field, "x")]);
            let target = Target::parse("https://api.example.com/").unwrap();
            let seen = fields.seen(Some("x-api-key"));
            AnswerPrivacy::of_authenticated(&Head { method, target, seen, fields: &fields, request_id: "r" })
        };
        assert_eq!(privacy("GET", "authorization"), AnswerPrivacy::IfShareable);
        assert_eq!(privacy("GET", "x-api-key"), AnswerPrivacy::UnlessPrivate);
        assert_eq!(privacy("HEAD", "x-api-key"), AnswerPrivacy::UnlessPrivate);
        assert_eq!(privacy("POST", "x-api-key"), AnswerPrivacy::IfShareable);
    }

    #[test]
    fn no_policy_has_a_star() {
        for policy in [CorsPolicy::anything_goes(), listed(&["https://app.example.com"])] {
            let edits = policy.answer(Some("https://app.example.com"));
            assert!(edits.set.iter().all(|(_, value)| value != "*"));
        }
        for text in [
            "*",
            "https://*",
            "https://*.com",
            "https://a.*.com",
            "app.example.com",
            "https://a/",
            "https://A.example",
        ] {
            assert_eq!(OriginPattern::parse(text), None, "{text}");
        }
    }
}
