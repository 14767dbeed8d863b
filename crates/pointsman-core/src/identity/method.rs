//! How a caller was authenticated.

use std::rc::Rc;

use crate::base::name::Name;

/// How a caller was authenticated, for the log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AuthMethod {
    /// Not at all.
    Anonymous,
    /// By an API key.
    ApiKey,
    /// By a token of this issuer.
    Token(Rc<str>),
    /// Not at all: an operator asks what would become of such a caller.
    Assumed,
}

impl AuthMethod {
    /// Its name in the log, to keep.
    #[must_use]
    pub fn name(&self) -> Name {
        match self {
            Self::Anonymous => Name::Fixed("anonymous"),
            Self::ApiKey => Name::Fixed("api_key"),
            Self::Token(issuer) => Name::Given(Rc::clone(issuer)),
            Self::Assumed => Name::Fixed("assumed"),
        }
    }

    /// Who vouched for the caller, for backends; nobody for one who was not authenticated.
    #[must_use]
    pub fn authority(&self) -> Option<&str> {
        match self {
            Self::ApiKey | Self::Token(_) => Some(self.as_str()),
            Self::Anonymous | Self::Assumed => None,
        }
    }

    /// Its name in the log.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Anonymous => "anonymous",
            Self::ApiKey => "api_key",
            Self::Token(issuer) => issuer,
            Self::Assumed => "assumed",
        }
    }
}
