//! What is wrong with customers and keys, in files and in KV.

use std::{
    collections::{BTreeMap, HashSet},
    path::Path,
};

use pointsman_core::{
    base::record::RecordError,
    customer::record::CustomerConfig,
    identity::{customer_id::CustomerId, key_record::KeyConfig},
    state::config::Gateway,
};
use serde_json::Value;

mod hosts;

use self::hosts::Hosts;
use crate::{
    ending::Failure,
    files::of_folder,
    findings::{At, Placed},
    output::counted,
    records::{Claimed, Extras, Judge, Kind, is_left_over, own_name},
    store::Kv,
    sync::wanted::{ByKeys, Wanted, unknown_customer},
};

/// Checks a folder, a KV, or both together: a key of the one may name a customer of the other.
///
/// # Errors
/// Where they cannot be read.
pub(super) fn check(
    gateway: &Gateway,
    folder: Option<&Path>,
    kv: Option<&dyn Kv>,
) -> Result<Vec<Placed>, Failure> {
    let judge = Judge::of(Some(gateway));
    let mut findings = Vec::new();
    let mut wanted = None;
    if let Some(folder) = folder {
        let found = of_folder(folder)?;
        findings.extend(found.warnings);
        match Wanted::read(found.files, found.kinds, &judge, Extras::Refused) {
            Ok((read, warnings)) => {
                findings.extend(warnings);
                wanted = Some(read);
            }
            Err(faults) => findings.extend(faults),
        }
    }
    let stored = match kv {
        Some(kv) => Some(read(kv, &judge, &mut findings)?),
        None => None,
    };
    findings.extend(unknown(&judge, folder.is_some(), wanted.as_ref(), stored.as_ref()));
    findings.extend(unused(gateway, wanted.as_ref(), stored.as_ref()));
    Ok(findings)
}

/// What KV holds, as far as records name each other.
#[derive(Default)]
struct Stored {
    /// Of each kind the name of one entry.
    kinds: BTreeMap<Kind, String>,
    customers: HashSet<String>,
    claimed: BTreeMap<String, ByKeys>,
}

fn read(kv: &dyn Kv, judge: &Judge, findings: &mut Vec<Placed>) -> Result<Stored, Failure> {
    let mut stored = Stored::default();
    let mut names = Vec::new();
    let mut refreshed = HashSet::new();
    let mut hosts = Hosts::default();
    for listed in kv.list("")? {
        if let Some(own) = own_name(&listed.name) {
            refreshed.insert(own);
            continue;
        }
        match Kind::of(&listed.name) {
            Some(kind) => {
                stored.kinds.entry(kind).or_insert_with(|| listed.name.clone());
                if kind == Kind::Customer {
                    stored.customers.insert(listed.name.clone());
                }
                names.push(listed.name);
            }
            None => findings.extend(misnamed(&listed.name)),
        }
    }
    let mut left_over = Vec::new();
    kv.get_many(&names, &mut |name, value| {
        let Some(text) = value else { return Ok(()) };
        let at = || At::Entry(name.to_owned());
        if Kind::of(name) == Some(Kind::Customer) && is_left_over(&text) {
            left_over.push(name.to_owned());
        }
        if let Err(problem) = judged(judge, name, text.as_bytes()) {
            findings.push(Placed::error(at(), problem.pointer, problem.what));
            return Ok(());
        }
        if Kind::of(name) == Some(Kind::Customer) {
            findings.extend(hosts.note(name, &text));
        }
        if Kind::of(name) == Some(Kind::Key) {
            match judge.claimed(&serde_json::from_str::<Value>(&text).unwrap_or_default()) {
                Claimed::Nobody => {}
                Claimed::Customer(id) => ByKeys::note(&mut stored.claimed, id, at),
                Claimed::Nonsense => {
                    findings.push(Placed::warning(at(), judge.claim_pointer(), Judge::NO_ID))
                }
            }
        }
        Ok(())
    })?;
    findings.extend(untidy(&left_over, &refreshed));
    findings.extend(hosts.unnamed(kv)?);
    if judge.source {
        stored.customers.extend(refreshed);
    }
    Ok(stored)
}

/// A warning about records under operators' names that count as the config API's.
fn untidy(left_over: &[String], refreshed: &HashSet<String>) -> Option<Placed> {
    let first = left_over.iter().min()?;
    let unread = left_over.iter().filter(|name| refreshed.contains(*name)).count();
    let what = format!(
        "is taken for what an older version left of the config API's, as {} with fetchedAt; {unread} of these nobody reads \
         any more, since the config API's stands under source:customer:<customerId>. Leave fetchedAt out of a record of \
         your own. `pointsman customers tidy` deletes what is not read",
        counted(left_over.len(), "customer is", "customers are"),
    );
    Some(Placed::warning(At::Entry(first.clone()), "/fetchedAt", what))
}

/// As the gateway reads it.
fn judged(judge: &Judge, name: &str, json: &[u8]) -> Result<(), RecordError> {
    match name.strip_prefix(Kind::Customer.prefix()).and_then(CustomerId::parse) {
        Some(id) => CustomerConfig::parse(json, &id, judge.allow_http).map(|_| ()),
        None => KeyConfig::check_first(json).map(|_| ()),
    }
}

/// A name that is probably meant as one that the gateway reads.
fn misnamed(name: &str) -> Option<Placed> {
    let folded = name.to_ascii_lowercase();
    let (meant, what) = if folded.starts_with("customer") {
        ("customer:<customerId>", "an id of 1 to 256 bytes without control characters")
    } else if folded.starts_with("key") && !folded.starts_with("keyset:") {
        ("key:<digest>", "64 lower-case hexadecimal digits")
    } else {
        return None;
    };
    let what = format!("is read by nobody: if it is meant as {meant}, with {what}, write it under that name");
    Some(Placed::warning(At::Entry(name.to_owned()), "", what))
}

fn unknown(judge: &Judge, folder: bool, wanted: Option<&Wanted>, stored: Option<&Stored>) -> Vec<Placed> {
    let in_kv = |name: &str| stored.is_some_and(|stored| stored.customers.contains(name));
    let looked = match (folder, stored) {
        (true, None) => "these files have no record, and KV was not asked",
        (true, Some(_)) => "neither these files nor KV have a record",
        _ => "KV has no record",
    };
    let mut findings =
        wanted.map(|wanted| wanted.unknown_customers(judge, looked, in_kv)).unwrap_or_default();
    for (id, keys) in stored.map(|stored| &stored.claimed).into_iter().flatten() {
        let name = format!("{}{id}", Kind::Customer.prefix());
        let in_files = wanted.is_some_and(|wanted| wanted.entries().contains_key(&name));
        if !in_files && !in_kv(&name) {
            findings.push(unknown_customer(keys, id, looked, judge));
        }
    }
    findings
}

/// Records that this configuration has no use for.
fn unused(gateway: &Gateway, wanted: Option<&Wanted>, stored: Option<&Stored>) -> Vec<Placed> {
    let mut findings = Vec::new();
    for (kind, used, section) in [
        (Kind::Customer, gateway.customers().is_some(), "[customers]"),
        (Kind::Key, gateway.api_keys().is_some(), "[api_keys]"),
    ] {
        let in_files = || wanted.and_then(|wanted| wanted.first_of(kind));
        let in_kv = || stored.and_then(|stored| stored.kinds.get(&kind)).map(|name| At::Entry(name.clone()));
        if let (false, Some(at)) = (used, in_files().or_else(in_kv)) {
            let what =
                format!("and other {}: gateway.toml has no {section}, so nobody reads them", kind.many());
            findings.push(Placed::warning(at, "", what));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use pointsman_testkit::{GatewayToml, all_to};
    use serde_json::json;

    use super::*;
    use crate::{
        scratch::Scratch,
        store::Sum,
        sync::memory::{Content, Memory},
    };

    fn gateway(more: &str) -> Gateway {
        let toml = GatewayToml::new().route("/{+path}", &["api_key"], &all_to("b")).backend("b");
        let toml = toml.table("api_keys", "prefixes = [\"sk\"]");
        let value: Value = toml::from_str(&format!("{toml}{more}")).unwrap();
        pointsman_config::parse(&value.to_string(), &HashMap::new()).ok().unwrap().gateway
    }

    fn said(findings: Vec<Placed>) -> Vec<String> {
        findings.iter().map(|placed| format!("{}: {}", placed.at, placed.finding)).collect()
    }

    #[test]
    fn records_of_kv_are_judged_where_they_stand() {
        let sum = Sum::of(b"");
        let mut content = Content::new();
        for (name, value) in [
            (
                "customer:a".to_owned(),
                json!({ "customerId": "b", "backendUrl": "https://b.example" }).to_string(),
            ),
            (
                "customer:c".to_owned(),
                json!({ "customerId": "c", "backendUrl": "http://c.example" }).to_string(),
            ),
            (format!("key:{sum}"), json!({ "subject": "s", "claims": { "customerId": "z" } }).to_string()),
            ("key:short".to_owned(), "{}".to_owned()),
            ("Customer:a".to_owned(), "{}".to_owned()),
            ("keyset:x".to_owned(), "{}".to_owned()),
            ("mine".to_owned(), "x".to_owned()),
        ] {
            content.insert(name, (value, None));
        }
        let kv = Memory::of(content);
        let said = said(check(&gateway("[customers]"), None, Some(&kv)).unwrap());
        assert_eq!(said.len(), 5, "{said:#?}");
        for (said, expected) in said.iter().zip([
            "KV Customer:a: (the whole): is read by nobody".to_owned(),
            "KV key:short: (the whole): is read by nobody".to_owned(),
            "KV customer:a: /customerId: must be \"a\"".to_owned(),
            "KV customer:c: /backendUrl: ".to_owned(),
            format!("KV key:{sum}: /claims/customerId: names customer \"z\", of whom KV has no record"),
        ]) {
            assert!(said.starts_with(&expected), "{said}");
        }
    }

    #[test]
    fn what_is_left_over_of_the_config_api_is_said_once() {
        let refreshed = |id: &str| {
            json!({ "customerId": id, "backendUrl": "https://b.example", "fetchedAt": "2026-01-01T00:00:00Z" }).to_string()
        };
        let sum = Sum::of(b"");
        let mut content = Content::new();
        for (name, value) in [
            ("customer:a".to_owned(), refreshed("a")),
            ("customer:b".to_owned(), refreshed("b")),
            ("source:customer:b".to_owned(), refreshed("b")),
            ("source:customer:c".to_owned(), refreshed("c")),
            (format!("key:{sum}"), json!({ "subject": "s", "claims": { "customerId": "c" } }).to_string()),
        ] {
            content.insert(name, (value, None));
        }
        let kv = Memory::of(content);
        let source = "[customers]\nsource = { url = \"https://api.example\", token = \"0123456789abcdef0123456789abcdef\" }";
        let told = said(check(&gateway(source), None, Some(&kv)).unwrap());
        assert_eq!(told.len(), 1, "{told:#?}");
        assert!(told[0].starts_with("KV customer:a: /fetchedAt: is taken for what an older version left of the config API's, as 2 customers are with fetchedAt; 1 of these"), "{}", told[0]);
        let told = said(check(&gateway("[customers]"), None, Some(&kv)).unwrap());
        assert_eq!(told.len(), 2, "without a source nobody reads the other name: {told:#?}");
    }

    #[test]
    fn files_and_kv_know_each_others_customers() {
        let folder = Scratch::new();
        let key = |id: &str| json!({ "sha256": Sum::of(id.as_bytes()).to_string(), "subject": "s", "claims": { "customerId": id } });
        folder.write("keys.json", &json!([key("in-kv"), key("nowhere")]).to_string());
        let record = json!({ "customerId": "in-kv", "backendUrl": "https://b.example" }).to_string();
        let kv = Memory::of(Content::from([("customer:in-kv".to_owned(), (record, None))]));
        let both = said(check(&gateway("[customers]"), Some(folder.path()), Some(&kv)).unwrap());
        assert_eq!(both.len(), 1, "{both:#?}");
        assert!(both[0].contains("neither these files nor KV"), "{}", both[0]);
        let files = said(check(&gateway("[customers]"), Some(folder.path()), None).unwrap());
        assert_eq!(files.len(), 2, "{files:#?}");
        assert!(files[0].contains("KV was not asked"), "{}", files[0]);
        let unused = said(check(&gateway(""), None, Some(&kv)).unwrap());
        assert_eq!(unused.len(), 1);
        assert!(unused[0].contains("gateway.toml has no [customers]"), "{}", unused[0]);
    }
}
