//! A config API that is asked for one customer at a time, where isolates follow a ledger: what one isolate was told the others
//! hear, until the provider says that the customer changed. The clock is set, never waited for.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use pointsman_core::{
    base::{digest::Digest, time::Span},
    identity::customer_id::CustomerId,
};
use pointsman_ledger::{Commit, Edit, Settings, Source};
use pointsman_loader::announced::{Announced, CustomersChanged};
use pointsman_testkit::{GatewayToml, Isolate, World, bearer};
use serde_json::{Value, json};

const API: &str = "https://config.example.com/customers";
const FRESH: Span = Span::from_secs(300);
const STALE: Span = Span::from_secs(3600);
const HYBRID: &str = r#"rules = [{ name = "dedicated", to = "customer", unlisted = "next" }, { name = "shared", to = "shared" }]"#;
const SHARED: &str = "https://shared.example.com/hybrid/x";
const POLL: Span = Span::from_secs(10);

#[derive(Clone, Copy, PartialEq)]
enum Changes {
    Announced,
    Unannounced,
}

use Changes::{Announced as ANNOUNCED, Unannounced as UNANNOUNCED};

fn isolate(changes: Changes) -> Isolate {
    let changes = if changes == ANNOUNCED { "announced" } else { "unannounced" };
    let api = r#"url = "${CUSTOMER_CONFIG_API_URL}", token = "${CONFIG_API_TOKEN}""#;
    let source = format!("source = {{ {api}, by_id = true, changes = \"{changes}\" }}\nstale = \"1h\"");
    let settings = GatewayToml::new()
        .table("api_keys", "checksum = false")
        .table("customers", &source)
        .table("directory", "max_staleness = \"10s\"")
        .table("operator", "ledger = \"/ledger\"\nsecret = \"${OPERATOR_SECRET}\"")
        .backend("shared")
        .route("/hybrid/{+path}", &["api_key"], HYBRID);
    Isolate::following(settings.gateway())
}

/// A world with a ledger that holds a key for each of these customers, whose name is the customer's id.
fn world(ids: &[&str], changes: Changes) -> World {
    let world = World::empty();
    for id in ids {
        let record = format!(r#"{{"subject":"{id}","claims":{{"customerId":"{id}"}}}}"#);
        world.put(&format!("key:{}", Digest::of(id.as_bytes())), &record);
    }
    world.open_ledger(Settings {
        source: Source::ById,
        announced: changes == ANNOUNCED,
        customers_fresh: FRESH.millis(),
        customers_stale: STALE.millis(),
        ..Settings::default()
    });
    world
}

fn says(world: &World, id: &str, backend: &str) {
    let record = json!({"customerId": id, "backendUrl": format!("https://{backend}.example.com")});
    world.answer(&format!("{API}/{id}"), 200, &record.to_string());
}

fn backend(name: &str) -> String {
    format!("https://{name}.example.com/hybrid/x")
}

/// Where a request of that customer goes in this isolate, or why it is refused.
fn told(isolate: &Isolate, world: &World, id: &str) -> String {
    let result = isolate.get(world, "/hybrid/x", &[("authorization", &bearer(id))]);
    result.forwarded().or(result.refusal()).expect("an outcome").to_owned()
}

/// How often the config API was asked since this was last asked.
fn gets(world: &World) -> usize {
    world.take_asked().iter().filter(|asked| asked.starts_with("get ")).count()
}

fn changed(world: &World, changes: Changes, ids: &[&str]) -> Announced {
    let isolate = isolate(changes);
    let ids: Vec<_> = ids.iter().map(|id| CustomerId::parse(id).unwrap()).collect();
    let run = CustomersChanged::of(&isolate.gateway, &isolate.memory, world).expect("a config API");
    pollster::block_on(run.run(&ids)).expect("a ledger")
}

fn taken(taken: usize) -> Announced {
    Announced { taken, ..Announced::default() }
}

fn revision(world: &World) -> u64 {
    world.with_ledger(|own| own.ledger.revision())
}

#[test]
fn what_one_isolate_was_told_no_other_asks_for() {
    for changes in [ANNOUNCED, UNANNOUNCED] {
        let world = world(&["acme", "stranger"], changes);
        says(&world, "acme", "a");
        let (first, second) = (isolate(changes), isolate(changes));
        assert_eq!(told(&second, &world, "stranger"), SHARED);
        gets(&world);
        assert_eq!(told(&first, &world, "acme"), backend("a"));
        assert_eq!(gets(&world), 1);
        assert!(world.store.borrow().keys().all(|name| !name.contains("customer:")), "KV holds no customer");
        world.pass_with_ledger(POLL);
        for isolate in [&first, &second, &isolate(changes)] {
            assert_eq!(told(isolate, &world, "acme"), backend("a"));
            assert_eq!(gets(&world), 0);
        }
        assert_eq!(told(&second, &world, "stranger"), SHARED, "who is not there is asked for");
    }
}

#[test]
fn where_changes_are_announced_a_customer_counts_until_then() {
    let world = world(&["acme"], ANNOUNCED);
    says(&world, "acme", "a");
    let old = isolate(ANNOUNCED);
    told(&old, &world, "acme");
    says(&world, "acme", "b");
    world.pass_with_ledger(STALE.plus(STALE));
    gets(&world);
    assert_eq!(told(&old, &world, "acme"), backend("a"));
    assert_eq!((gets(&world), changed(&world, ANNOUNCED, &["acme"])), (0, taken(1)));
    world.pass_with_ledger(POLL);
    gets(&world);
    for isolate in [&old, &isolate(ANNOUNCED)] {
        assert_eq!((told(isolate, &world, "acme"), gets(&world)), (backend("b"), 0));
    }
    // The same once more is no change.
    let before = revision(&world);
    assert_eq!((changed(&world, ANNOUNCED, &["acme"]), revision(&world)), (taken(1), before));
}

#[test]
fn where_changes_are_not_announced_a_customer_counts_for_fresh_and_is_then_asked_for_once() {
    let world = world(&["acme"], UNANNOUNCED);
    says(&world, "acme", "a");
    let isolates = [isolate(UNANNOUNCED), isolate(UNANNOUNCED), isolate(UNANNOUNCED)];
    told(&isolates[0], &world, "acme");
    world.pass_with_ledger(POLL);
    says(&world, "acme", "b");
    world.pass_with_ledger(FRESH);
    gets(&world);
    assert_eq!(
        (told(&isolates[1], &world, "acme"), gets(&world)),
        (backend("a"), 1),
        "asked behind the response"
    );
    world.pass_with_ledger(POLL);
    for isolate in &isolates {
        assert_eq!((told(isolate, &world, "acme"), gets(&world)), (backend("b"), 0));
    }
    // And once more, where nothing changed.
    world.pass_with_ledger(FRESH.plus(POLL));
    gets(&world);
    assert_eq!((told(&isolates[2], &world, "acme"), gets(&world)), (backend("b"), 1));
    world.pass_with_ledger(POLL);
    assert_eq!((told(&isolates[0], &world, "acme"), gets(&world)), (backend("b"), 0));
    // "This customer changed" counts at once all the same.
    says(&world, "acme", "c");
    assert_eq!(changed(&world, UNANNOUNCED, &["acme"]), taken(1));
    world.pass_with_ledger(POLL);
    assert_eq!(told(&isolates[0], &world, "acme"), backend("c"));
}

#[test]
fn a_customer_who_is_gone_is_refused_and_never_a_stranger() {
    let world = world(&["acme", "nobody"], ANNOUNCED);
    says(&world, "acme", "a");
    let old = isolate(ANNOUNCED);
    told(&old, &world, "acme");
    assert_eq!(told(&old, &world, "nobody"), SHARED);
    for status in [404, 410] {
        world.answer(&format!("{API}/acme"), status, "");
        assert_eq!(changed(&world, ANNOUNCED, &["acme", "nobody"]), taken(2));
        world.pass_with_ledger(POLL);
        for isolate in [&old, &isolate(ANNOUNCED)] {
            assert_eq!(told(isolate, &world, "acme"), "customer_disabled");
            assert_eq!(told(isolate, &world, "nobody"), "customer_disabled", "whom the provider named");
        }
    }
    says(&world, "acme", "b");
    says(&world, "nobody", "n");
    assert_eq!(changed(&world, ANNOUNCED, &["acme", "nobody"]), taken(2));
    world.pass_with_ledger(POLL);
    assert_eq!((told(&old, &world, "acme"), told(&old, &world, "nobody")), (backend("b"), backend("n")));
}

#[test]
fn a_broken_answer_keeps_the_record_before_for_as_long_as_it_may_be_stale() {
    let broken = [
        (500, String::new()),
        (200, "nonsense".to_owned()),
        (200, json!({"customerId": "other", "backendUrl": "https://o.example.com"}).to_string()),
        (200, json!({"customerId": "acme", "backendUrl": 7}).to_string()),
        (200, json!({"customerId": "acme", "backendUrl": "http://plain.example.com"}).to_string()),
    ];
    for (status, body) in broken {
        let world = world(&["acme"], ANNOUNCED);
        says(&world, "acme", "a");
        told(&isolate(ANNOUNCED), &world, "acme");
        let isolate = isolate(ANNOUNCED);
        world.answer(&format!("{API}/acme"), status, &body);
        let answer = changed(&world, ANNOUNCED, &["acme"]);
        assert_eq!((answer.taken, answer.failed.len()), (0, 1), "{body}");
        world.pass_with_ledger(POLL);
        gets(&world);
        assert_eq!(told(&isolate, &world, "acme"), backend("a"), "{body}");
        assert_eq!(gets(&world), 1, "asked again behind the response");
        world.pass_with_ledger(Span::from_secs(3540));
        assert_eq!(told(&isolate, &world, "acme"), backend("a"), "{body}");
        world.pass_with_ledger(Span::from_secs(60));
        let after = told(&isolate, &world, "acme");
        assert!(after != SHARED && after != backend("a"), "{after} {body}");
        says(&world, "acme", "b");
        world.pass_with_ledger(Span::from_secs(120));
        assert_eq!(told(&isolate, &world, "acme"), backend("b"), "{body}");
        world.pass_with_ledger(STALE.plus(STALE));
        gets(&world);
        assert_eq!((told(&isolate, &world, "acme"), gets(&world)), (backend("b"), 0), "in order again");
    }
}

#[test]
fn what_an_isolate_was_told_itself_never_counts_after_what_the_ledger_has() {
    let world = world(&["acme"], ANNOUNCED);
    says(&world, "acme", "a");
    let isolate = isolate(ANNOUNCED);
    told(&isolate, &world, "acme");
    says(&world, "acme", "b");
    changed(&world, ANNOUNCED, &["acme"]);
    world.answer(&format!("{API}/acme"), 500, "");
    assert_eq!(changed(&world, ANNOUNCED, &["acme"]).failed.len(), 1);
    world.pass_with_ledger(POLL);
    assert_eq!(told(&isolate, &world, "acme"), backend("b"));
}

/// Scenario 10: nobody whom the config API may have goes to the shared backend.
#[test]
fn scenario_10_by_id_and_a_malformed_record_never_lead_to_the_shared_backend() {
    let unusable = [json!({"customerId": "acme", "backendUrl": 7}), json!({"customerId": "acme"}), json!([])];
    for changes in [ANNOUNCED, UNANNOUNCED] {
        for record in &unusable {
            let world = world(&["acme"], changes);
            world.answer(&format!("{API}/acme"), 200, &record.to_string());
            let isolate = isolate(changes);
            for _ in 0..2 {
                let outcome = told(&isolate, &world, "acme");
                assert!(
                    ["customer_record_malformed", "customer_source_unavailable"].contains(&&*outcome),
                    "{outcome}"
                );
                changed(&world, changes, &["acme"]);
                world.pass_with_ledger(POLL);
            }
        }
    }
}

#[test]
fn an_answer_that_was_asked_for_before_the_change_is_left_out() {
    let world = world(&["acme"], ANNOUNCED);
    let isolate = isolate(ANNOUNCED);
    assert_eq!(told(&isolate, &world, "acme"), SHARED);
    let (epoch, before) = world.with_ledger(|own| (own.ledger.epoch().to_string(), own.ledger.revision()));
    says(&world, "acme", "b");
    assert_eq!(changed(&world, ANNOUNCED, &["acme"]), taken(1));
    // What another isolate was told before that, and hands over only now.
    let record = json!({"customerId": "acme", "backendUrl": "https://a.example.com"}).to_string();
    let late = |epoch: &str, revision: u64| {
        let lessons = json!([{"id": "acme", "says": {"record": record}}]);
        let asked = json!({"op": "learn", "epoch": epoch, "revision": revision, "lessons": lessons});
        world.with_ledger(|own| own.ledger.call(&asked.to_string(), None, world.now.get(), [1; 48]))
    };
    let answer = |answer| match answer {
        pointsman_ledger::Answer::Json(json) => serde_json::from_str::<Value>(&json).unwrap(),
        pointsman_ledger::Answer::Bytes(_) => panic!("JSON"),
    };
    assert_eq!(answer(late(&epoch, before))["older"], json!([0]));
    assert_eq!(answer(late("00", revision(&world)))["error"], json!("superseded"), "another ledger's");
    world.pass_with_ledger(POLL);
    assert_eq!(told(&isolate, &world, "acme"), backend("b"));
}

#[test]
fn an_operators_own_record_decides_and_the_config_apis_counts_again_after_it() {
    let world = world(&["acme"], ANNOUNCED);
    says(&world, "acme", "a");
    let isolate = isolate(ANNOUNCED);
    told(&isolate, &world, "acme");
    let commit = |edit| {
        let commit = Commit {
            operation: String::new(),
            actor: "ann".to_owned(),
            from: String::new(),
            edits: vec![edit],
        };
        world.with_ledger(|own| own.ledger.commit(&commit, world.now.get())).unwrap();
        world.pass_with_ledger(POLL);
    };
    let json = json!({"customerId": "acme", "backendUrl": "https://own.example.com"}).to_string();
    commit(Edit::PutCustomer { id: "acme".to_owned(), json, expires: None, expected: None });
    for backend_name in ["b", "c"] {
        says(&world, "acme", backend_name);
        assert_eq!(changed(&world, ANNOUNCED, &["acme"]), taken(1), "twice in a row");
    }
    world.pass_with_ledger(POLL);
    assert_eq!(told(&isolate, &world, "acme"), backend("own"));
    commit(Edit::RemoveCustomer { id: "acme".to_owned(), expected: None });
    assert_eq!(told(&isolate, &world, "acme"), backend("c"));
}

#[test]
fn a_restored_ledger_has_everybody_asked_for_again() {
    let world = world(&["acme"], ANNOUNCED);
    says(&world, "acme", "a");
    told(&isolate(ANNOUNCED), &world, "acme");
    world.pass_with_ledger(Span::from_secs(400));
    // What was announced after the time that the database was restored to.
    says(&world, "acme", "b");
    world.with_ledger(|own| own.ledger.restored(world.now.get(), [5; 48]));
    world.pass_with_ledger(Span::from_secs(120));
    let isolate = isolate(ANNOUNCED);
    assert_eq!(told(&isolate, &world, "acme"), backend("a"), "the last that is known answers at once");
    world.pass_with_ledger(POLL);
    assert_eq!(told(&isolate, &world, "acme"), backend("b"));
    gets(&world);
    world.pass_with_ledger(STALE.plus(STALE));
    assert_eq!((told(&isolate, &world, "acme"), gets(&world)), (backend("b"), 0));
}

#[test]
fn a_record_that_nobody_asks_for_ends_and_is_forgotten() {
    let world = world(&["acme"], UNANNOUNCED);
    says(&world, "acme", "a");
    told(&isolate(UNANNOUNCED), &world, "acme");
    let records = || world.with_ledger(|own| own.ledger.status(world.now.get())["records"].as_u64().unwrap());
    assert_eq!(records(), 2);
    world.pass_with_ledger(STALE.plus(POLL));
    assert_eq!(records(), 1, "the key");
    says(&world, "acme", "b");
    assert_eq!(told(&isolate(UNANNOUNCED), &world, "acme"), backend("b"), "asked for as if it were new");
}
