//! Who loads what: the leases on loads, by what is loaded.

use std::cell::RefCell;

use pointsman_core::{
    base::time::{Span, Timestamp},
    decide::decision::Need,
    state::{cache::Lease, config::Gateway, memory::Memory},
};

/// The leases of one isolate. A signature has none, since each request verifies it for itself.
pub(crate) struct Leases<'a> {
    gateway: &'a Gateway,
    memory: &'a RefCell<Memory>,
}

impl<'a> Leases<'a> {
    pub(crate) const fn new(gateway: &'a Gateway, memory: &'a RefCell<Memory>) -> Self {
        Self { gateway, memory }
    }

    /// How long a lease on loading this lasts.
    pub(crate) fn duration(&self, need: &Need) -> Span {
        let gateway = self.gateway;
        let policy = match need {
            Need::Key(_) => gateway.key_policy(),
            Need::Customer(_) => gateway.customers().map(|customers| &customers.policy),
            Need::Introspection(of) => gateway.issuers().get(of.issuer).map(|issuer| &issuer.policy),
            Need::KeySet(issuer) => gateway.issuers().get(*issuer).map(|issuer| &issuer.policy),
            // Answers are not refreshed, and nobody else asks for the length.
            Need::Authorization(_) | Need::Revocations | Need::Signature(_) | Need::Proof(_) => None,
        };
        policy.map_or_else(Span::default, |policy| policy.lease)
    }

    /// Takes the lease on loading this, or says until when somebody else holds it.
    pub(crate) fn lease(&self, need: &Need, now: Timestamp) -> Lease {
        let memory = self.memory.borrow();
        match need {
            Need::Key(digest) => memory.keys.acquire_lease(digest, now),
            Need::Customer(id) => memory.customers.acquire_lease(&id.cache_key(), now),
            Need::Introspection(of) => memory.tokens.acquire_lease(&of.name, now),
            Need::Authorization(of) => memory.tokens.acquire_lease(&of.name, now),
            Need::KeySet(issuer) => {
                memory.key_sets.get(*issuer).map_or(Lease::Acquired, |known| known.set.acquire_lease(now))
            }
            Need::Revocations | Need::Signature(_) | Need::Proof(_) => Lease::Acquired,
        }
    }

    /// Whether somebody loads this whom a caller can count on.
    pub(crate) fn is_loading(&self, need: &Need, now: Timestamp) -> bool {
        let memory = self.memory.borrow();
        match need {
            Need::Key(digest) => memory.keys.is_loading(digest, now),
            Need::Customer(id) => memory.customers.is_loading(&id.cache_key(), now),
            Need::Introspection(of) => memory.tokens.is_loading(&of.name, now),
            Need::Authorization(of) => memory.tokens.is_loading(&of.name, now),
            Need::KeySet(issuer) => memory.key_sets.get(*issuer).is_some_and(|set| set.set.is_loading(now)),
            Need::Revocations | Need::Signature(_) | Need::Proof(_) => false,
        }
    }
}
