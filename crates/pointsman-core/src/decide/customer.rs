//! From claims to a customer's configuration.

use std::rc::Rc;

use crate::{
    base::{refusal::Refusal, time::Timestamp},
    customer::record::CustomerConfig,
    decide::decision::{Deferred, Fetched, Halt, LoadedForRequest, Need},
    http::head::Head,
    identity::customer_id::CustomerId,
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

/// Looks up a customer's record in what this request has loaded, then in memory.
///
/// # Errors
/// What must be loaded first, or a refusal where it cannot be had.
pub fn look_up(
    id: &CustomerId,
    memory: &mut Memory,
    loaded: &LoadedForRequest,
    deferred: &mut Deferred,
    now: Timestamp,
) -> Result<Stored<CustomerConfig>, Halt> {
    let fetched = loaded.customer(id);
    if let Some(Fetched::Got(stored)) = fetched {
        return Ok(stored.clone());
    }
    match memory.look_up_customer(id, now, fetched.is_some_and(Fetched::has_failed)) {
        Lookup::Hit { stored, refresh } => {
            deferred.refresh(refresh, now, || Need::Customer(id.clone()));
            Ok(stored)
        }
        Lookup::Load(claim) => Err(Halt::Load(Need::Customer(id.clone()), claim)),
        Lookup::Unavailable => Err(Refusal::CustomerSourceUnavailable.into()),
    }
}

/// Who the customer of this record is to the routing.
///
/// # Errors
/// A refusal for what is malformed, disabled or out of reach: none of that is "not listed", so none of
/// it can fall to a shared backend.
pub fn admit(stored: Stored<CustomerConfig>, head: &Head<'_>) -> Result<Customer, Halt> {
    match stored {
        Stored::Absent => Ok(Customer::Unlisted),
        Stored::Malformed => Err(Refusal::CustomerRecordMalformed.into()),
        Stored::Present(config) if config.disabled() => Err(Refusal::CustomerDisabled.into()),
        Stored::Present(config) => {
            config.restrictions().admit(head)?;
            Ok(Customer::Listed(config))
        }
    }
}
