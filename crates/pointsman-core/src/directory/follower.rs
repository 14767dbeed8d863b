//! An isolate's copy of the directory: shards that it has loaded, the changes over them, and how old all that is.
//!
//! A plain state machine: it is given heads, segments and shards, and says what it is missing. Who fetches what, and when,
//! is the loader's. Within an epoch nothing goes back: a location may hold a head, or a shard, that is older than what was
//! heard before.

use self::{
    changes::Changes,
    kept::{Kept, Said},
    room::{Passages, Room},
    shards::{LoadedShard, Slot},
};
use crate::{
    base::time::Timestamp,
    directory::{
        log::{Change, Complete, Epoch, FORMAT, Head, Manifest, Revision},
        pace::{Asking, Dice, Pace},
        record_key::{Kind, RecordKey},
        row::{Row, Usable},
        shard::in_force,
    },
};

mod changes;
mod kept;
mod polling;
mod room;
mod shards;
#[cfg(test)]
mod tests;

/// Stands for the one shard with the revocations of tokens.
pub const TOKENS: u32 = u32::MAX;

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
    /// It is of a later format than this version reads.
    Newer,
}

/// What is known of a record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Found {
    /// This.
    Row(Row),
    /// It was there and was removed.
    Removed,
    /// An operator's record that has ended. What it replaced counts no more, though the store may show that for a while yet.
    Ended,
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
    /// The ledger answers in a format that this version does not read.
    Newer,
}

/// The copy of one isolate.
pub struct Follower {
    follow: Follow,
    /// The newest format that it reads.
    reads: u8,
    /// Whether the last head was of a later one.
    is_behind_format: bool,
    dice: Dice,
    asking: Asking,
    /// `None` before the first head.
    known_at: Option<Timestamp>,
    /// Whether the last head joined on. One that began anew and has a gap leaves a copy that knows nobody, whom it must not
    /// be taken to know.
    is_joined: bool,
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
    changes: Changes,
    room: Room,
    /// What was used of shards that only pass through memory.
    kept: Kept,
    passages: Passages,
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
            reads: FORMAT,
            is_behind_format: false,
            dice: Dice::new(seed),
            asking: Asking::default(),
            known_at: None,
            is_joined: false,
            epoch: Epoch::default(),
            revision: 0,
            as_of: Timestamp::default(),
            manifest: Manifest::default(),
            slots: Vec::new(),
            tokens: Slot::default(),
            has_tokens: false,
            tokens_heard: 1,
            has_no_tail: false,
            changes: Changes::default(),
            room: Room::of(follow.budget, &[]),
            kept: Kept::default(),
            passages: Passages::default(),
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

    /// The same follower as another version is one, whose newest format this is.
    #[must_use]
    pub const fn reading(mut self, format: u8) -> Self {
        self.reads = format;
        self
    }

    /// The newest format that it reads.
    #[must_use]
    pub const fn reads(&self) -> u8 {
        self.reads
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

    /// Since when it is known that this is so; `None` before the first head, and while one is being filled in.
    #[must_use]
    pub const fn known_at(&self) -> Option<Timestamp> {
        if self.is_joined { self.known_at } else { None }
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

    /// What is known of a record at `now`. `name` is a customer's id.
    #[must_use]
    pub fn find(&self, key: &RecordKey, name: &str, now: Timestamp) -> Found {
        let found = |row: Row| {
            // Where the log is of a later format, the store may have a later end than this version has heard of.
            let is_forgotten = row.usable == Usable::Removed || row.provider || self.is_behind_format;
            match in_force(row, now) {
                Some(row) if row.usable == Usable::Removed => Found::Removed,
                Some(row) => Found::Row(row),
                None if is_forgotten => Found::Absent,
                None => Found::Ended,
            }
        };
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
            Some(slot) if self.is_passing(prefix) => match self.kept.find(key) {
                Some(Said::Row(row)) => found(row.clone()),
                Some(Said::Removed) => Found::Removed,
                Some(Said::Absent) => Found::Absent,
                None if slot.is_loading(now) => Found::NotLoaded(prefix),
                None if now < slot.not_before || !self.may_pass(now) => Found::Unreadable,
                None => Found::NotLoaded(prefix),
            },
            Some(Slot { failed: true, not_before, .. }) if now < *not_before => Found::Unreadable,
            Some(_) => Found::NotLoaded(prefix),
        }
    }

    /// What is known of a record that is used: [`Follower::find`], and what is found stays when its shard only passes through
    /// memory.
    #[must_use]
    pub fn look_up(&mut self, key: &RecordKey, name: &str, now: Timestamp) -> Found {
        let found = self.find(key, name, now);
        let prefix = key.prefix(self.manifest.prefix_bits);
        if key.kind != Kind::Token && self.is_passing(prefix) {
            self.keep(key, &found);
            if let Some(slot) = self.slots.get_mut(prefix as usize) {
                slot.used = now;
            }
        }
        found
    }

    /// Whether the shard of a key or customer could not be had.
    #[must_use]
    pub fn lacks_shard_of(&self, key: &RecordKey) -> bool {
        let slot = self.slots.get(key.prefix(self.manifest.prefix_bits) as usize);
        slot.is_some_and(|slot| slot.failed && slot.loaded.is_none())
    }

    fn keep(&mut self, key: &RecordKey, found: &Found) {
        let said = match found {
            _ if self.kept.has(key) => return,
            Found::Row(row) => Said::Row(row.clone()),
            Found::Removed => Said::Removed,
            Found::Absent => Said::Absent,
            // The row says more than could be kept of it.
            Found::Ended | Found::NotLoaded(_) | Found::Unreadable => return,
        };
        self.kept.keep(*key, said, self.room.kept);
    }

    /// Whether a shard may pass through memory for a record of its own.
    fn may_pass(&self, now: Timestamp) -> bool {
        self.room.passing > 0 && self.passages.is_open(now)
    }

    /// Whether tokens may have been revoked, so that they are looked up.
    #[must_use]
    pub const fn has_tokens(&self) -> bool {
        self.has_tokens
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
        self.has_no_tail && self.known_at.is_none()
    }

    /// When one may ask the ledger about records that are not there.
    pub const fn asking(&mut self) -> &mut Asking {
        &mut self.asking
    }
}
