//! What the config API says of customers: the scheduled Worker compares its list with what the ledger holds, and hands the
//! differences over.

use pointsman_core::{base::time::Timestamp, directory::bytes::hex};
use serde::{Deserialize, Serialize};

use crate::{
    keyspace::{PROVIDED, after, end_of, key},
    ledger::{Cause, Ledger},
    record::{Provided, Record, digest_of},
    rows::Entry,
    settings::Source,
    storage::Storage,
};

/// Differences of one call at most.
const MOST: usize = 500;
/// Additions from which on shards carry them and not the log.
const BULK: u64 = 1000;

/// Differences of a list.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Provide {
    /// The customers that differ.
    pub customers: Vec<Says>,
    /// How many differ in all, in this call and in others of the same run.
    pub differ: u64,
    /// Whether the list was a whole one, which was believed, and this call has the last of its differences.
    #[serde(default)]
    pub whole: bool,
}

/// What the config API says of one customer.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Says {
    /// The customer's id.
    pub id: String,
    /// The record; none where the customer is not listed.
    #[serde(default)]
    pub json: Option<String>,
    /// Whether the list has an entry that names the customer and cannot be read.
    #[serde(default)]
    pub unsure: bool,
}

/// Why differences were not taken.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", tag = "error")]
pub enum ProvideError {
    /// More than one call may have: 413.
    TooMany,
    /// The ledger stays off: 503.
    Off,
}

impl<S: Storage> Ledger<S> {
    /// Takes differences over into the provider's column. What an operator says is left alone.
    ///
    /// # Errors
    /// Why nothing was done.
    pub fn provide(&mut self, provide: &Provide, now: Timestamp) -> Result<u64, ProvideError> {
        if !self.is_on() {
            return Err(ProvideError::Off);
        }
        if provide.customers.len() > MOST {
            return Err(ProvideError::TooMany);
        }
        let cause = Cause { now, actor: "config API", operation: "", may_wait: provide.differ > BULK };
        for says in &provide.customers {
            if let Some(entry) = Entry::customer(&says.id) {
                self.set_provider(&entry, says, &cause);
            }
        }
        if provide.whole && self.settings.source == Source::List && !self.state.believed_list {
            self.state.believed_list = true;
        }
        if provide.whole {
            self.judge_completeness();
        }
        self.save();
        Ok(self.state.revision)
    }

    fn set_provider(&mut self, entry: &Entry, says: &Says, cause: &Cause<'_>) {
        let of = entry.record_key();
        let mut record =
            self.record(&of).unwrap_or_else(|| Record { name: entry.name(), ..Record::default() });
        let place = key(PROVIDED, &[&of.to_bytes()]);
        let provided = says.json.as_deref().map(|json| {
            let row = entry.row(json, self.settings.allow_http());
            let malformed = row.text.is_empty() && !says.unsure;
            let text = String::from_utf8(row.text).unwrap_or_default();
            Provided { text, malformed, unsure: says.unsure, version: 0 }
        });
        let same = |one: &Option<Provided>, other: &Option<Provided>| match (one, other) {
            (Some(one), Some(other)) => {
                Provided { version: 0, ..one.clone() } == Provided { version: 0, ..other.clone() }
            }
            (None, None) => true,
            _ => false,
        };
        if same(&record.provider, &provided) {
            return;
        }
        let action = if provided.is_some() { "provide" } else { "unlist" };
        let version = self.next_sequence(entry.name(), action, cause);
        match &says.json {
            Some(json) => self.storage.put(&place, digest_of(json.as_bytes()).as_bytes()),
            None => self.storage.delete(&place),
        }
        record.provider = provided.map(|provided| Provided { version, ..provided });
        record.changed_at = cause.now.millis();
        self.publish(entry, &record, cause);
        self.put_record(&of, record, cause.now);
    }

    /// The digests of what the config API said of customers, by record key in hexadecimal, behind `behind`: what a list is
    /// compared with.
    #[must_use]
    pub fn provided(&self, behind: Option<&str>, limit: usize) -> Vec<(String, String)> {
        let from =
            behind.map_or_else(|| vec![PROVIDED], |behind| after(&key(PROVIDED, &[&bytes_of(behind)])));
        let entries = self.storage.scan(&from, &end_of(PROVIDED), limit);
        let read =
            |(key, digest): (Vec<u8>, Vec<u8>)| Some((hex(key.get(1..)?), String::from_utf8(digest).ok()?));
        entries.into_iter().filter_map(read).collect()
    }
}

/// The bytes of hexadecimal digits; what is none is left out.
fn bytes_of(digits: &str) -> Vec<u8> {
    let (pairs, _) = digits.as_bytes().as_chunks::<2>();
    let byte = |pair: &[u8; 2]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    pairs.iter().filter_map(byte).collect()
}
