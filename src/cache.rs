//! Freshness and the bounded maps that live in an isolate's memory (words as in RFC 5861).
//!
//! One function of entry and time says what may be done with an entry; nothing else compares times.
//! Which entry makes room for another is left to `quick_cache` (S3-FIFO like: an entry that is asked
//! for again outlives any number that are asked for once, so a flood of junk evicts only junk).

use std::{
    cell::Cell,
    hash::{BuildHasher, Hasher},
    rc::Rc,
};

use quick_cache::{
    Weighter,
    unsync::{Cache as BoundedMap, DefaultLifecycle},
};

use crate::{
    digest::Digest,
    time::{Span, Timestamp},
};

/// How long an entry is used in which way, counted from when it was stored.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lifetimes {
    /// Up to here it is used without a second thought.
    pub fresh: Span,
    /// Up to here it is used at once and refreshed behind the response.
    pub revalidate: Span,
    /// Up to here it is used where its source fails.
    pub stale: Span,
}

impl Lifetimes {
    /// For what must be right soon after a change (keys, key sets): in the second half of `fresh` it
    /// is refreshed behind responses, after `fresh` it is asked for before it is used, and `stale`
    /// counts only while the source is down. So `fresh` is an upper bound, idle or busy.
    #[must_use]
    pub fn strict(fresh: Span, stale: Span) -> Self {
        Self { fresh: fresh.half(), revalidate: fresh, stale: stale.max(fresh) }
    }

    /// For what must be quick (customers): after `fresh` and up to `stale` the old value answers at
    /// once while one refresh runs.
    #[must_use]
    pub fn swift(fresh: Span, stale: Span) -> Self {
        Self { fresh, revalidate: stale.max(fresh), stale: stale.max(fresh) }
    }

    #[cfg(test)]
    pub(crate) const KEYS: Self =
        Self { fresh: Span::from_secs(30), revalidate: Span::from_secs(60), stale: Span::from_secs(3600) };
    #[cfg(test)]
    pub(crate) const KEY_SETS: Self = Self {
        fresh: Span::from_secs(300),
        revalidate: Span::from_secs(600),
        stale: Span::from_secs(86_400),
    };

    /// What may be done with an entry of this age.
    #[must_use]
    pub fn state(&self, age: Span) -> Freshness {
        if age < self.fresh {
            Freshness::Fresh
        } else if age < self.revalidate {
            Freshness::Revalidate
        } else if age < self.stale {
            Freshness::OnlyIfError
        } else {
            Freshness::Expired
        }
    }
}

/// What may be done with an entry. Grows with age and never goes back.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Freshness {
    /// Use it.
    Fresh,
    /// Use it and refresh it behind the response (`stale-while-revalidate`).
    Revalidate,
    /// Ask first; use it where the source fails (`stale-if-error`).
    OnlyIfError,
    /// Do not use it.
    Expired,
}

/// How long "there is no such entry" is believed at the most.
pub const NEGATIVE_FRESH: Span = Span::from_secs(30);
/// How long a source that failed is left alone before it is asked again for the same entry.
pub const BACK_OFF: Span = Span::from_secs(5);
/// How long a refresh may be under way before another may start. A time, not a flag: whoever began
/// one may be gone before it ends, and nobody must wait for ever for a flag to be cleared.
pub const REFRESH_LEASE: Span = Span::from_secs(15);

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

/// The answer of a cache.
#[derive(Debug, Eq, PartialEq)]
pub enum Lookup<T> {
    /// Use this; `refresh` where the caller has been chosen to refresh it behind the response.
    Hit {
        /// What is stored.
        stored: Stored<T>,
        /// Whether this caller now holds the lease on the entry's refresh.
        refresh: bool,
    },
    /// Ask the source. Where it fails, [`Cache::failed`] lets an entry that may still be used be hit.
    Miss,
}

/// A cached entry: what was stored, when, and who is refreshing it since when.
struct Entry<T> {
    stored: Stored<T>,
    stored_at: Timestamp,
    weight: u64,
    lease_until: Cell<Timestamp>,
    retry_at: Cell<Timestamp>,
}

/// A map from digests to entries, bounded in bytes.
pub struct Cache<T> {
    entries: BoundedMap<Digest, Entry<T>, ByWeight, SeededHash>,
    lifetimes: Lifetimes,
}

/// Bytes that an entry takes beside its value: key, times, the map's own bookkeeping.
const ENTRY_OVERHEAD: u64 = 160;

impl<T> Cache<T> {
    /// An empty cache that holds at most about `budget` bytes. `seed` makes the order of its slots
    /// unpredictable, so that nobody can choose keys that collide.
    #[must_use]
    pub fn new(budget: u64, lifetimes: Lifetimes, seed: u64) -> Self {
        let estimate = usize::try_from(budget / 1024).unwrap_or(1024);
        let entries =
            BoundedMap::with(estimate, budget, ByWeight, SeededHash(seed | 1), DefaultLifecycle::default());
        Self { entries, lifetimes }
    }

    /// Looks `key` up at the time `now`.
    #[must_use]
    pub fn lookup(&self, key: &Digest, now: Timestamp) -> Lookup<T> {
        let Some(entry) = self.entries.get(key) else {
            return Lookup::Miss;
        };
        let age = now.since(entry.stored_at);
        match self.freshness(entry, age) {
            Freshness::Fresh => Lookup::Hit { stored: entry.stored.clone(), refresh: false },
            Freshness::Revalidate => {
                Lookup::Hit { stored: entry.stored.clone(), refresh: entry.take_lease(now) }
            }
            // One asks. Others are served meanwhile, and for a while after it failed: a source that
            // hangs must not hold up everybody whom it once vouched for.
            Freshness::OnlyIfError if entry.take_lease(now) => Lookup::Miss,
            Freshness::OnlyIfError => Lookup::Hit { stored: entry.stored.clone(), refresh: false },
            Freshness::Expired => Lookup::Miss,
        }
    }

    fn freshness(&self, entry: &Entry<T>, age: Span) -> Freshness {
        match entry.stored {
            Stored::Present(_) => self.lifetimes.state(age),
            // Short-lived and never served stale: what was missing may have been added since.
            Stored::Absent | Stored::Malformed if age < NEGATIVE_FRESH.min(self.lifetimes.fresh) => {
                Freshness::Fresh
            }
            Stored::Absent | Stored::Malformed => Freshness::Expired,
        }
    }

    /// Stores what the source answered and says what counts now. `weight` is the value's size in bytes,
    /// `asked_at` when the source was asked: an answer is as old as its question, and one that was
    /// overtaken by a newer one is not stored.
    pub fn store(&mut self, key: Digest, stored: Stored<T>, weight: usize, asked_at: Timestamp) -> Stored<T> {
        if let Some(newer) = self.entries.peek(&key).filter(|entry| entry.stored_at > asked_at) {
            return newer.stored.clone();
        }
        // A document that cannot be read never evicts one that can: whoever broke it will mend it.
        if matches!(stored, Stored::Malformed)
            && let Some(good) = self.usable(&key, asked_at)
        {
            self.failed(&key, asked_at);
            return good;
        }
        let weight = u64::try_from(weight).unwrap_or(u64::MAX).saturating_add(ENTRY_OVERHEAD);
        let entry = Entry {
            stored: stored.clone(),
            stored_at: asked_at,
            weight,
            lease_until: Cell::new(Timestamp::default()),
            retry_at: Cell::new(Timestamp::default()),
        };
        self.entries.insert(key, entry);
        stored
    }

    fn usable(&self, key: &Digest, now: Timestamp) -> Option<Stored<T>> {
        let entry = self.entries.peek(key)?;
        let present = matches!(entry.stored, Stored::Present(_));
        let counts = self.lifetimes.state(now.since(entry.stored_at)) < Freshness::Expired;
        (present && counts).then(|| entry.stored.clone())
    }

    /// Notes that the source failed for `key`: the entry stays, and the source is left alone a while.
    pub fn failed(&self, key: &Digest, now: Timestamp) {
        if let Some(entry) = self.entries.peek(key) {
            entry.retry_at.set(now.plus(BACK_OFF));
            entry.lease_until.set(Timestamp::default());
        }
    }

    /// Bytes held, as counted against the budget.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.entries.weight()
    }
}

impl<T> Entry<T> {
    /// Takes the lease on this entry's refresh, unless somebody holds it or the source just failed.
    fn take_lease(&self, now: Timestamp) -> bool {
        if now < self.lease_until.get() || now < self.retry_at.get() {
            return false;
        }
        self.lease_until.set(now.plus(REFRESH_LEASE));
        true
    }
}

#[derive(Clone)]
struct ByWeight;

impl<T> Weighter<Digest, Entry<T>> for ByWeight {
    fn weight(&self, _: &Digest, entry: &Entry<T>) -> u64 {
        entry.weight
    }
}

/// Hashes a digest by mixing eight of its bytes with a seed: the digest is a hash already, and only
/// its predictability has to go.
#[derive(Clone)]
struct SeededHash(u64);

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
        if let Some(first) = bytes.first_chunk::<8>() {
            let mixed = u128::from(u64::from_le_bytes(*first) ^ self.seed) * u128::from(self.seed);
            #[allow(clippy::cast_possible_truncation)] // the two halves, folded
            let folded = (mixed >> 64) as u64 ^ mixed as u64;
            self.state ^= folded;
        }
    }

    fn finish(&self) -> u64 {
        self.state
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const T0: Timestamp = Timestamp::from_millis(1_800_000_000_000);

    fn at(seconds: u64) -> Timestamp {
        T0.plus(Span::from_secs(seconds))
    }

    fn cache() -> Cache<u32> {
        let lifetimes = Lifetimes::swift(Span::from_secs(300), Span::from_secs(3600));
        Cache::new(1 << 20, lifetimes, 7)
    }

    fn hit(value: u32, refresh: bool) -> Lookup<u32> {
        Lookup::Hit { stored: Stored::Present(Rc::new(value)), refresh }
    }

    #[test]
    fn fresh_then_stale_with_one_refresh_then_expired() {
        let (mut cache, key) = (cache(), Digest::of(b"k"));
        assert_eq!(cache.lookup(&key, at(0)), Lookup::Miss);
        cache.store(key, Stored::Present(Rc::new(1)), 8, at(0));
        assert_eq!(cache.lookup(&key, at(299)), hit(1, false));
        assert_eq!(cache.lookup(&key, at(300)), hit(1, true));
        assert_eq!(cache.lookup(&key, at(301)), hit(1, false), "one refresh at a time");
        assert_eq!(cache.lookup(&key, at(316)), hit(1, true), "a lease that ran out is taken over");
        assert_eq!(cache.lookup(&key, at(3600)), Lookup::Miss);
    }

    #[test]
    fn the_next_lookup_after_a_refresh_sees_the_new_value() {
        let (mut cache, key) = (cache(), Digest::of(b"k"));
        cache.store(key, Stored::Present(Rc::new(1)), 8, at(0));
        assert_eq!(cache.lookup(&key, at(400)), hit(1, true));
        cache.store(key, Stored::Present(Rc::new(2)), 8, at(401));
        assert_eq!(cache.lookup(&key, at(401)), hit(2, false));
    }

    #[test]
    fn a_failed_refresh_changes_nothing_but_a_back_off() {
        let (mut cache, key) = (cache(), Digest::of(b"k"));
        cache.store(key, Stored::Present(Rc::new(1)), 8, at(0));
        assert_eq!(cache.lookup(&key, at(400)), hit(1, true));
        cache.failed(&key, at(401));
        assert_eq!(cache.lookup(&key, at(402)), hit(1, false));
        assert_eq!(cache.lookup(&key, at(406)), hit(1, true));
    }

    #[test]
    fn strict_entries_are_asked_for_again_after_fresh_and_fall_back_on_failure() {
        let lifetimes = Lifetimes::strict(Span::from_secs(60), Span::from_secs(3600));
        let mut cache = Cache::new(1 << 20, lifetimes, 7);
        let key = Digest::of(b"k");
        cache.store(key, Stored::Present(Rc::new(1)), 8, at(0));
        assert_eq!(cache.lookup(&key, at(29)), hit(1, false));
        assert_eq!(cache.lookup(&key, at(30)), hit(1, true));
        assert_eq!(cache.lookup(&key, at(60)), Lookup::Miss);
        assert_eq!(cache.lookup(&key, at(61)), hit(1, false), "one asks, others are served");
        cache.failed(&key, at(60));
        assert_eq!(cache.lookup(&key, at(64)), hit(1, false), "not asked by each request anew");
        assert_eq!(cache.lookup(&key, at(65)), Lookup::Miss);
        assert_eq!(cache.lookup(&key, at(3600)), Lookup::Miss);
    }

    #[test]
    fn absence_is_believed_for_a_short_time() {
        let (mut cache, key) = (cache(), Digest::of(b"k"));
        cache.store(key, Stored::Absent, 0, at(0));
        assert_eq!(cache.lookup(&key, at(29)), Lookup::Hit { stored: Stored::Absent, refresh: false });
        assert_eq!(cache.lookup(&key, at(30)), Lookup::Miss);
    }

    #[test]
    fn a_malformed_document_never_evicts_a_good_one() {
        let (mut cache, key) = (cache(), Digest::of(b"k"));
        cache.store(key, Stored::Present(Rc::new(1)), 8, at(0));
        cache.store(key, Stored::Malformed, 0, at(400));
        assert_eq!(cache.lookup(&key, at(401)), hit(1, false));
        cache.store(key, Stored::Malformed, 0, at(3600));
        assert_eq!(cache.lookup(&key, at(3601)), Lookup::Hit { stored: Stored::Malformed, refresh: false });
    }

    #[test]
    fn an_answer_that_was_overtaken_is_not_stored() {
        let (mut cache, key) = (cache(), Digest::of(b"k"));
        cache.store(key, Stored::Absent, 0, at(10));
        assert_eq!(cache.store(key, Stored::Present(Rc::new(1)), 8, at(5)), Stored::Absent);
        assert_eq!(cache.lookup(&key, at(11)), Lookup::Hit { stored: Stored::Absent, refresh: false });
    }

    #[test]
    fn removal_at_the_source_replaces_the_value() {
        let (mut cache, key) = (cache(), Digest::of(b"k"));
        cache.store(key, Stored::Present(Rc::new(1)), 8, at(0));
        cache.store(key, Stored::Absent, 0, at(400));
        assert_eq!(cache.lookup(&key, at(401)), Lookup::Hit { stored: Stored::Absent, refresh: false });
    }

    #[test]
    fn a_flood_stays_within_the_budget_and_leaves_known_keys() {
        let lifetimes = Lifetimes::swift(Span::from_secs(300), Span::from_secs(3600));
        let mut cache = Cache::new(64 * 1024, lifetimes, 7);
        let known = Digest::of(b"known");
        cache.store(known, Stored::Present(Rc::new(1)), 8, at(0));
        for junk in 0..50_000u32 {
            let _ = cache.lookup(&known, at(1));
            cache.store(Digest::of(&junk.to_le_bytes()), Stored::Absent, 0, at(1));
            assert!(cache.weight() <= 64 * 1024);
        }
        assert_eq!(cache.lookup(&known, at(2)), hit(1, false));
    }

    proptest! {
        #[test]
        fn with_growing_age_freshness_never_goes_back(fresh in 0u64..1000, stale in 0u64..5000, ages in proptest::collection::vec(0u64..6000, 2..20)) {
            let (fresh, stale) = (Span::from_secs(fresh), Span::from_secs(stale));
            let mut ages = ages;
            ages.sort_unstable();
            for lifetimes in [Lifetimes::strict(fresh, stale), Lifetimes::swift(fresh, stale)] {
                let states: Vec<_> = ages.iter().map(|age| lifetimes.state(Span::from_secs(*age))).collect();
                prop_assert!(states.is_sorted(), "{states:?}");
            }
        }
    }
}
