//! Many changes at once: made together or not at all.

use std::collections::BTreeSet;

use pointsman_core::{base::time::Timestamp, directory::record_key::RecordKey};
use serde_json::{Map, Value, json};

use crate::{
    api::{
        Answered, ApiRequest, Fields, Reply, body, call::Change, caller::Caller, change::Asked,
        condition::Condition, members, mint::Mint, problem::Problem, with_revision,
    },
    commit::{Edit, MOST_EDITS},
    ledger::{Ledger, RANDOM_BYTES},
    rows::Entry,
    storage::Storage,
};

impl<S: Storage> Ledger<S> {
    /// Makes all changes of a request.
    pub(crate) fn change_many(
        &mut self,
        caller: &Caller,
        request: &ApiRequest,
        now: Timestamp,
        random: [u8; RANDOM_BYTES],
    ) -> Answered {
        let carry_out = |ledger: &mut Self, mint: &Mint| {
            let operations = operations(request)?;
            Condition::of(&request.fields)?.needs_none()?;
            let mut edits = Vec::with_capacity(operations.len());
            // Of which operation each edit is.
            let mut owners = Vec::with_capacity(operations.len());
            let mut outcomes = Vec::with_capacity(operations.len());
            let mut touched = BTreeSet::new();
            for (index, operation) in operations.iter().enumerate() {
                let number = u32::try_from(index).unwrap_or(u32::MAX);
                let step = operation
                    .asked()
                    .and_then(|asked| {
                        caller.need(asked.change.scope())?;
                        ledger.plan(caller, &asked, mint, number, now)
                    })
                    .map_err(|problem| problem.of_operation(index))?;
                if step.edits.iter().filter_map(record_of).any(|record| !touched.insert(record)) {
                    let what = "is the second change of the same record: send it in another request";
                    return Err(Problem::invalid(format!("/operations/{index}"), what));
                }
                owners.extend(step.edits.iter().map(|_| index));
                edits.extend(step.edits);
                outcomes.push(step.outcome);
            }
            let revision = ledger.make(edits, caller, request, now).map_err(|(edit, problem)| {
                let owner = edit.and_then(|edit| owners.get(edit));
                owner.map_or(problem.clone(), |index| problem.of_operation(*index))
            })?;
            let mut minted = Vec::new();
            let mut results = Vec::with_capacity(outcomes.len());
            for (index, outcome) in outcomes.iter().enumerate() {
                let (reply, key) = ledger.shown(outcome, request, now);
                minted.extend(key.map(|key| (format!("/results/{index}/body/key"), key)));
                results.push(json!({ "status": reply.status, "body": brief(reply.body) }));
            }
            let body = members([("results", Some(Value::Array(results)))]);
            Ok((Reply::ok(with_revision(body, revision)), minted))
        };
        self.change_once(caller, request, now, random, Box::new(carry_out))
    }
}

/// What names a record and its version: five hundred whole records would be too much for one answer, and for what is kept of it.
fn brief(body: Value) -> Value {
    const MEMBERS: [&str; 3] = ["id", "version", "key"];
    match body {
        Value::Object(mut members) => {
            members.retain(|name, _| MEMBERS.contains(&name.as_str()));
            Value::Object(members)
        }
        other => other,
    }
}

/// One change of many.
struct Operation {
    change: Change,
    body: String,
    condition: Fields,
}

impl Operation {
    fn asked(&self) -> Answered<Asked<'_>> {
        let condition = Condition::of(&self.condition)?;
        let content_type = Some("application/json");
        Ok(Asked { change: &self.change, body: &self.body, content_type, condition })
    }
}

fn operations(request: &ApiRequest) -> Answered<Vec<Operation>> {
    let says = body::object(&request.body, request.fields.content_type.as_deref(), false)?;
    let list = match says.get("operations") {
        Some(Value::Array(list)) if says.len() == 1 => list,
        _ => {
            return Err(Problem::invalid("", "must be an object with a list of operations and nothing else"));
        }
    };
    if list.is_empty() {
        return Err(Problem::invalid("/operations", "must hold at least one operation"));
    }
    if list.len() > MOST_EDITS {
        return Err(Problem::TooMany(MOST_EDITS));
    }
    list.iter().enumerate().map(|(index, value)| operation(index, value)).collect()
}

fn operation(index: usize, value: &Value) -> Answered<Operation> {
    const MEMBERS: [&str; 5] = ["method", "path", "body", "ifMatch", "ifNoneMatch"];
    let at = |name: &str| format!("/operations/{index}{name}");
    let Value::Object(says) = value else {
        return Err(Problem::invalid(at(""), "must be an object with method, path and body"));
    };
    if let Some(name) = says.keys().find(|name| !MEMBERS.contains(&name.as_str())) {
        let pointer = at(&format!("/{}", pointsman_core::base::shape::escape(name)));
        return Err(Problem::invalid(pointer, format!("is unknown: expected one of {}", MEMBERS.join(", "))));
    }
    let text = |name: &str| says.get(name).and_then(Value::as_str).map(str::to_owned);
    let method = text("method").ok_or_else(|| Problem::invalid(at("/method"), "must be a method"))?;
    let path = text("path").ok_or_else(|| {
        Problem::invalid(at("/path"), "must be a path behind the API's, such as /v1/customers/acme")
    })?;
    let change = Change::of_operation(&method, &path).map_err(|problem| match problem {
        Problem::MethodNotAllowed(_) => Problem::invalid(at("/method"), "changes nothing at this path"),
        _ => Problem::invalid(at("/path"), "leads to nothing that can be changed"),
    })?;
    let body = match says.get("body") {
        None | Some(Value::Null) => "{}".to_owned(),
        Some(Value::Object(members)) => json_text(members),
        Some(_) => return Err(Problem::invalid(at("/body"), "must be an object")),
    };
    // A condition that is no text would else be none, and the change be made over another's.
    let tag = |name: &str| match says.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => {
            let what = r#"must be a text, as the field is: a version in quotes, such as "\"17\"""#;
            Err(Problem::invalid(at(&format!("/{name}")), what))
        }
    };
    let condition =
        Fields { if_match: tag("ifMatch")?, if_none_match: tag("ifNoneMatch")?, ..Fields::default() };
    Ok(Operation { change, body, condition })
}

fn json_text(members: &Map<String, Value>) -> String {
    serde_json::to_string(members).unwrap_or_default()
}

/// Which record an edit is of. Revocations of tokens add up.
fn record_of(edit: &Edit) -> Option<RecordKey> {
    match edit {
        Edit::PutKey { digest, .. } | Edit::RemoveKey { digest, .. } => {
            Entry::key(digest).map(|entry| entry.record_key())
        }
        Edit::PutCustomer { id, .. } | Edit::RemoveCustomer { id, .. } => {
            Entry::customer(id).map(|entry| entry.record_key())
        }
        Edit::RevokeToken(_) | Edit::AllowToken { .. } => None,
    }
}
