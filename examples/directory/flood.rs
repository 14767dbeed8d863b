//! Keys that nobody has, and isolates that all start at once: what the ledger and KV notice of either. Followers, look-ups,
//! decisions and the ledger are the gateway's own code; the clock is set.

use std::cell::RefCell;

use pointsman_core::{
    base::{
        digest::Digest,
        time::{Span, Timestamp},
    },
    decide::decision::Outcome,
    state::{config::Gateway, directory::Directory, memory::Memory},
};
use pointsman_ledger::Settings;
use pointsman_loader::loader::Loader;
use pointsman_testkit::World;

use crate::{
    place::Place,
    request::{Requested, gateway, request},
};

/// What comes in.
#[derive(Clone, Copy)]
pub(crate) struct Flood {
    /// Isolates of the one location, which take turns.
    pub(crate) isolates: u64,
    /// Requests, all of them together.
    pub(crate) requests: u64,
    /// Over so many seconds.
    pub(crate) seconds: u64,
    /// Whether each request has another key, which nobody has; else all have the one key that is known.
    pub(crate) junk: bool,
}

/// What that took. The first second is counted with all others, but for [`Tally::most_polls_later`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) polls: u64,
    /// In one second.
    pub(crate) most_polls: u64,
    /// In one second behind the first two.
    pub(crate) most_polls_later: u64,
    pub(crate) asks: u64,
    /// Reads of KV by the ledger, for who asked.
    pub(crate) ledger_reads: u64,
    /// In one second.
    pub(crate) most_ledger_reads: u64,
    /// Reads of records in KV by isolates.
    pub(crate) record_reads: u64,
    pub(crate) shard_reads: u64,
}

const KNOWN: &str = "key-of-acme";

fn key_name(key: &str) -> String {
    format!("key:{}", Digest::of(key.as_bytes()))
}

/// A world with a key, its customer, and a ledger that has taken both in.
fn world() -> World {
    let world = World::empty();
    world.put(&key_name(KNOWN), r#"{"subject":"acme","claims":{"customerId":"acme"}}"#);
    world.put("customer:acme", r#"{"customerId":"acme","backendUrl":"https://acme.example.com"}"#);
    world.open_ledger(Settings::default());
    world
}

struct Isolates<'a> {
    gateway: &'a Gateway,
    place: &'a Place<'a>,
    memories: Vec<RefCell<Memory>>,
}

impl<'a> Isolates<'a> {
    fn new(gateway: &'a Gateway, place: &'a Place<'a>, count: u64) -> Self {
        let born = |seed: u64| {
            let mut memory = Memory::new(gateway, seed);
            memory.directory = Some(Directory::new(gateway, seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
            RefCell::new(memory)
        };
        Self { gateway, place, memories: (1..=count).map(born).collect() }
    }

    /// Whether the request of this number is let in.
    fn lets_in(&self, number: u64, key: &str, now: Timestamp) -> Result<bool, String> {
        let turn = usize::try_from(number).unwrap_or_default() % self.memories.len().max(1);
        let memory = self.memories.get(turn).ok_or("there are no isolates")?;
        let loader = Loader::new(self.gateway, memory, self.place);
        let Requested { decision, .. } =
            request(self.gateway, memory, &loader, key, now).ok_or("the request cannot be read")?;
        if decision.deferred.follow {
            pollster::block_on(loader.follow());
        }
        match decision.outcome {
            Outcome::Forward(_) => Ok(true),
            Outcome::Answer(answer) => match answer.refusal.map(|refusal| refusal.id()) {
                Some("api_key_unknown") => Ok(false),
                other => Err(format!("a request was answered by {other:?}")),
            },
            Outcome::Load(..) => Err("a request was left undecided".to_owned()),
        }
    }
}

/// Sends all requests, each second's spread over it, and counts.
pub(crate) fn run(flood: Flood) -> Result<Tally, String> {
    let (gateway, world) = (gateway("32MB")?, world());
    let place = Place::new(&world);
    let isolates = Isolates::new(&gateway, &place, flood.isolates);
    let mut tally = Tally::default();
    let mut sent = 0;
    for second in 0..flood.seconds {
        let begins = world.now.get();
        let (polls, reads) = (place.polls.get(), world.ledger_reads.get());
        let first = sent;
        let until = flood.requests.saturating_mul(second + 1) / flood.seconds.max(1);
        while sent < until {
            // The first requests of all isolates come at the same instant.
            let at = match second {
                0 if sent < flood.isolates => 0,
                _ => (sent - first) * 1000 / (until - first).max(1),
            };
            let now = begins.plus(Span::from_millis(at));
            world.now.set(now);
            let key = if flood.junk { format!("junk-{sent}") } else { KNOWN.to_owned() };
            if isolates.lets_in(sent, &key, now)? == flood.junk {
                return Err(format!("{key} was {}", if flood.junk { "let in" } else { "refused" }));
            }
            sent += 1;
        }
        let polled = place.polls.get() - polls;
        tally.most_polls = tally.most_polls.max(polled);
        if second > 1 {
            tally.most_polls_later = tally.most_polls_later.max(polled);
        }
        tally.most_ledger_reads = tally.most_ledger_reads.max(world.ledger_reads.get() - reads);
        world.take_asked();
        // What the ledger does by itself, such as its passes over KV, is not counted.
        world.now.set(begins);
        world.pass_with_ledger(Span::from_secs(1));
    }
    Ok(Tally {
        polls: place.polls.get(),
        asks: place.asks.get(),
        ledger_reads: world.ledger_reads.get(),
        record_reads: place.record_reads.get(),
        shard_reads: place.shard_reads.get(),
        ..tally
    })
}

/// How long it takes, in milliseconds, until a key that is made in the midst of a flood of others is let in, where it is
/// tried ten times a second.
pub(crate) fn until_let_in(flooded_for: u64) -> Result<u64, String> {
    const PER_SECOND: u64 = 1000;
    let (gateway, world) = (gateway("32MB")?, world());
    let place = Place::new(&world);
    let isolates = Isolates::new(&gateway, &place, 1);
    let mut made_at = None;
    for n in 0..PER_SECOND * (flooded_for + 20) {
        let now = world.now.get().plus(Span::from_millis(1000 / PER_SECOND));
        world.now.set(now);
        isolates.lets_in(n, &format!("junk-{n}"), now)?;
        if n < PER_SECOND * flooded_for || n % (PER_SECOND / 10) != 0 {
            continue;
        }
        let made = match made_at {
            Some(made) => made,
            None => {
                make_key(&world, "made")?;
                made_at = Some(now);
                now
            }
        };
        if isolates.lets_in(n, "made", now)? {
            return Ok(now.since(made).millis());
        }
        world.take_asked();
    }
    Err("the key that was made was never let in".to_owned())
}

fn make_key(world: &World, key: &str) -> Result<(), String> {
    use pointsman_ledger::{Commit, Edit};
    let digest = Digest::of(key.as_bytes()).to_string();
    let json = r#"{"subject":"acme","claims":{"customerId":"acme"}}"#.to_owned();
    let edits = vec![Edit::PutKey { digest, json, expires: None, expected: None }];
    let commit = Commit { operation: "make".to_owned(), actor: "ann".to_owned(), from: String::new(), edits };
    let now = world.now.get();
    world.with_ledger(|own| own.ledger.commit(&commit, now)).map_err(|error| format!("{error:?}"))?;
    Ok(())
}

/// How often one isolate may ask in vain in so many seconds: three times at once, then after 1, 2, 4 and 8 seconds, and then
/// each ten.
pub(crate) const fn most_asks(seconds: u64) -> u64 {
    3 + 4 + seconds.saturating_sub(15).div_ceil(10)
}
