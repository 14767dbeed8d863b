//! The simulator behind docs/scale.md: the same for the same seed, and in agreement with what can be
//! worked out on paper without a simulator.
#![allow(missing_docs, dead_code, clippy::expect_used, clippy::indexing_slicing, clippy::unwrap_used)]

#[path = "../examples/scale/model.rs"]
mod model;
#[path = "../examples/scale/random.rs"]
mod random;
#[path = "../examples/scale/refresh.rs"]
mod refresh;
#[path = "../examples/scale/typical.rs"]
mod typical;

use model::{Scenario, Source, Tally, run};
use pointsman_core::base::{freshness::Lifetimes, time::Span};
use random::{Random, Zipf};

/// One isolate that lives for ever.
fn one_isolate(customers: u64, rate: f64, seconds: u64) -> Scenario {
    let scenario = typical::scenario(7, customers, Source::Operators).unwrap();
    Scenario {
        colos: 1,
        isolates: 1,
        rate,
        lifetime: None,
        warm_up: Span::from_secs(seconds / 2),
        measured: Span::from_secs(seconds),
        ..scenario
    }
}

/// The shares of all requests, largest first.
fn shares(scenario: &Scenario) -> Vec<f64> {
    let weights: Vec<f64> =
        (1..=scenario.customers).map(|rank| (rank as f64).powf(-scenario.exponent)).collect();
    let total: f64 = weights.iter().sum();
    weights.iter().map(|weight| weight / total).collect()
}

fn assert_near(simulated: f64, expected: f64, tolerance: f64, what: &str) {
    assert!((simulated - expected).abs() < tolerance, "{what}: simulated {simulated}, on paper {expected}");
}

#[test]
fn the_same_seed_gives_the_same_counts() {
    let scenario = |seed| {
        let scenario = typical::scenario(seed, 10_000, Source::ById).unwrap();
        let (warm_up, measured) = (Span::from_secs(60), Span::from_secs(120));
        run(&Scenario { rate: 100.0, warm_up, measured, ..scenario })
    };
    assert_eq!(scenario(1), scenario(1));
    assert_ne!(scenario(1), scenario(2));
}

#[test]
fn ranks_are_drawn_as_often_as_zipf_has_it() {
    for exponent in [0.0, 0.8, 1.0, 1.3] {
        let (zipf, mut random, draws) = (Zipf::new(1000, exponent), Random::new(3), 20_000);
        let mut counts = [0u32; 1001];
        for _ in 0..draws {
            counts[usize::try_from(zipf.draw(&mut random)).unwrap()] += 1;
        }
        let total = (1..=1000).map(|rank| f64::from(rank).powf(-exponent)).sum::<f64>();
        for head in [1, 10, 100] {
            let drawn = counts[1..=head].iter().sum::<u32>();
            let expected = (1..=head).map(|rank| (rank as f64).powf(-exponent)).sum::<f64>() / total;
            assert_near(f64::from(drawn) / f64::from(draws), expected, 0.015, "share of the head");
        }
    }
}

/// On paper, for a customer who calls `l` times a second at random. A load makes an entry that is used as
/// it is for `f` seconds; the first request after that loads it again: behind its response up to `r`, and
/// before its response after that. So from load to load there are `1 + l f` requests, and one of them
/// waits with the probability of nobody calling between `f` and `r`.
fn on_paper(scenario: &Scenario, lifetimes: &Lifetimes) -> (f64, f64) {
    let seconds = |span: Span| span.millis() as f64 / 1000.0;
    let (fresh, revalidate) = (seconds(lifetimes.fresh), seconds(lifetimes.revalidate));
    let each = shares(scenario).into_iter().map(|share| {
        let rate = share * scenario.rate;
        let loads = 1.0 / (1.0 + rate * fresh);
        (share * loads, share * loads * (-rate * (revalidate - fresh)).exp())
    });
    let (loads, waits) = each.fold((0.0, 0.0), |sum, each| (sum.0 + each.0, sum.1 + each.1));
    (loads, 1.0 - waits)
}

#[test]
fn where_nothing_is_evicted_the_cache_does_what_renewal_theory_says() {
    let mut scenario = one_isolate(300, 20.0, 2000);
    scenario.records.policy.lifetimes = Lifetimes::swift(Span::from_secs(20), Span::from_secs(60));
    let tally = run(&scenario);
    assert_eq!((tally.keys_held, tally.customers_held), (300, 300), "room for all");
    let (loads, hits) = on_paper(&scenario, &scenario.keys.policy.lifetimes);
    assert_near(tally.per_request(tally.key_reads), loads, 0.01, "reads of keys");
    assert_near(tally.per_request(tally.key_hits), hits, 0.01, "keys hit");
    let (loads, hits) = on_paper(&scenario, &scenario.records.policy.lifetimes);
    assert_near(tally.per_request(tally.customer_reads), loads, 0.01, "reads of customers");
    assert_near(tally.per_request(tally.customer_hits), hits, 0.01, "customers hit");
}

/// The hit ratio of a cache with room for `room` entries by Che's approximation: an entry lives for a
/// time that is the same for all, and such that as many live as there is room for. `lives` is the
/// probability that an entry lives which is asked for this many times in that time.
fn che(shares: &[f64], room: f64, lives: impl Fn(f64) -> f64) -> f64 {
    let held = |time: f64| shares.iter().map(|share| lives(share * time)).sum::<f64>();
    let (mut low, mut high) = (0.0, 1e9);
    for _ in 0..100 {
        let middle = (low + high) / 2.0;
        if held(middle) < room { low = middle } else { high = middle }
    }
    shares.iter().map(|share| share * lives(share * low)).sum()
}

#[test]
fn where_room_is_short_the_cache_does_better_than_lru_and_no_better_than_is_possible() {
    let mut scenario = one_isolate(10_000, 50.0, 1000);
    // Nothing grows old here: all that is missed was evicted.
    let never = Span::from_secs(1_000_000);
    scenario.records.policy.lifetimes = Lifetimes::swift(never, never);
    scenario.records.budget = 256 << 10;
    let tally = run(&scenario);
    let hits = tally.per_request(tally.customer_hits);
    let (shares, room) = (shares(&scenario), tally.customers_held as f64);
    assert!((100.0..2000.0).contains(&room), "{room} entries");
    let fifo = che(&shares, room, |asked| asked / (1.0 + asked));
    let lru = che(&shares, room, |asked| 1.0 - (-asked).exp());
    let ideal: f64 = shares.iter().take(tally.customers_held).sum();
    assert!(fifo < lru && lru < ideal, "{fifo} {lru} {ideal}");
    assert!((lru - 0.01..ideal + 0.01).contains(&hits), "FIFO {fifo}, LRU {lru}, here {hits}, ideal {ideal}");
}

#[test]
fn the_scheduled_refresh_leaves_no_question_to_requests() {
    let tally = |source| {
        let scenario = typical::scenario(7, 1000, source).unwrap();
        let (warm_up, measured) = (Span::from_secs(600), Span::from_secs(1200));
        run(&Scenario { colos: 2, isolates: 2, rate: 20.0, warm_up, measured, ..scenario })
    };
    let asked = |tally: Tally| (tally.loads, tally.runs);
    assert_eq!(asked(tally(Source::Operators)), (0, 0));
    assert_eq!(asked(tally(Source::Scheduled(Span::from_secs(120)))), (0, 10));
    // Its note would be too old for `fresh` (5 minutes) by the time that the isolates read it.
    assert!(tally(Source::Scheduled(Span::from_secs(300))).loads > 0);
    assert!(tally(Source::ById).loads > 1000);
}

#[test]
fn the_scheduled_refresh_stays_within_the_calls_that_one_run_may_make() {
    let filling = refresh::fill(1000).unwrap();
    // Each page: a read of the records, a read of what an older version may have left of them, the writes.
    assert_eq!(filling.calls, filling.first_run as u64 / 100 * 102 + 5);
    assert!(filling.calls < 1000 && filling.first_run >= 800, "{filling:?}");
    assert_eq!((filling.unchanged, filling.unchanged_untagged), (3, 4 + 10));
}

/// With a config API a customer has two names in KV, which are read together and paid for one by one.
#[test]
fn a_config_api_doubles_the_reads_of_customers_and_nothing_else() {
    let tally = |source| {
        let scenario = typical::scenario(7, 1000, source).unwrap();
        // Too short for any record to be read again since it is no longer fresh.
        let (warm_up, measured) = (Span::from_secs(0), Span::from_secs(40));
        run(&Scenario { colos: 1, isolates: 1, lifetime: None, rate: 20.0, warm_up, measured, ..scenario })
    };
    let (operators, scheduled) = (tally(Source::Operators), tally(Source::Scheduled(Span::from_secs(120))));
    assert_eq!(scheduled.key_reads, operators.key_reads);
    assert_eq!(scheduled.customer_reads, 2 * operators.customer_reads);
}
