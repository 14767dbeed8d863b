//! `pointsman plan` and `pointsman apply`.

use std::path::{Path, PathBuf};

use pointsman_core::base::time::Span;

use crate::{
    configuration::GatewayFile,
    ending::{CommandResult, End, Failure},
    files::of_folder,
    findings::{errors, print_all},
    output::{error, line},
    records::{Extras, Judge},
    store::Kv,
    sync::{
        self,
        plan::{Options, Plan},
        show,
        wanted::Wanted,
    },
    target::Target,
};

pub(crate) const PLAN_EXAMPLES: &str = "Examples:
  pointsman plan data --remote
  pointsman plan data --remote --prune --detailed-exitcode   # in CI: 0 nothing to do, 4 changes pending
  pointsman plan data --local --json | jq '.changes[].fields'
  POINTSMAN_ROOT_KEY=… pointsman plan data --api https://api.example.com   # by the management API

DIR holds any of customers.json, customers.jsonl, customers/**/*.json, keys.json, keys.jsonl, keys/**/*.json.";

pub(crate) const APPLY_EXAMPLES: &str = "Examples:
  pointsman apply data --local
  pointsman apply data --remote --prune
  POINTSMAN_ROOT_KEY=… pointsman apply data --api https://api.example.com   # counts within seconds

If a run was interrupted, run it again: what is done already is not done twice.";

#[derive(clap::Args)]
struct Common {
    /// The folder with customers and keys.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Deletes what KV has and no file has: customers where DIR has any file for customers, and keys in the same way.
    #[arg(long)]
    prune: bool,
    /// Reads every value, and does not rely on KV's listing.
    #[arg(long)]
    verify: bool,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: GatewayFile,
    #[command(flatten)]
    target: Target,
}

#[derive(clap::Args)]
pub(crate) struct PlanArguments {
    #[command(flatten)]
    common: Common,
    /// Ends with exit code 4 where changes are pending.
    #[arg(long)]
    detailed_exitcode: bool,
}

#[derive(clap::Args)]
pub(crate) struct ApplyArguments {
    #[command(flatten)]
    common: Common,
    /// Deletes also more than 20 % of the customers or keys, if these are more than 10.
    #[arg(long)]
    yes: bool,
    /// How long to wait until KV shows what was written.
    #[arg(long, value_name = "SPAN", default_value = sync::WAIT, value_parser = span)]
    wait: Span,
}

/// A span of time as the configuration writes it.
pub(crate) fn span(text: &str) -> Result<Span, String> {
    match text {
        "0" => Ok(Span::default()),
        text => Span::parse(text).ok_or_else(|| "write 30s, 5m, 24h or 7d".to_owned()),
    }
}

pub(crate) fn plan(arguments: &PlanArguments) -> CommandResult {
    let Some((wanted, judge)) = read(&arguments.common)? else { return Ok(End::BadInput) };
    let plan = planned(&*arguments.common.target.kv()?, &arguments.common, &wanted, &judge)?;
    if arguments.common.json {
        line(&show::as_json(&plan, &wanted, &judge)?.to_string());
    } else {
        show::plan(&plan, &wanted, &judge)?;
    }
    Ok(if arguments.detailed_exitcode && !plan.is_empty() { End::Pending } else { End::Done })
}

pub(crate) fn apply(arguments: &ApplyArguments) -> CommandResult {
    let Common { json, target, .. } = &arguments.common;
    let Some((wanted, judge)) = read(&arguments.common)? else { return Ok(End::BadInput) };
    // One for both: it knows which versions the plan was made of.
    let kv = target.kv()?;
    let plan = planned(&*kv, &arguments.common, &wanted, &judge)?;
    if !json && !plan.is_empty() {
        show::summary(&plan);
    }
    if let Some(what) = plan.deletes_too_much()
        && !arguments.yes
    {
        error(&what);
        eprintln!("nothing was written");
        return Ok(End::BadInput);
    }
    let end = sync::carried_out(&*kv, &wanted, &plan, &judge, arguments.wait)?;
    sync::told(&plan, *json, end == End::Done);
    Ok(end)
}

fn planned(kv: &dyn Kv, common: &Common, wanted: &Wanted, judge: &Judge) -> Result<Plan, Failure> {
    let options = Options { prune: common.prune, verify: common.verify };
    let (plan, warnings) = sync::planned(kv, wanted, judge, options)?;
    print_all(&warnings);
    Ok(plan)
}

fn read(common: &Common) -> Result<Option<(Wanted, Judge)>, Failure> {
    let gateway = common.gateway.load_if_there(common.target.project())?;
    let judge = Judge::of(gateway.as_ref());
    Ok(read_folder(&common.folder, &judge)?.map(|wanted| (wanted, judge)))
}

/// The records of a folder; `None` where there are faults, which have been said.
pub(crate) fn read_folder(folder: &Path, judge: &Judge) -> Result<Option<Wanted>, Failure> {
    let found = of_folder(folder)?;
    print_all(&found.warnings);
    match Wanted::read(found.files, found.kinds, judge, Extras::Refused) {
        Ok((wanted, warnings)) => {
            print_all(&warnings);
            Ok(Some(wanted))
        }
        Err(findings) => {
            print_all(&findings);
            let errors = errors(&findings);
            let noun = if errors == 1 { "error" } else { "errors" };
            eprintln!("{errors} {noun} in {}; nothing was written", folder.display());
            Ok(None)
        }
    }
}
