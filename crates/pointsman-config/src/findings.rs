//! What is wrong with a configuration, and where. All of it at once: nobody likes to mend a file one
//! message at a time.

use std::{borrow::Cow, fmt};

pub use pointsman_core::base::shape::escape;

/// Whether a finding keeps the configuration from being used.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// Probably a mistake.
    Warning,
}

/// One thing that is wrong.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// Where it is: a JSON Pointer (RFC 6901) into the configuration.
    pub pointer: String,
    /// What is wrong and what to do.
    pub what: Cow<'static, str>,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pointer = if self.pointer.is_empty() { "(the whole)" } else { &self.pointer };
        write!(formatter, "{pointer}: {}", self.what)
    }
}

/// Findings as they are collected.
#[derive(Debug, Default)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// Notes an error.
    pub fn error(&mut self, pointer: impl Into<String>, what: impl Into<Cow<'static, str>>) {
        self.add(Severity::Error, pointer.into(), what.into());
    }

    /// Notes a warning.
    pub fn warn(&mut self, pointer: impl Into<String>, what: impl Into<Cow<'static, str>>) {
        self.add(Severity::Warning, pointer.into(), what.into());
    }

    #[cold]
    #[inline(never)]
    fn add(&mut self, severity: Severity, pointer: String, what: Cow<'static, str>) {
        self.0.push(Finding { severity, pointer, what });
    }

    /// The value, or `None` with the error noted.
    pub fn take<T, E: fmt::Display>(&mut self, pointer: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.error(pointer, error.to_string())).ok()
    }

    /// Whether there is any error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// All of them.
    #[must_use]
    pub fn into_vec(self) -> Vec<Finding> {
        self.0
    }
}
