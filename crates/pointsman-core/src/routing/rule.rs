//! Rules: ordered, named, the first that matches decides.

use std::rc::Rc;

use super::{
    condition::{Condition, Facts},
    split::Split,
    target::{Target, Unlisted},
};

/// One rule of a route.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its name, which the log gives as the reason for the decision.
    pub name: Rc<str>,
    /// All of these must hold; none means always.
    pub when: Vec<Condition>,
    /// What happens then.
    pub action: Action,
    /// The only regions that it may send requests to; empty for any.
    pub within: Vec<Rc<str>>,
}

/// What a rule that matches does.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Forward.
    To(Target),
    /// Forward to one of several, each caller always to the same.
    Split(Rc<Split>),
    /// Answer with this status.
    Deny(u16),
}

impl Rule {
    /// Whether the rule is for this request.
    #[must_use]
    pub fn matches(&self, facts: &Facts<'_>) -> bool {
        self.when.iter().all(|condition| condition.holds(facts))
    }

    /// Why it is not for this request, for people; `None` where it is.
    #[must_use]
    pub fn why_not(&self, facts: &Facts<'_>) -> Option<String> {
        self.when.iter().find_map(|condition| condition.why_not(facts))
    }

    /// Why it is for this request, for people: one text for each of its conditions.
    #[cold]
    #[inline(never)]
    #[must_use]
    pub fn why(&self, facts: &Facts<'_>) -> Vec<String> {
        self.when.iter().filter_map(|condition| condition.why(facts)).collect()
    }

    /// Whether no caller that this rule matches goes on to a later one.
    #[must_use]
    pub fn is_final(&self) -> bool {
        let may_go_on = |target: &Target| matches!(target, Target::Customer { unlisted: Unlisted::Next });
        match &self.action {
            Action::To(target) => !may_go_on(target),
            Action::Split(split) => !split.variants.iter().any(|variant| may_go_on(&variant.to)),
            Action::Deny(_) => true,
        }
    }

    /// Whether it is the same rule but for its name.
    #[must_use]
    pub fn decides_like(&self, other: &Self) -> bool {
        self.when == other.when && self.action == other.action && self.within == other.within
    }

    /// Whether `self` surely matches whatever `later` matches: then `later` is never reached.
    #[must_use]
    pub fn covers(&self, later: &Self) -> bool {
        let all = Condition::All(later.when.clone());
        self.when.iter().all(|condition| condition.is_implied_by(&all))
    }
}
