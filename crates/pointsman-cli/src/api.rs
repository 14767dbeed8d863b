//! The gateway's management API in the place of KV: what is written there counts at once where it is new, and within
//! `[directory] max_staleness` where it replaces something. Who has changed a record meanwhile loses nothing: each change says
//! which version it is of.

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    env,
};

use serde_json::Value;

use crate::{
    api::{
        caller::Caller,
        items::{Item, Shelf, item_of},
        operations::{Operation, Outcome},
    },
    configuration::Project,
    ending::{Failure, input},
    gateway_address::{self, Endpoint},
    http::Node,
    records::Kind,
    store::{Chunk, Entry, Keeps, Kv, Listed, Sum, Taker},
};

mod caller;
mod items;
mod operations;

/// The variable with the root key.
pub(crate) const ROOT_KEY: &str = "POINTSMAN_ROOT_KEY";
/// As many changes as one call takes.
const MOST_OPERATIONS: usize = 500;
/// One call takes 4 MiB, in which each change has a path and a condition beside its record.
const MOST_BYTES: usize = 3 << 20;
/// More values than these are quicker had by pages of all.
const FEW: usize = 20;

/// Keys and customers as the ledger has them.
pub(crate) struct Api {
    caller: Caller,
    seen: RefCell<Seen>,
}

/// What was seen of records: what they are changed on.
#[derive(Debug, Default)]
struct Seen {
    /// The version of each record when it was first seen, or as it was made here; none where it was not there. What is decided
    /// by the first look must not be written over what a later one finds.
    versions: BTreeMap<String, Option<u64>>,
    /// The kinds of which all records were listed.
    listed: BTreeSet<Kind>,
}

impl Seen {
    /// What a change of this record says of it; nothing where the record was not looked at.
    fn of(&self, name: &str) -> Option<Option<u64>> {
        let is_listed = || Kind::of(name).is_some_and(|kind| self.listed.contains(&kind));
        self.versions.get(name).copied().or_else(|| is_listed().then_some(None))
    }

    /// Notes what a look shows. One that is not the first says nothing: whoever was not there at the first counts as new.
    fn note(&mut self, name: &str, version: Option<u64>) {
        if self.of(name).is_none() {
            self.versions.insert(name.to_owned(), version);
        }
    }
}

impl Api {
    /// The API at this address, with the root key of [`ROOT_KEY`].
    ///
    /// # Errors
    /// Where there is no root key, or it must not be sent there.
    pub(crate) fn at(address: &str, project: &Project) -> Result<Self, Failure> {
        let root_key = env::var(ROOT_KEY).unwrap_or_default().trim().to_owned();
        // It is sent in a field of the head, and never quoted.
        if !root_key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(input(format!("the variable {ROOT_KEY} holds more than one root key, or none")));
        }
        if root_key.is_empty() {
            return Err(input(format!(
                "--api needs a root key in the variable {ROOT_KEY}: `pointsman keys create --scope …` makes the first one"
            )));
        }
        let url = gateway_address::endpoint("--api", address, Endpoint::Api)?;
        let http = Box::new(Node { config: project.wrangler() });
        Ok(Self::with(Caller::new(http, &url, root_key)))
    }

    fn with(caller: Caller) -> Self {
        Self { caller, seen: RefCell::default() }
    }

    /// All records with such a name.
    fn all(&self, prefix: &str) -> Result<Vec<Item>, Failure> {
        let Some((shelf, beginning)) = Shelf::of(prefix) else { return Err(unknown(prefix)) };
        let mut items = Vec::new();
        let mut cursor = None;
        loop {
            let page = self.caller.page(&shelf.page(beginning, cursor.as_deref()), shelf.list())?;
            items.extend(shelf.items(&page).filter(|item| item.name.starts_with(prefix)));
            let next = page.get("next").and_then(Value::as_str).map(str::to_owned);
            match next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        items.sort_unstable_by(|one, other| one.name.cmp(&other.name));
        let mut seen = self.seen.borrow_mut();
        for item in &items {
            seen.note(&item.name, item.version);
        }
        seen.listed.extend(Kind::ALL.into_iter().filter(|kind| kind.prefix() == prefix));
        Ok(items)
    }

    /// One record.
    fn one(&self, name: &str) -> Result<Option<Item>, Failure> {
        let Some((path, shelf)) = Shelf::path(name) else { return Ok(None) };
        let found = self.caller.get(&path)?;
        let item = found.and_then(|found| item_of(shelf, &found));
        let version = item.as_ref().and_then(|item| item.version);
        self.seen.borrow_mut().note(name, version);
        Ok(item)
    }

    fn has_seen(&self, name: &str) -> bool {
        self.seen.borrow().of(name).flatten().is_some()
    }

    /// Makes changes, all or none.
    fn change(&self, operations: &[Operation<'_>]) -> Result<(), Failure> {
        match self.caller.change(operations)? {
            Outcome::Made(versions) => {
                let names = operations.iter().map(|operation| operation.name().to_owned());
                self.seen.borrow_mut().versions.extend(names.zip(versions));
                Ok(())
            }
            // What was seen, and is not there or not reached by now, was changed meanwhile.
            Outcome::Absent(index) if operations.get(index).is_some_and(|one| self.has_seen(one.name())) => {
                let name = operations.get(index).map_or("", Operation::name);
                Err(Failure::Store(format!("{name}: somebody else has changed it meanwhile: run this again")))
            }
            // What is not there needs no deleting.
            Outcome::Absent(index) => {
                let others = operations.iter().enumerate().filter(|(other, _)| *other != index);
                let left: Vec<_> = others.map(|(_, operation)| operation.clone()).collect();
                if left.is_empty() { Ok(()) } else { self.change(&left) }
            }
        }
    }
}

impl Kv for Api {
    fn list(&self, prefix: &str) -> Result<Vec<Listed>, Failure> {
        let listed = |item: Item| Listed {
            written: Some(Sum::of(item.text.as_bytes())),
            keeps: item.keeps(),
            name: item.name,
        };
        Ok(self.all(prefix)?.into_iter().map(listed).collect())
    }

    fn list_values(&self, prefix: &str) -> Result<Vec<(String, Option<String>)>, Failure> {
        Ok(self.all(prefix)?.into_iter().map(|item| (item.name, Some(item.text))).collect())
    }

    fn get_many(&self, names: &[String], take: &mut Taker<'_>) -> Result<(), Failure> {
        if names.len() <= FEW {
            return names.iter().try_for_each(|name| take(name, self.one(name)?.map(|item| item.text)));
        }
        let mut all = BTreeMap::new();
        for shelf in Shelf::ALL.into_iter().filter(|shelf| names.iter().any(|name| shelf.has(name))) {
            all.extend(self.all(shelf.prefix())?.into_iter().map(|item| (item.name, item.text)));
        }
        names.iter().try_for_each(|name| take(name, all.remove(name)))
    }

    fn put(&self, entries: &[Entry]) -> Result<(), Failure> {
        let seen = self.seen.borrow();
        let operations: Vec<_> = entries
            .iter()
            .map(|entry| Operation::put(entry, seen.of(&entry.name)))
            .collect::<Result<_, _>>()?;
        drop(seen);
        self.change(&operations)
    }

    fn delete(&self, names: &[String]) -> Result<(), Failure> {
        let seen = self.seen.borrow();
        let operations: Vec<_> =
            names.iter().map(|name| Operation::delete(name, seen.of(name))).collect::<Result<_, _>>()?;
        drop(seen);
        self.change(&operations)
    }

    fn chunk(&self) -> Chunk {
        Chunk { entries: MOST_OPERATIONS, bytes: MOST_BYTES }
    }

    fn called(&self) -> &'static str {
        "the ledger"
    }

    fn keeps_of(&self, name: &str) -> Result<Keeps, Failure> {
        Ok(self.one(name)?.map(|item| item.keeps()).unwrap_or_default())
    }
}

fn unknown(name: &str) -> Failure {
    input(format!("the management API has keys and customers, and nothing of the name {name}"))
}

#[cfg(test)]
mod tests;
