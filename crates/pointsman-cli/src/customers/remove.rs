//! `pointsman customers remove`.

use std::collections::BTreeMap;

use pointsman_core::{identity::customer_id::CustomerId, state::bounds::bounds};
use serde_json::{Value, json};

use super::{
    id,
    known::{Known, as_json, has_source, some},
    list::{backends, state},
};
use crate::{
    configuration::GatewayFile,
    ending::{CommandResult, End, Failure, input},
    output::{Progress, counted, error, line, plain, warning},
    records::{Claimed, Judge, Kind},
    store::{Kv, delete_all},
    target::Target,
};

pub(super) const EXAMPLES: &str = "Examples:
  pointsman customers remove acme-corp --remote
  pointsman customers remove acme-corp wayne-ent --yes --remote

Where keys name one of the customers, and KV does not hold what the config API says of that customer, nothing is removed
without --yes. What the config API says counts from then on: to keep a customer out, put a record that is disabled.";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The customers' ids.
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
    /// Removes them also where keys name them and the config API does not know them.
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

pub(super) fn run(arguments: &Arguments) -> CommandResult {
    let ids: Vec<CustomerId> = arguments.ids.iter().map(|text| id(text)).collect::<Result<_, _>>()?;
    let gateway = arguments.gateway.load_if_there(arguments.target.project())?;
    let kv = &*arguments.target.kv()?;
    let names: Vec<String> = ids.iter().map(CustomerId::store_key).collect();
    let known = some(kv, &ids)?;
    let source = has_source(gateway.as_ref());
    need_own(&known, source)?;
    let (back, away): (Vec<CustomerId>, Vec<CustomerId>) = ids
        .iter()
        .cloned()
        .partition(|id| source && known.get(id.as_str()).is_some_and(|known| known.refreshed.is_some()));
    let mut named = false;
    for (id, digests) in keys_of(kv, &Judge::of(gateway.as_ref()), &away)? {
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
    delete_all(kv, &names, &mut Progress::silent())?;
    if arguments.json {
        let back: Vec<&str> = back.iter().map(CustomerId::as_str).collect();
        line(&json!({ "removed": arguments.ids, "backToConfigApi": back }).to_string());
    } else {
        let all: Vec<String> = arguments.ids.iter().map(|id| plain(id)).collect();
        line(&format!("removed {}", all.join(", ")));
        for id in back {
            let record = known.get(id.as_str()).and_then(|known| known.refreshed.as_deref());
            let record = record.map(|text| as_json(id.as_str(), text)).unwrap_or_default();
            line(&format!(
                "  what the config API says of {} counts from now on: {} {}",
                plain(id.as_str()),
                state(&record),
                backends(&record).join(" ")
            ));
        }
        let hears = arguments.target.hears(&arguments.gateway);
        for bound in gateway.as_ref().map(|gateway| bounds(gateway, hears)).unwrap_or_default() {
            if bound.id == "customer_changed" {
                eprintln!("{bound}");
            }
        }
    }
    Ok(End::Done)
}

/// Without a config API nobody brings back what it said once.
fn need_own(known: &BTreeMap<String, Known>, source: bool) -> Result<(), Failure> {
    let (mut absent, mut of_config_api) = (Vec::new(), Vec::new());
    for (id, known) in known {
        match known {
            Known { own: Some(_), .. } => {}
            Known { left_over: true, .. } if !source => {}
            Known { own: None, refreshed: Some(_), .. } => of_config_api.push(plain(id)),
            Known { own: None, refreshed: None, .. } => absent.push(plain(id)),
        }
    }
    if !absent.is_empty() {
        return Err(input(format!("KV has no customer {}", absent.join(", "))));
    }
    if !of_config_api.is_empty() {
        return Err(input(format!(
            "KV has no operator's own record of {}: only the config API knows them, and what it says would come back. To \
             keep a customer out, put a record that is disabled",
            of_config_api.join(", ")
        )));
    }
    Ok(())
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
