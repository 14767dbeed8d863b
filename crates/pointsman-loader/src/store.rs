//! The store, as the loaders use it: each call within the configured timeout, and for operators a note of how it went.

use std::cell::RefCell;

use pointsman_core::{
    base::{
        freshness::MAX_CLOCK_SKEW,
        object::parse_object,
        time::{Span, Timestamp},
    },
    decide::decision::Write,
    state::{config::Gateway, memory::Memory},
};

use crate::ports::{Ports, SourceError};

/// The store of one isolate.
pub(crate) struct Store<'a, P> {
    memory: &'a RefCell<Memory>,
    ports: &'a P,
    timeout: Span,
}

impl<'a, P: Ports> Store<'a, P> {
    pub(crate) const fn new(gateway: &Gateway, memory: &'a RefCell<Memory>, ports: &'a P) -> Self {
        Self { memory, ports, timeout: gateway.store_timeout() }
    }

    /// Reads an entry.
    pub(crate) async fn read(&self, key: &str) -> Result<Option<Vec<u8>>, SourceError> {
        let result = self.ports.stored(key, self.timeout).await;
        self.note(result.as_ref().map(|_| ()));
        result
    }

    /// Reads at most 100 entries by one call.
    pub(crate) async fn read_many(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, SourceError> {
        let result = self.ports.stored_many(keys, self.timeout).await;
        self.note(result.as_ref().map(|_| ()));
        result
    }

    fn note(&self, went: Result<(), &SourceError>) {
        let went = went.map_err(|SourceError(what)| what.as_str());
        self.memory.borrow_mut().store_health.note(self.ports.now(), went);
    }

    /// Writes entries, whatever stands there.
    pub(crate) async fn put_many(&self, entries: &[(String, String)]) -> Result<(), SourceError> {
        self.ports.put_many(entries, self.timeout).await
    }

    /// Writes a refreshed record, unless what stands there is newer. KV has no compare-and-set: two
    /// isolates that write in the same moment can still cross, and the next refresh puts that right. What
    /// an operator writes has names of its own, so no crossing ever meets that.
    pub(crate) async fn write_refreshed(&self, write: &Write) {
        let Write { key, record, asked_at, .. } = write;
        let result = match self.read(key).await {
            Ok(Some(there)) if is_as_new(&there, *asked_at, self.ports.now()) => return,
            Ok(_) => self.put_many(&[(key.clone(), record.clone())]).await,
            Err(error) => Err(error),
        };
        if let Err(SourceError(what)) = result {
            self.ports.warn("store_write_failed", &format!("{key}: {what}"));
        }
    }
}

/// Whether a stored record was refreshed at `asked_at` or later. The name is the gateway's own, so what
/// cannot be read there is written over; and so is what a broken clock wrote that was ahead, or nothing
/// could replace it until its time has come.
fn is_as_new(record: &[u8], asked_at: Timestamp, now: Timestamp) -> bool {
    let members = parse_object(record).ok();
    let fetched_at = members.as_ref().and_then(|members| members.get("fetchedAt")?.as_str());
    let fetched_at = fetched_at.and_then(Timestamp::parse_rfc3339);
    fetched_at.is_some_and(|at| at >= asked_at && at <= now.plus(MAX_CLOCK_SKEW))
}
