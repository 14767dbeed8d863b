//! Callers, as the records at hand have them: the holder of a key, and somebody with a token that names a customer.

use std::rc::Rc;

use pointsman_core::{
    base::record::{RecordError, read_record},
    customer::record::{CustomerConfig, CustomerRecord},
    identity::{
        access::AccessRestrictions,
        claimed::Claimed,
        claims::{ClaimPath, Claims},
        customer_id::CustomerId,
        key_record::KeyConfig,
        principal::Principal,
    },
    state::{cache::Stored, config::Gateway},
};
use serde_json::{Map, Value};

use crate::records::{Extras, Good, Judge, Kind};

/// Who calls.
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Who {
    /// Somebody without a credential.
    #[default]
    Anonymous,
    /// Somebody whose token names this customer.
    Customer(String),
    /// The holder of the key of this digest.
    Key { digest: String, subject: String, customer: Option<String> },
}

/// A caller, as each configuration sees it, base first.
#[derive(Default)]
pub(super) struct Caller {
    pub(super) who: Who,
    pub(super) sides: [Seen; 2],
    /// From where it may call, where that is restricted.
    pub(super) address: Option<String>,
    /// With which methods alone, where that is restricted.
    pub(super) methods: Option<Vec<String>>,
}

/// What one configuration has of a caller.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) key: Option<Stored<KeyConfig>>,
    /// Whom a token speaks for.
    pub(super) principal: Option<Rc<Principal>>,
    pub(super) customer: Option<(CustomerId, Stored<CustomerConfig>)>,
}

/// Finds the JSON of a customer's record.
pub(super) type FindCustomer<'a> = dyn FnMut(&str) -> Result<Option<Vec<u8>>, String> + 'a;

/// The record of a customer, without what a refresh notes beside it: it counts, however old it is.
///
/// # Errors
/// Where it is no record, or of nobody.
pub(super) fn customer_record(json: &[u8]) -> Result<(CustomerId, CustomerRecord), RecordError> {
    let record = read_record::<CustomerRecord>(json)?;
    let id = CustomerId::parse(&record.customer_id).ok_or_else(|| RecordError {
        pointer: "/customerId".to_owned(),
        what: format!("must be 1 to {} bytes without control characters", CustomerId::MAX_BYTES),
    })?;
    let record = if record.gone { record } else { record.content() };
    Ok((id, record))
}

/// As the gateway of this configuration reads it: what it cannot use is malformed there.
pub(super) fn stored(record: &CustomerRecord, id: &CustomerId, gateway: &Gateway) -> Stored<CustomerConfig> {
    match CustomerConfig::of(record, id, gateway.allow_http()) {
        Ok(config) => Stored::Present(Rc::new(config)),
        Err(_) => Stored::Malformed,
    }
}

/// Somebody whose token names the customer of this record, in the claim that the base reads. `claims` are what such tokens
/// say besides.
///
/// # Errors
/// As [`customer_record`].
pub(super) fn of_customer(
    json: &[u8],
    gateways: [&Gateway; 2],
    claims: &Map<String, Value>,
) -> Result<(CustomerId, Caller), RecordError> {
    let (id, record) = customer_record(json)?;
    let mut claims = claims.clone();
    let named = gateways.into_iter().find_map(Gateway::customers);
    if let Some(customers) = named {
        put_claim(&mut claims, &customers.claim, id.as_str());
    }
    let subject = claims.get("sub").and_then(Value::as_str).map(Rc::from);
    let claims = Claims::new(claims);
    let sides = gateways.map(|gateway| Seen {
        key: None,
        principal: Some(Rc::new(Principal::new(Option::clone(&subject), claims.clone()))),
        customer: Some((id.clone(), stored(&record, &id, gateway))),
    });
    let address = record.allowed_ips.as_deref().and_then(|ranges| first_address(ranges.first()?));
    let who = Who::Customer(id.as_str().to_owned());
    Ok((id, Caller { who, sides, address, methods: None }))
}

/// The holder of the key of this record.
///
/// # Errors
/// Where it is no record of a key.
pub(super) fn of_key(
    json: &[u8],
    gateways: [&Gateway; 2],
    judge: &Judge,
    find: &mut FindCustomer<'_>,
) -> Result<Caller, KeyFault> {
    let Good { name, value, .. } = judge.record(Kind::Key, json, Extras::Taken)?;
    let mut caller = Caller::default();
    let mut customer = None;
    for (gateway, seen) in gateways.into_iter().zip(&mut caller.sides) {
        // Read for each: what a principal's claims say of its customer is kept with it.
        let config = KeyConfig::parse(value.as_bytes())?;
        let claimed = gateway.customers().map(|customers| config.principal().customer(&customers.claim));
        if let Some(Claimed::Id(id)) = claimed {
            customer = customer.or_else(|| Some(id.as_str().to_owned()));
            let found = find(id.as_str()).map_err(KeyFault::Data)?;
            let record = found.and_then(|json| customer_record(&json).ok());
            let own = record.map_or(Stored::Absent, |(_, record)| stored(&record, id, gateway));
            seen.customer = Some((id.clone(), own));
        }
        let restrictions = config.restrictions();
        let of_customer = match &seen.customer {
            Some((_, Stored::Present(own))) => Some(own.restrictions()),
            _ => None,
        };
        caller.address =
            caller.address.or_else(|| address_of(restrictions).or_else(|| of_customer.and_then(address_of)));
        caller.methods = restrictions.methods().map(|all| all.iter().map(|own| own.to_string()).collect());
        seen.key = Some(Stored::Present(Rc::new(config)));
    }
    let subject = match &caller.sides {
        [Seen { key: Some(Stored::Present(key)), .. }, _] => {
            key.principal().subject.as_deref().unwrap_or_default().to_owned()
        }
        _ => String::new(),
    };
    let digest = name.strip_prefix(Kind::Key.prefix()).unwrap_or(&name).to_owned();
    caller.who = Who::Key { digest, subject, customer };
    Ok(caller)
}

/// Why a key's record cannot be asked with.
#[derive(Debug)]
pub(super) enum KeyFault {
    Record(RecordError),
    /// The customers at hand cannot be read any more.
    Data(String),
}

impl From<RecordError> for KeyFault {
    fn from(error: RecordError) -> Self {
        Self::Record(error)
    }
}

/// An address from which somebody so restricted may call.
fn address_of(restrictions: &AccessRestrictions) -> Option<String> {
    first_address(&restrictions.addresses()?.first()?.to_string())
}

fn first_address(range: &str) -> Option<String> {
    range.split('/').next().map(str::to_owned)
}

/// Puts a text where a claim path leads.
fn put_claim(claims: &mut Map<String, Value>, path: &ClaimPath, text: &str) {
    let Some(pointer) = path.as_str().strip_prefix('/') else {
        claims.insert(path.as_str().to_owned(), Value::from(text));
        return;
    };
    let mut steps = pointer.split('/').map(|step| step.replace("~1", "/").replace("~0", "~"));
    let Some(first) = steps.next() else { return };
    let mut place = claims.entry(first).or_insert(Value::Null);
    for step in steps {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        let Value::Object(members) = place else { return };
        place = members.entry(step).or_insert(Value::Null);
    }
    *place = Value::from(text);
}
