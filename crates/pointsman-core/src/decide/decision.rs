//! What a decision is made of: what it needs, what was found for it, and what comes of it.

use std::rc::Rc;

use crate::{
    base::{digest::Digest, refusal::Refusal, time::Timestamp},
    customer::record::CustomerConfig,
    decide::request_log::Trace,
    directory::log::{Epoch, Revision},
    forward::plan::Forward,
    http::answer::Answer,
    identity::{
        algorithm::Algorithm,
        customer_id::CustomerId,
        dpop::Proof,
        introspection::Introspection,
        jwk_set::{KeySet, PublicKey},
        jwt::VerifiedToken,
        key_record::KeyConfig,
        principal::Principal,
    },
    routing::authorize::Question,
    state::cache::{Lease, Stored},
};

/// What becomes of a request.
#[derive(Debug)]
pub enum Outcome {
    /// It goes to a backend.
    Forward(Box<Forward>),
    /// It is answered here.
    Answer(Answer),
    /// It cannot be decided before this is loaded, by this request or by the one that has begun to.
    Load(Need, Lease),
}

/// A decision, with what the log says of it and what is done behind the response.
#[derive(Debug)]
pub struct Decision {
    /// What becomes of the request.
    pub outcome: Outcome,
    /// What the log says.
    pub trace: Trace,
    /// What is done behind the response.
    pub deferred: Deferred,
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
    /// Which tokens were revoked.
    Revocations,
    /// The judgement on a signature.
    Signature(Rc<SignatureCheck>),
    /// The judgement on a proof of possession.
    Proof(Rc<Proof>),
    /// What its issuer says of a token.
    Introspection(Rc<Introspection>),
    /// What a service of the operator's says of a request.
    Authorization(Rc<Question>),
}

impl Need {
    /// The name of its load, for those who wait for it. A signature is judged by each request for
    /// itself.
    #[must_use]
    pub fn flight(&self) -> Option<String> {
        match self {
            Self::Key(digest) => Some(format!("key:{digest}")),
            Self::Customer(id) => Some(format!("customer:{}", id.cache_key())),
            Self::KeySet(issuer) => Some(format!("keyset:{issuer}")),
            Self::Introspection(of) => Some(format!("introspection:{}", of.name)),
            Self::Authorization(question) => Some(format!("authorization:{}", question.name)),
            Self::Revocations | Self::Signature(_) | Self::Proof(_) => None,
        }
    }
}

/// A signature that is to be verified, and what follows if it verifies.
#[derive(Debug)]
pub struct SignatureCheck {
    /// The key.
    pub key: Rc<PublicKey>,
    /// The keys that may have made it instead, where token or set do not name theirs.
    pub others: Vec<Rc<PublicKey>>,
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The signature.
    pub signature: Vec<u8>,
    /// The digest of the signature as it was sent.
    pub token: Digest,
    /// The size of the token's cache entry.
    pub weight: usize,
    /// What is believed if the signature verifies.
    pub verified: Rc<VerifiedToken>,
}

impl SignatureCheck {
    /// The same with the next key; nothing where all were tried. What is believed then names the key that
    /// verified it, since it counts no longer than that key.
    #[must_use]
    pub fn next(&self) -> Option<Self> {
        let (key, others) = self.others.split_first()?;
        let verified = VerifiedToken { thumbprint: Some(*key.thumbprint()), ..(*self.verified).clone() };
        Some(Self {
            key: Rc::clone(key),
            others: others.to_vec(),
            signature: self.signature.clone(),
            verified: Rc::new(verified),
            ..*self
        })
    }
}

/// What follows from the verdict on a signature.
#[derive(Debug)]
pub enum Judgement {
    /// The token is believed or refused.
    Final(Result<Rc<VerifiedToken>, Refusal>),
    /// It was not made with this key, and may have been with the next one.
    Next(Rc<SignatureCheck>),
}

/// What a request has of something that it may have to load.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Fetched<T> {
    /// Nothing was asked for it: memory may hold it.
    #[default]
    NotAsked,
    /// This.
    Got(T),
    /// Its source was asked in vain, by this request or by the one that it waited for.
    Failed,
}

impl<T> Fetched<T> {
    /// What a load brought; `None` where it failed.
    #[must_use]
    pub fn of(loaded: Option<T>) -> Self {
        loaded.map_or(Self::Failed, Self::Got)
    }

    /// Whether its source was asked in vain.
    #[must_use]
    pub const fn has_failed(&self) -> bool {
        matches!(self, Self::Failed)
    }

    /// Notes that its source was asked in vain. What the request has already stays good.
    pub fn note_failed(&mut self) {
        if !matches!(self, Self::Got(_)) {
            *self = Self::Failed;
        }
    }
}

/// What was loaded for one request. It counts before memory does, so that a full cache cannot make a
/// request load the same thing for ever, and a source that failed is asked once.
#[derive(Debug, Default)]
pub struct LoadedForRequest {
    /// When somebody asked how it is decided: then the trace holds the steps of the decision.
    pub explain: Option<Timestamp>,
    /// Whose request it is taken for, in place of its credential. Only an explanation is ever made of
    /// such a decision ([`pointsman_loader::loader::Loader::explain`]).
    pub assumed: Option<Rc<Principal>>,
    /// The API key's record.
    pub key: Fetched<Stored<KeyConfig>>,
    /// A customer's record, with whose it is: while it is loaded, the caller's own record may come to name another customer
    /// ([`LoadedForRequest::customer`]).
    pub customer: Option<(CustomerId, Fetched<Stored<CustomerConfig>>)>,
    /// Whose the host is that was asked for: its customer's id, and nothing else of it.
    pub host: Fetched<Stored<CustomerConfig>>,
    /// The issuer's key set.
    pub key_set: Fetched<Rc<KeySet>>,
    /// The issuer itself was asked, and not only what others had of it; or waited for in vain. It is not asked again.
    pub issuer_asked: bool,
    /// Which tokens were revoked could not be had.
    pub revocations_failed: bool,
    /// The judgement on the token.
    pub token: Option<Result<Rc<VerifiedToken>, Refusal>>,
    /// The judgement on the proof that its holder has the token's key.
    pub proof: Option<Result<(), Refusal>>,
    /// What a service of the operator's said, by the name of what it was asked; `None` where it gave no answer.
    pub authorized: Option<Box<(Digest, Option<Rc<VerifiedToken>>)>>,
}

impl LoadedForRequest {
    /// Takes a customer's record; `None` where it could not be had.
    pub fn take_customer(&mut self, id: &CustomerId, stored: Option<Stored<CustomerConfig>>) {
        match id.as_host() {
            None => self.customer = Some((id.clone(), Fetched::of(stored))),
            Some(_) => self.host = Fetched::of(stored),
        }
    }

    /// What was loaded of this customer, and of no other.
    #[must_use]
    pub fn customer(&self, id: &CustomerId) -> Option<&Fetched<Stored<CustomerConfig>>> {
        match &self.customer {
            Some((whose, fetched)) if whose == id => Some(fetched),
            // Nobody asks for hosts but a route on which they count.
            _ if matches!(self.host, Fetched::NotAsked) => None,
            _ => id.as_host().map(|_| &self.host),
        }
    }

    /// Takes the issuer's key set; `None` where it could not be had.
    pub fn take_key_set(&mut self, set: Option<Rc<KeySet>>) {
        match set {
            Some(set) => {
                self.key_set = Fetched::Got(set);
                // What was judged by another set is judged again.
                self.token = None;
            }
            None => self.key_set.note_failed(),
        }
    }

    /// Notes that `need` could not be loaded.
    pub fn note_failed(&mut self, need: &Need) {
        match need {
            Need::Key(_) => self.key.note_failed(),
            Need::Customer(id) if id.as_host().is_some() => self.host.note_failed(),
            Need::Customer(id) => match &mut self.customer {
                Some((whose, fetched)) if whose == id => fetched.note_failed(),
                customer => *customer = Some((id.clone(), Fetched::Failed)),
            },
            Need::KeySet(_) => {
                self.key_set.note_failed();
                self.issuer_asked = true;
            }
            Need::Revocations => self.revocations_failed = true,
            Need::Introspection(_) => self.token = Some(Err(Refusal::IntrospectionUnavailable)),
            Need::Authorization(question) => self.authorized = Some(Box::new((question.name, None))),
            Need::Signature(_) | Need::Proof(_) => {}
        }
    }
}

/// What is done behind the response.
#[derive(Debug, Default)]
pub struct Deferred {
    /// What is refreshed; this request holds the leases.
    pub refreshes: Vec<Refresh>,
    /// What is written to the store, for all isolates.
    pub writes: Vec<Write>,
    /// Whether the head of the directory's log is due; this request has the lease on polling.
    pub follow: bool,
}

/// An entry that is refreshed behind the response.
#[derive(Debug)]
pub struct Refresh {
    /// What is loaded.
    pub need: Need,
    /// When its lease was taken.
    pub claimed_at: Timestamp,
}

/// A refreshed record for the store, under a name that no operator writes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Write {
    /// The name of the entry.
    pub key: String,
    /// The record.
    pub record: String,
    /// When its source was asked. A record that is newer stays.
    pub asked_at: Timestamp,
    /// What the ledger is told instead; the store gets the record where the ledger does not take it.
    pub lesson: Option<Lesson>,
}

/// What the config API said of one customer whom it was asked for, for the ledger.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Lesson {
    /// The customer's id.
    pub id: CustomerId,
    /// What was said.
    pub says: Said,
    /// The ledger's epoch before the config API was asked.
    pub epoch: Epoch,
    /// The last change of the log that was known then.
    pub revision: Revision,
}

/// What the config API said of one customer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Said {
    /// This record, as compact JSON, without what a refresh notes.
    Record(String),
    /// That there is no such customer.
    Gone,
    /// Nothing that can be used.
    Broken,
}

impl Deferred {
    /// Adds a refresh if `chosen`.
    pub fn refresh(&mut self, chosen: bool, claimed_at: Timestamp, need: impl FnOnce() -> Need) {
        if chosen {
            self.refreshes.push(Refresh { need: need(), claimed_at });
        }
    }

    /// Takes the refresh of `need` out, if there is one.
    pub fn take_refresh(&mut self, need: &Need) -> bool {
        let flight = need.flight();
        let before = self.refreshes.len();
        self.refreshes.retain(|refresh| refresh.need.flight() != flight);
        self.refreshes.len() < before
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.refreshes.is_empty() && self.writes.is_empty() && !self.follow
    }

    /// Takes over what `other` holds.
    pub fn append(&mut self, mut other: Self) {
        self.refreshes.append(&mut other.refreshes);
        self.writes.append(&mut other.writes);
        self.follow |= other.follow;
    }
}

/// Why a stage does not go on.
#[derive(Debug)]
pub enum Halt {
    /// The request is refused.
    Refuse(Refusal),
    /// Something must be loaded first.
    Load(Need, Lease),
}

impl From<Refusal> for Halt {
    fn from(refusal: Refusal) -> Self {
        Self::Refuse(refusal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_got_outlives_a_failure_and_nothing_else_does() {
        let mut loaded = LoadedForRequest::default();
        loaded.note_failed(&Need::KeySet(0));
        assert!(loaded.key_set.has_failed() && loaded.issuer_asked, "it is not waited for again");
        let set = || Rc::new(KeySet::parse(br#"{"keys":[]}"#).unwrap());
        loaded.token = Some(Err(Refusal::TokenSignature));
        loaded.take_key_set(Some(set()));
        assert!(loaded.token.is_none(), "another set may verify it");
        // The issuer was asked once more for a key that the set lacks, and did not answer.
        loaded.take_key_set(None);
        loaded.note_failed(&Need::KeySet(0));
        assert!(matches!(loaded.key_set, Fetched::Got(_)));
        let key = Need::Key(Digest::of(b"k"));
        loaded.note_failed(&key);
        assert!(loaded.key.has_failed() && loaded.customer.is_none());
        loaded.key = Fetched::Got(Stored::Absent);
        loaded.note_failed(&key);
        assert_eq!(loaded.key, Fetched::Got(Stored::Absent));
    }

    #[test]
    fn what_was_loaded_of_one_customer_says_nothing_of_another() {
        let [acme, wayne] = ["acme", "wayne"].map(|id| CustomerId::parse(id).unwrap());
        let mut loaded = LoadedForRequest::default();
        loaded.take_customer(&acme, Some(Stored::Absent));
        assert_eq!(loaded.customer(&acme), Some(&Fetched::Got(Stored::Absent)));
        assert_eq!(loaded.customer(&wayne), None);
        loaded.note_failed(&Need::Customer(acme.clone()));
        assert_eq!(loaded.customer(&acme), Some(&Fetched::Got(Stored::Absent)));
        loaded.note_failed(&Need::Customer(wayne.clone()));
        assert_eq!(loaded.customer(&wayne), Some(&Fetched::Failed));
        assert_eq!(loaded.customer(&acme), None);
    }
}
