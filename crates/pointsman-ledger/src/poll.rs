//! What followers poll: the head, how old it is, and how much slower they should ask.

use pointsman_core::{base::time::Timestamp, directory::log::FORMAT};

use crate::{ledger::Ledger, state::save_as_of, storage::Storage};

/// So many polls a second one ledger answers; from there on it slows everybody.
const MOST_POLLS: u64 = 500;
/// Over how long polls are counted, in milliseconds.
const COUNTED: u64 = 5000;
/// As usual, in percent.
const USUAL: u64 = 100;
/// The slowest: a hundredth of usual.
const SLOWEST: u64 = 10_000;

/// Where nobody polls for as long, in milliseconds, nobody needs passes over KV.
pub(crate) const IDLE: u64 = 600_000;

/// How often the ledger is polled. Held in memory alone: an instance that begins anew has counted nothing.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Polls {
    began: u64,
    count: u64,
    pace: u64,
}

impl Default for Polls {
    fn default() -> Self {
        Self { began: 0, count: 0, pace: USUAL }
    }
}

impl Polls {
    /// Counts one, and says how much slower than usual to poll, in percent.
    fn count(&mut self, now: Timestamp) -> u16 {
        let passed = now.millis().saturating_sub(self.began);
        if passed >= COUNTED {
            let a_second = self.count.saturating_mul(1000) / passed.max(1);
            // The rate that was seen is the one at the pace that was given, so each pace follows from the last one.
            self.pace = (self.pace.saturating_mul(a_second) / MOST_POLLS).clamp(USUAL, SLOWEST);
            (self.began, self.count) = (now.millis(), 0);
        }
        self.count += 1;
        u16::try_from(self.pace).unwrap_or(u16::MAX)
    }

    /// The pace that was given last, in percent.
    pub(crate) const fn pace(&self) -> u64 {
        self.pace
    }
}

impl<S: Storage> Ledger<S> {
    /// [`Ledger::poll_as`] for a follower of this version.
    pub fn poll(&mut self, now: Timestamp) -> Vec<u8> {
        self.poll_as(FORMAT, now)
    }

    /// The head as it is now, for a follower that reads formats up to `reads`. The answer may leave only after what this wrote
    /// is durable: an instance that was replaced
    /// gets nothing confirmed, and could otherwise go on answering.
    pub fn poll_as(&mut self, reads: u8, now: Timestamp) -> Vec<u8> {
        let pace = self.polls.count(now);
        self.state.formats.note(reads, now.millis());
        if now.millis() >= self.as_of.saturating_add(IDLE) && self.as_of > 0 {
            // No pass has looked at KV for as long as nobody polled.
            self.state.confirmed = false;
            self.state.awake_since = now.millis();
            self.head = None;
        }
        // At most once a second, and never backwards.
        if now.millis() >= self.as_of.saturating_add(1000) {
            self.as_of = now.millis();
            save_as_of(&mut self.storage, self.as_of);
        }
        let as_of = Timestamp::from_millis(self.as_of);
        let format = self.format();
        let head = self.current_head();
        head.as_of = as_of;
        head.pace = pace;
        let bytes = head.encode_as(format);
        self.save();
        bytes
    }

    /// In which format this ledger writes heads, segments and shards: the oldest that was asked for in the last hour.
    #[must_use]
    pub fn format(&self) -> u8 {
        self.state.formats.oldest(self.as_of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_polls_slow_everybody_until_they_are_few() {
        let mut polls = Polls::default();
        // A thousand a second would come at the usual pace.
        let mut paces = Vec::new();
        let mut pace = USUAL;
        for window in 1..10u64 {
            for poll in 0..1000 * 5 * USUAL / pace {
                let at = window * COUNTED + poll * COUNTED / (1000 * 5 * USUAL / pace);
                polls.count(Timestamp::from_millis(at));
            }
            pace = u64::from(polls.count(Timestamp::from_millis((window + 1) * COUNTED)));
            paces.push(pace);
        }
        assert!(paces.iter().all(|pace| (195..=205).contains(pace)), "{paces:?}");
        let quiet = polls.count(Timestamp::from_millis(1000 * COUNTED));
        assert_eq!(u64::from(quiet), USUAL);
    }
}
