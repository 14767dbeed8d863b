//! What a root key may do, as a table, with each call that is refused.

use serde_json::{Value, json};

use super::{ACME, ALL, Api, SCOPES, digest, pointers};

/// Each call with the scope that it needs.
fn calls(id: &str) -> Vec<(String, Value, &'static str)> {
    let until = json!({ "issuer": "i", "jti": "a", "until": "2099-01-01T00:00:00Z" });
    vec![
        ("GET /keys".to_owned(), Value::Null, "keys.read"),
        (format!("GET /keys/{id}"), Value::Null, "keys.read"),
        ("POST /keys".to_owned(), json!({ "prefix": "sk_test", "subject": "s" }), "keys.write"),
        (format!("PUT /keys/{id}"), json!({ "subject": "s", "prefix": "sk_test" }), "keys.write"),
        (format!("PATCH /keys/{id}"), json!({ "name": "n" }), "keys.write"),
        (
            format!("POST /keys/{id}/roll"),
            json!({ "grace": "1h", "expiresAt": "2098-01-01T00:00:00Z" }),
            "keys.write",
        ),
        (format!("DELETE /keys/{id}"), Value::Null, "keys.write"),
        ("GET /customers".to_owned(), Value::Null, "customers.read"),
        ("PUT /customers/c".to_owned(), json!({ "backendUrl": "https://c.example.com" }), "customers.write"),
        ("GET /customers/c".to_owned(), Value::Null, "customers.read"),
        ("PATCH /customers/c".to_owned(), json!({ "disabled": true }), "customers.write"),
        ("DELETE /customers/c".to_owned(), Value::Null, "customers.write"),
        ("POST /revocations".to_owned(), until, "revocations.write"),
        ("POST /revocations/lift".to_owned(), json!({ "issuer": "i", "jti": "a" }), "revocations.write"),
        ("GET /audit".to_owned(), Value::Null, "audit.read"),
        ("POST /leaked-keys".to_owned(), json!([{ "token": "nobody's" }]), "keys.write"),
    ]
}

#[test]
fn each_call_needs_its_scope_and_no_other() {
    for scope in SCOPES {
        let mut api = Api::new();
        let others: Vec<_> = SCOPES.into_iter().filter(|other| *other != scope).collect();
        api.root("only", &json!({ "scopes": [scope] }));
        api.root("others", &json!({ "scopes": others }));
        let made = api.ok(ALL, "POST /keys", &json!({ "prefix": "sk_test", "subject": "s" }));
        api.ok(ALL, "PUT /customers/c", &json!({ "backendUrl": "https://c.example.com" }));
        for (line, body, needs) in calls(made["id"].as_str().unwrap()) {
            let key = if needs == scope { "only" } else { "others" };
            let without = if needs == scope { "others" } else { "only" };
            let refused = api.call(without, &line, &[], &body);
            assert_eq!(refused.status, 403, "{line} without {needs}");
            let field = super::field(&refused, "www-authenticate").unwrap();
            assert!(field.contains(&format!("scope=\"{needs}\"")) && field.contains("insufficient_scope"));
            let allowed = api.call(key, &line, &[], &body);
            assert!(allowed.status < 300, "{line} with {needs}: {allowed:?}");
        }
        let changed = json!({ "customers": ["c"] });
        let status = api.answer("only", "POST /customers-changed", &[], &changed);
        assert_eq!(matches!(status, crate::ApiAnswer::Changed(_)), scope == "customers.write");
        let bulk = json!({ "operations": [{ "method": "PUT", "path": "/v1/customers/c", "body": { "backendUrl": "https://c.example.com" } }] });
        let wanted = if scope == "customers.write" { 200 } else { 403 };
        assert_eq!(api.status("only", "POST /bulk", &bulk), wanted, "{scope}");
        assert_eq!(api.ok("only", "GET /self", &Value::Null)["scopes"], json!([scope]));
        assert!(matches!(
            api.answer("only", "GET /openapi.json", &[], &Value::Null),
            crate::ApiAnswer::Description
        ));
    }
}

#[test]
fn a_root_key_that_is_limited_reaches_nothing_beyond() {
    let mut api = Api::new();
    let of = |customer: &str, prefix: &str| json!({ "prefix": prefix, "subject": "s", "claims": { "customerId": customer } });
    let theirs = api.ok(ALL, "POST /keys", &of("wayne", "sk_test"))["id"].as_str().unwrap().to_owned();
    let live = api.ok(ALL, "POST /keys", &of("acme", "sk_live"))["id"].as_str().unwrap().to_owned();
    let own = api.ok(ACME, "POST /keys", &of("acme", "sk_test"))["id"].as_str().unwrap().to_owned();
    let unknown = digest("nobody has this one");
    for id in [&theirs, &live, &unknown, &digest(ALL)] {
        for (line, body) in [
            (format!("GET /keys/{id}"), Value::Null),
            (format!("PATCH /keys/{id}"), json!({ "name": "n" })),
            (format!("DELETE /keys/{id}"), Value::Null),
            (format!("POST /keys/{id}/roll"), json!({ "grace": "1h" })),
        ] {
            assert_eq!(api.status(ACME, &line, &body), 404, "{line}");
        }
    }
    for id in [&theirs, &live, &unknown, &digest(ALL)] {
        assert_eq!(
            api.status(ACME, &format!("PUT /keys/{id}"), &of("acme", "sk_test")),
            404,
            "nor takes it over"
        );
    }
    assert_eq!(api.status(ACME, "POST /keys", &of("wayne", "sk_test")), 403);
    assert_eq!(api.status(ACME, "POST /keys", &of("acme", "sk_live")), 403);
    assert_eq!(api.status(ACME, "POST /keys", &json!({ "subject": "s" })), 403, "a key of no customer");
    let moved =
        api.call(ACME, &format!("PATCH /keys/{own}"), &[], &json!({ "claims": { "customerId": "wayne" } }));
    assert_eq!(moved.status, 403);
    let more = api.call(
        ACME,
        &format!("PATCH /keys/{own}"),
        &[],
        &json!({ "claims": null, "root": { "scopes": ["keys.read"] } }),
    );
    assert_eq!((more.status, pointers(&more)), (403, vec![concat!("/", "root")]));
    for line in ["GET /customers/wayne", "DELETE /customers/wayne"] {
        assert_eq!(api.status(ACME, line, &Value::Null), 404, "{line}");
    }
    let record = json!({ "backendUrl": "https://x.example.com" });
    api.ok(ALL, "PUT /customers/wayne", &record);
    assert_eq!(api.status(ACME, "PUT /customers/wayne", &record), 404);
    assert_eq!(api.status(ACME, "PUT /customers/acme", &record), 201);
    let page = api.ok(ACME, "GET /customers", &Value::Null);
    assert_eq!(page["customers"].as_array().unwrap().len(), 1);
    assert_eq!(api.status(ACME, "GET /audit", &Value::Null), 403);
    let until = json!({ "issuer": "i", "jti": "a", "until": "2099-01-01T00:00:00Z" });
    assert_eq!(api.status(ACME, "POST /revocations", &until), 403);
    assert_eq!(api.status(ACME, "POST /customers-changed", &json!({ "customers": ["acme", "wayne"] })), 404);
    assert_eq!(
        api.status(ALL, &format!("GET /keys/{theirs}"), &Value::Null),
        200,
        "all of it is still there"
    );
}

#[test]
fn a_root_key_makes_none_that_may_do_more() {
    let mut api = Api::new();
    api.root("keys", &json!({ "scopes": ["keys.read", "keys.write"] }));
    let root = |scopes: &[&str]| json!({ "prefix": "sk_live", "subject": "r", "root": { "scopes": scopes } });
    let made = api.call("keys", "POST /keys", &[], &root(&["keys.read"]));
    assert_eq!(made.status, 201);
    let more = api.call("keys", "POST /keys", &[], &root(&["keys.read", "audit.read"]));
    assert_eq!((more.status, pointers(&more)), (403, vec![concat!("/", "root")]));
    let id = made.body["id"].as_str().unwrap();
    let patch = json!({ "root": { "scopes": ["customers.write"] } });
    assert_eq!(api.status("keys", &format!("PATCH /keys/{id}"), &patch), 403);
    // Nor does it touch one that may do more than it does.
    assert_eq!(api.status("keys", &format!("DELETE /keys/{}", digest(ALL)), &Value::Null), 404);
    assert_eq!(api.status("keys", &format!("DELETE /keys/{id}"), &Value::Null), 200);
}

#[test]
fn no_page_tells_a_limited_root_key_who_else_is_there() {
    let mut api = Api::new();
    api.root("tests", &json!({ "scopes": ["keys.read"], "prefixes": ["sk_test"] }));
    let record = json!({ "backendUrl": "https://x.example.com" });
    for id in ["acme", "wayne-secret", "another-secret"] {
        api.ok(ALL, &format!("PUT /customers/{id}"), &record);
    }
    let page = api.ok(ACME, "GET /customers?limit=1", &Value::Null);
    assert_eq!((page["customers"][0]["id"].as_str(), page.get("next")), (Some("acme"), None));
    let mut digests = Vec::new();
    for number in 0..6 {
        let prefix = if number % 2 == 0 { "sk_live" } else { "sk_test" };
        let made = api.ok(ALL, "POST /keys", &json!({ "prefix": prefix, "subject": "s" }));
        digests.push(made["id"].as_str().unwrap().to_owned());
    }
    let (mut found, mut cursor) = (0, String::new());
    loop {
        let page = api.ok("tests", &format!("GET /keys?limit=1{cursor}"), &Value::Null);
        found += page["keys"].as_array().unwrap().len();
        let Some(next) = page["next"].as_str() else { break };
        assert!(digests.iter().chain([&digest(ALL)]).all(|digest| !digest.starts_with(next)));
        cursor = format!("&cursor={next}");
    }
    assert_eq!(found, 3);
}

#[test]
fn a_root_key_gives_itself_and_others_no_more_time_and_no_more_places() {
    let mut api = Api::new();
    let root = json!({ "scopes": ["keys.read", "keys.write"] });
    let record = json!({ "subject": "ci", "prefix": "sk_live", "root": root, "expiresAt": "2099-01-01T00:00:00Z", "allowedIps": ["192.0.2.0/24"] });
    api.ok(ALL, &format!("PUT /keys/{}", digest("ci")), &record);
    let own = format!("PATCH /keys/{}", digest("ci"));
    for patch in [
        json!({ "expiresAt": null }),
        json!({ "expiresAt": "2099-01-02T00:00:00Z" }),
        json!({ "allowedIps": null }),
        json!({ "allowedIps": ["192.0.2.0/24", "198.51.100.1"] }),
    ] {
        assert_eq!(api.status("ci", &own, &patch), 403, "{patch}");
    }
    assert_eq!(api.status("ci", &own, &json!({ "allowedIps": ["192.0.2.0/25"] })), 200);
    let other = json!({ "subject": "r", "prefix": "sk_live", "root": { "scopes": ["keys.read"] } });
    assert_eq!(api.status("ci", "POST /keys", &other), 403);
    let within = json!({ "subject": "r", "prefix": "sk_live", "root": { "scopes": ["keys.read"] }, "expiresAt": "2098-01-01T00:00:00Z", "allowedIps": ["192.0.2.7"] });
    assert_eq!(api.status("ci", "POST /keys", &within), 201);
    // One that is limited to a prefix makes no root key of another.
    let live = json!({ "subject": "r", "prefix": "sk_live", "root": { "scopes": ["keys.read"], "customers": ["acme"], "prefixes": ["sk_test"] } });
    assert_eq!(api.status(ACME, "POST /keys", &live), 403);
}

#[test]
fn an_answer_is_not_told_again_to_a_root_key_that_may_no_longer_have_it() {
    let mut api = Api::new();
    api.root("shrinking", &json!({ "scopes": ["keys.write"] }));
    let body = json!({ "operations": [{ "method": "POST", "path": "/v1/keys", "body": { "prefix": "sk_test", "subject": "s" } }] });
    let again = [("idempotency-key", "k")];
    let first = api.call("shrinking", "POST /bulk", &again, &body);
    assert!(first.body["results"][0]["body"]["key"].is_string());
    api.root("shrinking", &json!({ "scopes": ["audit.read"] }));
    let second = api.call("shrinking", "POST /bulk", &again, &body);
    assert_eq!((second.status, second.body.get("results")), (409, None));
}
