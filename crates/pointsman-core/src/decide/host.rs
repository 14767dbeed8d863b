//! From the host that was asked for to a customer, on routes where the host says whose a request is.

use super::{
    DecisionContext,
    customer::{admit, look_up},
};
use crate::{
    base::{freshness::NEGATIVE_FRESH, refusal::Refusal},
    customer::host_name::HostName,
    decide::{
        decision::{Fetched, Halt, Need, Outcome},
        steps::HostStep,
    },
    identity::{claimed::Claimed, customer_id::CustomerId, method::AuthMethod, principal::Principal},
    state::{cache::Stored, memory::Memory, route::Route},
};

impl DecisionContext<'_> {
    /// The customer whose record lists the host that was asked for. Before any credential is looked at: a host that nobody
    /// has is as a path that nobody has.
    #[cold]
    #[inline(never)]
    pub(super) fn customer_of_host(&mut self, memory: &mut Memory) -> Result<(), Halt> {
        let asked_for = self.head.target.host();
        self.trace.record(|steps| steps.host = Some(HostStep { host: asked_for.to_owned(), customer: None }));
        let host = HostName::asked_for(asked_for).ok_or(Refusal::HostUnknown)?;
        let whose = host.customer();
        let id = match look_up(&whose, memory, self.loaded, &mut self.deferred, self.now)? {
            Stored::Absent => return Err(Refusal::HostUnknown.into()),
            Stored::Malformed => return Err(Refusal::CustomerRecordMalformed.into()),
            Stored::Present(pointer) => pointer.id().clone(),
        };
        // What says whose the host is may be older than the record, or left over. The record has the last word.
        match look_up(&id, memory, self.loaded, &mut self.deferred, self.now)? {
            Stored::Present(config) if config.hosts().contains(&host) => {
                self.trace.customer = Some(id.shared());
                self.trace.record(|steps| {
                    if let Some(step) = &mut steps.host {
                        step.customer = Some(id.clone());
                    }
                });
                self.of_host = Some(config);
                Ok(())
            }
            Stored::Malformed => Err(Refusal::CustomerRecordMalformed.into()),
            Stored::Present(_) | Stored::Absent => Err(self.host_moved(whose, memory)),
        }
    }

    /// What memory holds of the host leads to a record that does not list it: the host may be another customer's by now. That is
    /// asked for again as seldom as whether a host that nobody had is somebody's by now.
    fn host_moved(&self, whose: CustomerId, memory: &Memory) -> Halt {
        let place = whose.cache_key();
        let asked_at = memory.customers.asked_at(&place);
        if self.loaded.host.has_failed() {
            return Refusal::CustomerSourceUnavailable.into();
        }
        let is_old = asked_at.is_some_and(|at| self.now.since(at) >= NEGATIVE_FRESH);
        if is_old && self.loaded.host == Fetched::NotAsked {
            return Halt::Load(Need::Customer(whose), memory.customers.acquire_lease(&place, self.now));
        }
        Refusal::HostUnknown.into()
    }

    /// What becomes of a request that goes no further than its host.
    #[cold]
    #[inline(never)]
    pub(super) fn halted(&self, halt: Halt, route: &Route) -> Outcome {
        match halt {
            Halt::Load(need, lease) => Outcome::Load(need, lease),
            Halt::Refuse(refusal) => self.refused(refusal, Some(route)),
        }
    }

    /// Whether a caller whose credential names no customer can be one of this customer's: its issuer may speak for some alone.
    pub(super) fn may_be_of(&self, id: &CustomerId, principal: &Principal, method: &AuthMethod) -> bool {
        let own = method.authority();
        let issuer = self.gateway.issuers.iter().find(|issuer| Some(&*issuer.name) == own);
        issuer.and_then(|issuer| issuer.customers.as_ref()).is_none_or(|only| only.allows(principal, id))
    }

    /// Whose a request is by its host and by its credential, which may name no other customer. With the record at hand, who is
    /// disabled or out of reach is refused whatever the rules say.
    #[cold]
    #[inline(never)]
    pub(super) fn claim_host(
        &mut self,
        principal: &Principal,
        method: &AuthMethod,
    ) -> Result<Box<Claimed>, Halt> {
        let of_host = self.of_host.take().ok_or(Refusal::Misconfigured)?;
        let id = of_host.id().clone();
        let customers = self.gateway.customers.as_ref().ok_or(Refusal::Misconfigured)?;
        match principal.customer(&customers.claim) {
            Claimed::Id(own) if *own == id => {}
            Claimed::Id(_) => return Err(Refusal::HostOfAnotherCustomer.into()),
            Claimed::Malformed => return Err(Refusal::CustomerIdMalformed.into()),
            // A partner's token that names no customer is of none but the partner's.
            Claimed::Missing if !self.may_be_of(&id, principal, method) => {
                return Err(Refusal::HostOfAnotherCustomer.into());
            }
            Claimed::Missing => {}
        }
        admit(Stored::Present(of_host), self.head)?;
        Ok(Box::new(Claimed::Id(id)))
    }
}
