//! KV as each location sees it: an entry may be a minute old, another one new; and what a location has read it keeps as long
//! as it was asked to, a "no" as much as a value.

use std::{collections::BTreeMap, rc::Rc};

use pointsman_core::directory::pace::Dice;

/// How far a location may lag behind, in milliseconds.
pub(crate) const LAG: u64 = 60_000;

/// An entry.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entry {
    pub(crate) bytes: Rc<[u8]>,
    pub(crate) sha256: Option<String>,
    /// In seconds since 1970.
    pub(crate) expiration: Option<u64>,
}

impl Entry {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        Self { bytes: Rc::from(bytes), ..Self::default() }
    }

    fn is_over(&self, now: u64) -> bool {
        self.expiration.is_some_and(|seconds| now >= seconds.saturating_mul(1000))
    }
}

struct Copy {
    read_at: u64,
    as_of: u64,
    entry: Option<Entry>,
}

/// The namespace, with what stood in it before.
#[derive(Default)]
pub(crate) struct Kv {
    versions: BTreeMap<String, Vec<(u64, Option<Entry>)>>,
    copies: BTreeMap<(usize, String), Copy>,
}

impl Kv {
    /// Writes an entry, or deletes it.
    pub(crate) fn put(&mut self, name: &str, entry: Option<Entry>, now: u64) {
        let versions = self.versions.entry(name.to_owned()).or_default();
        versions.push((now, entry));
        // What no location can see any more.
        while versions.get(1).is_some_and(|(since, _)| since + 2 * LAG < now) {
            versions.remove(0);
        }
    }

    fn at(&self, name: &str, instant: u64, now: u64) -> Option<Entry> {
        let versions = self.versions.get(name)?;
        let (_, entry) = versions.iter().rev().find(|(since, _)| *since <= instant)?;
        entry.clone().filter(|entry| !entry.is_over(now))
    }

    /// An entry as it is.
    pub(crate) fn newest(&self, name: &str, now: u64) -> Option<Entry> {
        self.at(name, now, now)
    }

    /// When an entry was last written.
    pub(crate) fn written_at(&self, name: &str) -> Option<u64> {
        self.versions.get(name)?.last().map(|(since, _)| *since)
    }

    /// An entry as a location sees it, which keeps what it reads for `keeps` milliseconds.
    pub(crate) fn read(
        &mut self,
        location: usize,
        name: &str,
        keeps: u64,
        now: u64,
        dice: &mut Dice,
    ) -> Option<Entry> {
        let place = (location, name.to_owned());
        let before = self.copies.get(&place);
        if let Some(copy) = before.filter(|copy| now < copy.read_at + keeps) {
            return copy.entry.clone().filter(|entry| !entry.is_over(now));
        }
        let oldest = before.map_or(0, |copy| copy.as_of).max(now - LAG);
        let as_of = if dice.below(2) == 0 { now } else { oldest + dice.below(now - oldest + 1) };
        let entry = self.at(name, as_of, now);
        self.copies.insert(place, Copy { read_at: now, as_of, entry: entry.clone() });
        entry
    }

    /// Names with a prefix behind a cursor: each as of another instant.
    pub(crate) fn list(&self, prefix: &str, behind: &str, now: u64, dice: &mut Dice) -> Vec<(String, Entry)> {
        let names = self.versions.range(prefix.to_owned()..).map(|(name, _)| name);
        names
            .take_while(|name| name.starts_with(prefix))
            .filter(|name| name.as_str() > behind)
            .filter_map(|name| {
                let as_of = if dice.below(2) == 0 { now } else { now - dice.below(LAG) };
                // What has ended is listed for a while yet.
                Some((name.clone(), self.at(name, as_of, as_of)?))
            })
            .collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_location_keeps_a_no_as_long_as_a_value_and_never_goes_back() {
        let (mut kv, mut dice) = (Kv::default(), Dice::new(7));
        let now = 1_000_000;
        assert!(kv.read(0, "shard", 86_400_000, now, &mut dice).is_none());
        kv.put("shard", Some(Entry::of(b"x")), now + 1);
        assert!(kv.read(0, "shard", 86_400_000, now + 86_000_000, &mut dice).is_none());
        assert!(kv.read(0, "shard", 30_000, now + 86_000_000, &mut dice).is_some());
        // Once it has seen the newer one it never sees the older one again.
        kv.put("a", Some(Entry::of(b"1")), now);
        kv.put("a", Some(Entry::of(b"2")), now + LAG);
        let mut newest = 0;
        for step in 0..200 {
            let read = kv.read(1, "a", 0, now + LAG + step * 300, &mut dice);
            let seen = read.unwrap().bytes[0];
            assert!(seen >= newest);
            newest = seen;
        }
        assert_eq!(newest, b'2');
    }
}
