//! Zuplo asks routes in the order of the file; here the most specific path decides. Where that comes to
//! something else, it is said, or the route that was never reached is left out.

use pointsman_core::routing::pattern::{Pattern, Segment};

/// What the comparison looks at.
pub(super) struct Entry<'a> {
    pub(super) method: &'a str,
    pub(super) pattern: &'a Pattern,
    /// Whether the pattern takes more than the path that it stands for.
    pub(super) wider: bool,
}

/// What comes of an order.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Remark {
    /// The first of these took all requests of the second, which is left out.
    NeverReached(usize, usize),
    /// The second one's path is written as that of the first, which is wider here. It is left out.
    Taken(usize, usize),
    /// Some requests went to the first of these, and go to the second here.
    GoesTo(usize, usize),
    /// Requests of the first one's method for paths of the others went to it, and are refused here.
    Refused(usize, Vec<usize>),
}

/// Compares all of them, in the order in which they are matched.
pub(super) fn compare(entries: &[Entry<'_>]) -> Vec<Remark> {
    let mut remarks = Vec::new();
    let mut gone = vec![false; entries.len()];
    for (later, own) in entries.iter().enumerate() {
        for (earlier, other) in entries.iter().enumerate().take(later) {
            let is_gone = gone.get(earlier).copied().unwrap_or(false);
            if is_gone || own.method != other.method || !overlap(other.pattern, own.pattern) {
                continue;
            }
            let taken = other.wider && same(other.pattern, own.pattern);
            if taken || (!other.wider && covers(other.pattern, own.pattern)) {
                remarks.push(if taken {
                    Remark::Taken(earlier, later)
                } else {
                    Remark::NeverReached(earlier, later)
                });
                if let Some(gone) = gone.get_mut(later) {
                    *gone = true;
                }
                break;
            }
            if prefers(own.pattern, other.pattern) {
                remarks.push(Remark::GoesTo(earlier, later));
            }
        }
    }
    let left: Vec<_> =
        (0..entries.len()).filter(|index| !gone.get(*index).copied().unwrap_or(false)).collect();
    for &general in &left {
        let refused: Vec<_> =
            left.iter().copied().filter(|special| is_refused(general, *special, entries)).collect();
        if !refused.is_empty() {
            remarks.push(Remark::Refused(general, refused));
        }
    }
    remarks
}

/// Whether paths of the special one went to the general one with a method that the special one lacks.
fn is_refused(general: usize, special: usize, entries: &[Entry<'_>]) -> bool {
    let (Some(general), Some(own)) = (entries.get(general), entries.get(special)) else { return false };
    let alike = |entry: &Entry<'_>| same(entry.pattern, own.pattern);
    let has_it = entries.iter().any(|entry| alike(entry) && entry.method == general.method);
    let is_first = !entries.iter().take(special).any(alike);
    covers(general.pattern, own.pattern) && !alike(general) && !has_it && is_first
}

/// Whether some path fits both.
fn overlap(one: &Pattern, other: &Pattern) -> bool {
    let mut others = other.segments.iter();
    for own in &one.segments {
        match (own, others.next()) {
            (Segment::Rest(_), Some(_)) | (_, Some(Segment::Rest(_))) => return true,
            (_, None) => return false,
            (Segment::Literal(own), Some(Segment::Literal(other))) if own != other => return false,
            (Segment::Literal(text), Some(Segment::One(_)))
            | (Segment::One(_), Some(Segment::Literal(text)))
                if text.is_empty() =>
            {
                return false;
            }
            _ => {}
        }
    }
    others.next().is_none()
}

/// Whether every path that fits `other` fits `one`.
fn covers(one: &Pattern, other: &Pattern) -> bool {
    let mut others = other.segments.iter();
    for own in &one.segments {
        match (own, others.next()) {
            (Segment::Rest(_), Some(_)) => return true,
            (Segment::One(_), Some(Segment::One(_))) => {}
            (Segment::One(_), Some(Segment::Literal(text))) if !text.is_empty() => {}
            (Segment::Literal(own), Some(Segment::Literal(other))) if own == other => {}
            _ => return false,
        }
    }
    others.next().is_none()
}

/// Whether they differ in names at the most.
fn same(one: &Pattern, other: &Pattern) -> bool {
    covers(one, other) && covers(other, one)
}

/// Whether a path that fits both goes to `one` here.
fn prefers(one: &Pattern, other: &Pattern) -> bool {
    let rank = |segment: &Segment| match segment {
        Segment::Literal(_) => 0,
        Segment::One(_) => 1,
        Segment::Rest(_) => 2,
    };
    let ranks = |pattern: &Pattern| pattern.segments.iter().map(rank).collect::<Vec<_>>();
    ranks(one) < ranks(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(routes: &[(&str, &str)]) -> Vec<Remark> {
        let patterns: Vec<_> = routes.iter().map(|(_, path)| Pattern::parse(path).unwrap()).collect();
        let entries = routes.iter().zip(&patterns);
        let entries: Vec<_> = entries
            .map(|((method, _), pattern)| Entry {
                method,
                pattern,
                wider: pattern.names().any(|name| name == "wide"),
            })
            .collect();
        compare(&entries)
    }

    #[test]
    fn the_usual_order_says_nothing() {
        assert_eq!(compared(&[("GET", "/a/b"), ("GET", "/a/{x}"), ("GET", "/{+all}")]), []);
        assert_eq!(compared(&[("GET", "/a/{x}"), ("POST", "/a/{x}"), ("GET", "/b/{x}")]), []);
    }

    #[test]
    fn what_was_never_reached_is_known() {
        assert_eq!(compared(&[("GET", "/{+all}"), ("GET", "/a")]), [Remark::NeverReached(0, 1)]);
        assert_eq!(compared(&[("GET", "/a/{x}"), ("GET", "/a/{y}")]), [Remark::NeverReached(0, 1)]);
        assert_eq!(compared(&[("GET", "/a/{x}"), ("GET", "/a/b")]), [Remark::NeverReached(0, 1)]);
    }

    #[test]
    fn a_path_that_is_wider_here_took_less() {
        assert_eq!(compared(&[("GET", "/a/{wide}"), ("GET", "/a/b")]), [Remark::GoesTo(0, 1)]);
        assert_eq!(compared(&[("GET", "/a/{wide}"), ("GET", "/a/{x}")]), [Remark::Taken(0, 1)]);
    }

    #[test]
    fn paths_that_cross_are_known() {
        assert_eq!(compared(&[("GET", "/{x}/b"), ("GET", "/a/{y}")]), [Remark::GoesTo(0, 1)]);
        assert_eq!(compared(&[("GET", "/a/{y}"), ("GET", "/{x}/b")]), []);
    }

    #[test]
    fn methods_that_fell_through_are_known() {
        assert_eq!(
            compared(&[("GET", "/a"), ("GET", "/{+all}"), ("POST", "/{+all}")]),
            [Remark::Refused(2, vec![0])]
        );
        assert_eq!(compared(&[("GET", "/a"), ("POST", "/a"), ("POST", "/{+all}")]), []);
    }
}
