//! Which file is built next, and what it holds.

use pointsman_core::{
    base::{digest::Digest, time::Timestamp},
    directory::{
        bytes::Reader,
        log::Change,
        record_key::RecordKey,
        row::{Row, Usable},
        shard,
    },
};

use crate::{
    keyspace::{REMOVED, ROW, TOKEN, after, end_of},
    ledger::Ledger,
    shards::{Build, range},
    storage::Storage,
    waiting::{File, Waiting},
};

/// No shard is to be larger: from there on there are twice as many.
const MOST_BYTES: usize = 1 << 20;
/// Rows of so many bytes as they stand in the database fit into no shard: what they share stands there once, but not more of
/// them than this.
const MOST_RAW: usize = 16 * MOST_BYTES;
/// Rows that are read at once.
const PAGE: usize = 256;
/// More shards than this would leave a head no room for changes.
const MOST_BITS: u8 = 9;
/// A row takes so many bytes at most, typically: by which the first shards are cut.
const BYTES_A_ROW: u64 = 48;
/// So many changes of the log, of one shard or in all, and a shard is compacted.
pub(crate) const MOST_WAITING: u64 = 4096;
/// Fewer than this are no reason to compact a small shard.
const LEAST_WAITING: u64 = 64;
/// How long a shard says of a record that it was removed, in milliseconds.
const TOLD: u64 = 3_600_000;
/// Of so many removed records of a shard at most, which are kept for much longer than this, it is looked up when that was.
const MOST_REMOVED: usize = 16_384;
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
            // Somebody follows who cannot read it: a version that was taken back, or one that is deployed late.
            let is_too_new = waiting.format > self.format();
            let is_needed =
                many || behind >= MOST_WAITING || (waiting.pending > 0 && collected) || is_too_new;
            is_needed.then_some((behind.max(waiting.changes).max(waiting.pending), *file))
        };
        files.iter().filter_map(need).max().map(|(_, file)| file)
    }

    /// What was removed a short time ago and is not there again. Whoever begins with a shard while the directory is not complete
    /// asks KV for whom it does not find, and KV may have the entry as long as it takes no writes.
    fn removed_lately(&self, prefix: u32, bits: u8, now: Timestamp) -> Vec<(RecordKey, Row)> {
        let (from, to) = range(REMOVED, prefix, bits);
        let told = |(at, since): (Vec<u8>, Vec<u8>)| {
            let key = RecordKey::from_bytes(at.get(1..)?)?;
            let since = u64::from_be_bytes(since.try_into().ok()?);
            let until = Timestamp::from_millis(since.saturating_add(TOLD));
            (until > now && self.row(&key).is_none()).then(|| (key, Row::removed(until)))
        };
        self.storage.scan(&from, &to, MOST_REMOVED).into_iter().filter_map(told).collect()
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
        let may_be_cut = space == ROW && bits < MOST_BITS;
        let (mut rows, mut raw, mut from) = (Vec::new(), 0, from);
        loop {
            let page = self.storage.scan(&from, &to, PAGE);
            let Some((last, _)) = page.last() else { break };
            from = after(last);
            // Whatever else there is: all of these never fit.
            if may_be_cut && raw > MOST_RAW {
                return self.cut_smaller(bits + 1);
            }
            for (key, row) in page.into_iter().filter_map(read) {
                raw += row.text.len();
                // Where shards cannot be smaller, KV would never take what is larger: of further records it says only that
                // they are there, and followers ask KV what they say.
                let is_told = space != ROW || raw <= MOST_RAW || row.usable != Usable::Yes;
                let expires_at = row.expires_at;
                rows.push((key, if is_told { row } else { Row { expires_at, ..Row::unreadable() } }));
            }
        }
        if let File::Shard(prefix) = file {
            rows.extend(self.removed_lately(prefix, bits, now));
            rows.sort_unstable_by_key(|(key, _)| key.to_bytes());
        }
        let format = self.format();
        let bytes = shard::encode_as(&rows, if space == TOKEN { 0 } else { bits }, format);
        if may_be_cut && bytes.len() > MOST_BYTES {
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
            format,
            ..Build::default()
        };
        self.set_file(&self.file_name(file, bits, &build.shard()), &bytes);
        self.set_build(file, &build);
    }
}

#[cfg(test)]
mod tests {
    use pointsman_core::directory::{record_key::Kind, shard::Shard};

    use super::*;
    use crate::{MemoryStorage, RANDOM_BYTES, Settings, keyspace::key, rows::MAX_RECORD_BYTES};

    #[test]
    fn a_shard_that_cannot_be_cut_smaller_stays_within_what_kv_takes_and_lacks_nobody() {
        let (now, prefix) = (Timestamp::from_millis(1_800_000_000_000), 3);
        let mut ledger = Ledger::open(MemoryStorage::default(), Settings::default(), now, [1; RANDOM_BYTES]);
        let of = |n: u32| {
            let mut digest = [0; 16];
            digest[..4].copy_from_slice(&((prefix << 23) + n).to_be_bytes());
            RecordKey { kind: Kind::ApiKey, digest }
        };
        let count = u32::try_from(MOST_RAW / MAX_RECORD_BYTES).unwrap() + 20;
        for n in 0..count {
            let mut row = Vec::new();
            Row::of(format!(r#"{{"subject":"{n}{}"}}"#, "a".repeat(MAX_RECORD_BYTES - 40))).put(&mut row);
            ledger.storage.put(&key(ROW, &[&of(n).to_bytes()]), &row);
        }
        let mut malformed = Vec::new();
        Row { usable: Usable::Malformed, ..Row::default() }.put(&mut malformed);
        ledger.storage.put(&key(ROW, &[&of(count).to_bytes()]), &malformed);
        ledger.state.building_bits = Some(MOST_BITS);
        ledger.build(File::Shard(prefix), MOST_BITS, now);
        let (file, build) = ledger.builds().pop().unwrap();
        let bytes = ledger.file(&ledger.file_name(file, build.bits, &build.shard())).unwrap();
        assert!(bytes.len() < 20 * MOST_BYTES, "KV takes 25 MiB: {}", bytes.len());
        let shard = Shard::parse(bytes, MOST_BITS).unwrap();
        let found = |n| shard.find(&of(n), "").unwrap();
        assert!(found(0).text.len() > 1000);
        assert_eq!(found(count - 1), Row::unreadable());
        assert_eq!(found(count).usable, Usable::Malformed);
        assert_eq!(shard.find(&of(count + 1), ""), None);
        // One bit less, and there are twice as many.
        ledger.build(File::Shard(prefix >> 1), MOST_BITS - 1, now);
        assert_eq!(ledger.state.building_bits, Some(MOST_BITS));
    }
}
