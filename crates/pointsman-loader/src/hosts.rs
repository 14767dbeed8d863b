//! Finds whose a host is: by the entry of its name in the store, or else by what the provider's config API says. Either only names
//! the customer, whose own record has the last word.

use std::rc::Rc;

use pointsman_core::{
    customer::{host_name::customer_in, record::CustomerConfig},
    state::cache::Stored,
};

use crate::{config_api::ConfigApi, customers::Failure, ports::Ports, store::Store};

/// Finds whose this host is; `name` is that of its entry.
pub(crate) async fn find<P: Ports>(
    host: &str,
    name: &str,
    store: &Store<'_, P>,
    config_api: Option<&ConfigApi<'_, P>>,
    ports: &P,
) -> Result<Stored<CustomerConfig>, Failure> {
    let id = match (store.read(name).await.map_err(Failure::store)?, config_api) {
        (Some(pointer), _) => match customer_in(&pointer) {
            Some(id) => Some(id),
            None => {
                ports.warn("customer_record_malformed", &format!("{name} names no customer"));
                return Ok(Stored::Malformed);
            }
        },
        (None, Some(config_api)) => config_api.customer_of_host(host).await.map_err(Failure::source)?,
        (None, None) => None,
    };
    Ok(id.map_or(Stored::Absent, |id| Stored::Present(Rc::new(CustomerConfig::pointer_to(id)))))
}
