//! Requests in an isolate that follows a ledger: what each waits for, and what it is told. The clock is set, never waited
//! for.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use pointsman_core::{
    base::{
        digest::Digest,
        time::{Span, Timestamp},
    },
    decide::decision::{LoadedForRequest, Outcome},
    directory::{
        follower::{Follow, Follower},
        log::{Change, Complete, Epoch, Head, Manifest, Segment, ShardRef},
        record_key::RecordKey,
        row::{Row, Usable},
        shard,
    },
    identity::customer_id::CustomerId,
    state::{
        cache::Stored,
        directory::{Answer, Directory},
    },
};
use pointsman_testkit::{
    GatewayToml, Isolate, LedgerStub, TestFields, World, bearer, head as request_head, noon, token,
};

const KEY: &str = "key-of-acme";
const HYBRID: &str = r#"rules = [{ name = "dedicated", to = "customer", unlisted = "next" }, { name = "shared", to = "shared" }]"#;

fn settings(on_failure: &str) -> GatewayToml {
    GatewayToml::new()
        .table("api_keys", "checksum = false\nstale = \"10m\"")
        .table("customers", "stale = \"10m\"")
        .table("directory", &format!("on_failure = \"{on_failure}\""))
        .backend("shared")
        .route("/hybrid/{+path}", &["api_key"], HYBRID)
}

fn isolate() -> Isolate {
    Isolate::following(settings("open").gateway())
}

fn api_key(key: &str) -> RecordKey {
    RecordKey::api_key(&Digest::of(key.as_bytes()))
}

fn key_row(customer: &str) -> Row {
    Row::of(format!(r#"{{"subject":"{customer}","claims":{{"customerId":"{customer}"}}}}"#))
}

fn customer_row(id: &str, backend: &str) -> Row {
    Row::of(format!(r#"{{"customerId":"{id}","backendUrl":"https://{backend}.example.com"}}"#))
}

fn put(key: RecordKey, row: Row) -> Change {
    Change { key, row: Some(row) }
}

fn acme() -> Vec<Change> {
    vec![put(api_key(KEY), key_row("acme")), put(RecordKey::customer("acme"), customer_row("acme", "acme-0"))]
}

fn head(changes: Vec<Change>) -> Head {
    LedgerStub::of(changes).head
}

fn world(head: Head) -> World {
    let world = World::empty();
    *world.ledger.borrow_mut() = Some(LedgerStub { head, ..LedgerStub::default() });
    world
}

fn with<T>(world: &World, act: impl FnOnce(&mut LedgerStub) -> T) -> T {
    act(world.ledger.borrow_mut().as_mut().unwrap())
}

/// Adds changes to what the ledger says.
fn change(world: &World, changes: Vec<Change>) {
    with(world, |ledger| {
        ledger.head.revision += changes.len() as u64;
        ledger.head.changes.extend(changes);
    });
}

/// Where a request of that key goes, or why it is refused; and what that asked for, before and behind the response.
fn ask(isolate: &Isolate, world: &World, key: &str) -> (String, Vec<String>) {
    world.take_asked();
    let result = isolate.get(world, "/hybrid/x", &[("authorization", &bearer(key))]);
    let outcome = result.forwarded().or(result.refusal()).expect("an outcome").to_owned();
    (outcome, world.take_asked())
}

fn told(isolate: &Isolate, world: &World, key: &str) -> String {
    ask(isolate, world, key).0
}

const ACME: &str = "https://acme-0.example.com/hybrid/x";

#[test]
fn the_first_request_waits_for_the_head_and_no_later_one_for_anything() {
    let (isolate, world) = (isolate(), world(head(acme())));
    assert_eq!(ask(&isolate, &world, KEY), (ACME.to_owned(), vec!["head".to_owned()]));
    for _ in 0..20 {
        world.pass(Span::from_millis(900));
        let (told, asked) = ask(&isolate, &world, KEY);
        assert_eq!(told, ACME);
        assert!(
            asked.iter().all(|what| what == "head"),
            "{asked:?}: polls behind responses, and no read of KV"
        );
    }
}

#[test]
fn a_revoked_key_is_refused_within_max_staleness_whatever_kv_says() {
    let (isolate, world) = (isolate(), world(head(acme())));
    assert_eq!(told(&isolate, &world, KEY), ACME);
    world.put(&format!("key:{}", Digest::of(KEY.as_bytes())), r#"{"subject":"acme"}"#);
    change(&world, vec![Change { key: api_key(KEY), row: None }]);
    world.pass(Span::from_secs(10));
    assert_eq!(told(&isolate, &world, KEY), "api_key_unknown");
}

#[test]
fn a_key_that_was_just_made_works_at_once() {
    let (isolate, world) = (isolate(), world(head(acme())));
    assert_eq!(told(&isolate, &world, KEY), ACME);
    world.pass(Span::from_secs(2));
    with(&world, |ledger| ledger.knows.insert(api_key("new"), key_row("acme")));
    assert_eq!(ask(&isolate, &world, "new"), (ACME.to_owned(), vec!["ask".to_owned()]));
    assert_eq!(ask(&isolate, &world, "new"), (ACME.to_owned(), Vec::new()));
}

#[test]
fn a_flood_of_junk_asks_a_few_times_and_never_kv() {
    let (isolate, world) = (isolate(), world(head(acme())));
    told(&isolate, &world, KEY);
    let mut asks = 0;
    for n in 0..10_000u64 {
        world.pass(Span::from_millis(1));
        let (told, asked) = ask(&isolate, &world, &format!("junk-{n}"));
        assert_eq!(told, "api_key_unknown");
        assert!(!asked.iter().any(|what| what.starts_with("kv")), "{asked:?}");
        asks += asked.iter().filter(|what| *what == "ask").count();
    }
    assert!(asks <= 8, "{asks} asks in ten seconds");
    assert_eq!(told(&isolate, &world, KEY), ACME);
}

/// A head of four shards with 400 keys and their customers, and the shards by their names.
fn four_shards() -> (Head, Vec<(String, Vec<u8>)>) {
    let mut rows: Vec<_> = (0..400)
        .flat_map(|n| {
            let id = format!("customer-{n}");
            [(api_key(&format!("key-{n}")), key_row(&id)), (RecordKey::customer(&id), customer_row(&id, &id))]
        })
        .collect();
    rows.sort_by_key(|(key, _)| *key);
    let mut head = Head { revision: 900, first: 901, ..head(Vec::new()) };
    let mut shards = Vec::new();
    for prefix in 0..4 {
        let own: Vec<_> = rows.iter().filter(|(key, _)| key.prefix(2) == prefix).cloned().collect();
        let bytes = shard::encode(&own, 2);
        let named = ShardRef { revision: 900, hash: [prefix as u8; 16], size: bytes.len() as u32 };
        shards.push((named.name(head.epoch, prefix, 2), bytes));
        head.manifest.shards.push(named);
    }
    head.manifest.prefix_bits = 2;
    (head, shards)
}

#[test]
fn shards_are_loaded_as_they_are_needed_and_the_others_behind_the_response() {
    let (head, shards) = four_shards();
    let (isolate, world) = (isolate(), world(head));
    with(&world, |ledger| ledger.shards.extend(shards));
    let (told_first, asked) = ask(&isolate, &world, "key-7");
    assert_eq!(told_first, "https://customer-7.example.com/hybrid/x");
    assert_eq!(asked, ["head", "shard", "shard", "shard", "shard"]);
    for n in 0..400 {
        let (told, asked) = ask(&isolate, &world, &format!("key-{n}"));
        assert_eq!((told, asked), (format!("https://customer-{n}.example.com/hybrid/x"), Vec::new()));
    }
    // One that cannot be had is looked up as it was before there was a directory, and is never "not there".
    let other = Isolate::following(settings("open").gateway());
    with(&world, |ledger| ledger.shards.clear());
    world.put(&format!("key:{}", Digest::of(b"key-7")), r#"{"subject":"x","claims":{"customerId":"in-kv"}}"#);
    world.put("customer:in-kv", r#"{"customerId":"in-kv","backendUrl":"https://in-kv.example.com"}"#);
    assert_eq!(told(&other, &world, "key-7"), "https://in-kv.example.com/hybrid/x");
    // The ledger is asked for it first: the store lags for as long as it takes no writes.
    world.put("customer:moved", r#"{"customerId":"moved","backendUrl":"https://moved.example.com"}"#);
    let row = Row::of(r#"{"subject":"x","claims":{"customerId":"moved"}}"#);
    with(&world, |ledger| ledger.knows.insert(api_key("key-7"), row));
    let another = Isolate::following(settings("open").gateway());
    assert_eq!(told(&another, &world, "key-7"), "https://moved.example.com/hybrid/x");
    with(&world, |ledger| ledger.fails = true);
    let silent = Isolate::following(settings("open").gateway());
    assert_eq!(told(&silent, &world, "key-7"), "https://in-kv.example.com/hybrid/x");
}

#[test]
fn of_shards_that_do_not_fit_what_was_used_stays_and_a_flood_is_asked_for_in_kv() {
    let (head, shards) = four_shards();
    let size = head.manifest.shards.iter().map(|shard| shard.size as usize).max().unwrap();
    let (isolate, world) = (isolate(), world(head));
    if let Some(Directory { follower, .. }) = isolate.memory.borrow_mut().directory.as_mut() {
        *follower = Follower::new(Follow { budget: 2 * size + 3_000, ..*follower.follow() }, 7);
    }
    with(&world, |ledger| ledger.shards.extend(shards));
    let expected = |n: u32| format!("https://customer-{n}.example.com/hybrid/x");
    for n in 0..10 {
        assert_eq!(told(&isolate, &world, &format!("key-{n}")), expected(n));
    }
    // What was decoded of them is forgotten when so much changes at once.
    change(&world, (0..600).map(|n| Change { key: api_key(&format!("gone-{n}")), row: None }).collect());
    world.pass(Span::from_secs(10));
    assert_eq!(ask(&isolate, &world, "key-0"), (expected(0), vec!["head".to_owned()]));
    for n in 1..10 {
        let (told, asked) = ask(&isolate, &world, &format!("key-{n}"));
        assert_eq!((told, asked), (expected(n), Vec::new()));
    }
    let (mut loads, mut reads) = (0, 0);
    for n in 0..500 {
        world.pass(Span::from_millis(10));
        let (told, asked) = ask(&isolate, &world, &format!("junk-{n}"));
        assert_eq!(told, "api_key_unknown");
        loads += asked.iter().filter(|what| *what == "shard").count();
        reads += asked.iter().filter(|what| what.starts_with("kv")).count();
    }
    assert!(loads <= 30 && reads > 100, "{loads} shards, {reads} reads of KV");
    assert_eq!(told(&isolate, &world, "key-7"), expected(7));
}

#[test]
fn what_cannot_be_used_never_falls_to_the_shared_backend() {
    let row = |usable| Row { usable, ..Row::default() };
    for (usable, expected) in
        [(Usable::Malformed, "customer_record_malformed"), (Usable::Unsure, "customer_source_unavailable")]
    {
        let changes = vec![acme().remove(0), put(RecordKey::customer("acme"), row(usable))];
        let (isolate, world) = (isolate(), world(head(changes)));
        assert_eq!(told(&isolate, &world, KEY), expected);
    }
    let text = Row::of(r#"{"customerId":"acme","backendUrl":7}"#);
    let world = world(head(vec![acme().remove(0), put(RecordKey::customer("acme"), text)]));
    assert_eq!(told(&isolate(), &world, KEY), "customer_record_malformed");
}

#[test]
fn where_not_everything_is_held_kv_is_asked_and_what_was_removed_stays_removed() {
    let removed = Change { key: api_key("revoked"), row: None };
    let mut changes = acme();
    changes.push(removed);
    let incomplete = Head { manifest: Manifest::default(), ..head(changes) };
    let (isolate, world) = (isolate(), world(incomplete));
    for key in ["revoked", "in-kv"] {
        let record = r#"{"subject":"acme","claims":{"customerId":"acme"}}"#;
        world.put(&format!("key:{}", Digest::of(key.as_bytes())), record);
    }
    assert_eq!(told(&isolate, &world, "in-kv"), ACME);
    assert_eq!(told(&isolate, &world, "revoked"), "api_key_unknown");
}

#[test]
fn what_was_read_in_kv_before_a_removal_was_heard_does_not_come_back_with_another_epoch() {
    let incomplete =
        |epoch: u8| Head { epoch: Epoch([epoch; 16]), manifest: Manifest::default(), ..head(Vec::new()) };
    for removed in [api_key(KEY), RecordKey::customer("acme")] {
        let (isolate, world) = (isolate(), world(incomplete(1)));
        world.put(
            &format!("key:{}", Digest::of(KEY.as_bytes())),
            r#"{"subject":"acme","claims":{"customerId":"acme"}}"#,
        );
        world.put("customer:acme", &String::from_utf8(customer_row("acme", "acme-0").text).unwrap());
        assert_eq!(told(&isolate, &world, KEY), ACME, "as KV has it");
        change(&world, vec![Change { key: removed, row: None }]);
        world.pass(Span::from_secs(10));
        assert_ne!(told(&isolate, &world, KEY), ACME, "the log says otherwise");
        // A ledger that was restored to before the record was made has nothing to remove.
        with(&world, |ledger| ledger.head = incomplete(2));
        world.store_fails.set(true);
        world.pass(Span::from_secs(10));
        assert_ne!(told(&isolate, &world, KEY), ACME, "and KV does not answer");
    }
}

#[test]
fn a_removed_customer_stays_removed_where_the_store_still_shows_them() {
    let complete = Complete { keys: true, customers: false };
    let incomplete =
        Head { manifest: Manifest { complete, ..Manifest::default() }, ..head(vec![acme().remove(0)]) };
    let (isolate, world) = (isolate(), world(incomplete));
    world.put("customer:acme", &String::from_utf8(customer_row("acme", "acme-0").text).unwrap());
    assert_eq!(told(&isolate, &world, KEY), ACME, "as the store has it");
    change(&world, vec![Change { key: RecordKey::customer("acme"), row: None }]);
    world.pass(Span::from_secs(10));
    assert!(told(&isolate, &world, KEY).starts_with("https://shared."), "and not as it was read before");
    let other = Isolate::following(settings("open").gateway());
    assert!(told(&other, &world, KEY).starts_with("https://shared."), "nor as it is read now");
}

#[test]
fn what_a_record_replaced_that_has_ended_does_not_come_back_where_the_store_still_shows_it() {
    let end = noon().plus(Span::from_secs(30));
    let ends = |row: Row| Row { expires_at: Some(end), ..row };
    let other = key_row("wayne");
    for (ended, refusal) in [(0, "api_key_unknown"), (1, "https://shared.example.com/hybrid/x")] {
        let mut changes = acme();
        changes[ended].row = changes[ended].row.take().map(ends);
        let incomplete = Head { manifest: Manifest::default(), ..head(changes) };
        let (isolate, world) = (isolate(), world(incomplete));
        // The ledger could not tell KV of what replaced these.
        world.put(
            &format!("key:{}", Digest::of(KEY.as_bytes())),
            &String::from_utf8(other.text.clone()).unwrap(),
        );
        for id in ["acme", "wayne"] {
            let row = customer_row(id, &format!("{id}-before"));
            world.put(&format!("customer:{id}"), &String::from_utf8(row.text).unwrap());
        }
        assert_eq!(told(&isolate, &world, KEY), ACME);
        with(&world, |ledger| ledger.fails = true);
        world.pass(Span::from_secs(29));
        assert_eq!(told(&isolate, &world, KEY), ACME, "the last state counts");
        world.pass(Span::from_secs(1));
        assert_eq!(told(&isolate, &world, KEY), refusal);
    }
}

#[test]
fn who_is_not_there_since_the_own_record_has_ended_is_asked_for_at_the_ledger() {
    let end = noon().plus(Span::from_secs(7));
    let own = Row { expires_at: Some(end), ..customer_row("acme", "acme-0") };
    let changes = vec![put(api_key(KEY), key_row("acme")), put(RecordKey::customer("acme"), own)];
    let (isolate, world) = (isolate(), world(head(changes)));
    assert_eq!(told(&isolate, &world, KEY), ACME);
    world.pass(Span::from_secs(7));
    // The config API may have a record beneath, which counts from then on.
    assert!(ask(&isolate, &world, KEY).1.contains(&"ask".to_owned()));
}

#[test]
fn who_may_be_the_config_apis_since_the_own_record_has_ended_is_never_shared_while_the_ledger_is_silent() {
    let end = noon().plus(Span::from_secs(30));
    let own = Row { expires_at: Some(end), ..customer_row("acme", "acme-0") };
    let changes = vec![put(api_key(KEY), key_row("acme")), put(RecordKey::customer("acme"), own)];
    let (isolate, world) = (isolate(), world(head(changes)));
    assert_eq!(told(&isolate, &world, KEY), ACME);
    with(&world, |ledger| ledger.fails = true);
    world.pass(Span::from_secs(29));
    assert_eq!(told(&isolate, &world, KEY), ACME, "the last state counts");
    world.pass(Span::from_secs(1));
    assert_eq!(told(&isolate, &world, KEY), "customer_source_unavailable");
}

#[test]
fn a_customer_that_was_loaded_is_not_taken_for_another_whom_the_key_names_by_then() {
    let (isolate, world) = (isolate(), world(head(acme())));
    assert_eq!(told(&isolate, &world, KEY), ACME);
    let mut loaded = LoadedForRequest::default();
    for stored in [Some(Stored::Absent), Some(Stored::Malformed), None] {
        loaded.take_customer(&CustomerId::parse("wayne").unwrap(), stored);
        let fields = vec![("authorization".to_owned(), bearer(KEY))];
        let fields = TestFields { fields, ..TestFields::default() };
        let asked = request_head(&isolate.gateway, "GET", "https://gateway.example.com/hybrid/x", &fields);
        let decided = isolate.gateway.decide(&asked, &mut isolate.memory.borrow_mut(), &loaded, noon());
        let Outcome::Forward(forward) = decided.outcome else { panic!("{:?}", decided.trace) };
        assert_eq!(forward.sending.url(), ACME);
    }
}

#[test]
fn closed_means_503_also_before_what_the_ledger_left_was_read() {
    let isolate = Isolate::following(settings("closed").gateway());
    let mut memory = isolate.memory.borrow_mut();
    let directory = memory.directory.as_mut().unwrap();
    directory.follower.poll_failed(noon());
    let digest = Digest::of(KEY.as_bytes());
    assert_eq!(directory.key(&digest, false, noon()), Answer::Closed);
    directory.follower.note_no_tail();
    assert_eq!(directory.key(&digest, false, noon()), Answer::Elsewhere, "there never was a ledger");
}

#[test]
fn while_the_ledger_is_silent_the_last_state_counts_and_kv_can_still_revoke() {
    let (isolate, world) = (isolate(), world(head(acme())));
    assert_eq!(told(&isolate, &world, KEY), ACME);
    let record = r#"{"subject":"acme","claims":{"customerId":"acme"}}"#;
    let name = format!("key:{}", Digest::of(KEY.as_bytes()));
    world.put(&name, record);
    world.put("customer:acme", &String::from_utf8(customer_row("acme", "acme-0").text).unwrap());
    with(&world, |ledger| ledger.fails = true);
    for _ in 0..30 {
        world.pass(Span::from_secs(4));
        assert_eq!(told(&isolate, &world, KEY), ACME);
    }
    world.store.borrow_mut().remove(&name);
    let mut last = String::new();
    for _ in 0..20 {
        world.pass(Span::from_secs(4));
        last = told(&isolate, &world, KEY);
    }
    assert_eq!(last, "api_key_unknown", "removed by hand in KV");
    with(&world, |ledger| ledger.fails = false);
    world.pass(Span::from_secs(20));
    assert_eq!(told(&isolate, &world, KEY), ACME, "the ledger has the word again");
}

#[test]
fn while_the_ledger_is_silent_an_entry_that_is_disabled_in_kv_is_refused() {
    let key = format!("key:{}", Digest::of(KEY.as_bytes()));
    let of_key = |more: &str| format!(r#"{{"subject":"acme","claims":{{"customerId":"acme"}}{more}}}"#);
    let of_acme = |backend: &str, more: &str| {
        format!(r#"{{"customerId":"acme","backendUrl":"https://{backend}.example.com"{more}}}"#)
    };
    const DISABLED: &str = r#","disabled":true"#;
    for (key_is, acme_is, expected) in [
        (of_key(DISABLED), of_acme("acme-0", ""), "api_key_disabled"),
        (of_key(""), of_acme("acme-0", DISABLED), "customer_disabled"),
        // What KV says besides may be older than what the ledger said.
        (r#"{"subject":"wayne"}"#.to_owned(), of_acme("acme-9", ""), ACME),
        ("not JSON".to_owned(), "not JSON".to_owned(), ACME),
    ] {
        let (isolate, world) = (isolate(), world(head(acme())));
        assert_eq!(told(&isolate, &world, KEY), ACME);
        with(&world, |ledger| ledger.fails = true);
        world.put(&key, &key_is);
        world.put("customer:acme", &acme_is);
        let mut last = String::new();
        for _ in 0..30 {
            world.pass(Span::from_secs(4));
            last = told(&isolate, &world, KEY);
        }
        assert_eq!(last, expected);
        with(&world, |ledger| ledger.fails = false);
        world.pass(Span::from_secs(20));
        assert_eq!(told(&isolate, &world, KEY), ACME, "the ledger has the word again");
    }
}

#[test]
fn closed_means_503_after_max_staleness() {
    let (isolate, world) = (Isolate::following(settings("closed").gateway()), world(head(acme())));
    assert_eq!(told(&isolate, &world, KEY), ACME);
    with(&world, |ledger| ledger.fails = true);
    world.pass(Span::from_secs(8));
    assert_eq!(told(&isolate, &world, KEY), ACME, "the copy is young enough");
    world.pass(Span::from_secs(3));
    assert_eq!(told(&isolate, &world, KEY), "key_store_unavailable");
}

#[test]
fn an_isolate_that_is_born_while_the_ledger_is_silent_begins_with_what_kv_has() {
    for (on_failure, expected) in
        [("open", [ACME, "api_key_unknown"]), ("closed", ["key_store_unavailable"; 2])]
    {
        let mut changes = acme();
        changes.push(Change { key: api_key("revoked"), row: None });
        let world = world(head(Vec::new()));
        with(&world, |ledger| {
            ledger.fails = true;
            ledger.tail = Some(head(changes));
        });
        world.put(&format!("key:{}", Digest::of(b"revoked")), r#"{"subject":"acme"}"#);
        world.pass(Span::from_secs(60));
        let isolate = Isolate::following(settings(on_failure).gateway());
        assert_eq!([KEY, "revoked"].map(|key| told(&isolate, &world, key)), expected, "{on_failure}");
    }
}

#[test]
fn a_location_that_kept_an_old_head_is_passed_over() {
    let (isolate, world) = (isolate(), world(head(acme())));
    let old = with(&world, |ledger| ledger.head.clone());
    assert_eq!(told(&isolate, &world, KEY), ACME);
    change(&world, vec![Change { key: api_key(KEY), row: None }]);
    world.pass(Span::from_secs(10));
    assert_eq!(told(&isolate, &world, KEY), "api_key_unknown");
    // Another isolate of the location had left this one there; its clock is ahead.
    with(&world, |ledger| ledger.cached = Some(Head { as_of: Timestamp::from_millis(u64::MAX >> 8), ..old }));
    world.pass(Span::from_secs(10));
    assert_eq!(
        ask(&isolate, &world, KEY),
        ("api_key_unknown".to_owned(), vec!["cached head".into(), "head".into()])
    );
}

#[test]
fn a_gap_in_the_log_is_filled_before_anybody_is_served() {
    let (isolate, world) = (isolate(), world(head(acme())));
    assert_eq!(told(&isolate, &world, KEY), ACME);
    let mut all = acme();
    all.push(Change { key: api_key(KEY), row: None });
    all.extend((0..600).map(|n| put(RecordKey::customer(&n.to_string()), customer_row(&n.to_string(), "x"))));
    with(&world, |ledger| {
        ledger.segments.extend((0..2).map(|n| {
            let first = n * 256 + 1;
            let changes = all[n * 256..(n + 1) * 256].to_vec();
            (first as u64, Segment { epoch: ledger.head.epoch, first: first as u64, changes })
        }));
        ledger.head = Head { first: 503, changes: all[502..].to_vec(), revision: 603, ..ledger.head.clone() };
    });
    world.pass(Span::from_secs(10));
    let (told, asked) = ask(&isolate, &world, KEY);
    assert_eq!(
        (told.as_str(), asked),
        ("api_key_unknown", vec!["head".into(), "segment 1".into(), "segment 257".into()])
    );
}

#[test]
fn a_changed_customer_is_at_the_new_backend_and_a_removed_one_at_none() {
    let (isolate, world) = (isolate(), world(head(acme())));
    assert_eq!(told(&isolate, &world, KEY), ACME);
    change(&world, vec![put(RecordKey::customer("acme"), customer_row("acme", "acme-1"))]);
    world.pass(Span::from_secs(10));
    assert_eq!(told(&isolate, &world, KEY), "https://acme-1.example.com/hybrid/x");
    change(&world, vec![Change { key: RecordKey::customer("acme"), row: None }]);
    world.pass(Span::from_secs(10));
    assert!(
        told(&isolate, &world, KEY).starts_with("https://shared."),
        "whoever is not listed goes to the shared one"
    );
}

#[test]
fn a_record_that_kv_drops_at_a_second_ends_then() {
    let end = noon().plus(Span::from_secs(30));
    let key = Row { expires_at: Some(end), ..key_row("acme") };
    let (isolate, world) = (isolate(), world(head(vec![put(api_key(KEY), key), acme().remove(1)])));
    world.pass(Span::from_millis(29_999));
    assert_eq!(told(&isolate, &world, KEY), ACME);
    world.pass(Span::from_millis(1));
    assert_eq!(told(&isolate, &world, KEY), "api_key_unknown");
}

const ISSUER: &str = "https://id.example.com/";
const ISSUER_SETTINGS: &str = r#"
    name = "main"
    issuer = "https://id.example.com/"
    audience = "https://api.example.com"
    jwks_url = "https://id.example.com/.well-known/jwks.json"
    algorithms = ["ES256"]
"#;

/// An isolate for tokens, and a world with their issuer and a ledger that says this.
fn with_tokens(on_failure: &str, changes: Vec<Change>) -> (Isolate, World) {
    let settings = settings(on_failure).table("[issuers]", ISSUER_SETTINGS).route(
        "/tokens/{+path}",
        &["main"],
        r#"rules = [{ name = "all", to = "shared" }]"#,
    );
    let world = world(head(changes));
    world.publish_keys();
    (Isolate::following(settings.gateway()), world)
}

fn told_token(isolate: &Isolate, world: &World) -> String {
    let field = bearer(&token("customer-acme"));
    let result = isolate.get(world, "/tokens/x", &[("authorization", &field)]);
    result.forwarded().or(result.refusal()).expect("an outcome").to_owned()
}

const SHARED: &str = "https://shared.example.com/tokens/x";

fn subject() -> RecordKey {
    RecordKey::subject(ISSUER, "user-1")
}

#[test]
fn a_revoked_token_is_refused_also_where_it_was_verified_before() {
    for row in [
        Row::of("{}"),
        Row::of(r#"{"issuedBefore":"2099-01-01T00:00:00Z"}"#),
        Row::of(r#"{"issuedBefore":7}"#),
    ] {
        let (isolate, world) = with_tokens("open", Vec::new());
        assert_eq!(told_token(&isolate, &world), SHARED);
        change(&world, vec![put(subject(), row)]);
        world.pass(Span::from_secs(10));
        assert_eq!(told_token(&isolate, &world), "token_revoked");
        // Taken back by who had mistyped it.
        change(&world, vec![Change { key: subject(), row: None }]);
        world.pass(Span::from_secs(10));
        assert_eq!(told_token(&isolate, &world), SHARED);
    }
}

#[test]
fn a_revocation_is_of_one_issuer_one_time_and_one_span() {
    let ends = noon().plus(Span::from_secs(60));
    for (key, row) in [
        (RecordKey::subject("https://other.example.com/", "user-1"), Row::of("{}")),
        (RecordKey::subject(ISSUER, "user-2"), Row::of("{}")),
        (RecordKey::token_id(ISSUER, "user-1"), Row::of("{}")),
        (subject(), Row { expires_at: Some(ends), ..Row::of("{}") }),
    ] {
        let (isolate, world) = with_tokens("open", vec![put(key, row)]);
        world.pass(Span::from_secs(60));
        assert_eq!(told_token(&isolate, &world), SHARED);
    }
}

#[test]
fn revocations_that_are_in_their_shard_are_loaded_before_anybody_is_let_in() {
    let bytes = shard::encode(&[(subject(), Row::of("{}"))], 0);
    let named = ShardRef { revision: 7, hash: [3; 16], size: bytes.len() as u32 };
    let (isolate, world) = with_tokens("open", Vec::new());
    with(&world, |ledger| {
        ledger.head = Head { revision: 7, first: 8, ..ledger.head.clone() };
        ledger.head.manifest.tokens = Some(named);
    });
    assert_eq!(told_token(&isolate, &world), "revocations_unavailable", "its shard cannot be had");
    with(&world, |ledger| ledger.shards.insert(named.tokens_name(ledger.head.epoch), bytes));
    world.pass(Span::from_secs(40));
    assert_eq!(told_token(&isolate, &world), "token_revoked");
}

#[test]
fn who_is_born_while_the_ledger_is_silent_never_begins_without_the_revocations() {
    let (isolate, world) = with_tokens("open", Vec::new());
    with(&world, |ledger| {
        ledger.fails = true;
        ledger.tail = Some(head(vec![put(subject(), Row::of("{}"))]));
    });
    assert_eq!(told_token(&isolate, &world), "token_revoked");
    // No ledger has ever said anything: there is nothing to know.
    let (isolate, world) = with_tokens("open", Vec::new());
    with(&world, |ledger| ledger.fails = true);
    assert_eq!(told_token(&isolate, &world), SHARED);
}

#[test]
fn an_operators_record_is_gone_where_the_log_says_so_and_where_the_config_apis_counts_since() {
    let (isolate, world) = (isolate(), world(head(acme())));
    let acme = CustomerId::parse("acme").unwrap();
    let is_gone = || {
        told(&isolate, &world, KEY);
        isolate.memory.borrow().directory.as_ref().unwrap().has_removed(&acme, world.now.get())
    };
    assert!(!is_gone());
    let later = |world: &World| {
        world.now.set(world.now.get().plus(Span::from_secs(20)));
        with(world, |ledger| ledger.head.as_of = world.now.get());
    };
    change(&world, vec![Change { key: RecordKey::customer("acme"), row: None }]);
    later(&world);
    assert!(is_gone());
    // What is read in the store meanwhile is older than that, and must not count again.
    let provided = Row { provider: true, ..customer_row("acme", "acme-1") };
    change(&world, vec![put(RecordKey::customer("acme"), provided)]);
    later(&world);
    assert!(is_gone());
    assert_eq!(told(&isolate, &world, KEY), "https://acme-1.example.com/hybrid/x");
}
