//! Whole journeys over time: what a caller sees while records change, sources fail and keys rotate.
//! The clock is set, never waited for.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use pointsman_core::{
    base::time::Span,
    forward::failover::{Breaker, Ended, Watched},
};
use pointsman_testkit::{GatewayToml, Isolate, Source, World, all_to, bearer, gateway_of, key, read, token};

const JWKS: &str = "https://id.example.com/.well-known/jwks.json";
const CONFIG: &str = "https://config.example.com/customers";

fn secs(seconds: u64) -> Span {
    Span::from_secs(seconds)
}

fn with_key<'a>(name: &str, store: &'a mut String) -> [(&'static str, &'a str); 1] {
    *store = bearer(&key(name));
    [("authorization", store.as_str())]
}

fn call(isolate: &Isolate, world: &World, path: &str, credential: &str) -> String {
    let value = bearer(credential);
    let result = isolate.get(world, path, &[("authorization", &value)]);
    result.forwarded().map_or_else(|| result.refusal().unwrap_or("?").to_owned(), str::to_owned)
}

/// What was fetched since the last look: neither KV nor signatures.
fn take_fetches(world: &World) -> Vec<String> {
    world.take_asked().into_iter().filter(|asked| asked.starts_with("get")).collect()
}

#[test]
fn a_warm_request_asks_nobody() {
    let (isolate, world) = (Isolate::named("demo"), World::of_fixtures());
    for credential in [key("acme"), token("customer-acme")] {
        call(&isolate, &world, "/customers/x", &credential);
        world.take_asked();
        assert_eq!(call(&isolate, &world, "/customers/x", &credential), "https://acme.tenants.example.com/x");
        assert_eq!(world.take_asked(), Vec::<String>::new());
    }
}

#[test]
fn junk_keys_are_refused_without_asking_the_store() {
    let (isolate, world) = (Isolate::named("demo"), World::of_fixtures());
    for junk in [
        "sk_live_x",
        "sk_live_000000000000000000000000_000000",
        "sk_test_",
        "sk_live_DEMOacmeCorp0000000000_4LCaYh",
    ] {
        assert_eq!(call(&isolate, &world, "/customers/x", junk), "api_key_checksum");
    }
    assert_eq!(world.take_asked(), Vec::<String>::new());
}

/// Promise 5: after `fresh` (60 s) a revoked key is refused, whether it was busy or idle until then.
#[test]
fn a_revoked_key_stops_within_fresh() {
    for busy in [true, false] {
        let (isolate, world) = (Isolate::named("demo"), World::of_fixtures());
        let production = key("production");
        assert_eq!(
            call(&isolate, &world, "/environment/x", &production),
            "https://production.backends.example.com/x"
        );
        let name = format!("key:{}", pointsman_core::base::digest::Digest::of(production.as_bytes()));
        world.store.borrow_mut().remove(&name);
        let mut last_good = 0;
        for second in 1..=120 {
            world.pass(secs(1));
            let probe = busy || second == 60;
            if probe && call(&isolate, &world, "/environment/x", &production).starts_with("https") {
                last_good = second;
            }
        }
        assert!(last_good < 60, "busy: {busy}, still good after {last_good} s");
        assert_eq!(call(&isolate, &world, "/environment/x", &production), "api_key_unknown");
    }
}

#[test]
fn a_key_that_expires_while_cached_stops_at_once() {
    let (isolate, world) = (Isolate::named("demo"), World::of_fixtures());
    let sandbox = key("sandbox");
    let name = format!("key:{}", pointsman_core::base::digest::Digest::of(sandbox.as_bytes()));
    world.put(
        &name,
        r#"{"subject":"s","claims":{"environment":"sandbox"},"expiresAt":"2026-07-30T12:00:10Z"}"#,
    );
    assert!(call(&isolate, &world, "/environment/x", &sandbox).starts_with("https"));
    world.pass(secs(10));
    assert_eq!(call(&isolate, &world, "/environment/x", &sandbox), "api_key_expired");
}

/// Promise 35: a failing store is never "no such key", and a cached key goes on for the stated time.
#[test]
fn a_failing_store_refuses_nobody_it_knows() {
    let (isolate, world) = (Isolate::named("demo"), World::of_fixtures());
    assert!(call(&isolate, &world, "/environment/x", &key("sandbox")).starts_with("https"));
    world.fault("kv");
    world.pass(secs(600));
    assert!(call(&isolate, &world, "/environment/x", &key("sandbox")).starts_with("https"));
    assert_eq!(call(&isolate, &world, "/environment/x", &key("production")), "key_store_unavailable");
    world.take_asked();
    world.pass(Span::from_millis(700));
    assert!(call(&isolate, &world, "/environment/x", &key("sandbox")).starts_with("https"));
    assert_eq!(world.take_asked(), Vec::<String>::new(), "a store that just failed is left alone");
    world.pass(secs(3600));
    assert_eq!(call(&isolate, &world, "/environment/x", &key("sandbox")), "key_store_unavailable");
    world.store_fails.set(false);
    assert!(
        call(&isolate, &world, "/environment/x", &key("production")).starts_with("https"),
        "a failure is not cached"
    );
}

/// Promise 31: once stale, the old value answers at once; the next request sees the new one.
#[test]
fn a_changed_customer_is_seen_after_one_stale_answer() {
    let (isolate, world) = (Isolate::named("demo"), World::of_fixtures());
    let acme = key("acme");
    assert_eq!(call(&isolate, &world, "/customers/x", &acme), "https://acme.tenants.example.com/x");
    world.put("customer:acme-corp", r#"{"customerId":"acme-corp","backendUrl":"https://new.example.com"}"#);
    world.pass(secs(299));
    assert_eq!(call(&isolate, &world, "/customers/x", &acme), "https://acme.tenants.example.com/x");
    world.pass(secs(1));
    assert_eq!(
        call(&isolate, &world, "/customers/x", &acme),
        "https://acme.tenants.example.com/x",
        "stale, refreshed behind it"
    );
    assert_eq!(call(&isolate, &world, "/customers/x", &acme), "https://new.example.com/x");
}

/// Promise 34.
#[test]
fn a_removed_customer_is_refused_after_the_refresh() {
    let (isolate, world) = (Isolate::named("demo"), World::of_fixtures());
    let umbrella = key("umbrella");
    assert!(call(&isolate, &world, "/customers/x", &umbrella).starts_with("https"));
    world.answer(CONFIG, 200, "[]");
    world.pass(secs(301));
    assert!(call(&isolate, &world, "/customers/x", &umbrella).starts_with("https"), "stale");
    assert_eq!(call(&isolate, &world, "/customers/x", &umbrella), "customer_disabled");
}

/// Promise 32: rubbish and outages of the config API change nothing for known customers.
#[test]
fn a_failing_config_api_refuses_nobody_it_listed() {
    for (status, body) in [
        (500, ""),
        (302, ""),
        (200, "<html>"),
        (200, "7"),
        (200, r#"[{"customerId":"umbrella-corp","backendUrl":7}]"#),
    ] {
        let (isolate, world) = (Isolate::named("demo"), World::of_fixtures());
        let umbrella = key("umbrella");
        assert!(call(&isolate, &world, "/customers/x", &umbrella).starts_with("https"));
        world.answer(CONFIG, status, body);
        for _ in 0..20 {
            world.pass(secs(3600));
            assert!(
                call(&isolate, &world, "/customers/x", &umbrella).starts_with("https"),
                "{status} {body}"
            );
        }
        world.pass(secs(8 * 3600));
        assert!(!call(&isolate, &world, "/customers/x", &umbrella).starts_with("https"), "a day is over");
    }
}

/// Promise 20 and 32: what is not clearly a list in which the customer is missing is a failed load, and
/// sends nobody to a shared backend.
#[test]
fn rubbish_of_the_config_api_is_not_an_empty_list() {
    for body in [
        "{}",
        r#"{"error":"maintenance"}"#,
        r#"{"customers":[]}"#,
        "[1,2]",
        r#"[{"customerID":"umbrella-corp"}]"#,
    ] {
        let (isolate, world) = (Isolate::named("demo"), World::of_fixtures());
        world.answer(CONFIG, 200, body);
        for path in ["/customers/x", "/hybrid/x"] {
            assert_eq!(
                call(&isolate, &world, path, &key("umbrella")),
                "customer_source_unavailable",
                "{body}"
            );
        }
    }
    let (isolate, world) = (Isolate::named("rules"), World::of_fixtures());
    let one = format!("{CONFIG}/umbrella-corp");
    for body in ["[]", r#"{"customerId":"acme-corp","backendUrl":"https://acme.tenants.example.com"}"#] {
        world.answer(&one, 200, body);
        assert_eq!(
            call(&isolate, &world, "/customer/x", &key("umbrella")),
            "customer_source_unavailable",
            "{body}"
        );
    }
}

#[test]
fn a_provider_may_say_more_of_a_customer_than_we_ask_for() {
    let (isolate, world) = (Isolate::named("demo"), World::of_fixtures());
    world.answer(
        CONFIG,
        200,
        r#"[{"customerId":"umbrella-corp","backendUrl":"https://u.example.com","region":"eu"}]"#,
    );
    assert_eq!(call(&isolate, &world, "/customers/x", &key("umbrella")), "https://u.example.com/x");
}

/// One rule for `null` and for byte order marks, wherever a record comes from.
#[test]
fn null_in_a_record_is_not_there_wherever_it_comes_from() {
    let record = r#"{"customerId":"umbrella-corp","backendUrl":"https://u.example.com","disabled":null,"backends":null,"allowedIps":null,"environmentName":null,"fetchedAt":null,"backend_url":null,"other":null}"#;
    for mark in ["", "\u{feff}"] {
        let (isolate, world) = (Isolate::named("demo"), World::of_fixtures());
        world.answer(CONFIG, 200, &format!("{mark}[{record}]"));
        assert_eq!(
            call(&isolate, &world, "/customers/x", &key("umbrella")),
            "https://u.example.com/x",
            "list"
        );
        let (isolate, world) = (Isolate::named("rules"), World::of_fixtures());
        world.answer(&format!("{CONFIG}/umbrella-corp"), 200, &format!("{mark}{record}"));
        assert_eq!(
            call(&isolate, &world, "/customer/x", &key("umbrella")),
            "https://u.example.com/customer/x",
            "by id"
        );
        let (isolate, world) = (Isolate::named("demo"), World::of_fixtures());
        world.put("customer:umbrella-corp", &format!("{mark}{record}"));
        let name = format!("key:{}", pointsman_core::base::digest::Digest::of(key("umbrella").as_bytes()));
        world.put(&name, &format!(r#"{mark}{{"subject":"s","claims":{{"customerId":"umbrella-corp"}},"disabled":null,"methods":null,"expiresAt":null,"createdAt":""}}"#));
        assert_eq!(call(&isolate, &world, "/customers/x", &key("umbrella")), "https://u.example.com/x", "KV");
        assert_eq!(*world.warnings.borrow(), Vec::<String>::new());
        // A claim that is null is there, and names no customer.
        world.put(&name, &format!(r#"{mark}{{"subject":"s","claims":{{"customerId":null}}}}"#));
        world.pass(secs(61));
        assert_eq!(call(&isolate, &world, "/customers/x", &key("umbrella")), "customer_id_malformed");
        world.put(&name, &format!(r#"{mark}{{"subject":null}}"#));
        let next = Isolate::named("demo");
        assert_eq!(call(&next, &world, "/customers/x", &key("umbrella")), "api_key_record_malformed");
    }
}

/// Promise 15 counts also for a request that finds the set due for a refresh.
#[test]
fn an_unknown_kid_on_a_set_that_is_due_causes_one_fetch() {
    let (isolate, world) = (Isolate::named("issuers"), World::of_fixtures());
    assert!(call(&isolate, &world, "/x", &token("good-es256")).starts_with("https"));
    world.pass(secs(301));
    world.take_asked();
    assert_eq!(call(&isolate, &world, "/x", &token("bad-kid-unknown")), "token_key_unknown");
    assert_eq!(take_fetches(&world), [format!("get {JWKS}")]);
}

/// Promise 22: one bad record spoils no other.
#[test]
fn a_bad_record_in_a_list_spoils_no_other() {
    let (isolate, world) = (Isolate::named("demo"), World::of_fixtures());
    world.answer(
        CONFIG,
        200,
        r#"[7,{"customerId":"x"},{"customerId":"umbrella-corp","backendUrl":"https://u.example.com"}]"#,
    );
    assert_eq!(call(&isolate, &world, "/customers/x", &key("umbrella")), "https://u.example.com/x");
}

/// The demo without its config API.
fn sourceless() -> Isolate {
    let toml = read("gateway.toml");
    let lines: Vec<_> = toml.lines().filter(|line| !line.starts_with("source = {")).collect();
    Isolate::new(gateway_of(&lines.join("\n")))
}

/// What a cold request reads: both names by one call where there is a config API, and the operator's alone
/// where there is none, since each name that is read is paid for.
#[test]
fn a_cold_request_reads_a_customer_by_one_call() {
    for (isolate, expected) in [
        (Isolate::named("demo"), "kv customer:acme-corp source:customer:acme-corp"),
        (sourceless(), "kv customer:acme-corp"),
    ] {
        let world = World::of_fixtures();
        assert!(call(&isolate, &world, "/customers/x", &key("acme")).starts_with("https"));
        let asked: Vec<_> =
            world.take_asked().into_iter().filter(|asked| asked.contains("customer:")).collect();
        assert_eq!(asked, [expected]);
    }
}

/// Where the config API is no longer configured, what refreshes wrote counts no more: nobody would end it.
#[test]
fn without_a_source_only_operators_records_count() {
    let (isolate, world) = (sourceless(), World::of_fixtures());
    let record = r#"{"customerId":"umbrella-corp","backendUrl":"https://u.example.com","fetchedAt":"2026-07-30T11:59:00Z"}"#;
    world.put("source:customer:umbrella-corp", record);
    assert_eq!(call(&isolate, &world, "/customers/x", &key("umbrella")), "customer_unknown");
}

/// A bad document evicts no good one of the same hand. An operator's decides over the config API's also where
/// it cannot be read: written in a hurry, it may be meant to keep the customer out.
#[test]
fn an_operators_bad_record_takes_the_place_of_what_the_config_api_said_and_of_nothing_else() {
    let bad = r#"{"disabled":true}"#;
    let own = r#"{"customerId":"umbrella-corp","backendUrl":"https://own.example.com"}"#;
    for (before, expected) in [(None, "customer_record_malformed"), (Some(own), "https://own.example.com/x")]
    {
        let (isolate, world) = (Isolate::named("demo"), World::of_fixtures());
        if let Some(own) = before {
            world.put("customer:umbrella-corp", own);
        }
        let umbrella = key("umbrella");
        assert!(call(&isolate, &world, "/customers/x", &umbrella).starts_with("https"));
        world.put("customer:umbrella-corp", bad);
        world.pass(secs(300));
        assert!(
            call(&isolate, &world, "/customers/x", &umbrella).starts_with("https"),
            "refreshed behind it"
        );
        for path in ["/customers/x", "/hybrid/x"] {
            assert_eq!(call(&isolate, &world, path, &umbrella), expected);
        }
    }
}

/// An entry of the gateway's own that cannot be read would else cost each new isolate a call for ever.
#[test]
fn a_key_set_in_the_store_that_cannot_be_read_is_written_anew() {
    let (first, world) = (Isolate::named("issuers"), World::of_fixtures());
    assert!(call(&first, &world, "/x", &token("good-es256")).starts_with("https"));
    let name = world.store.borrow().keys().find(|name| name.starts_with("keyset:")).cloned().expect("a set");
    let good = world.store.borrow()[&name].clone();
    let ahead = String::from_utf8(good).unwrap().replace("\"2026-", "\"2099-");
    for broken in ["<html>", r#"{"fetchedAt":"x"}"#, &ahead] {
        world.put(&name, broken);
        world.pass(secs(1));
        assert!(call(&Isolate::named("issuers"), &world, "/x", &token("good-es256")).starts_with("https"));
        assert_ne!(world.store.borrow()[&name], broken.as_bytes(), "{broken}");
    }
}

#[test]
fn an_unlisted_customer_that_is_added_is_known_within_half_a_minute() {
    let (isolate, world) = (Isolate::named("demo"), World::of_fixtures());
    let hooli = key("unlisted");
    assert_eq!(call(&isolate, &world, "/customers/x", &hooli), "customer_unknown");
    world.put("customer:hooli-inc", r#"{"customerId":"hooli-inc","backendUrl":"https://hooli.example.com"}"#);
    assert_eq!(call(&isolate, &world, "/customers/x", &hooli), "customer_unknown");
    world.pass(secs(30));
    assert_eq!(call(&isolate, &world, "/customers/x", &hooli), "https://hooli.example.com/x");
}

/// Promise 23: a record stored under another customer's name is nobody's.
#[test]
fn a_record_under_another_customers_name_is_not_used() {
    let (isolate, world) = (Isolate::named("demo"), World::of_fixtures());
    world.put(
        "customer:wayne-ent",
        r#"{"customerId":"acme-corp","backendUrl":"https://acme.tenants.example.com"}"#,
    );
    assert_eq!(call(&isolate, &world, "/customers/x", &key("wayne")), "customer_record_malformed");
}

/// Promise 15: unknown kids cause at most one fetch per cooldown, and good tokens never notice.
#[test]
fn unknown_kids_cause_one_fetch_per_cooldown() {
    let (isolate, world) = (Isolate::named("issuers"), World::of_fixtures());
    let (good, unknown) = (token("good-es256"), token("bad-kid-unknown"));
    assert!(call(&isolate, &world, "/x", &good).starts_with("https"));
    world.take_asked();
    world.pass(secs(31));
    for _ in 0..50 {
        assert_eq!(call(&isolate, &world, "/x", &unknown), "token_key_unknown");
        assert!(call(&isolate, &world, "/x", &good).starts_with("https"));
    }
    assert_eq!(take_fetches(&world).len(), 1);
}

/// Promise 16: a rotated-in key works after at most the cooldown; a withdrawn one stops within `fresh`.
#[test]
fn rotation_is_followed() {
    let (isolate, world) = (Isolate::named("issuers"), World::of_fixtures());
    let (old, new) = (token("good-es256"), token("good-rotated"));
    assert!(call(&isolate, &world, "/x", &old).starts_with("https"));
    assert_eq!(call(&isolate, &world, "/x", &new), "token_key_unknown");
    world.answer(JWKS, 200, &read("fixtures/keys/issuer-rotated.jwks.json"));
    assert!(call(&isolate, &world, "/x", &old).starts_with("https"), "the withdrawal is not known yet");
    world.pass(secs(30));
    assert!(call(&isolate, &world, "/x", &new).starts_with("https"));
    assert_eq!(
        call(&isolate, &world, "/x", &old),
        "token_key_unknown",
        "verified before, but its key is gone"
    );
}

/// Promise 16 for a key that takes another's place under the same `kid`.
#[test]
fn a_key_replaced_under_its_name_works_after_the_cooldown() {
    let (isolate, world) = (Isolate::named("issuers"), World::of_fixtures());
    let good = read("fixtures/keys/issuer.jwks.json");
    let mut other: serde_json::Value = serde_json::from_str(&good).unwrap();
    let replacement: serde_json::Value =
        serde_json::from_str(&read("fixtures/keys/issuer-rotated.jwks.json")).unwrap();
    other["keys"][0]["x"] = replacement["keys"][0]["x"].clone();
    other["keys"][0]["y"] = replacement["keys"][0]["y"].clone();
    world.answer(JWKS, 200, &other.to_string());
    assert_eq!(call(&isolate, &world, "/x", &token("good-es256")), "token_signature");
    world.answer(JWKS, 200, &good);
    assert_eq!(call(&isolate, &world, "/x", &token("good-es256")), "token_signature", "within the cooldown");
    world.pass(secs(30));
    assert!(call(&isolate, &world, "/x", &token("good-es256")).starts_with("https"));
    world.take_asked();
    for _ in 0..20 {
        assert_eq!(call(&isolate, &world, "/x", &token("bad-signature-changed")), "token_signature");
    }
    assert_eq!(take_fetches(&world).len(), 0, "bounded by the cooldown");
}

#[test]
fn a_withdrawn_key_stops_within_fresh_without_any_new_kid() {
    for busy in [true, false] {
        let (isolate, world) = (Isolate::named("issuers"), World::of_fixtures());
        let old = token("good-es256");
        assert!(call(&isolate, &world, "/x", &old).starts_with("https"));
        world.answer(JWKS, 200, &read("fixtures/keys/issuer-rotated.jwks.json"));
        for _ in 0..10 {
            world.pass(secs(60));
            if busy {
                call(&isolate, &world, "/x", &old);
            }
        }
        assert_eq!(call(&isolate, &world, "/x", &old), "token_key_unknown", "busy: {busy}");
    }
}

/// Promises 17 and 18: an issuer that is down, redirects or answers rubbish takes nobody's keys away.
#[test]
fn an_issuer_that_fails_keeps_its_keys_for_the_stale_time() {
    let answers = [
        Source::Fails,
        Source::Answers(500, vec![]),
        Source::Answers(302, vec![]),
        Source::Answers(200, b"<html>".to_vec()),
        Source::Answers(200, b"{}".to_vec()),
        Source::Answers(200, b"{\"keys\":null}".to_vec()),
        Source::Answers(200, b"{\"keys\":{}}".to_vec()),
        Source::Answers(200, b"{\"keys\":[],\"keys\":[]}".to_vec()),
        Source::Answers(200, b"[]".to_vec()),
        Source::Answers(200, vec![b' '; 300 * 1024]),
    ];
    for answer in answers {
        let (isolate, world) = (Isolate::named("issuers"), World::of_fixtures());
        let good = token("good-es256");
        assert!(call(&isolate, &world, "/x", &good).starts_with("https"));
        world.documents.borrow_mut().insert(JWKS.to_owned(), answer);
        for _ in 0..23 {
            world.pass(secs(3600));
            assert!(call(&isolate, &world, "/x", &good).starts_with("https"));
        }
        world.pass(secs(3601));
        assert_eq!(call(&isolate, &world, "/x", &good), "key_set_unavailable");
    }
}

/// Promise 59: a set without any key that can be used is what the issuer says. Withdrawn keys stop within
/// `fresh`, and their tokens are refused and not told to try again.
#[test]
fn a_set_without_usable_keys_takes_the_old_ones_away() {
    let encryption = with_keys(|key| key["use"] = "enc".into());
    let weak = with_keys(|key| key["alg"] = "none".into());
    for set in [r#"{"keys":[]}"#, r#"{"keys":[{"kty":"oct","k":"AA"},7]}"#, &encryption, &weak] {
        let (isolate, world) = (Isolate::named("issuers"), World::of_fixtures());
        let good = token("good-es256");
        assert!(call(&isolate, &world, "/x", &good).starts_with("https"));
        world.answer(JWKS, 200, set);
        for _ in 0..10 {
            world.pass(secs(60));
            call(&isolate, &world, "/x", &good);
        }
        assert_eq!(call(&isolate, &world, "/x", &good), "token_key_unknown", "{set}");
        world.take_asked();
        for _ in 0..20 {
            assert_eq!(call(&isolate, &world, "/x", &good), "token_key_unknown");
        }
        assert!(take_fetches(&world).len() <= 1, "bounded by the cooldown");
        // What this isolate has shared is what the next one goes by.
        world.fault("issuer");
        let next = Isolate::named("issuers");
        assert_eq!(call(&next, &world, "/x", &good), "token_key_unknown", "{set}");
        assert!(world.warnings.borrow().iter().any(|warning| warning.starts_with("key_set_is_empty: main")));
        world.answer(JWKS, 200, &read("fixtures/keys/issuer.jwks.json"));
        world.pass(secs(31));
        assert!(call(&isolate, &world, "/x", &good).starts_with("https"), "{set}");
    }
    let (isolate, world) = (Isolate::named("issuers"), World::of_fixtures());
    world.answer(JWKS, 200, r#"{"keys":[]}"#);
    assert_eq!(
        call(&isolate, &world, "/x", &token("good-es256")),
        "token_key_unknown",
        "with nothing cached"
    );
}

/// The issuer's key set with each key changed.
fn with_keys(change: impl Fn(&mut serde_json::Value)) -> String {
    let mut set: serde_json::Value = serde_json::from_str(&read("fixtures/keys/issuer.jwks.json")).unwrap();
    set["keys"].as_array_mut().unwrap().iter_mut().for_each(change);
    set.to_string()
}

/// Key sets as issuers really write them: what is odd about them spoils no key.
#[test]
fn key_sets_are_read_as_issuers_write_them() {
    let set = |key: &mut serde_json::Value, name: &str, value: serde_json::Value| key[name] = value;
    let each = |change: &dyn Fn(&mut serde_json::Value)| with_keys(change);
    let plain = read("fixtures/keys/issuer.jwks.json");
    let twice = {
        let mut set: serde_json::Value = serde_json::from_str(&plain).unwrap();
        let keys = set["keys"].as_array_mut().unwrap();
        keys.extend(keys.clone());
        set.to_string()
    };
    let sets = [
        each(&|key| set(key, "use", serde_json::Value::Null)),
        each(&|key| set(key, "key_ops", serde_json::json!([]))),
        each(&|key| set(key, "d", serde_json::Value::Null)),
        each(&|key| set(key, "kid", serde_json::Value::Null)),
        each(&|key| {
            for name in ["x", "y", "n", "e"] {
                if let Some(text) = key.get(name).and_then(serde_json::Value::as_str) {
                    key[name] = format!("{}==", text.replace('-', "+").replace('_', "/")).into();
                }
            }
        }),
        format!("\u{feff}{plain}"),
        format!("\u{feff}\n {plain} \n"),
        twice,
    ];
    for set in sets {
        let (isolate, world) = (Isolate::named("issuers"), World::of_fixtures());
        world.answer(JWKS, 200, &set);
        for name in ["good-es256", "good-es512", "good-rs256", "good-eddsa", "good-without-kid"] {
            let came = call(&isolate, &world, "/x", &token(name));
            assert!(came.starts_with("https"), "{name}: {came} {set}");
        }
        assert_eq!(*world.warnings.borrow(), Vec::<String>::new());
        // What is shared of it is read again.
        world.fault("issuer");
        let next = Isolate::named("issuers");
        assert!(call(&next, &world, "/x", &token("good-es256")).starts_with("https"), "{set}");
        assert_eq!(*world.warnings.borrow(), Vec::<String>::new());
    }
    let (isolate, world) = (Isolate::named("discovery"), World::of_fixtures());
    let metadata =
        "\u{feff}{\"issuer\":\"https://disco.example.com\",\"jwks_uri\":\"https://disco.example.com/keys\"}";
    world.answer("https://disco.example.com/.well-known/openid-configuration", 200, metadata);
    assert!(call(&isolate, &world, "/x", &token("good-discovered")).starts_with("https"));
}

#[test]
fn what_is_wrong_with_a_key_set_is_told_by_key_member_and_cause() {
    for (set, told) in [
        (
            r#"{"keys":[{"kid":"a","kty":"RSA","n":"AQAB","e":"AQAB"}]}"#.to_owned(),
            "key_set_has_unusable_keys: main: /keys/0 (kid \"a\"): n is no modulus of 2048 to 8192 bits",
        ),
        (
            r#"{"keys":[{"kid":"a","kty":"RSA","kty":"EC"}]}"#.to_owned(),
            "key_set_has_unusable_keys: main: /keys/0 (kid \"a\"): kty stands twice, and which of them counts nobody can say",
        ),
        ("{}".to_owned(), "key_set_failed: main: the key set has no member \"keys\", or has it twice"),
        ("<html>".to_owned(), "key_set_failed: main: the key set is no JSON"),
    ] {
        let (isolate, world) = (Isolate::named("issuers"), World::of_fixtures());
        world.answer(JWKS, 200, &set);
        call(&isolate, &world, "/x", &token("good-es256"));
        assert_eq!(world.warnings.borrow().first().unwrap(), told);
    }
    // As every Keycloak realm has it: a key for encryption beside that for signatures.
    let (isolate, world) = (Isolate::named("issuers"), World::of_fixtures());
    let mut set: serde_json::Value = serde_json::from_str(&read("fixtures/keys/issuer.jwks.json")).unwrap();
    let mut other = set["keys"][3].clone();
    (other["kid"], other["use"], other["alg"]) = ("e".into(), "enc".into(), "RSA-OAEP".into());
    set["keys"].as_array_mut().unwrap().push(other);
    world.answer(JWKS, 200, &set.to_string());
    assert!(call(&isolate, &world, "/x", &token("good-rs256")).starts_with("https"));
    assert_eq!(*world.warnings.borrow(), Vec::<String>::new());
}

/// Promises 7, 15 and 16 for tokens without a `kid`: a set that gains its second key refuses none of them, each is
/// believed as long as the key that it was verified with is there, and strangers cause one fetch a cooldown.
#[test]
fn tokens_without_a_kid_follow_a_rotation() {
    let (isolate, world) = (Isolate::named("issuers"), World::of_fixtures());
    let (old, new) = (token("good-es256-without-kid"), token("good-rotated-without-kid"));
    assert!(call(&isolate, &world, "/x", &old).starts_with("https"));
    assert_eq!(call(&isolate, &world, "/x", &new), "token_signature");
    let mut both: serde_json::Value = serde_json::from_str(&read("fixtures/keys/issuer.jwks.json")).unwrap();
    let rotated: serde_json::Value =
        serde_json::from_str(&read("fixtures/keys/issuer-rotated.jwks.json")).unwrap();
    both["keys"].as_array_mut().unwrap().push(rotated["keys"][0].clone());
    world.answer(JWKS, 200, &both.to_string());
    world.pass(secs(31));
    assert!(call(&isolate, &world, "/x", &new).starts_with("https"), "after the cooldown");
    assert!(call(&isolate, &world, "/x", &old).starts_with("https"), "known");
    let next = Isolate::named("issuers");
    for token in [&old, &new] {
        assert!(call(&next, &world, "/x", token).starts_with("https"), "not known");
    }
    world.take_asked();
    for token in [&old, &new] {
        assert!(call(&next, &world, "/x", token).starts_with("https"));
    }
    assert_eq!(world.take_asked(), Vec::<String>::new(), "both are remembered");
    world.answer(JWKS, 200, &read("fixtures/keys/issuer-rotated.jwks.json"));
    world.pass(secs(31));
    for _ in 0..20 {
        assert_eq!(call(&next, &world, "/x", &token("bad-without-kid-of-a-stranger")), "token_signature");
    }
    assert_eq!(take_fetches(&world).len(), 1);
    assert!(call(&next, &world, "/x", &new).starts_with("https"));
    assert_eq!(call(&next, &world, "/x", &old), "token_signature", "verified before, but its key is gone");
    // The same where the key that goes is not the first that was tried.
    world.answer(JWKS, 200, &both.to_string());
    world.pass(secs(600));
    for token in [&old, &new] {
        assert!(call(&next, &world, "/x", token).starts_with("https"), "both are there again");
    }
    world.answer(JWKS, 200, &read("fixtures/keys/issuer.jwks.json"));
    world.pass(secs(200));
    assert_eq!(call(&next, &world, "/x", &token("bad-without-kid-of-a-stranger")), "token_signature");
    assert!(call(&next, &world, "/x", &old).starts_with("https"));
    assert_eq!(call(&next, &world, "/x", &new), "token_signature", "verified by a key that is gone");
}

/// Made-up tokens of an issuer that is down: one fetch each back-off, not one each.
#[test]
fn an_issuer_that_is_down_is_left_alone_also_with_nothing_cached() {
    let (isolate, world) = (Isolate::named("issuers"), World::of_fixtures());
    world.fault("issuer");
    for _ in 0..20 {
        assert_eq!(call(&isolate, &world, "/x", &token("good-es256")), "key_set_unavailable");
    }
    assert_eq!(take_fetches(&world).len(), 1);
    world.answer(JWKS, 200, &read("fixtures/keys/issuer.jwks.json"));
    world.pass(secs(5));
    assert!(call(&isolate, &world, "/x", &token("good-es256")).starts_with("https"));
}

/// A lease on a refresh that was taken before something else had to be loaded is not lost.
#[test]
fn refreshes_survive_a_round_of_loading() {
    let (isolate, world) = (Isolate::named("issuers"), World::of_fixtures());
    assert!(call(&isolate, &world, "/x", &token("good-es256")).starts_with("https"));
    world.pass(secs(301));
    world.take_asked();
    assert!(
        call(&isolate, &world, "/x", &token("good-rs256")).starts_with("https"),
        "a token not seen before"
    );
    assert_eq!(take_fetches(&world), [format!("get {JWKS}")]);
}

#[test]
fn metadata_of_another_issuer_is_not_believed() {
    let (isolate, world) = (Isolate::named("discovery"), World::of_fixtures());
    let metadata = r#"{"issuer":"https://id.example.com/","jwks_uri":"https://disco.example.com/keys"}"#;
    world.answer("https://disco.example.com/.well-known/openid-configuration", 200, metadata);
    assert_eq!(call(&isolate, &world, "/x", &token("good-discovered")), "key_set_unavailable");
    for uri in ["http://disco.example.com/keys", "https://user@disco.example.com/keys", "file:///etc/passwd"]
    {
        let (isolate, world) = (Isolate::named("discovery"), World::of_fixtures());
        let metadata = format!(r#"{{"issuer":"https://disco.example.com","jwks_uri":"{uri}"}}"#);
        world.answer("https://disco.example.com/.well-known/openid-configuration", 200, &metadata);
        assert_eq!(call(&isolate, &world, "/x", &token("good-discovered")), "key_set_unavailable", "{uri}");
    }
}

#[test]
fn a_verified_token_is_verified_again_after_five_minutes_and_never_outlives_its_expiry() {
    let (isolate, world) = (Isolate::named("issuers"), World::of_fixtures());
    let good = token("good-es256");
    let verifications =
        |world: &World| world.take_asked().into_iter().filter(|asked| asked.starts_with("verify")).count();
    call(&isolate, &world, "/x", &good);
    assert_eq!(verifications(&world), 1);
    world.pass(secs(299));
    call(&isolate, &world, "/x", &good);
    assert_eq!(verifications(&world), 0);
    world.pass(secs(2));
    call(&isolate, &world, "/x", &good);
    assert_eq!(verifications(&world), 1);
}

/// Promise 10: a token that one route's issuer verified is still nothing on a route of another.
#[test]
fn a_cached_token_counts_only_where_its_issuer_is_accepted() {
    let (isolate, world) = (Isolate::named("issuers"), World::of_fixtures());
    let hs = token("good-hs256");
    assert!(call(&isolate, &world, "/x", &hs).starts_with("https"));
    assert_eq!(call(&isolate, &world, "/only-main/x", &hs), "token_issuer");
}

/// What is kept of a verified token is less than the token: no other text and no other signature passes for it.
#[test]
fn a_cached_token_vouches_for_itself_alone() {
    let (isolate, world) = (Isolate::named("issuers"), World::of_fixtures());
    for (good, other) in [("good-es256", "customer-acme"), ("good-hs256", "good-hs384")] {
        let (good, other) = (token(good), token(other));
        for token in [&good, &other, &good] {
            assert!(call(&isolate, &world, "/x", token).starts_with("https"));
        }
        let [(text, signature), (other_text, other_signature)] =
            [&good, &other].map(|token| token.rsplit_once('.').expect("two halves"));
        for forged in [format!("{text}.{other_signature}"), format!("{other_text}.{signature}")] {
            assert_eq!(call(&isolate, &world, "/x", &forged), "token_signature");
        }
    }
}

/// Promise 39: a flood of junk does not slow those who are known.
#[test]
fn a_flood_of_unknown_keys_leaves_known_ones_cached() {
    let toml = GatewayToml::new().table("api_keys", "checksum = false").backend("shared");
    let toml = toml.route("/{+path}", &["api_key"], &all_to("shared"));
    let (isolate, world) = (Isolate::new(toml.gateway()), World::of_fixtures());
    let mut store = String::new();
    for round in 0..20_000 {
        call(&isolate, &world, "/x", &format!("junk-{round}"));
        if round % 100 == 0 {
            let result = isolate.get(&world, "/x", &with_key("sandbox", &mut store));
            assert!(result.forwarded().is_some());
        }
    }
    let name = format!("kv key:{}", pointsman_core::base::digest::Digest::of(key("sandbox").as_bytes()));
    let asked = world.take_asked().into_iter().filter(|asked| *asked == name).count();
    assert_eq!(asked, 1, "the known key was loaded once");
    assert!(isolate.memory.borrow().keys.weight() <= 8 << 20);
}

/// Operators see the state of this isolate, and nothing that works as a credential.
#[test]
fn the_status_tells_how_caches_and_sources_do() {
    let (isolate, world) = (Isolate::named("rules"), World::of_fixtures());
    let status = |world: &World| -> serde_json::Value {
        let secret = bearer("pso_OperatorSecretOfTheFixturesIsPublic00000000_2KJXj2");
        let result = isolate.get(world, "/gateway/status", &[("authorization", &secret)]);
        serde_json::from_str(result.answer().body.as_deref().unwrap()).unwrap()
    };
    let before = status(&world);
    assert_eq!(before["isolate"]["caches"]["customers"]["entries"], 0);
    assert_eq!(before["isolate"]["issuers"][0]["state"], serde_json::Value::Null);
    for _ in 0..3 {
        assert!(call(&isolate, &world, "/customer/x", &key("acme")).starts_with("https"));
        assert!(call(&isolate, &world, "/customer/x", &token("customer-acme")).starts_with("https"));
    }
    let after = status(&world);
    let caches = &after["isolate"]["caches"];
    assert_eq!(caches["api_keys"]["entries"], 1);
    assert_eq!((&caches["api_keys"]["hits"], &caches["api_keys"]["misses"]), (&2.into(), &1.into()));
    assert_eq!(after["isolate"]["issuers"][0]["state"], "fresh");
    assert!(after["isolate"]["kv"]["asked"].is_null() && after["isolate"]["kv"]["answered_at"].is_string());
    assert_eq!(after["bounds"][0]["within_ms"], 120_000);
    world.fault("issuer");
    world.fault("config-api");
    world.pass(secs(400));
    call(&isolate, &world, "/customer/x", &token("customer-acme"));
    call(&isolate, &world, "/customer/x", &key("umbrella"));
    let origin = Watched { key: "backend shared\nhttps://shared.example", caller: "" };
    let breaker = Breaker { failures: 1, ratio: 100, pause: secs(5) };
    isolate.memory.borrow().origins.note(origin, Ended::Failed, breaker, world.now.get());
    let failing = status(&world);
    let circuits = &failing["isolate"]["open_circuits"];
    assert_eq!(circuits[0]["backend"], "backend shared");
    assert_eq!(circuits[0]["origin"], "https://shared.example");
    assert_eq!(before["isolate"]["open_circuits"], serde_json::json!([]));
    assert!(failing["isolate"]["issuers"][0]["asked"]["last_error"]["message"].is_string());
    assert!(failing["isolate"]["issuers"][0]["retry_at"].is_string());
    assert!(after["isolate"]["issuers"][0]["retry_at"].is_null());
    assert!(failing["isolate"]["config_api"]["asked"]["last_error"]["message"].is_string());
    let text = failing.to_string();
    for secret in
        ["demo-config-token", "pso_OperatorSecretOfTheFixturesIsPublic00000000_2KJXj2", key("acme").as_str()]
    {
        assert!(!text.contains(secret), "{secret}");
    }
}

proptest::proptest! {
    /// Whatever the rules and the claims: the first rule that matches decides, and where none does
    /// nothing is called.
    #[test]
    fn the_first_rule_that_matches_decides(wanted in proptest::collection::vec(0u8..4, 1..8), claim in 0u8..5) {
        let rules: Vec<String> = wanted
            .iter()
            .enumerate()
            .map(|(index, value)| {
                // A second condition, true for everybody, keeps equal rules from being called unreachable.
                format!("{{ name = \"r{index}\", when = {{ plan = \"p{value}\", \"no-{index}\" = {{ exists = false }} }}, to = \"b{index}\" }}")
            })
            .collect();
        let toml = GatewayToml::new().table("api_keys", "checksum = false");
        let toml = (0..wanted.len()).fold(toml, |toml, index| toml.backend(&format!("b{index}")));
        let toml = toml.route("/{+path}", &["api_key"], &format!("rules = [{}]", rules.join(", ")));
        let (isolate, world) = (Isolate::new(toml.gateway()), World::empty());
        let name = format!("key:{}", pointsman_core::base::digest::Digest::of(b"k"));
        world.put(&name, &format!(r#"{{"subject":"s","claims":{{"plan":"p{claim}"}}}}"#));
        let got = call(&isolate, &world, "/x", "k");
        let expected = match wanted.iter().position(|value| *value == claim) {
            Some(index) => format!("https://b{index}.example.com/x"),
            None => "no_rule_matched".to_owned(),
        };
        proptest::prop_assert_eq!(got, expected);
    }
}

/// What a rule split a caller into says nothing of the next rule, which the caller fell to.
#[test]
fn a_variant_is_that_of_the_rule_that_decided() {
    let isolate = Isolate::new(gateway_of(
        r#"
        [customers]
        [backends.shared]
        url = "https://shared.example.com"
        [[routes]]
        path = "/{+path}"
        auth = []
        rules = [
          { name = "dedicated", split = [{ to = "customer", weight = 1 }], by = ["$method"], unlisted = "next" },
          { name = "shared", to = "shared" },
        ]
        "#,
    ));
    let result = isolate.get(&World::empty(), "/x", &[]);
    assert_eq!(result.forwarded(), Some("https://shared.example.com/x"));
    assert_eq!((result.trace.variant, result.trace.bucket), (None, None));
}

const OPERATED: &str = r#"
    [operator]
    status = "/status"
    secret = "${OPERATOR_SECRET}"
    [api_keys]
    prefixes = ["sk_live", "sk_test"]
    [customers]
    [backends.shared]
    url = "https://shared.example.com"
    [[routes]]
    path = "/{+path}"
    auth = ["api_key"]
    rules = [{ name = "own", to = "customer", unlisted = "next" }, { name = "shared", to = "shared" }]
"#;

/// The counts of one class of refreshes in the status document: ran, failed, dropped.
fn counted(isolate: &Isolate, world: &World, class: &str) -> [u64; 3] {
    let secret = bearer(&pointsman_testkit::variables()["OPERATOR_SECRET"]);
    let result = isolate.get(world, "/status", &[("authorization", &secret)]);
    let status: serde_json::Value = serde_json::from_str(result.answer().body.as_ref().unwrap()).unwrap();
    let counts = &status["isolate"]["background_refreshes"][class];
    ["ran", "failed", "dropped"].map(|name| counts[name].as_u64().unwrap())
}

#[test]
fn an_operator_sees_how_refreshes_behind_responses_went() {
    let (isolate, world) = (Isolate::new(gateway_of(OPERATED)), World::of_fixtures());
    let all = |isolate: &Isolate, world: &World| {
        ["api_keys", "customers", "key_sets"].map(|class| counted(isolate, world, class))
    };
    call(&isolate, &world, "/x", &key("acme"));
    assert_eq!(all(&isolate, &world), [[0; 3]; 3], "what a request waits for is no refresh");
    // Of the key, which is in the second half of its time; the customer is not.
    world.pass(secs(40));
    call(&isolate, &world, "/x", &key("acme"));
    assert_eq!(all(&isolate, &world), [[1, 0, 0], [0, 0, 0], [0, 0, 0]]);
    // Of the customer, while the store is down. The key is asked for first, and served as it is.
    world.pass(secs(300));
    world.fault("kv");
    assert_eq!(call(&isolate, &world, "/x", &key("acme")), "https://acme.tenants.example.com/x");
    assert_eq!(all(&isolate, &world), [[1, 0, 0], [1, 1, 0], [0, 0, 0]]);
}

#[test]
fn a_refresh_whose_lease_another_has_taken_is_counted_as_dropped() {
    use pointsman_core::{
        base::digest::Digest,
        decide::decision::{Need, Refresh},
        state::cache::Lease,
    };
    let (isolate, world) = (Isolate::new(gateway_of(OPERATED)), World::of_fixtures());
    let digest = Digest::of(key("acme").as_bytes());
    let claimed_at = world.now.get();
    let lease = isolate.gateway.api_keys().unwrap().policy().lease;
    world.pass(lease);
    // Another request, which finds the lease run out.
    assert_eq!(isolate.memory.borrow().keys.acquire_lease(&digest, world.now.get()), Lease::Acquired);
    let loader = pointsman_loader::loader::Loader::new(&isolate.gateway, &isolate.memory, &world);
    let refresh = Refresh { need: Need::Key(digest), claimed_at };
    pollster::block_on(loader.refresh(&refresh));
    assert_eq!(counted(&isolate, &world, "api_keys"), [0, 0, 1]);
    assert_eq!(world.take_asked(), Vec::<String>::new(), "nothing is asked for it");
    // Where nobody has taken it, it is begun after all.
    world.pass(lease);
    pollster::block_on(loader.refresh(&refresh));
    assert_eq!(counted(&isolate, &world, "api_keys"), [1, 0, 1]);
}
