//! The shards of a follower: which are loaded, which are missing, and who loads them.

use super::{Follower, Found, TOKENS, changes::Changes, kept::Kept, room::Room};
use crate::{
    base::time::{Span, Timestamp},
    directory::{
        log::{Change, Revision, ShardRef},
        shard::Shard,
    },
};

/// More changes than this over a shard, and the newer one is loaded.
const MANY_CHANGES: usize = 16_384;
/// A load of a shard that nothing was heard of holds others up no longer.
const LOAD_LEASE: Span = Span::from_secs(5);
/// A shard that could not be had is left alone this long.
const SHARD_PAUSE: Span = Span::from_secs(30);

pub(super) struct LoadedShard {
    pub(super) revision: Revision,
    pub(super) shard: Shard,
}

/// A place for a shard.
#[derive(Default)]
pub(super) struct Slot {
    pub(super) loaded: Option<LoadedShard>,
    /// Nobody loads it before that.
    pub(super) not_before: Timestamp,
    pub(super) failed: bool,
    /// From which change on a shard has rows that the log never had, and that what is held here lacks.
    pub(super) lacks_from: Option<Revision>,
    /// When a record of it was last looked up, where only some shards fit into memory.
    pub(super) used: Timestamp,
}

impl Slot {
    /// Whether the shard that the manifest names now has rows which the log never had, and which what is held here lacks.
    fn lacks_rows_of(&self, named: &ShardRef) -> bool {
        self.lacks_from.is_some_and(|from| from <= named.revision)
    }

    /// Whether somebody loads it.
    pub(super) fn is_loading(&self, now: Timestamp) -> bool {
        now < self.not_before && !self.failed
    }
}

impl Follower {
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

    /// How many shards are held whole: the first ones. The others are loaded when a record of theirs is asked for, and only
    /// what was used of them is kept.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.room.whole
    }

    /// A shard to load: one that is missing, that very many changes stand over, or that holds what the log never had. The
    /// caller has the lease on it.
    pub fn begin_load(&mut self, now: Timestamp) -> Option<u32> {
        let many = self.changes.len() >= MANY_CHANGES;
        let wanted = |slot: &Slot, named: &ShardRef| match &slot.loaded {
            None => true,
            Some(loaded) => (many || slot.lacks_rows_of(named)) && loaded.revision < named.revision,
        };
        if let Some(named) = self.manifest.tokens
            && now >= self.tokens.not_before
            && wanted(&self.tokens, &named)
        {
            self.tokens.not_before = now.plus(LOAD_LEASE);
            return Some(TOKENS);
        }
        let named = self.manifest.shards.iter();
        let slots = self.slots.iter_mut().zip(named).take(self.room.whole).enumerate();
        let (prefix, (slot, _)) =
            slots.into_iter().find(|(_, (slot, named))| now >= slot.not_before && wanted(slot, named))?;
        slot.not_before = now.plus(LOAD_LEASE);
        u32::try_from(prefix).ok()
    }

    /// Whether a shard is missing that is held whole and that nobody loads.
    #[must_use]
    pub fn is_missing(&self, now: Timestamp) -> bool {
        let slots = self.slots.iter().take(self.room.whole);
        slots.into_iter().any(|slot| slot.loaded.is_none() && now >= slot.not_before)
    }

    /// Whether this shard is one that only passes through memory.
    pub(super) const fn is_passing(&self, prefix: u32) -> bool {
        let place = prefix as usize;
        place >= self.room.whole && place < self.slots.len()
    }

    /// Shares the budget out anew.
    pub(super) fn share_room(&mut self) {
        let room = Room::of(self.follow.budget, &self.manifest.shards);
        if room.whole != self.room.whole {
            self.kept = Kept::default();
        }
        self.room = room;
        self.let_pass(room.passing);
    }

    /// Has at most `most` shards in memory that only pass through it: those go that were not used for longest.
    fn let_pass(&mut self, most: usize) {
        loop {
            let slots = self.slots.iter_mut().skip(self.room.whole).filter(|slot| slot.loaded.is_some());
            let mut passing: Vec<_> = slots.collect();
            if passing.len() <= most {
                return;
            }
            if let Some(oldest) = passing.iter_mut().min_by_key(|slot| slot.used) {
                oldest.loaded = None;
            }
        }
    }

    /// Forgets what is held of shards that only pass through memory where the manifest now names one with rows that the log
    /// never had.
    pub(super) fn forget_what_lacks_rows(&mut self) {
        let bits = self.manifest.prefix_bits;
        let slots = self.slots.iter_mut().zip(&self.manifest.shards);
        for ((slot, named), prefix) in slots.zip(0..).skip(self.room.whole) {
            if slot.lacks_rows_of(named) {
                slot.loaded = None;
                slot.lacks_from = lacks_from(&self.changes, prefix, bits, named.revision);
                self.kept.forget(prefix, bits);
                self.moved = None;
            }
        }
    }

    /// Takes the lease on loading this shard; false where somebody else has it.
    pub fn begin_load_of(&mut self, prefix: u32, now: Timestamp) -> bool {
        let is_passing = self.is_passing(prefix);
        let Some(slot) = self.slot(prefix) else { return false };
        let free = now >= slot.not_before;
        if free {
            slot.not_before = now.plus(LOAD_LEASE);
        }
        if free && is_passing {
            self.passages.count(now);
            // Before the new one comes, so that it finds the room of the old one.
            self.let_pass(self.room.passing.saturating_sub(1));
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
        let is_passing = self.is_passing(prefix);
        let is_named = self.named(prefix).is_some_and(|(_, current)| current == *named);
        let bits = if prefix == TOKENS { 0 } else { self.manifest.prefix_bits };
        let lacks_from = lacks_from(&self.changes, prefix, bits, named.revision);
        let reads = self.reads;
        let Some(slot) = self.slot(prefix) else { return false };
        if !is_named {
            slot.not_before = Timestamp::default();
            return false;
        }
        match bytes.and_then(|bytes| Shard::parse_up_to(bytes, bits, reads)) {
            Some(shard) => {
                let revision = named.revision;
                let before = slot.loaded.replace(LoadedShard { revision, shard });
                (slot.not_before, slot.failed) = (Timestamp::default(), false);
                (slot.lacks_from, slot.used) = (lacks_from, now);
                // It may say what the log never did.
                if before.is_some() {
                    self.moved = None;
                }
                if is_passing {
                    // Changes that it has already are passed over, so what was kept before would not hear of them.
                    if revision > self.revision {
                        self.kept.forget(prefix, bits);
                    }
                    self.let_pass(self.room.passing);
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

    /// Bytes that it holds of shards.
    #[must_use]
    pub fn weight(&self) -> usize {
        let slots = self.slots.iter().chain([&self.tokens]);
        let shards = slots.filter_map(|slot| Some(slot.loaded.as_ref()?.shard.weight()));
        shards.sum::<usize>() + self.kept.weight()
    }

    /// How many shards are loaded, and how many there are.
    #[must_use]
    pub fn loaded(&self) -> (usize, usize) {
        (self.slots.iter().filter(|slot| slot.loaded.is_some()).count(), self.slots.len())
    }
}

/// From which change on a shard has rows that the log never had, where that is heard of and a shard of `revision` lacks them.
fn lacks_from(changes: &Changes, prefix: u32, bits: u8, revision: Revision) -> Option<Revision> {
    let told = changes.get(&Change::reload_of(prefix, bits).key)?;
    Some(told.revision).filter(|from| *from > revision)
}
