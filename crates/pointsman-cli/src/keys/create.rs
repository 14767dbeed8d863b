//! `pointsman keys create`.

use clap::builder::PossibleValuesParser;
use pointsman_core::{
    base::digest::Digest,
    identity::{key_record, root_key::Scope},
};
use serde_json::{Value, json};

use super::{
    change::{Restrictions, check, claims, doubt},
    mint_known, now, unseen,
};
use crate::{
    configuration::GatewayFile,
    ending::{CommandResult, End, Failure},
    output::shown,
    store::Entry,
    target::TargetOrDryRun,
    touched,
};

pub(super) const EXAMPLES: &str = "Examples:
  pointsman keys create --prefix sk_live --subject acme-ci \\
    --claims '{\"customerId\":\"acme-corp\",\"environment\":\"production\"}' --remote
  pointsman keys create --prefix sk_test --subject me --expires-at 2027-01-01T00:00:00Z --local
  pointsman keys create --prefix sk_live --subject office --allowed-ip 192.0.2.0/24 --method GET --remote
  pointsman keys create --prefix sk_live --subject ops --scope keys.read --scope keys.write --remote   # a root key
  POINTSMAN_ROOT_KEY=… pointsman keys create --prefix sk_live --subject ci --api https://api.example.com   # works at once";

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
    #[command(flatten)]
    restrictions: Restrictions,
    #[command(flatten)]
    root: Root,
    /// A name for people.
    #[arg(long)]
    name: Option<String>,
    /// Prints the key and its record as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: TargetOrDryRun,
}

/// What makes it a root key, for the management API and for nothing else.
#[derive(clap::Args)]
#[command(next_help_heading = "A root key, for the management API and for no route")]
struct Root {
    /// Makes a root key that may do this at the management API. May be given several times.
    #[arg(long = "scope", value_name = "SCOPE", value_parser = PossibleValuesParser::new(Scope::ALL.map(Scope::as_str)))]
    scopes: Vec<String>,
    /// Limits the root key to this customer and its keys. May be given several times.
    #[arg(long = "only-customer", value_name = "ID", requires = "scopes")]
    customers: Vec<String>,
    /// Limits the root key to keys with this prefix. May be given several times.
    #[arg(long = "only-prefix", value_name = "PREFIX", requires = "scopes")]
    prefixes: Vec<String>,
}

impl Root {
    /// The member of the record; none where it is no root key.
    fn member(&self) -> Option<Value> {
        let Self { scopes, customers, prefixes } = self;
        if scopes.is_empty() {
            return None;
        }
        let mut root = json!({ "scopes": scopes });
        for (name, limit) in [("customers", customers), ("prefixes", prefixes)] {
            if let Some(members) = root.as_object_mut().filter(|_| !limit.is_empty()) {
                members.insert(name.to_owned(), json!(limit));
            }
        }
        Some(root)
    }
}

pub(super) fn run(arguments: &Arguments) -> CommandResult {
    let gateway = arguments.gateway.load(arguments.target.project())?;
    let record = record(arguments)?;
    let key = mint_known(&gateway, &arguments.prefix)?;
    let store_key = key_record::store_key(&Digest::of(key.as_bytes()));
    let kv = arguments.target.kv()?;
    doubt(kv.as_deref(), &gateway, &record, now()?);
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
    if let Some(kv) = &kv {
        touched::note(&**kv, std::slice::from_ref(&store_key));
    }
    if let Some(kv) = kv.filter(|_| !arguments.json) {
        eprintln!("This is the key, shown this once and stored nowhere; {} holds {store_key}.", kv.called());
    }
    Ok(End::Done)
}

fn record(arguments: &Arguments) -> Result<Value, Failure> {
    let claims = claims(&arguments.claims)?;
    let mut record = json!({
        "subject": arguments.subject,
        "claims": claims,
        "createdAt": now()?.to_string(),
        "prefix": arguments.prefix,
    });
    if let Some(members) = record.as_object_mut() {
        if let Some(root) = arguments.root.member() {
            members.insert("root".to_owned(), root);
        }
        for (name, value) in [("expiresAt", &arguments.expires_at), ("name", &arguments.name)] {
            if let Some(value) = value {
                members.insert(name.to_owned(), Value::from(value.as_str()));
            }
        }
        arguments.restrictions.put(members);
    }
    check(&record)?;
    Ok(record)
}
