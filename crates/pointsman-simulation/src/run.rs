//! One run: a seed decides what happens, and when.

use std::{cell::Cell, collections::BTreeMap, fmt, rc::Rc};

use pointsman_core::{base::time::Timestamp, directory::log::Head, state::config::Gateway};
use pointsman_ledger::{HEAD_NAME, MemoryStorage};
use pointsman_testkit::GatewayToml;

use crate::{
    isolate::Isolate,
    operators::name_of,
    request::Caller,
    truth::Of,
    world::{CUSTOMERS, KEYS, LOCATIONS, Worker, World},
};

const START: u64 = 1_785_412_800_000;
const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const MOST_ISOLATES: usize = 8;

/// Something happened that must never.
#[derive(Clone, Debug)]
pub struct Violation {
    /// What decided the run.
    pub seed: u64,
    /// The steps of the run.
    pub steps: u64,
    /// What happened.
    pub what: String,
    /// When, in the run's own time.
    pub at: String,
    /// What came last before it.
    pub events: Vec<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for event in &self.events {
            writeln!(formatter, "  {event}")?;
        }
        let Self { seed, steps, what, at, .. } = self;
        writeln!(formatter, "seed {seed}, {at}: {what}")?;
        write!(
            formatter,
            "again: cargo run --release -p pointsman-simulation -- --seed {seed} --steps {steps}"
        )
    }
}

/// What happened in a run, by how often.
pub type Report = BTreeMap<&'static str, u64>;

const HYBRID: &str = r#"rules = [{ name = "dedicated", to = "customer", unlisted = "next" }, { name = "shared", to = "shared" }]"#;
const ISSUER: &str = r#"
    name = "main"
    issuer = "https://id.example.com/"
    audience = "https://api.example.com"
    jwks_url = "https://id.example.com/.well-known/jwks.json"
    algorithms = ["ES256"]
"#;
const SOURCE: &str = r#"
    source = { url = "${CUSTOMER_CONFIG_API_URL}", token = "${CONFIG_API_TOKEN}", timeout = "1s", max_removed = "100%" }
"#;

fn gateway(is_open: bool, has_provider: bool, max_staleness: u64) -> Gateway {
    let on_failure = if is_open { "open" } else { "closed" };
    let source = if has_provider { SOURCE } else { "" };
    GatewayToml::new()
        .table("api_keys", "checksum = false\nstale = \"10m\"")
        .table("customers", &format!("stale = \"10m\"{source}"))
        .table("directory", &format!("on_failure = \"{on_failure}\"\nmax_staleness = \"{max_staleness}ms\""))
        .table("[issuers]", ISSUER)
        .backend("shared")
        .route("/hybrid/{+path}", &["api_key"], HYBRID)
        .route("/tokens/{+path}", &["main"], r#"rules = [{ name = "all", to = "shared" }]"#)
        .gateway()
}

thread_local! {
    /// Made once: reading a configuration takes longer than many steps. Isolates hold it to the end of the process.
    static WORKERS: [Worker; 8] = std::array::from_fn(|kind| {
        let (is_open, has_provider) = (kind & 1 == 0, kind & 2 != 0);
        let max_staleness = if kind & 4 == 0 { 10_000 } else { 20_000 };
        let gateway = &*Box::leak(Box::new(gateway(is_open, has_provider, max_staleness)));
        Worker { gateway, is_open, max_staleness }
    });
}

/// A world of a seed, in which nothing has happened yet. Its second Worker does otherwise while the ledger is silent, and
/// follows more slowly.
pub(crate) fn world_of(seed: u64, is_open: bool, has_provider: bool) -> World {
    let kind = |is_open: bool, is_slow: bool| {
        usize::from(!is_open) + 2 * usize::from(has_provider) + 4 * usize::from(is_slow)
    };
    let workers = WORKERS.with(|workers| [workers[kind(is_open, false)], workers[kind(!is_open, true)]]);
    World::new(seed, START, workers, has_provider)
}

/// Runs a world of this seed for so many steps.
///
/// # Errors
/// What happened that must never.
pub fn simulate(seed: u64, steps: u64) -> Result<Report, Violation> {
    let (is_open, has_provider) = (!seed.is_multiple_of(3), seed.is_multiple_of(2));
    let world = Rc::new(world_of(seed, is_open, has_provider));
    let mut run = Run { world, isolates: 0, kept_at: 0 };
    run.begin();
    for _ in 0..steps {
        run.step();
        if run.world.violation.borrow().is_some() {
            break;
        }
    }
    run.end();
    let world = run.world;
    let violation = world.violation.borrow_mut().take();
    match violation {
        None => Ok(world.counts.take()),
        Some(what) => Err(Violation {
            seed,
            steps,
            what,
            at: Timestamp::from_millis(world.now()).to_string(),
            events: world.events.take().into_iter().collect(),
        }),
    }
}

struct Run {
    world: Rc<World>,
    isolates: u64,
    kept_at: u64,
}

impl Run {
    fn begin(&mut self) {
        for key in 0..KEYS {
            self.world.put_by_hand(Of::Key(key));
        }
        for customer in 0..CUSTOMERS {
            self.world.put_by_hand(Of::Customer(customer));
        }
        self.world.open_ledger(MemoryStorage::default());
        for _ in 0..4 {
            self.bear();
        }
    }

    /// Ends everybody, so that nothing holds the world any more.
    fn end(&self) {
        let isolates = self.world.isolates.take();
        isolates.keys().for_each(|isolate| self.world.executor.end(*isolate));
        self.world.executor.end(0);
    }

    fn bear(&mut self) {
        if self.world.isolates.borrow().len() >= MOST_ISOLATES {
            return;
        }
        self.isolates += 1;
        let (worker, location) = (usize::from(self.world.once_in(3)), self.world.pick(LOCATIONS));
        let isolate = Rc::new(Isolate::new(&self.world, self.isolates, worker, location));
        self.world.tell(|| format!("isolate {} is born at location {}", isolate.id, isolate.location));
        self.world.isolates.borrow_mut().insert(self.isolates, isolate);
        self.world.count("isolates");
    }

    fn any_isolate(&self) -> Option<Rc<Isolate>> {
        let isolates = self.world.isolates.borrow();
        let awake: Vec<_> =
            isolates.values().filter(|isolate| self.world.now() >= isolate.sleeps_until.get()).collect();
        awake.get(self.world.pick(awake.len())).map(|isolate| Rc::clone(isolate))
    }

    fn step(&mut self) {
        let world = Rc::clone(&self.world);
        let gap = match world.throw(2000) {
            0..1500 => world.throw(400),
            1500..1900 => world.throw(4 * SECOND),
            1900..1995 => world.throw(MINUTE),
            1995..1999 => world.throw(20 * MINUTE),
            _ if world.once_in(10) => 25 * HOUR,
            _ => world.throw(2 * HOUR),
        };
        world.executor.run_until(world.now() + gap);
        if world.now() >= self.kept_at + 10 * MINUTE {
            self.kept_at = world.now();
            if let Some(storage) = world.ledger(|ledger, _| ledger.storage().clone()) {
                let mut kept = world.host.kept.borrow_mut();
                kept.push((world.now(), storage));
                if kept.len() > 3 {
                    kept.remove(0);
                }
            }
        }
        match world.throw(1000) {
            0..800 => self.ask(),
            800..900 if !world.is_quiet.get() => self.change(),
            900..930 => self.move_isolates(),
            930..965 => self.disturb(),
            965..985 => {
                let heads = world.heads.get(world.pick(LOCATIONS));
                drop(heads.and_then(|head| head.borrow_mut().take()));
            }
            985..995 => {
                let goes_on_for = world.once_in(2).then(|| world.pick(LOCATIONS));
                world.tell(|| {
                    format!("the ledger's instance is replaced; the old one goes on for {goes_on_for:?}")
                });
                world.restart_ledger(goes_on_for);
                world.count("restarts");
            }
            999 if world.once_in(2) => self.lose_or_restore(),
            _ => {}
        }
    }

    fn ask(&self) {
        let Some(isolate) = self.any_isolate() else { return };
        // Sometimes several at once.
        let times = if self.world.once_in(5) { 1 + self.world.throw(5) } else { 1 };
        for _ in 0..times {
            isolate.receive(match self.world.throw(20) {
                0 => Caller::Junk(self.world.throw(100_000)),
                1 | 2 => Caller::Token,
                _ => Caller::Key(self.world.pick(KEYS)),
            });
        }
    }

    fn change(&self) {
        let world = &self.world;
        // Most records are left alone for long, so that something is settled.
        let of = if world.once_in(3) { world.any_record() } else { Of::Key(world.pick(3)) };
        match world.throw(40) {
            0..14 => world.operate(of, false),
            14..21 => world.operate(of, true),
            21..26 => world.put_by_hand(of),
            26 => world.delete_by_hand(of),
            27..30 => world.write_again(of),
            30 => world.operate_on_tokens(),
            31..34 if world.has_provider => world.say_otherwise(),
            34..37 => world.hand_over(),
            37 if world.once_in(3) => world.fill(),
            _ => {}
        }
    }

    fn move_isolates(&mut self) {
        let world = Rc::clone(&self.world);
        match world.throw(3) {
            0 => self.bear(),
            1 => {
                let Some(isolate) = self.any_isolate().filter(|_| world.isolates.borrow().len() > 2) else {
                    return;
                };
                world.tell(|| format!("isolate {} dies", isolate.id));
                world.isolates.borrow_mut().remove(&isolate.id);
                world.executor.end(isolate.id);
            }
            _ => {
                let Some(isolate) = self.any_isolate() else { return };
                let span = if world.once_in(4) { world.throw(26 * HOUR) } else { world.throw(20 * MINUTE) };
                world.tell(|| format!("isolate {} sleeps", isolate.id));
                isolate.sleeps_until.set(world.now() + span);
            }
        }
    }

    /// Something is out of order for a while.
    fn disturb(&self) {
        let world = &self.world;
        let span = match world.throw(6) {
            0..3 => world.throw(10 * SECOND),
            3 | 4 => world.throw(2 * MINUTE),
            _ => world.throw(14 * MINUTE),
        };
        let set = |what: &str, fault: &Cell<u64>, span: u64| {
            world.tell(|| format!("{what} for {} s", span / SECOND));
            fault.set(world.now() + span);
        };
        let faults = &world.faults;
        match world.throw(11) {
            0 | 1 => {
                let location = world.pick(LOCATIONS);
                if let Some(fault) = faults.no_ledger.get(location) {
                    set(&format!("location {location} does not reach the ledger"), fault, span);
                }
            }
            2 => faults.no_ledger.iter().for_each(|fault| set("nobody reaches the ledger", fault, span)),
            3 | 4 => set("KV takes no writes", &faults.no_writes, span),
            5 => set("KV lists nothing", &faults.no_lists, span),
            6 => {
                let list = if world.once_in(2) { &faults.empty_lists } else { &faults.short_lists };
                set("lists are not whole", list, span);
            }
            7 if world.has_provider => set("the config API's list is odd", &faults.odd_lists, span),
            8 if world.has_provider => set("the config API is down", &faults.no_config_api, span),
            9 => set("requests cannot read KV", &faults.no_reads, span.min(MINUTE)),
            _ => set("everything is slow", &faults.slow, span.min(MINUTE)),
        }
        world.count("faults");
    }

    /// The ledger's database is lost, or restored to what it was, once KV knows all that it must know then.
    fn lose_or_restore(&self) {
        let world = Rc::clone(&self.world);
        if world.is_quiet.replace(true) {
            return;
        }
        self.world.executor.spawn(0, async move {
            world.tell(|| "operators wait: the ledger's database is about to change".to_owned());
            for _ in 0..20 {
                world.wait(4 * MINUTE).await;
                if is_settled(&world) {
                    lose_or_restore(&world);
                    break;
                }
            }
            world.is_quiet.set(false);
        });
    }
}

/// Whether KV has all that a ledger has to begin anew with, and has had it for longer than any location lags.
fn is_settled(world: &World) -> bool {
    let now = world.now();
    let kv = world.kv.borrow();
    let head = kv.newest(HEAD_NAME, now).and_then(|entry| Head::decode(&entry.bytes));
    let is_old = kv.written_at(HEAD_NAME).is_some_and(|at| at + 100 * SECOND < now);
    let is_current = world.ledger(|ledger, _| {
        head.is_some_and(|head| head.epoch == ledger.epoch() && head.revision == ledger.revision())
    });
    let mut truth = world.truth.borrow_mut();
    let records = (0..KEYS).map(Of::Key).chain((0..CUSTOMERS).map(Of::Customer));
    let is_right = |of: Of| {
        let entry = kv.newest(&name_of(of), now);
        let record = truth.record(of);
        let has_ended = record.versions.iter().filter(|version| version.death.is_some());
        let ended: Vec<_> = has_ended.map(|version| version.text.as_bytes()).collect();
        !record.is_busy && entry.is_none_or(|entry| !ended.contains(&&*entry.bytes))
    };
    is_old && is_current == Some(true) && records.into_iter().all(is_right)
}

fn lose_or_restore(world: &Rc<World>) {
    let kept = world.host.kept.take();
    let earlier = kept.into_iter().next().filter(|_| world.once_in(2));
    let kept_until = earlier.as_ref().map_or(0, |(at, _)| *at);
    match earlier {
        Some((at, storage)) => {
            world.tell(|| format!("the ledger's database is restored to {}", Timestamp::from_millis(at)));
            world.open_ledger(storage);
            let random = world.random();
            world.ledger(|ledger, now| ledger.restored(now, random));
            world.count("restored databases");
        }
        None => {
            world.tell(|| "the ledger's database is lost".to_owned());
            world.open_ledger(MemoryStorage::default());
            world.count("lost databases");
        }
    }
    let epoch = world.ledger(|ledger, _| ledger.epoch()).unwrap_or_default();
    world.truth.borrow_mut().begin_epoch(epoch, kept_until);
}
