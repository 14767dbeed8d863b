//! Host names under which a customer's callers come: their own domain in front of the provider's API.
//!
//! A customer's record lists its hosts, and has the last word. An entry by the host's name only says whose record that is, so
//! that a request finds the record by one look-up. An entry that is out of date sends nobody anywhere.

use std::rc::Rc;

use crate::{
    base::{
        json::{Shallow, write_string},
        record::RecordErrors,
    },
    identity::customer_id::CustomerId,
};

/// More hosts than this of one customer are meant as a wildcard, which there is not.
pub const MOST_HOSTS: usize = 16;

/// The name of a host in lower case: labels of letters, digits and inner hyphens, with a dot between them.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct HostName(Rc<str>);

impl HostName {
    /// What the names of the entries begin with that say whose a host is.
    pub const STORE_PREFIX: &str = CustomerId::HOST_PREFIX;

    /// Reads a host as a record names it; `None` where it is no such name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let last = text.rsplit('.').next().unwrap_or_default();
        // A URL parser reads a host whose last label is a number as an IPv4 address.
        let is_address = last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x");
        let is_name =
            text.len() <= 253 && last.len() < text.len() && !is_address && text.split('.').all(is_label);
        is_name.then(|| Self(Rc::from(text)))
    }

    /// The host that a request asks for. The dot that ends an absolute name names no other host.
    #[must_use]
    pub fn asked_for(host: &str) -> Option<Self> {
        Self::parse(&host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the KV entry that says whose the host is.
    #[must_use]
    pub fn store_key(&self) -> String {
        format!("{}{}", Self::STORE_PREFIX, self.0)
    }

    /// What stands for the host's customer until that is known.
    #[must_use]
    pub fn customer(&self) -> CustomerId {
        CustomerId::of_host(&self.0)
    }

    /// Reads the hosts of a record, each once. What cannot be read is noted.
    pub(super) fn read_all(written: &[String], errors: &mut RecordErrors) -> Box<[Self]> {
        let mut hosts = Vec::with_capacity(written.len());
        for (index, text) in written.iter().enumerate() {
            match Self::parse(text) {
                Some(host) if hosts.contains(&host) => {
                    errors.note(format!("/hosts/{index}"), "is a duplicate");
                }
                Some(host) => hosts.push(host),
                None => errors.note(
                    format!("/hosts/{index}"),
                    "must be a host name in lower case with a dot, such as api.acme.com, without a port",
                ),
            }
        }
        if written.len() > MOST_HOSTS {
            errors.note("/hosts", format!("must be at most {MOST_HOSTS}"));
        }
        hosts.into_boxed_slice()
    }
}

/// Lower-case letters, digits and inner hyphens, at most 63 (RFC 5890, section 2.3.1).
fn is_label(label: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=63).contains(&label.len())
        && label.bytes().all(plain)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// What an entry by a host's name says: whose record lists the host.
#[must_use]
pub fn pointer_to(id: &str) -> String {
    let mut text = String::from(r#"{"customerId":"#);
    write_string(id, &mut text);
    text.push('}');
    text
}

/// Reads what [`pointer_to`] wrote.
#[must_use]
pub fn customer_in(pointer: &[u8]) -> Option<CustomerId> {
    CustomerId::parse(&Shallow::parse(pointer).ok()?.identifier("customerId")?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_labels_with_a_dot_between_them() {
        for host in ["api.acme.com", "a.b", "xn--bcher-kva.example", "0x.acme.com", "1.2.3.4.acme", &long(61)]
        {
            assert_eq!(HostName::parse(host).unwrap().as_str(), host);
        }
        for host in [
            "",
            ".",
            "acme",
            "acme.",
            ".acme",
            "a..b",
            "API.acme.com",
            "api.acme.com:443",
            "api.acme.com.",
            "-a.b",
            "a-.b",
            "a_b.c",
            "*.acme.com",
            "127.0.0.1",
            "1.2",
            "a.0x7f",
            "[::1]",
            "a.b/c",
            "a b.c",
            "ä.example",
            "a\0.b",
            &long(62),
        ] {
            assert_eq!(HostName::parse(host), None, "{host:?}");
        }
    }

    fn long(last: usize) -> String {
        let label = "a".repeat(63);
        format!("{label}.{label}.{label}.{}", "a".repeat(last))
    }

    #[test]
    fn a_request_may_write_a_host_in_any_case_and_with_its_last_dot() {
        let host = HostName::parse("api.acme.com");
        for asked in ["api.acme.com", "API.Acme.COM", "api.acme.com."] {
            assert_eq!(HostName::asked_for(asked), host);
        }
        for asked in ["api.acme.com..", "", ".", "localhost", "127.0.0.1", "[::1]"] {
            assert_eq!(HostName::asked_for(asked), None, "{asked:?}");
        }
    }

    #[test]
    fn no_host_is_known_by_a_customers_id() {
        for host in ["a.b", "api.acme.com", "a-long-name-of-a-host.customers.example.com"] {
            let host = HostName::parse(host).unwrap();
            let own = host.customer();
            assert_eq!(CustomerId::parse(own.as_str()), None);
            assert_eq!((own.as_host(), own.store_key()), (Some(host.as_str()), host.store_key()));
            for id in [host.as_str(), &host.store_key()] {
                let id = CustomerId::parse(id).unwrap();
                assert_eq!(id.as_host(), None);
                assert_ne!(id.cache_key(), own.cache_key());
            }
        }
    }

    #[test]
    fn a_pointer_is_read_as_written() {
        for id in ["acme-corp", "a\"b\\c", "ünïcode", "host:api.acme.com"] {
            let id = CustomerId::parse(id).unwrap();
            assert_eq!(customer_in(pointer_to(id.as_str()).as_bytes()), Some(id));
        }
        for pointer in ["", "{}", "[]", r#"{"customerId":""}"#, r#"{"customerId":null}"#, "acme-corp"] {
            assert_eq!(customer_in(pointer.as_bytes()), None, "{pointer}");
        }
    }
}
