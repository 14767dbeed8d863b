//! Who callers are: API keys, issuers, and how backends are told.

use std::rc::Rc;

use pointsman_core::{
    base::{freshness::Lifetimes, time::Span},
    customer::backend_url::{AllowHttp, document_url},
    forward::{
        assertion::{Assertions, SigningKey},
        plan::Identity,
    },
    http::fields::is_token,
    identity::{
        algorithm::Algorithm,
        api_key::ApiKeys,
        audience::Audience,
        claims::ClaimPath,
        client_certificate::ClientCertificates,
        confirmation::{Binding, Bindings},
        customer_id::CustomerId,
        dpop::{DpopSettings, NonceSecret},
        introspection::{ClientAuth, Endpoint},
        issuer_customers::{CustomersOfIssuer, Only},
        issuer_name::IssuerName,
        jwk_set::KeySet,
        jwt::{Issuer, KeySource, Leeway},
        key_fields::KeyFields,
        shared_secret::SecretFormat,
    },
};

use super::{
    node::{Node, Read, fault},
    sources::{MAX_SOURCE_TIMEOUT, claim_path, policy},
    variables::SECRET_PLACEHOLDER,
};

/// A clock further off than this is broken, and a longer leeway would keep dead tokens alive.
pub const MAX_LEEWAY: Span = Span::from_secs(300);

/// The name of a field, in lower case.
pub(super) fn field(node: Node<'_>) -> Read<String> {
    node.known("must be a field name", |name| is_token(name).then(|| name.to_ascii_lowercase()))
}

#[inline(never)]
pub(super) fn api_keys(node: Node<'_>, store_timeout: Span) -> Read<ApiKeys> {
    let scheme = |node: Node<'_>| {
        node.known("must be a scheme such as \"Bearer\"", |scheme| {
            (scheme.is_empty() || is_token(scheme)).then(|| scheme.to_owned())
        })
    };
    Ok(ApiKeys::new(
        KeyFields::new(node.list("header", field)?, node.list("scheme", scheme)?),
        node.strings("prefixes")?,
        node.read("checksum", Node::flag)?,
        policy(node, Lifetimes::strict, &[store_timeout])?,
    ))
}

/// Reads one issuer. `customer` is the claim of `[customers]`.
pub(super) fn issuers<'a>(
    customer: Option<&'a ClaimPath>,
    allow_http: AllowHttp,
    store_timeout: Span,
) -> impl Fn(Node<'_>) -> Read<Issuer> + 'a {
    move |node| issuer(node, customer, allow_http, store_timeout)
}

#[inline(never)]
fn issuer(
    node: Node<'_>,
    customer: Option<&ClaimPath>,
    allow_http: AllowHttp,
    store_timeout: Span,
) -> Read<Issuer> {
    let algorithm = |node: Node<'_>| node.known("must be the name of an algorithm", Algorithm::from_name);
    let algorithms = node.list("algorithms", algorithm)?;
    let timeout = node.read("timeout", |node| node.timeout(MAX_SOURCE_TIMEOUT))?;
    let name = node.read("issuer", Node::filled_text)?;
    let tenants = node.option("tenants", |list| list.items(Node::string))?;
    let issuer = match IssuerName::parse(&name, tenants) {
        Ok(issuer) => issuer,
        Err(error) => return node.read("issuer", |_| fault(error.to_string())),
    };
    Ok(Issuer {
        name: node.read("name", Node::text)?.into(),
        fields: node.list("header", field)?,
        audience: Audience {
            accepted: node.strings("audience")?,
            claims: node.list("audience_claims", claim_path)?,
        },
        types: node.list("types", |node| node.text().map(bare_type))?,
        subject: node.read("subject", claim_path)?,
        leeway: node.option("leeway", leeway)?.unwrap_or_default(),
        keys: key_source(node, &issuer, &algorithms, allow_http)?,
        policy: policy(node, Lifetimes::strict, &[store_timeout, timeout])?,
        cooldown: node.read("cooldown", Node::span)?,
        timeout,
        customers: match customer {
            Some(claim) => node.option("customers", |node| only(node, claim))?,
            None => None,
        },
        bindings: Bindings { dpop: binding(node, "dpop")?, certificate: binding(node, "certificate_bound")? },
        algorithms,
        issuer,
    })
}

fn binding(node: Node<'_>, name: &str) -> Read<Binding> {
    let read = |node: Node<'_>| node.known("must be \"accepted\" or \"required\"", Binding::from_name);
    Ok(node.option(name, read)?.unwrap_or_default())
}

#[inline(never)]
pub(super) fn dpop(node: Node<'_>) -> Read<DpopSettings> {
    let max_age = node.read("max_age", |node| node.timeout(DpopSettings::LONGEST_AGE))?;
    let secret = |node: Node<'_>| {
        let text = node.text()?;
        // A secret that only the deployed Worker knows is no fault in a check; there it is read again.
        let text = if text == SECRET_PLACEHOLDER { STAND_IN } else { text };
        NonceSecret::new(text).map_or_else(|| fault("is too short: it needs 32 characters"), Ok)
    };
    Ok(DpopSettings { max_age, nonce: node.option("nonce_secret", secret)? })
}

/// What stands for a secret where it is not known. No Worker ever reads it.
const STAND_IN: &str = "a secret that only the Worker knows";

#[inline(never)]
pub(super) fn client_certificates(node: Node<'_>, store_timeout: Span) -> Read<ClientCertificates> {
    let records = node.option("records", |node| policy(node, Lifetimes::strict, &[store_timeout]))?;
    Ok(ClientCertificates { records })
}

/// A `typ` as tokens are compared with it: in lower case, and without the part that may be left out (RFC 7515, section 4.1.9).
fn bare_type(name: &str) -> String {
    name.to_ascii_lowercase().trim_start_matches("application/").to_owned()
}

fn leeway(node: Node<'_>) -> Read<Leeway> {
    let leeway = node.span()?;
    if leeway > MAX_LEEWAY {
        return fault(format!("must be at most {MAX_LEEWAY}"));
    }
    Ok(Leeway { expiry: leeway, not_before: leeway })
}

#[inline(never)]
fn only(node: Node<'_>, claim: &ClaimPath) -> Read<CustomersOfIssuer> {
    let id = |node: Node<'_>| node.known("must be a customer's id", CustomerId::parse);
    let only = match node.option("claim", claim_path)? {
        Some(own) => Only::Claim(own),
        None => Only::Ids(node.list("ids", id)?),
    };
    Ok(CustomersOfIssuer { claim: claim.clone(), only })
}

#[inline(never)]
fn key_source(
    node: Node<'_>,
    issuer: &IssuerName,
    algorithms: &[Algorithm],
    allow_http: AllowHttp,
) -> Read<KeySource> {
    let format = node
        .option("secret_format", |node| node.known("must be a format of secrets", SecretFormat::from_name))?
        .unwrap_or_default();
    if let Some(endpoint) = node.option("introspection", |node| introspection(node, allow_http))? {
        return Ok(KeySource::Introspection(Rc::new(endpoint)));
    }
    let secret = node.option("secret", |node| {
        // A secret that only the deployed Worker knows is no fault in a check; there it is read again.
        let text = node.text()?;
        let format = if text == SECRET_PLACEHOLDER { SecretFormat::Text } else { format };
        format.read(text, algorithms).or_else(fault)
    })?;
    if let Some(secret) = secret {
        return Ok(KeySource::Secret(secret));
    }
    if !node.member("keys").is_null() {
        let keys = node.list("keys", |node| Ok(node.0.clone()))?;
        return Ok(KeySource::Inline(Rc::new(KeySet::from_jwks(&keys))));
    }
    if let Some(url) = node.option("jwks_url", |node| node.parsed(|text| document_url(text, allow_http)))? {
        return Ok(KeySource::Url(url));
    }
    let url = format!("{}/.well-known/openid-configuration", issuer.as_str().trim_end_matches('/'));
    match document_url(&url, allow_http) {
        Ok(_) => Ok(KeySource::Discovery(url)),
        Err(error) => node.read("issuer", |_| fault(error.to_string())),
    }
}

#[inline(never)]
fn introspection(node: Node<'_>, allow_http: AllowHttp) -> Read<Endpoint> {
    let auth = |node: Node<'_>| {
        node.known("must be client_secret_basic or client_secret_post", ClientAuth::from_name)
    };
    let text = |name| node.read(name, Node::filled_text);
    let url = node.read("url", |node| node.parsed(|text| document_url(text, allow_http)))?;
    let auth = node.option("client_auth", auth)?.unwrap_or_default();
    Ok(Endpoint::new(url, &text("client_id")?, &text("client_secret")?, auth))
}

/// Fields or claims by name, and the claims that they hold.
#[inline(never)]
fn claims(node: Node<'_>, name: fn(Node<'_>) -> Read<String>) -> Read<Vec<(Rc<str>, ClaimPath)>> {
    node.list("claims", |node| Ok((Rc::from(node.read("name", name)?), node.read("from", claim_path)?)))
}

#[inline(never)]
pub(super) fn identity(node: Node<'_>) -> Read<Identity> {
    let shared = |name| node.option(name, |node| field(node).map(Rc::from));
    Ok(Identity {
        subject: shared("subject")?,
        customer: shared("customer")?,
        authenticated_by: shared("authenticated_by")?,
        claims: claims(node, field)?,
        token: node.option("token", assertions)?,
    })
}

#[inline(never)]
fn assertions(node: Node<'_>) -> Read<Assertions> {
    let mut keys: Vec<SigningKey> = Vec::new();
    node.list("keys", |node| {
        // A secret that only the deployed Worker knows is no fault in a check; there it is read again.
        if node.text()? == SECRET_PLACEHOLDER {
            return Ok(());
        }
        let key = node.parsed(SigningKey::parse)?;
        // A backend would take the one for the other.
        if keys.iter().any(|other| other.id() == key.id()) {
            return fault("has the kid of another key");
        }
        keys.push(key);
        Ok(())
    })?;
    Ok(Assertions {
        field: Rc::from(node.read("field", field)?),
        issuer: node.read("issuer", Node::filled_text)?,
        keys,
        lifetime: node.read("lifetime", Node::span)?,
        claims: claims(node, |node| node.string())?,
        key_set_path: node.option("jwks", Node::string)?,
    })
}
