//! Where a route's callers may show their credential.

use crate::{
    base::refusal::Refusal,
    http::{
        credential_copies::SUBPROTOCOLS,
        head::{Head, PresentFields},
    },
    identity::subprotocol::{Offer, SubprotocolForm, find_offer},
};

/// Which credentials a route takes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RouteAuth {
    /// API keys.
    pub api_key: bool,
    /// Tokens of these issuers, but for the one that is asked of each ([`Places::introspection`]).
    pub issuers: Vec<usize>,
    /// Client certificates of those who send no other credential.
    pub client_certificate: bool,
    /// Callers without any.
    pub anonymous: bool,
    /// Where the credential is looked for, beside the fields of API keys.
    pub places: Places,
}

impl RouteAuth {
    /// Whether credentials are looked at at all.
    #[must_use]
    pub const fn needs_credential(&self) -> bool {
        self.api_key
            || self.client_certificate
            || !self.issuers.is_empty()
            || self.places.introspection.is_some()
    }

    /// All issuers whose tokens it takes.
    pub fn all_issuers(&self) -> impl Iterator<Item = usize> {
        self.issuers.iter().chain(&self.places.introspection).copied()
    }

    /// The issuers whose tokens count in this place.
    #[must_use]
    pub fn issuers_in<'a>(&'a self, place: Place<'a>) -> &'a [usize] {
        match place {
            Place::Authorization => &self.places.bearer,
            Place::TokenField(field) => &field.issuers,
            Place::KeyField(_) | Place::Basic => &[],
            Place::Subprotocol | Place::Query(_) | Place::Cookie(_) => &self.issuers,
        }
    }
}

/// Where a route's callers may show their credential. `Authorization` and the fields of API keys are looked at on each
/// route that needs a credential, so that a second credential is found whatever the route takes; but not an `Authorization`
/// that is for the backend.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Places {
    /// The issuers whose tokens come in `Authorization`.
    pub bearer: Vec<usize>,
    /// Whether tokens of one of them may come behind `DPoP`.
    pub dpop: bool,
    /// The issuer that is asked what a token is which is none of the others'.
    pub introspection: Option<usize>,
    /// Fields that issuers' tokens come in.
    pub fields: Vec<TokenField>,
    /// How a credential may be offered among the subprotocols of a WebSocket handshake.
    pub subprotocols: Vec<SubprotocolForm>,
    /// Parameters of the query.
    pub query: Vec<String>,
    /// Cookies.
    pub cookies: Vec<String>,
    /// Whether API keys may stand behind `Basic` in `Authorization`.
    pub basic: bool,
    /// Whether `Authorization` is for the backend, and so is not looked at.
    pub passes_authorization: bool,
}

impl Places {
    /// Whether there is nothing to look for beside `Authorization` and the fields of API keys, and nothing there that
    /// browsers send by themselves.
    #[must_use]
    pub const fn are_usual(&self) -> bool {
        self.fields.is_empty()
            && self.subprotocols.is_empty()
            && self.query.is_empty()
            && self.cookies.is_empty()
            && !self.basic
    }

    /// What people call them.
    pub fn names(&self) -> impl Iterator<Item = String> {
        let fields = self.fields.iter().map(|field| Place::TokenField(field).name());
        let forms = self.subprotocols.iter().map(|form| format!("{SUBPROTOCOLS} ({})", form.as_str()));
        let query = self.query.iter().map(|name| Place::Query(name).name());
        let cookies = self.cookies.iter().map(|name| Place::Cookie(name).name());
        fields.chain(forms).chain(query).chain(cookies)
    }

    /// The credential among the subprotocols that a WebSocket handshake offers. A request that is none offers nothing.
    ///
    /// # Errors
    /// As [`find_offer`].
    pub fn offer(&self, head: &Head<'_>) -> Result<Option<Offer>, Refusal> {
        if self.subprotocols.is_empty() || !head.is_websocket() {
            return Ok(None);
        }
        let value = head.field(PresentFields::FURTHER_CREDENTIAL, SUBPROTOCOLS);
        value.map_or(Ok(None), |value| find_offer(&value, &self.subprotocols))
    }

    /// Adds the fields that tokens of an issuer come in. The issuer is known by its place in the list.
    pub fn add_issuer(&mut self, issuer: usize, fields: &[String]) {
        for name in fields {
            if name == "authorization" {
                self.bearer.push(issuer);
                continue;
            }
            match self.fields.iter_mut().find(|field| field.name == *name) {
                Some(field) => field.issuers.push(issuer),
                None => self.fields.push(TokenField { name: name.clone(), issuers: vec![issuer] }),
            }
        }
    }
}

/// A field that holds tokens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TokenField {
    /// Its name, in lower case.
    pub name: String,
    /// The issuers whose tokens count in it, by their places in the list.
    pub issuers: Vec<usize>,
}

/// The place in which a credential was found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Place<'a> {
    /// `Authorization`.
    Authorization,
    /// `Authorization`, behind `Basic`: browsers keep such credentials, and send them along whoever made the request.
    Basic,
    /// A field for API keys.
    KeyField(&'a str),
    /// A field for tokens.
    TokenField(&'a TokenField),
    /// The subprotocols of a WebSocket handshake.
    Subprotocol,
    /// A parameter of the query.
    Query(&'a str),
    /// A cookie, which browsers send along whoever made the request.
    Cookie(&'a str),
}

impl Place<'_> {
    /// Whether a browser may have the credential put there for whoever made the request: a cookie, what a login in front of
    /// the gateway makes of one, as Cloudflare Access does, or what the browser has asked a person for.
    #[must_use]
    pub const fn is_sent_by_browsers(&self) -> bool {
        matches!(self, Self::Cookie(_) | Self::TokenField(_) | Self::Basic)
    }

    /// What people call it.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Authorization | Self::Basic => "authorization".to_owned(),
            Self::KeyField(name) => (*name).to_owned(),
            Self::TokenField(field) => field.name.clone(),
            Self::Subprotocol => SUBPROTOCOLS.to_owned(),
            Self::Query(name) => format!("query parameter {name}"),
            Self::Cookie(name) => format!("cookie {name}"),
        }
    }
}
