//! Routes: which one a path and method mean.

use smallvec::SmallVec;

use crate::{
    base::scan,
    routing::pattern::{Pattern, Segment, decode_unreserved},
};

/// Finds routes by path in time that does not grow with their number: a tree of segments, in which
/// at each step a literal goes before a `{name}` and that before a `{+rest}`. The order in the file
/// does not matter.
#[derive(Clone, Debug, Default)]
pub struct RouteTable {
    nodes: Vec<Node>,
}

#[derive(Clone, Debug, Default)]
struct Node {
    /// In their order: a look at a few texts is quicker than a hash, and whoever sends paths adds none.
    literals: Vec<(String, usize)>,
    one: Option<usize>,
    here: Vec<Endpoint>,
    rest: Vec<Endpoint>,
}

/// A method on a pattern, and the index of its route.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Endpoint {
    /// The method.
    pub method: String,
    /// The route.
    pub route: usize,
}

/// What the placeholders of a pattern took. Nearly every pattern has one or two, and those need no memory of their own.
pub type Captures<'p> = SmallVec<[&'p str; 4]>;

/// What a path matched: the methods on the most specific pattern, and the captured slices.
#[derive(Debug, Eq, PartialEq)]
pub struct Matched<'t, 'p> {
    /// All methods of the pattern.
    pub endpoints: &'t [Endpoint],
    /// The captures in the pattern's order, as they were sent.
    pub captures: Captures<'p>,
}

impl Matched<'_, '_> {
    /// The route for this method.
    #[must_use]
    #[inline]
    pub fn route(&self, method: &str) -> Option<usize> {
        self.endpoints.iter().find(|endpoint| endpoint.method == method).map(|endpoint| endpoint.route)
    }

    /// The pattern's methods, as `Allow` wants them (RFC 9110, section 10.2.1).
    #[must_use]
    pub fn allow(&self) -> String {
        let methods: Vec<_> = self.endpoints.iter().map(|endpoint| endpoint.method.as_str()).collect();
        methods.join(", ")
    }
}

impl Node {
    #[inline]
    fn place_of(&self, literal: &str) -> Result<usize, usize> {
        self.literals.binary_search_by(|(own, _)| own.as_str().cmp(literal))
    }

    fn literal(&self, text: &str) -> Option<usize> {
        let place = self.place_of(text).ok()?;
        self.literals.get(place).map(|(_, child)| *child)
    }
}

impl RouteTable {
    /// Adds a route for one method; false where the pattern already has one for it.
    pub fn insert(&mut self, pattern: &Pattern, method: &str, route: usize) -> bool {
        let mut at = self.root();
        let mut is_rest = false;
        for segment in &pattern.segments {
            at = match segment {
                Segment::Literal(text) => self.child(
                    at,
                    |node| node.literal(text),
                    |node, new| {
                        let place = node.place_of(text).unwrap_or_else(|place| place);
                        node.literals.insert(place, (text.clone(), new));
                    },
                ),
                Segment::One(_) => self.child(at, |node| node.one, |node, new| node.one = Some(new)),
                Segment::Rest(_) => {
                    is_rest = true;
                    at
                }
            };
        }
        let Some(node) = self.nodes.get_mut(at) else { return false };
        let endpoints = if is_rest { &mut node.rest } else { &mut node.here };
        if endpoints.iter().any(|endpoint| endpoint.method == method) {
            return false;
        }
        endpoints.push(Endpoint { method: method.to_owned(), route });
        true
    }

    fn root(&mut self) -> usize {
        if self.nodes.is_empty() {
            self.nodes.push(Node::default());
        }
        0
    }

    fn child(
        &mut self,
        at: usize,
        find: impl Fn(&Node) -> Option<usize>,
        add: impl Fn(&mut Node, usize),
    ) -> usize {
        if let Some(child) = self.nodes.get(at).and_then(find) {
            return child;
        }
        let new = self.nodes.len();
        self.nodes.push(Node::default());
        if let Some(node) = self.nodes.get_mut(at) {
            add(node, new);
        }
        new
    }

    /// Finds the most specific pattern for a path.
    #[must_use]
    pub fn find<'p>(&self, path: &'p str) -> Option<Matched<'_, 'p>> {
        let rest = path.strip_prefix('/')?;
        let mut captures = Captures::new();
        let endpoints = self.walk(0, Some(rest), &mut captures)?;
        Some(Matched { endpoints, captures })
    }

    /// `rest` is what is left after the last slash; `None` at the end of the path. Goes no deeper
    /// than the longest pattern.
    fn walk<'p>(&self, at: usize, rest: Option<&'p str>, captures: &mut Captures<'p>) -> Option<&[Endpoint]> {
        let node = self.nodes.get(at)?;
        let Some(rest) = rest else {
            return (!node.here.is_empty()).then_some(node.here.as_slice());
        };
        let (segment, after) = match scan::cut(rest, b'/') {
            Some((segment, after)) => (segment, Some(after)),
            None => (rest, None),
        };
        let literal = node.literal(&decode_unreserved(segment));
        if let Some(found) = literal.and_then(|child| self.walk(child, after, captures)) {
            return Some(found);
        }
        if let Some(child) = node.one.filter(|_| !segment.is_empty()) {
            let before = captures.len();
            captures.push(segment);
            if let Some(found) = self.walk(child, after, captures) {
                return Some(found);
            }
            captures.truncate(before);
        }
        if node.rest.is_empty() {
            return None;
        }
        captures.push(rest);
        Some(&node.rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(patterns: &[&str]) -> RouteTable {
        let mut table = RouteTable::default();
        for (index, pattern) in patterns.iter().enumerate() {
            assert!(table.insert(&Pattern::parse(pattern).unwrap(), "GET", index));
        }
        table
    }

    fn found<'p>(table: &RouteTable, path: &'p str) -> Option<(usize, Vec<&'p str>)> {
        table.find(path).map(|matched| (matched.route("GET").unwrap(), matched.captures.to_vec()))
    }

    #[test]
    fn the_most_specific_pattern_wins_whatever_the_order() {
        let patterns = ["/{+all}", "/a/{+rest}", "/a/{id}", "/a/b", "/a/{id}/c", "/"];
        let table = table(&patterns);
        assert_eq!(found(&table, "/a/b"), Some((3, vec![])));
        assert_eq!(found(&table, "/a/x"), Some((2, vec!["x"])));
        assert_eq!(found(&table, "/a/b/c"), Some((4, vec!["b"])), "back from the literal to the placeholder");
        assert_eq!(found(&table, "/a/b/d"), Some((1, vec!["b/d"])));
        assert_eq!(found(&table, "/a/"), Some((1, vec![""])));
        assert_eq!(found(&table, "/a"), Some((0, vec!["a"])));
        assert_eq!(found(&table, "/"), Some((5, vec![])));
        assert_eq!(found(&table, "//"), Some((0, vec!["/"])));
    }

    #[test]
    fn a_trailing_slash_is_another_path() {
        let table = table(&["/a"]);
        assert_eq!(found(&table, "/a"), Some((0, vec![])));
        assert_eq!(found(&table, "/a/"), None);
        assert_eq!(found(&table, "/b"), None);
        assert_eq!(found(&table, ""), None);
    }

    #[test]
    fn an_encoded_spelling_does_not_slip_past_a_literal() {
        let table = table(&["/{+all}", "/admin/{+rest}", "/a%20b"]);
        assert_eq!(found(&table, "/%61dmin/x"), Some((1, vec!["x"])));
        assert_eq!(found(&table, "/a%20b"), Some((2, vec![])));
        assert_eq!(found(&table, "/Admin/x"), Some((0, vec!["Admin/x"])));
    }

    #[test]
    fn captures_are_as_sent() {
        let table = table(&["/f/{name}/{+rest}"]);
        assert_eq!(found(&table, "/f/a%2Fb/c%20d//e/"), Some((0, vec!["a%2Fb", "c%20d//e/"])));
    }

    #[test]
    fn methods_of_one_pattern_are_separate_and_listed() {
        let mut table = RouteTable::default();
        let pattern = Pattern::parse("/a").unwrap();
        assert!(table.insert(&pattern, "GET", 0));
        assert!(table.insert(&pattern, "POST", 1));
        assert!(!table.insert(&pattern, "POST", 2));
        let matched = table.find("/a").unwrap();
        assert_eq!(matched.route("POST"), Some(1));
        assert_eq!(matched.route("post"), None);
        assert_eq!(matched.allow(), "GET, POST");
    }
}
