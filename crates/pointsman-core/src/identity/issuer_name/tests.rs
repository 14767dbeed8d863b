use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const ENTRA: &str = "https://login.example.com/{tid}/v2.0";

fn name(text: &str) -> IssuerName {
    IssuerName::parse(text, None).unwrap()
}

fn of(text: &str, tenants: &[&str]) -> IssuerName {
    IssuerName::parse(text, Some(tenants.iter().map(|tenant| (*tenant).to_owned()).collect())).unwrap()
}

fn is_of(name: &IssuerName, iss: &str, claims: &Value) -> bool {
    name.is_of(iss, &Claims::new(claims.as_object().unwrap().clone()))
}

#[test]
fn a_text_without_a_claim_is_itself_byte_for_byte() {
    let exact = name("https://id.example.com/");
    assert!(is_of(&exact, "https://id.example.com/", &json!({})));
    for other in ["https://id.example.com", "HTTPS://id.example.com/", "https://id.example.com//", ""] {
        assert!(!is_of(&exact, other, &json!({})), "{other}");
    }
}

#[test]
fn a_tenants_iss_agrees_with_the_tokens_own_claim() {
    let entra = name(ENTRA);
    assert!(is_of(
        &entra,
        "https://login.example.com/7f58f645-c190/v2.0",
        &json!({ "tid": "7f58f645-c190" })
    ));
    for (iss, claims) in [
        ("https://login.example.com/a/v2.0", json!({})),
        ("https://login.example.com/a/v2.0", json!({ "tid": "b" })),
        ("https://login.example.com/a/v2.0", json!({ "tid": "A" })),
        ("https://login.example.com/a/v2.0", json!({ "tid": ["a"] })),
        ("https://login.example.com/a/v2.0", json!({ "tid": null })),
        ("https://login.example.com/a/v2.0/", json!({ "tid": "a" })),
        ("https://login.example.com//v2.0", json!({ "tid": "" })),
        ("https://login.example.com/v2.0", json!({ "tid": "" })),
        ("https://login.example.com/{tid}/v2.0", json!({ "tid": "{tid}" })),
        ("https://login.example.com.evil.example/a/v2.0", json!({ "tid": "a" })),
    ] {
        assert!(!is_of(&entra, iss, &claims), "{iss} {claims}");
    }
    assert!(
        is_of(&entra, "https://login.example.com/42/v2.0", &json!({ "tid": 42 })),
        "a whole number is its digits"
    );
    let host = name("https://{/org/id}.auth.example.com/");
    assert!(is_of(&host, "https://acme.auth.example.com/", &json!({ "org": { "id": "acme" } })));
    assert!(!is_of(&host, "https://acme.auth.example.com/", &json!({ "/org/id": "acme" })));
}

#[test]
fn a_tenant_is_one_label() {
    let entra = name(ENTRA);
    for tenant in [
        "a/b", "a/../b", "..", ".", "a.b", "a%2Fb", "a:b", "a@b", "a?b", "a#b", "a b", "a\\b", "ä", "a\n", "",
    ] {
        let iss = format!("https://login.example.com/{tenant}/v2.0");
        assert!(!is_of(&entra, &iss, &json!({ "tid": tenant })), "{tenant}");
    }
    for (length, passes) in [(128, true), (129, false)] {
        let tenant = "x".repeat(length);
        let iss = format!("https://login.example.com/{tenant}/v2.0");
        assert_eq!(is_of(&entra, &iss, &json!({ "tid": tenant })), passes, "{length}");
    }
}

#[test]
fn tenants_may_be_listed() {
    let some = of(ENTRA, &["a", "b_1"]);
    for (tenant, passes) in [("a", true), ("b_1", true), ("c", false), ("A", false), ("ab", false)] {
        let iss = format!("https://login.example.com/{tenant}/v2.0");
        assert_eq!(is_of(&some, &iss, &json!({ "tid": tenant })), passes, "{tenant}");
    }
}

#[test]
fn what_says_nothing_is_no_name() {
    for (text, error) in [
        ("https://id.example.com/{tid", IssuerNameError::NotOneClaim),
        ("https://id.example.com/tid}", IssuerNameError::NotOneClaim),
        ("https://id.example.com/}{tid}", IssuerNameError::NotOneClaim),
        ("https://id.example.com/{a}/{b}", IssuerNameError::NotOneClaim),
        ("https://id.example.com/{{tid}}", IssuerNameError::NotOneClaim),
        ("https://id.example.com/{}", IssuerNameError::Claim),
        ("https://id.example.com/{/a~2}", IssuerNameError::Claim),
        ("https://id.example.com/{iss}", IssuerNameError::Claim),
        ("https://id.example.com/{/iss}", IssuerNameError::Claim),
        ("{tid}", IssuerNameError::NoFixedText),
        ("https://{tid}", IssuerNameError::NoFixedText),
        ("https://{tid}/", IssuerNameError::NoFixedText),
    ] {
        assert_eq!(IssuerName::parse(text, None), Err(error), "{text}");
    }
    for (text, tenants, error) in [
        ("https://id.example.com/", vec!["a"], IssuerNameError::NoPlaceForTenants),
        (ENTRA, vec![], IssuerNameError::NoTenants),
        (ENTRA, vec!["a", "b/c"], IssuerNameError::TenantNoLabel(1)),
    ] {
        let tenants = tenants.into_iter().map(str::to_owned).collect();
        assert_eq!(IssuerName::parse(text, Some(tenants)), Err(error), "{text}");
    }
}

#[test]
fn two_names_that_one_iss_could_have_overlap() {
    let entra = || name(ENTRA);
    for (one, other, overlap) in [
        (entra(), entra(), true),
        (entra(), name("https://login.example.com/{tenant}/v2.0"), true),
        (entra(), name("https://login.example.com/acme/v2.0"), true),
        (entra(), name("https://login.example.com/acme/v1.0"), false),
        (entra(), name("https://login.example.com/a/b/v2.0"), false),
        (entra(), name("https://login.example.com/x{tid}/v2.0"), true),
        (entra(), name("https://login.example.com/{tid}/v1.0"), false),
        (name("https://kc.example/{realm}"), name("https://kc.example/realms/{realm}"), false),
        (name("https://{org}.example/"), name("https://a-{org}.example/"), true),
        (name("https://{org}.example/"), name("https://{org}.auth.example/"), false),
        (name("a{t}/v2"), name("a1/{t}2"), true),
        (of(ENTRA, &["a", "b"]), of(ENTRA, &["c"]), false),
        (of(ENTRA, &["a", "b"]), of(ENTRA, &["b"]), true),
        (of(ENTRA, &["a"]), entra(), true),
        (of(ENTRA, &["a"]), name("https://login.example.com/a/v2.0"), true),
        (of(ENTRA, &["a"]), name("https://login.example.com/b/v2.0"), false),
        (name("https://a.example"), name("https://a.example"), true),
        (name("https://a.example"), name("https://a.example/"), false),
    ] {
        assert_eq!(one.overlaps(&other), overlap, "{} {}", one.as_str(), other.as_str());
        assert_eq!(other.overlaps(&one), overlap, "{} {}", other.as_str(), one.as_str());
    }
}

proptest! {
    /// Whatever a token says: if its iss is of two names, the check has seen that.
    #[test]
    fn no_iss_is_of_two_names_that_do_not_overlap(
        one in ("[ab/]{0,2}", "[ab/]{0,2}"),
        other in ("[ab/]{0,2}", "[ab/]{0,2}"),
        iss in "x[ab/]{1,5}",
    ) {
        let name = |(before, after): &(String, String)| name(&format!("x{before}{{t}}{after}"));
        let (one, other) = (name(&one), name(&other));
        prop_assert!(!(one.fits(&iss) && other.fits(&iss)) || one.overlaps(&other));
    }

    /// What is refused as an overlap has an iss that shows it.
    #[test]
    fn an_overlap_has_an_example(
        one in ("[a/]{0,2}", "[a/]{0,2}"),
        other in ("[a/]{0,2}", "[a/]{0,2}"),
    ) {
        let name = |(before, after): &(String, String)| name(&format!("x{before}{{t}}{after}"));
        let (one, other) = (name(&one), name(&other));
        let has_example = (1..=7u32).any(|length| (0..1u32 << length).any(|bits| {
            let byte = |at| if bits >> at & 1 == 0 { 'a' } else { '/' };
            let iss = format!("x{}", (0..length).map(byte).collect::<String>());
            one.fits(&iss) && other.fits(&iss)
        }));
        prop_assert_eq!(one.overlaps(&other), has_example);
    }
}
