//! `pointsman keys import`.

use std::path::PathBuf;

use pointsman_core::base::time::Span;

use crate::{
    configuration::GatewayFile,
    ending::CommandResult,
    import::import,
    reconcile::span,
    records::{Judge, Kind},
    sync,
    target::TargetOrDryRun,
};

pub(super) const EXAMPLES: &str = "Examples:
  pointsman keys import keys.jsonl --remote
  pointsman keys import keys.json --dry-run

Each record has either the digest of its key or the key itself, of which only the digest is stored:
  {\"sha256\": \"115bcf13…\", \"subject\": \"acme-ci\", \"claims\": {\"customerId\": \"acme-corp\"}}
  {\"key\": \"old-key-of-acme\", \"subject\": \"acme-ci\"}";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A JSON array of records, JSON lines (.jsonl), or a folder of such files.
    file: PathBuf,
    /// How long to wait until KV shows what was written.
    #[arg(long, value_name = "SPAN", default_value = sync::WAIT, value_parser = span)]
    wait: Span,
    /// Prints what was done as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: GatewayFile,
    #[command(flatten)]
    target: TargetOrDryRun,
}

pub(super) fn run(arguments: &Arguments) -> CommandResult {
    // Which keys the gateway would take at all, its configuration says.
    let gateway = arguments.gateway.load(arguments.target.project())?;
    let judge = Judge::of(Some(&gateway));
    import(&arguments.file, Kind::Key, &judge, &arguments.target, arguments.wait, arguments.json)
}
