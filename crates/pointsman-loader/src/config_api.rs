//! The provider's config API: what it says of one customer, and its whole list, which is loaded once for all who need it.

use std::{cell::RefCell, rc::Rc};

use pointsman_core::{
    base::{
        identifier::identifier,
        record::{RecordError, entry_of},
        time::Timestamp,
    },
    customer::{
        host_name::customer_in,
        record::{CustomerRecord, provider_record},
        roster::{Listed, Roster, shrank_too_far},
    },
    identity::customer_id::CustomerId,
    state::{
        cache::{Lease, Loaded, Lookup, Stored},
        config::{ConfigSource, Gateway},
        memory::Memory,
    },
};
use serde_json::Value;

use crate::{
    cold::boxed_cold,
    ports::{DocumentRequest, FetchedDocument, LoadResult, Ports, SourceError},
    refresh_state::RefreshState,
};

/// The name under which requests wait for the list of the config API.
const ROSTER_FLIGHT: &str = "roster";
/// What the log says where somebody may be on the list whom nobody can find.
const NAMELESS: &str = "the config API's answer has entries without a customerId";
/// A list this short may well have become empty.
const SHORT_LIST: usize = 10;

/// What the config API says of a customer, and when it was asked.
pub(crate) struct ApiAnswer {
    pub(crate) record: ApiRecord,
    pub(crate) etag: Option<String>,
    pub(crate) as_of: Timestamp,
}

/// What the config API says of a customer.
pub(crate) enum ApiRecord {
    Record(Box<CustomerRecord>),
    Malformed(RecordError),
    Absent,
    /// The same as before.
    Unchanged,
}

/// The client of the config API.
pub(crate) struct ConfigApi<'a, P> {
    source: &'a ConfigSource,
    user_agent: &'a str,
    memory: &'a RefCell<Memory>,
    ports: &'a P,
    state: RefreshState<'a, P>,
}

impl<'a, P: Ports> ConfigApi<'a, P> {
    /// The client, where the configuration names a config API.
    pub(crate) fn of(gateway: &'a Gateway, memory: &'a RefCell<Memory>, ports: &'a P) -> Option<Self> {
        let source = gateway.customers()?.source.as_ref()?;
        let state = RefreshState::new(gateway, memory, ports);
        Some(Self { source, user_agent: gateway.user_agent(), memory, ports, state })
    }

    /// How many customers in a hundred may be missing from a list at once.
    pub(crate) const fn max_removed(&self) -> u8 {
        self.source.max_removed
    }

    /// Whether isolates ask it for one customer at a time.
    pub(crate) const fn is_by_id(&self) -> bool {
        self.source.by_id
    }

    /// Asks for a customer: by its id, or for the whole list. `held` is the entity tag of what the store has of it.
    pub(crate) async fn customer(
        &self,
        id: &CustomerId,
        held: Option<&str>,
        asked_at: Timestamp,
    ) -> Result<ApiAnswer, String> {
        if self.source.by_id {
            return self.customer_by_id(id, held, asked_at).await;
        }
        let (roster, as_of) = self.roster().await?;
        let record = match roster.find(id) {
            Listed::Record(record) => ApiRecord::Record(record),
            Listed::Malformed(error) => ApiRecord::Malformed(error),
            Listed::Absent => ApiRecord::Absent,
            // "Not listed" would send the customer away, or to a shared backend.
            Listed::Unsure => {
                return Err(NAMELESS.to_owned());
            }
        };
        Ok(ApiAnswer { record, etag: None, as_of })
    }

    async fn customer_by_id(
        &self,
        id: &CustomerId,
        held: Option<&str>,
        asked_at: Timestamp,
    ) -> Result<ApiAnswer, String> {
        let answer = |record, etag| ApiAnswer { record, etag, as_of: asked_at };
        let Some(segment) = path_segment(id.as_str()) else { return Ok(answer(ApiRecord::Absent, None)) };
        let url = format!("{}/{segment}", self.source.url);
        let FetchedDocument { status, body, etag, .. } = self.get(&url, held).await?;
        match status {
            200..=299 => {}
            304 if held.is_some() => return Ok(answer(ApiRecord::Unchanged, held.map(str::to_owned))),
            404 | 410 => return Ok(answer(ApiRecord::Absent, None)),
            _ => return Err(format!("the config API answered {status}")),
        }
        let rubbish = |what: &str| format!("the config API's answer {what}");
        let members = entry_of(&body).map_err(|error| rubbish(&format!("is unusable: {}", error.what)))?;
        if members.get("customerId").and_then(identifier).as_deref() != Some(id.as_str()) {
            return Err(rubbish("is not the customer that was asked for"));
        }
        let record = provider_record(Value::Object(members))
            .map_or_else(ApiRecord::Malformed, |record| ApiRecord::Record(Box::new(record)));
        Ok(answer(record, etag))
    }

    /// Asks whose a host is: by its name, or for the whole list.
    pub(crate) async fn customer_of_host(&self, host: &str) -> Result<Option<CustomerId>, String> {
        if !self.source.by_id {
            let (roster, _) = self.roster().await?;
            return match roster.find_host(host) {
                Some(id) => Ok(Some(id)),
                None if roster.nameless().is_empty() => Ok(None),
                None => Err(NAMELESS.to_owned()),
            };
        }
        let url = format!("{}?host={host}", self.source.url);
        let FetchedDocument { status, body, .. } = self.get(&url, None).await?;
        match status {
            200..=299 => customer_in(&body)
                .map(Some)
                .ok_or_else(|| "the config API's answer is no customer".to_owned()),
            404 | 410 => Ok(None),
            _ => Err(format!("the config API answered {status}")),
        }
    }

    /// Gets the whole list as the config API has it. `held` is the entity tag of what is known of it.
    pub(crate) async fn list(&self, held: Option<&str>) -> Result<FetchedDocument, String> {
        self.get(&self.source.url, held).await
    }

    async fn get(&self, url: &str, etag: Option<&str>) -> Result<FetchedDocument, String> {
        let authorization = self.source.token.as_ref().map(|token| format!("Bearer {token}"));
        let request = DocumentRequest {
            url,
            authorization: authorization.as_deref(),
            service: None,
            body: None,
            etag,
            user_agent: self.user_agent,
            timeout: self.source.timeout,
            max_bytes: self.source.max_size,
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
    async fn roster(&self) -> Result<(Rc<Roster>, Timestamp), String> {
        // One wait for somebody else's load, one for whoever takes it over, one load of our own.
        for _ in 0..3 {
            let now = self.ports.now();
            let lookup = self.memory.borrow().roster.lookup(now, false);
            match lookup {
                Lookup::Hit { stored: Stored::Present(roster), .. } => {
                    let as_of = self.memory.borrow().roster.as_of(now).unwrap_or(now);
                    return Ok((roster, as_of));
                }
                Lookup::Load(Lease::Acquired) => {
                    let loaded = self.load_roster(now).await;
                    if loaded.is_err() {
                        self.memory.borrow_mut().roster.fail(now, self.ports.now());
                    }
                    self.ports.complete_load(ROSTER_FLIGHT, loaded.is_ok());
                    return loaded.map(|roster| (roster, now));
                }
                Lookup::Load(Lease::HeldUntil(until)) => {
                    if self.ports.wait_for_load(ROSTER_FLIGHT, until.since(now)).await == LoadResult::Failed {
                        return Err("the config API failed for the request before this one".to_owned());
                    }
                }
                Lookup::Hit { .. } | Lookup::Unavailable => break,
            }
        }
        Err("the config API failed a moment ago and is left alone".to_owned())
    }

    async fn load_roster(&self, asked_at: Timestamp) -> Result<Rc<Roster>, String> {
        let before = self.memory.borrow().roster.peek();
        let held = before.as_ref().and_then(|roster| roster.etag());
        let FetchedDocument { status, body, etag, .. } = self.list(held).await?;
        let roster = match (status, &before) {
            (200..=299, _) => {
                Rc::new(Roster::parse(body, etag).map_err(|what| format!("the config API's answer {what}"))?)
            }
            (304, Some(before)) => Rc::clone(before),
            _ => return Err(format!("the config API answered {status}")),
        };
        if self.memory.borrow().directory.is_some() {
            // The store has no records of customers then, beside which one that the list lacks would be no stranger. So how
            // many there were has to be known also in an isolate that has just begun.
            boxed_cold(self.state.confirmed_at(asked_at)).await;
        }
        self.check_size(before.as_deref(), &roster)?;
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
    fn check_size(&self, before: Option<&Roster>, now: &Roster) -> Result<(), String> {
        let refreshed = self.memory.borrow().roster_state.as_ref().map_or(0, |(_, state)| state.count);
        let held = before.map_or(0, Roster::len);
        let count = match (refreshed, held) {
            (0, held) if held < SHORT_LIST => return Ok(()),
            (0, held) => held,
            (refreshed, _) => refreshed,
        };
        let max_removed = self.max_removed();
        if !shrank_too_far(count, count.saturating_sub(now.len()), max_removed) {
            return Ok(());
        }
        Err(shrunk(count, now.len(), max_removed))
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
        assert_eq!((path_segment("."), path_segment("..")), (None, None));
    }
}
