//! Immutable files that KV carries: shards of records, and all revocations of tokens. A file is built, written, read back,
//! and named by the manifest after 90 seconds; the log carries what it holds meanwhile.

use pointsman_core::{
    base::time::Timestamp,
    directory::{
        log::{Complete, Manifest, Revision, Segment, ShardRef},
        record_key::Kind,
    },
};
use serde::{Deserialize, Serialize};

use crate::{
    building::MOST_WAITING,
    keyspace::{BUILD, BYTES, CHANGE, OLD, SWEPT, WAITING, end_of, key, load, save},
    ledger::Ledger,
    record::DAY,
    settings::Source,
    storage::Storage,
    waiting::{File, Waiting},
};

/// How long after it was read back a file is named: a location that read it too early keeps its "no" for as long.
const SETTLES: u64 = 90_000;
/// How long a job may take before it is given out again.
const LEASE: u64 = 60_000;
/// SQLite's values have a limit of 2 MB.
const CHUNK: usize = 1 << 19;
/// Rows that one call works through beside a shard.
pub(crate) const PAGE: usize = 4096;

#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) enum Stage {
    #[default]
    Write,
    ReadBack,
    Settle,
}

/// A file on its way.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub(crate) struct Build {
    pub(crate) bits: u8,
    pub(crate) revision: Revision,
    pub(crate) hash: [u8; 16],
    pub(crate) size: u32,
    pub(crate) stage: Stage,
    /// When the next step may be taken, in milliseconds.
    pub(crate) due: u64,
    pub(crate) failures: u32,
    /// The last change that it holds, of those that followers get by a shard.
    pub(crate) sequence: u64,
    pub(crate) waiting: Waiting,
    pub(crate) rows: u64,
    pub(crate) format: u8,
}

impl Build {
    pub(crate) const fn shard(&self) -> ShardRef {
        ShardRef { revision: self.revision, hash: self.hash, size: self.size }
    }
}

/// What is to be done with a file, by its name in KV.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum FileJob {
    /// Write it: [`Ledger::file`] has its bytes.
    Put(String),
    /// Read it (`cacheTtl` 30) and say the digest of its bytes.
    ReadBack(String),
    /// Delete it.
    Delete(String),
}

impl<S: Storage> Ledger<S> {
    /// The bytes of a file that is current or on its way.
    #[must_use]
    pub fn file(&self, name: &str) -> Option<Vec<u8>> {
        let from = key(BYTES, &[name.as_bytes(), &[0]]);
        let chunks = self.storage.scan(&from, &key(BYTES, &[name.as_bytes(), &[1]]), 64);
        let bytes: Vec<u8> = chunks.into_iter().flat_map(|(_, chunk)| chunk).collect();
        (!bytes.is_empty()).then_some(bytes)
    }

    pub(crate) fn set_file(&mut self, name: &str, bytes: &[u8]) {
        for (number, chunk) in (0u8..).zip(bytes.chunks(CHUNK)) {
            self.storage.put(&key(BYTES, &[name.as_bytes(), &[0, number]]), chunk);
        }
    }

    fn drop_file(&mut self, name: &str) {
        let from = key(BYTES, &[name.as_bytes(), &[0]]);
        let chunks = self.storage.scan(&from, &key(BYTES, &[name.as_bytes(), &[1]]), 64);
        chunks.iter().for_each(|(key, _)| self.storage.delete(key));
    }

    pub(crate) fn file_name(&self, file: File, bits: u8, shard: &ShardRef) -> String {
        match file {
            File::Tokens => shard.tokens_name(self.state.epoch()),
            File::Shard(prefix) => shard.name(self.state.epoch(), prefix, bits),
        }
    }

    pub(crate) fn builds(&self) -> Vec<(File, Build)> {
        let read = |(key, value): (Vec<u8>, Vec<u8>)| {
            Some((File::from_bytes(key.get(1..)?)?, serde_json::from_slice(&value).ok()?))
        };
        self.storage.scan(&[BUILD], &end_of(BUILD), PAGE).into_iter().filter_map(read).collect()
    }

    pub(crate) fn set_build(&mut self, file: File, build: &Build) {
        save(&mut self.storage, &key(BUILD, &[&file.to_bytes()]), build);
    }

    /// Takes the next step with files: builds at most one, names what has settled, and says what is to be done with KV.
    pub(crate) fn due_files(&mut self, now: Timestamp, limit: usize) -> Vec<FileJob> {
        let mut builds = self.builds();
        if self.name_settled(&builds, now) || self.build_one(&builds, now) {
            builds = self.builds();
        }
        let mut jobs = Vec::new();
        for (file, mut build) in builds {
            if build.due > now.millis() || jobs.len() >= limit {
                continue;
            }
            let name = self.file_name(file, build.bits, &build.shard());
            jobs.push(match build.stage {
                Stage::Write => FileJob::Put(name),
                Stage::ReadBack => FileJob::ReadBack(name),
                Stage::Settle => continue,
            });
            build.due = now.millis().saturating_add(LEASE);
            self.set_build(file, &build);
        }
        let left = limit.saturating_sub(jobs.len());
        let over = key(OLD, &[&now.millis().saturating_add(1).to_be_bytes()]);
        for (old, _) in self.storage.scan(&[OLD], &over, left) {
            let Some(Ok(name)) = old.get(9..).map(|name| String::from_utf8(name.to_vec())) else { continue };
            self.storage.delete(&old);
            self.set_old(&name, now.millis().saturating_add(LEASE));
            jobs.push(FileJob::Delete(name));
        }
        jobs
    }

    fn set_old(&mut self, name: &str, at: u64) {
        self.storage.put(&key(OLD, &[&at.to_be_bytes(), name.as_bytes()]), &[]);
    }

    /// Takes note of what came of a step. `digest` is of the bytes that were read back, in hexadecimal.
    pub(crate) fn file_done(&mut self, job: &FileJob, digest: Option<&str>, ok: bool, now: Timestamp) {
        let name = match job {
            FileJob::Put(name) | FileJob::ReadBack(name) => name,
            FileJob::Delete(name) => {
                if ok {
                    let old = self.storage.scan(&[OLD], &end_of(OLD), PAGE);
                    let is_it = |key: &[u8]| key.get(9..) == Some(name.as_bytes());
                    old.iter().filter(|(key, _)| is_it(key)).for_each(|(key, _)| self.storage.delete(key));
                    self.drop_file(name);
                }
                return;
            }
        };
        let found = self
            .builds()
            .into_iter()
            .find(|(file, build)| self.file_name(*file, build.bits, &build.shard()) == *name);
        let Some((file, mut build)) = found else { return };
        let wanted = pointsman_core::directory::bytes::hex(&build.hash);
        let is_right = match job {
            FileJob::ReadBack(_) => digest.is_some_and(|digest| digest.starts_with(&wanted)),
            _ => ok,
        };
        if is_right {
            let (stage, pause) = match build.stage {
                Stage::Write => (Stage::ReadBack, 0),
                _ => (Stage::Settle, SETTLES),
            };
            (build.stage, build.failures, build.due) = (stage, 0, now.millis().saturating_add(pause));
        } else {
            build.failures = build.failures.saturating_add(1);
            // What could not be read several times may never have been written.
            if build.failures.is_multiple_of(4) {
                build.stage = Stage::Write;
            }
            build.due = now.millis().saturating_add(31_000);
        }
        self.set_build(file, &build);
    }

    /// Has the manifest name files that have settled: a set of other shards all at once, others one by one.
    fn name_settled(&mut self, builds: &[(File, Build)], now: Timestamp) -> bool {
        let is_settled = |build: &Build| build.stage == Stage::Settle && build.due <= now.millis();
        if let Some(bits) = self.state.building_bits {
            let all = 1usize << bits;
            if builds.len() < all + 1 || !builds.iter().all(|(_, build)| is_settled(build)) {
                return false;
            }
            self.switch_all(builds, bits, now);
            return true;
        }
        let settled: Vec<_> = builds.iter().filter(|(_, build)| is_settled(build)).collect();
        for (file, build) in &settled {
            self.switch(*file, build, now);
        }
        !settled.is_empty()
    }

    fn retire(&mut self, manifest: &Manifest, now: Timestamp) {
        let end = now.millis().saturating_add(DAY.max(self.settings.stale));
        for (prefix, shard) in (0u32..).zip(&manifest.shards) {
            self.set_old(&shard.name(self.state.epoch(), prefix, manifest.prefix_bits), end);
        }
        if let Some(shard) = &manifest.tokens {
            self.set_old(&shard.tokens_name(self.state.epoch()), end);
        }
    }

    fn switch_all(&mut self, builds: &[(File, Build)], bits: u8, now: Timestamp) {
        let before = self.manifest.clone();
        self.retire(&before, now);
        let mut manifest = Manifest { prefix_bits: bits, complete: before.complete, ..Manifest::default() };
        // The counts were by the shards of before. What changed since then is counted as waiting for each of the new ones:
        // too often, which at worst compacts one early.
        let since: u64 = self
            .state
            .revision
            .saturating_sub(builds.iter().map(|(_, build)| build.revision).min().unwrap_or_default());
        let old = self.storage.scan(&[WAITING], &end_of(WAITING), PAGE);
        old.iter().for_each(|(key, _)| self.storage.delete(key));
        for (file, build) in builds {
            match file {
                File::Tokens => manifest.tokens = Some(build.shard()),
                File::Shard(_) => manifest.shards.push(build.shard()),
            }
            let (changes, rows) = (since.min(MOST_WAITING - 1), build.rows);
            self.begin_sweep(*file, bits, build.sequence);
            self.set_waiting(*file, &Waiting { changes, pending: 0, rows, format: build.format });
            self.storage.delete(&key(BUILD, &[&file.to_bytes()]));
        }
        self.state.building_bits = None;
        self.set_manifest(manifest);
        self.judge_complete();
    }

    fn switch(&mut self, file: File, build: &Build, now: Timestamp) {
        self.storage.delete(&key(BUILD, &[&file.to_bytes()]));
        let mut manifest = self.manifest.clone();
        let before = match file {
            File::Tokens => manifest.tokens.replace(build.shard()),
            File::Shard(prefix) => {
                let Some(named) = manifest.shards.get_mut(prefix as usize) else { return };
                Some(std::mem::replace(named, build.shard()))
            }
        };
        if let Some(before) = before {
            let name = self.file_name(file, build.bits, &before);
            self.set_old(&name, now.millis().saturating_add(DAY.max(self.settings.stale)));
        }
        let mut waiting = self.waiting(file);
        waiting.changes = waiting.changes.saturating_sub(build.waiting.changes);
        waiting.pending = waiting.pending.saturating_sub(build.waiting.pending);
        (waiting.rows, waiting.format) = (build.rows, build.format);
        self.set_waiting(file, &waiting);
        self.set_manifest(manifest);
        self.begin_sweep(file, build.bits, build.sequence);
        self.judge_complete();
    }

    /// Once followers have all that was taken in, "not there" is an answer. What is added later counts when it is
    /// published, and until then it is rightly not there.
    pub(crate) fn judge_complete(&mut self) {
        let has_all = self.state.taken_in && self.state.pending == 0 && !self.manifest.shards.is_empty();
        let has_list = match self.settings.source {
            Source::None => true,
            Source::List => self.state.list_taken,
            Source::ById => false,
        };
        self.state.has_keys |= has_all;
        self.state.has_customers |= has_all && has_list;
        self.head = None;
    }

    /// Whether followers hold everything of this kind.
    pub(crate) fn is_complete(&self, kind: Kind) -> bool {
        match kind {
            Kind::ApiKey => self.complete().keys,
            Kind::Customer => self.complete().customers,
            Kind::Token => true,
        }
    }

    /// Of what followers hold everything.
    pub(crate) fn complete(&self) -> Complete {
        let is_known = self.state.confirmed;
        let has_list = match self.settings.source {
            Source::None => true,
            Source::List => self.state.list_taken,
            Source::ById => false,
        };
        Complete {
            keys: self.state.has_keys && is_known,
            customers: self.state.has_customers && has_list && is_known,
        }
    }

    /// Begins a set of twice as many shards. What was on its way is no longer wanted.
    pub(crate) fn cut_smaller(&mut self, bits: u8) {
        for (file, build) in self.builds() {
            let name = self.file_name(file, build.bits, &build.shard());
            self.storage.delete(&key(BUILD, &[&file.to_bytes()]));
            self.set_old(&name, 0);
        }
        self.state.building_bits = Some(bits);
    }

    /// When a file needs the next step, for all that is known now.
    pub(crate) fn next_file(&self) -> Option<u64> {
        let builds = self.builds().into_iter().map(|(_, build)| build.due).min();
        let old = self.storage.scan(&[OLD], &end_of(OLD), 1);
        let old = old.first().and_then(|(key, _)| Some(u64::from_be_bytes(key.get(1..9)?.try_into().ok()?)));
        builds.into_iter().chain(old).min()
    }

    /// Drops what of the log is older than a day and in every shard: whole segments, a page at a time.
    pub(crate) fn trim_log(&mut self, now: Timestamp) {
        let hour = now.millis() / 3_600_000;
        if self.state.marks.last().is_none_or(|(at, _)| *at < hour) {
            self.state.marks.push((hour, self.state.revision));
        }
        let old = self.state.marks.iter().take_while(|(at, _)| at.saturating_add(25) <= hour).count();
        let Some((_, a_day_old)) = old.checked_sub(1).and_then(|last| self.state.marks.get(last)).copied()
        else {
            return;
        };
        self.state.marks.drain(..old - 1);
        let shards = self.manifest.shards.iter().chain(&self.manifest.tokens);
        let Some(in_all) = shards.map(|shard| shard.revision).min() else { return };
        let first = Segment::first_of(a_day_old.min(in_all).saturating_add(1));
        let to = key(CHANGE, &[&first.to_be_bytes()]);
        let over = self.storage.scan(&[CHANGE], &to, PAGE);
        over.iter().for_each(|(key, _)| self.storage.delete(key));
        if over.len() < PAGE {
            self.state.first_kept = self.state.first_kept.max(first);
        }
    }

    /// Forgets which files there are: in a new epoch all are made anew.
    pub(crate) fn forget_files(&mut self) {
        self.retire(&self.manifest.clone(), Timestamp::default());
        // Nothing is in any file from here on, so whatever waits goes on waiting.
        let swept = self.storage.scan(&[SWEPT], &end_of(SWEPT), PAGE);
        swept.iter().for_each(|(at, _)| self.storage.delete(at));
        self.cut_smaller(0);
        self.state.building_bits = None;
        self.set_manifest(Manifest::default());
    }

    pub(crate) fn has_builds(&self) -> bool {
        load::<Build>(&self.storage, &key(BUILD, &[&File::Tokens.to_bytes()])).is_some()
            || !self.storage.scan(&[BUILD], &end_of(BUILD), 1).is_empty()
    }
}

/// Keys of all records of one shard.
pub(crate) fn range(space: u8, prefix: u32, bits: u8) -> (Vec<u8>, Vec<u8>) {
    let begin = |prefix: u32| {
        let shifted = u64::from(prefix) << (32 - u32::from(bits));
        u32::try_from(shifted).ok().map(|first| key(space, &[&first.to_be_bytes()]))
    };
    let to = begin(prefix.saturating_add(1)).unwrap_or_else(|| end_of(space));
    (begin(prefix).unwrap_or_else(|| end_of(space)), to)
}
