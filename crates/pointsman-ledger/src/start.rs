//! How a ledger begins: what another one left in KV, and what each leaves there for isolates that are born while it is silent.

use pointsman_core::{
    base::time::Timestamp,
    directory::{
        bytes::hex,
        log::{Head, Revision},
        record_key::Kind,
    },
};
use serde::{Deserialize, Serialize};

use crate::{
    jobs::{HEAD_NAME, Job, SECRET_NAME},
    keyspace::{load, meta, save},
    ledger::Ledger,
    record::{REMOVED_KEPT, Record},
    state::Standing,
    storage::Storage,
};

/// A word of another ledger that is younger than this is of one that lives, in milliseconds.
const FRESH: u64 = 600_000;
/// What isolates begin with is written at most once in this time, in milliseconds.
const BETWEEN_BACKUPS: u64 = 60_000;
/// A word that has not changed is repeated, so that another ledger knows that this one lives, in milliseconds.
const REPEATED: u64 = 300_000;
/// A write that nothing was heard of is made again, in milliseconds.
const LEASE: u64 = 30_000;
const BACKUP: &str = "backup";

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
struct Backup {
    /// Up to which change KV has it.
    revision: Revision,
    shards: Vec<u64>,
    at: u64,
    not_before: u64,
    /// Whether KV has the key of the heads' HMAC.
    secret: bool,
    /// What is being written.
    writing: Option<(Revision, Vec<u64>)>,
}

impl<S: Storage> Ledger<S> {
    /// Whether the ledger has looked at what another one left in KV.
    #[must_use]
    pub fn has_started(&self) -> bool {
        self.state.standing != Standing::Starting
    }

    /// Whether the ledger is on.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.state.standing == Standing::On
    }

    /// Begins, by what stands in KV of another ledger: one that lives keeps this one off. Of one that is gone the
    /// revocations are taken over, and what it removed is not taken in again.
    pub(crate) fn start(&mut self, tail: Option<&[u8]>, now: Timestamp) {
        if self.state.standing != Standing::Starting {
            return;
        }
        self.state.standing = Standing::On;
        let Some(head) = tail.and_then(Head::decode).filter(|head| head.epoch != self.state.epoch()) else {
            return;
        };
        if now.millis().saturating_sub(head.as_of.millis()) < FRESH {
            self.state.standing = Standing::Off;
            return;
        }
        for change in head.changes {
            match (change.key.kind, change.row) {
                (Kind::Token, Some(row)) if !row.is_over(now) => self.put_token(&change.key, row),
                (Kind::ApiKey | Kind::Customer, None) => {
                    let barred_until = now.millis().saturating_add(REMOVED_KEPT);
                    self.put_record(&change.key, Record { barred_until, ..Record::default() }, now);
                }
                _ => {}
            }
        }
    }

    /// The head with all changes that no shard holds.
    #[must_use]
    pub fn tail(&self) -> Vec<u8> {
        let first = self.baseline().max(self.state.first_kept.saturating_sub(1)).saturating_add(1);
        let changes = self.changes(first, self.state.revision, usize::MAX >> 1);
        let head = Head {
            epoch: self.state.epoch(),
            revision: self.state.revision,
            as_of: Timestamp::from_millis(self.as_of),
            pace: 100,
            manifest: self.manifest.clone(),
            first: self.state.revision.saturating_add(1).saturating_sub(changes.len() as u64),
            changes,
        };
        head.encode()
    }

    fn backup(&self) -> Backup {
        load(&self.storage, &meta(BACKUP)).unwrap_or_default()
    }

    fn backup_is_due(&self, backup: &Backup, now: Timestamp) -> bool {
        let changed = backup.revision != self.state.revision || backup.shards != self.shard_revisions();
        let pause = if changed { BETWEEN_BACKUPS } else { REPEATED };
        now.millis() >= backup.not_before
            && (backup.at == 0 || now.millis() >= backup.at.saturating_add(pause))
    }

    pub(crate) fn due_backup(&mut self, now: Timestamp) -> Option<Job> {
        let mut backup = self.backup();
        if now.millis() < backup.not_before {
            return None;
        }
        if !backup.secret {
            backup.not_before = now.millis().saturating_add(LEASE);
            save(&mut self.storage, &meta(BACKUP), &backup);
            let text = format!("{} {}", self.state.epoch(), hex(&self.state.secret));
            return Some(Job::WriteBytes { name: SECRET_NAME.to_owned(), bytes: text.into_bytes() });
        }
        if !self.backup_is_due(&backup, now) {
            return None;
        }
        backup.not_before = now.millis().saturating_add(LEASE);
        backup.writing = Some((self.state.revision, self.shard_revisions()));
        save(&mut self.storage, &meta(BACKUP), &backup);
        Some(Job::WriteBytes { name: HEAD_NAME.to_owned(), bytes: self.tail() })
    }

    pub(crate) fn backed_up(&mut self, name: &str, well: bool, now: Timestamp) {
        let mut backup = self.backup();
        backup.not_before = if well { 0 } else { now.millis().saturating_add(LEASE) };
        if well && name == SECRET_NAME {
            backup.secret = true;
        } else if well && let Some((revision, shards)) = backup.writing.take() {
            backup = Backup { revision, shards, at: now.millis(), ..backup };
        }
        save(&mut self.storage, &meta(BACKUP), &backup);
    }

    pub(crate) fn next_backup(&self, now: Timestamp) -> Option<u64> {
        let backup = self.backup();
        let changed = backup.revision != self.state.revision || backup.shards != self.shard_revisions();
        // Nobody needs to hear that a ledger lives that nobody polls.
        if backup.secret && !changed && !self.is_awake(now) {
            return None;
        }
        let pause = if changed { BETWEEN_BACKUPS } else { REPEATED };
        let due = if backup.secret && backup.at > 0 { backup.at.saturating_add(pause) } else { 0 };
        Some(due.max(backup.not_before))
    }

    fn shard_revisions(&self) -> Vec<u64> {
        self.manifest.shards.iter().chain(&self.manifest.tokens).map(|shard| shard.revision).collect()
    }

    /// Up to which change all shards hold everything.
    pub(crate) fn baseline(&self) -> Revision {
        self.shard_revisions().into_iter().min().unwrap_or(0)
    }
}
