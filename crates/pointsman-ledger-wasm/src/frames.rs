//! Several byte strings in one, so that they cross the boundary together: each behind its length, 32 bits in network byte
//! order. `src/edge/ledger_frames.js` is the other end.

use pointsman_core::directory::bytes::Reader;

/// Joins parts. A part that is longer than 4 GiB, which no memory here can hold, would be empty.
#[must_use]
pub fn join<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in parts {
        let size = u32::try_from(part.len()).unwrap_or_default();
        bytes.extend_from_slice(&size.to_be_bytes());
        bytes.extend_from_slice(part.get(..size as usize).unwrap_or_default());
    }
    bytes
}

/// The parts of what was joined; `None` where it is cut short.
#[must_use]
pub fn split(bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut reader = Reader::new(bytes);
    let mut parts = Vec::new();
    while !reader.is_empty() {
        let size = reader.u32()?;
        parts.push(reader.take(usize::try_from(size).ok()?)?);
    }
    Some(parts)
}

/// Parts by twos, as a scan gives keys and values; `None` where one has no other.
#[must_use]
pub fn pairs(bytes: &[u8]) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let parts = split(bytes)?;
    let (pairs, rest) = parts.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[key, value]| (key.to_vec(), value.to_vec())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_split_as_they_were_joined() {
        let parts: [&[u8]; 4] = [b"", b"a", &[0; 300], b"\xff\0"];
        let bytes = join(parts);
        assert_eq!(split(&bytes), Some(parts.to_vec()));
        assert_eq!(split(&[]), Some(Vec::new()));
        for end in 1..bytes.len() {
            let cut = split(&bytes[..end]);
            assert!(cut.is_none_or(|some| some.len() < parts.len()), "cut at {end}");
        }
        assert_eq!(split(&[0, 0, 0, 2, 1]), None);
    }

    #[test]
    fn a_key_without_a_value_is_no_scan() {
        assert_eq!(pairs(&join([b"k".as_slice(), b"v"])), Some(vec![(b"k".to_vec(), b"v".to_vec())]));
        assert_eq!(pairs(&join([b"k".as_slice()])), None);
    }
}
