//! Freshness, leases, back-off and the bounded maps that live in an isolate's memory (words as in
//! RFC 5861).
//!
//! [`Cache`] is the one state machine of everything that is loaded: it says what may be done with an
//! entry, who loads it, who waits for that, and how long a source that failed is left alone. It holds
//! plain values and times; who began a load may be gone before it ends, so nothing here is a flag that
//! somebody must come back to clear.
//!
//! Which entry makes room for another is left to `quick_cache` (CLOCK-Pro, modified: an entry that is asked
//! for again outlives any number that are asked for once, so a flood of junk evicts only junk).

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    hash::{BuildHasher, Hasher},
    rc::Rc,
};

use quick_cache::{
    Weighter,
    unsync::{Cache as BoundedMap, DefaultLifecycle},
};

#[cfg(test)]
mod tests;

use crate::base::{
    digest::Digest,
    freshness::{Freshness, NEGATIVE_FRESH, Policy},
    time::Timestamp,
};

/// What a source holds under a key.
#[derive(Debug, Eq, PartialEq)]
pub enum Stored<T> {
    /// This value.
    Present(Rc<T>),
    /// Nothing.
    Absent,
    /// Something that cannot be used. Cached like a value, since asking again gives the same.
    Malformed,
}

impl<T> Clone for Stored<T> {
    fn clone(&self) -> Self {
        match self {
            Self::Present(value) => Self::Present(Rc::clone(value)),
            Self::Absent => Self::Absent,
            Self::Malformed => Self::Malformed,
        }
    }
}

/// Who loads an entry.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Claim {
    /// The caller, who now holds the lease.
    Lead,
    /// Somebody else, at the latest until this instant.
    Join(Timestamp),
}

/// The answer of a cache.
#[derive(Debug, Eq, PartialEq)]
pub enum Lookup<T> {
    /// Use this; `refresh` where the caller has been chosen to refresh it behind the response, and
    /// holds the lease.
    Hit {
        /// What is stored.
        stored: Stored<T>,
        /// Whether the caller holds the lease on the entry's refresh.
        refresh: bool,
    },
    /// It must be loaded first. Where that fails, an entry that may still be used is hit.
    Load(Claim),
    /// Nothing can be used and its source failed a moment ago.
    Unavailable,
}

/// What a load brought.
#[derive(Debug)]
pub struct Loaded<T> {
    /// What the source holds.
    pub stored: Stored<T>,
    /// The value's size in bytes.
    pub weight: usize,
    /// When the load began: of two loads the one that began later counts.
    pub asked_at: Timestamp,
    /// When the value was known to be so, which is what it ages from. Where it comes out of a store
    /// that somebody else filled, earlier than `asked_at`.
    pub as_of: Timestamp,
}

/// A cached entry. Without `stored`, all that is known is that the source failed.
struct Entry<T> {
    stored: Option<Stored<T>>,
    asked_at: Timestamp,
    as_of: Timestamp,
    weight: u64,
    failures: Cell<u32>,
    retry_at: Cell<Timestamp>,
    /// Whether the source is left alone until then also by those who have nothing else.
    bars: Cell<bool>,
}

/// How often a cache was asked and could answer.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Lookups that were answered from memory.
    pub hits: u64,
    /// Lookups that were not.
    pub misses: u64,
    /// Loads that failed.
    pub failures: u64,
}

/// A map from digests to entries, bounded in bytes.
pub struct Cache<T> {
    entries: BoundedMap<Digest, Entry<T>, ByWeight, SeededHash>,
    /// Loads under way, with the end of their lease. Beside the entries, since what is loaded may have
    /// none, or lose it meanwhile. No more than loads that run at once.
    flights: RefCell<HashMap<Digest, Timestamp, SeededHash>>,
    /// With how many of them, those whose lease has run out are forgotten.
    sweep_at: Cell<usize>,
    policy: Policy,
    seed: u64,
    counts: Cell<Counts>,
}

/// Bytes that an entry takes beside its value: key, times, the map's own bookkeeping. That is some 110
/// bytes, twice as much just after the map has doubled its room, and again for some entries that it has
/// thrown out and still knows by their hash. The room is never given back, so what is counted for it also
/// bounds how much of it there can be while its entries hold the whole budget in values.
const ENTRY_OVERHEAD: u64 = 320;

/// With this many loads under way, those whose lease has run out are forgotten.
const MANY_FLIGHTS: usize = 256;

impl<T> Cache<T> {
    /// An empty cache that holds at most about `budget` bytes. `seed` makes the order of its slots
    /// unpredictable, so that nobody can choose keys that collide.
    #[must_use]
    pub fn new(budget: u64, policy: Policy, seed: u64) -> Self {
        Self::sized(usize::try_from(budget / 1024).unwrap_or(1024), budget, policy, seed)
    }

    /// A cache for one entry, whose size somebody else bounds.
    #[must_use]
    pub fn of_one(policy: Policy, seed: u64) -> Self {
        Self::sized(1, u64::MAX / 2, policy, seed)
    }

    fn sized(estimate: usize, budget: u64, policy: Policy, seed: u64) -> Self {
        let hash = SeededHash(seed | 1);
        let entries = BoundedMap::with(estimate, budget, ByWeight, hash.clone(), DefaultLifecycle::default());
        let flights = RefCell::new(HashMap::with_hasher(hash));
        let sweep_at = Cell::new(MANY_FLIGHTS);
        Self { entries, flights, sweep_at, policy, seed, counts: Cell::default() }
    }

    /// Looks `key` up at the time `now`. `failed` where this request has tried to load it in vain: then
    /// it is given what there is, and loads nothing more.
    #[must_use]
    pub fn lookup(&self, key: &Digest, now: Timestamp, failed: bool) -> Lookup<T> {
        let found = self.entries.get(key);
        let barred = found.is_some_and(|entry| entry.bars.get());
        let paused = found.is_some_and(|entry| now < entry.retry_at.get());
        let stored =
            found.and_then(|entry| entry.stored.as_ref().map(|stored| (stored, self.freshness(entry, now))));
        let lookup = match stored {
            Some((stored, Freshness::Fresh)) => Lookup::Hit { stored: stored.clone(), refresh: false },
            Some((stored, Freshness::Revalidate)) => {
                let refresh = !failed && !paused && self.claim(key, now) == Claim::Lead;
                Lookup::Hit { stored: stored.clone(), refresh }
            }
            // One asks. Others are served meanwhile, and for a while after it failed: a source that
            // hangs must not hold up everybody whom it once vouched for.
            Some((stored, Freshness::OnlyIfError)) => {
                if failed || paused || self.claim(key, now) != Claim::Lead {
                    Lookup::Hit { stored: stored.clone(), refresh: false }
                } else {
                    Lookup::Load(Claim::Lead)
                }
            }
            Some((_, Freshness::Expired)) | None if failed || (paused && barred) => Lookup::Unavailable,
            Some((_, Freshness::Expired)) | None => Lookup::Load(self.claim(key, now)),
        };
        self.count(|counts| match lookup {
            Lookup::Hit { .. } => counts.hits += 1,
            Lookup::Load(_) | Lookup::Unavailable => counts.misses += 1,
        });
        lookup
    }

    /// Whether a load of `key` is under way that a caller can count on.
    #[must_use]
    pub fn is_loading(&self, key: &Digest, now: Timestamp) -> bool {
        self.flights.borrow().get(key).is_some_and(|until| now < *until)
    }

    /// Takes the lease on loading `key`, or says until when somebody else holds it.
    #[must_use]
    pub fn claim(&self, key: &Digest, now: Timestamp) -> Claim {
        let mut flights = self.flights.borrow_mut();
        match flights.get(key) {
            Some(until) if now < *until => Claim::Join(*until),
            _ => {
                if flights.len() >= self.sweep_at.get() {
                    flights.retain(|_, until| now < *until);
                    // Twice as many before the next look, or each claim would look at all.
                    self.sweep_at.set(flights.len().saturating_mul(2).max(MANY_FLIGHTS));
                }
                flights.insert(*key, now.plus(self.policy.lease));
                Claim::Lead
            }
        }
    }

    fn freshness(&self, entry: &Entry<T>, now: Timestamp) -> Freshness {
        let lifetimes = &self.policy.lifetimes;
        match entry.stored {
            Some(Stored::Present(_)) => lifetimes.state(now.since(entry.as_of)),
            // Short-lived and never served stale: what was missing may have been added since.
            Some(Stored::Absent | Stored::Malformed)
                if now.since(entry.as_of) < NEGATIVE_FRESH.min(lifetimes.fresh) =>
            {
                Freshness::Fresh
            }
            Some(Stored::Absent | Stored::Malformed) | None => Freshness::Expired,
        }
    }

    /// Ends a load of `key` with what it brought, and says what counts now. A load that was overtaken
    /// by one that began later is not stored.
    pub fn store(&mut self, key: Digest, loaded: Loaded<T>) -> Stored<T> {
        self.end_flight(&key, loaded.asked_at);
        let before = self.entries.peek(&key);
        if let Some(Entry { stored: Some(newer), asked_at, .. }) = before
            && *asked_at > loaded.asked_at
        {
            return newer.clone();
        }
        // A document that cannot be read never evicts one that can: whoever broke it will mend it.
        if matches!(loaded.stored, Stored::Malformed)
            && let Some(good) = self.usable(&key, loaded.asked_at)
        {
            self.note_failure(&key, loaded.asked_at);
            return good;
        }
        let stored = loaded.stored.clone();
        let weight = u64::try_from(loaded.weight).unwrap_or(u64::MAX).saturating_add(ENTRY_OVERHEAD);
        let entry = Entry {
            stored: Some(loaded.stored),
            asked_at: loaded.asked_at,
            as_of: loaded.as_of,
            weight,
            failures: Cell::new(0),
            retry_at: Cell::default(),
            bars: Cell::new(false),
        };
        self.entries.insert(key, entry);
        stored
    }

    /// Forgets what is stored under `key`, unless a load that began later brought it.
    pub fn forget(&mut self, key: &Digest, asked_at: Timestamp) {
        if self.entries.peek(key).is_some_and(|entry| entry.asked_at <= asked_at) {
            self.entries.remove(key);
        }
    }

    fn usable(&self, key: &Digest, now: Timestamp) -> Option<Stored<T>> {
        let entry = self.entries.peek(key)?;
        let stored = entry.stored.as_ref().filter(|stored| matches!(stored, Stored::Present(_)))?;
        (self.freshness(entry, now) < Freshness::Expired).then(|| stored.clone())
    }

    /// Ends a load of `key`, begun at `asked_at`, that failed: what is stored stays, and the source is
    /// left alone a while. Where nothing is stored that could be used meanwhile, only with
    /// `also_when_empty`.
    pub fn fail(&mut self, key: &Digest, asked_at: Timestamp, now: Timestamp, also_when_empty: bool) {
        self.end_flight(key, asked_at);
        self.count(|counts| counts.failures += 1);
        if self.entries.peek(key).is_some_and(|entry| entry.asked_at > asked_at) {
            return;
        }
        let known = self.note_failure(key, now);
        if let Some(entry) = self.entries.peek(key) {
            entry.bars.set(also_when_empty);
        }
        if !known && also_when_empty {
            let entry = Entry {
                stored: None,
                asked_at: now,
                as_of: now,
                weight: ENTRY_OVERHEAD,
                failures: Cell::new(1),
                retry_at: Cell::new(now.plus(self.policy.back_off.pause(1, self.salt(key)))),
                bars: Cell::new(true),
            };
            self.entries.insert(*key, entry);
        }
    }

    /// Ends the lease of the load of `key` that began at `asked_at`, unless somebody has taken it over.
    fn end_flight(&self, key: &Digest, asked_at: Timestamp) {
        let mut flights = self.flights.borrow_mut();
        let own = |until: &Timestamp| *until <= asked_at.plus(self.policy.lease);
        if flights.get(key).is_some_and(own) {
            flights.remove(key);
        }
    }

    fn note_failure(&self, key: &Digest, now: Timestamp) -> bool {
        let Some(entry) = self.entries.peek(key) else { return false };
        let failures = entry.failures.get().saturating_add(1);
        entry.failures.set(failures);
        let salt = self.salt(key).wrapping_mul(u64::from(failures));
        entry.retry_at.set(now.plus(self.policy.back_off.pause(failures, salt)));
        true
    }

    fn salt(&self, key: &Digest) -> u64 {
        SeededHash(self.seed | 1).hash_one(key) >> 8
    }

    /// When the value under `key` was known to be so, where there is one that may still be used.
    #[must_use]
    pub fn as_of(&self, key: &Digest, now: Timestamp) -> Option<Timestamp> {
        let entry = self.entries.peek(key)?;
        (self.freshness(entry, now) < Freshness::Expired).then_some(entry.as_of)
    }

    /// The value under `key`, however old.
    #[must_use]
    pub fn peek(&self, key: &Digest) -> Option<Rc<T>> {
        match self.entries.peek(key)?.stored.as_ref()? {
            Stored::Present(value) => Some(Rc::clone(value)),
            Stored::Absent | Stored::Malformed => None,
        }
    }

    /// When the value under `key` was known to be so, however old.
    #[must_use]
    pub fn peek_as_of(&self, key: &Digest) -> Option<Timestamp> {
        self.entries.peek(key).filter(|entry| entry.stored.is_some()).map(|entry| entry.as_of)
    }

    /// When the value under `key` was asked for.
    #[must_use]
    pub fn asked_at(&self, key: &Digest) -> Option<Timestamp> {
        self.entries.peek(key).filter(|entry| entry.stored.is_some()).map(|entry| entry.asked_at)
    }

    /// Failures in a row under `key`, and until when its source is left alone for them.
    #[must_use]
    pub fn failures(&self, key: &Digest) -> (u32, Timestamp) {
        self.entries
            .peek(key)
            .map_or_else(Default::default, |entry| (entry.failures.get(), entry.retry_at.get()))
    }

    fn count(&self, change: impl FnOnce(&mut Counts)) {
        let mut counts = self.counts.get();
        change(&mut counts);
        self.counts.set(counts);
    }

    /// How often it was asked and could answer.
    #[must_use]
    pub const fn counts(&self) -> Counts {
        self.counts.get()
    }

    /// Entries held.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is held.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Bytes held, as counted against the budget.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.entries.weight()
    }

    /// Bytes that may be held.
    #[must_use]
    pub fn budget(&self) -> u64 {
        self.entries.capacity()
    }
}

#[derive(Clone)]
struct ByWeight;

impl<T> Weighter<Digest, Entry<T>> for ByWeight {
    fn weight(&self, _: &Digest, entry: &Entry<T>) -> u64 {
        entry.weight
    }
}

/// Hashes a digest by mixing each eight of its bytes with a seed. Not all are hashes already: ids stand there
/// as they are ([`Digest::name_of`]), and may begin alike.
#[derive(Clone)]
struct SeededHash(u64);

/// 2^64 by the golden ratio: without a pattern of its own.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

struct DigestHasher {
    seed: u64,
    state: u64,
}

impl BuildHasher for SeededHash {
    type Hasher = DigestHasher;

    fn build_hasher(&self) -> DigestHasher {
        DigestHasher { seed: self.0, state: 0 }
    }
}

impl Hasher for DigestHasher {
    fn write(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some((word, behind)) = rest.split_first_chunk::<8>() {
            rest = behind;
            let word = u64::from_le_bytes(*word) ^ self.state ^ self.seed;
            let mixed = u128::from(word) * u128::from(GOLDEN ^ self.seed.rotate_left(32) | 1);
            #[allow(clippy::cast_possible_truncation)] // the two halves, folded
            let folded = (mixed >> 64) as u64 ^ mixed as u64;
            self.state = folded;
        }
    }

    fn finish(&self) -> u64 {
        self.state
    }
}
