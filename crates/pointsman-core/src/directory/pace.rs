//! When a follower polls: often enough that its copy never grows old, and at another instant than its neighbours.

use crate::base::time::{Span, Timestamp};

/// From this `max_staleness` on nothing is polled ahead: whoever finds the copy too old polls. Then the object requests of
/// a quiet gateway stay within what the free plan allows in a day.
const POLLED_ON_DEMAND: Span = Span::from_secs(30);
/// Clocks may be this far apart.
const CLOCKS: Span = Span::from_secs(1);
/// Two requests within this time of each other are traffic, for which polling goes on.
pub const TRAFFIC: Span = Span::from_secs(20);
const USUAL: u64 = 100;

/// How old a copy may be, and what follows from that.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Pace {
    max_staleness: Span,
}

impl Pace {
    /// The pace for this `max_staleness`, which is five seconds at least.
    #[must_use]
    pub fn new(max_staleness: Span) -> Self {
        Self { max_staleness: max_staleness.max(Span::from_secs(5)) }
    }

    /// How long after a change an isolate may still answer by what was before.
    #[must_use]
    pub const fn max_staleness(self) -> Span {
        self.max_staleness
    }

    /// How old a copy may be that answers.
    #[must_use]
    pub const fn limit(self) -> Span {
        Span::from_millis(self.max_staleness.millis().saturating_sub(CLOCKS.millis()))
    }

    /// How old a head may be that a location's cache gives.
    #[must_use]
    pub const fn location_keeps(self) -> Span {
        Span::from_millis(self.max_staleness.millis() * 2 / 5)
    }

    /// How long after a poll the next one is, where there is one: three to five tenths of `max_staleness`, drawn anew each
    /// time. A fixed time would make all isolates of a location ask at once, for ever. `pace` is what the ledger asks for,
    /// in percent; nobody is slowed so far that the copy grows too old.
    #[must_use]
    pub fn next_poll(self, pace: u16, dice: &mut Dice) -> Option<Span> {
        if self.max_staleness >= POLLED_ON_DEMAND {
            return None;
        }
        let tenth = self.max_staleness.millis() / 10;
        let drawn = 3 * tenth + dice.below(2 * tenth + 1);
        let slowed = drawn * u64::from(pace).max(USUAL) / USUAL;
        Some(Span::from_millis(slowed.min(self.limit().millis() * 9 / 10)))
    }
}

/// Chance, the same again for the same seed (xorshift64*).
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Of an isolate that drew this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// A number below `bound`; 0 where that is 0.
    pub const fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        match bound {
            0 => 0,
            bound => (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16) % bound,
        }
    }
}

/// How often an isolate may ask the ledger about records that it does not find. After three asks in vain in a row the pause
/// doubles, from a second up to `max_staleness`, until the log moves: a flood of keys that nobody has costs next to nothing.
#[derive(Clone, Debug, Default)]
pub struct Asking {
    in_vain: u32,
    not_before: Timestamp,
}

/// Asks in vain that cost no pause.
const FREE_ASKS: u32 = 3;
const FIRST_PAUSE: Span = Span::from_secs(1);
/// An ask that nothing was heard of holds others up no longer.
const ASK_LEASE: Span = Span::from_secs(1);

impl Asking {
    /// Whether one may ask now.
    #[must_use]
    pub fn is_open(&self, now: Timestamp) -> bool {
        now >= self.not_before
    }

    /// Takes the one ask that may be under way.
    pub fn begin(&mut self, now: Timestamp) {
        self.not_before = now.plus(ASK_LEASE);
    }

    /// Notes what came of it.
    pub fn end(&mut self, found: bool, now: Timestamp, pace: Pace) {
        self.in_vain = if found { 0 } else { self.in_vain.saturating_add(1) };
        let doubled = self.in_vain.checked_sub(FREE_ASKS).map(|times| 1 << times.min(16));
        let pause =
            doubled.map_or(0, |times: u64| (FIRST_PAUSE.millis() * times).min(pace.max_staleness.millis()));
        self.not_before = now.plus(Span::from_millis(pause));
    }

    /// The log has moved: what was not there may be now.
    pub fn log_moved(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polls_are_spread_and_never_later_than_the_limit() {
        let pace = Pace::new(Span::from_secs(10));
        let mut dice = Dice::new(7);
        let drawn: Vec<_> = (0..1000).filter_map(|_| pace.next_poll(100, &mut dice)).collect();
        assert_eq!(drawn.len(), 1000);
        assert!(drawn.iter().all(|span| (3_000..=5_000).contains(&span.millis())));
        assert!(
            drawn.iter().any(|span| span.millis() < 3_200) && drawn.iter().any(|span| span.millis() > 4_800)
        );
        let slowed = pace.next_poll(1_000, &mut dice).unwrap();
        assert!(slowed < pace.limit(), "{slowed}: the copy would grow too old");
        assert_eq!(Pace::new(Span::from_secs(60)).next_poll(100, &mut dice), None);
    }

    #[test]
    fn asks_in_vain_grow_rare_until_the_log_moves() {
        let pace = Pace::new(Span::from_secs(10));
        let mut asking = Asking::default();
        let mut now = Timestamp::from_millis(1_785_412_800_000);
        let mut asked = 0;
        for _ in 0..60_000 {
            if asking.is_open(now) {
                asking.begin(now);
                asking.end(false, now, pace);
                asked += 1;
            }
            now = now.plus(Span::from_millis(1));
        }
        assert_eq!(asked, 3 + 4 + 4, "three, then after 1, 2, 4 and 8 seconds, then each ten");
        asking.log_moved();
        assert!(asking.is_open(now));
        asking.begin(now);
        assert!(!asking.is_open(now), "one at a time");
    }
}
