//! The scheduled refresh: brings the store in line with the config API's whole list, so that no request
//! has to wait for it.
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

use std::collections::BTreeMap;

use pointsman_core::{
    base::{
        digest::Digest,
        freshness::Freshness,
        json::{ToJson, text},
        record::{RecordError, entry_of, read_record},
        shape::escape,
        time::Timestamp,
    },
    customer::{
        record::{CustomerConfig, CustomerRecord},
        roster::{Listed, Roster, RosterState, shrank_too_far},
    },
    decide::decision::{Deferred, Found, Need},
    identity::customer_id::CustomerId,
    state::{cache::Claim, config::ConfigSource},
};
use serde_json::{Map, Value};

use super::customers::shrunk;
use crate::{
    load::Context,
    ports::{Document, Ports, SourceError},
};

/// Calls of KV that one run spends on records: of the thousand, the rest is for state, index and the
/// key sets of a few dozen issuers.
const MAX_CALLS: usize = 850;
/// What one call reads.
const BULK: usize = 100;
/// Bad entries of a list that are logged one by one.
const MAX_WARNINGS: usize = 20;

/// Which record each refreshed customer was last given: the first 64 bits of its content's digest, in
/// hexadecimal. All values are texts; of a hundred thousand customers no second copy is made for that.
type Index = Map<String, Value>;

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

/// Stands in the index for a record whose entry cannot be read any more: nothing vouches for it.
const DOUBTED: &str = "doubted";
/// How many records that should be in order a run looks at, in turn: one may have been removed, or written
/// over by a request that crossed with a run.
const LOOKED_AT: usize = 1000;

/// A record that a refresh wrote before.
struct Before {
    record: CustomerRecord,
    /// Whether it still stands under the operator's name.
    left_over: bool,
}

impl Before {
    /// Reads an entry; `None` where it is no record of a refresh. Under the refresh's own name that is
    /// nobody's to mend, and is written over.
    fn read(entry: Option<&[u8]>, left_over: bool) -> Option<Self> {
        let record = read_record::<CustomerRecord>(entry?).ok()?;
        record.is_refreshed().then_some(Self { record, left_over })
    }
}

/// What is to be done about one customer.
enum Change {
    /// It is listed like this.
    Write(Box<CustomerRecord>, String),
    /// It is no longer listed.
    Disable,
    /// Its entry cannot be read. The record ages from when a list last agreed with it.
    Doubt,
}

/// A customer that a run looks at.
struct Candidate {
    id: CustomerId,
    change: Change,
    /// Whether the list is not agreed with before it has been looked at.
    needed: bool,
}

impl<P: Ports> Context<'_, P> {
    /// Refreshes the store: every issuer's key set, and the customers.
    pub async fn refresh_all(&self) {
        for index in 0..self.gateway.issuers().len() {
            let now = self.ports.now();
            let known_as_of = self.memory.borrow().key_sets.get(index).and_then(|known| known.set.as_of(now));
            let due = self.gateway.issuers().get(index).is_some_and(|issuer| {
                let state = |as_of| issuer.policy.lifetimes.state(now.since(as_of));
                issuer.keys.is_fetched() && known_as_of.is_none_or(|as_of| state(as_of) > Freshness::Fresh)
            });
            if !due {
                continue;
            }
            let claim = self.memory.borrow().key_sets.get(index).map(|known| known.set.claim(now));
            let need = Need::KeySet(index);
            if let (Some(Claim::Lead), Some(flight)) = (claim, need.flight()) {
                let mut deferred = Deferred::default();
                let well = self.load_key_set(index, &mut Found::default(), &mut deferred).await;
                self.ports.land(&flight, well);
                for write in &deferred.writes {
                    self.write(write).await;
                }
            }
        }
        let source = self.gateway.customers().and_then(|customers| customers.source.as_ref());
        let Some(source) = source else { return };
        match self.refresh_customers(source).await {
            Ok(Refreshed { listed, written, gone, pending }) => {
                if written > 0 || pending > 0 {
                    let what = format!(
                        "{listed} listed, {written} written, {gone} of them gone, {pending} to follow"
                    );
                    self.ports.note("customers_refreshed", &what);
                }
            }
            Err(SourceError(what)) => {
                self.ports.warn("customers_refresh_failed", &what);
                self.memory.borrow_mut().config_api_health.note(self.ports.now(), Err(&what));
            }
        }
    }

    /// Takes the list and writes a page of what has changed.
    ///
    /// # Errors
    /// Where the list cannot be had or believed, or the store fails. Nothing is confirmed then.
    pub async fn refresh_customers(&self, source: &ConfigSource) -> Result<Refreshed, SourceError> {
        let asked_at = self.ports.now();
        let state = self.read_roster_state().await?;
        // While records are still to be written, the list is needed again whether it changed or not.
        let done = state.moved && state.pending == 0 && !state.confirmed_at.is_empty();
        let held = state.etag.as_deref().filter(|_| done);
        let Document { status, body, etag, .. } =
            self.get(source, &source.url, held).await.map_err(SourceError)?;
        let mut index = match status {
            304 if held.is_some() => {
                let refreshed = Refreshed { listed: state.count, ..Refreshed::default() };
                let state = RosterState { confirmed_at: asked_at.to_string(), ..state };
                return self.confirm(state, asked_at).await.map(|()| refreshed);
            }
            200..=299 => self.read_index().await?,
            _ => return Err(SourceError(format!("the config API answered {status}"))),
        };
        let roster = Roster::parse(body, etag)
            .map_err(|what| SourceError(format!("the config API's answer {what}")))?;
        let changes = self.changes(source, &roster, &index, asked_at)?;
        let needed = changes.iter().filter(|candidate| candidate.needed).count();
        let result = self.write_page(changes, &mut index, &state.confirmed_at, asked_at).await;
        // What was written before a failure counts all the same.
        let (page, failure) = result;
        if page.moved {
            let json = text(&Value::Object(index));
            self.put(RosterState::INDEX_KEY, json).await?;
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
        self.confirm(state, asked_at).await.map(|()| refreshed)
    }

    async fn read_index(&self) -> Result<Index, SourceError> {
        let Some(json) = self.read_store(RosterState::INDEX_KEY).await? else {
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

    /// What differs between the list and the index, customers who are gone first; and behind it, what is
    /// only looked at.
    fn changes(
        &self,
        source: &ConfigSource,
        roster: &Roster,
        index: &Index,
        asked_at: Timestamp,
    ) -> Result<Vec<Candidate>, SourceError> {
        // Of each entry only its mark is held: a hundred thousand records would be many times the list.
        let mut listed: BTreeMap<CustomerId, Option<String>> = BTreeMap::new();
        let mut malformed = 0usize;
        for (id, says) in roster.all() {
            let mark = match says {
                Listed::Record(record) => {
                    CustomerConfig::of(&record, &id, self.gateway.allow_http()).map(|_| mark(&id, &record))
                }
                Listed::Malformed(error) => Err(error),
                Listed::Absent | Listed::Unsure => continue,
            };
            if let Err(error) = &mark {
                malformed += 1;
                if malformed <= MAX_WARNINGS {
                    self.ports.warn("customer_record_malformed", &format!("config API, {id} {error}"));
                }
            }
            listed.insert(id, mark.ok());
        }
        if malformed > MAX_WARNINGS {
            let what = format!("config API: {} more entries that cannot be used", malformed - MAX_WARNINGS);
            self.ports.warn("customer_record_malformed", &what);
        }
        let needed = |id, change| Candidate { id, change, needed: true };
        let known = index.keys().filter_map(|id| CustomerId::parse(id));
        let missing: Vec<_> = known.filter(|id| !listed.contains_key(id)).collect();
        let emptied = roster.is_empty() && !index.is_empty() && source.max_removed < 100;
        if emptied || shrank_too_far(index.len(), missing.len(), source.max_removed) {
            return Err(SourceError(shrunk(index.len(), roster.len(), source.max_removed)));
        }
        let is_marked = |id: &CustomerId, mark: &str| index.get(id.as_str()).is_some_and(|own| own == mark);
        let mut changes = Vec::new();
        if roster.nameless().is_empty() {
            changes.extend(missing.into_iter().map(|id| needed(id, Change::Disable)));
        } else {
            let what = format!(
                "{} entries of the config API's list have no customerId that can be read, so nobody is taken for gone",
                roster.nameless().len()
            );
            self.ports.warn("customer_record_malformed", &what);
            listed.extend(missing.into_iter().map(|id| (id, None)));
        }
        let mut same = Vec::new();
        // Another part of them each minute.
        let parts = u64::try_from(listed.len().div_ceil(LOOKED_AT)).unwrap_or(1).max(1);
        let turn = (asked_at.millis() / 60_000) % parts;
        for (id, mark) in listed {
            let Some(mark) = mark else {
                if index.contains_key(id.as_str()) && !is_marked(&id, DOUBTED) {
                    changes.push(needed(id, Change::Doubt));
                }
                continue;
            };
            let is_same = is_marked(&id, &mark);
            let looked_at = Digest::of(id.as_str().as_bytes()).prefix() % parts == turn;
            if is_same && !looked_at {
                continue;
            }
            let Listed::Record(record) = roster.find(&id) else { continue };
            let change = Change::Write(Box::new(record), mark);
            if is_same {
                same.push(Candidate { id, change, needed: false });
            } else {
                changes.push(needed(id, change));
            }
        }
        changes.append(&mut same);
        Ok(changes)
    }

    /// Settles as many changes as one run may.
    async fn write_page(
        &self,
        changes: Vec<Candidate>,
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
            for (Candidate { id, change, .. }, before) in bulk.iter().zip(before) {
                let (record, mark) = judge(change, before, confirmed_at, asked_at);
                page.gone += usize::from(record.is_some() && matches!(change, Change::Disable));
                let entry = |record| (id.refreshed_key(), serde_json::to_string(&record).unwrap_or_default());
                entries.extend(record.map(entry));
                marks.push((id.as_str().to_owned(), mark));
            }
            calls += entries.len();
            if !entries.is_empty()
                && let Err(failure) = self.ports.put_many(&entries, self.gateway.store_timeout()).await
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
        bulk: &[Candidate],
        calls: &mut usize,
    ) -> Result<Vec<Option<Before>>, SourceError> {
        let names: Vec<_> = bulk.iter().map(|candidate| candidate.id.refreshed_key()).collect();
        *calls += 1;
        let stored = self.ports.stored_many(&names, self.gateway.store_timeout()).await?;
        let absent = bulk.iter().zip(&stored).filter(|(_, entry)| entry.is_none());
        let names: Vec<_> = absent.map(|(candidate, _)| candidate.id.store_key()).collect();
        let mut older = Vec::new().into_iter();
        if !names.is_empty() {
            *calls += 1;
            older = self.ports.stored_many(&names, self.gateway.store_timeout()).await?.into_iter();
        }
        let before = |entry: Option<Vec<u8>>| match entry {
            Some(entry) => Before::read(Some(&entry), false),
            None => Before::read(older.next().flatten().as_deref(), true),
        };
        Ok(stored.into_iter().map(before).collect())
    }

    async fn confirm(&self, state: RosterState, asked_at: Timestamp) -> Result<(), SourceError> {
        // A run that began later may have ended sooner.
        let there = self.read_roster_state().await?;
        if there.confirmed_at(asked_at).is_some_and(|at| at > asked_at) {
            return Ok(());
        }
        let json = text(&state.to_json());
        self.put(RosterState::STORE_KEY, json).await?;
        self.memory.borrow_mut().roster_state = Some((self.ports.now(), state));
        Ok(())
    }

    async fn put(&self, key: &str, value: String) -> Result<(), SourceError> {
        self.ports.put_many(&[(key.to_owned(), value)], self.gateway.store_timeout()).await
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

/// With the name that the record stands under: what an older version marked had another one, and is written
/// again.
fn mark(id: &CustomerId, record: &CustomerRecord) -> String {
    let json = serde_json::to_string(&record.content()).unwrap_or_default();
    format!("{:016x}", Digest::of(format!("{}\n{json}", id.refreshed_key()).as_bytes()).prefix())
}

/// The record to write, if one is, and what the index says from then on.
fn judge(
    change: &Change,
    before: Option<Before>,
    confirmed_at: &str,
    asked_at: Timestamp,
) -> (Option<CustomerRecord>, Option<String>) {
    let left_over = before.as_ref().is_some_and(|before| before.left_over);
    let before = before.map(|before| before.record);
    let newer =
        before.as_ref().and_then(|before| before.fetched_at(asked_at)).is_some_and(|at| at > asked_at);
    let generation =
        Some(before.as_ref().and_then(|before| before.generation).unwrap_or_default().saturating_add(1));
    let fetched_at = Some(asked_at.to_string());
    match change {
        Change::Write(record, mark) => {
            // One that a request wrote is written again, so that the state vouches for it from now on.
            let same = !left_over
                && before.as_ref().is_some_and(|before| {
                    before.scheduled && !before.gone && before.content() == record.content()
                });
            let record = CustomerRecord { fetched_at, generation, scheduled: true, ..(**record).clone() };
            ((!newer && !same).then_some(record), Some(mark.clone()))
        }
        Change::Disable => {
            let before = before.filter(|before| !newer && !before.gone);
            let tombstone = |before: CustomerRecord| CustomerRecord {
                disabled: true,
                gone: true,
                scheduled: true,
                fetched_at,
                generation,
                etag: None,
                ..before
            };
            (before.map(tombstone), None)
        }
        Change::Doubt => {
            let vouched = before.filter(|before| before.scheduled);
            let fetched_at = |before: &CustomerRecord| {
                let own = before.fetched_at.clone().unwrap_or_default();
                // Both are written alike, so the later one is the greater text.
                Some(own.max(confirmed_at.to_owned()))
            };
            let alone = vouched.map(|before| CustomerRecord {
                scheduled: false,
                fetched_at: fetched_at(&before),
                ..before
            });
            (alone, Some(DOUBTED.to_owned()))
        }
    }
}
