//! What operators are told of the ledger, and what ends by itself.

use pointsman_core::{base::time::Timestamp, directory::record_key::RecordKey};
use serde::Serialize;

use crate::{
    keyspace::{CHANGE, END, end_of, key, load, meta, save},
    ledger::{Cause, Ledger},
    record::DAY,
    rows::Entry,
    state::Standing,
    storage::Storage,
};

/// Ends and old changes that one event deals with.
const AT_ONCE: usize = 200;
/// From one look at old changes to the next, in milliseconds.
const BETWEEN_LOOKS: u64 = 3_600_000;
const KEPT: &str = "kept";

/// How the ledger does. What it holds is told to nobody.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) struct Status {
    standing: Standing,
    epoch: String,
    revision: u64,
    as_of: Option<String>,
    records: u64,
    revoked_tokens: u64,
    complete_api_keys: bool,
    complete_customers: bool,
    shards: usize,
    log_begins: u64,
    outbox: u64,
    failing_writes: Vec<(String, String)>,
    last_pass: Option<LastPass>,
    pace_percent: u64,
}

#[derive(Clone, Debug, Serialize)]
struct LastPass {
    began: String,
    ended: Option<String>,
    listed: u64,
    /// How many it would have removed: too many to be believed.
    not_removed: u64,
}

impl<S: Storage> Ledger<S> {
    /// How the ledger does, as JSON.
    #[must_use]
    pub fn status(&self) -> String {
        let instant = |millis: u64| (millis > 0).then(|| Timestamp::from_millis(millis).to_string());
        let pass = self.pass().map(|pass| LastPass {
            began: instant(pass.began).unwrap_or_default(),
            ended: instant(pass.ended),
            listed: pass.listed,
            not_removed: pass.braked,
        });
        let status = Status {
            standing: self.state.standing,
            epoch: self.state.epoch().to_string(),
            revision: self.state.revision,
            as_of: instant(self.as_of),
            records: self.state.rows,
            revoked_tokens: self.state.tokens,
            complete_api_keys: self.manifest.complete.keys,
            complete_customers: self.manifest.complete.customers,
            shards: self.manifest.shards.len(),
            log_begins: self.state.first_kept,
            outbox: self.state.outstanding,
            failing_writes: self.failing_writes(20),
            last_pass: pass,
            pace_percent: self.polls.pace(),
        };
        serde_json::to_string(&status).unwrap_or_default()
    }

    /// Ends what ends by now, and forgets what nobody needs any more.
    pub(crate) fn expire(&mut self, now: Timestamp) {
        let until = key(END, &[&now.millis().saturating_add(1).to_be_bytes()]);
        for (end, _) in self.storage.scan(&[END], &until, AT_ONCE) {
            self.storage.delete(&end);
            let Some(of) = end.get(9..).and_then(RecordKey::from_bytes) else { continue };
            self.drop_token(&of);
            self.end_record(&of, now);
        }
        self.forget_operations(now, AT_ONCE);
        self.forget_changes(now);
    }

    /// Followers end a row by themselves, and KV its entry: only the ledger's own copy is left.
    fn end_record(&mut self, of: &RecordKey, now: Timestamp) {
        let Some(mut record) = self.record(of) else { return };
        let is_over = |seconds: u64| seconds.saturating_mul(1000) <= now.millis();
        if !record.operator.as_ref().and_then(|held| held.expires).is_some_and(is_over) {
            return;
        }
        let Some(entry) = Entry::of_name(&record.name) else { return };
        let cause = Cause { now, actor: "expiry", operation: "", may_wait: false };
        if let Some(held) = record.operator.take() {
            record.note_past(&held.digest, now, false);
        }
        self.next_sequence(entry.name(), "expire", &cause);
        self.publish(&entry, &record, &cause);
        self.put_record(of, record, now);
    }

    /// Forgets changes that all shards hold and that are older than a day, by whole segments.
    fn forget_changes(&mut self, now: Timestamp) {
        let at = now.millis();
        let (looked_at, then, before): (u64, u64, u64) = load(&self.storage, &meta(KEPT)).unwrap_or_default();
        if at < looked_at.saturating_add(BETWEEN_LOOKS) {
            return;
        }
        // Two marks, a day apart: what was there at the older one is older than a day.
        let (then, before) = if then == 0 || at >= then.saturating_add(DAY) {
            (at, if then == 0 { 0 } else { self.state.revision_at_mark })
        } else {
            (then, before)
        };
        if then == at {
            self.state.revision_at_mark = self.state.revision;
        }
        save(&mut self.storage, &meta(KEPT), &(at, then, before));
        let droppable = before.min(self.baseline());
        let first = pointsman_core::directory::log::Segment::first_of(droppable.saturating_add(1));
        if first <= self.state.first_kept {
            return;
        }
        let to = key(CHANGE, &[&first.to_be_bytes()]);
        for (change, _) in self.storage.scan(&[CHANGE], &to, EVERY_CHANGE) {
            self.storage.delete(&change);
        }
        self.state.first_kept = first;
        self.head = None;
    }

    /// When something ends next, in milliseconds.
    pub(crate) fn next_end(&self) -> Option<u64> {
        let (end, _) = self.storage.scan(&[END], &end_of(END), 1).into_iter().next()?;
        Some(u64::from_be_bytes(end.get(1..9)?.try_into().ok()?))
    }
}

const EVERY_CHANGE: usize = 1 << 20;
