#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod budget;

use super::*;
use crate::{
    base::time::Span,
    directory::{
        log::{Segment, ShardRef},
        shard,
    },
};

const STALE: Span = Span::from_secs(600);
const EPOCH: Epoch = Epoch([1; 16]);

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(1_785_412_800_000 + millis)
}

fn follower() -> Follower {
    let follow = Follow { pace: Pace::new(Span::from_secs(10)), budget: 32 << 20, open: true };
    Follower::new(follow, 7)
}

fn key(n: u64) -> RecordKey {
    RecordKey::customer(&n.to_string())
}

fn row(text: &str) -> Option<Row> {
    Some(Row::of(text))
}

fn change(n: u64, row: Option<Row>) -> Change {
    Change { key: key(n), row }
}

fn complete() -> Manifest {
    Manifest { complete: Complete { keys: true, customers: true }, ..Manifest::default() }
}

/// A head with these last changes.
fn head(revision: Revision, as_of: Timestamp, changes: Vec<Change>) -> Head {
    let first = revision + 1 - changes.len() as u64;
    Head { epoch: EPOCH, revision, as_of, pace: 100, manifest: complete(), first, changes }
}

fn hear(follower: &mut Follower, head: &Head) -> Taken {
    follower.take_head(&head.encode(), Heard::Cache, head.as_of)
}

fn find(follower: &Follower, n: u64) -> Found {
    follower.find(&key(n), &n.to_string(), at(0))
}

#[test]
fn changes_are_known_once_heard_and_what_is_not_there_is_an_answer() {
    let mut follower = follower();
    assert_eq!(follower.currency(at(0), STALE), Currency::TooOld, "it has heard nothing");
    assert_eq!(
        hear(&mut follower, &head(2, at(0), vec![change(1, row("a")), change(2, None)])),
        Taken::Applied
    );
    assert_eq!(follower.currency(at(9_000), STALE), Currency::Current);
    assert_eq!(follower.currency(at(9_001), STALE), Currency::TooOld, "a second is for clocks");
    assert_eq!(find(&follower, 1), Found::Row(Row::of("a")));
    assert_eq!(find(&follower, 2), Found::Removed);
    assert_eq!(find(&follower, 3), Found::Absent);
}

#[test]
fn an_operators_record_that_has_ended_is_told_from_one_that_was_never_there() {
    let mut follower = follower();
    let end = |row: Row| Row { expires_at: Some(at(5_000)), ..row };
    let provided = Row { provider: true, ..Row::of("b") };
    let mut rows =
        vec![(key(1), end(Row::of("a"))), (key(2), end(provided)), (key(3), Row::removed(at(5_000)))];
    rows.sort_by_key(|(key, _)| *key);
    let (head, bytes) = with_shards(head(10, at(0), Vec::new()), 0, 10, &rows);
    assert_eq!(hear(&mut follower, &head), Taken::Applied);
    load_all(&mut follower, &bytes, at(0));
    let found = |n: u64, millis: u64| follower.find(&key(n), &n.to_string(), at(millis));
    assert!(matches!((found(1, 4_999), found(2, 4_999)), (Found::Row(_), Found::Row(_))));
    assert_eq!(found(1, 5_000), Found::Ended);
    assert_eq!(found(2, 5_000), Found::Absent, "the config API is asked again");
    assert_eq!((found(3, 4_999), found(3, 5_000)), (Found::Removed, Found::Absent));
}

#[test]
fn within_an_epoch_nothing_goes_back() {
    let mut follower = follower();
    let before = head(1, at(0), vec![change(1, row("a"))]);
    let after = head(2, at(1_000), vec![change(1, row("a")), change(1, None)]);
    assert_eq!(hear(&mut follower, &after), Taken::Applied);
    assert_eq!(hear(&mut follower, &before), Taken::Ignored);
    // The same revision as of an earlier time: an instance that was replaced, or a copy that was kept.
    assert_eq!(hear(&mut follower, &Head { as_of: at(500), ..after.clone() }), Taken::Ignored);
    assert_eq!(find(&follower, 1), Found::Removed);
    let future = head(2, at(60_000), Vec::new());
    assert_eq!(follower.take_head(&future.encode(), Heard::Cache, at(2_000)), Taken::Ignored);
    assert_eq!(follower.take_head(b"PH", Heard::Cache, at(2_000)), Taken::Unreadable);
    assert_eq!(follower.known_at(), Some(at(1_000)));
}

#[test]
fn the_age_of_a_direct_answer_is_that_of_the_question() {
    let mut follower = follower();
    // The ledger's clock is an hour ahead.
    let head = head(1, at(3_600_000), vec![change(1, row("a"))]);
    let taken = follower.take_head(&head.encode(), Heard::Ledger { asked_at: at(40) }, at(90));
    assert_eq!((taken, follower.known_at()), (Taken::Applied, Some(at(40))));
}

#[test]
fn a_gap_is_filled_by_segments_before_the_head_counts() {
    let mut follower = follower();
    assert_eq!(hear(&mut follower, &head(1, at(0), vec![change(1, row("a"))])), Taken::Applied);
    let changes: Vec<_> = (1..=300u64).map(|n| change(n, row("b"))).collect();
    let late = head(300, at(5_000), changes[280..].to_vec());
    assert_eq!(hear(&mut follower, &late), Taken::Behind(1));
    assert_eq!((follower.revision(), follower.known_at()), (1, Some(at(0))), "the gap may hold a revocation");
    let segment = |first: usize, end: usize| {
        Segment { epoch: EPOCH, first: first as u64, changes: changes[first - 1..end].to_vec() }.encode()
    };
    assert_eq!(follower.take_segment(&segment(257, 300), at(5_000)), Taken::Ignored, "does not join on");
    assert_eq!(follower.take_segment(&segment(1, 256), at(5_000)), Taken::Behind(257));
    assert_eq!(follower.take_segment(&segment(257, 290), at(5_000)), Taken::Applied);
    assert_eq!((follower.revision(), follower.known_at()), (300, Some(at(5_000))));
    assert_eq!(find(&follower, 1), Found::Row(Row::of("a")), "its change of revision 1 was known already");
    assert_eq!(find(&follower, 290), Found::Row(Row::of("b")));
}

#[test]
fn another_epoch_begins_anew_and_yesterdays_copy_of_it_does_not_come_back() {
    let mut follower = follower();
    let old = head(900, at(0), vec![change(1, row("a"))]);
    let old = Head { first: 900, ..old };
    assert_eq!(hear(&mut follower, &Head { first: 900, ..old.clone() }), Taken::Behind(1));
    assert!(!follower.skip_to_shards(at(0)), "nothing has the changes before 900");
    let new = Head { epoch: Epoch([2; 16]), ..head(1, at(1_000), vec![change(2, row("b"))]) };
    assert_eq!(hear(&mut follower, &new), Taken::Applied);
    assert_eq!(find(&follower, 1), Found::Absent);
    assert_eq!(hear(&mut follower, &old), Taken::Ignored);
    assert_eq!(follower.epoch(), Epoch([2; 16]));
    // The ledger itself is believed, whatever its clock says: its database was restored to an earlier time.
    let restored = Head { epoch: Epoch([3; 16]), ..head(1, at(10), vec![change(3, row("c"))]) };
    let heard = Heard::Ledger { asked_at: at(2_000) };
    assert_eq!(follower.take_head(&restored.encode(), heard, at(2_000)), Taken::Applied);
    assert_eq!(find(&follower, 2), Found::Absent);
}

#[test]
fn a_gap_that_nobody_fills_takes_nothing_away() {
    let mut follower = follower();
    assert_eq!(hear(&mut follower, &head(1, at(0), vec![change(1, row("a"))])), Taken::Applied);
    let late = Head { first: 900, ..head(900, at(5_000), vec![change(2, row("b"))]) };
    assert_eq!(hear(&mut follower, &late), Taken::Behind(1));
    assert!(!follower.skip_to_shards(at(5_000)), "no shard has the changes before 900 either");
    assert_eq!((follower.revision(), follower.known_at()), (1, Some(at(0))));
    assert_eq!(find(&follower, 1), Found::Row(Row::of("a")));
}

#[test]
fn a_copy_that_begins_anew_with_a_gap_is_not_taken_to_know_anything() {
    let mut follower = follower();
    assert_eq!(hear(&mut follower, &head(1, at(0), vec![change(1, row("a"))])), Taken::Applied);
    let late = head(900, at(5_000), vec![change(2, row("b"))]);
    let late = Head { epoch: Epoch([2; 16]), ..late };
    assert_eq!(hear(&mut follower, &late), Taken::Behind(1));
    assert_eq!(follower.known_at(), None);
    assert_eq!(follower.currency(at(5_000), STALE), Currency::TooOld);
    follower.begin_poll(at(5_000));
    follower.poll_failed(at(5_000));
    assert_eq!(follower.currency(at(5_001), STALE), Currency::Unknown);
    // What the ledger left in the store joins on, and is as old as it says, however young the other epoch's copy was.
    let changes = (1..=900).map(|n| change(n, row("b"))).collect();
    let left = Head { epoch: Epoch([2; 16]), ..head(900, at(4_000), changes) };
    assert_eq!(follower.take_head(&left.encode(), Heard::Cache, at(6_000)), Taken::Applied);
    assert_eq!(follower.known_at(), Some(at(4_000)));
}

#[test]
fn what_segments_said_stands_over_an_older_head_where_the_ledger_falls_silent_between() {
    let changes: Vec<_> = (1..=600u64).map(|n| change(n % 400, row(&format!("r{n}")))).collect();
    let upto = |revision: usize, from: usize, as_of| {
        let changes = changes[from - 1..revision].to_vec();
        Head { first: from as u64, ..head(revision as u64, as_of, changes) }
    };
    let segment = Segment { epoch: EPOCH, first: 1, changes: changes[..256].to_vec() }.encode();
    for was_known in [false, true] {
        let mut follower = follower();
        if was_known {
            let other = Head { epoch: Epoch([2; 16]), ..head(1, at(0), vec![change(1, row("other"))]) };
            assert_eq!(hear(&mut follower, &other), Taken::Applied);
        }
        assert_eq!(hear(&mut follower, &upto(600, 580, at(5_000))), Taken::Behind(1));
        assert_eq!(follower.take_segment(&segment, at(5_000)), Taken::Behind(257));
        // The next segment does not come. What the ledger left in the store ends before what was heard.
        assert!(!follower.skip_to_shards(at(5_000)));
        assert_eq!(hear(&mut follower, &upto(200, 1, at(2_000))), Taken::Applied);
        assert_eq!((follower.revision(), follower.known_at()), (200, Some(at(2_000))));
        assert_eq!(find(&follower, 200), Found::Row(Row::of("r200")));
        assert_eq!(find(&follower, 256), Found::Row(Row::of("r256")), "the ledger had said so");
        assert_eq!(find(&follower, 257), Found::Absent);
        // Once the log comes to it, it is as the log has it.
        assert_eq!(hear(&mut follower, &upto(600, 201, at(6_000))), Taken::Applied);
        assert_eq!(find(&follower, 256), Found::Row(Row::of("r256")));
        assert_eq!(find(&follower, 200), Found::Row(Row::of("r600")));
    }
}

fn with_shards(
    head: Head,
    prefix_bits: u8,
    revision: Revision,
    rows: &[(RecordKey, Row)],
) -> (Head, Vec<Vec<u8>>) {
    let bytes: Vec<_> = (0..1 << prefix_bits)
        .map(|prefix| {
            let own: Vec<_> =
                rows.iter().filter(|(key, _)| key.prefix(prefix_bits) == prefix).cloned().collect();
            shard::encode(&own, prefix_bits)
        })
        .collect();
    let named = bytes.iter().map(|bytes| ShardRef { revision, hash: [9; 16], size: bytes.len() as u32 });
    let manifest = Manifest { prefix_bits, shards: named.collect(), ..head.manifest };
    (Head { manifest, ..head }, bytes)
}

fn rows(count: u64, text: &str) -> Vec<(RecordKey, Row)> {
    let mut rows: Vec<_> = (0..count).map(|n| (key(n), Row::of(text))).collect();
    rows.sort_by_key(|(key, _)| *key);
    rows
}

fn load_all(follower: &mut Follower, bytes: &[Vec<u8>], now: Timestamp) {
    while let Some(prefix) = follower.begin_load(now) {
        let (_, named) = follower.named(prefix).unwrap();
        assert!(follower.take_shard(prefix, &named, Some(bytes[prefix as usize].clone()), now));
    }
}

#[test]
fn shards_are_loaded_and_changes_above_them_count() {
    let mut follower = follower();
    let (head, bytes) =
        with_shards(head(12, at(0), vec![change(1, None), change(2, row("new"))]), 2, 10, &rows(40, "old"));
    assert_eq!(hear(&mut follower, &head), Taken::Applied);
    let prefix = key(7).prefix(2);
    assert_eq!(find(&follower, 7), Found::NotLoaded(prefix));
    assert_eq!(find(&follower, 1), Found::Removed, "removals are known before their shard is");
    load_all(&mut follower, &bytes, at(0));
    assert_eq!(follower.loaded(), (4, 4));
    assert_eq!(find(&follower, 7), Found::Row(Row::of("old")));
    assert_eq!(find(&follower, 1), Found::Removed);
    assert_eq!(find(&follower, 2), Found::Row(Row::of("new")));
    assert_eq!(find(&follower, 99), Found::Absent);
}

#[test]
fn who_has_followed_reloads_nothing_when_shards_are_compacted() {
    let mut follower = follower();
    let (first, bytes) = with_shards(head(10, at(0), Vec::new()), 1, 10, &rows(40, "old"));
    assert_eq!(hear(&mut follower, &first), Taken::Applied);
    load_all(&mut follower, &bytes, at(0));
    let (compacted, _) = with_shards(head(11, at(1_000), vec![change(3, None)]), 1, 11, &rows(39, "old"));
    assert_eq!(hear(&mut follower, &compacted), Taken::Applied);
    assert_eq!(follower.begin_load(at(1_000)), None);
    assert_eq!(find(&follower, 3), Found::Removed, "the old shard still has the row");
    assert_eq!(find(&follower, 4), Found::Row(Row::of("old")));
}

#[test]
fn a_shard_with_rows_that_the_log_never_had_is_loaded_again_once_it_is_named() {
    let mut follower = follower();
    let (first, bytes) = with_shards(head(10, at(0), Vec::new()), 0, 10, &rows(3, "old"));
    assert_eq!(hear(&mut follower, &first), Taken::Applied);
    load_all(&mut follower, &bytes, at(0));
    let told = head(11, at(1_000), vec![Change::reload_of(0, 0)]);
    let told = Head { manifest: first.manifest, ..told };
    assert_eq!(hear(&mut follower, &told), Taken::Applied);
    assert_eq!(follower.begin_load(at(1_000)), None, "it is not named yet");
    let (named, bytes) = with_shards(head(12, at(2_000), vec![change(1, None)]), 0, 11, &rows(5, "old"));
    assert_eq!(hear(&mut follower, &named), Taken::Applied);
    assert_eq!(find(&follower, 4), Found::Absent);
    load_all(&mut follower, &bytes, at(2_000));
    assert_eq!(find(&follower, 4), Found::Row(Row::of("old")));
    assert_eq!(find(&follower, 1), Found::Removed);
    assert_eq!(follower.begin_load(at(60_000)), None, "once");
}

#[test]
fn changes_that_an_unloaded_shard_holds_are_forgotten() {
    let mut follower = follower();
    assert_eq!(
        hear(&mut follower, &head(2, at(0), vec![change(1, row("a")), change(2, row("b"))])),
        Taken::Applied
    );
    let (compacted, _) = with_shards(head(3, at(1_000), vec![change(3, row("c"))]), 0, 2, &rows(3, "a"));
    assert_eq!(hear(&mut follower, &compacted), Taken::Applied);
    assert_eq!(follower.pending_changes(), 1);
    assert_eq!((find(&follower, 1), find(&follower, 3)), (Found::NotLoaded(0), Found::Row(Row::of("c"))));
}

#[test]
fn a_shard_that_cannot_be_had_is_no_absence() {
    let mut follower = follower();
    let (head, _) = with_shards(head(10, at(0), Vec::new()), 0, 10, &rows(4, "old"));
    hear(&mut follower, &head);
    let prefix = follower.begin_load(at(0)).unwrap();
    assert!(!follower.begin_load_of(prefix, at(10)), "somebody loads it");
    let (name, named) = follower.named(prefix).unwrap();
    assert!(name.starts_with("directory:0101"));
    assert!(!follower.take_shard(prefix, &named, None, at(10)));
    assert_eq!(find(&follower, 1), Found::Unreadable);
    assert_eq!(follower.find(&key(1), "1", at(31_000)), Found::NotLoaded(0), "it is tried again");
}

#[test]
fn a_silent_ledger_leaves_the_last_state_for_a_while() {
    let mut follower = follower();
    hear(&mut follower, &head(1, at(0), vec![change(1, row("a"))]));
    assert!(follower.begin_poll(at(10_000)) && !follower.begin_poll(at(10_500)), "one polls");
    follower.poll_failed(at(10_600));
    assert_eq!(follower.currency(at(10_700), STALE), Currency::Silent);
    assert_eq!(follower.currency(at(12_000), STALE), Currency::TooOld, "it is asked again");
    follower.poll_failed(at(600_600));
    assert_eq!(
        follower.currency(at(600_700), STALE),
        Currency::Closed,
        "longer than what is kept may be used"
    );
    follower.follow.open = false;
    follower.poll_failed(at(10_600));
    assert_eq!(follower.currency(at(10_601), STALE), Currency::Closed);
}

#[test]
fn what_the_ledger_said_of_one_record_stands_until_the_log_is_newer() {
    let mut follower = follower();
    hear(&mut follower, &head(1, at(0), vec![change(1, row("a"))]));
    follower.take_answer(change(2, row("answered")), 4, EPOCH);
    follower.take_answer(change(3, row("another epoch's")), 4, Epoch([5; 16]));
    assert_eq!((find(&follower, 2), find(&follower, 3)), (Found::Row(Row::of("answered")), Found::Absent));
    // Revisions 2 and 3 made and removed it once before.
    let later = head(3, at(1_000), vec![change(2, row("x")), change(2, None)]);
    assert_eq!(hear(&mut follower, &later), Taken::Applied);
    assert_eq!(find(&follower, 2), Found::Row(Row::of("answered")));
    assert_eq!(
        hear(&mut follower, &head(5, at(2_000), vec![change(9, None), change(2, None)])),
        Taken::Applied
    );
    assert_eq!(find(&follower, 2), Found::Removed);
}

#[test]
fn whoever_holds_decoded_records_learns_what_has_changed() {
    let mut follower = follower();
    assert_eq!(follower.take_moved(), None, "everything");
    hear(&mut follower, &head(1, at(0), vec![change(1, row("a"))]));
    assert_eq!(follower.take_moved(), None, "it has begun anew");
    hear(&mut follower, &head(2, at(1), vec![change(2, None)]));
    assert_eq!(follower.take_moved(), Some(vec![change(2, None)]));
    assert_eq!(follower.take_moved(), Some(Vec::new()));
    let many: Vec<_> = (0..600).map(|n| change(n, None)).collect();
    hear(&mut follower, &head(602, at(2), many));
    assert_eq!(follower.take_moved(), None);
}

#[test]
fn who_goes_on_polling_waits_while_somebody_else_polls() {
    let mut follower = follower();
    assert_eq!(hear(&mut follower, &head(1, at(0), vec![change(1, row("a"))])), Taken::Applied);
    follower.note_request(at(5_500));
    assert!(follower.take_due_poll(at(5_500)), "the request's own lease");
    follower.note_request(at(5_600));
    assert_eq!(follower.next_poll_in_traffic(at(5_600)), Some(Span::from_millis(900)));
    assert!(!follower.take_due_poll(at(5_600)));
}
