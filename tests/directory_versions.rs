//! Scenario 9: the ledger at one version and isolates at another, a record with a new member, and a rollback in between. The
//! clock is set, never waited for.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use pointsman_core::{
    base::{digest::Digest, time::Span},
    directory::{
        log::{Change, FORMAT, Head, OLDEST_FORMAT, ShardRef},
        record_key::RecordKey,
        row::Row,
        shard,
    },
    state::directory::Directory,
};
use pointsman_testkit::{GatewayToml, Isolate, LedgerStub, World, bearer, noon};

const KEY: &str = "key-of-acme";
const ACME: &str = "https://acme-0.example.com/hybrid/x";
const IN_KV: &str = "https://in-kv.example.com/hybrid/x";
const HYBRID: &str = r#"rules = [{ name = "dedicated", to = "customer", unlisted = "next" }, { name = "shared", to = "shared" }]"#;

/// An isolate of a version whose newest format this is.
fn isolate_reading(format: u8, on_failure: &str) -> Isolate {
    let settings = GatewayToml::new()
        .table("api_keys", "checksum = false")
        .table("customers", "stale = \"10m\"")
        .table("directory", &format!("on_failure = \"{on_failure}\""))
        .backend("shared")
        .route("/hybrid/{+path}", &["api_key"], HYBRID);
    let isolate = Isolate::following(settings.gateway());
    let mut memory = isolate.memory.borrow_mut();
    let Directory { follower, .. } = memory.directory.as_mut().unwrap();
    let follow = *follower.follow();
    *follower = pointsman_core::directory::follower::Follower::new(follow, 7).reading(format);
    drop(memory);
    isolate
}

fn api_key(key: &str) -> RecordKey {
    RecordKey::api_key(&Digest::of(key.as_bytes()))
}

fn put(key: RecordKey, text: &str) -> Change {
    Change { key, row: Some(Row::of(text)) }
}

fn of_acme(more: &str) -> String {
    format!(r#"{{"customerId":"acme","backendUrl":"https://acme-0.example.com"{more}}}"#)
}

const OF_KEY: &str = r#"{"subject":"acme","claims":{"customerId":"acme"}}"#;

fn world(changes: Vec<Change>, format: u8) -> World {
    let world = World::empty();
    *world.ledger.borrow_mut() = Some(LedgerStub { format: Some(format), ..LedgerStub::of(changes) });
    world
}

fn with<T>(world: &World, act: impl FnOnce(&mut LedgerStub) -> T) -> T {
    act(world.ledger.borrow_mut().as_mut().unwrap())
}

fn put_in_kv(world: &World, customer: &str) {
    world.put(&format!("key:{}", Digest::of(KEY.as_bytes())), OF_KEY);
    world.put("customer:acme", customer);
}

fn told(isolate: &Isolate, world: &World) -> String {
    let result = isolate.get(world, "/hybrid/x", &[("authorization", &bearer(KEY))]);
    result.forwarded().or(result.refusal()).expect("an outcome").to_owned()
}

fn acme() -> Vec<Change> {
    vec![put(api_key(KEY), OF_KEY), put(RecordKey::customer("acme"), &of_acme(""))]
}

#[test]
fn scenario_9_ledger_and_isolates_of_two_versions_read_each_other() {
    for (isolates, ledger) in [(OLDEST_FORMAT, OLDEST_FORMAT), (FORMAT, OLDEST_FORMAT), (FORMAT, FORMAT)] {
        let (isolate, world) = (isolate_reading(isolates, "closed"), world(acme(), ledger));
        assert_eq!(told(&isolate, &world), ACME, "isolates {isolates}, ledger {ledger}");
        assert!(!world.take_asked().iter().any(|what| what.starts_with("kv")));
    }
}

#[test]
fn scenario_9_a_rollback_in_between_is_followed() {
    let (isolate, world) = (isolate_reading(FORMAT, "closed"), world(acme(), FORMAT));
    let old = isolate_reading(OLDEST_FORMAT, "closed");
    assert_eq!(told(&isolate, &world), ACME);
    // What the later version has left in the location, the one before passes over: it asks the ledger itself.
    with(&world, |ledger| {
        ledger.cached = Some(Head { as_of: noon(), ..ledger.head.clone() });
        ledger.cached_format = Some(FORMAT);
        ledger.format = Some(OLDEST_FORMAT);
    });
    world.take_asked();
    assert_eq!(told(&old, &world), ACME);
    assert_eq!(world.take_asked()[..2], ["cached head".to_owned(), "head".to_owned()]);
    // And the later one follows on when it is there again.
    with(&world, |ledger| {
        ledger.head.revision += 1;
        ledger.head.changes.push(Change { key: api_key(KEY), row: None });
    });
    world.pass(Span::from_secs(10));
    assert_eq!([told(&isolate, &world), told(&old, &world)], ["api_key_unknown", "api_key_unknown"]);
}

#[test]
fn scenario_9_a_record_with_a_new_member_is_asked_for_in_kv_and_is_never_absent() {
    let later = of_acme(r#","aMemberOfALaterVersion":true"#);
    let changes = vec![acme().remove(0), put(RecordKey::customer("acme"), &later)];
    for (in_kv, expected) in [
        (None, "customer_record_malformed"),
        (Some(later), "customer_record_malformed"),
        (Some(of_acme("").replace("acme-0", "in-kv")), IN_KV),
    ] {
        let (isolate, world) = (isolate_reading(FORMAT, "open"), world(changes.clone(), FORMAT));
        if let Some(record) = &in_kv {
            put_in_kv(&world, record);
        }
        // The second time what KV said is in memory.
        assert_eq!([told(&isolate, &world), told(&isolate, &world)], [expected; 2], "{in_kv:?}");
        assert!(world.take_asked().iter().any(|what| what.starts_with("kv")));
    }
    let changes = vec![put(api_key(KEY), r#"{"subject":"acme","later":1}"#)];
    let (isolate, world) = (isolate_reading(FORMAT, "open"), world(changes, FORMAT));
    assert_eq!(told(&isolate, &world), "api_key_record_malformed");
}

#[test]
fn scenario_9_a_shard_of_a_later_format_is_looked_up_in_kv_until_it_is_built_again() {
    let mut rows = vec![(api_key(KEY), Row::of(OF_KEY)), (RecordKey::customer("acme"), Row::of(of_acme("")))];
    rows.sort_by_key(|(key, _)| *key);
    let shard = |format: u8| {
        let bytes = shard::encode_as(&rows, 0, format);
        (ShardRef { revision: 7, hash: [format; 16], size: bytes.len() as u32 }, bytes)
    };
    let (isolate, world) = (isolate_reading(OLDEST_FORMAT, "open"), world(Vec::new(), OLDEST_FORMAT));
    put_in_kv(&world, &of_acme("").replace("acme-0", "in-kv"));
    let name = |world: &World, format| {
        let (named, bytes) = shard(format);
        with(world, |ledger| {
            ledger.head = Head { revision: 7, first: 8, ..ledger.head.clone() };
            ledger.head.manifest.shards = vec![named];
            ledger.shards.insert(named.name(ledger.head.epoch, 0, 0), bytes);
        });
    };
    name(&world, FORMAT);
    assert_eq!(told(&isolate, &world), IN_KV);
    name(&world, OLDEST_FORMAT);
    world.pass(Span::from_secs(40));
    assert_eq!(told(&isolate, &world), ACME);
}

#[test]
fn scenario_9_a_ledger_two_versions_ahead_is_no_silent_one() {
    for on_failure in ["open", "closed"] {
        let isolate = isolate_reading(OLDEST_FORMAT, on_failure);
        let world = world(acme(), OLDEST_FORMAT);
        put_in_kv(&world, &of_acme("").replace("acme-0", "in-kv"));
        assert_eq!(told(&isolate, &world), ACME);
        with(&world, |ledger| ledger.format = Some(FORMAT));
        world.pass(Span::from_secs(20));
        assert_eq!(told(&isolate, &world), IN_KV, "{on_failure}");
        assert!(world.warnings.borrow().iter().any(|line| line.contains("two versions ahead")));
        // One that is born then has nothing else to go by.
        assert_eq!(told(&isolate_reading(OLDEST_FORMAT, on_failure), &world), IN_KV, "{on_failure}");
        // What was heard to be removed stays so, whatever KV still shows.
        with(&world, |ledger| {
            ledger.format = Some(OLDEST_FORMAT);
            ledger.head.revision += 1;
            ledger.head.changes.push(Change { key: api_key(KEY), row: None });
        });
        world.pass(Span::from_secs(20));
        assert_eq!(told(&isolate, &world), "api_key_unknown");
        with(&world, |ledger| ledger.format = Some(FORMAT));
        world.pass(Span::from_secs(20));
        assert_eq!(told(&isolate, &world), "api_key_unknown", "{on_failure}");
    }
}

/// JavaScript says which format its core reads.
#[test]
fn the_edge_polls_for_the_format_of_the_core() {
    let edge = include_str!("../src/edge/directory.js");
    assert!(edge.contains(&format!("\nconst FORMAT = {FORMAT};\n")));
}
