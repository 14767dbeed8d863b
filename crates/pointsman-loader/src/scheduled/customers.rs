//! The scheduled refresh of customers: brings the store in line with the config API's whole list.
//!
//! A Worker may make a thousand calls of KV in one run, and reads a hundred entries with one of them. So
//! an index of what was written is kept in one entry: what has changed is known by reading that alone,
//! and what needs writing is written page by page, run after run. Once nothing is left to write, one
//! small entry ([`RosterState`]) vouches for all records at once. docs/scale.md has the arithmetic.
//!
//! All that is written here has names that no operator writes under ([`CustomerId::refreshed_key`]). A
//! record that an older version left under the operator's name is moved: written anew under its own. The
//! old entry is left where it is, and nobody reads it any more. To delete it would be to delete whatever
//! stands there by then: this location may see it as it was a minute ago, and an operator may have put a
//! record of their own in its place since.

use std::cell::RefCell;

use pointsman_core::{
    base::{
        json::text,
        record::{RecordError, entry_of},
        shape::escape,
        time::Timestamp,
    },
    customer::{
        backend_url::AllowHttp,
        roster::{Roster, RosterState},
    },
    state::{config::Gateway, memory::Memory},
};
use serde_json::Value;

use super::{
    changes::{Before, Change, Comparison, CustomerChange, Index, judge},
    ledger_feed::LedgerFeed,
};
use crate::{
    cold::boxed_cold,
    config_api::ConfigApi,
    ports::{FetchedDocument, Ports, SourceError},
    refresh_state::RefreshState,
    store::Store,
};

/// Calls of KV that one run spends on records: of the thousand, the rest is for state, index and the
/// key sets of a few dozen issuers.
const MAX_CALLS: usize = 850;
/// What one call reads.
const BULK: usize = 100;

/// What one run did.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Refreshed {
    /// Customers on the list.
    pub listed: usize,
    /// Records written.
    pub written: usize,
    /// Of these, customers who were no longer listed.
    pub gone: usize,
    /// Records that are left for the next run.
    pub pending: usize,
}

/// The refresh of all customers of one isolate.
pub struct CustomerRefresh<'a, P> {
    allow_http: AllowHttp,
    ports: &'a P,
    store: Store<'a, P>,
    config_api: ConfigApi<'a, P>,
    state: RefreshState<'a, P>,
    /// Takes all of it over where isolates follow a ledger.
    feed: Option<LedgerFeed<'a, P>>,
}

impl<'a, P: Ports> CustomerRefresh<'a, P> {
    /// The refresh, where the configuration names a config API.
    pub fn of(gateway: &'a Gateway, memory: &'a RefCell<Memory>, ports: &'a P) -> Option<Self> {
        Some(Self {
            allow_http: gateway.allow_http(),
            ports,
            store: Store::new(gateway, memory, ports),
            config_api: ConfigApi::of(gateway, memory, ports)?,
            state: RefreshState::new(gateway, memory, ports),
            feed: LedgerFeed::of(gateway, memory, ports),
        })
    }

    /// Takes the list and brings the ledger, or else the store, in line with it.
    ///
    /// # Errors
    /// Where the list cannot be had or believed, or whoever holds the records fails.
    pub async fn run(&self) -> Result<Refreshed, SourceError> {
        match &self.feed {
            Some(feed) => boxed_cold(feed.run()).await,
            None => boxed_cold(self.write_to_store()).await,
        }
    }

    /// Takes the list and writes a page of what has changed.
    ///
    /// # Errors
    /// Where the list cannot be had or believed, or the store fails. Nothing is confirmed then.
    async fn write_to_store(&self) -> Result<Refreshed, SourceError> {
        let asked_at = self.ports.now();
        let state = self.state.read().await?;
        // While records are still to be written, the list is needed again whether it changed or not.
        let done = state.moved && state.pending == 0 && !state.confirmed_at.is_empty();
        let held = state.etag.as_deref().filter(|_| done);
        let FetchedDocument { status, body, etag, .. } =
            self.config_api.list(held).await.map_err(SourceError)?;
        let mut index = match status {
            304 if held.is_some() => {
                let refreshed = Refreshed { listed: state.count, ..Refreshed::default() };
                let state = RosterState { confirmed_at: asked_at.to_string(), ..state };
                return self.state.write(state, asked_at).await.map(|()| refreshed);
            }
            200..=299 => self.read_index().await?,
            _ => return Err(SourceError(format!("the config API answered {status}"))),
        };
        let roster = Roster::parse(body, etag)
            .map_err(|what| SourceError(format!("the config API's answer {what}")))?;
        let changes = self.comparison().changes(&roster, &index, asked_at)?;
        let needed = changes.iter().filter(|candidate| candidate.needed).count();
        let result = self.write_page(changes, &mut index, &state.confirmed_at, asked_at).await;
        // What was written before a failure counts all the same.
        let (page, failure) = result;
        if page.moved {
            let json = text(&Value::Object(index));
            self.store.put_many(&[(RosterState::INDEX_KEY.to_owned(), json)]).await?;
        }
        if let Some(failure) = failure {
            return Err(failure);
        }
        let Page { settled, written, gone, .. } = page;
        let refreshed =
            Refreshed { listed: roster.len(), written, gone, pending: needed.saturating_sub(settled) };
        let state = RosterState {
            confirmed_at: if refreshed.pending == 0 { asked_at.to_string() } else { state.confirmed_at },
            generation: state.generation.saturating_add(u64::from(written > 0)),
            count: roster.len(),
            etag: roster.etag().map(str::to_owned),
            pending: refreshed.pending,
            moved: true,
        };
        self.state.write(state, asked_at).await.map(|()| refreshed)
    }

    async fn read_index(&self) -> Result<Index, SourceError> {
        let Some(json) = self.store.read(RosterState::INDEX_KEY).await? else {
            return Ok(Index::new());
        };
        let texts = |members: Index| match members.iter().find(|(_, mark)| !mark.is_string()) {
            None => Ok(members),
            Some((id, _)) => {
                Err(RecordError { pointer: format!("/{}", escape(id)), what: "must be text".to_owned() })
            }
        };
        Ok(entry_of(&json).and_then(texts).unwrap_or_else(|error| {
            // Made anew from the records themselves: each is compared before it is written.
            self.ports.warn("roster_index_malformed", &format!("{} {error}", RosterState::INDEX_KEY));
            Index::new()
        }))
    }

    /// Settles as many changes as one run may.
    async fn write_page(
        &self,
        changes: Vec<CustomerChange>,
        index: &mut Index,
        confirmed_at: &str,
        asked_at: Timestamp,
    ) -> (Page, Option<SourceError>) {
        let mut page = Page::default();
        let mut calls = 0;
        let mut changes = changes.into_iter().peekable();
        while changes.peek().is_some() && calls + 2 + BULK <= MAX_CALLS {
            let bulk: Vec<_> = changes.by_ref().take(BULK).collect();
            let before = match self.read_before(&bulk, &mut calls).await {
                Ok(before) => before,
                Err(failure) => return (page, Some(failure)),
            };
            let mut entries = Vec::new();
            let mut marks = Vec::new();
            for (CustomerChange { id, change, .. }, before) in bulk.iter().zip(before) {
                let (record, mark) = judge(change, before, confirmed_at, asked_at);
                page.gone += usize::from(record.is_some() && matches!(change, Change::Disable));
                let entry = |record| (id.refreshed_key(), serde_json::to_string(&record).unwrap_or_default());
                entries.extend(record.map(entry));
                marks.push((id.as_str().to_owned(), mark));
            }
            calls += entries.len();
            if !entries.is_empty()
                && let Err(failure) = self.store.put_many(&entries).await
            {
                return (page, Some(failure));
            }
            page.written += entries.len();
            page.settled += bulk.iter().filter(|candidate| candidate.needed).count();
            for (id, mark) in marks {
                page.moved |= match mark {
                    Some(mark) => index.insert(id, mark.as_str().into()).is_none_or(|before| before != mark),
                    None => index.remove(&id).is_some(),
                };
            }
        }
        (page, None)
    }

    /// What refreshes wrote of these customers, in their order: each under its own name, else what an older
    /// version left under the operator's.
    async fn read_before(
        &self,
        bulk: &[CustomerChange],
        calls: &mut usize,
    ) -> Result<Vec<Option<Before>>, SourceError> {
        let names: Vec<_> = bulk.iter().map(|candidate| candidate.id.refreshed_key()).collect();
        *calls += 1;
        let stored = self.store.read_many(&names).await?;
        let absent = bulk.iter().zip(&stored).filter(|(_, entry)| entry.is_none());
        let names: Vec<_> = absent.map(|(candidate, _)| candidate.id.store_key()).collect();
        let mut older = Vec::new().into_iter();
        if !names.is_empty() {
            *calls += 1;
            older = self.store.read_many(&names).await?.into_iter();
        }
        let before = |entry: Option<Vec<u8>>| match entry {
            Some(entry) => Before::read(Some(&entry), false),
            None => Before::read(older.next().flatten().as_deref(), true),
        };
        Ok(stored.into_iter().map(before).collect())
    }

    const fn comparison(&self) -> Comparison<'a, P> {
        Comparison {
            allow_http: self.allow_http,
            max_removed: self.config_api.max_removed(),
            ports: self.ports,
        }
    }
}

/// What a page came to.
#[derive(Default)]
struct Page {
    /// Whether the index is another one now.
    moved: bool,
    settled: usize,
    written: usize,
    gone: usize,
}
