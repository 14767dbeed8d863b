//! Look-ups of keys and customers in the isolate's copy of the directory. What was decoded once is kept, as long as the log
//! says nothing else of it.

use std::{cell::Cell, rc::Rc};

use crate::{
    base::{
        digest::Digest,
        freshness::{BackOff, Lifetimes, Policy},
        time::{Span, Timestamp},
    },
    customer::{backend_url::AllowHttp, host_name::customer_in, record::CustomerConfig},
    directory::{
        follower::{Currency, Follower, Found},
        log::Change,
        record_key::{Kind, RecordKey},
        row::{Row, Usable},
    },
    identity::{claims::ClaimPath, customer_id::CustomerId, key_record::KeyConfig},
    state::{
        cache::{Cache, Loaded, Stored},
        config::Gateway,
        overtaken::Overtaken,
    },
};

/// A copy that is younger than this needs not be asked about a record that it does not have.
const YOUNG: Span = Span::from_secs(1);
/// For so long a silent ledger is waited for before KV is asked as well.
const SILENCE: Span = Span::from_secs(60);

/// What a look-up waits for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// The head of the log.
    Poll,
    /// The shard of this prefix.
    Shard(u32),
    /// What the ledger says of this very record.
    Ask,
}

/// What the directory says of a record.
#[derive(Debug, PartialEq)]
pub enum Answer<T> {
    /// This.
    Known(Stored<T>),
    /// The same; but the ledger has been silent for long, and KV may know of a removal.
    Last(Stored<T>),
    /// Its source names it in a way that cannot be trusted now.
    Unsure,
    /// This must be had first.
    Wait(Step),
    /// It does not know; what was the way before there was a directory is the way.
    Elsewhere,
    /// There is a record, and this version cannot read it; that way again, on which nothing found is no absence.
    Unreadable,
    /// The ledger is silent, and the configuration lets nobody in meanwhile.
    Closed,
}

/// The names under which a token can be revoked.
#[derive(Clone, Copy, Debug, Default)]
pub struct TokenNames {
    /// By its `jti`.
    pub id: Option<RecordKey>,
    /// By its `sub`.
    pub subject: Option<RecordKey>,
    /// Its `iat`, in seconds.
    pub issued_at: Option<f64>,
}

/// Whether a token was revoked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Revocation {
    /// It was not.
    None,
    /// It was.
    Revoked,
    /// The revocations must be had first.
    Wait,
    /// They cannot be had.
    Unavailable,
}

/// The copy, and what was decoded of it.
pub struct Directory {
    /// The copy.
    pub follower: Follower,
    keys: Cache<KeyConfig>,
    customers: Cache<CustomerConfig>,
    overtaken: Overtaken,
    stale_keys: Span,
    stale_customers: Span,
    stale_tokens: Span,
    allow_http: AllowHttp,
    /// Where a key's claims name its customer, so that what holds the customer is weighed with the key.
    customer_claim: Option<ClaimPath>,
}

/// What a row says, without what it is of.
enum Says {
    Row(Row),
    Absent,
    Unsure,
    Wait(Step),
    Elsewhere,
    Closed,
}

impl Directory {
    /// An empty copy for this configuration. `seed` is random and drawn once an isolate.
    #[must_use]
    pub fn new(gateway: &Gateway, seed: u64) -> Self {
        let stale = |policy: Option<Policy>| policy.map_or(Span::default(), |policy| policy.lifetimes.stale);
        let stale_keys = stale(gateway.key_policy().copied());
        let stale_customers = stale(gateway.customers.as_ref().map(|customers| customers.policy));
        // What is held counts until the log says otherwise.
        let always = Span::from_millis(u64::MAX >> 1);
        let lifetimes = Lifetimes { fresh: always, revalidate: always, stale: always };
        let policy =
            Policy { lifetimes, lease: Span::default(), back_off: BackOff { first: Span::default() } };
        Self {
            follower: Follower::new(gateway.directory.follow, seed),
            keys: Cache::new(gateway.budgets.keys, policy, seed),
            customers: Cache::new(gateway.budgets.customers, policy, seed),
            overtaken: Overtaken::default(),
            stale_keys,
            stale_customers,
            stale_tokens: gateway.stale_revocations(),
            allow_http: gateway.allow_http,
            customer_claim: gateway.customers.as_ref().map(|customers| customers.claim.clone()),
        }
    }

    /// What it says of the key with this digest. `asked` where the ledger was asked about it a moment ago.
    pub fn key(&mut self, digest: &Digest, asked: bool, now: Timestamp) -> Answer<KeyConfig> {
        self.forget_what_moved(now);
        let currency = self.follower.currency(now, self.stale_keys);
        let key = RecordKey::api_key(digest);
        let place = Digest::beginning(&key.digest);
        if may_answer(currency)
            && let Some(stored) = self.keys.get(&place)
        {
            return self.answer(stored, now);
        }
        let row = match self.says(&key, "", currency, asked, now) {
            Ok(row) => row,
            Err(answer) => return answer,
        };
        let stored = match row {
            Some(Row { usable: Usable::Yes, text, expires_at, .. }) => match KeyConfig::parse(&text) {
                Ok(config) => {
                    if let Some(claim) = &self.customer_claim {
                        config.principal().customer(claim);
                    }
                    let weight = config.weight();
                    let stored = Stored::Present(Rc::new(config));
                    keep(&mut self.keys, &place, &stored, weight, expires_at);
                    stored
                }
                Err(_) => return Answer::Unreadable,
            },
            Some(_) => Stored::Malformed,
            None => Stored::Absent,
        };
        self.answer(stored, now)
    }

    /// What it says of this customer.
    pub fn customer(&mut self, id: &CustomerId, asked: bool, now: Timestamp) -> Answer<CustomerConfig> {
        self.forget_what_moved(now);
        let currency = self.follower.currency(now, self.stale_customers);
        let place = id.cache_key();
        if may_answer(currency)
            && let Some(stored) = self.customers.get(&place)
        {
            return self.answer(stored, now);
        }
        let row = match self.says(&RecordKey::customer(id.as_str()), id.as_str(), currency, asked, now) {
            Ok(row) => row,
            Err(answer) => return answer,
        };
        let stored = match row {
            Some(Row { usable: Usable::Yes, text, expires_at, provider }) => {
                match CustomerConfig::parse(&text, id, self.allow_http) {
                    Ok(config) => {
                        let config = if provider { config.refreshed() } else { config };
                        let weight = config.weight();
                        let stored = Stored::Present(Rc::new(config));
                        keep(&mut self.customers, &place, &stored, weight, expires_at);
                        stored
                    }
                    Err(_) => match whose_host(id, &text) {
                        Some(stored) => stored,
                        None => return Answer::Unreadable,
                    },
                }
            }
            Some(_) => Stored::Malformed,
            None => Stored::Absent,
        };
        self.answer(stored, now)
    }

    /// Whether it was heard that there is no operator's record of this customer: it was removed or has ended, or the config
    /// API's is what counts by now. The store may show it for a while yet.
    #[must_use]
    pub fn has_removed(&self, id: &CustomerId, now: Timestamp) -> bool {
        match self.follower.find(&RecordKey::customer(id.as_str()), "", now) {
            Found::Removed | Found::Ended => true,
            Found::Row(row) => row.provider,
            _ => false,
        }
    }

    /// What was loaded of a record out of the store then or before is older than what the log has said of it.
    pub(super) fn overtaken_at(&self, key: &RecordKey) -> Option<Timestamp> {
        self.overtaken.at(key)
    }

    fn has_heard_removal(&self, key: &RecordKey, now: Timestamp) -> bool {
        self.follower.find(key, "", now) == Found::Removed
    }

    /// Whether a token was revoked that has these names. `checked` is up to which state of the revocations it is known not to
    /// be, so that most requests look nothing up.
    pub fn revocation(
        &self,
        checked: &Cell<u64>,
        names: impl FnOnce() -> TokenNames,
        now: Timestamp,
    ) -> Revocation {
        match self.follower.currency_of_last(now, self.stale_tokens) {
            Currency::Current | Currency::Silent => {}
            Currency::TooOld => return Revocation::Wait,
            Currency::Unknown if self.follower.has_no_tail() => return Revocation::None,
            Currency::Unknown | Currency::Closed | Currency::Newer => return Revocation::Unavailable,
        }
        let heard = self.follower.tokens_heard();
        if !self.follower.has_tokens() || checked.get() == heard {
            return Revocation::None;
        }
        let found = self.look_for(&names(), now);
        if found == Revocation::None {
            checked.set(heard);
        }
        found
    }

    #[inline(never)]
    fn look_for(&self, names: &TokenNames, now: Timestamp) -> Revocation {
        for key in [names.id, names.subject].into_iter().flatten() {
            match self.follower.find(&key, "", now) {
                Found::Row(row) if revokes(&row, names.issued_at) => return Revocation::Revoked,
                Found::Row(_) | Found::Removed | Found::Ended | Found::Absent => {}
                Found::NotLoaded(_) => return Revocation::Wait,
                Found::Unreadable => return Revocation::Unavailable,
            }
        }
        Revocation::None
    }

    /// What is to be had before tokens can be told from revoked ones; [`Answer::Known`] where nothing is.
    pub fn revocations(&self, now: Timestamp) -> Answer<()> {
        match self.follower.currency_of_last(now, self.stale_tokens) {
            Currency::Current | Currency::Silent => {}
            Currency::TooOld => return Answer::Wait(Step::Poll),
            Currency::Unknown if self.follower.has_no_tail() => return Answer::Known(Stored::Absent),
            Currency::Unknown | Currency::Closed | Currency::Newer => return Answer::Closed,
        }
        match self.follower.tokens(now) {
            Found::NotLoaded(prefix) => Answer::Wait(Step::Shard(prefix)),
            Found::Unreadable => Answer::Unsure,
            Found::Row(_) | Found::Removed | Found::Ended | Found::Absent => Answer::Known(Stored::Absent),
        }
    }

    #[allow(clippy::missing_const_for_fn)] // drops
    fn answer<T>(&self, stored: Stored<T>, now: Timestamp) -> Answer<T> {
        let is_last = self.follower.known_at().is_some_and(|at| now.since(at) > SILENCE);
        if is_last { Answer::Last(stored) } else { Answer::Known(stored) }
    }

    /// The row of a record, if there is one; else why nothing can be said.
    #[inline(never)]
    fn says<T>(
        &mut self,
        key: &RecordKey,
        name: &str,
        currency: Currency,
        asked: bool,
        now: Timestamp,
    ) -> Result<Option<Row>, Answer<T>> {
        match self.row(key, name, currency, asked, now) {
            Says::Row(row) => Ok(Some(row)),
            Says::Absent => Ok(None),
            Says::Unsure => Err(Answer::Unsure),
            Says::Wait(step) => Err(Answer::Wait(step)),
            Says::Elsewhere => Err(Answer::Elsewhere),
            Says::Closed => Err(Answer::Closed),
        }
    }

    #[inline(never)]
    fn row(&mut self, key: &RecordKey, name: &str, currency: Currency, asked: bool, now: Timestamp) -> Says {
        match currency {
            Currency::Current | Currency::Silent => {}
            Currency::TooOld => return Says::Wait(Step::Poll),
            Currency::Closed => return Says::Closed,
            // What was heard to be removed stays so, whatever KV still shows.
            Currency::Newer if key.kind == Kind::ApiKey && self.has_heard_removal(key, now) => {
                return Says::Absent;
            }
            Currency::Newer => return Says::Elsewhere,
            // The store may know of what the ledger left, which nobody has read yet.
            Currency::Unknown if !self.follower.follow().open && !self.follower.has_no_tail() => {
                return Says::Closed;
            }
            Currency::Unknown => return Says::Elsewhere,
        }
        let is_complete = self.follower.is_complete(key.kind);
        match self.follower.look_up(key, name, now) {
            Found::Row(row) if row.usable == Usable::Unsure => Says::Unsure,
            Found::Row(row) => Says::Row(row),
            // The config API may know of a customer whose operator's record was removed or has ended.
            Found::Removed | Found::Ended if key.kind == Kind::Customer && !is_complete => Says::Elsewhere,
            Found::Removed => Says::Absent,
            Found::NotLoaded(prefix) => Says::Wait(Step::Shard(prefix)),
            // The store may lag behind for as long as it takes no writes; the ledger does not.
            Found::Unreadable
                if !asked
                    && currency == Currency::Current
                    && self.follower.lacks_shard_of(key)
                    && self.follower.asking().is_open(now) =>
            {
                Says::Wait(Step::Ask)
            }
            Found::Unreadable => Says::Elsewhere,
            Found::Absent if !is_complete => Says::Elsewhere,
            // From the same instant on the config API's record counts, where it has one, and only the ledger knows.
            Found::Ended if key.kind == Kind::Customer => {
                let may_ask = !asked && currency == Currency::Current && self.follower.asking().is_open(now);
                if may_ask { Says::Wait(Step::Ask) } else { Says::Unsure }
            }
            Found::Absent | Found::Ended if asked || currency == Currency::Silent || self.is_young(now) => {
                Says::Absent
            }
            Found::Absent | Found::Ended if self.follower.asking().is_open(now) => Says::Wait(Step::Ask),
            Found::Absent | Found::Ended => Says::Absent,
        }
    }

    fn is_young(&self, now: Timestamp) -> bool {
        self.follower.known_at().is_some_and(|at| now.since(at) <= YOUNG)
    }

    /// Forgets what was decoded of records that have changed.
    fn forget_what_moved(&mut self, now: Timestamp) {
        if !self.follower.has_moved() {
            return;
        }
        self.forget_moved(now);
    }

    #[cold]
    #[inline(never)]
    fn forget_moved(&mut self, now: Timestamp) {
        let Some(changes) = self.follower.take_moved() else {
            self.overtaken.note_all(now);
            self.keys.clear();
            self.customers.clear();
            return;
        };
        for Change { key, row } in changes {
            self.overtaken.note(key, now);
            match key.kind {
                Kind::ApiKey => self.keys.remove(&Digest::beginning(&key.digest)),
                // The change names a customer by a digest that is not the cache's.
                Kind::Customer => match row.as_ref().and_then(|row| customer_of(&row.text)) {
                    Some(id) => self.customers.remove(&id.cache_key()),
                    None => self.customers.clear(),
                },
                Kind::Token => {}
            }
        }
    }
}

/// Whose a host is by its row, which is no customer's record. It is not kept: a change of the row names another customer.
#[cold]
#[inline(never)]
fn whose_host(id: &CustomerId, row: &[u8]) -> Option<Stored<CustomerConfig>> {
    id.as_host()?;
    Some(Stored::Present(Rc::new(CustomerConfig::pointer_to(customer_in(row)?))))
}

/// Whether this row revokes a token that was issued then. One that does not say when may have been issued at any time.
fn revokes(row: &Row, issued_at: Option<f64>) -> bool {
    let record: serde_json::Value = serde_json::from_slice(&row.text).unwrap_or_default();
    let Some(before) = record.get("issuedBefore") else { return true };
    let before = before.as_str().and_then(Timestamp::parse_rfc3339);
    match (before, issued_at) {
        (Some(before), Some(issued_at)) => issued_at < before.numeric_date(),
        // What cannot be read was meant to keep somebody out.
        _ => true,
    }
}

/// Whether a copy of this age may answer.
const fn may_answer(currency: Currency) -> bool {
    matches!(currency, Currency::Current | Currency::Silent)
}

/// What was decoded is kept, but for what ends by itself.
fn keep<T>(
    cache: &mut Cache<T>,
    place: &Digest,
    stored: &Stored<T>,
    weight: usize,
    expires_at: Option<Timestamp>,
) {
    if expires_at.is_some() {
        return;
    }
    let (asked_at, as_of) = (Timestamp::default(), Timestamp::default());
    cache.store(*place, Loaded { stored: stored.clone(), weight, asked_at, as_of });
}

/// The id of a customer's record.
fn customer_of(text: &[u8]) -> Option<CustomerId> {
    let record: serde_json::Value = serde_json::from_slice(text).ok()?;
    CustomerId::parse(record.get("customerId")?.as_str()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issued_before_revokes_what_is_older_and_what_does_not_say() {
        let row = Row::of(r#"{"issuedBefore":"2026-01-01T00:00:00Z"}"#);
        let new_year = 1_767_225_600.0;
        assert!(revokes(&row, Some(new_year - 1.0)) && revokes(&row, None));
        assert!(!revokes(&row, Some(new_year)) && !revokes(&row, Some(new_year + 1.0)));
        assert!(revokes(&Row::of("{}"), Some(new_year)) && revokes(&Row::of("not JSON"), Some(new_year)));
    }
}
