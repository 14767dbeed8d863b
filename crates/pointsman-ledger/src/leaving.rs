//! Going back: an operator switches the ledger off, so that isolates ask KV, and the binding may go. First KV is told of all
//! that only the ledger knows. What ends with it are revocations of tokens, so an operator has to want that.

use pointsman_core::{
    base::{record::read_record, time::Timestamp},
    customer::record::CustomerRecord,
    directory::record_key::RecordKey,
    identity::customer_id::CustomerId,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    commit::CommitError,
    keyspace::{PROVIDED, after, end_of},
    ledger::{Ledger, RANDOM_BYTES},
    provider::is_usable,
    record::Provided,
    rows::Entry,
    storage::Storage,
};

/// Why a ledger is off that an operator switched off.
const SWITCHED_OFF: &str = "an operator switched it off, and isolates ask KV";
/// Records of the config API that one call hands over.
const PAGE: usize = 500;
/// More writes than this are not put into the outbox at once.
const MOST_OUTSTANDING: u64 = 1000;
/// How long a location may show what KV had before, in milliseconds: nobody is to ask KV sooner after the last write.
const SETTLES: u64 = 90_000;

/// A ledger that is on its way to be off.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Leaving {
    /// When that was asked for, in milliseconds.
    began: u64,
    /// The last of the config API's records that KV is told of.
    behind: Vec<u8>,
    /// Whether KV is told of all of them.
    is_told: bool,
    /// When KV was last still to be told of something, in milliseconds.
    told_at: u64,
}

/// What is asked of a ledger that is to go.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Leave {
    /// Whether the revocations of tokens may end with it.
    pub drop_revocations: bool,
}

impl<S: Storage> Ledger<S> {
    /// Begins to go off: from here on nothing is changed by it, and KV is told of what it has. It goes off behind that.
    ///
    /// # Errors
    /// Where tokens are revoked that KV knows nothing of, and this was not wanted; where it is off for another reason.
    pub fn switch_off(&mut self, leave: Leave, now: Timestamp) -> Result<(), CommitError> {
        if self.state.switched_off || self.state.leaving.is_some() {
            return Ok(());
        }
        self.is_on().then_some(()).ok_or(CommitError::Off)?;
        if self.state.tokens > 0 && !leave.drop_revocations {
            return Err(CommitError::RevocationsAlive { revocations: self.state.tokens });
        }
        let at = now.millis();
        self.state.leaving = Some(Leaving { began: at, told_at: at, ..Leaving::default() });
        self.save();
        Ok(())
    }

    /// Undoes [`Ledger::switch_off`], at any time. What stands in KV is taken in as by a new ledger.
    pub fn switch_on(&mut self) {
        self.state.leaving = None;
        if self.state.switched_off {
            self.state.switched_off = false;
            self.is_checked = false;
            self.state.off = Some(crate::backup::CHECKING.to_owned());
        }
        self.save();
    }

    /// Whether anything may be changed.
    pub(crate) fn takes_changes(&self) -> Result<(), CommitError> {
        (self.is_on() && self.state.leaving.is_none()).then_some(()).ok_or(CommitError::Off)
    }

    /// Takes the next step on the way out. `random` makes the epoch in which followers hold nothing.
    pub(crate) fn leave(&mut self, now: Timestamp, random: [u8; RANDOM_BYTES]) {
        let Some(mut leaving) = self.state.leaving.take() else { return };
        if !leaving.is_told && self.state.outstanding < MOST_OUTSTANDING {
            self.hand_over(&mut leaving, now);
        }
        if !leaving.is_told || self.state.outstanding > 0 {
            leaving.told_at = now.millis();
        }
        if leaving.is_told && now.millis() >= leaving.told_at.saturating_add(SETTLES) {
            self.begin_epoch(now, random);
            self.state.switched_off = true;
            self.state.off = Some(SWITCHED_OFF.to_owned());
        } else {
            self.state.leaving = Some(leaving);
        }
        self.save();
    }

    /// Has KV told of a page of what the config API says, under the names that refreshes use.
    fn hand_over(&mut self, leaving: &mut Leaving, now: Timestamp) {
        let from = if leaving.behind.is_empty() { vec![PROVIDED] } else { after(&leaving.behind) };
        let page = self.storage.scan(&from, &end_of(PROVIDED), PAGE);
        for (at, _) in &page {
            let of = at.get(1..).and_then(RecordKey::from_bytes);
            let Some(record) = of.and_then(|of| self.record(&of)) else { continue };
            let Some(Entry::Customer(id)) = Entry::of_name(&record.name) else { continue };
            let refreshed = record.provider.as_ref().and_then(|held| refreshed(held, leaving.began));
            if let Some(refreshed) = refreshed {
                self.write_own(&CustomerId::refreshed_key(&id), refreshed, now);
            }
        }
        leaving.is_told = page.len() < PAGE;
        leaving.behind = page.last().map(|(at, _)| at.clone()).unwrap_or_default();
    }

    /// For the status: how far it is on its way out.
    pub(crate) fn leaving_status(&self) -> Value {
        let Some(leaving) = &self.state.leaving else { return Value::Null };
        json!({
            "began": leaving.began,
            "providedTold": leaving.is_told,
            "offAt": leaving.is_told.then(|| leaving.told_at.saturating_add(SETTLES)),
        })
    }
}

/// A record as a refresh writes it to KV; none of what cannot be used, for which isolates ask themselves.
fn refreshed(held: &Provided, began: u64) -> Option<String> {
    let record = read_record::<CustomerRecord>(held.text.as_bytes()).ok().filter(|_| is_usable(held))?;
    let fetched_at = Timestamp::from_millis(if held.as_of == 0 { began } else { held.as_of });
    let record = CustomerRecord { fetched_at: Some(fetched_at.to_string()), generation: Some(1), ..record };
    serde_json::to_string(&record).ok()
}
