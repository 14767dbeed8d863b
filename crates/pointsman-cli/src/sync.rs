//! Brings KV in line with what an operator wrote down.

use std::{
    collections::HashSet,
    thread,
    time::{Duration, Instant},
};

use pointsman_core::{base::time::Span, identity::customer_id::CustomerId};
use serde_json::{Value, json};

pub(crate) mod apply;
pub(crate) mod diff;
#[cfg(test)]
pub(crate) mod memory;
pub(crate) mod plan;
pub(crate) mod show;
#[cfg(test)]
mod tests;
pub(crate) mod wanted;

use self::{
    apply::Told,
    plan::{Options, Plan},
    wanted::Wanted,
};
use crate::{
    customers::known::known_beside,
    ending::{CommandResult, End, Failure},
    findings::Placed,
    hosts::refuse_taken,
    output::{counted, error, line, warning},
    records::{Judge, Kind, own_name},
    store::{Kv, Listed},
    touched,
};

/// How long a write may take to be visible, by default.
pub(crate) const WAIT: &str = "60s";

/// A plan, with what is to be said of it before it is carried out.
pub(crate) fn planned(
    kv: &dyn Kv,
    wanted: &Wanted,
    judge: &Judge,
    options: Options,
) -> Result<(Plan, Vec<Placed>), Failure> {
    let mut customers: HashSet<String> = HashSet::new();
    let mut seen = false;
    let mut plan = plan::plan(kv, wanted, options, &mut |kind, there: &[Listed]| {
        if kind == Kind::Customer {
            seen = true;
            let claimed = |name: &&Listed| wanted.names_customer(&name.name);
            customers = there.iter().filter(claimed).map(|listed| listed.name.clone()).collect();
        }
    })?;
    if !seen && wanted.names_customers() {
        let there = kv.list(Kind::Customer.prefix())?;
        customers = there.into_iter().map(|listed| listed.name).collect();
    }
    refuse_taken(kv, wanted, &plan)?;
    if judge.source {
        let names = plan.creates.iter().chain(&plan.deletes).map(String::as_str);
        let customers: Vec<&str> = names.filter(|name| name.starts_with(Kind::Customer.prefix())).collect();
        plan.beside = known_beside(kv, &customers)?;
    }
    let deleted: HashSet<&str> = plan.deletes.iter().map(String::as_str).collect();
    let known = |name: &str| customers.contains(name) && !deleted.contains(name);
    const LOOKED: &str = "neither these files nor KV have a record";
    let mut warnings = wanted.unknown_customers(judge, LOOKED, known);
    if judge.source && !warnings.is_empty() {
        let listed = kv.list(CustomerId::REFRESHED_PREFIX)?;
        let refreshed: HashSet<String> = listed.iter().filter_map(|listed| own_name(&listed.name)).collect();
        warnings = wanted.unknown_customers(judge, LOOKED, |name| known(name) || refreshed.contains(name));
    }
    Ok((plan, warnings))
}

/// Carries a plan out, and looks whether KV shows it.
///
/// # Errors
/// Where KV failed.
pub(crate) fn carried_out(
    kv: &dyn Kv,
    wanted: &Wanted,
    plan: &Plan,
    judge: &Judge,
    wait: Span,
) -> CommandResult {
    let told = if plan.creates.len() + plan.changes.len() + plan.deletes.len() > 1 {
        Told::Progress
    } else {
        Told::Nothing
    };
    apply::apply(kv, wanted, plan, judge, told)?;
    // Whoever was stopped half-way may have written records, and not whose their hosts are.
    kv.point(&wanted.with_hosts())?;
    let written = Kind::ALL.into_iter().flat_map(|kind| plan.puts(kind)).map(str::to_owned);
    touched::note(kv, &written.chain(plan.deletes.iter().cloned()).collect::<Vec<_>>());
    let until = Instant::now() + Duration::from_millis(wait.millis());
    let mut pause = Duration::from_secs(2);
    let missing = apply::missing(kv, wanted, plan, &mut |missing| {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        warning(&format!(
            "{} not yet visible; KV's listing follows a write after a while. Looking again in {} s",
            counted(missing, "entry is", "entries are"),
            pause.min(left).as_secs().max(1)
        ));
        thread::sleep(pause.min(left));
        pause = (pause * 2).min(Duration::from_secs(15));
        true
    })?;
    if missing == 0 {
        return Ok(End::Done);
    }
    error(&format!(
        "{} not visible after {wait}. All were written, so this may be KV's propagation: run this again in a minute, \
         and it says whether anything is left to do",
        counted(missing, "entry is", "entries are")
    ));
    Ok(End::WranglerFailed)
}

/// Brings the wanted entries into KV and says what came of it.
///
/// # Errors
/// As [`carried_out`].
pub(crate) fn bring(kv: &dyn Kv, wanted: &Wanted, judge: &Judge, wait: Span, as_json: bool) -> CommandResult {
    let (plan, warnings) = planned(kv, wanted, judge, Options::default())?;
    crate::findings::print_all(&warnings);
    let end = carried_out(kv, wanted, &plan, judge, wait)?;
    told(&plan, as_json, end == End::Done);
    Ok(end)
}

/// What was done.
pub(crate) fn told(plan: &Plan, as_json: bool, visible: bool) {
    let Plan { creates, changes, deletes, unchanged, .. } = plan;
    if as_json {
        let done = json!({
            "created": creates.len(), "changed": changes.len(), "deleted": deletes.len(), "unchanged": unchanged,
            "visible": visible,
        });
        line(&Value::to_string(&done));
    } else if plan.is_empty() {
        line(&format!(
            "nothing to do: {} as {}",
            counted(*unchanged, "entry is", "entries are"),
            if *unchanged == 1 { "it should be" } else { "they should be" }
        ));
    } else {
        line(&format!(
            "{} created, {} changed, {} deleted, {} unchanged",
            crate::output::grouped(creates.len()),
            crate::output::grouped(changes.len()),
            crate::output::grouped(deletes.len()),
            crate::output::grouped(*unchanged)
        ));
    }
}
