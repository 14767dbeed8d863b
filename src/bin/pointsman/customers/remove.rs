//! `pointsman customers remove`.

use std::collections::BTreeMap;

use pointsman::{bounds::bounds, customer::CustomerId};
use serde_json::{Value, json};

use super::id;
use crate::{
    configuration::GatewayFile,
    ending::{End, Failure, Outcome, input},
    output::{Progress, counted, error, line, plain, warning},
    records::{Claimed, Judge, Kind, is_of_config_api},
    store::{Kv, delete_all},
    target::Target,
};

pub(super) const EXAMPLES: &str = "Examples:
  pointsman customers remove acme-corp --remote
  pointsman customers remove acme-corp wayne-ent --yes --remote

Where keys name one of the customers, nothing is removed without --yes.";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The customers' ids.
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    /// Removes them also where keys name them.
    #[arg(long)]
    yes: bool,
    /// Prints what was removed as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: GatewayFile,
    #[command(flatten)]
    target: Target,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let ids: Vec<CustomerId> = arguments.ids.iter().map(|text| id(text)).collect::<Result<_, _>>()?;
    let gateway = arguments.gateway.load_if_there(arguments.target.project())?;
    let kv = arguments.target.kv();
    let names: Vec<String> = ids.iter().map(CustomerId::store_key).collect();
    need_all(&kv, &names)?;
    let mut named = false;
    for (id, digests) in keys_of(&kv, &Judge::of(gateway.as_ref()), &ids)? {
        named = true;
        let some =
            digests.iter().take(3).map(|digest| digest.get(..12).unwrap_or(digest)).collect::<Vec<_>>();
        warning(&format!(
            "{} customer {}: {}{}. Its requests will get 403 where a rule wants its backend",
            counted(digests.len(), "key names", "keys name"),
            plain(&id),
            some.join(", "),
            if digests.len() > some.len() { ", …" } else { "" }
        ));
    }
    if named && !arguments.yes {
        error("nothing was removed. If that is meant, say --yes");
        return Ok(End::BadInput);
    }
    delete_all(&kv, &names, &mut Progress::silent())?;
    if arguments.json {
        line(&json!({ "removed": arguments.ids }).to_string());
    } else {
        let all: Vec<String> = arguments.ids.iter().map(|id| plain(id)).collect();
        line(&format!("removed {}", all.join(", ")));
        for bound in gateway.as_ref().map(bounds).unwrap_or_default() {
            if bound.id == "customer_changed" {
                eprintln!("{bound}");
            }
        }
    }
    Ok(End::Done)
}

fn need_all(kv: &dyn Kv, names: &[String]) -> Result<(), Failure> {
    let mut absent = Vec::new();
    kv.get_many(names, &mut |name, value| {
        match value.map(|text| serde_json::from_str::<Value>(&text).unwrap_or_default()) {
            None => absent.push(plain(name.trim_start_matches(Kind::Customer.prefix()))),
            Some(record) if is_of_config_api(&record) => {
                let id = plain(name.trim_start_matches(Kind::Customer.prefix()));
                warning(&format!("{id} is the config API's: as long as that lists it, it comes back"));
            }
            Some(_) => {}
        }
        Ok(())
    })?;
    if absent.is_empty() { Ok(()) } else { Err(input(format!("KV has no customer {}", absent.join(", ")))) }
}

/// The digests of keys that name one of these customers.
fn keys_of(kv: &dyn Kv, judge: &Judge, ids: &[CustomerId]) -> Result<BTreeMap<String, Vec<String>>, Failure> {
    let names: Vec<String> = kv.list(Kind::Key.prefix())?.into_iter().map(|listed| listed.name).collect();
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    kv.get_many(&names, &mut |name, value| {
        let record = value.and_then(|text| serde_json::from_str::<Value>(&text).ok());
        if let Some(Claimed::Customer(id)) = record.map(|record| judge.claimed(&record))
            && ids.iter().any(|wanted| wanted.as_str() == id)
        {
            found.entry(id).or_default().push(name.trim_start_matches(Kind::Key.prefix()).to_owned());
        }
        Ok(())
    })?;
    Ok(found)
}
