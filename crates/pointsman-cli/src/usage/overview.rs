//! What is to be known first, also by somebody who was just woken: how much fails, whom it hits, since when.

use std::io::{self, IsTerminal as _};

use pointsman_core::base::json::{self, ToJson};
use pointsman_usage::{Dimension, Figures, Question, answer::Row, question::Order};
use serde_json::Value;

use super::{metrics::Metrics, show};
use crate::{
    ending::{CommandResult, End},
    output::{Progress, line},
};

/// What fails, of which the worst are shown; the name of its JSON, and its title.
const PARTS: [(Dimension, &str, &str); 5] = [
    (Dimension::Reason, "reasons", "Why the gateway refused or failed"),
    (Dimension::Customer, "customers", "Customers who are hit"),
    (Dimension::ClaimedCustomer, "claimedCustomers", "Whom refused credentials name (not verified)"),
    (Dimension::Backend, "backends", "Backends that fail"),
    (Dimension::Rule, "rules", "Rules that lead there"),
];

pub(super) fn run(metrics: &Metrics, whole: &Question, as_json: bool) -> CommandResult {
    let totals = metrics.ask(whole)?;
    let total = totals.rows.first().cloned().unwrap_or_default();
    let fails = total.errors > 0 || total.refused > 0;
    let mut progress = if fails && !as_json && io::stderr().is_terminal() {
        Progress::new(PARTS.len(), "questions answered")
    } else {
        Progress::silent()
    };
    let mut parts = Vec::new();
    for (by, name, title) in PARTS {
        // Where nothing fails there is nobody to be found.
        let figures = if fails { Some(metrics.ask(&worst(whole, by))?) } else { None };
        progress.advance(1);
        parts.push((
            by,
            name,
            title,
            figures.unwrap_or(Figures { sampled: false, cut: false, rows: Vec::new() }),
        ));
    }
    let sampled = totals.sampled || parts.iter().any(|(_, _, _, figures)| figures.sampled);
    if as_json {
        let mut members = show::span(whole);
        json::put(&mut members, "sampled", sampled.to_json());
        json::put(&mut members, "totals", total.to_json());
        for (_, name, _, figures) in &parts {
            json::put(&mut members, name, rows(figures));
        }
        line(&Value::Object(members).to_string());
        return Ok(End::Done);
    }
    show::totals(whole, &total);
    for (by, _, title, figures) in parts.iter().filter(|(_, _, _, figures)| !figures.rows.is_empty()) {
        line("");
        line(title);
        show::failing(*by, figures);
    }
    show::notes(whole, sampled, fails);
    Ok(End::Done)
}

fn worst(whole: &Question, by: Dimension) -> Question {
    // Whose credential was refused is nobody's customer, which is to be seen; who has no backend has none that fails.
    let named = by != Dimension::Customer;
    Question { by: Some(by), failing: true, named, order: Order::Errors, ..whole.clone() }
}

fn rows(figures: &Figures) -> Value {
    figures.rows.iter().map(Row::to_json).collect::<Vec<_>>().into()
}
