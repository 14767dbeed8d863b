//! Forgetting which rows waited for files that followers now have. These may be all rows there are, so that one call forgets a
//! page.

use serde::{Deserialize, Serialize};

use crate::{
    keyspace::{PENDING, SWEPT, after, end_of, key, save},
    ledger::Ledger,
    shards::{PAGE, range},
    storage::Storage,
    waiting::File,
};

/// Rows that a file has, as far as they are still noted as waiting for it.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
struct Sweep {
    bits: u8,
    /// The last change that the file has.
    sequence: u64,
    behind: Vec<u8>,
    /// How many were met that the file does not have.
    left: u64,
}

impl<S: Storage> Ledger<S> {
    /// Has the rows forgotten that waited for a file which followers now have: a page at a time, since they may be all there are.
    pub(crate) fn begin_sweep(&mut self, file: File, bits: u8, sequence: u64) {
        if matches!(file, File::Shard(_)) {
            let sweep = Sweep { bits, sequence, ..Sweep::default() };
            save(&mut self.storage, &key(SWEPT, &[&file.to_bytes()]), &sweep);
        }
    }

    /// Forgets a page of the rows that waited for files which followers now have.
    pub(crate) fn sweep(&mut self) {
        let first = self.storage.scan(&[SWEPT], &end_of(SWEPT), 1);
        let Some((at, value)) = first.first() else { return };
        let file = at.get(1..).and_then(File::from_bytes);
        let sweep: Option<Sweep> = serde_json::from_slice(value).ok();
        let (Some(file @ File::Shard(prefix)), Some(mut sweep)) = (file, sweep) else {
            return self.storage.delete(at);
        };
        let (from, to) = range(PENDING, prefix, sweep.bits);
        let from = if sweep.behind.is_empty() { from } else { after(&sweep.behind) };
        let page = self.storage.scan(&from, &to, PAGE);
        for (pending, number) in &page {
            if number.as_slice().try_into().is_ok_and(|number| u64::from_be_bytes(number) <= sweep.sequence) {
                self.storage.delete(pending);
                self.state.pending = self.state.pending.saturating_sub(1);
            } else {
                sweep.left += 1;
            }
        }
        if let Some((last, _)) = page.last().filter(|_| page.len() == PAGE) {
            sweep.behind.clone_from(last);
            return save(&mut self.storage, at, &sweep);
        }
        self.storage.delete(at);
        // What began to wait since is counted a second time, which at worst compacts a shard early. A set of other shards has
        // sweeps of its own.
        if sweep.bits == self.manifest.prefix_bits {
            let mut waiting = self.waiting(file);
            waiting.pending = waiting.pending.saturating_add(sweep.left);
            self.set_waiting(file, &waiting);
        }
        self.judge_complete();
    }

    /// Whether rows that followers have are still to be forgotten.
    pub(crate) fn has_sweeps(&self) -> bool {
        !self.storage.scan(&[SWEPT], &end_of(SWEPT), 1).is_empty()
    }
}
