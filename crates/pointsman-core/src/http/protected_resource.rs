//! Metadata of protected resources (RFC 9728): how a client that has no token yet finds out who gives tokens for a route. MCP
//! clients ask for nothing else.

use serde_json::Value;

use crate::{
    base::json::{ToJson, json, put, text},
    http::{answer::Answer, head::Head},
};

/// Where the metadata of a resource stands: before the resource's own path (section 3.1).
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";
/// The parameter that has a token where one comes in the query (RFC 6750, section 2.3): who reads `query` in metadata uses it.
pub const TOKEN_PARAMETER: &str = "access_token";
/// How long metadata may be kept: it changes with the configuration alone.
const CACHED: &str = "public, max-age=300";

/// What is said of a route to clients that have no token.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ProtectedResource {
    /// The issuers of tokens that the route takes, by the URLs at which their own metadata is found (RFC 8414).
    pub authorization_servers: Vec<String>,
    /// The scopes that a token needs, or may have.
    pub scopes: Vec<String>,
    /// Its name, for people.
    pub name: Option<String>,
    /// The URL of its documentation, for people.
    pub documentation: Option<String>,
    /// What `realm` says in challenges (RFC 9110, section 11.5).
    pub realm: Option<String>,
}

/// How tokens may come to a resource (section 2).
#[derive(Clone, Debug, Default)]
pub struct TokenForms {
    /// In the query, beside the field.
    pub in_query: bool,
    /// Behind `DPoP`: the algorithms that proofs may be signed with, by their names.
    pub dpop: Option<Vec<&'static str>>,
    /// And in no other way.
    pub dpop_only: bool,
    /// Bound to a client certificate.
    pub certificate_bound: bool,
}

/// The path of the resource that a request asks for metadata of; `None` where it asks for something else.
#[must_use]
pub fn resource_path(path: &str) -> Option<&str> {
    // Nearly no path begins so.
    if path.as_bytes().get(1) != Some(&b'.') {
        return None;
    }
    match path.strip_prefix(WELL_KNOWN)? {
        "" => Some("/"),
        rest if rest.starts_with('/') => Some(rest),
        _ => None,
    }
}

impl ProtectedResource {
    /// The metadata of the resource at `path` (section 3.2). Scripts of any origin may read it: it is public, and whoever
    /// reads it sends no credential. `forms` says how tokens may come.
    #[must_use]
    pub fn answer(&self, path: &str, forms: &TokenForms, head: &Head<'_>) -> Answer {
        let mut fields = vec![
            ("access-control-allow-origin", "*".to_owned()),
            ("cache-control", CACHED.to_owned()),
            ("x-request-id", head.request_id.to_owned()),
        ];
        match head.method {
            "GET" | "HEAD" => {
                fields.push(("content-type", "application/json".to_owned()));
                let body = Some(text(&self.document(path, forms, head)));
                Answer { status: 200, fields, body, refusal: None }
            }
            // Clients of MCP send a field of their own with it, so browsers ask before.
            _ => {
                fields.push(("access-control-allow-methods", "GET".to_owned()));
                fields.push(("access-control-allow-headers", "*".to_owned()));
                Answer { status: 204, fields, body: None, refusal: None }
            }
        }
    }

    fn document(&self, path: &str, forms: &TokenForms, head: &Head<'_>) -> Value {
        let methods: &[&str] = if forms.in_query { &["header", "query"] } else { &["header"] };
        let mut document = json!({
            "resource": format!("{}://{}{path}", head.target.scheme, head.target.authority),
            "authorization_servers": self.authorization_servers,
            "bearer_methods_supported": methods.to_vec(),
        });
        if let Value::Object(members) = &mut document {
            if let Some(algorithms) = &forms.dpop {
                put(members, "dpop_signing_alg_values_supported", algorithms.to_json());
                put(members, "dpop_bound_access_tokens_required", forms.dpop_only.into());
            }
            if forms.certificate_bound {
                put(members, "tls_client_certificate_bound_access_tokens", true.into());
            }
            if !self.scopes.is_empty() {
                put(members, "scopes_supported", self.scopes.clone().into());
            }
            for (name, value) in
                [("resource_name", &self.name), ("resource_documentation", &self.documentation)]
            {
                if let Some(value) = value {
                    put(members, name, value.as_str().into());
                }
            }
        }
        document
    }

    /// The challenge of a route that is one (section 5.1), of whose usual challenge `scheme` is the beginning.
    #[must_use]
    pub fn challenge(&self, scheme: &str, head: &Head<'_>) -> String {
        let target = head.target;
        let own = format!("{}://{}{WELL_KNOWN}{}", target.scheme, target.authority, target.path);
        let mut parameters = Vec::new();
        if let Some(realm) = self.realm.as_ref().filter(|_| !scheme.contains(" realm=")) {
            parameters.push(format!("realm=\"{realm}\""));
        }
        // A URL that the platform has read has neither; a quoted text ends there.
        if !own.contains(['"', '\\']) {
            parameters.push(format!("resource_metadata=\"{own}\""));
        }
        if !self.scopes.is_empty() {
            parameters.push(format!("scope=\"{}\"", self.scopes.join(" ")));
        }
        if parameters.is_empty() {
            return scheme.to_owned();
        }
        // A scheme with parameters of its own goes on with a comma (RFC 9110, section 11.6.1).
        let separator = if scheme.contains(' ') { ", " } else { " " };
        format!("{scheme}{separator}{}", parameters.join(", "))
    }
}
