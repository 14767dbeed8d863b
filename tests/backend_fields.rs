//! What a backend is given with each request stays between the gateway and that backend.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::collections::HashMap;

use pointsman_core::{
    decide::{decision::Outcome, request_log::LoggedRequest},
    state::config::Gateway,
};
use pointsman_testkit::{Isolate, TestFields, World, bearer, key, noon, read};
use serde_json::{Value, json};

const CANARY: &str = "canary-5b1c90e2";

/// `fixtures/gateways/backends.toml`, with a canary for each secret.
fn gateway() -> Gateway {
    let file: Value = toml::from_str(&read("fixtures/gateways/backends.toml")).unwrap();
    let mut variables: HashMap<String, String> = pointsman_testkit::variables();
    variables.insert("BACKEND_SECRET".to_owned(), CANARY.to_owned());
    match pointsman_config::parse(&file.to_string(), &variables) {
        Ok(checked) => {
            assert!(!checked.form.to_string().contains(CANARY));
            checked.gateway
        }
        Err(findings) => panic!("{findings:#?}"),
    }
}

fn fields(pairs: &[(&str, &str)]) -> TestFields {
    let fields = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    TestFields { fields, ..TestFields::default() }
}

#[test]
fn the_secret_is_told_nobody_but_its_backend() {
    let (isolate, world) = (Isolate::new(gateway()), World::of_fixtures());
    let authorization = bearer(&key("acme"));
    for (path, gets_it) in [
        ("/secret/x", true),
        ("/basic/x", false),
        ("/several/x", true),
        ("/plain/x", false),
        ("/customer/x", false),
        ("/nowhere", false),
    ] {
        let sent = fields(&[("authorization", &authorization), ("x-backend-secret", "guess")]);
        let result = isolate.request(&world, "GET", path, sent.clone());
        let got = result.backend_fields.get("x-backend-secret");
        assert_eq!(got == Some(&vec![CANARY.to_owned()]), gets_it, "{path}: {got:?}");
        let line = result.trace.open(LoggedRequest { time: noon(), request_id: "r", method: "GET" });
        assert!(!line.contains(CANARY), "{line}");
        match &result.outcome {
            Outcome::Forward(forward) => {
                let edits = &forward.edits.set;
                assert!(!edits.iter().any(|(_, value)| value.contains(CANARY)), "{path}");
                assert!(!forward.sending.url().contains(CANARY), "{path}");
            }
            Outcome::Answer(answer) => {
                assert!(!answer.body.as_deref().unwrap_or_default().contains(CANARY), "{path}");
                assert!(!answer.fields.iter().any(|(_, value)| value.contains(CANARY)), "{path}");
            }
            Outcome::Load(..) => panic!("{path} is not decided"),
        }
        let told = isolate.explain(&world, "GET", path, &sent, None);
        assert!(!told.to_string().contains(CANARY), "{told}");
        let secret = json!(["x-backend-secret", "(secret)"]);
        let is_told = told["forward"]["set"].as_array().is_some_and(|set| set.contains(&secret));
        assert_eq!(is_told, gets_it, "{path}: {told}");
    }
}

#[test]
fn a_user_and_a_password_are_sent_as_basic_sends_them() {
    let (isolate, world) = (Isolate::new(gateway()), World::of_fixtures());
    let sent = fields(&[("authorization", &bearer(&key("acme")))]);
    let result = isolate.request(&world, "GET", "/basic/x", sent.clone());
    // gateway:canary-5b1c90e2
    let basic = vec!["Basic Z2F0ZXdheTpjYW5hcnktNWIxYzkwZTI=".to_owned()];
    assert_eq!(result.backend_fields.get("authorization"), Some(&basic));
    let told = isolate.explain(&world, "GET", "/basic/x", &sent, None);
    assert!(told["forward"]["set"].as_array().unwrap().contains(&json!(["authorization", "(secret)"])));
    assert!(!told.to_string().contains("Z2F0ZXdheT"), "{told}");
}

#[test]
fn nothing_that_a_client_sends_removes_or_shadows_the_field() {
    let (isolate, world) = (Isolate::new(gateway()), World::of_fixtures());
    let authorization = bearer(&key("acme"));
    for (name, value) in [
        ("connection", "x-backend-secret"),
        ("x_backend_secret", "guess"),
        ("X.Backend.Secret", "guess"),
        ("x-backend-secret", key("acme").as_str()),
    ] {
        let result =
            isolate.get(&world, "/secret/x", &[("authorization", authorization.as_str()), (name, value)]);
        let alike: Vec<_> = result
            .backend_fields
            .iter()
            .filter(|(own, _)| own.replace(['_', '.'], "-") == "x-backend-secret")
            .collect();
        let wanted = ("x-backend-secret".to_owned(), vec![CANARY.to_owned()]);
        assert_eq!(alike, [(&wanted.0, &wanted.1)], "{name}");
    }
}

#[test]
fn a_secret_that_cannot_be_sent_keeps_the_gateway_from_starting_and_is_not_told() {
    let file: Value = toml::from_str(&read("fixtures/gateways/backends.toml")).unwrap();
    let form = pointsman_config::parse(&file.to_string(), &pointsman_testkit::variables()).unwrap().form;
    let mut variables = pointsman_testkit::variables();
    variables.insert("BACKEND_SECRET".to_owned(), format!("{CANARY}\r\nx-other: 1"));
    let Err(faults) = pointsman_checked::read(&form.to_string(), &variables) else {
        panic!("a line break is taken")
    };
    let faults = format!("{faults:?}");
    assert!(faults.contains("/backends/") && faults.contains("/headers/0/value"), "{faults}");
    assert!(!faults.contains(CANARY), "{faults}");
}
