//! The log as a follower takes it: heads and segments of it, and the changes that stand over the shards.

use std::{
    collections::HashMap,
    hash::{BuildHasher, Hasher},
};

use super::{
    Follower, Heard, Taken,
    kept::{Kept, Said},
    shards::Slot,
};
use crate::{
    base::time::{Span, Timestamp},
    directory::{
        log::{Change, Epoch, Head, Manifest, Revision, Segment, ShardRef},
        record_key::{Kind, RecordKey},
        row::Row,
    },
};

/// A clock may be this far ahead of another; a head from later than that is no answer.
const FUTURE: Span = Span::from_secs(1);
/// Of more changes at once it is not told apart what they changed.
const MANY_MOVED: usize = 512;
/// Further behind than this, shards bring the log's past quicker than its segments.
const FAR_BEHIND: Revision = 4096;

/// Changes by their record.
pub(super) type Changes = HashMap<RecordKey, Latest, ByDigest>;

pub(super) struct Latest {
    pub(super) revision: Revision,
    pub(super) row: Option<Row>,
}

impl Follower {
    /// Takes what a poll brought at `now`.
    pub fn take_head(&mut self, bytes: &[u8], heard: Heard, now: Timestamp) -> Taken {
        let Some(head) = Head::decode_up_to(bytes, self.reads) else {
            self.is_behind_format = Head::is_newer_than(bytes, self.reads);
            return if self.is_behind_format { Taken::Newer } else { Taken::Unreadable };
        };
        self.is_behind_format = false;
        if heard == Heard::Cache && head.as_of > now.plus(FUTURE) {
            return Taken::Ignored;
        }
        let begins_later = baseline(&head.manifest) > self.revision;
        if head.epoch != self.epoch {
            // The ledger itself says which database is its own. What a location has kept may be yesterday's.
            if heard == Heard::Cache && self.known_at.is_some() && head.as_of <= self.as_of {
                return Taken::Ignored;
            }
            self.begin_anew(&head);
        } else if head.as_of < self.as_of {
            return Taken::Ignored;
        } else if !self.is_joined {
            // Nobody is answered by a log with a gap, so an older head without one is better.
            if head.revision < self.revision || begins_later {
                self.begin_anew(&head);
            }
        } else if head.revision < self.revision {
            return Taken::Ignored;
        } else if head.first > self.revision.saturating_add(FAR_BEHIND) && begins_later {
            self.begin_anew(&head);
        }
        self.advance(head, heard, now)
    }

    /// Takes a segment of the log.
    pub fn take_segment(&mut self, bytes: &[u8], now: Timestamp) -> Taken {
        let Some(segment) = Segment::decode_up_to(bytes, self.reads) else { return Taken::Unreadable };
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
    /// False where they have a gap themselves: what was known before then stays.
    pub fn skip_to_shards(&mut self, now: Timestamp) -> bool {
        let Some((head, heard)) = self.ahead.take() else { return false };
        if head.first > baseline(&head.manifest).saturating_add(1) {
            return false;
        }
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
        self.known_at = Some(self.known_at().map_or(at, |before| before.max(at)));
        self.is_joined = true;
        self.as_of = head.as_of;
        self.apply(head.first, head.changes);
        self.take_manifest(head.manifest);
        self.polling_until = Timestamp::default();
        // What stands in KV may be old: whoever got no answer from the ledger has heard nothing of it by that.
        if self.failures == 0 || now.since(at) <= self.follow.pace.limit() {
            self.failures = 0;
            self.next_poll = self.follow.pace.next_poll(head.pace, &mut self.dice).map(|span| now.plus(span));
        }
        Taken::Applied
    }

    /// Begins with what this head's shards hold, and forgets all else; but within an epoch what was heard of records since
    /// then stands until the log comes to it: the ledger said it, and a head out of KV may be older than that.
    fn begin_anew(&mut self, head: &Head) {
        let from = baseline(&head.manifest);
        if head.epoch == self.epoch {
            self.changes.retain(|_, latest| latest.revision > from);
        } else {
            self.as_of = Timestamp::default();
            self.changes.clear();
        }
        self.is_joined = false;
        self.epoch = head.epoch;
        self.revision = from;
        self.slots.clear();
        self.kept = Kept::default();
        self.tokens = Slot::default();
        self.has_tokens = self.changes.keys().any(|key| key.kind == Kind::Token);
        self.tokens_heard += 1;
        self.ahead = None;
        self.manifest = Manifest::default();
        self.share_room();
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
            // What the ledger said of this record by itself may be newer than the log so far, and so may its shard be.
            let is_newest = self.changes.get(&change.key).is_none_or(|latest| latest.revision < revision);
            if is_newest && !self.is_loaded_up_to(revision, &change.key) {
                self.insert(change, revision);
            }
        }
    }

    /// What a change says takes the place of all that was known of its record.
    fn insert(&mut self, change: Change, revision: Revision) {
        let prefix = change.key.prefix(self.manifest.prefix_bits);
        if change.is_reload()
            && let Some(slot) = self.slots.get_mut(prefix as usize)
        {
            slot.lacks_from.get_or_insert(revision);
        } else if change.key.kind != Kind::Token
            && self.is_passing(prefix)
            // A removal is kept in any case: what the shard's records are asked for elsewhere may not know of it yet.
            && (change.row.is_none() || self.kept.has(&change.key))
        {
            self.kept.keep(change.key, Said::of(change.row.as_ref()), self.room.kept);
        }
        self.changes.insert(change.key, Latest { revision, row: change.row });
    }

    fn take_manifest(&mut self, manifest: Manifest) {
        if manifest.shards.len() != self.slots.len() || manifest.prefix_bits != self.manifest.prefix_bits {
            self.slots = manifest.shards.iter().map(|_| Slot::default()).collect();
            self.kept = Kept::default();
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
            self.share_room();
            self.forget_what_lacks_rows();
            self.forget_what_shards_hold();
        }
    }

    /// A change counts only above the revision of the shard that it meets; below, the shard has it.
    pub(super) fn forget_what_shards_hold(&mut self) {
        let mut changes = std::mem::take(&mut self.changes);
        changes.retain(|key, latest| latest.revision > self.held_up_to(key));
        self.changes = changes;
    }

    /// Up to which change the shard of a record has them all: the one that is loaded, or else the one that would be.
    fn held_up_to(&self, key: &RecordKey) -> Revision {
        let (slot, named) = self.slot_of(key);
        let loaded = slot.and_then(|slot| slot.loaded.as_ref()).map(|loaded| loaded.revision);
        loaded.or_else(|| named.map(|shard| shard.revision)).unwrap_or_default()
    }

    /// Whether the shard of a record is loaded and has this change.
    fn is_loaded_up_to(&self, revision: Revision, key: &RecordKey) -> bool {
        let loaded = self.slot_of(key).0.and_then(|slot| slot.loaded.as_ref());
        loaded.is_some_and(|loaded| loaded.revision >= revision)
    }

    fn slot_of(&self, key: &RecordKey) -> (Option<&Slot>, Option<&ShardRef>) {
        if key.kind == Kind::Token {
            return (Some(&self.tokens), self.manifest.tokens.as_ref());
        }
        let prefix = key.prefix(self.manifest.prefix_bits) as usize;
        (self.slots.get(prefix), self.manifest.shards.get(prefix))
    }

    /// Whether anything has changed since [`Follower::take_moved`].
    #[must_use]
    pub fn has_moved(&self) -> bool {
        self.moved.as_ref().is_none_or(|moved| !moved.is_empty())
    }

    /// What has changed since this was last called; `None` where everything may have.
    pub fn take_moved(&mut self) -> Option<Vec<Change>> {
        self.moved.replace(Vec::new())
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
        self.insert(change, revision);
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
pub(super) struct ByDigest;

pub(super) struct DigestPart(u64);

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

/// Up to which change all shards hold everything.
fn baseline(manifest: &Manifest) -> Revision {
    manifest.shards.iter().chain(&manifest.tokens).map(|shard| shard.revision).min().unwrap_or(0)
}
