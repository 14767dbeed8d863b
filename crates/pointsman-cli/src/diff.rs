//! `pointsman diff`: which callers would go elsewhere by another configuration, decided by the code that decides at the edge.

use std::{
    path::PathBuf,
    time::{SystemTime, UNIX_EPOCH},
};

use pointsman_core::{base::time::Timestamp, state::config::Gateway};
use serde_json::{Map, Value};

mod callers;
mod content;
mod customers;
mod data;
mod pool;
mod questions;
mod report;
mod revision;
mod side;
mod split;
mod tally;
#[cfg(test)]
mod tests;
mod values;
mod worker;

use self::{
    customers::Customers,
    data::Source as Data,
    pool::{Both, Outcome, all, anonymous},
    report::{Compared, Named},
    worker::Work,
};
use crate::{
    configuration::{GatewayFile, Judged, Secrets, Source},
    ending::{CommandResult, End, Failure, input},
    findings::{errors, print_all},
    output::{Counter, line},
    records::Kind,
    target::OptionalTarget,
};

pub(crate) const EXAMPLES: &str = "Examples:
  pointsman diff --base main --data data
  pointsman diff --base old.toml --gateway new.toml --data customers.jsonl --json
  pointsman diff --base origin/main --remote --max-moved 100   # in CI: 5 where more than 100 callers notice

Exit codes: 0 nobody notices a difference, 4 somebody does, 5 more callers do than --max-moved says.";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The configuration that counts now: a file, or a revision of git, at which gateway.toml and wrangler.toml are read.
    #[arg(long, value_name = "FILE|REVISION")]
    base: String,
    #[command(flatten)]
    head: GatewayFile,
    /// The customers and keys at hand: a folder as for `plan` and `apply`, or a file of either kind, such as an export.
    #[arg(long, value_name = "DIR|FILE", conflicts_with_all = ["local", "remote"], required_unless_present_any = ["local", "remote"])]
    data: Option<PathBuf>,
    /// What tokens of customers say besides their customer, as a JSON object.
    #[arg(long, value_name = "JSON", default_value = "{}")]
    claims: String,
    /// Ends with exit code 5 where more callers than this notice a difference.
    #[arg(long, value_name = "NUMBER")]
    max_moved: Option<u64>,
    /// How many callers are named of each kind of difference.
    #[arg(long, value_name = "NUMBER", default_value_t = 3)]
    examples: usize,
    /// The time at which requests are decided (RFC 3339). Default now.
    #[arg(long, value_name = "INSTANT")]
    now: Option<String>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    from: OptionalTarget,
}

pub(crate) fn run(arguments: &Arguments) -> CommandResult {
    let project = arguments.from.project();
    let claims: Map<String, Value> = serde_json::from_str(&arguments.claims)
        .map_err(|problem| input(format!("--claims is not a JSON object: {problem}")))?;
    let now = instant(arguments.now.as_deref())?;
    let path = arguments.head.path();
    let base = revision::base(&arguments.base, &path, project)?;
    let head = Source::read(&path, project, Secrets::OfDevVars)?;
    let (of_base, of_head) = (gateway(&base)?, gateway(&head)?);
    let derived = questions::derive(&of_base, &of_head);
    let work = Work { questions: &derived.all, claims: &claims, now, kept: arguments.examples };
    let sources = sources(arguments, &of_head)?;
    let outcome = compare(&Both { base: &base, head: &head }, &work, &sources)?;
    print_all(&outcome.faults);
    let faults = outcome.faulty;
    if errors(&outcome.faults) > 0 {
        let word = if faults == 1 { "record" } else { "records" };
        return Err(input(format!("{faults} {word} cannot be used: mend them first")));
    }
    let mut notes = derived.notes;
    if faults > 0 {
        notes.push(format!("{faults} of KV's records cannot be used, and are left out"));
    }
    if outcome.tally.undecided > 0 {
        return Err(input(format!(
            "{} decisions would need more than the records at hand",
            outcome.tally.undecided
        )));
    }
    let compared = Compared {
        base: Named::of(base.file.display().to_string(), &of_base),
        head: Named::of(head.file.display().to_string(), &of_head),
        questions: derived.all.len(),
        notes: &notes,
        tally: &outcome.tally,
        max_moved: arguments.max_moved,
    };
    if arguments.json {
        line(&compared.as_json().to_string());
    } else {
        compared.print();
    }
    Ok(match outcome.tally.differ {
        0 => End::Done,
        _ if compared.is_exceeded() => End::Exceeded,
        _ => End::Pending,
    })
}

/// Asks for everybody at hand: customers first, since keys name them.
fn compare(both: &Both<'_>, work: &Work<'_>, sources: &[Data]) -> Result<Outcome, Failure> {
    let of = |kind: Kind| sources.iter().filter(|source| source.kind == kind).collect::<Vec<_>>();
    let (customers, keys) = (of(Kind::Customer), of(Kind::Key));
    let mut outcome = anonymous(both, work)?;
    let mut counter = Counter::new("records asked about");
    // Behind nobody's.
    outcome.merge(all(both, work, &customers, 1, &Customers::default(), &mut counter)?);
    if !keys.is_empty() {
        let files = customers.iter().map(|source| &source.file).collect();
        let known = Customers::new(std::mem::take(&mut outcome.places), files);
        /// Behind all customers.
        const FIRST_KEY: u64 = 1 << 48;
        outcome.merge(all(both, work, &keys, FIRST_KEY, &known, &mut counter)?);
    }
    counter.end();
    Ok(outcome)
}

fn sources(arguments: &Arguments, head: &Gateway) -> Result<Vec<Data>, Failure> {
    match (&arguments.data, arguments.from.kv()?) {
        (Some(path), _) => data::of_files(path),
        (None, Some(kv)) => {
            let source = head.customers().is_some_and(|customers| customers.source.is_some());
            data::of_kv(&*kv, source)
        }
        (None, None) => Err(input("say where customers and keys are, by --data, --local, --remote or --api")),
    }
}

fn gateway(source: &Source) -> Result<Gateway, Failure> {
    let Judged { gateway, findings, .. } = source.judge();
    match gateway {
        Some(gateway) if errors(&findings) == 0 => Ok(gateway),
        _ => {
            print_all(&findings);
            Err(input(format!("{} has faults: mend them first", source.file.display())))
        }
    }
}

fn instant(given: Option<&str>) -> Result<Timestamp, Failure> {
    if let Some(text) = given {
        let read = Timestamp::parse_rfc3339(text);
        return read.ok_or_else(|| input(format!("--now {text} is no instant: write 2026-12-31T23:59:59Z")));
    }
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let since = since.map_err(|_| input("the clock of this machine stands before 1970"))?;
    Ok(Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or_default()))
}
