//! The registry of operands as JSON, for programs that are not Rust: the console.

use pointsman_core::routing::operand::{
    ValueType,
    registry::{REGISTRY, Source},
};
use serde_json::{Value, json};

/// The file that holds it, beside the schemas.
pub(super) const FILE: &str = "operands.json";

/// All rows, in their order.
pub(super) fn list() -> Value {
    let rows = REGISTRY.iter().map(|entry| {
        let mut row = json!({
            "name": entry.name,
            "type": type_name(entry.source.value_type()),
            "words": entry.words,
            "help": entry.help,
            "example": entry.example,
        });
        if let (Some(argument), Some(members)) = (entry.source.argument(), row.as_object_mut()) {
            members.insert("argument".to_owned(), Value::from(argument));
        }
        if let (Source::Cf(property), Some(members)) = (entry.source, row.as_object_mut()) {
            members.insert("cf".to_owned(), Value::from(property.path));
        }
        row
    });
    rows.collect()
}

/// The type, for people and programs.
pub(crate) const fn type_name(of: ValueType) -> &'static str {
    match of {
        ValueType::Any => "any",
        ValueType::Text => "text",
        ValueType::Texts => "text or list of texts",
        ValueType::Number => "number",
        ValueType::Boolean => "boolean",
    }
}
