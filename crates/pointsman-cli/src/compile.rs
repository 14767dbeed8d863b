//! `pointsman compile`.

use std::{
    fs,
    path::{Path, PathBuf},
};

use pointsman_config::presets;
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
    /// Prints the file as it is written, but for presets, which are filled in, as JSON and unchecked: what the console shows.
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
    value.map(presets::filled_in).map_err(|problem| input(format!("{}: {problem}", file.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_console_shows_has_no_presets() {
        let written = |name: &str| as_written(Path::new(&format!("../../fixtures/{name}"))).unwrap();
        let issuers = written("gateways/presets.toml")["issuers"].clone();
        assert_eq!(issuers[2]["issuer"], "https://acme.cloudflareaccess.com");
        assert_eq!(issuers[2]["header"], "cf-access-jwt-assertion");
        assert!(issuers.as_array().unwrap().iter().all(|issuer| issuer.get("preset").is_none()));
        let faulty = serde_json::json!({ "issuers": [{ "preset": "google" }, { "preset": "gogle" }] });
        assert_eq!(presets::filled_in(faulty.clone()), faulty);
    }
}
