//! A world's own ledger: the real one, whose jobs are carried out on the world's store at once.

use pointsman_core::{
    base::{digest::Digest, time::Span},
    directory::log::Revision,
};
use pointsman_ledger::{
    Answer, Differences, Done, FileJob, HEAD_NAME, Job, Ledger, ListJob, Listed, MemoryStorage, Page,
    RANDOM_BYTES, REVOCATIONS_NAME, ReadEntry, Settings, Written,
};
use pointsman_loader::ports::SourceError;
use serde_json::{Value, json};

use crate::World;

/// A ledger in a world.
pub struct OwnLedger {
    pub ledger: Ledger<MemoryStorage>,
    /// How many parts of a list are taken until the ledger fails; `None` where it does not.
    pub fails_after: Option<usize>,
    /// What somebody else says of customers once a page was read.
    pub told_meanwhile: Option<Differences>,
}

impl World {
    /// Opens a ledger, and has it take in what the store holds.
    pub fn open_ledger(&self, settings: Settings) {
        let ledger = Ledger::open(MemoryStorage::default(), settings, self.now.get(), [7; RANDOM_BYTES]);
        *self.own_ledger.borrow_mut() = Some(OwnLedger { ledger, fails_after: None, told_meanwhile: None });
        self.pass_with_ledger(Span::from_secs(400));
    }

    /// Lets time pass, in which isolates poll and the ledger does what is due.
    pub fn pass_with_ledger(&self, span: Span) {
        let end = self.now.get().plus(span);
        loop {
            self.run_jobs();
            self.with_ledger(|own| drop(own.ledger.is_on().then(|| own.ledger.poll(self.now.get()))));
            if self.now.get() >= end {
                return;
            }
            let next = self.with_ledger(|own| own.ledger.next_alarm(self.now.get()));
            let pause = next.since(self.now.get()).millis().clamp(100, 5000);
            self.pass(Span::from_millis(pause.min(end.since(self.now.get()).millis())));
        }
    }

    pub fn with_ledger<T>(&self, act: impl FnOnce(&mut OwnLedger) -> T) -> T {
        act(self.own_ledger.borrow_mut().as_mut().expect("a ledger"))
    }

    /// Calls the ledger as the edge does.
    fn call_ledger(&self, request: &Value) -> Option<Answer> {
        let mut own = self.own_ledger.borrow_mut();
        Some(own.as_mut()?.ledger.call(&request.to_string(), None, self.now.get(), [8; RANDOM_BYTES]))
    }

    fn run_jobs(&self) {
        // What a job leads to is due at once; what is due again and again is a pass's.
        for _ in 0..20 {
            let jobs = self.with_ledger(|own| own.ledger.jobs(self.now.get()));
            if jobs.is_empty() {
                return;
            }
            for job in jobs {
                let (done, bytes) = self.carry_out(job);
                let now = self.now.get();
                self.with_ledger(|own| own.ledger.done(&done, bytes.as_deref(), now, [9; RANDOM_BYTES]));
            }
        }
    }

    fn carry_out(&self, job: Job) -> (Done, Option<Vec<u8>>) {
        let mut store = self.store.borrow_mut();
        let done = match job {
            Job::Write(write) => {
                match write.value {
                    Some(value) => drop(store.insert(write.name.clone(), value.into_bytes())),
                    None => drop(store.remove(&write.name)),
                }
                Done::Write(Written { name: write.name, number: write.number, error: None })
            }
            Job::List(job) => {
                drop(store);
                let page = Some(self.page_of_store(&job));
                Done::List { job, page }
            }
            Job::Read(names) => {
                let text =
                    |name: &str| store.get(name).map(|value| String::from_utf8(value.clone()).unwrap());
                let entries = names.into_iter().map(|name| ReadEntry { value: text(&name), name });
                Done::Read(entries.collect())
            }
            Job::File(job) => {
                let mut digest = None;
                match &job {
                    FileJob::Put(name) => {
                        let bytes = self.with_ledger(|own| own.ledger.file(name)).expect("the file's bytes");
                        store.insert(name.clone(), bytes);
                    }
                    FileJob::ReadBack(name) => {
                        digest = store.get(name).map(|bytes| Digest::of(bytes).to_string());
                    }
                    FileJob::Delete(name) => drop(store.remove(name)),
                }
                Done::File { job, ok: true, digest }
            }
            Job::Backup => {
                let now = self.now.get();
                let (head, revocations) =
                    self.with_ledger(|own| (own.ledger.tail(), own.ledger.revocations(now)));
                store.insert(HEAD_NAME.to_owned(), head);
                store.insert(REVOCATIONS_NAME.to_owned(), revocations);
                Done::Backup { ok: true }
            }
            Job::ReadHead => return (Done::ReadHead, store.get(HEAD_NAME).cloned()),
            Job::ReadRevocations => return (Done::ReadRevocations, store.get(REVOCATIONS_NAME).cloned()),
            Job::ReadTouched => Done::ReadTouched(Vec::new()),
        };
        (done, None)
    }

    fn page_of_store(&self, job: &ListJob) -> Page {
        let store = self.store.borrow();
        let mut names: Vec<_> = store.keys().filter(|name| name.starts_with(&job.prefix)).collect();
        names.sort_unstable();
        let listed = |name: &String| Listed { name: name.clone(), sha256: None, expiration: None };
        Page { keys: names.into_iter().map(listed).collect(), cursor: None }
    }

    pub(crate) fn poll_ledger(&self) -> Option<Vec<u8>> {
        Some(self.own_ledger.borrow_mut().as_mut()?.ledger.poll(self.now.get()))
    }

    pub(crate) fn segment_of_ledger(&self, first: Revision) -> Option<Vec<u8>> {
        Some(self.own_ledger.borrow_mut().as_mut()?.ledger.segment(first)?.bytes)
    }

    pub(crate) fn ask_own_ledger(&self, name: &str) -> Option<Vec<u8>> {
        match self.call_ledger(&json!({"op": "ask", "name": name}))? {
            Answer::Bytes(bytes) => Some(bytes),
            Answer::Json(_) => {
                self.ledger_reads.set(self.ledger_reads.get() + 1);
                let value =
                    self.store.borrow().get(name).map(|value| String::from_utf8(value.clone()).unwrap());
                match self.call_ledger(&json!({"op": "tookFromKv", "name": name, "value": value}))? {
                    Answer::Bytes(bytes) => Some(bytes),
                    Answer::Json(refusal) => panic!("{refusal}"),
                }
            }
        }
    }

    pub(crate) fn provided_of_ledger(&self, behind: &[u8], limit: u32) -> Vec<u8> {
        let now = self.now.get();
        self.with_ledger(|own| {
            let page = own.ledger.provided_page(behind, limit as usize);
            if let Some(told) = own.told_meanwhile.take() {
                let provision = own.ledger.provide(&told, now).expect("the ledger is on");
                assert!(provision.changed.is_empty(), "{provision:?}");
            }
            page
        })
    }

    pub(crate) fn learn_of_ledger(&self, json: &str) -> Result<String, SourceError> {
        let mut asked: Value = serde_json::from_str(json).expect("JSON");
        asked["op"] = json!("learn");
        match self.call_ledger(&asked) {
            Some(Answer::Json(answer)) => Ok(answer),
            _ => Err(SourceError("there is no ledger".to_owned())),
        }
    }

    pub(crate) fn take_list_of_ledger(&self, json: &str) -> Result<String, SourceError> {
        let asked: Value = serde_json::from_str(json).expect("JSON");
        if asked["step"].get("part").is_some() {
            let is_down = self.with_ledger(|own| {
                let is_down = own.fails_after == Some(0);
                own.fails_after = own.fails_after.map(|left| left.saturating_sub(1));
                is_down
            });
            if is_down {
                return Err(SourceError("the ledger is down".to_owned()));
            }
        }
        match self.call_ledger(&json!({"op": "list", "step": asked["step"]})) {
            Some(Answer::Json(answer)) => Ok(answer),
            other => panic!("{other:?}"),
        }
    }
}
