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
    /// KV is to be read first. `known` is the last change that the caller knows.
    pub fn ask(&mut self, name: &str, known: f64, now: f64) -> Option<Vec<u8>> {
        let asked = self.0.ask(name, whole(known), time(now));
        messages::asked(self.0.epoch(), asked)
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

    /// Whether it has looked at what another ledger left in KV. Before that it takes no edits.
    #[wasm_bindgen(js_name = hasStarted)]
    #[must_use]
    pub fn has_started(&self) -> bool {
        self.0.has_started()
    }

    /// What is due outside: for each job its JSON and its bytes, each behind its length.
    pub fn jobs(&mut self, now: f64) -> Vec<u8> {
        messages::jobs(&self.0.jobs(time(now)))
    }

    /// Takes note of what came of a job: JSON, and the bytes that were read, if any.
    pub fn done(&mut self, json: &str, bytes: Option<Vec<u8>>, now: f64) {
        if let Some(done) = messages::done(json, bytes) {
            self.0.done(done, time(now));
        }
    }

    /// When jobs are due next, in milliseconds since 1970.
    #[wasm_bindgen(js_name = nextAlarm)]
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // far below 2^53
    pub fn next_alarm(&self, now: f64) -> Option<f64> {
        self.0.next_alarm(time(now)).map(|at| at as f64)
    }

    /// Takes over what the config API says: JSON in, JSON out.
    pub fn provide(&mut self, json: &str, now: f64) -> String {
        messages::answer(json, |provide| {
            let revision = self.0.provide(&provide, time(now))?;
            Ok::<_, pointsman_ledger::ProvideError>(serde_json::json!({ "revision": revision }))
        })
    }

    /// What the config API is known to have said: record keys and digests, as JSON, behind `behind`.
    #[must_use]
    pub fn provided(&self, behind: Option<String>, limit: u32) -> String {
        messages::text(&self.0.provided(behind.as_deref(), limit as usize))
    }

    /// How it does, as JSON.
    #[must_use]
    pub fn status(&self) -> String {
        self.0.status()
    }

    /// Who changed what behind a change, as JSON.
    #[must_use]
    pub fn audit(&self, behind: f64, limit: u32) -> String {
        messages::text(&self.0.audit(whole(behind), limit as usize))
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
