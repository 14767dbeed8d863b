//! Requests: what the edge does with one, and what is checked of each.

use std::rc::Rc;

use pointsman_core::{
    base::{
        digest::Digest,
        time::{Span, Timestamp},
    },
    decide::{
        decision::{Decision, Deferred, LoadedForRequest, Outcome},
        request_log::Trace,
    },
    directory::{
        follower::{Currency, Found},
        record_key::{Kind, RecordKey},
    },
};
use pointsman_loader::{loader::Loader, ports::Ports};
use pointsman_testkit::{TestFields, bearer, head, token};

use crate::{
    isolate::{Isolate, Served},
    operators::{is_known_at, is_let_in, name_of},
    truth::{Heard, Of, Record, number_in},
    world::CUSTOMERS,
};

/// Nobody has done anything about a record for so long, in milliseconds: by then every isolate and every location knows it.
const SETTLED: u64 = 1_200_000;
/// So long after it was served, data is still held, in milliseconds.
const HELD: u64 = 300_000;
/// After so long a silence of the ledger an entry that KV lacks, or has disabled, is refused, in milliseconds.
const SILENCE: u64 = 60_000;
/// While the ledger is silent, the last state counts so long, in milliseconds; a little less for clocks.
const STALE: u64 = 590_000;

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Caller {
    Key(usize),
    /// A key that nobody has.
    Junk(u64),
    Token,
}

/// The secret of a key.
pub(crate) fn secret(key: usize) -> String {
    format!("key-number-{key}")
}

impl Isolate {
    /// A request comes in.
    pub(crate) fn receive(self: &Rc<Self>, caller: Caller) {
        let own = Rc::clone(self);
        self.world.executor.spawn(self.id, async move { own.serve(caller).await });
    }

    async fn serve(self: Rc<Self>, caller: Caller) {
        let (credential, path) = match caller {
            Caller::Key(key) => (secret(key), "hybrid"),
            Caller::Junk(number) => (format!("junk-{number}"), "hybrid"),
            Caller::Token => (token("customer-acme"), "tokens"),
        };
        let fields = vec![("authorization".to_owned(), bearer(&credential))];
        let fields = TestFields { fields, ..TestFields::default() };
        let url = format!("https://gateway.example.com/{path}/x");
        let began = self.world.now();
        let at_first = self.heard();
        let (outcome, trace, deferred) = {
            let gateway = self.worker.gateway;
            let head = head(gateway, "GET", &url, &fields);
            let now = Ports::now(&*self);
            let at_once = LoadedForRequest::default();
            let decision = gateway.decide(&head, &mut self.memory.borrow_mut(), &at_once, now);
            let Decision { outcome, trace, deferred } = match decision {
                Decision { outcome: Outcome::Load(need, lease), deferred, .. } => {
                    let loader = Loader::new(gateway, &self.memory, &*self);
                    loader.decide(&head, LoadedForRequest::default(), need, lease, deferred).await
                }
                decided => decided,
            };
            (outcome, trace, deferred)
        };
        self.world.count("requests");
        if self.world.now() > began {
            self.world.count("requests that waited");
        }
        let told = match &outcome {
            Outcome::Forward(forward) => forward.sending.url().to_owned(),
            Outcome::Answer(answer) => answer.refusal.map_or("answered", |refusal| refusal.id()).to_owned(),
            Outcome::Load(..) => "undecided".to_owned(),
        };
        self.world.tell(|| {
            let heard = self.heard();
            let [known, ms] = [heard.revision, self.world.now() - began];
            format!("isolate {} (knows {known}): {caller:?} after {ms} ms: {told}", self.id)
        });
        let verdict = match (&outcome, caller) {
            (Outcome::Load(..), _) => Err("a request was never decided".to_owned()),
            (Outcome::Answer(_), Caller::Key(key)) => self.judge_held(key, &trace, &told),
            (Outcome::Answer(_), _) => Ok(()),
            (Outcome::Forward(_), Caller::Key(key)) => self
                .judge_key(key, &trace, &told, &at_first)
                .and_then(|()| self.judge_held(key, &trace, &told)),
            (Outcome::Forward(_), Caller::Junk(_)) => {
                Err("invariant 2: a key was accepted that nobody has".to_owned())
            }
            (Outcome::Forward(_), Caller::Token) => self.world.truth.borrow().token.judge(&self.heard()),
        };
        if let Err(what) = verdict {
            let copy = self.copy(caller);
            self.world.violate(format!("isolate {} at location {}: {what}; {copy}", self.id, self.location));
        }
        self.finish(deferred);
    }

    /// What happens behind the response, as the edge has it: each by itself.
    fn finish(self: &Rc<Self>, deferred: Deferred) {
        let executor = &self.world.executor;
        if deferred.follow {
            let own = Rc::clone(self);
            executor.spawn(self.id, async move {
                let loader = Loader::new(own.worker.gateway, &own.memory, &*own);
                loader.follow().await;
                loader.keep_following().await;
            });
        }
        for refresh in deferred.refreshes {
            let own = Rc::clone(self);
            executor.spawn(self.id, async move {
                let loader = Loader::new(own.worker.gateway, &own.memory, &*own);
                for write in &loader.refresh(&refresh).await.writes {
                    loader.write(write).await;
                }
            });
        }
        for write in deferred.writes {
            let own = Rc::clone(self);
            executor.spawn(self.id, async move {
                Loader::new(own.worker.gateway, &own.memory, &*own).write(&write).await;
            });
        }
    }

    /// How its copy of the directory stands, for whoever looks into a violation.
    fn copy(&self, caller: Caller) -> String {
        let memory = self.memory.borrow();
        let Some(follower) = memory.directory.as_ref().map(|directory| &directory.follower) else {
            return "no copy".to_owned();
        };
        let now = Ports::now(self);
        let told = |found: Found| match found {
            Found::Row(row) => {
                format!(
                    "{} (ends: {:?})",
                    String::from_utf8_lossy(&row.text),
                    row.expires_at.map(Timestamp::millis)
                )
            }
            other => format!("{other:?}"),
        };
        let customers = (0..CUSTOMERS).map(|id| format!("c{id}"));
        let customers = customers.map(|id| told(follower.find(&RecordKey::customer(&id), &id, now)));
        let key = match caller {
            Caller::Key(key) => {
                let digest = Digest::of(secret(key).as_bytes());
                told(follower.find(&RecordKey::api_key(&digest), "", now))
            }
            Caller::Junk(_) | Caller::Token => String::new(),
        };
        let found = [key].into_iter().chain(customers).collect::<Vec<_>>().join("; ");
        format!(
            "it is {}, and its copy is of {:?}, {} ms old, complete: {:?}, loaded: {:?}; {} polls failed, {} since; {found}",
            if self.worker.is_open { "open" } else { "closed" },
            follower.epoch(),
            follower.known_at().map_or(u64::MAX, |at| now.since(at).millis()),
            follower.complete(),
            follower.loaded(),
            self.failures.get(),
            follower.failures(),
        )
    }

    /// What it knows now.
    fn heard(&self) -> Heard {
        let memory = self.memory.borrow();
        let follower = memory.directory.as_ref().map(|directory| &directory.follower);
        let epoch = follower.map(|follower| follower.epoch()).unwrap_or_default();
        Heard {
            began: self.world.now(),
            now: self.world.now(),
            max_staleness: self.worker.max_staleness,
            epoch,
            decided_in: epoch,
            revision: follower.map_or(0, |follower| follower.revision()),
            is_open: self.worker.is_open,
            is_silent: self.worker.is_open
                && follower.is_some_and(|follower| {
                    let always = Span::from_millis(u64::MAX >> 1);
                    let currency = follower.currency(Ports::now(self), always);
                    matches!(currency, Currency::Silent | Currency::Unknown)
                }),
            is_bound: !self.worker.is_open || follower.is_some_and(|follower| follower.failures() == 0),
            failures: self.failures.get(),
            // For a shard that cannot be had KV is asked.
            has_everything: follower.is_some_and(|follower| {
                let (loaded, named) = follower.loaded();
                loaded == named && follower.is_complete(Kind::ApiKey) && follower.is_complete(Kind::Customer)
            }),
        }
    }

    fn judge_key(&self, key: usize, trace: &Trace, url: &str, at_first: &Heard) -> Result<(), String> {
        let heard = at_first.at_last(self.heard());
        let mut truth = self.world.truth.borrow_mut();
        let subject = trace.subject.as_deref().unwrap_or_default();
        let Some((own, number)) = number_in(subject, ".") else {
            return Err(format!("invariant 2: key {key} was accepted as nobody: {subject}"));
        };
        if own != key {
            return Err(format!("invariant 1: key {key} was accepted as {subject}"));
        }
        let customer = truth.record(Of::Key(key)).judge(&format!("key {key}"), number, &heard)?.customer;
        let Some((host, number)) = number_in(url, "-v") else {
            // Nobody's own backend: the customer is not there.
            return Ok(());
        };
        if host != customer {
            return Err(format!("invariant 1: key {key} of customer {customer} was sent to {url}"));
        }
        truth.record(Of::Customer(customer)).judge(&format!("customer {customer}"), number, &heard)?;
        Ok(())
    }

    /// Whether a key that was served, and about which nothing has changed, is served the same.
    fn judge_held(&self, key: usize, trace: &Trace, told: &str) -> Result<(), String> {
        let heard = self.heard();
        let before = self.served.borrow().get(&key).cloned();
        let subject = trace.subject.as_deref().and_then(|subject| number_in(subject, "."));
        if let (Some(customer), Some((_, number))) = (number_in(told, "-v"), subject) {
            let (epoch, url) = (heard.epoch, told.to_owned());
            let served = Served { at: heard.now, epoch, url, key: number, customer };
            self.served.borrow_mut().insert(key, served);
        }
        let Some(before) = before.filter(|before| self.worker.is_open && before.url != told) else {
            return Ok(());
        };
        let is_recent = heard.now < before.at + HELD && before.epoch == heard.epoch;
        let known_at = {
            let memory = self.memory.borrow();
            let follower = memory.directory.as_ref().map(|directory| &directory.follower);
            let is_complete = |kind| follower.is_some_and(|follower| follower.is_complete(kind));
            let known_at = follower.and_then(|follower| follower.known_at());
            known_at.filter(|_| is_complete(Kind::ApiKey) && is_complete(Kind::Customer))
        };
        let is_held = known_at.is_some_and(|at| Timestamp::from_millis(heard.now).since(at).millis() < STALE);
        let customer = before.customer.0;
        let (touched, is_over) = {
            let mut truth = self.world.truth.borrow_mut();
            let ends = |record: &Record, number: usize| record.versions.get(number)?.expires;
            let first = ends(truth.record(Of::Key(key)), before.key);
            let second = ends(truth.record(Of::Customer(customer)), before.customer.1);
            // The ledger's clock and the isolate's differ.
            let is_over =
                |end: Option<u64>| end.is_some_and(|end| end.saturating_mul(1000) < heard.now + 2000);
            let touched =
                truth.record(Of::Key(key)).touched_at.max(truth.record(Of::Customer(customer)).touched_at);
            (touched, is_over(first) || is_over(second))
        };
        // What was done by hand long ago may have been taken in just now, and what the config API has said since may. Where the
        // isolate has yet to hear of that, it may have served by KV before it had a copy, which does not have it.
        let is_so = self.world.ledger(|ledger, now| {
            let (first, second) = (Of::Key(key), Of::Customer(customer));
            let is_heard = |of| ledger.epoch() != heard.epoch || is_known_at(ledger, of, heard.revision, now);
            is_heard(first)
                && is_heard(second)
                && is_let_in(ledger, first, before.key, now)
                && is_let_in(ledger, second, before.customer.1, now)
        });
        // Somebody may have removed it in KV long ago, where no pass has come to it since.
        let is_silent =
            known_at.is_some_and(|at| Timestamp::from_millis(heard.now).since(at).millis() > SILENCE);
        let is_removed = is_silent
            && [Of::Key(key), Of::Customer(customer)].into_iter().any(|of| self.is_removed_in_kv(of));
        if is_recent
            && is_held
            && !is_removed
            && !is_over
            && is_so == Some(true)
            && touched + SETTLED < before.at
        {
            return Err(format!(
                "invariant 4: key {key} was sent to {} {} ms ago, nothing of it has changed, and now it is: {told}",
                before.url,
                heard.now - before.at
            ));
        }
        Ok(())
    }

    /// Whether KV has no entry of a record, or one that lets nobody in.
    fn is_removed_in_kv(&self, of: Of) -> bool {
        let kv = self.world.kv.borrow();
        let entry = kv.newest(&name_of(of), self.world.now());
        entry.is_none_or(|entry| String::from_utf8_lossy(&entry.bytes).contains(r#""disabled":true"#))
    }
}
