//! What code asks, and what it comes to: plain data, without a trace of the code.

use std::collections::BTreeMap;

/// What a condition looks at.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(in super::super) enum Operand {
    /// A member of `request.user.data`.
    Claim(String),
    /// `request.user.sub`.
    Subject,
    /// What the platform says of the client, by its operand here.
    Place(&'static str),
}

impl Operand {
    /// Its name in a condition of `gateway.toml`.
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Claim(name) => name,
            Self::Subject => "$subject",
            Self::Place(operand) => operand,
        }
    }
}

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(in super::super) enum Scalar {
    Text(String),
    Number(i64),
    Bool(bool),
}

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(in super::super) enum Condition {
    Const(bool),
    /// As JavaScript has it: neither missing nor null, empty, 0 or false.
    Truthy(Operand),
    Exists(Operand),
    /// `===` with one of these.
    In(Operand, Vec<Scalar>),
    /// The client's address is in one of these ranges.
    Within(Vec<String>),
    /// There is a customer with the id that this claim says.
    Found(String),
    Not(Box<Condition>),
    All(Vec<Condition>),
    Any(Vec<Condition>),
}

impl Condition {
    pub(super) fn negated(self) -> Self {
        match self {
            Self::Const(value) => Self::Const(!value),
            Self::Not(inner) => *inner,
            other => Self::Not(Box::new(other)),
        }
    }

    /// All of these, as short as that can be said.
    pub(super) fn all(conditions: Vec<Self>) -> Self {
        let mut all: Vec<Self> = Vec::new();
        for condition in conditions {
            match condition {
                Self::Const(true) => {}
                Self::Const(false) => return Self::Const(false),
                Self::All(inner) => all.extend(inner),
                other if all.contains(&other) => {}
                other => all.push(other),
            }
        }
        // Whoever is "gold" is there.
        let asked: Vec<Operand> = all
            .iter()
            .filter_map(|condition| match condition {
                Self::In(of, values) if values.iter().all(Scalar::is_truthy) => Some(of.clone()),
                _ => None,
            })
            .collect();
        all.retain(
            |condition| !matches!(condition, Self::Truthy(of) | Self::Exists(of) if asked.contains(of)),
        );
        match all.len() {
            0 => Self::Const(true),
            1 => all.remove(0),
            _ => Self::All(all),
        }
    }

    /// One of these.
    pub(super) fn any(conditions: Vec<Self>) -> Self {
        let mut any: Vec<Self> = Vec::new();
        for condition in conditions {
            match condition {
                Self::Const(false) => {}
                Self::Const(true) => return Self::Const(true),
                Self::Any(inner) => any.extend(inner),
                // "a" or "b": one list.
                Self::In(of, values) => {
                    match any.iter_mut().find(|known| matches!(known, Self::In(own, _) if *own == of)) {
                        Some(Self::In(_, known)) => known.extend(values),
                        _ => any.push(Self::In(of, values)),
                    }
                }
                other => any.push(other),
            }
        }
        match any.len() {
            0 => Self::Const(false),
            1 => any.remove(0),
            _ => Self::Any(any),
        }
    }

    /// Itself and whatever is in it.
    pub(super) fn each<'a>(&'a self, see: &mut impl FnMut(&'a Self)) {
        see(self);
        match self {
            Self::Not(inner) => inner.each(see),
            Self::All(all) | Self::Any(all) => all.iter().for_each(|condition| condition.each(see)),
            _ => {}
        }
    }
}

impl Scalar {
    pub(super) fn is_truthy(&self) -> bool {
        match self {
            Self::Text(text) => !text.is_empty(),
            Self::Number(number) => *number != 0,
            Self::Bool(value) => *value,
        }
    }
}

/// A piece of a URL.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in super::super) enum Part {
    Text(String),
    /// A variable of the environment.
    Env(String),
    Claim(String),
}

/// Where a request goes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in super::super) enum Target {
    Url(Vec<Part>),
    /// The backend of the customer that this claim names.
    Customer(String),
    /// Something that is no URL.
    Other,
}

/// What code comes to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in super::super) enum Tree {
    Branch(Condition, Box<Tree>, Box<Tree>),
    /// The request goes on, with what the code put into `context.custom`.
    Forward(BTreeMap<String, Target>),
    Deny(u16),
}

impl Tree {
    /// What comes of it where whatever goes on meets `next`.
    pub(in super::super) fn then(self, next: &Self) -> Self {
        match self {
            Self::Branch(condition, yes, no) => {
                Self::Branch(condition, Box::new(yes.then(next)), Box::new(no.then(next)))
            }
            Self::Forward(custom) => next.clone().with(&custom),
            Self::Deny(status) => Self::Deny(status),
        }
    }

    /// It after something that had put this into `context.custom`.
    fn with(self, before: &BTreeMap<String, Target>) -> Self {
        match self {
            Self::Branch(condition, yes, no) => {
                Self::Branch(condition, Box::new(yes.with(before)), Box::new(no.with(before)))
            }
            Self::Forward(custom) => {
                let mut all = before.clone();
                all.extend(custom);
                Self::Forward(all)
            }
            Self::Deny(status) => Self::Deny(status),
        }
    }

    pub(super) fn each_condition<'a>(&'a self, see: &mut impl FnMut(&'a Condition)) {
        if let Self::Branch(condition, yes, no) = self {
            condition.each(see);
            yes.each_condition(see);
            no.each_condition(see);
        }
    }
}
