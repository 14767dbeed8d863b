//! What must never happen, whatever KV shows and whoever writes: one test for each scenario.

use std::collections::BTreeMap;

use pointsman_core::directory::record_key::RecordKey;

use super::world::*;
use crate::*;

fn namespace(keys: usize) -> BTreeMap<String, KvEntry> {
    let entry = |n: usize| {
        let value = key_json(&format!("subject-{n}")).into_bytes();
        (key_name(&format!("{n}")), KvEntry { value, ..KvEntry::default() })
    };
    (0..keys).map(entry).collect()
}

/// A ledger that has taken in all of a namespace, and may judge what it finds there.
fn settled(keys: usize) -> World {
    let mut world = World::with(namespace(keys), 1, Settings::default());
    world.run(300);
    world.run_minutes(7);
    assert!(world.head().manifest.complete.keys);
    world
}

fn records(world: &World) -> u64 {
    world.ledger.status(world.at())["records"].as_u64().unwrap()
}

/// Scenario 2, for so many keys.
fn revoked_while_kv_fails(keys: usize) {
    let mut world = settled(keys);
    let old = world.kv.clone();
    world.writes_fail = true;
    let names: Vec<_> = (0..keys).map(|n| n.to_string()).collect();
    for part in names.chunks(MOST_EDITS) {
        world.commit(part.iter().map(|name| remove_key(name)).collect());
    }
    for _ in 0..2 {
        world.run_minutes(5);
        world.restart();
        assert_eq!(records(&world), 0);
        for name in [&names[0], &names[keys / 2], &names[keys - 1]] {
            assert_eq!(world.ask(&key_name(name)), None);
        }
    }
    assert!(world.kv.contains_key(&key_name("0")), "KV has deleted nothing");
    world.writes_fail = false;
    world.run_minutes(10);
    world.run(200);
    assert!(world.kv.keys().all(|name| !name.starts_with("key:")));
    // A location shows the old entry long after.
    world.kv.insert(key_name("0"), old[&key_name("0")].clone());
    world.run_minutes(8);
    assert_eq!((world.ask(&key_name("0")), records(&world)), (None, 0));
    // Five minutes after the ledger last deleted it, what KV shows is evidence.
    world.run_minutes(6);
    world.put_by_hand(&key_name("0"), &key_json("another"));
    assert_eq!(world.ask(&key_name("0")), Some(key_json("another")));
}

#[test]
fn scenario_2_a_key_that_is_revoked_while_kv_fails_stays_refused() {
    revoked_while_kv_fails(1);
}

#[test]
fn scenario_2_five_thousand_keys_that_are_revoked_at_once_stay_refused() {
    revoked_while_kv_fails(5000);
}

#[test]
fn scenario_3_what_is_created_behind_a_page_that_was_listed_is_never_gone() {
    let mut world = settled(300);
    world.page = 20;
    // Until a pass has listed some of its pages.
    let before = world.lists;
    while world.lists < before + 5 {
        world.run(1);
    }
    world.writes_fail = true;
    let new: Vec<_> = (0..40).map(|n| format!("new {n}")).collect();
    world.commit(new.iter().map(|name| put_key(name, "a")).collect());
    for _ in 0..15 {
        world.run_minutes(1);
        for name in &new {
            assert_eq!(world.ask(&key_name(name)), Some(key_json("a")));
        }
    }
    world.writes_fail = false;
    world.run_minutes(10);
    assert_eq!(records(&world), 340);
    assert!(new.iter().all(|name| world.kv.contains_key(&key_name(name))));
}

#[test]
fn scenario_3_what_is_created_and_revoked_within_one_head_stays_revoked_over_a_compaction() {
    let mut world = settled(30);
    world.commit(vec![put_key("k", "a")]);
    let created = world.head().revision;
    // Enough for a compaction, which takes the key into its shard.
    world.commit((0..80).map(|n| put_key(&format!("other {n}"), "a")).collect());
    world.run(5);
    world.commit(vec![remove_key("k")]);
    let revoked = world.head().revision;
    let of = RecordKey::api_key(&pointsman_core::base::digest::Digest::of(b"k"));
    for _ in 0..200 {
        let head = world.head();
        let shard = head.manifest.shards[0].revision;
        if shard < revoked {
            let changes = (head.first..).zip(&head.changes).filter(|(_, change)| change.key == of);
            let heard: Vec<_> = changes.map(|(at, change)| (at, change.row.is_some())).collect();
            assert_eq!(heard, [(created, true), (revoked, false)], "the removal counts above shard {shard}");
        }
        assert_eq!(world.ask(&key_name("k")), None);
        world.run(1);
    }
    assert!(world.head().manifest.shards[0].revision >= created, "there was a compaction between");
}

#[test]
fn scenario_4_an_empty_listing_one_cut_short_and_another_namespaces_remove_nobody() {
    let all = settled(60).kv;
    let mut cut = all.clone();
    let names: Vec<_> = all.keys().filter(|name| name.starts_with("key:")).cloned().collect();
    names.iter().skip(20).for_each(|name| drop(cut.remove(name)));
    let mut others = BTreeMap::new();
    for n in 0..60 {
        let value = key_json("other").into_bytes();
        others.insert(key_name(&format!("of another {n}")), KvEntry { value, ..KvEntry::default() });
    }
    for (what, listed) in [("empty", BTreeMap::new()), ("cut short", cut), ("another's", others)] {
        let mut world = settled(60);
        world.listed = Some(listed);
        let revision = world.head().revision;
        world.run_minutes(15);
        assert_eq!((records(&world), world.head().revision), (60, revision), "{what}");
        // Nor where what it lacks is not there for a read either, as in another namespace.
        world.kv.retain(|name, _| !name.starts_with("key:"));
        world.run_minutes(15);
        assert_eq!(records(&world), 60, "{what}");
        assert!(world.ledger.status(world.at())["refusedRemovals"].as_u64().unwrap() > 0, "{what}");
    }
}

const CUSTOMER: &str = "customer:acme";

fn record(backend: &str) -> String {
    format!(r#"{{"customerId":"acme","backendUrl":"https://{backend}.example.com"}}"#)
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum By {
    Hand,
    Api,
    Provider,
}

fn change(world: &mut World, by: By) {
    match by {
        // The console and another gateway's tools write to the same namespace.
        By::Hand => world.put_by_hand(CUSTOMER, &record("hand")),
        By::Api => {
            let json = record("api");
            world.commit(vec![Edit::PutCustomer {
                id: "acme".to_owned(),
                json,
                expires: None,
                expected: None,
            }]);
        }
        By::Provider => {
            let run = world.ledger.begin_list().unwrap().run;
            let page = world.ledger.provided_page(&[], 1);
            let version =
                page.get(25..33).map_or(0, |version| u64::from_be_bytes(version.try_into().unwrap()));
            let says = Says::Record(record("provider"));
            let edits = vec![Difference { id: "acme".to_owned(), says, version }];
            let part = ListPart { run, part: 0, edits, ..ListPart::default() };
            assert!(world.ledger.take_list(&part, world.at()).unwrap().changed.is_empty());
        }
    }
}

/// What the ledger and KV end with. `works`: whether the ledger does what is due between the changes.
fn ends_with(order: [By; 3], works: bool) -> (Option<String>, Option<String>) {
    let settings = Settings { source: Source::List, ..Settings::default() };
    let mut world = World::with(BTreeMap::new(), 1, settings);
    world.run(300);
    for by in order {
        world.now += 300;
        change(&mut world, by);
        if works {
            world.work();
        }
    }
    world.run_minutes(12);
    let in_kv = world.kv.get(CUSTOMER).map(|entry| String::from_utf8(entry.value.clone()).unwrap());
    let told = world.ask(CUSTOMER);
    // Whoever the operator is, taking the record away brings the provider's back.
    world.commit(vec![Edit::RemoveCustomer { id: "acme".to_owned(), expected: None }]);
    assert_eq!(world.ask(CUSTOMER), Some(record("provider")), "{order:?}");
    (told, in_kv)
}

#[test]
fn scenario_12_three_writers_of_one_record_within_a_second_end_alike_in_all_orders() {
    use By::{Api, Hand, Provider};
    for order in [
        [Hand, Api, Provider],
        [Hand, Provider, Api],
        [Api, Hand, Provider],
        [Api, Provider, Hand],
        [Provider, Hand, Api],
        [Provider, Api, Hand],
    ] {
        for works in [false, true] {
            let (told, in_kv) = ends_with(order, works);
            assert_eq!(told, in_kv, "{order:?}: the ledger and KV agree");
            let is_hand_last =
                order.iter().position(|by| *by == Hand) > order.iter().position(|by| *by == Api);
            // What the ledger had not yet told KV is written over the edit, which nobody has seen.
            let expected = if works && is_hand_last { "hand" } else { "api" };
            assert_eq!(told, Some(record(expected)), "{order:?} {works}");
        }
    }
}

#[test]
fn scenario_12_an_entry_that_kv_drops_between_two_passes_ends_to_the_second() {
    let mut world = settled(20);
    let end = world.now / 1000 + 600;
    let value = key_json("short").into_bytes();
    world.kv.insert(key_name("short"), KvEntry { value, expiration: Some(end), sha256: None });
    world.run(200);
    assert_eq!(world.ask(&key_name("short")), Some(key_json("short")));
    while world.now / 1000 < end - 1 {
        world.run(1);
    }
    assert_eq!(world.ask(&key_name("short")), Some(key_json("short")));
    world.kv.remove(&key_name("short"));
    world.run(1);
    assert_eq!(world.ask(&key_name("short")), None);
    world.run_minutes(10);
    assert_eq!(records(&world), 20, "and nobody else with it");
}

/// Operations of KV.
#[derive(Clone, Copy, Debug, Default)]
struct Operations {
    writes: usize,
    deletes: usize,
    lists: usize,
    reads: usize,
}

impl Operations {
    fn count(&mut self, job: &Job) {
        match job {
            Job::Write(write) if write.value.is_none() => self.deletes += 1,
            Job::Write(_) | Job::File(FileJob::Put(_)) => self.writes += 1,
            Job::File(FileJob::Delete(_)) => self.deletes += 1,
            Job::Backup => self.writes += 2,
            Job::List(_) => self.lists += 1,
            Job::Read(names) => self.reads += names.len(),
            Job::File(FileJob::ReadBack(_)) | Job::ReadHead | Job::ReadRevocations | Job::ReadTouched => {
                self.reads += 1;
            }
        }
    }
}

/// What a day of a gateway takes that is always polled, with so many edits spread over it.
fn a_day(max_staleness: u64, edits: usize) -> Operations {
    let settings = Settings { max_staleness, ..Settings::default() };
    let mut world = World::with(namespace(500), 1, settings);
    world.run(300);
    let mut operations = Operations::default();
    let mut made = 0;
    for quarter in 0..24 * 60 * 4 {
        world.now += 15_000;
        while made * 24 * 60 * 4 < quarter * edits {
            let name = format!("{}", made % 300);
            world.commit(vec![if made % 3 == 0 { remove_key(&name) } else { put_key(&name, "edited") }]);
            made += 1;
        }
        world.ledger.poll(world.at());
        for job in world.ledger.jobs(world.at()) {
            operations.count(&job);
            let (done, bytes) = world.work_on(job).unwrap();
            world.ledger.done(&done, bytes.as_deref(), world.at(), random(7));
        }
    }
    operations
}

#[test]
fn scenario_11_a_day_of_kv_operations_is_within_the_quotas_of_both_plans() {
    // The free plan's, a day.
    let free = a_day(60_000, 200);
    assert!(free.writes <= 1000 && free.deletes <= 1000 && free.lists <= 1000, "{free:?}");
    assert!(free.reads <= 100_000, "{free:?}");
    // What the paid plan includes in a month, by the day.
    let paid = a_day(10_000, 4000);
    assert!(paid.writes <= 1_000_000 / 31 && paid.deletes <= 1_000_000 / 31, "{paid:?}");
    assert!(paid.lists <= 1_000_000 / 31 && paid.reads <= 10_000_000 / 31, "{paid:?}");
    // It does its work all the same.
    assert!(
        free.lists >= 400 && free.writes >= 300 && paid.lists >= 2000 && paid.writes >= 3000,
        "{free:?} {paid:?}"
    );
}
