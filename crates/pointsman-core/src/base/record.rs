//! Records as KV and files hold them: one JSON object each, read strictly, whatever it is a record of.

use std::fmt;

use serde_json::{Map, Value};

use crate::base::{
    json::without_bom,
    object::{ObjectError, parse_object},
    shape::{At, Shape, ShapeErrors},
};

/// Why a record cannot be used, with the JSON Pointer of the field.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
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

/// All that is wrong with one record, in the order in which it was found.
#[derive(Debug, Default)]
pub(crate) struct RecordErrors(Vec<RecordError>);

impl RecordErrors {
    /// Notes one more.
    #[cold]
    #[inline(never)]
    pub(crate) fn note(&mut self, pointer: impl Into<String>, what: impl Into<String>) {
        self.0.push(RecordError { pointer: pointer.into(), what: what.into() });
    }

    /// Whether something is wrong at this place.
    pub(crate) fn has(&self, pointer: &str) -> bool {
        self.0.iter().any(|error| error.pointer == pointer)
    }

    /// Reads a record's JSON. `None` where nothing more can be said of it.
    pub(crate) fn read<T: Shape>(&mut self, json: &[u8]) -> Option<T> {
        match entry_of(json) {
            Ok(members) => self.read_value(&Value::Object(members)),
            Err(error) => {
                self.0.push(error);
                None
            }
        }
    }

    fn read_value<T: Shape>(&mut self, value: &Value) -> Option<T> {
        let mut shape_errors = ShapeErrors::default();
        let record = T::read(value, &At::Root, &mut shape_errors);
        self.0.extend(shape_errors.found.into_iter().map(|(pointer, what)| RecordError { pointer, what }));
        // Where a list lacks an item, the others no longer stand at their own pointers.
        record.filter(|_| shape_errors.left_out.is_empty())
    }

    /// The record, if nothing is wrong with it, else all that is.
    pub(crate) fn all<T>(self, record: Option<T>) -> Result<T, Vec<RecordError>> {
        record.filter(|_| self.0.is_empty()).ok_or(self.0)
    }

    /// The record, if nothing is wrong with it, else the first thing that is.
    pub(crate) fn first<T>(self, record: Option<T>) -> Result<T, RecordError> {
        self.all(record).map_err(|errors| errors.into_iter().next().unwrap_or_default())
    }
}

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
    let mut errors = RecordErrors::default();
    let record = errors.read_value(value);
    errors.first(record)
}

/// The text of a member that may be left out, where it says something: empty text says as little as `null`.
#[must_use]
pub(crate) fn said(text: Option<&str>) -> Option<&str> {
    text.filter(|text| !text.is_empty())
}
