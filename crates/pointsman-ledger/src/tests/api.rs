//! The management API over a ledger and its KV namespace.

use pointsman_core::base::digest::Digest;
use serde_json::{Value, json};

use super::world::{World, key_name, random};
use crate::{
    ApiAnswer, ApiRequest, Edit, EntriesRead, Fields, MemoryStorage, Reply, Settings, Source, Storage,
};

mod bulk;
mod customers;
mod keys;
mod leaked_keys;
mod scopes;
mod writers;

/// A world with root keys, by whose text they are called.
struct Api {
    world: World,
    calls: u8,
}

/// May do everything.
const ALL: &str = "root-all";
/// May do everything with the keys of one customer that have one prefix.
const ACME: &str = "root-acme";

impl Api {
    fn new() -> Self {
        let settings = Settings {
            prefixes: vec!["sk_live".to_owned(), "sk_test".to_owned()],
            customer_claim: "customerId".to_owned(),
            source: Source::List,
            ..Settings::default()
        };
        let mut world = World::with(std::collections::BTreeMap::new(), 1, settings);
        world.run(1);
        let mut api = Self { world, calls: 0 };
        api.root(ALL, &json!({ "scopes": SCOPES }));
        api.root(ACME, &json!({ "scopes": SCOPES, "customers": ["acme"], "prefixes": ["sk_test"] }));
        api
    }

    fn root(&mut self, key: &str, root: &Value) {
        let json = json!({ "subject": key, "root": root }).to_string();
        let digest = digest(key);
        self.world.commit(vec![Edit::PutKey { digest, json, expires: None, expected: None }]);
    }

    /// Calls as a root key does, with fields of the head as `name: value` lines.
    fn call(&mut self, key: &str, line: &str, fields: &[(&str, &str)], body: &Value) -> Reply {
        match self.answer(key, line, fields, body) {
            ApiAnswer::Reply(reply) => reply,
            other => panic!("{line}: {other:?}"),
        }
    }

    fn answer(&mut self, key: &str, line: &str, fields: &[(&str, &str)], body: &Value) -> ApiAnswer {
        let request = request(key, line, fields, body);
        self.send(&request)
    }

    fn send(&mut self, request: &ApiRequest) -> ApiAnswer {
        self.calls = self.calls.wrapping_add(1);
        self.world.ledger.manage(request, self.world.at(), random(self.calls))
    }

    fn ok(&mut self, key: &str, line: &str, body: &Value) -> Value {
        let reply = self.call(key, line, &[], body);
        assert!(reply.status < 300, "{line}: {reply:?}");
        reply.body
    }

    fn status(&mut self, key: &str, line: &str, body: &Value) -> u16 {
        self.call(key, line, &[], body).status
    }

    /// All that the database holds.
    fn database(&self) -> Vec<u8> {
        let all = self.world.ledger.storage().scan(&[], &[u8::MAX], usize::MAX);
        all.into_iter().flat_map(|(key, value)| [key, value].concat()).collect()
    }
}

const SCOPES: [&str; 6] =
    ["keys.read", "keys.write", "customers.read", "customers.write", "revocations.write", "audit.read"];

fn digest(key: &str) -> String {
    Digest::of(key.as_bytes()).to_string()
}

/// `GET /keys?customer=acme` behind the version.
fn request(key: &str, line: &str, fields: &[(&str, &str)], body: &Value) -> ApiRequest {
    let (method, target) = line.split_once(' ').unwrap();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap();
        (name.to_owned(), value.to_owned())
    };
    let field = |wanted: &str| {
        let found = fields.iter().find(|(name, _)| *name == wanted);
        found.map(|(_, value)| (*value).to_owned())
    };
    ApiRequest {
        method: method.to_owned(),
        base: "/gateway/api".to_owned(),
        path: format!("/v1{path}"),
        query: query.split('&').filter(|text| !text.is_empty()).map(pair).collect(),
        fields: Fields {
            authorization: Some(field("authorization").unwrap_or_else(|| format!("Bearer {key}"))),
            content_type: field("content-type").or_else(|| Some("application/json".to_owned())),
            if_match: field("if-match"),
            if_none_match: field("if-none-match"),
            idempotency_key: field("idempotency-key"),
        },
        address: "192.0.2.7".to_owned(),
        request_id: "request-1".to_owned(),
        body: if body.is_null() { String::new() } else { body.to_string() },
        was_read: true,
        entries_read: EntriesRead::Yes,
        ..ApiRequest::default()
    }
}

fn field<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
    reply.fields.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
}

fn pointers(reply: &Reply) -> Vec<&str> {
    let errors = reply.body["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    errors.iter().filter_map(|error| error["pointer"].as_str()).collect()
}

fn holds(database: &[u8], text: &str) -> bool {
    database.windows(text.len()).any(|part| part == text.as_bytes())
}

#[test]
fn a_root_key_that_somebody_put_into_kv_works_at_once_and_a_made_up_one_costs_one_read() {
    let mut api = Api::new();
    let record = json!({ "subject": "ops", "root": { "scopes": ["keys.read"] } }).to_string();
    api.world.put_by_hand(&key_name("by-hand"), &record);
    let first = ApiRequest { was_read: false, ..request("by-hand", "GET /self", &[], &Value::Null) };
    let ApiAnswer::Read(name) = api.send(&first) else { panic!() };
    assert_eq!(name, key_name("by-hand"));
    let at = api.world.at();
    api.world.ledger.took_from_kv(&name, Some(&record), None, at);
    assert_eq!(api.ok("by-hand", "GET /self", &Value::Null)["subject"], "ops");

    let ApiAnswer::Reply(refused) = api.send(&request("made-up", "GET /self", &[], &Value::Null)) else {
        panic!()
    };
    assert_eq!(
        (refused.status, &refused.body["type"]),
        (401, &json!("urn:pointsman:problem:credential-invalid"))
    );
    assert!(field(&refused, "www-authenticate").unwrap().contains("invalid_token"));
}

#[test]
fn what_is_no_root_key_that_works_is_refused_alike() {
    let mut api = Api::new();
    let made = api.ok(ALL, "POST /keys", &json!({ "subject": "s", "prefix": "sk_test" }));
    let plain = made["key"].as_str().unwrap().to_owned();
    let root = json!({ "scopes": ["keys.read"] });
    for (key, record) in [
        ("disabled", json!({ "subject": "s", "root": root, "disabled": true })),
        ("expired", json!({ "subject": "s", "root": root, "expiresAt": "2020-01-01T00:00:00Z" })),
        ("elsewhere", json!({ "subject": "s", "root": root, "allowedIps": ["198.51.100.0/24"] })),
    ] {
        let edit =
            Edit::PutKey { digest: digest(key), json: record.to_string(), expires: None, expected: None };
        api.world.commit(vec![edit]);
    }
    let mut bodies = Vec::new();
    for key in [plain.as_str(), "disabled", "expired", "elsewhere"] {
        let refused = api.call(key, "GET /self", &[], &Value::Null);
        assert_eq!(refused.status, 401, "{key}");
        bodies.push(refused.body.to_string());
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1);
    for authorization in ["", "Basic x", "Bearer", "Bearer  "] {
        let refused = api.call(ALL, "GET /self", &[("authorization", authorization)], &Value::Null);
        assert_eq!(refused.status, 401, "{authorization:?}");
    }
    let nobody = ApiRequest { fields: Fields::default(), ..request(ALL, "GET /self", &[], &Value::Null) };
    let ApiAnswer::Reply(refused) = api.send(&nobody) else { panic!() };
    assert_eq!(refused.body["type"], "urn:pointsman:problem:credential-required");
}

#[test]
fn guessing_is_slowed_and_pushes_nobody_else_aside() {
    let mut api = Api::new();
    let guess = |number: u32| request(&format!("guess-{number}"), "GET /self", &[], &Value::Null);
    let statuses: Vec<u16> = (0..70)
        .map(|number| match api.send(&guess(number)) {
            ApiAnswer::Reply(reply) => reply.status,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 60);
    let limited = api.call(ALL, "GET /self", &[], &Value::Null);
    assert_eq!(limited.status, 429, "the same address");
    assert!(field(&limited, "retry-after").is_some());
    let elsewhere =
        ApiRequest { address: "192.0.2.8".to_owned(), ..request(ALL, "GET /self", &[], &Value::Null) };
    assert!(matches!(api.send(&elsewhere), ApiAnswer::Reply(Reply { status: 200, .. })));
    api.world.now += 60_000;
    assert_eq!(api.status(ALL, "GET /self", &Value::Null), 200);
    // Who shows nothing is counted as well, and a flood of addresses leaves root keys alone that were not seen before.
    for number in 0..5000 {
        let nobody = ApiRequest {
            fields: Fields::default(),
            address: format!("2001:db8:{number:x}::1"),
            ..request(ALL, "GET /self", &[], &Value::Null)
        };
        assert!(matches!(api.send(&nobody), ApiAnswer::Reply(Reply { status: 401 | 429, .. })));
    }
    for _ in 0..100 {
        assert_eq!(api.status(ACME, "GET /self", &Value::Null), 200);
    }
}

#[test]
fn a_ledger_that_is_off_says_when_to_come_again() {
    let mut api = Api::new();
    api.world.ledger =
        crate::Ledger::open(MemoryStorage::default(), Settings::default(), api.world.at(), random(4));
    let reply = api.call(ALL, "GET /self", &[], &Value::Null);
    assert_eq!((reply.status, field(&reply, "retry-after")), (503, Some("5")));
}

#[test]
fn the_trail_says_who_changed_what_from_where_and_no_key() {
    let mut api = Api::new();
    let body = json!({ "subject": "s", "prefix": "sk_test", "claims": { "customerId": "acme" } });
    let made = api.call(ALL, "POST /keys", &[("idempotency-key", "make-1")], &body);
    let id = made.body["id"].as_str().unwrap().to_owned();
    let key = made.body["key"].as_str().unwrap().to_owned();
    api.ok(ALL, &format!("DELETE /keys/{id}"), &Value::Null);
    let trail = api.ok(ALL, "GET /audit?limit=1000", &Value::Null);
    let lines = trail["lines"].as_array().unwrap();
    let of_key: Vec<_> = lines.iter().filter(|line| line["name"] == format!("key:{id}")).collect();
    assert_eq!(of_key.len(), 2);
    assert_eq!((&of_key[0]["action"], &of_key[1]["action"]), (&json!("put"), &json!("remove")));
    assert_eq!(of_key[0]["operation"], "make-1");
    assert_eq!(of_key[1]["operation"], "request-1");
    assert_eq!(of_key[0]["from"], "192.0.2.7");
    assert!(of_key[0]["actor"].as_str().unwrap().starts_with("root-all (key "));
    assert!(!trail.to_string().contains(&key) && !holds(&api.database(), &key));

    let first = api.ok(ALL, "GET /audit?limit=1", &Value::Null);
    let next = first["next"].as_str().unwrap();
    let second = api.ok(ALL, &format!("GET /audit?limit=1&after={next}"), &Value::Null);
    assert_ne!(first["lines"], second["lines"]);
    assert_eq!(api.status(ALL, "GET /audit?after=x", &Value::Null), 400);
}

#[test]
fn tokens_are_revoked_and_allowed_again() {
    let mut api = Api::new();
    let end = "2099-01-01T00:00:00Z";
    let body = json!({ "issuer": "https://id.example.com/", "sub": "u", "until": end });
    let before = api.ok(ALL, "POST /revocations", &body)["revision"].as_u64().unwrap();
    let lift = json!({ "issuer": "https://id.example.com/", "sub": "u" });
    assert!(api.ok(ALL, "POST /revocations/lift", &lift)["revision"].as_u64().unwrap() > before);
    // A subject that is a whole number is the same as its digits.
    let number = json!({ "issuer": "https://id.example.com/", "sub": 42, "until": end });
    api.ok(ALL, "POST /revocations", &number);
    let text = json!({ "issuer": "https://id.example.com/", "sub": "42" });
    assert!(api.ok(ALL, "POST /revocations/lift", &text)["revision"].is_u64());
    for (body, pointer) in [
        (json!({ "issuer": "i", "sub": 1.5, "until": end }), "/sub"),
        (json!({ "sub": "u", "until": end }), "/issuer"),
        (json!({ "issuer": "i", "until": end }), ""),
        (json!({ "issuer": "i", "jti": "a", "sub": "b", "until": end }), ""),
        (json!({ "issuer": "i", "jti": "a" }), "/until"),
        (json!({ "issuer": "i", "jti": "a", "until": 7 }), "/until"),
        (json!({ "issuer": "i", "jti": "a", "until": "2020-01-01T00:00:00Z" }), "/until"),
        (json!({ "issuer": "i", "jti": "a", "until": end, "issuedBefore": end }), "/issuedBefore"),
        (json!({ "issuer": "i", "jti": "a", "until": end, "subject": "s" }), "/subject"),
    ] {
        let reply = api.call(ALL, "POST /revocations", &[], &body);
        assert_eq!(reply.status, 422, "{body}");
        assert!(pointers(&reply).contains(&pointer), "{body}: {:?}", reply.body);
    }
}

#[test]
fn customers_are_written_changed_and_given_back_to_the_config_api() {
    let mut api = Api::new();
    let record = json!({ "backendUrl": "https://acme.example.com" });
    let made = api.call(ALL, "PUT /customers/a%2Fb", &[("if-none-match", "*")], &record);
    assert_eq!((made.status, field(&made, "location")), (201, Some("/gateway/api/v1/customers/a%2Fb")));
    assert_eq!(made.body["record"]["customerId"], "a/b");
    let tag = field(&made, "etag").unwrap().to_owned();
    assert_eq!(api.call(ALL, "PUT /customers/a%2Fb", &[("if-none-match", "*")], &record).status, 412);
    let patched =
        api.call(ALL, "PATCH /customers/a%2Fb", &[("if-match", &tag)], &json!({ "disabled": true }));
    assert_eq!((patched.status, &patched.body["record"]["disabled"]), (200, &json!(true)));
    let stale = api.call(ALL, "PATCH /customers/a%2Fb", &[("if-match", &tag)], &json!({ "disabled": false }));
    assert_eq!((stale.status, &stale.body["version"]), (412, &patched.body["version"]));
    let wrong = api.call(
        ALL,
        "PUT /customers/a%2Fb",
        &[],
        &json!({ "customerId": "other", "backendUrl": "https://x.example" }),
    );
    assert_eq!((wrong.status, pointers(&wrong)), (422, vec!["/customerId"]));
    assert_eq!(api.status(ALL, "GET /customers/a%2Fb", &Value::Null), 200);
    assert_eq!(api.status(ALL, "DELETE /customers/a%2Fb", &Value::Null), 200);
    for line in ["GET /customers/a%2Fb", "DELETE /customers/a%2Fb"] {
        assert_eq!(api.status(ALL, line, &Value::Null), 404, "{line}");
    }
    assert_eq!(api.status(ALL, "PATCH /customers/a%2Fb", &json!({})), 404);
    let names = |page: &Value| -> Vec<String> {
        page["customers"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["id"].as_str().unwrap().to_owned())
            .collect()
    };
    for id in ["b", "a", "c"] {
        api.ok(ALL, &format!("PUT /customers/{id}"), &record);
    }
    let page = api.ok(ALL, "GET /customers?limit=2", &Value::Null);
    assert_eq!(names(&page), ["a", "b"]);
    let next = format!("GET /customers?limit=2&cursor={}", page["next"].as_str().unwrap());
    let rest = api.ok(ALL, &next, &Value::Null);
    assert_eq!((names(&rest), rest.get("next")), (vec!["c".to_owned()], None));
    let changed = api.answer(ALL, "POST /customers-changed", &[], &json!({ "customers": ["a", "a", "z"] }));
    assert_eq!(changed, ApiAnswer::Changed(vec!["a".to_owned(), "z".to_owned()]));
}
