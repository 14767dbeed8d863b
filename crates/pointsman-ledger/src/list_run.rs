//! A run of the scheduled Worker, which takes the config API's list over: it begins, hands over in parts what differs, and
//! ends. Of two runs at once the one that began last counts.

use pointsman_core::{base::time::Timestamp, directory::record_key::RecordKey};
use serde::{Deserialize, Serialize};

use crate::{
    commit::CommitError,
    ledger::Ledger,
    provider::{Difference, Differences, MOST_DIFFERENCES, Provision, Says},
    rows::Entry,
    storage::Storage,
};

/// A step of a run.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ListStep {
    /// [`Ledger::begin_list`].
    Begin,
    /// [`Ledger::take_list`].
    Part(ListPart),
    /// [`Ledger::end_list`].
    End(ListEnd),
}

/// A run that has begun.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct ListRun {
    /// Its number.
    pub run: u64,
    /// The entity tag of the last list that was wholly taken over, where the ledger still says what that list said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
}

/// A part of what differs.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListPart {
    /// The run's number.
    pub run: u64,
    /// The part's number in the run: one that is handed over twice is taken once.
    pub part: u64,
    /// As for [`Differences`].
    #[serde(default)]
    pub many: bool,
    /// What the list says.
    #[serde(default)]
    pub edits: Vec<Difference>,
    /// Whom the list no longer has.
    #[serde(default)]
    pub unlisted: Vec<Unlisted>,
}

/// A customer whom the list no longer has. No page has ids, and the list does not have this one.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Unlisted {
    /// The record's key as a page has it, in hexadecimal.
    pub key: String,
    /// As for [`Difference`].
    pub version: u64,
}

/// The end of a run.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ListEnd {
    /// The run's number.
    pub run: u64,
    /// Whether every entry of the list could be read: as for [`Ledger::list_taken`].
    pub is_believed: bool,
    /// The list's entity tag.
    #[serde(default)]
    pub etag: Option<String>,
}

impl<S: Storage> Ledger<S> {
    /// Begins a run. From here on the ledger takes nothing of a run that began before: its list is older.
    ///
    /// # Errors
    /// Where the ledger is off.
    pub fn begin_list(&mut self) -> Result<ListRun, CommitError> {
        self.takes_changes()?;
        self.state.list_run = self.state.list_run.saturating_add(1);
        self.state.list_doubted = false;
        self.save();
        Ok(ListRun { run: self.state.list_run, etag: self.state.list_etag.clone() })
    }

    /// Takes a part of what differs. Of [`Provision::changed`] those numbers that follow the edits' are of `unlisted`.
    ///
    /// # Errors
    /// Why nothing was done.
    pub fn take_list(&mut self, part: &ListPart, now: Timestamp) -> Result<Provision, CommitError> {
        self.check_run(part.run)?;
        if part.edits.len().saturating_add(part.unlisted.len()) > MOST_DIFFERENCES {
            return Err(CommitError::TooManyEdits);
        }
        let gone = part.unlisted.iter().map(|unlisted| Difference {
            // Whom the ledger does not know has no id, and is told of as changed.
            id: self.customer_of(&unlisted.key).unwrap_or_default(),
            says: Says::Gone,
            version: unlisted.version,
        });
        let edits = part.edits.iter().cloned().chain(gone).collect();
        let operation = format!("config-api:{}:{}", part.run, part.part);
        self.provide(&Differences { operation, many: part.many, edits }, now)
    }

    /// Ends a run that handed everything over.
    ///
    /// # Errors
    /// Why nothing was done.
    pub fn end_list(&mut self, end: &ListEnd) -> Result<(), CommitError> {
        self.check_run(end.run)?;
        // While a record ages whose entry cannot be used, and while an entry has no id, the list is wanted again whether it
        // changed or not.
        let is_settled = end.is_believed && !self.state.list_doubted;
        self.state.list_etag = end.etag.clone().filter(|_| is_settled);
        self.list_taken(end.is_believed);
        Ok(())
    }

    fn check_run(&self, run: u64) -> Result<(), CommitError> {
        self.takes_changes()?;
        (run == self.state.list_run).then_some(()).ok_or(CommitError::Superseded)
    }

    fn customer_of(&self, key: &str) -> Option<String> {
        let record = self.record(&RecordKey::from_bytes(&crate::wire::from_hex(key)?)?)?;
        match Entry::of_name(&record.name)? {
            Entry::Customer(id) => Some(id.as_str().to_owned()),
            Entry::Key(..) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use pointsman_core::directory::{bytes::hex, row::Usable};

    use super::*;
    use crate::{MemoryStorage, RANDOM_BYTES, Settings, Source, provided_key};

    const MINUTE: u64 = 60_000;

    fn at(minutes: u64) -> Timestamp {
        Timestamp::from_millis(1_785_412_800_000 + minutes * MINUTE)
    }

    fn ledger() -> Ledger<MemoryStorage> {
        let settings = Settings { source: Source::List, customers_stale: 10 * MINUTE, ..Settings::default() };
        let mut ledger = Ledger::open(MemoryStorage::default(), settings, at(0), [7; RANDOM_BYTES]);
        ledger.done(&crate::Done::ReadHead, None, at(0), [8; RANDOM_BYTES]);
        assert!(ledger.is_on());
        // Before that followers hear of additions by shards alone.
        ledger.state.taken_in = true;
        ledger
    }

    fn record() -> Says {
        Says::Record(r#"{"customerId":"a","backendUrl":"https://a.example.com"}"#.to_owned())
    }

    fn version(ledger: &Ledger<MemoryStorage>) -> u64 {
        let page = ledger.provided_page(&[], 9);
        page.get(25..33).map_or(0, |version| u64::from_be_bytes(version.try_into().unwrap()))
    }

    /// A part of a run that says something of one customer.
    fn part(ledger: &Ledger<MemoryStorage>, run: u64, says: Says) -> ListPart {
        let edits = vec![Difference { id: "a".to_owned(), says, version: version(ledger) }];
        ListPart { run, part: 0, edits, ..ListPart::default() }
    }

    /// A whole run that says something of one customer; the entity tag that the next run is told.
    fn run(ledger: &mut Ledger<MemoryStorage>, says: Says, minutes: u64) -> Option<String> {
        let run = ledger.begin_list().unwrap().run;
        let part = part(ledger, run, says);
        assert!(ledger.take_list(&part, at(minutes)).unwrap().changed.is_empty());
        ledger.end_list(&ListEnd { run, is_believed: true, etag: Some("\"1\"".to_owned()) }).unwrap();
        ledger.state.list_etag.clone()
    }

    fn usable(ledger: &Ledger<MemoryStorage>) -> Option<Usable> {
        ledger.row(&RecordKey::customer("a")).map(|row| row.usable)
    }

    #[test]
    fn a_run_that_another_began_after_is_refused() {
        let mut ledger = ledger();
        let older = ledger.begin_list().unwrap().run;
        let newer = ledger.begin_list().unwrap().run;
        let late = part(&ledger, older, record());
        assert_eq!(ledger.take_list(&late, at(0)), Err(CommitError::Superseded));
        let end = ListEnd { run: older, is_believed: true, etag: None };
        assert_eq!(ledger.end_list(&end), Err(CommitError::Superseded));
        assert!(usable(&ledger).is_none() && !ledger.state.list_taken);
        let good = part(&ledger, newer, record());
        let taken = ledger.take_list(&good, at(0)).unwrap();
        assert_eq!(ledger.take_list(&good, at(0)), Ok(taken), "a part that comes twice is taken once");
        assert_eq!(usable(&ledger), Some(Usable::Yes));
    }

    #[test]
    fn the_entity_tag_counts_until_anything_else_is_taken_over() {
        let mut ledger = ledger();
        assert!(run(&mut ledger, record(), 0).is_some());
        let begun = ledger.begin_list().unwrap();
        assert_eq!(begun.etag.as_deref(), Some("\"1\""));
        let gone = part(&ledger, begun.run, Says::Gone);
        ledger.take_list(&gone, at(0)).unwrap();
        assert_eq!(ledger.begin_list().unwrap().etag, None, "the run may have been cut off there");
        let run = ledger.begin_list().unwrap().run;
        ledger.end_list(&ListEnd { run, is_believed: false, etag: Some("\"2\"".to_owned()) }).unwrap();
        assert_eq!(ledger.begin_list().unwrap().etag, None, "an entry has no id");
        assert!(!ledger.state.has_customers);
    }

    #[test]
    fn a_record_counts_for_a_while_after_its_entry_cannot_be_used_any_more() {
        let mut ledger = ledger();
        run(&mut ledger, record(), 0);
        let revision = ledger.revision();
        for minutes in [1, 5, 10] {
            assert_eq!(run(&mut ledger, Says::Malformed, minutes), None, "the list is wanted again");
            assert_eq!((usable(&ledger), ledger.revision()), (Some(Usable::Yes), revision));
            let digest = crate::content_digest(&Says::Malformed);
            assert_ne!(ledger.provided_page(&[], 1)[17..25], digest, "the next list differs");
        }
        assert!(run(&mut ledger, Says::Malformed, 11).is_some());
        assert_eq!(usable(&ledger), Some(Usable::Malformed));
        let again = ledger.revision();
        run(&mut ledger, record(), 12);
        assert_eq!((usable(&ledger), ledger.revision()), (Some(Usable::Yes), again + 1));
        run(&mut ledger, Says::Unsure, 20);
        assert_eq!(usable(&ledger), Some(Usable::Yes), "counted anew");
        run(&mut ledger, Says::Unsure, 30);
        assert_eq!(usable(&ledger), Some(Usable::Unsure));
    }

    #[test]
    fn who_is_unlisted_is_disabled_by_key() {
        let mut ledger = ledger();
        run(&mut ledger, record(), 0);
        run(&mut ledger, Says::Malformed, 1);
        run(&mut ledger, Says::Malformed, 12);
        assert_eq!(usable(&ledger), Some(Usable::Malformed));
        let run = ledger.begin_list().unwrap().run;
        let unlisted = |key: &str, version| Unlisted { key: key.to_owned(), version };
        let known = unlisted(&hex(&provided_key("a")), version(&ledger));
        let unlisted = vec![unlisted(&hex(&provided_key("b")), 0), unlisted("x", 0), known];
        let part = ListPart { run, unlisted, ..ListPart::default() };
        assert_eq!(ledger.take_list(&part, at(13)).unwrap().changed, [0, 1]);
        let row = ledger.row(&RecordKey::customer("a")).unwrap();
        let text = r#"{"customerId":"a","backendUrl":"https://a.example.com","disabled":true}"#;
        assert_eq!((row.text, row.usable), (text.as_bytes().to_vec(), Usable::Yes));
        let many = ListPart { run, unlisted: vec![part.unlisted[2].clone(); 501], ..ListPart::default() };
        assert_eq!(ledger.take_list(&many, at(13)), Err(CommitError::TooManyEdits));
    }
}
