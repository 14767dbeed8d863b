//! Rules of a route from what its code comes to.

use pointsman_core::customer::{backend_url::AllowHttp, template::BackendTemplate};
use serde_json::{Map, Value, json};
use toml::Table;

use super::{
    code::{self, Act, Part, Source, Target},
    handler::Destination,
    policies::CodeOfRoute,
    trial,
    values::Variables,
};
use crate::convert::draft::{CustomersDraft, SourceDraft, Use};

/// A rule, whose backend has no name yet.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RoutedRule {
    pub(super) when: Table,
    pub(super) to: To,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum To {
    Url(String),
    Customer { next: bool },
    Deny(u16),
}

/// The rules, and how customers are found, where a rule leads to their backends.
///
/// # Errors
/// Why there are none.
pub(super) fn rules(
    code: &CodeOfRoute,
    destination: &Destination,
    variables: &mut Variables,
) -> Result<(Vec<RoutedRule>, Option<CustomersDraft>), String> {
    let (rows, form) = code::rows(&code.tree, destination.custom.as_deref())?;
    let mut rules = Vec::new();
    let mut used = Vec::new();
    for row in &rows {
        let to = match &row.act {
            Act::Deny(status) => To::Deny(*status),
            Act::Forward(None | Some(Target::Other)) => To::Url(destination.url.clone()),
            Act::Forward(Some(Target::Customer(_))) if destination.url.is_empty() => {
                To::Customer { next: row.next }
            }
            Act::Forward(Some(Target::Customer(_))) => {
                return Err(format!(
                    "{} comes behind a customer's own URL: write it into the records",
                    destination.url
                ));
            }
            Act::Forward(Some(Target::Url(parts))) => {
                let names = parts.iter().filter_map(|part| match part {
                    Part::Env(name) => Some(name.clone()),
                    Part::Text(_) | Part::Claim(_) => None,
                });
                used.extend(names);
                To::Url(format!("{}{}", url(parts, variables)?, destination.url))
            }
        };
        rules.push(RoutedRule { when: row.when(form), to });
    }
    let customers = match (&code.lookup, rules.iter().any(|rule| matches!(rule.to, To::Customer { .. }))) {
        (Some(lookup), true) => Some(customers(&lookup.claim, &lookup.source, variables)?),
        _ => None,
    };
    if let Some(name) = code.assumed.iter().find(|name| !used.contains(name)) {
        return Err(format!("it asks whether the variable {name} is set, which no rule does"));
    }
    check(&rules, customers.as_ref(), variables)?;
    Ok((rules, customers))
}

fn url(parts: &[Part], variables: &mut Variables) -> Result<String, String> {
    let mut url = String::new();
    for part in parts {
        match part {
            Part::Text(text) if text.contains(['{', '}', '$', '?', '#']) => {
                return Err(format!("{text} cannot stand in the URL of a backend"));
            }
            Part::Text(text) => url.push_str(text),
            Part::Claim(name) if name.contains(['{', '}']) => {
                return Err(format!("the claim {name} cannot fill a host"));
            }
            Part::Claim(name) => url.push_str(&format!("{{{name}}}")),
            Part::Env(name) => {
                let used = match url.as_str() {
                    "" => Use::Url,
                    before if before.trim_start_matches("https://").contains('/') => Use::Text,
                    _ => Use::Host,
                };
                url.push_str(&variables.name(name, used)?);
            }
        }
    }
    if !url.contains("${") {
        BackendTemplate::parse(&url, AllowHttp::Never)
            .map_err(|problem| format!("its backend {url} {problem}"))?;
    }
    Ok(url.trim_end_matches('/').to_owned())
}

fn customers(claim: &str, source: &Source, variables: &mut Variables) -> Result<CustomersDraft, String> {
    let source = match source {
        Source::File(_) => None,
        Source::Api(api) => {
            let token = api.token.as_ref().map(|name| variables.name(name, Use::Secret)).transpose()?;
            Some(SourceDraft {
                url: variables.name(&api.url, Use::Url)?,
                token,
                by_id: api.by_id,
                fresh: api.fresh,
                timeout: api.timeout,
            })
        }
    };
    Ok(CustomersDraft { claim: claim.to_owned(), source })
}

/// The check of a gateway has the last word.
fn check(
    rules: &[RoutedRule],
    customers: Option<&CustomersDraft>,
    variables: &Variables,
) -> Result<(), String> {
    let name = |index: usize| format!("rule-{index}");
    let backends = rules.iter().enumerate().filter_map(|(index, rule)| match &rule.to {
        To::Url(url) => Some((name(index), json!({ "url": url }))),
        To::Customer { .. } | To::Deny(_) => None,
    });
    let backends: Map<String, Value> = backends.collect();
    let rules: Vec<Value> = rules
        .iter()
        .enumerate()
        .map(|(index, rule)| {
            let mut own = Map::from_iter([("name".to_owned(), Value::from(name(index)))]);
            if !rule.when.is_empty() {
                own.insert("when".to_owned(), json!(rule.when));
            }
            match &rule.to {
                To::Url(_) => drop(own.insert("to".to_owned(), Value::from(name(index)))),
                To::Customer { next } => {
                    own.insert("to".to_owned(), Value::from("customer"));
                    own.insert("unlisted".to_owned(), Value::from(if *next { "next" } else { "refuse" }));
                }
                To::Deny(status) => drop(own.insert("deny".to_owned(), Value::from(*status))),
            }
            Value::Object(own)
        })
        .collect();
    let source = customers.and_then(|customers| customers.source.as_ref());
    let claim = customers.map_or("customerId", |customers| customers.claim.as_str());
    let section = match source {
        None => json!({ "claim": claim }),
        Some(source) => json!({
            "claim": claim,
            "fresh": format!("{}s", source.fresh),
            "source": { "url": source.url, "timeout": format!("{}s", source.timeout.unwrap_or(10)) },
        }),
    };
    let gateway = json!({
        "api_keys": { "checksum": false },
        "customers": section,
        "backends": backends,
        "routes": [{ "path": "/", "auth": ["api_key"], "rules": rules }],
    });
    trial::check(&gateway, variables)
}
