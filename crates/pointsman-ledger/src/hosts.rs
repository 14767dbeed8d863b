//! Whose hosts are: beside the rows of customers stands, for each host that any of them lists, a row that names one customer.
//! Nobody writes these rows; they follow from the customers' own, whoever wrote those. So a host is known as soon as its
//! customer is, by the same log and the same shards.
//!
//! KV is told whose hosts are by operators' records, for those who ask there. What the config API says it is asked itself.

use pointsman_core::{
    base::{record::read_record, time::Timestamp},
    customer::{
        host_name::{HostName, pointer_to},
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
    keyspace::{HOSTS, HOSTS_OF, key},
    ledger::{Cause, Ledger},
    storage::Storage,
};

/// Customers with one host that are looked at, of which one has it. More come of nobody's mistake.
const MOST_CLAIMANTS: usize = 100;

/// The hosts that a customer has after a commit, and the edit by which it has them.
pub(crate) struct HostsAfter {
    pub(crate) edit: usize,
    pub(crate) id: CustomerId,
    pub(crate) hosts: Vec<HostName>,
}

/// A customer whose row lists a host.
struct Claimant {
    id: String,
    row: Row,
}

impl<S: Storage> Ledger<S> {
    /// Has the hosts of the customer `id` follow its row.
    #[inline(never)]
    pub(crate) fn follow_hosts(&mut self, of: &RecordKey, id: &str, next: Option<&Row>, cause: &Cause<'_>) {
        // Of what cannot be used nobody knows the hosts: whoever comes by those of before is told so.
        if next.is_some_and(|row| row.usable != Usable::Yes) {
            return;
        }
        let place = key(HOSTS_OF, &[&of.to_bytes()]);
        let old = String::from_utf8(self.storage.get(&place).unwrap_or_default()).unwrap_or_default();
        let new = next.map(|row| hosts_in(&row.text)).unwrap_or_default();
        if new.is_empty() {
            if old.is_empty() {
                return;
            }
            self.storage.delete(&place);
        } else {
            let listed: Vec<&str> = new.iter().map(HostName::as_str).collect();
            self.storage.put(&place, listed.join("\n").as_bytes());
        }
        for host in old.split('\n').filter_map(HostName::parse).filter(|host| !new.contains(host)) {
            self.storage.delete(&claim(&host, of));
            self.give_to_one(&host, cause);
        }
        // Whether an operator says so, and until when, may be otherwise also where the host is as before.
        for host in &new {
            self.storage.put(&claim(host, of), id.as_bytes());
            self.give_to_one(host, cause);
        }
    }

    /// Says whose a host is, of all customers that list it: an operator's record counts before the config API's, and who has the
    /// host keeps it.
    #[inline(never)]
    fn give_to_one(&mut self, host: &HostName, cause: &Cause<'_>) {
        let of = RecordKey::host(host);
        let before = self.row(&of);
        let mut next: Option<Row> = None;
        for Claimant { id, row } in self.claimants(host) {
            let own = Row { provider: row.provider, expires_at: row.expires_at, ..Row::of(pointer_to(&id)) };
            let holds = |row: &Row| before.as_ref().is_some_and(|before| before.text == row.text);
            let rank = |row: &Row| (row.provider, !holds(row));
            if next.as_ref().is_none_or(|first| rank(&own) < rank(first)) {
                next = Some(own);
            }
        }
        if before == next {
            return;
        }
        self.publish_row(of, before.as_ref(), next.as_ref(), cause);
        let (told, tells) = (in_kv(before), in_kv(next));
        if told != tells {
            let (value, expires) = tells.unwrap_or_default();
            self.write_entry(&host.store_key(), value, expires, 0, cause.now);
        }
    }

    /// The customers whose rows list a host, in the order of their keys.
    #[inline(never)]
    fn claimants(&self, host: &HostName) -> Vec<Claimant> {
        let from = claim_of(host, 0);
        let mut found = Vec::new();
        for (at, id) in self.storage.scan(&from, &claim_of(host, 1), MOST_CLAIMANTS) {
            let row = at.get(from.len()..).and_then(RecordKey::from_bytes).and_then(|of| self.row(&of));
            if let (Some(row), Ok(id)) = (row.filter(|row| row.usable == Usable::Yes), String::from_utf8(id))
            {
                found.push(Claimant { id, row });
            }
        }
        found
    }

    /// Refuses what would give one host to two customers by operators' records.
    #[inline(never)]
    pub(crate) fn refuse_taken_hosts(&self, after: &[HostsAfter], now: Timestamp) -> Result<(), CommitError> {
        for (place, HostsAfter { edit, hosts, .. }) in after.iter().enumerate() {
            for host in hosts {
                let stays = |one: &Claimant| {
                    !one.row.provider
                        && !one.row.is_over(now)
                        && after.iter().all(|other| other.id.as_str() != one.id)
                };
                let other = self.claimants(host).into_iter().find(stays).map(|one| one.id);
                let has = |other: &&HostsAfter| other.hosts.contains(host);
                let before = || after.iter().take(place).find(has).map(|other| other.id.as_str().to_owned());
                if let Some(customer) = other.or_else(before) {
                    return Err(CommitError::HostTaken {
                        edit: *edit,
                        host: host.as_str().to_owned(),
                        customer,
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
fn in_kv(row: Option<Row>) -> Option<(Option<String>, Option<u64>)> {
    let row = row.filter(|row| !row.provider)?;
    Some((String::from_utf8(row.text).ok(), row.expires_at.map(|at| at.millis() / 1000)))
}
