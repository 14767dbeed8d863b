//! Splits: callers shared out over variants by weight, each always to the same one.
//!
//! A caller's key is hashed into one of 10 000 buckets, and each variant has a run of them, in the order
//! of the file. No state is kept, so every isolate in every place decides alike. Where weight moves from
//! one variant to its neighbour, exactly the buckets that it stands for change hands and all others stay.

use std::rc::Rc;

use super::{condition::Facts, operand::Operand, target::Target};
use crate::base::digest::Digest;

/// How many buckets there are: a weight counts to a hundredth of a percent.
pub const BUCKETS: u16 = 10_000;

/// A split.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// Its variants, in the order of the file.
    pub variants: Vec<Variant>,
    /// What tells callers apart: the first of these that is there.
    pub by: Vec<Operand>,
    /// Keeps splits independent of each other: with one salt, the same callers would be first in all.
    pub salt: Rc<str>,
    /// Where a tester says which variant they want, by its name.
    pub chosen_by: Vec<Operand>,
}

/// One variant of a split.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// Its name: the backend's.
    pub name: Rc<str>,
    /// Where its requests go.
    pub to: Target,
    /// The first bucket that is not its own any more; its own begin where the one before it ends.
    pub end: u16,
}

/// What a split decided.
#[derive(Clone, Debug, PartialEq)]
pub struct ChosenVariant<'a> {
    /// The variant.
    pub variant: &'a Variant,
    /// The bucket; `None` where a tester chose, or there was nothing to tell the caller by.
    pub bucket: Option<u16>,
}

impl Split {
    /// The variant for a request. One that has nothing to tell it by goes to the first.
    #[must_use]
    pub fn choose(&self, facts: &Facts<'_>) -> Option<ChosenVariant<'_>> {
        let wanted = self.chosen_by.iter().find_map(|of| facts.key(of));
        let named = wanted.and_then(|wanted| self.variants.iter().find(|variant| *variant.name == *wanted));
        if let Some(variant) = named {
            return Some(ChosenVariant { variant, bucket: None });
        }
        match self.by.iter().find_map(|of| facts.key(of)) {
            Some(key) => {
                let bucket = bucket(&self.salt, &key);
                let variant = self.variants.iter().find(|variant| bucket < variant.end)?;
                Some(ChosenVariant { variant, bucket: Some(bucket) })
            }
            None => self.variants.first().map(|variant| ChosenVariant { variant, bucket: None }),
        }
    }
}

/// What a split looked at, for people.
#[derive(Clone, Debug, PartialEq)]
pub struct SplitView {
    /// Where a tester says which variant they want, and what stands there.
    pub chosen_by: Option<(String, String)>,
    /// What tells this caller from others, and its value.
    pub by: Option<(String, String)>,
    /// The variants with the first of their buckets, and the first that is not theirs any more.
    pub variants: Vec<(Rc<str>, u16, u16)>,
}

impl Split {
    /// What it looks at in this request.
    #[cold]
    #[inline(never)]
    #[must_use]
    pub fn view(&self, facts: &Facts<'_>) -> SplitView {
        let first = |all: &[Operand]| all.iter().find_map(|of| Some((of.to_string(), facts.key(of)?)));
        let mut from = 0;
        let variants = self.variants.iter().map(|variant| {
            let begin = std::mem::replace(&mut from, variant.end);
            (Rc::clone(&variant.name), begin, variant.end)
        });
        SplitView { variants: variants.collect(), chosen_by: first(&self.chosen_by), by: first(&self.by) }
    }
}

/// The bucket of a key: the first 64 bits of the SHA-256 of salt, NUL and key, modulo [`BUCKETS`]. The
/// remainder favours no bucket by more than one in 10^15.
#[must_use]
pub fn bucket(salt: &str, key: &str) -> u16 {
    let hash = Digest::of(format!("{salt}\0{key}").as_bytes()).prefix();
    u16::try_from(hash % u64::from(BUCKETS)).unwrap_or_default()
}

/// Where the run of each weight ends. Runs are cut at the weights' running sum, so that a change between
/// neighbours moves only the cut between them. `None` where all weights together are nothing or more
/// than can be counted.
#[must_use]
pub fn runs(weights: &[u32]) -> Option<Vec<u16>> {
    let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
    if total == 0 {
        return None;
    }
    let mut sum = 0u64;
    let ends = weights.iter().map(|weight| {
        sum += u64::from(*weight);
        // Rounded to the nearest bucket.
        u16::try_from((sum * u64::from(BUCKETS) * 2 + total) / (total * 2)).ok()
    });
    ends.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many buckets go from each variant to each other one.
    fn moved(old: &[u16], new: &[u16]) -> Vec<Vec<u16>> {
        let run = |ends: &[u16], index: usize| {
            let begin = index.checked_sub(1).map_or(0, |before| ends[before]);
            begin..ends[index]
        };
        let shared = |from: usize, to: usize| {
            let (from, to) = (run(old, from), run(new, to));
            from.end.min(to.end).saturating_sub(from.start.max(to.start))
        };
        (0..old.len()).map(|from| (0..new.len()).map(|to| shared(from, to)).collect()).collect()
    }

    #[test]
    fn weights_are_shares_of_the_buckets() {
        assert_eq!(runs(&[95, 5]).unwrap(), [9500, 10_000]);
        assert_eq!(runs(&[1, 1, 1]).unwrap(), [3333, 6667, 10_000]);
        assert_eq!(runs(&[9999, 1]).unwrap(), [9999, 10_000]);
        assert_eq!(runs(&[0, 7]).unwrap(), [0, 10_000]);
        assert_eq!(runs(&[u32::MAX, u32::MAX]).unwrap(), [5000, 10_000]);
        assert_eq!(runs(&[0, 0]), None);
        assert_eq!(runs(&[]), None);
    }

    /// Every pair of weights of two variants.
    #[test]
    fn a_change_of_two_weights_moves_exactly_the_share_that_changed() {
        for before in 0..=100u16 {
            for after in 0..=100u16 {
                let ends = |first: u16| runs(&[u32::from(first), u32::from(100 - first)]).unwrap();
                let moved = moved(&ends(before), &ends(after));
                assert_eq!(moved[0][1], before.saturating_sub(after) * 100);
                assert_eq!(moved[1][0], after.saturating_sub(before) * 100);
            }
        }
    }

    /// Every change between neighbours of three, in steps of five percent.
    #[test]
    fn a_change_between_neighbours_leaves_the_third_alone() {
        let shares =
            || (0..=20u16).flat_map(|a| (0..=20 - a).map(move |b| [a * 5, b * 5, 100 - (a + b) * 5]));
        for old in shares() {
            for new in shares() {
                for (kept, left, right) in [(0, 1, 2), (2, 0, 1)] {
                    if old[kept] != new[kept] {
                        continue;
                    }
                    let moved =
                        moved(&runs(&old.map(u32::from)).unwrap(), &runs(&new.map(u32::from)).unwrap());
                    assert_eq!(moved[kept][kept], old[kept] * 100, "{old:?} {new:?}");
                    assert_eq!(moved[left][right], old[left].saturating_sub(new[left]) * 100);
                    assert_eq!(moved[right][left], new[left].saturating_sub(old[left]) * 100);
                }
            }
        }
    }

    #[test]
    fn buckets_are_stable_and_even() {
        // Fixed for ever: another hash would send every caller elsewhere.
        assert_eq!(
            [bucket("canary", "user-1"), bucket("canary", "user-2"), bucket("other", "user-1")],
            [6360, 1031, 9913]
        );
        let mut counts = vec![0u32; 20];
        for number in 0..100_000 {
            counts[usize::from(bucket("salt", &format!("user-{number}")) / 500)] += 1;
        }
        assert!(counts.iter().all(|count| (4700..5300).contains(count)), "{counts:?}");
    }
}
