//! Conditions: `{ "is": "plan", "test": { "equals": "gold" } }`, and how they are put together.

use std::rc::Rc;

use pointsman_core::{
    base::cidr::Cidr,
    routing::{
        condition::{Comparison, Condition, Named, Test, Values},
        operand::Operand,
    },
};
use serde_json::Value;

use super::node::{Fault, Node, Read, fault};

/// What a condition's names can mean where it stands.
#[derive(Clone, Copy)]
pub(super) struct Scope<'a> {
    /// `[conditions]`, as far as they are read.
    pub(super) named: &'a [Rc<Named>],
    /// The names of the placeholders of the route's path.
    pub(super) params: &'a [&'a str],
}

/// Reads one of `[conditions]`, which may use those before it.
pub(super) fn named(node: Node<'_>, before: &[Rc<Named>]) -> Read<Rc<Named>> {
    let all = node.read("when", |node| conditions(node, Scope { named: before, params: &[] }))?;
    Ok(Rc::new(Named { name: Rc::from(node.read("name", Node::text)?), condition: Condition::All(all) }))
}

/// Reads a list of conditions, all of which must hold.
#[inline(never)]
pub(super) fn conditions(node: Node<'_>, scope: Scope<'_>) -> Read<Vec<Condition>> {
    if node.is_null() { Ok(Vec::new()) } else { node.items(|node| condition(node, scope)) }
}

#[inline(never)]
fn condition(node: Node<'_>, scope: Scope<'_>) -> Read<Condition> {
    let Some((name, _)) = only_member(node) else {
        let of = node.read("is", |node| operand(node, scope))?;
        let test = node.read("test", |node| test(node, &of))?;
        return Ok(Condition::Is { of, test });
    };
    node.read(name, |inner| match name {
        "all" => conditions(inner, scope).map(Condition::All),
        "any" => conditions(inner, scope).map(Condition::Any),
        "not" => condition(inner, scope).map(|other| Condition::Not(Box::new(other))),
        "named" => match scope.named.get(inner.small::<usize>()?) {
            Some(named) => Ok(Condition::Named(Rc::clone(named))),
            None => fault("is no condition's place"),
        },
        _ => fault("is no condition"),
    })
}

fn only_member<'a>(node: Node<'a>) -> Option<(&'a str, &'a Value)> {
    let members = node.0.as_object().filter(|members| members.len() == 1)?;
    members.iter().next().map(|(name, value)| (name.as_str(), value))
}

/// Reads what a condition, a split or a limit looks at.
#[inline(never)]
pub(super) fn operand(node: Node<'_>, scope: Scope<'_>) -> Read<Operand> {
    let position = |name: &str| scope.params.iter().position(|own| *own == name);
    let read = |text: &str| Operand::parse(text, position);
    node.known("is nothing that can be asked for", read)
}

#[inline(never)]
fn test(node: Node<'_>, of: &Operand) -> Read<Test> {
    let Some((name, _)) = only_member(node) else { return fault("must have one operator") };
    let values = if matches!(of, Operand::Header(_)) { Values::Elements } else { Values::Items };
    node.read(name, |inner| {
        let compares = |comparison| match inner.0 {
            Value::Number(number) => Ok(Test::Compares(comparison, number.clone())),
            _ => fault("must be a number"),
        };
        let boxed = |node| test(node, of).map(Box::new);
        match name {
            "equals" => Ok(Test::Equals(inner.0.clone())),
            "in" => inner.items(|node| Ok(node.0.clone())).map(Test::OneOf),
            "exists" => inner.flag().map(Test::Exists),
            "contains" => Ok(Test::Contains(inner.0.clone())),
            "has" => inner.filled_text().map(Test::Has),
            "prefix" => inner.items(Node::filled_text).map(Test::Prefix),
            "suffix" => inner.items(Node::filled_text).map(Test::Suffix),
            ">" => compares(Comparison::Above),
            ">=" => compares(Comparison::AtLeast),
            "<" => compares(Comparison::Below),
            "<=" => compares(Comparison::AtMost),
            "within" => {
                inner.items(|node| node.known("must be an address or a range", Cidr::parse)).map(Test::Within)
            }
            "any" => boxed(inner).map(|test| Test::OneValue(values, test)),
            "every" => boxed(inner).map(|test| Test::EachValue(values, test)),
            "not" => boxed(inner).map(Test::Not),
            "all" => inner.items(|node| test(node, of)).map(Test::All),
            _ => fault("is no operator"),
        }
    })
}

/// Reads a list of conditions in checked form, all of which must hold: for whoever checks rules against each other. `named` are
/// `[conditions]`, `params` the placeholders of the route's path.
///
/// # Errors
/// The first thing that is no condition.
pub fn read_conditions(list: &Value, named: &[Rc<Named>], params: &[&str]) -> Result<Vec<Condition>, Fault> {
    conditions(Node(list), Scope { named, params }).map_err(|fault| *fault)
}
