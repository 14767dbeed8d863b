//! Isolates that come and go, and the requests that they are given.

use std::{cell::RefCell, cmp::Reverse, collections::BinaryHeap, rc::Rc};

use pointsman_core::{
    base::time::{Span, Timestamp},
    decide::decision::Deferred,
    directory::pace::TRAFFIC,
    state::{config::Gateway, directory::Directory, memory::Memory},
};
use pointsman_loader::loader::Loader;

use crate::{
    platform::{Data, Platform, key_of},
    random::{Random, Zipf},
    request::{Requested, gateway, request},
};

/// How long an isolate lives on average.
const LIFETIME: f64 = 1_800_000.0;
const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);
/// Of the time that is simulated, the part that is not counted.
const WARM_UP: f64 = 0.5;

pub(crate) struct Scenario {
    pub(crate) data: Rc<Data>,
    /// Requests a second of each isolate.
    pub(crate) rate: f64,
    /// Hours that are counted.
    pub(crate) hours: f64,
    pub(crate) locations: usize,
    /// In each location.
    pub(crate) isolates: usize,
    /// What shards may take.
    pub(crate) memory: &'static str,
    pub(crate) seed: u64,
}

#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) requests: u64,
    /// Requests that waited for anything.
    pub(crate) waited: u64,
    pub(crate) polls: u64,
    pub(crate) kv_reads: u64,
}

impl Tally {
    /// Reads of KV and requests to the ledger at list prices: $0.50 and $0.15 a million.
    #[allow(clippy::cast_precision_loss)] // far below 2^53
    pub(crate) fn dollars(&self) -> f64 {
        (0.50 * self.kv_reads as f64 + 0.15 * self.polls as f64) / 1e6
    }
}

struct Isolate {
    memory: RefCell<Memory>,
    ends: f64,
    /// Told apart from those before it, whose polls are gone with them.
    generation: u64,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Event {
    Request,
    /// Goes on polling behind the response of a request that came at that time.
    Poll {
        generation: u64,
        since: u64,
    },
}

/// Runs one scenario.
pub(crate) fn run(scenario: &Scenario) -> Result<Tally, String> {
    let gateway = gateway(scenario.memory)?;
    let mut tally = Tally::default();
    for location in 0..scenario.locations {
        let mut random = Random::new(scenario.seed.wrapping_mul(1_000).wrapping_add(location as u64));
        simulate_location(scenario, &gateway, &mut random, &mut tally);
    }
    Ok(tally)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // milliseconds of some hours
fn simulate_location(scenario: &Scenario, gateway: &Gateway, random: &mut Random, tally: &mut Tally) {
    let zipf = Zipf::new(scenario.data.customers, 1.0);
    let platform = Platform::new(Rc::clone(&scenario.data), START);
    let mut generations = 0;
    let mut born = |at: f64, random: &mut Random| {
        generations += 1;
        let mut memory = Memory::new(gateway, random.bits());
        memory.directory = Some(Directory::new(gateway, random.bits()));
        Isolate { memory: RefCell::new(memory), ends: at + random.wait(LIFETIME), generation: generations }
    };
    let mut isolates: Vec<_> = (0..scenario.isolates).map(|_| born(0.0, random)).collect();
    let measured = scenario.hours * 3_600_000.0;
    let (begins, ends) = (measured * WARM_UP, measured * (1.0 + WARM_UP));
    let pause = 1000.0 / scenario.rate;
    let mut events = BinaryHeap::new();
    for isolate in 0..isolates.len() {
        events.push(Reverse((random.wait(pause) as u64, isolate, Event::Request)));
    }
    let mut before = (0, 0);
    while let Some(Reverse((at, index, event))) = events.pop() {
        if at as f64 >= ends {
            break;
        }
        let counted = at as f64 >= begins;
        if !counted {
            before = (platform.polls.get(), platform.kv_reads.get());
        }
        let now = START.plus(Span::from_millis(at));
        platform.now.set(now);
        let Some(isolate) = isolates.get_mut(index) else { continue };
        if isolate.ends <= at as f64 {
            *isolate = born(at as f64, random);
        }
        let loader = Loader::new(gateway, &isolate.memory, &platform);
        let follow = match event {
            Event::Request => {
                events.push(Reverse((at + 1 + random.wait(pause) as u64, index, Event::Request)));
                let key = key_of(zipf.draw(random));
                let Some(Requested { decision, waited }) =
                    request(gateway, &isolate.memory, &loader, &key, now)
                else {
                    continue;
                };
                let Deferred { refreshes, follow, .. } = decision.deferred;
                tally.requests += u64::from(counted);
                tally.waited += u64::from(counted && waited);
                refreshes.iter().for_each(|refresh| drop(pollster::block_on(loader.refresh(refresh))));
                if follow {
                    pollster::block_on(loader.follow());
                    keep_polling(isolate, now);
                }
                follow.then_some(at)
            }
            Event::Poll { generation, since } => {
                let goes_on = generation == isolate.generation && is_polling(isolate, since);
                if goes_on {
                    pollster::block_on(loader.follow());
                }
                goes_on.then_some(since)
            }
        };
        let Some(since) = follow else { continue };
        let memory = isolate.memory.borrow();
        let next =
            memory.directory.as_ref().and_then(|directory| directory.follower.next_poll_in_traffic(now));
        let ends = since + TRAFFIC.millis();
        if let Some(next) = next.map(|span| at + span.millis().max(1)).filter(|next| *next < ends) {
            events.push(Reverse((next, index, Event::Poll { generation: isolate.generation, since })));
        }
    }
    tally.polls += platform.polls.get() - before.0;
    tally.kv_reads += platform.kv_reads.get() - before.1;
}

/// As [`Loader::keep_following`] does it, whose waits are events here.
fn keep_polling(isolate: &Isolate, now: Timestamp) {
    if let Some(directory) = &mut isolate.memory.borrow_mut().directory {
        directory.follower.begin_to_keep_polling(now);
    }
}

/// Whether the one that began to at that time still goes on.
fn is_polling(isolate: &Isolate, since: u64) -> bool {
    let since = START.plus(Span::from_millis(since));
    isolate.memory.borrow().directory.as_ref().is_some_and(|it| it.follower.polling_since() == since)
}
