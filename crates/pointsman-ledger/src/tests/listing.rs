//! Keys and customers in pages, by index and without.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::world::*;
use crate::{
    keyspace::{BY_CUSTOMER, BY_SUBJECT, CUSTOMERS, KEYS, RECORD, end_of, load, meta, save},
    record::Record,
    *,
};

pub(super) const CLAIMS: [&str; 4] = ["customerId", "/org/id", "", "/org~2"];
const KEYS_OF: u8 = 8;

pub(super) fn settings(claim: &str) -> Settings {
    Settings { customer_claim: claim.to_owned(), source: Source::List, ..Settings::default() }
}

pub(super) fn world() -> World {
    let mut world = World::with(BTreeMap::new(), 1, settings(CLAIMS[0]));
    world.run(2);
    world
}

/// Texts that are easily taken for one another.
pub(super) fn subject(number: u8) -> String {
    let long = "s".repeat(300);
    match number % 6 {
        0 => "s".to_owned(),
        1 => "s\0".to_owned(),
        2 => "s\0s".to_owned(),
        3 => long,
        4 => format!("{long}t"),
        _ => long[..256].to_owned(),
    }
}

pub(super) fn customer(number: u8) -> String {
    match number % 4 {
        0 => "c".to_owned(),
        1 => "ca".to_owned(),
        2 => "c".repeat(256),
        _ => "é".to_owned(),
    }
}

/// A key's record: by one claim it is one customer's, and by another another's. No number names a customer.
pub(super) fn key_record(subject_of: u8, customer_of: u8) -> String {
    let id = match customer_of % 6 {
        4 => Value::from(7),
        5 => Value::from("c\n"),
        number => Value::from(customer(number)),
    };
    let org = customer(customer_of.wrapping_add(1));
    json!({ "subject": subject(subject_of), "claims": { "customerId": id, "org": { "id": org } } })
        .to_string()
}

pub(super) fn customer_record(id: &str, host: u8) -> String {
    json!({ "customerId": id, "backendUrl": format!("https://v{host}.example.com") }).to_string()
}

#[derive(Clone, Debug)]
enum Step {
    Put(u8, u8, u8, Option<u64>),
    Remove(u8),
    ByHand(u8, u8, u8),
    MalformedByHand(u8, u8),
    DeleteByHand(u8),
    PutCustomer(u8, u8, Option<u64>),
    RemoveCustomer(u8),
    Provide(u8, u8),
    Run(u8),
    Claim(usize),
    /// A version that knows of no index has written the state, and left an entry that is so no longer.
    Forget(u8),
    Index(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let expires = || prop::option::weighted(0.3, 61u64..200);
    prop_oneof![
        4 => (0..KEYS_OF, any::<u8>(), any::<u8>(), expires()).prop_map(|(k, s, c, e)| Step::Put(k, s, c, e)),
        2 => (0..KEYS_OF).prop_map(Step::Remove),
        2 => (0..KEYS_OF, any::<u8>(), any::<u8>()).prop_map(|(k, s, c)| Step::ByHand(k, s, c)),
        1 => (0..KEYS_OF, 0u8..3).prop_map(|(k, how)| Step::MalformedByHand(k, how)),
        1 => (0..KEYS_OF).prop_map(Step::DeleteByHand),
        2 => (0u8..4, 0u8..4, expires()).prop_map(|(c, host, e)| Step::PutCustomer(c, host, e)),
        1 => (0u8..4).prop_map(Step::RemoveCustomer),
        2 => (0u8..4, 0u8..6).prop_map(|(c, says)| Step::Provide(c, says)),
        4 => (1u8..250).prop_map(Step::Run),
        1 => (0..CLAIMS.len()).prop_map(Step::Claim),
        1 => (0..KEYS_OF).prop_map(Step::Forget),
        2 => (1usize..6).prop_map(Step::Index),
    ]
}

fn take(world: &mut World, step: &Step, number: usize) {
    let name = |key: &u8| key_name(&key.to_string());
    let digest = |key: &u8| name(key)[4..].to_owned();
    let in_seconds = |world: &World, expires: &Option<u64>| expires.map(|after| world.now / 1000 + after);
    match step {
        Step::Put(key, subject, customer, expires) => {
            let (json, expires) = (key_record(*subject, *customer), in_seconds(world, expires));
            world.commit(vec![Edit::PutKey { digest: digest(key), json, expires, expected: None }]);
        }
        Step::Remove(key) => {
            world.commit(vec![Edit::RemoveKey { digest: digest(key), expected: None }]);
        }
        Step::ByHand(key, subject, customer) => {
            world.put_by_hand(&name(key), &key_record(*subject, *customer));
        }
        Step::MalformedByHand(key, how) => {
            let long = format!(r#"{{"subject":"{}"}}"#, "a".repeat(70_000));
            let text = ["{", r#"{"subject":"s","methods":[]}"#, &long][usize::from(*how)];
            world.put_by_hand(&name(key), text);
        }
        Step::DeleteByHand(key) => {
            world.kv.remove(&name(key));
        }
        Step::PutCustomer(id, host, expires) => {
            let (id, expires) = (customer(*id), in_seconds(world, expires));
            let json = customer_record(&id, *host);
            world.commit(vec![Edit::PutCustomer { id, json, expires, expected: None }]);
        }
        Step::RemoveCustomer(id) => {
            world.commit(vec![Edit::RemoveCustomer { id: customer(*id), expected: None }]);
        }
        Step::Provide(id, says) => {
            let id = customer(*id);
            let of = rows::Entry::customer(&id).unwrap().record_key();
            let before = world.ledger.record(&of).and_then(|record| record.provider);
            let says = match says {
                0 => Says::Nothing,
                1 => Says::Gone,
                2 => Says::Malformed,
                3 => Says::Unsure,
                host => Says::Record(customer_record(&id, *host)),
            };
            let edits = vec![Difference { id, says, version: before.map_or(0, |before| before.version) }];
            let asked = Differences { operation: format!("list {number}"), many: false, edits };
            assert!(world.ledger.provide(&asked, world.at()).unwrap().changed.is_empty());
        }
        Step::Run(seconds) => world.run(u64::from(*seconds)),
        Step::Claim(claim) => {
            world.settings = settings(CLAIMS[*claim]);
            world.restart();
            world.ledger.is_checked = true;
        }
        Step::Forget(key) => forget_indexes(world, &[*key]),
        Step::Index(records) => {
            world.ledger.build_indexes(*records);
            world.ledger.save();
        }
    }
}

/// Leaves the database as a version does that knows of no index, after it has removed these keys.
pub(super) fn forget_indexes(world: &mut World, removed: &[u8]) {
    let before = world.ledger.storage().clone();
    for name in removed {
        world.commit(vec![remove_key(&name.to_string())]);
    }
    let entries = |storage: &MemoryStorage| storage.scan(&[0], &[255], usize::MAX);
    let is_index = |at: &[u8]| [KEYS, CUSTOMERS, BY_SUBJECT, BY_CUSTOMER].contains(&at[0]);
    let mut storage = MemoryStorage::default();
    for (at, value) in entries(world.ledger.storage()).iter().filter(|(at, _)| !is_index(at)) {
        storage.put(at, value);
    }
    for (at, value) in entries(&before).iter().filter(|(at, _)| is_index(at)) {
        storage.put(at, value);
    }
    let mut state: Value = load(&storage, &meta("state")).unwrap();
    assert!(state.as_object_mut().unwrap().remove("indexes").is_some());
    save(&mut storage, &meta("state"), &state);
    world.ledger = Ledger::open(storage, world.settings.clone(), world.at(), random(8));
    world.ledger.is_checked = true;
    assert!(!world.ledger.state.indexes.are_whole());
}

fn records(world: &World) -> Vec<Record> {
    let all = world.ledger.storage().scan(&[RECORD], &end_of(RECORD), usize::MAX);
    all.iter().map(|(_, value)| serde_json::from_slice(value).unwrap()).collect()
}

/// Whose a key is, as somebody reads it who has never heard of the gateway.
fn owner(record: &Record, claim: &str) -> Option<(String, Option<String>)> {
    let record: Value = serde_json::from_str(&record.operator.as_ref()?.text).ok()?;
    if record.get("methods").is_some() {
        return None;
    }
    let claims = &record["claims"];
    let id = match claim {
        "customerId" => claims["customerId"].as_str(),
        "/org/id" => claims["org"]["id"].as_str(),
        _ => None,
    };
    let id = id.filter(|id| !id.contains('\n')).map(ToOwned::to_owned);
    Some((record["subject"].as_str().unwrap().to_owned(), id))
}

/// Every page, one after the other.
pub(super) fn all_keys(
    world: &World,
    customer: Option<&str>,
    subject: Option<&str>,
    limit: usize,
) -> Vec<KeyItem> {
    let mut items = Vec::new();
    let mut behind = None;
    loop {
        let page = world.ledger.keys_page(&KeyQuery { customer, subject, behind, limit });
        assert!(page.items.len() <= limit);
        items.extend(page.items);
        let Some(next) = page.next else { return items };
        behind = Some(KeyCursor::parse(&next.to_string()).unwrap());
    }
}

pub(super) fn all_customers(world: &World, prefix: Option<&str>, limit: usize) -> Vec<CustomerItem> {
    let mut items = Vec::new();
    let mut behind = None;
    loop {
        let page = world.ledger.customers_page(&CustomerQuery { prefix, behind, limit });
        assert!(page.items.len() <= limit);
        items.extend(page.items);
        let Some(next) = page.next else { return items };
        behind = Some(CustomerCursor::parse(&next.to_string()).unwrap());
    }
}

pub(super) fn assert_lists_all(world: &World, limit: usize) {
    let claim = &world.settings.customer_claim;
    let records = records(world);
    let ids = (0..5).map(|number| (number < 4).then(|| customer(number)));
    for id in ids.chain([Some("nobody".to_owned())]) {
        for of in (0..7).map(|number| (number < 6).then(|| subject(number))) {
            let is_wanted = |record: &&Record| {
                let (wants_id, wants_subject) = (id.as_ref(), of.as_ref());
                if wants_id.is_none() && wants_subject.is_none() {
                    return true;
                }
                owner(record, claim).is_some_and(|(subject, customer)| {
                    wants_subject.is_none_or(|wanted| *wanted == subject)
                        && wants_id.is_none_or(|wanted| Some(wanted) == customer.as_ref())
                })
            };
            let item = |record: &Record| KeyItem {
                digest: record.name[4..].to_owned(),
                operator: record.operator.clone().unwrap().into(),
                leaked: None,
            };
            let is_key = |record: &&Record| record.name.starts_with("key:") && record.operator.is_some();
            let expected: Vec<KeyItem> = records.iter().filter(is_key).filter(is_wanted).map(item).collect();
            assert_eq!(all_keys(world, id.as_deref(), of.as_deref(), limit), expected, "{id:?} {of:?}");
        }
    }
    for prefix in [None, Some(""), Some("c"), Some("ca"), Some("é"), Some("x")] {
        let item = |record: &Record| {
            let id = record.name.strip_prefix("customer:")?;
            let is_wanted = record.is_there() && id.starts_with(prefix.unwrap_or_default());
            is_wanted.then(|| CustomerItem {
                id: id.to_owned(),
                operator: record.operator.clone().map(Into::into),
                provider: record.provider.clone().map(Into::into),
            })
        };
        let mut expected: Vec<CustomerItem> = records.iter().filter_map(item).collect();
        if world.ledger.state.indexes.are_whole() {
            expected.sort_by(|one, other| one.id.cmp(&other.id));
        }
        assert_eq!(all_customers(world, prefix, limit), expected, "{prefix:?}");
    }
}

/// Builds the indexes, so many records at a time. Says in how many steps.
pub(super) fn build(world: &mut World, most: usize) -> usize {
    let mut steps = 0;
    while world.ledger.state.indexes.are_building() {
        world.ledger.build_indexes(most);
        world.ledger.save();
        steps += 1;
    }
    assert!(world.ledger.state.indexes.are_whole() && world.ledger.state.indexes.are_by_customer());
    steps
}

/// All entries of the indexes.
pub(super) fn indexed(world: &World) -> Vec<Vec<u8>> {
    let spaces = [KEYS, CUSTOMERS, BY_SUBJECT, BY_CUSTOMER];
    let all = spaces.map(|space| world.ledger.storage().scan(&[space], &end_of(space), usize::MAX));
    all.into_iter().flatten().map(|(at, _)| at).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// The pages together are what a filter over all records is, whatever happened and however far the indexes are; and
    /// indexes that were kept up are those that are built anew.
    #[test]
    fn pages_are_a_filter_over_all_records(steps in prop::collection::vec((step(), 1usize..4), 1..40)) {
        let mut world = world();
        for (number, (step, limit)) in steps.iter().enumerate() {
            take(&mut world, step, number);
            assert_lists_all(&world, *limit);
        }
        world.run(5);
        prop_assert!(!world.ledger.state.indexes.are_building(), "jobs build them");
        let kept_up = indexed(&world);
        forget_indexes(&mut world, &[]);
        build(&mut world, 3);
        prop_assert_eq!(kept_up, indexed(&world));
    }
}
