//! Records as KV and files hold them: one JSON object each, read strictly, whatever it is a record of.

use std::fmt;

use serde_json::{Map, Value};

use crate::base::{
    json::without_bom,
    object::{ObjectError, parse_object},
    shape::{At, Shape, ShapeErrors},
};

/// Why a record cannot be used, with the JSON Pointer of the field.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RecordError {
    /// Where in the record (RFC 6901); empty for the whole.
    pub pointer: String,
    /// What is wrong there.
    pub what: String,
}

impl fmt::Display for RecordError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pointer = if self.pointer.is_empty() { "(the record)" } else { &self.pointer };
        write!(formatter, "{pointer}: {}", self.what)
    }
}

impl std::error::Error for RecordError {}

/// Reads one record's JSON: one object, no member twice, no unknown field.
///
/// # Errors
/// Where and what.
pub fn read_record<T: Shape>(json: &[u8]) -> Result<T, RecordError> {
    record_from_value(&Value::Object(entry_of(json)?))
}

/// Reads one object, no member twice. A byte order mark before it is read over.
///
/// # Errors
/// What is wrong.
pub fn entry_of(json: &[u8]) -> Result<Map<String, Value>, RecordError> {
    let unusable = |error: ObjectError| RecordError { pointer: String::new(), what: error.to_string() };
    parse_object(without_bom(json)).map_err(unusable)
}

/// Reads one record out of a JSON value.
///
/// # Errors
/// Where and what.
pub fn record_from_value<T: Shape>(value: &Value) -> Result<T, RecordError> {
    let mut shape_errors = ShapeErrors::default();
    let record = T::read(value, &At::Root, &mut shape_errors);
    match (record, shape_errors.found.into_iter().next()) {
        (Some(record), None) => Ok(record),
        (_, first) => {
            let (pointer, what) = first.unwrap_or_default();
            Err(RecordError { pointer, what })
        }
    }
}

/// The text of a member that may be left out, where it says something: empty text says as little as `null`.
#[must_use]
pub(crate) fn said(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}
