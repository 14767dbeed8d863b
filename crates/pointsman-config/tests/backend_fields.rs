//! What is wrong with the fields of a backend is said, and never what their values are.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::collections::HashMap;

use serde_json::Value;

const CANARY: &str = "canary-7f3a91";

fn findings(lines: &str) -> Vec<String> {
    let routes = "[[routes]]\npath = \"/x\"\nauth = []\nrules = [{ name = \"a\", to = \"b\" }]\n";
    let text = format!(
        "[identity]\nclaims = {{ \"x-plan\" = \"plan\" }}\n[backends.b]\nurl = \"https://b.example\"\n{lines}\n{routes}"
    );
    let file: Value = toml::from_str(&text).unwrap();
    let variables = HashMap::from([
        ("SECRET".to_owned(), CANARY.to_owned()),
        ("BROKEN".to_owned(), format!("{CANARY}\n")),
        ("LONG".to_owned(), CANARY.repeat(400)),
    ]);
    let found = match pointsman_config::parse(&file.to_string(), &variables) {
        Ok(checked) => {
            assert!(!checked.form.to_string().contains(CANARY), "the checked form has names of variables");
            checked.warnings
        }
        Err(findings) => findings,
    };
    let found: Vec<_> = found.iter().map(ToString::to_string).collect();
    assert!(!found.join("\n").contains(CANARY), "{found:?}");
    found
}

#[test]
fn fields_that_a_backend_may_have_are_read_without_findings() {
    for lines in [
        r#"headers = { "x-backend-secret" = "${SECRET}", "Authorization" = "Bearer ${SECRET}" }"#,
        r#"headers = { "cf-access-client-id" = "a.access", "cf-access-client-secret" = "${SECRET}" }"#,
        r#"headers = { "user-agent" = "acme gateway", "x-api-key" = "${SECRET}" }"#,
        r#"basic = { user = "gateway", password = "${SECRET}" }"#,
    ] {
        assert_eq!(findings(lines), Vec::<String>::new(), "{lines}");
    }
}

#[test]
fn fields_that_a_backend_cannot_have_are_faults() {
    let value = "must be 1 to 4096 characters of printable ASCII without a space at either end";
    for (lines, found) in [
        (r#""x secret" = "a""#, "x secret: must be a field name: letters, digits and hyphens"),
        (r#""Host" = "a""#, "Host: must not be host, which has a meaning of its own"),
        (
            r#""x-forwarded-for" = "a""#,
            "x-forwarded-for: must not be x-forwarded-for, which has a meaning of its own",
        ),
        (r#""cf-ray" = "a""#, "cf-ray: must not be cf-ray, which has a meaning of its own"),
        (r#""expect" = "a""#, "expect: must not be expect, which is about the connection alone"),
        (
            r#""sec-websocket-protocol" = "a""#,
            "sec-websocket-protocol: must not be sec-websocket-protocol, which is about the connection alone",
        ),
        (
            r#""X_Subject" = "a""#,
            "X_Subject: must not be x_subject, in which backends are told who is calling",
        ),
        (r#""x-plan" = "a""#, "x-plan: must not be x-plan, in which backends are told who is calling"),
        (r#""x-a" = """#, &format!("x-a: {value}")),
        (r#""x-a" = "${BROKEN}""#, &format!("x-a: {value}")),
        (r#""x-a" = "${LONG}""#, &format!("x-a: {value}")),
        (r#""x-a" = "é""#, &format!("x-a: {value}")),
        (r#""x-a" = "1", "X_A" = "2""#, "x-a: x-a is a duplicate, as backends read field names"),
    ] {
        let expected = format!("/backends/b/headers/{found}");
        assert_eq!(findings(&format!("headers = {{ {lines} }}")), [expected], "{lines}");
    }
    assert_eq!(
        findings(
            "headers = { authorization = \"Bearer ${SECRET}\" }\nbasic = { user = \"a:b\", password = \"${SECRET}\" }"
        ),
        [
            "/backends/b/basic: says Authorization, and so does headers: leave one of the two out",
            "/backends/b/basic/user: must have no colon, which parts the user from the password",
        ]
    );
}

#[test]
fn a_secret_that_is_written_out_is_warned_of() {
    let warning = "stands in the file for everybody to read: write \"${NAME}\", and set the secret NAME";
    assert_eq!(
        findings(r#"headers = { authorization = "Bearer abc" }"#),
        [format!("/backends/b/headers/authorization: {warning}")]
    );
    assert_eq!(
        findings(r#"basic = { user = "a", password = "b" }"#),
        [format!("/backends/b/basic/password: {warning}")]
    );
}
