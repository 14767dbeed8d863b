//! What the core asks of the outside. The edge implements these with the platform; tests with maps
//! and a clock that they set.

use std::fmt;

use pointsman_core::{
    base::time::{Span, Timestamp},
    directory::log::{Epoch, Revision, ShardRef},
    identity::{algorithm::Algorithm, jwk_set::PublicKey},
};

/// Why a source gave no answer. The text goes to the log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SourceError(pub String);

impl fmt::Display for SourceError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for SourceError {}

/// Why a signature could not be judged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum VerifyError {
    /// The key is no key: a point off its curve, say.
    UnusableKey,
}

impl fmt::Display for VerifyError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnusableKey => formatter.write_str("the key cannot be used"),
        }
    }
}

impl std::error::Error for VerifyError {}

/// A service of the operator's that is called in place of the network.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct ServiceCall<'a> {
    /// The service binding.
    pub binding: &'a str,
    /// The id of the request that the call is for, which the service is told in `X-Request-Id`.
    pub request_id: &'a str,
}

/// A request for a document of a source that the configuration names: a `GET`, or a `POST` of a form. To a service it is a
/// `POST` of JSON.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DocumentRequest<'a> {
    /// Where it is.
    pub url: &'a str,
    /// What `Authorization` says.
    pub authorization: Option<&'a str>,
    /// What is called where it is not the network.
    pub service: Option<ServiceCall<'a>>,
    /// What is sent: to a service in `application/json`, else in `application/x-www-form-urlencoded`.
    pub body: Option<&'a str>,
    /// The entity tag of what is held already: sent as `If-None-Match`, so that the answer may be 304
    /// (RFC 9110, section 13.1.2).
    pub etag: Option<&'a str>,
    /// Who asks: the `User-Agent`, without which some issuers' firewalls answer 403.
    pub user_agent: &'a str,
    /// How long it may take.
    pub timeout: Span,
    /// How long it may be, in bytes.
    pub max_bytes: usize,
}

/// A source's answer.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct FetchedDocument {
    /// The HTTP status. Redirects are not followed, so a 3xx is one.
    pub status: u16,
    /// The body; empty where the status is no 2xx.
    pub body: Vec<u8>,
    /// The entity tag.
    pub etag: Option<String>,
    /// `Location`, as it was sent.
    pub location: Option<String>,
}

impl FetchedDocument {
    /// What the log says of a status that is none that was hoped for: with it, where a redirect leads to. A login
    /// page or another host there explains more than the status does.
    #[must_use]
    pub fn outcome(&self) -> String {
        let place = self.location.as_deref().filter(|_| (300..=399).contains(&self.status));
        match place.map(without_secrets) {
            None => self.status.to_string(),
            Some(place) => format!("{}, a redirect to {place}", self.status),
        }
    }
}

/// A URL reference without what may be a secret in it: user name and password, query and fragment. It is read as URL parsers
/// read it, who find a user name in `https:user@host` and behind any number of slashes.
fn without_secrets(reference: &str) -> String {
    const MOST: usize = 200;
    let is_slash = |character| matches!(character, '/' | '\\');
    let plain: String = reference.chars().filter(|character| !character.is_control()).collect();
    let place = plain.split(['?', '#']).next().unwrap_or_default().trim();
    let (scheme, rest) = match place.split_once(':') {
        Some((scheme, rest)) if !scheme.contains(is_slash) => (format!("{scheme}:"), rest),
        _ => (String::new(), place),
    };
    let after = rest.trim_start_matches(is_slash);
    let slashes = rest.strip_suffix(after).unwrap_or_default();
    let is_path = scheme.is_empty() && slashes.len() < 2;
    let (authority, path) =
        if is_path { ("", after) } else { after.split_at(after.find(is_slash).unwrap_or(after.len())) };
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{scheme}{slashes}{host}{path}").chars().take(MOST).collect()
}

/// The head of the directory's log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HeadAnswer {
    /// The head.
    pub bytes: Vec<u8>,
    /// When the ledger was asked for it; `None` where a cache had it.
    pub asked_at: Option<Timestamp>,
}

fn no_ledger<T>() -> Result<T, SourceError> {
    Err(SourceError("there is no ledger".to_owned()))
}

/// How a wait for somebody else's load ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LoadResult {
    /// What was loaded is in memory.
    Done,
    /// The load failed.
    Failed,
    /// Nothing was heard of it in time.
    Late,
}

/// The outside. Futures are driven on the thread that made them, so none is `Send`.
#[allow(async_fn_in_trait)]
pub trait Ports {
    /// The time.
    fn now(&self) -> Timestamp;

    /// Whether there is a store at all.
    fn has_store(&self) -> bool;

    /// The value that the store holds under `key`.
    ///
    /// # Errors
    /// Where the store fails or takes longer than `timeout`; which is not the same as holding nothing.
    async fn stored(&self, key: &str, timeout: Span) -> Result<Option<Vec<u8>>, SourceError>;

    /// The values that the store holds under at most 100 keys, in their order.
    ///
    /// # Errors
    /// As [`Ports::stored`].
    async fn stored_many(&self, keys: &[String], timeout: Span) -> Result<Vec<Option<Vec<u8>>>, SourceError>;

    /// Writes names and values into the store, each within `timeout`.
    ///
    /// # Errors
    /// Where the store did not take all of them; some may have been taken.
    async fn put_many(&self, entries: &[(String, String)], timeout: Span) -> Result<(), SourceError>;

    /// Gets a document.
    ///
    /// # Errors
    /// Where there is no answer within the time, or it is too long.
    async fn document(&self, request: DocumentRequest<'_>) -> Result<FetchedDocument, SourceError>;

    /// Waits until the load of that name ends ([`Ports::land`]), at most `at_most`. The wait is the
    /// caller's own: whoever loads may be gone, and must not take those who wait along.
    async fn wait_for_load(&self, flight: &str, at_most: Span) -> LoadResult;

    /// Tells all who wait for the load of that name that it has ended, and whether well.
    fn complete_load(&self, flight: &str, well: bool);

    /// The head of the directory's log: what the location's cache has that is at most `at_most` old, or else what the ledger
    /// says.
    ///
    /// # Errors
    /// Where neither answers in time.
    async fn head(&self, _at_most: Span, _timeout: Span) -> Result<HeadAnswer, SourceError> {
        no_ledger()
    }

    /// A segment of the log.
    ///
    /// # Errors
    /// Where it cannot be had in time, or is kept no longer.
    async fn segment(&self, _epoch: Epoch, _first: Revision, _timeout: Span) -> Result<Vec<u8>, SourceError> {
        no_ledger()
    }

    /// The bytes of a shard, compared with the digest that the manifest names.
    ///
    /// # Errors
    /// Where they cannot be had, or are others.
    async fn shard(&self, _name: &str, _named: &ShardRef, _timeout: Span) -> Result<Vec<u8>, SourceError> {
        no_ledger()
    }

    /// What the ledger says of one record, by the name of its entry in the store, past all caches: a segment with that
    /// change, or with none.
    ///
    /// # Errors
    /// Where it does not answer in time.
    async fn ask_ledger(&self, _name: &str, _timeout: Span) -> Result<Vec<u8>, SourceError> {
        no_ledger()
    }

    /// Takes a step of a run that hands the config API's list to the ledger: JSON in, JSON out. A refusal has a member `error`.
    ///
    /// # Errors
    /// Where the ledger does not answer in time: it may have taken it all the same.
    async fn take_list(&self, _json: &str, _timeout: Span) -> Result<String, SourceError> {
        no_ledger()
    }

    /// Tells the ledger what the config API said of single customers: JSON in, JSON out. A refusal has a member `error`.
    ///
    /// # Errors
    /// Where the ledger does not answer in time: it may have taken it all the same.
    async fn learn(&self, _json: &str, _timeout: Span) -> Result<String, SourceError> {
        no_ledger()
    }

    /// What the ledger says that the config API said, for at most `limit` customers behind a record key (17 bytes; empty for
    /// the first page), in order: of each the record key, the digest of what was said (8 bytes), and the version (8 bytes).
    ///
    /// # Errors
    /// Where the ledger does not answer in time.
    async fn provided(&self, _behind: &[u8], _limit: u32, _timeout: Span) -> Result<Vec<u8>, SourceError> {
        no_ledger()
    }

    /// The head that the ledger left in the store, with all changes that no shard holds.
    ///
    /// # Errors
    /// Where the store fails.
    async fn tail(&self, _timeout: Span) -> Result<Option<Vec<u8>>, SourceError> {
        no_ledger()
    }

    /// Waits so long.
    async fn sleep(&self, _span: Span) {}

    /// Verifies a signature.
    ///
    /// # Errors
    /// Where the key cannot be used.
    async fn verify(
        &self,
        key: &PublicKey,
        algorithm: Algorithm,
        signing_input: &str,
        signature: &[u8],
    ) -> Result<bool, VerifyError>;

    /// Tells the operator of something worth knowing.
    fn note(&self, event: &str, message: &str);

    /// Tells the operator of something wrong that no single request is to blame for.
    fn warn(&self, event: &str, message: &str);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_is_told_with_its_place_and_without_secrets() {
        let outcome = |status, location: Option<&str>| {
            let location = location.map(str::to_owned);
            FetchedDocument { status, location, ..FetchedDocument::default() }.outcome()
        };
        assert_eq!(outcome(403, None), "403");
        assert_eq!(outcome(200, Some("https://x.example")), "200");
        for (location, told) in [
            ("https://login.example/a/b?state=secret#secret", "https://login.example/a/b"),
            ("https://user:secret@login.example:8443", "https://login.example:8443"),
            ("https://a:secret@b@login.example/x@y", "https://login.example/x@y"),
            ("//user:secret@login.example/x", "//login.example/x"),
            ("https:user:secret@login.example/x", "https:login.example/x"),
            ("https:///user:secret@login.example/x", "https:///login.example/x"),
            (r"https:\\user:secret@login.example", r"https:\\login.example"),
            ("ht\ttps:/\t/user:secret@login.example", "https://login.example"),
            (" //user:secret@login.example", "//login.example"),
            ("/users/a@b:c", "/users/a@b:c"),
            ("/login?code=secret", "/login"),
            ("", ""),
        ] {
            assert_eq!(outcome(302, Some(location)), format!("302, a redirect to {told}"));
        }
    }
}
