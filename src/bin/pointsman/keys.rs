//! `pointsman keys`.

use std::time::SystemTime;

use pointsman::{authenticate::api_key, time::Timestamp};

use crate::{
    ending::{Failure, Outcome, input},
    entropy::random,
};

mod create;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Makes an API key. It is shown once; KV gets its digest and what it stands for.
    #[command(after_help = create::EXAMPLES)]
    Create(create::Arguments),
}

pub(crate) fn run(command: &Command) -> Outcome {
    match command {
        Command::Create(arguments) => create::run(arguments),
    }
}

/// The time.
fn now() -> Result<Timestamp, Failure> {
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
