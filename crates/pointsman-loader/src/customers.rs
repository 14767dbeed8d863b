//! Loads a customer's record: from the store, and from the provider's config API where the store holds
//! none or one that the API is to confirm.
//!
//! An operator's own record and what the API says have a name each in the store ([`CustomerId::store_key`],
//! [`CustomerId::refreshed_key`]). The operator's decides wherever there is one, and nothing here writes
//! under its name. "Not listed" is what the API says and nothing else: neither a record that is missing nor
//! an entry that cannot be read may send a customer to a shared backend. What the API answers is written to
//! the store behind the response, so that every isolate profits from one load.

use std::rc::Rc;

use pointsman_core::{
    base::{
        freshness::Freshness,
        record::{RecordError, entry_of, read_record},
        time::{Span, Timestamp},
    },
    customer::{
        record::{CustomerConfig, CustomerRecord, provider_record},
        roster::{Listed, Roster, RosterState, shrank_too_far},
    },
    decide::decision::Write,
    identity::customer_id::CustomerId,
    state::{
        cache::{Claim, Loaded, Lookup, Stored},
        config::{ConfigSource, Customers},
    },
};
use serde_json::Value;

use crate::{
    load::{Context, Urgency, apart},
    ports::{Document, DocumentRequest, Landing, Ports, SourceError},
};

/// The name under which requests wait for the list of the config API.
const ROSTER_FLIGHT: &str = "roster";
/// How long what the store says of the last refresh is believed: as long as a KV location may keep it.
const STATE_FRESH: Span = Span::from_secs(30);
/// A list this short may well have become empty.
const SHORT_LIST: usize = 10;

/// A customer that was loaded.
pub(crate) struct Found {
    /// What to keep in memory.
    pub(crate) loaded: Loaded<CustomerConfig>,
    /// Whether it is old enough to be refreshed behind the response.
    pub(crate) refresh: bool,
    /// What to write to the store.
    pub(crate) write: Option<Write>,
    /// Whether an operator says so, in a record of their own.
    pub(crate) own: bool,
}

/// Why a customer could not be loaded.
pub(crate) struct Failure {
    /// What the log says.
    pub(crate) what: String,
    /// Whether it was the config API, which is left alone for a while then. The store is not: it is
    /// made to be asked.
    pub(crate) source: bool,
}

impl Failure {
    fn store(SourceError(what): SourceError) -> Self {
        Self { what, source: false }
    }

    fn source(what: String) -> Self {
        Self { what, source: true }
    }
}

/// What the config API said of a customer, as the store holds it.
struct Kept {
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
    Refreshed(Kept),
    Nothing,
}

/// What the config API says of a customer, and when it was asked.
struct Told {
    says: Says,
    etag: Option<String>,
    as_of: Timestamp,
}

enum Says {
    Record(CustomerRecord),
    Malformed(RecordError),
    Absent,
    /// The same as before.
    Unchanged,
}

impl Found {
    fn new(stored: Stored<CustomerConfig>, asked_at: Timestamp, as_of: Timestamp) -> Self {
        let weight = match &stored {
            Stored::Present(config) => config.weight(),
            Stored::Absent | Stored::Malformed => 0,
        };
        Self { loaded: Loaded { stored, weight, asked_at, as_of }, refresh: false, write: None, own: false }
    }
}

impl<P: Ports> Context<'_, P> {
    /// Finds a customer. A request that waits is content with a record of the store that may still be
    /// used; a refresh goes on to the config API.
    pub(crate) async fn find_customer(&self, id: &CustomerId, urgency: Urgency) -> Result<Found, Failure> {
        let asked_at = self.ports.now();
        let customers = self.gateway.customers();
        let Some((customers, source)) = customers.and_then(|all| Some((all, all.source.as_ref()?))) else {
            // Each name that is read is paid for, and without a source nobody writes the other one.
            let own = self.read_store(&id.store_key()).await.map_err(Failure::store)?;
            let (stored, own) = match self.held(id, own, None) {
                Held::Own(stored) => (stored, true),
                Held::Refreshed(kept) => (Stored::Present(kept.config), false),
                Held::Nothing => (Stored::Absent, false),
            };
            return Ok(Found { own, ..Found::new(stored, asked_at, asked_at) });
        };
        let names = [id.store_key(), id.refreshed_key()];
        let mut entries = self.read_store_many(&names).await.map_err(Failure::store)?.into_iter();
        let (own, refreshed) = (entries.next().flatten(), entries.next().flatten());
        let kept = match self.held(id, own, refreshed) {
            Held::Own(stored) => return Ok(Found { own: true, ..Found::new(stored, asked_at, asked_at) }),
            Held::Refreshed(kept) => Some(kept),
            Held::Nothing => None,
        };
        if let Some(found) = self.without_asking(kept.as_ref(), customers, urgency, asked_at).await {
            return Ok(found);
        }
        let told = apart(self.ask(source, id, kept.as_ref(), asked_at)).await?;
        Ok(self.settle(id, kept, told, asked_at))
    }

    /// Which of a customer's two entries counts.
    fn held(&self, id: &CustomerId, own: Option<Vec<u8>>, refreshed: Option<Vec<u8>>) -> Held {
        let read = |json: &[u8], left_over| {
            let record = read_record::<CustomerRecord>(json)?;
            let config = Rc::new(CustomerConfig::of(&record, id, self.gateway.allow_http())?);
            Ok(Kept { record, config, left_over })
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
            Some(Ok(kept)) => Held::Refreshed(kept),
            None => Held::Nothing,
        };
        match refreshed.map(|json| read(&json, false)) {
            Some(Ok(kept)) if kept.record.is_refreshed() => Held::Refreshed(kept),
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
        kept: Option<&Kept>,
        customers: &Customers,
        urgency: Urgency,
        asked_at: Timestamp,
    ) -> Option<Found> {
        let present =
            |kept: &Kept, as_of| Found::new(Stored::Present(Rc::clone(&kept.config)), asked_at, as_of);
        let lifetimes = &customers.policy.lifetimes;
        let state_of = |as_of: Timestamp| lifetimes.state(asked_at.since(as_of));
        // Who is not in the store may still be listed: their entry may be one that cannot be used, or their
        // record have been removed a moment ago. Only the source knows.
        let kept = kept?;
        let mut as_of = kept.record.fetched_at(asked_at)?;
        if state_of(as_of) != Freshness::Fresh
            && kept.record.scheduled
            && let Some(confirmed) = apart(self.confirmed_at(asked_at)).await
        {
            as_of = as_of.max(confirmed);
        }
        match (state_of(as_of), urgency) {
            (Freshness::Fresh, _) => Some(present(kept, as_of)),
            (Freshness::Revalidate, Urgency::Waited) => Some(Found { refresh: true, ..present(kept, as_of) }),
            _ => None,
        }
    }

    /// When the scheduled refresh last found that all records agree with the list.
    async fn confirmed_at(&self, now: Timestamp) -> Option<Timestamp> {
        let known = self.memory.borrow().roster_state.clone();
        if let Some((read_at, state)) = known
            && now.since(read_at) < STATE_FRESH
        {
            return state.confirmed_at(now);
        }
        let state = self.read_roster_state().await.unwrap_or_default();
        let confirmed_at = state.confirmed_at(now);
        self.memory.borrow_mut().roster_state = Some((now, state));
        confirmed_at
    }

    /// What the store says of the last scheduled refresh; nothing where there was none.
    pub(crate) async fn read_roster_state(&self) -> Result<RosterState, SourceError> {
        let json = self.read_store(RosterState::STORE_KEY).await;
        if let Err(SourceError(what)) = &json {
            self.ports.warn("roster_state_failed", what);
        }
        let Some(json) = json? else { return Ok(RosterState::default()) };
        Ok(read_record(&json).unwrap_or_else(|error| {
            self.ports.warn("roster_state_malformed", &format!("{} {error}", RosterState::STORE_KEY));
            RosterState::default()
        }))
    }

    async fn ask(
        &self,
        source: &ConfigSource,
        id: &CustomerId,
        kept: Option<&Kept>,
        asked_at: Timestamp,
    ) -> Result<Told, Failure> {
        if source.by_id {
            return self.ask_by_id(source, id, kept, asked_at).await.map_err(Failure::source);
        }
        let (roster, as_of) = self.roster(source).await.map_err(Failure::source)?;
        let says = match roster.find(id) {
            Listed::Record(record) => Says::Record(record),
            Listed::Malformed(error) => Says::Malformed(error),
            Listed::Absent => Says::Absent,
            // "Not listed" would send the customer away, or to a shared backend.
            Listed::Unsure => {
                let what = "the config API's answer has entries without a customerId".to_owned();
                return Err(Failure::source(what));
            }
        };
        Ok(Told { says, etag: None, as_of })
    }

    async fn ask_by_id(
        &self,
        source: &ConfigSource,
        id: &CustomerId,
        kept: Option<&Kept>,
        asked_at: Timestamp,
    ) -> Result<Told, String> {
        let told = |says, etag| Told { says, etag, as_of: asked_at };
        let Some(segment) = path_segment(id.as_str()) else { return Ok(told(Says::Absent, None)) };
        let held = kept.filter(|kept| !kept.record.gone).and_then(|kept| kept.record.etag.as_deref());
        let url = format!("{}/{segment}", source.url);
        let Document { status, body, etag, .. } = self.get(source, &url, held).await?;
        match status {
            200..=299 => {}
            304 if held.is_some() => return Ok(told(Says::Unchanged, held.map(str::to_owned))),
            404 | 410 => return Ok(told(Says::Absent, None)),
            _ => return Err(format!("the config API answered {status}")),
        }
        let rubbish = |what: &str| format!("the config API's answer {what}");
        let members = entry_of(&body).map_err(|error| rubbish(&format!("is unusable: {}", error.what)))?;
        if members.get("customerId").and_then(Value::as_str) != Some(id.as_str()) {
            return Err(rubbish("is not the customer that was asked for"));
        }
        let says = provider_record(Value::Object(members)).map_or_else(Says::Malformed, Says::Record);
        Ok(told(says, etag))
    }

    pub(crate) async fn get(
        &self,
        source: &ConfigSource,
        url: &str,
        etag: Option<&str>,
    ) -> Result<Document, String> {
        let request = DocumentRequest {
            url,
            token: source.token.as_deref(),
            etag,
            user_agent: self.gateway.user_agent(),
            timeout: source.timeout,
            max_bytes: source.max_size,
        };
        let document = self.ports.document(request).await.map_err(|SourceError(what)| what)?;
        if !matches!(document.status, 200..=299 | 304 | 404 | 410) {
            return Err(format!("the config API answered {}", document.outcome()));
        }
        self.memory.borrow_mut().config_api_health.note(self.ports.now(), Ok(()));
        Ok(document)
    }

    /// The whole list, at most `fresh` old. However many customers are asked for at once, it is loaded
    /// once.
    async fn roster(&self, source: &ConfigSource) -> Result<(Rc<Roster>, Timestamp), String> {
        // One wait for somebody else's load, one for whoever takes it over, one load of our own.
        for _ in 0..3 {
            let now = self.ports.now();
            let lookup = self.memory.borrow().roster.lookup(now, false);
            match lookup {
                Lookup::Hit { stored: Stored::Present(roster), .. } => {
                    let as_of = self.memory.borrow().roster.as_of(now).unwrap_or(now);
                    return Ok((roster, as_of));
                }
                Lookup::Load(Claim::Lead) => {
                    let loaded = self.load_roster(source, now).await;
                    if loaded.is_err() {
                        self.memory.borrow_mut().roster.fail(now, self.ports.now());
                    }
                    self.ports.land(ROSTER_FLIGHT, loaded.is_ok());
                    return loaded.map(|roster| (roster, now));
                }
                Lookup::Load(Claim::Join(until)) => {
                    if self.ports.landed(ROSTER_FLIGHT, until.since(now)).await == Landing::Failed {
                        return Err("the config API failed for the request before this one".to_owned());
                    }
                }
                Lookup::Hit { .. } | Lookup::Unavailable => break,
            }
        }
        Err("the config API failed a moment ago and is left alone".to_owned())
    }

    async fn load_roster(&self, source: &ConfigSource, asked_at: Timestamp) -> Result<Rc<Roster>, String> {
        let before = self.memory.borrow().roster.peek();
        let held = before.as_ref().and_then(|roster| roster.etag());
        let Document { status, body, etag, .. } = self.get(source, &source.url, held).await?;
        let roster = match (status, &before) {
            (200..=299, _) => {
                Rc::new(Roster::parse(body, etag).map_err(|what| format!("the config API's answer {what}"))?)
            }
            (304, Some(before)) => Rc::clone(before),
            _ => return Err(format!("the config API answered {status}")),
        };
        self.check_size(source, before.as_deref(), &roster)?;
        if !roster.nameless().is_empty() {
            let pointers: Vec<_> = roster.nameless().iter().take(5).map(|at| format!("/{at}")).collect();
            let what = format!(
                "{} entries of the config API's list have no customerId that can be read: {} …",
                roster.nameless().len(),
                pointers.join(", ")
            );
            self.ports.warn("customer_record_malformed", &what);
        }
        let stored = Stored::Present(Rc::clone(&roster));
        let loaded = Loaded { stored, weight: roster.weight(), asked_at, as_of: asked_at };
        match self.memory.borrow_mut().roster.store(loaded) {
            Stored::Present(counts) => Ok(counts),
            Stored::Absent | Stored::Malformed => Ok(roster),
        }
    }

    /// A list that lost too many customers is not believed, where it is known how many there were.
    #[inline(never)]
    fn check_size(&self, source: &ConfigSource, before: Option<&Roster>, now: &Roster) -> Result<(), String> {
        let refreshed = self.memory.borrow().roster_state.as_ref().map_or(0, |(_, state)| state.count);
        let held = before.map_or(0, Roster::len);
        let count = match (refreshed, held) {
            (0, held) if held < SHORT_LIST => return Ok(()),
            (0, held) => held,
            (refreshed, _) => refreshed,
        };
        if !shrank_too_far(count, count.saturating_sub(now.len()), source.max_removed) {
            return Ok(());
        }
        Err(shrunk(count, now.len(), source.max_removed))
    }

    /// Brings together what the store holds and what the config API says.
    #[inline(never)]
    fn settle(&self, id: &CustomerId, kept: Option<Kept>, told: Told, asked_at: Timestamp) -> Found {
        let Told { says, etag, as_of } = told;
        let refreshed = |record: CustomerRecord, kept: Option<&Kept>, changed: bool| {
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
            (Says::Malformed(error), _) => {
                self.ports.warn("customer_record_malformed", &format!("config API, {id} {error}"));
                return Found::new(Stored::Malformed, asked_at, as_of);
            }
            (Says::Absent, None) | (Says::Unchanged, None) => {
                return Found::new(Stored::Absent, asked_at, as_of);
            }
            (Says::Absent, Some(kept)) => {
                CustomerRecord { gone: true, disabled: true, ..kept.record.clone() }
            }
            (Says::Unchanged, Some(kept)) => kept.record.clone(),
            (Says::Record(record), _) => record,
        };
        let changed = kept
            .as_ref()
            .is_none_or(|kept| kept.record.gone != record.gone || kept.record.content() != record.content());
        let record = refreshed(record, kept.as_ref(), changed);
        let config = match CustomerConfig::of(&record, id, self.gateway.allow_http()) {
            Ok(config) => config,
            Err(error) => {
                self.ports.warn("customer_record_malformed", &format!("config API, {id} {error}"));
                return Found::new(Stored::Malformed, asked_at, as_of);
            }
        };
        let found = Found::new(Stored::Present(Rc::new(config)), asked_at, as_of);
        let moves = kept.as_ref().is_some_and(|kept| kept.left_over);
        if !changed && !moves && !self.is_worn(kept.as_ref(), as_of) {
            return found;
        }
        let json = serde_json::to_string(&record).unwrap_or_default();
        Found { write: Some(Write { key: id.refreshed_key(), record: json, asked_at: as_of }), ..found }
    }

    /// Whether a record that has not changed is written again all the same: before it grows so old that
    /// isolates that have nothing else could not use it any more.
    fn is_worn(&self, kept: Option<&Kept>, now: Timestamp) -> bool {
        let stale = self.gateway.customers().map_or_else(Span::default, |all| all.policy.lifetimes.stale);
        let fetched_at = kept.and_then(|kept| kept.record.fetched_at(now));
        fetched_at.is_some_and(|at| now.since(at) > stale.half())
    }
}

/// What the log says of a list that is not believed.
#[cold]
#[inline(never)]
pub(crate) fn shrunk(before: usize, now: usize, max_removed: u8) -> String {
    format!(
        "the config API lists {now} customers and listed {before} before; more than {max_removed} % at once are not \
         taken away. If that is right, raise max_removed in [customers] source"
    )
}

/// An id as one path segment; `None` for `.` and `..`, which no encoding keeps a URL parser from
/// resolving.
#[inline(never)]
fn path_segment(id: &str) -> Option<String> {
    if matches!(id, "." | "..") {
        return None;
    }
    let mut segment = String::with_capacity(id.len());
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            segment.push(char::from(byte));
        } else {
            segment.push_str(&format!("%{byte:02X}"));
        }
    }
    Some(segment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_stays_one_segment() {
        assert_eq!(path_segment("acme-corp").unwrap(), "acme-corp");
        assert_eq!(path_segment("a/b?c#d é").unwrap(), "a%2Fb%3Fc%23d%20%C3%A9");
        assert_eq!(path_segment("..").is_none(), path_segment(".").is_none());
    }
}
