//! `pointsman customers`.

use std::{collections::HashSet, fs, path::PathBuf};

use pointsman::customer::{CustomerConfig, CustomerRecord, backend::AllowHttp, record_from_value};
use serde_json::{Value, json};

use crate::{
    ending::{End, Outcome},
    output::{Progress, error, line},
    store::{Entry, put_all},
    target::TargetOrDryRun,
};

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Puts each customer of a file into KV. All are checked before any is written.
    #[command(after_help = "Example:\n  pointsman customers import customers.json --local")]
    Import(Import),
}

#[derive(clap::Args)]
pub(crate) struct Import {
    /// A JSON array of customers: [{ "customerId": …, "backendUrl": … }, …].
    file: PathBuf,
    /// Where plain http may be spoken: never, loopback or always.
    #[arg(long, default_value = "never", value_parser = |text: &str| AllowHttp::parse(text).ok_or("never, loopback or always"))]
    allow_http: AllowHttp,
    #[command(flatten)]
    target: TargetOrDryRun,
}

pub(crate) fn run(command: &Command) -> Outcome {
    let Command::Import(arguments) = command;
    let entries = match read(arguments) {
        Ok(entries) => entries,
        Err(findings) => {
            for finding in &findings {
                error(&format!("{}: {finding}", arguments.file.display()));
            }
            eprintln!("nothing was written");
            return Ok(End::BadInput);
        }
    };
    let Some(kv) = arguments.target.kv() else {
        let entry = |(name, value): &(String, Value)| json!({ "key": name, "value": value.to_string() });
        line(&Value::Array(entries.iter().map(entry).collect()).to_string());
        return Ok(End::Done);
    };
    let total = entries.len();
    let mut entries = entries.into_iter().map(|(name, value)| Ok(Entry { name, value: value.to_string() }));
    put_all(&kv, &mut entries, &mut Progress::new(total, "customers written"))?;
    Ok(End::Done)
}

fn read(arguments: &Import) -> Result<Vec<(String, Value)>, Vec<String>> {
    let text = fs::read_to_string(&arguments.file).map_err(|problem| vec![problem.to_string()])?;
    let customers: Vec<Value> =
        serde_json::from_str(&text).map_err(|problem| vec![format!("is not a JSON array: {problem}")])?;
    let mut findings = Vec::new();
    let mut entries = Vec::with_capacity(customers.len());
    let mut seen = HashSet::new();
    for (index, customer) in customers.into_iter().enumerate() {
        let checked = record_from_value::<CustomerRecord>(customer.clone())
            .and_then(|record| CustomerConfig::from_record(&record, arguments.allow_http));
        match checked {
            Ok(config) if seen.insert(config.id().clone()) => {
                entries.push((config.id().store_key(), customer));
            }
            Ok(config) => findings.push(format!("/{index}/customerId: {} stands twice", config.id())),
            Err(problem) => findings.push(format!("/{index}{problem}")),
        }
    }
    if findings.is_empty() { Ok(entries) } else { Err(findings) }
}
