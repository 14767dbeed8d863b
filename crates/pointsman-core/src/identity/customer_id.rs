//! What names a customer, wherever it comes from.

use std::{fmt, rc::Rc};

use serde_json::Value;

use crate::base::{digest::Digest, identifier::identifier, scan};

/// What names a customer: 1 to 256 bytes without control characters.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct CustomerId(Rc<str>);

impl CustomerId {
    /// The longest id in bytes: it must fit a KV key of 512 with its prefix.
    pub const MAX_BYTES: usize = 256;
    /// What the names of the entries begin with that hold operators' own records of customers.
    pub const STORE_PREFIX: &str = "customer:";
    /// What the names of the entries begin with that say whose a host is.
    pub const HOST_PREFIX: &str = "host:";
    /// What the names of the entries begin with that hold what the config API says of customers.
    pub const REFRESHED_PREFIX: &str = "source:customer:";

    /// Reads an id; `None` where the text cannot be one.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = (1..=Self::MAX_BYTES).contains(&text.len());
        (fits && !has_control(text)).then(|| Self(Rc::from(text)))
    }

    /// What stands for the customer of a host until that is known: a name that is no customer's id, since it has a control
    /// character. The host's customer is looked up by it as any other, by the same caches, leases and sources.
    #[must_use]
    pub fn of_host(host: &str) -> Self {
        Self(Rc::from(format!("{HOST}{host}")))
    }

    /// The host, where this stands for its customer.
    #[must_use]
    pub fn as_host(&self) -> Option<&str> {
        self.0.strip_prefix(HOST)
    }

    /// Reads the id out of a claim: text, or a whole number, which is its digits. All other numbers are refused rather than
    /// printed, since `1`, `1.0` and `1e0` would be one number and three customers.
    #[must_use]
    pub fn from_claim(claim: &Value) -> Option<Self> {
        identifier(claim).as_deref().and_then(Self::parse)
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key that a customer is cached under.
    #[must_use]
    pub fn cache_key(&self) -> Digest {
        Digest::name_of(&self.0)
    }

    /// The id, shared.
    #[must_use]
    pub fn shared(&self) -> Rc<str> {
        Rc::clone(&self.0)
    }

    /// The name of the KV entry that holds an operator's own record of this customer.
    #[must_use]
    pub fn store_key(&self) -> String {
        match self.as_host() {
            None => format!("{}{}", Self::STORE_PREFIX, self.0),
            Some(host) => format!("{}{host}", Self::HOST_PREFIX),
        }
    }

    /// The name of the KV entry that holds what the config API says of this customer. Another name than the
    /// operator's: a store without compare-and-set, of which each location sees another age, lets no writer
    /// know what it writes over, so nobody but operators may write where operators write.
    #[must_use]
    pub fn refreshed_key(&self) -> String {
        format!("{}{}", Self::REFRESHED_PREFIX, self.0)
    }
}

/// Before a host that stands for its customer.
const HOST: &str = "host\0";

fn has_control(text: &str) -> bool {
    scan::any(text, |word| word.below(b' ') | word.beyond_visible()) && text.chars().any(char::is_control)
}

impl fmt::Display for CustomerId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_texts_of_a_sane_length_or_whole_numbers() {
        assert!(CustomerId::from_claim(&Value::from("acme")).is_some());
        assert!(CustomerId::from_claim(&Value::from(&*"x".repeat(256))).is_some());
        assert_eq!(CustomerId::from_claim(&Value::from(42)), CustomerId::parse("42"));
        for claim in [
            Value::Null,
            Value::from(7.5),
            serde_json::from_str("-0").unwrap(),
            serde_json::from_str("1e3").unwrap(),
            Value::from(""),
            Value::from("a\nb"),
            Value::from(&*"x".repeat(257)),
            serde_json::json!(["acme"]),
        ] {
            assert!(CustomerId::from_claim(&claim).is_none(), "{claim}");
        }
    }
}
