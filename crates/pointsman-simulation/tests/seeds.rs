//! Runs of some seeds. Longer ones: `npm run simulate -- --minutes 30`.
#![allow(missing_docs, clippy::panic)]

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use pointsman_simulation::simulate;

#[test]
fn nothing_happens_that_must_never() {
    let end = Instant::now() + Duration::from_secs(20);
    let mut counts = BTreeMap::new();
    for seed in 1..=40 {
        match simulate(seed, 2000) {
            Ok(report) => {
                report.into_iter().for_each(|(what, count)| *counts.entry(what).or_insert(0) += count)
            }
            Err(violation) => panic!("{violation}"),
        }
        if seed >= 6 && Instant::now() >= end {
            break;
        }
    }
    eprintln!("{counts:?}");
    // A world in which nothing happens would prove nothing.
    for what in
        ["requests", "commits", "hand edits", "faults", "restarts", "segments", "shards", "asks", "tails"]
    {
        assert!(counts.get(what).is_some_and(|count| *count > 0), "no {what}: {counts:?}");
    }
}

#[test]
fn one_seed_gives_one_run() {
    let counts = |seed| simulate(seed, 800).map_err(|violation| violation.to_string());
    assert_eq!(counts(3), counts(3));
    assert_ne!(counts(3), counts(4));
}
