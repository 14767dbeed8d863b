//! `pointsman import zuplo` of policies that are code: what is recognised goes where it went, and what is not lets nobody in.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::{
    collections::HashMap,
    fmt::Write,
    fs,
    path::PathBuf,
    process::{Command, Output},
};

use pointsman_core::base::digest::Digest;
use pointsman_testkit::{Isolate, TestFields, World, read};
use serde_json::{Value, json};

const KEY: &str = "a-key-of-theirs";
/// The one source of the test's world that a token goes to.
const CONFIG_API: &str = "https://config.example.com/customers";
const RUNTIME: &str = "$import(@zuplo/runtime)";

fn pointsman(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pointsman"));
    command.current_dir(pointsman_testkit::root()).env("NO_COLOR", "1").env_remove("CLOUDFLARE_ENV");
    command.args(arguments).output().unwrap()
}

/// A folder of this test's own, empty.
fn scratch(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("import-code-{name}"));
    let _ = fs::remove_dir_all(&folder);
    for inner in ["config", "modules"] {
        fs::create_dir_all(folder.join(inner)).unwrap();
    }
    folder
}

/// An isolate with what an import wrote, its variables as the import proposes them.
fn isolate(gateway: &str, wrangler: &str) -> Isolate {
    let wrangler: toml::Table = wrangler.parse().unwrap();
    let vars = wrangler.get("vars").and_then(toml::Value::as_table).cloned().unwrap_or_default();
    let vars = vars.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()));
    let own = [("CONFIG_API_TOKEN", "a-token-of-the-config-api"), ("CUSTOMER_CONFIG_API_URL", CONFIG_API)];
    let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let variables: HashMap<String, String> = vars.chain(own).collect();
    let gateway: Value = toml::from_str(gateway).unwrap();
    let checked = pointsman_config::parse(&gateway.to_string(), &variables);
    Isolate::new(checked.map_err(|findings| panic!("{findings:#?}")).ok().unwrap().gateway)
}

fn of_fixture(case: &str) -> Isolate {
    let expected = format!("fixtures/import/zuplo/{case}/expected");
    isolate(&read(format!("{expected}/gateway.toml")), &read(format!("{expected}/wrangler.toml")))
}

/// A world in which the key has these claims.
fn world(claims: &Value) -> World {
    let world = World::empty();
    let record = json!({ "subject": "acme-ci", "claims": claims });
    world.put(&format!("key:{}", Digest::of(KEY.as_bytes())), &record.to_string());
    for (id, url) in [
        ("acme-corp", "https://acme.tenants.example.com"),
        ("wayne-ent", "https://wayne.tenants.example.com"),
    ] {
        world.put(&format!("customer:{id}"), &json!({ "customerId": id, "backendUrl": url }).to_string());
    }
    world
}

/// Where a request with the key goes, or the status that it gets.
fn ask(
    isolate: &Isolate,
    world: &World,
    path: &str,
    cf: &Value,
    fields: &[(&str, &str)],
) -> Result<String, u16> {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let cf = cf.as_object().unwrap().clone();
    let result = isolate.request(world, "GET", path, TestFields { fields, cf });
    match result.forwarded() {
        Some(url) => Ok(url.to_owned()),
        None => Err(result.answer().status),
    }
}

fn bearer() -> String {
    format!("Bearer {KEY}")
}

#[test]
fn code_that_becomes_rules_sends_requests_where_it_sent_them() {
    let to = |url: &str| Ok(url.to_owned());
    let (sandbox, production) =
        ("https://sandbox-backend-url.example.com", "https://production-backend-url.example.com");
    let shared = "https://multi-tenant-backend-url.example.com";
    for (case, path, claims, expected) in [
        // The environment, by key.
        (
            "code",
            "/environment/x?y=1",
            json!({ "environment": "sandbox" }),
            to(&format!("{sandbox}/v1/x?y=1")),
        ),
        ("code", "/environment/x", json!({ "environment": "production" }), to(&format!("{production}/v1/x"))),
        ("code", "/environment/x", json!({ "environment": "Production" }), Err(403)),
        ("code", "/environment/x", json!({ "environment": null }), Err(403)),
        ("code", "/environment/x", json!({ "environment": ["sandbox"] }), Err(403)),
        ("code", "/environment/x", json!({}), Err(403)),
        ("code", "/switch", json!({ "environment": "test" }), to(&format!("{sandbox}/switch"))),
        ("code", "/switch", json!({ "environment": "production" }), to(&format!("{production}/switch"))),
        ("code", "/switch", json!({ "environment": "" }), Err(403)),
        // A backend for each customer, from a file.
        (
            "code",
            "/customer/x",
            json!({ "customerId": "acme-corp" }),
            to("https://acme.tenants.example.com/x"),
        ),
        (
            "code",
            "/customer/x",
            json!({ "customerId": "wayne-ent" }),
            to("https://wayne.tenants.example.com/x"),
        ),
        ("code", "/customer/x", json!({ "customerId": "nobody" }), Err(403)),
        ("code", "/customer/x", json!({}), Err(401)),
        // Dedicated or shared.
        (
            "code",
            "/hybrid",
            json!({ "customerId": "acme-corp" }),
            to("https://acme.tenants.example.com/hybrid"),
        ),
        ("code", "/hybrid", json!({ "customerId": "nobody" }), to(&format!("{shared}/hybrid"))),
        ("code", "/hybrid", json!({}), to(&format!("{shared}/hybrid"))),
        // A claim in the host.
        (
            "code",
            "/claims",
            json!({ "subscription_tier": "enterprise", "tenant_id": "acme" }),
            to("https://acme.api.example.com/v2/claims"),
        ),
        (
            "code",
            "/claims",
            json!({ "subscription_tier": "free", "tenant_id": "acme" }),
            to("https://shared-backend-url.example.com/v2/claims"),
        ),
        (
            "code",
            "/claims",
            json!({ "subscription_tier": "enterprise" }),
            to("https://shared-backend-url.example.com/v2/claims"),
        ),
        ("code", "/claims", json!({ "subscription_tier": "enterprise", "tenant_id": "evil.com/" }), Err(403)),
        // Guards.
        ("code", "/guarded", json!({ "plan": "gold" }), to("https://a.example.com/guarded")),
        ("code", "/guarded", json!({ "plan": "free" }), Err(500)),
        ("code", "/guarded", json!({}), Err(500)),
        ("code", "/regions", json!({ "plan": "gold" }), to("https://europe-url.example.com/regions")),
    ] {
        let fields = [("authorization", &*bearer()), ("cf-connecting-ip", "203.0.113.7")]
            .map(|(name, value)| (name, value.to_owned()));
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let found = ask(&of_fixture(case), &world(&claims), path, &json!({ "country": "DE" }), &fields);
        assert_eq!(found, expected, "{path} {claims}");
    }
    let (key, world) = (bearer(), world(&json!({ "plan": "gold" })));
    let code = of_fixture("code");
    let from = |address| {
        ask(&code, &world, "/guarded", &json!({}), &[("authorization", &key), ("cf-connecting-ip", address)])
    };
    assert_eq!((from("203.0.113.99"), from("192.0.2.1")), (Err(401), Err(401)));
    let regions = |cf: &Value| ask(&code, &world, "/regions", cf, &[("authorization", &key)]);
    assert_eq!(regions(&json!({})), to("https://shared-backend-url.example.com/regions"));
    // Nobody's credential: only where the route took none.
    assert_eq!(ask(&code, &world, "/hybrid-open", &json!({}), &[]), to(&format!("{shared}/hybrid-open")));
    assert_eq!(ask(&code, &world, "/hybrid", &json!({}), &[]), Err(401));
}

#[test]
fn a_loader_becomes_the_source_of_customers() {
    let key = bearer();
    let list = json!([{ "customerId": "stark-ind", "backendUrl": "https://stark.tenants.example.com" }]);
    for (path, customer, expected) in [
        ("/isolated", json!("stark-ind"), Ok("https://stark.tenants.example.com/isolated")),
        ("/isolated", json!("nobody"), Err(403)),
        ("/isolated", json!(null), Err(403)),
        ("/hybrid", json!("stark-ind"), Ok("https://stark.tenants.example.com/hybrid")),
        ("/hybrid", json!("nobody"), Ok("https://multi-tenant-backend-url.example.com/hybrid")),
    ] {
        let world = world(&json!({ "customerId": customer }));
        world.answer(CONFIG_API, 200, &list.to_string());
        let found = ask(&of_fixture("code-api"), &world, path, &json!({}), &[("authorization", &key)]);
        assert_eq!(found, expected.map(str::to_owned), "{path} {customer}");
    }
    let failing = world(&json!({ "customerId": "stark-ind" }));
    failing.answer(CONFIG_API, 500, "");
    let found = ask(&of_fixture("code-api"), &failing, "/hybrid", &json!({}), &[("authorization", &key)]);
    assert_eq!(found, Err(503));
}

/// The written file, explained as the finding says that it should be.
#[test]
fn what_was_written_can_be_explained() {
    let expected = "fixtures/import/zuplo/code/expected";
    let (gateway, wrangler) = (format!("{expected}/gateway.toml"), format!("{expected}/wrangler.toml"));
    let claims = r#"{"sub":"acme-ci","environment":"sandbox"}"#;
    let output = pointsman(&[
        "explain",
        "--gateway",
        &gateway,
        "--wrangler",
        &wrangler,
        "--path",
        "/switch",
        "--claims",
        claims,
        "--json",
    ]);
    let told: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(told["decision"]["rule"], "sandbox-backend", "{told:#}");
    assert_eq!(told["outcome"], "forward");
}

/// A project with one route, whose policies these are beside one that asks for a key, and whose backend is what code chose.
fn import(name: &str, module: &str) -> (Value, String, String) {
    let folder = scratch(name);
    let handler = json!({ "export": "urlForwardHandler", "module": RUNTIME, "options": { "baseUrl": "${context.custom.backendUrl}" } });
    let route = json!({ "x-zuplo-route": { "corsPolicy": "none", "handler": handler, "policies": { "inbound": ["keys", "own"] } } });
    fs::write(
        folder.join("config/routes.oas.json"),
        json!({ "paths": { "/api": { "get": route } } }).to_string(),
    )
    .unwrap();
    let policies = json!({ "policies": [
        { "name": "keys", "handler": { "export": "ApiKeyInboundPolicy", "module": RUNTIME, "options": {} } },
        { "name": "own", "handler": { "export": "default", "module": "$import(./modules/own)", "options": { "a": "b" } } },
    ] });
    fs::write(folder.join("config/policies.json"), policies.to_string()).unwrap();
    fs::write(
        folder.join("modules/customers.json"),
        r#"[{"customerId":"acme-corp","backendUrl":"https://acme.example.com"}]"#,
    )
    .unwrap();
    fs::write(folder.join("modules/own.ts"), module).unwrap();
    let output = pointsman(&["import", "zuplo", folder.to_str().unwrap(), "--json"]);
    assert_eq!(output.status.code(), Some(4), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |name: &str| result[name].as_str().unwrap().to_owned();
    (result.clone(), text("gateway"), text("wrangler"))
}

const HEAD: &str =
    "import { HttpProblems, ZuploContext, ZuploRequest, environment } from \"@zuplo/runtime\";\n";
const OPEN: &str = "export default async function (request: ZuploRequest, context: ZuploContext) {\n";

/// Each is one of the recognised forms with one thing changed. Nobody may pass, whatever the key says.
#[test]
fn near_misses_stay_closed() {
    let body = |statements: &str| format!("{HEAD}{OPEN}{statements}\n}}\n");
    let chosen = "context.custom.backendUrl = environment.PRODUCTION_BACKEND_URL;";
    let cases: Vec<(&str, String, &str)> = vec![
        (
            "another check, of a field",
            body(&format!(
                "if (request.headers.get(\"x-secret\") !== \"s\") return HttpProblems.forbidden(request, context);\n{chosen}\nreturn request;"
            )),
            "modules/own.ts:3 `request.headers.get(\"x-secret\")` reads a field",
        ),
        (
            "another check, behind the switch",
            body(&format!(
                "switch (request.user.data.environment) {{\ncase \"production\": {chosen} break;\ndefault: return HttpProblems.forbidden(request, context);\n}}\n\
                 await audit(request);\nreturn request;"
            )),
            "modules/own.ts:7 `await audit(request)` ",
        ),
        (
            "a side effect",
            body(&format!("await fetch(\"https://audit.example.com\");\n{chosen}\nreturn request;")),
            "modules/own.ts:3 ",
        ),
        (
            "an answer of its own",
            body(&format!(
                "if (request.user.data.environment === \"sandbox\") return new Response(\"hello\");\n{chosen}\nreturn request;"
            )),
            "modules/own.ts:3 `new Response(\"hello\")` answers by itself",
        ),
        (
            "an answer of its own, with a status that is computed",
            body(&format!(
                "if (request.user.data.a === \"b\") return new Response(\"\", {{ status: request.user.data.status }});\n{chosen}\nreturn request;"
            )),
            "answers by itself",
        ),
        (
            "a computed property",
            body(&format!(
                "const key = request.user.data.which;\nif (request.user.data[key] === \"yes\") {{ {chosen} }}\nreturn request;"
            )),
            "modules/own.ts:4 `request.user.data[key]` reads a member whose name is computed",
        ),
        (
            "a customer by a computed property",
            format!(
                "{HEAD}import customers from \"./customers.json\";\n{OPEN}context.custom.backendUrl = customers[request.user.data.customerId].backendUrl;\nreturn request;\n}}\n"
            ),
            "reads a member whose name is computed",
        ),
        (
            "a customer whom nobody asked about",
            format!(
                "{HEAD}import customers from \"./customers.json\";\n{OPEN}const c = customers.find((one) => one.customerId === request.user.data.customerId);\ncontext.custom.backendUrl = c.backendUrl;\nreturn request;\n}}\n"
            ),
            "reads a customer that may not be there",
        ),
        (
            "a customer by part of the id",
            format!(
                "{HEAD}import customers from \"./customers.json\";\n{OPEN}const c = customers.find((one) => one.customerId.startsWith(request.user.data.customerId));\nif (!c) return HttpProblems.forbidden(request, context);\ncontext.custom.backendUrl = c.backendUrl;\nreturn request;\n}}\n"
            ),
            "looks for a customer otherwise",
        ),
        (
            "a customer's backend that goes elsewhere",
            format!(
                "{HEAD}import customers from \"./customers.json\";\n{OPEN}const c = customers.find((one) => one.customerId === request.user.data.customerId);\nif (c) return HttpProblems.forbidden(request, context);\n{chosen}\nreturn request;\n}}\n"
            ),
            "does not send the request to the customer's backend",
        ),
        (
            "one claim that must be true",
            body(&format!(
                "if (!request.user.data.approved) return HttpProblems.forbidden(request, context);\n{chosen}\nreturn request;"
            )),
            "a value that is null, or no text, would pass",
        ),
        (
            "a comparison that converts",
            body(&format!(
                "if (request.user.data.environment != \"production\") return HttpProblems.forbidden(request, context);\n{chosen}\nreturn request;"
            )),
            "compares in a way that rules do not",
        ),
        (
            "a default that is compared with",
            body(&format!(
                "const tier = request.user?.data?.tier ?? \"free\";\nif (tier === \"free\") return HttpProblems.forbidden(request, context);\n{chosen}\nreturn request;"
            )),
            "compares with the default",
        ),
        (
            "no way out for some",
            body(&format!(
                "if (request.user.data.environment === \"production\") {{\n{chosen}\nreturn request;\n}}"
            )),
            "ends without returning the request",
        ),
        (
            "no backend for some",
            body(&format!(
                "if (request.user.data.environment === \"production\") {{ {chosen} }}\nreturn request;"
            )),
            "context.custom.backendUrl is no URL",
        ),
        (
            "a backend from the request",
            body("context.custom.backendUrl = request.url;\nreturn request;"),
            "context.custom.backendUrl is no URL",
        ),
        (
            "another request",
            body(&format!("{chosen}\nreturn new ZuploRequest(request, {{ headers: {{}} }});")),
            "makes what is not known here",
        ),
        (
            "a case that goes on",
            body(&format!(
                "switch (request.user.data.environment) {{\ncase \"sandbox\": context.log.info(\"x\");\ncase \"production\": {chosen} break;\ndefault: return HttpProblems.forbidden(request, context);\n}}\nreturn request;"
            )),
            "goes on into the next case",
        ),
        ("a try", body(&format!("try {{ {chosen} }} catch (e) {{ }}\nreturn request;")), "is not understood"),
        (
            "a loop",
            body(&format!("for (const a of [1]) {{ {chosen} }}\nreturn request;")),
            "is not understood",
        ),
        (
            "what the log might throw",
            body(&format!("context.log.info(request.user.data.org.name);\n{chosen}\nreturn request;")),
            "reads a member of what may not be there",
        ),
        (
            "another HttpProblems",
            format!(
                "import {{ ZuploContext, ZuploRequest, environment }} from \"@zuplo/runtime\";\nimport {{ HttpProblems }} from \"./problems\";\n{OPEN}{chosen}\nreturn request;\n}}\n"
            ),
            "modules/own.ts:2 ",
        ),
        (
            "an import that runs something",
            format!("import \"./register\";\n{HEAD}{OPEN}{chosen}\nreturn request;\n}}\n"),
            "modules/own.ts:1 `import \"./register\";` imports code",
        ),
        (
            "code beside the policy",
            format!("{HEAD}globalThis.environment = {{}};\n{OPEN}{chosen}\nreturn request;\n}}\n"),
            "runs when the module is loaded",
        ),
        (
            "a variable that a rule cannot ask about",
            body(&format!(
                "if (!environment.OPEN) return HttpProblems.forbidden(request, context);\n{chosen}\nreturn request;"
            )),
            "asks whether the variable OPEN is set",
        ),
        (
            "a member of every object",
            body(&format!(
                "if (!request.user.data.toString) return HttpProblems.forbidden(request, context);\n{chosen}\nreturn request;"
            )),
            "a name that rules cannot have",
        ),
        (
            "what stands in comments and texts",
            body(
                "// context.custom.backendUrl = environment.PRODUCTION_BACKEND_URL;\ncontext.log.info(\"if (a) { return request; }\");\nreturn request; /* } */",
            ),
            "context.custom.backendUrl is no URL",
        ),
        (
            "a host that a claim chooses",
            body("context.custom.backendUrl = `https://${request.user.data.host}`;\nreturn request;"),
            "so that no claim chooses the domain",
        ),
        (
            "a part of a host",
            body(
                "context.custom.backendUrl = `https://api-${request.user.data.region}.example.com`;\nreturn request;",
            ),
            "as one whole label",
        ),
        ("no code", "export default async function (".to_owned(), "is no TypeScript"),
        (
            "no policy",
            format!("{HEAD}export async function other(request: ZuploRequest) {{ return request; }}\n"),
            "exports no function",
        ),
    ];
    for (name, module, said) in cases {
        let (result, gateway, wrangler) = import("near", &module);
        let found = result["findings"].to_string().replace("\\\"", "\"");
        assert_eq!(result["closed"], 1, "{name}: {found}");
        assert!(found.contains(said), "{name}: {found}");
        assert!(gateway.contains("deny = 403"), "{name}");
        let isolate = isolate(&gateway, &wrangler);
        for claims in [
            json!({}),
            json!({ "environment": "production", "customerId": "acme-corp", "tier": "gold", "approved": true }),
            json!({ "environment": "sandbox", "approved": null }),
        ] {
            let found = ask(&isolate, &world(&claims), "/api", &json!({}), &[("authorization", &bearer())]);
            assert!(found.is_err(), "{name}: {claims} went to {found:?}");
        }
    }
    // What they differ from.
    let whole = format!(
        "{HEAD}{OPEN}switch (request.user.data.environment) {{\ncase \"production\": {chosen} break;\n\
         default: return HttpProblems.forbidden(request, context);\n}}\nreturn request;\n}}\n"
    );
    let (result, gateway, wrangler) = import("near", &whole);
    assert_eq!(result["closed"], 0, "{result:#}");
    let world = world(&json!({ "environment": "production" }));
    let found =
        ask(&isolate(&gateway, &wrangler), &world, "/api", &json!({}), &[("authorization", &bearer())]);
    assert_eq!(found, Ok("https://production-backend-url.example.com/api".to_owned()));
}

/// What a route's policies make of a request in Zuplo, one after the other; `None` where nobody knows.
fn in_zuplo(policies: &[&str], has_key: bool, environment: Option<&str>, country: &str) -> Option<bool> {
    let mut user = false;
    for policy in policies {
        let passes = match *policy {
            "keys" => {
                user = has_key;
                has_key
            }
            "maybe-keys" => {
                user |= has_key;
                true
            }
            "country" => country == "US",
            "environment" => user && matches!(environment, Some("sandbox" | "production")),
            // Nobody sends a token.
            "field" | "maybe-token" => true,
            _ => return None,
        };
        if !passes {
            return Some(false);
        }
    }
    Some(true)
}

/// Every order of up to three policies: nobody passes whom Zuplo kept out, and nobody at all where one policy is not known.
#[test]
fn no_order_of_policies_opens_a_route() {
    let pool =
        ["keys", "maybe-keys", "country", "environment", "field", "unknown", "own-code", "maybe-token"];
    let mut orders: Vec<Vec<&str>> = Vec::new();
    for one in pool {
        orders.push(vec![one]);
        for two in pool.iter().filter(|two| **two != one) {
            orders.push(vec![one, *two]);
            let others = pool.iter().filter(|three| **three != one && *three != two);
            orders.extend(others.map(|three| vec![one, *two, *three]));
        }
    }
    let folder = scratch("orders");
    let handler = json!({ "export": "urlForwardHandler", "module": RUNTIME, "options": { "baseUrl": "https://a.example.com" } });
    let mut paths = String::new();
    for (index, inbound) in orders.iter().enumerate() {
        let route = json!({ "get": { "x-zuplo-route": { "corsPolicy": "none", "handler": handler, "policies": { "inbound": inbound } } } });
        write!(paths, "{}\"/p{index}\": {route}", if index == 0 { "" } else { "," }).unwrap();
    }
    fs::write(folder.join("config/routes.oas.json"), format!("{{\"paths\":{{{paths}}}}}")).unwrap();
    let policy = |name: &str, export: &str, module: &str, options: Value| json!({ "name": name, "handler": { "export": export, "module": module, "options": options } });
    let set = json!({ "headers": [{ "name": "x-secret", "value": "s" }] });
    let policies = json!({ "policies": [
        policy("keys", "ApiKeyInboundPolicy", RUNTIME, json!({ "authHeader": "x-api-key", "authScheme": "" })),
        policy("maybe-keys", "ApiKeyInboundPolicy", RUNTIME,
            json!({ "authHeader": "x-api-key", "authScheme": "", "allowUnauthenticatedRequests": true })),
        policy("country", "GeoFilterInboundPolicy", RUNTIME, json!({ "allow": { "countries": "US" }, "ignoreUnknown": false })),
        policy("environment", "default", "$import(./modules/environment)", json!({})),
        policy("field", "SetHeadersInboundPolicy", RUNTIME, set),
        policy("unknown", "NewestInboundPolicy", RUNTIME, json!({})),
        policy("own-code", "default", "$import(./modules/own)", json!({})),
        policy("maybe-token", "OpenIdJwtInboundPolicy", RUNTIME, json!({
            "issuer": "https://id.example.com/", "audience": "https://api.example.com",
            "jwkUrl": "https://id.example.com/jwks", "allowUnauthenticatedRequests": true
        })),
    ] });
    fs::write(folder.join("config/policies.json"), policies.to_string()).unwrap();
    let environment = read("fixtures/import/zuplo/code/modules/environment-routing.ts");
    fs::write(folder.join("modules/environment.ts"), environment).unwrap();
    fs::write(folder.join("modules/own.ts"), format!("{OPEN}  return check(request);\n}}\n")).unwrap();
    let output = pointsman(&["import", "zuplo", folder.to_str().unwrap(), "--json"]);
    let result: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let isolate = isolate(result["gateway"].as_str().unwrap(), result["wrangler"].as_str().unwrap());
    // An isolate remembers what a key says, so each has a key of its own.
    let world = World::empty();
    for (key, claims) in [
        ("sandbox", json!({ "environment": "sandbox" })),
        ("other", json!({ "environment": "other" })),
        ("without", json!({})),
    ] {
        let record = json!({ "subject": key, "claims": claims });
        world.put(&format!("key:{}", Digest::of(key.as_bytes())), &record.to_string());
    }
    let mut passed = 0;
    for (index, policies) in orders.iter().enumerate() {
        for environment in [Some("sandbox"), Some("other"), None] {
            let key = environment.unwrap_or("without");
            for (has_key, country) in [(true, "US"), (true, "DE"), (false, "US"), (false, "DE")] {
                let fields = [("x-api-key", key)];
                let fields = if has_key { &fields[..] } else { &[] };
                let found =
                    ask(&isolate, &world, &format!("/p{index}"), &json!({ "country": country }), fields);
                let expected = in_zuplo(policies, has_key, environment, country);
                let what = format!(
                    "{policies:?}, key: {has_key}, environment: {environment:?}, country: {country}: {found:?}"
                );
                assert!(found.is_err() || expected == Some(true), "{what}");
                // Where tokens may be sent, an API key is no credential here, or the code saw too little of who calls.
                let is_exact = !policies.contains(&"maybe-token");
                assert!(found.is_ok() || expected != Some(true) || !is_exact, "{what}");
                passed += usize::from(found.is_ok());
            }
        }
    }
    assert!(passed > 100, "{passed}");
}

/// A policy whose loader is written so; `key` is what the loader is asked for.
fn of_loader(parameters: &str, body: &str, options: &str, found: &str) -> String {
    format!(
        "import {{ BackgroundLoader, HttpProblems, ZuploContext, ZuploRequest, environment }} from \"@zuplo/runtime\";\n\
         const loader = new BackgroundLoader(async ({parameters}) => {{\n{body}\n}}, {options});\n\
         {OPEN}const id = request.user.data.customerId;\n\
         if (!id) return HttpProblems.unauthorized(request, context);\n{found}\n\
         if (!customer) return HttpProblems.forbidden(request, context);\n\
         context.custom.backendUrl = customer.backendUrl;\nreturn request;\n}}\n"
    )
}

#[test]
fn loaders_become_sources_where_they_load_as_the_gateway_does() {
    let options = "{ ttlSeconds: 60, loaderTimeoutSeconds: 5 }";
    let list = "const customer = (await loader.get(\"all\")).find((one) => one.customerId === id);";
    let list_in_steps =
        "const all = await loader.get(\"all\");\nconst customer = all.find((one) => one.customerId === id);";
    let by_id = "const customer = await loader.get(id);";
    let get = "const response = await fetch(environment.CUSTOMER_CONFIG_API_URL);";
    let give = "return response.json();";
    let plain = format!("{get}\n{give}");
    let one = "const response = await fetch(`${environment.CUSTOMER_CONFIG_API_URL}/${encodeURIComponent(key)}`);\n\
               if (!response.ok) throw new Error(\"no\");\nreturn await response.json();";
    for (parameters, body, found, source) in [
        ("", plain.as_str(), list, "source = { url = \"${CUSTOMER_CONFIG_API_URL}\", timeout = \"5s\" }"),
        (
            "",
            plain.as_str(),
            list_in_steps,
            "source = { url = \"${CUSTOMER_CONFIG_API_URL}\", timeout = \"5s\" }",
        ),
        (
            "key: string",
            one,
            by_id,
            "source = { url = \"${CUSTOMER_CONFIG_API_URL}\", timeout = \"5s\", by_id = true }",
        ),
    ] {
        let (result, gateway, _) = import("loader", &of_loader(parameters, body, options, found));
        assert_eq!(result["closed"], 0, "{body}: {result:#}");
        assert!(gateway.contains("fresh = \"60s\"") && gateway.contains(source), "{gateway}");
        assert!(gateway.contains("rules = [{ name = \"customer\", to = \"customer\" }]"), "{gateway}");
    }
    let post = format!(
        "const response = await fetch(environment.CUSTOMER_CONFIG_API_URL, {{ method: \"POST\" }});\n{give}"
    );
    let field = format!(
        "const response = await fetch(environment.CUSTOMER_CONFIG_API_URL, {{ headers: {{ \"x-api-key\": environment.TOKEN }} }});\n{give}"
    );
    let basic = format!(
        "const response = await fetch(environment.CUSTOMER_CONFIG_API_URL, {{ headers: {{ Authorization: `Basic ${{environment.TOKEN}}` }} }});\n{give}"
    );
    let inverted = format!("{get}\nif (response.ok) throw new Error(\"no\");\n{give}");
    let fallback = format!("{get}\nif (!response.ok) return [];\n{give}");
    let changed = format!("{get}\nconst all = await response.json();\nreturn all.customers;");
    let elsewhere = format!("const response = await fetch(\"https://config.example.com\");\n{give}");
    let twice = format!("{get}\nawait fetch(environment.OTHER);\n{give}");
    let shadowed = format!("{get}\n{give}");
    for (parameters, body, options, found) in [
        ("", post.as_str(), options, list_in_steps),
        ("", &field, options, list_in_steps),
        ("", &basic, options, list_in_steps),
        ("", &inverted, options, list_in_steps),
        ("", &fallback, options, list_in_steps),
        ("", &changed, options, list_in_steps),
        ("", &elsewhere, options, list_in_steps),
        ("", &twice, options, list_in_steps),
        ("environment: string", &shadowed, options, list_in_steps),
        ("", &plain, "{ ttlSeconds: 60, retries: 3 }", list_in_steps),
        ("", &plain, "{ loaderTimeoutSeconds: 5 }", list_in_steps),
        ("", &plain, "{ ttlSeconds: 60, loaderTimeoutSeconds: 500 }", list_in_steps),
        ("", &plain, options, by_id),
        ("key: string", one, options, list_in_steps),
    ] {
        let (result, ..) = import("loader", &of_loader(parameters, body, options, found));
        let found_closed = result["closed"] == 1 && result["findings"].to_string().contains("modules/own.ts");
        assert!(found_closed, "({parameters}) {body} {options} {found}: {result:#}");
    }
}

/// A list that the policy keeps itself, in Zuplo's cache.
#[test]
fn a_cached_list_becomes_a_source_too() {
    let module = |made: &str, get: &str, check: &str, body: &str, put: &str| {
        format!(
            "import {{ HttpProblems, ZoneCache, ZuploContext, ZuploRequest, environment }} from \"@zuplo/runtime\";\n{OPEN}\
             const cache = {made};\nlet customers = {get};\nif ({check}) {{\n{body}\n{put}\n}}\n\
             const customer = customers.find((one) => one.customerId === request.user.data.customerId);\n\
             context.custom.backendUrl = customer ? customer.backendUrl : environment.SHARED_BACKEND_URL;\n\
             return request;\n}}\n"
        )
    };
    let (made, get, check) =
        ("new ZoneCache(\"customers\", context)", "await cache.get(\"all\")", "!customers");
    let body = "const response = await fetch(environment.CUSTOMER_CONFIG_API_URL, { headers: { authorization: `Bearer ${environment.CONFIG_API_TOKEN}` } });\n\
                if (!response.ok) {\nthrow new Error(\"no\");\n}\ncustomers = await response.json();";
    let put = "await cache.put(\"all\", customers, 120);";
    let (result, gateway, _) = import("cached", &module(made, get, check, body, put));
    assert_eq!(result["closed"], 0, "{result:#}");
    let source = "fresh = \"120s\"\nsource = { url = \"${CUSTOMER_CONFIG_API_URL}\", token = \"${CONFIG_API_TOKEN}\" }";
    assert!(gateway.contains(source) && gateway.contains("unlisted = \"next\""), "{gateway}");
    let other = body.replace("customers = await", "customers = other ?? await");
    for (made, get, check, body, put) in [
        ("new Map()", get, check, body, put),
        ("new ZoneCache(request.user.sub, context)", get, check, body, put),
        (made, "await cache.get(request.user.sub)", check, body, put),
        (made, get, "customers", body, put),
        (made, get, check, &other, put),
        (made, get, check, body, "await cache.put(\"others\", customers, 120);"),
        (made, get, check, body, "await cache.put(\"all\", [], 120);"),
        (made, get, check, body, "await cache.put(\"all\", customers, 120); await audit(customers);"),
        (made, get, check, body, ""),
    ] {
        let (result, ..) = import("cached", &module(made, get, check, body, put));
        assert_eq!(result["closed"], 1, "{made} {get} {check} {body} {put}: {result:#}");
    }
}

/// `false` is an answer, and not a claim that is there.
#[test]
fn a_claim_that_is_false_is_not_one_that_is_true() {
    let module = format!(
        "{HEAD}{OPEN}if (request.user.data.suspended) return HttpProblems.forbidden(request, context);\n\
         context.custom.backendUrl = environment.BACKEND_URL;\nreturn request;\n}}\n"
    );
    let (result, gateway, wrangler) = import("false", &module);
    assert_eq!(result["closed"], 0, "{result:#}");
    for (suspended, passes) in [
        (json!(false), true),
        (json!(0), true),
        (json!(""), true),
        (json!(true), false),
        (json!("yes"), false),
        // No rule can ask for null, and whoever is not known to be in order is kept out.
        (json!(null), false),
    ] {
        let world = world(&json!({ "suspended": suspended }));
        let isolate = isolate(&gateway, &wrangler);
        let found = ask(&isolate, &world, "/api", &json!({}), &[("authorization", &bearer())]);
        assert_eq!(found.is_ok(), passes, "{suspended}");
    }
}

/// Code that sends whoever it does not know to production goes on to do so, and the finding says it.
#[test]
fn a_default_of_the_code_is_said() {
    let module = format!(
        "{HEAD}{OPEN}let url = environment.PRODUCTION_BACKEND_URL;\n\
         if (request.user?.data?.environment === \"sandbox\") {{\nurl = environment.SANDBOX_BACKEND_URL;\n}}\n\
         context.custom.backendUrl = url;\nreturn request;\n}}\n"
    );
    let (result, gateway, wrangler) = import("default", &module);
    let said = "Callers of whom no rule says anything go to ${PRODUCTION_BACKEND_URL}";
    assert!(result["findings"].to_string().contains(said) && gateway.contains(said), "{result:#}");
    for (environment, host) in [("sandbox", "sandbox"), ("other", "production")] {
        let world = world(&json!({ "environment": environment }));
        let isolate = isolate(&gateway, &wrangler);
        let found = ask(&isolate, &world, "/api", &json!({}), &[("authorization", &bearer())]);
        assert_eq!(found, Ok(format!("https://{host}-backend-url.example.com/api")));
    }
}
