//! What is due: the ledger asks for it as data, and is told what came of it.

use pointsman_core::{
    base::time::Timestamp,
    directory::record_key::{Kind, RecordKey},
};
use serde::{Deserialize, Serialize};

use crate::{
    index::INDEXED,
    keyspace::{END, READ, REMOVED, end_of, key, save},
    ledger::{Cause, Ledger, RANDOM_BYTES},
    outbox::{Write, Written},
    pass::{ListJob, Page},
    poll::IDLE,
    reads::{ReadEntry, Wanted},
    record::{REMOVED_KEPT, digest_of},
    rows::Entry,
    shards::FileJob,
    storage::Storage,
};

/// Writes that one call gives out.
const WRITES: usize = 50;
/// Files that one call gives out.
const FILES: usize = 6;
/// Ends and old entries that one call works through.
const PAGE: usize = 500;
/// How often entries are read that the command line says it has written: a location may show what was before for a minute.
const ROUNDS: u8 = 3;
const MINUTE: u64 = 60_000;

/// Something to be done outside. Whoever does it says what came of it ([`Ledger::done`]); what nobody reports is given out
/// again after some time.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Job {
    /// Write or delete a KV entry.
    Write(Write),
    /// List a page of KV.
    List(ListJob),
    /// Read these KV entries (`cacheTtl` 30), at most a hundred.
    Read(Vec<String>),
    /// Write, read back or delete a file.
    File(FileJob),
    /// Write [`Ledger::tail`] to `directory:head` and [`Ledger::revocations`] to `directory:revocations`.
    Backup,
    /// Read `directory:head`, as bytes.
    ReadHead,
    /// Read `directory:revocations`, as bytes.
    ReadRevocations,
    /// Read `directory:touched`.
    ReadTouched,
}

/// What came of a job.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Done {
    /// A write.
    Write(Written),
    /// A page; none where KV did not answer.
    List {
        /// The job.
        job: ListJob,
        /// The page.
        page: Option<Page>,
    },
    /// Entries that were read: those that KV answered for.
    Read(Vec<ReadEntry>),
    /// A file.
    File {
        /// The job.
        job: FileJob,
        /// Whether KV took it.
        ok: bool,
        /// The SHA-256 digest of what was read back, in hexadecimal.
        digest: Option<String>,
    },
    /// The backup.
    Backup {
        /// Whether KV took both.
        ok: bool,
    },
    /// `directory:head` was read; its bytes come beside. Not to be reported where KV did not answer.
    ReadHead,
    /// `directory:revocations` was read; its bytes come beside. Not to be reported where KV did not answer.
    ReadRevocations,
    /// Names that were touched.
    ReadTouched(Vec<String>),
}

impl<S: Storage> Ledger<S> {
    /// What is due, and the work of the ledger's own that is.
    pub fn jobs(&mut self, now: Timestamp) -> Vec<Job> {
        let mut jobs = Vec::new();
        if self.state.switched_off {
            self.give_last_words(now, &mut jobs);
            return jobs;
        }
        self.retell_revocations();
        if self.state.dropping.is_some() {
            self.drop_outgoing();
            self.save();
        }
        if !self.is_checked {
            let again = self.state.off.as_deref().is_none_or(|off| off == crate::backup::CHECKING)
                || now.millis() >= self.state.backup_at.saturating_add(MINUTE);
            jobs.extend(again.then_some(Job::ReadHead));
        }
        if self.state.imported.is_some() {
            jobs.push(Job::ReadRevocations);
        }
        if !self.is_on() {
            return jobs;
        }
        self.note_source();
        self.age_provided(now);
        self.end_what_is_over(now);
        self.forget_operations(now, PAGE);
        self.forget_removed(now);
        self.trim_log(now);
        self.sweep();
        self.build_indexes(INDEXED);
        // A database that was restored still wants to write what it wanted to write then.
        // Nor does any record count as one that KV is still to be told of, which passes would leave alone.
        if self.state.dropping.is_none() {
            if self.is_checked {
                jobs.extend(self.due_writes(now, WRITES).into_iter().map(Job::Write));
            }
            jobs.extend(self.due_list(now).map(Job::List));
            jobs.extend(self.due_reads(now).into_iter().map(Job::Read));
        }
        jobs.extend(self.due_files(now, FILES).into_iter().map(Job::File));
        if now.millis() >= self.state.touched_at.saturating_add(MINUTE) && self.is_polled(now) {
            self.state.touched_at = now.millis();
            jobs.push(Job::ReadTouched);
        }
        // Not before it is known that no other ledger writes there.
        if self.is_checked && self.is_backup_due(now) && self.prepare_backup(now) {
            self.begin_backup(now);
            jobs.push(Job::Backup);
        }
        self.save();
        jobs
    }

    /// What KV is told by a ledger that is switched off: the key of its heads, and that it holds nothing.
    fn give_last_words(&mut self, now: Timestamp, jobs: &mut Vec<Job>) {
        jobs.extend(self.due_writes(now, WRITES).into_iter().map(Job::Write));
        if self.is_backup_due(now) && self.prepare_backup(now) {
            self.begin_backup(now);
            jobs.push(Job::Backup);
        }
        self.save();
    }

    const fn is_polled(&self, now: Timestamp) -> bool {
        now.millis() < self.as_of.saturating_add(IDLE)
    }

    /// Takes note of what came of a job. `bytes` are what was read, where the job was to read bytes; `random` is used where
    /// it turns out that a new epoch begins.
    pub fn done(&mut self, done: &Done, bytes: Option<&[u8]>, now: Timestamp, random: [u8; RANDOM_BYTES]) {
        match done {
            Done::Write(written) => self.written(written, now),
            Done::List { job, page } => self.listed(job, page.as_ref(), now),
            Done::Read(entries) => self.was_read(entries, now),
            Done::File { job, ok, digest } => self.file_done(job, digest.as_deref(), *ok, now),
            Done::Backup { ok } => self.backup_done(*ok),
            Done::ReadHead => self.head_read(bytes, now, random),
            Done::ReadRevocations => self.revocations_read(bytes, now),
            Done::ReadTouched(names) => self.touched(names, now),
        }
        self.save();
    }

    /// Has the entries read that the command line says it has written.
    fn touched(&mut self, names: &[String], now: Timestamp) {
        let digest = digest_of(names.join("\n").as_bytes());
        if self.state.touched.0 != digest {
            self.state.touched = (digest, ROUNDS);
        }
        if self.state.touched.1 == 0 {
            return;
        }
        self.state.touched.1 -= 1;
        for name in names.iter().filter_map(|name| Entry::of_name(name)).take(PAGE) {
            let record = self.record(&name.record_key());
            let is_settled = record.is_none_or(|record| record.is_settled_at(now.millis()));
            let read = key(READ, &[name.name().as_bytes()]);
            if is_settled && self.storage.get(&read).is_none() {
                save(&mut self.storage, &read, &Wanted { is_unlisted: true, ..Wanted::default() });
            }
        }
    }

    /// Takes out of force what has ended: entries that KV has dropped by itself, and revocations.
    pub(crate) fn end_what_is_over(&mut self, now: Timestamp) {
        let until = key(END, &[&now.millis().saturating_add(1).to_be_bytes()]);
        for (end, _) in self.storage.scan(&[END], &until, PAGE) {
            self.storage.delete(&end);
            let Some(of) = end.get(9..).and_then(RecordKey::from_bytes) else { continue };
            if of.kind == Kind::Token {
                self.drop_token(&of);
                continue;
            }
            let Some(record) = self.record(&of) else { continue };
            let held = record.operator.as_ref().and_then(|held| held.expires);
            if held.is_none_or(|seconds| seconds.saturating_mul(1000) > now.millis()) {
                self.end_provided(&of, record, now);
            } else if let Some(entry) = Entry::of_name(&record.name) {
                let cause =
                    Cause { now, actor: "expiry", operation: "", from: "", found: "", may_wait: false };
                self.replace_operator(&entry, record, None, &cause);
            }
        }
    }

    /// Forgets what was removed so long ago that no listing can show it.
    fn forget_removed(&mut self, now: Timestamp) {
        let hour = now.millis() / 3_600_000;
        if self.state.swept.0 == hour && self.state.swept.1.is_empty() {
            return;
        }
        let begin = if self.state.swept.0 == hour { self.state.swept.1.clone() } else { vec![REMOVED] };
        let page = self.storage.scan(&begin, &end_of(REMOVED), PAGE);
        for (removed, at) in &page {
            let at = at.as_slice().try_into().map(u64::from_be_bytes).unwrap_or_default();
            let Some(of) = removed.get(1..).and_then(RecordKey::from_bytes) else { continue };
            if now.millis() <= at.saturating_add(REMOVED_KEPT) {
                continue;
            }
            let record = self.record(&of);
            if record.as_ref().is_some_and(|record| self.is_outstanding(&record.name)) {
                continue;
            }
            self.storage.delete(removed);
            if let Some(record) = record {
                self.put_record(&of, record, now);
            }
        }
        let next =
            page.last().filter(|_| page.len() == PAGE).map(|(removed, _)| crate::keyspace::after(removed));
        self.state.swept = (hour, next.unwrap_or_default());
    }

    /// When the ledger wants to be woken: the alarm is set to this before anything else is done.
    #[must_use]
    pub fn next_alarm(&self, now: Timestamp) -> Timestamp {
        let soon = now.millis().saturating_add(1000);
        if !self.is_on() && !self.state.switched_off {
            // Isolates ask KV meanwhile, and let in whose tokens are revoked.
            let has_more = self.state.retell.is_some() || self.state.dropping.is_some();
            let pause = if has_more { 500 } else { 5000 };
            return Timestamp::from_millis(now.millis().saturating_add(pause));
        }
        let pass = ((self.is_polled(now) || !self.state.taken_in) && self.is_on()).then(|| self.next_pass());
        let reads = self.has_reads().then_some(soon);
        let builds = ((self.has_builds() || self.has_sweeps() || self.state.pending > 0) && self.is_on())
            .then_some(soon.saturating_add(4000));
        let ends = self.storage.scan(&[END], &end_of(END), 1);
        let end = ends.first().and_then(|(end, _)| Some(u64::from_be_bytes(end.get(1..9)?.try_into().ok()?)));
        let backup = (self.state.backup_of != (self.state.revision, self.state.manifests)).then(|| {
            self.state.backup_at.saturating_add(MINUTE).max(if self.is_preparing() { soon } else { 0 })
        });
        let latest = now.millis().saturating_add(if self.is_polled(now) { MINUTE } else { IDLE });
        let moves = (self.state.aging.is_some() || self.state.indexes.are_building()) && self.is_on()
            || self.state.leaving.is_some()
            || self.state.dropping.is_some();
        let aging = moves.then_some(soon);
        let due = [self.next_write(), self.next_file(), pass, reads, builds, end, backup, aging];
        let first = due.into_iter().flatten().min().unwrap_or(latest);
        Timestamp::from_millis(first.clamp(soon, latest))
    }
}
