//! What KV should hold: of each entry its digest and where its record stands. A hundred thousand records are
//! not held at once; each is read again when it is written.

use std::{
    collections::{BTreeMap, btree_map},
    path::PathBuf,
};

use crate::{
    ending::{Failure, input},
    files::{self, RecordFile},
    findings::{At, Placed},
    lines::lines_into,
    records::{Claimed, Extras, Good, Judge, Kind, is_left_over},
    store::{Entry, Sum},
};

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
    /// Records of the config API, of which none is wanted: they have names that only the gateway writes.
    passed_over: usize,
}

/// One entry that KV should hold.
#[derive(Debug)]
pub(crate) struct Want {
    /// Of its value.
    pub(crate) sum: Sum,
    source: Source,
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
        let entry = |good: Good| {
            let sum = Sum::of(good.value.as_bytes());
            (good.name, Want { sum, source: Source::Given(good.value) })
        };
        Self {
            entries: records.into_iter().map(entry).collect(),
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
        let wanted = Self { entries, files: Vec::new(), extras, kinds, claimed, passed_over: 0 };
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
        let value = match &want.source {
            Source::Given(value) => value.clone(),
            Source::File { file, offset, length, .. } => {
                let changed = |path: &PathBuf| {
                    input(format!("{}: has changed meanwhile: run this again", path.display()))
                };
                let file = self.files.get(*file as usize).ok_or_else(|| input("no such file"))?;
                let json =
                    files::again(&file.path, *offset, *length as usize).map_err(|_| changed(&file.path))?;
                let good = judge.record(file.kind, &json, self.extras).map_err(|_| changed(&file.path))?;
                if good.name != name || Sum::of(good.value.as_bytes()) != want.sum {
                    return Err(changed(&file.path));
                }
                good.value
            }
        };
        Ok(Entry::new(name.to_owned(), value))
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
        let read = files::each(&file.path, &mut |raw| {
            let at = |line| place(files, index, line);
            let good = match judge.record(file.kind, raw.json, extras) {
                Ok(good) => good,
                Err(problem) => {
                    let line = raw.line + lines_into(raw.json, &problem.pointer);
                    self.find(Placed::error(at(line), problem.pointer, problem.what));
                    return;
                }
            };
            if file.kind == Kind::Customer && is_left_over(&good.value) {
                self.wanted.passed_over += 1;
                return;
            }
            match good.claimed {
                Claimed::Nobody => {}
                Claimed::Customer(id) => ByKeys::note(&mut self.wanted.claimed, id, || {
                    at(raw.line + lines_into(raw.json, &judge.claim_pointer()))
                }),
                Claimed::Nonsense => {
                    let pointer = judge.claim_pointer();
                    let line = raw.line + lines_into(raw.json, &pointer);
                    self.find(Placed::warning(at(line), pointer, Judge::NO_ID));
                }
            }
            let source = Source::File {
                file: index,
                line: u32::try_from(raw.line).unwrap_or(u32::MAX),
                offset: raw.offset,
                length: u32::try_from(raw.json.len()).unwrap_or(u32::MAX),
            };
            let want = Want { sum: Sum::of(good.value.as_bytes()), source };
            match self.wanted.entries.entry(good.name) {
                btree_map::Entry::Vacant(vacant) => {
                    vacant.insert(want);
                }
                btree_map::Entry::Occupied(first) => {
                    let member = if file.kind == Kind::Customer { "/customerId" } else { "/sha256" };
                    let Source::File { file, line, .. } = first.get().source else { return };
                    let what =
                        format!("stands twice: also at {}. Remove one", place(files, file, line as usize));
                    let line = raw.line + lines_into(raw.json, member);
                    self.find(Placed::error(at(line), member, what));
                }
            }
        });
        if let Err(finding) = read {
            self.find(finding);
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

fn place(files: &[RecordFile], file: u32, line: usize) -> At {
    let path = files.get(file as usize).map(|file| file.path.display().to_string());
    At::Line { file: path.unwrap_or_default(), line }
}
