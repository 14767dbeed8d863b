//! `pointsman check`.

use std::path::{Path, PathBuf};

use pointsman_core::state::bounds::{Bound, bounds};
use serde_json::{Value, json};

use crate::{
    bindings::LedgerBinding,
    configuration::{GATEWAY, Judged, Secrets, Source, upward},
    ending::{CommandResult, End},
    findings::{Placed, errors, print_all},
    output::{self, warning},
    store::Kv,
    target::OptionalTarget,
};

mod data;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The configuration.
    #[arg(default_value = GATEWAY)]
    file: PathBuf,
    /// A folder with customers and keys, checked too; see `pointsman plan`.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Prints findings as JSON.
    #[arg(long)]
    json: bool,
    // With --local or --remote, what KV holds is checked too.
    #[command(flatten)]
    target: OptionalTarget,
}

pub(crate) fn run(arguments: &Arguments) -> CommandResult {
    let file = upward(&arguments.file, GATEWAY);
    // What the check lets pass is deployed: secrets of this machine say nothing about those that are.
    let source = Source::read(&file, arguments.target.project(), Secrets::Declared)?;
    if let (Some(console), false) = (source.console(), arguments.json) {
        eprintln!(
            "{console} is the operators' console, a Worker of its own: what it needs is checked, and the gateway as the top level has it"
        );
    }
    let (hears, ledger) = (source.hears(), source.ledger());
    let others = source.other_environments();
    let Judged { gateway, mut findings, .. } = source.judge_deployment();
    let promised = gateway.as_ref().map(|gateway| bounds(gateway, hears)).unwrap_or_default();
    let kv = arguments.target.kv()?;
    if let Some(gateway) = &gateway {
        findings.extend(data::check(gateway, arguments.data.as_deref(), kv.as_deref())?);
    } else if arguments.data.is_some() || kv.is_some() {
        warning("customers and keys were not looked at: what is wrong with them depends on gateway.toml");
    }
    Ok(report(
        arguments,
        &checked(arguments, &file, kv.as_deref()),
        &findings,
        &Promised { bounds: promised, ledger, others },
    ))
}

/// What was looked at, for people.
fn checked(arguments: &Arguments, file: &Path, kv: Option<&dyn Kv>) -> String {
    let mut all = vec![file.display().to_string()];
    all.extend(arguments.data.as_ref().map(|folder| folder.display().to_string()));
    all.extend(kv.map(|kv| kv.called().to_owned()));
    match all.split_last() {
        Some((last, before)) if !before.is_empty() => format!("{} and {last}", before.join(", ")),
        _ => all.concat(),
    }
}

/// What holds of a configuration that is in order.
struct Promised {
    bounds: Vec<Bound>,
    ledger: LedgerBinding,
    /// Environments that were not looked at.
    others: Vec<String>,
}

fn report(arguments: &Arguments, checked: &str, findings: &[Placed], promised: &Promised) -> End {
    let Promised { bounds: promised, ledger, others } = promised;
    let errors = errors(findings);
    if arguments.json {
        let list: Vec<Value> = findings.iter().map(Placed::to_json).collect();
        let bounds: Vec<Value> = promised.iter().map(Bound::to_json).collect();
        output::line(&json!({ "findings": list, "bounds": bounds, "ledger": ledger.to_json() }).to_string());
    } else {
        print_all(findings);
        if errors == 0 {
            eprintln!("{checked} {} in order", if checked.contains(" and ") { "are" } else { "is" });
            eprintln!("  {}", ledger.way());
            for bound in promised {
                eprintln!("  {bound}");
            }
            for other in others {
                eprintln!("  the environment {other} was not looked at: pointsman check --env {other}");
            }
        } else {
            eprintln!("{errors} {} in {checked}", if errors == 1 { "error" } else { "errors" });
        }
    }
    if errors == 0 { End::Done } else { End::BadInput }
}
