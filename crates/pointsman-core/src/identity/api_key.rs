//! API keys: where they are sent, their form and their checksum.

use crate::{
    base::{
        digest::Digest,
        freshness::Policy,
        refusal::Refusal,
        scan::{self, Word},
    },
    identity::key_fields::KeyFields,
};

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const CHECKSUM_LENGTH: usize = 6;
/// 24 digits of base 62 hold 142 bits; fewer than 22 would hold under 128.
const RANDOM_LENGTHS: std::ops::RangeInclusive<usize> = 22..=64;
/// How many random digits a minted key has.
pub const MINTED_RANDOM_LENGTH: usize = 24;

/// How API keys are sent and what they look like.
#[derive(Clone, Debug)]
pub struct ApiKeys {
    sent: KeyFields,
    prefixes: Vec<String>,
    checksum: bool,
    policy: Policy,
}

impl ApiKeys {
    /// No key is longer; more is junk and is not hashed.
    pub const MAX_BYTES: usize = 512;

    /// `sent` is where they come; `prefixes` are without their trailing `_`.
    #[must_use]
    pub const fn new(sent: KeyFields, prefixes: Vec<String>, checksum: bool, policy: Policy) -> Self {
        Self { sent, prefixes, checksum, policy }
    }

    /// The fields that keys are read from.
    #[must_use]
    pub const fn sent(&self) -> &KeyFields {
        &self.sent
    }

    /// The prefixes of keys that are ours.
    #[must_use]
    pub fn prefixes(&self) -> &[String] {
        &self.prefixes
    }

    /// Whether keys end in a checksum.
    #[must_use]
    pub const fn has_checksum(&self) -> bool {
        self.checksum
    }

    /// How records are kept and loaded.
    #[must_use]
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Whether `text` is meant as one of our keys: it has one of the prefixes, or, where none is
    /// configured (keys minted elsewhere), it is no token.
    #[must_use]
    pub fn has_form(&self, text: &str) -> bool {
        match self.prefixes.as_slice() {
            [] => !text.is_empty() && text.split('.').count() != 3,
            prefixes => prefixes.iter().any(|prefix| after_prefix(text, prefix).is_some()),
        }
    }

    /// The prefix of `key`, as it is configured: the longest, where one begins with another.
    #[must_use]
    pub fn prefix_of(&self, key: &str) -> Option<&str> {
        let has = |prefix: &&str| after_prefix(key, prefix).is_some();
        self.prefixes.iter().map(String::as_str).filter(has).max_by_key(|prefix| prefix.len())
    }

    /// The digest to look a key up by; junk is refused by its checksum without a look-up.
    ///
    /// # Errors
    /// [`Refusal::ApiKeyChecksum`].
    pub fn digest(&self, key: &str) -> Result<Digest, Refusal> {
        let plausible = !self.checksum || self.prefixes.iter().any(|prefix| is_well_formed(key, prefix));
        if plausible { Ok(Digest::of(key.as_bytes())) } else { Err(Refusal::ApiKeyChecksum) }
    }

    /// The regular expression by which secret scanners find keys.
    #[must_use]
    pub fn scanner_pattern(&self) -> String {
        let (least, most) = (RANDOM_LENGTHS.start(), RANDOM_LENGTHS.end());
        format!(
            r"\b(?:{})_[0-9A-Za-z]{{{least},{most}}}_[0-9A-Za-z]{{{CHECKSUM_LENGTH}}}\b",
            self.prefixes.join("|")
        )
    }

    #[cfg(test)]
    pub(crate) fn for_tests(field: &str, scheme: &str, prefixes: &[&str]) -> Self {
        Self::sent_in(&[field], &[scheme], prefixes)
    }

    #[cfg(test)]
    pub(crate) fn sent_in(fields: &[&str], schemes: &[&str], prefixes: &[&str]) -> Self {
        let owned = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        Self::new(KeyFields::new(owned(fields), owned(schemes)), owned(prefixes), true, Policy::TEST)
    }
}

#[inline]
fn after_prefix<'a>(key: &'a str, prefix: &str) -> Option<&'a str> {
    key.strip_prefix(prefix)?.strip_prefix('_')
}

/// Whether `key` is `<prefix>_<random>_<checksum>` with the right checksum.
#[must_use]
pub fn is_well_formed(key: &str, prefix: &str) -> bool {
    let Some((random, checksum)) = after_prefix(key, prefix).and_then(|rest| scan::cut(rest, b'_')) else {
        return false;
    };
    let plain = !scan::any(random, Word::beyond_alphanumeric);
    let body = key.strip_suffix(checksum).and_then(|rest| rest.strip_suffix('_'));
    plain
        && RANDOM_LENGTHS.contains(&random.len())
        && body.is_some_and(|body| checksum.as_bytes() == digits_of(body))
}

/// Six base-62 digits of the CRC-32 of `<prefix>_<random>`: enough to tell a key from junk without a
/// look-up, and no secret, since the random part alone is what makes a key unguessable.
#[must_use]
pub fn checksum_of(prefix: &str, random: &str) -> String {
    digits_of(&format!("{prefix}_{random}")).map(char::from).iter().collect()
}

/// The checksum of all that stands before it.
#[inline]
fn digits_of(body: &str) -> [u8; CHECKSUM_LENGTH] {
    let mut rest = crc32(body.as_bytes());
    let mut digits = [b'0'; CHECKSUM_LENGTH];
    for digit in digits.iter_mut().rev() {
        *digit = BASE62.get((rest % 62) as usize).copied().unwrap_or(b'0');
        rest /= 62;
    }
    digits
}

/// CRC-32 as zlib has it (ISO/IEC 13239, reflected), a byte at a time: one kilobyte of tables is enough for texts as
/// short as keys.
fn crc32(bytes: &[u8]) -> u32 {
    let entry = |index: u32| CRC32.get(index as usize & 0xff).copied().unwrap_or_default();
    let add = |sum: u32, byte: &u8| entry(sum ^ u32::from(*byte)) ^ sum >> 8;
    // Four in a row: counting takes as long as a byte does, and the compiler unrolls nothing where it makes code small.
    let (fours, rest) = bytes.as_chunks::<4>();
    let sum = fours.iter().fold(u32::MAX, |sum, [a, b, c, d]| add(add(add(add(sum, a), b), c), d));
    !rest.iter().fold(sum, add)
}

/// What each value of a byte does to a CRC-32.
#[allow(clippy::indexing_slicing)] // done when this is compiled
static CRC32: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte: u32 = 0;
    while byte < 256 {
        let (mut sum, mut bit) = (byte, 0);
        while bit < 8 {
            sum = if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 };
            bit += 1;
        }
        table[byte as usize] = sum;
        byte += 1;
    }
    table
};

/// A key made of random bytes: one digit of base 62 for each byte below 248, so that no digit is
/// likelier than another. `None` where the bytes did not suffice (twice the length always does, but
/// for odds of one in 10^20).
#[must_use]
pub fn mint(prefix: &str, random: &[u8]) -> Option<String> {
    let digits = random_digits(random, MINTED_RANDOM_LENGTH)?;
    Some(format!("{prefix}_{digits}_{}", checksum_of(prefix, &digits)))
}

/// So many digits of base 62, each as likely as another.
pub(crate) fn random_digits(random: &[u8], count: usize) -> Option<String> {
    let digits: String = random
        .iter()
        .filter(|byte| **byte < 248)
        .filter_map(|byte| BASE62.get(usize::from(byte % 62)).map(|digit| char::from(*digit)))
        .take(count)
        .collect();
    (digits.len() == count).then_some(digits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_minted_key_is_well_formed_and_found_by_scanners() {
        let random: Vec<u8> = (0..48).map(|byte| byte * 5).collect();
        let key = mint("sk_live", &random).unwrap();
        assert_eq!(key, "sk_live_05AFKPUZejoty38DINSXchmr_2Jvp40");
        assert!(is_well_formed(&key, "sk_live"), "{key}");
        assert!(!is_well_formed(&key, "sk_test"));
        assert_eq!(key.len(), "sk_live_".len() + 24 + 1 + 6);
        assert_eq!(mint("sk_live", &[255; 48]), None);
        let pattern =
            ApiKeys::for_tests("authorization", "Bearer", &["sk_live", "sk_test"]).scanner_pattern();
        assert_eq!(pattern, r"\b(?:sk_live|sk_test)_[0-9A-Za-z]{22,64}_[0-9A-Za-z]{6}\b");
    }

    #[test]
    fn the_checksum_is_the_documented_one() {
        // CRC-32 of "123456789" is 0xcbf43926, the check value of the algorithm.
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(checksum_of("sk_test", "000000000000000000000000").len(), 6);
    }

    #[test]
    fn keys_minted_elsewhere_need_no_checksum() {
        let keys = ApiKeys::new(
            KeyFields::new(vec!["x-api-key".to_owned()], vec![String::new()]),
            vec![],
            false,
            Policy::TEST,
        );
        assert!(keys.has_form("anything-at-all"));
        assert!(!keys.has_form("a.b.c"));
        assert!(keys.digest("anything-at-all").is_ok());
        assert_eq!(keys.prefix_of("anything-at-all"), None);
        let keys = ApiKeys::for_tests("authorization", "Bearer", &["sk", "sk_live"]);
        assert_eq!(keys.prefix_of("sk_live_x"), Some("sk_live"));
        assert_eq!(keys.prefix_of("sk_x"), Some("sk"));
    }

    proptest! {
        #[test]
        fn one_wrong_character_is_refused_by_the_checksum(at in 0usize..31, to in "[0-9A-Za-z]") {
            let keys = ApiKeys::for_tests("authorization", "Bearer", &["sk_live"]);
            let key = mint("sk_live", &[7; 48]).unwrap();
            let mut changed: Vec<char> = key.chars().collect();
            let at = at + "sk_live_".len();
            prop_assume!(changed[at] != '_' && changed[at].to_string() != to);
            changed[at] = to.chars().next().unwrap();
            let changed: String = changed.into_iter().collect();
            prop_assert_eq!(keys.digest(&changed).err(), Some(Refusal::ApiKeyChecksum));
        }

        #[test]
        fn no_text_makes_the_form_check_panic(text in "\\PC{0,80}") {
            let keys = ApiKeys::for_tests("authorization", "Bearer", &["sk_live"]);
            let _ = keys.digest(&text);
            let _ = keys.has_form(&text);
        }
    }
}
