//! What is wrong with the places of credentials is said: fields, schemes, queries, cookies and subprotocols.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod support;

use support::findings;

/// Of `[api_keys]` with these lines.
fn of_keys(lines: &str) -> Vec<String> {
    let route =
        "[[routes]]\npath = \"/x\"\nauth = [\"api_key\"]\nrules = [{ name = \"a\", to = \"shared\" }]\n";
    let backends = "[backends.shared]\nurl = \"https://shared.example\"\n";
    findings(&format!("[api_keys]\nprefixes = [\"sk\"]\n{lines}\n{backends}{route}"))
}

#[test]
fn fields_and_schemes_of_keys_are_distinct_and_there() {
    for (lines, found) in [
        (r#"header = "X-Api-Key""#, None),
        (r#"header = ["X-Api-Key", "authorization"]"#, None),
        (r#"scheme = ["", "Bearer", "Basic"]"#, None),
        (
            "header = []",
            Some(
                "/api_keys/header: must name at least one field: from an empty list no credential is ever read",
            ),
        ),
        (
            r#"header = ["x-api-key", "X_Api_Key"]"#,
            Some("/api_keys/header/1: x_api_key is a duplicate, as backends read field names"),
        ),
        (
            r#"header = ["x-api-key", "Host"]"#,
            Some("/api_keys/header/1: must not be host, which has a meaning of its own"),
        ),
        (
            r#"header = "cookie""#,
            Some("/api_keys/header: must not be cookie, which has a meaning of its own"),
        ),
        (
            "scheme = []",
            Some("/api_keys/scheme: must name at least one scheme, or be \"\" for keys without one"),
        ),
        (
            r#"scheme = ["Bearer", "bearer"]"#,
            Some("/api_keys/scheme/1: is a duplicate: schemes are compared without regard to case"),
        ),
        (
            r#"scheme = ["Bearer", "a b"]"#,
            Some("/api_keys/scheme/1: must be a scheme such as \"Bearer\", or \"\" for none"),
        ),
    ] {
        assert_eq!(of_keys(lines), found.into_iter().collect::<Vec<_>>(), "{lines}");
    }
}

/// Of an issuer with these lines, beside API keys in `x-api-key`.
fn of_issuer(lines: &str) -> Vec<String> {
    let route = "[[routes]]\npath = \"/x\"\nauth = [\"api_key\", \"main\"]\nrules = [{ name = \"a\", to = \"shared\" }]\n";
    let backends = "[backends.shared]\nurl = \"https://shared.example\"\n";
    let keys = "[api_keys]\nprefixes = [\"sk\"]\nheader = [\"authorization\", \"X-Api-Key\"]\n";
    let issuer = "[[issuers]]\nname = \"main\"\nissuer = \"https://id.example\"\naudience = \"a\"\nalgorithms = [\"ES256\"]\n\
                  discovery = true\n";
    findings(&format!("{keys}{issuer}{lines}\n{backends}{route}"))
}

#[test]
fn a_field_of_tokens_holds_nothing_else() {
    for (lines, found) in [
        (r#"header = "Cf-Access-Jwt-Assertion""#, None),
        (r#"header = ["x-token", "authorization"]"#, None),
        (r#"header = "x-forwarded-access-token""#, None),
        (
            r#"header = "x-forwarded-for""#,
            Some("/issuers/0/header: must not be x-forwarded-for, which has a meaning of its own"),
        ),
        (
            "header = []",
            Some(
                "/issuers/0/header: must name at least one field: from an empty list no credential is ever read",
            ),
        ),
        (
            r#"header = "x_api_key""#,
            Some("/issuers/0/header: must not be x_api_key, which holds API keys ([api_keys] header)"),
        ),
        (
            r#"header = ["authorization", "X-Subject"]"#,
            Some("/issuers/0/header/1: must not be x-subject, in which backends are told who is calling"),
        ),
        (
            r#"header = "cf-connecting-ip""#,
            Some("/issuers/0/header: must not be cf-connecting-ip, which has a meaning of its own"),
        ),
        (r#"header = "host""#, Some("/issuers/0/header: must not be host, which has a meaning of its own")),
        (
            r#"header = ["x-token", "X-Token"]"#,
            Some("/issuers/0/header/1: x-token is a duplicate, as backends read field names"),
        ),
    ] {
        assert_eq!(of_issuer(lines), found.into_iter().collect::<Vec<_>>(), "{lines}");
    }
}

/// Of a route with these lines.
fn of_places(lines: &str) -> Vec<String> {
    let keys = "[api_keys]\nprefixes = [\"sk\"]\n";
    let backends = "[backends.shared]\nurl = \"https://shared.example\"\n";
    let all =
        "[[routes]]\npath = \"/all\"\nauth = [\"api_key\"]\nrules = [{ name = \"a\", to = \"shared\" }]\n";
    let cors = "[cors.app]\norigins = \"https://app.example\"\n[cors.open]\norigins = \"*\"\n";
    let used = "[[routes]]\npath = \"/a\"\nauth = []\ncors = \"app\"\nrules = [{ name = \"a\", to = \"shared\" }]\n\
                [[routes]]\npath = \"/b\"\nauth = []\ncors = \"open\"\nrules = [{ name = \"a\", to = \"shared\" }]\n";
    let route = "[[routes]]\npath = \"/x\"\nrules = [{ name = \"a\", to = \"shared\" }]\n";
    findings(&format!("{keys}{backends}{cors}{all}{used}{route}{lines}\n"))
}

#[test]
fn a_place_for_credentials_is_one_that_can_hold_one() {
    let keys = |places: &str| format!("auth = [\"api_key\"]\ncredential_in = {places}");
    let at = "/routes/3/credential_in";
    for (lines, found) in [
        (keys(r#"{ subprotocol = "bearer" }"#), None),
        (keys(r#"{ subprotocol = ["bearer", "insecure-key.", "base64url.bearer.example."] }"#), None),
        (
            "auth = []\ncredential_in = { subprotocol = \"bearer\" }".to_owned(),
            Some(format!("{at}: needs a credential to look for: with auth = [] the route takes none")),
        ),
        (
            keys("{ subprotocol = [] }"),
            Some(format!(
                "{at}/subprotocol: must name at least one: an empty list is no place. Leave it out for none"
            )),
        ),
        (
            keys(r#"{ subprotocol = ["a b"] }"#),
            Some(format!("{at}/subprotocol/0: must be a subprotocol: a token such as bearer")),
        ),
        (
            keys(r#"{ subprotocol = ["bearer", "bearer"] }"#),
            Some(format!("{at}/subprotocol/1: bearer is a duplicate")),
        ),
        (
            keys(r#"{ subprotocol = ["key.", "key.of.ours"] }"#),
            Some(format!(
                "{at}/subprotocol/1: begins with key., which is in the list: nobody could tell the two apart"
            )),
        ),
        (
            keys(r#"{ subprotocol = "base64url.bearer.authorization.k8s.io" }"#),
            Some(format!(
                "{at}/subprotocol: must end in a dot: the credential stands behind it in the same subprotocol"
            )),
        ),
        (
            keys("{ subprotocol = \"bearer\" }\nmethods = [\"POST\"]"),
            Some(format!("{at}/subprotocol: never counts, since handshakes are GETs: add it to methods")),
        ),
        (keys(r#"{ query = ["access_token", "api_key"], cookie = "CF_Authorization" }"#), None),
        (keys("{ cookie = \"s\" }\ncors = \"app\""), None),
        (
            keys(r#"{ query = "a b" }"#),
            Some(format!("{at}/query: must be a parameter's name: letters, digits, -, _ and .")),
        ),
        (keys(r#"{ cookie = ["s", "S"] }"#), Some(format!("{at}/cookie/1: S is a duplicate"))),
        (
            keys("{ cookie = \"s\" }\ncors = \"anything-goes\""),
            Some(format!(
                "{at}/cookie: must not be there with cors = \"anything-goes\", which lists no origin whose pages may use \
                 the cookie: name a policy of [cors] that lists them"
            )),
        ),
        (keys("{}"), Some(format!("{at}: must name a place, or be left out"))),
    ] {
        assert_eq!(of_places(&lines), found.into_iter().collect::<Vec<_>>(), "{lines}");
    }
}

/// Of a route with any page's requests, by these keys and tokens.
fn of_any_page(keys: &str, header: &str, auth: &str) -> Vec<String> {
    let issuer = "name = \"main\"\nissuer = \"https://id.example\"\naudience = \"a\"\nalgorithms = [\"ES256\"]\n\
                  discovery = true";
    let rules = "rules = [{ name = \"a\", to = \"shared\" }]";
    findings(&format!(
        "[api_keys]\nchecksum = false\n{keys}\n[[issuers]]\n{issuer}\n{header}\n[backends.shared]\nurl = \
         \"https://shared.example\"\n[[routes]]\npath = \"/all\"\nauth = [\"api_key\", \"main\"]\n{rules}\n[[routes]]\n\
         path = \"/x\"\nauth = {auth}\ncors = \"anything-goes\"\n{rules}\n"
    ))
}

/// Browsers send Basic credentials by themselves, and what a login makes of its cookie: there a policy lists pages.
#[test]
fn no_route_takes_what_browsers_send_by_themselves_from_any_page() {
    let both = r#"["api_key", "main"]"#;
    let (basic, field) = (r#"scheme = ["Bearer", "basic"]"#, r#"header = ["X-Token", "Authorization"]"#);
    for (keys, header, auth, sent) in [
        ("", "", both, None),
        ("scheme = \"Bearer\"", "header = \"Authorization\"", both, None),
        (basic, field, "[]", None),
        (basic, "", r#"["main"]"#, None),
        ("", field, r#"["api_key"]"#, None),
        ("header = \"x-api-key\"\nscheme = \"Basic\"", "", both, None),
        (basic, "", both, Some("API keys behind Basic")),
        ("", "", r#"["client_certificate"]"#, Some("client certificates")),
        ("", field, both, Some("the field x-token of \"main\"")),
        (basic, field, both, Some("the field x-token of \"main\", API keys behind Basic")),
    ] {
        let expected = sent.map(|sent| {
            format!(
                "/routes/1/cors: must not be \"anything-goes\", which lists no origin whose pages may use what browsers send by \
                 themselves here ({sent}): name a policy of [cors] that lists them"
            )
        });
        assert_eq!(
            of_any_page(keys, header, auth),
            expected.into_iter().collect::<Vec<_>>(),
            "{keys} {header} {auth}"
        );
    }
}
