use std::collections::BTreeMap;

use super::world::*;
use crate::*;

fn namespace(keys: usize) -> BTreeMap<String, KvEntry> {
    let entry = |n: usize| {
        let value = key_json(&format!("subject-{n}")).into_bytes();
        (key_name(&format!("{n}")), KvEntry { value, ..KvEntry::default() })
    };
    (0..keys).map(entry).collect()
}

/// A ledger that has taken in all of a namespace.
fn full(keys: usize) -> World {
    let mut world = World::with(namespace(keys), 1, Settings::default());
    world.page = 100;
    world.run(400);
    assert!(world.head().manifest.complete.keys);
    world
}

#[test]
fn a_full_namespace_is_taken_in_before_anything_is_complete() {
    let mut world = World::with(namespace(1500), 1, Settings::default());
    world.page = 200;
    world.put_by_hand("customer:acme", r#"{"customerId":"acme","backendUrl":"https://a.example.com"}"#);
    world.put_by_hand("customer:odd", "{");
    world.put_by_hand("keyset:1", "{}");
    world.run(2);
    assert!(!world.head().manifest.complete.keys);
    assert!(world.ask(&key_name("7")).is_some(), "at once where it is asked for");
    world.run(300);
    let head = world.head();
    assert!(head.manifest.complete.keys && head.manifest.complete.customers);
    assert_eq!((head.manifest.shards.len(), head.revision), (1, 0), "all of it by a shard");
    assert_eq!(world.ledger.status(world.at())["records"], 1502);
    assert_eq!(world.ask("customer:odd").unwrap(), "", "malformed is not absent");
}

#[test]
fn a_listing_never_brings_back_what_was_revoked() {
    let mut world = full(3);
    let name = key_name("1");
    world.writes_fail = true;
    world.commit(vec![remove_key("1")]);
    for _ in 0..2 {
        world.run_minutes(6);
        world.restart();
        assert_eq!(world.ask(&name), None);
    }
    assert!(world.kv.contains_key(&name));
    world.writes_fail = false;
    world.run_minutes(6);
    assert!(!world.kv.contains_key(&name));
    // KV shows it once more, long after: it is put right again.
    let old = namespace(3);
    world.kv.insert(name.clone(), old[&name].clone());
    world.run_minutes(8);
    assert_eq!(world.ask(&name), None);
    // Its metadata do not say what it holds, so it was read as a new entry is.
    assert!(!world.kv.contains_key(&name));
    assert!(world.ledger.status(world.at())["lags"].as_u64().unwrap() > 0);
    world.put_by_hand(&name, &key_json("another"));
    assert_eq!(world.ask(&name).unwrap(), key_json("another"), "an entry with another value");
}

#[test]
fn an_edit_by_hand_is_taken_in_by_the_next_pass() {
    let mut world = full(3);
    world.commit(vec![put_key("1", "ledger")]);
    world.run_minutes(7);
    let name = key_name("1");
    assert!(world.kv[&name].sha256.is_some());
    world.put_by_hand(&name, &key_json("by-hand"));
    world.run_minutes(3);
    assert_eq!(world.ask(&name).unwrap(), key_json("by-hand"));
    assert_eq!(world.kv[&name].value, key_json("by-hand").into_bytes(), "it is not written again");
    assert_eq!(world.kv[&name].sha256, None);
}

#[test]
fn kv_that_lags_behind_is_put_right() {
    let mut world = full(3);
    let name = key_name("1");
    world.commit(vec![put_key("1", "one")]);
    world.run_minutes(1);
    let lagging = world.kv.clone();
    world.commit(vec![put_key("1", "two")]);
    world.run_minutes(7);
    world.kv = lagging;
    world.run_minutes(3);
    assert_eq!(world.ask(&name).unwrap(), key_json("two"));
    assert_eq!(world.kv[&name].value, key_json("two").into_bytes());
}

#[test]
fn who_was_deleted_by_hand_is_gone_after_two_passes_and_a_read() {
    let mut world = full(30);
    world.run_minutes(7);
    let name = key_name("1");
    world.kv.remove(&name);
    world.run(70);
    assert!(world.ask(&name).is_some(), "one pass is not enough");
    world.run_minutes(6);
    assert_eq!(world.ask(&name), None);
    assert_eq!(world.ledger.status(world.at())["records"], 29);
}

#[test]
fn a_listing_that_lacks_entries_which_a_read_finds_removes_nobody() {
    let mut world = full(30);
    world.run_minutes(7);
    let mut listed = world.kv.clone();
    listed.remove(&key_name("1"));
    world.listed = Some(listed);
    world.run_minutes(9);
    assert_eq!(world.ledger.status(world.at())["records"], 30);
}

#[test]
fn an_empty_listing_removes_nobody_unless_somebody_says_so() {
    let mut world = full(30);
    world.run_minutes(7);
    let before = world.head().revision;
    world.kv.retain(|name, _| !name.starts_with("key:"));
    world.run_minutes(9);
    assert_eq!(world.ledger.status(world.at())["records"], 30);
    assert_eq!(world.ledger.status(world.at())["refusedRemovals"], 30);
    assert_eq!(world.head().revision, before);
    world.ledger.accept_removals();
    world.run_minutes(3);
    assert_eq!(world.ledger.status(world.at())["records"], 0);
}

#[test]
fn what_was_created_during_a_pass_is_never_gone() {
    let mut world = full(30);
    world.run_minutes(7);
    world.writes_fail = true;
    for minute in 0..20 {
        world.commit(vec![put_key(&format!("new {minute}"), "a")]);
        world.run_minutes(1);
    }
    for minute in 0..20 {
        assert!(world.ask(&key_name(&format!("new {minute}"))).is_some(), "{minute}");
    }
}

#[test]
fn a_new_ledger_takes_over_what_the_lost_one_revoked() {
    let mut world = full(5);
    let until = world.now + 100_000_000;
    let by = RevokedBy::Sub("s".to_owned());
    world.writes_fail = true;
    world.commit(vec![
        remove_key("1"),
        Edit::RevokeToken(Revocation { issuer: "i".to_owned(), by, issued_before: None, until }),
    ]);
    world.run(70);
    let lost = world.ledger.epoch();
    let mut kv = world.kv.clone();
    // Another ledger that is at work keeps this one off.
    let mut second = World::with(kv.clone(), 2, Settings::default());
    second.now = world.now;
    second.work();
    assert!(!second.ledger.is_on());
    assert_eq!(second.try_commit(vec![put_key("9", "a")]), Err(CommitError::Off));
    // One that is no more does not.
    kv.retain(|name, _| !name.starts_with("directory:secret"));
    let mut second = World::with(kv, 2, Settings::default());
    second.now = world.now + 1_000_000;
    second.run(300);
    assert!(second.ledger.is_on());
    assert_ne!(second.ledger.epoch(), lost);
    assert_eq!(second.ledger.status(second.at())["revocations"], 1);
    assert_eq!(second.ask(&key_name("1")), None, "its entry still stands in KV");
    assert!(second.ask(&key_name("2")).is_some());
    assert!(second.head().manifest.complete.keys);
}

#[test]
fn a_database_that_was_restored_begins_a_new_epoch() {
    let mut world = full(5);
    let before = world.ledger.storage().clone();
    let epoch = world.ledger.epoch();
    world.commit(vec![remove_key("1")]);
    world.run(70);
    let settings = Settings::default();
    world.ledger = Ledger::open(before, settings, world.at(), random(3));
    world.run(3);
    assert_ne!(world.ledger.epoch(), epoch);
    assert!(!world.head().manifest.complete.keys && world.head().manifest.shards.is_empty());
    assert_eq!(world.ask(&key_name("1")), None, "what was revoked since then stays so");
    world.run(300);
    assert!(world.head().manifest.complete.keys);
    assert_eq!(world.ask(&key_name("1")), None);
}

#[test]
fn after_a_restore_customers_are_complete_only_with_a_whole_list() {
    let settings = || Settings { source: Source::List, ..Settings::default() };
    let mut world = World::with(namespace(3), 1, settings());
    world.run(400);
    world.ledger.list_taken(true);
    world.run(5);
    assert!(world.head().manifest.complete.customers);
    let before = world.ledger.storage().clone();
    world.commit(vec![remove_key("1")]);
    world.run(70);
    world.ledger = Ledger::open(before, settings(), world.at(), random(3));
    world.run(400);
    let complete = world.head().manifest.complete;
    assert!(complete.keys && !complete.customers, "customers of since then would be strangers");
    assert_eq!(world.ledger.begin_list().unwrap().etag, None, "and no 304 says that nothing differs");
    world.ledger.list_taken(true);
    assert!(world.head().manifest.complete.customers);
}

#[test]
fn nobody_polls_and_nothing_is_listed_until_somebody_does() {
    let mut world = full(5);
    world.now += 700_000;
    for _ in 0..5 {
        world.now += 60_000;
        let jobs = world.ledger.jobs(world.at());
        assert!(!jobs.iter().any(|job| matches!(job, Job::List(_))), "{jobs:?}");
    }
    assert!(!world.head().manifest.complete.keys);
    world.run(130);
    assert!(world.head().manifest.complete.keys);
}

#[test]
fn lists_are_at_most_twenty_a_minute() {
    let mut world = World::with(namespace(300), 1, Settings::default());
    world.page = 5;
    let mut most = 0;
    world.run(1);
    for _ in 0..4 {
        let mut lists = 0;
        world.now = (world.now / 60_000 + 1) * 60_000;
        for _ in 0..59 {
            world.now += 1000;
            for job in world.ledger.jobs(world.at()) {
                if let Job::List(job) = job {
                    lists += 1;
                    // Nobody answers: it is asked for again.
                    world.ledger.done(&Done::List { job, page: None }, None, world.at(), random(1));
                }
            }
        }
        most = most.max(lists);
    }
    assert!((1..=20).contains(&most), "{most}");
}

#[test]
fn where_lists_are_few_they_are_shared_out_over_the_day() {
    let settings = Settings { max_staleness: 60_000, ..Settings::default() };
    let mut world = World::with(namespace(5), 1, settings);
    world.run(200);
    world.lists = 0;
    for _ in 0..24 * 60 {
        world.now += 59_000;
        world.run(1);
        assert!(world.ledger.next_alarm(world.at()).millis() > world.now);
    }
    assert!((400..=480).contains(&world.lists), "{}", world.lists);
}

#[test]
fn a_removal_counts_also_of_what_no_pass_has_come_to() {
    let mut world = World::with(namespace(3), 1, Settings::default());
    world.page = 1;
    world.work();
    // Whether the first pass has come to it or not: the operator wants it gone.
    let removals = ["0", "1", "2"].map(remove_key).to_vec();
    world.commit(removals);
    world.run_minutes(20);
    for key in ["0", "1", "2"] {
        assert_eq!(world.ask(&key_name(key)), None);
        assert!(!world.kv.contains_key(&key_name(key)), "KV follows");
    }
    let mut world = World::new();
    world.run(1);
    world.put_by_hand(&key_name("hand"), &key_json("hand"));
    world.commit(vec![remove_key("hand")]);
    world.run_minutes(20);
    assert_eq!(world.ask(&key_name("hand")), None);
}
