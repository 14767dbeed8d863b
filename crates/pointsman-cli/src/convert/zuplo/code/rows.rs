//! Rules from what code comes to.

use std::collections::BTreeSet;

use toml::{Table, Value as Toml};

use super::{
    condition::{Condition, Operand, Scalar, Target, Tree},
    prove::prove,
};

/// A rule.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in super::super) struct Row {
    pub(super) when: Vec<Condition>,
    pub(in super::super) act: Act,
    /// Whether a caller without a customer, and one whose customer is not listed, goes on to the next rule.
    pub(in super::super) next: bool,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(in super::super) enum Act {
    Deny(u16),
    /// To what the code chose; `None` where it chose nothing.
    Forward(Option<Target>),
}

/// How a rule asks whether a value is one that JavaScript takes for true.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in super::super) enum Form {
    /// Whether it is there.
    Short,
    /// Whether it is there and neither empty, nor 0, nor false.
    Long,
}

/// The rules that do what code does, where `custom` of what it puts into `context.custom` is the URL of the backend.
///
/// # Errors
/// Why there are none.
pub(in super::super) fn rows(tree: &Tree, custom: Option<&str>) -> Result<(Vec<Row>, Form), String> {
    let mut rows = Vec::new();
    walk(tree, custom, &mut Vec::new(), &mut rows)?;
    let written = shorter(rows.clone());
    let mut last = "";
    for (rows, form) in [(&written, Form::Short), (&written, Form::Long), (&rows, Form::Long)] {
        match prove(tree, custom, rows, form) {
            Ok(used) => return Ok((kept(rows, &used), form)),
            Err(why) => last = why,
        }
    }
    Err(format!("rules cannot do the same: {last}"))
}

/// Those that decide about somebody.
fn kept(rows: &[Row], used: &BTreeSet<usize>) -> Vec<Row> {
    let used = rows.iter().enumerate().filter(|(index, _)| used.contains(index));
    let mut rows: Vec<Row> = used.map(|(_, row)| row.clone()).collect();
    // Whom nothing else takes, the last one takes; what does the same just before it adds nothing.
    while let [.., before, last] = rows.as_slice() {
        let same = before.act == last.act && last.when.is_empty() && before.next == last.next;
        if !same || matches!(before.act, Act::Forward(Some(Target::Customer(_)))) {
            break;
        }
        let at = rows.len().saturating_sub(2);
        rows.remove(at);
    }
    rows
}

/// One rule for each way through the code. A way through the other branch needs no condition: whoever took the first is
/// taken by a rule before.
fn walk(
    tree: &Tree,
    custom: Option<&str>,
    way: &mut Vec<Condition>,
    rows: &mut Vec<Row>,
) -> Result<(), String> {
    match tree {
        Tree::Branch(condition, yes, no) => {
            let (condition, first, second) = match condition {
                Condition::Not(inner) if matches!(**inner, Condition::Found(_) | Condition::In(..)) => {
                    ((**inner).clone(), no, yes)
                }
                other => (other.clone(), yes, no),
            };
            way.push(condition);
            walk(first, custom, way, rows)?;
            way.pop();
            walk(second, custom, way, rows)
        }
        Tree::Deny(status) => {
            rows.push(row(way, Act::Deny(*status))?);
            Ok(())
        }
        Tree::Forward(all) => {
            let target = match custom {
                None => None,
                Some(name) => match all.get(name) {
                    Some(target) if *target != Target::Other => Some(target.clone()),
                    _ => {
                        return Err(format!(
                            "it lets requests pass for which context.custom.{name} is no URL"
                        ));
                    }
                },
            };
            rows.push(row(way, Act::Forward(target))?);
            Ok(())
        }
    }
}

fn row(way: &[Condition], act: Act) -> Result<Row, String> {
    let mut when = way.to_vec();
    let goes_to_customer = match &act {
        Act::Forward(Some(Target::Customer(claim))) => Some(claim.clone()),
        _ => None,
    };
    let before = when.len();
    when.retain(
        |condition| !matches!(condition, Condition::Found(claim) if Some(claim) == goes_to_customer.as_ref()),
    );
    let asks = |condition: &Condition| {
        let mut asks = false;
        condition.each(&mut |inner| asks |= matches!(inner, Condition::Found(_)));
        asks
    };
    if when.iter().any(asks) || (goes_to_customer.is_some() && before == when.len()) {
        return Err(
            "it asks whether there is a customer, and does not send the request to the customer's backend"
                .to_owned(),
        );
    }
    let when = match Condition::all(when) {
        Condition::Const(_) => Vec::new(),
        Condition::All(all) => all,
        one => vec![one],
    };
    Ok(Row { when, act, next: goes_to_customer.is_some() })
}

/// A rule that leads to a customer's own backend refuses callers without a customer with 401, and those that are not listed
/// with 403, by itself.
fn shorter(mut rows: Vec<Row>) -> Vec<Row> {
    let at = rows.iter().position(|row| matches!(&row.act, Act::Forward(Some(Target::Customer(_)))));
    let Some(at) = at.and_then(|at| at.checked_sub(1)) else { return rows };
    if let Some([nobody, own, unlisted]) = rows.get(at..at.saturating_add(3))
        && let Act::Forward(Some(Target::Customer(claim))) = &own.act
        && nobody.act == Act::Deny(401)
        && nobody.when == [Condition::Truthy(Operand::Claim(claim.clone())).negated()]
        && own.when.is_empty()
        && (unlisted.act == Act::Deny(403) && unlisted.when.is_empty())
    {
        let own = Row { next: false, ..own.clone() };
        rows.splice(at..at.saturating_add(3), [own]);
    }
    rows
}

impl Row {
    /// Its conditions as `gateway.toml` has them.
    pub(in super::super) fn when(&self, form: Form) -> Table {
        all(&self.when, form)
    }
}

fn all(conditions: &[Condition], form: Form) -> Table {
    let tables: Vec<Table> = conditions.iter().map(|condition| table(condition, form)).collect();
    let mut one = Table::new();
    for own in &tables {
        for (name, value) in own {
            if one.insert(name.clone(), value.clone()).is_some() {
                let tables = tables.into_iter().map(Toml::Table).collect();
                return Table::from_iter([("$all".to_owned(), Toml::Array(tables))]);
            }
        }
    }
    one
}

fn table(condition: &Condition, form: Form) -> Table {
    let of = |operand: &Operand, test: Toml| Table::from_iter([(operand.name().to_owned(), test)]);
    let address = |test: Toml| Table::from_iter([("$ip".to_owned(), test)]);
    match condition {
        Condition::Truthy(operand) => match form {
            Form::Short => of(operand, exists(true)),
            Form::Long => of(operand, object([("exists", Toml::Boolean(true)), ("not", falsy())])),
        },
        Condition::Exists(operand) => of(operand, exists(true)),
        Condition::In(operand, values) => of(operand, one_or_list(values)),
        Condition::Within(ranges) => address(within(ranges)),
        Condition::All(conditions) => all(conditions, form),
        Condition::Any(conditions) => any(conditions.iter().map(|condition| table(condition, form))),
        Condition::Not(inner) => match &**inner {
            Condition::Truthy(operand) => match form {
                Form::Short => of(operand, exists(false)),
                Form::Long => any([of(operand, exists(false)), of(operand, falsy())]),
            },
            Condition::Exists(operand) => of(operand, exists(false)),
            Condition::In(operand, values) => of(operand, object([("not", one_or_list(values))])),
            Condition::Within(ranges) => address(object([("not", within(ranges))])),
            other => Table::from_iter([("$not".to_owned(), Toml::Table(table(other, form)))]),
        },
        // Neither is ever in a row.
        Condition::Const(_) | Condition::Found(_) => Table::new(),
    }
}

fn any(tables: impl IntoIterator<Item = Table>) -> Table {
    let tables = tables.into_iter().map(Toml::Table).collect();
    Table::from_iter([("$any".to_owned(), Toml::Array(tables))])
}

fn object<const N: usize>(members: [(&str, Toml); N]) -> Toml {
    Toml::Table(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn exists(value: bool) -> Toml {
    object([("exists", Toml::Boolean(value))])
}

fn falsy() -> Toml {
    Toml::Array(vec![Toml::String(String::new()), Toml::Integer(0), Toml::Boolean(false)])
}

fn within(ranges: &[String]) -> Toml {
    object([("within", Toml::Array(ranges.iter().cloned().map(Toml::String).collect()))])
}

fn one_or_list(values: &[Scalar]) -> Toml {
    let value = |scalar: &Scalar| match scalar {
        Scalar::Text(text) => Toml::String(text.clone()),
        Scalar::Number(number) => Toml::Integer(*number),
        Scalar::Bool(value) => Toml::Boolean(*value),
    };
    match values {
        [one] => value(one),
        several => Toml::Array(several.iter().map(value).collect()),
    }
}
