//! `pointsman compile`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::{
    configuration::{GATEWAY, Judged, Project, Secrets, Source, upward},
    ending::{CommandResult, End, Failure, input},
    findings::{errors, print_all},
    output,
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The configuration, as TOML or JSON; `-` for standard input.
    #[arg(default_value = GATEWAY)]
    file: PathBuf,
    #[command(flatten)]
    project: Project,
    /// Takes every variable that wrangler.toml does not have for a secret: for a file that is compiled elsewhere than it is
    /// deployed.
    #[arg(long)]
    any_variable: bool,
    /// Prints the file as it is written, as JSON and unchecked: what the console shows.
    #[arg(long, conflicts_with = "any_variable")]
    as_written: bool,
}

pub(crate) fn run(arguments: &Arguments) -> CommandResult {
    let file = upward(&arguments.file, GATEWAY);
    if arguments.as_written {
        output::line(&as_written(&file)?.to_string());
        return Ok(End::Done);
    }
    let secrets = if arguments.any_variable { Secrets::Any } else { Secrets::Declared };
    let Judged { form, findings, .. } = Source::read(&file, &arguments.project, secrets)?.judge();
    print_all(&findings);
    match form {
        Some(form) if errors(&findings) == 0 => {
            output::line(&form.to_string());
            Ok(End::Done)
        }
        _ => Ok(End::BadInput),
    }
}

fn as_written(file: &Path) -> Result<Value, Failure> {
    let read = fs::read_to_string(file).map_err(|problem| problem.to_string());
    let value = read.and_then(|text| toml::from_str::<Value>(&text).map_err(|problem| problem.to_string()));
    value.map_err(|problem| input(format!("{}: {problem}", file.display())))
}
