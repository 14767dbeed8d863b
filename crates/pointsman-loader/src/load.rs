//! Decides a request for which something must be loaded first: load, decide again, until decided.
//!
//! What several requests need at once is loaded by one of them; the others wait, each by a timer of its
//! own, and take the load over where its lease runs out ([`pointsman_core::state::cache`]). Every load and every wait
//! changes what this request has found or counts against it, so the loop ends.

use std::{cell::RefCell, pin::Pin, rc::Rc};

use pointsman_core::{
    base::{
        digest::Digest,
        freshness::MAX_CLOCK_SKEW,
        object::parse_object,
        refusal::Refusal,
        time::{Span, Timestamp},
    },
    decide::{
        decision::{Decision, Deferred, Found, Judgement, Need, Outcome, Refresh, SignatureCheck, Write},
        explain::Explained,
        request_log::Trace,
    },
    http::head::Head,
    identity::{
        api_key::{self, KeyConfig},
        customer_id::CustomerId,
        jwt::VerifiedToken,
        principal::Principal,
    },
    state::{
        cache::{Claim, Loaded, Stored},
        config::Gateway,
        memory::Memory,
    },
};

use crate::ports::{Landing, Ports, SourceError, VerifyError};

/// More rounds than any request can need.
const MAX_ROUNDS: usize = 16;
/// A request waits for the load of another, and for that of one who took it over; then it gives up.
const MAX_LATE: usize = 2;

/// The configuration and memory of an isolate, and the way out of it.
pub struct Context<'a, P> {
    /// The configuration.
    pub gateway: &'a Gateway,
    /// Borrowed only between awaits: a borrow held across one would meet another request's.
    pub memory: &'a RefCell<Memory>,
    /// The outside.
    pub ports: &'a P,
}

/// Whether a caller waits for a load.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Urgency {
    /// A caller waits: what may still be used is good enough.
    Waited,
    /// It happens behind the response: the source itself is asked.
    Deferred,
}

impl<P: Ports> Context<'_, P> {
    /// Tells how a request is decided: as itself or, where somebody is assumed, as theirs. What comes of
    /// it is a document and never a request.
    pub async fn explain(
        &self,
        head: &Head<'_>,
        assumed: Option<Rc<Principal>>,
    ) -> (serde_json::Value, Deferred) {
        let began = self.ports.now();
        let found = Found { explain: true, assumed, ..Found::default() };
        let decision = self.gateway.decide(head, &mut self.memory.borrow_mut(), &found, began);
        let decision = match decision.outcome {
            Outcome::Load(need, claim) => self.decide(head, found, need, claim, decision.deferred).await,
            Outcome::Forward(_) | Outcome::Answer(_) => decision,
        };
        let memory = self.memory.borrow();
        let explanation = Explained { gateway: self.gateway, head, memory: &memory, began };
        (explanation.tell(&decision), decision.deferred)
    }

    /// Decides a request, loading what that takes. `found` is what a synchronous decision was made by, `need`
    /// and `claim` are what it met, and `deferred` what it left to do: each round's is kept, since nobody else
    /// refreshes an entry while its lease runs.
    pub async fn decide(
        &self,
        head: &Head<'_>,
        mut found: Found,
        mut need: Need,
        mut claim: Claim,
        mut deferred: Deferred,
    ) -> Decision {
        let mut late = 0;
        for _ in 0..MAX_ROUNDS {
            // Whose lease this request holds itself, it loads at once and not behind the response.
            if matches!(claim, Claim::Join(_)) && deferred.take_refresh(&need) {
                claim = Claim::Lead;
            }
            match claim {
                Claim::Lead => self.load(&need, &mut found, Urgency::Waited, &mut deferred).await,
                Claim::Join(until) => self.join(&need, until, &mut found, &mut late).await,
            }
            let now = self.ports.now();
            let mut decision = self.gateway.decide(head, &mut self.memory.borrow_mut(), &found, now);
            deferred.append(std::mem::take(&mut decision.deferred));
            match decision.outcome {
                Outcome::Load(next, who) => {
                    if next.flight() != need.flight() {
                        late = 0;
                    }
                    (need, claim) = (next, who);
                }
                Outcome::Forward(_) | Outcome::Answer(_) => return Decision { deferred, ..decision },
            }
        }
        self.ports.warn("undecided", "a request needed more loads than there are things to load");
        let answer = self.gateway.refuse(Refusal::Misconfigured, None, None, head);
        Decision { outcome: Outcome::Answer(answer), trace: Trace::default(), deferred }
    }

    /// Refreshes an entry behind a response, and says what is to be written to the store for it.
    pub async fn refresh(&self, refresh: &Refresh) -> Deferred {
        let mut deferred = Deferred::default();
        let Refresh { need, claimed_at } = refresh;
        // It may have waited longer than its lease, and somebody else have taken that.
        if self.ports.now().since(*claimed_at) >= self.lease(need) && self.claim(need) != Claim::Lead {
            return deferred;
        }
        self.load(need, &mut Found::default(), Urgency::Deferred, &mut deferred).await;
        deferred
    }

    /// Writes a refreshed record, unless what stands there is newer. KV has no compare-and-set: two
    /// isolates that write in the same moment can still cross, and the next refresh puts that right. What
    /// an operator writes has names of its own, so no crossing ever meets that.
    pub async fn write(&self, write: &Write) {
        let Write { key, record, asked_at } = write;
        let timeout = self.gateway.store_timeout();
        let result = match self.read_store(key).await {
            Ok(Some(there)) if is_as_new(&there, *asked_at, self.ports.now()) => return,
            Ok(_) => self.ports.put_many(&[(key.clone(), record.clone())], timeout).await,
            Err(error) => Err(error),
        };
        if let Err(SourceError(what)) = result {
            self.ports.warn("store_write_failed", &format!("{key}: {what}"));
        }
    }

    /// Waits for somebody else's load.
    async fn join(&self, need: &Need, until: Timestamp, found: &mut Found, late: &mut usize) {
        let (Some(flight), now) = (need.flight(), self.ports.now()) else { return };
        // It may have ended since it was looked for.
        if !self.is_loading(need, now) {
            return;
        }
        match self.ports.landed(&flight, until.since(now)).await {
            Landing::Done => {}
            Landing::Failed => found.note_failed(need),
            Landing::Late => {
                *late += 1;
                if *late >= MAX_LATE {
                    found.note_failed(need);
                }
            }
        }
    }

    fn lease(&self, need: &Need) -> Span {
        let gateway = self.gateway;
        let policy = match need {
            Need::Key(_) => gateway.api_keys().map(|keys| keys.policy()),
            Need::Customer(_) => gateway.customers().map(|customers| &customers.policy),
            Need::KeySet(issuer) => gateway.issuers().get(*issuer).map(|issuer| &issuer.policy),
            Need::Signature(_) => None,
        };
        policy.map_or_else(Span::default, |policy| policy.lease)
    }

    fn claim(&self, need: &Need) -> Claim {
        let (memory, now) = (self.memory.borrow(), self.ports.now());
        match need {
            Need::Key(digest) => memory.keys.claim(digest, now),
            Need::Customer(id) => memory.customers.claim(&id.cache_key(), now),
            Need::KeySet(issuer) => {
                memory.key_sets.get(*issuer).map_or(Claim::Lead, |known| known.set.claim(now))
            }
            Need::Signature(_) => Claim::Lead,
        }
    }

    fn is_loading(&self, need: &Need, now: Timestamp) -> bool {
        let memory = self.memory.borrow();
        match need {
            Need::Key(digest) => memory.keys.is_loading(digest, now),
            Need::Customer(id) => memory.customers.is_loading(&id.cache_key(), now),
            Need::KeySet(issuer) => memory.key_sets.get(*issuer).is_some_and(|set| set.set.is_loading(now)),
            Need::Signature(_) => false,
        }
    }

    async fn load(&self, need: &Need, found: &mut Found, urgency: Urgency, deferred: &mut Deferred) {
        let well = match need {
            Need::Key(digest) => self.load_key(digest, found).await,
            Need::Customer(id) => self.load_customer(id, found, urgency, deferred).await,
            Need::KeySet(issuer) => apart(self.load_key_set(*issuer, found, deferred)).await,
            Need::Signature(check) => {
                found.token = Some(self.judge(check).await);
                return;
            }
        };
        if let Some(flight) = need.flight() {
            self.ports.land(&flight, well);
        }
    }

    /// Reads an entry of the store, and notes how that went.
    pub(crate) async fn read_store(&self, key: &str) -> Result<Option<Vec<u8>>, SourceError> {
        let result = self.ports.stored(key, self.gateway.store_timeout()).await;
        self.note_store(result.as_ref().map(|_| ()));
        result
    }

    /// Reads at most 100 entries of the store by one call, and notes how that went.
    pub(crate) async fn read_store_many(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, SourceError> {
        let result = self.ports.stored_many(keys, self.gateway.store_timeout()).await;
        self.note_store(result.as_ref().map(|_| ()));
        result
    }

    fn note_store(&self, went: Result<(), &SourceError>) {
        let went = went.map_err(|SourceError(what)| what.as_str());
        self.memory.borrow_mut().store_health.note(self.ports.now(), went);
    }

    async fn load_key(&self, digest: &Digest, found: &mut Found) -> bool {
        let asked_at = self.ports.now();
        let (stored, weight) = match self.read_store(&api_key::store_key(digest)).await {
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
                found.key_failed = true;
                return false;
            }
        };
        let loaded = Loaded { stored, weight, asked_at, as_of: asked_at };
        found.key = Some(self.memory.borrow_mut().keys.store(*digest, loaded));
        true
    }

    async fn load_customer(
        &self,
        id: &CustomerId,
        found: &mut Found,
        urgency: Urgency,
        deferred: &mut Deferred,
    ) -> bool {
        let (key, asked_at) = (id.cache_key(), self.ports.now());
        match self.find_customer(id, urgency).await {
            Ok(customer) => {
                let mut memory = self.memory.borrow_mut();
                // A bad document evicts no good one, but the operator's decides also where it cannot be read: else
                // whoever was to be kept out by it would be served for as long as the config API's may be stale.
                if customer.own && memory.customers.peek(&key).is_some_and(|held| held.is_refreshed()) {
                    memory.customers.forget(&key, customer.loaded.asked_at);
                }
                found.customer = Some(memory.customers.store(key, customer.loaded));
                deferred.writes.extend(customer.write);
                let leads = customer.refresh && memory.customers.claim(&key, self.ports.now()) == Claim::Lead;
                deferred.refresh(leads, self.ports.now(), || Need::Customer(id.clone()));
                true
            }
            Err(failure) => {
                self.ports.warn("customer_source_failed", &failure.what);
                let now = self.ports.now();
                let mut memory = self.memory.borrow_mut();
                if failure.source {
                    memory.config_api_health.note(now, Err(&failure.what));
                }
                memory.customers.fail(&key, asked_at, now, failure.source);
                found.customer_failed = true;
                false
            }
        }
    }

    async fn judge(&self, check: &Rc<SignatureCheck>) -> Result<Rc<VerifiedToken>, Refusal> {
        let mut check = Rc::clone(check);
        // It ends: each round has one key less to try.
        loop {
            let SignatureCheck { key, algorithm, signature, verified, .. } = &*check;
            let verdict = self.ports.verify(key, *algorithm, &verified.signing_input, signature).await;
            match self.conclude(&check, verdict) {
                Judgement::Final(outcome) => return outcome,
                Judgement::Next(next) => check = next,
            }
        }
    }

    /// What becomes of a token by the verdict on its signature. One that verifies is remembered.
    #[must_use]
    pub fn conclude(&self, check: &SignatureCheck, verdict: Result<bool, VerifyError>) -> Judgement {
        let refusal = match verdict {
            Ok(true) => {
                let now = self.ports.now();
                let stored = Stored::Present(Rc::clone(&check.verified));
                let loaded = Loaded { stored, weight: check.weight, asked_at: now, as_of: now };
                self.memory.borrow_mut().tokens.store(check.token, loaded);
                return Judgement::Final(Ok(Rc::clone(&check.verified)));
            }
            Ok(false) => Refusal::TokenSignature,
            Err(VerifyError::UnusableKey) => Refusal::TokenKeyUnusable,
        };
        match check.next() {
            Some(next) => Judgement::Next(Rc::new(next)),
            None => Judgement::Final(Err(refusal)),
        }
    }
}

/// A part of a load that few take. As a future of its own its code stays out of the function around it, which the engine
/// compiles whole before the first request that runs it is answered.
#[inline(never)]
pub(crate) fn apart<'a, T>(rare: impl Future<Output = T> + 'a) -> Pin<Box<dyn Future<Output = T> + 'a>> {
    Box::pin(rare)
}

/// Whether a stored record was refreshed at `asked_at` or later. The name is the gateway's own, so what
/// cannot be read there is written over; and so is what a broken clock wrote that was ahead, or nothing
/// could replace it until its time has come.
fn is_as_new(record: &[u8], asked_at: Timestamp, now: Timestamp) -> bool {
    let members = parse_object(record).ok();
    let fetched_at = members.as_ref().and_then(|members| members.get("fetchedAt")?.as_str());
    let fetched_at = fetched_at.and_then(Timestamp::parse_rfc3339);
    fetched_at.is_some_and(|at| at >= asked_at && at <= now.plus(MAX_CLOCK_SKEW))
}
