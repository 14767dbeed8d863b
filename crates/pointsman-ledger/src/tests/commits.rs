use pointsman_core::{
    base::time::Timestamp,
    directory::{
        log::{Head, Segment},
        record_key::RecordKey,
    },
};

use super::{passes::namespace, world::*};
use crate::*;

fn on() -> World {
    let mut world = World::new();
    world.run(2);
    world
}

fn customer(id: &str, host: &str) -> Edit {
    let json = format!(r#"{{"customerId":"{id}","backendUrl":"https://{host}.example.com"}}"#);
    Edit::PutCustomer { id: id.to_owned(), json, expires: None, expected: None }
}

#[test]
fn a_commit_counts_at_once_and_reaches_kv_behind() {
    let mut world = on();
    let committed = world.commit(vec![put_key("k", "acme"), customer("acme", "own")]);
    assert_eq!(committed.revision, 2);
    let head = world.head();
    assert_eq!((head.revision, head.first, head.changes.len()), (2, 1, 2));
    assert_eq!(world.ask(&key_name("k")).unwrap(), r#"{"subject":"acme"}"#);
    assert!(!world.kv.contains_key(&key_name("k")));
    world.run(2);
    assert_eq!(world.kv[&key_name("k")].value, key_json("acme").into_bytes());
    world.commit(vec![remove_key("k")]);
    assert_eq!(world.ask(&key_name("k")), None);
    assert_eq!(world.head().changes[2].row, None);
    world.run(3);
    assert!(!world.kv.contains_key(&key_name("k")));
    let trail: Vec<_> = world.ledger.audit(0, 10).into_iter().filter(|line| line.actor == "ann").collect();
    let actions: Vec<_> = trail.iter().map(|line| line.action.as_str()).collect();
    assert_eq!(actions, ["put", "put", "remove"]);
}

#[test]
fn a_commit_is_made_whole_or_not_at_all_and_once() {
    let mut world = on();
    let before = world.ledger.storage().clone();
    let bad = Edit::PutCustomer {
        id: "b".to_owned(),
        json: r#"{"customerId":"a","backendUrl":"https://a.example.com"}"#.to_owned(),
        expires: None,
        expected: None,
    };
    match world.try_commit(vec![put_key("k", "acme"), bad]) {
        Err(CommitError::Invalid { edit: 1, faults }) => assert_eq!(faults[0].pointer, "/customerId"),
        other => panic!("{other:?}"),
    }
    assert_eq!(*world.ledger.storage(), before);
    let commit = Commit {
        operation: "one".to_owned(),
        actor: "ann".to_owned(),
        from: String::new(),
        edits: vec![put_key("k", "a")],
    };
    let first = world.ledger.commit(&commit, world.at()).unwrap();
    world.restart();
    world.run(1);
    assert_eq!(world.ledger.commit(&commit, world.at()), Ok(first.clone()));
    assert_eq!(world.head().revision, first.revision);
    let other = Commit { edits: vec![put_key("k", "b")], ..commit };
    assert_eq!(world.ledger.commit(&other, world.at()), Err(CommitError::OperationReused));
}

#[test]
fn who_saw_another_version_changes_nothing() {
    let mut world = on();
    let version = world.commit(vec![put_key("k", "a")]).versions[0];
    let put = |expected| match put_key("k", "b") {
        Edit::PutKey { digest, json, .. } => {
            Edit::PutKey { digest, json, expires: None, expected: Some(expected) }
        }
        other => other,
    };
    assert_eq!(world.try_commit(vec![put(0)]), Err(CommitError::Changed { edit: 0, version }));
    world.commit(vec![put(version)]);
    assert!(world.try_commit(vec![put(version)]).is_err());
}

#[test]
fn neither_column_overwrites_the_other() {
    let mut world = on();
    let says = |host: &str| {
        Says::Record(format!(r#"{{"customerId":"acme","backendUrl":"https://{host}.example.com"}}"#))
    };
    let provide = |world: &mut World, operation: &str, says, version| {
        let edits = vec![Difference { id: "acme".to_owned(), says, version }];
        let asked = Differences { operation: operation.to_owned(), many: false, edits };
        world.ledger.provide(&asked, world.at()).unwrap()
    };
    assert!(provide(&mut world, "1", says("theirs"), 0).changed.is_empty());
    assert!(world.ask("customer:acme").unwrap().contains("theirs"));
    world.commit(vec![customer("acme", "own")]);
    assert_eq!(provide(&mut world, "2", says("other"), 0).changed, [0], "of another version");
    let page = world.ledger.provided_page(&[], 10);
    assert_eq!(page.len(), 33);
    assert_eq!(page[..17], provided_key("acme"));
    assert_eq!(page[17..25], content_digest(&says("theirs")));
    let version = u64::from_be_bytes(page[25..].try_into().unwrap());
    provide(&mut world, "3", says("other"), version);
    assert!(world.ask("customer:acme").unwrap().contains("own"));
    world.commit(vec![Edit::RemoveCustomer { id: "acme".to_owned(), expected: None }]);
    assert!(world.ask("customer:acme").unwrap().contains("other"), "the config API's comes back");
    let page = world.ledger.provided_page(&[], 10);
    let version = u64::from_be_bytes(page[25..].try_into().unwrap());
    provide(&mut world, "4", Says::Gone, version);
    assert!(world.ask("customer:acme").unwrap().contains(r#""disabled":true"#));
}

#[test]
fn who_asks_the_moment_a_record_has_ended_hears_of_what_stands_beneath() {
    let mut world = on();
    let says = |host: &str| format!(r#"{{"customerId":"acme","backendUrl":"https://{host}.example.com"}}"#);
    let edits = vec![Difference { id: "acme".to_owned(), says: Says::Record(says("theirs")), version: 0 }];
    let asked = Differences { operation: "1".to_owned(), many: false, edits };
    world.ledger.provide(&asked, world.at()).unwrap();
    let expires = Some(world.now / 1000 + 90);
    let id = "acme".to_owned();
    world.commit(vec![Edit::PutCustomer { id, json: says("own"), expires, expected: None }]);
    assert!(world.ask("customer:acme").unwrap().contains("own"));
    let known = world.ledger.revision();
    // Before the ledger has looked for what is over.
    world.now += 90_000;
    assert!(world.ask("customer:acme").unwrap().contains("theirs"));
    assert_eq!(world.ledger.revision(), known + 1, "everybody hears of it");
}

#[test]
fn revocations_of_tokens_end_and_are_counted() {
    let mut world = on();
    let until = world.now + 10_000;
    let revoke =
        |by| Edit::RevokeToken(Revocation { issuer: "i".to_owned(), by, issued_before: None, until });
    world.commit(vec![revoke(RevokedBy::Jti("1".to_owned())), revoke(RevokedBy::Sub("s".to_owned()))]);
    let head = world.head();
    assert_eq!(head.changes[0].key, RecordKey::token_id("i", "1"));
    assert_eq!(world.ledger.status(world.at())["revocations"], 2);
    // A second time changes nothing that followers hear.
    world.commit(vec![revoke(RevokedBy::Sub("s".to_owned()))]);
    assert_eq!(world.head().revision, head.revision);
    world.commit(vec![Edit::AllowToken { issuer: "i".to_owned(), by: RevokedBy::Sub("s".to_owned()) }]);
    assert_eq!(world.ledger.status(world.at())["revocations"], 1);
    world.run(12);
    assert_eq!(world.ledger.status(world.at())["revocations"], 0);
    world.ledger.state.tokens = MOST_REVOCATIONS;
    let until = world.now + 10_000;
    let one =
        Revocation { issuer: "i".to_owned(), by: RevokedBy::Jti("2".to_owned()), issued_before: None, until };
    assert_eq!(world.try_commit(vec![Edit::RevokeToken(one)]), Err(CommitError::TooManyRevocations));
}

#[test]
fn as_of_is_written_once_a_second_and_never_goes_back() {
    let mut world = on();
    let first = world.head().as_of;
    world.now += 400;
    assert_eq!(world.head().as_of, first);
    world.now += 700;
    let second = world.head().as_of;
    assert!(second > first);
    world.now -= 5000;
    world.restart();
    assert_eq!(world.head().as_of, second);
}

#[test]
fn older_changes_are_segments() {
    let mut world = on();
    for part in 0..3 {
        world.commit((0..100).map(|n| put_key(&format!("{part} {n}"), "a")).collect());
    }
    let head = world.head();
    assert_eq!((head.first, head.changes.len()), (173, 128));
    let whole = world.ledger.segment(1).unwrap();
    assert!(whole.is_whole);
    assert_eq!(Segment::decode(&whole.bytes).unwrap().changes.len(), 256);
    let last = world.ledger.segment(257).unwrap();
    assert_eq!((last.is_whole, Segment::decode(&last.bytes).unwrap().changes.len()), (false, 44));
    assert_eq!(world.ledger.segment(513), None);
    assert_eq!(world.ledger.segment(2), None, "no segment begins there");
    assert_eq!(Head::decode(&world.ledger.tail()).unwrap().changes.len(), 300);
}

#[test]
fn a_head_never_exceeds_its_size() {
    let mut world = on();
    world.commit((0..100).map(|n| put_key(&format!("{n}"), &"s".repeat(1000))).collect());
    let bytes = world.ledger.poll(world.at());
    assert!(bytes.len() <= 16_384 && Head::decode(&bytes).unwrap().changes.len() > 10);
}

#[test]
fn kv_gets_the_newest_value_at_most_once_a_second_and_after_failures() {
    let mut world = on();
    world.writes_fail = true;
    world.commit(vec![put_key("k", "a")]);
    world.run(60);
    world.restart();
    world.commit(vec![put_key("k", "b")]);
    world.run(60);
    assert_eq!(world.ledger.status(world.at())["failingWrites"], 1);
    world.writes_fail = false;
    world.run(300);
    assert_eq!(world.kv[&key_name("k")].value, key_json("b").into_bytes());
    assert_eq!(world.ledger.status(world.at())["outstandingWrites"], 0);
    world.commit(vec![put_key("k", "c")]);
    world.now += 1000;
    assert!(matches!(&world.ledger.jobs(world.at())[0], Job::Write(_)));
    world.commit(vec![put_key("k", "d")]);
    let again = world.ledger.jobs(world.at());
    assert!(!again.iter().any(|job| matches!(job, Job::Write(_))), "one is under way: {again:?}");
    world.run(40);
    assert_eq!(world.kv[&key_name("k")].value, key_json("d").into_bytes());
}

#[test]
fn an_expiry_ends_the_record_to_the_second_and_gives_the_other_column_back() {
    let mut world = on();
    let seconds = world.now / 1000 + 10;
    let edit = match put_key("k", "a") {
        Edit::PutKey { digest, json, .. } => {
            Edit::PutKey { digest, json, expires: Some(seconds), expected: None }
        }
        other => other,
    };
    world.commit(vec![edit]);
    assert_eq!(world.head().changes[0].row.as_ref().unwrap().expires_at.unwrap().millis(), seconds * 1000);
    world.now = seconds * 1000;
    world.kv.remove(&key_name("k"));
    assert_eq!(world.ask(&key_name("k")), None);
    world.run(2);
    assert_eq!(world.head().changes[1].row, None);
}

#[test]
fn javascript_gets_json_and_bytes() {
    let mut world = on();
    let mut call =
        |request: &str| world.ledger.call(request, None, Timestamp::from_millis(world.now), random(1));
    let commit = r#"{"op":"commit","operation":"1","actor":"ann","edits":[{"edit":"putCustomer","id":"a",
        "json":"{\"customerId\":\"a\",\"backendUrl\":\"https://a.example.com\"}"},
        {"edit":"revokeToken","issuer":"i","sub":"s","until":1900000000000}]}"#;
    let Answer::Json(committed) = call(commit) else { panic!("bytes") };
    assert_eq!(serde_json::from_str::<Committed>(&committed).unwrap().revision, 2);
    let Answer::Bytes(head) = call(r#"{"op":"poll"}"#) else { panic!("no head") };
    assert_eq!(Head::decode(&head).unwrap().revision, 2);
    let Answer::Bytes(asked) = call(r#"{"op":"ask","name":"customer:a"}"#) else { panic!("no row") };
    assert!(Segment::decode(&asked).unwrap().changes[0].row.is_some());
    assert_eq!(
        call(r#"{"op":"ask","name":"customer:b"}"#),
        Answer::Json(r#"{"read":"customer:b"}"#.to_owned())
    );
    for (request, part) in [
        (r#"{"op":"jobs"}"#, "\"next\""),
        (r#"{"op":"nothing"}"#, "\"error\""),
        ("", "\"error\""),
        (r#"{"op":"status"}"#, "\"on\":true"),
        (r#"{"op":"segment","first":7}"#, "notFound"),
        (r#"{"op":"provide","operation":"","edits":[{"id":"a","says":"gone","version":0}]}"#, "revision"),
        (r#"{"op":"done","done":{"write":{"name":"key:1","number":1}}}"#, "next"),
    ] {
        let Answer::Json(answer) = call(request) else { panic!("{request}") };
        assert!(answer.contains(part), "{request}: {answer}");
    }
}

#[test]
fn a_removal_of_what_no_pass_has_come_to_is_in_the_log() {
    let mut world = on();
    let before = world.ledger.revision();
    world.put_by_hand(&key_name("unseen"), &key_json("acme"));
    assert_eq!(world.commit(vec![remove_key("unseen")]).revision, before + 1);
    assert!(world.head().changes.last().is_some_and(|change| change.row.is_none()));
}

#[test]
fn while_followers_do_not_hold_everything_the_log_has_each_commit_also_where_the_row_stays_as_it_was() {
    let mut world = World::with(namespace(3), 1, Settings { source: Source::List, ..Settings::default() });
    world.run(400);
    let says = |host: &str| format!(r#"{{"customerId":"acme","backendUrl":"https://{host}.example.com"}}"#);
    let edits = vec![Difference { id: "acme".to_owned(), says: Says::Record(says("theirs")), version: 0 }];
    world.ledger.provide(&Differences { operation: "1".to_owned(), many: true, edits }, world.at()).unwrap();
    world.commit(vec![put_key("1", "again")]);
    world.run(300);
    // The database is restored to now, and forgets the operator's record of acme, which KV still has.
    let before = world.ledger.storage().clone();
    world.put_by_hand("customer:acme", &says("own"));
    world.ledger = Ledger::open(before, world.settings.clone(), world.at(), random(3));
    world.ledger.restored(world.at(), random(3));
    world.run(3);
    assert!(world.ledger.is_on() && !world.head().manifest.complete.customers);
    let known = world.ledger.revision();
    let committed = world
        .commit(vec![Edit::RemoveCustomer { id: "acme".to_owned(), expected: None }, put_key("1", "again")]);
    assert_eq!(committed.revision, known + 2);
    let changes = world.head().changes;
    let [removed, put] = &changes[changes.len() - 2..] else { panic!() };
    assert!(removed.row.as_ref().is_some_and(|row| row.provider), "the config API's counts again");
    assert!(put.row.is_some());
    // Where followers hold everything they know it.
    world.run_minutes(10);
    assert!(world.head().manifest.complete.keys);
    let known = world.ledger.revision();
    assert_eq!(world.commit(vec![put_key("1", "again")]).revision, known);
}
