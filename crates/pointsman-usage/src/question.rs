//! A question, as people and programs ask it.

use std::collections::BTreeMap;

use pointsman_core::base::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::dimension::Dimension;

/// How long the engine keeps points at most, in seconds: three months.
pub const KEPT_FOR: u64 = 92 * DAY;
/// The most rows that a question may ask for.
pub const MOST_ROWS: u32 = 10_000;
/// The most buckets that a span may be cut into.
const MOST_BUCKETS: u64 = 2_000;
/// The most values of one filter.
const MOST_VALUES: usize = 500;
const DAY: u64 = 24 * 60 * 60;
/// How many digits of a key's digest a point has.
pub const KEY_DIGITS: usize = 16;

/// What is asked: one row of figures for the whole span, or one for each value of a dimension, each bucket of time, or both.
///
/// As JSON only `dataset`, `from` and `until` are required.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Question {
    /// The data set that the gateway's binding names: letters, digits and `_`.
    pub dataset: String,
    /// The span's begin in seconds since 1970, which belongs to it.
    pub from: u64,
    /// The span's end in seconds since 1970, which does not.
    pub until: u64,
    /// A row for each value of this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Dimension>,
    /// A row for each so many seconds: they divide a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<u64>,
    /// Only requests that have one of these values in each of these dimensions. Digits of a key may be any number of its
    /// digest's first.
    #[serde(default, rename = "where", skip_serializing_if = "BTreeMap::is_empty")]
    pub filters: BTreeMap<Dimension, Vec<String>>,
    /// Only requests of this kind are counted at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only: Option<Only>,
    /// Only rows in which something failed; these count all their requests.
    #[serde(default, skip_serializing_if = "is_false")]
    pub failing: bool,
    /// Without the row of those that have no value in the dimension `by`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub named: bool,
    /// Which rows come first. Buckets of time always come in their order.
    #[serde(default)]
    pub order: Order,
    /// The most rows of the answer.
    #[serde(default = "usual_limit")]
    pub limit: u32,
}

/// A kind of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Only {
    /// Answered with a 5xx.
    Errors,
    /// Refused by the gateway with a 4xx.
    Refused,
    /// Either of the two.
    Failing,
    /// Let in by the gateway, whatever came of it.
    LetIn,
}

/// Which rows come first: always those with the most, or the latest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Order {
    /// Most requests.
    #[default]
    Requests,
    /// Most errors, then most refusals.
    Errors,
    /// Most refusals, then most errors.
    Refused,
    /// Let in last.
    LastLetIn,
}

fn usual_limit() -> u32 {
    100
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(value: &bool) -> bool {
    !value
}

impl Question {
    /// The totals of a span.
    #[must_use]
    pub fn totals(dataset: &str, from: Timestamp, until: Timestamp) -> Self {
        Self {
            dataset: dataset.to_owned(),
            from: from.millis() / 1000,
            until: until.millis().div_ceil(1000),
            by: None,
            every: None,
            filters: BTreeMap::new(),
            only: None,
            failing: false,
            named: false,
            order: Order::Requests,
            limit: usual_limit(),
        }
    }

    /// By this key or customer, when it was let in last, latest first. Those without either are left out.
    #[must_use]
    pub fn last_used(self, by: Dimension) -> Self {
        Self { by: Some(by), named: true, order: Order::LastLetIn, limit: MOST_ROWS, ..self }
    }

    /// Reads a question.
    ///
    /// # Errors
    /// Says what is wrong with it, and with which member.
    pub fn parse(json: &str) -> Result<Self, String> {
        let question: Self =
            serde_json::from_str(json).map_err(|error| format!("not a question: {error}"))?;
        question.checked()
    }

    /// The question, if it can be asked.
    ///
    /// # Errors
    /// Says what is wrong with it, and with which member.
    pub fn checked(self) -> Result<Self, String> {
        check_dataset(&self.dataset).map_err(|error| format!("dataset: {error}"))?;
        if self.from >= self.until {
            return Err("until: must be later than from".into());
        }
        if self.until > u64::from(u32::MAX) {
            return Err("until: must be seconds since 1970, before the year 2106".into());
        }
        if let Some(every) = self.every {
            if every == 0 || !DAY.is_multiple_of(every) {
                return Err(format!("every: {every} seconds must divide a day"));
            }
            if (self.until - self.from).div_ceil(every) > MOST_BUCKETS {
                return Err(format!("every: more than {MOST_BUCKETS} buckets, take longer ones"));
            }
        }
        if self.limit == 0 || self.limit > MOST_ROWS {
            return Err(format!("limit: must be 1 to {MOST_ROWS}"));
        }
        for (dimension, values) in &self.filters {
            let wrong = |error: &str| Err(format!("where.{}: {error}", dimension.name()));
            if values.is_empty() || values.len() > MOST_VALUES {
                return wrong(&format!("must be 1 to {MOST_VALUES} values"));
            }
            if *dimension == Dimension::Key && !values.iter().all(|digits| is_key_digits(digits)) {
                return wrong("must be the first hexadecimal digits of a key's digest");
            }
        }
        Ok(self)
    }
}

/// What a data set may be called, so that its name can stand in SQL as it is.
///
/// # Errors
/// Says what it must be.
pub fn check_dataset(name: &str) -> Result<(), String> {
    let fits = name.len() <= 100
        && name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|letter| letter.is_ascii_alphanumeric() || letter == b'_');
    if fits { Ok(()) } else { Err("must be up to 100 letters, digits and _, with no digit first".into()) }
}

/// Whether these are the first digits of a digest. Empty is no key.
fn is_key_digits(text: &str) -> bool {
    text.len() <= 64 && text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(json: &str) -> String {
        Question::parse(json).unwrap_err()
    }

    #[test]
    fn the_shortest_question_asks_for_totals() {
        let question = Question::parse(r#"{"dataset":"pointsman","from":100,"until":200}"#).unwrap();
        assert_eq!(
            question,
            Question::totals("pointsman", Timestamp::from_millis(100_999), Timestamp::from_millis(199_001))
        );
    }

    #[test]
    fn a_question_is_read_back_from_its_own_json() {
        let text = r#"{"dataset":"p","from":1,"until":86401,"by":"claimedCustomer","every":3600,
            "where":{"customer":["a'b"],"key":["00ff"]},"only":"letIn","failing":true,"named":true,
            "order":"lastLetIn","limit":7}"#;
        let question = Question::parse(text).unwrap();
        let again = Question::parse(&serde_json::to_string(&question).unwrap()).unwrap();
        assert_eq!(question, again);
        assert_eq!(question.filters[&Dimension::Key], ["00ff"]);
    }

    #[test]
    fn what_cannot_be_asked_is_named() {
        let with = |members: &str| error(&format!(r#"{{"dataset":"p","from":0,"until":86400,{members}}}"#));
        assert!(error("{}").starts_with("not a question: missing field `dataset`"));
        assert!(error(r#"{"dataset":"p","from":2,"until":2}"#).starts_with("until:"));
        assert!(
            error(r#"{"dataset":"p","from":2,"until":1764556800000}"#).starts_with("until: must be seconds")
        );
        assert!(with(r#""every":0"#).starts_with("every:"));
        assert!(with(r#""every":7"#).starts_with("every: 7 seconds must divide a day"));
        assert!(with(r#""every":1"#).starts_with("every: more than 2000 buckets"));
        assert!(with(r#""limit":0"#).starts_with("limit:"));
        assert!(with(r#""limit":10001"#).starts_with("limit:"));
        assert!(with(r#""where":{"key":["' OR 1"]}"#).starts_with("where.key:"));
        assert!(with(r#""where":{"route":[]}"#).starts_with("where.route: must be 1 to 500"));
        assert!(with(r#""by":"colour""#).contains("unknown variant `colour`"));
        assert!(with(r#""bye":"key""#).contains("unknown field `bye`"));
    }

    #[test]
    fn a_data_set_has_a_name_that_needs_no_quotes() {
        for good in ["pointsman", "_a", "A1_b"] {
            assert_eq!(check_dataset(good), Ok(()));
        }
        for bad in ["", "1a", "a-b", "a b", "a;b", "a'b", "é", "a.b", &"a".repeat(101)] {
            assert!(check_dataset(bad).is_err(), "{bad}");
        }
    }
}
