//! A service of the operator's that a route asks: what it is shown, what its answer does, and what no answer does.
#![allow(
    missing_docs,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    clippy::unwrap_used
)]

use pointsman_core::{
    base::time::Span,
    decide::decision::{LoadedForRequest, Outcome},
    state::cache::Lease,
};
use pointsman_testkit::{
    GatewayToml, Isolate, Result_, Source, TestFields, World, all_to, bearer, head, key, noon, token,
};
use serde_json::{Value, json};

const SERVICE: &str = "binding:POLICY";
/// Rules that read what the service adds.
const BY_TIER: &str = "rules = [{ name = \"gold\", when = { tier = \"gold\" }, to = \"gold\" }, { name = \"rest\", to = \"b\" }]";

fn settings() -> GatewayToml {
    let main = "name = \"main\"\nissuer = \"https://id.example.com/\"\naudience = \"https://api.example.com\"\n\
                algorithms = [\"ES256\"]\njwks_url = \"https://id.example.com/.well-known/jwks.json\"";
    GatewayToml::new()
        .table(
            "api_keys",
            "prefixes = [\"sk_test\", \"sk_live\"]\nheader = [\"authorization\", \"x-api-key\"]",
        )
        .table("[issuers]", main)
        .table("customers", "claim = \"customerId\"")
        .backend("b")
        .backend("gold")
}

fn authorize(lines: &str) -> String {
    format!("authorize = {{ binding = \"POLICY\"{lines} }}\n")
}

fn isolate(lines: &str, rules: &str) -> Isolate {
    let route = format!("{}anonymous = true\n{rules}", authorize(lines));
    Isolate::new(settings().route("/{+path}", &["api_key", "main"], &route).gateway())
}

fn world(answer: &Value) -> World {
    let world = World::of_fixtures();
    world.answer(SERVICE, 200, &answer.to_string());
    world
}

fn allow() -> Value {
    json!({ "allow": true })
}

fn with_key(isolate: &Isolate, world: &World, path: &str, name: &str) -> Result_ {
    isolate.get(world, path, &[("authorization", &bearer(&key(name)))])
}

/// What the service was shown since the last call.
fn shown(world: &World) -> Vec<Value> {
    let asked = world.take_asked();
    let bodies = asked.iter().filter_map(|asked| asked.strip_prefix("post binding:POLICY "));
    bodies.map(|body| serde_json::from_str(body).unwrap()).collect()
}

fn passes(result: &Result_) -> bool {
    matches!(result.outcome, Outcome::Forward(_))
}

#[test]
fn a_service_is_shown_the_head_and_the_caller_and_no_more_than_show_says() {
    let (isolate, world) = (isolate("", &all_to("b")), world(&allow()));
    let key = key("sandbox");
    let fields = [("authorization", bearer(&key)), ("x-tier", "7".to_owned()), ("cookie", "a=1".to_owned())];
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert!(passes(&isolate.get(&world, "/a%2Fb/c?q=1", &fields)));
    let bodies = shown(&world);
    let claims = &bodies[0]["principal"]["claims"];
    assert_eq!(claims["environment"], "sandbox");
    let expected = json!({
        "authorize": 1,
        "service": "POLICY",
        "route": "/{+path}",
        "method": "GET",
        "host": "gateway.example.com",
        "path": "/a%2Fb/c",
        "principal": {
            "subject": bodies[0]["principal"]["subject"],
            "auth": "api_key",
            "claims": claims,
        },
        "shown": {},
    });
    assert_eq!(bodies, [expected]);
    assert!(bodies[0]["principal"]["subject"].is_string());
    // Whoever has no credential is nobody, and asked about all the same.
    assert!(passes(&isolate.get(&world, "/x", &[])));
    assert_eq!(shown(&world)[0]["principal"], Value::Null);
    // A token's issuer vouches for its caller.
    assert!(passes(&isolate.get(&world, "/x", &[("authorization", &bearer(&token("good-es256")))])));
    assert_eq!(shown(&world)[0]["principal"]["auth"], "main");
}

#[test]
fn show_adds_what_conditions_could_look_at() {
    let show = ", show = [\"$ip\", \"$country\", \"$header:x-tier\", \"$query:dry_run\", \"$param:id\"]";
    let route = format!("{}{}", authorize(show), all_to("b"));
    let isolate = Isolate::new(settings().route("/orders/{id}", &[], &route).gateway());
    let world = world(&allow());
    let request = |path: &str, fields: &[(&str, &str)], cf: Value| {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let cf = cf.as_object().unwrap().clone();
        assert!(passes(&isolate.request(&world, "POST", path, TestFields { fields, cf })));
        shown(&world).remove(0)["shown"].take()
    };
    let fields = [("cf-connecting-ip", "192.0.2.7"), ("x-tier", "7")];
    assert_eq!(
        request("/orders/a%20b?dry_run=yes&other=1", &fields, json!({ "country": "DE" })),
        json!({ "$ip": "192.0.2.7", "$country": "DE", "$header:x-tier": "7", "$query:dry_run": "yes", "$param:id": "a b" })
    );
    assert_eq!(request("/orders/7", &[("x_tier", "7")], json!({})), json!({ "$param:id": "7" }));
}

#[test]
fn another_spelling_of_a_field_that_is_shown_reaches_no_backend() {
    let show = authorize(", show = \"$header:x-tier\"") + &all_to("b");
    let isolate = Isolate::new(settings().route("/x", &[], &show).gateway());
    let result = isolate.get(&world(&allow()), "/x", &[("x-tier", "1"), ("x_tier", "2"), ("x-other", "3")]);
    assert_eq!(result.backend_fields["x-tier"], ["1"]);
    assert!(!result.backend_fields.contains_key("x_tier"));
}

#[test]
fn rules_read_the_claims_that_a_service_adds_and_backends_are_told() {
    let world = world(&json!({ "allow": true, "claims": { "tier": "gold", "environment": "production" } }));
    let route = authorize(", cache = \"30s\"") + BY_TIER;
    let toml = settings()
        .table("identity", "claims = { \"x-tier\" = \"tier\", \"x-environment\" = \"environment\" }")
        .route("/{+path}", &["api_key"], &route);
    let isolate = Isolate::new(toml.gateway());
    for how in ["allowed", "cached"] {
        let result = with_key(&isolate, &world, "/x", "sandbox");
        assert_eq!(result.trace.rule.as_deref(), Some("gold"));
        assert_eq!(result.trace.authorize, Some(how));
        assert_eq!(result.backend_fields["x-tier"], ["gold"]);
        // What the credential says stays as it is.
        assert_eq!(result.backend_fields["x-environment"], ["sandbox"]);
        assert_eq!(result.backend_fields["x-authenticated-by"], ["api_key"]);
    }
    world.answer(SERVICE, 200, &allow().to_string());
    world.pass(Span::from_secs(31));
    assert_eq!(with_key(&isolate, &world, "/x", "sandbox").trace.rule.as_deref(), Some("rest"));
}

#[test]
fn a_service_names_a_customer_only_where_the_credential_names_none() {
    let world = world(&json!({ "allow": true, "claims": { "customerId": "wayne-ent" } }));
    let rules = "rules = [{ name = \"own\", to = \"customer\" }]";
    let isolate = isolate("", rules);
    // The key of acme-corp stays acme-corp's.
    let result = with_key(&isolate, &world, "/x", "acme");
    assert_eq!(result.trace.customer.as_deref(), Some("acme-corp"));
    assert_eq!(result.forwarded(), Some("https://acme.tenants.example.com/x"));
    // One that names nobody is whose the service says.
    let result = with_key(&isolate, &world, "/x", "sandbox");
    assert_eq!(result.trace.customer.as_deref(), Some("wayne-ent"), "{:?}", result.refusal());
    assert_eq!(result.backend_fields["x-customer-id"], ["wayne-ent"]);
}

#[test]
fn claims_that_say_who_a_caller_is_make_an_answer_none() {
    for name in ["sub", "iss", "aud", "exp", "cnf"] {
        let world = world(&json!({ "allow": true, "claims": { name: "admin" } }));
        for result in [
            with_key(&isolate("", &all_to("b")), &world, "/x", "sandbox"),
            isolate("", &all_to("b")).get(&world, "/x", &[]),
        ] {
            assert_eq!(result.refusal(), Some("authorization_unavailable"), "{name}");
        }
    }
}

#[test]
fn a_service_denies_with_a_status_of_its_choice_and_words_of_the_gateway() {
    for (answer, status) in [
        (json!({ "allow": false }), 403),
        (json!({ "allow": false, "status": 401 }), 401),
        (json!({ "allow": false, "status": 402 }), 402),
        (json!({ "allow": false, "status": 404 }), 404),
        (json!({ "allow": false, "status": 429 }), 429),
        (json!({ "allow": false, "status": 451 }), 451),
    ] {
        let (isolate, world) = (isolate(", cache = \"30s\"", &all_to("b")), world(&answer));
        for (how, calls) in [("denied", 1), ("cached", 0)] {
            let result = with_key(&isolate, &world, "/x", "sandbox");
            assert_eq!((result.refusal(), result.trace.authorize), (Some("denied_by_service"), Some(how)));
            assert_eq!(result.answer().status, status);
            let body: Value = serde_json::from_str(result.answer().body.as_deref().unwrap()).unwrap();
            assert_eq!((&body["title"], &body["status"]), (&json!("Denied"), &json!(status)));
            let challenge = result.answer().fields.iter().any(|(name, _)| *name == "www-authenticate");
            assert_eq!(challenge, status == 401);
            assert_eq!(shown(&world).len(), calls);
        }
    }
}

#[test]
fn what_is_no_answer_refuses_or_lets_go_on_as_the_route_says_and_is_not_remembered() {
    let too_large = format!("{{\"allow\":true,\"claims\":{{\"a\":\"{}\"}}}}", "x".repeat(16 << 10));
    for (status, body) in [
        (200, ""),
        (200, "[]"),
        (200, "{}"),
        (200, "{\"allow\":true"),
        (200, "{\"allow\":false,\"allow\":true}"),
        (200, "{\"allow\":true,\"then\":\"log\"}"),
        (200, "{\"allow\":false,\"status\":200}"),
        (200, &too_large),
        (204, ""),
        (302, ""),
        (403, "{\"allow\":false}"),
        (500, "{\"allow\":true}"),
    ] {
        for open in [false, true] {
            let on_failure = if open { ", on_failure = \"open\"" } else { "" };
            let isolate = isolate(&format!(", cache = \"30s\"{on_failure}"), BY_TIER);
            let world = World::of_fixtures();
            world.answer(SERVICE, status, body);
            for _ in ["cold", "warm"] {
                let result = with_key(&isolate, &world, "/x", "sandbox");
                assert_eq!(shown(&world).len(), 1, "{status} {body}: a failure is not remembered");
                assert_eq!(result.trace.authorize, Some("failed"));
                if open {
                    assert_eq!(result.trace.rule.as_deref(), Some("rest"), "without claims");
                    continue;
                }
                assert_eq!(result.refusal(), Some("authorization_unavailable"), "{status} {body}");
                assert_eq!(result.answer().status, 503);
                assert!(result.answer().fields.iter().any(|(name, _)| *name == "retry-after"));
            }
            let warnings = world.warnings.borrow();
            assert_eq!(warnings.len(), 2);
            assert!(warnings[0].starts_with("authorization_failed: POLICY: "), "{warnings:?}");
            assert!(!warnings.concat().contains(&key("sandbox")));
        }
    }
    let (isolate, world) = (isolate("", &all_to("b")), World::of_fixtures());
    world.documents.borrow_mut().insert(SERVICE.to_owned(), Source::Fails);
    assert_eq!(with_key(&isolate, &world, "/x", "sandbox").refusal(), Some("authorization_unavailable"));
}

#[test]
fn an_answer_counts_for_whoever_is_shown_alike_and_for_nobody_else() {
    let (isolate, world) =
        (isolate(", cache = \"30s\", show = \"$header:x-tier\"", &all_to("b")), world(&allow()));
    let keys = ["sandbox", "acme"].map(|name| bearer(&key(name)));
    let calls = |path: &str, key: &str, tier: &str| {
        let fields = [("authorization", key), ("x-tier", tier), ("x-noise", path)];
        let fields = &fields[..if tier.is_empty() { 1 } else { 3 }];
        assert!(passes(&isolate.get(&world, path, fields)));
        shown(&world).len()
    };
    assert_eq!(calls("/x", &keys[0], ""), 1);
    assert_eq!(calls("/x", &keys[0], ""), 0);
    assert_eq!(calls("/x?q=1", &keys[0], ""), 0, "the query is not shown");
    assert_eq!(calls("/y", &keys[0], ""), 1, "another path");
    assert_eq!(calls("/x", &keys[1], ""), 1, "another caller");
    assert_eq!(calls("/x", &keys[0], "1"), 1, "another field");
    assert_eq!(calls("/x", &keys[0], "2"), 1);
    assert_eq!(calls("/x", &keys[0], "1"), 0);
    assert!(passes(&isolate.get(&world, "/x", &[])) && shown(&world).len() == 1, "nobody");
    let head =
        TestFields { fields: vec![("authorization".to_owned(), keys[0].clone())], ..TestFields::default() };
    assert!(
        passes(&isolate.request(&world, "HEAD", "/x", head)) && shown(&world).len() == 1,
        "another method"
    );
    world.pass(Span::from_secs(30));
    assert_eq!(calls("/x", &keys[0], ""), 1, "its time is over");
}

#[test]
fn nothing_is_remembered_where_no_time_is_said() {
    for lines in ["", ", cache = \"0s\""] {
        let (isolate, world) = (isolate(lines, &all_to("b")), world(&allow()));
        for _ in 0..2 {
            assert!(passes(&with_key(&isolate, &world, "/x", "sandbox")));
            assert_eq!(shown(&world).len(), 1);
        }
    }
}

#[test]
fn nobody_is_asked_about_who_goes_no_further_anyway() {
    let route = format!(
        "{}methods = [\"GET\"]\nmax_body = \"1KB\"\ncors = \"anything-goes\"\nrequire = {{ environment = \"sandbox\" }}\n{}",
        authorize(""),
        all_to("b")
    );
    let isolate = Isolate::new(settings().route("/x", &["api_key"], &route).gateway());
    let world = world(&allow());
    let request = |method: &str, path: &str, fields: &[(&str, &str)]| {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        isolate.request(&world, method, path, TestFields { fields, ..TestFields::default() })
    };
    let [sandbox, live] = ["sandbox", "production"].map(|name| bearer(&key(name)));
    for (method, path, fields, reason) in [
        ("GET", "/other", vec![("authorization", sandbox.as_str())], Some("route_unknown")),
        ("PUT", "/x", vec![("authorization", &sandbox)], Some("method_not_on_route")),
        ("GET", "/x", vec![], Some("credential_missing")),
        ("GET", "/x", vec![("authorization", "Bearer sk_test_0")], Some("api_key_checksum")),
        ("GET", "/x", vec![("authorization", &live)], Some("requirement_not_met")),
        ("GET", "/x", vec![("authorization", &sandbox), ("content-length", "9999")], Some("body_too_large")),
        (
            "OPTIONS",
            "/x",
            vec![("origin", "https://a.example"), ("access-control-request-method", "GET")],
            None,
        ),
    ] {
        let result = request(method, path, &fields);
        assert_eq!(result.refusal(), reason, "{method} {path}");
        assert!(!passes(&result));
        assert_eq!(shown(&world), Vec::<Value>::new(), "{method} {path}");
    }
}

#[test]
fn no_credential_is_shown_wherever_it_is_sent() {
    let show = ", show = [\"$header:x-copy\", \"$query:copy\", \"$param:id\", \"$ip\"]";
    let route = |more: &str| format!("{}{more}\n{}", authorize(show), all_to("b"));
    let places = "credential_in = { query = \"token\", cookie = \"session\", subprotocol = \"bearer\" }";
    let toml = settings().table("cors.own", "origins = [\"https://app.example.com\"]").route(
        "/a/{id}",
        &["api_key", "main"],
        &route(&format!("cors = \"own\"\n{places}")),
    );
    let isolate = Isolate::new(toml.gateway());
    let world = world(&allow());
    let secrets = [key("sandbox"), token("good-es256")];
    let encoded = |secret: &str| format!("%{:02x}{}", secret.as_bytes()[0], &secret[1..]);
    for secret in &secrets {
        let sent = bearer(secret);
        let handshake = format!("bearer, {secret}");
        let cookie = format!("session={secret}");
        for (path, fields) in [
            (
                format!("/a/1?copy={secret}"),
                vec![("authorization", sent.as_str()), ("x-copy", secret.as_str())],
            ),
            (format!("/a/1?copy={}", encoded(secret)), vec![("authorization", &*sent), ("x-copy", &sent)]),
            (format!("/a/1?token={secret}&copy={secret}"), vec![("x-copy", &**secret)]),
            ("/a/1".to_owned(), vec![("cookie", &*cookie), ("x-copy", secret)]),
            (
                format!("/a/1?copy={secret}"),
                vec![("upgrade", "websocket"), ("sec-websocket-protocol", &*handshake), ("x-copy", secret)],
            ),
        ] {
            let result = isolate.get(&world, &path, &fields);
            assert!(passes(&result), "{path}: {:?}", result.refusal());
            let bodies = shown(&world);
            assert_eq!(bodies.len(), 1);
            let text = bodies[0].to_string();
            let end = &secret[secret.len() - 12..];
            assert!(!text.contains(end), "{path}: {text}");
        }
        // Masked, a path would be another one than the backend gets: a caller would hide from the service where it goes.
        for path in [
            format!("/a/{secret}"),
            format!("/a/{}", encoded(secret)),
            format!("/a/export-{}", encoded(secret)),
            format!("/a/x={secret}"),
        ] {
            let result = isolate.get(&world, &path, &[("authorization", &sent)]);
            assert_eq!(result.refusal(), Some("credential_repeated"), "{path}");
            assert_eq!(shown(&world), Vec::<Value>::new(), "{path}");
        }
        let copied = format!("/a/1?copy=x-{}", encoded(secret).replace('%', "%25"));
        assert!(passes(&isolate.get(&world, &copied, &[("authorization", &sent)])));
        assert_eq!(shown(&world)[0]["shown"]["$query:copy"], "(credential)", "encoded twice");
    }
}

#[test]
fn what_a_caller_chooses_masks_nothing_of_what_is_shown() {
    let show = ", cache = \"30s\", show = [\"$ip\", \"$header:x-note\"]";
    let route = |more: &str| format!("{}{more}\n{}", authorize(show), all_to("b"));
    let query = "credential_in = { query = \"token\" }";
    let toml = settings()
        .route("/key/{+path}", &["api_key"], &route(""))
        .route("/open/{+path}", &[], &route(""))
        .route("/query/{+path}", &["api_key"], &route(query));
    let (isolate, world) = (Isolate::new(toml.gateway()), world(&allow()));
    let (key, ip) = (key("sandbox"), "203.0.113.77");
    let plain = |path: &str, fields: &[(&str, &str)]| {
        let mut fields = fields.to_vec();
        fields.push(("cf-connecting-ip", ip));
        assert!(passes(&isolate.get(&world, path, &fields)), "{path}");
        shown(&world).pop()
    };
    // Neither a field that the route does not read, nor a parameter that is made like a token, hides anything.
    for (path, fields) in [
        ("/open/secrets1", vec![("authorization", "x 203.0.113.77, secrets1, gateway.example.com")]),
        ("/open/secrets2", vec![("x-api-key", "203.0.113.77")]),
        ("/query/secrets3?x=gateway.example.com&y=203.0.113.77", vec![("x-api-key", key.as_str())]),
    ] {
        let shown = plain(path, &fields).expect("asked");
        assert!(!shown.to_string().contains("(credential)"), "{shown}");
        assert_eq!(shown["shown"]["$ip"], ip);
    }
    // What is masked still tells two requests apart.
    let bearer = bearer(&key);
    let noted = |note: &str| plain("/key/x", &[("authorization", &bearer), ("x-note", note)]);
    let masked = noted(&format!("a {key}")).expect("asked");
    assert_eq!(masked["shown"]["$header:x-note"], "(credential)");
    assert!(noted("(credential)").is_some(), "another note, and so another question");
    assert!(noted(&format!("a {key}")).is_none(), "the same one, which is remembered");
}

#[test]
fn a_service_names_no_customer_for_whom_the_tokens_issuer_may_not_speak() {
    let of_partner = |id: &str| {
        let partner = "name = \"partner\"\nissuer = \"https://id.example.com/\"\naudience = \"https://api.example.com\"\n\
                       algorithms = [\"ES256\"]\njwks_url = \"https://id.example.com/.well-known/jwks.json\"\n\
                       customers = [\"wayne-ent\"]";
        let toml = GatewayToml::new()
            .table("[issuers]", partner)
            .table("customers", "claim = \"tenantOf\"")
            .backend("b")
            .route("/x", &["partner"], &(authorize("") + &all_to("b")));
        let world = world(&json!({ "allow": true, "claims": { "tenantOf": id } }));
        let result = Isolate::new(toml.gateway()).get(
            &world,
            "/x",
            &[("authorization", &bearer(&token("good-es256")))],
        );
        result.refusal()
    };
    assert_eq!(of_partner("acme-corp"), Some("token_customer_not_of_issuer"));
    assert_eq!(of_partner("wayne-ent"), None);
}

#[test]
fn routes_that_ask_differently_are_no_spelling_of_each_other() {
    let toml = settings().route("/open/{id}", &[], &all_to("b")).route(
        "/{+path}",
        &[],
        &(authorize("") + &all_to("b")),
    );
    let isolate = Isolate::new(toml.gateway());
    let result = isolate.get(&world(&allow()), "/open%2F7", &[]);
    assert_eq!(result.refusal(), Some("path_of_another_route"));
}

#[test]
fn an_answer_to_somebody_whom_a_service_let_in_is_for_nobody_else() {
    let world = world(&allow());
    let privacy = |route: &str| {
        let isolate = Isolate::new(settings().route("/x", &[], route).gateway());
        match isolate.get(&world, "/x", &[]).outcome {
            Outcome::Forward(forward) => format!("{:?}", forward.edits.privacy),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(privacy(&all_to("b")), "Untouched");
    assert_ne!(privacy(&(authorize("") + &all_to("b"))), "Untouched");
}

#[test]
fn an_explanation_tells_what_was_shown_and_said() {
    let (isolate, world) = (
        isolate(", cache = \"30s\"", BY_TIER),
        world(&json!({ "allow": true, "claims": { "tier": "gold" } })),
    );
    let fields = TestFields {
        fields: vec![("authorization".to_owned(), bearer(&key("sandbox")))],
        ..TestFields::default()
    };
    let step = |told: &Value| {
        told["steps"].as_array().unwrap().iter().find(|step| step["step"] == "authorize").cloned().unwrap()
    };
    for answer in ["allowed", "cached"] {
        let told = isolate.explain(&world, "GET", "/x", &fields, None);
        let step = step(&told);
        assert_eq!((&step["shown"]["service"], &step["answer"]), (&json!("POLICY"), &json!(answer)));
        assert_eq!(step["shown"]["path"], "/x");
        // The caller is told with what the service adds; the service was shown what the credential says.
        let steps = told["steps"].as_array().unwrap();
        let principal = steps.iter().find(|step| step["step"] == "principal").unwrap();
        assert_eq!(principal["claims"], json!({ "environment": "sandbox", "tier": "gold" }));
        assert_eq!(step["shown"]["principal"]["claims"], json!({ "environment": "sandbox" }));
        assert_eq!(told["decision"]["rule"], "gold");
        assert!(!told.to_string().contains(&key("sandbox")));
    }
    // Whom an operator assumes is known by that, and what was said of them counts for nobody real.
    world.take_asked();
    let claims = json!({ "sub": "somebody" });
    let told = isolate.explain(&world, "GET", "/x", &TestFields::default(), Some(&claims));
    assert_eq!(step(&told)["shown"]["principal"]["auth"], "assumed");
    assert_eq!(shown(&world).len(), 1);
}

#[test]
fn of_requests_at_once_that_are_shown_alike_one_asks() {
    let lease_of = |isolate: &Isolate, path: &str| {
        let fields = TestFields::default();
        let url = format!("https://gateway.example.com{path}");
        let head = head(&isolate.gateway, "GET", &url, &fields);
        let loaded = LoadedForRequest::default();
        match isolate.gateway.decide(&head, &mut isolate.memory.borrow_mut(), &loaded, noon()).outcome {
            Outcome::Load(need, lease) => (need.flight(), lease),
            other => panic!("{other:?}"),
        }
    };
    let open = |lines: &str| {
        let toml = GatewayToml::new().backend("b").route("/{+path}", &[], &(authorize(lines) + &all_to("b")));
        Isolate::new(toml.gateway())
    };
    let kept = open(", cache = \"30s\", timeout = \"2s\"");
    let (flight, lease) = lease_of(&kept, "/x");
    assert_eq!(lease, Lease::Acquired);
    assert_eq!(lease_of(&kept, "/x"), (flight.clone(), Lease::HeldUntil(noon().plus(Span::from_secs(6)))));
    let (other, lease) = lease_of(&kept, "/y");
    assert!(lease == Lease::Acquired && other != flight);
    // What is not remembered is nobody else's.
    let unkept = open("");
    assert_eq!([lease_of(&unkept, "/x").1, lease_of(&unkept, "/x").1], [Lease::Acquired; 2]);
}
