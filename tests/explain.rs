//! Decisions told step by step. That they agree with what happens is seen with every golden case.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use pointsman_core::{
    decide::explain::asked,
    http::{
        cf::{CfKind, CfProperty},
        head::Fields,
    },
};
use pointsman_testkit::{GatewayToml, Isolate, TestFields, World, all_to, bearer, head, key, token};
use serde_json::{Value, json};

fn with(fields: &[(&str, &str)]) -> TestFields {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    TestFields { fields, ..TestFields::default() }
}

fn step<'a>(told: &'a Value, name: &str) -> Vec<&'a Value> {
    told["steps"].as_array().unwrap().iter().filter(|step| step["step"] == name).collect()
}

#[test]
fn whom_an_issuer_may_speak_for_is_told_where_a_token_is_refused_for_it() {
    let (isolate, world) = (Isolate::named("vouched"), World::of_fixtures());
    for (name, customers) in [
        ("customer-wayne", json!(["acme-corp", "umbrella-corp"])),
        ("customer-of-another-org", json!({ "claim": "/org/id" })),
    ] {
        let fields = with(&[("authorization", &bearer(&token(name)))]);
        let told = isolate.explain(&world, "GET", "/all/x", &fields, None);
        assert_eq!(told["answer"]["reason"], "token_customer_not_of_issuer", "{name}");
        assert_eq!(step(&told, "credential")[0]["detail"]["customers"], customers, "{name}");
    }
}

#[test]
fn a_credential_is_told_nowhere_also_where_a_condition_found_it() {
    let (isolate, world) = (Isolate::named("vouched"), World::of_fixtures());
    let credential = key("acme");
    let fields = with(&[
        ("authorization", &bearer(&credential)),
        ("apikey", &credential),
        ("cookie", &format!("session=b7f1c9e3; token={credential}")),
    ]);
    let path = format!("/query/x?apikey={credential}&a=1");
    // Carried out, and as if it were somebody else's.
    for claims in [None, Some(json!({ "sub": "x" }))] {
        let told = isolate.explain(&world, "GET", &path, &fields, claims.as_ref());
        assert!(
            !told.to_string().contains(&credential) && !told.to_string().contains("b7f1c9e3"),
            "{told:#}"
        );
        assert_eq!(told["request"]["url"], "https://gateway.example.com/query/x?apikey=(credential)&a=1");
        assert_eq!(told["forward"]["url"], "https://shared.backends.example.com/query/x?a=1");
        assert_eq!(told["forward"]["removed"], json!(["authorization", "apikey"]));
        let why_not = step(&told, "rule")[0]["why_not"].as_str().unwrap();
        assert!(why_not.contains("(credential)"), "{why_not}");
    }
}

#[test]
fn a_key_is_told_by_its_digest_and_the_rest_by_what_decided() {
    let (isolate, world) = (Isolate::named("demo"), World::of_fixtures());
    let fields = with(&[
        ("authorization", &bearer(&key("acme"))),
        ("x-forwarded-for", "10.0.0.1"),
        ("accept", "text/html"),
    ]);
    let told = isolate.explain(&world, "GET", "/hybrid/orders?x=1", &fields, None);
    assert_eq!(told["outcome"], "forward");
    let credential = step(&told, "credential")[0];
    assert_eq!(credential["form"], "api_key");
    assert_eq!(credential["cache"], "loaded");
    let detail = &credential["detail"];
    assert_eq!((&detail["prefix"], &detail["checksum"]), (&json!("sk_live"), &json!(true)));
    let digest = pointsman_core::base::digest::Digest::of(key("acme").as_bytes()).to_string();
    assert_eq!(detail["digest"], *digest);
    assert_eq!(detail["record"]["disabled"], false);
    let principal = step(&told, "principal")[0];
    assert_eq!(principal["claims"]["customerId"], "acme-corp");
    let customer = step(&told, "customer")[0];
    assert_eq!(customer["record"]["backends"][0]["url"], "https://acme.tenants.example.com");
    assert_eq!(told["decision"]["backend"], "customer");
    assert_eq!(told["forward"]["url"], "https://acme.tenants.example.com/orders?x=1");
    assert_eq!(told["forward"]["removed"], json!(["authorization", "x-forwarded-for"]));
    let set = told["forward"]["set"].as_array().unwrap();
    assert!(set.contains(&json!(["x-customer-id", "acme-corp"])), "{set:?}");
    assert_eq!(told["bounds"][0]["id"], "api_key_revoked");
    // Asked again, everything is in memory.
    let again = isolate.explain(&world, "GET", "/hybrid/orders?x=1", &fields, None);
    world.pass(pointsman_core::base::time::Span::from_secs(1));
    let later = isolate.explain(&world, "GET", "/hybrid/orders?x=1", &fields, None);
    assert_eq!(again["forward"], later["forward"]);
    assert_eq!(step(&later, "credential")[0]["cache"], "fresh");
}

#[test]
fn each_rule_that_was_passed_over_says_why() {
    let (isolate, world) = (Isolate::named("choices"), World::of_fixtures());
    let fields = with(&[("x-beta", "no")]);
    let told = isolate.explain(&world, "GET", "/asked/v0.9/x?beta=2", &fields, None);
    let rules = step(&told, "rule");
    assert_eq!(rules[0]["rule"], "beta");
    assert_eq!(rules[0]["matched"], false);
    let why = "$header:x-beta is \"no\", and must be \"yes\"; and $query:beta is \"2\", and must be \"1\"";
    assert_eq!(rules[0]["why_not"], why);
    assert_eq!((&rules[1]["rule"], &rules[1]["matched"]), (&json!("old"), &json!(true)));
    let nowhere = isolate.explain(&world, "GET", "/where/x", &with(&[]), None);
    assert_eq!(step(&nowhere, "rule").len(), 4, "none of the rules matched");
    assert_eq!(nowhere["answer"]["problem"], "no-backend");
    let without = isolate.get(&world, "/where/x", &[]);
    assert!(without.trace.steps.is_none(), "nobody pays for it who did not ask");
}

#[test]
fn a_refused_token_says_of_itself_what_it_was_and_nobody_is_believed() {
    let (isolate, world) = (Isolate::named("demo"), World::of_fixtures());
    let told = |name: &str| {
        let fields = with(&[("authorization", &bearer(&token(name)))]);
        isolate.explain(&world, "GET", "/environment/x", &fields, None)
    };
    let good = told("good-es256");
    assert_eq!(step(&good, "credential")[0]["detail"]["verified"], true);
    let expired = told("bad-expired");
    let credential = step(&expired, "credential")[0];
    assert_eq!(credential["detail"]["verified"], false);
    assert!(credential["detail"]["claims"]["exp"].is_number());
    assert_eq!(expired["answer"]["reason"], "token_expired");
    assert!(step(&expired, "principal").is_empty());
}

#[test]
fn a_refusal_says_what_came_and_what_was_expected() {
    let (isolate, world) = (Isolate::named("demo"), World::of_fixtures());
    let of_token = |name: &str, path: &str| {
        isolate.explain(&world, "GET", path, &with(&[("authorization", &bearer(&token(name)))]), None)
    };
    let why = |told: &Value| told["answer"]["why"].as_str().unwrap_or_default().to_owned();
    let audience = of_token("bad-audience", "/environment/x");
    assert!(
        why(&audience).ends_with(", and must be or hold \"https://api.example.com\""),
        "{}",
        why(&audience)
    );
    let detail = &step(&audience, "credential")[0]["detail"];
    assert!(detail["claims"]["aud"].is_string(), "which came");
    assert_eq!(detail["expected"][0]["aud"], json!(["https://api.example.com"]));
    for (name, part) in [
        ("bad-audience-missing", "aud is not there, and must be or hold"),
        ("bad-issuer", ", and must be \"https://id.example.com/\""),
        ("bad-issuer-missing", "iss is not there, and must be"),
        ("bad-alg-not-listed", ", and must be \"ES256\" or \"RS256\" or \"EdDSA\""),
        ("bad-typ-logout", ", and must be \"jwt\" or \"at+jwt\""),
        ("bad-expired", "exp is 20"),
        ("bad-nbf-future", "with a leeway of 5s, and it is 2026-07-30T12:00:00"),
        ("bad-exp-text", ", and must be a number"),
        ("bad-kid-unknown", "and the key set of main has no such key"),
    ] {
        let told = of_token(name, "/environment/x");
        assert!(why(&told).contains(part), "{name}: {}", why(&told));
        assert_eq!(told["answer"]["claim"], Value::Null, "{name}");
    }
    let tenants = Isolate::named("tenants");
    for (name, path, words) in [
        (
            "of-a-tenant-that-claims-another",
            "/x",
            "iss is \"https://login.example.com/7f58f645-c190-4ce5-9de4-e2b7acd2a6ab/v2.0\" and tid is \
             \"11111111-2222-3333-4444-555555555555\", and must be \"https://login.example.com/{tid}/v2.0\", where {tid} is the \
             token's own claim: letters, digits, - and _",
        ),
        (
            "of-a-tenant",
            "/only-listed/x",
            "iss is \"https://login.example.com/7f58f645-c190-4ce5-9de4-e2b7acd2a6ab/v2.0\" and org is not there, the issuer \
             \"entra\", of which this route takes no tokens, and must be \"https://{org}.listed.example.com/\", where {org} is \
             the token's own claim: letters, digits, - and _, and must be \"acme\" or \"wayne\"",
        ),
    ] {
        let fields = with(&[("authorization", &bearer(&token(name)))]);
        let told = tenants.explain(&world, "GET", path, &fields, None);
        assert_eq!(why(&told), words, "{name}");
        let expected = &step(&told, "credential")[0]["detail"]["expected"];
        let listed = expected.as_array().unwrap().last().unwrap();
        assert_eq!(listed["tenants"], if path == "/x" { Value::Null } else { json!(["acme", "wayne"]) });
    }
    let cognito = Isolate::named("audiences");
    for (name, words) in [
        (
            "of-cognito-for-another-client",
            "client_id is \"client-2\", and must be or hold \"client-1\" or \"https://app.example.com\"",
        ),
        (
            "of-cognito-for-nobody",
            "aud, client_id, azp: none is there, and must be or hold \"client-1\" or \"https://app.example.com\"",
        ),
    ] {
        let fields = with(&[("authorization", &bearer(&token(name)))]);
        let told = cognito.explain(&world, "GET", "/x", &fields, None);
        assert_eq!(why(&told), words, "{name}");
        let expected = &step(&told, "credential")[0]["detail"]["expected"][0];
        assert_eq!(expected["audience_claims"], json!(["aud", "client_id", "azp"]));
    }
    let assumed = |claims: &Value, path: &str| isolate.explain(&world, "GET", path, &with(&[]), Some(claims));
    for (claims, path, claim, words) in [
        (
            json!({}),
            "/customers/x",
            "customerId",
            "the claim customerId is not there, and must name the caller's customer ([customers] claim)",
        ),
        (
            json!({ "customerId": true }),
            "/customers/x",
            "customerId",
            "the claim customerId is true, and must be a text of 1 to 256 bytes, or a whole number",
        ),
        (
            json!({ "subscription_tier": "enterprise", "tenant_id": "a.b" }),
            "/tiers/x",
            "tenant_id",
            "the claim tenant_id is \"a.b\", and must be one label of the host of the backend dedicated: letters, digits and \
             inner -",
        ),
    ] {
        let told = assumed(&claims, path);
        assert_eq!((&told["answer"]["claim"], &*why(&told)), (&json!(claim), words));
    }
    let none = isolate.explain(&world, "GET", "/environment/x", &with(&[]), None);
    assert_eq!(why(&none), "the route takes credentials of api_key, main, and none came");
    assert_eq!(why(&assumed(&json!({}), "/environment/x")), "none of the route's 2 rules matches");
    let unknown = assumed(&json!({ "customerId": "nobody-knows" }), "/customers/x");
    assert_eq!(why(&unknown), "there is no record customer:nobody-knows");
}

#[test]
fn the_rule_that_decided_says_why_and_its_split_what_it_saw() {
    let (isolate, world) = (Isolate::named("demo"), World::of_fixtures());
    let rule = |claims: &Value, path: &str, fields: &[(&str, &str)]| {
        let told = isolate.explain(&world, "GET", path, &with(fields), Some(claims));
        step(&told, "rule").last().copied().cloned().unwrap()
    };
    let enterprise = json!({ "subscription_tier": "enterprise", "tenant_id": "acme" });
    let matched = rule(&enterprise, "/tiers/x", &[]);
    let mut why: Vec<_> =
        matched["why"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    why.sort_unstable();
    assert_eq!(
        why,
        [
            "subscription_tier is \"enterprise\", and must be \"enterprise\"",
            "tenant_id is \"acme\", and must be there"
        ]
    );
    assert_eq!((&matched["split"], &rule(&json!({}), "/tiers/x", &[])["why"]), (&Value::Null, &json!([])));
    let variants = json!([
        { "name": "production", "from": 0, "below": 9500 },
        { "name": "sandbox", "from": 9500, "below": 10_000 },
    ]);
    let split = rule(&json!({ "sub": "x", "customerId": "acme-corp" }), "/rollout/x", &[]);
    assert_eq!(split["split"]["by"], json!({ "operand": "customerId", "value": "acme-corp" }));
    assert_eq!((&split["split"]["variants"], &split["split"]["chosen_by"]), (&variants, &Value::Null));
    let bucket = pointsman_core::routing::split::bucket("rollout", "acme-corp");
    assert_eq!(split["bucket"], bucket);
    let chosen = rule(&json!({ "sub": "x" }), "/rollout/x", &[("x-variant", "sandbox")]);
    assert_eq!(chosen["split"]["chosen_by"], json!({ "operand": "$header:x-variant", "value": "sandbox" }));
    assert_eq!((&chosen["variant"], &chosen["bucket"]), (&json!("sandbox"), &Value::Null));
    assert_eq!(chosen["split"]["by"]["operand"], "$subject");
}

#[test]
fn what_a_decision_did_not_come_to_is_not_told() {
    let (isolate, world) = (Isolate::named("demo"), World::of_fixtures());
    let fields =
        with(&[("authorization", &bearer(&key("acme"))), ("via", "1.1 pointsman"), ("connection", "close")]);
    let told = isolate.explain(&world, "GET", "/hybrid/x", &fields, None);
    assert_eq!(told["answer"]["reason"], "loop_detected");
    assert!(step(&told, "credential").is_empty(), "nobody has looked at it");
    // The caller's customer is in memory, and no rule of this route asks for it.
    let claims = json!({ "customerId": "acme-corp", "environment": "sandbox" });
    let held = isolate.explain(&world, "GET", "/customers/x", &with(&[]), Some(&claims));
    assert_eq!(step(&held, "customer")[0]["cache"], "loaded");
    assert!(step(&held, "customer")[0]["record"].is_object());
    let told = isolate.explain(&world, "GET", "/environment/x", &with(&[]), Some(&claims));
    assert_eq!(told["decision"]["backend"], "sandbox");
    let customer = step(&told, "customer")[0];
    assert_eq!((&customer["id"], &customer["cache"]), (&json!("acme-corp"), &Value::Null));
    assert!(customer["record"].is_null(), "{customer}");
}

#[test]
fn a_record_is_told_as_it_was_when_it_decided() {
    let (isolate, world) = (Isolate::named("demo"), World::of_fixtures());
    let claims = json!({ "customerId": "nobody-knows" });
    let told = isolate.explain(&world, "GET", "/customers/x", &with(&[]), Some(&claims));
    let customer = step(&told, "customer")[0];
    assert_eq!(told["answer"]["reason"], "customer_unknown");
    assert_eq!((&customer["cache"], &customer["record"]), (&json!("loaded"), &Value::Null));
    assert!(customer["as_of"].is_string());
    let fields = with(&[("authorization", &bearer(&key("acme")))]);
    isolate.get(&world, "/customers/x", &[("authorization", &bearer(&key("acme")))]);
    world.pass(pointsman_core::base::time::Span::from_secs(40));
    let told = isolate.explain(&world, "GET", "/customers/x", &fields, None);
    let credential = step(&told, "credential")[0];
    assert_eq!(credential["cache"], "stale", "used, and refreshed behind the response");
    assert_eq!(credential["as_of"], pointsman_testkit::noon().to_string());
}

#[test]
fn claims_may_stand_in_for_a_credential_and_only_here() {
    let (isolate, world) = (Isolate::named("demo"), World::of_fixtures());
    let claims = json!({ "sub": "someone", "environment": "sandbox" });
    let told = isolate.explain(&world, "GET", "/environment/x", &with(&[]), Some(&claims));
    assert_eq!(told["decision"]["auth"], "assumed");
    assert_eq!(told["decision"]["backend"], "sandbox");
    assert_eq!(step(&told, "principal")[0]["subject"], "someone");
    // The same request itself is nobody's.
    let asked = isolate.get(&world, "/environment/x", &[("x-pointsman-claims", "e30")]);
    assert_eq!(asked.refusal(), Some("credential_missing"));
}

#[test]
fn a_preflight_and_an_unknown_path_have_their_explanation_too() {
    let (isolate, world) = (Isolate::named("rules"), World::of_fixtures());
    let unknown = isolate.explain(&world, "GET", "/nothing/here", &with(&[]), None);
    assert_eq!(unknown["answer"]["reason"], "route_unknown");
    assert_eq!(step(&unknown, "route")[0]["route"], Value::Null);
    let method = isolate.explain(&world, "BREW", "/customer/x", &with(&[]), None);
    assert_eq!(method["answer"]["status"], 405);
    assert!(step(&method, "route")[0]["methods"].as_str().unwrap().contains("GET"));
}

const SECRET: &str = "pso_OperatorSecretOfTheFixturesIsPublic00000000_2KJXj2";

/// What a request with these fields is as a question: `None` for none.
fn question(isolate: &Isolate, fields: &TestFields) -> Option<Result<Value, u16>> {
    let head = head(&isolate.gateway, "GET", "https://gateway.example.com/customer/x", fields);
    let ask = match asked(&isolate.gateway, &head)? {
        Ok(ask) => ask,
        Err(answer) => return Some(Err(answer.status)),
    };
    let staged = ask.stage(fields);
    let cf = |path, kind| CfProperty { path, kind }.read(&staged);
    Some(Ok(json!({
        "subject": ask.assumed.as_ref().and_then(|principal| principal.subject.as_deref()),
        "country": cf("country", CfKind::Text),
        "score": cf("botManagement.score", CfKind::Number),
        "ip": staged.get("cf-connecting-ip"),
    })))
}

#[test]
fn only_the_operators_secret_makes_a_request_a_question() {
    let isolate = Isolate::named("rules");
    let encode = |text: &str| {
        use base64ct::{Base64UrlUnpadded, Encoding};
        Base64UrlUnpadded::encode_string(text.as_bytes())
    };
    assert_eq!(question(&isolate, &with(&[])), None);
    assert_eq!(question(&isolate, &with(&[("x-pointsman-claims", "e30")])), None);
    for wrong in
        ["", "x", "operator-secret-of-the-fixtures", SECRET.trim_start_matches('p'), &format!("{SECRET} ")]
    {
        assert_eq!(question(&isolate, &with(&[("x-pointsman-explain", wrong)])), Some(Err(401)), "{wrong:?}");
    }
    let claims = encode(r#"{"sub":"someone"}"#);
    let place = encode(r#"{"country":"DE","botManagement":{"score":12},"ip":"192.0.2.1"}"#);
    let mut fields = with(&[
        ("x-pointsman-explain", SECRET),
        ("x-pointsman-claims", &claims),
        ("x-pointsman-cf", &place),
        ("cf-connecting-ip", "203.0.113.9"),
    ]);
    fields.cf.insert("country".to_owned(), json!("FR"));
    let asked = json!({ "subject": "someone", "country": "DE", "score": 12, "ip": "192.0.2.1" });
    assert_eq!(question(&isolate, &fields), Some(Ok(asked)));
    fields.fields.truncate(1);
    assert_eq!(
        question(&isolate, &fields),
        Some(Ok(json!({ "subject": null, "country": "FR", "score": null, "ip": null })))
    );
    for junk in ["!", "e30=", "W10", "eyJhIjoxLCJhIjoxfQ"] {
        let fields = with(&[("x-pointsman-explain", SECRET), ("x-pointsman-claims", junk)]);
        assert_eq!(question(&isolate, &fields), Some(Err(400)), "{junk}");
    }
}

/// Where there is no secret, nobody can ask, and what was meant as a question is not carried out. The folded
/// spelling is no field of ours: it asks nothing, and goes no further.
#[test]
fn without_a_secret_no_question_is_carried_out() {
    let methods = r#"methods = ["GET", "DELETE", "OPTIONS", "PROPFIND"]"#;
    let route = format!("{methods}\ncors = \"anything-goes\"\n{}", all_to("shared"));
    let toml = GatewayToml::new().table("operator", "health = \"/healthz\"").backend("shared");
    let isolate = Isolate::new(toml.route("/{+path}", &[], &route).gateway());
    let world = World::of_fixtures();
    let preflight = ("access-control-request-method", "GET");
    for value in ["", "x", SECRET, "x, x", "Bearer x"] {
        let fields = with(&[("X-Pointsman-Explain", value), ("origin", "https://a.example"), preflight]);
        assert_eq!(question(&isolate, &fields), Some(Err(401)), "{value:?}");
        for method in ["GET", "DELETE", "OPTIONS", "PROPFIND", "TRACE"] {
            for path in ["/x", "/healthz", "/%2e%2e", "/%"] {
                let result = isolate.request(&world, method, path, fields.clone());
                assert_eq!(result.refusal(), Some("explain_without_secret"), "{method} {path} {value:?}");
                let told = isolate.explain(&world, method, path, &fields, None);
                assert_eq!(told["answer"]["reason"], "explain_without_secret");
            }
        }
    }
    let fields = [("x_pointsman_explain", "x"), ("x-pointsman-claims", "e30"), ("x_pointsman_cf", "e30")];
    assert_eq!(question(&isolate, &with(&fields)), None);
    let result = isolate.get(&world, "/x", &fields);
    assert!(result.forwarded().is_some());
    assert!(
        result.backend_fields.keys().all(|name| !name.contains("pointsman")),
        "{:?}",
        result.backend_fields
    );
}

/// Even where the edge forgot to ask: no decision leads a question to a backend.
#[test]
fn with_a_secret_a_question_is_explained_or_refused_and_never_forwarded() {
    let (isolate, world) = (Isolate::named("rules"), World::of_fixtures());
    for value in [SECRET, "", "x"] {
        for method in ["GET", "DELETE"] {
            let fields = with(&[("x-pointsman-explain", value)]);
            let result = isolate.request(&world, method, "/open/x", fields);
            assert_eq!(result.refusal(), Some("operator_secret"), "{method} {value:?}");
        }
    }
    let told = isolate.explain(&world, "GET", "/open/x", &with(&[("x-pointsman-explain", SECRET)]), None);
    assert_eq!(told["outcome"], "forward");
}
