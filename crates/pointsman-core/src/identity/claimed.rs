//! Which customer a caller says to be of.

use crate::identity::{
    claims::{ClaimPath, Claims},
    customer_id::CustomerId,
};

/// What a principal's claims say of its customer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Claimed {
    /// There is no such claim.
    Missing,
    /// There is one that can name no customer.
    Malformed,
    /// This customer.
    Id(CustomerId),
}

impl Claimed {
    /// Reads the claim at `path`.
    #[must_use]
    pub fn read(claims: &Claims, path: &ClaimPath) -> Self {
        match claims.find(path) {
            None => Self::Missing,
            Some(claim) => CustomerId::from_claim(claim).map_or(Self::Malformed, Self::Id),
        }
    }
}
