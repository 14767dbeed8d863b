//! `pointsman keys inspect`.

use pointsman_core::{
    base::digest::Digest,
    identity::{
        api_key::{ApiKeys, is_well_formed},
        key_record::store_key,
    },
};
use serde_json::{Value, json};

use super::{list::Stored, now};
use crate::{
    configuration::GatewayFile,
    credentials::{self, KeyFile},
    ending::{CommandResult, End, Failure, input},
    output::{line, plain},
    store::Kv,
    target::OptionalTarget,
};

pub(super) const EXAMPLES: &str = "Examples:
  pointsman keys inspect - < key.txt                # the key stands in no history
  pointsman keys inspect --key-file key.txt --remote   # with its record
  pointsman keys inspect --pattern                  # the regular expression for secret scanners

Without --local or --remote no KV is asked. A key that the gateway would not take ends with exit code 1.";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// - reads the key from standard input. The key itself is never an argument: it would stay in the shell's history.
    #[arg(value_name = "-", required_unless_present_any = ["pattern", "key_file"], conflicts_with_all = ["pattern", "key_file"])]
    key: Option<String>,
    #[command(flatten)]
    file: KeyFile,
    /// Prints the regular expression by which secret scanners find keys.
    #[arg(long, conflicts_with = "key_file")]
    pattern: bool,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: GatewayFile,
    #[command(flatten)]
    target: OptionalTarget,
}

pub(super) fn run(arguments: &Arguments) -> CommandResult {
    let gateway = arguments.gateway.load(arguments.target.project())?;
    let Some(keys) = gateway.api_keys() else {
        return Err(input("gateway.toml has no [api_keys]: it takes no API keys"));
    };
    let (key, file) = (arguments.key.as_deref(), arguments.file.key_file.as_deref());
    let Some(key) = credentials::given("KEY", key, "--key-file", file)? else {
        return pattern(keys, arguments.json);
    };
    let seen = look(keys, &key);
    let name = store_key(&Digest::of(key.as_bytes()));
    let stored = match arguments.target.kv()? {
        Some(kv) => Some(record(&*kv, &name)?),
        None => None,
    };
    let state = match &stored {
        Some(Some(stored)) => Some(stored.state(now()?)),
        Some(None) => Some("unknown"),
        None => None,
    };
    if arguments.json {
        print_json(&seen, &name, stored.as_ref(), state);
    } else {
        print(&seen, &name, stored.as_ref(), state);
    }
    Ok(if seen.taken && matches!(state, None | Some("active")) { End::Done } else { End::BadInput })
}

fn pattern(keys: &ApiKeys, as_json: bool) -> CommandResult {
    if keys.prefixes().is_empty() {
        return Err(input("[api_keys] has no prefixes: no expression could tell its keys from other text"));
    }
    let pattern = keys.scanner_pattern();
    line(&if as_json { json!({ "pattern": pattern }).to_string() } else { pattern });
    Ok(End::Done)
}

/// What a key tells by itself.
#[derive(Debug, Eq, PartialEq)]
struct InspectedKey<'a> {
    prefix: Option<&'a str>,
    /// Whether it is of the form of minted keys, with the right checksum.
    minted: bool,
    /// Whether the gateway would look it up.
    taken: bool,
}

fn look<'a>(keys: &'a ApiKeys, key: &str) -> InspectedKey<'a> {
    let minted = keys.prefixes().iter().any(|prefix| is_well_formed(key, prefix));
    let visible = key.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',');
    let taken = visible && key.len() <= ApiKeys::MAX_BYTES && keys.has_form(key) && keys.digest(key).is_ok();
    InspectedKey { prefix: keys.prefix_of(key), minted, taken }
}

fn record(kv: &dyn Kv, name: &str) -> Result<Option<Stored>, Failure> {
    let stored = kv.get(name)?.map(|text| {
        let record = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Stored { digest: name.trim_start_matches("key:").to_owned(), record }
    });
    Ok(stored)
}

fn print_json(seen: &InspectedKey<'_>, name: &str, stored: Option<&Option<Stored>>, state: Option<&str>) {
    let mut object = json!({
        "prefix": seen.prefix, "checksum": seen.minted, "accepted": seen.taken,
        "digest": name.trim_start_matches("key:"), "storedAs": name,
    });
    if let (Some(stored), Some(members)) = (stored, object.as_object_mut()) {
        members.insert("state".to_owned(), Value::from(state));
        members.insert("record".to_owned(), stored.as_ref().map(|stored| stored.record.clone()).into());
    }
    line(&object.to_string());
}

fn print(seen: &InspectedKey<'_>, name: &str, stored: Option<&Option<Stored>>, state: Option<&str>) {
    let yes = |yes: bool, no: &'static str| if yes { "yes" } else { no };
    line(&format!("prefix         {}", seen.prefix.unwrap_or("none of [api_keys] prefixes")));
    line(&format!(
        "form           {}",
        if seen.minted {
            "<prefix>_<random>_<checksum>, checksum right"
        } else {
            "not <prefix>_<random>_<checksum> with the right checksum"
        }
    ));
    line(&format!("would be used  {}", yes(seen.taken, "no: the gateway refuses it without looking it up")));
    line(&format!("digest         {}", name.trim_start_matches("key:")));
    line(&format!("stored as      {name}"));
    match (stored, state) {
        (Some(Some(stored)), Some(state)) => {
            line(&format!("state          {state}"));
            line(&format!("record         {}", plain(&stored.record.to_string())));
        }
        (Some(None), _) => line("record         none: the key is unknown, or was revoked"),
        _ => {}
    }
}
