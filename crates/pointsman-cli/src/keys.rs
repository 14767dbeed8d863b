//! `pointsman keys`.

use std::time::SystemTime;

use pointsman_core::{
    base::time::Timestamp,
    identity::api_key,
    state::{
        bounds::{Bound, Hears, bounds},
        config::Gateway,
    },
};

use crate::{
    ending::{CommandResult, Failure, input},
    entropy::random,
    records::Kind,
};

mod change;
mod create;
mod enable;
mod import;
mod inspect;
mod list;
mod reference;
mod revoke;
mod roll;
mod update;

pub(crate) use list::short;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Makes an API key. The key is shown once; KV gets its digest and its record.
    #[command(after_help = create::EXAMPLES)]
    Create(create::Arguments),
    /// Lists the keys in KV by their digests. The keys themselves are stored nowhere.
    #[command(after_help = list::EXAMPLES)]
    List(list::Arguments),
    /// Shows form and digest of an API key, and its record.
    #[command(after_help = inspect::EXAMPLES)]
    Inspect(inspect::Arguments),
    /// Makes a new key in place of an old one, which stays valid for a while.
    #[command(after_help = roll::EXAMPLES)]
    Roll(roll::Arguments),
    /// Changes the record of a key: claims, subject, end, and from where and with which methods it may be used.
    #[command(after_help = update::EXAMPLES)]
    Update(Box<update::Arguments>),
    /// Takes a key back into use that was disabled.
    #[command(after_help = enable::EXAMPLES)]
    Enable(enable::Arguments),
    /// Takes a key out of use.
    #[command(after_help = revoke::EXAMPLES)]
    Revoke(revoke::Arguments),
    /// Imports keys that were minted elsewhere. All are checked before any is written.
    #[command(after_help = import::EXAMPLES)]
    Import(import::Arguments),
}

pub(crate) fn run(command: &Command) -> CommandResult {
    match command {
        Command::Create(arguments) => create::run(arguments),
        Command::List(arguments) => list::run(arguments),
        Command::Inspect(arguments) => inspect::run(arguments),
        Command::Roll(arguments) => roll::run(arguments),
        Command::Update(arguments) => update::run(arguments),
        Command::Enable(arguments) => enable::run(arguments),
        Command::Revoke(arguments) => revoke::run(arguments),
        Command::Import(arguments) => import::run(arguments),
    }
}

/// The time.
pub(crate) fn now() -> Result<Timestamp, Failure> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let since = since.map_err(|_| input("the clock of this machine stands before 1970"))?;
    Ok(Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or_default()))
}

/// A new key.
fn mint(prefix: &str) -> Result<String, Failure> {
    let mut bytes = [0; 2 * api_key::MINTED_RANDOM_LENGTH];
    loop {
        random(&mut bytes).map_err(Failure::Input)?;
        if let Some(key) = api_key::mint(prefix, &bytes) {
            return Ok(key);
        }
    }
}

/// A new key of a prefix that the gateway knows: with another it would never work.
fn mint_known(gateway: &Gateway, prefix: &str) -> Result<String, Failure> {
    let known = gateway.api_keys().map(api_key::ApiKeys::prefixes).unwrap_or_default();
    if known.iter().any(|known| known == prefix) {
        return mint(prefix);
    }
    let known = if known.is_empty() { "(none)".to_owned() } else { known.join(", ") };
    Err(input(format!("--prefix {prefix:?} is none of [api_keys] prefixes in gateway.toml: {known}")))
}

/// What to do with a key that is stored and that nobody has seen.
fn unseen(problem: &std::io::Error, store_key: &str) -> Failure {
    let digest = store_key.trim_start_matches(Kind::Key.prefix());
    let what = format!(
        "the new key could not be printed ({problem}): remove it with `pointsman keys revoke {digest}`"
    );
    Failure::Store(what)
}

/// How a change of a key counts sooner than by KV, where operators can ask the ledger.
fn quicker(gateway: &Gateway, hears: Hears) -> Option<String> {
    if hears != Hears::LedgerByPasses {
        return None;
    }
    let sooner = bounds(gateway, Hears::Ledger).into_iter().find(|bound| bound.id == "api_key_revoked")?;
    let operator = gateway.operator();
    let way = match (&operator.api, &operator.ledger) {
        (Some(_), _) => {
            "through the management API, by --api with the gateway's address in the place of --remote"
                .to_owned()
        }
        (None, Some(path)) => format!("by an edit at the ledger (POST {path}, see docs/directory.md)"),
        (None, None) => return None,
    };
    Some(format!("It counts sooner {way}: {sooner}."))
}

/// How long a revoked key may still be used.
fn revocation(gateway: &Gateway, hears: Hears) -> Option<Bound> {
    bounds(gateway, hears).into_iter().find(|bound| bound.id == "api_key_revoked")
}
