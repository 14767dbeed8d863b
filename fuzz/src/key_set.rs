//! JWK Sets (RFC 7517), as issuers publish them.

use super::oracle::repeats_a_member;
use pointsman_core::identity::{
    algorithm::Algorithm,
    jwk_set::{KeySet, MAX_SET_BYTES, MOST_TRIED},
};
use serde_json::{Value, json, value::RawValue};

/// Members of private and symmetric keys (RFC 7518, section 6).
const SECRET: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

pub fn run(data: &[u8]) {
    let Ok(set) = KeySet::parse(data) else { return };
    assert!(data.len() <= MAX_SET_BYTES);
    let text = data.strip_prefix(b"\xef\xbb\xbf").unwrap_or(data);
    let document: Value = serde_json::from_slice(text).expect("what is a set is JSON");
    let keys = document["keys"].as_array().expect("the keys of a set are a list");
    assert_eq!(set.usable(), set.keys().len());
    assert!(set.usable() + set.passed_over() <= keys.len());
    each_key_counts_by_itself(text, &set);

    let complaint = set.complaint();
    assert_eq!(complaint.is_some(), set.passed_over() > 0);
    let breaks_a_line = |text: &String| text.chars().any(char::is_control);
    assert!(!complaint.as_ref().is_some_and(breaks_a_line), "{complaint:?} goes into a log line");

    for key in set.keys() {
        assert!(set.holds(key.thumbprint()));
        // What is imported has the public members alone, and is the same key.
        let jwk = key.to_jwk();
        assert!(SECRET.iter().all(|name| jwk.get(name).is_none()), "{jwk} has a secret");
        let again = KeySet::parse(json!({ "keys": [jwk] }).to_string().as_bytes()).expect("it is a set");
        assert!(again.keys().iter().any(|other| other.thumbprint() == key.thumbprint()));
    }
    for algorithm in Algorithm::names().filter_map(Algorithm::from_name) {
        for kid in keys.iter().map(|key| key["kid"].as_str()).chain([None, Some("no key is called so")]) {
            let Ok(candidates) = set.select(kid, algorithm) else { continue };
            assert!(candidates.others.len() < MOST_TRIED);
            for key in candidates.others.iter().chain([&candidates.key]) {
                assert!(key.fits(algorithm) && set.holds(key.thumbprint()));
            }
        }
    }
}

/// No key changes whether another one can be used, and none that is secret, or says a thing twice, can.
fn each_key_counts_by_itself(text: &[u8], set: &KeySet) {
    #[derive(serde::Deserialize)]
    struct Keys {
        keys: Vec<Box<RawValue>>,
    }
    let keys = serde_json::from_slice::<Keys>(text).expect("the keys of a set are a list").keys;
    let mut usable = 0;
    for key in keys {
        let alone = KeySet::parse(format!("{{\"keys\":[{key}]}}").as_bytes()).expect("one key is a set");
        if alone.usable() == 0 {
            continue;
        }
        usable += 1;
        assert!(!repeats_a_member(key.get().as_bytes()), "{key} says a thing twice");
        let members: Value = serde_json::from_str(key.get()).expect("a key is JSON");
        assert_ne!(members["kty"], "oct", "{key} is symmetric");
        let says_nothing = |value: &Value| value.is_null() || *value == "" || *value == json!([]);
        let is_secret = |name: &&str| members.get(*name).is_some_and(|value| !says_nothing(value));
        assert!(!SECRET.iter().any(is_secret), "{key} is private");
    }
    assert_eq!(set.usable(), usable);
}
