//! The scheduled refresh: what a cron trigger does, so that no request has to wait for it. It refreshes the key sets of
//! issuers, and brings the ledger, or where there is none the store, in line with the config API's list of customers
//! ([`CustomerRefresh`]).

use std::cell::RefCell;

use pointsman_core::{
    base::freshness::Freshness,
    decide::decision::{Deferred, Need},
    identity::jwt::Issuer,
    state::{cache::Lease, config::Gateway, memory::Memory},
};

use crate::{
    key_sets::KeySetLoader,
    ports::{Ports, SourceError},
    store::Store,
};

mod changes;
mod customers;
mod ledger_feed;

pub use self::customers::{CustomerRefresh, Refreshed};

/// One run for one isolate.
pub struct ScheduledRefresh<'a, P> {
    issuers: &'a [Issuer],
    memory: &'a RefCell<Memory>,
    ports: &'a P,
    store: Store<'a, P>,
    key_sets: KeySetLoader<'a, P>,
    customers: Option<CustomerRefresh<'a, P>>,
}

impl<'a, P: Ports> ScheduledRefresh<'a, P> {
    /// A run of the isolate with this configuration and memory.
    pub fn new(gateway: &'a Gateway, memory: &'a RefCell<Memory>, ports: &'a P) -> Self {
        Self {
            issuers: gateway.issuers(),
            memory,
            ports,
            store: Store::new(gateway, memory, ports),
            key_sets: KeySetLoader::new(gateway, memory, ports),
            customers: CustomerRefresh::of(gateway, memory, ports),
        }
    }

    /// Refreshes the store: every issuer's key set, and the customers.
    pub async fn run(&self) {
        for (index, issuer) in self.issuers.iter().enumerate() {
            self.refresh_key_set(index, issuer).await;
        }
        let Some(customers) = &self.customers else { return };
        match customers.run().await {
            Ok(Refreshed { listed, written, gone, pending }) => {
                if written > 0 || pending > 0 {
                    let what = format!(
                        "{listed} listed, {written} written, {gone} of them gone, {pending} to follow"
                    );
                    self.ports.note("customers_refreshed", &what);
                }
            }
            Err(SourceError(what)) => {
                self.ports.warn("customers_refresh_failed", &what);
                self.memory.borrow_mut().config_api_health.note(self.ports.now(), Err(&what));
            }
        }
    }

    /// Refreshes a key set that is due, unless somebody else does.
    async fn refresh_key_set(&self, index: usize, issuer: &Issuer) {
        let now = self.ports.now();
        let known_as_of = self.memory.borrow().key_sets.get(index).and_then(|known| known.set.as_of(now));
        let state = |as_of| issuer.policy.lifetimes.state(now.since(as_of));
        let due = issuer.keys.is_fetched() && known_as_of.is_none_or(|as_of| state(as_of) > Freshness::Fresh);
        if !due {
            return;
        }
        let claim = self.memory.borrow().key_sets.get(index).map(|known| known.set.acquire_lease(now));
        let (Some(Lease::Acquired), Some(flight)) = (claim, Need::KeySet(index).flight()) else { return };
        let mut deferred = Deferred::default();
        let load = self.key_sets.load(index, &mut deferred).await;
        self.ports.complete_load(&flight, load.set.is_some());
        for write in &deferred.writes {
            self.store.write_refreshed(write).await;
        }
    }
}
