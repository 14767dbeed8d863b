//! How the budget for shards is shared out.
//!
//! Where all shards fit, all are held. Where they do not, most of the budget holds whole shards, two more pass through one
//! or two places while somebody asks for a record of theirs, and the rest keeps what was used of those ([`super::kept`]). All
//! places are of the size of the largest shard, since memory of wasm never shrinks.

use crate::{
    base::time::{Span, Timestamp},
    directory::log::ShardRef,
};

/// Shards that may pass through memory within [`WINDOW`]. A shard is a megabyte: for a flood of names that are in no memory,
/// it costs more than what each was asked for before there was a directory.
const MOST_LOADS: u32 = 30;
const WINDOW: Span = Span::from_secs(60);
/// Of so many places, two are passed through: what one request asks for may be in two shards.
const TWO_PASS: usize = 4;

/// What the budget is spent on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Room {
    /// So many shards, the first ones, are held whole.
    pub(super) whole: usize,
    /// So many others are in memory at once.
    pub(super) passing: usize,
    /// Bytes for what was used of these.
    pub(super) kept: usize,
}

impl Room {
    /// The room that there is for these shards.
    pub(super) fn of(budget: usize, shards: &[ShardRef]) -> Self {
        let largest = shards.iter().map(|shard| shard.size as usize).max().unwrap_or(0);
        let places = budget.checked_div(largest).unwrap_or(usize::MAX);
        if places >= shards.len() {
            return Self { whole: shards.len(), passing: 0, kept: 0 };
        }
        let passing = if places < TWO_PASS { places.min(1) } else { 2 };
        let whole = (places * 3 / 4).saturating_sub(passing);
        // Where not even one shard fits, nothing could be kept of it.
        let kept = if passing == 0 { 0 } else { budget - (whole + passing) * largest };
        Self { whole, passing, kept }
    }
}

/// Counts the shards that pass through memory.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Passages {
    began: Timestamp,
    loads: u32,
}

impl Passages {
    /// Whether another one may.
    pub(super) fn is_open(self, now: Timestamp) -> bool {
        self.loads < MOST_LOADS || now.since(self.began) >= WINDOW
    }

    /// Counts one.
    pub(super) fn count(&mut self, now: Timestamp) {
        if now.since(self.began) >= WINDOW {
            *self = Self { began: now, loads: 0 };
        }
        self.loads += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shards(count: usize, size: u32) -> Vec<ShardRef> {
        vec![ShardRef { size, ..ShardRef::default() }; count]
    }

    #[test]
    fn all_that_is_held_fits_into_the_budget() {
        const MIB: usize = 1 << 20;
        let of = |places: usize| Room::of(places * MIB, &shards(64, 1 << 20));
        assert_eq!(of(64), Room { whole: 64, passing: 0, kept: 0 });
        assert_eq!(of(32), Room { whole: 22, passing: 2, kept: 8 * MIB });
        assert_eq!(of(1), Room { whole: 0, passing: 1, kept: 0 });
        assert_eq!(of(0), Room { whole: 0, passing: 0, kept: 0 });
        assert_eq!(Room::of(0, &[]), Room { whole: 0, passing: 0, kept: 0 });
        for budget in (0..64 * MIB).step_by(MIB / 3) {
            let Room { whole, passing, kept } = Room::of(budget, &shards(64, 1 << 20));
            assert!((whole + passing) * MIB + kept <= budget, "{budget}");
        }
    }

    #[test]
    fn so_many_pass_in_a_minute() {
        let mut passages = Passages::default();
        let mut now = Timestamp::from_millis(1_785_412_800_000);
        let mut passed = 0;
        for _ in 0..180 {
            if passages.is_open(now) {
                passages.count(now);
                passed += 1;
            }
            now = now.plus(Span::from_secs(1));
        }
        assert_eq!(passed, 3 * MOST_LOADS);
    }
}
