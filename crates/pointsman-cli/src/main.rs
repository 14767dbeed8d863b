//! The command line, on the same core as the Worker: what it says of a configuration or a record is
//! what the edge will do with it.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod api;
mod bindings;
mod check;
mod compile;
mod completions;
mod configuration;
mod convert;
mod credentials;
mod customers;
mod deployment;
mod dev_vars;
mod diff;
mod directory;
mod ending;
mod entries;
mod entropy;
mod explain;
mod files;
mod findings;
mod gateway_address;
mod host;
mod hosts;
mod http;
mod import;
mod keys;
mod lines;
mod lints;
mod output;
mod reconcile;
mod records;
mod reference;
mod schema;
#[cfg(test)]
mod scratch;
mod sealing;
mod secret;
mod store;
mod sync;
mod syntax;
mod target;
mod touched;
mod usage;
mod worker;
mod wrangler;

/// Checks configurations, and keeps API keys and customers in KV.
#[derive(Parser)]
#[command(name = "pointsman", version, arg_required_else_help = true, max_term_width = 100)]
#[command(after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 something is wrong with the input, 2 wrong usage, 3 wrangler failed, KV \
does not hold what it should, or the gateway or the metrics do not answer, 4 something is left to do: changes are pending (plan --detailed-exitcode), callers would notice a change (diff), parts of an import, or it is not certain that keys are unused (keys list --unused-for); 5 more callers would than diff --max-moved allows.";

/// As clap ends where arguments are wrong.
const WRONG_USAGE: u8 = 2;

#[derive(Subcommand)]
enum Command {
    /// Checks gateway.toml with the code of the Worker, and what wrangler's file must bind; names file, line and field.
    #[command(
        after_help = "Examples:\n  pointsman check\n  pointsman check other.toml --env staging --json\n  pointsman check --data data --remote   # customers and keys too"
    )]
    Check(check::Arguments),
    /// Checks gateway.toml and prints it in checked form, as the Worker and its GATEWAY variable take it.
    #[command(
        after_help = "Examples:\n  pointsman compile > gateway.json\n  pointsman compile other.toml --env staging"
    )]
    Compile(compile::Arguments),
    /// Explains how a request is decided, step by step.
    #[command(after_help = explain::help())]
    Explain(Box<explain::Arguments>),
    /// Shows what must be written and deleted to bring KV in line with a folder of files.
    #[command(after_help = reconcile::PLAN_EXAMPLES)]
    Plan(reconcile::PlanArguments),
    /// Brings KV in line with a folder of files.
    #[command(after_help = reconcile::APPLY_EXAMPLES)]
    Apply(reconcile::ApplyArguments),
    /// Prints what KV should hold by a folder of files, as `wrangler kv bulk put` takes it. Nothing is written.
    #[command(after_help = entries::EXAMPLES)]
    Entries(entries::Arguments),
    /// Says which callers would go elsewhere by this gateway.toml than by another.
    #[command(after_help = diff::EXAMPLES)]
    Diff(diff::Arguments),
    /// Works with API keys.
    #[command(subcommand)]
    Keys(keys::Command),
    /// Works with customers.
    #[command(subcommand)]
    Customers(customers::Command),
    /// Works with the ledger of a gateway that runs.
    #[command(subcommand)]
    Directory(directory::Command),
    /// Says from the metrics how much was called, what failed since when, and whom it hits.
    #[command(after_help = usage::EXAMPLES)]
    Usage(Box<usage::Arguments>),
    /// Makes secrets for operators.
    #[command(subcommand)]
    Secret(secret::Command),
    /// Writes gateway.toml from the configuration of another gateway.
    #[command(subcommand)]
    Import(convert::Command),
    /// Prints the JSON Schema of gateway.toml or of a record in KV, for editors.
    Schema(schema::Arguments),
    /// Prints the script with which a shell completes this command line.
    Completions(completions::Arguments),
    /// Prints docs/cli.md.
    #[command(hide = true)]
    Reference(reference::Arguments),
}

fn main() -> ExitCode {
    host::begin();
    // Before they are parsed: what is said of wrong arguments repeats them.
    if credentials::is_among(std::env::args_os().filter_map(|argument| argument.into_string().ok())) {
        output::error(credentials::AMONG_ARGUMENTS);
        return ExitCode::from(WRONG_USAGE);
    }
    let outcome = match Arguments::parse().command {
        Command::Check(arguments) => check::run(&arguments),
        Command::Compile(arguments) => compile::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Plan(arguments) => reconcile::plan(&arguments),
        Command::Apply(arguments) => reconcile::apply(&arguments),
        Command::Entries(arguments) => entries::run(&arguments),
        Command::Diff(arguments) => diff::run(&arguments),
        Command::Keys(command) => keys::run(&command),
        Command::Customers(command) => customers::run(&command),
        Command::Directory(command) => directory::run(&command),
        Command::Usage(arguments) => usage::run(&arguments),
        Command::Secret(command) => secret::run(&command),
        Command::Import(command) => convert::run(&command),
        Command::Schema(arguments) => schema::run(&arguments),
        Command::Completions(arguments) => completions::run::<Arguments>(&arguments),
        Command::Reference(arguments) => reference::run::<Arguments>(&arguments),
    };
    ExitCode::from(ending::finish(outcome).code())
}
