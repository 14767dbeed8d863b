//! The examples of `fixtures/wire`, which `tests/edge/wire.test.mjs` reads too. Those that Rust writes are made here:
//! `POINTSMAN_WRITE_FIXTURES=1 cargo test -p pointsman --lib wire` writes them anew. Those that Rust reads are written by
//! hand, and JavaScript must write the same.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::{env, fs, rc::Rc};

use pointsman_core::{
    forward::{
        assertion::Assertions,
        limit::{Admission, CounterRequest, QuotaAsk},
        plan::{Attempt, Plan, Sending},
    },
    http::{cors::AnswerEdits, fields::FieldLines, head::PresentFields, prelude::RequestPrelude},
};
use serde_json::{Value, json};

use super::*;

/// Compares a file of examples with what is written now, or writes it.
fn current(name: &str, examples: &Value) {
    let file = format!("fixtures/wire/{name}.json");
    let written = format!("{examples:#}\n");
    if env::var_os("POINTSMAN_WRITE_FIXTURES").is_some() {
        fs::write(pointsman_testkit::root().join(&file), written).unwrap();
    } else {
        assert!(pointsman_testkit::read(&file) == written, "{file} is not what wire.rs writes");
    }
}

fn example(about: &str, text: impl Into<String>, value: Value) -> Value {
    json!({ "about": about, "text": text.into(), "value": value })
}

fn direct(url: &str) -> Sending {
    Sending::Direct { url: url.to_owned(), timeout: Span::from_secs(5) }
}

fn forward() -> Forward {
    Forward {
        sending: direct("https://b.example/x?y=%20"),
        remove: Vec::new(),
        set: FieldLines::default(),
        edits: AnswerEdits::default(),
        server_timing: false,
        admission: None,
    }
}

const LINE: &str = r#"{"event":"request""#;

fn dispatch(forward: &Forward) -> String {
    let origin = forward.sending.plan().is_none().then_some("https://b.example");
    encode_dispatch(&DispatchParts { forward, line: LINE, request_id: "8f1c-FRA", origin })
}

/// What JavaScript makes of `dispatch(&forward())`, but for these members.
fn dispatched(members: Value) -> Value {
    let mut value = json!({
        "url": "https://b.example/x?y=%20",
        "remove": "",
        "set": "",
        "edits": edits(json!({})),
        "line": LINE,
        "requestId": "8f1c-FRA",
        "origin": "\"https://b.example\"",
    });
    merge(&mut value, members);
    value
}

/// The edits of an answer that is handed on as it came, but for these members.
fn edits(members: Value) -> Value {
    let mut value = json!({
        "replacesCors": false,
        "varyOrigin": false,
        "serverTiming": false,
        "privacy": "untouched",
        "isolates": false,
        "set": [],
    });
    merge(&mut value, members);
    value
}

fn merge(value: &mut Value, members: Value) {
    let Value::Object(members) = members else { panic!("{members} is no object") };
    for (name, member) in members {
        value[name] = member;
    }
}

fn attempt(origin: &str) -> Attempt {
    Attempt {
        url: format!("{origin}/x"),
        origin: Rc::from(origin),
        key: format!("backend shared\n{origin}"),
        trial: false,
        timeout: 2000,
        binding: None,
        assertion: None,
        secrets: None,
    }
}

fn ask(name: &str, quota: Option<QuotaAsk>) -> CounterRequest {
    CounterRequest {
        name: Rc::from(name),
        binding: Rc::from("COUNTER"),
        key: "0".repeat(64),
        timeout: 250,
        closed: quota.is_some(),
        retry_after: 60,
        quota,
    }
}

#[test]
fn dispatches() {
    let mut fields = Forward { remove: vec!["x-a".to_owned(), "x-b".to_owned()], ..forward() };
    fields.set.push("via", "1.1 pointsman");
    fields.set.push("x-subject", "");
    let nul = Forward { sending: direct(&"https://b.example/\0x?y=%20".replace("\0x", "x\0")), ..forward() };
    let first = Attempt {
        trial: true,
        binding: Some(Rc::from("ORDERS")),
        assertion: Some("{\"aud\":\"https://a.example\"}".to_owned()),
        secrets: Some(Rc::from("x-secret\na..b.c.d\n")),
        ..attempt("https://a.example")
    };
    let plan = Plan {
        attempts: vec![first, attempt("https://b.example")],
        deadline: 3000,
        statuses: vec![502, 503],
        breaker: (3, 50, 5000),
        caller: Some("0123456789abcdef".to_owned()),
        needs_size: true,
    };
    let quota = QuotaAsk {
        count: "monthly/month/calendar".to_owned(),
        quota: 1000,
        batch: 10,
        window: Some((1_785_542_400_000, 1_788_220_800_000)),
        span: 2_592_000_000,
    };
    let first_use = QuotaAsk { window: None, count: "hourly/hour/first-use".to_owned(), ..quota };
    let admission = Admission {
        policy: "\"standard\";q=100;w=60".to_owned(),
        asks: vec![ask("standard", None), ask("monthly", Some(quota)), ask("hourly", Some(first_use))],
    };
    let single = Plan { attempts: vec![attempt("https://a.example")], ..Plan::default() };
    let [rate, monthly, hourly] = [("standard", false), ("monthly", true), ("hourly", true)].map(|(name, closed)| {
        json!({
            "name": name, "binding": "COUNTER", "key": "0".repeat(64), "timeout": 250, "closed": closed, "retry_after": 60,
        })
    });
    let with_quota = |mut ask: Value, quota: Value| {
        ask["quota"] = quota;
        ask
    };
    let second = json!({
        "url": "https://b.example/x", "origin": "https://b.example", "key": "backend shared\nhttps://b.example", "timeout": 2000,
    });
    current(
        "dispatch",
        &json!([
            example("one call of one URL", dispatch(&forward()), dispatched(json!({}))),
            example(
                "fields to take off and to set",
                dispatch(&fields),
                dispatched(json!({ "remove": "x-a\nx-b", "set": "via\n1.1 pointsman\nx-subject\n\n" })),
            ),
            example("a separator in a part is taken out", dispatch(&nul), dispatched(json!({}))),
            example(
                "a plan",
                dispatch(&Forward { sending: Sending::Planned(plan), ..forward() }),
                dispatched(json!({ "url": "https://a.example/x", "origin": "", "plan": {
                    "attempts": [
                        {
                            "url": "https://a.example/x",
                            "origin": "https://a.example",
                            "key": "backend shared\nhttps://a.example",
                            "trial": true,
                            "timeout": 2000,
                            "binding": "ORDERS",
                            "assertion": "{\"aud\":\"https://a.example\"}",
                            "secrets": "x-secret\na..b.c.d\n",
                        },
                        second,
                    ],
                    "deadline": 3000,
                    "statuses": [502, 503],
                    "breaker": [3, 50, 5000],
                    "caller": "0123456789abcdef",
                    "needs_size": true,
                } })),
            ),
            example(
                "a plan of one attempt, of which nothing is noted",
                dispatch(&Forward { sending: Sending::Planned(single), ..forward() }),
                dispatched(json!({ "url": "https://a.example/x", "origin": "", "plan": {
                    "attempts": [{
                        "url": "https://a.example/x",
                        "origin": "https://a.example",
                        "key": "backend shared\nhttps://a.example",
                        "timeout": 2000,
                    }],
                    "deadline": 0,
                    "statuses": [],
                    "breaker": [0, 0, 0],
                    "needs_size": false,
                } })),
            ),
            example(
                "limits",
                dispatch(&Forward { admission: Some(admission), ..forward() }),
                dispatched(json!({ "admission": {
                    "policy": "\"standard\";q=100;w=60",
                    "asks": [
                        rate,
                        with_quota(monthly, json!({
                            "count": "monthly/month/calendar",
                            "quota": 1000,
                            "batch": 10,
                            "window": [1_785_542_400_000_u64, 1_788_220_800_000_u64],
                            "span": 2_592_000_000_u64,
                        })),
                        with_quota(hourly, json!({
                            "count": "hourly/hour/first-use", "quota": 1000, "batch": 10, "span": 2_592_000_000_u64,
                        })),
                    ],
                } })),
            ),
        ]),
    );
}

#[test]
fn edits_of_answers() {
    let mut examples = Vec::new();
    let privacies = [
        (AnswerPrivacy::Untouched, "untouched"),
        (AnswerPrivacy::IfShareable, "if-shareable"),
        (AnswerPrivacy::UnlessPrivate, "unless-private"),
    ];
    let set =
        vec![("access-control-allow-origin", "https://a.example".to_owned()), ("x-y", "a\nb".to_owned())];
    for (privacy, word) in privacies {
        for bits in 0..16_u8 {
            let [replaces_cors, vary_origin, server_timing, isolates] =
                [1, 2, 4, 8].map(|bit| bits & bit > 0);
            let own = AnswerEdits { replaces_cors, vary_origin, privacy, isolates, ..AnswerEdits::default() };
            let forward = Forward { edits: own, server_timing, ..forward() };
            let value = edits(json!({
                "replacesCors": replaces_cors,
                "varyOrigin": vary_origin,
                "serverTiming": server_timing,
                "privacy": word,
                "isolates": isolates,
            }));
            examples.push(example("flags", encode_edits(&forward), value));
        }
    }
    let with_fields = Forward {
        edits: AnswerEdits { replaces_cors: true, vary_origin: true, set, ..AnswerEdits::default() },
        ..forward()
    };
    examples.push(example(
        "fields; a line break in a value is a space",
        encode_edits(&with_fields),
        edits(json!({
            "replacesCors": true,
            "varyOrigin": true,
            "set": [["access-control-allow-origin", "https://a.example"], ["x-y", "a b"]],
        })),
    ));
    let set = vec![("x-request-id", "8f1c".to_owned())];
    let in_a_shape =
        |set| Forward { edits: AnswerEdits { errors: Some(12), set, ..AnswerEdits::default() }, ..forward() };
    examples.push(example("a shape", encode_edits(&in_a_shape(Vec::new())), edits(json!({ "shape": 12 }))));
    examples.push(example(
        "a shape and a field",
        encode_edits(&in_a_shape(set)),
        edits(json!({ "shape": 12, "set": [["x-request-id", "8f1c"]] })),
    ));
    current("edits", &Value::Array(examples));
}

#[test]
fn fields() {
    let none: [(&'static str, String); 0] = [];
    let some = [("via", "1.1 a".to_owned()), ("x-empty", String::new()), ("x-broken", "a\r\nb".to_owned())];
    current(
        "fields",
        &json!([
            example("none", encode_fields(&none), json!([])),
            example(
                "a line break in a value is a space",
                encode_fields(&some),
                json!([["via", "1.1 a"], ["x-empty", ""], ["x-broken", "a  b"]]),
            ),
        ]),
    );
}

#[test]
fn answers() {
    let fields = [("content-type", "application/problem+json".to_owned()), ("x-broken", "a\nb".to_owned())];
    let answer = |refusal, body| encode_answer(&AnswerParts { line: LINE, refusal, fields: &fields, body });
    let lines = "content-type\napplication/problem+json\nx-broken\na b\n";
    current(
        "answer",
        &json!([
            example(
                "a refusal",
                answer(Some(Refusal::RouteUnknown), Some("{\"status\":404}")),
                json!({ "line": LINE, "reason": "route_unknown", "fields": lines, "body": "{\"status\":404}" }),
            ),
            example(
                "a body that is empty, and no refusal",
                answer(None, Some("")),
                json!({ "line": LINE, "fields": lines, "body": "" }),
            ),
            example("no body", answer(None, None), json!({ "line": LINE, "fields": lines })),
        ]),
    );
}

#[test]
fn failures() {
    let template =
        Template { content_type: "text/plain".to_owned(), body: "{status}: {detail}\n".to_owned() };
    let shapes = [ErrorShape::ProblemAlone, ErrorShape::Template(template)];
    let text = encode_failures("https://errors.example.com/", &shapes);
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["unreachable"]["type"], "https://errors.example.com/backend-unreachable");
    assert_eq!(value["unreachable"]["status"], 502);
    current("failures", &json!([example("every one", text, value)]));
}

#[test]
fn signer() {
    let gateway = pointsman_testkit::gateway("identity-token");
    let text = gateway.identity().token.as_ref().and_then(Assertions::signer).unwrap();
    let key = pointsman_testkit::json("fixtures/keys/private.json")["es256-1"].clone();
    let public = |name: &str| key[name].clone();
    let value = json!({
        "field": "x-pointsman-identity",
        "scheme": "",
        // {"alg":"ES256","kid":"wNAe…","typ":"JWT"}
        "header": "eyJhbGciOiJFUzI1NiIsImtpZCI6IndOQWVVYm9yYnd5ZFFKclRDbTdfWWZObmpPaklINGZpcXpDYlNUUE1kNE0iLCJ0eXAiOiJKV1QifQ",
        "lifetime": 60,
        "kid": "wNAeUborbwydQJrTCm7_YfNnjOjIH4fiqzCbSTPMd4M",
        "publicKey": { "crv": public("crv"), "kty": public("kty"), "x": public("x"), "y": public("y") },
        "d": key["d"],
        "algorithm": { "name": "ECDSA", "namedCurve": "P-256", "hash": "SHA-256" },
    });
    current("signer", &json!([example("an ES256 key of the tests", text, value)]));
}

/// Examples that JavaScript writes: text and value.
fn from_javascript(name: &str) -> Vec<(String, Value)> {
    let examples = pointsman_testkit::json(format!("fixtures/wire/{name}.json"));
    let examples: Vec<_> = examples
        .as_array()
        .unwrap()
        .iter()
        .map(|example| (example["text"].as_str().unwrap().to_owned(), example["value"].clone()))
        .collect();
    assert!(!examples.is_empty());
    examples
}

/// The numbers that stand for how an attempt ended, by their names in JavaScript.
fn ended(number: &Value) -> Ended {
    let numbers = pointsman_testkit::json("fixtures/wire/ended.json");
    let names = numbers.as_object().unwrap();
    let (name, _) = names.iter().find(|(_, own)| *own == number).unwrap();
    match name.as_str() {
        "answered" => Ended::Answered,
        "failed" => Ended::Failed,
        "suspected" => Ended::Suspected,
        "nothing" => Ended::Nothing,
        other => panic!("{other} is no end"),
    }
}

fn watched(value: &Value) -> Watched<'_> {
    Watched { key: value["key"].as_str().unwrap(), caller: value["caller"].as_str().unwrap() }
}

#[test]
fn reports_of_attempts() {
    let examples = from_javascript("attempt-report");
    for (text, value) in &examples {
        let breaker = &value["breaker"];
        let expected = AttemptReport {
            ended: ended(&value["ended"]),
            wants_another: value["wantsAnother"].as_bool().unwrap(),
            breaker: Breaker {
                failures: breaker[0].as_u64().unwrap().try_into().unwrap(),
                ratio: breaker[1].as_u64().unwrap().try_into().unwrap(),
                pause: Span::from_millis(breaker[2].as_u64().unwrap()),
            },
            watched: watched(value),
        };
        assert_eq!(decode_attempt_report(text), Some(expected), "{text:?}");
    }
    let shown: Vec<_> = examples.iter().map(|(_, value)| value["ended"].as_u64().unwrap()).collect();
    assert!((0..4).all(|number| shown.contains(&number)), "{shown:?}");
    let whole = ["1", "0", "3", "50", "5000", "caller", "key"];
    assert!(decode_attempt_report(&whole.join("\0")).is_some());
    assert_eq!(decode_attempt_report(&whole[..6].join("\0")), None);
    // No end, and numbers that are none or too large.
    for (part, wrong) in [(0, "4"), (2, "-3"), (3, "500"), (4, "soon")] {
        let mut broken = whole;
        broken[part] = wrong;
        assert_eq!(decode_attempt_report(&broken.join("\0")), None, "{broken:?}");
    }
}

#[test]
fn starts_of_attempts() {
    for (text, value) in from_javascript("attempt-start") {
        let timeout = Span::from_millis(value["timeout"].as_u64().unwrap());
        assert_eq!(decode_attempt_start(&text), Some(AttemptStart { timeout, watched: watched(&value) }));
    }
    for broken in ["", "1\0caller", "soon\0caller\0key"] {
        assert_eq!(decode_attempt_start(broken), None, "{broken:?}");
    }
}

#[test]
fn preludes() {
    for (text, value) in from_javascript("prelude") {
        let prelude = RequestPrelude::new(text);
        assert_eq!(
            prelude.seen(),
            PresentFields::from_bits(value["seen"].as_u64().unwrap().try_into().unwrap())
        );
        assert_eq!(json!([prelude.method(), prelude.url()]), json!([value["method"], value["url"]]));
        let fields: Vec<_> = prelude.fields().map(|(name, value)| json!([name, value])).collect();
        assert_eq!(Value::Array(fields), value["fields"]);
    }
}

#[test]
fn names_of_fields() {
    for (text, value) in from_javascript("names") {
        assert_eq!(json!(decode_names(&text)), value);
    }
}
