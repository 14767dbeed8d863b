//! Options of policies: texts, with variables of the environment in them.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::template::{self, Piece};
use crate::convert::draft::Use;

/// The variables that are used, and as what.
#[derive(Debug, Default)]
pub(super) struct Variables(pub(super) BTreeMap<String, Use>);

impl Variables {
    /// How a variable is written here.
    ///
    /// # Errors
    /// That it is used as two things of which one text cannot be both.
    pub(super) fn name(&mut self, name: &str, used: Use) -> Result<String, String> {
        match self.0.insert(name.to_owned(), used) {
            Some(before) if before != used => {
                self.0.insert(name.to_owned(), before);
                Err(format!(
                    "the variable {name} is used as two different things (a URL, a part of one, a secret)"
                ))
            }
            _ => Ok(format!("${{{name}}}")),
        }
    }
}

/// A text among a policy's options.
///
/// # Errors
/// That it is none, or holds code.
pub(super) fn text(
    options: &Map<String, Value>,
    name: &str,
    used: Use,
    variables: &mut Variables,
) -> Result<Option<String>, String> {
    match options.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => plain(text, name, used, variables).map(Some),
        Some(_) => Err(format!("its {name} is no text")),
    }
}

/// One text, or a list of them.
///
/// # Errors
/// As [`text`].
pub(super) fn texts(
    options: &Map<String, Value>,
    name: &str,
    variables: &mut Variables,
) -> Result<Vec<String>, String> {
    match options.get(name) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(text)) => plain(text, name, Use::Text, variables).map(|text| vec![text]),
        Some(Value::Array(items)) => {
            let item = |item: &Value| {
                let text = item.as_str().ok_or_else(|| format!("its {name} holds what is no text"))?;
                plain(text, name, Use::Text, variables)
            };
            items.iter().map(item).collect()
        }
        Some(_) => Err(format!("its {name} is no text")),
    }
}

fn plain(text: &str, name: &str, used: Use, variables: &mut Variables) -> Result<String, String> {
    let pieces = template::parse(text);
    let mut plain = String::new();
    for piece in &pieces {
        match piece {
            Piece::Text(text) if text.contains("${") => return Err(format!("its {name} holds {text}")),
            Piece::Text(text) => plain.push_str(text),
            Piece::Env(variable) => {
                // Behind something else it is no whole URL.
                let used = if used == Use::Url && !plain.is_empty() { Use::Host } else { used };
                plain.push_str(&variables.name(variable, used)?);
            }
            _ => return Err(format!("its {name} holds code")),
        }
    }
    Ok(plain)
}

/// A boolean; `false` where it is not there.
///
/// # Errors
/// That it is none.
pub(super) fn flag(options: &Map<String, Value>, name: &str) -> Result<bool, String> {
    match options.get(name) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(format!("its {name} is neither true nor false")),
    }
}

/// Refuses options that mean something that nobody here knows.
///
/// # Errors
/// The first of them.
pub(super) fn only(options: &Map<String, Value>, known: &[&str]) -> Result<(), String> {
    match options.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(format!("it has the option {name}, which the import does not know")),
        None => Ok(()),
    }
}
