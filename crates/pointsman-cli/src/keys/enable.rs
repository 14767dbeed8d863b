//! `pointsman keys enable`.

use serde_json::{Value, json};

use super::{
    change::{check, doubt, members, replace},
    list::short,
    now,
    reference::Reference,
};
use crate::{
    configuration::GatewayFile,
    ending::{CommandResult, End},
    output::{line, plain},
    records::Kind,
    target::Target,
    touched,
};

pub(super) const EXAMPLES: &str = "Examples:
  pointsman keys enable 115bcf13bca4 --remote
  pointsman keys enable --subject acme-ci --remote

This undoes `keys revoke --disable`. A key that was revoked without --disable has no record any more: bring it back by
`keys import`, with the digest and the record that you have of it, or make a new one.";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    reference: Reference,
    /// Prints the record as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: GatewayFile,
    #[command(flatten)]
    target: Target,
}

pub(super) fn run(arguments: &Arguments) -> CommandResult {
    let gateway = arguments.gateway.load(arguments.target.project())?;
    let kv = &*arguments.target.kv()?;
    let old = arguments.reference.find(arguments.reference.key()?.as_deref(), kv)?;
    let mut record = members(&old)?;
    let was = record.remove("disabled");
    let record = Value::Object(record);
    check(&record)?;
    doubt(Some(kv), &gateway, &record, now()?);
    let name = format!("{}{}", Kind::Key.prefix(), old.digest);
    let was_disabled = was == Some(Value::Bool(true));
    if was_disabled {
        replace(kv, &old, &record)?;
        touched::note(kv, std::slice::from_ref(&name));
    } else {
        eprintln!("nothing to do: {} is not disabled", short(&old.digest));
    }
    if arguments.json {
        line(&json!({ "storedAs": name, "record": record }).to_string());
        return Ok(End::Done);
    }
    if was_disabled {
        let subject = record.get("subject").and_then(Value::as_str).map(plain).unwrap_or_default();
        line(&format!("enabled {} ({subject})", short(&old.digest)));
    }
    Ok(End::Done)
}
