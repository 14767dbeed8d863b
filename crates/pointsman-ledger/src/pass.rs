//! Passes over KV: what operators edit there by hand reaches followers by these. A listing is evidence of an edit, and of
//! nothing else; an entry that is as the ledger had it before is KV lagging behind.

use std::collections::BTreeMap;

use pointsman_core::{
    base::{digest::Digest, time::Timestamp},
    identity::{api_key, customer_id::CustomerId},
};
use serde::{Deserialize, Serialize};

use crate::{
    entries::Shown,
    jobs::{Job, Listed},
    keyspace::{LISTED, MISSING, READ, after, end_of, key, load, meta, save},
    ledger::{Cause, Ledger},
    record::digest_in_metadata,
    rows::Entry,
    storage::Storage,
};

const PASS: &str = "pass";
const PREFIXES: [&str; 2] = [api_key::STORE_PREFIX, CustomerId::STORE_PREFIX];
/// From one pass to the next, in milliseconds; from a `max_staleness` of half a minute on, so that a day has 480.
const BETWEEN_PASSES: u64 = 60_000;
const BETWEEN_RARE_PASSES: u64 = 360_000;
const RARE: u64 = 30_000;
/// Pages a minute, but in the first pass.
const PAGES_A_MINUTE: u32 = 20;
/// A job that nothing was heard of is handed out again, and one that failed tried again, in milliseconds.
const LEASE: u64 = 30_000;
/// Names that are read at once.
const NAMES_AT_ONCE: usize = 100;
/// A record that changed so shortly before a pass is judged by none: its entry may be of before. In milliseconds.
const UNJUDGED: u64 = 300_000;
/// Who is gone is missing in two passes that are so far apart, in milliseconds.
const MISSING_FOR: u64 = 120_000;
/// So many may be gone at once, whatever share that is.
const FEW: u64 = 10;
/// Who was not polled for so long makes no passes, in milliseconds.
const ASLEEP: u64 = 600_000;
/// More entries than a page of KV has names.
const PAGE: usize = 4096;

/// The pass that runs, or the last one.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Pass {
    /// How many there were before.
    pub(crate) number: u64,
    pub(crate) began: u64,
    /// When it ended; 0 while it runs.
    pub(crate) ended: u64,
    /// Which prefix is listed; as many as there are where all was listed and values are still read.
    prefix: usize,
    cursor: Option<String>,
    /// The last name that was listed.
    last: String,
    not_before: u64,
    minute: u64,
    pages: u32,
    /// Entries listed.
    pub(crate) listed: u64,
    /// Whether what is new may wait for shards: there is more of it than the log is to carry.
    bulk: bool,
    /// How many it would have removed, and did not.
    pub(crate) braked: u64,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
struct Missing {
    /// Since when.
    at: u64,
    /// Whether a read found nothing, too.
    read: bool,
}

impl<S: Storage> Ledger<S> {
    pub(crate) fn pass(&self) -> Option<Pass> {
        load(&self.storage, &meta(PASS))
    }

    fn set_pass(&mut self, pass: &Pass) {
        save(&mut self.storage, &meta(PASS), pass);
    }

    /// Whether anybody polls.
    pub(crate) const fn is_awake(&self, now: Timestamp) -> bool {
        now.millis().saturating_sub(self.state.polled_at) < ASLEEP
    }

    const fn between_passes(&self) -> u64 {
        if self.settings.max_staleness >= RARE { BETWEEN_RARE_PASSES } else { BETWEEN_PASSES }
    }

    /// The next step of a pass.
    pub(crate) fn due_pass(&mut self, now: Timestamp) -> Option<Job> {
        let at = now.millis();
        let mut pass = self.pass().unwrap_or_default();
        if at < pass.not_before || (self.state.took_in && !self.is_awake(now)) {
            return None;
        }
        if pass.began == 0 || (pass.ended > 0 && at >= pass.began.saturating_add(self.between_passes())) {
            pass = Pass { number: pass.number + 1, began: at, ..Pass::default() };
        }
        if pass.ended > 0 {
            return None;
        }
        let names = self.storage.scan(&[READ], &end_of(READ), NAMES_AT_ONCE);
        let names: Vec<_> = names.iter().filter_map(|(key, _)| name_of(key)).collect();
        pass.not_before = at.saturating_add(LEASE);
        if !names.is_empty() {
            self.set_pass(&pass);
            return Some(Job::ReadTexts { names });
        }
        let Some(prefix) = PREFIXES.get(pass.prefix) else {
            self.end_pass(pass, now);
            return None;
        };
        let minute = at / 60_000;
        if pass.minute != minute {
            (pass.minute, pass.pages) = (minute, 0);
        }
        if self.state.took_in && pass.pages >= PAGES_A_MINUTE {
            pass.not_before = (minute + 1) * 60_000;
            self.set_pass(&pass);
            return None;
        }
        pass.pages += 1;
        self.set_pass(&pass);
        Some(Job::List { prefix: (*prefix).to_owned(), cursor: pass.cursor })
    }

    /// Has the pass try again later, after KV did not answer.
    pub(crate) fn pause_pass(&mut self, now: Timestamp) {
        if let Some(pass) = self.pass() {
            self.set_pass(&Pass { not_before: now.millis().saturating_add(LEASE), ..pass });
        }
    }

    /// Takes a page of a listing: which of its entries are others than before, and which are missing.
    pub(crate) fn took_page(
        &mut self,
        prefix: &str,
        cursor: Option<&str>,
        entries: &[Listed],
        next: Option<String>,
        now: Timestamp,
    ) {
        let Some(mut pass) = self.pass() else { return };
        if PREFIXES.get(pass.prefix) != Some(&prefix) || pass.cursor.as_deref() != cursor {
            return;
        }
        if pass.number == 1 && pass.prefix == 0 && cursor.is_none() {
            pass.bulk = next.is_some();
        }
        let from =
            if pass.last.is_empty() { prefix.as_bytes().to_vec() } else { after(pass.last.as_bytes()) };
        let last = entries.last().map(|entry| entry.name.clone());
        // Without a next page everything behind is missing, too.
        let to = match (&next, &last) {
            (Some(_), Some(last)) => after(last.as_bytes()),
            (Some(_), None) => from.clone(),
            (None, _) => end_of_prefix(prefix),
        };
        let range = |space| self.storage.scan(&key(space, &[&from]), &key(space, &[&to]), PAGE);
        let mut known: BTreeMap<String, Shown> = range(LISTED)
            .into_iter()
            .filter_map(|(key, value)| Some((name_of(&key)?, serde_json::from_slice(&value).ok()?)))
            .collect();
        let missing: Vec<_> = range(MISSING).into_iter().filter_map(|(key, _)| name_of(&key)).collect();
        for entry in entries {
            let shown = Shown {
                digest: entry.sha256.as_deref().and_then(digest_in_metadata),
                expires: entry.expiration,
            };
            let before = known.remove(&entry.name);
            self.judge_listed(&entry.name, &shown, before.as_ref(), &pass);
            if missing.contains(&entry.name) {
                self.storage.delete(&key(MISSING, &[entry.name.as_bytes()]));
            }
        }
        for name in known.into_keys() {
            self.note_missing(&name, &pass, now);
        }
        pass.listed += entries.len() as u64;
        pass.not_before = 0;
        pass.last = last.filter(|_| next.is_some()).unwrap_or_default();
        if next.is_none() {
            pass.prefix += 1;
        }
        pass.cursor = next;
        self.set_pass(&pass);
    }

    /// Has an entry read whose listing shows another one than before.
    fn judge_listed(&mut self, name: &str, shown: &Shown, before: Option<&Shown>, pass: &Pass) {
        let Some(entry) = Entry::of_name(name) else { return };
        if before == Some(shown) && (shown.digest.is_some() || !is_in_turn(name, pass.number)) {
            return;
        }
        let record = self.record(&entry.record_key());
        let held = record.as_ref().and_then(|record| record.operator.as_ref());
        let is_ours = held
            .is_some_and(|held| Some(&held.digest) == shown.digest.as_ref() && held.expires == shown.expires);
        if is_ours {
            return self.note_listed(name, shown);
        }
        save(&mut self.storage, &key(READ, &[name.as_bytes()]), shown);
    }

    fn note_missing(&mut self, name: &str, pass: &Pass, now: Timestamp) {
        let place = key(MISSING, &[name.as_bytes()]);
        let Some(missing) = load::<Missing>(&self.storage, &place) else {
            return save(&mut self.storage, &place, &Missing { at: now.millis(), read: false });
        };
        let is_long = now.millis().saturating_sub(missing.at) >= MISSING_FOR;
        if is_long && self.may_judge(name, pass) {
            save(&mut self.storage, &key(READ, &[name.as_bytes()]), &Shown::default());
        }
    }

    /// Whether a pass may judge this record: it did not change shortly before the pass, nor since, and KV has been told of
    /// all that was to be told.
    fn may_judge(&self, name: &str, pass: &Pass) -> bool {
        let Some(entry) = Entry::of_name(name) else { return false };
        let changed_at = self.record(&entry.record_key()).map_or(0, |record| record.changed_at);
        changed_at.saturating_add(UNJUDGED) <= pass.began && !self.is_outstanding(name)
    }

    /// Takes what an entry says that a pass had read.
    pub(crate) fn took_listed(&mut self, name: &str, text: Option<&str>, now: Timestamp) {
        let place = key(READ, &[name.as_bytes()]);
        let shown: Option<Shown> = load(&self.storage, &place);
        self.storage.delete(&place);
        let (Some(mut pass), Some(shown), Some(entry)) = (self.pass(), shown, Entry::of_name(name)) else {
            return;
        };
        pass.not_before = 0;
        self.set_pass(&pass);
        // Not noted as listed either, so that the next pass looks again.
        if !self.may_judge(name, &pass) {
            return;
        }
        let Some(text) = text else {
            let place = key(MISSING, &[name.as_bytes()]);
            if let Some(missing) = load::<Missing>(&self.storage, &place) {
                save(&mut self.storage, &place, &Missing { read: true, ..missing });
            }
            return;
        };
        let cause = Cause { now, actor: "kv", operation: "", may_wait: pass.bulk };
        self.judge_entry(&entry, text, shown.expires, &cause);
        self.note_listed(name, &shown);
    }

    /// Removes who is gone, unless those are too many to be believed.
    fn end_pass(&mut self, pass: Pass, now: Timestamp) {
        let gone: Vec<_> = self
            .storage
            .scan(&[MISSING], &end_of(MISSING), EVERYBODY)
            .into_iter()
            .filter_map(|(key, value)| {
                let missing: Missing = serde_json::from_slice(&value).ok()?;
                let name = name_of(&key)?;
                (missing.read && self.may_judge(&name, &pass)).then_some(name)
            })
            .collect();
        let count = gone.len() as u64;
        let share = self.state.rows.saturating_mul(self.settings.max_removed.into()) / 100;
        let is_too_much = count > share.max(FEW - 1);
        if !is_too_much {
            for name in &gone {
                self.storage.delete(&key(MISSING, &[name.as_bytes()]));
                if let Some(entry) = Entry::of_name(name) {
                    self.remove_gone(&entry, &Cause { now, actor: "kv", operation: "", may_wait: false });
                }
            }
        }
        let braked = if is_too_much { count } else { 0 };
        self.set_pass(&Pass { ended: now.millis(), not_before: 0, braked, ..pass });
        self.state.took_in = true;
        self.judge_completeness();
    }

    /// When a pass needs something again, in milliseconds.
    pub(crate) fn next_pass(&self, now: Timestamp) -> Option<u64> {
        let Some(pass) = self.pass() else { return Some(0) };
        if self.state.took_in && !self.is_awake(now) {
            return None;
        }
        let next = if pass.ended > 0 { pass.began.saturating_add(self.between_passes()) } else { 0 };
        Some(next.max(pass.not_before))
    }

    /// Somebody polls again after a long silence: what operators edited by hand meanwhile is not known.
    pub(crate) fn wake(&mut self) {
        if let Some(pass) = self.pass() {
            self.set_pass(&Pass { number: pass.number, ended: 1, began: 1, ..Pass::default() });
        }
        self.doubt_completeness();
    }
}

/// More records than a ledger is made for.
const EVERYBODY: usize = 1 << 22;
/// Entries without a digest are read by turns: each once in so many passes.
const TURNS: u64 = 60;

fn is_in_turn(name: &str, pass: u64) -> bool {
    Digest::of(name.as_bytes()).prefix() % TURNS == pass % TURNS
}

fn name_of(key: &[u8]) -> Option<String> {
    String::from_utf8(key.get(1..)?.to_vec()).ok()
}

/// What comes behind all names with this prefix, which ends in a colon.
fn end_of_prefix(prefix: &str) -> Vec<u8> {
    let mut end = prefix.as_bytes().to_vec();
    if let Some(last) = end.last_mut() {
        *last = last.saturating_add(1);
    }
    end
}
