//! `pointsman customers put`.

use std::{
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use pointsman_core::{base::time::Span, identity::customer_id::CustomerId};
use serde_json::{Map, Value};

use super::{JudgeArguments, id};
use crate::{
    ending::{CommandResult, End, Failure, input},
    lines::lines_into,
    output::line,
    reconcile::span,
    records::{Extras, Judge, Kind, is_left_over},
    store::Kv,
    sync::{self, plan::Options, show, wanted::Wanted},
    target::Target,
};

pub(super) const EXAMPLES: &str = "Examples:
  pointsman customers put acme-corp --backend-url https://acme.tenants.example.com --remote
  pointsman customers put acme-corp acme.json --local
  pointsman customers put acme-corp --host api.acme.com --remote   # a host name of the customer's own; all else stays
  pointsman customers put acme-corp --limit monthly=50000 --remote   # a quota of the customer's own; all else stays
  pointsman customers put acme-corp --disabled --remote   # and --enabled: all else stays
  jq '.environmentName = \"trial\"' acme.json | pointsman customers put acme-corp - --remote";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The customer's id.
    id: String,
    /// A file with the record as JSON; - reads it from standard input.
    #[arg(conflicts_with_all = ["backend_url", "environment_name", "disabled", "enabled", "allowed_ip", "host", "no_hosts", "limit"], required_unless_present_any = ["backend_url", "disabled", "enabled", "host", "no_hosts", "limit"])]
    file: Option<PathBuf>,
    /// Where the customer's requests go.
    #[arg(long, value_name = "URL")]
    backend_url: Option<String>,
    /// The environment's name, for the log.
    #[arg(long, value_name = "NAME")]
    environment_name: Option<String>,
    /// Refuses the customer's requests. Without --backend-url the rest of the operator's record stays as it is.
    #[arg(long)]
    disabled: bool,
    /// Takes the customer back who was disabled; the rest of the operator's record stays as it is.
    #[arg(long, conflicts_with_all = ["disabled", "backend_url"])]
    enabled: bool,
    /// An address or a range from which its callers may come; from no other. May be given several times.
    #[arg(long, value_name = "RANGE")]
    allowed_ip: Vec<String>,
    /// A host name of the customer's own, in place of those that its record lists; may be given several times. Without
    /// --backend-url the rest of the operator's record stays as it is.
    #[arg(long, value_name = "HOST")]
    host: Vec<String>,
    /// Takes the customer's own host names away; the rest of the operator's record stays as it is.
    #[arg(long, conflicts_with_all = ["host", "backend_url"])]
    no_hosts: bool,
    /// A quota of the customer's own, for a limit with from_record; may be given several times. With NAME=none the number of
    /// gateway.toml counts again. Without --backend-url the other quotas and the rest of the operator's record stay as they are.
    #[arg(long, value_name = "NAME=NUMBER", value_parser = quota)]
    limit: Vec<(String, Option<u64>)>,
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
    let id = id(&arguments.id)?;
    let judge = arguments.judge.judge(arguments.target.project())?;
    let kv = &*arguments.target.kv()?;
    let written = match &arguments.file {
        Some(file) => from_file(file)?,
        None if arguments.backend_url.is_none() => from_kv(arguments, kv, &id)?,
        None => from_options(arguments),
    };
    let wanted = Wanted::given([judged(arguments, &judge, &written, &id)?]);
    let (plan, _) = sync::planned(kv, &wanted, &judge, Options::default())?;
    let shown = if arguments.json { Some(show::as_json(&plan, &wanted, &judge)?) } else { None };
    match shown {
        Some(shown) => line(&shown.to_string()),
        None => show::plan(&plan, &wanted, &judge)?,
    }
    let end = sync::carried_out(kv, &wanted, &plan, &judge, arguments.wait)?;
    if end == End::Done && !arguments.json {
        eprintln!("{} holds customer {}", kv.called(), crate::output::plain(id.as_str()));
    }
    Ok(end)
}

fn judged(
    arguments: &Arguments,
    judge: &Judge,
    written: &[u8],
    id: &CustomerId,
) -> Result<crate::records::Good, Failure> {
    let good = judge.record(Kind::Customer, &with_id(written, id), Extras::Refused).map_err(|problem| {
        let line = lines_into(written, &problem.pointer) + 1;
        match &arguments.file {
            Some(file) => input(format!("{}:{line}: {problem}", file.display())),
            None => input(problem.to_string()),
        }
    })?;
    if good.name != id.store_key() {
        return Err(input(format!("/customerId: is not {:?}, under which it was to be put", id.as_str())));
    }
    Ok(good)
}

fn from_file(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") {
        io::stdin().lock().read_to_end(&mut bytes).map(|_| ())
    } else {
        fs::read(file).map(|read| bytes = read)
    };
    read.map_err(|problem| input(format!("{}: {problem}", file.display())))?;
    Ok(bytes)
}

/// A record may leave out the id that was given beside it.
fn with_id(written: &[u8], id: &CustomerId) -> Vec<u8> {
    match pointsman_core::base::record::entry_of(written) {
        Ok(mut members) if !members.contains_key("customerId") => {
            members.insert("customerId".to_owned(), Value::from(id.as_str()));
            Value::Object(members).to_string().into_bytes()
        }
        _ => written.to_vec(),
    }
}

/// The operator's record that KV holds, with what the options say.
fn from_kv(arguments: &Arguments, kv: &dyn Kv, id: &CustomerId) -> Result<Vec<u8>, Failure> {
    let name = id.store_key();
    let known = kv.get(&name)?.filter(|text| !is_left_over(text));
    let text = known.ok_or_else(|| {
        input(format!(
            "KV has no operator's record of {}: say --backend-url, or give the whole record as a file",
            crate::output::plain(id.as_str())
        ))
    })?;
    let mut members = pointsman_core::base::record::entry_of(text.as_bytes())
        .map_err(|problem| input(format!("KV {name}: {problem}: give the whole record as a file")))?;
    if arguments.enabled {
        members.remove("disabled");
    }
    if arguments.no_hosts {
        members.remove("hosts");
    }
    put_options(arguments, &mut members);
    Ok(Value::Object(members).to_string().into_bytes())
}

fn from_options(arguments: &Arguments) -> Vec<u8> {
    let mut members = Map::new();
    members.insert("customerId".to_owned(), Value::from(arguments.id.as_str()));
    put_options(arguments, &mut members);
    Value::Object(members).to_string().into_bytes()
}

/// Reads `monthly=50000`, or `monthly=none`.
fn quota(text: &str) -> Result<(String, Option<u64>), String> {
    let (name, number) = text.split_once('=').ok_or("must be NAME=NUMBER, such as monthly=50000")?;
    let number = match number {
        "none" => None,
        number => Some(number.parse().map_err(|_| "must have a whole number, or none, behind =")?),
    };
    Ok((name.to_owned(), number))
}

fn put_options(arguments: &Arguments, members: &mut Map<String, Value>) {
    let texts = [("backendUrl", &arguments.backend_url), ("environmentName", &arguments.environment_name)];
    for (name, text) in texts {
        if let Some(text) = text {
            members.insert(name.to_owned(), Value::from(text.as_str()));
        }
    }
    if arguments.disabled {
        members.insert("disabled".to_owned(), Value::Bool(true));
    }
    if !arguments.allowed_ip.is_empty() {
        members.insert("allowedIps".to_owned(), Value::from(arguments.allowed_ip.clone()));
    }
    if !arguments.limit.is_empty() {
        let mut limits = match members.remove("limits") {
            Some(Value::Object(limits)) => limits,
            _ => Map::new(),
        };
        for (name, quota) in &arguments.limit {
            match quota {
                Some(quota) => limits.insert(name.clone(), (*quota).into()),
                None => limits.remove(name),
            };
        }
        if !limits.is_empty() {
            members.insert("limits".to_owned(), limits.into());
        }
    }
    if !arguments.host.is_empty() {
        members.insert("hosts".to_owned(), Value::from(arguments.host.clone()));
    }
}
