//! The SQL of a question. It uses what the dialect documents and no more: `sum`, `min`, `max`, `quantileExactWeighted`,
//! `if`, `hex`, `LIKE`, `IN`, `toDateTime`, `toUnixTimestamp`, `toStartOfInterval`, `HAVING`.

use crate::{
    dimension::Dimension,
    literal::is_any_of,
    question::{KEY_DIGITS, Only, Order, Question},
    schema,
};

/// What `min` begins with where nothing was found: the latest that a `DateTime` can be.
pub(crate) const NEVER: u64 = u32::MAX as u64;

/// The SQL of a question that was checked ([`Question::checked`]), for the body of a call of the SQL API.
#[must_use]
pub fn sql(question: &Question) -> String {
    let keys = keys(question);
    let columns: Vec<_> =
        keys.iter().map(|(name, column)| format!("{column} AS {name}")).chain(figures()).collect();
    let mut sql = format!("SELECT\n  {}\nFROM {}", columns.join(",\n  "), question.dataset);
    sql.push_str("\nWHERE ");
    sql.push_str(&conditions(question).join("\n  AND "));
    if !keys.is_empty() {
        let names: Vec<_> = keys.iter().map(|(name, _)| *name).collect();
        sql.push_str("\nGROUP BY ");
        sql.push_str(&names.join(", "));
    }
    if question.failing {
        sql.push_str("\nHAVING errors > 0 OR refused > 0");
    }
    if !keys.is_empty() {
        sql.push_str("\nORDER BY ");
        sql.push_str(order(question));
        if question.by.is_some() {
            sql.push_str(", name");
        }
    }
    sql.push_str(&format!("\nLIMIT {}\nFORMAT JSON", question.limit));
    sql
}

/// By what rows are told apart: names in the answer, and their columns.
fn keys(question: &Question) -> Vec<(&'static str, String)> {
    let bucket = |every| format!("toStartOfInterval(timestamp, INTERVAL '{every}' SECOND)");
    let time = question.every.map(|every| ("bucket", bucket(every)));
    time.into_iter().chain(question.by.map(|by| ("name", by.column().to_owned()))).collect()
}

fn figures() -> impl Iterator<Item = String> {
    let (weight, duration, backend) = (schema::WEIGHT, schema::DURATION, schema::BACKEND);
    let count = |condition: &str| format!("sum(if({condition}, {weight}, 0))");
    let last = |condition: &str| format!("max(if({condition}, toUnixTimestamp(timestamp), 0))");
    let first = |condition: &str| format!("min(if({condition}, toUnixTimestamp(timestamp), {NEVER}))");
    [
        ("requests", format!("sum({weight})")),
        ("errors", count(schema::IS_ERROR)),
        ("backend_errors", count(schema::IS_BACKEND_ERROR)),
        ("refused", count(schema::IS_REFUSED)),
        ("duration_p50", format!("quantileExactWeighted(0.5)({duration}, {weight})")),
        ("duration_p95", format!("quantileExactWeighted(0.95)({duration}, {weight})")),
        ("backend_requests", count(&format!("{} > 0", schema::ATTEMPTS))),
        (
            "backend_p95",
            format!("quantileExactWeighted(0.95)({backend}, if({} > 0, {weight}, 0))", schema::ATTEMPTS),
        ),
        ("request_bytes", format!("sum({} * {weight})", schema::REQUEST_BYTES)),
        ("response_bytes", format!("sum({} * {weight})", schema::RESPONSE_BYTES)),
        ("first_seen", "min(timestamp)".into()),
        ("last_seen", "max(timestamp)".into()),
        ("first_failing", first(schema::IS_FAILING)),
        ("last_failing", last(schema::IS_FAILING)),
        ("last_let_in", last(schema::IS_LET_IN)),
        ("last_refused", last(schema::IS_REFUSED)),
        ("sample_interval", format!("max({weight})")),
    ]
    .into_iter()
    .map(|(name, expression)| format!("{expression} AS {name}"))
}

pub(crate) fn conditions(question: &Question) -> Vec<String> {
    let mut all = vec![
        format!("timestamp >= toDateTime({})", question.from),
        format!("timestamp < toDateTime({})", question.until),
        format!("{} = '{}'", schema::VERSION, schema::READS),
    ];
    all.extend(question.filters.iter().map(|(dimension, values)| match dimension {
        Dimension::Key => is_any_key(values),
        _ => is_any_of(dimension.column(), values),
    }));
    all.extend(question.only.map(|only| match only {
        Only::Errors => schema::IS_ERROR.to_owned(),
        Only::Refused => schema::IS_REFUSED.to_owned(),
        Only::Failing => schema::IS_FAILING.to_owned(),
        Only::LetIn => schema::IS_LET_IN.to_owned(),
    }));
    if question.named {
        all.extend(question.by.map(|by| format!("{} != ''", by.column())));
    }
    all
}

/// Whole beginnings are compared as they are, shorter ones as patterns. Their digits are hexadecimal: `checked` saw to that.
fn is_any_key(values: &[String]) -> String {
    let column = Dimension::Key.column();
    let cut: Vec<String> = values.iter().map(|digits| digits.chars().take(KEY_DIGITS).collect()).collect();
    let (whole, begun): (Vec<_>, Vec<_>) =
        cut.into_iter().partition(|digits: &String| digits.is_empty() || digits.len() == KEY_DIGITS);
    let mut any: Vec<_> = begun.iter().map(|digits| format!("{column} LIKE '{digits}%'")).collect();
    if !whole.is_empty() {
        any.insert(0, is_any_of(column, &whole));
    }
    if any.len() == 1 { any.concat() } else { format!("({})", any.join(" OR ")) }
}

/// Which rows come first; those that are equal in that come by their names.
const fn order(question: &Question) -> &'static str {
    match (question.every, question.order) {
        (Some(_), _) => "bucket",
        (None, Order::Requests) => "requests DESC",
        (None, Order::Errors) => "errors DESC, refused DESC, requests DESC",
        (None, Order::Refused) => "refused DESC, errors DESC, requests DESC",
        (None, Order::LastLetIn) => "last_let_in DESC, last_seen DESC",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn question(members: &str) -> Question {
        let comma = if members.is_empty() { "" } else { "," };
        Question::parse(&format!(
            r#"{{"dataset":"pointsman","from":1764556800,"until":1764560400{comma}{members}}}"#
        ))
        .unwrap()
    }

    #[test]
    fn totals_are_one_row_without_groups() {
        let sql = sql(&question(""));
        assert!(sql.starts_with("SELECT\n  sum(_sample_interval) AS requests,\n"), "{sql}");
        assert!(
            sql.ends_with(
                "FROM pointsman\nWHERE timestamp >= toDateTime(1764556800)\n  AND timestamp < \
                 toDateTime(1764560400)\n  AND blob1 = '1'\nLIMIT 100\nFORMAT JSON"
            ),
            "{sql}"
        );
        assert!(!sql.contains("GROUP") && !sql.contains("ORDER"));
    }

    #[test]
    fn groups_are_told_apart_filtered_and_ordered() {
        let sql = sql(&question(
            r#""by":"reason","where":{"backend":["eu","us"],"customer":["O'Neill"]},"only":"failing","failing":true,
               "named":true,"order":"errors","limit":5"#,
        ));
        for part in [
            "  blob10 AS name,\n",
            "\n  AND blob6 IN ('eu', 'us')",
            "\n  AND hex(blob2) = '4F274E65696C6C'",
            "\n  AND (double2 >= 500 OR ",
            "\n  AND blob10 != ''\nGROUP BY name\nHAVING errors > 0 OR refused > 0\n",
            "\nORDER BY errors DESC, refused DESC, requests DESC, name\nLIMIT 5\n",
        ] {
            assert!(sql.contains(part), "{part}\n{sql}");
        }
    }

    #[test]
    fn buckets_come_in_their_order_each_by_name() {
        let sql = sql(&question(r#""by":"status","every":300"#));
        assert!(
            sql.contains(
                "  toStartOfInterval(timestamp, INTERVAL '300' SECOND) AS bucket,\n  blob11 AS name,"
            )
        );
        assert!(sql.contains("\nGROUP BY bucket, name\nORDER BY bucket, name\n"), "{sql}");
    }

    #[test]
    fn keys_are_compared_by_as_many_digits_as_are_given() {
        let of =
            |values: &str| conditions(&question(&format!(r#""where":{{"key":[{values}]}}"#))).pop().unwrap();
        assert_eq!(of(r#""0123456789abcdef""#), "blob8 = '0123456789abcdef'");
        assert_eq!(of(&format!("\"{}\"", "0123456789abcdef".repeat(4))), "blob8 = '0123456789abcdef'");
        assert_eq!(of(r#""01ab""#), "blob8 LIKE '01ab%'");
        assert_eq!(of(r#""01ab", """#), "(blob8 = '' OR blob8 LIKE '01ab%')");
    }

    #[test]
    fn every_figure_is_weighted() {
        for column in figures().filter(|column| column.starts_with("sum") || column.starts_with("quantile")) {
            assert!(column.contains("_sample_interval"), "{column}");
        }
    }
}
