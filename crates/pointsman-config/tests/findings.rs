//! What can never work is a fault that says what to write, and one fault is one finding.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::collections::HashMap;

/// What is found in a gateway.toml.
fn findings(toml_text: &str) -> Vec<String> {
    let file: serde_json::Value = toml::from_str(toml_text).unwrap();
    let none: HashMap<String, String> = HashMap::new();
    let found = match pointsman_config::parse(&file.to_string(), &none) {
        Ok(checked) => checked.warnings,
        Err(findings) => findings,
    };
    found.iter().map(ToString::to_string).collect()
}

const BACKENDS: &str = r#"
    [backends.shared]
    url = "https://shared.example"
    [backends.eu]
    url = "https://eu.example"
    region = "eu"
    [backends.far]
    origins = [{ url = "https://a.example", region = "na" }, { url = "https://b.example", region = "as" }]
"#;

/// Of rules that lead to all three.
fn of_rules(rules: &str) -> Vec<String> {
    let all = "[[routes]]\npath = \"/all\"\nauth = []\nrules = [{ name = \"a\", when = { a = 1 }, to = \"shared\" }, \
               { name = \"b\", when = { b = 1 }, to = \"eu\" }, { name = \"c\", to = \"far\" }]\n";
    findings(&format!("{BACKENDS}{all}[[routes]]\npath = \"/x\"\nauth = []\nrules = [{rules}]\n"))
}

#[test]
fn a_rule_keeps_requests_where_its_backend_is() {
    let at = "/routes/1/rules/0/within: keeps the requests where the backend";
    let end = "never is, so that all are refused: write region = \"eu\" in";
    assert_eq!(
        of_rules(r#"{ name = "a", to = "shared", within = "eu" }"#),
        [format!(
            "{at} \"shared\", which has no region, {end} [backends.shared], beside its url, or leave within out"
        )]
    );
    assert_eq!(
        of_rules(r#"{ name = "a", to = "far", within = ["eu", "af"] }"#),
        [format!(
            "{at} \"far\", which stands in na, as alone, {end} [backends.far], at its origins that are there, or leave within out"
        )]
    );
    let split = r#"{ name = "a", split = [{ to = "eu", weight = 1 }, { to = "shared", weight = 1 }], within = "eu" }"#;
    assert!(of_rules(split)[0].contains("\"shared\", which has no region"), "{:?}", of_rules(split));
    for good in [
        r#"{ name = "a", to = "eu", within = "eu" }"#,
        r#"{ name = "a", to = "far", within = ["eu", "as"] }"#,
        r#"{ name = "a", deny = 403, within = "eu" }"#,
    ] {
        assert_eq!(of_rules(good), Vec::<String>::new(), "{good}");
    }
}

#[test]
fn fresh_is_not_longer_than_stale() {
    let with = |section: &str| {
        let route = "[[routes]]\npath = \"/x\"\nauth = [\"api_key\", \"main\"]\nrules = [{ name = \"a\", to = \"customer\" }]\n";
        let (keys, issuer, customers) = match section.split_once('|') {
            Some(("keys", text)) => (text, "", ""),
            Some(("issuer", text)) => ("", text, ""),
            Some((_, text)) => ("", "", text),
            None => ("", "", ""),
        };
        findings(&format!(
            "[api_keys]\nchecksum = false\n{keys}\n[[issuers]]\nname = \"main\"\nissuer = \"https://id.example\"\naudience = \"a\"\n\
             discovery = true\nalgorithms = [\"ES256\"]\n{issuer}\n[customers]\n{customers}\n{route}"
        ))
    };
    assert_eq!(with(""), Vec::<String>::new());
    for (section, expected) in [
        (
            "keys|fresh = \"2h\"",
            "/api_keys/fresh: lets fresh (2h) be longer than stale (1h, where nothing else is written): write stale = \"2h\" or \
             longer, or a shorter fresh",
        ),
        (
            "keys|stale = \"30s\"",
            "/api_keys/stale: lets fresh (1m) be longer than stale (30s): write fresh = \"30s\" or shorter, or a longer stale",
        ),
        (
            "issuer|fresh = \"2h\"\nstale = \"1h\"",
            "/issuers/0/fresh: lets fresh (2h) be longer than stale (1h): write stale = \"2h\" or longer, or a shorter fresh",
        ),
        (
            "customers|fresh = \"2d\"",
            "/customers/fresh: lets fresh (2d) be longer than stale (1d, where nothing else is written): write stale = \"2d\" or \
             longer, or a shorter fresh",
        ),
        (
            "customers|fresh = \"2 days\"",
            "/customers/fresh: must be a whole number and a unit: 250ms, 30s, 5m, 24h or 7d",
        ),
    ] {
        assert_eq!(with(section), [expected]);
    }
    assert_eq!(with("keys|fresh = \"1h\""), Vec::<String>::new());
}

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

#[test]
fn one_fault_is_one_finding() {
    let gateway = |rules: &str, more: &str| {
        format!(
            "[api_keys]\nchecksum = false\n[limits.slow]\nbinding = \"L\"\nlimit = 1\nperiod = \"60s\"\n[cors.web]\norigins = \
             [\"https://a.example\"]\n[conditions]\noffice = {{ \"$ip\" = \"192.0.2.1\" }}\n[backends.shared]\nurl = \
             \"https://s.example\"\n[backends.other]\nurl = \"https://o.example\"\n[[routes]]\npath = \"/x\"\nauth = [\"api_key\"]\n\
             limits = [\"slow\"]\ncors = \"web\"\nrules = [{rules}]\n{more}"
        )
    };
    let all = r#"{ name = "a", when = { a = 1 }, to = "shared" }, { name = "b", to = "other" }"#;
    assert_eq!(findings(&gateway(all, "")), Vec::<String>::new());
    let unused = gateway("{ name = \"a\", to = \"shared\" }", "");
    assert_eq!(findings(&unused), ["/backends/other: no rule leads to this backend"]);
    let rule = "/routes/0/rules";
    for (good, bad, expected) in [
        // A misspelt backend is not also unused, nor is one.
        ("to = \"other\"", "to = \"othr\"", format!("{rule}/1/to: \"othr\" is unknown: write \"other\"")),
        (
            "to = \"other\"",
            "to = \"elsewhere\"",
            format!("{rule}/1/to: \"elsewhere\" is unknown: write \"customer\" or the name of a backend"),
        ),
        ("[\"slow\"]", "[\"slwo\"]", "/routes/0/limits/0: \"slwo\" is unknown: write \"slow\"".to_owned()),
        ("cors = \"web\"", "cors = \"wbe\"", "/routes/0/cors: \"wbe\" is unknown: write \"web\"".to_owned()),
        (
            "[\"api_key\"]",
            "[\"api_keys\"]",
            "/routes/0/auth/0: \"api_keys\" is unknown: write \"api_key\"".to_owned(),
        ),
        // A rule whose condition cannot be read does not match everybody.
        (
            "when = { a = 1 }",
            "when = { \"$countri\" = \"DE\" }",
            format!("{rule}/0/when/$countri: is nothing that can be asked for"),
        ),
        (
            "when = { a = 1 }",
            "when = { a = {} }",
            format!("{rule}/0/when/a: must say what the value must be"),
        ),
        (
            "when = { a = 1 }",
            "when = \"ofice\"",
            format!("{rule}/0/when: \"ofice\" is unknown: write \"office\""),
        ),
        // A variable that is missing is of no type.
        (
            "period = \"60s\"",
            "period = \"${PERIOD}\"",
            "/limits/slow/period: the variable PERIOD is not set".to_owned(),
        ),
        (
            "checksum = false",
            "checksum = false\nfresh = \"${F}\"",
            "/api_keys/fresh: the variable F is not set".to_owned(),
        ),
    ] {
        let text = gateway(all, "").replacen(good, bad, 1);
        let said = findings(&text);
        assert!(said.len() == 1 && said[0].starts_with(&expected), "{bad}: {said:#?}");
    }
    // Of tiers, too.
    let tiers = r#"limits = [[{ use = "slow", when = { "$countri" = "DE" } }, { use = "slow", when = { a = 1 } }, "none"]]"#;
    let said = findings(&gateway(all, "").replace("limits = [\"slow\"]", tiers));
    assert!(said.len() == 1 && said[0].starts_with("/routes/0/limits/0/0/when/$countri: "), "{said:#?}");
}

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
