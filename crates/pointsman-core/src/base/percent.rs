//! Percent-encoding (RFC 3986, section 2.1), read by one of two decoders.
//!
//! The strict one is for what is checked: a `%` that two hexadecimal digits do not follow is read by some servers as it stands
//! and by others as anything, so a path with one is refused ([`crate::http::path`]). The lenient one is for what everybody
//! reads alike: in a form's value (`?discount=100%`), or in a parameter that a credential was copied into, a `%` by itself is
//! a `%` (WHATWG URL, "percent-decode"). It is also what backends do to a path that was let through.

/// A `%` that two hexadecimal digits do not follow.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MalformedPercentError;

impl std::fmt::Display for MalformedPercentError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("has a % that two hexadecimal digits do not follow")
    }
}

impl std::error::Error for MalformedPercentError {}

/// Decodes each `%` and two hexadecimal digits once.
///
/// # Errors
/// [`MalformedPercentError`] where any `%` is something else.
pub fn decode_strict(text: &[u8]) -> Result<Vec<u8>, MalformedPercentError> {
    decode(text, |byte| byte, |_| Err(MalformedPercentError))
}

/// Decodes each `%` and two hexadecimal digits once. Any other `%` stays as it is.
#[must_use]
pub fn decode_lenient(text: &[u8]) -> Vec<u8> {
    decode_lenient_as(text, |byte| byte)
}

/// The same, with `written` in place of each octet that was encoded.
#[must_use]
pub fn decode_lenient_as(text: &[u8], written: impl Fn(u8) -> u8) -> Vec<u8> {
    let Ok(decoded) = decode(text, written, Ok::<u8, std::convert::Infallible>);
    decoded
}

fn decode<E>(
    text: &[u8],
    written: impl Fn(u8) -> u8,
    malformed: impl Fn(u8) -> Result<u8, E>,
) -> Result<Vec<u8>, E> {
    let mut rest = text;
    let mut decoded = Vec::with_capacity(rest.len());
    while let Some((first, behind)) = rest.split_first() {
        let (byte, left) = match (octet(rest), first) {
            (Some((byte, behind)), _) => (written(byte), behind),
            (None, b'%') => (malformed(*first)?, behind),
            (None, other) => (*other, behind),
        };
        decoded.push(byte);
        rest = left;
    }
    Ok(decoded)
}

/// The octet that is encoded at the beginning of a text, and what stands behind it.
#[must_use]
pub const fn octet(text: &[u8]) -> Option<(u8, &[u8])> {
    match text {
        [b'%', high, low, behind @ ..] => match (hex_digit(*high), hex_digit(*low)) {
            (Some(high), Some(low)) => Some((high << 4 | low, behind)),
            _ => None,
        },
        _ => None,
    }
}

/// The number that a hexadecimal digit stands for.
pub(super) const fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_well_formed_is_decoded_once_by_both() {
        for (text, decoded) in [
            ("", ""),
            ("a/b", "a/b"),
            ("%61%2Fb%2f", "a/b/"),
            ("%C3%a9", "é"),
            ("%252e", "%2e"),
            ("a+b", "a+b"),
        ] {
            assert_eq!(decode_lenient(text.as_bytes()), decoded.as_bytes(), "{text}");
            assert_eq!(decode_strict(text.as_bytes()).unwrap(), decoded.as_bytes(), "{text}");
        }
        assert_eq!(decode_lenient_as(b"a/%2F%62", |byte| if byte == b'/' { 0 } else { byte }), b"a/\0b");
    }

    #[test]
    fn a_percent_by_itself_is_one_to_the_lenient_and_refused_by_the_strict() {
        for (text, decoded) in
            [("100%", "100%"), ("%", "%"), ("%4", "%4"), ("%zz%41", "%zzA"), ("%%41", "%A"), ("%é", "%é")]
        {
            assert_eq!(decode_lenient(text.as_bytes()), decoded.as_bytes(), "{text}");
            assert_eq!(decode_strict(text.as_bytes()), Err(MalformedPercentError), "{text}");
        }
    }

    proptest! {
        /// Whatever is sent: all octets come through, and what the strict one takes both read alike.
        #[test]
        fn all_octets_come_through(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let encoded: String = bytes.iter().map(|byte| format!("%{byte:02x}")).collect();
            prop_assert_eq!(&decode_strict(encoded.as_bytes()).unwrap(), &bytes);
            prop_assert_eq!(&decode_lenient(encoded.as_bytes()), &bytes);
            prop_assert!(decode_lenient(&bytes).len() <= bytes.len());
            if let Ok(strict) = decode_strict(&bytes) {
                prop_assert_eq!(strict, decode_lenient(&bytes));
            }
        }
    }
}
