//! The configuration as decisions use it. `pointsman-checked` alone makes one; nothing downstream checks again.

use std::{fmt, rc::Rc};

use crate::{
    base::{digest::Digest, freshness::Policy, time::Span},
    customer::{
        backend_url::AllowHttp, record::CustomerConfig, secret::fields_of, template::BackendTemplate,
    },
    directory::follower::Follow,
    forward::{
        failover::{Balance, Breaker},
        limit::Limit,
        plan::{Identity, Via},
    },
    http::{
        error_shape::ErrorShape,
        fields::{FieldLines, FieldPolicy},
    },
    identity::{
        api_key::ApiKeys, claims::ClaimPath, client_certificate::ClientCertificates, dpop::DpopSettings,
        jwt::Issuer, principal::Principal,
    },
    routing::{condition::Condition, readings::Readings, table::RouteTable},
    state::{route::Route, telemetry::Telemetry},
};

/// What a configuration is made of, for whoever reads one.
pub struct GatewayParts {
    /// Tells configurations apart: the first 64 bits of its text's digest, before variables were filled
    /// in, so that it says nothing of a secret.
    pub version: String,
    /// The routes; the table refers to them by index.
    pub routes: Vec<Route>,
    /// Finds a route by path and method.
    pub table: RouteTable,
    /// Finds it by what backends may make of a path.
    pub readings: Readings,
    /// The issuers whose tokens routes may accept.
    pub issuers: Vec<Issuer>,
    /// How API keys are sent and checked, where there are any.
    pub api_keys: Option<ApiKeys>,
    /// How client certificates count, where routes take any.
    pub client_certificates: Option<ClientCertificates>,
    /// How proofs of possession are judged.
    pub dpop: DpopSettings,
    /// Where customers come from, where there are any.
    pub customers: Option<Customers>,
    /// The named backends.
    pub backends: Vec<Backend>,
    /// The regions that clients can be in. Where there are none, the continents are.
    pub regions: Vec<Region>,
    /// The limits; routes refer to them by index.
    pub limits: Vec<Limit>,
    /// How backends learn who is calling.
    pub identity: Identity,
    /// Which of a client's fields pass.
    pub fields: FieldPolicy,
    /// Our name in `Via`.
    pub via: Via,
    /// What its own requests say in `User-Agent`: those to issuers and to the config API.
    pub user_agent: String,
    /// What the type URIs of problems begin with.
    pub problem_base: String,
    /// How errors are written.
    pub errors: Errors,
    /// Where http is allowed.
    pub allow_http: AllowHttp,
    /// How long one call of the store may take.
    pub store_timeout: Span,
    /// What each cache may hold.
    pub budgets: Budgets,
    /// How isolates follow the directory, where a ledger is bound.
    pub directory: DirectorySettings,
    /// What operators and probes ask, where there is such a thing.
    pub operator: Operator,
    /// What is told of each request.
    pub telemetry: Telemetry,
}

/// A whole configuration. Whoever holds one can read it and change nothing: it was checked as a whole.
pub struct Gateway {
    pub(crate) version: String,
    pub(crate) routes: Vec<Route>,
    pub(crate) table: RouteTable,
    pub(crate) readings: Readings,
    pub(crate) issuers: Vec<Issuer>,
    pub(crate) api_keys: Option<ApiKeys>,
    pub(crate) client_certificates: Option<ClientCertificates>,
    pub(crate) dpop: DpopSettings,
    pub(crate) customers: Option<Customers>,
    pub(crate) backends: Vec<Backend>,
    pub(crate) regions: Vec<Region>,
    pub(crate) limits: Vec<Limit>,
    pub(crate) identity: Identity,
    pub(crate) fields: FieldPolicy,
    pub(crate) via: Via,
    pub(crate) user_agent: String,
    pub(crate) problem_base: String,
    pub(crate) errors: Errors,
    pub(crate) allow_http: AllowHttp,
    pub(crate) store_timeout: Span,
    pub(crate) budgets: Budgets,
    pub(crate) directory: DirectorySettings,
    pub(crate) operator: Operator,
    pub(crate) telemetry: Telemetry,
}

impl Gateway {
    /// The configuration of these parts, which the reader has checked against each other.
    #[must_use]
    pub fn new(parts: GatewayParts) -> Self {
        let GatewayParts {
            version,
            routes,
            table,
            readings,
            issuers,
            api_keys,
            client_certificates,
            dpop,
            customers,
            backends,
            regions,
            limits,
            identity,
            fields,
            via,
            user_agent,
            problem_base,
            errors,
            allow_http,
            store_timeout,
            budgets,
            directory,
            operator,
            telemetry,
        } = parts;
        Self {
            version,
            routes,
            table,
            readings,
            issuers,
            api_keys,
            client_certificates,
            dpop,
            customers,
            backends,
            regions,
            limits,
            identity,
            fields,
            via,
            user_agent,
            problem_base,
            errors,
            allow_http,
            store_timeout,
            budgets,
            directory,
            operator,
            telemetry,
        }
    }

    /// How isolates follow the directory, where a ledger is bound.
    #[must_use]
    pub const fn directory(&self) -> &DirectorySettings {
        &self.directory
    }

    /// Tells configurations apart: the first 64 bits of its text's digest, before variables were filled
    /// in, so that it says nothing of a secret.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The routes; the table refers to them by index.
    #[must_use]
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// Finds a route by path and method.
    #[must_use]
    pub const fn table(&self) -> &RouteTable {
        &self.table
    }

    /// Finds it by what backends may make of a path.
    #[must_use]
    pub const fn readings(&self) -> &Readings {
        &self.readings
    }

    /// The issuers whose tokens routes may accept.
    #[must_use]
    pub fn issuers(&self) -> &[Issuer] {
        &self.issuers
    }

    /// How API keys are sent and checked, where there are any.
    #[must_use]
    pub const fn api_keys(&self) -> Option<&ApiKeys> {
        self.api_keys.as_ref()
    }

    /// How client certificates count, where routes take any.
    #[must_use]
    pub const fn client_certificates(&self) -> Option<&ClientCertificates> {
        self.client_certificates.as_ref()
    }

    /// How the records of API keys and of client certificates are kept and loaded, where there are any.
    #[must_use]
    pub fn key_policy(&self) -> Option<&Policy> {
        let of_certificates = || self.client_certificates.as_ref().and_then(|own| own.records.as_ref());
        self.api_keys.as_ref().map(ApiKeys::policy).or_else(of_certificates)
    }

    /// How proofs of possession are judged.
    #[must_use]
    pub const fn dpop(&self) -> &DpopSettings {
        &self.dpop
    }

    /// Where customers come from, where there are any.
    #[must_use]
    pub const fn customers(&self) -> Option<&Customers> {
        self.customers.as_ref()
    }

    /// The named backends.
    #[must_use]
    pub fn backends(&self) -> &[Backend] {
        &self.backends
    }

    /// The regions that clients can be in. Where there are none, the continents are.
    #[must_use]
    pub fn regions(&self) -> &[Region] {
        &self.regions
    }

    /// The limits; routes refer to them by index.
    #[must_use]
    pub fn limits(&self) -> &[Limit] {
        &self.limits
    }

    /// How backends learn who is calling.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Which of a client's fields pass.
    #[must_use]
    pub const fn fields(&self) -> &FieldPolicy {
        &self.fields
    }

    /// Our name in `Via`.
    #[must_use]
    pub const fn via(&self) -> &Via {
        &self.via
    }

    /// What its own requests say in `User-Agent`: those to issuers and to the config API.
    #[must_use]
    pub fn user_agent(&self) -> &str {
        &self.user_agent
    }

    /// What the type URIs of problems begin with.
    #[must_use]
    pub fn problem_base(&self) -> &str {
        &self.problem_base
    }

    /// How errors are written.
    #[must_use]
    pub const fn errors(&self) -> &Errors {
        &self.errors
    }

    /// Where http is allowed.
    #[must_use]
    pub const fn allow_http(&self) -> AllowHttp {
        self.allow_http
    }

    /// How long one call of the store may take.
    #[must_use]
    pub const fn store_timeout(&self) -> Span {
        self.store_timeout
    }

    /// What each cache may hold.
    #[must_use]
    pub const fn budgets(&self) -> Budgets {
        self.budgets
    }

    /// What is told of each request.
    #[must_use]
    pub const fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    /// What operators and probes ask, where there is such a thing.
    #[must_use]
    pub const fn operator(&self) -> &Operator {
        &self.operator
    }
}

impl Gateway {
    /// For how long the last state of what keys, customers and tokens were revoked counts while the ledger is silent: the
    /// longest `stale`, and an hour at least.
    #[must_use]
    pub fn stale_revocations(&self) -> Span {
        const LEAST: Span = Span::from_secs(3600);
        let keys = self.key_policy().map(|policy| policy.lifetimes.stale);
        let customers = self.customers.as_ref().map(|customers| customers.policy.lifetimes.stale);
        keys.into_iter().chain(customers).fold(LEAST, Span::max)
    }

    /// Reads what a caller's claims say of its customer, so that what holds the caller is weighed with it.
    pub fn read_customer(&self, principal: &Principal) {
        if let Some(customers) = &self.customers {
            principal.customer(&customers.claim);
        }
    }
}

/// The gateway's own answers, for probes and operators.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Operator {
    /// The path that probes ask.
    pub health: Option<String>,
    /// The path at which operators see the state of caches and sources.
    pub status: Option<String>,
    /// The path at which operators edit what the ledger holds.
    pub ledger: Option<String>,
    /// The path below which the management API is.
    pub api: Option<String>,
    /// The digest of the secret that they show.
    pub secret: Option<Digest>,
}

impl Operator {
    /// Whether a path is the management API's: its own, or one below it.
    #[must_use]
    pub fn is_of_api(&self, path: &str) -> bool {
        let below = self.api.as_deref().and_then(|api| path.strip_prefix(api));
        below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// How errors that the gateway answers with itself are written, where not as problems.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Errors {
    /// The shapes; routes refer to them by place.
    pub shapes: Vec<ErrorShape>,
    /// The one of requests that no route takes.
    pub usual: Option<usize>,
}

/// Bytes that each cache may hold. An isolate has 128 MB for everything, and its wasm memory never
/// shrinks. Key sets (at most 256 KiB an issuer) and the config API's list (at most its `max_size`)
/// come on top: each is one document of a bounded size.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Budgets {
    /// API keys.
    pub keys: u64,
    /// Customers.
    pub customers: u64,
    /// Verified tokens.
    pub tokens: u64,
}

impl Budgets {
    /// A cache smaller than this could not hold what one request needs.
    pub const SMALLEST: u64 = 64 << 10;
    /// The largest that leaves an isolate room for everything else.
    pub const LARGEST: u64 = 64 << 20;
}

/// How isolates follow the directory.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DirectorySettings {
    /// How a follower follows.
    pub follow: Follow,
    /// Where the ledger is made: a location hint of the platform's.
    pub region: Option<String>,
}

impl DirectorySettings {
    /// The most that shards may take: an isolate has 128 MB for everything.
    pub const LARGEST: u64 = 64 << 20;
    /// The longest `max_staleness`.
    pub const LONGEST: Span = Span::from_secs(3600);
    /// The shortest.
    pub const SHORTEST: Span = Span::from_secs(5);
    /// Where a ledger can be made.
    pub const REGIONS: [&str; 9] = ["wnam", "enam", "sam", "weur", "eeur", "apac", "oc", "afr", "me"];
}

impl Default for Budgets {
    /// 24 MiB together; with the largest list that is read by default, 32.
    fn default() -> Self {
        Self { keys: 8 << 20, customers: 8 << 20, tokens: 8 << 20 }
    }
}

/// Where customers come from and how long their records are used.
#[derive(Clone, Debug)]
pub struct Customers {
    /// The claim that names the customer.
    pub claim: ClaimPath,
    /// How records are kept and loaded.
    pub policy: Policy,
    /// The provider's config API, asked for what KV does not hold.
    pub source: Option<ConfigSource>,
    /// Whether answers of customers' own backends lose what speaks for the whole origin.
    pub isolate_answers: bool,
    /// The bindings of private networks that records may name.
    pub networks: Vec<String>,
    /// The fields that secrets in records may fill, in lower case.
    pub secret_fields: Vec<String>,
    /// What opens those secrets.
    pub key_ring: Option<KeyRing>,
}

/// Secrets of the Worker by the ids of keys, as JSON: what opens the secrets in customers' records. It goes to `secrets.js`, and
/// must not come out by a careless `{:?}`.
#[derive(Clone)]
pub struct KeyRing(pub String);

impl fmt::Debug for KeyRing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("(secret)")
    }
}

impl Customers {
    /// The first thing of the gateway's that a record names and that is not opened to records: what it is, and its name.
    #[must_use]
    pub fn closed<'r>(&self, record: &'r CustomerConfig) -> Option<(&'static str, &'r str)> {
        let is_in = |list: &[String], name: &str| list.iter().any(|own| own == name);
        for place in record.backends() {
            let network = place.network.as_deref().filter(|network| !is_in(&self.networks, network));
            if let Some(network) = network {
                return Some(("private network", network));
            }
            let mut fields = place.secrets.as_deref().into_iter().flat_map(fields_of);
            if let Some(field) = fields.find(|field| !is_in(&self.secret_fields, field)) {
                return Some(("field", field));
            }
        }
        None
    }
}

/// The provider's config API.
#[derive(Clone, Debug)]
pub struct ConfigSource {
    /// Its URL, without a trailing slash.
    pub url: String,
    /// The bearer token for it.
    pub token: Option<String>,
    /// How long one load may take.
    pub timeout: Span,
    /// Whether one customer is asked for, or the whole list.
    pub by_id: bool,
    /// Whether the provider tells the gateway which customers changed, so that the ledger keeps what it was told of one until
    /// then.
    pub announced: bool,
    /// The largest answer that is read, in bytes.
    pub max_size: usize,
    /// How many customers in a hundred may be missing from a list at once.
    pub max_removed: u8,
}

/// A named backend.
#[derive(Clone, Debug)]
pub struct Backend {
    /// Its name.
    pub name: Rc<str>,
    /// Where it is: at least one, in the order of the file.
    pub origins: Vec<Origin>,
    /// How these are chosen from.
    pub balance: Balance,
    /// When one of them counts as failed.
    pub breaker: Breaker,
    /// How long one may take until it answers with a head.
    pub timeout: Span,
    /// How long all attempts together may take.
    pub deadline: Option<Span>,
    /// Statuses that count as a failure of the origin.
    pub failure_statuses: Vec<u16>,
    /// Fields that are set on each request to it, and on no other: secrets of the backend's.
    pub fields: FieldLines,
}

/// One place where a backend is.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Its URL.
    pub url: BackendTemplate,
    /// The service binding, or the private network's, that is called in place of the internet.
    pub binding: Option<Rc<str>>,
    /// The region that it stands in.
    pub region: Option<Rc<str>>,
    /// Its share, where origins are chosen by weight.
    pub weight: u32,
    /// How long it may take, where that differs from the backend's.
    pub timeout: Option<Span>,
}

/// A region that clients can be in.
#[derive(Clone, Debug)]
pub struct Region {
    /// Its name, which origins bear.
    pub name: Rc<str>,
    /// What holds of requests from there.
    pub when: Vec<Condition>,
}

/// How long a backend may take where nothing else is configured.
pub const DEFAULT_BACKEND_TIMEOUT: Span = Span::from_secs(30);
