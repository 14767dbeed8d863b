//! What `create`, `update`, `enable` and `roll` have in common: a record is checked as the gateway reads it, written only over
//! the one that was read, and doubted aloud where it will hardly do what is meant.

use pointsman_core::{
    base::time::Timestamp,
    identity::{customer_id::CustomerId, key_record::KeyConfig},
    state::config::Gateway,
};
use serde_json::{Map, Value};

use super::list::Stored;
use crate::{
    ending::{Failure, input},
    output::{plain, warning},
    records::{Claimed, Judge, Kind, digits_kept},
    store::{Entry, Kv},
};

/// Where alone a key may be used.
#[derive(clap::Args)]
pub(super) struct Restrictions {
    /// An address or a range from which the key may be used; from no other. May be given several times.
    #[arg(long, value_name = "RANGE")]
    pub(super) allowed_ip: Vec<String>,
    /// A method with which the key may be used; with no other. May be given several times.
    #[arg(long, value_name = "METHOD")]
    pub(super) method: Vec<String>,
}

impl Restrictions {
    /// Puts those that were given into a record, in place of its own.
    pub(super) fn put(&self, record: &mut Map<String, Value>) {
        for (name, values) in [("allowedIps", &self.allowed_ip), ("methods", &self.method)] {
            if !values.is_empty() {
                record.insert(name.to_owned(), Value::from(values.clone()));
            }
        }
    }
}

/// Claims as they are written on the command line.
///
/// # Errors
/// That they are no JSON object.
pub(super) fn claims(text: &str) -> Result<Map<String, Value>, Failure> {
    serde_json::from_str(text).map_err(|problem| input(format!("--claims is not a JSON object: {problem}")))
}

/// Checks a record as the gateway reads it.
///
/// # Errors
/// The first field that cannot be used.
pub(super) fn check(record: &Value) -> Result<KeyConfig, Failure> {
    digits_kept(record)
        .and_then(|()| KeyConfig::check_first(record.to_string().as_bytes()))
        .map_err(|problem| input(problem.to_string()))
}

/// The members of a record.
///
/// # Errors
/// That it is none.
pub(super) fn members(old: &Stored) -> Result<Map<String, Value>, Failure> {
    match &old.record {
        Value::Object(members) => Ok(members.clone()),
        _ => Err(input(format!("KV key:{} is no record: revoke it, and make a new key", old.digest))),
    }
}

/// Writes a record in place of the one that was read, unless that is another by now: what somebody else has written meanwhile
/// (that the key is disabled, say) must not be taken back. What the entry has beside its value stays.
///
/// # Errors
/// That it is another or gone, or that KV failed.
pub(super) fn replace(kv: &dyn Kv, old: &Stored, record: &Value) -> Result<(), Failure> {
    let name = format!("{}{}", Kind::Key.prefix(), old.digest);
    let keeps = kv.keeps_of(&name)?;
    let there = kv.get(&name)?.map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text)));
    if there.as_ref() != Some(&old.record) {
        return Err(Failure::Store(format!(
            "KV {name} was changed by somebody else meanwhile: look at it, and run this again"
        )));
    }
    kv.put(&[Entry { name, value: record.to_string(), keeps }])
}

/// Warns of an end that has come, and of a customer that KV does not know.
pub(super) fn doubt(kv: Option<&dyn Kv>, gateway: &Gateway, record: &Value, now: Timestamp) {
    for what in doubts(kv, gateway, record, now) {
        warning(&what);
    }
}

fn doubts(kv: Option<&dyn Kv>, gateway: &Gateway, record: &Value, now: Timestamp) -> Vec<String> {
    let mut doubts = Vec::new();
    let end = record.get("expiresAt").and_then(Value::as_str).and_then(Timestamp::parse_rfc3339);
    if let Some(end) = end.filter(|end| *end <= now) {
        doubts.push(format!("expiresAt {end} has passed: the key does not work"));
    }
    if gateway.customers().is_none() {
        return doubts;
    }
    let judge = Judge::of(Some(gateway));
    match judge.claimed(record) {
        Claimed::Nobody => {}
        Claimed::Nonsense => doubts.push(format!("{}: {}", judge.claim_pointer(), Judge::NO_ID)),
        Claimed::Customer(id) => doubts.extend(kv.and_then(|kv| unknown(kv, &id, &judge))),
    }
    doubts
}

/// A key is no worse for a customer who comes later: where KV cannot be asked, nothing is said.
fn unknown(kv: &dyn Kv, id: &str, judge: &Judge) -> Option<String> {
    let customer = CustomerId::parse(id)?;
    let mut names = vec![customer.store_key()];
    if judge.source {
        names.push(customer.refreshed_key());
    }
    let mut is_known = false;
    let asked = kv.get_many(&names, &mut |_, value| {
        is_known |= value.is_some();
        Ok(())
    });
    let or_api = if judge.source { ", unless the config API knows it" } else { "" };
    (asked.is_ok() && !is_known).then(|| {
        format!(
            "{}: KV has no customer {}: requests that want its backend get 403{or_api}. Put the customer, or mend the claim",
            judge.claim_pointer(),
            plain(id)
        )
    })
}

#[cfg(test)]
mod tests {
    use pointsman_testkit::{GatewayToml, all_to};
    use serde_json::json;

    use super::*;
    use crate::sync::memory::{Content, Memory};

    fn gateway(more: &str) -> Gateway {
        let toml = GatewayToml::new().route("/{+path}", &["api_key"], &all_to("b")).backend("b");
        let toml = toml.table("api_keys", "prefixes = [\"sk\"]");
        let value: Value = toml::from_str(&format!("{toml}{more}")).unwrap();
        pointsman_config::parse(&value.to_string(), &std::collections::HashMap::new()).ok().unwrap().gateway
    }

    #[test]
    fn ends_that_have_come_and_unknown_customers_are_doubted() {
        let kv = Memory::of(Content::from([("customer:acme".to_owned(), ("{}".to_owned(), None))]));
        let now = Timestamp::parse_rfc3339("2026-01-01T00:00:00Z").unwrap();
        let said = |gateway: &Gateway, record: Value| doubts(Some(&kv), gateway, &record, now);
        let with = gateway("[customers]");
        let of = |id: Value| json!({ "subject": "s", "claims": { "customerId": id } });
        assert_eq!(said(&with, of(json!("acme"))), [""; 0]);
        assert!(
            said(&with, of(json!("nobody")))[0].starts_with("/claims/customerId: KV has no customer nobody")
        );
        assert!(said(&with, of(json!(["x"])))[0].contains(Judge::NO_ID));
        assert_eq!(said(&gateway(""), of(json!("nobody"))), [""; 0], "nobody reads it");
        let ended = json!({ "subject": "s", "expiresAt": "2026-01-01T00:00:00Z" });
        assert_eq!(
            said(&with, ended),
            ["expiresAt 2026-01-01T00:00:00.000Z has passed: the key does not work"]
        );
        let down = Memory { calls_left: std::cell::Cell::new(Some(0)), ..Memory::of(Content::new()) };
        assert_eq!(doubts(Some(&down), &with, &of(json!("acme")), now), [""; 0]);
    }

    #[test]
    fn a_record_is_written_only_over_the_one_that_was_read() {
        let record = json!({ "subject": "s" });
        let after = |there: Option<&str>| {
            let content = there.map(|text| ("key:d".to_owned(), (text.to_owned(), None)));
            let kv = Memory::of(content.into_iter().collect::<Content>());
            let old = Stored { digest: "d".to_owned(), record: record.clone() };
            let went = replace(&kv, &old, &json!({ "subject": "t" })).is_ok();
            let stands = kv.content.borrow().get("key:d").map(|(text, _)| text.clone());
            (went, stands)
        };
        assert_eq!(after(Some("{ \"subject\": \"s\" }")), (true, Some(r#"{"subject":"t"}"#.to_owned())));
        let disabled = r#"{"subject":"s","disabled":true}"#;
        assert_eq!(after(Some(disabled)), (false, Some(disabled.to_owned())));
        assert_eq!(after(None), (false, None), "one that was revoked meanwhile stays so");
    }
}
