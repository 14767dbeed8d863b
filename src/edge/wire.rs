//! The texts that cross the boundary between Rust and JavaScript: what each is made of, and how it is written. `wire.js`
//! is the other end. `fixtures/wire` has an example of each, which the tests of both ends read.
//!
//! What crosses together is one text, since each string that crosses is expensive. NUL separates its parts.

use std::borrow::Cow;

use pointsman_core::{
    base::{
        json::{json, put, text, write_string},
        refusal::Refusal,
        scan,
        time::Span,
    },
    forward::{
        failover::{Breaker, Ended, Watched},
        plan::Forward,
    },
    http::{
        cors::AnswerPrivacy,
        error_shape::{ErrorShape, Template},
    },
};
use serde::Serialize;
use serde_json::Value;

/// Separates the parts of a text. No URL and no field holds it (RFC 9110, section 5.5), and JSON writes it as an escape.
const SEPARATOR: char = '\0';

/// How a request is sent: `decodeDispatch`.
pub(crate) struct DispatchParts<'a> {
    pub(crate) forward: &'a Forward,
    /// The beginning of the request's log line.
    pub(crate) line: &'a str,
    pub(crate) request_id: &'a str,
    /// The one origin that is called; `None` where a plan says which.
    pub(crate) origin: Option<&'a str>,
}

pub(crate) fn encode_dispatch(dispatch: &DispatchParts<'_>) -> String {
    let DispatchParts { forward, line, request_id, origin } = dispatch;
    // It goes into the log line as it crosses, which spares JavaScript a call.
    let mut quoted = String::new();
    if let Some(origin) = origin {
        write_string(origin, &mut quoted);
    }
    join(&[
        forward.sending.url(),
        &forward.remove.join("\n"),
        forward.set.as_str(),
        &encode_edits(forward),
        line,
        request_id,
        &quoted,
        &forward.sending.plan().map_or_else(String::new, rare_json),
        &forward.admission.as_ref().map_or_else(String::new, rare_json),
    ])
}

/// A response that the gateway makes itself: `decodeAnswer`.
pub(crate) struct AnswerParts<'a> {
    /// The beginning of the request's log line.
    pub(crate) line: &'a str,
    pub(crate) refusal: Option<Refusal>,
    pub(crate) fields: &'a [(&'static str, String)],
    pub(crate) body: Option<&'a str>,
}

pub(crate) fn encode_answer(answer: &AnswerParts<'_>) -> String {
    let AnswerParts { line, refusal, fields, body } = answer;
    let (reason, fields) = (refusal.map_or("", Refusal::id), encode_fields(fields));
    // A body that is missing is no empty one: an empty one has a Content-Type.
    match body {
        Some(body) => join(&[line, reason, &fields, body]),
        None => join(&[line, reason, &fields]),
    }
}

/// The JSON of what few requests have. Out of line, so that all other requests do not run through a function as large.
#[cold]
#[inline(never)]
fn rare_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// A separator inside a part would shift all parts behind it, so it is taken out although no part can hold one.
fn join(parts: &[&str]) -> String {
    let mut all = String::with_capacity(parts.iter().map(|part| part.len() + 1).sum());
    for (index, part) in parts.iter().enumerate() {
        if index > 0 {
            all.push(SEPARATOR);
        }
        match scan::any(part, |word| word.is(0)) {
            false => all.push_str(part),
            true => all.push_str(&without_separator(part)),
        }
    }
    all
}

#[cold]
#[inline(never)]
fn without_separator(part: &str) -> String {
    part.replace(SEPARATOR, "")
}

/// Fields as lines, a name and then its value: `forEachField`. No value holds a line break: Fetch keeps line breaks out of
/// the fields that come from outside, and claims went through [`pointsman_core::http::fields::field_value`]. A value that
/// held one would become a field of its own, so a line break becomes a space all the same.
fn encode_fields(fields: &[(&'static str, String)]) -> String {
    let mut lines = String::with_capacity(fields.len() * 40);
    for (name, value) in fields {
        lines.push_str(name);
        lines.push('\n');
        match value.contains(['\n', '\r']) {
            false => lines.push_str(value),
            true => lines.push_str(&value.replace(['\n', '\r'], " ")),
        }
        lines.push('\n');
    }
    lines
}

/// What is done to an answer, as five flags, the place of the shape that errors are written in, and then fields to set:
/// `decodeEdits`. Empty where the answer is handed on as it came.
fn encode_edits(forward: &Forward) -> Cow<'static, str> {
    let edits = &forward.edits;
    if !edits.are_conditional() || forward.server_timing {
        return Cow::Owned(encode_unusual_edits(forward));
    }
    Cow::Borrowed(match (edits.privacy, edits.isolates) {
        (AnswerPrivacy::Untouched, false) => "",
        (AnswerPrivacy::Untouched, true) => "----i\n",
        (AnswerPrivacy::IfShareable, false) => "---s-\n",
        (AnswerPrivacy::IfShareable, true) => "---si\n",
        (AnswerPrivacy::UnlessPrivate, false) => "---p-\n",
        (AnswerPrivacy::UnlessPrivate, true) => "---pi\n",
    })
}

#[inline(never)]
fn encode_unusual_edits(forward: &Forward) -> String {
    let edits = &forward.edits;
    let flag = |set: bool, letter: char| if set { letter } else { '-' };
    let flags = [
        flag(edits.replaces_cors, 'c'),
        flag(edits.vary_origin, 'v'),
        flag(forward.server_timing, 't'),
        match edits.privacy {
            AnswerPrivacy::Untouched => '-',
            AnswerPrivacy::IfShareable => 's',
            AnswerPrivacy::UnlessPrivate => 'p',
        },
        flag(edits.isolates, 'i'),
    ];
    let shape = edits.errors.map_or_else(String::new, |place| place.to_string());
    format!("{}{shape}\n{}", String::from_iter(flags), encode_fields(&edits.set))
}

/// The names of a request's fields, as lines: `encodeNames`.
pub(crate) fn decode_names(names: &str) -> Vec<String> {
    names.split('\n').map(str::to_owned).collect()
}

/// The problems that can only be known when a limit or the backend is asked, and the shapes that they are written in:
/// `decodeFailures`.
pub(crate) fn encode_failures(problem_base: &str, shapes: &[ErrorShape]) -> String {
    let failure = |refusal: Refusal| {
        let problem = refusal.problem();
        let mut document = problem.document(problem.status(), problem_base);
        if let Value::Object(members) = &mut document {
            put(members, "reason", refusal.id().into());
        }
        document
    };
    let shape = |shape: &ErrorShape| match shape {
        ErrorShape::ProblemAlone => json!({}),
        ErrorShape::Template(Template { content_type, body }) => {
            json!({ "content_type": content_type.as_str(), "body": body.as_str() })
        }
    };
    text(&json!({
        "shapes": shapes.iter().map(shape).collect::<Vec<_>>(),
        "unreachable": failure(Refusal::BackendUnreachable),
        "broken": failure(Refusal::RequestBodyBroken),
        "timeout": failure(Refusal::BackendTimeout),
        "unsized": failure(Refusal::BodySizeUnknown),
        "unsigned": failure(Refusal::Misconfigured),
        "unopened": failure(Refusal::CustomerSecretUnusable),
        "internal": failure(Refusal::InternalError),
        "limited": failure(Refusal::RateLimited),
        "limit_unavailable": failure(Refusal::LimitUnavailable),
    }))
}

/// How an attempt at an origin ended: `encodeAttemptReport`.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct AttemptReport<'a> {
    pub(crate) ended: Ended,
    /// Whether another attempt would follow, if the core allows it.
    pub(crate) wants_another: bool,
    pub(crate) breaker: Breaker,
    pub(crate) watched: Watched<'a>,
}

/// `None` for what `encodeAttemptReport` did not write.
pub(crate) fn decode_attempt_report(report: &str) -> Option<AttemptReport<'_>> {
    let [ended, wants_another, failures, ratio, pause, caller, key] = parts_of(report)?;
    Some(AttemptReport {
        ended: decode_ended(ended)?,
        wants_another: wants_another == "1",
        breaker: Breaker {
            failures: failures.parse().ok()?,
            ratio: ratio.parse().ok()?,
            pause: Span::from_millis(pause.parse().ok()?),
        },
        watched: Watched { key, caller },
    })
}

/// The numbers are those of `ENDED`.
fn decode_ended(number: &str) -> Option<Ended> {
    Some(match number {
        "0" => Ended::Answered,
        "1" => Ended::Failed,
        "2" => Ended::Suspected,
        "3" => Ended::Nothing,
        _ => return None,
    })
}

/// The beginning of an attempt at an origin, where limits were asked before: `encodeAttemptStart`.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct AttemptStart<'a> {
    pub(crate) timeout: Span,
    pub(crate) watched: Watched<'a>,
}

/// `None` for what `encodeAttemptStart` did not write.
pub(crate) fn decode_attempt_start(start: &str) -> Option<AttemptStart<'_>> {
    let [timeout, caller, key] = parts_of(start)?;
    Some(AttemptStart { timeout: Span::from_millis(timeout.parse().ok()?), watched: Watched { key, caller } })
}

/// So many parts; the last one may hold separators.
fn parts_of<const PARTS: usize>(text: &str) -> Option<[&str; PARTS]> {
    text.splitn(PARTS, SEPARATOR).collect::<Vec<_>>().try_into().ok()
}

#[cfg(test)]
#[path = "wire/tests.rs"]
mod tests;
