use std::collections::BTreeMap;

use pointsman_core::directory::{
    log::{Change, Segment},
    record_key::{Kind, RecordKey},
    row::Row,
};
use proptest::prelude::*;

use super::world::*;
use crate::*;

#[derive(Clone, Debug)]
enum Step {
    Put(u8, u8),
    Remove(u8),
    ByHand(u8, u8),
    DeleteByHand(u8),
    Provide(u8, u8),
    Revoke(u8),
    Fail(bool),
    Run(u8),
    Ask(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0u8..6, 0u8..4).prop_map(|(key, value)| Step::Put(key, value)),
        2 => (0u8..6).prop_map(Step::Remove),
        1 => (0u8..6, 0u8..4).prop_map(|(key, value)| Step::ByHand(key, value)),
        1 => (0u8..6).prop_map(Step::DeleteByHand),
        2 => (0u8..4, 0u8..4).prop_map(|(customer, value)| Step::Provide(customer, value)),
        1 => (0u8..6).prop_map(Step::Revoke),
        1 => any::<bool>().prop_map(Step::Fail),
        4 => (1u8..150).prop_map(Step::Run),
        1 => (0u8..6).prop_map(Step::Ask),
    ]
}

fn take(world: &mut World, step: &Step, number: usize) {
    match step {
        Step::Put(key, value) => {
            world.commit(vec![put_key(&key.to_string(), &format!("s{value}"))]);
        }
        Step::Remove(key) => {
            world.commit(vec![remove_key(&key.to_string())]);
        }
        Step::ByHand(key, value) => {
            world.put_by_hand(&key_name(&key.to_string()), &key_json(&format!("s{value}")));
        }
        Step::DeleteByHand(key) => {
            world.kv.remove(&key_name(&key.to_string()));
        }
        Step::Provide(customer, value) => {
            let id = format!("c{customer}");
            let page = world.ledger.provided_page(&provided_key(&id), 0);
            assert!(page.is_empty());
            let page = world.ledger.provided_page(&[], 100);
            let known = page.chunks(33).find(|entry| entry[..17] == provided_key(&id));
            let version = known.map_or(0, |entry| u64::from_be_bytes(entry[25..].try_into().unwrap()));
            let says = match value {
                0 => Says::Nothing,
                1 => Says::Gone,
                _ => Says::Record(format!(
                    r#"{{"customerId":"{id}","backendUrl":"https://v{value}.example.com"}}"#
                )),
            };
            let edits = vec![Difference { id, says, version }];
            let asked = Differences { operation: format!("list {number}"), many: false, edits };
            assert!(world.ledger.provide(&asked, world.at()).unwrap().changed.is_empty());
        }
        Step::Revoke(token) => {
            let until = world.now + 50_000 * u64::from(*token + 1);
            let by = RevokedBy::Jti(token.to_string());
            let revocation = Revocation { issuer: "i".to_owned(), by, issued_before: None, until };
            world.commit(vec![Edit::RevokeToken(revocation)]);
        }
        Step::Fail(fail) => world.writes_fail = *fail,
        Step::Run(seconds) => world.run(u64::from(*seconds)),
        Step::Ask(key) => {
            world.ask(&key_name(&key.to_string()));
        }
    }
}

/// What a follower knows that has read all of the log, over what was there when it began.
fn replay(world: &World, rows: &mut BTreeMap<RecordKey, Option<Row>>, from: u64) {
    let mut first = Segment::first_of(from.max(1));
    while let Some(segment) = world.ledger.segment(first) {
        let segment = Segment::decode(&segment.bytes).unwrap();
        for (Change { key, row }, revision) in segment.changes.into_iter().zip(segment.first..) {
            if revision >= from {
                rows.insert(key, row);
            }
        }
        first += 256;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// An instance that may end after any step leaves what one that lives on leaves.
    #[test]
    fn a_restart_anywhere_changes_nothing(steps in prop::collection::vec((step(), any::<bool>()), 1..40)) {
        let [mut one, mut other] = [World::new(), World::new()];
        one.run(2);
        other.run(2);
        for (number, (step, restarts)) in steps.iter().enumerate() {
            take(&mut one, step, number);
            take(&mut other, step, number);
            if *restarts {
                other.restart();
                // Whether another ledger left something is looked at anew; here it is known.
                other.ledger.is_checked = true;
            }
        }
        prop_assert_eq!(one.ledger.storage(), other.ledger.storage());
        prop_assert_eq!(one.kv, other.kv);
    }

    /// The log, replayed, is the state: whoever follows it knows what the ledger knows.
    #[test]
    fn the_log_replayed_is_the_state(steps in prop::collection::vec(step(), 1..50)) {
        let mut world = World::new();
        world.run(130);
        let begin = world.head().revision + 1;
        let mut rows = BTreeMap::new();
        for (number, step) in steps.iter().enumerate() {
            take(&mut world, step, number);
            rows.clear();
            replay(&world, &mut rows, begin);
            for (key, row) in &rows {
                if key.kind != Kind::Token {
                    prop_assert_eq!(&world.ledger.row(key), row);
                }
            }
            for key in 0..6 {
                let key = rows::Entry::of_name(&key_name(&key.to_string())).unwrap().record_key();
                let known = rows.get(&key).cloned().flatten();
                prop_assert_eq!(world.ledger.row(&key), known);
            }
        }
    }

    /// Whatever KV shows, a removed value does not come back within thirty days.
    #[test]
    fn what_was_removed_never_comes_back(shown in prop::collection::vec((0u8..4, 1u8..200), 1..30)) {
        let mut world = World::new();
        world.run(130);
        let name = key_name("k");
        for value in 0..4 {
            world.commit(vec![put_key("k", &format!("s{value}"))]);
            world.run(5);
        }
        world.commit(vec![remove_key("k")]);
        for (value, seconds) in shown {
            world.put_by_hand(&name, &key_json(&format!("s{value}")));
            world.run(u64::from(seconds));
            prop_assert_eq!(world.ask(&name), None);
        }
    }
}
