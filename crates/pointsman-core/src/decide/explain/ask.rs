//! How an operator asks the running gateway for an explanation: by an ordinary request with a field that
//! holds the secret. It may say whom to take the request for, and from where it shall have come.

use std::{borrow::Cow, rc::Rc};

use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Map, Value};

use crate::{
    base::{digest::Digest, json::json, object::parse_object, refusal::Refusal},
    decide::operator::json_answer,
    http::{
        answer::Answer,
        cf::CfValue,
        head::{Fields, Head, PresentFields},
    },
    identity::principal::Principal,
    state::config::Gateway,
};

use super::VERSION;

/// The field that holds the secret.
const SECRET: &str = "x-pointsman-explain";
/// The field that holds claims, as a JSON object in base64url.
const CLAIMS: &str = "x-pointsman-claims";
/// The field that holds what the platform shall have said of the client, as a JSON object in base64url with the
/// members of `request.cf`, each of the type that it has there, and `ip`.
const CF: &str = "x-pointsman-cf";

/// What an operator asks.
#[derive(Debug)]
pub struct ExplainRequest {
    /// Whom the request is taken for, in place of its credential.
    pub assumed: Option<Rc<Principal>>,
    cf: Map<String, Value>,
}

/// Reads the question, if the request is one: `None` for a request that is to be answered as any other,
/// `Err` with what is answered to a question that is none.
#[must_use]
pub fn asked(gateway: &Gateway, head: &Head<'_>) -> Option<Result<ExplainRequest, Answer>> {
    if let Err(refusal) = permitted(gateway, head)? {
        return Some(Err(gateway.refuse(refusal, None, None, head)));
    }
    Some(read(head).map_err(|name| {
        let error = format!("{name} must be a JSON object in base64url without padding");
        json_answer(400, head, &json!({ "explanation": VERSION, "error": error }))
    }))
}

/// Whether a question may be asked. What was meant as one must not be carried out, whatever stands in the field: so
/// a wrong secret is refused, and where the configuration has none, every one. Callers are told the same of both, so
/// that nobody learns whether there is a secret.
#[cold]
fn permission(gateway: &Gateway, head: &Head<'_>) -> Result<(), Refusal> {
    let secret = gateway.operator.secret.as_ref().ok_or(Refusal::ExplainWithoutSecret)?;
    let shown = head.fields.get(SECRET).ok_or(Refusal::OperatorSecret)?;
    // Digests are compared, so that the time this takes says nothing of the secret.
    if Digest::of(shown.as_bytes()) == *secret { Ok(()) } else { Err(Refusal::OperatorSecret) }
}

/// Whether whoever sent the request may ask how it is decided; `None` where it asks nothing.
fn permitted(gateway: &Gateway, head: &Head<'_>) -> Option<Result<(), Refusal>> {
    head.seen.has(PresentFields::EXPLAIN).then(|| permission(gateway, head))
}

/// Keeps a question from being decided as a request that is carried out, whoever called for the decision.
///
/// # Errors
/// The request is a question, and not one that is being explained.
pub(crate) fn refuse_question(gateway: &Gateway, head: &Head<'_>, explained: bool) -> Result<(), Refusal> {
    match permitted(gateway, head) {
        None => Ok(()),
        Some(Ok(())) if explained => Ok(()),
        Some(Ok(())) => Err(Refusal::OperatorSecret),
        Some(Err(refusal)) => Err(refusal),
    }
}

fn read(head: &Head<'_>) -> Result<ExplainRequest, &'static str> {
    let object = |name| match head.fields.get(name) {
        None => Ok(None),
        Some(text) => {
            let bytes = Base64UrlUnpadded::decode_vec(text.trim()).map_err(|_| name)?;
            parse_object(&bytes).map(Some).map_err(|_| name)
        }
    };
    let assumed = object(CLAIMS)?.map(|claims| Rc::new(Principal::assumed(claims)));
    Ok(ExplainRequest { assumed, cf: object(CF)?.unwrap_or_default() })
}

/// A request's fields, coming from where an operator says.
pub struct Staged<'a> {
    fields: &'a dyn Fields,
    cf: &'a Map<String, Value>,
}

impl ExplainRequest {
    /// The request as if it came from where the question says.
    #[must_use]
    pub fn stage<'a>(&'a self, fields: &'a dyn Fields) -> Staged<'a> {
        Staged { fields, cf: &self.cf }
    }

    /// Which fields the request carries then.
    #[must_use]
    pub fn seen(&self, seen: PresentFields) -> PresentFields {
        if self.cf.contains_key("ip") { seen.and(PresentFields::CF_CONNECTING_IP) } else { seen }
    }
}

impl Fields for Staged<'_> {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        let staged =
            if name == "cf-connecting-ip" { self.cf.get("ip").and_then(Value::as_str) } else { None };
        staged.map(Cow::Borrowed).or_else(|| self.fields.get(name))
    }

    fn visit(&self, visit: &mut dyn FnMut(&str, &str)) {
        self.fields.visit(visit);
    }

    fn cf(&self, path: &str) -> Option<CfValue> {
        // Where it shall come from elsewhere, all of where it really came from is beside the point.
        if self.cf.is_empty() { self.fields.cf(path) } else { CfValue::find(self.cf, path) }
    }

    fn names(&self) -> Vec<String> {
        self.fields.names()
    }
}
