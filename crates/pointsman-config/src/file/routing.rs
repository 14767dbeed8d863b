//! Where requests go: backends, routes and their rules, and what routes name.

use pointsman_core::base::shape::{Table, shape};
use serde_json::Value;

use super::OneOrMany;

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
    /// Fields that each request to it gets, and no other request: `{ "x-backend-secret" = "${BACKEND_SECRET}" }`. Default
    /// none.
    pub headers: Table<String> = default,
    /// The user and the password that `Authorization` says on each request to it. Default none.
    pub basic: Option<BasicFile>,
}
}

shape! {
/// A user and a password for a backend, as `Basic` sends them.
#[derive(Clone, Debug)]
pub struct BasicFile {
    /// The user, without a colon.
    pub user: String,
    /// The password: `${BACKEND_PASSWORD}`.
    pub password: String,
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
    /// With `quota`: whether a customer's record may say another number, under `limits`. Default `false`.
    pub from_record: Option<bool>,
    /// What tells callers apart; of several, the first that is there. Default `$subject`, then `$ip`.
    pub by: Option<OneOrMany>,
    /// `open` (default) lets requests pass while the counter does not answer, `closed` refuses them.
    pub on_failure: Option<String>,
    /// How long the counter may take. Default `250ms`, with `quota` `1s`; at most `5s`.
    pub timeout: Option<String>,
}
}

shape! {
/// What clients without a token are told of a route (RFC 9728).
#[derive(Clone, Debug, Default)]
pub struct ResourceFile {
    /// The URLs of those who give tokens for it. Default the issuers of its `auth`.
    pub authorization_servers: Option<Vec<String>>,
    /// The scopes that a token needs. Default none.
    pub scopes: Vec<String> = default,
    /// Its name, for people.
    pub name: Option<String>,
    /// The URL of its documentation, for people.
    pub documentation: Option<String>,
    /// What `realm` says in challenges.
    pub realm: Option<String>,
}
}

shape! {
/// Which service of one's own a route asks.
#[derive(Clone, Debug, Default)]
pub struct AuthorizeFile {
    /// The name of the service binding.
    pub binding: String,
    /// How long the answer may take. Default `250ms`; at most `5s`.
    pub timeout: Option<String>,
    /// `closed` (default) refuses requests where there is no answer, `open` lets them go on.
    pub on_failure: Option<String>,
    /// How long an answer counts for whoever is shown alike. Default not at all; at most `5m`.
    pub cache: Option<String>,
    /// What the service is shown beside route, method, host, path and caller: `$ip`, `$country`, `$param:id`,
    /// `$header:x-tier`, `$query:dry_run`. Default nothing.
    pub show: Option<OneOrMany>,
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
    /// The credentials it takes: `api_key`, `client_certificate` and names of issuers. `[]` for none.
    pub auth: Vec<String>,
    /// Further places in which it takes them, for clients that can set no field. Default none.
    pub credential_in: Option<CredentialInFile>,
    /// Whether callers without a credential pass as anonymous. Default `false`.
    pub anonymous: Option<bool>,
    /// What says whose a request is, beside the credential: `$host`, for the customer whose record lists the host that is asked
    /// for. Default the claim of `[customers]` alone.
    pub customer: Option<String>,
    /// Its CORS policy: `none` (default), `anything-goes`, or one of `[cors]`.
    pub cors: Option<String>,
    /// In which shape its errors are written: `problem`, `problem-alone`, `graphql`, `s3`, `aws-json`, or one of
    /// `[errors.shapes]`. Default that of `[errors]`.
    pub errors: Option<String>,
    /// What clients without a token are told of it (RFC 9728), as those of MCP need. Default nothing.
    pub resource: Option<ResourceFile>,
    /// The path towards the backend: `/{+path}`. Default unchanged.
    pub rewrite: Option<String>,
    /// What must hold of its callers, e.g. `{ scope = { has = "orders:write" } }`; else 403. Default
    /// nothing.
    pub require: Option<Value>,
    /// A service of one's own that is asked whether a caller may, beside what the route requires. Default none.
    pub authorize: Option<AuthorizeFile>,
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
    /// Whether its backends, customers' own ones too, get the token that was verified. Never an API key. Default `false`.
    pub forward_credential: Option<bool>,
    /// Fields of credentials that are for its backends, and that the gateway does not look at: `authorization` where keys come
    /// in another field. Default none.
    pub pass: Vec<String> = default,
    /// Its limits, all of which must let a request pass: names, `{ use, when }`, or lists of these of
    /// which the first that fits applies. Default none.
    pub limits: Option<Vec<Value>>,
}
}

shape! {
/// Further places in which a route takes credentials.
#[derive(Clone, Debug, Default)]
pub struct CredentialInFile {
    /// Of a WebSocket handshake: the subprotocol before the credential (`bearer`), or what the subprotocol with it begins
    /// with, up to a dot (`base64url.bearer.authorization.k8s.io.`). Default none.
    pub subprotocol: Option<OneOrMany>,
    /// Parameters of the query. URLs are written down in many places. Default none.
    pub query: Option<OneOrMany>,
    /// Cookies, unless a page of an origin that `cors` does not list had the request sent. Default none.
    pub cookie: Option<OneOrMany>,
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
