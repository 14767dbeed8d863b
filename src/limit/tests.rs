use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use super::*;
use crate::{
    claims::{Claims, Principal, parse_object},
    request::{Fields, Head, Seen, Target},
    settings::{self, Checked},
};

struct Sent(HashMap<&'static str, &'static str>);

impl Fields for Sent {
    fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).map(|value| (*value).to_owned())
    }
}

const REST: &str = r#"
    [[routes]]
    path = "/{+path}"
    auth = []
    rules = [{ name = "all", to = "shared" }]
    limits = [[{ use = "none", when = { plan = "internal" } }, { use = "gold", when = { plan = "gold" } }, "standard"], "customer"]
    [backends.shared]
    url = "https://shared.example"
    [customers]
    [limits.standard]
    binding = "LIMIT"
    limit = 5
    period = "10s"
    [limits.gold]
    binding = "LIMIT_GOLD"
    limit = 8
    period = "60s"
    by = ["/org/id", "$subject", "$ip"]
    on_failure = "closed"
    [limits.customer]
    binding = "LIMIT"
    limit = 5
    period = "10s"
    by = "$customer"
"#;

fn read(toml_text: &str) -> Result<Checked, Vec<String>> {
    let value: Value = toml::from_str(toml_text).unwrap();
    let none: HashMap<String, String> = HashMap::new();
    settings::parse(&value.to_string(), &none)
        .map_err(|findings| findings.iter().map(ToString::to_string).collect())
}

fn findings(toml_text: &str) -> Vec<String> {
    match read(toml_text) {
        Ok(checked) => checked.warnings.iter().map(ToString::to_string).collect(),
        Err(findings) => findings,
    }
}

/// What must let a caller pass that has this subject, these claims, this address and this customer.
fn asked(
    subject: Option<&str>,
    claims: Value,
    ip: Option<&'static str>,
    customer: Option<&str>,
) -> Option<Admission> {
    let gateway = read(REST).ok().unwrap().gateway;
    let principal = Principal {
        subject: subject.map(Rc::from),
        claims: Claims::new(parse_object(claims.to_string().as_bytes()).unwrap()),
    };
    let fields = Sent(ip.map(|ip| ("cf-connecting-ip", ip)).into_iter().collect());
    let target = Target::parse("https://gw/x").unwrap();
    let seen = if ip.is_some() { Seen::CF_CONNECTING_IP } else { Seen::default() };
    let head = Head { method: "GET", target, seen, fields: &fields, request_id: "r" };
    let facts = Facts { principal: &principal, head: &head, captures: &[] };
    let customer = customer.and_then(CustomerId::parse);
    let method = Method::Token(Rc::from("main"));
    let caller = Caller { facts: &facts, method: &method, customer: customer.as_ref() };
    admission(&gateway.routes[0].limits, &gateway.limits, caller)
}

fn keys(admission: &Admission) -> Vec<&str> {
    admission.asks.iter().map(|ask| ask.key.as_str()).collect()
}

#[test]
fn the_first_tier_that_fits_applies_and_every_entry_does() {
    let names = |claims| -> Vec<String> {
        let admission = asked(Some("u"), claims, None, Some("c")).unwrap();
        admission.asks.iter().map(|ask| ask.name.to_string()).collect()
    };
    assert_eq!(names(json!({ "plan": "gold" })), ["gold", "customer"]);
    assert_eq!(names(json!({ "plan": "silver" })), ["standard", "customer"]);
    assert_eq!(names(json!({})), ["standard", "customer"]);
    assert_eq!(names(json!({ "plan": "internal" })), ["customer"]);
    let admission = asked(Some("u"), json!({ "plan": "gold" }), None, Some("c")).unwrap();
    assert_eq!(admission.policy, r#""gold";q=8;w=60, "customer";q=5;w=10"#);
    let gold = &admission.asks[0];
    assert_eq!((gold.binding.as_ref(), gold.retry_after, gold.closed), ("LIMIT_GOLD", 60, true));
    assert!(!admission.asks[1].closed);
}

#[test]
fn two_callers_never_share_a_key() {
    let gold = |claims: Value, subject, ip, customer| {
        let mut claims = claims;
        claims["plan"] = "gold".into();
        let admission = asked(subject, claims, ip, customer).unwrap();
        admission.asks.into_iter().map(|ask| ask.key).collect::<Vec<_>>()
    };
    let callers = [
        gold(json!({ "org": { "id": "a" } }), Some("u"), None, Some("x")),
        gold(json!({ "org": { "id": "b" } }), Some("a"), None, Some("a")),
        gold(json!({}), Some("a"), Some("192.0.2.1"), Some("b")),
        gold(json!({}), Some("192.0.2.1"), None, Some("192.0.2.1")),
        gold(json!({}), None, Some("192.0.2.1"), Some("$ip")),
        gold(json!({}), None, Some("2001:db8::1"), Some("$subject")),
        gold(json!({}), None, Some("2001:db8:0:1::1"), Some("2001:db8::/64")),
        gold(json!({}), None, None, None),
    ];
    let all: HashSet<_> = callers.iter().flatten().collect();
    assert_eq!(all.len(), 2 * callers.len());
}

#[test]
fn one_caller_always_has_the_same_key() {
    let by_subject = asked(Some("u"), json!({ "exp": 1 }), Some("192.0.2.1"), None).unwrap();
    assert_eq!(by_subject, asked(Some("u"), json!({ "exp": 2 }), Some("192.0.2.2"), None).unwrap());
    let near = asked(None, json!({}), Some("2001:db8::1"), None).unwrap();
    assert_eq!(near, asked(None, json!({}), Some("2001:db8:0:0:ffff::1"), None).unwrap());
}

#[test]
fn a_key_names_nobody() {
    let admission = asked(Some("alice"), json!({}), Some("192.0.2.1"), Some("acme-corp")).unwrap();
    let written = serde_json::to_string(&admission).unwrap();
    for secret in ["alice", "192.0.2.1", "acme"] {
        assert!(!written.contains(secret), "{written}");
    }
    for (key, limit) in keys(&admission).into_iter().zip(["standard:", "customer:"]) {
        assert_eq!(key.strip_prefix(limit).map(str::len), Some(64), "{key}");
    }
}

#[test]
fn what_is_wrong_with_limits_is_said() {
    assert_eq!(findings(REST), Vec::<String>::new());
    let said = findings(
        r#"
        [[routes]]
        path = "/{+path}"
        auth = []
        rules = [{ name = "all", to = "shared" }]
        limits = [
          "missing",
          [],
          ["a", { use = "b", when = { plan = "gold" } }],
          [{ use = "a", when = { plan = "gold" } }],
          { use = "a", where = 1 },
          7,
          "none",
        ]
        [backends.shared]
        url = "https://shared.example"
        [limits.a]
        binding = "not-a-name"
        limit = 0
        period = "30s"
        by = "$customer"
        on_failure = "shut"
        timeout = "9s"
        [limits.b]
        binding = "B"
        limit = 1
        period = "60s"
        by = ["$header:x-me"]
        [limits.c]
        binding = "C"
        limit = 1
        period = "60s"
        by = []
        [limits.none]
        binding = "N"
        limit = 1
        period = "60s"
        [limits."a b"]
        binding = "N"
        limit = 1
        period = "60s"
        by = "$param:x"
        "#,
    );
    for line in [
        "/limits/a/binding: must be the name of a binding in wrangler.toml",
        "/limits/a/limit: must be from 1 to 999999999999999",
        "/limits/a/period: must be \"10s\" or \"60s\": the platform has no others",
        "/limits/a/by: \"$customer\" needs a [customers] section",
        "/limits/a/on_failure: must be \"open\" or \"closed\"",
        "/limits/a/timeout: must be at most 5s",
        "/limits/b/by: $header:x-me is the caller's own word: each other word is a new count",
        "/limits/c/by: must name what tells callers apart",
        "/limits/c: no route has this limit",
        "/limits/none: \"none\" is no limit; call this one something else",
        "/limits/a b: must be named by at most 64 letters, digits, - and _: callers see the name",
        "/limits/a b/by: {x} is no part of the route's path",
        "/routes/0/limits/0: \"missing\" is unknown: write a name of [limits], or \"none\"",
        "/routes/0/limits/1: must name at least one limit",
        "/routes/0/limits/2/1: is never reached: one before it fits whoever this one fits",
        "/routes/0/limits/3: does not limit callers whom none of these fits; write \"none\" last if that is meant",
        "/routes/0/limits/4: must have use, a limit's name, and may have when; nothing else",
    ] {
        assert!(said.iter().any(|finding| finding == line), "missing {line}\n{said:#?}");
    }
    let odd = "/routes/0/limits/5: must be a limit's name, a table";
    assert!(said.iter().any(|finding| finding.starts_with(odd)), "{said:#?}");
}
