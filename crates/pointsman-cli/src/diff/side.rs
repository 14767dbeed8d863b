//! One configuration, asked by the core itself.

use std::{borrow::Cow, cell::Cell, rc::Rc};

use pointsman_core::{
    base::{
        refusal::Refusal,
        time::{Span, Timestamp},
    },
    customer::{host_name::HostName, record::CustomerConfig},
    decide::decision::{Decision, Fetched, LoadedForRequest, Need, Outcome},
    forward::{failover::Balance, plan::Sending},
    http::{
        cf::CfValue,
        head::{Fields, Head, PresentFields, RequestTarget},
    },
    identity::{api_key, jwt::VerifiedToken, principal::Principal},
    routing::authorize::Answer,
    state::{cache::Stored, config::Gateway, memory::Memory},
};
use serde_json::{Map, Value};

use super::{
    callers::Seen,
    questions::{Question, Taken},
};

/// Three parts, as a token has; nothing of it is read, since what it says is given beside it.
const TOKEN: &str = "e30.e30.e30";

/// One configuration.
pub(super) struct Side {
    pub(super) gateway: Gateway,
    memory: Memory,
    /// Stands for every key: of the right form, with the right checksum, and with the record that is asked about.
    key: Option<Field>,
    address: PresentFields,
}

struct Field {
    name: String,
    value: String,
    seen: PresentFields,
}

/// How a caller shows who it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Credential {
    None,
    Key,
    /// A token of this issuer, by its place; `None` where the configuration does not know the issuer.
    Token(Option<usize>),
}

/// Everything of a request that is no part of the question.
pub(super) struct Sent<'a> {
    pub(super) method: &'a str,
    pub(super) address: Option<&'a str>,
    pub(super) now: Timestamp,
}

impl Side {
    pub(super) fn new(gateway: Gateway) -> Self {
        let seen = |name: &str| gateway.fields().judge(name).seen;
        let key = gateway.api_keys().map(|keys| {
            let minted = keys
                .prefixes()
                .first()
                .and_then(|prefix| api_key::mint(prefix, &[7; 2 * api_key::MINTED_RANDOM_LENGTH]));
            let text = minted.unwrap_or_else(|| "any-key-at-all-of-another-minter".to_owned());
            let (name, value) = keys.sent().show(&text);
            Field { name: name.to_owned(), value, seen: seen(name) }
        });
        let address = seen("cf-connecting-ip");
        Self { memory: Memory::new(&gateway, 1), key, address, gateway }
    }

    /// Whether a credential of this kind can get anybody anywhere on the question's route.
    pub(super) fn takes(taken: &Taken, credential: Credential) -> bool {
        match credential {
            Credential::None => true,
            Credential::Key => taken.auth.api_key,
            Credential::Token(issuer) => {
                issuer.is_some_and(|issuer| taken.auth.all_issuers().any(|own| own == issuer))
            }
        }
    }

    /// What becomes of a question.
    pub(super) fn decide(
        &mut self,
        question: &Question,
        taken: &Taken,
        sent: &Sent<'_>,
        caller: &Seen,
        credential: Credential,
    ) -> Decision {
        let token = format!("Bearer {TOKEN}");
        let (field, seen) = match (credential, &self.key) {
            (Credential::Key, Some(key)) => (Some((key.name.as_str(), key.value.as_str())), key.seen),
            (Credential::Token(issuer), _) => {
                let name = token_field(&self.gateway, issuer);
                (Some((name, token.as_str())), self.gateway.fields().judge(name).seen)
            }
            (Credential::Key | Credential::None, _) => (None, PresentFields::default()),
        };
        let address = sent.address.map_or(PresentFields::default(), |_| self.address);
        let fields =
            AskedFields { own: &question.fields, credential: field, address: sent.address, cf: &question.cf };
        let target = RequestTarget::parse(&question.url);
        let host = self.host_of(taken, caller);
        // Where the host says whose a request is, callers come by their customer's own.
        let target = match (&host, target) {
            (Fetched::Got(Stored::Present(of_host)), Some(target)) => {
                let own = of_host.hosts().first().map_or(target.authority, HostName::as_str);
                Some(RequestTarget { authority: own, ..target })
            }
            (_, target) => target,
        };
        let bare = RequestTarget { scheme: "https", authority: "", path: "/", query: None };
        let head = Head {
            method: sent.method,
            target: target.unwrap_or(bare),
            seen: taken.seen.and(seen).and(address),
            fields: &fields,
            request_id: "compared",
        };
        let mut loaded = LoadedForRequest {
            key: caller.key.clone().map_or(Fetched::NotAsked, Fetched::Got),
            customer: caller.customer.clone().map(|(id, stored)| (id, Fetched::Got(stored))),
            token: match (credential, &caller.principal) {
                (Credential::Token(issuer), Some(principal)) => {
                    Some(self.verified(issuer, taken, principal, sent.now))
                }
                _ => None,
            },
            host: host.clone(),
            ..LoadedForRequest::default()
        };
        // A service, and a customer of whom there is no record at hand.
        for _ in 0..2 {
            let decision = self.gateway.decide(&head, &mut self.memory, &loaded, sent.now);
            match &decision.outcome {
                Outcome::Load(Need::Customer(id), _) => loaded.take_customer(id, Some(Stored::Absent)),
                // Nobody asks a service here: the two are compared for callers whom it lets pass.
                Outcome::Load(Need::Authorization(question), _) => {
                    let allowed = question.conclude(Answer::default(), sent.now);
                    loaded.authorized = Some(Box::new((question.name, Some(Rc::new(allowed)))));
                }
                _ => return decision,
            }
        }
        self.gateway.decide(&head, &mut self.memory, &loaded, sent.now)
    }

    /// Whose the host is that a caller asks for, on a route on which that counts: the caller's customer, if it has any.
    fn host_of(&self, taken: &Taken, caller: &Seen) -> Fetched<Stored<CustomerConfig>> {
        let route = taken.index.and_then(|index| self.gateway.routes().get(index));
        if !route.is_some_and(|route| route.customer_by_host) {
            return Fetched::NotAsked;
        }
        Fetched::Got(match &caller.customer {
            Some((_, Stored::Present(config))) if !config.hosts().is_empty() => {
                Stored::Present(Rc::clone(config))
            }
            _ => Stored::Absent,
        })
    }

    /// Whether requests go to the origins of the chosen backend by weight.
    fn is_shared(&self, decision: &Decision) -> bool {
        let name = decision.trace.backend.as_deref().unwrap_or_default();
        let named = self.gateway.backends().iter().find(|backend| &*backend.name == name);
        named.is_some_and(|backend| backend.balance == Balance::Weighted)
    }

    /// What the signature's verification would have come to: the issuer is one of the route's, and may speak for the customer.
    fn verified(
        &self,
        issuer: Option<usize>,
        taken: &Taken,
        principal: &Rc<Principal>,
        now: Timestamp,
    ) -> Result<Rc<VerifiedToken>, Refusal> {
        let accepted = issuer.filter(|index| taken.auth.all_issuers().any(|own| own == *index));
        let index = accepted.ok_or(Refusal::TokenIssuer)?;
        let issuer = self.gateway.issuers().get(index).ok_or(Refusal::TokenIssuer)?;
        if let Some(customers) = &issuer.customers {
            customers.check(principal)?;
        }
        // Whoever holds a bound token is taken to prove it.
        issuer.bindings.check(&principal.claims)?;
        Ok(Rc::new(VerifiedToken {
            issuer: index,
            principal: Rc::clone(principal),
            expires_at: now.plus(Span::from_secs(3600)),
            bound_to: None,
            thumbprint: None,
            signing_input: Box::from(""),
            checked: Cell::new(0),
            denied: None,
        }))
    }
}

/// Whether callers notice no difference: the same URLs are called in the same order, or the same refusal comes back. Where
/// both share requests out by weight, no order is a caller's own.
pub(super) fn same([base, head]: [&Side; 2], [one, other]: [&Decision; 2]) -> bool {
    match (&one.outcome, &other.outcome) {
        (Outcome::Forward(to), Outcome::Forward(elsewhere)) => match (&to.sending, &elsewhere.sending) {
            (Sending::Direct { url: one, .. }, Sending::Direct { url: other, .. }) => one == other,
            (to, elsewhere) => {
                let (mut to, mut elsewhere) = (calls(to), calls(elsewhere));
                if base.is_shared(one) && head.is_shared(other) {
                    to.sort_unstable();
                    elsewhere.sort_unstable();
                }
                to == elsewhere
            }
        },
        (Outcome::Answer(one), Outcome::Answer(other)) => {
            let problem = |refusal: Option<Refusal>| refusal.map(Refusal::problem);
            one.status == other.status && problem(one.refusal) == problem(other.refusal)
        }
        _ => false,
    }
}

/// What is called in which order: each URL, and the service binding that takes the place of the network.
pub(super) fn calls(sending: &Sending) -> Vec<(&str, Option<&str>)> {
    match sending {
        Sending::Direct { url, .. } => vec![(url, None)],
        Sending::Planned(plan) => {
            plan.attempts.iter().map(|attempt| (attempt.url.as_str(), attempt.binding.as_deref())).collect()
        }
    }
}

struct AskedFields<'a> {
    own: &'a [(String, String)],
    credential: Option<(&'a str, &'a str)>,
    address: Option<&'a str>,
    cf: &'a Map<String, Value>,
}

impl Fields for AskedFields<'_> {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        if let Some((_, value)) = self.credential.filter(|(own, _)| *own == name) {
            return Some(Cow::Borrowed(value));
        }
        if name == "cf-connecting-ip" {
            return self.address.map(Cow::Borrowed);
        }
        let own = self.own.iter().find(|(own, _)| own == name);
        own.map(|(_, value)| Cow::Borrowed(value.as_str()))
    }

    fn cf(&self, path: &str) -> Option<CfValue> {
        if self.cf.is_empty() { None } else { CfValue::find(self.cf, path) }
    }

    fn names(&self) -> Vec<String> {
        let credential = self.credential.iter().map(|(name, _)| (*name).to_owned());
        let address = self.address.iter().map(|_| "cf-connecting-ip".to_owned());
        self.own.iter().map(|(name, _)| name.clone()).chain(credential).chain(address).collect()
    }
}

/// The field that tokens of an issuer come in.
fn token_field(gateway: &Gateway, issuer: Option<usize>) -> &str {
    let issuer = issuer.and_then(|index| gateway.issuers().get(index));
    issuer.and_then(|issuer| issuer.fields.first()).map_or("authorization", String::as_str)
}
