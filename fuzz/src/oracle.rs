//! Simple readers to compare with. None of them shares code with the parsers that are held.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Base64url as lax readers take it: padding and spare bits are read over. `None` for other letters.
pub fn base64url(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (mut bits, mut count) = (0u32, 0);
    for letter in text.trim_end_matches('=').bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    Some(bytes)
}

/// The one spelling of bytes in base64url without padding (RFC 7515, section 2).
pub fn to_base64url(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..=chunk.len() {
            text.push(char::from(LETTERS[(bits >> (18 - 6 * digit) & 63) as usize]));
        }
    }
    text
}

/// Whether a JSON text has an object, at any depth, of which two members have one name.
pub fn repeats_a_member(json: &[u8]) -> bool {
    serde_json::from_slice::<Members>(json).is_ok_and(|members| members.repeated)
}

/// What of a JSON text tells whether a member is repeated.
struct Members {
    repeated: bool,
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Members, E> {
        Ok(Members { repeated: false })
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Members, E> {
        self.visit_unit()
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Members, E> {
        self.visit_unit()
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Members, E> {
        self.visit_unit()
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Members, E> {
        self.visit_unit()
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Members, E> {
        self.visit_unit()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Members, A::Error> {
        let mut repeated = false;
        while let Some(item) = items.next_element::<Members>()? {
            repeated |= item.repeated;
        }
        Ok(Members { repeated })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Members, A::Error> {
        let mut names: Vec<String> = Vec::new();
        let mut repeated = false;
        while let Some((name, value)) = entries.next_entry::<String, Members>()? {
            repeated |= value.repeated || names.contains(&name);
            names.push(name);
        }
        Ok(Members { repeated })
    }
}

/// Each `%` and two hexadecimal digits decoded, once.
pub fn percent_decoded(path: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut index = 0;
    while let Some(byte) = path.get(index) {
        let digits = path.get(index + 1..index + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        let is_hex = |digits: &&str| digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        match digits.filter(is_hex).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(escaped) if *byte == b'%' => {
                decoded.push(escaped);
                index += 3;
            }
            _ => {
                decoded.push(*byte);
                index += 1;
            }
        }
    }
    decoded
}

/// A path without the parameters of its segments, as Tomcat cuts them: `/a;x=1/b` is `/a/b`.
pub fn without_parameters(path: &[u8]) -> Vec<u8> {
    let cut = |segment: &[u8]| segment.split(|byte| *byte == b';').next().unwrap_or_default().to_vec();
    let segments: Vec<_> = path.split(|byte| *byte == b'/').map(cut).collect();
    segments.join(&b'/')
}

/// A path in which several slashes in a row are one, as nginx merges them.
pub fn merged_slashes(path: &[u8]) -> Vec<u8> {
    let mut merged: Vec<u8> = Vec::new();
    for byte in path {
        if *byte != b'/' || merged.last() != Some(&b'/') {
            merged.push(*byte);
        }
    }
    merged
}

/// Whether a path, resolved as servers of files do (`\` is `/`, `.` and `..` steps), ever leaves the folder that it
/// starts in.
pub fn leaves_its_folder(path: &[u8]) -> bool {
    let mut depth = 0i64;
    path.split(|byte| matches!(byte, b'/' | b'\\')).any(|segment| {
        match segment {
            b"" | b"." => {}
            b".." => depth -= 1,
            _ => depth += 1,
        }
        depth < 0
    })
}

/// Whether a text can stand in a field's value without ending it (RFC 9110, section 5.5).
pub fn is_field_value(text: &str) -> bool {
    !text.bytes().any(|byte| matches!(byte, b'\r' | b'\n' | 0))
}
