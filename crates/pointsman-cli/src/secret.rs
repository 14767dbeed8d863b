//! `pointsman secret`: secrets for operators.

use std::{io::Write, path::PathBuf};

use pointsman_core::identity::operator_secret;

use crate::{
    ending::{CommandResult, End, Failure, input},
    entropy::random,
    host,
    output::shown,
};

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Makes a secret for operators: CONSOLE_SECRET of the console, or the one of [operator] in gateway.toml.
    ///
    /// The secret has 256 random bits and a checksum, and is stored nowhere. The gateway and the console take no other
    /// secret. Make one for each of them.
    #[command(after_help = EXAMPLES)]
    Create(Arguments),
}

const EXAMPLES: &str = "Examples:
  pointsman secret create --out console-secret.txt
  npx wrangler secret put CONSOLE_SECRET --env console < console-secret.txt
  pointsman secret create --out operator-secret.txt
  npx wrangler secret put OPERATOR_SECRET < operator-secret.txt

Keep it where you keep passwords, then delete the file.";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Writes the secret to a new file that only you can read; otherwise the secret is printed, once.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(crate) fn run(command: &Command) -> CommandResult {
    let Command::Create(arguments) = command;
    let secret = mint()?;
    let Some(file) = &arguments.out else {
        shown(&secret).map_err(|problem| input(format!("the secret could not be printed: {problem}")))?;
        return Ok(End::Done);
    };
    let failed = |problem| input(format!("{}: {problem}", file.display()));
    // A file that is there may be open to others, or hold a secret that is still in use.
    writeln!(host::create_private(file).map_err(failed)?, "{secret}").map_err(failed)?;
    eprintln!("The secret is in {}, which you alone can read, and nowhere else.", file.display());
    Ok(End::Done)
}

fn mint() -> Result<String, Failure> {
    let mut bytes = [0; operator_secret::RANDOM_BYTES];
    loop {
        random(&mut bytes).map_err(Failure::Input)?;
        if let Some(secret) = operator_secret::mint(&bytes) {
            return Ok(secret);
        }
    }
}
