//! `pointsman customers get`.

use serde_json::Value;

use super::{
    id,
    known::{Known, has_source, some},
};
use crate::{
    configuration::GatewayFile,
    ending::{CommandResult, End, Failure, input},
    output::{line, plain},
    target::Target,
};

pub(super) const EXAMPLES: &str = "Examples:
  pointsman customers get acme-corp --remote
  pointsman customers get acme-corp --config-api --remote   # what the config API says, whether it counts or not

The record that counts is printed: the operator's, where there is one. If KV holds both, standard error has what the
config API says.";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The customer's id.
    id: String,
    /// Prints what the config API says, also where an operator's record counts.
    #[arg(long)]
    config_api: bool,
    /// Prints the record in one line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: GatewayFile,
    #[command(flatten)]
    target: Target,
}

pub(super) fn run(arguments: &Arguments) -> CommandResult {
    let id = id(&arguments.id)?;
    // A fault in gateway.toml keeps nobody from looking.
    let gateway = arguments.gateway.load_if_there(arguments.target.project()).ok().flatten();
    let mut known = some(&*arguments.target.kv()?, std::slice::from_ref(&id))?;
    let Known { own, refreshed, .. } = known.remove(id.as_str()).unwrap_or_default();
    let refreshed =
        refreshed.filter(|_| arguments.config_api || has_source(gateway.as_ref()) || own.is_none());
    let print = |text: &str| -> Result<(), Failure> {
        let record: Value = serde_json::from_str(text).map_err(|problem| {
            input(format!("KV, customer {}: is not JSON: {problem}: {}", plain(id.as_str()), plain(text)))
        })?;
        line(&if arguments.json { record.to_string() } else { format!("{record:#}") });
        Ok(())
    };
    match (own.filter(|_| !arguments.config_api), refreshed) {
        (Some(own), refreshed) => {
            if let Some(refreshed) = refreshed {
                eprintln!(
                    "This is an operator's own record, and counts. The config API says: {}",
                    plain(&refreshed)
                );
            }
            print(&own)?;
        }
        (None, Some(refreshed)) => {
            if !arguments.config_api {
                eprintln!("This is what the config API says. KV holds no operator's own record.");
            }
            print(&refreshed)?;
        }
        (None, None) if arguments.config_api => {
            return Err(input(format!("KV holds nothing of the config API about {}", plain(id.as_str()))));
        }
        (None, None) => return Err(input(format!("KV has no customer {}", plain(id.as_str())))),
    }
    Ok(End::Done)
}
