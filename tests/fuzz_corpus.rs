//! The inputs of `fuzz/corpus`, each a test of its own by the name of its file: what was found once stays found. No nightly
//! compiler is needed; `fuzz/` has libFuzzer call the same functions. Each input is also tried cut off, at every length or
//! at some hundred, as broken connections leave it.
#![allow(missing_docs, unreachable_pub, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::unwrap_used)]

#[path = "../fuzz/src/lib.rs"]
mod fuzz;

use std::{
    fs,
    panic::catch_unwind,
    path::{Path, PathBuf},
    process::ExitCode,
};

use fuzz::{TARGETS, Target};
use libtest_mimic::{Arguments, Failed, Trial};
use pointsman_testkit::{read, root};

/// Files elsewhere that are inputs, too.
const FIXTURES: [(&str, &str); 2] =
    [("compact_jws", "fixtures/tokens"), ("configuration", "fixtures/gateways")];
const MOST_CUTS: usize = 400;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials: Vec<Trial> = Vec::new();
    for (name, target) in TARGETS {
        let folder = format!("fuzz/corpus/{name}");
        let inputs = inputs(&folder);
        // A folder that is missing, or whose files went elsewhere, would pass.
        assert!(inputs.len() >= 5, "{folder} has {} inputs", inputs.len());
        let fixtures = FIXTURES.iter().filter(|(of, _)| *of == name);
        let more = fixtures.flat_map(|(_, folder)| self::inputs(folder));
        trials.extend(inputs.into_iter().chain(more).map(|path| trial(path, target)));
    }
    trials.push(Trial::test("every_target_is_a_program", || {
        every_target_is_a_program();
        Ok(())
    }));
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// Nothing but `cargo fuzz` compiles those.
fn every_target_is_a_program() {
    let manifest: toml::Table = read("fuzz/Cargo.toml").parse().unwrap();
    let programs: Vec<_> =
        manifest["bin"].as_array().unwrap().iter().map(|bin| bin["name"].as_str().unwrap()).collect();
    assert_eq!(programs, TARGETS.map(|(name, _)| name));
    for name in programs {
        let program = read(format!("fuzz/targets/{name}.rs"));
        assert!(program.contains(&format!("pointsman_fuzz::{name}::run")), "{name}");
    }
}

fn inputs(folder: &str) -> Vec<PathBuf> {
    let folder = root().join(folder);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

fn trial(path: PathBuf, target: Target) -> Trial {
    let name = path.strip_prefix(root()).unwrap().display().to_string();
    Trial::test(name.trim_start_matches("fuzz/corpus/"), move || replay(&path, target))
}

fn replay(path: &Path, target: Target) -> Result<(), Failed> {
    let data = fs::read(path).unwrap();
    target(&data);
    let step = data.len().div_ceil(MOST_CUTS).max(1);
    for length in (0..data.len()).step_by(step) {
        catch_unwind(|| target(&data[..length]))
            .map_err(|_| format!("fails when cut off after {length} bytes"))?;
    }
    Ok(())
}
