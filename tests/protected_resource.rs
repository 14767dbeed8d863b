//! Metadata of protected resources and the challenges that point to it (RFC 9728), by the whole core.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use pointsman_core::http::answer::Answer;
use pointsman_testkit::{GatewayToml, Isolate, Result_, TestFields, World, all_to};
use serde_json::{Value, json};

fn isolate() -> Isolate {
    let route = |lines: &str| format!("methods = [\"GET\", \"POST\"]\n{}\n{lines}", all_to("b"));
    let whole = r#"
        resource = { scopes = ["mcp:tools", "mcp:read"], name = "Tools", documentation = "https://docs.example.com", realm = "acme" }
    "#;
    let toml = GatewayToml::new()
        .table("api_keys", "checksum = false\nheader = \"x-api-key\"")
        .issuer("main")
        .issuer("other")
        .backend("b")
        .route("/mcp", &["main"], &route(whole))
        .route("/several/{+path}", &["main", "other"], &route("resource = {}"))
        .route(
            "/elsewhere",
            &["main"],
            &route("resource = { authorization_servers = [\"https://as.example.com/x\"] }"),
        )
        .route(
            "/keys",
            &["api_key"],
            &route("resource = { authorization_servers = [\"https://as.example.com\"], realm = \"acme\" }"),
        )
        .route(
            "/query",
            &["main"],
            &route("resource = {}\ncredential_in = { query = [\"key\", \"access_token\"] }"),
        )
        .route("/own-parameter", &["main"], &route("resource = {}\ncredential_in = { query = \"token\" }"))
        .route("/plain", &["main"], &route(""))
        .route("/{+path}", &[], &route(""));
    Isolate::new(toml.gateway())
}

fn ask(method: &str, path: &str, fields: &[(&str, &str)]) -> Result_ {
    let fields: Vec<_> =
        fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let fields = TestFields { fields, ..TestFields::default() };
    isolate().request(&World::of_fixtures(), method, path, fields)
}

fn field<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.fields.iter().find(|(own, _)| *own == name).map(|(_, value)| value.as_str())
}

fn metadata(path: &str) -> Value {
    let result = ask("GET", path, &[]);
    let answer = result.answer();
    assert_eq!((answer.status, field(answer, "content-type")), (200, Some("application/json")), "{path}");
    assert_eq!(field(answer, "access-control-allow-origin"), Some("*"));
    serde_json::from_str(answer.body.as_deref().unwrap()).unwrap()
}

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";

#[test]
fn metadata_names_who_gives_tokens() {
    let base = "https://gateway.example.com";
    assert_eq!(
        metadata(&format!("{WELL_KNOWN}/mcp")),
        json!({
            "resource": format!("{base}/mcp"),
            "authorization_servers": ["https://main.example.com"],
            "bearer_methods_supported": ["header"],
            "scopes_supported": ["mcp:tools", "mcp:read"],
            "resource_name": "Tools",
            "resource_documentation": "https://docs.example.com",
        })
    );
    assert_eq!(
        metadata(&format!("{WELL_KNOWN}/several/a/b")),
        json!({
            "resource": format!("{base}/several/a/b"),
            "authorization_servers": ["https://main.example.com", "https://other.example.com"],
            "bearer_methods_supported": ["header"],
        })
    );
    let elsewhere = metadata(&format!("{WELL_KNOWN}/elsewhere"));
    assert_eq!(elsewhere["authorization_servers"], json!(["https://as.example.com/x"]));
    // In the query a token comes as access_token and by no other name (RFC 6750, section 2.3).
    for (path, methods) in [("/query", json!(["header", "query"])), ("/own-parameter", json!(["header"]))] {
        assert_eq!(metadata(&format!("{WELL_KNOWN}{path}"))["bearer_methods_supported"], methods, "{path}");
    }
}

#[test]
fn only_routes_that_say_so_have_metadata() {
    for path in ["", "/", "/plain", "/nowhere", "x/mcp"] {
        let result = ask("GET", &format!("{WELL_KNOWN}{path}"), &[]);
        assert!(result.forwarded().is_some(), "{path} goes the way of any other path");
    }
    assert!(ask("POST", &format!("{WELL_KNOWN}/mcp"), &[]).forwarded().is_some());
}

#[test]
fn browsers_may_ask_before() {
    let asks = [
        ("origin", "https://app.example.com"),
        ("access-control-request-method", "GET"),
        ("access-control-request-headers", "mcp-protocol-version"),
    ];
    let result = ask("OPTIONS", &format!("{WELL_KNOWN}/mcp"), &asks);
    let answer = result.answer();
    assert_eq!((answer.status, answer.body.as_deref()), (204, None));
    assert_eq!(field(answer, "access-control-allow-headers"), Some("*"));
}

#[test]
fn challenges_point_to_it() {
    let challenge = |path: &str, fields: &[(&str, &str)]| {
        let result = ask("POST", path, fields);
        field(result.answer(), "www-authenticate").unwrap().to_owned()
    };
    let at = |path: &str| format!("resource_metadata=\"https://gateway.example.com{WELL_KNOWN}{path}\"");
    let whole = format!("Bearer realm=\"acme\", {}, scope=\"mcp:tools mcp:read\"", at("/mcp"));
    assert_eq!(challenge("/mcp", &[]), whole);
    let bad = [("authorization", "Bearer aaaaaaaaaaaaaaa.bbbbbbbbbbbbbbbbb.ccc")];
    assert_eq!(challenge("/mcp", &bad), format!("{whole}, error=\"invalid_token\""));
    assert_eq!(challenge("/several/a?b=c", &[]), format!("Bearer {}", at("/several/a")));
    let of_keys = format!("ApiKey header=\"x-api-key\", realm=\"acme\", {}", at("/keys"));
    assert_eq!(challenge("/keys", &[]), of_keys);
    assert_eq!(challenge("/plain", &[]), "Bearer");
}
