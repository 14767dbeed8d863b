//! What crosses the boundary: JSON, and for followers the log's own format.

use pointsman_core::directory::log::{Epoch, Segment};
use pointsman_ledger::{Asked, Done, Job, Settings};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;

use crate::frames;

/// The object's settings. What cannot be read is as where nothing is said: an object that does not open serves nobody.
#[must_use]
pub fn settings(json: &str) -> Settings {
    serde_json::from_str(json).unwrap_or_default()
}

/// What is known of a record, as a segment that begins and ends with the log's last change. `None` where KV is to be read.
#[must_use]
pub fn asked(epoch: Epoch, asked: Asked) -> Option<Vec<u8>> {
    let segment = match asked {
        Asked::Known(change, revision) => Segment { epoch, first: revision, changes: vec![change] },
        Asked::Invalid => Segment { epoch, ..Segment::default() },
        Asked::Read(_) => return None,
    };
    Some(segment.encode())
}

/// Jobs for JavaScript: for each its JSON, then its bytes, which are empty where it has none.
#[must_use]
pub fn jobs(jobs: &[Job]) -> Vec<u8> {
    let texts: Vec<_> = jobs.iter().map(text).collect();
    let bytes = jobs.iter().map(|job| match job {
        Job::WriteBytes { bytes, .. } => bytes.as_slice(),
        _ => &[],
    });
    frames::join(texts.iter().zip(bytes).flat_map(|(text, bytes)| [text.as_bytes(), bytes]))
}

/// What came of a job; `None` for what is none.
#[must_use]
pub fn done(json: &str, read: Option<Vec<u8>>) -> Option<Done> {
    let mut done = serde_json::from_str(json).ok()?;
    if let Done::ReadBytes { bytes, .. } = &mut done {
        *bytes = read;
    }
    Some(done)
}

/// Reads what is asked for and writes what came of it. Both answers and refusals are JSON; a refusal has a member `error`.
pub fn answer<Asked: DeserializeOwned, Answer: Serialize, Refusal: Serialize>(
    json: &str,
    act: impl FnOnce(Asked) -> Result<Answer, Refusal>,
) -> String {
    let asked = match serde_json::from_str(json) {
        Ok(asked) => asked,
        Err(error) => {
            return json!({ "error": "unreadable", "message": error.to_string() }).to_string();
        }
    };
    match act(asked) {
        Ok(answer) => text(&answer),
        Err(refusal) => text(&refusal),
    }
}

/// As JSON. All that is written here has only text for the names of its members, so none fails.
pub fn text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use pointsman_core::directory::{log::Change, record_key::RecordKey};

    use super::*;

    #[test]
    fn an_answer_a_refusal_and_what_cannot_be_read_are_told_apart() {
        let half = |number: u64| match number % 2 {
            0 => Ok(json!({ "half": number / 2 })),
            _ => Err(json!({ "error": "odd" })),
        };
        assert_eq!(answer("8", half), r#"{"half":4}"#);
        assert_eq!(answer("7", half), r#"{"error":"odd"}"#);
        assert!(answer("\"7\"", half).starts_with(r#"{"error":"unreadable","message":"#));
    }

    #[test]
    fn what_is_known_is_a_segment_and_what_is_not_is_read() {
        let epoch = Epoch([7; 16]);
        let change = Change { key: RecordKey::customer("acme"), row: None };
        let segment = |asked| Segment::decode(&super::asked(epoch, asked).unwrap()).unwrap();
        let known = Segment { epoch, first: 9, changes: vec![change.clone()] };
        assert_eq!(segment(Asked::Known(change, 9)), known);
        assert_eq!(segment(Asked::Invalid).changes, Vec::new());
        assert_eq!(asked(epoch, Asked::Read("customer:acme".to_owned())), None);
    }

    #[test]
    fn settings_that_cannot_be_read_allow_nothing() {
        assert_eq!(settings(r#"{"allowHttp":"always"}"#).allow_http, "always");
        assert_eq!(settings("").allow_http, "");
    }
}
