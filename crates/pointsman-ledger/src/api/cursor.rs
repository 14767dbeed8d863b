//! Where a page of keys ended, as text. It names the last record that was looked at, which the root key may not reach: so it is
//! closed under the database's secret, and says nothing to whoever has it.

use pointsman_core::{base::digest::Digest, directory::bytes::hex};

use crate::{listing::KeyCursor, wire::from_hex};

const HALF: usize = 8;
/// Four rounds make a permutation that looks like a random one, from both sides (Luby and Rackoff, 1988).
const ROUNDS: u8 = 4;

/// Closes a cursor.
pub(crate) fn close(secret: &[u8; 32], cursor: &KeyCursor) -> String {
    let mut halves = halves(&cursor.to_string()).unwrap_or_default();
    for round in 0..ROUNDS {
        let [left, right] = halves;
        halves = [right, mixed(secret, round, right, left)];
    }
    hex(&halves.concat())
}

/// Opens what [`close`] made; nothing where the text is none of that form.
pub(crate) fn open(secret: &[u8; 32], text: &str) -> Option<KeyCursor> {
    let mut halves = halves(text)?;
    for round in (0..ROUNDS).rev() {
        let [left, right] = halves;
        halves = [mixed(secret, round, left, right), left];
    }
    KeyCursor::parse(&hex(&halves.concat()))
}

fn halves(text: &str) -> Option<[[u8; HALF]; 2]> {
    let bytes = from_hex(text)?;
    let (left, right) = bytes.split_first_chunk()?;
    Some([*left, right.try_into().ok()?])
}

/// One half, by the digest of secret, round and the other half, which all have one length.
fn mixed(secret: &[u8; 32], round: u8, by: [u8; HALF], half: [u8; HALF]) -> [u8; HALF] {
    let mut input = b"cursor".to_vec();
    input.extend_from_slice(secret);
    input.push(round);
    input.extend_from_slice(&by);
    let digest = Digest::of(&input);
    let mut mixed = half;
    mixed.iter_mut().zip(digest.bytes()).for_each(|(byte, key)| *byte ^= key);
    mixed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_opens_under_its_secret_and_says_nothing() {
        let cursor = KeyCursor::parse(&"0a".repeat(16)).unwrap();
        let next = KeyCursor::parse(&format!("{}0b", "0a".repeat(15))).unwrap();
        let [one, other] = [[1; 32], [2; 32]];
        let closed = close(&one, &cursor);
        assert_eq!(open(&one, &closed), Some(cursor.clone()));
        assert_ne!(open(&other, &closed), Some(cursor.clone()));
        assert_ne!(closed, cursor.to_string());
        let differing = |a: &str, b: &str| a.bytes().zip(b.bytes()).filter(|(a, b)| a != b).count();
        assert!(differing(&closed, &close(&one, &next)) > 16, "one digit moves all of them");
        for text in ["", "00", "zz", &"0".repeat(31), &"0".repeat(34)] {
            assert_eq!(open(&one, text), None, "{text}");
        }
    }
}
