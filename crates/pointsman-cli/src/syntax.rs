//! Files as people write them, TOML and JSON: what they hold, or where they are broken and how they are mended.

use std::{fs, path::Path};

use serde_json::Value;

use crate::findings::{At, Placed};

mod remedy;

/// How a file is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Form {
    Toml,
    /// With comments and commas behind the last member, as wrangler takes it.
    Json,
}

impl Form {
    /// By the end of the file's name.
    pub(crate) fn of_file(name: &str) -> Self {
        let end = Path::new(name).extension();
        if end.is_some_and(|end| end == "json" || end == "jsonc") { Self::Json } else { Self::Toml }
    }
}

/// What is wrong with a text, and where: a byte position.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Fault {
    pub(crate) at: usize,
    pub(crate) what: String,
}

impl Fault {
    /// As a finding in a file that holds `text`.
    pub(crate) fn placed(self, file: &str, text: &str) -> Placed {
        let (line, column) = position(text, self.at);
        Placed::error(At::Column { file: file.to_owned(), line, column }, "", self.what)
    }
}

/// Line and column of a byte position, counted from 1, in characters.
fn position(text: &str, at: usize) -> (usize, usize) {
    let before: String =
        text.char_indices().take_while(|(index, _)| *index < at).map(|(_, letter)| letter).collect();
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |begun| begun.chars().count()) + 1;
    (line, column)
}

/// The byte order mark that some editors begin a file with. It is read over, as wrangler does.
const BOM: char = '\u{feff}';

/// Reads a text.
///
/// # Errors
/// That there is no such file, or that it is no UTF-8.
pub(crate) fn read_file(file: &Path) -> Result<String, Placed> {
    let name = file.display().to_string();
    let at = At::Line { file: name.clone(), line: 0 };
    let bytes = fs::read(file).map_err(|problem| {
        // The systems say it in different words, and WASI in misleading ones.
        let what = if file.is_dir() { "is a folder, not a file".to_owned() } else { problem.to_string() };
        Placed::error(at, "", what)
    })?;
    decode(&name, bytes)
}

/// The text of a file's bytes, without its byte order mark.
///
/// # Errors
/// That they are no UTF-8.
pub(crate) fn decode(name: &str, bytes: Vec<u8>) -> Result<String, Placed> {
    let at = |line| At::Line { file: name.to_owned(), line };
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(Placed::error(at(1), "", "is UTF-16: save it as UTF-8"));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(text.strip_prefix(BOM).map(str::to_owned).unwrap_or(text)),
        Err(problem) => {
            let good = problem.as_bytes().get(..problem.utf8_error().valid_up_to()).unwrap_or_default();
            let line = good.iter().filter(|byte| **byte == b'\n').count() + 1;
            Err(Placed::error(at(line), "", "is not UTF-8: save it as UTF-8"))
        }
    }
}

/// Reads TOML.
///
/// # Errors
/// Where it is broken, and how it is mended.
pub(crate) fn toml(text: &str) -> Result<Value, Fault> {
    toml::from_str(text).map_err(|problem: toml::de::Error| remedy::of_toml(text, &problem))
}

/// Reads JSON, without anything that only some readers take.
///
/// # Errors
/// Where it is broken.
pub(crate) fn json(text: &str) -> Result<Value, Fault> {
    let mut options = strict();
    (options.allow_comments, options.allow_trailing_commas) = (false, false);
    by(text, &options)
}

/// Reads JSON with comments, and commas behind the last member.
///
/// # Errors
/// Where it is broken.
pub(crate) fn jsonc(text: &str) -> Result<Value, Fault> {
    by(text, &strict())
}

fn by(text: &str, options: &jsonc_parser::ParseOptions) -> Result<Value, Fault> {
    jsonc_parser::parse_to_serde_value(text, options).map_err(|problem| remedy::of_json(text, &problem))
}

fn strict() -> jsonc_parser::ParseOptions {
    jsonc_parser::ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    }
}

/// A value in one line, with spaces where people put them: `{ "a": [1, 2] }`.
pub(crate) fn spaced(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let members: Vec<_> = members
                .iter()
                .map(|(name, value)| format!("{}: {}", Value::from(name.as_str()), spaced(value)))
                .collect();
            format!("{{ {} }}", members.join(", "))
        }
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(spaced).collect();
            format!("[{}]", items.join(", "))
        }
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn jsonc_has_comments_and_commas_at_the_end_and_json_has_not() {
        let text = "// a\n{ \"a\": [1, 2,], /* b */ \"c\": \"//d\", }\n";
        assert_eq!(jsonc(text).unwrap(), json!({ "a": [1, 2], "c": "//d" }));
        assert!(json(text).is_err());
        assert_eq!(json("{ \"a\": 1.5 }").unwrap(), json!({ "a": 1.5 }));
    }

    #[test]
    fn a_byte_order_mark_is_read_over_and_other_encodings_are_named() {
        let what = |bytes: &[u8]| {
            decode("f", bytes.to_vec()).map_err(|placed| format!("{}: {}", placed.at, placed.finding.what))
        };
        assert_eq!(what(b"\xef\xbb\xbfa = 1").unwrap(), "a = 1");
        assert_eq!(what(b"\xff\xfea\0").unwrap_err(), "f:1: is UTF-16: save it as UTF-8");
        assert_eq!(what(b"a\nb = \"\xe9\"").unwrap_err(), "f:2: is not UTF-8: save it as UTF-8");
    }

    #[test]
    fn columns_count_characters() {
        assert_eq!(position("é = ?", 5), (1, 5));
        assert_eq!(position("a\nbc", 3), (2, 2));
        assert_eq!(position("a\n", 2), (2, 1));
    }
}
