//! Limits, and which of them a route has.

use std::rc::Rc;

use pointsman_core::{
    base::time::Span,
    forward::limit::{Anchor, By, Choice, Limit, Measure, Per, Tier},
    http::fields::is_token,
    routing::condition::{Condition, Operand},
    state::config::Gateway,
};
use serde_json::Value;

use super::{
    UNKNOWN,
    conditions::{self, Scope},
    file::{GatewayFile, LimitFile, OneOrMany, RouteFile},
    findings::{Findings, escape},
    timeout,
};

/// What a tier says that limits nobody.
const NONE: &str = "none";
/// The largest integer of a structured field (RFC 9651, section 3.3.1).
const MOST: u64 = 999_999_999_999_999;
/// What the platform counts by is near by.
const RATE_TIMEOUT: Span = Span::from_millis(250);
/// An object may be on another continent.
const QUOTA_TIMEOUT: Span = Span::from_secs(1);
const LARGEST_USUAL_BATCH: u64 = 100;
const LONGEST_TIMEOUT: Span = Span::from_secs(5);

pub(super) fn all(file: &GatewayFile, findings: &mut Findings) -> Vec<Limit> {
    file.limits.iter().map(|(name, limit)| self::limit(name, limit, file, findings)).collect()
}

#[inline(never)]
fn limit(name: &str, written: &LimitFile, file: &GatewayFile, findings: &mut Findings) -> Limit {
    let at = format!("/limits/{}", escape(name));
    if !is_token(name) || name.len() > 64 {
        findings.error(&at, "must be named by at most 64 letters, digits, - and _: callers see the name");
    }
    if name == NONE {
        findings.error(&at, "\"none\" is no limit; call this one something else");
    }
    let binding = &written.binding;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if binding.is_empty() || !binding.bytes().all(plain) {
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
    let timeout = timeout(written.timeout.as_deref(), usual, &format!("{at}/timeout"), findings);
    if timeout > LONGEST_TIMEOUT {
        findings.error(format!("{at}/timeout"), format!("must be at most {LONGEST_TIMEOUT}"));
    }
    Limit {
        name: Rc::from(name),
        binding: Rc::from(binding.as_str()),
        by: by(written, &at, file, findings),
        measure: measure(written, &at, findings),
        timeout,
        closed,
    }
}

fn by(written: &LimitFile, at: &str, file: &GatewayFile, findings: &mut Findings) -> Vec<By> {
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
            return Some(By::Customer);
        }
        let operand = conditions::operand(name, &at, scope, findings)?;
        if matches!(operand, Operand::Header(_) | Operand::Query(_) | Operand::Host | Operand::Method) {
            findings.warn(&at, format!("{name} is the caller's own word: each other word is a new count"));
        }
        Some(By::Of(operand))
    });
    read.collect()
}

fn measure(written: &LimitFile, at: &str, findings: &mut Findings) -> Measure {
    match (written.limit, written.quota) {
        (Some(limit), None) => {
            if written.per.is_some() || written.anchor.is_some() || written.batch.is_some() {
                findings.error(at, "has per, anchor or batch, which are only for a quota");
            }
            rate(limit, written.period.as_deref(), at, findings)
        }
        (None, Some(quota)) => {
            if written.period.is_some() {
                findings.error(format!("{at}/period"), "is only for a limit; a quota has per");
            }
            self::quota(quota, written, at, findings)
        }
        _ => {
            findings.error(at, "must have exactly one of limit and quota");
            Measure::Rate { limit: 1, period: Span::from_secs(60) }
        }
    }
}

#[inline(never)]
fn quota(quota: u64, written: &LimitFile, at: &str, findings: &mut Findings) -> Measure {
    let quota = whole(quota, "quota", at, findings);
    let per = match written.per.as_deref() {
        Some("hour") => Per::Hour,
        Some("day") => Per::Day,
        Some("month") => Per::Month,
        _ => {
            findings.error(format!("{at}/per"), "must be \"hour\", \"day\" or \"month\"");
            Per::Month
        }
    };
    let anchor = match written.anchor.as_deref() {
        None | Some("calendar") => Anchor::Calendar,
        Some("first-use") => Anchor::FirstUse,
        Some(_) => {
            findings.error(format!("{at}/anchor"), "must be \"calendar\" or \"first-use\"");
            Anchor::Calendar
        }
    };
    let usual = (quota / 100).clamp(1, LARGEST_USUAL_BATCH);
    let batch = whole(written.batch.unwrap_or(usual), "batch", at, findings);
    if batch > quota {
        findings.error(format!("{at}/batch"), "must be at most the quota");
    }
    Measure::Quota { quota, per, anchor, batch }
}

fn rate(limit: u64, period: Option<&str>, at: &str, findings: &mut Findings) -> Measure {
    let limit = whole(limit, "limit", at, findings);
    let period = period.and_then(Span::parse).filter(|period| [10_000, 60_000].contains(&period.millis()));
    if period.is_none() {
        findings.error(format!("{at}/period"), "must be \"10s\" or \"60s\": the platform has no others");
    }
    Measure::Rate { limit, period: period.unwrap_or(Span::from_secs(60)) }
}

fn whole(number: u64, field: &str, at: &str, findings: &mut Findings) -> u64 {
    if !(1..=MOST).contains(&number) {
        findings.error(format!("{at}/{field}"), format!("must be from 1 to {MOST}"));
    }
    number
}

/// A route's limits. Each entry applies; one that is a list is a choice, of which the first that fits
/// does.
pub(super) fn of_route(
    file: &RouteFile,
    at: &str,
    gateway: &Gateway,
    scope: Scope<'_>,
    findings: &mut Findings,
) -> Vec<Choice> {
    let entries = file.limits.iter().flatten().enumerate();
    let read = entries.map(|(index, entry)| {
        let at = format!("{at}/limits/{index}");
        match entry {
            Value::Array(tiers) => choice(tiers, &at, gateway, scope, findings),
            one => Choice(tier(one, &at, gateway, scope, findings).into_iter().collect()),
        }
    });
    read.collect()
}

#[inline(never)]
fn choice(
    written: &[Value],
    at: &str,
    gateway: &Gateway,
    scope: Scope<'_>,
    findings: &mut Findings,
) -> Choice {
    let mut tiers: Vec<Tier> = Vec::new();
    for (index, one) in written.iter().enumerate() {
        let at = format!("{at}/{index}");
        let Some(tier) = tier(one, &at, gateway, scope, findings) else { continue };
        let all = Condition::All(tier.when.clone());
        let covers = |earlier: &Tier| earlier.when.iter().all(|condition| condition.is_implied_by(&all));
        if tiers.iter().any(covers) {
            findings.error(&at, "is never reached: one before it fits whoever this one fits");
        }
        tiers.push(tier);
    }
    if written.is_empty() {
        findings.error(at, "must name at least one limit");
    } else if tiers.iter().all(|tier| !tier.when.is_empty()) {
        findings
            .warn(at, "does not limit callers whom none of these fits; write \"none\" last if that is meant");
    }
    Choice(tiers)
}

fn tier(
    written: &Value,
    at: &str,
    gateway: &Gateway,
    scope: Scope<'_>,
    findings: &mut Findings,
) -> Option<Tier> {
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
        return Some(Tier { when, limit: None });
    }
    let index = gateway.limits.iter().position(|limit| *limit.name == **name);
    if index.is_none() {
        findings.error(at, format!("\"{name}\" {UNKNOWN}: write a name of [limits], or \"none\""));
    }
    index.map(|index| Tier { when, limit: Some(index) })
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
