//! Loads an issuer's key set: from what another isolate stored of it, else from the issuer itself.
//!
//! The store is a layer that all isolates share: a new isolate need not ask the issuer, and where the
//! issuer is down it has the last good set all the same. A set ages from when the issuer was asked,
//! whoever asked; so the store never makes a withdrawn key live longer.

use std::{cell::RefCell, rc::Rc};

use pointsman_core::{
    base::{
        digest::Digest,
        freshness::{Freshness, MAX_CLOCK_SKEW},
        json::{Shallow, without_bom},
        object::parse_object,
        time::{Span, Timestamp},
    },
    customer::backend_url::{AllowHttp, document_url},
    decide::decision::{Deferred, Write},
    identity::{
        jwk_set::{KeySet, MAX_SET_BYTES},
        jwt::{Issuer, KeySource},
    },
    state::{
        cache::{Loaded, Stored},
        config::Gateway,
        memory::Memory,
    },
};
use serde_json::Value;

use crate::{
    answered::answered,
    cold::boxed_cold,
    ports::{DocumentRequest, Ports, SourceError},
    store::Store,
};

/// Loads key sets of issuers.
pub(crate) struct KeySetLoader<'a, P> {
    issuers: &'a [Issuer],
    allow_http: AllowHttp,
    user_agent: &'a str,
    /// What one call of the store may take: it is part of the time in which a set must be there.
    store_timeout: Span,
    memory: &'a RefCell<Memory>,
    ports: &'a P,
    store: Store<'a, P>,
}

/// What loading a key set came to.
pub(crate) struct KeySetLoad {
    /// The set; `None` where it could not be had.
    pub(crate) set: Option<Rc<KeySet>>,
    /// Whether the issuer itself was asked, and not only what others had of it.
    pub(crate) issuer_asked: bool,
}

/// A key set and where it came from.
struct KeySetDocument {
    set: Rc<KeySet>,
    body: Vec<u8>,
    as_of: Timestamp,
}

/// The name of the KV entry that holds an issuer's key set. It names the source too: whoever points an
/// issuer elsewhere must not be given the keys of the old place.
fn store_key(issuer: &Issuer) -> String {
    let place = match &issuer.keys {
        KeySource::Url(url) | KeySource::Discovery(url) => url.as_str(),
        KeySource::Secret(_) | KeySource::Inline(_) | KeySource::Introspection(_) => "",
    };
    format!("keyset:{}", Digest::of(format!("{}\n{place}", issuer.issuer.as_str()).as_bytes()))
}

impl<'a, P: Ports> KeySetLoader<'a, P> {
    pub(crate) fn new(gateway: &'a Gateway, memory: &'a RefCell<Memory>, ports: &'a P) -> Self {
        Self {
            issuers: gateway.issuers(),
            allow_http: gateway.allow_http(),
            user_agent: gateway.user_agent(),
            store_timeout: gateway.store_timeout(),
            memory,
            ports,
            store: Store::new(gateway, memory, ports),
        }
    }

    /// Loads the key set of an issuer.
    pub(crate) async fn load(&self, index: usize, deferred: &mut Deferred) -> KeySetLoad {
        let Some(issuer) = self.issuers.get(index) else {
            return KeySetLoad { set: None, issuer_asked: false };
        };
        let asked_at = self.ports.now();
        let shared = self.read_shared(issuer, asked_at).await;
        let held = self.memory.borrow().key_sets.get(index).and_then(|memory| memory.set.as_of(asked_at));
        // Of what others had, only what this isolate does not know yet is news.
        let news = shared.as_ref().filter(|shared| held.is_none_or(|held| shared.as_of > held));
        let state = |fetched: &KeySetDocument| issuer.policy.lifetimes.state(asked_at.since(fetched.as_of));
        if let Some(news) = news
            && state(news) == Freshness::Fresh
        {
            return KeySetLoad { set: Some(self.keep(index, news, asked_at)), issuer_asked: false };
        }
        let fetched = self.fetch(issuer, asked_at).await;
        let now = self.ports.now();
        if let Some(memory) = self.memory.borrow_mut().key_sets.get_mut(index) {
            memory.was_asked(now);
            let went = fetched.as_ref().map(|_| ()).map_err(|SourceError(what)| what.as_str());
            memory.health.note(now, went);
        }
        let set = match fetched {
            Ok(fetched) => {
                if let Some(complaint) = fetched.set.complaint() {
                    self.ports.warn("key_set_has_unusable_keys", &format!("{}: {complaint}", issuer.name));
                }
                if fetched.set.usable() == 0 {
                    let what = format!("{}: no key of the set can be used, so no token is", issuer.name);
                    self.ports.warn("key_set_is_empty", &what);
                }
                let set = self.keep(index, &fetched, asked_at);
                // What the store gives back has lost what stood around it.
                let body = without_bom(&fetched.body).trim_ascii();
                let same = shared.as_ref().is_some_and(|shared| shared.body == body);
                if !same || shared.as_ref().is_none_or(|shared| state(shared) > Freshness::Fresh) {
                    deferred.writes.extend(fetched.write(issuer));
                }
                Some(set)
            }
            Err(SourceError(what)) => {
                self.ports.warn("key_set_failed", &format!("{}: {what}", issuer.name));
                let usable = news.filter(|news| state(news) < Freshness::Expired);
                let set = usable.map(|usable| self.keep(index, usable, asked_at));
                if let Some(memory) = self.memory.borrow_mut().key_sets.get_mut(index) {
                    memory.set.fail(asked_at, now);
                }
                set
            }
        };
        KeySetLoad { set, issuer_asked: true }
    }

    fn keep(&self, index: usize, fetched: &KeySetDocument, asked_at: Timestamp) -> Rc<KeySet> {
        if let Some(memory) = self.memory.borrow_mut().key_sets.get_mut(index) {
            memory.was_asked(fetched.as_of);
            memory.set.store(Loaded {
                stored: Stored::Present(Rc::clone(&fetched.set)),
                weight: fetched.body.len().saturating_mul(2),
                asked_at,
                as_of: fetched.as_of,
            });
        }
        Rc::clone(&fetched.set)
    }

    async fn read_shared(&self, issuer: &Issuer, now: Timestamp) -> Option<KeySetDocument> {
        if !self.ports.has_store() {
            return None;
        }
        let key = store_key(issuer);
        let json = match self.store.read(&key).await {
            Ok(json) => json?,
            Err(SourceError(what)) => {
                self.ports.warn("key_set_store_failed", &format!("{}: {what}", issuer.name));
                return None;
            }
        };
        let read = || {
            let record = Shallow::parse(&json).ok()?;
            let (fetched_at, set) = (record.text("fetchedAt")?, record.member("set")?);
            if !record.has_only(&["fetchedAt", "set"]) {
                return None;
            }
            let body = set.get().as_bytes().to_vec();
            let as_of = Timestamp::parse_rfc3339(&fetched_at)?;
            let set = Rc::new(KeySet::parse(&body).ok()?);
            // A time that lies in the future was made by a broken clock, and would outlive a withdrawal.
            (as_of <= now.plus(MAX_CLOCK_SKEW)).then_some(KeySetDocument { set, body, as_of: as_of.min(now) })
        };
        let fetched = read();
        if fetched.is_none() {
            self.ports.warn("key_set_store_failed", &format!("{}: {key} cannot be used", issuer.name));
        }
        fetched
    }

    async fn fetch(&self, issuer: &Issuer, asked_at: Timestamp) -> Result<KeySetDocument, SourceError> {
        let deadline = asked_at.plus(self.store_timeout).plus(issuer.timeout);
        let url = match &issuer.keys {
            KeySource::Url(url) => url.clone(),
            KeySource::Discovery(url) => self.discover(issuer, url).await?,
            KeySource::Secret(_) | KeySource::Inline(_) | KeySource::Introspection(_) => {
                return Err(SourceError("has no key set to fetch".to_owned()));
            }
        };
        // Metadata and keys together get no longer than the timeout, whichever of them is slow.
        let left = deadline.since(self.ports.now()).min(issuer.timeout);
        let body = self.issuers_document(&url, left).await?;
        let set = KeySet::parse(&body).map_err(|what| SourceError(what.to_owned()))?;
        Ok(KeySetDocument { set: Rc::new(set), body, as_of: asked_at })
    }

    /// The `jwks_uri` of the provider's metadata, if the metadata is this issuer's (OpenID Connect
    /// Discovery 1.0, section 4.3): else one provider could hand us another one's keys.
    async fn discover(&self, issuer: &Issuer, url: &str) -> Result<String, SourceError> {
        let body = self.issuers_document(url, issuer.timeout).await?;
        let rubbish = || SourceError("the provider metadata is not a JSON object".to_owned());
        let metadata = parse_object(without_bom(&body)).map_err(|_| rubbish())?;
        if metadata.get("issuer").and_then(Value::as_str) != Some(issuer.issuer.as_str()) {
            return Err(SourceError("the provider metadata is of another issuer".to_owned()));
        }
        let uri = metadata.get("jwks_uri").and_then(Value::as_str);
        let uri = uri.ok_or_else(|| SourceError("the provider metadata has no jwks_uri".to_owned()))?;
        document_url(uri, self.allow_http)
            .map_err(|error| SourceError(format!("the provider's jwks_uri {error}")))
    }

    async fn issuers_document(&self, url: &str, timeout: Span) -> Result<Vec<u8>, SourceError> {
        let request = DocumentRequest {
            url,
            authorization: None,
            service: None,
            body: None,
            etag: None,
            user_agent: self.user_agent,
            timeout,
            max_bytes: MAX_SET_BYTES,
        };
        boxed_cold(answered(self.ports, request, "issuer")).await
    }
}

impl KeySetDocument {
    fn write(&self, issuer: &Issuer) -> Option<Write> {
        // It was read as JSON before, so it stands as well in another object.
        let set = std::str::from_utf8(without_bom(&self.body)).ok()?.trim_ascii();
        let record = format!("{{\"fetchedAt\":\"{}\",\"set\":{set}}}", self.as_of);
        Some(Write { key: store_key(issuer), record, asked_at: self.as_of, lesson: None })
    }
}
