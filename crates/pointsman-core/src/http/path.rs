//! Which paths can be forwarded safely, and how one is put behind a backend's base path.

use crate::base::{
    percent,
    refusal::Refusal,
    scan::{self, Word},
};

/// Refuses a path that a backend could read as leaving the place it was routed to: one that holds,
/// however often it is decoded, a dot segment, a backslash or a NUL, or whose `%` nobody can decode.
///
/// `..%2f..%2fadmin` is the attack: no dot segment for a gateway that matches what was sent, two of
/// them for a backend that decodes first. `%252e%252e` is the same for a backend behind a proxy, where
/// both decode. `..;` is one too, for backends that cut path parameters before they resolve dots. An
/// ordinary `%2F`, `%20` or `%2520` passes.
///
/// # Errors
/// The refusal, where the path is ambiguous.
pub fn check(path: &str) -> Result<Spelling, Refusal> {
    // Nearly every path: without these, no decode can bring forth anything refused below, and there is no other reading.
    let odd = |word: Word| word.is(b'.') | word.is(b'%') | word.is(b';') | word.is(b'\\') | word.is(0);
    if scan::any_or_pair(path, b'/', odd) {
        return check_decoded(path).map(|()| Spelling::of(path));
    }
    Ok(if ends_in_slash(path) { Spelling::Odd } else { Spelling::Plain })
}

/// How a path is spelled.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Spelling {
    /// Everybody reads the path as it stands.
    Plain,
    /// It holds what some backends read as something else: an escape, a parameter, two slashes in a row, or a slash at its
    /// end.
    Odd,
}

impl Spelling {
    fn of(path: &str) -> Self {
        let odd = path.contains(['%', ';']) || path.contains("//") || ends_in_slash(path);
        if odd { Self::Odd } else { Self::Plain }
    }
}

fn ends_in_slash(path: &str) -> bool {
    path.len() > 1 && path.ends_with('/')
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
    let once = percent::decode_strict(path.as_bytes()).map_err(|_| Refusal::PathMalformedPercent)?;
    // Whatever a decode brings forth of these, a further one leaves there: so the last state shows all of them.
    let decoded = decode_fully(&once, b'/');
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

/// Decodes each `%` and two hexadecimal digits once; an encoded slash becomes `slash`. Any other `%` stays as it is.
#[must_use]
pub fn decode_once(text: &[u8], slash: u8) -> Vec<u8> {
    percent::decode_lenient_as(text, |byte| slash_as(slash, byte))
}

/// Decodes until nothing is left that could be decoded, in one pass: what a decode brings forth may complete an escape
/// whose beginning stands before it (`%25` and `2e`). An encoded slash becomes `slash`.
#[must_use]
pub fn decode_fully(text: &[u8], slash: u8) -> Vec<u8> {
    let mut decoded: Vec<u8> = Vec::with_capacity(text.len());
    for byte in text {
        decoded.push(*byte);
        while let Some(escape) = decoded.last_chunk::<3>()
            && let Some((byte, _)) = percent::octet(escape)
        {
            decoded.truncate(decoded.len() - 3);
            decoded.push(slash_as(slash, byte));
        }
    }
    decoded
}

const fn slash_as(slash: u8, byte: u8) -> u8 {
    if byte == b'/' { slash } else { byte }
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
            "/a%252Fb/100%25/%2520",
            "/%25",
            "/a%252",
        ] {
            assert!(check(path).is_ok(), "{path}");
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
            "/%252e%252e/x",
            "/a%252f%252E./b",
            "/a/%25252e/b",
            "/..%253bx/b",
        ] {
            assert_eq!(check(path), Err(Refusal::PathDotSegment), "{path}");
        }
        assert_eq!(check("/a%5c..%5cb"), Err(Refusal::PathBackslash));
        assert_eq!(check("/a\\b"), Err(Refusal::PathBackslash));
        assert_eq!(check("/a%255cb"), Err(Refusal::PathBackslash));
        assert_eq!(check("/a%00"), Err(Refusal::PathNul));
        assert_eq!(check("/a%2500"), Err(Refusal::PathNul));
        for path in ["/%", "/%2", "/%zz", "/a%2", "/%%32e", "/a/%2%65%2%65/b"] {
            assert_eq!(check(path), Err(Refusal::PathMalformedPercent), "{path}");
        }
    }

    proptest! {
        /// The property itself: decode as often as one likes, resolve as a backend would, and still be below the base.
        #[test]
        fn what_passes_stays_below_the_base(
            path in "(/(\\.|%2e|%2E|%252e|%2f|%252F|%5c|%255c|;|%253b|a|%61|%25|%00|%){0,4}){1,6}",
        ) {
            let mut now = path.clone().into_bytes();
            // What is checked is decoded once before: nothing else comes of it.
            prop_assert_eq!(decode_fully(&decode_once(&now, b'/'), b'/'), decode_fully(&now, b'/'));
            while check(&path).is_ok() {
                let before = now.clone();
                let decoded = String::from_utf8_lossy(&now).replace('\\', "/");
                for segment in decoded.split('/') {
                    let name = segment.split(';').next().unwrap();
                    prop_assert!(name != "." && name != "..", "{path} → {decoded}");
                }
                prop_assert!(!decoded.contains('\0') && !now.contains(&b'\\'));
                now = decode_once(&now, b'/');
                if now == before {
                    prop_assert_eq!(now, decode_fully(path.as_bytes(), b'/'));
                    break;
                }
            }
        }
    }
}
