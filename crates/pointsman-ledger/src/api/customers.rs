//! Customers. An operator's record hides what the config API says; without one, that counts again.

use pointsman_core::{base::object::parse_object, identity::customer_id::CustomerId};
use serde_json::{Map, Value, json};

use crate::{
    api::{
        Answered, Reply, body,
        caller::{Caller, in_seconds},
        change::{Asked, Outcome, Step},
        condition::etag,
        members,
        problem::Problem,
    },
    commit::Edit,
    ledger::Ledger,
    listing::{OperatorRecord, ProviderRecord},
    record::Record,
    rows::Entry,
    storage::Storage,
};

impl<S: Storage> Ledger<S> {
    /// The reply that shows one customer.
    pub(crate) fn show_customer(&self, caller: &Caller, id: &CustomerId) -> Answered {
        caller.need_customer(id.as_str())?;
        let record = self.customer(id).ok_or(Problem::NotFound)?;
        Ok(reply(id.as_str(), record))
    }

    pub(crate) fn customer_reply(&self, id: &str) -> Reply {
        let record = CustomerId::parse(id).and_then(|id| self.customer(&id)).unwrap_or_default();
        reply(id, record)
    }

    /// A customer as replies have it; `None` where nothing is known of it.
    pub(crate) fn customer_item(&self, id: &str) -> Option<Value> {
        let record = self.customer(&CustomerId::parse(id)?)?;
        Some(item(id, record.operator.map(Into::into).as_ref(), record.provider.map(Into::into).as_ref()))
    }

    /// What is known of a customer, where anything is.
    fn customer(&self, id: &CustomerId) -> Option<Record> {
        let record = self.record(&Entry::Customer(id.clone()).record_key())?;
        (record.operator.is_some() || record.provider.is_some()).then_some(record)
    }

    pub(crate) fn plan_customer(
        &self,
        caller: &Caller,
        id: &CustomerId,
        asked: &Asked<'_>,
    ) -> Answered<Step> {
        caller.need_customer(id.as_str())?;
        let record = body::object(asked.body, asked.content_type, false)?;
        let version = self.version(&Entry::Customer(id.clone()));
        asked.condition.check(version)?;
        // An end that KV gives the record was meant: a whole record in its place does not take that away.
        let held = self.customer(id).and_then(|record| record.operator);
        self.put_customer(id, record, held.and_then(|held| held.expires), version == 0)
    }

    pub(crate) fn plan_customer_patch(
        &self,
        caller: &Caller,
        id: &CustomerId,
        asked: &Asked<'_>,
    ) -> Answered<Step> {
        caller.need_customer(id.as_str())?;
        let patch = body::object(asked.body, asked.content_type, true)?;
        let held = self.customer(id).and_then(|record| record.operator).ok_or(Problem::NotFound)?;
        asked.condition.check(held.version)?;
        let mut record = parse_object(held.text.as_bytes()).map_err(|_| {
            let what = "the record that is stored cannot be read: PUT a whole one in its place, or remove it";
            Problem::Conflict("record-malformed", what.to_owned())
        })?;
        body::merge(&mut record, patch);
        self.put_customer(id, record, held.expires, false)
    }

    fn put_customer(
        &self,
        id: &CustomerId,
        mut record: Map<String, Value>,
        expires: Option<u64>,
        is_new: bool,
    ) -> Answered<Step> {
        record.entry("customerId").or_insert_with(|| json!(id.as_str()));
        let json = Value::Object(record).to_string();
        let faults = Entry::Customer(id.clone()).check(&json, self.settings.allow_http());
        if !faults.is_empty() {
            return Err(Problem::Invalid(faults.into_iter().map(Into::into).collect()));
        }
        let id = id.as_str().to_owned();
        let edit = Edit::PutCustomer { id: id.clone(), json, expires, expected: None };
        Ok(Step { edits: vec![edit], outcome: Outcome::Customer { id, is_new } })
    }

    pub(crate) fn plan_customer_end(
        &self,
        caller: &Caller,
        id: &CustomerId,
        asked: &Asked<'_>,
    ) -> Answered<Step> {
        caller.need_customer(id.as_str())?;
        let held = self.customer(id).and_then(|record| record.operator).ok_or(Problem::NotFound)?;
        asked.condition.check(held.version)?;
        let edit = Edit::RemoveCustomer { id: id.as_str().to_owned(), expected: None };
        Ok(Step { edits: vec![edit], outcome: Outcome::Made })
    }
}

fn reply(id: &str, record: Record) -> Reply {
    let operator = record.operator.map(OperatorRecord::from);
    let reply = Reply::ok(item(id, operator.as_ref(), record.provider.map(Into::into).as_ref()));
    // Without an operator's record there is nothing to be changed that a tag could be of.
    match operator {
        Some(held) => reply.with("etag", etag(held.version)),
        None => reply,
    }
}

/// A customer as replies have it.
pub(crate) fn item(id: &str, operator: Option<&OperatorRecord>, provider: Option<&ProviderRecord>) -> Value {
    let shown = |text: &str| parse_object(text.as_bytes()).map_or_else(|_| json!(text), Value::Object);
    let provider = provider.map(|provided| {
        members([
            ("record", (!provided.text.is_empty()).then(|| shown(&provided.text))),
            ("malformed", provided.malformed.then_some(Value::Bool(true))),
        ])
    });
    let expires = operator.and_then(|held| held.expires).map(|seconds| in_seconds(seconds).to_string());
    members([
        ("id", Some(json!(id))),
        ("version", operator.map(|held| json!(held.version))),
        ("record", operator.map(|held| shown(&held.text))),
        ("storeExpiresAt", expires.map(Value::from)),
        ("provider", provider),
    ])
}
