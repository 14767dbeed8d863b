//! Operators' secrets, as `pointsman secret create` makes them: `pso_<43 digits of base 62>_<checksum>`. A secret
//! that somebody made up is found by trying words; one of 256 random bits is not, however it is used.

use crate::identity::api_key::{checksum_of, random_digits};

/// What they begin with, so that secret scanners find them.
const PREFIX: &str = "pso";
/// 43 digits of base 62 hold 256 bits.
const DIGITS: usize = 43;
/// How many random bytes [`mint`] is given.
pub const RANDOM_BYTES: usize = 2 * DIGITS;

/// A secret made of random bytes. `None` where these did not suffice, as with API keys.
#[must_use]
pub fn mint(random: &[u8]) -> Option<String> {
    let digits = random_digits(random, DIGITS)?;
    let checksum = checksum_of(PREFIX, &digits);
    Some(format!("{PREFIX}_{digits}_{checksum}"))
}

/// Whether `text` has the form of a minted secret, with the right checksum. The checksum proves nothing to an
/// attacker: it keeps operators from using a word, or half of what they copied.
#[must_use]
pub fn is_minted(text: &str) -> bool {
    let rest = text.strip_prefix(PREFIX).and_then(|rest| rest.strip_prefix('_'));
    let Some((digits, checksum)) = rest.and_then(|rest| rest.split_once('_')) else { return false };
    digits.len() == DIGITS
        && digits.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && checksum == checksum_of(PREFIX, digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_minted_is_taken_and_nothing_else() {
        let random: Vec<u8> = (0..86).map(|byte| byte * 2).collect();
        let secret = mint(&random).unwrap();
        // The same bytes and the same secret stand in tests/console/strangers.test.mjs.
        assert_eq!(secret, "pso_02468ACEGIKMOQSUWYacegikmoqsuwy02468ACEGIKM_0JlQ4k");
        assert!(is_minted(&secret));
        assert_eq!(mint(&random[..42]), None);
        let short = secret.replacen("02468", "0246", 1);
        let long = secret.replacen("02468", "024688", 1);
        let other = secret.replacen("pso_0", "pso_1", 1);
        let upper = secret.replacen("pso", "PSO", 1);
        let cut = secret.strip_suffix('k').unwrap();
        for bad in [
            "",
            "pso",
            "pso__",
            "correct-horse-battery-staple-28",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
            short.as_str(),
            long.as_str(),
            other.as_str(),
            upper.as_str(),
            cut,
            &format!("{secret}0"),
            &format!("{secret}_"),
            &format!("{secret} "),
            &format!(" {secret}"),
            &secret.replacen("0246", "02-6", 1),
            &secret.replacen("0246", "02é", 1),
        ] {
            assert!(!is_minted(bad), "{bad:?}");
        }
        for at in 0..secret.len() {
            let mut changed = secret.clone().into_bytes();
            changed[at] = if changed[at] == b'x' { b'y' } else { b'x' };
            assert!(!is_minted(&String::from_utf8(changed).unwrap()), "{at}");
        }
    }
}
