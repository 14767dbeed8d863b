//! KV as these tools use it, whoever it is reached by.

use pointsman_core::{base::digest::Digest, identity::customer_id::CustomerId};
use serde_json::{Map, Value};

use crate::{ending::Failure, hosts::Pointers, output::Progress};

/// One entry to be written. The tools give each the digest of its value as KV metadata, so that a listing
/// alone tells whether it is still as it was written. Only the tools read that.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) value: String,
    /// Of the entry that it takes the place of.
    pub(crate) keeps: Keeps,
}

impl Entry {
    /// One that takes no other's place.
    pub(crate) fn new(name: String, value: String) -> Self {
        Self { name, value, keeps: Keeps::default() }
    }
}

/// What an entry has beside its value. A write takes all of it away that it does not say again, and an
/// operator who gave an entry an end has meant it: it works like a deletion to come.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Keeps {
    /// When KV drops it, in seconds since 1970.
    pub(crate) expiration: Option<u64>,
    /// Its metadata, without the digest that these tools write there.
    metadata: Option<Value>,
}

/// The member of the metadata that holds the digest of the value.
const SUM: &str = "sha256";
/// The member that holds the value itself, where there is room for it: then a listing shows records without reading each. It
/// counts only where it has the digest that stands beside it.
const RECORD: &str = "record";
/// KV takes no metadata that is longer as JSON.
const LONGEST_METADATA: usize = 1024;
/// KV takes no end that is nearer than a minute, and wrangler takes its time.
const NEAREST_END: u64 = 90;

impl Keeps {
    /// What a listing says.
    pub(crate) fn read(expiration: Option<u64>, metadata: Option<Value>) -> Beside {
        let Some(Value::Object(mut members)) = metadata else {
            let keeps = Self { expiration, metadata: metadata.filter(|other| !other.is_null()) };
            return Beside { keeps, sum: None, value: None };
        };
        let (sum, record) = (members.remove(SUM), members.remove(RECORD));
        let sum = sum.as_ref().and_then(Value::as_str).and_then(Sum::parse);
        let metadata = (!members.is_empty()).then_some(Value::Object(members));
        Beside { keeps: Self { expiration, metadata }, sum, value: record }
    }

    /// An end, where there is one.
    pub(crate) fn ending(expiration: Option<u64>) -> Self {
        Self { expiration, metadata: None }
    }

    /// The end alone, for an entry that takes over what another stands for.
    pub(crate) fn end_only(&self) -> Self {
        Self { expiration: self.expiration, metadata: None }
    }

    /// The metadata of this value: with its digest, and with the value itself, each where there is room for it. They are there
    /// to save reading a value, and no more.
    pub(crate) fn metadata(&self, value: &str) -> Value {
        let own = match &self.metadata {
            None => Map::new(),
            Some(Value::Object(members)) => members.clone(),
            Some(other) => return other.clone(),
        };
        let fits = |members: &Map<String, Value>| {
            Value::Object(members.clone()).to_string().len() <= LONGEST_METADATA
        };
        let mut with_sum = own.clone();
        with_sum.insert(SUM.to_owned(), Value::from(Sum::of(value.as_bytes()).to_string()));
        if !fits(&with_sum) {
            return Value::Object(own);
        }
        let Some(record) = spelled_alike(value) else { return Value::Object(with_sum) };
        let mut with_record = with_sum.clone();
        with_record.insert(RECORD.to_owned(), record);
        Value::Object(if fits(&with_record) { with_record } else { with_sum })
    }

    /// The end that KV takes, where there is one. `now` in seconds since 1970.
    pub(crate) fn end(&self, now: u64) -> Option<u64> {
        self.expiration.map(|end| end.max(now.saturating_add(NEAREST_END)))
    }
}

/// What stands in a listing beside a name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Beside {
    pub(crate) keeps: Keeps,
    pub(crate) sum: Option<Sum>,
    value: Option<Value>,
}

impl Beside {
    /// The value, where the listing has it. One that somebody has left there with the digest of another value is none.
    pub(crate) fn value(&self) -> Option<String> {
        let text = self.value.as_ref()?.to_string();
        (self.sum == Some(Sum::of(text.as_bytes()))).then_some(text)
    }
}

/// The object that is spelled so, and would be spelled so again.
fn spelled_alike(value: &str) -> Option<Value> {
    let read = serde_json::from_str::<Value>(value).ok()?;
    let again = read.to_string();
    (read.is_object() && again == value).then_some(read)
}

/// An entry as a listing shows it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Listed {
    pub(crate) name: String,
    /// The digest in its metadata; none where it was written by hand or by the gateway.
    pub(crate) written: Option<Sum>,
    /// What it keeps when it is written anew.
    pub(crate) keeps: Keeps,
}

/// A SHA-256 digest that can be sorted and parsed.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct Sum([u8; 32]);

impl Sum {
    /// Of some bytes.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self(*Digest::of(bytes).bytes())
    }

    /// From 64 lower-case hexadecimal digits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let mut sum = [0; 32];
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
        if pairs.len() != sum.len() {
            return None;
        }
        for (byte, [high, low]) in sum.iter_mut().zip(pairs) {
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        Some(Self(sum))
    }
}

impl std::fmt::Display for Sum {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// What takes the value of an entry, or that there is none.
pub(crate) type Taker<'a> = dyn FnMut(&str, Option<String>) -> Result<(), Failure> + 'a;

/// A KV namespace, or what stands for one.
pub(crate) trait Kv {
    /// All entries whose name begins with `prefix`, by name.
    ///
    /// # Errors
    /// Where KV could not be read.
    fn list(&self, prefix: &str) -> Result<Vec<Listed>, Failure>;

    /// As [`Kv::list`], with the values that the listing itself has.
    ///
    /// # Errors
    /// Where KV could not be read.
    fn list_values(&self, prefix: &str) -> Result<Vec<(String, Option<String>)>, Failure> {
        Ok(self.list(prefix)?.into_iter().map(|listed| (listed.name, None)).collect())
    }

    /// The values of these entries, each once, in any order.
    ///
    /// # Errors
    /// Where KV could not be read, or the taker's own.
    fn get_many(&self, names: &[String], take: &mut Taker<'_>) -> Result<(), Failure>;

    /// Writes entries: no more at once than [`put_all`] gives.
    ///
    /// # Errors
    /// Where KV did not take all of them; some may have been taken.
    fn put(&self, entries: &[Entry]) -> Result<(), Failure>;

    /// Deletes entries: no more at once than [`delete_all`] gives. What is not there needs no deleting.
    ///
    /// # Errors
    /// As [`Kv::put`].
    fn delete(&self, names: &[String]) -> Result<(), Failure>;

    /// What people call it.
    fn called(&self) -> &'static str {
        "KV"
    }

    /// What an entry keeps when it is written anew.
    ///
    /// # Errors
    /// Where KV could not be read.
    fn keeps_of(&self, name: &str) -> Result<Keeps, Failure> {
        let listed = self.list(name)?.into_iter().find(|listed| listed.name == name);
        Ok(listed.map(|listed| listed.keeps).unwrap_or_default())
    }

    /// Of each host the customer whom the entry of its name says; `None` where a ledger sees to that itself.
    ///
    /// # Errors
    /// Where KV could not be read.
    fn hosts(&self) -> Result<Option<Pointers>, Failure> {
        Ok(None)
    }

    /// Has the entries of hosts say what these customers' records list. Where a ledger sees to that, there is nothing to do.
    ///
    /// # Errors
    /// As [`Kv::put`].
    fn point(&self, _customers: &[(CustomerId, Vec<String>)]) -> Result<(), Failure> {
        Ok(())
    }

    /// Whether a ledger follows what is written.
    fn is_followed(&self) -> bool {
        false
    }

    /// How much is written at once.
    fn chunk(&self) -> Chunk {
        Chunk::default()
    }

    /// The value of one entry.
    ///
    /// # Errors
    /// Where KV could not be read.
    fn get(&self, name: &str) -> Result<Option<String>, Failure> {
        let mut found = None;
        self.get_many(&[name.to_owned()], &mut |_, value| {
            found = value;
            Ok(())
        })?;
        Ok(found)
    }
}

/// The names and values of all entries that are wanted, in any order: out of the listing where it has them, which is one call
/// for all of them. Nobody may write an entry by what this says; `verify` reads each value.
///
/// # Errors
/// Where KV could not be read.
pub(crate) fn read_all(
    kv: &dyn Kv,
    prefix: &str,
    verify: bool,
    is_wanted: &dyn Fn(&str) -> bool,
    take: &mut dyn FnMut(&str, String),
) -> Result<(), Failure> {
    let mut unread = Vec::new();
    for (name, value) in kv.list_values(prefix)?.into_iter().filter(|(name, _)| is_wanted(name)) {
        match value {
            Some(value) if !verify => take(&name, value),
            _ => unread.push(name),
        }
    }
    kv.get_many(&unread, &mut |name, value| {
        // One that was deleted since it was listed is none.
        if let Some(value) = value {
            take(name, value);
        }
        Ok(())
    })
}

/// How much is written at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chunk {
    pub(crate) entries: usize,
    pub(crate) bytes: usize,
}

impl Default for Chunk {
    /// A bulk write of KV takes 10 000 entries and 100 MB of JSON, in which a value can become larger.
    fn default() -> Self {
        Self { entries: 10_000, bytes: 40 << 20 }
    }
}

/// Writes any number of entries, in order.
///
/// # Errors
/// As [`Kv::put`], or of making an entry.
pub(crate) fn put_all(
    kv: &dyn Kv,
    entries: &mut dyn Iterator<Item = Result<Entry, Failure>>,
    progress: &mut Progress,
) -> Result<(), Failure> {
    let most = kv.chunk();
    let mut chunk: Vec<Entry> = Vec::new();
    let mut bytes = 0;
    let mut flush = |chunk: &mut Vec<Entry>| {
        kv.put(chunk)?;
        progress.advance(chunk.len());
        chunk.clear();
        Ok(())
    };
    for entry in entries {
        let entry = entry?;
        let size = entry.name.len() + entry.value.len();
        if chunk.len() >= most.entries || (!chunk.is_empty() && bytes + size > most.bytes) {
            flush(&mut chunk)?;
            bytes = 0;
        }
        bytes += size;
        chunk.push(entry);
    }
    if chunk.is_empty() { Ok(()) } else { flush(&mut chunk) }
}

/// Deletes any number of entries, in order.
///
/// # Errors
/// As [`Kv::delete`].
pub(crate) fn delete_all(kv: &dyn Kv, names: &[String], progress: &mut Progress) -> Result<(), Failure> {
    for chunk in names.chunks(kv.chunk().entries) {
        kv.delete(chunk)?;
        progress.advance(chunk.len());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use serde_json::json;

    use super::*;

    #[test]
    fn a_sum_is_read_as_it_is_written() {
        let sum = Sum::of(b"abc");
        assert_eq!(Sum::parse(&sum.to_string()), Some(sum));
        for text in ["", "ab", &"A".repeat(64), &"g".repeat(64), &"0".repeat(63), &"é".repeat(32)] {
            assert_eq!(Sum::parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_an_entry_has_beside_its_value_outlives_a_write() {
        let sum = Sum::of(b"new");
        let written = |metadata: Value| {
            let beside = Keeps::read(Some(2_000), Some(metadata));
            (beside.keeps.metadata("new"), beside.sum)
        };
        let ours = json!({ "sha256": sum.to_string() });
        let old = Sum::of(b"old");
        assert_eq!(written(Value::Null), (ours.clone(), None));
        assert_eq!(written(json!({ "sha256": old.to_string() })), (ours, Some(old)));
        let with_more = json!({ "sha256": sum.to_string(), "ticket": "OPS-7" });
        assert_eq!(written(json!({ "ticket": "OPS-7", "sha256": old.to_string() })), (with_more, Some(old)));
        assert_eq!(written(json!("mine")), (json!("mine"), None));
        let long = json!({ "note": "n".repeat(1000) });
        assert_eq!(written(long.clone()).0, long, "without room for it the digest stays away");

        let Beside { keeps, .. } = Keeps::read(Some(2_000), None);
        assert_eq!(keeps.end(1_000), Some(2_000));
        assert_eq!(keeps.end(1_990), Some(2_080), "KV would refuse the whole write");
        assert_eq!(Keeps::default().end(1_000), None);
    }

    #[test]
    fn a_listing_has_a_record_only_where_it_is_the_one_of_its_digest() {
        let value = r#"{"claims":{"a":1.5},"subject":"s"}"#;
        let listed = |metadata: Value| Keeps::read(None, Some(metadata)).value();
        let written = Keeps::default().metadata(value);
        assert_eq!(listed(written.clone()).as_deref(), Some(value));
        let Beside { keeps, .. } = Keeps::read(None, Some(written.clone()));
        assert_eq!(keeps, Keeps::default(), "what is written anew has a record of its own");
        // Whoever writes another value with a digest of its own and leaves the rest.
        let mut other = written.clone();
        other["sha256"] = Value::from(Sum::of(b"{}").to_string());
        assert_eq!(listed(other), None);
        let mut unknown = written;
        unknown.as_object_mut().unwrap().remove("sha256");
        assert_eq!(listed(unknown), None);
        // Another spelling of the same record has another digest, and no list nor text is a record.
        for text in ["{ \"subject\":\"s\"}", "[\"at:x\"]", "\"text\"", "no JSON"] {
            assert_eq!(Keeps::default().metadata(text).get("record"), None, "{text}");
        }
        let long = json!({ "subject": "s".repeat(1_000) }).to_string();
        let metadata = Keeps::default().metadata(&long);
        assert_eq!((metadata.get("record"), metadata.get("sha256").is_some()), (None, true));
    }

    #[test]
    fn values_are_read_only_where_the_listing_lacks_them() {
        use crate::sync::memory::{Content, Memory};
        let mut content = Content::new();
        for name in ["key:a", "key:b", "key:other"] {
            content.insert(name.to_owned(), (format!("{{\"name\":\"{name}\"}}"), None));
        }
        let kv = Memory { shown: vec!["key:a".to_owned()], ..Memory::of(content) };
        let read = |verify: bool| {
            let before = kv.read.get();
            let mut all = Vec::new();
            let wanted = |name: &str| name != "key:other";
            read_all(&kv, "key:", verify, &wanted, &mut |name, value| all.push((name.to_owned(), value)))
                .unwrap();
            all.sort();
            (all.len(), kv.read.get() - before)
        };
        assert_eq!(read(false), (2, 1));
        assert_eq!(read(true), (2, 2));
    }

    struct Sizes(RefCell<Vec<usize>>, Chunk);

    impl Kv for Sizes {
        fn list(&self, _: &str) -> Result<Vec<Listed>, Failure> {
            Ok(Vec::new())
        }
        fn get_many(&self, _: &[String], _: &mut Taker<'_>) -> Result<(), Failure> {
            Ok(())
        }
        fn put(&self, entries: &[Entry]) -> Result<(), Failure> {
            self.0.borrow_mut().push(entries.len());
            Ok(())
        }
        fn delete(&self, names: &[String]) -> Result<(), Failure> {
            self.0.borrow_mut().push(names.len());
            Ok(())
        }
        fn chunk(&self) -> Chunk {
            self.1
        }
    }

    #[test]
    fn chunks_keep_to_both_bounds() {
        let entry = |bytes: usize| Ok(Entry::new("n".to_owned(), "v".repeat(bytes - 1)));
        let sizes = |bytes: &[usize]| {
            let kv = Sizes(RefCell::default(), Chunk { entries: 3, bytes: 10 });
            let mut entries = bytes.iter().map(|bytes| entry(*bytes));
            put_all(&kv, &mut entries, &mut Progress::silent()).unwrap();
            kv.0.into_inner()
        };
        assert_eq!(sizes(&[]), [0; 0]);
        assert_eq!(sizes(&[2, 2, 2, 2]), [3, 1]);
        assert_eq!(sizes(&[6, 6, 4, 1]), [1, 2, 1]);
        assert_eq!(sizes(&[50, 1]), [1, 1], "one that is too large goes alone");
        let kv = Sizes(RefCell::default(), Chunk { entries: 2, bytes: 10 });
        let names: Vec<String> = (0..5).map(|name| name.to_string()).collect();
        delete_all(&kv, &names, &mut Progress::silent()).unwrap();
        assert_eq!(kv.0.into_inner(), [2, 2, 1]);
    }
}
