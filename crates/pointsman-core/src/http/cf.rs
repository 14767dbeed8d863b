//! What the platform says of a client beside the request's head: the properties of Workers' `request.cf`, each of the type
//! that it is documented with. A property that has another type is taken for one that is missing: nobody can say what the
//! platform means by it.

use serde_json::{Map, Number, Value};

use crate::http::head::Fields;

/// A property of `request.cf`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct CfProperty {
    /// Its name; where it stands in an object inside `request.cf`, both names with a dot between them.
    pub path: &'static str,
    /// What the platform says there.
    pub kind: CfKind,
}

/// What the platform says in a property.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum CfKind {
    /// A text. An empty one is one that is missing.
    Text,
    /// A number.
    Number,
    /// `"1"` or `true` where something holds. Where it does not hold, the platform says `false`, or leaves the property out
    /// of what it knows of the client: whether it knows anything, another property tells.
    Flag {
        /// The path of that other property.
        known_by: &'static str,
    },
}

/// A value of `request.cf` with its type.
#[derive(Clone, Debug, PartialEq)]
pub enum CfValue {
    /// A text that is not empty.
    Text(String),
    /// A number.
    Number(Number),
    /// `true` or `false`.
    Boolean(bool),
    /// A list or an object, which no property that is read should be.
    Other,
}

impl CfProperty {
    /// Its value for a request; `None` where there is none, or one of another type.
    #[must_use]
    pub fn read(&self, fields: &dyn Fields) -> Option<Value> {
        match (self.kind, fields.cf(self.path)) {
            (CfKind::Text, Some(CfValue::Text(text))) => Some(Value::String(text)),
            (CfKind::Number, Some(CfValue::Number(number))) => Some(Value::Number(number)),
            (CfKind::Flag { .. }, Some(CfValue::Boolean(holds))) => Some(Value::Bool(holds)),
            (CfKind::Flag { .. }, Some(CfValue::Text(text))) if text == "1" => Some(Value::Bool(true)),
            // A client of whom the platform knows nothing is not one of whom it says no.
            (CfKind::Flag { known_by }, None) => fields.cf(known_by).map(|_| Value::Bool(false)),
            _ => None,
        }
    }

    /// Puts a value of [`CfProperty::read`] into an object such as `request.cf`, as the platform would say it.
    pub fn say(&self, value: Value, cf: &mut Map<String, Value>) {
        let said = match (self.kind, value) {
            (CfKind::Flag { .. }, Value::Bool(true)) => Value::from("1"),
            (CfKind::Flag { .. }, _) => return,
            (_, value) => value,
        };
        match self.path.split_once('.') {
            None => drop(cf.insert(self.path.to_owned(), said)),
            Some((outer, inner)) => {
                let object = cf.entry(outer).or_insert_with(|| Value::Object(Map::new()));
                if let Value::Object(object) = object {
                    object.insert(inner.to_owned(), said);
                }
            }
        }
    }
}

impl CfValue {
    /// The value at `path` in an object such as `request.cf`; `None` where that is `null`, an empty text or not there.
    #[must_use]
    pub fn find(cf: &Map<String, Value>, path: &str) -> Option<Self> {
        let value = match path.split_once('.') {
            None => cf.get(path),
            Some((outer, inner)) => cf.get(outer).and_then(|object| object.get(inner)),
        };
        match value? {
            Value::String(text) if text.is_empty() => None,
            Value::String(text) => Some(Self::Text(text.clone())),
            Value::Number(number) => Some(Self::Number(number.clone())),
            Value::Bool(boolean) => Some(Self::Boolean(*boolean)),
            Value::Null => None,
            Value::Array(_) | Value::Object(_) => Some(Self::Other),
        }
    }

    /// Reads the text in which a value crosses from JavaScript, which `cf` in `glue.js` makes: a letter for the type, then
    /// the value. One text crosses as cheaply as it can be; a value of any type would take a call more to learn its type.
    #[must_use]
    pub fn decode(mut text: String) -> Option<Self> {
        match text.as_bytes().first()? {
            b't' => {
                text.remove(0);
                Some(Self::Text(text))
            }
            b'n' => match serde_json::from_str(text.get(1..)?) {
                Ok(Value::Number(number)) => Some(Self::Number(number)),
                _ => None,
            },
            b'b' => Some(Self::Boolean(text == "btrue")),
            b'o' => Some(Self::Other),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use serde_json::json;

    use super::*;

    struct Platform(Value);

    impl Fields for Platform {
        fn get(&self, _: &str) -> Option<Cow<'_, str>> {
            None
        }

        fn cf(&self, path: &str) -> Option<CfValue> {
            CfValue::find(self.0.as_object()?, path)
        }
    }

    const TEXT: CfProperty = CfProperty { path: "text", kind: CfKind::Text };
    const NUMBER: CfProperty = CfProperty { path: "outer.number", kind: CfKind::Number };
    const FLAG: CfProperty = CfProperty { path: "flag", kind: CfKind::Flag { known_by: "text" } };

    fn read(property: &CfProperty, cf: Value) -> Option<Value> {
        property.read(&Platform(cf))
    }

    #[test]
    fn a_value_has_the_type_of_its_property_or_is_missing() {
        assert_eq!(read(&TEXT, json!({"text": "DE"})), Some(json!("DE")));
        assert_eq!(read(&NUMBER, json!({"outer": {"number": 13335}})), Some(json!(13335)));
        assert_eq!(read(&NUMBER, json!({"outer": {"number": 0.5}})), Some(json!(0.5)));
        for wrong in [json!(1), json!(true), json!(null), json!(""), json!(["DE"]), json!({"text": "DE"})] {
            assert_eq!(read(&TEXT, json!({ "text": wrong })), None, "{wrong}");
        }
        for wrong in [json!("13335"), json!(true), json!(null), json!([1]), json!({"number": 1})] {
            assert_eq!(read(&NUMBER, json!({"outer": { "number": wrong }})), None, "{wrong}");
        }
        for wrong in [json!({"outer.number": 1}), json!({"number": 1}), json!({"outer": 1}), json!({})] {
            assert_eq!(read(&NUMBER, wrong.clone()), None, "{wrong}");
        }
    }

    #[test]
    fn a_flag_that_is_left_out_is_false_only_where_the_client_is_known() {
        for (cf, expected) in [
            (json!({}), None),
            (json!({"text": "CH"}), Some(false)),
            (json!({"flag": "1"}), Some(true)),
            (json!({"flag": true}), Some(true)),
            (json!({"flag": false, "text": "CH"}), Some(false)),
            // Whatever these mean, they do not mean that it does not hold.
            (json!({"flag": 1, "text": "DE"}), None),
            (json!({"flag": "true", "text": "DE"}), None),
            (json!({"flag": ["1"], "text": "DE"}), None),
        ] {
            assert_eq!(read(&FLAG, cf.clone()), expected.map(Value::from), "{cf}");
        }
    }

    #[test]
    fn what_is_said_is_read_again() {
        let mut cf = Map::new();
        for (property, value) in [(TEXT, json!("DE")), (NUMBER, json!(7)), (FLAG, json!(true))] {
            property.say(value.clone(), &mut cf);
            assert_eq!(read(&property, Value::Object(cf.clone())), Some(value));
        }
        assert_eq!(Value::Object(cf.clone()), json!({"text": "DE", "outer": {"number": 7}, "flag": "1"}));
        cf.remove("flag");
        FLAG.say(json!(false), &mut cf);
        assert!(!cf.contains_key("flag"));
    }

    /// `tests/edge/cf.test.mjs` makes the texts of the same file.
    #[test]
    fn values_that_crossed_are_those_that_the_platform_said() {
        let crossings: Value =
            serde_json::from_str(include_str!("../../../../fixtures/cf-crossings.json")).unwrap();
        let crossings = crossings.as_array().unwrap();
        assert!(crossings.len() > 8);
        for crossing in crossings {
            let said = crossing["cf"].as_object().unwrap();
            let path = crossing["path"].as_str().unwrap();
            let crossed = crossing["crosses_as"].as_str().map(str::to_owned);
            assert_eq!(crossed.and_then(CfValue::decode), CfValue::find(said, path), "{crossing}");
        }
        assert_eq!(["", "n", "nx", "x1"].map(|text| CfValue::decode(text.to_owned())), [const { None }; 4]);
    }
}
