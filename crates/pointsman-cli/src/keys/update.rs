//! `pointsman keys update`.

use pointsman_core::state::bounds::Bound;
use serde_json::{Map, Value, json};

use super::{
    change::{Restrictions, check, claims, doubt, members, replace},
    list::short,
    now, quicker,
    reference::Reference,
    revocation,
};
use crate::{
    configuration::GatewayFile,
    ending::{CommandResult, End, Failure, input},
    output::{line, plain},
    records::Kind,
    target::Target,
    touched,
};

pub(super) const EXAMPLES: &str = "Examples:
  pointsman keys update 115bcf13bca4 --expires-at 2027-01-01T00:00:00Z --remote
  pointsman keys update --subject acme-ci --claim 'plan=\"gold\"' --remove-claim trial --remote
  pointsman keys update - --allowed-ip 192.0.2.0/24 --method GET --method HEAD --remote < key.txt

The key stays as it is: only its record changes. What is not named stays.";

#[derive(clap::Args)]
#[group(id = "what", required = true, multiple = true)]
pub(crate) struct Changes {
    /// The subject that the key stands for from now on.
    #[arg(long, value_name = "SUBJECT", group = "what")]
    new_subject: Option<String>,
    /// The claims that rules read, as a JSON object, in place of all that there are.
    #[arg(long, value_name = "JSON", group = "what")]
    claims: Option<String>,
    /// One claim, its value as JSON. May be given several times.
    #[arg(long, value_name = "NAME=JSON", group = "what", conflicts_with = "claims")]
    claim: Vec<String>,
    /// A claim that goes. May be given several times.
    #[arg(long, value_name = "NAME", group = "what", conflicts_with = "claims")]
    remove_claim: Vec<String>,
    /// When the key stops working (RFC 3339).
    #[arg(long, value_name = "INSTANT", group = "what")]
    expires_at: Option<String>,
    /// The key does not stop working by itself.
    #[arg(long, group = "what", conflicts_with = "expires_at")]
    no_expiry: bool,
    /// The name for people.
    #[arg(long, value_name = "NAME", group = "what")]
    new_name: Option<String>,
    /// An address or a range from which the key may be used, in place of those that there are. May be given several times.
    #[arg(long, value_name = "RANGE", group = "what")]
    allowed_ip: Vec<String>,
    /// The key may be used from anywhere.
    #[arg(long, group = "what", conflicts_with = "allowed_ip")]
    any_ip: bool,
    /// A method with which the key may be used, in place of those that there are. May be given several times.
    #[arg(long, value_name = "METHOD", group = "what")]
    method: Vec<String>,
    /// The key may be used with any method.
    #[arg(long, group = "what", conflicts_with = "method")]
    any_method: bool,
}

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    reference: Reference,
    #[command(flatten)]
    changes: Changes,
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
    let record = changed(members(&old)?, &arguments.changes)?;
    check(&record)?;
    doubt(Some(kv), &gateway, &record, now()?);
    let name = format!("{}{}", Kind::Key.prefix(), old.digest);
    let is_new = record != old.record;
    if is_new {
        replace(kv, &old, &record)?;
        touched::note(kv, std::slice::from_ref(&name));
    } else {
        eprintln!("nothing to do: the record of {} is so already", short(&old.digest));
    }
    let hears = arguments.target.hears(&arguments.gateway);
    let bound = revocation(&gateway, hears);
    if arguments.json {
        let bound = bound.as_ref().map(Bound::to_json);
        line(&json!({ "storedAs": name, "record": record, "bound": bound }).to_string());
        return Ok(End::Done);
    }
    if !is_new {
        return Ok(End::Done);
    }
    let subject = record.get("subject").and_then(Value::as_str).map(plain).unwrap_or_default();
    line(&format!("updated {} ({subject})", short(&old.digest)));
    if let Some(bound) = bound {
        eprintln!("The old record may count for as long as that of a revoked key: {bound}.");
    }
    if let Some(quicker) = quicker(&gateway, hears) {
        eprintln!("{quicker}");
    }
    Ok(End::Done)
}

/// The record with these changes.
fn changed(mut record: Map<String, Value>, changes: &Changes) -> Result<Value, Failure> {
    let texts =
        [("subject", &changes.new_subject), ("expiresAt", &changes.expires_at), ("name", &changes.new_name)];
    for (name, text) in texts {
        if let Some(text) = text {
            record.insert(name.to_owned(), Value::from(text.as_str()));
        }
    }
    let gone =
        [("expiresAt", changes.no_expiry), ("allowedIps", changes.any_ip), ("methods", changes.any_method)];
    for (name, _) in gone.into_iter().filter(|(_, gone)| *gone) {
        record.remove(name);
    }
    let restrictions =
        Restrictions { allowed_ip: changes.allowed_ip.clone(), method: changes.method.clone() };
    restrictions.put(&mut record);
    if let Some(text) = &changes.claims {
        record.insert("claims".to_owned(), Value::Object(claims(text)?));
    }
    if changes.claim.is_empty() && changes.remove_claim.is_empty() {
        return Ok(Value::Object(record));
    }
    let mut own = match record.remove("claims") {
        Some(Value::Object(own)) => own,
        _ => Map::new(),
    };
    for name in &changes.remove_claim {
        own.remove(name).ok_or_else(|| input(format!("--remove-claim {name}: the key has no such claim")))?;
    }
    for claim in &changes.claim {
        let (name, value) = claim
            .split_once('=')
            .ok_or_else(|| input(format!("--claim {claim}: write NAME=JSON, such as plan='\"gold\"'")))?;
        let value = serde_json::from_str(value).map_err(|problem| {
            input(format!(
                "--claim {name}: the value is not JSON ({problem}): a text wants quotes, '\"gold\"'"
            ))
        })?;
        own.insert(name.to_owned(), value);
    }
    record.insert("claims".to_owned(), Value::Object(own));
    Ok(Value::Object(record))
}

#[cfg(test)]
mod tests {
    use clap::{Args, FromArgMatches};

    use super::*;

    fn changes(arguments: &[&str]) -> Changes {
        let command = Changes::augment_args(clap::Command::new("update").no_binary_name(true));
        Changes::from_arg_matches(&command.try_get_matches_from(arguments).unwrap()).unwrap()
    }

    #[test]
    fn what_is_not_named_stays() {
        let old = json!({
            "subject": "s", "claims": { "plan": "free", "trial": true }, "expiresAt": "2026-01-01T00:00:00Z",
            "createdAt": "2025-01-01T00:00:00Z", "methods": ["GET"], "disabled": true
        });
        let after = |arguments: &[&str]| {
            changed(old.as_object().unwrap().clone(), &changes(arguments))
                .map_err(|failure| format!("{failure:?}"))
        };
        let with = |name: &str, value: Value| {
            let mut record = old.clone();
            record[name] = value;
            record
        };
        let without = |name: &str| {
            let mut record = old.clone();
            record.as_object_mut().unwrap().remove(name);
            record
        };
        for (arguments, expected) in [
            (&["--new-subject", "t"][..], with("subject", json!("t"))),
            (
                &["--claim", "plan=\"gold\"", "--remove-claim", "trial"][..],
                with("claims", json!({ "plan": "gold" })),
            ),
            (&["--claims", "{}"][..], with("claims", json!({}))),
            (&["--no-expiry"][..], without("expiresAt")),
            (&["--any-method"][..], without("methods")),
            (&["--any-ip"][..], old.clone()),
            (&["--method", "PUT", "--method", "GET"][..], with("methods", json!(["PUT", "GET"]))),
            (&["--allowed-ip", "192.0.2.0/24"][..], with("allowedIps", json!(["192.0.2.0/24"]))),
            (&["--new-name", "n"][..], with("name", json!("n"))),
        ] {
            assert_eq!(after(arguments), Ok(expected), "{arguments:?}");
        }
        for (arguments, said) in [
            (&["--claim", "plan=gold"][..], "a text wants quotes"),
            (&["--claim", "plan"][..], "write NAME=JSON"),
            (&["--remove-claim", "other"][..], "no such claim"),
            (&["--claims", "[]"][..], "not a JSON object"),
        ] {
            assert!(after(arguments).unwrap_err().contains(said), "{arguments:?}");
        }
    }
}
