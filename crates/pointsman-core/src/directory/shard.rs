//! A shard: an immutable value with all records whose digest begins with the same bits.
//!
//! Rows stand in the order of their keys, and an index by the digest's next bits leads to a few of them, so a row is found
//! without reading the others. Most records say the same with other words in the same places: what they share stands in a
//! template once, and a row holds its words. The text of a row is put together when it is found.
//!
//! | part | bytes |
//! | --- | --- |
//! | `PS`, the format | 3 |
//! | count of templates, and each behind its length | LEB128 |
//! | bits of the index; the offset of each bucket's first row, and of the end | 1; 4 each |
//! | rows: digest, flags, length of the rest, expiry if there is one, template, words each behind its length | 16, 1, LEB128 … |

use crate::{
    base::time::Timestamp,
    directory::{
        bytes::Reader,
        log::{FORMAT, read_format},
        record_key::{DIGEST_BYTES, Kind, RecordKey},
        row::{FREE_BITS, Row},
    },
};

mod encode;
mod template;

pub use self::encode::{encode, encode_as};
use self::template::{HOLE, Template};

const SHARD: [u8; 2] = *b"PS";

/// A shard's bytes, and where in them its parts begin.
#[derive(Clone, Debug)]
pub struct Shard {
    bytes: Box<[u8]>,
    prefix_bits: u8,
    /// Where each template begins and ends.
    templates: Vec<(u32, u32)>,
    /// Where the index begins, and how many bits of the digest lead to one of its places.
    index: usize,
    index_bits: u8,
    rows: usize,
}

impl Shard {
    /// Reads the beginning of a shard, which holds what begins with the same `prefix_bits` bits; `None` for what is none.
    /// Rows are not looked at: whoever loads it has compared the digest of `bytes` with the manifest's.
    #[must_use]
    pub fn parse(bytes: Vec<u8>, prefix_bits: u8) -> Option<Self> {
        Self::parse_up_to(bytes, prefix_bits, FORMAT)
    }

    /// The same for whoever reads formats up to `newest`.
    #[must_use]
    pub fn parse_up_to(bytes: Vec<u8>, prefix_bits: u8, newest: u8) -> Option<Self> {
        let at = |rest: &[u8]| u32::try_from(bytes.len() - rest.len()).ok();
        let mut reader = Reader::new(&bytes);
        read_format(&mut reader, SHARD, newest)?;
        let count = reader.varint()?;
        let mut templates = Vec::new();
        for _ in 0..count {
            let template = reader.sized()?;
            let end = at(reader.rest())?;
            templates.push((end - u32::try_from(template.len()).ok()?, end));
        }
        let index_bits = reader.byte().filter(|bits| *bits <= encode::MAX_INDEX_BITS)?;
        let index = at(reader.rest())? as usize;
        reader.take(((1 << index_bits) + 1) * 4)?;
        let rows = at(reader.rest())? as usize;
        templates.shrink_to_fit();
        Some(Self { bytes: bytes.into_boxed_slice(), prefix_bits, templates, index, index_bits, rows })
    }

    /// The row of a record; `None` where there is none. `name` is the id of a customer, which its row does not repeat;
    /// it is not read for other records.
    #[must_use]
    pub fn find(&self, key: &RecordKey, name: &str) -> Option<Row> {
        let bucket = encode::bucket(key, self.prefix_bits, self.index_bits);
        let mut reader = Reader::new(self.bytes.get(self.offset(bucket)?..self.offset(bucket + 1)?)?);
        loop {
            let digest = reader.array::<DIGEST_BYTES>()?;
            let flags = reader.byte()?;
            let rest = reader.sized()?;
            if digest == key.digest && Kind::of(flags >> FREE_BITS) == Some(key.kind) {
                // A later version's may say what this one cannot read: it is there all the same.
                return Some(self.row(flags, rest, name).unwrap_or_else(Row::unreadable));
            }
        }
    }

    fn offset(&self, bucket: usize) -> Option<usize> {
        let offset = Reader::new(self.bytes.get(self.index + bucket * 4..)?).u32()?;
        self.rows.checked_add(offset as usize)
    }

    fn row(&self, flags: u8, rest: &[u8], name: &str) -> Option<Row> {
        let mut reader = Reader::new(rest);
        let row = Row::read_expiry(flags, &mut reader)?;
        let template = match usize::try_from(reader.varint()?).ok()?.checked_sub(1) {
            None => &[HOLE][..],
            Some(index) => {
                let (begin, end) = self.templates.get(index)?;
                self.bytes.get(*begin as usize..*end as usize)?
            }
        };
        Some(Row { text: Template(template).fill(&mut reader, name)?, ..row })
    }

    /// Bytes held.
    #[must_use]
    pub fn weight(&self) -> usize {
        self.bytes.len() + self.templates.len() * 8
    }
}

/// Whether a row that was found counts at `now`.
#[must_use]
pub fn in_force(row: Row, now: Timestamp) -> Option<Row> {
    (!row.is_over(now)).then_some(row)
}

#[cfg(test)]
mod tests;
