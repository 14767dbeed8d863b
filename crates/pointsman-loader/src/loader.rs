//! Decides a request for which something must be loaded first: load, decide again, until decided.
//!
//! What several requests need at once is loaded by one of them; the others wait, each by a timer of its
//! own, and take the load over where its lease runs out ([`pointsman_core::state::cache`]). Every load and every wait
//! changes what this request has loaded or counts against it, so the loop ends.

use std::{cell::RefCell, rc::Rc};

use pointsman_core::{
    base::{digest::Digest, refusal::Refusal, time::Timestamp},
    customer::record::CustomerConfig,
    decide::{
        decision::{
            Decision, Deferred, Fetched, Judgement, LoadedForRequest, Need, Outcome, Refresh, SignatureCheck,
            Write,
        },
        explain::Explained,
        request_log::Trace,
    },
    http::head::Head,
    identity::{customer_id::CustomerId, dpop::Proof, key_record::KeyConfig, principal::Principal},
    state::{
        cache::{Lease, Stored},
        config::Gateway,
        memory::{Memory, RefreshCounts},
    },
};

use crate::{
    api_keys::KeyLoader,
    authorization,
    cold::boxed_cold,
    customers::CustomerLoader,
    directory::{DirectoryLoader, Resolved},
    introspection::Introspector,
    key_sets::{KeySetLoad, KeySetLoader},
    leases::Leases,
    lessons::teach,
    load_for::LoadFor,
    ports::{LoadResult, Ports, VerifyError},
    signatures::SignatureVerifier,
    store::Store,
};

/// More rounds than any request can need.
const MAX_ROUNDS: usize = 16;
/// A request waits for the load of another, and for that of one who took it over; then it gives up.
const MAX_LATE: usize = 2;

/// Loads what requests need, for one isolate: by its configuration, into its memory, over its ports.
pub struct Loader<'a, P> {
    gateway: &'a Gateway,
    /// Borrowed only between awaits: a borrow held across one would meet another request's.
    memory: &'a RefCell<Memory>,
    ports: &'a P,
}

impl<'a, P: Ports> Loader<'a, P> {
    /// A loader of the isolate with this configuration and memory. `ports` are those of the request that it
    /// works for.
    pub const fn new(gateway: &'a Gateway, memory: &'a RefCell<Memory>, ports: &'a P) -> Self {
        Self { gateway, memory, ports }
    }

    /// Tells how a request is decided: as itself or, where somebody is assumed, as theirs. What comes of
    /// it is a document and never a request.
    pub async fn explain(
        &self,
        head: &Head<'_>,
        assumed: Option<Rc<Principal>>,
    ) -> (serde_json::Value, Deferred) {
        let began = self.ports.now();
        let loaded = LoadedForRequest { explain: Some(began), assumed, ..LoadedForRequest::default() };
        let decision = self.gateway.decide(head, &mut self.memory.borrow_mut(), &loaded, began);
        let decision = match decision.outcome {
            Outcome::Load(need, lease) => self.decide(head, loaded, need, lease, decision.deferred).await,
            Outcome::Forward(_) | Outcome::Answer(_) => decision,
        };
        let hears = self.memory.borrow().hears();
        let explanation = Explained { gateway: self.gateway, head, began, hears };
        (explanation.tell(&decision), decision.deferred)
    }

    /// Decides a request, loading what that takes. `loaded` is what a synchronous decision was made by, `need`
    /// and `lease` are what it met, and `deferred` what it left to do: each round's is kept, since nobody else
    /// refreshes an entry while its lease runs.
    pub async fn decide(
        &self,
        head: &Head<'_>,
        mut loaded: LoadedForRequest,
        mut need: Need,
        mut lease: Lease,
        mut deferred: Deferred,
    ) -> Decision {
        let mut late = 0;
        for _ in 0..MAX_ROUNDS {
            // Whose lease this request holds itself, it loads at once and not behind the response.
            if matches!(lease, Lease::HeldUntil(_)) && deferred.take_refresh(&need) {
                lease = Lease::Acquired;
            }
            match lease {
                Lease::Acquired => {
                    self.load(&need, &mut loaded, LoadFor::Request, &mut deferred).await;
                }
                Lease::HeldUntil(until) => self.wait_for_load(&need, until, &mut loaded, &mut late).await,
            }
            let now = self.ports.now();
            let mut decision = self.gateway.decide(head, &mut self.memory.borrow_mut(), &loaded, now);
            deferred.append(std::mem::take(&mut decision.deferred));
            match decision.outcome {
                Outcome::Load(next, who) => {
                    if next.flight() != need.flight() {
                        late = 0;
                    }
                    (need, lease) = (next, who);
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
        let (leases, now) = (self.leases(), self.ports.now());
        // It may have waited longer than its lease, and somebody else have taken that.
        if now.since(*claimed_at) >= leases.duration(need) && leases.lease(need, now) != Lease::Acquired {
            self.count_refresh(need, RefreshCounts::note_dropped);
            return deferred;
        }
        let loaded = &mut LoadedForRequest::default();
        let well = self.load(need, loaded, LoadFor::BackgroundRefresh, &mut deferred).await;
        self.count_refresh(need, |counts| counts.note_end(well));
        deferred
    }

    /// For operators: where refreshes fail or are dropped, callers are served what is old.
    fn count_refresh(&self, need: &Need, count: impl FnOnce(&mut RefreshCounts)) {
        let refreshes = &mut self.memory.borrow_mut().refreshes;
        match need {
            Need::Key(_) => count(&mut refreshes.keys),
            Need::Customer(_) => count(&mut refreshes.customers),
            Need::KeySet(_) => count(&mut refreshes.key_sets),
            Need::Introspection(_) => count(&mut refreshes.tokens),
            Need::Authorization(_) | Need::Revocations | Need::Signature(_) | Need::Proof(_) => {}
        }
    }

    /// Tells the ledger what the config API said of a customer; or else writes a refreshed record to the store, unless what
    /// stands there is newer.
    pub async fn write(&self, write: &Write) {
        if let Some(lesson) = &write.lesson
            && (boxed_cold(teach(self.ports, lesson)).await || write.record.is_empty())
        {
            return;
        }
        Store::new(self.gateway, self.memory, self.ports).write_refreshed(write).await;
    }

    /// What becomes of a token by the verdict on its signature. One that verifies is remembered.
    #[must_use]
    pub fn conclude(&self, check: &SignatureCheck, verdict: Result<bool, VerifyError>) -> Judgement {
        self.signatures().conclude(check, verdict)
    }

    /// Waits for somebody else's load.
    async fn wait_for_load(
        &self,
        need: &Need,
        until: Timestamp,
        loaded: &mut LoadedForRequest,
        late: &mut usize,
    ) {
        let (Some(flight), now) = (need.flight(), self.ports.now()) else { return };
        // It may have ended since it was looked for.
        if !self.leases().is_loading(need, now) {
            return;
        }
        match self.ports.wait_for_load(&flight, until.since(now)).await {
            LoadResult::Done => {}
            LoadResult::Failed => loaded.note_failed(need),
            LoadResult::Late => {
                *late += 1;
                if *late >= MAX_LATE {
                    loaded.note_failed(need);
                }
            }
        }
    }

    /// Loads this and tells those who wait for it; false where it could not be had.
    async fn load(
        &self,
        need: &Need,
        loaded: &mut LoadedForRequest,
        load_for: LoadFor,
        deferred: &mut Deferred,
    ) -> bool {
        let well = match need {
            Need::Key(digest) => {
                loaded.key = Fetched::of(self.load_key(digest, load_for, deferred).await);
                !loaded.key.has_failed()
            }
            Need::Customer(id) => {
                let stored = self.load_customer(id, load_for, deferred).await;
                let well = stored.is_some();
                loaded.take_customer(id, stored);
                well
            }
            Need::KeySet(issuer) => {
                let key_sets = KeySetLoader::new(self.gateway, self.memory, self.ports);
                let KeySetLoad { set, issuer_asked } = boxed_cold(key_sets.load(*issuer, deferred)).await;
                let well = set.is_some();
                loaded.take_key_set(set);
                loaded.issuer_asked |= issuer_asked;
                well
            }
            Need::Revocations => {
                let well = boxed_cold(self.directory().revocations()).await;
                loaded.revocations_failed = !well;
                well
            }
            Need::Signature(check) => {
                loaded.token = Some(self.signatures().verify(check).await);
                true
            }
            Need::Introspection(of) => {
                let introspector = Introspector::new(self.gateway, self.memory, self.ports);
                let outcome = boxed_cold(introspector.ask(of)).await;
                let well = !matches!(outcome, Err(Refusal::IntrospectionUnavailable));
                loaded.token = Some(outcome);
                well
            }
            Need::Authorization(question) => {
                let said =
                    boxed_cold(authorization::ask(question, self.gateway, self.memory, self.ports)).await;
                let well = said.is_some();
                loaded.authorized = Some(Box::new((question.name, said)));
                well
            }
            Need::Proof(proof) => {
                // What is asked is never carried out, so a question leaves the proof to the request.
                let is_question = loaded.explain.is_some();
                loaded.proof = Some(boxed_cold(self.prove(proof, is_question)).await);
                true
            }
        };
        if let Some(flight) = need.flight() {
            self.ports.complete_load(&flight, well);
        }
        well
    }

    /// Judges a proof of possession, and takes it where it counts. Of two requests with one proof, the second is refused
    /// also where both came at once.
    async fn prove(&self, proof: &Proof, is_question: bool) -> Result<(), Refusal> {
        let Proof { key, algorithm, signing_input, signature, id } = proof;
        match self.ports.verify(key, *algorithm, signing_input, signature).await {
            Ok(true) => {}
            Ok(false) => return Err(Refusal::DpopProofSignature),
            Err(VerifyError::UnusableKey) => return Err(Refusal::DpopProofMalformed),
        }
        let window = self.gateway.dpop().window();
        let is_new = is_question || self.memory.borrow_mut().replays.take(*id, self.ports.now(), window);
        if is_new { Ok(()) } else { Err(Refusal::DpopProofReplayed) }
    }

    /// Loads a key's record: out of the directory, or else out of the store. What is refreshed is what the directory does
    /// not know, or what the store is to confirm while the ledger is silent.
    async fn load_key(
        &self,
        digest: &Digest,
        load_for: LoadFor,
        deferred: &mut Deferred,
    ) -> Option<Stored<KeyConfig>> {
        let mut is_there = false;
        if load_for == LoadFor::Request && self.follows() {
            let (directory, asked_at) = (self.directory(), self.ports.now());
            let resolved = boxed_cold(directory.key(digest)).await;
            deferred.follow |= directory.is_missing_shards();
            match resolved {
                Resolved::Elsewhere => {}
                Resolved::Unreadable => is_there = true,
                resolved => {
                    self.memory.borrow().keys.end_lease(digest, asked_at);
                    return resolved.known();
                }
            }
        }
        let stored = KeyLoader::new(self.gateway, self.memory, self.ports).load(digest).await;
        if is_there { stored.map(Stored::never_absent) } else { stored }
    }

    /// Loads a customer's record, as [`Loader::load_key`] does a key's.
    async fn load_customer(
        &self,
        id: &CustomerId,
        load_for: LoadFor,
        deferred: &mut Deferred,
    ) -> Option<Stored<CustomerConfig>> {
        let mut is_there = false;
        if load_for == LoadFor::Request && self.follows() {
            let (directory, asked_at) = (self.directory(), self.ports.now());
            let resolved = boxed_cold(directory.customer(id)).await;
            deferred.follow |= directory.is_missing_shards();
            match resolved {
                Resolved::Elsewhere => {}
                Resolved::Unreadable => is_there = true,
                resolved => {
                    self.memory.borrow().customers.end_lease(&id.cache_key(), asked_at);
                    return resolved.known();
                }
            }
        }
        let customers = CustomerLoader::new(self.gateway, self.memory, self.ports);
        let stored = customers.load(id, load_for, deferred).await;
        if is_there { stored.map(Stored::never_absent) } else { stored }
    }

    fn follows(&self) -> bool {
        self.memory.borrow().directory.is_some()
    }

    /// Follows the directory's log behind a response.
    pub async fn follow(&self) {
        self.directory().follow().await;
    }

    /// Goes on following it for a while, where there is traffic.
    pub async fn keep_following(&self) {
        self.directory().keep_following().await;
    }

    const fn directory(&self) -> DirectoryLoader<'a, P> {
        DirectoryLoader::new(self.memory, self.ports)
    }

    const fn leases(&self) -> Leases<'a> {
        Leases::new(self.gateway, self.memory)
    }

    const fn signatures(&self) -> SignatureVerifier<'a, P> {
        SignatureVerifier::new(self.memory, self.ports)
    }
}
