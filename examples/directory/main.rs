//! What the directory does for requests and what it costs: requests that wait, reads of KV, polls at the ledger.
//!
//! `cargo run --release --example directory` prints the table of docs/scale.md; `--quick` simulates a quarter of the time.
//! Followers, shards, look-ups and decisions are the gateway's own; callers, isolates, KV and the location's cache are a
//! model.
#![allow(dead_code)]

#[path = "../scale/model.rs"]
mod model;
#[path = "../scale/random.rs"]
mod random;
#[path = "../scale/typical.rs"]
mod typical;

mod isolates;
mod platform;

use std::{process::ExitCode, rc::Rc};

use crate::{
    isolates::{Scenario, run},
    platform::Data,
};

/// Rates of requests an isolate, in requests a second.
const RATES: [f64; 4] = [20.0, 1.0, 0.3, 1.0 / 60.0];

fn main() -> ExitCode {
    let quick = match std::env::args().nth(1).as_deref() {
        None => false,
        Some("--quick") => true,
        Some(other) => {
            eprintln!("directory: {other} is not --quick");
            return ExitCode::FAILURE;
        }
    };
    match report(if quick { 0.25 } else { 1.0 }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("directory: {what}");
            ExitCode::FAILURE
        }
    }
}

fn report(share: f64) -> Result<(), String> {
    println!(
        "| customers | requests/s an isolate | memory | bytes a key and its customer | waited | polls at the ledger a request | KV reads a million requests | $ a million requests |"
    );
    println!("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    let small = Rc::new(Data::new(100_000)?);
    for rate in RATES {
        // About as many requests at each rate, so that each share is as sure as another.
        let hours = if rate > 10.0 { 1.0 } else { 12.0 } * share;
        line(&Scenario {
            data: Rc::clone(&small),
            rate,
            hours,
            locations: 5,
            isolates: 4,
            memory: "32MB",
            seed: 1,
        })?;
    }
    drop(small);
    let large = Rc::new(Data::new(1_000_000)?);
    line(&Scenario {
        data: large,
        rate: 20.0,
        hours: share,
        locations: 1,
        isolates: 4,
        memory: "64MB",
        seed: 1,
    })
}

#[allow(clippy::cast_precision_loss)] // far below 2^53
fn line(scenario: &Scenario) -> Result<(), String> {
    let tally = run(scenario)?;
    let requests = tally.requests as f64;
    println!(
        "| {} | {:.2} | {} | {:.1} | {:.3} % | {:.5} | {:.0} | {:.4} |",
        scenario.data.customers,
        scenario.rate,
        scenario.memory,
        scenario.data.bytes as f64 / scenario.data.customers as f64,
        100.0 * tally.waited as f64 / requests,
        tally.polls as f64 / requests,
        1e6 * tally.kv_reads as f64 / requests,
        tally.dollars() * 1e6 / requests,
    );
    Ok(())
}
