//! Which origin of a backend is tried first, which ones after it, and which is left alone for a while.
//!
//! What is known of an origin's health is what this isolate has seen of it: there is no probing, and no
//! other isolate is asked. An origin that fails is *open* for a while and tried last; then it is *half
//! open*, and one request tries it; if that goes well it is *closed* again.

use std::rc::Rc;

mod breaker;
mod budget;
mod health;

pub use self::{
    breaker::Ended,
    health::{Health, Watched},
};
use crate::base::{
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
/// One origin, as far as the choice goes.
#[derive(Clone, Copy, Debug)]
pub struct OriginCandidate<'a> {
    /// Its backend and its URL, which its health is known by: see [`Watched`].
    pub key: &'a str,
    /// Where it stands.
    pub region: Option<&'a str>,
    /// Its share where the choice is by weight.
    pub weight: u32,
}

/// What a choice depends on.
#[derive(Clone, Copy, Debug)]
pub struct Selection<'a> {
    /// How origins are chosen from.
    pub balance: Balance,
    /// The regions that the client is in, the most fitting first.
    pub near: &'a [Rc<str>],
    /// The only regions that the request may go to; empty for any.
    pub within: &'a [Rc<str>],
    /// Tells one request from another, for the choice by weight.
    pub salt: &'a str,
    /// Who asks, as in [`Watched`].
    pub caller: &'a str,
}

/// The order in which origins are tried: within the allowed regions, the nearest first, then as the
/// balance has it; those that are left alone last. Empty where no origin is in an allowed region.
#[must_use]
pub fn order(
    candidates: &[OriginCandidate<'_>],
    choice: Selection<'_>,
    health: &Health,
    now: Timestamp,
) -> Vec<usize> {
    let allowed = |candidate: &OriginCandidate<'_>| {
        let is_in = |region: &Rc<str>| candidate.region == Some(region.as_ref());
        choice.within.is_empty() || choice.within.iter().any(is_in)
    };
    let rank = |candidate: &OriginCandidate<'_>| {
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
        let watched = Watched { key: candidate.key, caller: choice.caller };
        let (open, rank) = (health.is_open(watched, now), rank(candidate));
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(1_800_000_000_000).plus(Span::from_secs(seconds))
    }

    const B: Breaker = Breaker { failures: 3, ratio: 50, pause: Span::from_secs(5) };
    const ANYWHERE: Selection<'_> =
        Selection { balance: Balance::Ordered, near: &[], within: &[], salt: "", caller: "" };

    fn origin<'a>(key: &'a str, region: &'a str, weight: u32) -> OriginCandidate<'a> {
        OriginCandidate { key, region: (!region.is_empty()).then_some(region), weight }
    }

    fn fail(health: &Health, key: &str, times: u32, now: Timestamp) {
        for _ in 0..times {
            health.note(Watched { key, caller: "" }, Ended::Failed, B, now);
        }
    }

    #[test]
    fn what_is_open_is_tried_last_and_near_before_far() {
        let origins =
            [origin("us", "na", 1), origin("de", "eu", 1), origin("fr", "eu", 1), origin("any", "", 1)];
        let near = [Rc::from("eu")];
        let health = Health::default();
        let order = |choice| order(&origins, choice, &health, at(0));
        assert_eq!(order(ANYWHERE), [0, 1, 2, 3]);
        assert_eq!(order(Selection { near: &near, ..ANYWHERE }), [1, 2, 0, 3]);
        fail(&health, "de", 3, at(0));
        assert_eq!(order(Selection { near: &near, ..ANYWHERE }), [2, 0, 3, 1]);
        let within = [Rc::from("eu")];
        assert_eq!(order(Selection { within: &within, ..ANYWHERE }), [2, 1], "never elsewhere");
        let nowhere = [Rc::from("as")];
        assert_eq!(order(Selection { within: &nowhere, ..ANYWHERE }), [0; 0]);
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
                Selection { balance: Balance::Weighted, salt: &salt, ..ANYWHERE },
                &health,
                at(0),
            );
            assert_eq!(order.len(), 3);
            first[order[0]] += 1;
        }
        assert!((7300..7700).contains(&first[0]) && first[2] == 0, "{first:?}");
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
                let key = &format!("o{failure}");
                health.note(Watched { key, caller: "" }, Ended::Failed, B, at(0));
            }
            let balance = if weighted { Balance::Weighted } else { Balance::Ordered };
            let mut order = order(&candidates, Selection { balance, near: &[], within: &within, salt: &salt, caller: "" }, &health, at(0));
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
