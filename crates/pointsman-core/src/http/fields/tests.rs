use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

fn policy() -> FieldPolicy {
    let own = ["x-internal-*", "X-Acme.User"].map(|text| NamePattern::parse(text).unwrap());
    FieldPolicy::new(["x-customer-id", "x-subject"], ["x-api-key"], own.into())
}

#[test]
fn hop_by_hop_spoofed_identity_and_credential_fields_go() {
    for name in HOP_BY_HOP.iter().chain(SPOOFABLE).chain(&[
        "authorization",
        "x-api-key",
        "x-subject",
        "x-customer-id",
        "x-forwarded-for",
        "x-forwarded-host",
        "x-original-url",
        "x-rewrite-url",
    ]) {
        assert!(policy().judge(name).removed, "{name}");
    }
}

#[test]
fn what_is_replaced_need_not_be_taken_off_in_that_spelling() {
    for name in REPLACED {
        let verdict = policy().judge(name);
        assert!(verdict.removed && verdict.bits() & 1 == 0, "{name}");
        let folded = policy().judge(&name.replace('-', "_"));
        assert!(*name == "via" || folded.bits() & 1 == 1, "{name}");
    }
}

#[test]
fn what_conditions_ask_for_passes_in_one_spelling() {
    let mut policy = policy();
    for name in ["x-debug", "x-beta", "x_beta"] {
        policy.ask_for(name);
    }
    for (name, removed) in [
        ("x-beta", false),
        ("x_beta", false),
        ("x.beta", true),
        ("x-debug", false),
        ("x_debug", true),
        ("x.debug", true),
        ("x-debugs", false),
    ] {
        assert_eq!(policy.judge(name).removed, removed, "{name}");
    }
}

#[test]
fn ordinary_fields_stay() {
    for name in [
        "accept",
        "content-type",
        "cookie",
        "traceparent",
        "tracestate",
        "cf-ray",
        "cf-connecting-ip",
        "x-custom",
        "idempotency-key",
        "host",
    ] {
        assert!(!policy().judge(name).removed, "{name}");
    }
}

#[test]
fn what_the_configuration_names_goes_in_every_spelling() {
    for name in ["x-internal-", "x-internal-a", "x_internal_b", "x-acme-user", "x.acme_user"] {
        assert!(policy().judge(name).removed, "{name}");
    }
    for name in ["x-internal", "x-internals", "x-acme-user-2", "x-acme"] {
        assert!(!policy().judge(name).removed, "{name}");
    }
}

#[test]
fn a_pattern_is_a_name_or_the_beginning_of_one() {
    for text in ["", "*", "x-*-y", "*-x", "x y*", "x-**", "x:", "é*"] {
        assert_eq!(NamePattern::parse(text), None, "{text}");
    }
}

#[test]
fn a_list_in_connection_is_long_after_64_names() {
    let names = |count: usize| vec!["x"; count].join(",");
    assert!(!lists_too_many("") && !lists_too_many("close") && !lists_too_many(&names(64)));
    assert!(lists_too_many(&names(65)) && lists_too_many(&",".repeat(64)));
}

/// Reading a value costs a call of the runtime: only what may hold a credential is read.
#[test]
fn values_are_read_of_fields_that_may_hold_a_credential_and_reach_a_backend() {
    let read = |name: &str| policy().judge(name).seen.has(PresentFields::MAY_HOLD_CREDENTIAL);
    for name in ["apikey", "x-access-token", "cookie", "referer", "sec-websocket-protocol", "x_api-token"] {
        assert!(read(name), "{name}");
    }
    for name in
        ["accept", "content-type", "user-agent", "cf-ray", "authorization", "x-api-key", "x-subject", "via"]
    {
        assert!(!read(name), "{name}");
    }
}

#[test]
fn the_platforms_fields_pass_in_their_own_spelling_only() {
    assert!(policy().judge("cf_connecting_ip").removed);
    assert!(policy().judge("cf-connecting.ip").removed);
    assert!(policy().judge("cf-access-authenticated-user-email").removed);
}

#[test]
fn connection_lists_names_and_nothing_else() {
    let names: Vec<_> = listed_by_connection("close, X-Custom ,, bad name,x_y").collect();
    assert_eq!(names, ["close", "x-custom", "x_y"]);
}

#[test]
fn the_key_field_is_seen() {
    assert!(policy().judge("x-api-key").seen.has(PresentFields::API_KEY));
    assert!(!policy().judge("x_api_key").seen.has(PresentFields::API_KEY));
}

#[test]
fn lines_are_told_apart_whatever_is_in_them() {
    let mut lines = FieldLines::default();
    lines.push("via", "1.1 a, 1.1 b");
    lines.push("x-empty", "");
    lines.push("x-broken", "a\r\nx-forged: b\n");
    assert_eq!(lines.as_str(), "via\n1.1 a, 1.1 b\nx-empty\n\nx-broken\na  x-forged: b \n");
    let fields: Vec<_> = lines.iter().collect();
    assert_eq!(fields, [("via", "1.1 a, 1.1 b"), ("x-empty", ""), ("x-broken", "a  x-forged: b ")]);
}

proptest! {
    #[test]
    fn no_spelling_of_an_identity_field_passes(separators in proptest::collection::vec("[!#$%&'*+.^_`|~-]", 2)) {
        let name = format!("x{}customer{}id", separators[0], separators[1]);
        prop_assert!(policy().judge(&name).removed, "{}", name);
    }

    #[test]
    fn no_spelling_of_another_proxys_field_passes(
        name in proptest::sample::select(vec![
            "remote-user", "x-auth-request-user", "x-ms-client-principal-id", "x-goog-iap-jwt-assertion",
            "x-amzn-oidc-data", "x-ssl-client-cert", "client-cert-chain", "cloudflare-workers-version-key",
            "x-middleware-subrequest", "x-authenticated-by",
        ]),
        separators in proptest::collection::vec("[!#$%&'*+.^_`|~-]", 4),
        upper in any::<bool>(),
    ) {
        let mut separators = separators.iter();
        let spelled: String = name
            .chars()
            .map(|letter| if letter == '-' { separators.next().unwrap().clone() } else { letter.into() })
            .collect();
        let spelled = if upper { spelled.to_ascii_uppercase() } else { spelled };
        prop_assert!(policy().judge(&spelled).removed, "{}", spelled);
    }

    #[test]
    fn field_values_are_safe_and_never_collide(texts in proptest::collection::vec("\\PC{0,6}|[ %\r\n\0a-c]{0,6}", 2..20)) {
        let mut from: HashMap<String, String> = HashMap::new();
        for text in texts {
            let value = field_value(&text).into_owned();
            prop_assert!(value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()));
            prop_assert_eq!(value.trim(), &value);
            let other = from.insert(value, text.clone());
            prop_assert!(other.is_none_or(|other| other == text));
        }
    }
}
