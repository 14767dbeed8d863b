//! A decision that a service of the operator's takes: what the service is shown of a request, and what its answer means.
//!
//! An answer is remembered under a digest of all that the service was shown, so whoever is shown alike is answered alike.

use std::{cell::Cell, rc::Rc};

use serde_json::{Map, Value};

use crate::{
    base::{
        digest::Digest,
        time::{Span, Timestamp},
    },
    identity::{jwt::VerifiedToken, principal::Principal},
    routing::operand::Operand,
};

/// The form of what is shown. A service that knows another one can tell.
pub const VERSION: u8 = 1;
/// More claims than this are no answer.
pub const MAX_CLAIMS: usize = 32;
/// Claims that say who a caller is, by whom and for how long (RFC 7519, section 4.1; RFC 7800): those of the credential, or
/// none.
pub const RESERVED: [&str; 8] = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "cnf"];

/// Which service a route asks, and how.
#[derive(Debug, Eq, PartialEq)]
pub struct Authorize {
    /// The service binding.
    pub binding: Rc<str>,
    /// How long the answer may take.
    pub timeout: Span,
    /// How long an answer counts; nothing is remembered where that is no time.
    pub keep: Span,
    /// Whether a request is refused where there is no answer.
    pub closed: bool,
    /// What the service is shown beside route, method, host, path and caller.
    pub show: Vec<Operand>,
}

/// How long a request may be the one that asks: the longest timeout and a second.
pub const LEASE: Span = Span::from_secs(6);

/// What a service is asked.
#[derive(Debug)]
pub struct Question {
    /// By which settings.
    pub by: Rc<Authorize>,
    /// What is shown, as JSON.
    pub body: String,
    /// Under what an answer is remembered.
    pub name: Digest,
    /// The request's id, for the service's log: no answer may depend on it.
    pub request_id: String,
    /// The caller, as the credential has it.
    pub principal: Rc<Principal>,
}

/// What a service says.
#[derive(Debug, Default, PartialEq)]
pub struct Answer {
    /// The status that a caller gets who may not.
    pub denied: Option<u16>,
    /// The claims that come to the caller's own.
    pub claims: Map<String, Value>,
}

impl Answer {
    /// Reads an answer; nothing where it is none. A member that nobody knows may have been meant to forbid something.
    #[must_use]
    pub fn of(members: &Map<String, Value>) -> Option<Self> {
        let (mut allow, mut status, mut claims) = (None, None, Map::new());
        for (name, value) in members {
            match (name.as_str(), value) {
                ("allow", Value::Bool(said)) => allow = Some(*said),
                ("status", Value::Number(said)) => status = Some(said.as_u64()?),
                ("claims", Value::Object(said)) => claims.clone_from(said),
                ("status" | "claims", Value::Null) => {}
                _ => return None,
            }
        }
        let denied = match (allow?, status) {
            (true, None) => None,
            (false, None) => Some(403),
            (false, Some(status @ (401..=404 | 429 | 451))) => u16::try_from(status).ok(),
            _ => return None,
        };
        let most = if denied.is_some() { 0 } else { MAX_CLAIMS };
        let is_good = claims.len() <= most && !RESERVED.iter().any(|name| claims.contains_key(*name));
        is_good.then_some(Self { denied, claims })
    }
}

impl Question {
    /// What an answer makes of the caller, and until when. A claim that the credential has stays as it is.
    #[must_use]
    pub fn conclude(&self, answer: Answer, asked_at: Timestamp) -> VerifiedToken {
        let principal = match answer.claims.is_empty() {
            true => Rc::clone(&self.principal),
            false => {
                let claims = self.principal.claims.with(answer.claims);
                Rc::new(Principal::new(self.principal.subject.clone(), claims))
            }
        };
        VerifiedToken {
            issuer: usize::MAX,
            principal,
            expires_at: asked_at.plus(self.by.keep),
            bound_to: None,
            thumbprint: None,
            signing_input: Box::from(""),
            checked: Cell::default(),
            denied: answer.denied,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{base::object::parse_object, identity::claims::Claims};

    fn answer(json: &str) -> Option<Answer> {
        Answer::of(&parse_object(json.as_bytes()).unwrap())
    }

    fn denied(status: u16) -> Option<Answer> {
        Some(Answer { denied: Some(status), claims: Map::new() })
    }

    fn claims(json: &str) -> Map<String, Value> {
        parse_object(json.as_bytes()).unwrap()
    }

    #[test]
    fn an_answer_allows_with_claims_or_denies_with_a_status() {
        let plan = claims(r#"{"plan":"gold","limits":{"a":[1]}}"#);
        assert_eq!(answer(r#"{"allow":true}"#), Some(Answer::default()));
        assert_eq!(answer(r#"{"allow":true,"claims":{}}"#), Some(Answer::default()));
        // Serializers of many languages write null for what is not there.
        assert_eq!(answer(r#"{"allow":true,"claims":null,"status":null}"#), Some(Answer::default()));
        assert_eq!(
            answer(r#"{"allow":true,"claims":{"plan":"gold","limits":{"a":[1]}}}"#),
            Some(Answer { denied: None, claims: plan })
        );
        assert_eq!(answer(r#"{"allow":false}"#), denied(403));
        for status in [401, 402, 403, 404, 429, 451] {
            let json = format!(r#"{{"allow":false,"status":{status}}}"#);
            assert_eq!(answer(&json), denied(status));
        }
    }

    #[test]
    fn what_is_no_answer_is_none() {
        for json in [
            "{}",
            r#"{"allow":null}"#,
            r#"{"allow":"true"}"#,
            r#"{"allow":1}"#,
            r#"{"allow":true,"status":200}"#,
            r#"{"allow":false,"claims":{"plan":"gold"}}"#,
            r#"{"allow":true,"claims":[]}"#,
            r#"{"allow":true,"claims":"plan"}"#,
            r#"{"allow":true,"unless":"late"}"#,
            r#"{"allow":true,"reason":null}"#,
            r#"{"allow":false,"status":"403"}"#,
            r#"{"allow":false,"status":403.5}"#,
            r#"{"allow":false,"status":-403}"#,
        ] {
            assert_eq!(answer(json), None, "{json}");
        }
        for status in [0, 200, 302, 400, 405, 407, 418, 428, 430, 450, 452, 499, 500, 503, 66_036] {
            assert_eq!(answer(&format!(r#"{{"allow":false,"status":{status}}}"#)), None, "{status}");
        }
    }

    #[test]
    fn claims_that_say_who_a_caller_is_and_too_many_are_no_answer() {
        for name in RESERVED {
            assert_eq!(answer(&format!(r#"{{"allow":true,"claims":{{"{name}":"x"}}}}"#)), None, "{name}");
        }
        let of = |count: usize| {
            let members: Vec<_> = (0..count).map(|index| format!(r#""c{index}":{index}"#)).collect();
            answer(&format!(r#"{{"allow":true,"claims":{{{}}}}}"#, members.join(",")))
        };
        assert!(of(MAX_CLAIMS).is_some());
        assert!(of(MAX_CLAIMS + 1).is_none());
    }

    #[test]
    fn what_the_credential_says_stays_as_it_is() {
        let principal =
            Principal::new(Some(Rc::from("user-1")), Claims::new(claims(r#"{"plan":"free","gone":null}"#)));
        let question = Question {
            by: Rc::new(Authorize {
                binding: Rc::from("POLICY"),
                timeout: Span::from_secs(1),
                keep: Span::from_secs(30),
                closed: true,
                show: Vec::new(),
            }),
            body: String::new(),
            name: Digest::of(b""),
            request_id: String::new(),
            principal: Rc::new(principal),
        };
        let at = Timestamp::from_millis(1000);
        let added = claims(r#"{"plan":"gold","gone":1,"seats":5}"#);
        let allowed = question.conclude(Answer { denied: None, claims: added }, at);
        assert_eq!(allowed.principal.subject.as_deref(), Some("user-1"));
        assert_eq!(allowed.principal.claims, Claims::new(claims(r#"{"plan":"free","gone":null,"seats":5}"#)));
        assert_eq!((allowed.denied, allowed.expires_at), (None, Timestamp::from_millis(31_000)));
        let plain = question.conclude(Answer::default(), at);
        assert!(Rc::ptr_eq(&plain.principal, &question.principal));
        let denied = question.conclude(Answer { denied: Some(404), claims: Map::new() }, at);
        assert_eq!(denied.denied, Some(404));
    }
}
