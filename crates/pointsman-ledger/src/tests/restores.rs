//! A ledger that begins anew, or with what it knew some time ago.

use pointsman_core::{
    base::time::Span,
    directory::{
        follower::{Follow, Follower, Heard, Taken},
        log::{Head, Segment},
        pace::Pace,
    },
};

use super::{
    passes::{full, namespace},
    world::*,
};
use crate::*;

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

/// Has the world go on with a database of before.
fn restore(world: &mut World, before: MemoryStorage) {
    world.ledger = Ledger::open(before, Settings::default(), world.at(), random(3));
}

#[test]
fn what_a_restored_database_wanted_to_write_is_not_written() {
    let mut world = full(3);
    let name = key_name("1");
    world.writes_fail = true;
    world.commit(vec![put_key("1", "old")]);
    let before = world.ledger.storage().clone();
    world.writes_fail = false;
    world.run(5);
    world.commit(vec![remove_key("1"), put_key("2", "new")]);
    world.run(70);
    assert!(!world.kv.contains_key(&name));
    let epoch = world.ledger.epoch();
    restore(&mut world, before);
    for _ in 0..600 {
        world.run(1);
        assert!(!world.kv.contains_key(&name), "whoever asks KV would let the key in again");
    }
    assert_ne!(world.ledger.epoch(), epoch);
    assert_eq!(world.ask(&name), None);
    assert_eq!(world.ask(&key_name("2")).unwrap(), key_json("new"));
}

#[test]
fn a_restored_database_takes_over_the_later_end_of_a_revocation() {
    let mut world = full(1);
    let by = || RevokedBy::Sub("s".to_owned());
    let start = world.now;
    let revoke = |issued_before: Option<&str>, minutes: u64| {
        let (issuer, until) = ("i".to_owned(), start + minutes * 60_000);
        let issued_before = issued_before.map(str::to_owned);
        vec![Edit::RevokeToken(Revocation { issuer, by: by(), issued_before, until })]
    };
    world.commit(revoke(Some("2026-01-01T00:00:00Z"), 30));
    let before = world.ledger.storage().clone();
    world.commit(revoke(None, 300));
    world.run(70);
    restore(&mut world, before);
    world.run_minutes(60);
    let row =
        world.ledger.token(&pointsman_core::directory::record_key::RecordKey::subject("i", "s")).unwrap();
    assert_eq!(row.text, b"{}", "all of the subject's tokens, whenever they were issued");
    assert_eq!(row.expires_at.unwrap().millis() / 60_000, (start + 300 * 60_000) / 60_000);
}

/// A follower that has heard nothing.
fn follower() -> Follower {
    let pace = Pace::new(Span::from_secs(10));
    Follower::new(Follow { pace, budget: 1 << 25, open: true }, 1)
}

/// A world whose log is longer than a segment, and than a head.
fn with_a_long_log() -> World {
    let mut world = full(1);
    world.commit((0..400).map(|n| put_key(&format!("k{n}"), "a")).collect());
    world
}

/// What a poll brings to somebody who has heard nothing, with the segments of the log.
fn joins(world: &mut World) -> Taken {
    let mut follower = follower();
    let now = world.at();
    let mut taken = follower.take_head(&world.ledger.poll(now), Heard::Ledger { asked_at: now }, now);
    while let Taken::Behind(first) = taken {
        let Some(segment) = world.ledger.segment(first) else { return taken };
        taken = follower.take_segment(&segment.bytes, now);
    }
    assert_eq!(follower.revision(), world.ledger.revision());
    taken
}

#[test]
fn after_a_restore_of_a_long_log_isolates_follow_before_there_are_shards() {
    let mut world = with_a_long_log();
    let until = world.now + 86_400_000;
    let revoke = |n: usize| {
        let by = RevokedBy::Jti(format!("t{n}"));
        Edit::RevokeToken(Revocation { issuer: "i".to_owned(), by, issued_before: None, until })
    };
    for part in 0..2 {
        world.commit((part * 300..part * 300 + 300).map(revoke).collect());
    }
    world.ledger.restored(world.at(), random(5));
    world.run(10);
    assert!(world.ledger.is_on() && world.head().manifest.shards.is_empty());
    assert_eq!((joins(&mut world), world.ledger.revision()), (Taken::Applied, 600));
    // What another epoch left in the database is none of this log.
    world.commit(vec![put_key("new", "a")]);
    let head = Head::decode(&world.ledger.tail()).unwrap();
    assert_eq!((head.first, head.revision, head.changes.len()), (1, 601, 601));
    let segment = Segment::decode(&world.ledger.segment(513).unwrap().bytes).unwrap();
    assert_eq!(segment.changes.len(), 601 - 512);
}

#[test]
fn a_ledger_with_a_long_log_that_went_off_is_followed() {
    let mut world = with_a_long_log();
    world.ledger.switch_off(Leave::default(), world.at()).unwrap();
    world.run(200);
    assert!(!world.ledger.is_on());
    assert_eq!(joins(&mut world), Taken::Applied, "it says that it holds nothing, so that KV is asked");
    assert!(world.head().changes.is_empty());
}

/// Has a world's listings show no key, so that no pass finds any.
fn list_nothing(world: &mut World) {
    let mut listed = world.kv.clone();
    listed.retain(|name, _| !name.starts_with("key:"));
    world.listed = Some(listed);
}

#[test]
fn what_was_revoked_and_written_anew_does_not_come_back_with_a_restored_database() {
    let mut world = full(3);
    world.commit(vec![put_key("8", "old"), put_key("9", "same")]);
    let before = world.ledger.storage().clone();
    world.run(5);
    world.commit(vec![remove_key("8"), remove_key("9")]);
    world.run(5);
    world.commit(vec![put_key("8", "new"), put_key("9", "same")]);
    world.run_minutes(7);
    let whole = world.kv.clone();
    // Not even where no pass sees what counts in its place.
    list_nothing(&mut world);
    restore(&mut world, before);
    for _ in 0..40 {
        world.run(10);
        assert_ne!(world.ask(&key_name("8")), Some(key_json("old")));
    }
    assert_eq!(world.ask(&key_name("9")), Some(key_json("same")), "it was let in again");
    world.listed = None;
    world.run_minutes(10);
    assert_eq!(world.ask(&key_name("8")), Some(key_json("new")));
    for key in ["8", "9"] {
        let name = key_name(key);
        assert_eq!(world.kv.get(&name), whole.get(&name), "nobody deletes what counts");
    }
}

#[test]
fn a_new_ledger_does_not_take_what_was_written_anew_for_revoked() {
    let mut world = full(3);
    world.commit(vec![put_key("1", "same")]);
    world.run(5);
    world.commit(vec![remove_key("1")]);
    world.run(5);
    world.commit(vec![put_key("1", "same")]);
    world.run_minutes(20);
    let mut second = World::with(world.kv.clone(), 2, Settings::default());
    second.now = world.now + 1_000_000;
    second.run(300);
    assert_ne!(second.ledger.epoch(), world.ledger.epoch());
    assert_eq!(second.ask(&key_name("1")), Some(key_json("same")));
    assert!(second.kv.contains_key(&key_name("1")));
}
