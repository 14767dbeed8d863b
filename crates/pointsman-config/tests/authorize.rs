//! `authorize` as it is configured: what can be written, and what is said of what cannot.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::{collections::HashMap, rc::Rc};

use pointsman_core::{
    base::time::Span,
    routing::{authorize::Authorize, operand::Operand},
};
use serde_json::Value;

fn read(authorize: &str, variables: &[(&str, &str)]) -> Result<Rc<Authorize>, Vec<String>> {
    let text = format!(
        r#"
        [api_keys]
        prefixes = ["sk"]
        header = ["authorization", "x-api-key"]
        [[issuers]]
        name = "access"
        issuer = "https://access.example.com"
        audience = "a"
        algorithms = ["RS256"]
        jwks_url = "https://access.example.com/keys"
        header = "x-token"
        [identity]
        claims = {{ "x-plan" = "plan" }}
        [backends.b]
        url = "https://b.example"
        [[routes]]
        path = "/orders/{{id}}"
        auth = ["api_key", "access"]
        credential_in = {{ query = "token" }}
        authorize = {authorize}
        rules = [{{ name = "all", to = "b" }}]
        "#
    );
    let file: Value = toml::from_str(&text).unwrap();
    let variables: HashMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    match pointsman_config::parse(&file.to_string(), &variables) {
        Ok(checked) => {
            assert_eq!(
                checked.warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
                Vec::<String>::new()
            );
            Ok(Rc::clone(checked.gateway.routes()[0].authorize.as_ref().unwrap()))
        }
        Err(findings) => Err(findings.iter().map(ToString::to_string).collect()),
    }
}

fn faults(authorize: &str) -> Vec<String> {
    read(authorize, &[]).err().unwrap()
}

#[test]
fn only_the_binding_must_be_written() {
    let usual = read(r#"{ binding = "POLICY" }"#, &[]).unwrap();
    let expected = Authorize {
        binding: Rc::from("POLICY"),
        timeout: Span::from_millis(250),
        keep: Span::default(),
        closed: true,
        show: Vec::new(),
    };
    assert_eq!(*usual, expected);
    let all = r#"{ binding = "POLICY_2", timeout = "50ms", on_failure = "open", cache = "30s", show = ["$ip", "$param:id", "$header:X-Tier", "$query:dry_run"] }"#;
    let expected = Authorize {
        binding: Rc::from("POLICY_2"),
        timeout: Span::from_millis(50),
        keep: Span::from_secs(30),
        closed: false,
        show: vec![
            Operand::Ip,
            Operand::Param(0, Rc::from("id")),
            Operand::Header(Rc::from("x-tier")),
            Operand::Query(Rc::from("dry_run")),
        ],
    };
    assert_eq!(*read(all, &[]).unwrap(), expected);
    let one = read(
        r#"{ binding = "${NAME}", timeout = "${TIMEOUT}", cache = "0s", show = "$country" }"#,
        &[("NAME", "POLICY"), ("TIMEOUT", "1s")],
    );
    let one = one.unwrap();
    assert_eq!(
        (&*one.binding, one.timeout, one.keep, one.show.len()),
        ("POLICY", Span::from_secs(1), Span::default(), 1)
    );
}

#[test]
fn what_cannot_be_used_is_said_at_its_field() {
    for (written, said) in [
        (r#"{ timeout = "1s" }"#, "/routes/0/authorize: missing field `binding`"),
        (
            r#"{ binding = "a-b" }"#,
            "/routes/0/authorize/binding: must be the name of a service binding in wrangler.toml, such as \"POLICY\"",
        ),
        (
            r#"{ binding = "P", on_failure = "shut" }"#,
            "/routes/0/authorize/on_failure: must be \"open\" or \"closed\"",
        ),
        (r#"{ binding = "P", timeout = "0s" }"#, "/routes/0/authorize/timeout: must be greater than 0"),
        (r#"{ binding = "P", timeout = "6s" }"#, "/routes/0/authorize/timeout: must be at most 5s"),
        (
            r#"{ binding = "P", timeout = "soon" }"#,
            "/routes/0/authorize/timeout: must be a whole number and a unit: 250ms, 30s, 5m, 24h or 7d",
        ),
        (
            r#"{ binding = "P", cache = "10m" }"#,
            "/routes/0/authorize/cache: must be at most 5m, for which verified tokens count too",
        ),
        (r#"{ binding = "P", show = "plan" }"#, "/routes/0/authorize/show: is shown anyway: leave plan out"),
        (
            r#"{ binding = "P", show = ["$ip", "$method"] }"#,
            "/routes/0/authorize/show/1: is shown anyway: leave $method out",
        ),
        (
            r#"{ binding = "P", show = "$param:other" }"#,
            "/routes/0/authorize/show: {other} is no part of the route's path",
        ),
    ] {
        assert_eq!(faults(written), [said], "{written}");
    }
    assert!(faults(r#"{ binding = "P", body = true }"#)[0].starts_with("/routes/0/authorize/body: "));
}

#[test]
fn no_field_or_parameter_that_holds_a_credential_is_shown() {
    for name in
        ["Authorization", "cookie", "DPoP", "sec-websocket-protocol", "x-api-key", "X_Api_Key", "x-token"]
    {
        let said = faults(&format!(r#"{{ binding = "P", show = "$header:{name}" }}"#));
        let lower = name.to_ascii_lowercase();
        assert_eq!(said, [format!("/routes/0/authorize/show: must not be {lower}, which holds credentials")]);
    }
    for name in ["token", "Token"] {
        let said = faults(&format!(r#"{{ binding = "P", show = ["$query:{name}"] }}"#));
        assert_eq!(
            said,
            [format!(
                "/routes/0/authorize/show/0: must not be the parameter {name}, which holds credentials"
            )]
        );
    }
}

#[test]
fn no_field_that_reaches_nobody_is_shown() {
    for name in [
        "proxy-authorization",
        "x-forwarded-for",
        "x-real-ip",
        "remote-user",
        "cf-access-user",
        "x-plan",
        "x-subject",
    ] {
        let said = faults(&format!(r#"{{ binding = "P", show = "$header:{name}" }}"#));
        let what = format!(
            "must not be {name}: what clients send there reaches nobody, since anybody could write it"
        );
        assert_eq!(said, [format!("/routes/0/authorize/show: {what}")]);
    }
    assert!(read(r#"{ binding = "P", show = "$header:cf-ray" }"#, &[]).is_ok());
}
