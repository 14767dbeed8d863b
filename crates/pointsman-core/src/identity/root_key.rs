//! Root keys: API keys that are for the management API and for nothing else. What one may do there stands outside its
//! claims, under `root`: nothing that decides where a request goes can give it more.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::{
    base::{
        record::RecordErrors,
        shape::{At, Shape, ShapeErrors, shape},
    },
    identity::{customer_id::CustomerId, key_record::KeyRecord},
};

/// The member of a key's record that makes it a root key's.
pub const MEMBER: &str = "root";

/// What a root key may do.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Scope {
    /// To see keys.
    KeysRead,
    /// To make, change, roll and revoke keys.
    KeysWrite,
    /// To see customers.
    CustomersRead,
    /// To write and remove customers, and to say that the config API has others by now.
    CustomersWrite,
    /// To revoke tokens.
    RevocationsWrite,
    /// To see who changed what.
    AuditRead,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::KeysRead,
        Self::KeysWrite,
        Self::CustomersRead,
        Self::CustomersWrite,
        Self::RevocationsWrite,
        Self::AuditRead,
    ];

    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::KeysRead => "keys.read",
            Self::KeysWrite => "keys.write",
            Self::CustomersRead => "customers.read",
            Self::CustomersWrite => "customers.write",
            Self::RevocationsWrite => "revocations.write",
            Self::AuditRead => "audit.read",
        }
    }

    /// Reads one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

shape! {
    /// What a root key may do, as its record says it.
    #[derive(Clone, Debug)]
    pub struct RootRecord {
        /// What it may do.
        pub scopes: Vec<String>,
        /// With which customers and their keys alone.
        pub customers: Option<Vec<String>>,
        /// With keys of which prefixes alone.
        pub prefixes: Option<Vec<String>>,
    }
}

/// What a root key may do.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RootKey {
    scopes: BTreeSet<Scope>,
    customers: Option<BTreeSet<String>>,
    prefixes: Option<BTreeSet<String>>,
}

impl RootKey {
    /// Reads the member `root` of a key's record that was checked; `None` where it cannot be used.
    #[must_use]
    pub fn read(root: &Map<String, Value>) -> Option<Self> {
        let mut errors = RecordErrors::default();
        let read = Self::read_noting(root, &mut errors);
        errors.all(read).ok()
    }

    /// Notes what is wrong with a record that is a root key's.
    pub(crate) fn check(record: &KeyRecord, errors: &mut RecordErrors) {
        let Some(root) = &record.root else { return };
        Self::read_noting(root, errors);
        if !record.claims.is_empty() {
            errors.note("/claims", "must be left out of a root key's record: no route lets it in");
        }
        if record.methods.is_some() {
            errors.note("/methods", "must be left out of a root key's record: its scopes say what it may do");
        }
    }

    fn read_noting(root: &Map<String, Value>, errors: &mut RecordErrors) -> Option<Self> {
        let mut shape_errors = ShapeErrors::default();
        let at = At::Member(&At::Root, MEMBER);
        let record = RootRecord::read(&Value::Object(root.clone()), &at, &mut shape_errors);
        shape_errors.found.into_iter().for_each(|(pointer, what)| errors.note(pointer, what));
        let record = record?;
        let mut scopes = BTreeSet::new();
        for (index, text) in record.scopes.iter().enumerate() {
            match Scope::parse(text) {
                Some(scope) => drop(scopes.insert(scope)),
                None => errors.note(
                    format!("/{MEMBER}/scopes/{index}"),
                    format!("must be one of {}", Scope::ALL.map(Scope::as_str).join(", ")),
                ),
            }
        }
        if record.scopes.is_empty() {
            errors.note(format!("/{MEMBER}/scopes"), "must name at least one scope");
        }
        let mut some = |name: &str, items: Option<Vec<String>>, fits: fn(&str) -> bool, what: &str| {
            let items = items?;
            if items.is_empty() {
                errors.note(format!("/{MEMBER}/{name}"), "must name at least one, or be left out");
            }
            for (index, _) in items.iter().enumerate().filter(|(_, item)| !fits(item)) {
                errors.note(format!("/{MEMBER}/{name}/{index}"), what);
            }
            Some(items.into_iter().collect())
        };
        let is_id = |text: &str| CustomerId::parse(text).is_some();
        let customers =
            some("customers", record.customers, is_id, "must be 1 to 256 bytes without control characters");
        let is_prefix = |text: &str| !text.is_empty() && !text.ends_with('_');
        let prefixes = some(
            "prefixes",
            record.prefixes,
            is_prefix,
            "must be a prefix as under [api_keys], without its last _",
        );
        Some(Self { scopes, customers, prefixes })
    }

    /// Whether it may do that.
    #[must_use]
    pub fn may(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }

    /// What it may do.
    pub fn scopes(&self) -> impl Iterator<Item = Scope> + '_ {
        self.scopes.iter().copied()
    }

    /// The customers that it is limited to; `None` where it is not.
    #[must_use]
    pub const fn customers(&self) -> Option<&BTreeSet<String>> {
        self.customers.as_ref()
    }

    /// The prefixes of keys that it is limited to; `None` where it is not.
    #[must_use]
    pub const fn prefixes(&self) -> Option<&BTreeSet<String>> {
        self.prefixes.as_ref()
    }

    /// Whether it may do something with this customer.
    #[must_use]
    pub fn reaches_customer(&self, id: &str) -> bool {
        self.customers.as_ref().is_none_or(|customers| customers.contains(id))
    }

    /// Whether it may do something with a key of this customer that has this prefix. Of what is not known nothing is within
    /// a limit.
    #[must_use]
    pub fn reaches_key(&self, customer: Option<&str>, prefix: Option<&str>) -> bool {
        let is_among = |limit: &Option<BTreeSet<String>>, value: Option<&str>| {
            limit.as_ref().is_none_or(|limit| value.is_some_and(|value| limit.contains(value)))
        };
        is_among(&self.customers, customer) && is_among(&self.prefixes, prefix)
    }

    /// Whether it may do something with keys of this prefix.
    #[must_use]
    pub fn reaches_prefix(&self, prefix: Option<&str>) -> bool {
        self.prefixes.as_ref().is_none_or(|limit| prefix.is_some_and(|prefix| limit.contains(prefix)))
    }

    /// Whether everything that `other` may do this one may do too: no root key gives more than it has.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        let within = |mine: &Option<BTreeSet<String>>, theirs: &Option<BTreeSet<String>>| {
            mine.as_ref().is_none_or(|mine| theirs.as_ref().is_some_and(|theirs| theirs.is_subset(mine)))
        };
        other.scopes.is_subset(&self.scopes)
            && within(&self.customers, &other.customers)
            && within(&self.prefixes, &other.prefixes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::key_record::KeyConfig;

    fn root(json: &str) -> RootKey {
        let Value::Object(members) = serde_json::from_str(json).unwrap() else { panic!("no object") };
        RootKey::read(&members).unwrap()
    }

    fn faults(record: &str) -> Vec<String> {
        let errors = KeyConfig::check(record.as_bytes()).err().unwrap_or_default();
        errors.into_iter().map(|error| error.pointer.replace(&format!("/{MEMBER}"), "~")).collect()
    }

    #[test]
    fn a_root_key_gives_no_more_than_it_has() {
        let all = root(r#"{"scopes":["keys.read","keys.write"]}"#);
        let one = root(r#"{"scopes":["keys.read"],"customers":["a"],"prefixes":["sk_test"]}"#);
        let two = root(r#"{"scopes":["keys.read"],"customers":["a","b"]}"#);
        assert!(all.covers(&one) && all.covers(&two) && all.covers(&all) && two.covers(&one));
        assert!(!one.covers(&two) && !two.covers(&all) && !one.covers(&all));
        assert!(!all.covers(&root(r#"{"scopes":["audit.read"]}"#)));
    }

    #[test]
    fn what_is_not_known_of_a_key_is_within_no_limit() {
        let limited = root(r#"{"scopes":["keys.read"],"customers":["a"],"prefixes":["sk_test"]}"#);
        assert!(limited.reaches_key(Some("a"), Some("sk_test")));
        assert!(!limited.reaches_key(None, Some("sk_test")) && !limited.reaches_key(Some("a"), None));
        assert!(
            !limited.reaches_key(Some("b"), Some("sk_test"))
                && !limited.reaches_key(Some("a"), Some("sk_live"))
        );
        assert!(limited.reaches_customer("a") && !limited.reaches_customer("b"));
        assert!(root(r#"{"scopes":["keys.read"]}"#).reaches_key(None, None));
    }

    #[test]
    fn faults_of_a_root_key_are_named() {
        for (record, pointers) in [
            (r#"{"subject":"s","root":{"scopes":["keys.read"]}}"#, vec![]),
            (r#"{"subject":"s","root":{"scopes":[]}}"#, vec!["~/scopes"]),
            (r#"{"subject":"s","root":{"scopes":["keys.read","all"]}}"#, vec!["~/scopes/1"]),
            (r#"{"subject":"s","root":{}}"#, vec!["~"]),
            (r#"{"subject":"s","root":{"scopes":["keys.read"],"scope":1}}"#, vec!["~/scope"]),
            (r#"{"subject":"s","root":{"scopes":["keys.read"],"customers":[]}}"#, vec!["~/customers"]),
            (
                r#"{"subject":"s","root":{"scopes":["keys.read"],"customers":["a",""]}}"#,
                vec!["~/customers/1"],
            ),
            (r#"{"subject":"s","root":{"scopes":["keys.read"],"prefixes":["sk_"]}}"#, vec!["~/prefixes/0"]),
            (r#"{"subject":"s","claims":{"a":1},"root":{"scopes":["keys.read"]}}"#, vec!["/claims"]),
            (r#"{"subject":"s","methods":["GET"],"root":{"scopes":["keys.read"]}}"#, vec!["/methods"]),
            (r#"{"subject":"s","root":true}"#, vec!["~"]),
        ] {
            assert_eq!(faults(record), pointers, "{record}");
        }
    }
}
