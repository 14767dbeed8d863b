//! The record of an API key, stored under its digest.

use std::rc::Rc;

use serde_json::{Map, Value};

use super::access::AccessRestrictions;
use crate::{
    base::{
        digest::Digest,
        identifier::Identifier,
        record::{RecordError, RecordErrors, said},
        refusal::Refusal,
        shape::shape,
        time::Timestamp,
    },
    http::head::Head,
    identity::{
        claims::{COUNTED, Claims},
        principal::Principal,
        root_key::RootKey,
    },
};

/// What the names of the entries begin with that hold records of keys.
pub const STORE_PREFIX: &str = "key:";

/// The name of the KV entry that holds the record of the key with this digest.
#[must_use]
pub fn store_key(digest: &Digest) -> String {
    format!("{STORE_PREFIX}{digest}")
}

/// An API key as it is stored. The key itself is stored nowhere.
#[derive(Clone, Debug)]
#[cfg_attr(
    feature = "schema",
    derive(schemars::JsonSchema),
    schemars(deny_unknown_fields, rename_all = "camelCase")
)]
pub struct KeyRecord {
    /// Whom the key stands for.
    pub subject: Identifier,
    /// What every rule reads.
    #[cfg_attr(feature = "schema", schemars(default))]
    pub claims: Map<String, Value>,
    /// When the key stops working (RFC 3339).
    pub expires_at: Option<String>,
    /// Whether the key is refused.
    #[cfg_attr(feature = "schema", schemars(default))]
    pub disabled: bool,
    /// From where alone it may be used: addresses and ranges.
    pub allowed_ips: Option<Vec<String>>,
    /// With which methods alone it may be used.
    pub methods: Option<Vec<String>>,
    /// What people call it.
    pub name: Option<String>,
    /// When it was made (RFC 3339).
    pub created_at: Option<String>,
    /// What the key begins with, without the last `_`: for whoever lists keys.
    pub prefix: Option<String>,
    /// Makes it a root key: what it may do at the management API. No route lets it in.
    #[cfg_attr(feature = "schema", schemars(with = "Option<super::root_key::RootRecord>"))]
    pub root: Option<Map<String, Value>>,
}

shape! { for KeyRecord {
    subject: "subject",
    claims: "claims" = default,
    expires_at: "expiresAt",
    disabled: "disabled" = default,
    allowed_ips: "allowedIps",
    methods: "methods",
    name: "name",
    created_at: "createdAt",
    prefix: "prefix",
    root: "root",
}}

/// Whether a key works at some instant, whoever uses it for what.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyState {
    /// It works.
    Active,
    /// Its record says that it does not.
    Disabled,
    /// Its end has come.
    Expired,
}

impl KeyState {
    /// In a word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
            Self::Expired => "expired",
        }
    }
}

/// An API key as authentication uses it.
#[derive(Clone, Debug, PartialEq)]
pub struct KeyConfig {
    principal: Rc<Principal>,
    expires_at: Option<Timestamp>,
    disabled: bool,
    is_root: bool,
    restrictions: AccessRestrictions,
}

impl KeyConfig {
    /// Reads the JSON stored under a key's digest.
    ///
    /// # Errors
    /// The first field that cannot be used.
    pub fn parse(json: &[u8]) -> Result<Self, RecordError> {
        let mut errors = RecordErrors::default();
        let config = Self::read(json, &mut errors);
        errors.first(config)
    }

    /// Reads it as whoever writes one does: what the gateway itself does not look at, a root key's scopes, is checked too.
    ///
    /// # Errors
    /// The first field that cannot be used.
    pub fn check_first(json: &[u8]) -> Result<Self, RecordError> {
        Self::check(json).map_err(|errors| errors.into_iter().next().unwrap_or_default())
    }

    /// Reads it for somebody who wants to mend it.
    ///
    /// # Errors
    /// All fields that cannot be used.
    pub fn check(json: &[u8]) -> Result<Self, Vec<RecordError>> {
        let mut errors = RecordErrors::default();
        let record = errors.read::<KeyRecord>(json);
        if let Some(record) = &record {
            RootKey::check(record, &mut errors);
        }
        let config = record.map(|record| Self::read_record(record, &mut errors));
        errors.all(config)
    }

    /// Checks a record.
    ///
    /// # Errors
    /// The first field that cannot be used.
    pub fn from_record(record: KeyRecord) -> Result<Self, RecordError> {
        let mut errors = RecordErrors::default();
        RootKey::check(&record, &mut errors);
        let config = Self::read_record(record, &mut errors);
        errors.first(Some(config))
    }

    fn read(json: &[u8], errors: &mut RecordErrors) -> Option<Self> {
        let record = errors.read(json)?;
        Some(Self::read_record(record, errors))
    }

    /// What a record says, as far as it can be used. What cannot is noted, and then nothing of this counts.
    fn read_record(record: KeyRecord, errors: &mut RecordErrors) -> Self {
        let mut instant = |pointer: &str, text: Option<&str>| {
            let text = said(text)?;
            let instant = Timestamp::parse_rfc3339(text);
            if instant.is_none() {
                errors.note(pointer, "must be an RFC 3339 instant such as 2026-12-31T23:59:59Z");
            }
            instant
        };
        instant("/createdAt", record.created_at.as_deref());
        let expires_at = instant("/expiresAt", record.expires_at.as_deref());
        if record.subject.is_empty() {
            errors.note("/subject", "must not be empty");
        }
        let restrictions =
            AccessRestrictions::read(record.allowed_ips.as_deref(), record.methods.as_deref(), errors);
        let principal = Principal::new(Some(Rc::from(record.subject.0)), Claims::new(record.claims));
        let is_root = record.root.is_some();
        Self { principal: Rc::new(principal), expires_at, disabled: record.disabled, is_root, restrictions }
    }

    /// Whom it stands for.
    #[must_use]
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// When the key stops working.
    #[must_use]
    pub const fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }

    /// Whether the key is refused.
    #[must_use]
    pub const fn disabled(&self) -> bool {
        self.disabled
    }

    /// What its callers are restricted to.
    #[must_use]
    pub const fn restrictions(&self) -> &AccessRestrictions {
        &self.restrictions
    }

    /// Whether the key works now. It has expired on or after its end, as tokens have.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> KeyState {
        if self.disabled {
            KeyState::Disabled
        } else if self.expires_at.is_some_and(|end| now >= end) {
            KeyState::Expired
        } else {
            KeyState::Active
        }
    }

    /// The principal, if the key may be used now, for this request.
    ///
    /// # Errors
    /// Disabled or expired, from elsewhere, or with another method.
    pub fn admit(&self, now: Timestamp, head: &Head<'_>) -> Result<&Rc<Principal>, Refusal> {
        match self.state(now) {
            KeyState::Active => {}
            KeyState::Disabled => return Err(Refusal::ApiKeyDisabled),
            KeyState::Expired => return Err(Refusal::ApiKeyExpired),
        }
        if self.is_root {
            return Err(Refusal::ApiKeyRoot);
        }
        self.restrictions.admit(head)?;
        Ok(&self.principal)
    }

    /// Bytes held, for the cache's bound.
    #[must_use]
    pub fn weight(&self) -> usize {
        COUNTED + size_of::<Self>() + self.principal.weight() + self.restrictions.weight()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_say_what_is_wrong() {
        for (json, pointer) in [
            (r#"{"claims":{}}"#, ""),
            (r#"{"subject":""}"#, "/subject"),
            (r#"{"subject":"s","expiresAt":"tomorrow"}"#, "/expiresAt"),
            (r#"{"subject":"s","createdAt":5}"#, "/createdAt"),
            (r#"{"subject":"s","claims":[]}"#, "/claims"),
            (r#"{"subject":"s","expires":"2027-01-01T00:00:00Z"}"#, "/expires"),
            (r#"{"subject":"s","claims":{"a":1,"a":2}}"#, ""),
        ] {
            assert_eq!(KeyConfig::parse(json.as_bytes()).unwrap_err().pointer, pointer, "{json}");
        }
    }

    #[test]
    fn a_check_finds_all_at_once() {
        let json = br#"{"subject":"","expiresAt":"tomorrow","createdAt":5,"allowedIps":["10.0.0.1/8"],
            "methods":["GET","get",""],"disbled":true}"#;
        let errors = KeyConfig::check(json).unwrap_err();
        let pointers: Vec<_> = errors.iter().map(|error| error.pointer.as_str()).collect();
        let expected =
            ["/disbled", "/createdAt", "/expiresAt", "/subject", "/allowedIps/0", "/methods/1", "/methods/2"];
        assert_eq!(pointers, expected);
        assert_eq!(KeyConfig::parse(json).unwrap_err(), errors[0]);
        assert!(KeyConfig::check(br#"{"subject":"s"}"#).is_ok());
    }

    #[test]
    fn expiry_is_on_or_after() {
        let key = KeyConfig::parse(br#"{"subject":"s","expiresAt":"2026-01-01T00:00:00Z"}"#).unwrap();
        let end = Timestamp::parse_rfc3339("2026-01-01T00:00:00Z").unwrap();
        assert!(key.admit(Timestamp::from_millis(end.millis() - 1), &Head::bare()).is_ok());
        assert_eq!(key.state(end), KeyState::Expired);
        assert_eq!(key.admit(end, &Head::bare()), Err(Refusal::ApiKeyExpired));
        let disabled = KeyConfig::parse(br#"{"subject":"s","disabled":true}"#).unwrap();
        assert_eq!(disabled.admit(end, &Head::bare()), Err(Refusal::ApiKeyDisabled));
    }
}
