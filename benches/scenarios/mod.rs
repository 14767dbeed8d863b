//! What the hot path does, by name: each with all that it needs in memory.

use std::borrow::Cow;

use pointsman_core::{
    base::{digest::Digest, time::Timestamp},
    decide::{
        decision::{LoadedForRequest, Outcome},
        request_log::LoggedRequest,
    },
    directory::{
        record_key::RecordKey,
        row::Row,
        shard::{Shard, encode},
    },
    http::{
        head::{Fields, Head, PresentFields, RequestTarget},
        prelude::RequestPrelude,
    },
    routing::{pattern::Pattern, table::RouteTable},
};
use pointsman_testkit::{Isolate, TestFields, World, bearer, gateway_of, key, noon, token};

/// What is measured: a thing done once.
pub(crate) type Work = Box<dyn FnMut()>;

/// A name, and what makes everything ready.
type Scenario = (&'static str, fn() -> Work);

/// All of them.
pub(crate) const SCENARIOS: &[Scenario] = &[
    ("decide-key-customer", || decide("/customer/x", &bearer(&key("acme")), 1, 1)),
    ("decide-token-customer", || decide("/customer/x", &bearer(&token("customer-acme")), 1, 1)),
    ("decide-template", || decide("/template/x", &bearer(&key("enterprise")), 1, 1)),
    ("decide-split", || decide("/split/x", &bearer(&key("acme")), 1, 1)),
    ("decide-rule-500", || decide("/customer/x", &bearer(&key("acme")), 500, 1)),
    ("decide-key-trace-passes", || traced("")),
    ("decide-key-trace-trusted", || traced("[tracing]\ncontext = \"trust\"\n")),
    ("decide-routes-1000", || decide("/customer/x", &bearer(&key("acme")), 1, 1000)),
    ("route-of-1000", route),
    ("cache-lookup", lookup),
    ("digest-of-a-token", digest),
    ("take-shard-of-10000", take_shard),
    ("find-in-shard-of-10000", find_in_shard),
];

fn configuration(rules: usize, routes: usize) -> String {
    let others = (1..rules).map(|number| {
        format!(r#"{{ name = "rule-{number}", when = {{ environment = "other-{number}" }}, to = "next" }},"#)
    });
    let beside = (1..routes).map(|number| {
        format!(
            r#"
[[routes]]
path = "/section-{}/thing-{number}/{{+path}}"
auth = ["api_key"]
rules = [{{ name = "next", to = "next" }}]
"#,
            number % 40
        )
    });
    format!(
        r#"
[api_keys]
prefixes = ["sk_live", "sk_test"]

[[issuers]]
name = "main"
issuer = "https://id.example.com/"
audience = "https://api.example.com"
jwks_url = "https://id.example.com/.well-known/jwks.json"
algorithms = ["ES256"]

[customers]

[backends]
production = {{ url = "https://production.backends.example.com" }}
next = {{ url = "https://next.backends.example.com" }}
dedicated = {{ url = "https://{{tenant_id}}.api.example.com" }}

[[routes]]
path = "/customer/{{+path}}"
auth = ["api_key", "main"]
rewrite = "/{{+path}}"
rules = [{}{{ name = "customer", to = "customer" }}]

[[routes]]
path = "/template/{{+path}}"
auth = ["api_key"]
rules = [{{ name = "enterprise", when = {{ subscription_tier = "enterprise" }}, to = "dedicated" }}]

[[routes]]
path = "/split/{{+path}}"
auth = ["api_key"]
rules = [{{ name = "rollout", split = [{{ to = "production", weight = 95 }}, {{ to = "next", weight = 5 }}], by = ["customerId"] }}]
{}"#,
        others.collect::<String>(),
        beside.collect::<String>(),
    )
}

/// A whole decision, and the line for the log.
fn decide(path: &'static str, authorization: &str, rules: usize, routes: usize) -> Work {
    let isolate = Isolate::new(gateway_of(&configuration(rules, routes)));
    let fields = TestFields {
        // As the platform sends them.
        fields: vec![
            ("authorization".to_owned(), authorization.to_owned()),
            ("cf-connecting-ip".to_owned(), "203.0.113.7".to_owned()),
        ],
        ..TestFields::default()
    };
    let world = World::of_fixtures();
    let warm = isolate.request(&world, "GET", path, fields.clone());
    assert!(matches!(warm.outcome, Outcome::Forward(_)), "{path}: {:?}", warm.refusal());
    let url = format!("https://api.example.com{path}?expand=lines");
    let seen = PresentFields::AUTHORIZATION.and(PresentFields::CF_CONNECTING_IP);
    Box::new(move || decide_once(&isolate, &url, &fields, seen))
}

/// Fields as they cross from JavaScript.
struct Crossed(RequestPrelude);

impl Fields for Crossed {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        self.0.field(name).map(Cow::Borrowed)
    }
}

/// The same of a request that is of a trace which is not sampled.
fn traced(tracing: &str) -> Work {
    let authorization = bearer(&key("acme"));
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
    let isolate = Isolate::new(gateway_of(&format!("{tracing}{}", configuration(1, 1))));
    let warm = isolate.get(&World::of_fixtures(), "/customer/x", &[("authorization", &authorization)]);
    assert!(matches!(warm.outcome, Outcome::Forward(_)), "{:?}", warm.refusal());
    let crossed = Crossed(RequestPrelude::new(format!(
        "0\0GET\0{URL}\0authorization\0{authorization}\0cf-connecting-ip\0203.0.113.7\0traceparent\0{traceparent}"
    )));
    let seen =
        PresentFields::AUTHORIZATION.and(PresentFields::CF_CONNECTING_IP).and(PresentFields::TRACEPARENT);
    Box::new(move || decide_once(&isolate, URL, &crossed, seen))
}

const URL: &str = "https://api.example.com/customer/x?expand=lines";

fn decide_once(isolate: &Isolate, url: &str, fields: &dyn Fields, seen: PresentFields) {
    let Some(target) = RequestTarget::parse(url) else { return };
    let head = Head { method: "GET", target, seen, fields, request_id: "8f1c2d3e4f5a6b7c-FRA" };
    let mut memory = isolate.memory.borrow_mut();
    let decision = isolate.gateway.decide(&head, &mut memory, &LoadedForRequest::default(), at_noon());
    let subject = LoggedRequest { time: at_noon(), request_id: head.request_id, method: head.method };
    std::hint::black_box((decision.trace.open(subject), decision.outcome));
}

/// A path among those of a thousand routes.
fn route() -> Work {
    let mut table = RouteTable::default();
    for number in 0..1000 {
        let pattern = Pattern::parse(&format!("/section-{}/thing-{number}/{{+path}}", number % 40));
        table.insert(&pattern.expect("a pattern"), "GET", number);
    }
    Box::new(move || {
        std::hint::black_box(table.find(std::hint::black_box("/section-17/thing-537/orders/4711")));
    })
}

/// A key in memory.
fn lookup() -> Work {
    let isolate = Isolate::new(gateway_of(&configuration(1, 1)));
    let world = World::of_fixtures();
    let credential = key("acme");
    let warm = isolate.get(&world, "/customer/x", &[("authorization", &bearer(&credential))]);
    assert!(matches!(warm.outcome, Outcome::Forward(_)), "{:?}", warm.refusal());
    let digest = Digest::of(credential.as_bytes());
    Box::new(move || {
        let memory = isolate.memory.borrow();
        std::hint::black_box(memory.keys.lookup(std::hint::black_box(&digest), at_noon(), false));
    })
}

/// The name that a token is remembered by.
fn digest() -> Work {
    let token = token("customer-acme");
    Box::new(move || {
        std::hint::black_box(Digest::of(std::hint::black_box(token.as_bytes())));
    })
}

/// A shard with ten thousand keys and as many customers, in the order of their keys.
fn shard() -> Vec<u8> {
    let record = |number: u32| {
        let id = format!("customer-{number:07}");
        let key = format!(r#"{{"subject":"c{number:07}-ci","claims":{{"customerId":"{id}"}}}}"#);
        let customer =
            format!(r#"{{"customerId":"{id}","backendUrl":"https://c{number:07}.tenants.example.com"}}"#);
        [(api_key(number), Row::of(key)), (RecordKey::customer(&id), Row::of(customer))]
    };
    let mut rows: Vec<_> = (0..10_000).flat_map(record).collect();
    rows.sort_by_key(|(key, _)| *key);
    encode(&rows, 0)
}

fn api_key(number: u32) -> RecordKey {
    RecordKey::api_key(&Digest::of(format!("key-of-{number}").as_bytes()))
}

/// Taking a shard whose bytes have come, the copy into the core's memory included.
fn take_shard() -> Work {
    let bytes = shard();
    Box::new(move || {
        std::hint::black_box(Shard::parse(std::hint::black_box(bytes.clone()), 0).expect("a shard"));
    })
}

/// The row of a key that was not looked for before.
fn find_in_shard() -> Work {
    let shard = Shard::parse(shard(), 0).expect("a shard");
    let mut number = 0;
    Box::new(move || {
        number = (number + 1) % 10_000;
        std::hint::black_box(shard.find(&api_key(number), "").expect("a row"));
    })
}

/// Parsed once: parsing a time is no part of a request.
fn at_noon() -> Timestamp {
    thread_local! {
        static NOON: Timestamp = noon();
    }
    NOON.with(|noon| *noon)
}
