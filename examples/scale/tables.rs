//! What was counted, for people and for machines.

use std::rc::Rc;

use pointsman_core::{
    base::{digest::Digest, time::Timestamp},
    state::cache::{Cache, Loaded, Stored},
};
use serde_json::{Value, json};

use crate::{
    cost::PRICES,
    model::{Class, Scenario, Source, Tally},
    refresh::Filling,
};

/// A scenario and what was counted under each source.
pub(crate) struct Row {
    /// The scenario.
    pub(crate) scenario: Scenario,
    /// What was counted.
    pub(crate) tallies: Vec<(Source, Tally)>,
}

impl Row {
    fn each(&self, show: impl Fn(&Tally) -> String) -> String {
        self.tallies.iter().map(|(_, tally)| show(tally)).collect::<Vec<_>>().join(" / ")
    }

    /// What hardly depends on who looks after the records is shown as it is under the last source.
    fn last(&self) -> Tally {
        self.tallies.last().map(|(_, tally)| *tally).unwrap_or_default()
    }

    fn reads(&self) -> String {
        self.each(|tally| format!("{:.2}", tally.per_request(tally.kv_reads())))
    }

    fn loads(&self) -> String {
        self.each(|tally| format!("{:.0}", tally.per_request(tally.loads) * 1e6))
    }

    fn price(&self) -> String {
        self.each(|tally| format!("{:.2}", PRICES.kv_per_million(tally)))
    }

    /// Everything, for machines.
    pub(crate) fn to_json(&self) -> Value {
        let Scenario { customers, colos, isolates, rate, keys, records, .. } = &self.scenario;
        let tallies = self.tallies.iter().map(|(source, tally)| tally_to_json(*source, tally));
        json!({
            "customers": customers,
            "colos": colos,
            "isolates_per_colo": isolates,
            "requests_per_second": rate,
            "requests_per_second_per_isolate": self.scenario.rate_per_isolate(),
            "budget_bytes": { "keys": keys.budget, "customers": records.budget },
            "fresh_ms": {
                "keys": keys.policy.lifetimes.revalidate.millis(),
                "customers": records.policy.lifetimes.fresh.millis(),
            },
            "by_source": tallies.collect::<Vec<_>>(),
        })
    }
}

fn tally_to_json(source: Source, tally: &Tally) -> Value {
    let source = match source {
        Source::Operators => "operators",
        Source::ById => "by_id",
        Source::Scheduled(_) => "scheduled",
    };
    json!({
        "source": source,
        "requests": tally.requests,
        "key_hit_ratio": tally.per_request(tally.key_hits),
        "customer_hit_ratio": tally.per_request(tally.customer_hits),
        "warm_ratio": tally.per_request(tally.warm),
        "kv_reads_per_request": tally.per_request(tally.kv_reads()),
        "key_reads": tally.key_reads,
        "customer_reads": tally.customer_reads,
        "state_reads": tally.state_reads,
        "cold_reads": tally.cold_reads,
        "kv_writes_per_million": tally.per_request(tally.writes) * 1e6,
        "config_api_loads_per_million": tally.per_request(tally.loads) * 1e6,
        "runs_of_the_refresh": tally.runs,
        "kv_usd_per_million": PRICES.kv_per_million(tally),
        "keys_held": tally.keys_held,
        "customers_held": tally.customers_held,
    })
}

/// What the scheduled refresh took, for machines.
pub(crate) fn filling_to_json(filling: &Filling) -> Value {
    json!({
        "customers": filling.customers,
        "list_bytes": filling.list,
        "index_bytes": filling.index,
        "written_in_first_run": filling.first_run,
        "kv_calls_of_first_run": filling.calls,
        "runs_to_fill": filling.runs,
        "runs_to_make_the_index_anew": filling.runs_of_index,
        "kv_calls_unchanged_with_etag": filling.unchanged,
        "kv_calls_unchanged_without_etag": filling.unchanged_untagged,
    })
}

/// By the number of customers, under all three sources.
pub(crate) fn of_customers(rows: &[Row]) -> String {
    let Some(Row { scenario, .. }) = rows.first() else { return String::new() };
    let title = format!(
        "{} locations x {} isolates, {} requests/s, {} an isolate on average. Three figures are: operators / by \
         id / scheduled. $ of KV and loads are for a million requests; Workers itself takes {:.2}",
        scenario.colos,
        scenario.isolates,
        scenario.rate,
        scenario.rate_per_isolate(),
        PRICES.request,
    );
    let head = [
        "customers",
        "keys hit",
        "customers hit",
        "both hit",
        "KV reads a request",
        "of these cold",
        "config API loads",
        "$ of KV",
    ];
    let lines = rows.iter().map(|row| {
        let last = row.last();
        vec![
            row.scenario.customers.to_string(),
            percent(last.key_hits, last.requests),
            percent(last.customer_hits, last.requests),
            percent(last.warm, last.requests),
            row.reads(),
            percent(last.cold_reads, last.kv_reads()),
            row.loads(),
            row.price(),
        ]
    });
    table(&title, &head, lines)
}

/// By the traffic of an isolate and what it may hold.
pub(crate) fn of_traffic(rows: &[Row]) -> String {
    let head = [
        "requests/s an isolate",
        "each budget",
        "keys hit",
        "customers hit",
        "KV reads a request",
        "$ of KV",
        "keys held",
        "customers held",
    ];
    let lines = rows.iter().map(|row| {
        let last = row.last();
        vec![
            row.scenario.rate_per_isolate().to_string(),
            format!("{} MB", row.scenario.keys.budget >> 20),
            percent(last.key_hits, last.requests),
            percent(last.customer_hits, last.requests),
            row.reads(),
            row.price(),
            last.keys_held.to_string(),
            last.customers_held.to_string(),
        ]
    });
    table("A million customers, scheduled, by traffic and budget", &head, lines)
}

/// By how long records are fresh.
pub(crate) fn of_fresh(title: &str, rows: &[Row]) -> String {
    let head = [
        "keys fresh",
        "customers fresh",
        "keys hit",
        "customers hit",
        "KV reads a request",
        "config API loads",
        "$ of KV",
    ];
    let lines = rows.iter().map(|row| {
        let (last, scenario) = (row.last(), &row.scenario);
        vec![
            scenario.keys.policy.lifetimes.revalidate.to_string(),
            scenario.records.policy.lifetimes.fresh.to_string(),
            percent(last.key_hits, last.requests),
            percent(last.customer_hits, last.requests),
            row.reads(),
            row.loads(),
            row.price(),
        ]
    });
    table(title, &head, lines)
}

/// How many entries fit.
pub(crate) fn of_memory(scenario: &Scenario) -> String {
    let line = |name: &str, weight: usize, entry: u64| {
        let fit = [8, 16, 32].map(|size: u64| ((size << 20) / entry.max(1)).to_string());
        [name.to_owned(), weight.to_string(), entry.to_string()].into_iter().chain(fit).collect()
    };
    let lines = [
        line("keys", scenario.keys.weight, entry_weight(&scenario.keys)),
        line("customers", scenario.records.weight, entry_weight(&scenario.records)),
    ];
    let head = ["cache", "bytes a record", "bytes an entry", "in 8 MB", "in 16 MB", "in 32 MB"];
    table("Entries that fit", &head, lines.into_iter())
}

/// What one entry counts in a real cache.
fn entry_weight<T>(class: &Class<T>) -> u64 {
    let mut cache = Cache::new(class.budget, class.policy, 1);
    let (stored, now) = (Stored::Present(Rc::clone(&class.typical)), Timestamp::default());
    cache.store(Digest::of(b""), Loaded { stored, weight: class.weight, asked_at: now, as_of: now });
    cache.weight()
}

/// The scheduled refresh.
pub(crate) fn of_refresh(fillings: &[Filling]) -> String {
    let head = [
        "customers",
        "list, bytes",
        "index, bytes",
        "written in the first run",
        "its KV calls",
        "runs to fill",
        "runs to make the index anew",
        "KV calls if unchanged: 304 / 200",
    ];
    let lines = fillings.iter().map(|filling| {
        vec![
            filling.customers.to_string(),
            filling.list.to_string(),
            filling.index.to_string(),
            filling.first_run.to_string(),
            filling.calls.to_string(),
            filling.runs.to_string(),
            filling.runs_of_index.to_string(),
            format!("{} / {}", filling.unchanged, filling.unchanged_untagged),
        ]
    });
    table("The scheduled refresh", &head, lines)
}

fn table(title: &str, head: &[&str], lines: impl Iterator<Item = Vec<String>>) -> String {
    let mut text = format!("{title}\n\n| {} |\n|{}\n", head.join(" | "), " ---: |".repeat(head.len()));
    for line in lines {
        text.push_str(&format!("| {} |\n", line.join(" | ")));
    }
    text
}

#[allow(clippy::cast_precision_loss)] // far below 2^53
fn percent(part: u64, whole: u64) -> String {
    format!("{:.1} %", part as f64 / whole.max(1) as f64 * 100.0)
}
