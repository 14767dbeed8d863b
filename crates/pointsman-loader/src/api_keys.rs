//! Loads the record of an API key from the store.

use std::{cell::RefCell, rc::Rc};

use pointsman_core::{
    base::digest::Digest,
    identity::key_record::{self, KeyConfig},
    state::{
        cache::{Loaded, Stored},
        config::Gateway,
        memory::Memory,
    },
};

use crate::{
    ports::{Ports, SourceError},
    store::Store,
};

/// Loads API keys.
pub(crate) struct KeyLoader<'a, P> {
    gateway: &'a Gateway,
    memory: &'a RefCell<Memory>,
    ports: &'a P,
    store: Store<'a, P>,
}

impl<'a, P: Ports> KeyLoader<'a, P> {
    pub(crate) const fn new(gateway: &'a Gateway, memory: &'a RefCell<Memory>, ports: &'a P) -> Self {
        Self { gateway, memory, ports, store: Store::new(gateway, memory, ports) }
    }

    /// Loads the record of the key with this digest; `None` where the store failed.
    pub(crate) async fn load(&self, digest: &Digest) -> Option<Stored<KeyConfig>> {
        let asked_at = self.ports.now();
        let (stored, weight) = match self.store.read(&key_record::store_key(digest)).await {
            Ok(None) => (Stored::Absent, 0),
            Ok(Some(json)) => match KeyConfig::parse(&json) {
                Ok(config) => {
                    self.gateway.read_customer(config.principal());
                    let weight = config.weight();
                    (Stored::Present(Rc::new(config)), weight)
                }
                Err(error) => {
                    self.ports.warn("key_record_malformed", &format!("key:{digest} {error}"));
                    (Stored::Malformed, 0)
                }
            },
            Err(SourceError(what)) => {
                self.ports.warn("key_store_failed", &what);
                self.memory.borrow_mut().keys.fail(digest, asked_at, self.ports.now(), false);
                return None;
            }
        };
        let loaded = Loaded { stored, weight, asked_at, as_of: asked_at };
        Some(self.memory.borrow_mut().keys.store(*digest, loaded))
    }
}
