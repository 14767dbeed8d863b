//! `pointsman keys create`.

use pointsman_core::{
    base::digest::Digest,
    identity::api_key::{self, KeyConfig},
};
use serde_json::{Map, Value, json};

use super::{mint_known, now, unseen};
use crate::{
    configuration::GatewayFile,
    ending::{CommandResult, End, Failure, input},
    output::shown,
    records::digits_kept,
    store::{Entry, Kv},
    target::TargetOrDryRun,
};

pub(super) const EXAMPLES: &str = "Examples:
  pointsman keys create --prefix sk_live --subject acme-ci \\
    --claims '{\"customerId\":\"acme-corp\",\"environment\":\"production\"}' --remote
  pointsman keys create --prefix sk_test --subject me --expires-at 2027-01-01T00:00:00Z --local";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// One of the prefixes of [api_keys].
    #[arg(long)]
    prefix: String,
    #[command(flatten)]
    gateway: GatewayFile,
    /// The subject that the key stands for.
    #[arg(long)]
    subject: String,
    /// The claims that rules read, as a JSON object.
    #[arg(long, value_name = "JSON", default_value = "{}")]
    claims: String,
    /// When the key stops working (RFC 3339).
    #[arg(long, value_name = "INSTANT")]
    expires_at: Option<String>,
    /// A name for people.
    #[arg(long)]
    name: Option<String>,
    /// Prints the key and its record as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: TargetOrDryRun,
}

pub(super) fn run(arguments: &Arguments) -> CommandResult {
    let gateway = arguments.gateway.load(arguments.target.project())?;
    let record = record(arguments)?;
    let key = mint_known(&gateway, &arguments.prefix)?;
    let store_key = api_key::store_key(&Digest::of(key.as_bytes()));
    let kv = arguments.target.kv();
    // The key is shown only once it is stored: a key that nobody can use is no key.
    if let Some(kv) = &kv {
        kv.put(&[Entry::new(store_key.clone(), record.to_string())])?;
    }
    let text = if arguments.json || kv.is_none() {
        json!({ "key": key, "storedAs": store_key, "record": record }).to_string()
    } else {
        key
    };
    shown(&text).map_err(|problem| unseen(&problem, &store_key))?;
    if !arguments.json && kv.is_some() {
        eprintln!("This is the key, shown this once and stored nowhere; KV holds {store_key}.");
    }
    Ok(End::Done)
}

fn record(arguments: &Arguments) -> Result<Value, Failure> {
    let claims: Map<String, Value> = serde_json::from_str(&arguments.claims)
        .map_err(|problem| input(format!("--claims is not a JSON object: {problem}")))?;
    let mut record =
        json!({ "subject": arguments.subject, "claims": claims, "createdAt": now()?.to_string() });
    for (name, value) in [("expiresAt", &arguments.expires_at), ("name", &arguments.name)] {
        if let (Some(members), Some(value)) = (record.as_object_mut(), value) {
            members.insert(name.to_owned(), Value::from(value.as_str()));
        }
    }
    digits_kept(&record).map_err(|problem| input(problem.to_string()))?;
    KeyConfig::parse(record.to_string().as_bytes()).map_err(|problem| input(problem.to_string()))?;
    Ok(record)
}
