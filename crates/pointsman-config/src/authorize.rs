//! Which service a route asks of its requests.

use pointsman_checked::LONGEST_TIMEOUT;
use pointsman_core::{
    base::time::Span,
    customer::backend_url::is_binding,
    http::{
        credential_copies::SUBPROTOCOLS,
        fields::{FieldPolicy, canonical},
    },
    routing::operand::Operand,
    state::memory::TOKEN_LIFETIME,
};
use serde_json::{Value, json};

use super::{
    conditions::Scope,
    file::{AuthorizeFile, GatewayFile, OneOrMany, RouteFile},
    findings::Findings,
    operands, read_span, read_timeout,
};

/// A Worker that is bound is near by.
const USUAL_TIMEOUT: Span = Span::from_millis(250);
/// Fields that hold a credential or a proof of one, whatever the configuration says.
const CREDENTIALS: [&str; 3] = ["cookie", "dpop", SUBPROTOCOLS];

/// A route's `authorize` in checked form. `own` are the fields in which backends are told who is calling.
pub(super) fn of_route(
    route: &RouteFile,
    file: &GatewayFile,
    own: &[String],
    at: &str,
    scope: Scope<'_>,
    findings: &mut Findings,
) -> Option<Value> {
    let written = route.authorize.as_ref()?;
    let at = format!("{at}/authorize");
    let AuthorizeFile { binding, timeout, on_failure, cache, show } = written;
    if !is_binding(binding) {
        let what = "must be the name of a service binding in wrangler.toml, such as \"POLICY\"";
        findings.error(format!("{at}/binding"), what);
    }
    let closed = match on_failure.as_deref() {
        None | Some("closed") => true,
        Some("open") => false,
        Some(_) => {
            findings.error(format!("{at}/on_failure"), "must be \"open\" or \"closed\"");
            true
        }
    };
    let [timeout_at, cache_at] = ["timeout", "cache"].map(|field| format!("{at}/{field}"));
    let timeout = read_timeout(timeout.as_deref(), USUAL_TIMEOUT, &timeout_at, findings);
    if timeout > LONGEST_TIMEOUT {
        findings.error(&timeout_at, format!("must be at most {LONGEST_TIMEOUT}"));
    }
    let keep = read_span(cache.as_deref(), Span::default(), &cache_at, findings);
    if keep > TOKEN_LIFETIME {
        findings.error(
            &cache_at,
            format!("must be at most {TOKEN_LIFETIME}, for which verified tokens count too"),
        );
    }
    let show_at = format!("{at}/show");
    for (index, name) in show.iter().flat_map(OneOrMany::list).enumerate() {
        let pointer = show.as_ref().map_or_else(String::new, |show| show.pointer(&show_at, index));
        let errors = findings.errors();
        let operand =
            operands::operand(name, &pointer, scope, findings).filter(|_| findings.errors() == errors);
        if let Some(what) = operand.and_then(|of| why_not_shown(&of, route, file, own)) {
            findings.error(pointer, what);
        }
    }
    Some(json!({
        "binding": findings.write(&format!("{at}/binding"), binding.as_str()),
        "timeout": findings.write(&timeout_at, timeout.millis()),
        "cache": findings.write(&cache_at, keep.millis()),
        "closed": closed,
        "show": show.as_ref().map(|show| show.write(&show_at, findings)),
    }))
}

/// Why a service is not shown this.
fn why_not_shown(of: &Operand, route: &RouteFile, file: &GatewayFile, own: &[String]) -> Option<String> {
    match of {
        Operand::Claim(_) | Operand::Subject | Operand::Method | Operand::Host => {
            Some(format!("is shown anyway: leave {of} out"))
        }
        Operand::Header(name) => {
            let is_in = |written: Option<&OneOrMany>| {
                let names = written.map(OneOrMany::list).unwrap_or_default();
                names.iter().any(|field| canonical(field) == canonical(name))
            };
            let keys = file.api_keys.as_ref().and_then(|keys| keys.header.as_ref());
            let of_tokens = file.issuers.iter().any(|issuer| is_in(issuer.header.as_ref()));
            if CREDENTIALS.contains(&&**name) || is_in(keys) || of_tokens {
                return Some(format!("must not be {name}, which holds credentials"));
            }
            let is_own = own.iter().any(|field| canonical(field) == canonical(name));
            (is_own || FieldPolicy::new([], [], Vec::new()).judge(name).removed).then(|| {
                format!(
                    "must not be {name}: what clients send there reaches nobody, since anybody could write it"
                )
            })
        }
        Operand::Query(name) => {
            let places = route.credential_in.as_ref().and_then(|places| places.query.as_ref());
            let names = places.map(OneOrMany::list).unwrap_or_default();
            let is_place = names.iter().any(|own| canonical(own) == canonical(name));
            is_place.then(|| format!("must not be the parameter {name}, which holds credentials"))
        }
        Operand::Cf(_) | Operand::Ip | Operand::Param(..) => None,
    }
}
