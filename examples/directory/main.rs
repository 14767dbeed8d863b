//! What the directory does for requests and what it costs: requests that wait, reads of KV, polls at the ledger.
//!
//! `cargo run --release --example directory` prints the tables of docs/scale.md; `--quick` simulates a quarter of the time.
//! `--write FOLDER CUSTOMERS` writes a head and shards in place of that, for the benchmark of the Worker's memory. Followers, shards, look-ups and decisions are the gateway's own; callers, isolates, KV and the location's cache are a
//! model.
#![allow(dead_code)]

#[path = "../scale/model.rs"]
mod model;
#[path = "../scale/random.rs"]
mod random;
#[path = "../scale/typical.rs"]
mod typical;

mod flood;
mod isolates;
mod place;
mod platform;
mod request;

use std::{fs, path::Path, process::ExitCode, rc::Rc};

use pointsman_core::base::time::Timestamp;

use crate::{
    flood::{Flood, most_asks},
    isolates::{Scenario, run},
    platform::Data,
};

/// Rates of requests an isolate, in requests a second.
const RATES: [f64; 4] = [20.0, 1.0, 0.3, 1.0 / 60.0];

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => report(1.0),
        ["--quick"] => report(0.25),
        ["--floods"] => floods(),
        ["--write", folder, customers] => write(Path::new(folder), customers),
        _ => Err("--quick, --floods, or --write FOLDER CUSTOMERS".to_owned()),
    };
    match done {
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
    })?;
    println!();
    floods()
}

/// What is held against what a flood took: the title, what was counted, and what that may be.
type Bounds = [(&'static str, u64, u64); 4];

fn floods() -> Result<(), String> {
    println!(
        "| requests | isolates of one location | over | polls at the ledger | in one second, later | asks | KV reads by the ledger | in one second | KV reads of records by isolates |"
    );
    println!("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    let million = Flood { isolates: 1, requests: 1_000_000, seconds: 3600, junk: true };
    flood("unknown keys", million)?;
    flood("unknown keys", Flood { seconds: 10, ..million })?;
    flood("unknown keys", Flood { isolates: 500, seconds: 600, ..million })?;
    flood("a known key", Flood { isolates: 500, seconds: 600, junk: false, ..million })?;
    let made = flood::until_let_in(60)?;
    println!("\nA key that is made in a flooded isolate is let in after {made} ms.");
    Ok(())
}

fn flood(what: &str, flood: Flood) -> Result<(), String> {
    let tally = flood::run(flood)?;
    println!(
        "| {} of {what} | {} | {} s | {} | {} | {} | {} | {} | {} |",
        flood.requests,
        flood.isolates,
        flood.seconds,
        tally.polls,
        tally.most_polls_later,
        tally.asks,
        tally.ledger_reads,
        tally.most_ledger_reads,
        tally.record_reads,
    );
    let bounds: Bounds = [
        ("asks", tally.asks, flood.isolates * most_asks(flood.seconds)),
        ("reads of KV by the ledger in one second", tally.most_ledger_reads, 10),
        ("reads of records in KV by isolates", tally.record_reads, 0),
        ("polls in one second", tally.most_polls, flood.isolates),
    ];
    match bounds.iter().find(|(_, counted, most)| counted > most) {
        Some((what, counted, most)) => Err(format!("{what}: {counted}, and at most {most} are meant to be")),
        None => Ok(()),
    }
}

/// Writes a head and the shards that it names, each under its name with underscores for colons.
fn write(folder: &Path, customers: &str) -> Result<(), String> {
    let data = Data::new(customers.parse().map_err(|error| format!("{customers}: {error}"))?)?;
    let put = |name: &str, bytes: &[u8]| {
        fs::write(folder.join(name.replace(':', "_")), bytes).map_err(|error| error.to_string())
    };
    put("head", &data.head(Timestamp::default()).encode())?;
    data.shards().try_for_each(|(name, bytes)| put(name, bytes))
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
