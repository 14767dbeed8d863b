//! What is told of each request.

use pointsman_core::{
    http::trace_context::{Joining, MILLION, Tracing},
    state::telemetry::Telemetry,
};

use super::node::{Node, Read, fault};

/// A form without these members is of a configuration that says nothing of them.
#[inline(never)]
pub(super) fn telemetry(document: Node<'_>) -> Read<Telemetry> {
    let mut telemetry = Telemetry::default();
    document.option("log", |log| {
        telemetry.details = log.read("details", Node::flag)?;
        telemetry.logged = log.read("sample", millionths)?;
        Ok(())
    })?;
    document.option("tracing", |node| {
        telemetry.spans = node.read("spans", Node::flag)?;
        let wanted = "must be \"trust\", \"continue\" or \"new\"";
        let joining = node.option("context", |node| node.known(wanted, Joining::parse))?;
        let sampled = node.read("sample", millionths)?;
        telemetry.tracing = joining.map(|joining| Tracing { joining, sampled });
        Ok(())
    })?;
    Ok(telemetry)
}

fn millionths(node: Node<'_>) -> Read<u32> {
    match node.small()? {
        share if share <= MILLION => Ok(share),
        _ => fault("must be millionths"),
    }
}
