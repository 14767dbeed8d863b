//! What bodies of the management API hold.

use pointsman_core::identity::root_key::Scope;
use serde_json::{Map, Value, json};

use super::{
    super::{SchemaDocument, schema},
    put, refer,
};

/// All of them, by name.
///
/// # Errors
/// The schema of a record that cannot be made.
pub(super) fn all() -> Result<Map<String, Value>, String> {
    let mut all = Map::new();
    let records = [("KeyRecord", SchemaDocument::Key), ("CustomerRecord", SchemaDocument::Customer)];
    for (name, document) in records {
        all.insert(name.to_owned(), record(document)?);
    }
    for group in [names(), keys(), leaks(), customers(), tokens(), bulk(), trail(), problem()] {
        all.extend(group.into_iter().map(|(name, schema)| (name.to_owned(), schema)));
    }
    Ok(all)
}

type Group = Vec<(&'static str, Value)>;

/// A record's schema as a component, whose dialect is the document's.
fn record(document: SchemaDocument) -> Result<Value, String> {
    let mut schema = schema(document)?;
    if let Some(members) = schema.as_object_mut() {
        members.remove("$schema");
        members.remove("title");
        inline(members);
    }
    Ok(schema)
}

/// References lead from the document's root, where a component has none of its own.
fn inline(schema: &mut Map<String, Value>) {
    let Some(Value::Object(definitions)) = schema.remove("$defs") else { return };
    let mut whole = Value::Object(std::mem::take(schema));
    replace(&mut whole, &definitions);
    if let Value::Object(members) = whole {
        *schema = members;
    }
}

fn replace(value: &mut Value, definitions: &Map<String, Value>) {
    let referred = value.get("$ref").and_then(Value::as_str).and_then(|to| to.strip_prefix("#/$defs/"));
    if let Some(definition) = referred.and_then(|name| definitions.get(name)) {
        *value = definition.clone();
    }
    match value {
        Value::Object(members) => members.values_mut().for_each(|member| replace(member, definitions)),
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, definitions)),
        _ => {}
    }
}

/// An object with these members, some of which are always there, and no other.
fn object<const N: usize>(required: &[&str], properties: [(&str, Value); N]) -> Value {
    let properties: Map<String, Value> =
        properties.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect();
    json!({ "type": "object", "required": required, "properties": properties, "additionalProperties": false })
}

/// The same with more members.
fn and<const N: usize>(mut object: Value, required: &[&str], more: [(&str, Value); N]) -> Value {
    if let Some(Value::Object(properties)) = object.get_mut("properties") {
        properties.extend(more.into_iter().map(|(name, schema)| (name.to_owned(), schema)));
    }
    if let Some(Value::Array(names)) = object.get_mut("required") {
        names.extend(required.iter().copied().map(Value::from));
    }
    object
}

fn text(description: &str) -> Value {
    json!({ "type": "string", "description": description })
}

fn some(description: &str) -> Value {
    json!({ "type": "string", "minLength": 1, "description": description })
}

fn number(description: &str) -> Value {
    json!({ "type": "integer", "minimum": 0, "description": description })
}

fn instant(description: &str) -> Value {
    json!({ "type": "string", "format": "date-time", "description": description })
}

fn list(of: &Value) -> Value {
    json!({ "type": "array", "items": of })
}

fn revision() -> (&'static str, Value) {
    ("revision", number("The log's last change: an isolate that has it has this one"))
}

fn page(name: &'static str, of: &str) -> Value {
    let next = text("There where more may follow");
    object(&[name], [(name, list(&refer(of))), ("next", next), ("usage", refer("Usage"))])
}

/// When an item was last used.
fn last_used() -> (&'static str, Value) {
    let what = "There with lastUsed=true: when it was last let in. null where no use was seen since usage/since, which is not never";
    ("lastUsed", json!({ "type": ["string", "null"], "format": "date-time", "description": what }))
}

/// A record as it is stored: what was stored by hand may be anything.
fn stored(of: &str) -> Value {
    let by_hand = "What was stored by hand and cannot be used";
    json!({ "anyOf": [refer(of), { "type": ["object", "string"], "description": by_hand }] })
}

fn names() -> Group {
    vec![
        ("Digest", json!({ "type": "string", "pattern": "^[0-9a-f]{64}$" })),
        ("CustomerId", json!({ "type": "string", "minLength": 1, "maxLength": 256 })),
        (
            "Patch",
            json!({ "type": "object", "description": "Members to change; null takes one out (RFC 7396)" }),
        ),
        ("Made", object(&["revision"], [revision()])),
        (
            "Usage",
            object(
                &["since", "sampled"],
                [
                    ("since", instant("The first point of metrics that counts")),
                    (
                        "sampled",
                        json!({ "type": "boolean", "description": "Whether points were sampled: then uses may be missing" }),
                    ),
                ],
            ),
        ),
        ("Description", json!({ "type": "object" })),
        (
            "Self",
            object(
                &["id", "subject", "scopes"],
                [
                    ("id", refer("Digest")),
                    ("subject", text("Whose root key it is")),
                    ("scopes", list(&json!({ "enum": Scope::ALL.map(Scope::as_str) }))),
                    ("customers", list(&text("A customer that the root key is limited to"))),
                    ("prefixes", list(&text("A prefix that the root key is limited to"))),
                ],
            ),
        ),
    ]
}

fn store_end() -> (&'static str, Value) {
    ("storeExpiresAt", instant("When KV drops it, where that was said when it was stored by hand"))
}

fn keys() -> Group {
    let key = || {
        object(
            &["id", "version", "state", "record"],
            [
                ("id", refer("Digest")),
                ("version", number("What If-Match is compared with")),
                ("state", json!({ "enum": ["active", "disabled", "expired", "malformed"] })),
                ("record", stored("KeyRecord")),
                store_end(),
                ("leaked", leaked()),
                last_used(),
                ("usage", refer("Usage")),
            ],
        )
    };
    let secret = || {
        let what = "The key itself: it is nowhere else, and is told again only to the same Idempotency-Key";
        ("key", text(what))
    };
    let ended = json!({ "anyOf": [refer("Key"), object(&["id"], [("id", refer("Digest"))])] });
    let grace = json!({
        "type": "string", "pattern": "^(0|[0-9]+(ms|s|m|h|d))$",
        "description": "How long the old key goes on working: 24h, 7d; 0 revokes it at once",
    });
    vec![
        ("Key", key()),
        ("NewKey", and(key(), &["key", "revision"], [secret(), revision()])),
        ("ChangedKey", and(key(), &["revision"], [revision()])),
        ("RolledKey", and(key(), &["key", "old", "revision"], [secret(), revision(), ("old", ended)])),
        ("KeyPage", page("keys", "Key")),
        (
            "Roll",
            object(
                &["grace"],
                [
                    ("grace", grace),
                    ("expiresAt", instant("When the new key ends; else as the old one")),
                    ("prefix", text("What the new key begins with; else as the old one")),
                ],
            ),
        ),
    ]
}

/// That a key was found where it does not belong.
fn leaked() -> Value {
    let found = text("Where it was found first: a URL without its query, else what kind of place it was");
    let mut leaked = object(
        &["since", "found"],
        [("since", instant("Since when it is known to have leaked")), ("found", found)],
    );
    put(&mut leaked, "description", json!("There where somebody has reported that the key has leaked"));
    leaked
}

fn leaks() -> Group {
    let mut said = object(
        &["token"],
        [
            ("token", text("The text that was found")),
            ("type", text("What the scanner calls keys of this form")),
            ("url", text("Where it was found")),
            ("source", text("What kind of place that is")),
        ],
    );
    put(&mut said, "additionalProperties", json!(true));
    let feedback = object(
        &["token_hash", "token_type", "label"],
        [
            ("token_hash", refer("Digest")),
            ("token_type", text("As the report has it")),
            (
                "label",
                json!({
                    "enum": ["true_positive", "false_positive"],
                    "description": "Whether it is a key, or was one; false_positive too for what the root key does not reach",
                }),
            ),
        ],
    );
    vec![("LeakReport", list(&said)), ("LeakFeedback", list(&feedback))]
}

fn customers() -> Group {
    let provider = object(
        &[],
        [
            (
                "record",
                json!({ "type": ["object", "string"], "description": "What the config API said last" }),
            ),
            (
                "malformed",
                json!({ "const": true, "description": "There where what it says now cannot be used" }),
            ),
        ],
    );
    let customer = || {
        object(
            &["id"],
            [
                ("id", refer("CustomerId")),
                ("version", number("Of the operator's record; not there without one")),
                ("record", stored("CustomerRecord")),
                store_end(),
                ("provider", provider.clone()),
                last_used(),
                ("usage", refer("Usage")),
            ],
        )
    };
    let ids = json!({ "type": "array", "minItems": 1, "maxItems": 500, "items": refer("CustomerId") });
    vec![
        ("Customer", customer()),
        ("ChangedCustomer", and(customer(), &["record", "version", "revision"], [revision()])),
        ("CustomerPage", page("customers", "Customer")),
        ("Announcement", object(&["customers"], [("customers", ids)])),
        ("Announced", json!({ "type": "object", "description": "What the config API said of them" })),
    ]
}

/// Text, or a whole number, which is its digits.
fn numbered(about: &str) -> Value {
    json!({ "anyOf": [some(about), { "type": "integer", "description": about }] })
}

fn tokens() -> Group {
    let which = json!([{ "required": ["jti"] }, { "required": ["sub"] }]);
    let named = || {
        [
            ("issuer", some("The iss of the tokens")),
            ("jti", numbered("The token's id")),
            ("sub", numbered("The subject")),
        ]
    };
    let mut allowance = object(&["issuer"], named());
    let mut revocation = and(
        allowance.clone(),
        &["until"],
        [
            ("issuedBefore", instant("Of the subject's tokens only those issued before")),
            ("until", instant("When the last of these tokens expires by itself")),
        ],
    );
    put(&mut allowance, "oneOf", which.clone());
    put(&mut revocation, "oneOf", which);
    vec![("Revocation", revocation), ("Allowance", allowance)]
}

fn bulk() -> Group {
    let operation = object(
        &["method", "path"],
        [
            ("method", json!({ "enum": ["POST", "PUT", "PATCH", "DELETE"] })),
            ("path", text("Behind the API's own path, such as /v1/customers/acme")),
            ("body", json!({ "type": "object" })),
            ("ifMatch", text("As If-Match")),
            ("ifNoneMatch", json!({ "const": "*" })),
        ],
    );
    let operations = json!({ "type": "array", "minItems": 1, "maxItems": 500, "items": operation });
    let named = object(
        &[],
        [
            ("id", some("The key's digest, or the customer's id")),
            ("version", number("What If-Match is compared with")),
            ("key", text("The key that was made: it is nowhere else")),
        ],
    );
    let result =
        object(&["status", "body"], [("status", number("As if it had been sent alone")), ("body", named)]);
    vec![
        ("Bulk", object(&["operations"], [("operations", operations)])),
        ("BulkAnswer", object(&["results", "revision"], [("results", list(&result)), revision()])),
    ]
}

fn trail() -> Group {
    let line = object(
        &["sequence", "revision", "at", "actor", "action", "name"],
        [
            ("sequence", number("The change's number")),
            ("revision", number("The log's last change before it")),
            ("at", instant("When")),
            (
                "actor",
                text(
                    "The subject of a root key and the beginning of its digest, or what else made the change",
                ),
            ),
            ("from", text("The address that asked for it")),
            ("found", text("Where the key was found that has leaked; there where that is why")),
            ("operation", text("The Idempotency-Key, else the request's id")),
            ("action", text("What was done")),
            ("name", text("With which entry: key:<digest>, customer:<id>, token:…")),
        ],
    );
    vec![("AuditLine", line), ("AuditPage", page("lines", "AuditLine"))]
}

fn problem() -> Group {
    let fault = object(
        &["pointer", "detail"],
        [("pointer", text("Where in the body (RFC 6901)")), ("detail", text("What is wrong there"))],
    );
    let mut problem = object(
        &["type", "title", "status"],
        [
            ("type", text("Which problem")),
            ("title", text("The same in words")),
            ("status", number("The answer's")),
            ("detail", text("What to do")),
            ("instance", text("The request's id, as the log has it")),
            ("errors", list(&fault)),
            ("version", number("The record's, where it has changed; 0 where there is none")),
            ("operation", number("Which of many, from 0 on")),
        ],
    );
    put(&mut problem, "description", json!("RFC 9457"));
    vec![("Problem", problem)]
}
