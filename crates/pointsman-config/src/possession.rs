//! What callers prove to hold: client certificates, and the keys of bound tokens.

use pointsman_checked::SECRET_PLACEHOLDER;
use pointsman_core::identity::{
    confirmation::Binding,
    dpop::{DpopSettings, NonceSecret},
    method::CLIENT_CERTIFICATE,
};
use serde_json::{Value, json};

use super::{
    file::{GatewayFile, IssuerFile},
    findings::Findings,
    identities, read_span, sources,
};

/// The members of an issuer's checked form that say how its tokens may be bound.
pub(super) fn bindings(file: &IssuerFile, at: &str, findings: &mut Findings) -> [(&'static str, Value); 2] {
    [("dpop", &file.dpop), ("certificate_bound", &file.certificate_bound)].map(|(field, written)| {
        let pointer = format!("{at}/{field}");
        if let Some(name) = written
            && Binding::from_name(name).is_none()
        {
            let what =
                format!("must be one of {}; leave it out to refuse such tokens", Binding::NAMES.join(", "));
            findings.error(&pointer, what);
        }
        (field, written.as_deref().map(|name| findings.write(&pointer, name)).into())
    })
}

/// `[dpop]`, which no issuer's tokens need.
pub(super) fn dpop(file: &GatewayFile, findings: &mut Findings) -> Option<Value> {
    let written = file.dpop.as_ref()?;
    if file.issuers.iter().all(|issuer| issuer.dpop.is_none()) {
        let what = "no issuer's tokens are bound by DPoP: add dpop = \"accepted\" or \"required\" to its [[issuers]]";
        findings.warn("/dpop", what);
    }
    let pointer = "/dpop/max_age";
    let max_age = read_span(written.max_age.as_deref(), DpopSettings::USUAL_AGE, pointer, findings);
    if !(DpopSettings::SHORTEST_AGE..=DpopSettings::LONGEST_AGE).contains(&max_age) {
        let (least, most) = (DpopSettings::SHORTEST_AGE, DpopSettings::LONGEST_AGE);
        findings.error(pointer, format!("must be from {least} to {most}"));
    }
    let pointer = "/dpop/nonce_secret";
    let secret = written.nonce_secret.as_deref().map(|secret| {
        if secret != SECRET_PLACEHOLDER && NonceSecret::new(secret).is_none() {
            let least = NonceSecret::SHORTEST;
            findings.error(
                pointer,
                format!("must be {least} characters at least: whoever guesses it makes nonces"),
            );
        }
        findings.write(pointer, secret)
    });
    Some(json!({ "max_age": findings.write("/dpop/max_age", max_age.millis()), "nonce_secret": secret }))
}

/// `[client_certificates]`, or what counts without it where a route takes them. Their records are kept as those of API keys.
pub(super) fn client_certificates(
    file: &GatewayFile,
    api_keys: Option<&Value>,
    findings: &mut Findings,
) -> Option<Value> {
    let is_taken = file.routes.iter().any(|route| route.auth.iter().any(|name| name == CLIENT_CERTIFICATE));
    if file.client_certificates.is_some() && !is_taken {
        findings.warn(
            "/client_certificates",
            format!("no route takes them: add \"{CLIENT_CERTIFICATE}\" to the auth of one"),
        );
    }
    if !is_taken && file.client_certificates.is_none() {
        return None;
    }
    let needs_records = file.client_certificates.as_ref().and_then(|own| own.records).unwrap_or(true);
    let records = needs_records.then(|| match api_keys {
        Some(keys) => json!({ "fresh": keys["fresh"], "stale": keys["stale"], "back_off": keys["back_off"] }),
        None => {
            let (fresh, stale) = (identities::USUAL_FRESH.millis(), identities::USUAL_STALE.millis());
            let back_off = sources::back_off(None, "/client_certificates", findings);
            json!({ "fresh": fresh, "stale": stale, "back_off": back_off })
        }
    });
    Some(json!({ "records": records }))
}
