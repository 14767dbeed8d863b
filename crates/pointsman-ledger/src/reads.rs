//! Reads of KV on behalf of the passes: of entries whose listing does not say what they hold, and of those that seem to be
//! gone.

use pointsman_core::base::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    judge::{BY_HAND, Found},
    keyspace::{MISSING, READ, UNTOLD, after, end_of, key, load, save},
    ledger::{Cause, Ledger},
    pass::{MINUTE, Missed, PAGE, SLOW},
    record::{Record, digest_of},
    rows::Entry,
    storage::Storage,
};

/// Names of one read.
const NAMES_A_READ: usize = 100;
/// Reads that one call gives out: a namespace that was full before there was a ledger is read within minutes.
const READS: usize = 10;
/// How long a read may take before it is given out again, in milliseconds.
const READ_LEASE: u64 = 60_000;

/// An entry that was read for a pass.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReadEntry {
    /// Its name.
    pub name: String,
    /// Its value; none where there is none.
    pub value: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Wanted {
    pub(crate) leased_until: u64,
    pub(crate) listed: Option<String>,
    pub(crate) expires: Option<u64>,
    /// The pass that is to know whether the entry is gone; 0 where the entry was listed.
    pub(crate) gone: u64,
    /// Whether this is not for a listing that has shown the entry, so that nobody knows when it ends.
    pub(crate) is_unlisted: bool,
}

/// When an entry ends that was read and not listed, where that is known of this very value. Of another one the next pass
/// tells.
fn known_expiry(record: &Record, value: &str) -> Option<u64> {
    let digest = digest_of(value.as_bytes());
    match (&record.operator, &record.seen) {
        (Some(held), _) if held.digest == digest => held.expires,
        (_, Some(seen)) if seen.digest == digest => seen.expires,
        _ => None,
    }
}

impl<S: Storage> Ledger<S> {
    /// Names of entries that are to be read (`cacheTtl` 30): those that a pass has found, those that seem to be gone, and,
    /// by turns, those whose metadata do not say what they hold.
    pub(crate) fn due_reads(&mut self, now: Timestamp) -> Vec<Vec<String>> {
        let at = now.millis();
        self.want_missing();
        self.want_by_turns(at);
        let mut names = Vec::new();
        for (entry, value) in self.storage.scan(&[READ], &end_of(READ), 2 * READS * NAMES_A_READ) {
            let mut wanted: Wanted = serde_json::from_slice(&value).unwrap_or_default();
            let Some(Ok(name)) = entry.get(1..).map(|name| String::from_utf8(name.to_vec())) else {
                continue;
            };
            if wanted.leased_until > at || names.len() >= READS * NAMES_A_READ {
                continue;
            }
            wanted.leased_until = at.saturating_add(READ_LEASE);
            save(&mut self.storage, &entry, &wanted);
            names.push(name);
        }
        names.chunks(NAMES_A_READ).map(<[String]>::to_vec).collect()
    }

    fn want_missing(&mut self) {
        let accepted = self.state.passes.accepted;
        if accepted == 0 {
            return;
        }
        let from = key(MISSING, &[self.state.missing_from.as_bytes()]);
        let missing = self.storage.scan(&from, &end_of(MISSING), PAGE);
        for (entry, value) in &missing {
            let missed: Missed = serde_json::from_slice(value).unwrap_or_default();
            if missed.again == accepted {
                let read = key(READ, &[entry.get(1..).unwrap_or_default()]);
                save(&mut self.storage, &read, &Wanted { gone: accepted, ..Wanted::default() });
            }
        }
        let last = missing.last().filter(|_| missing.len() == PAGE).and_then(|(entry, _)| entry.get(1..));
        self.state.missing_from =
            last.map(|name| String::from_utf8_lossy(name).into_owned()).unwrap_or_default();
        if self.state.missing_from.is_empty() {
            self.state.passes.accepted = 0;
        }
    }

    fn want_by_turns(&mut self, at: u64) {
        // The free plan has 100 000 reads a day.
        let between = if self.settings.max_staleness >= SLOW { 3 * MINUTE } else { MINUTE };
        if at < self.state.passes.turn_at.saturating_add(between) {
            return;
        }
        let from = after(&key(UNTOLD, &[self.state.passes.turn.as_bytes()]));
        let turn = self.storage.scan(&from, &end_of(UNTOLD), NAMES_A_READ);
        for (entry, _) in &turn {
            let name = entry.get(1..).unwrap_or_default();
            let read = key(READ, &[name]);
            // Who is wanted for a listing is read with what that says.
            if self.storage.get(&read).is_none() {
                save(&mut self.storage, &read, &Wanted { is_unlisted: true, ..Wanted::default() });
            }
        }
        self.state.passes.turn_at = at;
        let last = turn.last().filter(|_| turn.len() == NAMES_A_READ).and_then(|(entry, _)| entry.get(1..));
        self.state.passes.turn =
            last.map(|name| String::from_utf8_lossy(name).into_owned()).unwrap_or_default();
    }

    /// Takes entries that were read for a pass.
    pub(crate) fn was_read(&mut self, entries: &[ReadEntry], now: Timestamp) {
        for found in entries {
            let read = key(READ, &[found.name.as_bytes()]);
            let Some(wanted) = load::<Wanted>(&self.storage, &read) else { continue };
            self.storage.delete(&read);
            let Some(entry) = Entry::of_name(&found.name) else { continue };
            let began = self.state.pass.as_ref().map_or(now.millis(), |pass| pass.began);
            let began = if wanted.gone > 0 { wanted.gone } else { began };
            let Some(record) = self.may_judge(&entry, began) else { continue };
            match &found.value {
                Some(value) => {
                    let is_listed = wanted.gone == 0 && !wanted.is_unlisted;
                    let (listed, expires) = match is_listed {
                        true => (wanted.listed, wanted.expires),
                        false => (
                            record.seen.as_ref().and_then(|seen| seen.listed.clone()),
                            known_expiry(&record, value),
                        ),
                    };
                    self.storage.delete(&key(MISSING, &[found.name.as_bytes()]));
                    self.judge_value(
                        &entry,
                        record,
                        Found { value, listed, expires, is_unlisted: !is_listed },
                        now,
                    );
                }
                None if wanted.gone > 0 => self.remove_gone(&entry, record, now),
                // It was listed and is gone by now: the next passes will miss it.
                None => {}
            }
        }
        self.end_pass(now);
    }

    /// Takes an entry for deleted by hand.
    fn remove_gone(&mut self, entry: &Entry, mut record: Record, now: Timestamp) {
        let name = entry.name();
        self.storage.delete(&key(MISSING, &[name.as_bytes()]));
        self.storage.delete(&key(UNTOLD, &[name.as_bytes()]));
        let Some(held) = record.operator.clone() else { return };
        // Whoever deleted it may not be overruled by a listing that still has it.
        record.note_past(&held.digest, now, true);
        self.unsee(entry, &mut record);
        let cause = Cause { now, actor: BY_HAND, operation: "", from: "", found: "", may_wait: false };
        self.replace_operator(entry, record, None, &cause);
    }

    pub(crate) fn has_reads(&self) -> bool {
        !self.storage.scan(&[READ], &end_of(READ), 1).is_empty()
    }
}
