//! What differs between the config API's list and what the store was last given, and what is written for it.

use std::collections::BTreeMap;

use pointsman_core::{
    base::{
        digest::Digest,
        record::{RecordError, read_record},
        time::Timestamp,
    },
    customer::{
        backend_url::AllowHttp,
        record::{CustomerConfig, CustomerRecord},
        roster::{Listed, Roster, shrank_too_far},
    },
    identity::customer_id::CustomerId,
};
use serde_json::{Map, Value};

use crate::{
    config_api::shrunk,
    ports::{Ports, SourceError},
};

/// Bad entries of a list that are logged one by one.
const MAX_WARNINGS: usize = 20;
/// How many records that should be in order a run looks at, in turn: one may have been removed, or written
/// over by a request that crossed with a run.
const LOOKED_AT: usize = 1000;
/// Stands in the index for a record whose entry cannot be read any more: nothing vouches for it.
const UNCONFIRMED: &str = "unconfirmed";

/// Which record each refreshed customer was last given: the first 64 bits of its content's digest, in
/// hexadecimal. All values are texts; of a hundred thousand customers no second copy is made for that.
pub(super) type Index = Map<String, Value>;

/// A record that a refresh wrote before.
pub(super) struct Before {
    record: CustomerRecord,
    /// Whether it still stands under the operator's name.
    left_over: bool,
}

impl Before {
    /// Reads an entry; `None` where it is no record of a refresh. Under the refresh's own name that is
    /// nobody's to mend, and is written over.
    pub(super) fn read(entry: Option<&[u8]>, left_over: bool) -> Option<Self> {
        let record = read_record::<CustomerRecord>(entry?).ok()?;
        record.is_refreshed().then_some(Self { record, left_over })
    }
}

/// What is to be done about one customer.
pub(super) enum Change {
    /// It is listed like this.
    Write(Box<CustomerRecord>, String),
    /// It is no longer listed.
    Disable,
    /// Its entry cannot be read. The record ages from when a list last agreed with it.
    Unconfirmed,
}

/// A customer that a run looks at.
pub(super) struct CustomerChange {
    pub(super) id: CustomerId,
    pub(super) change: Change,
    /// Whether the list is not agreed with before it has been looked at.
    pub(super) needed: bool,
}

/// How a list is compared with the index.
pub(super) struct Comparison<'a, P> {
    pub(super) allow_http: AllowHttp,
    /// How many customers in a hundred may be missing from a list at once.
    pub(super) max_removed: u8,
    pub(super) ports: &'a P,
}

impl<P: Ports> Comparison<'_, P> {
    /// Reads a list: each customer's record as JSON, always written alike, or nothing where the entry cannot be used, of which
    /// the log tells. In the order of [`Roster::ids`].
    pub(super) fn read(&self, roster: &Roster, take: &mut dyn FnMut(CustomerId, Option<&str>)) {
        let mut malformed = 0usize;
        for id in roster.ids() {
            let json = self.record(roster, &id);
            if let Err(error) = &json {
                malformed += 1;
                if malformed <= MAX_WARNINGS {
                    self.ports.warn("customer_record_malformed", &format!("config API, {id} {error}"));
                }
            }
            take(id, json.as_deref().ok());
        }
        if malformed > MAX_WARNINGS {
            let what = format!("config API: {} more entries that cannot be used", malformed - MAX_WARNINGS);
            self.ports.warn("customer_record_malformed", &what);
        }
    }

    /// The record of a customer whom the list names, as JSON.
    pub(super) fn record(&self, roster: &Roster, id: &CustomerId) -> Result<String, RecordError> {
        let record = match roster.find(id) {
            Listed::Record(record) => record,
            Listed::Malformed(error) => return Err(error),
            Listed::Absent | Listed::Unsure => {
                return Err(RecordError { pointer: String::new(), what: "is not listed".to_owned() });
            }
        };
        CustomerConfig::of(&record, id, self.allow_http)?;
        Ok(serde_json::to_string(&record.content()).unwrap_or_default())
    }

    /// Whether a list may lack so many of the customers who are known.
    pub(super) fn check_size(
        &self,
        roster: &Roster,
        known: usize,
        missing: usize,
    ) -> Result<(), SourceError> {
        let emptied = roster.is_empty() && known > 0 && self.max_removed < 100;
        if emptied || shrank_too_far(known, missing, self.max_removed) {
            return Err(SourceError(shrunk(known, roster.len(), self.max_removed)));
        }
        Ok(())
    }

    /// Tells of entries that may be anybody's.
    pub(super) fn warn_of_nameless(&self, roster: &Roster) {
        let what = format!(
            "{} entries of the config API's list have no customerId that can be read, so nobody is taken for gone",
            roster.nameless().len()
        );
        self.ports.warn("customer_record_malformed", &what);
    }

    /// What differs between the list and the index, customers who are gone first; and behind it, what is
    /// only looked at.
    pub(super) fn changes(
        &self,
        roster: &Roster,
        index: &Index,
        asked_at: Timestamp,
    ) -> Result<Vec<CustomerChange>, SourceError> {
        // Of each entry only its mark is held: a hundred thousand records would be many times the list.
        let mut listed: BTreeMap<CustomerId, Option<String>> = BTreeMap::new();
        self.read(roster, &mut |id, json| {
            let mark = json.map(|json| mark(&id, json));
            listed.insert(id, mark);
        });
        let needed = |id, change| CustomerChange { id, change, needed: true };
        let known = index.keys().filter_map(|id| CustomerId::parse(id));
        let missing: Vec<_> = known.filter(|id| !listed.contains_key(id)).collect();
        self.check_size(roster, index.len(), missing.len())?;
        let is_marked = |id: &CustomerId, mark: &str| index.get(id.as_str()).is_some_and(|own| own == mark);
        let mut changes = Vec::new();
        if roster.nameless().is_empty() {
            changes.extend(missing.into_iter().map(|id| needed(id, Change::Disable)));
        } else {
            self.warn_of_nameless(roster);
            listed.extend(missing.into_iter().map(|id| (id, None)));
        }
        let mut same = Vec::new();
        // Another part of them each minute.
        let parts = u64::try_from(listed.len().div_ceil(LOOKED_AT)).unwrap_or(1).max(1);
        let turn = (asked_at.millis() / 60_000) % parts;
        for (id, mark) in listed {
            let Some(mark) = mark else {
                if index.contains_key(id.as_str()) && !is_marked(&id, UNCONFIRMED) {
                    changes.push(needed(id, Change::Unconfirmed));
                }
                continue;
            };
            let is_same = is_marked(&id, &mark);
            let looked_at = Digest::of(id.as_str().as_bytes()).prefix() % parts == turn;
            if is_same && !looked_at {
                continue;
            }
            let Listed::Record(record) = roster.find(&id) else { continue };
            let change = Change::Write(record, mark);
            if is_same {
                same.push(CustomerChange { id, change, needed: false });
            } else {
                changes.push(needed(id, change));
            }
        }
        changes.append(&mut same);
        Ok(changes)
    }
}

/// With the name that the record stands under: what an older version marked had another one, and is written
/// again.
fn mark(id: &CustomerId, json: &str) -> String {
    format!("{:016x}", Digest::of(format!("{}\n{json}", id.refreshed_key()).as_bytes()).prefix())
}

/// The record to write, if one is, and what the index says from then on.
pub(super) fn judge(
    change: &Change,
    before: Option<Before>,
    confirmed_at: &str,
    asked_at: Timestamp,
) -> (Option<CustomerRecord>, Option<String>) {
    let left_over = before.as_ref().is_some_and(|before| before.left_over);
    let before = before.map(|before| before.record);
    let newer =
        before.as_ref().and_then(|before| before.fetched_at(asked_at)).is_some_and(|at| at > asked_at);
    let generation =
        Some(before.as_ref().and_then(|before| before.generation).unwrap_or_default().saturating_add(1));
    let fetched_at = Some(asked_at.to_string());
    match change {
        Change::Write(record, mark) => {
            // One that a request wrote is written again, so that the state vouches for it from now on.
            let same = !left_over
                && before.as_ref().is_some_and(|before| {
                    before.scheduled && !before.gone && before.content() == record.content()
                });
            let record = CustomerRecord { fetched_at, generation, scheduled: true, ..(**record).clone() };
            ((!newer && !same).then_some(record), Some(mark.clone()))
        }
        Change::Disable => {
            let before = before.filter(|before| !newer && !before.gone);
            let tombstone = |before: CustomerRecord| CustomerRecord {
                disabled: true,
                gone: true,
                scheduled: true,
                fetched_at,
                generation,
                etag: None,
                ..before
            };
            (before.map(tombstone), None)
        }
        Change::Unconfirmed => {
            let vouched = before.filter(|before| before.scheduled);
            let fetched_at = |before: &CustomerRecord| {
                let own = before.fetched_at.clone().unwrap_or_default();
                // Both are written alike, so the later one is the greater text.
                Some(own.max(confirmed_at.to_owned()))
            };
            let alone = vouched.map(|before| CustomerRecord {
                scheduled: false,
                fetched_at: fetched_at(&before),
                ..before
            });
            (alone, Some(UNCONFIRMED.to_owned()))
        }
    }
}
