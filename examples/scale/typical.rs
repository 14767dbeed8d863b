//! What is typical: records, and the configuration whose defaults are reckoned with.

use std::{collections::HashMap, rc::Rc};

use pointsman_core::{
    base::time::Span,
    customer::{backend_url::AllowHttp, record::CustomerConfig},
    identity::{customer_id::CustomerId, key_record::KeyConfig},
    state::config::Gateway,
};

use crate::model::{Class, Scenario, Source};

/// A configuration that says nothing but what it must. The list may be
/// as large as any that is read.
const CONFIGURATION: &str = r#"{
  "api_keys": { "prefixes": ["sk_live"] },
  "customers": { "source": { "url": "https://config.example.com/customers", "token": "secret", "max_size": "32MB" } },
  "routes": [{ "path": "/{+path}", "auth": ["api_key"], "rules": [{ "name": "customer", "to": "customer" }] }]
}"#;

/// Where that has the config API's list.
pub(crate) const CONFIG_API: &str = "https://config.example.com/customers";

/// The checked configuration.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn gateway() -> Result<Gateway, String> {
    match pointsman_config::parse(CONFIGURATION, &HashMap::new()) {
        Ok(checked) => Ok(checked.gateway),
        Err(findings) => Err(format!("{findings:?}")),
    }
}

/// The id of a customer.
#[must_use]
pub(crate) fn id(rank: u64) -> String {
    format!("customer-{rank:07}")
}

/// A customer's entry in the config API's list, as JSON.
#[must_use]
pub(crate) fn entry(rank: u64) -> String {
    format!(
        r#"{{"customerId":"{id}","environmentName":"c{rank:07}","backendUrl":"https://c{rank:07}.tenants.example.com"}}"#,
        id = id(rank)
    )
}

/// The same as KV holds it after a refresh.
pub(crate) fn refreshed(rank: u64) -> String {
    let entry = entry(rank);
    let members = entry.strip_suffix('}').unwrap_or(&entry);
    format!(r#"{members},"fetchedAt":"2026-07-30T12:00:00.000Z","generation":1,"scheduled":true}}"#)
}

/// The record of an API key, as `pointsman keys create` prints it.
#[must_use]
pub(crate) fn key_record(rank: u64) -> String {
    format!(
        r#"{{"subject":"c{rank:07}-ci","claims":{{"customerId":"{id}"}},"name":"CI","createdAt":"2026-07-30T12:00:00Z"}}"#,
        id = id(rank)
    )
}

/// A scenario of this many customers with everything else as documented: 5 locations with 4 isolates
/// each, locations and customers both uneven as Zipf has it, isolates that live for half an hour.
///
/// # Errors
/// Where the configuration or a typical record is not accepted.
pub(crate) fn scenario(seed: u64, customers: u64, source: Source) -> Result<Scenario, String> {
    let gateway = gateway()?;
    let (rank, missing) = (1, || "a part of the configuration is missing".to_owned());
    let record = entry(rank);
    let customer = CustomerId::parse(&id(rank)).ok_or_else(missing)?;
    let customer = CustomerConfig::parse(record.as_bytes(), &customer, AllowHttp::Never)
        .map_err(|error| error.to_string())?;
    let key = KeyConfig::parse(key_record(rank).as_bytes()).map_err(|error| error.to_string())?;
    Ok(Scenario {
        seed,
        customers,
        exponent: 1.0,
        colos: 5,
        colo_exponent: 1.0,
        isolates: 4,
        rate: 400.0,
        lifetime: Some(Span::from_secs(1800)),
        warm_up: Span::from_secs(3600),
        measured: Span::from_secs(3600),
        source,
        keys: Class {
            policy: *gateway.api_keys().ok_or_else(missing)?.policy(),
            budget: gateway.budgets().keys,
            weight: key.weight(),
            typical: Rc::new(key),
        },
        records: Class {
            policy: gateway.customers().ok_or_else(missing)?.policy,
            budget: gateway.budgets().customers,
            weight: customer.weight(),
            typical: Rc::new(customer),
        },
    })
}
