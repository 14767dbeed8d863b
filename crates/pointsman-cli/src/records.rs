//! One record of a file or of KV, judged as the gateway will judge it.

use pointsman_config::findings::escape;
use pointsman_core::{
    base::{
        number::is_exact,
        record::{RecordError, entry_of, read_record, record_from_value},
    },
    customer::{
        backend_url::AllowHttp,
        record::{CustomerConfig, CustomerRecord},
    },
    identity::{
        api_key::ApiKeys,
        claims::{ClaimPath, Claims},
        customer_id::CustomerId,
        key_record::{KeyConfig, KeyRecord, STORE_PREFIX},
    },
    state::config::{Customers, Gateway},
};
use serde_json::{Map, Value};

use crate::store::Sum;

/// What a record is about.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Kind {
    Customer,
    Key,
}

impl Kind {
    pub(crate) const ALL: [Self; 2] = [Self::Customer, Self::Key];

    /// What the names of its entries begin with.
    pub(crate) const fn prefix(self) -> &'static str {
        match self {
            Self::Customer => CustomerId::STORE_PREFIX,
            Self::Key => STORE_PREFIX,
        }
    }

    /// The kind of the entry of this name, if it is one that the gateway could ask for.
    pub(crate) fn of(name: &str) -> Option<Self> {
        let customer = name.strip_prefix(Self::Customer.prefix()).and_then(CustomerId::parse);
        let key = name.strip_prefix(Self::Key.prefix()).and_then(Sum::parse);
        customer.map(|_| Self::Customer).or_else(|| key.map(|_| Self::Key))
    }

    /// For people.
    pub(crate) const fn many(self) -> &'static str {
        match self {
            Self::Customer => "customers",
            Self::Key => "keys",
        }
    }
}

/// A record in order.
#[derive(Clone, Debug)]
pub(crate) struct Good {
    /// Of its entry.
    pub(crate) name: String,
    /// The entry's value, spelled in the one way in which these tools spell it: what is the same has the same
    /// digest.
    pub(crate) value: String,
    /// What a key's claims say of its customer.
    pub(crate) claimed: Claimed,
    /// Whether it is a key's, and does not say when the key was made.
    pub(crate) is_undated: bool,
    /// The host names of its own that a customer has.
    pub(crate) hosts: Vec<String>,
}

/// Which customer a key's claims name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Claimed {
    /// None.
    Nobody,
    /// This one.
    Customer(String),
    /// Something that can be no customer's id.
    Nonsense,
}

/// What a file may hold beside what the gateway reads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Extras {
    /// Nothing: what it holds stays under version control.
    Refused,
    /// What a refresh notes: such a record is passed over, so that a whole export can be brought back. And
    /// keys in plain text, of which only the digest is kept.
    Taken,
}

/// What records are judged by.
#[derive(Debug)]
pub(crate) struct Judge {
    pub(crate) allow_http: AllowHttp,
    /// The claim that names the customer.
    pub(crate) claim: ClaimPath,
    pub(crate) api_keys: Option<ApiKeys>,
    /// Whether the gateway asks a config API for customers.
    pub(crate) source: bool,
    /// What the gateway opens to customers' records; `None` where no configuration says so.
    pub(crate) customers: Option<Customers>,
    /// The limits of which customers' records may say the number; `None` where no configuration says so.
    pub(crate) quotas: Option<Vec<String>>,
}

/// The claim that names the customer where the configuration says nothing of it.
const USUAL_CLAIM: &str = "customerId";
/// What a refresh notes in a customer's record.
const NOTES: [&str; 5] = CustomerRecord::REFRESH_MEMBERS;

impl Judge {
    /// What is wrong with a claim that should name a customer.
    pub(crate) const NO_ID: &str = "can be no customer's id: write a string of 1 to 256 bytes";

    /// By a configuration; without one, by the defaults.
    pub(crate) fn of(gateway: Option<&Gateway>) -> Self {
        let claim = gateway.and_then(|gateway| gateway.customers());
        let usual = || ClaimPath::parse(USUAL_CLAIM).unwrap_or_else(ClaimPath::never);
        Self {
            allow_http: gateway.map_or(AllowHttp::Never, |gateway| gateway.allow_http()),
            claim: claim.map_or_else(usual, |customers| customers.claim.clone()),
            api_keys: gateway.and_then(|gateway| gateway.api_keys().cloned()),
            source: claim.is_some_and(|customers| customers.source.is_some()),
            customers: claim.cloned(),
            quotas: gateway.map(|gateway| {
                let open = gateway.limits().iter().filter(|limit| limit.is_from_record());
                open.map(|limit| limit.name.to_string()).collect()
            }),
        }
    }

    /// Judges a record out of a file.
    ///
    /// # Errors
    /// The first field that cannot be used.
    pub(crate) fn record(&self, kind: Kind, json: &[u8], extras: Extras) -> Result<Good, RecordError> {
        let mut members = entry_of(json)?;
        // As the gateway reads them; what a key's claims hold stays as it is.
        members.retain(|_, value| !value.is_null());
        match kind {
            Kind::Customer => self.customer(members, extras),
            Kind::Key => self.key(members, extras),
        }
    }

    /// The origins of a customer's record, each once, in its order.
    ///
    /// # Errors
    /// The first field that cannot be used.
    pub(crate) fn origins(&self, json: &str) -> Result<Vec<String>, RecordError> {
        let record = record_from_value::<CustomerRecord>(&Value::Object(entry_of(json.as_bytes())?))?;
        let config = CustomerConfig::from_record(&record, self.allow_http)?;
        let mut origins: Vec<String> = Vec::new();
        for place in config.backends() {
            if !origins.iter().any(|other| **other == **place.url.origin()) {
                origins.push(place.url.origin().to_string());
            }
        }
        Ok(origins)
    }

    fn customer(&self, members: Map<String, Value>, extras: Extras) -> Result<Good, RecordError> {
        if extras == Extras::Refused
            && let Some(note) = NOTES.iter().find(|note| members.contains_key(**note))
        {
            let what = "is what the gateway notes of the config API's records: leave it out, and the record is yours";
            return Err(wrong(format!("/{note}"), what));
        }
        let value = Value::Object(members);
        let record = record_from_value::<CustomerRecord>(&value)?;
        let config = CustomerConfig::from_record(&record, self.allow_http)?;
        if let Some((kind, name)) = self.customers.as_ref().and_then(|own| own.closed(&config)) {
            let list = if kind == "field" { "[customers.secrets] fields" } else { "[customers] networks" };
            let what =
                format!("names the {kind} {name}, which gateway.toml does not open to records: see {list}");
            return Err(RecordError { pointer: String::new(), what });
        }
        if let Some(open) = &self.quotas
            && let Some(name) = config.limits().find(|name| !open.iter().any(|own| own == name))
        {
            let what = format!(
                "is no quota of gateway.toml with from_record = true: {}",
                if open.is_empty() {
                    "there is none".to_owned()
                } else {
                    format!("there is {}", open.join(", "))
                }
            );
            return Err(wrong(format!("/limits/{}", escape(name)), what));
        }
        let name = config.id().store_key();
        let hosts = record.hosts;
        Ok(Good { name, value: value.to_string(), claimed: Claimed::Nobody, is_undated: false, hosts })
    }

    fn key(&self, mut members: Map<String, Value>, extras: Extras) -> Result<Good, RecordError> {
        let (sum, plain) = (members.remove("sha256"), members.remove("key"));
        let sum = match (sum, plain, extras) {
            (Some(sum), None, _) => {
                let what = "must be the SHA-256 digest of the key, in 64 lower-case hexadecimal digits";
                sum.as_str().and_then(Sum::parse).ok_or_else(|| wrong("/sha256", what))?
            }
            (None, Some(_), Extras::Refused) => {
                let what = "is a key in plain text, which belongs in no file that is kept: write its digest as \
                            sha256, or bring it in once with `pointsman keys import`";
                return Err(wrong("/key", what));
            }
            (None, Some(key), Extras::Taken) => self.digest(&key)?,
            (Some(_), Some(_), _) => {
                return Err(wrong("/key", "stands beside sha256: one of them is enough"));
            }
            (None, None, Extras::Refused) => {
                return Err(wrong("", "must have sha256, the digest of the key"));
            }
            (None, None, Extras::Taken) => {
                return Err(wrong("", "must have sha256, the digest of the key, or key, the key itself"));
            }
        };
        let value = Value::Object(members);
        digits_kept(&value)?;
        KeyConfig::from_record(record_from_value::<KeyRecord>(&value)?)?;
        let claimed = self.claimed(&value);
        let is_undated = created_at(&value).is_none();
        let name = format!("{}{sum}", Kind::Key.prefix());
        Ok(Good { name, value: value.to_string(), claimed, is_undated, hosts: Vec::new() })
    }

    /// The digest of a key in plain text, if the gateway would take such a key.
    fn digest(&self, key: &Value) -> Result<Sum, RecordError> {
        let Some(key) = key.as_str() else { return Err(wrong("/key", "must be a string")) };
        let visible = |byte: u8| byte.is_ascii_graphic() && byte != b',';
        if key.is_empty() || key.len() > ApiKeys::MAX_BYTES || !key.bytes().all(visible) {
            let most = ApiKeys::MAX_BYTES;
            return Err(wrong(
                "/key",
                format!("must be 1 to {most} visible ASCII characters without a comma"),
            ));
        }
        if let Some(keys) = &self.api_keys {
            if !keys.has_form(key) {
                let known = keys.prefixes().join(", ");
                return Err(wrong(
                    "/key",
                    format!(
                        "has none of the prefixes of [api_keys] ({known}), so the gateway would not take it"
                    ),
                ));
            }
            if keys.digest(key).is_err() {
                let what = "has not the checksum that the gateway wants: keys minted elsewhere need \
                            checksum = false in [api_keys]";
                return Err(wrong("/key", what));
            }
        }
        Ok(Sum::of(key.as_bytes()))
    }

    /// What the claims of a key's record say of its customer.
    pub(crate) fn claimed(&self, record: &Value) -> Claimed {
        let Some(Value::Object(claims)) = record.get("claims") else { return Claimed::Nobody };
        match Claims::new(claims.clone()).find(&self.claim) {
            None => Claimed::Nobody,
            Some(claim) => CustomerId::from_claim(claim)
                .map_or(Claimed::Nonsense, |id| Claimed::Customer(id.as_str().to_owned())),
        }
    }

    /// Where that claim stands in a record.
    pub(crate) fn claim_pointer(&self) -> String {
        let claim = self.claim.as_str();
        if claim.starts_with('/') { format!("/claims{claim}") } else { format!("/claims/{}", escape(claim)) }
    }
}

/// The member of a key's record that says when the key was made.
const CREATED_AT: &str = "createdAt";

/// When a key was made, where its record says so. Empty text does not.
pub(crate) fn created_at(record: &Value) -> Option<&str> {
    record.get(CREATED_AT).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// A key's record with the date at which the key was made. `None` where the gateway would not take it so.
pub(crate) fn with_created_at(record: &str, created_at: &str) -> Option<String> {
    let mut record: Value = serde_json::from_str(record).ok()?;
    record.as_object_mut()?.insert(CREATED_AT.to_owned(), Value::from(created_at));
    KeyConfig::from_record(record_from_value::<KeyRecord>(&record).ok()?).ok()?;
    Some(record.to_string())
}

/// Whether the config API's refresh wrote this record of a customer.
pub(crate) fn is_of_config_api(record: &Value) -> bool {
    record.get("fetchedAt").is_some_and(|at| !at.is_null())
}

/// A customer's record without what a refresh notes.
pub(crate) fn without_notes(record: &mut Value) {
    if let Value::Object(members) = record {
        members.retain(|name, _| !NOTES.contains(&name.as_str()));
    }
}

/// Whether every number of a record is written again with the digits that it has. A whole number beyond 64 bits would
/// become one of its neighbours, and the gateway could not tell it from them either.
///
/// # Errors
/// The first number of another kind.
pub(crate) fn digits_kept(record: &Value) -> Result<(), RecordError> {
    let inner = |step: &str, value: &Value| {
        digits_kept(value).map_err(|RecordError { pointer, what }| wrong(format!("/{step}{pointer}"), what))
    };
    match record {
        Value::Number(number) if !is_exact(number) => {
            let what = "is a number whose digits would be lost: write a whole number of 64 bits, with digits alone, or a \
                        text";
            Err(wrong("", what))
        }
        Value::Array(items) => {
            items.iter().enumerate().try_for_each(|(index, item)| inner(&index.to_string(), item))
        }
        Value::Object(members) => members.iter().try_for_each(|(name, member)| inner(&escape(name), member)),
        _ => Ok(()),
    }
}

/// Whether an entry under an operator's name is one that a refresh left there, before refreshes had names of
/// their own. One that cannot be read is the operator's.
pub(crate) fn is_left_over(entry: &str) -> bool {
    read_record::<CustomerRecord>(entry.as_bytes()).is_ok_and(|record| record.is_refreshed())
}

/// The name under which the config API's record of the same customer stands.
pub(crate) fn refreshed_name(own: &str) -> Option<String> {
    let id = own.strip_prefix(Kind::Customer.prefix()).and_then(CustomerId::parse)?;
    Some(id.refreshed_key())
}

/// The operator's name of the customer of whom this entry holds what the config API says.
pub(crate) fn own_name(refreshed: &str) -> Option<String> {
    let id = refreshed.strip_prefix(CustomerId::REFRESHED_PREFIX).and_then(CustomerId::parse)?;
    Some(id.store_key())
}

fn wrong(pointer: impl Into<String>, what: impl Into<String>) -> RecordError {
    RecordError { pointer: pointer.into(), what: what.into() }
}

#[cfg(test)]
mod tests {
    use pointsman_testkit::{GatewayToml, all_to};
    use serde_json::json;

    use super::*;

    fn judge() -> Judge {
        Judge::of(None)
    }

    fn pointer(kind: Kind, json: &str, extras: Extras) -> String {
        judge().record(kind, json.as_bytes(), extras).unwrap_err().pointer
    }

    #[test]
    fn a_customers_record_names_networks_that_the_gateway_opens_to_records() {
        let toml = GatewayToml::new()
            .table("customers", "networks = [\"ACME_NET\"]")
            .backend("shared")
            .route("/{+path}", &[], &all_to("shared"));
        let judge = Judge::of(Some(&toml.gateway()));
        let said = |network: &str| {
            let record = json!({ "customerId": "a", "backendUrl": format!("vpc:{network}/http://10.0.0.5") });
            judge.record(Kind::Customer, record.to_string().as_bytes(), Extras::Refused)
        };
        assert!(said("ACME_NET").is_ok());
        let refused = said("POINTSMAN_KV").unwrap_err().to_string();
        assert!(refused.contains("private network POINTSMAN_KV") && refused.contains("[customers] networks"));
    }

    #[test]
    fn the_spelling_of_a_record_is_no_part_of_it() {
        let value =
            |json: &str| judge().record(Kind::Customer, json.as_bytes(), Extras::Refused).unwrap().value;
        let one = value(r#"{"customerId":"a","backendUrl":"https://a.example"}"#);
        assert_eq!(one, value(" {\n\"backendUrl\": \"https://a.example\", \"customerId\": \"\\u0061\" }"));
    }

    #[test]
    fn what_is_null_or_stands_behind_a_byte_order_mark_is_read_as_the_gateway_reads_it() {
        let customer = "\u{feff}{\"customerId\":\"a\",\"backendUrl\":\"https://a.example\",\"disabled\":null,\"backends\":null,\"fetchedAt\":null}";
        let good = judge().record(Kind::Customer, customer.as_bytes(), Extras::Refused).unwrap();
        assert_eq!(good.value, r#"{"backendUrl":"https://a.example","customerId":"a"}"#);
        let sum = Sum::of(b"abc");
        let key = format!(
            r#"{{"sha256":"{sum}","key":null,"subject":"s","disabled":null,"methods":null,"claims":{{"plan":null}}}}"#
        );
        let good = judge().record(Kind::Key, key.as_bytes(), Extras::Refused).unwrap();
        assert_eq!(good.value, r#"{"claims":{"plan":null},"subject":"s"}"#);
        assert_eq!(pointer(Kind::Key, &format!(r#"{{"sha256":"{sum}","subject":null}}"#), Extras::Taken), "");
    }

    #[test]
    fn a_key_is_named_by_its_digest_or_by_itself() {
        let sum = Sum::of(b"abc");
        let named = |json: &str| judge().record(Kind::Key, json.as_bytes(), Extras::Taken).unwrap();
        let by_sum =
            named(&format!(r#"{{"sha256":"{sum}","subject":"s","claims":{{"customerId":"acme"}}}}"#));
        assert_eq!(by_sum.name, format!("key:{sum}"));
        assert_eq!(by_sum.value, r#"{"claims":{"customerId":"acme"},"subject":"s"}"#);
        assert_eq!(by_sum.claimed, Claimed::Customer("acme".to_owned()));
        let by_key = named(r#"{"key":"abc","subject":"s","claims":{"customerId":7.5}}"#);
        assert_eq!((by_key.name, by_key.claimed), (by_sum.name, Claimed::Nonsense));
        let numbered = named(r#"{"key":"abc","subject":"s","claims":{"customerId":7}}"#);
        assert_eq!(numbered.claimed, Claimed::Customer("7".to_owned()));
        assert!(!by_key.value.contains("abc"));
    }

    #[test]
    fn a_record_may_say_when_its_key_was_made() {
        let undated = |json: &str| {
            let json = format!(r#"{{"sha256":"{}","subject":"s",{json}}}"#, Sum::of(b"abc"));
            judge().record(Kind::Key, json.as_bytes(), Extras::Taken).unwrap().is_undated
        };
        assert!(undated(r#""createdAt":null"#) && undated(r#""createdAt":"""#));
        assert!(!undated(r#""createdAt":"2026-01-01T00:00:00Z""#));
        let dated = with_created_at(r#"{"createdAt":"","subject":"s"}"#, "2026-01-01T00:00:00Z");
        assert_eq!(dated.as_deref(), Some(r#"{"createdAt":"2026-01-01T00:00:00Z","subject":"s"}"#));
        assert_eq!(with_created_at(r#"{"subject":"s"}"#, "long ago"), None);
    }

    #[test]
    fn whole_numbers_keep_their_digits_and_others_are_named() {
        let record = |claims: &str| {
            let json = format!(r#"{{"sha256":"{}","subject":"s","claims":{claims}}}"#, Sum::of(b"abc"));
            judge().record(Kind::Key, json.as_bytes(), Extras::Refused)
        };
        for number in
            ["1122334455667789000", "9007199254740993", "18446744073709551615", "-9223372036854775808", "0.5"]
        {
            let claims = format!(r#"{{"ids":[{number}]}}"#);
            let good = record(&claims).unwrap();
            assert_eq!(good.value, format!(r#"{{"claims":{claims},"subject":"s"}}"#));
        }
        for number in ["18446744073709551616", "-9223372036854775809", "1e16"] {
            let problem = record(&format!(r#"{{"a/b":{{"ids":[1,{number}]}}}}"#)).unwrap_err();
            assert_eq!(problem.pointer, "/claims/a~1b/ids/1", "{number}");
        }
    }

    #[test]
    fn what_does_not_belong_there_is_named() {
        for (json, at) in [
            (
                r#"{"customerId":"a","backendUrl":"https://a.example","fetchedAt":"2026-01-01T00:00:00Z"}"#,
                "/fetchedAt",
            ),
            (r#"{"customerId":"a","backendUrl":"https://a.example","scheduled":false}"#, "/scheduled"),
            (r#"{"customerId":"a","backendUrl":"ftp://a.example"}"#, "/backendUrl"),
            (r#"{"customerId":"a","customerId":"b","backendUrl":"https://a.example"}"#, ""),
        ] {
            assert_eq!(pointer(Kind::Customer, json, Extras::Refused), at, "{json}");
        }
        for (json, extras, at) in [
            (r#"{"key":"abc","subject":"s"}"#, Extras::Refused, "/key"),
            (r#"{"key":"a b","subject":"s"}"#, Extras::Taken, "/key"),
            (r#"{"key":7,"subject":"s"}"#, Extras::Taken, "/key"),
            (r#"{"key":"abc","sha256":"x","subject":"s"}"#, Extras::Taken, "/key"),
            (r#"{"sha256":"ABC","subject":"s"}"#, Extras::Taken, "/sha256"),
            (r#"{"subject":"s"}"#, Extras::Refused, ""),
            (r#"{"key":"abc","subject":"s","disbled":true}"#, Extras::Taken, "/disbled"),
        ] {
            assert_eq!(pointer(Kind::Key, json, extras), at, "{json}");
        }
    }

    #[test]
    fn only_names_that_the_gateway_asks_for_have_a_kind() {
        let sum = Sum::of(b"");
        assert_eq!(Kind::of("customer:a"), Some(Kind::Customer));
        assert_eq!(Kind::of(&format!("key:{sum}")), Some(Kind::Key));
        for name in ["customer:", "key:abc", "source:customers", "keyset:abc", "customers:a", "customer:a\n"]
        {
            assert_eq!(Kind::of(name), None, "{name}");
        }
    }
}
