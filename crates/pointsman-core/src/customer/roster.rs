//! The config API's list of all customers, held as it came and read entry by entry.
//!
//! A list of a hundred thousand customers is some 12 MB of JSON. Parsed into values it would be many
//! times that, in a memory that never shrinks; so only where each entry lies is noted, and an entry is
//! read when its customer is asked for. One bad entry is nobody else's trouble.

use std::borrow::Cow;

use serde_json::Value;

use super::record::{CustomerRecord, provider_record};
use crate::{
    base::{
        digest::Digest,
        freshness::MAX_CLOCK_SKEW,
        json::{Shallow, ToJson, json, without_bom},
        record::{RecordError, entry_of},
        shape::shape,
        time::Timestamp,
    },
    identity::customer_id::CustomerId,
};

/// A list of customers.
pub struct Roster {
    body: Vec<u8>,
    /// Sorted by hash.
    slots: Vec<Slot>,
    /// The same of the entries that list hosts, by each of these.
    hosts: Vec<Slot>,
    /// Pointers of entries whose id cannot be read.
    nameless: Vec<usize>,
    etag: Option<String>,
}

/// Where an entry lies.
#[derive(Clone, Copy, Debug)]
struct Slot {
    /// Of the entry's customer id, or of one of its hosts.
    hash: u64,
    start: u32,
    length: u32,
    /// The entry's position in the list.
    position: u32,
}

/// What a list says of a customer.
#[derive(Debug)]
pub enum Listed {
    /// This.
    Record(Box<CustomerRecord>),
    /// Something that cannot be used, and why.
    Malformed(RecordError),
    /// Nothing.
    Absent,
    /// Nothing that can be read; but some entries have no readable id, and one may be theirs.
    Unsure,
}

impl Roster {
    /// Reads a list.
    ///
    /// # Errors
    /// What is wrong, where it is not a JSON array.
    pub fn parse(body: Vec<u8>, etag: Option<String>) -> Result<Self, String> {
        let entries = match Shallow::parse(without_bom(&body)) {
            Ok(Shallow::List(entries)) => entries,
            Ok(_) => return Err("is not an array".to_owned()),
            Err(error) => return Err(format!("is no JSON: {error}")),
        };
        let origin = body.as_ptr() as usize;
        let mut slots = Vec::with_capacity(entries.len());
        let (mut nameless, mut hosts) = (Vec::new(), Vec::new());
        for (position, entry) in entries.iter().enumerate() {
            let text = entry.get();
            let start = (text.as_ptr() as usize).saturating_sub(origin);
            let members = Shallow::parse(text.as_bytes()).unwrap_or(Shallow::Other);
            let (Some(id), Ok(start), Ok(length), Ok(at)) = (
                members.identifier("customerId"),
                u32::try_from(start),
                u32::try_from(text.len()),
                u32::try_from(position),
            ) else {
                nameless.push(position);
                continue;
            };
            let slot = Slot { hash: hash(&id), start, length, position: at };
            slots.push(slot);
            add_hosts(&members, slot, &mut hosts);
        }
        sort(&mut slots);
        sort(&mut hosts);
        Ok(Self { body, slots, hosts, nameless, etag })
    }

    /// How many entries it has whose id can be read.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether it has no entries at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty() && self.nameless.is_empty()
    }

    /// The positions of entries whose id cannot be read.
    #[must_use]
    pub fn nameless(&self) -> &[usize] {
        &self.nameless
    }

    /// The entity tag that it came with (RFC 9110, section 8.8.3).
    #[must_use]
    pub fn etag(&self) -> Option<&str> {
        self.etag.as_deref()
    }

    /// Bytes held.
    #[must_use]
    pub fn weight(&self) -> usize {
        let slots = self.slots.len().saturating_add(self.hosts.len());
        self.body.len().saturating_add(slots.saturating_mul(size_of::<Slot>()))
    }

    /// The customer of the first entry that lists `host`.
    #[must_use]
    pub fn find_host(&self, host: &str) -> Option<CustomerId> {
        let first = of_hash(&self.hosts, hash(host)).next()?;
        CustomerId::parse(&self.id(first)?)
    }

    /// What the list says of `id`.
    #[must_use]
    pub fn find(&self, id: &CustomerId) -> Listed {
        let mut own = of_hash(&self.slots, hash(id.as_str()))
            .filter(|slot| self.id(slot).as_deref() == Some(id.as_str()));
        let Some(first) = own.next() else {
            return if self.nameless.is_empty() { Listed::Absent } else { Listed::Unsure };
        };
        if own.next().is_some() {
            let what = "another entry has the same customerId, and which of them counts nobody can say";
            return Listed::Malformed(RecordError {
                pointer: format!("/{}/customerId", first.position),
                what: what.to_owned(),
            });
        }
        self.read(first)
    }

    /// Every id, once. Ids that can name no customer are passed over.
    pub fn ids(&self) -> impl Iterator<Item = CustomerId> + '_ {
        self.slots.iter().enumerate().filter_map(|(index, slot)| {
            let id = CustomerId::parse(&self.id(slot)?)?;
            let before = index.checked_sub(1).and_then(|before| self.slots.get(before));
            let repeated = before.is_some_and(|before| {
                before.hash == slot.hash && self.id(before).as_deref() == Some(id.as_str())
            });
            (!repeated).then_some(id)
        })
    }

    fn bytes(&self, slot: &Slot) -> &[u8] {
        let start = slot.start as usize;
        self.body.get(start..start.saturating_add(slot.length as usize)).unwrap_or_default()
    }

    fn id(&self, slot: &Slot) -> Option<Cow<'_, str>> {
        id_of(self.bytes(slot))
    }

    fn is_listed_before(&self, host: &str, slot: &Slot) -> bool {
        of_hash(&self.hosts, hash(host)).next().is_some_and(|first| first.position < slot.position)
    }

    fn read(&self, slot: &Slot) -> Listed {
        match entry_of(self.bytes(slot)).and_then(|members| provider_record(Value::Object(members))) {
            Ok(record) => match record.hosts.iter().position(|host| self.is_listed_before(host, slot)) {
                None => Listed::Record(Box::new(record)),
                Some(index) => Listed::Malformed(RecordError {
                    pointer: format!("/{}/hosts/{index}", slot.position),
                    what: "is a host of an entry before this one".to_owned(),
                }),
            },
            Err(error) => Listed::Malformed(RecordError {
                pointer: format!("/{}{}", slot.position, error.pointer),
                what: error.what,
            }),
        }
    }
}

/// Adds an entry by each of the hosts that it lists. Whether these are well-formed its record says.
#[cold]
#[inline(never)]
fn add_hosts(entry: &Shallow<'_>, slot: Slot, hosts: &mut Vec<Slot>) {
    let Some(written) = entry.member("hosts") else { return };
    let Ok(Shallow::List(items)) = Shallow::parse(written.get().as_bytes()) else { return };
    for item in items {
        if let Ok(Shallow::Text(host)) = Shallow::parse(item.get().as_bytes()) {
            hosts.push(Slot { hash: hash(&host), ..slot });
        }
    }
}

#[inline(never)]
fn sort(slots: &mut [Slot]) {
    slots.sort_unstable_by_key(|slot| (slot.hash, slot.position));
}

fn of_hash(slots: &[Slot], wanted: u64) -> impl Iterator<Item = &Slot> {
    let from = slots.partition_point(|slot| slot.hash < wanted);
    slots.get(from..).unwrap_or_default().iter().take_while(move |slot| slot.hash == wanted)
}

/// The id of an entry, without reading the rest of it.
fn id_of(entry: &[u8]) -> Option<Cow<'_, str>> {
    Shallow::parse(entry).ok()?.identifier("customerId")
}

fn hash(id: &str) -> u64 {
    Digest::of(id.as_bytes()).prefix()
}

/// What the store says of the last refresh of all customers: written by the scheduled refresh, read by
/// every isolate. It vouches for all refreshed records at once, so that a record that has not changed
/// need not be written again to stay fresh.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct RosterState {
    /// When the list was asked for that every refreshed record agrees with, in RFC 3339.
    pub confirmed_at: String,
    /// Counts the lists that differed from the one before.
    pub generation: u64,
    /// How many customers that list had.
    pub count: usize,
    /// Its entity tag.
    pub etag: Option<String>,
    /// How many records are still to be written before a newer list is agreed with.
    pub pending: usize,
    /// Whether the run knew that the config API's records have a name of their own. Where it did not, they
    /// are still to be moved there, and a list that has not changed is no reason to stop.
    pub moved: bool,
}

shape! { for RosterState {
    confirmed_at: "confirmedAt",
    generation: "generation",
    count: "count",
    etag: "etag",
    pending: "pending" = default,
    moved: "moved" = default,
}}

impl ToJson for RosterState {
    fn to_json(&self) -> Value {
        json!({
            "confirmedAt": self.confirmed_at,
            "generation": self.generation,
            "count": self.count,
            "etag": self.etag,
            "pending": self.pending,
            "moved": self.moved,
        })
    }
}

impl RosterState {
    /// The name of the KV entry that holds it.
    pub const STORE_KEY: &str = "source:customers";
    /// The name of the KV entry that holds which record each customer had at the last refresh.
    pub const INDEX_KEY: &str = "source:customers:index";

    /// When the list was asked for; `None` where there was none, or its time has not come yet.
    #[must_use]
    pub fn confirmed_at(&self, now: Timestamp) -> Option<Timestamp> {
        Timestamp::parse_rfc3339(&self.confirmed_at).filter(|at| *at <= now.plus(MAX_CLOCK_SKEW))
    }
}

/// Whether a list lacks more customers than is likely, given how many there were before: an empty or
/// half-empty answer of a source in trouble must not cut customers off. One may always go.
#[must_use]
pub fn shrank_too_far(before: usize, gone: usize, max_removed_percent: u8) -> bool {
    let share = before.saturating_mul(usize::from(max_removed_percent)) / 100;
    gone > share.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roster(json: &str) -> Roster {
        Roster::parse(json.as_bytes().to_vec(), None).unwrap()
    }

    fn id(text: &str) -> CustomerId {
        CustomerId::parse(text).unwrap()
    }

    #[test]
    fn entries_are_found_and_judged_one_by_one() {
        let roster = roster(
            r#" [ {"customerId":"a","backendUrl":"https://a.example","more":[1,{"x":"]"}]},
                  {"backendUrl":"https://b.example","customerId":"b\u0062"},
                  {"customerId":"c","backendUrl":7},
                  {"customerId":"d","backendUrl":"https://1.example"},
                  {"customerId":"d","backendUrl":"https://2.example"},
                  {"customerId":"e","backendUrl":"https://e.example","backendUrl":"https://f.example"} ] "#,
        );
        assert_eq!(roster.len(), 6);
        assert!(
            matches!(roster.find(&id("a")), Listed::Record(record) if record.backend_url.as_deref() == Some("https://a.example"))
        );
        assert!(matches!(roster.find(&id("bb")), Listed::Record(_)), "an escaped id is the same id");
        for (bad, pointer) in [("c", "/2/backendUrl"), ("d", "/3/customerId"), ("e", "/5")] {
            match roster.find(&id(bad)) {
                Listed::Malformed(error) => assert_eq!(error.pointer, pointer),
                other => panic!("{bad}: {other:?}"),
            }
        }
        assert!(matches!(roster.find(&id("z")), Listed::Absent));
        assert_eq!(roster.ids().count(), 5, "each id once");
    }

    #[test]
    fn a_host_is_that_of_the_first_entry_that_lists_it() {
        let roster = roster(
            r#"[{"customerId":"a","backendUrl":"https://a.example","hosts":["api.a.example","x.example"]},
                {"customerId":"b","backendUrl":"https://b.example","hosts":["api.b.example","x.example"]},
                {"customerId":"c","backendUrl":"https://c.example","hosts":"x.example"},
                {"customerId":"d","backendUrl":"https://d.example","hosts":null}]"#,
        );
        let of = |host: &str| roster.find_host(host);
        assert_eq!(of("api.a.example"), Some(id("a")));
        assert_eq!(of("x.example"), Some(id("a")));
        assert_eq!(of("api.b.example"), Some(id("b")));
        assert_eq!(of("y.example"), None);
        assert!(matches!(roster.find(&id("a")), Listed::Record(record) if record.hosts.len() == 2));
        for (bad, pointer) in [("b", "/1/hosts/1"), ("c", "/2/hosts")] {
            match roster.find(&id(bad)) {
                Listed::Malformed(error) => assert_eq!(error.pointer, pointer),
                other => panic!("{bad}: {other:?}"),
            }
        }
        assert!(matches!(roster.find(&id("d")), Listed::Record(record) if record.hosts.is_empty()));
    }

    #[test]
    fn what_has_no_readable_id_may_be_anybody() {
        let roster =
            roster(r#"[{"customerId":"a","backendUrl":"https://a.example"}, 7, {"customerId":8.0}]"#);
        assert_eq!(roster.nameless(), [1, 2]);
        assert!(matches!(roster.find(&id("a")), Listed::Record(_)));
        assert!(matches!(roster.find(&id("b")), Listed::Unsure));
    }

    #[test]
    fn an_id_that_is_a_whole_number_is_its_digits() {
        let roster = roster(
            r#"[{"customerId":17,"backendUrl":"https://a.example"},{"customerId":18,"backendUrl":"https://b.example"},
                {"customerId":"18","backendUrl":"https://c.example"},{"customerId":18446744073709551615,"backendUrl":"https://d.example"}]"#,
        );
        assert!(roster.nameless().is_empty());
        for known in ["17", "18446744073709551615"] {
            assert!(matches!(roster.find(&id(known)), Listed::Record(_)), "{known}");
        }
        assert!(
            matches!(roster.find(&id("18")), Listed::Malformed(_)),
            "18 and \"18\" are one customer, listed twice"
        );
        assert_eq!(roster.ids().count(), 3);
    }

    #[test]
    fn what_is_no_array_is_no_list() {
        for json in ["{}", "7", "null", "", "<html>", "[1", "[] []", "\u{feff}\u{feff}[]"] {
            assert!(Roster::parse(json.as_bytes().to_vec(), None).is_err(), "{json:?}");
        }
        assert!(Roster::parse(vec![b'[', 0xff, b']'], None).is_err());
        assert!(roster("[]").is_empty());
    }

    #[test]
    fn a_byte_order_mark_before_the_list_moves_no_entry() {
        let plain = r#"[{"customerId":"a","backendUrl":"https://a.example"},{"customerId":"b","backendUrl":"https://b.example","disabled":null}]"#;
        let marked = roster(&format!("\u{feff}{plain}"));
        for name in ["a", "b"] {
            let (Listed::Record(one), Listed::Record(other)) =
                (roster(plain).find(&id(name)), marked.find(&id(name)))
            else {
                panic!("{name}")
            };
            assert_eq!(one, other);
        }
    }

    #[test]
    fn one_may_always_go_and_an_empty_list_empties_nobody() {
        assert!(!shrank_too_far(0, 0, 20));
        assert!(!shrank_too_far(3, 1, 20));
        assert!(shrank_too_far(3, 3, 20));
        assert!(!shrank_too_far(100, 20, 20));
        assert!(shrank_too_far(100, 21, 20));
        assert!(!shrank_too_far(100, 100, 100));
    }
}
