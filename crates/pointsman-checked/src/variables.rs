//! `${NAME}` in a text of the configuration is a Worker variable or secret.

use std::collections::HashMap;

use pointsman_core::base::shape::At;
use serde_json::Value;

use super::node::Fault;

/// What is known of a variable.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Variable {
    /// It is set to this.
    Set(String),
    /// It is a secret: declared, with a value that only the deployed Worker knows.
    Secret,
    /// There is none.
    Missing,
}

/// Where variables come from.
pub trait Variables {
    /// What is known of `name`.
    fn variable(&self, name: &str) -> Variable;

    /// What is said where `name` is missing.
    fn unset(&self, name: &str) -> String {
        unset_variable(name)
    }
}

/// Says that a variable is missing, and what to do about it.
#[must_use]
pub fn unset_variable(name: &str) -> String {
    format!(
        "the variable {name} is not set: add it under [vars] in wrangler.toml, or set the secret with \
         `wrangler secret put {name}` and list it under [secrets] required"
    )
}

impl Variables for HashMap<String, String> {
    fn variable(&self, name: &str) -> Variable {
        self.get(name).cloned().map_or(Variable::Missing, Variable::Set)
    }
}

/// Stands for a secret in a check: a well-formed URL, and long enough for any algorithm's secret.
pub const SECRET_PLACEHOLDER: &str =
    "https://secret.invalid/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Whether a text has a place for a variable.
#[must_use]
pub fn has_variables(text: &str) -> bool {
    text.contains("${")
}

/// Replaces `${NAME}` in all texts of `document`. All missing variables are noted, not only the first.
pub fn substitute(document: &mut Value, variables: &dyn Variables, faults: &mut Vec<Fault>) {
    walk(document, &At::Root, variables, faults);
}

fn walk(value: &mut Value, at: &At<'_>, variables: &dyn Variables, faults: &mut Vec<Fault>) {
    match value {
        Value::String(text) if has_variables(text) => *text = fill(text, at, variables, faults),
        Value::Array(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                walk(item, &At::Item(at, index), variables, faults);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                walk(member, &At::Member(at, name), variables, faults);
            }
        }
        _ => {}
    }
}

fn fill(text: &str, at: &At<'_>, variables: &dyn Variables, faults: &mut Vec<Fault>) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        filled.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            faults.push(Fault { pointer: at.to_string(), what: "has a ${ without its }".into() });
            return text.to_owned();
        };
        match variables.variable(name) {
            Variable::Set(value) => filled.push_str(&value),
            Variable::Secret => filled.push_str(SECRET_PLACEHOLDER),
            Variable::Missing => {
                faults.push(Fault { pointer: at.to_string(), what: variables.unset(name).into() });
                filled.push_str(SECRET_PLACEHOLDER);
            }
        }
        rest = after;
    }
    filled.push_str(rest);
    filled
}
