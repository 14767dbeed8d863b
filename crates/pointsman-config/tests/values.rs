//! Values that an operand never has: each is a fault that says what to write.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::collections::HashMap;

use serde_json::{Value, json};

/// What is found in a gateway whose first route has these conditions and methods, without the place of its first rule.
fn findings(when: &Value, methods: &Value) -> Vec<String> {
    let file = json!({
        "backends": { "b": { "url": "https://b.example" } },
        "routes": [{
            "path": "/",
            "auth": [],
            "methods": methods,
            "rules": [{ "name": "tested", "when": when, "deny": 403 }, { "name": "rest", "to": "b" }],
        }],
    });
    let none: HashMap<String, String> = HashMap::new();
    let found = match pointsman_config::parse(&file.to_string(), &none) {
        Ok(checked) => checked.warnings,
        Err(findings) => findings,
    };
    let place = "/routes/0/rules/0/when/";
    found.iter().map(|finding| finding.to_string().replace(place, "")).collect()
}

fn when(when: &Value) -> Vec<String> {
    findings(when, &json!(["GET"]))
}

#[test]
fn what_an_operand_never_is_is_a_fault_that_says_what_to_write() {
    let no_host = "is no host as the gateway compares it, in lower case and without scheme, port and path";
    for (condition, expected) in [
        (
            json!({ "$country": "kp" }),
            "$country: never holds: \"kp\" is no country's code: write \"KP\" for North Korea",
        ),
        (
            json!({ "$country": ["DE", "Germany"] }),
            "$country/1: never holds: \"Germany\" is no country's code: write \"DE\" for Germany",
        ),
        (
            json!({ "$country": { "not": { "in": ["UK"] } } }),
            "$country/not/in/0: never holds: \"UK\" is no country's code: write \"GB\" for United Kingdom",
        ),
        (json!({ "$country": "t1" }), "$country: never holds: \"t1\" is no country's code: write \"T1\""),
        (
            json!({ "$country": "EU" }),
            "$country: never holds: \"EU\" is no country's code: write \"$eu\" = true for the European Union, or \"$continent\" = \
             \"EU\" for Europe",
        ),
        (
            json!({ "$country": "Africa" }),
            "$country: never holds: \"Africa\" is no country's code: write \"$continent\" = \"AF\" for Africa",
        ),
        (
            json!({ "$country": { "any": "ZZ" } }),
            "$country/any: never holds: \"ZZ\" is no country's code: write two capital letters as in ISO 3166-1, such as \"DE\", \
             or \"T1\" for Tor",
        ),
        (
            json!({ "$country": { "prefix": "d" } }),
            "$country/prefix: never holds: $country is in capital letters: write \"D\"",
        ),
        (
            json!({ "$continent": "eu" }),
            "$continent: never holds: \"eu\" is no continent's code: write \"EU\"",
        ),
        (
            json!({ "$continent": "Europe" }),
            "$continent: never holds: \"Europe\" is no continent's code: write \"EU\"",
        ),
        (
            json!({ "$continent": "DE" }),
            "$continent: never holds: \"DE\" is no continent's code: write \"$country\" = \"DE\"",
        ),
        (
            json!({ "$continent": "XY" }),
            "$continent: never holds: \"XY\" is no continent's code: write one of AF, AN, AS, EU, NA, OC, SA",
        ),
        (json!({ "$region": "by" }), "$region: never holds: $region is in capital letters: write \"BY\""),
        (
            json!({ "$region": "DE-BY" }),
            "$region: never holds: $region is the code without its country: write \"$country\" = \"DE\", \"$region\" = \"BY\"",
        ),
        (
            json!({ "$region": "Bavaria" }),
            "$region: never holds: \"Bavaria\" is no code of a part of a country: write the one to three capital letters or digits \
             behind the - in ISO 3166-2, such as \"BY\" for Bavaria (DE-BY)",
        ),
        (json!({ "$colo": "fra" }), "$colo: never holds: $colo is in capital letters: write \"FRA\""),
        (
            json!({ "$colo": "Frankfurt" }),
            "$colo: never holds: \"Frankfurt\" is no data centre's code: write three capital letters, those of an airport nearby, \
             such as \"FRA\"",
        ),
        (
            json!({ "$tls_version": "1.3" }),
            "$tls_version: never holds: \"1.3\" is no version as the platform names it: write \"TLSv1.3\"",
        ),
        (
            json!({ "$tls_version": "TLS 1.0" }),
            "$tls_version: never holds: \"TLS 1.0\" is no version as the platform names it: write \"TLSv1\"",
        ),
        (json!({ "$asn": 0 }), "$asn: never holds: $asn is a whole number from 1 to 4294967295"),
        (json!({ "$bot_score": 1.5 }), "$bot_score: never holds: $bot_score is a whole number from 1 to 99"),
        (
            json!({ "$bot_score": { "<": 1 } }),
            "$bot_score/<: never holds: $bot_score is a whole number from 1 to 99",
        ),
        (
            json!({ "$bot_score": { ">": 99 } }),
            "$bot_score/>: never holds: $bot_score is a whole number from 1 to 99",
        ),
        (
            json!({ "$method": "get" }),
            "$method: never holds: \"get\" is no method of a request that reaches a Worker: write \"GET\"",
        ),
        (
            json!({ "$method": { "prefix": "P", "suffix": "st" } }),
            "$method/suffix: never holds: $method is in capital letters: write \"ST\"",
        ),
    ] {
        assert_eq!(when(&condition), [expected], "{condition}");
    }
    for (host, write) in [
        ("API.example.com", "write \"api.example.com\""),
        ("api.example.com:8443", "write \"api.example.com\""),
        ("https://Api.example.com/x", "write \"api.example.com\""),
        ("*.example.com", "write { suffix = \".example.com\" }"),
        ("bücher.example", "write \"xn--bcher-kva.example\""),
        ("", "write a host such as \"api.example.com\""),
    ] {
        let expected = format!("$host: never holds: {host:?} {no_host}: {write}");
        assert_eq!(when(&json!({ "$host": host })), [expected]);
    }
    let expected = format!("$host/suffix: never holds: \".Example.com\" {no_host}: write \".example.com\"");
    assert_eq!(when(&json!({ "$host": { "suffix": ".Example.com" } })), [expected]);
}

#[test]
fn what_an_operand_may_be_is_none() {
    for condition in [
        json!({ "$country": ["DE", "XK", "T1", "XX", "KP"], "$continent": ["EU", "T1"], "$region": ["BY", "1", "ENG"] }),
        json!({ "$country": { "prefix": ["D", "F"] }, "$colo": { "in": ["FRA", "MUC"] }, "$eu": false }),
        json!({ "$tls_version": { "prefix": "TLSv1", "not": ["TLSv1", "TLSv1.1"] } }),
        json!({ "$bot_score": { ">=": 1, "<=": 99 }, "$asn": [1, 4_294_967_295_u32] }),
        json!({ "$method": ["GET", "PROPFIND", "QUERY"], "$host": ["localhost", "api.example.com", "[::1]"] }),
        json!({ "$host": { "suffix": ".example.com" } }),
        json!({ "country": "Germany", "method": "get", "$header:host": "API.example.com", "$query:c": "kp" }),
    ] {
        assert_eq!(when(&condition), Vec::<String>::new(), "{condition}");
    }
}

#[test]
fn where_the_platform_may_get_new_values_it_is_a_warning() {
    let found = when(&json!({ "$colo": "ZZZ", "$tls_version": "TLSv1.4" }));
    assert!(found[0].starts_with("$colo: no data centre of the code \"ZZZ\" is known here"), "{found:?}");
    assert!(
        found[1].starts_with("$tls_version: \"TLSv1.4\" is no version of TLS that is known here"),
        "{found:?}"
    );
    assert_eq!(found.len(), 2, "{found:?}");
}

#[test]
fn a_route_has_methods_that_reach_it() {
    let at = |index: usize| format!("/routes/0/methods/{index}: ");
    let no_method = "is no method of a request that reaches a Worker: write";
    assert_eq!(
        findings(&json!({ "a": 1 }), &json!(["get", "GET", "TRACE", "Purge"])),
        [
            format!("{}\"get\" {no_method} \"GET\"", at(0)),
            format!("{}TRACE cannot be forwarded", at(2)),
            format!("{}\"Purge\" {no_method} \"PURGE\"", at(3)),
        ]
    );
    let found = findings(&json!({ "a": 1 }), &json!(["GETT"]));
    assert!(found[0].starts_with(&format!("{}\"GETT\" {no_method} one of GET, HEAD", at(0))), "{found:?}");
}
