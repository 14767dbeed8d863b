//! The description of the management API (OpenAPI 3.1), which `pointsman schema --write` writes and the Worker serves. Records
//! are those of the other schemas; what a path answers stands in one table.

use serde_json::{Map, Value, json};

use self::operations::{LEAKED_KEYS, OPERATIONS, Operation};

mod components;
mod operations;
mod schemas;

/// Where it is written.
pub(super) const FILE: &str = "api.openapi.json";

/// In this order in the document.
const TAGS: [&str; 6] = ["keys", "customers", "tokens", "audit", "bulk", "root keys"];

/// What every path may answer beside its own.
const EVERYWHERE: [u16; 6] = [400, 401, 403, 413, 429, 503];

/// The document.
///
/// # Errors
/// The schema of a record that cannot be made.
pub(super) fn description() -> Result<Value, String> {
    let mut paths = Map::new();
    for operation in OPERATIONS {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        if let Some(methods) = path.as_object_mut() {
            methods.insert(operation.method.to_owned(), operation.described());
        }
    }
    let tags: Value = TAGS.iter().map(|name| json!({ "name": name })).collect();
    Ok(json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Pointsman management API",
            "version": "1",
            "description": "Keys, customers, revocations of tokens and the audit trail, for whoever has a root key. \
                            Each change is known to every isolate within [directory] max_staleness of the answer.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/gateway/api", "description": "[operator] api of gateway.toml" }],
        "security": [{ "rootKey": [] }],
        "tags": tags,
        "paths": paths,
        "components": {
            "securitySchemes": {
                "rootKey": {
                    "type": "http", "scheme": "bearer",
                    "description": "An API key whose record has root.scopes.",
                },
                "githubKey": {
                    "type": "apiKey", "in": "header", "name": "Github-Public-Key-Identifier",
                    "description": "By which of its published keys GitHub's secret scanning has signed the body.",
                },
                "githubSignature": {
                    "type": "apiKey", "in": "header", "name": "Github-Public-Key-Signature",
                    "description": "The signature over the body: ECDSA over P-256 with SHA-256, in DER, in base64.",
                },
            },
            "parameters": components::parameters(),
            "responses": components::responses(),
            "schemas": schemas::all()?,
        },
    }))
}

impl Operation {
    fn described(&self) -> Value {
        let mut answers = Map::new();
        for (status, of) in self.answers {
            let mut answer = json!({
                "description": if *status == 201 { "Made" } else { "Done" },
                "content": { "application/json": { "schema": refer(of) } },
            });
            let headers: Vec<(&str, &str)> = [
                (self.is_tagged, "ETag", "The record's version, for If-Match; not there without a record"),
                (*status == 201, "Location", "Where it is"),
                (
                    self.parameters.contains(&"Idempotency-Key"),
                    "Idempotent-Replayed",
                    "true, where this is the answer to an earlier call",
                ),
            ]
            .into_iter()
            .filter_map(|(has, name, what)| has.then_some((name, what)))
            .collect();
            if !headers.is_empty() {
                let headers: Map<String, Value> = headers
                    .into_iter()
                    .map(|(name, what)| {
                        (name.to_owned(), json!({ "description": what, "schema": { "type": "string" } }))
                    })
                    .collect();
                put(&mut answer, "headers", Value::Object(headers));
            }
            answers.insert(status.to_string(), answer);
        }
        for status in EVERYWHERE.iter().chain(self.problems) {
            let of = json!({ "$ref": format!("#/components/responses/{status}") });
            answers.insert(status.to_string(), of);
        }
        let description = match self.scope {
            Some(scope) => format!("The root key needs the scope `{}`.", scope.as_str()),
            None => "Any root key may ask.".to_owned(),
        };
        let mut described = json!({
            "operationId": self.id,
            "tags": [self.tag],
            "summary": self.summary,
            "description": description,
            "responses": answers,
        });
        if self.path == LEAKED_KEYS {
            let security = json!([{ "rootKey": [] }, { "githubKey": [], "githubSignature": [] }]);
            put(&mut described, "security", security);
        }
        if !self.parameters.is_empty() {
            let refer = |name: &&str| json!({ "$ref": format!("#/components/parameters/{name}") });
            put(&mut described, "parameters", self.parameters.iter().map(refer).collect());
        }
        if let Some((of, is_patch)) = self.body {
            let mut content = Map::new();
            content.insert("application/json".to_owned(), json!({ "schema": refer(of) }));
            if is_patch {
                content.insert("application/merge-patch+json".to_owned(), json!({ "schema": refer(of) }));
            }
            put(&mut described, "requestBody", json!({ "required": true, "content": content }));
        }
        described
    }
}

fn put(into: &mut Value, name: &str, value: Value) {
    if let Value::Object(members) = into {
        members.insert(name.to_owned(), value);
    }
}

fn refer(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}
