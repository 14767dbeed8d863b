//! Customers: the organisations whose traffic is routed, their ids and their stored records.

use std::rc::Rc;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::{
    base::{
        freshness::MAX_CLOCK_SKEW,
        identifier::Identifier,
        record::{RecordError, RecordErrors, record_from_value, said},
        shape::{escape, shape},
        time::Timestamp,
        units::LARGEST_INTEGER,
    },
    customer::{
        backend_url::AllowHttp,
        host_name::HostName,
        origins::{self, CustomerOrigin, OriginRecord},
    },
    identity::{
        access::AccessRestrictions,
        claims::{BLOCK, COUNTED, weight_of_members},
        customer_id::CustomerId,
    },
};

/// A customer as it is stored: what operators write, what `customers.json` and the config API hold.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
pub struct CustomerRecord {
    /// The customer's id; must be the one that it is stored under.
    pub customer_id: Identifier,
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
    /// The customer's own host names: on a route with `customer = "$host"` they say whose a request is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(default))]
    pub hosts: Vec<String>,
    /// The secrets that the customer's own backends ask for, sealed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(default))]
    pub secrets: Vec<String>,
    /// The customer's own quotas, by the names of limits.
    #[serde(skip_serializing_if = "Map::is_empty")]
    #[cfg_attr(feature = "schema", schemars(default))]
    pub limits: Map<String, Value>,
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

shape! { for CustomerRecord {
    customer_id: "customerId",
    backend_url: "backendUrl",
    backends: "backends" = default,
    environment_name: "environmentName",
    disabled: "disabled" = default,
    allowed_ips: "allowedIps",
    hosts: "hosts" = default,
    secrets: "secrets" = default,
    limits: "limits" = default,
    fetched_at: "fetchedAt",
    generation: "generation",
    etag: "etag",
    gone: "gone" = default,
    scheduled: "scheduled" = default,
}}

impl CustomerRecord {
    /// The members that refreshes write beside what the config API says. No operator's record has them.
    pub const REFRESH_MEMBERS: [&str; 5] = ["fetchedAt", "generation", "etag", "gone", "scheduled"];

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
    hosts: Box<[HostName]>,
    limits: Map<String, Value>,
    disabled: bool,
    refreshed: bool,
    plain: bool,
    fetched_at: Option<Timestamp>,
}

impl CustomerConfig {
    /// Reads the JSON stored for `id`.
    ///
    /// # Errors
    /// The first field that cannot be used.
    pub fn parse(json: &[u8], id: &CustomerId, allow_http: AllowHttp) -> Result<Self, RecordError> {
        let mut errors = RecordErrors::default();
        let config = Self::read(json, id.as_str(), allow_http, &mut errors);
        errors.first(config)
    }

    /// Reads the JSON stored for `id` for somebody who wants to mend it.
    ///
    /// # Errors
    /// All fields that cannot be used.
    pub fn check(json: &[u8], id: &str, allow_http: AllowHttp) -> Result<Self, Vec<RecordError>> {
        let mut errors = RecordErrors::default();
        let config = Self::read(json, id, allow_http, &mut errors);
        errors.all(config)
    }

    /// Checks the record of `id`.
    ///
    /// # Errors
    /// The first field that cannot be used.
    pub fn of(record: &CustomerRecord, id: &CustomerId, allow_http: AllowHttp) -> Result<Self, RecordError> {
        let mut errors = RecordErrors::default();
        let config = Self::read_record_of(record, id.as_str(), allow_http, &mut errors);
        errors.first(config)
    }

    /// Checks a record.
    ///
    /// # Errors
    /// The first field that cannot be used.
    pub fn from_record(record: &CustomerRecord, allow_http: AllowHttp) -> Result<Self, RecordError> {
        let mut errors = RecordErrors::default();
        let config = Self::read_record(record, allow_http, &mut errors);
        errors.first(config)
    }

    fn read(json: &[u8], id: &str, allow_http: AllowHttp, errors: &mut RecordErrors) -> Option<Self> {
        Self::read_record_of(&errors.read(json)?, id, allow_http, errors)
    }

    fn read_record_of(
        record: &CustomerRecord,
        id: &str,
        allow_http: AllowHttp,
        errors: &mut RecordErrors,
    ) -> Option<Self> {
        let config = Self::read_record(record, allow_http, errors)?;
        // A record copied under another customer's key must not send one to the other's backend.
        if config.id.as_str() != id {
            errors.note("/customerId", format!("must be {id:?}, the id it is stored under"));
        }
        Some(config)
    }

    /// What a record says, as far as it can be used. What cannot is noted, and then nothing of this counts.
    fn read_record(
        record: &CustomerRecord,
        allow_http: AllowHttp,
        errors: &mut RecordErrors,
    ) -> Option<Self> {
        let id = CustomerId::parse(&record.customer_id);
        if id.is_none() {
            let most = CustomerId::MAX_BYTES;
            errors.note("/customerId", format!("must be 1 to {most} bytes without control characters"));
        }
        let backends = origins::read(record, allow_http, errors);
        if record.fetched_at.as_deref().is_some_and(|at| Timestamp::parse_rfc3339(at).is_none()) {
            let what = "must be an instant in RFC 3339; leave it out for a record of your own";
            errors.note("/fetchedAt", what);
        }
        let restrictions = AccessRestrictions::read(record.allowed_ips.as_deref(), None, errors);
        Some(Self {
            id: id?,
            plain: backends.iter().all(CustomerOrigin::is_plain),
            environment: said(record.environment_name.as_deref()).map(Rc::from),
            backends,
            restrictions,
            hosts: HostName::read_all(&record.hosts, errors),
            limits: limits(&record.limits, errors),
            disabled: record.disabled || record.gone,
            refreshed: record.is_refreshed(),
            fetched_at: record.fetched_at.as_deref().and_then(Timestamp::parse_rfc3339),
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

    /// Where this customer's requests can go, in the record's order: at least one place, but for who is gone.
    #[must_use]
    pub fn backends(&self) -> &[CustomerOrigin] {
        &self.backends
    }

    /// What its callers are restricted to.
    #[must_use]
    pub const fn restrictions(&self) -> &AccessRestrictions {
        &self.restrictions
    }

    /// Nothing but whose record it is: what an entry by a host's name says.
    #[must_use]
    pub fn pointer_to(id: CustomerId) -> Self {
        Self {
            id,
            environment: None,
            backends: Vec::new(),
            restrictions: AccessRestrictions::default(),
            hosts: Box::default(),
            limits: Map::new(),
            disabled: false,
            refreshed: false,
            plain: true,
            fetched_at: None,
        }
    }

    /// The customer's own host names.
    #[must_use]
    pub const fn hosts(&self) -> &[HostName] {
        &self.hosts
    }

    /// The customer's own quota for a limit.
    #[must_use]
    pub fn limit(&self, name: &str) -> Option<u64> {
        self.limits.get(name)?.as_u64()
    }

    /// The limits for which the customer has a quota of its own.
    pub fn limits(&self) -> impl Iterator<Item = &str> {
        self.limits.keys().map(String::as_str)
    }

    /// Whether requests of this customer are refused.
    #[must_use]
    pub const fn disabled(&self) -> bool {
        self.disabled
    }

    /// Whether it names nothing that the gateway's file must open to records.
    #[must_use]
    pub const fn is_plain(&self) -> bool {
        self.plain
    }

    /// Whether the config API said so, and no operator.
    #[must_use]
    pub const fn is_refreshed(&self) -> bool {
        self.refreshed
    }

    /// When the config API was asked for it, where it says so.
    #[must_use]
    pub const fn fetched_at(&self) -> Option<Timestamp> {
        self.fetched_at
    }

    /// The same, as the config API said it.
    #[must_use]
    pub fn refreshed(self) -> Self {
        Self { refreshed: true, ..self }
    }

    /// Bytes held, for the cache's bound.
    #[must_use]
    pub fn weight(&self) -> usize {
        let environment = self.environment.as_ref().map_or(0, |name| COUNTED + name.len());
        let id = COUNTED + self.id.as_str().len();
        let backends: usize = self.backends.iter().map(CustomerOrigin::weight).sum();
        let hosts: usize =
            self.hosts.iter().map(|host| size_of::<HostName>() + COUNTED + host.as_str().len()).sum();
        COUNTED
            + size_of::<Self>()
            + id
            + environment
            + BLOCK
            + backends
            + hosts
            + self.restrictions.weight()
            + weight_of_members(&self.limits)
    }
}

/// The quotas of a record.
fn limits(written: &Map<String, Value>, errors: &mut RecordErrors) -> Map<String, Value> {
    for (name, quota) in written {
        if !quota.is_null() && !quota.as_u64().is_some_and(|quota| (1..=LARGEST_INTEGER).contains(&quota)) {
            errors.note(format!("/limits/{}", escape(name)), "must be a whole number from 1 on");
        }
    }
    written.clone()
}

/// Reads a record out of a provider's own document, which may say more of a customer than we ask for:
/// members that mean nothing here are passed over. One that is nearly a name of ours (`backendURL`,
/// `Disabled`) is an error: it was meant.
///
/// # Errors
/// Where and what.
pub fn provider_record(entry: Value) -> Result<CustomerRecord, RecordError> {
    const NAMES: [&str; 9] = [
        "customerId",
        "backendUrl",
        "backends",
        "environmentName",
        "allowedIps",
        "hosts",
        "secrets",
        "limits",
        "disabled",
    ];
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
    fn a_check_finds_all_at_once_each_at_its_place() {
        let pointers = |json: &str| {
            let errors = CustomerConfig::check(json.as_bytes(), "acme-corp", AllowHttp::Never).unwrap_err();
            let first = parse(json).unwrap_err();
            assert_eq!(errors[0], first, "{json}");
            errors.into_iter().map(|error| error.pointer).collect::<Vec<_>>()
        };
        let many = r#"{"customerId":"wayne-ent","backendUrl":"http://x.example","fetchedAt":"now",
            "backends":[{"url":"ftp://x","weight":"many"},{"url":"https://y.example"},{"url":"z"}],"allowedIps":["a","::/0","b"]}"#;
        assert_eq!(
            pointers(many),
            [
                "/backends/0/weight",
                "/backendUrl",
                "/backends/0/url",
                "/backends/2/url",
                "/fetchedAt",
                "/allowedIps/0",
                "/allowedIps/2",
                "/customerId"
            ]
        );
        assert_eq!(pointers(r#"{"customerId":"acme-corp","backendUrl":7}"#), ["/backendUrl"]);
        assert_eq!(pointers(r#"{"customerId":"acme-corp","backends":7}"#), ["/backends"]);
        assert_eq!(pointers(r#"{"customerId":"","allowedIps":[]}"#), ["/customerId", "", "/allowedIps"]);
        // The second backend would be the first of those that could be read.
        let shifted = r#"{"customerId":"acme-corp","backends":[7,{"url":"ftp://x"}]}"#;
        assert_eq!(pointers(shifted), ["/backends/0"]);
        let good = br#"{"customerId":"acme-corp","backendUrl":"https://x.example"}"#;
        assert!(CustomerConfig::check(good, "acme-corp", AllowHttp::Never).is_ok());
    }

    #[test]
    fn what_refreshes_write_is_known_by_its_names() {
        let json = r#"{"customerId":"a","backendUrl":"https://a.example","fetchedAt":"2026-01-01T00:00:00Z",
            "generation":1,"etag":"x","gone":true,"scheduled":true}"#;
        let record: CustomerRecord = record_from_value(&serde_json::from_str(json).unwrap()).unwrap();
        let names = |record: &CustomerRecord| {
            let Ok(Value::Object(members)) = serde_json::to_value(record) else { panic!("an object") };
            members.into_iter().map(|(name, _)| name).collect::<Vec<_>>()
        };
        let mut all = names(&record);
        all.retain(|name| !CustomerRecord::REFRESH_MEMBERS.contains(&name.as_str()));
        assert_eq!(all, names(&record.content()));
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
