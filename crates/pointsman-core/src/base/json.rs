//! JSON of our own making: values from what stands in an answer or a log line, and their text. And JSON read
//! one level deep, where the rest is wanted as it came.
//!
//! It is small where serde_json's own `json!` is not: that one runs a serializer for each type of value, and
//! writes the same insertion out for each member. So are its readers of single types: they bring along how
//! to print whatever they found instead, down to the digits of fractions.

use std::{borrow::Cow, fmt, rc::Rc};

use serde::{
    Deserialize,
    de::{Deserializer, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value, value::RawValue};

use crate::base::scan;

/// What has a JSON value.
pub trait ToJson {
    /// That value.
    fn to_json(&self) -> Value;
}

/// An object, as `json!({ "name": value, "inner": { … } })`.
#[macro_export]
macro_rules! json {
    ({ $($members:tt)* }) => {{
        let mut object = serde_json::Map::new();
        $crate::json!(@object $($members)*);
        serde_json::Value::Object(object)
    }};
    (@$object:ident) => {};
    (@$object:ident $name:literal: { $($inner:tt)* } $(, $($rest:tt)*)?) => {
        $crate::base::json::put(&mut $object, $name, $crate::json!({ $($inner)* }));
        $crate::json!(@$object $($($rest)*)?);
    };
    (@$object:ident $name:literal: $value:expr $(, $($rest:tt)*)?) => {
        $crate::base::json::put(&mut $object, $name, $crate::base::json::ToJson::to_json(&$value));
        $crate::json!(@$object $($($rest)*)?);
    };
}
pub use json;

/// Adds a member.
#[inline(never)]
#[doc(hidden)]
pub fn put(members: &mut Map<String, Value>, name: &str, value: Value) {
    members.insert(name.to_owned(), value);
}

/// A value's text.
#[must_use]
#[inline(never)]
pub fn text(value: &Value) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

/// Appends `text` as a JSON string.
pub fn write_string(text: &str, into: &mut String) {
    write_behind("\"", text, into);
}

/// Appends `opening`, which ends in a quote, and behind it `text` as a JSON string without its first quote. In one function:
/// a line of the log has nine of them.
#[inline(never)]
pub(crate) fn write_behind(opening: &str, text: &str, into: &mut String) {
    into.push_str(opening);
    // Nearly every one stands there as it is.
    if scan::any(text, |word| word.below(b' ') | word.is(b'"') | word.is(b'\\')) {
        write_escaped(text, into);
    } else {
        into.push_str(text);
    }
    into.push('"');
}

#[cold]
#[inline(never)]
fn write_escaped(text: &str, into: &mut String) {
    let quoted = self::text(&Value::from(text));
    let inside = quoted.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    into.push_str(inside.unwrap_or_default());
}

/// A document without the byte order mark that some editors and serializers begin it with. Whoever reads JSON may
/// ignore one (RFC 8259, section 8.1); what a credential holds is never read like this.
#[must_use]
pub fn without_bom(document: &[u8]) -> &[u8] {
    document.strip_prefix(b"\xef\xbb\xbf").unwrap_or(document)
}

/// A JSON value of which only the outermost level is read.
#[derive(Debug)]
pub enum Shallow<'a> {
    /// A string.
    Text(Cow<'a, str>),
    /// A list, each item as it stands there.
    List(Vec<&'a RawValue>),
    /// An object, each member as it stands there, those that stand twice too.
    Object(Vec<(Cow<'a, str>, &'a RawValue)>),
    /// Anything else.
    Other,
}

impl<'a> Shallow<'a> {
    /// Reads a value.
    ///
    /// # Errors
    /// The bytes are no JSON.
    pub fn parse(json: &'a [u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json)
    }

    /// The member of that name; `None` where this is no object, or does not have it exactly once.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&'a RawValue> {
        let Self::Object(members) = self else { return None };
        let mut own = members.iter().filter(|(other, _)| other == name);
        own.next().filter(|_| own.next().is_none()).map(|(_, value)| *value)
    }

    /// Whether an object has no members but these.
    #[must_use]
    pub fn has_only(&self, names: &[&str]) -> bool {
        let Self::Object(members) = self else { return false };
        members.iter().all(|(name, _)| names.contains(&name.as_ref()))
    }

    /// The text of the member of that name, under the same conditions.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        match Self::parse(self.member(name)?.get().as_bytes()) {
            Ok(Shallow::Text(text)) => Some(text),
            _ => None,
        }
    }
}

impl<'a> Shallow<'a> {
    /// The identifier that the member of that name is, under the same conditions: text, or a whole number as its digits.
    #[must_use]
    pub fn identifier(&self, name: &str) -> Option<Cow<'a, str>> {
        let written = self.member(name)?.get();
        match serde_json::from_str::<serde_json::Number>(written) {
            // JSON has one text for a whole number of 64 bits (RFC 8259, section 6); `-0` is read as a double.
            Ok(number) => (!number.is_f64()).then_some(Cow::Borrowed(written)),
            Err(_) => self.text(name),
        }
    }
}

impl<'de> Deserialize<'de> for Shallow<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShallowVisitor)
    }
}

struct ShallowVisitor;

impl<'de> Visitor<'de> for ShallowVisitor {
    type Value = Shallow<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Shallow::Other)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Shallow::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Shallow::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Shallow::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Shallow::Other)
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Shallow::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Shallow::Text(Cow::Borrowed(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Shallow::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::with_capacity(8);
        while let Some((name, value)) = entries.next_entry::<Self::Value, _>()? {
            let Shallow::Text(name) = name else { continue };
            members.push((name, value));
        }
        Ok(Shallow::Object(members))
    }
}

impl ToJson for str {
    fn to_json(&self) -> Value {
        Value::from(self)
    }
}

impl ToJson for String {
    fn to_json(&self) -> Value {
        Value::from(self.as_str())
    }
}

impl ToJson for Value {
    fn to_json(&self) -> Value {
        self.clone()
    }
}

impl ToJson for bool {
    fn to_json(&self) -> Value {
        Value::Bool(*self)
    }
}

impl ToJson for f64 {
    fn to_json(&self) -> Value {
        Value::from(*self)
    }
}

macro_rules! whole_numbers {
    ($($type:ty)+) => {$(
        impl ToJson for $type {
            fn to_json(&self) -> Value {
                Value::from(*self)
            }
        }
    )+};
}
whole_numbers!(u8 u16 u32 u64 usize);

impl<T: ToJson + ?Sized> ToJson for &T {
    fn to_json(&self) -> Value {
        (**self).to_json()
    }
}

impl<T: ToJson + ?Sized> ToJson for Rc<T> {
    fn to_json(&self) -> Value {
        (**self).to_json()
    }
}

impl<T: ToJson> ToJson for Option<T> {
    fn to_json(&self) -> Value {
        self.as_ref().map_or(Value::Null, T::to_json)
    }
}

impl<T: ToJson> ToJson for Vec<T> {
    fn to_json(&self) -> Value {
        Value::Array(self.iter().map(T::to_json).collect())
    }
}

/// A pair of a name and a value: a field.
impl<N: AsRef<str>> ToJson for (N, String) {
    fn to_json(&self) -> Value {
        Value::Array(vec![self.0.as_ref().to_json(), self.1.to_json()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_level_is_read_and_the_rest_is_as_it_came() {
        let json = br#" {"a\u0062": [1, {"x":1e5}], "c":"d\n", "e":1, "e":1} "#;
        let object = Shallow::parse(json).unwrap();
        assert_eq!(object.member("ab").unwrap().get(), r#"[1, {"x":1e5}]"#);
        assert_eq!(object.text("c").unwrap(), "d\n");
        assert!(object.member("e").is_none(), "which of the two?");
        assert!(object.text("ab").is_none());
        assert!(object.has_only(&["ab", "c", "e"]) && !object.has_only(&["ab", "c"]));
        for other in ["null", "true", "-1", "1", "1.5"] {
            assert!(matches!(Shallow::parse(other.as_bytes()), Ok(Shallow::Other)), "{other}");
        }
        for bad in ["", "{", "[1 2]", "{\"a\":}", "{} {}", "{1:2}", "\"\u{1}\""] {
            assert!(Shallow::parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(Shallow::parse(b"{\"a\":\"\xff\"}").is_err());
    }

    #[test]
    fn a_string_is_what_serde_json_would_make_of_it() {
        for code in (0..0x300).chain([0x2028, 0xfeff, 0x1_f600]).filter_map(char::from_u32) {
            for string in [format!("{code}"), format!("a{code}b"), String::new()] {
                let mut ours = String::from("x");
                write_string(&string, &mut ours);
                assert_eq!(ours, format!("x{}", serde_json::to_string(&string).unwrap()));
            }
        }
    }

    #[test]
    fn an_object_is_what_serde_json_would_make_of_it() {
        let (name, list, none) = ("a\"\n", vec![1u16, 2], None::<u64>);
        let ours = json!({
            "name": name,
            "inner": { "list": list, "none": none, "some": Some(1.5), "rc": Rc::<str>::from("x"), },
            "chosen": if list.is_empty() { "x" } else { "y" },
        });
        let theirs = serde_json::json!({
            "name": name,
            "inner": { "list": list, "none": none, "some": 1.5, "rc": "x" },
            "chosen": "y",
        });
        assert_eq!(ours, theirs);
        assert_eq!(text(&ours), theirs.to_string());
    }
}
