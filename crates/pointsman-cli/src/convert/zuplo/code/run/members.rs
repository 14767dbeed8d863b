//! Members of objects: what `request.user.data.plan` stands for.

use oxc_ast::ast::{Expression, MemberExpression};
use oxc_span::{GetSpan, Span};
use serde_json::Value as Json;

use super::{
    super::{
        Caller, Fault,
        condition::{Condition, Operand},
        value::Value,
    },
    Run, State, bare,
};

/// A value, and whether an optional link before it may have ended the chain.
pub(super) type Link = (Value, bool);

/// Names that every object has, so that reading them says nothing of claims.
const INHERITED: [&str; 13] = [
    "constructor",
    "hasOwnProperty",
    "isPrototypeOf",
    "length",
    "propertyIsEnumerable",
    "prototype",
    "toLocaleString",
    "toString",
    "valueOf",
    "__defineGetter__",
    "__defineSetter__",
    "__lookupGetter__",
    "__proto__",
];
/// What the platform says of clients, by Zuplo's names and ours.
const PLACES: [(&str, &str); 5] = [
    ("country", "$country"),
    ("continent", "$continent"),
    ("regionCode", "$region"),
    ("colo", "$colo"),
    ("asn", "$asn"),
];

impl<'a> Run<'a> {
    /// A value with what a chain of `.` and `?.` comes to so far.
    pub(super) fn link(&self, expression: &'a Expression<'a>, state: &State<'a>) -> Result<Link, Fault> {
        match expression {
            Expression::TSNonNullExpression(inner) => self.link(&inner.expression, state),
            Expression::CallExpression(call) => self.call(call, state),
            other => match other.as_member_expression() {
                Some(member) => self.member_link(member, state),
                None => Ok((self.value(other, state)?, false)),
            },
        }
    }

    pub(super) fn member_link(
        &self,
        member: &'a MemberExpression<'a>,
        state: &State<'a>,
    ) -> Result<Link, Fault> {
        let at = member.span();
        let name = match member {
            MemberExpression::StaticMemberExpression(own) => own.property.name.as_str(),
            MemberExpression::ComputedMemberExpression(own) => match bare(&own.expression) {
                Expression::StringLiteral(text) => text.value.as_str(),
                _ => return Err(Fault::at(at, "reads a member whose name is computed")),
            },
            MemberExpression::PrivateFieldExpression(_) => return Err(Fault::at(at, "is not understood")),
        };
        let (object, ended) = self.link(member.object(), state)?;
        let safe = ended || member.optional();
        Ok((self.member(at, object, name, safe, state)?, safe))
    }

    /// `object.name`; `safe` where nothing happens if there is no object.
    fn member(
        &self,
        at: Span,
        object: Value,
        name: &str,
        safe: bool,
        state: &State<'a>,
    ) -> Result<Value, Fault> {
        let fault = |what| Err(Fault::at(at, what));
        let throws = "reads a member of what may not be there";
        match object {
            Value::Undefined if safe => Ok(Value::Undefined),
            Value::Undefined => fault(throws),
            Value::Request => match name {
                "user" => Ok(Value::User),
                "headers" => Ok(Value::Fields),
                "method" => Ok(Value::Operand(Operand::Place("$method"), None)),
                "url" => Ok(Value::Opaque),
                _ => fault("reads something of the request that rules do not read so"),
            },
            Value::User => match (self.caller, name) {
                (Caller::Nobody, _) if safe => Ok(Value::Undefined),
                (Caller::Nobody, _) => fault("reads request.user before a policy has set it"),
                (Caller::Maybe, _) if !safe => {
                    fault("reads request.user, which callers without a credential lack")
                }
                (caller, "data") => Ok(Value::Data(caller == Caller::Known)),
                (_, "sub") => Ok(Value::Operand(Operand::Subject, None)),
                _ => fault("reads something of request.user that is not known here"),
            },
            Value::Data(sure) => {
                if !sure && !safe {
                    return fault(throws);
                }
                let plain = !name.is_empty() && !name.starts_with(['$', '/']) && !INHERITED.contains(&name);
                if !plain {
                    return fault("reads a claim by a name that rules cannot have");
                }
                Ok(Value::Operand(Operand::Claim(name.to_owned()), None))
            }
            Value::Operand(Operand::Claim(outer), None) if safe && !INHERITED.contains(&name) => {
                let escape = |name: &str| name.replace('~', "~0").replace('/', "~1");
                let outer = if outer.starts_with('/') { outer } else { format!("/{}", escape(&outer)) };
                Ok(Value::Operand(Operand::Claim(format!("{outer}/{}", escape(name))), None))
            }
            Value::Operand(..) => fault(throws),
            Value::Environment => Ok(Value::Env(name.to_owned())),
            Value::Context => match name {
                "custom" => Ok(Value::Custom),
                "log" => Ok(Value::Log),
                "incomingRequestProperties" => Ok(Value::Place),
                "requestId" | "contextId" | "correlationId" => Ok(Value::Opaque),
                _ => fault("reads something of the context that is not known here"),
            },
            Value::Place => match PLACES.iter().find(|(own, _)| *own == name) {
                Some((_, operand)) => Ok(Value::Operand(Operand::Place(operand), None)),
                None => fault("reads something of the client's place that rules do not read so"),
            },
            Value::Custom => match state.custom.get(name) {
                Some(value) => Ok(value.clone()),
                None => fault("reads what another policy may have set"),
            },
            Value::Customer(claim) => match state.known(Condition::Found(claim.clone())) {
                Condition::Const(true) => Ok(match name {
                    "backendUrl" => Value::CustomerUrl(claim),
                    "customerId" => Value::Operand(Operand::Claim(claim), None),
                    _ => Value::Opaque,
                }),
                Condition::Const(false) if safe => Ok(Value::Undefined),
                _ => fault("reads a customer that may not be there"),
            },
            Value::Json(Json::Object(members)) => Ok(match members.get(name) {
                Some(value) => self.option(at, value)?,
                None if INHERITED.contains(&name) => return fault("reads what every object has"),
                None => Value::Undefined,
            }),
            Value::Opaque if safe => Ok(Value::Opaque),
            _ => fault("reads a member that is not known here"),
        }
    }

    /// A value of the policy's options. Zuplo puts variables in where it finds them.
    fn option(&self, at: Span, value: &Json) -> Result<Value, Fault> {
        if value.to_string().contains('$') {
            return Err(Fault::at(at, "reads an option that holds a variable"));
        }
        Ok(Value::Json(value.clone()))
    }
}
