//! What the config API said of customers whom it is asked for one by one (`by_id`). It stands in the provider's column until
//! the provider says that the customer changed, or where nobody ever says that, until it has to be asked for again.
//!
//! Nothing orders two answers of the config API but when they were asked for. Whoever asked names the last change of the log
//! that was known then; an answer is older than what stands here where that change came before it.

use pointsman_core::{
    base::{record::read_record, time::Timestamp},
    customer::record::CustomerRecord,
    directory::{
        log::{Change, Revision},
        record_key::RecordKey,
    },
};
use serde::{Deserialize, Serialize};

use crate::{
    commit::CommitError,
    keyspace::{PROVIDED, after, end_of, key},
    ledger::{Cause, Ledger},
    provider::{MOST_DIFFERENCES, Says, content_digest, doubted_digest, gone, is_usable},
    record::{Provided, Record},
    rows::Entry,
    settings::Source,
    storage::Storage,
};

/// What isolates were told of their own accord, a second, but for changes: each is a change of the log, which every isolate
/// hears. What is left out the next isolate asks for itself.
const MOST_LESSONS: u32 = 50;
/// Records that one call ages.
const PAGE: usize = 500;

/// What somebody was told by the config API.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Learned {
    /// The ledger's epoch, as it was known before the config API was asked.
    pub epoch: String,
    /// The last change of the log that was known then.
    pub revision: Revision,
    /// Whether the provider has just said that these customers changed: followers hear of it at once, and a customer whom the
    /// config API does not have is refused.
    #[serde(default)]
    pub announced: bool,
    /// Of whom, and what.
    pub lessons: Vec<Lesson>,
}

/// What the config API said of one customer.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lesson {
    /// The customer's id.
    pub id: String,
    /// What was said.
    pub says: Learnt,
}

/// What the config API said of a customer.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Learnt {
    /// This record, as compact JSON, without what a refresh notes.
    Record(String),
    /// That there is no such customer.
    Gone,
    /// Nothing that can be used: the record before counts for as long as it may be stale.
    Broken,
}

/// What became of it.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Taken {
    /// The last change of the log.
    pub revision: Revision,
    /// Which of the lessons were older than what stands here, and were left out.
    pub older: Vec<usize>,
}

impl<S: Storage> Ledger<S> {
    /// Takes over what the config API said of customers whom somebody asked for.
    ///
    /// # Errors
    /// Why nothing was done.
    pub fn learn(&mut self, learned: &Learned, now: Timestamp) -> Result<Taken, CommitError> {
        self.takes_changes()?;
        if learned.lessons.len() > MOST_DIFFERENCES {
            return Err(CommitError::TooManyEdits);
        }
        let is_ours = learned.epoch == self.epoch().to_string() && self.settings.source == Source::ById;
        is_ours.then_some(()).ok_or(CommitError::Superseded)?;
        let actor = if learned.announced { "config-api announced" } else { "config-api" };
        let cause = Cause { now, actor, operation: "", from: "", found: "", may_wait: false };
        let mut taken = Taken::default();
        for (index, lesson) in learned.lessons.iter().enumerate() {
            if !self.learn_one(lesson, learned, &cause) {
                taken.older.push(index);
            }
        }
        taken.revision = self.state.revision;
        self.save();
        Ok(taken)
    }

    fn learn_one(&mut self, lesson: &Lesson, learned: &Learned, cause: &Cause<'_>) -> bool {
        let Some(entry) = Entry::customer(&lesson.id) else { return false };
        let of = entry.record_key();
        let mut record =
            self.record(&of).unwrap_or_else(|| Record { name: entry.name(), ..Record::default() });
        let before = record.provider.clone();
        // What is greater than the log's last revision was told in another epoch, before all of this one.
        let told = before.as_ref().map(|before| before.told).filter(|told| *told <= self.state.revision);
        if told.is_some_and(|told| told > learned.revision) {
            return false;
        }
        let Some(next) = self.next_provided(&entry, lesson, before.as_ref(), learned.announced, cause.now)
        else {
            return true;
        };
        let is_same = before.as_ref().is_some_and(|before| before.text == next.text && is_usable(before));
        if is_same && before.as_ref().is_some_and(|before| before.as_of == next.as_of) {
            return true;
        }
        // What differs from what is held never waits for another time.
        let is_bounded = !learned.announced && (is_same || before.is_none());
        if is_bounded && !self.lessons.take(cause.now, MOST_LESSONS) {
            return true;
        }
        let version = match before.filter(|_| is_same) {
            // The trail is of changes.
            Some(before) => before.version,
            None => self.next_sequence(entry.name(), "provide", cause),
        };
        // The change of the log that follows, by which older answers are told.
        let told = self.state.revision.saturating_add(1);
        let record = record_with(&mut record, Provided { version, told, ..next });
        self.put_provided(&entry, record, cause);
        if self.state.revision < told {
            // An operator's record hides it, or nothing of it changed that followers see.
            self.append(Change { key: of, row: self.row(&of) });
        }
        true
    }

    /// What is held from now on; nothing where that is what was held before.
    fn next_provided(
        &self,
        entry: &Entry,
        lesson: &Lesson,
        before: Option<&Provided>,
        announced: bool,
        now: Timestamp,
    ) -> Option<Provided> {
        let usable = before.filter(|before| is_usable(before));
        match &lesson.says {
            Learnt::Record(json) => {
                let provided = self.provided(entry, json);
                if is_usable(&provided) {
                    return Some(self.counted(provided, now));
                }
                usable.and_then(|before| self.aged(before, now))
            }
            Learnt::Broken => usable.and_then(|before| self.aged(before, now)),
            Learnt::Gone => match usable {
                Some(before) => Some(gone(before)),
                // A stranger is nobody's business, until the provider names one.
                None => announced.then(|| nobody(&lesson.id)).flatten(),
            },
        }
    }

    /// A record that was just asked for: where the provider announces changes it counts until then.
    fn counted(&self, provided: Provided, now: Timestamp) -> Provided {
        if self.settings.announced {
            return provided;
        }
        let until = now.millis().saturating_add(self.settings.customers_stale);
        Provided { as_of: now.millis(), until, ..provided }
    }

    /// The record before, in place of one that could not be had: isolates ask for it again behind their responses, and it
    /// ends when it may be used no longer. Nothing where it is already so, and for whoever is refused.
    fn aged(&self, before: &Provided, now: Timestamp) -> Option<Provided> {
        let is_refused = read_record::<CustomerRecord>(before.text.as_bytes())
            .is_ok_and(|record| record.disabled || record.gone);
        let due = now.millis().saturating_sub(self.settings.customers_fresh).max(1);
        if is_refused || (before.as_of > 0 && before.as_of <= due) {
            return None;
        }
        let stale = now.millis().saturating_add(self.settings.customers_stale);
        let until = if before.until == 0 { stale } else { before.until.min(stale) };
        Some(Provided { as_of: due, until, ..before.clone() })
    }

    /// Writes the provider's column, and tells followers.
    fn put_provided(&mut self, entry: &Entry, record: Record, cause: &Cause<'_>) {
        let of = entry.record_key();
        let Some(provided) = &record.provider else { return };
        let before = self.record(&of).and_then(|record| record.provider).map_or(0, |before| before.until);
        let (until, version) = (provided.until, provided.version);
        // A list that the configuration may name later has to look at whatever ends by itself.
        let digest = match provided.as_of {
            0 => content_digest(&Says::Record(provided.text.clone())),
            _ => doubted_digest(),
        };
        self.set_provided_digest(&of, &digest, version);
        let end = |until: u64| (until > 0).then(|| provider_end(until));
        self.set_end(&of, end(before), end(until));
        self.publish(entry, &record, cause);
        self.put_record(&of, record, cause.now);
    }

    /// Ends what the config API said of a customer, where its time is over. Followers end it by themselves.
    pub(crate) fn end_provided(&mut self, of: &RecordKey, mut record: Record, now: Timestamp) {
        let is_over = record
            .provider
            .as_ref()
            .is_some_and(|held| held.until > 0 && provider_end(held.until) <= now.millis());
        if !is_over {
            return;
        }
        record.provider = None;
        self.storage.delete(&key(PROVIDED, &[&of.to_bytes()]));
        if record.operator.is_none() {
            self.forget_row(of);
            let cause =
                Cause { now, actor: "config-api", operation: "", from: "", found: "", may_wait: true };
            self.follow_hosts(of, "", None, &cause);
        }
        self.put_record(of, record, now);
    }

    /// Begins to age all that the config API said, where something else than before says how long that counts: nobody knows
    /// what has changed since. The first time there is nothing to age.
    pub(crate) fn note_source(&mut self) {
        let source = match (self.settings.source, self.settings.announced) {
            (Source::None, _) => "none",
            (Source::List, _) => "list",
            (Source::ById, false) => "byId",
            (Source::ById, true) => "announced",
        };
        if self.state.source == source {
            return;
        }
        if !self.state.source.is_empty() {
            self.begin_to_age();
        }
        source.clone_into(&mut self.state.source);
    }

    /// As [`Ledger::note_source`], where the database was restored: what was announced since is not known any more.
    pub(crate) fn begin_to_age(&mut self) {
        self.state.aging = (self.settings.source == Source::ById).then(Vec::new);
    }

    /// Ages a page. A list needs none of this: the next run compares all.
    pub(crate) fn age_provided(&mut self, now: Timestamp) {
        let Some(behind) = self.state.aging.take() else { return };
        let from = if behind.is_empty() { vec![PROVIDED] } else { after(&behind) };
        let page = self.storage.scan(&from, &end_of(PROVIDED), PAGE);
        let cause = Cause { now, actor: "config-api", operation: "", from: "", found: "", may_wait: true };
        for (at, _) in &page {
            let of = at.get(1..).and_then(RecordKey::from_bytes);
            let Some(mut record) = of.and_then(|of| self.record(&of)) else { continue };
            let Some(entry) = Entry::of_name(&record.name) else { continue };
            let aged = record.provider.as_ref().filter(|held| is_usable(held));
            if let Some(aged) = aged.and_then(|held| self.aged(held, now)) {
                self.put_provided(&entry, record_with(&mut record, aged), &cause);
            }
        }
        self.state.aging = page.last().filter(|_| page.len() == PAGE).map(|(at, _)| at.clone());
    }
}

fn record_with(record: &mut Record, provided: Provided) -> Record {
    Record { provider: Some(provided), ..std::mem::take(record) }
}

/// A customer whom nobody knows and whom the config API does not have.
fn nobody(id: &str) -> Option<Provided> {
    let record = serde_json::json!({ "customerId": id, "disabled": true, "gone": true });
    Some(Provided { text: record.to_string(), ..Provided::default() })
}

/// Where the end of what the config API said is noted: an operator's record ends with a whole second, so never here.
const fn provider_end(until: u64) -> u64 {
    until.div_ceil(1000).saturating_mul(1000).saturating_add(1)
}
