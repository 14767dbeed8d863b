//! Which keys a root key reaches, and which it may write. Of all others it learns nothing.

use pointsman_core::{
    base::{object::parse_object, time::Timestamp},
    identity::{
        claimed::Claimed,
        claims::Claims,
        key_record::KeyConfig,
        root_key::{MEMBER, RootKey},
    },
};
use serde_json::{Map, Value};

use crate::{
    api::{
        Answered,
        caller::{Caller, in_seconds},
        problem::Problem,
    },
    ledger::Ledger,
    record::Held,
    rows::Entry,
    storage::Storage,
};

impl<S: Storage> Ledger<S> {
    /// The record of this key, unless it has ended in KV. Another key's digest may begin with the same bytes.
    pub(crate) fn held_key(&self, digest: &str, now: Timestamp) -> Option<Held> {
        let entry = Entry::key(digest)?;
        let record = self.record(&entry.record_key()).filter(|record| record.name == entry.name())?;
        record.operator.filter(|held| held.expires.is_none_or(|seconds| in_seconds(seconds) > now))
    }

    /// Whether what the ledger knows by this digest is of another key: it goes by half of a digest.
    pub(crate) fn is_anothers_digest(&self, digest: &str) -> bool {
        let Some(entry) = Entry::key(digest) else { return false };
        let record = self.record(&entry.record_key());
        record.is_some_and(|record| record.is_there() && record.name != entry.name())
    }

    /// A key that the root key reaches. Of any other it learns nothing, not even that it is there.
    pub(crate) fn reached_key(&self, caller: &Caller, digest: &str, now: Timestamp) -> Answered<Held> {
        let held = self.held_key(digest, now).ok_or(Problem::NotFound)?;
        if self.reaches_text(caller, &held.text) { Ok(held) } else { Err(Problem::NotFound) }
    }

    /// Whether the root key reaches a key with this record. Another root key only one that may do all that it may.
    pub(crate) fn reaches(&self, caller: &Caller, record: &Map<String, Value>) -> bool {
        let prefix = record.get("prefix").and_then(Value::as_str);
        if is_root(record) {
            let root = record.get(MEMBER).and_then(Value::as_object).and_then(RootKey::read);
            return caller.root.reaches_prefix(prefix) && root.is_some_and(|root| caller.root.covers(&root));
        }
        caller.root.reaches_key(self.claimed_customer(record).as_deref(), prefix)
    }

    /// The same of a record as it is stored.
    pub(crate) fn reaches_text(&self, caller: &Caller, record: &str) -> bool {
        self.reaches(caller, &parse_object(record.as_bytes()).unwrap_or_default())
    }

    /// The customer that a key's claims name.
    fn claimed_customer(&self, record: &Map<String, Value>) -> Option<String> {
        let claims = Claims::new(record.get("claims")?.as_object()?.clone());
        match Claimed::read(&claims, &self.settings.customer_claim()) {
            Claimed::Id(id) => Some(id.as_str().to_owned()),
            Claimed::Missing | Claimed::Malformed => None,
        }
    }

    /// Whether the root key may write this record, which can be used.
    pub(crate) fn may_write(&self, caller: &Caller, record: &Map<String, Value>) -> Answered<()> {
        let config = || KeyConfig::check(Value::Object(record.clone()).to_string().as_bytes());
        // The member at fault; empty where it is the record as a whole.
        let (pointer, detail) = match (is_root(record), self.reaches(caller, record)) {
            (false, true) => return Ok(()),
            (true, true) if config().is_ok_and(|config| caller.outlives(&config)) => return Ok(()),
            (true, true) => {
                ("", "a root key that this one writes ends no later, and is used from nowhere else")
            }
            (true, false) => (MEMBER, "no root key gives more than it has"),
            (false, false) => ("", "the root key is limited to other customers or prefixes"),
        };
        let pointer = if pointer.is_empty() { String::new() } else { format!("/{pointer}") };
        Err(Problem::BeyondLimits { pointer, detail })
    }
}

fn is_root(record: &Map<String, Value>) -> bool {
    record.get(MEMBER).is_some_and(|root| !root.is_null())
}
