//! JSON objects in which no member stands twice: what is security-relevant is read no other way, since two readers
//! could see two values.

use std::fmt;

use serde::{
    Deserialize,
    de::{Deserializer, Error as _, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

/// Why bytes are not one unambiguous JSON object.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ObjectError {
    /// Not JSON, not UTF-8, or not an object; the text says where.
    NotAnObject(String),
    /// A member stands twice, at any depth: two readers could see two values (RFC 8259, section 4).
    DuplicateMember,
}

/// Reads one JSON object in which no member stands twice at any depth.
///
/// # Errors
/// [`ObjectError`] where the bytes are anything else.
pub fn parse_object(bytes: &[u8]) -> Result<Map<String, Value>, ObjectError> {
    match serde_json::from_slice::<Unambiguous>(bytes) {
        Ok(Unambiguous(Value::Object(members))) => Ok(members),
        Ok(_) => Err(ObjectError::NotAnObject("expected a JSON object".to_owned())),
        Err(error) if error.to_string().starts_with(DUPLICATE) => Err(ObjectError::DuplicateMember),
        Err(error) => Err(ObjectError::NotAnObject(error.to_string())),
    }
}

const DUPLICATE: &str = "a member stands twice";

/// A JSON value whose objects hold each member once.
struct Unambiguous(Value);

impl<'de> Deserialize<'de> for Unambiguous {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UnambiguousVisitor).map(Self)
    }
}

struct UnambiguousVisitor;

impl<'de> Visitor<'de> for UnambiguousVisitor {
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
        while let Some(Unambiguous(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some((name, Unambiguous(value))) = entries.next_entry::<String, _>()? {
            if members.insert(name, value).is_some() {
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
