//! A model check of whole requests: many at once, in two isolates that share a store, each step of each
//! taken in an order that chance chooses. Sources change, fail, hang and mend meanwhile; clients leave;
//! operators write. Each isolate stands in a location of its own, which may see the store as it was a
//! while ago, each entry as of another time, and those that were not there yet as missing.
//!
//! Nothing here waits or sleeps. Every call of the outside is a future that is pending until it is polled
//! often enough or the clock has come far enough, and both are the scheduler's to decide.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, HashMap},
    future::poll_fn,
    pin::Pin,
    rc::Rc,
    task::{Context as TaskContext, Poll, Waker},
};

use pointsman_core::{
    base::{
        digest::Digest,
        time::{Span, Timestamp},
    },
    decide::decision::{Decision, Deferred, LoadedForRequest, Outcome},
    http::head::{Head, PresentFields, RequestTarget},
    identity::{algorithm::Algorithm, jwk_set::PublicKey},
    state::{config::Gateway, memory::Memory},
};
use pointsman_loader::{
    loader::Loader,
    native,
    ports::{DocumentRequest, FetchedDocument, LoadResult, Ports, SourceError, VerifyError},
    scheduled::{CustomerRefresh, ScheduledRefresh},
};
use pointsman_testkit::{GatewayToml, TestFields, all_to, bearer, noon, read, token};
use proptest::prelude::*;

const API: &str = "https://config.example.com/customers";
const JWKS: &str = "https://id.example.com/.well-known/jwks.json";

/// Short spans, so that a schedule of a hundred events crosses every limit that there is.
fn settings(by_id: bool) -> GatewayToml {
    let customers = r#"
        fresh = "3s"
        stale = "24s"
        back_off = "200ms"
        source = { url = "${CUSTOMER_CONFIG_API_URL}", token = "${CONFIG_API_TOKEN}", timeout = "1s", by_id = BY_ID, max_removed = "100%" }
    "#;
    let hybrid = r#"rules = [{ name = "dedicated", to = "customer", unlisted = "next" }, { name = "shared", to = "shared" }]"#;
    GatewayToml::new()
        .table("store", "timeout = \"500ms\"")
        .table("api_keys", "checksum = false\nfresh = \"4s\"\nstale = \"20s\"\nback_off = \"200ms\"")
        .table("[issuers]", ISSUER_SETTINGS)
        .table("customers", &customers.replace("BY_ID", &by_id.to_string()))
        .backend("shared")
        .route("/customer/{+path}", &["api_key", "main"], &all_to("customer"))
        .route("/hybrid/{+path}", &["api_key", "main"], hybrid)
}

const ISSUER_SETTINGS: &str = r#"
    name = "main"
    issuer = "https://id.example.com/"
    audience = "https://api.example.com"
    jwks_url = "https://id.example.com/.well-known/jwks.json"
    algorithms = ["ES256"]
    fresh = "4s"
    stale = "20s"
    cooldown = "2s"
    timeout = "1s"
    back_off = "200ms"
"#;
const STORE_TIMEOUT: Span = Span::from_millis(500);
const SOURCE_TIMEOUT: Span = Span::from_secs(1);
const KEY_STALE: Span = Span::from_secs(20);
/// Half of what is fresh: earlier than this nothing is refreshed.
const REFRESHED: Span = Span::from_secs(2);
const CUSTOMER_STALE: Span = Span::from_secs(24);
/// How far a location of KV may lag behind, where it does.
const LAG: Span = Span::from_secs(60);
/// Longer than any load takes, from the first look at the store to what is kept of it.
const LONGEST_LOAD: Span = Span::from_secs(10);
/// "There is none" is believed for two or three seconds, and a list as long again.
const NEGATIVE: Span = Span::from_secs(8);

/// The customers, each with a token of its own.
const CUSTOMERS: [(&str, &str); 3] =
    [("acme-corp", "customer-acme"), ("wayne-ent", "customer-wayne"), ("umbrella-corp", "customer-umbrella")];

thread_local! {
    /// Made once: reading a configuration takes longer than most schedules.
    static FIXED: &'static Fixed = Box::leak(Box::new(Fixed::new()));
}

struct Fixed {
    by_id: Gateway,
    list: Gateway,
    tokens: Vec<String>,
    jwks: Vec<u8>,
    rotated: Vec<u8>,
}

impl Fixed {
    fn new() -> Self {
        Self {
            by_id: settings(true).gateway(),
            list: settings(false).gateway(),
            tokens: CUSTOMERS.iter().map(|(_, name)| token(name)).collect(),
            jwks: read("fixtures/keys/issuer.jwks.json").into_bytes(),
            rotated: read("fixtures/keys/issuer-rotated.jwks.json").into_bytes(),
        }
    }

    fn get() -> &'static Self {
        FIXED.with(|fixed| *fixed)
    }

    fn gateway(&self, by_id: bool) -> &Gateway {
        if by_id { &self.by_id } else { &self.list }
    }
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Mode {
    Answers,
    Fails,
    Hangs,
}

/// What the config API says of a customer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Says {
    Backend(u32),
    Malformed,
    Absent,
}

/// What an operator says of a customer, in a record of their own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Own {
    Backend(u32),
    Disabled,
    /// Something that cannot be used: it keeps the customer out, too.
    Malformed,
}

/// What an entry was from some instant on; `None` where it was not there.
type Version = (Timestamp, Option<Vec<u8>>);

/// How a load ended, for one who waits for it: well or not, or not yet.
type Landed = Rc<Cell<Option<bool>>>;

/// The outside of all isolates.
struct World {
    now: Cell<Timestamp>,
    dice: Cell<u64>,
    /// Whether nobody comes between a read of the store and the write behind it. Else two writers may
    /// cross, which a store without compare-and-set cannot keep them from.
    brisk_store: bool,
    /// How long sources take.
    latency: Cell<Span>,
    store: RefCell<HashMap<String, Vec<u8>>>,
    /// How far a location may lag behind the store.
    lag: Span,
    /// What each entry was from when on.
    versions: RefCell<HashMap<String, Vec<Version>>>,
    /// As of when each location last saw an entry: it never sees an older one again.
    seen: RefCell<HashMap<(usize, String), Timestamp>>,
    /// What operators said last.
    owned: RefCell<BTreeMap<&'static str, Own>>,
    modes: [Cell<Mode>; 3],
    api: RefCell<BTreeMap<&'static str, Says>>,
    rotated: Cell<bool>,
    /// When a scheduled refresh began or ended last.
    ran_at: Cell<Option<Timestamp>>,
    /// What was so from when on, by subject.
    history: RefCell<HashMap<String, Vec<(Timestamp, String)>>>,
    waiting: RefCell<HashMap<(usize, String), Vec<Landed>>>,
    /// Set by a future that can only go on at this instant, or when somebody lands.
    blocked: Cell<Option<Timestamp>>,
    calls: RefCell<Vec<Call>>,
    warnings: RefCell<Vec<String>>,
}

const STORE: usize = 0;
const CONFIG_API: usize = 1;
const ISSUER: usize = 2;

/// A call of the outside; without an end where whoever made it is gone.
#[derive(Clone, Debug)]
struct Call {
    what: String,
    began: Timestamp,
    ended: Option<Timestamp>,
}

impl World {
    fn new(seed: u64, brisk_store: bool) -> Self {
        Self::lagging(seed, brisk_store, Span::default())
    }

    fn lagging(seed: u64, brisk_store: bool, lag: Span) -> Self {
        let world = Self {
            now: Cell::new(noon()),
            dice: Cell::new(seed | 1),
            brisk_store,
            latency: Cell::default(),
            store: RefCell::default(),
            lag,
            versions: RefCell::default(),
            seen: RefCell::default(),
            owned: RefCell::default(),
            modes: std::array::from_fn(|_| Cell::new(Mode::Answers)),
            api: RefCell::default(),
            rotated: Cell::new(false),
            ran_at: Cell::default(),
            history: RefCell::default(),
            waiting: RefCell::default(),
            blocked: Cell::default(),
            calls: RefCell::default(),
            warnings: RefCell::default(),
        };
        for (index, (id, _)) in CUSTOMERS.iter().enumerate() {
            world.say(index, Says::Backend(0));
            world.put_key(index);
            world.remember(format!("own {id}"), "none");
        }
        world.remember("jwks".to_owned(), "good");
        world
    }

    /// xorshift64: what chance decides must be the same when a failing case is run again.
    fn throw(&self, sides: u64) -> u64 {
        let mut state = self.dice.get();
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        self.dice.set(state);
        (state >> 11) % sides
    }

    fn remember(&self, subject: String, state: &str) {
        self.history.borrow_mut().entry(subject).or_default().push((self.now.get(), state.to_owned()));
    }

    /// Whether that was so at some instant of a stretch of time.
    fn was(&self, subject: &str, state: &str, from: Timestamp, to: Timestamp) -> bool {
        let history = self.history.borrow();
        let Some(states) = history.get(subject) else { return false };
        states.iter().enumerate().any(|(index, (since, known))| {
            let until = states.get(index + 1).map_or(to, |(next, _)| *next);
            known == state && *since <= to && until >= from
        })
    }

    fn say(&self, customer: usize, says: Says) {
        let id = CUSTOMERS[customer].0;
        self.api.borrow_mut().insert(id, says);
        self.remember(format!("api {id}"), &format!("{says:?}"));
    }

    fn rotate(&self, rotated: bool) {
        self.rotated.set(rotated);
        self.remember("jwks".to_owned(), if rotated { "rotated" } else { "good" });
    }

    fn set(&self, name: String, value: Option<Vec<u8>>) {
        let version = (self.now.get(), value.clone());
        self.versions.borrow_mut().entry(name.clone()).or_default().push(version);
        match value {
            Some(value) => self.store.borrow_mut().insert(name, value),
            None => self.store.borrow_mut().remove(&name),
        };
    }

    /// The entry as a location sees it: as it was at some instant within the lag, and no earlier than that
    /// location has seen it before. Half of the time the location has a copy that is as old as it may be.
    fn seen_from(&self, location: usize, name: &str) -> Option<Vec<u8>> {
        if self.lag == Span::default() {
            return self.store.borrow().get(name).cloned();
        }
        let now = self.now.get();
        let oldest = Timestamp::from_millis(now.millis() - self.lag.millis()).max(noon());
        let mut seen = self.seen.borrow_mut();
        let before = seen.entry((location, name.to_owned())).or_default();
        let oldest = oldest.max(*before);
        let later = if self.throw(2) == 0 { 0 } else { self.throw(now.since(oldest).millis() + 1) };
        *before = oldest.plus(Span::from_millis(later));
        let versions = self.versions.borrow();
        let (_, value) = versions.get(name)?.iter().rev().find(|(since, _)| since <= before)?;
        value.clone()
    }

    fn put_key(&self, customer: usize) {
        let id = CUSTOMERS[customer].0;
        let record = format!(r#"{{"subject":"{id}","claims":{{"customerId":"{id}"}}}}"#);
        self.set(key_name(customer), Some(record.into_bytes()));
        self.remember(format!("key {id}"), "there");
    }

    fn revoke_key(&self, customer: usize) {
        self.set(key_name(customer), None);
        self.remember(format!("key {}", CUSTOMERS[customer].0), "revoked");
    }

    /// An operator writes or removes a record of their own.
    fn own(&self, customer: usize, own: Option<Own>) {
        let id = CUSTOMERS[customer].0;
        self.set(format!("customer:{id}"), own.map(|own| own_entry(id, own).into_bytes()));
        let state = own.map_or_else(|| "none".to_owned(), |own| format!("{own:?}"));
        self.remember(format!("own {id}"), &state);
        match own {
            Some(own) => self.owned.borrow_mut().insert(id, own),
            None => self.owned.borrow_mut().remove(id),
        };
    }

    /// A record of the config API as versions left it that had one name for both.
    fn leave_over(&self, customer: usize) {
        let id = CUSTOMERS[customer].0;
        let record = entry(id, 0).replace('}', &format!(r#","fetchedAt":"{}"}}"#, self.now.get()));
        self.set(format!("customer:{id}"), Some(record.into_bytes()));
    }

    /// What the operator said that has stood for a stretch of time, if nothing else was said in it.
    fn owned_throughout(&self, id: &str, from: Timestamp, to: Timestamp) -> Option<String> {
        let history = self.history.borrow();
        let states = history.get(&format!("own {id}"))?;
        let (since, state) = states.iter().rev().find(|(since, _)| *since <= to)?;
        (*since <= from && state != "none").then(|| state.clone())
    }

    /// Whether a location that lags may take that record for one that a refresh has just agreed with: the
    /// entry that vouches for all records can be seen there before the record that was written with it. It
    /// shows where no refresh had run for longer than `stale`, and for no longer than the lag.
    fn vouched_for(&self, record: &str, id: &str, from: Timestamp, to: Timestamp) -> bool {
        let since = Timestamp::from_millis(from.millis() - self.lag.millis());
        if self.lag == Span::default() || self.ran_at.get().is_none_or(|ran| ran < since) {
            return false;
        }
        let backend =
            record.split_once(r#""backendUrl""#).map_or(record, |(_, rest)| rest.trim_end_matches('}'));
        let versions = self.versions.borrow();
        let Some(versions) = versions.get(&format!("source:customer:{id}")) else { return false };
        versions.iter().enumerate().any(|(index, (written, value))| {
            let until = versions.get(index + 1).map_or(to, |(next, _)| *next);
            let text = value.as_deref().map(String::from_utf8_lossy);
            *written <= to && until >= since && text.is_some_and(|text| text.contains(backend))
        })
    }

    fn listed(&self) -> String {
        let api = self.api.borrow();
        let entries: Vec<_> = api.iter().filter_map(|(id, says)| api_entry(id, *says)).collect();
        format!("[{}]", entries.join(","))
    }

    /// What a call for a document finds.
    fn document(&self, url: &str) -> (u16, Vec<u8>) {
        if url == JWKS {
            let fixed = Fixed::get();
            return (200, if self.rotated.get() { fixed.rotated.clone() } else { fixed.jwks.clone() });
        }
        match url.strip_prefix(API).and_then(|rest| rest.strip_prefix('/')) {
            Some(id) => match api_entry(id, self.api.borrow()[id]) {
                Some(entry) => (200, entry.into_bytes()),
                None => (404, Vec::new()),
            },
            None => (200, self.listed().into_bytes()),
        }
    }

    /// Writes, and holds every writer to its promise: no name that an operator writes, and, where nobody can
    /// come between a writer's look and its writing, nothing older over a newer record.
    fn put(&self, name: &str, value: &str) {
        assert!(!name.starts_with("customer:"), "{name}: may be an operator's own record");
        let before = self.store.borrow().get(name).cloned();
        if let Some(before) = before.as_deref().filter(|_| self.brisk_store) {
            if name.starts_with("source:customer:") {
                let (before, after) = (fetched_at(before), fetched_at(value.as_bytes()));
                assert!(after >= before, "{name}: a newer record was lost: {before:?}, then {after:?}");
            }
            if name.starts_with("keyset:") {
                assert!(fetched_at(value.as_bytes()) >= fetched_at(before), "{name}: a newer set was lost");
            }
            if name == "source:customers" {
                let confirmed = |json: &[u8]| {
                    let state: serde_json::Value = serde_json::from_slice(json).unwrap();
                    Timestamp::parse_rfc3339(state["confirmedAt"].as_str().unwrap())
                };
                assert!(confirmed(value.as_bytes()) >= confirmed(before), "a newer run was un-confirmed");
            }
        }
        self.set(name.to_owned(), Some(value.as_bytes().to_vec()));
    }

    fn begin(&self, what: String) -> usize {
        let mut calls = self.calls.borrow_mut();
        calls.push(Call { what, began: self.now.get(), ended: None });
        calls.len() - 1
    }

    fn end(&self, call: usize) {
        self.calls.borrow_mut()[call].ended = Some(self.now.get());
    }

    fn calls_of(&self, what: &str) -> Vec<Call> {
        self.calls.borrow().iter().filter(|call| call.what == what).cloned().collect()
    }

    /// One step of a call: whoever waits for it is polled again, some time.
    async fn turn(&self) {
        let mut turned = false;
        poll_fn(|_| if std::mem::replace(&mut turned, true) { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    async fn until(&self, instant: Timestamp) {
        poll_fn(|_| {
            if self.now.get() >= instant {
                return Poll::Ready(());
            }
            self.blocked.set(Some(instant));
            Poll::Pending
        })
        .await;
    }

    /// A call of a source. It looks at some instant while it is under way, and is heard of later; one
    /// that takes longer than `timeout` has failed, whatever it did.
    async fn call<T>(
        &self,
        source: usize,
        what: String,
        timeout: Span,
        look: impl FnOnce() -> T,
    ) -> Result<T, SourceError> {
        let call = self.begin(what);
        let deadline = self.now.get().plus(timeout);
        let result = self.called(source, deadline, look).await;
        self.end(call);
        if self.now.get() > deadline { Err(SourceError("timed out".to_owned())) } else { result }
    }

    async fn called<T>(
        &self,
        source: usize,
        deadline: Timestamp,
        look: impl FnOnce() -> T,
    ) -> Result<T, SourceError> {
        let brisk = self.brisk_store && source == STORE;
        if !brisk {
            for _ in 0..self.throw(3) {
                self.turn().await;
            }
            self.until(self.now.get().plus(self.latency.get())).await;
        }
        match self.modes[source].get() {
            Mode::Answers => {}
            Mode::Fails => return Err(SourceError("failed".to_owned())),
            Mode::Hangs => {
                self.until(deadline).await;
                return Err(SourceError("timed out".to_owned()));
            }
        }
        if self.now.get() > deadline {
            return Err(SourceError("timed out".to_owned()));
        }
        let seen = look();
        if !brisk {
            for _ in 0..self.throw(3) {
                self.turn().await;
            }
        }
        Ok(seen)
    }
}

fn key_of(customer: usize) -> String {
    format!("key-of-{}", CUSTOMERS[customer].0)
}

fn key_name(customer: usize) -> String {
    format!("key:{}", Digest::of(key_of(customer).as_bytes()))
}

fn entry(id: &str, version: u32) -> String {
    format!(r#"{{"customerId":"{id}","backendUrl":"https://{id}-{version}.example.com"}}"#)
}

fn own_entry(id: &str, own: Own) -> String {
    match own {
        Own::Backend(version) => entry(id, version),
        Own::Disabled => entry(id, 0).replace('}', r#","disabled":true}"#),
        Own::Malformed => r#"{"disabled":true}"#.to_owned(),
    }
}

fn api_entry(id: &str, says: Says) -> Option<String> {
    match says {
        Says::Backend(version) => Some(entry(id, version)),
        Says::Malformed => Some(format!(r#"{{"customerId":"{id}","backendUrl":7}}"#)),
        Says::Absent => None,
    }
}

fn fetched_at(record: &[u8]) -> Option<Timestamp> {
    let record: serde_json::Value = serde_json::from_slice(record).unwrap();
    record.get("fetchedAt").map(|at| Timestamp::parse_rfc3339(at.as_str().unwrap()).unwrap())
}

/// The outside as one isolate sees it: who waits for a load waits for one of its own isolate.
struct Port<'w> {
    world: &'w World,
    isolate: usize,
}

impl Ports for Port<'_> {
    fn now(&self) -> Timestamp {
        self.world.now.get()
    }

    fn has_store(&self) -> bool {
        true
    }

    async fn stored(&self, key: &str, timeout: Span) -> Result<Option<Vec<u8>>, SourceError> {
        let look = || self.world.seen_from(self.isolate, key);
        self.world.call(STORE, format!("kv {key}"), timeout, look).await
    }

    async fn stored_many(&self, keys: &[String], timeout: Span) -> Result<Vec<Option<Vec<u8>>>, SourceError> {
        let look = || keys.iter().map(|key| self.world.seen_from(self.isolate, key)).collect();
        self.world.call(STORE, format!("kv {}", keys.join(" ")), timeout, look).await
    }

    async fn put_many(&self, entries: &[(String, String)], timeout: Span) -> Result<(), SourceError> {
        for (name, value) in entries {
            self.world.call(STORE, format!("put {name}"), timeout, || self.world.put(name, value)).await?;
        }
        Ok(())
    }

    async fn document(&self, request: DocumentRequest<'_>) -> Result<FetchedDocument, SourceError> {
        let source = if request.url == JWKS { ISSUER } else { CONFIG_API };
        let look = || {
            let (status, body) = self.world.document(request.url);
            let etag = Some(format!("\"{}\"", Digest::of(&body)));
            if request.etag.is_some() && request.etag == etag.as_deref() && status == 200 {
                return FetchedDocument { status: 304, body: Vec::new(), etag, ..FetchedDocument::default() };
            }
            FetchedDocument { status, body, etag, ..FetchedDocument::default() }
        };
        self.world.call(source, format!("get {}", request.url), request.timeout, look).await
    }

    async fn wait_for_load(&self, flight: &str, at_most: Span) -> LoadResult {
        let landing = Rc::new(Cell::new(None));
        let name = (self.isolate, flight.to_owned());
        self.world.waiting.borrow_mut().entry(name).or_default().push(Rc::clone(&landing));
        let deadline = self.world.now.get().plus(at_most);
        poll_fn(|_| match landing.get() {
            Some(true) => Poll::Ready(LoadResult::Done),
            Some(false) => Poll::Ready(LoadResult::Failed),
            None if self.world.now.get() >= deadline => Poll::Ready(LoadResult::Late),
            None => {
                self.world.blocked.set(Some(deadline));
                Poll::Pending
            }
        })
        .await
    }

    fn complete_load(&self, flight: &str, well: bool) {
        let waiting = self.world.waiting.borrow_mut().remove(&(self.isolate, flight.to_owned()));
        for landing in waiting.unwrap_or_default() {
            landing.set(Some(well));
        }
    }

    async fn verify(
        &self,
        key: &PublicKey,
        algorithm: Algorithm,
        signing_input: &str,
        signature: &[u8],
    ) -> Result<bool, VerifyError> {
        for _ in 0..self.world.throw(3) {
            self.world.turn().await;
        }
        native::verify(key, algorithm, signing_input, signature)
    }

    fn note(&self, event: &str, what: &str) {
        self.warn(event, what);
    }

    fn warn(&self, event: &str, what: &str) {
        self.world.warnings.borrow_mut().push(format!("{} {event}: {what}", self.now()));
    }
}

struct Isolate<'w> {
    gateway: &'static Gateway,
    memory: RefCell<Memory>,
    port: Port<'w>,
}

impl Isolate<'_> {
    fn loader(&self) -> Loader<'_, Port<'_>> {
        Loader::new(self.gateway, &self.memory, &self.port)
    }
}

fn isolates(world: &World, by_id: bool) -> [Isolate<'_>; 2] {
    let gateway = Fixed::get().gateway(by_id);
    [0, 1].map(|isolate| Isolate {
        gateway,
        memory: RefCell::new(Memory::new(gateway, 7 + isolate as u64)),
        port: Port { world, isolate },
    })
}

/// Who calls, and how.
#[derive(Clone, Copy, Debug)]
struct Caller {
    isolate: usize,
    customer: usize,
    by_token: bool,
    hybrid: bool,
}

/// What came of a request.
#[derive(Clone, Debug)]
struct Request {
    caller: Caller,
    began: Timestamp,
    /// The URL that is called, or why none is.
    ended: Option<(Timestamp, String)>,
    /// The client has gone: what is loaded is loaded, but nothing is done behind a response.
    left: bool,
    /// The runtime has ended all that this request did.
    dropped: bool,
}

enum Work {
    Request(usize, String, Deferred),
    Behind,
}

struct Task<'a> {
    future: Pin<Box<dyn Future<Output = Work> + 'a>>,
    request: Option<usize>,
    isolate: usize,
    blocked: Option<Timestamp>,
}

/// Whether the scheduled refresh is among what happens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Cron {
    /// No.
    Never,
    /// Yes, over a list whose every entry can be read, where nobody is taken from list or store.
    Upright,
    /// Yes, whatever is listed.
    Whatever,
}

/// The scheduler: what runs, and what has come of it.
struct Run<'a> {
    world: &'a World,
    isolates: &'a [Isolate<'a>; 2],
    cron: Cron,
    tasks: Vec<Task<'a>>,
    requests: Vec<Request>,
}

impl<'a> Run<'a> {
    fn new(world: &'a World, isolates: &'a [Isolate<'a>; 2], cron: Cron) -> Self {
        Self { world, isolates, cron, tasks: Vec::new(), requests: Vec::new() }
    }

    fn arrive(&mut self, caller: Caller) {
        let index = self.requests.len();
        let began = self.world.now.get();
        self.requests.push(Request { caller, began, ended: None, left: false, dropped: false });
        let isolate = &self.isolates[caller.isolate];
        let future = Box::pin(async move {
            let (result, deferred) = request(isolate, caller).await;
            Work::Request(index, result, deferred)
        });
        self.tasks.push(Task { future, request: Some(index), isolate: caller.isolate, blocked: None });
    }

    fn behind(&mut self, isolate: usize, future: impl Future<Output = ()> + 'a) {
        let future = Box::pin(async move {
            future.await;
            Work::Behind
        });
        self.tasks.push(Task { future, request: None, isolate, blocked: None });
    }

    fn refresh_all(&mut self, isolate: usize) {
        let Isolate { gateway, memory, port } = &self.isolates[isolate];
        let refresh = ScheduledRefresh::new(gateway, memory, port);
        let world = self.world;
        world.ran_at.set(Some(world.now.get()));
        self.behind(isolate, async move {
            refresh.run().await;
            world.ran_at.set(Some(world.now.get()));
        });
    }

    /// The part of the scheduled refresh that is about customers.
    fn refresh_customers(&mut self, isolate: usize) {
        let Isolate { gateway, memory, port } = &self.isolates[isolate];
        let refresh = CustomerRefresh::of(gateway, memory, port).expect("a config API");
        self.behind(isolate, async move {
            refresh.run().await.expect("the run succeeds");
        });
    }

    /// An operator opens a customer's record in the console, and switches what stands there off or on. What
    /// they see may be old; what they write is their own. The location is none of a gateway's.
    fn edit(&mut self, customer: usize) {
        let (world, id) = (self.world, CUSTOMERS[customer].0);
        self.behind(0, async move {
            let look = || world.seen_from(2, &format!("customer:{id}"));
            let Ok(seen) = world.call(STORE, "console".to_owned(), STORE_TIMEOUT, look).await else { return };
            let Some(seen) = seen.filter(|seen| fetched_at(seen).is_none()) else { return };
            let seen: serde_json::Value = serde_json::from_slice(&seen).unwrap();
            world.turn().await;
            let next = if seen["disabled"] == true { Own::Backend(0) } else { Own::Disabled };
            world.own(customer, Some(next));
        });
    }

    /// Does what the edge does behind a response: each refresh by itself, and the writes.
    fn defer(&mut self, isolate: usize, deferred: Deferred) {
        for refresh in deferred.refreshes {
            let loader = self.isolates[isolate].loader();
            self.behind(isolate, async move {
                for write in &loader.refresh(&refresh).await.writes {
                    loader.write(write).await;
                }
            });
        }
        if !deferred.writes.is_empty() {
            let loader = self.isolates[isolate].loader();
            self.behind(isolate, async move {
                for write in &deferred.writes {
                    loader.write(write).await;
                }
            });
        }
    }

    /// Polls one task; true where that got it anywhere.
    fn poll(&mut self, index: usize) -> bool {
        let task = &mut self.tasks[index];
        self.world.blocked.set(None);
        let polled = task.future.as_mut().poll(&mut TaskContext::from_waker(Waker::noop()));
        task.blocked = self.world.blocked.get();
        let Poll::Ready(work) = polled else { return task.blocked.is_none() };
        let task = self.tasks.swap_remove(index);
        if let Work::Request(request, result, deferred) = work {
            self.requests[request].ended = Some((self.world.now.get(), result));
            if !self.requests[request].left {
                self.defer(task.isolate, deferred);
            }
        }
        true
    }

    /// Ends a task as the runtime may: it is never polled again.
    fn drop_task(&mut self, index: usize) {
        let task = self.tasks.swap_remove(index);
        if let Some(request) = task.request {
            self.requests[request].dropped = true;
        }
    }

    /// Polls until whatever is left waits for the clock.
    fn settle(&mut self) {
        let mut polls = 0;
        loop {
            let mut moved = false;
            let mut index = 0;
            while index < self.tasks.len() {
                let before = self.tasks.len();
                moved |= self.poll(index);
                // A task that ended gave its place to another.
                index += usize::from(self.tasks.len() >= before);
                polls += 1;
                assert!(polls < 100_000, "some task never comes to rest");
            }
            if !moved {
                return;
            }
        }
    }

    /// Lets time pass as it does where nobody is starved: every timer goes off when it is due.
    fn pass(&mut self, span: Span) {
        let target = self.world.now.get().plus(span);
        self.settle();
        while let Some(next) = self.tasks.iter().filter_map(|task| task.blocked).min()
            && next <= target
        {
            self.world.now.set(next);
            self.settle();
        }
        self.world.now.set(target);
        self.settle();
    }

    /// Until nothing is under way any more.
    fn finish(&mut self) {
        for _ in 0..10_000 {
            self.settle();
            match self.tasks.iter().filter_map(|task| task.blocked).min() {
                Some(next) => self.world.now.set(self.world.now.get().max(next)),
                None => return,
            }
        }
        panic!("some task never ends");
    }

    /// What a caller is told when nobody else is about.
    fn ask(&mut self, caller: Caller) -> String {
        let index = self.requests.len();
        self.arrive(caller);
        self.finish();
        self.requests[index].ended.clone().expect("ended").1
    }
}

/// As the edge: decides, and loads what that takes.
async fn request(isolate: &Isolate<'_>, caller: Caller) -> (String, Deferred) {
    let credential = match caller.by_token {
        true => Fixed::get().tokens[caller.customer].clone(),
        false => key_of(caller.customer),
    };
    let fields = TestFields {
        fields: vec![("authorization".to_owned(), bearer(&credential))],
        ..TestFields::default()
    };
    let policy = isolate.gateway.fields();
    let seen = fields
        .fields
        .iter()
        .fold(PresentFields::default(), |seen, (name, _)| seen.and(policy.judge(name).seen));
    let url = format!("https://gateway.example.com/{}/x", if caller.hybrid { "hybrid" } else { "customer" });
    let target = RequestTarget::parse(&url).unwrap();
    let head = Head { method: "GET", target, seen, fields: &fields, request_id: "request-1" };
    let now = isolate.port.now();
    let decision =
        isolate.gateway.decide(&head, &mut isolate.memory.borrow_mut(), &LoadedForRequest::default(), now);
    let Decision { outcome, deferred, .. } = match decision {
        Decision { outcome: Outcome::Load(need, claim), deferred, .. } => {
            isolate.loader().decide(&head, LoadedForRequest::default(), need, claim, deferred).await
        }
        decided => decided,
    };
    let result = match outcome {
        Outcome::Forward(forward) => forward.sending.url().to_owned(),
        Outcome::Answer(answer) => answer.refusal.map_or("?", |refusal| refusal.id()).to_owned(),
        Outcome::Load(..) => panic!("undecided"),
    };
    (result, deferred)
}

fn backend(customer: usize, version: u32, hybrid: bool) -> String {
    let id = CUSTOMERS[customer].0;
    format!("https://{id}-{version}.example.com/{}/x", if hybrid { "hybrid" } else { "customer" })
}

/// Holds an answer to what the sources said: nobody gets another's backend or one that was long
/// withdrawn, and nobody is called unknown because a source failed.
fn judge(world: &World, request: &Request) -> Result<(), TestCaseError> {
    let Some((ended, result)) = &request.ended else { return Ok(()) };
    let Caller { customer, by_token, hybrid, .. } = request.caller;
    let id = CUSTOMERS[customer].0;
    let before = |span: Span| Timestamp::from_millis(request.began.millis() - span.plus(world.lag).millis());
    let was = |subject: String, state: &str, span: Span| world.was(&subject, state, before(span), *ended);
    let api_said = |says: Says, span| was(format!("api {id}"), &format!("{says:?}"), span);
    let operator_said = |own: Own| was(format!("own {id}"), &format!("{own:?}"), CUSTOMER_STALE);
    // What an operator said, and what has had the time to be seen everywhere and to replace what was kept,
    // is all that counts: promise 60.
    let decided = world.owned_throughout(id, before(CUSTOMER_STALE.plus(LONGEST_LOAD)), *ended);
    if let Some(own) = decided.filter(|_| !is_about_credentials_or_outages(result)) {
        let right = match own.strip_prefix("Backend(").and_then(|rest| rest.strip_suffix(')')) {
            Some(version) => result.starts_with(&format!("https://{id}-{version}.")),
            None if own == "Disabled" => result == "customer_disabled",
            None => result == "customer_record_malformed",
        };
        prop_assert!(right, "{request:?}: the operator's own record says {own}");
    }
    if let Some(rest) = result.strip_prefix("https://") {
        let identified = match by_token {
            true => was("jwks".to_owned(), "good", KEY_STALE),
            false => was(format!("key {id}"), "there", KEY_STALE),
        };
        prop_assert!(identified, "{request:?}: let in by a credential that counted no more");
        if rest.starts_with("shared.") {
            prop_assert!(hybrid && api_said(Says::Absent, NEGATIVE), "{request:?}: is no stranger");
            return Ok(());
        }
        let version = rest.strip_prefix(id).and_then(|rest| rest.strip_prefix('-'));
        let version: Option<u32> = version.and_then(|rest| rest.split('.').next()?.parse().ok());
        let Some(version) = version else {
            return Err(TestCaseError::fail(format!("{request:?}: went to another's backend")));
        };
        let said = api_said(Says::Backend(version), CUSTOMER_STALE)
            || operator_said(Own::Backend(version))
            || world.vouched_for(&entry(id, version), id, request.began, *ended);
        prop_assert!(said, "{request:?}: nobody said so in time");
        return Ok(());
    }
    let right = match result.as_str() {
        "key_store_unavailable" => !by_token,
        "key_set_unavailable" => by_token,
        "customer_source_unavailable" => true,
        "api_key_unknown" => !by_token && was(format!("key {id}"), "revoked", NEGATIVE),
        "token_key_unknown" => by_token && was("jwks".to_owned(), "rotated", KEY_STALE),
        "customer_unknown" => !hybrid && api_said(Says::Absent, NEGATIVE),
        // Who was known and is listed no more, or is kept out by an operator.
        "customer_disabled" => api_said(Says::Absent, CUSTOMER_STALE) || operator_said(Own::Disabled),
        "customer_record_malformed" => api_said(Says::Malformed, NEGATIVE) || operator_said(Own::Malformed),
        _ => false,
    };
    prop_assert!(right, "{request:?}: nothing that the sources said explains this");
    Ok(())
}

/// Whether a request ended before its customer was known.
fn is_about_credentials_or_outages(result: &str) -> bool {
    result.ends_with("_unavailable") || result.starts_with("api_key_") || result.starts_with("token_")
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn caller(isolates: usize) -> impl Strategy<Value = Caller> {
    (0..isolates, 0..CUSTOMERS.len(), any::<bool>(), any::<bool>())
        .prop_map(|(isolate, customer, by_token, hybrid)| Caller { isolate, customer, by_token, hybrid })
}

proptest! {
    #![proptest_config(config(200))]

    /// However many ask at once and in whatever order they get on: each thing is loaded once.
    #[test]
    fn a_cold_herd_loads_each_thing_once(
        by_id in any::<bool>(),
        callers in prop::collection::vec(caller(1), 2..14),
        steps in prop::collection::vec(any::<u16>(), 0..120),
        seed in any::<u64>(),
    ) {
        let world = World::new(seed, false);
        let isolates = isolates(&world, by_id);
        let mut run = Run::new(&world, &isolates, Cron::Never);
        let mut coming = callers.iter();
        for step in steps {
            // Far less than any lease, all together.
            world.now.set(world.now.get().plus(Span::from_millis(u64::from(step % 4))));
            match coming.next() {
                Some(caller) if step % 3 == 0 || run.tasks.is_empty() => run.arrive(*caller),
                _ if run.tasks.is_empty() => {}
                _ => { run.poll(usize::from(step >> 2) % run.tasks.len()); }
            }
        }
        coming.for_each(|caller| run.arrive(*caller));
        run.finish();
        let arrived = |wanted: &dyn Fn(&Request) -> bool| run.requests.iter().any(wanted);
        for request in &run.requests {
            let own = backend(request.caller.customer, 0, request.caller.hybrid);
            prop_assert_eq!(&request.ended.as_ref().expect("ended").1, &own);
        }
        for (customer, (id, _)) in CUSTOMERS.iter().enumerate() {
            let by_key = arrived(&|request| request.caller.customer == customer && !request.caller.by_token);
            prop_assert_eq!(world.calls_of(&format!("kv {}", key_name(customer))).len(), usize::from(by_key));
            let asked = arrived(&|request| request.caller.customer == customer);
            let gets = world.calls_of(&format!("get {API}/{id}")).len();
            prop_assert_eq!(gets, usize::from(asked && by_id));
            // Once to look for it, under both names, and once more before what was loaded is written.
            for call in ["kv customer:{id} source:customer:{id}", "kv source:customer:{id}", "put source:customer:{id}"] {
                prop_assert_eq!(world.calls_of(&call.replace("{id}", id)).len(), usize::from(asked), "{}", call);
            }
            prop_assert_eq!(world.calls_of(&format!("kv customer:{id}")).len(), 0);
        }
        prop_assert_eq!(world.calls_of(&format!("get {API}")).len(), usize::from(!by_id));
        let tokens = arrived(&|request| request.caller.by_token);
        prop_assert_eq!(world.calls_of(&format!("get {JWKS}")).len(), usize::from(tokens));
    }
}

/// What happens between two looks at the clock, where time is told exactly.
#[derive(Clone, Copy, Debug)]
enum Step {
    Arrives,
    /// The runtime ends the n-th task under way, and nobody hears of it again.
    Departs(usize),
    Passes(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Arrives),
        1 => (0usize..8).prop_map(Step::Departs),
        3 => prop_oneof![0u64..200, 0u64..4000].prop_map(Step::Passes)
    ]
}

/// The longest that one request can take whose leaders all depart: two leases for each thing that it
/// needs, and then a load of its own.
fn longest(gateway: &Gateway, by_id: bool, by_token: bool) -> Span {
    let keys = gateway.api_keys().expect("keys").policy().lease;
    let issuer = gateway.issuers()[0].policy.lease;
    let customers = gateway.customers().expect("customers").policy.lease;
    let credential = match by_token {
        true => issuer.plus(issuer).plus(STORE_TIMEOUT).plus(SOURCE_TIMEOUT),
        false => keys.plus(keys).plus(STORE_TIMEOUT),
    };
    let load = STORE_TIMEOUT.plus(STORE_TIMEOUT).plus(SOURCE_TIMEOUT);
    // Whoever loads a customer out of the list may wait for that as others wait for the customer.
    let list = if by_id { Span::default() } else { customers.plus(customers) };
    credential.plus(customers).plus(customers).plus(list).plus(load)
}

proptest! {
    #![proptest_config(config(200))]

    /// Whoever loads may be gone before it has loaded: the others take over, and none waits for ever.
    #[test]
    fn who_departs_holds_nobody_up_for_ever(
        by_id in any::<bool>(),
        by_token in any::<bool>(),
        latency in 0u64..450,
        steps in prop::collection::vec(step(), 1..40),
        seed in any::<u64>(),
    ) {
        let world = World::new(seed, false);
        world.latency.set(Span::from_millis(latency));
        let isolates = isolates(&world, by_id);
        let gateway = isolates[0].gateway;
        let mut run = Run::new(&world, &isolates, Cron::Never);
        let caller = Caller { isolate: 0, customer: 0, by_token, hybrid: true };
        let mut departed = 0;
        for step in steps {
            match step {
                Step::Arrives => run.arrive(caller),
                Step::Departs(which) if which < run.tasks.len() => {
                    run.drop_task(which);
                    departed += 1;
                }
                Step::Departs(_) => {}
                Step::Passes(millis) => run.pass(Span::from_millis(millis)),
            }
        }
        run.finish();
        let longest = longest(gateway, by_id, by_token);
        for request in run.requests.iter().filter(|request| !request.dropped) {
            let (ended, result) = request.ended.as_ref().expect("ended");
            prop_assert!(ended.since(request.began) <= longest, "{request:?} took longer than {longest}");
            // A request that waited for two who departed gives up; nobody takes it for a stranger.
            let gave_up = result.ends_with("_unavailable") && departed >= 2;
            prop_assert!(gave_up || *result == backend(0, 0, true), "{request:?} after {departed} departures");
        }
        // One load, one more for each who departed, and refreshes: each of them a lease after another.
        let customers = gateway.customers().expect("customers").policy.lease;
        for (what, lease) in [
            (format!("kv {}", key_name(0)), gateway.api_keys().expect("keys").policy().lease),
            (format!("get {JWKS}"), gateway.issuers()[0].policy.lease),
            (format!("get {API}"), customers),
            (format!("get {API}/acme-corp"), customers),
        ] {
            let calls = world.calls_of(&what);
            let unended = calls.iter().filter(|call| call.ended.is_none()).count();
            prop_assert!(unended <= departed, "{what}: {calls:?}");
            let (Some(first), Some(last)) = (calls.first(), calls.last()) else { continue };
            let leases = usize::try_from(last.began.since(first.began).millis() / lease.min(REFRESHED).millis()).unwrap();
            prop_assert!(calls.len() <= 1 + departed + leases, "{what}: {calls:?}");
        }
    }
}

/// Who takes the lease on a refresh and then has to wait for something else may come to it long after the
/// lease is over, when somebody else has taken it too.
#[test]
fn refreshes_that_were_put_off_do_not_run_side_by_side() {
    let world = World::new(1, false);
    world.latency.set(Span::from_millis(450));
    let isolates = isolates(&world, true);
    let mut run = Run::new(&world, &isolates, Cron::Never);
    let caller = Caller { isolate: 0, customer: 0, by_token: false, hybrid: true };
    // The key is loaded; whoever loads the customer departs, with a lease up to 3.45 s.
    run.arrive(caller);
    run.pass(Span::from_millis(1_000));
    run.drop_task(0);
    // The key is due for a refresh, whose lease is over after 1.5 s; both wait for the customer longer.
    run.pass(Span::from_millis(1_100));
    run.arrive(caller);
    run.pass(Span::from_millis(1_600));
    run.arrive(caller);
    run.finish();
    let loads = world.calls_of(&format!("kv {}", key_name(0)));
    for pair in loads.windows(2) {
        assert!(pair[0].ended.is_some_and(|ended| ended <= pair[1].began), "{loads:?}");
    }
}

/// A request that took a customer out of an older list writes its record in the same moment as a run that
/// has the newer one. The run's index says that the newer one stands there, so no later run looks again.
#[test]
fn who_crosses_with_a_run_is_put_right_by_the_next() {
    let world = World::new(1, false);
    world.latency.set(Span::from_millis(400));
    let isolates = isolates(&world, false);
    let mut run = Run::new(&world, &isolates, Cron::Never);
    let caller = |customer| Caller { isolate: 0, customer, by_token: false, hybrid: false };
    // The isolate has the list, and then it changes.
    assert_eq!(run.ask(caller(1)), backend(1, 0, false));
    world.say(0, Says::Backend(1));
    // State, list, index and records under both names are read; the first record is written after 2.4 s.
    run.refresh_customers(1);
    run.pass(Span::from_millis(900));
    // Its key and its record are read; it is looked for again up to 2.1 s and written at 2.5 s.
    run.arrive(caller(0));
    run.finish();
    let stands = world.store.borrow()["source:customer:acme-corp"].clone();
    assert!(String::from_utf8(stands).unwrap().contains("acme-corp-0"), "they crossed");
    world.latency.set(Span::default());
    let mut last = String::new();
    for _ in 0..60 {
        run.pass(Span::from_secs(60));
        run.refresh_customers(1);
        run.finish();
        last = run.ask(caller(0));
    }
    assert_eq!(last, backend(0, 1, false), "after an hour of runs");
}

/// What may happen while requests are under way.
#[derive(Clone, Copy, Debug)]
enum Event {
    Polls(usize),
    Arrives(Caller),
    /// The clock goes on while nobody is polled, as far as it takes.
    Jumps(u64),
    /// Time passes and every timer goes off in it.
    Passes(u64),
    Leaves(usize),
    Departs(usize),
    Source(usize, Mode),
    Says(usize, Says),
    Rotates(bool),
    Revokes(usize),
    Mints(usize),
    /// An operator's command writes or removes a record.
    Owns(usize, Option<Own>),
    /// An operator edits a record in the console.
    Edits(usize),
    Cron(usize),
}

fn event() -> impl Strategy<Value = Event> {
    let customer = 0..CUSTOMERS.len();
    let mode = prop_oneof![3 => Just(Mode::Answers), 1 => Just(Mode::Fails), 1 => Just(Mode::Hangs)];
    let says = prop_oneof![
        3 => (1u32..1000).prop_map(Says::Backend),
        1 => Just(Says::Malformed),
        2 => Just(Says::Absent)
    ];
    let own = prop_oneof![(1000u32..2000).prop_map(Own::Backend), Just(Own::Disabled), Just(Own::Malformed)];
    prop_oneof![
        24 => (0usize..64).prop_map(Event::Polls),
        8 => caller(2).prop_map(Event::Arrives),
        3 => prop_oneof![0u64..50, 0u64..2_000].prop_map(Event::Jumps),
        4 => prop_oneof![0u64..500, 0u64..5_000, 0u64..30_000, 0u64..120_000].prop_map(Event::Passes),
        1 => (0usize..16).prop_map(Event::Leaves),
        1 => (0usize..16).prop_map(Event::Departs),
        2 => (0usize..3, mode).prop_map(|(source, mode)| Event::Source(source, mode)),
        3 => (customer.clone(), says).prop_map(|(customer, says)| Event::Says(customer, says)),
        1 => any::<bool>().prop_map(Event::Rotates),
        1 => customer.clone().prop_map(Event::Revokes),
        1 => customer.clone().prop_map(Event::Mints),
        2 => (customer.clone(), prop::option::of(own)).prop_map(|(customer, own)| Event::Owns(customer, own)),
        1 => customer.prop_map(Event::Edits),
        1 => (0usize..2).prop_map(Event::Cron)
    ]
}

fn happens(run: &mut Run<'_>, event: Event) {
    let world = run.world;
    match event {
        Event::Polls(which) if !run.tasks.is_empty() => {
            run.poll(which % run.tasks.len());
        }
        Event::Polls(_) => {}
        Event::Arrives(caller) => run.arrive(caller),
        Event::Jumps(millis) => world.now.set(world.now.get().plus(Span::from_millis(millis))),
        Event::Passes(millis) => run.pass(Span::from_millis(millis)),
        Event::Leaves(which) => {
            if let Some(request) = run.tasks.get(which).and_then(|task| task.request) {
                run.requests[request].left = true;
            }
        }
        Event::Departs(which) if which < run.tasks.len() => run.drop_task(which),
        Event::Departs(_) => {}
        Event::Source(source, mode) => world.modes[source].set(mode),
        Event::Says(_, Says::Malformed | Says::Absent) if run.cron == Cron::Upright => {}
        Event::Says(customer, says) => world.say(customer, says),
        Event::Rotates(rotated) => world.rotate(rotated),
        Event::Revokes(customer) => world.revoke_key(customer),
        Event::Mints(customer) => world.put_key(customer),
        Event::Owns(customer, own) => world.own(customer, own),
        Event::Edits(customer) => run.edit(customer),
        Event::Cron(_) if run.cron == Cron::Never => {}
        Event::Cron(isolate) => run.refresh_all(isolate),
    }
}

/// Whatever happened: once all sources answer again, it is forgotten, and everybody is where the sources
/// say, in each isolate.
fn heals(run: &mut Run<'_>) -> Result<(), TestCaseError> {
    let world = run.world;
    world.modes.iter().for_each(|mode| mode.set(Mode::Answers));
    run.finish();
    world.rotate(false);
    for (index, (id, _)) in CUSTOMERS.iter().enumerate() {
        world.put_key(index);
        let said = world.api.borrow()[id];
        if said == Says::Malformed {
            world.say(index, Says::Backend(1));
        }
    }
    for isolate in 0..2 {
        for (customer, (id, _)) in CUSTOMERS.iter().enumerate() {
            let caller = Caller { isolate, customer, by_token: customer % 2 == 0, hybrid: false };
            let mut last = String::new();
            for _ in 0..4 {
                // Beyond the longest pause of a source that failed, and until all locations see the same.
                run.pass(Span::from_secs(10).plus(world.lag));
                last = run.ask(caller);
            }
            let own = world.owned.borrow().get(id).copied();
            if let Some(own) = own {
                let stored = world.store.borrow().get(&format!("customer:{id}")).cloned();
                prop_assert_eq!(
                    stored,
                    Some(own_entry(id, own).into_bytes()),
                    "an operator's own record was lost"
                );
            }
            let says = world.api.borrow()[id];
            let right = match (own, says) {
                (Some(Own::Backend(version)), _) => last == backend(customer, version, false),
                (Some(Own::Disabled), _) => last == "customer_disabled",
                (Some(Own::Malformed), _) => last == "customer_record_malformed",
                (None, Says::Backend(version)) => last == backend(customer, version, false),
                (None, _) => last == "customer_disabled" || last == "customer_unknown",
            };
            prop_assert!(right, "{id}: ends as {last}, and the API says {says:?}");
        }
    }
    Ok(())
}

fn anything_goes(
    by_id: bool,
    cron: Cron,
    brisk_store: bool,
    lag: Span,
    events: &[Event],
    seed: u64,
) -> Result<(), TestCaseError> {
    let world = World::lagging(seed, brisk_store, lag);
    for customer in 0..CUSTOMERS.len() {
        if world.throw(3) == 0 {
            world.leave_over(customer);
        }
    }
    let isolates = isolates(&world, by_id);
    let mut run = Run::new(&world, &isolates, cron);
    for event in events {
        happens(&mut run, *event);
    }
    run.finish();
    for request in &run.requests {
        prop_assert!(request.dropped || request.ended.is_some());
        judge(&world, request)?;
    }
    heals(&mut run)
}

proptest! {
    #![proptest_config(config(200))]

    /// Nobody comes between a writer's look at the store and its writing: then no order of loads loses a
    /// newer record or an operator's own ([`World::put`]).
    #[test]
    fn whatever_happens_answers_are_true_and_newer_records_stay(
        by_id in any::<bool>(),
        cron in prop_oneof![Just(Cron::Never), Just(Cron::Upright)],
        events in prop::collection::vec(event(), 1..160),
        seed in any::<u64>(),
    ) {
        anything_goes(by_id, cron, true, Span::default(), &events, seed)?;
    }

    /// With a store as it is, without compare-and-set: writers may cross, and it comes right again.
    #[test]
    fn whatever_happens_answers_are_true_also_where_writers_cross(
        by_id in any::<bool>(),
        cron in prop_oneof![Just(Cron::Never), Just(Cron::Upright)],
        events in prop::collection::vec(event(), 1..160),
        seed in any::<u64>(),
    ) {
        anything_goes(by_id, cron, false, Span::default(), &events, seed)?;
    }

    /// The same with a scheduled refresh over lists from which customers are taken, and with entries that
    /// cannot be read.
    #[test]
    fn whatever_happens_answers_are_true_also_where_the_list_is_odd(
        by_id in any::<bool>(),
        events in prop::collection::vec(event(), 1..160),
        seed in any::<u64>(),
    ) {
        anything_goes(by_id, Cron::Whatever, true, Span::default(), &events, seed)?;
    }

    /// With locations that see the store as it was up to a minute ago: nothing that the config API or a
    /// refresh says replaces an operator's own record, or outlives it being seen.
    #[test]
    fn an_operators_own_record_stands_also_where_locations_lag(
        by_id in any::<bool>(),
        cron in prop_oneof![Just(Cron::Never), Just(Cron::Upright), Just(Cron::Whatever)],
        events in prop::collection::vec(event(), 1..160),
        seed in any::<u64>(),
    ) {
        anything_goes(by_id, cron, false, LAG, &events, seed)?;
    }

    /// While its sources fail, what is known is used up to its time, by everybody alike, and then by
    /// nobody: no order of requests brings an expired entry back.
    #[test]
    fn what_has_expired_does_not_come_back(
        by_token in any::<bool>(),
        steps in prop::collection::vec((any::<u8>(), 0u64..1500), 10..120),
        failing in prop::collection::vec(any::<bool>(), 3),
        seed in any::<u64>(),
    ) {
        let world = World::new(seed, false);
        let isolates = isolates(&world, true);
        let mut run = Run::new(&world, &isolates, Cron::Never);
        let caller = Caller { isolate: 0, customer: 0, by_token, hybrid: true };
        prop_assert_eq!(run.ask(caller), backend(0, 0, true));
        for (mode, fails) in world.modes.iter().zip(failing) {
            mode.set(if fails { Mode::Fails } else { Mode::Hangs });
        }
        for (poll, millis) in steps {
            match poll % 4 {
                0 => run.arrive(caller),
                1 => run.pass(Span::from_millis(millis)),
                _ if run.tasks.is_empty() => {}
                _ => { run.poll(usize::from(poll >> 2) % run.tasks.len()); }
            }
        }
        run.finish();
        let mut ended: Vec<_> = run.requests.iter().filter_map(|request| request.ended.clone()).collect();
        ended.sort_by_key(|(at, _)| *at);
        let known_since = noon();
        for (at, result) in &ended {
            let age = at.since(known_since);
            let forwarded = result.starts_with("https://acme-corp-0.");
            // Loads that began while it could be used may end after that, by a timeout each.
            prop_assert!(!forwarded || age < KEY_STALE, "{ended:?}");
            prop_assert!(forwarded || result.ends_with("_unavailable"), "{result}");
            prop_assert!(forwarded || age >= KEY_STALE, "{at}: refused too early: {ended:?}");
        }
    }
}

/// No refresh had run for longer than `stale`. The entry that vouches for all records is seen before the record
/// that the refresh has just written, which KV's minute ends: docs/kv-schema.md.
#[test]
fn a_location_that_lags_may_vouch_for_what_a_refresh_has_just_replaced() {
    let caller = Caller { isolate: 1, customer: 0, by_token: false, hybrid: false };
    let events = [
        Event::Cron(0),
        Event::Passes(0),
        Event::Polls(0),
        Event::Says(0, Says::Backend(1)),
        Event::Polls(0),
        Event::Passes(83_001),
        Event::Cron(1),
        Event::Passes(1_000),
        Event::Arrives(caller),
        Event::Polls(0),
        Event::Polls(0),
    ];
    for seed in 0..200 {
        anything_goes(false, Cron::Upright, false, LAG, &events, seed).unwrap();
    }
}
