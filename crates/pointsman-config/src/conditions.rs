//! Conditions as they are written: `{ plan = "gold", "$country" = ["DE", "FR"] }`.

use std::rc::Rc;

use pointsman_checked::read_conditions;
use pointsman_core::{
    base::{cidr::Cidr, number::is_exact},
    routing::{
        condition::{Condition, Named},
        operand::Operand,
        pattern::Pattern,
    },
};
use serde_json::{Map, Value, json};

use super::{
    findings::{Findings, Kind, escape},
    operands::{check_operator, check_value, operand},
    values::{self, Part},
};

/// One of `[conditions]`.
pub(super) struct NamedCondition {
    /// It in checked form.
    pub(super) form: Value,
    read: Rc<Named>,
}

/// What a condition's names can mean where it stands.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    /// `[conditions]`, as far as they are read.
    pub(super) named: &'a [NamedCondition],
    /// The pattern of the route, if it stands in one.
    pub(super) pattern: Option<&'a Pattern>,
}

/// The conditions of a rule or a tier in checked form, as the Worker reads them: to compare them with others. Nothing where
/// they cannot be read, which has been said then.
pub(super) fn conditions_of(form: &Value, scope: Scope<'_>) -> Vec<Condition> {
    let named: Vec<_> = scope.named.iter().map(|one| Rc::clone(&one.read)).collect();
    let params: Vec<_> = scope.pattern.iter().flat_map(|pattern| pattern.names()).collect();
    form.get("when").and_then(|when| read_conditions(when, &named, &params).ok()).unwrap_or_default()
}

const NOT_EXACT: &str = "is a number that no caller's number ever equals: write a whole number of 64 bits, with digits \
    alone, or one below 2^53";

/// Reads `[conditions]`. One may use those that stand in the file under other names, but not itself.
pub(super) fn named(file: &Map<String, Value>, findings: &mut Findings) -> Vec<NamedCondition> {
    let mut named: Vec<NamedCondition> = Vec::new();
    let mut waiting: Vec<_> = file.iter().collect();
    // Each round reads those whose parts are read; what is left over refers in a circle.
    loop {
        let before = waiting.len();
        waiting.retain(|(name, written)| {
            let parts = references(written);
            if parts.iter().any(|part| file.contains_key(*part) && find(&named, part).is_none()) {
                return true;
            }
            let scope = Scope { named: &named, pattern: None };
            let all = conditions(written, &format!("/conditions/{}", escape(name)), scope, findings);
            let form = json!({ "name": name, "when": all });
            let condition = Condition::All(conditions_of(&form, scope));
            let read = Rc::new(Named { name: Rc::from(name.as_str()), condition });
            named.push(NamedCondition { form, read });
            false
        });
        if waiting.is_empty() {
            return named;
        }
        if waiting.len() == before {
            for (name, _) in waiting {
                let pointer = format!("/conditions/{}", escape(name));
                findings.error(pointer, "refers to itself, over others or directly");
            }
            return named;
        }
    }
}

/// The place of one of `[conditions]`.
fn find(named: &[NamedCondition], name: &str) -> Option<usize> {
    named.iter().position(|one| *one.read.name == *name)
}

/// The names that a condition refers to, at any depth.
fn references(written: &Value) -> Vec<&str> {
    match written {
        Value::Object(members) => members
            .iter()
            .flat_map(|(name, value)| if name == "$is" { texts(value) } else { references(value) })
            .collect(),
        Value::Array(items) => items.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Reads a table of conditions: all of them must hold.
pub(super) fn conditions(written: &Value, at: &str, scope: Scope<'_>, findings: &mut Findings) -> Vec<Value> {
    match written {
        Value::Object(members) => table(members, at, scope, findings),
        Value::String(_) => is(written, at, scope, findings).into_iter().collect(),
        _ => {
            findings
                .error(at, "must be a table such as { plan = \"gold\" }, or the name of one of [conditions]");
            Vec::new()
        }
    }
}

fn table(members: &Map<String, Value>, at: &str, scope: Scope<'_>, findings: &mut Findings) -> Vec<Value> {
    let read = members.iter().filter_map(|(name, value)| {
        let at = format!("{at}/{}", escape(name));
        match name.as_str() {
            "$all" => several(value, &at, scope, findings).map(|all| json!({ "all": all })),
            "$any" => several(value, &at, scope, findings).map(|any| json!({ "any": any })),
            "$not" => {
                let all = conditions(value, &at, scope, findings);
                Some(json!({ "not": { "all": all } }))
            }
            "$is" => is(value, &at, scope, findings),
            _ => {
                let of = operand(name, &at, scope, findings)?;
                test(value, &at, &of, findings).map(|test| json!({ "is": name, "test": test }))
            }
        }
    });
    read.collect()
}

fn several(value: &Value, at: &str, scope: Scope<'_>, findings: &mut Findings) -> Option<Vec<Value>> {
    let Some(items) = value.as_array().filter(|items| !items.is_empty()) else {
        findings.error(at, "must be a list of tables, with at least one");
        return None;
    };
    let read = items.iter().enumerate().map(|(index, item)| {
        let mut all = conditions(item, &format!("{at}/{index}"), scope, findings);
        if all.len() == 1 { all.pop().unwrap_or_default() } else { json!({ "all": all }) }
    });
    Some(read.collect())
}

/// One of the named conditions; of several, any.
fn is(value: &Value, at: &str, scope: Scope<'_>, findings: &mut Findings) -> Option<Value> {
    let names = texts(value);
    let whole = value.as_array().map_or(1, Vec::len);
    if names.is_empty() || names.len() != whole {
        findings.error(at, "must be the name of one of [conditions], or a list of such names");
        return None;
    }
    let mut found = Vec::new();
    for name in names {
        match find(scope.named, name) {
            Some(place) => found.push(json!({ "named": place })),
            None => {
                let names = scope.named.iter().map(|one| &*one.read.name);
                findings.unknown(Kind::Condition, at, name, names, "write a name of [conditions]");
            }
        }
    }
    if found.len() == 1 { found.pop() } else { Some(json!({ "any": found })) }
}

fn test(value: &Value, at: &str, of: &Operand, findings: &mut Findings) -> Option<Value> {
    let equals = |value| json!({ "equals": value });
    match value {
        // An address is always meant as a range, if only of one.
        Value::String(_) | Value::Array(_) if *of == Operand::Ip => ranges(value, at, findings),
        Value::String(_) | Value::Number(_) | Value::Bool(_) => scalar(value, at, of, findings).map(equals),
        Value::Array(items) => one_of(items, at, of, findings),
        Value::Object(members) => {
            let tests: Vec<_> =
                members.iter().map(|(name, operand)| operator(name, operand, at, of, findings)).collect();
            let mut tests = tests.into_iter().collect::<Option<Vec<_>>>()?;
            match tests.len() {
                0 => {
                    findings.error(at, "must say what the value must be");
                    None
                }
                1 => tests.pop(),
                _ => Some(json!({ "all": tests })),
            }
        }
        Value::Null => {
            findings.error(at, "must not be null: { exists = false } asks that a claim is not there");
            None
        }
    }
}

/// A test of one operator. The checked form has the operators of the file, but `every` for its `all`, which there is a list
/// of tests.
fn operator(name: &str, operand: &Value, at: &str, of: &Operand, findings: &mut Findings) -> Option<Value> {
    let pointer = format!("{at}/{}", escape(name));
    check_operator(name, of, &pointer, findings);
    let written = |value: Value| json!({ name: value });
    let wrong = match (name, operand) {
        ("exists", Value::Bool(_)) => return Some(written(operand.clone())),
        ("exists", _) => "must be true or false",
        ("equals" | "contains", _) => return scalar(operand, &pointer, of, findings).map(written),
        ("has", Value::String(word)) if !word.is_empty() && !word.contains(' ') => {
            values::check_text(word, of, Part::Whole, &pointer, findings);
            return Some(written(findings.write(&pointer, word.as_str())));
        }
        ("has", _) => "must be one word",
        ("in", Value::Array(items)) => return one_of(items, &pointer, of, findings),
        ("in", _) => "must be a list",
        ("not" | "any", _) => return test(operand, &pointer, of, findings).map(written),
        ("all", _) => return test(operand, &pointer, of, findings).map(|test| json!({ "every": test })),
        ("prefix" | "suffix", _) => match strings(operand, &pointer, findings) {
            Some(read) => {
                let part = if name == "prefix" { Part::Beginning } else { Part::End };
                for text in texts(operand) {
                    values::check_text(text, of, part, &pointer, findings);
                }
                return Some(written(read.into()));
            }
            None => "must be a text that is not empty, or a list of such",
        },
        (">" | ">=" | "<" | "<=", Value::Number(number)) if is_exact(number) => {
            values::check_comparison(name, number, of, &pointer, findings);
            return Some(written(operand.clone()));
        }
        (">" | ">=" | "<" | "<=", Value::Number(_)) => NOT_EXACT,
        (">" | ">=" | "<" | "<=", _) => "must be a number",
        ("within", _) => return ranges(operand, &pointer, findings),
        _ => {
            "is not an operator: expected one of exists, equals, in, contains, has, prefix, suffix, within, >, >=, <, <=, \
            any, all and not. A claim inside a claim is named by a JSON Pointer: \"/org/plan\""
        }
    };
    findings.error(pointer, wrong);
    None
}

/// Texts of which none is empty: one, or those of a list.
fn strings(value: &Value, at: &str, findings: &mut Findings) -> Option<Vec<Value>> {
    let found = texts(value);
    let whole = value.as_array().map_or(1, Vec::len);
    if found.is_empty() || found.len() != whole || found.iter().any(|text| text.is_empty()) {
        return None;
    }
    Some(match value {
        Value::Array(_) => super::write_all(at, found.into_iter(), findings),
        _ => found.into_iter().map(|text| findings.write(at, text)).collect(),
    })
}

fn ranges(value: &Value, at: &str, findings: &mut Findings) -> Option<Value> {
    let are_ranges = texts(value).into_iter().all(|text| Cidr::parse(text).is_some());
    let written = strings(value, at, findings).filter(|_| are_ranges);
    if written.is_none() {
        findings.error(at, "must be addresses or ranges such as \"192.0.2.0/24\" and \"2001:db8::/32\"");
    }
    written.map(|ranges| json!({ "within": ranges }))
}

fn one_of(items: &[Value], at: &str, of: &Operand, findings: &mut Findings) -> Option<Value> {
    if items.is_empty() {
        findings.error(at, "must hold at least one value: an empty list never matches");
        return None;
    }
    let values =
        items.iter().enumerate().map(|(index, item)| scalar(item, &format!("{at}/{index}"), of, findings));
    values.collect::<Option<Vec<_>>>().map(|values| json!({ "in": values }))
}

fn scalar(value: &Value, at: &str, of: &Operand, findings: &mut Findings) -> Option<Value> {
    if value.is_string() || value.is_number() || value.is_boolean() {
        check_value(value, of, at, findings);
        values::check(value, of, at, findings);
    }
    let what = match value {
        Value::Number(number) if !is_exact(number) => NOT_EXACT,
        Value::String(text) => return Some(findings.write(at, text.as_str())),
        Value::Number(_) | Value::Bool(_) => return Some(value.clone()),
        Value::Null | Value::Array(_) | Value::Object(_) => "must be a string, a number, true or false",
    };
    findings.error(at, what);
    None
}
