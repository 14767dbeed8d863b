//! `${NAME}` in any text of the configuration is a Worker variable or secret.

use std::collections::HashMap;

use pointsman_core::base::shape::At;
use serde_json::Value;

use super::findings::Findings;

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
}

impl Variables for HashMap<String, String> {
    fn variable(&self, name: &str) -> Variable {
        self.get(name).cloned().map_or(Variable::Missing, Variable::Set)
    }
}

/// Stands for a secret in a check: a well-formed URL, and long enough for any algorithm's secret.
pub(super) const SECRET_PLACEHOLDER: &str =
    "https://secret.invalid/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// Replaces `${NAME}` everywhere. All missing variables are found, not only the first.
pub(super) fn substitute(document: Value, variables: &dyn Variables, findings: &mut Findings) -> Value {
    walk(document, &At::Root, variables, findings)
}

fn walk(value: Value, at: &At<'_>, variables: &dyn Variables, findings: &mut Findings) -> Value {
    match value {
        Value::String(text) => Value::String(fill(text, at, variables, findings)),
        Value::Array(mut items) => {
            for (index, item) in items.iter_mut().enumerate() {
                *item = walk(item.take(), &At::Item(at, index), variables, findings);
            }
            Value::Array(items)
        }
        Value::Object(mut members) => {
            for (name, member) in &mut members {
                *member = walk(member.take(), &At::Member(at, name), variables, findings);
            }
            Value::Object(members)
        }
        other => other,
    }
}

fn fill(text: String, at: &At<'_>, variables: &dyn Variables, findings: &mut Findings) -> String {
    if !text.contains("${") {
        return text;
    }
    let mut filled = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("${") {
        filled.push_str(before);
        let Some((name, after)) = after.split_once('}') else {
            findings.error(at.to_string(), "has a ${ without its }");
            return text;
        };
        match variables.variable(name) {
            Variable::Set(value) => filled.push_str(&value),
            Variable::Secret => filled.push_str(SECRET_PLACEHOLDER),
            Variable::Missing => {
                findings.error(at.to_string(), missing(name));
                filled.push_str(SECRET_PLACEHOLDER);
            }
        }
        rest = after;
    }
    filled.push_str(rest);
    filled
}

fn missing(name: &str) -> String {
    format!(
        "the variable {name} is not set: add it under [vars] in wrangler.toml, or set the secret with \
         `wrangler secret put {name}` and list it under [secrets] required"
    )
}
