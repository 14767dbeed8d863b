//! Records of API keys and of customers, as KV and files hold them. The same bytes are read as either.

use super::oracle::repeats_a_member;
use pointsman_core::{
    base::record::{RecordError, read_record},
    customer::{
        backend_url::AllowHttp,
        record::{CustomerConfig, CustomerRecord},
    },
    identity::{customer_id::CustomerId, key_record::KeyConfig},
};
use serde_json::{Map, Value};

pub fn run(data: &[u8]) {
    match KeyConfig::parse(data) {
        Ok(key) => key_is_what_it_says(&key, &members_of(data)),
        Err(error) => names_a_place(&error),
    }
    match read_record::<CustomerRecord>(data) {
        Ok(record) => customer_is_what_it_says(data, &record),
        Err(error) => names_a_place(&error),
    }
}

/// What a lax reader sees in a record that was read strictly.
fn members_of(data: &[u8]) -> Map<String, Value> {
    let text = data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data);
    assert!(!repeats_a_member(text), "a member stands twice and was let through");
    serde_json::from_slice(text).expect("what is read strictly can be read laxly")
}

fn key_is_what_it_says(key: &KeyConfig, members: &Map<String, Value>) {
    let known = ["subject", "claims", "expiresAt", "disabled", "allowedIps", "methods", "name", "createdAt"];
    only_known(members, &known);
    let subject = key.principal().subject.as_deref().expect("a key stands for somebody");
    assert!(!subject.is_empty() && members["subject"] == subject);
    let claims = members.get("claims").filter(|claims| !claims.is_null()).cloned();
    assert_eq!(key.principal().claims.to_json(), claims.unwrap_or_else(|| Value::Object(Map::new())));
    assert_eq!(key.disabled(), members.get("disabled") == Some(&Value::Bool(true)));
    // A key that was given an end has one, and the same one.
    let end = members.get("expiresAt").and_then(Value::as_str).filter(|text| !text.is_empty());
    let end = end.map(|text| chrono::DateTime::parse_from_rfc3339(text).map(|end| end.timestamp_millis()));
    let read = key.expires_at().map(|end| i64::try_from(end.millis()).expect("ends lie in this era"));
    assert_eq!(end.transpose().expect("an end is an instant of RFC 3339"), read);
}

fn customer_is_what_it_says(data: &[u8], record: &CustomerRecord) {
    let known = [
        "customerId",
        "backendUrl",
        "backends",
        "environmentName",
        "disabled",
        "allowedIps",
        "hosts",
        "fetchedAt",
        "generation",
        "etag",
        "gone",
        "scheduled",
    ];
    only_known(&members_of(data), &known);
    let printed = serde_json::to_vec(record).expect("a record is JSON");
    assert_eq!(read_record::<CustomerRecord>(&printed).as_ref(), Ok(record), "printed and read again");

    let anywhere = CustomerConfig::from_record(record, AllowHttp::Always);
    if let Err(error) = &anywhere {
        names_a_place(error);
    }
    let Ok(config) = CustomerConfig::from_record(record, AllowHttp::Never) else { return };
    assert_eq!(anywhere.as_ref(), Ok(&config), "where http is allowed, https is no less");
    assert_eq!(config.id().as_str(), &*record.customer_id);
    assert_eq!(config.disabled(), record.disabled || record.gone);
    assert!(!config.backends().is_empty(), "a customer has a backend");
    let hosts: Vec<_> = config.hosts().iter().map(|host| host.as_str()).collect();
    assert_eq!(hosts, record.hosts, "hosts are as they were written");
    // Of the others nobody knows here what characters they stand for.
    for host in hosts.into_iter().filter(|host| !host.contains("xn--")) {
        let url = url::Url::parse(&format!("https://{host}")).expect("a host stands in a URL");
        assert_eq!(url.host(), Some(url::Host::Domain(host)), "as it is, and no address");
    }
    for place in config.backends() {
        let (origin, base) = (place.url.origin(), place.url.base());
        let url = url::Url::parse(&format!("{origin}{base}")).expect("a backend's URL is one");
        assert_eq!(url.scheme(), "https");
        assert_eq!((url.username(), url.password(), url.query(), url.fragment()), ("", None, None, None));
        assert_eq!(
            url.origin().ascii_serialization(),
            without_default_port(origin),
            "no other host is called"
        );
    }
    // A record that was copied under another customer's name is nobody's.
    let other = CustomerId::parse("somebody else").expect("this is an id");
    assert!(config.id() == &other || CustomerConfig::parse(data, &other, AllowHttp::Never).is_err());
}

fn without_default_port(origin: &str) -> &str {
    origin.strip_suffix(":443").unwrap_or(origin)
}

/// A member that nobody knows is none that says something: many serialisers write `null` for what is not there.
fn only_known(members: &Map<String, Value>, known: &[&str]) {
    let says_something = members.iter().filter(|(_, value)| !value.is_null()).map(|(name, _)| name);
    let unknown: Vec<_> = says_something.filter(|name| !known.contains(&name.as_str())).collect();
    assert!(unknown.is_empty(), "{unknown:?} were let through");
}

/// An error says where, by a JSON Pointer (RFC 6901), and what.
fn names_a_place(error: &RecordError) {
    assert!(error.pointer.is_empty() || error.pointer.starts_with('/'), "{:?}", error.pointer);
    assert!(!error.what.is_empty());
}
