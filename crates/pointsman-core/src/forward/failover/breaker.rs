//! What was seen of one origin, and whether it is left alone for that.

use std::rc::Rc;

use super::{Breaker, MOST_PAUSES, WINDOW};
use crate::base::time::{Span, Timestamp};

/// How a request to an origin ended, as far as the origin answers for it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ended {
    /// It answered.
    Answered,
    /// It failed in a way that no client can bring about: it cannot be reached, or breaks off although the
    /// request is whole.
    Failed,
    /// It failed, and what was asked of it may be why: it was too slow, or answered with a status that
    /// counts as a failure. Else whoever knows a slow path could have an origin left alone by everybody.
    Suspected,
    /// Nothing can be said of the origin: the client left, or broke off its own body.
    Nothing,
}

/// What is counted of one request.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Mark {
    #[default]
    None,
    Answered,
    Failed,
    /// By whom: the caller's digest, cut short.
    Suspected(u32),
}

/// Failures, counted. Those that may be a caller's doing count once a second caller met one.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    failed: u32,
    suspected: u32,
    by: Option<u32>,
    several: bool,
}

impl Tally {
    fn add(&mut self, mark: Mark) {
        match mark {
            Mark::None | Mark::Answered => {}
            Mark::Failed => self.failed = self.failed.saturating_add(1),
            Mark::Suspected(caller) => {
                self.suspected = self.suspected.saturating_add(1);
                self.several |= self.by.is_some_and(|first| first != caller);
                self.by.get_or_insert(caller);
            }
        }
    }

    const fn counted(&self) -> u32 {
        if self.several { self.failed.saturating_add(self.suspected) } else { self.failed }
    }
}

/// What was seen of an origin that has failed lately.
#[derive(Clone, Debug, Default)]
pub(super) struct AttemptHistory {
    /// What operators know it by.
    pub(super) name: Option<Rc<str>>,
    /// The failures since its last answer, or since it was last opened.
    row: Tally,
    /// The last requests, the newest first.
    window: [Mark; WINDOW as usize],
    /// How often it has been left alone without having been well since.
    pauses: u32,
    pub(super) open_until: Timestamp,
    /// Until when somebody tries it.
    trial_until: Timestamp,
    pub(super) touched: Timestamp,
}

impl AttemptHistory {
    /// Whether it is left alone now.
    pub(super) fn is_open(&self, now: Timestamp) -> bool {
        now < self.open_until || now < self.trial_until
    }

    /// Whether the next request tries it.
    pub(super) fn is_half_open(&self, now: Timestamp) -> bool {
        self.pauses > 0 && !self.is_open(now)
    }

    /// Whether it is left alone, is being tried, or is to be tried and was left alone until lately.
    pub(super) fn is_paused(&self, now: Timestamp, memory: Span) -> bool {
        self.pauses > 0 && now < self.open_until.max(self.trial_until).plus(memory)
    }

    /// One request tries it, which takes `timeout` at the most.
    pub(super) fn begin_trial(&mut self, timeout: Span, now: Timestamp) {
        self.trial_until = now.plus(timeout);
    }

    /// Whoever tried it has found out nothing.
    pub(super) fn end_trial(&mut self) {
        self.trial_until = Timestamp::default();
    }

    /// Counts a request; says whether anything is left to be remembered.
    pub(super) fn note(&mut self, ended: Ended, caller: u32, breaker: Breaker, now: Timestamp) -> bool {
        let mark = match ended {
            Ended::Answered => Mark::Answered,
            Ended::Failed => Mark::Failed,
            Ended::Suspected => Mark::Suspected(caller),
            Ended::Nothing => return true,
        };
        // Of a crowd that was under way when it was opened, the others tell nothing new: if each made
        // the pause longer, one fault would be as long as twelve.
        if mark != Mark::Answered && now < self.open_until {
            return true;
        }
        self.touched = now;
        self.end_trial();
        self.window.rotate_right(1);
        if let Some(newest) = self.window.first_mut() {
            *newest = mark;
        }
        if mark == Mark::Answered {
            self.row = Tally::default();
            // One good answer of an origin that was left alone closes it: what went before is over.
            let clean = self.window.iter().all(|mark| matches!(mark, Mark::None | Mark::Answered));
            return self.pauses == 0 && !clean;
        }
        self.row.add(mark);
        if self.opens(breaker) {
            let times = 1u64.checked_shl(self.pauses).unwrap_or(MOST_PAUSES).min(MOST_PAUSES);
            self.pauses = self.pauses.saturating_add(1);
            self.open_until = now.plus(Span::from_millis(breaker.pause.millis().saturating_mul(times)));
            self.row = Tally::default();
        }
        true
    }

    fn opens(&self, breaker: Breaker) -> bool {
        let failures = self.row.counted();
        if self.pauses > 0 {
            return failures > 0;
        }
        if failures >= breaker.failures {
            return true;
        }
        let mut recent = Tally::default();
        self.window.iter().for_each(|mark| recent.add(*mark));
        let is_full = self.window.last().is_some_and(|oldest| *oldest != Mark::None);
        is_full && recent.counted() * 100 > u32::from(breaker.ratio) * WINDOW
    }
}
