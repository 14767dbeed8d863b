//! Why a request was refused, in words: what came, and what was expected.

use serde_json::Value;

use super::{Explained, credential::expected};
use crate::{
    base::{
        json,
        refusal::Refusal,
        time::{Span, Timestamp},
    },
    customer::template::BackendTemplate,
    decide::{
        request_log::Trace,
        steps::{CredentialForm, CredentialStep, KeyStep, Requirement, RouteStep, Steps, TokenStep},
    },
    identity::{claims::ClaimPath, jwt::Issuer, key_record::store_key},
    state::config::Gateway,
};

/// Why, and the claim that is missing or cannot be used.
pub(super) struct Why {
    pub(super) text: String,
    pub(super) claim: Option<String>,
}

impl Explained<'_> {
    /// Why a request was refused; `None` where there is no more to say of it than the reason itself.
    #[cold]
    pub(super) fn why(&self, refusal: Refusal, trace: &Trace) -> Option<Why> {
        let steps = trace.steps.as_deref()?;
        if let Some(why) = of_claim(refusal, steps, trace, self.gateway) {
            return Some(why);
        }
        let credential = steps.credential.as_ref();
        let text = match (credential.map(|step| &step.form), credential) {
            (Some(CredentialForm::Token(token)), Some(step)) => {
                let issuers = expected(step, token, self.gateway);
                of_token(refusal, token, &issuers, self.gateway, self.began)
            }
            (Some(CredentialForm::ApiKey(key)), _) => of_key(refusal, key),
            _ => None,
        };
        let text = text.or_else(|| of_route(refusal, steps, trace, credential))?;
        Some(Why { text, claim: None })
    }
}

fn of_token(
    refusal: Refusal,
    token: &TokenStep,
    issuers: &[&Issuer],
    gateway: &Gateway,
    now: Timestamp,
) -> Option<String> {
    let only = issuers.first().filter(|_| issuers.len() == 1);
    let claim = |name: &str| came(&token.claims, name);
    let must_be_number = |name: &str| Some(claim(name) + ", and must be a number");
    let leeway = |name: &str, leeway: Span| {
        Some(format!("{}, with a leeway of {leeway}, and it is {now}", time(token, name)))
    };
    match (refusal, only) {
        (Refusal::TokenIssuer, _) => {
            let claimed = token.claims.get("iss").and_then(Value::as_str);
            let own = gateway.issuers.iter().find(|own| claimed.is_some_and(|iss| own.issuer.fits(iss)));
            let mut why = claim("iss");
            let per_tenant =
                issuers.iter().find_map(|issuer| Some((issuer, issuer.issuer.claim()?.as_str())));
            if let Some((_, name)) = per_tenant {
                why = why + " and " + &claim(name);
            }
            let is_taken = |own: &Issuer| issuers.iter().any(|issuer| issuer.name == own.name);
            if let Some(own) = own.filter(|own| is_taken(own) && own.issuer.claim().is_none()) {
                return Some(
                    why + ", whose tokens come in " + &own.fields.join(" or ") + " and nowhere else",
                );
            }
            if let Some(own) = own.filter(|own| !is_taken(own)) {
                let name = json::text(&Value::from(&*own.name));
                why = why + ", the issuer " + &name + ", of which this route takes no tokens";
            }
            why += &must(" be ", &mut issuers.iter().map(|issuer| issuer.issuer.as_str()));
            if let Some((issuer, name)) = per_tenant {
                why = why + ", where {" + name + "} is the token's own claim: letters, digits, - and _";
                let tenants = issuer.issuer.tenants().into_iter().flatten().map(String::as_str);
                let listed = must(" be ", &mut tenants.clone());
                why += if tenants.count() == 0 { "" } else { &listed };
            }
            Some(why)
        }
        (Refusal::TokenAudience, Some(issuer)) => {
            let of = issuer.audience.claims.iter().map(ClaimPath::as_str);
            let there = of.clone().find(|name| token.claims.contains_key(*name));
            let came = there.map_or_else(|| none_of(&of.collect::<Vec<_>>()), claim);
            Some(came + &must(" be or hold ", &mut issuer.audience.accepted.iter().map(String::as_str)))
        }
        (Refusal::TokenAlgorithm, Some(issuer)) => {
            let wanted = must(" be ", &mut issuer.algorithms.iter().map(|algorithm| algorithm.name()));
            Some(came(&token.header, "alg") + &wanted)
        }
        (Refusal::TokenType, Some(issuer)) => {
            Some(came(&token.header, "typ") + &must(" be ", &mut issuer.types.iter().map(String::as_str)))
        }
        (Refusal::TokenExpired, Some(issuer)) => leeway("exp", issuer.leeway.expiry),
        (Refusal::TokenNotYetValid, Some(issuer)) => leeway("nbf", issuer.leeway.not_before),
        (Refusal::TokenExpiryMalformed, _) => must_be_number("exp"),
        (Refusal::TokenNotBeforeMalformed, _) => must_be_number("nbf"),
        (Refusal::TokenIssuedAtMalformed, _) => must_be_number("iat"),
        (Refusal::TokenKeyUnknown, Some(issuer)) => {
            Some(came(&token.header, "kid") + ", and the key set of " + &issuer.name + " has no such key")
        }
        (Refusal::TokenSubject, Some(issuer)) => Some(
            [
                "the claim ",
                issuer.subject.as_str(),
                ", which names the subject, is neither text nor a whole number of 64 bits",
            ]
            .concat(),
        ),
        _ => None,
    }
}

/// What came under this name.
#[inline(never)]
fn came(of: &serde_json::Map<String, Value>, name: &str) -> String {
    let what = of.get(name).map(json::text);
    name.to_owned() + what.as_ref().map_or(" is not there", |_| " is ") + what.as_deref().unwrap_or_default()
}

/// That none of these claims came.
fn none_of(names: &[&str]) -> String {
    names.join(", ") + if names.len() == 1 { " is not there" } else { ": none is there" }
}

/// What should have come.
#[inline(never)]
fn must(be: &str, all: &mut dyn Iterator<Item = &str>) -> String {
    let mut said = ", and must".to_owned();
    let mut between = be;
    for text in all {
        said = said + between + &json::text(&Value::from(text));
        between = " or ";
    }
    said
}

/// A time of a token as people read it, where it is one.
fn time(token: &TokenStep, name: &str) -> String {
    let seconds = token.claims.get(name).and_then(Value::as_f64).unwrap_or_default();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    // a cast from float to integer saturates
    let at = Timestamp::from_millis((seconds * 1000.0) as u64);
    format!("{name} is {at}")
}

fn of_key(refusal: Refusal, key: &KeyStep) -> Option<String> {
    Some(match refusal {
        Refusal::ApiKeyUnknown => format!("there is no record {}", store_key(&key.digest)),
        Refusal::ApiKeyChecksum => {
            "it is mistyped, cut off or of another gateway: its last six letters do not fit".to_owned()
        }
        Refusal::ApiKeyExpired => format!("it expired at {}", key.record.as_ref()?.expires_at()?),
        _ => return None,
    })
}

fn of_route(
    refusal: Refusal,
    steps: &Steps,
    trace: &Trace,
    credential: Option<&CredentialStep>,
) -> Option<String> {
    Some(match (refusal, &steps.requirement) {
        (Refusal::CredentialMissing | Refusal::CredentialKindNotAccepted, _) => {
            let accepted: Vec<_> = credential?.accepted.iter().map(|name| &**name).collect();
            let came = if refusal == Refusal::CredentialMissing { "none came" } else { "another kind came" };
            format!("the route takes credentials of {}, and {came}", accepted.join(", "))
        }
        (Refusal::MethodNotOnRoute, _) => match &steps.route {
            RouteStep::NotTaken { methods: Some(methods) } => format!("the path has routes for {methods}"),
            _ => return None,
        },
        (Refusal::RequirementNotMet, Some(Requirement::Fails(why_not))) => why_not.clone(),
        (Refusal::NoRuleMatched, _) => {
            format!("none of the route's {} rules matches", steps.passed_over.len())
        }
        (Refusal::HostUnknown, _) => format!("no customer's record lists {}", steps.host.as_ref()?.host),
        (Refusal::DeniedByRule, _) => format!("the rule {} denies", trace.rule.as_deref()?),
        (Refusal::CustomerUnknown, _) => {
            format!("there is no record {}", steps.customer.as_ref()?.id.store_key())
        }
        _ => return None,
    })
}

/// The refusals for a claim that is missing, or that is not what it has to be.
fn of_claim(refusal: Refusal, steps: &Steps, trace: &Trace, gateway: &Gateway) -> Option<Why> {
    let found = |path: &ClaimPath| steps.principal.as_ref().and_then(|principal| principal.claims.find(path));
    let of = |path: &ClaimPath, must: &str| {
        let came = found(path)
            .map_or_else(|| "is not there".to_owned(), |value| format!("is {}", json::text(value)));
        let claim = Some(path.as_str().to_owned());
        Some(Why { text: format!("the claim {} {came}, and {must}", path.as_str()), claim })
    };
    match refusal {
        Refusal::CustomerIdMissing => {
            of(&gateway.customers.as_ref()?.claim, "must name the caller's customer ([customers] claim)")
        }
        Refusal::CustomerIdMalformed => {
            of(&gateway.customers.as_ref()?.claim, "must be a text of 1 to 256 bytes, or a whole number")
        }
        Refusal::HostOfAnotherCustomer => {
            let own = trace.customer.as_deref()?;
            of(&gateway.customers.as_ref()?.claim, &format!("the host is that of the customer {own}"))
        }
        Refusal::ClaimNotALabel => {
            let name = trace.backend.as_deref()?;
            let backend = gateway.backends.iter().find(|backend| *backend.name == *name)?;
            let hosts = backend.origins.iter().filter_map(|origin| match &origin.url {
                BackendTemplate::Filled(host) => Some(host),
                BackendTemplate::Fixed(_) => None,
            });
            let claims = &steps.principal.as_ref()?.claims;
            let path = hosts.into_iter().find_map(|host| host.unfit(claims))?;
            of(
                path,
                &format!("must be one label of the host of the backend {name}: letters, digits and inner -"),
            )
        }
        _ => None,
    }
}
