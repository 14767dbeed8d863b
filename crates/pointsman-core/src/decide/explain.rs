//! A decision told step by step: what `pointsman explain` prints, and what the running gateway answers
//! an operator who shows the secret. It is put together from what the decision left behind and from
//! what memory holds. Nothing here decides, and no request that is forwarded comes by.

use serde_json::Value;

mod ask;
mod credential;
mod masked;

pub(crate) use self::ask::refuse_question;
pub use self::ask::{Ask, asked};
use crate::{
    base::{
        digest::Digest,
        json::{ToJson, json, put},
        time::Timestamp,
    },
    customer::record::CustomerConfig,
    decide::{
        decision::{Decision, Outcome},
        request_log::{Step, Trace},
    },
    forward::{
        limit::Admission,
        plan::{Forward, Plan},
    },
    http::{answer::Answer, head::Head},
    identity::customer_id::CustomerId,
    state::{
        bounds::{Bound, bounds},
        cache::Cache,
        config::{Gateway, Route},
        memory::Memory,
    },
};

/// The version of the document's form.
const VERSION: u8 = 1;

/// What an explanation is made from, beside the decision.
pub struct Explained<'a> {
    /// The configuration.
    pub gateway: &'a Gateway,
    /// The request.
    pub head: &'a Head<'a>,
    /// What was in memory when it was decided.
    pub memory: &'a Memory,
    /// When it came in.
    pub began: Timestamp,
}

impl Explained<'_> {
    /// Tells a decision. No credential is in it, and nothing that signs.
    #[must_use]
    pub fn tell(&self, decision: &Decision) -> Value {
        let mut told = self.tell_all(decision);
        masked::mask(&mut told, &masked::sent(self.head, self.gateway.api_keys.as_ref()));
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
            "steps": self.steps(decision),
            "bounds": bounds(self.gateway).iter().map(Bound::to_json).collect::<Vec<_>>(),
        });
        let (name, value) = match &decision.outcome {
            Outcome::Forward(forward) => ("forward", self.forwarded(forward)),
            Outcome::Answer(answer) => ("answer", answered(answer)),
            Outcome::Load(..) => return told,
        };
        if let Value::Object(members) = &mut told {
            put(members, name, value);
        }
        told
    }

    fn steps(&self, decision: &Decision) -> Vec<Value> {
        let trace = &decision.trace;
        let matched = self.gateway.table.find(self.head.target.path);
        let index = matched.as_ref().and_then(|matched| matched.route(self.head.method));
        let route = index.and_then(|index| self.gateway.routes.get(index));
        // A path that cannot be forwarded, a preflight, one of the gateway's own: no route was taken.
        let Some(route) = route.filter(|route| trace.route.as_ref() == Some(&route.name)) else {
            let methods = matched.map(|matched| matched.allow());
            return vec![json!({ "step": "route", "route": trace.route.as_deref(), "methods": methods })];
        };
        let captures = matched.map(|matched| matched.captures).unwrap_or_default();
        let mut steps = vec![json!({
            "step": "route",
            "route": &*route.name,
            "path": &*route.path,
            "captures": captures,
        })];
        steps.push(self.credential(route, trace));
        let Some(noted) = &trace.steps else { return steps };
        for step in noted {
            steps.push(match step {
                Step::Principal(principal) => json!({
                    "step": "principal",
                    "auth": trace.auth.as_deref(),
                    "subject": principal.subject.as_deref(),
                    "claims": principal.claims.to_json(),
                }),
                Step::Requirement(why_not) => {
                    json!({ "step": "requirement", "holds": false, "why_not": why_not })
                }
                Step::PassedOver(rule, why_not) => {
                    json!({ "step": "rule", "rule": &**rule, "matched": false, "why_not": why_not })
                }
            });
            let admitted = matches!(step, Step::Principal(_)) && !route.require.is_empty();
            if admitted && !noted.iter().any(|step| matches!(step, Step::Requirement(_))) {
                steps.push(json!({ "step": "requirement", "holds": true }));
            }
        }
        if let Some(rule) = &trace.rule {
            steps.push(json!({
                "step": "rule",
                "rule": &**rule,
                "matched": true,
                "to": trace.backend.as_deref(),
                "variant": trace.variant.as_deref(),
                "bucket": trace.bucket,
            }));
        }
        steps.extend(self.customer(trace));
        if let Outcome::Forward(forward) = &decision.outcome {
            steps.extend(limits(route, forward.admission.as_ref()));
        }
        if let Some(shadow) = &trace.shadow {
            steps.push(json!({ "step": "shadow", "would": shadow }));
        }
        steps
    }

    /// The customer's record; nothing where no rule asked for it.
    fn customer(&self, trace: &Trace) -> Option<Value> {
        let id = trace.customer.as_deref().and_then(CustomerId::parse)?;
        let customers = self.gateway.customers.as_ref()?;
        let (key, cache) = (id.cache_key(), &self.memory.customers);
        let record = cache.peek(&key);
        let mut step = json!({
            "step": "customer",
            "id": id.as_str(),
            "stored_as": id.store_key(),
            "record": record.as_deref().map(customer_record),
        });
        self.add_age(&mut step, cache, &key, &customers.policy);
        Some(step)
    }

    /// Whether an entry was loaded for this request, or how old it was.
    fn add_age<T>(
        &self,
        step: &mut Value,
        cache: &Cache<T>,
        key: &Digest,
        policy: &crate::base::freshness::Policy,
    ) {
        let as_of = cache.peek_as_of(key);
        let state = as_of.map(|at| policy.lifetimes.state(self.began.since(at)).as_str());
        let loaded = cache.asked_at(key).is_some_and(|at| at >= self.began);
        if let Value::Object(members) = step {
            put(members, "cache", if loaded { Some("loaded") } else { state }.to_json());
            put(members, "as_of", as_of.map(|at| at.to_string()).to_json());
        }
    }

    fn forwarded(&self, forward: &Forward) -> Value {
        let policy = &self.gateway.fields;
        let names = self.head.fields.names();
        let goes = |name: &String| policy.judge(name).removed || forward.remove.contains(name);
        let removed: Vec<_> = names.iter().filter(|name| goes(name)).collect();
        json!({
            "url": forward.sending.url(),
            "timeout_ms": forward.sending.timeout().millis(),
            "plan": forward.sending.plan().map(plan),
            "removed": removed,
            "set": forward.set.iter().map(told_field).collect::<Vec<_>>(),
            "set_on_answer": forward.edits.set,
        })
    }
}

/// A field that is set. Cookies are set where one held the credential, and the others are secrets too.
fn told_field<'a>((name, value): (&'a str, &str)) -> (&'a str, String) {
    let told = if name == "cookie" { "(what the client sent, without the credential)" } else { value };
    (name, told.to_owned())
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
    let place = |place: &crate::customer::record::CustomerOrigin| {
        json!({
            "url": format!("{}{}", place.url.origin(), place.url.base()),
            "region": place.region.as_deref(),
            "weight": place.weight,
        })
    };
    json!({
        "environment": config.environment(),
        "disabled": config.disabled(),
        "backends": config.backends().iter().map(place).collect::<Vec<_>>(),
    })
}

fn limits(route: &Route, admission: Option<&Admission>) -> Vec<Value> {
    let Some(admission) = admission else {
        let spared = (!route.limits.is_empty()).then(|| json!({ "step": "limit", "name": Value::Null, }));
        return spared.into_iter().collect();
    };
    let ask = |ask: &crate::forward::limit::Ask| {
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
        })
    };
    json!({
        "attempts": plan.attempts.iter().map(attempt).collect::<Vec<_>>(),
        "deadline_ms": plan.deadline,
        "failure_statuses": plan.statuses,
        "needs_size": plan.needs_size,
    })
}

fn answered(answer: &Answer) -> Value {
    json!({
        "status": answer.status,
        "problem": answer.refusal.map(|refusal| refusal.problem().slug()),
        "reason": answer.refusal.map(crate::base::refusal::Refusal::id),
        "fields": answer.fields,
        "body": answer.body.as_deref().map(as_json),
    })
}

/// JSON that we made ourselves.
fn as_json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}
