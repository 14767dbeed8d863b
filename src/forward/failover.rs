//! Which origin of a backend is tried first, which ones after it, and which is left alone for a while.
//!
//! What is known of an origin's health is what this isolate has seen of it: there is no probing, and no
//! other isolate is asked. An origin that fails is *open* for a while and tried last; then it is *half
//! open*, and one request tries it; if that goes well it is *closed* again.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use crate::{
    digest::Digest,
    time::{Span, Timestamp},
};

/// How a backend's origins are chosen from.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Balance {
    /// The first that is well, in the order of the file.
    #[default]
    Ordered,
    /// By weight, anew for each request.
    Weighted,
}

/// When an origin counts as failed, and for how long.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Breaker {
    /// Failures in a row after which it is left alone.
    pub failures: u32,
    /// Of its last [`WINDOW`] requests, how many in a hundred may fail; with 100 they never count.
    pub ratio: u8,
    /// How long it is left alone the first time; twice as long each further time, up to [`MOST_PAUSES`].
    pub pause: Span,
}

impl Default for Breaker {
    fn default() -> Self {
        Self { failures: 3, ratio: 50, pause: Span::from_secs(5) }
    }
}

/// Requests that the ratio looks back on; fewer than these say nothing.
pub const WINDOW: u32 = 20;
/// The longest pause, as a multiple of the first.
pub const MOST_PAUSES: u64 = 12;
/// Origins that failures are remembered of. Only customers could bring more, with records of their own.
const MOST_ORIGINS: usize = 4096;

/// One origin, as far as the choice goes.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Its URL, which its health is known by.
    pub key: &'a str,
    /// Where it stands.
    pub region: Option<&'a str>,
    /// Its share where the choice is by weight.
    pub weight: u32,
}

/// What a choice depends on.
#[derive(Clone, Copy, Debug)]
pub struct Choice<'a> {
    /// How origins are chosen from.
    pub balance: Balance,
    /// The regions that the client is in, the most fitting first.
    pub near: &'a [Rc<str>],
    /// The only regions that the request may go to; empty for any.
    pub within: &'a [Rc<str>],
    /// Tells one request from another, for the choice by weight.
    pub salt: &'a str,
}

/// The order in which origins are tried: within the allowed regions, the nearest first, then as the
/// balance has it; those that are left alone last. Empty where no origin is in an allowed region.
#[must_use]
pub fn order(
    candidates: &[Candidate<'_>],
    choice: Choice<'_>,
    health: &Health,
    now: Timestamp,
) -> Vec<usize> {
    let allowed = |candidate: &Candidate<'_>| {
        let is_in = |region: &Rc<str>| candidate.region == Some(region.as_ref());
        choice.within.is_empty() || choice.within.iter().any(is_in)
    };
    let rank = |candidate: &Candidate<'_>| {
        let position = choice.near.iter().position(|near| candidate.region == Some(near.as_ref()));
        position.unwrap_or(usize::MAX)
    };
    // Each is put behind those that come before it: they are a handful, and no sort is compiled in for them.
    let mut order: Vec<(bool, usize, f64, usize)> = Vec::with_capacity(candidates.len());
    for (index, candidate) in candidates.iter().enumerate().filter(|(_, candidate)| allowed(candidate)) {
        let draw = match choice.balance {
            Balance::Ordered => 0.0,
            Balance::Weighted => draw(choice.salt, index, candidate.weight),
        };
        let (open, rank) = (health.is_open(candidate.key, now), rank(candidate));
        let place = order.partition_point(|other| {
            (other.0, other.1).cmp(&(open, rank)).then(other.2.total_cmp(&draw)).is_le()
        });
        order.insert(place, (open, rank, draw, index));
    }
    order.into_iter().map(|(_, _, _, index)| index).collect()
}

/// An exponential draw: the smallest of several is each one's with a chance of its weight (Efraimidis
/// and Spirakis). A weight of 0 is drawn last.
fn draw(salt: &str, index: usize, weight: u32) -> f64 {
    if weight == 0 {
        return f64::INFINITY;
    }
    #[allow(clippy::cast_precision_loss)] // 53 bits are plenty
    let uniform =
        (Digest::of(format!("{salt}\0{index}").as_bytes()).prefix() >> 11) as f64 / (1u64 << 53) as f64;
    -(1.0 - uniform).ln() / f64::from(weight)
}

/// What this isolate has seen of origins. Of those that are well nothing is kept.
#[derive(Debug, Default)]
pub struct Health {
    origins: RefCell<HashMap<Rc<str>, Seen>>,
    budget: RefCell<RetryBudget>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    in_a_row: u32,
    /// The last outcomes, the newest in the lowest bit; a set bit is a failure.
    outcomes: u32,
    count: u32,
    /// How often it has been left alone without having been well since.
    pauses: u32,
    open_until: Timestamp,
    /// Until when somebody tries it.
    trial_until: Timestamp,
}

/// How a request to an origin ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// It answered.
    Answered,
    /// It did not, or with a status that counts as a failure.
    Failed,
}

impl Health {
    /// Whether an origin is left alone now.
    #[must_use]
    pub fn is_open(&self, key: &str, now: Timestamp) -> bool {
        let origins = self.origins.borrow();
        origins.get(key).is_some_and(|seen| now < seen.open_until || now < seen.trial_until)
    }

    /// Whether failures of an origin are remembered: then its successes count too.
    #[must_use]
    pub fn is_watched(&self, key: &str) -> bool {
        self.origins.borrow().contains_key(key)
    }

    /// Notes that a request goes to `key`, which takes `timeout` at the most: while it is half open, it
    /// is the only one.
    pub fn begin(&self, key: &str, timeout: Span, now: Timestamp) {
        if let Some(seen) = self.origins.borrow_mut().get_mut(key)
            && seen.pauses > 0
            && now >= seen.open_until
        {
            seen.trial_until = now.plus(timeout);
        }
    }

    /// Notes how a request to `key` ended.
    pub fn note(&self, key: &str, outcome: Outcome, breaker: Breaker, now: Timestamp) {
        let mut origins = self.origins.borrow_mut();
        if outcome == Outcome::Answered && !origins.contains_key(key) {
            return;
        }
        if origins.len() >= MOST_ORIGINS && !origins.contains_key(key) {
            origins.retain(|_, seen| now < seen.open_until);
            if origins.len() >= MOST_ORIGINS {
                return;
            }
        }
        let seen = origins.entry(Rc::from(key)).or_default();
        let failed = outcome == Outcome::Failed;
        // Of a crowd that was under way when it was opened, the others tell nothing new: if each made
        // the pause longer, one fault would be as long as twelve.
        if failed && now < seen.open_until {
            return;
        }
        seen.trial_until = Timestamp::default();
        seen.outcomes = seen.outcomes << 1 | u32::from(failed);
        seen.count = seen.count.saturating_add(1).min(WINDOW);
        if !failed {
            // One good answer of an origin that was left alone closes it: what went before is over.
            let clean = seen.outcomes & ((1 << WINDOW) - 1) == 0;
            if seen.pauses > 0 || clean {
                origins.remove(key);
            } else {
                seen.in_a_row = 0;
            }
            return;
        }
        seen.in_a_row = seen.in_a_row.saturating_add(1);
        let recent = (seen.outcomes & ((1 << WINDOW) - 1)).count_ones();
        let too_many = seen.count >= WINDOW && recent * 100 > u32::from(breaker.ratio) * WINDOW;
        if seen.pauses > 0 || seen.in_a_row >= breaker.failures || too_many {
            let times = 1u64.checked_shl(seen.pauses).unwrap_or(MOST_PAUSES).min(MOST_PAUSES);
            seen.pauses = seen.pauses.saturating_add(1);
            seen.open_until = now.plus(Span::from_millis(breaker.pause.millis().saturating_mul(times)));
        }
    }

    /// Whether another attempt may be made, of a request whose first one failed.
    #[must_use]
    pub fn may_retry(&self) -> bool {
        self.budget.borrow_mut().take()
    }

    /// Counts a request, which lets a share of another be tried again.
    pub fn count_request(&self) {
        self.budget.borrow_mut().earn();
    }

    /// The origins that are left alone now, for operators.
    #[must_use]
    pub fn open(&self, now: Timestamp) -> Vec<(Rc<str>, Timestamp)> {
        let origins = self.origins.borrow();
        let open = origins.iter().filter(|(_, seen)| now < seen.open_until);
        let mut sorted: Vec<(Rc<str>, Timestamp)> = Vec::new();
        for (key, seen) in open {
            let place = sorted.partition_point(|(other, _)| other < key);
            sorted.insert(place, (Rc::clone(key), seen.open_until));
        }
        sorted
    }
}

/// Keeps an outage from being multiplied: of a hundred requests at most twenty are tried again, and ten
/// beyond that where there are few.
#[derive(Debug)]
struct RetryBudget {
    /// In hundredths of a retry.
    left: u32,
}

const RETRY: u32 = 100;
const EARNED: u32 = 20;
const MOST_LEFT: u32 = 10 * RETRY;

impl Default for RetryBudget {
    fn default() -> Self {
        Self { left: MOST_LEFT }
    }
}

impl RetryBudget {
    fn earn(&mut self) {
        self.left = self.left.saturating_add(EARNED).min(MOST_LEFT);
    }

    fn take(&mut self) -> bool {
        let enough = self.left >= RETRY;
        if enough {
            self.left -= RETRY;
        }
        enough
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000).plus(Span::from_secs(seconds))
    }

    const B: Breaker = Breaker { failures: 3, ratio: 50, pause: Span::from_secs(5) };
    const ANYWHERE: Choice<'_> = Choice { balance: Balance::Ordered, near: &[], within: &[], salt: "" };

    fn origin<'a>(key: &'a str, region: &'a str, weight: u32) -> Candidate<'a> {
        Candidate { key, region: (!region.is_empty()).then_some(region), weight }
    }

    fn fail(health: &Health, key: &str, times: u32, now: Timestamp) {
        for _ in 0..times {
            health.note(key, Outcome::Failed, B, now);
        }
    }

    #[test]
    fn closed_then_open_then_half_open_then_closed() {
        let health = Health::default();
        fail(&health, "a", 2, at(0));
        assert!(!health.is_open("a", at(0)));
        fail(&health, "a", 1, at(0));
        assert!(health.is_open("a", at(4)));
        assert!(!health.is_open("a", at(5)), "half open");
        health.begin("a", Span::from_secs(2), at(5));
        assert!(health.is_open("a", at(6)), "one tries, others do not");
        assert!(!health.is_open("a", at(7)), "whoever tried has not come back");
        health.begin("a", Span::from_secs(2), at(7));
        health.note("a", Outcome::Answered, B, at(7));
        assert!(!health.is_open("a", at(7)) && !health.is_watched("a"), "closed, and nothing is kept");
    }

    #[test]
    fn each_further_pause_is_twice_as_long_up_to_a_minute() {
        let health = Health::default();
        fail(&health, "a", 3, at(0));
        let mut now = 0;
        let mut pauses = Vec::new();
        for _ in 0..6 {
            let begin = now;
            while health.is_open("a", at(now)) {
                now += 1;
            }
            pauses.push(now - begin);
            health.begin("a", Span::from_secs(1), at(now));
            health.note("a", Outcome::Failed, B, at(now));
        }
        assert_eq!(pauses, [5, 10, 20, 40, 60, 60]);
    }

    #[test]
    fn a_crowd_that_was_under_way_is_one_failure() {
        let health = Health::default();
        fail(&health, "a", 100, at(0));
        assert!(health.is_open("a", at(4)) && !health.is_open("a", at(5)));
    }

    #[test]
    fn more_than_half_of_its_requests_failing_opens_it_too() {
        let health = Health::default();
        for number in 0..WINDOW {
            let outcome = if number % 2 == 0 { Outcome::Failed } else { Outcome::Answered };
            health.note("a", outcome, B, at(0));
        }
        health.note("a", Outcome::Failed, B, at(0));
        assert!(!health.is_open("a", at(0)), "half of them may fail");
        health.note("a", Outcome::Failed, B, at(0));
        assert!(health.is_open("a", at(0)), "never three in a row");
        let health = Health::default();
        for number in 0..100 {
            let outcome = if number % 5 == 0 { Outcome::Failed } else { Outcome::Answered };
            health.note("b", outcome, B, at(0));
        }
        assert!(!health.is_open("b", at(0)), "one in five is not");
        let never = Breaker { failures: 1_000_000, ratio: 100, ..B };
        for _ in 0..1000 {
            health.note("c", Outcome::Failed, never, at(0));
        }
        assert!(!health.is_open("c", at(0)), "all of them may fail");
    }

    #[test]
    fn what_is_open_is_tried_last_and_near_before_far() {
        let origins =
            [origin("us", "na", 1), origin("de", "eu", 1), origin("fr", "eu", 1), origin("any", "", 1)];
        let near = [Rc::from("eu")];
        let health = Health::default();
        let order = |choice| order(&origins, choice, &health, at(0));
        assert_eq!(order(ANYWHERE), [0, 1, 2, 3]);
        assert_eq!(order(Choice { near: &near, ..ANYWHERE }), [1, 2, 0, 3]);
        fail(&health, "de", 3, at(0));
        assert_eq!(order(Choice { near: &near, ..ANYWHERE }), [2, 0, 3, 1]);
        let within = [Rc::from("eu")];
        assert_eq!(order(Choice { within: &within, ..ANYWHERE }), [2, 1], "never elsewhere");
        let nowhere = [Rc::from("as")];
        assert_eq!(order(Choice { within: &nowhere, ..ANYWHERE }), [0; 0]);
    }

    #[test]
    fn weights_are_shares_of_the_requests() {
        let origins = [origin("a", "", 3), origin("b", "", 1), origin("c", "", 0)];
        let health = Health::default();
        let mut first = [0u32; 3];
        for request in 0..10_000 {
            let salt = format!("request-{request}");
            let order = order(
                &origins,
                Choice { balance: Balance::Weighted, salt: &salt, ..ANYWHERE },
                &health,
                at(0),
            );
            assert_eq!(order.len(), 3);
            first[order[0]] += 1;
        }
        assert!((7300..7700).contains(&first[0]) && first[2] == 0, "{first:?}");
    }

    #[test]
    fn retries_are_a_share_of_the_requests() {
        let health = Health::default();
        let allowed = (0..1000).filter(|_| health.may_retry()).count();
        assert_eq!(allowed, 10);
        let allowed = (0..1000).filter(|_| {
            health.count_request();
            health.may_retry()
        });
        assert_eq!(allowed.count(), 200);
    }

    #[test]
    fn a_flood_of_failing_origins_is_bounded() {
        let health = Health::default();
        for number in 0..20_000 {
            health.note(&format!("origin-{number}"), Outcome::Failed, B, at(number / 1000));
        }
        assert!(health.origins.borrow().len() <= MOST_ORIGINS);
    }

    proptest! {
        /// Whatever happened: every allowed origin is tried once, and none outside the allowed regions.
        #[test]
        fn every_allowed_origin_is_tried_once(
            regions in prop::collection::vec(0u8..4, 1..6),
            within in prop::collection::vec(0u8..4, 0..3),
            failures in prop::collection::vec(0usize..6, 0..30),
            weighted in any::<bool>(),
            salt in "[a-z]{0,4}",
        ) {
            let keys: Vec<_> = (0..regions.len()).map(|index| format!("o{index}")).collect();
            let name = |region: u8| ["eu", "na", "as", ""][usize::from(region)];
            let candidates: Vec<_> =
                keys.iter().zip(&regions).map(|(key, region)| origin(key, name(*region), 1)).collect();
            let within: Vec<Rc<str>> = within.into_iter().map(|region| Rc::from(name(region))).collect();
            let health = Health::default();
            for failure in failures {
                health.note(&format!("o{failure}"), Outcome::Failed, B, at(0));
            }
            let balance = if weighted { Balance::Weighted } else { Balance::Ordered };
            let mut order = order(&candidates, Choice { balance, near: &[], within: &within, salt: &salt }, &health, at(0));
            order.sort_unstable();
            let expected: Vec<_> = (0..candidates.len())
                .filter(|index| {
                    let region = candidates[*index].region;
                    within.is_empty() || region.is_some_and(|region| within.iter().any(|own| **own == *region))
                })
                .collect();
            prop_assert_eq!(order, expected);
        }
    }
}
