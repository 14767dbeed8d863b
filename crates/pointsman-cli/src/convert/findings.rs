//! What an import says: what it could not carry over, and what is different here.

use serde_json::{Value, json};

use crate::output::{plain, red, yellow};

/// How much of what was asked for is there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// The route refuses everybody until somebody has looked at it.
    Closed,
    /// The route works, without this.
    Missing,
    /// It works, and not as it did.
    Differs,
    /// It was written from code that was read: somebody has to compare the two.
    Review,
    /// Good to know; nothing is left to do in the file.
    Note,
}

impl Kind {
    /// Whether somebody has to look at it.
    pub(crate) const fn is_left_to_do(self) -> bool {
        !matches!(self, Self::Note)
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Missing => "missing",
            Self::Differs => "differs",
            Self::Review => "review",
            Self::Note => "note",
        }
    }
}

/// One thing to know.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Finding {
    pub(crate) kind: Kind,
    /// `GET /users/{id}`, as the project has it; `None` for what is so everywhere.
    pub(crate) route: Option<String>,
    pub(crate) what: String,
    /// Where the documents say how it is done here.
    pub(crate) see: &'static str,
}

impl Finding {
    pub(crate) fn to_json(&self) -> Value {
        json!({ "kind": self.kind.word(), "route": self.route, "message": self.what, "see": self.see })
    }

    pub(crate) fn for_people(&self) -> String {
        let word = match self.kind {
            Kind::Closed => red(self.kind.word()),
            Kind::Missing | Kind::Differs | Kind::Review => yellow(self.kind.word()),
            Kind::Note => self.kind.word().to_owned(),
        };
        let route = self.route.as_ref().map(|route| format!("{}: ", plain(route))).unwrap_or_default();
        format!("{route}{word}: {} (see {})", plain(&self.what), self.see)
    }
}
