//! Which rules of a route are worth a look. Where many in a row ask whether one claim is this or that text,
//! the claim's value says which of them can match, and all others are passed over at once.

use std::collections::HashMap;

use serde_json::Value;

use super::{
    condition::{Condition, Facts, Operand, Test},
    rule::Rule,
};

/// Fewer rules in a row than this are quicker tried than looked up.
const WORTH_IT: usize = 4;

/// The rules of a route, by what they ask for.
#[derive(Clone, Debug, Default)]
pub struct RuleIndex {
    /// In the rules' order. They do not overlap, and there need not be one for each rule.
    runs: Vec<Run>,
}

/// Consecutive rules that all ask for a text of the same operand.
#[derive(Clone, Debug)]
struct Run {
    start: usize,
    /// The first rule that is not its own any more.
    end: usize,
    of: Operand,
    /// For each text the first rule that asks for it.
    first: HashMap<String, usize>,
    /// For each rule the next one that asks for the same text.
    next: Vec<Option<usize>>,
}

impl RuleIndex {
    /// The index of these rules.
    #[must_use]
    pub fn of(rules: &[Rule]) -> Self {
        let mut runs = Vec::new();
        let mut start = 0;
        while let Some(rule) = rules.get(start) {
            let reach = |of| {
                let asking = rules.iter().skip(start).take_while(|rule| text_asked_of(rule, of).is_some());
                (start + asking.count(), of)
            };
            let longest = rule.when.iter().filter_map(|condition| Some(reach(asked(condition)?.0)));
            match longest.max_by_key(|(end, _)| *end) {
                Some((end, of)) if end - start >= WORTH_IT => {
                    runs.push(Run::of(rules, start, end, of));
                    start = end;
                }
                _ => start += 1,
            }
        }
        Self { runs }
    }

    /// The first rule at `at` or behind that matches: what trying one after the other finds. `rules` are those
    /// that the index is of.
    #[must_use]
    pub fn find(&self, rules: &[Rule], mut at: usize, facts: &Facts<'_>) -> Option<usize> {
        let matches = |index: usize| rules.get(index).is_some_and(|rule| rule.matches(facts));
        while at < rules.len() {
            let behind = self.runs.partition_point(|run| run.end <= at);
            match self.runs.get(behind).filter(|run| run.start <= at) {
                Some(run) => {
                    let found = run.candidates(facts).find(|index| *index >= at && matches(*index));
                    if found.is_some() {
                        return found;
                    }
                    at = run.end;
                }
                None if matches(at) => return Some(at),
                None => at += 1,
            }
        }
        None
    }
}

impl Run {
    fn of(rules: &[Rule], start: usize, end: usize, of: &Operand) -> Self {
        let mut first = HashMap::new();
        let mut next = vec![None; end - start];
        // From behind, so that what is there already is the next one.
        for (index, same) in (start..end).zip(&mut next).rev() {
            if let Some(text) = rules.get(index).and_then(|rule| text_asked_of(rule, of)) {
                *same = first.insert(text.to_owned(), index);
            }
        }
        Self { start, end, of: of.clone(), first, next }
    }

    /// The rules that ask for the text that there is, in order.
    fn candidates(&self, facts: &Facts<'_>) -> impl Iterator<Item = usize> {
        let value = facts.find(&self.of);
        let text = value.as_deref().and_then(Value::as_str);
        let first = text.and_then(|text| self.first.get(text)).copied();
        std::iter::successors(first, |index| self.next.get(index - self.start).copied().flatten())
    }
}

/// What the condition asks to be which text, if it is one that asks for that.
fn asked(condition: &Condition) -> Option<(&Operand, &str)> {
    match condition {
        Condition::Is { of, test: Test::Equals(Value::String(text)) } => Some((of, text)),
        _ => None,
    }
}

/// The text that the rule asks `of` to be: without that it surely does not match.
fn text_asked_of<'r>(rule: &'r Rule, of: &Operand) -> Option<&'r str> {
    rule.when.iter().filter_map(asked).find_map(|(own, text)| (own == of).then_some(text))
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use proptest::prelude::*;

    use super::*;
    use crate::{
        base::object::parse_object,
        http::head::Head,
        identity::{
            claims::{ClaimPath, Claims},
            principal::Principal,
        },
        routing::rule::Action,
    };

    fn rule(when: Vec<Condition>) -> Rule {
        Rule { name: Rc::from("r"), when, action: Action::Deny(403), within: Vec::new() }
    }

    fn claim(name: &str, test: Test) -> Condition {
        Condition::Is { of: Operand::Claim(ClaimPath::parse(name).unwrap()), test }
    }

    fn conditions() -> impl Strategy<Value = Condition> {
        let name = prop_oneof![6 => Just("a"), 1 => Just("b")];
        let test = prop_oneof![
            12 => "[xyz]".prop_map(|text| Test::Equals(Value::from(text))),
            1 => Just(Test::Equals(Value::from(1))),
            1 => Just(Test::OneOf(vec![Value::from("x"), Value::from("y")])),
            1 => Just(Test::Not(Box::new(Test::Equals(Value::from("x"))))),
            1 => any::<bool>().prop_map(Test::Exists),
        ];
        let plain = (name, test).prop_map(|(name, test)| claim(name, test));
        prop_oneof![
            8 => plain.clone(),
            1 => prop_oneof![Just("GET"), Just("PUT")].prop_map(|method| Condition::Is {
                of: Operand::Method,
                test: Test::Equals(Value::from(method)),
            }),
            1 => plain.prop_map(|other| Condition::Not(Box::new(other))),
        ]
    }

    proptest! {
        #[test]
        fn it_finds_what_trying_one_after_the_other_finds(
            whens in proptest::collection::vec(proptest::collection::vec(conditions(), 0..3), 0..24),
            also in proptest::collection::vec("[xyz]", 0..12),
            claims in prop_oneof![
                Just("{}"), Just(r#"{"a":"x"}"#), Just(r#"{"a":"z","b":"y"}"#), Just(r#"{"a":1}"#),
                Just(r#"{"a":null,"b":"x"}"#), Just(r#"{"a":["x"]}"#),
            ],
        ) {
            let long = also.iter().map(|text| vec![claim("a", Test::Equals(Value::from(text.as_str())))]);
            let rules: Vec<_> = whens.into_iter().chain(long).map(rule).collect();
            let claims = Claims::new(parse_object(claims.as_bytes()).unwrap());
            let principal = Principal::new(None, claims);
            let facts = Facts { principal: &principal, head: &Head::bare(), captures: &[] };
            let index = RuleIndex::of(&rules);
            for at in 0..=rules.len() {
                let plainly = (at..rules.len()).find(|index| rules[*index].matches(&facts));
                prop_assert_eq!(index.find(&rules, at, &facts), plainly, "from {}", at);
            }
        }
    }

    #[test]
    fn rules_in_a_row_are_looked_up_and_others_tried() {
        let equals = |name, text: String| rule(vec![claim(name, Test::Equals(Value::from(text)))]);
        let few = (0..3).map(|number| equals("a", number.to_string()));
        let many = (0..500).map(|number| equals("b", number.to_string()));
        let rules: Vec<_> = few.chain([rule(Vec::new())]).chain(many).chain([rule(Vec::new())]).collect();
        let runs = RuleIndex::of(&rules).runs;
        assert_eq!(runs.iter().map(|run| (run.start, run.end)).collect::<Vec<_>>(), [(4, 504)]);
        assert_eq!(runs[0].first.len(), 500);
    }
}
