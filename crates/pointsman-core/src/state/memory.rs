//! What one isolate remembers between requests. Only plain values: nothing that belongs to a request
//! (a future, a lock, a stream) is ever shared through here.

use std::rc::Rc;

use crate::{
    base::{
        digest::Digest,
        freshness::{BackOff, Lifetimes, Policy},
        time::{Span, Timestamp},
    },
    customer::{
        record::CustomerConfig,
        roster::{Roster, RosterState},
    },
    directory::record_key::RecordKey,
    forward::failover::Health,
    http::head::RequestIds,
    identity::{
        customer_id::CustomerId,
        jwk_set::KeySet,
        jwt::{Issuer, VerifiedToken},
        key_record::KeyConfig,
    },
    routing::authorize,
    state::{
        bounds::Hears,
        cache::{Cache, Lease, Lookup, Stored},
        config::Gateway,
        directory::{Answer, Directory},
        replays::Replays,
        slot::Slot,
    },
};

/// No verified token is believed longer than this without being verified again.
pub const TOKEN_LIFETIME: Span = Span::from_secs(300);

/// The caches of one isolate.
pub struct Memory {
    /// API keys by digest.
    pub keys: Cache<KeyConfig>,
    /// Customers by the digest of their id.
    pub customers: Cache<CustomerConfig>,
    /// Tokens whose signature was verified, by digest.
    pub tokens: Cache<VerifiedToken>,
    /// One a configured issuer, in that order.
    pub key_sets: Vec<KeySetMemory>,
    /// The config API's list, where it is asked for the whole.
    pub roster: Slot<Roster>,
    /// What the store says of the last refresh of all customers, and when it was read.
    pub roster_state: Option<(Timestamp, RosterState)>,
    /// How the store does.
    pub store_health: SourceHealth,
    /// How the config API does.
    pub config_api_health: SourceHealth,
    /// How the origins of backends do that have several.
    pub origins: Health,
    /// How refreshes behind responses went.
    pub refreshes: Refreshes,
    /// The proofs of possession that were taken.
    pub replays: Replays,
    /// The isolate's copy of the directory, where a ledger is bound.
    pub directory: Option<Directory>,
    /// The ids of traces and spans that begin here. Backends see them, so they come of no seed that keeps a secret.
    pub trace_ids: RequestIds,
    by_id: Option<ById>,
}

/// How what the config API says of one customer grows old.
#[derive(Clone, Copy, Debug)]
struct ById {
    /// After this it is asked for again, behind a response.
    fresh: Span,
    /// Whether what does not say when it was asked for counts until the provider says that it changed.
    announced: bool,
}

/// How refreshes behind responses went, by what was refreshed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Refreshes {
    /// Of API keys.
    pub keys: RefreshCounts,
    /// Of customers.
    pub customers: RefreshCounts,
    /// Of issuers' key sets.
    pub key_sets: RefreshCounts,
    /// Of what issuers say of tokens.
    pub tokens: RefreshCounts,
}

/// How many refreshes there were since the isolate began.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct RefreshCounts {
    /// Those that came to their end.
    pub ran: u64,
    /// Those of them that brought nothing.
    pub failed: u64,
    /// Those that were not begun: they had waited until their lease ran out, and somebody else had it by then.
    pub dropped: u64,
}

impl RefreshCounts {
    /// Counts one that came to its end.
    pub const fn note_end(&mut self, well: bool) {
        self.ran += 1;
        if !well {
            self.failed += 1;
        }
    }

    /// Counts one that was not begun.
    pub const fn note_dropped(&mut self) {
        self.dropped += 1;
    }
}

/// How a source did when it was last asked, for operators.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SourceHealth {
    /// When it last answered.
    pub answered_at: Option<Timestamp>,
    /// When it last failed, and how.
    pub error: Option<(Timestamp, String)>,
}

impl SourceHealth {
    /// Notes how it did: `Err` with what the log says.
    pub fn note(&mut self, now: Timestamp, went: Result<(), &str>) {
        match went {
            Ok(()) => self.answered_at = Some(now),
            Err(what) => self.error = Some((now, what.to_owned())),
        }
    }
}

/// The key set of one issuer.
pub struct KeySetMemory {
    /// The set.
    pub set: Slot<KeySet>,
    /// How the issuer does.
    pub health: SourceHealth,
    /// When the issuer itself was last asked, by whomever.
    asked_at: Option<Timestamp>,
}

impl Memory {
    /// Empty caches for this configuration. `seed` is random and drawn once an isolate.
    #[must_use]
    pub fn new(gateway: &Gateway, seed: u64) -> Self {
        let budgets = gateway.budgets;
        let unused = Policy {
            lifetimes: Lifetimes::strict(Span::default(), Span::default()),
            lease: Span::default(),
            back_off: BackOff { first: Span::default() },
        };
        let keys = gateway.key_policy().copied().unwrap_or(unused);
        let customers = gateway.customers.as_ref().map_or(unused, |customers| customers.policy);
        let lifetimes =
            Lifetimes { fresh: TOKEN_LIFETIME, revalidate: TOKEN_LIFETIME, stale: TOKEN_LIFETIME };
        // Only tokens of which their issuer is asked are loaded for others too, and what a service says of requests.
        let introspection = gateway.issuers.iter().map(|issuer| issuer.policy.lease).max();
        let lease = introspection.unwrap_or_default().max(authorize::LEASE);
        // Each customer's entry is what is used while it is stale; the list is there to be loaded once.
        let fresh = customers.lifetimes.fresh;
        let roster = Policy { lifetimes: Lifetimes { fresh, revalidate: fresh, stale: fresh }, ..customers };
        Self {
            keys: Cache::new(budgets.keys, keys, seed),
            customers: Cache::new(budgets.customers, customers, seed),
            tokens: Cache::new(budgets.tokens, Policy { lifetimes, lease, ..unused }, seed),
            key_sets: gateway.issuers.iter().map(|issuer| KeySetMemory::new(issuer, seed)).collect(),
            roster: Slot::new("roster", roster, seed),
            roster_state: None,
            store_health: SourceHealth::default(),
            config_api_health: SourceHealth::default(),
            origins: Health::default(),
            refreshes: Refreshes::default(),
            replays: Replays::default(),
            directory: None,
            trace_ids: RequestIds::new([0, 0]),
            by_id: gateway.customers.as_ref().and_then(|customers| {
                let source = customers.source.as_ref().filter(|source| source.by_id)?;
                Some(ById { fresh: customers.policy.lifetimes.fresh, announced: source.announced })
            }),
        }
    }

    /// How this isolate learns of changes.
    #[must_use]
    pub const fn hears(&self) -> Hears {
        if self.directory.is_some() { Hears::Ledger } else { Hears::Kv }
    }

    /// Looks up the key with this digest at the time `now`: in the directory, or else in what was loaded before. `failed`
    /// where this request has tried to load it in vain.
    #[must_use]
    pub fn look_up_key(&mut self, digest: &Digest, now: Timestamp, failed: bool) -> Lookup<KeyConfig> {
        let Some(directory) = &mut self.directory else { return self.keys.lookup(digest, now, failed) };
        let answer = directory.key(digest, false, now);
        if !matches!(answer, Answer::Known(_))
            && let Some(at) = directory.overtaken_at(&RecordKey::api_key(digest))
        {
            self.keys.forget(digest, at);
        }
        match answer {
            Answer::Elsewhere => self.keys.lookup(digest, now, failed),
            answer => conclude(answer, &self.keys, KeyConfig::disabled, digest, now, failed),
        }
    }

    /// Looks up this customer as [`Memory::look_up_key`] does keys.
    #[must_use]
    pub fn look_up_customer(
        &mut self,
        id: &CustomerId,
        now: Timestamp,
        failed: bool,
    ) -> Lookup<CustomerConfig> {
        match self.directory.as_mut().map(|directory| directory.customer(id, false, now)) {
            None => self.customers.lookup(&id.cache_key(), now, failed),
            Some(Answer::Elsewhere) => {
                let place = id.cache_key();
                // What was heard wins over what the store had shown of an operator's record before; a removal, for good.
                let is_own = self.customers.peek(&place).is_some_and(|held| !held.is_refreshed());
                let overtaken_at = |directory: &Directory| match directory.has_removed(id, now) {
                    true => Some(now),
                    false => directory.overtaken_at(&RecordKey::customer(id.as_str())),
                };
                if is_own && let Some(at) = self.directory.as_ref().and_then(overtaken_at) {
                    self.customers.forget(&place, at);
                }
                self.customers.lookup(&place, now, failed)
            }
            Some(Answer::Known(Stored::Present(held))) if self.is_due(&held, now) => {
                refreshed(held, &self.customers.lookup(&id.cache_key(), now, failed))
            }
            // What the config API no longer has is no stranger, whom a rule may send elsewhere.
            Some(Answer::Last(Stored::Present(held))) if held.is_refreshed() => {
                refreshed(held, &self.customers.lookup(&id.cache_key(), now, failed))
            }
            Some(answer) => {
                conclude(answer, &self.customers, CustomerConfig::disabled, &id.cache_key(), now, failed)
            }
        }
    }
}

impl Memory {
    /// Whether the config API is to be asked again for what the directory has of a customer.
    fn is_due(&self, held: &CustomerConfig, now: Timestamp) -> bool {
        self.by_id.is_some_and(|by_id| {
            let is_old = |at| now.since(at) >= by_id.fresh;
            held.is_refreshed() && held.fetched_at().map_or(!by_id.announced, is_old)
        })
    }
}

/// What the directory holds answers at once. The config API is asked behind the response, and what it says counts once the
/// ledger has said so: what this isolate was told before may be older.
#[cold]
#[inline(never)]
fn refreshed(held: Rc<CustomerConfig>, elsewhere: &Lookup<CustomerConfig>) -> Lookup<CustomerConfig> {
    let refresh = match elsewhere {
        Lookup::Hit { refresh, .. } => *refresh,
        Lookup::Load(lease) => *lease == Lease::Acquired,
        Lookup::Unavailable => false,
    };
    Lookup::Hit { stored: Stored::Present(held), refresh }
}

/// What the directory's answer means to a request. `cache` is what was loaded without it, whose leases say who loads.
fn conclude<T>(
    answer: Answer<T>,
    cache: &Cache<T>,
    is_disabled: impl Fn(&T) -> bool,
    place: &Digest,
    now: Timestamp,
    failed: bool,
) -> Lookup<T> {
    match answer {
        Answer::Known(stored) => Lookup::Hit { stored, refresh: false },
        Answer::Last(stored) => unless_removed(stored, cache.lookup(place, now, failed), is_disabled),
        Answer::Unreadable => match cache.lookup(place, now, failed) {
            Lookup::Hit { stored, refresh } => Lookup::Hit { stored: stored.never_absent(), refresh },
            elsewhere => elsewhere,
        },
        Answer::Wait(_) if !failed => Lookup::Load(cache.acquire_lease(place, now)),
        Answer::Wait(_) | Answer::Unsure | Answer::Closed | Answer::Elsewhere => Lookup::Unavailable,
    }
}

/// While the ledger is silent, an operator can still remove or disable an entry in KV, which is asked behind responses.
/// Nothing else that KV says counts: it may be older than what the ledger said.
fn unless_removed<T>(stored: Stored<T>, elsewhere: Lookup<T>, is_disabled: impl Fn(&T) -> bool) -> Lookup<T> {
    let refuses = |found: &Stored<T>| match found {
        Stored::Absent => true,
        Stored::Present(config) => is_disabled(config),
        Stored::Malformed => false,
    };
    match elsewhere {
        Lookup::Hit { stored: found, refresh } if refuses(&found) => Lookup::Hit { stored: found, refresh },
        Lookup::Hit { refresh, .. } => Lookup::Hit { stored, refresh },
        Lookup::Load(lease) => Lookup::Hit { stored, refresh: lease == Lease::Acquired },
        Lookup::Unavailable => Lookup::Hit { stored, refresh: false },
    }
}

impl KeySetMemory {
    fn new(issuer: &Issuer, seed: u64) -> Self {
        Self {
            set: Slot::new(&issuer.name, issuer.policy, seed),
            health: SourceHealth::default(),
            asked_at: None,
        }
    }

    /// Whether the issuer may be asked again for a key that its set lacks: not within `cooldown` of the
    /// last time, and not while it is left alone after a failure.
    #[must_use]
    pub fn cooldown_elapsed(&self, cooldown: Span, now: Timestamp) -> bool {
        let (_, retry_at) = self.set.failures();
        now >= retry_at && self.asked_at.is_none_or(|at| now.since(at) >= cooldown)
    }

    /// Notes that the issuer itself was asked at `at`, by this isolate or by another.
    pub fn was_asked(&mut self, at: Timestamp) {
        self.asked_at = Some(self.asked_at.map_or(at, |before| before.max(at)));
    }

    /// When the issuer itself was last asked.
    #[must_use]
    pub const fn asked_at(&self) -> Option<Timestamp> {
        self.asked_at
    }
}
