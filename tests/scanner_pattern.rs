//! The expression that is given to secret scanners, beside the keys that are minted: with an engine as scanners have, without
//! look-around.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use pointsman_core::{
    base::freshness::{BackOff, Lifetimes, Policy},
    base::time::Span,
    identity::{
        api_key::{ApiKeys, checksum_of, is_well_formed, mint},
        key_fields::KeyFields,
    },
};
use pointsman_testkit::read;
use proptest::prelude::*;
use regex::Regex;

fn keys(prefixes: &[String]) -> ApiKeys {
    let second = Span::from_secs(1);
    let policy = Policy {
        lifetimes: Lifetimes::swift(second, second),
        lease: second,
        back_off: BackOff { first: second },
    };
    let sent = KeyFields::new(vec!["authorization".to_owned()], vec!["Bearer".to_owned()]);
    ApiKeys::new(sent, prefixes.to_vec(), true, policy)
}

fn pattern(prefixes: &[String]) -> Regex {
    Regex::new(&keys(prefixes).scanner_pattern()).unwrap()
}

/// What `check` takes as prefixes: letters, digits and inner `_`.
fn prefixes() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec("[A-Za-z0-9_]{0,30}[A-Za-z0-9]", 1..6)
}

proptest! {
    #[test]
    fn every_minted_key_is_found_whole_wherever_it_stands(
        prefixes in prefixes(),
        which in any::<prop::sample::Index>(),
        random in prop::array::uniform32(any::<u8>()),
    ) {
        let pattern = pattern(&prefixes);
        let prefix: &String = which.get(&prefixes);
        let Some(key) = mint(prefix, &random.repeat(3)) else { return Ok(()) };
        let contexts = [
            ("", ""), ("KEY=", "\n"), ("\"", "\","), ("https://a.example/?k=", "&b=c"), ("'", "'"), ("Bearer ", "\r\n"),
            ("(", ")."), ("a-", "-b"), ("\u{e4} ", " \u{e4}"), ("/", "/"),
        ];
        for (before, after) in contexts {
            let text = format!("{before}{key}{after}");
            let found: Vec<_> = pattern.find_iter(&text).map(|found| found.as_str()).collect();
            prop_assert_eq!(found, vec![key.as_str()], "{}", text);
        }
    }

    #[test]
    fn whatever_has_the_form_of_a_key_is_found_and_nothing_shorter(
        prefix in "[A-Za-z0-9_]{0,30}[A-Za-z0-9]",
        random in "[0-9A-Za-z]{20,66}",
    ) {
        let key = format!("{prefix}_{random}_{}", checksum_of(&prefix, &random));
        let pattern = pattern(std::slice::from_ref(&prefix));
        let is_found = pattern.find(&key).is_some_and(|found| found.as_str() == key);
        prop_assert_eq!(is_found, is_well_formed(&key, &prefix), "{}", key);
    }
}

#[test]
fn what_is_longer_than_a_key_or_of_another_form_is_not_found() {
    let pattern = pattern(&["sk_live".to_owned(), "sk".to_owned()]);
    let key = mint("sk_live", &[7; 48]).unwrap();
    for text in [
        format!("{key}x"),
        format!("x{key}"),
        format!("{key}_"),
        key.replace("sk_live", "sk_test"),
        key.strip_suffix(|_| true).unwrap_or_default().to_owned(),
        key.replace("7777", "77-7"),
    ] {
        assert!(!pattern.is_match(&text), "{text}");
    }
}

#[test]
fn the_documents_have_the_expression_that_the_command_line_prints() {
    let printed = keys(&["sk_live".to_owned(), "sk_test".to_owned()]).scanner_pattern();
    let api = read("docs/api.md");
    assert!(api.contains(&format!("```text\n{printed}\n```")));
    assert!(api.contains(&format!("regex = '''{printed}'''")), "gitleaks");
    // Of a custom detector of trufflehog the group is the key.
    let group = printed.replace("\\b(?:", "\\b((?:").replace("{6}\\b", "{6})\\b");
    assert!(api.contains(&format!("key: '{group}'")), "trufflehog");
    let key = mint("sk_test", &[9; 48]).unwrap();
    assert_eq!(&Regex::new(&group).unwrap().captures(&key).unwrap()[1], key);
    assert!(read("docs/kv-schema.md").contains(&printed));
}
