//! What the directory holds of a record.

use crate::{
    base::time::Timestamp,
    directory::bytes::{Reader, put_sized, put_varint},
};

/// Whether a record can be used.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[repr(u8)]
pub enum Usable {
    /// It is as it says.
    #[default]
    Yes = 0,
    /// It cannot be read. That is never "there is none": whoever it is of would get somebody else's backend.
    Malformed = 1,
    /// Its source names it in a way that cannot be trusted now; it may be there later.
    Unsure = 2,
    /// It was removed a short time ago: a shard says so, since KV may have it for a while yet.
    Removed = 3,
}

/// What the directory holds of a record: what decides, and nothing that only describes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Row {
    /// The record as compact JSON, without `name` and `createdAt`, and without what a refresh notes. Empty where it
    /// cannot be used.
    pub text: Vec<u8>,
    /// Whether it can be used.
    pub usable: Usable,
    /// Whether the provider's config API says it, and no operator.
    pub provider: bool,
    /// When KV drops the entry, in whole seconds.
    pub expires_at: Option<Timestamp>,
}

const PROVIDER: u8 = 4;
const EXPIRES: u8 = 8;
/// Bits of the flags that are left for who writes a row beside others.
pub(super) const FREE_BITS: u32 = 4;

impl Row {
    /// A row that can be used.
    #[must_use]
    pub fn of(text: impl Into<Vec<u8>>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    /// A row of which is known only that there is one: a later version wrote it. Its text is no record, so that it is asked
    /// for where every record was before there was a directory, and is never taken for absent.
    #[must_use]
    pub fn unreadable() -> Self {
        Self::default()
    }

    /// A row of what was removed, which says so until then.
    #[must_use]
    pub fn removed(until: Timestamp) -> Self {
        Self { usable: Usable::Removed, expires_at: Some(until), ..Self::default() }
    }

    /// Whether KV has dropped the entry by `now`.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| now >= at)
    }

    /// What stands before the text: bits in the low half of one byte.
    pub(super) const fn flags(&self) -> u8 {
        let provider = if self.provider { PROVIDER } else { 0 };
        let expires = if self.expires_at.is_some() { EXPIRES } else { 0 };
        self.usable as u8 | provider | expires
    }

    /// Appends the expiry, where there is one.
    pub(super) fn put_expiry(&self, into: &mut Vec<u8>) {
        if let Some(at) = self.expires_at {
            put_varint(into, at.millis() / 1000);
        }
    }

    /// A row without its text.
    pub(super) fn read_expiry(flags: u8, reader: &mut Reader<'_>) -> Option<Self> {
        let usable = match flags & 3 {
            0 => Usable::Yes,
            1 => Usable::Malformed,
            2 => Usable::Unsure,
            // What else a later version may mean by that nobody reads.
            _ if flags & EXPIRES != 0 => Usable::Removed,
            _ => return None,
        };
        let expires_at = match flags & EXPIRES {
            0 => None,
            _ => Some(Timestamp::from_millis(reader.varint()?.checked_mul(1000)?)),
        };
        Some(Self { text: Vec::new(), usable, provider: flags & PROVIDER != 0, expires_at })
    }

    /// Appends the row by itself.
    pub fn put(&self, into: &mut Vec<u8>) {
        into.push(self.flags());
        self.put_expiry(into);
        put_sized(into, &self.text);
    }

    /// Reads what [`Row::put`] appended.
    pub fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let flags = reader.byte()?;
        let row = Self::read_expiry(flags, reader)?;
        (flags >> FREE_BITS == 0).then_some(())?;
        Some(Self { text: reader.sized()?.to_vec(), ..row })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_as_written() {
        let rows = [
            Row::of(r#"{"subject":"acme"}"#),
            Row { usable: Usable::Malformed, ..Row::default() },
            Row { usable: Usable::Unsure, provider: true, ..Row::default() },
            Row::removed(Timestamp::from_millis(1_785_412_800_000)),
            Row { expires_at: Some(Timestamp::from_millis(1_785_412_800_000)), ..Row::of("{}") },
        ];
        for row in rows {
            let mut bytes = Vec::new();
            row.put(&mut bytes);
            assert_eq!(Row::read(&mut Reader::new(&bytes)), Some(row.clone()));
            bytes.pop();
            assert_eq!(Row::read(&mut Reader::new(&bytes)), None, "cut short");
            assert_eq!(Row::read(&mut Reader::new(&[0x80, 0])), None, "a flag of a later version");
            if let Some(at) = row.expires_at {
                assert!(row.is_over(at) && !row.is_over(Timestamp::from_millis(at.millis() - 1)));
            }
        }
    }
}
