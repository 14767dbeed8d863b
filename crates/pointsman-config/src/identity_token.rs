//! The part of a configuration that says how backends are told by a signed token who is calling.

use pointsman_checked::SECRET_PLACEHOLDER;
use pointsman_core::{
    base::time::Span,
    forward::assertion::{OWN_CLAIMS, SigningKey},
};
use serde_json::{Value, json};

use super::{
    file::{GatewayFile, IdentityTokenFile},
    findings::{Findings, escape},
    identities::{check_field_name, claim_path},
    read_span,
    sources::is_own_path,
};

const DEFAULT_FIELD: &str = "x-pointsman-identity";
const DEFAULT_PATH: &str = "/.well-known/jwks.json";
const DEFAULT_LIFETIME: Span = Span::from_secs(60);
/// Shorter, and clocks that differ a little refuse it; longer, and what leaked is of use for longer.
const LIFETIMES: std::ops::RangeInclusive<Span> = Span::from_secs(10)..=Span::from_secs(300);

/// `names` are those of the fields that the gateway sets; the token's is added.
pub(super) fn assertions(
    file: &IdentityTokenFile,
    names: &mut Vec<String>,
    findings: &mut Findings,
) -> Value {
    let field = file.field.as_deref().unwrap_or(DEFAULT_FIELD).to_ascii_lowercase();
    check_field_name(&field, "/identity/token/field", findings);
    names.push(field.clone());
    if file.issuer.is_empty() {
        findings.error(
            "/identity/token/issuer",
            "must be what backends check iss against, such as this API's URL",
        );
    }
    let pointer = "/identity/token/lifetime";
    let lifetime = read_span(file.lifetime.as_deref(), DEFAULT_LIFETIME, pointer, findings);
    if !LIFETIMES.contains(&lifetime) || !lifetime.millis().is_multiple_of(1000) {
        findings.error(pointer, "must be whole seconds from 10s to 5m");
    }
    let mut claims = Vec::new();
    for (name, path) in file.claims.iter() {
        let pointer = format!("/identity/token/claims/{}", escape(name));
        if OWN_CLAIMS.contains(&name.as_str()) {
            findings
                .error(&pointer, format!("must not be {name}, which the gateway sets itself or leaves out"));
        }
        claims.push(json!({ "name": name, "from": claim_path(path, &pointer, findings) }));
    }
    let path = file.jwks.as_deref().unwrap_or(DEFAULT_PATH);
    if !path.is_empty() && !is_own_path(path) {
        findings.error(
            "/identity/token/jwks",
            "must be a path such as \"/.well-known/jwks.json\" (letters, digits and -_.~ between slashes), or \"\" \
             for none",
        );
    }
    check_keys(file, findings);
    json!({
        "field": field,
        "issuer": findings.write("/identity/token/issuer", file.issuer.as_str()),
        "keys": file.keys.write("/identity/token/keys", findings),
        "lifetime": lifetime.millis(),
        "claims": claims,
        "jwks": (!path.is_empty()).then_some(path),
    })
}

/// A secret that only the deployed Worker knows is no fault here; there it is read again.
fn check_keys(file: &IdentityTokenFile, findings: &mut Findings) {
    let texts = file.keys.list();
    if texts.is_empty() {
        findings.error("/identity/token/keys", "must hold at least one key: nothing is sent unsigned");
    }
    let mut keys: Vec<SigningKey> = Vec::new();
    for (index, text) in texts.into_iter().enumerate().filter(|(_, text)| *text != SECRET_PLACEHOLDER) {
        let pointer = format!("/identity/token/keys/{index}");
        let Some(key) = findings.take(&pointer, SigningKey::parse(text)) else { continue };
        // A backend would take the one for the other.
        if keys.iter().any(|other| other.id() == key.id()) {
            findings.error(pointer, "has the kid of another key");
        }
        keys.push(key);
    }
}

/// No two of the gateway's own answers may want the same path.
pub(super) fn check_path(file: &GatewayFile, findings: &mut Findings) {
    let token = file.identity.as_ref().and_then(|identity| identity.token.as_ref());
    let path =
        token.map(|token| token.jwks.as_deref().unwrap_or(DEFAULT_PATH)).filter(|path| !path.is_empty());
    let operator =
        file.operator.iter().flat_map(|operator| [&operator.health, &operator.status, &operator.ledger]);
    let is_of_api = file.operator.iter().flat_map(|operator| &operator.api).any(|api| {
        path.and_then(|path| path.strip_prefix(api.as_str()))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    if path.is_some() && (is_of_api || operator.into_iter().any(|taken| taken.as_deref() == path)) {
        findings.error("/identity/token/jwks", "must be another path than those of [operator]");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::{Checked, Variable, Variables, findings::Finding, parse};

    /// Variables by what they are: `KEY_<name>` is a private key of the fixtures, `SECRET` a secret that a
    /// check does not know.
    struct Known;

    impl Variables for Known {
        fn variable(&self, name: &str) -> Variable {
            let keys: Value =
                serde_json::from_str(include_str!("../../../fixtures/keys/private.json")).unwrap();
            match name.strip_prefix("KEY_").map(|name| &keys[name]) {
                Some(Value::Null) => Variable::Missing,
                Some(key) => Variable::Set(key.to_string()),
                None if name == "SECRET" => Variable::Secret,
                None => Variable::Set(name.to_owned()),
            }
        }
    }

    fn check(token: &str) -> Result<Checked, Vec<Finding>> {
        let rest = r#"
            [operator]
            health = "/healthz"
            [backends.shared]
            url = "https://shared.example"
            [[routes]]
            path = "/{+path}"
            auth = []
            rules = [{ name = "all", to = "shared" }]
        "#;
        let file: Value = toml::from_str(&format!("[identity.token]\n{token}\n{rest}")).unwrap();
        parse(&file.to_string(), &Known)
    }

    fn findings(token: &str) -> Vec<String> {
        let found = match check(token) {
            Ok(checked) => checked.warnings,
            Err(findings) => findings,
        };
        found.iter().map(Finding::to_string).collect()
    }

    #[test]
    fn defaults_are_what_the_documents_say() {
        let checked = check(
            r#"
            issuer = "https://api.example.com"
            keys = ["${KEY_es256-1}", "${KEY_eddsa-1}"]
            "#,
        );
        let token = checked.ok().unwrap().gateway.identity().token.clone().unwrap();
        assert_eq!(token.field.as_ref(), "x-pointsman-identity");
        assert_eq!(token.lifetime, Span::from_secs(60));
        assert_eq!(token.key_set_path.as_deref(), Some("/.well-known/jwks.json"));
        assert_eq!(token.keys.len(), 2);
    }

    #[test]
    fn a_secret_that_a_check_does_not_know_is_no_fault() {
        let checked = check("issuer = \"i\"\nkeys = [\"${SECRET}\", \"${KEY_es256-1}\"]");
        assert_eq!(checked.ok().unwrap().gateway.identity().token.clone().unwrap().keys.len(), 1);
        assert_eq!(findings("issuer = \"i\"\nkeys = \"${SECRET}\""), Vec::<String>::new());
    }

    #[test]
    fn what_is_wrong_is_said() {
        let said = findings(
            r#"
            field = "x-subject"
            issuer = ""
            keys = ["${KEY_es256-1}", "${KEY_es384-1}", "no key", "${KEY_es256-1}", "${KEY_stranded}"]
            lifetime = "1h"
            claims = { sub = "email", plan = "", exp = "/x" }
            jwks = "/healthz"
            "#,
        );
        for line in [
            "/identity: x-subject is a duplicate, as backends read field names",
            "/identity/token/issuer: must be what backends check iss against",
            "/identity/token/keys/1: must be a key of kty EC with crv P-256, or of kty OKP with crv Ed25519",
            "/identity/token/keys/2: must be a private JWK as JSON text",
            "/identity/token/keys/3: has the kid of another key",
            "/identity/token/keys/4: the variable KEY_stranded is not set",
            "/identity/token/lifetime: must be whole seconds from 10s to 5m",
            "/identity/token/claims/sub: must not be sub",
            "/identity/token/claims/exp: must not be exp",
            "/identity/token/claims/plan: must be a claim's name, or a JSON Pointer",
            "/identity/token/jwks: must be another path than those of [operator]",
        ] {
            assert!(said.iter().any(|finding| finding.starts_with(line)), "missing {line}\n{said:#?}");
        }
        assert_eq!(said.len(), 11, "{said:#?}");
    }

    #[test]
    fn odd_fields_lifetimes_and_paths_are_refused() {
        for (rest, pointer) in [
            ("field = \"via\"", "/identity/token/field"),
            ("field = \"two words\"", "/identity/token/field"),
            ("lifetime = \"9s\"", "/identity/token/lifetime"),
            ("lifetime = \"10500ms\"", "/identity/token/lifetime"),
            ("jwks = \"jwks.json\"", "/identity/token/jwks"),
            ("jwks = \"/{+path}\"", "/identity/token/jwks"),
            ("secret = \"x\"", "/identity/token/secret"),
        ] {
            let said = findings(&format!("issuer = \"i\"\nkeys = [\"${{KEY_es256-1}}\"]\n{rest}"));
            assert!(said.len() == 1 && said[0].starts_with(pointer), "{rest}: {said:#?}");
        }
        assert!(findings("issuer = \"i\"\nkeys = []")[0].starts_with("/identity/token/keys"));
    }

    /// Findings are logged, and a secret that stands where something else should must not be in one.
    #[test]
    fn no_finding_shows_a_key() {
        let private: Value =
            serde_json::from_str(include_str!("../../../fixtures/keys/private.json")).unwrap();
        for keys in [
            r#"["${KEY_es384-1}"]"#,
            r#"["${KEY_es384-1} "]"#,
            r#"["x${KEY_es384-1}"]"#,
            r#"[["${KEY_es384-1}"]]"#,
            r#"{ first = "${KEY_es384-1}" }"#,
            r#""${KEY_es384-1}""#,
        ] {
            let said = findings(&format!("issuer = \"i\"\nkeys = {keys}"));
            assert!(!said.is_empty(), "{keys}");
            let secret = private["es384-1"]["d"].as_str().unwrap();
            assert!(!said.iter().any(|line| line.contains(secret)), "{said:?}");
        }
    }
}
