//! Every public error of the libraries implements `std::error::Error`, so that whoever calls one can pass it on and tell it
//! apart by its type.
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used)]

use std::{fs, path::Path};

use pointsman_core::base::{object::ObjectError, refusal::Refusal};

const LIBRARIES: [&str; 4] = ["pointsman-core", "pointsman-checked", "pointsman-config", "pointsman-loader"];

/// The public types of a source that are errors by their names.
fn errors(code: &str) -> Vec<&str> {
    let declared =
        code.lines().filter_map(|line| line.strip_prefix("pub enum ").or(line.strip_prefix("pub struct ")));
    let names = declared.filter_map(|rest| rest.split(|c: char| !c.is_alphanumeric()).next());
    names.filter(|name| name.ends_with("Error")).collect()
}

fn not_implemented(code: &str) -> Vec<&str> {
    let is_missing = |name: &&str| !code.contains(&format!("impl std::error::Error for {name} {{}}"));
    errors(code).into_iter().filter(is_missing).collect()
}

fn sources(folder: &Path, into: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn every_public_error_is_one_of_the_standard_librarys() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut code = Vec::new();
    for library in LIBRARIES {
        sources(&crates.join(library).join("src"), &mut code);
    }
    assert!(code.iter().map(|code| errors(code).len()).sum::<usize>() > 8, "errors are found");
    let missing: Vec<_> = code.iter().flat_map(|code| not_implemented(code)).collect();
    assert_eq!(missing, Vec::<&str>::new());
}

#[test]
fn one_that_is_planted_is_found() {
    assert_eq!(not_implemented("pub enum PlantedError {\n    One,\n}\n"), ["PlantedError"]);
    assert_eq!(not_implemented("pub struct PlantedError(pub String);"), ["PlantedError"]);
    assert_eq!(not_implemented("pub struct AnErrorLine;\nstruct OwnError;"), Vec::<&str>::new());
}

#[test]
fn errors_without_error_in_their_names_are_some_too() {
    fn told(error: &dyn std::error::Error) -> String {
        error.to_string()
    }
    assert_eq!(told(&Refusal::TokenExpired), "token_expired");
    assert_eq!(told(&ObjectError::DuplicateMember), "a member stands twice");
}

#[test]
fn each_refusal_has_a_sentence_for_operators() {
    for refusal in Refusal::ALL {
        let about = refusal.about();
        assert!(about.trim().ends_with('.') && about.len() > 12, "{refusal}: {about:?}");
    }
}
