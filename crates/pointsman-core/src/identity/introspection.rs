//! Tokens that only their issuer can read (RFC 7662): what is asked of it, and what its answer means.

use std::{cell::Cell, fmt, rc::Rc};

use serde_json::{Map, Value};

use crate::{
    base::{
        digest::Digest,
        refusal::Refusal,
        time::{Span, Timestamp},
    },
    http::fields::basic_credentials,
    identity::{
        claims::Claims,
        jwt::{Issuer, VerifiedToken, check_times, find_subject},
        principal::Principal,
    },
};

/// A longer text is no token, and is not sent to anybody.
pub const MAX_BYTES: usize = 4096;

/// Where an issuer is asked, and as whom.
#[derive(Clone)]
pub struct Endpoint {
    /// Its URL.
    pub url: String,
    /// What `Authorization` says (RFC 6749, section 2.3.1), where the gateway shows its secret there.
    pub authorization: Option<String>,
    /// What the form begins with, where the gateway shows it there.
    pub form: String,
}

impl fmt::Debug for Endpoint {
    /// Without the secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.url)
    }
}

/// Where a client shows its secret: names of RFC 7591, section 2.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ClientAuth {
    /// In `Authorization`, as `Basic`.
    #[default]
    Basic,
    /// In the form.
    Post,
}

impl ClientAuth {
    /// What a configuration can say.
    pub const NAMES: [&str; 2] = ["client_secret_basic", "client_secret_post"];

    /// Reads what a configuration says.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "client_secret_basic" => Some(Self::Basic),
            "client_secret_post" => Some(Self::Post),
            _ => None,
        }
    }
}

impl Endpoint {
    /// The endpoint at `url`, asked by the client `id` with its secret.
    #[must_use]
    pub fn new(url: String, id: &str, secret: &str, auth: ClientAuth) -> Self {
        let (id, secret) = (form_encoded(id), form_encoded(secret));
        match auth {
            ClientAuth::Basic => {
                Self { url, authorization: Some(basic_credentials(&id, &secret)), form: String::new() }
            }
            ClientAuth::Post => {
                Self { url, authorization: None, form: format!("client_id={id}&client_secret={secret}&") }
            }
        }
    }

    /// The body that asks for a token (section 2.1).
    #[must_use]
    pub fn body(&self, token: &str) -> String {
        format!("{}token={}&token_type_hint=access_token", self.form, form_encoded(token))
    }
}

/// A text in `application/x-www-form-urlencoded`.
fn form_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'.' | b'_' | b'*' => {
                encoded.push(char::from(byte))
            }
            other => encoded.push_str(&format!("%{other:02X}")),
        }
    }
    encoded
}

/// A token that its issuer is asked for.
pub struct Introspection {
    /// The issuer, as an index into the configured ones.
    pub issuer: usize,
    /// The token.
    pub token: String,
    /// Under what it is remembered: the token itself is kept nowhere.
    pub name: Digest,
}

impl fmt::Debug for Introspection {
    /// Without the token.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.name)
    }
}

/// Under what a token of this issuer is remembered.
#[must_use]
pub fn name_of(issuer: &Issuer, token: &str) -> Digest {
    Digest::of(format!("introspected\0{}\0{token}", issuer.name).as_bytes())
}

/// What the issuer says of a token (section 2.2).
#[derive(Debug)]
pub enum Answer {
    /// That it counts for nothing, or that there is none.
    Inactive,
    /// What stands in it.
    Active(Map<String, Value>),
}

impl Answer {
    /// Reads an answer; nothing where it is none.
    #[must_use]
    pub fn of(mut members: Map<String, Value>) -> Option<Self> {
        match members.remove("active")? {
            Value::Bool(true) => Some(Self::Active(members)),
            Value::Bool(false) => Some(Self::Inactive),
            _ => None,
        }
    }
}

/// Judges a token that its issuer calls active: whom it is of and for, and until when. It counts at the most for as long as
/// the configuration says, since the issuer can end it at any time.
///
/// # Errors
/// The first check that fails. An issuer need not say who it is, nor when the token ends; what it says must fit.
pub fn judge(
    (index, issuer): (usize, &Issuer),
    mut members: Map<String, Value>,
    asked_at: Timestamp,
    now: Timestamp,
) -> Result<VerifiedToken, Refusal> {
    let own = issuer.issuer.as_str();
    if *members.entry("iss").or_insert_with(|| own.into()) != *own {
        return Err(Refusal::TokenIssuer);
    }
    let claims = Claims::new(members);
    if !issuer.audience.accepted.is_empty() {
        issuer.audience.check(&claims)?;
    }
    let bound_to = issuer.bindings.check(&claims)?;
    let bound = asked_at.plus(issuer.policy.lifetimes.revalidate);
    let expires_at = match claims.member("exp") {
        Some(_) => check_times(&claims, issuer.leeway, now)?.min(bound),
        None => bound,
    };
    let principal = Principal::new(find_subject(&claims, issuer)?, claims);
    if let Some(customers) = &issuer.customers {
        customers.check(&principal)?;
    }
    Ok(VerifiedToken {
        issuer: index,
        principal: Rc::new(principal),
        expires_at,
        bound_to,
        thumbprint: None,
        signing_input: Box::from(""),
        checked: Cell::default(),
        denied: None,
    })
}

/// Whether the issuer is to be asked again, behind a response: in the second half of the time for which an answer counts.
#[must_use]
pub fn is_due(verified: &VerifiedToken, counts_for: Span, now: Timestamp) -> bool {
    verified.expires_at.since(now) <= counts_for.half()
}

#[cfg(test)]
mod tests;
