//! Names that are written into the log, without a copy of each.

use std::{ops::Deref, rc::Rc};

/// A name that this program gives, or the configuration.
#[derive(Clone, Debug)]
pub enum Name {
    /// This program's.
    Fixed(&'static str),
    /// The configuration's.
    Given(Rc<str>),
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Fixed(name) => name,
            Self::Given(name) => name,
        }
    }
}
