//! Customers: the organisations whose traffic is routed, their ids and their stored records.

use std::rc::Rc;

use serde::Serialize;
use serde_json::Value;

use crate::{
    base::{
        freshness::MAX_CLOCK_SKEW,
        record::{RecordError, read_record, record_from_value, said},
        shape::shape,
        time::Timestamp,
    },
    customer::backend_url::{AllowHttp, BackendUrl},
    identity::{
        access::AccessRestrictions,
        claims::{BLOCK, COUNTED},
        customer_id::CustomerId,
    },
};

/// A customer as it is stored: what operators write, what `customers.json` and the config API hold.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
pub struct CustomerRecord {
    /// The customer's id; must be the one that it is stored under.
    pub customer_id: String,
    /// Where this customer's requests go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backend_url: Option<String>,
    /// Further places where they can go, or all of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(default))]
    pub backends: Vec<OriginRecord>,
    /// The environment's name, for the log.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment_name: Option<String>,
    /// Whether requests of this customer are refused.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(feature = "schema", schemars(default))]
    pub disabled: bool,
    /// From where alone its callers may come: addresses and ranges.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed_ips: Option<Vec<String>>,
    /// When the config API was asked for this record, in RFC 3339: written by refreshes, and by nobody else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fetched_at: Option<String>,
    /// Counts the refreshes that changed this record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<u64>,
    /// The entity tag that the config API gave this record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
    /// Whether the config API no longer lists this customer; it is disabled then.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(feature = "schema", schemars(default))]
    pub gone: bool,
    /// Whether the scheduled refresh wrote this, so that its state vouches for it: it knows of no other.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[cfg_attr(feature = "schema", schemars(default))]
    pub scheduled: bool,
}

/// One place where a customer's requests can go.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
pub struct OriginRecord {
    /// Its URL.
    pub url: String,
    /// Its share, where requests are shared out by weight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
    /// The region that it stands in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

shape! { for CustomerRecord {
    customer_id: "customerId",
    backend_url: "backendUrl",
    backends: "backends" = default,
    environment_name: "environmentName",
    disabled: "disabled" = default,
    allowed_ips: "allowedIps",
    fetched_at: "fetchedAt",
    generation: "generation",
    etag: "etag",
    gone: "gone" = default,
    scheduled: "scheduled" = default,
}}
shape! { for OriginRecord { url: "url", weight: "weight", region: "region", }}

/// More places than this would be no failover but a search.
const MOST_BACKENDS: usize = 8;

impl CustomerRecord {
    /// Whether a refresh from the config API wrote it, whatever name it stands under.
    #[must_use]
    pub const fn is_refreshed(&self) -> bool {
        self.fetched_at.is_some()
    }

    /// What the config API says, without what a refresh notes beside it.
    #[must_use]
    pub fn content(&self) -> Self {
        Self { fetched_at: None, generation: None, etag: None, gone: false, scheduled: false, ..self.clone() }
    }

    /// When the config API was asked for it; `None` for an operator's own. A time that lies in the
    /// future was made by a broken clock and must not keep a record fresh until then.
    #[must_use]
    pub fn fetched_at(&self, now: Timestamp) -> Option<Timestamp> {
        let written = self.fetched_at.as_deref()?;
        let fetched_at = Timestamp::parse_rfc3339(written).unwrap_or_default();
        Some(if fetched_at > now.plus(MAX_CLOCK_SKEW) { Timestamp::default() } else { fetched_at })
    }
}

/// A customer as routing uses it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CustomerConfig {
    id: CustomerId,
    environment: Option<Rc<str>>,
    backends: Vec<CustomerOrigin>,
    restrictions: AccessRestrictions,
    disabled: bool,
    refreshed: bool,
}

/// One place where a customer's requests can go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CustomerOrigin {
    /// Its URL.
    pub url: BackendUrl,
    /// Its share, where requests are shared out by weight.
    pub weight: Option<u32>,
    /// The region that it stands in.
    pub region: Option<Rc<str>>,
}

impl CustomerConfig {
    /// Reads the JSON stored for `id`.
    ///
    /// # Errors
    /// The first field that cannot be used.
    pub fn parse(json: &[u8], id: &CustomerId, allow_http: AllowHttp) -> Result<Self, RecordError> {
        Self::of(&read_record(json)?, id, allow_http)
    }

    /// Checks the record of `id`.
    ///
    /// # Errors
    /// The first field that cannot be used.
    pub fn of(record: &CustomerRecord, id: &CustomerId, allow_http: AllowHttp) -> Result<Self, RecordError> {
        let config = Self::from_record(record, allow_http)?;
        // A record copied under another customer's key must not send one to the other's backend.
        if config.id != *id {
            return Err(RecordError {
                pointer: "/customerId".to_owned(),
                what: format!("must be {id:?}, the id it is stored under", id = id.as_str()),
            });
        }
        Ok(config)
    }

    /// Checks a record.
    ///
    /// # Errors
    /// The first field that cannot be used.
    pub fn from_record(record: &CustomerRecord, allow_http: AllowHttp) -> Result<Self, RecordError> {
        let id = CustomerId::parse(&record.customer_id).ok_or_else(|| RecordError {
            pointer: "/customerId".to_owned(),
            what: format!("must be 1 to {} bytes without control characters", CustomerId::MAX_BYTES),
        })?;
        let backends = backends(record, allow_http)?;
        if record.fetched_at.as_deref().is_some_and(|at| Timestamp::parse_rfc3339(at).is_none()) {
            let what = "must be an instant in RFC 3339; leave it out for a record of your own".to_owned();
            return Err(RecordError { pointer: "/fetchedAt".to_owned(), what });
        }
        Ok(Self {
            id,
            environment: said(record.environment_name.as_deref()).map(Rc::from),
            backends,
            restrictions: AccessRestrictions::parse(record.allowed_ips.as_deref(), None)?,
            disabled: record.disabled || record.gone,
            refreshed: record.is_refreshed(),
        })
    }

    /// The customer's id.
    #[must_use]
    pub const fn id(&self) -> &CustomerId {
        &self.id
    }

    /// The environment's name, for the log.
    #[must_use]
    pub const fn environment(&self) -> Option<&Rc<str>> {
        self.environment.as_ref()
    }

    /// Where this customer's requests can go: at least one place, in the record's order.
    #[must_use]
    pub fn backends(&self) -> &[CustomerOrigin] {
        &self.backends
    }

    /// What its callers are restricted to.
    #[must_use]
    pub const fn restrictions(&self) -> &AccessRestrictions {
        &self.restrictions
    }

    /// Whether requests of this customer are refused.
    #[must_use]
    pub const fn disabled(&self) -> bool {
        self.disabled
    }

    /// Whether the config API said so, and no operator.
    #[must_use]
    pub const fn is_refreshed(&self) -> bool {
        self.refreshed
    }

    /// Bytes held, for the cache's bound.
    #[must_use]
    pub fn weight(&self) -> usize {
        let environment = self.environment.as_ref().map_or(0, |name| COUNTED + name.len());
        let id = COUNTED + self.id.as_str().len();
        let place = |place: &CustomerOrigin| {
            let region = place.region.as_ref().map_or(0, |region| COUNTED + region.len());
            size_of::<CustomerOrigin>() + place.url.weight() + region
        };
        let backends: usize = self.backends.iter().map(place).sum();
        COUNTED + size_of::<Self>() + id + environment + BLOCK + backends + self.restrictions.weight()
    }
}

fn backends(record: &CustomerRecord, allow_http: AllowHttp) -> Result<Vec<CustomerOrigin>, RecordError> {
    let wrong = |pointer: String, what: String| RecordError { pointer, what };
    let parse = |url: &str, pointer: String| {
        BackendUrl::parse(url, allow_http).map_err(|error| wrong(pointer, error.to_string()))
    };
    let mut found = Vec::new();
    if let Some(url) = said(record.backend_url.as_deref()) {
        let url = parse(url, "/backendUrl".to_owned())?;
        found.push(CustomerOrigin { url, weight: None, region: None });
    }
    for (index, origin) in record.backends.iter().enumerate() {
        let url = parse(&origin.url, format!("/backends/{index}/url"))?;
        // What stands in both is described by the list.
        found.retain(|other| other.url != url);
        let region = said(origin.region.as_deref()).map(Rc::from);
        found.push(CustomerOrigin { url, weight: origin.weight, region });
    }
    if found.is_empty() {
        return Err(wrong(String::new(), "must have a backendUrl, or backends".to_owned()));
    }
    if found.len() > MOST_BACKENDS {
        return Err(wrong("/backends".to_owned(), format!("must be at most {MOST_BACKENDS}")));
    }
    Ok(found)
}

/// Reads a record out of a provider's own document, which may say more of a customer than we ask for:
/// members that mean nothing here are passed over. One that is nearly a name of ours (`backendURL`,
/// `Disabled`) is an error: it was meant.
///
/// # Errors
/// Where and what.
pub fn provider_record(entry: Value) -> Result<CustomerRecord, RecordError> {
    const NAMES: [&str; 6] =
        ["customerId", "backendUrl", "backends", "environmentName", "allowedIps", "disabled"];
    let fold = |name: &str| name.replace(['_', '-'], "").to_ascii_lowercase();
    let Value::Object(mut members) = entry else { return record_from_value(&entry) };
    members.retain(|_, value| !value.is_null());
    for name in members.keys().filter(|name| !NAMES.contains(&name.as_str())) {
        if let Some(meant) = NAMES.iter().find(|known| fold(known) == fold(name)) {
            let what = format!("is probably meant as {meant}");
            return Err(RecordError { pointer: format!("/{name}"), what });
        }
    }
    members.retain(|name, _| NAMES.contains(&name.as_str()));
    record_from_value(&Value::Object(members))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<CustomerConfig, RecordError> {
        CustomerConfig::parse(json.as_bytes(), &CustomerId::parse("acme-corp").unwrap(), AllowHttp::Never)
    }

    #[test]
    fn the_documented_entry_is_valid_as_it_is() {
        let config = parse(r#"{"customerId":"acme-corp","environmentName":"acme","backendUrl":"https://acme.tenants.example.com"}"#).unwrap();
        assert_eq!(&**config.backends()[0].url.origin(), "https://acme.tenants.example.com");
        assert_eq!(config.environment(), Some(&Rc::from("acme")));
        assert!(!config.disabled());
    }

    #[test]
    fn a_bad_record_names_its_field() {
        for (json, pointer) in [
            (r#"{"customerId":"acme-corp"}"#, ""),
            (r#"{"customerId":"acme-corp","backendUrl":"http://x.example"}"#, "/backendUrl"),
            (r#"{"customerId":"acme-corp","backendUrl":7}"#, "/backendUrl"),
            (
                r#"{"customerId":"acme-corp","backendUrl":"https://x.example","backendURL":"https://y.example"}"#,
                "/backendURL",
            ),
            (r#"{"customerId":"wayne-ent","backendUrl":"https://x.example"}"#, "/customerId"),
            (r#"{"customerId":"","backendUrl":"https://x.example"}"#, "/customerId"),
            (r#"{"customerId":"acme-corp","customerId":"acme-corp","backendUrl":"https://x.example"}"#, ""),
            ("[]", ""),
            ("nonsense", ""),
        ] {
            assert_eq!(parse(json).unwrap_err().pointer, pointer, "{json}");
        }
    }

    #[test]
    fn a_providers_document_may_say_more_but_not_nearly_the_same() {
        let entry = serde_json::json!({"customerId": "a", "backendUrl": "https://a.example", "region": "eu"});
        assert!(provider_record(entry).is_ok());
        for name in ["backendURL", "Disabled", "environment_name"] {
            let mut entry = serde_json::json!({"customerId": "a", "backendUrl": "https://a.example"});
            entry[name] = Value::from("x");
            assert_eq!(provider_record(entry).unwrap_err().pointer, format!("/{name}"));
        }
    }
}
