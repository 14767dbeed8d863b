//! The hash of what stands in memory under a digest, which nobody outside can foresee.

use std::hash::{BuildHasher, Hasher};

use crate::base::digest::Digest;

/// Hashes a digest by mixing each eight of its bytes with a seed. Not all are hashes already: ids stand there
/// as they are ([`Digest::name_of`]), and may begin alike.
#[derive(Clone)]
pub(super) struct SeededHash(u64);

/// 2^64 by the golden ratio: without a pattern of its own.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

pub(super) struct DigestHasher {
    seed: u64,
    state: u64,
}

impl SeededHash {
    /// The hash of an isolate that drew this seed.
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    /// What sets the pauses of one entry apart from those of others, and of other isolates.
    pub(super) fn salt(&self, key: &Digest) -> u64 {
        self.hash_one(key) >> 8
    }
}

impl BuildHasher for SeededHash {
    type Hasher = DigestHasher;

    fn build_hasher(&self) -> DigestHasher {
        DigestHasher { seed: self.0, state: 0 }
    }
}

impl Hasher for DigestHasher {
    fn write(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some((word, behind)) = rest.split_first_chunk::<8>() {
            rest = behind;
            let word = u64::from_le_bytes(*word) ^ self.state ^ self.seed;
            let mixed = u128::from(word) * u128::from(GOLDEN ^ self.seed.rotate_left(32) | 1);
            #[allow(clippy::cast_possible_truncation)] // the two halves, folded
            let folded = (mixed >> 64) as u64 ^ mixed as u64;
            self.state = folded;
        }
    }

    fn finish(&self) -> u64 {
        self.state
    }
}
