//! Files of cases: requests, and what is expected of each.

use std::{
    fs,
    path::{Path, PathBuf},
};

use pointsman_config::spelling::read_strictly;
use pointsman_core::base::shape::shape;
use serde_json::Value;

use super::{expect::Expectations, question::Question};

/// One case.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) name: Option<String>,
    pub(super) request: Question,
    pub(super) expect: Expectations,
}
shape! { for Case { name: "name", request: "request", expect: "expect", } }

/// A file that holds a list.
struct List {
    cases: Vec<Case>,
}
shape! { for List { cases: "cases", } }

/// The cases of a file, or of all `.json` and `.toml` files of a folder, each with its place.
///
/// # Errors
/// All that cannot be read.
pub(super) fn read(from: &Path) -> Result<Vec<(String, Case)>, Vec<String>> {
    let files = files(from).map_err(|problem| vec![format!("{}: {problem}", from.display())])?;
    let (mut cases, mut problems) = (Vec::new(), Vec::new());
    for file in files {
        match read_file(&file) {
            Ok(found) => {
                let several = found.len() > 1;
                for (index, case) in found.into_iter().enumerate() {
                    let place = if several {
                        format!("{} #{}", file.display(), index + 1)
                    } else {
                        file.display().to_string()
                    };
                    cases.push((place, case));
                }
            }
            Err(problem) => problems.push(format!("{}: {problem}", file.display())),
        }
    }
    if problems.is_empty() && cases.is_empty() {
        problems.push(format!("{}: there are no cases in it (*.json, *.toml)", from.display()));
    }
    if problems.is_empty() { Ok(cases) } else { Err(problems) }
}

fn files(from: &Path) -> std::io::Result<Vec<PathBuf>> {
    if !from.is_dir() {
        return Ok(vec![from.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(from)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if path.extension().is_some_and(|ending| ending == "json" || ending == "toml") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn read_file(file: &Path) -> Result<Vec<Case>, String> {
    let text = fs::read_to_string(file).map_err(|problem| problem.to_string())?;
    let is_toml = file.extension().is_some_and(|ending| ending == "toml");
    let value: Value = if is_toml {
        toml::from_str(&text).map_err(|problem| problem.to_string())?
    } else {
        serde_json::from_str(&text).map_err(|problem| problem.to_string())?
    };
    let (cases, found) = match &value {
        Value::Array(_) => read_strictly(&value),
        Value::Object(members) if members.contains_key("cases") => {
            let (list, found) = read_strictly::<List>(&value);
            (list.map(|list| list.cases), found)
        }
        _ => {
            let (case, found) = read_strictly::<Case>(&value);
            (case.map(|case| vec![case]), found)
        }
    };
    let said: Vec<_> = found.iter().map(|(pointer, what)| format!("{pointer}: {what}")).collect();
    cases.filter(|_| said.is_empty()).ok_or_else(|| said.join("; "))
}
