//! What backends may make of a path that the gateway routes as it was sent.
//!
//! `/admin/{+path}` asks for a scope and `/{+path}` does not. As sent, `//admin/users`, `/admin%2Fusers` and
//! `/admin;x=1/users` are paths of the second route. nginx merges slashes and decodes, Tomcat cuts path parameters first,
//! Spring and Express decode each segment: to these backends the same three are `/admin/users`. Whoever finds such a
//! spelling has the strict route's resource under the lax route's rules. So a path that has another reading is looked up
//! in each of its readings, and refused where one of them is a route that guards differently.

use super::{
    pattern::{Pattern, Segment},
    table::RouteTable,
};
use crate::{
    http::path::{self, Spelling},
    routing::table::Matched,
};

/// The routes by what their paths mean, for paths that can be read in more than one way.
#[derive(Clone, Debug, Default)]
pub struct Readings {
    /// Paths with each segment in one spelling ([`canonical`]).
    table: RouteTable,
    /// How many literal segments each route's path has.
    literals: Vec<usize>,
    /// Which placeholders of each route's path its conditions look at.
    params: Vec<Vec<usize>>,
    /// Whether there are two routes that guard differently, or conditions on parts of a path. Else no spelling of any
    /// path gains a caller anything.
    matters: bool,
    /// Whether backends take letters of either case for the same.
    fold_case: bool,
}

/// The route that a path has as it was sent.
#[derive(Clone, Copy, Debug)]
pub struct Taken<'a> {
    /// The path.
    pub path: &'a str,
    /// The request's method.
    pub method: &'a str,
    /// The route, by its index.
    pub route: usize,
    /// What its placeholders hold, in their order.
    pub captures: &'a [&'a str],
}

/// A path that means what another route's path means.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SamePath;

impl Readings {
    /// None yet. With `fold_case`, paths that differ in the case of letters are readings of each other.
    #[must_use]
    pub fn new(fold_case: bool) -> Self {
        Self { fold_case, ..Self::default() }
    }

    /// Adds a route for some methods. Routes are added in their order; `params` are the placeholders of its path that its
    /// conditions look at, by position.
    ///
    /// # Errors
    /// Where an earlier route's path is the same one in another spelling, for one of these methods.
    pub fn insert(
        &mut self,
        pattern: &Pattern,
        methods: &[String],
        params: Vec<usize>,
    ) -> Result<(), SamePath> {
        let index = self.literals.len();
        let is_literal = |segment: &&Segment| matches!(segment, Segment::Literal(_));
        self.literals.push(pattern.segments.iter().filter(is_literal).count());
        self.params.push(params);
        let meaning = Pattern {
            segments: pattern
                .segments
                .iter()
                .map(|segment| match segment {
                    Segment::Literal(text) => {
                        Segment::Literal(self.canonical(&path::decode_once(text.as_bytes(), INNER_SLASH)))
                    }
                    other => other.clone(),
                })
                .collect(),
        };
        let mut all_new = true;
        for method in methods {
            all_new &= self.table.insert(&meaning, method, index);
        }
        if all_new { Ok(()) } else { Err(SamePath) }
    }

    /// Notes, when all routes have been added, which of them guard alike.
    pub fn complete(&mut self, guards_like: impl Fn(usize, usize) -> bool) {
        let differ = (1..self.literals.len()).any(|route| !guards_like(route, route - 1));
        self.matters = differ || self.params.iter().any(|params| !params.is_empty());
    }

    /// Whether some backends would read this path as one that is guarded differently from the route that it has as it was
    /// sent. `guards_like` says whether two routes guard alike.
    #[must_use]
    #[inline]
    pub fn differ(
        &self,
        spelling: Spelling,
        taken: &Taken<'_>,
        guards_like: &dyn Fn(usize, usize) -> bool,
    ) -> bool {
        if !self.matters || (!self.fold_case && spelling == Spelling::Plain) {
            return false;
        }
        self.one_differs(taken, guards_like)
    }

    #[cold]
    #[inline(never)]
    fn one_differs(&self, taken: &Taken<'_>, guards_like: &dyn Fn(usize, usize) -> bool) -> bool {
        let Taken { path, method, route: own, captures } = *taken;
        of(path).iter().any(|reading| {
            let text = self.canonical(&reading.meaning);
            let Some(found) = self.table.find(&text) else { return false };
            if reading.trimmed && !self.is_more_specific(&found, own) {
                return false;
            }
            match found.route(method) {
                Some(other) if other == own => self.params_differ(own, captures, &found.captures),
                Some(other) => !guards_like(own, other),
                // Spelled so, the gateway would have answered 405.
                None => true,
            }
        })
    }

    /// Whether a reading's path says more than the route's own: `/admin` than `/{+path}`, but not `/docs` than
    /// `/docs/{+path}`, whose author has spoken for `/docs/`.
    fn is_more_specific(&self, found: &Matched<'_, '_>, own: usize) -> bool {
        let literals = |route: usize| self.literals.get(route).copied().unwrap_or_default();
        found.endpoints.first().is_some_and(|endpoint| literals(endpoint.route) > literals(own))
    }

    /// Whether a part of the path that the route's conditions look at is another one in a reading.
    fn params_differ(&self, own: usize, sent: &[&str], read: &[&str]) -> bool {
        let params = self.params.get(own).map(Vec::as_slice).unwrap_or_default();
        params.iter().any(|param| {
            let sent =
                sent.get(*param).map(|text| self.canonical(&path::decode_once(text.as_bytes(), INNER_SLASH)));
            sent.as_deref() != read.get(*param).copied()
        })
    }

    /// The one spelling of what a path or a segment means: unreserved characters as they are, everything else but the
    /// slashes between segments percent-encoded.
    fn canonical(&self, meaning: &[u8]) -> String {
        let mut text = String::with_capacity(meaning.len());
        for byte in meaning {
            let byte = if self.fold_case { byte.to_ascii_lowercase() } else { *byte };
            if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
                text.push(char::from(byte));
            } else {
                let byte = if byte == INNER_SLASH { b'/' } else { byte };
                text.push_str(&format!("%{byte:02X}"));
            }
        }
        text
    }
}

/// Stands for a slash that is part of a segment. No path holds a NUL that gets here ([`path::check`]).
const INNER_SLASH: u8 = 0;

/// A way to read a path.
struct Reading {
    /// What it means: decoded, with [`INNER_SLASH`] for slashes within a segment.
    meaning: Vec<u8>,
    /// Whether it lacks the slash that the path ends in.
    trimmed: bool,
}

/// All readings of a path, each once. Work and memory are linear in its length: a caller without a credential gets here.
fn of(path: &str) -> Vec<Reading> {
    let mut sent = vec![path.as_bytes().to_vec()];
    // Tomcat: parameters go before anything is decoded.
    extend(&mut sent, cut_parameters);
    let mut all: Vec<_> = sent.iter().map(|path| path::decode_once(path, INNER_SLASH)).collect();
    // Two decoders in a row: a proxy and the application behind it.
    extend(&mut all, |path| path::decode_fully(path, INNER_SLASH));
    // Who decodes the whole path and then looks for slashes.
    extend(&mut all, split_again);
    extend(&mut all, cut_parameters);
    extend(&mut all, merge_slashes);
    let trimmed: Vec<_> = all.iter().filter_map(|path| trim(path)).collect();
    let whole = all.into_iter().map(|meaning| Reading { meaning, trimmed: false });
    whole.chain(trimmed.into_iter().map(|meaning| Reading { meaning, trimmed: true })).collect()
}

/// Adds what `step` makes of each, where nobody has made that yet.
fn extend(all: &mut Vec<Vec<u8>>, step: impl Fn(&[u8]) -> Vec<u8>) {
    for index in 0..all.len() {
        let Some(made) = all.get(index).map(|path| step(path)) else { return };
        if !all.contains(&made) {
            all.push(made);
        }
    }
}

fn cut_parameters(path: &[u8]) -> Vec<u8> {
    let mut is_cut = false;
    let keeps = |byte: &&u8| {
        is_cut = **byte != b'/' && (is_cut || **byte == b';');
        !is_cut
    };
    path.iter().filter(keeps).copied().collect()
}

fn split_again(path: &[u8]) -> Vec<u8> {
    path.iter().map(|byte| if *byte == INNER_SLASH { b'/' } else { *byte }).collect()
}

fn merge_slashes(path: &[u8]) -> Vec<u8> {
    let mut merged = path.to_vec();
    merged.dedup_by(|next, before| *next == b'/' && *before == b'/');
    merged
}

fn trim(path: &[u8]) -> Option<Vec<u8>> {
    path.strip_suffix(b"/").filter(|rest| !rest.is_empty()).map(<[u8]>::to_vec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_path_of_nothing_but_oddities_has_few_readings() {
        let path = "/;%252f//%3b".repeat(1300);
        assert!(of(&path).len() <= 64);
    }
}
