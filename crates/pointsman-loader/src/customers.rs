//! Loads a customer's record: from the store, and from the provider's config API where the store holds
//! none or one that the API is to confirm.
//!
//! An operator's own record and what the API says have a name each in the store ([`CustomerId::store_key`],
//! [`CustomerId::refreshed_key`]). The operator's decides wherever there is one, and nothing here writes
//! under its name. "Not listed" is what the API says and nothing else: neither a record that is missing nor
//! an entry that cannot be read may send a customer to a shared backend. What the API answers is written to
//! the store behind the response, so that every isolate profits from one load.

use std::{cell::RefCell, rc::Rc};

use pointsman_core::{
    base::{
        freshness::Freshness,
        record::{RecordError, read_record},
        time::{Span, Timestamp},
    },
    customer::{
        backend_url::AllowHttp,
        record::{CustomerConfig, CustomerRecord},
    },
    decide::decision::{Deferred, Lesson, Need, Said, Write},
    directory::log::{Epoch, Revision},
    identity::customer_id::CustomerId,
    state::{
        cache::{Lease, Loaded, Stored},
        config::{Customers, Gateway},
        directory::Answer,
        memory::Memory,
    },
};

use crate::{
    cold::boxed_cold,
    config_api::{ApiAnswer, ApiRecord, ConfigApi},
    hosts,
    load_for::LoadFor,
    ports::{Ports, SourceError},
    refresh_state::RefreshState,
    store::Store,
};

/// Loads customers.
pub(crate) struct CustomerLoader<'a, P> {
    customers: Option<&'a Customers>,
    allow_http: AllowHttp,
    memory: &'a RefCell<Memory>,
    ports: &'a P,
    store: Store<'a, P>,
    config_api: Option<ConfigApi<'a, P>>,
    refresh_state: RefreshState<'a, P>,
}

/// A customer that was loaded.
struct LoadedCustomer {
    /// What to keep in memory.
    loaded: Loaded<CustomerConfig>,
    /// Whether it is old enough to be refreshed behind the response.
    refresh: bool,
    /// What to write to the store.
    write: Option<Write>,
    /// Whether an operator says so, in a record of their own.
    own: bool,
}

/// Why a customer could not be loaded.
pub(crate) struct Failure {
    /// What the log says.
    what: String,
    /// Whether it was the config API, which is left alone for a while then. The store is not: it is
    /// made to be asked.
    source: bool,
}

impl Failure {
    pub(crate) fn store(SourceError(what): SourceError) -> Self {
        Self { what, source: false }
    }

    pub(crate) fn source(what: String) -> Self {
        Self { what, source: true }
    }
}

/// What the config API said of a customer, as the store holds it.
struct StoredRecord {
    record: CustomerRecord,
    config: Rc<CustomerConfig>,
    /// Whether it stands under the operator's name: versions that had one name for both left it there.
    left_over: bool,
}

/// What the store says of a customer.
enum Held {
    /// An operator's own record, good or not. Nothing else counts.
    Own(Stored<CustomerConfig>),
    /// What the config API said when it was last asked.
    Refreshed(Box<StoredRecord>),
    Nothing,
}

impl LoadedCustomer {
    fn new(stored: Stored<CustomerConfig>, asked_at: Timestamp, as_of: Timestamp) -> Self {
        let weight = match &stored {
            Stored::Present(config) => config.weight(),
            Stored::Absent | Stored::Malformed => 0,
        };
        Self { loaded: Loaded { stored, weight, asked_at, as_of }, refresh: false, write: None, own: false }
    }
}

impl<'a, P: Ports> CustomerLoader<'a, P> {
    pub(crate) fn new(gateway: &'a Gateway, memory: &'a RefCell<Memory>, ports: &'a P) -> Self {
        Self {
            customers: gateway.customers(),
            allow_http: gateway.allow_http(),
            memory,
            ports,
            store: Store::new(gateway, memory, ports),
            config_api: ConfigApi::of(gateway, memory, ports),
            refresh_state: RefreshState::new(gateway, memory, ports),
        }
    }

    /// Loads the record of a customer; `None` where the sources failed.
    pub(crate) async fn load(
        &self,
        id: &CustomerId,
        load_for: LoadFor,
        deferred: &mut Deferred,
    ) -> Option<Stored<CustomerConfig>> {
        let (key, asked_at) = (id.cache_key(), self.ports.now());
        match self.find(id, load_for).await {
            Ok(customer) => {
                let mut memory = self.memory.borrow_mut();
                // A bad document evicts no good one, but the operator's decides also where it cannot be read: else
                // whoever was to be kept out by it would be served for as long as the config API's may be stale.
                if customer.own && memory.customers.peek(&key).is_some_and(|held| held.is_refreshed()) {
                    memory.customers.forget(&key, customer.loaded.asked_at);
                }
                let stored = memory.customers.store(key, customer.loaded);
                deferred.writes.extend(customer.write);
                let leads = customer.refresh
                    && memory.customers.acquire_lease(&key, self.ports.now()) == Lease::Acquired;
                deferred.refresh(leads, self.ports.now(), || Need::Customer(id.clone()));
                Some(stored)
            }
            Err(failure) => {
                self.ports.warn("customer_source_failed", &failure.what);
                let now = self.ports.now();
                let mut memory = self.memory.borrow_mut();
                if failure.source {
                    memory.config_api_health.note(now, Err(&failure.what));
                }
                memory.customers.fail(&key, asked_at, now, failure.source);
                None
            }
        }
    }

    /// Finds a customer. A request that waits is content with a record of the store that may still be
    /// used; a refresh goes on to the config API.
    async fn find(&self, id: &CustomerId, load_for: LoadFor) -> Result<LoadedCustomer, Failure> {
        let asked_at = self.ports.now();
        if let Some(host) = id.as_host() {
            let (name, config_api) = (id.store_key(), self.config_api.as_ref());
            let found = boxed_cold(hosts::find(host, &name, &self.store, config_api, self.ports)).await?;
            return Ok(LoadedCustomer::new(found, asked_at, asked_at));
        }
        let (Some(customers), Some(config_api)) = (self.customers, &self.config_api) else {
            // Each name that is read is paid for, and without a source nobody writes the other one.
            let own = self.store.read(&id.store_key()).await.map_err(Failure::store)?;
            let own = own.filter(|_| !self.is_removed(id));
            let (stored, own) = match self.held(id, own, None) {
                Held::Own(stored) => (stored, true),
                Held::Refreshed(kept) => (Stored::Present(kept.config), false),
                Held::Nothing => (Stored::Absent, false),
            };
            return Ok(LoadedCustomer { own, ..LoadedCustomer::new(stored, asked_at, asked_at) });
        };
        let names = [id.store_key(), id.refreshed_key()];
        let mut entries = self.store.read_many(&names).await.map_err(Failure::store)?.into_iter();
        let (own, refreshed) = (entries.next().flatten(), entries.next().flatten());
        let own = own.filter(|_| !self.is_removed(id));
        let kept = match self.held(id, own, refreshed) {
            Held::Own(stored) => {
                return Ok(LoadedCustomer { own: true, ..LoadedCustomer::new(stored, asked_at, asked_at) });
            }
            Held::Refreshed(kept) => Some(*kept),
            Held::Nothing => None,
        };
        if let Some(found) = self.without_asking(kept.as_ref(), customers, load_for, asked_at).await {
            return Ok(found);
        }
        let held =
            kept.as_ref().filter(|kept| !kept.record.gone).and_then(|kept| kept.record.etag.as_deref());
        // Before the config API is asked: what the log says later was asked for later.
        let heard = self.heard(config_api);
        let answer = boxed_cold(config_api.customer(id, held, asked_at)).await.map_err(Failure::source)?;
        let lesson = heard.and_then(|heard| self.lesson(id, kept.as_ref(), &answer.record, heard));
        let mut found = self.merge(id, kept, answer, asked_at);
        if lesson.is_some() {
            let record = found.write.take().map(|write| write.record).unwrap_or_default();
            found.write = Some(Write { key: id.refreshed_key(), record, asked_at, lesson });
        }
        Ok(found)
    }

    /// What this isolate has heard of the log, where the ledger wants to know what the config API says of one customer.
    fn heard(&self, config_api: &ConfigApi<'_, P>) -> Option<(Epoch, Revision)> {
        let memory = self.memory.borrow();
        let follower = &memory.directory.as_ref().filter(|_| config_api.is_by_id())?.follower;
        follower.known_at()?;
        Some((follower.epoch(), follower.revision()))
    }

    /// What the ledger is told, if anything. Of a customer whom the directory does not have it is told nothing but a record.
    #[inline(never)]
    fn lesson(
        &self,
        id: &CustomerId,
        kept: Option<&StoredRecord>,
        says: &ApiRecord,
        (epoch, revision): (Epoch, Revision),
    ) -> Option<Lesson> {
        let record = match (says, kept) {
            (ApiRecord::Record(record), _) => Some(&**record),
            (ApiRecord::Unchanged, Some(kept)) => Some(&kept.record),
            _ => None,
        };
        let usable = record.filter(|record| CustomerConfig::of(record, id, self.allow_http).is_ok());
        let says = match (usable, says) {
            (Some(record), _) => Said::Record(serde_json::to_string(&record.content()).unwrap_or_default()),
            (None, _) if !self.is_in_directory(id) => return None,
            (None, ApiRecord::Absent) => Said::Gone,
            (None, _) => Said::Broken,
        };
        Some(Lesson { id: id.clone(), says, epoch, revision })
    }

    fn is_in_directory(&self, id: &CustomerId) -> bool {
        let (mut memory, now) = (self.memory.borrow_mut(), self.ports.now());
        let answer = memory.directory.as_mut().map(|directory| directory.customer(id, true, now));
        matches!(answer, Some(Answer::Known(stored) | Answer::Last(stored)) if stored != Stored::Absent)
    }

    /// Whether the log says that the operator's record was removed: the store may show it for a while yet.
    fn is_removed(&self, id: &CustomerId) -> bool {
        let memory = self.memory.borrow();
        memory.directory.as_ref().is_some_and(|directory| directory.has_removed(id, self.ports.now()))
    }

    /// Which of a customer's two entries counts.
    fn held(&self, id: &CustomerId, own: Option<Vec<u8>>, refreshed: Option<Vec<u8>>) -> Held {
        let read = |json: &[u8], left_over| {
            let record = read_record::<CustomerRecord>(json)?;
            let config = Rc::new(CustomerConfig::of(&record, id, self.allow_http)?);
            Ok(StoredRecord { record, config, left_over })
        };
        let warn = |name: String, error: &RecordError| {
            self.ports.warn("customer_record_malformed", &format!("{name} {error}"));
        };
        let left_over = match own.map(|json| read(&json, true)) {
            Some(Err(error)) => {
                warn(id.store_key(), &error);
                return Held::Own(Stored::Malformed);
            }
            Some(Ok(kept)) if !kept.record.is_refreshed() => {
                return Held::Own(Stored::Present(kept.config));
            }
            Some(Ok(kept)) => Held::Refreshed(Box::new(kept)),
            None => Held::Nothing,
        };
        match refreshed.map(|json| read(&json, false)) {
            Some(Ok(kept)) if kept.record.is_refreshed() => Held::Refreshed(Box::new(kept)),
            // The entry is the gateway's own, so it is nobody's to mend: the config API is asked again.
            Some(Ok(_)) => Held::Nothing,
            Some(Err(error)) => {
                warn(id.refreshed_key(), &error);
                Held::Nothing
            }
            None => left_over,
        }
    }

    /// What the store alone can say, or `None` where the config API must be asked.
    async fn without_asking(
        &self,
        kept: Option<&StoredRecord>,
        customers: &Customers,
        load_for: LoadFor,
        asked_at: Timestamp,
    ) -> Option<LoadedCustomer> {
        let present = |kept: &StoredRecord, as_of| {
            LoadedCustomer::new(Stored::Present(Rc::clone(&kept.config)), asked_at, as_of)
        };
        let lifetimes = &customers.policy.lifetimes;
        let state_of = |as_of: Timestamp| lifetimes.state(asked_at.since(as_of));
        // Who is not in the store may still be listed: their entry may be one that cannot be used, or their
        // record have been removed a moment ago. Only the source knows.
        let kept = kept?;
        let mut as_of = kept.record.fetched_at(asked_at)?;
        if state_of(as_of) != Freshness::Fresh
            && kept.record.scheduled
            && let Some(confirmed) = boxed_cold(self.refresh_state.confirmed_at(asked_at)).await
        {
            as_of = as_of.max(confirmed);
        }
        match (state_of(as_of), load_for) {
            (Freshness::Fresh, _) => Some(present(kept, as_of)),
            (Freshness::Revalidate, LoadFor::Request) => {
                Some(LoadedCustomer { refresh: true, ..present(kept, as_of) })
            }
            _ => None,
        }
    }

    /// Brings together what the store holds and what the config API says.
    #[inline(never)]
    fn merge(
        &self,
        id: &CustomerId,
        kept: Option<StoredRecord>,
        answer: ApiAnswer,
        asked_at: Timestamp,
    ) -> LoadedCustomer {
        let ApiAnswer { record: says, etag, as_of } = answer;
        let refreshed = |record: CustomerRecord, kept: Option<&StoredRecord>, changed: bool| {
            let before = kept.map(|kept| &kept.record);
            CustomerRecord {
                scheduled: !changed && before.is_some_and(|before| before.scheduled),
                fetched_at: Some(as_of.to_string()),
                generation: Some(
                    before.and_then(|before| before.generation).unwrap_or_default().saturating_add(1),
                ),
                etag: etag.clone(),
                ..record
            }
        };
        let record = match (says, &kept) {
            (ApiRecord::Malformed(error), _) => {
                self.ports.warn("customer_record_malformed", &format!("config API, {id} {error}"));
                return LoadedCustomer::new(Stored::Malformed, asked_at, as_of);
            }
            (ApiRecord::Absent, None) | (ApiRecord::Unchanged, None) => {
                return LoadedCustomer::new(Stored::Absent, asked_at, as_of);
            }
            (ApiRecord::Absent, Some(kept)) => {
                CustomerRecord { gone: true, disabled: true, ..kept.record.clone() }
            }
            (ApiRecord::Unchanged, Some(kept)) => kept.record.clone(),
            (ApiRecord::Record(record), _) => *record,
        };
        let changed = kept
            .as_ref()
            .is_none_or(|kept| kept.record.gone != record.gone || kept.record.content() != record.content());
        let record = refreshed(record, kept.as_ref(), changed);
        let config = match CustomerConfig::of(&record, id, self.allow_http) {
            Ok(config) => config,
            Err(error) => {
                self.ports.warn("customer_record_malformed", &format!("config API, {id} {error}"));
                return LoadedCustomer::new(Stored::Malformed, asked_at, as_of);
            }
        };
        let found = LoadedCustomer::new(Stored::Present(Rc::new(config)), asked_at, as_of);
        let moves = kept.as_ref().is_some_and(|kept| kept.left_over);
        if !changed && !moves && !self.due_for_rewrite(kept.as_ref(), as_of) {
            return found;
        }
        let json = serde_json::to_string(&record).unwrap_or_default();
        LoadedCustomer {
            write: Some(Write { key: id.refreshed_key(), record: json, asked_at: as_of, lesson: None }),
            ..found
        }
    }

    /// Whether a record that has not changed is written again all the same: before it grows so old that
    /// isolates that have nothing else could not use it any more.
    fn due_for_rewrite(&self, kept: Option<&StoredRecord>, now: Timestamp) -> bool {
        let stale = self.customers.map_or_else(Span::default, |all| all.policy.lifetimes.stale);
        let fetched_at = kept.and_then(|kept| kept.record.fetched_at(now));
        fetched_at.is_some_and(|at| now.since(at) > stale.half())
    }
}
