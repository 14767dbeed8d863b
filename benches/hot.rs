//! The hot path of the core, natively, timed: `cargo bench`.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod scenarios;
use scenarios::SCENARIOS;

fn main() {
    divan::main();
}

#[divan::bench(args = SCENARIOS.iter().map(|(name, _)| *name))]
fn hot(bencher: divan::Bencher<'_, '_>, wanted: &str) {
    let (_, prepare) = SCENARIOS.iter().find(|(name, _)| *name == wanted).expect("a scenario");
    bencher.with_inputs(|| ()).bench_local_values({
        let mut work = prepare();
        move |()| work()
    });
}
