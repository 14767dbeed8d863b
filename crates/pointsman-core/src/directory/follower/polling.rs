//! When a follower polls, and whether its copy may answer meanwhile.

use super::{Currency, Follower};
use crate::{
    base::time::{Span, Timestamp},
    directory::pace::TRAFFIC,
};

/// A request takes over from one that has gone on polling for so long.
const TAKE_OVER: Span = Span::from_secs(5);
/// A poll that nothing was heard of holds others up no longer.
const POLL_LEASE: Span = Span::from_secs(1);
/// After a poll that failed the next one is this much later; twice as long after each further one, up to sixteen times.
const POLL_PAUSE: Span = Span::from_millis(500);

impl Follower {
    /// Whether the copy may answer at `now`. While the ledger is silent, the last state counts for `stale`. One that answers
    /// in a later format is none of that: it writes what it knows to KV.
    #[must_use]
    pub fn currency(&self, now: Timestamp, stale: Span) -> Currency {
        match self.currency_of_last(now, stale) {
            Currency::Silent | Currency::Closed | Currency::Unknown if self.is_behind_format => {
                Currency::Newer
            }
            currency => currency,
        }
    }

    /// The same for what KV does not have, so that the last state is all that there is.
    #[must_use]
    pub fn currency_of_last(&self, now: Timestamp, stale: Span) -> Currency {
        let Some(known_at) = self.known_at() else {
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
}
