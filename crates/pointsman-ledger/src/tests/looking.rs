//! What operators look at: a record, pages of records, and the trail from its end.

use serde_json::{Value, json};

use super::world::*;
use crate::*;

fn on() -> World {
    let mut world = World::new();
    world.run(2);
    world
}

/// What the ledger answers to JSON.
fn asked(world: &mut World, request: &Value) -> Value {
    let now = world.at();
    match world.ledger.call(&request.to_string(), None, now, random(7)) {
        Answer::Json(json) => serde_json::from_str(&json).unwrap(),
        Answer::Bytes(_) => panic!("{request} is answered by bytes"),
    }
}

fn sequences(trail: &Trail) -> Vec<u64> {
    trail.lines.iter().map(|line| line.sequence).collect()
}

#[test]
fn a_record_is_shown_as_it_was_written_with_the_version_that_an_edit_expects() {
    let mut world = on();
    let version = world.commit(vec![put_key("k", "acme")]).versions[0];
    let name = key_name("k");
    let looked = asked(&mut world, &json!({ "op": "record", "name": name }));
    assert_eq!(looked, json!({ "name": name, "operator": { "text": key_json("acme"), "version": version } }));
    let unknown = key_name("other");
    assert_eq!(asked(&mut world, &json!({ "op": "record", "name": unknown })), json!({ "name": unknown }));
    for name in ["key:ab", "directory:head", ""] {
        assert_eq!(asked(&mut world, &json!({ "op": "record", "name": name })), json!({ "error": "name" }));
    }
    let again = Edit::RemoveKey { digest: name["key:".len()..].to_owned(), expected: Some(version) };
    world.commit(vec![again]);
    assert_eq!(world.ledger.look(&name, world.at()).unwrap().operator, None);
}

#[test]
fn a_record_that_has_ended_in_kv_is_not_shown() {
    let mut world = on();
    let ends = world.now / 1000 + 60;
    let edit = match put_key("k", "acme") {
        Edit::PutKey { digest, json, expected, .. } => {
            Edit::PutKey { digest, json, expires: Some(ends), expected }
        }
        other => other,
    };
    world.commit(vec![edit]);
    let shown = |world: &World| world.ledger.look(&key_name("k"), world.at()).unwrap().operator;
    assert_eq!(shown(&world).unwrap().expires, Some(ends));
    world.now = ends * 1000;
    assert_eq!(shown(&world), None);
}

#[test]
fn a_customer_is_shown_with_what_both_say() {
    let mut world = on();
    let json = |host: &str| format!(r#"{{"customerId":"acme","backendUrl":"https://{host}.example.com"}}"#);
    let edits = vec![Difference { id: "acme".to_owned(), says: Says::Record(json("theirs")), version: 0 }];
    let differences = Differences { operation: "1".to_owned(), many: false, edits };
    world.ledger.provide(&differences, world.at()).unwrap();
    let put =
        Edit::PutCustomer { id: "acme".to_owned(), json: json("own"), expires: None, expected: Some(0) };
    world.commit(vec![put]);
    let looked = world.ledger.look("customer:acme", world.at()).unwrap();
    assert_eq!(looked.operator.as_ref().unwrap().text, json("own"));
    assert_eq!(looked.provider.as_ref().unwrap().text, json("theirs"));
    let page = asked(&mut world, &json!({ "op": "customers", "prefix": "ac", "limit": 10 }));
    assert_eq!((&page["records"], &page["next"]), (&json!([looked]), &Value::Null));
}

#[test]
fn pages_of_keys_follow_each_other() {
    let mut world = on();
    let names: Vec<_> = (0..5).map(|n| format!("k{n}")).collect();
    world.commit(names.iter().map(|name| put_key(name, "acme")).collect());
    let mut wanted: Vec<_> = names.iter().map(|name| key_name(name)).collect();
    wanted.sort();
    let (mut found, mut behind) = (Vec::new(), Value::Null);
    loop {
        let page = asked(&mut world, &json!({ "op": "keys", "behind": behind, "limit": 2 }));
        let records = page["records"].as_array().unwrap();
        found.extend(records.iter().map(|record| record["name"].as_str().unwrap().to_owned()));
        behind = page["next"].clone();
        if behind.is_null() {
            break;
        }
    }
    assert_eq!(found, wanted);
    let page = asked(&mut world, &json!({ "op": "keys", "subject": "nobody", "limit": 2 }));
    assert_eq!(page["records"], json!([]));
    for op in ["keys", "customers"] {
        let page = asked(&mut world, &json!({ "op": op, "behind": "x", "limit": 2 }));
        assert_eq!(page, json!({ "error": "cursor" }));
    }
}

#[test]
fn a_page_says_while_kv_is_still_being_taken_in() {
    let mut world = World::new();
    world.work();
    assert!(world.ledger.is_on());
    assert!(!world.ledger.look_at_keys(&KeyQuery { limit: 1, ..KeyQuery::default() }).taken_in);
    world.run(60);
    assert!(world.ledger.look_at_keys(&KeyQuery { limit: 1, ..KeyQuery::default() }).taken_in);
}

#[test]
fn the_trail_is_read_from_its_end_and_misses_no_line() {
    let mut world = on();
    for number in 0..1203 {
        world.commit(vec![put_key(if number % 400 == 0 { "rare" } else { "often" }, &format!("s{number}"))]);
    }
    let all: Vec<_> = world.ledger.audit(0, 5000).iter().map(|line| line.sequence).rev().collect();
    let read = |world: &World, name: Option<&str>, limit: usize| {
        let (mut found, mut before) = (Vec::new(), None);
        loop {
            let page = world.ledger.trail(before, name, None, limit);
            assert!(page.lines.len() <= limit);
            found.extend(sequences(&page));
            let Some(next) = page.next else { return found };
            assert!(before.is_none_or(|before| next < before), "the pages go on");
            before = Some(next);
        }
    };
    for limit in [1, 7, 500, 501, 2000] {
        assert_eq!(read(&world, None, limit), all, "{limit} a page");
    }
    let rare: Vec<_> = world.ledger.audit(0, 5000);
    let rare: Vec<_> = rare.iter().filter(|line| line.name == key_name("rare")).collect();
    assert_eq!(rare.len(), 4);
    let wanted: Vec<_> = rare.iter().rev().map(|line| line.sequence).collect();
    for limit in [1, 2, 50] {
        assert_eq!(read(&world, Some(&key_name("rare")), limit), wanted);
    }
    assert_eq!(world.ledger.trail(Some(u64::MAX), None, None, 1).lines[0].sequence, all[0]);
    assert_eq!(world.ledger.trail(Some(0), None, None, 9), Trail { lines: Vec::new(), next: None });
}

#[test]
fn the_trail_of_one_person_has_no_line_of_another() {
    let mut world = on();
    for (n, actor) in
        ["ann@example.com", "bob@example.com", "Ann@example.com", "joanna@example.com"].iter().enumerate()
    {
        let edit = json!({ "edit": "putKey", "digest": key_name("k")["key:".len()..], "json": key_json(&n.to_string()) });
        let commit = json!({ "op": "commit", "operation": n.to_string(), "actor": actor, "edits": [edit] });
        assert_eq!(asked(&mut world, &commit)["error"], Value::Null);
    }
    let mut actors = |request: Value| {
        let trail = asked(&mut world, &request);
        let lines = trail["lines"].as_array().unwrap().iter();
        lines.map(|line| line["actor"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let of_ann = actors(json!({ "op": "trail", "actor": "ANN@", "limit": 10 }));
    assert_eq!(of_ann, ["Ann@example.com", "ann@example.com"]);
    assert_eq!(
        actors(json!({ "op": "trail", "actor": "bob", "name": key_name("k"), "limit": 10 })),
        ["bob@example.com"]
    );
    assert!(
        actors(json!({ "op": "trail", "actor": "bob", "name": key_name("other"), "limit": 10 })).is_empty()
    );
    assert_eq!(actors(json!({ "op": "trail", "limit": 10 })).len(), 4);
}

#[test]
fn one_call_looks_at_a_bounded_part_of_the_trail() {
    let mut world = on();
    world.commit(vec![put_key("first", "a")]);
    for round in 0..12 {
        world.commit((0..500).map(|_| put_key("often", &format!("s{round}"))).collect());
    }
    let name = key_name("first");
    let page = world.ledger.trail(None, Some(&name), None, 50);
    assert!(page.lines.is_empty() && page.next.is_some(), "{page:?}");
    let page = world.ledger.trail(page.next, Some(&name), None, 50);
    assert_eq!(page.lines.len(), 1);
}

#[test]
fn the_trail_says_from_where_and_whoever_calls_again_from_elsewhere_makes_the_same_commit() {
    let mut world = on();
    let commit = |from: &str| {
        let json = json!({ "op": "commit", "operation": "one", "actor": "ann", "from": from, "edits": [
            { "edit": "putKey", "digest": key_name("k")["key:".len()..], "json": key_json("a"), "expected": 0 },
        ]});
        json
    };
    let first = asked(&mut world, &commit("192.0.2.1"));
    assert_eq!(first["error"], Value::Null, "{first}");
    assert_eq!(asked(&mut world, &commit("198.51.100.7")), first);
    let trail = asked(&mut world, &json!({ "op": "trail", "limit": 10 }));
    let lines: Vec<_> =
        trail["lines"].as_array().unwrap().iter().filter(|line| line["actor"] == "ann").collect();
    assert_eq!(lines.len(), 1);
    assert_eq!((&lines[0]["from"], &lines[0]["operation"]), (&json!("192.0.2.1"), &json!("one")));
}

#[test]
fn a_ledger_that_is_off_shows_no_record_and_says_whether_an_operator_switched_it_off() {
    let mut world = World::new();
    let status = asked(&mut world, &json!({ "op": "status" }));
    assert_eq!((&status["on"], &status["switchedOff"]), (&json!(false), &json!(false)));
    for request in [
        json!({ "op": "record", "name": key_name("k") }),
        json!({ "op": "keys", "limit": 1 }),
        json!({ "op": "customers", "limit": 1 }),
    ] {
        assert_eq!(asked(&mut world, &request), json!({ "error": "off" }));
    }
    world.run(2);
    world.ledger.switch_off(Leave::default(), world.at()).unwrap();
    world.run(300);
    let status = asked(&mut world, &json!({ "op": "status" }));
    assert_eq!((&status["on"], &status["switchedOff"]), (&json!(false), &json!(true)));
}
