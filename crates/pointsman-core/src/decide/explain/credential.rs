//! What an explanation says of the credential: its form and where it is stored, and never itself.

use serde_json::Value;

use super::add_age;
use crate::{
    base::json::{ToJson, json, put},
    decide::steps::{CredentialForm, CredentialStep, KeyStep, TokenStep},
    identity::{
        claims::ClaimPath, customer_id::CustomerId, issuer_customers::Only, jwt::Issuer,
        key_record::store_key, method::CLIENT_CERTIFICATE,
    },
    state::config::Gateway,
};

pub(super) fn told(step: &CredentialStep, gateway: &Gateway) -> Value {
    let accepted: Vec<_> = step.accepted.iter().map(|name| &**name).collect();
    let mut told = json!({
        "step": "credential",
        "accepted": accepted,
        "anonymous": step.anonymous,
        "places": step.places,
        "place": step.place.as_deref(),
    });
    let (form, detail) = match &step.form {
        CredentialForm::NotAskedFor => ("not asked for", Value::Null),
        CredentialForm::Assumed => ("claims", Value::Null),
        CredentialForm::Unreadable(refusal) => ("unreadable", json!({ "why_not": refusal.id() })),
        CredentialForm::None => ("none", Value::Null),
        CredentialForm::ApiKey(key) => {
            add_age(&mut told, &key.age);
            ("api_key", api_key(key))
        }
        CredentialForm::ClientCertificate(of) => {
            add_age(&mut told, &of.age);
            (CLIENT_CERTIFICATE, client_certificate(of))
        }
        CredentialForm::Token(of) => {
            if let Value::Object(members) = &mut told {
                put(members, "cache", of.verified.to_json());
            }
            ("token", token(of, &expected(step, of, gateway)))
        }
        CredentialForm::OpaqueToken(digest) => ("opaque_token", json!({ "digest": digest.to_string() })),
        CredentialForm::NoToken => {
            let why_not = "it is no JWS in compact serialization (RFC 7515, section 7.1)";
            ("token", json!({ "why_not": why_not }))
        }
    };
    if let Value::Object(members) = &mut told {
        if let Some(proof) = &step.proof {
            put(members, "proof", proof.clone());
        }
        put(members, "form", form.to_json());
        put(members, "detail", detail);
    }
    told
}

fn record(key: &KeyStep) -> Option<Value> {
    let record = key.record.as_deref()?;
    Some(json!({
        "expires_at": record.expires_at().map(|at| at.to_string()),
        "disabled": record.disabled(),
    }))
}

fn client_certificate(of: &KeyStep) -> Value {
    json!({ "fingerprint": of.digest.to_string(), "stored_as": store_key(&of.digest), "record": record(of) })
}

fn api_key(key: &KeyStep) -> Value {
    json!({
        "prefix": key.prefix,
        "checksum": key.checksum,
        "digest": key.digest.to_string(),
        "stored_as": store_key(&key.digest),
        "record": record(key),
    })
}

/// The issuers of which the route takes tokens: the one that the token names, else all of them.
pub(super) fn expected<'a>(
    step: &CredentialStep,
    token: &TokenStep,
    gateway: &'a Gateway,
) -> Vec<&'a Issuer> {
    let accepted = gateway.issuers.iter().filter(|issuer| step.accepted.contains(&issuer.name));
    let all: Vec<_> = accepted.collect();
    let claimed = token.claims.get("iss").and_then(Value::as_str);
    match all.iter().find(|issuer| claimed.is_some_and(|iss| issuer.issuer.fits(iss))) {
        Some(named) => vec![named],
        None => all,
    }
}

fn token(token: &TokenStep, expected: &[&Issuer]) -> Value {
    let issuer = |issuer: &&Issuer| {
        json!({
            "issuer": &*issuer.name,
            "iss": issuer.issuer.as_str(),
            "tenants": issuer.issuer.tenants().map(<[String]>::to_vec),
            "aud": issuer.audience.accepted,
            "audience_claims": issuer.audience.claims.iter().map(ClaimPath::as_str).collect::<Vec<_>>(),
            "alg": issuer.algorithms.iter().map(|algorithm| algorithm.name()).collect::<Vec<_>>(),
            "typ": issuer.types,
        })
    };
    json!({
        "header": Value::Object(token.header.clone()),
        "claims": Value::Object(token.claims.clone()),
        "digest": token.digest.to_string(),
        "verified": token.verified.is_some(),
        "expected": expected.iter().map(issuer).collect::<Vec<_>>(),
        "customers": token.customers.as_ref().map(customers),
    })
}

fn customers(only: &Only) -> Value {
    match only {
        Only::Ids(ids) => ids.iter().map(CustomerId::as_str).collect::<Vec<_>>().to_json(),
        Only::Claim(path) => json!({ "claim": path.as_str() }),
    }
}
