//! Operands as they are written, and which tests suit them. A test that no value of its operand ever passes is a fault: a
//! rule that denies by it would let everybody in.

use pointsman_core::routing::operand::{
    Operand, ValueType,
    registry::{REGISTRY, Source},
};
use serde_json::Value;

use super::{
    conditions::Scope,
    findings::{Findings, nearest},
};

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
    let (own, argument) = name.split_once(':').map_or((name, ""), |(own, argument)| (own, argument));
    let names: Vec<_> = REGISTRY.iter().map(|entry| format!("${}", entry.name)).collect();
    let words = ["$all", "$any", "$not", "$is"];
    if let Some(near) =
        nearest(own, names.iter().map(String::as_str).chain(words)).filter(|near| *near != own)
    {
        let argument = if argument.is_empty() { String::new() } else { format!(":{argument}") };
        return format!("is nothing that can be asked for: write \"{near}{argument}\"");
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

/// The operators of tests that some value of this type passes.
#[must_use]
pub fn operators_for(of: ValueType) -> &'static [&'static str] {
    match of {
        ValueType::Any => &[
            "exists", "equals", "in", "contains", "has", "prefix", "suffix", "within", ">", ">=", "<", "<=",
            "any", "all", "not",
        ],
        ValueType::Text => {
            &["exists", "equals", "in", "has", "prefix", "suffix", "within", "any", "all", "not"]
        }
        ValueType::Texts => {
            &["exists", "equals", "in", "contains", "has", "prefix", "suffix", "within", "any", "all", "not"]
        }
        ValueType::Number => &["exists", "equals", "in", ">", ">=", "<", "<=", "any", "all", "not"],
        ValueType::Boolean => &["exists", "equals", "in", "any", "all", "not"],
    }
}

/// Says so where the operator holds of no value of `of`. What is no operator at all is not judged.
pub(super) fn check_operator(operator: &str, of: &Operand, at: &str, findings: &mut Findings) {
    let suiting = operators_for(of.value_type());
    if !suiting.contains(&operator) && operators_for(ValueType::Any).contains(&operator) {
        let what = format!("never holds, since {}: write {}", is_always(of), suiting.join(", "));
        findings.error(at, what);
    }
}

/// Says so where no value of `of`, and no item of one, can be equal to this value.
pub(super) fn check_value(value: &Value, of: &Operand, at: &str, findings: &mut Findings) {
    let can = match of.value_type() {
        ValueType::Any => true,
        ValueType::Text | ValueType::Texts => value.is_string(),
        ValueType::Number => value.is_number(),
        ValueType::Boolean => value.is_boolean(),
    };
    if !can {
        findings.error(at, format!("never holds, since {}: write {}", is_always(of), meant(value, of)));
    }
}

/// What to write in the place of a value of the wrong type: the same in the right one, where there is such.
fn meant(value: &Value, of: &Operand) -> String {
    let text = value.as_str().map(|text| text.trim().to_ascii_lowercase());
    match of.value_type() {
        ValueType::Any | ValueType::Text | ValueType::Texts => format!("a text, in quotes: \"{value}\""),
        ValueType::Number => match text.and_then(|text| text.parse::<u64>().ok()) {
            Some(number) => format!("{number}, without quotes"),
            None => "a number, without quotes".to_owned(),
        },
        ValueType::Boolean => match (text.as_deref(), value.as_u64()) {
            (Some("true" | "1" | "yes"), _) | (None, Some(1)) => "true, without quotes".to_owned(),
            (Some("false" | "0" | "no"), _) | (None, Some(0)) => "false, without quotes".to_owned(),
            _ => "true or false, without quotes".to_owned(),
        },
    }
}

fn is_always(of: &Operand) -> String {
    let what = match of.value_type() {
        ValueType::Any => "anything",
        ValueType::Text => "a text",
        ValueType::Texts => "a text or a list of texts",
        ValueType::Number => "a number",
        ValueType::Boolean => "true or false",
    };
    format!("{of} is {what}")
}
