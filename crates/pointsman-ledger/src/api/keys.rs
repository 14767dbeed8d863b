//! API keys. One is named by its digest, as its entry in KV is: the key itself is answered once, when it is made.

use pointsman_core::{
    base::{
        digest::Digest,
        object::parse_object,
        time::{Span, Timestamp},
    },
    identity::key_record::KeyConfig,
};
use serde_json::{Map, Value, json};

use crate::{
    api::{
        Answered, Reply, body,
        caller::{Caller, in_seconds},
        change::{Asked, Minted, Outcome, Step},
        condition::etag,
        members,
        mint::Mint,
        problem::Problem,
    },
    commit::Edit,
    ledger::Ledger,
    listing::OperatorRecord,
    record::{Held, Leaked},
    rows::Entry,
    storage::Storage,
};

/// The grace of a rolled key at most: a year.
const MOST_GRACE: Span = Span::from_secs(366 * 86_400);

impl<S: Storage> Ledger<S> {
    /// The reply that shows one key.
    pub(crate) fn show_key(&self, caller: &Caller, digest: &str, now: Timestamp) -> Answered {
        self.reached_key(caller, digest, now)?;
        Ok(self.key_reply(digest, now))
    }

    pub(crate) fn key_reply(&self, digest: &str, now: Timestamp) -> Reply {
        let version = self.held_key(digest, now).map_or(0, |held| held.version);
        Reply::ok(self.key_item(digest, now).unwrap_or_default()).with("etag", etag(version))
    }

    /// A key as replies have it; `None` where there is none.
    pub(crate) fn key_item(&self, digest: &str, now: Timestamp) -> Option<Value> {
        let held = self.held_key(digest, now)?;
        let leaked = Entry::key(digest).and_then(|entry| self.record(&entry.record_key())?.leaked);
        Some(item(digest, &held.into(), leaked.as_ref(), now))
    }

    /// The edit that writes a record, where it can be used.
    fn put(&self, digest: &str, record: Map<String, Value>, expires: Option<u64>) -> Answered<Edit> {
        let json = Value::Object(record).to_string();
        let entry = Entry::key(digest).ok_or(Problem::NotFound)?;
        let faults = entry.check(&json, self.settings.allow_http());
        if !faults.is_empty() {
            return Err(Problem::Invalid(faults.into_iter().map(Into::into).collect()));
        }
        Ok(Edit::PutKey { digest: digest.to_owned(), json, expires, expected: None })
    }

    pub(crate) fn plan_new_key(
        &self,
        caller: &Caller,
        asked: &Asked<'_>,
        mint: &Mint,
        number: u32,
        now: Timestamp,
    ) -> Answered<Step> {
        let mut record = body::object(asked.body, asked.content_type, false)?;
        asked.condition.check(0)?;
        let prefix = self.prefix(caller, &record)?;
        record.insert("prefix".to_owned(), json!(prefix));
        record.entry("createdAt").or_insert_with(|| json!(now.to_string()));
        let key = mint.key(&prefix, number).ok_or(Problem::Unavailable)?;
        let digest = Digest::of(key.as_bytes()).to_string();
        needs_time(&record, now)?;
        let edit = self.put(&digest, record.clone(), None)?;
        self.may_write(caller, &record)?;
        let minted = Some(Minted { prefix, number });
        Ok(Step { edits: vec![edit], outcome: Outcome::Key { digest, is_new: true, minted } })
    }

    /// The prefix of a key that is to be made: the record's, or the only one there is.
    fn prefix(&self, caller: &Caller, record: &Map<String, Value>) -> Answered<String> {
        let all = &self.settings.prefixes;
        let reached: Vec<&String> = match caller.root.prefixes() {
            Some(limit) => all.iter().filter(|prefix| limit.contains(*prefix)).collect(),
            None => all.iter().collect(),
        };
        let message = || {
            if all.is_empty() {
                let what = "[api_keys] prefixes is empty, so keys are made elsewhere: PUT the record under the key's digest";
                return what.to_owned();
            }
            let names: Vec<&str> = reached.iter().map(|prefix| prefix.as_str()).collect();
            format!("must be one of {}", names.join(", "))
        };
        match (record.get("prefix"), reached.as_slice()) {
            (Some(Value::String(prefix)), _) if all.contains(prefix) => Ok(prefix.clone()),
            (None | Some(Value::Null), [only]) => Ok((*only).clone()),
            _ => Err(Problem::invalid("/prefix", message())),
        }
    }

    pub(crate) fn plan_key(
        &self,
        caller: &Caller,
        digest: &str,
        asked: &Asked<'_>,
        now: Timestamp,
    ) -> Answered<Step> {
        let record = body::object(asked.body, asked.content_type, false)?;
        // Who is limited takes in no key of which nothing tells whose it is.
        let held = match caller.need_no_limit() {
            Ok(()) => self.held_key(digest, now),
            Err(_) => Some(self.reached_key(caller, digest, now)?),
        };
        match &held {
            Some(held) if !self.reaches_text(caller, &held.text) => return Err(Problem::NotFound),
            None if self.is_anothers_digest(digest) => {
                let what = "another key's digest begins with the same 32 digits";
                return Err(Problem::Conflict("digest-in-use", what.to_owned()));
            }
            _ => {}
        }
        asked.condition.check(held.as_ref().map_or(0, |held| held.version))?;
        let is_new = held.is_none();
        if is_new {
            needs_time(&record, now)?;
        }
        let edit = self.put(digest, record.clone(), held.and_then(|held| held.expires))?;
        self.may_write(caller, &record)?;
        let outcome = Outcome::Key { digest: digest.to_owned(), is_new, minted: None };
        Ok(Step { edits: vec![edit], outcome })
    }

    pub(crate) fn plan_key_patch(
        &self,
        caller: &Caller,
        digest: &str,
        asked: &Asked<'_>,
        now: Timestamp,
    ) -> Answered<Step> {
        let patch = body::object(asked.body, asked.content_type, true)?;
        let held = self.reached_key(caller, digest, now)?;
        asked.condition.check(held.version)?;
        let mut record = readable(&held)?;
        body::merge(&mut record, patch);
        let edit = self.put(digest, record.clone(), held.expires)?;
        self.may_write(caller, &record)?;
        let outcome = Outcome::Key { digest: digest.to_owned(), is_new: false, minted: None };
        Ok(Step { edits: vec![edit], outcome })
    }

    pub(crate) fn plan_key_end(
        &self,
        caller: &Caller,
        digest: &str,
        asked: &Asked<'_>,
        now: Timestamp,
    ) -> Answered<Step> {
        let held = self.reached_key(caller, digest, now)?;
        asked.condition.check(held.version)?;
        let edit = Edit::RemoveKey { digest: digest.to_owned(), expected: None };
        Ok(Step { edits: vec![edit], outcome: Outcome::Made })
    }

    /// A new key with the record of another, which ends after a time, or at once.
    pub(crate) fn plan_roll(
        &self,
        caller: &Caller,
        digest: &str,
        asked: &Asked<'_>,
        mint: &Mint,
        number: u32,
        now: Timestamp,
    ) -> Answered<Step> {
        let says = body::object(asked.body, asked.content_type, false)?;
        let held = self.reached_key(caller, digest, now)?;
        asked.condition.check(held.version)?;
        let Roll { grace, expires_at, prefix } = Roll::read(&says)?;
        let old = readable(&held)?;
        let is_disabled = old.get("disabled") == Some(&Value::Bool(true));
        if is_disabled {
            let what = "the key is disabled, and a new one would be too: enable it first, or make another";
            return Err(Problem::Conflict("key-not-active", what.to_owned()));
        }
        let mut record = old.clone();
        if let Some(prefix) = prefix {
            record.insert("prefix".to_owned(), prefix);
        }
        let prefix = self.prefix(caller, &record)?;
        record.insert("prefix".to_owned(), json!(prefix));
        record.insert("createdAt".to_owned(), json!(now.to_string()));
        // An end that KV itself gives the old key is one of the key, unless the call says another.
        let expires = held.expires.filter(|_| expires_at.is_none());
        if let Some(end) = expires_at {
            record.insert("expiresAt".to_owned(), json!(end));
        }
        needs_time(&record, now)?;
        let key = mint.key(&prefix, number).ok_or(Problem::Unavailable)?;
        let new_digest = Digest::of(key.as_bytes()).to_string();
        self.may_write(caller, &record)?;
        let new = self.put(&new_digest, record, expires)?;
        let end = if grace == Span::default() {
            Edit::RemoveKey { digest: digest.to_owned(), expected: None }
        } else {
            self.put(digest, ending(old, now.plus(grace)), held.expires)?
        };
        let minted = Minted { prefix, number };
        Ok(Step {
            edits: vec![new, end],
            outcome: Outcome::Rolled { digest: new_digest, old: digest.to_owned(), minted },
        })
    }
}

/// How a key is rolled.
struct Roll {
    grace: Span,
    expires_at: Option<String>,
    prefix: Option<Value>,
}

impl Roll {
    fn read(says: &Map<String, Value>) -> Answered<Self> {
        let known = ["grace", "expiresAt", "prefix"];
        if let Some(other) = says.keys().find(|name| !known.contains(&name.as_str())) {
            let pointer = format!("/{}", pointsman_core::base::shape::escape(other));
            return Err(Problem::invalid(pointer, "is unknown: a roll takes grace, expiresAt and prefix"));
        }
        let grace = match says.get("grace") {
            Some(Value::String(text)) if text == "0" => Some(Span::default()),
            Some(Value::String(text)) => Span::parse(text).filter(|grace| *grace <= MOST_GRACE),
            _ => None,
        };
        let grace = grace.ok_or_else(|| {
            let what = "must say how long the old key goes on working, such as \"24h\", at most \"366d\", or \"0\" to \
                        revoke it at once";
            Problem::invalid("/grace", what)
        })?;
        let expires_at = match says.get("expiresAt") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(_) => return Err(Problem::invalid("/expiresAt", "must be a text")),
        };
        Ok(Self { grace, expires_at, prefix: says.get("prefix").filter(|prefix| !prefix.is_null()).cloned() })
    }
}

/// A key that ends then, or earlier where it would have anyway.
fn ending(mut record: Map<String, Value>, end: Timestamp) -> Map<String, Value> {
    let own = record.get("expiresAt").and_then(Value::as_str).and_then(Timestamp::parse_rfc3339);
    if own.is_none_or(|own| own > end) {
        record.insert("expiresAt".to_owned(), json!(end.to_string()));
    }
    record
}

/// A new key that has expired already was hardly meant.
fn needs_time(record: &Map<String, Value>, now: Timestamp) -> Answered<()> {
    let end = record.get("expiresAt").and_then(Value::as_str).and_then(Timestamp::parse_rfc3339);
    if end.is_some_and(|end| end <= now) {
        return Err(Problem::invalid("/expiresAt", "must lie in the future"));
    }
    Ok(())
}

/// A stored record; one that somebody made by hand may be no JSON.
fn readable(held: &Held) -> Answered<Map<String, Value>> {
    parse_object(held.text.as_bytes()).map_err(|_| {
        let what =
            "the record that is stored cannot be read: PUT a whole one in its place, or revoke the key";
        Problem::Conflict("record-malformed", what.to_owned())
    })
}

fn shown_leak(Leaked { at, found }: &Leaked) -> Value {
    json!({ "since": Timestamp::from_millis(*at).to_string(), "found": found })
}

/// A key as replies have it. What is stored and cannot be read is shown as text.
pub(crate) fn item(digest: &str, held: &OperatorRecord, leaked: Option<&Leaked>, now: Timestamp) -> Value {
    let config = KeyConfig::check(held.text.as_bytes());
    let state = config.as_ref().map_or("malformed", |config| config.state(now).as_str());
    let record = parse_object(held.text.as_bytes()).map_or_else(|_| json!(held.text), Value::Object);
    let expires = held.expires.map(|seconds| in_seconds(seconds).to_string());
    members([
        ("id", Some(json!(digest))),
        ("version", Some(json!(held.version))),
        ("state", Some(json!(state))),
        ("record", Some(record)),
        ("storeExpiresAt", expires.map(Value::from)),
        ("leaked", leaked.map(shown_leak)),
    ])
}
