//! What operators search for: keys and customers by a part of what they are called.

use serde_json::{Value, json};

use super::{
    listing::{self, customer_record, forget_indexes},
    world::*,
};
use crate::*;

fn asked(world: &mut World, request: &Value) -> Value {
    let now = world.at();
    match world.ledger.call(&request.to_string(), None, now, random(7)) {
        Answer::Json(json) => serde_json::from_str(&json).unwrap(),
        Answer::Bytes(_) => panic!("{request} is answered by bytes"),
    }
}

fn customer(id: &str) -> Edit {
    Edit::PutCustomer { id: id.to_owned(), json: customer_record(id, 0), expires: None, expected: Some(0) }
}

fn names(found: &Value) -> Vec<&str> {
    let records = found["records"].as_array().unwrap();
    records.iter().map(|record| record["name"].as_str().unwrap()).collect()
}

#[test]
fn customers_are_found_by_a_part_of_their_ids_with_how_many_there_are() {
    let mut world = World::new();
    world.run(2);
    let ids = ["acme", "big-acme", "100%", "a_b", "axb", "Zacme"];
    world.commit(ids.map(customer).to_vec());
    let search = json!({ "op": "search", "by": "id", "text": "ACME", "limit": 10 });
    let found = asked(&mut world, &search);
    assert_eq!(names(&found), ["customer:Zacme", "customer:acme", "customer:big-acme"]);
    assert_eq!((&found["total"], &found["matching"]), (&json!(6), &json!(3)));
    assert_eq!(found["records"][1]["operator"]["text"], json!(customer_record("acme", 0)));

    let page = |offset: u64, descending: bool| json!({ "op": "search", "by": "id", "text": "acme", "offset": offset, "descending": descending, "limit": 2 });
    assert_eq!(names(&asked(&mut world, &page(2, false))), ["customer:big-acme"]);
    assert_eq!(names(&asked(&mut world, &page(0, true))), ["customer:big-acme", "customer:acme"]);
    for (text, id) in [("%", "customer:100%"), ("_", "customer:a_b")] {
        let found = asked(&mut world, &json!({ "op": "search", "by": "id", "text": text, "limit": 9 }));
        assert_eq!(names(&found), [id], "no pattern");
    }
    let gone = Edit::RemoveCustomer { id: "big-acme".to_owned(), expected: None };
    world.commit(vec![gone]);
    assert_eq!(asked(&mut world, &search)["matching"], 2);
}

#[test]
fn keys_are_found_by_subject_customer_and_digest() {
    let mut world = listing::world();
    let put = |secret: &str, subject: &str, customer: &str| {
        let json = json!({ "subject": subject, "claims": { "customerId": customer } }).to_string();
        Edit::PutKey { digest: key_name(secret)[4..].to_owned(), json, expires: None, expected: None }
    };
    world.commit(vec![put("a", "ci-runner", "acme"), put("b", "ci", "wayne"), put("c", "robot", "acme-2")]);
    let mut search = |by: &str, text: &str| {
        let found = asked(&mut world, &json!({ "op": "search", "by": by, "text": text, "limit": 9 }));
        assert_eq!(found["total"], 3, "{found}");
        names(&found).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(search("subject", "CI"), [key_name("b"), key_name("a")], "by subject and not by its length");
    assert_eq!(search("customer", "acme"), [key_name("a"), key_name("c")]);
    let digest = key_name("c")[4..].to_owned();
    assert_eq!(search("digest", &digest[5..20]), [key_name("c")]);
    assert_eq!(search("digest", &digest), [key_name("c")], "the whole digest, of which the index has half");
    assert!(search("subject", "acme").is_empty());
}

#[test]
fn a_search_reads_the_records_of_its_page_alone_and_says_where_it_cannot_search_yet() {
    let mut world = World::new();
    world.run(2);
    for part in (0..2000).collect::<Vec<_>>().chunks(400) {
        world.commit(part.iter().map(|n| customer(&format!("c{n:04}"))).collect());
    }
    let search =
        Search { by: SearchBy::Id, text: "c19".to_owned(), descending: false, offset: 50, limit: 25 };
    world.ledger.storage().take_touched();
    let found = world.ledger.search(&search).unwrap();
    assert_eq!((found.records.len(), found.matching, found.total), (25, 100, 2000));
    let touched = world.ledger.storage().take_touched();
    assert!(touched <= 2000 + 25, "{touched}: entries of the index, and the records of the page");

    forget_indexes(&mut world, &[]);
    assert_eq!(world.ledger.search(&search), None);
    let answer = asked(&mut world, &json!({ "op": "search", "by": "id", "text": "c", "limit": 1 }));
    assert_eq!(answer, json!({ "error": "index" }));
    assert_eq!(
        asked(&mut World::new(), &json!({ "op": "search", "by": "id", "limit": 1 })),
        json!({ "error": "off" })
    );
}
