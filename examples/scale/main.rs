//! What the caches do for how many customers, and what is left for KV and the config API.
//!
//! `cargo run --release --example scale` prints the tables of docs/scale.md. `--json` prints them for
//! machines, `--seed N` draws other traffic, `--quick` simulates a quarter of the time.

mod cost;
mod model;
mod random;
mod refresh;
mod tables;
mod typical;

use std::{process::ExitCode, thread};

use pointsman_core::base::{freshness::Lifetimes, time::Span};
use serde_json::json;

use crate::{
    model::{Scenario, Source, run},
    refresh::fill,
    tables::Row,
};

/// The scheduled refresh as it is recommended: every two minutes.
const SCHEDULED: Source = Source::Scheduled(Span::from_secs(120));

/// What was asked for.
struct Options {
    seed: u64,
    quick: bool,
    json: bool,
}

fn main() -> ExitCode {
    match options(std::env::args().skip(1)).and_then(|options| report(&options)) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(what) => {
            eprintln!("scale: {what}");
            ExitCode::FAILURE
        }
    }
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options { seed: 1, quick: false, json: false };
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => options.quick = true,
            "--json" => options.json = true,
            "--seed" => {
                let seed = arguments.next().and_then(|seed| seed.parse().ok());
                options.seed = seed.ok_or_else(|| "--seed wants a number".to_owned())?;
            }
            other => return Err(format!("{other} is not one of --json, --seed N, --quick")),
        }
    }
    Ok(options)
}

fn report(options: &Options) -> Result<String, String> {
    let mut by_size = Vec::new();
    for customers in [1_000, 10_000, 100_000, 1_000_000, 10_000_000] {
        let sources = [Source::Operators, Source::ById, SCHEDULED];
        by_size.push(simulate(options, customers, &sources, |_| {})?);
    }
    let mut by_traffic = Vec::new();
    for (rate, isolates, budget) in
        [(1, 8, 8), (10, 8, 8), (100, 4, 8), (100, 4, 32), (300, 2, 8), (300, 2, 32)]
    {
        by_traffic.push(simulate(options, 1_000_000, &[SCHEDULED], |scenario| {
            // How an isolate does depends on its own traffic alone, so a few of them suffice.
            (scenario.colos, scenario.isolates) = (1, isolates);
            scenario.rate = f64::from(rate) * scenario.isolates as f64;
            (scenario.keys.budget, scenario.records.budget) = (budget << 20, budget << 20);
        })?);
    }
    let (mut by_fresh, mut by_fresh_and_id) = (Vec::new(), Vec::new());
    for (keys, customers) in [(60, 300), (300, 300), (300, 900), (900, 3600)] {
        by_fresh.push(simulate(options, 100_000, &[SCHEDULED], fresh(keys, customers))?);
    }
    for customers in [300, 3600, 43_200] {
        by_fresh_and_id.push(simulate(options, 1_000_000, &[Source::ById], fresh(60, customers))?);
    }
    let mut fillings = Vec::new();
    for customers in [1_000, 10_000, 100_000, 250_000] {
        fillings.push(fill(customers)?);
    }
    if options.json {
        let all = json!({
            "seed": options.seed,
            "by_customers": by_size.iter().map(Row::to_json).collect::<Vec<_>>(),
            "by_traffic": by_traffic.iter().map(Row::to_json).collect::<Vec<_>>(),
            "by_fresh": by_fresh.iter().map(Row::to_json).collect::<Vec<_>>(),
            "by_fresh_and_id": by_fresh_and_id.iter().map(Row::to_json).collect::<Vec<_>>(),
            "refresh": fillings.iter().map(tables::filling_to_json).collect::<Vec<_>>(),
        });
        return serde_json::to_string_pretty(&all).map_err(|error| error.to_string());
    }
    let parts = [
        tables::of_customers(&by_size),
        tables::of_traffic(&by_traffic),
        tables::of_fresh("A hundred thousand customers, scheduled, by freshness", &by_fresh),
        tables::of_fresh("A million customers, by id, by freshness", &by_fresh_and_id),
        tables::of_memory(&typical::scenario(options.seed, 1, SCHEDULED)?),
        tables::of_refresh(&fillings),
    ];
    Ok(parts.join("\n"))
}

/// Sets how long keys and customers are fresh, in seconds.
fn fresh(keys: u64, customers: u64) -> impl Fn(&mut Scenario) + Sync {
    move |scenario| {
        let (keys, customers) = (Span::from_secs(keys), Span::from_secs(customers));
        scenario.keys.policy.lifetimes = Lifetimes::strict(keys, Span::from_secs(3600));
        scenario.records.policy.lifetimes = Lifetimes::swift(customers, Span::from_secs(86_400));
    }
}

/// Runs one scenario under each source, each on a thread of its own.
fn simulate(
    options: &Options,
    customers: u64,
    sources: &[Source],
    change: impl Fn(&mut Scenario) + Sync,
) -> Result<Row, String> {
    let scenario = |source| {
        let mut scenario = typical::scenario(options.seed, customers, source)?;
        change(&mut scenario);
        if options.quick {
            scenario.warm_up = scenario.warm_up.half().half();
            scenario.measured = scenario.measured.half().half();
        }
        Ok::<_, String>(scenario)
    };
    let tallies = thread::scope(|scope| {
        let begin = |source: &Source| {
            let source = *source;
            scope.spawn(move || Ok((source, run(&scenario(source)?))))
        };
        let threads: Vec<_> = sources.iter().map(begin).collect();
        let end = |thread: thread::ScopedJoinHandle<'_, Result<_, String>>| match thread.join() {
            Ok(tally) => tally,
            Err(_) => Err("a simulation panicked".to_owned()),
        };
        threads.into_iter().map(end).collect::<Result<Vec<_>, _>>()
    })?;
    Ok(Row { scenario: scenario(Source::Operators)?, tallies })
}
