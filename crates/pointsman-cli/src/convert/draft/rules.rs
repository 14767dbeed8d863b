//! Rules of a route, and their text.

use std::fmt::Write;

use toml::Table;

use super::quoted;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RuleDraft {
    /// Once in a route.
    pub(crate) name: String,
    /// Conditions, as the file has them; none where there are none.
    pub(crate) when: Table,
    pub(crate) act: Act,
}

/// What a rule does.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Act {
    /// Sends to the backend of this name.
    To(String),
    /// Sends to the customer's own backend. With `next`, callers without a customer, and those whose customer is not listed, go
    /// on to the next rule.
    Customer { next: bool },
    /// Refuses with this status.
    Deny(u16),
}

impl RuleDraft {
    /// Sends whatever comes to it to one backend.
    pub(crate) fn forward(backend: String) -> Self {
        Self { name: "forward".to_owned(), when: Table::new(), act: Act::To(backend) }
    }

    /// Keeps everybody out, until somebody has done the rest by hand.
    pub(crate) fn not_imported() -> Self {
        Self { name: "not-imported".to_owned(), when: Table::new(), act: Act::Deny(403) }
    }

    fn text(&self) -> String {
        let mut text = format!("{{ name = {}, ", quoted(&self.name));
        if !self.when.is_empty() {
            let _ = write!(text, "when = {}, ", toml::Value::Table(self.when.clone()));
        }
        let _ = match &self.act {
            Act::To(backend) => write!(text, "to = {} }}", quoted(backend)),
            Act::Customer { next: false } => write!(text, "to = \"customer\" }}"),
            Act::Customer { next: true } => write!(text, "to = \"customer\", unlisted = \"next\" }}"),
            Act::Deny(status) => write!(text, "deny = {status} }}"),
        };
        text
    }
}

/// Writes the rules of a route: one on the line of their name, several on lines of their own.
pub(super) fn write<'a>(rules: impl IntoIterator<Item = &'a RuleDraft>, text: &mut String) {
    let rules: Vec<_> = rules.into_iter().map(RuleDraft::text).collect();
    match rules.as_slice() {
        [one] => {
            let _ = writeln!(text, "rules = [{one}]");
        }
        several => {
            text.push_str("rules = [\n");
            for rule in several {
                let _ = writeln!(text, "  {rule},");
            }
            text.push_str("]\n");
        }
    }
}
