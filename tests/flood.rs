//! Keys that nobody has, and isolates that start at once, on the gateway's own followers, look-ups and ledger: what
//! docs/scale.md says of a million requests, with as many as a debug build takes in seconds.
#![allow(missing_docs, dead_code, clippy::unwrap_used)]

#[path = "../examples/directory/flood.rs"]
mod flood;
#[path = "../examples/directory/place.rs"]
mod place;
#[path = "../examples/directory/request.rs"]
mod request;

use flood::{Flood, most_asks, run, until_let_in};

const HOUR: Flood = Flood { isolates: 1, requests: 36_000, seconds: 3600, junk: true };

#[test]
fn an_hour_of_unknown_keys_is_asked_about_each_ten_seconds_and_never_read_by_the_isolate() {
    let tally = run(HOUR).unwrap();
    assert!(tally.asks <= most_asks(3600), "{tally:?}");
    assert!(
        tally.asks > most_asks(3600) / 2,
        "asked all the same, else nobody new would be let in: {tally:?}"
    );
    assert_eq!(
        (tally.record_reads, tally.ledger_reads),
        (0, tally.asks),
        "the ledger reads what it is asked"
    );
    assert!(tally.most_polls_later <= 1, "{tally:?}");
}

#[test]
fn a_burst_of_unknown_keys_in_many_isolates_has_the_ledger_read_ten_a_second() {
    let flood = Flood { isolates: 100, requests: 20_000, seconds: 10, ..HOUR };
    let tally = run(flood).unwrap();
    assert!(tally.asks <= 100 * most_asks(10), "{tally:?}");
    assert_eq!((tally.record_reads, tally.most_ledger_reads), (0, 10), "{tally:?}");
}

#[test]
fn five_hundred_isolates_that_start_at_once_poll_once_each_and_share_a_head_afterwards() {
    let start = Flood { isolates: 500, requests: 20_000, seconds: 40, junk: false };
    let tally = run(start).unwrap();
    assert_eq!(tally.most_polls, 500, "{tally:?}");
    // Of 120 a second without a head that they share.
    assert!(tally.most_polls_later <= 60, "{tally:?}");
    assert!(tally.polls < 500 + 40 * 15, "{tally:?}");
    assert_eq!((tally.asks, tally.record_reads), (0, 0), "{tally:?}");
}

#[test]
fn a_key_that_is_made_in_a_flooded_isolate_is_let_in_within_max_staleness() {
    for flooded_for in [0, 1, 7, 30] {
        let took = until_let_in(flooded_for).unwrap();
        assert!(took <= 10_000, "flooded for {flooded_for} s: {took} ms");
    }
}
