//! The world that all isolates, operators and the ledger share: the clock, chance, KV, what is out of order, what is true.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, VecDeque},
    rc::Rc,
};

use pointsman_core::{base::time::Timestamp, directory::pace::Dice, state::config::Gateway};
use pointsman_ledger::RANDOM_BYTES;

use crate::{executor::Executor, host::Host, isolate::Isolate, kv::Kv, truth::Truth};

/// Locations with isolates.
pub(crate) const LOCATIONS: usize = 3;
/// Where the ledger stands.
pub(crate) const LEDGER_LOCATION: usize = LOCATIONS;
pub(crate) const KEYS: usize = 8;
pub(crate) const CUSTOMERS: usize = 5;
/// Events that a violation is told with.
const EVENTS: usize = 50;

/// What is out of order, and until when.
#[derive(Default)]
pub(crate) struct Faults {
    /// Whether a location reaches the ledger.
    pub(crate) no_ledger: [Cell<u64>; LOCATIONS],
    pub(crate) no_writes: Cell<u64>,
    pub(crate) no_lists: Cell<u64>,
    /// Lists are empty.
    pub(crate) empty_lists: Cell<u64>,
    /// Lists end too early.
    pub(crate) short_lists: Cell<u64>,
    /// The config API's list has an entry that cannot be used, or one without an id.
    pub(crate) odd_lists: Cell<u64>,
    /// The config API answers 503.
    pub(crate) no_config_api: Cell<u64>,
    /// Whether isolates can read KV.
    pub(crate) no_reads: Cell<u64>,
    /// Everything takes long.
    pub(crate) slow: Cell<u64>,
}

/// A Worker that follows the ledger.
#[derive(Clone, Copy)]
pub(crate) struct Worker {
    pub(crate) gateway: &'static Gateway,
    /// Whether the last state counts on while the ledger is silent.
    pub(crate) is_open: bool,
    /// In milliseconds.
    pub(crate) max_staleness: u64,
}

/// A head that a location's cache keeps.
pub(crate) struct KeptHead {
    pub(crate) bytes: Vec<u8>,
    pub(crate) until: u64,
}

/// The world.
pub(crate) struct World {
    pub(crate) executor: Executor,
    dice: RefCell<Dice>,
    /// The Workers that share namespace and ledger.
    pub(crate) workers: [Worker; 2],
    pub(crate) kv: RefCell<Kv>,
    pub(crate) host: Host,
    pub(crate) faults: Faults,
    pub(crate) heads: [RefCell<Option<KeptHead>>; LOCATIONS],
    pub(crate) truth: RefCell<Truth>,
    /// What the config API says of each customer: the number of a value.
    pub(crate) provided: RefCell<BTreeMap<usize, usize>>,
    pub(crate) has_provider: bool,
    /// Names that tools say they have written.
    pub(crate) touched: RefCell<Vec<String>>,
    pub(crate) isolates: RefCell<BTreeMap<u64, Rc<Isolate>>>,
    /// Operators wait: the ledger's database is about to be lost or restored.
    pub(crate) is_quiet: Cell<bool>,
    pub(crate) events: RefCell<VecDeque<String>>,
    pub(crate) violation: RefCell<Option<String>>,
    pub(crate) counts: RefCell<BTreeMap<&'static str, u64>>,
    pub(crate) is_told: bool,
}

impl World {
    pub(crate) fn new(seed: u64, started: u64, workers: [Worker; 2], has_provider: bool) -> Self {
        let mut dice = Dice::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        dice.below(2);
        Self {
            executor: Executor::new(started),
            dice: RefCell::new(dice),
            workers,
            kv: RefCell::default(),
            host: Host::default(),
            faults: Faults::default(),
            heads: Default::default(),
            truth: RefCell::new(Truth::new(KEYS, CUSTOMERS)),
            provided: RefCell::default(),
            has_provider,
            touched: RefCell::default(),
            isolates: RefCell::default(),
            is_quiet: Cell::new(false),
            events: RefCell::default(),
            violation: RefCell::default(),
            counts: RefCell::default(),
            is_told: std::env::var_os("POINTSMAN_SIMULATION_TELL").is_some(),
        }
    }

    /// The instant, which no clock in this world shows exactly.
    pub(crate) const fn now(&self) -> u64 {
        self.executor.now()
    }

    /// A number below `bound`.
    pub(crate) fn throw(&self, bound: u64) -> u64 {
        self.dice.borrow_mut().below(bound)
    }

    pub(crate) fn pick(&self, bound: usize) -> usize {
        usize::try_from(self.throw(bound as u64)).unwrap_or_default()
    }

    /// Whether something happens that happens once in so many times.
    pub(crate) fn once_in(&self, times: u64) -> bool {
        self.throw(times) == 0
    }

    pub(crate) fn with_kv<T>(&self, act: impl FnOnce(&mut Kv, u64, &mut Dice) -> T) -> T {
        act(&mut self.kv.borrow_mut(), self.now(), &mut self.dice.borrow_mut())
    }

    pub(crate) fn random(&self) -> [u8; RANDOM_BYTES] {
        std::array::from_fn(|_| u8::try_from(self.throw(256)).unwrap_or_default())
    }

    /// Whether a fault lasts.
    pub(crate) fn is_on(&self, fault: &Cell<u64>) -> bool {
        self.now() < fault.get()
    }

    /// How long one way takes, in milliseconds.
    pub(crate) fn latency(&self) -> u64 {
        match self.is_on(&self.faults.slow) {
            true => 100 + self.throw(1200),
            false if self.once_in(50) => 100 + self.throw(900),
            false => 2 + self.throw(60),
        }
    }

    pub(crate) async fn wait(&self, span: u64) {
        self.executor.until(self.now() + span).await;
    }

    /// Notes an event.
    pub(crate) fn tell(&self, event: impl FnOnce() -> String) {
        let event = format!("{} {}", Timestamp::from_millis(self.now()), event());
        if self.is_told {
            eprintln!("{event}");
        }
        let mut events = self.events.borrow_mut();
        if events.len() == EVENTS {
            events.pop_front();
        }
        events.push_back(event);
    }

    pub(crate) fn count(&self, what: &'static str) {
        *self.counts.borrow_mut().entry(what).or_default() += 1;
    }

    /// Notes that something happened that must never.
    pub(crate) fn violate(&self, what: String) {
        self.tell(|| what.clone());
        self.violation.borrow_mut().get_or_insert(what);
    }
}
