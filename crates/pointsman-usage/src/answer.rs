//! From the SQL API's answer (`FORMAT JSON`) to figures.

use pointsman_core::base::{
    json::{self, json},
    time::Timestamp,
};
use serde_json::{Map, Value};

use crate::{question::Question, sql::NEVER};

/// The answer to a question.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// Whether any figure is an estimate from a sample.
    pub sampled: bool,
    /// Whether there are as many rows as the question's limit: more may have been cut off.
    pub cut: bool,
    /// In the question's order. Totals are one row, and have it also where there was no request.
    pub rows: Vec<Row>,
}

/// The figures of one row.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Row {
    /// The value of the dimension: only where the question had one. Empty are requests without a value.
    pub name: Option<String>,
    /// Where the bucket begins: only where the question had buckets.
    pub bucket: Option<Timestamp>,
    /// How many requests there were.
    pub requests: u64,
    /// How many were answered with a 5xx, whoever gave it.
    pub errors: u64,
    /// How many of these a backend gave; the others are the gateway's, with a reason.
    pub backend_errors: u64,
    /// How many the gateway refused with a 4xx.
    pub refused: u64,
    /// Milliseconds that half of the requests took at most.
    pub duration_p50: Option<f64>,
    /// Milliseconds that 95 of 100 requests took at most.
    pub duration_p95: Option<f64>,
    /// Milliseconds that backends took at most for 95 of 100 requests that called one.
    pub backend_p95: Option<f64>,
    /// Bytes of requests' bodies, as far as known.
    pub request_bytes: u64,
    /// Bytes of answers' bodies, as far as known.
    pub response_bytes: u64,
    /// The first request.
    pub first_seen: Option<Timestamp>,
    /// The last request.
    pub last_seen: Option<Timestamp>,
    /// The first that failed or was refused.
    pub first_failing: Option<Timestamp>,
    /// The last that failed or was refused.
    pub last_failing: Option<Timestamp>,
    /// The last that the gateway let in.
    pub last_let_in: Option<Timestamp>,
    /// The last that the gateway refused.
    pub last_refused: Option<Timestamp>,
    /// For how many requests one point stands at most: 1 where nothing was sampled.
    pub sample_interval: u64,
}

impl Row {
    /// Which part of the requests were errors, 0 to 1.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a ratio of counts below 2^53")]
    pub fn error_ratio(&self) -> f64 {
        if self.requests == 0 { 0.0 } else { self.errors as f64 / self.requests as f64 }
    }

    /// Whether its figures are estimates from a sample.
    #[must_use]
    pub const fn sampled(&self) -> bool {
        self.sample_interval > 1
    }

    /// The row as JSON. Times are RFC 3339, milliseconds and the ratio are numbers; what is not known is left out.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut members = Map::new();
        let mut put = |name: &str, value: Option<Value>| {
            if let Some(value) = value {
                json::put(&mut members, name, value);
            }
        };
        let time = |at: Option<Timestamp>| at.map(|at| Value::from(at.to_string()));
        put("name", self.name.as_deref().map(Value::from));
        put("bucket", time(self.bucket));
        put("requests", Some(self.requests.into()));
        put("errors", Some(self.errors.into()));
        put("backendErrors", Some(self.backend_errors.into()));
        put("refused", Some(self.refused.into()));
        put("errorRatio", Some(self.error_ratio().into()));
        put("durationP50", self.duration_p50.map(Value::from));
        put("durationP95", self.duration_p95.map(Value::from));
        put("backendP95", self.backend_p95.map(Value::from));
        put("requestBytes", Some(self.request_bytes.into()));
        put("responseBytes", Some(self.response_bytes.into()));
        put("firstSeen", time(self.first_seen));
        put("lastSeen", time(self.last_seen));
        put("firstFailing", time(self.first_failing));
        put("lastFailing", time(self.last_failing));
        put("lastLetIn", time(self.last_let_in));
        put("lastRefused", time(self.last_refused));
        put("sampled", Some(self.sampled().into()));
        Value::Object(members)
    }
}

impl Figures {
    /// `{ sampled, cut, rows }`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let rows: Vec<Value> = self.rows.iter().map(Row::to_json).collect();
        json!({ "sampled": self.sampled, "cut": self.cut, "rows": Value::Array(rows) })
    }
}

/// Reads the answer to a question.
///
/// # Errors
/// Says what in the answer is not as it should be.
pub fn figures(question: &Question, answer: &str) -> Result<Figures, String> {
    let mut answer: Value =
        serde_json::from_str(answer).map_err(|error| format!("the answer is no JSON: {error}"))?;
    let Some(Value::Array(data)) = answer.get_mut("data").map(Value::take) else {
        return Err("the answer has no data".into());
    };
    let mut rows = Vec::with_capacity(data.len());
    for (at, row) in data.iter().enumerate() {
        rows.push(
            read(question, row)
                .map_err(|column| format!("the answer's row {at} has no readable {column}"))?,
        );
    }
    if rows.is_empty() && question.by.is_none() && question.every.is_none() && !question.failing {
        rows.push(Row { sample_interval: 1, ..Row::default() });
    }
    let grouped = question.by.is_some() || question.every.is_some();
    Ok(Figures {
        sampled: rows.iter().any(Row::sampled),
        cut: grouped && rows.len() >= usize::try_from(question.limit).unwrap_or(usize::MAX),
        rows,
    })
}

/// One row, or the column that is missing or of another type.
fn read(question: &Question, row: &Value) -> Result<Row, &'static str> {
    let count = |name: &'static str| whole(row.get(name)).ok_or(name);
    let time = |name: &'static str| instant(row.get(name)).ok_or(name);
    let requests = count("requests")?;
    let millis = |name: &'static str, of: u64| match row.get(name) {
        None => Err(name),
        Some(value) => Ok(number(value).filter(|millis| of > 0 && millis.is_finite())),
    };
    let name = match question.by {
        None => None,
        Some(_) => Some(row.get("name").and_then(Value::as_str).ok_or("name")?.to_owned()),
    };
    let bucket = if question.every.is_some() { time("bucket")? } else { None };
    Ok(Row {
        name,
        bucket,
        requests,
        errors: count("errors")?,
        backend_errors: count("backend_errors")?,
        refused: count("refused")?,
        duration_p50: millis("duration_p50", requests)?,
        duration_p95: millis("duration_p95", requests)?,
        backend_p95: millis("backend_p95", count("backend_requests")?)?,
        request_bytes: count("request_bytes")?,
        response_bytes: count("response_bytes")?,
        first_seen: time("first_seen")?,
        last_seen: time("last_seen")?,
        first_failing: time("first_failing")?,
        last_failing: time("last_failing")?,
        last_let_in: time("last_let_in")?,
        last_refused: time("last_refused")?,
        sample_interval: count("sample_interval")?.max(1),
    })
}

/// A number, or its text: 64-bit integers come as text.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_f64(),
    }
}

/// A count. Over no rows it is nothing, which is none.
pub(crate) fn whole(value: Option<&Value>) -> Option<u64> {
    let value = match value? {
        Value::Null => return Some(0),
        Value::String(text) => match text.parse() {
            Ok(whole) => return Some(whole),
            Err(_) => number(value?)?,
        },
        other => match other.as_u64() {
            Some(whole) => return Some(whole),
            None => number(other)?,
        },
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "within the range of counts")]
    (0.0..1.8e19).contains(&value).then(|| value.round() as u64)
}

/// A time: text `YYYY-MM-DD hh:mm:ss` of UTC, or seconds. The outermost ones stand for "never".
pub(crate) fn instant(value: Option<&Value>) -> Option<Option<Timestamp>> {
    let seconds = match value? {
        Value::String(text) if text.contains('-') => {
            Timestamp::parse_rfc3339(&format!("{}Z", text.trim_end_matches('Z').replace(' ', "T")))?.millis()
                / 1000
        }
        _ => whole(value)?,
    };
    Some((seconds > 0 && seconds < NEVER).then(|| Timestamp::from_millis(seconds * 1000)))
}

#[cfg(test)]
mod tests;
