//! Customers by their own hosts: what an isolate asks for, how long that counts, and how it hears of changes. The clock is set.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use pointsman_core::base::time::Span;
use pointsman_ledger::{Commit, Edit, Settings, Source};
use pointsman_loader::scheduled::CustomerRefresh;
use pointsman_testkit::{GatewayToml, Isolate, World};
use serde_json::{Value, json};

const API: &str = "https://config.example.com/customers";
const OWN: &str = "customer = \"$host\"\nrules = [{ name = \"own\", to = \"customer\" }]";

fn gateway(customers: &str) -> GatewayToml {
    GatewayToml::new().table("customers", customers).table("directory", "on_failure = \"open\"").route(
        "/{+path}",
        &[],
        OWN,
    )
}

fn with_api(more: &str) -> GatewayToml {
    let api = format!("url = \"{API}\", token = \"0123456789abcdef0123456789abcdef\"");
    gateway(&format!("source = {{ {api}{more} }}"))
}

fn record(id: &str, hosts: &[&str]) -> Value {
    json!({ "customerId": id, "backendUrl": format!("https://{id}.example.com"), "hosts": hosts })
}

fn customer(world: &World, id: &str, hosts: &[&str]) {
    world.put(&format!("customer:{id}"), &record(id, hosts).to_string());
}

fn point(world: &World, host: &str, id: &str) {
    world.put(&format!("host:{host}"), &json!({ "customerId": id }).to_string());
}

/// The customer whose backend a request at this host goes to, or why it is refused.
fn told(isolate: &Isolate, world: &World, host: &str) -> String {
    let result = isolate.get(world, &format!("https://{host}/x"), &[]);
    let to = result.forwarded().map(|url| {
        url.strip_prefix("https://").and_then(|url| url.split('.').next()).unwrap_or_default().to_owned()
    });
    to.or_else(|| result.refusal().map(str::to_owned)).expect("an outcome")
}

fn asked(world: &World) -> Vec<String> {
    let mut asked = world.take_asked();
    asked.retain(|what| what != "kv directory:head");
    asked
}

#[test]
fn a_host_takes_one_look_up_and_is_remembered_with_its_customer() {
    let (isolate, world) = (Isolate::new(gateway("").gateway()), World::empty());
    customer(&world, "acme", &["api.acme.example"]);
    point(&world, "api.acme.example", "acme");
    assert_eq!(told(&isolate, &world, "api.acme.example"), "acme");
    assert_eq!(asked(&world), ["kv host:api.acme.example", "kv customer:acme"]);
    assert_eq!(told(&isolate, &world, "API.acme.example:8443"), "acme");
    assert_eq!(asked(&world), [""; 0]);
}

#[test]
fn unknown_hosts_are_remembered_for_a_short_time_and_bounded() {
    let (isolate, world) = (Isolate::new(gateway("").gateway()), World::empty());
    for _ in 0..2 {
        assert_eq!(told(&isolate, &world, "api.acme.example"), "host_unknown");
    }
    assert_eq!(asked(&world), ["kv host:api.acme.example"], "once");
    // What is no host name is asked for nowhere.
    for host in ["localhost", "192.0.2.1", "a_b.example"] {
        assert_eq!(told(&isolate, &world, host), "host_unknown");
    }
    assert_eq!(asked(&world), [""; 0]);
    customer(&world, "acme", &["api.acme.example"]);
    point(&world, "api.acme.example", "acme");
    world.pass(Span::from_secs(31));
    assert_eq!(told(&isolate, &world, "api.acme.example"), "acme");
    for number in 0..40_000 {
        told(&isolate, &world, &format!("h{number}.a-host-that-nobody-has-and-that-is-long.example"));
    }
    let memory = isolate.memory.borrow();
    assert!(memory.customers.weight() <= memory.customers.budget());
}

#[test]
fn a_host_that_moved_is_asked_for_again_once_its_record_lists_it_no_longer() {
    let (isolate, world) = (Isolate::new(gateway("fresh = \"1m\"").gateway()), World::empty());
    customer(&world, "acme", &["x.example"]);
    customer(&world, "wayne", &[]);
    point(&world, "x.example", "acme");
    assert_eq!(told(&isolate, &world, "x.example"), "acme");
    customer(&world, "acme", &[]);
    customer(&world, "wayne", &["x.example"]);
    point(&world, "x.example", "wayne");
    world.pass(Span::from_secs(61));
    // Both are old by now, and refreshed behind this response.
    assert_eq!(told(&isolate, &world, "x.example"), "acme");
    assert_eq!(told(&isolate, &world, "x.example"), "wayne");
    // An entry that is left over is read again now and then, and not by each request.
    customer(&world, "wayne", &[]);
    world.pass(Span::from_secs(61));
    told(&isolate, &world, "x.example");
    asked(&world);
    for _ in 0..3 {
        assert_eq!(told(&isolate, &world, "x.example"), "host_unknown");
    }
    assert_eq!(asked(&world), [""; 0]);
    world.pass(Span::from_secs(31));
    for _ in 0..3 {
        assert_eq!(told(&isolate, &world, "x.example"), "host_unknown");
    }
    assert_eq!(asked(&world), ["kv host:x.example"]);
}

#[test]
fn while_the_store_is_down_known_hosts_are_served_and_others_are_503() {
    let (isolate, world) = (Isolate::new(gateway("").gateway()), World::empty());
    customer(&world, "acme", &["x.example"]);
    point(&world, "x.example", "acme");
    assert_eq!(told(&isolate, &world, "x.example"), "acme");
    world.fault("kv");
    world.pass(Span::from_secs(3600));
    assert_eq!(told(&isolate, &world, "x.example"), "acme");
    assert_eq!(told(&isolate, &world, "y.example"), "customer_source_unavailable");
    world.never_fail();
    assert_eq!(told(&isolate, &world, "y.example"), "host_unknown", "a failure is no absence");
}

#[test]
fn the_config_apis_list_says_whose_hosts_are_and_an_operators_entry_counts_before_it() {
    let (isolate, world) = (Isolate::new(with_api("").gateway()), World::empty());
    let list = [record("api", &["a.example", "x.example"]), record("later", &["l.example", "x.example"])];
    world.answer(API, 200, &Value::from(&list[..]).to_string());
    assert_eq!(told(&isolate, &world, "a.example"), "api");
    assert_eq!(told(&isolate, &world, "x.example"), "api");
    assert_eq!(told(&isolate, &world, "n.example"), "host_unknown");
    // The second entry with the same host is malformed, and nobody's host leads to it.
    assert_eq!(told(&isolate, &world, "l.example"), "customer_record_malformed");
    let isolate = Isolate::new(with_api("").gateway());
    customer(&world, "own", &["a.example"]);
    point(&world, "a.example", "own");
    assert_eq!(told(&isolate, &world, "a.example"), "own");
    world.fault("config-api");
    let isolate = Isolate::new(with_api("").gateway());
    assert_eq!(told(&isolate, &world, "x.example"), "customer_source_unavailable");
}

#[test]
fn a_config_api_by_id_is_asked_for_the_host() {
    let (isolate, world) = (Isolate::new(with_api(", by_id = true").gateway()), World::empty());
    let acme = record("acme", &["a.example"]).to_string();
    world.answer(&format!("{API}?host=a.example"), 200, &acme);
    world.answer(&format!("{API}?host=b.example"), 200, &acme);
    world.answer(&format!("{API}?host=c.example"), 200, "[]");
    world.answer(&format!("{API}/acme"), 200, &acme);
    assert_eq!(told(&isolate, &world, "a.example"), "acme");
    assert_eq!(told(&isolate, &world, "b.example"), "host_unknown", "the record does not list it");
    assert_eq!(told(&isolate, &world, "c.example"), "customer_source_unavailable", "no customer's record");
    assert_eq!(told(&isolate, &world, "d.example"), "host_unknown", "404");
}

fn commit(world: &World, edits: Vec<Edit>) {
    let operation = format!("op-{}", world.now.get().millis());
    let commit = Commit { operation, actor: "ann".to_owned(), from: String::new(), edits };
    world.with_ledger(|own| own.ledger.commit(&commit, world.now.get())).unwrap();
}

fn edit(id: &str, hosts: &[&str]) -> Edit {
    let json = record(id, hosts).to_string();
    Edit::PutCustomer { id: id.to_owned(), json, expires: None, expected: None }
}

#[test]
fn an_isolate_hears_of_hosts_from_the_ledger_and_asks_kv_for_nothing() {
    let world = World::empty();
    customer(&world, "acme", &["a.example"]);
    world.open_ledger(Settings::default());
    let isolate = Isolate::following(gateway("").gateway());
    assert_eq!(told(&isolate, &world, "a.example"), "acme");
    assert_eq!(told(&isolate, &world, "x.example"), "host_unknown");
    world.pass_with_ledger(Span::from_secs(10));
    // Both customers and the host in one call: whoever hears of it hears of all.
    commit(&world, vec![edit("acme", &[]), edit("wayne", &["a.example", "x.example"])]);
    world.pass_with_ledger(Span::from_secs(10));
    asked(&world);
    assert_eq!(told(&isolate, &world, "a.example"), "wayne");
    assert_eq!(told(&isolate, &world, "x.example"), "wayne");
    assert!(!asked(&world).iter().any(|what| what.contains("host:") || what.contains("customer:")));
    world.pass_with_ledger(Span::from_secs(10));
    commit(&world, vec![Edit::RemoveCustomer { id: "wayne".to_owned(), expected: None }]);
    world.pass_with_ledger(Span::from_secs(10));
    assert_eq!(told(&isolate, &world, "a.example"), "host_unknown");
    // A new isolate begins with shards, once there are any.
    commit(&world, vec![edit("stark", &["s.example"])]);
    world.pass_with_ledger(Span::from_secs(2 * 3600));
    let isolate = Isolate::following(gateway("").gateway());
    assert_eq!(told(&isolate, &world, "s.example"), "stark");
    assert_eq!(told(&isolate, &world, "a.example"), "host_unknown");
}

#[test]
fn an_edit_by_hand_and_the_config_apis_list_reach_isolates_by_the_ledger() {
    let world = World::empty();
    let list = [record("api", &["a.example"]), record("later", &["a.example"])];
    world.answer(API, 200, &Value::from(&list[..]).to_string());
    world.open_ledger(Settings { source: Source::List, ..Settings::default() });
    let isolate = Isolate::following(with_api("").gateway());
    let refresh = CustomerRefresh::of(&isolate.gateway, &isolate.memory, &world).expect("a config API");
    pollster::block_on(refresh.run()).unwrap();
    world.pass_with_ledger(Span::from_secs(10));
    assert_eq!(told(&isolate, &world, "a.example"), "api");
    customer(&world, "hand", &["h.example", "a.example"]);
    world.pass_with_ledger(Span::from_secs(400));
    assert_eq!(told(&isolate, &world, "h.example"), "hand");
    assert_eq!(
        told(&isolate, &world, "a.example"),
        "hand",
        "an operator's record counts before the config API's"
    );
}

#[test]
fn while_the_ledger_is_silent_what_was_heard_of_hosts_counts() {
    let world = World::empty();
    customer(&world, "acme", &["a.example"]);
    world.open_ledger(Settings::default());
    let isolate = Isolate::following(gateway("").gateway());
    assert_eq!(told(&isolate, &world, "a.example"), "acme");
    // KV was told behind, for isolates that begin while nobody answers.
    assert!(world.store.borrow().contains_key("host:a.example"));
    *world.own_ledger.borrow_mut() = None;
    world.ledger.borrow_mut().replace(pointsman_testkit::LedgerStub { fails: true, ..Default::default() });
    world.pass(Span::from_secs(600));
    assert_eq!(told(&isolate, &world, "a.example"), "acme");
    world.store.borrow_mut().retain(|name, _| !name.starts_with("directory:"));
    let isolate = Isolate::following(gateway("").gateway());
    assert_eq!(told(&isolate, &world, "a.example"), "acme");
}
