//! Conditions as JSON Schema: the operands of the registry, each with the tests that some value of it passes.

use pointsman_config::operands::operators_for;
use pointsman_core::routing::operand::{
    ValueType,
    registry::{Entry, REGISTRY, Source},
};
use serde_json::{Map, Value, json};

use super::grammar::{TOKEN, describe, form, list, one_or_many, refer, some_text};

/// The name of a placeholder in a path.
const PLACEHOLDER: &str = "[A-Za-z0-9_]+";

/// What conditions, splits and limits refer to.
pub(super) fn definitions() -> Map<String, Value> {
    let mut all = Map::new();
    let mut operand = form(&operands(true, ""));
    describe(&mut operand, "What a condition looks at, or a split tells callers apart by.");
    all.insert("Thing".to_owned(), operand);
    let mut counted = form(&operands(false, "|customer"));
    describe(&mut counted, "What a limit tells callers apart by; $customer is the customer's id.");
    all.insert("Counted".to_owned(), counted);
    all.insert("Conditions".to_owned(), conditions());
    for of in [ValueType::Any, ValueType::Text, ValueType::Texts, ValueType::Number, ValueType::Boolean] {
        all.insert(test_name(of).to_owned(), test(of));
        all.insert(format!("{}Table", test_name(of)), test_table(of));
    }
    all
}

/// What stands behind `$` where this entry is written, as a regular expression.
fn pattern(entry: &Entry) -> String {
    let name = entry.name;
    match entry.source {
        Source::Param => format!("{name}:{PLACEHOLDER}"),
        Source::Header => format!("{name}:{TOKEN}"),
        Source::Query => format!("{name}:.+"),
        Source::Subject | Source::Cf(_) | Source::Ip | Source::Method | Source::Host => name.to_owned(),
    }
}

/// A claim, or an operand with a `$` before it; `more` are further names behind it.
fn operands(of_route: bool, more: &str) -> String {
    let entries = REGISTRY.iter().filter(|entry| of_route || entry.source != Source::Param);
    let names: Vec<_> = entries.map(pattern).collect();
    format!(r"^([^$].*|\$({}{more}))$", names.join("|"))
}

/// A table of conditions, or the name of one of `[conditions]`.
fn conditions() -> Value {
    let tables = list(&refer("Conditions"), 1);
    let (mut properties, mut patterns) = (Map::new(), Map::new());
    for (name, mut schema, what) in [
        ("$all", tables.clone(), "All of these hold."),
        ("$any", tables, "One of these holds."),
        ("$not", refer("Conditions"), "This does not hold."),
        ("$is", one_or_many(&some_text()), "One of [conditions] by its name; of several, one of them."),
    ] {
        describe(&mut schema, what);
        properties.insert(name.to_owned(), schema);
    }
    for entry in REGISTRY {
        let test = test_name(entry.source.value_type());
        let mut schema = match entry.source {
            Source::Ip => {
                json!({ "anyOf": [one_or_many(&refer("AddressRange")), refer(&format!("{test}Table"))] })
            }
            _ => refer(test),
        };
        describe(&mut schema, &format!("{}. Example: {}", entry.help, entry.example));
        match entry.source.argument() {
            None => properties.insert(format!("${}", entry.name), schema),
            Some(_) => patterns.insert(format!(r"^\${}$", pattern(entry)), schema),
        };
    }
    patterns.insert("^[^$]".to_owned(), refer(test_name(ValueType::Any)));
    let table = json!({
        "type": "object",
        "properties": properties,
        "patternProperties": patterns,
        "additionalProperties": false,
    });
    json!({
        "description": "Claims and things, and what they must be: all members must hold. Or the name of one of [conditions].",
        "anyOf": [some_text(), table],
    })
}

/// The definition of a test of such values.
const fn test_name(of: ValueType) -> &'static str {
    match of {
        ValueType::Any => "Test",
        ValueType::Text => "TextTest",
        ValueType::Texts => "TextsTest",
        ValueType::Number => "NumberTest",
        ValueType::Boolean => "BooleanTest",
    }
}

/// What such a value can be equal to.
fn scalar(of: ValueType) -> Value {
    match of {
        ValueType::Any => json!({ "type": ["string", "number", "boolean"] }),
        ValueType::Text | ValueType::Texts => json!({ "type": "string" }),
        ValueType::Number => json!({ "type": "number" }),
        ValueType::Boolean => json!({ "type": "boolean" }),
    }
}

fn test(of: ValueType) -> Value {
    let scalar = scalar(of);
    json!({
        "description": "A value, a list of which it is one, or a table of tests.",
        "anyOf": [scalar, list(&scalar, 1), refer(&format!("{}Table", test_name(of)))],
    })
}

fn test_table(of: ValueType) -> Value {
    let (scalar, own) = (scalar(of), refer(test_name(of)));
    let texts = one_or_many(&some_text());
    let number = json!({ "type": "number" });
    let mut properties = Map::new();
    for (name, mut schema, what) in [
        ("exists", json!({ "type": "boolean" }), "Whether it is there."),
        ("equals", scalar.clone(), "Is this."),
        ("in", list(&scalar, 1), "Is one of these."),
        ("contains", scalar, "Is a list that holds this."),
        (
            "has",
            json!({ "type": "string", "pattern": "^[^ ]+$" }),
            "Is a list that holds this word, or a text of words of which it is one.",
        ),
        ("prefix", texts.clone(), "Is a text that begins with this, or with one of these."),
        ("suffix", texts, "Is a text that ends with this, or with one of these."),
        ("within", one_or_many(&refer("AddressRange")), "Is an address in this range, or in one of these."),
        (">", number.clone(), "Is a number above this."),
        (">=", number.clone(), "Is a number from this on."),
        ("<", number.clone(), "Is a number below this."),
        ("<=", number, "Is a number up to this."),
        ("any", own.clone(), "One of its values passes: a parameter or a field may be sent twice."),
        ("all", own.clone(), "It has a value, and each of its values passes."),
        ("not", own, "Fails this test; what is not there fails every test but exists = false."),
    ] {
        if operators_for(of).contains(&name) {
            describe(&mut schema, what);
            properties.insert(name.to_owned(), schema);
        }
    }
    json!({
        "description": "Tests, all of which must hold.",
        "type": "object",
        "properties": properties,
        "minProperties": 1,
        "additionalProperties": false,
    })
}
