//! `pointsman keys revoke`.

use serde_json::{Value, json};

use super::{list::short, quicker, reference::Reference, revocation};
use crate::{
    configuration::GatewayFile,
    ending::{CommandResult, End, input},
    output::line,
    records::Kind,
    store::Entry,
    target::Target,
    touched,
};

pub(super) const EXAMPLES: &str = "Examples:
  pointsman keys revoke - --remote < leaked-key.txt
  pointsman keys revoke 115bcf13bca4 --remote
  pointsman keys revoke --subject acme-ci --disable --remote   # keeps the record

A revoked key works until KV and the isolates' copies have changed; the command says how long that may take.";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    reference: Reference,
    /// Keeps the record, with "disabled": true.
    #[arg(long)]
    disable: bool,
    /// Prints what was done as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: GatewayFile,
    #[command(flatten)]
    target: Target,
}

pub(super) fn run(arguments: &Arguments) -> CommandResult {
    // Nothing keeps a leaked key from being revoked: least of all a fault in gateway.toml.
    let gateway = arguments.gateway.load_if_there(arguments.target.project());
    let kv = &*arguments.target.kv()?;
    let key = arguments.reference.find(arguments.reference.key()?.as_deref(), kv)?;
    let name = format!("{}{}", Kind::Key.prefix(), key.digest);
    let subject = key.text("subject").map(crate::output::plain).unwrap_or_default();
    if arguments.disable {
        let Value::Object(mut members) = key.record else {
            return Err(input(format!("KV {name} is no record: revoke it without --disable")));
        };
        members.insert("disabled".to_owned(), Value::Bool(true));
        let (value, keeps) = (Value::Object(members).to_string(), kv.keeps_of(&name)?);
        kv.put(&[Entry { name: name.clone(), value, keeps }])?;
    } else {
        kv.delete(std::slice::from_ref(&name))?;
    }
    touched::note(kv, std::slice::from_ref(&name));
    let hears = arguments.target.hears(&arguments.gateway);
    let gateway = gateway.ok().flatten();
    let bound = gateway.as_ref().and_then(|gateway| revocation(gateway, hears));
    if arguments.json {
        let bound = bound.as_ref().map(pointsman_core::state::bounds::Bound::to_json);
        line(&json!({ "storedAs": name, "disabled": arguments.disable, "bound": bound }).to_string());
        return Ok(End::Done);
    }
    let done = if arguments.disable { "disabled" } else { "revoked" };
    line(&format!("{done} {} ({subject})", short(&key.digest)));
    match bound {
        Some(bound) => eprintln!("{bound}."),
        None => eprintln!("How long it may still be used, `pointsman check` says of your gateway.toml."),
    }
    if let Some(quicker) = gateway.as_ref().and_then(|gateway| quicker(gateway, hears)) {
        eprintln!("{quicker}");
    }
    Ok(End::Done)
}
