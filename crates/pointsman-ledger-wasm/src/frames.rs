//! How byte strings cross the boundary. `src/edge/ledger_frames.js` is the other end.

use pointsman_core::directory::bytes::Reader;
use pointsman_ledger::Answer;

/// Keys and values by turns, each behind its length in 32 bits in network byte order, so that a whole scan crosses at once.
/// `None` where it is cut short, or a key has no value.
#[must_use]
pub fn pairs(bytes: &[u8]) -> Option<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut reader = Reader::new(bytes);
    let mut part = || {
        let size = reader.u32()?;
        reader.take(usize::try_from(size).ok()?).map(<[u8]>::to_vec)
    };
    let mut pairs = Vec::new();
    let mut left = bytes.len();
    while left > 0 {
        let (key, value) = (part()?, part()?);
        left = left.checked_sub(key.len() + value.len() + 8)?;
        pairs.push((key, value));
    }
    Some(pairs)
}

const BYTES: u8 = 0;
const JSON: u8 = 1;

/// An answer behind a byte that says what it is.
#[must_use]
pub fn answer(answer: &Answer) -> Vec<u8> {
    let (kind, content) = match answer {
        Answer::Bytes(bytes) => (BYTES, bytes.as_slice()),
        Answer::Json(text) => (JSON, text.as_bytes()),
    };
    let mut bytes = Vec::with_capacity(content.len() + 1);
    bytes.push(kind);
    bytes.extend_from_slice(content);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scan_is_keys_and_values_and_nothing_less() {
        let bytes = [0, 0, 0, 1, b'k', 0, 0, 0, 2, b'v', b'w', 0, 0, 0, 0, 0, 0, 0, 0];
        let found = pairs(&bytes).unwrap();
        assert_eq!(found, [(b"k".to_vec(), b"vw".to_vec()), (Vec::new(), Vec::new())]);
        assert_eq!(pairs(&[]), Some(Vec::new()));
        for end in (1..bytes.len()).filter(|end| *end != 11) {
            assert_eq!(pairs(&bytes[..end]), None, "cut at {end}");
        }
    }

    #[test]
    fn bytes_and_json_are_told_apart() {
        assert_eq!(answer(&Answer::Bytes(vec![7])), [0, 7]);
        assert_eq!(answer(&Answer::Json("{}".to_owned())), [1, b'{', b'}']);
    }
}
