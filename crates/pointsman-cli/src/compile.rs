//! `pointsman compile`.

use std::{fs, path::PathBuf};

use serde_json::Value;

use crate::{
    configuration::{GATEWAY, upward},
    ending::{End, Outcome, input},
    output,
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The configuration.
    #[arg(default_value = GATEWAY)]
    file: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let file = upward(&arguments.file, GATEWAY);
    let read = fs::read_to_string(&file).map_err(|problem| problem.to_string());
    let value = read.and_then(|text| toml::from_str::<Value>(&text).map_err(|problem| problem.to_string()));
    let value = value.map_err(|problem| input(format!("{}: {problem}", file.display())))?;
    output::line(&value.to_string());
    Ok(End::Done)
}
