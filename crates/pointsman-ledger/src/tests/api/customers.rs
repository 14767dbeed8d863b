//! Customers.

use serde_json::json;

use super::{ACME, ALL, Api};
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

#[test]
fn a_host_that_is_anothers_is_a_conflict_that_names_whom_the_root_key_reaches() {
    let mut api = Api::new();
    let body = |host: &str| json!({ "backendUrl": "https://c.example.com", "hosts": [host] });
    api.ok(ALL, "PUT /customers/wayne", &body("a.example"));
    let refused = api.call(ALL, "PUT /customers/acme", &[], &body("a.example"));
    assert_eq!(
        (refused.status, refused.body["title"].as_str()),
        (409, Some("The host is another customer's"))
    );
    assert!(refused.body["type"].as_str().unwrap().ends_with("host-taken"));
    let detail = refused.body["detail"].as_str().unwrap();
    assert_eq!(detail, "a.example is a host of the customer wayne: take it away there first");
    // A root key that is limited to others learns nothing of whose it is.
    let refused = api.call(ACME, "PUT /customers/acme", &[], &body("a.example"));
    assert_eq!(
        (refused.status, &refused.body["detail"]),
        (409, &json!("a.example is a host of another customer"))
    );
    let operation = |id: &str, host: &str| json!({ "method": "PUT", "path": format!("/v1/customers/{id}"), "body": body(host) });
    let both = [operation("acme", "x.example"), operation("stark", "a.example")];
    let refused = api.call(ALL, "POST /bulk", &[], &json!({ "operations": both }));
    assert_eq!((refused.status, &refused.body["operation"]), (409, &json!(1)));
    // In one call the host moves.
    let both = [operation("acme", "a.example"), operation("wayne", "w.example")];
    api.ok(ALL, "POST /bulk", &json!({ "operations": both }));
    let faulty = api.call(ALL, "PATCH /customers/acme", &[], &json!({ "hosts": ["A.example"] }));
    assert_eq!((faulty.status, &faulty.body["errors"][0]["pointer"]), (422, &json!("/hosts/0")));
}
