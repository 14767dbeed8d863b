//! A ledger, its KV namespace and a clock.

use std::collections::BTreeMap;

use pointsman_core::{
    base::{digest::Digest, time::Timestamp},
    directory::log::Head,
};

use crate::{
    Asked, Commit, CommitError, Committed, Done, Edit, FileJob, Job, Ledger, ListJob, Listed, MemoryStorage,
    Page, ReadEntry, Settings, Written,
    backup::{HEAD_NAME, REVOCATIONS_NAME},
};

/// An entry of KV.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct KvEntry {
    pub(super) value: Vec<u8>,
    pub(super) sha256: Option<String>,
    pub(super) expiration: Option<u64>,
}

pub(super) struct World {
    pub(super) ledger: Ledger<MemoryStorage>,
    pub(super) kv: BTreeMap<String, KvEntry>,
    pub(super) now: u64,
    /// KV takes no writes.
    pub(super) writes_fail: bool,
    /// What lists show instead of KV.
    pub(super) listed: Option<BTreeMap<String, KvEntry>>,
    pub(super) page: usize,
    pub(super) lists: u64,
    operations: u64,
    /// What the ledger is opened with when it is opened again.
    pub(super) settings: Settings,
}

pub(super) const START: u64 = 1_800_000_000_000;

pub(super) fn random(seed: u8) -> [u8; crate::RANDOM_BYTES] {
    [seed; crate::RANDOM_BYTES]
}

pub(super) fn key_name(key: &str) -> String {
    format!("key:{}", Digest::of(key.as_bytes()))
}

pub(super) fn key_json(subject: &str) -> String {
    format!(r#"{{"subject":"{subject}"}}"#)
}

pub(super) fn put_key(key: &str, subject: &str) -> Edit {
    let digest = Digest::of(key.as_bytes()).to_string();
    Edit::PutKey { digest, json: key_json(subject), expires: None, expected: None }
}

pub(super) fn remove_key(key: &str) -> Edit {
    Edit::RemoveKey { digest: Digest::of(key.as_bytes()).to_string(), expected: None }
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(BTreeMap::new(), 1, Settings::default())
    }

    pub(super) fn with(kv: BTreeMap<String, KvEntry>, seed: u8, settings: Settings) -> Self {
        let now = START;
        let ledger = Ledger::open(
            MemoryStorage::default(),
            settings.clone(),
            Timestamp::from_millis(now),
            random(seed),
        );
        Self {
            ledger,
            kv,
            now,
            writes_fail: false,
            listed: None,
            page: 1000,
            lists: 0,
            operations: 0,
            settings,
        }
    }

    pub(super) fn at(&self) -> Timestamp {
        Timestamp::from_millis(self.now)
    }

    /// Closes the ledger and opens it again: all that it held in memory is gone.
    pub(super) fn restart(&mut self) {
        let empty = Ledger::open(MemoryStorage::default(), self.settings.clone(), self.at(), random(9));
        let storage = std::mem::replace(&mut self.ledger, empty).into_storage();
        self.ledger = Ledger::open(storage, self.settings.clone(), self.at(), random(8));
    }

    pub(super) fn try_commit(&mut self, edits: Vec<Edit>) -> Result<Committed, CommitError> {
        self.operations += 1;
        let commit = Commit {
            operation: format!("op-{}", self.operations),
            actor: "ann".to_owned(),
            from: String::new(),
            edits,
        };
        self.ledger.commit(&commit, self.at())
    }

    pub(super) fn commit(&mut self, edits: Vec<Edit>) -> Committed {
        self.try_commit(edits).unwrap()
    }

    pub(super) fn put_by_hand(&mut self, name: &str, value: &str) {
        let entry = KvEntry { value: value.as_bytes().to_vec(), ..KvEntry::default() };
        self.kv.insert(name.to_owned(), entry);
    }

    pub(super) fn head(&mut self) -> Head {
        Head::decode(&self.ledger.poll(self.at())).unwrap()
    }

    /// The head as a follower gets it whose newest format this is.
    pub(super) fn head_for(&mut self, reads: u8) -> Head {
        Head::decode_up_to(&self.ledger.poll_as(reads, self.at()), reads).unwrap()
    }

    /// What somebody who asks is answered, with the read of KV where the ledger wants one.
    pub(super) fn ask(&mut self, name: &str) -> Option<String> {
        let mut asked = self.ledger.ask(name, self.at());
        if let Asked::Read(name) = &asked {
            let value = self.kv.get(name).map(|entry| String::from_utf8(entry.value.clone()).unwrap());
            asked = self.ledger.took_from_kv(name, value.as_deref(), None, self.at());
        }
        match asked {
            Asked::Known(change, _) => change.row.map(|row| String::from_utf8(row.text).unwrap()),
            other => panic!("{other:?}"),
        }
    }

    /// Does what is due once a second, and polls as often.
    pub(super) fn run(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.now += 1000;
            if self.ledger.is_on() {
                self.ledger.poll(self.at());
            }
            self.work();
        }
    }

    /// As [`World::run`], in steps of a quarter of a minute.
    pub(super) fn run_minutes(&mut self, minutes: u64) {
        for _ in 0..minutes * 4 {
            self.now += 14_000;
            self.run(1);
        }
    }

    pub(super) fn work(&mut self) {
        self.ledger.leave(self.at(), random(6));
        for job in self.ledger.jobs(self.at()) {
            if let Some((done, bytes)) = self.work_on(job) {
                self.ledger.done(&done, bytes.as_deref(), self.at(), random(7));
            }
        }
    }

    pub(super) fn work_on(&mut self, job: Job) -> Option<(Done, Option<Vec<u8>>)> {
        let read = |kv: &BTreeMap<String, KvEntry>, name: &str| kv.get(name).map(|entry| entry.value.clone());
        Some(match job {
            Job::Write(write) => {
                let error = self.writes_fail.then(|| "503".to_owned());
                if error.is_none() {
                    match write.value {
                        Some(value) => {
                            let (value, sha256) = (value.into_bytes(), write.sha256);
                            let entry = KvEntry { value, sha256, expiration: write.expiration };
                            self.kv.insert(write.name.clone(), entry);
                        }
                        None => {
                            self.kv.remove(&write.name);
                        }
                    }
                }
                (Done::Write(Written { name: write.name, number: write.number, error }), None)
            }
            Job::List(job) => {
                self.lists += 1;
                let page = self.list(&job);
                (Done::List { job, page: Some(page) }, None)
            }
            Job::Read(names) => {
                let text = |name: &str| read(&self.kv, name).map(|value| String::from_utf8(value).unwrap());
                let entries = names.into_iter().map(|name| ReadEntry { value: text(&name), name });
                (Done::Read(entries.collect()), None)
            }
            Job::File(job) => {
                let digest = match &job {
                    FileJob::Put(name) => {
                        let value = self.ledger.file(name).unwrap();
                        self.kv.insert(name.clone(), KvEntry { value, ..KvEntry::default() });
                        None
                    }
                    FileJob::ReadBack(name) => {
                        read(&self.kv, name).map(|value| Digest::of(&value).to_string())
                    }
                    FileJob::Delete(name) => {
                        self.kv.remove(name);
                        None
                    }
                };
                (Done::File { job, ok: true, digest }, None)
            }
            Job::Backup => {
                let head = KvEntry { value: self.ledger.tail(), ..KvEntry::default() };
                let value = self.ledger.revocations(self.at());
                self.kv.insert(HEAD_NAME.to_owned(), head);
                self.kv.insert(REVOCATIONS_NAME.to_owned(), KvEntry { value, ..KvEntry::default() });
                (Done::Backup { ok: true }, None)
            }
            Job::ReadHead => (Done::ReadHead, read(&self.kv, HEAD_NAME)),
            Job::ReadRevocations => (Done::ReadRevocations, read(&self.kv, REVOCATIONS_NAME)),
            Job::ReadTouched => (Done::ReadTouched(Vec::new()), None),
        })
    }

    fn list(&self, job: &ListJob) -> Page {
        let kv = self.listed.as_ref().unwrap_or(&self.kv);
        let from = job.cursor.clone().unwrap_or_default();
        let begin = from.clone().max(job.prefix.clone());
        let all = kv
            .range(begin..)
            .take_while(|(name, _)| name.starts_with(&job.prefix))
            .filter(|(name, _)| **name > from)
            .take(self.page + 1);
        let listed = |(name, entry): (&String, &KvEntry)| Listed {
            name: name.clone(),
            sha256: entry.sha256.clone(),
            expiration: entry.expiration,
        };
        let keys: Vec<Listed> = all.clone().take(self.page).map(listed).collect();
        let cursor = keys.last().filter(|_| all.count() > self.page).map(|last| last.name.clone());
        Page { keys, cursor }
    }
}
