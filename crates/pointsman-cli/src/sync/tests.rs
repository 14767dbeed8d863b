use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    memory::{Content, Memory},
    *,
};
use crate::{
    files::of_folder,
    records::Extras,
    scratch::Scratch,
    store::{Keeps, Sum},
    sync::apply::{apply, missing},
};

/// An id and which of several records it has.
type Ids = BTreeMap<u8, u8>;

fn customer(id: u8, version: u8) -> Value {
    json!({ "customerId": format!("c{id}"), "backendUrl": format!("https://v{version}.example") })
}

fn key(id: u8, version: u8) -> Value {
    json!({ "subject": format!("s{version}"), "claims": { "customerId": format!("c{id}") } })
}

fn key_sum(id: u8) -> Sum {
    Sum::of(&[id])
}

/// A folder that says so, in two files each.
fn folder(customers: &Ids, keys: &Ids) -> Scratch {
    let folder = Scratch::new();
    let lines = |records: Vec<Value>| records.iter().map(|record| format!("{record}\n")).collect::<String>();
    let with_sum = |(id, version): (&u8, &u8)| {
        let mut record = key(*id, *version);
        record["sha256"] = Value::from(key_sum(*id).to_string());
        record
    };
    let customers: Vec<Value> = customers.iter().map(|(id, version)| customer(*id, *version)).collect();
    let (first, second) = customers.split_at(customers.len() / 2);
    folder.write("customers.json", &format!("{:#}", Value::from(first.to_vec())));
    folder.write("customers/more.jsonl", &lines(second.to_vec()));
    folder.write("keys.jsonl", &lines(keys.iter().map(with_sum).collect()));
    folder
}

fn read(folder: &Scratch) -> Wanted {
    let found = of_folder(folder.path()).unwrap();
    Wanted::read(found.files, found.kinds, &Judge::of(None), Extras::Refused).unwrap().0
}

#[test]
fn what_a_record_holds_of_null_makes_no_difference() {
    let written = "\u{feff}{\"subject\":\"s\",\"disabled\":null,\"claims\":{\"plan\":null}}";
    let plain = r#"{"claims":{"plan":null},"subject":"s"}"#;
    assert_eq!(plan::spelled(written).as_deref(), Some(plain));
    assert_eq!(plan::spelled(plain).as_deref(), Some(plain));
}

/// How an entry came into KV.
#[derive(Clone, Copy, Debug)]
enum Writer {
    Tools,
    Hand,
    ConfigApi,
    /// Metadata of something else.
    Odd,
}

fn content(customers: &BTreeMap<u8, (u8, Writer)>, keys: &Ids) -> Content {
    let mut content = Content::new();
    for (id, (version, writer)) in customers {
        let mut record = customer(*id, *version);
        if let Writer::ConfigApi = writer {
            record["fetchedAt"] = Value::from("2026-01-01T00:00:00Z");
        }
        let value = if let Writer::Tools = writer { record.to_string() } else { format!("{record:#}") };
        let written = match writer {
            Writer::Tools => Some(Sum::of(value.as_bytes())),
            Writer::Hand | Writer::ConfigApi => None,
            Writer::Odd => Some(Sum::of(b"odd")),
        };
        content.insert(format!("customer:c{id}"), (value, written));
    }
    for (id, version) in keys {
        let value = key(*id, *version).to_string();
        let written = Some(Sum::of(value.as_bytes()));
        content.insert(format!("key:{}", key_sum(*id)), (value, written));
    }
    for name in ["source:customers", "keyset:abc", "key:short", "customers:typo"] {
        content.insert(name.to_owned(), ("other".to_owned(), None));
    }
    content
}

const PRUNE: Options = Options { prune: true, verify: false };

fn plan_of(kv: &Memory, wanted: &Wanted, options: Options) -> Result<Plan, Failure> {
    planned(kv, wanted, &Judge::of(None), options).map(|(plan, _)| plan)
}

fn applied(kv: &Memory, wanted: &Wanted, options: Options) -> Result<usize, Failure> {
    let plan = plan_of(kv, wanted, options)?;
    apply(kv, wanted, &plan, &Judge::of(None), Told::Nothing)?;
    missing(kv, wanted, &plan, &mut |_| false)
}

fn ids() -> impl Strategy<Value = Ids> {
    prop::collection::btree_map(0u8..12, 0u8..3, 0..9)
}

fn stored() -> impl Strategy<Value = BTreeMap<u8, (u8, Writer)>> {
    let writer =
        prop_oneof![Just(Writer::Tools), Just(Writer::Hand), Just(Writer::ConfigApi), Just(Writer::Odd)];
    prop::collection::btree_map(0u8..12, (0u8..3, writer), 0..9)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn after_an_apply_there_is_nothing_to_do(
        customers in ids(), keys in ids(), before in stored(), keys_before in ids(), prune: bool, verify: bool,
    ) {
        let options = Options { prune, verify };
        let folder = folder(&customers, &keys);
        let wanted = read(&folder);
        let kv = Memory::of(content(&before, &keys_before));
        prop_assert_eq!(applied(&kv, &wanted, options).unwrap(), 0);
        let again = plan_of(&kv, &wanted, options).unwrap();
        prop_assert!(again.is_empty(), "{again:?}");
        let content = kv.content.borrow();
        for (id, version) in &customers {
            let (value, _) = &content[&format!("customer:c{id}")];
            prop_assert_eq!(serde_json::from_str::<Value>(value).unwrap(), customer(*id, *version));
        }
        for (id, (_, writer)) in &before {
            let kept = content.contains_key(&format!("customer:c{id}"));
            let of_config_api = matches!(writer, Writer::ConfigApi);
            prop_assert_eq!(kept, !prune || of_config_api || customers.contains_key(id));
        }
        for other in ["source:customers", "keyset:abc", "key:short", "customers:typo"] {
            prop_assert_eq!(&content[other].0, "other");
        }
    }

    #[test]
    fn an_apply_that_is_cut_short_and_run_again_is_an_apply(
        customers in ids(), keys in ids(), before in stored(), keys_before in ids(), calls in 0usize..20,
    ) {
        let folder = folder(&customers, &keys);
        let wanted = read(&folder);
        let whole = Memory::of(content(&before, &keys_before));
        applied(&whole, &wanted, PRUNE).unwrap();

        let cut = Memory::of(content(&before, &keys_before));
        cut.calls_left.set(Some(calls));
        let went = applied(&cut, &wanted, PRUNE);
        // At no moment does a key name a customer that went or has not come yet.
        let named: Vec<u8> = keys.iter().filter(|(id, _)| cut.content.borrow().contains_key(&format!("key:{}", key_sum(**id)))
            && !keys_before.contains_key(id)).map(|(id, _)| *id).collect();
        for id in named {
            let there = cut.content.borrow().contains_key(&format!("customer:c{id}"));
            prop_assert!(there || !customers.contains_key(&id));
        }
        cut.calls_left.set(None);
        cut.touched.borrow_mut().clear();
        applied(&cut, &wanted, PRUNE).unwrap();
        prop_assert_eq!(&*cut.content.borrow(), &*whole.content.borrow());
        if went.is_ok() {
            prop_assert!(cut.touched.borrow().is_empty(), "nothing is done twice");
        }
    }

    #[test]
    fn what_the_tools_wrote_is_known_by_the_listing(customers in ids(), keys in ids()) {
        let folder = folder(&customers, &keys);
        let wanted = read(&folder);
        let kv = Memory::default();
        applied(&kv, &wanted, PRUNE).unwrap();
        kv.read.set(0);
        let plan = plan_of(&kv, &wanted, PRUNE).unwrap();
        prop_assert_eq!((kv.read.get(), plan.unchanged), (0, customers.len() + keys.len()));
        let plan = plan_of(&kv, &wanted, Options { verify: true, ..PRUNE }).unwrap();
        prop_assert_eq!((kv.read.get(), plan.unchanged), (customers.len() + keys.len(), customers.len() + keys.len()));
    }
}

#[test]
fn drift_and_what_is_taken_over_are_told_apart() {
    let before = BTreeMap::from([
        (0, (0, Writer::Hand)),
        (1, (1, Writer::Hand)),
        (2, (1, Writer::ConfigApi)),
        (3, (1, Writer::Tools)),
        (4, (0, Writer::Odd)),
    ]);
    let customers = Ids::from([(0, 0), (1, 0), (2, 0), (3, 0), (4, 0)]);
    let folder = folder(&customers, &Ids::new());
    let plan = plan_of(&Memory::of(content(&before, &Ids::new())), &read(&folder), PRUNE).unwrap();
    let changes: Vec<_> =
        plan.changes.iter().map(|change| (change.name.as_str(), change.drifted, change.taken_over)).collect();
    let expected =
        [("customer:c1", true, false), ("customer:c2", false, true), ("customer:c3", false, false)];
    assert_eq!(changes, expected);
    assert_eq!((plan.unchanged, plan.by_hand), (2, 2));
}

#[test]
fn an_end_and_metadata_of_an_entry_outlive_its_change() {
    let folder = folder(&Ids::from([(0, 1), (1, 1)]), &Ids::new());
    let stored = [(0, (0, Writer::Hand)), (1, (0, Writer::Tools))];
    let kv = Memory::of(content(&BTreeMap::from(stored), &Ids::new()));
    let keeps = Keeps::read(Some(4_000_000_000), Some(json!({ "ticket": "OPS-7" }))).keeps;
    kv.keeps.borrow_mut().insert("customer:c0".to_owned(), keeps.clone());
    assert_eq!(applied(&kv, &read(&folder), PRUNE).unwrap(), 0);
    assert_eq!(kv.keeps.borrow()["customer:c0"], keeps);
    assert_eq!(kv.keeps.borrow()["customer:c1"], Keeps::default(), "and is given to no other");
}

#[test]
fn a_value_that_was_changed_under_its_metadata_is_found_by_reading() {
    let folder = folder(&Ids::from([(0, 0)]), &Ids::new());
    let wanted = read(&folder);
    let kv = Memory::default();
    applied(&kv, &wanted, PRUNE).unwrap();
    kv.content.borrow_mut().get_mut("customer:c0").unwrap().0 = customer(0, 2).to_string();
    assert!(plan_of(&kv, &wanted, PRUNE).unwrap().is_empty());
    let plan = plan_of(&kv, &wanted, Options { verify: true, ..PRUNE }).unwrap();
    assert!(plan.changes[0].drifted);
    // A member that stands twice: the gateway refuses such a record, so it is not the same.
    let twice = r#"{"backendUrl":"https://x.example","backendUrl":"https://v0.example","customerId":"c0"}"#;
    kv.content.borrow_mut().insert("customer:c0".to_owned(), (twice.to_owned(), None));
    assert_eq!(plan_of(&kv, &wanted, PRUNE).unwrap().changes.len(), 1);
}

#[test]
fn only_what_the_folder_speaks_of_is_pruned_and_not_too_much_of_it() {
    let stored: BTreeMap<u8, (u8, Writer)> = (0..60).map(|id| (id, (0, Writer::Tools))).collect();
    let kv = Memory::of(content(&stored, &Ids::from([(0, 0)])));
    let plan = |customers: std::ops::Range<u8>| {
        let folder = Scratch::new();
        let records: Vec<Value> = customers.map(|id| customer(id, 0)).collect();
        folder.write("customers.json", &Value::from(records).to_string());
        plan_of(&kv, &read(&folder), PRUNE).unwrap()
    };
    let few = plan(0..50);
    assert_eq!(
        (few.deletes.len(), few.deletes_too_much()),
        (10, None),
        "keys are none of this folder's business"
    );
    assert_eq!(plan(0..48).deletes_too_much(), None, "12 are not more than a fifth of 60");
    assert!(plan(0..47).deletes_too_much().is_some());
    assert!(plan(0..0).deletes_too_much().unwrap().contains("60 of 60 customers"));
}

#[test]
fn faults_name_both_places_and_nothing_is_half_read() {
    let folder = Scratch::new();
    let record = customer(0, 0);
    let first = folder.write("customers.json", &format!("[\n{record}]"));
    let second = folder.write("customers/b.jsonl", &format!("{record}\n{{\"customerId\":\"x\",\n"));
    folder.write("keys.json", &json!([{ "key": "sk_live_x", "subject": "s" }]).to_string());
    let found = of_folder(folder.path()).unwrap();
    let faults = Wanted::read(found.files, found.kinds, &Judge::of(None), Extras::Refused).unwrap_err();
    let said: Vec<String> =
        faults.iter().map(|placed| format!("{}: {}", placed.at, placed.finding)).collect();
    assert_eq!(said.len(), 3, "{said:#?}");
    let twice = format!(
        "{}:1: /customerId: stands twice: also at {}:2. Remove one",
        second.display(),
        first.display()
    );
    assert_eq!(said[0], twice);
    assert!(said[1].contains("b.jsonl:2: (the whole): EOF"), "{}", said[1]);
    assert!(said[2].contains("keys.json:1: /key: is a key in plain text"), "{}", said[2]);
}

#[test]
fn a_file_that_changes_meanwhile_is_not_written() {
    let folder = folder(&Ids::from([(0, 0), (1, 1)]), &Ids::new());
    let wanted = read(&folder);
    let kv = Memory::default();
    let plan = plan_of(&kv, &wanted, PRUNE).unwrap();
    folder.write("customers/more.jsonl", &format!("{}\n", customer(1, 2)));
    let went = apply(&kv, &wanted, &plan, &Judge::of(None), Told::Nothing);
    assert!(matches!(went, Err(Failure::Input(what)) if what.contains("has changed meanwhile")));
}

#[test]
fn a_write_that_does_not_show_is_counted_and_asked_for_again() {
    let folder = folder(&Ids::from([(0, 0), (1, 0)]), &Ids::new());
    let wanted = read(&folder);
    let kv = Memory::default();
    let plan = plan_of(&kv, &wanted, PRUNE).unwrap();
    let mut asked = Vec::new();
    let left = missing(&kv, &wanted, &plan, &mut |left| {
        asked.push(left);
        let entry = wanted.entry(&format!("customer:c{}", asked.len() - 1), &Judge::of(None)).unwrap();
        // As the listing of a place that lags: the value is there, its metadata is not.
        kv.content.borrow_mut().insert(entry.name, (entry.value, None));
        true
    });
    assert_eq!((left.unwrap(), asked), (0, vec![2, 1]));
}

#[test]
fn customers_of_the_config_api_are_known_and_never_touched() {
    let folder = folder(&Ids::from([(0, 0), (1, 0)]), &Ids::from([(2, 0), (3, 0)]));
    let before = BTreeMap::from([(1, (0, Writer::Tools)), (4, (0, Writer::Tools)), (5, (0, Writer::Tools))]);
    let mut stored = content(&before, &Ids::new());
    for id in [0, 1, 2, 4, 6] {
        let mut record = customer(id, 9);
        record["fetchedAt"] = Value::from("2026-01-01T00:00:00Z");
        stored.insert(format!("source:customer:c{id}"), (record.to_string(), None));
    }
    let kv = Memory::of(stored);
    let (wanted, judge) = (read(&folder), Judge { source: true, ..Judge::of(None) });
    let (plan, warnings) = planned(&kv, &wanted, &judge, PRUNE).unwrap();
    assert_eq!(plan.puts(Kind::Customer), ["customer:c0"]);
    assert_eq!(plan.deletes, ["customer:c4", "customer:c5"]);
    assert_eq!(plan.beside, ["customer:c0", "customer:c4"], "said of what is written and deleted alone");
    assert_eq!((plan.changes.len(), plan.unchanged, plan.of_config_api), (0, 1, 0));
    assert_eq!(warnings.len(), 1, "c2 is known to the config API");
    assert!(warnings[0].finding.what.contains("\"c3\""), "{:?}", warnings[0]);
    apply(&kv, &wanted, &plan, &judge, Told::Nothing).unwrap();
    assert!(!kv.touched.borrow().iter().any(|name| name.starts_with("source:")));
}

#[test]
fn records_of_the_config_api_in_a_file_are_passed_over() {
    let folder = Scratch::new();
    let mut fetched = customer(1, 0);
    fetched["fetchedAt"] = Value::from("2026-01-01T00:00:00Z");
    folder.write("customers.json", &json!([customer(0, 0), fetched]).to_string());
    let found = of_folder(folder.path()).unwrap();
    let (wanted, _) = Wanted::read(found.files, found.kinds, &Judge::of(None), Extras::Taken).unwrap();
    assert_eq!(wanted.entries().keys().collect::<Vec<_>>(), ["customer:c0"]);
    assert_eq!(wanted.passed_over(), 1);
}

#[test]
fn keys_of_unknown_customers_are_warned_of() {
    let folder = folder(&Ids::from([(0, 0)]), &Ids::from([(0, 0), (1, 0), (2, 0)]));
    let before = BTreeMap::from([(1, (0, Writer::ConfigApi))]);
    let kv = Memory::of(content(&before, &Ids::new()));
    let (_, warnings) = planned(&kv, &read(&folder), &Judge::of(None), Options::default()).unwrap();
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].finding.what.contains("\"c2\""), "{:?}", warnings[0]);
    assert_eq!(warnings[0].finding.pointer, "/claims/customerId");
}
