//! What counts as not there in a record: one table, which the console's tests read too.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use pointsman_core::{
    base::record::RecordError,
    customer::{backend_url::AllowHttp, record::CustomerConfig},
    identity::{api_key::KeyConfig, customer_id::CustomerId},
};
use pointsman_testkit::json;

/// Where a fault is. What is missing has no place of its own, so its name stands for that.
fn place(error: &RecordError) -> String {
    let missing = error.what.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
    match missing {
        Some(name) => format!("{}/{name}", error.pointer),
        None if error.pointer.is_empty() => "/backendUrl".to_owned(),
        None => error.pointer.clone(),
    }
}

#[test]
fn null_counts_as_not_there_in_every_record() {
    let id = CustomerId::parse("acme-corp").unwrap();
    let table = json("fixtures/records.json");
    assert!(table.as_array().unwrap().len() > 40);
    for entry in table.as_array().unwrap() {
        let record = entry["record"].as_str().unwrap();
        let fault = match entry["kind"].as_str().unwrap() {
            "key" => KeyConfig::parse(record.as_bytes()).err(),
            "customer" => CustomerConfig::parse(record.as_bytes(), &id, AllowHttp::Never).err(),
            other => panic!("{other}"),
        };
        assert_eq!(fault.as_ref().map(place).as_deref(), entry["fault"].as_str(), "{record}: {fault:?}");
    }
}
