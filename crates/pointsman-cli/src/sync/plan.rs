//! What there is to do: what KV should hold against what it holds.

use std::collections::BTreeMap;

use pointsman_core::base::record::entry_of;
use serde_json::Value;

use super::wanted::Wanted;
use crate::{
    ending::Failure,
    records::{Kind, is_of_config_api},
    store::{Keeps, Kv, Listed, Sum},
};

/// How a plan is made.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Options {
    /// Delete what stands in no file.
    pub(crate) prune: bool,
    /// Read every value, whatever the listing says of it.
    pub(crate) verify: bool,
}

/// What there is to do.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Plan {
    pub(crate) creates: Vec<String>,
    pub(crate) changes: Vec<Change>,
    pub(crate) deletes: Vec<String>,
    pub(crate) unchanged: usize,
    /// Of these, entries that the tools did not write, or not as they are.
    pub(crate) by_hand: usize,
    /// Entries of KV that stand in no file and stay.
    pub(crate) left: BTreeMap<Kind, usize>,
    /// Customers of the config API that stand in no file; never deleted.
    pub(crate) of_config_api: usize,
    /// Of what is created and deleted, customers whom the config API knows too: of the one the record counts
    /// before what that says, of the other what that says counts again.
    pub(crate) beside: Vec<String>,
    /// How many entries of each kind a plan that deletes started from.
    pub(crate) own: BTreeMap<Kind, usize>,
}

/// An entry whose content is another.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Change {
    pub(crate) name: String,
    /// What KV holds.
    pub(crate) old: String,
    /// Whether somebody else than the tools wrote that.
    pub(crate) drifted: bool,
    /// Whether it was the config API's and becomes the operator's own.
    pub(crate) taken_over: bool,
    /// What the entry has beside its value.
    pub(crate) keeps: Keeps,
}

impl Plan {
    /// Whether there is nothing to do.
    pub(crate) const fn is_empty(&self) -> bool {
        self.creates.is_empty() && self.changes.is_empty() && self.deletes.is_empty()
    }

    /// The names of a kind that are written.
    pub(crate) fn puts(&self, kind: Kind) -> Vec<&str> {
        let changes = self.changes.iter().map(|change| change.name.as_str());
        let names = self.creates.iter().map(String::as_str).chain(changes);
        names.filter(|name| name.starts_with(kind.prefix())).collect()
    }

    /// Whether the config API's record stands beside the entry of this name.
    pub(crate) fn is_beside(&self, name: &str) -> bool {
        self.beside.binary_search_by(|known| known.as_str().cmp(name)).is_ok()
    }

    /// What the entry of this name keeps when it is written.
    pub(crate) fn keeps(&self, name: &str) -> Keeps {
        let at = self.changes.binary_search_by(|change| change.name.as_str().cmp(name)).ok();
        at.and_then(|at| self.changes.get(at)).map(|change| change.keeps.clone()).unwrap_or_default()
    }

    /// The names of a kind that are deleted.
    pub(crate) fn deletes(&self, kind: Kind) -> Vec<String> {
        self.deletes.iter().filter(|name| name.starts_with(kind.prefix())).cloned().collect()
    }

    /// Says why so many deletions are hardly meant; `None` where they are not that many.
    pub(crate) fn deletes_too_much(&self) -> Option<String> {
        const FEW: usize = 10;
        const PERCENT: usize = 20;
        Kind::ALL.into_iter().find_map(|kind| {
            let (gone, there) = (self.deletes(kind).len(), self.own.get(&kind).copied().unwrap_or_default());
            (gone > FEW && gone * 100 > there * PERCENT).then(|| {
                let many = kind.many();
                format!(
                    "this would delete {gone} of {there} {many}, more than {PERCENT} in a hundred. If that is meant, \
                     say --yes"
                )
            })
        })
    }
}

/// The spelling of a record that these tools write; none for what the gateway could not read either.
pub(crate) fn spelled(text: &str) -> Option<String> {
    let mut members = entry_of(text.as_bytes()).ok()?;
    members.retain(|_, value| !value.is_null());
    Some(Value::Object(members).to_string())
}

/// Compares. `listed` is told of each listing, before anything else is read.
///
/// # Errors
/// Where KV could not be read.
pub(crate) fn plan(
    kv: &dyn Kv,
    wanted: &Wanted,
    options: Options,
    listed: &mut dyn FnMut(Kind, &[Listed]),
) -> Result<Plan, Failure> {
    let mut plan = Plan::default();
    // With what the listing says of it.
    let mut doubtful: BTreeMap<String, (Option<Sum>, Keeps)> = BTreeMap::new();
    let mut superfluous = Vec::new();
    for kind in Kind::ALL {
        let managed = wanted.kinds().contains(&kind);
        let mut of_kind =
            wanted.entries().iter().filter(|(name, _)| name.starts_with(kind.prefix())).peekable();
        if of_kind.peek().is_none() && !managed {
            continue;
        }
        let there = kv.list(kind.prefix())?;
        listed(kind, &there);
        let is_there = |name: &str| there.binary_search_by(|listed| listed.name.as_str().cmp(name)).is_ok();
        plan.creates.extend(of_kind.map(|(name, _)| name).filter(|name| !is_there(name)).cloned());
        for Listed { name, written, keeps } in there {
            match wanted.entries().get(&name) {
                Some(want) if written == Some(want.sum) && !options.verify => plan.unchanged += 1,
                Some(_) => {
                    doubtful.insert(name, (written, keeps));
                }
                None if Kind::of(&name) != Some(kind) => {}
                None if options.prune && managed => superfluous.push(name),
                None => *plan.left.entry(kind).or_default() += 1,
            }
        }
    }
    look_at(kv, wanted, &doubtful, &mut plan)?;
    // Most are the operator's own; which are not, only their values tell.
    kv.get_many(&superfluous, &mut |name, value| {
        let value = value.map(|text| serde_json::from_str::<Value>(&text).unwrap_or_default());
        match value {
            None => {}
            Some(value) if is_of_config_api(&value) => plan.of_config_api += 1,
            Some(_) => plan.deletes.push(name.to_owned()),
        }
        Ok(())
    })?;
    plan.creates.sort_unstable();
    plan.changes.sort_unstable_by(|one, other| one.name.cmp(&other.name));
    plan.deletes.sort_unstable();
    for kind in Kind::ALL {
        let wanted = wanted.entries().keys().filter(|name| name.starts_with(kind.prefix())).count();
        let new = plan.creates.iter().filter(|name| name.starts_with(kind.prefix())).count();
        plan.own.insert(kind, wanted - new + plan.deletes(kind).len());
    }
    Ok(plan)
}

/// Reads the values that the listing does not vouch for.
fn look_at(
    kv: &dyn Kv,
    wanted: &Wanted,
    doubtful: &BTreeMap<String, (Option<Sum>, Keeps)>,
    plan: &mut Plan,
) -> Result<(), Failure> {
    let names: Vec<String> = doubtful.keys().cloned().collect();
    kv.get_many(&names, &mut |name, value| {
        let Some(want) = wanted.entries().get(name) else { return Ok(()) };
        let Some(text) = value else {
            // Gone since it was listed.
            plan.creates.push(name.to_owned());
            return Ok(());
        };
        let (written, keeps) = doubtful.get(name).cloned().unwrap_or_default();
        let drifted = written != Some(Sum::of(text.as_bytes()));
        if spelled(&text).is_some_and(|text| Sum::of(text.as_bytes()) == want.sum) {
            plan.unchanged += 1;
            plan.by_hand += usize::from(drifted);
            return Ok(());
        }
        let before = serde_json::from_str::<Value>(&text).unwrap_or_default();
        let taken_over = is_of_config_api(&before);
        plan.changes.push(Change {
            name: name.to_owned(),
            old: text,
            drifted: drifted && !taken_over,
            taken_over,
            keeps,
        });
        Ok(())
    })
}
