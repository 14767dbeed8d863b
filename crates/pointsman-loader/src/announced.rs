//! The provider says that customers changed: the config API is asked for them anew, and the ledger is told what it says, so
//! that every isolate hears of it at once.

use std::{
    cell::RefCell,
    collections::BTreeMap,
    future::{Future, poll_fn},
    pin::Pin,
    task::Poll,
};

use pointsman_core::{
    base::{
        json::{json, text},
        time::Span,
    },
    customer::record::CustomerConfig,
    decide::decision::Said,
    directory::log::{Epoch, Head, Revision},
    identity::customer_id::CustomerId,
    state::{config::Gateway, memory::Memory},
};

use crate::{
    config_api::{ApiAnswer, ApiRecord, ConfigApi},
    lessons::tell,
    ports::{HeadAnswer, Ports, SourceError},
    scheduled::CustomerRefresh,
};

/// How long the ledger may take to say what it last heard.
const TIMEOUT: Span = Span::from_secs(5);
/// The platform has six connections for an invocation; what waits for one would use up its time.
const AT_ONCE: usize = 6;
/// How often the config API is asked where the ledger was told something newer meanwhile.
const ROUNDS: usize = 3;

/// What came of it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Announced {
    /// How many customers the ledger now has as the config API does.
    pub taken: usize,
    /// Of whom the config API said nothing that can be used, and why. What was known before counts for as long as it may be
    /// stale.
    pub failed: BTreeMap<String, String>,
}

impl Announced {
    /// The answer to whoever said that they changed: its status, and JSON.
    #[must_use]
    pub fn answer(&self) -> (u16, String) {
        let Self { taken, failed } = self;
        let status = if failed.is_empty() { 200 } else { 502 };
        let failed: Vec<_> = failed.iter().map(|(id, why)| json!({ "customer": id, "why": why })).collect();
        (status, text(&json!({ "taken": *taken, "failed": failed })))
    }
}

/// Asks the config API for customers who are said to have changed.
pub struct CustomersChanged<'a, P> {
    gateway: &'a Gateway,
    memory: &'a RefCell<Memory>,
    ports: &'a P,
    config_api: ConfigApi<'a, P>,
}

impl<'a, P: Ports> CustomersChanged<'a, P> {
    /// Whoever asks, where the configuration names a config API.
    pub fn of(gateway: &'a Gateway, memory: &'a RefCell<Memory>, ports: &'a P) -> Option<Self> {
        let config_api = ConfigApi::of(gateway, memory, ports)?;
        Some(Self { gateway, memory, ports, config_api })
    }

    /// Asks for these customers. A config API with a list is asked for all of it: the list says itself what changed.
    ///
    /// # Errors
    /// Where the ledger or the list cannot be had; then nothing is known to have been taken over.
    pub async fn run(&self, ids: &[CustomerId]) -> Result<Announced, SourceError> {
        if self.config_api.is_by_id() { self.by_id(ids).await } else { self.list(ids.len()).await }
    }

    async fn list(&self, count: usize) -> Result<Announced, SourceError> {
        let run = CustomerRefresh::of(self.gateway, self.memory, self.ports)
            .ok_or_else(|| SourceError("there is no config API".to_owned()))?;
        if run.run().await.is_err() {
            // Another run may have begun meanwhile, from when on the ledger takes nothing of this one.
            run.run().await?;
        }
        Ok(Announced { taken: count, ..Announced::default() })
    }

    async fn by_id(&self, ids: &[CustomerId]) -> Result<Announced, SourceError> {
        let mut done = Announced::default();
        let mut left: Vec<&CustomerId> = ids.iter().collect();
        for _ in 0..ROUNDS {
            if left.is_empty() {
                return Ok(done);
            }
            // Before the config API is asked: what the ledger is told later than this was asked for later.
            let heard = self.heard().await?;
            let mut said = Vec::with_capacity(left.len());
            for few in left.chunks(AT_ONCE) {
                said.extend(all(few.iter().map(|id| self.ask(id)).collect()).await);
            }
            let lessons: Vec<_> = left.iter().zip(&said).map(|(id, (says, _))| (id.as_str(), says)).collect();
            let older = tell(self.ports, heard, true, &lessons).await?;
            let mut again = Vec::new();
            for (index, (id, (_, fault))) in left.into_iter().zip(said).enumerate() {
                match fault {
                    _ if older.contains(&index) => again.push(id),
                    Some(why) => {
                        done.failed.insert(id.as_str().to_owned(), why);
                    }
                    None => done.taken += 1,
                }
            }
            left = again;
        }
        let why = "changed again and again while the config API was asked";
        done.failed.extend(left.iter().map(|id| (id.as_str().to_owned(), why.to_owned())));
        Ok(done)
    }

    /// What the ledger says now, past all caches.
    async fn heard(&self) -> Result<(Epoch, Revision), SourceError> {
        let HeadAnswer { bytes, .. } = self.ports.head(Span::default(), TIMEOUT).await?;
        let head = Head::decode(&bytes);
        let head = head.ok_or_else(|| SourceError("the ledger's head cannot be read".to_owned()))?;
        Ok((head.epoch, head.revision))
    }

    /// What the config API says of a customer, and what is wrong with that.
    async fn ask(&self, id: &CustomerId) -> (Said, Option<String>) {
        let broken = |why: String| {
            self.ports.warn("customer_source_failed", &format!("{}: {why}", id.as_str()));
            (Said::Broken, Some(why))
        };
        match self.config_api.customer(id, None, self.ports.now()).await {
            Ok(ApiAnswer { record: ApiRecord::Record(record), .. }) => {
                match CustomerConfig::of(&record, id, self.gateway.allow_http()) {
                    Ok(_) => {
                        (Said::Record(serde_json::to_string(&record.content()).unwrap_or_default()), None)
                    }
                    Err(error) => broken(error.to_string()),
                }
            }
            Ok(ApiAnswer { record: ApiRecord::Malformed(error), .. }) => broken(error.to_string()),
            Ok(ApiAnswer { record: ApiRecord::Absent, .. }) => (Said::Gone, None),
            Ok(ApiAnswer { record: ApiRecord::Unchanged, .. }) => broken("answered 304 unasked".to_owned()),
            Err(why) => broken(why),
        }
    }
}

/// Waits for all of them at once.
async fn all<T>(futures: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut running: Vec<(Pin<Box<_>>, Option<T>)> =
        futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    poll_fn(|context| {
        let mut is_over = true;
        for (future, done) in &mut running {
            if done.is_none() {
                match future.as_mut().poll(context) {
                    Poll::Ready(value) => *done = Some(value),
                    Poll::Pending => is_over = false,
                }
            }
        }
        if is_over { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    running.into_iter().filter_map(|(_, done)| done).collect()
}
