//! The configuration as it is written: `gateway.toml`, or the same as JSON in the `GATEWAY` variable.

use pointsman_core::base::shape::{At, Shape, ShapeErrors, Table, shape};
use serde_json::{Map, Value};

use super::{findings::Findings, write_all};

shape! {
/// A whole configuration.
#[derive(Clone, Debug, Default)]
pub struct GatewayFile {
    /// This gateway's name in `Via`; give two gateways in a row different ones. Default `pointsman`.
    pub name: Option<String>,
    /// What the gateway's own requests, to issuers and to the config API, say in `User-Agent`. Default
    /// `pointsman/` and the version.
    pub user_agent: Option<String>,
    /// Where plain http may be spoken: `never` (default), `loopback` or `always`.
    pub allow_http: Option<String>,
    /// What the type URIs of problems begin with. Default `urn:pointsman:problem:`.
    pub problem_base: Option<String>,
    /// API keys, where there are any.
    pub api_keys: Option<ApiKeysFile>,
    /// Issuers of tokens.
    pub issuers: Vec<IssuerFile> = default,
    /// Customers, where there are any.
    pub customers: Option<CustomersFile>,
    /// Workers KV.
    pub store: Option<StoreFile>,
    /// How isolates follow the directory, where a ledger is bound.
    pub directory: Option<DirectoryFile>,
    /// What each cache of an isolate may hold.
    pub memory: Option<MemoryFile>,
    /// The gateway's own answers, for probes and operators.
    pub operator: Option<OperatorFile>,
    /// How backends learn who is calling.
    pub identity: Option<IdentityFile>,
    /// How requests are handed on.
    pub forward: Option<ForwardFile>,
    /// Backends by name.
    pub backends: Table<BackendFile> = default,
    /// CORS policies by name.
    pub cors: Table<CorsFile> = default,
    /// Conditions by name, for several rules to use.
    pub conditions: Map<String, Value> = default,
    /// Regions by name, and what holds of requests from there. Default the continents: `eu`, `na`, …
    pub regions: Map<String, Value> = default,
    /// Limits by name.
    pub limits: Table<LimitFile> = default,
    /// Routes.
    pub routes: Vec<RouteFile> = default,
}
}

shape! {
/// How API keys are sent and checked.
#[derive(Clone, Debug)]
pub struct ApiKeysFile {
    /// The field they are read from. Default `authorization`.
    pub header: Option<String>,
    /// The scheme before them; `""` for none. Default `Bearer` in `authorization`, else none.
    pub scheme: Option<String>,
    /// What they begin with, without the `_` behind it.
    pub prefixes: Vec<String> = default,
    /// Whether they end in our checksum. `false` for keys minted elsewhere. Default `true`.
    pub checksum: Option<bool>,
    /// How long a record is used at the most without asking the store: with KV's own propagation,
    /// how long a revoked key works. Default `60s`.
    pub fresh: Option<String>,
    /// How long a record is used while the store fails. Default `1h`.
    pub stale: Option<String>,
    /// How long the source is left alone after a failure; twice as long after each further one, up to 32
    /// times. Default `1s`.
    pub back_off: Option<String>,
}
}

/// One value or several.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(untagged))]
pub enum OneOrMany {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl Default for OneOrMany {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl Shape for OneOrMany {
    fn read(value: &Value, at: &At<'_>, shape_errors: &mut ShapeErrors) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self::One(text.clone())),
            Value::Array(items) => {
                let texts = Vec::read(value, at, shape_errors)?;
                (texts.len() == items.len()).then_some(Self::Many(texts))
            }
            _ => shape_errors.other(at, value, "text or a list of texts"),
        }
    }
}

impl OneOrMany {
    /// The texts as the checked form has them.
    pub(crate) fn write(&self, at: &str, findings: &mut Findings) -> Vec<Value> {
        match self {
            Self::One(text) => vec![findings.write(at, text.as_str())],
            Self::Many(texts) => write_all(at, texts.iter().map(String::as_str), findings),
        }
    }

    /// As a list.
    #[must_use]
    pub fn list(&self) -> Vec<&str> {
        match self {
            Self::One(text) => vec![text],
            Self::Many(texts) => texts.iter().map(String::as_str).collect(),
        }
    }
}

shape! {
/// An issuer of tokens.
#[derive(Clone, Debug)]
pub struct IssuerFile {
    /// Its name, which routes use.
    pub name: String,
    /// What `iss` must be.
    pub issuer: String,
    /// What `aud` must be or contain.
    pub audience: OneOrMany,
    /// Which algorithms may sign its tokens.
    pub algorithms: Vec<String>,
    /// Where its JWK Set is.
    pub jwks_url: Option<String>,
    /// Whether the JWK Set is found by OpenID Connect Discovery.
    pub discovery: Option<bool>,
    /// Its public keys, as JWKs.
    pub keys: Option<Vec<Value>>,
    /// A secret shared with it, for HS*.
    pub secret: Option<String>,
    /// The values that `typ` may have. Default `JWT` and `at+jwt`; a token without `typ` passes.
    pub types: Option<Vec<String>>,
    /// The claim that names the subject. Default `sub`.
    pub subject: Option<String>,
    /// How far its clock may be from ours, for `exp` and `nbf` alike; at the most `5m`. Default `5s` for `nbf`
    /// and none for `exp`.
    pub leeway: Option<String>,
    /// How long its keys are used at the most without asking. Default `10m`.
    pub fresh: Option<String>,
    /// How long its keys are used while it cannot be reached. Default `24h`.
    pub stale: Option<String>,
    /// How long it is left alone after it was asked, whatever kids tokens name. Default `30s`.
    pub cooldown: Option<String>,
    /// How long one load may take, with discovery both fetches together. Default `5s`, at most `20s`.
    pub timeout: Option<String>,
    /// How long the source is left alone after a failure; twice as long after each further one, up to 32
    /// times. Default `1s`.
    pub back_off: Option<String>,
    /// The customers that its tokens may name: ids, or `{ claim = "org_id" }` for a claim that must be the customer's id.
    /// Default any.
    pub customers: Option<CustomersOfIssuerFile>,
}
}

/// Customers, as a list of ids or as a claim.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(untagged))]
pub enum CustomersOfIssuerFile {
    /// These.
    Ids(Vec<String>),
    /// The one that a claim names.
    Claim(CustomerClaimFile),
}

impl Default for CustomersOfIssuerFile {
    fn default() -> Self {
        Self::Ids(Vec::new())
    }
}

impl Shape for CustomersOfIssuerFile {
    fn read(value: &Value, at: &At<'_>, shape_errors: &mut ShapeErrors) -> Option<Self> {
        match value {
            Value::Array(items) => {
                let ids = Vec::read(value, at, shape_errors)?;
                (ids.len() == items.len()).then_some(Self::Ids(ids))
            }
            Value::Object(_) => CustomerClaimFile::read(value, at, shape_errors).map(Self::Claim),
            _ => shape_errors.other(at, value, "a list of customer ids, or { claim = \"…\" }"),
        }
    }
}

shape! {
/// A claim that names the one customer that a token may be of.
#[derive(Clone, Debug)]
pub struct CustomerClaimFile {
    /// The claim. Its text must be that of the customer's id.
    pub claim: String,
}
}

shape! {
/// Where customers come from.
#[derive(Clone, Debug)]
pub struct CustomersFile {
    /// The claim that names the customer. Default `customerId`.
    pub claim: Option<String>,
    /// How long a record is used without asking. Default `5m`.
    pub fresh: Option<String>,
    /// How long an old record answers at once while it is refreshed, and while its source is down.
    /// Default `24h`.
    pub stale: Option<String>,
    /// How long the source is left alone after a failure; twice as long after each further one, up to 32
    /// times. Default `1s`.
    pub back_off: Option<String>,
    /// The provider's own config API, asked for customers that KV does not hold.
    pub source: Option<SourceFile>,
    /// Whether answers of customers' own backends lose the fields, and the `Domain` of cookies, that would
    /// speak for all who share the gateway's host. Default `true`.
    pub isolate_answers: Option<bool>,
}
}

shape! {
/// The provider's config API.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// Its URL.
    pub url: String,
    /// The bearer token for it.
    pub token: Option<String>,
    /// How long one load may take. Default `10s`, at most `20s`.
    pub timeout: Option<String>,
    /// Whether a request asks it for one customer at `<url>/<customerId>` rather than for the whole
    /// list. The scheduled refresh always takes the list.
    pub by_id: Option<bool>,
    /// The largest answer that is read. Default `8MB`, at most `32MB`.
    pub max_size: Option<String>,
    /// How many of the customers may be missing from a new list at once: more is taken for a fault of
    /// the source and changes nothing. Default `20%`.
    pub max_removed: Option<String>,
}
}

shape! {
/// Workers KV, which holds keys and customers.
#[derive(Clone, Debug, Default)]
pub struct StoreFile {
    /// How long one call of it may take. Default `3s`, at most `5s`.
    pub timeout: Option<String>,
}
}

shape! {
/// How isolates follow the directory of all keys and customers, where a ledger is bound.
#[derive(Clone, Debug, Default)]
pub struct DirectoryFile {
    /// How long after a change an isolate may still answer by what was before. Default `10s`.
    pub max_staleness: Option<String>,
    /// Whether the last state counts on (`open`) or callers get 503 (`closed`) while the ledger is silent. Default `open`.
    pub on_failure: Option<String>,
    /// How much of an isolate's memory keys and customers may take. Default `32MB`.
    pub memory: Option<String>,
    /// Where the ledger is made, by a location hint of Durable Objects: `weur`, `enam`, … Default near its first caller.
    pub region: Option<String>,
}
}

shape! {
/// What each cache of an isolate may hold.
#[derive(Clone, Debug, Default)]
pub struct MemoryFile {
    /// API keys. Default `8MB`.
    pub keys: Option<String>,
    /// Customers. Default `8MB`.
    pub customers: Option<String>,
    /// Verified tokens. Default `8MB`.
    pub tokens: Option<String>,
}
}

shape! {
/// The gateway's own answers.
#[derive(Clone, Debug, Default)]
pub struct OperatorFile {
    /// The path that probes ask: `/healthz`. Default none.
    pub health: Option<String>,
    /// The path at which operators see the state of caches and sources. Default none.
    pub status: Option<String>,
    /// The path at which operators see the ledger and edit what it holds. Default none.
    pub ledger: Option<String>,
    /// The secret that operators send as a bearer token: one that `pointsman secret create` made.
    pub secret: Option<String>,
}
}

shape! {
/// How backends learn who is calling.
#[derive(Clone, Debug)]
pub struct IdentityFile {
    /// The field for the subject; `""` for none. Default `x-subject`.
    pub subject: Option<String>,
    /// The field for the customer's id; `""` for none. Default `x-customer-id`.
    pub customer: Option<String>,
    /// The field for who vouched for the caller, `api_key` or an issuer's name; `""` for none. Default
    /// `x-authenticated-by`.
    pub authenticated_by: Option<String>,
    /// Fields for claims: `{ "x-plan" = "plan", "x-org" = "/org/id" }`.
    pub claims: Table<String> = default,
    /// The same as a signed token, for backends that must not believe anybody else. Default none.
    pub token: Option<IdentityTokenFile>,
}
}

shape! {
/// How requests are handed on, whatever backend they go to.
#[derive(Clone, Debug, Default)]
pub struct ForwardFile {
    /// Fields that a client cannot send to a backend, beside those that never pass: names, and with `*` at the end the
    /// beginnings of names. Default none.
    pub remove: Vec<String> = default,
    /// Whether backends take `/Admin` and `/admin` for one path: then no letter's case leads around a route. Default
    /// `false`.
    pub case_insensitive: Option<bool>,
}
}

shape! {
/// A short-lived signed token that says who is calling.
#[derive(Clone, Debug)]
pub struct IdentityTokenFile {
    /// The field that holds it. Default `x-pointsman-identity`.
    pub field: Option<String>,
    /// What its `iss` is.
    pub issuer: String,
    /// Private JWKs as text, each a secret: the first signs, all are published.
    pub keys: OneOrMany,
    /// How long one counts, `10s` to `5m`. Default `60s`.
    pub lifetime: Option<String>,
    /// Further claims: `{ plan = "plan", org = "/org/id" }`.
    pub claims: Table<String> = default,
    /// The path at which the public keys are served; `""` for none. Default `/.well-known/jwks.json`.
    pub jwks: Option<String>,
}
}

shape! {
/// A backend.
#[derive(Clone, Debug)]
pub struct BackendFile {
    /// Where it is; `{claim}` may be a whole label of its host. `binding:NAME` is a Worker of one's own.
    pub url: Option<String>,
    /// Several places, in place of `url`.
    pub origins: Option<Vec<OriginFile>>,
    /// With `origins`: `ordered` (default) takes the first that is well, `weighted` one by its weight.
    pub balance: Option<String>,
    /// The region that `url` stands in.
    pub region: Option<String>,
    /// How long it may take until it answers with a head; with `origins`, each of them. Default `30s`.
    pub timeout: Option<String>,
    /// With `origins`: how long all attempts together may take. Default the sum of their timeouts.
    pub deadline: Option<String>,
    /// Statuses that count as a failure of the origin, so that the next one is asked. Default none.
    pub failure_statuses: Option<Vec<u16>>,
    /// Failures in a row after which an origin is left alone. Default `3`.
    pub failures: Option<u32>,
    /// Of its last 20 requests, how many may fail. Default `50%`.
    pub failure_ratio: Option<String>,
    /// How long an origin is left alone the first time. Default `5s`.
    pub pause: Option<String>,
}
}

shape! {
/// One place where a backend is.
#[derive(Clone, Debug)]
pub struct OriginFile {
    /// Where it is.
    pub url: String,
    /// The region that it stands in.
    pub region: Option<String>,
    /// Its share with `balance = "weighted"`. Default `1`.
    pub weight: Option<u32>,
    /// How long it may take. Default the backend's.
    pub timeout: Option<String>,
}
}

shape! {
/// A CORS policy.
#[derive(Clone, Debug)]
pub struct CorsFile {
    /// Origins: exact, `https://*.example.com` or `https://shop-*-team.example.app` with a free place in the first
    /// label, `http://localhost:*`; or `*` for any, without credentials.
    pub origins: OneOrMany,
    /// Request fields that scripts may set. Default none beyond the safelisted ones.
    pub headers: Vec<String> = default,
    /// Answer fields that scripts may read. Default none beyond the safelisted ones.
    pub expose: Vec<String> = default,
    /// How long browsers may remember a preflight. Default `10m`.
    pub max_age: Option<String>,
    /// Whether cookies may be sent along. Default `false`.
    pub credentials: Option<bool>,
}
}

shape! {
/// A limit.
#[derive(Clone, Debug)]
pub struct LimitFile {
    /// The name of the binding that counts: Rate Limiting for `limit`, a Durable Object for `quota`.
    pub binding: String,
    /// How many requests a caller may send in each `period`: what `wrangler.toml` says of the binding.
    pub limit: Option<u64>,
    /// With `limit`: `10s` or `60s`, what `wrangler.toml` says of the binding.
    pub period: Option<String>,
    /// How many requests a caller may send in each window, in place of `limit`.
    pub quota: Option<u64>,
    /// With `quota`: how long windows are, `hour`, `day` or `month`.
    pub per: Option<String>,
    /// With `quota`: whether windows begin with the `calendar` (default, UTC) or with the `first-use`.
    pub anchor: Option<String>,
    /// With `quota`: how many an isolate takes at a time. Default a hundredth of it, from 1 to 100.
    pub batch: Option<u64>,
    /// What tells callers apart; of several, the first that is there. Default `$subject`, then `$ip`.
    pub by: Option<OneOrMany>,
    /// `open` (default) lets requests pass while the counter does not answer, `closed` refuses them.
    pub on_failure: Option<String>,
    /// How long the counter may take. Default `250ms`, with `quota` `1s`; at most `5s`.
    pub timeout: Option<String>,
}
}

shape! {
/// A route.
#[derive(Clone, Debug)]
pub struct RouteFile {
    /// Its path: `/api/v1/{+path}`.
    pub path: String,
    /// Its name in the log. Default its path.
    pub name: Option<String>,
    /// Its methods. Default GET, HEAD, POST, PUT, PATCH and DELETE.
    pub methods: Option<Vec<String>>,
    /// The credentials it takes: `api_key` and names of issuers. `[]` for none.
    pub auth: Vec<String>,
    /// Whether callers without a credential pass as anonymous. Default `false`.
    pub anonymous: Option<bool>,
    /// Its CORS policy: `none` (default), `anything-goes`, or one of `[cors]`.
    pub cors: Option<String>,
    /// The path towards the backend: `/{+path}`. Default unchanged.
    pub rewrite: Option<String>,
    /// What must hold of its callers, e.g. `{ scope = { has = "orders:write" } }`; else 403. Default
    /// nothing.
    pub require: Option<Value>,
    /// The largest body that it takes: `10MB`. Default as large as the platform takes.
    pub max_body: Option<String>,
    /// Its rules; the first that matches decides.
    pub rules: Vec<RuleFile>,
    /// Rules that are tried beside these and change nothing: the log says where they would decide
    /// otherwise.
    pub shadow_rules: Vec<RuleFile> = default,
    /// How long a backend may take. Default the backend's own.
    pub timeout: Option<String>,
    /// Whether answers carry `Server-Timing`. Default `false`.
    pub server_timing: Option<bool>,
    /// Whether answers carry `x-request-id`. Default `false`.
    pub request_id: Option<bool>,
    /// Its limits, all of which must let a request pass: names, `{ use, when }`, or lists of these of
    /// which the first that fits applies. Default none.
    pub limits: Option<Vec<Value>>,
}
}

shape! {
/// A variant of a split.
#[derive(Clone, Debug)]
pub struct VariantFile {
    /// A backend's name, or `customer`.
    pub to: String,
    /// Its share, relative to the other weights.
    pub weight: u32,
}
}

shape! {
/// A rule.
#[derive(Clone, Debug)]
pub struct RuleFile {
    /// Its name.
    pub name: String,
    /// What must hold of caller and request: claims, or things such as `$country`, and what they must
    /// be. Or the name of one of `[conditions]`. Default always.
    pub when: Option<Value>,
    /// A backend's name, or `customer` for the customer's own.
    pub to: Option<String>,
    /// Several of these with weights, in place of `to`: each caller always goes to the same.
    pub split: Option<Vec<VariantFile>>,
    /// With `split`: what tells callers apart; of several, the first that is there. Default `$subject`.
    pub by: Option<OneOrMany>,
    /// With `split`: callers are shared out alike in splits with one salt. Default the rule's name.
    pub salt: Option<String>,
    /// With `split`: where a tester names the variant they want. Default nowhere.
    pub chosen_by: Option<OneOrMany>,
    /// The only regions that it may send requests to, whatever fails. Default any.
    pub within: Option<OneOrMany>,
    /// A status to answer with instead.
    pub deny: Option<u16>,
    /// With `to = "customer"`: `refuse` (default) or `next` for callers without a customer id or whose
    /// customer nobody listed.
    pub unlisted: Option<String>,
}
}
