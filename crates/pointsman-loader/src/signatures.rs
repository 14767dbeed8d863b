//! Verifies the signatures of tokens. Each request does that for itself: nobody waits for another's.

use std::{cell::RefCell, rc::Rc};

use pointsman_core::{
    base::refusal::Refusal,
    decide::decision::{Judgement, SignatureCheck},
    identity::jwt::VerifiedToken,
    state::{
        cache::{Loaded, Stored},
        memory::Memory,
    },
};

use crate::ports::{Ports, VerifyError};

/// Verifies signatures and remembers tokens whose own one did.
pub(crate) struct SignatureVerifier<'a, P> {
    memory: &'a RefCell<Memory>,
    ports: &'a P,
}

impl<'a, P: Ports> SignatureVerifier<'a, P> {
    pub(crate) const fn new(memory: &'a RefCell<Memory>, ports: &'a P) -> Self {
        Self { memory, ports }
    }

    /// Tries the keys that may have made a signature, one by one.
    pub(crate) async fn verify(&self, check: &Rc<SignatureCheck>) -> Result<Rc<VerifiedToken>, Refusal> {
        let mut check = Rc::clone(check);
        // It ends: each round has one key less to try.
        loop {
            let SignatureCheck { key, algorithm, signature, verified, .. } = &*check;
            let verdict = self.ports.verify(key, *algorithm, &verified.signing_input, signature).await;
            match self.conclude(&check, verdict) {
                Judgement::Final(outcome) => return outcome,
                Judgement::Next(next) => check = next,
            }
        }
    }

    /// What becomes of a token by the verdict on its signature. One that verifies is remembered.
    pub(crate) fn conclude(&self, check: &SignatureCheck, verdict: Result<bool, VerifyError>) -> Judgement {
        let refusal = match verdict {
            Ok(true) => {
                let now = self.ports.now();
                let stored = Stored::Present(Rc::clone(&check.verified));
                let loaded = Loaded { stored, weight: check.weight, asked_at: now, as_of: now };
                self.memory.borrow_mut().tokens.store(check.token, loaded);
                return Judgement::Final(Ok(Rc::clone(&check.verified)));
            }
            Ok(false) => Refusal::TokenSignature,
            Err(VerifyError::UnusableKey) => Refusal::TokenKeyUnusable,
        };
        match check.next() {
            Some(next) => Judgement::Next(Rc::new(next)),
            None => Judgement::Final(Err(refusal)),
        }
    }
}
