//! The first deployment over a namespace that is already full: how many operations of KV that takes, in how many alarms, and
//! what somebody is told meanwhile.

use std::collections::BTreeMap;

use super::world::*;
use crate::*;

/// A fifth of what the object carries out in one alarm (`MOST_JOBS` of the edge's `ledger_background.js`), and a fifth of
/// 200 000 entries: the number of alarms is the same as with all of them, and the test takes a fifth of the time.
const MOST_JOBS: usize = 800 / 5;
const KEYS: usize = 100_000 / 5;

/// Keys and customers as any tool writes them, without a digest in their metadata.
fn full() -> BTreeMap<String, KvEntry> {
    let entry = |value: String| KvEntry { value: value.into_bytes(), ..KvEntry::default() };
    let key = |n: usize| {
        let json = format!(r#"{{"subject":"s{n}","claims":{{"customerId":"c{n}"}}}}"#);
        (key_name(&format!("{n}")), entry(json))
    };
    let customer = |n: usize| {
        let json = format!(r#"{{"customerId":"c{n}","backendUrl":"https://c{n}.example.com"}}"#);
        (format!("customer:c{n}"), entry(json))
    };
    (0..KEYS).flat_map(|n| [key(n), customer(n)]).collect()
}

#[derive(Debug, Default)]
struct Counts {
    lists: usize,
    /// Of a hundred entries each.
    reads: usize,
    alarms: usize,
}

impl Counts {
    /// One alarm: carries out what is due until nothing is, or until one invocation has had enough.
    fn alarm(&mut self, world: &mut World) {
        self.alarms += 1;
        let mut carried = 0;
        while carried < MOST_JOBS {
            let jobs = world.ledger.jobs(world.at());
            if jobs.is_empty() {
                return;
            }
            carried += jobs.len();
            for job in jobs {
                match &job {
                    Job::List(_) => self.lists += 1,
                    Job::Read(_) => self.reads += 1,
                    _ => {}
                }
                let (done, bytes) = world.work_on(job).unwrap();
                world.ledger.done(&done, bytes.as_deref(), world.at(), random(7));
            }
        }
    }
}

#[test]
fn a_full_namespace_is_taken_in_by_few_operations_and_nobody_is_refused_meanwhile() {
    let mut world = World::with(full(), 1, Settings::default());
    let (began, mut counts) = (world.now, Counts::default());
    let last = key_name(&format!("{}", KEYS - 1));
    while !world.ledger.state.taken_in {
        counts.alarm(&mut world);
        // Incomplete: isolates ask KV for whom they do not find.
        let complete = world.head().manifest.complete;
        assert!(!complete.keys && !complete.customers, "before shards hold them");
        assert!(world.ask(&last).is_some(), "a key that was there before");
        assert!(counts.alarms < 10, "{counts:?}");
        world.now = world.ledger.next_alarm(world.at()).millis().max(world.now + 1000);
    }
    assert_eq!(world.ledger.status(world.at())["records"], 2 * KEYS);
    assert_eq!((counts.lists, counts.reads), (2 * KEYS / 1000, 2 * KEYS / 100), "2 200 for 200 000 entries");
    assert_eq!(counts.alarms, 3);
    assert!(world.now - began < 10_000, "one alarm follows the other, whatever passes may list in a minute");
}
