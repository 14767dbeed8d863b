//! A location with the real ledger behind it: what its isolates ask of the location's cache, of the ledger and of KV is
//! counted.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
};

use pointsman_core::{
    base::time::{Span, Timestamp},
    directory::log::{Epoch, Head, Revision, ShardRef},
    identity::{algorithm::Algorithm, jwk_set::PublicKey},
};
use pointsman_loader::ports::{
    DocumentRequest, FetchedDocument, HeadAnswer, LoadResult, Ports, SourceError, VerifyError,
};
use pointsman_testkit::World;

/// How long a poll and the way of its answer into the location's cache take: who polls meanwhile asks the ledger too.
const UNDER_WAY: Span = Span::from_millis(200);

/// One location.
pub(crate) struct Place<'a> {
    pub(crate) world: &'a World,
    /// What the location's cache has, or will have: each head with the time from which on it is there.
    heads: RefCell<VecDeque<(Timestamp, Head)>>,
    pub(crate) polls: Cell<u64>,
    pub(crate) asks: Cell<u64>,
    /// Reads of KV by isolates, of records and of shards.
    pub(crate) record_reads: Cell<u64>,
    pub(crate) shard_reads: Cell<u64>,
}

impl<'a> Place<'a> {
    pub(crate) fn new(world: &'a World) -> Self {
        Self {
            world,
            heads: RefCell::default(),
            polls: Cell::default(),
            asks: Cell::default(),
            record_reads: Cell::default(),
            shard_reads: Cell::default(),
        }
    }

    /// What the location's cache has.
    fn kept(&self, now: Timestamp) -> Option<Head> {
        let mut heads = self.heads.borrow_mut();
        while heads.get(1).is_some_and(|(from, _)| *from <= now) {
            heads.pop_front();
        }
        heads.front().filter(|(from, _)| *from <= now).map(|(_, head)| head.clone())
    }
}

fn add(counter: &Cell<u64>, more: u64) {
    counter.set(counter.get() + more);
}

impl Ports for Place<'_> {
    fn now(&self) -> Timestamp {
        self.world.now()
    }

    fn has_store(&self) -> bool {
        true
    }

    async fn stored(&self, key: &str, timeout: Span) -> Result<Option<Vec<u8>>, SourceError> {
        add(&self.record_reads, 1);
        self.world.stored(key, timeout).await
    }

    async fn stored_many(&self, keys: &[String], timeout: Span) -> Result<Vec<Option<Vec<u8>>>, SourceError> {
        add(&self.record_reads, keys.len() as u64);
        self.world.stored_many(keys, timeout).await
    }

    async fn put_many(&self, entries: &[(String, String)], timeout: Span) -> Result<(), SourceError> {
        self.world.put_many(entries, timeout).await
    }

    async fn document(&self, request: DocumentRequest<'_>) -> Result<FetchedDocument, SourceError> {
        self.world.document(request).await
    }

    async fn head(&self, at_most: Span, timeout: Span) -> Result<HeadAnswer, SourceError> {
        let now = self.now();
        if let Some(head) = self.kept(now).filter(|head| now.since(head.as_of) <= at_most) {
            return Ok(HeadAnswer { bytes: head.encode(), asked_at: None });
        }
        add(&self.polls, 1);
        let answer = self.world.head(at_most, timeout).await?;
        if let Some(head) = Head::decode(&answer.bytes) {
            self.heads.borrow_mut().push_back((now.plus(UNDER_WAY), head));
        }
        Ok(answer)
    }

    async fn segment(&self, epoch: Epoch, first: Revision, timeout: Span) -> Result<Vec<u8>, SourceError> {
        self.world.segment(epoch, first, timeout).await
    }

    async fn shard(&self, name: &str, named: &ShardRef, timeout: Span) -> Result<Vec<u8>, SourceError> {
        add(&self.shard_reads, 1);
        self.world.shard(name, named, timeout).await
    }

    async fn ask_ledger(&self, name: &str, timeout: Span) -> Result<Vec<u8>, SourceError> {
        add(&self.asks, 1);
        self.world.ask_ledger(name, timeout).await
    }

    async fn tail(&self, timeout: Span) -> Result<Option<Vec<u8>>, SourceError> {
        self.world.tail(timeout).await
    }

    async fn wait_for_load(&self, _: &str, _: Span) -> LoadResult {
        LoadResult::Late
    }

    fn complete_load(&self, _: &str, _: bool) {}

    async fn verify(
        &self,
        key: &PublicKey,
        algorithm: Algorithm,
        signing_input: &str,
        signature: &[u8],
    ) -> Result<bool, VerifyError> {
        self.world.verify(key, algorithm, signing_input, signature).await
    }

    fn note(&self, event: &str, message: &str) {
        self.world.note(event, message);
    }

    fn warn(&self, event: &str, message: &str) {
        self.world.warn(event, message);
    }
}
