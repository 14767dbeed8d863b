//! A ledger and followers of two versions: it writes what all of them read.

use pointsman_core::directory::{
    log::{FORMAT, Head, OLDEST_FORMAT, Segment},
    shard::Shard,
};

use super::world::*;
use crate::{keyspace::meta, *};

const MINUTE: u64 = 60_000;

/// Polls as a follower whose newest format this is; the format of what it gets.
fn poll(world: &mut World, reads: u8) -> u8 {
    let bytes = world.ledger.poll_as(reads, world.at());
    assert!(Head::decode_up_to(&bytes, reads).is_some(), "whoever polls can read the answer");
    bytes[2]
}

/// The format of the one shard that is named.
fn format_of_shard(world: &mut World) -> u8 {
    let head = world.head_for(OLDEST_FORMAT);
    let name = head.manifest.shards[0].name(head.epoch, 0, 0);
    let bytes = world.kv[&name].value.clone();
    assert!(Shard::parse(bytes.clone(), 0).is_some());
    bytes[2]
}

/// A ledger of which everybody has read the newest format for hours, with a shard in that format.
fn settled() -> World {
    let mut world = World::new();
    world.run(200);
    for _ in 0..20 {
        world.now += 5 * MINUTE;
        poll(&mut world, FORMAT);
    }
    let many = (0..70).map(|n| put_key(&format!("key-{n}"), "a")).collect();
    world.commit(many);
    world.run(200);
    world
}

#[test]
fn the_ledger_writes_the_oldest_format_that_was_asked_for_in_the_last_hour() {
    let mut world = World::new();
    world.run(5);
    assert_eq!(poll(&mut world, FORMAT), OLDEST_FORMAT, "it does not know yet who follows");
    for _ in 0..14 {
        world.now += 5 * MINUTE;
        poll(&mut world, FORMAT);
    }
    assert_eq!(poll(&mut world, FORMAT), FORMAT);
    assert_eq!(poll(&mut world, OLDEST_FORMAT), OLDEST_FORMAT, "a version that was taken back, at once");
    assert_eq!(poll(&mut world, FORMAT), OLDEST_FORMAT, "everybody gets it then");
    world.restart();
    assert_eq!(poll(&mut world, FORMAT), OLDEST_FORMAT, "an instance that begins anew knows it too");
    world.now += 66 * MINUTE;
    assert_eq!(poll(&mut world, FORMAT), FORMAT, "for an hour");
    assert_eq!(poll(&mut world, FORMAT + 1), FORMAT, "a later version reads this one as well");
    assert_eq!(poll(&mut world, FORMAT), FORMAT);
    assert_eq!(world.ledger.poll_as(0, world.at())[2], OLDEST_FORMAT, "whoever does not say");
}

#[test]
fn segments_answers_and_the_head_in_kv_are_of_the_format_of_the_head() {
    for format in [OLDEST_FORMAT, FORMAT] {
        let mut world = settled();
        poll(&mut world, format);
        let segment = world.ledger.segment(1).unwrap().bytes;
        assert_eq!((segment[2], Segment::decode_up_to(&segment, format).is_some()), (format, true));
        assert_eq!((world.ledger.tail()[2], format_of(&mut world, "ask")), (format, format));
    }
}

/// The format of the answer about one record.
fn format_of(world: &mut World, op: &str) -> u8 {
    let request = format!(r#"{{"op":"{op}","name":"{}"}}"#, key_name("key-1"));
    match world.ledger.call(&request, None, world.at(), random(1)) {
        Answer::Bytes(bytes) => bytes[2],
        Answer::Json(json) => panic!("{json}"),
    }
}

#[test]
fn a_shard_that_a_follower_cannot_read_is_built_again() {
    let mut world = settled();
    assert_eq!(format_of_shard_by(&world, FORMAT), FORMAT);
    // A version that was taken back polls from now on.
    poll(&mut world, OLDEST_FORMAT);
    world.run(150);
    assert_eq!(format_of_shard(&mut world), OLDEST_FORMAT);
    let (before, revision) = (world.head_for(OLDEST_FORMAT).manifest, world.ledger.revision());
    world.run(300);
    let after = world.head_for(OLDEST_FORMAT).manifest;
    assert_eq!((after, world.ledger.revision()), (before, revision), "once");
}

/// The format of the one shard that is named, as KV has it, without a poll of another version.
fn format_of_shard_by(world: &World, reads: u8) -> u8 {
    let head = Head::decode_up_to(&world.ledger.tail(), reads).unwrap();
    world.kv[&head.manifest.shards[0].name(head.epoch, 0, 0)].value[2]
}

#[test]
fn a_ledger_that_was_taken_back_reads_what_the_later_one_wrote() {
    let mut world = settled();
    let manifest = world.head().manifest;
    // The version before reads the first format of the manifest alone.
    let stored = world.ledger.storage().get(&meta("manifest")).unwrap();
    let read = Head::decode_up_to(&stored, OLDEST_FORMAT).map(|head| head.manifest.shards);
    assert_eq!(read, Some(manifest.shards));
    // And members of the state that it does not know.
    world.restart();
    assert_eq!(world.head().manifest.shards.len(), 1);
}
