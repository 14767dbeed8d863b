//! Which paths can be forwarded safely, and how one is put behind a backend's base path.

use crate::{error::Refusal, scan};

/// Refuses a path that a backend could read as leaving the place it was routed to: one that holds,
/// after one more decode, a dot segment, a backslash or a NUL, or whose `%` nobody can decode.
///
/// `..%2f..%2fadmin` is the attack: no dot segment for a gateway that matches what was sent, two of
/// them for a backend that decodes first. `..;` is one too, for backends that cut path parameters
/// before they resolve dots. An ordinary `%2F` or `%20` passes.
///
/// # Errors
/// The refusal, where the path is ambiguous.
pub fn check(path: &str) -> Result<(), Refusal> {
    // Nearly every path: without these, no decode can bring forth anything refused below.
    if scan::any(path, |word| word.is(b'.') | word.is(b'%') | word.is(b'\\') | word.is(0)) {
        return check_decoded(path);
    }
    Ok(())
}

#[inline(never)]
fn check_decoded(path: &str) -> Result<(), Refusal> {
    let mut before = 0;
    let plain = path.bytes().all(|byte| {
        let dot = byte == b'.' && before == b'/';
        before = byte;
        !dot && !matches!(byte, b'%' | b'\\' | 0)
    });
    // A dot within a name.
    if plain {
        return Ok(());
    }
    let decoded = decode(path)?;
    if decoded.contains(&b'\\') {
        return Err(Refusal::PathBackslash);
    }
    if decoded.contains(&0) {
        return Err(Refusal::PathNul);
    }
    let leaves = decoded.split(|byte| *byte == b'/').any(is_dot_segment);
    if leaves { Err(Refusal::PathDotSegment) } else { Ok(()) }
}

fn is_dot_segment(segment: &[u8]) -> bool {
    let name = segment.split(|byte| *byte == b';').next().unwrap_or_default();
    matches!(name, b"." | b"..")
}

fn decode(path: &str) -> Result<Vec<u8>, Refusal> {
    let mut decoded = Vec::with_capacity(path.len());
    let mut bytes = path.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let pair = (bytes.next().and_then(hex_digit), bytes.next().and_then(hex_digit));
        let (Some(high), Some(low)) = pair else {
            return Err(Refusal::PathMalformedPercent);
        };
        decoded.push(high << 4 | low);
    }
    Ok(decoded)
}

/// The value of a hexadecimal digit.
#[must_use]
pub const fn hex_digit(byte: u8) -> Option<u8> {
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
    fn ordinary_encodings_pass_unchanged() {
        for path in [
            "/",
            "/a%2Fb",
            "/a%20b",
            "/a//b/",
            "/...",
            "/.well-known/x",
            "/a.b/..c/c..",
            "/%E2%82%AC",
            "/a;v=1/b",
            "/%252e%252e/x",
        ] {
            assert_eq!(check(path), Ok(()), "{path}");
        }
    }

    #[test]
    fn paths_that_would_leave_the_base_are_refused() {
        for path in [
            "/..",
            "/../x",
            "/a/./b",
            "/a/%2e%2e/b",
            "/..%2f..%2fadmin",
            "/a/.%2E",
            "/a%2f..",
            "/..;/admin",
            "/..%3bx/admin",
            "/a/.;x",
        ] {
            assert_eq!(check(path), Err(Refusal::PathDotSegment), "{path}");
        }
        assert_eq!(check("/a%5c..%5cb"), Err(Refusal::PathBackslash));
        assert_eq!(check("/a\\b"), Err(Refusal::PathBackslash));
        assert_eq!(check("/a%00"), Err(Refusal::PathNul));
        for path in ["/%", "/%2", "/%zz", "/a%2", "/%%32e"] {
            assert_eq!(check(path), Err(Refusal::PathMalformedPercent), "{path}");
        }
    }

    proptest! {
        /// The property itself: decode once, resolve as a backend would, and still be below the base.
        #[test]
        fn what_passes_stays_below_the_base(path in "(/(\\.|%2e|%2E|%2f|%5c|;|a|%61|%25|%00|%){0,4}){1,6}") {
            if check(&path).is_ok() {
                let decoded = String::from_utf8_lossy(&decode(&path).unwrap()).replace('\\', "/");
                for segment in decoded.split('/') {
                    let name = segment.split(';').next().unwrap();
                    prop_assert!(name != "." && name != "..", "{path} → {decoded}");
                }
                prop_assert!(!decoded.contains('\0'));
            }
        }
    }
}
