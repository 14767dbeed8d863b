//! Many changes at once.

use serde_json::{Value, json};

use super::{ACME, ALL, Api, digest, holds, pointers};

fn put(customer: &str) -> Value {
    json!({ "method": "PUT", "path": format!("/v1/customers/{customer}"), "body": { "backendUrl": "https://c.example.com" } })
}

fn make(customer: &str) -> Value {
    let body = json!({ "prefix": "sk_test", "subject": "s", "claims": { "customerId": customer } });
    json!({ "method": "POST", "path": "/v1/keys", "body": body })
}

#[test]
fn all_changes_are_made_and_each_is_answered() {
    let mut api = Api::new();
    let body = json!({ "operations": [put("a"), make("a"), make("a")] });
    let again = [("idempotency-key", "bulk-1")];
    let first = api.call(ALL, "POST /bulk", &again, &body);
    assert_eq!(first.status, 200, "{first:?}");
    let results = first.body["results"].as_array().unwrap();
    assert_eq!(results.iter().map(|result| &result["status"]).collect::<Vec<_>>(), [201, 201, 201]);
    let keys: Vec<_> = results[1..].iter().map(|result| result["body"]["key"].as_str().unwrap()).collect();
    assert_ne!(keys[0], keys[1]);
    assert_eq!(results[1]["body"]["id"], digest(keys[0]));
    assert!(keys.iter().all(|key| !holds(&api.database(), key)));
    let second = api.call(ALL, "POST /bulk", &again, &body);
    assert_eq!(first.body, second.body);
    assert_eq!(api.ok(ALL, "GET /keys?customer=a", &Value::Null)["keys"].as_array().unwrap().len(), 2);
}

#[test]
fn one_fault_and_nothing_is_done() {
    let mut api = Api::new();
    let before = api.world.ledger.revision();
    let mut refused = |key: &str, operations: Value| {
        let reply = api.call(key, "POST /bulk", &[], &json!({ "operations": operations }));
        assert!(reply.status >= 400, "{reply:?}");
        (reply.status, pointers(&reply).join(" "))
    };
    let bad = json!({ "method": "PUT", "path": "/v1/customers/b", "body": { "backendUrl": "ftp://b" } });
    assert_eq!(refused(ALL, json!([put("a"), bad])), (422, "/operations/1/body/backendUrl".to_owned()));
    assert_eq!(refused(ALL, json!([put("a"), put("a")])), (422, "/operations/1".to_owned()));
    assert_eq!(refused(ACME, json!([put("acme"), put("wayne")])), (422, "/operations/1/path".to_owned()));
    assert_eq!(refused(ACME, json!([make("acme"), make("wayne")])), (403, "/operations/1/body".to_owned()));
    let gone = json!({ "method": "DELETE", "path": "/v1/customers/nobody" });
    assert_eq!(refused(ALL, json!([put("a"), gone])), (422, "/operations/1/path".to_owned()));
    let unmet = json!({ "method": "PUT", "path": "/v1/customers/b", "body": { "backendUrl": "https://b.example.com" }, "ifMatch": "\"7\"" });
    assert_eq!(refused(ALL, json!([put("a"), unmet])).0, 412);
    for (operation, pointer) in [
        (json!(7), "/operations/0"),
        (json!({ "path": "/v1/keys" }), "/operations/0/method"),
        (json!({ "method": "POST" }), "/operations/0/path"),
        (json!({ "method": "GET", "path": "/v1/keys" }), "/operations/0/method"),
        (json!({ "method": "POST", "path": "/v1/bulk" }), "/operations/0/path"),
        (json!({ "method": "POST", "path": "/v1/keys", "body": [] }), "/operations/0/body"),
        (json!({ "method": "POST", "path": "/v1/keys", "headers": {} }), "/operations/0/headers"),
        (json!({ "method": "PUT", "path": "/v1/customers/a", "ifMatch": 1 }), "/operations/0/ifMatch"),
        (
            json!({ "method": "PUT", "path": "/v1/customers/a", "ifNoneMatch": true }),
            "/operations/0/ifNoneMatch",
        ),
        (
            json!({ "method": "POST", "path": "/v1/revocations", "body": { "issuer": "i", "jti": "a", "until": "2001-01-01T00:00:00Z" } }),
            "/operations/0/body/until",
        ),
    ] {
        assert_eq!(refused(ALL, json!([operation])), (422, pointer.to_owned()));
    }
    assert_eq!(refused(ALL, json!([])), (422, "/operations".to_owned()));
    let many: Vec<Value> = (0..501).map(|number| put(&format!("c-{number}"))).collect();
    assert_eq!(refused(ALL, Value::Array(many)).0, 413);
    assert_eq!(api.world.ledger.revision(), before);
    assert!(api.ok(ALL, "GET /customers", &Value::Null)["customers"].as_array().unwrap().is_empty());
}

#[test]
fn five_hundred_are_made_at_once() {
    let mut api = Api::new();
    let many: Vec<Value> = (0..500).map(|number| put(&format!("c-{number}"))).collect();
    let reply = api.ok(ALL, "POST /bulk", &json!({ "operations": many }));
    assert_eq!(reply["results"].as_array().unwrap().len(), 500);
}

#[test]
fn what_is_wrong_names_its_operation_and_a_condition_where_none_is_looked_at_is_refused() {
    let mut api = Api::new();
    api.root("reader", &json!({ "scopes": ["customers.write"] }));
    let refused = api.call("reader", "POST /bulk", &[], &json!({ "operations": [put("a"), make("a")] }));
    assert_eq!((refused.status, &refused.body["operation"]), (403, &json!(1)));
    let unread = json!({ "method": "PUT", "path": "/v1/customers/b", "body": {}, "ifMatch": "7" });
    let refused = api.call(ALL, "POST /bulk", &[], &json!({ "operations": [put("a"), unread] }));
    assert_eq!((refused.status, &refused.body["operation"]), (400, &json!(1)));
    let body = json!({ "operations": [put("a")] });
    assert_eq!(api.call(ALL, "POST /bulk", &[("if-match", "\"1\"")], &body).status, 400);
    let until = json!({ "issuer": "i", "jti": "a", "until": "2099-01-01T00:00:00Z" });
    assert_eq!(api.call(ALL, "POST /revocations", &[("if-match", "*")], &until).status, 400);
}

#[test]
fn three_hundred_keys_are_rolled_at_once() {
    let mut api = Api::new();
    let many: Vec<Value> = (0..300).map(|_| make("a")).collect();
    let made = api.ok(ALL, "POST /bulk", &json!({ "operations": many }));
    let roll = |result: &Value| {
        let path = format!("/v1/keys/{}/roll", result["body"]["id"].as_str().unwrap());
        json!({ "method": "POST", "path": path, "body": { "grace": "1h" } })
    };
    let rolls: Vec<Value> = made["results"].as_array().unwrap().iter().map(roll).collect();
    let rolled = api.ok(ALL, "POST /bulk", &json!({ "operations": rolls }));
    assert_eq!(rolled["results"].as_array().unwrap().len(), 300);
}
