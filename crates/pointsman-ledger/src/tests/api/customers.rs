//! Customers.

use serde_json::json;

use super::{ALL, Api};
use crate::Edit;

#[test]
fn an_end_that_kv_gives_a_record_is_shown_and_outlives_the_record_in_its_place() {
    let mut api = Api::new();
    let (id, end) = ("acme".to_owned(), 4_102_444_800);
    let json = json!({ "customerId": "acme", "backendUrl": "https://one.example.com" }).to_string();
    api.world.commit(vec![Edit::PutCustomer { id, json, expires: Some(end), expected: None }]);
    let shown = "2100-01-01T00:00:00.000Z";
    assert_eq!(api.ok(ALL, "GET /customers/acme", &json!(null))["storeExpiresAt"], shown);
    api.ok(ALL, "PUT /customers/acme", &json!({ "backendUrl": "https://two.example.com" }));
    let after = api.ok(ALL, "GET /customers/acme", &json!(null));
    assert_eq!(after["storeExpiresAt"], shown);
    assert_eq!(after["record"]["backendUrl"], "https://two.example.com");
}
