//! The table of operands in docs/configuration.md, from the registry.

use std::fmt::Write;

use pointsman_core::routing::operand::{
    ValueType,
    registry::{Entry, REGISTRY, Source},
};

use crate::schema::type_name;

/// Between these lines stands the table; all else in the document is written by hand.
const BEGIN: &str =
    "<!-- operands: written by `npm run pointsman -- reference operands --write docs/configuration.md` -->\n";
const END: &str = "<!-- end of operands -->\n";

const HEAD: &str = "\
| operand | value | what it is | example |
| --- | --- | --- | --- |
| `plan`, `\"/org/plan\"` | any | A claim, by its name or a JSON Pointer | `plan = \"gold\"` |
";

/// The table.
pub(super) fn table() -> String {
    let mut text = HEAD.to_owned();
    for entry in REGISTRY {
        let name = name(entry);
        let source = match entry.source {
            Source::Cf(property) => format!(" (`request.cf`: `{}`)", property.path),
            _ => String::new(),
        };
        let of = entry.source.value_type();
        let _ = writeln!(
            text,
            "| `\"{name}\"` | {} | {}{source} | `\"{name}\" = {}` |",
            type_name(of),
            entry.help,
            example(entry, of),
        );
    }
    text
}

/// As it is written, with a name behind the colon where there is one.
fn name(entry: &Entry) -> String {
    match entry.source.argument() {
        Some(argument) => format!("${}:{argument}", entry.name),
        None => format!("${}", entry.name),
    }
}

/// As TOML.
fn example(entry: &Entry, of: ValueType) -> String {
    match of {
        ValueType::Number | ValueType::Boolean => entry.example.to_owned(),
        ValueType::Any | ValueType::Text | ValueType::Texts => format!("\"{}\"", entry.example),
    }
}

/// The document with the table of today.
///
/// # Errors
/// It has no place for it.
pub(super) fn put_into(document: &str) -> Result<String, &'static str> {
    let (before, rest) = document.split_once(BEGIN).ok_or("has no line where the operands begin")?;
    let (_, behind) = rest.split_once(END).ok_or("has no line where the operands end")?;
    Ok(format!("{before}{BEGIN}\n{}\n{END}{behind}", table()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_documented_operands_are_those_of_the_registry() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
        let committed = fs::read_to_string(file).unwrap_or_default();
        let fresh = put_into(&committed).unwrap();
        let command = "npm run pointsman -- reference operands --write docs/configuration.md";
        assert!(committed == fresh, "the operands in docs/configuration.md are stale: run `{command}`");
    }

    #[test]
    fn all_but_the_table_stays() {
        let document = format!("before\n\n{BEGIN}stale\n{END}\nbehind\n");
        let fresh = put_into(&document).unwrap();
        assert_eq!(fresh, format!("before\n\n{BEGIN}\n{}\n{END}\nbehind\n", table()));
        assert_eq!(put_into(&fresh).unwrap(), fresh);
        assert!(put_into("before\n").is_err());
        assert!(put_into(&format!("{BEGIN}stale\n")).is_err());
    }
}
