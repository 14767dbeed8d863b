//! When keys were made. Records from elsewhere often do not say so, and a record that is brought in again must not lose what KV
//! knows of it.

use serde_json::Value;

use super::{Want, Wanted};
use crate::{
    ending::Failure,
    records::{Good, Judge, Kind, created_at, with_created_at},
    store::{Kv, Listed, Sum},
};

/// Who says when a key was made.
#[derive(Debug)]
pub(super) enum Dated {
    /// The record itself, or nobody needs to.
    Here,
    /// Nobody so far.
    Nowhere,
    /// The record of KV whose place this one takes.
    InKv {
        created_at: String,
        /// The digest of the value as its source has it.
        own: Sum,
    },
}

impl Dated {
    pub(super) const fn of(good: &Good) -> Self {
        if good.is_undated { Self::Nowhere } else { Self::Here }
    }
}

impl Want {
    /// The digest of the value as its source has it.
    pub(super) const fn own_sum(&self) -> Sum {
        match &self.dated {
            Dated::InKv { own, .. } => *own,
            Dated::Here | Dated::Nowhere => self.sum,
        }
    }

    /// The value that is written, from the one that the source has.
    pub(super) fn with_date(&self, value: String) -> String {
        match &self.dated {
            Dated::InKv { created_at, .. } => with_created_at(&value, created_at).unwrap_or(value),
            Dated::Here | Dated::Nowhere => value,
        }
    }
}

impl Wanted {
    /// Has the keys of which nobody says when they were made take that over from the records of KV whose place they take.
    ///
    /// # Errors
    /// Where KV could not be read, or a file has changed since it was read.
    pub(crate) fn take_over_dates(&mut self, kv: &dyn Kv, judge: &Judge) -> Result<(), Failure> {
        let is_undated = |want: &Want| matches!(want.dated, Dated::Nowhere);
        if !self.entries.values().any(is_undated) {
            return Ok(());
        }
        // One that stands there as it is wanted has no date to take over.
        let differs = |listed: &Listed| {
            let want = self.entries.get(&listed.name);
            want.is_some_and(|want| is_undated(want) && listed.written != Some(want.sum))
        };
        let there = kv.list(Kind::Key.prefix())?;
        let names: Vec<String> = there.into_iter().filter(differs).map(|listed| listed.name).collect();
        kv.get_many(&names, &mut |name, before| {
            let before = before.and_then(|before| serde_json::from_str::<Value>(&before).ok());
            if let Some(created_at) = before.as_ref().and_then(created_at) {
                self.take_over_date(name, created_at, judge)?;
            }
            Ok(())
        })
    }

    fn take_over_date(&mut self, name: &str, created_at: &str, judge: &Judge) -> Result<(), Failure> {
        let Some(want) = self.entries.get(name) else { return Ok(()) };
        let Some(value) = with_created_at(&self.value(name, want, judge)?, created_at) else {
            return Ok(());
        };
        if let Some(want) = self.entries.get_mut(name) {
            want.dated = Dated::InKv { created_at: created_at.to_owned(), own: want.sum };
            want.sum = Sum::of(value.as_bytes());
        }
        Ok(())
    }
}
