//! Parameters and problems of the management API.

use serde_json::{Map, Value, json};

use super::{put, refer};

pub(super) fn parameters() -> Value {
    let query = |name: &str, what: &str, schema: Value| json!({ "name": name, "in": "query", "description": what, "schema": schema });
    let header = |name: &str, what: &str, schema: Value| json!({ "name": name, "in": "header", "description": what, "schema": schema });
    let text = || json!({ "type": "string", "minLength": 1 });
    json!({
        "keyId": { "name": "id", "in": "path", "required": true, "schema": refer("Digest"),
            "description": "The SHA-256 digest of the key, in lower-case hexadecimal digits" },
        "customerId": { "name": "id", "in": "path", "required": true, "schema": refer("CustomerId"),
            "description": "The customer's id, percent-encoded" },
        "customer": query("customer", "Keys of this customer: of the claim that [customers] claim names", text()),
        "subject": query("subject", "Keys of this subject", text()),
        "prefix": query("prefix", "Customers whose id begins so", text()),
        "cursor": query("cursor", "The next of the page before", text()),
        "after": query("after", "The next of the page before, or the sequence of a line", text()),
        "limit": query("limit", "Entries of a page at most. A page may be shorter, or empty, and have a next",
            json!({ "type": "integer", "minimum": 1, "maximum": 1000, "default": 100 })),
        "lastUsed": query("lastUsed", "true: says of each when it was last used, by the points of metrics. Where the gateway has none, 400",
            json!({ "const": "true" })),
        "If-Match": header("If-Match", "Carried out only where the record has this version; * where there is any",
            text()),
        "If-None-Match": header("If-None-Match", "*: carried out only where there is no record yet",
            json!({ "const": "*" })),
        "Idempotency-Key": header("Idempotency-Key",
            "A call that is made again with the same value within a day happens once, and is answered as before",
            json!({ "type": "string", "pattern": "^[!#-\\[\\]-~]{1,128}$" })),
    })
}

pub(super) fn responses() -> Value {
    let problem = |what: &str, headers: &[(&str, &str)]| {
        let mut response = json!({
            "description": what,
            "content": { "application/problem+json": { "schema": refer("Problem") } },
        });
        if !headers.is_empty() {
            let headers: Map<String, Value> = headers
                .iter()
                .map(|(name, what)| {
                    ((*name).to_owned(), json!({ "description": what, "schema": { "type": "string" } }))
                })
                .collect();
            put(&mut response, "headers", Value::Object(headers));
        }
        response
    };
    let wait = [("Retry-After", "Seconds to wait")];
    json!({
        "400": problem("The request cannot be read", &[]),
        "401": problem("There is no root key that works, and no signature that is right", &[("WWW-Authenticate", "What is asked for (RFC 6750)")]),
        "403": problem("The root key lacks a scope, or is limited to others", &[]),
        "404": problem("There is nothing here, or nothing that the root key reaches", &[]),
        "409": problem("The state does not allow it, or the Idempotency-Key was used for another request", &[]),
        "412": problem("The record has changed since it was read", &[]),
        "413": problem("The body is too large, or has too many operations", &[]),
        "415": problem("The body is of another type", &[]),
        "422": problem("What the body says cannot be used; errors says where", &[]),
        "429": problem("Too many requests of the root key, or refused ones of the address", &wait),
        "503": problem("The ledger cannot be reached, or is off; or a report cannot be checked or looked up now", &wait),
    })
}
