//! Scenarios 7 and 11 of what the directory must stand: a log that goes on without an isolate, and a location's cache and a
//! ledger that do what they should not. The clock is set, never waited for. That a head is the ledger's own by its HMAC is
//! tested in tests/edge/head-cache.test.mjs.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use pointsman_core::{
    base::{
        digest::Digest,
        time::{Span, Timestamp},
    },
    directory::{
        log::{Change, Complete, Epoch, Head, Manifest, Revision, ShardRef},
        record_key::RecordKey,
        row::Row,
        shard,
    },
};
use pointsman_testkit::{GatewayToml, Isolate, LedgerStub, World, all_to, bearer, noon};

const KEY: &str = "key-of-acme";
const SHARED: &str = "https://shared.example.com/x";

fn isolate(on_failure: &str) -> Isolate {
    let settings = GatewayToml::new()
        .table("api_keys", "checksum = false\nstale = \"1h\"")
        .table("directory", &format!("on_failure = \"{on_failure}\""))
        .backend("shared")
        .route("/{+path}", &["api_key"], &all_to("shared"));
    Isolate::following(settings.gateway())
}

fn api_key(key: &str) -> RecordKey {
    RecordKey::api_key(&Digest::of(key.as_bytes()))
}

fn put(key: &str) -> Change {
    Change { key: api_key(key), row: Some(Row::of(r#"{"subject":"acme"}"#)) }
}

fn remove(key: &str) -> Change {
    Change { key: api_key(key), row: None }
}

/// A head that begins with revision `first`.
fn head(first: Revision, changes: Vec<Change>) -> Head {
    let manifest = Manifest { complete: Complete { keys: true, customers: true }, ..Manifest::default() };
    let revision = first - 1 + changes.len() as u64;
    Head { epoch: Epoch([1; 16]), revision, as_of: noon(), pace: 100, manifest, first, changes }
}

fn world(head: Head) -> World {
    let world = World::empty();
    *world.ledger.borrow_mut() = Some(LedgerStub { head, ..LedgerStub::default() });
    world
}

fn with<T>(world: &World, act: impl FnOnce(&mut LedgerStub) -> T) -> T {
    act(world.ledger.borrow_mut().as_mut().unwrap())
}

/// Has the ledger's head be this one, with one shard of these keys as of `revision`, which KV has.
fn say_with_shard(world: &World, head: Head, revision: Revision, keys: &[&str]) {
    let mut rows: Vec<_> = keys.iter().map(|key| (api_key(key), put(key).row.unwrap())).collect();
    rows.sort_by_key(|(key, _)| *key);
    let bytes = shard::encode(&rows, 0);
    let named = ShardRef { revision, hash: [revision as u8; 16], size: bytes.len() as u32 };
    with(world, |ledger| {
        ledger.shards.insert(named.name(head.epoch, 0, 0), bytes);
        ledger.head = head;
        ledger.head.manifest.shards = vec![named];
    });
}

fn change(world: &World, change: Change) {
    with(world, |ledger| {
        ledger.head.revision += 1;
        ledger.head.changes.push(change);
    });
}

fn told(isolate: &Isolate, world: &World, key: &str) -> String {
    let result = isolate.get(world, "/x", &[("authorization", &bearer(key))]);
    result.forwarded().or(result.refusal()).expect("an outcome").to_owned()
}

/// How often the ledger itself was polled since this was last asked.
fn polls(world: &World) -> usize {
    world.take_asked().iter().filter(|what| *what == "head").count()
}

#[test]
fn scenario_7_an_isolate_that_slept_past_the_retained_log_begins_with_the_shards() {
    let (isolate, world) = (isolate("open"), world(head(1, vec![put(KEY), put("kept")])));
    assert_eq!([KEY, "kept"].map(|key| told(&isolate, &world, key)), [SHARED; 2]);
    // Two days later the log begins behind what the isolate knows; a key was removed, and one was made.
    world.put(&format!("key:{}", Digest::of(KEY.as_bytes())), r#"{"subject":"acme"}"#);
    say_with_shard(&world, head(5_100, vec![put("new")]), 5_099, &["kept"]);
    world.pass(Span::from_secs(172_800));
    world.take_asked();
    assert_eq!(told(&isolate, &world, KEY), "api_key_unknown");
    assert_eq!(world.take_asked(), ["head", "shard"], "no segment, and no read of KV");
    assert_eq!(["kept", "new"].map(|key| told(&isolate, &world, key)), [SHARED; 2]);
}

#[test]
fn scenario_7_where_log_and_shards_leave_a_gap_nobody_is_let_in_by_what_was_before() {
    // As an isolate that begins while the ledger is silent: KV is asked, which has none of these keys, or nobody is let in.
    for (on_failure, refused) in [("open", "api_key_unknown"), ("closed", "key_store_unavailable")] {
        let (isolate, world) = (isolate(on_failure), world(head(1, vec![put(KEY)])));
        assert_eq!(told(&isolate, &world, KEY), SHARED);
        // What is between revisions 40 and 5100 nobody has.
        say_with_shard(&world, head(5_100, vec![put("new")]), 40, &["kept"]);
        world.pass(Span::from_secs(172_800));
        for key in [KEY, "kept", "new", "anybody"] {
            assert_eq!(told(&isolate, &world, key), refused, "{on_failure}, {key}");
            world.pass(Span::from_millis(200));
        }
    }
}

#[test]
fn scenario_7_a_shard_that_is_newer_than_the_head_is_not_undone_by_the_log() {
    let before = vec![put("kept"), put("a"), remove("a"), put("b")];
    let (isolate, world) = (isolate("open"), world(head(1, before)));
    assert_eq!(told(&isolate, &world, "kept"), SHARED);
    // The shard is of revision 7, in which the key is gone again that revision 6 makes.
    say_with_shard(&world, head(5, vec![put("other")]), 7, &["kept", "other"]);
    world.pass(Span::from_secs(10));
    assert_eq!([KEY, "kept"].map(|key| told(&isolate, &world, key)), ["api_key_unknown", SHARED]);
    change(&world, put(KEY));
    world.pass(Span::from_secs(10));
    assert_eq!(told(&isolate, &world, KEY), "api_key_unknown", "revision 6 is older than the shard");
    change(&world, remove(KEY));
    change(&world, put(KEY));
    world.pass(Span::from_secs(10));
    assert_eq!(told(&isolate, &world, KEY), SHARED, "revision 8 is newer");
}

#[test]
fn scenario_11_a_cached_head_that_is_older_or_from_the_future_is_passed_over() {
    let (isolate, world) = (isolate("open"), world(head(1, vec![put(KEY)])));
    let before = with(&world, |ledger| ledger.head.clone());
    assert_eq!(told(&isolate, &world, KEY), SHARED);
    change(&world, remove(KEY));
    world.pass(Span::from_secs(10));
    assert_eq!(told(&isolate, &world, KEY), "api_key_unknown");
    for as_of in [noon(), world.now.get(), Timestamp::from_millis(u64::MAX >> 8)] {
        with(&world, |ledger| {
            ledger.keeps_too_long = true;
            ledger.cached = Some(Head { as_of, ..before.clone() });
        });
        world.pass(Span::from_secs(10));
        world.take_asked();
        assert_eq!(told(&isolate, &world, KEY), "api_key_unknown");
        assert_eq!(polls(&world), 1, "the ledger is asked past the cache");
    }
    // An isolate that has heard nothing yet takes none from the future either.
    let other = self::isolate("open");
    assert_eq!(told(&other, &world, KEY), "api_key_unknown");
}

#[test]
fn scenario_11_a_head_that_is_kept_past_its_time_is_as_old_as_it_says() {
    let (isolate, world) = (isolate("open"), world(head(1, vec![put(KEY)])));
    with(&world, |ledger| {
        ledger.cached = Some(ledger.head.clone());
        ledger.keeps_too_long = true;
    });
    assert_eq!(told(&isolate, &world, KEY), SHARED);
    change(&world, remove(KEY));
    world.pass(Span::from_millis(9_000));
    assert_eq!(told(&isolate, &world, KEY), SHARED, "nine seconds are within max_staleness");
    world.pass(Span::from_millis(1));
    assert_eq!(told(&isolate, &world, KEY), "api_key_unknown");
}

#[test]
fn scenario_11_where_the_cache_is_purged_each_second_or_is_not_there_each_isolate_polls_itself() {
    for keeps in [true, false] {
        let (isolate, world) = (isolate("closed"), world(head(1, vec![put(KEY)])));
        assert_eq!(told(&isolate, &world, KEY), SHARED);
        polls(&world);
        with(&world, |ledger| ledger.keeps = keeps);
        for second in 0..60 {
            world.pass(Span::from_secs(1));
            with(&world, |ledger| ledger.cached = None);
            assert_eq!(told(&isolate, &world, KEY), SHARED, "{second}");
        }
        let polls = polls(&world);
        assert!((12..=20).contains(&polls), "{polls} polls in a minute: each three to five seconds");
    }
}

#[test]
fn scenario_11_five_hundred_isolates_at_once_use_few_polls() {
    let world = world(head(1, vec![put(KEY)]));
    with(&world, |ledger| ledger.keeps = true);
    let isolates: Vec<_> = (0..500).map(|_| isolate("closed")).collect();
    for isolate in &isolates {
        assert_eq!(told(isolate, &world, KEY), SHARED);
    }
    assert_eq!(polls(&world), 1, "what one has heard all others have");
    for _ in 0..20 {
        world.pass(Span::from_secs(1));
        for isolate in &isolates {
            assert_eq!(told(isolate, &world, KEY), SHARED);
        }
    }
    let polls = polls(&world);
    assert!(polls <= 6, "{polls} polls in twenty seconds: one each four");
}

#[test]
fn scenario_11_an_overloaded_ledger_is_asked_rarely_and_the_last_state_counts() {
    for (on_failure, expected) in [("open", SHARED), ("closed", "key_store_unavailable")] {
        let (isolate, world) = (isolate(on_failure), world(head(1, vec![put(KEY)])));
        assert_eq!(told(&isolate, &world, KEY), SHARED);
        world.put(&format!("key:{}", Digest::of(KEY.as_bytes())), r#"{"subject":"acme"}"#);
        with(&world, |ledger| ledger.fails = true);
        world.pass(Span::from_secs(12));
        polls(&world);
        for tenth in 0..600 {
            world.pass(Span::from_millis(100));
            assert_eq!(told(&isolate, &world, KEY), expected, "{on_failure}, {tenth}");
        }
        // Each poll that fails is made once past the cache only, and later and later.
        let polls = polls(&world);
        assert!((4..=12).contains(&polls), "{on_failure}: {polls} polls in a minute, of 600 requests");
        with(&world, |ledger| ledger.fails = false);
        world.pass(Span::from_secs(13));
        assert_eq!(told(&isolate, &world, KEY), SHARED, "{on_failure}");
    }
}

#[test]
fn scenario_11_a_day_without_object_requests_or_kv_is_served_by_what_is_held_and_then_refused() {
    let (isolate, world) = (isolate("open"), world(head(1, vec![put(KEY), remove("revoked")])));
    assert_eq!(told(&isolate, &world, KEY), SHARED);
    with(&world, |ledger| ledger.fails = true);
    world.store_fails.set(true);
    for minute in 0..59 {
        world.pass(Span::from_secs(60));
        assert_eq!(told(&isolate, &world, KEY), SHARED, "minute {minute}");
        assert_eq!(told(&isolate, &world, "revoked"), "api_key_unknown", "minute {minute}");
    }
    // An isolate that is born meanwhile lets nobody in, and takes nobody for unknown.
    assert_eq!(told(&self::isolate("open"), &world, KEY), "key_store_unavailable");
    world.pass(Span::from_secs(120));
    assert_eq!(told(&isolate, &world, KEY), "key_store_unavailable", "longer than `stale`");
    with(&world, |ledger| ledger.fails = false);
    world.pass(Span::from_secs(20));
    assert_eq!(told(&isolate, &world, KEY), SHARED);
}
