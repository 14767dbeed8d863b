//! Changes as the API takes them.

use pointsman_core::base::time::Timestamp;
use serde_json::{Map, Value, json};

use crate::{
    api::{items::Shelf, unknown},
    ending::{Failure, input},
    store::Entry,
};

/// One change of many.
#[derive(Clone, Debug)]
pub(super) struct Operation<'a> {
    name: &'a str,
    json: Value,
    is_deletion: bool,
}

/// What came of changes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    /// All were made; the versions that the records have now.
    Made(Vec<Option<u64>>),
    /// None was made, since this record was to be deleted and is not there.
    Absent(usize),
}

impl<'a> Operation<'a> {
    /// Writes an entry over the one that was seen: its version, or that there was none.
    ///
    /// # Errors
    /// Where the API has no such entry.
    pub(super) fn put(entry: &'a Entry, seen: Option<Option<u64>>) -> Result<Self, Failure> {
        let Entry { name, value, keeps } = entry;
        let mut record: Map<String, Value> = serde_json::from_str(value)
            .map_err(|problem| input(format!("{name}: the record is no JSON object: {problem}")))?;
        // The API keeps the end that the store itself gives a record. A new one that is to have it says so itself.
        let is_there = seen.flatten().is_some();
        if let Some(end) = keeps.expiration.filter(|_| !is_there && Shelf::Keys.has(name)) {
            end_by(&mut record, Timestamp::from_millis(end.saturating_mul(1000)));
        }
        Self::of("PUT", name, Some(Value::Object(record)), seen)
    }

    /// Deletes the entry that was seen.
    ///
    /// # Errors
    /// Where the API has no such entry.
    pub(super) fn delete(name: &'a str, seen: Option<Option<u64>>) -> Result<Self, Failure> {
        // One that was not there needs no condition: it is not there still, or somebody made it since.
        Self::of("DELETE", name, None, seen.filter(Option::is_some))
    }

    fn of(
        method: &str,
        name: &'a str,
        body: Option<Value>,
        seen: Option<Option<u64>>,
    ) -> Result<Self, Failure> {
        let path = Shelf::path(name).filter(|(_, shelf)| *shelf != Shelf::Provided);
        let (path, _) = path.ok_or_else(|| unknown(name))?;
        let mut json = json!({ "method": method, "path": path });
        if let Value::Object(members) = &mut json {
            let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
            match seen {
                Some(Some(version)) => drop(put("ifMatch", json!(format!("\"{version}\"")))),
                Some(None) => drop(put("ifNoneMatch", json!("*"))),
                None => {}
            }
            if let Some(body) = body {
                put("body", body);
            }
        }
        Ok(Self { name, json, is_deletion: method == "DELETE" })
    }

    pub(super) const fn name(&self) -> &'a str {
        self.name
    }

    pub(super) const fn is_deletion(&self) -> bool {
        self.is_deletion
    }

    pub(super) const fn json(&self) -> &Value {
        &self.json
    }
}

/// Has a record end then, or earlier where it would have anyway.
fn end_by(record: &mut Map<String, Value>, end: Timestamp) {
    let own = record.get("expiresAt").and_then(Value::as_str).and_then(Timestamp::parse_rfc3339);
    if own.is_none_or(|own| own > end) {
        record.insert("expiresAt".to_owned(), Value::from(end.to_string()));
    }
}
