//! What KV holds of customers, under an operator's name and under the config API's.

use std::collections::BTreeMap;

use pointsman_core::{identity::customer_id::CustomerId, state::config::Gateway};
use serde_json::{Value, json};

use crate::{
    ending::Failure,
    records::{Kind, is_left_over, own_name, refreshed_name},
    store::{Kv, read_all},
};

/// What KV holds of one customer.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Known {
    /// An operator's own record. Where there is one, it counts.
    pub(super) own: Option<String>,
    /// What the config API says.
    pub(super) refreshed: Option<String>,
    /// Whether that stands under the operator's name.
    pub(super) left_over: bool,
}

impl Known {
    /// What stands under both names. A record that a refresh left under the operator's counts as the config
    /// API's, where that has none under its own.
    fn of(own: Option<String>, refreshed: Option<String>) -> Self {
        match own {
            Some(left_over) if is_left_over(&left_over) => {
                let counts = refreshed.is_none();
                Self { own: None, refreshed: refreshed.or(Some(left_over)), left_over: counts }
            }
            own => Self { own, refreshed, left_over: false },
        }
    }

    /// The record that counts at the gateway.
    pub(super) fn counts(&self) -> Option<&str> {
        self.own.as_deref().or(self.refreshed.as_deref())
    }
}

/// Whether the gateway reads what the config API says. Where no configuration is at hand it may.
pub(super) fn has_source(gateway: Option<&Gateway>) -> bool {
    gateway.is_none_or(|gateway| gateway.customers().is_some_and(|all| all.source.is_some()))
}

/// All customers that KV knows whose id begins so, by id; of the config API's only with `source`. Out of KV's listing where
/// that shows them, unless `verify` says otherwise.
///
/// # Errors
/// Where KV could not be read.
pub(super) fn all(
    kv: &dyn Kv,
    id: &str,
    source: bool,
    verify: bool,
) -> Result<BTreeMap<String, Known>, Failure> {
    let mut both = Both::new();
    let is_own = |name: &str| Kind::of(name) == Some(Kind::Customer);
    let own = format!("{}{id}", Kind::Customer.prefix());
    read_all(kv, &own, verify, &is_own, &mut |name, value| note(&mut both, name, value))?;
    if source {
        let is_refreshed = |name: &str| own_name(name).is_some();
        let refreshed = format!("{}{id}", CustomerId::REFRESHED_PREFIX);
        read_all(kv, &refreshed, verify, &is_refreshed, &mut |name, value| note(&mut both, name, value))?;
    }
    Ok(known(both))
}

/// What KV holds of these customers, by id.
///
/// # Errors
/// Where KV could not be read.
pub(super) fn some(kv: &dyn Kv, ids: &[CustomerId]) -> Result<BTreeMap<String, Known>, Failure> {
    let names = ids.iter().flat_map(|id| [id.store_key(), id.refreshed_key()]);
    let mut known = read(kv, &names.collect::<Vec<_>>())?;
    for id in ids {
        known.entry(id.as_str().to_owned()).or_default();
    }
    Ok(known)
}

/// What stands under an operator's name, and under the config API's, by id.
type Both = BTreeMap<String, (Option<String>, Option<String>)>;

fn read(kv: &dyn Kv, names: &[String]) -> Result<BTreeMap<String, Known>, Failure> {
    let mut both = Both::new();
    kv.get_many(names, &mut |name, value| {
        // One that was deleted since it was listed.
        if let Some(value) = value {
            note(&mut both, name, value);
        }
        Ok(())
    })?;
    Ok(known(both))
}

fn note(both: &mut Both, name: &str, value: String) {
    let own = own_name(name);
    let named = own.as_deref().unwrap_or(name);
    let id = named.strip_prefix(Kind::Customer.prefix()).unwrap_or(named).to_owned();
    let (operators, refreshed) = both.entry(id).or_default();
    *(if own.is_some() { refreshed } else { operators }) = Some(value);
}

fn known(both: Both) -> BTreeMap<String, Known> {
    both.into_iter().map(|(id, (own, refreshed))| (id, Known::of(own, refreshed))).collect()
}

/// The record as JSON; one that is none stands as `malformed`.
pub(super) fn as_json(id: &str, text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(record @ Value::Object(_)) => record,
        _ => json!({ "customerId": id, "malformed": text }),
    }
}

/// Of these entries under operators' names those of customers of whom the config API's record stands beside
/// them.
///
/// # Errors
/// Where KV could not be read.
pub(crate) fn known_beside(kv: &dyn Kv, own: &[&str]) -> Result<Vec<String>, Failure> {
    /// With more, a listing is quicker.
    const FEW: usize = 100;
    let mut beside = Vec::new();
    if own.len() > FEW {
        let listed = kv.list(CustomerId::REFRESHED_PREFIX)?;
        let known: std::collections::HashSet<String> =
            listed.iter().filter_map(|listed| own_name(&listed.name)).collect();
        beside.extend(own.iter().filter(|name| known.contains(**name)).map(|name| (*name).to_owned()));
    } else {
        let names: Vec<String> = own.iter().filter_map(|name| refreshed_name(name)).collect();
        kv.get_many(&names, &mut |name, value| {
            beside.extend(value.and_then(|_| own_name(name)));
            Ok(())
        })?;
    }
    beside.sort_unstable();
    Ok(beside)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::memory::{Content, Memory};

    #[test]
    fn the_operators_record_counts_where_there_is_one() {
        let own = r#"{"customerId":"a","backendUrl":"https://own.example"}"#;
        let refreshed =
            r#"{"customerId":"a","backendUrl":"https://api.example","fetchedAt":"2026-01-01T00:00:00Z"}"#;
        let broken = r#"{"customerId":"a","fetchedAt":"#;
        for (operators, config_api, counts) in [
            (Some(own), Some(refreshed), Some(own)),
            (Some(broken), Some(refreshed), Some(broken)),
            (None, Some(refreshed), Some(refreshed)),
            // Left over: as long as there is nothing else.
            (Some(refreshed), None, Some(refreshed)),
            (Some(refreshed), Some("newer"), Some("newer")),
            (None, None, None),
        ] {
            let known = Known::of(operators.map(str::to_owned), config_api.map(str::to_owned));
            assert_eq!(known.counts(), counts);
        }
    }

    #[test]
    fn both_names_are_one_customer_whatever_its_id() {
        let mut content = Content::new();
        for name in [
            "customer:a",
            "source:customer:a",
            "source:customer:customer:b",
            "source:customers",
            "customer:source:customer:c",
        ] {
            content.insert(name.to_owned(), (name.to_owned(), None));
        }
        let all = all(&Memory::of(content), "", true, false).unwrap();
        let known: Vec<_> = all
            .iter()
            .map(|(id, known)| (id.as_str(), known.own.is_some(), known.refreshed.is_some()))
            .collect();
        assert_eq!(
            known,
            [("a", true, true), ("customer:b", false, true), ("source:customer:c", true, false)]
        );
    }
}
