//! Expressions: what they stand for, and what they ask.

use oxc_ast::ast::{
    BinaryOperator, ChainElement, Expression, ObjectExpression, ObjectPropertyKind, PropertyKind,
    TemplateLiteral,
};
use oxc_span::{GetSpan, Span};
use serde_json::Value as Json;

use super::{
    super::{
        Caller, Fault,
        condition::{Condition, Operand, Part},
        module::Import,
        value::Value,
    },
    Run, State, bare, is_and, is_not,
};

impl<'a> Run<'a> {
    /// What an expression stands for.
    pub(super) fn value(&self, expression: &'a Expression<'a>, state: &State<'a>) -> Result<Value, Fault> {
        let at = expression.span();
        match bare(expression) {
            Expression::StringLiteral(text) => Ok(Value::text(text.value.as_str())),
            Expression::BooleanLiteral(literal) => Ok(Value::Json(Json::Bool(literal.value))),
            Expression::NumericLiteral(number) => Ok(whole(number.value).map_or(Value::Opaque, Value::Json)),
            Expression::NullLiteral(_) => Ok(Value::Json(Json::Null)),
            Expression::TemplateLiteral(template) => self.template(template, state),
            Expression::Identifier(name) => self.named(name.span, name.name.as_str(), state),
            Expression::ChainExpression(chain) => match &chain.expression {
                ChainElement::CallExpression(call) => Ok(self.call(call, state)?.0),
                element => match element.as_member_expression() {
                    Some(member) => Ok(self.member_link(member, state)?.0),
                    None => Err(Fault::at(at, "is not understood")),
                },
            },
            Expression::CallExpression(call) => Ok(self.call(call, state)?.0),
            Expression::NewExpression(new) => self.new_of(new, state),
            Expression::AwaitExpression(awaited) => self.awaited(bare(&awaited.argument), state),
            Expression::ObjectExpression(object) => self.object(object, state),
            Expression::ArrayExpression(array) => {
                let mut items = Some(Vec::new());
                for element in &array.elements {
                    let own = element.as_expression().ok_or_else(|| Fault::at(at, "is not understood"))?;
                    let value = self.value(own, state)?;
                    items = match (items, value.scalar(), value) {
                        (Some(mut items), Some(_), Value::Json(json)) => {
                            items.push(json);
                            Some(items)
                        }
                        _ => None,
                    };
                }
                Ok(items.map_or(Value::Opaque, |items| Value::Json(Json::Array(items))))
            }
            Expression::LogicalExpression(logical) if is_and(logical.operator) == Some(true) => {
                self.condition(expression, state).map(Value::Condition)
            }
            Expression::LogicalExpression(logical) => {
                // A default for a claim that is not there.
                let left = self.value(&logical.left, state)?;
                let right = self.value(&logical.right, state);
                if let (Value::Operand(of, None), Ok(right)) = (&left, &right)
                    && let Some(scalar) = right.scalar()
                {
                    return Ok(Value::Operand(of.clone(), Some(scalar)));
                }
                match is_and(logical.operator) {
                    Some(_) => self.condition(expression, state).map(Value::Condition),
                    None => Err(Fault::at(at, "has a default that is not understood")),
                }
            }
            Expression::UnaryExpression(unary) if is_not(unary.operator) => {
                self.condition(expression, state).map(Value::Condition)
            }
            Expression::BinaryExpression(_) => self.condition(expression, state).map(Value::Condition),
            other => match other.as_member_expression() {
                Some(member) => Ok(self.member_link(member, state)?.0),
                None => Err(Fault::at(at, "is not understood")),
            },
        }
    }

    /// What an expression asks, where it decides between two ways.
    pub(super) fn condition(
        &self,
        expression: &'a Expression<'a>,
        state: &State<'a>,
    ) -> Result<Condition, Fault> {
        let at = expression.span();
        match bare(expression) {
            Expression::UnaryExpression(unary) if is_not(unary.operator) => {
                Ok(self.condition(&unary.argument, state)?.negated())
            }
            Expression::LogicalExpression(logical) if is_and(logical.operator).is_some() => {
                let is_and = is_and(logical.operator) == Some(true);
                let left = state.known(self.condition(&logical.left, state)?);
                // The right side runs only where the left side did not decide.
                if left == Condition::Const(!is_and) {
                    return Ok(left);
                }
                let right = self.condition(&logical.right, &state.with(&left, is_and))?;
                let both = vec![left, right];
                Ok(if is_and { Condition::all(both) } else { Condition::any(both) })
            }
            Expression::BinaryExpression(binary) => {
                let equal = match binary.operator {
                    BinaryOperator::StrictEquality => true,
                    BinaryOperator::StrictInequality => false,
                    _ => return Err(Fault::at(at, "compares in a way that rules do not")),
                };
                let (left, right) = (self.value(&binary.left, state)?, self.value(&binary.right, state)?);
                let same = self.same(at, &left, &right)?;
                Ok(if equal { same } else { same.negated() })
            }
            other => {
                let value = self.value(other, state)?;
                self.truth(at, value)
            }
        }
    }

    /// Whether two values are `===`.
    pub(super) fn same(&self, at: Span, left: &Value, right: &Value) -> Result<Condition, Fault> {
        let fault = || Fault::at(at, "compares what rules cannot compare");
        let (operand, other) = match (left, right) {
            (Value::Operand(..), _) => (left, right),
            (_, Value::Operand(..)) => (right, left),
            (one, other) => {
                let (one, other) = one.scalar().zip(other.scalar()).ok_or_else(fault)?;
                return Ok(Condition::Const(one == other));
            }
        };
        let Value::Operand(of, default) = operand else { return Err(fault()) };
        match (default, other) {
            (None, Value::Undefined) => Ok(Condition::Exists(of.clone()).negated()),
            (default, other) => {
                let scalar = other.scalar().ok_or_else(fault)?;
                // Where it is the default, null would have to be told from other values.
                if default.as_ref() == Some(&scalar) || (default.is_some() && !scalar.is_truthy()) {
                    return Err(Fault::at(
                        at,
                        "compares with the default of a value, and rules cannot tell null from others",
                    ));
                }
                Ok(Condition::In(of.clone(), vec![scalar]))
            }
        }
    }

    /// Whether JavaScript takes a value for true.
    fn truth(&self, at: Span, value: Value) -> Result<Condition, Fault> {
        Ok(match value {
            Value::Condition(condition) => condition,
            Value::Operand(of, None) => Condition::Truthy(of),
            Value::Customer(claim) => Condition::Found(claim),
            Value::CustomerUrl(_) => Condition::Const(true),
            Value::Undefined => Condition::Const(false),
            Value::Json(json) => Condition::Const(match json {
                Json::Null => false,
                Json::Bool(value) => value,
                Json::Number(number) => number.as_f64() != Some(0.0),
                Json::String(text) => !text.is_empty(),
                Json::Array(_) | Json::Object(_) => true,
            }),
            Value::User | Value::Data(_) if self.caller == Caller::Known => Condition::Const(true),
            Value::Env(name) => {
                self.assumed.borrow_mut().push(name);
                Condition::Const(true)
            }
            Value::Request | Value::Context => Condition::Const(true),
            _ => return Err(Fault::at(at, "asks what rules cannot ask")),
        })
    }

    fn template(&self, template: &'a TemplateLiteral<'a>, state: &State<'a>) -> Result<Value, Fault> {
        let mut parts = Some(Vec::new());
        let mut expressions = template.expressions.iter();
        for quasi in &template.quasis {
            let text = quasi.value.cooked.as_ref().map(|text| text.as_str());
            let text =
                text.ok_or_else(|| Fault::at(template.span, "has an escape that is not understood"))?;
            if let Some(parts) = parts.as_mut().filter(|_| !text.is_empty()) {
                parts.push(Part::Text(text.to_owned()));
            }
            let Some(expression) = expressions.next() else { continue };
            let part = match self.value(expression, state)? {
                Value::Json(Json::String(text)) => Some(Part::Text(text)),
                Value::Env(name) => Some(Part::Env(name)),
                Value::Operand(Operand::Claim(name), None) => Some(Part::Claim(name)),
                // Of text alone, as a log has it.
                _ => None,
            };
            parts = parts.zip(part).map(|(mut parts, part)| {
                parts.push(part);
                parts
            });
        }
        Ok(parts.map_or(Value::Opaque, Value::Url))
    }

    pub(super) fn named(&self, at: Span, name: &str, state: &State<'a>) -> Result<Value, Fault> {
        if let Some(value) = state.locals.get(name) {
            return Ok(value.clone());
        }
        if let Some(place) = self.parameters.iter().position(|own| *own == name) {
            return match place {
                0 => Ok(Value::Request),
                1 => Ok(Value::Context),
                2 => Ok(Value::Json(Json::Object(self.options.clone()))),
                3 => Ok(Value::Opaque),
                _ => Err(Fault::at(at, "is a parameter that no policy has")),
            };
        }
        if let Some(value) = self.constants.get(name) {
            return Ok(value.clone());
        }
        match self.module.imports.get(name) {
            Some(Import::Runtime("environment")) => Ok(Value::Environment),
            Some(Import::Runtime("HttpProblems")) => Ok(Value::Problems),
            Some(Import::Json(_)) => Ok(Value::Customers),
            None if name == "undefined" => Ok(Value::Undefined),
            _ => Err(Fault::at(at, "is not known here")),
        }
    }

    /// An object of values that are all known: nothing is decided by it.
    pub(super) fn object(&self, object: &'a ObjectExpression<'a>, state: &State<'a>) -> Result<Value, Fault> {
        for property in &object.properties {
            match property {
                ObjectPropertyKind::ObjectProperty(own)
                    if own.kind == PropertyKind::Init && !own.computed && !own.method =>
                {
                    self.value(&own.value, state)?;
                }
                _ => return Err(Fault::at(object.span, "makes an object in a way that is not understood")),
            }
        }
        Ok(Value::Opaque)
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::float_cmp)]
fn whole(number: f64) -> Option<Json> {
    let is_whole = number.abs() < 9_007_199_254_740_992.0 && number == number.trunc();
    is_whole.then(|| Json::from(number as i64))
}
