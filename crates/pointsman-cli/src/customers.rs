//! `pointsman customers`.

use pointsman_core::{customer::backend_url::AllowHttp, identity::customer_id::CustomerId};

use crate::{
    configuration::{GatewayFile, Project},
    ending::{CommandResult, Failure, input},
    output::plain,
    records::{Judge, Kind},
};

mod export;
mod get;
mod import;
pub(crate) mod known;
mod list;
mod put;
mod remove;
mod reseal;
mod seal;
mod tidy;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Lists the customers in KV: those with an operator's record, and those that only the config API knows.
    #[command(after_help = list::EXAMPLES)]
    List(list::Arguments),
    /// Prints the record that counts of one customer.
    #[command(after_help = get::EXAMPLES)]
    Get(get::Arguments),
    /// Writes an operator's record of one customer, in place of the one that KV has. This record counts before what the
    /// config API says.
    #[command(after_help = put::EXAMPLES)]
    Put(put::Arguments),
    /// Removes operators' records. What the config API says of these customers counts again.
    #[command(after_help = remove::EXAMPLES)]
    Remove(remove::Arguments),
    /// Seals a secret for a customer's own backend into the operator's record: the gateway sends it to that backend alone.
    ///
    /// The secret is read from standard input. It is encrypted with the first key of [customers.secrets], whose secret must be
    /// in the environment under the name that it has in the Worker.
    #[command(after_help = seal::EXAMPLES)]
    Seal(seal::Arguments),
    /// Seals anew, with the first key of [customers.secrets], what was sealed with another one: all operators' records, or some.
    #[command(after_help = reseal::EXAMPLES)]
    Reseal(reseal::Arguments),
    /// Puts each customer of a file or folder into KV. All are checked before any is written.
    #[command(after_help = import::EXAMPLES)]
    Import(import::Arguments),
    /// Writes operators' records into a file or a folder.
    #[command(after_help = export::EXAMPLES)]
    Export(export::Arguments),
    /// Deletes the config API's records that an older version left under operators' names.
    #[command(after_help = tidy::EXAMPLES)]
    Tidy(tidy::Arguments),
}

pub(crate) fn run(command: &Command) -> CommandResult {
    match command {
        Command::List(arguments) => list::run(arguments),
        Command::Get(arguments) => get::run(arguments),
        Command::Put(arguments) => put::run(arguments),
        Command::Remove(arguments) => remove::run(arguments),
        Command::Seal(arguments) => seal::run(arguments),
        Command::Reseal(arguments) => reseal::run(arguments),
        Command::Import(arguments) => import::run(arguments),
        Command::Export(arguments) => export::run(arguments),
        Command::Tidy(arguments) => tidy::run(arguments),
    }
}

/// What records are judged by.
#[derive(clap::Args)]
struct JudgeArguments {
    #[command(flatten)]
    gateway: GatewayFile,
    /// Where plain http is allowed: never, loopback or always. By default what gateway.toml says.
    #[arg(long, value_name = "WHERE", value_parser = |text: &str| AllowHttp::parse(text).ok_or("never, loopback or always"))]
    allow_http: Option<AllowHttp>,
}

impl JudgeArguments {
    fn judge(&self, project: &Project) -> Result<Judge, Failure> {
        let judge = Judge::of(self.gateway.load_if_there(project)?.as_ref());
        Ok(Judge { allow_http: self.allow_http.unwrap_or(judge.allow_http), ..judge })
    }
}

fn id(text: &str) -> Result<CustomerId, Failure> {
    let most = CustomerId::MAX_BYTES;
    CustomerId::parse(text).ok_or_else(|| {
        input(format!(
            "{:?} can be no customer's id: 1 to {most} bytes without control characters",
            plain(text)
        ))
    })
}

/// The names of all entries under operators' names.
fn names(kv: &dyn crate::store::Kv) -> Result<Vec<String>, Failure> {
    let listed = kv.list(Kind::Customer.prefix())?;
    Ok(listed.into_iter().map(|listed| listed.name).filter(|name| Kind::of(name).is_some()).collect())
}
