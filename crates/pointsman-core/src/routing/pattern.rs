//! Path patterns: `/api/v1/{+path}`, `/users/{id}/orders`.

use std::{borrow::Cow, fmt};

use crate::{
    base::{percent, scan},
    http::path,
};

/// A parsed pattern.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pattern {
    /// Its segments, in order.
    pub segments: Vec<Segment>,
}

/// One segment of a pattern.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Segment {
    /// This text, percent-encoded unreserved characters decoded.
    Literal(String),
    /// `{name}`: one segment, not empty.
    One(String),
    /// `{+name}`: all the rest of the path, possibly empty; only at the end.
    Rest(String),
}

/// Why a pattern cannot be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[allow(missing_docs)]
pub enum PatternError {
    NoLeadingSlash,
    Characters,
    Placeholder,
    RestNotLast,
    NameTwice,
}

impl fmt::Display for PatternError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::NoLeadingSlash => "must begin with /",
            Self::Characters => "holds a character that no path holds (write it percent-encoded), or a dot segment",
            Self::Placeholder => "has a placeholder that is not a whole segment {name} or {+name}, with letters, digits and _ in the name",
            Self::RestNotLast => "must have {+name} as its last segment",
            Self::NameTwice => "names a placeholder twice",
        })
    }
}

impl std::error::Error for PatternError {}

impl Pattern {
    /// Parses a pattern.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let rest = text.strip_prefix('/').ok_or(PatternError::NoLeadingSlash)?;
        let segments = rest.split('/').map(Segment::parse).collect::<Result<Vec<_>, _>>()?;
        let rest_before_end =
            segments.iter().rev().skip(1).any(|segment| matches!(segment, Segment::Rest(_)));
        if rest_before_end {
            return Err(PatternError::RestNotLast);
        }
        let pattern = Self { segments };
        let names: Vec<_> = pattern.names().collect();
        let twice = names
            .iter()
            .enumerate()
            .any(|(index, name)| names.iter().skip(index + 1).any(|other| other == name));
        if twice { Err(PatternError::NameTwice) } else { Ok(pattern) }
    }

    /// The names of its placeholders, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Literal(_) => None,
            Segment::One(name) | Segment::Rest(name) => Some(name.as_str()),
        })
    }
}

impl Segment {
    fn parse(text: &str) -> Result<Self, PatternError> {
        if let Some(inner) = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
            let (name, rest) = inner.strip_prefix('+').map_or((inner, false), |name| (name, true));
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            if name.is_empty() || !name.bytes().all(plain) {
                return Err(PatternError::Placeholder);
            }
            return Ok(if rest { Self::Rest(name.to_owned()) } else { Self::One(name.to_owned()) });
        }
        if text.contains(['{', '}']) {
            return Err(PatternError::Placeholder);
        }
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=:@".contains(&byte);
        if !text.bytes().all(plain) || path::check(&format!("/{text}")).is_err() {
            return Err(PatternError::Characters);
        }
        Ok(Self::Literal(decode_unreserved(text).into_owned()))
    }
}

/// Decodes the percent-encodings of unreserved characters, which mean the same decoded (RFC 3986,
/// section 6.2.2.2). Without this, `/%61dmin` would slip past a route for `/admin` and still be
/// `/admin` to the backend.
#[must_use]
#[inline]
pub fn decode_unreserved(segment: &str) -> Cow<'_, str> {
    match scan::position(segment, b'%') {
        Some(_) => Cow::Owned(decoded(segment)),
        None => Cow::Borrowed(segment),
    }
}

#[cold]
#[inline(never)]
fn decoded(segment: &str) -> String {
    let mut decoded = String::with_capacity(segment.len());
    let mut rest = segment;
    while let Some(at) = rest.find('%') {
        let (before, escape) = rest.split_at_checked(at).unwrap_or_default();
        decoded.push_str(before);
        let value = percent::octet(escape.as_bytes()).map(|(byte, _)| byte);
        let after = escape.get(1..).unwrap_or_default();
        let unreserved = value.filter(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(byte));
        match unreserved {
            Some(byte) => {
                decoded.push(char::from(byte));
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                decoded.push('%');
                // The same octet in one spelling (RFC 3986, section 6.2.2.1).
                let digits = after.get(..2).filter(|_| value.is_some()).unwrap_or_default();
                decoded.push_str(&digits.to_ascii_uppercase());
                rest = after.get(digits.len()..).unwrap_or_default();
            }
        }
    }
    decoded.push_str(rest);
    decoded
}

/// How a route's path becomes the backend's: `/{+path}`, `/v2/users/{id}`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rewrite(Vec<Piece>);

#[derive(Clone, Debug, Eq, PartialEq)]
enum Piece {
    /// `/` and a literal segment, as written.
    Literal(String),
    /// `/` and the capture of this index, as sent.
    Capture(usize),
}

/// Why a rewrite cannot be used.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RewriteError {
    /// As a pattern it would already be none.
    Pattern(PatternError),
    /// It uses a name that the route's path does not have.
    UnknownName(String),
}

impl fmt::Display for RewriteError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pattern(error) => error.fmt(formatter),
            Self::UnknownName(name) => {
                write!(formatter, "uses {{{name}}}, which the route's path does not have")
            }
        }
    }
}

impl std::error::Error for RewriteError {}

impl Rewrite {
    /// Parses a rewrite for a route with this pattern. Placeholders are whole segments here as well,
    /// so that no literal can combine with a capture into a dot segment.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str, pattern: &Pattern) -> Result<Self, RewriteError> {
        let written = Pattern::parse(text).map_err(RewriteError::Pattern)?;
        let names: Vec<_> = pattern.names().collect();
        let literals = text.split('/').skip(1);
        let pieces = written.segments.iter().zip(literals).map(|(segment, literal)| match segment {
            Segment::Literal(_) => Ok(Piece::Literal(literal.to_owned())),
            Segment::One(name) | Segment::Rest(name) => names
                .iter()
                .position(|known| known == name)
                .map(Piece::Capture)
                .ok_or_else(|| RewriteError::UnknownName(name.clone())),
        });
        pieces.collect::<Result<_, _>>().map(Self)
    }

    /// Appends the rewritten path; captures are slices of the path as it was sent.
    pub fn write(&self, captures: &[&str], into: &mut String) {
        for piece in &self.0 {
            into.push('/');
            match piece {
                Piece::Literal(literal) => into.push_str(literal),
                Piece::Capture(index) => into.push_str(captures.get(*index).copied().unwrap_or_default()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewritten(pattern: &str, rewrite: &str, captures: &[&str]) -> String {
        let pattern = Pattern::parse(pattern).unwrap();
        let mut path = String::new();
        Rewrite::parse(rewrite, &pattern).unwrap().write(captures, &mut path);
        path
    }

    #[test]
    fn rewrites_put_captures_where_they_are_named() {
        assert_eq!(rewritten("/api/v1/{+path}", "/{+path}", &["a%2Fb//c/"]), "/a%2Fb//c/");
        assert_eq!(rewritten("/api/v1/{+path}", "/{+path}", &[""]), "/");
        assert_eq!(rewritten("/u/{id}/{+rest}", "/v2/of/{id}/{+rest}", &["7", "x"]), "/v2/of/7/x");
        assert_eq!(rewritten("/a", "/b%20c/", &[]), "/b%20c/");
    }

    #[test]
    fn bad_patterns_say_why() {
        for (text, error) in [
            ("api", PatternError::NoLeadingSlash),
            ("", PatternError::NoLeadingSlash),
            ("/a b", PatternError::Characters),
            ("/a?b", PatternError::Characters),
            ("/a/../b", PatternError::Characters),
            ("/%zz", PatternError::Characters),
            ("/{}", PatternError::Placeholder),
            ("/x{id}", PatternError::Placeholder),
            ("/{id", PatternError::Placeholder),
            ("/{a-b}", PatternError::Placeholder),
            ("/{+path}/x", PatternError::RestNotLast),
            ("/{a}/{a}", PatternError::NameTwice),
        ] {
            assert_eq!(Pattern::parse(text), Err(error), "{text}");
        }
        let pattern = Pattern::parse("/{id}").unwrap();
        assert_eq!(Rewrite::parse("/{other}", &pattern), Err(RewriteError::UnknownName("other".to_owned())));
    }

    #[test]
    fn only_unreserved_characters_are_decoded() {
        assert_eq!(decode_unreserved("%61dmin%2D"), "admin-");
        assert_eq!(decode_unreserved("a%2Fb%20%"), "a%2Fb%20%");
        assert_eq!(decode_unreserved("%2561"), "%2561");
        assert_eq!(decode_unreserved("caf%c3%a9"), "caf%C3%A9");
        assert_eq!(decode_unreserved("%é%6"), "%é%6");
    }
}
