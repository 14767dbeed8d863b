//! What KV entries, customers and clients are known by.

use pointsman_core::{
    base::{cidr, digest::Digest, json, json::json},
    customer::{host_name::HostName, origins::MOST_BACKENDS, record::CustomerRecord},
    identity::{
        customer_id::CustomerId,
        key_record::{STORE_PREFIX, store_key},
    },
};

/// What the names of KV entries begin with, which members of a customer's record refreshes write, and how many backends
/// a customer may have: `{ key, customer, host, refreshedCustomer, refreshMembers, mostBackends }`.
#[must_use]
pub fn entry_names() -> String {
    json::text(&json!({
        "key": STORE_PREFIX,
        "customer": CustomerId::STORE_PREFIX,
        "host": HostName::STORE_PREFIX,
        "refreshedCustomer": CustomerId::REFRESHED_PREFIX,
        "refreshMembers": CustomerRecord::REFRESH_MEMBERS.to_vec(),
        "mostBackends": MOST_BACKENDS,
    }))
}

/// The name of the KV entry of this API key, which holds its digest and nothing else of it.
#[must_use]
pub fn key_entry(key: &str) -> String {
    store_key(&Digest::of(key.as_bytes()))
}

/// Whether a customer may have this id.
#[must_use]
pub fn is_customer_id(text: &str) -> bool {
    CustomerId::parse(text).is_some()
}

/// What tells the client at this address from others.
#[must_use]
pub fn network(address: String) -> String {
    cidr::network(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_have_the_names_by_which_the_gateway_asks_for_them() {
        assert_eq!(key_entry("abc"), "key:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        let names: serde_json::Value = serde_json::from_str(&entry_names()).unwrap();
        let id = CustomerId::parse("acme").unwrap();
        let prefix = |name: &str| names[name].as_str().unwrap().to_owned();
        assert_eq!(prefix("customer") + "acme", id.store_key());
        assert_eq!(prefix("refreshedCustomer") + "acme", id.refreshed_key());
        assert!(key_entry("abc").starts_with(&prefix("key")));
        assert_eq!(names["mostBackends"], 8);
        assert_eq!(names["refreshMembers"].as_array().unwrap().len(), 5);
    }

    #[test]
    fn a_customers_id_is_one_at_the_gateway() {
        for good in ["acme-corp", "..", "100% düsseldorf", &"x".repeat(256)] {
            assert!(is_customer_id(good), "{good}");
        }
        for bad in ["", "a\nb", "\u{85}", &"x".repeat(257), &"ü".repeat(129)] {
            assert!(!is_customer_id(bad), "{bad}");
        }
    }
}
