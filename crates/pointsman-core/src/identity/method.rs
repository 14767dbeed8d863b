//! How a caller was authenticated.

use std::rc::Rc;

use crate::base::name::Name;

/// The name of API keys, in the log and where a route says what it takes.
pub const API_KEY: &str = "api_key";
/// The name of client certificates, as [`API_KEY`].
pub const CLIENT_CERTIFICATE: &str = "client_certificate";
const ANONYMOUS: &str = "anonymous";
const ASSUMED: &str = "assumed";

/// What the log and backends call callers whom no issuer vouched for. An issuer of such a name would be taken for that.
pub const RESERVED_NAMES: [&str; 4] = [API_KEY, CLIENT_CERTIFICATE, ANONYMOUS, ASSUMED];

/// How a caller was authenticated, for the log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum AuthMethod {
    /// Not at all.
    Anonymous,
    /// By an API key.
    ApiKey,
    /// By the client certificate of the connection.
    ClientCertificate,
    /// By a token of this issuer.
    Token(Rc<str>),
    /// By a token of one of this issuer's tenants: its `iss` says of which.
    TenantToken(Rc<str>),
    /// Not at all: an operator asks what would become of such a caller.
    Assumed,
}

impl AuthMethod {
    /// Its name in the log, to keep.
    #[must_use]
    pub fn name(&self) -> Name {
        match self {
            Self::Anonymous => Name::Fixed(ANONYMOUS),
            Self::ApiKey => Name::Fixed(API_KEY),
            Self::ClientCertificate => Name::Fixed(CLIENT_CERTIFICATE),
            Self::Token(issuer) | Self::TenantToken(issuer) => Name::Given(Rc::clone(issuer)),
            Self::Assumed => Name::Fixed(ASSUMED),
        }
    }

    /// Who vouched for the caller, for backends; nobody for one who was not authenticated.
    #[must_use]
    pub fn authority(&self) -> Option<&str> {
        match self {
            Self::ApiKey | Self::ClientCertificate | Self::Token(_) | Self::TenantToken(_) => {
                Some(self.as_str())
            }
            Self::Anonymous | Self::Assumed => None,
        }
    }

    /// Its name in the log.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Anonymous => ANONYMOUS,
            Self::ApiKey => API_KEY,
            Self::ClientCertificate => CLIENT_CERTIFICATE,
            Self::Token(issuer) | Self::TenantToken(issuer) => issuer,
            Self::Assumed => ASSUMED,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_names_but_those_of_issuers_are_reserved() {
        for method in
            [AuthMethod::Anonymous, AuthMethod::ApiKey, AuthMethod::ClientCertificate, AuthMethod::Assumed]
        {
            assert!(RESERVED_NAMES.contains(&method.as_str()), "{method:?}");
            assert_eq!(&*method.name(), method.as_str());
        }
        assert_eq!(AuthMethod::Token(Rc::from("main")).as_str(), "main");
    }
}
