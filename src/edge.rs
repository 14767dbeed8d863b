//! The edge: Workers in, Workers out. Nothing here decides; what would be worth a unit test is in the
//! core.
//!
//! A request whose key, customer and token are in memory is decided synchronously and its answer is a
//! promise of JavaScript's: no Rust future is made for it. Only what must be loaded goes async.

use std::{borrow::Cow, cell::Cell, rc::Rc};

use pointsman_checked::DEFAULT_PROBLEM_BASE;
use pointsman_core::{
    base::{
        json::{json, text},
        refusal::Refusal,
        time::{Span, Timestamp},
    },
    decide::{
        decision::{Decision, Deferred, Judgement, LoadedForRequest, Need, Outcome, SignatureCheck},
        explain::{self, ExplainRequest},
        operator::{self, LedgerCall, json_answer, ledger_answer},
        request_log::{LoggedRequest, Surroundings, Trace},
    },
    forward::{
        failover::Watched,
        plan::{Forward, Plan},
    },
    http::{
        answer::{Answer, Telling, problem},
        cf::CfValue,
        cors::AnswerEdits,
        head::{Fields, Head, PresentFields, RequestTarget, kept_request_id},
        prelude::RequestPrelude,
    },
    state::cache::Lease,
};
use pointsman_loader::{announced::CustomersChanged, scheduled::ScheduledRefresh};
use wasm_bindgen::{
    JsCast, JsValue,
    prelude::{Closure, wasm_bindgen},
};
use wasm_bindgen_futures::{JsFuture, future_to_promise};
use worker::Env;

mod isolate;
mod outside;
mod platform;

use self::{
    isolate::{Isolate, Prepared, Told},
    outside::Outside,
    platform::{ExecutionContext, Incoming},
};
use crate::wire::{self, AnswerParts, DispatchParts};

/// A request, and what the edge needs to answer it.
struct RequestContext {
    isolate: Rc<Isolate>,
    /// What came, as the core asks for it.
    sent: Sent,
    seen: PresentFields,
    /// The platform's id of the request, or the gateway's own.
    own_id: String,
    /// The client's, where the configuration keeps it. The gateway itself goes by it in nothing.
    kept_id: Option<String>,
    began: Timestamp,
    /// Whether something was waited for. Else the request is decided when it came: the clock stands still meanwhile.
    waited: bool,
    env: Env,
    context: ExecutionContext,
}

/// What a client sent, and what the platform knows of it.
struct Sent {
    incoming: Incoming,
    survey: RequestPrelude,
}

impl Fields for Sent {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        let noted = self.survey.field(name).map(Cow::Borrowed);
        noted.or_else(|| platform::field(&self.incoming, name).map(Cow::Owned))
    }

    fn visit(&self, visit: &mut dyn FnMut(&str, &str)) {
        self.survey.fields().for_each(|(name, value)| visit(name, value));
    }

    fn cf(&self, path: &str) -> Option<CfValue> {
        platform::cf(&self.incoming, path).and_then(CfValue::decode)
    }

    fn names(&self) -> Vec<String> {
        wire::decode_names(&platform::names(&self.incoming))
    }
}

/// Does before the first request what can be done without one; see `worker.js`.
#[wasm_bindgen]
#[allow(unreachable_pub)] // exported to JavaScript, not to Rust
pub fn prepare(env: JsValue) {
    Prepared::keep(&env.unchecked_into());
}

/// The Worker's entry point.
#[wasm_bindgen]
#[must_use]
#[allow(unreachable_pub)] // exported to JavaScript, not to Rust
pub fn fetch(request: JsValue, env: JsValue, context: JsValue) -> JsValue {
    let env: Env = env.unchecked_into();
    let isolate = Isolate::get(&env);
    let incoming = platform::survey(&request);
    let sent = Sent { survey: RequestPrelude::new(incoming.text()), incoming };
    let seen = sent.survey.seen();
    let request = RequestContext {
        own_id: request_id(&sent, seen).unwrap_or_else(|| isolate.issue_id()),
        kept_id: kept_request_id(&sent, seen),
        sent,
        seen,
        began: platform::now(),
        waited: false,
        env,
        context: context.unchecked_into(),
        isolate,
    };
    request.handle(LoadedForRequest::default())
}

/// The scheduled refresh of what the store holds, by the cron triggers of wrangler.toml.
#[wasm_bindgen]
#[must_use]
#[allow(unreachable_pub)] // exported to JavaScript, not to Rust
pub fn scheduled(_event: JsValue, env: JsValue, _context: JsValue) -> JsValue {
    let env: Env = env.unchecked_into();
    let isolate = Isolate::get(&env);
    let promise = future_to_promise(async move {
        let outside = Outside::new(env);
        if let Some(ready) = &isolate.ready {
            ScheduledRefresh::new(&ready.gateway, &ready.memory, &outside).run().await;
        }
        Ok(JsValue::UNDEFINED)
    });
    promise.into()
}

/// What an operator is told who asks wrongly.
fn refusal(status: u16, message: &str) -> (u16, String) {
    (status, text(&json!({ "error": "invalid", "message": message })))
}

/// The platform's id of the request, where there is one.
fn request_id(sent: &Sent, seen: PresentFields) -> Option<String> {
    let ray = if seen.has(PresentFields::CF_RAY) { sent.survey.field("cf-ray") } else { None }?;
    let plain = ray.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    ((8..=64).contains(&ray.len()) && plain).then(|| ray.to_owned())
}

impl RequestContext {
    /// Decides by what was found for this request so far, and answers at once where nothing else is needed.
    fn handle(mut self, found: LoadedForRequest) -> JsValue {
        let isolate = Rc::clone(&self.isolate);
        let Some(ready) = &isolate.ready else {
            return self.misconfigured();
        };
        let Some(head) = self.head() else {
            return self.misconfigured();
        };
        if let Some(asked) = explain::asked(&ready.gateway, &head) {
            return match asked {
                Ok(ask) => platform::until_trap(&future_to_promise(Rc::new(self).explain(ask))).into(),
                Err(answer) => self.answer(answer, &Trace::default()),
            };
        }
        if let Some(asked) = operator::ledger_call(&ready.gateway, &head) {
            return match asked {
                Ok(call) => {
                    // The ledger knows by its id what it has done already.
                    self.kept_id = None;
                    platform::until_trap(&future_to_promise(Rc::new(self).ask_ledger(call))).into()
                }
                Err(answer) => self.answer(answer, &Trace::of_route("ledger")),
            };
        }
        let decision = ready.gateway.decide(&head, &mut ready.memory.borrow_mut(), &found, self.began);
        match decision {
            Decision { outcome: Outcome::Load(need, lease), deferred, .. } => {
                self.load_then_decide(found, need, lease, deferred)
            }
            decided => self.end(decided),
        }
    }

    /// Loads what a decision needs, and decides again.
    #[inline(never)]
    fn load_then_decide(
        mut self,
        found: LoadedForRequest,
        need: Need,
        lease: Lease,
        deferred: Deferred,
    ) -> JsValue {
        self.waited = true;
        if let Need::Signature(check) = &need
            && deferred.is_empty()
            && let SignatureCheck { key, algorithm, signature, verified, .. } = &**check
            && let Some(verdict) =
                outside::verify_at_once(key, *algorithm, &verified.signing_input, signature)
        {
            let check = Rc::clone(check);
            let resume = move |verdict: JsValue| self.resume_after_verification(found, &check, &verdict);
            return platform::after_verdict(&verdict, &Closure::once_into_js(resume));
        }
        let request = Rc::new(self);
        let work = async move { Ok(request.load_under_wait_until(found, need, lease, deferred).await) };
        platform::until_trap(&future_to_promise(work)).into()
    }

    /// Decides again once the runtime has verified a token's signature. No future is made for that: the verification
    /// waits for no other request, and no other request waits for it.
    fn resume_after_verification(
        self,
        found: LoadedForRequest,
        check: &SignatureCheck,
        verdict: &JsValue,
    ) -> JsValue {
        let isolate = Rc::clone(&self.isolate);
        let Some(ready) = &isolate.ready else {
            return self.misconfigured();
        };
        let outside = Outside::new(self.env.clone());
        match ready.loader(&outside).conclude(check, outside::verdict_of(verdict)) {
            Judgement::Final(token) => self.handle(LoadedForRequest { token: Some(token), ..found }),
            Judgement::Next(next) => {
                self.load_then_decide(found, Need::Signature(next), Lease::Acquired, Deferred::default())
            }
        }
    }

    /// Loads under `waitUntil`: a load that others count on (its lease is taken, the issuer was asked)
    /// must come to its end whether or not this client stays. Else whoever leaves in time could keep a
    /// revoked key in use, or the issuer's cooldown from ending.
    async fn load_under_wait_until(
        self: Rc<Self>,
        found: LoadedForRequest,
        need: Need,
        lease: Lease,
        deferred: Deferred,
    ) -> JsValue {
        let decided = Rc::new(Cell::new(None));
        let (request, into) = (Rc::clone(&self), Rc::clone(&decided));
        let work = future_to_promise(async move {
            if let (Some(ready), Some(head)) = (&request.isolate.ready, request.head()) {
                let outside = Outside::new(request.env.clone());
                let mut decision = ready.loader(&outside).decide(&head, found, need, lease, deferred).await;
                // From here and not from where the answer is made: nobody may be left to answer.
                request.defer(std::mem::take(&mut decision.deferred));
                into.set(Some(decision));
            }
            Ok(JsValue::UNDEFINED)
        });
        let work = platform::until_decided(&work);
        self.context.wait_until(&work);
        // The work itself never fails; a trap in it leaves nothing decided.
        let _ = JsFuture::from(work).await;
        match decided.take() {
            Some(decision) => self.end(decision),
            None => self.misconfigured(),
        }
    }

    /// Answers an operator who asks how the request is decided. What that takes is loaded under
    /// `waitUntil`, as for any other.
    async fn explain(self: Rc<Self>, ask: ExplainRequest) -> Result<JsValue, JsValue> {
        let told = Rc::new(Cell::new(None));
        let (request, into) = (Rc::clone(&self), Rc::clone(&told));
        let work = future_to_promise(async move {
            if let (Some(ready), Some(head)) = (&request.isolate.ready, request.head()) {
                let (outside, fields) = (Outside::new(request.env.clone()), ask.stage(&request.sent));
                let head = Head { fields: &fields, seen: ask.seen(head.seen), ..head };
                let (explanation, deferred) =
                    ready.loader(&outside).explain(&head, ask.assumed.clone()).await;
                request.defer(deferred);
                into.set(Some(json_answer(200, &head, &explanation)));
            }
            Ok(JsValue::UNDEFINED)
        });
        self.context.wait_until(&work);
        let _ = JsFuture::from(work).await;
        Ok(match told.take() {
            Some(answer) => {
                self.answer(answer, &Trace { route: Some(Rc::from("explain")), ..Trace::default() })
            }
            None => self.misconfigured(),
        })
    }

    /// Carries a call to the ledger. What has reached the ledger is carried out also where whoever called is gone; the id of
    /// the operation makes it safe to call again.
    async fn ask_ledger(self: Rc<Self>, call: LedgerCall) -> Result<JsValue, JsValue> {
        let base = match (call, &self.isolate.ready) {
            (LedgerCall::Manage, Some(ready)) => ready.gateway.operator().api.as_deref(),
            _ => None,
        };
        let incoming = &self.sent.incoming;
        let said = platform::ask_operator(self.env.as_ref(), incoming, base, &self.own_id).await;
        let said = match said {
            Ok(said) => said,
            Err(error) => return Ok(self.ledger_failed(&outside::message(&error))),
        };
        if let Some(changed) = said.changed() {
            return self.customers_changed(changed).await;
        }
        let Some(head) = self.head() else { return Ok(self.misconfigured()) };
        let mut answer = ledger_answer(said.status(), &head, said.text());
        for (name, value) in platform::ANSWER_FIELDS.into_iter().zip(said.fields().split('\n')) {
            if !value.is_empty() {
                answer.fields.retain(|(own, _)| *own != name);
                answer.fields.push((name, value.to_owned()));
            }
        }
        Ok(self.answer(answer, &Trace::of_route("ledger")))
    }

    fn ledger_failed(&self, what: &str) -> JsValue {
        outside::warn("ledger_failed", what);
        let (Some(head), Some(ready)) = (self.head(), &self.isolate.ready) else {
            return self.misconfigured();
        };
        let answer = ready.gateway.refuse(Refusal::LedgerUnavailable, None, None, &head);
        self.answer(answer, &Trace::of_route("ledger"))
    }

    /// Has the config API asked anew for customers who changed. That goes on where whoever said so is gone.
    async fn customers_changed(self: Rc<Self>, changed: String) -> Result<JsValue, JsValue> {
        let (status, json) = match operator::changed_customers(&changed) {
            Err(what) => refusal(422, &what),
            Ok(ids) => {
                let said = Rc::new(Cell::new(None));
                let (request, into) = (Rc::clone(&self), Rc::clone(&said));
                let work = future_to_promise(async move {
                    let outside = Outside::new(request.env.clone());
                    let ready = request.isolate.ready.as_ref();
                    let run =
                        ready.and_then(|ready| CustomersChanged::of(&ready.gateway, &ready.memory, &outside));
                    into.set(match run {
                        Some(run) => Some(run.run(&ids).await.map(|done| done.answer())),
                        None => Some(Ok(refusal(422, "there is no [customers] source"))),
                    });
                    Ok(JsValue::UNDEFINED)
                });
                self.context.wait_until(&work);
                let _ = JsFuture::from(work).await;
                match said.take() {
                    Some(Ok(said)) => said,
                    Some(Err(error)) => return Ok(self.ledger_failed(&error.0)),
                    None => return Ok(self.misconfigured()),
                }
            }
        };
        let Some(head) = self.head() else { return Ok(self.misconfigured()) };
        Ok(self.answer(ledger_answer(status, &head, json), &Trace::of_route("ledger")))
    }

    fn end(&self, decision: Decision) -> JsValue {
        self.defer(decision.deferred);
        match decision.outcome {
            Outcome::Forward(forward) => self.forward(&forward, &decision.trace),
            Outcome::Answer(answer) => self.answer(answer, &decision.trace),
            Outcome::Load(..) => self.misconfigured(),
        }
    }

    fn forward(&self, forward: &Forward, trace: &Trace) -> JsValue {
        // Where limits are asked first, it is noted once they have let the request pass.
        if let (Some(plan), None) = (forward.sending.plan(), &forward.admission) {
            self.note_sending(plan);
        }
        let mut line = trace.open(self.subject());
        match self.isolate.told {
            Told::Nothing => {}
            Told::Key => trace.write_key(&mut line),
            Told::Details => self.write_details(trace, &mut line),
        }
        let parts = wire::encode_dispatch(&DispatchParts {
            forward,
            line: &line,
            request_id: self.request_id(),
            origin: trace.origin.as_deref(),
        });
        let decided = if self.waited { platform::now() } else { self.began };
        #[allow(clippy::cast_precision_loss)] // milliseconds, far below 2^53
        let [began, decided] = [self.began, decided].map(|time| time.millis() as f64);
        #[allow(clippy::cast_precision_loss)]
        let timeout = forward.sending.timeout().millis() as f64;
        platform::dispatch(self.env.as_ref(), &self.sent.incoming, &parts, timeout, began, decided)
    }

    /// A request to an origin that failed before is the only one there until it ends.
    fn note_sending(&self, plan: &Plan) {
        if let (Some(ready), Some(first), Some(caller)) =
            (&self.isolate.ready, plan.attempts.first(), &plan.caller)
        {
            let watched = Watched { key: &first.key, caller };
            ready.note_sending(watched, Span::from_millis(first.timeout), self.began);
        }
    }

    fn answer(&self, answer: Answer, trace: &Trace) -> JsValue {
        let mut line = trace.open(self.subject());
        if answer.status >= 400 || self.isolate.told == Told::Details {
            self.write_details(trace, &mut line);
        }
        // What a HEAD gets has the fields of what a GET would get, and no body (RFC 9110, section 9.3.2).
        let body = answer.body.filter(|_| self.sent.survey.method() != "HEAD");
        let parts = wire::encode_answer(&AnswerParts {
            line: &line,
            refusal: answer.refusal,
            fields: &answer.fields,
            body: body.as_deref(),
        });
        #[allow(clippy::cast_precision_loss)] // milliseconds, far below 2^53
        platform::answer(answer.status, &parts, self.began.millis() as f64)
    }

    #[cold]
    #[inline(never)]
    fn write_details(&self, trace: &Trace, line: &mut String) {
        let (Some(ready), Some(head)) = (&self.isolate.ready, self.head()) else { return };
        // Somebody may hold it where a request ends in the middle of something; its revision is not worth waiting for.
        let memory = ready.memory.try_borrow().ok();
        let directory = memory.as_ref().and_then(|memory| memory.directory.as_ref());
        let revision = directory.map(|directory| directory.follower.revision());
        trace.write_details(&Surroundings { head: &head, gateway: &ready.gateway, revision }, line);
    }

    fn misconfigured(&self) -> JsValue {
        let telling = Telling { type_base: DEFAULT_PROBLEM_BASE, shape: None, request_id: self.request_id() };
        let answer = problem(Refusal::Misconfigured, None, None, telling, AnswerEdits::default());
        self.answer(answer, &Trace::default())
    }

    /// Refreshes and writes behind the response. Each on its own: a slow source must not use up the
    /// lease of another.
    fn defer(&self, deferred: Deferred) {
        if deferred.is_empty() {
            return;
        }
        if deferred.follow {
            let (isolate, outside) = (Rc::clone(&self.isolate), Outside::new(self.env.clone()));
            self.wait_until(async move {
                if let Some(ready) = &isolate.ready {
                    let loader = ready.loader(&outside);
                    loader.follow().await;
                    loader.keep_following().await;
                }
            });
        }
        for refresh in deferred.refreshes {
            let (isolate, outside) = (Rc::clone(&self.isolate), Outside::new(self.env.clone()));
            self.wait_until(async move {
                if let Some(ready) = &isolate.ready {
                    let loader = ready.loader(&outside);
                    for write in &loader.refresh(&refresh).await.writes {
                        loader.write(write).await;
                    }
                }
            });
        }
        if deferred.writes.is_empty() {
            return;
        }
        let (isolate, outside) = (Rc::clone(&self.isolate), Outside::new(self.env.clone()));
        self.wait_until(async move {
            if let Some(ready) = &isolate.ready {
                for write in &deferred.writes {
                    ready.loader(&outside).write(write).await;
                }
            }
        });
    }

    fn wait_until(&self, work: impl Future<Output = ()> + 'static) {
        let promise = future_to_promise(async move {
            work.await;
            Ok(JsValue::UNDEFINED)
        });
        self.context.wait_until(&promise);
    }

    fn head(&self) -> Option<Head<'_>> {
        Some(Head {
            method: self.sent.survey.method(),
            target: RequestTarget::parse(self.sent.survey.url())?,
            seen: self.seen,
            fields: &self.sent,
            request_id: self.request_id(),
        })
    }

    /// The id under which log, backend and caller can find the request.
    fn request_id(&self) -> &str {
        self.kept_id.as_deref().unwrap_or(&self.own_id)
    }

    fn subject(&self) -> LoggedRequest<'_> {
        LoggedRequest { time: self.began, request_id: self.request_id(), method: self.sent.survey.method() }
    }
}
