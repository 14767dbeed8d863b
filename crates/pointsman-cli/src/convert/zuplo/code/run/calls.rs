//! Calls, of which few are known: refusals, lists, loaders and the search for a customer.

use oxc_ast::ast::{
    Argument, BinaryOperator, CallExpression, Expression, NewExpression, ObjectPropertyKind, Statement,
};
use oxc_span::GetSpan;
use serde_json::Value as Json;

use super::{
    super::{
        Fault, Source,
        condition::{Condition, Operand, Scalar},
        module::{Import, callable},
        value::Value,
    },
    Run, State, bare,
    members::Link,
};

/// Refusals of `HttpProblems`.
const PROBLEMS: [(&str, u16); 17] = [
    ("badRequest", 400),
    ("unauthorized", 401),
    ("paymentRequired", 402),
    ("forbidden", 403),
    ("notFound", 404),
    ("methodNotAllowed", 405),
    ("notAcceptable", 406),
    ("conflict", 409),
    ("gone", 410),
    ("preconditionFailed", 412),
    ("tooManyRequests", 429),
    ("unavailableForLegalReasons", 451),
    ("internalServerError", 500),
    ("notImplemented", 501),
    ("badGateway", 502),
    ("serviceUnavailable", 503),
    ("gatewayTimeout", 504),
];

impl<'a> Run<'a> {
    pub(super) fn call(&self, call: &'a CallExpression<'a>, state: &State<'a>) -> Result<Link, Fault> {
        let at = call.span;
        let unknown = || Fault::at(at, "calls what is not known here");
        if call.optional {
            return Err(unknown());
        }
        let mut arguments = Vec::new();
        for argument in &call.arguments {
            if let Argument::SpreadElement(_) = argument {
                return Err(unknown());
            }
            arguments.push(argument.as_expression().ok_or_else(unknown)?);
        }
        let callee = match &call.callee {
            Expression::StaticMemberExpression(member) => member,
            Expression::Identifier(name) => {
                let name = name.name.as_str();
                return match (self.module.imports.get(name), arguments.as_slice()) {
                    (Some(Import::RangeCheck), [address, ranges]) => {
                        let (address, ranges) = (self.value(address, state)?, self.value(ranges, state)?);
                        let texts = ranges.scalars().and_then(texts).filter(|_| address == Value::Address);
                        Ok((Value::Condition(Condition::Within(texts.ok_or_else(unknown)?)), false))
                    }
                    _ => Err(unknown()),
                };
            }
            _ => return Err(unknown()),
        };
        let name = callee.property.name.as_str();
        if let Expression::Identifier(object) = &callee.object
            && (object.name == "JSON" && name == "stringify")
            && (!state.locals.contains_key("JSON") && !self.is_known("JSON"))
        {
            for argument in arguments {
                self.value(argument, state)?;
            }
            return Ok((Value::Opaque, false));
        }
        let (object, ended) = self.link(&callee.object, state)?;
        if ended || callee.optional {
            return Err(unknown());
        }
        let value = match (object, name, arguments.as_slice()) {
            (Value::Problems, name, arguments) => {
                for argument in arguments {
                    self.value(argument, state)?;
                }
                let status = PROBLEMS.iter().find(|(own, _)| *own == name).ok_or_else(unknown)?;
                Value::Refusal(status.1)
            }
            (Value::Fields, "get", [name]) => match self.value(name, state)?.scalar() {
                Some(Scalar::Text(name)) if name.eq_ignore_ascii_case("true-client-ip") => Value::Address,
                _ => return Err(Fault::at(at, "reads a field of the request, which any client can set")),
            },
            (list @ Value::Json(Json::Array(_)), "includes", [item]) => {
                let values = list.scalars().ok_or_else(unknown)?;
                match self.value(item, state)? {
                    Value::Operand(of, default)
                        if default.as_ref().is_none_or(|own| !values.contains(own)) =>
                    {
                        if default.is_some() && !values.iter().all(Scalar::is_truthy) {
                            return Err(unknown());
                        }
                        Value::Condition(Condition::In(of, values))
                    }
                    other => Value::Json(Json::Bool(values.contains(&other.scalar().ok_or_else(unknown)?))),
                }
            }
            (Value::Customers, "find", [callback]) => {
                let claim = self.sought(callback, state).ok_or_else(|| {
                    Fault::at(at, "looks for a customer otherwise than by customerId === a claim")
                })?;
                let source = self.source(&callee.object).ok_or_else(unknown)?;
                self.look_up(at, &claim, source)?
            }
            _ => return Err(unknown()),
        };
        Ok((value, false))
    }

    /// The claim by which a callback of `find` compares `customerId`.
    fn sought(&self, callback: &'a Expression<'a>, state: &State<'a>) -> Option<String> {
        let function = callable(callback)?;
        let [parameter] = function.names().ok()?.try_into().ok()?;
        let [only] = function.body else { return None };
        let compared = match only {
            Statement::ExpressionStatement(own) => &own.expression,
            Statement::ReturnStatement(own) => own.argument.as_ref()?,
            _ => return None,
        };
        let Expression::BinaryExpression(binary) = bare(compared) else { return None };
        if binary.operator != BinaryOperator::StrictEquality || state.locals.contains_key(parameter) {
            return None;
        }
        let is_id = |side: &Expression<'a>| match bare(side) {
            Expression::StaticMemberExpression(member) => {
                let of = matches!(&member.object, Expression::Identifier(name) if name.name == parameter);
                of && member.property.name == "customerId" && !member.optional
            }
            _ => false,
        };
        let other = match (is_id(&binary.left), is_id(&binary.right)) {
            (true, false) => &binary.right,
            (false, true) => &binary.left,
            _ => return None,
        };
        match self.value(other, state).ok()? {
            Value::Operand(Operand::Claim(claim), None) => Some(claim),
            _ => None,
        }
    }

    /// Where a list of customers comes from. A local name says no more than that it is one.
    fn source(&self, list: &Expression<'a>) -> Option<Source> {
        let direct = match bare(list) {
            Expression::Identifier(name) => match self.module.imports.get(name.name.as_str()) {
                Some(Import::Json(path)) => Some(Source::File((*path).to_owned())),
                _ => None,
            },
            _ => None,
        };
        direct.or_else(|| {
            // All lists of one module come from one place, or nobody knows which this is.
            let files = self.module.imports.values().filter_map(|import| match import {
                Import::Json(path) => Some(Source::File((*path).to_owned())),
                _ => None,
            });
            let lists = self.loaders.values().filter(|api| !api.by_id).cloned().map(Source::Api);
            let kept = self.cached.borrow().clone().into_iter().map(Source::Api);
            let mut all: Vec<Source> = files.chain(lists).chain(kept).collect();
            let one = all.pop();
            one.filter(|_| all.is_empty())
        })
    }

    pub(super) fn awaited(&self, awaited: &'a Expression<'a>, state: &State<'a>) -> Result<Value, Fault> {
        let at = awaited.span();
        let unknown = || Fault::at(at, "waits for what is not known here");
        let Expression::CallExpression(call) = awaited else { return Err(unknown()) };
        let Expression::StaticMemberExpression(member) = &call.callee else { return Err(unknown()) };
        let Expression::Identifier(name) = &member.object else { return Err(unknown()) };
        let api =
            self.loaders.get(name.name.as_str()).filter(|_| member.property.name == "get" && !call.optional);
        let api = api.ok_or_else(unknown)?;
        let [argument] = call.arguments.as_slice() else { return Err(unknown()) };
        let key = self.value(argument.as_expression().ok_or_else(unknown)?, state)?;
        match (api.by_id, key) {
            (false, Value::Json(Json::String(_))) => Ok(Value::Customers),
            (true, Value::Operand(Operand::Claim(claim), None)) => {
                self.look_up(at, &claim, Source::Api(api.clone()))
            }
            _ => Err(unknown()),
        }
    }

    pub(super) fn new_of(&self, new: &'a NewExpression<'a>, state: &State<'a>) -> Result<Value, Fault> {
        let unknown = || Fault::at(new.span, "makes what is not known here");
        let Expression::Identifier(name) = &new.callee else { return Err(unknown()) };
        if name.name != "Response" || state.locals.contains_key("Response") || self.is_known("Response") {
            return Err(unknown());
        }
        let answers = || Fault::at(new.span, "answers by itself, and with no status that refuses");
        let [body, init] = new.arguments.as_slice() else { return Err(answers()) };
        self.value(body.as_expression().ok_or_else(unknown)?, state)?;
        let Some(Expression::ObjectExpression(init)) = init.as_expression().map(bare) else {
            return Err(answers());
        };
        self.object(init, state)?;
        let mut status = None;
        for property in &init.properties {
            if let ObjectPropertyKind::ObjectProperty(own) = property
                && own.key.static_name().as_deref() == Some("status")
            {
                status = self.value(&own.value, state)?.scalar();
            }
        }
        match status {
            Some(Scalar::Number(status @ 400..=599)) => {
                u16::try_from(status).map(Value::Refusal).map_err(|_| answers())
            }
            _ => Err(answers()),
        }
    }
}

fn texts(scalars: Vec<Scalar>) -> Option<Vec<String>> {
    let text = |scalar| match scalar {
        Scalar::Text(text) => Some(text),
        Scalar::Number(_) | Scalar::Bool(_) => None,
    };
    scalars.into_iter().map(text).collect()
}
