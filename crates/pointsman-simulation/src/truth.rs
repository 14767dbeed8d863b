//! What is true: every value that a record ever had, who made it, and when it was answered that it counts no more. What an
//! isolate does is held against this.

use pointsman_core::directory::log::{Epoch, Revision};

/// How long after a change an isolate may still answer by what was before, in milliseconds.
pub(crate) const MAX_STALENESS: u64 = 10_000;

/// Who made a value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Origin {
    /// An operator, through the ledger.
    Ledger,
    /// Somebody, in KV.
    Hand,
    /// The config API.
    Provider,
}

/// That a value counts no more.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Death {
    /// When whoever ended it was answered.
    pub(crate) answered: u64,
    pub(crate) epoch: Epoch,
    pub(crate) revision: Revision,
    /// Whether the record was removed, and not replaced by another value.
    pub(crate) is_removal: bool,
}

/// A value of a record.
#[derive(Clone, Debug)]
pub(crate) struct Version {
    pub(crate) origin: Origin,
    pub(crate) text: String,
    /// Of a key: whose it is.
    pub(crate) customer: usize,
    /// Whether it lets anybody in.
    pub(crate) lets_in: bool,
    /// Whether the ledger was seen to have it: of what it never had it cannot know that it is old.
    pub(crate) was_held: bool,
    /// Whether somebody wrote it into KV again: whoever does not hold everything asks there.
    pub(crate) is_again: bool,
    pub(crate) death: Option<Death>,
}

/// A key or a customer.
#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) versions: Vec<Version>,
    /// When anybody last did anything about it.
    pub(crate) touched_at: u64,
    /// Whether an operator's call about it is under way.
    pub(crate) is_busy: bool,
}

/// What an isolate knew when it decided.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard {
    pub(crate) now: u64,
    pub(crate) epoch: Epoch,
    pub(crate) revision: Revision,
    /// Whether the bound holds: it hears the ledger, or is closed where it does not.
    pub(crate) is_bound: bool,
    /// Whether it holds everything, so that nothing is asked of KV and the config API.
    pub(crate) has_everything: bool,
}

impl Record {
    /// Notes that values made before `upto` count no more. Those made by hand that the ledger had not seen (`seen` is the
    /// newest that it had) may be found later, and count then.
    pub(crate) fn end(&mut self, upto: usize, seen: Option<usize>, origin: Origin, death: Death) {
        let is_operators =
            |number: &usize| self.versions.get(*number).is_some_and(|seen| seen.origin != Origin::Provider);
        let seen = seen.filter(is_operators);
        for (number, version) in self.versions.iter_mut().enumerate().take(upto) {
            let is_meant = match (origin, version.origin) {
                (Origin::Provider, own) => own == Origin::Provider,
                (_, Origin::Ledger) => true,
                (_, Origin::Hand) => seen.is_some_and(|seen| number <= seen),
                (_, Origin::Provider) => false,
            };
            if is_meant && version.death.is_none_or(|before| death.is_removal && !before.is_removal) {
                version.death = Some(death);
            }
        }
    }

    /// Holds an isolate that served by this value against what it knew.
    pub(crate) fn judge(&self, what: &str, number: usize, heard: &Heard) -> Result<&Version, String> {
        let Some(version) = self.versions.get(number) else {
            return Err(format!(
                "invariant 2: {what} was served by a value that nobody ever made ({number})"
            ));
        };
        if !version.lets_in {
            return Err(format!("invariant 2: {what} was served by a value that lets nobody in ({number})"));
        }
        let Some(death) = version.death else { return Ok(version) };
        let asks_elsewhere = version.is_again || version.origin == Origin::Provider;
        if asks_elsewhere && !heard.has_everything {
            return Ok(version);
        }
        let age = heard.now.saturating_sub(death.answered);
        let counts = death.is_removal || death.epoch == heard.epoch;
        if counts && heard.is_bound && age > MAX_STALENESS {
            return Err(format!(
                "invariant 3: {what} was served by value {number}, {age} ms after it was answered that this counts no \
                 more ({death:?})"
            ));
        }
        if death.epoch == heard.epoch && heard.revision >= death.revision {
            return Err(format!(
                "invariant 5: {what} was served by value {number}, which the isolate had heard counts no more: it knows \
                 the log up to {} ({death:?})",
                heard.revision
            ));
        }
        Ok(version)
    }
}

/// The one subject whose tokens may be revoked.
#[derive(Debug, Default)]
pub(crate) struct Token {
    pub(crate) revoked: Option<(Death, u64)>,
    pub(crate) is_busy: bool,
}

impl Token {
    /// As [`Record::judge`].
    pub(crate) fn judge(&self, heard: &Heard) -> Result<(), String> {
        let Some((death, until)) = self.revoked.filter(|(_, until)| heard.now + 2000 < *until) else {
            return Ok(());
        };
        let age = heard.now.saturating_sub(death.answered);
        if heard.is_bound && age > MAX_STALENESS {
            return Err(format!(
                "invariant 3: a token was accepted {age} ms after its revocation ({death:?}, {until})"
            ));
        }
        if death.epoch == heard.epoch && heard.revision >= death.revision {
            return Err(format!(
                "invariant 5: a token was accepted whose revocation was heard ({death:?}, {until})"
            ));
        }
        Ok(())
    }
}

/// Everything.
#[derive(Debug, Default)]
pub(crate) struct Truth {
    pub(crate) keys: Vec<Record>,
    pub(crate) customers: Vec<Record>,
    pub(crate) token: Token,
}

/// What is a record's.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Of {
    Key(usize),
    Customer(usize),
}

impl Truth {
    pub(crate) fn new(keys: usize, customers: usize) -> Self {
        let records = |count: usize| (0..count).map(|_| Record::default()).collect();
        Self { keys: records(keys), customers: records(customers), token: Token::default() }
    }

    pub(crate) fn record(&mut self, of: Of) -> &mut Record {
        let found = match of {
            Of::Key(key) => self.keys.get_mut(key),
            Of::Customer(customer) => self.customers.get_mut(customer),
        };
        #[allow(clippy::expect_used)] // the simulation names records that it has made
        found.expect("a record of the simulation")
    }

    /// Makes a value that nobody has made before, and says which.
    pub(crate) fn make(&mut self, of: Of, origin: Origin, customer: usize, lets_in: bool, now: u64) -> usize {
        let record = self.record(of);
        let number = record.versions.len();
        let text = match of {
            Of::Key(key) => {
                format!(r#"{{"subject":"k{key}.{number}","claims":{{"customerId":"c{customer}"}}}}"#)
            }
            Of::Customer(id) => {
                let disabled = if lets_in { "" } else { r#","disabled":true"# };
                let host = format!("c{id}-v{number}.example.com");
                format!(r#"{{"customerId":"c{id}","backendUrl":"https://{host}"{disabled}}}"#)
            }
        };
        record.versions.push(Version {
            origin,
            text,
            customer,
            lets_in,
            was_held: false,
            is_again: false,
            death: None,
        });
        record.touched_at = now;
        number
    }
}

/// The number in a value that [`Truth::make`] wrote, or in what follows from it: `k3.17` or `c3-v17`.
pub(crate) fn number_in(text: &str, mark: &str) -> Option<(usize, usize)> {
    let (before, after) = text.split_once(mark)?;
    let digits = |part: &str| part.chars().take_while(char::is_ascii_digit).collect::<String>();
    let first: String = before.chars().rev().take_while(char::is_ascii_digit).collect();
    let first: String = first.chars().rev().collect();
    Some((first.parse().ok()?, digits(after).parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(now: u64, revision: Revision, is_bound: bool) -> Heard {
        Heard { now, epoch: Epoch([1; 16]), revision, is_bound, has_everything: true }
    }

    #[test]
    fn what_counts_no_more_is_told_from_what_could_not_be_known() {
        let mut truth = Truth::new(1, 1);
        let first = truth.make(Of::Key(0), Origin::Ledger, 0, true, 0);
        let hand = truth.make(Of::Key(0), Origin::Hand, 0, true, 0);
        let record = truth.record(Of::Key(0));
        let death = Death { answered: 1000, epoch: Epoch([1; 16]), revision: 7, is_removal: true };
        record.end(2, Some(first), Origin::Ledger, death);
        assert!(record.judge("it", first, &heard(11_000, 6, true)).is_ok());
        assert!(record.judge("it", first, &heard(11_001, 6, true)).is_err());
        assert!(record.judge("it", first, &heard(99_000, 6, false)).is_ok());
        assert!(record.judge("it", first, &heard(1000, 7, false)).is_err());
        assert!(record.judge("it", hand, &heard(99_000, 7, true)).is_ok(), "the ledger had not seen it");
        assert!(record.judge("it", 2, &heard(0, 0, true)).is_err());
    }

    #[test]
    fn values_are_found_by_their_numbers() {
        assert_eq!(number_in("https://c3-v17.example.com/x", "-v"), Some((3, 17)));
        assert_eq!(number_in("k12.5", "."), Some((12, 5)));
        assert_eq!(number_in("https://shared.example.com", "-v"), None);
    }
}
