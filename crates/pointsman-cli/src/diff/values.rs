//! Which values of a request conditions tell apart: those that they name, one on either side of each bound, and that there is
//! none. What is between two of these, conditions treat alike.

use std::rc::Rc;

use pointsman_core::{
    http::cf::CfKind,
    routing::{
        condition::{Condition, Test},
        operand::Operand,
        split::Split,
        target::Target,
    },
    state::{config::Gateway, route::Route},
};
use serde_json::{Number, Value};

/// Stands for any value that no condition names.
const ANOTHER: &str = "another";

/// The things that a request's route looks at beside the caller, each with the values worth asking for. That it is not there
/// comes first.
#[derive(Debug, Default)]
pub(super) struct Distinctions {
    pub(super) of: Vec<(Operand, Vec<Option<Value>>)>,
    /// Whether the method itself is looked at.
    pub(super) methods: bool,
}

impl Distinctions {
    /// Adds what a route of this configuration looks at.
    pub(super) fn add(&mut self, gateway: &Gateway, route: &Route) {
        route.require.iter().for_each(|condition| self.condition(condition));
        for rule in &route.rules {
            rule.when.iter().for_each(|condition| self.condition(condition));
            if let pointsman_core::routing::rule::Action::Split(split) = &rule.action {
                self.split(split);
            }
        }
        if goes_by_region(gateway, route) {
            self.regions(gateway);
        }
    }

    fn condition(&mut self, condition: &Condition) {
        match condition {
            Condition::Is { of, test } => self.test(of, test),
            Condition::All(all) | Condition::Any(all) => all.iter().for_each(|own| self.condition(own)),
            Condition::Not(other) => self.condition(other),
            Condition::Named(named) => self.condition(&named.condition),
        }
    }

    fn test(&mut self, of: &Operand, test: &Test) {
        let mut values = Vec::new();
        tested(test, &mut values);
        self.note(of, values);
    }

    /// A tester may name a variant.
    fn split(&mut self, split: &Split) {
        for of in &split.chosen_by {
            self.note(of, split.variants.iter().map(|variant| Value::from(&*variant.name)).collect());
        }
    }

    /// The regions that a client can be in: those of the configuration, else the continents that origins stand in.
    fn regions(&mut self, gateway: &Gateway) {
        gateway.regions().iter().flat_map(|region| &region.when).for_each(|own| self.condition(own));
        if !gateway.regions().is_empty() {
            return;
        }
        let named = gateway.backends().iter().flat_map(|backend| &backend.origins);
        let codes = named.filter_map(|origin| origin.region.as_ref()).map(|name| name.to_ascii_uppercase());
        let continent = Operand::parse("$continent", |_| None);
        if let Some(continent) = continent {
            self.note(&continent, codes.map(Value::from).collect());
        }
    }

    fn note(&mut self, of: &Operand, values: Vec<Value>) {
        match of {
            // The caller's own, and no part of the question.
            Operand::Claim(_) | Operand::Subject => return,
            Operand::Method => {
                self.methods = true;
                return;
            }
            Operand::Cf(_) | Operand::Ip | Operand::Host | Operand::Param(..) => {}
            Operand::Header(_) | Operand::Query(_) => {}
        }
        // One name in two patterns may stand at two places, and is the same part of the path.
        let same = |own: &Operand| match (own, of) {
            (Operand::Param(_, own), Operand::Param(_, other)) => own == other,
            _ => own == of,
        };
        let place = match self.of.iter().position(|(own, _)| same(own)) {
            Some(place) => place,
            None => {
                self.of.push((of.clone(), vec![None]));
                self.of.len() - 1
            }
        };
        let Some((_, known)) = self.of.get_mut(place) else { return };
        for value in values.into_iter().filter(|value| can_be(of, value)).map(Some) {
            if !known.contains(&value) {
                known.push(value);
            }
        }
    }
}

/// Whether a route can send a request to origins of which some are nearer than others.
fn goes_by_region(gateway: &Gateway, route: &Route) -> bool {
    let within = route.rules.iter().any(|rule| !rule.within.is_empty());
    let has_regions = |target: &Target| match target {
        Target::Backend(index) => gateway
            .backends()
            .get(*index)
            .is_some_and(|backend| backend.origins.iter().any(|origin| origin.region.is_some())),
        // Which regions a customer's places are in, its record says.
        Target::Customer { .. } => !gateway.regions().is_empty(),
    };
    within
        || route.rules.iter().any(|rule| match &rule.action {
            pointsman_core::routing::rule::Action::To(target) => has_regions(target),
            pointsman_core::routing::rule::Action::Split(split) => {
                split.variants.iter().any(|variant| has_regions(&variant.to))
            }
            pointsman_core::routing::rule::Action::Deny(_) => false,
        })
}

/// Whether the operand can have this value at all: a number is no country.
fn can_be(of: &Operand, value: &Value) -> bool {
    match of {
        Operand::Cf(own) => match own.property.kind {
            CfKind::Text => value.is_string(),
            CfKind::Number => value.is_number(),
            CfKind::Flag { .. } => value.is_boolean(),
        },
        _ => value.is_string(),
    }
}

fn tested(test: &Test, values: &mut Vec<Value>) {
    match test {
        Test::Equals(value) | Test::Contains(value) => values.push(value.clone()),
        Test::OneOf(all) => values.extend(all.iter().cloned()),
        Test::Exists(_) => {
            values.extend([Value::from(ANOTHER), Value::from(1), Value::from(true), Value::from(false)])
        }
        Test::Has(word) => values.push(Value::from(word.as_str())),
        Test::Prefix(texts) => values.extend(texts.iter().map(|text| Value::from(format!("{text}x")))),
        Test::Suffix(texts) => values.extend(texts.iter().map(|text| Value::from(format!("x{text}")))),
        Test::Compares(_, bound) => values.extend(around(bound)),
        Test::Within(ranges) => {
            let first = |text: String| text.split('/').next().map(Value::from);
            values.extend(ranges.iter().filter_map(|range| first(range.to_string())));
        }
        Test::OneValue(_, test) | Test::EachValue(_, test) | Test::Not(test) => tested(test, values),
        Test::All(tests) => tests.iter().for_each(|test| tested(test, values)),
    }
}

/// The bound itself and its neighbours.
fn around(bound: &Number) -> Vec<Value> {
    match (bound.as_i64(), bound.as_f64()) {
        (Some(whole), _) => [whole.checked_sub(1), Some(whole), whole.checked_add(1)]
            .into_iter()
            .flatten()
            .map(Value::from)
            .collect(),
        (None, Some(real)) => [real - 1.0, real, real + 1.0].map(Value::from).to_vec(),
        (None, None) => Vec::new(),
    }
}

/// The name of a placeholder whose value is looked at.
pub(super) fn placeholder(of: &Operand) -> Option<Rc<str>> {
    match of {
        Operand::Param(_, name) => Some(Rc::clone(name)),
        _ => None,
    }
}
