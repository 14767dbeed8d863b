//! What the ledger knows of itself: one small value, which is read when an instance begins and written with each change.

use pointsman_core::directory::log::{Epoch, Revision};
use serde::{Deserialize, Serialize};

use crate::{
    keyspace::{load, meta, save},
    storage::Storage,
};

/// What the ledger knows of itself.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct State {
    /// Of which database.
    pub(crate) epoch: [u8; 16],
    /// The key of the HMAC of heads in the location's cache.
    pub(crate) secret: [u8; 32],
    /// The last change of the log.
    pub(crate) revision: Revision,
    /// The last change of any record, of those that followers get by a shard too.
    pub(crate) sequence: u64,
    /// The first revision that the log still has.
    pub(crate) first_kept: Revision,
    /// How many revocations of tokens there are.
    pub(crate) tokens: u64,
    /// How many rows wait for a shard.
    pub(crate) pending: u64,
    /// How many records are in force.
    pub(crate) rows: u64,
    /// How many names KV is still to be told of.
    pub(crate) outstanding: u64,
    /// How many entries were seen in KV.
    pub(crate) seen: u64,
    /// How often KV showed what the ledger had replaced, and was put right.
    pub(crate) lags: u64,
    /// Why the ledger stays off; nothing while it is on.
    pub(crate) off: Option<String>,
}

const STATE: &str = "state";
const AS_OF: &str = "asOf";

impl State {
    /// The state; `None` in a new database.
    pub(crate) fn load(storage: &impl Storage) -> Option<Self> {
        load(storage, &meta(STATE))
    }

    /// Writes it.
    pub(crate) fn save(&self, storage: &mut impl Storage) {
        save(storage, &meta(STATE), self);
    }

    /// The epoch, as followers read it.
    pub(crate) const fn epoch(&self) -> Epoch {
        Epoch(self.epoch)
    }
}

/// When the ledger last wrote that all it knew was so.
pub(crate) fn load_as_of(storage: &impl Storage) -> u64 {
    load(storage, &meta(AS_OF)).unwrap_or_default()
}

/// Writes that all that the ledger knows is so.
pub(crate) fn save_as_of(storage: &mut impl Storage, millis: u64) {
    save(storage, &meta(AS_OF), &millis);
}
