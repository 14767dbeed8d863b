//! The one log line that each request leaves. No credential and no part of a path or query is in it:
//! both hold secrets that users did not mean to log.

use std::rc::Rc;

use crate::{
    base::{json::write_inside, name::Name, refusal::Refusal, time::Timestamp},
    decide::steps::Steps,
};

/// What is known of a request so far. Fields are filled as stages pass.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// The route's name.
    pub route: Option<Rc<str>>,
    /// How the caller was authenticated.
    pub auth: Option<Name>,
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
    pub steps: Option<Box<Steps>>,
    /// The backend's name; `customer` for a customer's own.
    pub backend: Option<Name>,
    /// The origin that is called.
    pub origin: Option<Rc<str>>,
    /// Whether origin and attempt are only known when the answer is there.
    pub planned: bool,
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
    /// Notes a step of the decision, where somebody asked.
    pub(super) fn record(&mut self, step: impl FnOnce(&mut Steps)) {
        if let Some(steps) = &mut self.steps {
            step(steps);
        }
    }

    /// The line up to what only its end knows: it lacks `"status"`, the durations and the closing
    /// brace, which [`close`] adds; for a forwarded request the edge does, when the answer is there.
    #[must_use]
    pub fn open(&self, subject: Subject<'_>, refusal: Option<Refusal>) -> String {
        let mut line = String::with_capacity(512);
        line.push_str("{\"event\":\"request\",\"time\":\"");
        subject.time.write(&mut line);
        line.push('"');
        member(&mut line, ",\"request_id\":\"", Some(subject.request_id));
        member(&mut line, ",\"method\":\"", Some(subject.method));
        member(&mut line, ",\"route\":\"", self.route.as_deref());
        member(&mut line, ",\"auth\":\"", self.auth.as_deref());
        member(&mut line, ",\"subject\":\"", self.subject.as_deref());
        member(&mut line, ",\"customer\":\"", self.customer.as_deref());
        member(&mut line, ",\"environment\":\"", self.environment.as_deref());
        member(&mut line, ",\"rule\":\"", self.rule.as_deref());
        member(&mut line, ",\"variant\":\"", self.variant.as_deref());
        if let Some(bucket) = self.bucket {
            number(&mut line, ",\"bucket\":", bucket);
        }
        member(&mut line, ",\"shadow\":\"", self.shadow.as_deref());
        member(&mut line, ",\"backend\":\"", self.backend.as_deref());
        member(&mut line, ",\"origin\":\"", self.origin.as_deref());
        if self.backend.is_some() && !self.planned {
            line.push_str(",\"attempt\":1");
        }
        member(&mut line, ",\"reason\":\"", refusal.map(Refusal::id));
        line
    }
}

#[inline(never)]
fn number(line: &mut String, opening: &str, value: u16) {
    line.push_str(opening);
    line.push_str(&value.to_string());
}

/// Adds a member, where there is something to say. `opening` is all that stands before the text.
#[inline(never)]
fn member(line: &mut String, opening: &str, value: Option<&str>) {
    let Some(value) = value else { return };
    line.push_str(opening);
    write_inside(value, line);
    line.push('"');
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
    fn a_line_says_all_that_is_known() {
        let said = |text: &str| Some(Rc::from(text));
        let trace = Trace {
            route: said("/a"),
            auth: Some(Name::Fixed("api_key")),
            subject: said("s"),
            customer: said("c"),
            environment: said("e"),
            rule: said("r"),
            variant: said("v"),
            bucket: Some(9999),
            shadow: Some("other: next".to_owned()),
            steps: None,
            backend: Some(Name::Fixed("b")),
            origin: said("https://b.example"),
            planned: false,
        };
        let subject = Subject { time: Timestamp::from_millis(1), request_id: "id", method: "GET" };
        let expected = concat!(
            r#"{"event":"request","time":"1970-01-01T00:00:00.001Z","request_id":"id","method":"GET","#,
            r#""route":"/a","auth":"api_key","subject":"s","customer":"c","environment":"e","rule":"r","#,
            r#""variant":"v","bucket":9999,"shadow":"other: next","backend":"b","#,
            r#""origin":"https://b.example","attempt":1"#,
        );
        assert_eq!(trace.open(subject, None), expected);
        let planned = Trace { backend: Some(Name::Fixed("b")), planned: true, ..Trace::default() };
        assert!(planned.open(subject, None).ends_with(r#","backend":"b""#));
    }

    #[test]
    fn a_line_is_json_whatever_is_in_it() {
        let trace = Trace {
            subject: Some(Rc::from("a\"b\n\u{2028}é")),
            backend: Some(Name::Given(Rc::from("shared"))),
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
