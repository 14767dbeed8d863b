//! What a decision records of itself, where somebody asked how it comes about: what it met, when it met it. Nothing here is
//! worked out again afterwards, and where nobody asked nothing of it is made.

use std::rc::Rc;

use serde_json::{Map, Value};

use crate::{
    base::{digest::Digest, freshness::Policy, json::json, refusal::Refusal, time::Timestamp},
    customer::record::CustomerConfig,
    identity::{
        api_key::ApiKeys,
        claims::Claims,
        compact,
        credential::{Credential, Found},
        customer_id::CustomerId,
        dpop::Asked,
        issuer_customers::Only,
        jwt::Issuer,
        key_record::KeyConfig,
        method::{API_KEY, CLIENT_CERTIFICATE},
        places::RouteAuth,
        principal::Principal,
    },
    routing::split::SplitView,
    state::{
        cache::{Cache, Stored},
        config::Gateway,
        memory::Memory,
        route::Route,
    },
};

/// The steps of one decision.
#[derive(Clone, Debug)]
pub struct Steps {
    /// When the question came in: what was asked for since was loaded for it.
    began: Timestamp,
    pub(super) route: RouteStep,
    pub(super) host: Option<HostStep>,
    pub(super) credential: Option<CredentialStep>,
    pub(super) principal: Option<Rc<Principal>>,
    pub(super) requirement: Option<Requirement>,
    /// What the route's service was asked and said, as it is told.
    pub(super) authorize: Option<Value>,
    /// Rules that did not match, each with what did not hold, for people.
    pub(super) passed_over: Vec<(Rc<str>, String)>,
    /// Why the rule that decided matched: a text for each of its conditions.
    pub(super) matched: Vec<String>,
    /// What its split looked at.
    pub(super) split: Option<SplitView>,
    pub(super) customer: Option<CustomerStep>,
    /// Whether the route limits anybody.
    pub(super) has_limits: bool,
}

/// Whether a route was taken.
#[derive(Clone, Debug)]
pub(super) enum RouteStep {
    Taken {
        name: Rc<str>,
        path: Rc<str>,
        captures: Vec<String>,
    },
    /// With the methods for which there is a route at this path.
    NotTaken {
        methods: Option<String>,
    },
}

/// The host that was asked for, where it says whose the request is.
#[derive(Clone, Debug)]
pub(super) struct HostStep {
    pub(super) host: String,
    /// The customer whose record lists it.
    pub(super) customer: Option<CustomerId>,
}

/// Which credentials the route takes, and what was sent.
#[derive(Clone, Debug)]
pub(super) struct CredentialStep {
    pub(super) accepted: Vec<Rc<str>>,
    pub(super) anonymous: bool,
    /// Where it is looked for.
    pub(super) places: Vec<String>,
    /// Where it was found.
    pub(super) place: Option<String>,
    pub(super) form: CredentialForm,
    /// What the holder of a bound token has proved, as it is told.
    pub(super) proof: Option<Value>,
}

/// What was sent, and never the credential itself.
#[derive(Clone, Debug)]
pub(super) enum CredentialForm {
    NotAskedFor,
    /// An operator assumes somebody's claims.
    Assumed,
    Unreadable(Refusal),
    None,
    ApiKey(KeyStep),
    /// The connection's certificate, in place of what is sent.
    ClientCertificate(KeyStep),
    Token(TokenStep),
    /// A token that only its issuer can read, by its digest.
    OpaqueToken(Digest),
    /// Meant as a token, and none.
    NoToken,
}

/// An API key that was sent.
#[derive(Clone, Debug)]
pub(super) struct KeyStep {
    pub(super) prefix: Option<String>,
    pub(super) checksum: Option<bool>,
    pub(super) digest: Digest,
    pub(super) record: Option<Rc<KeyConfig>>,
    pub(super) age: Age,
}

/// A token that was sent.
#[derive(Clone, Debug)]
pub(super) struct TokenStep {
    /// What it says of itself; that much an operator may see of a token that nobody vouches for.
    pub(super) header: Map<String, Value>,
    pub(super) claims: Map<String, Value>,
    pub(super) digest: Digest,
    /// Where it was verified, when: `loaded` for this question, `fresh` before.
    pub(super) verified: Option<&'static str>,
    /// Whom its issuer may speak for, where that is limited.
    pub(super) customers: Option<Only>,
}

/// What the route asks of its callers.
#[derive(Clone, Debug)]
pub(super) enum Requirement {
    Holds,
    /// What did not hold, for people.
    Fails(String),
}

/// The caller's customer. Without an age no rule asked for its record.
#[derive(Clone, Debug)]
pub(super) struct CustomerStep {
    pub(super) id: CustomerId,
    pub(super) record: Option<Rc<CustomerConfig>>,
    pub(super) age: Age,
}

/// How old what memory holds was, when it was used.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Age {
    /// `loaded` where it was for this question, else as [`Freshness::as_str`](crate::base::freshness::Freshness::as_str).
    pub(super) cache: Option<&'static str>,
    /// When it was known to be so.
    pub(super) as_of: Option<Timestamp>,
}

const LOADED: &str = "loaded";

impl Age {
    fn of<T>(cache: &Cache<T>, key: &Digest, policy: &Policy, began: Timestamp) -> Self {
        let as_of = cache.peek_as_of(key);
        let loaded = cache.asked_at(key).is_some_and(|at| at >= began);
        let state = as_of.map(|at| policy.lifetimes.state(began.since(at)).as_str());
        Self { cache: if loaded { Some(LOADED) } else { state }, as_of }
    }
}

impl Steps {
    /// None yet, of a question that came in at `began`.
    #[must_use]
    pub fn new(began: Timestamp) -> Self {
        Self {
            began,
            route: RouteStep::NotTaken { methods: None },
            host: None,
            credential: None,
            principal: None,
            requirement: None,
            authorize: None,
            passed_over: Vec::new(),
            matched: Vec::new(),
            split: None,
            customer: None,
            has_limits: false,
        }
    }

    #[cold]
    #[inline(never)]
    pub(super) fn take_route(&mut self, route: &Route, captures: &[&str]) {
        let captures = captures.iter().map(|capture| (*capture).to_owned()).collect();
        self.route =
            RouteStep::Taken { name: Rc::clone(&route.name), path: Rc::clone(&route.path), captures };
        self.has_limits = !route.limits.is_empty();
    }

    /// Notes which credentials a route takes, before any is looked for.
    #[cold]
    #[inline(never)]
    pub(super) fn accept(&mut self, auth: &RouteAuth, gateway: &Gateway) {
        let issuers = auth.all_issuers().filter_map(|index| gateway.issuers.get(index));
        let kinds = [(auth.api_key, API_KEY), (auth.client_certificate, CLIENT_CERTIFICATE)];
        let kinds = kinds.into_iter().filter(|(takes, _)| *takes).map(|(_, name)| Rc::from(name));
        let accepted = kinds.chain(issuers.map(|issuer| Rc::clone(&issuer.name))).collect();
        let form = CredentialForm::NotAskedFor;
        let keys = gateway.api_keys.iter().flat_map(|keys| keys.sent().own()).map(str::to_owned);
        let authorization = Some("authorization".to_owned()).filter(|_| !auth.places.passes_authorization);
        let places = authorization.into_iter().chain(keys).chain(auth.places.names()).collect();
        let anonymous = auth.anonymous;
        self.credential =
            Some(CredentialStep { accepted, anonymous, places, place: None, form, proof: None });
    }

    pub(super) fn assume(&mut self) {
        self.set_form(CredentialForm::Assumed);
    }

    /// Notes what was sent, before it is looked at.
    #[cold]
    #[inline(never)]
    pub(super) fn find_credential(
        &mut self,
        found: Result<&Option<Found<'_, '_>>, Refusal>,
        gateway: &Gateway,
    ) {
        if let (Some(step), Ok(Some(found))) = (&mut self.credential, found) {
            step.place = Some(found.place.name());
        }
        let credential = found.map(|found| found.as_ref().map(|found| &found.credential));
        self.set_form(match credential {
            Err(refusal) => CredentialForm::Unreadable(refusal),
            Ok(None) => CredentialForm::None,
            Ok(Some(Credential::ApiKey(key))) => {
                CredentialForm::ApiKey(KeyStep::of(key, gateway.api_keys.as_ref()))
            }
            Ok(Some(Credential::OpaqueToken(token) | Credential::OpaqueDpopToken(token))) => {
                CredentialForm::OpaqueToken(Digest::of(token.as_bytes()))
            }
            Ok(Some(Credential::Token(token) | Credential::DpopToken(token))) => {
                TokenStep::of(token, &gateway.issuers).map_or(CredentialForm::NoToken, CredentialForm::Token)
            }
        });
    }

    /// Notes the connection's certificate, before its record is looked at.
    #[cold]
    #[inline(never)]
    pub(super) fn find_client_certificate(&mut self, presented: &Result<Option<Digest>, Refusal>) {
        let form = match presented {
            Ok(None) => return,
            Err(refusal) => CredentialForm::Unreadable(*refusal),
            Ok(Some(fingerprint)) => {
                CredentialForm::ClientCertificate(KeyStep::named(None, None, *fingerprint))
            }
        };
        if let Some(step) = &mut self.credential {
            step.place = Some(CLIENT_CERTIFICATE.to_owned());
        }
        self.set_form(form);
    }

    /// Notes the certificates that a token is bound to, and that the connection has.
    #[cold]
    #[inline(never)]
    pub(super) fn compare_certificates(&mut self, presented: Option<Digest>, bound_to: Digest) {
        let presented = presented.map(|fingerprint| fingerprint.to_string());
        self.set_proof(json!({ "certificate": presented, "expected": bound_to.to_string() }));
    }

    /// Notes a proof of possession, and what it has to say.
    #[cold]
    #[inline(never)]
    pub(super) fn see_proof(&mut self, text: &str, asked: &Asked<'_>) {
        let (header, claims) =
            compact::parse(text.trim()).map(|proof| (proof.header, proof.claims)).unwrap_or_default();
        let target = asked.target;
        self.set_proof(json!({
            "header": Value::Object(pick(&header, &["alg", "typ"])),
            "claims": Value::Object(pick(&claims, &["ath", "htm", "htu", "iat", "jti", "nonce"])),
            "expected": json!({
                "ath": Digest::of(asked.token.as_bytes()).to_base64url(),
                "htm": asked.method,
                "htu": format!("{}://{}{}", target.scheme, target.authority, target.path),
                "jkt": asked.key.to_base64url(),
            }),
        }));
    }

    fn set_proof(&mut self, proof: Value) {
        if let Some(credential) = &mut self.credential {
            credential.proof = Some(proof);
        }
    }

    fn set_form(&mut self, form: CredentialForm) {
        if let Some(credential) = &mut self.credential {
            credential.form = form;
        }
    }

    /// Notes the record by which an API key is judged.
    #[cold]
    #[inline(never)]
    pub(super) fn judge_key(&mut self, stored: &Stored<KeyConfig>, gateway: &Gateway, memory: &Memory) {
        let form = self.credential.as_mut().map(|step| &mut step.form);
        let Some(CredentialForm::ApiKey(key) | CredentialForm::ClientCertificate(key)) = form else { return };
        key.record = match stored {
            Stored::Present(record) => Some(Rc::clone(record)),
            Stored::Absent | Stored::Malformed => None,
        };
        if let Some(policy) = gateway.key_policy() {
            key.age = Age::of(&memory.keys, &key.digest, policy, self.began);
        }
    }

    /// Notes that a token was verified: now, or before and nothing has changed that.
    #[cold]
    #[inline(never)]
    pub(super) fn believe_token(&mut self, text: &str, memory: &Memory) {
        let Some(CredentialStep { form: CredentialForm::Token(token), .. }) = &mut self.credential else {
            return;
        };
        let known_by = Digest::of(compact::split_signing_input(text).1.as_bytes());
        let loaded = memory.tokens.asked_at(&known_by).is_some_and(|at| at >= self.began);
        token.verified = Some(if loaded { LOADED } else { "fresh" });
        token.customers = None;
    }

    #[cold]
    #[inline(never)]
    pub(super) fn name_customer(&mut self, id: &CustomerId) {
        self.customer = Some(CustomerStep { id: id.clone(), record: None, age: Age::default() });
    }

    /// Notes the record by which a customer is judged.
    #[cold]
    #[inline(never)]
    pub(super) fn judge_customer(
        &mut self,
        stored: &Stored<CustomerConfig>,
        gateway: &Gateway,
        memory: &Memory,
    ) {
        let (Some(customer), Some(customers)) = (&mut self.customer, &gateway.customers) else { return };
        customer.record = match stored {
            Stored::Present(record) => Some(Rc::clone(record)),
            Stored::Absent | Stored::Malformed => None,
        };
        let key = customer.id.cache_key();
        customer.age = Age::of(&memory.customers, &key, &customers.policy, self.began);
    }
}

impl KeyStep {
    fn of(key: &str, keys: Option<&ApiKeys>) -> Self {
        let checksum = keys.filter(|keys| keys.has_checksum()).map(|keys| keys.digest(key).is_ok());
        let prefix = keys.and_then(|keys| keys.prefix_of(key)).map(str::to_owned);
        Self::named(prefix, checksum, Digest::of(key.as_bytes()))
    }

    fn named(prefix: Option<String>, checksum: Option<bool>, digest: Digest) -> Self {
        Self { prefix, checksum, digest, record: None, age: Age::default() }
    }
}

impl TokenStep {
    /// Nothing where it is no JWS in compact serialization.
    fn of(token: &str, issuers: &[Issuer]) -> Option<Self> {
        let parsed = compact::parse(token).ok()?;
        let named = parsed.claims.get("iss").and_then(Value::as_str);
        let issuer = named.and_then(|named| issuers.iter().find(|issuer| issuer.issuer.fits(named)));
        let mut claims = pick(&parsed.claims, &["iss", "aud", "exp", "nbf", "iat", "cnf"]);
        let of_token = Claims::new(parsed.claims);
        let tenant = issuer.and_then(|issuer| issuer.issuer.claim());
        for path in issuer.iter().flat_map(|issuer| &issuer.audience.claims).chain(tenant) {
            if let Some(value) = of_token.find(path) {
                claims.insert(path.as_str().to_owned(), value.clone());
            }
        }
        Some(Self {
            header: pick(&parsed.header, &["alg", "kid", "typ"]),
            claims,
            digest: Digest::of(token.as_bytes()),
            verified: None,
            customers: issuer.and_then(|issuer| Some(issuer.customers.as_ref()?.only.clone())),
        })
    }
}

/// These members of an object. One after the other: collecting into a map sorts first, and a stable sort is 4 kB of wasm.
fn pick(from: &Map<String, Value>, names: &[&str]) -> Map<String, Value> {
    let mut picked = Map::new();
    for name in names {
        if let Some(value) = from.get(*name) {
            picked.insert((*name).to_owned(), value.clone());
        }
    }
    picked
}
