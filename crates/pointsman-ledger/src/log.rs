//! The log: changes in their order, and what followers read of them.

use pointsman_core::{
    base::time::Timestamp,
    directory::{
        bytes::Reader,
        log::{Change, HEAD_CHANGES, Head, MAX_HEAD_BYTES, Manifest, Revision, SEGMENT_CHANGES, Segment},
    },
};

use crate::{
    keyspace::{CHANGE, key, meta},
    ledger::Ledger,
    storage::Storage,
};

const MANIFEST: &str = "manifest";
/// Changes that are read at once: of 64 KB each at most.
const PAGE: u64 = 64;
/// The database keeps to the first format, whatever followers read: a version that was taken back reads it too.
const STORED_FORMAT: u8 = 1;

/// A part of the log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SegmentBytes {
    /// As [`Segment::encode`] writes it.
    pub bytes: Vec<u8>,
    /// Whether it has all its changes and so stays as it is. Any other is no older than this answer.
    pub is_whole: bool,
}

impl<S: Storage> Ledger<S> {
    /// Adds a change to the log.
    pub(crate) fn append(&mut self, change: Change) {
        self.state.revision = self.state.revision.saturating_add(1);
        let mut bytes = Vec::with_capacity(64);
        change.put(&mut bytes);
        self.storage.put(&key(CHANGE, &[&self.state.revision.to_be_bytes()]), &bytes);
        self.head = None;
        self.count_waiting(&change);
    }

    /// The changes of some revisions, at most `limit`.
    pub(crate) fn changes(&self, first: Revision, last: Revision, limit: usize) -> Vec<Change> {
        let from = key(CHANGE, &[&first.to_be_bytes()]);
        let to = key(CHANGE, &[&last.saturating_add(1).to_be_bytes()]);
        let read = |(_, bytes): (Vec<u8>, Vec<u8>)| Change::read(&mut Reader::new(&bytes));
        self.storage.scan(&from, &to, limit).into_iter().filter_map(read).collect()
    }

    /// All changes from `first` on; `None` where they are more than these, or take more bytes.
    pub(crate) fn changes_within(&self, first: Revision, most: u64, bytes: usize) -> Option<Vec<Change>> {
        let last = self.state.revision;
        if last.saturating_sub(first) >= most {
            return None;
        }
        let (mut changes, mut left, mut from) = (Vec::new(), bytes, first);
        while from <= last {
            let begin = key(CHANGE, &[&from.to_be_bytes()]);
            let end = from.saturating_add(PAGE).min(last.saturating_add(1));
            let end = key(CHANGE, &[&end.to_be_bytes()]);
            for (_, bytes) in self.storage.scan(&begin, &end, usize::MAX) {
                left = left.checked_sub(bytes.len())?;
                changes.extend(Change::read(&mut Reader::new(&bytes)));
            }
            from = from.saturating_add(PAGE);
        }
        Some(changes)
    }

    /// The head without its time: as many of the last changes as fit.
    pub(crate) fn current_head(&mut self) -> &mut Head {
        let head = match self.head.take() {
            Some(head) => head,
            None => self.read_head(),
        };
        self.head.insert(head)
    }

    pub(crate) fn read_head(&self) -> Head {
        let revision = self.state.revision;
        let mut head = Head {
            epoch: self.state.epoch(),
            revision,
            as_of: Timestamp::default(),
            pace: 100,
            manifest: Manifest { complete: self.complete(), ..self.manifest.clone() },
            first: revision.saturating_add(1),
            changes: Vec::new(),
        };
        // Two bytes more than an empty head's for the count.
        let mut left = MAX_HEAD_BYTES.saturating_sub(head.encode().len() + 2);
        let first = self.state.first_kept.max(head.first.saturating_sub(HEAD_CHANGES as u64));
        let mut changes = self.changes(first, revision, HEAD_CHANGES);
        let mut kept = changes.len();
        while let Some(change) = kept.checked_sub(1).and_then(|last| changes.get(last)) {
            let mut bytes = Vec::new();
            change.put(&mut bytes);
            // A byte more than the database's format takes.
            let Some(rest) = left.checked_sub(bytes.len() + 1) else { break };
            left = rest;
            kept -= 1;
        }
        head.changes = changes.split_off(kept);
        head.first = head.first.saturating_sub(head.changes.len() as u64);
        head
    }

    /// The part of the log that begins with `first`, which is 256 n + 1; `None` where the log no longer has it, or has
    /// nothing of it yet.
    #[must_use]
    pub fn segment(&self, first: Revision) -> Option<SegmentBytes> {
        let is_kept = first >= self.state.first_kept.max(1) || self.keeps_rest_of(first);
        if Segment::first_of(first) != first || first > self.state.revision || !is_kept {
            return None;
        }
        let begin = first.max(self.state.first_kept);
        let last = first.saturating_add(SEGMENT_CHANGES - 1);
        let limit = usize::try_from(SEGMENT_CHANGES).unwrap_or(usize::MAX);
        // Behind the last one changes of another epoch may stand.
        let changes = self.changes(begin, last.min(self.state.revision), limit);
        let is_whole = last <= self.state.revision;
        Some(SegmentBytes {
            bytes: Segment { epoch: self.state.epoch(), first: begin, changes }.encode_as(self.format()),
            is_whole,
        })
    }

    /// Whether the log's beginning lies in this segment: the epoch began there. What is dropped later is whole segments.
    const fn keeps_rest_of(&self, first: Revision) -> bool {
        Segment::first_of(self.state.first_kept) == first
    }

    pub(crate) fn load_manifest(&self) -> Manifest {
        let bytes = self.storage.get(&meta(MANIFEST)).unwrap_or_default();
        Head::decode(&bytes).map(|head| head.manifest).unwrap_or_default()
    }

    /// Writes which shards are current.
    pub(crate) fn set_manifest(&mut self, manifest: Manifest) {
        let head = Head { manifest, first: 1, ..Head::default() };
        self.storage.put(&meta(MANIFEST), &head.encode_as(STORED_FORMAT));
        self.manifest = head.manifest;
        self.state.manifests = self.state.manifests.saturating_add(1);
        self.head = None;
    }
}
