//! What the config API says of customers: the other column. The scheduled Worker takes the list and compares it with what
//! stands here; the ledger never reads a list.

use pointsman_core::{
    base::{digest::Digest, record::read_record, time::Timestamp},
    customer::record::{CustomerConfig, CustomerRecord},
    directory::{record_key::RecordKey, row::Usable},
};
use serde::{Deserialize, Serialize};

use crate::{
    commit::CommitError,
    keyspace::{PROVIDED, after, end_of, key},
    ledger::{Cause, Ledger, MANY},
    operation::Known,
    record::{Provided, Record},
    rows::Entry,
    storage::Storage,
};

/// Differences that are handed over at once, at most.
pub const MOST_DIFFERENCES: usize = 500;

/// Differences between the config API's list and the ledger.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Differences {
    /// As for a commit.
    pub operation: String,
    /// Whether there are more than a thousand in all: followers get additions by shards then.
    #[serde(default)]
    pub many: bool,
    /// The differences.
    pub edits: Vec<Difference>,
}

/// What the config API now says of a customer.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Difference {
    /// The customer's id.
    pub id: String,
    /// What is said of the customer.
    pub says: Says,
    /// The version of the config API's record that was compared, 0 for none.
    pub version: u64,
}

/// What the config API says of a customer.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Says {
    /// This record, as compact JSON, without what a refresh notes.
    Record(String),
    /// Something that cannot be used.
    Malformed,
    /// Nothing that can be trusted, since its list has an entry that may be anybody's.
    Unsure,
    /// Nothing any more: who was on the list is disabled.
    Gone,
    /// Nothing, as if it had never been there.
    Nothing,
}

/// What became of differences.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Provision {
    /// The last change of the log.
    pub revision: u64,
    /// Which of the differences were of another version by now, and were left out.
    pub changed: Vec<usize>,
}

impl<S: Storage> Ledger<S> {
    /// Takes over what the config API says.
    ///
    /// # Errors
    /// Why nothing was done.
    pub fn provide(&mut self, asked: &Differences, now: Timestamp) -> Result<Provision, CommitError> {
        self.takes_changes()?;
        if asked.edits.len() > MOST_DIFFERENCES {
            return Err(CommitError::TooManyEdits);
        }
        match self.known_operation(&asked.operation, asked, now) {
            Known::New => {}
            Known::Done(provision) => return Ok(provision),
            Known::Another => return Err(CommitError::OperationReused),
        }
        // From the first difference to the last one nothing says what a list said.
        self.state.list_etag = None;
        let cause = Cause {
            now,
            actor: "config-api",
            operation: &asked.operation,
            from: "",
            found: "",
            may_wait: true,
        };
        if asked.many {
            self.state.additions = (now.millis() / 60_000, MANY);
        }
        let mut provision = Provision::default();
        for (index, edit) in asked.edits.iter().enumerate() {
            if !self.provide_one(edit, &cause) {
                provision.changed.push(index);
            }
        }
        provision.revision = self.state.revision;
        self.note_operation(&asked.operation, asked, &provision, now);
        self.save();
        Ok(provision)
    }

    fn provide_one(&mut self, edit: &Difference, cause: &Cause<'_>) -> bool {
        let Some(entry) = Entry::customer(&edit.id) else { return false };
        let of = entry.record_key();
        let mut record =
            self.record(&of).unwrap_or_else(|| Record { name: entry.name(), ..Record::default() });
        if record.provider.as_ref().map_or(0, |provided| provided.version) != edit.version {
            return false;
        }
        let mut provided = match &edit.says {
            Says::Record(json) => Some(self.provided(&entry, json)),
            Says::Malformed => Some(Provided { malformed: true, ..Provided::default() }),
            Says::Unsure => Some(Provided { unsure: true, ..Provided::default() }),
            Says::Gone => record.provider.as_ref().map(gone),
            Says::Nothing => None,
        };
        let before = record.provider.as_ref().filter(|before| !before.text.is_empty());
        if let (Some(before), Some(unusable)) = (before, provided.as_mut().filter(|new| !is_usable(new))) {
            if let Some(doubted) = self.doubted(before, cause.now) {
                self.state.list_doubted = true;
                self.set_provided_digest(&of, &doubted_digest(), doubted.version);
                record.provider = Some(doubted);
                self.put_record(&of, record, cause.now);
                return true;
            }
            // Whoever is gone from the list later is disabled, for which it has to be known whose backend was meant.
            unusable.text.clone_from(&before.text);
        }
        let action = if provided.is_some() { "provide" } else { "withdraw" };
        let version = self.next_sequence(entry.name(), action, cause);
        if let Some(provided) = &mut provided {
            provided.version = version;
        }
        match &provided {
            Some(_) => self.set_provided_digest(&of, &content_digest(&edit.says), version),
            None => self.storage.delete(&key(PROVIDED, &[&of.to_bytes()])),
        }
        record.provider = provided;
        // KV's entry is the operator's column: whether it may be judged does not depend on this one.
        self.publish(&entry, &record, cause);
        self.put_record(&of, record, cause.now);
        true
    }

    /// What is held in place of a record that cannot be used: the one before, for as long as that may be stale.
    fn doubted(&self, before: &Provided, now: Timestamp) -> Option<Provided> {
        let doubted_at = if before.doubted_at == 0 { now.millis() } else { before.doubted_at };
        let is_young = now.millis().saturating_sub(doubted_at) < self.settings.customers_stale;
        (is_usable(before) && is_young).then(|| Provided { doubted_at, ..before.clone() })
    }

    /// Notes what the next list is compared with.
    pub(crate) fn set_provided_digest(&mut self, of: &RecordKey, digest: &[u8; 8], version: u64) {
        let place = key(PROVIDED, &[&of.to_bytes()]);
        self.storage.put(&place, &[&digest[..], &version.to_be_bytes()].concat());
    }

    pub(crate) fn provided(&self, entry: &Entry, json: &str) -> Provided {
        let malformed = Provided { malformed: true, ..Provided::default() };
        let Entry::Customer(id) = entry else { return malformed };
        let Ok(record) = read_record::<CustomerRecord>(json.as_bytes()) else { return malformed };
        if CustomerConfig::of(&record, id, self.settings.allow_http()).is_err() {
            return malformed;
        }
        let text = serde_json::to_string(&crate::rows::content(&record)).unwrap_or_default();
        Provided { text, ..Provided::default() }
    }

    /// What the ledger has of the config API, for comparison: for each customer behind `after` the record's key (17 bytes),
    /// the content's digest (8) and the version (8), in order. `after` is the last key of the page before, or empty.
    #[must_use]
    pub fn provided_page(&self, behind: &[u8], limit: usize) -> Vec<u8> {
        let from = if behind.is_empty() { vec![PROVIDED] } else { after(&key(PROVIDED, &[behind])) };
        let page = self.storage.scan(&from, &end_of(PROVIDED), limit);
        page.iter().flat_map(|(at, value)| [at.get(1..).unwrap_or_default(), value].concat()).collect()
    }

    /// Notes whether the last whole list was believed: then a customer who is nowhere is no customer.
    pub fn list_taken(&mut self, is_believed: bool) {
        self.state.list_taken = is_believed;
        // Who was listed meanwhile may wait for a shard, and is nobody whom followers know.
        self.state.has_customers &= is_believed;
        self.judge_complete();
        self.save();
    }
}

/// The digest by which the scheduled Worker sees whether anything changed: the first 64 bits of SHA-256 of the record's
/// text, or of a word.
#[must_use]
pub fn content_digest(says: &Says) -> [u8; 8] {
    let text = match says {
        Says::Record(json) => json,
        Says::Malformed => "malformed",
        Says::Unsure => "unsure",
        Says::Gone => "gone",
        Says::Nothing => "",
    };
    Digest::of(text.as_bytes()).bytes().first_chunk().copied().unwrap_or_default()
}

/// The digest while the record before counts in place of one that cannot be used. Nothing that can be said has it, so each
/// list differs from it until the record before is too old.
pub(crate) fn doubted_digest() -> [u8; 8] {
    Digest::of(b"doubted").bytes().first_chunk().copied().unwrap_or_default()
}

pub(crate) fn is_usable(provided: &Provided) -> bool {
    provided.row().usable == Usable::Yes
}

/// Who is no longer listed counts as disabled.
pub(crate) fn gone(before: &Provided) -> Provided {
    let record = read_record::<CustomerRecord>(before.text.as_bytes());
    let disabled = record.map(|record| CustomerRecord { disabled: true, ..record });
    let text = disabled.ok().and_then(|record| serde_json::to_string(&record).ok());
    // Nobody knows whose backend a malformed record meant, and it stays refused.
    text.map_or_else(|| before.clone(), |text| Provided { text, ..Provided::default() })
}

/// The key by which a page names a customer.
#[must_use]
pub fn provided_key(id: &str) -> [u8; 17] {
    RecordKey::customer(id).to_bytes()
}
