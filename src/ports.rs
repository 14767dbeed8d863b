//! What the core asks of the outside. The edge implements these with the platform; tests with maps
//! and a clock that they set.

use crate::{
    authenticate::{algorithm::Algorithm, jwks::PublicKey},
    time::{Span, Timestamp},
};

/// Why a source gave no answer. The text goes to the log.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SourceError(pub String);

/// Why a signature could not be judged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum VerifyError {
    /// The key is no key: a point off its curve, say.
    UnusableKey,
}

/// A `GET` for a document of a source that the configuration names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DocumentRequest<'a> {
    /// Where it is.
    pub url: &'a str,
    /// The bearer token for it.
    pub token: Option<&'a str>,
    /// How long it may take.
    pub timeout: Span,
    /// How long it may be, in bytes.
    pub max_bytes: usize,
}

/// A source's answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Document {
    /// The HTTP status. Redirects are not followed, so a 3xx is one.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// The outside. Futures are driven on the thread that made them, so none is `Send`.
#[allow(async_fn_in_trait)]
pub trait Ports {
    /// The time.
    fn now(&self) -> Timestamp;

    /// The value that the store holds under `key`.
    ///
    /// # Errors
    /// Where the store fails; which is not the same as holding nothing.
    async fn stored(&self, key: &str) -> Result<Option<Vec<u8>>, SourceError>;

    /// Gets a document.
    ///
    /// # Errors
    /// Where there is no answer within the time, or it is too long.
    async fn document(&self, request: DocumentRequest<'_>) -> Result<Document, SourceError>;

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

    /// Tells the operator of something that no single request is to blame for.
    fn warn(&self, event: &str, what: &str);
}
