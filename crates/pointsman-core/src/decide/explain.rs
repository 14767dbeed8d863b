//! A decision told step by step: what `pointsman explain` prints, and what the running gateway answers
//! an operator who shows the secret. The decision has recorded its steps itself ([`Steps`]); here they become a document.
//! Nothing here decides or looks anything up, and no request that is forwarded comes by.

use std::rc::Rc;

use serde_json::Value;

mod ask;
mod credential;
pub(super) mod masked;
mod why;

pub(crate) use self::ask::refuse_question;
pub use self::ask::{ExplainRequest, asked};
use crate::{
    base::{
        json::{ToJson, json, put},
        time::Timestamp,
    },
    customer::{host_name::HostName, record::CustomerConfig, secret::fields_of},
    decide::{
        decision::{Decision, Outcome},
        request_log::Trace,
        steps::{Age, CustomerStep, Requirement, RouteStep, Steps},
    },
    forward::{
        limit::Admission,
        plan::{Forward, Plan},
    },
    http::{answer::Answer, head::Head},
    identity::{customer_id::CustomerId, jwt::Issuer, principal::Principal},
    routing::split::SplitView,
    state::{
        bounds::{Bound, Hears, bounds},
        config::Gateway,
    },
};

/// What is told of a field that is set for one backend.
const SECRET: &str = "(secret)";

/// The version of the document's form.
const VERSION: u8 = 1;

/// What an explanation is made from, beside the decision.
pub struct Explained<'a> {
    /// The configuration.
    pub gateway: &'a Gateway,
    /// The request.
    pub head: &'a Head<'a>,
    /// When it came in.
    pub began: Timestamp,
    /// How the isolate learns of changes.
    pub hears: Hears,
}

impl Explained<'_> {
    /// Tells a decision. No credential is in it, and nothing that signs.
    #[must_use]
    pub fn tell(&self, decision: &Decision) -> Value {
        let mut told = self.tell_all(decision);
        masked::mask(&mut told, &masked::sent(self.head, self.gateway));
        told
    }

    fn tell_all(&self, decision: &Decision) -> Value {
        let (head, trace) = (self.head, &decision.trace);
        let target = head.target;
        let query = target.query.map_or_else(String::new, |query| format!("?{query}"));
        let mut told = json!({
            "explanation": VERSION,
            "request": {
                "method": head.method,
                "url": format!("{}://{}{}{query}", target.scheme, target.authority, target.path),
                "time": self.began.to_string(),
            },
            "configuration": self.gateway.version,
            "outcome": match decision.outcome {
                Outcome::Forward(_) => "forward",
                Outcome::Answer(_) | Outcome::Load(..) => "answer",
            },
            "decision": decided(trace),
            "steps": decision.trace.steps.as_deref().map_or_else(Vec::new, |steps| self.told_steps(steps, decision)),
            "bounds": bounds(self.gateway, self.hears).iter().map(Bound::to_json).collect::<Vec<_>>(),
        });
        let (name, value) = match &decision.outcome {
            Outcome::Forward(forward) => ("forward", self.forwarded(forward, trace)),
            Outcome::Answer(answer) => ("answer", self.answered(answer, trace)),
            Outcome::Load(..) => return told,
        };
        if let Value::Object(members) = &mut told {
            put(members, name, value);
        }
        told
    }

    fn forwarded(&self, forward: &Forward, trace: &Trace) -> Value {
        let policy = &self.gateway.fields;
        let names = self.head.fields.names();
        let goes = |name: &String| policy.judge(name).removed || forward.remove.contains(name);
        let removed: Vec<_> = names.iter().filter(|name| goes(name)).collect();
        let backend = trace.backend.as_deref();
        let backend = self.gateway.backends.iter().find(|own| Some(&*own.name) == backend);
        let is_of_backend = |name: &str| backend.is_some_and(|own| own.fields.has(name));
        let told = |(name, value)| match is_of_backend(name) {
            true => (name, SECRET.to_owned()),
            false => (name, self.told_field(name, value)),
        };
        json!({
            "url": forward.sending.url(),
            "timeout_ms": forward.sending.timeout().millis(),
            "plan": forward.sending.plan().map(plan),
            "removed": removed,
            "set": forward.set.iter().map(told).collect::<Vec<_>>(),
            "set_on_answer": forward.edits.set,
        })
    }

    /// What is told of a field that is set. Cookies are set where one held the credential, and the others are secrets too; a
    /// field of credentials is set where it is handed on.
    fn told_field(&self, name: &str, value: &str) -> String {
        if name == "cookie" {
            return "(what the client sent, without the credential)".to_owned();
        }
        let is_of_issuer = |own: &Issuer| own.fields.iter().any(|field| field == name);
        let is_credential = name == "authorization" || self.gateway.issuers.iter().any(is_of_issuer);
        if is_credential { "(credential)".to_owned() } else { value.to_owned() }
    }

    fn answered(&self, answer: &Answer, trace: &Trace) -> Value {
        let why = answer.refusal.and_then(|refusal| self.why(refusal, trace));
        json!({
            "status": answer.status,
            "problem": answer.refusal.map(|refusal| refusal.problem().slug()),
            "reason": answer.refusal.map(crate::base::refusal::Refusal::id),
            "why": why.as_ref().map(|why| why.text.as_str()),
            "claim": why.as_ref().and_then(|why| why.claim.as_deref()),
            "fields": answer.fields,
            "body": answer.body.as_deref().map(as_json),
        })
    }

    /// The steps in the order of their stages.
    fn told_steps(&self, steps: &Steps, decision: &Decision) -> Vec<Value> {
        told_steps(steps, decision, self.gateway)
    }
}

fn told_steps(steps: &Steps, decision: &Decision, gateway: &Gateway) -> Vec<Value> {
    let trace = &decision.trace;
    let mut told = vec![match &steps.route {
        RouteStep::Taken { name, path, captures } => {
            json!({ "step": "route", "route": &**name, "path": &**path, "captures": captures })
        }
        // A path that cannot be forwarded, a preflight, one of the gateway's own.
        RouteStep::NotTaken { methods } => {
            json!({ "step": "route", "route": trace.route.as_deref(), "methods": methods })
        }
    }];
    told.extend(steps.host.as_ref().map(|step| {
        json!({ "step": "host", "host": step.host, "customer": step.customer.as_ref().map(CustomerId::as_str) })
    }));
    told.extend(steps.credential.as_ref().map(|step| credential::told(step, gateway)));
    if let Some(own) = &steps.principal {
        let mut step = principal(own, trace.auth.as_deref());
        if let Value::Object(members) = &mut step {
            put(members, "step", "principal".to_json());
        }
        told.push(step);
    }
    told.extend(steps.requirement.as_ref().map(|requirement| match requirement {
        Requirement::Holds => json!({ "step": "requirement", "holds": true }),
        Requirement::Fails(why_not) => json!({ "step": "requirement", "holds": false, "why_not": why_not }),
    }));
    told.extend(steps.authorize.clone());
    told.extend(steps.passed_over.iter().map(
        |(rule, why_not)| json!({ "step": "rule", "rule": &**rule, "matched": false, "why_not": why_not }),
    ));
    if let Some(rule) = &trace.rule {
        told.push(json!({
            "step": "rule",
            "rule": &**rule,
            "matched": true,
            "to": trace.backend.as_deref(),
            "variant": trace.variant.as_deref(),
            "bucket": trace.bucket,
            "why": steps.matched,
            "split": steps.split.as_ref().map(split),
        }));
    }
    told.extend(steps.customer.as_ref().map(customer));
    if let Outcome::Forward(forward) = &decision.outcome {
        told.extend(limits(steps, forward.admission.as_ref()));
    }
    let shadow = trace.rare.as_ref().and_then(|rare| rare.shadow.as_ref());
    told.extend(shadow.map(|shadow| json!({ "step": "shadow", "would": shadow })));
    told
}

/// A caller, and how it was authenticated.
#[cold]
#[inline(never)]
pub(super) fn principal(own: &Principal, auth: Option<&str>) -> Value {
    json!({ "auth": auth, "subject": own.subject.as_deref(), "claims": own.claims.to_json() })
}

fn split(view: &SplitView) -> Value {
    let seen = |seen: &Option<(String, String)>| {
        seen.as_ref().map(|(of, value)| json!({ "operand": of, "value": value }))
    };
    let variant =
        |(name, from, below): &(Rc<str>, u16, u16)| json!({ "name": &**name, "from": from, "below": below });
    json!({
        "chosen_by": seen(&view.chosen_by),
        "by": seen(&view.by),
        "variants": view.variants.iter().map(variant).collect::<Vec<_>>(),
    })
}

fn customer(step: &CustomerStep) -> Value {
    let CustomerStep { id, record, age } = step;
    let mut told = json!({
        "step": "customer",
        "id": id.as_str(),
        "stored_as": id.store_key(),
        "record": record.as_deref().map(customer_record),
    });
    add_age(&mut told, age);
    told
}

fn add_age(step: &mut Value, age: &Age) {
    if let Value::Object(members) = step {
        put(members, "cache", age.cache.to_json());
        put(members, "as_of", age.as_of.map(|at| at.to_string()).to_json());
    }
}

fn decided(trace: &Trace) -> Value {
    json!({
        "route": trace.route.as_deref(),
        "auth": trace.auth.as_deref(),
        "subject": trace.subject.as_deref(),
        "customer": trace.customer.as_deref(),
        "environment": trace.environment.as_deref(),
        "rule": trace.rule.as_deref(),
        "backend": trace.backend.as_deref(),
        "variant": trace.variant.as_deref(),
        "bucket": trace.bucket,
    })
}

fn customer_record(config: &CustomerConfig) -> Value {
    let place = |place: &crate::customer::origins::CustomerOrigin| {
        json!({
            "url": format!("{}{}", place.url.origin(), place.url.base()),
            "region": place.region.as_deref(),
            "weight": place.weight,
        })
    };
    json!({
        "environment": config.environment(),
        "disabled": config.disabled(),
        "hosts": config.hosts().iter().map(HostName::as_str).collect::<Vec<_>>(),
        "backends": config.backends().iter().map(place).collect::<Vec<_>>(),
    })
}

fn limits(steps: &Steps, admission: Option<&Admission>) -> Vec<Value> {
    let Some(admission) = admission else {
        let spared = steps.has_limits.then(|| json!({ "step": "limit", "name": Value::Null, }));
        return spared.into_iter().collect();
    };
    let ask = |ask: &crate::forward::limit::CounterRequest| {
        json!({
            "step": "limit",
            "name": &*ask.name,
            "binding": &*ask.binding,
            "counts": ask.key,
            "quota": ask.quota.as_ref().map(|quota| quota.quota),
            "on_failure": if ask.closed { "closed" } else { "open" },
        })
    };
    admission.asks.iter().map(ask).collect()
}

fn plan(plan: &Plan) -> Value {
    let attempt = |attempt: &crate::forward::plan::Attempt| {
        json!({
            "url": attempt.url,
            "timeout_ms": attempt.timeout,
            "binding": attempt.binding.as_deref(),
            "token_claims": attempt.assertion.as_deref().map(as_json),
            "secrets": attempt.secrets.as_deref().map(|own| fields_of(own).collect::<Vec<_>>()),
        })
    };
    json!({
        "attempts": plan.attempts.iter().map(attempt).collect::<Vec<_>>(),
        "deadline_ms": plan.deadline,
        "failure_statuses": plan.statuses,
        "needs_size": plan.needs_size,
    })
}

/// JSON that we made ourselves.
fn as_json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}
