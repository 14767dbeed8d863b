//! `introspection` of an issuer: where it is asked what a token is (RFC 7662).

use pointsman_core::{
    base::time::Span,
    customer::backend_url::{AllowHttp, document_url},
    identity::introspection::ClientAuth,
    state::memory::TOKEN_LIFETIME,
};
use serde_json::{Map, Value, json};

use super::{
    file::{IntrospectionFile, IssuerFile, RouteFile},
    findings::Findings,
    read_span,
};

/// How long an answer counts where nothing else is written.
pub(super) const USUAL_FRESH: Span = Span::from_secs(60);

/// Checks what belongs to the introspection of an issuer, and writes it in checked form.
pub(super) fn form(
    own: &IntrospectionFile,
    issuer: &IssuerFile,
    at: &str,
    allow_http: AllowHttp,
    findings: &mut Findings,
) -> Value {
    refuse_what_is_for_signatures(issuer, at, findings);
    let fresh = read_span(issuer.fresh.as_deref(), USUAL_FRESH, &format!("{at}/fresh"), findings);
    if fresh > TOKEN_LIFETIME {
        findings.error(
            format!("{at}/fresh"),
            format!("must be at most {TOKEN_LIFETIME}: for so long a token works that its issuer has ended"),
        );
    }
    let at = format!("{at}/introspection");
    findings.take(&format!("{at}/url"), document_url(&own.url, allow_http));
    for (field, text) in [("client_id", &own.client_id), ("client_secret", &own.client_secret)] {
        if text.is_empty() {
            findings.error(format!("{at}/{field}"), "must not be empty: an issuer answers no stranger");
        }
    }
    if let Some(name) = &own.client_auth
        && ClientAuth::from_name(name).is_none()
    {
        findings
            .error(format!("{at}/client_auth"), format!("must be one of {}", ClientAuth::NAMES.join(", ")));
    }
    let mut write = |field: &str, text: &str| findings.write(&format!("{at}/{field}"), text);
    json!({
        "url": write("url", &own.url),
        "client_id": write("client_id", &own.client_id),
        "client_secret": write("client_secret", &own.client_secret),
        "client_auth": own.client_auth.as_deref().map(|name| write("client_auth", name)),
    })
}

/// Whoever writes what is never looked at means something that does not happen.
fn refuse_what_is_for_signatures(issuer: &IssuerFile, at: &str, findings: &mut Findings) {
    let written = [
        ("algorithms", !issuer.algorithms.is_empty()),
        ("types", issuer.types.is_some()),
        ("tenants", issuer.tenants.is_some()),
        ("cooldown", issuer.cooldown.is_some()),
        ("stale", issuer.stale.is_some()),
    ];
    for (field, _) in written.into_iter().filter(|(_, is_there)| *is_there) {
        let what = "is for tokens that the gateway reads itself, and with introspection it asks the issuer: leave it out";
        findings.error(format!("{at}/{field}"), what);
    }
    if issuer.issuer.contains('{') {
        findings.error(format!("{at}/issuer"), "must be one text: with introspection, one issuer is asked");
    }
    if issuer.header.as_ref().is_some_and(|header| header.list() != ["authorization"]) {
        let what = "must be left out: the tokens of an issuer with introspection come in Authorization";
        findings.error(format!("{at}/header"), what);
    }
}

/// Of two issuers that must be asked, a token would be shown to one that it is none of.
pub(super) fn refuse_two(file: &RouteFile, issuers: &[&IssuerFile], at: &str, findings: &mut Findings) {
    let is_asked =
        |name: &&String| issuers.iter().any(|issuer| issuer.name == **name && issuer.introspection.is_some());
    let asked: Vec<&String> = file.auth.iter().filter(is_asked).collect();
    if let [first, second, ..] = asked.as_slice() {
        let what = format!(
            "names \"{first}\" and \"{second}\", which both must be asked what a token is: a token would be shown to an issuer \
             that it is none of. Take one of them, or make two routes"
        );
        findings.error(format!("{at}/auth"), what);
    }
}

/// Adds the introspection to an issuer's checked form.
pub(super) fn add(members: &mut Map<String, Value>, form: Option<Value>) {
    members.insert("introspection".to_owned(), form.into());
}
