//! `pointsman check`.

use std::path::PathBuf;

use pointsman::bounds::{Bound, bounds};
use serde_json::{Value, json};

use crate::{
    configuration::{GATEWAY, Judged, Project, Secrets, Source, upward},
    ending::{End, Outcome},
    findings::{Placed, errors, print_all},
    output,
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The configuration.
    #[arg(default_value = GATEWAY)]
    file: PathBuf,
    #[command(flatten)]
    project: Project,
    /// Prints findings as JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let file = upward(&arguments.file, GATEWAY);
    // What the check lets pass is deployed: secrets of this machine say nothing about those that are.
    let Judged { gateway, findings } = Source::read(&file, &arguments.project, Secrets::Declared)?.judge();
    let promised = gateway.as_ref().map(bounds).unwrap_or_default();
    Ok(report(arguments, &file.display().to_string(), &findings, &promised))
}

fn report(arguments: &Arguments, file: &str, findings: &[Placed], promised: &[Bound]) -> End {
    let errors = errors(findings);
    if arguments.json {
        let list: Vec<Value> = findings.iter().map(Placed::to_json).collect();
        let bounds: Vec<Value> = promised.iter().map(Bound::to_json).collect();
        output::line(&json!({ "findings": list, "bounds": bounds }).to_string());
    } else {
        print_all(findings);
        if errors == 0 {
            eprintln!("{file} is in order");
            for bound in promised {
                eprintln!("  {bound}");
            }
        } else {
            eprintln!("{errors} {} in {file}", if errors == 1 { "error" } else { "errors" });
        }
    }
    if errors == 0 { End::Done } else { End::BadInput }
}
