//! What KV should hold: of each entry its digest and where its record stands. A hundred thousand records are
//! not held at once; each is read again when it is written.

use std::{
    collections::{BTreeMap, btree_map},
    path::PathBuf,
};

use pointsman_core::{
    base::{identifier::identifier, record::entry_of},
    identity::customer_id::CustomerId,
};
use serde_json::Value;

use crate::{
    ending::{Failure, input},
    files::{self, RecordFile},
    findings::{At, Placed},
    hosts::{customer_of, pointer},
    keys::short,
    lines::lines_into,
    output::plain,
    records::{Claimed, Extras, Good, Judge, Kind, is_left_over},
    store::{Entry, Sum},
};

mod dates;

use self::dates::Dated;

/// More findings than this nobody reads.
const MOST_FINDINGS: usize = 200;

/// The entries that KV should hold.
#[derive(Debug)]
pub(crate) struct Wanted {
    entries: BTreeMap<String, Want>,
    files: Vec<RecordFile>,
    extras: Extras,
    /// The kinds whose entries are all meant to be here.
    kinds: Vec<Kind>,
    /// The customers that keys name.
    claimed: BTreeMap<String, ByKeys>,
    /// Of each host the name of the customer's entry that lists it.
    hosts: BTreeMap<String, String>,
    /// Records of the config API, of which none is wanted: they have names that only the gateway writes.
    passed_over: usize,
}

/// One entry that KV should hold.
#[derive(Debug)]
pub(crate) struct Want {
    /// Of its value.
    pub(crate) sum: Sum,
    source: Source,
    /// When its key was made.
    dated: Dated,
}

#[derive(Debug)]
enum Source {
    /// A place in a file.
    File { file: u32, line: u32, offset: u64, length: u32 },
    /// This value.
    Given(String),
}

/// The keys that name a customer.
#[derive(Debug)]
pub(crate) struct ByKeys {
    first: At,
    more: usize,
}

impl ByKeys {
    /// Notes that the key at this place names that customer.
    pub(crate) fn note(all: &mut BTreeMap<String, Self>, id: String, at: impl FnOnce() -> At) {
        match all.entry(id) {
            btree_map::Entry::Occupied(mut keys) => keys.get_mut().more += 1,
            btree_map::Entry::Vacant(vacant) => {
                vacant.insert(Self { first: at(), more: 0 });
            }
        }
    }
}

impl Wanted {
    /// Entries that stand in no file.
    pub(crate) fn given(records: impl IntoIterator<Item = Good>) -> Self {
        let mut hosts = BTreeMap::new();
        let entry = |good: Good| {
            let (sum, dated) = (Sum::of(good.value.as_bytes()), Dated::of(&good));
            hosts.extend(good.hosts.into_iter().map(|host| (host, good.name.clone())));
            (good.name, Want { sum, source: Source::Given(good.value), dated })
        };
        Self {
            entries: records.into_iter().map(entry).collect(),
            hosts,
            files: Vec::new(),
            extras: Extras::Taken,
            kinds: Vec::new(),
            claimed: BTreeMap::new(),
            passed_over: 0,
        }
    }

    /// Reads and judges all records of these files. `kinds` are those of which the files hold all.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(crate) fn read(
        files: Vec<RecordFile>,
        kinds: Vec<Kind>,
        judge: &Judge,
        extras: Extras,
    ) -> Result<(Self, Vec<Placed>), Vec<Placed>> {
        let (entries, claimed) = (BTreeMap::new(), BTreeMap::new());
        let hosts = BTreeMap::new();
        let wanted = Self { entries, files: Vec::new(), extras, kinds, claimed, hosts, passed_over: 0 };
        let mut reading = Reading { wanted, findings: Vec::new(), untold: 0 };
        for (index, file) in files.iter().enumerate() {
            reading.file(index, &files, file, judge);
        }
        reading.wanted.files = files;
        let Reading { wanted, mut findings, untold } = reading;
        if untold > 0 {
            let at = findings.last().map_or_else(|| At::Entry(String::new()), |last| last.at.clone());
            findings.push(Placed::error(at, "", format!("and {untold} findings more after this one")));
        }
        if findings.iter().any(Placed::is_error) { Err(findings) } else { Ok((wanted, findings)) }
    }

    pub(crate) const fn entries(&self) -> &BTreeMap<String, Want> {
        &self.entries
    }

    /// Of each host the name of the customer's entry that lists it.
    pub(crate) const fn hosts(&self) -> &BTreeMap<String, String> {
        &self.hosts
    }

    /// What says whose each of the hosts is.
    pub(crate) fn pointers(&self) -> impl Iterator<Item = Entry> {
        let of_host = |(host, name): (&String, &String)| Some(pointer(host, &customer_of(name)?));
        self.hosts.iter().filter_map(of_host)
    }

    /// The customers who have hosts, with these.
    pub(crate) fn with_hosts(&self) -> Vec<(CustomerId, Vec<String>)> {
        let mut all: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (host, name) in &self.hosts {
            all.entry(name).or_default().push(host.clone());
        }
        all.into_iter().filter_map(|(name, hosts)| Some((customer_of(name)?, hosts))).collect()
    }

    /// How many records were passed over, since they are the config API's.
    pub(crate) const fn passed_over(&self) -> usize {
        self.passed_over
    }

    pub(crate) fn kinds(&self) -> &[Kind] {
        &self.kinds
    }

    /// Where an entry's record stands.
    pub(crate) fn at(&self, name: &str) -> Option<At> {
        match self.entries.get(name)?.source {
            Source::File { file, line, .. } => Some(place(&self.files, file, line as usize)),
            Source::Given(_) => None,
        }
    }

    /// An entry as it is written.
    ///
    /// # Errors
    /// Where its file has changed since it was read.
    pub(crate) fn entry(&self, name: &str, judge: &Judge) -> Result<Entry, Failure> {
        let want = self.entries.get(name).ok_or_else(|| input(format!("{name} is not wanted")))?;
        let value = self.value(name, want, judge)?;
        Ok(Entry::new(name.to_owned(), want.with_date(value)))
    }

    /// The value as its source has it.
    fn value(&self, name: &str, want: &Want, judge: &Judge) -> Result<String, Failure> {
        Ok(match &want.source {
            Source::Given(value) => value.clone(),
            Source::File { file, offset, length, .. } => {
                let changed = |path: &PathBuf| {
                    input(format!("{}: has changed meanwhile: run this again", path.display()))
                };
                let file = self.files.get(*file as usize).ok_or_else(|| input("no such file"))?;
                let json =
                    files::again(&file.path, *offset, *length as usize).map_err(|_| changed(&file.path))?;
                let good = judge.record(file.kind, &json, self.extras).map_err(|_| changed(&file.path))?;
                if good.name != name || Sum::of(good.value.as_bytes()) != want.own_sum() {
                    return Err(changed(&file.path));
                }
                good.value
            }
        })
    }

    /// Whether a key names the customer of this entry.
    pub(crate) fn names_customer(&self, name: &str) -> bool {
        name.strip_prefix(Kind::Customer.prefix()).is_some_and(|id| self.claimed.contains_key(id))
    }

    /// Whether a key names any customer that these entries lack.
    pub(crate) fn names_customers(&self) -> bool {
        let lacks = |id: &String| !self.entries.contains_key(&format!("{}{id}", Kind::Customer.prefix()));
        self.claimed.keys().any(lacks)
    }

    /// The place of the first entry of a kind.
    pub(crate) fn first_of(&self, kind: Kind) -> Option<At> {
        let name = self.entries.keys().find(|name| name.starts_with(kind.prefix()))?;
        self.at(name)
    }

    /// Warnings about keys whose customer nobody knows: neither these files nor `is_known`. `looked` says who was
    /// asked.
    pub(crate) fn unknown_customers(
        &self,
        judge: &Judge,
        looked: &str,
        is_known: impl Fn(&str) -> bool,
    ) -> Vec<Placed> {
        let unknown = |id: &&String| {
            let name = format!("{}{id}", Kind::Customer.prefix());
            !self.entries.contains_key(&name) && !is_known(&name)
        };
        let claimed = self.claimed.iter().filter(|(id, _)| unknown(id));
        claimed.map(|(id, keys)| unknown_customer(keys, id, looked, judge)).collect()
    }
}

/// The warning about keys that name a customer whom nobody knows.
pub(crate) fn unknown_customer(keys: &ByKeys, id: &str, looked: &str, judge: &Judge) -> Placed {
    let others = match keys.more {
        0 => String::new(),
        1 => " (as another key does)".to_owned(),
        more => format!(" (as {more} other keys do)"),
    };
    let what = format!(
        "names customer {id:?}{others}, of whom {looked}: requests that want its backend get 403, unless the config \
         API knows it. Add the customer, or mend the claim"
    );
    Placed::warning(keys.first.clone(), judge.claim_pointer(), what)
}

/// Files as they are read.
struct Reading {
    wanted: Wanted,
    findings: Vec<Placed>,
    untold: usize,
}

impl Reading {
    fn file(&mut self, index: usize, files: &[RecordFile], file: &RecordFile, judge: &Judge) {
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        let extras = self.wanted.extras;
        let mut number = 0;
        let read = files::each(&file.path, &mut |raw| {
            number += 1;
            let at = |line| place(files, index, line);
            // In a file from elsewhere all may stand in one line.
            let said = |what: String| match extras {
                Extras::Taken => format!("{what} (record {number}{})", whose(file.kind, raw.json)),
                Extras::Refused => what,
            };
            let good = match judge.record(file.kind, raw.json, extras) {
                Ok(good) => good,
                Err(problem) => {
                    let line = raw.line + lines_into(raw.json, &problem.pointer);
                    self.find(Placed::error(at(line), problem.pointer, said(problem.what)));
                    return;
                }
            };
            if file.kind == Kind::Customer && is_left_over(&good.value) {
                self.wanted.passed_over += 1;
                return;
            }
            let dated = Dated::of(&good);
            match good.claimed {
                Claimed::Nobody => {}
                Claimed::Customer(id) => ByKeys::note(&mut self.wanted.claimed, id, || {
                    at(raw.line + lines_into(raw.json, &judge.claim_pointer()))
                }),
                Claimed::Nonsense => {
                    let pointer = judge.claim_pointer();
                    let line = raw.line + lines_into(raw.json, &pointer);
                    self.find(Placed::warning(at(line), pointer, said(Judge::NO_ID.to_owned())));
                }
            }
            let source = Source::File {
                file: index,
                line: u32::try_from(raw.line).unwrap_or(u32::MAX),
                offset: raw.offset,
                length: u32::try_from(raw.json.len()).unwrap_or(u32::MAX),
            };
            let want = Want { sum: Sum::of(good.value.as_bytes()), source, dated };
            let hosts = good.hosts;
            match self.wanted.entries.entry(good.name) {
                btree_map::Entry::Vacant(vacant) => {
                    let name = vacant.key().clone();
                    vacant.insert(want);
                    for (index, host) in hosts.into_iter().enumerate() {
                        let Some((host, other)) = self.take_host(host, &name) else { continue };
                        let pointer = format!("/hosts/{index}");
                        let line = raw.line + lines_into(raw.json, &pointer);
                        let what = format!("{host} is a host of {other} too: one customer alone can have it");
                        self.find(Placed::error(at(line), pointer, said(what)));
                    }
                }
                btree_map::Entry::Occupied(first) => {
                    let member = if file.kind == Kind::Customer { "/customerId" } else { "/sha256" };
                    let Source::File { file, line, .. } = first.get().source else { return };
                    let what =
                        format!("stands twice: also at {}. Remove one", place(files, file, line as usize));
                    let line = raw.line + lines_into(raw.json, member);
                    self.find(Placed::error(at(line), member, said(what)));
                }
            }
        });
        if let Err(finding) = read {
            self.find(finding);
        }
    }

    /// Notes whose a host is; another customer that has it already is given back.
    fn take_host(&mut self, host: String, name: &str) -> Option<(String, String)> {
        match self.wanted.hosts.entry(host) {
            btree_map::Entry::Vacant(vacant) => {
                vacant.insert(name.to_owned());
                None
            }
            btree_map::Entry::Occupied(other) => Some((other.key().clone(), plain(other.get()))),
        }
    }

    fn find(&mut self, finding: Placed) {
        if self.findings.len() < MOST_FINDINGS {
            self.findings.push(finding);
        } else if finding.is_error() {
            self.untold += 1;
        }
    }
}

/// Whose record it is, as far as it says so: a customer's id, or the digest of a key; of a key in plain text the digest too.
fn whose(kind: Kind, json: &[u8]) -> String {
    let members = entry_of(json).unwrap_or_default();
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    let who = match kind {
        Kind::Customer => {
            members.get("customerId").and_then(identifier).map(|id| format!("customer {}", plain(&id)))
        }
        Kind::Key => {
            let digest = text("sha256").map(str::to_owned);
            let digest = digest.or_else(|| text("key").map(|key| Sum::of(key.as_bytes()).to_string()));
            digest.map(|digest| format!("key {}", plain(short(&digest))))
        }
    };
    who.map_or_else(String::new, |who| format!(", {who}"))
}

fn place(files: &[RecordFile], file: u32, line: usize) -> At {
    let path = files.get(file as usize).map(|file| file.path.display().to_string());
    At::Line { file: path.unwrap_or_default(), line }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scratch::Scratch;

    #[test]
    fn a_fault_of_an_import_names_the_record_and_never_a_key() {
        let folder = Scratch::new();
        let text = r#"[{"key":"sk_secret","subject":"s"},{"key":"sk_other secret","subject":"s"},{"sha256":"short","subject":"s"},7]"#;
        let file = RecordFile { path: folder.write("keys.json", text), kind: Kind::Key };
        let said = |extras| {
            let faults = Wanted::read(vec![file.clone()], Vec::new(), &Judge::of(None), extras).unwrap_err();
            faults.iter().map(|placed| placed.finding.to_string()).collect::<Vec<_>>()
        };
        let taken = said(Extras::Taken);
        let digest = Sum::of(b"sk_other secret").to_string();
        assert!(
            taken[0].starts_with("/key: ")
                && taken[0].ends_with(&format!("(record 2, key {})", short(&digest))),
            "{taken:?}"
        );
        assert!(
            taken[1].starts_with("/sha256: ") && taken[1].ends_with("(record 3, key short)"),
            "{taken:?}"
        );
        assert!(taken[2].ends_with("(record 4)"), "{taken:?}");
        assert!(!taken.concat().contains("secret"), "{taken:?}");
        assert!(said(Extras::Refused).iter().all(|said| !said.contains("(record")));
    }
}
