//! Named backends and their origins.

use pointsman_checked::origin_place;
use pointsman_core::{
    base::time::Span,
    customer::{backend_url::AllowHttp, template::BackendTemplate},
    forward::failover::Breaker,
    state::config::DEFAULT_BACKEND_TIMEOUT,
};
use serde_json::{Value, json};

use super::{
    backend_fields,
    file::{BackendFile, GatewayFile, OriginFile},
    findings::{Findings, escape},
    sources::percent,
    timeout,
};

/// `own` are the fields in which backends are told who is calling.
pub(super) fn all(
    file: &GatewayFile,
    own: &[String],
    allow_http: AllowHttp,
    findings: &mut Findings,
) -> Vec<Value> {
    let form = |(name, backend): &(String, BackendFile)| {
        let mut form = self::backend(name, backend, allow_http, findings);
        if let Value::Object(members) = &mut form {
            backend_fields::add(backend, &format!("/backends/{}", escape(name)), own, members, findings);
        }
        form
    };
    file.backends.iter().map(form).collect()
}

/// A backend whose URL is bad is still known by name, so that routes to it are not called wrong too.
fn backend(name: &str, file: &BackendFile, allow_http: AllowHttp, findings: &mut Findings) -> Value {
    let at = format!("/backends/{}", escape(name));
    if name == "customer" {
        findings.error(&at, "\"customer\" is the customer's own backend; call this one something else");
    }
    let weighted = match file.balance.as_deref() {
        None | Some("ordered") => false,
        Some("weighted") => true,
        Some(_) => {
            findings.error(format!("{at}/balance"), "must be \"ordered\" or \"weighted\"");
            false
        }
    };
    for status in file.failure_statuses.iter().flatten().filter(|status| !(500..=599).contains(*status)) {
        findings.error(format!("{at}/failure_statuses"), format!("{status} is no status from 500 to 599"));
    }
    let usual = Breaker::default();
    let failures = file.failures.unwrap_or(usual.failures);
    if failures == 0 {
        findings.error(format!("{at}/failures"), "must be at least 1");
    }
    let origins = origins(file, &at, allow_http, findings);
    let mut span =
        |text: Option<&str>, default, field| timeout(text, default, &format!("{at}/{field}"), findings);
    let (whole, pause) = (file.deadline.as_deref(), file.pause.as_deref());
    let timeout = span(file.timeout.as_deref(), DEFAULT_BACKEND_TIMEOUT, "timeout");
    let deadline = whole.map(|text| span(Some(text), Span::default(), "deadline"));
    let pause = span(pause, usual.pause, "pause");
    json!({
        "name": name,
        "origins": origins,
        "weighted": weighted,
        "failures": failures,
        "failure_ratio": percent(file.failure_ratio.as_deref(), usual.ratio, &format!("{at}/failure_ratio"), findings),
        "pause": pause,
        "timeout": timeout,
        "deadline": deadline,
        "failure_statuses": file.failure_statuses,
    })
}

fn origins(file: &BackendFile, at: &str, allow_http: AllowHttp, findings: &mut Findings) -> Vec<Value> {
    match (&file.url, &file.origins) {
        (Some(url), None) => {
            let only =
                OriginFile { url: url.clone(), region: file.region.clone(), weight: None, timeout: None };
            vec![origin(&only, at, allow_http, findings)]
        }
        (None, Some(origins)) if !origins.is_empty() => {
            if file.region.is_some() {
                findings.error(format!("{at}/region"), "is for url; each of origins has its own");
            }
            let origins = origins.iter().enumerate();
            let origins = origins.map(|(index, file)| {
                let at = format!("{at}/origins/{index}");
                if file.weight.is_some_and(|weight| weight > 1_000_000) {
                    findings.error(format!("{at}/weight"), "must be at most 1000000");
                }
                origin(file, &at, allow_http, findings)
            });
            origins.collect()
        }
        _ => {
            findings.error(at, "must have either url or origins, with at least one");
            Vec::new()
        }
    }
}

fn origin(file: &OriginFile, at: &str, allow_http: AllowHttp, findings: &mut Findings) -> Value {
    let pointer = format!("{at}/url");
    match origin_place(&file.url) {
        None => findings.error(&pointer, "must name a service binding: binding:NAME or binding:NAME/base"),
        Some((url, _)) => {
            findings.take(&pointer, BackendTemplate::parse(&url, allow_http));
        }
    }
    let seconds = file.timeout.as_deref();
    json!({
        "url": findings.write(&pointer, file.url.as_str()),
        "region": file.region.as_deref().map(|region| findings.write(&format!("{at}/region"), region)),
        "weight": file.weight.unwrap_or(1),
        "timeout": seconds.map(|text| timeout(Some(text), Span::default(), &format!("{at}/timeout"), findings)),
    })
}
