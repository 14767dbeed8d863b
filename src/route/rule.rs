//! Rules: ordered, named, the first that matches decides.

use std::rc::Rc;

use serde_json::Value;

use crate::claims::{ClaimPath, Principal};

/// One rule of a route.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its name, which the log gives as the reason for the decision.
    pub name: Rc<str>,
    /// All of these must hold; none means always.
    pub when: Vec<Condition>,
    /// What happens then.
    pub action: Action,
}

/// What a rule that matches does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Action {
    /// Forward to this backend, an index into the configured ones.
    Backend(usize),
    /// Forward to the customer's own backend.
    Customer {
        /// What happens to callers without a customer id or whose customer nobody listed.
        unlisted: Unlisted,
    },
    /// Answer with this status.
    Deny(u16),
}

/// What `to = "customer"` does for callers without a customer id or whose customer is not listed.
/// A *malformed* id or record is refused in either case, as is a disabled customer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unlisted {
    /// 401 without an id, 403 with an unknown one.
    Refuse,
    /// Go on with the next rule.
    Next,
}

/// A test of one thing that is known about the caller.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// What is tested.
    pub of: Operand,
    /// How.
    pub test: Test,
}

/// What a condition looks at.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Operand {
    /// A claim.
    Claim(ClaimPath),
    /// `$subject`: the subject.
    Subject,
}

/// A test of a value that may be absent.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// It is this string, number or boolean, of the same type.
    Equals(Value),
    /// It is one of these.
    OneOf(Vec<Value>),
    /// It is there (`null` is), or is not.
    Exists(bool),
    /// It is an array that holds this.
    Contains(Value),
    /// The other test fails. An absent value fails every test but `exists = false`, so its negation
    /// holds.
    Not(Box<Test>),
    /// All of these.
    All(Vec<Test>),
}

impl Rule {
    /// Whether the rule is for this caller.
    #[must_use]
    pub fn matches(&self, principal: &Principal) -> bool {
        self.when.iter().all(|condition| condition.holds(principal))
    }

    /// Whether no caller that this rule matches goes on to a later one.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        !matches!(self.action, Action::Customer { unlisted: Unlisted::Next })
    }

    /// Whether `self` surely matches whatever `later` matches: then `later` is never reached.
    #[must_use]
    pub fn covers(&self, later: &Self) -> bool {
        self.when.iter().all(|condition| later.when.iter().any(|other| condition.is_implied_by(other)))
    }
}

impl Condition {
    fn holds(&self, principal: &Principal) -> bool {
        match &self.of {
            Operand::Claim(path) => self.test.holds(principal.claims.find(path)),
            Operand::Subject => {
                let subject = principal.subject.as_deref().map(Value::from);
                self.test.holds(subject.as_ref())
            }
        }
    }

    fn is_implied_by(&self, other: &Self) -> bool {
        self.of == other.of && self.test.is_implied_by(&other.test)
    }
}

impl Test {
    /// Whether `value` passes.
    #[must_use]
    pub fn holds(&self, value: Option<&Value>) -> bool {
        match self {
            Self::Equals(expected) => value.is_some_and(|value| same(value, expected)),
            Self::OneOf(allowed) => value.is_some_and(|value| allowed.iter().any(|one| same(value, one))),
            Self::Exists(wanted) => value.is_some() == *wanted,
            Self::Contains(wanted) => {
                let items = value.and_then(Value::as_array);
                items.is_some_and(|items| items.iter().any(|item| same(item, wanted)))
            }
            Self::Not(test) => !test.holds(value),
            Self::All(tests) => tests.iter().all(|test| test.holds(value)),
        }
    }

    /// Whether whatever passes `other` surely passes `self`. May say no where the answer is yes.
    fn is_implied_by(&self, other: &Self) -> bool {
        if self == other {
            return true;
        }
        match (self, other) {
            (Self::OneOf(allowed), Self::Equals(value)) => allowed.contains(value),
            (Self::OneOf(allowed), Self::OneOf(values)) => values.iter().all(|value| allowed.contains(value)),
            (Self::Exists(true), Self::Equals(_) | Self::OneOf(_) | Self::Contains(_)) => true,
            (Self::All(tests), _) => tests.iter().all(|test| test.is_implied_by(other)),
            (_, Self::All(tests)) => tests.iter().any(|test| self.is_implied_by(test)),
            _ => false,
        }
    }
}

/// Equality of scalars of one type: `1` equals `1.0`, and no number equals a string.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left == right || left.as_f64() == right.as_f64(),
        _ => left == right,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::claims::Claims;

    fn condition(name: &str, test: Test) -> Condition {
        Condition { of: Operand::Claim(ClaimPath::parse(name).unwrap()), test }
    }

    fn rule(when: Vec<Condition>) -> Rule {
        Rule { name: Rc::from("r"), when, action: Action::Deny(403) }
    }

    fn principal(claims: &Value) -> Principal {
        Principal { subject: Some(Rc::from("u")), claims: Claims::new(claims.as_object().unwrap().clone()) }
    }

    #[test]
    fn scalars_are_compared_with_their_type() {
        let equals = |value: Value| Test::Equals(value);
        assert!(equals(json!("1")).holds(Some(&json!("1"))));
        assert!(!equals(json!("1")).holds(Some(&json!(1))));
        assert!(equals(json!(1)).holds(Some(&json!(1.0))));
        assert!(!equals(json!(true)).holds(Some(&json!("true"))));
        assert!(!equals(json!("a")).holds(Some(&json!(["a"]))));
        assert!(!equals(json!("a")).holds(None));
    }

    #[test]
    fn the_other_tests() {
        let roles = json!(["a", "b"]);
        assert!(Test::Contains(json!("b")).holds(Some(&roles)));
        assert!(!Test::Contains(json!("b")).holds(Some(&json!("b"))));
        assert!(Test::OneOf(vec![json!("a"), json!(2)]).holds(Some(&json!(2))));
        assert!(Test::Exists(true).holds(Some(&Value::Null)));
        assert!(Test::Exists(false).holds(None));
        let not_paid = Test::Not(Box::new(Test::Equals(json!("paid"))));
        assert!(
            not_paid.holds(Some(&json!("free")))
                && not_paid.holds(None)
                && !not_paid.holds(Some(&json!("paid")))
        );
    }

    #[test]
    fn all_conditions_must_hold_and_none_is_always() {
        let both = rule(vec![
            condition("tier", Test::Equals(json!("enterprise"))),
            condition("tenant_id", Test::Exists(true)),
        ]);
        assert!(both.matches(&principal(&json!({"tier": "enterprise", "tenant_id": "a"}))));
        assert!(!both.matches(&principal(&json!({"tier": "enterprise"}))));
        assert!(rule(vec![]).matches(&principal(&json!({}))));
        let subject = rule(vec![Condition { of: Operand::Subject, test: Test::Equals(json!("u")) }]);
        assert!(subject.matches(&principal(&json!({}))));
        assert!(!subject.matches(&Principal::default()));
    }

    proptest! {
        /// If one rule is said to cover another, no claims may match the other alone.
        #[test]
        fn covering_is_never_wrong(earlier in rules(), later in rules(), value in values()) {
            let principal = principal(&json!({"a": value}));
            if earlier.covers(&later) && later.matches(&principal) {
                prop_assert!(earlier.matches(&principal), "{earlier:?} / {later:?}");
            }
        }
    }

    fn values() -> impl Strategy<Value = Value> {
        prop_oneof![Just(json!("x")), Just(json!("y")), Just(json!(1)), Just(json!(["x"])), Just(Value::Null)]
    }

    fn tests() -> impl Strategy<Value = Test> {
        let leaf = prop_oneof![
            values().prop_map(Test::Equals),
            proptest::collection::vec(values(), 0..3).prop_map(Test::OneOf),
            any::<bool>().prop_map(Test::Exists),
            values().prop_map(Test::Contains),
        ];
        leaf.prop_recursive(2, 8, 3, |inner| {
            prop_oneof![
                inner.clone().prop_map(|test| Test::Not(Box::new(test))),
                proptest::collection::vec(inner, 1..3).prop_map(Test::All),
            ]
        })
    }

    fn rules() -> impl Strategy<Value = Rule> {
        proptest::collection::vec(tests().prop_map(|test| condition("a", test)), 0..3).prop_map(rule)
    }
}
