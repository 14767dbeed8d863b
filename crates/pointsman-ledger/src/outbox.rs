//! What KV is still to be told: for each name the newest value, at most one a second, again and again until KV has it.

use pointsman_core::base::{digest::Digest, time::Timestamp};
use serde::{Deserialize, Serialize};

use crate::{
    keyspace::{DUE, OUTBOX, after, end_of, key, load, save},
    ledger::Ledger,
    record::Held,
    rows::Entry,
    storage::Storage,
};

/// KV takes one write a second of a name.
const BETWEEN_WRITES: u64 = 1000;
/// How long a write may take before it is given out again, in milliseconds: the instance that had it may be gone.
const LEASE: u64 = 30_000;
/// The longest pause between two attempts, in milliseconds.
const LONGEST_PAUSE: u64 = 300_000;
/// Writes that one call drops.
const DROPPED: usize = 2048;
/// KV takes no expiry nearer than this, in seconds. The row ends to the second all the same.
const NEAREST_EXPIRY: u64 = 60;

/// What a name is to have.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
struct Outgoing {
    /// The value; none to delete it.
    value: Option<String>,
    expires: Option<u64>,
    /// Tells this value from a newer one.
    number: u64,
    attempts: u32,
    /// When it is to be written, in milliseconds.
    due: u64,
    /// Until when nobody else is to write it, in milliseconds.
    leased_until: u64,
    /// Since when KV has something else, in milliseconds.
    since: u64,
    /// What KV answered last.
    error: Option<String>,
}

/// A write that is due.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Write {
    /// The name of the KV entry.
    pub name: String,
    /// Its value; none to delete it.
    pub value: Option<String>,
    /// The digest of the value in hexadecimal, for `sha256` in the entry's metadata.
    pub sha256: Option<String>,
    /// When KV is to drop it, in seconds since 1970.
    pub expiration: Option<u64>,
    /// To be handed back.
    pub number: u64,
}

/// What came of a write.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Written {
    /// The name of the KV entry.
    pub name: String,
    /// As it was handed out.
    pub number: u64,
    /// What went wrong.
    #[serde(default)]
    pub error: Option<String>,
}

impl<S: Storage> Ledger<S> {
    /// Has KV take over a value of the ledger's own.
    pub(crate) fn write_own(&mut self, name: &str, value: String, now: Timestamp) {
        let before = self.outgoing(name);
        self.state.sequence = self.state.sequence.saturating_add(1);
        let outgoing = Outgoing {
            value: Some(value),
            number: self.state.sequence,
            due: now.millis(),
            since: now.millis(),
            ..Outgoing::default()
        };
        self.set_outgoing(name, before.as_ref(), Some(&outgoing));
    }

    /// Has KV take a record over, or delete it.
    pub(crate) fn write_behind(&mut self, entry: &Entry, held: Option<Held>, now: Timestamp) {
        let written_at = self.record(&entry.record_key()).map_or(0, |record| record.written_at);
        let (value, expires) = held.map_or((None, None), |held| (Some(held.text), held.expires));
        self.write_entry(&entry.name(), value, expires, written_at, now);
    }

    /// Has KV take over the value of an entry, or delete it. KV was told of another one at `written_at`, in milliseconds.
    pub(crate) fn write_entry(
        &mut self,
        name: &str,
        value: Option<String>,
        expires: Option<u64>,
        written_at: u64,
        now: Timestamp,
    ) {
        let before = self.outgoing(name);
        let first = now.millis().max(written_at.saturating_add(BETWEEN_WRITES));
        let leased_until = before.as_ref().map_or(0, |outgoing| outgoing.leased_until);
        let outgoing = Outgoing {
            value,
            expires,
            number: self.state.sequence,
            attempts: 0,
            // Two writes of one name under way at once could arrive in either order.
            due: if leased_until > now.millis() { leased_until } else { first },
            leased_until,
            since: before.as_ref().map_or(now.millis(), |outgoing| outgoing.since),
            error: before.as_ref().and_then(|outgoing| outgoing.error.clone()),
        };
        self.set_outgoing(name, before.as_ref(), Some(&outgoing));
    }

    /// Whether KV is still to be told of this name.
    pub(crate) fn is_outstanding(&self, name: &str) -> bool {
        self.storage.get(&key(OUTBOX, &[name.as_bytes()])).is_some()
    }

    fn outgoing(&self, name: &str) -> Option<Outgoing> {
        load(&self.storage, &key(OUTBOX, &[name.as_bytes()]))
    }

    fn set_outgoing(&mut self, name: &str, before: Option<&Outgoing>, next: Option<&Outgoing>) {
        let due = |outgoing: &Outgoing| key(DUE, &[&outgoing.due.to_be_bytes(), name.as_bytes()]);
        if let Some(before) = before {
            self.storage.delete(&due(before));
        }
        let outbox = key(OUTBOX, &[name.as_bytes()]);
        let Some(next) = next else {
            self.storage.delete(&outbox);
            self.state.outstanding = self.state.outstanding.saturating_sub(u64::from(before.is_some()));
            return;
        };
        self.storage.put(&due(next), &[]);
        save(&mut self.storage, &outbox, next);
        self.state.outstanding = self.state.outstanding.saturating_add(u64::from(before.is_none()));
    }

    /// Has KV be told of nothing that waits now, but of what is changed from here on. What it shows instead, passes compare
    /// with the records as ever.
    pub(crate) fn begin_to_drop_outgoing(&mut self) {
        self.state.dropping = Some((self.state.sequence, Vec::new()));
    }

    /// Drops a page of what KV is not to be told of any more: while it took no writes, there may be any number.
    pub(crate) fn drop_outgoing(&mut self) {
        let Some((last, behind)) = self.state.dropping.take() else { return };
        let from = if behind.is_empty() { vec![OUTBOX] } else { after(&behind) };
        let page = self.storage.scan(&from, &end_of(OUTBOX), DROPPED);
        for (at, value) in &page {
            let Some(Ok(name)) = at.get(1..).map(std::str::from_utf8) else { continue };
            let before: Option<Outgoing> = serde_json::from_slice(value).ok();
            if before.as_ref().is_none_or(|outgoing| outgoing.number <= last) {
                self.set_outgoing(name, before.as_ref(), None);
            }
        }
        self.state.dropping = page.last().filter(|_| page.len() == DROPPED).map(|(at, _)| (last, at.clone()));
    }

    /// Gives out what is due, at most `limit`.
    pub(crate) fn due_writes(&mut self, now: Timestamp, limit: usize) -> Vec<Write> {
        let until = key(DUE, &[&now.millis().saturating_add(1).to_be_bytes()]);
        let due = self.storage.scan(&[DUE], &until, limit);
        let names = due.iter().filter_map(|(key, _)| String::from_utf8(key.get(9..)?.to_vec()).ok());
        names.collect::<Vec<_>>().into_iter().filter_map(|name| self.give_out(name, now)).collect()
    }

    fn give_out(&mut self, name: String, now: Timestamp) -> Option<Write> {
        let before = self.outgoing(&name)?;
        let leased_until = now.millis().saturating_add(LEASE);
        let outgoing = Outgoing { due: leased_until, leased_until, ..before.clone() };
        self.set_outgoing(&name, Some(&before), Some(&outgoing));
        let nearest = (now.millis() / 1000).saturating_add(NEAREST_EXPIRY + 1);
        Some(Write {
            sha256: outgoing.value.as_ref().map(|value| Digest::of(value.as_bytes()).to_string()),
            expiration: outgoing.expires.map(|seconds| seconds.max(nearest)),
            value: outgoing.value,
            number: outgoing.number,
            name,
        })
    }

    /// When the next write is due.
    pub(crate) fn next_write(&self) -> Option<u64> {
        let first = self.storage.scan(&[DUE], &end_of(DUE), 1);
        let (key, _) = first.first()?;
        Some(u64::from_be_bytes(key.get(1..9)?.try_into().ok()?))
    }

    /// Takes note of what came of a write.
    pub(crate) fn written(&mut self, written: &Written, now: Timestamp) {
        let Some(before) = self.outgoing(&written.name) else { return };
        // A failure may have been one on the way back, so KV may have it all the same.
        if let Some(entry) = Entry::of_name(&written.name) {
            let of = entry.record_key();
            if let Some(mut record) = self.record(&of) {
                record.written_at = now.millis();
                // Until now KV may have had any of these.
                record.past.iter_mut().filter(|past| !past.by_hand).for_each(|past| past.at = now.millis());
                self.put_record(&of, record, now);
            }
        }
        if written.error.is_none() && before.number == written.number {
            return self.set_outgoing(&written.name, Some(&before), None);
        }
        let is_newer = before.number != written.number;
        let attempts = if is_newer { 0 } else { before.attempts.saturating_add(1) };
        let pause = (BETWEEN_WRITES << attempts.min(16)).min(LONGEST_PAUSE);
        let due = now.millis().saturating_add(pause);
        let error = written.error.clone().or(before.error.clone());
        let next = Outgoing { attempts, due, leased_until: 0, error, ..before.clone() };
        self.set_outgoing(&written.name, Some(&before), Some(&next));
    }

    /// What KV has refused to take so far: names with the last error, at most `limit` of those that wait.
    pub(crate) fn failing_writes(&self, limit: usize) -> Vec<(String, String)> {
        let waiting = self.storage.scan(&[OUTBOX], &end_of(OUTBOX), limit);
        let read = |(key, value): (Vec<u8>, Vec<u8>)| {
            let outgoing: Outgoing = serde_json::from_slice(&value).ok()?;
            Some((String::from_utf8(key.get(1..)?.to_vec()).ok()?, outgoing.error?))
        };
        waiting.into_iter().filter_map(read).collect()
    }
}
