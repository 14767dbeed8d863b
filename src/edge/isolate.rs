//! What lives as long as the isolate: the checked configuration and the caches.

use std::{
    cell::{Cell, OnceCell, RefCell},
    rc::Rc,
};

use pointsman_checked::{Fault, Started, Variable, Variables};
use pointsman_core::{
    base::{
        digest::Digest,
        time::{Span, Timestamp},
    },
    forward::{assertion::Assertions, failover::Watched},
    http::head::{MAX_FIELDS, PresentFields, RequestIds},
    state::{
        config::{Gateway, KeyRing},
        directory::Directory,
        memory::Memory,
        telemetry::Telemetry,
    },
};
use pointsman_loader::loader::Loader;
use wasm_bindgen::prelude::Closure;
use worker::Env;

use super::{
    outside::{self, Outside},
    platform,
};
use crate::wire::{self, AttemptReport, AttemptStart};

thread_local! {
    /// From the loading of the module to the first request, which takes it.
    static PREPARED: Cell<Option<Prepared>> = const { Cell::new(None) };
    static ISOLATE: OnceCell<Rc<Isolate>> = const { OnceCell::new() };
}

/// An isolate as far as it can be made without a request: the platform has no random numbers before the
/// first one, and loses what is logged.
pub(super) struct Prepared {
    /// The configuration, or why there is none.
    read: Result<Started, Vec<Fault>>,
    /// Whether a ledger is bound, so that the isolate follows the directory.
    follows: bool,
    /// Whether a dataset for metrics is bound.
    measures: bool,
}

/// What the lines of successful requests have beside what was decided.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Told {
    /// Nothing.
    Nothing,
    /// The beginning of the key's digest, which a point of metrics needs.
    Key,
    /// All details.
    Details,
}

/// Configuration and memory.
pub(super) struct Isolate {
    /// `None` where the configuration cannot be used; why has been logged.
    pub(super) ready: Option<Ready>,
    pub(super) told: Told,
    ids: RefCell<RequestIds>,
}

/// What requests are decided with.
pub(super) struct Ready {
    pub(super) gateway: Gateway,
    pub(super) memory: RefCell<Memory>,
}

impl Ready {
    /// Notes that a request is sent to an origin of a plan.
    pub(super) fn note_sending(&self, watched: Watched<'_>, timeout: Span, now: Timestamp) {
        // Between requests nobody holds it; if somebody did, this request would not be counted.
        if let Ok(memory) = self.memory.try_borrow() {
            memory.origins.begin(watched, timeout, now);
        }
    }

    /// Loads what a decision of one request needs.
    pub(super) fn loader<'a>(&'a self, ports: &'a Outside) -> Loader<'a, Outside> {
        Loader::new(&self.gateway, &self.memory, ports)
    }
}

/// Variables and secrets, which a Worker sees alike.
struct Bindings<'a>(&'a Env);

impl Variables for Bindings<'_> {
    fn variable(&self, name: &str) -> Variable {
        self.text(name).map_or(Variable::Missing, Variable::Set)
    }
}

impl Bindings<'_> {
    /// The variable as text. One that was set as JSON (a number, an object) is its JSON: to take it for
    /// missing would run another configuration than the one that was given.
    fn text(&self, name: &str) -> Option<String> {
        let value = js_sys::Reflect::get(self.0.as_ref(), &name.into()).ok()?;
        if value.is_undefined() || value.is_null() {
            return None;
        }
        let json = || js_sys::JSON::stringify(&value).ok().and_then(|json| json.as_string());
        value.as_string().or_else(json)
    }
}

impl Prepared {
    /// Keeps the isolate's one for its first request.
    pub(super) fn keep(env: &Env) {
        PREPARED.set(Some(Self::new(env)));
    }

    /// Reads the configuration and tells JavaScript what it needs to know of it.
    fn new(env: &Env) -> Self {
        console_error_panic_hook::set_once();
        let written = Bindings(env).text("GATEWAY").unwrap_or_else(platform::configuration);
        let read = pointsman_checked::read(&written, &Bindings(env));
        let gateway = read.as_ref().ok().map(|started| &started.gateway);
        install(gateway);
        let measures = install_telemetry(gateway, env);
        Self { read, follows: platform::has_ledger(env.as_ref()), measures }
    }

    /// Adds what needs a request.
    fn start(self) -> Isolate {
        let [first, second, third, fourth, fifth] = seeds();
        let mut told = if self.measures { Told::Key } else { Told::Nothing };
        let ready = match self.read {
            Ok(Started { gateway, shut }) => {
                warn_of(&shut);
                if gateway.telemetry().details {
                    told = Told::Details;
                }
                let mut memory = Memory::new(&gateway, third);
                memory.trace_ids = RequestIds::new([fourth, fifth]);
                memory.directory = self.follows.then(|| Directory::new(&gateway, third));
                Some(Ready { gateway, memory: RefCell::new(memory) })
            }
            Err(faults) => {
                warn_of(&faults);
                None
            }
        };
        Isolate { ready, told, ids: RefCell::new(RequestIds::new([first, second])) }
    }
}

fn warn_of(faults: &[Fault]) {
    for fault in faults {
        outside::warn("misconfigured", &fault.to_string());
    }
}

impl Isolate {
    /// The isolate's one, made on the first request. Nothing is prepared where a trap ended the wasm
    /// instance that had prepared it, and where no bindings were to be had before: then it is all made here.
    pub(super) fn get(env: &Env) -> Rc<Self> {
        let start = || PREPARED.take().unwrap_or_else(|| Prepared::new(env)).start();
        ISOLATE.with(|isolate| Rc::clone(isolate.get_or_init(|| Rc::new(start()))))
    }

    /// An id for a request that the platform gave none.
    pub(super) fn issue_id(&self) -> String {
        self.ids.borrow_mut().issue()
    }
}

/// Hands JavaScript what it asks the core between decisions, and what it answers without the core.
fn install(gateway: Option<&Gateway>) {
    let fields = gateway.map(|gateway| gateway.fields().clone());
    let judge = move |name: String| fields.as_ref().map_or(0, |fields| fields.judge(&name).bits());
    let judge: Closure<dyn Fn(String) -> u32> = Closure::new(judge);
    platform::install(&judge.into_js_value(), MAX_FIELDS, PresentFields::TOO_MANY.bits());
    let report: Closure<dyn Fn(String) -> bool> = Closure::new(|text: String| report(&text));
    let problem_base = gateway.map_or("", |gateway| gateway.problem_base());
    let shapes = gateway.map_or(&[][..], |gateway| &gateway.errors().shapes);
    platform::install_forward(&wire::encode_failures(problem_base, shapes), &report.into_js_value());
    let token = gateway.and_then(|gateway| gateway.identity().token.as_ref());
    if let Some(signer) = token.and_then(Assertions::signer) {
        platform::install_signer(&signer);
    }
    let customers = gateway.and_then(|gateway| gateway.customers());
    if let Some(KeyRing(ring)) = customers.and_then(|customers| customers.key_ring.as_ref()) {
        platform::install_secrets(ring);
    }
    let region = gateway.and_then(|gateway| gateway.directory().region.as_deref());
    platform::install_directory(region.unwrap_or_default());
    let begin: Closure<dyn Fn(String)> = Closure::new(|text: String| begin(&text));
    platform::install_limits(&begin.into_js_value());
}

/// Hands JavaScript what it tells of the end of each request; true where a dataset for metrics is bound.
fn install_telemetry(gateway: Option<&Gateway>, env: &Env) -> bool {
    let Telemetry { details, logged, spans, .. } = gateway.map(|own| *own.telemetry()).unwrap_or_default();
    let version = gateway.map_or("", |gateway| gateway.version());
    let digest: Closure<dyn Fn(String) -> String> =
        Closure::new(|text: String| Digest::of(text.as_bytes()).to_string());
    platform::install_telemetry(env.as_ref(), details, logged, spans, version, &digest.into_js_value())
}

/// Notes how an attempt at an origin ended, and says whether there may be another.
fn report(text: &str) -> bool {
    let Some(AttemptReport { ended, wants_another, breaker, watched }) = wire::decode_attempt_report(text)
    else {
        return false;
    };
    ISOLATE.with(|isolate| {
        let Some(ready) = isolate.get().and_then(|isolate| isolate.ready.as_ref()) else { return false };
        // Between requests nobody holds it; if somebody did, this attempt would not be counted.
        let Ok(memory) = ready.memory.try_borrow() else { return false };
        let now = platform::now();
        memory.origins.note(watched, ended, breaker, now);
        wants_another && memory.origins.may_retry(watched, now)
    })
}

/// Notes that a request is sent to an origin, once its limits let it pass.
fn begin(text: &str) {
    let Some(AttemptStart { timeout, watched }) = wire::decode_attempt_start(text) else { return };
    ISOLATE.with(|isolate| {
        let Some(ready) = isolate.get().and_then(|isolate| isolate.ready.as_ref()) else { return };
        ready.note_sending(watched, timeout, platform::now());
    });
}

fn seeds() -> [u64; 5] {
    let bytes = platform::random_bytes(40);
    let mut seeds =
        bytes.chunks_exact(8).map(|chunk| chunk.iter().fold(0, |seed, byte| seed << 8 | u64::from(*byte)));
    std::array::from_fn(|_| seeds.next().unwrap_or_default())
}
