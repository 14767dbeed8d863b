//! What `keys import` and `customers import` have in common.

use std::path::Path;

use pointsman_core::base::time::Span;
use serde_json::{Value, json};

use crate::{
    ending::{CommandResult, End, Failure},
    files::of_path,
    findings::{errors, print_all},
    output::{counted, line, warning},
    records::{Extras, Judge, Kind},
    sync::{self, wanted::Wanted},
    target::TargetOrDryRun,
};

/// Brings the records of a file or folder into KV.
///
/// # Errors
/// As [`sync::bring`].
pub(crate) fn import(
    path: &Path,
    kind: Kind,
    judge: &Judge,
    target: &TargetOrDryRun,
    wait: Span,
    as_json: bool,
) -> CommandResult {
    let mut wanted = match Wanted::read(of_path(path, kind)?, Vec::new(), judge, Extras::Taken) {
        Ok((wanted, warnings)) => {
            print_all(&warnings);
            if wanted.passed_over() > 0 {
                warning(&format!(
                    "{} fetchedAt and {} passed over: what the config API says, the gateway writes itself. Without \
                     fetchedAt they would be your own",
                    counted(wanted.passed_over(), "customer has", "customers have"),
                    if wanted.passed_over() == 1 { "is" } else { "are" }
                ));
            }
            wanted
        }
        Err(findings) => {
            print_all(&findings);
            let errors = errors(&findings);
            let noun = if errors == 1 { "error" } else { "errors" };
            eprintln!("{errors} {noun} in {}; nothing was written", path.display());
            return Ok(End::BadInput);
        }
    };
    match target.kv()? {
        Some(kv) => {
            wanted.take_over_dates(&*kv, judge)?;
            sync::bring(&*kv, &wanted, judge, wait, as_json)
        }
        None => dry_run(&wanted, judge).map(|()| End::Done),
    }
}

/// Prints what would be written, as `wrangler kv bulk put` takes it.
fn dry_run(wanted: &Wanted, judge: &Judge) -> Result<(), Failure> {
    let mut entries = Vec::new();
    let named = wanted.entries().keys().map(|name| wanted.entry(name, judge));
    for entry in named.chain(wanted.pointers().map(Ok)) {
        let entry = entry?;
        entries.push(json!({ "key": entry.name, "value": entry.value }));
    }
    line(&Value::from(entries).to_string());
    Ok(())
}
