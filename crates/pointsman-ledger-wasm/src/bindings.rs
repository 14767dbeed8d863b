//! The ledger as JavaScript has it: one object that is opened over a database and then called.
#![allow(unreachable_pub)] // JavaScript reaches them, and the attribute wants them public.

use pointsman_core::base::time::Timestamp;
use pointsman_ledger::{Ledger, RANDOM_BYTES};
use wasm_bindgen::{JsError, prelude::wasm_bindgen};

use crate::{entries::Entries, frames};

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
        // Settings that cannot be read are as where nothing is said, which allows nothing: an object that does not open
        // would serve nobody.
        let settings = serde_json::from_str(settings).unwrap_or_default();
        Ok(Self(Ledger::open(entries, settings, time(now), of(random)?)))
    }

    /// Answers a request, which is JSON; see [`frames::answer`]. `bytes` are what a job has read.
    ///
    /// # Errors
    /// Where there are not 48 random bytes.
    pub fn call(
        &mut self,
        request: &str,
        bytes: Option<Vec<u8>>,
        now: f64,
        random: &[u8],
    ) -> Result<Vec<u8>, JsError> {
        let answer = self.0.call(request, bytes.as_deref(), time(now), of(random)?);
        Ok(frames::answer(&answer))
    }
}

fn of(random: &[u8]) -> Result<[u8; RANDOM_BYTES], JsError> {
    random.try_into().map_err(|_| JsError::new("a ledger needs 48 random bytes"))
}

/// Milliseconds since 1970: far below 2^53, and a cast saturates.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
const fn time(millis: f64) -> Timestamp {
    Timestamp::from_millis(millis as u64)
}
