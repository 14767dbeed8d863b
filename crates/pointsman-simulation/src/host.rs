//! The ledger's object: the instance that answers, the one that the platform has replaced and that goes on for a while, and
//! what is done for the ledger in KV.

use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    rc::Rc,
    task::Poll,
};

use pointsman_core::base::{digest::Digest, time::Timestamp};
use pointsman_ledger::{
    Asked, Done, FileJob, HEAD_NAME, Job, Ledger, ListJob, Listed, MemoryStorage, Page, REVOCATIONS_NAME,
    ReadEntry, Settings, Source, TOUCHED_NAME, Write, Written,
};
use pointsman_loader::ports::SourceError;

use crate::{
    executor::TaskId,
    kv::Entry,
    world::{LEDGER_LOCATION, World},
};

/// The shortest time for which a location keeps what it reads, in milliseconds.
pub(crate) const SHORTEST: u64 = 30_000;
/// Entries of a page. Few, so that passes have cursors.
const PAGE: usize = 7;
/// After so long what was begun is given out again, in milliseconds.
const LEASE: u64 = 30_000;

/// An instance that was replaced.
struct Replaced {
    ledger: Ledger<MemoryStorage>,
    until: u64,
    /// Which location still reaches it.
    location: usize,
    /// It has written something, which nobody confirms: from then on no answer leaves.
    is_mute: bool,
}

/// The object.
#[derive(Default)]
pub(crate) struct Host {
    ledger: RefCell<Option<Ledger<MemoryStorage>>>,
    replaced: RefCell<Option<Replaced>>,
    /// Tells instances apart: what one has begun, the next one hears nothing of.
    instance: Cell<u64>,
    worker: Cell<TaskId>,
    /// Whether something may have come due that the worker does not know of.
    is_woken: Cell<bool>,
    /// The database as it was at some instants.
    pub(crate) kept: RefCell<Vec<(u64, MemoryStorage)>>,
}

fn failed<T>(what: &str) -> Result<T, SourceError> {
    Err(SourceError(what.to_owned()))
}

impl World {
    fn settings(&self) -> Settings {
        let source = if self.has_provider { Source::List } else { Source::None };
        Settings { stale: 600_000, source, ..Settings::default() }
    }

    /// The ledger's clock.
    pub(crate) fn ledger_now(&self) -> Timestamp {
        Timestamp::from_millis(self.now() + 300)
    }

    /// Begins an instance over a database.
    pub(crate) fn open_ledger(self: &Rc<Self>, storage: MemoryStorage) {
        let ledger = Ledger::open(storage, self.settings(), self.ledger_now(), self.random());
        *self.host.ledger.borrow_mut() = Some(ledger);
        self.host.instance.set(self.host.instance.get() + 1);
        let (world, instance) = (Rc::clone(self), self.host.instance.get());
        self.executor.spawn(0, async move { world.work(instance).await });
    }

    /// Ends the instance, and begins another over the same database. The old one may go on answering a location.
    pub(crate) fn restart_ledger(self: &Rc<Self>, goes_on_for: Option<usize>) {
        let Some(ledger) = self.host.ledger.borrow_mut().take() else { return };
        let storage = ledger.storage().clone();
        if let Some(location) = goes_on_for {
            let until = self.now() + 60_000;
            *self.host.replaced.borrow_mut() = Some(Replaced { ledger, until, location, is_mute: false });
        }
        self.open_ledger(storage);
    }

    /// One transaction of the ledger.
    pub(crate) fn ledger<T>(
        &self,
        act: impl FnOnce(&mut Ledger<MemoryStorage>, Timestamp) -> T,
    ) -> Option<T> {
        let now = self.ledger_now();
        self.host.ledger.borrow_mut().as_mut().map(|ledger| act(ledger, now))
    }

    /// A transaction that is not kept: the instance ends in it.
    pub(crate) fn lose_transaction<T>(
        self: &Rc<Self>,
        act: impl FnOnce(&mut Ledger<MemoryStorage>, Timestamp) -> T,
    ) {
        let before = self.host.ledger.borrow().as_ref().map(|ledger| ledger.storage().clone());
        self.ledger(act);
        if let Some(before) = before {
            self.open_ledger(before);
        }
    }

    fn replaced<T>(
        &self,
        location: usize,
        act: impl FnOnce(&mut Ledger<MemoryStorage>, Timestamp) -> T,
    ) -> Result<T, SourceError> {
        let now = self.ledger_now();
        let mut replaced = self.host.replaced.borrow_mut();
        let Some(old) = replaced.as_mut().filter(|old| old.location == location) else {
            return failed("the instance is gone");
        };
        let before = old.ledger.storage().clone();
        let answer = act(&mut old.ledger, now);
        old.is_mute |= *old.ledger.storage() != before;
        if old.is_mute {
            self.count("answers of a replaced instance that never left");
            return failed("what the instance wrote was not confirmed");
        }
        self.count("answers of a replaced instance");
        Ok(answer)
    }

    /// Whether a location still reaches an instance that was replaced.
    fn is_astray(&self, location: usize) -> bool {
        let mut replaced = self.host.replaced.borrow_mut();
        if replaced.as_ref().is_some_and(|old| self.now() >= old.until) {
            *replaced = None;
        }
        replaced.as_ref().is_some_and(|old| old.location == location)
    }

    /// Calls the ledger from a location.
    pub(crate) async fn call_ledger<T>(
        &self,
        location: usize,
        timeout: u64,
        act: impl FnOnce(&mut Ledger<MemoryStorage>, Timestamp) -> Option<T>,
    ) -> Result<T, SourceError> {
        let deadline = self.now() + timeout;
        let is_down = self.faults.no_ledger.get(location).is_some_and(|fault| self.is_on(fault));
        if is_down || self.once_in(60) {
            let at_once = self.throw(2) == 0;
            self.wait(if at_once { 5 } else { timeout }).await;
            return failed("the ledger does not answer");
        }
        let there = self.latency();
        self.executor.until(deadline.min(self.now() + there)).await;
        if self.now() >= deadline {
            return failed("the ledger did not answer in time");
        }
        let answer = match self.is_astray(location) {
            true => self.replaced(location, act)?,
            false => match self.ledger(act) {
                Some(answer) => answer,
                None => return failed("there is no instance"),
            },
        };
        let back = self.latency();
        self.executor.until(deadline.min(self.now() + back)).await;
        if self.now() >= deadline {
            return failed("the ledger's answer came too late");
        }
        answer.ok_or_else(|| SourceError("the ledger is off".to_owned()))
    }

    /// Asks about one record, with the read of KV that the ledger may want.
    pub(crate) async fn ask(
        &self,
        location: usize,
        name: &str,
        timeout: u64,
    ) -> Result<Vec<u8>, SourceError> {
        let is_on = |ledger: &Ledger<MemoryStorage>| ledger.is_on();
        let asked = self
            .call_ledger(location, timeout, |ledger, now| is_on(ledger).then(|| ledger.ask(name, now)))
            .await?;
        let asked = match asked {
            Asked::Read(name) => {
                self.wait(self.latency()).await;
                let read = self.with_kv(|kv, now, dice| kv.read(LEDGER_LOCATION, &name, SHORTEST, now, dice));
                let text = read.as_ref().map(|entry| String::from_utf8_lossy(&entry.bytes).into_owned());
                let expires = read.and_then(|entry| entry.expiration);
                self.ledger(|ledger, now| ledger.took_from_kv(&name, text.as_deref(), expires, now))
            }
            known => Some(known),
        };
        let epoch = self.ledger(|ledger, _| ledger.epoch()).unwrap_or_default();
        match asked {
            Some(Asked::Known(change, revision)) => {
                let changes = vec![change];
                Ok(pointsman_core::directory::log::Segment { epoch, first: revision, changes }.encode())
            }
            _ => failed("no answer"),
        }
    }

    /// Has the ledger's worker look for what is due.
    pub(crate) fn wake_ledger(&self) {
        self.host.is_woken.set(true);
        self.executor.wake_at(self.host.worker.get(), self.now());
    }

    /// What the ledger's alarm does, as long as the instance lives: what is due, and all of it before more is asked for.
    async fn work(self: Rc<Self>, instance: u64) {
        let worker = self.executor.current();
        self.host.worker.set(worker);
        loop {
            let jobs = self.ledger(|ledger, now| ledger.jobs(now)).unwrap_or_default();
            let left = Rc::new(Cell::new(jobs.len()));
            for job in jobs {
                let (world, left) = (Rc::clone(&self), Rc::clone(&left));
                self.executor.spawn(0, async move {
                    let done = world.carry_out(job).await;
                    // What the instance before has begun, this one hears nothing of.
                    if let Some((done, bytes)) = done.filter(|_| world.host.instance.get() == instance) {
                        let random = world.random();
                        world.ledger(|ledger, now| ledger.done(&done, bytes.as_deref(), now, random));
                        world.host.is_woken.set(true);
                    }
                    left.set(left.get() - 1);
                    world.executor.wake_at(worker, world.now());
                });
            }
            let lease = self.now() + LEASE;
            self.until_or(lease, || left.get() == 0).await;
            let next = self.ledger(|ledger, now| ledger.next_alarm(now).millis());
            let next = next.unwrap_or_default().max(self.now() + 1000);
            self.until_or(next, || self.host.is_woken.take()).await;
            if self.host.instance.get() != instance {
                return;
            }
        }
    }

    /// Waits until an instant, or, whenever somebody wakes this future, for something else.
    async fn until_or(&self, instant: u64, is_so: impl Fn() -> bool) {
        self.executor.wake_at(self.executor.current(), instant);
        poll_fn(|_| if is_so() || self.now() >= instant { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    /// How long an operation of KV takes: none that comes to an end takes longer than fifteen seconds.
    async fn kv_takes(&self) {
        let span = if self.once_in(40) { self.throw(14_000) } else { self.latency() };
        self.wait(span).await;
    }

    /// Writes to KV for the ledger; false where it is told that this failed, which may be wrong.
    async fn put(&self, name: &str, entry: Option<Entry>) -> bool {
        self.kv_takes().await;
        if self.is_on(&self.faults.no_writes) {
            self.count("writes that KV refused");
            return false;
        }
        let now = self.now();
        self.kv.borrow_mut().put(name, entry, now);
        self.kv_takes().await;
        !self.once_in(60)
    }

    async fn get(&self, name: &str) -> Option<Vec<u8>> {
        self.kv_takes().await;
        let read = self.with_kv(|kv, now, dice| kv.read(LEDGER_LOCATION, name, SHORTEST, now, dice));
        read.map(|entry| entry.bytes.to_vec())
    }

    async fn carry_out(&self, job: Job) -> Option<(Done, Option<Vec<u8>>)> {
        Some(match job {
            Job::Write(write) => (Done::Write(self.write(write).await), None),
            Job::List(job) => {
                let page = self.list(&job).await;
                (Done::List { job, page }, None)
            }
            Job::Read(names) => {
                let mut entries = Vec::new();
                for name in names {
                    let value =
                        self.get(&name).await.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
                    entries.push(ReadEntry { name, value });
                }
                (Done::Read(entries), None)
            }
            Job::File(job) => self.file(job).await,
            Job::Backup => {
                let bytes = self.ledger(|ledger, now| (ledger.tail(), ledger.revocations(now)));
                let (head, revocations) = bytes?;
                let ok = self.put(REVOCATIONS_NAME, Some(Entry::of(&revocations))).await
                    && self.put(HEAD_NAME, Some(Entry::of(&head))).await;
                (Done::Backup { ok }, None)
            }
            Job::ReadHead => (Done::ReadHead, self.get(HEAD_NAME).await),
            Job::ReadRevocations => (Done::ReadRevocations, self.get(REVOCATIONS_NAME).await),
            Job::ReadTouched => {
                let names =
                    self.get(TOUCHED_NAME).await.and_then(|bytes| serde_json::from_slice(&bytes).ok());
                (Done::ReadTouched(names.unwrap_or_default()), None)
            }
        })
    }

    async fn write(&self, write: Write) -> Written {
        let Write { name, value, sha256, expiration, number } = write;
        let entry = value.map(|value| Entry { sha256, expiration, ..Entry::of(value.as_bytes()) });
        let is_done = self.put(&name, entry).await;
        Written { name, number, error: (!is_done).then(|| "unavailable".to_owned()) }
    }

    async fn file(&self, job: FileJob) -> (Done, Option<Vec<u8>>) {
        let (mut ok, mut digest) = (true, None);
        match &job {
            FileJob::Put(name) => {
                let bytes = self.ledger(|ledger, _| ledger.file(name)).flatten();
                ok = match bytes {
                    Some(bytes) => self.put(name, Some(Entry::of(&bytes))).await,
                    None => false,
                };
            }
            FileJob::ReadBack(name) => {
                digest = self.get(name).await.map(|bytes| Digest::of(&bytes).to_string())
            }
            FileJob::Delete(name) => ok = self.put(name, None).await,
        }
        (Done::File { job, ok, digest }, None)
    }

    async fn list(&self, job: &ListJob) -> Option<Page> {
        self.kv_takes().await;
        if self.is_on(&self.faults.no_lists) {
            return None;
        }
        self.count("pages listed");
        if self.is_on(&self.faults.empty_lists) {
            return Some(Page { keys: Vec::new(), cursor: None });
        }
        let behind = job.cursor.clone().unwrap_or_default();
        let all = self.with_kv(|kv, now, dice| kv.list(&job.prefix, &behind, now, dice));
        let is_short = self.is_on(&self.faults.short_lists);
        let page: Vec<_> = all.iter().take(if is_short { 2 } else { PAGE }).collect();
        let is_last = is_short || page.len() == all.len();
        let cursor = page.last().filter(|_| !is_last).map(|(name, _)| name.clone());
        let listed = |(name, entry): &(String, Entry)| Listed {
            name: name.clone(),
            sha256: entry.sha256.clone(),
            expiration: entry.expiration,
        };
        Some(Page { keys: page.into_iter().map(listed).collect(), cursor })
    }
}
