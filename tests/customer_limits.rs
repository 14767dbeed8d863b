//! Quotas whose number stands in the customer's record.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use pointsman_core::{decide::decision::Outcome, forward::limit::Admission};
use pointsman_testkit::{GatewayToml, Isolate, Result_, World, all_to, bearer, key};
use serde_json::{Value, json};

fn toml(more: &str) -> GatewayToml {
    let quota = |name: &str, more: &str| {
        (format!("limits.{name}"), format!("binding = \"QUOTAS\"\nquota = 1000\nper = \"month\"\n{more}"))
    };
    let ((own, own_lines), (fixed, fixed_lines)) = (quota("monthly", more), quota("fixed", ""));
    GatewayToml::new()
        .table("api_keys", "prefixes = [\"sk_live\"]")
        .table("customers", "")
        .table(&own, &own_lines)
        .table(&fixed, &fixed_lines)
        .backend("shared")
        .route("/x", &["api_key"], &format!("limits = [\"monthly\"]\n{}", all_to("shared")))
        .route("/fixed", &["api_key"], &format!("limits = [\"fixed\"]\n{}", all_to("shared")))
        .route("/free", &["api_key"], &all_to("shared"))
        .route("/open", &[], &format!("limits = [\"monthly\"]\n{}", all_to("shared")))
}

const FROM_RECORD: &str = "by = [\"$customer\", \"$ip\"]\nfrom_record = true";

fn get(isolate: &Isolate, world: &World, path: &str) -> Result_ {
    let authorization = bearer(&key("acme"));
    let fields: &[(&str, &str)] = if path == "/open" { &[] } else { &[("authorization", &authorization)] };
    isolate.get(world, path, fields)
}

fn admission(result: &Result_) -> Option<&Admission> {
    match &result.outcome {
        Outcome::Forward(forward) => forward.admission.as_ref(),
        other => panic!("{other:?}"),
    }
}

/// The quota that the counter is told, and what the caller is.
fn told(result: &Result_) -> (u64, String) {
    let admission = admission(result).expect("a limit");
    let policy = admission.policy.split(';').nth(1).unwrap().to_owned();
    (admission.asks[0].quota.as_ref().unwrap().quota, policy)
}

fn world(record: &Value) -> World {
    let world = World::of_fixtures();
    world.put("customer:acme-corp", &record.to_string());
    world
}

fn with(limits: &Value) -> Value {
    json!({ "customerId": "acme-corp", "backendUrl": "https://acme.example.com", "limits": limits })
}

#[test]
fn the_number_of_the_record_counts_and_else_that_of_the_file() {
    let gateway = || Isolate::new(toml(FROM_RECORD).gateway());
    let own = world(&with(&json!({ "monthly": 50_000, "fixed": 7 })));
    assert_eq!(told(&get(&gateway(), &own, "/x")), (50_000, "q=50000".to_owned()));
    assert_eq!(
        told(&get(&gateway(), &own, "/fixed")),
        (1000, "q=1000".to_owned()),
        "it does not say from_record"
    );
    assert_eq!(told(&get(&gateway(), &own, "/open")), (1000, "q=1000".to_owned()), "of nobody's customer");
    let other = world(&with(&json!({ "hourly": 3 })));
    assert_eq!(told(&get(&gateway(), &other, "/x")).0, 1000);
    let none = world(&with(&json!({ "monthly": null })));
    assert_eq!(told(&get(&gateway(), &none, "/x")).0, 1000, "as if it were not there");
    let unlisted = World::empty();
    unlisted.put(&format!("key:{}", sum("acme")), r#"{"subject":"s","claims":{"customerId":"nobody"}}"#);
    assert_eq!(told(&get(&gateway(), &unlisted, "/x")).0, 1000, "a customer whom nobody lists");
}

fn sum(name: &str) -> String {
    use std::fmt::Write;
    let digest = pointsman_core::base::digest::Digest::of(key(name).as_bytes());
    digest.bytes().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

#[test]
fn a_route_whose_limits_take_no_number_from_records_asks_for_none() {
    let world = world(&with(&json!({ "monthly": 50_000 })));
    let isolate = Isolate::new(toml(FROM_RECORD).gateway());
    for path in ["/fixed", "/free"] {
        get(&isolate, &world, path);
        let asked = world.take_asked();
        assert!(!asked.iter().any(|what| what.contains("customer:")), "{path}: {asked:?}");
    }
    get(&isolate, &world, "/x");
    assert!(world.take_asked().iter().any(|what| what == "kv customer:acme-corp"));
    get(&isolate, &world, "/x");
    assert_eq!(world.take_asked(), Vec::<String>::new(), "once");
}

#[test]
fn the_record_counts_as_where_a_rule_wants_its_backend() {
    let isolate = || Isolate::new(toml(FROM_RECORD).gateway());
    let disabled =
        json!({ "customerId": "acme-corp", "backendUrl": "https://a.example.com", "disabled": true });
    assert_eq!(get(&isolate(), &world(&disabled), "/x").refusal(), Some("customer_disabled"));
    assert_eq!(get(&isolate(), &world(&disabled), "/fixed").refusal(), None);
    for bad in [json!(0), json!(-1), json!(1.5), json!("50000"), json!(1_000_000_000_000_000_u64)] {
        let record = with(&json!({ "monthly": bad }));
        let refused = get(&isolate(), &world(&record), "/x");
        assert_eq!(refused.refusal(), Some("customer_record_malformed"), "{bad}");
    }
}

#[test]
fn while_the_record_cannot_be_had_the_number_of_the_file_counts() {
    let world = world(&with(&json!({ "monthly": 50_000 })));
    let isolate = Isolate::new(toml(FROM_RECORD).gateway());
    // The key is known before KV fails.
    get(&isolate, &world, "/free");
    world.fault("kv");
    assert_eq!(told(&get(&isolate, &world, "/x")).0, 1000);
}

#[test]
fn only_a_quota_takes_its_number_from_records_and_only_where_there_are_any() {
    let faults = |toml: GatewayToml| {
        let file: Value = toml::from_str(&toml.to_string()).unwrap();
        let checked = pointsman_config::parse(&file.to_string(), &std::collections::HashMap::new());
        checked.err().expect("faults").iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    let route = |toml: GatewayToml| toml.backend("shared").route("/x", &[], &all_to("shared"));
    let quota = "binding = \"Q\"\nquota = 9\nper = \"day\"\nfrom_record = true";
    let without_customers = faults(route(GatewayToml::new().table("limits.daily", quota)));
    assert!(without_customers.contains("/limits/daily/from_record: needs a [customers] section"));
    let rate = "binding = \"R\"\nlimit = 9\nperiod = \"60s\"\nfrom_record = true";
    let of_rate = faults(route(GatewayToml::new().table("customers", "").table("limits.fast", rate)));
    assert!(of_rate.contains("from_record, which are only for a quota"), "{of_rate}");
}
