//! The log of changes as followers read it: its head, and segments of what is older.
//!
//! | format | a change |
//! | --- | --- |
//! | 1 | kind and flags in one byte, digest; if it is no removal, expiry, length of the text, text |
//! | 2 | kind, digest, flags (LEB128); if it is no removal, length of the rest, expiry, text |
//!
//! By format 2 a row that says more than its reader knows is one that cannot be read, and the changes beside it can.

use crate::{
    base::time::Timestamp,
    directory::{
        bytes::{Reader, hex, put_sized, put_varint},
        record_key::{Kind, RecordKey},
        row::{FREE_BITS, Row},
    },
};

/// The newest format of heads, segments and shards.
pub const FORMAT: u8 = 2;
/// The oldest one: both sides read and write one back, so that either may be deployed first, and taken back.
pub const OLDEST_FORMAT: u8 = FORMAT - 1;
/// The longest head.
pub const MAX_HEAD_BYTES: usize = 16_384;
/// Changes that a head holds at most.
pub const HEAD_CHANGES: usize = 128;
/// Changes of a segment, all of them.
pub const SEGMENT_CHANGES: u64 = 256;
/// More shards than this are no manifest.
pub const MAX_PREFIX_BITS: u8 = 10;

/// Numbers changes in their order; the first one is 1.
pub type Revision = u64;

/// Drawn when a ledger's database is made or restored.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Epoch(pub [u8; 16]);

impl std::fmt::Display for Epoch {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&hex(&self.0))
    }
}

/// One change of one record.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Change {
    /// Of which record.
    pub key: RecordKey,
    /// What it says from then on; `None` where it is gone.
    pub row: Option<Row>,
}

const REMOVED: u8 = 3;

impl Change {
    /// What stands in the log before a shard that holds rows which the log never had: whoever has loaded an older one
    /// loads that shard, once the manifest names it. It removes a key that cannot be, since no digest ends in twelve
    /// zeros, so whoever does not know of it is not harmed.
    #[must_use]
    pub fn reload_of(prefix: u32, prefix_bits: u8) -> Self {
        let mut digest = [0; 16];
        let bits = prefix.checked_shl(32 - u32::from(prefix_bits.min(32))).unwrap_or_default();
        digest.iter_mut().zip(bits.to_be_bytes()).for_each(|(into, from)| *into = from);
        Self { key: RecordKey { digest, kind: Kind::ApiKey }, row: None }
    }

    /// Whether this is what [`Change::reload_of`] makes.
    #[must_use]
    pub fn is_reload(&self) -> bool {
        self.row.is_none() && self.key.kind == Kind::ApiKey && self.key.digest.ends_with(&[0; 12])
    }

    /// Appends the change as formats have it from the second on. A removal takes 18 bytes.
    fn put_apart(&self, into: &mut Vec<u8>) {
        into.push(self.key.kind as u8);
        into.extend_from_slice(&self.key.digest);
        let Some(row) = &self.row else { return into.push(REMOVED) };
        put_varint(into, u64::from(row.flags()));
        let mut rest = Vec::with_capacity(row.text.len() + 8);
        row.put_expiry(&mut rest);
        rest.extend_from_slice(&row.text);
        put_sized(into, &rest);
    }

    /// Reads what [`Change::put_apart`] appended, or what a later version did.
    fn read_apart(reader: &mut Reader<'_>) -> Option<Self> {
        let key = RecordKey { kind: Kind::of(reader.byte()?)?, digest: reader.array()? };
        let flags = reader.varint()?;
        if flags & 3 == u64::from(REMOVED) {
            return Some(Self { key, row: None });
        }
        let mut rest = Reader::new(reader.sized()?);
        let known = u8::try_from(flags).ok().filter(|flags| flags >> FREE_BITS == 0);
        let row = known.and_then(|flags| Row::read_expiry(flags, &mut rest));
        let row = row.map(|row| Row { text: rest.rest().to_vec(), ..row });
        Some(Self { key, row: Some(row.unwrap_or_else(Row::unreadable)) })
    }

    /// Appends the change as the first format has it, which is also the database's. A removal takes 17 bytes.
    pub fn put(&self, into: &mut Vec<u8>) {
        let kind = (self.key.kind as u8) << FREE_BITS;
        let Some(row) = &self.row else {
            into.push(kind | REMOVED);
            into.extend_from_slice(&self.key.digest);
            return;
        };
        into.push(kind | row.flags());
        into.extend_from_slice(&self.key.digest);
        row.put_expiry(into);
        put_varint(into, row.text.len() as u64);
        into.extend_from_slice(&row.text);
    }

    /// Reads what [`Change::put`] appended.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let flags = reader.byte()?;
        let key = RecordKey { kind: Kind::of(flags >> FREE_BITS)?, digest: reader.array()? };
        if flags & 3 == REMOVED {
            return Some(Self { key, row: None });
        }
        let row = Row::read_expiry(flags, reader)?;
        Some(Self { key, row: Some(Row { text: reader.sized()?.to_vec(), ..row }) })
    }
}

fn put_changes(into: &mut Vec<u8>, first: Revision, changes: &[Change], format: u8) {
    into.extend_from_slice(&first.to_be_bytes());
    put_varint(into, changes.len() as u64);
    let put = if format == 1 { Change::put } else { Change::put_apart };
    changes.iter().for_each(|change| put(change, into));
}

fn read_changes(reader: &mut Reader<'_>, format: u8) -> Option<(Revision, Vec<Change>)> {
    let first = reader.u64()?;
    let count = reader.varint()?;
    let read = if format == 1 { Change::read } else { Change::read_apart };
    let changes = (0..count).map(|_| read(reader)).collect::<Option<Vec<_>>>()?;
    reader.is_empty().then_some((first, changes))
}

/// Of what the directory holds everything, so that "not there" is an answer.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Complete {
    /// All keys.
    pub keys: bool,
    /// All customers.
    pub customers: bool,
}

/// Which immutable KV value a shard is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct ShardRef {
    /// The last change that it holds.
    pub revision: Revision,
    /// The beginning of the SHA-256 digest of its bytes.
    pub hash: [u8; 16],
    /// Its length in bytes.
    pub size: u32,
}

impl ShardRef {
    fn put(&self, into: &mut Vec<u8>) {
        into.extend_from_slice(&self.revision.to_be_bytes());
        into.extend_from_slice(&self.hash);
        into.extend_from_slice(&self.size.to_be_bytes());
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        Some(Self { revision: reader.u64()?, hash: reader.array()?, size: reader.u32()? })
    }

    /// The name of the KV entry that holds the shard whose digests begin with the bits of `prefix`.
    #[must_use]
    pub fn name(&self, epoch: Epoch, prefix: u32, prefix_bits: u8) -> String {
        format!("directory:{epoch}:{prefix_bits}.{prefix}:{}:{}", self.revision, hex(&self.hash))
    }

    /// The name of the KV entry that holds the revocations of tokens.
    #[must_use]
    pub fn tokens_name(&self, epoch: Epoch) -> String {
        format!("directory:{epoch}:tokens:{}:{}", self.revision, hex(&self.hash))
    }
}

/// Which shards are current, and of what they hold everything.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Manifest {
    /// Of what everything is held.
    pub complete: Complete,
    /// By how many bits of the digest records are shared out among shards.
    pub prefix_bits: u8,
    /// One a prefix, in their order; none before the first ones are there.
    pub shards: Vec<ShardRef>,
    /// The revocations of tokens, all in one value; none where nothing was compacted yet.
    pub tokens: Option<ShardRef>,
}

const KEYS: u8 = 1;
const CUSTOMERS: u8 = 2;
const TOKENS: u8 = 4;
const SHARDS: u8 = 8;

impl Manifest {
    fn put(&self, into: &mut Vec<u8>) {
        let bit = |set: bool, bit: u8| if set { bit } else { 0 };
        into.push(
            bit(self.complete.keys, KEYS)
                | bit(self.complete.customers, CUSTOMERS)
                | bit(self.tokens.is_some(), TOKENS)
                | bit(!self.shards.is_empty(), SHARDS),
        );
        into.push(self.prefix_bits);
        self.tokens.iter().chain(&self.shards).for_each(|shard| shard.put(into));
    }

    fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let flags = reader.byte()?;
        let prefix_bits = reader.byte().filter(|bits| *bits <= MAX_PREFIX_BITS)?;
        let tokens = if flags & TOKENS == 0 { None } else { Some(ShardRef::read(reader)?) };
        let count = if flags & SHARDS == 0 { 0 } else { 1 << prefix_bits };
        let shards = (0..count).map(|_| ShardRef::read(reader)).collect::<Option<Vec<_>>>()?;
        let complete = Complete { keys: flags & KEYS != 0, customers: flags & CUSTOMERS != 0 };
        Some(Self { complete, prefix_bits, shards, tokens })
    }
}

/// The newest part of the log: what a poll brings.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Head {
    /// Of which database.
    pub epoch: Epoch,
    /// The last change that there is.
    pub revision: Revision,
    /// When the ledger wrote that this is so. What a follower hears is as old as this says, whoever brings it.
    pub as_of: Timestamp,
    /// How much slower than usual to poll, in percent: 100 is as usual.
    pub pace: u16,
    /// The current shards.
    pub manifest: Manifest,
    /// The revision of the first change here.
    pub first: Revision,
    /// The last changes in their order, up to `revision`.
    pub changes: Vec<Change>,
}

const HEAD: [u8; 2] = *b"PH";
const SEGMENT: [u8; 2] = *b"PL";

/// Reads what stands before everything: what this is, and its format, where whoever reads formats up to `newest` reads it.
pub(super) fn read_format(reader: &mut Reader<'_>, of: [u8; 2], newest: u8) -> Option<u8> {
    (reader.array() == Some(of)).then_some(())?;
    reader.byte().filter(|format| (OLDEST_FORMAT..=newest).contains(format))
}

impl Head {
    /// The bytes that go over the wire, in the newest format.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.encode_as(FORMAT)
    }

    /// The same in one of the formats.
    #[must_use]
    pub fn encode_as(&self, format: u8) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(512);
        bytes.extend_from_slice(&HEAD);
        bytes.push(format);
        bytes.extend_from_slice(&self.epoch.0);
        bytes.extend_from_slice(&self.revision.to_be_bytes());
        bytes.extend_from_slice(&self.as_of.millis().to_be_bytes());
        bytes.extend_from_slice(&self.pace.to_be_bytes());
        self.manifest.put(&mut bytes);
        put_changes(&mut bytes, self.first, &self.changes, format);
        bytes
    }

    /// Reads a head. `None` for what is none, or one of another format, or whose changes do not end at its revision.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        Self::decode_up_to(bytes, FORMAT)
    }

    /// Whether this is a head of a later format than `newest`.
    #[must_use]
    pub fn is_newer_than(bytes: &[u8], newest: u8) -> bool {
        bytes.strip_prefix(&HEAD).and_then(<[u8]>::first).is_some_and(|format| *format > newest)
    }

    /// The same for whoever reads formats up to `newest`.
    #[must_use]
    pub fn decode_up_to(bytes: &[u8], newest: u8) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let format = read_format(&mut reader, HEAD, newest)?;
        let epoch = Epoch(reader.array()?);
        let revision = reader.u64()?;
        let as_of = Timestamp::from_millis(reader.u64()?);
        let pace = reader.u16()?;
        let manifest = Manifest::read(&mut reader)?;
        let (first, changes) = read_changes(&mut reader, format)?;
        let joins = first.checked_add(changes.len() as u64)? == revision.checked_add(1)?;
        joins.then_some(Self { epoch, revision, as_of, pace, manifest, first, changes })
    }
}

/// An immutable part of the log: changes `256 n + 1` to `256 (n + 1)`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Segment {
    /// Of which database.
    pub epoch: Epoch,
    /// The revision of its first change.
    pub first: Revision,
    /// Its changes, in their order.
    pub changes: Vec<Change>,
}

impl Segment {
    /// The revision of the first change of the segment that holds `revision`.
    #[must_use]
    pub const fn first_of(revision: Revision) -> Revision {
        revision.saturating_sub(1) / SEGMENT_CHANGES * SEGMENT_CHANGES + 1
    }

    /// The bytes that go over the wire, in the newest format.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        self.encode_as(FORMAT)
    }

    /// The same in one of the formats.
    #[must_use]
    pub fn encode_as(&self, format: u8) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(512);
        bytes.extend_from_slice(&SEGMENT);
        bytes.push(format);
        bytes.extend_from_slice(&self.epoch.0);
        put_changes(&mut bytes, self.first, &self.changes, format);
        bytes
    }

    /// Reads a segment; `None` for what is none, or one of another format.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        Self::decode_up_to(bytes, FORMAT)
    }

    /// The same for whoever reads formats up to `newest`.
    #[must_use]
    pub fn decode_up_to(bytes: &[u8], newest: u8) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let format = read_format(&mut reader, SEGMENT, newest)?;
        let epoch = Epoch(reader.array()?);
        let (first, changes) = read_changes(&mut reader, format)?;
        Some(Self { epoch, first, changes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::row::Usable;

    fn changes() -> Vec<Change> {
        vec![
            Change { key: RecordKey::customer("acme"), row: Some(Row::of(r#"{"customerId":"acme"}"#)) },
            Change { key: RecordKey::customer("wayne"), row: None },
            Change {
                key: RecordKey::token_id("https://id.example.com", "1"),
                row: Some(Row { expires_at: Some(Timestamp::from_millis(5_000)), ..Row::of("{}") }),
            },
            Change {
                key: RecordKey::customer("umbrella"),
                row: Some(Row { usable: Usable::Unsure, provider: true, ..Row::default() }),
            },
        ]
    }

    fn head() -> Head {
        let shard = |revision| ShardRef { revision, hash: [7; 16], size: 900 };
        Head {
            epoch: Epoch([3; 16]),
            revision: 12,
            as_of: Timestamp::from_millis(1_785_412_800_000),
            pace: 150,
            manifest: Manifest {
                complete: Complete { keys: true, customers: false },
                prefix_bits: 1,
                shards: vec![shard(3), shard(4)],
                tokens: Some(shard(2)),
            },
            first: 9,
            changes: changes(),
        }
    }

    #[test]
    fn heads_are_read_as_written_and_nothing_else_is() {
        for format in OLDEST_FORMAT..=FORMAT {
            let bytes = head().encode_as(format);
            assert_eq!(Head::decode_up_to(&bytes, format), Some(head()), "format {format}");
            assert_eq!(Head::decode(&bytes), Some(head()), "format {format} by who reads a newer one");
            assert_eq!(Head::decode_up_to(&bytes, format - 1), None, "format {format} by who does not");
            assert!(Head::is_newer_than(&bytes, format - 1) && !Head::is_newer_than(&bytes, format));
            let segment = Segment { epoch: Epoch([1; 16]), first: 257, changes: changes() };
            assert_eq!(Segment::decode(&segment.encode_as(format)), Some(segment));
        }
        let bytes = head().encode();
        assert_eq!(Head::decode(&bytes), Some(head()));
        for end in 0..bytes.len() {
            assert_eq!(Head::decode(&bytes[..end]), None, "cut at {end}");
        }
        let with = |at: usize, byte: u8| {
            let mut other = bytes.clone();
            other[at] = byte;
            Head::decode(&other)
        };
        assert_eq!(with(2, FORMAT + 1), None, "another format");
        assert_eq!(with(3 + 16 + 7, 13), None, "changes that do not end at the revision");
        let without = Head { manifest: Manifest::default(), first: 13, changes: Vec::new(), ..head() };
        assert_eq!(Head::decode(&without.encode()), Some(without));
    }

    #[test]
    fn a_removal_takes_seventeen_bytes() {
        let mut bytes = Vec::new();
        changes()[1].put(&mut bytes);
        assert_eq!(bytes.len(), 17);
    }

    #[test]
    fn a_row_that_says_more_than_its_reader_knows_is_there_and_cannot_be_read() {
        let [known, removed, ..] = <[Change; 4]>::try_from(changes()).unwrap();
        let mut bytes = Vec::new();
        known.put_apart(&mut bytes);
        // What a later version writes of it: a flag that this one does not know, and what belongs to the flag.
        bytes.push(Kind::Customer as u8);
        bytes.extend_from_slice(&RecordKey::customer("later").digest);
        put_varint(&mut bytes, 16 | 8);
        put_sized(&mut bytes, b"whatever belongs to it");
        removed.put_apart(&mut bytes);
        let mut reader = Reader::new(&bytes);
        assert_eq!(Change::read_apart(&mut reader), Some(known));
        let later = Change { key: RecordKey::customer("later"), row: Some(Row::unreadable()) };
        assert_eq!(Change::read_apart(&mut reader), Some(later));
        assert_eq!(Change::read_apart(&mut reader), Some(removed), "what stands beside it is read");
    }

    #[test]
    fn a_reload_is_of_its_own_shard() {
        for (prefix, bits) in [(0, 0), (0, 1), (1, 1), (5, 3), (511, 9)] {
            assert_eq!(Change::reload_of(prefix, bits).key.prefix(bits), prefix);
            assert!(Change::reload_of(prefix, bits).is_reload());
        }
        assert!(!changes().iter().any(Change::is_reload));
    }

    #[test]
    fn segments_are_aligned() {
        assert_eq!([1, 256, 257, 512, 513].map(Segment::first_of), [1, 1, 257, 257, 513]);
        let segment = Segment { epoch: Epoch([1; 16]), first: 257, changes: changes() };
        assert_eq!(Segment::decode(&segment.encode()), Some(segment));
        assert_eq!(Segment::decode(&head().encode()), None, "a head is no segment");
    }

    #[test]
    fn shards_have_names_of_their_own() {
        let shard = head().manifest.shards[0];
        let epoch = Epoch([0xab; 16]);
        let name = shard.name(epoch, 5, 3);
        assert_eq!(name, format!("directory:{}:3.5:3:{}", "ab".repeat(16), "07".repeat(16)));
        assert_ne!(shard.name(epoch, 0, 1), shard.name(epoch, 0, 2));
        assert!(shard.tokens_name(epoch).contains(":tokens:"));
    }
}
