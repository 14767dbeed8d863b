//! What an explanation says of the credential: its form and where it is stored, and never itself.

use serde_json::{Map, Value};

use super::Explained;
use crate::{
    base::{
        digest::Digest,
        json::{ToJson, json, put},
    },
    decide::request_log::Trace,
    identity::{
        api_key::store_key,
        compact,
        credential::{Credential, find_credential},
        customer_id::CustomerId,
        issuer_customers::Only,
    },
    state::config::Route,
};

impl Explained<'_> {
    pub(super) fn credential(&self, route: &Route, trace: &Trace) -> Value {
        let auth = &route.auth;
        let issuers = auth.issuers.iter().filter_map(|index| self.gateway.issuers.get(*index));
        let api_key = auth.api_key.then_some("api_key");
        let accepted: Vec<_> = api_key.into_iter().chain(issuers.map(|issuer| &*issuer.name)).collect();
        let mut step = json!({ "step": "credential", "accepted": accepted, "anonymous": auth.anonymous });
        let (form, detail) = if !auth.needs_credential() {
            ("not asked for", Value::Null)
        } else if trace.auth.as_deref() == Some("assumed") {
            ("claims", Value::Null)
        } else {
            match find_credential(self.head, self.gateway.api_keys.as_ref()) {
                Err(refusal) => ("unreadable", json!({ "why_not": refusal.id() })),
                Ok(None) => ("none", Value::Null),
                Ok(Some(Credential::ApiKey(key))) => ("api_key", self.api_key(&key, &mut step)),
                Ok(Some(Credential::Token(token))) => ("token", self.token(&token, trace, &mut step)),
            }
        };
        if let Value::Object(members) = &mut step {
            put(members, "form", form.to_json());
            put(members, "detail", detail);
        }
        step
    }

    fn api_key(&self, key: &str, step: &mut Value) -> Value {
        let Some(keys) = &self.gateway.api_keys else { return Value::Null };
        let digest = Digest::of(key.as_bytes());
        let record = self.memory.keys.peek(&digest);
        let record = record.as_deref().map(|config| {
            json!({
                "expires_at": config.expires_at().map(|at| at.to_string()),
                "disabled": config.disabled(),
            })
        });
        self.add_age(step, &self.memory.keys, &digest, keys.policy());
        json!({
            "prefix": keys.prefix_of(key),
            "checksum": keys.has_checksum().then(|| keys.digest(key).is_ok()),
            "digest": digest.to_string(),
            "stored_as": store_key(&digest),
            "record": record,
        })
    }

    fn token(&self, token: &str, trace: &Trace, step: &mut Value) -> Value {
        let Ok(parsed) = compact::parse(token) else {
            return json!({ "why_not": "it is no JWS in compact serialization (RFC 7515, section 7.1)" });
        };
        let known_by = Digest::of(compact::split_signing_input(token).1.as_bytes());
        let loaded = self.memory.tokens.asked_at(&known_by).is_some_and(|at| at >= self.began);
        let verified = trace.auth.is_some();
        if let Value::Object(members) = step {
            put(members, "cache", verified.then_some(if loaded { "loaded" } else { "fresh" }).to_json());
        }
        let customers = trace.auth.is_none().then(|| self.customers_of(&parsed.claims)).flatten();
        // What it says of itself; that much an operator may see of a token that nobody vouches for.
        let pick = |from: &Map<String, Value>, names: &[&str]| -> Map<String, Value> {
            let of = |name: &&str| Some(((*name).to_owned(), from.get(*name)?.clone()));
            names.iter().filter_map(of).collect()
        };
        json!({
            "header": Value::Object(pick(&parsed.header, &["alg", "kid", "typ"])),
            "claims": Value::Object(pick(&parsed.claims, &["iss", "aud", "exp", "nbf", "iat"])),
            "digest": Digest::of(token.as_bytes()).to_string(),
            "verified": verified,
            "customers": customers,
        })
    }

    /// The customers that the issuer of a refused token may speak for, where it is limited.
    fn customers_of(&self, claims: &Map<String, Value>) -> Option<Value> {
        let named = claims.get("iss").and_then(Value::as_str)?;
        let issuer = self.gateway.issuers.iter().find(|issuer| issuer.issuer == named)?;
        Some(match &issuer.customers.as_ref()?.only {
            Only::Ids(ids) => ids.iter().map(CustomerId::as_str).collect::<Vec<_>>().to_json(),
            Only::Claim(path) => json!({ "claim": path.as_str() }),
        })
    }
}
