//! What the command line wrote, for the ledger: it reads these entries within a minute or two, and does not wait for its next
//! passes over all of KV.

use std::time::{SystemTime, UNIX_EPOCH};

use pointsman_core::base::time::{Span, Timestamp};
use serde_json::Value;

use crate::{
    ending::Failure,
    output::warning,
    store::{Entry, Kv},
};

/// The entry that the ledger looks at each minute.
const NAME: &str = "directory:touched";
/// Before names of entries stands when they were written, so that the ledger sees that names are there once more.
const AT: &str = "at:";
/// More names than these a pass finds as soon.
const MOST: usize = 300;
/// By then the ledger has looked at a name.
const KEPT: Span = Span::from_secs(600);

/// Says which entries were written or deleted, where a ledger is bound. KV holds what it should by then, so a failure is no
/// more than a warning.
pub(crate) fn note(kv: &dyn Kv, names: &[String]) {
    if !kv.is_followed() || names.is_empty() || names.len() > MOST {
        return;
    }
    if let Err(Failure::Store(what) | Failure::Input(what)) = write(kv, names) {
        warning(&format!("the ledger was not told of it, and finds it by its next pass over KV: {what}"));
    }
}

fn write(kv: &dyn Kv, names: &[String]) -> Result<(), Failure> {
    let there = kv.get(NAME)?;
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let now = Timestamp::from_millis(u64::try_from(since.as_millis()).unwrap_or_default());
    kv.put(&[Entry::new(NAME.to_owned(), merged(there.as_deref(), names, now).to_string())])
}

/// What stands there from now on: the newest names last, each once.
fn merged(there: Option<&str>, names: &[String], now: Timestamp) -> Value {
    let mut all = recent(there, now);
    all.retain(|name| !names.contains(name));
    all.extend(names.iter().cloned());
    let first = all.len().saturating_sub(MOST);
    let stamp = std::iter::once(format!("{AT}{now}"));
    stamp.chain(all.into_iter().skip(first)).map(Value::from).collect()
}

/// Names that the ledger may not have looked at yet; none where it is not known when they were written.
fn recent(there: Option<&str>, now: Timestamp) -> Vec<String> {
    let names: Vec<String> = there.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let mut names = names.into_iter();
    let at = names.next().and_then(|first| Timestamp::parse_rfc3339(first.strip_prefix(AT)?));
    let is_recent = at.is_some_and(|at| now.since(at) < KEPT);
    names.filter(|_| is_recent).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sync::memory::{Content, Memory};

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(text).unwrap()
    }

    #[test]
    fn names_are_merged_with_those_of_the_last_minutes() {
        let merged = |there: Option<&str>, names: &[&str], now: &str| {
            merged(there, &names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(), at(now))
        };
        let first = merged(None, &["key:a", "key:b"], "2026-01-01T00:00:00Z");
        assert_eq!(first, json!(["at:2026-01-01T00:00:00.000Z", "key:a", "key:b"]));
        let second = merged(Some(&first.to_string()), &["key:a", "key:c"], "2026-01-01T00:09:59Z");
        assert_eq!(second, json!(["at:2026-01-01T00:09:59.000Z", "key:b", "key:a", "key:c"]));
        let third = merged(Some(&second.to_string()), &["key:d"], "2026-01-01T00:20:00Z");
        assert_eq!(third, json!(["at:2026-01-01T00:20:00.000Z", "key:d"]));
        for odd in ["", "{", "7", "[7]", "[]", "[\"key:a\"]", "[\"at:soon\",\"key:a\"]"] {
            let merged = merged(Some(odd), &["key:d"], "2026-01-01T00:00:00Z");
            assert_eq!(merged, json!(["at:2026-01-01T00:00:00.000Z", "key:d"]), "{odd}");
        }
    }

    #[test]
    fn there_are_never_more_than_the_ledger_looks_at() {
        let names = |from: usize, to: usize| (from..to).map(|n| format!("key:{n}")).collect::<Vec<_>>();
        let now = at("2026-01-01T00:00:00Z");
        let there = merged(None, &names(0, 200), now).to_string();
        let all = merged(Some(&there), &names(200, 400), now);
        let all = all.as_array().unwrap();
        assert_eq!((all.len(), &all[1], &all[300]), (301, &json!("key:100"), &json!("key:399")));
    }

    #[test]
    fn only_a_namespace_with_a_ledger_is_told() {
        for (followed, count, told) in [(true, 1, 1), (false, 1, 0), (true, 301, 0), (true, 0, 0)] {
            let kv = Memory { followed, ..Memory::of(Content::new()) };
            note(&kv, &(0..count).map(|n| format!("key:{n}")).collect::<Vec<_>>());
            assert_eq!(kv.touched.borrow().len(), told, "{followed} {count}");
        }
    }
}
