//! Who changed what.

use pointsman_core::base::time::Timestamp;
use serde_json::{Value, json};

use crate::{
    api::{Answered, Reply, body::Query, caller::Caller, members, problem::Problem},
    ledger::Ledger,
    operation::Audit,
    storage::Storage,
};

impl<S: Storage> Ledger<S> {
    /// A page of the audit trail, oldest first. It concerns everybody.
    pub(crate) fn show_trail(&self, caller: &Caller, query: &[(String, String)]) -> Answered {
        caller.need_no_limit()?;
        let query = Query::of(query, &["after", "limit"])?;
        let limit = query.limit()?;
        let after = match query.get("after") {
            None => 0,
            Some(text) => text.parse().map_err(|_| {
                Problem::Unreadable("after must be the sequence of a line, or be left out".to_owned())
            })?,
        };
        let lines = self.audit(after, limit);
        let next = lines.last().filter(|_| lines.len() == limit).map(|line| json!(line.sequence.to_string()));
        Ok(Reply::ok(members([("lines", Some(lines.iter().map(line).collect())), ("next", next)])))
    }
}

fn line(line: &Audit) -> Value {
    let some = |text: &str| (!text.is_empty()).then(|| json!(text));
    members([
        ("sequence", Some(json!(line.sequence))),
        ("revision", Some(json!(line.revision))),
        ("at", Some(json!(Timestamp::from_millis(line.at).to_string()))),
        ("actor", Some(json!(line.actor))),
        ("from", some(&line.from)),
        ("found", some(&line.found)),
        ("operation", some(&line.operation)),
        ("action", Some(json!(line.action))),
        ("name", Some(json!(line.name))),
    ])
}
