//! The ledger as JavaScript has it: one object that is opened over a database and then called.
#![allow(unreachable_pub)] // JavaScript reaches them, and the attribute wants them public.

use pointsman_core::base::time::Timestamp;
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

    /// What there is of the record with this KV name: a segment with one change, or none for what is no name. Nothing where
    /// KV is to be read first.
    pub fn ask(&mut self, name: &str, now: f64) -> Option<Vec<u8>> {
        messages::asked(self.0.epoch(), self.0.ask(name, time(now)))
    }

    /// The same after KV was read. `value` is nothing where KV has nothing, or failed; `expires` are seconds since 1970.
    #[wasm_bindgen(js_name = tookFromKv)]
    pub fn took_from_kv(
        &mut self,
        name: &str,
        value: Option<String>,
        expires: Option<f64>,
        now: f64,
    ) -> Option<Vec<u8>> {
        let asked = self.0.took_from_kv(name, value.as_deref(), expires.map(whole), time(now));
        messages::asked(self.0.epoch(), asked)
    }


    /// Makes edits, all or none: JSON in, JSON out. One that is refused has written nothing.
    pub fn commit(&mut self, json: &str, now: f64) -> String {
        messages::answer(json, |commit| self.0.commit(&commit, time(now)))
    }

    /// The part of the log that begins with this revision; nothing where the log has none.
    pub fn segment(&self, first: f64) -> Option<Vec<u8>> {
        self.0.segment(whole(first)).map(|segment| segment.bytes)
    }
}

/// Milliseconds since 1970.
const fn time(millis: f64) -> Timestamp {
    Timestamp::from_millis(whole(millis))
}

/// A number of JavaScript's that is whole and far below 2^53; a cast saturates.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
const fn whole(number: f64) -> u64 {
    number as u64
}
