//! The core's ports, on the platform: KV, fetch, WebCrypto, console.

use serde_json::{Value, json};
use worker::Env;

use super::platform;
use crate::{
    authenticate::{
        algorithm::{Algorithm, Curve, KeyKind},
        jwks::PublicKey,
    },
    ports::{Document, DocumentRequest, Ports, SourceError, VerifyError},
    time::Timestamp,
};

/// The binding of the KV namespace that holds keys and customers.
const KV_BINDING: &str = "POINTSMAN_KV";
/// Seconds for which a KV location may answer from its own cache: the least that KV takes, since it
/// adds to the time until a revoked key stops working.
const KV_CACHE_SECONDS: u64 = 30;

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

    async fn stored(&self, key: &str) -> Result<Option<Vec<u8>>, SourceError> {
        let failed = |what: String| SourceError(format!("KV {KV_BINDING}: {what}"));
        let store = self.env.kv(KV_BINDING).map_err(|error| failed(error.to_string()))?;
        let value = store.get(key).cache_ttl(KV_CACHE_SECONDS).text().await;
        value.map(|text| text.map(String::into_bytes)).map_err(|error| failed(error.to_string()))
    }

    async fn document(&self, request: DocumentRequest<'_>) -> Result<Document, SourceError> {
        #[allow(clippy::cast_precision_loss)] // both far below 2^53
        let (timeout, max_bytes) = (request.timeout.millis() as f64, request.max_bytes as f64);
        let token = request.token.map(str::to_owned);
        match platform::get_document(request.url, token, timeout, max_bytes).await {
            Ok(document) => Ok(Document { status: document.status(), body: document.body().to_vec() }),
            // Without its query: some sources want a secret there.
            Err(error) => {
                let place = request.url.split('?').next().unwrap_or_default();
                Err(SourceError(format!("{place}: {}", message(&error))))
            }
        }
    }

    async fn verify(
        &self,
        key: &PublicKey,
        algorithm: Algorithm,
        signing_input: &str,
        signature: &[u8],
    ) -> Result<bool, VerifyError> {
        let id = format!("{}{}", algorithm.name(), key.thumbprint());
        let jwk = key.to_jwk().to_string();
        let parameters = web_crypto_parameters(algorithm).to_string();
        let verdict = platform::verify_signature(&id, &jwk, &parameters, signature, signing_input).await;
        verdict.ok().and_then(|verdict| verdict.as_bool()).ok_or(VerifyError::UnusableKey)
    }

    fn warn(&self, event: &str, what: &str) {
        warn(event, what);
    }
}

/// Logs something that no single request is to blame for.
pub(super) fn warn(event: &str, what: &str) {
    let time = platform::now().to_string();
    platform::log(&json!({ "event": event, "level": "warn", "time": time, "what": what }).to_string());
}

/// The algorithm as WebCrypto wants it, for import and verification alike.
fn web_crypto_parameters(algorithm: Algorithm) -> Value {
    let hash = format!("SHA-{}", algorithm.hash_bits());
    match algorithm.key_kind() {
        KeyKind::Rsa if algorithm.is_pss() => {
            json!({ "name": "RSA-PSS", "hash": hash, "saltLength": algorithm.hash_bits() / 8 })
        }
        KeyKind::Rsa => json!({ "name": "RSASSA-PKCS1-v1_5", "hash": hash }),
        KeyKind::Ec(curve) => {
            let name =
                Curve::ALL.iter().find(|(known, _, _)| *known == curve).map_or("", |(_, name, _)| name);
            json!({ "name": "ECDSA", "namedCurve": name, "hash": hash })
        }
        KeyKind::Ed25519 | KeyKind::Secret => json!({ "name": "Ed25519" }),
    }
}

fn message(error: &wasm_bindgen::JsValue) -> String {
    let text = js_sys::Reflect::get(error, &"message".into()).ok().and_then(|message| message.as_string());
    text.unwrap_or_else(|| "failed".to_owned())
}
