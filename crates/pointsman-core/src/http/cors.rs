//! Cross-origin requests (the CORS protocol of the Fetch standard), answered for all backends alike.

use crate::{
    base::time::Span,
    http::head::{Head, PresentFields},
};

mod origin;

pub use self::origin::{AllowedOrigins, OriginError, OriginPattern};

/// A policy that a route names.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CorsPolicy {
    /// Which origins may read answers.
    pub origins: AllowedOrigins,
    /// The request fields that scripts may set.
    pub headers: RequestHeaders,
    /// The answer fields that scripts may read beyond the safelisted ones.
    pub expose: Vec<String>,
    /// How long a browser may remember a preflight's answer.
    pub max_age: Span,
    /// Whether cookies and credentials may be sent along.
    pub credentials: bool,
}

/// Which request fields a policy allows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RequestHeaders {
    /// Whatever the preflight asks for.
    Any,
    /// These.
    Listed(Vec<String>),
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
        if stored_untold && !head.seen.has(PresentFields::AUTHORIZATION) {
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
    /// The place of the shape that an error is written in, where the gateway answers with one after all; `None` as a
    /// problem.
    pub errors: Option<usize>,
}

impl AnswerEdits {
    /// Whether the route has none: what is left then depends on what the answer says.
    #[must_use]
    pub fn are_conditional(&self) -> bool {
        !self.replaces_cors && self.set.is_empty() && !self.vary_origin && self.errors.is_none()
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
            origins: AllowedOrigins::Any,
            headers: RequestHeaders::Any,
            expose: Vec::new(),
            max_age: Span::from_secs(600),
            credentials: true,
        }
    }

    /// The fields for an answer to a request with or without an `Origin`. `Vary` is there in either
    /// case: a cache must not give one origin the answer made for another, and the backend sees the origin too.
    #[must_use]
    pub fn answer(&self, origin: Option<&str>) -> AnswerEdits {
        let mut set = Vec::new();
        if let Some(origin) = self.allowed(origin) {
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
        let Some(origin) = self.allowed(Some(preflight.origin)) else {
            return set;
        };
        self.allow_origin(origin, &mut set);
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

    /// Whether a page of this origin may open a WebSocket. Browsers ask nobody before, and send cookies and whatever
    /// stands in the URL along (cross-site WebSocket hijacking), so a list of origins holds for handshakes too. What
    /// lets any origin in, lets any in here.
    #[must_use]
    pub fn allows_handshake(&self, origin: &str) -> bool {
        matches!(self.origins, AllowedOrigins::Any) || self.origins.allows(origin)
    }

    /// Whether the policy lists this origin. One that lets any origin in lists none.
    #[must_use]
    pub fn lists(&self, origin: &str) -> bool {
        !matches!(self.origins, AllowedOrigins::Any) && self.origins.allows(origin)
    }

    /// What `Access-Control-Allow-Origin` says to this origin. `*` is only for policies without credentials: with
    /// them it is no wildcard (Fetch, section 3.2.5), and any origin is reflected.
    fn allowed<'o>(&self, origin: Option<&'o str>) -> Option<&'o str> {
        match self.origins {
            AllowedOrigins::Any if !self.credentials => Some("*"),
            _ => origin.filter(|origin| self.origins.allows(origin)),
        }
    }
}

/// The tokens of a list, so that nothing else is reflected.
fn only_tokens(list: &str) -> String {
    let names: Vec<_> =
        list.split(',').map(str::trim).filter(|name| crate::http::fields::is_token(name)).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(origins: &[&str]) -> CorsPolicy {
        CorsPolicy {
            origins: AllowedOrigins::Listed(
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
            assert!(policy.origins.allows(origin), "{origin}");
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
            assert!(!policy.origins.allows(origin), "{origin}");
        }
    }

    #[test]
    fn anything_goes_reflects_an_origin_and_nothing_else() {
        let policy = CorsPolicy::anything_goes();
        assert!(policy.origins.allows("https://whoever.example") && policy.origins.allows("null"));
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
        use crate::http::head::{RequestTarget, test_support::TestFields};
        let privacy = |method: &str, field: &str| {
            let fields = TestFields::new(&[(field, "x")]);
            let target = RequestTarget::parse("https://api.example.com/").unwrap();
            let seen = fields.seen(["x-api-key"]);
            AnswerPrivacy::of_authenticated(&Head { method, target, seen, fields: &fields, request_id: "r" })
        };
        assert_eq!(privacy("GET", "authorization"), AnswerPrivacy::IfShareable);
        assert_eq!(privacy("GET", "x-api-key"), AnswerPrivacy::UnlessPrivate);
        assert_eq!(privacy("HEAD", "x-api-key"), AnswerPrivacy::UnlessPrivate);
        assert_eq!(privacy("POST", "x-api-key"), AnswerPrivacy::IfShareable);
    }

    #[test]
    fn a_star_is_answered_without_credentials_only() {
        let policy = |credentials| CorsPolicy {
            origins: AllowedOrigins::Any,
            credentials,
            ..listed(&["https://app.example.com"])
        };
        let origins = ["https://app.example.com", "null", "file://", "https://a, https://b", ""];
        for origin in origins.into_iter().map(Some).chain([None]) {
            let open = policy(false);
            let preflight = Preflight { origin: origin.unwrap_or_default(), headers: None };
            for set in [open.answer(origin).set, open.preflight(preflight, "GET")] {
                assert!(set.contains(&("access-control-allow-origin", "*".to_owned())), "{origin:?}");
                assert!(
                    set.iter().all(|(name, _)| *name != "access-control-allow-credentials"),
                    "{origin:?}"
                );
            }
            let others = [CorsPolicy::anything_goes(), policy(true), listed(&["https://app.example.com"])];
            for other in others {
                for set in [other.answer(origin).set, other.preflight(preflight, "GET")] {
                    assert!(set.iter().all(|(_, value)| value != "*"), "{origin:?}");
                }
            }
            assert!(open.answer(origin).vary_origin);
        }
    }

    #[test]
    fn a_handshake_is_for_the_origins_of_a_list_and_for_any_where_any_is_meant() {
        let policy = listed(&["https://app.example.com", "https://*.example.org"]);
        for (origin, expected) in [
            ("https://app.example.com", true),
            ("https://a.example.org", true),
            ("https://evil.example", false),
            ("https://app.example.com, https://evil.example", false),
            ("null", false),
            ("", false),
        ] {
            assert_eq!(policy.allows_handshake(origin), expected, "{origin}");
            assert!(CorsPolicy::anything_goes().allows_handshake(origin), "{origin}");
        }
    }
}
