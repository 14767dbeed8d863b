//! What many records say alike, with places for what each says by itself.

use crate::directory::bytes::Reader;

/// Stands in a template where the row's next word comes. JSON has no control character as it is, so none can be text.
pub(super) const HOLE: u8 = 1;
/// Stands for the name that a record is looked up by.
pub(super) const NAME: u8 = 2;
/// The first of the bytes that stand for a word that came before: the row's first one, and those behind it.
pub(super) const AGAIN: u8 = 3;
/// Words that a template can repeat.
pub(super) const WORDS: usize = 0x1f - AGAIN as usize;

/// Digits in a row are a word of their own from so many on: names that are counted share all but these.
const LEAST_DIGITS: usize = 4;

/// The numbers in a text. Those in the name that a record is looked up by come before the row's words.
pub(super) fn numbers(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    parts(text).filter(|part| is_number(part))
}

/// A text in parts, the numbers in it by themselves.
pub(super) fn parts(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let length = length_of_part(rest);
        let (part, behind) = rest.split_at(length);
        rest = behind;
        (!part.is_empty()).then_some(part)
    })
}

fn is_number(part: &[u8]) -> bool {
    part.len() >= LEAST_DIGITS && part.iter().all(u8::is_ascii_digit)
}

fn length_of_part(text: &[u8]) -> usize {
    let mut digits = 0;
    for (at, byte) in text.iter().enumerate() {
        match (byte.is_ascii_digit(), digits) {
            (true, _) => digits += 1,
            (false, LEAST_DIGITS..) => return if digits == at { at } else { at - digits },
            (false, _) => digits = 0,
        }
    }
    if digits >= LEAST_DIGITS && digits < text.len() { text.len() - digits } else { text.len() }
}

/// Literal text, holes and repetitions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Template<'a>(pub(super) &'a [u8]);

impl Template<'_> {
    /// The text, with the words of a row and the name that it was found by.
    pub(super) fn fill(self, words: &mut Reader<'_>, name: &str) -> Option<Vec<u8>> {
        let mut text = Vec::with_capacity(self.0.len() + words.rest().len());
        let mut known: Vec<&[u8]> = numbers(name.as_bytes()).collect();
        for byte in self.0 {
            match *byte {
                HOLE => {
                    let word = words.sized()?;
                    text.extend_from_slice(word);
                    known.push(word);
                }
                NAME => text.extend_from_slice(name.as_bytes()),
                AGAIN..0x20 => text.extend_from_slice(known.get(usize::from(byte - AGAIN))?),
                byte => text.push(byte),
            }
        }
        Some(text)
    }
}
