//! The one log line that each request leaves. No credential and no part of a path or query is in it:
//! both hold secrets that users did not mean to log.

use std::{num::NonZeroU64, rc::Rc};

use crate::{
    base::{json::write_behind, name::Name, time::Timestamp},
    decide::{steps::Steps, unverified::Unverified},
    http::trace_context::TraceContext,
};

mod details;

pub use self::details::Surroundings;

/// What is known of a request so far. Fields are filled as stages pass.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// The route's name.
    pub route: Option<Rc<str>>,
    /// The beginning of the digest of the API key or the client certificate that was looked up ([`prefix`](crate::base::digest::Digest::prefix)).
    pub key: Option<NonZeroU64>,
    /// How the caller was authenticated; of a credential that was refused, how that was tried.
    pub auth: Option<Name>,
    /// The caller's subject.
    pub subject: Option<Rc<str>>,
    /// What the service said that the route asks: `allowed`, `denied`, `failed`, or `cached` where it was said before.
    pub authorize: Option<&'static str>,
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
    /// What is known of few requests.
    pub rare: Option<Box<Rare>>,
    /// The steps of the decision, where somebody asked.
    pub steps: Option<Box<Steps>>,
    /// The backend's name; `customer` for a customer's own.
    pub backend: Option<Name>,
    /// The one origin that may be called; `None` where a plan says which are.
    pub origin: Option<Rc<str>>,
}

/// What is known of few requests, apart, so that the usual one has less to carry.
#[derive(Clone, Debug, Default)]
pub struct Rare {
    /// The request's place in a distributed trace, where the configuration takes part in traces.
    pub context: Option<TraceContext>,
    /// What the shadow rules would have done, where that is something else: a rule's name and its target.
    pub shadow: Option<String>,
    /// Whom a credential names that was refused.
    pub unverified: Option<Unverified>,
}

/// Whose line it is and when it began.
#[derive(Clone, Copy, Debug)]
pub struct LoggedRequest<'a> {
    /// When the request came in.
    pub time: Timestamp,
    /// Its id.
    pub request_id: &'a str,
    /// Its method.
    pub method: &'a str,
}

impl Trace {
    /// Of a request for one of the gateway's own paths.
    #[must_use]
    pub fn of_route(name: &str) -> Self {
        Self { route: Some(Rc::from(name)), ..Self::default() }
    }

    /// Notes a step of the decision, where somebody asked.
    pub(super) fn record(&mut self, step: impl FnOnce(&mut Steps)) {
        if let Some(steps) = &mut self.steps {
            step(steps);
        }
    }

    /// The beginning of the line: all that the decision knows. Who was called, why the request was refused, the status,
    /// the durations and the closing brace are written by `finish.js`, the one end of every request.
    #[must_use]
    pub fn open(&self, subject: LoggedRequest<'_>) -> String {
        let mut line = String::with_capacity(512);
        line.push_str("{\"event\":\"request\",\"time\":\"");
        subject.time.write(&mut line);
        line.push('"');
        member(&mut line, ",\"request_id\":\"", Some(subject.request_id));
        member(&mut line, ",\"method\":\"", Some(subject.method));
        member(&mut line, ",\"route\":\"", self.route.as_deref());
        member(&mut line, ",\"auth\":\"", self.auth.as_deref());
        member(&mut line, ",\"subject\":\"", self.subject.as_deref());
        member(&mut line, ",\"authorize\":\"", self.authorize);
        member(&mut line, ",\"customer\":\"", self.customer.as_deref());
        member(&mut line, ",\"environment\":\"", self.environment.as_deref());
        member(&mut line, ",\"rule\":\"", self.rule.as_deref());
        member(&mut line, ",\"variant\":\"", self.variant.as_deref());
        if let Some(bucket) = self.bucket {
            number(&mut line, ",\"bucket\":", bucket);
        }
        member(&mut line, ",\"backend\":\"", self.backend.as_deref());
        if let Some(rare) = &self.rare {
            rare.write(&mut line);
        }
        line
    }

    /// What is known of few requests, to be added to.
    pub fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// The request's place in a distributed trace.
    #[must_use]
    #[inline]
    pub fn context(&self) -> Option<&TraceContext> {
        self.rare.as_ref().and_then(|rare| rare.context.as_ref())
    }
}

impl Rare {
    #[inline(never)]
    fn write(&self, line: &mut String) {
        member(line, ",\"shadow\":\"", self.shadow.as_deref());
        if let Some(context) = &self.context {
            member(line, ",\"trace_id\":\"", Some(context.trace_id()));
            member(line, ",\"span_id\":\"", Some(context.span_id()));
        }
        if let Some(unverified) = &self.unverified {
            member(line, ",\"unverified_customer\":\"", unverified.customer.as_deref());
            member(line, ",\"unverified_subject\":\"", unverified.subject.as_deref());
        }
    }
}

#[inline(never)]
fn number(line: &mut String, opening: &str, value: u16) {
    line.push_str(opening);
    line.push_str(&value.to_string());
}

/// Adds a member, where there is something to say. `opening` is all that stands before the text.
#[inline]
fn member(line: &mut String, opening: &str, value: Option<&str>) {
    if let Some(value) = value {
        write_behind(opening, value, line);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn a_line_says_all_that_is_known() {
        let said = |text: &str| Some(Rc::from(text));
        let trace = Trace {
            key: None,
            route: said("/a"),
            auth: Some(Name::Fixed("api_key")),
            subject: said("s"),
            authorize: Some("allowed"),
            customer: said("c"),
            environment: said("e"),
            rule: said("r"),
            variant: said("v"),
            bucket: Some(9999),
            rare: Some(Box::new(Rare {
                context: None,
                shadow: Some("other: next".to_owned()),
                unverified: Some(Unverified { customer: said("u"), subject: said("t") }),
            })),
            steps: None,
            backend: Some(Name::Fixed("b")),
            origin: said("https://b.example"),
        };
        let subject = LoggedRequest { time: Timestamp::from_millis(1), request_id: "id", method: "GET" };
        let expected = concat!(
            r#"{"event":"request","time":"1970-01-01T00:00:00.001Z","request_id":"id","method":"GET","#,
            r#""route":"/a","auth":"api_key","subject":"s","authorize":"allowed","customer":"c","environment":"e","rule":"r","#,
            r#""variant":"v","bucket":9999,"backend":"b","shadow":"other: next","unverified_customer":"u","#,
            r#""unverified_subject":"t""#,
        );
        assert_eq!(trace.open(subject), expected);
    }

    #[test]
    fn a_line_is_json_whatever_is_in_it() {
        let trace = Trace {
            subject: Some(Rc::from("a\"b\n\u{2028}é")),
            backend: Some(Name::Given(Rc::from("shared"))),
            ..Trace::default()
        };
        let subject = LoggedRequest { time: Timestamp::from_millis(0), request_id: "r\"1", method: "GET\"" };
        let text = trace.open(subject) + "}";
        assert!(!text.contains('\n'));
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["subject"], "a\"b\n\u{2028}é");
        assert_eq!(line["request_id"], "r\"1");
        assert!(line.get("route").is_none());
    }
}
