//! Customers' own host names in KV: beside each customer's record stands, by each host that the record lists, whose the host
//! is. Where a ledger answers it does that itself.

use std::{cell::RefCell, collections::BTreeMap};

use pointsman_core::{
    base::record::read_record,
    customer::{
        host_name::{HostName, customer_in, pointer_to},
        record::CustomerRecord,
    },
    identity::customer_id::CustomerId,
};

use crate::{
    ending::{Failure, input},
    output::{Progress, plain},
    records::Kind,
    store::{Chunk, Entry, Keeps, Kv, Listed, Taker, delete_all, put_all, read_all},
    sync::{plan::Plan, wanted::Wanted},
};

/// Of each host the id of the customer whom the entry of its name says.
pub(crate) type Pointers = BTreeMap<String, String>;

/// The hosts that a record lists; none where it cannot be read.
pub(crate) fn hosts_of(record: &str) -> Vec<String> {
    read_record::<CustomerRecord>(record.as_bytes()).map(|record| record.hosts).unwrap_or_default()
}

/// The entry that says whose a host is.
pub(crate) fn pointer(host: &str, customer: &CustomerId) -> Entry {
    Entry::new(format!("{}{host}", HostName::STORE_PREFIX), pointer_to(customer.as_str()))
}

/// A KV that has an entry for each host of the customers that are written to it, and none for those of which it had one before.
pub(crate) struct WithHosts<K> {
    kv: K,
    /// What KV says whose hosts are, and what was written here since: a listing follows a write after a while.
    pointers: RefCell<Option<Pointers>>,
}

impl<K: Kv> WithHosts<K> {
    pub(crate) const fn new(kv: K) -> Self {
        Self { kv, pointers: RefCell::new(None) }
    }

    fn load(&self) -> Result<(), Failure> {
        if self.pointers.borrow().is_some() {
            return Ok(());
        }
        let mut found = Pointers::new();
        let is_host = |name: &str| name.strip_prefix(HostName::STORE_PREFIX).is_some();
        read_all(&self.kv, HostName::STORE_PREFIX, false, &is_host, &mut |name, value| {
            let host = name.strip_prefix(HostName::STORE_PREFIX).unwrap_or(name);
            if let Some(id) = customer_in(value.as_bytes()) {
                found.insert(host.to_owned(), id.as_str().to_owned());
            }
        })?;
        *self.pointers.borrow_mut() = Some(found);
        Ok(())
    }

    /// Has the entries of hosts follow customers, each with the hosts that its record lists by now.
    fn follow(&self, customers: &[(CustomerId, Vec<String>)]) -> Result<(), Failure> {
        if customers.is_empty() {
            return Ok(());
        }
        self.load()?;
        let mut pointers = self.pointers.borrow_mut();
        let Some(pointers) = pointers.as_mut() else { return Ok(()) };
        let listed: BTreeMap<&str, &CustomerId> = customers
            .iter()
            .flat_map(|(id, hosts)| hosts.iter().map(move |host| (host.as_str(), id)))
            .collect();
        let written: Vec<&str> = customers.iter().map(|(id, _)| id.as_str()).collect();
        let is_left = |(host, id): &(&String, &String)| {
            written.contains(&id.as_str()) && !listed.contains_key(host.as_str())
        };
        let left: Vec<String> = pointers.iter().filter(is_left).map(|(host, _)| host.clone()).collect();
        let new: Vec<(&str, &CustomerId)> = listed
            .into_iter()
            .filter(|(host, id)| pointers.get(*host).is_none_or(|known| known != id.as_str()))
            .collect();
        let mut entries = new.iter().map(|(host, id)| Ok(pointer(host, id)));
        put_all(&self.kv, &mut entries, &mut Progress::silent())?;
        let names: Vec<String> =
            left.iter().map(|host| format!("{}{host}", HostName::STORE_PREFIX)).collect();
        delete_all(&self.kv, &names, &mut Progress::silent())?;
        pointers.extend(new.iter().map(|(host, id)| ((*host).to_owned(), id.as_str().to_owned())));
        pointers.retain(|host, _| !left.contains(host));
        Ok(())
    }
}

impl<K: Kv> Kv for WithHosts<K> {
    fn list(&self, prefix: &str) -> Result<Vec<Listed>, Failure> {
        self.kv.list(prefix)
    }

    fn list_values(&self, prefix: &str) -> Result<Vec<(String, Option<String>)>, Failure> {
        self.kv.list_values(prefix)
    }

    fn get_many(&self, names: &[String], take: &mut Taker<'_>) -> Result<(), Failure> {
        self.kv.get_many(names, take)
    }

    fn put(&self, entries: &[Entry]) -> Result<(), Failure> {
        self.kv.put(entries)?;
        let customer = |entry: &Entry| Some((customer_of(&entry.name)?, hosts_of(&entry.value)));
        self.follow(&entries.iter().filter_map(customer).collect::<Vec<_>>())
    }

    fn delete(&self, names: &[String]) -> Result<(), Failure> {
        self.kv.delete(names)?;
        let customer = |name: &String| Some((customer_of(name)?, Vec::new()));
        self.follow(&names.iter().filter_map(customer).collect::<Vec<_>>())
    }

    fn called(&self) -> &'static str {
        self.kv.called()
    }

    fn keeps_of(&self, name: &str) -> Result<Keeps, Failure> {
        self.kv.keeps_of(name)
    }

    fn is_followed(&self) -> bool {
        self.kv.is_followed()
    }

    fn chunk(&self) -> Chunk {
        self.kv.chunk()
    }

    fn get(&self, name: &str) -> Result<Option<String>, Failure> {
        self.kv.get(name)
    }

    fn point(&self, customers: &[(CustomerId, Vec<String>)]) -> Result<(), Failure> {
        self.follow(customers)
    }

    fn hosts(&self) -> Result<Option<Pointers>, Failure> {
        self.load()?;
        Ok(self.pointers.borrow().clone())
    }
}

/// The customer of this entry, if it is an operator's record.
pub(crate) fn customer_of(name: &str) -> Option<CustomerId> {
    name.strip_prefix(Kind::Customer.prefix()).and_then(CustomerId::parse)
}

/// Refuses a plan by which two customers would have one host: one of those that are written, and one that stays in KV.
///
/// # Errors
/// Which they are, or where KV could not be read.
pub(crate) fn refuse_taken(kv: &dyn Kv, wanted: &Wanted, plan: &Plan) -> Result<(), Failure> {
    let written = plan.puts(Kind::Customer);
    let hosts = || wanted.hosts().iter().filter(|(_, name)| written.contains(&name.as_str()));
    if hosts().next().is_none() {
        return Ok(());
    }
    let Some(pointers) = kv.hosts()? else { return Ok(()) };
    let mut others: BTreeMap<String, (&str, &str)> = BTreeMap::new();
    for (host, name) in hosts() {
        let Some(id) = pointers.get(host) else { continue };
        let other = format!("{}{id}", Kind::Customer.prefix());
        // Of whom the files have a record, that record says which hosts the customer has from now on.
        if other != *name && !wanted.entries().contains_key(&other) && !plan.deletes.contains(&other) {
            others.insert(other, (host, name));
        }
    }
    let names: Vec<String> = others.keys().cloned().collect();
    kv.get_many(&names, &mut |other, value| {
        let Some((host, name)) = others.get(other) else { return Ok(()) };
        if !value.is_some_and(|value| hosts_of(&value).iter().any(|own| own == host)) {
            return Ok(());
        }
        Err(input(format!(
            "{host} is a host of {} and of {}: one customer alone can have it. Nothing was written",
            plain(name),
            plain(other)
        )))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        records::{Extras, Judge},
        sync::{
            self,
            memory::{Content, Memory},
            plan::Options,
        },
    };

    fn record(id: &str, hosts: &[&str]) -> String {
        serde_json::json!({ "customerId": id, "backendUrl": "https://b.example", "hosts": hosts }).to_string()
    }

    fn entry(id: &str, hosts: &[&str]) -> Entry {
        Entry::new(format!("customer:{id}"), record(id, hosts))
    }

    fn pointers(kv: &WithHosts<Memory>) -> Vec<String> {
        let content = kv.kv.content.borrow();
        let hosts = content.iter().filter(|(name, _)| name.starts_with(HostName::STORE_PREFIX));
        hosts.map(|(name, (value, _))| format!("{name} {value}")).collect()
    }

    #[test]
    fn entries_of_hosts_follow_the_records() {
        let kv = WithHosts::new(Memory::of(Content::new()));
        kv.put(&[entry("a", &["a.example", "b.example"]), Entry::new("key:x".to_owned(), "{}".to_owned())])
            .unwrap();
        let of_a = r#"{"customerId":"a"}"#;
        assert_eq!(pointers(&kv), [format!("host:a.example {of_a}"), format!("host:b.example {of_a}")]);
        // What another process finds there is the same.
        let kv = WithHosts::new(kv.kv);
        kv.put(&[entry("a", &["b.example", "c.example"])]).unwrap();
        assert_eq!(pointers(&kv), [format!("host:b.example {of_a}"), format!("host:c.example {of_a}")]);
        kv.put(&[entry("b", &["c.example"]), entry("a", &[])]).unwrap();
        assert_eq!(pointers(&kv), [r#"host:c.example {"customerId":"b"}"#], "moved, in either order");
        kv.put(&[entry("a", &["c.example"])]).unwrap();
        kv.delete(&["customer:b".to_owned()]).unwrap();
        assert_eq!(
            pointers(&kv),
            [format!("host:c.example {of_a}")],
            "the entry of whoever has the host by now stays"
        );
        kv.delete(&["customer:a".to_owned()]).unwrap();
        assert_eq!(pointers(&kv), [""; 0]);
    }

    fn planned(kv: &dyn Kv, records: &[(&str, &[&str])], prune: bool) -> Result<Plan, Failure> {
        let judge = Judge::of(None);
        let folder = crate::scratch::Scratch::new();
        let all: Vec<serde_json::Value> =
            records.iter().map(|(id, hosts)| serde_json::from_str(&record(id, hosts)).unwrap()).collect();
        let path = folder.write("customers.json", &serde_json::Value::from(all).to_string());
        let files = vec![crate::files::RecordFile { path, kind: Kind::Customer }];
        let (wanted, _) = Wanted::read(files, vec![Kind::Customer], &judge, Extras::Refused).unwrap();
        Ok(sync::planned(kv, &wanted, &judge, Options { prune, verify: false })?.0)
    }

    #[test]
    fn a_host_of_two_customers_is_refused_before_anything_is_written() {
        let kv = WithHosts::new(Memory::of(Content::new()));
        kv.put(&[entry("a", &["a.example"])]).unwrap();
        let Err(Failure::Input(what)) = planned(&kv, &[("b", &["b.example", "a.example"])], false) else {
            panic!("not refused")
        };
        assert_eq!(
            what,
            "a.example is a host of customer:b and of customer:a: one customer alone can have it. Nothing was written"
        );
        assert!(planned(&kv, &[("b", &["a.example"])], true).is_ok(), "a goes");
        assert!(
            planned(&kv, &[("b", &["a.example"]), ("a", &["b.example"])], false).is_ok(),
            "they change places"
        );
        // An entry that is left over is nobody's claim.
        kv.kv.put(&[entry("a", &[])]).unwrap();
        assert!(planned(&kv, &[("b", &["a.example"])], false).is_ok());
    }
}
