//! Which formats followers read, so that the ledger writes what all of them can.
//!
//! A gateway is deployed part by part and taken back, so followers of two versions poll one ledger for a while, and the
//! ledger itself is of either. It writes the oldest format that was asked for in the last hour. That stands in its database,
//! and a ledger that does not know, since its database is new or comes from a version that did not ask, takes it that the
//! oldest one was.

use pointsman_core::directory::log::{FORMAT, OLDEST_FORMAT};
use serde::{Deserialize, Serialize};

/// For so long what was asked for counts, in milliseconds.
const COUNTS: u64 = 3_600_000;
/// It is noted so often at most, in milliseconds: not with each poll.
const NOTED: u64 = 300_000;

/// When each format was last asked for, in milliseconds.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Formats(Vec<(u8, u64)>);

impl Formats {
    /// Notes that somebody asked who reads formats up to `reads`.
    pub(crate) fn note(&mut self, reads: u8, now: u64) {
        // Older than what this version writes, or newer: it gets the next best.
        let format = reads.clamp(OLDEST_FORMAT, FORMAT);
        if self.0.is_empty() {
            self.0.push((OLDEST_FORMAT, now));
        }
        match self.0.iter_mut().find(|(known, _)| *known == format) {
            Some((_, at)) if now < at.saturating_add(NOTED) => {}
            Some((_, at)) => *at = now,
            None => self.0.push((format, now)),
        }
    }

    /// The oldest that was asked for in the hour before `now`.
    pub(crate) fn oldest(&self, now: u64) -> u8 {
        let counts = |(_, at): &&(u8, u64)| now < at.saturating_add(COUNTS + NOTED);
        let asked = self.0.iter().filter(counts).map(|(format, _)| *format);
        // A version that was taken back may have noted what this one does not know.
        asked.min().map_or(OLDEST_FORMAT, |format| format.clamp(OLDEST_FORMAT, FORMAT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;

    #[test]
    fn the_oldest_that_was_asked_for_counts_for_an_hour() {
        let mut formats = Formats::default();
        assert_eq!(formats.oldest(0), OLDEST_FORMAT);
        for minute in 0..200 {
            let now = minute * 60_000;
            formats.note(FORMAT, now);
            let expected = if minute < 65 { OLDEST_FORMAT } else { FORMAT };
            assert_eq!(formats.oldest(now), expected, "minute {minute}");
        }
        formats.note(OLDEST_FORMAT, 200 * 60_000);
        assert_eq!(formats.oldest(200 * 60_000), OLDEST_FORMAT, "at once");
        assert_eq!(formats.oldest(200 * 60_000 + HOUR), OLDEST_FORMAT);
        assert_eq!(formats.oldest(200 * 60_000 + 2 * HOUR), OLDEST_FORMAT, "nobody has asked since");
        formats.note(FORMAT + 1, 200 * 60_000 + 2 * HOUR);
        assert_eq!(formats.oldest(200 * 60_000 + 2 * HOUR), FORMAT, "a later version reads this one too");
    }

    #[test]
    fn it_is_not_noted_with_each_poll() {
        let mut formats = Formats::default();
        formats.note(FORMAT, 1_000);
        let before = formats.clone();
        formats.note(FORMAT, NOTED);
        assert_eq!(formats, before);
        formats.note(FORMAT, NOTED + 1_000);
        assert_ne!(formats, before);
    }
}
