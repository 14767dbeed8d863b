use std::{borrow::Cow, collections::HashSet};

use serde_json::{Map, Value, json};

use super::{registry::of_platform, *};
use crate::http::{cf::CfValue, head::Fields};

/// A client of whom the platform says this.
struct Platform(Map<String, Value>);

impl Fields for Platform {
    fn get(&self, _: &str) -> Option<Cow<'_, str>> {
        None
    }

    fn cf(&self, path: &str) -> Option<CfValue> {
        CfValue::find(&self.0, path)
    }
}

fn parse(written: &str) -> Option<Operand> {
    Operand::parse(written, |name| (name == "id").then_some(3))
}

/// The example of a row, as the value that a condition finds.
fn example(text: &str, of: ValueType) -> Value {
    match of {
        ValueType::Number | ValueType::Boolean => serde_json::from_str(text).unwrap(),
        ValueType::Text | ValueType::Texts | ValueType::Any => json!(text),
    }
}

#[test]
fn each_operand_of_the_platform_finds_values_of_its_own_type_and_no_others() {
    let others = [json!("x"), json!(""), json!(7.5), json!(true), json!(null), json!([1]), json!({"a": 1})];
    for (entry, property) in of_platform() {
        let name = entry.name;
        assert_eq!(parse(&format!("${name}")), Some(Operand::Cf(CfOperand { name, property })));
        let find = |cf: &Map<String, Value>| property.read(&Platform(cf.clone()));
        let of = entry.source.value_type();
        let value = example(entry.example, of);
        let mut cf = Map::new();
        property.say(value.clone(), &mut cf);
        assert_eq!(find(&cf), Some(value), "{name}");
        assert_eq!(find(&Map::new()), None, "{name}");
        let (outer, inner) = property.path.split_once('.').unwrap_or(("", property.path));
        for other in &others {
            let of_this_type = match of {
                ValueType::Number => other.is_number(),
                ValueType::Boolean => other.is_boolean(),
                _ => other.as_str().is_some_and(|text| !text.is_empty()),
            };
            let holder = if outer.is_empty() { &mut cf } else { cf[outer].as_object_mut().unwrap() };
            holder.insert(inner.to_owned(), other.clone());
            assert_eq!(find(&cf), of_this_type.then(|| other.clone()), "{name} of {other}");
        }
    }
}

#[test]
fn what_is_no_operand_is_not_read() {
    let no_names = ["$countri", "$COUNTRY", "$", "$:", "/~"];
    let wrong_arguments =
        ["$country:x", "$header", "$header:", "$header:a b", "$query", "$query:", "$param", "$param:x"];
    for written in no_names.iter().chain(&wrong_arguments) {
        assert_eq!(parse(written), None, "{written}");
    }
    assert_eq!(parse("$header:X-Beta"), Some(Operand::Header(Rc::from("x-beta"))));
}

#[test]
fn the_registry_has_a_row_for_each_operand_with_all_that_people_read() {
    let mut names = HashSet::new();
    for entry in REGISTRY {
        assert!(names.insert(entry.name), "{} is a duplicate", entry.name);
        let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
        assert!(entry.name.chars().all(plain), "{} is also the name of an option", entry.name);
        for text in [entry.words, entry.help, entry.example] {
            assert!(!text.is_empty() && !text.contains(['|', '\n', '"']), "{}: {text:?}", entry.name);
        }
        assert!(!entry.help.ends_with('.'), "{}: {}", entry.name, entry.help);
        let argument = entry.source.argument().unwrap_or_default();
        let written = format!("${}:{argument}", entry.name);
        let written = written.trim_end_matches(':');
        let operand = parse(written).unwrap();
        assert_eq!(operand.to_string(), written);
        assert_eq!(operand.value_type(), entry.source.value_type());
    }
}
