//! The runtime's objects and the functions of `glue.js`, as the edge sees them.

use js_sys::{Promise, Uint8Array};
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// `ExecutionContext`.
    #[derive(Clone)]
    pub(super) type ExecutionContext;
    #[wasm_bindgen(method, js_name = waitUntil)]
    pub(super) fn wait_until(this: &ExecutionContext, promise: &Promise);

    /// A request on the JavaScript side: itself, its fields and their copy for the backend.
    #[derive(Clone)]
    pub(super) type Incoming;
    /// What the core needs to know of it at once: see `survey` in `glue.js`.
    #[wasm_bindgen(method, getter)]
    pub(super) fn text(this: &Incoming) -> String;

    /// What [`get_document`] got.
    pub(super) type Document;
    #[wasm_bindgen(method, getter)]
    pub(super) fn status(this: &Document) -> u16;
    #[wasm_bindgen(method, getter)]
    pub(super) fn body(this: &Document) -> Uint8Array;
    #[wasm_bindgen(method, getter)]
    pub(super) fn etag(this: &Document) -> Option<String>;
    #[wasm_bindgen(method, getter)]
    pub(super) fn location(this: &Document) -> Option<String>;

    #[wasm_bindgen(js_namespace = Date, js_name = now)]
    pub(super) fn date_now() -> f64;
}

#[wasm_bindgen(module = "/src/edge/glue.js")]
extern "C" {
    pub(super) fn install(judge: &JsValue, most_fields: u32, too_many: u32);
    pub(super) fn survey(request: &JsValue) -> Incoming;
    pub(super) fn field(incoming: &Incoming, name: &str) -> Option<String>;
    pub(super) fn names(incoming: &Incoming) -> String;
    pub(super) fn cf(incoming: &Incoming, path: &str) -> Option<String>;
    /// Ends a request. `parts` is what [`crate::wire::encode_answer`] wrote.
    pub(super) fn answer(status: u16, parts: &str, began: f64) -> JsValue;
    #[wasm_bindgen(js_name = getDocument, catch)]
    pub(super) async fn get_document(
        url: &str,
        authorization: Option<&str>,
        body: Option<&str>,
        etag: Option<&str>,
        timeout: f64,
        max_bytes: f64,
        user_agent: &str,
        env: &JsValue,
        binding: Option<&str>,
        request_id: Option<&str>,
    ) -> Result<Document, JsValue>;
    #[wasm_bindgen(js_name = untilTrap)]
    pub(super) fn until_trap(promise: &Promise) -> Promise;
    #[wasm_bindgen(js_name = untilDecided)]
    pub(super) fn until_decided(promise: &Promise) -> Promise;
    #[wasm_bindgen(js_name = waitForLoad)]
    pub(super) fn wait_for_load(name: &str, at_most: f64) -> Promise;
    #[wasm_bindgen(js_name = completeLoad)]
    pub(super) fn complete_load(name: &str, well: bool);
    #[wasm_bindgen(js_name = kvGet, catch)]
    pub(super) async fn kv_get(
        store: &JsValue,
        key: &str,
        cache_ttl: u32,
        timeout: f64,
    ) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_name = kvGetMany, catch)]
    pub(super) async fn kv_get_many(
        store: &JsValue,
        keys: &str,
        cache_ttl: u32,
        timeout: f64,
    ) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_name = kvPutMany, catch)]
    pub(super) async fn kv_put_many(store: &JsValue, entries: &str, timeout: f64)
    -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_name = importKey, catch)]
    pub(super) async fn import_key(id: &str, jwk: &str, algorithm: &str) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(js_name = verifySignature)]
    pub(super) fn verify_signature(id: &str, signature: &[u8], data: &[u8]) -> Option<Promise>;
    #[wasm_bindgen(js_name = afterVerdict)]
    pub(super) fn after_verdict(verdict: &Promise, resume: &JsValue) -> JsValue;
    #[wasm_bindgen(js_name = randomBytes)]
    pub(super) fn random_bytes(length: u32) -> Vec<u8>;
}

#[wasm_bindgen]
extern "C" {
    /// What [`head`] got.
    pub(super) type LedgerHead;
    #[wasm_bindgen(method, getter)]
    pub(super) fn bytes(this: &LedgerHead) -> Uint8Array;
    #[wasm_bindgen(method, getter, js_name = askedAt)]
    pub(super) fn asked_at(this: &LedgerHead) -> Option<f64>;
}

#[wasm_bindgen]
extern "C" {
    /// What [`ask_operator`] got.
    pub(super) type LedgerSaid;
    #[wasm_bindgen(method, getter)]
    pub(super) fn status(this: &LedgerSaid) -> u16;
    #[wasm_bindgen(method, getter)]
    pub(super) fn text(this: &LedgerSaid) -> String;
    /// Values of the answer's fields, a line each, in the order of [`ANSWER_FIELDS`].
    #[wasm_bindgen(method, getter)]
    pub(super) fn fields(this: &LedgerSaid) -> String;
    /// Where the config API is to be asked anew: the customers, as JSON.
    #[wasm_bindgen(method, getter)]
    pub(super) fn changed(this: &LedgerSaid) -> Option<String>;
}

/// The fields that the ledger's answers may set; `operate.js` has the same list.
pub(super) const ANSWER_FIELDS: [&str; 7] =
    ["content-type", "etag", "location", "www-authenticate", "allow", "retry-after", "idempotent-replayed"];

#[wasm_bindgen(module = "/src/edge/operate.js")]
extern "C" {
    /// Hands a request to the ledger: to the management API below `base`, else as an operator's.
    #[wasm_bindgen(js_name = askOperator, catch)]
    pub(super) async fn ask_operator(
        env: &JsValue,
        incoming: &Incoming,
        base: Option<&str>,
        request_id: &str,
    ) -> Result<LedgerSaid, JsValue>;
}

#[wasm_bindgen(module = "/src/edge/directory.js")]
extern "C" {
    #[wasm_bindgen(js_name = installDirectory)]
    pub(super) fn install_directory(region: &str);
    #[wasm_bindgen(js_name = hasLedger)]
    pub(super) fn has_ledger(env: &JsValue) -> bool;
    #[wasm_bindgen(catch)]
    pub(super) async fn head(env: &JsValue, at_most: f64, timeout: f64) -> Result<LedgerHead, JsValue>;
    #[wasm_bindgen(catch)]
    pub(super) async fn segment(
        env: &JsValue,
        epoch: &str,
        first: f64,
        timeout: f64,
    ) -> Result<Uint8Array, JsValue>;
    #[wasm_bindgen(js_name = askLedger, catch)]
    pub(super) async fn ask_ledger(env: &JsValue, name: &str, timeout: f64) -> Result<Uint8Array, JsValue>;
    #[wasm_bindgen(catch)]
    pub(super) async fn shard(
        env: &JsValue,
        name: &str,
        hash: &str,
        timeout: f64,
    ) -> Result<Uint8Array, JsValue>;
    #[wasm_bindgen(catch, js_name = takeList)]
    pub(super) async fn take_list(env: &JsValue, json: &str, timeout: f64) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch)]
    pub(super) async fn learn(env: &JsValue, json: &str, timeout: f64) -> Result<JsValue, JsValue>;
    #[wasm_bindgen(catch)]
    pub(super) async fn provided(
        env: &JsValue,
        behind: &str,
        limit: u32,
        timeout: f64,
    ) -> Result<Uint8Array, JsValue>;
    #[wasm_bindgen(catch)]
    pub(super) async fn tail(env: &JsValue, timeout: f64) -> Result<JsValue, JsValue>;
    pub(super) fn sleep(millis: f64) -> Promise;
}

#[wasm_bindgen(module = "/src/edge/log_event.js")]
extern "C" {
    #[wasm_bindgen(js_name = logMessage)]
    pub(super) fn log_message(level: &str, event: &str, message: &str);
}

#[wasm_bindgen(module = "/src/edge/telemetry.js")]
extern "C" {
    /// True where a dataset for metrics is bound.
    #[wasm_bindgen(js_name = installTelemetry)]
    pub(super) fn install_telemetry(
        env: &JsValue,
        details: bool,
        logged: u32,
        spans: bool,
        version: &str,
        digest: &JsValue,
    ) -> bool;
}

#[wasm_bindgen(module = "/src/edge/configuration.js")]
extern "C" {
    /// The configuration in checked form, as it stands beside the wasm.
    pub(super) fn configuration() -> String;
}

#[wasm_bindgen(module = "/src/edge/forward.js")]
extern "C" {
    #[wasm_bindgen(js_name = installForward)]
    pub(super) fn install_forward(failures: &str, report: &JsValue);
}

#[wasm_bindgen(module = "/src/edge/sign.js")]
extern "C" {
    #[wasm_bindgen(js_name = installSigner)]
    pub(super) fn install_signer(signer: &str);
}

#[wasm_bindgen(module = "/src/edge/secrets.js")]
extern "C" {
    #[wasm_bindgen(js_name = installSecrets)]
    pub(super) fn install_secrets(key_ring: &str);
}

#[wasm_bindgen(module = "/src/edge/limits.js")]
extern "C" {
    #[wasm_bindgen(js_name = installLimits)]
    pub(super) fn install_limits(begin: &JsValue);
}

#[wasm_bindgen(module = "/src/edge/dispatch.js")]
extern "C" {
    /// Sends a request. `parts` is what [`crate::wire::encode_dispatch`] wrote.
    pub(super) fn dispatch(
        env: &JsValue,
        incoming: &Incoming,
        parts: &str,
        timeout: f64,
        began: f64,
        decided: f64,
    ) -> JsValue;
}

/// The time, in milliseconds. During a request's CPU work it stands still in production.
pub(super) fn now() -> pointsman_core::base::time::Timestamp {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a cast saturates
    let millis = date_now() as u64;
    pointsman_core::base::time::Timestamp::from_millis(millis)
}
