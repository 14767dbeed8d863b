//! API keys and operators' secrets. Random bytes come from outside: this has none of its own.

use pointsman_core::identity::{
    api_key::{is_well_formed, mint},
    operator_secret::is_minted,
};

/// An API key of this prefix made of these random bytes, of which 48 are enough but for odds of one in 10^20; `None`
/// where they were not.
#[must_use]
pub fn mint_key(prefix: &str, random: &[u8]) -> Option<String> {
    mint(prefix, random)
}

/// Whether a text is an API key of this prefix, with the right checksum.
#[must_use]
pub fn is_key(text: &str, prefix: &str) -> bool {
    is_well_formed(text, prefix)
}

/// Whether a text is an operator's secret as `pointsman secret create` makes them, with the right checksum.
#[must_use]
pub fn is_operator_secret(text: &str) -> bool {
    is_minted(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_of_the_bytes_that_are_given() {
        let random: Vec<u8> = (0..48).map(|byte| byte * 5).collect();
        let key = mint_key("sk_live", &random).unwrap();
        assert_eq!(key, "sk_live_05AFKPUZejoty38DINSXchmr_2Jvp40");
        assert_eq!(mint_key("sk_live", &[255; 48]), None);
        assert!(is_key(&key, "sk_live"));
        for (text, prefix) in [(key.as_str(), "sk_test"), (&key.replace("05A", "05B"), "sk_live"), ("", "")] {
            assert!(!is_key(text, prefix), "{text} {prefix}");
        }
    }

    #[test]
    fn only_minted_secrets_are_secrets() {
        assert!(is_operator_secret("pso_02468ACEGIKMOQSUWYacegikmoqsuwy02468ACEGIKM_0JlQ4k"));
        assert!(!is_operator_secret("pso_02468ACEGIKMOQSUWYacegikmoqsuwy02468ACEGIKM_0JlQ4l"));
        assert!(!is_operator_secret("correct horse battery staple"));
    }
}
