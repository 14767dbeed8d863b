//! From the schema that the types give to the one that people want: texts get their grammar, and what
//! only JSON could say goes.

use serde_json::{Map, Value};

/// What a field of a type, or the type itself, must be beyond its shape.
pub(super) struct Field {
    of: &'static str,
    /// `None` for the type as a whole.
    name: Option<&'static str>,
    /// Takes the place of what the type says; `None` where that is all.
    must_be: Option<Value>,
    /// Whether the type itself has no such field.
    is_new: bool,
}

impl Field {
    /// The field of a type must be this.
    pub(super) const fn of(of: &'static str, name: &'static str, must_be: Value) -> Self {
        Self { of, name: Some(name), must_be: Some(must_be), is_new: false }
    }

    /// The field may be whatever its type says.
    pub(super) const fn free(of: &'static str, name: &'static str) -> Self {
        Self { of, name: Some(name), must_be: None, is_new: false }
    }

    /// The type as a whole must be this, too.
    pub(super) const fn whole(of: &'static str, must_be: Value) -> Self {
        Self { of, name: None, must_be: Some(must_be), is_new: false }
    }

    /// What stands beside the fields of the type where it is written.
    pub(super) const fn beside(of: &'static str, name: &'static str, must_be: Value) -> Self {
        Self { of, name: Some(name), must_be: Some(must_be), is_new: true }
    }
}

/// What says which values a member takes; a description stays when a grammar takes their place.
const SHAPE: [&str; 9] =
    ["type", "items", "anyOf", "$ref", "format", "minimum", "maximum", "additionalProperties", "default"];

/// Puts the grammar of fields into the schema of a type, with the definitions that it refers to.
///
/// # Errors
/// The field that no type has.
pub(super) fn refine(
    mut schema: Value,
    fields: &[Field],
    definitions: Map<String, Value>,
) -> Result<Value, String> {
    tidy(&mut schema);
    for field in fields {
        put(&mut schema, field)?;
    }
    if let Some(own) = schema.get_mut("$defs").and_then(Value::as_object_mut) {
        // Every field that had it names what it holds one or many of.
        own.remove("OneOrMany");
        own.remove("CustomersOfIssuerFile");
        own.extend(definitions);
    }
    Ok(schema)
}

/// The fields of texts, numbers and untyped values that the list does not name.
#[cfg(test)]
pub(super) fn unrefined(schema: &Value, fields: &[Field]) -> Vec<String> {
    let mut tidied = schema.clone();
    tidy(&mut tidied);
    let root = [(title(&tidied).to_owned(), &tidied)];
    let definitions = tidied.get("$defs").and_then(Value::as_object).into_iter().flatten();
    let types = root.into_iter().chain(definitions.map(|(name, schema)| (name.clone(), schema)));
    let mut left = Vec::new();
    for (of, schema) in types {
        for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let named = fields.iter().any(|field| field.of == of && field.name == Some(name.as_str()));
            if !named && !is_told_by_its_type(property) {
                left.push(format!("{of}.{name}"));
            }
        }
    }
    left
}

/// Whether nothing is to be said beyond the type: a boolean, a table, or tables.
#[cfg(test)]
fn is_told_by_its_type(property: &Value) -> bool {
    let refers = |schema: &Value| {
        schema.get("$ref").and_then(Value::as_str).is_some_and(|to| !to.ends_with("/OneOrMany"))
    };
    let items = property.get("items").or_else(|| property.get("additionalProperties"));
    property.get("type").is_some_and(|kind| kind == "boolean")
        || refers(property)
        || items.is_some_and(refers)
}

fn title(schema: &Value) -> &str {
    schema.get("title").and_then(Value::as_str).unwrap_or_default()
}

fn put(schema: &mut Value, field: &Field) -> Result<(), String> {
    let is_root = title(schema) == field.of;
    let holder =
        if is_root { Some(&mut *schema) } else { schema.pointer_mut(&format!("/$defs/{}", field.of)) };
    let holder = holder.ok_or_else(|| format!("there is no {}", field.of))?;
    let target = match field.name {
        None => Some(holder),
        Some(name) => {
            let properties = holder.get_mut("properties").and_then(Value::as_object_mut);
            properties.and_then(|properties| {
                if field.is_new {
                    properties.entry(name).or_insert_with(|| Value::Object(Map::new()));
                }
                properties.get_mut(name)
            })
        }
    };
    let missing = || format!("{} has no {}", field.of, field.name.unwrap_or_default());
    let target = target.ok_or_else(missing)?;
    let Some(must_be) = field.must_be.as_ref().and_then(Value::as_object) else { return Ok(()) };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(members) = target.as_object_mut() else { return Ok(()) };
    if field.name.is_some() {
        members.retain(|name, _| !SHAPE.contains(&name.as_str()));
    }
    members.extend(must_be.clone());
    Ok(())
}

/// Takes out what the documents do not have: `null` for "not there", formats of Rust's numbers, defaults
/// that say no more than that a list may be left out, and where the lines of a comment end.
fn tidy(value: &mut Value) {
    match value {
        Value::Object(members) => {
            for member in members.values_mut() {
                tidy(member);
            }
            without_null(members);
            if let Some(Value::String(text)) = members.get_mut("description") {
                *text = text.replace('\n', " ");
            }
            let rusty = |format: &Value| format.as_str().is_some_and(|format| format.starts_with("uint"));
            if members.get("format").is_some_and(rusty) {
                members.remove("format");
            }
            let empty = |default: &Value| match default {
                Value::Null => true,
                Value::Array(items) => items.is_empty(),
                Value::Object(inner) => inner.is_empty(),
                _ => false,
            };
            if members.get("default").is_some_and(empty) {
                members.remove("default");
            }
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

fn without_null(members: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = members.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            members.insert("type".to_owned(), only);
        }
    }
    let is_null = |schema: &Value| schema.get("type").is_some_and(|name| name == "null");
    let Some(Value::Array(any)) = members.get_mut("anyOf") else { return };
    if !any.iter().any(is_null) {
        return;
    }
    any.retain(|schema| !is_null(schema));
    if let [Value::Object(only)] = any.as_slice() {
        let only = only.clone();
        members.remove("anyOf");
        members.extend(only);
    }
}
