//! Pages of keys and customers.

use std::collections::BTreeSet;

use pointsman_core::{base::time::Timestamp, directory::bytes::hex};
use serde_json::Value;

use crate::{
    api::{Answered, Reply, body::Query, caller::Caller, cursor, customers, keys, members, problem::Problem},
    ledger::Ledger,
    listing::{CustomerCursor, CustomerQuery, KeyQuery},
    storage::Storage,
    wire::from_hex,
};

impl<S: Storage> Ledger<S> {
    /// A page of the keys that the root key reaches. One that is limited to several customers asks for one of them.
    pub(crate) fn list_keys(&self, caller: &Caller, query: &[(String, String)], now: Timestamp) -> Answered {
        let query = Query::of(query, &["customer", "subject", "cursor", "limit"])?;
        let limit = query.limit()?;
        let secret = self.secret();
        let behind = read_cursor(&query, |text| cursor::open(&secret, text))?;
        let customer = match (query.get("customer"), caller.root.customers()) {
            (Some(id), _) => {
                caller.need_customer(id)?;
                Some(id)
            }
            (None, None) => None,
            (None, Some(limit)) if limit.len() == 1 => limit.first().map(String::as_str),
            (None, Some(_)) => {
                let what = "the root key is limited to some customers: say which one with ?customer=";
                return Err(Problem::Unreadable(what.to_owned()));
            }
        };
        let page = self.keys_page(&KeyQuery { customer, subject: query.get("subject"), behind, limit });
        // A page that is short, or empty, says by `next` whether more may follow.
        let shown: Vec<Value> = page
            .items
            .iter()
            .filter(|item| self.reaches_text(caller, &item.operator.text))
            .map(|item| keys::item(&item.digest, &item.operator, item.leaked.as_ref(), now))
            .collect();
        Ok(listed("keys", shown, page.next.map(|next| cursor::close(&secret, &next))))
    }

    /// A page of the customers that the root key reaches, by id.
    pub(crate) fn list_customers(&self, caller: &Caller, query: &[(String, String)]) -> Answered {
        let query = Query::of(query, &["prefix", "cursor", "limit"])?;
        let limit = query.limit()?;
        if let Some(own) = caller.root.customers() {
            return self.list_own_customers(own, &query, limit);
        }
        let behind = read_cursor(&query, CustomerCursor::parse)?;
        let page = self.customers_page(&CustomerQuery { prefix: query.get("prefix"), behind, limit });
        let shown = page
            .items
            .iter()
            .map(|item| customers::item(&item.id, item.operator.as_ref(), item.provider.as_ref()));
        Ok(listed("customers", shown.collect(), page.next.map(|next| next.to_string())))
    }

    /// A page of those that a root key is limited to. No page leads past any other.
    fn list_own_customers(&self, own: &BTreeSet<String>, query: &Query<'_>, limit: usize) -> Answered {
        let behind = read_cursor(query, |text| String::from_utf8(from_hex(text)?).ok())?.unwrap_or_default();
        let prefix = query.get("prefix").unwrap_or_default();
        let mut found = own
            .iter()
            .filter(|id| **id > behind && id.starts_with(prefix))
            .filter_map(|id| Some((id, self.customer_item(id)?)));
        let page: Vec<(&String, Value)> = found.by_ref().take(limit).collect();
        let last = page.last().map(|(id, _)| hex(id.as_bytes()));
        let next = last.filter(|_| found.next().is_some());
        Ok(listed("customers", page.into_iter().map(|(_, item)| item).collect(), next))
    }
}

fn listed(name: &str, items: Vec<Value>, next: Option<String>) -> Reply {
    Reply::ok(members([(name, Some(Value::Array(items))), ("next", next.map(Value::from))]))
}

fn read_cursor<C>(query: &Query<'_>, parse: impl Fn(&str) -> Option<C>) -> Answered<Option<C>> {
    let Some(text) = query.get("cursor") else { return Ok(None) };
    parse(text).map(Some).ok_or_else(|| {
        Problem::Unreadable("cursor must be the next of the page before, or be left out".to_owned())
    })
}
