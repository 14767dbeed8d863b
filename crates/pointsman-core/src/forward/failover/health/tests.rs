use proptest::prelude::*;

use super::*;
use crate::forward::failover::WINDOW;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000).plus(Span::from_secs(seconds))
}

const B: Breaker = Breaker { failures: 3, ratio: 50, pause: Span::from_secs(5) };
const ROW_ONLY: Breaker = Breaker { ratio: 100, ..B };

/// A customer's own backend: all its callers are one.
const OWN: Watched<'_> = Watched { key: "customer acme\nhttps://a.example.com", caller: "" };
/// One backend, two callers.
const ANNA: Watched<'_> = Watched { key: "backend b\nhttps://a.example.com", caller: "aaaaaaaaaaaaaaaa" };
const BERT: Watched<'_> = Watched { key: "backend b\nhttps://a.example.com", caller: "bbbbbbbbbbbbbbbb" };
const CARL: Watched<'_> = Watched { key: "backend b\nhttps://a.example.com", caller: "cccccccccccccccc" };

fn note(health: &Health, whose: Watched<'_>, ended: Ended, times: u32, now: Timestamp) {
    for _ in 0..times {
        health.note(whose, ended, B, now);
    }
}

#[test]
fn closed_then_open_then_half_open_then_closed() {
    let health = Health::default();
    note(&health, OWN, Ended::Failed, 2, at(0));
    assert!(!health.is_open(OWN, at(0)));
    note(&health, OWN, Ended::Failed, 1, at(0));
    assert!(health.is_open(OWN, at(4)) && !health.is_half_open(OWN, at(4)));
    assert!(!health.is_open(OWN, at(5)) && health.is_half_open(OWN, at(5)));
    health.begin(OWN, Span::from_secs(2), at(5));
    assert!(health.is_open(OWN, at(6)), "one tries, others do not");
    assert!(!health.is_open(OWN, at(7)), "whoever tried has not come back");
    health.begin(OWN, Span::from_secs(2), at(7));
    note(&health, OWN, Ended::Answered, 1, at(7));
    assert!(!health.is_open(OWN, at(7)) && health.all.borrow().0.is_empty(), "closed, and nothing is kept");
}

#[test]
fn each_further_pause_is_twice_as_long_up_to_a_minute() {
    for whose in [OWN, ANNA] {
        let health = Health::default();
        note(&health, whose, Ended::Failed, 3, at(0));
        let mut now = 0;
        let mut pauses = Vec::new();
        for _ in 0..6 {
            let begin = now;
            while health.is_open(whose, at(now)) {
                now += 1;
            }
            pauses.push(now - begin);
            health.begin(whose, Span::from_secs(1), at(now));
            note(&health, whose, Ended::Failed, 1, at(now));
        }
        assert_eq!(pauses, [5, 10, 20, 40, 60, 60]);
    }
}

#[test]
fn a_crowd_that_was_under_way_is_one_failure() {
    let health = Health::default();
    note(&health, ANNA, Ended::Failed, 100, at(0));
    assert!(health.is_open(BERT, at(4)) && !health.is_open(BERT, at(5)));
}

#[test]
fn more_than_half_of_its_requests_failing_opens_it_too() {
    let health = Health::default();
    for number in 0..WINDOW {
        let ended = if number % 2 == 0 { Ended::Failed } else { Ended::Answered };
        note(&health, OWN, ended, 1, at(0));
    }
    note(&health, OWN, Ended::Failed, 1, at(0));
    assert!(!health.is_open(OWN, at(0)), "half of them may fail");
    note(&health, OWN, Ended::Failed, 1, at(0));
    assert!(health.is_open(OWN, at(0)), "never three in a row");
    let health = Health::default();
    for number in 0..100 {
        let ended = if number % 5 == 0 { Ended::Failed } else { Ended::Answered };
        note(&health, OWN, ended, 1, at(0));
    }
    assert!(!health.is_open(OWN, at(0)), "one in five is not");
    let never = Breaker { failures: 1_000_000, ratio: 100, ..B };
    for _ in 0..1000 {
        health.note(OWN, Ended::Failed, never, at(0));
    }
    assert!(!health.is_open(OWN, at(0)), "all of them may fail");
}

#[test]
fn what_one_caller_may_have_brought_about_counts_for_that_caller_alone() {
    let health = Health::default();
    note(&health, ANNA, Ended::Suspected, 100, at(0));
    assert!(health.is_open(ANNA, at(0)), "its own requests go elsewhere");
    assert!(!health.is_open(BERT, at(0)) && health.open(at(0)).is_empty());
    // Of the last twenty, too: every other one of them a slow one.
    let health = Health::default();
    for _ in 0..100 {
        note(&health, ANNA, Ended::Suspected, 1, at(0));
        note(&health, CARL, Ended::Answered, 1, at(0));
    }
    assert!(!health.is_open(BERT, at(0)));
}

#[test]
fn what_two_callers_met_counts_for_all() {
    let health = Health::default();
    note(&health, ANNA, Ended::Suspected, 2, at(0));
    note(&health, BERT, Ended::Suspected, 1, at(0));
    assert!(health.is_open(CARL, at(0)));
    let [(name, _)] = health.open(at(0)).try_into().unwrap();
    assert_eq!(&*name, ANNA.key);
}

#[test]
fn what_no_client_can_bring_about_counts_for_all_at_once() {
    let health = Health::default();
    note(&health, ANNA, Ended::Failed, 3, at(0));
    assert!(health.is_open(BERT, at(0)));
}

#[test]
fn a_trial_of_one_caller_that_proves_nothing_keeps_it_from_nobody() {
    let health = Health::default();
    note(&health, ANNA, Ended::Failed, 3, at(0));
    health.begin(BERT, Span::from_secs(30), at(5));
    assert!(health.is_open(CARL, at(5)));
    note(&health, BERT, Ended::Suspected, 1, at(6));
    assert!(health.is_half_open(CARL, at(6)), "the next one tries it");
    health.begin(CARL, Span::from_secs(30), at(6));
    note(&health, CARL, Ended::Suspected, 1, at(7));
    assert!(
        health.is_open(BERT, at(16)) && !health.is_open(BERT, at(17)),
        "two have met it: twice the pause"
    );
}

#[test]
fn a_trial_ends_with_the_request_that_tries_it() {
    for whose in [OWN, ANNA] {
        for ended in [Ended::Nothing, Ended::Answered] {
            let health = Health::default();
            note(&health, whose, Ended::Failed, 3, at(0));
            health.begin(whose, Span::from_secs(30), at(5));
            assert!(health.is_open(whose, at(6)));
            note(&health, whose, ended, 1, at(6));
            assert!(!health.is_open(whose, at(6)), "{ended:?}");
        }
    }
}

#[test]
fn customers_who_share_an_origin_share_nothing_of_its_breaker() {
    let health = Health::default();
    let other = Watched { key: "customer other\nhttps://a.example.com", caller: "" };
    note(&health, OWN, Ended::Suspected, 3, at(0));
    assert!(health.is_open(OWN, at(0)), "nobody else is harmed");
    assert!(!health.is_open(other, at(0)));
}

#[test]
fn retries_are_a_share_of_the_requests() {
    let health = Health::default();
    let allowed = (0..1000).filter(|_| health.may_retry(OWN, at(0))).count();
    assert_eq!(allowed, 10);
    let allowed = (0..1000).filter(|_| {
        health.begin(OWN, Span::from_secs(1), at(0));
        health.may_retry(OWN, at(0))
    });
    assert_eq!(allowed.count(), 200);
}

#[test]
fn retries_of_all_have_a_ceiling_that_no_caller_reaches_alone() {
    let health = Health::default();
    let caller = |number: usize| format!("{number:016x}");
    let whose = |caller: &str, health: &Health| health.may_retry(Watched { caller, ..ANNA }, at(0));
    let allowed = (0..1000).filter(|number| whose(&caller(number % 100), &health)).count();
    assert_eq!(allowed, 100, "an outage of everything is not multiplied");
    let health = Health::default();
    for _ in 0..10_000 {
        health.begin(ANNA, Span::from_secs(1), at(0));
        let _ = health.may_retry(ANNA, at(0));
    }
    assert_eq!((0..100).filter(|_| whose(BERT.caller, &health)).count(), 10, "another has all of its own");
}

#[test]
fn a_flood_of_failing_origins_and_callers_is_bounded_and_evicts_none_that_is_left_alone() {
    let health = Health::default();
    note(&health, ANNA, Ended::Suspected, 3, at(0));
    note(&health, OWN, Ended::Failed, 3, at(0));
    for _ in 0..10 {
        assert!(health.may_retry(ANNA, at(0)));
    }
    for number in 0..6000u64 {
        let (key, caller) = (format!("customer {number}\nhttps://a.example.com"), format!("{number:016x}"));
        let now = at(number / 3000);
        note(&health, Watched { key: &key, caller: "" }, Ended::Failed, 1, now);
        note(&health, Watched { caller: &caller, ..ANNA }, Ended::Suspected, 1, now);
        health.begin(Watched { caller: &caller, ..ANNA }, Span::from_secs(1), now);
        let _ = health.may_retry(Watched { caller: &caller, ..ANNA }, now);
    }
    assert!(health.all.borrow().0.len() <= MOST_ORIGINS && health.own.borrow().0.len() <= MOST_ORIGINS);
    assert!(health.budgets.borrow().len() <= MOST_ORIGINS);
    assert!(health.is_open(OWN, at(4)) && health.own.borrow().0.contains_key(&ANNA.by_caller()));
    assert!(!health.may_retry(ANNA, at(2)), "what was spent stays spent");
}

/// What a customer meets at its own backend, or a caller at one that is shared.
#[derive(Clone, Copy, Debug)]
struct Step {
    first: bool,
    ended: Ended,
    retries: bool,
    seconds: u64,
}

fn step(ended: impl Strategy<Value = Ended>) -> impl Strategy<Value = Step> {
    (any::<bool>(), ended, any::<bool>(), 0u64..4).prop_map(|(first, ended, retries, seconds)| Step {
        first,
        ended,
        retries,
        seconds,
    })
}

/// What one of two sees of an isolate, and what it would see alone.
fn views(steps: &[(Step, Watched<'_>)], of: &str, breaker: Breaker) -> [Vec<(bool, bool, bool)>; 2] {
    [false, true].map(|alone| {
        let (health, mut now) = (Health::default(), 0);
        let mut seen = Vec::new();
        for (step, whose) in steps {
            now += step.seconds;
            let is_its_own = format!("{}{}", whose.key, whose.caller) == of;
            if alone && !is_its_own {
                continue;
            }
            let (open, tries) = (health.is_open(*whose, at(now)), health.is_half_open(*whose, at(now)));
            if open && is_its_own {
                seen.push((open, tries, false));
                continue;
            }
            health.begin(*whose, Span::from_secs(3), at(now));
            health.note(*whose, step.ended, breaker, at(now));
            let another = step.retries && health.may_retry(*whose, at(now));
            if is_its_own {
                seen.push((open, tries, another));
            }
        }
        seen
    })
}

proptest! {
    /// Whatever one customer's origins do, the other's requests go where they would go alone.
    #[test]
    fn customers_are_served_as_if_alone(
        steps in prop::collection::vec(step(prop::sample::select(vec![
            Ended::Answered, Ended::Failed, Ended::Suspected, Ended::Nothing,
        ])), 0..200),
        same_url in any::<bool>(),
    ) {
        let other = if same_url { "customer b\nhttps://a.example.com" } else { "customer b\nhttps://b.example.com" };
        let whose = |first| Watched { key: if first { OWN.key } else { other }, caller: "" };
        let steps: Vec<_> = steps.into_iter().map(|step| (step, whose(step.first))).collect();
        for of in [OWN.key, other] {
            let [together, alone] = views(&steps, of, B);
            prop_assert_eq!(together, alone);
        }
    }

    /// Whatever one caller of a shared backend asks for that is slow or answered badly, the other's requests go
    /// where they would go alone.
    #[test]
    fn callers_are_served_as_if_alone(
        steps in prop::collection::vec(step(prop::sample::select(vec![
            Ended::Answered, Ended::Failed, Ended::Suspected, Ended::Nothing,
        ])), 0..200),
    ) {
        let steps: Vec<_> = steps.into_iter().map(|step| match (step.first, step.ended) {
            // The one: all that a caller can bring about.
            (true, Ended::Failed) => (Step { ended: Ended::Suspected, ..step }, ANNA),
            (true, _) => (step, ANNA),
            // The other: an origin that is really down, at times.
            (false, Ended::Suspected) => (Step { ended: Ended::Failed, ..step }, BERT),
            (false, _) => (step, BERT),
        }).collect();
        let [together, alone] = views(&steps, &format!("{}{}", BERT.key, BERT.caller), ROW_ONLY);
        let opens = |seen: &[(bool, bool, bool)]| seen.iter().map(|(open, _, another)| (*open, *another)).collect::<Vec<_>>();
        prop_assert_eq!(opens(&together), opens(&alone));
    }
}
