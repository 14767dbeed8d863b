use proptest::prelude::*;
use serde_json::json;

use super::*;

fn question(members: &str) -> Question {
    Question::parse(&format!(r#"{{"dataset":"p","from":0,"until":86400{members}}}"#)).unwrap()
}

/// A row as the SQL API writes it: 64-bit counts as text, times as text or seconds.
fn row() -> Value {
    json!({
        "requests": "1200", "errors": "30", "backend_errors": "10", "refused": "60", "duration_p50": 12.5,
        "duration_p95": 80, "backend_requests": "1140", "backend_p95": 70.25, "request_bytes": 1e6,
        "response_bytes": 2.5e6, "first_seen": "2026-12-01 03:00:00", "last_seen": "2026-12-01 03:59:59",
        "first_failing": 1_796_095_800, "last_failing": 1_796_097_600, "last_let_in": 1_796_097_599,
        "last_refused": 0, "sample_interval": 10,
    })
}

fn answer(rows: &[Value]) -> String {
    json!({ "meta": [], "data": rows, "rows": rows.len() }).to_string()
}

#[test]
fn counts_come_as_text_or_as_numbers() {
    let mut numbers = row();
    for name in ["requests", "errors", "backend_errors", "refused", "backend_requests"] {
        let count: u64 = numbers[name].as_str().unwrap().parse().unwrap();
        numbers[name] = count.into();
    }
    let texts = figures(&question(""), &answer(&[row()])).unwrap();
    assert_eq!(texts, figures(&question(""), &answer(&[numbers])).unwrap());
    assert_eq!(texts.rows[0].requests, 1200);
    assert_eq!(texts.rows[0].request_bytes, 1_000_000);
}

#[test]
fn figures_have_the_names_and_forms_of_their_json() {
    let json = figures(&question(""), &answer(&[row()])).unwrap().to_json();
    assert_eq!(
        json,
        json!({ "sampled": true, "cut": false, "rows": [{
            "requests": 1200, "errors": 30, "backendErrors": 10, "refused": 60, "errorRatio": 0.025,
            "durationP50": 12.5, "durationP95": 80.0, "backendP95": 70.25, "requestBytes": 1_000_000,
            "responseBytes": 2_500_000, "firstSeen": "2026-12-01T03:00:00.000Z",
            "lastSeen": "2026-12-01T03:59:59.000Z", "firstFailing": "2026-12-01T03:30:00.000Z",
            "lastFailing": "2026-12-01T04:00:00.000Z", "lastLetIn": "2026-12-01T03:59:59.000Z", "sampled": true,
        }] })
    );
}

#[test]
fn a_span_without_requests_has_totals_of_zero() {
    let mut nothing = row();
    for (name, value) in nothing.as_object_mut().unwrap() {
        *value = match name.as_str() {
            "first_seen" | "last_seen" => "1970-01-01 00:00:00".into(),
            "first_failing" => NEVER.into(),
            "duration_p50" => "nan".into(),
            "duration_p95" | "backend_p95" => Value::Null,
            _ => 0.into(),
        };
    }
    let empty = figures(&question(""), &answer(&[])).unwrap();
    assert_eq!(empty, figures(&question(""), &answer(&[nothing])).unwrap());
    assert_eq!(empty.rows[0].error_ratio(), 0.0);
    assert!(!empty.sampled);
    assert_eq!(figures(&question(r#","by":"key""#), &answer(&[])).unwrap().rows, []);
}

#[test]
fn a_row_without_a_backend_has_no_time_of_one() {
    let mut alone = row();
    alone["backend_requests"] = "0".into();
    alone["backend_p95"] = 0.into();
    let read = figures(&question(""), &answer(&[alone])).unwrap();
    assert_eq!(read.rows[0].backend_p95, None);
    assert_eq!(read.rows[0].duration_p95, Some(80.0));
}

#[test]
fn names_and_buckets_come_where_they_were_asked_for() {
    let mut grouped = row();
    grouped["name"] = "O'Neill".into();
    grouped["bucket"] = "2026-12-01 03:05:00".into();
    let read =
        figures(&question(r#","by":"customer","every":300,"limit":1"#), &answer(&[grouped.clone()])).unwrap();
    assert_eq!(read.rows[0].name.as_deref(), Some("O'Neill"));
    assert_eq!(read.rows[0].bucket, Timestamp::parse_rfc3339("2026-12-01T03:05:00Z"));
    assert!(read.cut);
    grouped["name"] = 5.into();
    let error = figures(&question(r#","by":"customer""#), &answer(&[row(), grouped])).unwrap_err();
    assert_eq!(error, "the answer's row 0 has no readable name");
}

#[test]
fn what_is_no_answer_is_an_error() {
    let error = |text: &str| figures(&question(""), text).unwrap_err();
    assert!(error("Bad gateway").starts_with("the answer is no JSON"));
    assert_eq!(error("{}"), "the answer has no data");
    assert_eq!(error(r#"{"data":[{}]}"#), "the answer's row 0 has no readable requests");
    let mut odd = row();
    odd["last_seen"] = "2026-13-01 00:00:00".into();
    assert_eq!(error(&answer(&[odd])), "the answer's row 0 has no readable last_seen");
    let mut odd = row();
    odd["errors"] = (-1).into();
    assert_eq!(error(&answer(&[odd])), "the answer's row 0 has no readable errors");
}

proptest! {
    #[test]
    fn no_answer_brings_the_reader_down(column in "[a-z_0-9]{1,16}", text in any::<String>()) {
        let mut odd = row();
        let names: Vec<_> = odd.as_object().unwrap().keys().cloned().collect();
        let name = names.iter().find(|name| name.len() == column.len()).unwrap_or(&names[0]);
        odd[name] = text.clone().into();
        let _ = figures(&question(""), &answer(&[odd]));
        let _ = figures(&question(""), &text);
    }

    #[test]
    fn counts_up_to_64_bits_are_read_to_the_last_digit(count in any::<u64>()) {
        prop_assert_eq!(whole(Some(&Value::from(count.to_string()))), Some(count));
        prop_assert_eq!(whole(Some(&Value::from(count))), Some(count));
    }
}
