//! The credential where a backend would see it: what is taken off once a credential was verified.

use super::DecisionContext;
use crate::{
    forward::plan::{self, CallerIdentity},
    http::{credential_copies, fields::FieldLines, head::PresentFields},
    identity::{
        credential::{Credential, find_credential},
        method::AuthMethod,
        subprotocol::Offer,
    },
    state::route::Route,
};

/// No token and no key with a checksum is shorter. Keys that were minted elsewhere may be.
const SHORTEST_CREDENTIAL: usize = 24;

/// A credential that may have been sent a second time, or in a place that is forwarded.
pub(super) struct Copied<'a> {
    credential: Credential<'a>,
    /// The query without it, where it is there.
    pub(super) query: Option<String>,
    /// Where it is among the subprotocols of a WebSocket handshake, these without it.
    offer: Option<Offer>,
}

impl Copied<'_> {
    /// The field with the subprotocol that a browser waits for, where the backend may have chosen none.
    pub(super) fn answer(&self) -> Option<(&'static str, String)> {
        let answer = self.offer.as_ref()?.answer.clone()?;
        // A client may offer its credential a second time, as a subprotocol by itself.
        if credential_copies::holds(&answer, self.credential.as_str()) {
            return None;
        }
        Some((credential_copies::SUBPROTOCOLS, answer))
    }
}

impl<'a> DecisionContext<'a> {
    /// Whether a second copy of the credential may be anywhere: most requests have no field that could hold it, and a
    /// query that is shorter.
    pub(super) fn may_be_copied(&self) -> bool {
        let is_long_enough = |query: &str| {
            let may_be_short = self.gateway.api_keys.as_ref().is_some_and(|keys| !keys.has_checksum());
            may_be_short || query.len() >= SHORTEST_CREDENTIAL
        };
        self.head.seen.has(PresentFields::MAY_HOLD_CREDENTIAL.and(PresentFields::VIA))
            || self.head.target.query.is_some_and(is_long_enough)
    }

    /// The credential that was verified, and the query without it. Where an operator assumes a caller, the one that was
    /// sent.
    #[cold]
    #[inline(never)]
    pub(super) fn copied(&self, route: &'a Route, method: &AuthMethod) -> Option<Box<Copied<'a>>> {
        if *method == AuthMethod::Anonymous {
            return None;
        }
        let found = find_credential(self.head, self.gateway.api_keys.as_ref(), &route.auth.places);
        let credential = found.ok().flatten()?.credential;
        let query = credential_copies::clean_query(self.head.target, credential.as_str());
        let offer = route.auth.places.offer(self.head).ok().flatten();
        Some(Box::new(Copied { credential, query, offer }))
    }

    /// As [`plan::edit_fields`], and what holds the credential goes.
    #[cold]
    #[inline(never)]
    pub(super) fn edit_copied(
        &self,
        via: &str,
        caller: CallerIdentity<'_>,
        copied: &Copied<'_>,
    ) -> (Vec<String>, FieldLines) {
        let credential = copied.credential.as_str();
        let via = if credential_copies::holds(via, credential) { self.gateway.via.alone() } else { via };
        let (mut remove, mut set) = plan::edit_fields(self.head, via, &self.gateway.identity, caller);
        let rest = copied.offer.as_ref().map(|offer| offer.rest.as_str());
        let policy = &self.gateway.fields;
        credential_copies::take_off(self.head, policy, credential, rest, &mut remove, &mut set);
        (remove, set)
    }
}
