//! Figures for people and for programs.

use pointsman_core::base::{
    json::{self, ToJson},
    time::Timestamp,
};
use pointsman_usage::{Dimension, Figures, Question, answer::Row};
use serde_json::{Map, Value};

use crate::output::{coloured, line, plain, table};

const RED: &str = "31";

/// What was asked of, as JSON.
pub(super) fn span(question: &Question) -> Map<String, Value> {
    let at = |seconds: u64| Value::from(seconds_of(seconds).to_string());
    let mut members = Map::new();
    json::put(&mut members, "dataset", Value::from(question.dataset.as_str()));
    json::put(&mut members, "from", at(question.from));
    json::put(&mut members, "until", at(question.until));
    members
}

pub(super) fn json(question: &Question, figures: &Figures) {
    let mut members = span(question);
    json::put(&mut members, "by", question.by.map(Dimension::name).to_json());
    if let Value::Object(all) = figures.to_json() {
        members.extend(all);
    }
    line(&Value::Object(members).to_string());
}

/// A row for each value of a dimension.
pub(super) fn rows(question: &Question, figures: &Figures) {
    if figures.rows.is_empty() {
        let what = if question.failing { "nothing failed and nothing was refused" } else { "no requests" };
        line(&format!(
            "{what} from {} to {}",
            brief(seconds_of(question.from)),
            brief(seconds_of(question.until))
        ));
        return;
    }
    let head = [
        title(question.by),
        "REQUESTS",
        "ERRORS",
        "BY BACKEND",
        "REFUSED",
        "ERROR %",
        "P50 MS",
        "P95 MS",
        "BACKEND P95",
        "BYTES IN",
        "BYTES OUT",
        "FAILING SINCE",
        "LAST SEEN",
    ];
    let cells = |row: &Row| {
        let count = |number| counted(row, number);
        vec![
            name_of(row),
            count(row.requests),
            count(row.errors),
            count(row.backend_errors),
            count(row.refused),
            percent(row),
            millis(row.duration_p50),
            millis(row.duration_p95),
            millis(row.backend_p95),
            count(row.request_bytes),
            count(row.response_bytes),
            instant(row.first_failing),
            instant(row.last_seen),
        ]
    };
    print(&head, &figures.rows, &cells);
    if figures.cut {
        line(&format!("There may be more than these {} rows: --limit shows more.", figures.rows.len()));
    }
    notes(question, figures.sampled, figures.rows.iter().any(|row| row.first_failing.is_some()));
}

/// The rows of an overview.
pub(super) fn failing(by: Dimension, figures: &Figures) {
    let head = [title(Some(by)), "ERRORS", "BY BACKEND", "REFUSED", "OF REQUESTS", "SINCE", "LAST"];
    let cells = |row: &Row| {
        vec![
            name_of(row),
            counted(row, row.errors),
            counted(row, row.backend_errors),
            counted(row, row.refused),
            counted(row, row.requests),
            instant(row.first_failing),
            instant(row.last_failing),
        ]
    };
    print(&head, &figures.rows, &cells);
}

fn print(head: &[&str], rows: &[Row], cells: &dyn Fn(&Row) -> Vec<String>) {
    let head = head.iter().map(|&title| title.to_owned()).collect();
    table(&std::iter::once(head).chain(rows.iter().map(cells)).collect::<Vec<_>>());
}

/// The first lines of an overview.
pub(super) fn totals(question: &Question, row: &Row) {
    let (from, until) = (brief(seconds_of(question.from)), brief(seconds_of(question.until)));
    line(&format!("{} from {from} to {until}", question.dataset));
    if row.requests == 0 {
        return line("no requests");
    }
    let errors = format!("{} errors ({} %)", counted(row, row.errors), percent(row));
    let errors = if row.errors > 0 { coloured(&errors, RED) } else { errors };
    line(&format!(
        "{} requests, {errors}, {} refused",
        counted(row, row.requests),
        counted(row, row.refused)
    ));
    if row.errors > 0 {
        let ours = counted(row, row.errors - row.backend_errors.min(row.errors));
        line(&format!(
            "of the errors, {} are of backends and {ours} of the gateway itself",
            counted(row, row.backend_errors)
        ));
    }
    let (half, most, backend) = (millis(row.duration_p50), millis(row.duration_p95), millis(row.backend_p95));
    line(&format!(
        "half took at most {half} ms, 95 % at most {most} ms; backends of 95 % at most {backend} ms"
    ));
}

/// What must be known of the figures.
pub(super) fn notes(question: &Question, sampled: bool, fails: bool) {
    if fails {
        let from = brief(seconds_of(question.from));
        line("");
        line(&format!(
            "SINCE is the first time in the span from {from} on: with an earlier --since it may be earlier."
        ));
    }
    if sampled {
        line(
            "~ Sampled: Analytics Engine kept one of several points, so figures are estimates and rare ones may be missing.",
        );
    }
}

const fn title(by: Option<Dimension>) -> &'static str {
    match by {
        None => "",
        Some(Dimension::Customer) => "CUSTOMER",
        Some(Dimension::Key) => "KEY",
        Some(Dimension::Backend) => "BACKEND",
        Some(Dimension::Origin) => "ORIGIN",
        Some(Dimension::Route) => "ROUTE",
        Some(Dimension::Rule) => "RULE",
        Some(Dimension::Variant) => "VARIANT",
        Some(Dimension::Reason) => "REASON",
        Some(Dimension::Issuer) => "ISSUER",
        Some(Dimension::Status) => "STATUS",
        Some(Dimension::Place) => "PLACE",
        Some(Dimension::Version) => "VERSION",
        Some(Dimension::Method) => "METHOD",
        Some(Dimension::ClaimedCustomer) => "CLAIMED CUSTOMER",
    }
}

/// Clients may have chosen it.
fn name_of(row: &Row) -> String {
    match row.name.as_deref() {
        None | Some("") => "(none)".to_owned(),
        Some(name) => plain(name),
    }
}

/// A count, as an estimate where it is one.
fn counted(row: &Row, number: u64) -> String {
    let text = crate::output::grouped(usize::try_from(number).unwrap_or(usize::MAX));
    if row.sampled() && number > 0 { format!("~{text}") } else { text }
}

fn percent(row: &Row) -> String {
    format!("{:.1}", row.error_ratio() * 100.0)
}

fn millis(millis: Option<f64>) -> String {
    millis.map_or_else(|| "-".to_owned(), |millis| format!("{millis:.0}"))
}

const fn seconds_of(seconds: u64) -> Timestamp {
    Timestamp::from_millis(seconds.saturating_mul(1000))
}

fn instant(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "-".to_owned(), brief)
}

/// Points are dated to the second.
pub(super) fn brief(at: Timestamp) -> String {
    let text = at.to_string();
    text.split_once('.').map_or(text.clone(), |(seconds, _)| format!("{seconds}Z"))
}
