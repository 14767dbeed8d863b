//! An isolate's copy of the directory: shards that it has loaded, the changes over them, and how old all that is.
//!
//! A plain state machine: it is given heads, segments and shards, and says what it is missing. Who fetches what, and when,
//! is the loader's. Within an epoch nothing goes back: a location may hold a head, or a shard, that is older than what was
//! heard before.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hasher},
};

use crate::{
    base::time::{Span, Timestamp},
    directory::{
        log::{Change, Complete, Epoch, Head, Manifest, Revision, Segment, ShardRef},
        pace::{Asking, Dice, Pace, TRAFFIC},
        record_key::{Kind, RecordKey},
        row::Row,
        shard::{Shard, in_force},
    },
};

#[cfg(test)]
mod tests;

/// A clock may be this far ahead of another; a head from later than that is no answer.
const FUTURE: Span = Span::from_secs(1);
/// More changes than this over a shard, and the newer one is loaded.
const MANY_CHANGES: usize = 16_384;
/// Of more changes at once it is not told apart what they changed.
const MANY_MOVED: usize = 512;
/// Further behind than this, shards bring the log's past quicker than its segments.
const FAR_BEHIND: Revision = 4096;
/// A load of a shard that nothing was heard of holds others up no longer.
const LOAD_LEASE: Span = Span::from_secs(5);
/// A shard that could not be had is left alone this long.
const SHARD_PAUSE: Span = Span::from_secs(30);
/// A request takes over from one that has gone on polling for so long.
const TAKE_OVER: Span = Span::from_secs(5);
/// A poll that nothing was heard of holds others up no longer.
const POLL_LEASE: Span = Span::from_secs(1);
/// After a poll that failed the next one is this much later; twice as long after each further one, up to sixteen times.
const POLL_PAUSE: Span = Span::from_millis(500);

/// How a follower follows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Follow {
    /// How old its copy may be.
    pub pace: Pace,
    /// Bytes of shards that it may hold.
    pub budget: usize,
    /// Whether the last state counts on while the ledger is silent.
    pub open: bool,
}

/// How a head was come by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Heard {
    /// From the ledger itself, which was asked at that time of this isolate's clock.
    Ledger {
        /// When it was asked.
        asked_at: Timestamp,
    },
    /// From a cache, so that it is as old as it says itself.
    Cache,
}

/// What came of a head or a segment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Taken {
    /// It counts.
    Applied,
    /// It is older than what is known, or from the future.
    Ignored,
    /// There are changes between: the segment that begins with this revision is needed.
    Behind(Revision),
    /// It cannot be read.
    Unreadable,
}

/// What is known of a record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Found {
    /// This.
    Row(Row),
    /// It was there and was removed.
    Removed,
    /// It is not there.
    Absent,
    /// The shard of this prefix must be loaded first.
    NotLoaded(u32),
    /// The shard cannot be had.
    Unreadable,
}

/// Whether the copy may answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Currency {
    /// It is young enough.
    Current,
    /// The ledger must be asked first.
    TooOld,
    /// The ledger does not answer; the last state counts.
    Silent,
    /// The ledger does not answer, and nothing counts.
    Closed,
    /// Nothing was ever heard, and the ledger does not answer.
    Unknown,
}

struct LoadedShard {
    revision: Revision,
    shard: Shard,
}

/// A place for a shard.
#[derive(Default)]
struct Slot {
    loaded: Option<LoadedShard>,
    /// Nobody loads it before that.
    not_before: Timestamp,
    failed: bool,
}

struct Latest {
    revision: Revision,
    row: Option<Row>,
}

/// The copy of one isolate.
pub struct Follower {
    follow: Follow,
    dice: Dice,
    asking: Asking,
    /// `None` before the first head.
    known_at: Option<Timestamp>,
    epoch: Epoch,
    /// All changes up to here are known.
    revision: Revision,
    /// The ledger's own time of what is known.
    as_of: Timestamp,
    manifest: Manifest,
    slots: Vec<Slot>,
    tokens: Slot,
    /// Whether any token was ever revoked, as far as is known.
    has_tokens: bool,
    /// Counts what is heard of revoked tokens, from 1 on.
    tokens_heard: u64,
    /// The store has no word of the ledger's: there was none yet that revoked anything.
    has_no_tail: bool,
    changes: HashMap<RecordKey, Latest, ByDigest>,
    /// A head that does not join on yet.
    ahead: Option<(Head, Heard)>,
    next_poll: Option<Timestamp>,
    polling_until: Timestamp,
    /// The lease was taken by a request when it was decided; what works behind its response has it.
    lease_handed_on: bool,
    /// When whoever goes on polling began to.
    polling_since: Timestamp,
    /// When the last two requests came.
    requests: [Timestamp; 2],
    failures: u32,
    clock_ahead: Option<i64>,
    /// What has changed since somebody last took it out of here; `None` where everything may have.
    moved: Option<Vec<Change>>,
}

impl Follower {
    /// A follower that has heard nothing. `seed` is random, so that it polls at another instant than its neighbours.
    #[must_use]
    pub fn new(follow: Follow, seed: u64) -> Self {
        Self {
            follow,
            dice: Dice::new(seed),
            asking: Asking::default(),
            known_at: None,
            epoch: Epoch::default(),
            revision: 0,
            as_of: Timestamp::default(),
            manifest: Manifest::default(),
            slots: Vec::new(),
            tokens: Slot::default(),
            has_tokens: false,
            tokens_heard: 1,
            has_no_tail: false,
            changes: HashMap::with_hasher(ByDigest),
            ahead: None,
            next_poll: None,
            polling_until: Timestamp::default(),
            lease_handed_on: false,
            polling_since: Timestamp::default(),
            requests: [Timestamp::default(); 2],
            failures: 0,
            clock_ahead: None,
            moved: None,
        }
    }

    /// How it follows.
    #[must_use]
    pub const fn follow(&self) -> &Follow {
        &self.follow
    }

    /// Of which database it follows the log.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The last change that it knows.
    #[must_use]
    pub const fn revision(&self) -> Revision {
        self.revision
    }

    /// Since when it is known that this is so; `None` before the first head.
    #[must_use]
    pub const fn known_at(&self) -> Option<Timestamp> {
        self.known_at
    }

    /// The ledger's own time of what is known.
    #[must_use]
    pub const fn as_of(&self) -> Timestamp {
        self.as_of
    }

    /// Of what it holds everything.
    #[must_use]
    pub const fn complete(&self) -> Complete {
        self.manifest.complete
    }

    /// Whether everything of this kind is held, once its shards are loaded.
    #[must_use]
    pub const fn is_complete(&self, kind: Kind) -> bool {
        match kind {
            Kind::ApiKey => self.manifest.complete.keys,
            Kind::Customer => self.manifest.complete.customers,
            Kind::Token => true,
        }
    }

    /// Whether the copy may answer at `now`. While the ledger is silent, the last state counts for `stale`.
    #[must_use]
    pub fn currency(&self, now: Timestamp, stale: Span) -> Currency {
        let Some(known_at) = self.known_at else {
            return if self.is_silent(now) { Currency::Unknown } else { Currency::TooOld };
        };
        let age = now.since(known_at);
        if age <= self.follow.pace.limit() {
            Currency::Current
        } else if !self.is_silent(now) {
            Currency::TooOld
        } else if self.follow.open && age <= stale {
            Currency::Silent
        } else {
            Currency::Closed
        }
    }

    fn is_silent(&self, now: Timestamp) -> bool {
        self.failures > 0 && self.next_poll.is_some_and(|at| now < at)
    }

    /// Notes that a request came, and says whether there is work behind its response: a poll is due that nobody makes, for
    /// which the request then has the lease; or it takes over from the request that goes on polling, since what works
    /// behind a response ends some time after it.
    pub fn note_request(&mut self, now: Timestamp) -> bool {
        self.requests = [now, self.requests[0]];
        let polls = self.is_due(now) && self.begin_poll(now);
        self.lease_handed_on |= polls;
        polls || (now.since(self.polling_since) >= TAKE_OVER && self.next_poll_in_traffic(now).is_some())
    }

    /// Notes that somebody goes on polling from now on, in place of whoever did before.
    pub const fn begin_to_keep_polling(&mut self, now: Timestamp) {
        self.polling_since = now;
    }

    /// Since when whoever goes on polling does.
    #[must_use]
    pub const fn polling_since(&self) -> Timestamp {
        self.polling_since
    }

    fn is_due(&self, now: Timestamp) -> bool {
        self.next_poll.is_some_and(|at| now >= at)
    }

    /// Whether whoever works behind a response polls: by the lease that its request took, or by a new one.
    pub fn take_due_poll(&mut self, now: Timestamp) -> bool {
        std::mem::take(&mut self.lease_handed_on) || (self.is_due(now) && self.begin_poll(now))
    }

    /// Whether whoever waits for the head polls. The lease that a request took for later is used now: that request may be
    /// the one that waits.
    pub fn take_poll(&mut self, now: Timestamp) -> bool {
        std::mem::take(&mut self.lease_handed_on) || self.begin_poll(now)
    }

    /// How long until the next poll, where the last two requests make it likely that there is a next one. While somebody else
    /// polls, that is when they are done at the latest: a wait of no time would be one turn after another.
    #[must_use]
    pub fn next_poll_in_traffic(&self, now: Timestamp) -> Option<Span> {
        let [last, before] = self.requests;
        let is_traffic = last.since(before) <= TRAFFIC && now.since(last) <= TRAFFIC;
        self.next_poll.filter(|_| is_traffic).map(|at| at.max(self.polling_until).since(now))
    }

    /// Takes the one poll that may be under way; false where somebody else has it.
    pub fn begin_poll(&mut self, now: Timestamp) -> bool {
        let free = now >= self.polling_until;
        if free {
            self.polling_until = now.plus(POLL_LEASE);
        }
        free
    }

    /// Until when somebody else polls, at the latest.
    #[must_use]
    pub fn is_polling_until(&self, now: Timestamp) -> Option<Timestamp> {
        (now < self.polling_until).then_some(self.polling_until)
    }

    /// Notes that a poll brought nothing.
    pub fn poll_failed(&mut self, now: Timestamp) {
        self.polling_until = Timestamp::default();
        let pause = POLL_PAUSE.millis() << self.failures.min(4);
        self.failures = self.failures.saturating_add(1);
        self.next_poll = Some(now.plus(Span::from_millis(pause + self.dice.below(pause / 2 + 1))));
    }

    /// Takes what a poll brought at `now`.
    pub fn take_head(&mut self, bytes: &[u8], heard: Heard, now: Timestamp) -> Taken {
        let Some(head) = Head::decode(bytes) else { return Taken::Unreadable };
        if heard == Heard::Cache && head.as_of > now.plus(FUTURE) {
            return Taken::Ignored;
        }
        if self.known_at.is_none() {
            self.begin_anew(&head);
        } else if head.epoch != self.epoch {
            // The ledger itself says which database is its own. What a location has kept may be yesterday's.
            if heard == Heard::Cache && head.as_of <= self.as_of {
                return Taken::Ignored;
            }
            self.begin_anew(&head);
        } else if head.revision < self.revision || head.as_of < self.as_of {
            return Taken::Ignored;
        } else if head.first > self.revision.saturating_add(FAR_BEHIND)
            && baseline(&head.manifest) > self.revision
        {
            self.begin_anew(&head);
        }
        self.advance(head, heard, now)
    }

    /// Takes a segment of the log.
    pub fn take_segment(&mut self, bytes: &[u8], now: Timestamp) -> Taken {
        let Some(segment) = Segment::decode(bytes) else { return Taken::Unreadable };
        let next = self.revision.saturating_add(1);
        let end = segment.first.saturating_add(segment.changes.len() as u64);
        if segment.epoch != self.epoch || !(segment.first..end).contains(&next) {
            return Taken::Ignored;
        }
        self.apply(segment.first, segment.changes);
        match self.ahead.take() {
            Some((head, heard)) => self.advance(head, heard, now),
            None => Taken::Applied,
        }
    }

    /// Gives up on the log's past where a segment of it cannot be had: all that is known is what shards and head say.
    /// False where they have a gap themselves.
    pub fn skip_to_shards(&mut self, now: Timestamp) -> bool {
        let Some((head, heard)) = self.ahead.take() else { return false };
        self.begin_anew(&head);
        matches!(self.advance(head, heard, now), Taken::Applied)
    }

    fn advance(&mut self, head: Head, heard: Heard, now: Timestamp) -> Taken {
        if head.first > self.revision.saturating_add(1) {
            self.ahead = Some((head, heard));
            return Taken::Behind(Segment::first_of(self.revision.saturating_add(1)));
        }
        let at = match heard {
            Heard::Ledger { asked_at } => {
                let [theirs, ours] =
                    [head.as_of, now].map(|time| i64::try_from(time.millis()).unwrap_or(i64::MAX));
                self.clock_ahead = Some(theirs.saturating_sub(ours));
                asked_at
            }
            Heard::Cache => head.as_of.min(now),
        };
        self.known_at = Some(self.known_at.map_or(at, |before| before.max(at)));
        self.as_of = head.as_of;
        self.apply(head.first, head.changes);
        self.take_manifest(head.manifest);
        self.failures = 0;
        self.polling_until = Timestamp::default();
        self.next_poll = self.follow.pace.next_poll(head.pace, &mut self.dice).map(|span| now.plus(span));
        Taken::Applied
    }

    /// Forgets everything: what this head's shards hold is where the log begins.
    fn begin_anew(&mut self, head: &Head) {
        self.epoch = head.epoch;
        self.revision = baseline(&head.manifest);
        self.as_of = Timestamp::default();
        self.slots.clear();
        self.tokens = Slot::default();
        self.has_tokens = false;
        self.tokens_heard += 1;
        self.changes.clear();
        self.ahead = None;
        self.manifest = Manifest::default();
        self.moved = None;
        self.asking.log_moved();
    }

    fn apply(&mut self, first: Revision, changes: Vec<Change>) {
        for (change, revision) in changes.into_iter().zip(first..) {
            if revision <= self.revision {
                continue;
            }
            self.revision = revision;
            self.asking.log_moved();
            if change.key.kind == Kind::Token {
                self.has_tokens = true;
                self.tokens_heard += 1;
            }
            match &mut self.moved {
                Some(moved) if moved.len() < MANY_MOVED => moved.push(change.clone()),
                _ => self.moved = None,
            }
            // What the ledger said of this record by itself may be newer than the log so far.
            if self.changes.get(&change.key).is_none_or(|latest| latest.revision < revision) {
                self.changes.insert(change.key, Latest { revision, row: change.row });
            }
        }
    }

    fn take_manifest(&mut self, manifest: Manifest) {
        if manifest.shards.len() != self.slots.len() || manifest.prefix_bits != self.manifest.prefix_bits {
            self.slots = manifest.shards.iter().map(|_| Slot::default()).collect();
        }
        let (known, slots, tokens) = (&self.manifest, &mut self.slots, &mut self.tokens);
        let moved = known.shards != manifest.shards || known.tokens != manifest.tokens;
        for (index, slot) in slots.iter_mut().enumerate().filter(|_| moved) {
            slot.failed &= known.shards.get(index) == manifest.shards.get(index);
        }
        tokens.failed &= !moved;
        if !self.has_tokens && manifest.tokens.is_some() {
            self.has_tokens = true;
            self.tokens_heard += 1;
        }
        self.manifest = manifest;
        if moved {
            self.forget_what_shards_hold();
        }
    }

    /// A change counts only above the revision of the shard that it meets; below, the shard has it.
    fn forget_what_shards_hold(&mut self) {
        let Self { manifest, slots, tokens, changes, .. } = self;
        let held = |slot: &Slot, named: Option<&ShardRef>| match &slot.loaded {
            Some(loaded) => loaded.revision,
            None => named.map_or(0, |shard| shard.revision),
        };
        changes.retain(|key, latest| {
            let holds = match key.kind {
                Kind::Token => held(tokens, manifest.tokens.as_ref()),
                Kind::ApiKey | Kind::Customer => {
                    let prefix = key.prefix(manifest.prefix_bits) as usize;
                    slots.get(prefix).map_or(0, |slot| held(slot, manifest.shards.get(prefix)))
                }
            };
            latest.revision > holds
        });
    }

    /// What is known of a record at `now`. `name` is a customer's id.
    #[must_use]
    pub fn find(&self, key: &RecordKey, name: &str, now: Timestamp) -> Found {
        let found = |row| in_force(row, now).map_or(Found::Absent, Found::Row);
        if let Some(latest) = self.changes.get(key) {
            return latest.row.clone().map_or(Found::Removed, found);
        }
        let (slot, prefix) = match key.kind {
            Kind::Token if self.manifest.tokens.is_none() => return Found::Absent,
            Kind::Token => (Some(&self.tokens), TOKENS),
            Kind::ApiKey | Kind::Customer => {
                let prefix = key.prefix(self.manifest.prefix_bits);
                (self.slots.get(prefix as usize), prefix)
            }
        };
        match slot {
            // There are no shards yet.
            None => Found::Absent,
            Some(Slot { loaded: Some(LoadedShard { shard, .. }), .. }) => {
                shard.find(key, name).map_or(Found::Absent, found)
            }
            Some(Slot { failed: true, not_before, .. }) if now < *not_before => Found::Unreadable,
            Some(_) if prefix != TOKENS && prefix as usize >= self.capacity() => Found::Unreadable,
            Some(_) => Found::NotLoaded(prefix),
        }
    }

    /// Whether the revocations of tokens are loaded: [`Found::Absent`] where they are, or where there are none.
    #[must_use]
    pub fn tokens(&self, now: Timestamp) -> Found {
        match &self.tokens {
            _ if self.manifest.tokens.is_none() => Found::Absent,
            Slot { loaded: Some(_), .. } => Found::Absent,
            Slot { failed: true, not_before, .. } if now < *not_before => Found::Unreadable,
            Slot { .. } => Found::NotLoaded(TOKENS),
        }
    }

    /// How many shards fit into the budget. The others are asked for where every record was before there was a directory:
    /// to load them in turns would be a megabyte for each record.
    #[must_use]
    pub fn capacity(&self) -> usize {
        let largest = self.manifest.shards.iter().map(|shard| shard.size as usize).max().unwrap_or(0);
        self.follow.budget.checked_div(largest).unwrap_or(usize::MAX)
    }

    /// A shard to load: one that is missing, that very many changes stand over, or that holds what the log never had. The
    /// caller has the lease on it.
    pub fn begin_load(&mut self, now: Timestamp) -> Option<u32> {
        let capacity = self.capacity();
        let many = self.changes.len() >= MANY_CHANGES;
        let wanted = |slot: &Slot, named: &ShardRef, has_more: bool| match &slot.loaded {
            None => true,
            Some(loaded) => (many || has_more) && loaded.revision < named.revision,
        };
        if let Some(named) = self.manifest.tokens
            && now >= self.tokens.not_before
            && wanted(&self.tokens, &named, false)
        {
            self.tokens.not_before = now.plus(LOAD_LEASE);
            return Some(TOKENS);
        }
        let (changes, bits) = (&self.changes, self.manifest.prefix_bits);
        let has_more = |prefix: usize, named: &ShardRef| {
            let reload = Change::reload_of(u32::try_from(prefix).unwrap_or_default(), bits);
            changes.get(&reload.key).is_some_and(|latest| latest.revision <= named.revision)
        };
        let named = self.manifest.shards.iter();
        let (prefix, (slot, _)) =
            self.slots.iter_mut().zip(named).take(capacity).enumerate().find(|(prefix, (slot, named))| {
                now >= slot.not_before && wanted(slot, named, has_more(*prefix, named))
            })?;
        slot.not_before = now.plus(LOAD_LEASE);
        u32::try_from(prefix).ok()
    }

    /// Whether a shard is missing that fits into the budget and that nobody loads.
    #[must_use]
    pub fn is_missing(&self, now: Timestamp) -> bool {
        let slots = self.slots.iter().take(self.capacity());
        slots.into_iter().any(|slot| slot.loaded.is_none() && now >= slot.not_before)
    }

    /// Takes the lease on loading this shard; false where somebody else has it.
    pub fn begin_load_of(&mut self, prefix: u32, now: Timestamp) -> bool {
        let Some(slot) = self.slot(prefix) else { return false };
        let free = now >= slot.not_before;
        if free {
            slot.not_before = now.plus(LOAD_LEASE);
        }
        free
    }

    fn slot(&mut self, prefix: u32) -> Option<&mut Slot> {
        if prefix == TOKENS { Some(&mut self.tokens) } else { self.slots.get_mut(prefix as usize) }
    }

    /// Which immutable value holds this shard: its name in KV, and what the manifest says of it.
    #[must_use]
    pub fn named(&self, prefix: u32) -> Option<(String, ShardRef)> {
        if prefix == TOKENS {
            let shard = self.manifest.tokens?;
            return Some((shard.tokens_name(self.epoch), shard));
        }
        let shard = *self.manifest.shards.get(prefix as usize)?;
        Some((shard.name(self.epoch, prefix, self.manifest.prefix_bits), shard))
    }

    /// Takes a shard's bytes, whose digest was compared with the manifest's; `None` where they could not be had. False
    /// where it does not count: another one is named by now, or it cannot be read.
    pub fn take_shard(
        &mut self,
        prefix: u32,
        named: &ShardRef,
        bytes: Option<Vec<u8>>,
        now: Timestamp,
    ) -> bool {
        let is_named = self.named(prefix).is_some_and(|(_, current)| current == *named);
        let bits = if prefix == TOKENS { 0 } else { self.manifest.prefix_bits };
        let Some(slot) = self.slot(prefix) else { return false };
        if !is_named {
            slot.not_before = Timestamp::default();
            return false;
        }
        match bytes.and_then(|bytes| Shard::parse(bytes, bits)) {
            Some(shard) => {
                let revision = named.revision;
                let before = slot.loaded.replace(LoadedShard { revision, shard });
                (slot.not_before, slot.failed) = (Timestamp::default(), false);
                // It may say what the log never did.
                if before.is_some() {
                    self.moved = None;
                }
                self.forget_what_shards_hold();
                true
            }
            None => {
                slot.not_before = now.plus(SHARD_PAUSE);
                slot.failed = slot.loaded.is_none();
                false
            }
        }
    }

    /// Polls that failed since the last one that did not.
    #[must_use]
    pub const fn failures(&self) -> u32 {
        self.failures
    }

    /// By how many milliseconds the ledger's clock was ahead of this isolate's when it was last asked; at least, since the
    /// answer took a while.
    #[must_use]
    pub const fn clock_ahead(&self) -> Option<i64> {
        self.clock_ahead
    }

    /// Whether tokens may have been revoked, so that they are looked up.
    #[must_use]
    pub const fn has_tokens(&self) -> bool {
        self.has_tokens
    }

    /// Whether anything has changed since [`Follower::take_moved`].
    #[must_use]
    pub fn has_moved(&self) -> bool {
        self.moved.as_ref().is_none_or(|moved| !moved.is_empty())
    }

    /// Which state of the revocations of tokens this is: another number after each change.
    #[must_use]
    pub const fn tokens_heard(&self) -> u64 {
        self.tokens_heard
    }

    /// Notes that the ledger left nothing in the store, which it does when it has said anything.
    pub const fn note_no_tail(&mut self) {
        self.has_no_tail = true;
    }

    /// Whether nothing was ever heard of a ledger, neither by itself nor by the store.
    #[must_use]
    pub const fn has_no_tail(&self) -> bool {
        self.has_no_tail
    }

    /// What has changed since this was last called; `None` where everything may have.
    pub fn take_moved(&mut self) -> Option<Vec<Change>> {
        self.moved.replace(Vec::new())
    }

    /// When one may ask the ledger about records that are not there.
    pub const fn asking(&mut self) -> &mut Asking {
        &mut self.asking
    }

    /// Takes what the ledger said of one record as of a revision: it counts at once, before the log comes to it.
    pub fn take_answer(&mut self, change: Change, revision: Revision, epoch: Epoch) {
        // At the same revision the ledger can still know more: a row that waits for its shard.
        if epoch != self.epoch || revision < self.revision {
            return;
        }
        if self.changes.get(&change.key).is_some_and(|latest| latest.revision >= revision) {
            return;
        }
        if let Some(moved) = &mut self.moved {
            moved.push(change.clone());
        }
        self.changes.insert(change.key, Latest { revision, row: change.row });
    }

    /// Bytes of shards that it holds.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.slots
            .iter()
            .chain([&self.tokens])
            .filter_map(|slot| Some(slot.loaded.as_ref()?.shard.weight()))
            .sum()
    }

    /// How many shards are loaded, and how many there are.
    #[must_use]
    pub fn loaded(&self) -> (usize, usize) {
        (self.slots.iter().filter(|slot| slot.loaded.is_some()).count(), self.slots.len())
    }

    /// How many changes stand over the shards.
    #[must_use]
    pub fn pending_changes(&self) -> usize {
        self.changes.len()
    }
}

/// Hashes a record's key by a part of its digest, which is a hash already. Only what the ledger holds stands in the map, so
/// nobody gains by names that collide.
#[derive(Clone, Copy, Default)]
struct ByDigest;

struct DigestPart(u64);

impl BuildHasher for ByDigest {
    type Hasher = DigestPart;

    fn build_hasher(&self) -> DigestPart {
        DigestPart(0)
    }
}

impl Hasher for DigestPart {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(part) = bytes.last_chunk::<8>() {
            self.0 ^= u64::from_le_bytes(*part);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Stands for the one shard with the revocations of tokens.
pub const TOKENS: u32 = u32::MAX;

/// Up to which change all shards hold everything.
fn baseline(manifest: &Manifest) -> Revision {
    manifest.shards.iter().chain(&manifest.tokens).map(|shard| shard.revision).min().unwrap_or(0)
}
