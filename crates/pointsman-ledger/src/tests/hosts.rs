//! Whose hosts are: it follows from customers' records, whoever wrote them.

use std::collections::BTreeMap;

use pointsman_core::{
    customer::host_name::HostName,
    directory::{record_key::RecordKey, row::Usable},
};
use proptest::prelude::*;
use serde_json::json;

use super::world::*;
use crate::{hosts::hosts_in, *};

fn on() -> World {
    let mut world = World::with(BTreeMap::new(), 1, Settings { source: Source::List, ..Settings::default() });
    world.run(2);
    world
}

fn record(id: &str, hosts: &[&str]) -> String {
    json!({ "customerId": id, "backendUrl": format!("https://{id}.example.com"), "hosts": hosts }).to_string()
}

fn put(id: &str, hosts: &[&str]) -> Edit {
    Edit::PutCustomer { id: id.to_owned(), json: record(id, hosts), expires: None, expected: None }
}

fn remove(id: &str) -> Edit {
    Edit::RemoveCustomer { id: id.to_owned(), expected: None }
}

/// What the config API says from now on.
fn provide(world: &mut World, id: &str, says: Says) {
    let before = world.ledger.look(&format!("customer:{id}"), world.at()).and_then(|looked| looked.provider);
    let version = before.map_or(0, |before| before.version);
    let edits = vec![Difference { id: id.to_owned(), says, version }];
    let operation = format!("{id} {version} {}", world.now);
    world.ledger.provide(&Differences { operation, many: false, edits }, world.at()).unwrap();
}

/// Whose the host is to those who ask the ledger.
fn of(world: &mut World, host: &str) -> Option<String> {
    let row = world.ask(&format!("host:{host}"))?;
    let pointer: serde_json::Value = serde_json::from_str(&row).unwrap();
    Some(pointer["customerId"].as_str().unwrap().to_owned())
}

fn in_kv(world: &World) -> Vec<String> {
    let entries = world.kv.iter().filter(|(name, _)| name.starts_with("host:"));
    entries.map(|(name, entry)| format!("{name} {}", String::from_utf8_lossy(&entry.value))).collect()
}

fn taken(result: Result<Committed, CommitError>) -> (usize, String, String) {
    match result {
        Err(CommitError::HostTaken { edit, host, customer }) => (edit, host, customer),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_host_is_known_with_its_customer_in_one_change_of_the_log_each_and_in_kv_behind() {
    let mut world = on();
    let committed = world.commit(vec![put("acme", &["a.example", "b.example"])]);
    assert_eq!(committed.revision, 3, "the customer and both hosts are in one commit");
    let head = world.head();
    let host = RecordKey::host(&HostName::parse("a.example").unwrap());
    let change = head.changes.iter().find(|change| change.key == host).unwrap();
    assert_eq!(change.row.as_ref().unwrap().text, br#"{"customerId":"acme"}"#);
    assert_eq!(of(&mut world, "b.example").as_deref(), Some("acme"));
    assert_eq!(of(&mut world, "c.example"), None);
    assert!(in_kv(&world).is_empty());
    world.run(2);
    let all = [r#"host:a.example {"customerId":"acme"}"#, r#"host:b.example {"customerId":"acme"}"#];
    assert_eq!(in_kv(&world), all);
    world.commit(vec![put("acme", &["b.example"])]);
    world.run(2);
    assert_eq!((of(&mut world, "a.example"), in_kv(&world)), (None, vec![all[1].to_owned()]));
    world.commit(vec![remove("acme")]);
    world.run(2);
    assert_eq!((of(&mut world, "b.example"), in_kv(&world)), (None, Vec::new()));
    assert!(matches!(world.ledger.ask("host:B.example", world.at()), Asked::Invalid));
}

#[test]
fn two_customers_with_one_host_are_refused_and_the_other_is_named() {
    let mut world = on();
    world.commit(vec![put("acme", &["a.example"])]);
    let before = world.ledger.storage().clone();
    let expected = |edit| (edit, "a.example".to_owned(), "acme".to_owned());
    assert_eq!(
        taken(world.try_commit(vec![put("b", &["b.example"]), put("c", &["a.example"])])),
        expected(1)
    );
    let both = vec![put("x", &["x.example"]), put("y", &["x.example"])];
    assert_eq!(taken(world.try_commit(both)), (1, "x.example".to_owned(), "x".to_owned()));
    assert_eq!(*world.ledger.storage(), before, "all or none");
    // The ledger answers them as refusals with a status, and JSON that says which.
    let commit = Commit {
        operation: "json".to_owned(),
        actor: "ann".to_owned(),
        from: String::new(),
        edits: vec![put("c", &["a.example"])],
    };
    let error = world.ledger.commit(&commit, world.at()).unwrap_err();
    assert_eq!(
        serde_json::to_value(&error).unwrap(),
        json!({ "error": "hostTaken", "edit": 0, "host": "a.example", "customer": "acme" })
    );
}

#[test]
fn a_host_moves_from_one_customer_to_another_in_one_commit_in_either_order() {
    for swap in [false, true] {
        let mut world = on();
        world.commit(vec![put("a", &["x.example", "a.example"]), put("b", &["b.example"])]);
        let mut edits = vec![put("a", &["a.example"]), put("b", &["b.example", "x.example"])];
        if swap {
            edits.reverse();
        }
        world.commit(edits);
        assert_eq!(of(&mut world, "x.example").as_deref(), Some("b"));
        // One goes, and the other takes its host.
        world.commit(vec![put("c", &["x.example"]), remove("b")]);
        assert_eq!(of(&mut world, "x.example").as_deref(), Some("c"));
        world.run(3);
        assert_eq!(
            in_kv(&world),
            [r#"host:a.example {"customerId":"a"}"#, r#"host:x.example {"customerId":"c"}"#]
        );
    }
}

#[test]
fn what_the_config_api_says_gives_way_to_an_operators_record_and_comes_back() {
    let mut world = on();
    provide(&mut world, "api", Says::Record(record("api", &["x.example"])));
    assert_eq!(of(&mut world, "x.example").as_deref(), Some("api"));
    world.commit(vec![put("own", &["x.example"])]);
    assert_eq!(of(&mut world, "x.example").as_deref(), Some("own"));
    world.run(2);
    assert_eq!(in_kv(&world), [r#"host:x.example {"customerId":"own"}"#]);
    world.commit(vec![remove("own")]);
    assert_eq!(of(&mut world, "x.example").as_deref(), Some("api"));
    world.run(2);
    assert!(in_kv(&world).is_empty(), "of the config API KV has nothing");
    provide(&mut world, "later", Says::Record(record("later", &["x.example"])));
    assert_eq!(of(&mut world, "x.example").as_deref(), Some("api"), "who has it keeps it");
    provide(&mut world, "api", Says::Nothing);
    assert_eq!(of(&mut world, "x.example").as_deref(), Some("later"));
}

#[test]
fn an_entry_that_was_edited_by_hand_brings_its_hosts_and_takes_nobodys() {
    let mut world = on();
    world.commit(vec![put("acme", &["a.example"])]);
    world.run_minutes(7);
    world.put_by_hand("customer:hand", &record("hand", &["a.example", "h.example"]));
    world.run_minutes(3);
    assert_eq!(of(&mut world, "h.example").as_deref(), Some("hand"));
    assert_eq!(of(&mut world, "a.example").as_deref(), Some("acme"));
    assert!(
        in_kv(&world).contains(&r#"host:h.example {"customerId":"hand"}"#.to_owned()),
        "{:?}",
        in_kv(&world)
    );
    // Malformed, it is malformed at its hosts too, and no unknown host.
    world.put_by_hand("customer:hand", r#"{"customerId":"hand","hosts":["h.example"]}"#);
    world.run_minutes(7);
    assert_eq!(world.ledger.row(&RecordKey::customer("hand")).unwrap().usable, Usable::Malformed);
    assert_eq!(of(&mut world, "h.example").as_deref(), Some("hand"));
    world.put_by_hand("customer:hand", &record("hand", &["i.example"]));
    world.run_minutes(7);
    assert_eq!((of(&mut world, "h.example"), of(&mut world, "i.example").as_deref()), (None, Some("hand")));
}

#[test]
fn a_host_ends_with_its_customers_record() {
    let mut world = on();
    let ends = world.now / 1000 + 120;
    world.commit(vec![Edit::PutCustomer {
        id: "acme".to_owned(),
        json: record("acme", &["a.example"]),
        expires: Some(ends),
        expected: None,
    }]);
    world.run(2);
    assert_eq!(world.kv["host:a.example"].expiration, Some(ends));
    world.now = ends * 1000;
    assert_eq!(of(&mut world, "a.example"), None);
    world.commit(vec![put("wayne", &["a.example"])]);
    assert_eq!(of(&mut world, "a.example").as_deref(), Some("wayne"));
}

const HOSTS: [&str; 3] = ["a.example", "b.example", "c.example"];
const IDS: [&str; 3] = ["one", "two", "three"];

#[derive(Clone, Debug)]
enum Step {
    Put(usize, usize),
    Remove(usize),
    Provide(usize, usize),
    Gone(usize),
    ByHand(usize, usize),
    Malformed(usize),
    Minutes(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let (id, hosts) = (|| 0..IDS.len(), || 0..1usize << HOSTS.len());
    prop_oneof![
        4 => (id(), hosts()).prop_map(|(id, hosts)| Step::Put(id, hosts)),
        2 => id().prop_map(Step::Remove),
        2 => (id(), hosts()).prop_map(|(id, hosts)| Step::Provide(id, hosts)),
        1 => id().prop_map(Step::Gone),
        2 => (id(), hosts()).prop_map(|(id, hosts)| Step::ByHand(id, hosts)),
        1 => id().prop_map(Step::Malformed),
        3 => (1u64..8).prop_map(Step::Minutes),
    ]
}

fn chosen(hosts: usize) -> Vec<&'static str> {
    (0..HOSTS.len()).filter(|bit| hosts >> bit & 1 == 1).map(|bit| HOSTS[bit]).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_host_is_that_of_a_customer_who_lists_it_whatever_happens(steps in prop::collection::vec(step(), 1..14)) {
        let mut world = on();
        for step in steps {
            match step {
                Step::Put(id, hosts) => drop(world.try_commit(vec![put(IDS[id], &chosen(hosts))])),
                Step::Remove(id) => drop(world.try_commit(vec![remove(IDS[id])])),
                Step::Provide(id, hosts) => {
                    let says = Says::Record(record(IDS[id], &chosen(hosts)));
                    provide(&mut world, IDS[id], says);
                }
                Step::Gone(id) => provide(&mut world, IDS[id], Says::Gone),
                Step::ByHand(id, hosts) => {
                    world.put_by_hand(&format!("customer:{}", IDS[id]), &record(IDS[id], &chosen(hosts)));
                }
                Step::Malformed(id) => world.put_by_hand(&format!("customer:{}", IDS[id]), "{}"),
                Step::Minutes(minutes) => world.run_minutes(minutes),
            }
            world.now += 1000;
            for host in HOSTS {
                let name = HostName::parse(host).unwrap();
                let rows = IDS.map(|id| world.ledger.row(&RecordKey::customer(id)));
                let lists = |row: &pointsman_core::directory::row::Row| hosts_in(&row.text).contains(&name);
                let listing: Vec<_> = rows.iter().flatten().filter(|row| lists(row)).collect();
                let pointer = world.ledger.row(&RecordKey::host(&name));
                let Some(holder) = of(&mut world, host) else {
                    prop_assert!(listing.is_empty() && pointer.is_none(), "{host} is nobody's");
                    continue;
                };
                let own = rows[IDS.iter().position(|id| **id == *holder).unwrap()].clone().unwrap();
                prop_assert!(own.usable == Usable::Malformed || lists(&own), "{host} is of {holder}");
                let operators = listing.iter().any(|row| !row.provider);
                prop_assert!(own.usable == Usable::Malformed || own.provider != operators, "{host} of {holder}");
            }
        }
        world.run_minutes(1);
        // What the last pass has found is on its way to KV.
        world.run(2);
        let pointers = HOSTS.iter().filter(|host| {
            let row = world.ledger.row(&RecordKey::host(&HostName::parse(host).unwrap()));
            row.is_some_and(|row| !row.provider)
        });
        prop_assert_eq!(pointers.count(), in_kv(&world).len());
    }
}
