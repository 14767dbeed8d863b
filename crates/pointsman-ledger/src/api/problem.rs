//! What is answered instead (RFC 9457). Whoever calls shows a root key, so a problem says what to do about it; before that is
//! known, it says nothing.

use serde_json::{Value, json};

use crate::{
    api::{ApiRequest, Reply},
    commit::{CommitError, Fault},
};

/// Why a request was not carried out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Problem {
    /// There is no credential.
    CredentialRequired,
    /// It is no root key that works.
    CredentialInvalid,
    /// The root key lacks a scope.
    InsufficientScope(&'static str),
    /// The root key is limited to others.
    BeyondLimits { pointer: String, detail: &'static str },
    /// There is no such resource, or none that the root key reaches.
    NotFound,
    /// The resource has no such method.
    MethodNotAllowed(&'static str),
    /// The request cannot be read.
    Unreadable(String),
    /// The body is of another type.
    UnsupportedMediaType,
    /// What the request says cannot be used.
    Invalid(Vec<Fault>),
    /// The resource is not as the request's condition says.
    PreconditionFailed { version: u64 },
    /// One of many operations has the problem.
    OfOperation(usize, Box<Self>),
    /// The state forbids it.
    Conflict(&'static str, String),
    /// The host is another customer's, whose id is told to those who reach the customer.
    HostTaken { host: String, customer: Option<String> },
    /// More operations than one request may have.
    TooMany(usize),
    /// The body is too long.
    TooLarge,
    /// Too many requests.
    RateLimited { seconds: u64 },
    /// The ledger is off.
    Unavailable,
    /// Whether a report's signature is right cannot be told now.
    ScannerKeysUnavailable,
    /// Whether there are some of the reported keys cannot be told now.
    ReportIncomplete,
}

impl Problem {
    pub(crate) fn invalid(pointer: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(vec![Fault { pointer: pointer.into(), message: message.into() }])
    }

    /// The same problem of one operation of many: pointers lead into it.
    pub(crate) fn of_operation(self, index: usize) -> Self {
        let within = |pointer: &str| format!("/operations/{index}/body{pointer}");
        let problem = match self {
            Self::Invalid(faults) => Self::Invalid(
                faults
                    .into_iter()
                    .map(|Fault { pointer, message }| Fault { pointer: within(&pointer), message })
                    .collect(),
            ),
            Self::BeyondLimits { pointer, detail } => {
                Self::BeyondLimits { pointer: within(&pointer), detail }
            }
            Self::NotFound => Self::Invalid(vec![Fault {
                pointer: format!("/operations/{index}/path"),
                message: "leads to nothing that this root key reaches".to_owned(),
            }]),
            other => other,
        };
        Self::OfOperation(index, Box::new(problem))
    }

    const fn status(&self) -> u16 {
        match self {
            Self::OfOperation(_, problem) => problem.status(),
            Self::Unreadable(_) => 400,
            Self::CredentialRequired | Self::CredentialInvalid => 401,
            Self::InsufficientScope(_) | Self::BeyondLimits { .. } => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed(_) => 405,
            Self::Conflict(..) | Self::HostTaken { .. } => 409,
            Self::PreconditionFailed { .. } => 412,
            Self::TooMany(_) | Self::TooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::Invalid(_) => 422,
            Self::RateLimited { .. } => 429,
            Self::Unavailable | Self::ScannerKeysUnavailable | Self::ReportIncomplete => 503,
        }
    }

    /// The last part of the problem's type, and its title.
    const fn name(&self) -> (&'static str, &'static str) {
        match self {
            Self::OfOperation(_, problem) => problem.name(),
            Self::CredentialRequired => ("credential-required", "A root key is required"),
            Self::CredentialInvalid => ("credential-invalid", "The credential is not accepted"),
            Self::InsufficientScope(_) => ("insufficient-scope", "The root key lacks a scope"),
            Self::BeyondLimits { .. } => ("beyond-root-key", "The root key is limited to others"),
            Self::NotFound => ("not-found", "There is nothing here"),
            Self::MethodNotAllowed(_) => ("method-not-allowed", "The method is not allowed here"),
            Self::Unreadable(_) => ("request-unreadable", "The request cannot be read"),
            Self::UnsupportedMediaType => ("unsupported-media-type", "The body is of another type"),
            Self::Invalid(_) => ("invalid", "The request says what cannot be used"),
            Self::PreconditionFailed { .. } => {
                ("precondition-failed", "The resource has changed since it was read")
            }
            Self::HostTaken { .. } => ("host-taken", "The host is another customer's"),
            Self::Conflict(name, _) => (name, "The state does not allow it"),
            Self::TooMany(_) => ("too-many-operations", "The request has too many operations"),
            Self::TooLarge => ("body-too-large", "The body is too long"),
            Self::RateLimited { .. } => ("rate-limited", "Too many requests"),
            Self::Unavailable => ("ledger-unavailable", "The ledger takes no changes now"),
            Self::ScannerKeysUnavailable => {
                ("scanner-keys-unavailable", "The scanner's public keys cannot be had now")
            }
            Self::ReportIncomplete => {
                ("report-incomplete", "Some of the reported keys cannot be looked up now")
            }
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::OfOperation(_, problem) => problem.detail(),
            Self::CredentialRequired => "send a root key as Authorization: Bearer".to_owned(),
            Self::CredentialInvalid => "this is no root key that works".to_owned(),
            Self::InsufficientScope(scope) => format!("the root key needs the scope {scope}"),
            Self::BeyondLimits { detail, .. } => (*detail).to_owned(),
            Self::NotFound => "nothing is here, or nothing that this root key reaches".to_owned(),
            Self::MethodNotAllowed(allowed) => format!("use one of {allowed}"),
            Self::Unreadable(what) | Self::Conflict(_, what) => what.clone(),
            Self::UnsupportedMediaType => {
                "send application/json, or application/merge-patch+json with PATCH".to_owned()
            }
            Self::HostTaken { host, customer: Some(customer) } => {
                format!("{host} is a host of the customer {customer}: take it away there first")
            }
            Self::HostTaken { host, customer: None } => format!("{host} is a host of another customer"),
            Self::Invalid(_) => "see errors".to_owned(),
            Self::PreconditionFailed { .. } => "read it again, and repeat the change on that".to_owned(),
            Self::TooLarge => "send at most 4 MiB, and at most 1 MiB with a signature".to_owned(),
            Self::TooMany(most) => format!("send at most {most} changes at once"),
            Self::RateLimited { .. } => "wait as long as Retry-After says".to_owned(),
            Self::Unavailable => "try again later, with the same Idempotency-Key".to_owned(),
            Self::ScannerKeysUnavailable => "send the report again".to_owned(),
            Self::ReportIncomplete => {
                "the keys that are known here were dealt with: send the report again for the others"
                    .to_owned()
            }
        }
    }

    /// The reply: a problem document.
    pub(crate) fn reply(&self, type_base: &str, request: &ApiRequest) -> Reply {
        let (name, title) = self.name();
        let mut body = json!({
            "type": format!("{type_base}{name}"),
            "title": title,
            "status": self.status(),
            "detail": self.detail(),
            "instance": request.request_id,
        });
        let mut fields = Vec::new();
        let mut field = |name: &str, value: String| fields.push((name.to_owned(), value));
        match self {
            Self::CredentialRequired => field("www-authenticate", r#"Bearer realm="pointsman""#.to_owned()),
            Self::CredentialInvalid => {
                field("www-authenticate", r#"Bearer realm="pointsman", error="invalid_token""#.to_owned());
            }
            Self::InsufficientScope(scope) => field(
                "www-authenticate",
                format!(r#"Bearer realm="pointsman", error="insufficient_scope", scope="{scope}""#),
            ),
            Self::MethodNotAllowed(allowed) => field("allow", (*allowed).to_owned()),
            Self::RateLimited { seconds } => field("retry-after", seconds.to_string()),
            Self::Unavailable => field("retry-after", "5".to_owned()),
            Self::ScannerKeysUnavailable | Self::ReportIncomplete => field("retry-after", "60".to_owned()),
            Self::Invalid(faults) => put(&mut body, "errors", faults.iter().map(shown).collect()),
            Self::BeyondLimits { pointer, detail } => {
                let fault = Fault { pointer: pointer.clone(), message: (*detail).to_owned() };
                put(&mut body, "errors", Value::Array(vec![shown(&fault)]));
            }
            Self::PreconditionFailed { version } => put(&mut body, "version", json!(version)),
            Self::OfOperation(index, problem) => {
                let mut reply = problem.reply(type_base, request);
                put(&mut reply.body, "operation", json!(index));
                return reply;
            }
            _ => {}
        }
        Reply { status: self.status(), fields, body }
    }
}

fn put(body: &mut Value, name: &str, value: Value) {
    if let Value::Object(members) = body {
        members.insert(name.to_owned(), value);
    }
}

fn shown(fault: &Fault) -> Value {
    json!({ "pointer": fault.pointer, "detail": fault.message })
}

impl From<CommitError> for Problem {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Invalid { faults, .. } => Self::Invalid(faults),
            CommitError::Changed { version, .. } => Self::PreconditionFailed { version },
            CommitError::HostTaken { host, customer, .. } => {
                Self::HostTaken { host, customer: Some(customer) }
            }
            CommitError::TooManyRevocations => Self::Conflict(
                "too-many-revocations",
                "there are as many revocations of tokens as there may be; none is dropped for another"
                    .to_owned(),
            ),
            CommitError::OperationReused => Self::reused(),
            CommitError::TooManyEdits => Self::TooMany(crate::MOST_EDITS),
            CommitError::Superseded | CommitError::RevocationsAlive { .. } | CommitError::Off => {
                Self::Unavailable
            }
        }
    }
}

impl Problem {
    pub(crate) fn reused() -> Self {
        Self::Conflict(
            "idempotency-key-reused",
            "the Idempotency-Key was used for another request: use a new one for each".to_owned(),
        )
    }
}
