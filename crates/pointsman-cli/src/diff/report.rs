//! What is said of a comparison, for people and for machines.

use pointsman_core::state::config::Gateway;
use serde_json::{Map, Value, json};

use super::{
    callers::Who,
    tally::{Change, Example, Group, Members, Place, Tally},
};
use crate::{
    keys::short,
    output::{coloured, grouped, line, plain},
};

/// What was compared.
pub(super) struct Compared<'a> {
    pub(super) base: Named,
    pub(super) head: Named,
    pub(super) questions: usize,
    pub(super) notes: &'a [String],
    pub(super) tally: &'a Tally,
    pub(super) max_moved: Option<u64>,
}

/// A configuration, by its place and by its text.
pub(super) struct Named {
    pub(super) place: String,
    pub(super) version: String,
}

impl Named {
    pub(super) fn of(place: String, gateway: &Gateway) -> Self {
        Self { place, version: gateway.version().to_owned() }
    }
}

impl Compared<'_> {
    /// Whether more callers notice a difference than may.
    pub(super) fn is_exceeded(&self) -> bool {
        self.max_moved.is_some_and(|most| self.tally.differ > most)
    }

    /// The groups, those that hurt most first.
    fn groups(&self) -> Vec<(&Group, &Members)> {
        let mut groups: Vec<_> = self.tally.groups.iter().collect();
        groups.sort_by(|(one, its), (other, theirs)| {
            one.change.cmp(&other.change).then(theirs.callers.cmp(&its.callers)).then_with(|| one.cmp(other))
        });
        groups
    }

    pub(super) fn as_json(&self) -> Value {
        let Self { base, head, tally, .. } = self;
        let configuration = |named: &Named| json!({ "place": named.place, "configuration": named.version });
        let mut told = json!({
            "base": configuration(base),
            "head": configuration(head),
            "callers": { "customers": tally.customers, "keys": tally.keys, "anonymous": 1 },
            "questions": self.questions,
            "differ": tally.differ,
            "byOtherRule": tally.other_rule,
            "maxMoved": self.max_moved,
            "exceeded": self.is_exceeded(),
            "changes": self.groups().into_iter().map(|(group, members)| group_as_json(group, members)).collect::<Vec<_>>(),
            "notes": self.notes,
        });
        if let Value::Object(members) = &mut told {
            for (change, name) in NAMES {
                members.insert(name.to_owned(), tally.count(change).into());
            }
        }
        told
    }

    pub(super) fn print(&self) {
        let Self { base, head, tally, .. } = self;
        line(&format!("base  {} ({})", plain(&base.place), base.version));
        line(&format!("head  {} ({})", plain(&head.place), head.version));
        line(&format!(
            "{} and {}, asked with {}",
            many(tally.customers, "customer"),
            many(tally.keys, "key"),
            many(self.questions as u64, "request")
        ));
        for note in self.notes {
            line(&format!("note: {}", plain(note)));
        }
        line("");
        if tally.differ == 0 {
            line("nobody would notice a difference");
        } else {
            line(&format!("{} would notice a difference", many(tally.differ, "caller")));
            for change in Change::ALL.into_iter().filter(|change| tally.count(*change) > 0) {
                let count =
                    format!("{:>9}", grouped(usize::try_from(tally.count(change)).unwrap_or(usize::MAX)));
                line(&format!("{} would {}", coloured(&count, colour(change)), words(change)));
            }
        }
        if tally.other_rule > 0 {
            line(&format!(
                "{} would go where they go now, by a rule of another name",
                many(tally.other_rule, "caller")
            ));
        }
        for (group, members) in self.groups() {
            print_group(group, members);
        }
        if let Some(most) = self.max_moved.filter(|_| self.is_exceeded()) {
            line("");
            line(&format!("more than --max-moved {most}"));
        }
    }
}

/// The members of the document that count callers by change.
const NAMES: [(Change, &str); 4] = [
    (Change::Refused, "refused"),
    (Change::Admitted, "admitted"),
    (Change::Moved, "moved"),
    (Change::RefusedOtherwise, "refusedOtherwise"),
];

const fn words(change: Change) -> &'static str {
    match change {
        Change::Refused => "be refused, and are let in now",
        Change::Admitted => "be let in, and are refused now",
        Change::Moved => "go elsewhere",
        Change::RefusedOtherwise => "be refused in another way",
    }
}

const fn colour(change: Change) -> &'static str {
    match change {
        Change::Refused => "31",
        Change::Admitted => "32",
        Change::Moved => "33",
        Change::RefusedOtherwise => "0",
    }
}

fn many(number: u64, one: &str) -> String {
    let number = usize::try_from(number).unwrap_or(usize::MAX);
    format!("{} {one}{}", grouped(number), if number == 1 { "" } else { "s" })
}

fn print_group(group: &Group, members: &Members) {
    let Group { change, from, to } = group;
    line("");
    let what = format!("{} would {}", many(members.callers, "caller"), words(*change));
    line(&coloured(&what, colour(*change)));
    line(&format!("  now    {}", told(from)));
    line(&format!("  would  {}", told(to)));
    for example in &members.examples {
        let Example { who, method, url, circumstances, from, to, .. } = example;
        line(&format!("    {}: {method} {}{}", name_of(who), plain(url), with(circumstances)));
        if !from.is_empty() || !to.is_empty() {
            line(&format!("      {} → {}", places(from), places(to)));
        }
    }
}

fn places(urls: &[String]) -> String {
    if urls.is_empty() { "nowhere".to_owned() } else { plain(&urls.join(", then ")) }
}

fn with(circumstances: &Map<String, Value>) -> String {
    if circumstances.is_empty() {
        return String::new();
    }
    let said = circumstances.iter().map(|(name, value)| match value {
        Value::String(text) => format!("{name} {}", plain(text)),
        other => format!("{name} {other}"),
    });
    format!(" ({})", said.collect::<Vec<_>>().join(", "))
}

fn told(place: &Place) -> String {
    let Place { route, rule, backend, refusal } = place;
    let mut words =
        vec![route.as_ref().map_or_else(|| "no route".to_owned(), |name| format!("route {name}"))];
    words.extend(rule.as_ref().map(|name| format!("rule {name}")));
    words.extend(backend.as_ref().map(|name| format!("backend {name}")));
    words.extend(refusal.map(|(status, reason)| format!("{status} {reason}")));
    plain(&words.join(", "))
}

fn name_of(who: &Who) -> String {
    match who {
        Who::Anonymous => "anybody without a credential".to_owned(),
        Who::Customer(id) => format!("a token of customer {}", plain(id)),
        Who::Key { digest, subject, customer } => {
            let customer =
                customer.as_ref().map(|id| format!(", customer {}", plain(id))).unwrap_or_default();
            format!("key {} (subject {}{customer})", short(digest), plain(subject))
        }
    }
}

fn group_as_json(group: &Group, members: &Members) -> Value {
    let Group { change, from, to } = group;
    json!({
        "change": change.as_str(),
        "callers": members.callers,
        "from": place_as_json(from),
        "to": place_as_json(to),
        "examples": members.examples.iter().map(example_as_json).collect::<Vec<_>>(),
    })
}

fn place_as_json(place: &Place) -> Value {
    let Place { route, rule, backend, refusal } = place;
    json!({
        "route": route,
        "rule": rule,
        "backend": backend,
        "status": refusal.map(|(status, _)| status),
        "reason": refusal.map(|(_, reason)| reason),
    })
}

fn example_as_json(example: &Example) -> Value {
    let Example { who, method, url, circumstances, from, to, .. } = example;
    let who = match who {
        Who::Anonymous => json!({ "kind": "anonymous" }),
        Who::Customer(id) => json!({ "kind": "customer", "customer": id }),
        Who::Key { digest, subject, customer } => {
            json!({ "kind": "key", "digest": digest, "subject": subject, "customer": customer })
        }
    };
    json!({
        "caller": who,
        "request": { "method": method, "url": url, "with": circumstances },
        "from": from,
        "to": to,
    })
}
