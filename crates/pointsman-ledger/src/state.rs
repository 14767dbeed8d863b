//! What the ledger knows of itself: one small value, which is read when an instance begins and written with each change.

use pointsman_core::directory::log::{Epoch, Revision};
use serde::{Deserialize, Serialize};

use crate::{
    formats::Formats,
    index::Indexes,
    keyspace::{load, meta, save},
    leaving::Leaving,
    pass::{Pass, Passes},
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
    /// Up to which change KV is to be told of nothing that waits, and behind which name that is still to be dropped; nothing
    /// where it was.
    pub(crate) dropping: Option<(u64, Vec<u8>)>,
    /// How many entries were seen in KV.
    pub(crate) seen: u64,
    /// How often KV showed what the ledger had replaced, and was put right.
    pub(crate) lags: u64,
    /// By how many bits a new set of all shards is cut, while there is one on its way.
    pub(crate) building_bits: Option<u8>,
    /// Whether everything that KV has was taken in once.
    pub(crate) taken_in: bool,
    /// When a row last began to wait for a shard, in milliseconds.
    pub(crate) pending_at: u64,
    /// The last revision of each of the last hours.
    pub(crate) marks: Vec<(u64, Revision)>,
    /// Whether one whole list of the config API was taken over, and believed.
    pub(crate) list_taken: bool,
    /// The last run that takes the list over.
    pub(crate) list_run: u64,
    /// The entity tag of the last list that was wholly taken over, until anything else is.
    pub(crate) list_etag: Option<String>,
    /// Whether the run left a record in force whose entry cannot be used.
    pub(crate) list_doubted: bool,
    /// Whether followers have all keys, and all customers, but for those that were added since.
    pub(crate) has_keys: bool,
    pub(crate) has_customers: bool,
    /// Whether a pass has ended that began after the last long pause.
    pub(crate) confirmed: bool,
    /// When that pause ended, in milliseconds.
    pub(crate) awake_since: u64,
    /// The pass over KV that runs, and what the last ones came to.
    pub(crate) pass: Option<Pass>,
    pub(crate) passes: Passes,
    /// Up to which name missing entries were looked through.
    pub(crate) missing_from: String,
    /// Additions of a minute, and which minute.
    pub(crate) additions: (u64, u64),
    /// When head and revocations were last written to KV, in milliseconds, and at which change.
    pub(crate) backup_at: u64,
    pub(crate) backup_of: (Revision, u64),
    /// Changes of the manifest.
    pub(crate) manifests: u64,
    /// How many of another ledger's revocations were taken over; nothing where none are to be.
    pub(crate) imported: Option<u64>,
    /// When the entries that the command line touched were last looked for, in milliseconds.
    pub(crate) touched_at: u64,
    /// What stood there, and how often these entries are still to be read.
    pub(crate) touched: (String, u8),
    /// Up to where removed records were looked through in which hour.
    pub(crate) swept: (u64, Vec<u8>),
    /// Which formats followers read.
    pub(crate) formats: Formats,
    /// By what it was known last how long the config API's records count.
    pub(crate) source: String,
    /// Behind which of the config API's records those are that are still to be aged; nothing where none are.
    pub(crate) aging: Option<Vec<u8>>,
    /// Behind which revocations of tokens those are that followers of a new epoch are still to be told of; nothing where they
    /// know all.
    pub(crate) retell: Option<Vec<u8>>,
    /// Which of the indexes are whole, and what is built of the others. A version of before there were any loses this when it
    /// writes the state, so that the next one that knows of them builds them anew.
    pub(crate) indexes: Indexes,
    /// Where an operator has it go off: how far it is.
    pub(crate) leaving: Option<Leaving>,
    /// Whether an operator switched it off: polls say that there is nothing, and nothing else is done.
    pub(crate) switched_off: bool,
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
