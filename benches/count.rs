//! The hot path of the core, natively, for valgrind to count (`npm run bench -- --only=instructions`): `--names` lists what
//! there is, `NAME N` does that N times and nothing else.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod scenarios;
use scenarios::SCENARIOS;

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["--names"] => {
            println!("{}", serde_json::json!(SCENARIOS.iter().map(|(name, _)| name).collect::<Vec<_>>()))
        }
        [name, times] => count(name, times.parse().expect("a number")),
        _ => panic!("--names, or NAME N"),
    }
}

fn count(wanted: &str, times: usize) {
    let (_, prepare) = SCENARIOS.iter().find(|(name, _)| *name == wanted).expect("a scenario");
    let mut work = prepare();
    for _ in 0..times {
        work();
    }
}
