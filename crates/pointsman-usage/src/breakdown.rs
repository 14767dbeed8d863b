//! Requests by several dimensions at once: what fails for whom, by which rule and behind which backend; and where rules led
//! requests. [`Question`] has one dimension, and all figures; here is a count, and when it began.

use pointsman_core::base::json::json;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    answer::{instant, whole},
    dimension::Dimension,
    question::Question,
    schema,
    sql::conditions,
};

/// Dimensions that one question may have.
const MOST_DIMENSIONS: usize = 12;

/// Which requests are counted, and by what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breakdown {
    /// Of which requests, in how long buckets, and how many rows. It has no dimension of its own.
    question: Question,
    /// By these dimensions.
    along: Vec<Dimension>,
    /// Whether also by the status of the answer.
    codes: bool,
}

#[derive(Deserialize)]
struct Members {
    along: Vec<Dimension>,
    #[serde(default)]
    codes: bool,
}

impl Breakdown {
    /// Reads a question: the members of a [`Question`] without `by`, `order`, `named` and `failing`, with `along`, the
    /// dimensions, and `codes`, whether statuses are told apart.
    ///
    /// # Errors
    /// Says which member is wrong, and what it must be.
    pub fn parse(json: &str) -> Result<Self, String> {
        let not = |error: serde_json::Error| format!("not a question: {error}");
        let mut all: Map<String, Value> = serde_json::from_str(json).map_err(not)?;
        for name in ["by", "order", "named", "failing"] {
            if all.contains_key(name) {
                return Err(format!("{name}: is for questions without along"));
            }
        }
        let own: Map<String, Value> =
            ["along", "codes"].into_iter().filter_map(|name| all.remove_entry(name)).collect();
        let Members { along, codes } = serde_json::from_value(Value::Object(own)).map_err(not)?;
        let question: Question = serde_json::from_value(Value::Object(all)).map_err(not)?;
        let is_twice = |(at, one): (usize, &Dimension)| along.iter().take(at).any(|other| other == one);
        if along.is_empty() || along.len() > MOST_DIMENSIONS || along.iter().enumerate().any(is_twice) {
            return Err(format!("along: must be 1 to {MOST_DIMENSIONS} dimensions, each once"));
        }
        Ok(Self { question: question.checked()?, along, codes })
    }

    /// Its SQL, in the dialect that [`crate::sql()`] keeps to. Rows with the most requests come first.
    #[must_use]
    pub fn sql(&self) -> String {
        let question = &self.question;
        let bucket = question.every.map(|every| {
            ("bucket".to_owned(), format!("toStartOfInterval(timestamp, INTERVAL '{every}' SECOND)"))
        });
        let code = self.codes.then(|| ("code".to_owned(), schema::STATUS.to_owned()));
        // No name of a dimension may be taken for a word of SQL.
        let dimensions =
            self.along.iter().enumerate().map(|(at, one)| (format!("d{at}"), one.column().to_owned()));
        let keys: Vec<_> = bucket.into_iter().chain(code).chain(dimensions).collect();
        let columns: Vec<_> = keys.iter().map(|(name, column)| format!("{column} AS {name}")).collect();
        let names: Vec<_> = keys.iter().map(|(name, _)| name.as_str()).collect();
        format!(
            "SELECT\n  {},\n  sum({weight}) AS requests,\n  min(timestamp) AS first_seen,\n  max(timestamp) AS \
             last_seen\nFROM {}\nWHERE {}\nGROUP BY {}\nORDER BY requests DESC, {}\nLIMIT {}\nFORMAT JSON",
            columns.join(",\n  "),
            question.dataset,
            conditions(question).join("\n  AND "),
            names.join(", "),
            names.join(", "),
            question.limit,
            weight = schema::WEIGHT,
        )
    }

    /// What the answer says: `{ cut, rows }`. A row has its dimensions by their names, `code`, and `requests`; `at`, the
    /// beginning of its bucket, `first` and `last` are seconds since 1970.
    ///
    /// # Errors
    /// Says what in the answer is not as it should be.
    pub fn rows(&self, answer: &str) -> Result<Value, String> {
        let mut answer: Value =
            serde_json::from_str(answer).map_err(|error| format!("the answer is no JSON: {error}"))?;
        let Some(Value::Array(data)) = answer.get_mut("data").map(Value::take) else {
            return Err("the answer has no data".into());
        };
        let read = |(at, row): (usize, &Value)| {
            self.row(row).map_err(|column| format!("the answer's row {at} has no readable {column}"))
        };
        let rows = data.iter().enumerate().map(read).collect::<Result<Vec<Value>, String>>()?;
        let cut = rows.len() >= usize::try_from(self.question.limit).unwrap_or(usize::MAX);
        Ok(json!({ "cut": cut, "rows": Value::Array(rows) }))
    }

    /// One row, or the column that is missing or of another type.
    fn row(&self, row: &Value) -> Result<Value, String> {
        let column = |name: &str| row.get(name).ok_or_else(|| name.to_owned());
        let count = |name: &str| whole(row.get(name)).ok_or_else(|| name.to_owned());
        let seconds = |name: &str| {
            instant(row.get(name))
                .map(|at| at.map_or(0, |at| at.millis() / 1000))
                .ok_or_else(|| name.to_owned())
        };
        let mut members = Map::new();
        for (at, dimension) in self.along.iter().enumerate() {
            let name = format!("d{at}");
            let text = column(&name)?.as_str().ok_or(name)?;
            members.insert(dimension.name().to_owned(), Value::from(text));
        }
        if self.codes {
            members.insert("code".to_owned(), count("code")?.into());
        }
        if self.question.every.is_some() {
            members.insert("at".to_owned(), seconds("bucket")?.into());
        }
        members.insert("requests".to_owned(), count("requests")?.into());
        members.insert("first".to_owned(), seconds("first_seen")?.into());
        members.insert("last".to_owned(), seconds("last_seen")?.into());
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: &str = r#"{"dataset":"pointsman","from":1764556800,"until":1764560400,"every":60,"only":"failing",
        "along":["reason","customer"],"codes":true,"where":{"customer":["O'Neill"]},"limit":2}"#;

    #[test]
    fn requests_are_grouped_by_all_dimensions_at_once() {
        let sql = Breakdown::parse(ASKED).unwrap().sql();
        for part in [
            "SELECT\n  toStartOfInterval(timestamp, INTERVAL '60' SECOND) AS bucket,\n  double2 AS code,\n  \
             blob10 AS d0,\n  blob2 AS d1,\n  sum(_sample_interval) AS requests,",
            "\n  AND hex(blob2) = '4F274E65696C6C'",
            "\nGROUP BY bucket, code, d0, d1\nORDER BY requests DESC, bucket, code, d0, d1\nLIMIT 2\nFORMAT JSON",
        ] {
            assert!(sql.contains(part), "{part}\n{sql}");
        }
    }

    #[test]
    fn a_row_has_its_dimensions_by_their_names() {
        let row = r#"{"bucket":"2025-12-01 03:05:00","code":502,"d0":"backend_unreachable","d1":"acme",
            "requests":"12","first_seen":"2025-12-01 03:05:07","last_seen":"2025-12-01 03:05:09"}"#;
        let answered = |data: &str| Breakdown::parse(ASKED).unwrap().rows(&format!(r#"{{"data":[{data}]}}"#));
        let told = answered(row).unwrap();
        assert_eq!(
            told,
            serde_json::json!({ "cut": false, "rows": [{
                "reason": "backend_unreachable", "customer": "acme", "code": 502, "at": 1_764_558_300,
                "requests": 12, "first": 1_764_558_307, "last": 1_764_558_309,
            }] })
        );
        assert_eq!(answered(&format!("{row},{row}")).unwrap()["cut"], true);
        assert_eq!(
            answered(&row.replace("\"d1\"", "\"d2\"")).unwrap_err(),
            "the answer's row 0 has no readable d1"
        );
        assert_eq!(Breakdown::parse(ASKED).unwrap().rows("{}").unwrap_err(), "the answer has no data");
    }

    #[test]
    fn what_cannot_be_asked_is_named() {
        let error = |members: &str| {
            Breakdown::parse(&format!(r#"{{"dataset":"p","from":0,"until":60,{members}}}"#)).unwrap_err()
        };
        assert!(error(r#""along":[]"#).starts_with("along: must be 1 to 12"));
        assert!(error(r#""along":["rule","rule"]"#).starts_with("along:"));
        assert!(error(r#""along":["rule"],"by":"rule""#).starts_with("by:"));
        assert!(error(r#""along":["rule"],"limit":0"#).starts_with("limit:"));
        assert!(error(r#""along":["colour"]"#).contains("unknown variant `colour`"));
        assert!(error(r#""along":["rule"],"bye":1"#).contains("unknown field `bye`"));
    }
}
