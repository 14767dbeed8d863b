use pointsman_core::{
    base::time::Timestamp,
    directory::{log::Complete, record_key::RecordKey},
};
use serde_json::{Value, json};

use super::world::*;
use crate::*;

fn on(source: Source) -> World {
    let mut world = World::with(Default::default(), 1, Settings { source, ..Settings::default() });
    world.run(200);
    assert!(world.ledger.is_on());
    world
}

fn off(world: &mut World, drop_revocations: bool) -> Result<(), CommitError> {
    world.ledger.switch_off(Leave { drop_revocations }, world.at())
}

fn revoke() -> Edit {
    let until = START + 86_400_000;
    let by = RevokedBy::Sub("user".to_owned());
    Edit::RevokeToken(Revocation { issuer: "i".to_owned(), by, issued_before: None, until })
}

fn status(world: &World, member: &str) -> Value {
    world.ledger.status(world.at())[member].clone()
}

#[test]
fn a_ledger_goes_off_once_kv_was_told_of_everything_and_has_settled() {
    let mut world = on(Source::List);
    let says = |id: &str| {
        Says::Record(format!(r#"{{"customerId":"{id}","backendUrl":"https://{id}.example.com"}}"#))
    };
    let run = world.ledger.begin_list().unwrap().run;
    let edits =
        (0..1200).map(|n| Difference { id: format!("c{n}"), says: says(&format!("c{n}")), version: 0 });
    for (part, edits) in (0..).zip(edits.collect::<Vec<_>>().chunks(500)) {
        let part = ListPart { run, part, edits: edits.to_vec(), ..ListPart::default() };
        world.ledger.take_list(&part, world.at()).unwrap();
    }
    world.writes_fail = true;
    world.commit(vec![put_key("k", "a")]);
    let before = world.head();
    off(&mut world, false).unwrap();
    assert_eq!(
        world.try_commit(vec![put_key("l", "a")]),
        Err(CommitError::Off),
        "nothing that KV is not told of"
    );
    world.run(300);
    assert!(world.ledger.is_on() && world.head().epoch == before.epoch, "KV has not been told");
    world.writes_fail = false;
    world.run(90);
    assert!(world.kv.contains_key(&key_name("k")), "isolates still hold what is right");
    assert!(world.ledger.is_on());
    world.run(300);
    assert!(!world.ledger.is_on() && status(&world, "off").as_str().unwrap().contains("operator"));
    let record: Value = serde_json::from_slice(&world.kv["source:customer:c1199"].value).unwrap();
    assert_eq!(record["backendUrl"], json!("https://c1199.example.com"));
    assert!(Timestamp::parse_rfc3339(record["fetchedAt"].as_str().unwrap()).is_some());
    let refreshed = world.kv.keys().filter(|name| name.starts_with("source:customer:")).count();
    assert_eq!(refreshed, 1200);
    // What followers hear: another epoch, which holds nothing, so that they ask KV.
    let head = Head::of(&mut world);
    assert_ne!(head.epoch, before.epoch);
    assert_eq!((head.manifest.complete, head.manifest.shards.len()), (Complete::default(), 0));
    assert!(head.changes.is_empty() && head.as_of == world.at());
    assert_eq!(head.epoch, Head::decode(&world.kv["directory:head"].value).unwrap().epoch);
    let secret: Value = serde_json::from_slice(&world.kv["directory:secret"].value).unwrap();
    assert_eq!(secret["epoch"], json!(head.epoch.to_string()));
    world.restart();
    world.run(120);
    assert!(!world.ledger.is_on(), "a restart does not switch it on");
    world.ledger.switch_on();
    world.run(500);
    assert!(world.ledger.is_on());
    assert!(world.head().manifest.complete.keys);
    assert!(world.ask(&key_name("k")).is_some());
}

/// Reads heads of a ledger that may be off.
struct Head;

impl Head {
    fn of(world: &mut World) -> pointsman_core::directory::log::Head {
        match world.ledger.call(r#"{"op":"poll"}"#, None, world.at(), random(3)) {
            Answer::Bytes(bytes) => Self::decode(&bytes).unwrap(),
            Answer::Json(refusal) => panic!("{refusal}"),
        }
    }

    fn decode(bytes: &[u8]) -> Option<pointsman_core::directory::log::Head> {
        pointsman_core::directory::log::Head::decode(bytes)
    }
}

#[test]
fn revocations_of_tokens_are_dropped_only_where_that_is_wanted() {
    let mut world = on(Source::None);
    world.commit(vec![revoke()]);
    assert_eq!(off(&mut world, false), Err(CommitError::RevocationsAlive { revocations: 1 }));
    assert!(world.ledger.is_on() && status(&world, "leaving").is_null());
    off(&mut world, true).unwrap();
    off(&mut world, false).unwrap();
    world.run(200);
    assert!(!world.ledger.is_on());
    assert!(Head::of(&mut world).changes.is_empty());
    // Switched on again, it knows them still, and says so from the first head on.
    world.ledger.switch_on();
    world.run(10);
    let revoked = RecordKey::subject("i", "user");
    assert!(world.head().changes.iter().any(|change| change.key == revoked && change.row.is_some()));
}

#[test]
fn switching_on_ends_what_was_begun() {
    let mut world = on(Source::None);
    let before = world.head().epoch;
    off(&mut world, false).unwrap();
    assert!(!status(&world, "leaving").is_null());
    world.ledger.switch_on();
    world.run(300);
    assert!(world.ledger.is_on() && world.head().epoch == before);
    world.commit(vec![put_key("k", "a")]);
}

#[test]
fn a_restored_ledger_tells_of_its_revocations_from_the_first_head_on() {
    let mut world = on(Source::None);
    world.commit(vec![revoke()]);
    world.run(400);
    world.ledger.restored(world.at(), random(5));
    for _ in 0..30 {
        if world.ledger.is_on() {
            let head = world.head();
            let revoked = RecordKey::subject("i", "user");
            assert!(head.changes.iter().any(|change| change.key == revoked && change.row.is_some()));
            return;
        }
        world.run(1);
    }
    panic!("the ledger stays off");
}
