//! Reconciliation: a pass over KV's listing, which is evidence of edits by hand and of nothing else.

use pointsman_core::{
    base::time::Timestamp,
    identity::{customer_id::CustomerId, key_record},
};
use serde::{Deserialize, Serialize};

use crate::{
    judge::Found,
    keyspace::{MISSING, READ, SEEN, UNTOLD, after, end_of, key, load, save},
    ledger::Ledger,
    poll::IDLE,
    reads::Wanted,
    record::{DAY, Record, Seen, digest_in_metadata},
    rows::Entry,
    storage::Storage,
};

/// What the names begin with that a pass lists, in this order.
const PREFIXES: [&str; 2] = [CustomerId::STORE_PREFIX, key_record::STORE_PREFIX];
/// From one pass to the next, and how long a list may take before it is asked for again, in milliseconds.
pub(crate) const MINUTE: u64 = 60_000;
/// Lists a minute, and a day where changes need not be known soon.
const LISTS_A_MINUTE: u32 = 20;
const LISTS_A_DAY: u32 = 480;
/// From this setting on the free plan's limits count, in milliseconds.
pub(crate) const SLOW: u64 = 30_000;
/// How far apart two passes must miss an entry, in milliseconds.
pub(crate) const APART: u64 = 120_000;
/// So few may always be gone.
const FEW: u64 = 10;
/// Known entries that are looked through for one page of a listing.
pub(crate) const PAGE: usize = 3000;

/// A pass that runs.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Pass {
    pub(crate) began: u64,
    /// Which of the prefixes.
    prefix: usize,
    /// KV's cursor of the next page.
    cursor: Option<String>,
    /// The name up to which the pass has judged.
    judged: String,
    /// How many entries two passes have missed.
    gone: u64,
    leased_until: u64,
    /// Lists so far.
    lists: u64,
    /// Whether every page was seen.
    is_listed: bool,
}

/// What the passes so far came to.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Passes {
    /// When the last one began that ended.
    pub(crate) last: u64,
    /// When the last one began of which the missing entries may be removed, once a read misses them too.
    pub(crate) accepted: u64,
    /// How many the last one would have removed, where these were too many.
    pub(crate) refused: u64,
    /// Whether an operator has allowed the next one to remove as many as it misses.
    pub(crate) may_remove_all: bool,
    /// Lists that the last one took.
    lists: u64,
    /// Lists in this minute and on this day.
    minute: (u64, u32),
    day: (u64, u32),
    /// When entries whose metadata say nothing were read last, and up to which.
    pub(crate) turn_at: u64,
    pub(crate) turn: String,
}

/// A page of a listing that is wanted.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListJob {
    /// What the names begin with.
    pub prefix: String,
    /// Where the page begins, as KV said.
    pub cursor: Option<String>,
}

/// A page of a listing.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Page {
    /// The entries, in the order of their names.
    pub keys: Vec<Listed>,
    /// Where the next page begins; none where this is the last.
    pub cursor: Option<String>,
}

/// An entry as KV lists it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// `sha256` of its metadata.
    #[serde(default)]
    pub sha256: Option<String>,
    /// When KV drops it, in seconds since 1970.
    #[serde(default)]
    pub expiration: Option<u64>,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Missed {
    /// When the pass began that missed the entry first.
    pub(crate) first: u64,
    /// When the last one began that missed it, long enough after the first.
    pub(crate) again: u64,
}

impl<S: Storage> Ledger<S> {
    /// The page of the listing that is due; begins a pass where one is due.
    pub(crate) fn due_list(&mut self, now: Timestamp) -> Option<ListJob> {
        let at = now.millis();
        if at >= self.as_of.saturating_add(IDLE) && self.state.taken_in {
            return None;
        }
        if self.state.pass.is_none() && (!self.state.taken_in || at >= self.next_begin()) {
            self.state.pass = Some(Pass { began: at.max(1), ..Pass::default() });
        }
        let pass =
            self.state.pass.as_ref().filter(|pass| !pass.is_listed && pass.leased_until <= at)?.clone();
        let prefix = PREFIXES.get(pass.prefix)?;
        if !self.may_list(at) {
            return None;
        }
        self.state.pass = Some(Pass { leased_until: at + MINUTE, lists: pass.lists + 1, ..pass.clone() });
        Some(ListJob { prefix: (*prefix).to_owned(), cursor: pass.cursor })
    }

    fn may_list(&mut self, at: u64) -> bool {
        let (minute, day) = (at / MINUTE, at / DAY);
        let passes = &mut self.state.passes;
        if passes.minute.0 != minute {
            passes.minute = (minute, 0);
        }
        if passes.day.0 != day {
            passes.day = (day, 0);
        }
        let is_slow = self.settings.max_staleness >= SLOW;
        let is_enough = passes.minute.1 >= LISTS_A_MINUTE || (is_slow && passes.day.1 >= LISTS_A_DAY);
        // The first pass goes through once, and isolates ask KV for everybody until it has.
        let may = !self.state.taken_in || !is_enough;
        if may {
            passes.minute.1 += 1;
            passes.day.1 += 1;
        }
        may
    }

    /// Takes a page of the listing; `None` where KV did not answer, and the page is asked for again later.
    pub(crate) fn listed(&mut self, job: &ListJob, page: Option<&Page>, now: Timestamp) {
        let Some(mut pass) = self.state.pass.clone() else { return };
        let is_awaited = PREFIXES.get(pass.prefix).is_some_and(|prefix| *prefix == job.prefix)
            && pass.cursor == job.cursor
            && !pass.is_listed;
        if !is_awaited {
            return;
        }
        let Some(page) = page else {
            pass.leased_until = now.millis().saturating_add(MINUTE / 4);
            self.state.pass = Some(pass);
            return;
        };
        for listed in page.keys.iter().filter(|listed| listed.name > pass.judged) {
            if let Some(entry) = Entry::of_name(&listed.name) {
                self.judge_listed(&entry, listed, &pass, now);
            }
        }
        pass.leased_until = 0;
        if let Some(stopped) = self.miss(&mut pass, page, job, now) {
            // More entries are missing than one call looks through: the page is asked for again from there on.
            pass.judged = stopped;
        } else if page.cursor.is_some() {
            pass.judged = page.keys.last().map_or(pass.judged, |listed| listed.name.clone());
            pass.cursor.clone_from(&page.cursor);
        } else {
            pass = Pass { prefix: pass.prefix + 1, cursor: None, judged: String::new(), ..pass };
            pass.is_listed = pass.prefix >= PREFIXES.len();
        }
        self.state.pass = Some(pass);
        self.end_pass(now);
    }

    /// The record to judge by; `None` where it changed within five minutes before the pass began, or since, or where KV is
    /// still to be told.
    pub(crate) fn may_judge(&self, entry: &Entry, began: u64) -> Option<Record> {
        let Some(record) = self.record(&entry.record_key()) else {
            return Some(Record { name: entry.name(), ..Record::default() });
        };
        (record.is_settled_at(began) && !self.is_outstanding(&record.name)).then_some(record)
    }

    fn judge_listed(&mut self, entry: &Entry, listed: &Listed, pass: &Pass, now: Timestamp) {
        let name = listed.name.as_bytes();
        let missing = key(MISSING, &[name]);
        if self.storage.get(&missing).is_some() {
            self.storage.delete(&missing);
        }
        let Some(mut record) = self.may_judge(entry, pass.began) else { return };
        let digest = listed.sha256.as_deref().and_then(digest_in_metadata);
        let expires = listed.expiration;
        let held = record.operator.clone();
        let wanted = Wanted { listed: digest.clone(), expires, ..Wanted::default() };
        let ends_otherwise = held.as_ref().is_some_and(|held| held.expires != expires);
        let (untold, read) = (key(UNTOLD, &[name]), key(READ, &[name]));
        let Some(digest) = digest else {
            // The metadata do not say what the entry holds: it is read when it is new, and then by turns.
            match &record.seen {
                None => save(&mut self.storage, &read, &wanted),
                Some(seen) if seen.expires != expires || ends_otherwise => {
                    save(&mut self.storage, &read, &wanted);
                }
                Some(_) if self.storage.get(&untold).is_none() => self.storage.put(&untold, &[]),
                Some(_) => {}
            }
            return;
        };
        if let Some(held) = held.filter(|held| held.digest == digest) {
            if held.expires == expires {
                let seen = Seen { digest: digest.clone(), listed: Some(digest), expires, since: 0 };
                if record.seen.as_ref() != Some(&seen) {
                    self.see(entry, &mut record, seen);
                    self.put_record(&entry.record_key(), record, now);
                }
                return;
            }
            if !held.text.is_empty() {
                let found = Found { value: &held.text, listed: Some(digest), expires, is_unlisted: false };
                self.judge_value(entry, record, found, now);
                return;
            }
        }
        if record.lags(&digest, now) {
            self.see(
                entry,
                &mut record,
                Seen { digest: digest.clone(), listed: Some(digest), expires, since: 0 },
            );
            return self.put_right(entry, &entry.record_key(), record, now);
        }
        let is_known = record.seen.as_ref().is_some_and(|seen| {
            seen.listed.as_ref() == Some(&digest) && seen.expires == expires && seen.digest != digest
        });
        if is_known && !ends_otherwise {
            // Its metadata say something else than it holds, as they did when it was read.
            if self.storage.get(&untold).is_none() {
                self.storage.put(&untold, &[]);
            }
            return;
        }
        save(&mut self.storage, &read, &wanted);
    }

    /// Notes which known entries the page lacks. Says up to where, if it could not look through all.
    fn miss(&mut self, pass: &mut Pass, page: &Page, job: &ListJob, now: Timestamp) -> Option<String> {
        let from = match pass.judged.is_empty() {
            true => key(SEEN, &[job.prefix.as_bytes()]),
            false => after(&key(SEEN, &[pass.judged.as_bytes()])),
        };
        let to = match (&page.cursor, page.keys.last()) {
            (Some(_), Some(last)) => after(&key(SEEN, &[last.name.as_bytes()])),
            (Some(_), None) => return None,
            // Behind all names with this prefix: none has a byte of 255.
            (None, _) => key(SEEN, &[job.prefix.as_bytes(), &[0xff]]),
        };
        let known = self.storage.scan(&from, &to, PAGE);
        let mut listed = page.keys.iter().map(|listed| listed.name.as_str()).peekable();
        let mut last = None;
        for (at, _) in &known {
            let Some(Ok(name)) = at.get(1..).map(|name| std::str::from_utf8(name)) else { continue };
            while listed.next_if(|listed| *listed < name).is_some() {}
            if listed.peek() != Some(&name) {
                self.miss_one(name, pass, now);
            }
            last = Some(name.to_owned());
        }
        last.filter(|_| known.len() == PAGE)
    }

    fn miss_one(&mut self, name: &str, pass: &mut Pass, now: Timestamp) {
        let Some(entry) = Entry::of_name(name) else { return };
        let Some(mut record) = self.may_judge(&entry, pass.began) else { return };
        let missing = key(MISSING, &[name.as_bytes()]);
        if record.operator.is_none() {
            self.unsee(&entry, &mut record);
            self.storage.delete(&missing);
            return self.put_record(&entry.record_key(), record, now);
        }
        let mut missed: Missed = load(&self.storage, &missing).unwrap_or_default();
        if missed.first == 0 {
            missed.first = pass.began;
        } else if missed.first.saturating_add(APART) <= pass.began {
            missed.again = pass.began;
            pass.gone += 1;
        }
        save(&mut self.storage, &missing, &missed);
    }

    /// Ends a pass of which every page was seen, once all that was to be read has been.
    pub(crate) fn end_pass(&mut self, _now: Timestamp) {
        let Some(pass) = self.state.pass.clone().filter(|pass| pass.is_listed) else { return };
        if !self.storage.scan(&[READ], &end_of(READ), 1).is_empty() {
            return;
        }
        let share = u64::from(self.settings.max_removed);
        let too_many =
            pass.gone >= FEW && pass.gone.saturating_mul(100) > share.saturating_mul(self.state.seen);
        let passes = &mut self.state.passes;
        passes.last = pass.began;
        passes.lists = pass.lists;
        if too_many && !passes.may_remove_all {
            passes.refused = pass.gone;
        } else {
            (passes.refused, passes.may_remove_all, passes.accepted) = (0, false, pass.began);
        }
        self.state.pass = None;
        self.state.taken_in = true;
        if pass.began >= self.state.awake_since {
            self.state.confirmed = true;
        }
        self.judge_complete();
    }

    /// Lets the next pass remove as many entries as it misses.
    pub fn accept_removals(&mut self) {
        self.state.passes.may_remove_all = true;
        self.save();
    }

    /// When the next pass begins. A day's lists are shared out over the day, where there are few.
    fn next_begin(&self) -> u64 {
        let passes = &self.state.passes;
        let share = match self.settings.max_staleness >= SLOW {
            true => passes.lists.saturating_mul(DAY / u64::from(LISTS_A_DAY)),
            false => 0,
        };
        passes.last.saturating_add(share.max(MINUTE))
    }

    /// When the next list or read is due, at the latest.
    pub(crate) fn next_pass(&self) -> u64 {
        let passes = &self.state.passes;
        let may_list = passes.minute.1 < LISTS_A_MINUTE
            && (self.settings.max_staleness < SLOW || passes.day.1 < LISTS_A_DAY);
        match &self.state.pass {
            // KV's lists are shared out over the minute.
            Some(pass) if !pass.is_listed && (!self.state.taken_in || may_list) => pass.leased_until,
            Some(_) => (passes.minute.0 + 1) * MINUTE,
            None => self.next_begin(),
        }
    }
}
