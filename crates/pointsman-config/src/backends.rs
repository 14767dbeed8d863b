//! Named backends and their origins.

use std::rc::Rc;

use pointsman_core::{
    base::time::Span,
    customer::{backend_url::AllowHttp, template::BackendTemplate},
    forward::failover::{Balance, Breaker},
    state::config::{Backend, DEFAULT_BACKEND_TIMEOUT, Origin},
};

use super::{
    file::{BackendFile, GatewayFile, OriginFile},
    findings::{Findings, escape},
    sources::percent,
    timeout,
};

pub(super) fn all(file: &GatewayFile, allow_http: AllowHttp, findings: &mut Findings) -> Vec<Backend> {
    file.backends.iter().map(|(name, backend)| self::backend(name, backend, allow_http, findings)).collect()
}

/// A backend whose URL is bad is still known by name, so that routes to it are not called wrong too.
#[inline(never)]
fn backend(name: &str, file: &BackendFile, allow_http: AllowHttp, findings: &mut Findings) -> Backend {
    let at = format!("/backends/{}", escape(name));
    if name == "customer" {
        findings.error(&at, "\"customer\" is the customer's own backend; call this one something else");
    }
    let balance = match file.balance.as_deref() {
        None | Some("ordered") => Balance::Ordered,
        Some("weighted") => Balance::Weighted,
        Some(_) => {
            findings.error(format!("{at}/balance"), "must be \"ordered\" or \"weighted\"");
            Balance::Ordered
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
    Backend {
        name: Rc::from(name),
        origins: origins(file, &at, allow_http, findings),
        balance,
        breaker: Breaker {
            failures,
            ratio: percent(
                file.failure_ratio.as_deref(),
                usual.ratio,
                &format!("{at}/failure_ratio"),
                findings,
            ),
            pause: timeout(file.pause.as_deref(), usual.pause, &format!("{at}/pause"), findings),
        },
        timeout: timeout(
            file.timeout.as_deref(),
            DEFAULT_BACKEND_TIMEOUT,
            &format!("{at}/timeout"),
            findings,
        ),
        deadline: file
            .deadline
            .as_deref()
            .map(|text| timeout(Some(text), Span::default(), &format!("{at}/deadline"), findings)),
        failure_statuses: file.failure_statuses.clone().unwrap_or_default(),
    }
}

#[inline(never)]
fn origins(file: &BackendFile, at: &str, allow_http: AllowHttp, findings: &mut Findings) -> Vec<Origin> {
    match (&file.url, &file.origins) {
        (Some(url), None) => {
            let only =
                OriginFile { url: url.clone(), region: file.region.clone(), weight: None, timeout: None };
            origin(&only, at, allow_http, findings).into_iter().collect()
        }
        (None, Some(origins)) if !origins.is_empty() => {
            if file.region.is_some() {
                findings.error(format!("{at}/region"), "is for url; each of origins has its own");
            }
            let origins = origins.iter().enumerate();
            let origins = origins.filter_map(|(index, file)| {
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

fn origin(file: &OriginFile, at: &str, allow_http: AllowHttp, findings: &mut Findings) -> Option<Origin> {
    let (text, binding) = match file.url.strip_prefix("binding:") {
        None => (file.url.clone(), None),
        Some(rest) => {
            let (name, base) =
                rest.find('/').and_then(|slash| rest.split_at_checked(slash)).unwrap_or((rest, ""));
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            if name.is_empty() || !name.bytes().all(plain) {
                findings.error(
                    format!("{at}/url"),
                    "must name a service binding: binding:NAME or binding:NAME/base",
                );
            }
            // Nothing is looked up: the host is what the bound Worker reads in the request's URL.
            let host = name.to_ascii_lowercase().replace('_', "-");
            (format!("https://{host}.binding{base}"), Some(Rc::from(name)))
        }
    };
    let url = findings.take(&format!("{at}/url"), BackendTemplate::parse(&text, allow_http));
    let instead = || BackendTemplate::parse("https://backend.invalid", allow_http).ok();
    Some(Origin {
        url: url.or_else(instead)?,
        binding,
        region: file.region.as_deref().map(Rc::from),
        weight: file.weight.unwrap_or(1),
        timeout: file
            .timeout
            .as_deref()
            .map(|text| timeout(Some(text), Span::default(), &format!("{at}/timeout"), findings)),
    })
}
