//! JSON objects in which no member stands twice: what is security-relevant is read no other way, since two readers
//! could see two values.

use std::{cell::Cell, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Why bytes are not one unambiguous JSON object.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ObjectError {
    /// Not JSON, not UTF-8, or not an object; the text says where.
    NotAnObject(String),
    /// A member stands twice, at any depth: two readers could see two values (RFC 8259, section 4).
    DuplicateMember,
}

impl fmt::Display for ObjectError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NotAnObject(what) => what,
            Self::DuplicateMember => DUPLICATE,
        })
    }
}

impl std::error::Error for ObjectError {}

const DUPLICATE: &str = "a member stands twice";

/// Reads one JSON object in which no member stands twice at any depth.
///
/// # Errors
/// [`ObjectError`] where the bytes are anything else.
pub fn parse_object(bytes: &[u8]) -> Result<Map<String, Value>, ObjectError> {
    let saw_duplicate = Cell::new(false);
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let read = Unambiguous(&saw_duplicate).deserialize(&mut deserializer);
    match read.and_then(|value| deserializer.end().map(|()| value)) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(ObjectError::NotAnObject("expected a JSON object".to_owned())),
        Err(_) if saw_duplicate.get() => Err(ObjectError::DuplicateMember),
        Err(error) => Err(ObjectError::NotAnObject(error.to_string())),
    }
}

/// Reads a JSON value whose objects hold each member once. Says beside its error whether one was there twice: the error is
/// the reader's own type, which has only a text for that.
#[derive(Clone, Copy)]
struct Unambiguous<'a>(&'a Cell<bool>);

impl<'de> DeserializeSeed<'de> for Unambiguous<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Unambiguous<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = entries.next_key::<String>()? {
            if members.insert(name, entries.next_value_seed(self)?).is_some() {
                self.0.set(true);
                return Err(A::Error::custom(DUPLICATE));
            }
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_that_stands_twice_at_any_depth_is_refused() {
        for json in [r#"{"a":1,"a":1}"#, r#"{"a":{"b":1,"b":2}}"#, r#"{"a":[{"b":1,"\u0062":2}]}"#] {
            assert_eq!(parse_object(json.as_bytes()), Err(ObjectError::DuplicateMember), "{json}");
        }
    }

    #[test]
    fn only_objects_in_utf8_are_read() {
        for bytes in [
            &b"[]"[..],
            b"1",
            b"",
            b"{",
            b"{}x",
            b"{\"a\":\"\xff\"}",
            b"{\"a\":\"\\ud800\"}",
            b"{\"a\":1e999}",
            b"\xef\xbb\xbf{}",
        ] {
            assert!(matches!(parse_object(bytes), Err(ObjectError::NotAnObject(_))), "{bytes:?}");
        }
        let deep = format!("{}{}", "{\"a\":".repeat(5000), "1");
        assert!(parse_object(deep.as_bytes()).is_err());
    }
}
