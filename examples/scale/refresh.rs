//! Runs the real scheduled refresh over lists of some size and counts what it asks of KV.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
};

use pointsman_core::{
    base::time::{Span, Timestamp},
    customer::roster::RosterState,
    identity::{algorithm::Algorithm, customer_id::CustomerId, jwk_set::PublicKey},
    state::memory::Memory,
};
use pointsman_loader::{
    ports::{Document, DocumentRequest, Landing, Ports, SourceError, VerifyError},
    scheduled::CustomerRefresh,
};

use crate::typical;

/// What filling an empty KV from a list took, and what follows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Filling {
    /// Customers on the list.
    pub(crate) customers: u64,
    /// Bytes of the list.
    pub(crate) list: usize,
    /// Bytes of the index in KV at the end.
    pub(crate) index: usize,
    /// Records that the first run wrote.
    pub(crate) first_run: usize,
    /// Calls of KV that it made.
    pub(crate) calls: u64,
    /// Runs that write as many until nothing is left to write.
    pub(crate) runs: u64,
    /// Runs that make the index anew where all records stand but for those of the first run.
    pub(crate) runs_of_index: u64,
    /// Calls of KV in a run without changes where the config API has entity tags.
    pub(crate) unchanged: u64,
    /// The same where it has none.
    pub(crate) unchanged_untagged: u64,
}

/// Fills an empty KV.
///
/// # Errors
/// Where the refresh fails.
pub(crate) fn fill(customers: u64) -> Result<Filling, String> {
    let gateway = typical::gateway()?;
    let entries: Vec<_> = (1..=customers).map(typical::entry).collect();
    let outside = Outside::new(format!("[{}]", entries.join(",")).into_bytes());
    let mut filling = Filling { customers, list: outside.list.len(), ..Filling::default() };
    let memory = RefCell::new(Memory::new(&gateway, 1));
    let refresh = CustomerRefresh::of(&gateway, &memory, &outside);
    let refresh = refresh.ok_or_else(|| "the configuration names no config API".to_owned())?;
    let run = || {
        outside.now.set(outside.now.get().plus(Span::from_secs(120)));
        outside.calls.set(0);
        let refreshed = pollster::block_on(refresh.run());
        refreshed.map(|refreshed| (refreshed, outside.calls.get())).map_err(|SourceError(what)| what)
    };
    let (first, calls) = run()?;
    (filling.first_run, filling.calls) = (first.written, calls);
    filling.runs = customers.div_ceil(first.written.max(1) as u64);
    // The other runs do the same over and over. Their records are put in place, so that the index is
    // made as it is where it was lost: each record is read and none is written.
    outside.put_in_place(customers);
    let mut pending = first.pending;
    while pending > 0 {
        pending = run()?.0.pending;
        filling.runs_of_index += 1;
    }
    filling.index = outside.entries.borrow().get(RosterState::INDEX_KEY).map_or(0, Vec::len);
    filling.unchanged = run()?.1;
    outside.tagged.set(false);
    filling.unchanged_untagged = run()?.1;
    Ok(filling)
}

/// KV and a config API in memory.
struct Outside {
    now: Cell<Timestamp>,
    list: Vec<u8>,
    tagged: Cell<bool>,
    entries: RefCell<HashMap<String, Vec<u8>>>,
    calls: Cell<u64>,
}

impl Outside {
    fn new(list: Vec<u8>) -> Self {
        Self {
            now: Cell::new(Timestamp::from_millis(1_800_000_000_000)),
            list,
            tagged: Cell::new(true),
            entries: RefCell::default(),
            calls: Cell::new(0),
        }
    }
}

impl Outside {
    fn put_in_place(&self, customers: u64) {
        let mut entries = self.entries.borrow_mut();
        for rank in 1..=customers {
            let name = format!("{}{}", CustomerId::REFRESHED_PREFIX, typical::id(rank));
            entries.entry(name).or_insert_with(|| typical::refreshed(rank).into_bytes());
        }
    }
}

impl Ports for Outside {
    fn now(&self) -> Timestamp {
        self.now.get()
    }

    fn has_store(&self) -> bool {
        true
    }

    async fn stored(&self, key: &str, _: Span) -> Result<Option<Vec<u8>>, SourceError> {
        self.calls.set(self.calls.get() + 1);
        Ok(self.entries.borrow().get(key).cloned())
    }

    async fn stored_many(&self, keys: &[String], _: Span) -> Result<Vec<Option<Vec<u8>>>, SourceError> {
        self.calls.set(self.calls.get() + 1);
        Ok(keys.iter().map(|key| self.entries.borrow().get(key).cloned()).collect())
    }

    async fn put_many(&self, entries: &[(String, String)], _: Span) -> Result<(), SourceError> {
        self.calls.set(self.calls.get() + entries.len() as u64);
        let entries = entries.iter().map(|(key, value)| (key.clone(), value.clone().into_bytes()));
        self.entries.borrow_mut().extend(entries);
        Ok(())
    }

    async fn document(&self, request: DocumentRequest<'_>) -> Result<Document, SourceError> {
        if self.list.len() > request.max_bytes {
            return Err(SourceError("the list is too long".to_owned()));
        }
        let etag = self.tagged.get().then(|| "\"1\"".to_owned());
        if etag.is_some() && request.etag == etag.as_deref() {
            return Ok(Document { status: 304, body: Vec::new(), etag, ..Document::default() });
        }
        Ok(Document { status: 200, body: self.list.clone(), etag, ..Document::default() })
    }

    async fn landed(&self, _: &str, _: Span) -> Landing {
        Landing::Late
    }

    fn land(&self, _: &str, _: bool) {}

    async fn verify(&self, _: &PublicKey, _: Algorithm, _: &str, _: &[u8]) -> Result<bool, VerifyError> {
        Err(VerifyError::UnusableKey)
    }

    fn note(&self, _: &str, _: &str) {}

    fn warn(&self, _: &str, _: &str) {}
}
