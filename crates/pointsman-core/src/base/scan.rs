//! Looking for bytes in short texts, eight at a time. Nearly every text of a request is looked through once or
//! twice, and the standard library's searchers are made for long ones.

/// A word of eight ones, and one of eight highest bits.
const ONES: u64 = u64::from_le_bytes([1; 8]);
const HIGH: u64 = u64::from_le_bytes([0x80; 8]);

/// Eight bytes of a text at once. What is asked of them is right for the whole: a bit may be set too many, but
/// only behind one that is set with reason.
#[derive(Clone, Copy, Debug)]
pub struct Word(u64);

impl Word {
    /// Whether one of the bytes is this one, as bits.
    #[must_use]
    #[inline]
    pub const fn is(self, byte: u8) -> u64 {
        let same = self.0 ^ (ONES * byte as u64);
        same.wrapping_sub(ONES) & !same & HIGH
    }

    /// Whether one of the bytes is below this one, which is ASCII itself, as bits.
    #[must_use]
    #[inline]
    pub const fn below(self, byte: u8) -> u64 {
        self.0.wrapping_sub(ONES * byte as u64) & !self.0 & HIGH
    }

    /// Whether one of the bytes is DEL or not ASCII, as bits.
    #[must_use]
    #[inline]
    pub const fn beyond_visible(self) -> u64 {
        (self.0.wrapping_add(ONES) | self.0) & HIGH
    }

    /// Whether one of the bytes is neither a letter nor a digit of ASCII, as bits.
    #[must_use]
    #[inline]
    pub const fn beyond_alphanumeric(self) -> u64 {
        // Sums of seven bits, so that none is carried into the next byte.
        let low = self.0 & !HIGH;
        let folded = low | (ONES * 0x20);
        let digit = at_least(low, b'0') & !at_least(low, b'9' + 1);
        let letter = at_least(folded, b'a') & !at_least(folded, b'z' + 1);
        (!(digit | letter) | self.0) & HIGH
    }
}

/// Which bytes are this one or above it, as bits; all of them are ASCII.
#[inline]
const fn at_least(word: u64, byte: u8) -> u64 {
    (word + ONES * (0x80 - byte) as u64) & HIGH
}

/// Whether `found` has bits set for some of the text's bytes. A text of less than eight is filled up with letters,
/// which must not be what is looked for.
#[inline]
#[must_use]
pub fn any(text: &str, found: impl Fn(Word) -> u64) -> bool {
    any_of(text, found)
}

#[inline]
fn any_of(text: &str, mut found: impl FnMut(Word) -> u64) -> bool {
    let bytes = text.as_bytes();
    // The last word laps over the one before it.
    let Some(last) = bytes.last_chunk::<8>() else {
        return found(Word(short(bytes))) != 0;
    };
    for word in bytes.as_chunks::<8>().0 {
        if found(Word(u64::from_le_bytes(*word))) != 0 {
            return true;
        }
    }
    found(Word(u64::from_le_bytes(*last))) != 0
}

/// All of less than eight bytes, in some order.
#[inline]
fn short(bytes: &[u8]) -> u64 {
    match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        (Some(first), Some(last)) => {
            u64::from(u32::from_le_bytes(*first)) | u64::from(u32::from_le_bytes(*last)) << 32
        }
        _ => bytes.iter().fold(ONES * b'a' as u64, |word, byte| word << 8 | u64::from(*byte)),
    }
}

/// As [`any`], and whether `pair`, which is ASCII and no letter, stands twice in a row. May say yes where there is no
/// such pair, and never no where there is one.
#[inline]
#[must_use]
pub fn any_or_pair(text: &str, pair: u8, found: impl Fn(Word) -> u64) -> bool {
    // The mark of the word before, moved to where the first byte of this one would have its own.
    let mut carried = 0;
    any_of(text, |word| {
        let marks = word.is(pair);
        let pairs = marks & (marks << 8 | carried);
        carried = marks >> 56;
        pairs | found(word)
    })
}

/// Where the byte stands first.
#[must_use]
#[inline(never)]
pub fn position(text: &str, byte: u8) -> Option<usize> {
    let (words, rest) = text.as_bytes().as_chunks::<8>();
    let mut before = 0;
    for word in words {
        let found = Word(u64::from_le_bytes(*word)).is(byte);
        if found != 0 {
            return Some(before + found.trailing_zeros() as usize / 8);
        }
        before += 8;
    }
    let Some(last) = text.as_bytes().last_chunk::<8>() else {
        return rest.iter().position(|other| *other == byte);
    };
    let found = Word(u64::from_le_bytes(*last)).is(byte);
    (found != 0).then(|| text.len() - 8 + found.trailing_zeros() as usize / 8)
}

/// The text before the first of these bytes, which is ASCII, and that behind it.
#[must_use]
#[inline]
pub fn cut(text: &str, byte: u8) -> Option<(&str, &str)> {
    let (before, from) = text.split_at_checked(position(text, byte)?)?;
    Some((before, from.get(1..)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Each byte at each place of a word, among neighbours that would carry into it.
    #[test]
    fn letters_and_digits_are_told_from_all_others() {
        for (byte, beside) in
            (0..=u8::MAX).flat_map(|byte| [b'0', b'Z', b'z', 0x7f, 0].map(|beside| (byte, beside)))
        {
            for place in 0..8 {
                let mut bytes = [beside; 8];
                bytes[place] = byte;
                let expected = !bytes.iter().all(u8::is_ascii_alphanumeric);
                let found = Word(u64::from_le_bytes(bytes)).beyond_alphanumeric() != 0;
                assert_eq!(found, expected, "{bytes:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn no_pair_is_missed(text in "[/a.0]{0,40}") {
            prop_assert!(any_or_pair(&text, b'/', |_| 0) || !text.contains("//"), "{text}");
        }

        #[test]
        fn bytes_are_found_where_they_are(text in "[a-c\"\\\\,%/. \0\x1f\x7f\u{80}é€\u{10ffff}]{0,40}", byte in 0u8..128) {
            prop_assert_eq!(position(&text, byte), text.bytes().position(|own| own == byte));
            prop_assert_eq!(cut(&text, byte), text.split_once(char::from(byte)));
            if byte != b'a' {
                prop_assert_eq!(super::any(&text, |word| word.is(byte)), text.bytes().any(|own| own == byte));
            }
            if byte <= b'a' {
                prop_assert_eq!(super::any(&text, |word| word.below(byte)), text.bytes().any(|own| own < byte));
            }
            let alphanumeric = |own: u8| own.is_ascii_alphanumeric();
            prop_assert_eq!(super::any(&text, Word::beyond_alphanumeric), !text.bytes().all(alphanumeric));
            prop_assert_eq!(super::any(&text, Word::beyond_visible), text.bytes().any(|own| own >= 0x7f));
        }
    }
}
