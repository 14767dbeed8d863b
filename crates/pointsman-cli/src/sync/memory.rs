//! A KV for tests, which may fail at any call.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

use crate::{
    ending::Failure,
    store::{Chunk, Entry, Keeps, Kv, Listed, Sum, Taker},
};

/// Names, values, and what the metadata says.
pub(crate) type Content = BTreeMap<String, (String, Option<Sum>)>;

#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) content: RefCell<Content>,
    /// What entries have beside their values.
    pub(crate) keeps: RefCell<BTreeMap<String, Keeps>>,
    /// How many more calls go well; one that fails writes the first half of what it was given.
    pub(crate) calls_left: Cell<Option<usize>>,
    /// The names that were written or deleted.
    pub(crate) touched: RefCell<Vec<String>>,
    /// Whether a ledger follows it.
    pub(crate) followed: bool,
    /// How many values were read.
    pub(crate) read: Cell<usize>,
    /// The names whose values a listing shows.
    pub(crate) shown: Vec<String>,
}

impl Memory {
    pub(crate) fn of(content: Content) -> Self {
        Self { content: RefCell::new(content), ..Self::default() }
    }

    fn spend(&self) -> bool {
        match self.calls_left.get() {
            Some(0) => false,
            Some(left) => {
                self.calls_left.set(Some(left - 1));
                true
            }
            None => true,
        }
    }

    fn down<T>() -> Result<T, Failure> {
        Err(Failure::Store("down".to_owned()))
    }
}

impl Kv for Memory {
    fn is_followed(&self) -> bool {
        self.followed
    }

    fn list(&self, prefix: &str) -> Result<Vec<Listed>, Failure> {
        if !self.spend() {
            return Self::down();
        }
        let content = self.content.borrow();
        let own = content.iter().filter(|(name, _)| name.starts_with(prefix));
        let keeps = |name: &String| self.keeps.borrow().get(name).cloned().unwrap_or_default();
        let listed = |(name, (_, written)): (&String, &(String, Option<Sum>))| Listed {
            name: name.clone(),
            written: *written,
            keeps: keeps(name),
        };
        Ok(own.map(listed).collect())
    }

    fn list_values(&self, prefix: &str) -> Result<Vec<(String, Option<String>)>, Failure> {
        let listed = self.list(prefix)?.into_iter().map(|listed| listed.name);
        let value = |name: &String| self.content.borrow().get(name).map(|(value, _)| value.clone());
        Ok(listed.map(|name| (name.clone(), value(&name).filter(|_| self.shown.contains(&name)))).collect())
    }

    fn get_many(&self, names: &[String], take: &mut Taker<'_>) -> Result<(), Failure> {
        if !names.is_empty() && !self.spend() {
            return Self::down();
        }
        self.read.set(self.read.get() + names.len());
        names.iter().try_for_each(|name| {
            let value = self.content.borrow().get(name).map(|(value, _)| value.clone());
            take(name, value)
        })
    }

    fn put(&self, entries: &[Entry]) -> Result<(), Failure> {
        let well = self.spend();
        let taken = if well { entries.len() } else { entries.len() / 2 };
        for Entry { name, value, keeps } in &entries[..taken] {
            let sum = Sum::of(value.as_bytes());
            self.content.borrow_mut().insert(name.clone(), (value.clone(), Some(sum)));
            self.keeps.borrow_mut().insert(name.clone(), keeps.clone());
            self.touched.borrow_mut().push(name.clone());
        }
        if well { Ok(()) } else { Self::down() }
    }

    fn delete(&self, names: &[String]) -> Result<(), Failure> {
        let well = self.spend();
        let taken = if well { names.len() } else { names.len() / 2 };
        for name in &names[..taken] {
            self.content.borrow_mut().remove(name);
            self.touched.borrow_mut().push(name.clone());
        }
        if well { Ok(()) } else { Self::down() }
    }

    fn chunk(&self) -> Chunk {
        Chunk { entries: 3, bytes: 1 << 20 }
    }
}
