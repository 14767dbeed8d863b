//! Carries a plan out, and looks whether it took.

use std::collections::BTreeMap;

use super::{
    plan::{Plan, spelled},
    wanted::Wanted,
};
use crate::{
    ending::Failure,
    output::Progress,
    records::{Judge, Kind},
    store::{Entry, Kv, Sum, delete_all, put_all},
};

/// So many values are read to see whether they took; where more are in doubt, the listing is waited for.
const MOST_READ: usize = 1_000;

/// How far it is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Told {
    Progress,
    Nothing,
}

impl Told {
    fn progress(self, total: usize, what: &str) -> Progress {
        match self {
            Self::Progress => Progress::new(total, what),
            Self::Nothing => Progress::silent(),
        }
    }
}

/// Writes and deletes. The order is such that at every moment a key's customer is there: customers before the
/// keys that name them, and gone only after these. Whoever stops it half-way runs it again.
///
/// # Errors
/// Where KV did not take all, or a file has changed meanwhile.
pub(crate) fn apply(
    kv: &dyn Kv,
    wanted: &Wanted,
    plan: &Plan,
    judge: &Judge,
    told: Told,
) -> Result<(), Failure> {
    for kind in [Kind::Customer, Kind::Key] {
        let names = plan.puts(kind);
        let mut progress = told.progress(names.len(), &format!("{} written", kind.many()));
        let entry = |name: &&str| {
            let entry = wanted.entry(name, judge)?;
            Ok(Entry { keeps: plan.keeps(name), ..entry })
        };
        put_all(kv, &mut names.iter().map(entry), &mut progress)?;
    }
    for kind in [Kind::Key, Kind::Customer] {
        let names = plan.deletes(kind);
        let mut progress = told.progress(names.len(), &format!("{} deleted", kind.many()));
        delete_all(kv, &names, &mut progress)?;
    }
    Ok(())
}

/// How many of a plan's entries KV does not show as they should be. Asks again as long as `again` lets it:
/// a remote listing follows a write after a while.
///
/// # Errors
/// Where KV could not be read.
pub(crate) fn missing(
    kv: &dyn Kv,
    wanted: &Wanted,
    plan: &Plan,
    again: &mut dyn FnMut(usize) -> bool,
) -> Result<usize, Failure> {
    let sum = |name: &str| wanted.entries().get(name).map(|want| want.sum);
    let puts =
        Kind::ALL.into_iter().flat_map(|kind| plan.puts(kind)).map(|name| (name.to_owned(), sum(name)));
    let deletes = plan.deletes.iter().map(|name| (name.clone(), None));
    let mut expected: BTreeMap<String, Option<Sum>> = puts.chain(deletes).collect();
    loop {
        for kind in Kind::ALL {
            if expected.keys().any(|name| name.starts_with(kind.prefix())) {
                settle(&mut expected, kind, &kv.list(kind.prefix())?);
            }
        }
        if !expected.is_empty() && expected.len() <= MOST_READ {
            let names: Vec<String> = expected.keys().cloned().collect();
            kv.get_many(&names, &mut |name, value| {
                let there = value.map(|text| Sum::of(spelled(&text).unwrap_or(text).as_bytes()));
                if expected.get(name).is_some_and(|wanted| *wanted == there) {
                    expected.remove(name);
                }
                Ok(())
            })?;
        }
        if expected.is_empty() || !again(expected.len()) {
            return Ok(expected.len());
        }
    }
}

/// Strikes out what a listing shows as it should be.
fn settle(expected: &mut BTreeMap<String, Option<Sum>>, kind: Kind, there: &[crate::store::Listed]) {
    expected.retain(|name, sum| {
        if !name.starts_with(kind.prefix()) {
            return true;
        }
        let found = there.binary_search_by(|listed| listed.name.cmp(name)).ok().and_then(|at| there.get(at));
        match (found, *sum) {
            (Some(listed), Some(sum)) => listed.written != Some(sum),
            (None, None) => false,
            _ => true,
        }
    });
}
