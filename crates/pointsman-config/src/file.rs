//! The configuration as it is written: `gateway.toml`, or the same as JSON in the `GATEWAY` variable.

use pointsman_core::base::shape::{Table, shape};
use serde_json::{Map, Value};

mod callers;
mod one_or_many;
mod routing;

pub use self::{
    callers::{
        ApiKeysFile, ClientCertificatesFile, CustomerClaimFile, CustomerSecretsFile, CustomersFile,
        CustomersOfIssuerFile, DpopFile, IdentityFile, IdentityTokenFile, IntrospectionFile, IssuerFile,
        SealingKeyFile, SourceFile,
    },
    one_or_many::OneOrMany,
    routing::{
        AuthorizeFile, BackendFile, BasicFile, CorsFile, CredentialInFile, LimitFile, OriginFile,
        ResourceFile, RouteFile, RuleFile, VariantFile,
    },
};

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
    /// Client certificates, where routes take them.
    pub client_certificates: Option<ClientCertificatesFile>,
    /// Proofs that a token's holder has its key.
    pub dpop: Option<DpopFile>,
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
    /// What the log tells of requests.
    pub log: Option<LogFile>,
    /// How the gateway takes part in distributed traces.
    pub tracing: Option<TracingFile>,
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
    /// How the errors that the gateway answers with itself are written.
    pub errors: Option<ErrorsFile>,
    /// Routes.
    pub routes: Vec<RouteFile> = default,
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
    /// The path below which the management API is, for whoever has a root key. Default none.
    pub api: Option<String>,
    /// The secret that operators send as a bearer token: one that `pointsman secret create` made.
    pub secret: Option<String>,
    /// Who may report keys that have leaked, and what becomes of these.
    pub leaked_keys: Option<LeakedKeysFile>,
}
}

shape! {
/// Who may report keys that have leaked, beside root keys, and what becomes of these.
#[derive(Clone, Debug, Default)]
pub struct LeakedKeysFile {
    /// Whether a key that is reported is revoked (`revoke`) or goes on with a note of it (`mark`). Default `revoke`.
    pub action: Option<String>,
    /// Whether GitHub's secret scanning may report keys, with its signature. Default `false`.
    pub github: Option<bool>,
    /// Where the public keys are that these signatures are checked with. Default GitHub's own place.
    pub github_keys_url: Option<String>,
}
}

shape! {
/// How the errors that the gateway answers with itself are written.
#[derive(Clone, Debug, Default)]
pub struct ErrorsFile {
    /// The shape where a route names none, and where no route is found: `problem` (default), `problem-alone`, `graphql`,
    /// `s3`, `aws-json`, or one of `[errors.shapes]`.
    pub shape: Option<String>,
    /// Shapes of one's own, by name.
    pub shapes: Table<ErrorShapeFile> = default,
}
}

shape! {
/// A shape of errors.
#[derive(Clone, Debug)]
pub struct ErrorShapeFile {
    /// The media type. Default `application/json`.
    pub content_type: Option<String>,
    /// The body, with places: `{status}`, `{code}`, `{type}`, `{title}`, `{detail}`, `{request_id}`.
    pub body: String,
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
    /// Whether a client's own `X-Request-Id` is replaced (`replace`, the default) or, where it is well-formed, kept (`keep`).
    pub request_id: Option<String>,
}
}

shape! {
/// What the log tells of requests.
#[derive(Clone, Debug, Default)]
pub struct LogFile {
    /// Which lines have the details that cost the usual request more than the rest of its line: those of refusals
    /// (`refused`, the default) or of all requests (`all`).
    pub details: Option<String>,
    /// Of which share of the successful requests there is a line: `10%`, `0.1%`. Refused and failed requests always have one.
    /// Default `100%`.
    pub sample: Option<String>,
}
}

shape! {
/// How the gateway takes part in distributed traces (W3C Trace Context).
#[derive(Clone, Debug, Default)]
pub struct TracingFile {
    /// What counts of a client's `traceparent`: all of it (`trust`), its trace but not whether that is sampled (`continue`), or
    /// nothing (`new`). Default none: the field passes as it came, and no trace is begun.
    pub context: Option<String>,
    /// Which share of the traces that begin here is sampled: `5%`, `0.1%`. With `continue`, of all. Default `1%`.
    pub sample: Option<String>,
    /// Whether the platform's own traces show the gateway's parts in a request as spans. Default `false`.
    pub spans: Option<bool>,
}
}
