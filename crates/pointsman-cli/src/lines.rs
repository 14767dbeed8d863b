//! From a JSON Pointer to the line of a TOML or a JSON text.

use std::collections::HashMap;

use jsonc_parser::ast::{self, ObjectProp};
use jsonc_parser::{CollectOptions, ParseOptions, common::Ranged};
use serde_json::value::RawValue;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use crate::syntax::Form;

/// The line on which `pointer` stands, counted from 1: of the member itself, or where it is missing
/// of what should hold it.
pub(crate) fn line_of(text: &str, form: Form, pointer: &str) -> usize {
    match form {
        Form::Toml => line_of_toml(text, pointer),
        Form::Json => line_of_json(text, pointer),
    }
}

fn line_of_json(text: &str, pointer: &str) -> usize {
    let parsed = jsonc_parser::parse_to_ast(text, &CollectOptions::default(), &ParseOptions::default());
    let Some(document) = parsed.ok().and_then(|parsed| parsed.value) else { return 1 };
    let (mut at, mut value) = (0, &document);
    for step in pointer.split('/').skip(1) {
        let name = step.replace("~1", "/").replace("~0", "~");
        let next = match value {
            ast::Value::Object(object) => {
                let found = object.properties.iter().find(|own| own.name.as_str() == name);
                found.map(|ObjectProp { range, value, .. }| (range.start, value))
            }
            ast::Value::Array(items) => {
                let found = name.parse::<usize>().ok().and_then(|index| items.elements.get(index));
                found.map(|item| (item.range().start, item))
            }
            _ => None,
        };
        let Some((start, inner)) = next else { break };
        (at, value) = (start, inner);
    }
    line_at(text, at)
}

fn line_of_toml(text: &str, pointer: &str) -> usize {
    let Ok(document) = DeTable::parse(text) else { return 1 };
    let mut at = 0;
    let mut value: Option<&Spanned<DeValue<'_>>> = None;
    for step in pointer.split('/').skip(1) {
        let name = step.replace("~1", "/").replace("~0", "~");
        let table = match value.map(Spanned::get_ref) {
            None => Some(document.get_ref()),
            Some(DeValue::Table(table)) => Some(table),
            Some(DeValue::Array(items)) => {
                let Some(item) = name.parse::<usize>().ok().and_then(|index| items.get(index)) else { break };
                at = item.span().start;
                value = Some(item);
                continue;
            }
            Some(_) => None,
        };
        let found = table.and_then(|table| table.iter().find(|(key, _)| key.get_ref().as_ref() == name));
        let Some((key, next)) = found else { break };
        at = key.span().start;
        value = Some(next);
    }
    line_at(text, at)
}

/// The line of a byte position, counted from 1.
pub(crate) fn line_at(text: &str, at: usize) -> usize {
    text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
}

/// How many lines below its beginning a member of a JSON text stands, or where it is missing what should
/// hold it.
pub(crate) fn lines_into(json: &[u8], pointer: &str) -> usize {
    let Ok(whole) = std::str::from_utf8(json) else { return 0 };
    let mut text = whole;
    for step in pointer.split('/').skip(1) {
        let name = step.replace("~1", "/").replace("~0", "~");
        let next = if text.starts_with('[') {
            let items: Vec<&RawValue> = serde_json::from_str(text).unwrap_or_default();
            name.parse::<usize>().ok().and_then(|index| items.get(index).copied())
        } else {
            let members: HashMap<String, &RawValue> = serde_json::from_str(text).unwrap_or_default();
            members.get(&name).copied()
        };
        let Some(next) = next else { break };
        text = next.get();
    }
    let offset = (text.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize);
    line_at(whole, offset) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str =
        "a = 1\n[b.\"x/y\"]\nc = 2\n[[routes]]\nrules = [\n  { name = \"one\" },\n  { name = \"two\" },\n]\n";

    #[test]
    fn pointers_lead_to_lines() {
        for (pointer, line) in [
            ("/a", 1),
            ("/b/x~1y/c", 3),
            ("/routes/0/rules", 5),
            ("/routes/0/rules/1/name", 7),
            ("/routes/0/rules/1/missing", 7),
            ("/missing", 1),
            ("", 1),
        ] {
            assert_eq!(line_of(TEXT, Form::Toml, pointer), line, "{pointer}");
        }
    }

    #[test]
    fn pointers_lead_to_lines_of_json_with_comments() {
        let text = "// a\n{\n\"a\": [1, // one\n {\"b/c\":\n2},],\n\"d\": {},\n}";
        for (pointer, line) in
            [("", 1), ("/a", 3), ("/a/1", 4), ("/a/1/b~1c", 4), ("/d/e", 6), ("/x", 1), ("/a/7", 3)]
        {
            assert_eq!(line_of(text, Form::Json, pointer), line, "{pointer}");
        }
    }

    #[test]
    fn pointers_lead_to_lines_of_json() {
        let text = "{\n\"a\": [1,\n {\"b/c\":\n2}],\n\"d\": {}}";
        for (pointer, line) in
            [("", 0), ("/a", 1), ("/a/1", 2), ("/a/1/b~1c", 3), ("/d/e", 4), ("/x", 0), ("/a/7", 1)]
        {
            assert_eq!(lines_into(text.as_bytes(), pointer), line, "{pointer}");
        }
        assert_eq!(lines_into(b"nonsense\n", "/a"), 0);
    }
}
