//! Whose hosts are: beside the rows of customers stands, for each host that any of them lists, a row that names one customer.
//! Nobody writes these rows; they follow from the customers' own, whoever wrote those. So a host is known as soon as its
//! customer is, by the same log and the same shards.
//!
//! KV is told whose hosts are by operators' records, for those who ask there. What the config API says it is asked itself.

use std::collections::BTreeMap;

use pointsman_core::{
    base::{record::read_record, time::Timestamp},
    customer::{
        host_name::{HostName, customer_in, pointer_to},
        record::CustomerRecord,
    },
    directory::{
        record_key::RecordKey,
        row::{Row, Usable},
    },
    identity::customer_id::CustomerId,
};

use crate::{
    commit::CommitError,
    keyspace::{HOSTS, HOSTS_OF, key, load, save},
    ledger::{Cause, Ledger},
    storage::Storage,
};

/// Customers with one host that are looked at, of which one has it. More come of nobody's mistake.
const MOST_CLAIMANTS: usize = 100;

/// The hosts that customers have after a commit, and the edit by which each has them.
pub(crate) type HostsAfter = BTreeMap<RecordKey, (usize, CustomerId, Vec<HostName>)>;

impl<S: Storage> Ledger<S> {
    /// Has the hosts of a customer follow its row.
    pub(crate) fn follow_hosts(&mut self, of: &RecordKey, next: Option<&Row>, cause: &Cause<'_>) {
        // Of what cannot be used nobody knows the hosts: whoever comes by those of before is told so.
        if next.is_some_and(|row| row.usable != Usable::Yes) {
            return;
        }
        let place = key(HOSTS_OF, &[&of.to_bytes()]);
        let old: Vec<String> = load(&self.storage, &place).unwrap_or_default();
        let new = next.map(|row| hosts_in(&row.text)).unwrap_or_default();
        let (old, listed): (Vec<_>, Vec<_>) = (
            old.iter().filter_map(|host| HostName::parse(host)).collect(),
            new.iter().map(|host| host.as_str().to_owned()).collect(),
        );
        if old == new {
            // Whether an operator says so, and until when, may be otherwise all the same.
            new.iter().for_each(|host| self.give_to_one(host, cause));
            return;
        }
        if new.is_empty() {
            self.storage.delete(&place)
        } else {
            save(&mut self.storage, &place, &listed)
        }
        let gone: Vec<_> = old.into_iter().filter(|host| !new.contains(host)).collect();
        gone.iter().for_each(|host| self.storage.delete(&claim(host, of)));
        new.iter().for_each(|host| self.storage.put(&claim(host, of), &[]));
        gone.iter().chain(&new).for_each(|host| self.give_to_one(host, cause));
    }

    /// Says whose a host is, of all customers that list it: an operator's record counts before the config API's, and who has the
    /// host keeps it.
    fn give_to_one(&mut self, host: &HostName, cause: &Cause<'_>) {
        let of = RecordKey::host(host);
        let before = self.row(&of);
        let holder = before.as_ref().and_then(|row| customer_in(&row.text));
        let first = self
            .claimants(host)
            .into_iter()
            .min_by_key(|(_, id, row)| (row.provider, Some(id) != holder.as_ref(), id.clone()));
        let next = first.map(|(_, id, row)| Row {
            provider: row.provider,
            expires_at: row.expires_at,
            ..Row::of(pointer_to(&id))
        });
        if before == next {
            return;
        }
        self.publish_row(of, before.as_ref(), next.as_ref(), cause);
        let (told, tells) = (in_kv(before), in_kv(next));
        if told != tells {
            let (value, expires) = tells.unzip();
            self.write_entry(&host.store_key(), value, expires.flatten(), 0, cause.now);
        }
    }

    /// The customers whose rows list a host, with these.
    fn claimants(&self, host: &HostName) -> Vec<(RecordKey, CustomerId, Row)> {
        let from = claim_of(host, 0);
        let found = self.storage.scan(&from, &claim_of(host, 1), MOST_CLAIMANTS);
        let read = |(at, _): &(Vec<u8>, Vec<u8>)| {
            let of = RecordKey::from_bytes(at.get(from.len()..)?)?;
            let row = self.row(&of)?;
            Some((of, customer_in(&row.text)?, row))
        };
        found.iter().filter_map(read).collect()
    }

    /// Refuses what would give one host to two customers by operators' records.
    pub(crate) fn refuse_taken_hosts(&self, after: &HostsAfter, now: Timestamp) -> Result<(), CommitError> {
        let mut given: BTreeMap<&HostName, &CustomerId> = BTreeMap::new();
        for (edit, id, hosts) in after.values() {
            for host in hosts {
                let claimants = self.claimants(host).into_iter();
                let other = claimants
                    .filter(|(of, _, row)| !after.contains_key(of) && !row.provider && !row.is_over(now))
                    .map(|(_, id, _)| id)
                    .next();
                if let Some(other) = other.or_else(|| given.insert(host, id).cloned()) {
                    return Err(CommitError::HostTaken {
                        edit: *edit,
                        host: host.as_str().to_owned(),
                        customer: other.as_str().to_owned(),
                    });
                }
            }
        }
        Ok(())
    }
}

/// Under which key a customer lists a host.
fn claim(host: &HostName, of: &RecordKey) -> Vec<u8> {
    [claim_of(host, 0), of.to_bytes().to_vec()].concat()
}

/// What stands before all customers of a host, and behind them. No host has such a byte.
fn claim_of(host: &HostName, end: u8) -> Vec<u8> {
    key(HOSTS, &[host.as_str().as_bytes(), &[end]])
}

/// The hosts that a customer's record lists.
pub(crate) fn hosts_in(record: &[u8]) -> Vec<HostName> {
    // Most list none, and need not be read for that.
    const MEMBER: &[u8] = br#""hosts""#;
    if !record.windows(MEMBER.len()).any(|part| part == MEMBER) {
        return Vec::new();
    }
    let record = read_record::<CustomerRecord>(record).map(|record| record.hosts).unwrap_or_default();
    record.iter().filter_map(|host| HostName::parse(host)).collect()
}

/// What KV has by the name of a host: whose it is, and until when. It has nothing of what the config API says.
fn in_kv(row: Option<Row>) -> Option<(String, Option<u64>)> {
    let row = row.filter(|row| !row.provider)?;
    Some((String::from_utf8(row.text).ok()?, row.expires_at.map(|at| at.millis() / 1000)))
}
