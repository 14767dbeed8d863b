//! Operands: what a condition tests, and what a split or a limit tells callers apart by.
//!
//! [`registry`] has a row for each. Everything that knows of an operand reads it there: the configuration, its JSON
//! Schema, the command line, the console and the documentation.

use std::{fmt, rc::Rc};

use self::registry::{REGISTRY, Source};
use crate::{
    http::{cf::CfProperty, fields::is_token},
    identity::claims::ClaimPath,
};

pub mod registry;

/// What a condition looks at.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Operand {
    /// A claim.
    Claim(ClaimPath),
    /// `$subject`: the subject.
    Subject,
    /// `$country` and others: what the platform says of the client.
    Cf(CfOperand),
    /// `$ip`: the client's address.
    Ip,
    /// `$method`.
    Method,
    /// `$host`: the host that was asked for, in lower case, without its port.
    Host,
    /// `$param:name`: a `{name}` of the route's path, by its position; decoded, but for `%2F`.
    Param(usize, Rc<str>),
    /// `$header:name`: a request field.
    Header(Rc<str>),
    /// `$query:name`: a parameter of the query; one that stands there several times is a list.
    Query(Rc<str>),
}

/// An operand that is a property of the platform's `request.cf`.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct CfOperand {
    /// Its name behind `$`.
    pub name: &'static str,
    /// Where the platform says it.
    pub property: CfProperty,
}

/// What a value of an operand can be, where it has one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ValueType {
    /// Anything that JSON has.
    Any,
    /// A text.
    Text,
    /// A text; where a client sent it several times, a list of texts.
    Texts,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
}

/// The registry without the words for people, which are no part of the Worker.
static NAMES: [(&str, Source); REGISTRY.len()] = names();

#[allow(clippy::indexing_slicing)] // the compiler runs it, and refuses an index that is out of bounds
const fn names() -> [(&'static str, Source); REGISTRY.len()] {
    let mut names = [("", Source::Subject); REGISTRY.len()];
    let mut index = 0;
    while index < REGISTRY.len() {
        names[index] = (REGISTRY[index].name, REGISTRY[index].source);
        index += 1;
    }
    names
}

impl Operand {
    /// Reads an operand as a configuration writes it; `position` finds a placeholder of the route's path by its name.
    #[must_use]
    pub fn parse(written: &str, position: impl Fn(&str) -> Option<usize>) -> Option<Self> {
        let Some(special) = written.strip_prefix('$') else {
            return ClaimPath::parse(written).map(Self::Claim);
        };
        let (name, argument) = match special.split_once(':') {
            Some((name, argument)) => (name, Some(argument)),
            None => (special, None),
        };
        let (name, source) = *NAMES.iter().find(|(own, _)| *own == name)?;
        match (source, argument) {
            (Source::Subject, None) => Some(Self::Subject),
            (Source::Cf(property), None) => Some(Self::Cf(CfOperand { name, property })),
            (Source::Ip, None) => Some(Self::Ip),
            (Source::Method, None) => Some(Self::Method),
            (Source::Host, None) => Some(Self::Host),
            (Source::Param, Some(own)) => position(own).map(|position| Self::Param(position, Rc::from(own))),
            // Fields are looked up in lower case, as Fetch lists them.
            (Source::Header, Some(field)) if is_token(field) => {
                Some(Self::Header(Rc::from(field.to_ascii_lowercase())))
            }
            (Source::Query, Some(own)) if !own.is_empty() => Some(Self::Query(Rc::from(own))),
            _ => None,
        }
    }

    /// Whether it is whatever the caller says: each other word is another value.
    #[must_use]
    pub const fn is_callers_word(&self) -> bool {
        matches!(self, Self::Header(_) | Self::Query(_) | Self::Host | Self::Method)
    }

    /// What its values can be.
    #[must_use]
    pub const fn value_type(&self) -> ValueType {
        match self {
            Self::Claim(_) => ValueType::Any,
            Self::Cf(own) => Source::Cf(own.property).value_type(),
            Self::Subject => Source::Subject.value_type(),
            Self::Ip => Source::Ip.value_type(),
            Self::Method => Source::Method.value_type(),
            Self::Host => Source::Host.value_type(),
            Self::Param(..) => Source::Param.value_type(),
            Self::Header(_) => Source::Header.value_type(),
            Self::Query(_) => Source::Query.value_type(),
        }
    }
}

impl fmt::Display for Operand {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Claim(path) => write!(formatter, "{path}"),
            Self::Subject => formatter.write_str("$subject"),
            Self::Cf(own) => write!(formatter, "${}", own.name),
            Self::Ip => formatter.write_str("$ip"),
            Self::Method => formatter.write_str("$method"),
            Self::Host => formatter.write_str("$host"),
            Self::Param(_, name) => write!(formatter, "$param:{name}"),
            Self::Header(name) => write!(formatter, "$header:{name}"),
            Self::Query(name) => write!(formatter, "$query:{name}"),
        }
    }
}

#[cfg(test)]
mod tests;
