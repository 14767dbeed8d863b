//! `pointsman keys roll`.

use pointsman_core::{
    base::{
        digest::Digest,
        time::{Span, Timestamp},
    },
    identity::key_record::{self, KeyConfig},
    state::config::Gateway,
};
use serde_json::{Map, Value, json};

use super::{
    list::{Stored, short},
    mint_known, now, quicker,
    reference::Reference,
    revocation, unseen,
};
use crate::{
    configuration::GatewayFile,
    ending::{CommandResult, End, Failure, input},
    output::shown,
    reconcile::span,
    records::digits_kept,
    store::{Entry, Keeps, Kv},
    target::Target,
    touched,
};

pub(super) const EXAMPLES: &str = "Examples:
  pointsman keys roll - --remote < old-key.txt
  pointsman keys roll 115bcf13bca4 --prefix sk_live --grace 7d --remote
  pointsman keys roll --subject acme-ci --prefix sk_live --grace 0 --remote   # the old one is revoked at once

The new key is stored and shown before the old one is touched: whatever is interrupted, one of them works.";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    #[command(flatten)]
    reference: Reference,
    /// One of the prefixes of [api_keys], for the new key. Default the old key's, if standard input has the old key, or
    /// the only prefix there is. KV does not know prefixes.
    #[arg(long)]
    prefix: Option<String>,
    /// How long the old key stays valid; 0 revokes it at once.
    #[arg(long, value_name = "SPAN", default_value = "24h", value_parser = span)]
    grace: Span,
    /// When the new key stops working (RFC 3339). Default when the old key would have.
    #[arg(long, value_name = "INSTANT")]
    expires_at: Option<String>,
    /// Prints both keys' entries and the new key as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    gateway: GatewayFile,
    #[command(flatten)]
    target: Target,
}

pub(super) fn run(arguments: &Arguments) -> CommandResult {
    let gateway = arguments.gateway.load(arguments.target.project())?;
    let old_key = arguments.reference.key()?;
    let prefix = prefix(arguments.prefix.as_deref(), old_key.as_deref(), &gateway)?;
    let new_key = mint_known(&gateway, &prefix)?;
    let kv = &*arguments.target.kv()?;
    let old = arguments.reference.find(old_key.as_deref(), kv)?;
    let now = now()?;
    let record = successor(&old, &prefix, now, arguments.expires_at.as_deref())?;
    let store_key = key_record::store_key(&Digest::of(new_key.as_bytes()));
    let old_store_key = format!("key:{}", old.digest);
    // An end that KV itself gives the old key is one of the key, and not of its entry alone.
    let keeps = kv.keeps_of(&old_store_key)?;
    let successor_keeps = if arguments.expires_at.is_some() { Keeps::default() } else { keeps.end_only() };
    kv.put(&[Entry { name: store_key.clone(), value: record.to_string(), keeps: successor_keeps }])?;
    let ended = ended(&old, now, arguments.grace);
    let text = if arguments.json {
        let old = json!({ "storedAs": old_store_key, "expiresAt": ended.as_ref().and_then(|record| record.get("expiresAt")) });
        json!({ "key": new_key, "storedAs": store_key, "record": record, "old": old }).to_string()
    } else {
        new_key
    };
    shown(&text).map_err(|problem| unseen(&problem, &store_key))?;
    let written = match &ended {
        Some(record) => {
            end(kv, &old, Entry { name: old_store_key.clone(), value: record.to_string(), keeps })
        }
        None => kv.delete(std::slice::from_ref(&old_store_key)),
    };
    touched::note(kv, &[store_key.clone(), old_store_key]);
    if let Err(Failure::Store(what)) = written {
        return Err(Failure::Store(format!(
            "{what}\nThe new key is in {} and above. The old one goes on as before: run `pointsman keys revoke {}` when \
             nobody uses it any more",
            kv.called(),
            old.digest
        )));
    }
    if !arguments.json {
        eprintln!(
            "This is the new key, shown this once and stored nowhere; {} holds {store_key}.",
            kv.called()
        );
        match ended.as_ref().and_then(|record| record.get("expiresAt")).and_then(Value::as_str) {
            Some(end) => eprintln!("The old key {} goes on until {end}.", short(&old.digest)),
            None => eprintln!("The old key {} is revoked.", short(&old.digest)),
        }
        let hears = arguments.target.hears(&arguments.gateway);
        if let Some(bound) = revocation(&gateway, hears) {
            eprintln!("Either takes its time to be known everywhere: {bound}.");
        }
        if let Some(quicker) = quicker(&gateway, hears) {
            eprintln!("{quicker}");
        }
    }
    Ok(End::Done)
}

/// Gives the old key its end, unless its record is another by now: what somebody else has written meanwhile
/// (that it is disabled, say) must not be taken back.
fn end(kv: &dyn Kv, old: &Stored, entry: Entry) -> Result<(), Failure> {
    let there = kv.get(&entry.name)?.map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text)));
    match there {
        Some(there) if there == old.record => kv.put(&[entry]),
        Some(_) => Err(Failure::Store(format!(
            "KV {} was changed by somebody else meanwhile: look at it",
            entry.name
        ))),
        // Revoked meanwhile, and so it stays.
        None => Ok(()),
    }
}

/// The prefix of the new key.
fn prefix(given: Option<&str>, old_key: Option<&str>, gateway: &Gateway) -> Result<String, Failure> {
    let keys = gateway.api_keys();
    let of_old = || old_key.and_then(|key| keys?.prefix_of(key));
    let only = || match keys?.prefixes() {
        [only] => Some(only.as_str()),
        _ => None,
    };
    given.or_else(of_old).or_else(only).map(str::to_owned).ok_or_else(|| {
        input("which prefix the new key shall have, nothing tells: say --prefix, one of [api_keys] prefixes")
    })
}

/// The record of the new key: the old one's, made now.
fn successor(old: &Stored, prefix: &str, now: Timestamp, expires_at: Option<&str>) -> Result<Value, Failure> {
    let Value::Object(members) = &old.record else {
        return Err(input(format!(
            "KV key:{} is no record: make a new key with `pointsman keys create`",
            old.digest
        )));
    };
    let mut members = members.clone();
    members.insert("createdAt".to_owned(), Value::from(now.to_string()));
    members.insert("prefix".to_owned(), Value::from(prefix));
    if let Some(end) = expires_at {
        members.insert("expiresAt".to_owned(), Value::from(end));
    }
    let new = Stored { digest: String::new(), record: Value::Object(members) };
    digits_kept(&new.record)
        .and_then(|()| KeyConfig::parse(new.record.to_string().as_bytes()))
        .map_err(|problem| input(format!("KV key:{}: {problem}", old.digest)))?;
    match new.state(now) {
        "disabled" => Err(input(
            "the key is disabled, and a new one would be too: make one with `pointsman keys create`",
        )),
        "expired" => {
            Err(input("the key has expired, and a new one would have too: say until when with --expires-at"))
        }
        _ => Ok(new.record),
    }
}

/// The record of the old key, which ends after `grace` or earlier if it would have anyway; `None` where it is to
/// go at once.
fn ended(old: &Stored, now: Timestamp, grace: Span) -> Option<Value> {
    if grace == Span::default() {
        return None;
    }
    let end = now.plus(grace);
    let mut members: Map<String, Value> = old.record.as_object().cloned()?;
    let earlier = old.text("expiresAt").and_then(Timestamp::parse_rfc3339).is_some_and(|own| own <= end);
    if !earlier {
        members.insert("expiresAt".to_owned(), Value::from(end.to_string()));
    }
    Some(Value::Object(members))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse_rfc3339(text).unwrap()
    }

    fn old(record: Value) -> Stored {
        Stored { digest: "d".to_owned(), record }
    }

    #[test]
    fn an_earlier_end_is_never_put_off() {
        let now = at("2026-01-01T00:00:00Z");
        let end = |record: Value, grace: &str| {
            let record = ended(&old(record), now, span(grace).unwrap())?;
            record.get("expiresAt").map(|end| end.as_str().unwrap().to_owned())
        };
        let plain = json!({ "subject": "s" });
        assert_eq!(end(plain.clone(), "24h").unwrap(), "2026-01-02T00:00:00.000Z");
        assert_eq!(
            end(json!({ "subject": "s", "expiresAt": "2026-01-01T01:00:00Z" }), "24h").unwrap(),
            "2026-01-01T01:00:00Z"
        );
        assert_eq!(
            end(json!({ "subject": "s", "expiresAt": "2027-01-01T01:00:00Z" }), "1h").unwrap(),
            "2026-01-01T01:00:00.000Z"
        );
        assert_eq!(
            end(json!({ "subject": "s", "expiresAt": null }), "1h").unwrap(),
            "2026-01-01T01:00:00.000Z"
        );
        assert_eq!(end(plain, "0"), None);
    }

    #[test]
    fn an_old_key_that_was_changed_meanwhile_stays_as_it_is() {
        use crate::sync::memory::{Content, Memory};
        let record = json!({ "subject": "s" });
        let entry =
            || Entry::new("key:d".to_owned(), json!({ "subject": "s", "expiresAt": "x" }).to_string());
        let after = |there: Option<&str>| {
            let content = there.map(|text| ("key:d".to_owned(), (text.to_owned(), None)));
            let kv = Memory::of(content.into_iter().collect::<Content>());
            let went = end(&kv, &old(record.clone()), entry());
            let stands = kv.content.borrow().get("key:d").map(|(text, _)| text.clone());
            (went.is_ok(), stands)
        };
        assert_eq!(after(Some("{ \"subject\": \"s\" }")), (true, Some(entry().value)));
        let disabled = r#"{"subject":"s","disabled":true}"#;
        assert_eq!(after(Some(disabled)), (false, Some(disabled.to_owned())));
        assert_eq!(after(None), (true, None));
    }

    #[test]
    fn the_new_record_is_the_old_one_made_now() {
        let now = at("2026-01-01T00:00:00Z");
        let record = json!({ "subject": "s", "claims": { "a": 1 }, "createdAt": "2020-01-01T00:00:00Z", "methods": ["GET"] });
        let mut expected = record.clone();
        expected["createdAt"] = Value::from("2026-01-01T00:00:00.000Z");
        expected["prefix"] = Value::from("sk_live");
        assert_eq!(successor(&old(record), "sk_live", now, None).unwrap(), expected);
        for (record, said) in [
            (json!({ "subject": "s", "disabled": true }), "disabled"),
            (json!({ "subject": "s", "expiresAt": "2025-01-01T00:00:00Z" }), "expired"),
            (json!({ "subject": "" }), "/subject"),
            (json!("nonsense"), "no record"),
        ] {
            let failure = successor(&old(record), "sk_live", now, None).unwrap_err();
            assert!(matches!(&failure, Failure::Input(what) if what.contains(said)), "{failure:?}");
        }
        let expired = old(json!({ "subject": "s", "expiresAt": "2025-01-01T00:00:00Z" }));
        assert!(successor(&expired, "sk_live", now, Some("2027-01-01T00:00:00Z")).is_ok());
        assert!(successor(&expired, "sk_live", now, Some("tomorrow")).is_err());
    }
}
