//! `pointsman keys`.

use std::{fs, path::PathBuf, time::SystemTime};

use pointsman::{
    authenticate::api_key::{self, KeyConfig},
    digest::Digest,
    time::Timestamp,
};
use serde_json::{Map, Value, json};

use crate::{End, entropy::random, output::error, wrangler::Target};

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Makes an API key. It is shown once; KV gets its digest and what it stands for.
    #[command(
        after_help = "Example:\n  pointsman keys create --prefix sk_live --subject acme-ci \\\n    --claims '{\"customerId\":\"acme-corp\",\"environment\":\"production\"}' --remote"
    )]
    Create(Create),
}

#[derive(clap::Args)]
pub(crate) struct Create {
    /// One of the prefixes of [api_keys].
    #[arg(long)]
    prefix: String,
    /// The configuration whose [api_keys] the key is for.
    #[arg(long, default_value = "gateway.toml")]
    gateway: PathBuf,
    /// Whom the key stands for.
    #[arg(long)]
    subject: String,
    /// What every rule reads, as a JSON object.
    #[arg(long, default_value = "{}")]
    claims: String,
    /// When the key stops working (RFC 3339).
    #[arg(long)]
    expires_at: Option<String>,
    /// What people call it.
    #[arg(long)]
    name: Option<String>,
    /// Prints the key and its record as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

pub(crate) fn run(command: &Command) -> End {
    let Command::Create(arguments) = command;
    let (key, record) = match make(arguments) {
        Ok(made) => made,
        Err(what) => {
            error(&what);
            return End::BadInput;
        }
    };
    let digest = Digest::of(key.as_bytes());
    let store_key = api_key::store_key(&digest);
    // The key is shown only once it is stored: a key that nobody can use is no key.
    if let Err(what) = arguments.target.put(&[(store_key.clone(), record.clone())]) {
        error(&what);
        return End::WranglerFailed;
    }
    if arguments.json || arguments.target.is_dry_run() {
        println!("{}", json!({ "key": key, "storedAs": store_key, "record": record }));
    } else {
        println!("{key}");
        eprintln!("This is the key, shown this once and stored nowhere; KV holds {store_key}.");
    }
    End::Done
}

fn make(arguments: &Create) -> Result<(String, Value), String> {
    let claims: Map<String, Value> = serde_json::from_str(&arguments.claims)
        .map_err(|problem| format!("--claims is not a JSON object: {problem}"))?;
    let created =
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_err(|problem| problem.to_string())?;
    let created = Timestamp::from_millis(u64::try_from(created.as_millis()).unwrap_or_default());
    let mut record =
        json!({ "subject": arguments.subject, "claims": claims, "createdAt": created.to_string() });
    for (name, value) in [("expiresAt", &arguments.expires_at), ("name", &arguments.name)] {
        if let (Some(members), Some(value)) = (record.as_object_mut(), value) {
            members.insert(name.to_owned(), Value::from(value.as_str()));
        }
    }
    KeyConfig::parse(record.to_string().as_bytes()).map_err(|problem| problem.to_string())?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let prefix = &arguments.prefix;
    if prefix.is_empty() || !prefix.bytes().all(plain) || prefix.ends_with('_') {
        return Err("--prefix must be letters, digits and inner _ (sk_live)".to_owned());
    }
    check_prefix(arguments)?;
    let mut bytes = [0; 2 * api_key::MINTED_RANDOM_LENGTH];
    loop {
        random(&mut bytes)?;
        if let Some(key) = api_key::mint(&arguments.prefix, &bytes) {
            return Ok((key, record));
        }
    }
}

/// A key with a prefix that the gateway does not know would never work.
fn check_prefix(arguments: &Create) -> Result<(), String> {
    let file = arguments.gateway.display();
    let text = fs::read_to_string(&arguments.gateway).map_err(|problem| format!("{file}: {problem}"))?;
    let whole: toml::Table = text.parse().map_err(|problem: toml::de::Error| format!("{file}: {problem}"))?;
    let prefixes =
        whole.get("api_keys").and_then(|keys| keys.get("prefixes")).and_then(toml::Value::as_array);
    let known: Vec<&str> = prefixes.into_iter().flatten().filter_map(toml::Value::as_str).collect();
    if known.contains(&arguments.prefix.as_str()) {
        return Ok(());
    }
    Err(format!("--prefix {} is none of [api_keys] in {file}: {}", arguments.prefix, known.join(", ")))
}
