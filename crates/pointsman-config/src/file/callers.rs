//! Callers: how they are known, where customers come from, and how backends learn of them.

use pointsman_core::base::shape::{At, Shape, ShapeErrors, Table, shape};
use serde_json::Value;

use super::OneOrMany;

shape! {
/// How API keys are sent and checked.
#[derive(Clone, Debug)]
pub struct ApiKeysFile {
    /// The fields they are read from: `["x-api-key", "authorization"]`. Default `authorization`.
    pub header: Option<OneOrMany>,
    /// The schemes that may stand before them, in `authorization` if that is one of the fields; `""` for none, `Basic` for
    /// a key as user with an empty password. Default `Bearer` in `authorization`, else none.
    pub scheme: Option<OneOrMany>,
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

shape! {
/// An issuer of tokens.
#[derive(Clone, Debug)]
pub struct IssuerFile {
    /// Its name, which routes use.
    pub name: String,
    /// The issuer's kind, of which the rest is known: a field that is written wins. Default none.
    pub preset: Option<String>,
    /// The host of the issuer, for the presets `auth0`, `clerk` and `okta`.
    pub domain: Option<String>,
    /// The user pool's id, for the preset `cognito`.
    pub pool: Option<String>,
    /// The project's id, for the presets `firebase` and `supabase`.
    pub project: Option<String>,
    /// The realm, for the preset `keycloak`.
    pub realm: Option<String>,
    /// The region of the user pool, for the preset `cognito`.
    pub region: Option<String>,
    /// The authorization server's id, for the preset `okta`.
    pub server: Option<String>,
    /// The team's name, for the preset `cloudflare-access`.
    pub team: Option<String>,
    /// Where Keycloak is, for the preset `keycloak`.
    pub base_url: Option<String>,
    /// What `iss` must be. A `{claim}` stands for the value of that claim of the same token. Must be there, but for presets.
    pub issuer: String = default,
    /// The values that the `{claim}` in `issuer` may have. Default any.
    pub tenants: Option<Vec<String>>,
    /// The fields that its tokens come in: `"cf-access-jwt-assertion"`. Default `authorization`.
    pub header: Option<OneOrMany>,
    /// What `aud` must be or contain. Must be there, but for presets that know it, and with `introspection`.
    pub audience: OneOrMany = default,
    /// The claims that may say whom a token is for: the first that a token has is the only one that counts. Default `aud`.
    pub audience_claims: Option<OneOrMany>,
    /// Which algorithms may sign its tokens. Must be there, but for presets, and not with `introspection`.
    pub algorithms: Vec<String> = default,
    /// Where its JWK Set is.
    pub jwks_url: Option<String>,
    /// Whether the JWK Set is found by OpenID Connect Discovery.
    pub discovery: Option<bool>,
    /// Its public keys, as JWKs.
    pub keys: Option<Vec<Value>>,
    /// A secret shared with it, for HS*.
    pub secret: Option<String>,
    /// How the secret is written: `text`, `base64url` or `jwk`. Default `text`.
    pub secret_format: Option<String>,
    /// The values that `typ` may have. Default `JWT` and `at+jwt`; a token without `typ` passes.
    pub types: Option<Vec<String>>,
    /// The claim that names the subject. Default `sub`.
    pub subject: Option<String>,
    /// Whether its tokens may be bound to a key that their holder proves to have (DPoP, RFC 9449): `accepted`, or `required` for
    /// no others. Default: such tokens are refused.
    pub dpop: Option<String>,
    /// Whether its tokens may be bound to the client certificate of the connection (RFC 8705): `accepted` or `required`.
    /// Default: such tokens are refused.
    pub certificate_bound: Option<String>,
    /// Where it is asked what a token is, for tokens that nobody else can read (RFC 7662).
    pub introspection: Option<IntrospectionFile>,
    /// How far its clock may be from ours, for `exp` and `nbf` alike; at the most `5m`. Default `5s` for `nbf`
    /// and none for `exp`.
    pub leeway: Option<String>,
    /// How long its keys are used at the most without asking. Default `10m`; with `introspection` what it says of a token, default
    /// `60s`, at most `5m`.
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

shape! {
/// Where an issuer is asked what a token is (RFC 7662), and as which client.
#[derive(Clone, Debug)]
pub struct IntrospectionFile {
    /// Its introspection endpoint.
    pub url: String,
    /// The client as which the gateway asks.
    pub client_id: String,
    /// That client's secret.
    pub client_secret: String,
    /// Where the secret is shown: `client_secret_basic` (default) or `client_secret_post`.
    pub client_auth: Option<String>,
}
}

shape! {
/// How proofs that a token's holder has its key are judged (DPoP, RFC 9449).
#[derive(Clone, Debug, Default)]
pub struct DpopFile {
    /// How old a proof may be, `5s` to `5m`. Default `60s`.
    pub max_age: Option<String>,
    /// A secret of 32 characters at least. With it each proof must have a nonce that the gateway gave out. Default none.
    pub nonce_secret: Option<String>,
}
}

shape! {
/// How client certificates count as credentials.
#[derive(Clone, Debug, Default)]
pub struct ClientCertificatesFile {
    /// Whether each needs a record under its fingerprint, as an API key under its digest. `false` lets in every certificate that
    /// the platform has verified. Default `true`.
    pub records: Option<bool>,
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
    /// The bindings of private networks that customers' records may name: `vpc:BINDING/http://10.0.0.5`. Default none.
    pub networks: Option<Vec<String>>,
    /// The secrets that customers' records may hold for their backends.
    pub secrets: Option<CustomerSecretsFile>,
}
}

shape! {
/// What secrets in customers' records are opened with, and where they may stand.
#[derive(Clone, Debug)]
pub struct CustomerSecretsFile {
    /// The keys. The first one seals, all open.
    pub keys: Vec<SealingKeyFile>,
    /// The fields that records may fill. Default `authorization` alone.
    pub fields: Option<Vec<String>>,
}
}

shape! {
/// A key for secrets in customers' records.
#[derive(Clone, Debug)]
pub struct SealingKeyFile {
    /// Its name, which stands in what it has sealed: letters, digits, `-` and `_`.
    pub id: String,
    /// A secret that `pointsman secret create` made.
    pub secret: String,
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
    /// Whether the provider tells the gateway which customers changed (`announced`), at the path of `[operator] ledger`. With
    /// `by_id` and a ledger a customer's record then counts until the provider does; else (`unannounced`) it is asked for again
    /// after `fresh`. Default `unannounced`.
    pub changes: Option<String>,
    /// The largest answer that is read. Default `8MB`, at most `32MB`.
    pub max_size: Option<String>,
    /// How many of the customers may be missing from a new list at once: more is taken for a fault of
    /// the source and changes nothing. Default `20%`.
    pub max_removed: Option<String>,
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
