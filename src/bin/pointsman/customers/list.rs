//! `pointsman customers list`.

use serde_json::{Value, json};

use super::names;
use crate::{
    ending::{End, Outcome},
    output::{line, plain, table},
    records::{Kind, is_of_config_api},
    store::Kv,
    target::Target,
};

pub(super) const EXAMPLES: &str = "Examples:
  pointsman customers list --remote
  pointsman customers list --local --json | jq -r '.[] | select(.disabled) | .customerId'";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Prints the records as a JSON array; one that is no JSON stands as {\"customerId\", \"malformed\"}.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let kv = arguments.target.kv();
    let mut rows = Vec::new();
    let mut records = Vec::new();
    kv.get_many(&names(&kv)?, &mut |name, value| {
        let Some(text) = value else { return Ok(()) };
        let id = name.trim_start_matches(Kind::Customer.prefix());
        let record = match serde_json::from_str::<Value>(&text) {
            Ok(record @ Value::Object(_)) => record,
            _ => json!({ "customerId": id, "malformed": text }),
        };
        if arguments.json {
            records.push((id.to_owned(), record));
        } else {
            rows.push(row(id, &record));
        }
        Ok(())
    })?;
    if arguments.json {
        records.sort_by(|one, other| one.0.cmp(&other.0));
        line(&Value::from(records.into_iter().map(|(_, record)| record).collect::<Vec<_>>()).to_string());
        return Ok(End::Done);
    }
    rows.sort();
    let head = ["CUSTOMER", "BACKEND", "ENVIRONMENT", "STATE", "WRITTEN BY"].map(str::to_owned).to_vec();
    if rows.is_empty() {
        eprintln!("no customers");
    } else {
        table(&std::iter::once(head).chain(rows).collect::<Vec<_>>());
    }
    Ok(End::Done)
}

fn row(id: &str, record: &Value) -> Vec<String> {
    let text = |name: &str| record.get(name).and_then(Value::as_str).map_or_else(|| "-".to_owned(), plain);
    let is = |name: &str| record.get(name) == Some(&Value::Bool(true));
    let mut backends: Vec<String> =
        record.get("backendUrl").and_then(Value::as_str).map(plain).into_iter().collect();
    let more = record.get("backends").and_then(Value::as_array).into_iter().flatten();
    for url in more.filter_map(|origin| origin.get("url")).filter_map(Value::as_str).map(plain) {
        if !backends.contains(&url) {
            backends.push(url);
        }
    }
    let state = if record.get("malformed").is_some() {
        "malformed"
    } else if is("gone") {
        "gone"
    } else if is("disabled") {
        "disabled"
    } else {
        "active"
    };
    let writer = if is_of_config_api(record) { "config API" } else { "operator" };
    vec![plain(id), backends.join(" "), text("environmentName"), state.to_owned(), writer.to_owned()]
}
