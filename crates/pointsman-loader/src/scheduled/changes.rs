//! What differs between the config API's list and what the store was last given, and what is written for it.

use std::collections::BTreeMap;

use pointsman_core::{
    base::{digest::Digest, record::read_record, time::Timestamp},
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
        let mut malformed = 0usize;
        for (id, says) in roster.all() {
            let mark = match says {
                Listed::Record(record) => {
                    CustomerConfig::of(&record, &id, self.allow_http).map(|_| mark(&id, &record))
                }
                Listed::Malformed(error) => Err(error),
                Listed::Absent | Listed::Unsure => continue,
            };
            if let Err(error) = &mark {
                malformed += 1;
                if malformed <= MAX_WARNINGS {
                    self.ports.warn("customer_record_malformed", &format!("config API, {id} {error}"));
                }
            }
            listed.insert(id, mark.ok());
        }
        if malformed > MAX_WARNINGS {
            let what = format!("config API: {} more entries that cannot be used", malformed - MAX_WARNINGS);
            self.ports.warn("customer_record_malformed", &what);
        }
        let needed = |id, change| CustomerChange { id, change, needed: true };
        let known = index.keys().filter_map(|id| CustomerId::parse(id));
        let missing: Vec<_> = known.filter(|id| !listed.contains_key(id)).collect();
        let emptied = roster.is_empty() && !index.is_empty() && self.max_removed < 100;
        if emptied || shrank_too_far(index.len(), missing.len(), self.max_removed) {
            return Err(SourceError(shrunk(index.len(), roster.len(), self.max_removed)));
        }
        let is_marked = |id: &CustomerId, mark: &str| index.get(id.as_str()).is_some_and(|own| own == mark);
        let mut changes = Vec::new();
        if roster.nameless().is_empty() {
            changes.extend(missing.into_iter().map(|id| needed(id, Change::Disable)));
        } else {
            let what = format!(
                "{} entries of the config API's list have no customerId that can be read, so nobody is taken for gone",
                roster.nameless().len()
            );
            self.ports.warn("customer_record_malformed", &what);
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
            let change = Change::Write(Box::new(record), mark);
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
fn mark(id: &CustomerId, record: &CustomerRecord) -> String {
    let json = serde_json::to_string(&record.content()).unwrap_or_default();
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
