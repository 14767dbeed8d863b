//! What stands in KV for when the ledger is silent or lost: head, revocations, and the key of the heads' HMAC.

use pointsman_core::{
    base::time::Timestamp,
    directory::{
        bytes::{Reader, put_sized, put_varint},
        log::{Head, Manifest, Revision},
        record_key::RecordKey,
        row::Row,
    },
};
use serde_json::json;

use crate::{
    keyspace::{REMOVED, TOKEN, end_of, key},
    ledger::{Ledger, RANDOM_BYTES},
    record::{Past, REMOVED_KEPT, Record},
    storage::Storage,
};

/// The KV entry with head and log; a follower that is born while the ledger is silent begins with it.
pub const HEAD_NAME: &str = "directory:head";
/// The KV entry with revocations of tokens and removed records, for a ledger that has to begin anew.
pub const REVOCATIONS_NAME: &str = "directory:revocations";
/// The KV entry with the key of the heads' HMAC: `{"epoch":"…","key":"…"}` in hexadecimal.
pub const SECRET_NAME: &str = "directory:secret";
/// The KV entry in which the command line says which names it has written.
pub const TOUCHED_NAME: &str = "directory:touched";

/// Why a ledger is off that does not know yet whether there is another one.
pub(crate) const CHECKING: &str = "has not looked yet whether another ledger is at work";
/// Head and revocations are written so often at most, in milliseconds.
const BETWEEN: u64 = 60_000;
/// Without any change the head is written so often, in milliseconds: by its time others know that this ledger lives.
const ALIVE: u64 = 600_000;
/// Another ledger's head that is younger is one at work, in milliseconds.
const FRESH: u64 = 900_000;
/// Revocations that one call takes over.
const PAGE: u64 = 5000;

const REVOCATIONS: [u8; 3] = *b"PR\x01";

impl<S: Storage> Ledger<S> {
    /// The head with every change that is not in all shards.
    #[must_use]
    pub fn tail(&self) -> Vec<u8> {
        let shards = self.manifest.shards.iter().chain(&self.manifest.tokens);
        let in_all: Revision = shards.map(|shard| shard.revision).min().unwrap_or_default();
        let first = in_all.saturating_add(1).max(self.state.first_kept).max(1);
        let head = Head {
            epoch: self.state.epoch(),
            revision: self.state.revision,
            as_of: Timestamp::from_millis(self.as_of),
            pace: 100,
            manifest: Manifest { complete: self.complete(), ..self.manifest.clone() },
            first,
            changes: self.changes(first, self.state.revision, usize::MAX),
        };
        head.encode()
    }

    /// All revocations of tokens, and which values of removed records are dead.
    #[must_use]
    pub fn revocations(&self, now: Timestamp) -> Vec<u8> {
        let mut bytes = REVOCATIONS.to_vec();
        for (at, row) in self.storage.scan(&[TOKEN], &end_of(TOKEN), usize::MAX) {
            bytes.extend_from_slice(at.get(1..).unwrap_or_default());
            put_sized(&mut bytes, &row);
        }
        for (at, _) in self.storage.scan(&[REMOVED], &end_of(REMOVED), usize::MAX) {
            let Some(of) = at.get(1..).and_then(RecordKey::from_bytes) else { continue };
            let Some(mut record) = self.record(&of) else { continue };
            record.forget_past(now);
            bytes.extend_from_slice(&of.to_bytes());
            let mut removed = Vec::new();
            put_sized(&mut removed, record.name.as_bytes());
            put_varint(&mut removed, record.changed_at);
            record.past.iter().for_each(|past| put_sized(&mut removed, past.digest.as_bytes()));
            put_sized(&mut bytes, &removed);
        }
        bytes
    }

    /// Whether head and revocations are to be written to KV.
    pub(crate) fn is_backup_due(&self, now: Timestamp) -> bool {
        let passed = now.millis().saturating_sub(self.state.backup_at);
        let has_changed = self.state.backup_of != (self.state.revision, self.state.manifests);
        let is_polled = self.as_of > self.state.backup_at;
        passed >= BETWEEN && has_changed || passed >= ALIVE && is_polled
    }

    /// Notes that they are being written.
    pub(crate) fn begin_backup(&mut self, now: Timestamp) {
        self.state.backup_at = now.millis();
        self.state.backup_of = (self.state.revision, self.state.manifests);
    }

    /// Notes that they could not be written: again in a minute.
    pub(crate) fn backup_failed(&mut self) {
        self.state.backup_of = (0, 0);
    }

    pub(crate) fn write_secret(&mut self, now: Timestamp) {
        let hex = pointsman_core::directory::bytes::hex;
        let value = json!({ "epoch": hex(&self.state.epoch), "key": hex(&self.state.secret) });
        self.write_own(SECRET_NAME, value.to_string(), now);
    }

    /// Looks at the head that stands in KV, before this instance writes one: it may be another ledger's, or tell that this
    /// database was restored to an earlier time.
    pub(crate) fn head_read(&mut self, bytes: Option<&[u8]>, now: Timestamp, random: [u8; RANDOM_BYTES]) {
        let head = bytes.and_then(Head::decode);
        self.is_checked = true;
        let Some(head) = head else { return self.state.off = None };
        if head.epoch == self.state.epoch() {
            if head.revision > self.state.revision {
                return self.restored(now, random);
            }
            return self.state.off = None;
        }
        if now.since(head.as_of).millis() < FRESH {
            self.state.off = Some(format!("another ledger is at work: its epoch is {}", head.epoch));
            self.is_checked = false;
            self.state.backup_at = now.millis();
            return;
        }
        // That ledger is no more. What it revoked stays revoked.
        self.state.imported = Some(0);
    }

    /// Begins a new epoch: the database was restored to an earlier time. Revocations since then stand in KV alone.
    pub fn restored(&mut self, now: Timestamp, random: [u8; RANDOM_BYTES]) {
        self.begin_epoch(now, random);
        self.is_checked = true;
        self.state.imported = Some(0);
        self.save();
    }

    /// Takes over a page of another ledger's revocations; with the last one this ledger is on.
    pub(crate) fn revocations_read(&mut self, bytes: Option<&[u8]>, now: Timestamp) {
        let Some(done) = self.state.imported else { return };
        let mut reader = Reader::new(bytes.unwrap_or_default());
        let mut number = 0;
        if reader.array() == Some(REVOCATIONS) {
            while let (Some(of), Some(rest)) = (reader.array::<17>(), reader.sized()) {
                number += 1;
                if number > done
                    && let Some(of) = RecordKey::from_bytes(&of)
                {
                    self.take_revocation(&of, rest, now);
                }
                if number == done + PAGE {
                    self.state.imported = Some(number);
                    return;
                }
            }
        }
        self.state.imported = None;
        self.state.off = None;
    }

    fn take_revocation(&mut self, of: &RecordKey, bytes: &[u8], now: Timestamp) {
        use pointsman_core::directory::record_key::Kind;
        let mut reader = Reader::new(bytes);
        if of.kind == Kind::Token {
            let row = Row::read(&mut reader).filter(|row| !row.is_over(now));
            if let Some(row) = row.filter(|_| self.token(of).is_none()) {
                self.put_token(of, row);
            }
            return;
        }
        let (Some(name), Some(at)) = (reader.sized(), reader.varint()) else { return };
        let mut record = self.record(of).unwrap_or_default();
        // What this database says of the record since then is newer.
        if record.changed_at > at || now.millis() > at.saturating_add(REMOVED_KEPT) {
            return;
        }
        record.name = String::from_utf8_lossy(name).into_owned();
        let held = record.operator.take();
        record.changed_at = at;
        record.past.extend(held.map(|held| Past { digest: held.digest, at, by_hand: false }));
        while let Some(digest) = reader.sized() {
            let digest = String::from_utf8_lossy(digest).into_owned();
            record.past.push(Past { digest, at, by_hand: false });
        }
        self.storage.put(&key(REMOVED, &[&of.to_bytes()]), &at.to_be_bytes());
        if let Some(entry) = crate::rows::Entry::of_name(&record.name) {
            let cause = crate::ledger::Cause { now, actor: "backup", operation: "", may_wait: false };
            self.publish(&entry, &record, &cause);
        }
        self.put_record(of, Record { ..record }, now);
    }
}
