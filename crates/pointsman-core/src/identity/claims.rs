//! Claims: what is known of a caller once a credential was verified, whichever kind it was.

use std::{fmt, rc::Rc};

use serde_json::{Map, Value};

use crate::base::json::put;

/// The JSON object read from a stored key's `claims` or from a verified token.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Claims(Map<String, Value>);

/// What one allocation takes beside its bytes: the allocator's own word, and what it rounds up to.
pub(crate) const BLOCK: usize = 3 * size_of::<usize>();
/// The same where it is counted: an `Rc` has two counters of its own.
pub(crate) const COUNTED: usize = BLOCK + 2 * size_of::<usize>();

/// Bytes that the members of an object take. They lie in nodes that hold eleven at the most and, but for
/// a lonely one, five at the least: an object of one member takes hundreds of bytes.
pub(crate) fn weight_of_members(members: &Map<String, Value>) -> usize {
    const NODE: usize = 11 * size_of::<(String, Value)>() + 14 * size_of::<usize>() + BLOCK;
    let nodes = match members.len() {
        0 => 0,
        1..=11 => 1,
        more => 1 + more / 5,
    };
    members.iter().fold(nodes * NODE, |sum, (name, value)| sum + BLOCK + name.capacity() + weight_of(value))
}

/// Bytes that a value takes beside its own place.
fn weight_of(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => BLOCK + text.capacity(),
        Value::Array(items) => {
            let places = BLOCK + items.capacity() * size_of::<Value>();
            items.iter().fold(places, |sum, item| sum + weight_of(item))
        }
        Value::Object(members) => weight_of_members(members),
    }
}

impl Claims {
    /// Bytes that its members take, for the caches' bounds.
    pub(crate) fn weight(&self) -> usize {
        weight_of_members(&self.0)
    }

    /// Claims from an object that was read with [`parse_object`].
    #[must_use]
    pub const fn new(members: Map<String, Value>) -> Self {
        Self(members)
    }

    /// The same and those of `added` that have other names.
    #[must_use]
    pub fn with(&self, mut added: Map<String, Value>) -> Self {
        for (name, value) in &self.0 {
            put(&mut added, name, value.clone());
        }
        Self(added)
    }

    /// All of them, as JSON.
    #[must_use]
    pub fn to_json(&self) -> Value {
        Value::Object(self.0.clone())
    }

    /// The member with this name, where there is one.
    #[must_use]
    pub fn member(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The value at `path`, where there is one. A member that is there with the value `null` is
    /// there: "absent" and "malformed" are different things to a rule.
    #[must_use]
    pub fn find(&self, path: &ClaimPath) -> Option<&Value> {
        let mut steps = path.steps.iter();
        let mut value = self.0.get(steps.next()?.as_ref())?;
        for step in steps {
            value = match value {
                Value::Object(members) => members.get(step.as_ref())?,
                Value::Array(items) => items.get(step.parse::<usize>().ok()?)?,
                _ => return None,
            };
        }
        Some(value)
    }
}

/// Names one claim: a member of the claims (`plan`, also `https://example.com/plan`), or with a
/// leading `/` a JSON Pointer into them (RFC 6901: `/org/plan`).
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct ClaimPath {
    text: Rc<str>,
    steps: Vec<Rc<str>>,
}

impl ClaimPath {
    /// Reads a claim's name or a JSON Pointer; `None` where it is empty or a `~` is not `~0` or `~1`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return None;
        }
        let steps = match text.strip_prefix('/') {
            Some(pointer) => pointer.split('/').map(unescape_pointer).collect::<Option<Vec<_>>>()?,
            None => vec![Rc::from(text)],
        };
        Some(Self { text: Rc::from(text), steps })
    }

    /// A path that leads to nothing.
    #[must_use]
    pub fn never() -> Self {
        Self { text: Rc::from(""), steps: Vec::new() }
    }

    /// The path as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for ClaimPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

fn unescape_pointer(step: &str) -> Option<Rc<str>> {
    let valid = step.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    valid.then(|| Rc::from(step.replace("~1", "/").replace("~0", "~")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::object::parse_object;

    fn claims(json: &str) -> Claims {
        Claims::new(parse_object(json.as_bytes()).unwrap())
    }

    #[test]
    fn a_plain_name_is_one_member_and_a_pointer_walks() {
        let claims =
            claims(r#"{"https://x.example/id":"a","org":{"a/b":{"plan":"gold"}},"roles":["x","y"]}"#);
        let find = |path: &str| claims.find(&ClaimPath::parse(path).unwrap());
        assert_eq!(find("https://x.example/id"), Some(&Value::from("a")));
        assert_eq!(find("/org/a~1b/plan"), Some(&Value::from("gold")));
        assert_eq!(find("/roles/1"), Some(&Value::from("y")));
        assert_eq!(find("/roles/2"), None);
        assert_eq!(find("/org/missing/plan"), None);
        assert_eq!(find("org.a"), None);
    }

    #[test]
    fn a_null_member_is_present() {
        let path = ClaimPath::parse("customerId").unwrap();
        assert_eq!(claims(r#"{"customerId":null}"#).find(&path), Some(&Value::Null));
        assert_eq!(claims("{}").find(&path), None);
    }

    #[test]
    fn malformed_pointers_are_refused() {
        assert_eq!(ClaimPath::parse(""), None);
        assert_eq!(ClaimPath::parse("/a~2b"), None);
        assert_eq!(ClaimPath::parse("/a~"), None);
    }
}
