//! The one log line that each request leaves. No credential and no part of a path or query is in it:
//! both hold secrets that users did not mean to log.

use std::{borrow::Cow, rc::Rc};

use serde::Serialize;

use crate::{claims::Principal, error::Refusal, time::Timestamp};

/// What is known of a request so far. Fields are filled as stages pass.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// The route's name.
    pub route: Option<Rc<str>>,
    /// How the caller was authenticated.
    pub auth: Option<Cow<'static, str>>,
    /// The caller's subject.
    pub subject: Option<Rc<str>>,
    /// The customer's id.
    pub customer: Option<Rc<str>>,
    /// The customer's environment.
    pub environment: Option<Rc<str>>,
    /// The rule that decided.
    pub rule: Option<Rc<str>>,
    /// The variant that a split decided for.
    pub variant: Option<Rc<str>>,
    /// The bucket that the caller fell into.
    pub bucket: Option<u16>,
    /// What the shadow rules would have done, where that is something else: a rule's name and its target.
    pub shadow: Option<String>,
    /// The steps of the decision, where somebody asked.
    pub steps: Option<Vec<Step>>,
    /// The backend's name; `customer` for a customer's own.
    pub backend: Option<Rc<str>>,
    /// The origin that is called.
    pub origin: Option<String>,
    /// Whether origin and attempt are only known when the answer is there.
    pub planned: bool,
}

/// A step of a decision, kept for whoever asks how it came about.
#[derive(Clone, Debug, PartialEq)]
pub enum Step {
    /// Who is calling.
    Principal(Rc<Principal>),
    /// Something that the route asks of its callers did not hold; what, for people.
    Requirement(String),
    /// A rule was passed over; what did not hold, for people.
    PassedOver(Rc<str>, String),
}

#[derive(Serialize)]
struct Line<'a> {
    event: &'static str,
    time: String,
    request_id: &'a str,
    method: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    route: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bucket: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shadow: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backend: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
}

/// Whose line it is and when it began.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// When the request came in.
    pub time: Timestamp,
    /// Its id.
    pub request_id: &'a str,
    /// Its method.
    pub method: &'a str,
}

impl Trace {
    /// The line up to what only its end knows: it lacks `"status"`, the durations and the closing
    /// brace, which [`close`] adds; for a forwarded request the edge does, when the answer is there.
    #[must_use]
    pub fn open(&self, subject: Subject<'_>, refusal: Option<Refusal>) -> String {
        let line = Line {
            event: "request",
            time: subject.time.to_string(),
            request_id: subject.request_id,
            method: subject.method,
            route: self.route.as_deref(),
            auth: self.auth.as_deref(),
            subject: self.subject.as_deref(),
            customer: self.customer.as_deref(),
            environment: self.environment.as_deref(),
            rule: self.rule.as_deref(),
            variant: self.variant.as_deref(),
            bucket: self.bucket,
            shadow: self.shadow.as_deref(),
            backend: self.backend.as_deref(),
            origin: self.origin.as_deref(),
            attempt: (self.backend.is_some() && !self.planned).then_some(1),
            reason: refusal.map(Refusal::id),
        };
        let mut text = serde_json::to_string(&line).unwrap_or_else(|_| "{}".to_owned());
        text.pop();
        text
    }
}

/// Ends a line that [`Trace::open`] began.
#[must_use]
pub fn close(open: &str, status: u16, duration_ms: u64) -> String {
    format!("{open},\"status\":{status},\"duration_ms\":{duration_ms}}}")
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_line_is_json_whatever_is_in_it() {
        let trace = Trace {
            subject: Some(Rc::from("a\"b\n\u{2028}é")),
            backend: Some(Rc::from("shared")),
            ..Trace::default()
        };
        let subject = Subject { time: Timestamp::from_millis(0), request_id: "r\"1", method: "GET\"" };
        let text = close(&trace.open(subject, Some(Refusal::BackendUnreachable)), 502, 12);
        assert!(!text.contains('\n'));
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["subject"], "a\"b\n\u{2028}é");
        assert_eq!(line["status"], 502);
        assert_eq!(line["reason"], "backend_unreachable");
        assert_eq!(line["attempt"], 1);
        assert!(line.get("route").is_none());
    }
}
