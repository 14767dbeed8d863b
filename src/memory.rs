//! What one isolate remembers between requests. Only plain values: nothing that belongs to a request
//! (a future, a lock, a stream) is ever shared through here.

use std::rc::Rc;

use crate::{
    authenticate::{
        api_key::KeyConfig,
        jwks::KeySet,
        jwt::{Issuer, VerifiedToken},
    },
    cache::{BACK_OFF, Cache, Lifetimes, Lookup},
    config::Gateway,
    customer::CustomerConfig,
    digest::Digest,
    time::{Span, Timestamp},
};

/// Bytes that each cache may hold; an isolate has 128 MB and its wasm memory never shrinks.
const KEYS_BUDGET: u64 = 12 << 20;
const CUSTOMERS_BUDGET: u64 = 12 << 20;
const TOKENS_BUDGET: u64 = 8 << 20;
const KEY_SET_BUDGET: u64 = 4 << 20;

/// No verified token is believed longer than this without being verified again.
const TOKEN_LIFETIME: Span = Span::from_secs(300);

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
}

/// The key set of one issuer.
pub struct KeySetMemory {
    sets: Cache<KeySet>,
    key: Digest,
    /// When a fetch last came to an end, whichever.
    ended_at: Option<Timestamp>,
    /// Until when a fetch that began is waited for. A time, since whoever began it may be gone before
    /// it ends; an unknown `kid` then waits for no longer than this.
    begun_until: Timestamp,
    failed_at: Option<Timestamp>,
}

impl Memory {
    /// Empty caches for this configuration. `seed` is random and drawn once an isolate.
    #[must_use]
    pub fn new(gateway: &Gateway, seed: u64) -> Self {
        let none = Lifetimes::strict(Span::default(), Span::default());
        let keys = gateway.api_keys.as_ref().map_or(none, |keys| *keys.lifetimes());
        let customers = gateway.customers.as_ref().map_or(none, |customers| customers.lifetimes);
        let tokens = Lifetimes { fresh: TOKEN_LIFETIME, revalidate: TOKEN_LIFETIME, stale: TOKEN_LIFETIME };
        Self {
            keys: Cache::new(KEYS_BUDGET, keys, seed),
            customers: Cache::new(CUSTOMERS_BUDGET, customers, seed),
            tokens: Cache::new(TOKENS_BUDGET, tokens, seed),
            key_sets: gateway.issuers.iter().map(|issuer| KeySetMemory::new(issuer, seed)).collect(),
        }
    }
}

impl KeySetMemory {
    fn new(issuer: &Issuer, seed: u64) -> Self {
        Self {
            sets: Cache::new(KEY_SET_BUDGET, issuer.lifetimes, seed),
            key: Digest::of(issuer.name.as_bytes()),
            ended_at: None,
            begun_until: Timestamp::default(),
            failed_at: None,
        }
    }

    /// The set, if one may be used now.
    #[must_use]
    pub fn lookup(&self, now: Timestamp) -> Lookup<KeySet> {
        self.sets.lookup(&self.key, now)
    }

    /// Whether the issuer may be asked again for a key that its set lacks.
    #[must_use]
    pub fn is_cool(&self, cooldown: Span, now: Timestamp) -> bool {
        now >= self.begun_until && self.ended_at.is_none_or(|at| now.since(at) >= cooldown)
    }

    /// Notes that a fetch begins which takes at most `longest`.
    pub fn begin(&mut self, longest: Span, now: Timestamp) {
        self.begun_until = now.plus(longest);
    }

    fn end(&mut self, now: Timestamp) {
        self.ended_at = Some(now);
        self.begun_until = now;
    }

    /// Stores a set that was asked for at `asked_at`.
    pub fn store(&mut self, set: Rc<KeySet>, bytes: usize, asked_at: Timestamp, now: Timestamp) {
        self.end(now);
        self.sets.store(self.key, crate::cache::Stored::Present(set), bytes.saturating_mul(2), asked_at);
    }

    /// Notes that a fetch failed.
    pub fn failed(&mut self, now: Timestamp) {
        self.end(now);
        self.failed_at = Some(now);
        self.sets.failed(&self.key, now);
    }

    /// Whether the issuer failed a moment ago, and is left alone also where nothing is cached: else
    /// tokens that anybody can make up would each cost a fetch and wait for it.
    #[must_use]
    pub fn backs_off(&self, now: Timestamp) -> bool {
        self.failed_at.is_some_and(|at| now.since(at) < BACK_OFF)
    }
}
