//! Shards: which are made anew, written, read back, and only then named. A location keeps a "no" for a name that was read too
//! early as long as a value, so a name is in no manifest before KV has had the time to know it everywhere.

use pointsman_core::{
    base::{digest::Digest, time::Timestamp},
    directory::{
        bytes::{Reader, hex},
        log::{Complete, Manifest, Revision, ShardRef},
        record_key::RecordKey,
        row::Row,
        shard,
    },
};
use serde::{Deserialize, Serialize};

use crate::{
    jobs::Job,
    keyspace::{OLD, ROW, TOKEN, WAITING, end_of, key, load, meta, save},
    ledger::Ledger,
    record::DAY,
    settings::Source,
    storage::Storage,
    waiting::{File, Waiting},
};

const PUBLICATION: &str = "publication";
/// How long KV has between a write and the manifest that names it, in milliseconds.
const SETTLES: u64 = 90_000;
/// A job that nothing was heard of is handed out again, in milliseconds.
const LEASE: u64 = 30_000;
/// How long shards that are named no longer stay: a day, and the longest that copies of them count.
const OLD_KEPT: u64 = 2 * DAY;
/// What a row takes in a shard, roughly.
const ROW_BYTES: u64 = 32;
/// What a shard is to take at most.
const SHARD_BYTES: u64 = 900_000;
/// So many changes wait for one shard before it is made anew; a tenth of a large one.
const LEAST_CHANGES: u64 = 256;
/// So many changes wait for all together.
const MOST_CHANGES: u64 = 4096;
/// Shards that are made anew together.
const TOGETHER: usize = 8;
/// More rows than any shard has.
const EVERY_ROW: usize = 1 << 20;

/// Shards on their way, which are named together.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
struct Publication {
    prefix_bits: u8,
    /// Whether these are all shards, because there were none or others by number.
    is_full: bool,
    parts: Vec<Part>,
}

#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
struct Part {
    file: [u8; 5],
    stage: Stage,
    not_before: u64,
    written_at: u64,
    name: String,
    revision: Revision,
    hash: [u8; 16],
    size: u32,
    /// What waited for it when it was made.
    waited: Waiting,
    rows: u64,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Stage {
    #[default]
    Planned,
    Writing,
    Written,
    Read,
}

impl Part {
    const fn named(&self) -> ShardRef {
        ShardRef { revision: self.revision, hash: self.hash, size: self.size }
    }
}

impl<S: Storage> Ledger<S> {
    fn publication(&self) -> Option<Publication> {
        load(&self.storage, &meta(PUBLICATION))
    }

    fn set_publication(&mut self, publication: &Publication) {
        save(&mut self.storage, &meta(PUBLICATION), publication);
    }

    /// The next step of shards that are on their way; or, where none are, whether some are to be.
    pub(crate) fn due_publication(&mut self, now: Timestamp) -> Option<Job> {
        if let Some(name) = self.old_shard(now) {
            return Some(Job::Delete { name });
        }
        let mut publication = match self.publication() {
            Some(publication) => publication,
            None => self.plan()?,
        };
        let at = now.millis();
        let bits = publication.prefix_bits;
        let next =
            publication.parts.iter().position(|part| part.stage != Stage::Read && at >= part.not_before);
        if let Some(part) = next.and_then(|index| publication.parts.get_mut(index)) {
            part.not_before = at.saturating_add(LEASE);
            let job = match part.stage {
                Stage::Written => Job::ReadBytes { name: part.name.clone() },
                _ => self.make(part, bits, now),
            };
            self.set_publication(&publication);
            return Some(job);
        }
        let is_settled =
            |part: &Part| part.stage == Stage::Read && at >= part.written_at.saturating_add(SETTLES);
        if publication.parts.iter().all(is_settled) {
            self.name(publication, now);
        } else {
            self.set_publication(&publication);
        }
        None
    }

    /// Which shards are to be made anew.
    fn plan(&self) -> Option<Publication> {
        if !self.state.took_in {
            return None;
        }
        let waiting = self.all_waiting();
        let (changes, pending) = waiting.iter().fold((0, 0), |(changes, pending), (_, waits)| {
            (changes + waits.changes, pending + waits.pending)
        });
        let mut bits = self.manifest.prefix_bits;
        while self.state.rows.saturating_mul(ROW_BYTES) >> bits > SHARD_BYTES {
            bits += 1;
        }
        let is_full = bits != self.manifest.prefix_bits || self.manifest.shards.is_empty();
        let part = |file: File| Part { file: file.to_bytes(), ..Part::default() };
        if is_full {
            // A few changes need no shard: they are all in the log.
            if pending == 0 && changes < MOST_CHANGES / 4 {
                return None;
            }
            let mut parts: Vec<_> = (0..1 << bits).map(|prefix| part(File::Shard(prefix))).collect();
            // Named with the first shards, so that the log begins with them and nobody is born without the revocations.
            parts.push(part(File::Tokens));
            return Some(Publication { prefix_bits: bits, is_full, parts });
        }
        let oldest = self.state.revision.saturating_sub(MOST_CHANGES);
        let revision = |file: File| self.named(file).map_or(0, |named| named.revision);
        let is_due = |(file, waits): &(File, Waiting)| {
            waits.pending > 0
                || waits.changes > LEAST_CHANGES.max(waits.rows / 10)
                || (changes >= MOST_CHANGES && waits.changes > 0)
                || revision(*file) < oldest
        };
        let mut due: Vec<_> = waiting.into_iter().filter(is_due).collect();
        due.sort_by_key(|(file, _)| revision(*file));
        due.truncate(TOGETHER);
        let parts: Vec<_> = due.into_iter().map(|(file, _)| part(file)).collect();
        (!parts.is_empty()).then_some(Publication { prefix_bits: bits, is_full, parts })
    }

    fn named(&self, file: File) -> Option<&ShardRef> {
        match file {
            File::Tokens => self.manifest.tokens.as_ref(),
            File::Shard(prefix) => self.manifest.shards.get(prefix as usize),
        }
    }

    /// Makes the bytes of a shard as of now.
    fn make(&self, part: &mut Part, bits: u8, now: Timestamp) -> Job {
        let file = File::from_bytes(&part.file).unwrap_or(File::Tokens);
        let rows = self.rows_of(file, bits, now);
        let bytes = shard::encode(&rows, if file == File::Tokens { 0 } else { bits });
        let digest = Digest::of(&bytes);
        part.hash = digest.bytes().first_chunk().copied().unwrap_or_default();
        part.size = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        part.revision = self.state.revision;
        part.rows = rows.len() as u64;
        part.waited = self.waiting(file);
        part.stage = Stage::Writing;
        part.name = match file {
            File::Tokens => part.named().tokens_name(self.state.epoch()),
            File::Shard(prefix) => part.named().name(self.state.epoch(), prefix, bits),
        };
        Job::WriteBytes { name: part.name.clone(), bytes }
    }

    fn rows_of(&self, file: File, bits: u8, now: Timestamp) -> Vec<(RecordKey, Row)> {
        let (space, from, to) = match file {
            File::Tokens => (TOKEN, vec![TOKEN], end_of(TOKEN)),
            File::Shard(prefix) => {
                let bound = |prefix: u64| prefix << (32 - u32::from(bits));
                let key_of = |first: u64| match u32::try_from(first) {
                    Ok(first) => key(ROW, &[&first.to_be_bytes()]),
                    Err(_) => end_of(ROW),
                };
                (ROW, key_of(bound(prefix.into())), key_of(bound(u64::from(prefix) + 1)))
            }
        };
        let read = |(name, bytes): (Vec<u8>, Vec<u8>)| {
            debug_assert_eq!(name.first(), Some(&space));
            let key = RecordKey::from_bytes(name.get(1..)?)?;
            let row = Row::read(&mut Reader::new(&bytes))?;
            (!row.is_over(now)).then_some((key, row))
        };
        self.storage.scan(&from, &to, EVERY_ROW).into_iter().filter_map(read).collect()
    }

    fn change_part(&mut self, name: &str, change: impl FnOnce(&mut Part)) {
        let Some(mut publication) = self.publication() else { return };
        let Some(part) = publication.parts.iter_mut().find(|part| part.name == name) else { return };
        change(part);
        self.set_publication(&publication);
    }

    pub(crate) fn shard_written(&mut self, name: &str, well: bool, now: Timestamp) {
        self.change_part(name, |part| {
            if part.stage != Stage::Writing {
                return;
            }
            if well {
                (part.stage, part.written_at, part.not_before) = (Stage::Written, now.millis(), now.millis());
            } else {
                part.stage = Stage::Planned;
            }
        });
    }

    /// Compares what KV has under a shard's name with what was written.
    pub(crate) fn read_back(&mut self, name: &str, hash: Option<&str>, _now: Timestamp) {
        self.change_part(name, |part| {
            if part.stage == Stage::Written && hash.is_some_and(|hash| hash.starts_with(&hex(&part.hash))) {
                part.stage = Stage::Read;
            }
        });
    }

    /// Names the shards that are ready.
    fn name(&mut self, publication: Publication, now: Timestamp) {
        let mut manifest = Manifest { prefix_bits: publication.prefix_bits, ..self.manifest.clone() };
        let mut old = Vec::new();
        if publication.is_full {
            let epoch = self.state.epoch();
            let before = &self.manifest;
            let names = (0..)
                .zip(&before.shards)
                .map(|(prefix, shard)| shard.name(epoch, prefix, before.prefix_bits));
            old.extend(names.chain(before.tokens.map(|shard| shard.tokens_name(epoch))));
            manifest.shards = vec![ShardRef::default(); 1 << publication.prefix_bits];
            for (file, _) in self.all_waiting() {
                self.storage.delete(&key(WAITING, &[&file.to_bytes()]));
            }
        }
        for part in &publication.parts {
            let named = part.named();
            match File::from_bytes(&part.file) {
                Some(file @ File::Shard(prefix)) => {
                    if let Some(place) = manifest.shards.get_mut(prefix as usize) {
                        if !publication.is_full {
                            old.push(place.name(self.state.epoch(), prefix, publication.prefix_bits));
                        }
                        *place = named;
                    }
                    self.settle(file, part);
                }
                Some(file @ File::Tokens) => {
                    if let (Some(before), false) = (manifest.tokens, publication.is_full) {
                        old.push(before.tokens_name(self.state.epoch()));
                    }
                    manifest.tokens = Some(named);
                    self.settle(file, part);
                }
                None => {}
            }
        }
        self.storage.delete(&meta(PUBLICATION));
        for name in old {
            let at = now.millis().saturating_add(OLD_KEPT);
            self.storage.put(&key(OLD, &[&at.to_be_bytes(), name.as_bytes()]), &[]);
        }
        self.set_manifest(manifest);
        self.judge_completeness();
    }

    /// What still waits for a shard that was made anew.
    fn settle(&mut self, file: File, part: &Part) {
        let now = self.waiting(file);
        let waiting = Waiting {
            changes: now.changes.saturating_sub(part.waited.changes),
            pending: now.pending.saturating_sub(part.waited.pending),
            rows: part.rows,
        };
        self.set_waiting(file, &waiting);
    }

    /// Says of what followers hold everything: once all of KV was taken in and what was taken in is in the log or in shards.
    pub(crate) fn judge_completeness(&mut self) {
        let is_out = self.all_waiting().iter().all(|(_, waits)| waits.pending == 0);
        let before = self.manifest.complete;
        let keys = self.state.took_in && (is_out || before.keys);
        let customers = keys
            && match self.settings.source {
                Source::None => true,
                Source::List => self.state.believed_list,
                Source::ById => false,
            };
        let complete = Complete { keys, customers: customers && (is_out || before.customers) };
        if complete != before {
            self.set_manifest(Manifest { complete, ..self.manifest.clone() });
        }
    }

    /// Says that nothing is held completely, until the next pass over KV has ended.
    pub(crate) fn doubt_completeness(&mut self) {
        if self.manifest.complete != Complete::default() {
            self.set_manifest(Manifest { complete: Complete::default(), ..self.manifest.clone() });
        }
    }

    fn old_shard(&self, now: Timestamp) -> Option<String> {
        let until = key(OLD, &[&now.millis().to_be_bytes()]);
        let (name, _) = self.storage.scan(&[OLD], &until, 1).into_iter().next()?;
        String::from_utf8(name.get(9..)?.to_vec()).ok()
    }

    pub(crate) fn deleted(&mut self, name: &str, well: bool) {
        let old = self.storage.scan(&[OLD], &end_of(OLD), 64);
        let is_it = |(key, _): &&(Vec<u8>, Vec<u8>)| key.get(9..) == Some(name.as_bytes());
        if let Some((key, _)) = old.iter().find(is_it).filter(|_| well) {
            self.storage.delete(key);
        }
    }

    /// When shards on their way need something again, in milliseconds.
    pub(crate) fn next_publication(&self) -> Option<u64> {
        let Some(publication) = self.publication() else { return self.plan().map(|_| 0) };
        let due = |part: &Part| match part.stage {
            Stage::Read => part.written_at.saturating_add(SETTLES),
            _ => part.not_before,
        };
        let open = publication.parts.iter().filter(|part| part.stage != Stage::Read).map(due).min();
        open.or_else(|| publication.parts.iter().map(due).max())
    }
}
