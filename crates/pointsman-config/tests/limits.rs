//! Limits as they are configured, and which of them a caller meets.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    rc::Rc,
};

use pointsman_config::Checked;
use pointsman_core::{
    base::{object::parse_object, time::Timestamp},
    http::head::{Fields, Head, PresentFields, RequestTarget},
    identity::{claims::Claims, customer_id::CustomerId, method::AuthMethod, principal::Principal},
    routing::condition::Facts,
};
use serde_json::{Value, json};

use pointsman_core::forward::limit::*;

struct Sent(HashMap<&'static str, &'static str>);

impl Fields for Sent {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        self.0.get(name).map(|value| Cow::Borrowed(*value))
    }
}

/// A gateway whose one route has these limits, with these tables.
fn limited(limits: &str, tables: &str) -> String {
    let backend = "[backends.shared]\nurl = \"https://shared.example\"\n";
    let rules = "rules = [{ name = \"all\", to = \"shared\" }]";
    format!("{backend}{tables}\n[[routes]]\npath = \"/{{+path}}\"\nauth = []\n{rules}\nlimits = {limits}\n")
}

fn rest() -> String {
    limited(
        r#"[[{ use = "none", when = { plan = "internal" } }, { use = "gold", when = { plan = "gold" } }, "standard"], "customer"]"#,
        r#"
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
"#,
    )
}

fn read(toml_text: &str) -> Result<Checked, Vec<String>> {
    let value: Value = toml::from_str(toml_text).unwrap();
    let none: HashMap<String, String> = HashMap::new();
    pointsman_config::parse(&value.to_string(), &none)
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
    let gateway = read(&rest()).ok().unwrap().gateway;
    let claims = Claims::new(parse_object(claims.to_string().as_bytes()).unwrap());
    let principal = Principal::new(subject.map(Rc::from), claims);
    let fields = Sent(ip.map(|ip| ("cf-connecting-ip", ip)).into_iter().collect());
    let target = RequestTarget::parse("https://gw/x").unwrap();
    let seen = if ip.is_some() { PresentFields::CF_CONNECTING_IP } else { PresentFields::default() };
    let head = Head { method: "GET", target, seen, fields: &fields, request_id: "r" };
    let facts = Facts { principal: &principal, head: &head, captures: &[] };
    let customer = customer.and_then(CustomerId::parse);
    let method = AuthMethod::Token(Rc::from("main"));
    let caller = LimitedCaller { facts: &facts, method: &method, customer: customer.as_ref(), record: None };
    let chosen = chosen(&gateway.routes()[0].limits, gateway.limits(), caller.facts);
    admission(&chosen, caller, at("2026-07-30T12:34:56Z"))
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
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
fn windows_of_the_calendar_follow_each_other() {
    let window = |per: Per, now| {
        let (start, end) = per.window(at(now));
        format!("{start} {end}").replace(":00.000Z", "").replace(":00.000", "")
    };
    for (per, now, expected) in [
        (Per::Hour, "2026-07-30T12:00:00Z", "2026-07-30T12:00 2026-07-30T13:00"),
        (Per::Hour, "2026-12-31T23:59:59.999Z", "2026-12-31T23:00 2027-01-01T00:00"),
        (Per::Day, "2026-07-30T23:59:59.999Z", "2026-07-30T00:00 2026-07-31T00:00"),
        (Per::Day, "2028-02-28T12:00:00Z", "2028-02-28T00:00 2028-02-29T00:00"),
        (Per::Month, "2026-07-31T23:59:59.999Z", "2026-07-01T00:00 2026-08-01T00:00"),
        (Per::Month, "2026-08-01T00:00:00Z", "2026-08-01T00:00 2026-09-01T00:00"),
        (Per::Month, "2028-02-29T12:00:00Z", "2028-02-01T00:00 2028-03-01T00:00"),
        (Per::Month, "2026-12-15T00:00:00Z", "2026-12-01T00:00 2027-01-01T00:00"),
    ] {
        assert_eq!(window(per, now), expected, "{per:?} {now}");
    }
    for millis in [0, u64::MAX] {
        for per in [Per::Hour, Per::Day, Per::Month] {
            let now = Timestamp::from_millis(millis);
            let (start, end) = per.window(now);
            assert!(start <= now && now <= end);
        }
    }
}

#[test]
fn a_quota_is_asked_for_by_its_window() {
    let quotas = limited(
        r#"["monthly", "daily"]"#,
        r#"
        [limits.monthly]
        binding = "QUOTAS"
        quota = 10000
        per = "month"
        [limits.daily]
        binding = "QUOTAS"
        quota = 50
        per = "day"
        anchor = "first-use"
        batch = 7
    "#,
    );
    let gateway = read(&quotas).ok().unwrap().gateway;
    let (principal, fields) = (Principal::default(), Sent(HashMap::new()));
    let target = RequestTarget::parse("https://gw/x").unwrap();
    let head =
        Head { method: "GET", target, seen: PresentFields::default(), fields: &fields, request_id: "r" };
    let facts = Facts { principal: &principal, head: &head, captures: &[] };
    let caller =
        LimitedCaller { facts: &facts, method: &AuthMethod::Anonymous, customer: None, record: None };
    let now = at("2026-02-10T00:00:00Z");
    let chosen = chosen(&gateway.routes()[0].limits, gateway.limits(), caller.facts);
    let admission = admission(&chosen, caller, now).unwrap();
    assert_eq!(admission.policy, r#""monthly";q=10000;w=2419200, "daily";q=50;w=86400"#);
    let [monthly, daily] = [0, 1].map(|index| admission.asks[index].quota.clone().unwrap());
    assert_eq!(
        (monthly.count.as_str(), monthly.quota, monthly.batch),
        ("monthly/month/calendar", 10000, 100)
    );
    let february = (at("2026-02-01T00:00:00Z").millis(), at("2026-03-01T00:00:00Z").millis());
    assert_eq!(monthly.window, Some(february));
    assert_eq!((daily.count.as_str(), daily.batch, daily.window), ("daily/day/first-use", 7, None));
    assert_eq!(daily.span, 86_400_000);
    assert_eq!(admission.asks[0].key, admission.asks[1].key, "one object for all quotas of a caller");
    assert_eq!(admission.asks[0].timeout, 1000);
}

#[test]
fn what_is_wrong_with_quotas_is_said() {
    let said = findings(&limited(
        r#"["a", "b", "c", "d"]"#,
        r#"
        [limits.a]
        binding = "Q"
        quota = 0
        per = "week"
        anchor = "birth"
        batch = 2
        period = "60s"
        [limits.b]
        binding = "Q"
        limit = 1
        quota = 1
        [limits.c]
        binding = "Q"
        limit = 1
        period = "60s"
        per = "day"
        [limits.d]
        binding = "Q"
        quota = 10
        per = "day"
        batch = 11
        "#,
    ));
    for line in [
        "/limits/a/period: is only for a limit; a quota has per",
        "/limits/a/quota: must be from 1 to 999999999999999",
        "/limits/a/per: must be \"hour\", \"day\" or \"month\"",
        "/limits/a/anchor: must be \"calendar\" or \"first-use\"",
        "/limits/b: must have exactly one of limit and quota",
        "/limits/c: has per, anchor, batch or from_record, which are only for a quota",
        "/limits/d/batch: must be at most the quota",
    ] {
        assert!(said.iter().any(|finding| finding == line), "missing {line}\n{said:#?}");
    }
}

#[test]
fn what_is_wrong_with_limits_is_said() {
    assert_eq!(findings(&rest()), Vec::<String>::new());
    let said = findings(&limited(
        r#"[
          "missing",
          [],
          ["a", { use = "b", when = { plan = "gold" } }],
          [{ use = "a", when = { plan = "gold" } }],
          { use = "a", where = 1 },
          7,
          "none",
        ]"#,
        r#"
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
    ));
    for line in [
        "/limits/a/binding: must be the name of a binding in wrangler.toml",
        "/limits/a/limit: must be from 1 to 999999999999999",
        "/limits/a/period: must be \"10s\" or \"60s\": the platform has no others",
        "/limits/a/by: \"$customer\" needs a [customers] section",
        "/limits/a/on_failure: must be \"open\" or \"closed\"",
        "/limits/a/timeout: must be at most 5s",
        "/limits/b/by: $header:x-me is the caller's own word: each other word is a new count",
        "/limits/c/by: must name what tells callers apart",
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
