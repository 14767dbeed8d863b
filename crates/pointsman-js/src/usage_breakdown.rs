//! Questions of the metrics along several dimensions, for who sends them and shows what comes.

use pointsman_core::base::json::{self, json};
use pointsman_usage::Breakdown;
use serde_json::Value;

/// The SQL of a question along several dimensions: `{ sql }`, or `{ error }` where it cannot be asked.
/// [`Breakdown::parse`] says what such a question is.
#[must_use]
pub fn query(question: &str) -> String {
    told(Breakdown::parse(question).map(|question| json!({ "sql": question.sql() })))
}

/// What the SQL API's answer says, for the question that it answers: `{ cut, rows }`, or `{ error }`.
/// [`Breakdown::rows`] says what these are.
#[must_use]
pub fn rows(question: &str, answer: &str) -> String {
    told(Breakdown::parse(question).and_then(|question| question.rows(answer)))
}

fn told(result: Result<Value, String>) -> String {
    json::text(&result.unwrap_or_else(|error| json!({ "error": error })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_and_its_answer_are_json_or_an_error() {
        let question = r#"{"dataset":"pointsman","from":0,"until":60,"along":["rule"]}"#;
        assert!(query(question).contains("blob4 AS d0"));
        assert_eq!(rows(question, r#"{"data":[]}"#), r#"{"cut":false,"rows":[]}"#);
        assert!(query("{}").starts_with(r#"{"error":"not a question"#));
        assert!(rows(question, "oops").starts_with(r#"{"error":"the answer is no JSON"#));
    }
}
