//! The part of a configuration that says whose tokens count, and where the keys for them come from.

use pointsman_checked::{MAX_LEEWAY, SECRET_PLACEHOLDER};
use pointsman_core::{
    base::time::Span,
    customer::backend_url::{AllowHttp, document_url},
    http::fields::field_value,
    identity::{
        algorithm::{Algorithm, KeyKind},
        customer_id::CustomerId,
        issuer_name::{IssuerName, IssuerNameError},
        jwk_set::PublicKey,
        method::RESERVED_NAMES,
        shared_secret::SecretFormat,
    },
};
use serde_json::{Value, json};

use super::{
    credential_fields,
    file::{CustomersOfIssuerFile, IssuerFile, OneOrMany},
    findings::Findings,
    identities::claim_path,
    introspection, lifetimes, possession, read_span, sources, span, write_all,
};

const DAY: Span = Span::from_secs(86_400);

/// What stands in the metadata of Microsoft Entra in the place of each tenant.
const METADATA_PLACEHOLDER: &str = "{tenantid}";

/// All of them, in checked form.
pub(super) fn all(
    files: &[IssuerFile],
    has_customers: bool,
    allow_http: AllowHttp,
    findings: &mut Findings,
) -> Vec<Value> {
    for (index, file) in files.iter().enumerate() {
        let earlier = files.get(..index).unwrap_or_default();
        if earlier.iter().any(|other| other.name == file.name) {
            findings.error(
                format!("/issuers/{index}/name"),
                format!("\"{}\" is already the name of another issuer", file.name),
            );
        }
    }
    refuse_overlaps(files, findings);
    files
        .iter()
        .enumerate()
        .map(|(index, file)| issuer(index, file, has_customers, allow_http, findings))
        .collect()
}

/// The customers that an issuer is limited to.
fn customers_of(
    index: usize,
    file: &IssuerFile,
    has_customers: bool,
    findings: &mut Findings,
) -> Option<Value> {
    let pointer = format!("/issuers/{index}/customers");
    let only = match file.customers.as_ref()? {
        CustomersOfIssuerFile::Claim(only) => {
            json!({ "claim": claim_path(&only.claim, &format!("{pointer}/claim"), findings) })
        }
        CustomersOfIssuerFile::Ids(texts) => {
            if texts.is_empty() {
                findings.error(
                    &pointer,
                    "must name at least one customer: an empty list never matches. Leave customers out for all",
                );
            }
            for (position, _) in
                texts.iter().enumerate().filter(|(_, text)| CustomerId::parse(text).is_none())
            {
                findings.error(
                    format!("{pointer}/{position}"),
                    "must be a customer's id: 1 to 256 bytes without control characters",
                );
            }
            json!({ "ids": write_all(&pointer, texts.iter().map(String::as_str), findings) })
        }
    };
    if !has_customers {
        findings.error(pointer, "needs a [customers] section, which says which claim names the customer");
    }
    Some(only)
}

fn issuer(
    index: usize,
    file: &IssuerFile,
    has_customers: bool,
    allow_http: AllowHttp,
    findings: &mut Findings,
) -> Value {
    let at = |field: &str| format!("/issuers/{index}/{field}");
    if RESERVED_NAMES.contains(&file.name.as_str()) {
        findings.error(
            at("name"),
            format!("must not be \"{}\", which names callers whom no issuer vouched for", file.name),
        );
    } else if file.name.is_empty() || field_value(&file.name) != file.name {
        findings.error(
            at("name"),
            "must be visible ASCII without % (inner spaces may be there): backends get it as a field's value",
        );
    }
    if file.issuer.is_empty() {
        findings.error(at("issuer"), "must be what the tokens' iss is");
    }
    check_name(index, file, findings);
    if file.audience.list().is_empty() && file.introspection.is_none() {
        findings.error(
            at("audience"),
            "must name at least one audience: a token for anybody is a token for nobody",
        );
    }
    let algorithms = algorithms(file, index, findings);
    check_key_source(file, index, &algorithms, allow_http, findings);
    let usual_types = ["jwt".to_owned(), "at+jwt".to_owned()];
    let types = file.types.as_deref().unwrap_or(&usual_types);
    let written = (file.fresh.as_deref(), file.stale.as_deref());
    let usual_fresh = match file.introspection {
        Some(_) => introspection::USUAL_FRESH,
        None => Span::from_secs(600),
    };
    let (fresh, stale) = lifetimes(written, (usual_fresh, DAY), &format!("/issuers/{index}"), findings);
    let cooldown = span(file.cooldown.as_deref(), Span::from_secs(30), &at("cooldown"), findings);
    let mut text =
        |text: &Option<String>, field| text.as_deref().map(|text| findings.write(&at(field), text));
    let (jwks_url, secret) = (text(&file.jwks_url, "jwks_url"), text(&file.secret, "secret"));
    let mut form = json!({
        "name": file.name,
        "issuer": findings.write(&at("issuer"), file.issuer.as_str()),
        "tenants": file.tenants.as_ref().map(|all| write_all(&at("tenants"), all.iter().map(String::as_str), findings)),
        "header": credential_fields::of_issuer(index, file, findings),
        "audience": file.audience.write(&at("audience"), findings),
        "audience_claims": audience_claims(file.audience_claims.as_ref(), &at("audience_claims"), findings),
        "algorithms": algorithms.iter().map(|algorithm| algorithm.name()).collect::<Vec<_>>(),
        "types": write_all(&at("types"), types.iter().map(String::as_str), findings),
        "subject": claim_path(file.subject.as_deref().unwrap_or("sub"), &at("subject"), findings),
        "leeway": file.leeway.as_deref().map(|text| leeway(text, &at("leeway"), findings)),
        "fresh": fresh,
        "stale": stale,
        "back_off": sources::back_off(file.back_off.as_deref(), &at("back_off"), findings),
        "cooldown": cooldown,
        "timeout": sources::timeout(file.timeout.as_deref(), Span::from_secs(5), &at("timeout"), findings),
        "jwks_url": jwks_url,
        "secret": secret,
        "secret_format": file.secret_format,
        "keys": file.keys,
        "customers": customers_of(index, file, has_customers, findings),
    });
    if let Value::Object(members) = &mut form {
        let bindings = possession::bindings(file, &format!("/issuers/{index}"), findings);
        let asked = file
            .introspection
            .as_ref()
            .map(|own| introspection::form(own, file, &format!("/issuers/{index}"), allow_http, findings));
        introspection::add(members, asked);
        members.extend(bindings.map(|(name, value)| (name.to_owned(), value)));
    }
    form
}

fn secret_format(file: &IssuerFile, pointer: &str, findings: &mut Findings) -> SecretFormat {
    let Some(name) = &file.secret_format else { return SecretFormat::default() };
    SecretFormat::from_name(name).unwrap_or_else(|| {
        findings.error(pointer, format!("must be one of {}", SecretFormat::NAMES.join(", ")));
        SecretFormat::default()
    })
}

/// The claims that may say whom a token is for.
fn audience_claims(written: Option<&OneOrMany>, pointer: &str, findings: &mut Findings) -> Vec<Value> {
    let (texts, is_list) = match written {
        None => (vec!["aud"], false),
        Some(written) => (written.list(), matches!(written, OneOrMany::Many(_))),
    };
    if texts.is_empty() {
        findings.error(
            pointer,
            "must name at least one claim: a token for anybody is a token for nobody. Leave audience_claims out for aud",
        );
    }
    let mut claims = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        let pointer = if is_list { format!("{pointer}/{index}") } else { pointer.to_owned() };
        if texts.iter().take(index).any(|earlier| earlier == text) {
            findings.error(&pointer, format!("\"{text}\" is a duplicate"));
        }
        claims.push(claim_path(text, &pointer, findings));
    }
    claims
}

/// What `iss` must be, and where a fault of it is written.
fn parsed_name(index: usize, file: &IssuerFile) -> Result<IssuerName, (String, IssuerNameError)> {
    let tenants = file.tenants.clone();
    IssuerName::parse(&file.issuer, tenants).map_err(|error| {
        let field = match &error {
            IssuerNameError::TenantNoLabel(place) => format!("tenants/{place}"),
            IssuerNameError::NoTenants | IssuerNameError::NoPlaceForTenants => "tenants".to_owned(),
            _ => "issuer".to_owned(),
        };
        (format!("/issuers/{index}/{field}"), error)
    })
}

fn check_name(index: usize, file: &IssuerFile, findings: &mut Findings) {
    let pointer = format!("/issuers/{index}/issuer");
    if file.issuer.contains(METADATA_PLACEHOLDER) {
        findings.error(
            pointer,
            format!(
                "holds {METADATA_PLACEHOLDER}, which stands in the provider's metadata for each tenant's own part, and is no \
                 claim of its tokens: write {{tid}}, which is filled from the token's claim tid, or the iss of one tenant"
            ),
        );
        return;
    }
    match parsed_name(index, file) {
        Ok(name) => {
            if let Some(claim) = name.claim()
                && file.discovery == Some(true)
            {
                findings.error(
                    format!("/issuers/{index}/discovery"),
                    format!(
                        "cannot find the keys of an issuer with {{{claim}}}, which has no metadata of its own: write jwks_url, the \
                         key set of all its tenants"
                    ),
                );
            }
        }
        Err((pointer, error)) => findings.error(pointer, error.to_string()),
    }
}

/// Two entries for one `iss` would let a token choose the weaker of them.
fn refuse_overlaps(files: &[IssuerFile], findings: &mut Findings) {
    let mut names: Vec<(usize, IssuerName)> = Vec::new();
    for (index, file) in files.iter().enumerate() {
        let Ok(name) = parsed_name(index, file) else { continue };
        if let Some((place, other)) = names.iter().find(|(_, other)| other.overlaps(&name)) {
            let what = if other == &name {
                "another entry is already for this issuer".to_owned()
            } else {
                format!(
                    "one iss could be both of this entry and of /issuers/{place}, and a token must not choose between them: make \
                     their fixed text differ, or write different tenants for each"
                )
            };
            findings.error(format!("/issuers/{index}/issuer"), what);
        }
        names.push((index, name));
    }
}

fn leeway(text: &str, pointer: &str, findings: &mut Findings) -> Value {
    let leeway = read_span(Some(text), Span::default(), pointer, findings);
    if leeway > MAX_LEEWAY {
        findings.error(pointer, format!("must be at most {MAX_LEEWAY}"));
    }
    findings.write(pointer, leeway.millis())
}

fn algorithms(file: &IssuerFile, index: usize, findings: &mut Findings) -> Vec<Algorithm> {
    if file.algorithms.is_empty() && file.introspection.is_none() {
        findings.error(
            format!("/issuers/{index}/algorithms"),
            "must name at least one algorithm: an empty list lets nobody in",
        );
    }
    let mut known = Vec::new();
    for (position, name) in file.algorithms.iter().enumerate() {
        let pointer = format!("/issuers/{index}/algorithms/{position}");
        let Some(algorithm) = Algorithm::from_name(name) else {
            let names: Vec<_> = Algorithm::names().collect();
            findings.error(
                pointer,
                format!("\"{name}\" is no algorithm here: write one of {}", names.join(", ")),
            );
            continue;
        };
        let symmetric = algorithm.key_kind() == KeyKind::Secret;
        if symmetric && file.secret.is_none() {
            findings.error(pointer, format!("{name} needs a secret; a public key must never verify it"));
        } else if !symmetric && file.secret.is_some() {
            findings.error(pointer, format!("{name} needs public keys, not a secret"));
        }
        known.push(algorithm);
    }
    known
}

fn check_key_source(
    file: &IssuerFile,
    index: usize,
    algorithms: &[Algorithm],
    allow_http: AllowHttp,
    findings: &mut Findings,
) {
    let at = |field: &str| format!("/issuers/{index}/{field}");
    let discovery = file.discovery.unwrap_or(false);
    let sources = [
        file.jwks_url.is_some(),
        discovery,
        file.keys.is_some(),
        file.secret.is_some(),
        file.introspection.is_some(),
    ];
    if sources.iter().filter(|there| **there).count() != 1 {
        findings.error(
            format!("/issuers/{index}"),
            "must have exactly one of jwks_url, discovery = true, keys, secret and introspection",
        );
    }
    if file.secret.is_none() && file.secret_format.is_some() {
        findings.error(at("secret_format"), "is for a secret, and there is none");
    }
    if let Some(secret) = &file.secret {
        let format = secret_format(file, &at("secret_format"), findings);
        if secret != SECRET_PLACEHOLDER {
            findings.take(&at("secret"), format.read(secret, algorithms));
        }
        return;
    }
    if let Some(jwks) = &file.keys {
        for (position, jwk) in jwks.iter().enumerate() {
            if let Err(why) = PublicKey::parse(jwk) {
                findings.error(
                    format!("/issuers/{index}/keys/{position}"),
                    format!("is no public key that can be used: {why}"),
                );
            }
        }
        return;
    }
    if discovery && !file.issuer.contains('{') {
        let base = file.issuer.trim_end_matches('/');
        let url = format!("{base}/.well-known/openid-configuration");
        findings.take(&at("issuer"), document_url(&url, allow_http));
        return;
    }
    if let Some(url) = &file.jwks_url {
        findings.take(&at("jwks_url"), document_url(url, allow_http));
    }
}
