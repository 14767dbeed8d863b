//! What is true: every value that a record ever had, who made it, and when it was answered that it counts no more. What an
//! isolate does is held against this.

use pointsman_core::directory::log::{Epoch, Revision};

/// How far an isolate's clock may be behind, in milliseconds, and a little more.
const CLOCKS: u64 = 600;

/// The ledger's word that a value was replaced, which tells an edit by hand from KV lagging behind, counts for a day; a
/// little less, in milliseconds.
const REMEMBERED: u64 = 86_000_000;

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
    /// When it ends by itself, in seconds since 1970, where the ledger was told so.
    pub(crate) expires: Option<u64>,
    /// When the ledger was told so, and in which epoch it last knew.
    pub(crate) told: Option<(u64, Epoch)>,
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
    /// When the request came.
    pub(crate) began: u64,
    pub(crate) now: u64,
    /// How long after a change it may still answer by what was before, in milliseconds.
    pub(crate) max_staleness: u64,
    /// Of which database, when the request came and when it was decided.
    pub(crate) epoch: Epoch,
    pub(crate) decided_in: Epoch,
    /// The last change that it knew when the request came.
    pub(crate) revision: Revision,
    /// Whether the last state counts on while the ledger is silent.
    pub(crate) is_open: bool,
    /// Whether the bound holds: it hears the ledger, or is closed where it does not.
    pub(crate) is_bound: bool,
    /// Whether the ledger has just failed it, so that it decides by the last state, or by KV where it has none. Never where it
    /// is closed.
    pub(crate) is_silent: bool,
    /// Polls that brought nothing so far.
    pub(crate) failures: u64,
    /// Whether it holds everything, so that nothing is asked of KV and the config API.
    pub(crate) has_everything: bool,
}

impl Heard {
    /// What counts for a request: what was known when it came, and what is known now that it was decided.
    ///
    /// What is heard while a request waits for something else does not undo what it was decided by before. Nor does it undo that
    /// the ledger was silent then, or that a poll came to nothing meanwhile, so that the last state counted for a step of the
    /// decision: KV, which is asked where there is none, may answer after the ledger does.
    pub(crate) fn at_last(&self, now: Self) -> Self {
        let Self { began, epoch, revision, .. } = *self;
        let has_everything = self.has_everything && now.has_everything;
        let was_silent = self.is_silent || (now.failures != self.failures && now.is_open);
        let is_bound = now.is_bound && !was_silent;
        Self { began, epoch, revision, has_everything, is_bound, ..now }
    }
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
            // Of a value that was replaced more than a day before, the ledger does not know when it removes the record.
            let outweighs = |before: Death| {
                death.is_removal
                    && !before.is_removal
                    && death.answered < before.answered.saturating_add(REMEMBERED)
            };
            if is_meant && version.death.is_none_or(outweighs) {
                version.death = Some(death);
            }
        }
    }

    /// Holds an isolate that served by this value against what it knew.
    ///
    /// What was removed stays so in every epoch. What was replaced does so in the epoch in which it was: a database that was
    /// restored has the value of before, which counts there until a pass finds the other one in KV, whose listings may not
    /// show it for a while. An isolate may hear of the new epoch while a request waits, and has then decided by that.
    pub(crate) fn judge(&self, what: &str, number: usize, heard: &Heard) -> Result<&Version, String> {
        let Some(version) = self.versions.get(number) else {
            return Err(format!(
                "invariant 2: {what} was served by a value that nobody ever made ({number})"
            ));
        };
        if !version.lets_in {
            return Err(format!("invariant 2: {what} was served by a value that lets nobody in ({number})"));
        }
        let over = version.expires.map_or(0, |end| heard.began.saturating_sub(end.saturating_mul(1000)));
        // One whose database was restored to before that may have the value by a read, which does not say when it ends.
        let was_told = version.told.is_some_and(|(_, epoch)| epoch == heard.decided_in);
        if heard.has_everything && was_told && over > CLOCKS {
            return Err(format!(
                "invariant 3: {what} was served by value {number}, which had ended {over} ms before"
            ));
        }
        let Some(death) = version.death else { return Ok(version) };
        let asks_elsewhere = version.is_again || version.origin == Origin::Provider;
        if asks_elsewhere && !heard.has_everything {
            return Ok(version);
        }
        let age = heard.now.saturating_sub(death.answered);
        // Somebody wrote it again. While nobody polls there are no passes, and one after more than a day takes what it finds
        // for an edit.
        if version.is_again && !death.is_removal && age > REMEMBERED {
            return Ok(version);
        }
        let counts = death.is_removal || death.epoch == heard.decided_in;
        if counts && heard.is_bound && age > heard.max_staleness {
            return Err(format!(
                "invariant 3: {what} was served by value {number}, {age} ms after it was answered that this counts no \
                 more ({death:?})"
            ));
        }
        if counts && death.epoch == heard.epoch && heard.revision >= death.revision {
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
        if heard.is_bound && age > heard.max_staleness {
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

    /// The ledger's database is another one by now: nothing that was made so far is sure to be held, and what it was told
    /// after `kept_until` it does not know in this epoch.
    pub(crate) fn begin_epoch(&mut self, epoch: Epoch, kept_until: u64) {
        let Self { keys, customers, .. } = self;
        for version in keys.iter_mut().chain(customers).flat_map(|record| &mut record.versions) {
            version.was_held = false;
            if let Some((at, known_in)) = &mut version.told
                && *at <= kept_until
            {
                *known_in = epoch;
            }
        }
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
            expires: None,
            told: None,
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
        let (epoch, max_staleness) = (Epoch([1; 16]), 10_000);
        let decided_in = epoch;
        let (failures, has_everything) = (0, true);
        let (is_open, is_silent) = (true, false);
        Heard {
            began: now,
            now,
            max_staleness,
            epoch,
            decided_in,
            revision,
            is_open,
            is_bound,
            is_silent,
            failures,
            has_everything,
        }
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
        let ends = truth.make(Of::Key(0), Origin::Ledger, 0, true, 0);
        let record = truth.record(Of::Key(0));
        record.versions[ends].expires = Some(100);
        record.versions[ends].told = Some((0, Epoch([2; 16])));
        assert!(record.judge("it", ends, &heard(100_700, 7, false)).is_ok(), "another database was told");
        record.versions[ends].told = Some((0, Epoch([1; 16])));
        assert!(record.judge("it", ends, &heard(100_500, 7, false)).is_ok());
        assert!(record.judge("it", ends, &heard(100_700, 7, false)).is_err());
    }

    #[test]
    fn what_was_replaced_before_a_restore_is_excused_and_what_was_removed_is_not() {
        let mut truth = Truth::new(1, 1);
        let first = truth.make(Of::Key(0), Origin::Ledger, 0, true, 0);
        let record = truth.record(Of::Key(0));
        for (is_removal, decided_in, is_right) in
            [(false, [1; 16], false), (false, [2; 16], true), (true, [1; 16], false), (true, [2; 16], false)]
        {
            let death = Death { answered: 1000, epoch: Epoch([1; 16]), revision: 7, is_removal };
            record.end(1, Some(first), Origin::Ledger, death);
            for (now, revision, is_bound) in [(99_000, 6, true), (1000, 7, false)] {
                let heard = Heard { decided_in: Epoch(decided_in), ..heard(now, revision, is_bound) };
                assert_eq!(record.judge("it", first, &heard).is_ok(), is_right, "{heard:?}");
            }
        }
    }

    #[test]
    fn what_was_replaced_and_written_again_may_count_after_a_day_and_what_was_removed_may_not() {
        let mut truth = Truth::new(1, 1);
        let first = truth.make(Of::Key(0), Origin::Ledger, 0, true, 0);
        let record = truth.record(Of::Key(0));
        record.versions[first].is_again = true;
        for (is_removal, now, is_right) in
            [(false, 80_000_000, false), (false, 90_000_000, true), (true, 90_000_000, false)]
        {
            let death = Death { answered: 1000, epoch: Epoch([1; 16]), revision: 7, is_removal };
            record.end(1, Some(first), Origin::Ledger, death);
            assert_eq!(record.judge("it", first, &heard(now, 7, true)).is_ok(), is_right, "{now}");
        }
    }

    #[test]
    fn the_bound_does_not_hold_for_a_request_in_which_the_ledger_was_silent() {
        let first = heard(1000, 6, true);
        let now = Heard { revision: 7, ..heard(2000, 7, true) };
        let at_last = first.at_last(now);
        assert_eq!((at_last.began, at_last.now, at_last.revision), (1000, 2000, 6));
        assert!(at_last.is_bound);
        assert!(!Heard { is_bound: false, is_silent: true, ..first }.at_last(now).is_bound, "when it came");
        assert!(!first.at_last(Heard { failures: 1, ..now }).is_bound, "meanwhile");
        assert!(!first.at_last(Heard { is_bound: false, ..now }).is_bound, "when it was decided");
        // A poll that failed before, after which the next one is due: such a request waits for that.
        assert!(
            Heard { is_bound: false, failures: 1, ..first }.at_last(Heard { failures: 1, ..now }).is_bound
        );
        let closed = Heard { is_open: false, ..now };
        assert!(first.at_last(Heard { failures: 1, ..closed }).is_bound);
    }

    #[test]
    fn values_are_found_by_their_numbers() {
        assert_eq!(number_in("https://c3-v17.example.com/x", "-v"), Some((3, 17)));
        assert_eq!(number_in("k12.5", "."), Some((12, 5)));
        assert_eq!(number_in("https://shared.example.com", "-v"), None);
    }
}
