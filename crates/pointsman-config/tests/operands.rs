//! Operands as they are configured: each one everywhere, and no test of it that never holds.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::collections::HashMap;

use pointsman_config::Checked;
use pointsman_core::{
    http::{
        cf::CfValue,
        head::{Fields, Head, PresentFields, RequestTarget},
    },
    identity::{claims::Claims, principal::Principal},
    routing::{
        condition::Facts,
        operand::{
            ValueType,
            registry::{Entry, REGISTRY, Source, of_platform},
        },
        rule::Action,
    },
};
use serde_json::{Map, Value, json};

fn read(file: &Value) -> Result<Checked, Vec<String>> {
    let none: HashMap<String, String> = HashMap::new();
    pointsman_config::parse(&file.to_string(), &none)
        .map_err(|findings| findings.iter().map(ToString::to_string).collect())
}

/// What is found in a gateway whose first rule has these conditions.
fn findings(when: &Value) -> Vec<String> {
    let file = json!({
        "backends": { "b": { "url": "https://b.example" } },
        "routes": [{
            "path": "/a/{id}",
            "auth": [],
            "rules": [{ "name": "tested", "when": when, "deny": 403 }, { "name": "rest", "to": "b" }],
        }],
    });
    match read(&file) {
        Ok(checked) => checked.warnings.iter().map(ToString::to_string).collect(),
        Err(findings) => findings,
    }
}

/// As it is written in a configuration.
fn written(entry: &Entry) -> String {
    match entry.source.argument() {
        Some(argument) => format!("${}:{argument}", entry.name),
        None => format!("${}", entry.name),
    }
}

fn example(entry: &Entry) -> Value {
    match entry.source.value_type() {
        ValueType::Number | ValueType::Boolean => serde_json::from_str(entry.example).unwrap(),
        ValueType::Any | ValueType::Text | ValueType::Texts => json!(entry.example),
    }
}

struct Platform(Map<String, Value>);

impl Fields for Platform {
    fn get(&self, _: &str) -> Option<std::borrow::Cow<'_, str>> {
        None
    }

    fn cf(&self, path: &str) -> Option<CfValue> {
        CfValue::find(&self.0, path)
    }
}

#[test]
fn each_operand_stands_where_operands_stand() {
    for entry in REGISTRY {
        let (name, value) = (written(entry), example(entry));
        for when in [
            json!({ &name: value }),
            json!({ &name: [value] }),
            json!({ &name: { "exists": true } }),
            json!({ &name: { "not": value } }),
            json!({ &name: { "any": value } }),
        ] {
            assert_eq!(findings(&when), Vec::<String>::new(), "{when}");
        }
        let of_route = matches!(entry.source, Source::Param);
        let condition = if of_route { json!({}) } else { json!({ &name: value }) };
        let by = if of_route { "$subject".to_owned() } else { name.clone() };
        let file = json!({
            "backends": { "b": { "url": "https://b.example" }, "c": { "url": "https://c.example" } },
            "regions": { "here": condition },
            "limits": { "l": { "binding": "L", "limit": 1, "period": "60s", "by": [by] } },
            "routes": [{
                "path": "/a/{id}",
                "auth": [],
                "require": { &name: value },
                "limits": [[{ "use": "l", "when": { &name: value } }, "none"]],
                "rules": [{
                    "name": "shared-out",
                    "split": [{ "to": "b", "weight": 1 }, { "to": "c", "weight": 1 }],
                    "by": [name],
                    "chosen_by": [name],
                }],
            }],
        });
        let gateway = read(&file).unwrap_or_else(|findings| panic!("{name}: {findings:?}")).gateway;
        let Action::Split(split) = &gateway.routes()[0].rules[0].action else { panic!("{name}") };
        assert_eq!((split.by[0].to_string(), split.chosen_by[0].to_string()), (name.clone(), name));
    }
}

/// From a client of whom the platform says `cf`: whether the first rule is for it, and the text by which a split tells it
/// from others.
fn seen_from(entry: &Entry, cf: Map<String, Value>) -> (bool, Option<String>) {
    let name = written(entry);
    let file = json!({
        "backends": { "b": { "url": "https://b.example" } },
        "routes": [{
            "path": "/",
            "auth": [],
            "rules": [
                { "name": "tested", "when": { &name: example(entry) }, "deny": 403 },
                { "name": "shared-out", "split": [{ "to": "b", "weight": 1 }], "by": [name] },
            ],
        }],
    });
    let gateway = read(&file).unwrap_or_else(|findings| panic!("{findings:?}")).gateway;
    let (fields, principal) = (Platform(cf), Principal::new(None, Claims::default()));
    let target = RequestTarget::parse("https://gateway.example.com/").unwrap();
    let head =
        Head { method: "GET", target, seen: PresentFields::default(), fields: &fields, request_id: "r" };
    let facts = Facts { principal: &principal, head: &head, captures: &[] };
    let rules = &gateway.routes()[0].rules;
    let Action::Split(split) = &rules[1].action else { panic!("no split") };
    (rules[0].matches(&facts), facts.key(&split.by[0]))
}

#[test]
fn what_the_platform_says_passes_the_test_that_is_written_for_it() {
    for (entry, property) in of_platform() {
        let mut cf = Map::new();
        property.say(example(entry), &mut cf);
        assert_eq!(seen_from(entry, cf), (true, Some(entry.example.to_owned())), "{}", entry.name);
        assert_eq!(seen_from(entry, Map::new()), (false, None), "{}", entry.name);
    }
}

#[test]
fn a_test_that_no_value_of_its_operand_passes_is_a_fault() {
    for (when, expected) in [
        (
            json!({ "$asn": "13335" }),
            "/$asn: never holds, since $asn is a number: write 13335, without quotes",
        ),
        (
            json!({ "$bot_score": { "prefix": "1" } }),
            "/$bot_score/prefix: never holds, since $bot_score is a number: write exists, equals, in, >, >=, <, <=, any, all, \
             not",
        ),
        (
            json!({ "$tls_version": { ">=": 1.2 } }),
            "/$tls_version/>=: never holds, since $tls_version is a text: write exists, equals, in, has, prefix, suffix, \
             within, any, all, not",
        ),
        (json!({ "$eu": "1" }), "/$eu: never holds, since $eu is true or false: write true, without quotes"),
        (
            json!({ "$eu": { "prefix": "t" } }),
            "/$eu/prefix: never holds, since $eu is true or false: write exists, equals, in, any, all, not",
        ),
        (
            json!({ "$country": 49 }),
            "/$country: never holds, since $country is a text: write a text, in quotes: \"49\"",
        ),
        (
            json!({ "$country": { ">": 5 } }),
            "/$country/>: never holds, since $country is a text: write exists, equals, in, has, prefix, suffix, within, \
             any, all, not",
        ),
        (
            json!({ "$country": ["DE", true] }),
            "/$country/1: never holds, since $country is a text: write a text, in quotes: \"true\"",
        ),
        (
            json!({ "$not": { "$country": { "not": { "in": [49] } } } }),
            "/$not/$country/not/in/0: never holds, since $country is a text: write a text, in quotes: \"49\"",
        ),
        (
            json!({ "$host": { "contains": "a" } }),
            "/$host/contains: never holds, since $host is a text: write exists, equals, in, has, prefix, suffix, within, \
             any, all, not",
        ),
        (json!({ "$ip": 5 }), "/$ip: never holds, since $ip is a text: write a text, in quotes: \"5\""),
        (
            json!({ "$header:x": { "any": 5 } }),
            "/$header:x/any: never holds, since $header:x is a text: write a text, in quotes: \"5\"",
        ),
        (
            json!({ "$query:v": { "contains": 1 } }),
            "/$query:v/contains: never holds, since $query:v is a text or a list of texts: write a text, in quotes: \"1\"",
        ),
        (
            json!({ "$query:v": { "<=": 1 } }),
            "/$query:v/<=: never holds, since $query:v is a text or a list of texts: write exists, equals, in, contains, \
             has, prefix, suffix, within, any, all, not",
        ),
    ] {
        let expected = format!("/routes/0/rules/0/when{expected}");
        assert_eq!(findings(&when), [expected], "{when}");
    }
    for when in [
        json!({ "plan": 5, "/org/id": { ">": 5 }, "roles": { "contains": true } }),
        json!({ "$query:v": { "contains": "a" }, "$param:id": { "has": "a" } }),
        json!({ "$eu": { "in": [true, false] }, "$country": { "exists": false } }),
    ] {
        assert_eq!(findings(&when), Vec::<String>::new(), "{when}");
    }
}

#[test]
fn what_is_no_operand_is_told_all_that_there_are() {
    let said = findings(&json!({ "$countri": "DE", "$headr:x-a": "b" }));
    let nothing = "is nothing that can be asked for: write";
    assert_eq!(
        said,
        [
            format!("/routes/0/rules/0/when/$countri: {nothing} \"$country\""),
            format!("/routes/0/rules/0/when/$headr:x-a: {nothing} \"$header:x-a\""),
        ]
    );
    let said = findings(&json!({ "$somewhere": "DE" }));
    for entry in REGISTRY {
        assert!(said[0].contains(&format!("${}", entry.name)), "{}: {said:?}", entry.name);
    }
    for written in ["$country:x", "$header", "$header:", "$header:a b", "$query:", "$", "$:"] {
        let said = findings(&json!({ written: "DE" }));
        assert!(said[0].contains("is nothing that can be asked for"), "{written}: {said:?}");
    }
}
