//! The config API, and the scheduled Worker that hands its list to the ledger.

use std::rc::Rc;

use pointsman_core::base::digest::Digest;
use pointsman_ledger::Answer;
use pointsman_loader::{
    ports::{DocumentRequest, FetchedDocument, SourceError},
    scheduled::CustomerRefresh,
};

use crate::{
    isolate::Isolate,
    truth::{Death, Of, Origin},
    world::{CUSTOMERS, LOCATIONS, World},
};

/// The owner of all runs of the scheduled Worker, besides the world itself: no isolate has this number.
const SCHEDULED: u64 = u64::MAX;

/// What the config API says of a customer.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    customer: usize,
    /// Values made before this one are meant to count no more.
    upto: usize,
    /// Nothing where the list does not have the customer.
    text: Option<String>,
    /// Whether nothing follows of it: the entry cannot be used, so that what it said before counts on for a while.
    is_odd: bool,
}

impl World {
    /// What a source answers, and what the config API says where the list was asked for.
    pub(crate) fn document(&self, request: &DocumentRequest<'_>) -> (FetchedDocument, Option<Vec<Said>>) {
        let answer = |status, body| FetchedDocument { status, body, ..FetchedDocument::default() };
        if request.url.starts_with("https://id.example.com") {
            let keys = pointsman_testkit::read("fixtures/keys/issuer.jwks.json");
            return (answer(200, keys.into_bytes()), None);
        }
        if self.is_on(&self.faults.no_config_api) {
            return (answer(503, Vec::new()), None);
        }
        // Every other second, so that runs see the one and the other.
        let has_nameless = self.is_on(&self.faults.odd_lists) && (self.now() / 1000).is_multiple_of(2);
        let said = self.said(has_nameless);
        let entry = |said: &Said| match (&said.text, said.is_odd) {
            (Some(_), true) => Some(format!(r#"{{"customerId":"c{}","backendUrl":7}}"#, said.customer)),
            (text, _) => text.clone(),
        };
        let mut entries: Vec<_> = said.iter().filter_map(entry).collect();
        if has_nameless {
            entries.push(r#"{"backendUrl":"https://nobody.example.com"}"#.to_owned());
            self.count("lists with an entry without an id");
        }
        let body = format!("[{}]", entries.join(",")).into_bytes();
        let etag = format!("\"{}\"", Digest::of(&body));
        if request.etag == Some(&etag) {
            self.count("lists that are the same as before");
            return (answer(304, Vec::new()), Some(said));
        }
        (FetchedDocument { etag: Some(etag), ..answer(200, body) }, Some(said))
    }

    /// Of whom a list with an entry that may be anybody's does not have, it says nothing.
    fn said(&self, has_nameless: bool) -> Vec<Said> {
        let provided = self.provided.borrow();
        let mut truth = self.truth.borrow_mut();
        let odd = usize::try_from(self.faults.odd_lists.get()).unwrap_or_default() % CUSTOMERS;
        let is_odd = self.is_on(&self.faults.odd_lists);
        (0..CUSTOMERS)
            .map(|customer| {
                let number = provided.get(&customer).copied();
                let versions = &truth.record(Of::Customer(customer)).versions;
                let text = number.and_then(|number| versions.get(number)).map(|said| said.text.clone());
                let upto = number.unwrap_or(versions.len());
                let is_odd = is_odd && customer == odd || has_nameless && text.is_none();
                Said { customer, upto, text, is_odd }
            })
            .collect()
    }

    /// The config API says something else of a customer.
    pub(crate) fn say_otherwise(&self) {
        let customer = self.pick(CUSTOMERS);
        let (of, now) = (Of::Customer(customer), self.now());
        let mut truth = self.truth.borrow_mut();
        truth.record(of).touched_at = now;
        if self.once_in(3) {
            self.provided.borrow_mut().remove(&customer);
        } else {
            let number = truth.make(of, Origin::Provider, customer, !self.once_in(6), now);
            self.provided.borrow_mut().insert(customer, number);
        }
        self.tell(|| {
            format!("the config API says of customer {customer}: {:?}", self.provided.borrow().get(&customer))
        });
    }

    /// A step of a run that takes the list over, as the object takes it.
    pub(crate) async fn take_list(
        &self,
        location: usize,
        json: &str,
        timeout: u64,
    ) -> Result<String, SourceError> {
        let step: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
        let request = serde_json::json!({ "op": "list", "step": step["step"] }).to_string();
        let random = self.random();
        let called =
            self.call_ledger(location, timeout, |ledger, now| Some(ledger.call(&request, None, now, random)));
        match called.await? {
            Answer::Json(text) => Ok(text),
            Answer::Bytes(_) => Err(SourceError("bytes in place of JSON".to_owned())),
        }
    }

    /// The scheduled Worker takes the list over.
    pub(crate) fn hand_over(self: &Rc<Self>) {
        let worker = Rc::new(Isolate::new(self, SCHEDULED, 0, self.pick(LOCATIONS)));
        let world = Rc::clone(self);
        self.executor.spawn(0, async move {
            let gateway = worker.worker.gateway;
            let Some(run) = CustomerRefresh::of(gateway, &worker.memory, &*worker) else { return };
            let taken = run.run().await;
            world.wake_ledger();
            if let Err(SourceError(what)) = taken {
                world.tell(|| format!("the list was not taken over: {what}"));
                return;
            }
            let now = world.now();
            let Some((epoch, revision)) = world.ledger(|ledger, _| (ledger.epoch(), ledger.revision()))
            else {
                return;
            };
            world.tell(|| format!("the list was taken over, up to {revision}"));
            // What refuses nobody may wait for a shard: only what refuses is bound.
            let refuses = |said: &Said| said.text.as_ref().is_none_or(|text| text.contains("disabled"));
            for said in worker.listed.take().into_iter().filter(|said| refuses(said) && !said.is_odd) {
                let is_removal = said.text.is_none();
                let death = Death { answered: now, epoch, revision, is_removal };
                let mut truth = world.truth.borrow_mut();
                truth.record(Of::Customer(said.customer)).end(said.upto, None, Origin::Provider, death);
            }
            world.count("lists handed over");
        });
    }
}
