//! The state machine of one entry: what may be done with it, who loads it, who waits for that, and how long a source
//! that failed is left alone (words as in RFC 5861).
//!
//! It holds plain values and times; who began a load may be gone before it ends, so nothing here is a flag that
//! somebody must come back to clear. A [`Slot`] is one entry by itself; [`Cache`](super::cache::Cache) is a bounded map
//! of entries. Both go by the functions of [`Entry`].

use std::{cell::Cell, rc::Rc};

use crate::{
    base::{
        digest::Digest,
        freshness::{Freshness, NEGATIVE_FRESH, Policy},
        time::Timestamp,
    },
    state::seeded_hash::SeededHash,
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

impl<T> Stored<T> {
    /// The same where it is known that there is something: where nothing was found, what there is cannot be used.
    #[must_use]
    pub fn never_absent(self) -> Self {
        match self {
            Self::Absent => Self::Malformed,
            there => there,
        }
    }
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
pub enum Lease {
    /// The caller, who now holds the lease.
    Acquired,
    /// Somebody else, at the latest until this instant.
    HeldUntil(Timestamp),
}

/// What is known of an entry.
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
    Load(Lease),
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

/// A load that failed.
pub(super) struct Failure {
    pub(super) asked_at: Timestamp,
    pub(super) now: Timestamp,
    /// Whether the source is left alone also by those who have nothing else.
    pub(super) also_when_empty: bool,
}

/// What loads have left. Without `stored`, all that is known is that the source failed.
pub(super) struct Entry<T> {
    stored: Option<Stored<T>>,
    asked_at: Timestamp,
    as_of: Timestamp,
    weight: u64,
    failures: Cell<u32>,
    retry_at: Cell<Timestamp>,
    /// Whether the source is left alone until then also by those who have nothing else.
    blocks_cold_loads: Cell<bool>,
}

/// What may be done at `now` with an entry, where there is one. `failed` where the request has tried to load it in
/// vain: then it is given what there is, and loads nothing more. `acquire_lease` takes the lease on loading it, or says until
/// when somebody else holds it.
pub(super) fn look_up<T>(
    entry: Option<&Entry<T>>,
    policy: &Policy,
    now: Timestamp,
    failed: bool,
    claim: impl Fn() -> Lease,
) -> Lookup<T> {
    let blocked = entry.is_some_and(|entry| entry.blocks_cold_loads.get());
    let paused = entry.is_some_and(|entry| now < entry.retry_at.get());
    let stored =
        entry.and_then(|entry| entry.stored.as_ref().map(|stored| (stored, entry.freshness(policy, now))));
    match stored {
        Some((stored, Freshness::Fresh)) => Lookup::Hit { stored: stored.clone(), refresh: false },
        Some((stored, Freshness::Revalidate)) => {
            let refresh = !failed && !paused && claim() == Lease::Acquired;
            Lookup::Hit { stored: stored.clone(), refresh }
        }
        // One asks. Others are served meanwhile, and for a while after it failed: a source that
        // hangs must not hold up everybody whom it once vouched for.
        Some((stored, Freshness::OnlyIfError)) => {
            if failed || paused || claim() != Lease::Acquired {
                Lookup::Hit { stored: stored.clone(), refresh: false }
            } else {
                Lookup::Load(Lease::Acquired)
            }
        }
        Some((_, Freshness::Expired)) | None if failed || (paused && blocked) => Lookup::Unavailable,
        Some((_, Freshness::Expired)) | None => Lookup::Load(claim()),
    }
}

impl<T> Entry<T> {
    /// What stands there after a load, or what stays there instead: the load may have been overtaken by one
    /// that began later.
    pub(super) fn after_load(
        before: Option<&Self>,
        loaded: Loaded<T>,
        policy: &Policy,
        salt: impl FnOnce() -> u64,
    ) -> Result<Self, Stored<T>> {
        if let Some(Self { stored: Some(newer), asked_at, .. }) = before
            && *asked_at > loaded.asked_at
        {
            return Err(newer.clone());
        }
        // A document that cannot be read never evicts one that can: whoever broke it will mend it.
        if matches!(loaded.stored, Stored::Malformed)
            && let Some(before) = before
            && let Some(good) = before.usable(policy, loaded.asked_at)
        {
            before.note_failure(policy, salt(), loaded.asked_at);
            return Err(good);
        }
        Ok(Self {
            stored: Some(loaded.stored),
            asked_at: loaded.asked_at,
            as_of: loaded.as_of,
            weight: u64::try_from(loaded.weight).unwrap_or(u64::MAX),
            failures: Cell::new(0),
            retry_at: Cell::default(),
            blocks_cold_loads: Cell::new(false),
        })
    }

    /// What is stored, however old.
    pub(super) const fn stored(&self) -> Option<&Stored<T>> {
        self.stored.as_ref()
    }

    /// What a load that failed leaves: what is stored stays, and the source is left alone a while. An entry where none
    /// was, that says nothing but this.
    pub(super) fn after_failure(
        before: Option<&Self>,
        failure: Failure,
        policy: &Policy,
        salt: u64,
    ) -> Option<Self> {
        let Failure { asked_at, now, also_when_empty } = failure;
        if let Some(before) = before {
            if before.asked_at <= asked_at {
                before.note_failure(policy, salt, now);
                before.blocks_cold_loads.set(also_when_empty);
            }
            return None;
        }
        if !also_when_empty {
            return None;
        }
        let entry = Self {
            stored: None,
            asked_at: now,
            as_of: now,
            weight: 0,
            failures: Cell::new(0),
            retry_at: Cell::default(),
            blocks_cold_loads: Cell::new(true),
        };
        entry.note_failure(policy, salt, now);
        Some(entry)
    }

    fn note_failure(&self, policy: &Policy, salt: u64, now: Timestamp) {
        let failures = self.failures.get().saturating_add(1);
        self.failures.set(failures);
        let salt = salt.wrapping_mul(u64::from(failures));
        self.retry_at.set(now.plus(policy.back_off.pause(failures, salt)));
    }

    fn freshness(&self, policy: &Policy, now: Timestamp) -> Freshness {
        let lifetimes = &policy.lifetimes;
        match self.stored {
            Some(Stored::Present(_)) => lifetimes.state(now.since(self.as_of)),
            // Short-lived and never served stale: what was missing may have been added since.
            Some(Stored::Absent | Stored::Malformed)
                if now.since(self.as_of) < NEGATIVE_FRESH.min(lifetimes.fresh) =>
            {
                Freshness::Fresh
            }
            Some(Stored::Absent | Stored::Malformed) | None => Freshness::Expired,
        }
    }

    fn usable(&self, policy: &Policy, now: Timestamp) -> Option<Stored<T>> {
        let stored = self.stored.as_ref().filter(|stored| matches!(stored, Stored::Present(_)))?;
        (self.freshness(policy, now) < Freshness::Expired).then(|| stored.clone())
    }

    /// Whether the source ever answered.
    pub(super) const fn is_answered(&self) -> bool {
        self.stored.is_some()
    }

    /// The value, however old.
    pub(super) fn value(&self) -> Option<Rc<T>> {
        match self.stored.as_ref()? {
            Stored::Present(value) => Some(Rc::clone(value)),
            Stored::Absent | Stored::Malformed => None,
        }
    }

    /// When the value was known to be so, where it may still be used.
    pub(super) fn as_of(&self, policy: &Policy, now: Timestamp) -> Option<Timestamp> {
        (self.freshness(policy, now) < Freshness::Expired).then_some(self.as_of)
    }

    /// When the value was known to be so, however old.
    pub(super) fn peek_as_of(&self) -> Option<Timestamp> {
        self.stored.as_ref().map(|_| self.as_of)
    }

    /// When the load began that brought it.
    pub(super) const fn asked_at(&self) -> Timestamp {
        self.asked_at
    }

    /// Failures in a row, and until when the source is left alone for them.
    pub(super) const fn failures(&self) -> (u32, Timestamp) {
        (self.failures.get(), self.retry_at.get())
    }

    /// The value's size in bytes.
    pub(super) const fn weight(&self) -> u64 {
        self.weight
    }
}

/// Whether a lease that ends at `until` may be the one that was taken at `asked_at`: else somebody has taken it over.
pub(super) fn is_lease_of(until: Timestamp, asked_at: Timestamp, policy: &Policy) -> bool {
    until <= asked_at.plus(policy.lease)
}

/// One entry by itself, whose size somebody else bounds.
pub struct Slot<T> {
    entry: Option<Entry<T>>,
    /// The end of the lease of the load under way. Beside the entry, since what is loaded may have none.
    lease: Cell<Option<Timestamp>>,
    policy: Policy,
    salt: u64,
}

impl<T> Slot<T> {
    /// An empty one. `name` and `seed` set its pauses apart from those of others, and of other isolates.
    #[must_use]
    pub fn new(name: &str, policy: Policy, seed: u64) -> Self {
        let salt = SeededHash::new(seed).salt(&Digest::of(name.as_bytes()));
        Self { entry: None, lease: Cell::default(), policy, salt }
    }

    /// What may be done with it at the time `now`. `failed` where this request has tried to load it in vain: then it
    /// is given what there is, and loads nothing more.
    #[must_use]
    pub fn lookup(&self, now: Timestamp, failed: bool) -> Lookup<T> {
        look_up(self.entry.as_ref(), &self.policy, now, failed, || self.acquire_lease(now))
    }

    /// Whether a load is under way that a caller can count on.
    #[must_use]
    pub fn is_loading(&self, now: Timestamp) -> bool {
        self.lease.get().is_some_and(|until| now < until)
    }

    /// Takes the lease on loading it, or says until when somebody else holds it.
    #[must_use]
    pub fn acquire_lease(&self, now: Timestamp) -> Lease {
        match self.lease.get() {
            Some(until) if now < until => Lease::HeldUntil(until),
            _ => {
                self.lease.set(Some(now.plus(self.policy.lease)));
                Lease::Acquired
            }
        }
    }

    /// Ends a load with what it brought, and says what counts now. A load that was overtaken by one that began later
    /// is not stored.
    pub fn store(&mut self, loaded: Loaded<T>) -> Stored<T> {
        self.end_lease(loaded.asked_at);
        let stored = loaded.stored.clone();
        match Entry::after_load(self.entry.as_ref(), loaded, &self.policy, || self.salt) {
            Ok(entry) => {
                self.entry = Some(entry);
                stored
            }
            Err(kept) => kept,
        }
    }

    /// Ends a load, begun at `asked_at`, that failed: what is stored stays, and the source is left alone a while, also
    /// by those who have nothing else.
    pub fn fail(&mut self, asked_at: Timestamp, now: Timestamp) {
        self.end_lease(asked_at);
        let failure = Failure { asked_at, now, also_when_empty: true };
        if let Some(entry) = Entry::after_failure(self.entry.as_ref(), failure, &self.policy, self.salt) {
            self.entry = Some(entry);
        }
    }

    /// Notes that the source answers, where nothing is stored: it need not be left alone any longer.
    pub fn succeed(&mut self) {
        if self.entry.as_ref().is_some_and(|entry| entry.stored.is_none()) {
            self.entry = None;
        }
    }

    /// Ends the lease of the load that began at `asked_at`, unless somebody has taken it over.
    fn end_lease(&self, asked_at: Timestamp) {
        if self.lease.get().is_some_and(|until| is_lease_of(until, asked_at, &self.policy)) {
            self.lease.set(None);
        }
    }

    /// When the value was known to be so, where there is one that may still be used.
    #[must_use]
    pub fn as_of(&self, now: Timestamp) -> Option<Timestamp> {
        self.entry.as_ref()?.as_of(&self.policy, now)
    }

    /// The value, however old.
    #[must_use]
    pub fn peek(&self) -> Option<Rc<T>> {
        self.entry.as_ref()?.value()
    }

    /// When the value was known to be so, however old.
    #[must_use]
    pub fn peek_as_of(&self) -> Option<Timestamp> {
        self.entry.as_ref()?.peek_as_of()
    }

    /// Failures in a row, and until when the source is left alone for them.
    #[must_use]
    pub fn failures(&self) -> (u32, Timestamp) {
        self.entry.as_ref().map_or_else(Default::default, Entry::failures)
    }
}
