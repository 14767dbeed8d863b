//! What each backend is told by a signed token, through the whole core.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use pointsman_core::decide::decision::Outcome;
use pointsman_testkit::{Isolate, World, bearer, key};
use serde_json::{Value, json};

/// The claims of each attempt's token, but for the times.
fn told(path: &str, key_name: Option<&str>) -> Vec<Value> {
    let (isolate, world) = (Isolate::named("identity-token"), World::of_fixtures());
    let credential = key_name.map(|name| bearer(&key(name)));
    let fields: Vec<_> = credential.iter().map(|value| ("authorization", value.as_str())).collect();
    let Outcome::Forward(forward) = isolate.get(&world, path, &fields).outcome else {
        panic!("{path} is not forwarded")
    };
    let attempts = &forward.sending.plan().expect("every request has a plan").attempts;
    attempts
        .iter()
        .map(|attempt| serde_json::from_str(attempt.assertion.as_ref().unwrap()).unwrap())
        .collect()
}

const ISSUER: &str = "https://api.example.com";

#[test]
fn a_backend_is_told_the_caller_and_its_own_name() {
    let acme = json!({
        "iss": ISSUER, "aud": "https://shared.backends.example.com", "sub": "demo-acme", "customer": "acme-corp",
        "authenticated_by": "api_key",
    });
    assert_eq!(told("/shared/x", Some("acme")), [acme]);
}

#[test]
fn chosen_claims_are_there_where_the_caller_has_them() {
    let told = told("/shared/x", Some("enterprise"));
    assert_eq!(told[0]["plan"], "enterprise");
    assert!(told[0].get("customer").is_none(), "{told:?}");
}

#[test]
fn an_anonymous_caller_has_no_subject() {
    let anonymous = json!({ "iss": ISSUER, "aud": "https://shared.backends.example.com" });
    assert_eq!(told("/shared/x", None), [anonymous]);
}

#[test]
fn every_origin_is_an_audience_of_its_own() {
    let told = told("/several/x", Some("acme"));
    let audiences: Vec<_> = told.iter().map(|claims| claims["aud"].as_str().unwrap()).collect();
    let (first, second) =
        ("https://sandbox.backends.example.com", "https://production.backends.example.com:8443");
    assert_eq!(audiences, [first, second]);
    assert_eq!(told[0]["sub"], told[1]["sub"]);
}

#[test]
fn a_bound_worker_is_named_as_in_the_url_that_it_sees() {
    assert_eq!(told("/bound/x", None)[0]["aud"], "https://orders-api.binding");
}

#[test]
fn a_customers_own_backend_is_named() {
    assert_eq!(told("/customer/x", Some("acme"))[0]["aud"], "https://acme.tenants.example.com");
}
