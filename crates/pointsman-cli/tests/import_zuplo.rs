//! `pointsman import zuplo`, on the projects of `fixtures/import/zuplo`: what it writes, what it says,
//! that the check takes it, and where requests then go.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use pointsman_core::base::refusal::Refusal;
use pointsman_testkit::{Isolate, TestFields, World, json as document, read};
use serde_json::{Value, json};

/// Each case with the exit code that it ends with.
const CASES: [(&str, i32); 8] = [
    ("plain", 0),
    ("tokens", 0),
    ("fields", 0),
    ("by-hand", 4),
    ("providers", 4),
    ("guards", 4),
    ("code", 4),
    ("code-api", 4),
];

fn pointsman(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pointsman"));
    command
        .current_dir(pointsman_testkit::root())
        .env_remove("CLOUDFLARE_ENV")
        .args(arguments)
        .output()
        .unwrap()
}

fn folder(case: &str) -> String {
    format!("fixtures/import/zuplo/{case}")
}

/// A folder of this test's own, empty.
fn scratch(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("import-{name}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn projects_come_to_what_is_committed() {
    let found = fs::read_dir(pointsman_testkit::root().join("fixtures/import/zuplo")).unwrap().count();
    assert_eq!(found, CASES.len(), "a case is missing in CASES");
    for (case, code) in CASES {
        let folder = folder(case);
        let output = pointsman(&["import", "zuplo", &folder, "--json"]);
        assert_eq!(output.status.code(), Some(code), "{case}: {}", String::from_utf8_lossy(&output.stderr));
        let mut result: Value = serde_json::from_slice(&output.stdout).unwrap();
        let members = result.as_object_mut().unwrap();
        let gateway = members.remove("gateway").unwrap();
        let wrangler = members.remove("wrangler").unwrap();
        let anew = format!(
            "npm run pointsman -- import zuplo {folder} --force --json --out {folder}/expected/gateway.toml \
             --wrangler-out {folder}/expected/wrangler.toml > {folder}/expected/findings.json"
        );
        assert!(
            gateway == read(format!("{folder}/expected/gateway.toml")).as_str(),
            "{case}: if it is right, {anew}"
        );
        assert!(
            wrangler == read(format!("{folder}/expected/wrangler.toml")).as_str(),
            "{case}: if it is right, {anew}"
        );
        assert_eq!(
            result,
            document(format!("{folder}/expected/findings.json")),
            "{case}: if it is right, {anew}"
        );
    }
}

#[test]
fn the_check_takes_what_was_written() {
    for (case, _) in CASES {
        let expected = format!("{}/expected", folder(case));
        let (gateway, wrangler) = (format!("{expected}/gateway.toml"), format!("{expected}/wrangler.toml"));
        let output = pointsman(&["check", "--json", &gateway, "--wrangler", &wrangler]);
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        // How a Worker is run is not the import's to say, and these lines are a part of a file that says it.
        // Nor which ids an account has.
        let of_worker = ["/compatibility_flags", "/preview_urls", "/kv_namespaces/0/id"];
        let found = said["findings"].as_array().unwrap().iter();
        let found: Vec<_> =
            found.filter(|one| !of_worker.contains(&one["pointer"].as_str().unwrap())).collect();
        assert_eq!((output.status.code(), found), (Some(0), vec![]), "{case}");
    }
}

/// Whoever cannot be told apart any more must not get in.
#[test]
fn nobody_passes_a_route_that_lost_a_policy_of_its_own() {
    let findings = document("fixtures/import/zuplo/by-hand/expected/findings.json");
    let closed: Vec<&str> = findings["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["kind"] == "closed")
        .map(|finding| finding["route"].as_str().unwrap())
        .collect();
    assert!(closed.len() > 15, "{closed:?}");
    let (isolate, world) = (isolate("by-hand"), World::empty());
    for path in ["/basic", "/unknown-policy", "/other-bucket", "/redirect", "/public/x"] {
        assert!(
            closed.iter().any(|route| *route == format!("GET {}", path.replace("/x", "/:name"))),
            "{path}"
        );
        let answer = isolate.get(&world, path, &[]);
        assert_eq!(
            answer.refusal(),
            Some(Refusal::DeniedByRule.id()),
            "{path} went to {:?}",
            answer.forwarded()
        );
    }
    for path in ["/own-policy", "/two-credentials", "/items/7", "/pool"] {
        let answer = isolate.get(&world, path, &[]);
        assert_eq!(answer.forwarded(), None, "{path}");
    }
}

fn secrets() -> HashMap<String, String> {
    let secret = "0123456789abcdef0123456789abcdef".to_owned();
    ["PARTNER_SECRET", "SUPABASE_JWT_SECRET"].map(|name| (name.to_owned(), secret.clone())).into()
}

fn isolate(case: &str) -> Isolate {
    let expected = format!("{}/expected", folder(case));
    let wrangler: toml::Table = read(format!("{expected}/wrangler.toml")).parse().unwrap_or_default();
    let vars = wrangler.get("vars").and_then(toml::Value::as_table).cloned().unwrap_or_default();
    let vars = vars.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()));
    let variables: HashMap<String, String> = vars.chain(secrets()).collect();
    let gateway: Value = toml::from_str(&read(format!("{expected}/gateway.toml"))).unwrap();
    let checked = pointsman_config::parse(&gateway.to_string(), &variables);
    Isolate::new(checked.map_err(|findings| panic!("{findings:#?}")).ok().unwrap().gateway)
}

/// Of whose tokens the policy says too little nobody passes, also where the token is one of the issuer's. Who fills in what
/// is missing, and opens the route, has a gateway that takes the tokens.
#[test]
fn nobody_passes_by_a_token_of_which_too_little_is_known() {
    let (gateway, world) =
        (read("fixtures/import/zuplo/providers/expected/gateway.toml"), World::of_issuer());
    let told = |toml_text: &str, path: &str, field: &str| {
        let file: Value = toml::from_str(toml_text).unwrap();
        let checked = pointsman_config::parse(&file.to_string(), &secrets());
        let checked = checked.map_err(|findings| panic!("{findings:#?}")).ok().unwrap();
        let result = Isolate::new(checked.gateway).get(&world, path, &[("authorization", field)]);
        result.forwarded().or(result.refusal()).unwrap().to_owned()
    };
    let token = format!("Bearer {}", pointsman_testkit::token("preset-cognito"));
    for path in ["/pool", "/people", "/app", "/app/admin"] {
        assert_ne!(told(&gateway, path, "").split(':').next(), Some("https"), "{path}");
        assert_ne!(told(&gateway, path, &token).split(':').next(), Some("https"), "{path}");
    }
    let jwks = "jwks_url = \"https://id.example.com/.well-known/jwks.json\"";
    let done = gateway
        .replacen(
            "audience = \"not-known-yet\"   # the app client's id",
            &format!("audience = \"1example23456789\"\n{jwks} #"),
            1,
        )
        .replace(
            "rules = [{ name = \"not-imported\", deny = 403 }]",
            "rules = [{ name = \"forward\", to = \"tools-example-com\" }]",
        );
    assert_eq!(told(&done, "/pool", &token), "https://tools.example.com/pool");
    assert_eq!(told(&done, "/people", &token), "token_issuer");
}

/// Lists of places, addresses and origins keep out whom they kept out, whoever else has a key.
#[test]
fn callers_from_elsewhere_are_kept_out() {
    let (isolate, world) = (isolate("guards"), World::empty());
    let key = "a-key-of-theirs";
    let digest = pointsman_core::base::digest::Digest::of(key.as_bytes());
    world.put(&format!("key:{digest}"), r#"{"subject":"acme"}"#);
    let ask = |path: &str, cf: Value, fields: &[(&str, &str)]| {
        let fields = [fields, &[("x-api-key", key)]].concat();
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let cf = cf.as_object().unwrap().clone();
        let result = isolate.request(&world, "GET", path, TestFields { fields, cf });
        if result.forwarded().is_some() { 200 } else { result.answer().status }
    };
    let from = |address: &'static str| [("cf-connecting-ip", address)];
    let origin = |origin: &'static str| [("origin", origin)];
    for (path, cf, fields, status) in [
        ("/geo", json!({ "country": "US" }), &[][..], 200),
        ("/geo", json!({ "country": "DE" }), &[], 403),
        ("/geo", json!({}), &[], 403),
        ("/places", json!({ "regionCode": "WA", "asn": 64_502 }), &[], 200),
        ("/places", json!({ "regionCode": "TX" }), &[], 403),
        ("/places", json!({ "asn": 64_501 }), &[], 403),
        ("/places", json!({}), &[], 200),
        ("/office", json!({}), &from("203.0.113.7"), 200),
        ("/office", json!({}), &from("2001:db8::7"), 200),
        ("/office", json!({}), &from("203.0.113.99"), 403),
        ("/office", json!({}), &from("192.0.2.1"), 403),
        ("/office", json!({}), &[], 403),
        ("/pages", json!({}), &origin("https://app.example.com"), 200),
        ("/pages", json!({}), &origin("https://evil.example"), 400),
        ("/pages", json!({}), &[], 400),
        ("/machines", json!({}), &[], 401),
        ("/old-machines", json!({}), &[], 403),
        ("/newer", json!({}), &[], 403),
    ] {
        assert_eq!(ask(path, cf.clone(), fields), status, "{path} {cf} {fields:?}");
    }
}

#[test]
fn clients_are_told_who_gives_tokens() {
    let told = |path: &str| {
        let path = format!("/.well-known/oauth-protected-resource{path}");
        let result = isolate("providers").get(&World::empty(), &path, &[]);
        let body = result.answer().body.clone().unwrap_or_default();
        serde_json::from_str::<Value>(&body).unwrap()["authorization_servers"].clone()
    };
    assert_eq!(told("/mcp"), json!(["https://id.example.com/"]));
    assert_eq!(told("/people"), Value::Null);
}

/// What a route's handler forwarded goes on, and nothing that is somebody's API key.
#[test]
fn backends_get_the_authorization_that_they_got() {
    let world = World::empty();
    world.put(
        &format!("key:{}", pointsman_core::base::digest::Digest::of(b"a-key-of-theirs")),
        r#"{"subject":"acme"}"#,
    );
    let sent = [
        ("x-api-key", "a-key-of-theirs"),
        ("authorization", "Bearer a.token.of.theirs"),
        ("x-internal", "1"),
    ];
    let got = |path: &str, name: &str| {
        let result = isolate("guards").get(&world, path, &sent);
        assert!(result.forwarded().is_some(), "{path}: {:?}", result.refusal());
        result.backend_fields.get(name).cloned().unwrap_or_default()
    };
    assert_eq!(got("/not-counted", "authorization"), ["Bearer a.token.of.theirs"]);
    for (path, name) in [("/not-counted", "x-api-key"), ("/not-counted", "x-internal")] {
        assert_eq!(got(path, name), Vec::<String>::new(), "{path} {name}");
    }
    // Taken off there, so it is a second credential here.
    let both = isolate("guards").get(&world, "/bare", &sent);
    assert_eq!(both.refusal(), Some(Refusal::CredentialInTwoFields.id()));
    assert!(isolate("guards").get(&world, "/bare", &sent[..1]).forwarded().is_some());
}

#[test]
fn requests_go_where_they_went() {
    let (isolate, world) = (isolate("plain"), World::empty());
    let key = "a-key-of-theirs";
    let digest = pointsman_core::base::digest::Digest::of(key.as_bytes());
    world.put(&format!("key:{digest}"), r#"{"subject":"acme"}"#);
    let own = [("x-api-key", key)];
    for (path, url) in [
        ("/orders?page=2", "https://orders-url.example.com/v1/orders?page=2"),
        ("/orders/7%2F8/lines?all", "https://lines.example.com/by-order/7%2F8?all"),
    ] {
        assert_eq!(isolate.get(&world, path, &own).forwarded(), Some(url), "{path}");
        assert_eq!(isolate.get(&world, path, &[]).refusal(), Some(Refusal::CredentialMissing.id()), "{path}");
        let other = isolate.get(&world, path, &[("x-api-key", "another")]);
        assert_eq!(other.forwarded(), None, "{path}");
    }
    let status = isolate.get(&world, "/status?x=1", &[]);
    assert_eq!(status.forwarded(), Some("https://status.example.com/v2/summary?x=1"));
    assert_eq!(isolate.get(&world, "/orders/7", &own).refusal(), Some(Refusal::RouteUnknown.id()));
}

#[test]
fn no_file_is_written_over_unasked() {
    let folder = scratch("force");
    let out = folder.join("gateway.toml");
    fs::write(&out, "mine").unwrap();
    let arguments = ["import", "zuplo", &self::folder("plain"), "--out", text(&out)];
    let output = pointsman(&arguments);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--force"));
    assert_eq!(fs::read_to_string(&out).unwrap(), "mine");
    let other = folder.join("other.toml");
    let both =
        ["import", "zuplo", &self::folder("plain"), "--out", text(&other), "--wrangler-out", text(&out)];
    assert_eq!(pointsman(&both).status.code(), Some(1));
    assert!(!other.exists(), "one of two files was written");
    let output = pointsman(&[&arguments[..], &["--force"]].concat());
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(fs::read_to_string(&out).unwrap(), read("fixtures/import/zuplo/plain/expected/gateway.toml"));
}

#[test]
fn what_cannot_be_read_is_named() {
    let folder = scratch("unreadable");
    let import = || {
        let output = pointsman(&["import", "zuplo", text(&folder)]);
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.is_empty());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(import().contains("config"));
    fs::create_dir(folder.join("config")).unwrap();
    assert!(import().contains("has no routes.oas.json"));
    fs::write(folder.join("config/routes.oas.json"), "{ \"paths\": [] }").unwrap();
    assert!(import().contains("routes.oas.json: invalid type"));
    fs::write(folder.join("config/routes.oas.json"), "{ \"paths\": {} }").unwrap();
    assert!(import().contains("no route of the project"));
    fs::write(folder.join("config/routes.oas.json"), "\u{feff}{}").unwrap();
    assert!(import().contains("routes.oas.json: begins with a byte order mark"));
    fs::write(folder.join("config/routes.oas.json"), "{ \"paths\": {} }").unwrap();
    fs::write(folder.join("config/policies.json"), "[").unwrap();
    assert!(import().contains("policies.json: "));
}

/// A route as Zuplo has it, with these policies.
fn route(policies: &Value) -> Value {
    json!({ "x-zuplo-route": {
        "corsPolicy": "none",
        "handler": {
            "export": "urlForwardHandler", "module": "$import(@zuplo/runtime)",
            "options": { "baseUrl": "https://b.example.com" }
        },
        "policies": { "inbound": policies }
    } })
}

/// Imports a project whose guarded path comes first and whose open one takes all that is left. Gives the exit code, what
/// was said, and the gateway.
fn import_guarded(path: &str, item: &Value) -> (Option<i32>, String, Isolate) {
    let folder = scratch("guarded");
    fs::create_dir(folder.join("config")).unwrap();
    let open = json!({ "x-zuplo-path": { "pathMode": "url-pattern" }, "get,post": route(&json!([])) });
    // Written by hand: the order counts.
    let routes = format!(r#"{{"paths":{{{}:{item},"/(.*)":{open}}}}}"#, Value::from(path));
    fs::write(folder.join("config/routes.oas.json"), routes).unwrap();
    let options =
        json!({ "allowUnauthenticatedRequests": false, "authHeader": "x-api-key", "authScheme": "" });
    let handler =
        json!({ "export": "ApiKeyInboundPolicy", "module": "$import(@zuplo/runtime)", "options": options });
    let policies =
        json!({ "policies": [{ "name": "keys", "policyType": "api-key-inbound", "handler": handler }] });
    fs::write(folder.join("config/policies.json"), policies.to_string()).unwrap();
    let output = pointsman(&["import", "zuplo", text(&folder), "--json"]);
    let result: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{path} {item}: {}", String::from_utf8_lossy(&output.stderr)));
    let gateway: Value = toml::from_str(result["gateway"].as_str().unwrap()).unwrap();
    let checked = pointsman_config::parse(&gateway.to_string(), &HashMap::<String, String>::new());
    let isolate = Isolate::new(checked.map_err(|findings| panic!("{findings:#?}")).ok().unwrap().gateway);
    (output.status.code(), result["findings"].to_string(), isolate)
}

/// Whatever stands in a path item: what was guarded there never goes the way of the open route here.
#[test]
fn a_guarded_path_is_never_served_by_a_laxer_route() {
    let guarded = route(&json!(["keys"]));
    let world = World::empty();
    let urls = json!({ "pathMode": "url-pattern" });
    let with = |item: Value| {
        let mut item = item;
        item["x-zuplo-path"] = urls.clone();
        item
    };
    for (methods, code) in [
        ("get,post", 0),
        ("post,get", 0),
        ("get,head,post,put,delete,connect,options,trace,patch", 4),
        ("GET,POST", 4),
        ("get, post", 4),
        ("Get,post", 4),
        ("get,post,x-purge", 4),
        ("get|post", 4),
        ("any", 4),
        ("x-get", 4),
    ] {
        let (ended, said, isolate) = import_guarded("/admin/(.*)", &with(json!({ methods: guarded })));
        assert_eq!(ended, Some(code), "{methods}: {said}");
        for path in ["/admin/users", "/admin/", "/admin/a/b"] {
            let answer = isolate.get(&world, path, &[]);
            assert_eq!(answer.forwarded(), None, "{methods}: {path} went on; {said}");
        }
        assert!(isolate.get(&world, "/else", &[]).forwarded().is_some(), "{methods}");
    }
    for item in [
        json!({ "$ref": "#/components/pathItems/admin" }),
        json!({ "get": {} }),
        json!({ "get": null }),
        json!({}),
        json!(null),
        json!({ "trace": guarded }),
        json!({ "get": { "x-zuplo-route": { "policies": { "inboud": ["keys"] } } } }),
        json!({ "get": guarded, "x-zuplo-path": { "pathMode": "glob" } }),
    ] {
        let (ended, said, isolate) = import_guarded("/admin/users", &item);
        assert_eq!(ended, Some(4), "{item}: {said}");
        assert_eq!(isolate.get(&world, "/admin/users", &[]).forwarded(), None, "{item}");
        assert!(said.contains("/admin/users"), "{item}: {said}");
    }
    let get = with(json!({ "get": guarded }));
    for (path, taken) in [
        ("/a b", &["/a%20b"][..]),
        ("/a/:x?", &["/a", "/a/b"]),
        ("/a/(.+)", &["/a/b", "/a/b/c"]),
        ("/a/:x([a-z/]+)", &["/a/b", "/a/b/c"]),
        ("/a/:x*", &["/a", "/a/b/c"]),
        ("/a/:x(b)?/c", &["/a/c", "/a/b/c"]),
        ("/a/(b)+", &["/a/b", "/a/b/b"]),
        ("/a{/:x}*", &["/a", "/a/b/c"]),
        ("/a/../b", &["/b"]),
        ("(.*)", &["/a", "/"]),
        ("/:x?", &["/", "/a"]),
    ] {
        let (_, said, isolate) = import_guarded(path, &get);
        for sent in taken {
            assert_eq!(isolate.get(&world, sent, &[]).forwarded(), None, "{path}: {sent} went on; {said}");
        }
    }
}

#[test]
fn what_was_lost_of_a_policy_is_named() {
    let folder = scratch("metadata");
    fs::create_dir_all(folder.join("config")).unwrap();
    fs::create_dir_all(folder.join("modules")).unwrap();
    fs::write(folder.join("modules/zuplo.runtime.ts"), "").unwrap();
    let routes = json!({ "paths": { "/mcp": { "post": route(&json!(["jwt"])) } } });
    fs::write(folder.join("config/routes.oas.json"), routes.to_string()).unwrap();
    let options = json!({
        "issuer": "https://idp.example.com/", "audience": "https://api.example.com",
        "jwkUrl": "https://idp.example.com/jwks", "oAuthResourceMetadataEnabled": true
    });
    let handler = json!({ "export": "OpenIdJwtInboundPolicy", "module": "$import(@zuplo/runtime)", "options": options });
    let policies = json!({ "policies": [{ "name": "jwt", "handler": handler }] });
    fs::write(folder.join("config/policies.json"), policies.to_string()).unwrap();
    let output = pointsman(&["import", "zuplo", text(&folder)]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(4), "{said}");
    assert!(said.contains("POST /mcp: note: the policy jwt has oAuthResourceMetadataEnabled"), "{said}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("\nresource = {}\n"), "{said}");
    assert!(said.contains("modules/zuplo.runtime.ts"), "{said}");
    assert!(said.contains("A preflight gets 405"), "{said}");
    // Two policies of one name: which of them counts is not known.
    let policies =
        json!({ "policies": [{ "name": "jwt", "handler": handler }, { "name": "jwt", "handler": handler }] });
    fs::write(folder.join("config/policies.json"), policies.to_string()).unwrap();
    let output = pointsman(&["import", "zuplo", text(&folder)]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("deny = 403"));
}
