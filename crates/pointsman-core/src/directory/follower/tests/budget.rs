//! A follower whose budget does not hold all shards.

use std::collections::BTreeMap;

use super::*;

const TEXT: &str = "a text that is longer than most";

/// Bytes of the largest of these shards.
fn largest(head: &Head) -> usize {
    head.manifest.shards.iter().map(|shard| shard.size as usize).max().unwrap()
}

fn follower_with(budget: usize) -> Follower {
    Follower::new(Follow { budget, ..follower().follow }, 7)
}

/// Looks a record up and loads its shard where that is missing. Says how many shards that took.
fn look_up(follower: &mut Follower, n: u64, bytes: &[Vec<u8>], now: Timestamp) -> (Found, usize) {
    let mut loads = 0;
    loop {
        let found = follower.look_up(&key(n), &n.to_string(), now);
        let Found::NotLoaded(prefix) = found else { return (found, loads) };
        assert!(follower.begin_load_of(prefix, now) && loads < 2, "{n} takes more than a shard");
        let (_, named) = follower.named(prefix).unwrap();
        assert!(follower.take_shard(prefix, &named, Some(bytes[prefix as usize].clone()), now));
        loads += 1;
    }
}

/// A follower with room for six of sixteen shards, which has heard of them and loaded those that it holds whole.
fn over_budget() -> (Follower, Head, Vec<Vec<u8>>) {
    let (head, bytes) = with_shards(head(10, at(0), Vec::new()), 4, 10, &rows(800, TEXT));
    let mut follower = follower_with(6 * largest(&head) + 900);
    hear(&mut follower, &head);
    load_all(&mut follower, &bytes, at(0));
    (follower, head, bytes)
}

/// Records of one shard that only passes through memory.
fn of_passing(follower: &Follower, prefix: u32) -> Vec<u64> {
    assert!(follower.is_passing(prefix));
    (0..800).filter(|n| key(*n).prefix(4) == prefix).collect()
}

#[test]
fn what_was_used_of_a_shard_that_does_not_fit_stays_and_the_rest_goes() {
    let (mut follower, _, bytes) = over_budget();
    assert_eq!((follower.loaded(), follower.is_missing(at(0))), ((2, 16), false));
    let [used, other] = [0, 1].map(|at| of_passing(&follower, 9)[at]);
    assert_eq!(look_up(&mut follower, used, &bytes, at(0)), (Found::Row(Row::of(TEXT)), 1));
    for prefix in [10, 11, 12] {
        let n = of_passing(&follower, prefix)[0];
        assert_eq!(look_up(&mut follower, n, &bytes, at(1)), (Found::Row(Row::of(TEXT)), 1));
        assert!(follower.weight() <= follower.follow.budget);
    }
    assert_eq!(follower.loaded(), (4, 16));
    assert_eq!(look_up(&mut follower, used, &bytes, at(2)), (Found::Row(Row::of(TEXT)), 0), "it stayed");
    assert_eq!(look_up(&mut follower, other, &bytes, at(2)), (Found::Row(Row::of(TEXT)), 1));
    // Who is not there is remembered as well.
    let absent = (1000..2000).find(|n| key(*n).prefix(4) == 13).unwrap();
    assert_eq!(look_up(&mut follower, absent, &bytes, at(3)), (Found::Absent, 1));
    for prefix in [10, 11] {
        let n = of_passing(&follower, prefix)[1];
        look_up(&mut follower, n, &bytes, at(4));
    }
    assert_eq!(look_up(&mut follower, absent, &bytes, at(5)), (Found::Absent, 0));
}

#[test]
fn what_stayed_is_as_current_as_the_changes_over_it() {
    let (mut follower, first, bytes) = over_budget();
    let [changed, removed, unused] = [0, 1, 2].map(|at| of_passing(&follower, 9)[at]);
    for n in [changed, removed] {
        look_up(&mut follower, n, &bytes, at(0));
    }
    for prefix in [10, 11] {
        let n = of_passing(&follower, prefix)[0];
        look_up(&mut follower, n, &bytes, at(1));
    }
    let later =
        vec![change(changed, row("new")), change(removed, None), change(unused, row("new of unused"))];
    let later = Head { manifest: first.manifest, ..head(13, at(1_000), later) };
    assert_eq!(hear(&mut follower, &later), Taken::Applied);
    // A newer shard is named, so that the changes are forgotten: what stayed says them now.
    let (compacted, _) = with_shards(head(13, at(2_000), Vec::new()), 4, 13, &rows(800, TEXT));
    assert_eq!(hear(&mut follower, &compacted), Taken::Applied);
    assert_eq!(follower.pending_changes(), 0);
    assert_eq!(find(&follower, changed), Found::Row(Row::of("new")));
    assert_eq!(find(&follower, removed), Found::Removed);
    assert_eq!(find(&follower, unused), Found::NotLoaded(9), "nobody had asked for it");
}

#[test]
fn what_the_log_never_had_of_a_passing_shard_is_seen_once_it_is_named() {
    let (mut follower, first, bytes) = over_budget();
    let absent = (1000..2000).find(|n| key(*n).prefix(4) == 9).unwrap();
    assert_eq!(look_up(&mut follower, absent, &bytes, at(0)).0, Found::Absent);
    follower.take_moved();
    let told = Head { manifest: first.manifest, ..head(11, at(1_000), vec![Change::reload_of(9, 4)]) };
    assert_eq!(hear(&mut follower, &told), Taken::Applied);
    assert_eq!(find(&follower, absent), Found::Absent, "it is not named yet");
    let mut all = rows(800, TEXT);
    all.push((key(absent), Row::of("by the shard alone")));
    all.sort_by_key(|(key, _)| *key);
    let (named, bytes) = with_shards(head(11, at(2_000), Vec::new()), 4, 11, &all);
    assert_eq!(hear(&mut follower, &named), Taken::Applied);
    assert_eq!(follower.take_moved(), None, "what was decoded is forgotten too");
    let found = look_up(&mut follower, absent, &bytes, at(2_000));
    assert_eq!(found, (Found::Row(Row::of("by the shard alone")), 1));
}

#[test]
fn a_flood_of_junk_has_some_shards_pass_and_is_then_asked_for_elsewhere() {
    let (mut follower, _, bytes) = over_budget();
    let used = of_passing(&follower, 9)[0];
    look_up(&mut follower, used, &bytes, at(0));
    let (mut loads, mut elsewhere) = (0, 0);
    for n in 10_000..20_000 {
        let (found, took) = look_up(&mut follower, n, &bytes, at(n));
        assert!(matches!(found, Found::Absent | Found::Unreadable), "{found:?}");
        loads += took;
        elsewhere += usize::from(found == Found::Unreadable);
    }
    assert_eq!(loads, 29, "thirty in a minute, with that of the record before");
    assert!(elsewhere > 5_000);
    assert_eq!(look_up(&mut follower, used, &bytes, at(30_000)), (Found::Row(Row::of(TEXT)), 0));
    let (later, other) = (at(61_000), of_passing(&follower, 12)[3]);
    assert_eq!(look_up(&mut follower, other, &bytes, later).1, 1, "a minute later they pass again");
}

#[test]
fn where_no_shard_fits_none_is_loaded() {
    let (head, bytes) = with_shards(head(10, at(0), Vec::new()), 1, 10, &rows(100, TEXT));
    let mut follower = follower_with(largest(&head) - 1);
    hear(&mut follower, &head);
    assert_eq!((follower.begin_load(at(0)), follower.capacity()), (None, 0));
    assert_eq!(look_up(&mut follower, 7, &bytes, at(0)), (Found::Unreadable, 0));
    assert_eq!(follower.weight(), 0);
}

/// A number of a record; some are drawn far more often than others.
fn often_low(dice: &mut Dice) -> u64 {
    let below = dice.below(NAMES) + 1;
    let below = dice.below(below) + 1;
    dice.below(below)
}

/// What a ledger has, and what it has published of that.
struct Published {
    records: BTreeMap<u64, String>,
    /// Added since the last shard of its prefix was built, and not in the log.
    pending: Vec<u64>,
    log: Vec<Change>,
    shards: [Built; PREFIXES],
}

/// A shard as it was last built.
#[derive(Default)]
struct Built {
    revision: Revision,
    rows: Vec<(RecordKey, Row)>,
    bytes: Vec<u8>,
}

const BITS: u8 = 3;
const PREFIXES: usize = 1 << BITS;
const NAMES: u64 = 96;

impl Published {
    fn build(&mut self, prefix: usize) {
        let is_own = |n: &u64| key(*n).prefix(BITS) as usize == prefix;
        if self.pending.iter().any(is_own) {
            self.log.push(Change::reload_of(prefix as u32, BITS));
            self.pending.retain(|n| !is_own(n));
        }
        let own = self.records.iter().filter(|(n, _)| is_own(n));
        let mut rows: Vec<_> = own.map(|(n, text)| (key(*n), Row::of(text.as_str()))).collect();
        rows.sort_by_key(|(key, _)| *key);
        let bytes = shard::encode(&rows, BITS);
        self.shards[prefix] = Built { revision: self.log.len() as u64, rows, bytes };
    }

    fn bytes(&self) -> Vec<Vec<u8>> {
        self.shards.iter().map(|built| built.bytes.clone()).collect()
    }

    fn head(&self, as_of: Timestamp, last: usize) -> Head {
        let named = self.shards.iter().map(|Built { revision, bytes, .. }| ShardRef {
            revision: *revision,
            hash: [*revision as u8; 16],
            size: bytes.len() as u32,
        });
        let manifest = Manifest { prefix_bits: BITS, shards: named.collect(), ..complete() };
        let first = self.log.len().saturating_sub(last);
        let changes = self.log[first..].to_vec();
        Head { manifest, ..head(self.log.len() as u64, as_of, changes) }
    }

    /// What whoever hears of everything has to say of a record.
    fn expected(&self, n: u64) -> Option<Row> {
        let Built { revision, rows, .. } = &self.shards[key(n).prefix(BITS) as usize];
        let later = self.log[*revision as usize..].iter().rev().find(|change| change.key == key(n));
        later.map_or_else(
            || rows.iter().find(|(own, _)| *own == key(n)).map(|(_, row)| row.clone()),
            |change| change.row.clone(),
        )
    }
}

/// Whatever happens, a follower whose budget is small answers as one that holds everything, or says that it does not know.
#[test]
fn a_small_budget_is_never_wrong() {
    let (mut answered, mut by_keeping) = (0, 0);
    for seed in 1..20u64 {
        let mut dice = Dice::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut ledger = Published {
            records: (0..60).map(|n| (n, format!("{TEXT} {n}"))).collect(),
            pending: Vec::new(),
            log: vec![change(0, row("begin"))],
            shards: std::array::from_fn(|_| Built::default()),
        };
        (0..PREFIXES).for_each(|prefix| ledger.build(prefix));
        let all = ledger.head(at(0), 0);
        // Room for two to five of eight shards.
        let small = (2 + dice.below(4) as usize) * largest(&all) + dice.below(2_000) as usize;
        let mut followers = [follower_with(small), follower_with(1 << 20)];
        for step in 1..400u64 {
            let now = at(step * 1_000);
            let n = often_low(&mut dice);
            match dice.below(12) {
                0..2 => {
                    let text = format!("{TEXT} {n} at {step}");
                    ledger.records.insert(n, text.clone());
                    ledger.pending.retain(|pending| *pending != n);
                    ledger.log.push(change(n, row(&text)));
                }
                2 => {
                    ledger.records.remove(&n);
                    ledger.pending.retain(|pending| *pending != n);
                    ledger.log.push(change(n, None));
                }
                3 if !ledger.records.contains_key(&n) => {
                    ledger.records.insert(n, format!("pending {n} at {step}"));
                    ledger.pending.push(n);
                }
                4..6 => ledger.build(dice.below(PREFIXES as u64) as usize),
                _ => {}
            }
            let bytes = ledger.bytes();
            let [few, whole] = &mut followers;
            // One hears each time and the other now and then: their segments bring what is between.
            for (follower, hears) in [(&mut *few, dice.below(3) == 0), (&mut *whole, true)] {
                if hears {
                    assert_eq!(hear(follower, &ledger.head(now, 400)), Taken::Applied);
                    load_all(follower, &bytes, now);
                }
            }
            if few.revision() != whole.revision() || few.manifest != whole.manifest {
                continue;
            }
            for _ in 0..4 {
                let n = often_low(&mut dice);
                let said = |found| match found {
                    Found::Row(row) => Some(Some(row)),
                    Found::Removed | Found::Ended | Found::Absent => Some(None),
                    Found::NotLoaded(_) | Found::Unreadable => None,
                };
                let loaded = few.loaded().0;
                let is_held = !few.is_passing(key(n).prefix(BITS));
                let (found, took) = look_up(few, n, &bytes, now);
                let found = said(found);
                let all = said(look_up(whole, n, &bytes, now).0);
                assert_eq!(all, Some(ledger.expected(n)), "seed {seed}, step {step}, record {n}");
                assert!(found.is_none() || found == all, "seed {seed}, step {step}, record {n}: {found:?}");
                answered += usize::from(found.is_some());
                by_keeping += usize::from(found.is_some() && took == 0 && !is_held && loaded < PREFIXES);
                assert!(few.weight() <= small + 4_096, "seed {seed}, step {step}");
            }
        }
    }
    assert!(answered > 5_000 && by_keeping > 500, "{answered}, {by_keeping}");
}
