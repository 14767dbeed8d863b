//! What an entry of KV says, whoever read it: somebody's edit, or KV lagging behind the ledger.

use pointsman_core::base::time::Timestamp;

use crate::{
    keyspace::{LISTED, key, save},
    ledger::{Cause, Ledger},
    record::{Held, Record, Seen, digest_of},
    rows::Entry,
    storage::Storage,
};

/// A name that KV lags behind with is written again no sooner, in milliseconds: KV takes a minute to show a write.
const BETWEEN_REPAIRS: u64 = 300_000;

impl<S: Storage> Ledger<S> {
    /// What is known of a record that somebody asks for, where an entry of KV may say something of it now.
    pub(crate) fn may_judge_asked(&self, entry: &Entry, _now: Timestamp) -> Option<Record> {
        if self.is_outstanding(&entry.name()) {
            return None;
        }
        let record = self.record(&entry.record_key());
        Some(record.unwrap_or_else(|| Record { name: entry.name(), ..Record::default() }))
    }

    /// Takes what KV has under a record's name: as the ledger has it, as it had it before, or otherwise, which is an edit
    /// that somebody made by hand.
    pub(crate) fn judge_entry(
        &mut self,
        entry: &Entry,
        value: &str,
        expires: Option<u64>,
        cause: &Cause<'_>,
    ) {
        let Some(mut record) = self.may_judge_asked(entry, cause.now) else { return };
        let of = entry.record_key();
        let digest = digest_of(value.as_bytes());
        record.seen = Some(Seen { digest: digest.clone(), listed: None, expires });
        let held = record.operator.as_ref();
        if held.is_some_and(|held| held.digest == digest && (expires.is_none() || held.expires == expires)) {
            return self.put_record(&of, record, cause.now);
        }
        if record.lags(&digest, cause.now) {
            let is_due = cause.now.millis().saturating_sub(record.written_at) >= BETWEEN_REPAIRS;
            let operator = record.operator.clone();
            self.put_record(&of, record, cause.now);
            if is_due {
                self.next_sequence(entry.name(), "repair", cause);
                self.write_behind(entry, operator, cause.now);
            }
            return;
        }
        if let Some(before) = record.operator.clone() {
            record.note_past(&before.digest, cause.now, true);
        }
        let held = Held::new(value.to_owned(), expires);
        self.replace_operator(entry, record, Some(held), cause);
    }

    /// Removes a record whose entry somebody deleted in KV.
    pub(crate) fn remove_gone(&mut self, entry: &Entry, cause: &Cause<'_>) {
        let of = entry.record_key();
        let Some(mut record) = self.record(&of) else { return };
        self.storage.delete(&key(LISTED, &[entry.name().as_bytes()]));
        record.seen = None;
        let Some(before) = record.operator.clone() else { return self.put_record(&of, record, cause.now) };
        record.note_past(&before.digest, cause.now, true);
        self.replace_operator(entry, record, None, cause);
    }

    /// Notes how a listing showed an entry, so that the next one says nothing where it shows the same.
    pub(crate) fn note_listed(&mut self, name: &str, listed: &Shown) {
        save(&mut self.storage, &key(LISTED, &[name.as_bytes()]), listed);
    }
}

/// How a listing showed an entry.
#[derive(Clone, Debug, Default, serde::Deserialize, Eq, PartialEq, serde::Serialize)]
#[serde(default)]
pub(crate) struct Shown {
    /// The digest in its metadata.
    #[serde(rename = "d", skip_serializing_if = "Option::is_none")]
    pub(crate) digest: Option<String>,
    /// Its expiry in seconds.
    #[serde(rename = "e", skip_serializing_if = "Option::is_none")]
    pub(crate) expires: Option<u64>,
}
