//! What stands in KV for when the ledger is silent or lost: head, revocations, and the key of the heads' HMAC.

use pointsman_core::{
    base::time::Timestamp,
    directory::{
        bytes::{Reader, put_sized, put_varint},
        log::{Change, Head, Revision},
        record_key::RecordKey,
        row::Row,
    },
};
use serde_json::json;

use crate::{
    keyspace::{REMOVED, TOKEN, after, end_of, key},
    ledger::{Ledger, RANDOM_BYTES},
    record::{Past, REMOVED_KEPT, Record},
    storage::Storage,
    tokens::both,
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
/// Why a ledger is off whose followers do not know yet which tokens are revoked.
const TELLING: &str = "puts the revocations of tokens into the log of its new epoch";
/// Revocations of tokens that one call puts into a new epoch's log.
const RETOLD: usize = 1000;
/// Head and revocations are written so often at most, in milliseconds.
const BETWEEN: u64 = 60_000;
/// Without any change the head is written so often, in milliseconds: by its time others know that this ledger lives.
const ALIVE: u64 = 600_000;
/// Another ledger's head that is younger is one at work, in milliseconds.
const FRESH: u64 = 900_000;
/// Revocations that one call takes over.
const PAGE: u64 = 5000;

/// Changes of the tail at most, and bytes of them. Compaction leaves the log a tenth of that; more wait only before there are
/// shards, or while KV takes none.
const TAIL_CHANGES: u64 = 65_536;
const TAIL_BYTES: usize = 4 << 20;
/// Entries that one call collects for the backup.
const COLLECTED: usize = 4096;

/// What the backup says of revocations and removals, as far as it is collected. Held in memory alone: an instance that begins
/// anew collects anew.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    bytes: Vec<u8>,
    /// The last token that it has; what comes behind all of them once it has all.
    behind: Vec<u8>,
    /// The last removal that it has.
    removed_behind: Vec<u8>,
    /// The change at which it was begun, and which manifest.
    of: (Revision, u64),
    is_done: bool,
}

const REVOCATIONS: [u8; 3] = *b"PR\x01";
/// Stands before the digest of the value that counts, among those of dead ones. No digest begins so: a version that does not
/// know of it takes it for one that nothing has.
const COUNTS: char = '=';

impl<S: Storage> Ledger<S> {
    /// The head with every change that is not in all shards. Where these are too many, the head as polls bring it: a follower
    /// that begins with it finds a gap, and so lets nobody in by it whose revocation stands there.
    #[must_use]
    pub fn tail(&self) -> Vec<u8> {
        let shards = self.manifest.shards.iter().chain(&self.manifest.tokens);
        let in_all: Revision = shards.map(|shard| shard.revision).min().unwrap_or_default();
        let first = in_all.saturating_add(1).max(self.state.first_kept).max(1);
        let head = self.read_head();
        let as_of = Timestamp::from_millis(self.as_of);
        let head = match self.changes_within(first, TAIL_CHANGES, TAIL_BYTES) {
            Some(changes) => Head { as_of, first, changes, ..head },
            None => Head { as_of, ..head },
        };
        head.encode_as(self.format())
    }

    /// All revocations of tokens, and which values of removed records are dead: as they were collected for the backup that is
    /// due, or as they are now.
    #[must_use]
    pub fn revocations(&self, now: Timestamp) -> Vec<u8> {
        if let Some(draft) = self.draft.as_ref().filter(|draft| draft.is_done) {
            return draft.bytes.clone();
        }
        let mut draft = Draft::default();
        while !draft.is_done {
            self.collect(&mut draft, now);
        }
        draft.bytes
    }

    /// Collects a page of what the backup is to say; true once that is all.
    pub(crate) fn prepare_backup(&mut self, now: Timestamp) -> bool {
        let of = (self.state.revision, self.state.manifests);
        let draft = self.draft.take().filter(|draft| !draft.is_done);
        let mut draft = draft.unwrap_or_else(|| Draft { of, ..Draft::default() });
        self.collect(&mut draft, now);
        let is_done = draft.is_done;
        self.draft = Some(draft);
        is_done
    }

    /// Whether a backup is being prepared.
    pub(crate) fn is_preparing(&self) -> bool {
        self.draft.as_ref().is_some_and(|draft| !draft.is_done)
    }

    fn collect(&self, draft: &mut Draft, now: Timestamp) {
        if draft.bytes.is_empty() {
            draft.bytes = REVOCATIONS.to_vec();
        }
        let from = if draft.behind.is_empty() { vec![TOKEN] } else { after(&draft.behind) };
        let of_tokens = self.storage.scan(&from, &end_of(TOKEN), COLLECTED);
        for (at, row) in &of_tokens {
            draft.bytes.extend_from_slice(at.get(1..).unwrap_or_default());
            put_sized(&mut draft.bytes, row);
        }
        if let Some((last, _)) = of_tokens.last().filter(|_| of_tokens.len() == COLLECTED) {
            return draft.behind.clone_from(last);
        }
        let is_of_removed = draft.removed_behind.first() == Some(&REMOVED);
        let from = if is_of_removed { after(&draft.removed_behind) } else { vec![REMOVED] };
        draft.behind = vec![TOKEN + 1];
        let removed = self.storage.scan(&from, &end_of(REMOVED), COLLECTED);
        for (at, removed_at) in &removed {
            self.put_removed(at, removed_at, &mut draft.bytes, now);
        }
        match removed.last().filter(|_| removed.len() == COLLECTED) {
            Some((last, _)) => draft.removed_behind.clone_from(last),
            None => draft.is_done = true,
        }
    }

    /// Writes which values of a record are dead that was removed. Where it was written again since then, all of before the
    /// removal are, and the one that counts is named: a database of before the removal would let somebody in by what was
    /// revoked, and must not take the one that counts for dead.
    fn put_removed(&self, at: &[u8], removed_at: &[u8], bytes: &mut Vec<u8>, now: Timestamp) {
        let Some(of) = at.get(1..).and_then(RecordKey::from_bytes) else { return };
        let Some(mut record) = self.record(&of) else { return };
        record.forget_past(now);
        bytes.extend_from_slice(&of.to_bytes());
        let removed_at = removed_at.try_into().map_or(u64::MAX, u64::from_be_bytes);
        let held = record.operator.as_ref().map(|held| held.digest.as_str());
        let is_dead = |past: &&Past| match held {
            Some(held) => past.digest != held && (!past.by_hand || past.at <= removed_at),
            None => true,
        };
        let mut removed = Vec::new();
        put_sized(&mut removed, record.name.as_bytes());
        put_varint(&mut removed, record.changed_at);
        if let Some(held) = held {
            put_sized(&mut removed, format!("{COUNTS}{held}").as_bytes());
        }
        record.past.iter().filter(is_dead).for_each(|past| put_sized(&mut removed, past.digest.as_bytes()));
        put_sized(bytes, &removed);
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
        // What changed while it was collected is for the next one.
        let now_of = (self.state.revision, self.state.manifests);
        self.state.backup_of = self.draft.as_ref().map_or(now_of, |draft| draft.of);
    }

    /// Notes that they were written, or could not be: then again in a minute.
    pub(crate) fn backup_done(&mut self, ok: bool) {
        self.draft = None;
        if !ok {
            self.state.backup_of = (0, 0);
        }
    }

    pub(crate) fn write_secret(&mut self, now: Timestamp) {
        let hex = pointsman_core::directory::bytes::hex;
        let value = json!({ "epoch": hex(&self.state.epoch), "key": hex(&self.state.secret) });
        self.write_own(SECRET_NAME, value.to_string(), now);
    }

    /// Looks at the head that stands in KV, before this instance writes one: it may be another ledger's, or tell that this
    /// database was restored to an earlier time.
    pub(crate) fn head_read(&mut self, bytes: Option<&[u8]>, now: Timestamp, random: [u8; RANDOM_BYTES]) {
        if self.state.switched_off {
            return;
        }
        let head = bytes.and_then(Head::decode);
        self.is_checked = true;
        let Some(head) = head else { return self.turn_on() };
        if head.epoch == self.state.epoch() {
            if head.revision > self.state.revision {
                return self.restored(now, random);
            }
            return self.turn_on();
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
        self.state.leaving = None;
        self.state.switched_off = false;
        // What KV was still to be told then it has been told since, or something newer.
        self.begin_to_drop_outgoing();
        self.begin_epoch(now, random);
        self.is_checked = true;
        self.state.imported = Some(0);
        self.save();
    }

    /// Is on from here, but for what followers of this epoch have to know first.
    fn turn_on(&mut self) {
        self.state.off = self.state.retell.is_some().then(|| TELLING.to_owned());
    }

    /// Puts a page of the revocations of tokens into the log of a new epoch: no shard holds them yet, and nobody whose token
    /// was revoked may be let in until one does.
    pub(crate) fn retell_revocations(&mut self) {
        let Some(behind) = self.state.retell.take() else { return };
        let from = if behind.is_empty() { vec![TOKEN] } else { after(&behind) };
        let page = self.storage.scan(&from, &end_of(TOKEN), RETOLD);
        for (at, row) in &page {
            let of = at.get(1..).and_then(RecordKey::from_bytes);
            if let (Some(key), Some(row)) = (of, Row::read(&mut Reader::new(row))) {
                self.append(Change { key, row: Some(row) });
            }
        }
        self.state.retell = page.last().filter(|_| page.len() == RETOLD).map(|(at, _)| at.clone());
        if self.state.retell.is_none() && self.state.off.as_deref() == Some(TELLING) {
            self.state.off = None;
        }
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
        self.turn_on();
    }

    fn take_revocation(&mut self, of: &RecordKey, bytes: &[u8], now: Timestamp) {
        use pointsman_core::directory::record_key::Kind;
        let mut reader = Reader::new(bytes);
        if of.kind == Kind::Token {
            let Some(row) = Row::read(&mut reader).filter(|row| !row.is_over(now)) else { return };
            // A database that was restored may have an earlier one, with an earlier end.
            let row = self.token(of).map_or_else(|| row.clone(), |known| both(&row, &known));
            return self.put_token(of, row);
        }
        let (Some(name), Some(at)) = (reader.sized(), reader.varint()) else { return };
        let mut record = self.record(of).unwrap_or_default();
        // What this database says of the record since then is newer.
        if record.changed_at >= at || now.millis() > at.saturating_add(REMOVED_KEPT) {
            return;
        }
        record.name = String::from_utf8_lossy(name).into_owned();
        let mut dead = Vec::new();
        let mut counts = None;
        while let Some(digest) = reader.sized() {
            let digest = String::from_utf8_lossy(digest).into_owned();
            match digest.strip_prefix(COUNTS) {
                Some(digest) => counts = Some(digest.to_owned()),
                None => dead.push(digest),
            }
        }
        let held = record.operator.take_if(|held| Some(&held.digest) != counts.as_ref());
        record.changed_at = at;
        for digest in held.map(|held| held.digest).into_iter().chain(dead) {
            record.past.push(Past { digest, at, by_hand: false, removed: true });
        }
        record.past.retain(|past| Some(&past.digest) != counts.as_ref());
        self.storage.put(&key(REMOVED, &[&of.to_bytes()]), &at.to_be_bytes());
        if let Some(entry) = crate::rows::Entry::of_name(&record.name) {
            let cause = crate::ledger::Cause {
                now,
                actor: "backup",
                operation: "",
                from: "",
                found: "",
                may_wait: false,
            };
            self.publish(&entry, &record, &cause);
        }
        self.put_record(of, Record { ..record }, now);
    }
}
