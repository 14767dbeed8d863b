//! How much of the database one call touches, however much there is.

use super::world::*;
use crate::{
    keyspace::{BUILD, end_of},
    *,
};

/// A page of what a call works through, and some hundreds of entries beside it.
const MOST: usize = 3 * 4096 + 2000;

/// Lets time pass as [`World::run`] does. The most entries of the database that one call of the ledger touched, but for calls
/// that built a shard: these read it.
fn most_touched(world: &mut World, seconds: u64) -> usize {
    let mut most = 0;
    for _ in 0..seconds {
        world.now += 1000;
        world.ledger.storage().take_touched();
        world.ledger.poll(world.at());
        let polled = world.ledger.storage().take_touched();
        let built = |world: &World| world.ledger.storage().scan(&[BUILD], &end_of(BUILD), 9);
        let before = built(world);
        world.ledger.storage().take_touched();
        let jobs = world.ledger.jobs(world.at());
        let worked = world.ledger.storage().take_touched();
        let is_build = built(world) != before;
        most = most.max(polled).max(if is_build { 0 } else { worked });
        for job in jobs {
            if let Some((done, bytes)) = world.work_on(job) {
                world.ledger.storage().take_touched();
                world.ledger.done(&done, bytes.as_deref(), world.at(), random(7));
                most = most.max(world.ledger.storage().take_touched());
            }
        }
    }
    most
}

#[test]
fn what_waited_for_shards_is_forgotten_a_page_at_a_time() {
    let mut world =
        World::with(Default::default(), 1, Settings { source: Source::List, ..Settings::default() });
    world.run(200);
    let run = world.ledger.begin_list().unwrap().run;
    for part in 0..40 {
        let says = |id: &str| {
            Says::Record(format!(r#"{{"customerId":"{id}","backendUrl":"https://{id}.example.com"}}"#))
        };
        let edits = (part * 500..part * 500 + 500).map(|n| {
            let id = format!("c{n}");
            Difference { says: says(&id), id, version: 0 }
        });
        let part = ListPart { run, part, many: true, edits: edits.collect(), ..ListPart::default() };
        world.ledger.take_list(&part, world.at()).unwrap();
    }
    world.ledger.end_list(&ListEnd { run, is_believed: true, etag: None }).unwrap();
    let most = most_touched(&mut world, 300);
    assert!(most <= MOST, "{most}");
    assert!(world.head().manifest.complete.customers, "and all are told");
    assert_eq!(world.ledger.status(world.at())["waitingForShards"], 0);
}

#[test]
fn the_backup_of_many_revocations_is_collected_a_page_at_a_time() {
    let mut world = World::new();
    world.run(200);
    for part in 0..20 {
        let revoke = |n: u64| {
            let by = RevokedBy::Jti(format!("t{n}"));
            let until = START + 86_400_000;
            Edit::RevokeToken(Revocation { issuer: "i".to_owned(), by, issued_before: None, until })
        };
        world.commit((part * 500..part * 500 + 500).map(revoke).collect());
        world.commit((part * 500..part * 500 + 500).map(|n| remove_key(&format!("k{n}"))).collect());
    }
    let whole = world.ledger.revocations(world.at()).len();
    assert!(whole > 10_000 * 17);
    let most = most_touched(&mut world, 120);
    assert!(most <= MOST, "{most}");
    // When each was last written in KV has changed since, and is as long.
    assert_eq!(world.kv["directory:revocations"].value.len(), whole);
}

#[test]
fn the_tail_of_a_log_that_no_shard_takes_is_bounded_and_leaves_a_gap_to_whoever_begins_with_it() {
    use pointsman_core::directory::{
        follower::{Currency, Follow, Follower, Heard, Taken},
        log::Head,
        pace::Pace,
    };

    let mut world = World::new();
    let begin = |world: &World| {
        let pace = Pace::new(pointsman_core::base::time::Span::from_secs(10));
        let mut follower = Follower::new(Follow { pace, budget: 1 << 25, open: true }, 1);
        let taken = follower.take_head(&world.ledger.tail(), Heard::Cache, world.at());
        follower.poll_failed(world.at());
        (taken, follower.currency_of_last(world.at(), pace.max_staleness()))
    };
    world.ledger.done(&Done::ReadHead, None, world.at(), random(3));
    let put = |n: usize| {
        let subject = format!("{n}{}", "a".repeat(60_000));
        put_key(&format!("k{n}"), &subject)
    };
    world.ledger.state.taken_in = true;
    world.commit((0..30).map(put).collect());
    world.head();
    assert_eq!(begin(&world), (Taken::Applied, Currency::Current));
    world.commit((30..100).map(put).collect());
    world.head();
    let tail = world.ledger.tail();
    assert!(tail.len() < 1 << 16, "{}", tail.len());
    let head = Head::decode(&tail).unwrap();
    assert_eq!((head.epoch, head.revision), (world.ledger.epoch(), 100));
    let (taken, currency) = begin(&world);
    assert!(matches!(taken, Taken::Behind(_)) && currency == Currency::Unknown, "{taken:?} {currency:?}");
    // By their number as well.
    assert!(world.ledger.changes_within(1, 100, usize::MAX).is_some());
    assert!(world.ledger.changes_within(1, 99, usize::MAX).is_none());
    assert_eq!(world.ledger.changes_within(38, 99, usize::MAX).unwrap().len(), 63);
}

#[test]
fn what_a_restored_database_wanted_to_write_is_dropped_a_page_at_a_time() {
    let mut world = World::new();
    world.run(200);
    world.writes_fail = true;
    for part in 0..12 {
        world.commit((part * 500..part * 500 + 500).map(|n| put_key(&format!("k{n}"), "a")).collect());
    }
    let before = world.ledger.storage().clone();
    world.ledger = Ledger::open(before, Settings::default(), world.at(), random(3));
    world.ledger.restored(world.at(), random(4));
    assert!(world.ledger.status(world.at())["outstandingWrites"].as_u64().unwrap() > 6000);
    world.writes_fail = false;
    let most = most_touched(&mut world, 60);
    assert!(most <= MOST, "{most}");
    let status = world.ledger.status(world.at());
    assert_eq!((&status["outstandingWrites"], &status["on"]), (&0.into(), &true.into()));
    assert!(!world.kv.contains_key(&key_name("k7")), "nobody writes what was wanted then");
    let secret = String::from_utf8(world.kv["directory:secret"].value.clone()).unwrap();
    assert!(secret.contains(&world.ledger.epoch().to_string()), "and what is wanted since is written");
    world.commit(vec![put_key("new", "a")]);
    world.run(2);
    assert!(world.kv.contains_key(&key_name("new")));
}
