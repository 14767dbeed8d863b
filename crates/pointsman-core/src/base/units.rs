//! Sizes and shares as people write them, and the largest number that fields can tell.

/// The largest integer of a structured field (RFC 9651, section 3.3.1), and so the largest quota.
pub const LARGEST_INTEGER: u64 = 999_999_999_999_999;

/// A size in bytes: a whole number and `KB` or `MB` (powers of 1024).
#[must_use]
pub fn parse_size(text: &str) -> Option<u64> {
    let (digits, unit) = match (text.strip_suffix("KB"), text.strip_suffix("MB")) {
        (Some(digits), _) => (digits, 1 << 10),
        (_, Some(digits)) => (digits, 1 << 20),
        (None, None) => return None,
    };
    whole(digits)?.checked_mul(unit)
}

/// A share of a hundred, `0%` to `100%`.
#[must_use]
pub fn parse_share(text: &str) -> Option<u8> {
    whole(text.strip_suffix('%')?).and_then(|share| u8::try_from(share).ok()).filter(|share| *share <= 100)
}

/// Digits alone: no sign, which `parse` would take.
fn whole(digits: &str) -> Option<u64> {
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|_| plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_shares_are_digits_and_a_unit() {
        assert_eq!(parse_size("512KB"), Some(512 << 10));
        assert_eq!(parse_size("16MB"), Some(16 << 20));
        assert_eq!(parse_share("20%"), Some(20));
        for text in ["", "KB", "+1KB", "1", "1 KB", "1.5MB", "99999999999999999999MB", "17592186044416MB"] {
            assert_eq!(parse_size(text), None, "{text}");
        }
        for text in ["", "%", "101%", "-1%", "20", "300%"] {
            assert_eq!(parse_share(text), None, "{text}");
        }
    }
}
