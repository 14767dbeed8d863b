//! What names somebody: text, or a whole number, which is the same as its decimal digits.
//!
//! Many systems number their users and tenants, and write the number as a number. `42` and `"42"` are one identifier.
//! A whole number of 64 bits has one text; `1.0`, `1e3` and `-0` are other texts for numbers that have one already, and of
//! a number beyond 64 bits the digits are not known. So only the first kind is an identifier.

use std::{borrow::Cow, ops::Deref};

use serde::Serialize;
use serde_json::Value;

use super::shape::{At, Shape, ShapeErrors};

/// The identifier that a value is; `None` where it is none.
#[must_use]
pub fn identifier(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) => Some(Cow::Borrowed(text)),
        Value::Number(number) if !number.is_f64() => Some(Cow::Owned(number.to_string())),
        _ => None,
    }
}

/// A member of a record that names somebody. It is written as text, however it was read.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(transparent)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(transparent, inline))]
pub struct Identifier(pub String);

impl Deref for Identifier {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Shape for Identifier {
    fn read(value: &Value, at: &At<'_>, shape_errors: &mut ShapeErrors) -> Option<Self> {
        match identifier(value) {
            Some(text) => Some(Self(text.into_owned())),
            None => shape_errors.other(at, value, "text or a whole number"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(json: &str) -> Option<String> {
        identifier(&serde_json::from_str(json).unwrap()).map(Cow::into_owned)
    }

    #[test]
    fn whole_numbers_are_their_digits_as_written() {
        for number in [
            "0",
            "42",
            "-7",
            "9007199254740993",
            "1122334455667788992",
            "9223372036854775808",
            "18446744073709551615",
            "-9223372036854775808",
        ] {
            assert_eq!(read(number).as_deref(), Some(number));
            assert_eq!(read(number), read(&format!("\"{number}\"")), "the same as text");
        }
    }

    #[test]
    fn what_has_several_texts_or_unknown_digits_is_none() {
        for json in [
            "1.0",
            "1e3",
            "1E0",
            "-0",
            "-0.0",
            "0.5",
            "18446744073709551616",
            "-9223372036854775809",
            "1e300",
            "true",
            "null",
            "[]",
            "[1]",
            "{}",
        ] {
            assert_eq!(read(json), None, "{json}");
        }
    }

    #[test]
    fn a_record_says_what_it_must_be() {
        let mut errors = ShapeErrors::default();
        let mut read = |json: &str| {
            Identifier::read(&serde_json::from_str(json).unwrap(), &At::Root, &mut errors).map(|own| own.0)
        };
        assert_eq!(read("17").as_deref(), Some("17"));
        assert_eq!(read("\"17\"").as_deref(), Some("17"));
        assert_eq!(read("1.5"), None);
        assert_eq!(
            errors.found,
            [(String::new(), "must be text or a whole number, not a number".to_owned())]
        );
    }

    proptest! {
        #[test]
        fn two_numbers_are_two_identifiers(one: u64, other: i64) {
            let (one, other) = (Value::from(one), Value::from(other));
            prop_assert_eq!(identifier(&one) == identifier(&other), one == other);
        }
    }
}
