//! An isolate of the gateway: its memory and its clock, and the platform as it sees that.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    future::poll_fn,
    rc::Rc,
    task::Poll,
};

use pointsman_core::{
    base::time::{Span, Timestamp},
    directory::log::{Epoch, Head, Revision, ShardRef},
    identity::{algorithm::Algorithm, jwk_set::PublicKey},
    state::{directory::Directory, memory::Memory},
};
use pointsman_ledger::HEAD_NAME;
use pointsman_loader::{
    native,
    ports::{DocumentRequest, FetchedDocument, HeadAnswer, LoadResult, Ports, SourceError, VerifyError},
};

use crate::{
    config_api::Said,
    executor::TaskId,
    host::SHORTEST,
    kv::Entry,
    world::{KeptHead, Worker, World},
};

/// For how long a location keeps a shard, or that it was not there, in milliseconds.
const SHARD_KEPT: u64 = 86_400_000;
/// For how long a location keeps what was read without a word of it, in milliseconds.
const USUALLY_KEPT: u64 = 60_000;

/// Who waits for a load, and how that ended.
type Waiting = (TaskId, Rc<Cell<Option<bool>>>);

/// An isolate.
pub(crate) struct Isolate {
    pub(crate) world: Rc<World>,
    pub(crate) id: u64,
    pub(crate) worker: Worker,
    pub(crate) location: usize,
    /// How far its clock is ahead, in milliseconds, plus half a second.
    skew: u64,
    pub(crate) memory: RefCell<Memory>,
    waiting: RefCell<BTreeMap<String, Vec<Waiting>>>,
    /// Until when it gets no requests.
    pub(crate) sleeps_until: Cell<u64>,
    /// What the config API said last when it was asked for its list.
    pub(crate) listed: RefCell<Vec<Said>>,
    /// Polls that brought nothing so far.
    pub(crate) failures: Cell<u64>,
    /// By which values it served each key last, and when.
    pub(crate) served: RefCell<BTreeMap<usize, Served>>,
}

/// What an isolate served a key by.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Served {
    pub(crate) at: u64,
    pub(crate) epoch: Epoch,
    pub(crate) url: String,
    /// The numbers of the key's value and of the customer's.
    pub(crate) key: usize,
    pub(crate) customer: (usize, usize),
}

impl Isolate {
    /// An isolate of a Worker that is born now, at a location, with a clock that is up to half a second off.
    pub(crate) fn new(world: &Rc<World>, id: u64, worker: usize, location: usize) -> Self {
        let seed = world.throw(u64::MAX >> 20);
        let worker = world.workers[worker];
        let mut memory = Memory::new(worker.gateway, seed);
        memory.directory = Some(Directory::new(worker.gateway, seed));
        Self {
            id,
            worker,
            location,
            skew: world.throw(1001),
            listed: RefCell::default(),
            memory: RefCell::new(memory),
            waiting: RefCell::default(),
            sleeps_until: Cell::new(0),
            failures: Cell::new(0),
            served: RefCell::default(),
            world: Rc::clone(world),
        }
    }

    fn read(&self, name: &str, keeps: u64) -> Result<Option<Entry>, SourceError> {
        if self.world.is_on(&self.world.faults.no_reads) {
            return Err(SourceError("KV does not answer".to_owned()));
        }
        Ok(self.world.with_kv(|kv, now, dice| kv.read(self.location, name, keeps, now, dice)))
    }

    fn kept_head(&self, at_most: u64) -> Option<Vec<u8>> {
        let heads = self.world.heads.get(self.location)?.borrow();
        let kept = heads.as_ref()?;
        // Some locations keep what they should have dropped.
        if self.world.now() >= kept.until && !self.world.once_in(3) {
            return None;
        }
        let as_of = Head::decode(&kept.bytes)?.as_of;
        let now = self.now();
        let is_young = now.since(as_of).millis() <= at_most && as_of.since(now).millis() <= 1000;
        is_young.then(|| kept.bytes.clone())
    }

    /// Leaves a head in the location's cache, some time.
    fn keep_head(&self, bytes: Vec<u8>, at_most: u64) {
        let (world, location, takes) = (Rc::clone(&self.world), self.location, self.world.latency());
        self.world.executor.spawn(0, async move {
            world.wait(takes).await;
            let until = world.now() + at_most;
            if let Some(head) = world.heads.get(location) {
                *head.borrow_mut() = Some(KeptHead { bytes, until });
            }
        });
    }
}

impl Ports for Isolate {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.world.now() + self.skew - 500)
    }

    fn has_store(&self) -> bool {
        true
    }

    async fn stored(&self, key: &str, _: Span) -> Result<Option<Vec<u8>>, SourceError> {
        self.world.count("reads of KV by requests");
        self.world.wait(self.world.latency()).await;
        Ok(self.read(key, USUALLY_KEPT)?.map(|entry| entry.bytes.to_vec()))
    }

    async fn stored_many(&self, keys: &[String], timeout: Span) -> Result<Vec<Option<Vec<u8>>>, SourceError> {
        let mut found = Vec::new();
        for key in keys {
            found.push(self.stored(key, timeout).await?);
        }
        Ok(found)
    }

    async fn put_many(&self, entries: &[(String, String)], _: Span) -> Result<(), SourceError> {
        self.world.wait(self.world.latency()).await;
        if self.world.is_on(&self.world.faults.no_writes) {
            return Err(SourceError("KV takes nothing".to_owned()));
        }
        let now = self.world.now();
        for (name, value) in entries {
            self.world.kv.borrow_mut().put(name, Some(Entry::of(value.as_bytes())), now);
        }
        Ok(())
    }

    async fn document(&self, request: DocumentRequest<'_>) -> Result<FetchedDocument, SourceError> {
        self.world.wait(self.world.latency()).await;
        let (answer, said) = self.world.document(&request);
        if let Some(said) = said {
            *self.listed.borrow_mut() = said;
        }
        Ok(answer)
    }

    async fn head(&self, at_most: Span, timeout: Span) -> Result<HeadAnswer, SourceError> {
        self.world.wait(self.world.throw(5)).await;
        if at_most > Span::default()
            && let Some(bytes) = self.kept_head(at_most.millis())
        {
            self.world.count("heads of a location");
            return Ok(HeadAnswer { bytes, asked_at: None });
        }
        let asked_at = Some(self.now());
        let polled = self.world.call_ledger(self.location, timeout.millis(), |ledger, now| {
            ledger.is_on().then(|| ledger.poll(now))
        });
        let mut bytes = polled.await?;
        self.world.count("polls");
        if self.world.once_in(150) {
            bytes.truncate(self.world.pick(bytes.len()));
            return Ok(HeadAnswer { bytes, asked_at });
        }
        self.keep_head(bytes.clone(), at_most.millis());
        Ok(HeadAnswer { bytes, asked_at })
    }

    async fn segment(&self, _: Epoch, first: Revision, timeout: Span) -> Result<Vec<u8>, SourceError> {
        self.world.count("segments");
        let fetched = self.world.call_ledger(self.location, timeout.millis(), |ledger, _| {
            ledger.segment(first).map(|segment| segment.bytes)
        });
        fetched.await
    }

    async fn shard(&self, name: &str, named: &ShardRef, timeout: Span) -> Result<Vec<u8>, SourceError> {
        self.world.count("shards");
        let is_it =
            |bytes: &[u8]| pointsman_core::base::digest::Digest::of(bytes).bytes().starts_with(&named.hash);
        for keeps in [SHARD_KEPT, SHORTEST] {
            self.world.wait(self.world.latency()).await;
            if let Some(entry) = self.read(name, keeps)?
                && is_it(&entry.bytes)
            {
                return Ok(entry.bytes.to_vec());
            }
        }
        self.world.count("shards from the ledger");
        let timeout = timeout.millis();
        let bytes = self.world.call_ledger(self.location, timeout, |ledger, _| ledger.file(name)).await?;
        if is_it(&bytes) { Ok(bytes) } else { Err(SourceError("another shard".to_owned())) }
    }

    async fn ask_ledger(&self, name: &str, timeout: Span) -> Result<Vec<u8>, SourceError> {
        self.world.count("asks");
        self.world.ask(self.location, name, timeout.millis()).await
    }

    async fn take_list(&self, json: &str, timeout: Span) -> Result<String, SourceError> {
        self.world.take_list(self.location, json, timeout.millis()).await
    }

    async fn provided(&self, behind: &[u8], limit: u32, timeout: Span) -> Result<Vec<u8>, SourceError> {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let called = self.world.call_ledger(self.location, timeout.millis(), |ledger, _| {
            Some(ledger.provided_page(behind, limit))
        });
        called.await
    }

    async fn tail(&self, _: Span) -> Result<Option<Vec<u8>>, SourceError> {
        self.world.count("tails");
        self.world.wait(self.world.latency()).await;
        Ok(self.read(HEAD_NAME, SHORTEST)?.map(|entry| entry.bytes.to_vec()))
    }

    async fn sleep(&self, span: Span) {
        self.world.wait(span.millis()).await;
    }

    async fn wait_for_load(&self, flight: &str, at_most: Span) -> LoadResult {
        let world = &self.world;
        let (deadline, landed) = (world.now() + at_most.millis(), Rc::new(Cell::new(None)));
        let waiting = (world.executor.current(), Rc::clone(&landed));
        self.waiting.borrow_mut().entry(flight.to_owned()).or_default().push(waiting);
        world.executor.wake_at(world.executor.current(), deadline);
        poll_fn(|_| match landed.get() {
            Some(true) => Poll::Ready(LoadResult::Done),
            Some(false) => Poll::Ready(LoadResult::Failed),
            None if world.now() >= deadline => Poll::Ready(LoadResult::Late),
            None => Poll::Pending,
        })
        .await
    }

    fn complete_load(&self, flight: &str, well: bool) {
        for (task, landed) in self.waiting.borrow_mut().remove(flight).unwrap_or_default() {
            landed.set(Some(well));
            self.world.executor.wake_at(task, self.world.now());
        }
    }

    async fn verify(
        &self,
        key: &PublicKey,
        algorithm: Algorithm,
        signing_input: &str,
        signature: &[u8],
    ) -> Result<bool, VerifyError> {
        native::verify(key, algorithm, signing_input, signature)
    }

    fn note(&self, event: &str, message: &str) {
        self.warn(event, message);
    }

    fn warn(&self, event: &str, message: &str) {
        if event == "ledger_failed" {
            self.failures.set(self.failures.get() + 1);
        }
        self.world.tell(|| format!("isolate {}: {event}: {message}", self.id));
    }
}
