//! Bounded maps of entries that live in an isolate's memory.
//!
//! What may be done with an entry, who loads it and how long a source that failed is left alone is [`slot`](super::slot)'s
//! state machine. Here is which entries there are, and how many loads are under way.
//!
//! Which entry makes room for another is left to `quick_cache` (CLOCK-Pro, modified: an entry that is asked
//! for again outlives any number that are asked for once, so a flood of junk evicts only junk).

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
};

use quick_cache::{
    Weighter,
    unsync::{Cache as BoundedMap, DefaultLifecycle},
};

#[cfg(test)]
mod tests;

pub use crate::state::slot::{Lease, Loaded, Lookup, Stored};
use crate::{
    base::{digest::Digest, freshness::Policy, time::Timestamp},
    state::{
        seeded_hash::SeededHash,
        slot::{Entry, Failure, is_lease_of, look_up},
    },
};

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
    leases: RefCell<HashMap<Digest, Timestamp, SeededHash>>,
    /// With how many of them, those whose lease has run out are forgotten.
    sweep_at: Cell<usize>,
    policy: Policy,
    hash: SeededHash,
    counts: Cell<Counts>,
}

/// Bytes that an entry takes beside its value: key, times, the map's own bookkeeping. That is some 110
/// bytes, twice as much just after the map has doubled its room, and again for some entries that it has
/// thrown out and still knows by their hash. The room is never given back, so what is counted for it also
/// bounds how much of it there can be while its entries hold the whole budget in values.
const ENTRY_OVERHEAD: u64 = 320;

/// With this many loads under way, those whose lease has run out are forgotten.
const MANY_LOADS: usize = 256;

impl<T> Cache<T> {
    /// An empty cache that holds at most about `budget` bytes. `seed` makes the order of its entries
    /// unpredictable, so that nobody can choose keys that collide.
    #[must_use]
    pub fn new(budget: u64, policy: Policy, seed: u64) -> Self {
        let hash = SeededHash::new(seed);
        let estimate = usize::try_from(budget / 1024).unwrap_or(1024);
        let entries = BoundedMap::with(estimate, budget, ByWeight, hash.clone(), DefaultLifecycle::default());
        let leases = RefCell::new(HashMap::with_hasher(hash.clone()));
        let sweep_at = Cell::new(MANY_LOADS);
        Self { entries, leases, sweep_at, policy, hash, counts: Cell::default() }
    }

    /// Looks `key` up at the time `now`. `failed` where this request has tried to load it in vain: then
    /// it is given what there is, and loads nothing more.
    #[must_use]
    pub fn lookup(&self, key: &Digest, now: Timestamp, failed: bool) -> Lookup<T> {
        let lookup =
            look_up(self.entries.get(key), &self.policy, now, failed, || self.acquire_lease(key, now));
        self.count(|counts| match lookup {
            Lookup::Hit { .. } => counts.hits += 1,
            Lookup::Load(_) | Lookup::Unavailable => counts.misses += 1,
        });
        lookup
    }

    /// Whether a load of `key` is under way that a caller can count on.
    #[must_use]
    pub fn is_loading(&self, key: &Digest, now: Timestamp) -> bool {
        self.leases.borrow().get(key).is_some_and(|until| now < *until)
    }

    /// Takes the lease on loading `key`, or says until when somebody else holds it.
    #[must_use]
    pub fn acquire_lease(&self, key: &Digest, now: Timestamp) -> Lease {
        let mut leases = self.leases.borrow_mut();
        match leases.get(key) {
            Some(until) if now < *until => Lease::HeldUntil(*until),
            _ => {
                if leases.len() >= self.sweep_at.get() {
                    leases.retain(|_, until| now < *until);
                    // Twice as many before the next look, or each claim would look at all.
                    self.sweep_at.set(leases.len().saturating_mul(2).max(MANY_LOADS));
                }
                leases.insert(*key, now.plus(self.policy.lease));
                Lease::Acquired
            }
        }
    }

    /// Ends a load of `key` with what it brought, and says what counts now. A load that was overtaken
    /// by one that began later is not stored.
    pub fn store(&mut self, key: Digest, loaded: Loaded<T>) -> Stored<T> {
        self.end_lease(&key, loaded.asked_at);
        let stored = loaded.stored.clone();
        match Entry::after_load(self.entries.peek(&key), loaded, &self.policy, || self.hash.salt(&key)) {
            Ok(entry) => {
                self.entries.insert(key, entry);
                stored
            }
            Err(kept) => kept,
        }
    }

    /// Forgets what is stored under `key`, unless a load that began later brought it.
    pub fn forget(&mut self, key: &Digest, asked_at: Timestamp) {
        if self.entries.peek(key).is_some_and(|entry| entry.asked_at() <= asked_at) {
            self.entries.remove(key);
        }
    }

    /// Ends a load of `key`, begun at `asked_at`, that failed: what is stored stays, and the source is
    /// left alone a while. Where nothing is stored that could be used meanwhile, only with
    /// `also_when_empty`.
    pub fn fail(&mut self, key: &Digest, asked_at: Timestamp, now: Timestamp, also_when_empty: bool) {
        self.end_lease(key, asked_at);
        self.count(|counts| counts.failures += 1);
        let failure = Failure { asked_at, now, also_when_empty };
        let salt = self.hash.salt(key);
        if let Some(entry) = Entry::after_failure(self.entries.peek(key), failure, &self.policy, salt) {
            self.entries.insert(*key, entry);
        }
    }

    /// Ends the lease of the load of `key` that began at `asked_at`, unless somebody has taken it over.
    pub fn end_lease(&self, key: &Digest, asked_at: Timestamp) {
        let mut leases = self.leases.borrow_mut();
        if leases.get(key).is_some_and(|until| is_lease_of(*until, asked_at, &self.policy)) {
            leases.remove(key);
        }
    }

    /// When the value under `key` was known to be so, where there is one that may still be used.
    #[cfg(test)]
    fn as_of(&self, key: &Digest, now: Timestamp) -> Option<Timestamp> {
        self.entries.peek(key)?.as_of(&self.policy, now)
    }

    /// What is stored under `key`, where nothing in it grows old.
    #[must_use]
    pub fn get(&self, key: &Digest) -> Option<Stored<T>> {
        self.entries.get(key)?.stored().cloned()
    }

    /// Forgets what is stored under `key`.
    pub fn remove(&mut self, key: &Digest) {
        self.entries.remove(key);
    }

    /// Forgets everything that is stored.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// The value under `key`, however old.
    #[must_use]
    pub fn peek(&self, key: &Digest) -> Option<Rc<T>> {
        self.entries.peek(key)?.value()
    }

    /// When the value under `key` was known to be so, however old.
    #[must_use]
    pub fn peek_as_of(&self, key: &Digest) -> Option<Timestamp> {
        self.entries.peek(key)?.peek_as_of()
    }

    /// When the value under `key` was asked for.
    #[must_use]
    pub fn asked_at(&self, key: &Digest) -> Option<Timestamp> {
        self.entries.peek(key).filter(|entry| entry.is_answered()).map(Entry::asked_at)
    }

    /// Failures in a row under `key`, and until when its source is left alone for them.
    #[cfg(test)]
    fn failures(&self, key: &Digest) -> (u32, Timestamp) {
        self.entries.peek(key).map_or_else(Default::default, Entry::failures)
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
        entry.weight().saturating_add(ENTRY_OVERHEAD)
    }
}
