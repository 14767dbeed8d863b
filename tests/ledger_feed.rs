//! The scheduled refresh where isolates follow a ledger: the config API's list against the real ledger, and what requests
//! are told afterwards. The clock is set, never waited for.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use pointsman_core::base::{digest::Digest, time::Span};
use pointsman_ledger::{Commit, Difference, Differences, Edit, Says, Settings, Source, provided_key};
use pointsman_loader::scheduled::{CustomerRefresh, Refreshed};
use pointsman_testkit::{GatewayToml, Isolate, World, bearer};
use serde_json::{Value, json};

const API: &str = "https://config.example.com/customers";
const STATE: &str = "source:customers";
const STALE: Span = Span::from_secs(600);
const HYBRID: &str = r#"rules = [{ name = "dedicated", to = "customer", unlisted = "next" }, { name = "shared", to = "shared" }]"#;
const SHARED: &str = "https://shared.example.com/hybrid/x";

fn isolate() -> Isolate {
    Isolate::following(settings("false").gateway())
}

fn settings(by_id: &str) -> GatewayToml {
    let api = r#"url = "${CUSTOMER_CONFIG_API_URL}", token = "${CONFIG_API_TOKEN}""#;
    let source = format!("source = {{ {api}, max_removed = \"20%\", by_id = {by_id} }}\nstale = \"10m\"");
    GatewayToml::new()
        .table("api_keys", "checksum = false")
        .table("customers", &source)
        .table("directory", "max_staleness = \"10s\"")
        .backend("shared")
        .route("/hybrid/{+path}", &["api_key"], HYBRID)
}

fn listed(id: &str, backend: &str) -> Value {
    json!({"customerId": id, "backendUrl": format!("https://{backend}.example.com")})
}

fn many(count: usize) -> Vec<Value> {
    (0..count).map(|number| listed(&format!("c{number:05}"), &format!("b{number}"))).collect()
}

fn list(world: &World, entries: &[Value]) {
    world.answer(API, 200, &Value::from(entries).to_string());
}

fn key_of(id: &str) -> String {
    format!(r#"{{"subject":"{id}","claims":{{"customerId":"{id}"}}}}"#)
}

fn ledger_settings() -> Settings {
    Settings { source: Source::List, customers_stale: STALE.millis(), ..Settings::default() }
}

/// A world with a ledger that holds a key for each of these customers, whose name is the customer's id.
fn world(ids: &[&str]) -> World {
    let world = World::empty();
    for id in ids {
        world.put(&format!("key:{}", Digest::of(id.as_bytes())), &key_of(id));
    }
    world.open_ledger(ledger_settings());
    world
}

/// One run, a minute after what was before.
fn run(world: &World) -> Result<Refreshed, String> {
    world.pass_with_ledger(Span::from_secs(60));
    world.take_asked();
    let isolate = isolate();
    let refresh = CustomerRefresh::of(&isolate.gateway, &isolate.memory, world).expect("a config API");
    pollster::block_on(refresh.run()).map_err(|error| error.0)
}

fn refreshed(world: &World) -> Refreshed {
    run(world).expect("the run succeeds")
}

/// Where a request of that customer goes in an isolate that begins now, or why it is refused.
fn told(world: &World, id: &str) -> String {
    let result = isolate().get(world, "/hybrid/x", &[("authorization", &bearer(id))]);
    result.forwarded().or(result.refusal()).expect("an outcome").to_owned()
}

fn calls(world: &World, what: &str) -> usize {
    world.asked.borrow().iter().filter(|asked| *asked == what).count()
}

fn is_complete(world: &World) -> bool {
    let head = world.with_ledger(|own| own.ledger.poll(world.now.get()));
    pointsman_core::directory::log::Head::decode(&head).unwrap().manifest.complete.customers
}

fn revision(world: &World) -> u64 {
    world.with_ledger(|own| own.ledger.revision())
}

fn done(listed: usize, written: usize, gone: usize) -> Refreshed {
    Refreshed { listed, written, gone, pending: 0 }
}

#[test]
fn a_long_list_is_taken_over_in_one_run_and_kv_holds_no_customer() {
    let world = world(&["c00000", "c02999", "stranger"]);
    list(&world, &many(3000));
    assert_eq!(refreshed(&world), done(3000, 3000, 0));
    assert_eq!((calls(&world, "take list"), calls(&world, "provided")), (8, 1), "begin, six parts, end");
    assert!(world.store.borrow().keys().all(|name| !name.contains("customer:")));
    world.pass_with_ledger(Span::from_secs(300));
    assert!(is_complete(&world) && revision(&world) < 1000, "shards carry them, and not the log");
    for (id, expected) in [
        ("c00000", "https://b0.example.com/hybrid/x"),
        ("c02999", "https://b2999.example.com/hybrid/x"),
        ("stranger", SHARED),
    ] {
        world.take_asked();
        assert_eq!(told(&world, id), expected);
        assert!(
            !world.asked.borrow().iter().any(|asked| asked.starts_with("get ") || asked.starts_with("kv"))
        );
    }
    assert_eq!(refreshed(&world), done(3000, 0, 0), "an unchanged customer compares equal");
    assert_eq!(calls(&world, "take list"), 2);
}

#[test]
fn what_changed_is_handed_over_and_who_is_gone_is_disabled() {
    let world = world(&["c00005", "c00007", "c00050", "newcomer"]);
    let mut entries = many(100);
    list(&world, &entries);
    refreshed(&world);
    let before = revision(&world);
    entries[7] = listed("c00007", "elsewhere");
    entries.remove(50);
    entries.push(json!({"customerId": "newcomer", "backendUrl": "https://n.example.com", "environmentName": "", "more": 7}));
    list(&world, &entries);
    assert_eq!(refreshed(&world), done(100, 3, 1));
    assert_eq!(revision(&world), before + 3);
    for (id, expected) in [
        ("c00005", "https://b5.example.com/hybrid/x"),
        ("c00007", "https://elsewhere.example.com/hybrid/x"),
        ("c00050", "customer_disabled"),
        ("newcomer", "https://n.example.com/hybrid/x"),
    ] {
        assert_eq!(told(&world, id), expected);
    }
    // An empty environmentName says what its absence says: no other row, but another record to compare with.
    entries[99] = listed("newcomer", "n");
    list(&world, &entries);
    assert_eq!((refreshed(&world), revision(&world)), (done(100, 1, 0), before + 3));
    assert_eq!(refreshed(&world), done(100, 0, 0));
    entries.push(listed("c00050", "back"));
    list(&world, &entries);
    assert_eq!(refreshed(&world), done(101, 1, 0));
    assert_eq!(told(&world, "c00050"), "https://back.example.com/hybrid/x");
}

#[test]
fn an_operators_own_record_decides_until_the_operator_removes_it() {
    let world = world(&["c00003"]);
    let mut entries = many(20);
    list(&world, &entries);
    refreshed(&world);
    let commit = |edit| {
        let commit = Commit {
            operation: String::new(),
            actor: "ann".to_owned(),
            from: String::new(),
            edits: vec![edit],
        };
        world.with_ledger(|own| own.ledger.commit(&commit, world.now.get())).unwrap();
    };
    let json = listed("c00003", "by-hand").to_string();
    commit(Edit::PutCustomer { id: "c00003".to_owned(), json, expires: None, expected: None });
    entries[3] = listed("c00003", "later");
    list(&world, &entries);
    assert_eq!(refreshed(&world).written, 1);
    assert_eq!(told(&world, "c00003"), "https://by-hand.example.com/hybrid/x");
    entries.remove(3);
    list(&world, &entries);
    assert_eq!(refreshed(&world).gone, 1);
    assert_eq!(told(&world, "c00003"), "https://by-hand.example.com/hybrid/x");
    commit(Edit::RemoveCustomer { id: "c00003".to_owned(), expected: None });
    assert_eq!(told(&world, "c00003"), "customer_disabled", "what the list says counts again");
}

#[test]
fn a_list_that_lacks_too_many_takes_nobody_away() {
    let world = world(&["c00099"]);
    list(&world, &many(100));
    refreshed(&world);
    let before = revision(&world);
    for count in [0, 1, 79] {
        list(&world, &many(count));
        let why = run(&world).unwrap_err();
        assert!(why.contains(&format!("lists {count} customers and listed 100 before")), "{why}");
    }
    assert_eq!(revision(&world), before);
    assert_eq!(told(&world, "c00099"), "https://b99.example.com/hybrid/x");
    list(&world, &many(80));
    assert_eq!(refreshed(&world).gone, 20);
    assert_eq!(told(&world, "c00099"), "customer_disabled");
}

/// A ledger that is lost knows nobody; the store still says how many the last list had.
#[test]
fn a_new_ledger_believes_no_first_list_that_lacks_too_many() {
    let world = world(&["c00099"]);
    list(&world, &many(100));
    refreshed(&world);
    let state: Value = serde_json::from_slice(&world.store.borrow()[STATE]).unwrap();
    assert_eq!((&state["count"], &state["confirmedAt"]), (&json!(100), &json!("")));
    world.store.borrow_mut().remove("directory:head");
    world.open_ledger(ledger_settings());
    for count in [0, 50] {
        list(&world, &many(count));
        assert!(run(&world).is_err());
        assert!(!is_complete(&world));
        assert_eq!(revision(&world), revision_of_keys(&world));
        assert_eq!(told(&world, "c00099"), "customer_source_unavailable", "nor do isolates believe it");
    }
    list(&world, &many(100));
    assert_eq!(refreshed(&world), done(100, 100, 0));
    assert!(is_complete(&world));
}

/// How many changes are not of customers.
fn revision_of_keys(world: &World) -> u64 {
    world.with_ledger(|own| {
        assert!(own.ledger.provided_page(&[], 1).is_empty());
        own.ledger.revision()
    })
}

#[test]
fn while_an_entry_has_no_id_nobody_is_gone_and_nobody_a_stranger() {
    let world = world(&["c00001", "c00002", "stranger", "newcomer"]);
    let mut entries = many(20);
    list(&world, &entries);
    refreshed(&world);
    assert_eq!(told(&world, "stranger"), SHARED);
    entries.remove(1);
    entries[1] = listed("c00002", "moved");
    entries.push(json!({"customerID": "newcomer", "backendUrl": "https://n.example.com"}));
    list(&world, &entries);
    assert_eq!(refreshed(&world), done(19, 1, 0));
    assert!(!is_complete(&world));
    assert_eq!(told(&world, "c00001"), "https://b1.example.com/hybrid/x");
    assert_eq!(told(&world, "c00002"), "https://moved.example.com/hybrid/x");
    for id in ["newcomer", "stranger"] {
        assert_eq!(told(&world, id), "customer_source_unavailable", "{id} may be the entry without an id");
    }
    entries[19] = listed("newcomer", "n");
    list(&world, &entries);
    assert_eq!(refreshed(&world), done(20, 2, 1));
    assert!(is_complete(&world));
    assert_eq!(told(&world, "newcomer"), "https://n.example.com/hybrid/x");
    assert_eq!(told(&world, "c00001"), "customer_disabled");
    assert_eq!(told(&world, "stranger"), SHARED);
}

#[test]
fn an_entry_that_cannot_be_used_is_never_an_absence() {
    let unusable = [
        json!({"customerId": "bad", "backendUrl": 7}),
        json!({"customerId": "bad", "backendUrl": "http://plain.example.com"}),
        json!({"customerId": "bad", "backendURL": "https://b.example.com"}),
        json!({"customerId": "bad"}),
        json!({"customerId": "bad", "backendUrl": "https://b.example.com", "environmentName": "x".repeat(70_000)}),
    ];
    for entry in unusable {
        let world = world(&["bad", "good", "twice"]);
        let twice = [listed("twice", "one"), listed("twice", "two")];
        let mut entries = vec![entry, listed("good", "good"), twice[0].clone(), twice[1].clone()];
        list(&world, &entries);
        assert_eq!(refreshed(&world).written, 3);
        assert!(is_complete(&world));
        for id in ["bad", "twice"] {
            assert_eq!(told(&world, id), "customer_record_malformed");
        }
        assert_eq!(told(&world, "good"), "https://good.example.com/hybrid/x");
        assert_eq!(refreshed(&world).written, 0, "told once");
        entries[0] = listed("bad", "mended");
        list(&world, &entries);
        refreshed(&world);
        assert_eq!(told(&world, "bad"), "https://mended.example.com/hybrid/x");
    }
}

#[test]
fn a_record_whose_entry_can_no_longer_be_used_counts_until_it_is_stale() {
    let world = world(&["c00001"]);
    world.tags.set(true);
    let mut entries = many(20);
    list(&world, &entries);
    refreshed(&world);
    entries[1]["disabled"] = "yes".into();
    list(&world, &entries);
    refreshed(&world);
    let began = world.now.get();
    while world.now.get().since(began) < STALE {
        assert_eq!(told(&world, "c00001"), "https://b1.example.com/hybrid/x");
        refreshed(&world);
    }
    assert_eq!(told(&world, "c00001"), "customer_record_malformed", "the list's entity tag did not stop it");
    entries.remove(1);
    list(&world, &entries);
    refreshed(&world);
    assert_eq!(told(&world, "c00001"), "customer_disabled");
}

#[test]
fn a_list_that_has_not_changed_is_not_sent_again() {
    let world = world(&["c00001"]);
    world.tags.set(true);
    list(&world, &many(50));
    refreshed(&world);
    for _ in 0..3 {
        assert_eq!(refreshed(&world), Refreshed::default());
        let asked = world.take_asked();
        assert_eq!(
            asked,
            ["take list".to_owned(), format!("get {API}")],
            "no digest is read, and nothing written"
        );
    }
    // Another ledger holds nothing of that list, whatever its entity tag is.
    world.store.borrow_mut().remove("directory:head");
    world.open_ledger(ledger_settings());
    assert_eq!(refreshed(&world), done(50, 50, 0));
}

#[test]
fn a_run_that_is_cut_off_is_ended_by_the_next_one() {
    let world = world(&["c00001", "stranger"]);
    world.tags.set(true);
    list(&world, &many(2000));
    for taken in 0..3 {
        world.with_ledger(|own| own.fails_after = Some(1));
        assert!(run(&world).unwrap_err().contains("the ledger is down"));
        assert_eq!(
            world.with_ledger(|own| own.ledger.provided_page(&[], 5000).len() / 33),
            (taken + 1) * 500
        );
        assert!(!is_complete(&world), "no whole list was taken over");
        assert_ne!(told(&world, "stranger"), "https://b1.example.com/hybrid/x");
    }
    world.with_ledger(|own| own.fails_after = None);
    assert_eq!(refreshed(&world), done(2000, 500, 0));
    world.pass_with_ledger(Span::from_secs(300));
    assert!(is_complete(&world));
    assert_eq!(refreshed(&world), Refreshed::default(), "304");
}

#[test]
fn what_somebody_else_told_of_meanwhile_is_compared_again() {
    let world = world(&["c00007", "c00008"]);
    let mut entries = many(20);
    list(&world, &entries);
    refreshed(&world);
    entries.remove(8);
    list(&world, &entries);
    let tell = |says: &str, version| {
        let difference = |id: &str| Difference {
            id: id.to_owned(),
            says: Says::Record(listed(id, says).to_string()),
            version,
        };
        let edits = vec![difference("c00007"), difference("c00008")];
        Differences { operation: says.to_owned(), many: false, edits }
    };
    // The versions are those of the first run.
    let page = world.with_ledger(|own| own.ledger.provided_page(&[], 99));
    let version_of = |id| {
        let said = page.chunks(33).find(|said| said[..17] == provided_key(id)).unwrap();
        u64::from_be_bytes(said[25..].try_into().unwrap())
    };
    let mut told = tell("meanwhile", version_of("c00007"));
    told.edits[1].version = version_of("c00008");
    world.with_ledger(|own| own.told_meanwhile = Some(told));
    assert_eq!(refreshed(&world), done(19, 2, 1), "the list came from the config API later than that");
    assert_eq!(calls(&world, "provided"), 2);
    assert_eq!(self::told(&world, "c00007"), "https://b7.example.com/hybrid/x");
    assert_eq!(self::told(&world, "c00008"), "customer_disabled");
    assert_eq!(refreshed(&world), done(19, 0, 0));
}

/// A refresh of an earlier version wrote its records under the operators' names.
#[test]
fn records_of_an_earlier_refresh_are_compared_with_the_list() {
    let world = World::empty();
    for id in ["same", "moved", "removed", "long-gone"] {
        world.put(&format!("key:{}", Digest::of(id.as_bytes())), &key_of(id));
        let mut record = listed(id, id);
        record["fetchedAt"] = "2026-01-01T00:00:00Z".into();
        record["gone"] = (id == "long-gone").into();
        world.put(&format!("customer:{id}"), &record.to_string());
    }
    let mut entries = many(20);
    entries.extend([listed("same", "same"), listed("moved", "elsewhere")]);
    for entry in &entries[..20] {
        let mut record = entry.clone();
        record["fetchedAt"] = "2026-01-01T00:00:00Z".into();
        world.put(&format!("customer:{}", entry["customerId"].as_str().unwrap()), &record.to_string());
    }
    world.open_ledger(ledger_settings());
    assert_eq!(told(&world, "same"), "https://same.example.com/hybrid/x");
    list(&world, &entries);
    assert_eq!(refreshed(&world), done(22, 2, 1), "who was gone before is not counted again");
    for (id, expected) in [
        ("same", "https://same.example.com/hybrid/x"),
        ("moved", "https://elsewhere.example.com/hybrid/x"),
        ("removed", "customer_disabled"),
        ("long-gone", "customer_disabled"),
    ] {
        assert_eq!(told(&world, id), expected);
    }
}

#[test]
fn a_config_api_that_fails_changes_nothing() {
    let world = world(&["c00001"]);
    list(&world, &many(20));
    refreshed(&world);
    let before = revision(&world);
    for (status, body) in [(500, "[]"), (404, "[]"), (200, "<html>"), (200, "{}"), (304, "")] {
        world.answer(API, status, body);
        assert!(run(&world).is_err(), "{status} {body}");
        assert_eq!(revision(&world), before);
        assert_eq!(told(&world, "c00001"), "https://b1.example.com/hybrid/x");
    }
}

#[test]
fn where_isolates_ask_for_one_customer_at_a_time_the_store_is_written_as_before() {
    let world = world(&[]);
    list(&world, &many(3));
    let isolate = Isolate::following(settings("true").gateway());
    let refresh = CustomerRefresh::of(&isolate.gateway, &isolate.memory, &world).unwrap();
    assert_eq!(pollster::block_on(refresh.run()), Ok(done(3, 3, 0)));
    assert!(world.store.borrow().contains_key("source:customer:c00001"));
    assert!(world.with_ledger(|own| own.ledger.provided_page(&[], 9)).is_empty());
}
