//! `pointsman customers list`.

use pointsman_usage::Dimension;
use serde_json::Value;

use super::known::{Known, all, as_json, has_source};
use crate::{
    configuration::GatewayFile,
    ending::{CommandResult, End},
    keys::now,
    output::{line, plain, table},
    target::Target,
    usage::last_used::{self, LastUsed},
};

pub(super) const EXAMPLES: &str = "Examples:
  pointsman customers list --remote
  pointsman customers list --prefix acme --disabled --remote
  pointsman customers list --local --json | jq -r '.[].customerId'

--last-used asks the metrics as `pointsman usage` does, and needs what it needs.
Where KV holds two records of a customer, the operator's record is shown, since that one counts.";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Prints the records that count as a JSON array; a record that is not JSON is {"customerId", "malformed"}. Records of
    /// the config API have fetchedAt.
    #[arg(long)]
    json: bool,
    /// Customers whose id begins so.
    #[arg(long, value_name = "TEXT")]
    prefix: Option<String>,
    /// Customers that are disabled, or gone from the config API's list.
    #[arg(long)]
    disabled: bool,
    /// Customers who have a backend at this host, or at one below it.
    #[arg(long, value_name = "HOST")]
    backend_host: Option<String>,
    /// The customer who has this host name.
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// Shows when customers' requests were let in last, and when they were refused last, as far as the metrics tell.
    #[arg(long)]
    last_used: bool,
    /// Reads every value, and does not rely on what KV's listing shows of records.
    #[arg(long)]
    verify: bool,
    #[command(flatten)]
    gateway: GatewayFile,
    #[command(flatten)]
    target: Target,
}

pub(super) fn run(arguments: &Arguments) -> CommandResult {
    // A fault in gateway.toml keeps nobody from looking.
    let gateway = arguments.gateway.load_if_there(arguments.target.project()).ok().flatten();
    let customers = all(
        &*arguments.target.kv()?,
        arguments.prefix.as_deref().unwrap_or_default(),
        has_source(gateway.as_ref()),
        arguments.verify,
    )?;
    let counting = customers
        .iter()
        .filter_map(|(id, known)| Some((id, known, as_json(id, known.counts()?))))
        .filter(|(_, _, record)| fits(arguments, record));
    let counting: Vec<_> = counting.collect();
    let used = if arguments.last_used {
        let ids: Vec<_> = counting.iter().map(|(id, ..)| id.as_str()).collect();
        Some(last_used::ask(arguments.target.project(), Dimension::Customer, &ids, None, now()?)?)
    } else {
        None
    };
    let used = used.as_ref();
    if arguments.json {
        let objects: Vec<_> = counting.into_iter().map(|(id, _, record)| object(id, record, used)).collect();
        line(&Value::from(objects).to_string());
    } else if counting.is_empty() {
        eprintln!("no customers");
    } else {
        let has_hosts = customers
            .iter()
            .any(|(id, known)| known.counts().is_some_and(|record| !hosts(&as_json(id, record)).is_empty()));
        let mut head = ["CUSTOMER", "BACKEND", "ENVIRONMENT", "STATE", "SAID BY"].map(str::to_owned).to_vec();
        if used.is_some() {
            head.extend(["LAST USED", "LAST REFUSED"].map(str::to_owned));
        }
        head.extend(has_hosts.then(|| "HOSTS".to_owned()));
        let rows = counting.iter().map(|(id, known, record)| row(id, known, record, used, has_hosts));
        table(&std::iter::once(head).chain(rows).collect::<Vec<_>>());
    }
    for note in used.iter().flat_map(|used| used.notes(None)) {
        eprintln!("{note}");
    }
    Ok(End::Done)
}

fn object(id: &str, mut record: Value, used: Option<&LastUsed>) -> Value {
    if let (Some(used), Some(members)) = (used, record.as_object_mut()) {
        used.put(used.of_customer(id), members);
    }
    record
}

fn fits(arguments: &Arguments, record: &Value) -> bool {
    let at = |host: &String| {
        backends(record).iter().filter_map(|url| url::Url::parse(url).ok()).any(|url| {
            url.host_str().is_some_and(|own| {
                own == host || own.strip_suffix(host.as_str()).is_some_and(|before| before.ends_with('.'))
            })
        })
    };
    (!arguments.disabled || matches!(state(record), "disabled" | "gone"))
        && arguments.backend_host.as_ref().is_none_or(at)
        && arguments.host.as_ref().is_none_or(|host| hosts(record).contains(host))
}

fn row(id: &str, known: &Known, record: &Value, used: Option<&LastUsed>, has_hosts: bool) -> Vec<String> {
    let text = |name: &str| record.get(name).and_then(Value::as_str).map_or_else(|| "-".to_owned(), plain);
    let mut row = vec![
        plain(id),
        backends(record).join(" "),
        text("environmentName"),
        state(record).to_owned(),
        match (&known.own, &known.refreshed) {
            (Some(_), Some(_)) => "operator, over the config API",
            (Some(_), None) => "operator",
            (None, _) => "config API",
        }
        .to_owned(),
    ];
    row.extend(used.into_iter().flat_map(|used| used.cells(used.of_customer(id))));
    row.extend(has_hosts.then(|| hosts(record).join(" ")));
    row
}

/// Where a record says that requests go.
pub(super) fn backends(record: &Value) -> Vec<String> {
    let mut backends: Vec<String> =
        record.get("backendUrl").and_then(Value::as_str).map(plain).into_iter().collect();
    let more = record.get("backends").and_then(Value::as_array).into_iter().flatten();
    for url in more.filter_map(|origin| origin.get("url")).filter_map(Value::as_str).map(plain) {
        if !backends.contains(&url) {
            backends.push(url);
        }
    }
    backends
}

/// The customer's own host names.
fn hosts(record: &Value) -> Vec<String> {
    let hosts = record.get("hosts").and_then(Value::as_array).into_iter().flatten();
    hosts.filter_map(Value::as_str).map(plain).collect()
}

/// What a record means to its customer, in a word.
pub(super) fn state(record: &Value) -> &'static str {
    let is = |name: &str| record.get(name) == Some(&Value::Bool(true));
    if record.get("malformed").is_some() {
        "malformed"
    } else if is("gone") {
        "gone"
    } else if is("disabled") {
        "disabled"
    } else {
        "active"
    }
}
