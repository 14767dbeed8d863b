//! When keys and customers were let in last, as far as the metrics tell.

use std::collections::BTreeMap;

use pointsman_core::base::time::{Span, Timestamp};
use pointsman_usage::{
    Dimension, Figures, Question,
    question::{KEPT_FOR, KEY_DIGITS},
};
use serde_json::{Map, Value, json};

use super::{before, metrics::Metrics, show::brief};
use crate::{configuration::Project, ending::Failure};

/// So many are asked about by name in one question.
const AT_ONCE: usize = 200;
/// Points are dated by the clock of whoever answered, which need not be this machine's.
const CLOCKS: Span = Span::from_secs(60);

/// What the metrics tell of the use of keys or customers.
#[derive(Debug)]
pub(crate) struct LastUsed {
    seen: BTreeMap<String, Seen>,
    dataset: String,
    /// From when on there are points.
    since: Timestamp,
    /// Whether some points were left out, so that use may be missing.
    sampled: bool,
    /// Whether points reach back as far as was asked.
    reaches: bool,
}

/// What was seen of one.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Seen {
    /// When the gateway let it in last.
    pub(crate) used: Option<Timestamp>,
    /// When the gateway refused it last.
    pub(crate) refused: Option<Timestamp>,
}

/// Asks when these keys (by digests) or customers (by ids) were let in last: within a span, or as far back as there are
/// points. Each call asks anew.
///
/// # Errors
/// Where the metrics cannot be asked.
pub(crate) fn ask(
    project: &Project,
    by: Dimension,
    names: &[&str],
    within: Option<Span>,
    now: Timestamp,
) -> Result<LastUsed, Failure> {
    ask_of(&Metrics::of(project)?, by, names, within, now)
}

fn ask_of(
    metrics: &Metrics,
    by: Dimension,
    names: &[&str],
    within: Option<Span>,
    now: Timestamp,
) -> Result<LastUsed, Failure> {
    let (kept, until) = (before(now, Span::from_secs(KEPT_FOR)), now.plus(CLOCKS));
    let all = metrics.ask(&Question::totals(metrics.dataset(), kept, until))?;
    let first = all.rows.first().and_then(|row| row.first_seen);
    let begin = within.map(|span| before(now, span));
    let from = begin.map_or(kept, |begin| begin.max(kept));
    let question = Question::totals(metrics.dataset(), from, until);
    // Of the span alone less may be sampled than of all.
    let totals = if from == kept { all } else { metrics.ask(&question)? };
    let named = metrics.ask(&question.clone().last_used(by))?;

    let mut seen = BTreeMap::new();
    let mut sampled = totals.sampled || named.sampled;
    note(&mut seen, &named);
    if named.cut {
        let missing: Vec<_> =
            names.iter().map(|name| pointed(by, name)).filter(|name| !seen.contains_key(*name)).collect();
        for some in missing.chunks(AT_ONCE) {
            let filters = BTreeMap::from([(by, some.iter().map(|&name| name.to_owned()).collect())]);
            let more = metrics.ask(&Question { filters, ..question.clone().last_used(by) })?;
            sampled |= more.sampled;
            note(&mut seen, &more);
        }
    }
    Ok(LastUsed {
        seen,
        dataset: metrics.dataset().to_owned(),
        since: first.unwrap_or(now).max(from),
        sampled,
        reaches: first.is_some_and(|first| begin.is_some_and(|begin| first <= begin)),
    })
}

fn note(seen: &mut BTreeMap<String, Seen>, figures: &Figures) {
    for row in &figures.rows {
        let found = Seen { used: row.last_let_in, refused: row.last_refused };
        seen.insert(row.name.clone().unwrap_or_default(), found);
    }
}

/// As points name it.
fn pointed(by: Dimension, name: &str) -> &str {
    if by == Dimension::Key { name.get(..KEY_DIGITS).unwrap_or(name) } else { name }
}

impl LastUsed {
    /// What was seen of a key, by its digest.
    pub(crate) fn of_key(&self, digest: &str) -> Seen {
        self.seen.get(pointed(Dimension::Key, digest)).copied().unwrap_or_default()
    }

    /// What was seen of a customer.
    pub(crate) fn of_customer(&self, id: &str) -> Seen {
        self.seen.get(id).copied().unwrap_or_default()
    }

    /// Whether it is certain that whoever was not seen within the span that was asked of was not let in.
    pub(crate) const fn is_certain(&self) -> bool {
        self.reaches && !self.sampled
    }

    /// Two cells of a table: let in and refused.
    pub(crate) fn cells(&self, seen: Seen) -> [String; 2] {
        let used = seen.used.map_or_else(|| "none seen".to_owned(), brief);
        [used, seen.refused.map_or_else(|| "-".to_owned(), brief)]
    }

    /// Members of a JSON object.
    pub(crate) fn put(&self, seen: Seen, into: &mut Map<String, Value>) {
        let time = |at: Option<Timestamp>| at.map(|at| at.to_string()).into();
        into.insert("lastUsed".to_owned(), time(seen.used));
        into.insert("lastRefused".to_owned(), time(seen.refused));
        into.insert(
            "metrics".to_owned(),
            json!({ "since": self.since.to_string(), "sampled": self.sampled, "certain": self.is_certain() }),
        );
    }

    /// What is to be known of that, for people.
    pub(crate) fn notes(&self, within: Option<Span>) -> Vec<String> {
        let Self { dataset, since, .. } = self;
        let since = brief(*since);
        let mut notes = vec![format!("last use by the metrics in {dataset}, asked now, which begin {since}")];
        if self.sampled {
            notes.push("Analytics Engine kept one of several points: rare use may be missing".to_owned());
        }
        match within {
            None => notes.push("\"none seen\" is not \"never\": points are kept for three months".to_owned()),
            Some(_) if self.is_certain() => {
                notes.push(format!("those without a time were not used since {since}"));
            }
            Some(_) if !self.reaches => notes.push(format!(
                "the metrics do not reach back so far: no use was seen since {since}, and of what was before nothing is known"
            )),
            Some(_) => {
                notes.push(format!("no use was seen since {since}, which does not say that there was none"));
            }
        }
        notes
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use pointsman_usage::question::MOST_ROWS;

    use super::*;
    use crate::http::{Answered, Call, Http};

    const LET_IN: u64 = 1_796_000_000;

    /// Answers with a row for each of very many keys, and only by name with the last one.
    #[derive(Default)]
    struct Busy {
        asked: RefCell<Vec<String>>,
    }

    fn row(name: &str) -> Value {
        json!({
            "name": name, "requests": "1", "errors": "0", "backend_errors": "0", "refused": "0", "duration_p50": 1,
            "duration_p95": 1, "backend_requests": "1", "backend_p95": 1, "request_bytes": 0, "response_bytes": 0,
            "first_seen": "2026-01-01 00:00:00", "last_seen": "2026-01-01 00:00:00", "first_failing": 0,
            "last_failing": 0, "last_let_in": LET_IN, "last_refused": 0, "sample_interval": 1,
        })
    }

    impl Http for &Busy {
        fn call(&self, call: &Call<'_>) -> Result<Answered, Failure> {
            let sql = call.body.clone().unwrap_or_default();
            let rows: Vec<_> = if sql.contains("blob8 IN") {
                vec![row("ffff000000000001")]
            } else if sql.contains("blob8 AS name") {
                (0..MOST_ROWS).map(|at| row(&format!("{at:016x}"))).collect()
            } else {
                vec![row("")]
            };
            self.asked.borrow_mut().push(sql);
            Ok(Answered { status: 200, text: json!({ "data": rows }).to_string(), retry_after: None })
        }
    }

    #[test]
    fn keys_that_an_answer_has_no_room_for_are_asked_for_by_their_digits() {
        let busy: &'static Busy = Box::leak(Box::default());
        let metrics = Metrics::answered_by(Box::new(busy));
        let of = |begin: &str| format!("{begin:0<64}");
        let digests: Vec<_> = ["0000000000000005", "ffff000000000001", "ffff000000000002"].map(of).to_vec();
        let names: Vec<_> = digests.iter().map(String::as_str).collect();
        let now = Timestamp::from_millis((LET_IN + 1000) * 1000);
        let used = ask_of(&metrics, Dimension::Key, &names, None, now).unwrap();
        let seen: Vec<_> = names.iter().map(|digest| used.of_key(digest).used.is_some()).collect();
        assert_eq!(seen, [true, true, false]);
        let asked = busy.asked.borrow();
        assert_eq!(asked.len(), 3);
        assert!(asked[2].contains("AND blob8 IN ('ffff000000000001', 'ffff000000000002')"), "{}", asked[2]);
    }
}
