//! `simulate --seed S [--steps N] [--minutes N]`: one run of a seed, or runs of it and those behind it for so long. Exit code
//! 1 where something happened that must never.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use pointsman_simulation::simulate;

const USAGE: &str = "usage: simulate [--seed S] [--steps N] [--minutes N]";
const STEPS: u64 = 20_000;

struct Options {
    seed: u64,
    steps: u64,
    /// How long to go on with further seeds.
    minutes: u64,
}

fn options(arguments: impl Iterator<Item = String>) -> Option<Options> {
    let mut options = Options { seed: 1, steps: STEPS, minutes: 0 };
    let mut arguments = arguments;
    while let Some(name) = arguments.next() {
        let number = arguments.next()?.parse().ok()?;
        match name.as_str() {
            "--seed" => options.seed = number,
            "--steps" => options.steps = number,
            "--minutes" => options.minutes = number,
            _ => return None,
        }
    }
    Some(options)
}

fn main() -> ExitCode {
    let Some(Options { seed: first, steps, minutes }) = options(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let end = Instant::now() + Duration::from_secs(minutes * 60);
    for seed in first.. {
        let began = Instant::now();
        match simulate(seed, steps) {
            Ok(report) => {
                let counts: Vec<_> = report.iter().map(|(what, count)| format!("{count} {what}")).collect();
                eprintln!("seed {seed}: {} ms; {}", began.elapsed().as_millis(), counts.join(", "));
            }
            Err(violation) => {
                eprintln!("{violation}");
                return ExitCode::FAILURE;
            }
        }
        if Instant::now() >= end {
            break;
        }
    }
    ExitCode::SUCCESS
}
