//! `pointsman customers get`.

use serde_json::Value;

use super::id;
use crate::{
    ending::{End, Outcome, input},
    output::{line, plain},
    store::Kv,
    target::Target,
};

pub(super) const EXAMPLES: &str = "Example:\n  pointsman customers get acme-corp --remote";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The customer's id.
    id: String,
    /// Prints the record in one line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let id = id(&arguments.id)?;
    let kv = arguments.target.kv();
    let Some(text) = kv.get(&id.store_key())? else {
        return Err(input(format!("KV has no customer {}", plain(id.as_str()))));
    };
    let record: Value = serde_json::from_str(&text).map_err(|problem| {
        input(format!("KV {}: is not JSON: {problem}: {}", plain(&id.store_key()), plain(&text)))
    })?;
    line(&if arguments.json { record.to_string() } else { format!("{record:#}") });
    Ok(End::Done)
}
