//! Conditions as they are written: `{ plan = "gold", "$country" = ["DE", "FR"] }`.

use std::rc::Rc;

use pointsman_core::{
    base::{cidr::Cidr, number::is_exact},
    http::{fields::is_token, head::Place},
    identity::claims::ClaimPath,
    routing::{
        condition::{Comparison, Condition, Named, Operand, Test, Values},
        pattern::Pattern,
    },
};
use serde_json::{Map, Value};

use super::{
    UNKNOWN,
    findings::{Findings, escape},
};

/// What a condition's names can mean where it stands.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    /// `[conditions]`, as far as they are read.
    pub(super) named: &'a [Rc<Named>],
    /// The pattern of the route, if it stands in one.
    pub(super) pattern: Option<&'a Pattern>,
}

const OPERANDS: &str = "write a claim's name, a JSON Pointer into the claims (\"/org/plan\"), $subject, $country, \
    $continent, $region, $eu, $colo, $ip, $method, $host, $param:name, $header:name or $query:name, or $all, $any, \
    $not, $is";

const NOT_EXACT: &str = "is a number that no caller's number ever equals: write a whole number of 64 bits, with digits \
    alone, or one below 2^53";

/// Reads `[conditions]`. One may use those that stand in the file under other names, but not itself.
pub(super) fn named(file: &Map<String, Value>, findings: &mut Findings) -> Vec<Rc<Named>> {
    let mut named = Vec::new();
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
            let own: Rc<str> = Rc::from(name.as_str());
            let condition = Condition::All(all);
            named.push(Rc::new(Named { name: own, condition }));
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

fn find<'a>(named: &'a [Rc<Named>], name: &str) -> Option<&'a Rc<Named>> {
    named.iter().find(|one| *one.name == *name)
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
pub(super) fn conditions(
    written: &Value,
    at: &str,
    scope: Scope<'_>,
    findings: &mut Findings,
) -> Vec<Condition> {
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

fn table(
    members: &Map<String, Value>,
    at: &str,
    scope: Scope<'_>,
    findings: &mut Findings,
) -> Vec<Condition> {
    let read = members.iter().filter_map(|(name, value)| {
        let at = format!("{at}/{}", escape(name));
        match name.as_str() {
            "$all" => several(value, &at, scope, findings).map(Condition::All),
            "$any" => several(value, &at, scope, findings).map(Condition::Any),
            "$not" => {
                let all = conditions(value, &at, scope, findings);
                Some(Condition::Not(Box::new(Condition::All(all))))
            }
            "$is" => is(value, &at, scope, findings),
            _ => {
                let of = operand(name, &at, scope, findings)?;
                test(value, &at, &of, findings).map(|test| Condition::Is { of, test })
            }
        }
    });
    read.collect()
}

fn several(value: &Value, at: &str, scope: Scope<'_>, findings: &mut Findings) -> Option<Vec<Condition>> {
    let Some(items) = value.as_array().filter(|items| !items.is_empty()) else {
        findings.error(at, "must be a list of tables, with at least one");
        return None;
    };
    let read = items.iter().enumerate().map(|(index, item)| {
        let mut all = conditions(item, &format!("{at}/{index}"), scope, findings);
        if all.len() == 1 { all.pop().unwrap_or(Condition::All(all)) } else { Condition::All(all) }
    });
    Some(read.collect())
}

/// One of the named conditions; of several, any.
fn is(value: &Value, at: &str, scope: Scope<'_>, findings: &mut Findings) -> Option<Condition> {
    let names = texts(value);
    let whole = value.as_array().map_or(1, Vec::len);
    if names.is_empty() || names.len() != whole {
        findings.error(at, "must be the name of one of [conditions], or a list of such names");
        return None;
    }
    let mut found = Vec::new();
    for name in names {
        match find(scope.named, name) {
            Some(named) => found.push(Condition::Named(Rc::clone(named))),
            None => findings.error(at, format!("\"{name}\" {UNKNOWN}: write a name of [conditions]")),
        }
    }
    if found.len() == 1 { found.pop() } else { Some(Condition::Any(found)) }
}

/// Reads what a condition, a split or a limit looks at.
pub(super) fn operand(name: &str, at: &str, scope: Scope<'_>, findings: &mut Findings) -> Option<Operand> {
    let Some(special) = name.strip_prefix('$') else {
        let path = ClaimPath::parse(name).map(Operand::Claim);
        if path.is_none() {
            findings.error(at, "is neither a claim's name nor a JSON Pointer");
        }
        return path;
    };
    let of = match special.split_once(':') {
        None => match special {
            "subject" => Some(Operand::Subject),
            "country" => Some(Operand::Place(Place::Country)),
            "continent" => Some(Operand::Place(Place::Continent)),
            "region" => Some(Operand::Place(Place::Region)),
            "colo" => Some(Operand::Place(Place::Colo)),
            "eu" => Some(Operand::Place(Place::InEu)),
            "ip" => Some(Operand::Ip),
            "method" => Some(Operand::Method),
            "host" => Some(Operand::Host),
            _ => None,
        },
        Some(("header", field)) if is_token(field) => {
            let field = field.to_ascii_lowercase();
            // Both hold credentials, and the log of an explained decision would show them.
            if matches!(field.as_str(), "authorization" | "cookie") {
                findings.error(at, format!("must not be {field}, which holds credentials"));
            }
            Some(Operand::Header(Rc::from(field)))
        }
        Some(("query", parameter)) if !parameter.is_empty() => Some(Operand::Query(Rc::from(parameter))),
        Some(("param", parameter)) => {
            let position = scope.pattern.and_then(|pattern| pattern.names().position(|own| own == parameter));
            if position.is_none() {
                findings.error(at, format!("{{{parameter}}} is no part of the route's path"));
                return None;
            }
            position.map(|position| Operand::Param(position, Rc::from(parameter)))
        }
        Some(_) => None,
    };
    if of.is_none() {
        findings.error(at, format!("is nothing that can be asked for: {OPERANDS}"));
    }
    of
}

fn test(value: &Value, at: &str, of: &Operand, findings: &mut Findings) -> Option<Test> {
    match value {
        // An address is always meant as a range, if only of one.
        Value::String(_) if *of == Operand::Ip => ranges(value, at, findings),
        Value::Array(_) if *of == Operand::Ip => ranges(value, at, findings),
        Value::String(_) | Value::Number(_) | Value::Bool(_) => scalar(value, at, findings).map(Test::Equals),
        Value::Array(items) => one_of(items, at, findings),
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
                _ => Some(Test::All(tests)),
            }
        }
        Value::Null => {
            findings.error(at, "must not be null: { exists = false } asks that a claim is not there");
            None
        }
    }
}

fn operator(name: &str, operand: &Value, at: &str, of: &Operand, findings: &mut Findings) -> Option<Test> {
    let pointer = format!("{at}/{}", escape(name));
    let compared = |comparison| match operand {
        Value::Number(number) if is_exact(number) => Ok(Test::Compares(comparison, number.clone())),
        Value::Number(_) => Err(NOT_EXACT),
        _ => Err("must be a number"),
    };
    let read = match (name, operand) {
        ("exists", Value::Bool(wanted)) => Ok(Test::Exists(*wanted)),
        ("exists", _) => Err("must be true or false"),
        ("equals", _) => return scalar(operand, &pointer, findings).map(Test::Equals),
        ("contains", _) => return scalar(operand, &pointer, findings).map(Test::Contains),
        ("has", Value::String(word)) if !word.is_empty() && !word.contains(' ') => {
            Ok(Test::Has(word.clone()))
        }
        ("has", _) => Err("must be one word"),
        ("in", Value::Array(items)) => return one_of(items, &pointer, findings),
        ("in", _) => Err("must be a list"),
        ("not", _) => return test(operand, &pointer, of, findings).map(|test| Test::Not(Box::new(test))),
        ("any", _) => {
            return each(operand, &pointer, of, findings).map(|(values, test)| Test::OneValue(values, test));
        }
        ("all", _) => {
            return each(operand, &pointer, of, findings).map(|(values, test)| Test::EachValue(values, test));
        }
        ("prefix", _) => strings(operand).map(Test::Prefix),
        ("suffix", _) => strings(operand).map(Test::Suffix),
        (">", _) => compared(Comparison::Above),
        (">=", _) => compared(Comparison::AtLeast),
        ("<", _) => compared(Comparison::Below),
        ("<=", _) => compared(Comparison::AtMost),
        ("within", _) => return ranges(operand, &pointer, findings),
        _ => Err(
            "is no test: write exists, equals, in, contains, has, prefix, suffix, within, >, >=, <, <=, any, all or not. \
            A claim inside a claim is named by a JSON Pointer: \"/org/plan\"",
        ),
    };
    read.map_err(|what| findings.error(pointer, what)).ok()
}

/// A test of single values, and what these are.
fn each(written: &Value, at: &str, of: &Operand, findings: &mut Findings) -> Option<(Values, Box<Test>)> {
    let values = if matches!(of, Operand::Header(_)) { Values::Elements } else { Values::Items };
    test(written, at, of, findings).map(|test| (values, Box::new(test)))
}

fn strings(value: &Value) -> Result<Vec<String>, &'static str> {
    let found: Vec<_> = texts(value).into_iter().map(str::to_owned).collect();
    let whole = value.as_array().map_or(1, Vec::len);
    let good = !found.is_empty() && found.len() == whole && found.iter().all(|text| !text.is_empty());
    if good { Ok(found) } else { Err("must be a text that is not empty, or a list of such") }
}

pub(super) fn ranges(value: &Value, at: &str, findings: &mut Findings) -> Option<Test> {
    let found: Option<Vec<_>> =
        strings(value).ok().and_then(|texts| texts.iter().map(|text| Cidr::parse(text)).collect());
    if found.is_none() {
        findings.error(at, "must be addresses or ranges such as \"192.0.2.0/24\" and \"2001:db8::/32\"");
    }
    found.map(Test::Within)
}

fn one_of(items: &[Value], at: &str, findings: &mut Findings) -> Option<Test> {
    if items.is_empty() {
        findings.error(at, "must hold at least one value: nothing is one of none");
        return None;
    }
    let values =
        items.iter().enumerate().map(|(index, item)| scalar(item, &format!("{at}/{index}"), findings));
    values.collect::<Option<Vec<_>>>().map(Test::OneOf)
}

fn scalar(value: &Value, at: &str, findings: &mut Findings) -> Option<Value> {
    let what = match value {
        Value::Number(number) if !is_exact(number) => NOT_EXACT,
        Value::String(_) | Value::Number(_) | Value::Bool(_) => return Some(value.clone()),
        Value::Null | Value::Array(_) | Value::Object(_) => "must be a string, a number, true or false",
    };
    findings.error(at, what);
    None
}
