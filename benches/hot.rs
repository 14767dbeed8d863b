//! The hot path of the core, natively: `cargo bench`.
//!
//! With `--names` it lists what there is; with `--count NAME N` it does that N times and nothing else, for
//! counting instructions (`npm run bench -- --only=instructions`).
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod scenarios;
#[path = "../tests/support/mod.rs"]
mod support;

use scenarios::SCENARIOS;

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--names", ..] => println!("{}", scenarios::names()),
        ["--count", name, times, ..] => count(name, times.parse().expect("a number")),
        _ => divan::main(),
    }
}

fn count(wanted: &str, times: usize) {
    let (_, prepare) = SCENARIOS.iter().find(|(name, _)| *name == wanted).expect("a scenario");
    let mut work = prepare();
    for _ in 0..times {
        work();
    }
}

#[divan::bench(args = SCENARIOS.iter().map(|(name, _)| *name))]
fn hot(bencher: divan::Bencher<'_, '_>, wanted: &str) {
    let (_, prepare) = SCENARIOS.iter().find(|(name, _)| *name == wanted).expect("a scenario");
    bencher.with_inputs(|| ()).bench_local_values({
        let mut work = prepare();
        move |()| work()
    });
}
