//! Responses that the gateway makes itself.

use crate::{
    base::{problem::Problem, refusal::Refusal},
    http::{
        cors::AnswerEdits,
        error_shape::{ErrorShape, Told},
    },
};

/// A response that the gateway makes itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// Its fields.
    pub fields: Vec<(&'static str, String)>,
    /// Its body; `None` for an answer that has none.
    pub body: Option<String>,
    /// Why, if it is a refusal.
    pub refusal: Option<Refusal>,
}

/// How a refusal is told.
#[derive(Clone, Copy, Debug)]
pub struct Telling<'a> {
    /// What the types of problems begin with.
    pub type_base: &'a str,
    /// How errors are written; `None` as problems.
    pub shape: Option<&'a ErrorShape>,
    /// The request's id.
    pub request_id: &'a str,
}

/// A refusal as a response: an RFC 9457 problem, where the configuration says nothing else.
#[must_use]
pub fn problem(
    refusal: Refusal,
    status: Option<u16>,
    challenge: Option<&str>,
    telling: Telling<'_>,
    edits: AnswerEdits,
) -> Answer {
    let problem = refusal.problem();
    let status = status.unwrap_or(problem.status());
    let Telling { type_base, shape, request_id } = telling;
    let (content_type, body) = Told { problem, status, type_base, instance: request_id }.write(shape);
    let mut fields = vec![
        ("content-type", content_type),
        ("cache-control", "no-store".to_owned()),
        ("x-request-id", request_id.to_owned()),
    ];
    if refusal == Refusal::RequirementNotMet {
        let challenge = challenge.unwrap_or("Bearer");
        let separator = if challenge.contains(' ') { "," } else { "" };
        fields.push(("www-authenticate", format!("{challenge}{separator} error=\"insufficient_scope\"")));
    }
    if status == 401 {
        let challenge = challenge.unwrap_or("Bearer");
        let separator = if challenge.contains(' ') { "," } else { "" };
        let error = match problem {
            Problem::CredentialInvalid => format!("{separator} error=\"invalid_token\""),
            _ => String::new(),
        };
        fields.push(("www-authenticate", format!("{challenge}{error}")));
    }
    if let Some(seconds) = problem.retry_after() {
        fields.push(("retry-after", seconds.to_string()));
    }
    fields.extend(edits.set.into_iter().filter(|(name, _)| *name != "x-request-id"));
    if edits.vary_origin {
        fields.push(("vary", "Origin".to_owned()));
    }
    Answer { status, fields, body: Some(body), refusal: Some(refusal) }
}
