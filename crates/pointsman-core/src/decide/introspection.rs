//! A token that only its issuer can read: what memory holds of it, or that the issuer is to be asked.

use std::rc::Rc;

use crate::{
    base::refusal::Refusal,
    decide::{
        authenticate::Stage,
        decision::{Deferred, Halt, Need},
    },
    identity::{
        introspection::{self, Introspection},
        jwt::VerifiedToken,
    },
    state::{
        cache::{Lease, Lookup, Stored},
        memory::Memory,
    },
};

impl Stage<'_> {
    /// What an issuer has said of a token, where that still counts.
    #[cold]
    #[inline(never)]
    pub(super) fn introspected(
        &self,
        token: &str,
        index: usize,
        memory: &Memory,
        deferred: &mut Deferred,
    ) -> Result<Rc<VerifiedToken>, Halt> {
        if let Some(outcome) = &self.loaded.token {
            return outcome.clone().map_err(Halt::from);
        }
        let issuer = self.gateway.issuers.get(index).ok_or(Refusal::TokenIssuer)?;
        let name = introspection::name_of(issuer, token);
        let need =
            || Need::Introspection(Rc::new(Introspection { issuer: index, token: token.to_owned(), name }));
        let lease = || memory.tokens.acquire_lease(&name, self.now);
        // `failed`, since it is not loaded as other entries are: an answer counts until its own end.
        match memory.tokens.lookup(&name, self.now, true) {
            Lookup::Hit { stored: Stored::Absent, .. } => return Err(Refusal::TokenInactive.into()),
            Lookup::Hit { stored: Stored::Present(verified), .. } if self.now < verified.expires_at => {
                let is_due = introspection::is_due(&verified, issuer.policy.lifetimes.revalidate, self.now)
                    && !self.is_left_alone(index, memory)
                    && lease() == Lease::Acquired;
                deferred.refresh(is_due, self.now, need);
                return Ok(verified);
            }
            _ => {}
        }
        if self.is_left_alone(index, memory) {
            return Err(Refusal::IntrospectionUnavailable.into());
        }
        Err(Halt::Load(need(), lease()))
    }

    /// Whether the issuer failed a moment ago.
    fn is_left_alone(&self, index: usize, memory: &Memory) -> bool {
        memory.key_sets.get(index).is_some_and(|known| self.now < known.set.failures().1)
    }
}
