//! A field that takes one value or a list.

use pointsman_core::base::shape::{At, Shape, ShapeErrors};
use serde_json::Value;

use crate::{findings::Findings, write_all};

/// One value or several.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(untagged))]
pub enum OneOrMany {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl Default for OneOrMany {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl Shape for OneOrMany {
    fn read(value: &Value, at: &At<'_>, shape_errors: &mut ShapeErrors) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self::One(text.clone())),
            Value::Array(items) => {
                let texts = Vec::read(value, at, shape_errors)?;
                (texts.len() == items.len()).then_some(Self::Many(texts))
            }
            _ => shape_errors.other(at, value, "text or a list of texts"),
        }
    }
}

impl OneOrMany {
    /// The texts as the checked form has them.
    pub(crate) fn write(&self, at: &str, findings: &mut Findings) -> Vec<Value> {
        match self {
            Self::One(text) => vec![findings.write(at, text.as_str())],
            Self::Many(texts) => write_all(at, texts.iter().map(String::as_str), findings),
        }
    }

    /// Where the text of this index stands, by JSON Pointer.
    pub(crate) fn pointer(&self, at: &str, index: usize) -> String {
        match self {
            Self::One(_) => at.to_owned(),
            Self::Many(_) => format!("{at}/{index}"),
        }
    }

    /// As a list.
    #[must_use]
    pub fn list(&self) -> Vec<&str> {
        match self {
            Self::One(text) => vec![text],
            Self::Many(texts) => texts.iter().map(String::as_str).collect(),
        }
    }
}
