use base64ct::{Base64UrlUnpadded, Encoding};
use proptest::prelude::*;
use serde_json::json;

use super::*;

const NOW: u64 = 1_800_000_000;

fn issuer() -> Issuer {
    Issuer {
        name: Rc::from("main"),
        issuer: IssuerName::parse("https://id.example.com/", None).unwrap(),
        fields: vec!["authorization".to_owned()],
        audience: Audience {
            accepted: vec!["https://api.example.com".to_owned()],
            claims: vec![ClaimPath::parse("aud").unwrap()],
        },
        algorithms: vec![Algorithm::Es256, Algorithm::Hs256],
        types: vec!["jwt".to_owned(), "at+jwt".to_owned()],
        subject: ClaimPath::parse("sub").unwrap(),
        leeway: Leeway::default(),
        keys: KeySource::Secret(Rc::from(&b"0123456789abcdef0123456789abcdef"[..])),
        policy: Policy::TEST,
        cooldown: Span::from_secs(30),
        timeout: Span::from_secs(5),
        customers: None,
        bindings: Bindings::default(),
    }
}

fn token(header: &Value, claims: &Value) -> String {
    let encode = |value: &Value| Base64UrlUnpadded::encode_string(value.to_string().as_bytes());
    format!("{}.{}.AAAA", encode(header), encode(claims))
}

fn outcome(header: &Value, claims: &Value) -> Option<Refusal> {
    let token = token(header, claims);
    examine(&token, &[issuer()], &[0], Timestamp::from_millis(NOW * 1000)).err()
}

fn header() -> Value {
    json!({"alg": "ES256", "kid": "k"})
}

fn claims() -> Value {
    json!({"iss": "https://id.example.com/", "aud": "https://api.example.com", "exp": NOW + 60, "sub": "u"})
}

fn with(mut object: Value, name: &str, value: Value) -> Value {
    object[name] = value;
    object
}

fn without(mut object: Value, name: &str) -> Value {
    object.as_object_mut().unwrap().remove(name);
    object
}

#[test]
fn a_good_token_passes_all_checks_but_the_signature() {
    assert_eq!(outcome(&header(), &claims()), None);
    let many = with(claims(), "aud", json!(["https://other.example", "https://api.example.com"]));
    assert_eq!(outcome(&header(), &many), None);
    for typ in ["JWT", "jwt", "at+jwt", "application/AT+JWT"] {
        assert_eq!(outcome(&with(header(), "typ", json!(typ)), &claims()), None, "{typ}");
    }
}

#[test]
fn keys_offered_by_the_token_are_ignored() {
    for name in ["jwk", "jku", "x5u", "x5c", "x5t"] {
        let offered = with(header(), name, json!("https://evil.example/jwks.json"));
        assert_eq!(outcome(&offered, &claims()), None, "{name}");
    }
}

#[test]
fn header_checks() {
    for (name, value, refusal) in [
        ("alg", json!("none"), Refusal::TokenAlgorithm),
        ("alg", json!("RS256"), Refusal::TokenAlgorithm),
        ("alg", json!("es256"), Refusal::TokenAlgorithm),
        ("alg", json!(["ES256"]), Refusal::TokenAlgorithm),
        ("crit", json!(["exp"]), Refusal::TokenCritical),
        ("crit", json!([]), Refusal::TokenCritical),
        ("crit", json!("b64"), Refusal::TokenCritical),
        ("crit", Value::Null, Refusal::TokenCritical),
        ("b64", json!(false), Refusal::TokenUnencodedPayload),
        ("b64", json!(true), Refusal::TokenUnencodedPayload),
        ("cty", json!("JWT"), Refusal::TokenNested),
        ("cty", json!("application/jwt"), Refusal::TokenNested),
        ("enc", json!("A128GCM"), Refusal::TokenNested),
        ("zip", json!("DEF"), Refusal::TokenNested),
        ("typ", json!("logout+jwt"), Refusal::TokenType),
        ("typ", json!(1), Refusal::TokenType),
        ("kid", json!(1), Refusal::TokenKeyId),
        ("kid", Value::Null, Refusal::TokenKeyId),
    ] {
        assert_eq!(
            outcome(&with(header(), name, value.clone()), &claims()),
            Some(refusal),
            "{name}: {value}"
        );
    }
    assert_eq!(outcome(&without(header(), "alg"), &claims()), Some(Refusal::TokenAlgorithm));
}

#[test]
fn claim_checks() {
    for (name, value, refusal) in [
        ("iss", json!("https://id.example.com"), Refusal::TokenIssuer),
        ("iss", json!("HTTPS://id.example.com/"), Refusal::TokenIssuer),
        ("iss", json!(["https://id.example.com/"]), Refusal::TokenIssuer),
        ("aud", json!("https://api.example.com/"), Refusal::TokenAudience),
        ("aud", json!(["https://api.example.com", 7]), Refusal::TokenAudience),
        ("aud", json!([]), Refusal::TokenAudience),
        ("aud", json!({"https://api.example.com": 1}), Refusal::TokenAudience),
        ("exp", json!("1900000000"), Refusal::TokenExpiryMalformed),
        ("exp", Value::Null, Refusal::TokenExpiryMalformed),
        ("exp", json!(true), Refusal::TokenExpiryMalformed),
        ("exp", json!(NOW), Refusal::TokenExpired),
        ("exp", json!(NOW - 1), Refusal::TokenExpired),
        ("exp", json!(-1), Refusal::TokenExpired),
        ("exp", json!(-1e300), Refusal::TokenExpired),
        ("nbf", json!("0"), Refusal::TokenNotBeforeMalformed),
        ("nbf", Value::Null, Refusal::TokenNotBeforeMalformed),
        ("nbf", json!(NOW + 6), Refusal::TokenNotYetValid),
        ("nbf", json!(1e300), Refusal::TokenNotYetValid),
        ("nbf", json!(NOW as f64 + 5.5), Refusal::TokenNotYetValid),
        ("iat", json!("0"), Refusal::TokenIssuedAtMalformed),
        ("sub", json!(7.5), Refusal::TokenSubject),
        ("sub", json!(1e3), Refusal::TokenSubject),
        ("sub", json!(-0.0), Refusal::TokenSubject),
        ("sub", Value::Null, Refusal::TokenSubject),
        ("sub", json!(["u"]), Refusal::TokenSubject),
    ] {
        assert_eq!(
            outcome(&header(), &with(claims(), name, value.clone())),
            Some(refusal),
            "{name}: {value}"
        );
    }
    for (name, refusal) in [
        ("iss", Refusal::TokenIssuer),
        ("aud", Refusal::TokenAudience),
        ("exp", Refusal::TokenExpiryMalformed),
    ] {
        assert_eq!(outcome(&header(), &without(claims(), name)), Some(refusal), "no {name}");
    }
}

#[test]
fn odd_but_honest_times_pass() {
    for (name, value) in [
        ("exp", json!(NOW as f64 + 0.5)),
        ("exp", json!(1e300)),
        ("exp", json!(u64::MAX)),
        ("nbf", json!(NOW)),
        ("nbf", json!(NOW + 5)),
        ("nbf", json!(-5.5)),
        ("iat", json!(1e300)),
    ] {
        assert_eq!(outcome(&header(), &with(claims(), name, value.clone())), None, "{name}: {value}");
    }
    assert_eq!(outcome(&header(), &without(claims(), "sub")), None);
}

/// Promise 65.
#[test]
fn a_token_that_is_bound_to_a_key_is_no_bearer_token() {
    let jkt = json!({"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"});
    for bound in [jkt, json!({}), json!([]), json!("x"), json!(""), json!(0), json!(false), Value::Null] {
        assert_eq!(
            outcome(&header(), &with(claims(), "cnf", bound.clone())),
            Some(Refusal::TokenBoundToKey),
            "{bound}"
        );
    }
    assert_eq!(outcome(&header(), &with(claims(), "act", json!({"cnf": {}}))), None, "not this token");
}

#[test]
fn a_configured_leeway_counts_both_ways_and_the_default_for_nbf_alone() {
    let at = |leeway, name, value| {
        let token = token(&header(), &with(claims(), name, json!(value)));
        let issuer = Issuer { leeway, ..issuer() };
        examine(&token, &[issuer], &[0], Timestamp::from_millis(NOW * 1000)).err()
    };
    let configured = Leeway { expiry: Span::from_secs(30), not_before: Span::from_secs(30) };
    let none = Leeway { expiry: Span::default(), not_before: Span::default() };
    for (leeway, late, early) in [(Leeway::default(), 0, 5), (configured, 30, 30), (none, 0, 0)] {
        assert_eq!(at(leeway, "exp", NOW - late), Some(Refusal::TokenExpired));
        assert_eq!(at(leeway, "exp", NOW - late + 1), None);
        assert_eq!(at(leeway, "nbf", NOW + early), None);
        assert_eq!(at(leeway, "nbf", NOW + early + 1), Some(Refusal::TokenNotYetValid));
    }
}

#[test]
fn an_issuer_that_the_route_does_not_accept_is_no_issuer() {
    let token = token(&header(), &claims());
    let refused = examine(&token, &[issuer()], &[], Timestamp::from_millis(NOW * 1000));
    assert_eq!(refused.err(), Some(Refusal::TokenIssuer));
}

#[test]
fn hmac_verifies_the_example_of_rfc_7515_appendix_a_1() {
    let token = include_str!("../../../../../fixtures/tokens/rfc7515-a1.jwt").trim();
    let secret = Base64UrlUnpadded::decode_vec(
        "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
    )
    .unwrap();
    let parsed = compact::parse(token).unwrap();
    assert!(verify_hs256(&secret, parsed.signing_input, &parsed.signature));
    assert!(!verify_hs256(&secret, parsed.signing_input, &parsed.signature[1..]));
    assert!(!verify_hs256(b"another secret", parsed.signing_input, &parsed.signature));
}

proptest! {
    #[test]
    fn no_times_make_it_panic(expiry in any::<f64>(), not_before in any::<f64>(), now in any::<u64>()) {
        let claims = with(with(claims(), "exp", json!(expiry)), "nbf", json!(not_before));
        let token = token(&header(), &claims);
        let _ = examine(&token, &[issuer()], &[0], Timestamp::from_millis(now));
    }

    #[test]
    fn no_text_makes_it_panic(text in "[A-Za-z0-9_.\\-=]{0,200}|\\PC{0,60}") {
        let _ = examine(&text, &[issuer()], &[0], Timestamp::from_millis(0));
    }
}

#[test]
fn an_empty_subject_names_nobody() {
    for (sub, subject) in [("u", Some("u")), ("", None)] {
        let token = token(&header(), &with(claims(), "sub", json!(sub)));
        let examined = examine(&token, &[issuer()], &[0], Timestamp::from_millis(NOW * 1000)).unwrap();
        assert_eq!(examined.principal.subject.as_deref(), subject);
    }
}
