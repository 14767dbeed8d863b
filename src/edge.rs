//! The edge: Workers in, Workers out. Nothing here decides; what would be worth a unit test is in the
//! core.
//!
//! A request whose key, customer and token are in memory is decided synchronously and its answer is a
//! promise of JavaScript's: no Rust future is made for it. Only what must be loaded goes async.

use std::{borrow::Cow, cell::Cell, rc::Rc};

use pointsman_core::{
    base::{
        refusal::Refusal,
        scan,
        time::{Span, Timestamp},
    },
    decide::{
        decision::{Decision, Deferred, Found, Judgement, Need, Outcome, SignatureCheck},
        explain::{self, Ask},
        operator::json_answer,
        request_log::{self, Subject, Trace},
    },
    forward::{
        failover::Watched,
        plan::{Forward, Plan},
    },
    http::{
        answer::{Answer, problem},
        cors::{AnswerEdits, AnswerPrivacy},
        head::{Fields, Head, Place, Seen, Target},
        prelude::Survey,
    },
    state::{cache::Claim, checked::DEFAULT_PROBLEM_BASE},
};
use pointsman_loader::load::Context;
use serde::Serialize;
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
    isolate::{Isolate, Prepared, Ready},
    outside::Outside,
    platform::{ExecutionContext, Incoming},
};

/// A request on its way through the edge.
struct Passage {
    isolate: Rc<Isolate>,
    /// What came, as the core asks for it.
    sent: Sent,
    seen: Seen,
    request_id: String,
    began: Timestamp,
    /// Whether something was waited for. Else the request is decided when it came: the clock stands still meanwhile.
    waited: bool,
    env: Env,
    context: ExecutionContext,
}

/// What a client sent, and what the platform knows of it.
struct Sent {
    incoming: Incoming,
    survey: Survey,
}

impl Fields for Sent {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        let noted = self.survey.field(name).map(Cow::Borrowed);
        noted.or_else(|| platform::field(&self.incoming, name).map(Cow::Owned))
    }

    fn visit(&self, visit: &mut dyn FnMut(&str, &str)) {
        self.survey.fields().for_each(|(name, value)| visit(name, value));
    }

    fn place(&self, place: Place) -> Option<String> {
        platform::place(&self.incoming, place.property())
    }

    fn names(&self) -> Vec<String> {
        platform::names(&self.incoming).split('\n').map(str::to_owned).collect()
    }
}

/// Does before the first request what can be done without one; see `entry.js`.
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
    let sent = Sent { survey: Survey::new(incoming.text()), incoming };
    let seen = sent.survey.seen();
    let passage = Passage {
        request_id: request_id(&sent, seen).unwrap_or_else(|| isolate.issue_id()),
        sent,
        seen,
        began: platform::now(),
        waited: false,
        env,
        context: context.unchecked_into(),
        isolate,
    };
    passage.begin(Found::default())
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
            ready.context(&outside).refresh_all().await;
        }
        Ok(JsValue::UNDEFINED)
    });
    promise.into()
}

/// The platform's id of the request, where there is one.
fn request_id(sent: &Sent, seen: Seen) -> Option<String> {
    let ray = if seen.has(Seen::CF_RAY) { sent.survey.field("cf-ray") } else { None }?;
    let plain = ray.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    ((8..=64).contains(&ray.len()) && plain).then(|| ray.to_owned())
}

impl Passage {
    /// Decides by what this request has found, and answers at once where nothing else is needed.
    fn begin(self, found: Found) -> JsValue {
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
        let decision = ready.gateway.decide(&head, &mut ready.memory.borrow_mut(), &found, self.began);
        match decision {
            Decision { outcome: Outcome::Load(need, claim), deferred, .. } => {
                self.go_on(found, need, claim, deferred)
            }
            decided => self.end(decided),
        }
    }

    /// Goes on where something is missing.
    #[inline(never)]
    fn go_on(mut self, found: Found, need: Need, claim: Claim, deferred: Deferred) -> JsValue {
        self.waited = true;
        if let Need::Signature(check) = &need
            && deferred.is_empty()
            && let SignatureCheck { key, algorithm, signature, verified, .. } = &**check
            && let Some(verdict) =
                outside::verify_at_once(key, *algorithm, &verified.signing_input, signature)
        {
            let check = Rc::clone(check);
            let resume = move |verdict: JsValue| self.judged(found, &check, &verdict);
            return platform::after_verdict(&verdict, &Closure::once_into_js(resume));
        }
        let passage = Rc::new(self);
        let work = async move { Ok(passage.load_and_decide(found, need, claim, deferred).await) };
        platform::until_trap(&future_to_promise(work)).into()
    }

    /// Goes on with a token whose signature was verified. No future is made for that: it waits for nobody, and
    /// nobody waits for it.
    fn judged(self, found: Found, check: &SignatureCheck, verdict: &JsValue) -> JsValue {
        let isolate = Rc::clone(&self.isolate);
        let Some(ready) = &isolate.ready else {
            return self.misconfigured();
        };
        let outside = Outside::new(self.env.clone());
        match ready.context(&outside).conclude(check, outside::verdict_of(verdict)) {
            Judgement::Final(token) => self.begin(Found { token: Some(token), ..found }),
            Judgement::Next(next) => {
                self.go_on(found, Need::Signature(next), Claim::Lead, Deferred::default())
            }
        }
    }

    /// Loads under `waitUntil`: a load that others count on (its lease is taken, the issuer was asked)
    /// must come to its end whether or not this client stays. Else whoever leaves in time could keep a
    /// revoked key in use, or the issuer's cooldown from ending.
    async fn load_and_decide(
        self: Rc<Self>,
        found: Found,
        need: Need,
        claim: Claim,
        deferred: Deferred,
    ) -> JsValue {
        let decided = Rc::new(Cell::new(None));
        let (passage, into) = (Rc::clone(&self), Rc::clone(&decided));
        let work = future_to_promise(async move {
            if let (Some(ready), Some(head)) = (&passage.isolate.ready, passage.head()) {
                let outside = Outside::new(passage.env.clone());
                let mut decision = ready.context(&outside).decide(&head, found, need, claim, deferred).await;
                // From here and not from where the answer is made: nobody may be left to answer.
                passage.defer(std::mem::take(&mut decision.deferred));
                into.set(Some(decision));
            }
            Ok(JsValue::UNDEFINED)
        });
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
    async fn explain(self: Rc<Self>, ask: Ask) -> Result<JsValue, JsValue> {
        let told = Rc::new(Cell::new(None));
        let (passage, into) = (Rc::clone(&self), Rc::clone(&told));
        let work = future_to_promise(async move {
            if let (Some(ready), Some(head)) = (&passage.isolate.ready, passage.head()) {
                let (outside, fields) = (Outside::new(passage.env.clone()), ask.stage(&passage.sent));
                let head = Head { fields: &fields, seen: ask.seen(head.seen), ..head };
                let (explanation, deferred) =
                    ready.context(&outside).explain(&head, ask.assumed.clone()).await;
                passage.defer(deferred);
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

    fn end(&self, decision: Decision) -> JsValue {
        self.defer(decision.deferred);
        match decision.outcome {
            Outcome::Forward(forward) => self.forward(&forward, &decision.trace),
            Outcome::Answer(answer) => self.answer(answer, &decision.trace),
            Outcome::Load(..) => self.misconfigured(),
        }
    }

    fn forward(&self, forward: &Forward, trace: &Trace) -> JsValue {
        let plan = forward.plan.as_ref();
        let admission = forward.admission.as_ref();
        // Where something must let it pass first, it is noted when that has.
        if let (Some(plan), None) = (plan, admission) {
            self.note_sending(plan);
        }
        let parts = parts([
            &forward.url,
            &forward.remove.join("\n"),
            forward.set.as_str(),
            &edits(forward),
            &trace.open(self.subject(), None),
            &self.request_id,
            &plan.map_or_else(String::new, rare_json),
            &admission.map_or_else(String::new, rare_json),
        ]);
        let decided = if self.waited { platform::now() } else { self.began };
        #[allow(clippy::cast_precision_loss)] // milliseconds, far below 2^53
        let [began, decided] = [self.began, decided].map(|time| time.millis() as f64);
        #[allow(clippy::cast_precision_loss)]
        let timeout = forward.timeout.millis() as f64;
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
        let open = trace.open(self.subject(), answer.refusal);
        // What a HEAD gets has the fields of what a GET would get, and no body (RFC 9110, section 9.3.2).
        let body = answer.body.filter(|_| self.sent.survey.method() != "HEAD");
        // Made before its line is written: should that fail, the line is the outermost catch's.
        let response = platform::answer(answer.status, &lines(&answer.fields), body);
        let duration = platform::now().since(self.began).millis();
        platform::log(&request_log::close(&open, answer.status, duration));
        response
    }

    fn misconfigured(&self) -> JsValue {
        let answer = problem(
            DEFAULT_PROBLEM_BASE,
            Refusal::Misconfigured,
            None,
            None,
            &self.request_id,
            AnswerEdits::default(),
        );
        self.answer(answer, &Trace::default())
    }

    /// Refreshes and writes behind the response. Each on its own: a slow source must not use up the
    /// lease of another.
    fn defer(&self, deferred: Deferred) {
        if deferred.is_empty() {
            return;
        }
        for refresh in deferred.refreshes {
            let (isolate, outside) = (Rc::clone(&self.isolate), Outside::new(self.env.clone()));
            self.wait_until(async move {
                if let Some(ready) = &isolate.ready {
                    let context = ready.context(&outside);
                    for write in &context.refresh(&refresh).await.writes {
                        context.write(write).await;
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
                    ready.context(&outside).write(write).await;
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
            target: Target::parse(self.sent.survey.url())?,
            seen: self.seen,
            fields: &self.sent,
            request_id: &self.request_id,
        })
    }

    fn subject(&self) -> Subject<'_> {
        Subject { time: self.began, request_id: &self.request_id, method: self.sent.survey.method() }
    }
}

impl Ready {
    fn note_sending(&self, watched: Watched<'_>, timeout: Span, now: Timestamp) {
        // Between requests nobody holds it; if somebody did, this request would not be counted.
        if let Ok(memory) = self.memory.try_borrow() {
            memory.origins.begin(watched, timeout, now);
        }
    }

    fn context<'a>(&'a self, ports: &'a Outside) -> Context<'a, Outside> {
        Context { gateway: &self.gateway, memory: &self.memory, ports }
    }
}

/// The JSON of what few requests have. Apart, so that all others do not run through a function as large.
#[cold]
#[inline(never)]
fn rare_json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cold]
#[inline(never)]
fn without_nul(text: &str) -> String {
    text.replace('\0', "")
}

/// Texts as one, with NUL between them. None holds one: URLs and fields cannot, and JSON writes it
/// otherwise. One that did would shift what follows, so it goes whatever is believed.
fn parts(texts: [&str; 8]) -> String {
    let mut all = String::with_capacity(texts.iter().map(|text| text.len() + 1).sum());
    for (index, text) in texts.into_iter().enumerate() {
        if index > 0 {
            all.push('\0');
        }
        match scan::any(text, |word| word.is(0)) {
            false => all.push_str(text),
            true => all.push_str(&without_nul(text)),
        }
    }
    all
}

/// Names and values as lines. No value holds a line break: Fetch keeps them out of the fields that come
/// from outside, and claims went through [`pointsman_core::http::fields::field_value`]. One that did would
/// become a field of its own, so it becomes a space whatever is believed.
fn lines<N: AsRef<str>>(fields: &[(N, String)]) -> String {
    let mut text = String::with_capacity(fields.len() * 40);
    for (name, value) in fields {
        text.push_str(name.as_ref());
        text.push('\n');
        match value.contains(['\n', '\r']) {
            false => text.push_str(value),
            true => text.push_str(&value.replace(['\n', '\r'], " ")),
        }
        text.push('\n');
    }
    text
}

/// What `forward.js` does to an answer: five flags and lines; empty where it is handed on as it came.
fn edits(forward: &Forward) -> Cow<'static, str> {
    let edits = &forward.edits;
    if !edits.are_conditional() || forward.server_timing {
        return Cow::Owned(written_edits(forward));
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
fn written_edits(forward: &Forward) -> String {
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
    format!("{}\n{}", String::from_iter(flags), lines(&edits.set))
}
