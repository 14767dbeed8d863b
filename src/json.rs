//! JSON of our own making: values from what stands in an answer or a log line, and their text.
//!
//! It is small where serde_json's own `json!` is not: that one runs a serializer for each type of value, and
//! writes the same insertion out for each member.

use std::rc::Rc;

use serde_json::{Map, Value};

/// What has a JSON value.
pub trait ToJson {
    /// That value.
    fn to_json(&self) -> Value;
}

/// An object, as `json!({ "name": value, "inner": { … } })`.
macro_rules! json {
    ({ $($members:tt)* }) => {{
        let mut object = serde_json::Map::new();
        $crate::json::json!(@object $($members)*);
        serde_json::Value::Object(object)
    }};
    (@$object:ident) => {};
    (@$object:ident $name:literal: { $($inner:tt)* } $(, $($rest:tt)*)?) => {
        $crate::json::put(&mut $object, $name, $crate::json::json!({ $($inner)* }));
        $crate::json::json!(@$object $($($rest)*)?);
    };
    (@$object:ident $name:literal: $value:expr $(, $($rest:tt)*)?) => {
        $crate::json::put(&mut $object, $name, $crate::json::ToJson::to_json(&$value));
        $crate::json::json!(@$object $($($rest)*)?);
    };
}
pub(crate) use json;

/// Adds a member.
#[inline(never)]
pub(crate) fn put(members: &mut Map<String, Value>, name: &str, value: Value) {
    members.insert(name.to_owned(), value);
}

/// A value's text.
#[must_use]
#[inline(never)]
pub fn text(value: &Value) -> String {
    serde_json::to_string(value).unwrap_or_default()
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
