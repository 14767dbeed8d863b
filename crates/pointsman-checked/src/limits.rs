//! Limits, and which of them a route has.

use std::rc::Rc;

use pointsman_core::{
    base::time::Span,
    customer::backend_url::is_binding,
    forward::limit::{Anchor, By, Limit, LimitTiers, Measure, Per, Tier},
};

use super::{
    conditions::{Scope, conditions, operand},
    node::{Node, Read, fault},
};

/// More, and a request that waits for its counter would be of no use to whoever sent it.
pub const LONGEST_TIMEOUT: Span = Span::from_secs(5);

#[inline(never)]
pub(super) fn limit(node: Node<'_>) -> Read<Limit> {
    Ok(Limit {
        name: Rc::from(node.read("name", Node::text)?),
        binding: node.read("binding", binding)?,
        by: node.list("by", |node| match node.text()? {
            "$customer" => Ok(By::Customer),
            _ => operand(node, Scope { named: &[], params: &[] }).map(By::Of),
        })?,
        measure: measure(node)?,
        timeout: node.read("timeout", timeout)?,
        closed: node.read("closed", Node::flag)?,
    })
}

/// How long whoever is asked beside the backend may take.
#[inline(never)]
pub(super) fn timeout(node: Node<'_>) -> Read<Span> {
    node.timeout(LONGEST_TIMEOUT)
}

/// The name of a binding.
#[inline(never)]
pub(super) fn binding(node: Node<'_>) -> Read<Rc<str>> {
    node.known("must be the name of a binding in wrangler.toml", |name| {
        is_binding(name).then(|| Rc::from(name))
    })
}

#[inline(never)]
fn measure(node: Node<'_>) -> Read<Measure> {
    if let Some(limit) = node.option("limit", Node::whole)? {
        return Ok(Measure::Rate { limit, period: node.read("period", Node::span)? });
    }
    let per = |text: &str| match text {
        "hour" => Some(Per::Hour),
        "day" => Some(Per::Day),
        "month" => Some(Per::Month),
        _ => None,
    };
    let from_first_use = node.read("first_use", Node::flag)?;
    Ok(Measure::Quota {
        quota: node.read("quota", Node::whole)?,
        per: node.read("per", |node| node.known("must be \"hour\", \"day\" or \"month\"", per))?,
        anchor: if from_first_use { Anchor::FirstUse } else { Anchor::Calendar },
        batch: node.read("batch", Node::whole)?,
        from_record: node.read("from_record", Node::flag)?,
    })
}

/// Limits of which the first that fits a caller applies; `count` is how many limits there are.
#[inline(never)]
pub(super) fn choice(node: Node<'_>, scope: Scope<'_>, count: usize) -> Read<LimitTiers> {
    let tiers = node.items(|node| {
        let limit = node.option("limit", Node::small::<usize>)?;
        if limit.is_some_and(|limit| limit >= count) {
            return fault("is no limit's place");
        }
        Ok(Tier { when: node.read("when", |node| conditions(node, scope))?, limit })
    });
    tiers.map(LimitTiers)
}
