//! Questions of the metrics, for who sends them and shows their figures.

use pointsman_core::base::json::{self, json};
use pointsman_usage::{Question, sql};

/// The SQL of a question, for the body of a call of the SQL API: `{ sql }`, or `{ error }` where it cannot be asked.
/// [`Question`] says what a question is.
#[must_use]
pub fn query(question: &str) -> String {
    let asked = Question::parse(question).map(|question| json!({ "sql": sql(&question) }));
    told(asked)
}

/// What the SQL API's answer says, for the question that it answers: `{ sampled, cut, rows }`, or `{ error }`.
/// [`pointsman_usage::Figures`] says what these are.
#[must_use]
pub fn figures(question: &str, answer: &str) -> String {
    let read = Question::parse(question).and_then(|question| pointsman_usage::figures(&question, answer));
    told(read.map(|figures| figures.to_json()))
}

fn told(result: Result<serde_json::Value, String>) -> String {
    json::text(&result.unwrap_or_else(|error| json!({ "error": error })))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(text: &str, name: &str) -> String {
        let value: serde_json::Value = serde_json::from_str(text).unwrap();
        value[name].as_str().unwrap().to_owned()
    }

    #[test]
    fn a_question_is_sql_or_an_error() {
        let sql = query(r#"{"dataset":"pointsman","from":0,"until":60,"by":"key"}"#);
        assert!(member(&sql, "sql").contains("blob8 AS name"));
        let error = query(r#"{"dataset":"a-b","from":0,"until":60}"#);
        assert!(member(&error, "error").starts_with("dataset:"));
    }

    #[test]
    fn an_answer_is_figures_or_an_error() {
        let question = r#"{"dataset":"pointsman","from":0,"until":60,"by":"key"}"#;
        assert_eq!(figures(question, r#"{"data":[]}"#), r#"{"cut":false,"rows":[],"sampled":false}"#);
        assert_eq!(
            member(&figures(question, "oops"), "error"),
            "the answer is no JSON: expected value at line 1 column 1"
        );
    }
}
