//! What a request says a resource must be like for it to be carried out (RFC 9110, section 13.1).

use crate::api::{Answered, Fields, problem::Problem};

/// The condition of a request.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Condition {
    /// `If-Match`: one of these versions, or any where the list is empty.
    matches: Option<Vec<u64>>,
    /// `If-None-Match: *`: there must be nothing yet.
    is_new: bool,
}

impl Condition {
    /// Reads the fields of a request.
    pub(crate) fn of(fields: &Fields) -> Answered<Self> {
        let matches = fields.if_match.as_deref().map(versions).transpose()?;
        let is_new = match fields.if_none_match.as_deref().map(str::trim) {
            None => false,
            Some("*") => true,
            Some(_) => {
                let what = "If-None-Match must be *, for a resource that is not there yet";
                return Err(Problem::Unreadable(what.to_owned()));
            }
        };
        Ok(Self { matches, is_new })
    }

    /// A condition is sent to be looked at: one of what has no version cannot be.
    pub(crate) fn needs_none(&self) -> Answered<()> {
        if *self == Self::default() {
            return Ok(());
        }
        let what = "If-Match and If-None-Match mean nothing here: leave them out";
        Err(Problem::Unreadable(what.to_owned()))
    }

    /// Whether a resource with this version is as the request wants it; 0 where there is none.
    pub(crate) fn check(&self, version: u64) -> Answered<()> {
        let fits = match &self.matches {
            None => true,
            Some(versions) if versions.is_empty() => version != 0,
            Some(versions) => versions.contains(&version),
        };
        if fits && (!self.is_new || version == 0) {
            return Ok(());
        }
        Err(Problem::PreconditionFailed { version })
    }
}

/// The versions that `If-Match` names; none for `*`. A weak tag matches nothing (section 13.1.1), and 0 is no version.
fn versions(field: &str) -> Answered<Vec<u64>> {
    if field.trim() == "*" {
        return Ok(Vec::new());
    }
    let version = |tag: &str| {
        let tag = tag.trim();
        let quoted =
            |tag: &str| tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"').map(str::to_owned));
        if tag.strip_prefix("W/").is_some_and(|weak| quoted(weak).is_some()) {
            return Ok(u64::MAX);
        }
        let text = quoted(tag).ok_or_else(|| {
            Problem::Unreadable(r#"If-Match must be * or tags in quotes, such as "17""#.to_owned())
        })?;
        Ok(text.parse().ok().filter(|version| *version != 0).unwrap_or(u64::MAX))
    };
    field.split(',').map(version).collect()
}

/// The tag of a version.
pub(crate) fn etag(version: u64) -> String {
    format!("\"{version}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn condition(if_match: Option<&str>, if_none_match: Option<&str>) -> Answered<Condition> {
        Condition::of(&Fields {
            if_match: if_match.map(str::to_owned),
            if_none_match: if_none_match.map(str::to_owned),
            ..Fields::default()
        })
    }

    #[test]
    fn a_condition_holds_of_the_version_that_was_seen() {
        let holds = |if_match, if_none_match, version| {
            condition(if_match, if_none_match).unwrap().check(version).is_ok()
        };
        assert!(holds(None, None, 0) && holds(None, None, 7));
        assert!(holds(Some("\"7\""), None, 7) && holds(Some("\"3\", \"7\""), None, 7));
        assert!(!holds(Some("\"7\""), None, 8) && !holds(Some("\"7\""), None, 0));
        assert!(holds(Some("*"), None, 7) && !holds(Some("*"), None, 0));
        assert!(
            !holds(Some("W/\"7\""), None, 7)
                && !holds(Some("\"x\""), None, 7)
                && !holds(Some("\"0\""), None, 0)
        );
        assert!(holds(None, Some("*"), 0) && !holds(None, Some("*"), 7));
        for (if_match, if_none_match) in
            [(Some("7"), None), (Some("\"7"), None), (Some(""), None), (None, Some("\"7\""))]
        {
            assert!(
                matches!(condition(if_match, if_none_match), Err(Problem::Unreadable(_))),
                "{if_match:?}"
            );
        }
    }
}
