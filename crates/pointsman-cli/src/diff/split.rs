//! Cuts a text into the records in it, as it is read: an array of objects, JSON lines, or objects one after the other. Nothing
//! but one record is held.

use std::io::{self, BufRead};

/// A record, not read any further than to its end.
pub(super) struct Cut<'a> {
    pub(super) json: &'a [u8],
    /// Where it begins, in bytes.
    pub(super) offset: u64,
    /// The line on which it begins, counted from 1.
    pub(super) line: usize,
}

/// Why a text cannot be cut.
#[derive(Debug)]
pub(super) enum CutError<E> {
    /// It cannot be read.
    Read(io::Error),
    /// It is no such text: the line, and what is wrong there.
    Text(usize, &'static str),
    /// Whoever takes the records has had enough.
    Taker(E),
}

/// What may come next, outside a record.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Next {
    /// The beginning: an array or the first record.
    Beginning,
    /// A record, or the end of the text.
    Record,
    /// A record of an array, or its end where it is empty.
    FirstItem,
    Item,
    /// A comma, or the array's end.
    Comma,
    /// Nothing more.
    Nothing,
}

const BOM: [u8; 3] = [0xef, 0xbb, 0xbf];
/// More than any record may have: what is longer was never closed.
const LONGEST: usize = 1 << 20;

struct Cutter {
    next: Next,
    record: Vec<u8>,
    depth: usize,
    in_text: bool,
    escaped: bool,
    begun: (u64, usize),
    offset: u64,
    line: usize,
}

/// Hands out each record.
///
/// # Errors
/// As [`CutError`] says.
pub(super) fn each<E>(
    mut reader: impl BufRead,
    take: &mut dyn FnMut(Cut<'_>) -> Result<(), E>,
) -> Result<(), CutError<E>> {
    let mut cutter = Cutter {
        next: Next::Beginning,
        record: Vec::new(),
        depth: 0,
        in_text: false,
        escaped: false,
        begun: (0, 1),
        offset: 0,
        line: 1,
    };
    loop {
        let bytes = reader.fill_buf().map_err(CutError::Read)?;
        if bytes.is_empty() {
            return cutter.end();
        }
        let length = bytes.len();
        cutter.work(bytes, take)?;
        reader.consume(length);
    }
}

impl Cutter {
    fn work<E>(
        &mut self,
        bytes: &[u8],
        take: &mut dyn FnMut(Cut<'_>) -> Result<(), E>,
    ) -> Result<(), CutError<E>> {
        for byte in bytes {
            if self.depth > 0 {
                self.inside(*byte, take)?;
            } else {
                self.outside(*byte).map_err(|what| CutError::Text(self.line, what))?;
            }
            self.offset += 1;
            self.line += usize::from(*byte == b'\n');
        }
        Ok(())
    }

    fn inside<E>(
        &mut self,
        byte: u8,
        take: &mut dyn FnMut(Cut<'_>) -> Result<(), E>,
    ) -> Result<(), CutError<E>> {
        self.record.push(byte);
        if self.in_text {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_text = false,
                _ => {}
            }
            return Ok(());
        }
        match byte {
            b'"' => self.in_text = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth -= 1,
            _ => {}
        }
        if self.record.len() > LONGEST {
            return Err(CutError::Text(self.begun.1, "a record is longer than 1 MiB: is it closed?"));
        }
        if self.depth > 0 {
            return Ok(());
        }
        if self.next == Next::FirstItem || self.next == Next::Item {
            self.next = Next::Comma;
        }
        let (offset, line) = self.begun;
        let taken = take(Cut { json: &self.record, offset, line });
        self.record.clear();
        taken.map_err(CutError::Taker)
    }

    fn outside(&mut self, byte: u8) -> Result<(), &'static str> {
        let at = usize::try_from(self.offset).unwrap_or(usize::MAX);
        if self.next == Next::Beginning && BOM.get(at) == Some(&byte) {
            return Ok(());
        }
        match (byte, self.next) {
            (b' ' | b'\t' | b'\r' | b'\n', _) => {}
            (b'[', Next::Beginning) => self.next = Next::FirstItem,
            (b']', Next::FirstItem | Next::Comma) => self.next = Next::Nothing,
            (b',', Next::Comma) => self.next = Next::Item,
            (b'{', Next::Beginning | Next::Record | Next::FirstItem | Next::Item) => {
                if self.next == Next::Beginning {
                    self.next = Next::Record;
                }
                self.depth = 1;
                self.begun = (self.offset, self.line);
                self.record.push(byte);
            }
            (_, Next::Nothing) => return Err("is not JSON: something stands behind the array"),
            (_, Next::Comma) => return Err("is not JSON: a comma or ] is missing"),
            _ => return Err("is no record: a JSON object was expected"),
        }
        Ok(())
    }

    fn end<E>(&self) -> Result<(), CutError<E>> {
        let line = if self.depth > 0 { self.begun.1 } else { self.line };
        match self.next {
            _ if self.depth > 0 => Err(CutError::Text(line, "is not JSON: the record has no end")),
            Next::FirstItem | Next::Item | Next::Comma => {
                Err(CutError::Text(line, "is not JSON: the array has no end"))
            }
            Next::Beginning | Next::Record | Next::Nothing => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufReader;

    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn cut(text: &str, buffer: usize) -> Result<Vec<(String, usize)>, (usize, &'static str)> {
        let mut found = Vec::new();
        let reader = BufReader::with_capacity(buffer, text.as_bytes());
        let done = each::<()>(reader, &mut |cut| {
            let begin = usize::try_from(cut.offset).unwrap();
            assert_eq!(
                &text.as_bytes()[begin..begin + cut.json.len()],
                cut.json,
                "the offset leads back to it"
            );
            found.push((String::from_utf8(cut.json.to_vec()).unwrap(), cut.line));
            Ok(())
        });
        match done {
            Ok(()) => Ok(found),
            Err(CutError::Text(line, what)) => Err((line, what)),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn every_form_is_cut_into_its_records() {
        let two = vec![("{\"a\":\n\"]}\\\"\"}".to_owned(), 2), ("{\"b\":[{}]}".to_owned(), 4)];
        for text in [
            "[\n{\"a\":\n\"]}\\\"\"},\n{\"b\":[{}]}]\n",
            "\n{\"a\":\n\"]}\\\"\"}\n\n{\"b\":[{}]}".replacen("\n\n", "\n", 1).as_str(),
            "\u{feff}[\n{\"a\":\n\"]}\\\"\"}\n,{\"b\":[{}]} ] ",
        ] {
            for buffer in [1, 2, 7, 4096] {
                assert_eq!(cut(text, buffer).unwrap(), two, "{text} by {buffer}");
            }
        }
        for empty in ["", " \n", "[]", "[ ]\n"] {
            assert_eq!(cut(empty, 8).unwrap(), []);
        }
    }

    #[test]
    fn what_is_no_such_text_is_said_with_its_line() {
        for (text, line) in [
            ("[\n{},\n", 3),
            ("[{}] x", 1),
            ("{}\n{", 2),
            ("{}\nnonsense", 2),
            ("[{}\n{}]", 2),
            ("[7]", 1),
            ("[{},]", 1),
            ("{}\n[]", 2),
        ] {
            assert_eq!(cut(text, 3).unwrap_err().0, line, "{text}");
        }
        let endless = format!("{{\"a\":\"{}", "x".repeat(LONGEST + 1));
        assert!(cut(&endless, 4096).is_err());
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf =
            prop_oneof![Just(Value::Null), any::<i32>().prop_map(Value::from), ".*".prop_map(Value::from)];
        leaf.prop_recursive(3, 12, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(".*", inner, 0..4).prop_map(|map| json!(map)),
            ]
        })
    }

    proptest! {
        #[test]
        fn records_come_out_as_they_went_in(members in prop::collection::vec(any_json(), 0..6), buffer in 1usize..64) {
            let records: Vec<Value> = members.iter().map(|value| json!({ "x": value })).collect();
            let lines: Vec<String> = records.iter().map(Value::to_string).collect();
            for text in [json!(records).to_string(), lines.join("\n"), format!("{:#}", json!(records))] {
                let found = cut(&text, buffer).unwrap();
                let read: Vec<Value> = found.iter().map(|(json, _)| serde_json::from_str(json).unwrap()).collect();
                prop_assert_eq!(&read, &records);
            }
        }
    }
}
