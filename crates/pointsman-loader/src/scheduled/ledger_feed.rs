//! The scheduled refresh of customers where isolates follow a ledger: compares the config API's list with what the ledger
//! says that the config API said, and hands the differences over. The ledger never sees a list.
//!
//! Both sides are in the order of record keys, so that they are compared page by page, and of a hundred thousand customers
//! little more is held than the list itself. One run is enough for all of them. Nothing of a customer is written to KV.
//!
//! Each difference names the version that it was compared with. The ledger leaves out what has another version by now, and
//! the run compares once more.

use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
};

use pointsman_core::{
    base::{
        digest::Digest,
        json::{Shallow, write_string},
        time::Span,
    },
    customer::roster::{Roster, RosterState},
    directory::{bytes::hex, record_key::RecordKey},
    state::{config::Gateway, memory::Memory},
};

use super::{changes::Comparison, customers::Refreshed};
use crate::{
    config_api::ConfigApi,
    ports::{FetchedDocument, Ports, SourceError},
    refresh_state::RefreshState,
};

/// How long one call of the ledger may take: requests do not wait for it.
const TIMEOUT: Span = Span::from_secs(10);
/// Customers whose digests the ledger is asked for at once.
const PAGE: u32 = 5_000;
/// Differences that the ledger takes in one call.
const MOST: usize = 500;
/// More differences than this, and followers get additions by shards.
const MANY: usize = 1_000;
/// A call that is longer than this, in bytes, gets no further difference: the ledger answers nobody else meanwhile.
const LONG: usize = 256 * 1024;
/// The ledger holds no longer record, in bytes.
const LONGEST_RECORD: usize = 65_536;
/// How often one run compares: somebody else may have told the ledger of a customer since the page was read.
const ROUNDS: usize = 3;
/// The ledger's words for an entry that cannot be used, and for who is no longer listed: their digests stand for them. What
/// is wrong with the entry is in the log.
const MALFORMED: &str = "malformed";
const GONE: &str = "gone";

/// A record key.
type Key = [u8; 17];
/// A digest of what is said of a customer.
type Mark = [u8; 8];
/// What the ledger says of one customer: the key, the mark, and the version.
const SAID: usize = 33;

/// An entry of the list, for the comparison.
struct Entry {
    key: Key,
    mark: Mark,
    /// Its position among the list's ids.
    position: usize,
}

/// What differs.
#[derive(Default)]
struct Differences {
    /// For each of the list's ids the version that the ledger has, where the ledger has another record of it or none.
    versions: Vec<Option<u64>>,
    /// How many these are.
    changed: usize,
    /// Who is no longer listed.
    missing: Vec<(Key, u64)>,
    /// How many customers the ledger has of whom the list before said something.
    known: usize,
}

impl Differences {
    fn note(&mut self, changed: &Entry, version: u64) {
        if let Some(place) = self.versions.get_mut(changed.position) {
            *place = Some(version);
            self.changed += 1;
        }
    }
}

/// A run, as the ledger counts them.
struct Run {
    /// The run's number, as it came.
    number: String,
    /// The entity tag of the last whole list, where the ledger still says what that one said.
    etag: Option<String>,
    /// How many parts were handed over.
    parts: Cell<usize>,
}

/// What was handed over.
#[derive(Default)]
struct Taken {
    written: usize,
    gone: usize,
    /// How many were of another version by then, and were left out.
    left_out: usize,
}

/// Hands the config API's list to the ledger.
pub(super) struct LedgerFeed<'a, P> {
    comparison: Comparison<'a, P>,
    config_api: ConfigApi<'a, P>,
    state: RefreshState<'a, P>,
    ports: &'a P,
}

impl<'a, P: Ports> LedgerFeed<'a, P> {
    /// The feed, where isolates follow a ledger and the config API has a list for them.
    pub(super) fn of(gateway: &'a Gateway, memory: &'a RefCell<Memory>, ports: &'a P) -> Option<Self> {
        let config_api = ConfigApi::of(gateway, memory, ports)?;
        if config_api.is_by_id() || memory.borrow().directory.is_none() {
            return None;
        }
        Some(Self {
            comparison: Comparison {
                allow_http: gateway.allow_http(),
                max_removed: config_api.max_removed(),
                ports,
            },
            config_api,
            state: RefreshState::new(gateway, memory, ports),
            ports,
        })
    }

    /// Takes the list and hands over what differs.
    pub(super) async fn run(&self) -> Result<Refreshed, SourceError> {
        let asked_at = self.ports.now();
        // Before the list is asked for: from here on the ledger takes nothing of an older list.
        let run = self.begin().await?;
        let FetchedDocument { status, body, etag, .. } =
            self.config_api.list(run.etag.as_deref()).await.map_err(SourceError)?;
        match status {
            304 if run.etag.is_some() => return Ok(Refreshed::default()),
            200..=299 => {}
            _ => return Err(SourceError(format!("the config API answered {status}"))),
        }
        let roster = Roster::parse(body, etag)
            .map_err(|what| SourceError(format!("the config API's answer {what}")))?;
        // A ledger that has just begun knows nobody; but the store has how many there were.
        let state = self.state.read().await?;
        self.comparison.check_size(&roster, state.count, state.count.saturating_sub(roster.len()))?;
        let is_whole = roster.nameless().is_empty();
        if !is_whole {
            self.comparison.warn_of_nameless(&roster);
        }
        let Taken { written, gone, .. } = self.take_over(&roster, &run).await?;
        self.end(&roster, &run).await?;
        // Of the records that a refresh wrote to the store before there was a ledger, nobody knows any more whether the list
        // agrees with them.
        if is_whole && (state.count != roster.len() || !state.confirmed_at.is_empty()) {
            let RosterState { generation, moved, .. } = state;
            let state = RosterState { count: roster.len(), generation, moved, ..RosterState::default() };
            self.state.write(state, asked_at).await?;
        }
        Ok(Refreshed { listed: roster.len(), written, gone, pending: 0 })
    }

    async fn begin(&self) -> Result<Run, SourceError> {
        let answer = self.tell(r#"{"step":"begin"}"#).await?;
        let answer = Shallow::parse(answer.as_bytes()).map_err(|_| unreadable())?;
        let number = answer.member("run").ok_or_else(unreadable)?.get().to_owned();
        let etag = answer.text("etag").map(Cow::into_owned);
        Ok(Run { number, etag, parts: Cell::default() })
    }

    async fn tell(&self, message: &str) -> Result<String, SourceError> {
        let answer = self.ports.take_list(message, TIMEOUT).await?;
        let refusal = Shallow::parse(answer.as_bytes()).map_err(|_| unreadable())?;
        match refusal.text("error") {
            Some(error) => Err(SourceError(format!("the ledger refused the config API's records: {error}"))),
            None => Ok(answer),
        }
    }

    /// The list's entries, in the order of their keys.
    fn entries(&self, roster: &Roster) -> Vec<Entry> {
        let mut entries: Vec<Entry> = Vec::with_capacity(roster.len());
        self.comparison.read(roster, &mut |id, json| {
            if json.is_some_and(|json| !is_short(json)) {
                let what = format!("config API, {id}: the record is longer than {LONGEST_RECORD} bytes");
                self.ports.warn("customer_record_malformed", &what);
            }
            let mark = mark_of(json.filter(|json| is_short(json)).unwrap_or(MALFORMED));
            let key = RecordKey::customer(id.as_str()).to_bytes();
            let position = entries.len();
            // A list is in the order of its ids' digests, with which the keys begin. Only where 64 bits of two digests are the
            // same is another place than the last one right.
            let at = entries.iter().rposition(|before| before.key < key).map_or(0, |before| before + 1);
            entries.insert(at, Entry { key, mark, position });
        });
        entries
    }

    /// Compares and hands over, until the ledger has taken all that differs.
    async fn take_over(&self, roster: &Roster, run: &Run) -> Result<Taken, SourceError> {
        let entries = self.entries(roster);
        let mut all = Taken::default();
        for _ in 0..ROUNDS {
            let mut differences = self.compare(&entries).await?;
            self.comparison.check_size(roster, differences.known, differences.missing.len())?;
            if !roster.nameless().is_empty() {
                differences.missing.clear();
            }
            let taken = self.hand_over(roster, &differences, run).await?;
            all.written += taken.written;
            all.gone += taken.gone;
            if taken.left_out == 0 {
                return Ok(all);
            }
        }
        Err(SourceError("what the ledger has of the config API's list changed again and again".to_owned()))
    }

    async fn compare(&self, entries: &[Entry]) -> Result<Differences, SourceError> {
        let versions = vec![None; entries.len()];
        let mut found = Differences { versions, ..Differences::default() };
        let mut entries = entries.iter().peekable();
        let mut behind = Vec::new();
        loop {
            let page = self.ports.provided(&behind, PAGE, TIMEOUT).await?;
            let (customers, rest) = page.as_chunks::<SAID>();
            if !rest.is_empty() {
                return Err(unreadable());
            }
            for customer in customers {
                let (key, mark, version) = read(customer).ok_or_else(unreadable)?;
                let is_gone = mark == mark_of(GONE);
                found.known += usize::from(!is_gone);
                while let Some(new) = entries.next_if(|entry| entry.key < key) {
                    found.note(new, 0);
                }
                match entries.next_if(|entry| entry.key == key) {
                    Some(entry) if mark == entry.mark => {}
                    Some(entry) => found.note(entry, version),
                    None if is_gone => {}
                    None => found.missing.push((key, version)),
                }
            }
            let last = customers.last().and_then(|customer| customer.first_chunk::<17>());
            // A ledger that does not go on would be asked without end.
            match last.filter(|last| last[..] > behind[..]) {
                Some(last) if customers.len() >= PAGE as usize => behind = last.to_vec(),
                _ => break,
            }
        }
        entries.for_each(|entry| found.note(entry, 0));
        Ok(found)
    }

    /// Hands over what differs, those first who are no longer listed.
    async fn hand_over(
        &self,
        roster: &Roster,
        differences: &Differences,
        run: &Run,
    ) -> Result<Taken, SourceError> {
        let Differences { versions, changed, missing, .. } = differences;
        let many = changed + missing.len() > MANY;
        let mut taken = Taken::default();
        for page in missing.chunks(MOST) {
            let mut message = run.begin_part(many, "unlisted");
            for (key, version) in page {
                separate(&mut message);
                message.push_str(&format!(r#"{{"key":"{}","version":{version}}}"#, hex(key)));
            }
            let left_out = self.tell_part(message).await?;
            taken.gone += page.len().saturating_sub(left_out);
            taken.left_out += left_out;
        }
        taken.written = taken.gone;
        let (mut message, mut count) = (run.begin_part(many, "edits"), 0usize);
        let mut left = *changed;
        for (id, version) in roster.ids().zip(versions) {
            let Some(version) = version else { continue };
            left -= 1;
            separate(&mut message);
            message.push_str(r#"{"id":"#);
            write_string(id.as_str(), &mut message);
            message.push_str(r#","says":"#);
            match self.comparison.record(roster, &id).ok().filter(|json| is_short(json)) {
                Some(json) => {
                    message.push_str(r#"{"record":"#);
                    write_string(&json, &mut message);
                    message.push('}');
                }
                None => write_string(MALFORMED, &mut message),
            }
            message.push_str(&format!(r#","version":{version}}}"#));
            count += 1;
            if count == MOST || message.len() > LONG || left == 0 {
                let left_out = self.tell_part(message).await?;
                taken.written += count.saturating_sub(left_out);
                taken.left_out += left_out;
                (message, count) = (run.begin_part(many, "edits"), 0);
            }
        }
        Ok(taken)
    }

    /// How many of a part's differences the ledger left out.
    async fn tell_part(&self, mut message: String) -> Result<usize, SourceError> {
        message.push_str("]}}}");
        let answer = self.tell(&message).await?;
        let answer = Shallow::parse(answer.as_bytes()).map_err(|_| unreadable())?;
        let changed = answer.member("changed").ok_or_else(unreadable)?;
        match Shallow::parse(changed.get().as_bytes()) {
            Ok(Shallow::List(changed)) => Ok(changed.len()),
            _ => Err(unreadable()),
        }
    }

    /// Told even where nothing differs: the ledger may not have believed a list yet.
    async fn end(&self, roster: &Roster, run: &Run) -> Result<(), SourceError> {
        let is_believed = roster.nameless().is_empty();
        let mut message = format!(r#"{{"step":{{"end":{{"run":{},"isBelieved":{is_believed}"#, run.number);
        if let Some(etag) = roster.etag() {
            message.push_str(r#","etag":"#);
            write_string(etag, &mut message);
        }
        message.push_str("}}}");
        self.tell(&message).await.map(|_| ())
    }
}

impl Run {
    /// The beginning of the next part. A number of its own lets the ledger take a part once that comes twice.
    fn begin_part(&self, many: bool, of: &str) -> String {
        let part = self.parts.replace(self.parts.get() + 1);
        format!(r#"{{"step":{{"part":{{"run":{},"part":{part},"many":{many},"{of}":["#, self.number)
    }
}

fn unreadable() -> SourceError {
    SourceError("the ledger's answer cannot be read".to_owned())
}

const fn is_short(json: &str) -> bool {
    json.len() <= LONGEST_RECORD
}

fn mark_of(text: &str) -> Mark {
    Digest::of(text.as_bytes()).bytes().first_chunk().copied().unwrap_or_default()
}

/// Reads what the ledger says of one customer.
fn read(customer: &[u8; SAID]) -> Option<(Key, Mark, u64)> {
    let (key, rest) = customer.split_first_chunk()?;
    let (mark, version) = rest.split_first_chunk()?;
    Some((*key, *mark, u64::from_be_bytes(version.try_into().ok()?)))
}

/// Writes a comma behind another item of a list.
fn separate(message: &mut String) {
    if !message.ends_with('[') {
        message.push(',');
    }
}
