use std::collections::BTreeMap;

use pointsman_core::base::digest::Digest;

use super::world::*;
use crate::*;

pub(super) fn namespace(keys: usize) -> BTreeMap<String, KvEntry> {
    let entry = |n: usize| {
        let value = key_json(&format!("subject-{n}")).into_bytes();
        (key_name(&format!("{n}")), KvEntry { value, ..KvEntry::default() })
    };
    (0..keys).map(entry).collect()
}

/// A ledger that has taken in all of a namespace.
pub(super) fn full(keys: usize) -> World {
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
fn what_was_revoked_stays_so_after_a_day_where_another_value_was_written_since() {
    let mut world = full(3);
    let name = key_name("1");
    world.commit(vec![put_key("1", "revoked")]);
    world.run_minutes(1);
    world.commit(vec![remove_key("1")]);
    world.commit(vec![put_key("1", "next")]);
    world.run_minutes(7);
    world.now += 25 * 3_600_000;
    world.put_by_hand(&name, &key_json("revoked"));
    world.run_minutes(8);
    assert_eq!(world.ask(&name).unwrap(), key_json("next"));
    assert_eq!(world.kv[&name].value, key_json("next").into_bytes(), "KV is put right");
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
fn kv_that_lags_behind_a_late_write_says_nothing() {
    let mut world = full(3);
    let name = key_name("1");
    world.run_minutes(7);
    // Somebody's edit that no pass has come to, then the ledger's own, which KV takes ten minutes later.
    world.put_by_hand(&name, &key_json("by hand"));
    world.writes_fail = true;
    world.commit(vec![put_key("1", "the ledger's")]);
    world.run_minutes(10);
    world.listed = Some(world.kv.clone());
    let lagging = world.kv[&name].clone();
    world.writes_fail = false;
    while world.kv[&name] == lagging {
        world.run(1);
    }
    // A location may not have heard of that for a minute.
    let written = world.kv.insert(name.clone(), lagging).unwrap();
    world.run(60);
    world.kv.insert(name.clone(), written);
    world.listed = None;
    world.run_minutes(8);
    assert_eq!(world.ask(&name).unwrap(), key_json("the ledger's"));
}

#[test]
fn a_read_without_a_listing_takes_no_expiry_away() {
    let mut world = full(3);
    let name = key_name("1");
    world.run_minutes(7);
    let end = world.now / 1000 + 3 * 3600;
    let put = |text: &str| {
        let digest = name.strip_prefix("key:").unwrap().to_owned();
        vec![Edit::PutKey { digest, json: key_json(text), expires: Some(end), expected: None }]
    };
    // The entry had no digest in its metadata, so it is read by turns from then on; what stood there had no end.
    world.commit(put("a"));
    world.run_minutes(90);
    let row = |world: &World| {
        let entry = rows::Entry::of_name(&key_name("1")).unwrap();
        world.ledger.row(&entry.record_key()).map(|row| row.expires_at.map(|at| at.millis() / 1000))
    };
    assert_eq!(row(&world), Some(Some(end)));
    let touched = Done::ReadTouched(vec![name.clone()]);
    world.ledger.done(&touched, None, world.at(), random(7));
    world.run(5);
    assert_eq!(row(&world), Some(Some(end)), "touched, and still the same value");
    world.run_minutes(91);
    assert_eq!(row(&world), None, "ended");
}

/// When followers take a key's record to end, in seconds.
fn end_of(world: &World, key: &str) -> Option<u64> {
    let of = pointsman_core::directory::record_key::RecordKey::api_key(&Digest::of(key.as_bytes()));
    world.ledger.row(&of).unwrap().expires_at.map(|at| at.millis() / 1000)
}

/// A ledger that has replaced the record of a key by one with an end; and what somebody then writes into KV once more, which
/// has none. Listings show that, and reads do not yet.
fn written_again() -> (World, KvEntry, u64) {
    let mut world = full(1);
    let expires = world.now / 1000 + 7200;
    let digest = Digest::of(b"k").to_string();
    world.commit(vec![put_key("k", "old")]);
    world.run(5);
    world.commit(vec![Edit::PutKey {
        digest,
        json: key_json("new"),
        expires: Some(expires),
        expected: None,
    }]);
    world.run_minutes(10);
    let again = KvEntry { value: key_json("old").into_bytes(), ..KvEntry::default() };
    let mut listed = world.kv.clone();
    listed.insert(key_name("k"), again.clone());
    world.listed = Some(listed);
    (world, again, expires)
}

#[test]
fn what_is_listed_of_one_entry_ends_no_other_that_was_read_in_its_place() {
    let (mut world, again, expires) = written_again();
    world.run(65);
    assert_eq!(end_of(&world, "k"), Some(expires));
    // Once reads show it too, it is KV lagging.
    world.kv.insert(key_name("k"), again);
    world.listed = None;
    world.run_minutes(3);
    assert_eq!(end_of(&world, "k"), Some(expires));
    assert_eq!(world.kv[&key_name("k")].value, key_json("new").into_bytes(), "put right again");
}

#[test]
fn what_two_passes_list_of_one_entry_ends_no_other_that_both_have_read_in_its_place() {
    let (mut world, again, expires) = written_again();
    // A location shows for a minute what was before, and keeps that for half a minute: there is room for two passes.
    let two_passes = world.lists + 4;
    while world.lists < two_passes {
        world.run(1);
    }
    world.run(5);
    assert_eq!(end_of(&world, "k"), Some(expires));
    world.kv.insert(key_name("k"), again);
    world.listed = None;
    world.run_minutes(3);
    assert_eq!(end_of(&world, "k"), Some(expires));
    assert_eq!(world.kv[&key_name("k")].value, key_json("new").into_bytes(), "put right again");
}

#[test]
fn another_end_of_an_entry_is_noticed_also_where_its_metadata_say_nothing() {
    let mut world = full(3);
    let name = key_name("1");
    world.run_minutes(7);
    let end = world.now / 1000 + 900;
    world.kv.get_mut(&name).unwrap().expiration = Some(end);
    world.run_minutes(3);
    assert!(world.ask(&name).is_some());
    world.run_minutes(13);
    assert_eq!(world.ask(&name), None, "ended, though KV still has it");
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
    let mut world = full(300);
    world.page = 5;
    let mut most = 0;
    for _ in 0..8 {
        let before = world.lists;
        world.now = (world.now / 60_000 + 1) * 60_000;
        world.run(59);
        most = most.max(world.lists - before);
    }
    assert_eq!(most, 20, "of the sixty that a pass takes here");
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
