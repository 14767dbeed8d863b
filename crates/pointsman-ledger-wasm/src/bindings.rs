//! The ledger as JavaScript has it: one object that is opened over a database and then called.
#![allow(unreachable_pub)] // JavaScript reaches them, and the attribute wants them public.

use pointsman_core::{base::time::Timestamp, directory::log::Revision};
use pointsman_ledger::Ledger;
use wasm_bindgen::{JsError, prelude::wasm_bindgen};

use crate::{entries::Entries, messages};

/// A ledger over the database of one object. Whoever calls it takes the transaction back where a call throws, and opens
/// another one afterwards.
#[wasm_bindgen(js_name = Ledger)]
pub struct Handle(Ledger<Entries>);

#[wasm_bindgen(js_class = Ledger)]
impl Handle {
    /// Opens the database. `settings` is JSON; `random` are 48 random bytes, which a new database is made of.
    ///
    /// # Errors
    /// Where there are not as many: no two databases may have the same epoch.
    #[wasm_bindgen(constructor)]
    pub fn open(entries: Entries, settings: &str, now: f64, random: &[u8]) -> Result<Self, JsError> {
        let random = random.try_into().map_err(|_| JsError::new("a ledger needs 48 random bytes"))?;
        Ok(Self(Ledger::open(entries, messages::settings(settings), time(now), random)))
    }

    /// Reads anew what is held in memory: after a transaction that was taken back.
    pub fn reload(&mut self) {
        self.0.reload();
    }

    /// The head of the log.
    pub fn poll(&mut self, now: f64) -> Vec<u8> {
        self.0.poll(time(now))
    }

    pub fn jobs(&mut self, now: f64) -> Vec<u8> { let _ = now; Vec::new() }
    pub fn done(&mut self, outcome: &str, now: f64) { let _ = (outcome, now); }
    #[wasm_bindgen(js_name = nextAlarm)]
    pub fn next_alarm(&mut self, now: f64) -> Option<f64> { Some(now + 60_000.0) }
    /// Makes edits, all or none: JSON in, JSON out. One that is refused has written nothing.
    pub fn commit(&mut self, json: &str, now: f64) -> String {
        messages::answer(json, |commit| self.0.commit(&commit, time(now)))
    }

    /// The part of the log that begins with this revision; nothing where the log has none.
    pub fn segment(&self, first: f64) -> Option<Vec<u8>> {
        self.0.segment(revision(first)).map(|segment| segment.bytes)
    }
}

/// Milliseconds since 1970; a cast saturates.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
const fn time(millis: f64) -> Timestamp {
    Timestamp::from_millis(millis as u64)
}

/// Far below 2^53; a cast saturates.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
const fn revision(number: f64) -> Revision {
    number as u64
}
