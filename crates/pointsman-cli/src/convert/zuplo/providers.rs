//! Policies of providers that check less than an issuer does here: each is written as a preset, and what only the operator
//! knows is left to write.

use serde_json::{Map, Value};

use super::{
    tokens::{Left, needed, secret},
    values::{Variables, text},
};
use crate::convert::draft::{IssuerDraft, KeysAt, NOT_KNOWN, PresetDraft, Use};

/// A field that has no value yet, and what belongs there.
type Unknown = (&'static str, &'static str);

/// The options that a policy of these has of its own.
pub(super) fn options(export: &str) -> &'static [&'static str] {
    match export {
        "ClerkJwtInboundPolicy" => &["frontendApiUrl"],
        "CognitoJwtInboundPolicy" => &["region", "userPoolId"],
        _ => &["secret", "requiredClaims"],
    }
}

/// The issuer as a preset, and what is left to write before anybody may pass.
///
/// # Errors
/// Why it cannot be written here.
pub(super) fn provider(
    export: &str,
    options: &Map<String, Value>,
    variables: &mut Variables,
) -> Result<(IssuerDraft, Left), String> {
    let (preset, see) = match export {
        "ClerkJwtInboundPolicy" => (clerk(options, variables)?, "docs/issuers.md#clerk"),
        "CognitoJwtInboundPolicy" => (cognito(options, variables)?, "docs/issuers.md#amazon-cognito"),
        _ => (supabase(options, variables)?, "docs/issuers.md#supabase"),
    };
    let claims = options.get("requiredClaims").filter(|claims| !claims.is_null());
    let (draft, unknown) = preset;
    Ok((draft, Left { unknown, claims: claims.map(Value::to_string), see }))
}

fn clerk(options: &Map<String, Value>, variables: &mut Variables) -> Result<(IssuerDraft, Unknown), String> {
    const NAME: &str = "frontendApiUrl";
    let url = needed(text(options, NAME, Use::Url, variables)?, NAME)?;
    let issuer = url.strip_suffix('/').unwrap_or(&url).to_owned();
    let keys = format!("{issuer}/.well-known/jwks.json");
    let fields = match issuer.strip_prefix("https://") {
        Some(domain) => vec![("domain", part(domain, NAME)?)],
        // Of a variable that holds all of it, the preset cannot take the domain.
        None if is_variable(&issuer) => vec![("issuer", issuer.clone()), ("jwks_url", keys.clone())],
        None => return Err(format!("its {NAME} is no https URL")),
    };
    let unknown = ("audience", "the origins of the applications, as azp has them");
    Ok(draft("clerk", issuer, KeysAt::Url(keys), fields, unknown))
}

fn cognito(
    options: &Map<String, Value>,
    variables: &mut Variables,
) -> Result<(IssuerDraft, Unknown), String> {
    let mut field = |name| part(&needed(text(options, name, Use::Text, variables)?, name)?, name);
    let (region, pool) = (field("region")?, field("userPoolId")?);
    let issuer = format!("https://cognito-idp.{region}.amazonaws.com/{pool}");
    let keys = KeysAt::Url(format!("{issuer}/.well-known/jwks.json"));
    let fields = vec![("region", region), ("pool", pool)];
    Ok(draft("cognito", issuer, keys, fields, ("audience", "the app client's id")))
}

fn supabase(
    options: &Map<String, Value>,
    variables: &mut Variables,
) -> Result<(IssuerDraft, Unknown), String> {
    let keys = secret(needed(text(options, "secret", Use::Secret, variables)?, "secret")?)?;
    let issuer = format!("https://{NOT_KNOWN}.supabase.co/auth/v1");
    let unknown = ("project", "the project's id, as iss has it");
    let (draft, unknown) = draft("supabase", issuer, keys, Vec::new(), unknown);
    Ok((IssuerDraft { algorithms: vec!["HS256"], ..draft }, unknown))
}

fn draft(
    name: &'static str,
    issuer: String,
    keys: KeysAt,
    fields: Vec<(&'static str, String)>,
    unknown: Unknown,
) -> (IssuerDraft, Unknown) {
    let preset = Some(PresetDraft { name, fields, unknown });
    (IssuerDraft { issuer, keys, preset, ..IssuerDraft::default() }, unknown)
}

/// A text that can be part of a URL without changing what the rest of the URL is.
fn part(text: &str, name: &str) -> Result<String, String> {
    let fixed = text.split("${").enumerate().map(|(index, piece)| match piece.split_once('}') {
        Some((_, behind)) if index > 0 => behind,
        _ => piece,
    });
    let is_one = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    if fixed.flat_map(str::chars).all(is_one) {
        Ok(text.to_owned())
    } else {
        Err(format!("its {name} holds more than a name"))
    }
}

fn is_variable(text: &str) -> bool {
    text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}')).is_some_and(|name| !name.contains('$'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(export: &str, options: &Value) -> Result<(IssuerDraft, Left), String> {
        provider(export, options.as_object().unwrap(), &mut Variables::default())
    }

    #[test]
    fn what_a_policy_says_stands_in_the_preset_and_the_rest_is_left() {
        for (export, options, issuer, fields, left) in [
            (
                "ClerkJwtInboundPolicy",
                json!({ "frontendApiUrl": "https://skunk.clerk.accounts.dev/" }),
                "https://skunk.clerk.accounts.dev",
                vec![("domain", "skunk.clerk.accounts.dev")],
                "write audience of the issuer own, which is the origins of the applications, as azp has them, and then",
            ),
            (
                "ClerkJwtInboundPolicy",
                json!({ "frontendApiUrl": "https://$env(CLERK)" }),
                "https://${CLERK}",
                vec![("domain", "${CLERK}")],
                "write audience",
            ),
            (
                "ClerkJwtInboundPolicy",
                json!({ "frontendApiUrl": "$env(CLERK)" }),
                "${CLERK}",
                vec![("issuer", "${CLERK}"), ("jwks_url", "${CLERK}/.well-known/jwks.json")],
                "write audience",
            ),
            (
                "CognitoJwtInboundPolicy",
                json!({ "region": "eu-west-1", "userPoolId": "$env(POOL)" }),
                "https://cognito-idp.eu-west-1.amazonaws.com/${POOL}",
                vec![("region", "eu-west-1"), ("pool", "${POOL}")],
                "which is the app client's id, and then",
            ),
            (
                "SupabaseJwtInboundPolicy",
                json!({ "secret": "$env(S)", "requiredClaims": { "user_role": ["admin"] } }),
                "https://not-known-yet.supabase.co/auth/v1",
                vec![],
                "as iss has it, and `require` of the route from requiredClaims, {\"user_role\":[\"admin\"]}, and",
            ),
        ] {
            let (draft, to_do) = of(export, &options).unwrap();
            let what = to_do.what("own");
            let preset = draft.preset.unwrap();
            let written: Vec<_> = preset.fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            assert_eq!((draft.issuer.as_str(), written), (issuer, fields), "{options}");
            assert!(what.contains(left), "{what}");
        }
    }

    #[test]
    fn what_cannot_stand_in_a_preset_is_refused() {
        for (export, options) in [
            ("ClerkJwtInboundPolicy", json!({})),
            ("ClerkJwtInboundPolicy", json!({ "frontendApiUrl": "http://clerk.example.com" })),
            ("ClerkJwtInboundPolicy", json!({ "frontendApiUrl": "https://clerk.example.com/x" })),
            ("ClerkJwtInboundPolicy", json!({ "frontendApiUrl": "$env(A)$env(B)" })),
            ("ClerkJwtInboundPolicy", json!({ "frontendApiUrl": "https://a@b.example.com" })),
            ("CognitoJwtInboundPolicy", json!({ "region": "eu-west-1" })),
            ("CognitoJwtInboundPolicy", json!({ "region": "evil.example/", "userPoolId": "p" })),
            ("CognitoJwtInboundPolicy", json!({ "region": "eu-west-1", "userPoolId": "p?" })),
            ("SupabaseJwtInboundPolicy", json!({})),
            ("SupabaseJwtInboundPolicy", json!({ "secret": "in the file" })),
        ] {
            assert!(of(export, &options).is_err(), "{export} {options}");
        }
    }
}
