//! A value of the checked form, read member by member. The first thing that does not fit ends the reading: the form was
//! written by a program that has read it back, so a fault is a variable's value or a form of another version.

use std::{borrow::Cow, fmt};

use pointsman_core::base::{
    shape::escape,
    time::Span,
    units::{parse_share, parse_size},
};
use serde_json::Value;

/// What keeps a configuration from being used, and where.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Fault {
    /// A JSON Pointer (RFC 6901) into the checked form, whose members have the names of `gateway.toml`.
    pub pointer: String,
    /// What is wrong, and what to do. Never a value: it may be a secret.
    pub what: Cow<'static, str>,
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pointer = if self.pointer.is_empty() { "(the whole)" } else { &self.pointer };
        write!(formatter, "{pointer}: {}", self.what)
    }
}

impl std::error::Error for Fault {}

/// What was read, or the fault. Boxed, so that the good case moves no more than it needs.
pub(super) type Read<T> = Result<T, Box<Fault>>;

#[cold]
#[inline(never)]
pub(super) fn fault<T>(what: impl Into<Cow<'static, str>>) -> Read<T> {
    Err(Box::new(Fault { pointer: String::new(), what: what.into() }))
}

#[cold]
#[inline(never)]
fn inside(mut fault: Box<Fault>, step: &str) -> Box<Fault> {
    fault.pointer = format!("/{}{}", escape(step), fault.pointer);
    fault
}

/// A value of the checked form.
#[derive(Clone, Copy)]
pub(super) struct Node<'a>(pub(super) &'a Value);

impl<'a> Node<'a> {
    /// The member of that name; null where there is none.
    #[inline(never)]
    pub(super) fn member(self, name: &str) -> Self {
        Self(self.0.get(name).unwrap_or(&Value::Null))
    }

    pub(super) fn is_null(self) -> bool {
        self.0.is_null()
    }

    /// Reads a member, which may be missing only where `read` takes null.
    pub(super) fn read<T>(self, name: &str, read: impl FnOnce(Self) -> Read<T>) -> Read<T> {
        read(self.member(name)).map_err(|fault| inside(fault, name))
    }

    /// Reads a member that may be missing.
    pub(super) fn option<T>(self, name: &str, read: impl FnOnce(Self) -> Read<T>) -> Read<Option<T>> {
        let member = self.member(name);
        if member.is_null() { Ok(None) } else { read(member).map(Some).map_err(|fault| inside(fault, name)) }
    }

    /// Reads a list that is empty where it is missing.
    pub(super) fn list<T>(self, name: &str, read: impl FnMut(Self) -> Read<T>) -> Read<Vec<T>> {
        self.read(name, |list| if list.is_null() { Ok(Vec::new()) } else { list.items(read) })
    }

    /// Reads the items of a list. A loop, since the adapters that collect results are inlined with all that they call.
    pub(super) fn items<T>(self, mut read: impl FnMut(Self) -> Read<T>) -> Read<Vec<T>> {
        let list = self.array()?;
        let mut items = Vec::with_capacity(list.len());
        for (index, item) in list.iter().enumerate() {
            match read(Self(item)) {
                Ok(item) => items.push(item),
                Err(fault) => return Err(inside(fault, &index.to_string())),
            }
        }
        Ok(items)
    }

    #[inline(never)]
    fn array(self) -> Read<&'a [Value]> {
        match self.0 {
            Value::Array(items) => Ok(items),
            _ => fault("must be a list"),
        }
    }

    /// Text that is not empty: a variable without a value would match everything, or nothing.
    #[inline(never)]
    pub(super) fn filled_text(self) -> Read<String> {
        match self.text()? {
            "" => fault("must not be empty"),
            text => Ok(text.to_owned()),
        }
    }

    /// Reads a list of texts that is empty where it is missing.
    #[inline(never)]
    pub(super) fn strings(self, name: &str) -> Read<Vec<String>> {
        self.list(name, Self::string)
    }

    #[inline(never)]
    pub(super) fn text(self) -> Read<&'a str> {
        match self.0 {
            Value::String(text) => Ok(text),
            _ => fault("must be text"),
        }
    }

    #[inline(never)]
    pub(super) fn string(self) -> Read<String> {
        self.text().map(str::to_owned)
    }

    #[inline(never)]
    pub(super) fn flag(self) -> Read<bool> {
        match self.0 {
            Value::Bool(flag) => Ok(*flag),
            Value::Null => Ok(false),
            _ => fault("must be true or false"),
        }
    }

    #[inline(never)]
    pub(super) fn whole(self) -> Read<u64> {
        match self.0.as_u64() {
            Some(number) => Ok(number),
            None => fault("must be a whole number"),
        }
    }

    /// A whole number of a smaller type.
    pub(super) fn small<T: TryFrom<u64>>(self) -> Read<T> {
        match T::try_from(self.whole()?) {
            Ok(number) => Ok(number),
            Err(_) => fault("is too large"),
        }
    }

    /// A span of time: milliseconds, or what a variable says (`30s`).
    #[inline(never)]
    pub(super) fn span(self) -> Read<Span> {
        match self.0 {
            Value::String(text) => match Span::parse(text) {
                Some(span) => Ok(span),
                None => fault("must be a whole number and a unit: 250ms, 30s, 5m, 24h or 7d"),
            },
            _ => self.whole().map(Span::from_millis),
        }
    }

    /// A span that is not nothing, and at most so long.
    #[inline(never)]
    pub(super) fn timeout(self, most: Span) -> Read<Span> {
        let span = self.span()?;
        if span == Span::default() || span > most {
            fault(format!("must be greater than 0 and at most {most}"))
        } else {
            Ok(span)
        }
    }

    /// A size in bytes: a number, or what a variable says (`16MB`).
    #[inline(never)]
    pub(super) fn size(self, least: u64, most: u64) -> Read<u64> {
        let size = match self.0 {
            Value::String(text) => parse_size(text),
            _ => self.0.as_u64(),
        };
        match size.filter(|size| (least..=most).contains(size)) {
            Some(size) => Ok(size),
            None => fault(format!("must be a size from {}KB to {}MB", least.div_ceil(1 << 10), most >> 20)),
        }
    }

    /// A share of a hundred: a number, or what a variable says (`20%`).
    #[inline(never)]
    pub(super) fn share(self) -> Read<u8> {
        let share = match self.0 {
            Value::String(text) => parse_share(text),
            _ => self.0.as_u64().and_then(|share| u8::try_from(share).ok()),
        };
        match share.filter(|share| *share <= 100) {
            Some(share) => Ok(share),
            None => fault("must be a share such as 20%"),
        }
    }

    /// Text that is parsed.
    pub(super) fn parsed<T, E: fmt::Display>(self, parse: impl FnOnce(&'a str) -> Result<T, E>) -> Read<T> {
        match parse(self.text()?) {
            Ok(value) => Ok(value),
            Err(error) => fault(error.to_string()),
        }
    }

    /// Text that is parsed; `wanted` is what it must be.
    pub(super) fn known<T>(self, wanted: &'static str, parse: impl FnOnce(&'a str) -> Option<T>) -> Read<T> {
        match parse(self.text()?) {
            Some(value) => Ok(value),
            None => fault(wanted),
        }
    }
}
