//! What is wrong, with its place: a line of a file, or an entry of KV.

use pointsman_config::findings::{Finding, Severity};
use serde_json::{Value, json};

use crate::output::{plain, red, yellow};

/// A finding with its place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Placed {
    pub(crate) finding: Finding,
    pub(crate) at: At,
}

/// Where something is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum At {
    /// A line of a file, counted from 1; 0 for the whole file.
    Line { file: String, line: usize },
    /// A place in a line of a file, both counted from 1.
    Column { file: String, line: usize, column: usize },
    /// An entry of KV.
    Entry(String),
}

impl std::fmt::Display for At {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Line { file, line: 0 } => formatter.write_str(file),
            Self::Line { file, line } => write!(formatter, "{file}:{line}"),
            Self::Column { file, line, column } => write!(formatter, "{file}:{line}:{column}"),
            Self::Entry(name) => write!(formatter, "KV {}", plain(name)),
        }
    }
}

impl Placed {
    /// An error.
    pub(crate) fn error(at: At, pointer: impl Into<String>, what: impl Into<String>) -> Self {
        let (severity, pointer, what) = (Severity::Error, pointer.into(), what.into());
        Self { finding: Finding { severity, pointer, what: what.into() }, at }
    }

    /// A warning.
    pub(crate) fn warning(at: At, pointer: impl Into<String>, what: impl Into<String>) -> Self {
        let (severity, pointer, what) = (Severity::Warning, pointer.into(), what.into());
        Self { finding: Finding { severity, pointer, what: what.into() }, at }
    }

    pub(crate) const fn is_error(&self) -> bool {
        matches!(self.finding.severity, Severity::Error)
    }

    /// Its line; 0 for an entry of KV.
    pub(crate) const fn line(&self) -> usize {
        match self.at {
            At::Line { line, .. } | At::Column { line, .. } => line,
            At::Entry(_) => 0,
        }
    }

    /// For machines.
    pub(crate) fn to_json(&self) -> Value {
        let severity = if self.is_error() { "error" } else { "warning" };
        let Finding { pointer, what, .. } = &self.finding;
        match &self.at {
            At::Line { file, line } => json!({
                "severity": severity, "file": file, "line": line, "pointer": pointer, "message": what,
            }),
            At::Column { file, line, column } => json!({
                "severity": severity, "file": file, "line": line, "column": column, "pointer": pointer, "message": what,
            }),
            At::Entry(name) => json!({
                "severity": severity, "entry": name, "pointer": pointer, "message": what,
            }),
        }
    }
}

/// Prints findings for people.
pub(crate) fn print_all(findings: &[Placed]) {
    for Placed { finding, at } in findings {
        let severity = match finding.severity {
            Severity::Error => red("error"),
            Severity::Warning => yellow("warning"),
        };
        eprintln!("{at}: {severity}: {}", plain(&finding.to_string()));
    }
}

/// How many of them are errors.
pub(crate) fn errors(findings: &[Placed]) -> usize {
    findings.iter().filter(|placed| placed.is_error()).count()
}
