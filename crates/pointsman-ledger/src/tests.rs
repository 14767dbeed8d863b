//! Whole stories of a ledger, over a KV that is as late as KV may be.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeMap;

use pointsman_core::{
    base::{digest::Digest, time::Timestamp},
    directory::{
        log::{Change, Head, Segment},
        record_key::RecordKey,
        row::Usable,
        shard::Shard,
    },
};

use crate::*;

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;

#[derive(Clone, Debug, Default)]
struct Entry {
    value: Vec<u8>,
    sha256: Option<String>,
    expiration: Option<u64>,
}

/// A ledger and its KV.
struct World {
    ledger: Ledger<MemoryStorage>,
    kv: BTreeMap<String, Entry>,
    now: u64,
    /// Whether KV refuses writes and deletions.
    refuses: bool,
    calls: BTreeMap<&'static str, usize>,
}

impl World {
    fn new() -> Self {
        Self::with(Settings::default())
    }

    fn with(settings: Settings) -> Self {
        let now = 1_785_412_800_000;
        let ledger = Ledger::open(MemoryStorage::default(), settings, Timestamp::from_millis(now), [7; 48]);
        Self { ledger, kv: BTreeMap::new(), now, refuses: false, calls: BTreeMap::new() }
    }

    fn at(&self) -> Timestamp {
        Timestamp::from_millis(self.now)
    }

    /// Lets time pass while isolates poll, and everything be done that comes due.
    fn pass(&mut self, span: u64) {
        let end = self.now + span;
        loop {
            self.ledger.poll(self.at());
            self.work();
            if self.now >= end {
                return;
            }
            let next = self.ledger.next_alarm(self.at()).unwrap_or(u64::MAX);
            self.now = next.clamp(self.now + 100, self.now + 5 * SECOND).min(end);
        }
    }

    fn work(&mut self) {
        for round in 0.. {
            assert!(round < 20_000, "jobs without end");
            let jobs = self.ledger.jobs(self.at());
            if jobs.is_empty() {
                return;
            }
            for job in jobs {
                let done = self.carry_out(job);
                self.ledger.done(done, self.at());
            }
        }
    }

    fn count(&mut self, what: &'static str) {
        *self.calls.entry(what).or_default() += 1;
    }

    fn carry_out(&mut self, job: Job) -> Done {
        let texts = |kv: &BTreeMap<String, Entry>, name: &String| {
            kv.get(name).map(|entry| String::from_utf8(entry.value.clone()).unwrap())
        };
        match job {
            Job::Write(write) => {
                self.count("write");
                let error = self.refuses.then(|| "503".to_owned());
                match (&error, write.value) {
                    (Some(_), _) => {}
                    (None, Some(value)) => {
                        let (sha256, expiration) = (write.sha256, write.expiration);
                        self.kv.insert(
                            write.name.clone(),
                            Entry { value: value.into_bytes(), sha256, expiration },
                        );
                    }
                    (None, None) => drop(self.kv.remove(&write.name)),
                }
                Done::Write(Written { name: write.name, number: write.number, error })
            }
            Job::ReadBytes { name } => {
                self.count("read");
                let bytes = self.kv.get(&name).map(|entry| entry.value.clone());
                Done::ReadBytes { name, bytes, well: true }
            }
            Job::ReadTexts { names } => {
                self.count("read many");
                let texts = Some(names.iter().map(|name| texts(&self.kv, name)).collect());
                Done::ReadTexts { names, texts }
            }
            Job::WriteBytes { name, bytes } => {
                self.count("write bytes");
                if !self.refuses {
                    self.kv.insert(name.clone(), Entry { value: bytes, ..Entry::default() });
                }
                Done::WriteBytes { name, well: !self.refuses }
            }
            Job::Delete { name } => {
                self.kv.remove(&name);
                Done::Delete { name, well: true }
            }
            Job::List { prefix, cursor } => {
                self.count("list");
                let behind = cursor.clone().unwrap_or_default();
                let mut all = self
                    .kv
                    .range(prefix.clone()..)
                    .take_while(|(name, _)| name.starts_with(&prefix))
                    .filter(|(name, _)| **name > behind)
                    .map(|(name, entry)| Listed {
                        name: name.clone(),
                        expiration: entry.expiration,
                        sha256: entry.sha256.clone(),
                    });
                let entries: Vec<_> = all.by_ref().take(1000).collect();
                let next = all.next().and_then(|_| entries.last().map(|entry| entry.name.clone()));
                drop(all);
                Done::List { prefix, cursor, entries: Some(entries), next }
            }
        }
    }

    fn head(&mut self) -> Head {
        Head::decode(&self.ledger.poll(self.at())).unwrap()
    }

    fn commit(&mut self, edits: Vec<Edit>) -> u64 {
        let commit = Commit { operation: String::new(), actor: "ann".to_owned(), edits };
        self.ledger.commit(&commit, self.at()).unwrap().revision
    }

    fn put_by_hand(&mut self, name: &str, value: &str) {
        self.kv.insert(name.to_owned(), Entry { value: value.as_bytes().to_vec(), ..Entry::default() });
    }

    /// What an isolate that begins now knows of a record: by the shards that are named and the log over them.
    fn says(&mut self, key: &RecordKey, name: &str) -> Option<String> {
        let head = self.head();
        let manifest = &head.manifest;
        let mut revision = 0;
        let mut row = None;
        if let Some(named) = manifest.shards.get(key.prefix(manifest.prefix_bits) as usize) {
            let shard = named.name(head.epoch, key.prefix(manifest.prefix_bits), manifest.prefix_bits);
            let bytes = self.kv[&shard].value.clone();
            row = Shard::parse(bytes, manifest.prefix_bits).unwrap().find(key, name);
            revision = named.revision;
        }
        for change in self.changes_behind(revision) {
            if change.key == *key {
                row = change.row;
            }
        }
        row.filter(|row| !row.is_over(self.at())).map(|row| match row.usable {
            Usable::Yes => String::from_utf8(row.text).unwrap(),
            Usable::Malformed => "malformed".to_owned(),
            Usable::Unsure => "unsure".to_owned(),
        })
    }

    fn changes_behind(&self, revision: u64) -> Vec<Change> {
        let mut changes = Vec::new();
        let mut first = Segment::first_of(revision + 1);
        while first <= self.ledger.revision() {
            let segment = Segment::decode(&self.ledger.segment(first).unwrap().bytes).unwrap();
            let numbered = (segment.first..).zip(segment.changes);
            changes.extend(numbered.filter(|(number, _)| *number > revision).map(|(_, change)| change));
            first += 256;
        }
        changes
    }

    fn key_says(&mut self, key: &str) -> Option<String> {
        self.says(&RecordKey::api_key(&Digest::of(key.as_bytes())), "")
    }

    fn customer_says(&mut self, id: &str) -> Option<String> {
        self.says(&RecordKey::customer(id), id)
    }
}

fn digest(key: &str) -> String {
    Digest::of(key.as_bytes()).to_string()
}

fn name(key: &str) -> String {
    format!("key:{}", digest(key))
}

fn put_key(key: &str, subject: &str) -> Edit {
    let json = format!(r#"{{"subject":"{subject}"}}"#);
    Edit::PutKey { digest: digest(key), json, expires: None, expected: None }
}

fn remove_key(key: &str) -> Edit {
    Edit::RemoveKey { digest: digest(key), expected: None }
}

fn customer(id: &str, host: &str) -> String {
    format!(r#"{{"customerId":"{id}","backendUrl":"https://{host}.example.com"}}"#)
}

fn put_customer(id: &str, host: &str) -> Edit {
    Edit::PutCustomer { id: id.to_owned(), json: customer(id, host), expires: None, expected: None }
}

fn provide(id: &str, json: Option<String>) -> Provide {
    Provide { customers: vec![Says { id: id.to_owned(), json, unsure: false }], differ: 1, whole: true }
}

#[test]
fn a_change_is_in_the_head_at_once_and_in_kv_behind() {
    let mut world = World::new();
    world.pass(SECOND);
    assert_eq!(world.commit(vec![put_key("k", "acme")]), 1);
    assert_eq!(world.key_says("k").as_deref(), Some(r#"{"subject":"acme"}"#));
    assert!(!world.kv.contains_key(&name("k")));
    world.pass(2 * SECOND);
    let entry = &world.kv[&name("k")];
    assert_eq!(entry.sha256.as_deref(), Some(digest(r#"{"subject":"acme"}"#).as_str()));
    assert_eq!(world.ledger.audit(0, 9)[0].actor, "ann");
}

#[test]
fn a_retried_call_happens_once_and_another_under_its_id_never() {
    let mut world = World::new();
    world.pass(SECOND);
    let commit = |subject| Commit {
        operation: "op-1".to_owned(),
        actor: "ann".to_owned(),
        edits: vec![put_key("k", subject)],
    };
    let first = world.ledger.commit(&commit("a"), world.at()).unwrap();
    assert_eq!(world.ledger.commit(&commit("a"), world.at()).unwrap(), first);
    assert_eq!(world.ledger.revision(), 1);
    assert_eq!(world.ledger.commit(&commit("b"), world.at()), Err(CommitError::OperationReused));
}

#[test]
fn nothing_of_a_commit_is_made_where_one_edit_is_wrong() {
    let mut world = World::new();
    world.pass(SECOND);
    let wrong = Edit::PutKey {
        digest: digest("b"),
        json: r#"{"subject":7}"#.to_owned(),
        expires: None,
        expected: None,
    };
    let commit =
        Commit { operation: String::new(), actor: String::new(), edits: vec![put_key("a", "x"), wrong] };
    let Err(CommitError::Invalid { edit: 1, faults }) = world.ledger.commit(&commit, world.at()) else {
        panic!()
    };
    assert_eq!(faults[0].pointer, "/subject");
    assert_eq!((world.ledger.revision(), world.key_says("a")), (0, None));
    let stale = Edit::RemoveKey { digest: digest("a"), expected: Some(9) };
    let commit = Commit { operation: String::new(), actor: String::new(), edits: vec![stale] };
    assert_eq!(world.ledger.commit(&commit, world.at()), Err(CommitError::Changed { edit: 0, version: 0 }));
}

#[test]
fn operator_and_config_api_have_a_column_each() {
    let mut world = World::new();
    world.pass(SECOND);
    world.ledger.provide(&provide("a", Some(customer("a", "provided"))), world.at()).unwrap();
    assert_eq!(world.customer_says("a"), Some(customer("a", "provided")));
    world.commit(vec![put_customer("a", "own")]);
    world.ledger.provide(&provide("a", Some(customer("a", "later"))), world.at()).unwrap();
    assert_eq!(world.customer_says("a"), Some(customer("a", "own")), "the operator's stands");
    world.commit(vec![Edit::RemoveCustomer { id: "a".to_owned(), expected: None }]);
    assert_eq!(world.customer_says("a"), Some(customer("a", "later")), "and gives way to what is said now");
    world.ledger.provide(&provide("a", None), world.at()).unwrap();
    assert_eq!(world.customer_says("a"), None);
    let broken = Provide {
        customers: vec![
            Says { id: "b".to_owned(), json: Some("{}".to_owned()), unsure: false },
            Says { id: "c".to_owned(), json: Some(String::new()), unsure: true },
        ],
        differ: 2,
        whole: true,
    };
    world.ledger.provide(&broken, world.at()).unwrap();
    assert_eq!(world.customer_says("b").as_deref(), Some("malformed"), "never an absence");
    assert_eq!(world.customer_says("c").as_deref(), Some("unsure"));
}

#[test]
fn an_entry_made_by_hand_is_taken_in_by_the_next_pass_or_when_it_is_asked_for() {
    let mut world = World::new();
    world.pass(SECOND);
    world.put_by_hand(&name("hand"), r#"{"subject":"hand"}"#);
    let Asked::Read(read) = world.ledger.ask(&name("hand"), 0, world.at()) else { panic!() };
    let value = String::from_utf8(world.kv[&read].value.clone()).unwrap();
    let Asked::Known(change, 1) = world.ledger.took_from_kv(&read, Some(&value), None, world.at()) else {
        panic!()
    };
    assert_eq!(change.row.unwrap().text, br#"{"subject":"hand"}"#);
    world.put_by_hand(&name("other"), r#"{"subject":"other"}"#);
    world.pass(3 * MINUTE);
    assert_eq!(world.key_says("other").as_deref(), Some(r#"{"subject":"other"}"#));
    // Ten reads a second at the most, whoever asks.
    let reads = (0..40)
        .filter(|n| matches!(world.ledger.ask(&name(&format!("j{n}")), 9, world.at()), Asked::Read(_)));
    assert_eq!(reads.count(), 10);
}

#[test]
fn what_was_revoked_never_comes_back_by_a_listing() {
    let mut world = World::new();
    world.pass(SECOND);
    world.commit(vec![put_key("k", "acme")]);
    world.pass(10 * MINUTE);
    let old = world.kv[&name("k")].clone();
    // KV refuses the deletion for ten minutes, and passes list the entry.
    world.refuses = true;
    world.commit(vec![remove_key("k")]);
    for _ in 0..10 {
        world.pass(MINUTE);
        assert_eq!(world.key_says("k"), None);
        let storage = world.ledger.storage().clone();
        world.ledger = Ledger::open(storage, Settings::default(), world.at(), [9; 48]);
    }
    world.refuses = false;
    world.pass(10 * MINUTE);
    assert!(!world.kv.contains_key(&name("k")), "the deletion is made up for");
    // Somebody's tool, or a location, brings the old value back.
    world.kv.insert(name("k"), old);
    world.pass(20 * MINUTE);
    assert_eq!(world.key_says("k"), None);
    assert!(!world.kv.contains_key(&name("k")), "and it is put right");
    world.put_by_hand(&name("k"), r#"{"subject":"acme","name":"made anew by hand"}"#);
    world.pass(10 * MINUTE);
    assert_eq!(world.key_says("k").as_deref(), Some(r#"{"subject":"acme"}"#));
}

#[test]
fn a_key_that_is_made_while_a_pass_lists_is_not_gone() {
    let mut world = World::new();
    world.pass(2 * MINUTE);
    world.refuses = true;
    world.commit(vec![put_key("k", "acme")]);
    world.pass(30 * MINUTE);
    assert!(world.key_says("k").is_some(), "KV was never told of it");
    world.commit(vec![put_key("two", "acme"), remove_key("two")]);
    world.pass(10 * MINUTE);
    assert_eq!((world.key_says("two"), world.key_says("k").is_some()), (None, true));
}

#[test]
fn who_is_deleted_by_hand_is_gone_after_two_passes_and_a_read() {
    let mut world = World::new();
    for n in 0..50 {
        world.put_by_hand(&name(&format!("k{n}")), r#"{"subject":"acme"}"#);
    }
    world.pass(10 * MINUTE);
    assert!(world.key_says("k7").is_some());
    world.kv.remove(&name("k7"));
    world.pass(MINUTE);
    assert!(world.key_says("k7").is_some(), "one listing is none");
    world.pass(10 * MINUTE);
    assert_eq!(world.key_says("k7"), None);
    assert!(world.key_says("k8").is_some());
}

#[test]
fn an_empty_listing_removes_nobody() {
    let mut world = World::new();
    for n in 0..50 {
        world.put_by_hand(&name(&format!("k{n}")), r#"{"subject":"acme"}"#);
    }
    world.pass(10 * MINUTE);
    let kept = std::mem::take(&mut world.kv);
    world.pass(30 * MINUTE);
    assert!((0..50).all(|n| world.key_says(&format!("k{n}")).is_some()));
    assert!(world.ledger.status().contains(r#""not_removed":50"#), "{}", world.ledger.status());
    world.kv = kept;
    world.pass(10 * MINUTE);
    assert!(world.ledger.status().contains(r#""not_removed":0"#));
}

#[test]
fn a_full_namespace_is_taken_in_and_complete_once_its_shards_are_named() {
    let mut world = World::new();
    for n in 0..3000 {
        world.put_by_hand(&name(&format!("k{n}")), &format!(r#"{{"subject":"s{n:05}"}}"#));
        world.put_by_hand(&format!("customer:c{n:05}"), &customer(&format!("c{n:05}"), &format!("h{n:05}")));
    }
    world.pass(SECOND);
    assert!(!world.head().manifest.complete.keys, "nobody is refused meanwhile");
    assert!(world.ledger.revision() < 1000, "the log does not carry them");
    assert_eq!(
        (world.calls["list"], world.calls["read many"]),
        (6, 60),
        "a page a thousand, a read a hundred"
    );
    world.pass(5 * MINUTE);
    let head = world.head();
    assert!(head.manifest.complete.keys && head.manifest.complete.customers);
    for n in [0, 1234, 2999] {
        assert_eq!(world.key_says(&format!("k{n}")), Some(format!(r#"{{"subject":"s{n:05}"}}"#)));
        let id = format!("c{n:05}");
        assert_eq!(world.customer_says(&id), Some(customer(&id, &format!("h{n:05}"))));
    }
}

#[test]
fn a_shard_is_named_only_after_it_was_read_back_and_has_settled() {
    let mut world = World::new();
    world.pass(SECOND);
    world.ledger.provide(&provide("seed", Some(customer("seed", "x"))), world.at()).unwrap();
    for n in 0..1100 {
        world.commit(vec![put_customer(&format!("c{n}"), "x")]);
    }
    world.pass(SECOND);
    let written = world.kv.keys().filter(|name| name.starts_with("directory:0707")).count();
    assert!(written >= 2, "a shard and the tokens");
    assert!(world.head().manifest.shards.is_empty());
    world.pass(80 * SECOND);
    assert!(world.head().manifest.shards.is_empty(), "a location may still say that there is none");
    world.pass(20 * SECOND);
    assert_eq!(world.head().manifest.shards.len(), 1);
    assert!(world.head().manifest.tokens.is_some());
    assert_eq!(world.customer_says("c700"), Some(customer("c700", "x")));
    // What changes from then on is in the log, and in time in a shard of its own name.
    let before = world.head().manifest.shards[0];
    for n in 0..400 {
        world.commit(vec![Edit::RemoveCustomer { id: format!("c{n}"), expected: None }]);
    }
    world.pass(5 * MINUTE);
    assert_ne!(world.head().manifest.shards[0], before);
    assert_eq!((world.customer_says("c7"), world.customer_says("c700").is_some()), (None, true));
}

#[test]
fn five_thousand_are_revoked_at_once() {
    let mut world = World::new();
    world.pass(SECOND);
    for n in 0..10 {
        world.commit((0..500).map(|m| put_key(&format!("{n}.{m}"), "acme")).collect());
    }
    world.pass(5 * MINUTE);
    for n in 0..10 {
        world.commit((0..500).map(|m| remove_key(&format!("{n}.{m}"))).collect());
    }
    assert_eq!((world.key_says("0.0"), world.key_says("9.499")), (None, None));
    world.pass(40 * MINUTE);
    assert_eq!((world.key_says("0.0"), world.key_says("9.499")), (None, None));
    assert!(world.kv.keys().all(|name| !name.starts_with("key:")), "KV follows, a name a second");
}

#[test]
fn a_new_ledger_takes_over_the_revocations_and_bars_what_was_removed() {
    let mut world = World::new();
    world.pass(SECOND);
    let until = world.now + 3600 * SECOND;
    world.commit(vec![
        put_key("k", "acme"),
        Edit::RevokeToken(Revocation {
            issuer: "https://id.example.com/".to_owned(),
            by: RevokedBy::Sub("mallory".to_owned()),
            issued_before: None,
            until,
        }),
    ]);
    world.pass(MINUTE);
    world.refuses = false;
    world.commit(vec![remove_key("k")]);
    let old = Entry { value: br#"{"subject":"acme"}"#.to_vec(), ..Entry::default() };
    world.pass(2 * MINUTE);
    world.kv.insert(name("k"), old);
    // While the old one's word is fresh, another one stays off.
    let mut other = World { kv: world.kv.clone(), now: world.now, ..World::new() };
    other.ledger = Ledger::open(MemoryStorage::default(), Settings::default(), other.at(), [8; 48]);
    other.pass(SECOND);
    assert!(!other.ledger.is_on() && other.ledger.status().contains("\"off\""));
    // The database is lost.
    let mut next = World { kv: world.kv, now: world.now + 20 * MINUTE, ..World::new() };
    next.ledger = Ledger::open(MemoryStorage::default(), Settings::default(), next.at(), [8; 48]);
    next.pass(10 * MINUTE);
    let subject = RecordKey::subject("https://id.example.com/", "mallory");
    assert!(next.changes_behind(0).iter().any(|change| change.key == subject && change.row.is_some()));
    assert_eq!(next.key_says("k"), None, "the old ledger had removed it");
    assert_ne!(next.head().epoch, world.ledger.epoch());
}

#[test]
fn who_waits_for_a_shard_is_known_to_whoever_asks() {
    let mut world = World::with(Settings { source: Source::List, ..Settings::default() });
    world.pass(SECOND);
    let customers = (0..500)
        .map(|n| Says { id: format!("c{n}"), json: Some(customer(&format!("c{n}"), "x")), unsure: false })
        .collect();
    let provide = Provide { customers, differ: 5000, whole: false };
    world.ledger.provide(&provide, world.at()).unwrap();
    assert_eq!(world.ledger.revision(), 0);
    let known = world.ledger.revision();
    let Asked::Known(change, revision) = world.ledger.ask("customer:c7", known, world.at()) else { panic!() };
    assert!(change.row.is_some() && revision > known, "a follower that knows the log takes it");
}

#[test]
fn a_ledger_that_nobody_polls_sleeps_and_says_incomplete_when_it_wakes() {
    let mut world = World::new();
    world.pass(5 * MINUTE);
    assert!(world.head().manifest.complete.keys);
    let lists = world.calls["list"];
    for _ in 0..60 {
        world.now += MINUTE;
        world.work();
    }
    assert!(world.calls["list"] - lists <= 24, "it stops after ten minutes");
    world.put_by_hand(&name("meanwhile"), r#"{"subject":"acme"}"#);
    assert!(!world.head().manifest.complete.keys);
    world.pass(2 * MINUTE);
    assert!(world.head().manifest.complete.keys && world.key_says("meanwhile").is_some());
}

#[test]
fn a_kv_expiry_ends_a_record_to_the_second() {
    let mut world = World::new();
    world.pass(SECOND);
    let end = world.now / 1000 + 300;
    let json = r#"{"subject":"acme"}"#.to_owned();
    world.commit(vec![Edit::PutKey { digest: digest("k"), json, expires: Some(end), expected: None }]);
    world.now = end * 1000 - 1;
    assert!(world.key_says("k").is_some());
    world.now = end * 1000;
    assert_eq!(world.key_says("k"), None);
    world.kv.remove(&name("k"));
    world.pass(10 * MINUTE);
    assert_eq!(world.key_says("k"), None);
}
