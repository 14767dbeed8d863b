use pointsman_core::{
    base::digest::Digest,
    directory::{
        log::{Change, Manifest},
        record_key::RecordKey,
        row::Usable,
        shard::Shard,
    },
};

use super::world::*;
use crate::*;

fn on() -> World {
    let mut world = World::new();
    world.run(200);
    assert_eq!(world.head().manifest.shards.len(), 1);
    world
}

fn provide(world: &mut World, customers: std::ops::Range<usize>) {
    for part in customers.clone().step_by(500) {
        let says = |id: &str| {
            Says::Record(format!(r#"{{"customerId":"{id}","backendUrl":"https://{id}.example.com"}}"#))
        };
        let edits = (part..(part + 500).min(customers.end)).map(|n| {
            let id = format!("customer-{n}");
            Difference { says: says(&id), id, version: 0 }
        });
        let asked = Differences { operation: format!("list {part}"), many: true, edits: edits.collect() };
        assert!(world.ledger.provide(&asked, world.at()).unwrap().changed.is_empty());
    }
}

/// The shard that the manifest names for a record, as KV has it.
fn shard_of(world: &World, manifest: &Manifest, record: &RecordKey) -> Shard {
    let prefix = record.prefix(manifest.prefix_bits);
    let name = manifest.shards[prefix as usize].name(world.ledger.epoch(), prefix, manifest.prefix_bits);
    assert_eq!(world.ledger.file(&name).unwrap(), world.kv[&name].value);
    Shard::parse(world.kv[&name].value.clone(), manifest.prefix_bits).unwrap()
}

#[test]
fn many_additions_go_by_a_shard_and_removals_never_wait() {
    let mut world = on();
    let before = world.head();
    provide(&mut world, 0..2000);
    assert_eq!(world.head().revision, before.revision, "nothing of it is in the log");
    assert!(world.ask("customer:customer-7").is_some());
    let json =
        r#"{"customerId":"customer-8","backendUrl":"https://own.example.com","disabled":true}"#.to_owned();
    world.commit(vec![
        Edit::PutCustomer { id: "customer-8".to_owned(), json, expires: None, expected: None },
        put_key("k", "a"),
        remove_key("k"),
    ]);
    assert_eq!(world.head().revision, before.revision + 3);
    world.run(80);
    assert_eq!(world.head().manifest.shards, before.manifest.shards, "not before 90 seconds have passed");
    world.run(40);
    let head = world.head();
    assert_ne!(head.manifest.shards, before.manifest.shards);
    let customer = RecordKey::customer("customer-7");
    assert!(shard_of(&world, &head.manifest, &customer).find(&customer, "customer-7").is_some());
    let reload = Change::reload_of(0, 0);
    let told = head.changes.iter().zip(head.first..).find(|(change, _)| **change == reload).unwrap();
    assert_eq!(head.manifest.shards[0].revision, told.1, "whoever has the old shard learns of the new one");
    assert_eq!(world.ledger.status(world.at())["waitingForShards"], 0);
}

#[test]
fn a_file_that_is_not_read_back_is_never_named() {
    let mut world = on();
    let before = world.head().manifest.shards;
    provide(&mut world, 0..1200);
    for _ in 0..400 {
        world.now += 1000;
        for job in world.ledger.jobs(world.at()) {
            if let Job::File(job) = job {
                let digest = Some(Digest::of(b"something else").to_string());
                world.ledger.done(&Done::File { job, ok: true, digest }, None, world.at(), random(1));
            }
        }
        assert_eq!(world.head().manifest.shards, before);
    }
    world.run(200);
    assert_ne!(world.head().manifest.shards, before);
}

#[test]
fn a_shard_that_grows_too_large_becomes_two() {
    let mut world = on();
    provide(&mut world, 0..60_000);
    world.run(130);
    let manifest = world.head().manifest;
    assert!(manifest.prefix_bits >= 1, "{manifest:?}");
    assert_eq!(manifest.shards.len(), 1 << manifest.prefix_bits);
    assert!(manifest.shards.iter().all(|shard| shard.size <= 1 << 20));
    for id in ["customer-0", "customer-59999"] {
        let record = RecordKey::customer(id);
        assert!(shard_of(&world, &manifest, &record).find(&record, id).is_some());
    }
    assert_eq!(world.ledger.status(world.at())["waitingForShards"], 0);
}

#[test]
fn the_log_is_compacted_and_old_files_and_changes_go_after_a_day() {
    let mut world = on();
    let first = world.head().manifest;
    for part in 0..10 {
        world.commit((0..60).map(|n| put_key(&format!("{part} {n}"), "a")).collect());
    }
    let until = world.now + 1_000_000_000;
    let by = RevokedBy::Jti("1".to_owned());
    world.commit(vec![Edit::RevokeToken(Revocation {
        issuer: "i".to_owned(),
        by,
        issued_before: None,
        until,
    })]);
    world.run(150);
    let head = world.head();
    assert_ne!(head.manifest.shards, first.shards);
    let old = first.shards[0].name(world.ledger.epoch(), 0, 0);
    assert!(world.kv.contains_key(&old) && world.ledger.segment(1).is_some());
    // Revocations are few: their file is as it was, and the log goes back to it.
    assert_eq!(head.manifest.tokens, first.tokens);
    for _ in 0..27 {
        world.now += 3_600_000;
        world.run(5);
    }
    assert!(!world.kv.contains_key(&old));
    assert!(world.ledger.segment(1).is_some(), "the revocations' file needs it");
}

#[test]
fn a_shard_says_for_an_hour_what_was_removed_and_is_not_there_again() {
    let mut world = on();
    world.commit(vec![put_key("gone", "a"), put_key("back", "a"), remove_key("gone"), remove_key("back")]);
    world.commit(vec![put_key("back", "b")]);
    // Many additions have a shard built.
    let built = |world: &mut World, customers: std::ops::Range<usize>| {
        provide(world, customers);
        world.run(120);
        world.head().manifest
    };
    let usable = |world: &World, manifest: &Manifest, key: &str| {
        let record = RecordKey::api_key(&Digest::of(key.as_bytes()));
        shard_of(world, manifest, &record).find(&record, "").map(|row| row.usable)
    };
    let manifest = built(&mut world, 0..1500);
    assert_eq!(usable(&world, &manifest, "gone"), Some(Usable::Removed));
    assert_eq!(usable(&world, &manifest, "back"), Some(Usable::Yes));
    assert_eq!(usable(&world, &manifest, "never"), None);
    world.run_minutes(61);
    let manifest = built(&mut world, 1500..3000);
    assert_eq!(usable(&world, &manifest, "gone"), None);
}
