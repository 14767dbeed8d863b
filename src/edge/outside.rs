//! The core's ports, on the platform: KV, fetch, WebCrypto, console.

use js_sys::Promise;
use pointsman_core::{
    base::{
        json::text,
        time::{Span, Timestamp},
    },
    directory::{
        bytes::hex,
        log::{Epoch, Revision, ShardRef},
    },
    identity::{algorithm::Algorithm, jwk_set::PublicKey},
};
use pointsman_loader::ports::{
    DocumentRequest, FetchedDocument, HeadAnswer, LoadResult, Ports, SourceError, VerifyError,
};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use worker::Env;

use super::platform;

/// The binding of the KV namespace that holds keys and customers.
const KV_BINDING: &str = "POINTSMAN_KV";
/// Seconds for which a KV location may answer from its own cache: the least that KV takes, since it
/// adds to the time until a revoked key stops working.
const KV_CACHE_SECONDS: u32 = 30;

/// The outside of one request.
#[derive(Clone)]
pub(super) struct Outside {
    env: Env,
}

impl Outside {
    pub(super) const fn new(env: Env) -> Self {
        Self { env }
    }
}

impl Ports for Outside {
    fn now(&self) -> Timestamp {
        platform::now()
    }

    fn has_store(&self) -> bool {
        self.store().is_some()
    }

    async fn stored(&self, key: &str, timeout: Span) -> Result<Option<Vec<u8>>, SourceError> {
        let store = self.store().ok_or_else(no_store)?;
        let value =
            platform::kv_get(&store, key, KV_CACHE_SECONDS, millis(timeout)).await.map_err(store_failed)?;
        Ok(value.as_string().map(String::into_bytes))
    }

    async fn stored_many(&self, keys: &[String], timeout: Span) -> Result<Vec<Option<Vec<u8>>>, SourceError> {
        let store = self.store().ok_or_else(no_store)?;
        let names = serde_json::to_string(keys).unwrap_or_default();
        let values = platform::kv_get_many(&store, &names, KV_CACHE_SECONDS, millis(timeout));
        let values = js_sys::Array::from(&values.await.map_err(store_failed)?);
        Ok(values.iter().map(|value| value.as_string().map(String::into_bytes)).collect())
    }

    async fn put_many(&self, entries: &[(String, String)], timeout: Span) -> Result<(), SourceError> {
        let store = self.store().ok_or_else(no_store)?;
        let entries = serde_json::to_string(entries).unwrap_or_default();
        let written = platform::kv_put_many(&store, &entries, millis(timeout)).await;
        written.map(|_| ()).map_err(store_failed)
    }

    async fn wait_for_load(&self, flight: &str, at_most: Span) -> LoadResult {
        match JsFuture::from(platform::wait_for_load(flight, millis(at_most)))
            .await
            .map(|well| well.as_bool())
        {
            Ok(Some(true)) => LoadResult::Done,
            Ok(Some(false)) => LoadResult::Failed,
            Ok(None) | Err(_) => LoadResult::Late,
        }
    }

    fn complete_load(&self, flight: &str, well: bool) {
        platform::complete_load(flight, well);
    }

    async fn document(&self, request: DocumentRequest<'_>) -> Result<FetchedDocument, SourceError> {
        #[allow(clippy::cast_precision_loss)] // far below 2^53
        let max_bytes = request.max_bytes as f64;
        let document = platform::get_document(
            request.url,
            request.authorization,
            request.body,
            request.etag,
            millis(request.timeout),
            max_bytes,
            request.user_agent,
            self.env.as_ref(),
            request.service.map(|call| call.binding),
            request.service.map(|call| call.request_id),
        );
        match document.await {
            Ok(document) => Ok(FetchedDocument {
                status: document.status(),
                body: document.body().to_vec(),
                etag: document.etag(),
                location: document.location(),
            }),
            // Without its query: some sources want a secret there.
            Err(error) => {
                let place = request.url.split('?').next().unwrap_or_default();
                Err(SourceError(format!("{place}: {}", message(&error))))
            }
        }
    }

    async fn head(&self, at_most: Span, timeout: Span) -> Result<HeadAnswer, SourceError> {
        let head = platform::head(self.env.as_ref(), millis(at_most), millis(timeout)).await;
        let head = head.map_err(ledger_failed)?;
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a cast saturates
        let asked_at = head.asked_at().map(|at| Timestamp::from_millis(at as u64));
        Ok(HeadAnswer { bytes: head.bytes().to_vec(), asked_at })
    }

    async fn segment(&self, epoch: Epoch, first: Revision, timeout: Span) -> Result<Vec<u8>, SourceError> {
        #[allow(clippy::cast_precision_loss)] // far below 2^53
        let first = first as f64;
        let bytes = platform::segment(self.env.as_ref(), &epoch.to_string(), first, millis(timeout)).await;
        bytes.map(|bytes| bytes.to_vec()).map_err(ledger_failed)
    }

    async fn shard(&self, name: &str, named: &ShardRef, timeout: Span) -> Result<Vec<u8>, SourceError> {
        let bytes = platform::shard(self.env.as_ref(), name, &hex(&named.hash), millis(timeout)).await;
        bytes.map(|bytes| bytes.to_vec()).map_err(|error| SourceError(message(&error)))
    }

    async fn ask_ledger(&self, name: &str, timeout: Span) -> Result<Vec<u8>, SourceError> {
        let bytes = platform::ask_ledger(self.env.as_ref(), name, millis(timeout)).await;
        bytes.map(|bytes| bytes.to_vec()).map_err(ledger_failed)
    }

    async fn take_list(&self, json: &str, timeout: Span) -> Result<String, SourceError> {
        let answer = platform::take_list(self.env.as_ref(), json, millis(timeout)).await;
        answer.map_err(ledger_failed).map(|answer| answer.as_string().unwrap_or_default())
    }

    async fn learn(&self, json: &str, timeout: Span) -> Result<String, SourceError> {
        let answer = platform::learn(self.env.as_ref(), json, millis(timeout)).await;
        answer.map_err(ledger_failed).map(|answer| answer.as_string().unwrap_or_default())
    }

    async fn provided(&self, behind: &[u8], limit: u32, timeout: Span) -> Result<Vec<u8>, SourceError> {
        let bytes = platform::provided(self.env.as_ref(), &hex(behind), limit, millis(timeout)).await;
        bytes.map(|bytes| bytes.to_vec()).map_err(ledger_failed)
    }

    async fn tail(&self, timeout: Span) -> Result<Option<Vec<u8>>, SourceError> {
        let bytes = platform::tail(self.env.as_ref(), millis(timeout)).await.map_err(store_failed)?;
        Ok(bytes.dyn_ref::<js_sys::Uint8Array>().map(js_sys::Uint8Array::to_vec))
    }

    async fn sleep(&self, span: Span) {
        let _ = JsFuture::from(platform::sleep(millis(span))).await;
    }

    async fn verify(
        &self,
        key: &PublicKey,
        algorithm: Algorithm,
        signing_input: &str,
        signature: &[u8],
    ) -> Result<bool, VerifyError> {
        let verdict = match verify_at_once(key, algorithm, signing_input, signature) {
            Some(verdict) => verdict,
            None => {
                let jwk = text(&key.to_jwk());
                let parameters = text(&algorithm.web_crypto());
                let imported = platform::import_key(&imported_name(key, algorithm), &jwk, &parameters).await;
                imported.map_err(|_| VerifyError::UnusableKey)?;
                verify_at_once(key, algorithm, signing_input, signature).ok_or(VerifyError::UnusableKey)?
            }
        };
        verdict_of(&JsFuture::from(verdict).await.unwrap_or_default())
    }

    fn note(&self, event: &str, message: &str) {
        platform::log_message("info", event, message);
    }

    fn warn(&self, event: &str, message: &str) {
        warn(event, message);
    }
}

impl Outside {
    fn store(&self) -> Option<JsValue> {
        let store = js_sys::Reflect::get(self.env.as_ref(), &KV_BINDING.into()).ok()?;
        (!store.is_undefined()).then_some(store)
    }
}

/// Verifies a signature; nothing where the key must be imported first ([`Ports::verify`] does that).
pub(super) fn verify_at_once(
    key: &PublicKey,
    algorithm: Algorithm,
    signing_input: &str,
    signature: &[u8],
) -> Option<Promise> {
    platform::verify_signature(&imported_name(key, algorithm), signature, signing_input.as_bytes())
}

/// What a verification came to.
pub(super) fn verdict_of(verdict: &JsValue) -> Result<bool, VerifyError> {
    verdict.as_bool().ok_or(VerifyError::UnusableKey)
}

/// An imported key is good for one algorithm.
fn imported_name(key: &PublicKey, algorithm: Algorithm) -> String {
    format!("{}{}", algorithm.name(), key.thumbprint())
}

fn no_store() -> SourceError {
    SourceError(format!("there is no KV namespace bound as {KV_BINDING}"))
}

fn store_failed(error: JsValue) -> SourceError {
    SourceError(format!("KV {KV_BINDING}: {}", message(&error)))
}

fn ledger_failed(error: JsValue) -> SourceError {
    SourceError(format!("ledger: {}", message(&error)))
}

#[allow(clippy::cast_precision_loss)] // far below 2^53
fn millis(span: Span) -> f64 {
    span.millis() as f64
}

/// Logs something wrong that no single request is to blame for.
pub(super) fn warn(event: &str, message: &str) {
    platform::log_message("warn", event, message);
}

pub(super) fn message(error: &JsValue) -> String {
    let text = js_sys::Reflect::get(error, &"message".into()).ok().and_then(|message| message.as_string());
    text.unwrap_or_else(|| "failed".to_owned())
}
