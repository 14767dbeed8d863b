//! What bodies and queries say.

use pointsman_core::{
    base::{number::is_exact, object::parse_object},
    decide::operator::changed_customers,
};
use serde_json::{Map, Value};

use crate::{
    api::{Answered, problem::Problem},
    commit::Fault,
};

/// Reads a body that is one JSON object, of a request with this `Content-Type`. A merge patch (RFC 7396) has a type of its own.
pub(crate) fn object(text: &str, content_type: Option<&str>, is_patch: bool) -> Answered<Map<String, Value>> {
    let is = |name| is_of_type(content_type, name);
    if is(JSON) || is_patch && is("application/merge-patch+json") {
        return read(text);
    }
    Err(Problem::UnsupportedMediaType)
}

/// The type of bodies that are no merge patch.
pub(crate) const JSON: &str = "application/json";

/// Whether a `Content-Type` names this type.
pub(crate) fn is_of_type(content_type: Option<&str>, name: &str) -> bool {
    let media = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    media.eq_ignore_ascii_case(name)
}

fn read(text: &str) -> Answered<Map<String, Value>> {
    let members = parse_object(text.as_bytes())
        .map_err(|error| Problem::Unreadable(format!("the body is no JSON object: {error}")))?;
    let mut faults = Vec::new();
    let whole = Value::Object(members);
    note_inexact(&whole, &mut String::new(), &mut faults);
    match whole {
        Value::Object(members) if faults.is_empty() => Ok(members),
        _ => Err(Problem::Invalid(faults)),
    }
}

/// Numbers whose digits would be lost: the record would say another one than its author.
fn note_inexact(value: &Value, pointer: &mut String, faults: &mut Vec<Fault>) {
    let length = pointer.len();
    match value {
        Value::Number(number) if !is_exact(number) => faults.push(Fault {
            pointer: pointer.clone(),
            message: "is a number whose digits would be lost: write a whole number of 64 bits, or a text"
                .to_owned(),
        }),
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                pointer.push_str(&format!("/{index}"));
                note_inexact(item, pointer, faults);
                pointer.truncate(length);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                pointer.push('/');
                pointer.push_str(&pointsman_core::base::shape::escape(name));
                note_inexact(member, pointer, faults);
                pointer.truncate(length);
            }
        }
        _ => {}
    }
}

/// Applies a merge patch (RFC 7396): `null` takes a member out, an object goes into the one that is there.
pub(crate) fn merge(into: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (name, value) in patch {
        match value {
            Value::Null => drop(into.remove(&name)),
            Value::Object(inner) => {
                let place = into.entry(name).or_insert_with(|| Value::Object(Map::new()));
                if !place.is_object() {
                    *place = Value::Object(Map::new());
                }
                if let Value::Object(members) = place {
                    merge(members, inner);
                }
            }
            other => drop(into.insert(name, other)),
        }
    }
}

/// The customers that are said to have changed.
pub(crate) fn announced(body: &str, content_type: Option<&str>) -> Answered<Vec<String>> {
    object(body, content_type, false)?;
    let ids = changed_customers(body).map_err(|what| Problem::invalid("", what))?;
    Ok(ids.iter().map(|id| id.as_str().to_owned()).collect())
}

/// The values of a query's names, of which each may be there once and no other may be.
pub(crate) struct Query<'a>(&'a [(String, String)]);

impl<'a> Query<'a> {
    pub(crate) fn of(pairs: &'a [(String, String)], known: &[&str]) -> Answered<Self> {
        for (index, (name, _)) in pairs.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let known = if known.is_empty() { "nothing".to_owned() } else { known.join(", ") };
                return Err(Problem::Unreadable(format!("the query may say {known}, and says {name:?}")));
            }
            if pairs.iter().take(index).any(|(other, _)| other == name) {
                return Err(Problem::Unreadable(format!("the query says {name} twice")));
            }
        }
        Ok(Self(pairs))
    }

    pub(crate) fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// Entries of a page.
    pub(crate) fn limit(&self) -> Answered<usize> {
        let Some(text) = self.get("limit") else { return Ok(DEFAULT_LIMIT) };
        let limit = text.parse().ok().filter(|limit| (1..=MOST_LIMIT).contains(limit));
        limit.ok_or_else(|| Problem::Unreadable(format!("limit must be a number from 1 to {MOST_LIMIT}")))
    }
}

/// Entries of a page where nothing is said.
pub(crate) const DEFAULT_LIMIT: usize = 100;
/// Entries of a page at most.
pub(crate) const MOST_LIMIT: usize = 1000;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        let Value::Object(members) = value else { panic!("no object") };
        members
    }

    #[test]
    fn merge_patches_are_as_rfc_7396_has_them() {
        for (target, patch, result) in [
            (json!({"a":"b"}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":"b"}), json!({"b":"c"}), json!({"a":"b","b":"c"})),
            (json!({"a":"b"}), json!({"a":null}), json!({})),
            (json!({"a":"b","b":"c"}), json!({"a":null}), json!({"b":"c"})),
            (json!({"a":["b"]}), json!({"a":"c"}), json!({"a":"c"})),
            (json!({"a":{"b":"c"}}), json!({"a":{"b":"d","c":null}}), json!({"a":{"b":"d"}})),
            (json!({"a":[{"b":"c"}]}), json!({"a":[1]}), json!({"a":[1]})),
            (json!({"e":null}), json!({"a":1}), json!({"e":null,"a":1})),
            (json!({}), json!({"a":{"bb":{"ccc":null}}}), json!({"a":{"bb":{}}})),
            (json!({"a":"text"}), json!({"a":{"b":null,"c":1}}), json!({"a":{"c":1}})),
        ] {
            let mut into = map(target);
            merge(&mut into, map(patch));
            assert_eq!(Value::Object(into), result);
        }
    }

    #[test]
    fn bodies_of_another_type_or_form_are_told_so() {
        let json = Some("application/json; charset=utf-8");
        assert_eq!(object("{}", json, false), Ok(Map::new()));
        assert_eq!(
            object("{}", Some("application/merge-patch+json"), false),
            Err(Problem::UnsupportedMediaType)
        );
        assert!(object("{}", Some("application/merge-patch+json"), true).is_ok());
        assert_eq!(object("{}", None, false), Err(Problem::UnsupportedMediaType));
        assert!(matches!(object("[]", json, false), Err(Problem::Unreadable(_))));
        assert!(matches!(object(r#"{"a":1,"a":2}"#, json, false), Err(Problem::Unreadable(_))));
        let inexact = object(r#"{"claims":{"x/y":[1,12345678901234567890123]}}"#, json, false);
        let Err(Problem::Invalid(faults)) = inexact else { panic!("{inexact:?}") };
        assert_eq!(faults[0].pointer, "/claims/x~1y/1");
    }

    #[test]
    fn a_query_says_each_name_once_and_no_other() {
        let pairs = |pairs: &[(&str, &str)]| -> Vec<(String, String)> {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        let known = ["customer", "limit"];
        let one = pairs(&[("customer", "a"), ("limit", "7")]);
        let query = Query::of(&one, &known).unwrap();
        assert_eq!((query.get("customer"), query.limit()), (Some("a"), Ok(7)));
        assert!(Query::of(&pairs(&[("custommer", "a")]), &known).is_err());
        assert!(Query::of(&pairs(&[("limit", "1"), ("limit", "2")]), &known).is_err());
        for limit in ["0", "1001", "-1", "x", ""] {
            assert!(Query::of(&pairs(&[("limit", limit)]), &known).unwrap().limit().is_err(), "{limit}");
        }
    }
}
