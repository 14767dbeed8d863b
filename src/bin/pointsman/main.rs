//! The command line, on the same core as the Worker: what it says of a configuration or a record is
//! what the edge will do with it.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod bindings;
mod check;
mod completions;
mod customers;
mod entropy;
mod keys;
mod lines;
mod lints;
mod output;
mod reference;
mod schema;
mod wrangler;

/// Checks configurations, mints API keys and imports customers.
#[derive(Parser)]
#[command(name = "pointsman", version, arg_required_else_help = true, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 done, 1 something is wrong with the input, 2 wrong usage, 3 wrangler failed."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Checks gateway.toml with the code that runs at the edge; names file, line and field.
    Check(check::Arguments),
    /// Prints gateway.toml as JSON, as the GATEWAY variable takes it.
    Compile(check::CompileArguments),
    /// Works with API keys.
    #[command(subcommand)]
    Keys(keys::Command),
    /// Works with customers.
    #[command(subcommand)]
    Customers(customers::Command),
    /// Prints the JSON Schema of gateway.toml or of a record in KV, for editors.
    Schema(schema::Arguments),
    /// Prints what a shell needs to complete this command line.
    Completions(completions::Arguments),
    /// Prints docs/cli.md.
    #[command(hide = true)]
    Reference(reference::Arguments),
}

/// How a command ended.
enum End {
    Done,
    /// Something is wrong with the input; what has been said.
    BadInput,
    /// wrangler failed; why has been said.
    WranglerFailed,
}

fn main() -> ExitCode {
    let end = match Arguments::parse().command {
        Command::Check(arguments) => check::check(&arguments),
        Command::Compile(arguments) => check::compile(&arguments),
        Command::Keys(command) => keys::run(&command),
        Command::Customers(command) => customers::run(&command),
        Command::Schema(arguments) => schema::run(&arguments),
        Command::Completions(arguments) => completions::run::<Arguments>(&arguments),
        Command::Reference(arguments) => reference::run::<Arguments>(&arguments),
    };
    match end {
        End::Done => ExitCode::SUCCESS,
        End::BadInput => ExitCode::from(1),
        End::WranglerFailed => ExitCode::from(3),
    }
}
