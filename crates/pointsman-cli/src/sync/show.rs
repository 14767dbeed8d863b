//! A plan, for people and for machines.

use serde_json::{Value, json};

use super::{
    diff::{Difference, differences},
    plan::{Change, Plan},
    wanted::Wanted,
};
use crate::{
    ending::Failure,
    findings::At,
    output::{coloured, counted, grouped, line, plain},
    records::{Judge, Kind},
};

const GREEN: &str = "32";
const YELLOW: &str = "33";
const RED: &str = "31";

/// Prints a plan, change by change, with its summary.
///
/// # Errors
/// Where a file has changed meanwhile.
pub(crate) fn plan(plan: &Plan, wanted: &Wanted, judge: &Judge) -> Result<(), Failure> {
    let row = |sign: &str, colour: &str, name: &str, note: &str| {
        let at = wanted.at(name).map(|at| format!("  {at}")).unwrap_or_default();
        line(&format!("{} {}{at}{note}", coloured(sign, colour), plain(name)));
    };
    for name in &plan.creates {
        let beside = plan.is_beside(name);
        row("+", GREEN, name, if beside { "  (counts before what the config API says)" } else { "" });
    }
    for change in &plan.changes {
        row("~", YELLOW, &change.name, note(change));
        for Difference { pointer, old, new } in fields(change, wanted, judge)? {
            let text =
                |value: Option<Value>| value.map_or_else(|| "(none)".to_owned(), |value| value.to_string());
            let pointer = if pointer.is_empty() { "(the record)" } else { &pointer };
            line(&plain(&format!("    {pointer}: {} → {}", text(old), text(new))));
        }
    }
    for name in &plan.deletes {
        let beside = plan.is_beside(name);
        row("-", RED, name, if beside { "  (what the config API says counts again)" } else { "" });
    }
    summary(plan);
    Ok(())
}

fn note(change: &Change) -> &'static str {
    if change.taken_over {
        "  (takes it over from the config API)"
    } else if change.drifted {
        "  (drift: KV holds what these tools did not write)"
    } else {
        ""
    }
}

/// How many of each.
pub(crate) fn summary(plan: &Plan) {
    let Plan { creates, changes, deletes, unchanged, by_hand, left, of_config_api, .. } = plan;
    line(&format!(
        "{} to create, {} to change, {} to delete, {} unchanged",
        grouped(creates.len()),
        grouped(changes.len()),
        grouped(deletes.len()),
        grouped(*unchanged)
    ));
    let drifted = changes.iter().filter(|change| change.drifted).count();
    if drifted > 0 {
        line(&format!(
            "  {} not what these tools last wrote",
            counted(drifted, "change is of an entry that is", "changes are of entries that are")
        ));
    }
    if *by_hand > 0 {
        line(&format!(
            "  {} written by other means, with the same content",
            counted(*by_hand, "unchanged entry was", "unchanged entries were")
        ));
    }
    for (kind, left) in left {
        line(&format!(
            "  {} of KV in no file, and stay",
            counted(*left, "entry", "entries").replace("entries", kind.many()).replace("entry", one(*kind))
        ));
    }
    if *of_config_api > 0 {
        line(&format!(
            "  {} of the config API in no file, and stay",
            counted(*of_config_api, "customer", "customers")
        ));
    }
}

const fn one(kind: Kind) -> &'static str {
    match kind {
        Kind::Customer => "customer",
        Kind::Key => "key",
    }
}

fn fields(change: &Change, wanted: &Wanted, judge: &Judge) -> Result<Vec<Difference>, Failure> {
    let new = wanted.entry(&change.name, judge)?.value;
    let new: Value = serde_json::from_str(&new).unwrap_or_default();
    let old: Value = serde_json::from_str(&change.old).unwrap_or_else(|_| Value::from(change.old.as_str()));
    let found = differences(&old, &new);
    // A member that stood twice.
    let whole = || {
        vec![Difference {
            pointer: String::new(),
            old: Some(Value::from(change.old.as_str())),
            new: Some(new.clone()),
        }]
    };
    Ok(if found.is_empty() { whole() } else { found })
}

/// A plan for machines.
///
/// # Errors
/// Where a file has changed meanwhile.
pub(crate) fn as_json(plan: &Plan, wanted: &Wanted, judge: &Judge) -> Result<Value, Failure> {
    let named = |name: &str| {
        let mut object = json!({ "name": name });
        if let (Some(At::Line { file, line }), Some(members)) = (wanted.at(name), object.as_object_mut()) {
            members.insert("file".to_owned(), Value::from(file));
            members.insert("line".to_owned(), Value::from(line));
        }
        object
    };
    let mut changes = Vec::with_capacity(plan.changes.len());
    for change in &plan.changes {
        let mut object = named(&change.name);
        let fields: Vec<Value> = fields(change, wanted, judge)?
            .into_iter()
            .map(|Difference { pointer, old, new }| json!({ "pointer": pointer, "old": old, "new": new }))
            .collect();
        if let Some(members) = object.as_object_mut() {
            members.insert("fields".to_owned(), Value::from(fields));
            members.insert("drifted".to_owned(), Value::from(change.drifted));
            members.insert("takenOver".to_owned(), Value::from(change.taken_over));
        }
        changes.push(object);
    }
    let left: serde_json::Map<String, Value> =
        plan.left.iter().map(|(kind, left)| (kind.many().to_owned(), Value::from(*left))).collect();
    Ok(json!({
        "creates": plan.creates.iter().map(|name| named(name)).collect::<Vec<_>>(),
        "changes": changes,
        "deletes": plan.deletes,
        "unchanged": plan.unchanged,
        "writtenByOtherMeans": plan.by_hand,
        "inNoFile": left,
        "ofConfigApi": plan.of_config_api,
        "besideConfigApi": plan.beside,
    }))
}
