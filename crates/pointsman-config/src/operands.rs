//! Operands as they are written.

use pointsman_core::routing::operand::{
    Operand,
    registry::{REGISTRY, Source},
};

use super::{conditions::Scope, findings::Findings};

/// Reads what a condition, a split or a limit looks at.
pub(super) fn operand(name: &str, at: &str, scope: Scope<'_>, findings: &mut Findings) -> Option<Operand> {
    let position = |own: &str| scope.pattern.and_then(|pattern| pattern.names().position(|name| name == own));
    let of = Operand::parse(name, position);
    match &of {
        // Both hold credentials, and the log of an explained decision would show them.
        Some(Operand::Header(field)) if matches!(&**field, "authorization" | "cookie") => {
            findings.error(at, format!("must not be {field}, which holds credentials"));
        }
        Some(_) => {}
        None => findings.error(at, why_not(name)),
    }
    of
}

/// Why this is no operand.
fn why_not(name: &str) -> String {
    if !name.starts_with('$') {
        return "is neither a claim's name nor a JSON Pointer".to_owned();
    }
    if let Some(parameter) = name.strip_prefix("$param:") {
        return format!("{{{parameter}}} is no part of the route's path");
    }
    let all: Vec<_> = REGISTRY.iter().map(|entry| written(entry.name, entry.source)).collect();
    let all = all.join(", ");
    format!(
        "is nothing that can be asked for: write a claim's name, a JSON Pointer into the claims (\"/org/plan\"), {all}, or \
         $all, $any, $not, $is"
    )
}

/// An operand as it is written, with "name" for what stands behind a colon.
fn written(name: &str, source: Source) -> String {
    if source.argument().is_some() { format!("${name}:name") } else { format!("${name}") }
}
