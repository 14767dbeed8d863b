//! Bindings that are called in place of the internet: other Workers, and private networks.

use pointsman_config::findings::{Findings, escape};
use pointsman_core::state::config::Gateway;
use serde_json::{Value, json};

use super::{not_taken_over, others};
use crate::deployment::{Deployment, named};

/// What has a `fetch`.
struct Kind {
    /// The list of bindings that is proposed.
    usual: &'static str,
    /// Lists that will do as well.
    others: &'static [&'static str],
    /// What is done with it, and what it is.
    called: &'static str,
    /// What an entry has beside its binding's name.
    target: &'static str,
}

const SERVICE: Kind = Kind {
    usual: "services",
    others: &["vpc_services", "vpc_networks", "mtls_certificates"],
    called: "calls the service binding",
    target: "service",
};
/// What a route asks whether a caller may.
const AUTHORIZER: Kind = Kind { called: "asks the service binding", ..SERVICE };
const NETWORK: Kind = Kind {
    usual: "vpc_networks",
    others: &["vpc_services"],
    called: "calls the private network",
    target: "network_id",
};

pub(super) fn check(gateway: &Gateway, file: &Value, deployment: &Deployment, findings: &mut Findings) {
    for (index, route) in gateway.routes().iter().enumerate() {
        if let Some(authorize) = &route.authorize {
            let at = format!("/routes/{index}/authorize/binding");
            is_bound(&authorize.binding, &AUTHORIZER, at, deployment, findings);
        }
    }
    for backend in gateway.backends() {
        let at = format!("/backends/{}", escape(&backend.name));
        let written = file.get("backends").and_then(|all| all.get(backend.name.as_ref()));
        let has_url = written.and_then(|backend| backend.get("url")).is_some();
        for (index, origin) in backend.origins.iter().enumerate() {
            let Some(name) = origin.binding.as_deref() else { continue };
            let at = if has_url { format!("{at}/url") } else { format!("{at}/origins/{index}/url") };
            let kind = if origin.url.network().is_some() { &NETWORK } else { &SERVICE };
            is_bound(name, kind, at, deployment, findings);
        }
    }
    let networks = gateway.customers().map(|customers| customers.networks.as_slice()).unwrap_or_default();
    for (index, name) in networks.iter().enumerate() {
        is_bound(name, &NETWORK, format!("/customers/networks/{index}"), deployment, findings);
    }
}

fn is_bound(name: &str, kind: &Kind, at: String, deployment: &Deployment, findings: &mut Findings) {
    let is_in = |list: &str| deployment.bindings(list).any(|entry| named(entry, "binding", name));
    let Kind { usual, others: or_in, called, target } = kind;
    if is_in(usual) || or_in.iter().any(|list| is_in(list)) {
        return;
    }
    let why = not_taken_over(deployment, usual, "binding", name);
    let place = deployment.place();
    let entry = deployment.entry(usual, &[("binding", json!(name)), (target, json!("…"))]);
    let others = others(deployment, usual, "binding");
    findings.error(at, format!("{called} {name}, which {place} does not bind{why}{others}: add {entry}"));
}
