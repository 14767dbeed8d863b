//! What was used of shards that do not fit into memory: it stays when the rest of its shard goes.
//!
//! What is kept is as current as a loaded shard: it was in its shard as of a revision, and each later change of the same
//! record takes its place. What a shard holds that the log never had, no change tells of; then all that was kept of that
//! shard goes ([`Kept::forget`]).

use std::{cell::Cell, collections::HashMap};

use super::changes::ByDigest;
use crate::directory::{record_key::RecordKey, row::Row};

/// Bytes that an entry takes beside its row's text: key, row, stamp, the room of the map that is empty, the allocator's own.
const ENTRY_OVERHEAD: usize = 200;
/// The part of the budget that records have which are not there: a flood of junk has no more than this.
const ABSENT_PART: usize = 8;
/// When the budget is spent, so much of what was kept goes at once: every fourth entry.
const OVER_PART: usize = 4;

/// What is known of a record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Said {
    /// This.
    Row(Row),
    /// It was removed, as the log said.
    Removed,
    /// It is not there.
    Absent,
}

impl Said {
    /// What a change says.
    pub(super) fn of(row: Option<&Row>) -> Self {
        row.cloned().map_or(Self::Removed, Self::Row)
    }

    const fn weight(&self) -> usize {
        let text = match self {
            Self::Row(row) => row.text.len(),
            Self::Removed | Self::Absent => 0,
        };
        text + ENTRY_OVERHEAD
    }
}

/// Records that were used, by what is known of them. Who is there and who is not have each their own part of the budget.
#[derive(Default)]
pub(super) struct Kept {
    there: Recent,
    absent: Recent,
}

impl Kept {
    /// What was kept of a record, which counts as used by that.
    pub(super) fn find(&self, key: &RecordKey) -> Option<&Said> {
        self.there.find(key).or_else(|| self.absent.find(key))
    }

    /// Keeps what is known of a record, within `budget` bytes for all.
    pub(super) fn keep(&mut self, key: RecordKey, said: Said, budget: usize) {
        if budget == 0 {
            return;
        }
        let for_absent = budget / ABSENT_PART;
        let (part, other, most) = match said {
            Said::Row(_) => (&mut self.there, &mut self.absent, budget - for_absent),
            Said::Removed | Said::Absent => (&mut self.absent, &mut self.there, for_absent),
        };
        other.remove(&key);
        part.put(key, said);
        part.shrink_to(most);
    }

    /// Whether anything is kept of a record.
    pub(super) fn has(&self, key: &RecordKey) -> bool {
        self.there.entries.contains_key(key) || self.absent.entries.contains_key(key)
    }

    /// Forgets all records whose digest begins with the `bits` bits of `prefix`.
    pub(super) fn forget(&mut self, prefix: u32, bits: u8) {
        self.there.retain(|key, _| key.prefix(bits) != prefix);
        self.absent.retain(|key, _| key.prefix(bits) != prefix);
    }

    /// Bytes that this takes.
    pub(super) const fn weight(&self) -> usize {
        self.there.weight + self.absent.weight
    }
}

struct Entry {
    said: Said,
    /// A later use has a greater number.
    used: Cell<u64>,
}

/// Entries in the order of their use.
#[derive(Default)]
struct Recent {
    entries: HashMap<RecordKey, Entry, ByDigest>,
    weight: usize,
    uses: Cell<u64>,
}

impl Recent {
    fn next_use(&self) -> u64 {
        let next = self.uses.get() + 1;
        self.uses.set(next);
        next
    }

    fn find(&self, key: &RecordKey) -> Option<&Said> {
        let entry = self.entries.get(key)?;
        entry.used.set(self.next_use());
        Some(&entry.said)
    }

    fn put(&mut self, key: RecordKey, said: Said) {
        self.weight += said.weight();
        let entry = Entry { said, used: Cell::new(self.next_use()) };
        if let Some(before) = self.entries.insert(key, entry) {
            self.weight -= before.said.weight();
        }
    }

    fn remove(&mut self, key: &RecordKey) {
        if let Some(before) = self.entries.remove(key) {
            self.weight -= before.said.weight();
        }
    }

    fn retain(&mut self, stays: impl Fn(&RecordKey, &Entry) -> bool) {
        let weight = &mut self.weight;
        self.entries.retain(|key, entry| {
            let stays = stays(key, entry);
            if !stays {
                *weight -= entry.said.weight();
            }
            stays
        });
    }

    /// The last use of the entry for which `older` entries were last used earlier. It halves the range of uses, and looks at
    /// all entries for each half: that is rare, and selecting costs 4 kB of wasm.
    fn last_use_at_rank(&self, older: usize) -> u64 {
        let uses = || self.entries.values().map(|entry| entry.used.get());
        let (mut low, mut high) = (uses().min().unwrap_or_default(), uses().max().unwrap_or_default());
        while low < high {
            let middle = low + (high - low) / 2;
            if uses().filter(|used| *used <= middle).count() > older {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        low
    }

    /// Forgets what was not used for longest, a part of all at once: to look for the oldest entry each time would be a look
    /// at all for each.
    fn shrink_to(&mut self, most: usize) {
        while self.weight > most {
            let over = self.last_use_at_rank(self.entries.len() / OVER_PART);
            self.retain(|_, entry| entry.used.get() > over);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u64) -> RecordKey {
        RecordKey::customer(&n.to_string())
    }

    fn row(text: &str) -> Said {
        Said::Row(Row::of(text))
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let budget = 100 * (ENTRY_OVERHEAD + 10);
        let mut kept = Kept::default();
        for n in 0..80 {
            kept.keep(key(n), row("0123456789"), budget);
        }
        for n in 80..1000 {
            assert_eq!(kept.find(&key(7)), Some(&row("0123456789")), "it is used again and again");
            kept.keep(key(n), row("0123456789"), budget);
            assert!(kept.weight() <= budget);
            assert!(kept.has(&key(n)));
        }
        assert!((0..80).filter(|n| kept.has(&key(*n))).count() == 1);
    }

    #[test]
    fn a_flood_of_names_that_are_not_there_leaves_who_is_there() {
        let budget = 100 * (ENTRY_OVERHEAD + 10);
        let mut kept = Kept::default();
        (0..50).for_each(|n| kept.keep(key(n), row("0123456789"), budget));
        (1000..9000).for_each(|n| kept.keep(key(n), Said::Absent, budget));
        assert!((0..50).all(|n| kept.has(&key(n))));
        assert!(kept.has(&key(8999)) && !kept.has(&key(1000)));
        assert!(kept.weight() <= budget);
    }

    #[test]
    fn a_record_is_kept_once_and_forgotten_by_its_shard() {
        let budget = 100_000;
        let mut kept = Kept::default();
        kept.keep(key(1), Said::Absent, budget);
        kept.keep(key(1), row("made"), budget);
        assert_eq!((kept.find(&key(1)), kept.weight()), (Some(&row("made")), ENTRY_OVERHEAD + 4));
        kept.keep(key(1), Said::Removed, budget);
        assert_eq!((kept.find(&key(1)), kept.weight()), (Some(&Said::Removed), ENTRY_OVERHEAD));
        let (bits, all) = (2, 0..40);
        all.clone().for_each(|n| kept.keep(key(n), row("x"), budget));
        kept.forget(1, bits);
        assert!(all.into_iter().all(|n| kept.has(&key(n)) == (key(n).prefix(bits) != 1)));
        (0..4).for_each(|prefix| kept.forget(prefix, bits));
        assert_eq!(kept.weight(), 0);
        kept.keep(key(1), row("does not fit"), 100);
        assert_eq!(kept.weight(), 0);
    }
}
