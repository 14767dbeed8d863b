//! `pointsman customers import`.

use std::path::PathBuf;

use pointsman_core::base::time::Span;

use super::JudgeArguments;
use crate::{
    ending::CommandResult, import::import, reconcile::span, records::Kind, sync, target::TargetOrDryRun,
};

pub(super) const EXAMPLES: &str = "Examples:
  pointsman customers import customers.json --local
  pointsman customers import customers.jsonl --remote
  pointsman customers import customers/ --dry-run

Customers that the files lack stay as they are; see `pointsman apply` for the whole.";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A JSON array of customers [{ "customerId": …, "backendUrl": … }, …], JSON lines (.jsonl), or a folder of such files.
    file: PathBuf,
    #[command(flatten)]
    judge: JudgeArguments,
    /// How long to wait until KV shows what was written.
    #[arg(long, value_name = "SPAN", default_value = sync::WAIT, value_parser = span)]
    wait: Span,
    /// Prints what was done as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: TargetOrDryRun,
}

pub(super) fn run(arguments: &Arguments) -> CommandResult {
    let judge = arguments.judge.judge(arguments.target.project())?;
    import(&arguments.file, Kind::Customer, &judge, &arguments.target, arguments.wait, arguments.json)
}
