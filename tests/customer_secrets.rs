//! Secrets in customers' records: which origin gets which, and what is never sent anywhere. They are opened at the edge:
//! `tests/workerd/customer-secrets.test.mjs`.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use base64ct::{Base64UrlUnpadded, Encoding};
use pointsman_core::customer::secret::fields_of;
use pointsman_core::decide::{decision::Outcome, request_log::LoggedRequest};
use pointsman_testkit::{GatewayToml, Isolate, Result_, TestFields, World, all_to, bearer, key, noon};
use serde_json::{Value, json};

const SECRET: &str = "pso_OperatorSecretOfTheFixturesIsPublic00000000_2KJXj2";
const REST: &str = "..aXY.Y2FuYXJ5.dGFn";

fn toml(customers: &str) -> GatewayToml {
    let own = format!("rewrite = \"/{{+path}}\"\n{}", all_to("customer"));
    GatewayToml::new()
        .table("api_keys", "prefixes = [\"sk_live\"]")
        .table("customers", customers)
        .backend("shared")
        .route("/own/{+path}", &["api_key"], &own)
        .route("/shared/{+path}", &["api_key"], &all_to("shared"))
}

fn usual() -> String {
    let keys = format!("[{{ id = \"k1\", secret = \"{SECRET}\" }}]");
    format!("secrets = {{ keys = {keys}, fields = [\"authorization\", \"x-api-secret\"] }}")
}

fn record(secrets: &Value) -> Value {
    json!({
        "customerId": "acme-corp",
        "backends": [{ "url": "https://a.acme.example/one" }, { "url": "https://b.acme.example" }],
        "secrets": secrets,
    })
}

fn sealed(header: &Value) -> String {
    Base64UrlUnpadded::encode_string(header.to_string().as_bytes()) + REST
}

fn secret(field: &str, origin: &str) -> String {
    sealed(
        &json!({ "alg": "dir", "enc": "A256GCM", "kid": "k1", "sub": "acme-corp", "aud": origin, "field": field }),
    )
}

fn send(customers: &str, record: &Value, path: &str, fields: &[(&str, &str)]) -> Result_ {
    let world = World::of_fixtures();
    world.put("customer:acme-corp", &record.to_string());
    let authorization = bearer(&key("acme"));
    let mut all = vec![("authorization", authorization.as_str())];
    all.extend_from_slice(fields);
    Isolate::new(toml(customers).gateway()).get(&world, path, &all)
}

#[test]
fn each_origin_gets_its_own_secrets_and_no_other_origin_any() {
    let secrets = json!([
        secret("authorization", "https://a.acme.example"),
        secret("x-api-secret", "https://a.acme.example"),
    ]);
    let result = send(&usual(), &record(&secrets), "/own/orders", &[]);
    let Outcome::Forward(forward) = &result.outcome else { panic!("{:?}", result.outcome) };
    let plan = forward.sending.plan().expect("a plan: the edge opens secrets attempt by attempt");
    let told: Vec<_> = plan
        .attempts
        .iter()
        .map(|one| (&*one.origin, one.secrets.as_deref().map(|own| fields_of(own).collect::<Vec<_>>())))
        .collect();
    assert_eq!(
        told,
        [
            ("https://a.acme.example", Some(vec!["authorization", "x-api-secret"])),
            ("https://b.acme.example", None)
        ]
    );
    let line = result.trace.open(LoggedRequest { time: noon(), request_id: "r", method: "GET" });
    assert!(!line.contains(REST) && !forward.set.as_str().contains(REST));
}

#[test]
fn a_customer_without_secrets_and_everybody_elses_requests_are_as_before() {
    let alone = json!({ "customerId": "acme-corp", "backendUrl": "https://a.acme.example" });
    let result = send(&usual(), &alone, "/own/orders", &[]);
    let Outcome::Forward(forward) = &result.outcome else { panic!("{:?}", result.outcome) };
    assert!(forward.sending.plan().is_none(), "one call of one URL needs no plan");
    let with = record(&json!([secret("x-api-secret", "https://a.acme.example")]));
    let shared =
        send(&usual(), &with, "/shared/orders", &[("x-api-secret", "mine"), ("x_api_secret", "mine")]);
    let Outcome::Forward(forward) = &shared.outcome else { panic!("{:?}", shared.outcome) };
    assert!(forward.sending.plan().is_none());
    assert!(!shared.backend_fields.contains_key("x_api_secret"), "what a backend may read as the other");
}

#[test]
fn a_record_fills_no_field_that_the_gateways_file_does_not_open() {
    let of = |header: &str| record(&json!([secret(header, "https://a.acme.example")]));
    let refused = Some("customer_record_not_permitted");
    assert_eq!(send(&usual(), &of("x-customer-id"), "/own/x", &[]).refusal(), refused);
    assert_eq!(send("", &of("authorization"), "/own/x", &[]).refusal(), refused, "no key, no field");
}

#[test]
fn a_secret_for_another_customer_or_an_origin_that_the_record_does_not_have_is_a_fault() {
    let here = "https://a.acme.example";
    let of = |more: Value| {
        let mut header = json!({ "alg": "dir", "sub": "acme-corp", "aud": here, "field": "authorization" });
        header.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        sealed(&header)
    };
    assert!(send(&usual(), &record(&json!([of(json!({}))])), "/own/x", &[]).refusal().is_none());
    for (sealed, why) in [
        (secret("authorization", "https://elsewhere.example"), "the backend has moved"),
        (secret("authorization", "https://a.acme.example/one"), "a URL is no origin"),
        (secret("authorization", "http://a.acme.example"), "another scheme"),
        (secret("authorization", "https://a.acme.example:8443"), "another port"),
        (secret("Authorization", here), "not in lower case"),
        (secret("", here), "no field"),
        (of(json!({ "sub": "wayne-ent" })), "copied from another customer"),
        (of(json!({ "sub": null })), "for no customer"),
        (of(json!({ "aud": [here] })), "a list"),
        (of(json!({ "field": "x\ny" })), "no name"),
        (format!("{}\nauthorization\nplain", secret("authorization", here)), "a line of its own"),
        (REST.to_owned(), "no header"),
        ("plain".to_owned(), "no JWE"),
        (String::new(), "nothing"),
        (format!("{}{}", secret("authorization", here), "A".repeat(9000)), "too long"),
    ] {
        let result = send(&usual(), &record(&json!([sealed])), "/own/x", &[]);
        assert_eq!(result.refusal(), Some("customer_record_malformed"), "{why}: {sealed}");
    }
}

#[test]
fn an_explanation_names_the_fields_and_shows_nothing_sealed() {
    let world = World::of_fixtures();
    let secrets = json!([secret("authorization", "https://a.acme.example")]);
    world.put("customer:acme-corp", &record(&secrets).to_string());
    let authorization = bearer(&key("acme"));
    let sent = vec![("authorization".to_owned(), authorization)];
    let sent = TestFields { fields: sent, ..TestFields::default() };
    let told = Isolate::new(toml(&usual()).gateway()).explain(&world, "GET", "/own/x", &sent, None);
    let attempts = &told["forward"]["plan"]["attempts"];
    assert_eq!(attempts[0]["secrets"], json!(["authorization"]));
    assert_eq!(attempts[1]["secrets"], Value::Null);
    assert!(!told.to_string().contains(REST) && !told.to_string().contains(SECRET), "{told}");
}

#[test]
fn a_key_that_is_none_or_stands_twice_is_a_fault_of_the_file() {
    let faults = |customers: &str| {
        let file: Value = toml::from_str(&toml(customers).to_string()).unwrap();
        let checked = pointsman_config::parse(&file.to_string(), &std::collections::HashMap::new());
        checked.err().expect("faults").iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let keys = |keys: &str| format!("secrets = {{ keys = [{keys}] }}");
    let one = format!("{{ id = \"k1\", secret = \"{SECRET}\" }}");
    for (customers, pointer) in [
        (keys(""), "/customers/secrets/keys: "),
        (keys("{ id = \"k1\", secret = \"password\" }"), "/customers/secrets/keys/0/secret: "),
        (keys(&format!("{one}, {one}")), "/customers/secrets/keys/1/id: "),
        (usual().replace("\"x-api-secret\"", "\"x-customer-id\""), "/customers/secrets/fields/1: "),
        (usual().replace("\"x-api-secret\"", "\"host\""), "/customers/secrets/fields/1: "),
        (usual().replace("\"x-api-secret\"", "\"AUTHORIZATION\""), "/customers/secrets/fields/1: "),
    ] {
        let said = faults(&customers);
        assert!(said.contains(pointer) && !said.contains(SECRET), "{customers}: {said}");
    }
}
