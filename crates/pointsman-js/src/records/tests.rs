use pointsman_core::identity::customer_id::CustomerId;

use super::*;

/// Records of each kind and where the first thing is wrong with them, which the console's tests read too.
const TABLE: &str = include_str!("../../../../fixtures/records.json");

fn parsed(json: &str) -> Value {
    serde_json::from_str(json).unwrap()
}

fn pointers(answer: &Value) -> Vec<&str> {
    let findings = answer["findings"].as_array().unwrap();
    findings.iter().map(|finding| finding["pointer"].as_str().unwrap()).collect()
}

#[test]
fn the_table_of_records_holds_and_the_words_are_those_of_the_gateway() {
    let id = CustomerId::parse("acme-corp").unwrap();
    let table = parsed(TABLE);
    assert!(table.as_array().unwrap().len() > 40);
    for entry in table.as_array().unwrap() {
        let record = entry["record"].as_str().unwrap();
        let (answer, error) = match entry["kind"].as_str().unwrap() {
            "key" => (key(record, "customerId", 0.0), KeyConfig::parse(record.as_bytes()).err()),
            "customer" => (
                customer(record, "acme-corp", "never"),
                CustomerConfig::parse(record.as_bytes(), &id, AllowHttp::Never).err(),
            ),
            other => panic!("{other}"),
        };
        let answer = parsed(&answer);
        let expected: Vec<_> = entry["fault"].as_str().into_iter().collect();
        assert_eq!(pointers(&answer), expected, "{record}: {answer}");
        let first = error.map(|error| json!({ "pointer": error.pointer, "message": error.what }));
        assert_eq!(answer["findings"].get(0), first.as_ref(), "{record}");
        let kind = entry["kind"].as_str().unwrap();
        let meaning = answer.get(if kind == "key" { "key" } else { "customer" }).unwrap();
        assert_eq!(meaning.is_null(), !expected.is_empty(), "{record}: {answer}");
    }
}

#[test]
fn a_customers_record_means_what_the_gateway_takes_it_for() {
    let record = r#"{"customerId":"acme","environmentName":"a","backendUrl":"https://A.example:8443/b/",
        "backends":[{"url":"https://b.example","region":"eu","weight":3}],"allowedIps":["192.0.2.0/24","::1"],
        "fetchedAt":"2026-01-01T00:00:00Z","gone":true}"#;
    let expected = serde_json::json!({
        "findings": [],
        "customer": {
            "id": "acme", "environment": "a", "disabled": true, "refreshed": true,
            "backends": [
                { "url": "https://a.example:8443/b", "region": null, "weight": null },
                { "url": "https://b.example", "region": "eu", "weight": 3 },
            ],
            "allowedIps": ["192.0.2.0/24", "::1"],
        },
    });
    assert_eq!(parsed(&customer(record, "acme", "never")), expected);
    let plain = r#"{"customerId":"acme","backendUrl":"http://localhost"}"#;
    let mut answer = parsed(&customer(plain, "acme", "loopback"));
    assert_eq!(answer["customer"]["allowedIps"].take(), Value::Null);
    assert_eq!(pointers(&answer), Vec::<&str>::new());
    for allow_http in ["never", "", "Loopback"] {
        assert_eq!(pointers(&parsed(&customer(plain, "acme", allow_http))), ["/backendUrl"], "{allow_http}");
    }
}

#[test]
fn a_record_under_another_name_is_none_of_that_customer() {
    let record = r#"{"customerId":"acme","backendUrl":"https://a.example"}"#;
    for id in ["wayne", "", "a\nb"] {
        assert_eq!(pointers(&parsed(&customer(record, id, "never"))), ["/customerId"], "{id:?}");
    }
}

#[test]
fn a_keys_record_means_what_the_gateway_takes_it_for() {
    let record = r#"{"subject":"s","expiresAt":"1970-01-01 00:00:01Z","methods":["GET"],"claims":{"org":{"id":"acme"}}}"#;
    let state = |record: &str, now: f64| parsed(&key(record, "/org/id", now))["key"]["state"].take();
    assert_eq!(state(record, 999.0), "active");
    assert_eq!(state(record, 1000.0), "expired");
    assert_eq!(state(&record.replace("\"s\"", "\"s\",\"disabled\":true"), 1000.0), "disabled");
    let expected = serde_json::json!({
        "findings": [],
        "key": { "state": "active", "expiresAt": 1000, "allowedIps": null, "methods": ["GET"] },
        "customer": "acme",
    });
    assert_eq!(parsed(&key(record, "/org/id", 0.0)), expected);
}

#[test]
fn the_customer_of_a_key_is_told_of_any_record_that_can_be_read() {
    let of = |record: &str, claim: &str| parsed(&key(record, claim, 0.0))["customer"].take();
    let claims = r#"{"a/b":1,"org":{"id~x":["acme"]},"big":18446744073709551615,"none":null}"#;
    let record = format!(r#"{{"subject":"s","disbled":true,"claims":{claims}}}"#);
    assert_eq!(pointers(&parsed(&key(&record, "a/b", 0.0))), ["/disbled"]);
    for (claim, expected) in [
        ("a/b", Value::from("1")),
        ("/org/id~0x/0", Value::from("acme")),
        ("org", Value::from(r#"{"id~x":["acme"]}"#)),
        ("big", Value::from("18446744073709551615")),
        ("none", Value::Null),
        ("org.id", Value::Null),
        ("/org/none/x", Value::Null),
        ("/org/id~0x/length", Value::Null),
        ("constructor", Value::Null),
        ("", Value::Null),
    ] {
        assert_eq!(of(&record, claim), expected, "{claim}");
    }
    assert_eq!(of(r#"{"claims":{"c":"a"},"claims":{"c":"b"}}"#, "c"), Value::Null);
    assert_eq!(of("nonsense", "c"), Value::Null);
}

#[test]
fn an_object_is_one_for_all_readers() {
    assert_eq!(object_error("\u{feff}{\"a\":{\"a\":1},\"b\":[{\"a\":1},{\"a\":2}]}"), None);
    for json in
        ["", "[]", "null", "7", "{", "{} {}", r#"{"a":1,"a":2}"#, r#"{"a":{"b":[{"c":1,"\u0063":2}]}}"#]
    {
        assert!(object_error(json).is_some(), "{json}");
    }
}

#[test]
fn instants_are_those_of_the_gateway() {
    assert_eq!(millis_of("2026-12-31 23:59:59Z"), Some(1_798_761_599_000.0));
    assert_eq!(millis_of("2026-12-31t23:59:59.5z"), Some(1_798_761_599_500.0));
    assert_eq!(millis_of("1970-01-01T02:00:00+02:00"), Some(0.0));
    for bad in ["", "tomorrow", "2026-07-30", "2026-02-30T00:00:00Z", "1969-12-31T23:59:59Z"] {
        assert_eq!(millis_of(bad), None, "{bad}");
    }
}
