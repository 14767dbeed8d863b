//! Which file is built next, and what it holds.

use pointsman_core::{
    base::{digest::Digest, time::Timestamp},
    directory::{bytes::Reader, log::Change, record_key::RecordKey, row::Row, shard},
};

use crate::{
    keyspace::{ROW, TOKEN, end_of},
    ledger::Ledger,
    shards::{Build, range},
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
pub(crate) const MOST_WAITING: u64 = 4096;
/// Fewer than this are no reason to compact a small shard.
const LEAST_WAITING: u64 = 64;
/// How long rows that wait for a shard are collected before it is built.
const COLLECTED: u64 = 5_000;

impl<S: Storage> Ledger<S> {
    /// Builds the file that needs it most.
    pub(crate) fn build_one(&mut self, builds: &[(File, Build)], now: Timestamp) -> bool {
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
}
