//! The places where a customer's requests can go, as its record lists them.

use std::rc::Rc;

use serde::Serialize;

use crate::{
    base::{
        record::{RecordErrors, said},
        shape::shape,
    },
    customer::{
        backend_url::{AllowHttp, BackendUrl},
        record::CustomerRecord,
        secret::{self, SealedLines},
    },
    identity::claims::COUNTED,
};

/// One place where a customer's requests can go.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(deny_unknown_fields))]
#[serde(rename_all = "camelCase")]
pub struct OriginRecord {
    /// Its URL.
    pub url: String,
    /// Its share, where requests are shared out by weight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<u32>,
    /// The region that it stands in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
}

shape! { for OriginRecord { url: "url", weight: "weight", region: "region", }}

/// More places than this would be no failover but a search.
pub const MOST_BACKENDS: usize = 8;

/// One place where a customer's requests can go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CustomerOrigin {
    /// Its URL.
    pub url: BackendUrl,
    /// Its share, where requests are shared out by weight.
    pub weight: Option<u32>,
    /// The region that it stands in.
    pub region: Option<Rc<str>>,
    /// The binding of the private network that it stands in, if it does.
    pub network: Option<Rc<str>>,
    /// The secrets that it asks for, if it does.
    pub secrets: Option<SealedLines>,
}

impl CustomerOrigin {
    fn new(url: BackendUrl, weight: Option<u32>, region: Option<Rc<str>>) -> Self {
        let network = url.network().map(Rc::from);
        Self { url, weight, region, network, secrets: None }
    }

    /// Whether it names nothing of the gateway's own: no network and no field for a secret.
    pub(super) const fn is_plain(&self) -> bool {
        self.network.is_none() && self.secrets.is_none()
    }

    /// Bytes held, for the cache's bound.
    pub(super) fn weight(&self) -> usize {
        let region = self.region.as_ref().map_or(0, |region| COUNTED + region.len());
        let secrets = self.secrets.as_ref().map_or(0, |secrets| COUNTED + secrets.len());
        let network = self.network.as_ref().map_or(0, |network| COUNTED + network.len());
        size_of::<Self>() + self.url.weight() + region + network + secrets
    }
}

/// The places of a record, each once.
pub(super) fn read(
    record: &CustomerRecord,
    allow_http: AllowHttp,
    errors: &mut RecordErrors,
) -> Vec<CustomerOrigin> {
    let mut found = Vec::new();
    let mut parse = |url: &str, pointer: &dyn Fn() -> String| {
        BackendUrl::parse_place(url, allow_http)
            .map_err(|error| errors.note(pointer(), error.to_string()))
            .ok()
    };
    let alone = said(record.backend_url.as_deref());
    if let Some(url) = alone.and_then(|url| parse(url, &|| "/backendUrl".to_owned())) {
        found.push(CustomerOrigin::new(url, None, None));
    }
    for (index, origin) in record.backends.iter().enumerate() {
        let Some(url) = parse(&origin.url, &|| format!("/backends/{index}/url")) else { continue };
        // What stands in both is described by the list.
        found.retain(|other| other.url != url);
        let region = said(origin.region.as_deref()).map(Rc::from);
        found.push(CustomerOrigin::new(url, origin.weight, region));
    }
    // A member that could not be read is there all the same.
    let unread = errors.has("/backendUrl") || errors.has("/backends");
    // Nobody goes anywhere by the record of who is gone, and nobody may ever have known where that was.
    if alone.is_none() && record.backends.is_empty() && !unread && !record.gone {
        errors.note("", "must have a backendUrl, or backends");
    }
    if found.len() > MOST_BACKENDS {
        errors.note("/backends", format!("must be at most {MOST_BACKENDS}"));
    }
    secret::assign(&record.secrets, &record.customer_id, &mut found, errors);
    found
}
