//! The ledger's storage port over the map that JavaScript hands in.

use pointsman_ledger::{Part, SearchPage, Storage};
use serde_json::json;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::frames;

#[wasm_bindgen]
extern "C" {
    /// The map that `src/edge/ledger_storage.js` makes of the object's SQLite. An exception of it leaves this instance in the
    /// middle of something: the object then takes the transaction back and makes a new instance.
    pub type Entries;

    #[wasm_bindgen(method)]
    fn get(this: &Entries, key: &[u8]) -> Option<Vec<u8>>;

    #[wasm_bindgen(method)]
    fn put(this: &Entries, key: &[u8], value: &[u8]);

    #[wasm_bindgen(method)]
    fn delete(this: &Entries, key: &[u8]);

    #[wasm_bindgen(method)]
    fn scan(this: &Entries, from: &[u8], to: &[u8], limit: u32) -> Vec<u8>;

    #[wasm_bindgen(method)]
    fn search(this: &Entries, from: &[u8], to: &[u8], order: &str) -> Vec<u8>;
}

impl Storage for Entries {
    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        Self::get(self, key)
    }

    fn put(&mut self, key: &[u8], value: &[u8]) {
        Self::put(self, key, value);
    }

    fn delete(&mut self, key: &[u8]) {
        Self::delete(self, key);
    }

    fn scan(&self, from: &[u8], to: &[u8], limit: usize) -> Vec<(Vec<u8>, Vec<u8>)> {
        let limit = u32::try_from(limit).unwrap_or(u32::MAX);
        // JavaScript joins what SQLite gave it: never cut short.
        frames::pairs(&Self::scan(self, from, to, limit)).unwrap_or_default()
    }

    fn search(&self, from: &[u8], to: &[u8], part: Part<'_>) -> SearchPage {
        let Part { text, part, descending, offset, limit } = part;
        let order = json!({ "skip": text.skip, "tail": text.tail, "isHex": text.is_hex, "part": part,
            "descending": descending, "offset": offset, "limit": limit });
        let mut found =
            frames::pairs(&Self::search(self, from, to, &order.to_string())).unwrap_or_default().into_iter();
        let number = |bytes: Vec<u8>| String::from_utf8(bytes).ok()?.parse().ok();
        // How many there are, and how many were found, come before the keys.
        let (total, matching) = found.next().unwrap_or_default();
        let keys = found.map(|(key, _)| key).collect();
        SearchPage { total: number(total).unwrap_or(0), matching: number(matching).unwrap_or(0), keys }
    }
}
