//! Decides a request for which something must be loaded first: load, decide again, until decided.
//!
//! Every load changes what this request has found, so the loop ends: key, customer and key set are
//! loaded at most once a request each, and a signature is judged at most twice, by the set that was
//! known and by the one that was loaded for it.

use std::{cell::RefCell, rc::Rc};

use serde_json::Value;

use crate::{
    authenticate::{
        api_key::{self, KeyConfig},
        jwks::{KeySet, MAX_SET_BYTES},
        jwt::{Issuer, KeySource, VerifiedToken},
    },
    cache::Stored,
    claims::parse_object,
    config::{ConfigSource, Gateway},
    customer::{CustomerConfig, CustomerId, backend::document_url, provider_record, resolve::cache_key},
    decision::{Decision, Found, Need, Outcome, Refreshes, SignatureCheck},
    digest::Digest,
    error::Refusal,
    journal::Trace,
    memory::Memory,
    ports::{Document, DocumentRequest, Ports, SourceError, VerifyError},
    request::Head,
    time::Timestamp,
};

/// More rounds than any request can need.
const MAX_ROUNDS: usize = 8;

/// A config API's answer longer than this is not read.
const MAX_CONFIG_BYTES: usize = 16 << 20;

/// The configuration and memory of an isolate, and the way out of it.
pub struct Context<'a, P> {
    /// The configuration.
    pub gateway: &'a Gateway,
    /// Borrowed only between awaits: a borrow held across one would meet another request's.
    pub memory: &'a RefCell<Memory>,
    /// The outside.
    pub ports: &'a P,
}

impl<P: Ports> Context<'_, P> {
    /// Decides a request, loading what that takes. `first` is the need that a synchronous decision
    /// met, and `refreshes` the leases that it took: each round's are kept, since nobody else
    /// refreshes an entry while its lease runs.
    pub async fn decide(&self, head: &Head<'_>, first: Need, refreshes: Refreshes) -> Decision {
        let mut found = Found::default();
        let mut need = first;
        let mut kept = refreshes;
        for _ in 0..MAX_ROUNDS {
            self.load(&need, &mut found).await;
            let now = self.ports.now();
            let mut decision = self.gateway.decide(head, &mut self.memory.borrow_mut(), &found, now);
            kept.0.append(&mut decision.refreshes.0);
            match decision.outcome {
                Outcome::Load(next) => need = next,
                Outcome::Forward(_) | Outcome::Answer(_) => {
                    // What this request has loaded needs no refresh behind it.
                    kept.0.retain(|need| !found.has_loaded(need));
                    return Decision { refreshes: kept, ..decision };
                }
            }
        }
        self.ports.warn("undecided", "a request needed more loads than there are things to load");
        let answer = self.gateway.refuse(Refusal::Misconfigured, None, None, head);
        Decision { outcome: Outcome::Answer(answer), trace: Trace::default(), refreshes: kept }
    }

    /// Refreshes an entry behind a response.
    pub async fn refresh(&self, need: &Need) {
        self.load(need, &mut Found::default()).await;
    }

    async fn load(&self, need: &Need, found: &mut Found) {
        match need {
            Need::Key(digest) => self.load_key(digest, found).await,
            Need::Customer(id) => self.load_customer(id, found).await,
            Need::KeySet(issuer) => self.load_key_set(*issuer, found).await,
            Need::Signature(check) => found.token = Some(self.judge(check).await),
        }
    }

    async fn load_key(&self, digest: &Digest, found: &mut Found) {
        let asked_at = self.ports.now();
        match self.ports.stored(&api_key::store_key(digest)).await {
            Ok(None) => self.keep_key(*digest, Stored::Absent, 0, asked_at, found),
            Ok(Some(json)) => match KeyConfig::parse(&json) {
                Ok(config) => {
                    let weight = config.weight();
                    self.keep_key(*digest, Stored::Present(Rc::new(config)), weight, asked_at, found);
                }
                Err(error) => {
                    self.ports.warn("key_record_malformed", &format!("key:{digest} {error}"));
                    self.keep_key(*digest, Stored::Malformed, 0, asked_at, found);
                }
            },
            Err(SourceError(what)) => {
                self.ports.warn("key_store_failed", &what);
                self.memory.borrow().keys.failed(digest, self.ports.now());
                found.key_failed = true;
            }
        }
    }

    fn keep_key(
        &self,
        digest: Digest,
        stored: Stored<KeyConfig>,
        weight: usize,
        asked_at: Timestamp,
        found: &mut Found,
    ) {
        found.key = Some(self.memory.borrow_mut().keys.store(digest, stored, weight, asked_at));
    }

    async fn load_customer(&self, id: &CustomerId, found: &mut Found) {
        let asked_at = self.ports.now();
        match self.find_customer(id).await {
            Ok(stored) => {
                let weight = match &stored {
                    Stored::Present(config) => config.weight(),
                    Stored::Absent | Stored::Malformed => 0,
                };
                let mut memory = self.memory.borrow_mut();
                found.customer = Some(memory.customers.store(cache_key(id), stored, weight, asked_at));
            }
            Err(SourceError(what)) => {
                self.ports.warn("customer_source_failed", &what);
                self.memory.borrow().customers.failed(&cache_key(id), self.ports.now());
                found.customer_failed = true;
            }
        }
    }

    /// KV first, then the provider's config API.
    async fn find_customer(&self, id: &CustomerId) -> Result<Stored<CustomerConfig>, SourceError> {
        if let Some(json) = self.ports.stored(&id.store_key()).await? {
            return Ok(match CustomerConfig::parse(&json, id, self.gateway.allow_http) {
                Ok(config) => Stored::Present(Rc::new(config)),
                Err(error) => {
                    self.ports.warn("customer_record_malformed", &format!("{} {error}", id.store_key()));
                    Stored::Malformed
                }
            });
        }
        let source = self.gateway.customers.as_ref().and_then(|customers| customers.source.as_ref());
        match source {
            Some(source) => self.ask_config_api(source, id).await,
            None => Ok(Stored::Absent),
        }
    }

    async fn ask_config_api(
        &self,
        source: &ConfigSource,
        id: &CustomerId,
    ) -> Result<Stored<CustomerConfig>, SourceError> {
        let url = if source.by_id {
            let Some(segment) = path_segment(id.as_str()) else { return Ok(Stored::Absent) };
            format!("{}/{segment}", source.url)
        } else {
            source.url.clone()
        };
        let request = DocumentRequest {
            url: &url,
            token: source.token.as_deref(),
            timeout: source.timeout,
            max_bytes: MAX_CONFIG_BYTES,
        };
        let Document { status, body } = self.ports.document(request).await?;
        match status {
            200..=299 => self.read_config_answer(source, &body, id),
            404 if source.by_id => Ok(Stored::Absent),
            _ => Err(SourceError(format!("the config API answered {status}"))),
        }
    }

    /// Finds one customer in the config API's answer: the list, or the one that was asked for. Whatever
    /// is not clearly one of these is a failed load: "not listed" would send the customer away, or to
    /// a shared backend.
    fn read_config_answer(
        &self,
        source: &ConfigSource,
        body: &[u8],
        id: &CustomerId,
    ) -> Result<Stored<CustomerConfig>, SourceError> {
        let rubbish = |what: &str| SourceError(format!("the config API's answer {what}"));
        let document: Value =
            serde_json::from_slice(body).map_err(|error| rubbish(&format!("is no JSON: {error}")))?;
        let id_of = |entry: &Value| entry.get("customerId").and_then(Value::as_str).map(str::to_owned);
        let entry = match document {
            Value::Array(entries) if !source.by_id => {
                let nameless = entries.iter().any(|entry| id_of(entry).is_none());
                match entries.into_iter().find(|entry| id_of(entry).as_deref() == Some(id.as_str())) {
                    Some(entry) => entry,
                    None if nameless => return Err(rubbish("has entries without a customerId")),
                    None => return Ok(Stored::Absent),
                }
            }
            entry @ Value::Object(_) if source.by_id => {
                if id_of(&entry).as_deref() != Some(id.as_str()) {
                    return Err(rubbish("is not the customer that was asked for"));
                }
                entry
            }
            _ if source.by_id => return Err(rubbish("is not an object")),
            _ => return Err(rubbish("is not an array")),
        };
        let config = provider_record(entry)
            .and_then(|record| CustomerConfig::from_record(record, self.gateway.allow_http));
        match config {
            Ok(config) => Ok(Stored::Present(Rc::new(config))),
            Err(error) => {
                self.ports.warn("customer_record_malformed", &format!("config API, {id} {error}"));
                Ok(Stored::Malformed)
            }
        }
    }

    async fn load_key_set(&self, index: usize, found: &mut Found) {
        found.key_set_failed = true;
        let Some(issuer) = self.gateway.issuers.get(index) else { return };
        let now = self.ports.now();
        if let Some(remembered) = self.memory.borrow_mut().key_sets.get_mut(index) {
            // Discovery takes two fetches, each with the timeout.
            remembered.begin(issuer.timeout.plus(issuer.timeout), now);
        }
        match self.fetch_key_set(issuer).await {
            Ok((set, bytes)) => {
                let set = Rc::new(set);
                if set.passed_over() > 0 {
                    let what = format!("{}: {} keys cannot be used", issuer.name, set.passed_over());
                    self.ports.warn("key_set_has_unusable_keys", &what);
                }
                found.key_set = Some(Rc::clone(&set));
                // What was judged by another set is judged again.
                found.token = None;
                found.key_set_failed = false;
                let ended = self.ports.now();
                if let Some(remembered) = self.memory.borrow_mut().key_sets.get_mut(index) {
                    remembered.store(set, bytes, now, ended);
                }
            }
            Err(SourceError(what)) => {
                self.ports.warn("key_set_failed", &format!("{}: {what}", issuer.name));
                let now = self.ports.now();
                if let Some(remembered) = self.memory.borrow_mut().key_sets.get_mut(index) {
                    remembered.failed(now);
                }
            }
        }
    }

    async fn fetch_key_set(&self, issuer: &Issuer) -> Result<(KeySet, usize), SourceError> {
        let url = match &issuer.keys {
            KeySource::Url(url) => url.clone(),
            KeySource::Discovery(url) => self.discover(issuer, url).await?,
            KeySource::Secret(_) | KeySource::Inline(_) => {
                return Err(SourceError("has no key set to fetch".to_owned()));
            }
        };
        let body = self.issuers_document(issuer, &url).await?;
        let set = KeySet::parse(&body).map_err(|what| SourceError(what.to_owned()))?;
        Ok((set, body.len()))
    }

    /// The `jwks_uri` of the provider's metadata, if the metadata is this issuer's (OpenID Connect
    /// Discovery 1.0, section 4.3): else one provider could hand us another one's keys.
    async fn discover(&self, issuer: &Issuer, url: &str) -> Result<String, SourceError> {
        let body = self.issuers_document(issuer, url).await?;
        let rubbish = || SourceError("the provider metadata is not a JSON object".to_owned());
        let metadata = parse_object(&body).map_err(|_| rubbish())?;
        if metadata.get("issuer").and_then(Value::as_str) != Some(&issuer.issuer) {
            return Err(SourceError("the provider metadata is of another issuer".to_owned()));
        }
        let uri = metadata.get("jwks_uri").and_then(Value::as_str);
        let uri = uri.ok_or_else(|| SourceError("the provider metadata has no jwks_uri".to_owned()))?;
        let allow_http = self.gateway.allow_http;
        document_url(uri, allow_http).map_err(|error| SourceError(format!("the provider's jwks_uri {error}")))
    }

    async fn issuers_document(&self, issuer: &Issuer, url: &str) -> Result<Vec<u8>, SourceError> {
        let request = DocumentRequest { url, token: None, timeout: issuer.timeout, max_bytes: MAX_SET_BYTES };
        match self.ports.document(request).await? {
            Document { status: 200, body } => Ok(body),
            Document { status, .. } => Err(SourceError(format!("the issuer answered {status}"))),
        }
    }

    async fn judge(&self, check: &SignatureCheck) -> Result<Rc<VerifiedToken>, Refusal> {
        let verdict =
            self.ports.verify(&check.key, check.algorithm, &check.signing_input, &check.signature).await;
        match verdict {
            Ok(true) => {
                let now = self.ports.now();
                let stored = Stored::Present(Rc::clone(&check.verified));
                self.memory.borrow_mut().tokens.store(check.token, stored, check.weight, now);
                Ok(Rc::clone(&check.verified))
            }
            Ok(false) => Err(Refusal::TokenSignature),
            Err(VerifyError::UnusableKey) => Err(Refusal::TokenKeyUnusable),
        }
    }
}

/// An id as one path segment; `None` for `.` and `..`, which no encoding keeps a URL parser from
/// resolving.
fn path_segment(id: &str) -> Option<String> {
    if matches!(id, "." | "..") {
        return None;
    }
    let mut segment = String::with_capacity(id.len());
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            segment.push(char::from(byte));
        } else {
            segment.push_str(&format!("%{byte:02X}"));
        }
    }
    Some(segment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_stays_one_segment() {
        assert_eq!(path_segment("acme-corp").unwrap(), "acme-corp");
        assert_eq!(path_segment("a/b?c#d é").unwrap(), "a%2Fb%3Fc%23d%20%C3%A9");
        assert_eq!(path_segment("..").is_none(), path_segment(".").is_none());
    }
}
