//! `pointsman customers reseal`.

use pointsman_core::{
    base::{record::entry_of, time::Span},
    identity::customer_id::CustomerId,
};
use serde_json::{Map, Value};

use super::{
    JudgeArguments, id, names,
    seal::{own_record, put_secrets, secrets_of},
};
use crate::{
    ending::{CommandResult, End, Failure, input},
    output::{counted, error, line, plain},
    reconcile::span,
    records::{Extras, Good, Judge, Kind, is_left_over},
    sealing::{KeyRing, SealedFor, SealingKey, kid_of, said},
    store::Kv,
    sync::{self, wanted::Wanted},
    target::Target,
};

pub(super) const EXAMPLES: &str = "Examples:
  export CUSTOMER_SECRETS_K1=\"$(pass pointsman/k1)\" CUSTOMER_SECRETS_K2=\"$(pass pointsman/k2)\"
  pointsman customers reseal --remote
  pointsman customers reseal acme-corp --remote

To change a key: write the new one first in [customers.secrets] keys and deploy; reseal; take the old one out and deploy.
Where a secret cannot be opened, nothing is written.";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The customers' ids. Default all of whom KV has an operator's record.
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    #[command(flatten)]
    judge: JudgeArguments,
    /// How long to wait until KV shows what was written.
    #[arg(long, value_name = "SPAN", default_value = sync::WAIT, value_parser = span)]
    wait: Span,
    /// Prints what was done as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

pub(super) fn run(arguments: &Arguments) -> CommandResult {
    let project = arguments.target.project();
    let judge = arguments.judge.judge(project)?;
    let ring = KeyRing::read(&arguments.judge.gateway, project, arguments.target.is_local(), None)?;
    let key = ring.first()?;
    let kv = &*arguments.target.kv()?;
    let (mut good, mut failed) = (Vec::new(), 0);
    for (id, members) in records(kv, &arguments.ids)? {
        match resealed(&id, members, key, &ring, &judge) {
            Ok(record) => good.extend(record),
            Err(faults) => {
                failed += faults.len();
                faults.iter().for_each(|fault| error(fault));
            }
        }
    }
    if failed > 0 {
        error(&format!(
            "nothing was written: {} opened",
            counted(failed, "secret cannot be", "secrets cannot be")
        ));
        return Ok(End::BadInput);
    }
    if good.is_empty() && !arguments.json {
        line(&format!("nothing to do: all secrets are sealed with key {}", key.id));
        return Ok(End::Done);
    }
    sync::bring(kv, &Wanted::given(good), &judge, arguments.wait, arguments.json)
}

type Members = Map<String, Value>;

/// The operators' records of these customers, or of all.
fn records(kv: &dyn Kv, ids: &[String]) -> Result<Vec<(String, Members)>, Failure> {
    if !ids.is_empty() {
        let of = |text: &String| {
            let id: CustomerId = id(text)?;
            Ok((text.clone(), own_record(kv, &id)?))
        };
        return ids.iter().map(of).collect();
    }
    let names = names(kv)?;
    let mut found = Vec::new();
    kv.get_many(&names, &mut |name, value| {
        let Some(value) = value.filter(|value| !is_left_over(value) && value.contains("\"secrets\"")) else {
            return Ok(());
        };
        let members =
            entry_of(value.as_bytes()).map_err(|problem| input(format!("KV {}: {problem}", plain(name))))?;
        let id = members.get("customerId").and_then(Value::as_str).unwrap_or_default().to_owned();
        found.push((id, members));
        Ok(())
    })?;
    Ok(found)
}

/// The record with all its secrets sealed with `key`; `None` where they are already.
fn resealed(
    id: &str,
    mut members: Members,
    key: &SealingKey,
    ring: &KeyRing,
    judge: &Judge,
) -> Result<Option<Good>, Vec<String>> {
    let secrets = secrets_of(&members);
    if secrets.iter().all(|sealed| kid_of(sealed) == key.id) {
        return Ok(None);
    }
    let (mut anew, mut faults) = (Vec::new(), Vec::new());
    for (index, sealed) in secrets.into_iter().enumerate() {
        let fault = |what: String| format!("customer {}, /secrets/{index}: {what}", plain(id));
        if kid_of(&sealed) == key.id {
            anew.push(sealed);
            continue;
        }
        let (customer, origin, field) = (said(&sealed, "sub"), said(&sealed, "aud"), said(&sealed, "field"));
        let to = SealedFor { customer: &customer, origin: &origin, field: &field };
        match ring.open(&sealed).map(|value| key.seal(to, &value)) {
            Ok(Ok(sealed)) => anew.push(sealed),
            Ok(Err(Failure::Input(what) | Failure::Store(what))) | Err(what) => faults.push(fault(what)),
        }
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    put_secrets(&mut members, anew);
    let record = Value::Object(members).to_string();
    let good = judge.record(Kind::Customer, record.as_bytes(), Extras::Refused);
    good.map(Some).map_err(|problem| vec![format!("customer {}{problem}", plain(id))])
}
