//! What a decision is made of: what it needs, what was found for it, and what comes of it.

use std::rc::Rc;

use crate::{
    answer::Answer,
    authenticate::{
        algorithm::Algorithm,
        api_key::KeyConfig,
        jwks::{KeySet, PublicKey},
        jwt::VerifiedToken,
    },
    cache::Stored,
    customer::{CustomerConfig, CustomerId},
    digest::Digest,
    error::Refusal,
    forward::Forward,
    journal::Trace,
};

/// What becomes of a request.
#[derive(Debug)]
pub enum Outcome {
    /// It goes to a backend.
    Forward(Box<Forward>),
    /// It is answered here.
    Answer(Answer),
    /// It cannot be decided before this is loaded.
    Load(Need),
}

/// A decision, with what the log says of it and what is to be refreshed.
#[derive(Debug)]
pub struct Decision {
    /// What becomes of the request.
    pub outcome: Outcome,
    /// What the log says.
    pub trace: Trace,
    /// What is refreshed behind the response.
    pub refreshes: Refreshes,
}

/// What must be loaded before a request can be decided.
#[derive(Debug)]
pub enum Need {
    /// The record of the key with this digest.
    Key(Digest),
    /// The record of this customer.
    Customer(CustomerId),
    /// The key set of this issuer.
    KeySet(usize),
    /// The judgement on a signature.
    Signature(Box<SignatureCheck>),
}

/// A signature that is to be verified, and what follows if it verifies.
#[derive(Debug)]
pub struct SignatureCheck {
    /// The key.
    pub key: Rc<PublicKey>,
    /// The algorithm.
    pub algorithm: Algorithm,
    /// What is signed.
    pub signing_input: String,
    /// The signature.
    pub signature: Vec<u8>,
    /// The digest of the whole token.
    pub token: Digest,
    /// The size of the token's cache entry.
    pub weight: usize,
    /// What is believed if the signature verifies.
    pub verified: Rc<VerifiedToken>,
}

/// What was loaded for one request. It counts before memory does, so that a full cache cannot make a
/// request load the same thing for ever, and a source that failed is asked once.
#[derive(Debug, Default)]
pub struct Found {
    /// The API key's record.
    pub key: Option<Stored<KeyConfig>>,
    /// The key store failed.
    pub key_failed: bool,
    /// The customer's record.
    pub customer: Option<Stored<CustomerConfig>>,
    /// The customers' sources failed.
    pub customer_failed: bool,
    /// The issuer's key set.
    pub key_set: Option<Rc<KeySet>>,
    /// The issuer's key set could not be had.
    pub key_set_failed: bool,
    /// The judgement on the token.
    pub token: Option<Result<Rc<VerifiedToken>, Refusal>>,
}

impl Found {
    /// Whether `need` was loaded for this request, or tried to be.
    #[must_use]
    pub const fn has_loaded(&self, need: &Need) -> bool {
        match need {
            Need::Key(_) => self.key.is_some() || self.key_failed,
            Need::Customer(_) => self.customer.is_some() || self.customer_failed,
            Need::KeySet(_) => self.key_set.is_some() || self.key_set_failed,
            Need::Signature(_) => self.token.is_some(),
        }
    }
}

/// What is to be refreshed behind the response.
#[derive(Debug, Default)]
pub struct Refreshes(pub Vec<Need>);

impl Refreshes {
    /// Adds a need if `chosen`.
    pub fn want(&mut self, chosen: bool, need: impl FnOnce() -> Need) {
        if chosen {
            self.0.push(need());
        }
    }
}

/// Why a stage does not go on.
#[derive(Debug)]
pub enum Halt {
    /// The request is refused.
    Refuse(Refusal),
    /// Something must be loaded first.
    Load(Need),
}

impl From<Refusal> for Halt {
    fn from(refusal: Refusal) -> Self {
        Self::Refuse(refusal)
    }
}

impl From<Need> for Halt {
    fn from(need: Need) -> Self {
        Self::Load(need)
    }
}
