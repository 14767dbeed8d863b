//! What this isolate has seen of origins: by everybody, and by each caller alone.
//!
//! What no client can bring about counts for all who go to that backend. What a caller may have brought
//! about itself counts for that caller alone, until another one meets the same. So a caller with a slow
//! path, or with dead origins of its own, leaves the answers of all others as they were.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use super::{
    Breaker,
    breaker::{AttemptHistory, Ended},
    budget::Budgets,
};
use crate::base::{
    digest::Digest,
    time::{Span, Timestamp},
};

/// Origins that are remembered by everybody, and as many again by single callers.
const MOST_ORIGINS: usize = 4096;
/// How long after its pause an origin that nobody has tried since is surely remembered.
const MEMORY: Span = Span::from_secs(60);
/// What is shown of an origin's name.
const MOST_SHOWN: usize = 300;

/// An origin, and who calls it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Watched<'a> {
    /// The backend, a line end, and the origin's URL. Two customers' own backends are two, whatever their URLs.
    pub key: &'a str,
    /// Tells callers of the backend apart; empty where all callers are one, as those of a customer's own
    /// backend are.
    pub caller: &'a str,
}

impl Watched<'_> {
    fn backend(&self) -> &str {
        self.key.rsplit_once('\n').map_or(self.key, |(backend, _)| backend)
    }

    fn by_all(&self) -> Digest {
        Digest::of(self.key.as_bytes())
    }

    fn by_caller(&self) -> Digest {
        Digest::of(format!("{}\0{}", self.caller, self.key).as_bytes())
    }

    fn budget(&self) -> Digest {
        Digest::of(format!("{}\0{}", self.caller, self.backend()).as_bytes())
    }
}

/// What this isolate has seen of origins. Of those that are well nothing is kept.
#[derive(Debug, Default)]
pub struct Health {
    all: RefCell<OriginHistories>,
    own: RefCell<OriginHistories>,
    budgets: RefCell<Budgets>,
}

impl Health {
    /// Whether this caller leaves an origin alone now.
    #[must_use]
    pub fn is_open(&self, watched: Watched<'_>, now: Timestamp) -> bool {
        self.either(watched, |seen| seen.is_open(now))
    }

    /// Whether this caller's next request tries an origin that was left alone.
    #[must_use]
    pub fn is_half_open(&self, watched: Watched<'_>, now: Timestamp) -> bool {
        !self.is_open(watched, now) && self.either(watched, |seen| seen.is_half_open(now))
    }

    fn either(&self, watched: Watched<'_>, holds: impl Fn(&AttemptHistory) -> bool) -> bool {
        let (all, own) = (self.all.borrow(), self.own.borrow());
        // Nearly always both are empty, and no digest is made.
        let of = |origins: &OriginHistories, name: &dyn Fn() -> Digest| {
            !origins.0.is_empty() && origins.0.get(&name()).is_some_and(&holds)
        };
        of(&all, &|| watched.by_all()) || of(&own, &|| watched.by_caller())
    }

    /// Notes that a request goes to an origin, which takes `timeout` at the most: while it is half open, it
    /// is the only one.
    pub fn begin(&self, watched: Watched<'_>, timeout: Span, now: Timestamp) {
        self.budgets.borrow_mut().earn(|| watched.budget());
        if !self.is_half_open(watched, now) {
            return;
        }
        self.each(watched, |origins, name| {
            if let Some(seen) = origins.0.get_mut(&name).filter(|seen| seen.is_half_open(now)) {
                seen.begin_trial(timeout, now);
            }
        });
    }

    /// Notes how a request to an origin ended.
    pub fn note(&self, watched: Watched<'_>, ended: Ended, breaker: Breaker, now: Timestamp) {
        let caller = u32::from_str_radix(watched.caller.get(..8).unwrap_or_default(), 16).unwrap_or_default();
        if ended == Ended::Nothing {
            self.each(watched, |origins, name| {
                if let Some(seen) = origins.0.get_mut(&name) {
                    seen.end_trial();
                }
            });
            return;
        }
        // Where all callers are one, there is nobody else who could be harmed.
        let alone = if ended == Ended::Suspected { Ended::Failed } else { ended };
        let by_all = if watched.caller.is_empty() { alone } else { ended };
        let mut all = self.all.borrow_mut();
        if let Some(seen) = all.note(watched.by_all(), by_all, caller, breaker, now) {
            let shown = || watched.key.chars().take(MOST_SHOWN).collect::<String>();
            seen.name.get_or_insert_with(|| Rc::from(shown()));
        }
        if !watched.caller.is_empty() {
            self.own.borrow_mut().note(watched.by_caller(), alone, caller, breaker, now);
        }
    }

    fn each(&self, watched: Watched<'_>, mut change: impl FnMut(&mut OriginHistories, Digest)) {
        change(&mut self.all.borrow_mut(), watched.by_all());
        if !watched.caller.is_empty() {
            change(&mut self.own.borrow_mut(), watched.by_caller());
        }
    }

    /// Whether another attempt may be made, of this caller's request to that backend.
    #[must_use]
    pub fn may_retry(&self, watched: Watched<'_>, now: Timestamp) -> bool {
        self.budgets.borrow_mut().take(watched.budget(), now)
    }

    /// The origins that everybody leaves alone now, each as in [`Watched::key`], for operators.
    #[must_use]
    pub fn open(&self, now: Timestamp) -> Vec<(Rc<str>, Timestamp)> {
        let all = self.all.borrow();
        let mut sorted: Vec<(Rc<str>, Timestamp)> = Vec::new();
        for seen in all.0.values().filter(|seen| now < seen.open_until) {
            let Some(name) = &seen.name else { continue };
            let place = sorted.partition_point(|(other, _)| other < name);
            sorted.insert(place, (Rc::clone(name), seen.open_until));
        }
        sorted
    }
}

/// Histories by the name of an origin, of those that have failed lately.
#[derive(Debug, Default)]
struct OriginHistories(HashMap<Digest, AttemptHistory>);

impl OriginHistories {
    /// What is remembered of it then.
    fn note(
        &mut self,
        name: Digest,
        ended: Ended,
        caller: u32,
        breaker: Breaker,
        now: Timestamp,
    ) -> Option<&mut AttemptHistory> {
        if !self.0.contains_key(&name) {
            if ended == Ended::Answered || !self.has_room(now) {
                return None;
            }
            self.0.insert(name, AttemptHistory::default());
        }
        if !self.0.get_mut(&name)?.note(ended, caller, breaker, now) {
            self.0.remove(&name);
        }
        self.0.get_mut(&name)
    }

    /// Makes room for another: of those that are neither left alone nor to be tried, the one that was heard
    /// of the longest ago gives way. A flood of new ones never brings back one that is left alone.
    fn has_room(&mut self, now: Timestamp) -> bool {
        if self.0.len() < MOST_ORIGINS {
            return true;
        }
        let may_go = self.0.iter().filter(|(_, seen)| !seen.is_paused(now, MEMORY));
        let oldest = may_go.min_by_key(|(_, seen)| seen.touched).map(|(name, _)| *name);
        oldest.is_some_and(|name| self.0.remove(&name).is_some())
    }
}

#[cfg(test)]
mod tests;
