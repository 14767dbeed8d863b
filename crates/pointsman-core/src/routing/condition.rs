//! Conditions: what is asked of a caller and a request, and how it is compared.

use std::{borrow::Cow, cmp::Ordering, fmt, net::IpAddr, rc::Rc};

use serde_json::{Number, Value};

use crate::{
    base::{cidr::Cidr, json, number, percent::decode_lenient},
    http::head::{Head, PresentFields},
    identity::principal::Principal,
    routing::operand::Operand,
};

/// Something that holds of a request or does not.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// One thing passes a test.
    Is {
        /// What is tested.
        of: Operand,
        /// How.
        test: Test,
    },
    /// All of these hold.
    All(Vec<Condition>),
    /// One of these holds.
    Any(Vec<Condition>),
    /// The other does not hold.
    Not(Box<Condition>),
    /// One that the configuration gave a name.
    Named(Rc<Named>),
}

/// A condition with a name, shared by all who use it.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    /// The name.
    pub name: Rc<str>,
    /// What it means.
    pub condition: Condition,
}

/// A test of a value that may be absent.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// It is this string, number or boolean, of the same type.
    Equals(Value),
    /// It is one of these.
    OneOf(Vec<Value>),
    /// It is there (`null` is), or is not.
    Exists(bool),
    /// It is an array that holds this.
    Contains(Value),
    /// It is an array that holds this, or a text of words between spaces of which this is one: what
    /// `scope` is (RFC 8693, section 4.2).
    Has(String),
    /// It is a text that begins with one of these.
    Prefix(Vec<String>),
    /// It is a text that ends with one of these.
    Suffix(Vec<String>),
    /// It is a number that compares so with this one.
    Compares(Comparison, Number),
    /// It is an address in one of these ranges.
    Within(Vec<Cidr>),
    /// One of its values passes: a client may send a parameter or a field twice.
    OneValue(Values, Box<Test>),
    /// It has a value, and each of its values passes.
    EachValue(Values, Box<Test>),
    /// The other test fails. An absent value fails every test but `exists = false`, so its negation
    /// holds.
    Not(Box<Test>),
    /// All of these.
    All(Vec<Test>),
}

/// What counts as the values of one thing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Values {
    /// The items of a list, else the value itself.
    Items,
    /// The elements between the commas of a field, whose lines Fetch joins with commas (RFC 9110, section 5.3).
    Elements,
}

impl Values {
    fn of(self, value: &Value) -> Vec<Cow<'_, Value>> {
        match value {
            Value::Array(items) => items.iter().map(Cow::Borrowed).collect(),
            Value::String(text) if self == Self::Elements => {
                text.split(',').map(|element| Cow::Owned(Value::from(element.trim()))).collect()
            }
            one => vec![Cow::Borrowed(one)],
        }
    }
}

/// How a number compares.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Comparison {
    /// `>`
    Above,
    /// `>=`
    AtLeast,
    /// `<`
    Below,
    /// `<=`
    AtMost,
}

/// All that conditions can look at.
pub struct Facts<'a> {
    /// Who calls.
    pub principal: &'a Principal,
    /// What they send.
    pub head: &'a Head<'a>,
    /// What the route's pattern captured of the path, in its order.
    pub captures: &'a [&'a str],
}

impl Facts<'_> {
    /// The value of `of`, where there is one.
    #[must_use]
    pub fn find(&self, of: &Operand) -> Option<Cow<'_, Value>> {
        let text = |text: String| Some(Cow::Owned(Value::String(text)));
        match of {
            Operand::Claim(path) => self.principal.claims.find(path).map(Cow::Borrowed),
            Operand::Subject => text(self.principal.subject.as_deref()?.to_owned()),
            Operand::Cf(own) => own.property.read(self.head.fields).map(Cow::Owned),
            Operand::Ip => {
                text(self.head.field(PresentFields::CF_CONNECTING_IP, "cf-connecting-ip")?.trim().to_owned())
            }
            Operand::Method => text(self.head.method.to_owned()),
            Operand::Host => text(self.head.target.host().to_ascii_lowercase()),
            Operand::Param(position, _) => text(decoded_segment(self.captures.get(*position)?)),
            Operand::Header(name) => text(self.head.fields.get(name)?.into_owned()),
            Operand::Query(name) => query(self.head.target.query?, name).map(Cow::Owned),
        }
    }

    /// The text by which `of` tells one caller from another; `None` where there is nothing to tell by.
    #[must_use]
    pub fn key(&self, of: &Operand) -> Option<String> {
        match self.find(of)?.as_ref() {
            Value::String(text) if text.is_empty() => None,
            Value::String(text) => Some(text.clone()),
            Value::Null => None,
            // As a text it would be that of its neighbours too, and all of them one caller.
            Value::Number(own) => number::key(own),
            other => number::all_exact(other).then(|| json::text(other)),
        }
    }
}

/// A segment as a backend reads it, in which a slash stays `%2F`: two segments and one are never the same text.
fn decoded_segment(segment: &str) -> String {
    let parts: Vec<_> = segment
        .split("%2F")
        .flat_map(|part| part.split("%2f"))
        .map(|part| String::from_utf8_lossy(&decode_lenient(part.as_bytes())).into_owned())
        .collect();
    parts.join("%2F")
}

/// The value of a query's parameter, decoded as forms are (WHATWG URL, "urlencoded parsing").
fn query(query: &str, name: &str) -> Option<Value> {
    let mut values = query.split('&').filter(|pair| !pair.is_empty()).filter_map(|pair| {
        let (own, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode_form(own) == name).then(|| Value::String(decode_form(value)))
    });
    let first = values.next()?;
    let mut rest: Vec<_> = values.collect();
    if rest.is_empty() {
        return Some(first);
    }
    rest.insert(0, first);
    Some(Value::Array(rest))
}

fn decode_form(text: &str) -> String {
    let spaced = text.replace('+', " ");
    String::from_utf8_lossy(&decode_lenient(spaced.as_bytes())).into_owned()
}

impl Condition {
    /// Whether it holds.
    #[must_use]
    pub fn holds(&self, facts: &Facts<'_>) -> bool {
        match self {
            Self::Is { of, test } => test.holds(facts.find(of).as_deref()),
            Self::All(all) => all.iter().all(|condition| condition.holds(facts)),
            Self::Any(any) => any.iter().any(|condition| condition.holds(facts)),
            Self::Not(other) => !other.holds(facts),
            Self::Named(named) => named.condition.holds(facts),
        }
    }

    /// Calls `see` with all that it looks at.
    pub fn each_operand(&self, see: &mut dyn FnMut(&Operand)) {
        match self {
            Self::Is { of, .. } => see(of),
            Self::All(all) | Self::Any(all) => all.iter().for_each(|condition| condition.each_operand(see)),
            Self::Not(other) => other.each_operand(see),
            Self::Named(named) => named.condition.each_operand(see),
        }
    }

    /// Whether it surely holds wherever `other` does. May say no where the answer is yes.
    #[must_use]
    pub fn is_implied_by(&self, other: &Self) -> bool {
        if self == other {
            return true;
        }
        match (self, other) {
            (Self::Named(named), _) => named.condition.is_implied_by(other),
            (_, Self::Named(named)) => self.is_implied_by(&named.condition),
            (Self::All(all), _) => all.iter().all(|condition| condition.is_implied_by(other)),
            (_, Self::Any(any)) => any.iter().all(|condition| self.is_implied_by(condition)),
            (_, Self::All(all)) => all.iter().any(|condition| self.is_implied_by(condition)),
            (Self::Any(any), _) => any.iter().any(|condition| condition.is_implied_by(other)),
            (Self::Is { of, test }, Self::Is { of: other, test: passed }) => {
                of == other && test.is_implied_by(passed)
            }
            _ => false,
        }
    }

    /// Why it does not hold, for people; `None` where it holds.
    #[must_use]
    pub fn why_not(&self, facts: &Facts<'_>) -> Option<String> {
        if self.holds(facts) {
            return None;
        }
        Some(match self {
            Self::Is { of, test } => compared(of, test, facts),
            Self::All(all) => all.iter().find_map(|condition| condition.why_not(facts)).unwrap_or_default(),
            Self::Any(any) => {
                let reasons: Vec<_> = any.iter().filter_map(|condition| condition.why_not(facts)).collect();
                reasons.join("; and ")
            }
            Self::Not(other) => format!("$not: {other} holds"),
            Self::Named(named) => {
                format!("{}: {}", named.name, named.condition.why_not(facts).unwrap_or_default())
            }
        })
    }
}

impl Condition {
    /// Why it holds, for people; `None` where it does not hold.
    #[must_use]
    pub fn why(&self, facts: &Facts<'_>) -> Option<String> {
        if !self.holds(facts) {
            return None;
        }
        Some(match self {
            Self::Is { of, test } => compared(of, test, facts),
            Self::All(all) => {
                let reasons: Vec<_> = all.iter().filter_map(|condition| condition.why(facts)).collect();
                reasons.join("; and ")
            }
            Self::Any(any) => any.iter().find_map(|condition| condition.why(facts)).unwrap_or_default(),
            Self::Not(other) => format!("$not: {}", other.why_not(facts).unwrap_or_default()),
            Self::Named(named) => {
                format!("{}: {}", named.name, named.condition.why(facts).unwrap_or_default())
            }
        })
    }
}

/// What a test looked at, and what it wants.
#[cold]
#[inline(never)]
fn compared(of: &Operand, test: &Test, facts: &Facts<'_>) -> String {
    match facts.find(of) {
        Some(value) => format!("{of} is {}, and {test}", json::text(&value)),
        None => format!("{of} is not there, and {test}"),
    }
}

impl Test {
    /// Whether `value` passes.
    #[must_use]
    pub fn holds(&self, value: Option<&Value>) -> bool {
        let text = || value.and_then(Value::as_str);
        match self {
            Self::Equals(expected) => value.is_some_and(|value| same(value, expected)),
            Self::OneOf(allowed) => value.is_some_and(|value| allowed.iter().any(|one| same(value, one))),
            Self::Exists(wanted) => value.is_some() == *wanted,
            Self::Contains(wanted) => {
                let items = value.and_then(Value::as_array);
                items.is_some_and(|items| items.iter().any(|item| same(item, wanted)))
            }
            Self::Has(word) => match value {
                Some(Value::String(text)) => text.split(' ').any(|own| own == word),
                Some(Value::Array(items)) => items.iter().any(|item| item.as_str() == Some(word)),
                _ => false,
            },
            Self::Prefix(prefixes) => {
                text().is_some_and(|text| prefixes.iter().any(|own| text.starts_with(own)))
            }
            Self::Suffix(suffixes) => {
                text().is_some_and(|text| suffixes.iter().any(|own| text.ends_with(own)))
            }
            Self::Compares(comparison, other) => {
                let order = match value {
                    Some(Value::Number(own)) => number::order(own, other),
                    _ => None,
                };
                order.is_some_and(|order| match comparison {
                    Comparison::Above => order.is_gt(),
                    Comparison::AtLeast => order.is_ge(),
                    Comparison::Below => order.is_lt(),
                    Comparison::AtMost => order.is_le(),
                })
            }
            Self::Within(ranges) => {
                let address = text().and_then(|text| text.parse::<IpAddr>().ok());
                address.is_some_and(|address| ranges.iter().any(|range| range.contains(address)))
            }
            Self::OneValue(values, test) => {
                value.is_some_and(|value| values.of(value).iter().any(|own| test.holds(Some(own))))
            }
            Self::EachValue(values, test) => value.is_some_and(|value| {
                let all = values.of(value);
                // An empty list lets nobody in.
                !all.is_empty() && all.iter().all(|own| test.holds(Some(own)))
            }),
            Self::Not(test) => !test.holds(value),
            Self::All(tests) => tests.iter().all(|test| test.holds(value)),
        }
    }

    /// Whether whatever passes `other` surely passes `self`. May say no where the answer is yes.
    fn is_implied_by(&self, other: &Self) -> bool {
        if self == other {
            return true;
        }
        match (self, other) {
            (Self::Equals(value), Self::OneOf(values)) => {
                !values.is_empty() && values.iter().all(|own| own == value)
            }
            (Self::OneOf(allowed), Self::Equals(value)) => allowed.contains(value),
            (Self::OneOf(allowed), Self::OneOf(values)) => values.iter().all(|value| allowed.contains(value)),
            (
                Self::Exists(true),
                Self::Equals(_)
                | Self::OneOf(_)
                | Self::Contains(_)
                | Self::Has(_)
                | Self::Prefix(_)
                | Self::Suffix(_)
                | Self::Compares(..)
                | Self::Within(_)
                | Self::OneValue(..)
                | Self::EachValue(..),
            ) => true,
            (Self::Prefix(own), Self::Prefix(others)) => {
                others.iter().all(|other| own.iter().any(|own| other.starts_with(own)))
            }
            (Self::Suffix(own), Self::Suffix(others)) => {
                others.iter().all(|other| own.iter().any(|own| other.ends_with(own)))
            }
            (Self::Within(own), Self::Within(others)) => {
                others.iter().all(|other| own.iter().any(|own| own.covers(other)))
            }
            (Self::All(tests), _) => tests.iter().all(|test| test.is_implied_by(other)),
            (_, Self::All(tests)) => tests.iter().any(|test| self.is_implied_by(test)),
            _ => false,
        }
    }
}

/// Equality of scalars of one type: `1` equals `1.0`, and no number equals a string.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => {
            number::order(left, right).is_some_and(Ordering::is_eq)
        }
        _ => left == right,
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |formatter: &mut fmt::Formatter<'_>, conditions: &[Self], word: &str| {
            for (index, condition) in conditions.iter().enumerate() {
                let joint = if index == 0 { "" } else { word };
                write!(formatter, "{joint}{condition}")?;
            }
            Ok(())
        };
        match self {
            Self::Is { of, test } => write!(formatter, "{of} {test}"),
            Self::All(all) => list(formatter, all, " and "),
            Self::Any(any) => list(formatter, any, " or "),
            Self::Not(other) => write!(formatter, "not ({other})"),
            Self::Named(named) => formatter.write_str(&named.name),
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Equals(value) => write!(formatter, "must be {}", json::text(value)),
            Self::OneOf(values) => {
                write!(formatter, "must be one of {}", json::text(&Value::from(values.clone())))
            }
            Self::Exists(true) => formatter.write_str("must be there"),
            Self::Exists(false) => formatter.write_str("must not be there"),
            Self::Contains(value) => write!(formatter, "must contain {}", json::text(value)),
            Self::Has(word) => write!(formatter, "must have {word:?}"),
            Self::Prefix(texts) => write!(formatter, "must begin with {}", texts.join(" or ")),
            Self::Suffix(texts) => write!(formatter, "must end with {}", texts.join(" or ")),
            Self::Compares(comparison, number) => {
                let sign = match comparison {
                    Comparison::Above => ">",
                    Comparison::AtLeast => ">=",
                    Comparison::Below => "<",
                    Comparison::AtMost => "<=",
                };
                write!(formatter, "must be {sign} {number}")
            }
            Self::Within(ranges) => write!(formatter, "must be in one of {} ranges", ranges.len()),
            Self::OneValue(_, test) => write!(formatter, "for one of its values: {test}"),
            Self::EachValue(_, test) => write!(formatter, "for each of its values: {test}"),
            Self::Not(test) => write!(formatter, "not: {test}"),
            Self::All(tests) => {
                let texts: Vec<_> = tests.iter().map(Self::to_string).collect();
                formatter.write_str(&texts.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests;
