//! `pointsman customers`.

use std::{collections::HashSet, fs, path::PathBuf};

use pointsman::customer::{CustomerConfig, CustomerRecord, backend::AllowHttp, record_from_value};
use serde_json::Value;

use crate::{
    End,
    output::error,
    wrangler::{Target, bulk},
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
    target: Target,
}

pub(crate) fn run(command: &Command) -> End {
    let Command::Import(arguments) = command;
    let entries = match read(arguments) {
        Ok(entries) => entries,
        Err(findings) => {
            for finding in &findings {
                error(&format!("{}: {finding}", arguments.file.display()));
            }
            eprintln!("nothing was written");
            return End::BadInput;
        }
    };
    if arguments.target.is_dry_run() {
        println!("{}", Value::Array(bulk(&entries)));
    }
    match arguments.target.put(&entries) {
        Ok(()) => End::Done,
        Err(what) => {
            error(&what);
            End::WranglerFailed
        }
    }
}

fn read(arguments: &Import) -> Result<Vec<(String, Value)>, Vec<String>> {
    let text = fs::read_to_string(&arguments.file).map_err(|problem| vec![problem.to_string()])?;
    let customers: Vec<Value> =
        serde_json::from_str(&text).map_err(|problem| vec![format!("is not a JSON array: {problem}")])?;
    let mut findings = Vec::new();
    let mut entries = Vec::with_capacity(customers.len());
    let mut seen = HashSet::new();
    for (index, customer) in customers.into_iter().enumerate() {
        let checked = record_from_value::<CustomerRecord>(&customer)
            .and_then(|record| CustomerConfig::from_record(&record, arguments.allow_http));
        match checked {
            Ok(config) if seen.insert(config.id().clone()) => {
                entries.push((config.id().store_key(), customer))
            }
            Ok(config) => findings.push(format!("/{index}/customerId: {} stands twice", config.id())),
            Err(problem) => findings.push(format!("/{index}{problem}")),
        }
    }
    if findings.is_empty() { Ok(entries) } else { Err(findings) }
}
