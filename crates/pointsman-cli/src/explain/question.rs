//! The request that is explained, as flags and case files give it.

use std::{borrow::Cow, rc::Rc};

use pointsman_config::file::OneOrMany;
use pointsman_core::{
    base::{
        shape::{At, Object, Shape, ShapeErrors, Table},
        time::Timestamp,
    },
    http::{
        cf::CfValue,
        head::{Fields, PresentFields},
    },
    identity::{claims::Claims, compact, principal::Principal},
    routing::authorize::Answer,
    state::config::Gateway,
};
use serde_json::{Map, Value};

use super::platform::{self, PlatformOptions};

/// A request that is explained.
#[derive(Clone, Debug, Default)]
pub(super) struct Question {
    pub(super) method: Option<String>,
    /// The path with its query, or a whole URL.
    pub(super) path: String,
    pub(super) host: Option<String>,
    pub(super) headers: Table<OneOrMany>,
    pub(super) key: Option<String>,
    pub(super) jwt: Option<String>,
    pub(super) claims: Option<Map<String, Value>>,
    pub(super) subject: Option<String>,
    /// What the service answers that the route asks.
    pub(super) authorize: Option<Map<String, Value>>,
    pub(super) platform: PlatformOptions,
    pub(super) ip: Option<String>,
    /// The time at which it is decided. Default now.
    pub(super) now: Option<String>,
}

/// The members of a request in a case file, but for those that the platform says.
const MEMBERS: [&str; 11] =
    ["method", "path", "host", "headers", "key", "jwt", "claims", "subject", "authorize", "ip", "now"];

/// All members of a request in a case file.
pub(super) fn members() -> Vec<&'static str> {
    let (before, behind) = MEMBERS.split_at(MEMBERS.len() - 2);
    before.iter().copied().chain(platform::names()).chain(behind.iter().copied()).collect()
}

impl Shape for Question {
    fn read(value: &Value, at: &At<'_>, shape_errors: &mut ShapeErrors) -> Option<Self> {
        let mut object = Object::new(value, &members(), at, shape_errors)?;
        let read = Self {
            method: object.member("method"),
            path: object.member("path"),
            host: object.member("host"),
            headers: object.member_or_default("headers"),
            key: object.member("key"),
            jwt: object.member("jwt"),
            claims: object.member("claims"),
            subject: object.member("subject"),
            authorize: object.member("authorize"),
            platform: PlatformOptions::of_case(&mut object),
            ip: object.member("ip"),
            now: object.member("now"),
        };
        object.is_complete().then_some(read)
    }
}

/// A question in the form of a request.
pub(super) struct Sent {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) fields: SentFields,
    pub(super) assumed: Option<Rc<Principal>>,
    pub(super) now: Option<Timestamp>,
}

/// What a service may answer.
pub(super) const ANSWERS: &str = r#"{"allow": true, "claims": { … }} or {"allow": false, "status": 403}"#;

const HOST: &str = "gateway.example.com";

impl Question {
    /// The request, for a gateway that reads credentials where this one does.
    pub(super) fn send(&self, gateway: &Gateway) -> Result<Sent, String> {
        let given = [self.key.is_some(), self.jwt.is_some(), self.claims.is_some() || self.subject.is_some()];
        if given.iter().filter(|given| **given).count() > 1 {
            return Err("key, jwt and claims exclude each other".to_owned());
        }
        if self.authorize.as_ref().is_some_and(|answer| Answer::of(answer).is_none()) {
            return Err(format!("authorize: is no answer of a service: write {ANSWERS}"));
        }
        let mut fields: Vec<(String, String)> = Vec::new();
        for (name, values) in self.headers.iter() {
            let values = values.list().into_iter().map(|value| (name.to_ascii_lowercase(), value.to_owned()));
            fields.extend(values);
        }
        if let Some(key) = &self.key {
            let keys = gateway.api_keys().ok_or("the configuration takes no API keys")?;
            let (name, value) = keys.sent().show(key);
            fields.push((name.to_owned(), value));
        }
        if let Some(token) = &self.jwt {
            fields.push(token_field(token, gateway));
        }
        if let Some(address) = &self.ip {
            address.parse::<std::net::IpAddr>().map_err(|_| format!("ip: {address} is no address"))?;
            fields.push(("cf-connecting-ip".to_owned(), address.clone()));
        }
        Ok(Sent {
            method: self.method.clone().unwrap_or_else(|| "GET".to_owned()),
            url: self.url()?,
            fields: SentFields { fields, cf: self.platform.cf.clone() },
            assumed: self.assumed(),
            now: self.now.as_deref().map(instant).transpose()?,
        })
    }

    /// As a client would send it: a URL parser has been through it, and nothing else.
    fn url(&self) -> Result<String, String> {
        let text = if self.path.starts_with('/') {
            format!("https://{}{}", self.host.as_deref().unwrap_or(HOST), self.path)
        } else {
            self.path.clone()
        };
        let url = url::Url::parse(&text)
            .map_err(|problem| format!("path: {text} is no URL ({problem}): write /orders/7?x=1"))?;
        Ok(url.to_string())
    }

    fn assumed(&self) -> Option<Rc<Principal>> {
        if self.claims.is_none() && self.subject.is_none() {
            return None;
        }
        let claims = self.claims.clone().unwrap_or_default();
        let Some(subject) = &self.subject else { return Some(Rc::new(Principal::assumed(claims))) };
        Some(Rc::new(Principal::new(Some(Rc::from(subject.as_str())), Claims::new(claims))))
    }
}

/// The first field that the token's issuer is read from, and its value.
fn token_field(token: &str, gateway: &Gateway) -> (String, String) {
    let claimed = compact::parse(token).ok().and_then(|parsed| parsed.claims.get("iss").cloned());
    let claimed = claimed.as_ref().and_then(Value::as_str).unwrap_or_default();
    let issuer = gateway.issuers().iter().find(|issuer| issuer.issuer.fits(claimed));
    match issuer.and_then(|issuer| issuer.fields.first()) {
        Some(name) if name != "authorization" => (name.clone(), token.to_owned()),
        _ => ("authorization".to_owned(), format!("Bearer {token}")),
    }
}

pub(super) fn instant(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse_rfc3339(text)
        .ok_or_else(|| format!("now: {text} is no instant: write 2026-12-31T23:59:59Z"))
}

/// The fields of a question, and where it comes from.
pub(super) struct SentFields {
    fields: Vec<(String, String)>,
    cf: Map<String, Value>,
}

impl SentFields {
    pub(super) fn seen(&self, gateway: &Gateway) -> PresentFields {
        self.fields
            .iter()
            .fold(PresentFields::default(), |seen, (name, _)| seen.and(gateway.fields().judge(name).seen))
    }
}

impl Fields for SentFields {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        let own = self.fields.iter().filter(|(own, _)| own == name);
        let values: Vec<_> = own.map(|(_, value)| value.as_str()).collect();
        (!values.is_empty()).then(|| values.join(", ").into())
    }

    fn cf(&self, path: &str) -> Option<CfValue> {
        CfValue::find(&self.cf, path)
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.fields.iter().map(|(name, _)| name.clone()).collect();
        names.dedup();
        names
    }
}

#[cfg(test)]
mod tests {
    use pointsman_testkit::{GatewayToml, all_to, token};

    use super::*;

    #[test]
    fn a_token_is_shown_in_the_first_field_of_its_issuer() {
        let rest = "audience = \"a\"\nalgorithms = [\"RS256\"]\njwks_url = \"https://k.example\"";
        let issuer = |name: &str, iss: &str, lines: &str| {
            format!("name = \"{name}\"\nissuer = \"https://login.example.com/{iss}/v2.0\"\n{rest}\n{lines}")
        };
        let own = "7f58f645-c190-4ce5-9de4-e2b7acd2a6ab";
        let tenants = format!("header = [\"x-token\", \"authorization\"]\ntenants = [\"{own}\"]");
        let access = "name = \"access\"\npreset = \"cloudflare-access\"\nteam = \"acme\"\naudience = \"a\"";
        let gateway = GatewayToml::new()
            .backend("b")
            .table("[issuers]", &issuer("another", "{tid}", "header = \"x-another\"\ntenants = [\"t\"]"))
            .table("[issuers]", &issuer("own", "{tid}", &tenants))
            .table("[issuers]", access)
            .route("/x", &["another", "own", "access"], &all_to("b"))
            .gateway();
        for (name, field) in [
            ("of-a-tenant", "x-token"),
            // In two minds about its tenant: refused, but as a token of this issuer.
            ("of-a-tenant-that-claims-another", "x-token"),
            ("of-another-tenant", "authorization"),
            ("preset-cloudflare-access", "cf-access-jwt-assertion"),
            ("good-es256", "authorization"),
        ] {
            assert_eq!(token_field(&token(name), &gateway).0, field, "{name}");
        }
        assert_eq!(token_field("no.token", &gateway).1, "Bearer no.token");
    }
}
