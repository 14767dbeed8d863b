//! Which grammar each field has. A test finds the fields that are missing here.

use pointsman_config::presets;
use pointsman_core::{
    base::units::LARGEST_INTEGER,
    identity::{
        algorithm::Algorithm, confirmation::Binding, introspection::ClientAuth, method::RESERVED_NAMES,
        root_key::Scope, shared_secret::SecretFormat,
    },
    state::config::DirectorySettings,
};
use serde_json::{Value, json};

use super::{
    grammar::{
        TOKEN, exactly_one, field_name, form, instant, key_method, list, method, number, one_or_many, range,
        refer, some_text, table, word,
    },
    refine::Field,
};

/// The largest integer of a structured field (RFC 9651, section 3.3.1).
const MOST: u64 = 999_999_999_999_999;

/// Those of `gateway.toml`.
pub(super) fn gateway() -> Vec<Field> {
    [top(), callers(), sources(), identity(), backends(), limits(), routes()].into_iter().flatten().collect()
}

fn top() -> Vec<Field> {
    let field = |name, must_be| Field::of("GatewayFile", name, must_be);
    let cors = |name, must_be| Field::of("CorsFile", name, must_be);
    let origin =
        form(r"^(\*|[a-z][a-z0-9+.-]*://[A-Za-z0-9._~%!$&+;=:\[\]-]*\*?[A-Za-z0-9._~%!$&+;=:\[\]-]*)$");
    vec![
        Field::whole("GatewayFile", json!({ "required": ["routes"] })),
        field("name", field_name(false)),
        field("user_agent", form("^[!-~]([ -~]{0,254}[!-~])?$")),
        field("allow_http", word(&["never", "loopback", "always"])),
        Field::free("GatewayFile", "problem_base"),
        Field::of("ForwardFile", "request_id", word(&["replace", "keep"])),
        Field::of("LogFile", "details", word(&["refused", "all"])),
        Field::of("LogFile", "sample", refer("FineShare")),
        Field::of("TracingFile", "context", word(&["trust", "continue", "new"])),
        Field::of("TracingFile", "sample", refer("FineShare")),
        field("conditions", table(&refer("Conditions"))),
        field("regions", table(&refer("Conditions"))),
        field("routes", list(&refer("RouteFile"), 1)),
        Field::of("ResourceFile", "authorization_servers", list(&refer("DocumentUrl"), 1)),
        Field::of("ResourceFile", "scopes", list(&form(r"^[!#-\[\]-~]+$"), 0)),
        Field::free("ResourceFile", "name"),
        Field::of("ResourceFile", "documentation", refer("DocumentUrl")),
        Field::of("ResourceFile", "realm", form(r"^[ !#-\[\]-~]*$")),
        Field::of("ErrorsFile", "shape", some_text()),
        Field::of("ErrorShapeFile", "content_type", form("^[!-~]+/[!-~][ -~]*$")),
        Field::of("ErrorShapeFile", "body", some_text()),
        cors("origins", json!({ "anyOf": [origin, list(&origin, 0)] })),
        cors("headers", list(&field_name(false), 0)),
        cors("expose", list(&field_name(false), 0)),
        cors("max_age", refer("Span")),
    ]
}

fn callers() -> Vec<Field> {
    let key = |name, must_be| Field::of("ApiKeysFile", name, must_be);
    let issuer = |name, must_be| Field::of("IssuerFile", name, must_be);
    let jwk = json!({ "type": "object", "required": ["kty"] });
    let sources = json!([
        { "required": ["jwks_url"] },
        { "required": ["discovery"], "properties": { "discovery": { "const": true } } },
        { "required": ["keys"] },
        { "required": ["secret"] },
        { "required": ["introspection"] },
    ]);
    let span = || refer("Span");
    vec![
        key("header", one_or_many(&field_name(false))),
        key("scheme", one_or_many(&field_name(true))),
        key("prefixes", list(&form("^[A-Za-z0-9_]*[A-Za-z0-9]$"), 0)),
        key("fresh", span()),
        key("stale", span()),
        key("back_off", span()),
        Field::whole(
            "IssuerFile",
            json!({
                "if": { "required": ["preset"] },
                "else": {
                    "required": ["issuer"],
                    "oneOf": sources,
                    "if": { "not": { "required": ["introspection"] } },
                    "then": { "required": ["audience", "algorithms"] },
                },
            }),
        ),
        issuer("preset", word(&presets::names().collect::<Vec<_>>())),
        issuer("domain", form(r"^[^/:?#@ ]+$")),
        issuer("pool", form(r"^[^/:?#@ ]+$")),
        issuer("project", form(r"^[^/:?#@ ]+$")),
        issuer("realm", form(r"^[^/:?#@ ]+$")),
        issuer("region", form(r"^[^/:?#@ ]+$")),
        issuer("server", form(r"^[^/:?#@ ]+$")),
        issuer("team", form(r"^[^/:?#@ ]+$")),
        issuer("base_url", refer("DocumentUrl")),
        issuer(
            "name",
            json!({
                "type": "string", "pattern": r"^[!-$&-~]([ !-$&-~]*[!-$&-~])?$|\$\{",
                "not": { "enum": RESERVED_NAMES },
            }),
        ),
        issuer("issuer", some_text()),
        issuer("tenants", list(&form("^[A-Za-z0-9_-]{1,128}$"), 1)),
        issuer("header", one_or_many(&field_name(false))),
        issuer("audience", one_or_many(&some_text())),
        issuer("audience_claims", one_or_many(&refer("Claim"))),
        issuer("algorithms", list(&word(&Algorithm::names().collect::<Vec<_>>()), 1)),
        issuer("jwks_url", refer("DocumentUrl")),
        issuer("keys", list(&jwk, 1)),
        issuer("secret", some_text()),
        issuer("secret_format", word(&SecretFormat::NAMES)),
        Field::free("IssuerFile", "types"),
        issuer("subject", refer("Claim")),
        issuer("dpop", word(&Binding::NAMES)),
        issuer("certificate_bound", word(&Binding::NAMES)),
        Field::of("IntrospectionFile", "url", refer("DocumentUrl")),
        Field::of("IntrospectionFile", "client_id", some_text()),
        Field::of("IntrospectionFile", "client_secret", some_text()),
        Field::of("IntrospectionFile", "client_auth", word(&ClientAuth::NAMES)),
        Field::of("DpopFile", "max_age", span()),
        Field::of("DpopFile", "nonce_secret", form(r"^.{32,}$|\$\{")),
        issuer("leeway", span()),
        issuer("fresh", span()),
        issuer("stale", span()),
        issuer("cooldown", span()),
        issuer("timeout", span()),
        issuer("back_off", span()),
        issuer("customers", json!({ "anyOf": [list(&some_text(), 1), refer("CustomerClaimFile")] })),
        Field::of("CustomerClaimFile", "claim", refer("Claim")),
    ]
}

fn sources() -> Vec<Field> {
    let customers = |name, must_be| Field::of("CustomersFile", name, must_be);
    let source = |name, must_be| Field::of("SourceFile", name, must_be);
    let size = || refer("Size");
    vec![
        customers("claim", refer("Claim")),
        customers("fresh", refer("Span")),
        customers("stale", refer("Span")),
        customers("back_off", refer("Span")),
        customers("networks", list(&form("^[A-Za-z0-9_]+$"), 0)),
        Field::of("CustomerSecretsFile", "fields", list(&field_name(false), 0)),
        Field::of("SealingKeyFile", "id", field_name(false)),
        Field::of("SealingKeyFile", "secret", minted_secret()),
        source("url", refer("DocumentUrl")),
        source("token", form("^[!-~]+$")),
        source("timeout", refer("Span")),
        source("max_size", size()),
        source("max_removed", refer("Share")),
        source("changes", word(&["announced", "unannounced"])),
        Field::of("StoreFile", "timeout", refer("Span")),
        Field::of("DirectoryFile", "max_staleness", refer("Span")),
        Field::of("DirectoryFile", "on_failure", word(&["open", "closed"])),
        Field::of("DirectoryFile", "memory", size()),
        Field::of("DirectoryFile", "region", word(&DirectorySettings::REGIONS)),
        Field::of("MemoryFile", "keys", size()),
        Field::of("MemoryFile", "customers", size()),
        Field::of("MemoryFile", "tokens", size()),
        Field::whole(
            "OperatorFile",
            json!({ "dependentRequired": { "status": ["secret"], "ledger": ["secret"], "leaked_keys": ["api"] } }),
        ),
        Field::of("OperatorFile", "health", refer("OwnPath")),
        Field::of("OperatorFile", "status", refer("OwnPath")),
        Field::of("OperatorFile", "ledger", refer("OwnPath")),
        Field::of("OperatorFile", "api", refer("OwnPath")),
        Field::of("LeakedKeysFile", "action", word(&["revoke", "mark"])),
        Field::of("LeakedKeysFile", "github_keys_url", refer("DocumentUrl")),
        Field::of("OperatorFile", "secret", minted_secret()),
    ]
}

fn identity() -> Vec<Field> {
    let identity = |name, must_be| Field::of("IdentityFile", name, must_be);
    let token = |name, must_be| Field::of("IdentityTokenFile", name, must_be);
    vec![
        identity("subject", field_name(true)),
        identity("customer", field_name(true)),
        identity("authenticated_by", field_name(true)),
        identity("claims", table(&refer("Claim"))),
        Field::of("ForwardFile", "remove", list(&form("^[!#$%&'+.^_`|~0-9A-Za-z-]+[*]?$"), 0)),
        token("field", field_name(false)),
        token("issuer", some_text()),
        token("keys", one_or_many(&some_text())),
        token("lifetime", refer("Span")),
        token("claims", table(&refer("Claim"))),
        token("jwks", form("^(/[A-Za-z0-9/_.~-]+)?$")),
    ]
}

fn backends() -> Vec<Field> {
    let backend = |name, must_be| Field::of("BackendFile", name, must_be);
    let origin = |name, must_be| Field::of("OriginFile", name, must_be);
    vec![
        Field::whole("BackendFile", exactly_one(&["url", "origins"])),
        backend("url", refer("BackendUrl")),
        backend("origins", list(&refer("OriginFile"), 1)),
        backend("balance", word(&["ordered", "weighted"])),
        Field::free("BackendFile", "region"),
        backend("timeout", refer("Span")),
        backend("deadline", refer("Span")),
        backend("failure_statuses", list(&number(500, 599), 0)),
        backend("failures", number(1, u32::MAX.into())),
        backend("failure_ratio", refer("Share")),
        backend("pause", refer("Span")),
        backend("headers", fixed_fields()),
        Field::of("BasicFile", "user", form("^[^:]*$")),
        Field::free("BasicFile", "password"),
        origin("url", refer("BackendUrl")),
        Field::free("OriginFile", "region"),
        origin("weight", number(0, 1_000_000)),
        origin("timeout", refer("Span")),
    ]
}

fn limits() -> Vec<Field> {
    let limit = |name, must_be| Field::of("LimitFile", name, must_be);
    let kinds = json!([
        {
            "required": ["limit", "period"],
            "properties": { "quota": false, "per": false, "anchor": false, "batch": false },
        },
        { "required": ["quota", "per"], "properties": { "limit": false, "period": false } },
    ]);
    vec![
        Field::whole("LimitFile", json!({ "oneOf": kinds })),
        limit("binding", form("^[A-Za-z0-9_]+$")),
        limit("limit", number(1, MOST)),
        limit("period", word(&["10s", "60s", "1m"])),
        limit("quota", number(1, MOST)),
        limit("per", word(&["hour", "day", "month"])),
        limit("anchor", word(&["calendar", "first-use"])),
        limit("batch", number(1, MOST)),
        limit("by", one_or_many(&refer("Counted"))),
        limit("on_failure", word(&["open", "closed"])),
        limit("timeout", refer("Span")),
    ]
}

fn routes() -> Vec<Field> {
    let route = |name, must_be| Field::of("RouteFile", name, must_be);
    let rule = |name, must_be| Field::of("RuleFile", name, must_be);
    let choices = json!({ "anyOf": [refer("Tier"), list(&refer("Tier"), 1)] });
    let only_splits = json!({ "by": ["split"], "salt": ["split"], "chosen_by": ["split"] });
    let mut rules = exactly_one(&["to", "split", "deny"]);
    if let Some(members) = rules.as_object_mut() {
        members.insert("dependentRequired".to_owned(), only_splits);
    }
    vec![
        route("path", refer("Path")),
        Field::free("RouteFile", "name"),
        route("methods", list(&method(), 1)),
        route("auth", list(&some_text(), 0)),
        Field::of("CredentialInFile", "subprotocol", one_or_many(&field_name(false))),
        Field::of("CredentialInFile", "query", one_or_many(&form("^[-.0-9A-Z_a-z]+$"))),
        Field::of("CredentialInFile", "cookie", one_or_many(&form("^[-.0-9A-Z_a-z]+$"))),
        route("cors", some_text()),
        route("errors", some_text()),
        route("rewrite", refer("Rewrite")),
        route("require", refer("Conditions")),
        route("customer", json!({ "const": "$host" })),
        Field::of("AuthorizeFile", "binding", form("^[A-Za-z0-9_]+$")),
        Field::of("AuthorizeFile", "timeout", refer("Span")),
        Field::of("AuthorizeFile", "on_failure", word(&["open", "closed"])),
        Field::of("AuthorizeFile", "cache", refer("Span")),
        Field::of("AuthorizeFile", "show", one_or_many(&refer("Thing"))),
        route("max_body", refer("Size")),
        route("rules", list(&refer("RuleFile"), 1)),
        route("timeout", refer("Span")),
        route("pass", list(&field_name(false), 0)),
        route("limits", list(&choices, 0)),
        Field::free("VariantFile", "to"),
        Field::free("VariantFile", "weight"),
        Field::whole("RuleFile", rules),
        Field::free("RuleFile", "name"),
        rule("when", refer("Conditions")),
        rule("to", some_text()),
        rule("split", list(&refer("VariantFile"), 1)),
        rule("by", one_or_many(&refer("Thing"))),
        Field::free("RuleFile", "salt"),
        rule("chosen_by", one_or_many(&refer("Thing"))),
        rule("within", one_or_many(&some_text())),
        rule("deny", number(400, 599)),
        rule("unlisted", word(&["refuse", "next"])),
    ]
}

/// Fields by name, each with its value.
fn fixed_fields() -> Value {
    let mut fields = table(&form("^[!-~]([ -~]{0,4094}[!-~])?$"));
    if let Some(members) = fields.as_object_mut() {
        members.insert("propertyNames".to_owned(), json!({ "pattern": format!("^{TOKEN}$") }));
    }
    fields
}

/// What names somebody: such text, or a whole number, which is its digits.
fn or_whole_number(text: Value) -> Value {
    json!({ "anyOf": [text, { "type": "integer" }] })
}

/// Those of a customer's record. No variables stand in KV.
pub(super) fn customer() -> Vec<Field> {
    let customer = |name, must_be| Field::of("CustomerRecord", name, must_be);
    let url = json!({ "type": "string", "pattern": r"^(vpc:[A-Za-z0-9_]+/)?https?://[^\s?#@]+$" });
    let id = json!({ "type": "string", "minLength": 1, "maxLength": 256, "pattern": r"^[^\u0000-\u001f\u007f]+$" });
    let somewhere = json!({ "anyOf": [{ "required": ["backendUrl"] }, { "required": ["backends"] }] });
    let mut backends = list(&refer("OriginRecord"), 1);
    if let Some(members) = backends.as_object_mut() {
        members.insert("maxItems".to_owned(), Value::from(8));
    }
    vec![
        Field::whole("CustomerRecord", somewhere),
        customer("customerId", or_whole_number(id)),
        customer("backendUrl", url.clone()),
        customer("backends", backends),
        Field::free("CustomerRecord", "environmentName"),
        customer("allowedIps", list(&range(), 1)),
        customer("hosts", hosts()),
        customer("limits", json!({ "type": "object", "additionalProperties": number(1, LARGEST_INTEGER) })),
        customer(
            "secrets",
            list(&form(r"^[A-Za-z0-9_-]+\.\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]+$"), 1),
        ),
        customer("fetchedAt", instant()),
        Field::free("CustomerRecord", "generation"),
        Field::free("CustomerRecord", "etag"),
        Field::of("OriginRecord", "url", url),
        Field::free("OriginRecord", "weight"),
        Field::free("OriginRecord", "region"),
    ]
}

/// A secret as `pointsman secret create` makes it.
fn minted_secret() -> Value {
    form("^pso_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}$")
}

/// A customer's own hosts.
fn hosts() -> Value {
    let label = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?";
    let pattern = format!(r"^({label}\.)+[a-z]([a-z0-9-]{{0,61}}[a-z0-9])?$");
    json!({
        "type": "array", "maxItems": 16, "uniqueItems": true,
        "items": { "type": "string", "maxLength": 253, "pattern": pattern },
    })
}

/// Those of an API key's record.
pub(super) fn key() -> Vec<Field> {
    let key = |name, must_be| Field::of("KeyRecord", name, must_be);
    vec![
        key("subject", or_whole_number(some_text())),
        Field::free("KeyRecord", "claims"),
        key("expiresAt", instant()),
        key("allowedIps", list(&range(), 1)),
        key("methods", list(&key_method(), 1)),
        Field::free("KeyRecord", "name"),
        key("createdAt", instant()),
        key("prefix", form("^[A-Za-z0-9_]*[A-Za-z0-9]$")),
        Field::free("KeyRecord", "root"),
        Field::of("RootRecord", "scopes", list(&json!({ "enum": Scope::ALL.map(Scope::as_str) }), 1)),
        Field::of("RootRecord", "customers", list(&some_text(), 1)),
        Field::of("RootRecord", "prefixes", list(&some_text(), 1)),
    ]
}

/// Those of an API key in a file: the record, and which key it is of.
pub(super) fn key_of_file() -> Vec<Field> {
    let digest = json!({
        "description": "The SHA-256 digest of the key, in lower-case hexadecimal digits.",
        "type": "string", "pattern": "^[0-9a-f]{64}$",
    });
    let plain = json!({
        "description": "The key in plain text, for an import only: it belongs in no file that is kept.",
        "type": "string", "minLength": 1, "maxLength": 512,
    });
    let mut fields = key();
    fields.push(Field::beside("KeyRecord", "sha256", digest));
    fields.push(Field::beside("KeyRecord", "key", plain));
    fields.push(Field::whole("KeyRecord", exactly_one(&["sha256", "key"])));
    fields
}
