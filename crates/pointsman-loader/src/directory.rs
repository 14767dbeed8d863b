//! Fetches what an isolate's copy of the directory is missing: the head of the log, segments of it, shards, and what the
//! ledger says of one record. What is missing, and what it means, the core says
//! ([`pointsman_core::directory::follower`]).

use std::{cell::RefCell, future::poll_fn, pin::Pin, task::Poll};

use pointsman_core::{
    base::{
        digest::Digest,
        time::{Span, Timestamp},
    },
    customer::record::CustomerConfig,
    directory::{
        follower::{Currency, Follower, Heard, TOKENS, Taken},
        log::Segment,
        pace::TRAFFIC,
        record_key::RecordKey,
    },
    identity::{
        customer_id::CustomerId,
        key_record::{KeyConfig, store_key},
    },
    state::{
        cache::Stored,
        directory::{Answer, Directory, Step},
        memory::Memory,
    },
};

use crate::{
    cold::boxed_cold,
    ports::{HeadAnswer, Ports, SourceError},
};

/// No request waits longer for the ledger.
const LEDGER_TIMEOUT: Span = Span::from_secs(1);
/// A shard may be a megabyte that KV brings from afar.
const SHARD_TIMEOUT: Span = Span::from_secs(5);
/// Segments that are fetched for one head: sixteen hold what shards leave to the log, and some more may be under way.
const MAX_SEGMENTS: usize = 32;
/// Steps that one look-up may take: a poll, its shard, an ask, and each again after somebody else's load came to nothing.
const MAX_STEPS: usize = 6;
/// Shards that are loaded behind one response: the free plan allows 50 calls a request.
const SHARDS_BEHIND_ONE: usize = 20;
/// Shards that are loaded at once.
const SHARDS_AT_ONCE: usize = 3;
/// The name under which requests wait for the head.
const HEAD_FLIGHT: &str = "directory:head";

/// What came of a look-up.
pub(crate) enum Resolved<T> {
    /// This.
    Known(Stored<T>),
    /// The directory does not know; what was the way before there was one is the way.
    Elsewhere,
    /// There is a record that this version cannot read; the same way, on which nothing found is no absence.
    Unreadable,
    /// It cannot be said now.
    Failed,
}

impl<T> Resolved<T> {
    /// What is known; `None` where nothing can be said.
    pub(crate) fn known(self) -> Option<Stored<T>> {
        match self {
            Self::Known(stored) => Some(stored),
            Self::Elsewhere | Self::Unreadable | Self::Failed => None,
        }
    }
}

/// What is to be done next for a look-up.
enum Next {
    Take(Step),
    Elsewhere,
    Unreadable,
    Failed,
    Done,
}

/// Follows the directory for one isolate.
pub(crate) struct DirectoryLoader<'a, P> {
    memory: &'a RefCell<Memory>,
    ports: &'a P,
}

impl<'a, P: Ports> DirectoryLoader<'a, P> {
    pub(crate) const fn new(memory: &'a RefCell<Memory>, ports: &'a P) -> Self {
        Self { memory, ports }
    }

    /// Looks up the key with this digest, fetching what that takes.
    pub(crate) async fn key(&self, digest: &Digest) -> Resolved<KeyConfig> {
        let mut found = None;
        let mut look =
            |directory: &mut Directory, asked, now| next(directory.key(digest, asked, now), &mut found);
        let next =
            boxed_cold(self.resolve(Some((RecordKey::api_key(digest), store_key(digest))), &mut look)).await;
        resolved(&next, found)
    }

    /// Looks up this customer, fetching what that takes.
    pub(crate) async fn customer(&self, id: &CustomerId) -> Resolved<CustomerConfig> {
        let mut found = None;
        let mut look =
            |directory: &mut Directory, asked, now| next(directory.customer(id, asked, now), &mut found);
        let next =
            boxed_cold(self.resolve(Some((RecordKey::customer(id.as_str()), id.store_key())), &mut look))
                .await;
        resolved(&next, found)
    }

    /// Fetches what it takes to tell tokens from revoked ones; false where that cannot be had.
    pub(crate) async fn revocations(&self) -> bool {
        let mut found = None;
        let mut look = |directory: &mut Directory, _, now| next(directory.revocations(now), &mut found);
        matches!(self.resolve(None, &mut look).await, Next::Done)
    }

    async fn resolve(
        &self,
        key: Option<(RecordKey, String)>,
        look: &mut dyn FnMut(&mut Directory, bool, Timestamp) -> Next,
    ) -> Next {
        let mut asked = false;
        for _ in 0..MAX_STEPS {
            let now = self.ports.now();
            let step = match self.memory.borrow_mut().directory.as_mut() {
                Some(directory) => look(directory, asked, now),
                None => Next::Elsewhere,
            };
            let Next::Take(step) = step else { return step };
            match step {
                Step::Poll => self.poll_or_wait().await,
                Step::Shard(prefix) => self.load_or_wait(prefix).await,
                Step::Ask => {
                    if let Some((key, name)) = &key {
                        self.ask(*key, name).await;
                    }
                    asked = true;
                }
            }
        }
        // Not elsewhere: the store may still have what the log says is revoked.
        Next::Failed
    }

    /// Polls, or waits for who does.
    async fn poll_or_wait(&self) {
        let now = self.ports.now();
        let until = self.with(|follower| match follower.take_poll(now) {
            true => None,
            false => follower.is_polling_until(now),
        });
        match until.flatten() {
            None => self.poll().await,
            Some(until) => {
                self.ports.wait_for_load(HEAD_FLIGHT, until.since(now)).await;
            }
        }
    }

    /// Polls: the caller has the lease.
    async fn poll(&self) {
        let well = self.fetch_head().await;
        if let Err(SourceError(message)) = &well {
            self.ports.warn("ledger_failed", message);
            let now = self.ports.now();
            let is_new = self.with(|follower| {
                follower.poll_failed(now);
                follower.known_at().is_none()
            });
            if is_new == Some(true) {
                self.take_tail().await;
            }
        }
        self.ports.complete_load(HEAD_FLIGHT, well.is_ok());
    }

    async fn fetch_head(&self) -> Result<(), SourceError> {
        let keeps = self.with(|follower| follower.follow().pace.location_keeps());
        let answer = self.ports.head(keeps.unwrap_or_default(), LEDGER_TIMEOUT).await;
        match self.take(answer).await? {
            Taken::Applied if self.is_current() => Ok(()),
            // A location may have kept what is older than what is known, or too old to answer by: the ledger itself knows.
            _ => match self.take(self.ports.head(Span::default(), LEDGER_TIMEOUT).await).await? {
                Taken::Applied => Ok(()),
                Taken::Ignored => {
                    Err(SourceError("the ledger answers by an older state than before".to_owned()))
                }
                Taken::Behind(_) => Err(SourceError("the ledger's log has a gap".to_owned())),
                Taken::Unreadable => Err(SourceError("the ledger's answer cannot be read".to_owned())),
                Taken::Newer => Err(SourceError(
                    "the ledger is two versions ahead, and this one does not read what it writes".to_owned(),
                )),
            },
        }
    }

    /// Whether the copy is young enough to answer by.
    fn is_current(&self) -> bool {
        let now = self.ports.now();
        self.with(|follower| follower.currency(now, Span::default())) == Some(Currency::Current)
    }

    /// Takes a head, and fetches the segments that it needs.
    async fn take(&self, answer: Result<HeadAnswer, SourceError>) -> Result<Taken, SourceError> {
        let HeadAnswer { bytes, asked_at } = answer?;
        let heard = asked_at.map_or(Heard::Cache, |asked_at| Heard::Ledger { asked_at });
        let now = self.ports.now();
        let mut taken =
            self.with(|follower| follower.take_head(&bytes, heard, now)).unwrap_or(Taken::Ignored);
        for _ in 0..MAX_SEGMENTS {
            let Taken::Behind(first) = taken else { return Ok(taken) };
            let epoch = self.with(|follower| follower.epoch()).unwrap_or_default();
            let segment = self.ports.segment(epoch, first, LEDGER_TIMEOUT).await;
            let now = self.ports.now();
            taken = match segment {
                Ok(bytes) => {
                    self.with(|follower| follower.take_segment(&bytes, now)).unwrap_or(Taken::Ignored)
                }
                Err(SourceError(message)) => {
                    self.ports.warn("ledger_failed", &message);
                    break;
                }
            };
        }
        let now = self.ports.now();
        match self.with(|follower| follower.skip_to_shards(now)) {
            Some(true) => Ok(Taken::Applied),
            _ => Ok(Taken::Behind(0)),
        }
    }

    /// Begins with what the ledger left in KV, while it is silent itself.
    async fn take_tail(&self) {
        let bytes = match self.ports.tail(SHARD_TIMEOUT).await {
            Ok(Some(bytes)) => bytes,
            Ok(None) => {
                self.with(Follower::note_no_tail);
                return;
            }
            Err(SourceError(message)) => return self.ports.warn("directory_tail_failed", &message),
        };
        let now = self.ports.now();
        self.with(|follower| follower.take_head(&bytes, Heard::Cache, now));
    }

    /// Loads a shard, or waits for who does.
    async fn load_or_wait(&self, prefix: u32) {
        let now = self.ports.now();
        if self.with(|follower| follower.begin_load_of(prefix, now)) == Some(true) {
            return self.load_shard(prefix).await;
        }
        self.ports.wait_for_load(&shard_flight(prefix), SHARD_TIMEOUT).await;
    }

    /// Loads a shard: the caller has the lease.
    async fn load_shard(&self, prefix: u32) {
        let Some((name, named)) = self.with(|follower| follower.named(prefix)).flatten() else { return };
        let bytes = match self.ports.shard(&name, &named, SHARD_TIMEOUT).await {
            Ok(bytes) => Some(bytes),
            Err(SourceError(message)) => {
                self.ports.warn("directory_shard_failed", &message);
                None
            }
        };
        let now = self.ports.now();
        let taken = self.with(|follower| follower.take_shard(prefix, &named, bytes, now));
        self.ports.complete_load(&shard_flight(prefix), taken == Some(true));
    }

    /// Asks the ledger about one record.
    async fn ask(&self, key: RecordKey, name: &str) {
        let now = self.ports.now();
        self.with(|follower| follower.asking().begin(now));
        let answer = self.ports.ask_ledger(name, LEDGER_TIMEOUT).await;
        let reads = self.with(|follower| follower.reads()).unwrap_or_default();
        let said = match answer {
            Ok(bytes) => Segment::decode_up_to(&bytes, reads),
            Err(SourceError(message)) => {
                self.ports.warn("ledger_failed", &message);
                None
            }
        };
        let now = self.ports.now();
        self.with(|follower| {
            let found = said.is_some_and(|Segment { epoch, first, changes }| {
                let change = changes.into_iter().find(|change| change.key == key);
                change.is_some_and(|change| {
                    let is_there = change.row.is_some();
                    follower.take_answer(change, first, epoch);
                    is_there
                })
            });
            let pace = follower.follow().pace;
            follower.asking().end(found, now, pace);
        });
    }

    /// Works behind a response: polls where that is due, and loads shards that are missing.
    pub(crate) async fn follow(&self) {
        self.poll_if_due(self.ports.now()).await;
        self.load_missing().await;
    }

    /// Goes on polling for a while where there is traffic, so that the next request finds a young copy.
    pub(crate) async fn keep_following(&self) {
        let began = self.ports.now();
        self.with(|follower| follower.begin_to_keep_polling(began));
        loop {
            let now = self.ports.now();
            // A later request took over.
            if self.with(|follower| follower.polling_since()) != Some(began) {
                return;
            }
            let Some(pause) = self.with(|follower| follower.next_poll_in_traffic(now)).flatten() else {
                return;
            };
            if now.plus(pause).since(began) >= TRAFFIC {
                return;
            }
            self.ports.sleep(pause).await;
            self.follow().await;
        }
    }

    async fn poll_if_due(&self, now: Timestamp) {
        // The request may have taken the lease when it was decided.
        let polls = self.with(|follower| follower.take_due_poll(now));
        if polls == Some(true) {
            self.poll().await;
        }
    }

    async fn load_missing(&self) {
        let mut loads = Loads::default();
        for _ in 0..SHARDS_BEHIND_ONE {
            let now = self.ports.now();
            let Some(prefix) = self.with(|follower| follower.begin_load(now)).flatten() else { break };
            loads.add(self.load_shard(prefix)).await;
        }
        loads.finish().await;
    }

    /// Whether a shard is missing that nobody loads.
    pub(crate) fn is_missing_shards(&self) -> bool {
        let now = self.ports.now();
        self.with(|follower| follower.is_missing(now)) == Some(true)
    }

    fn with<T>(&self, act: impl FnOnce(&mut Follower) -> T) -> Option<T> {
        self.memory.borrow_mut().directory.as_mut().map(|directory| act(&mut directory.follower))
    }
}

fn shard_flight(prefix: u32) -> String {
    if prefix == TOKENS { "directory:tokens".to_owned() } else { format!("directory:{prefix}") }
}

fn next<T>(answer: Answer<T>, found: &mut Option<Stored<T>>) -> Next {
    match answer {
        Answer::Known(stored) | Answer::Last(stored) => {
            *found = Some(stored);
            Next::Done
        }
        Answer::Wait(step) => Next::Take(step),
        Answer::Elsewhere => Next::Elsewhere,
        Answer::Unreadable => Next::Unreadable,
        Answer::Unsure | Answer::Closed => Next::Failed,
    }
}

fn resolved<T>(next: &Next, found: Option<Stored<T>>) -> Resolved<T> {
    match (next, found) {
        (Next::Done, Some(stored)) => Resolved::Known(stored),
        (Next::Failed, _) => Resolved::Failed,
        (Next::Unreadable, _) => Resolved::Unreadable,
        _ => Resolved::Elsewhere,
    }
}

/// A few loads at once.
#[derive(Default)]
struct Loads<'f>(Vec<Pin<Box<dyn Future<Output = ()> + 'f>>>);

impl<'f> Loads<'f> {
    /// Begins one, once fewer than [`SHARDS_AT_ONCE`] are under way.
    async fn add(&mut self, load: impl Future<Output = ()> + 'f) {
        self.0.push(Box::pin(load));
        self.run(SHARDS_AT_ONCE - 1).await;
    }

    async fn finish(&mut self) {
        self.run(0).await;
    }

    /// Goes on until at most so many are under way.
    async fn run(&mut self, at_most: usize) {
        poll_fn(|context| {
            self.0.retain_mut(|load| load.as_mut().poll(context).is_pending());
            if self.0.len() <= at_most { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}
