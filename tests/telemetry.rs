//! What the log's line says of requests beside what was decided: whose credential was refused, details, and the place in a
//! trace.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use pointsman_core::{
    base::digest::Digest,
    decide::request_log::{LoggedRequest, Surroundings},
    http::head::{Head, PresentFields, RequestTarget},
};
use pointsman_testkit::{GatewayToml, Isolate, Result_, TestFields, World, all_to, bearer, key, noon, token};
use serde_json::{Value, json};

fn settings() -> GatewayToml {
    GatewayToml::new()
        .table(
            "[issuers]",
            "name = \"main\"\nissuer = \"https://id.example.com/\"\naudience = \"https://api.example.com\"\n\
             jwks_url = \"https://id.example.com/.well-known/jwks.json\"\nalgorithms = [\"ES256\"]",
        )
        .table("customers", "claim = \"customerId\"")
        .table("api_keys", "prefixes = [\"sk_live\", \"sk_test\"]")
        .backend("b")
        .route("/orders/{+path}", &["api_key", "main"], &format!("name = \"orders\"\n{}", all_to("b")))
}

fn ask(isolate: &Isolate, world: &World, fields: &[(&str, &str)]) -> Result_ {
    isolate.get(world, "/orders/4711?token=secret", fields)
}

/// The line, with its details.
fn line(isolate: &Isolate, result: &Result_) -> Value {
    let fields =
        TestFields { cf: json!({ "country": "DE" }).as_object().unwrap().clone(), ..TestFields::default() };
    let target = RequestTarget::parse("https://api.example.com:8443/orders/4711?token=secret").unwrap();
    let head =
        Head { method: "GET", target, seen: PresentFields::default(), fields: &fields, request_id: "id" };
    let mut line = result.trace.open(LoggedRequest { time: noon(), request_id: "id", method: "GET" });
    let memory = isolate.memory.borrow();
    let revision = memory.directory.as_ref().map(|own| own.follower.revision());
    result.trace.write_details(&Surroundings { head: &head, gateway: &isolate.gateway, revision }, &mut line);
    serde_json::from_str(&(line + "}")).unwrap()
}

fn key_record(changes: &Value) -> Value {
    let mut record = json!({ "subject": "demo-acme", "claims": { "customerId": "acme-corp" } });
    for (name, value) in changes.as_object().unwrap() {
        record[name] = value.clone();
    }
    record
}

const LIVE: &str = "sk_live_telemetryExample0000000";

/// A key of the world's, in whatever state.
fn with_record(changes: &Value) -> (World, String) {
    let (world, key) = (World::of_fixtures(), key("acme"));
    let name = format!("key:{}", Digest::of(key.as_bytes()));
    world.put(&name, &key_record(changes).to_string());
    (world, key)
}

#[test]
fn the_line_of_a_key_that_counts_no_longer_says_whose_it_is() {
    let isolate = Isolate::new(settings().gateway());
    for (changes, reason) in [
        (json!({ "expiresAt": "2020-01-01T00:00:00Z" }), "api_key_expired"),
        (json!({ "disabled": true }), "api_key_disabled"),
        (json!({ "methods": ["POST"] }), "method_not_permitted"),
    ] {
        let isolate_of_own = Isolate::new(settings().gateway());
        let (world, key) = with_record(&changes);
        for memory in ["cold", "warm"] {
            let result = ask(&isolate_of_own, &world, &[("authorization", &bearer(&key))]);
            assert_eq!(result.refusal(), Some(reason), "{memory}");
            let line = line(&isolate_of_own, &result);
            assert_eq!(line["auth"], "api_key");
            assert_eq!(line["unverified_customer"], "acme-corp");
            assert_eq!(line["unverified_subject"], "demo-acme");
            assert_eq!(line["key"], format!("{:016x}", Digest::of(key.as_bytes()).prefix()));
            assert!(line.get("customer").is_none() && line.get("subject").is_none(), "{line}");
        }
    }
    let unknown = ask(&isolate, &World::empty(), &[("authorization", &bearer(&key("acme")))]);
    assert_eq!(unknown.refusal(), Some("api_key_unknown"));
    let line = line(&isolate, &unknown);
    assert!(line.get("key").is_some() && line.get("unverified_customer").is_none(), "{line}");
}

#[test]
fn the_line_of_a_refused_token_says_whom_it_claims_to_be_of() {
    let isolate = Isolate::new(settings().gateway());
    let world = World::of_fixtures();
    for (name, reason) in [
        ("bad-expired", "token_expired"),
        ("bad-audience", "token_audience"),
        ("bad-kid-unknown", "token_key_unknown"),
        ("bad-signature-of-a-stranger", "token_signature"),
    ] {
        let result = ask(&isolate, &world, &[("authorization", &bearer(&token(name)))]);
        assert_eq!(result.refusal(), Some(reason));
        let line = line(&isolate, &result);
        assert_eq!(line["auth"], "main", "{name}: {line}");
        assert!(line["unverified_subject"].is_string(), "{name}: {line}");
        assert!(line.get("subject").is_none() && line.get("key").is_none(), "{name}: {line}");
    }
    let stranger = ask(&isolate, &world, &[("authorization", &bearer(&token("bad-issuer")))]);
    assert_eq!(stranger.refusal(), Some("token_issuer"));
    assert!(line(&isolate, &stranger).get("auth").is_none(), "no issuer that is configured");
}

#[test]
fn whoever_was_authenticated_is_never_called_unverified() {
    let isolate = Isolate::new(settings().gateway());
    let result = ask(&isolate, &World::of_fixtures(), &[("authorization", &bearer(&key("acme")))]);
    let line = line(&isolate, &result);
    assert!(line.get("unverified_customer").is_none(), "{line}");
    assert_eq!(line["key"], format!("{:016x}", Digest::of(key("acme").as_bytes()).prefix()));
    let none = ask(&isolate, &World::of_fixtures(), &[]);
    assert_eq!(none.refusal(), Some("credential_missing"));
    assert!(self::line(&isolate, &none).get("auth").is_none());
}

#[test]
fn a_line_grows_by_no_more_than_it_may_whatever_a_token_claims() {
    let long = "é".repeat(4000);
    let claims =
        json!({ "iss": "https://id.example.com/", "sub": long, "customerId": "x".repeat(4000), "exp": 1 });
    let forged = pointsman_testkit::mint("es256-2", &json!({ "alg": "ES256" }), &claims);
    let isolate = Isolate::new(settings().gateway());
    let result = ask(&isolate, &World::of_fixtures(), &[("authorization", &bearer(&forged))]);
    let line = line(&isolate, &result);
    assert_eq!(line["unverified_subject"], "é".repeat(128));
    assert!(line.get("unverified_customer").is_none(), "no customer has such an id");
}

#[test]
fn details_say_where_a_request_came_in_and_what_decided_on_it() {
    let isolate = Isolate::following(settings().gateway());
    let result = ask(&isolate, &World::of_fixtures(), &[("authorization", &bearer(LIVE))]);
    let line = line(&isolate, &result);
    assert_eq!(line["path_template"], "/orders/{+path}");
    assert_eq!(line["route"], "orders");
    assert_eq!(line["host"], "api.example.com");
    assert_eq!(line["country"], "DE");
    assert_eq!(line["configuration"], isolate.gateway.version());
    assert!(line["directory_revision"].is_u64(), "{line}");
    assert!(!line.to_string().contains("secret") && !line.to_string().contains("4711"), "{line}");
}

const CAME: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn traced(lines: &str, fields: &[(&str, &str)]) -> (Result_, Value) {
    let isolate = Isolate::new(settings().table("tracing", lines).gateway());
    let authorization = bearer(&key("acme"));
    let fields: Vec<_> =
        [("authorization", authorization.as_str())].into_iter().chain(fields.iter().copied()).collect();
    let result = ask(&isolate, &World::of_fixtures(), &fields);
    let line = line(&isolate, &result);
    (result, line)
}

#[test]
fn a_trace_is_the_same_for_client_log_and_backend() {
    let sent = [("traceparent", CAME), ("tracestate", "vendor=1"), ("baggage", "user=1")];
    let (result, line) = traced("context = \"trust\"", &sent);
    let told = &result.backend_fields["traceparent"][0];
    assert_eq!(line["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(
        *told,
        format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{}-01", line["span_id"].as_str().unwrap())
    );
    assert_eq!(result.backend_fields["tracestate"], ["vendor=1"]);
    assert_eq!(result.backend_fields["baggage"], ["user=1"]);

    let (result, line) = traced("context = \"continue\"\nsample = \"0%\"", &sent);
    assert_eq!(line["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert!(result.backend_fields["traceparent"][0].ends_with("-00"), "the client says not what is sampled");

    let (result, line) = traced("context = \"new\"\nsample = \"100%\"", &sent);
    assert_ne!(line["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
    assert!(result.backend_fields["traceparent"][0].ends_with("-01"));
    assert!(!result.backend_fields.contains_key("tracestate"));
    assert!(!result.backend_fields.contains_key("baggage"));
}

#[test]
fn a_trace_begins_where_none_came_and_state_without_a_trace_is_dropped() {
    for sent in [&[("tracestate", "vendor=1")][..], &[("traceparent", "00-no"), ("tracestate", "vendor=1")]] {
        let (result, line) = traced("context = \"trust\"", sent);
        let told = &result.backend_fields["traceparent"][0];
        assert!(told.contains(line["trace_id"].as_str().unwrap()), "{told}");
        assert!(!result.backend_fields.contains_key("tracestate"));
    }
}

#[test]
fn a_refused_request_has_its_trace_in_the_log() {
    let isolate = Isolate::new(settings().table("tracing", "context = \"trust\"").gateway());
    let result = ask(&isolate, &World::of_fixtures(), &[("traceparent", CAME)]);
    assert_eq!(result.refusal(), Some("credential_missing"));
    assert_eq!(line(&isolate, &result)["trace_id"], "4bf92f3577b34da6a3ce929d0e0e4736");
}

#[test]
fn without_the_setting_a_trace_passes_as_it_came() {
    let isolate = Isolate::new(settings().gateway());
    let sent = [("authorization", bearer(&key("acme"))), ("traceparent", CAME.to_owned())];
    let sent: Vec<_> = sent.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let result = ask(&isolate, &World::of_fixtures(), &sent);
    assert_eq!(result.backend_fields["traceparent"], [CAME]);
    assert!(line(&isolate, &result).get("trace_id").is_none());
}
