//! Who is calling, whichever way that was found out.

use std::{cell::OnceCell, rc::Rc};

use serde_json::{Map, Value};

use crate::{
    base::identifier::identifier,
    identity::{
        claimed::Claimed,
        claims::{COUNTED, ClaimPath, Claims},
    },
};

/// Who is calling, once exactly one credential was verified or none was needed.
#[derive(Clone, Debug, Default)]
pub struct Principal {
    /// The key's subject or the token's `sub` (or the claim configured for it). `None` for an
    /// anonymous caller.
    pub subject: Option<Rc<str>>,
    /// The key's stored metadata or the token's claims.
    pub claims: Claims,
    customer: OnceCell<Claimed>,
}

impl PartialEq for Principal {
    /// What its claims say of its customer is one of them, read or not.
    fn eq(&self, other: &Self) -> bool {
        self.subject == other.subject && self.claims == other.claims
    }
}

impl Principal {
    /// A caller of whom this is known.
    #[must_use]
    pub const fn new(subject: Option<Rc<str>>, claims: Claims) -> Self {
        Self { subject, claims, customer: OnceCell::new() }
    }

    /// A caller with these claims, its subject in `sub`.
    #[must_use]
    pub fn assumed(claims: Map<String, Value>) -> Self {
        let subject = claims.get("sub").and_then(identifier).filter(|text| !text.is_empty()).map(Rc::from);
        Self::new(subject, Claims::new(claims))
    }

    /// What its claims say of its customer. It is read once: the claim at `path` is the configuration's, and the
    /// same for all requests.
    pub fn customer(&self, path: &ClaimPath) -> &Claimed {
        self.customer.get_or_init(|| Claimed::read(&self.claims, path))
    }

    /// Bytes held, counted `Rc`s and all, for the caches' bounds; with the customer's id if it was read.
    #[must_use]
    pub fn weight(&self) -> usize {
        let subject = self.subject.as_ref().map_or(0, |subject| COUNTED + subject.len());
        let customer = match self.customer.get() {
            Some(Claimed::Id(id)) => COUNTED + id.as_str().len(),
            _ => 0,
        };
        COUNTED + size_of::<Self>() + subject + customer + self.claims.weight()
    }
}
