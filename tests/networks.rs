//! Backends in private networks: an address there says nothing without its network.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use pointsman_core::decide::decision::Outcome;
use pointsman_testkit::{GatewayToml, Isolate, World, all_to, bearer, key, read};
use serde_json::{Value, json};

const ADDRESS: &str = "http://10.0.0.5:8080";

fn toml() -> GatewayToml {
    let key = read("fixtures/keys/private.json");
    let key = serde_json::from_str::<Value>(&key).unwrap()["es256-1"].to_string();
    let origins =
        format!("origins = [{{ url = \"vpc:EAST/{ADDRESS}\" }}, {{ url = \"vpc:WEST/{ADDRESS}\" }}]");
    GatewayToml::new()
        .table("api_keys", "prefixes = [\"sk_live\"]")
        .table("customers", "networks = [\"ACME_NET\", \"WAYNE_NET\"]")
        .table("identity.token", &format!("issuer = \"https://gw.example.com\"\nkeys = ['{key}']"))
        .table("backends.both", &origins)
        .route("/own/{+path}", &["api_key"], &format!("rewrite = \"/{{+path}}\"\n{}", all_to("customer")))
        .route("/both/{+path}", &["api_key"], &format!("rewrite = \"/{{+path}}\"\n{}", all_to("both")))
}

fn send(world: &World, record: &Value, path: &str) -> pointsman_testkit::Result_ {
    world.put("customer:acme-corp", &record.to_string());
    let isolate = Isolate::new(toml().gateway());
    isolate.get(world, path, &[("authorization", &bearer(&key("acme")))])
}

fn record(url: &str) -> Value {
    json!({ "customerId": "acme-corp", "backendUrl": url })
}

#[test]
fn a_customer_is_reached_in_its_own_network_alone() {
    let world = World::of_fixtures();
    for network in ["ACME_NET", "WAYNE_NET"] {
        let place = format!("vpc:{network}/{ADDRESS}");
        let result = send(&world, &record(&format!("{place}/base")), "/own/orders?x=1");
        let Outcome::Forward(forward) = &result.outcome else { panic!("{:?}", result.outcome) };
        let [attempt] = forward.sending.plan().unwrap().attempts.as_slice() else { panic!("one attempt") };
        assert_eq!(attempt.url, format!("{ADDRESS}/base/orders?x=1"));
        assert_eq!(attempt.binding.as_deref(), Some(network));
        assert_eq!(&*attempt.origin, place, "the log names the network");
        assert!(attempt.key.contains(&place), "its health is its own: {}", attempt.key);
        let claims: Value = serde_json::from_str(attempt.assertion.as_deref().unwrap()).unwrap();
        assert_eq!(claims["aud"], place, "no token is good at the same address of another network");
    }
}

#[test]
fn a_record_opens_no_binding_that_the_gateways_file_does_not_list() {
    let world = World::of_fixtures();
    for other in ["OTHER_NET", "EAST", "POINTSMAN_KV", "acme_net"] {
        let result = send(&world, &record(&format!("vpc:{other}/{ADDRESS}")), "/own/x");
        assert_eq!(result.refusal(), Some("customer_record_not_permitted"), "{other}");
    }
    let mixed = json!({ "customerId": "acme-corp", "backends": [
        { "url": "https://acme.example.com" }, { "url": format!("vpc:OTHER_NET/{ADDRESS}") },
    ] });
    assert_eq!(send(&world, &mixed, "/own/x").refusal(), Some("customer_record_not_permitted"));
}

#[test]
fn one_address_in_two_networks_is_two_origins() {
    let result = send(&World::of_fixtures(), &record("https://acme.example.com"), "/both/orders");
    let Outcome::Forward(forward) = &result.outcome else { panic!("{:?}", result.outcome) };
    let attempts = &forward.sending.plan().unwrap().attempts;
    let told: Vec<_> = attempts.iter().map(|one| (one.binding.as_deref(), one.url.as_str())).collect();
    let url = format!("{ADDRESS}/orders");
    assert_eq!(told, [(Some("EAST"), url.as_str()), (Some("WEST"), url.as_str())]);
    assert_ne!(attempts[0].key, attempts[1].key);
    assert!(forward.set.iter().any(|field| field == ("x-forwarded-prefix", "/both")));
}
