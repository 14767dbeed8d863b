//! Loads whose a host is: by the entry of its name in the store, or else by what the provider's config API says. Either only
//! names the customer, whose own record has the last word.

use std::{cell::RefCell, rc::Rc};

use pointsman_core::{
    customer::{
        host_name::{HostName, customer_in},
        record::CustomerConfig,
    },
    state::{
        cache::{Loaded, Stored},
        config::Gateway,
        memory::Memory,
    },
};

use crate::{
    cold::boxed_cold,
    config_api::ConfigApi,
    ports::{Ports, SourceError},
    store::Store,
};

/// Loads whose hosts are.
pub(crate) struct HostLoader<'a, P> {
    memory: &'a RefCell<Memory>,
    ports: &'a P,
    store: Store<'a, P>,
    config_api: Option<ConfigApi<'a, P>>,
}

impl<'a, P: Ports> HostLoader<'a, P> {
    pub(crate) fn new(gateway: &'a Gateway, memory: &'a RefCell<Memory>, ports: &'a P) -> Self {
        let store = Store::new(gateway, memory, ports);
        Self { memory, ports, store, config_api: ConfigApi::of(gateway, memory, ports) }
    }

    /// Loads whose this host is; `None` where the sources failed.
    pub(crate) async fn load(&self, host: &HostName) -> Option<Stored<CustomerConfig>> {
        let (key, asked_at) = (host.cache_key(), self.ports.now());
        match self.find(host).await {
            Ok(stored) => {
                let weight = match &stored {
                    Stored::Present(pointer) => pointer.weight(),
                    Stored::Absent | Stored::Malformed => 0,
                };
                let loaded = Loaded { stored, weight, asked_at, as_of: asked_at };
                Some(self.memory.borrow_mut().customers.store(key, loaded))
            }
            Err(what) => {
                self.ports.warn("customer_source_failed", &what);
                let now = self.ports.now();
                self.memory.borrow_mut().customers.fail(&key, asked_at, now, self.config_api.is_some());
                None
            }
        }
    }

    async fn find(&self, host: &HostName) -> Result<Stored<CustomerConfig>, String> {
        let name = host.store_key();
        let own = self.store.read(&name).await.map_err(|SourceError(what)| what)?;
        let id = match (own, &self.config_api) {
            (Some(pointer), _) => match customer_in(&pointer) {
                Some(id) => Some(id),
                None => {
                    self.ports.warn("customer_record_malformed", &format!("{name} names no customer"));
                    return Ok(Stored::Malformed);
                }
            },
            (None, Some(config_api)) => boxed_cold(config_api.customer_of_host(host)).await?,
            (None, None) => None,
        };
        Ok(id.map_or(Stored::Absent, |id| Stored::Present(Rc::new(CustomerConfig::pointer_to(id)))))
    }
}
