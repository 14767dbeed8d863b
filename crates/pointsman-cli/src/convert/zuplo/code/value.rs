//! What expressions of code stand for.

use serde_json::Value as Json;

use super::condition::{Condition, Operand, Part, Scalar, Target};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Request,
    Context,
    /// `context.custom`.
    Custom,
    /// `context.log`.
    Log,
    /// `request.headers`.
    Fields,
    /// `context.incomingRequestProperties`.
    Place,
    /// `request.user`.
    User,
    /// `request.user.data`, and whether it is surely there.
    Data(bool),
    /// `environment`.
    Environment,
    /// `HttpProblems`.
    Problems,
    /// The policy's options, and what literals and they hold.
    Json(Json),
    Undefined,
    /// A value that a condition may look at, and what stands for it where it is not there.
    Operand(Operand, Option<Scalar>),
    /// The client's address.
    Address,
    Env(String),
    Url(Vec<Part>),
    /// All customers.
    Customers,
    /// The customer that a claim names, if there is one.
    Customer(String),
    CustomerUrl(String),
    Condition(Condition),
    /// An answer of the policy's own that refuses.
    Refusal(u16),
    /// Something harmless that nothing is decided by.
    Opaque,
}

impl Value {
    pub(super) fn text(text: &str) -> Self {
        Self::Json(Json::String(text.to_owned()))
    }

    /// It as a value to compare with.
    pub(super) fn scalar(&self) -> Option<Scalar> {
        match self {
            Self::Json(Json::String(text)) => Some(Scalar::Text(text.clone())),
            Self::Json(Json::Number(number)) => number.as_i64().map(Scalar::Number),
            Self::Json(Json::Bool(value)) => Some(Scalar::Bool(*value)),
            _ => None,
        }
    }

    /// The values of a list to compare with.
    pub(super) fn scalars(&self) -> Option<Vec<Scalar>> {
        match self {
            Self::Json(Json::Array(items)) if !items.is_empty() => {
                items.iter().map(|item| Self::Json(item.clone()).scalar()).collect()
            }
            _ => None,
        }
    }

    /// It as a URL that a request may go to.
    pub(super) fn target(&self) -> Target {
        match self {
            Self::Json(Json::String(text)) => Target::Url(vec![Part::Text(text.clone())]),
            Self::Env(name) => Target::Url(vec![Part::Env(name.clone())]),
            Self::Url(parts) => Target::Url(parts.clone()),
            Self::CustomerUrl(claim) => Target::Customer(claim.clone()),
            _ => Target::Other,
        }
    }
}
