//! What is wrong with a configuration, and where. All of it at once: nobody likes to mend a file one
//! message at a time.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use pointsman_checked::Fault;
pub use pointsman_core::base::shape::escape;
use serde_json::Value;

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

impl Finding {
    /// What the Worker itself would say.
    pub(crate) fn of(severity: Severity, fault: Fault) -> Self {
        Self { severity, pointer: fault.pointer, what: fault.what }
    }
}

/// The name that was probably meant.
#[must_use]
pub fn nearest<'n>(name: &str, names: impl IntoIterator<Item = &'n str>) -> Option<&'n str> {
    let distance = |own: &str| strsim::damerau_levenshtein(&own.to_lowercase(), &name.to_lowercase());
    // Of a short name, one letter; two of a longer one.
    let most = if name.chars().count() < 5 { 1 } else { 2 };
    let near = names.into_iter().map(|own| (distance(own), own)).filter(|(distance, _)| *distance <= most);
    near.min().map(|(_, own)| own)
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pointer = if self.pointer.is_empty() { "(the whole)" } else { &self.pointer };
        write!(formatter, "{pointer}: {}", self.what)
    }
}

impl std::error::Error for Finding {}

/// Findings as they are collected, and the texts that have places for variables: what is checked is what they are filled with,
/// what is written into the checked form is the text itself.
#[derive(Debug, Default)]
pub struct Findings {
    all: Vec<Finding>,
    /// The places in `all` of what may only follow from something else.
    follow_ups: BTreeSet<usize>,
    /// By pointer.
    with_variables: BTreeMap<String, String>,
    /// The pointers of those that were written.
    written: BTreeSet<String>,
    /// Kinds of which a name was used that there is not.
    unknown: BTreeSet<Kind>,
}

/// What is referred to by name.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Kind {
    Backend,
    Condition,
    Issuer,
    Limit,
    Policy,
    Shape,
}

impl Findings {
    /// None yet, of a file in which these texts have places for variables.
    #[must_use]
    pub(crate) fn of_texts(with_variables: BTreeMap<String, String>) -> Self {
        Self { with_variables, ..Self::default() }
    }

    /// A value as the checked form has it: the text with its variables, where it has any, else `value`.
    pub(crate) fn write(&mut self, pointer: &str, value: impl Into<Value>) -> Value {
        match self.with_variables.get(pointer) {
            None => value.into(),
            Some(text) => {
                self.written.insert(pointer.to_owned());
                text.as_str().into()
            }
        }
    }

    /// Whether the text there has a place for a variable.
    pub(crate) fn has_variable(&self, pointer: &str) -> bool {
        self.with_variables.contains_key(pointer)
    }

    /// Notes variables in texts that are looked at once, when the file is checked.
    pub(crate) fn refuse_other_variables(&mut self) {
        let others: Vec<_> =
            self.with_variables.keys().filter(|pointer| !self.written.contains(*pointer)).cloned().collect();
        for pointer in others {
            self.error(
                pointer,
                "must not have a ${…}: the check has to know it, so it is the same in all environments",
            );
        }
    }

    /// Notes an error.
    pub fn error(&mut self, pointer: impl Into<String>, what: impl Into<Cow<'static, str>>) {
        self.add(Severity::Error, pointer.into(), what.into());
    }

    /// Notes a warning.
    pub fn warn(&mut self, pointer: impl Into<String>, what: impl Into<Cow<'static, str>>) {
        self.add(Severity::Warning, pointer.into(), what.into());
    }

    /// Notes an error that something else may have brought forth: a backend that was left out, since it could not be
    /// read, is missing where a rule names it.
    pub(crate) fn follow_up(&mut self, pointer: impl Into<String>, what: impl Into<Cow<'static, str>>) {
        self.follow_ups.insert(self.all.len());
        self.error(pointer, what);
    }

    /// Notes a name that there is not: `write` says what else may stand there. Whatever was meant is then not unused.
    pub(crate) fn unknown<'n>(
        &mut self,
        kind: Kind,
        pointer: impl Into<String>,
        name: &str,
        names: impl IntoIterator<Item = &'n str>,
        write: &str,
    ) {
        self.unknown.insert(kind);
        let write = nearest(name, names).map_or_else(|| write.to_owned(), |near| format!("write \"{near}\""));
        self.follow_up(pointer, format!("\"{name}\" is unknown: {write}"));
    }

    /// Whether a name of this kind was used that there is not.
    pub(crate) fn has_unknown(&self, kind: Kind) -> bool {
        self.unknown.contains(&kind)
    }

    /// How many errors there are: whether what was read since has any.
    pub(crate) fn errors(&self) -> usize {
        self.all.iter().filter(|finding| finding.severity == Severity::Error).count()
    }

    #[cold]
    #[inline(never)]
    fn add(&mut self, severity: Severity, pointer: String, what: Cow<'static, str>) {
        self.all.push(Finding { severity, pointer, what });
    }

    /// The value, or `None` with the error noted.
    pub fn take<T, E: fmt::Display>(&mut self, pointer: &str, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.error(pointer, error.to_string())).ok()
    }

    /// Whether there is any error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.all.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// The errors that nothing else can have brought forth.
    pub(crate) fn into_causes(self) -> Vec<Finding> {
        let Self { all, follow_ups, .. } = self;
        let all = all.into_iter().enumerate();
        let is_cause = |place: usize, finding: &Finding| {
            finding.severity == Severity::Error && !follow_ups.contains(&place)
        };
        all.filter(|(place, finding)| is_cause(*place, finding)).map(|(_, finding)| finding).collect()
    }

    /// All of them.
    #[must_use]
    pub fn into_vec(self) -> Vec<Finding> {
        self.all
    }
}
