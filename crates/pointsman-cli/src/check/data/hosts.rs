//! What is wrong with customers' own hosts in KV: one that two records list, and one that no request finds.

use std::collections::BTreeMap;

use pointsman_core::customer::host_name::HostName;

use crate::{
    ending::Failure,
    findings::{At, Placed},
    hosts::hosts_of,
    output::plain,
    records::Kind,
    store::Kv,
};

/// Of each host the name of the customer's entry that lists it, and where in the record.
#[derive(Debug, Default)]
pub(super) struct Hosts(BTreeMap<String, (String, usize)>);

impl Hosts {
    /// Notes the hosts of a record. Says of which another record has them too.
    pub(super) fn note(&mut self, name: &str, record: &str) -> Vec<Placed> {
        let mut findings = Vec::new();
        for (index, host) in hosts_of(record).into_iter().enumerate() {
            if let Some((other, _)) = self.0.get(&host) {
                let what =
                    format!("{host} is a host of {} too: one customer alone can have it", plain(other));
                findings.push(Placed::error(At::Entry(name.to_owned()), format!("/hosts/{index}"), what));
            } else {
                self.0.insert(host, (name.to_owned(), index));
            }
        }
        findings
    }

    /// Warnings of hosts that no request finds, since no entry of the host's name says whose it is.
    ///
    /// # Errors
    /// Where KV could not be read.
    pub(super) fn unnamed(&self, kv: &dyn Kv) -> Result<Vec<Placed>, Failure> {
        if self.0.is_empty() {
            return Ok(Vec::new());
        }
        let Some(pointers) = kv.hosts()? else { return Ok(Vec::new()) };
        let is_named = |host: &str, name: &str| {
            pointers.get(host).is_some_and(|id| name.strip_prefix(Kind::Customer.prefix()) == Some(id))
        };
        let unnamed = self.0.iter().filter(|(host, (name, _))| !is_named(host, name));
        Ok(unnamed
            .map(|(host, (name, index))| {
                let what = format!(
                    "is found by no request: KV has no entry {}{host} that names this customer. `pointsman customers put` \
                     and `pointsman apply` write it with the record, and so does a ledger",
                    HostName::STORE_PREFIX
                );
                Placed::warning(At::Entry(name.clone()), format!("/hosts/{index}"), what)
            })
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        hosts::WithHosts,
        sync::memory::{Content, Memory},
    };

    #[test]
    fn a_host_of_two_records_and_one_without_an_entry_are_found() {
        let mut hosts = Hosts::default();
        let record =
            |hosts: &str| format!(r#"{{"customerId":"x","backendUrl":"https://x.example","hosts":{hosts}}}"#);
        assert_eq!(hosts.note("customer:a", &record(r#"["a.example","b.example"]"#)).len(), 0);
        let twice = hosts.note("customer:b", &record(r#"["c.example","b.example"]"#));
        assert_eq!(twice.len(), 1);
        assert!(twice[0].finding.to_string().starts_with("/hosts/1: b.example is a host of customer:a too"));
        let pointer = |id: &str| (format!(r#"{{"customerId":"{id}"}}"#), None);
        let kv = WithHosts::new(Memory::of(Content::from([
            ("host:a.example".to_owned(), pointer("a")),
            ("host:b.example".to_owned(), pointer("b")),
        ])));
        let said: Vec<_> = hosts.unnamed(&kv).unwrap().iter().map(|placed| placed.at.to_string()).collect();
        assert_eq!(
            said,
            ["KV customer:a", "KV customer:b"],
            "b.example is said to be another's, c.example nobody's"
        );
        assert_eq!(hosts.unnamed(&Memory::default()).unwrap().len(), 0, "a ledger says it itself");
    }
}
