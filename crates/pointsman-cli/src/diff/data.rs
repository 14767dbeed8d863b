//! The customers and keys at hand, record by record.

use std::{
    collections::HashSet,
    fs,
    io::{self, BufReader, Write},
    path::Path,
};

use pointsman_core::{
    base::{
        identifier::identifier,
        record::{RecordError, entry_of},
    },
    identity::customer_id::CustomerId,
};

use super::{
    content::Content,
    split::{self, Cut, CutError},
};
use crate::{
    ending::{Failure, input},
    files::{self, of_folder, of_path},
    findings::{At, Placed, print_all},
    host::Temporary,
    lines::lines_into,
    records::{Kind, is_left_over, own_name, refreshed_name},
    store::Kv,
};

/// Records that are asked about together.
const RECORDS: usize = 512;
/// And bytes.
const BYTES: usize = 256 << 10;
/// Entries of KV that are read at once.
const ENTRIES: usize = 5_000;

/// A file with records of one kind.
pub(super) struct Source {
    /// For people.
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) file: Content,
    /// Its records came out of KV, each on a line of its own.
    of_kv: bool,
}

/// A few records of one file.
pub(super) struct Batch {
    pub(super) kind: Kind,
    /// The place of its file among those of its kind.
    pub(super) file: u32,
    /// The place of its first record among all.
    pub(super) first: u64,
    pub(super) records: Vec<Span>,
    bytes: Vec<u8>,
    name: String,
    of_kv: bool,
}

/// Where a record stands: in its batch and in its file.
pub(super) struct Span {
    start: usize,
    pub(super) length: u32,
    pub(super) offset: u64,
    line: usize,
}

impl Batch {
    pub(super) fn json(&self, record: &Span) -> &[u8] {
        self.bytes.get(record.start..record.start + record.length as usize).unwrap_or_default()
    }
}

/// What is wrong with a record, at its place.
pub(super) fn fault(batch: &Batch, record: &Span, error: &RecordError) -> Placed {
    let json = batch.json(record);
    let at = if batch.of_kv {
        At::Entry(named(json).unwrap_or_else(|| batch.name.clone()))
    } else {
        At::Line { file: batch.name.clone(), line: record.line + lines_into(json, &error.pointer) }
    };
    let (pointer, what) = (error.pointer.clone(), error.what.clone());
    // KV is as it is, and the gateway refuses whoever has such a record. A file can be mended first.
    if batch.of_kv { Placed::warning(at, pointer, what) } else { Placed::error(at, pointer, what) }
}

fn named(json: &[u8]) -> Option<String> {
    let members = entry_of(json).ok()?;
    let text = |name: &str| members.get(name).and_then(serde_json::Value::as_str);
    let key = || text("sha256").map(|digest| format!("{}{digest}", Kind::Key.prefix()));
    members
        .get("customerId")
        .and_then(identifier)
        .map(|id| format!("{}{id}", Kind::Customer.prefix()))
        .or_else(key)
}

/// The files of a folder as `plan` and `apply` read it, or one file, of customers or of keys by what its first record says.
///
/// # Errors
/// Where they cannot be read.
pub(super) fn of_files(path: &Path) -> Result<Vec<Source>, Failure> {
    let found = if path.is_dir() {
        let found = of_folder(path)?;
        print_all(&found.warnings);
        found.files
    } else {
        of_path(path, kind_of(path)?)?
    };
    found.into_iter().map(|file: files::RecordFile| open(&file.path, file.kind)).collect()
}

fn open(path: &Path, kind: Kind) -> Result<Source, Failure> {
    let file = fs::File::open(path).map_err(|problem| input(format!("{}: {problem}", path.display())))?;
    Ok(Source { name: path.display().to_string(), kind, file: Content::File(file), of_kv: false })
}

fn kind_of(path: &Path) -> Result<Kind, Failure> {
    let mut kind = Kind::Customer;
    let source = open(path, kind)?;
    // The first record is enough.
    let _ = split::each(BufReader::new(source.file.reader()), &mut |cut: Cut<'_>| {
        let members = entry_of(cut.json).unwrap_or_default();
        if members.contains_key("sha256") || members.contains_key("key") {
            kind = Kind::Key;
        }
        Err(())
    });
    Ok(kind)
}

/// The records of KV, each by the one that counts. They wait in files that nobody else can open and that nothing leaves behind.
///
/// # Errors
/// Where KV could not be read.
pub(super) fn of_kv(kv: &dyn Kv, source: bool) -> Result<Vec<Source>, Failure> {
    let refreshed: HashSet<String> = if source {
        kv.list(CustomerId::REFRESHED_PREFIX)?
            .into_iter()
            .filter_map(|listed| own_name(&listed.name))
            .collect()
    } else {
        HashSet::new()
    };
    let names = |kind: Kind| -> Result<Vec<String>, Failure> {
        let listed = kv.list(kind.prefix())?.into_iter().map(|listed| listed.name);
        Ok(listed.filter(|name| Kind::of(name) == Some(kind)).collect())
    };
    let own = names(Kind::Customer)?;
    let mut customers = Spool::new("KV's customers", Kind::Customer)?;
    // What a refresh left under an operator's name counts only where the config API's own does not stand beside it.
    let mut beside: Vec<String> = Vec::new();
    customers.fill(kv, &own, &mut |name, value| {
        let replaced = refreshed.contains(name) && is_left_over(&value);
        if replaced {
            beside.extend(refreshed_name(name));
        }
        (!replaced).then_some(value)
    })?;
    let known: HashSet<&String> = own.iter().collect();
    beside.extend(
        refreshed.iter().filter(|name| !known.contains(name)).filter_map(|name| refreshed_name(name)),
    );
    beside.sort_unstable();
    customers.fill(kv, &beside, &mut |_, value| Some(value))?;
    let mut keys = Spool::new("KV's keys", Kind::Key)?;
    keys.fill(kv, &names(Kind::Key)?, &mut |name, value| Some(with_digest(name, &value)))?;
    Ok(vec![customers.done()?, keys.done()?])
}

/// A key's record as files have it: with its digest.
fn with_digest(name: &str, value: &str) -> String {
    let digest = name.strip_prefix(Kind::Key.prefix()).unwrap_or(name);
    match entry_of(value.as_bytes()) {
        Ok(mut members) => {
            members.insert("sha256".to_owned(), digest.into());
            serde_json::Value::Object(members).to_string()
        }
        // As in `Spool::fill`.
        Err(_) => serde_json::json!({ "sha256": digest, "malformed": true }).to_string(),
    }
}

fn id_of(name: &str) -> String {
    let own = own_name(name);
    let named = own.as_deref().unwrap_or(name);
    named.strip_prefix(Kind::Customer.prefix()).unwrap_or(named).to_owned()
}

struct Spool {
    name: &'static str,
    kind: Kind,
    file: Temporary,
}

impl Spool {
    fn new(name: &'static str, kind: Kind) -> Result<Self, Failure> {
        Ok(Self { name, kind, file: Temporary::new().map_err(Failure::Store)? })
    }

    fn fill(
        &mut self,
        kv: &dyn Kv,
        names: &[String],
        keep: &mut dyn FnMut(&str, String) -> Option<String>,
    ) -> Result<(), Failure> {
        let failed = |problem: io::Error| Failure::Store(format!("a temporary file: {problem}"));
        for chunk in names.chunks(ENTRIES) {
            let mut writer = io::BufWriter::new(&mut self.file);
            kv.get_many(chunk, &mut |name, value| {
                let Some(record) = value.and_then(|value| keep(name, value)) else { return Ok(()) };
                // One record in a line, whatever spelling it has in KV.
                let is_plain = record.starts_with('{') && record.ends_with('}') && !record.contains('\n');
                let record = match serde_json::from_str::<serde_json::Value>(&record) {
                    Ok(_) if is_plain => record,
                    Ok(value @ serde_json::Value::Object(_)) => value.to_string(),
                    // It is said to be malformed where it is read.
                    Ok(_) | Err(_) => {
                        serde_json::json!({ "customerId": id_of(name), "malformed": true }).to_string()
                    }
                };
                writeln!(writer, "{record}").map_err(failed)
            })?;
            writer.flush().map_err(failed)?;
        }
        Ok(())
    }

    fn done(self) -> Result<Source, Failure> {
        let Self { name, kind, file } = self;
        Ok(Source { name: name.to_owned(), kind, file: Content::Temporary(file), of_kv: true })
    }
}

/// Hands out the records of a source in batches; how many records there were.
///
/// # Errors
/// Where it cannot be read, or the taker's own.
pub(super) fn batches(
    source: &Source,
    file: u32,
    first: u64,
    take: &mut dyn FnMut(Batch) -> Result<(), Failure>,
) -> Result<u64, Failure> {
    let failed = |problem: io::Error| input(format!("{}: {problem}", source.name));
    let empty = |first: u64| Batch {
        kind: source.kind,
        file,
        first,
        records: Vec::with_capacity(RECORDS),
        bytes: Vec::with_capacity(BYTES),
        name: source.name.clone(),
        of_kv: source.of_kv,
    };
    let (mut batch, mut count) = (empty(first), 0);
    let reader = BufReader::with_capacity(1 << 18, source.file.reader());
    let read = split::each(reader, &mut |cut: Cut<'_>| {
        let (start, Cut { json, offset, line }) = (batch.bytes.len(), cut);
        batch.bytes.extend_from_slice(json);
        let length = u32::try_from(json.len()).unwrap_or(u32::MAX);
        batch.records.push(Span { start, length, offset, line });
        count += 1;
        if batch.records.len() >= RECORDS || batch.bytes.len() >= BYTES {
            return take(std::mem::replace(&mut batch, empty(first + count)));
        }
        Ok(())
    });
    match read {
        Ok(()) if batch.records.is_empty() => Ok(count),
        Ok(()) => take(batch).map(|()| count),
        Err(CutError::Taker(failure)) => Err(failure),
        Err(CutError::Read(problem)) => Err(failed(problem)),
        Err(CutError::Text(line, what)) => Err(input(format!("{}:{line}: {what}", source.name))),
    }
}
