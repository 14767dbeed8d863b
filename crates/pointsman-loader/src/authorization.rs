//! Asks services of the operator's what they say of requests.

use std::{cell::RefCell, rc::Rc};

use pointsman_core::{
    base::{json::without_bom, object::parse_object, time::Span},
    identity::jwt::VerifiedToken,
    routing::authorize::{Answer, Question},
    state::{
        cache::{Loaded, Stored},
        config::Gateway,
        memory::Memory,
    },
};

use crate::ports::{DocumentRequest, Ports, ServiceCall, SourceError};

/// What a service reads as the URL: the binding says who is called.
const URL: &str = "https://authorize.binding/";
/// The longest answer that is read, in bytes.
const MAX_ANSWER_BYTES: usize = 16 << 10;

/// Asks a service, and remembers what it says for as long as that counts. Where it gives no answer nothing is remembered.
pub(crate) async fn ask<P: Ports>(
    question: &Question,
    gateway: &Gateway,
    memory: &RefCell<Memory>,
    ports: &P,
) -> Option<Rc<VerifiedToken>> {
    let asked_at = ports.now();
    let answer = answer(question, gateway, ports).await;
    let mut memory = memory.borrow_mut();
    let said = match answer {
        Ok(answer) => Rc::new(question.conclude(answer, asked_at)),
        Err(SourceError(what)) => {
            ports.warn("authorization_failed", &format!("{}: {what}", question.binding));
            memory.tokens.end_lease(&question.name, asked_at);
            return None;
        }
    };
    if question.keep > Span::default() {
        gateway.read_customer(&said.principal);
        let (stored, weight) = (Stored::Present(Rc::clone(&said)), said.weight());
        memory.tokens.store(question.name, Loaded { stored, weight, asked_at, as_of: asked_at });
    }
    Some(said)
}

async fn answer<P: Ports>(question: &Question, gateway: &Gateway, ports: &P) -> Result<Answer, SourceError> {
    let request = DocumentRequest {
        url: URL,
        service: Some(ServiceCall { binding: &question.binding, request_id: &question.request_id }),
        authorization: None,
        body: Some(&question.body),
        etag: None,
        user_agent: gateway.user_agent(),
        timeout: question.timeout,
        max_bytes: MAX_ANSWER_BYTES,
    };
    let document = ports.document(request).await?;
    if document.status != 200 {
        return Err(SourceError(format!("the service answered {}", document.outcome())));
    }
    let answer = parse_object(without_bom(&document.body)).ok().and_then(Answer::of);
    answer.ok_or_else(|| {
        SourceError("the answer is no JSON object with allow and what belongs to it".to_owned())
    })
}
