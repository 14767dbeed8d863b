//! Who calls: a root key, and what it may do.

use std::net::IpAddr;

use pointsman_core::{
    base::{cidr::Cidr, digest::Digest, object::parse_object, time::Timestamp},
    identity::{
        key_record::{KeyConfig, KeyState},
        root_key::{RootKey, Scope},
    },
};
use serde_json::{Value, json};

use crate::{
    api::{Answered, ApiRequest, members, problem::Problem},
    ask::Asked,
    ledger::Ledger,
    rows::Entry,
    storage::Storage,
};

/// No key is longer; more is junk and is not hashed.
const MAX_KEY_BYTES: usize = 512;

/// Whoever shows a root key that works.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Caller {
    /// The root key's digest.
    pub(crate) digest: String,
    pub(crate) subject: String,
    pub(crate) root: RootKey,
    /// When the root key ends.
    pub(crate) ends: Option<Timestamp>,
    /// From where alone it may be used.
    pub(crate) ranges: Option<Vec<Cidr>>,
    pub(crate) address: String,
}

/// What is known of a credential.
pub(crate) enum Known {
    Caller(Caller),
    /// This entry of KV is to be read first: somebody may have made it a moment ago.
    Read(String),
}

impl<S: Storage> Ledger<S> {
    /// Who calls. Every refusal reads the same, whatever its reason, and too many of them from one address are not looked at.
    pub(crate) fn caller(&mut self, request: &ApiRequest, now: Timestamp) -> Answered<Known> {
        if !self.is_on() {
            return Err(Problem::Unavailable);
        }
        let limited = |seconds| Problem::RateLimited { seconds };
        self.rates.check(&request.address, now).map_err(limited)?;
        let credential = request.fields.authorization.as_deref();
        match credential.and_then(bearer).and_then(|key| self.root_key(key, request, now)) {
            Some(Known::Caller(caller)) => {
                if !request.is_ahead {
                    self.rates.count_key(&caller.digest, now).map_err(limited)?;
                }
                Ok(Known::Caller(caller))
            }
            Some(read) => Ok(read),
            None => {
                self.rates.count_refused(&request.address, now);
                let is_there = credential.is_some();
                Err(if is_there { Problem::CredentialInvalid } else { Problem::CredentialRequired })
            }
        }
    }

    fn root_key(&mut self, key: &str, request: &ApiRequest, now: Timestamp) -> Option<Known> {
        let digest = Digest::of(key.as_bytes()).to_string();
        let entry = Entry::key(&digest)?;
        let held = self.record(&entry.record_key()).and_then(|record| record.operator);
        let Some(held) = held else {
            if request.was_read {
                return None;
            }
            // Who asks for one that is not there may be a flood: KV is read as seldom as for anybody.
            return match self.ask(&entry.name(), now) {
                Asked::Read(name) => Some(Known::Read(name)),
                Asked::Known(..) | Asked::Invalid => None,
            };
        };
        let is_over = held.expires.is_some_and(|seconds| in_seconds(seconds) <= now);
        let config = KeyConfig::check(held.text.as_bytes()).ok()?;
        if is_over || config.state(now) != KeyState::Active {
            return None;
        }
        if let Some(ranges) = config.restrictions().addresses() {
            let address: IpAddr = request.address.parse().ok()?;
            ranges.iter().any(|range| range.contains(address)).then_some(())?;
        }
        let record = parse_object(held.text.as_bytes()).ok()?;
        let root = RootKey::read(record.get("root")?.as_object()?)?;
        let subject = record.get("subject").and_then(Value::as_str).unwrap_or_default().to_owned();
        let ends = config.expires_at().into_iter().chain(held.expires.map(in_seconds)).min();
        let ranges = config.restrictions().addresses().map(<[Cidr]>::to_vec);
        let address = request.address.clone();
        Some(Known::Caller(Caller { digest, subject, root, ends, ranges, address }))
    }
}

pub(crate) const fn in_seconds(seconds: u64) -> Timestamp {
    Timestamp::from_millis(seconds.saturating_mul(1000))
}

/// The token of `Authorization: Bearer`.
fn bearer(credential: &str) -> Option<&str> {
    let (scheme, key) = credential.trim().split_once(' ')?;
    let key = key.trim();
    let fits = scheme.eq_ignore_ascii_case("bearer") && !key.is_empty() && key.len() <= MAX_KEY_BYTES;
    fits.then_some(key)
}

impl Caller {
    /// As the audit trail names it: whose key, and which.
    pub(crate) fn actor(&self) -> String {
        format!("{} (key {})", self.subject, self.digest.get(..12).unwrap_or_default())
    }

    /// Whether another root key works no longer and from nowhere else than this one.
    pub(crate) fn outlives(&self, other: &KeyConfig) -> bool {
        let ends = self.ends.is_none_or(|own| other.expires_at().is_some_and(|end| end <= own));
        let is_within = |range: &Cidr| self.ranges.iter().flatten().any(|own| own.covers(range));
        let reaches = self.ranges.is_none()
            || other.restrictions().addresses().is_some_and(|ranges| ranges.iter().all(is_within));
        ends && reaches
    }

    /// What it may do, for itself.
    pub(crate) fn describe(&self) -> Value {
        let listed = |limit: Option<&std::collections::BTreeSet<String>>| limit.map(|limit| json!(limit));
        members([
            ("id", Some(json!(self.digest))),
            ("subject", Some(json!(self.subject))),
            ("scopes", Some(self.root.scopes().map(Scope::as_str).collect())),
            ("customers", listed(self.root.customers())),
            ("prefixes", listed(self.root.prefixes())),
        ])
    }

    pub(crate) fn need(&self, scope: Scope) -> Answered<()> {
        if self.root.may(scope) { Ok(()) } else { Err(Problem::InsufficientScope(scope.as_str())) }
    }

    pub(crate) fn need_customer(&self, id: &str) -> Answered<()> {
        if self.root.reaches_customer(id) { Ok(()) } else { Err(Problem::NotFound) }
    }

    /// What concerns everybody is for root keys without a limit.
    pub(crate) fn need_no_limit(&self) -> Answered<()> {
        if self.root.customers().is_none() && self.root.prefixes().is_none() {
            return Ok(());
        }
        let detail = "this concerns all customers, and the root key is limited to some";
        Err(Problem::BeyondLimits { pointer: String::new(), detail })
    }
}
