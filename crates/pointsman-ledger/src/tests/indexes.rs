//! Indexes that are built anew, and how much of the database a page and a step look at.

use std::collections::BTreeSet;

use serde_json::json;

use super::{listing::*, world::*};
use crate::{index::Indexes, keyspace::BY_CUSTOMER, *};

fn many(keys: usize) -> World {
    let mut world = world();
    let put = |n: usize| {
        let json =
            json!({ "subject": format!("s{}", n % 7), "claims": { "customerId": format!("c{}", n % 50) } });
        let digest = key_name(&n.to_string())[4..].to_owned();
        Edit::PutKey { digest, json: json.to_string(), expires: None, expected: None }
    };
    for part in (0..keys).collect::<Vec<_>>().chunks(400) {
        world.commit(part.iter().map(|n| put(*n)).collect());
    }
    let put = |n: usize| {
        let id = format!("c{n:04}");
        let json = customer_record(&id, 0);
        Edit::PutCustomer { id, json, expires: None, expected: None }
    };
    for part in (0..keys).collect::<Vec<_>>().chunks(400) {
        world.commit(part.iter().map(|n| put(*n)).collect());
    }
    world
}

#[test]
fn a_page_looks_at_a_thousand_records_at_most_and_at_no_customer_where_it_lists_keys() {
    let mut world = many(1500);
    let touched = |world: &World, query: &KeyQuery<'_>| {
        world.ledger.storage().take_touched();
        let page = world.ledger.keys_page(query);
        (page, world.ledger.storage().take_touched())
    };
    let of = |customer, subject| KeyQuery { customer, subject, behind: None, limit: 100 };
    let (page, entries) = touched(&world, &of(Some("c7"), None));
    assert_eq!((page.items.len(), page.next), (30, None));
    assert!(entries <= 60, "{entries}: what the index names, and no more");
    let (page, entries) = touched(&world, &of(None, None));
    assert_eq!(page.items.len(), 100);
    assert!(page.next.is_some() && entries <= 310, "{entries}");
    // The index of subjects leads to the records, and the customer decides.
    let (page, entries) = touched(&world, &of(Some("nobody"), Some("s1")));
    assert!(page.items.is_empty() && page.next.is_none() && entries <= 2 * 215, "{entries}");
    assert!(world.ledger.keys_page(&KeyQuery { limit: usize::MAX, ..of(None, None) }).items.len() == 1000);
    assert!(world.ledger.keys_page(&KeyQuery { limit: 0, ..of(None, None) }).items.len() == 1);

    forget_indexes(&mut world, &[]);
    let (page, entries) = touched(&world, &of(Some("nobody"), None));
    assert!(page.items.is_empty() && page.next.is_some(), "an empty page, and more may follow");
    assert!(entries <= 1001, "{entries}");
    assert_eq!(all_keys(&world, Some("c7"), None, 100).len(), 30);
    world.ledger.storage().take_touched();
    let page = world.ledger.customers_page(&CustomerQuery { prefix: Some("x"), behind: None, limit: 100 });
    assert!(page.items.is_empty() && page.next.is_some());
    assert!(world.ledger.storage().take_touched() <= 1001);
    assert_eq!(all_customers(&world, Some("c00"), 7).len(), 100);
}

#[test]
fn a_page_ends_after_four_megabytes() {
    let mut world = world();
    let long = "a".repeat(60_000);
    let put = |n: usize| put_key(&n.to_string(), &format!("{n}{long}"));
    world.commit((0..100).map(put).collect());
    let page = world.ledger.keys_page(&KeyQuery { limit: 1000, ..KeyQuery::default() });
    assert_eq!(page.items.len(), 70, "4 MiB in records of 60 kB");
    assert_eq!(all_keys(&world, None, None, 1000).len(), 100);
}

#[test]
fn a_database_of_before_there_were_indexes_gets_them_in_steps_of_the_jobs() {
    let mut world = many(1500);
    let kept_up = indexed(&world);
    forget_indexes(&mut world, &[1, 2]);
    assert_eq!(all_keys(&world, None, Some("s1"), 10).len(), 214, "one of 215 was removed meanwhile");
    let mut seconds = 0;
    while world.ledger.state.indexes.are_building() {
        assert!(world.ledger.next_alarm(world.at()).millis() <= world.now + 1000, "nobody has to wait");
        world.now += 1000;
        world.ledger.storage().take_touched();
        world.ledger.build_indexes(index::INDEXED);
        // An entry of a page for each index, and the record.
        assert!(world.ledger.storage().take_touched() <= 4 * 2048 + 4000);
        world.work();
        // One that begins anew goes on where the one before was.
        world.restart();
        world.ledger.is_checked = true;
        seconds += 1;
    }
    assert!((2..20).contains(&seconds), "{seconds}");
    let gone = indexed(&world).len();
    assert_eq!(kept_up.len() - gone, 2 * 3, "what was removed meanwhile is in none");
    assert_eq!(all_keys(&world, None, Some("s1"), 10).len(), 214);
}

#[test]
fn another_claim_builds_the_index_of_customers_alone_anew() {
    let mut world = world();
    let put = |n: u8| {
        let digest = key_name(&n.to_string())[4..].to_owned();
        Edit::PutKey { digest, json: key_record(n, n), expires: None, expected: None }
    };
    world.commit((0..40).map(put).collect());
    let others =
        |world: &World| indexed(world).into_iter().filter(|at| at[0] != BY_CUSTOMER).collect::<Vec<_>>();
    let before = (others(&world), all_keys(&world, Some("c"), None, 5));
    world.settings = settings("/org/id");
    world.restart();
    let state = &world.ledger.state.indexes;
    assert!(state.are_whole() && state.are_building() && !state.are_by_customer());
    assert_ne!(all_keys(&world, Some("c"), None, 5), before.1, "by the new claim at once");
    assert_lists_all(&world, 3);
    // Half way back to the claim of before, which is built anew as well.
    world.ledger.build_indexes(10);
    world.ledger.build_indexes(10);
    world.ledger.save();
    assert_eq!(others(&world), before.0);
    world.settings = settings(CLAIMS[0]);
    world.restart();
    assert!(!world.ledger.state.indexes.are_by_customer());
    assert!(build(&mut world, 10) > 4);
    assert_eq!((others(&world), all_keys(&world, Some("c"), None, 5)), before);
    assert_lists_all(&world, 3);
}

#[test]
fn a_new_database_and_one_that_was_opened_again_have_nothing_to_build() {
    let mut world = world();
    assert!(!world.ledger.state.indexes.are_building() && world.ledger.state.indexes.are_by_customer());
    world.commit(vec![put_key("k", "s")]);
    world.restart();
    assert_eq!(world.ledger.state.indexes, Indexes::of_nothing(CLAIMS[0]));
}

/// Follows pages of keys while records change between them, and has the indexes built in the middle or lost there.
#[test]
fn who_is_there_from_the_first_page_to_the_last_is_listed_once() {
    type Change = fn(&mut World, usize);
    let edit: Change = |world, page| {
        let n = page * 5;
        world.commit(vec![put_key(&format!("new {page}"), "s"), remove_key(&format!("old {n}"))]);
        world.commit(vec![put_key(&format!("k{n}"), "another"), put_key(&format!("k{n}"), "s")]);
        let id = format!("id {page:02}");
        let json = customer_record(&id, 7);
        world.commit(vec![
            Edit::PutCustomer { id, json, expires: None, expected: None },
            Edit::RemoveCustomer { id: format!("old {n:02}"), expected: None },
        ]);
    };
    let lose: Change = |world, page| {
        if page == 3 {
            forget_indexes(world, &[]);
        }
    };
    let made: Change = |world, page| {
        if page == 3 {
            build(world, 7);
        }
    };
    for (loses_first, change) in [(false, edit), (false, lose), (true, edit), (true, made)] {
        let mut world = world();
        let keys = (0..40).flat_map(|n| [put_key(&format!("k{n}"), "s"), put_key(&format!("old {n}"), "s")]);
        world.commit(keys.collect());
        let customers = (0..40).flat_map(|n| [format!("c{n:02}"), format!("old {n:02}")]).map(|id| {
            let json = customer_record(&id, 1);
            Edit::PutCustomer { id, json, expires: None, expected: None }
        });
        world.commit(customers.collect());
        if loses_first {
            forget_indexes(&mut world, &[]);
        }
        let stays: BTreeSet<String> = (0..40).map(|n| key_name(&format!("k{n}"))[4..].to_owned()).collect();
        let (mut seen, mut ids) = (Vec::new(), Vec::new());
        let (mut behind, mut behind_id) = (None, None);
        for page in 0.. {
            let keys =
                world.ledger.keys_page(&KeyQuery { behind, subject: Some("s"), limit: 6, customer: None });
            seen.extend(keys.items.into_iter().map(|item| item.digest));
            let customers =
                world.ledger.customers_page(&CustomerQuery { behind: behind_id, prefix: None, limit: 6 });
            ids.extend(customers.items.into_iter().map(|item| item.id));
            (behind, behind_id) = (keys.next, customers.next);
            if behind.is_none() || behind_id.is_none() {
                // Both have the same number of pages, but for what was added or removed.
                seen.extend(rest_of_keys(&world, behind));
                ids.extend(rest_of_customers(&world, behind_id));
                break;
            }
            change(&mut world, page);
        }
        let once: BTreeSet<String> = seen.iter().cloned().collect();
        assert_eq!(once.len(), seen.len(), "nobody twice");
        assert!(once.is_superset(&stays) && seen.is_sorted());
        let once: BTreeSet<String> = ids.iter().cloned().collect();
        assert_eq!(once.len(), ids.len(), "nobody twice");
        let stays: BTreeSet<String> = (0..40).map(|n| format!("c{n:02}")).collect();
        assert!(once.is_superset(&stays), "{stays:?} {once:?}");
    }
}

fn rest_of_keys(world: &World, behind: Option<KeyCursor>) -> Vec<String> {
    let rest = behind.map(|behind| KeyQuery {
        behind: Some(behind),
        subject: Some("s"),
        limit: 1000,
        customer: None,
    });
    let page = rest.map(|query| world.ledger.keys_page(&query));
    page.into_iter().flat_map(|page| page.items).map(|item| item.digest).collect()
}

fn rest_of_customers(world: &World, behind: Option<CustomerCursor>) -> Vec<String> {
    let rest = behind.map(|behind| CustomerQuery { behind: Some(behind), prefix: None, limit: 1000 });
    let page = rest.map(|query| world.ledger.customers_page(&query));
    page.into_iter().flat_map(|page| page.items).map(|item| item.id).collect()
}

#[test]
fn a_cursor_is_read_as_it_was_written_and_nothing_else_is() {
    for text in ["", "00", "zz", "0102", &"0".repeat(34), &"g".repeat(32)] {
        assert_eq!(KeyCursor::parse(text), None, "{text}");
    }
    for text in ["", "02", "zz", "0102", "00ff"] {
        assert_eq!(CustomerCursor::parse(text), None, "{text}");
    }
    // One that no page gave leads nowhere else than into the listing.
    let mut world = world();
    world.commit(vec![put_key("k", "s")]);
    let behind = KeyCursor::parse(&"f".repeat(32));
    assert!(behind.is_some());
    let page = world.ledger.keys_page(&KeyQuery { behind, limit: 9, ..KeyQuery::default() });
    assert_eq!((page.items, page.next), (Vec::new(), None));
}
