//! From claims to a customer's configuration.

use std::rc::Rc;

use crate::{
    base::{refusal::Refusal, time::Timestamp},
    customer::record::CustomerConfig,
    decide::decision::{Deferred, Fetched, Halt, LoadedForRequest, Need},
    http::head::Head,
    identity::claimed::Claimed,
    state::{
        cache::{Lookup, Stored},
        memory::Memory,
    },
};

/// Who a customer is to the routing.
#[derive(Clone, Debug, PartialEq)]
pub enum Customer {
    /// The caller names none.
    Missing,
    /// The caller names one that is not listed.
    Unlisted,
    /// This one.
    Listed(Rc<CustomerConfig>),
}

/// Finds the customer's configuration in what this request has loaded, then in memory.
///
/// # Errors
/// A refusal for what is malformed, disabled or out of reach: none of that is "not listed", so none of
/// it can fall to a shared backend.
pub fn resolve(
    claimed: &Claimed,
    memory: &Memory,
    loaded: &LoadedForRequest,
    head: &Head<'_>,
    deferred: &mut Deferred,
    now: Timestamp,
) -> Result<Customer, Halt> {
    let id = match claimed {
        Claimed::Missing => return Ok(Customer::Missing),
        Claimed::Malformed => return Err(Refusal::CustomerIdMalformed.into()),
        Claimed::Id(id) => id,
    };
    let stored = match &loaded.customer {
        Fetched::Got(stored) => stored.clone(),
        missing => match memory.customers.lookup(&id.cache_key(), now, missing.has_failed()) {
            Lookup::Hit { stored, refresh } => {
                deferred.refresh(refresh, now, || Need::Customer(id.clone()));
                stored
            }
            Lookup::Load(claim) => return Err(Halt::Load(Need::Customer(id.clone()), claim)),
            Lookup::Unavailable => return Err(Refusal::CustomerSourceUnavailable.into()),
        },
    };
    match stored {
        Stored::Absent => Ok(Customer::Unlisted),
        Stored::Malformed => Err(Refusal::CustomerRecordMalformed.into()),
        Stored::Present(config) if config.disabled() => Err(Refusal::CustomerDisabled.into()),
        Stored::Present(config) => {
            config.permits().admit(head)?;
            Ok(Customer::Listed(config))
        }
    }
}
