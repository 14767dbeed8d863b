//! What was counted: who differs, by route, rule and backend, with a few examples of each.

use std::collections::HashMap;

use pointsman_core::decide::decision::{Decision, Outcome};
use serde_json::{Map, Value};

use super::{callers::Who, side::calls};

/// In which way a caller notices the other configuration.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) enum Change {
    /// Was forwarded, and would be refused.
    Refused,
    /// Was refused, and would be forwarded.
    Admitted,
    /// Would be forwarded elsewhere.
    Moved,
    /// Would be refused in another way.
    RefusedOtherwise,
}

impl Change {
    pub(super) const ALL: [Self; 4] = [Self::Refused, Self::Admitted, Self::Moved, Self::RefusedOtherwise];

    /// For machines.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Admitted => "admitted",
            Self::Moved => "moved",
            Self::RefusedOtherwise => "refused_otherwise",
        }
    }

    pub(super) const fn of(base: &Decision, head: &Decision) -> Self {
        match (&base.outcome, &head.outcome) {
            (Outcome::Forward(_), Outcome::Forward(_)) => Self::Moved,
            (Outcome::Forward(_), _) => Self::Refused,
            (_, Outcome::Forward(_)) => Self::Admitted,
            _ => Self::RefusedOtherwise,
        }
    }
}

/// Where a request ends, by the names of the configuration.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct Place {
    pub(super) route: Option<String>,
    pub(super) rule: Option<String>,
    /// A backend's name; `customer` for a customer's own.
    pub(super) backend: Option<String>,
    /// The status and the reason of a refusal.
    pub(super) refusal: Option<(u16, &'static str)>,
}

impl Place {
    pub(super) fn of(decision: &Decision) -> Self {
        let trace = &decision.trace;
        let text = |name: Option<&str>| name.map(str::to_owned);
        let refusal = match &decision.outcome {
            Outcome::Answer(answer) => {
                Some((answer.status, answer.refusal.map_or("answered", |refusal| refusal.id())))
            }
            Outcome::Forward(_) | Outcome::Load(..) => None,
        };
        Self {
            route: text(trace.route.as_deref()),
            rule: text(trace.rule.as_deref()),
            // A customer's own backend that was refused is none that anything goes to.
            backend: if refusal.is_none() { text(trace.backend.as_deref()) } else { None },
            refusal,
        }
    }
}

/// One kind of difference.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(super) struct Group {
    pub(super) change: Change,
    pub(super) from: Place,
    pub(super) to: Place,
}

/// One caller with one request.
#[derive(Clone, Debug)]
pub(super) struct Example {
    /// Its place in the data, so that the same examples are shown however many threads there are.
    pub(super) order: u64,
    pub(super) who: Who,
    pub(super) method: String,
    pub(super) url: String,
    pub(super) circumstances: Map<String, Value>,
    pub(super) from: Vec<String>,
    pub(super) to: Vec<String>,
}

/// The callers of one group.
#[derive(Clone, Debug, Default)]
pub(super) struct Members {
    pub(super) callers: u64,
    pub(super) examples: Vec<Example>,
}

/// All that was counted.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) customers: u64,
    pub(super) keys: u64,
    /// Callers who notice any difference.
    pub(super) differ: u64,
    /// Callers by change; one caller may be in several.
    pub(super) changes: HashMap<Change, u64>,
    /// Callers who end where they did, by another rule.
    pub(super) other_rule: u64,
    pub(super) groups: HashMap<Group, Members>,
    /// How many examples of each group are kept.
    pub(super) kept: usize,
    /// How many questions were asked of each configuration.
    pub(super) asked: u64,
    /// Decisions that could not be made. None is expected.
    pub(super) undecided: u64,
}

/// What one caller meets, so that each caller counts once.
#[derive(Debug, Default)]
pub(super) struct OfCaller {
    groups: Vec<Group>,
    other_rule: bool,
}

/// Where a request is sent, for people.
pub(super) fn urls(decision: &Decision) -> Vec<String> {
    let Outcome::Forward(forward) = &decision.outcome else { return Vec::new() };
    let called = calls(&forward.sending).into_iter();
    called
        .map(|(url, binding)| binding.map_or_else(|| url.to_owned(), |name| format!("{url} (by {name})")))
        .collect()
}

impl Tally {
    /// Notes that the caller ends at the same place, perhaps by another rule.
    pub(super) fn note_same(&mut self, base: &Decision, head: &Decision, of_caller: &mut OfCaller) {
        if !of_caller.other_rule && base.trace.rule != head.trace.rule {
            of_caller.other_rule = true;
            self.other_rule += 1;
        }
    }

    /// Notes a difference. `example` is made only where it is kept.
    pub(super) fn note(
        &mut self,
        [base, head]: [&Decision; 2],
        order: u64,
        of_caller: &mut OfCaller,
        example: impl FnOnce() -> Example,
    ) {
        if [base, head].into_iter().any(|decision| matches!(decision.outcome, Outcome::Load(..))) {
            self.undecided += 1;
        }
        let change = Change::of(base, head);
        let group = Group { change, from: Place::of(base), to: Place::of(head) };
        if of_caller.groups.contains(&group) {
            return;
        }
        if of_caller.groups.is_empty() {
            self.differ += 1;
        }
        if of_caller.groups.iter().all(|own| own.change != change) {
            *self.changes.entry(change).or_default() += 1;
        }
        let members = self.groups.entry(group.clone()).or_default();
        members.callers += 1;
        let later = members.examples.last().is_some_and(|last| last.order < order);
        if members.examples.len() < self.kept || !later {
            members.keep(example(), self.kept);
        }
        of_caller.groups.push(group);
    }

    /// Adds what another thread has counted.
    pub(super) fn add(&mut self, other: Self) {
        self.customers += other.customers;
        self.keys += other.keys;
        self.differ += other.differ;
        self.other_rule += other.other_rule;
        self.asked += other.asked;
        self.undecided += other.undecided;
        for (change, callers) in other.changes {
            *self.changes.entry(change).or_default() += callers;
        }
        for (group, members) in other.groups {
            let own = self.groups.entry(group).or_default();
            own.callers += members.callers;
            members.examples.into_iter().for_each(|example| own.keep(example, self.kept));
        }
    }

    /// How many callers meet this change.
    pub(super) fn count(&self, change: Change) -> u64 {
        self.changes.get(&change).copied().unwrap_or_default()
    }
}

impl Members {
    fn keep(&mut self, example: Example, most: usize) {
        let place = self.examples.partition_point(|own| own.order <= example.order);
        self.examples.insert(place, example);
        self.examples.truncate(most);
    }
}
