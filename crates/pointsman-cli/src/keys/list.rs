//! `pointsman keys list`.

use pointsman_core::{
    base::time::{Span, Timestamp},
    identity::key_record::KeyConfig,
};
use pointsman_usage::Dimension;
use serde_json::{Value, json};

use super::now;
use crate::{
    configuration::GatewayFile,
    ending::{CommandResult, End, Failure, input},
    output::{line, plain, table},
    reconcile::span,
    records::{Claimed, Judge, Kind},
    store::{Kv, read_all},
    target::Target,
    usage::last_used::{self, LastUsed},
};

pub(super) const EXAMPLES: &str = "Examples:
  pointsman keys list --remote
  pointsman keys list --customer acme-corp --expired --local
  pointsman keys list --expiring-within 30d --remote
  pointsman keys list --unused-for 30d --remote     # keys that nobody needs any more
  pointsman keys list --remote --json | jq -r '.[].digest'

With several filters, keys are listed that fit all of them. --last-used and --unused-for ask the metrics as `pointsman usage`
does, and need what it needs. --unused-for ends with exit code 4 where keys are listed and the metrics do not reach back so far,
or hold a sample only: then these keys may have been used.";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Keys of this subject.
    #[arg(long)]
    subject: Option<String>,
    /// Keys whose claims name this customer.
    #[arg(long, value_name = "ID")]
    customer: Option<String>,
    /// Keys that have expired.
    #[arg(long)]
    expired: bool,
    /// Keys that are disabled.
    #[arg(long)]
    disabled: bool,
    /// Keys that work now and end within this span, such as 30d.
    #[arg(long, value_name = "SPAN", value_parser = span)]
    expiring_within: Option<Span>,
    /// Shows when keys were let in last, and when they were refused last, as far as the metrics tell.
    #[arg(long)]
    last_used: bool,
    /// Keys that are older than this span, such as 30d, and that the metrics have not seen let in within it.
    #[arg(long, value_name = "SPAN", value_parser = span)]
    unused_for: Option<Span>,
    /// Keys whose digest begins with these digits. KV does not know the prefixes of the keys themselves.
    #[arg(long, value_name = "DIGITS")]
    digest: Option<String>,
    /// Reads every value, and does not rely on what KV's listing shows of records.
    #[arg(long)]
    verify: bool,
    /// Prints a JSON array, with whole digests and records.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: GatewayFile,
    #[command(flatten)]
    target: Target,
}

/// The record of a key, with its digest.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    pub(super) digest: String,
    /// As the value says; not an object where it is malformed.
    pub(super) record: Value,
}

impl Stored {
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.record.get(name).and_then(Value::as_str)
    }

    fn is_disabled(&self) -> bool {
        self.record.get("disabled") == Some(&Value::Bool(true))
    }

    pub(super) fn is_expired(&self, now: Timestamp) -> bool {
        self.text("expiresAt").and_then(Timestamp::parse_rfc3339).is_some_and(|end| now >= end)
    }

    /// Whether it works now, and not any more after this span.
    fn ends_within(&self, now: Timestamp, span: Span) -> bool {
        let end = self.text("expiresAt").and_then(Timestamp::parse_rfc3339);
        end.is_some_and(|end| now < end && end <= now.plus(span)) && !self.is_disabled()
    }

    /// Whether it was there before this span. One that says no time is old.
    fn is_older(&self, now: Timestamp, span: Span) -> bool {
        let created = self.text("createdAt").and_then(Timestamp::parse_rfc3339);
        created.is_none_or(|created| created.plus(span) <= now)
    }

    /// In a word, as the gateway would have it.
    pub(super) fn state(&self, now: Timestamp) -> &'static str {
        KeyConfig::parse(self.record.to_string().as_bytes())
            .map_or("malformed", |config| config.state(now).as_str())
    }
}

/// All keys in KV whose digest begins so, by digest; out of KV's listing where that shows them, unless `verify` says otherwise.
///
/// # Errors
/// Where KV could not be read.
pub(super) fn all(kv: &dyn Kv, digest: &str, verify: bool) -> Result<Vec<Stored>, Failure> {
    let mut found = Vec::new();
    let is_key = |name: &str| Kind::of(name) == Some(Kind::Key);
    read_all(kv, &format!("{}{digest}", Kind::Key.prefix()), verify, &is_key, &mut |name, text| {
        let record = serde_json::from_str(&text).unwrap_or(Value::String(text));
        found.push(Stored { digest: name.trim_start_matches(Kind::Key.prefix()).to_owned(), record });
    })?;
    found.sort_by(|one, other| one.digest.cmp(&other.digest));
    Ok(found)
}

pub(super) fn run(arguments: &Arguments) -> CommandResult {
    let gateway = match arguments.customer {
        Some(_) => arguments.gateway.load_if_there(arguments.target.project())?,
        None => None,
    };
    let (judge, now) = (Judge::of(gateway.as_ref()), now()?);
    let digest = arguments.digest.as_deref().unwrap_or_default();
    if !digest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return Err(input("--digest: write the first digits of a digest, hexadecimal and in lower case"));
    }
    let mut found = all(&*arguments.target.kv()?, digest, arguments.verify)?;
    found.retain(|key| fits(arguments, &judge, key, now));
    let used = used(arguments, &found, now)?;
    if let (Some(used), Some(_)) = (&used, arguments.unused_for) {
        found.retain(|key| used.of_key(&key.digest).used.is_none());
    }
    let used = used.as_ref();
    if arguments.json {
        let objects: Vec<_> = found.iter().map(|key| object(key, used, now)).collect();
        line(&Value::from(objects).to_string());
    } else if found.is_empty() {
        eprintln!("no keys");
    } else {
        let mut head =
            ["DIGEST", "SUBJECT", "NAME", "STATE", "CREATED", "EXPIRES"].map(str::to_owned).to_vec();
        if used.is_some() {
            head.extend(["LAST USED", "LAST REFUSED"].map(str::to_owned));
        }
        head.push("CLAIMS".to_owned());
        let rows = found.iter().map(|key| row(key, used, now));
        table(&std::iter::once(head).chain(rows).collect::<Vec<_>>());
    }
    for note in used.iter().flat_map(|used| used.notes(arguments.unused_for)) {
        eprintln!("{note}");
    }
    let is_open = arguments.unused_for.is_some() && used.is_some_and(|used| !used.is_certain());
    Ok(if is_open && !found.is_empty() { End::Pending } else { End::Done })
}

/// What the metrics tell of these keys, where that was asked for.
fn used(arguments: &Arguments, keys: &[Stored], now: Timestamp) -> Result<Option<LastUsed>, Failure> {
    if !arguments.last_used && arguments.unused_for.is_none() {
        return Ok(None);
    }
    let digests: Vec<_> = keys.iter().map(|key| key.digest.as_str()).collect();
    last_used::ask(arguments.target.project(), Dimension::Key, &digests, arguments.unused_for, now).map(Some)
}

fn object(key: &Stored, used: Option<&LastUsed>, now: Timestamp) -> Value {
    let mut object = json!({ "digest": key.digest, "state": key.state(now), "record": key.record });
    if let (Some(used), Some(members)) = (used, object.as_object_mut()) {
        used.put(used.of_key(&key.digest), members);
    }
    object
}

fn fits(arguments: &Arguments, judge: &Judge, key: &Stored, now: Timestamp) -> bool {
    let Arguments { subject, customer, expired, disabled, expiring_within, unused_for, .. } = arguments;
    let named = |id: &String| judge.claimed(&key.record) == Claimed::Customer(id.clone());
    subject.as_deref().is_none_or(|subject| key.text("subject") == Some(subject))
        && customer.as_ref().is_none_or(named)
        && (!expired || key.is_expired(now))
        && (!disabled || key.is_disabled())
        && expiring_within.is_none_or(|span| key.ends_within(now, span))
        && unused_for.is_none_or(|span| key.is_older(now, span))
}

fn row(key: &Stored, used: Option<&LastUsed>, now: Timestamp) -> Vec<String> {
    /// Claims are shown in brief.
    const LONGEST: usize = 60;
    let text = |name: &str| key.text(name).map_or_else(|| "-".to_owned(), plain);
    let instant = |name: &str| {
        let text = key.text(name).unwrap_or("-");
        plain(text.split_once('.').map_or(text, |(seconds, _)| seconds))
    };
    let claims = key.record.get("claims").map(Value::to_string).unwrap_or_default();
    let mut brief: String = plain(&claims).chars().take(LONGEST).collect();
    if brief.chars().count() == LONGEST {
        brief.push('…');
    }
    let mut row = vec![
        short(&key.digest).to_owned(),
        text("subject"),
        text("name"),
        key.state(now).to_owned(),
        instant("createdAt"),
        instant("expiresAt"),
    ];
    row.extend(used.into_iter().flat_map(|used| used.cells(used.of_key(&key.digest))));
    row.push(brief);
    row
}

/// Enough of a digest to name one of very many keys.
pub(crate) fn short(digest: &str) -> &str {
    digest.get(..12).unwrap_or(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_ends_within_a_span_only_where_it_works_until_then() {
        let now = Timestamp::parse_rfc3339("2026-01-01T00:00:00Z").unwrap();
        let ends = |record: Value| {
            Stored { digest: String::new(), record }.ends_within(now, Span::from_secs(24 * 3600))
        };
        for (record, within) in [
            (json!({ "subject": "s", "expiresAt": "2026-01-01T12:00:00Z" }), true),
            (json!({ "subject": "s", "expiresAt": "2026-01-02T00:00:00Z" }), true),
            (json!({ "subject": "s", "expiresAt": "2026-01-02T00:00:01Z" }), false),
            (json!({ "subject": "s", "expiresAt": "2026-01-01T00:00:00Z" }), false),
            (json!({ "subject": "s", "expiresAt": "2026-01-01T12:00:00Z", "disabled": true }), false),
            (json!({ "subject": "s" }), false),
            (json!("nonsense"), false),
        ] {
            assert_eq!(ends(record.clone()), within, "{record}");
        }
    }
}
