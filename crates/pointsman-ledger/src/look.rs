//! What an operator looks at: one record as it is now, records in pages, and the trail from its end. All of it is JSON, and
//! nothing of it changes anything.

use pointsman_core::base::time::Timestamp;
use serde::Serialize;

use crate::{
    keyspace::{AUDIT, end_of, key},
    ledger::Ledger,
    listing::{
        CustomerCursor, CustomerItem, CustomerQuery, KeyCursor, KeyItem, KeyQuery, OperatorRecord,
        ProviderRecord,
    },
    operation::Audit,
    record::Leaked,
    rows::Entry,
    storage::Storage,
};

/// Lines of the trail that are read at once.
const CHUNK: u64 = 500;
/// Lines of the trail that one call looks at.
const MOST_LOOKED_AT: u64 = 5000;

/// One record, with what operators and the config API say of it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Looked {
    /// The name of an operator's entry in KV.
    pub name: String,
    /// What operators say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operator: Option<OperatorRecord>,
    /// What the config API says of a customer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderRecord>,
    /// Of a key: that somebody found it where it does not belong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaked: Option<Leaked>,
}

/// A page of records.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LookedPage {
    /// Whom it lists.
    pub records: Vec<Looked>,
    /// What the next page is behind, where more may follow; also where this one is short or empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Whether everything that KV has was taken in once; else who is not listed may be there all the same.
    pub taken_in: bool,
}

/// A page of the trail.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Trail {
    /// Its lines, newest first.
    pub lines: Vec<Audit>,
    /// What the next page is before, where more may follow; also where this one is short or empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

impl<S: Storage> Ledger<S> {
    /// What is known of the record with this KV name (`key:<digest>`, `customer:<id>`); nothing where it is no such name.
    #[must_use]
    pub fn look(&self, name: &str, now: Timestamp) -> Option<Looked> {
        let entry = Entry::of_name(name)?;
        let name = entry.name();
        // Half of a digest finds a record: another key's may begin with the same bytes.
        let record =
            self.record(&entry.record_key()).filter(|record| record.name == name).unwrap_or_default();
        let is_over = |seconds: u64| seconds.saturating_mul(1000) <= now.millis();
        let operator = record.operator.filter(|held| !held.expires.is_some_and(is_over)).map(Into::into);
        Some(Looked { name, operator, provider: record.provider.map(Into::into), leaked: record.leaked })
    }

    /// A page of keys, as [`Ledger::keys_page`].
    #[must_use]
    pub fn look_at_keys(&self, query: &KeyQuery<'_>) -> LookedPage {
        let page = self.keys_page(query);
        let looked = |KeyItem { digest, operator, leaked }| {
            let name = Entry::key(&digest)?.name();
            Some(Looked { name, operator: Some(operator), provider: None, leaked })
        };
        let next = page.next.as_ref().map(KeyCursor::to_string);
        let records = page.items.into_iter().filter_map(looked).collect();
        LookedPage { records, next, taken_in: self.state.taken_in }
    }

    /// A page of customers, as [`Ledger::customers_page`].
    #[must_use]
    pub fn look_at_customers(&self, query: &CustomerQuery<'_>) -> LookedPage {
        let page = self.customers_page(query);
        let looked = |CustomerItem { id, operator, provider }| {
            let name = Entry::customer(&id)?.name();
            Some(Looked { name, operator, provider, leaked: None })
        };
        let next = page.next.as_ref().map(CustomerCursor::to_string);
        let records = page.items.into_iter().filter_map(looked).collect();
        LookedPage { records, next, taken_in: self.state.taken_in }
    }

    /// At most `limit` lines of the trail before a change, newest first; without one the last. With a name, those of the entry
    /// with that name; with an actor, those of whoever has this text in what they are called, ASCII letters in either case. One
    /// call looks at so many lines and no more.
    #[must_use]
    pub fn trail(&self, before: Option<u64>, name: Option<&str>, actor: Option<&str>, limit: usize) -> Trail {
        let actor = actor.map(str::to_ascii_lowercase);
        let is_meant = |line: &Audit| {
            name.is_none_or(|name| line.name == name)
                && actor.as_ref().is_none_or(|actor| line.actor.to_ascii_lowercase().contains(actor))
        };
        let mut lines = Vec::new();
        let Some(oldest) = self.oldest_line() else { return Trail { lines, next: None } };
        let behind_all = self.state.sequence.saturating_add(1);
        let mut to = before.map_or(behind_all, |before| before.min(behind_all));
        let end = to.saturating_sub(MOST_LOOKED_AT).max(oldest);
        while to > end && lines.len() < limit {
            let from = to.saturating_sub(CHUNK).max(end);
            for line in self.lines_between(from, to).into_iter().rev() {
                if lines.len() == limit {
                    break;
                }
                to = line.sequence;
                if is_meant(&line) {
                    lines.push(line);
                }
            }
            if lines.len() < limit {
                to = from;
            }
        }
        Trail { lines, next: Some(to).filter(|to| *to > oldest) }
    }

    fn lines_between(&self, from: u64, to: u64) -> Vec<Audit> {
        let at = |sequence: u64| key(AUDIT, &[&sequence.to_be_bytes()]);
        let lines = self.storage.scan(&at(from), &at(to), usize::try_from(CHUNK).unwrap_or(usize::MAX));
        lines.into_iter().filter_map(|(_, line)| serde_json::from_slice(&line).ok()).collect()
    }

    fn oldest_line(&self) -> Option<u64> {
        let lines = self.storage.scan(&[AUDIT], &end_of(AUDIT), 1);
        let sequence = lines.first()?.0.get(1..)?.try_into().ok()?;
        Some(u64::from_be_bytes(sequence))
    }
}
