use std::collections::HashMap;

use serde_json::json;

use super::*;

fn variables() -> HashMap<String, String> {
    HashMap::from([("SHARED".to_owned(), "https://shared.example".to_owned())])
}

fn findings(toml_text: &str) -> Vec<String> {
    let value: Value = toml::from_str(toml_text).unwrap();
    match parse(&value.to_string(), &variables()) {
        Ok(checked) => checked.warnings.iter().map(Finding::to_string).collect(),
        Err(findings) => findings.iter().map(Finding::to_string).collect(),
    }
}

const SMALL: &str = r#"
        [backends.shared]
        url = "${SHARED}"
        [[routes]]
        path = "/{+path}"
        auth = []
        rules = [{ name = "all", to = "shared" }]
    "#;

#[test]
fn a_small_configuration_is_read_without_findings() {
    assert_eq!(findings(SMALL), Vec::<String>::new());
}

#[test]
fn the_user_agent_is_ours_or_what_is_written() {
    let gateway = |line: &str| {
        let value: Value = toml::from_str(&format!("{line}\n{SMALL}")).unwrap();
        parse(&value.to_string(), &variables()).map(|checked| checked.gateway.user_agent().to_owned())
    };
    assert_eq!(gateway("").unwrap(), concat!("pointsman/", env!("CARGO_PKG_VERSION")));
    let own = "acme-gateway/2.0 (+https://acme.example/about)";
    assert_eq!(gateway(&format!("user_agent = \"{own}\"")).unwrap(), own);
    for bad in ["", " ", "a ", " a", "a\\tb", "a\\r\\nx: y", "é", "a\\u007F", &"a".repeat(257)] {
        let found = gateway(&format!("user_agent = \"{bad}\"")).unwrap_err();
        assert!(found.iter().any(|finding| finding.pointer == "/user_agent"), "{bad}");
    }
}

#[test]
fn a_leeway_that_is_not_written_is_for_nbf_alone() {
    let leeway = |line: &str| {
        let issuer = "[[issuers]]\nname = \"a\"\nissuer = \"https://a.example\"\naudience = \"a\"\nalgorithms = [\"ES256\"]\ndiscovery = true";
        let small = SMALL.replace("auth = []", "auth = [\"a\"]");
        let value: Value = toml::from_str(&format!("{issuer}\n{line}\n{small}")).unwrap();
        let gateway = parse(&value.to_string(), &variables()).map(|checked| checked.gateway).unwrap();
        let told = pointsman_core::state::bounds::bounds(&gateway, pointsman_core::state::bounds::Hears::Kv)
            .iter()
            .any(|bound| bound.id == "token_expired:a");
        let leeway = gateway.issuers().first().unwrap().leeway;
        (leeway.expiry.millis(), leeway.not_before.millis(), told)
    };
    assert_eq!(leeway(""), (0, 5_000, false));
    assert_eq!(leeway("leeway = \"30s\""), (30_000, 30_000, true));
    assert_eq!(leeway("leeway = \"0s\""), (0, 0, false));
}

#[test]
fn all_that_is_wrong_is_said_at_once() {
    let said = findings(
        r#"
            allow_https = true
            [api_keys]
            prefixes = "sk_live"
            [backends.a]
            url = "${NOWHERE}"
            [backends.b]
            url = "http://b.example"
            timeout = "soon"
            [backends.unused]
            url = "https://unused.example"
            [[routes]]
            path = "no-slash"
            auth = ["api_key", "missing"]
            rules = [{ name = "x", to = "c" }, { name = "y", to = "a", deny = 403 }, { name = "z", when = { plan = { is = 1 } }, to = "b" }]
            [[routes]]
            path = "/x"
            rules = []
            "#,
    );
    let pointers: Vec<_> = said.iter().filter_map(|finding| finding.split(": ").next()).collect();
    for pointer in [
        "/allow_https",
        "/api_keys/prefixes",
        "/backends/a/url",
        "/backends/b/url",
        "/backends/b/timeout",
        "/routes/0/path",
        "/routes/0/rules/1",
        "/routes/0/rules/2/when/plan/is",
        "/routes/1",
    ] {
        assert!(pointers.contains(&pointer), "{pointer} is not among {said:#?}");
    }
    // What could not be read may be what is missing there, or what is used.
    for pointer in ["/routes/0/auth/1", "/routes/0/rules/0/to", "/backends/unused"] {
        assert!(!pointers.contains(&pointer), "{pointer} is among {said:#?}");
    }
}

#[test]
fn references_and_reachability_are_checked() {
    let said = findings(
        r#"
            [backends.shared]
            url = "${SHARED}"
            [backends.idle]
            url = "https://idle.example"
            [[routes]]
            path = "/a"
            auth = ["api_key", "main"]
            cors = "strict"
            rewrite = "/{id}"
            rules = [
              { name = "one", when = { plan = ["free", "paid"] }, to = "shared" },
              { name = "two", when = { plan = "free" }, to = "shared" },
              { name = "three", to = "customer" },
              { name = "three", to = "nowhere" },
            ]
            [[routes]]
            path = "/a"
            auth = []
            rules = []
            "#,
    );
    let expected = [
        "/routes/0/auth/0: \"api_key\" needs an [api_keys] section",
        "/routes/0/auth/1: \"main\" is unknown: write \"api_key\", \"client_certificate\" or the name of an issuer",
        "/routes/0/cors: \"strict\" is unknown: write \"none\", \"anything-goes\" or a name of [cors]",
        "/routes/0/rewrite: uses {id}, which the route's path does not have",
        "/routes/0/rules/1: is never reached: rule \"one\" matches whatever it matches",
        "/routes/0/rules/2/to: \"customer\" needs a [customers] section",
        "/routes/0/rules/3/name: \"three\" is already the name of another rule of this route",
        "/routes/0/rules/3/to: \"nowhere\" is unknown: write \"customer\" or the name of a backend",
        "/routes/0/rules/3: is never reached: rule \"three\" matches whatever it matches",
        "/routes/1/rules: must have at least one rule: without one, no request could go anywhere",
    ];
    for line in expected {
        assert!(said.iter().any(|finding| finding == line), "missing {line}\n{said:#?}");
    }
    assert!(said.iter().any(|finding| finding.starts_with("/routes/1/path: GET /a is already")), "{said:#?}");
}

#[test]
fn changes_are_announced_only_where_that_means_something() {
    let said = |source: &str, operator: &str| {
        let text = format!(
            "{SMALL}\n[customers]\nsource = {{ url = \"https://c.example.com\", {source} }}\n{operator}"
        );
        let value: Value = toml::from_str(&text).unwrap();
        match parse(&value.to_string(), &variables()) {
            Ok(checked) => Ok(checked.gateway.customers().unwrap().source.as_ref().unwrap().announced),
            Err(faults) => Err(faults.iter().map(|fault| fault.pointer.clone()).collect::<Vec<_>>()),
        }
    };
    let operator = "[operator]\nledger = \"/ledger\"\nsecret = \"pso_02468ACEGIKMOQSUWYacegikmoqsuwy02468ACEGIKM_0JlQ4k\"";
    let at = || Err(vec!["/customers/source/changes".to_owned()]);
    assert_eq!(said("by_id = true, changes = \"announced\"", operator), Ok(true));
    assert_eq!(said("by_id = true, changes = \"unannounced\"", ""), Ok(false));
    assert_eq!(said("by_id = true", ""), Ok(false));
    assert_eq!(
        said("by_id = true, changes = \"announced\"", ""),
        at(),
        "there is no path to announce them at"
    );
    assert_eq!(said("changes = \"announced\"", operator), at(), "a list says itself what changed");
    assert_eq!(said("by_id = true, changes = \"sometimes\"", operator), at());
}

#[test]
fn who_may_report_leaked_keys_is_said_where_they_can_be_reported() {
    let form = |more: &str| -> Result<Value, Vec<String>> {
        let value: Value = toml::from_str(&format!("{more}\n{SMALL}")).unwrap();
        match parse(&value.to_string(), &variables()) {
            Ok(checked) => Ok(checked.form.pointer("/operator/leaked_keys").cloned().unwrap_or_default()),
            Err(findings) => Err(findings.iter().map(ToString::to_string).collect()),
        }
    };
    let api = "[operator]\napi = \"/api\"";
    let github = "https://api.github.com/meta/public_keys/secret_scanning";
    let usual = json!({ "action": "revoke", "github": false, "github_keys_url": github });
    assert_eq!(form(api), Ok(Value::Null));
    assert_eq!(form(&format!("{api}\n[operator.leaked_keys]")), Ok(usual));
    let own = "action = \"mark\"\ngithub = true\ngithub_keys_url = \"https://keys.example.com/github\"";
    assert_eq!(
        form(&format!("{api}\n[operator.leaked_keys]\n{own}")),
        Ok(json!({ "action": "mark", "github": true, "github_keys_url": "https://keys.example.com/github" }))
    );
    for (operator, own, pointer) in [
        ("[operator]\nhealth = \"/healthz\"", "", "/operator/leaked_keys: "),
        (api, "action = \"delete\"", "/operator/leaked_keys/action: "),
        (api, "github_keys_url = \"https://a.example.com\"", "/operator/leaked_keys/github_keys_url: "),
        (
            api,
            "github = true\ngithub_keys_url = \"http://127.0.0.1:1\"",
            "/operator/leaked_keys/github_keys_url: ",
        ),
        (api, "gitlab = true", "/operator/leaked_keys/gitlab: "),
    ] {
        let said = form(&format!("{operator}\n[operator.leaked_keys]\n{own}")).unwrap_err();
        assert!(said.len() == 1 && said[0].starts_with(pointer), "{own}: {said:?}");
    }
    let own = "github = true\ngithub_keys_url = \"http://127.0.0.1:1/keys\"";
    assert!(form(&format!("allow_http = \"loopback\"\n{api}\n[operator.leaked_keys]\n{own}")).is_ok());
}

/// What somebody made up could be found by trying words. A caller of the API must not pay for it.
#[test]
fn an_operator_secret_that_was_made_up_shuts_what_operators_ask_and_no_more() {
    const MINTED: &str = "pso_02468ACEGIKMOQSUWYacegikmoqsuwy02468ACEGIKM_0JlQ4k";
    let operator = |secret: &str| {
        let text = format!("{SMALL}\n[operator]\nstatus = \"/status\"\nsecret = \"{secret}\"");
        let value: Value = toml::from_str(&text).unwrap();
        let checked = parse(&value.to_string(), &variables()).unwrap_or_else(|faults| panic!("{faults:?}"));
        let said: Vec<String> = checked.warnings.iter().map(Finding::to_string).collect();
        (checked.gateway.operator().secret, said)
    };
    assert_eq!(operator(MINTED), (Some(Digest::of(MINTED.as_bytes())), vec![]));
    for made_up in ["", "short", "correct horse battery staple 28", &MINTED.replace("024", "025")] {
        let (secret, said) = operator(made_up);
        assert_eq!(secret, None, "{made_up}");
        assert!(
            said.len() == 1
                && said[0].starts_with("/operator/secret: is none that `pointsman secret create`"),
            "{said:?}"
        );
        assert!(made_up.is_empty() || !said[0].contains(made_up), "{said:?}");
    }
}

#[test]
fn a_condition_holds_no_number_that_nobody_has() {
    let of = |condition: &str| {
        let json = SMALL_JSON.replace("CONDITION", condition);
        let checked = parse(&json, &variables());
        checked.err().unwrap_or_default().iter().map(Finding::to_string).collect::<Vec<_>>()
    };
    for number in
        ["0", "-0", "1.5", "1e3", "18446744073709551615", "-9223372036854775808", "9007199254740991.0"]
    {
        assert_eq!(of(&format!(r#"{{"id":{number}}}"#)), Vec::<String>::new(), "{number}");
    }
    for number in ["18446744073709551616", "-9223372036854775809", "1e16", "9007199254740993.0"] {
        for (test, at) in [
            ("NUMBER", ""),
            ("[1,NUMBER]", "/1"),
            (r#"{"equals":NUMBER}"#, "/equals"),
            (r#"{"in":[NUMBER]}"#, "/in/0"),
            (r#"{"contains":NUMBER}"#, "/contains"),
            (r#"{">":NUMBER}"#, "/>"),
            (r#"{"any":NUMBER}"#, "/any"),
            (r#"{"not":NUMBER}"#, "/not"),
        ] {
            let said = of(&format!(r#"{{"id":{}}}"#, test.replace("NUMBER", number)));
            let expected =
                format!("/routes/0/rules/0/when/id{at}: is a number that no caller's number ever equals");
            assert!(
                said.first().is_some_and(|first| first.starts_with(&expected)),
                "{number} {test}: {said:?}"
            );
        }
    }
}

const SMALL_JSON: &str = r#"{"backends":{"shared":{"url":"https://shared.example"}},"routes":[{"path":"/{+path}",
        "auth":[],"rules":[{"name":"own","when":CONDITION,"to":"shared"},{"name":"all","to":"shared"}]}]}"#;

#[test]
fn names_of_issuers_can_be_told_to_backends_and_mean_nothing_else() {
    let of = |name: &str, customers: &str| {
        findings(&format!(
            r#"
                {SMALL}
                [[issuers]]
                name = {name:?}
                issuer = "https://id.example/"
                audience = "a"
                algorithms = ["ES256"]
                discovery = true
                {customers}
                "#
        ))
    };
    for name in ["api_key", "anonymous", "assumed", "", " a", "a ", "a%b", "a\nb", "é"] {
        let said = of(name, "");
        assert!(
            said.iter().any(|finding| finding.starts_with("/issuers/0/name: must ")),
            "{name:?}: {said:?}"
        );
    }
    for name in ["main", "Corp SSO", "a/b:c", "https://id.example/"] {
        assert_eq!(of(name, ""), ["/issuers/0: no route accepts this issuer's tokens"], "{name:?}");
    }
    for (customers, pointer) in [
        ("customers = [\"acme\"]", "/issuers/0/customers: needs a [customers] section"),
        ("customers = { claim = \"org\" }", "/issuers/0/customers: needs a [customers] section"),
        ("customers = []\n[customers]", "/issuers/0/customers: must name at least one customer"),
        ("customers = [\"a\", \"\"]\n[customers]", "/issuers/0/customers/1: must be a customer's id"),
        ("customers = [\"a\", 1]\n[customers]", "/issuers/0/customers/1: must be text"),
        ("customers = { claim = \"\" }\n[customers]", "/issuers/0/customers/claim: must be a claim's name"),
        (
            "customers = { claim = \"a\", path = \"b\" }\n[customers]",
            "/issuers/0/customers/path: unknown field",
        ),
        ("customers = {}\n[customers]", "/issuers/0/customers: missing field `claim`"),
        ("customers = \"acme\"\n[customers]", "/issuers/0/customers: must be a list of customer ids"),
    ] {
        let said = of("main", customers);
        assert!(said.iter().any(|finding| finding.starts_with(pointer)), "{customers}: {said:?}");
    }
    assert_eq!(of("main", "customers = [\"a\"]\n[customers]").len(), 1);
}

#[test]
fn what_is_taken_off_is_nothing_that_a_request_needs() {
    let of = |remove: &str| findings(&format!("{SMALL}\n[forward]\nremove = [{remove:?}]"));
    for remove in ["x-internal-*", "X-Acme-User", "x_acme", "x-forwarded-prefix", "cookie", "authorization"] {
        assert_eq!(of(remove), Vec::<String>::new(), "{remove}");
    }
    for remove in ["*", "", "x-*-y", "a b*", "x:"] {
        assert!(of(remove)[0].starts_with("/forward/remove/0: must be a field name"), "{remove}");
    }
    for (remove, name) in [
        ("host", "host"),
        ("Content_Length", "content-length"),
        ("content-*", "content-encoding"),
        ("x-*", "x-forwarded-for"),
        ("x-sub*", "x-subject"),
        ("x.customer.id", "x-customer-id"),
        ("x-authenticated-by", "x-authenticated-by"),
        ("via", "via"),
        ("sec-*", "sec-websocket-extensions"),
        ("x-request-id", "x-request-id"),
    ] {
        let expected = format!("/forward/remove/0: must not take off {name}, ");
        assert!(of(remove)[0].starts_with(&expected), "{remove}: {:?}", of(remove));
    }
    let said = findings(&format!("{SMALL}\n[forward]\nkeep = []"));
    assert!(said[0].starts_with("/forward/keep: unknown field"), "{said:?}");
    let said = findings(&format!("{SMALL}\n[identity]\nauthenticated_by = \"X-Subject\""));
    assert_eq!(said, ["/identity: x-subject is a duplicate, as backends read field names"]);
}

#[test]
fn nothing_is_taken_for_granted_of_issuers() {
    let said = findings(
        r#"
            [[issuers]]
            name = "short"
            issuer = "https://id.example/"
            audience = "a"
            algorithms = ["HS256"]
            secret = "too short"
            [[issuers]]
            name = "mixed"
            issuer = "https://id2.example/"
            audience = []
            algorithms = ["HS256", "none"]
            jwks_url = "https://id2.example/jwks"
            [[issuers]]
            name = "mixed"
            issuer = "https://id.example/"
            audience = "a"
            algorithms = []
            discovery = true
            keys = []
            leeway = "1h"
            "#,
    );
    for line in [
        "/issuers/0/secret: must be at least 32 bytes for HS256 (RFC 7518, section 3.2)",
        "/issuers/1/audience: must name at least one audience: a token for anybody is a token for nobody",
        "/issuers/1/algorithms/0: HS256 needs a secret; a public key must never verify it",
        "/issuers/1/algorithms/1: \"none\" is no algorithm here",
        "/issuers/2/name: \"mixed\" is already the name of another issuer",
        "/issuers/2/issuer: another entry is already for this issuer",
        "/issuers/2/algorithms: must name at least one algorithm: an empty list lets nobody in",
        "/issuers/2: must have exactly one of jwks_url, discovery = true, keys, secret and introspection",
        "/issuers/2/leeway: must be at most 5m",
    ] {
        assert!(said.iter().any(|finding| finding.starts_with(line)), "missing {line}\n{said:#?}");
    }
}

/// What only an isolate knows can still be wrong there: no variable may weaken what the check has seen.
#[test]
fn a_variable_that_would_weaken_a_check_is_refused_where_it_is_filled_in() {
    let issuer = |name: &str, variable: &str| {
        format!(
            "[[issuers]]\nname = \"{name}\"\nissuer = \"${{{variable}}}\"\naudience = \"x\"\nalgorithms = [\"ES256\"]\njwks_url = \"https://a.example/jwks\"\n"
        )
    };
    let rest = SMALL
        .replace("auth = []", "auth = [\"a\", \"b\"]")
        .replace("name = \"all\"", "name = \"all\", when = { plan = { prefix = \"${PREFIX}\" } }");
    let file: Value = toml::from_str(&format!("{}{}{rest}", issuer("a", "ONE"), issuer("b", "TWO"))).unwrap();
    let known = |two: &str, prefix: &str| {
        let all = [
            ("ONE", "https://a.example"),
            ("TWO", two),
            ("PREFIX", prefix),
            ("SHARED", "https://shared.example"),
        ];
        all.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect::<HashMap<_, _>>()
    };
    let form =
        parse(&file.to_string(), &known("https://b.example", "gold")).map(|checked| checked.form).unwrap();
    let read = |two, prefix| pointsman_checked::read(&form.to_string(), &known(two, prefix)).is_ok();
    assert!(read("https://b.example", "gold"));
    assert!(!read("https://a.example", "gold"), "two entries for one issuer");
    assert!(!read("", "gold"), "an issuer without a name");
    assert!(!read("https://b.example", ""), "a beginning that all texts have");
}

#[test]
fn names_of_fields_and_paths_of_our_own_take_no_variable() {
    let said = findings(&format!("[identity]\nsubject = \"x-${{SHARED}}\"\n{SMALL}"));
    assert!(said.iter().any(|line| line.starts_with("/identity/subject")), "{said:#?}");
    let known = HashMap::from([
        ("SHARED".to_owned(), "https://shared.example".to_owned()),
        ("NAME".to_owned(), "x-who".to_owned()),
    ]);
    let file: Value = toml::from_str(&format!("[identity]\nsubject = \"${{NAME}}\"\n{SMALL}")).unwrap();
    let found = parse(&file.to_string(), &known).err().unwrap();
    assert_eq!(
        found.iter().map(|finding| finding.pointer.as_str()).collect::<Vec<_>>(),
        ["/identity/subject"]
    );
}
