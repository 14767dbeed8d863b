//! What the caller is told of what went wrong: problems as RFC 9457 has them.

use serde_json::Value;

use super::json::json;

/// What a caller sees of a refusal: the type of an RFC 9457 problem.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Problem {
    /// 401: no credential.
    CredentialRequired,
    /// 400: more than one credential.
    CredentialAmbiguous,
    /// 401: a refused credential, whatever the reason.
    CredentialInvalid,
    /// 401: the caller has no customer id.
    CustomerRequired,
    /// 403: the customer is unknown or disabled.
    CustomerNotConfigured,
    /// 403: nothing leads this caller to a backend.
    NoBackend,
    /// 403: the credential is good, and does not permit this (RFC 6750, section 3.1).
    NotPermitted,
    /// 411: the body's size is not said.
    LengthRequired,
    /// 413: the body is too large.
    ContentTooLarge,
    /// 403, or a rule's own status: a rule or the CORS policy denies.
    Denied,
    /// 404: no such route.
    RouteNotFound,
    /// 405: not with this method.
    MethodNotAllowed,
    /// 400: a path that two readers could read in two ways.
    PathAmbiguous,
    /// 400: the request's head is no reasonable one.
    RequestMalformed,
    /// 400: the body broke off before its end.
    BodyBroken,
    /// 429: the caller has asked for more than it may (RFC 6585, section 4).
    RateLimited,
    /// 500: the operator has to act.
    GatewayMisconfigured,
    /// 500: a fault of the gateway's own.
    GatewayError,
    /// 503: a source is down and nothing is cached.
    GatewayUnavailable,
    /// 502: no answer from the backend.
    BackendUnreachable,
    /// 504: the backend was too slow.
    BackendTimeout,
    /// 508: the request came round to us again (RFC 5842, section 7.2).
    LoopDetected,
}

impl Problem {
    /// Every problem.
    pub const ALL: &[Self] = &[
        Self::CredentialRequired,
        Self::CredentialAmbiguous,
        Self::CredentialInvalid,
        Self::CustomerRequired,
        Self::CustomerNotConfigured,
        Self::NoBackend,
        Self::NotPermitted,
        Self::LengthRequired,
        Self::ContentTooLarge,
        Self::Denied,
        Self::RouteNotFound,
        Self::MethodNotAllowed,
        Self::PathAmbiguous,
        Self::RequestMalformed,
        Self::BodyBroken,
        Self::RateLimited,
        Self::GatewayMisconfigured,
        Self::GatewayError,
        Self::GatewayUnavailable,
        Self::BackendUnreachable,
        Self::BackendTimeout,
        Self::LoopDetected,
    ];

    /// The HTTP status. A denying rule may set another one for [`Problem::Denied`].
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::CredentialAmbiguous | Self::PathAmbiguous | Self::RequestMalformed | Self::BodyBroken => {
                400
            }
            Self::CredentialRequired | Self::CredentialInvalid | Self::CustomerRequired => 401,
            Self::CustomerNotConfigured | Self::NoBackend | Self::NotPermitted | Self::Denied => 403,
            Self::RouteNotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::LengthRequired => 411,
            Self::ContentTooLarge => 413,
            Self::RateLimited => 429,
            Self::GatewayMisconfigured | Self::GatewayError => 500,
            Self::BackendUnreachable => 502,
            Self::GatewayUnavailable => 503,
            Self::BackendTimeout => 504,
            Self::LoopDetected => 508,
        }
    }

    /// The last part of the `type` URI.
    #[must_use]
    pub const fn slug(self) -> &'static str {
        self.words().0
    }

    /// The `title`: a short summary that never changes between two occurrences.
    #[must_use]
    pub const fn title(self) -> &'static str {
        self.words().1
    }

    /// The `detail`: one public sentence, a constant so that nothing of the inside can leak into it.
    #[must_use]
    pub const fn detail(self) -> &'static str {
        self.words().2
    }

    /// Seconds after which another try makes sense, where waiting is what helps.
    #[must_use]
    pub const fn retry_after(self) -> Option<u64> {
        match self {
            Self::GatewayUnavailable => Some(5),
            Self::CredentialRequired
            | Self::CredentialAmbiguous
            | Self::CredentialInvalid
            | Self::CustomerRequired
            | Self::CustomerNotConfigured
            | Self::NoBackend
            | Self::NotPermitted
            | Self::LengthRequired
            | Self::ContentTooLarge
            | Self::Denied
            | Self::RouteNotFound
            | Self::MethodNotAllowed
            | Self::PathAmbiguous
            | Self::RequestMalformed
            | Self::BodyBroken
            // As long as the limit says.
            | Self::RateLimited
            | Self::GatewayMisconfigured
            | Self::GatewayError
            | Self::BackendUnreachable
            | Self::BackendTimeout
            | Self::LoopDetected => None,
        }
    }

    const fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::CredentialRequired => (
                "credential-required",
                "Credential required",
                "This request needs an API key or a token, and has none.",
            ),
            Self::CredentialAmbiguous => {
                ("credential-ambiguous", "More than one credential", "Send exactly one API key or token.")
            }
            Self::CredentialInvalid => {
                ("credential-invalid", "Credential not accepted", "The API key or token is not valid here.")
            }
            Self::CustomerRequired => (
                "customer-required",
                "Customer identification required",
                "The API key or token names no customer, and this request needs one.",
            ),
            Self::CustomerNotConfigured => (
                "customer-not-configured",
                "Customer not configured",
                "The caller's customer is not configured for this API.",
            ),
            Self::NoBackend => (
                "no-backend",
                "Not available to this caller",
                "Nothing is configured to answer this caller's request.",
            ),
            Self::NotPermitted => (
                "not-permitted",
                "Not permitted",
                "The credential is valid, and does not permit this request.",
            ),
            Self::LengthRequired => (
                "length-required",
                "Length required",
                "Say the size of the request's body: this API takes none of unknown size.",
            ),
            Self::ContentTooLarge => (
                "content-too-large",
                "Content too large",
                "The request's body is larger than this API takes.",
            ),
            Self::Denied => ("denied", "Denied", "This request is not allowed."),
            Self::RouteNotFound => ("route-not-found", "Not found", "Nothing is served at this path."),
            Self::MethodNotAllowed => (
                "method-not-allowed",
                "Method not allowed",
                "This path does not take this method; Allow lists those it takes.",
            ),
            Self::BodyBroken => (
                "request-body-broken",
                "Request body broken off",
                "The request's body ended before its end, or cannot be read.",
            ),
            Self::PathAmbiguous => (
                "path-ambiguous",
                "Ambiguous path",
                "The path cannot be forwarded safely. Send its plainest spelling: no dot segments, backslashes, NUL, doubled slashes or needless percent-encoding.",
            ),
            Self::RequestMalformed => (
                "request-malformed",
                "Malformed request",
                "This request has too many fields, or one that names too many.",
            ),
            Self::RateLimited => (
                "rate-limited",
                "Too many requests",
                "A limit of this caller's is used up; Retry-After says when to try again.",
            ),
            Self::GatewayMisconfigured => (
                "gateway-misconfigured",
                "Gateway misconfigured",
                "The gateway cannot answer because of its own configuration. Its operator has to act.",
            ),
            Self::GatewayError => (
                "gateway-error",
                "Gateway error",
                "The gateway failed on this request, which may have been carried out.",
            ),
            Self::GatewayUnavailable => (
                "gateway-unavailable",
                "Temporarily unavailable",
                "The gateway cannot decide this request right now. Try again shortly.",
            ),
            Self::BackendUnreachable => (
                "backend-unreachable",
                "Backend unreachable",
                "The service behind the gateway could not be reached.",
            ),
            Self::BackendTimeout => (
                "backend-timeout",
                "Backend timeout",
                "The service behind the gateway did not answer in time.",
            ),
            Self::LoopDetected => {
                ("loop-detected", "Loop detected", "The request has already passed this gateway.")
            }
        }
    }

    /// Which kind of error it is, in the words that the clients of well-known APIs tell errors apart by: the `type` of
    /// the `error` member. `status` is the answer's, which a denying rule may choose.
    #[must_use]
    pub const fn error_type(status: u16) -> &'static str {
        match status {
            401 => "authentication_error",
            403 => "permission_error",
            429 => "rate_limit_error",
            400..=499 => "invalid_request_error",
            _ => "api_error",
        }
    }

    /// The problem as all its occurrences have it (RFC 9457, section 3.1), with `error`, an extension member (section
    /// 3.2): clients that were made for other APIs look for that one alone, and some of them take an answer without it
    /// for a success, whatever its status.
    #[must_use]
    pub fn document(self, status: u16, type_base: &str) -> Value {
        json!({
            "type": format!("{type_base}{}", self.slug()),
            "title": self.title(),
            "status": status,
            "detail": self.detail(),
            "error": {
                "code": self.slug(),
                "message": self.detail(),
                "type": Self::error_type(status),
            },
        })
    }
}
