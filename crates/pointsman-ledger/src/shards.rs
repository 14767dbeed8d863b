//! Immutable files that KV carries: shards of records, and all revocations of tokens. A file is built, written, read back,
//! and named by the manifest after 90 seconds; the log carries what it holds meanwhile.

use pointsman_core::{
    base::{digest::Digest, time::Timestamp},
    directory::{
        bytes::Reader,
        log::{Change, Complete, Manifest, Revision, Segment, ShardRef},
        record_key::RecordKey,
        row::Row,
        shard,
    },
};
use serde::{Deserialize, Serialize};

use crate::{
    keyspace::{BUILD, BYTES, CHANGE, OLD, PENDING, ROW, TOKEN, WAITING, end_of, key, load, save},
    ledger::Ledger,
    record::DAY,
    settings::Source,
    storage::Storage,
    waiting::{File, Waiting},
};

/// No shard is to be larger: from there on there are twice as many.
const MOST_BYTES: usize = 1 << 20;
/// More shards than this would leave a head no room for changes.
const MOST_BITS: u8 = 9;
/// A row takes so many bytes at most, typically: by which the first shards are cut.
const BYTES_A_ROW: u64 = 48;
/// So many changes of the log, of one shard or in all, and a shard is compacted.
const MOST_WAITING: u64 = 4096;
/// Fewer than this are no reason to compact a small shard.
const LEAST_WAITING: u64 = 64;
/// How long after it was read back a file is named: a location that read it too early keeps its "no" for as long.
const SETTLES: u64 = 90_000;
/// How long a job may take before it is given out again.
const LEASE: u64 = 60_000;
/// How long rows that wait for a shard are collected before it is built.
const COLLECTED: u64 = 5_000;
/// SQLite's values have a limit of 2 MB.
const CHUNK: usize = 1 << 19;
/// Rows that one call works through beside a shard.
const PAGE: usize = 4096;

#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
enum Stage {
    #[default]
    Write,
    ReadBack,
    Settle,
}

/// A file on its way.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
struct Build {
    bits: u8,
    revision: Revision,
    hash: [u8; 16],
    size: u32,
    stage: Stage,
    /// When the next step may be taken, in milliseconds.
    due: u64,
    failures: u32,
    /// The last change that it holds, of those that followers get by a shard.
    sequence: u64,
    waiting: Waiting,
    rows: u64,
}

impl Build {
    const fn shard(&self) -> ShardRef {
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

    fn set_file(&mut self, name: &str, bytes: &[u8]) {
        for (number, chunk) in (0u8..).zip(bytes.chunks(CHUNK)) {
            self.storage.put(&key(BYTES, &[name.as_bytes(), &[0, number]]), chunk);
        }
    }

    fn drop_file(&mut self, name: &str) {
        let from = key(BYTES, &[name.as_bytes(), &[0]]);
        let chunks = self.storage.scan(&from, &key(BYTES, &[name.as_bytes(), &[1]]), 64);
        chunks.iter().for_each(|(key, _)| self.storage.delete(key));
    }

    fn file_name(&self, file: File, bits: u8, shard: &ShardRef) -> String {
        match file {
            File::Tokens => shard.tokens_name(self.state.epoch()),
            File::Shard(prefix) => shard.name(self.state.epoch(), prefix, bits),
        }
    }

    fn builds(&self) -> Vec<(File, Build)> {
        let read = |(key, value): (Vec<u8>, Vec<u8>)| {
            Some((File::from_bytes(key.get(1..)?)?, serde_json::from_slice(&value).ok()?))
        };
        self.storage.scan(&[BUILD], &end_of(BUILD), PAGE).into_iter().filter_map(read).collect()
    }

    fn set_build(&mut self, file: File, build: &Build) {
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
            let pending = self.sweep(*file, bits, build.sequence);
            self.set_waiting(*file, &Waiting { changes, pending, rows });
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
        waiting.rows = build.rows;
        self.set_waiting(file, &waiting);
        self.set_manifest(manifest);
        self.sweep(file, build.bits, build.sequence);
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

    /// Forgets which rows waited for a file that followers now have. Says how many still wait.
    fn sweep(&mut self, file: File, bits: u8, sequence: u64) -> u64 {
        let File::Shard(prefix) = file else { return 0 };
        let (from, to) = range(PENDING, prefix, bits);
        let mut left = 0;
        for (pending, number) in self.storage.scan(&from, &to, usize::MAX) {
            if number.try_into().is_ok_and(|number| u64::from_be_bytes(number) <= sequence) {
                self.storage.delete(&pending);
                self.state.pending = self.state.pending.saturating_sub(1);
            } else {
                left += 1;
            }
        }
        left
    }

    /// Builds the file that needs it most.
    fn build_one(&mut self, builds: &[(File, Build)], now: Timestamp) -> bool {
        if self.state.building_bits.is_none() && self.manifest.shards.is_empty() {
            if !self.state.taken_in {
                return false;
            }
            let all = self.state.rows.saturating_mul(BYTES_A_ROW);
            let fits = |bits: &u8| all >> bits <= (MOST_BYTES as u64) * 3 / 4;
            self.state.building_bits = Some((0..MOST_BITS).find(fits).unwrap_or(MOST_BITS));
        }
        let is_building = |file: File| builds.iter().any(|(other, _)| *other == file);
        let bits = self.state.building_bits.unwrap_or(self.manifest.prefix_bits);
        let file = match self.state.building_bits {
            Some(bits) => {
                let all = std::iter::once(File::Tokens).chain((0..1 << bits).map(File::Shard));
                all.into_iter().find(|file| !is_building(*file))
            }
            None => self.neediest(now).filter(|file| !is_building(*file)),
        };
        let Some(file) = file else { return false };
        self.build(file, bits, now);
        true
    }

    /// The file for which most waits, where that is enough.
    fn neediest(&self, now: Timestamp) -> Option<File> {
        let collected = now.millis() >= self.state.pending_at.saturating_add(COLLECTED);
        let named = |file: File| match file {
            File::Tokens => self.manifest.tokens.map(|shard| shard.revision),
            File::Shard(prefix) => self.manifest.shards.get(prefix as usize).map(|shard| shard.revision),
        };
        let mut files: Vec<(File, Waiting)> = self.all_waiting();
        let prefixes = u32::try_from(self.manifest.shards.len()).unwrap_or_default();
        let all = std::iter::once(File::Tokens).chain((0..prefixes).map(File::Shard));
        for file in all {
            if !files.iter().any(|(other, _)| *other == file) {
                files.push((file, Waiting::default()));
            }
        }
        let need = |(file, waiting): &(File, Waiting)| {
            let behind = self.state.revision.saturating_sub(named(*file)?);
            let many = waiting.changes >= (waiting.rows / 10).clamp(LEAST_WAITING, MOST_WAITING);
            let is_needed = many || behind >= MOST_WAITING || (waiting.pending > 0 && collected);
            is_needed.then_some((behind.max(waiting.changes).max(waiting.pending), *file))
        };
        files.iter().filter_map(need).max().map(|(_, file)| file)
    }

    fn build(&mut self, file: File, bits: u8, now: Timestamp) {
        let (space, (from, to)) = match file {
            File::Tokens => (TOKEN, (vec![TOKEN], end_of(TOKEN))),
            File::Shard(prefix) => (ROW, range(ROW, prefix, bits)),
        };
        let read = |(at, bytes): (Vec<u8>, Vec<u8>)| {
            let row = Row::read(&mut Reader::new(&bytes))?;
            Some((RecordKey::from_bytes(at.get(1..)?)?, row)).filter(|(_, row)| !row.is_over(now))
        };
        let rows: Vec<_> = self.storage.scan(&from, &to, usize::MAX).into_iter().filter_map(read).collect();
        let bytes = shard::encode(&rows, if space == TOKEN { 0 } else { bits });
        if space == ROW && bytes.len() > MOST_BYTES && bits < MOST_BITS {
            return self.cut_smaller(bits + 1);
        }
        if let File::Shard(prefix) = file
            && self.state.building_bits.is_none()
            && self.waiting(file).pending > 0
        {
            self.append(Change::reload_of(prefix, bits));
        }
        let digest = Digest::of(&bytes);
        let build = Build {
            bits,
            revision: self.state.revision,
            hash: digest.bytes().first_chunk().copied().unwrap_or_default(),
            size: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
            sequence: self.state.sequence,
            waiting: self.waiting(file),
            rows: rows.len() as u64,
            ..Build::default()
        };
        self.set_file(&self.file_name(file, bits, &build.shard()), &bytes);
        self.set_build(file, &build);
    }

    /// Begins a set of twice as many shards. What was on its way is no longer wanted.
    fn cut_smaller(&mut self, bits: u8) {
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
fn range(space: u8, prefix: u32, bits: u8) -> (Vec<u8>, Vec<u8>) {
    let begin = |prefix: u32| {
        let shifted = u64::from(prefix) << (32 - u32::from(bits));
        u32::try_from(shifted).ok().map(|first| key(space, &[&first.to_be_bytes()]))
    };
    let to = begin(prefix.saturating_add(1)).unwrap_or_else(|| end_of(space));
    (begin(prefix).unwrap_or_else(|| end_of(space)), to)
}
