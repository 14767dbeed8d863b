//! What is wrong with `[[issuers]]` is said, with what to write instead.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod support;

use support::findings;

#[test]
fn a_token_says_in_one_claim_at_least_whom_it_is_for() {
    let with = |claims: &str| {
        findings(&format!(
            "[[issuers]]\nname = \"main\"\nissuer = \"https://id.example/\"\naudience = \"a\"\naudience_claims = {claims}\n\
             jwks_url = \"https://id.example/keys\"\nalgorithms = [\"RS256\"]\n[backends.b]\nurl = \"https://b.example\"\n\
             [[routes]]\npath = \"/x\"\nauth = [\"main\"]\nrules = [{{ name = \"a\", to = \"b\" }}]\n"
        ))
    };
    for good in ["\"client_id\"", "[\"aud\", \"client_id\", \"/app/id\"]", "\"https://id.example/for\""] {
        assert_eq!(with(good), Vec::<String>::new(), "{good}");
    }
    for (bad, expected) in [
        ("[]", "/issuers/0/audience_claims: must name at least one claim: a token for anybody"),
        ("\"\"", "/issuers/0/audience_claims: must be a claim's name"),
        ("[\"aud\", \"/a~2\"]", "/issuers/0/audience_claims/1: must be a claim's name"),
        ("[\"azp\", \"azp\"]", "/issuers/0/audience_claims/1: \"azp\" is a duplicate"),
        ("[\"azp\", 1]", "/issuers/0/audience_claims/1: must be text"),
        ("\"${MISSING}\"", "/issuers/0/audience_claims: the variable MISSING is not set"),
    ] {
        let said = with(bad);
        assert!(said.len() == 1 && said[0].starts_with(expected), "{bad}: {said:?}");
    }
}

#[test]
fn an_issuer_is_the_iss_of_tokens_with_one_claim_at_the_most() {
    let with = |issuer: &str| {
        findings(&format!(
            "[[issuers]]\nname = \"main\"\nissuer = \"{issuer}\"\naudience = \"a\"\njwks_url = \"https://id.example/keys\"\n\
             algorithms = [\"RS256\"]\n[backends.b]\nurl = \"https://b.example\"\n[[routes]]\npath = \"/x\"\nauth = [\"main\"]\n\
             rules = [{{ name = \"a\", to = \"b\" }}]\n"
        ))
    };
    let said = with("https://login.microsoftonline.com/{tenantid}/v2.0");
    assert!(said.len() == 1 && said[0].starts_with("/issuers/0/issuer: holds {tenantid}, which"), "{said:?}");
    assert!(said[0].contains("write {tid}"), "{said:?}");
    for good in ["8c1f", "{tid}", "{/org/id}", "{tid}\"\ntenants = [\"a\", \"b\"]\nsubject = \"oid"] {
        let issuer = format!("https://login.microsoftonline.com/{good}");
        assert_eq!(with(&issuer), Vec::<String>::new(), "{good}");
    }
    for (bad, expected) in [
        ("https://a.example/{a}/{b}", "/issuers/0/issuer: must have at most one {claim}"),
        ("https://a.example/{tid", "/issuers/0/issuer: must have at most one {claim}"),
        ("https://a.example/{iss}", "/issuers/0/issuer: has a {claim} that is no claim's name"),
        ("https://{tid}", "/issuers/0/issuer: must have fixed text around its {claim}"),
        ("https://a.example\"\ntenants = [\"a", "/issuers/0/tenants: needs a {claim} in issuer"),
        (
            "https://a.example/{tid}\"\ntenants = []\nsubject = \"oid",
            "/issuers/0/tenants: must name at least one tenant",
        ),
        (
            "https://a.example/{tid}\"\ntenants = [\"a\", \"b.c",
            "/issuers/0/tenants/1: must be 1 to 128 letters",
        ),
    ] {
        let bad =
            if bad.ends_with(['a', 'c']) { format!("{bad}\"]\nsubject = \"oid") } else { bad.to_owned() };
        let said = with(&bad);
        assert!(said.len() == 1 && said[0].starts_with(expected), "{bad}: {said:?}");
    }
}

#[test]
fn no_token_chooses_between_two_issuers() {
    let with = |issuers: &[&str]| {
        let mut text = String::new();
        for (index, issuer) in issuers.iter().enumerate() {
            text += &format!(
                "[[issuers]]\nname = \"i{index}\"\nissuer = {issuer}\naudience = \"a\"\njwks_url = \
                 \"https://id.example/{index}\"\nalgorithms = [\"RS256\"]\n"
            );
        }
        let auth: Vec<_> = (0..issuers.len()).map(|index| format!("i{index}")).collect();
        findings(&format!(
            "{text}[backends.b]\nurl = \"https://b.example\"\n[[routes]]\npath = \"/x\"\nauth = {auth:?}\nrules = [{{ name = \
             \"a\", to = \"b\" }}]\n"
        ))
    };
    let any = "\"https://id.example/{tid}/v2.0\"";
    for apart in [
        [any, "\"https://id.example/{tid}/v1.0\""],
        [any, "\"https://id.example/x\""],
        [
            "\"https://id.example/{tid}/v2.0\"\ntenants = [\"a\"]",
            "\"https://id.example/{tid}/v2.0\"\ntenants = [\"b\"]",
        ],
    ] {
        assert_eq!(with(&apart), Vec::<String>::new(), "{apart:?}");
    }
    for (other, expected) in [
        (any, "/issuers/1/issuer: another entry is already for this issuer"),
        (
            "\"https://id.example/acme/v2.0\"",
            "/issuers/1/issuer: one iss could be both of this entry and of /issuers/0",
        ),
        ("\"https://id.example/{org}/v2.0\"\ntenants = [\"a\"]", "/issuers/1/issuer: one iss could be both"),
    ] {
        let said = with(&[any, other]);
        assert!(said.len() == 1 && said[0].starts_with(expected), "{other}: {said:?}");
    }
}

#[test]
fn a_secret_is_written_in_its_format() {
    let with = |lines: &str| {
        findings(&format!(
            "[[issuers]]\nname = \"main\"\nissuer = \"https://id.example/\"\naudience = \"a\"\nalgorithms = [\"HS256\"]\n{lines}\n\
             [backends.b]\nurl = \"https://b.example\"\n[[routes]]\npath = \"/x\"\nauth = [\"main\"]\n\
             rules = [{{ name = \"a\", to = \"b\" }}]\n"
        ))
    };
    let secret = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr8";
    for (format, written) in [
        ("text", secret.to_owned()),
        ("base64url", secret.to_owned()),
        ("jwk", format!(r#"{{"kty":"oct","k":"{secret}"}}"#)),
    ] {
        let lines = format!("secret = '{written}'\nsecret_format = \"{format}\"");
        assert_eq!(with(&lines), Vec::<String>::new(), "{format}");
    }
    for (lines, expected) in [
        (
            format!("secret = \"{secret}\"\nsecret_format = \"base32\""),
            "/issuers/0/secret_format: must be one of text,",
        ),
        (
            "secret = \"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ\"\nsecret_format = \"base64url\"".to_owned(),
            "/issuers/0/secret: must be at least 32",
        ),
        (format!("secret = \"{secret}\"\nsecret_format = \"jwk\""), "/issuers/0/secret: must be a JWK"),
    ] {
        let said = with(&lines);
        assert!(said.len() == 1 && said[0].starts_with(expected), "{lines}: {said:?}");
        assert!(!said[0].contains(secret), "{said:?}");
    }
    let said = findings(
        "[[issuers]]\nname = \"main\"\nissuer = \"https://id.example/\"\naudience = \"a\"\nalgorithms = [\"ES256\"]\n\
         discovery = true\nsecret_format = \"jwk\"\n[backends.b]\nurl = \"https://b.example\"\n[[routes]]\npath = \"/x\"\n\
         auth = [\"main\"]\nrules = [{ name = \"a\", to = \"b\" }]\n",
    );
    assert_eq!(said, ["/issuers/0/secret_format: is for a secret, and there is none"]);
}

#[test]
fn keys_of_tenants_have_one_place() {
    let said = findings(
        "[[issuers]]\nname = \"main\"\nissuer = \"https://id.example/{tid}\"\naudience = \"a\"\ndiscovery = true\n\
         algorithms = [\"RS256\"]\n[backends.b]\nurl = \"https://b.example\"\n[[routes]]\npath = \"/x\"\nauth = [\"main\"]\n\
         rules = [{ name = \"a\", to = \"b\" }]\n",
    );
    assert!(
        said.len() == 1
            && said[0].starts_with("/issuers/0/discovery: cannot find the keys of an issuer with {tid}"),
        "{said:?}"
    );
}
