//! How many further attempts may be made, so that an outage is not multiplied.

use std::collections::HashMap;

use crate::base::{
    digest::Digest,
    time::{Span, Timestamp},
};

/// Callers whose further attempts are counted apart.
const MOST_CALLERS: usize = 4096;
/// A budget that nobody has used for so long is full again.
const IDLE: Span = Span::from_secs(60);

/// In hundredths of an attempt.
const ATTEMPT: u32 = 100;

/// What may be spent, and what each request adds to it.
#[derive(Clone, Copy, Debug)]
struct Rate {
    most: u32,
    earned: u32,
}

/// Of one caller of one backend: of a hundred requests at most twenty are tried again, and ten beyond that
/// where there are few.
const OWN: Rate = Rate { most: 10 * ATTEMPT, earned: 20 };
/// Of the isolate. It earns more than any caller can spend, so that none of them takes what is another's: it
/// is there for the beginning of an outage of everything, when each caller still has its ten.
const ALL: Rate = Rate { most: 100 * ATTEMPT, earned: 50 };

#[derive(Clone, Copy, Debug)]
struct Budget {
    left: u32,
    used: Timestamp,
}

impl Budget {
    fn full(rate: Rate) -> Self {
        Self { left: rate.most, used: Timestamp::default() }
    }

    fn earn(&mut self, rate: Rate) {
        self.left = self.left.saturating_add(rate.earned).min(rate.most);
    }

    const fn has_one(&self) -> bool {
        self.left >= ATTEMPT
    }

    fn spend(&mut self, now: Timestamp) {
        self.left = self.left.saturating_sub(ATTEMPT);
        self.used = now;
    }
}

/// The further attempts of all callers. Of those whose budget is full nothing is kept.
#[derive(Debug)]
pub(super) struct Budgets {
    own: HashMap<Digest, Budget>,
    /// Of those for whom there was no room.
    strangers: Budget,
    all: Budget,
}

impl Default for Budgets {
    fn default() -> Self {
        Self { own: HashMap::new(), strangers: Budget::full(OWN), all: Budget::full(ALL) }
    }
}

impl Budgets {
    /// Counts a request, which lets a share of another be tried again.
    pub(super) fn earn(&mut self, whose: impl FnOnce() -> Digest) {
        self.all.earn(ALL);
        if self.own.is_empty() {
            return;
        }
        let whose = &whose();
        let Some(own) = self.own.get_mut(whose) else {
            // Nobody is without a budget of their own but where there was no room for it.
            if self.own.len() >= MOST_CALLERS {
                self.strangers.earn(OWN);
            }
            return;
        };
        own.earn(OWN);
        if own.left >= OWN.most {
            self.own.remove(whose);
        }
    }

    /// Takes another attempt, if there is one left.
    pub(super) fn take(&mut self, whose: Digest, now: Timestamp) -> bool {
        if !self.all.has_one() {
            return false;
        }
        if !self.own.contains_key(&whose) && self.own.len() >= MOST_CALLERS {
            // Whoever has spent something lately keeps knowing it: else a crowd of new callers would give
            // each of them another ten.
            self.own.retain(|_, own| now.since(own.used) < IDLE);
        }
        let own = match self.own.len() < MOST_CALLERS {
            true => self.own.entry(whose).or_insert_with(|| Budget::full(OWN)),
            false => self.own.get_mut(&whose).unwrap_or(&mut self.strangers),
        };
        if !own.has_one() {
            return false;
        }
        own.spend(now);
        self.all.spend(now);
        true
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.own.len()
    }
}
