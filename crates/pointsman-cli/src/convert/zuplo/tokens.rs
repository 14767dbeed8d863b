//! Policies that verify JSON Web Tokens.

use serde_json::{Map, Value};

use super::{
    providers,
    values::{Variables, flag, only, text, texts},
};
use crate::convert::draft::{IssuerDraft, KeysAt, Use};

/// What public keys of providers sign with.
const PUBLIC: [&str; 3] = ["RS256", "ES256", "EdDSA"];
/// The option by which clients find the authorization server.
pub(super) const METADATA: &str = "oAuthResourceMetadataEnabled";
const COMMON: [&str; 3] = ["allowUnauthenticatedRequests", METADATA, "subPropertyName"];
const FIREBASE_KEYS: &str =
    "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com";

/// What a policy leaves to the operator.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Left {
    /// The field of the issuer that has no value yet, and what belongs there.
    pub(super) unknown: (&'static str, &'static str),
    /// What else the policy asks of tokens.
    pub(super) claims: Option<String>,
    /// Where the documents say more.
    pub(super) see: &'static str,
}

impl Left {
    /// In words, of the issuer by this name.
    pub(super) fn what(&self, issuer: &str) -> String {
        let (field, meaning) = self.unknown;
        let claims = self.claims.as_ref();
        let claims =
            claims.map(|claims| format!(", and `require` of the route from requiredClaims, {claims}"));
        let claims = claims.unwrap_or_default();
        format!(
            "does not say whose: write {field} of the issuer {issuer}, which is {meaning}{claims}, and then the rule"
        )
    }
}

/// Whether a policy is about tokens.
pub(super) fn is_about_tokens(export: &str) -> bool {
    export.contains("Jwt") && export.ends_with("InboundPolicy") && !export.starts_with("Upstream")
}

/// The issuer that a policy trusts, and what is to be done by hand before anybody may pass.
///
/// # Errors
/// Why it cannot be written here.
pub(super) fn issuer(
    name: &str,
    export: &str,
    options: &Map<String, Value>,
    variables: &mut Variables,
) -> Result<(IssuerDraft, Option<Left>), String> {
    let known = |own: &[&'static str]| [own, &COMMON].concat();
    let (issuer, keys, algorithms, audience) = match export {
        "OpenIdJwtInboundPolicy" => {
            only(options, &known(&["issuer", "audience", "jwkUrl", "secret"]))?;
            let (keys, algorithms) = keys(options, variables)?;
            let issuer = text(options, "issuer", Use::Url, variables)?;
            (issuer, keys, algorithms, texts(options, "audience", variables)?)
        }
        "Auth0JwtInboundPolicy" => {
            only(options, &known(&["auth0Domain", "audience"]))?;
            let domain = needed(text(options, "auth0Domain", Use::Host, variables)?, "auth0Domain")?;
            let keys = KeysAt::Url(format!("https://{domain}/.well-known/jwks.json"));
            let audience = texts(options, "audience", variables)?;
            (Some(format!("https://{domain}/")), keys, vec!["RS256"], audience)
        }
        "OktaJwtInboundPolicy" => {
            only(options, &known(&["issuerUrl", "audience"]))?;
            let issuer = needed(text(options, "issuerUrl", Use::Url, variables)?, "issuerUrl")?;
            let keys = KeysAt::Url(format!("{}/v1/keys", issuer.trim_end_matches('/')));
            (Some(issuer), keys, vec!["RS256"], texts(options, "audience", variables)?)
        }
        "FirebaseJwtInboundPolicy" => {
            only(options, &known(&["projectId"]))?;
            let project = needed(text(options, "projectId", Use::Text, variables)?, "projectId")?;
            let issuer = format!("https://securetoken.google.com/{project}");
            (Some(issuer), KeysAt::Url(FIREBASE_KEYS.to_owned()), vec!["RS256"], vec![project])
        }
        "ClerkJwtInboundPolicy" | "CognitoJwtInboundPolicy" | "SupabaseJwtInboundPolicy" => {
            only(options, &known(providers::options(export)))?;
            let (provider, left) = providers::provider(export, options, variables)?;
            return Ok((with_common(provider, name, options, variables)?, Some(left)));
        }
        _ => {
            return Err(format!(
                "{export} is not known to the import: write an issuer with issuer, audience and jwks_url, and then the rule"
            ));
        }
    };
    let issuer = needed(issuer, "issuer")?;
    if audience.is_empty() {
        return Err("it names no audience, and a token for anybody is a token for nobody here".to_owned());
    }
    let draft = IssuerDraft { issuer, audience, algorithms, keys, ..IssuerDraft::default() };
    Ok((with_common(draft, name, options, variables)?, None))
}

/// Adds what all these policies may say.
fn with_common(
    draft: IssuerDraft,
    name: &str,
    options: &Map<String, Value>,
    variables: &mut Variables,
) -> Result<IssuerDraft, String> {
    flag(options, METADATA)?;
    let subject = text(options, "subPropertyName", Use::Text, variables)?.filter(|claim| claim != "sub");
    let name = if name == "api_key" { "tokens" } else { name };
    Ok(IssuerDraft { name: name.to_owned(), subject, ..draft })
}

pub(super) fn needed(value: Option<String>, name: &str) -> Result<String, String> {
    value.filter(|text| !text.is_empty()).ok_or_else(|| format!("it names no {name}"))
}

pub(super) fn secret(text: String) -> Result<KeysAt, String> {
    if text.starts_with("${") && text.ends_with('}') {
        Ok(KeysAt::Secret(text))
    } else {
        Err("its secret stands in policies.json: make it a secret of the Worker".to_owned())
    }
}

fn keys(
    options: &Map<String, Value>,
    variables: &mut Variables,
) -> Result<(KeysAt, Vec<&'static str>), String> {
    let url = text(options, "jwkUrl", Use::Url, variables)?;
    let shared = text(options, "secret", Use::Secret, variables)?;
    match (url, shared) {
        (Some(url), None) if url.starts_with("http://") => {
            Err("its jwkUrl is spoken to in plain http: see allow_http".to_owned())
        }
        (Some(url), None) => Ok((KeysAt::Url(url), PUBLIC.to_vec())),
        (None, Some(shared)) => Ok((secret(shared)?, vec!["HS256"])),
        (None, None) => Err("it names neither jwkUrl nor secret".to_owned()),
        (Some(_), Some(_)) => Err("it has both a jwkUrl and a secret".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(export: &str, options: Value) -> Result<IssuerDraft, String> {
        let Value::Object(options) = options else { panic!("options are an object") };
        issuer("tokens", export, &options, &mut Variables::default()).map(|(draft, _)| draft)
    }

    #[test]
    fn providers_are_written_as_plain_issuers() {
        let auth0 =
            of("Auth0JwtInboundPolicy", json!({ "auth0Domain": "$env(DOMAIN)", "audience": "api" })).unwrap();
        assert_eq!(auth0.issuer, "https://${DOMAIN}/");
        assert_eq!(auth0.keys, KeysAt::Url("https://${DOMAIN}/.well-known/jwks.json".to_owned()));
        let okta = json!({ "issuerUrl": "https://x.okta.com/oauth2/a", "audience": ["a", "b"], "subPropertyName": "uid" });
        let okta = of("OktaJwtInboundPolicy", okta).unwrap();
        assert_eq!(okta.keys, KeysAt::Url("https://x.okta.com/oauth2/a/v1/keys".to_owned()));
        assert_eq!(
            (okta.audience, okta.subject.as_deref()),
            (vec!["a".to_owned(), "b".to_owned()], Some("uid"))
        );
        let firebase = of("FirebaseJwtInboundPolicy", json!({ "projectId": "p" })).unwrap();
        assert_eq!(
            (firebase.issuer.as_str(), firebase.audience),
            ("https://securetoken.google.com/p", vec!["p".to_owned()])
        );
        let shared = json!({ "issuer": "i", "audience": "a", "secret": "$env(S)" });
        let shared = of("OpenIdJwtInboundPolicy", shared).unwrap();
        assert_eq!((shared.keys, shared.algorithms), (KeysAt::Secret("${S}".to_owned()), vec!["HS256"]));
    }

    #[test]
    fn whatever_would_check_less_is_refused() {
        let whole =
            json!({ "issuer": "https://i.example", "audience": "a", "jwkUrl": "https://i.example/jwks" });
        assert!(of("OpenIdJwtInboundPolicy", whole.clone()).is_ok());
        for missing in ["issuer", "audience", "jwkUrl"] {
            let mut less = whole.clone();
            less.as_object_mut().unwrap().remove(missing);
            assert!(of("OpenIdJwtInboundPolicy", less).is_err(), "{missing}");
        }
        for (name, value) in [
            ("audience", json!([])),
            ("audience", json!(7)),
            ("secret", json!("s")),
            ("requiredClaims", json!({ "a": ["b"] })),
            ("issuer", json!("${request.url}")),
            ("jwkUrl", json!("http://i.example/jwks")),
        ] {
            let mut other = whole.clone();
            other[name] = value.clone();
            assert!(of("OpenIdJwtInboundPolicy", other).is_err(), "{name} = {value}");
        }
        assert!(of("PropelAuthJwtInboundPolicy", json!({})).is_err());
    }
}
