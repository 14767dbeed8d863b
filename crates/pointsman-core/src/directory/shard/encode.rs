//! Writing a shard: what its records share becomes templates.

use std::collections::{HashMap, HashSet};

use super::{
    SHARD,
    template::{AGAIN, HOLE, NAME, WORDS, numbers, parts},
};
use crate::directory::{
    bytes::{put_sized, put_varint},
    log::FORMAT,
    record_key::{Kind, RecordKey},
    row::{FREE_BITS, Row},
};

/// The most bits of an index: some millions of rows in one shard.
pub(super) const MAX_INDEX_BITS: u8 = 20;
/// Rows that one place of the index leads to, on average: fewer make the index larger than what they save.
const ROWS_A_BUCKET: usize = 8;
/// A template that fewer rows have costs more than it saves.
const LEAST_ROWS: usize = 4;
/// A word that is the same in so many of a template's rows is part of it.
const COMMON: usize = 8;
/// Words shorter than this are not looked for inside others.
const LEAST_REPEATED: usize = 3;

/// Which place of the index leads to a record.
pub(super) fn bucket(key: &RecordKey, prefix_bits: u8, index_bits: u8) -> usize {
    let bits = key.prefix(prefix_bits + index_bits);
    (bits & ((1 << index_bits) - 1)) as usize
}

/// The bytes of a shard with these rows, which stand in the order of their keys and begin with the same `prefix_bits`
/// bits, in the newest format.
#[must_use]
pub fn encode(rows: &[(RecordKey, Row)], prefix_bits: u8) -> Vec<u8> {
    encode_as(rows, prefix_bits, FORMAT)
}

/// The same in one of the formats, which differ in nothing but their number so far.
#[must_use]
pub fn encode_as(rows: &[(RecordKey, Row)], prefix_bits: u8, format: u8) -> Vec<u8> {
    // A name that is counted (`customer-0000001`) shares more with others by its parts, and one that is drawn less.
    let shapes = |by_parts| -> Vec<Shape<'_>> {
        rows.iter().map(|(key, row)| Shape::of(&row.text, name_of(key, row), by_parts)).collect()
    };
    let (by_parts, whole) = (shapes(true), shapes(false));
    let templates = Templates::of(&by_parts, &whole);
    let mut bytes = Vec::with_capacity(rows.len() * 40 + 1024);
    bytes.extend_from_slice(&SHARD);
    bytes.push(format);
    put_varint(&mut bytes, templates.texts.len() as u64);
    templates.texts.iter().for_each(|text| put_sized(&mut bytes, text));
    let index_bits = index_bits(rows.len());
    let mut index = vec![0u32; (1 << index_bits) + 1];
    let mut body = Vec::with_capacity(rows.len() * 40);
    let mut next = 0;
    for (((key, row), by_parts), whole) in rows.iter().zip(&by_parts).zip(&whole) {
        let bucket = bucket(key, prefix_bits, index_bits);
        let begins = u32::try_from(body.len()).unwrap_or(u32::MAX);
        index.iter_mut().take(bucket + 1).skip(next).for_each(|offset| *offset = begins);
        next = next.max(bucket + 1);
        body.extend_from_slice(&key.digest);
        body.push((key.kind as u8) << FREE_BITS | row.flags());
        let mut rest = Vec::with_capacity(64);
        row.put_expiry(&mut rest);
        templates.put([by_parts, whole], &row.text, &mut rest);
        put_sized(&mut body, &rest);
    }
    let end = u32::try_from(body.len()).unwrap_or(u32::MAX);
    index.iter_mut().skip(next).for_each(|offset| *offset = end);
    bytes.push(index_bits);
    index.iter().for_each(|offset| bytes.extend_from_slice(&offset.to_be_bytes()));
    bytes.extend_from_slice(&body);
    bytes
}

fn index_bits(rows: usize) -> u8 {
    let buckets = (rows / ROWS_A_BUCKET).max(1);
    u8::try_from(buckets.ilog2()).unwrap_or(MAX_INDEX_BITS).min(MAX_INDEX_BITS)
}

/// The name that a customer is looked up by, as its record begins: then no row needs to hold it. An id that JSON writes in
/// another way than it is stays in the row.
fn name_of<'a>(key: &RecordKey, row: &'a Row) -> &'a [u8] {
    const BEGINNING: &[u8] = br#"{"customerId":""#;
    let id = row.text.strip_prefix(BEGINNING).map(|rest| split_at_quote(rest).0).unwrap_or_default();
    let is_name = |id: &&[u8]| std::str::from_utf8(id).is_ok_and(|id| RecordKey::customer(id) == *key);
    Some(id).filter(|_| key.kind == Kind::Customer).filter(is_name).unwrap_or_default()
}

/// A record's text with holes for its words, and the words.
struct Shape<'a> {
    skeleton: Vec<u8>,
    /// Those that the name has come first, and stand in no row.
    words: Vec<&'a [u8]>,
    /// How many of them the name has.
    given: usize,
    by_parts: bool,
    /// What the record is looked up by; empty where that is no part of it.
    name: &'a [u8],
}

impl<'a> Shape<'a> {
    /// Every text and number that is a value becomes a word; one that came before is repeated.
    fn of(text: &'a [u8], name: &'a [u8], by_parts: bool) -> Self {
        let words: Vec<_> = numbers(name).collect();
        let given = words.len();
        let mut shape = Self { skeleton: Vec::with_capacity(text.len()), words, given, by_parts, name };
        let mut rest = text;
        while let Some((&byte, behind)) = rest.split_first() {
            match byte {
                b'"' => {
                    let (word, behind) = split_at_quote(behind);
                    shape.skeleton.push(b'"');
                    if behind.get(1) == Some(&b':') {
                        shape.skeleton.extend_from_slice(word);
                    } else {
                        shape.put_text(word);
                    }
                    rest = behind;
                    if let Some((&quote, behind)) = rest.split_first() {
                        shape.skeleton.push(quote);
                        rest = behind;
                    }
                }
                b'-' | b'0'..=b'9' => {
                    let is_number =
                        |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
                    let length = rest.iter().take_while(|byte| is_number(byte)).count();
                    let (number, behind) = rest.split_at(length);
                    shape.put_word(number);
                    rest = behind;
                }
                _ => {
                    shape.skeleton.push(byte);
                    rest = behind;
                }
            }
        }
        shape
    }

    /// Of a URL, scheme and first label by themselves: the rest of a host is often everybody's.
    fn put_text(&mut self, text: &'a [u8]) {
        let scheme = [&b"https://"[..], b"http://"].into_iter().find(|scheme| text.starts_with(scheme));
        let Some((scheme, host)) = scheme.and_then(|scheme| text.split_at_checked(scheme.len())) else {
            return self.put_word(text);
        };
        self.skeleton.extend_from_slice(scheme);
        let ends = |byte: &u8| matches!(byte, b'.' | b'/' | b':');
        let (label, rest) = host.split_at(host.iter().position(ends).unwrap_or(host.len()));
        self.put_word(label);
        self.put_word(rest);
    }

    fn put_word(&mut self, word: &'a [u8]) {
        if word == self.name && !word.is_empty() {
            return self.skeleton.push(NAME);
        }
        if self.by_parts {
            return parts(word).for_each(|part| self.put_part(part));
        }
        self.put_part(word);
    }

    fn put_part(&mut self, word: &'a [u8]) {
        if let Some(known) = self.words.iter().take(WORDS).position(|known| *known == word) {
            return self.repeat(known);
        }
        // The name, or else the first word, which names the record of a key: it is often a part of the others.
        let first = self.words.get(self.given).copied().unwrap_or_default();
        let (name, is_name) = if self.name.is_empty() { (first, false) } else { (self.name, true) };
        if name.len() >= LEAST_REPEATED
            && let Some(at) = word.windows(name.len()).position(|part| part == name)
        {
            let (before, behind) = word.split_at(at);
            self.put_new(before);
            if is_name {
                self.skeleton.push(NAME)
            } else {
                self.repeat(self.given)
            }
            return self.put_new(behind.get(name.len()..).unwrap_or_default());
        }
        self.put_new(word);
    }

    fn put_new(&mut self, word: &'a [u8]) {
        if !word.is_empty() {
            self.skeleton.push(HOLE);
            self.words.push(word);
        }
    }

    fn repeat(&mut self, word: usize) {
        self.skeleton.push(AGAIN.saturating_add(u8::try_from(word).unwrap_or_default()));
    }
}

/// What stands before the quote that ends a text, and the rest from that quote on.
fn split_at_quote(text: &[u8]) -> (&[u8], &[u8]) {
    let mut escaped = false;
    let end = text.iter().position(|byte| {
        let ends = *byte == b'"' && !escaped;
        escaped = *byte == b'\\' && !escaped;
        ends
    });
    text.split_at(end.unwrap_or(text.len()))
}

/// The templates of a shard, and how its rows find theirs.
struct Templates<'a> {
    texts: Vec<Vec<u8>>,
    numbers: HashMap<Vec<u8>, usize>,
    common: HashMap<&'a [u8], Common<'a>>,
}

/// By place among a skeleton's words: those that are part of its templates.
type Common<'a> = Vec<Vec<&'a [u8]>>;

impl<'a> Templates<'a> {
    fn of(by_parts: &'a [Shape<'a>], whole: &'a [Shape<'a>]) -> Self {
        let mut groups: HashMap<&[u8], Vec<&Shape<'_>>> = HashMap::new();
        for shape in by_parts.iter().chain(whole) {
            groups.entry(&shape.skeleton).or_default().push(shape);
        }
        let common = groups.into_iter().map(|(skeleton, group)| (skeleton, common_words(&group))).collect();
        let mut templates = Self { texts: Vec::new(), numbers: HashMap::new(), common };
        let mut used = templates.used(by_parts.iter());
        // What has no template by its parts may have one as a whole.
        let known: HashSet<Vec<u8>> = used.iter().map(|(text, _)| text.clone()).collect();
        let left =
            by_parts.iter().zip(whole).filter(|(shape, _)| !known.contains(&templates.specialize(shape).0));
        used.extend(templates.used(left.map(|(_, shape)| shape)));
        // The same rows make the same bytes, wherever they are encoded; what most rows have is named shortest.
        used.sort_by(|(text, rows), (other, others)| others.cmp(rows).then_with(|| text.cmp(other)));
        used.dedup_by(|(text, _), (other, _)| text == other);
        for (text, _) in used {
            let number = templates.texts.len();
            if templates.numbers.insert(text.clone(), number).is_none() {
                templates.texts.push(text);
            }
        }
        templates
    }

    /// The templates that enough of these rows have, and how many that are.
    fn used<'s>(&self, shapes: impl Iterator<Item = &'s Shape<'s>>) -> Vec<(Vec<u8>, usize)> {
        let mut rows: HashMap<Vec<u8>, usize> = HashMap::new();
        for shape in shapes {
            *rows.entry(self.specialize(shape).0).or_default() += 1;
        }
        rows.into_iter().filter(|(_, rows)| *rows >= LEAST_ROWS).collect()
    }

    /// A shape's skeleton with its common words filled in, and the words that are left. A word that is filled in stays
    /// one that can be repeated only as text, so what repeats it is filled in as well.
    fn specialize<'s>(&self, shape: &Shape<'s>) -> (Vec<u8>, Vec<&'s [u8]>) {
        let common = self.common.get(shape.skeleton.as_slice());
        let is_common = |place: usize, word: &[u8]| {
            common.and_then(|common| common.get(place)).is_some_and(|words| words.contains(&word))
        };
        let mut text = Vec::with_capacity(shape.skeleton.len() + 32);
        let mut left = Vec::new();
        let mut places: Vec<_> = (0..shape.given).map(Some).collect();
        for byte in &shape.skeleton {
            match *byte {
                HOLE => {
                    let word = shape.words.get(places.len()).copied().unwrap_or_default();
                    if is_common(places.len(), word) {
                        text.extend_from_slice(word);
                        places.push(None);
                    } else {
                        text.push(HOLE);
                        places.push(Some(shape.given + left.len()));
                        left.push(word);
                    }
                }
                byte @ AGAIN..0x20 => {
                    let place = usize::from(byte - AGAIN);
                    match places.get(place).copied().flatten() {
                        Some(left) => text.push(AGAIN + u8::try_from(left).unwrap_or_default()),
                        None => text.extend_from_slice(shape.words.get(place).copied().unwrap_or_default()),
                    }
                }
                byte => text.push(byte),
            }
        }
        (text, left)
    }

    /// Appends which template a row has, and its words. The number 0 is for a row that has none.
    fn put(&self, shapes: [&Shape<'_>; 2], text: &[u8], into: &mut Vec<u8>) {
        for shape in shapes {
            let (template, words) = self.specialize(shape);
            if let Some(number) = self.numbers.get(&template) {
                put_varint(into, *number as u64 + 1);
                return words.iter().for_each(|word| put_sized(into, word));
            }
        }
        put_varint(into, 0);
        put_sized(into, text);
    }
}

fn common_words<'a>(group: &[&Shape<'a>]) -> Common<'a> {
    let places = group.first().map_or(0, |shape| shape.words.len());
    let least = group.len().div_ceil(COMMON).max(LEAST_ROWS);
    let common_at = |place: usize| {
        let mut rows: HashMap<&[u8], usize> = HashMap::new();
        for word in group.iter().filter_map(|shape| shape.words.get(place)) {
            *rows.entry(word).or_default() += 1;
        }
        rows.into_iter().filter(|(_, rows)| *rows >= least).map(|(word, _)| word).collect()
    };
    (0..places).map(common_at).collect()
}
