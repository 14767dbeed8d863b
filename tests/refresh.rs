//! The scheduled refresh: run after run over lists of all sizes and all states, with a store that fails
//! wherever it likes. The clock is set, never waited for.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::collections::BTreeMap;

use pointsman_core::base::time::Span;
use pointsman_loader::scheduled::{CustomerRefresh, Refreshed};
use pointsman_testkit::{GatewayToml, Isolate, World, bearer, key};
use proptest::prelude::*;
use serde_json::{Value, json};

const API: &str = "https://config.example.com/customers";
const STATE: &str = "source:customers";
const INDEX: &str = "source:customers:index";
/// What a Worker may call of KV in one run (Workers, limits).
const MOST_CALLS: usize = 1000;

const TO_CUSTOMER: &str = r#"
    rewrite = "/{+path}"
    rules = [{ name = "customer", to = "customer" }]
"#;
const TO_CUSTOMER_OR_SHARED: &str = r#"
    rewrite = "/{+path}"
    rules = [{ name = "dedicated", to = "customer", unlisted = "next" }, { name = "shared", to = "shared" }]
"#;

fn settings(max_removed: &str) -> GatewayToml {
    let api = r#"url = "${CUSTOMER_CONFIG_API_URL}", token = "${CONFIG_API_TOKEN}""#;
    let source = format!("source = {{ {api}, max_removed = \"{max_removed}\" }}");
    GatewayToml::new()
        .table("api_keys", r#"prefixes = ["sk_live", "sk_test"]"#)
        .table("customers", &source)
        .backend("shared")
        .route("/customers/{+path}", &["api_key"], TO_CUSTOMER)
        .route("/hybrid/{+path}", &["api_key"], TO_CUSTOMER_OR_SHARED)
}

fn isolate() -> Isolate {
    Isolate::new(settings("20%").gateway())
}

fn listed(id: &str, backend: &str) -> Value {
    json!({"customerId": id, "backendUrl": format!("https://{backend}.example.com")})
}

fn list(world: &World, entries: &[Value]) {
    world.answer(API, 200, &Value::from(entries).to_string());
}

/// A list of so many, each with a backend of its own.
fn many(count: usize) -> Vec<Value> {
    (0..count).map(|number| listed(&format!("c{number:05}"), &format!("b{number}"))).collect()
}

/// One run, a minute after what was before. What it did, and how many calls of KV that took.
fn run(isolate: &Isolate, world: &World) -> (Result<Refreshed, String>, usize) {
    world.pass(Span::from_secs(60));
    world.take_asked();
    let refresh = CustomerRefresh::of(&isolate.gateway, &isolate.memory, world).expect("a config API");
    let result = pollster::block_on(refresh.run()).map_err(|error| error.0);
    let calls = world.asked.borrow().iter().filter(|asked| !asked.starts_with("get ")).count();
    assert!(calls <= MOST_CALLS, "{calls} calls of KV in one run");
    (result, calls)
}

fn refreshed(isolate: &Isolate, world: &World) -> Refreshed {
    run(isolate, world).0.expect("the run succeeds")
}

fn puts(world: &World) -> Vec<String> {
    world.take_asked().into_iter().filter_map(|asked| asked.strip_prefix("put ").map(str::to_owned)).collect()
}

fn stored(world: &World, name: &str) -> Option<Value> {
    world.store.borrow().get(name).map(|json| serde_json::from_slice(json).expect("stored as JSON"))
}

fn record(world: &World, id: &str) -> Value {
    stored(world, &format!("source:customer:{id}")).unwrap_or_else(|| panic!("no record of {id}"))
}

fn state(world: &World) -> Value {
    stored(world, STATE).expect("a state")
}

fn call(isolate: &Isolate, world: &World, path: &str, name: &str) -> String {
    let value = bearer(&key(name));
    let result = isolate.get(world, path, &[("authorization", &value)]);
    result.forwarded().map_or_else(|| result.refusal().unwrap_or("?").to_owned(), str::to_owned)
}

#[test]
fn a_long_list_is_written_page_by_page_and_confirmed_at_its_end() {
    let (isolate, world) = (isolate(), World::empty());
    world.tags.set(true);
    list(&world, &many(2500));
    let mut pending = usize::MAX;
    let mut written = 0;
    let mut runs = 0;
    while pending > 0 {
        let (result, calls) = run(&isolate, &world);
        let done = result.expect("the run succeeds");
        assert_eq!(done.listed, 2500);
        assert!(done.pending < pending, "each run gets on");
        assert!(calls > 700 || done.pending == 0, "a run does as much as it may: {calls} calls");
        pending = done.pending;
        written += done.written;
        runs += 1;
        let confirmed = state(&world)["confirmedAt"].as_str().unwrap().to_owned();
        assert_eq!(confirmed.is_empty(), pending > 0, "nothing is vouched for before all is written");
        assert_eq!(state(&world)["pending"], pending);
    }
    assert_eq!((written, runs), (2500, 4));
    assert_eq!(state(&world)["confirmedAt"], world.now.get().to_string());
    assert_eq!(state(&world)["count"], 2500);
    assert_eq!(stored(&world, INDEX).unwrap().as_object().unwrap().len(), 2500);
    for number in [0, 1234, 2499] {
        let record = record(&world, &format!("c{number:05}"));
        assert_eq!(record["backendUrl"], format!("https://b{number}.example.com"));
    }
}

#[test]
fn a_list_that_has_not_changed_costs_one_small_write() {
    for tags in [true, false] {
        let (isolate, world) = (isolate(), World::empty());
        world.tags.set(tags);
        list(&world, &many(300));
        assert_eq!(refreshed(&isolate, &world).written, 300);
        for _ in 0..3 {
            let done = refreshed(&isolate, &world);
            assert_eq!(done, Refreshed { listed: 300, ..Refreshed::default() });
            let asked = world.take_asked();
            let read_index = asked.contains(&format!("kv {INDEX}"));
            assert_eq!(read_index, !tags, "with an entity tag not even the index is read");
            let puts: Vec<_> = asked.iter().filter(|asked| asked.starts_with("put ")).collect();
            assert_eq!(puts, [&format!("put {STATE}")]);
            assert_eq!(state(&world)["confirmedAt"], world.now.get().to_string());
            assert_eq!(state(&world)["generation"], 1, "counts lists that differed");
        }
    }
}

#[test]
fn what_changed_is_written_and_nothing_else() {
    let (isolate, world) = (isolate(), World::empty());
    let mut entries = many(100);
    list(&world, &entries);
    refreshed(&isolate, &world);
    let first = record(&world, "c00005");
    entries[7] = listed("c00007", "elsewhere");
    entries.remove(50);
    entries.push(listed("newcomer", "n"));
    list(&world, &entries);
    let done = refreshed(&isolate, &world);
    assert_eq!(done, Refreshed { listed: 100, written: 3, gone: 1, pending: 0 });
    let mut puts = puts(&world);
    puts.sort_unstable();
    let expected =
        ["source:customer:c00007", "source:customer:c00050", "source:customer:newcomer", STATE, INDEX]
            .map(str::to_owned);
    assert_eq!(puts, expected);
    assert_eq!(record(&world, "c00005"), first);
    assert_eq!(record(&world, "c00007")["backendUrl"], "https://elsewhere.example.com");
    assert_eq!(record(&world, "c00007")["generation"], 2);
    assert_eq!(record(&world, "newcomer")["generation"], 1);
    let gone = record(&world, "c00050");
    assert_eq!((&gone["gone"], &gone["disabled"]), (&Value::from(true), &Value::from(true)));
}

#[test]
fn who_was_gone_and_comes_back_is_served_again() {
    let (isolate, world) = (isolate(), World::of_fixtures());
    let entries = vec![listed("umbrella-corp", "u"), listed("other", "o"), listed("third", "t")];
    list(&world, &entries);
    refreshed(&isolate, &world);
    assert_eq!(call(&isolate, &world, "/customers/x", "umbrella"), "https://u.example.com/x");
    list(&world, &entries[1..]);
    let done = refreshed(&isolate, &world);
    assert_eq!((done.written, done.gone), (1, 1));
    world.pass(Span::from_secs(300));
    call(&isolate, &world, "/customers/x", "umbrella");
    for path in ["/customers/x", "/hybrid/x"] {
        assert_eq!(call(&isolate, &world, path, "umbrella"), "customer_disabled", "nor is it a stranger");
    }
    assert_eq!(refreshed(&isolate, &world).written, 0, "once");
    list(&world, &entries);
    let done = refreshed(&isolate, &world);
    assert_eq!((done.written, done.gone), (1, 0));
    let back = record(&world, "umbrella-corp");
    assert!(back.get("gone").is_none() && back.get("disabled").is_none(), "{back}");
    assert_eq!(back["generation"], 3);
    world.pass(Span::from_secs(300));
    call(&isolate, &world, "/customers/x", "umbrella");
    assert_eq!(call(&isolate, &world, "/customers/x", "umbrella"), "https://u.example.com/x");
}

/// Promise 60: whatever the list says, and whatever runs do, an operator's entry stays byte for byte. The
/// run writes what the list says beside it, so that this counts as soon as the operator's is removed.
#[test]
fn an_operators_own_record_decides_until_the_operator_removes_it() {
    let (isolate, world) = (isolate(), World::of_fixtures());
    let name = "customer:umbrella-corp";
    let own = [
        (
            r#"{"customerId":"umbrella-corp","backendUrl":"https://by-hand.example.com"}"#,
            "https://by-hand.example.com/x",
        ),
        (
            r#"{"customerId":"umbrella-corp","backendUrl":"https://u.example.com","disabled":true}"#,
            "customer_disabled",
        ),
        (r#"{"customerId":"umbrella-corp","backendUrl":"#, "customer_record_malformed"),
        (r#"{"customerId":"another","backendUrl":"https://u.example.com"}"#, "customer_record_malformed"),
    ];
    let entries: Vec<Value> = many(20).into_iter().chain([listed("umbrella-corp", "u")]).collect();
    for (own, expected) in own {
        world.put(name, own);
        for entries in [&entries[..], &entries[..20], &entries[..]] {
            list(&world, entries);
            refreshed(&isolate, &world);
            assert_eq!(world.store.borrow()[name], own.as_bytes());
            for path in ["/customers/x", "/hybrid/x"] {
                let cold = self::isolate();
                assert_eq!(call(&cold, &world, path, "umbrella"), expected, "{own}");
            }
        }
    }
    world.store.borrow_mut().remove(name);
    world.take_asked();
    assert_eq!(call(&self::isolate(), &world, "/customers/x", "umbrella"), "https://u.example.com/x");
    assert!(!world.take_asked().iter().any(|asked| asked.starts_with("get ")), "the run had written it");
}

/// A store as a version left it that had one name for both: its records, its index and its state.
fn left_by_an_older_version(world: &World, ids: &[&str]) {
    for id in ids {
        let mut record = listed(id, "older");
        let more = json!({"fetchedAt": world.now.get().to_string(), "generation": 4, "scheduled": true});
        record.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        world.put(&format!("customer:{id}"), &record.to_string());
    }
    let index: serde_json::Map<String, Value> =
        ids.iter().map(|id| ((*id).to_owned(), json!("0123456789abcdef"))).collect();
    world.put(INDEX, &Value::from(index).to_string());
    let state = json!({"confirmedAt": world.now.get().to_string(), "generation": 1, "count": ids.len(), "etag": "\"1\"", "pending": 0});
    world.put(STATE, &state.to_string());
}

/// What an older version left under the operator's name is the config API's all the same: it counts until
/// a run has written it under its own, and never again after that. Nothing is deleted.
#[test]
fn records_of_an_older_version_move_to_their_own_name() {
    for tags in [true, false] {
        let (isolate, world) = (isolate(), World::of_fixtures());
        world.tags.set(tags);
        let entries: Vec<Value> =
            ["umbrella-corp", "b", "c", "d", "e", "f"].map(|id| listed(id, "older")).to_vec();
        list(&world, &entries);
        left_by_an_older_version(&world, &["umbrella-corp", "b", "c", "d", "e", "f", "left"]);
        let before = world.store.borrow().clone();
        assert_eq!(call(&self::isolate(), &world, "/customers/x", "umbrella"), "https://older.example.com/x");
        let done = refreshed(&isolate, &world);
        assert_eq!((done.written, done.gone, done.pending), (7, 1, 0), "one has left the list");
        assert_eq!(record(&world, "b")["generation"], 5);
        assert_eq!(record(&world, "left")["gone"], true, "also who left between the versions is gone");
        for (name, value) in before.iter().filter(|(name, _)| name.starts_with("customer:")) {
            assert_eq!(&world.store.borrow()[name], value, "{name}");
        }
        // From now on what is left over is nobody's.
        let mut moved = entries.clone();
        moved[0] = listed("umbrella-corp", "newer");
        list(&world, &moved);
        refreshed(&isolate, &world);
        assert_eq!(call(&self::isolate(), &world, "/customers/x", "umbrella"), "https://newer.example.com/x");
        list(&world, &moved[1..]);
        refreshed(&isolate, &world);
        assert_eq!(call(&self::isolate(), &world, "/customers/x", "umbrella"), "customer_disabled");
        world.take_asked();
        assert_eq!(refreshed(&isolate, &world).written, 0);
        assert!(!world.take_asked().iter().any(|asked| asked.starts_with("put customer:")));
    }
}

/// A tombstone of an older version is no longer listed and no longer in the index: it is never moved, and
/// goes on to keep its customer out.
#[test]
fn who_was_gone_under_an_older_version_stays_gone() {
    let (isolate, world) = (isolate(), World::of_fixtures());
    list(&world, &[listed("other", "o")]);
    left_by_an_older_version(&world, &["other"]);
    let gone = json!({"customerId": "umbrella-corp", "backendUrl": "https://u.example.com", "disabled": true, "gone": true,
        "fetchedAt": world.now.get().to_string(), "generation": 2, "scheduled": true});
    world.put("customer:umbrella-corp", &gone.to_string());
    for _ in 0..3 {
        refreshed(&isolate, &world);
        for path in ["/customers/x", "/hybrid/x"] {
            assert_eq!(call(&self::isolate(), &world, path, "umbrella"), "customer_disabled");
        }
    }
}

/// The move is as good as a first fill: what one run cannot write, the next do, and none is lost.
#[test]
fn a_move_of_many_takes_several_runs() {
    let (isolate, world) = (isolate(), World::empty());
    world.tags.set(true);
    let ids: Vec<String> = (0..2000).map(|number| format!("c{number:05}")).collect();
    list(&world, &ids.iter().map(|id| listed(id, "older")).collect::<Vec<_>>());
    left_by_an_older_version(&world, &ids.iter().map(String::as_str).collect::<Vec<_>>());
    let (mut runs, mut written) = (0, 0);
    loop {
        let done = refreshed(&isolate, &world);
        (runs, written) = (runs + 1, written + done.written);
        if done.pending == 0 {
            break;
        }
        assert!(runs < 5, "each run gets on");
    }
    assert_eq!((runs, written), (3, 2000));
    assert_eq!(record(&world, "c01999")["generation"], 5);
}

/// An entry under the refresh's name that is no record of a refresh is the gateway's own: it is written
/// over, and until then the config API is asked.
#[test]
fn what_cannot_be_read_under_the_refreshes_name_is_made_anew() {
    for broken in
        ["<html>", r#"{"customerId":"umbrella-corp","backendUrl":"https://by-hand.example.com"}"#, "{}"]
    {
        let (isolate, world) = (isolate(), World::of_fixtures());
        list(&world, &[listed("other", "o"), listed("umbrella-corp", "u")]);
        world.put("source:customer:umbrella-corp", broken);
        assert_eq!(call(&isolate, &world, "/customers/x", "umbrella"), "https://u.example.com/x");
        assert_eq!(record(&world, "umbrella-corp")["backendUrl"], "https://u.example.com", "{broken}");
        world.put("source:customer:other", broken);
        refreshed(&isolate, &world);
        assert_eq!(record(&world, "other")["backendUrl"], "https://o.example.com", "{broken}");
    }
}

#[test]
fn a_list_that_shrank_too_far_changes_nothing() {
    let shrunken = [Vec::new(), many(79), many(1)];
    for entries in shrunken {
        let (isolate, world) = (isolate(), World::empty());
        list(&world, &many(100));
        refreshed(&isolate, &world);
        let before = world.store.borrow().clone();
        list(&world, &entries);
        let error = run(&isolate, &world).0.expect_err("not believed");
        assert!(error.contains("max_removed"), "{error}");
        assert_eq!(*world.store.borrow(), before, "{} of 100", entries.len());
        list(&world, &many(80));
        assert_eq!(refreshed(&isolate, &world).gone, 20, "as many as are allowed");
    }
}

#[test]
fn whoever_allows_it_may_empty_the_list() {
    let isolate = Isolate::new(settings("100%").gateway());
    let world = World::empty();
    list(&world, &many(30));
    refreshed(&isolate, &world);
    list(&world, &[]);
    assert_eq!(refreshed(&isolate, &world).gone, 30);
    assert!((0..30).all(|number| record(&world, &format!("c{number:05}"))["gone"] == true));
}

/// A record without what says whether a run vouches for it, and from when it ages.
fn without_vouching(mut record: Value) -> Value {
    let members = record.as_object_mut().unwrap();
    members.remove("scheduled");
    members.remove("fetchedAt");
    record
}

#[test]
fn a_bad_entry_spoils_no_other_and_its_customer_keeps_what_it_had() {
    let (isolate, world) = (isolate(), World::empty());
    let mut entries = many(10);
    list(&world, &entries);
    refreshed(&isolate, &world);
    let before = record(&world, "c00003");
    let bad = [
        json!({"customerId": "c00003", "backendUrl": 7}),
        json!({"customerId": "c00003", "backendUrl": "http://insecure.example.com"}),
        json!({"customerId": "c00003"}),
        json!({"customerId": "c00003", "backendUrl": "https://x.example.com", "backendURL": "https://y.example.com"}),
    ];
    for (round, entry) in bad.into_iter().enumerate() {
        entries[3] = entry;
        entries[4] = listed("c00004", &format!("round-{round}"));
        list(&world, &entries);
        world.warnings.take();
        let done = refreshed(&isolate, &world);
        // The first time, the record is written once more: nothing vouches for it from now on.
        let unconfirmed = usize::from(round == 0);
        assert_eq!(
            (done.written, done.gone, done.pending),
            (1 + unconfirmed, 0, 0),
            "nobody is taken for gone"
        );
        assert_eq!(without_vouching(record(&world, "c00003")), without_vouching(before.clone()));
        assert_eq!(record(&world, "c00004")["backendUrl"], format!("https://round-{round}.example.com"));
        assert!(world.warnings.take().iter().any(|warning| warning.contains("c00003")));
    }
}

#[test]
fn who_is_listed_twice_keeps_what_they_had() {
    let (isolate, world) = (isolate(), World::empty());
    let mut entries = many(10);
    list(&world, &entries);
    refreshed(&isolate, &world);
    let before = record(&world, "c00003");
    entries.push(listed("c00003", "another"));
    entries.push(listed("twice", "one"));
    entries.push(listed("twice", "two"));
    list(&world, &entries);
    let done = refreshed(&isolate, &world);
    assert_eq!((done.written, done.gone), (1, 0), "nothing vouches for it from now on");
    assert_eq!(without_vouching(record(&world, "c00003")), without_vouching(before));
    assert_eq!(stored(&world, "source:customer:twice"), None, "which of them counts nobody can say");
}

#[test]
fn where_an_entry_has_no_name_nobody_is_taken_for_gone() {
    for nameless in [json!(7), json!({}), json!({"customerId": 8.5}), json!({"customerID": "c00003"})] {
        let (isolate, world) = (isolate(), World::empty());
        let mut entries = many(20);
        list(&world, &entries);
        refreshed(&isolate, &world);
        let before = record(&world, "c00003");
        entries[3] = nameless.clone();
        entries[4] = listed("c00004", "moved");
        list(&world, &entries);
        let done = refreshed(&isolate, &world);
        assert_eq!((done.written, done.gone), (2, 0), "{nameless}");
        assert_eq!(without_vouching(record(&world, "c00003")), without_vouching(before));
        entries.remove(3);
        list(&world, &entries);
        assert_eq!(refreshed(&isolate, &world).gone, 1, "now it is clear");
    }
}

#[test]
fn a_list_that_is_none_changes_nothing() {
    let (isolate, world) = (isolate(), World::empty());
    list(&world, &many(20));
    refreshed(&isolate, &world);
    let before = world.store.borrow().clone();
    let answers = [
        (500, "[]"),
        (302, ""),
        (404, "[]"),
        (304, ""),
        (200, ""),
        (200, "<html>"),
        (200, "{}"),
        (200, r#"{"customers":[]}"#),
        (200, "null"),
        (200, r#"[{"customerId":"c00001""#),
        (200, "[] []"),
    ];
    for (status, body) in answers {
        world.answer(API, status, body);
        assert!(run(&isolate, &world).0.is_err(), "{status} {body}");
        assert_eq!(*world.store.borrow(), before, "{status} {body}");
    }
    world.fault("config-api");
    assert!(run(&isolate, &world).0.is_err());
    assert_eq!(*world.store.borrow(), before);
}

#[test]
fn state_and_index_that_cannot_be_read_are_made_anew_from_the_records() {
    let (isolate, world) = (isolate(), World::empty());
    list(&world, &many(150));
    refreshed(&isolate, &world);
    let before = record(&world, "c00100");
    for name in [STATE, INDEX] {
        world.put(name, "<html>");
    }
    let done = refreshed(&isolate, &world);
    assert_eq!((done.written, done.pending), (0, 0), "each record was compared, and agreed");
    assert_eq!(record(&world, "c00100"), before);
    assert_eq!(stored(&world, INDEX).unwrap().as_object().unwrap().len(), 150);
    assert_eq!(state(&world)["confirmedAt"], world.now.get().to_string());
}

/// Two runs at once, each over the list of its time: the older one ends last.
#[test]
fn an_older_run_does_not_unconfirm_a_newer_one() {
    let (isolate, world) = (isolate(), World::empty());
    list(&world, &many(10));
    refreshed(&isolate, &world);
    let newer = state(&world);
    let now = world.now.get();
    world.now.set(pointsman_core::base::time::Timestamp::from_millis(now.millis() - 10_000));
    let refresh = CustomerRefresh::of(&isolate.gateway, &isolate.memory, &world).expect("a config API");
    let mut older = many(10);
    older[2] = listed("c00002", "as-it-was-before");
    list(&world, &older);
    pollster::block_on(refresh.run()).expect("the run succeeds");
    assert_eq!(state(&world), newer);
    assert_eq!(record(&world, "c00002")["backendUrl"], "https://b2.example.com", "nor its records");
}

#[test]
fn requests_after_a_run_ask_the_store_alone() {
    let (isolate, world) = (isolate(), World::of_fixtures());
    list(&world, &[listed("umbrella-corp", "u"), listed("other", "o")]);
    refreshed(&isolate, &world);
    world.take_asked();
    assert_eq!(call(&isolate, &world, "/customers/x", "umbrella"), "https://u.example.com/x");
    let asked = world.take_asked();
    assert!(!asked.iter().any(|asked| asked.starts_with("get ")), "{asked:?}");
    // Only the list can say who is not on it: it is taken once for all of them.
    for key in ["unlisted", "acme", "wayne"] {
        call(&isolate, &world, "/customers/x", key);
    }
    let fetches = world.take_asked().into_iter().filter(|asked| asked.starts_with("get ")).count();
    assert_eq!(fetches, 1);
}

/// A request that finds a customer for the first time writes its record. Where the customer has left the
/// list before the next run, that run must not vouch for the record.
#[test]
fn who_came_and_went_between_two_runs_is_gone() {
    let (isolate, world) = (isolate(), World::of_fixtures());
    let entries = vec![listed("other", "o"), listed("third", "t"), listed("umbrella-corp", "u")];
    list(&world, &entries[..2]);
    refreshed(&isolate, &world);
    world.pass(Span::from_secs(400));
    list(&world, &entries);
    assert_eq!(call(&isolate, &world, "/customers/x", "umbrella"), "https://u.example.com/x");
    list(&world, &entries[..2]);
    // Three days, with a run each hour and a request behind it.
    for _ in 0..72 {
        world.pass(Span::from_secs(3600));
        refreshed(&isolate, &world);
        call(&isolate, &world, "/customers/x", "umbrella");
    }
    assert_eq!(call(&isolate, &world, "/customers/x", "umbrella"), "customer_disabled");
}

/// Who is on the list and not in the store (an operator removed the record that a run had written, or the
/// store lost it) is no stranger, and the next run puts the record back.
#[test]
fn a_record_that_was_removed_from_the_store_comes_back() {
    let (isolate, world) = (isolate(), World::of_fixtures());
    let name = "source:customer:umbrella-corp";
    list(&world, &[listed("other", "o"), listed("umbrella-corp", "u")]);
    refreshed(&isolate, &world);
    world.store.borrow_mut().remove(name);
    assert_eq!(call(&isolate, &world, "/hybrid/x", "umbrella"), "https://u.example.com/x");
    world.store.borrow_mut().remove(name);
    refreshed(&isolate, &world);
    assert_eq!(record(&world, "umbrella-corp")["backendUrl"], "https://u.example.com");
}

/// Promise 20: what is malformed never leads to a shared backend. Nor does it where a scheduled refresh
/// has seen the list before.
#[test]
fn who_has_a_bad_entry_is_no_stranger_after_a_run() {
    let bad = [
        (json!({"customerId": "umbrella-corp", "backendUrl": 7}), "customer_record_malformed"),
        (json!({"customerID": "umbrella-corp"}), "customer_source_unavailable"),
    ];
    for (entry, expected) in bad {
        let (isolate, world) = (isolate(), World::of_fixtures());
        list(&world, &[listed("other", "o"), entry]);
        refreshed(&isolate, &world);
        for path in ["/customers/x", "/hybrid/x"] {
            assert_eq!(call(&isolate, &world, path, "umbrella"), expected);
        }
    }
}

/// A record that the list no longer agrees with, since its entry cannot be read, is used up to `stale`
/// and not for ever.
#[test]
fn a_record_whose_entry_stays_bad_grows_old_all_the_same() {
    let (isolate, world) = (isolate(), World::of_fixtures());
    list(&world, &[listed("other", "o"), listed("umbrella-corp", "u")]);
    refreshed(&isolate, &world);
    list(&world, &[listed("other", "o"), json!({"customerId": "umbrella-corp", "backendUrl": 7})]);
    for _ in 0..26 {
        world.pass(Span::from_secs(3600));
        refreshed(&isolate, &world);
        call(&isolate, &world, "/customers/x", "umbrella");
    }
    assert_eq!(call(&isolate, &world, "/customers/x", "umbrella"), "customer_record_malformed");
}

/// What the store holds, without what differs from run to run.
fn content(world: &World) -> BTreeMap<String, Value> {
    let store = world.store.borrow();
    let mut content: BTreeMap<String, Value> =
        store.iter().map(|(name, json)| (name.clone(), serde_json::from_slice(json).unwrap())).collect();
    for value in content.values_mut() {
        let members = value.as_object_mut().unwrap();
        for name in ["fetchedAt", "confirmedAt", "generation"] {
            members.remove(name);
        }
    }
    content
}

/// What becomes of one customer from one list to the next.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Stays,
    Moves,
    Goes,
    Breaks,
    Owned,
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        6 => Just(Fate::Stays),
        2 => Just(Fate::Moves),
        1 => Just(Fate::Goes),
        1 => Just(Fate::Breaks),
        1 => Just(Fate::Owned)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    /// Wherever the store fails, and however often: what stands there in the end is what one run that
    /// nothing disturbed would have left.
    #[test]
    fn a_run_that_the_store_interrupts_is_made_good_by_the_next(
        fates in prop::collection::vec(fate(), 1..220),
        failing in prop::collection::vec(0usize..12, 1..12),
        half_taken in any::<bool>(),
        tags in any::<bool>(),
    ) {
        let isolate = || Isolate::new(settings("100%").gateway());
        let prepare = || {
            let world = World::empty();
            world.tags.set(tags);
            list(&world, &many(fates.len()));
            let isolate = isolate();
            while refreshed(&isolate, &world).pending > 0 {}
            let mut entries = Vec::new();
            for (number, (entry, fate)) in many(fates.len()).into_iter().zip(&fates).enumerate() {
                let id = entry["customerId"].as_str().unwrap().to_owned();
                match fate {
                    Fate::Stays => entries.push(entry),
                    Fate::Moves => entries.push(listed(&id, &format!("moved-{number}"))),
                    Fate::Goes => {}
                    Fate::Breaks => entries.push(json!({"customerId": id, "backendUrl": 7})),
                    Fate::Owned => {
                        world.put(&format!("customer:{id}"), &listed(&id, "by-hand").to_string());
                        entries.push(listed(&id, &format!("moved-{number}")));
                    }
                }
            }
            entries.push(listed("newcomer", "n"));
            list(&world, &entries);
            (isolate, world)
        };
        let (undisturbed, expected) = prepare();
        while refreshed(&undisturbed, &expected).pending > 0 {}
        let (disturbed, world) = prepare();
        world.half_taken.set(half_taken);
        for calls in failing {
            world.fail_call(calls);
            let _ = run(&disturbed, &world);
        }
        world.never_fail();
        while refreshed(&disturbed, &world).pending > 0 {}
        prop_assert_eq!(content(&world), content(&expected));
        prop_assert_eq!(&state(&world)["confirmedAt"], &Value::from(world.now.get().to_string()));
    }
}
