//! Asks services of the operator's what they say of requests.

use std::{cell::RefCell, rc::Rc};

use pointsman_core::{
    base::{json::without_bom, object::parse_object, time::Span},
    identity::jwt::VerifiedToken,
    routing::authorize::{Answer, Authorize, Question},
    state::{config::Gateway, memory::Memory},
};

use crate::{
    answered::{answered, remember},
    cold::boxed_cold,
    ports::{DocumentRequest, Ports, ServiceCall, SourceError},
};

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
    let Authorize { binding, timeout, keep, .. } = &*question.by;
    let request = DocumentRequest {
        url: URL,
        service: Some(ServiceCall { binding, request_id: &question.request_id }),
        authorization: None,
        body: Some(&question.body),
        etag: None,
        user_agent: gateway.user_agent(),
        timeout: *timeout,
        max_bytes: MAX_ANSWER_BYTES,
    };
    let body = boxed_cold(answered(ports, request, "service")).await;
    let answer = body.and_then(|body| {
        let answer = parse_object(without_bom(&body)).ok().and_then(|members| Answer::of(&members));
        answer
            .ok_or_else(|| SourceError("the answer is none: see docs/configuration.md#authorize".to_owned()))
    });
    let mut memory = memory.borrow_mut();
    match answer {
        Ok(answer) => {
            let said = Rc::new(question.conclude(answer, asked_at));
            if *keep > Span::default() {
                remember(gateway, &mut memory, question.name, &said, asked_at);
            }
            Some(said)
        }
        Err(SourceError(what)) => {
            ports.warn("authorization_failed", &format!("{binding}: {what}"));
            memory.tokens.end_lease(&question.name, asked_at);
            None
        }
    }
}
