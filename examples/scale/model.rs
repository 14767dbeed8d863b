//! Locations, isolates and customers, with the real cache in between.
//!
//! Each isolate has the gateway's own [`Cache`]s with the policies and budgets of a checked
//! configuration. What is a model is the world around them: who calls when, what KV has at hand, and
//! the steps of `crates/pointsman-loader/src/customers.rs` that say when the config API is asked.

use std::{collections::HashMap, hash::BuildHasherDefault, rc::Rc};

use pointsman_core::{
    base::{
        digest::Digest,
        freshness::{Freshness, Policy},
        time::{Span, Timestamp},
    },
    customer::record::CustomerConfig,
    identity::key_record::KeyConfig,
    state::cache::{Cache, Lease, Loaded, Lookup, Stored},
};

use crate::random::{Mixed, Random, Zipf, mix};

/// How long a location may answer from its own copy of a KV entry: the `cacheTtl` that the edge asks for.
const KV_CACHE: Span = Span::from_secs(30);
/// How long an isolate believes what KV says of the last scheduled refresh.
const STATE_FRESH: Span = Span::from_secs(30);
/// How long a write of KV takes until every location can read it.
const PROPAGATION: Span = Span::from_secs(60);
/// How long a run of the scheduled refresh takes where little has changed.
const RUN: Span = Span::from_secs(2);
/// Some time in the past of every simulation, so that ages can be subtracted from it.
const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);

/// Who looks after customers' records in KV.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Source {
    /// Operators. There is no config API.
    Operators,
    /// The config API, asked for one customer at a time by the isolates.
    ById,
    /// The scheduled refresh of the whole list, once in this time.
    Scheduled(Span),
}

/// One kind of entries: how it is kept, and how large one is.
#[derive(Clone, Debug)]
pub(crate) struct Class<T> {
    /// How it is kept.
    pub(crate) policy: Policy,
    /// Bytes that one isolate may hold.
    pub(crate) budget: u64,
    /// A typical entry.
    pub(crate) typical: Rc<T>,
    /// Its size in bytes, as the gateway itself counts it.
    pub(crate) weight: usize,
}

/// What is simulated.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    /// Draws the traffic.
    pub(crate) seed: u64,
    /// Customers, each with one API key.
    pub(crate) customers: u64,
    /// How uneven customers are (Zipf).
    pub(crate) exponent: f64,
    /// Locations.
    pub(crate) colos: usize,
    /// How uneven locations are (Zipf).
    pub(crate) colo_exponent: f64,
    /// Isolates in each location.
    pub(crate) isolates: usize,
    /// Requests a second, all locations together.
    pub(crate) rate: f64,
    /// How long an isolate lives on average; `None` for ever.
    pub(crate) lifetime: Option<Span>,
    /// Time that is simulated and not counted.
    pub(crate) warm_up: Span,
    /// Time that is counted.
    pub(crate) measured: Span,
    /// Who looks after the records.
    pub(crate) source: Source,
    /// API keys.
    pub(crate) keys: Class<KeyConfig>,
    /// Customers.
    pub(crate) records: Class<CustomerConfig>,
}

/// What was counted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Tally {
    /// Requests.
    pub(crate) requests: u64,
    /// Requests whose key was answered from memory.
    pub(crate) key_hits: u64,
    /// Requests whose customer was answered from memory.
    pub(crate) customer_hits: u64,
    /// Requests that waited for neither.
    pub(crate) warm: u64,
    /// Reads of key records.
    pub(crate) key_reads: u64,
    /// Reads of customer records, each name by itself, those before a write included.
    pub(crate) customer_reads: u64,
    /// Reads of what the scheduled refresh notes down, by isolates and by itself.
    pub(crate) state_reads: u64,
    /// Of all reads, those that the location had to fetch from afar.
    pub(crate) cold_reads: u64,
    /// Writes.
    pub(crate) writes: u64,
    /// Questions to the config API on behalf of requests.
    pub(crate) loads: u64,
    /// Runs of the scheduled refresh, each with one question to the config API.
    pub(crate) runs: u64,
    /// The most keys that one isolate held when all was over.
    pub(crate) keys_held: usize,
    /// The most customers that one isolate held when all was over.
    pub(crate) customers_held: usize,
}

impl Tally {
    /// All reads of KV.
    #[must_use]
    pub(crate) const fn kv_reads(&self) -> u64 {
        self.key_reads + self.customer_reads + self.state_reads
    }

    /// A count as a share of the requests.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // far below 2^53
    pub(crate) fn per_request(&self, count: u64) -> f64 {
        count as f64 / self.requests.max(1) as f64
    }
}

impl Scenario {
    /// Requests a second that an isolate gets on average.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // a few hundred
    pub(crate) fn rate_per_isolate(&self) -> f64 {
        self.rate / (self.colos * self.isolates).max(1) as f64
    }
}

/// Lets the time pass and counts.
#[must_use]
pub(crate) fn run(scenario: &Scenario) -> Tally {
    let mut random = Random::new(mix(scenario.seed));
    let customers = Zipf::new(scenario.customers, scenario.exponent);
    let colos = Zipf::new(scenario.colos as u64, scenario.colo_exponent);
    let mut isolates: Vec<_> =
        (0..scenario.colos * scenario.isolates).map(|_| Isolate::new(scenario, START, &mut random)).collect();
    let mut world = World::new(scenario);
    let end = START.plus(scenario.warm_up).plus(scenario.measured);
    let (mut elapsed, mut warm) = (0.0, false);
    loop {
        elapsed += random.wait(1000.0 / scenario.rate);
        let now = START.plus(millis(elapsed));
        if now >= end {
            break;
        }
        if !warm && now.since(START) >= scenario.warm_up {
            (warm, world.tally) = (true, Tally::default());
        }
        let colo = usize::try_from(colos.draw(&mut random)).unwrap_or(1) - 1;
        let at = colo * scenario.isolates + random.below(scenario.isolates);
        let rank = customers.draw(&mut random);
        let Some(isolate) = isolates.get_mut(at) else { continue };
        if now >= isolate.ends_at {
            *isolate = Isolate::new(scenario, now, &mut random);
        }
        world.request(isolate, colo, rank, now);
    }
    if let Source::Scheduled(period) = scenario.source {
        world.count_runs(scenario.measured, period);
    }
    world.tally.keys_held = isolates.iter().map(|isolate| isolate.keys.len()).max().unwrap_or_default();
    world.tally.customers_held =
        isolates.iter().map(|isolate| isolate.customers.len()).max().unwrap_or_default();
    world.tally
}

/// What one isolate has in memory.
struct Isolate {
    keys: Cache<KeyConfig>,
    customers: Cache<CustomerConfig>,
    /// When the note of the scheduled refresh was read, and what it confirmed.
    state: Option<(Timestamp, Timestamp)>,
    ends_at: Timestamp,
}

impl Isolate {
    fn new(scenario: &Scenario, now: Timestamp, random: &mut Random) -> Self {
        let forever = Timestamp::from_millis(u64::MAX);
        #[allow(clippy::cast_precision_loss)] // milliseconds of a lifetime
        let ends_at = |mean: Span| now.plus(millis(random.wait(mean.millis() as f64)));
        let ends_at = scenario.lifetime.map_or(forever, ends_at);
        let seed = random.bits();
        Self {
            keys: Cache::new(scenario.keys.budget, scenario.keys.policy, seed),
            customers: Cache::new(scenario.records.budget, scenario.records.policy, seed),
            state: None,
            ends_at,
        }
    }
}

type ByRank<T> = HashMap<u64, T, BuildHasherDefault<Mixed>>;

/// What KV holds, as far as it matters: when each thing was last read in a location, and written.
struct World<'a> {
    scenario: &'a Scenario,
    colos: Vec<Colo>,
    records: ByRank<Written>,
    /// What the customers' weights sum up to.
    total: f64,
    tally: Tally,
}

/// What a location has at hand: when it fetched that from afar.
#[derive(Default)]
struct Colo {
    keys: ByRank<Timestamp>,
    customers: ByRank<Timestamp>,
    /// Also what the note of the scheduled refresh confirmed then.
    state: Option<(Timestamp, Timestamp)>,
}

/// The last write of a customer's record. Until it is visible everywhere, `before` is what is read.
#[derive(Clone, Copy)]
struct Written {
    before: Timestamp,
    fetched_at: Timestamp,
}

impl<'a> World<'a> {
    fn new(scenario: &'a Scenario) -> Self {
        let colos = (0..scenario.colos).map(|_| Colo::default()).collect();
        let total = harmonic(scenario.customers, scenario.exponent);
        Self { scenario, colos, records: ByRank::default(), total, tally: Tally::default() }
    }

    fn request(&mut self, isolate: &mut Isolate, colo: usize, rank: u64, now: Timestamp) {
        self.tally.requests += 1;
        // Both are cached under digests, of the key and of the id; for what is a model one will do.
        let digest = Digest::of(&rank.to_le_bytes());
        let key = self.key(isolate, colo, rank, &digest, now);
        let customer = self.customer(isolate, colo, rank, &digest, now);
        self.tally.key_hits += u64::from(key);
        self.tally.customer_hits += u64::from(customer);
        self.tally.warm += u64::from(key && customer);
    }

    /// Finds a key; whether memory had it.
    fn key(
        &mut self,
        isolate: &mut Isolate,
        colo: usize,
        rank: u64,
        digest: &Digest,
        now: Timestamp,
    ) -> bool {
        let class = &self.scenario.keys;
        let lookup = isolate.keys.lookup(digest, now, false);
        let hit = matches!(lookup, Lookup::Hit { .. });
        if matches!(lookup, Lookup::Hit { refresh: true, .. } | Lookup::Load(Lease::Acquired)) {
            self.tally.key_reads += 1;
            let known = self.colos.get_mut(colo).map(|colo| &mut colo.keys);
            self.tally.cold_reads += u64::from(known.is_none_or(|known| is_cold(known, rank, now)));
            isolate.keys.store(*digest, loaded(class, now, now));
        }
        hit
    }

    /// Finds a customer; whether memory had it.
    fn customer(
        &mut self,
        isolate: &mut Isolate,
        colo: usize,
        rank: u64,
        digest: &Digest,
        now: Timestamp,
    ) -> bool {
        let class = &self.scenario.records;
        match isolate.customers.lookup(digest, now, false) {
            Lookup::Hit { refresh, .. } => {
                if refresh {
                    let as_of = self.refreshed(isolate, colo, rank, now);
                    isolate.customers.store(*digest, loaded(class, now, as_of));
                }
                true
            }
            Lookup::Load(_) | Lookup::Unavailable => {
                let kept = self.kept(isolate, colo, rank, now);
                let state = class.policy.lifetimes.state(now.since(kept));
                let as_of = if state < Freshness::OnlyIfError { kept } else { self.asked(rank, kept, now) };
                isolate.customers.store(*digest, loaded(class, now, as_of));
                // Content with an old record while it waited, it asks behind the response.
                if state == Freshness::Revalidate
                    && isolate.customers.acquire_lease(digest, now) == Lease::Acquired
                {
                    let as_of = self.refreshed(isolate, colo, rank, now);
                    isolate.customers.store(*digest, loaded(class, now, as_of));
                }
                false
            }
        }
    }

    /// A refresh behind a response: on to the config API unless the record is known to be fresh. Gives
    /// what the entry ages from.
    fn refreshed(&mut self, isolate: &mut Isolate, colo: usize, rank: u64, now: Timestamp) -> Timestamp {
        let kept = self.kept(isolate, colo, rank, now);
        let state = self.scenario.records.policy.lifetimes.state(now.since(kept));
        if state == Freshness::Fresh { kept } else { self.asked(rank, kept, now) }
    }

    /// Reads a customer's record, and gives when it was known to be so. With a config API there are two names
    /// for it, which are read by one call and paid for one by one: the operator's, which is missing here, as
    /// the location remembers for as long as it would an entry, and the config API's.
    fn kept(&mut self, isolate: &mut Isolate, colo: usize, rank: u64, now: Timestamp) -> Timestamp {
        let names = if self.scenario.source == Source::Operators { 1 } else { 2 };
        self.tally.customer_reads += names;
        let known = self.colos.get_mut(colo).map(|colo| &mut colo.customers);
        self.tally.cold_reads += names * u64::from(known.is_none_or(|known| is_cold(known, rank, now)));
        match self.scenario.source {
            Source::Operators => now,
            Source::ById => self.fetched_at(rank, now),
            Source::Scheduled(period) => self.confirmed_at(isolate, colo, period, now),
        }
    }

    /// Asks the config API. The customer has not changed, so the record is written only where it is
    /// worn, which is half of `stale` after it was written last.
    fn asked(&mut self, rank: u64, kept: Timestamp, now: Timestamp) -> Timestamp {
        self.tally.loads += 1;
        if now.since(kept) > self.scenario.records.policy.lifetimes.stale.half() {
            // Who writes looks first whether somebody else has written.
            self.tally.customer_reads += 1;
            self.tally.writes += 1;
            let visible = |written: &Written| now.since(written.fetched_at) >= PROPAGATION;
            if self.records.get(&rank).is_none_or(visible) {
                self.records.insert(rank, Written { before: kept, fetched_at: now });
            }
        }
        now
    }

    /// When the config API was asked for the record that KV shows. Before the first write of the
    /// simulation it has the age that it would have had anyway: the time since the last of its writes,
    /// which come when it is worn and somebody asks for it.
    #[allow(clippy::cast_precision_loss)] // milliseconds of a day
    fn fetched_at(&self, rank: u64, now: Timestamp) -> Timestamp {
        if let Some(written) = self.records.get(&rank) {
            let visible = now.since(written.fetched_at) >= PROPAGATION;
            return if visible { written.fetched_at } else { written.before };
        }
        let scenario = self.scenario;
        let worn = scenario.records.policy.lifetimes.stale.half().millis() as f64;
        let share = (rank as f64).powf(-scenario.exponent) / self.total;
        let between = 1000.0 / (scenario.rate * share);
        let mut random = Random::new(mix(scenario.seed ^ mix(rank)));
        let age = if random.unit() * (worn + between) < worn {
            random.unit() * worn
        } else {
            worn + random.wait(between)
        };
        let start = START.millis().saturating_sub(millis(age).millis());
        Timestamp::from_millis(start)
    }

    /// When the scheduled refresh last confirmed all records, as far as this isolate can know.
    fn confirmed_at(
        &mut self,
        isolate: &mut Isolate,
        colo: usize,
        period: Span,
        now: Timestamp,
    ) -> Timestamp {
        if let Some((read_at, confirmed_at)) = isolate.state
            && now.since(read_at) < STATE_FRESH
        {
            return confirmed_at;
        }
        self.tally.state_reads += 1;
        let visible = now.since(Timestamp::default()).millis() - PROPAGATION.plus(RUN).millis();
        let newest = Timestamp::from_millis(visible - visible % period.millis().max(1));
        let Some(colo) = self.colos.get_mut(colo) else { return newest };
        let confirmed_at = match colo.state {
            Some((fetched_at, confirmed_at)) if now.since(fetched_at) < KV_CACHE => confirmed_at,
            _ => {
                self.tally.cold_reads += 1;
                colo.state = Some((now, newest));
                newest
            }
        };
        isolate.state = Some((now, confirmed_at));
        confirmed_at
    }

    /// A run where the list has not changed: two reads of its note and one write, by `crates/pointsman-loader/src/scheduled/customers.rs`.
    const fn count_runs(&mut self, time: Span, period: Span) {
        self.tally.runs = time.millis() / period.millis();
        self.tally.state_reads += 2 * self.tally.runs;
        self.tally.writes += self.tally.runs;
    }
}

fn loaded<T>(class: &Class<T>, asked_at: Timestamp, as_of: Timestamp) -> Loaded<T> {
    Loaded { stored: Stored::Present(Rc::clone(&class.typical)), weight: class.weight, asked_at, as_of }
}

/// Whether a location has to fetch an entry from afar; it has it at hand then.
fn is_cold(known: &mut ByRank<Timestamp>, rank: u64, now: Timestamp) -> bool {
    let cold = known.get(&rank).is_none_or(|fetched_at| now.since(*fetched_at) >= KV_CACHE);
    if cold {
        known.insert(rank, now);
    }
    cold
}

/// The sum of `k^-exponent` over `1..=count`: the first by hand, the rest by its integral.
#[allow(clippy::cast_precision_loss)] // far below 2^53
#[must_use]
pub(crate) fn harmonic(count: u64, exponent: f64) -> f64 {
    let exact = count.min(100);
    let sum: f64 = (1..=exact).map(|rank| (rank as f64).powf(-exponent)).sum();
    let (from, to) = (exact as f64 + 0.5, count as f64 + 0.5);
    let power = 1.0 - exponent;
    let rest =
        if power.abs() < 1e-9 { (to / from).ln() } else { (to.powf(power) - from.powf(power)) / power };
    sum + rest.max(0.0)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // never negative, and far below 2^64
const fn millis(millis: f64) -> Span {
    Span::from_millis(millis as u64)
}
