//! `resource` of a route: what clients without a token are told of it (RFC 9728).

use pointsman_checked::routes::{is_quotable, is_scope};
use pointsman_core::customer::backend_url::{AllowHttp, document_url};
use serde_json::{Value, json};

use super::{
    file::{GatewayFile, ResourceFile, RouteFile},
    findings::Findings,
    write_all,
};

pub(super) fn resource(
    written: &ResourceFile,
    route: &RouteFile,
    file: &GatewayFile,
    allow_http: AllowHttp,
    at: &str,
    findings: &mut Findings,
) -> Value {
    let at = format!("{at}/resource");
    let servers = match &written.authorization_servers {
        Some(servers) => {
            for (index, url) in servers.iter().enumerate() {
                findings.take(&format!("{at}/authorization_servers/{index}"), document_url(url, allow_http));
            }
            let texts = servers.iter().map(String::as_str);
            write_all(&format!("{at}/authorization_servers"), texts, findings)
        }
        None => own_issuers(route, file, findings),
    };
    if servers.is_empty() {
        let what = "names nobody who gives tokens: add an issuer whose `issuer` is a URL to `auth`, or \
                    `authorization_servers`";
        findings.error(&at, what);
    }
    for (index, _) in written.scopes.iter().enumerate().filter(|(_, scope)| !is_scope(scope)) {
        findings.error(
            format!("{at}/scopes/{index}"),
            "must be one scope: printable ASCII without space, \" and \\",
        );
    }
    if written.realm.as_ref().is_some_and(|realm| !is_quotable(realm)) {
        findings.error(format!("{at}/realm"), "must be printable ASCII without \" and \\");
    }
    if let Some(url) = &written.documentation {
        findings.take(&format!("{at}/documentation"), document_url(url, allow_http));
    }
    let mut text = |name: &str, text: &Option<String>| {
        text.as_deref().map(|text| findings.write(&format!("{at}/{name}"), text))
    };
    let (name, documentation, realm) = (
        text("name", &written.name),
        text("documentation", &written.documentation),
        text("realm", &written.realm),
    );
    let scopes = written.scopes.iter().map(String::as_str);
    json!({
        "authorization_servers": servers,
        "scopes": write_all(&format!("{at}/scopes"), scopes, findings),
        "name": name,
        "documentation": documentation,
        "realm": realm,
    })
}

/// The issuers of the route's tokens by their URLs. One whose `iss` has a place for a tenant has no URL of its own.
fn own_issuers(route: &RouteFile, file: &GatewayFile, findings: &mut Findings) -> Vec<Value> {
    let own = file.issuers.iter().enumerate().filter(|(_, issuer)| route.auth.contains(&issuer.name));
    own.filter(|(_, issuer)| issuer.issuer.starts_with("http") && !issuer.issuer.contains('{'))
        .map(|(index, issuer)| findings.write(&format!("/issuers/{index}/issuer"), issuer.issuer.as_str()))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use crate::{findings::Finding, parse};

    fn found(auth: &str, resource: &str) -> String {
        let toml_text = format!(
            r#"
            [api_keys]
            checksum = false
            [[issuers]]
            name = "main"
            issuer = "https://main.example.com"
            audience = "api"
            algorithms = ["ES256"]
            discovery = true
            [backends.b]
            url = "https://b.example"
            [[routes]]
            path = "/all"
            auth = ["main", "api_key"]
            rules = [{{ name = "all", to = "b" }}]
            [[routes]]
            path = "/mcp"
            auth = [{auth}]
            resource = {resource}
            rules = [{{ name = "all", to = "b" }}]
            "#
        );
        let value: serde_json::Value = toml::from_str(&toml_text).unwrap();
        let read = parse(&value.to_string(), &HashMap::<String, String>::new());
        let findings = read.map_or_else(|findings| findings, |checked| checked.warnings);
        findings.iter().map(Finding::to_string).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn what_a_resource_says_is_checked() {
        assert_eq!(found("\"main\"", "{}"), "");
        assert_eq!(found("\"api_key\"", "{ authorization_servers = [\"https://as.example.com\"] }"), "");
        for (auth, resource, expected) in [
            ("\"api_key\"", "{}", "/routes/1/resource: names nobody who gives tokens"),
            ("", "{}", "/routes/1/resource: names nobody who gives tokens"),
            (
                "\"main\"",
                "{ authorization_servers = [\"http://as.example.com\"] }",
                "/routes/1/resource/authorization_servers/0: ",
            ),
            ("\"main\"", "{ scopes = [\"a b\"] }", "/routes/1/resource/scopes/0: must be one scope"),
            ("\"main\"", "{ realm = 'a\"b' }", "/routes/1/resource/realm: must be printable ASCII"),
            ("\"main\"", "{ documentation = \"docs\" }", "/routes/1/resource/documentation: "),
            ("\"main\"", "{ scope = [] }", "/routes/1/resource/scope"),
        ] {
            let said = found(auth, resource);
            assert!(said.contains(expected), "{resource}: {said}");
        }
    }
}
