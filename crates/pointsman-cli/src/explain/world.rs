//! The outside of an explanation: records from wherever the operator says, key sets from files, and no
//! network.

use std::{cell::RefCell, collections::HashMap};

use pointsman_core::{
    base::time::{Span, Timestamp},
    identity::{algorithm::Algorithm, jwk_set::PublicKey, jwt::KeySource},
    state::config::Gateway,
};
use pointsman_loader::{
    native,
    ports::{DocumentRequest, FetchedDocument, LoadResult, Ports, ServiceCall, SourceError, VerifyError},
};
use serde_json::json;

/// Reads the values of KV entries, in their order.
pub(super) type Records<'a> = dyn Fn(&[String]) -> Result<Vec<Option<Vec<u8>>>, String> + 'a;

/// The outside, as far as an explanation asks for it.
pub(super) struct World<'a> {
    pub(super) now: Timestamp,
    /// `None` where no records were given.
    pub(super) records: Option<&'a Records<'a>>,
    pub(super) documents: &'a HashMap<String, Vec<u8>>,
    /// The config API, where the records that were given are all there are.
    pub(super) nobody_else_at: Option<&'a str>,
    /// What the service answers that the route asks, where that is given.
    pub(super) authorize: Option<Vec<u8>>,
    /// What the gateway would have warned of.
    pub(super) warnings: RefCell<Vec<String>>,
}

/// Where a key set stands that was found by discovery and comes from a file.
fn discovered(issuer: &str) -> String {
    format!("https://{issuer}.invalid/jwks")
}

/// The documents that an issuer's key set, given as a file, stands for.
pub(super) fn key_set_documents(gateway: &Gateway, issuer: &str, set: &[u8]) -> Vec<(String, Vec<u8>)> {
    let Some(issuer) = gateway.issuers().iter().find(|own| *own.name == *issuer) else { return Vec::new() };
    match &issuer.keys {
        KeySource::Url(url) => vec![(url.clone(), set.to_vec())],
        KeySource::Discovery(url) => {
            let place = discovered("issuer");
            let metadata = json!({ "issuer": issuer.issuer.as_str(), "jwks_uri": place });
            vec![(url.clone(), metadata.to_string().into_bytes()), (place, set.to_vec())]
        }
        KeySource::Inline(_) | KeySource::Secret(_) | KeySource::Introspection(_) => Vec::new(),
    }
}

impl Ports for World<'_> {
    fn now(&self) -> Timestamp {
        self.now
    }

    fn has_store(&self) -> bool {
        self.records.is_some()
    }

    async fn stored(&self, key: &str, timeout: Span) -> Result<Option<Vec<u8>>, SourceError> {
        Ok(self.stored_many(&[key.to_owned()], timeout).await?.into_iter().next().flatten())
    }

    async fn stored_many(&self, keys: &[String], _: Span) -> Result<Vec<Option<Vec<u8>>>, SourceError> {
        let records = self.records.ok_or_else(|| {
            let key = keys.first().map_or("", String::as_str);
            SourceError(format!("{key} was asked for: say where records are by --data, --local or --remote"))
        })?;
        records(keys).map_err(SourceError)
    }

    /// An explanation changes nothing.
    async fn put_many(&self, _: &[(String, String)], _: Span) -> Result<(), SourceError> {
        Ok(())
    }

    async fn document(&self, request: DocumentRequest<'_>) -> Result<FetchedDocument, SourceError> {
        if let Some(ServiceCall { binding, .. }) = request.service {
            let body = self.authorize.clone().unwrap_or_else(|| {
                self.warn(
                    "authorize",
                    &format!(
                        "the service {binding} was not asked: the rest holds if it allows the request; give its answer by \
                         --authorize JSON"
                    ),
                );
                br#"{"allow":true}"#.to_vec()
            });
            return Ok(FetchedDocument { status: 200, body, ..FetchedDocument::default() });
        }
        if let Some(rest) = self.nobody_else_at.and_then(|url| request.url.strip_prefix(url)) {
            let status = if rest.is_empty() { 200 } else { 404 };
            return Ok(FetchedDocument { status, body: b"[]".to_vec(), ..FetchedDocument::default() });
        }
        match self.documents.get(request.url) {
            Some(body) => {
                Ok(FetchedDocument { status: 200, body: body.clone(), ..FetchedDocument::default() })
            }
            None => Err(SourceError(format!("{} is not asked offline", request.url))),
        }
    }

    /// Nobody else loads anything here.
    async fn wait_for_load(&self, _: &str, _: Span) -> LoadResult {
        LoadResult::Late
    }

    fn complete_load(&self, _: &str, _: bool) {}

    async fn verify(
        &self,
        key: &PublicKey,
        algorithm: Algorithm,
        signing_input: &str,
        signature: &[u8],
    ) -> Result<bool, VerifyError> {
        native::verify(key, algorithm, signing_input, signature)
    }

    fn note(&self, event: &str, what: &str) {
        self.warn(event, what);
    }

    fn warn(&self, _: &str, what: &str) {
        self.warnings.borrow_mut().push(what.to_owned());
    }
}
