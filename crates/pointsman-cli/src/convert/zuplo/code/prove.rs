//! Whether rules do what the code did, tried for every kind of value that a caller's claims can have. Rules that cannot be
//! shown to are not written: a rule that lets in whom the code kept out is worse than none.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    condition::{Condition, Operand, Part, Scalar, Target, Tree},
    rows::{Act, Form, Row},
};

/// A value as far as conditions tell values apart.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Kind {
    Missing,
    Null,
    /// An object or a list.
    Composite,
    /// A text that is none of those in the code, and can be a label of a host.
    OtherText,
    /// A text that cannot be one.
    OddText,
    Known(Scalar),
}

impl Kind {
    fn is_truthy(&self) -> bool {
        match self {
            Self::Missing | Self::Null => false,
            Self::Composite | Self::OtherText | Self::OddText => true,
            Self::Known(scalar) => scalar.is_truthy(),
        }
    }

    /// Whether honest callers have such a value: `true` and `false` only where the claim is no name of anything.
    fn is_usual(&self, is_name: bool) -> bool {
        match self {
            Self::Missing | Self::OtherText => true,
            Self::Known(Scalar::Bool(_)) => !is_name,
            Self::Known(scalar) => scalar.is_truthy(),
            Self::Null | Self::Composite | Self::OddText => false,
        }
    }

    fn is_text(&self) -> bool {
        matches!(self, Self::OtherText | Self::OddText)
            || matches!(self, Self::Known(Scalar::Text(text)) if !text.is_empty())
    }

    fn is_label(&self) -> bool {
        let label = |text: &str| {
            !text.is_empty() && text.len() < 64 && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        matches!(self, Self::OtherText) || matches!(self, Self::Known(Scalar::Text(text)) if label(text))
    }
}

/// What is true or false of a request, beside values.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Atom {
    Found(String),
    Within(Vec<String>),
}

/// What holds for one request.
struct World<'a> {
    values: BTreeMap<&'a Operand, &'a Kind>,
    facts: BTreeMap<&'a Atom, bool>,
}

const NOTHING: Kind = Kind::Missing;

impl World<'_> {
    fn value(&self, of: &Operand) -> &Kind {
        self.values.get(of).copied().unwrap_or(&NOTHING)
    }

    fn claim(&self, name: &str) -> &Kind {
        self.value(&Operand::Claim(name.to_owned()))
    }

    fn fact(&self, atom: &Atom) -> bool {
        self.facts.get(atom).copied().unwrap_or(false)
    }

    fn found(&self, claim: &str) -> bool {
        self.claim(claim).is_text() && self.fact(&Atom::Found(claim.to_owned()))
    }

    /// As the code has it; `form` as rules in that form have it.
    fn holds(&self, condition: &Condition, form: Option<Form>) -> bool {
        match condition {
            Condition::Const(value) => *value,
            Condition::Truthy(of) => match (form, self.value(of)) {
                (None, value) => value.is_truthy(),
                (Some(Form::Short), value) => *value != Kind::Missing,
                // No rule can ask for null.
                (Some(Form::Long), value) => value.is_truthy() || *value == Kind::Null,
            },
            Condition::Exists(of) => *self.value(of) != Kind::Missing,
            Condition::In(of, values) => {
                matches!(self.value(of), Kind::Known(own) if values.contains(own))
            }
            Condition::Within(ranges) => self.fact(&Atom::Within(ranges.clone())),
            Condition::Found(claim) => self.found(claim),
            Condition::Not(inner) => !self.holds(inner, form),
            Condition::All(all) => all.iter().all(|condition| self.holds(condition, form)),
            Condition::Any(any) => any.iter().any(|condition| self.holds(condition, form)),
        }
    }
}

/// Where a request ends.
#[derive(Debug, Eq, PartialEq)]
enum End<'a> {
    To(Option<&'a Target>),
    Refused,
}

fn of_code<'a>(tree: &'a Tree, custom: Option<&str>, world: &World<'_>) -> End<'a> {
    match tree {
        Tree::Branch(condition, yes, no) => {
            of_code(if world.holds(condition, None) { yes } else { no }, custom, world)
        }
        Tree::Forward(all) => End::To(custom.and_then(|name| all.get(name))),
        Tree::Deny(_) => End::Refused,
    }
}

fn of_rules<'a>(rows: &'a [Row], form: Form, world: &World<'_>, used: &mut BTreeSet<usize>) -> End<'a> {
    for (index, row) in rows.iter().enumerate() {
        if !row.when.iter().all(|condition| world.holds(condition, Some(form))) {
            continue;
        }
        used.insert(index);
        match &row.act {
            Act::Deny(_) => return End::Refused,
            Act::Forward(None | Some(Target::Other)) => return End::To(None),
            Act::Forward(Some(target @ Target::Url(parts))) => {
                let filled = parts.iter().all(|part| match part {
                    Part::Claim(name) => world.claim(name).is_label(),
                    Part::Text(_) | Part::Env(_) => true,
                });
                return if filled { End::To(Some(target)) } else { End::Refused };
            }
            Act::Forward(Some(target @ Target::Customer(claim))) => {
                let value = world.claim(claim);
                if world.found(claim) {
                    return End::To(Some(target));
                }
                // A number names a customer by its digits, and here none that there is.
                let names = value.is_text() || matches!(value, Kind::Known(Scalar::Number(_)));
                if !row.next || !(*value == Kind::Missing || names) {
                    return End::Refused;
                }
            }
        }
    }
    End::Refused
}

/// More kinds of callers than anybody's rules tell apart.
const MOST_WORLDS: usize = 200_000;

/// The places of the rows that decide about some request.
///
/// # Errors
/// How the rules differ from the code.
pub(super) fn prove(
    tree: &Tree,
    custom: Option<&str>,
    rows: &[Row],
    form: Form,
) -> Result<BTreeSet<usize>, &'static str> {
    let (domains, atoms) = domains(tree, rows);
    let mut worlds = 1usize;
    for size in domains.values().map(Vec::len).chain(atoms.iter().map(|_| 2)) {
        worlds = worlds.saturating_mul(size);
    }
    if worlds > MOST_WORLDS {
        return Err("it tells too many kinds of callers apart");
    }
    let names = names(rows);
    let mut used = BTreeSet::new();
    for number in 0..worlds {
        let mut rest = number;
        let mut pick = |size: usize| {
            let own = rest % size;
            rest /= size;
            own
        };
        let values =
            domains.iter().filter_map(|(of, kinds)| Some((of, kinds.get(pick(kinds.len()))?))).collect();
        let facts = atoms.iter().map(|atom| (atom, pick(2) == 1)).collect();
        let world = World { values, facts };
        let code = of_code(tree, custom, &world);
        let rules = of_rules(rows, form, &world, &mut used);
        match (&code, &rules) {
            (code, rules) if code == rules => {}
            (End::Refused, _) => return Err("a value that is null, or no text, would pass"),
            (End::To(_), End::Refused) => {
                let is_usual = world.values.iter().all(|(of, kind)| kind.is_usual(names.contains(of)));
                let fills = matches!(&code, End::To(Some(Target::Url(parts)))
                    if parts.iter().any(|part| matches!(part, Part::Claim(name) if !world.claim(name).is_label())));
                if is_usual && !fills {
                    return Err("somebody whom it lets in would be refused");
                }
            }
            (End::To(_), End::To(_)) => return Err("a value that is null, or no text, would go elsewhere"),
        }
    }
    Ok(used)
}

/// Claims that fill a host or name a customer.
fn names(rows: &[Row]) -> BTreeSet<Operand> {
    let mut names = BTreeSet::new();
    for row in rows {
        match &row.act {
            Act::Forward(Some(Target::Url(parts))) => {
                names.extend(parts.iter().filter_map(|part| match part {
                    Part::Claim(name) => Some(Operand::Claim(name.clone())),
                    Part::Text(_) | Part::Env(_) => None,
                }))
            }
            Act::Forward(Some(Target::Customer(claim))) => drop(names.insert(Operand::Claim(claim.clone()))),
            Act::Forward(None | Some(Target::Other)) | Act::Deny(_) => {}
        }
    }
    names
}

fn domains(tree: &Tree, rows: &[Row]) -> (BTreeMap<Operand, Vec<Kind>>, BTreeSet<Atom>) {
    let mut scalars: BTreeMap<Operand, BTreeSet<Scalar>> = BTreeMap::new();
    let mut atoms = BTreeSet::new();
    tree.each_condition(&mut |condition| match condition {
        Condition::Truthy(of) | Condition::Exists(of) => drop(scalars.entry(of.clone()).or_default()),
        Condition::In(of, values) => scalars.entry(of.clone()).or_default().extend(values.iter().cloned()),
        Condition::Found(claim) => {
            scalars.entry(Operand::Claim(claim.clone())).or_default();
            atoms.insert(Atom::Found(claim.clone()));
        }
        Condition::Within(ranges) => drop(atoms.insert(Atom::Within(ranges.clone()))),
        Condition::Const(_) | Condition::Not(_) | Condition::All(_) | Condition::Any(_) => {}
    });
    for name in names(rows) {
        scalars.entry(name).or_default();
    }
    let kinds = |(of, known): (Operand, BTreeSet<Scalar>)| {
        let mut kinds = vec![Kind::Missing, Kind::OtherText];
        if let Operand::Claim(_) = of {
            kinds.extend([Kind::Null, Kind::Composite, Kind::OddText]);
            let falsy =
                [Scalar::Text(String::new()), Scalar::Number(0), Scalar::Bool(false), Scalar::Bool(true)];
            kinds.extend(falsy.into_iter().filter(|scalar| !known.contains(scalar)).map(Kind::Known));
        }
        kinds.extend(known.into_iter().map(Kind::Known));
        (of, kinds)
    };
    (scalars.into_iter().map(kinds).collect(), atoms)
}
