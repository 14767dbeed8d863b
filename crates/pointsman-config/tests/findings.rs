//! What can never work is a fault that says what to write, and one fault is one finding.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod support;

use support::findings;

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
