//! `pointsman entries`.

use std::path::PathBuf;

use pointsman_core::customer::backend_url::AllowHttp;
use serde_json::json;

use crate::{
    configuration::{GatewayFile, Project, Secrets},
    ending::{CommandResult, End},
    output::line,
    reconcile::read_folder,
    records::Judge,
    store::Keeps,
};

pub(crate) const EXAMPLES: &str = "Examples:
  pointsman entries data > entries.json
  npx wrangler kv bulk put entries.json --binding POINTSMAN_KV --local

DIR holds what it holds for `pointsman plan`. The records are checked as there, but plain http is no fault: where it is allowed \
is for the gateway to say that reads them. No variable of gateway.toml need be set.";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The folder with customers and keys.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    #[command(flatten)]
    gateway: GatewayFile,
    #[command(flatten)]
    project: Project,
}

pub(crate) fn run(arguments: &Arguments) -> CommandResult {
    // Records depend on no variable but the one that is left out here.
    let gateway = arguments.gateway.load_with(&arguments.project, Secrets::Any)?;
    let judge = Judge { allow_http: AllowHttp::Always, ..Judge::of(Some(&gateway)) };
    let Some(wanted) = read_folder(&arguments.folder, &judge)? else { return Ok(End::BadInput) };
    let mut before = "[";
    let named = wanted.entries().keys().map(|name| wanted.entry(name, &judge));
    for entry in named.chain(wanted.pointers().map(Ok)) {
        let entry = entry?;
        let metadata = Keeps::default().metadata(&entry.value);
        let told = json!({ "key": entry.name, "value": entry.value, "metadata": metadata });
        line(&format!("{before}{told}"));
        before = ",";
    }
    line(if before == "[" { "[]" } else { "]" });
    Ok(End::Done)
}
