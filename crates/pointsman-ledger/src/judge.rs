//! What an entry of KV is evidence of: of an edit by hand, or of KV lagging behind the ledger.

use pointsman_core::{
    base::time::Timestamp, customer::record::CustomerRecord, directory::record_key::RecordKey,
};

use crate::{
    keyspace::{SEEN, key},
    ledger::{Cause, Ledger},
    pass::APART,
    provider::{Says, content_digest},
    record::{Held, Provided, Record, Seen, digest_of},
    rows::{Entry, MAX_RECORD_BYTES, content, refreshed},
    settings::Source,
    storage::Storage,
};

/// Who made a change that was found in KV.
pub(crate) const BY_HAND: &str = "kv";

/// An entry of KV that was read.
#[derive(Clone, Debug)]
pub(crate) struct Found<'a> {
    /// Its value.
    pub(crate) value: &'a str,
    /// The digest in its metadata.
    pub(crate) listed: Option<String>,
    /// Its expiry in seconds.
    pub(crate) expires: Option<u64>,
    /// Whether that is no listing's word, but what is known already.
    pub(crate) is_unlisted: bool,
}

/// What an entry of KV turned out to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Judged {
    /// What the ledger has.
    Same,
    /// KV lagging behind: it is put right again.
    Lag,
    /// Somebody's edit, which was taken in.
    Edit,
    /// A record that a refresh of an earlier version wrote under an operator's name.
    Refreshed,
}

impl<S: Storage> Ledger<S> {
    /// Judges an entry by its value, and does what follows.
    pub(crate) fn judge_value(
        &mut self,
        entry: &Entry,
        mut record: Record,
        found: Found<'_>,
        now: Timestamp,
    ) -> Judged {
        let digest = digest_of(found.value.as_bytes());
        let seen_before = record.seen.clone();
        let is_listed_so = found.listed.as_ref() == Some(&digest);
        let expires = match &seen_before {
            Some(seen) if found.is_unlisted && seen.digest == digest => seen.expires,
            _ => found.expires,
        };
        let of = entry.record_key();
        let held = record.operator.as_ref();
        let is_same_value = held.is_some_and(|held| held.digest == digest);
        let is_same = is_same_value && held.is_some_and(|held| held.expires == found.expires);
        let is_as_before = |seen: &Seen| seen.digest == digest && seen.expires == expires;
        let since = match seen_before.filter(is_as_before).map_or(0, |seen| seen.since) {
            _ if !is_same_value || (is_same && !found.is_unlisted) => 0,
            0 if !is_same => now.millis(),
            before => before,
        };
        let seen = Seen { digest: digest.clone(), listed: found.listed, expires, since };
        self.see(entry, &mut record, seen);
        // A location may show for a minute what was before, and keep that for half a minute.
        let is_seen_long = since.saturating_add(APART) <= now.millis();
        if is_same || (is_same_value && !is_listed_so && !is_seen_long) {
            // The listing tells when the entry ends and the read what it holds, and one may have been of what somebody wrote
            // over the other, in one pass and in the next. It counts if passes find the same until both show the newer one.
            self.put_record(&of, record, now);
            return Judged::Same;
        }
        if !is_same_value && record.lags(&digest, now) {
            self.put_right(entry, &of, record, now);
            return Judged::Lag;
        }
        let cause = Cause { now, actor: BY_HAND, operation: "", from: "", found: "", may_wait: true };
        if let Some(refreshed) = self.refreshed(entry, found.value) {
            return self.take_refreshed(entry, record, refreshed, &cause);
        }
        if let Some(held) = &record.operator {
            let before = held.digest.clone();
            record.note_past(&before, now, true);
        }
        // The text of what is too long is not held: the record is malformed, whatever it says.
        let text = if found.value.len() > MAX_RECORD_BYTES { "" } else { found.value };
        let held = Held { text: text.to_owned(), digest, expires: found.expires, version: 0 };
        self.replace_operator(entry, record, Some(held), &cause);
        Judged::Edit
    }

    /// Has KV take over once more what the ledger has, since it shows something that the ledger has replaced.
    pub(crate) fn put_right(&mut self, entry: &Entry, of: &RecordKey, record: Record, now: Timestamp) {
        let held = record.operator.clone();
        // Of what is too long nothing could be written.
        let is_held = held.as_ref().is_none_or(|held| !held.text.is_empty());
        self.put_record(of, record, now);
        if is_held {
            self.write_behind(entry, held, now);
            self.state.lags = self.state.lags.saturating_add(1);
        }
    }

    /// Notes what KV shows under a record's name.
    pub(crate) fn see(&mut self, entry: &Entry, record: &mut Record, seen: Seen) {
        if record.seen.is_none() {
            self.state.seen = self.state.seen.saturating_add(1);
            self.storage.put(&key(SEEN, &[entry.name().as_bytes()]), &[]);
        }
        record.seen = Some(seen);
    }

    /// Notes that KV shows nothing under a record's name any more.
    pub(crate) fn unsee(&mut self, entry: &Entry, record: &mut Record) {
        if record.seen.take().is_some() {
            self.state.seen = self.state.seen.saturating_sub(1);
            self.storage.delete(&key(SEEN, &[entry.name().as_bytes()]));
        }
    }

    fn refreshed(&self, entry: &Entry, value: &str) -> Option<CustomerRecord> {
        match entry {
            Entry::Key(..) => None,
            Entry::Customer(id) => refreshed(value, id, self.settings.allow_http()),
        }
    }

    /// A refresh of an earlier version wrote it: it counts as the config API's until the next list. Where there is no list,
    /// nothing would ever replace it, and isolates ask for themselves.
    fn take_refreshed(
        &mut self,
        entry: &Entry,
        mut record: Record,
        refreshed: CustomerRecord,
        cause: &Cause<'_>,
    ) -> Judged {
        if record.provider.is_none() && self.settings.source == Source::List {
            let text = serde_json::to_string(&content(&refreshed)).unwrap_or_default();
            let version = self.next_sequence(entry.name(), "provide", cause);
            // The list is compared with it: else nobody would see that the list no longer has the customer.
            let says = if refreshed.gone { Says::Gone } else { Says::Record(text.clone()) };
            self.set_provided_digest(&entry.record_key(), &content_digest(&says), version);
            record.provider = Some(Provided { text, version, ..Provided::default() });
            record.changed_at = cause.now.millis();
            self.publish(entry, &record, cause);
        }
        self.put_record(&entry.record_key(), record, cause.now);
        Judged::Refreshed
    }
}
