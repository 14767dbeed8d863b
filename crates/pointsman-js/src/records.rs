//! Stored records, checked for those who write them: all that is wrong, and what a good one means.
//!
//! A finding is `{ pointer, message }`: a JSON Pointer (RFC 6901) into the record, and the words of the gateway's log and
//! of the command line.

use pointsman_core::{
    base::{
        cidr::Cidr,
        json,
        json::{ToJson, json},
        record::{RecordError, entry_of},
        time::Timestamp,
    },
    customer::{backend_url::AllowHttp, origins::CustomerOrigin, record::CustomerConfig},
    identity::{
        access::AccessRestrictions,
        claims::{ClaimPath, Claims},
        key_record::KeyConfig,
    },
};
use serde_json::{Map, Value};

/// Checks the record of the customer with this id: `{ findings, customer }`.
///
/// `allow_http` is `never`, `loopback` or `always`; anything else counts as `never`. `customer` says what the record
/// means: `{ id, environment, disabled, refreshed, backends: [{ url, region, weight }], allowedIps }`; `null` where there
/// are findings.
#[must_use]
pub fn customer(json: &str, id: &str, allow_http: &str) -> String {
    let allow_http = AllowHttp::parse(allow_http).unwrap_or_default();
    let (findings, customer) =
        told(CustomerConfig::check(json.as_bytes(), id, allow_http), meaning_of_customer);
    json::text(&json!({ "findings": findings, "customer": customer }))
}

/// Checks the record of an API key: `{ findings, key, customer }`.
///
/// `key` says what the record means: `{ state, expiresAt, allowedIps, methods }`, with the state at `now` (`active`,
/// `disabled` or `expired`) and instants as milliseconds since 1970; `null` where there are findings. `customer` is what
/// stands at the claim that names the customer, as text: a string as it is, anything else as JSON; `null` where there is
/// nothing. It is told also of a record with findings, which somebody may look for.
#[must_use]
pub fn key(json: &str, customer_claim: &str, now: f64) -> String {
    let now = timestamp(now);
    let (findings, key) = told(KeyConfig::check(json.as_bytes()), |key| meaning_of_key(key, now));
    let customer = ClaimPath::parse(customer_claim).and_then(|claim| claimed(json, &claim));
    json::text(&json!({ "findings": findings, "key": key, "customer": customer }))
}

/// Why a text is no JSON object of which all readers see the same; `None` where it is one.
#[must_use]
pub fn object_error(json: &str) -> Option<String> {
    entry_of(json.as_bytes()).err().map(|error| error.what)
}

/// An instant in RFC 3339 as milliseconds since 1970; `None` where the text is none.
#[must_use]
#[allow(clippy::cast_precision_loss)] // exact below 2^53, some 285 000 years
pub fn millis_of(instant: &str) -> Option<f64> {
    Timestamp::parse_rfc3339(instant).map(|instant| instant.millis() as f64)
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // saturates
fn timestamp(millis: f64) -> Timestamp {
    Timestamp::from_millis(millis as u64)
}

/// The findings as JSON, and what a record without any means.
fn told<T>(
    checked: Result<T, Vec<RecordError>>,
    meaning: impl FnOnce(&T) -> Value,
) -> (Value, Option<Value>) {
    let finding = |RecordError { pointer, what }| json!({ "pointer": pointer, "message": what });
    match checked {
        Ok(config) => (Value::Array(Vec::new()), Some(meaning(&config))),
        Err(errors) => (Value::Array(errors.into_iter().map(finding).collect()), None),
    }
}

fn meaning_of_customer(config: &CustomerConfig) -> Value {
    let backend = |CustomerOrigin { url, region, weight, .. }: &CustomerOrigin| json!({ "url": url.to_string(), "region": region, "weight": weight });
    json!({
        "id": config.id().as_str(),
        "environment": config.environment(),
        "disabled": config.disabled(),
        "refreshed": config.is_refreshed(),
        "backends": Value::Array(config.backends().iter().map(backend).collect()),
        "allowedIps": ranges(config.restrictions()),
    })
}

fn meaning_of_key(config: &KeyConfig, now: Timestamp) -> Value {
    let methods = config.restrictions().methods();
    json!({
        "state": config.state(now).as_str(),
        "expiresAt": config.expires_at().map(Timestamp::millis),
        "allowedIps": ranges(config.restrictions()),
        "methods": methods.map(|methods| methods.iter().map(|name| name.to_json()).collect::<Vec<_>>()),
    })
}

fn ranges(restrictions: &AccessRestrictions) -> Option<Vec<String>> {
    restrictions.addresses().map(|ranges| ranges.iter().map(Cidr::to_string).collect())
}

/// What the claims of a key's record say of its customer.
fn claimed(record: &str, claim: &ClaimPath) -> Option<String> {
    let mut members: Map<String, Value> = entry_of(record.as_bytes()).ok()?;
    let Some(Value::Object(claims)) = members.remove("claims") else { return None };
    match Claims::new(claims).find(claim)? {
        Value::Null => None,
        Value::String(id) => Some(id.clone()),
        other => Some(json::text(other)),
    }
}

#[cfg(test)]
mod tests;
