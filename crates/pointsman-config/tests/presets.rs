//! Presets of `[[issuers]]`: what each stands for, and what the check says where one cannot be filled in.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::collections::HashMap;

use serde_json::{Value, json};

fn parsed(issuer: &str) -> Result<(Value, Vec<String>), Vec<String>> {
    let toml_text = format!(
        "[[issuers]]\nname = \"main\"\n{issuer}\n[backends.b]\nurl = \"https://b.example\"\n[[routes]]\npath = \"/x\"\nauth = \
         [\"main\"]\nrules = [{{ name = \"a\", to = \"b\" }}]\n"
    );
    let file: Value = toml::from_str(&toml_text).unwrap();
    let variables: HashMap<String, String> = [("POOL".to_owned(), "eu-west-1_Var".to_owned())].into();
    match pointsman_config::parse(&file.to_string(), &variables) {
        Ok(checked) => Ok((
            checked.form["issuers"][0].clone(),
            checked.warnings.iter().map(ToString::to_string).collect(),
        )),
        Err(findings) => Err(findings.iter().map(ToString::to_string).collect()),
    }
}

fn findings(issuer: &str) -> Vec<String> {
    parsed(issuer).map_or_else(|findings| findings, |(_, warnings)| warnings)
}

#[test]
fn each_preset_is_what_the_issuers_documents_say() {
    let aud = json!(["aud"]);
    for (lines, issuer, jwks_url, audience, claims) in [
        (
            "preset = \"auth0\"\ndomain = \"acme.eu.auth0.com\"\naudience = \"a\"",
            "https://acme.eu.auth0.com/",
            json!("https://acme.eu.auth0.com/.well-known/jwks.json"),
            "a",
            aud.clone(),
        ),
        (
            "preset = \"clerk\"\ndomain = \"clerk.example.com\"\naudience = \"a\"",
            "https://clerk.example.com",
            json!("https://clerk.example.com/.well-known/jwks.json"),
            "a",
            json!(["aud", "azp"]),
        ),
        (
            "preset = \"cloudflare-access\"\nteam = \"acme\"\naudience = \"a\"",
            "https://acme.cloudflareaccess.com",
            json!("https://acme.cloudflareaccess.com/cdn-cgi/access/certs"),
            "a",
            aud.clone(),
        ),
        (
            "preset = \"cognito\"\nregion = \"eu-west-1\"\npool = \"eu-west-1_Ex\"\naudience = \"a\"",
            "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ex",
            json!("https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Ex/.well-known/jwks.json"),
            "a",
            json!(["aud", "client_id"]),
        ),
        (
            "preset = \"entra\"\naudience = \"a\"",
            "https://login.microsoftonline.com/{tid}/v2.0",
            json!("https://login.microsoftonline.com/common/discovery/v2.0/keys"),
            "a",
            aud.clone(),
        ),
        (
            "preset = \"firebase\"\nproject = \"acme-app\"",
            "https://securetoken.google.com/acme-app",
            json!(
                "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com"
            ),
            "acme-app",
            aud.clone(),
        ),
        (
            "preset = \"github-actions\"\naudience = \"a\"",
            "https://token.actions.githubusercontent.com",
            json!("https://token.actions.githubusercontent.com/.well-known/jwks"),
            "a",
            aud.clone(),
        ),
        (
            "preset = \"google\"\naudience = \"a\"",
            "https://accounts.google.com",
            json!("https://www.googleapis.com/oauth2/v3/certs"),
            "a",
            aud.clone(),
        ),
        (
            "preset = \"keycloak\"\nbase_url = \"https://sso.example.com\"\nrealm = \"acme\"\naudience = \"a\"",
            "https://sso.example.com/realms/acme",
            json!("https://sso.example.com/realms/acme/protocol/openid-connect/certs"),
            "a",
            aud.clone(),
        ),
        (
            "preset = \"kubernetes\"\nissuer = \"https://cluster.example.com\"\naudience = \"a\"",
            "https://cluster.example.com",
            Value::Null,
            "a",
            aud.clone(),
        ),
        (
            "preset = \"okta\"\ndomain = \"acme.okta.com\"\nserver = \"default\"\naudience = \"api://default\"",
            "https://acme.okta.com/oauth2/default",
            json!("https://acme.okta.com/oauth2/default/v1/keys"),
            "api://default",
            aud.clone(),
        ),
        (
            "preset = \"supabase\"\nproject = \"abcdefghijklmnopqrst\"",
            "https://abcdefghijklmnopqrst.supabase.co/auth/v1",
            json!("https://abcdefghijklmnopqrst.supabase.co/auth/v1/.well-known/jwks.json"),
            "authenticated",
            aud,
        ),
    ] {
        let (form, warnings) = parsed(lines).unwrap_or_else(|findings| panic!("{lines}: {findings:?}"));
        assert_eq!(warnings, Vec::<String>::new(), "{lines}");
        assert_eq!(form["issuer"], issuer);
        assert_eq!(form["jwks_url"], jwks_url, "{issuer}");
        assert_eq!(form["audience"], json!([audience]), "{issuer}");
        assert_eq!(form["audience_claims"], claims, "{issuer}");
        let algorithms =
            if issuer.contains("supabase") { json!(["ES256", "RS256"]) } else { json!(["RS256"]) };
        assert_eq!(form["algorithms"], algorithms, "{issuer}");
        assert_eq!(form.get("preset"), None, "the Worker knows no presets");
    }
    assert_eq!(pointsman_config::presets::names().count(), 12);
}

#[test]
fn a_field_that_is_written_wins() {
    let (form, _) = parsed(
        "preset = \"cognito\"\nregion = \"eu-west-1\"\npool = \"${POOL}\"\naudience = \"a\"\nalgorithms = [\"RS512\"]\n\
         audience_claims = \"client_id\"\nsubject = \"username\"\njwks_url = \"https://mirror.example/jwks\"",
    )
    .unwrap();
    assert_eq!(
        form["issuer"], "https://cognito-idp.eu-west-1.amazonaws.com/${POOL}",
        "open until it is deployed"
    );
    assert_eq!(form["algorithms"], json!(["RS512"]));
    assert_eq!(form["audience_claims"], json!(["client_id"]));
    assert_eq!(form["subject"], "username");
    assert_eq!(form["jwks_url"], "https://mirror.example/jwks");
    // The legacy secret of Supabase; and one tenant of Entra.
    let secret = "0123456789abcdef0123456789abcdef";
    let (form, _) = parsed(&format!(
        "preset = \"supabase\"\nproject = \"abc\"\nalgorithms = [\"HS256\"]\nsecret = \"{secret}\""
    ))
    .unwrap();
    assert_eq!((&form["jwks_url"], &form["secret"]), (&Value::Null, &json!(secret)));
    let (form, _) = parsed("preset = \"entra\"\naudience = \"a\"\ntenants = [\"7f58f645\"]").unwrap();
    assert_eq!(form["tenants"], json!(["7f58f645"]));
    // What is written in full needs no parameters.
    let full = "preset = \"auth0\"\nissuer = \"https://id.example/\"\njwks_url = \"https://id.example/k\"\naudience = \"a\"";
    assert_eq!(parsed(full).unwrap().0["issuer"], "https://id.example/");
}

#[test]
fn what_a_preset_cannot_know_is_asked_for() {
    for (lines, expected) in [
        ("preset = \"cognit\"", vec!["/issuers/0/preset: \"cognit\" is no preset: write \"cognito\""]),
        ("preset = \"saml\"", vec!["/issuers/0/preset: \"saml\" is no preset: write one of auth0, clerk,"]),
        ("preset = 7", vec!["/issuers/0/preset: must be text, not a number"]),
        (
            "preset = \"cognito\"\naudience = \"a\"",
            vec![
                "/issuers/0: needs region for preset = \"cognito\": region = \"eu-west-1\"",
                "/issuers/0: needs pool for preset = \"cognito\": pool = \"eu-west-1_Example\"",
            ],
        ),
        (
            "preset = \"cognito\"\nregion = \"eu-west-1\"\npool = \"eu-west-1_Ex\"",
            vec![
                "/issuers/0: needs audience: the app client's id, since preset = \"cognito\" cannot know it",
            ],
        ),
        ("preset = \"kubernetes\"\naudience = \"a\"", vec!["/issuers/0: needs issuer: what iss is, since"]),
        ("preset = \"firebase\"", vec!["/issuers/0: needs project for preset = \"firebase\""]),
        (
            "preset = \"auth0\"\ndomain = \"https://acme.auth0.com/\"\naudience = \"a\"",
            vec!["/issuers/0/domain: must be no URL, and have no slash"],
        ),
        (
            "preset = \"keycloak\"\nbase_url = \"sso.example.com\"\nrealm = \"r\"\naudience = \"a\"",
            vec!["/issuers/0/base_url: must be a URL without a slash at its end"],
        ),
        (
            "preset = \"google\"\nrealm = \"r\"\naudience = \"a\"",
            vec!["/issuers/0/realm: is for preset = \"keycloak\", and \"google\" has none: take it off"],
        ),
        (
            "domain = \"a\"\nissuer = \"https://id.example/\"\naudience = \"a\"\nalgorithms = [\"ES256\"]\ndiscovery = true",
            vec![
                "/issuers/0/domain: is for preset = \"auth0\" or \"clerk\" or \"okta\", and no preset is written here",
            ],
        ),
        (
            "audience = \"a\"",
            vec![
                "/issuers/0/issuer: must be",
                "/issuers/0/algorithms: must name",
                "/issuers/0: must have exactly one of",
            ],
        ),
    ] {
        let said = findings(lines);
        assert_eq!(said.len(), expected.len(), "{lines}: {said:?}");
        for (said, expected) in said.iter().zip(expected) {
            assert!(said.starts_with(expected), "{lines}: {said}");
        }
    }
}
