//! The life of a key.

use serde_json::{Value, json};

use super::{ACME, ALL, Api, digest, field, holds, pointers};

fn body(customer: &str) -> Value {
    json!({ "prefix": "sk_test", "subject": "ci", "claims": { "customerId": customer } })
}

#[test]
fn a_key_is_made_shown_changed_rolled_and_revoked() {
    let mut api = Api::new();
    let made = api.call(ALL, "POST /keys", &[], &body("acme"));
    assert_eq!(made.status, 201);
    let key = made.body["key"].as_str().unwrap().to_owned();
    let id = made.body["id"].as_str().unwrap().to_owned();
    assert!(key.starts_with("sk_test_") && digest(&key) == id);
    assert_eq!(field(&made, "location"), Some(format!("/gateway/api/v1/keys/{id}").as_str()));
    assert_eq!(made.body["record"]["prefix"], "sk_test");
    assert!(made.body["record"]["createdAt"].is_string() && made.body["record"].get("key").is_none());
    assert_eq!(
        api.world.ask(&format!("key:{id}")).unwrap(),
        r#"{"subject":"ci","claims":{"customerId":"acme"}}"#
    );

    let line = format!("GET /keys/{id}");
    let shown = api.call(ALL, &line, &[], &Value::Null);
    assert_eq!((shown.status, shown.body.get("key")), (200, None));
    let tag = field(&shown, "etag").unwrap().to_owned();
    assert_eq!(field(&made, "etag"), Some(tag.as_str()));

    let patch = json!({ "name": "build", "claims": { "tier": "gold", "customerId": null } });
    let patched = api.call(ALL, &format!("PATCH /keys/{id}"), &[("if-match", &tag)], &patch);
    assert_eq!((patched.status, &patched.body["record"]["claims"]), (200, &json!({ "tier": "gold" })));

    let rolled = api.call(ALL, &format!("POST /keys/{id}/roll"), &[], &json!({ "grace": "24h" }));
    assert_eq!(rolled.status, 201, "{rolled:?}");
    assert_eq!(rolled.body["record"]["name"], "build");
    assert_eq!(rolled.body["old"]["id"], id);
    assert!(rolled.body["old"]["record"]["expiresAt"].is_string());
    let at_once = api.ok(ALL, &format!("POST /keys/{id}/roll"), &json!({ "grace": "0" }));
    assert_eq!(at_once["old"], json!({ "id": id }));
    assert_eq!(api.status(ALL, &line, &Value::Null), 404);
    assert_eq!(api.world.ask(&format!("key:{id}")), None);

    let new = rolled.body["id"].as_str().unwrap();
    assert_eq!(api.status(ALL, &format!("DELETE /keys/{new}"), &Value::Null), 200);
    assert_eq!(api.status(ALL, &format!("DELETE /keys/{new}"), &Value::Null), 404);
    assert_eq!(api.status(ALL, &format!("POST /keys/{new}/roll"), &json!({ "grace": "1h" })), 404);
}

#[test]
fn a_call_that_is_made_again_happens_once_and_is_answered_with_the_same_key() {
    let mut api = Api::new();
    let again = [("idempotency-key", "\"once\"")];
    let first = api.call(ALL, "POST /keys", &again, &body("acme"));
    api.world.restart();
    let second = api.call(ALL, "POST /keys", &[("idempotency-key", "once")], &body("acme"));
    assert_eq!((first.status, second.status), (201, 201));
    assert_eq!(first.body, second.body);
    assert_eq!(field(&second, "idempotent-replayed"), Some("true"));
    assert!(!holds(&api.database(), first.body["key"].as_str().unwrap()));
    let keys = api.ok(ALL, "GET /keys?customer=acme", &Value::Null);
    assert_eq!(keys["keys"].as_array().unwrap().len(), 1);

    let other = api.call(ALL, "POST /keys", &again, &body("wayne"));
    assert_eq!(
        (other.status, &other.body["type"]),
        (409, &json!("urn:pointsman:problem:idempotency-key-reused"))
    );
    let theirs = api.call(ACME, "POST /keys", &again, &body("acme"));
    assert_ne!(theirs.body["key"], first.body["key"], "a root key's operations are its own");
    // What was refused may be sent again, mended or not.
    let refused = api.call(ALL, "POST /keys", &[("idempotency-key", "two")], &json!({}));
    let mended = api.call(ALL, "POST /keys", &[("idempotency-key", "two")], &body("acme"));
    assert_eq!((refused.status, mended.status), (422, 201));
    for unusable in ["", "a b", "ü", &"x".repeat(129)] {
        let reply = api.call(ALL, "POST /keys", &[("idempotency-key", unusable)], &body("acme"));
        assert_eq!(reply.status, 400, "{unusable:?}");
    }
    api.world.now += 86_400_000;
    let later = api.call(ALL, "POST /keys", &again, &body("acme"));
    assert_ne!(later.body["key"], first.body["key"], "a day later it is another operation");
}

#[test]
fn faults_name_their_member_and_nothing_is_half_done() {
    let mut api = Api::new();
    let before = api.world.ledger.revision();
    for (body, pointer) in [
        (json!({ "prefix": "sk_test" }), ""),
        (json!({ "prefix": "sk_prod", "subject": "s" }), "/prefix"),
        (json!({ "subject": "s" }), "/prefix"),
        (json!({ "prefix": "sk_test", "subject": 7.5 }), "/subject"),
        (json!({ "prefix": "sk_test", "subject": "s", "expiresAt": "tomorrow" }), "/expiresAt"),
        (json!({ "prefix": "sk_test", "subject": "s", "expiresAt": "2020-01-01T00:00:00Z" }), "/expiresAt"),
        (json!({ "prefix": "sk_test", "subject": "s", "allowedIps": ["x"] }), "/allowedIps/0"),
        (json!({ "prefix": "sk_test", "subject": "s", "claim": {} }), "/claim"),
        (
            json!({ "prefix": "sk_test", "subject": "s", "root": { "scopes": ["all"] } }),
            concat!("/", "root", "/scopes/0"),
        ),
    ] {
        let reply = api.call(ALL, "POST /keys", &[], &body);
        assert_eq!(reply.status, 422, "{body}");
        assert_eq!(pointers(&reply), [pointer], "{body}");
    }
    let id = digest("elsewhere");
    for (line, body, status) in [
        (format!("POST /keys/{id}/roll"), json!({}), 404),
        (format!("PATCH /keys/{id}"), json!({}), 404),
        (format!("PUT /keys/{}", "A".repeat(64)), json!({ "subject": "s" }), 404),
        ("PUT /keys/sk_test_x".to_owned(), json!({ "subject": "s" }), 404),
    ] {
        assert_eq!(api.status(ALL, &line, &body), status, "{line}");
    }
    assert_eq!(api.world.ledger.revision(), before);
    let made = api.ok(ALL, "POST /keys", &body("acme"));
    let roll = format!("POST /keys/{}/roll", made["id"].as_str().unwrap());
    for (says, pointer) in [
        (json!({}), "/grace"),
        (json!({ "grace": 5 }), "/grace"),
        (json!({ "grace": "400d" }), "/grace"),
        (json!({ "grace": "1h", "expiresAt": 7 }), "/expiresAt"),
        (json!({ "grace": "1h", "expiresAt": "2020-01-01T00:00:00Z" }), "/expiresAt"),
        (json!({ "grace": "1h", "name": "x" }), "/name"),
    ] {
        let reply = api.call(ALL, &roll, &[], &says);
        assert_eq!((reply.status, pointers(&reply)), (422, vec![pointer]), "{says}");
    }
    api.ok(ALL, &format!("PATCH /keys/{}", made["id"].as_str().unwrap()), &json!({ "disabled": true }));
    assert_eq!(api.status(ALL, &roll, &json!({ "grace": "1h" })), 409);
}

#[test]
fn a_key_that_was_made_elsewhere_is_taken_in_by_its_digest() {
    let mut api = Api::new();
    let line = format!("PUT /keys/{}", digest("from another system"));
    let record = json!({ "subject": "old", "claims": { "customerId": "acme" } });
    assert_eq!(api.call(ALL, &line, &[("if-none-match", "*")], &record).status, 201);
    assert_eq!(api.call(ALL, &line, &[("if-none-match", "*")], &record).status, 412);
    assert_eq!(api.call(ALL, &line, &[], &record).status, 200);
    assert_eq!(api.call(ALL, &line, &[("content-type", "text/plain")], &record).status, 415);
    // Of what it began with nothing is known, so whoever rolls it says which prefix the new one is to have.
    let roll = format!("POST /keys/{}/roll", digest("from another system"));
    let unknown = api.call(ALL, &roll, &[], &json!({ "grace": "0" }));
    assert_eq!((unknown.status, pointers(&unknown)), (422, vec!["/prefix"]));
    let rolled = api.ok(ALL, &roll, &json!({ "grace": "0", "prefix": "sk_live" }));
    assert!(rolled["key"].as_str().unwrap().starts_with("sk_live_"));
}

#[test]
fn keys_are_listed_by_customer_and_subject_page_by_page() {
    let mut api = Api::new();
    for number in 0..25 {
        let customer = if number % 5 == 0 { "wayne" } else { "acme" };
        let body = json!({ "prefix": "sk_test", "subject": format!("ci-{}", number % 3), "claims": { "customerId": customer } });
        api.ok(ALL, "POST /keys", &body);
    }
    let mut listed = |key: &str, query: &str| {
        let mut found = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = api.ok(key, &format!("GET /keys?limit=4{query}{cursor}"), &Value::Null);
            let items = page["keys"].as_array().unwrap();
            assert!(items.len() <= 4 && items.iter().all(|item| item.get("key").is_none()));
            found.extend(items.iter().map(|item| item["id"].as_str().unwrap().to_owned()));
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        let count = found.len();
        found.sort();
        found.dedup();
        assert_eq!(found.len(), count, "none is listed twice");
        count
    };
    assert_eq!(listed(ALL, ""), 25 + 2, "root keys among them");
    assert_eq!(listed(ALL, "&customer=wayne"), 5);
    assert_eq!(listed(ALL, "&subject=ci-0"), 9);
    assert_eq!(listed(ALL, "&customer=acme&subject=ci-0"), 7);
    assert_eq!(listed(ACME, ""), 20);
    assert_eq!(listed(ALL, "&customer=nobody"), 0);
    for query in ["cursor=zz", "limit=0", "limit=x", "offset=1", "limit=1&limit=2"] {
        assert_eq!(api.status(ALL, &format!("GET /keys?{query}"), &Value::Null), 400, "{query}");
    }
    assert_eq!(api.status(ACME, "GET /keys?customer=wayne", &Value::Null), 404);
}

#[test]
fn a_digest_that_begins_as_a_keys_is_not_that_key() {
    let mut api = Api::new();
    let id = api.ok(ALL, "POST /keys", &body("acme"))["id"].as_str().unwrap().to_owned();
    let alias = format!("{}{}", &id[..32], "0".repeat(32));
    for (line, says) in [
        (format!("GET /keys/{alias}"), Value::Null),
        (format!("PATCH /keys/{alias}"), json!({ "disabled": true })),
        (format!("DELETE /keys/{alias}"), Value::Null),
    ] {
        assert_eq!(api.status(ALL, &line, &says), 404, "{line}");
    }
    assert_eq!(api.status(ALL, &format!("PUT /keys/{alias}"), &json!({ "subject": "s" })), 409);
    assert_eq!(api.status(ALL, &format!("GET /keys/{id}"), &Value::Null), 200);
}

#[test]
fn what_somebody_has_made_by_hand_meanwhile_is_seen_before_a_record_is_written() {
    let mut api = Api::new();
    let name = format!("key:{}", digest("by hand"));
    let theirs = r#"{"subject":"theirs"}"#;
    let line = format!("PUT /keys/{}", digest("by hand"));
    let mut first = super::request(ALL, &line, &[("if-none-match", "*")], &json!({ "subject": "ours" }));
    first.was_read = false;
    assert_eq!(api.send(&first), crate::ApiAnswer::Read(name.clone()));
    let at = api.world.at();
    api.world.ledger.took_from_kv(&name, Some(theirs), None, at);
    assert_eq!(api.call(ALL, &line, &[("if-none-match", "*")], &json!({ "subject": "ours" })).status, 412);
}
