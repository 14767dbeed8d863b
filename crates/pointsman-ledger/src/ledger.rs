//! The ledger itself: its database, and what an instance holds of it in memory, all of which can be read again.

use pointsman_core::{
    base::time::Timestamp,
    directory::{
        log::{Epoch, Head, Manifest, Revision},
        record_key::RecordKey,
        row::{Row, Usable},
    },
};

use crate::{
    backup::{CHECKING, Draft},
    index::Indexes,
    keyspace::{END, PENDING, RECORD, ROW, key, load, save},
    poll::Polls,
    record::Record,
    rows::Entry,
    settings::Settings,
    state::{State, load_as_of},
    storage::Storage,
    window::Window,
};

/// What orders every change. Each method that takes `&mut self` is one transaction; after one that was not kept,
/// [`Ledger::reload`] has to be called.
#[derive(Debug)]
pub struct Ledger<S> {
    pub(crate) storage: S,
    pub(crate) settings: Settings,
    pub(crate) state: State,
    pub(crate) saved: State,
    pub(crate) manifest: Manifest,
    pub(crate) as_of: u64,
    /// The head as it was last read, until something changes.
    pub(crate) head: Option<Head>,
    pub(crate) polls: Polls,
    /// Reads of KV on behalf of those who ask.
    pub(crate) reads: Window,
    /// The backup that is being prepared.
    pub(crate) draft: Option<Draft>,
    /// What isolates were told by the config API.
    pub(crate) lessons: Window,
    /// Whether this instance has looked at what another ledger may have left in KV.
    pub(crate) is_checked: bool,
    /// How often the management API was called.
    pub(crate) rates: crate::api::Rates,
}

/// Who changes something, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cause<'a> {
    pub(crate) now: Timestamp,
    pub(crate) actor: &'a str,
    pub(crate) operation: &'a str,
    /// The address that asked for it; empty where it was no request.
    pub(crate) from: &'a str,
    /// Where a key was found that has leaked; empty for all other changes.
    pub(crate) found: &'a str,
    /// Whether a change may wait for a shard.
    pub(crate) may_wait: bool,
}

/// More additions than this within a minute go to followers by shards.
pub(crate) const MANY: u64 = 1000;

/// Bytes that a new database is made of: the epoch, then the key of the heads' HMAC.
pub const RANDOM_BYTES: usize = 48;

impl<S: Storage> Ledger<S> {
    /// Opens a database; a new one is given its epoch of `random`.
    #[must_use]
    pub fn open(storage: S, settings: Settings, now: Timestamp, random: [u8; RANDOM_BYTES]) -> Self {
        let mut ledger = Self {
            storage,
            settings,
            state: State::default(),
            saved: State::default(),
            manifest: Manifest::default(),
            as_of: 0,
            head: None,
            polls: Polls::default(),
            reads: Window::default(),
            draft: None,
            lessons: Window::default(),
            is_checked: false,
            rates: crate::api::Rates::default(),
        };
        ledger.reload();
        if ledger.state.epoch == [0; 16] {
            ledger.state.indexes = Indexes::of_nothing(&ledger.settings.customer_claim);
            ledger.begin_epoch(now, random);
        }
        ledger
    }

    /// Draws a new epoch: in a new database, and in one that was restored to an earlier time.
    pub(crate) fn begin_epoch(&mut self, now: Timestamp, random: [u8; RANDOM_BYTES]) {
        let (epoch, secret) = random.split_at(16);
        self.state.epoch = epoch.try_into().unwrap_or_default();
        self.state.secret = secret.try_into().unwrap_or_default();
        self.begin_to_age();
        self.state.retell = (self.state.tokens > 0).then(Vec::new);
        // Of what was before followers of this epoch know nothing. Its log begins at its first revision: who has nothing, and no
        // shard to begin with, would else look for changes that nobody has. What still stands there is written over.
        self.state.revision = 0;
        self.state.first_kept = 1;
        self.state.marks.clear();
        self.state.taken_in = false;
        self.state.confirmed = false;
        self.state.has_keys = false;
        self.state.has_customers = false;
        // What the config API has said since is not known any more, and a run that began before is none of this epoch.
        self.state.list_taken = false;
        self.state.list_etag = None;
        self.state.list_run = self.state.list_run.max(now.millis());
        self.state.awake_since = now.millis();
        self.state.pass = None;
        self.forget_files();
        self.state.off = Some(CHECKING.to_owned());
        self.is_checked = false;
        self.write_secret(now);
        self.save();
    }

    /// Reads anew what is held in memory: after a transaction that was not kept.
    pub fn reload(&mut self) {
        self.state = State::load(&self.storage).unwrap_or_default();
        self.saved = self.state.clone();
        // Whatever changes a record from here on saves this too.
        self.state.indexes.note_claim(&self.settings.customer_claim);
        self.manifest = self.load_manifest();
        self.as_of = load_as_of(&self.storage);
        self.head = None;
        self.draft = None;
    }

    /// Writes what the ledger knows of itself, where that has changed.
    pub(crate) fn save(&mut self) {
        if self.state != self.saved {
            self.state.save(&mut self.storage);
            self.saved = self.state.clone();
        }
    }

    /// Whether the ledger takes changes and answers polls.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.state.off.is_none()
    }

    /// Of which database.
    #[must_use]
    pub const fn epoch(&self) -> Epoch {
        self.state.epoch()
    }

    /// The last change of the log.
    #[must_use]
    pub const fn revision(&self) -> Revision {
        self.state.revision
    }

    /// The database.
    pub const fn storage(&self) -> &S {
        &self.storage
    }

    /// Closes the ledger and gives its database back.
    pub fn into_storage(self) -> S {
        self.storage
    }

    pub(crate) fn record(&self, record: &RecordKey) -> Option<Record> {
        load(&self.storage, &key(RECORD, &[&record.to_bytes()]))
    }

    /// Writes what is known of a record, or forgets it where nothing is worth keeping. Nothing else writes a record, so that the
    /// indexes follow here.
    pub(crate) fn put_record(&mut self, record: &RecordKey, mut value: Record, now: Timestamp) {
        let key = key(RECORD, &[&record.to_bytes()]);
        value.forget_past(now);
        self.index(record, &value);
        if value.is_forgotten() { self.storage.delete(&key) } else { save(&mut self.storage, &key, &value) }
    }

    /// The row that counts of a key or customer.
    pub(crate) fn row(&self, record: &RecordKey) -> Option<Row> {
        let bytes = self.storage.get(&key(ROW, &[&record.to_bytes()]))?;
        Row::read(&mut pointsman_core::directory::bytes::Reader::new(&bytes))
    }

    /// Forgets a row that has ended: no follower counts it any more.
    pub(crate) fn forget_row(&mut self, record: &RecordKey) {
        let (row, pending) = (key(ROW, &[&record.to_bytes()]), key(PENDING, &[&record.to_bytes()]));
        if self.storage.get(&row).is_some() {
            self.storage.delete(&row);
            self.state.rows = self.state.rows.saturating_sub(1);
        }
        if self.storage.get(&pending).is_some() {
            self.storage.delete(&pending);
            self.state.pending = self.state.pending.saturating_sub(1);
        }
    }

    /// Has followers see a record as it now is: by the log, or, where that may wait, by the next shard.
    pub(crate) fn publish(&mut self, entry: &Entry, record: &Record, cause: &Cause<'_>) {
        let of = entry.record_key();
        let before = self.row(&of);
        let row = record.row(entry, self.settings.allow_http());
        if row == before {
            return;
        }
        self.publish_row(of, before.as_ref(), row.as_ref(), cause);
        if let Entry::Customer(id) = entry {
            self.follow_hosts(&of, id.as_str(), row.as_ref(), cause);
        }
    }

    /// Has followers see another row than before.
    pub(crate) fn publish_row(
        &mut self,
        of: RecordKey,
        before: Option<&Row>,
        row: Option<&Row>,
        cause: &Cause<'_>,
    ) {
        let bytes = of.to_bytes();
        let (row_key, pending_key) = (key(ROW, &[&bytes]), key(PENDING, &[&bytes]));
        match row {
            Some(row) => {
                let mut written = Vec::with_capacity(row.text.len() + 8);
                row.put(&mut written);
                self.storage.put(&row_key, &written);
            }
            None => self.storage.delete(&row_key),
        }
        self.state.rows = match (before.is_some(), row.is_some()) {
            (false, true) => self.state.rows.saturating_add(1),
            (true, false) => self.state.rows.saturating_sub(1),
            _ => self.state.rows,
        };
        let was_pending = self.storage.get(&pending_key).is_some();
        let waits =
            cause.may_wait && row.is_some_and(|row| may_wait(before, row)) && self.are_many(cause.now);
        if waits {
            self.storage.put(&pending_key, &self.state.sequence.to_be_bytes());
            self.count_pending(&of);
            self.state.pending_at = cause.now.millis();
            self.state.pending = self.state.pending.saturating_add(u64::from(!was_pending));
            return;
        }
        if was_pending {
            self.storage.delete(&pending_key);
            self.state.pending = self.state.pending.saturating_sub(1);
        }
        // A removal is written even where followers were never told of the record: one may have asked for it.
        self.append(pointsman_core::directory::log::Change { key: of, row: row.cloned() });
    }

    /// Counts an addition, and says whether there were so many within a minute that a shard is the shorter way. All that
    /// is found before the first shards is.
    fn are_many(&mut self, now: Timestamp) -> bool {
        let minute = now.millis() / 60_000;
        if self.state.additions.0 != minute {
            self.state.additions = (minute, 0);
        }
        self.state.additions.1 = self.state.additions.1.saturating_add(1);
        !self.state.taken_in || self.state.additions.1 > MANY
    }

    /// Has the database tell when something ends.
    pub(crate) fn set_end(&mut self, of: &RecordKey, before: Option<u64>, end: Option<u64>) {
        let end_key = |millis: u64| key(END, &[&millis.to_be_bytes(), &of.to_bytes()]);
        if before == end {
            return;
        }
        if let Some(before) = before {
            self.storage.delete(&end_key(before));
        }
        if let Some(end) = end {
            self.storage.put(&end_key(end), &[]);
        }
    }
}

/// Whether followers may hear of a row later. Only what lets somebody in may wait: a record that there was none of, or
/// another one of the config API that refuses nobody.
fn may_wait(before: Option<&Row>, row: &Row) -> bool {
    const DISABLED: &[u8] = br#""disabled":true"#;
    let refuses = row.usable != Usable::Yes || row.text.windows(DISABLED.len()).any(|part| part == DISABLED);
    before.is_none_or(|before| before.provider && row.provider && !refuses)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_refuses_somebody_never_waits() {
        let provided = |text: &str| Row { provider: true, ..Row::of(text) };
        assert!(may_wait(None, &Row::of("{}")));
        assert!(may_wait(Some(&provided("{}")), &provided(r#"{"backendUrl":"x"}"#)));
        assert!(!may_wait(Some(&provided("{}")), &provided(r#"{"disabled":true}"#)));
        assert!(!may_wait(Some(&provided("{}")), &Row { usable: Usable::Malformed, ..provided("") }));
        assert!(!may_wait(Some(&Row::of("{}")), &Row::of(r#"{"subject":"b"}"#)), "an operator's change");
        assert!(!may_wait(Some(&provided("{}")), &Row::of("{}")));
    }
}
