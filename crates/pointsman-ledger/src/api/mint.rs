//! Keys that are made here. The database holds none of them, nor anything of which one could be made without its own secret,
//! which never leaves it.
//!
//! A call that is made again with its `Idempotency-Key` is answered with the same key. So a key is derived: from the secret,
//! and from a nonce that is drawn for the call and kept with its answer.

use pointsman_core::{base::digest::Digest, directory::bytes::hex, identity::api_key};
use serde::{Deserialize, Serialize};

use crate::{
    keyspace::meta,
    ledger::{Ledger, RANDOM_BYTES},
    storage::Storage,
    wire::from_hex,
};

/// The nonce of one call.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Nonce(String);

/// What makes the keys of one call.
pub(crate) struct Mint {
    secret: [u8; 32],
    nonce: Nonce,
}

impl<S: Storage> Ledger<S> {
    /// Draws the secret of the database, where it has none yet.
    pub(crate) fn draw_secret(&mut self, random: [u8; RANDOM_BYTES]) {
        let (_, secret) = random.split_at(16);
        if self.storage.get(&meta(SECRET)).is_none() {
            self.storage.put(&meta(SECRET), secret);
        }
    }

    /// A mint with a new nonce.
    pub(crate) fn new_mint(&mut self, random: [u8; RANDOM_BYTES]) -> Mint {
        self.draw_secret(random);
        let (nonce, _) = random.split_at(16);
        self.mint_of(Nonce(hex(nonce)))
    }

    /// The mint that had this nonce.
    pub(crate) fn mint_of(&self, nonce: Nonce) -> Mint {
        Mint { secret: self.secret(), nonce }
    }

    /// The secret that was drawn.
    pub(crate) fn secret(&self) -> [u8; 32] {
        self.storage.get(&meta(SECRET)).and_then(|secret| secret.try_into().ok()).unwrap_or_default()
    }
}

const SECRET: &str = "mint";

impl Mint {
    pub(crate) const fn nonce(&self) -> &Nonce {
        &self.nonce
    }

    /// The key with this number of the call.
    pub(crate) fn key(&self, prefix: &str, number: u32) -> Option<String> {
        let nonce = from_hex(&self.nonce.0)?;
        // All inputs have one length, so a digest of secret and input is as good as an HMAC: nothing can be appended.
        let block = |index: u8| {
            let mut input = Vec::with_capacity(32 + 16 + 5);
            input.extend_from_slice(&self.secret);
            input.extend_from_slice(&nonce);
            input.extend_from_slice(&number.to_be_bytes());
            input.push(index);
            *Digest::of(&input).bytes()
        };
        let random = [block(0), block(1), block(2)].concat();
        api_key::mint(prefix, &random)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Settings, storage::MemoryStorage};

    fn open() -> Ledger<MemoryStorage> {
        let now = pointsman_core::base::time::Timestamp::from_millis(1);
        Ledger::open(MemoryStorage::default(), Settings::default(), now, [3; RANDOM_BYTES])
    }

    #[test]
    fn a_nonce_gives_the_same_keys_again_and_another_gives_others() {
        let mut ledger = open();
        let mint = ledger.new_mint([7; RANDOM_BYTES]);
        let keys: Vec<_> = (0..3).map(|number| mint.key("sk_test", number).unwrap()).collect();
        assert!(keys.iter().all(|key| api_key::is_well_formed(key, "sk_test")));
        assert!(keys[0] != keys[1] && keys[1] != keys[2]);
        let again = ledger.mint_of(mint.nonce().clone());
        assert_eq!(again.key("sk_test", 1).as_ref(), Some(&keys[1]));
        let other = ledger.new_mint([8; RANDOM_BYTES]);
        assert_ne!(other.key("sk_test", 0).as_ref(), Some(&keys[0]));
    }

    #[test]
    fn without_the_secret_of_the_database_the_nonce_says_nothing() {
        let (mut one, mut other) = (open(), open());
        let keys = [one.new_mint([1; RANDOM_BYTES]), other.new_mint([2; RANDOM_BYTES])];
        let nonce = keys[0].nonce().clone();
        assert_ne!(one.mint_of(nonce.clone()).key("p", 0), other.mint_of(nonce).key("p", 0));
    }
}
