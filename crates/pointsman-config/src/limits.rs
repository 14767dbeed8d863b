//! Limits, and which of them a route has.

use pointsman_checked::LONGEST_TIMEOUT;
use pointsman_core::{
    base::{time::Span, units::LARGEST_INTEGER},
    customer::backend_url::is_binding,
    http::fields::is_token,
    routing::condition::Condition,
};
use serde_json::{Value, json};

use super::{
    conditions::{self, Scope, conditions_of},
    file::{GatewayFile, LimitFile, OneOrMany, RouteFile},
    findings::{Findings, Kind, escape},
    operands, read_timeout,
};

/// What a tier says that limits nobody.
const NONE: &str = "none";
/// What the platform counts by is near by.
const RATE_TIMEOUT: Span = Span::from_millis(250);
/// An object may be on another continent.
const QUOTA_TIMEOUT: Span = Span::from_secs(1);
const LARGEST_USUAL_BATCH: u64 = 100;

pub(super) fn all(file: &GatewayFile, findings: &mut Findings) -> Vec<Value> {
    file.limits.iter().map(|(name, limit)| self::limit(name, limit, file, findings)).collect()
}

fn limit(name: &str, written: &LimitFile, file: &GatewayFile, findings: &mut Findings) -> Value {
    let at = format!("/limits/{}", escape(name));
    if !is_token(name) || name.len() > 64 {
        findings.error(&at, "must be named by at most 64 letters, digits, - and _: callers see the name");
    }
    if name == NONE {
        findings.error(&at, "\"none\" is no limit; call this one something else");
    }
    let binding = &written.binding;
    if !is_binding(binding) {
        findings.error(format!("{at}/binding"), "must be the name of a binding in wrangler.toml");
    }
    let closed = match written.on_failure.as_deref() {
        None | Some("open") => false,
        Some("closed") => true,
        Some(_) => {
            findings.error(format!("{at}/on_failure"), "must be \"open\" or \"closed\"");
            true
        }
    };
    let usual = if written.quota.is_some() { QUOTA_TIMEOUT } else { RATE_TIMEOUT };
    let timeout = read_timeout(written.timeout.as_deref(), usual, &format!("{at}/timeout"), findings);
    if timeout > LONGEST_TIMEOUT {
        findings.error(format!("{at}/timeout"), format!("must be at most {LONGEST_TIMEOUT}"));
    }
    let mut form = measure(written, &at, file, findings);
    let timeout = findings.write(&format!("{at}/timeout"), timeout.millis());
    if let Value::Object(members) = &mut form {
        members.insert("name".to_owned(), name.into());
        members.insert("binding".to_owned(), findings.write(&format!("{at}/binding"), binding.as_str()));
        members.insert("by".to_owned(), by(written, &at, file, findings).into());
        members.insert("timeout".to_owned(), timeout);
        members.insert("closed".to_owned(), closed.into());
    }
    form
}

fn by(written: &LimitFile, at: &str, file: &GatewayFile, findings: &mut Findings) -> Vec<Value> {
    let usual = OneOrMany::Many(vec!["$subject".to_owned(), "$ip".to_owned()]);
    let names = written.by.as_ref().unwrap_or(&usual).list();
    let at = format!("{at}/by");
    if names.is_empty() {
        findings.error(&at, "must name what tells callers apart");
    }
    let scope = Scope { named: &[], pattern: None };
    let read = names.into_iter().filter_map(|name| {
        if name == "$customer" {
            if file.customers.is_none() {
                findings.error(&at, "\"$customer\" needs a [customers] section");
            }
            return Some(name.into());
        }
        let operand = operands::operand(name, &at, scope, findings)?;
        if operand.is_callers_word() {
            findings.warn(&at, format!("{name} is the caller's own word: each other word is a new count"));
        }
        Some(name.into())
    });
    read.collect()
}

fn measure(written: &LimitFile, at: &str, file: &GatewayFile, findings: &mut Findings) -> Value {
    match (written.limit, written.quota) {
        (Some(limit), None) => {
            if written.per.is_some()
                || written.anchor.is_some()
                || written.batch.is_some()
                || written.from_record.is_some()
            {
                findings.error(at, "has per, anchor, batch or from_record, which are only for a quota");
            }
            rate(limit, written.period.as_deref(), at, findings)
        }
        (None, Some(quota)) => {
            if written.period.is_some() {
                findings.error(format!("{at}/period"), "is only for a limit; a quota has per");
            }
            if written.from_record == Some(true) && file.customers.is_none() {
                findings.error(format!("{at}/from_record"), "needs a [customers] section");
            }
            self::quota(quota, written, at, findings)
        }
        _ => {
            findings.error(at, "must have exactly one of limit and quota");
            json!({})
        }
    }
}

fn quota(quota: u64, written: &LimitFile, at: &str, findings: &mut Findings) -> Value {
    let quota = whole(quota, "quota", at, findings);
    let per = written.per.as_deref().unwrap_or_default();
    if !matches!(per, "hour" | "day" | "month") {
        findings.error(format!("{at}/per"), "must be \"hour\", \"day\" or \"month\"");
    }
    let first_use = match written.anchor.as_deref() {
        None | Some("calendar") => false,
        Some("first-use") => true,
        Some(_) => {
            findings.error(format!("{at}/anchor"), "must be \"calendar\" or \"first-use\"");
            false
        }
    };
    let usual = (quota / 100).clamp(1, LARGEST_USUAL_BATCH);
    let batch = whole(written.batch.unwrap_or(usual), "batch", at, findings);
    if batch > quota {
        findings.error(format!("{at}/batch"), "must be at most the quota");
    }
    let from_record = written.from_record.unwrap_or(false);
    json!({ "quota": quota, "per": per, "first_use": first_use, "batch": batch, "from_record": from_record })
}

fn rate(limit: u64, period: Option<&str>, at: &str, findings: &mut Findings) -> Value {
    let limit = whole(limit, "limit", at, findings);
    let period = period.and_then(Span::parse).filter(|period| [10_000, 60_000].contains(&period.millis()));
    if period.is_none() {
        findings.error(format!("{at}/period"), "must be \"10s\" or \"60s\": the platform has no others");
    }
    let period = period.unwrap_or(Span::from_secs(60));
    json!({ "limit": limit, "period": findings.write(&format!("{at}/period"), period.millis()) })
}

fn whole(number: u64, field: &str, at: &str, findings: &mut Findings) -> u64 {
    if !(1..=LARGEST_INTEGER).contains(&number) {
        findings.error(format!("{at}/{field}"), format!("must be from 1 to {LARGEST_INTEGER}"));
    }
    number
}

/// A route's limits. Each entry applies; one that is a list is a choice, of which the first that fits
/// does.
pub(super) fn of_route(
    file: &RouteFile,
    at: &str,
    limits: &[&str],
    scope: Scope<'_>,
    findings: &mut Findings,
) -> Vec<Value> {
    let entries = file.limits.iter().flatten().enumerate();
    let read = entries.map(|(index, entry)| {
        let at = format!("{at}/limits/{index}");
        match entry {
            Value::Array(tiers) => choice(tiers, &at, limits, scope, findings),
            one => tier(one, &at, limits, scope, findings).into_iter().collect(),
        }
    });
    read.collect()
}

fn choice(written: &[Value], at: &str, limits: &[&str], scope: Scope<'_>, findings: &mut Findings) -> Value {
    let mut tiers = Vec::new();
    let mut before: Vec<Vec<Condition>> = Vec::new();
    let mut is_whole = true;
    for (index, one) in written.iter().enumerate() {
        let at = format!("{at}/{index}");
        let errors = findings.errors();
        let Some(tier) = tier(one, &at, limits, scope, findings) else { continue };
        // Of a tier that is not as it was meant, nobody knows whom it fits.
        if findings.errors() > errors {
            is_whole = false;
            tiers.push(tier);
            continue;
        }
        let when = conditions_of(&tier, scope);
        let all = Condition::All(when.clone());
        let covers = |earlier: &Vec<Condition>| earlier.iter().all(|condition| condition.is_implied_by(&all));
        if before.iter().any(covers) {
            findings.error(&at, "is never reached: one before it fits whoever this one fits");
        }
        before.push(when);
        tiers.push(tier);
    }
    if written.is_empty() {
        findings.error(at, "must name at least one limit");
    } else if is_whole && before.iter().all(|when| !when.is_empty()) {
        findings
            .warn(at, "does not limit callers whom none of these fits; write \"none\" last if that is meant");
    }
    tiers.into()
}

fn tier(
    written: &Value,
    at: &str,
    limits: &[&str],
    scope: Scope<'_>,
    findings: &mut Findings,
) -> Option<Value> {
    let (name, when) = match written {
        Value::String(name) => (name, None),
        Value::Object(members) => match (members.get("use"), members.get("when")) {
            (Some(Value::String(name)), when) if members.keys().all(|key| key == "use" || key == "when") => {
                (name, when)
            }
            _ => {
                findings.error(at, "must have use, a limit's name, and may have when; nothing else");
                return None;
            }
        },
        _ => {
            findings.error(
                at,
                "must be a limit's name, a table such as { use = \"gold\", when = { plan = \"gold\" } }, or a list of these",
            );
            return None;
        }
    };
    let when = when
        .map_or_else(Vec::new, |when| conditions::conditions(when, &format!("{at}/when"), scope, findings));
    if name == NONE {
        return Some(json!({ "when": when }));
    }
    let index = limits.iter().position(|limit| **limit == **name);
    if index.is_none() {
        let all = limits.iter().copied().chain([NONE]);
        findings.unknown(Kind::Limit, at, name, all, "write a name of [limits], or \"none\"");
    }
    index.map(|index| json!({ "when": when, "limit": index }))
}

/// The names that a route's limits use.
pub(super) fn used(file: &RouteFile) -> impl Iterator<Item = &str> {
    let entries = file.limits.iter().flatten();
    let tiers = entries.flat_map(|entry| match entry {
        Value::Array(tiers) => tiers.iter().collect(),
        one => vec![one],
    });
    tiers.filter_map(|tier| tier.as_str().or_else(|| tier.get("use")?.as_str()))
}
