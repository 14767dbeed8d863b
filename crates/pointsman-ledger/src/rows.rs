//! From a record as KV, an operator or the config API has it to the row that followers read.

use pointsman_core::{
    base::{
        json,
        record::{RecordError, entry_of, read_record},
    },
    customer::{
        backend_url::AllowHttp,
        record::{CustomerConfig, CustomerRecord},
    },
    directory::{
        record_key::{Kind, RecordKey},
        row::{Row, Usable},
    },
    identity::{customer_id::CustomerId, key_record, key_record::KeyConfig},
};
use serde_json::Value;

/// No record is longer. A longer one is malformed, and its text is not held.
pub(crate) const MAX_RECORD_BYTES: usize = 65_536;

/// What an operator's entry in KV is of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Entry {
    /// An API key, by the digits of its digest, which are its name's.
    Key(String, [u8; 32]),
    /// A customer.
    Customer(CustomerId),
}

impl Entry {
    /// Reads the name of a KV entry.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        if let Some(digits) = name.strip_prefix(key_record::STORE_PREFIX) {
            return Self::key(digits);
        }
        Self::customer(name.strip_prefix(CustomerId::STORE_PREFIX)?)
    }

    /// Reads a customer's id.
    pub(crate) fn customer(id: &str) -> Option<Self> {
        CustomerId::parse(id).map(Self::Customer)
    }

    /// Reads the digest of an API key: 64 lower-case hexadecimal digits.
    pub(crate) fn key(digits: &str) -> Option<Self> {
        let mut bytes = [0; 32];
        let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
        (pairs.len() == bytes.len() && rest.is_empty()).then_some(())?;
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = half(*high)? << 4 | half(*low)?;
        }
        Some(Self::Key(digits.to_owned(), bytes))
    }

    /// The name of the KV entry.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Key(digits, _) => format!("{}{digits}", key_record::STORE_PREFIX),
            Self::Customer(id) => id.store_key(),
        }
    }

    /// Of which record.
    pub(crate) fn record_key(&self) -> RecordKey {
        match self {
            Self::Key(_, bytes) => {
                let digest = bytes.first_chunk().copied().unwrap_or_default();
                RecordKey { digest, kind: Kind::ApiKey }
            }
            Self::Customer(id) => RecordKey::customer(id.as_str()),
        }
    }

    /// What is wrong with a record that somebody wants to write under this name.
    pub(crate) fn check(&self, json: &str, allow_http: AllowHttp) -> Vec<RecordError> {
        if json.len() > MAX_RECORD_BYTES {
            let what = format!("must be at most {MAX_RECORD_BYTES} bytes");
            return vec![RecordError { pointer: String::new(), what }];
        }
        let json = json.as_bytes();
        let checked = match self {
            Self::Key(..) => KeyConfig::check(json).map(|_| false),
            Self::Customer(id) => {
                CustomerConfig::check(json, id.as_str(), allow_http).map(|config| config.is_refreshed())
            }
        };
        match checked {
            Ok(false) => Vec::new(),
            Ok(true) => vec![RecordError {
                pointer: "/fetchedAt".to_owned(),
                what: "is written by refreshes; leave it out of a record of your own".to_owned(),
            }],
            Err(errors) => errors,
        }
    }

    /// The row of an operator's record; a malformed one where it cannot be used.
    pub(crate) fn row(&self, json: &str, allow_http: AllowHttp) -> Row {
        let text = match self {
            Self::Key(..) => key_text(json),
            Self::Customer(id) => customer_text(json, id, allow_http),
        };
        text.map_or_else(malformed, Row::of)
    }
}

fn half(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// The row of what cannot be used.
pub(crate) fn malformed() -> Row {
    Row { usable: Usable::Malformed, ..Row::default() }
}

/// A key's record as compact JSON with what decides: its subject first, by which shards find what rows share.
fn key_text(json: &str) -> Option<Vec<u8>> {
    const MEMBERS: [&str; 6] = ["subject", "claims", "expiresAt", "disabled", "allowedIps", "methods"];
    if json.len() > MAX_RECORD_BYTES {
        return None;
    }
    KeyConfig::parse(json.as_bytes()).ok()?;
    let members = entry_of(json.as_bytes()).ok()?;
    let mut text = String::with_capacity(json.len());
    for name in MEMBERS {
        let Some(value) = members.get(name).filter(|value| !says_nothing(value)) else { continue };
        text.push(if text.is_empty() { '{' } else { ',' });
        json::write_string(name, &mut text);
        text.push(':');
        text.push_str(&json::text(value));
    }
    // What a root key may do decides nothing here: that it is one, does.
    if members.get("root").is_some_and(|root| !root.is_null()) {
        text.push_str(r#","root":{}"#);
    }
    text.push('}');
    Some(text.into_bytes())
}

/// Whether a member of a key's record says what its absence says. An empty list is no such: it is malformed.
fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Object(members) => members.is_empty(),
        _ => false,
    }
}

/// A customer's record as compact JSON, which begins with its id.
fn customer_text(json: &str, id: &CustomerId, allow_http: AllowHttp) -> Option<Vec<u8>> {
    if json.len() > MAX_RECORD_BYTES {
        return None;
    }
    let record = read_record::<CustomerRecord>(json.as_bytes()).ok()?;
    CustomerConfig::of(&record, id, allow_http).ok()?;
    serde_json::to_vec(&content(&record)).ok()
}

/// The record that a refresh wrote; `None` where an operator wrote it, or it cannot be used.
pub(crate) fn refreshed(json: &str, id: &CustomerId, allow_http: AllowHttp) -> Option<CustomerRecord> {
    let record = read_record::<CustomerRecord>(json.as_bytes()).ok()?;
    CustomerConfig::of(&record, id, allow_http).ok().filter(CustomerConfig::is_refreshed)?;
    Some(record)
}

/// What decides in a customer's record. A customer that the config API no longer lists is disabled.
pub(crate) fn content(record: &CustomerRecord) -> CustomerRecord {
    let said = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
    CustomerRecord {
        backend_url: said(&record.backend_url),
        environment_name: said(&record.environment_name),
        disabled: record.disabled || record.gone,
        ..record.content()
    }
}

#[cfg(test)]
mod tests {
    use pointsman_core::base::digest::Digest;

    use super::*;

    fn row(name: &str, json: &str) -> String {
        let row = Entry::of_name(name).unwrap().row(json, AllowHttp::Never);
        if row.usable == Usable::Malformed {
            "malformed".to_owned()
        } else {
            String::from_utf8(row.text).unwrap()
        }
    }

    #[test]
    fn names_of_entries_are_read_strictly() {
        let digits = Digest::of(b"k").to_string();
        for name in [format!("key:{digits}"), "customer:acme".to_owned()] {
            assert_eq!(Entry::of_name(&name).unwrap().name(), name);
        }
        let key = Entry::key(&digits).unwrap().record_key();
        assert_eq!(key, RecordKey::api_key(&Digest::of(b"k")));
        for name in [
            "key:",
            "key:ab",
            "customer:",
            "customer:a\nb",
            "source:customer:a",
            "directory:head",
            "",
            &format!("key:{}", digits.to_uppercase()),
            &format!("key:{digits}0"),
        ] {
            assert_eq!(Entry::of_name(name), None, "{name}");
        }
    }

    #[test]
    fn a_row_has_what_decides_and_nothing_else() {
        let key = format!("key:{}", Digest::of(b"k"));
        let json = r#"{ "name": "CI", "createdAt": "2026-01-01T00:00:00Z", "disabled": false, "expiresAt": "",
            "claims": { "n": 18446744073709551615, "none": null }, "subject": "acme", "methods": null }"#;
        assert_eq!(row(&key, json), r#"{"subject":"acme","claims":{"n":18446744073709551615,"none":null}}"#);
        assert_eq!(row(&key, r#"{"subject":"a","methods":[]}"#), "malformed");
        assert_eq!(row(&key, "{}"), "malformed");
        let json = r#"{"environmentName":"","backendUrl":"https://a.example.com","customerId":"acme"}"#;
        assert_eq!(
            row("customer:acme", json),
            r#"{"customerId":"acme","backendUrl":"https://a.example.com"}"#
        );
        assert_eq!(row("customer:wayne", json), "malformed", "another's record");
        let long = format!(r#"{{"subject":"{}"}}"#, "a".repeat(MAX_RECORD_BYTES));
        assert_eq!(row(&key, &long), "malformed");
    }

    #[test]
    fn who_is_gone_is_disabled() {
        let json = r#"{"customerId":"a","backendUrl":"https://a.example.com","fetchedAt":"2026-01-01T00:00:00Z","gone":true}"#;
        assert_eq!(
            row("customer:a", json),
            r#"{"customerId":"a","backendUrl":"https://a.example.com","disabled":true}"#
        );
        let entry = Entry::of_name("customer:a").unwrap();
        assert_eq!(entry.check(json, AllowHttp::Never)[0].pointer, "/fetchedAt");
    }
}
