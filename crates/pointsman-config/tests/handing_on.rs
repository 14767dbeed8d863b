//! A route hands on only what it may: tokens that were verified, and credentials that the gateway has no use for.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod support;

use support::findings;

fn of_route(keys: &str, auth: &str, lines: &str) -> Vec<String> {
    let issuer = |name: &str, header: &str| {
        format!(
            "[[issuers]]\nname = \"{name}\"\nissuer = \"https://{name}.example\"\naudience = \"api\"\nalgorithms = [\"ES256\"]\n\
             discovery = true\n{header}\n"
        )
    };
    let (main, login) = (issuer("main", ""), issuer("login", "header = \"x-login\""));
    let rules = "rules = [{ name = \"a\", to = \"b\" }]\n";
    let also = "[[routes]]\npath = \"/also\"\nauth = [\"api_key\", \"main\", \"login\"]\n";
    findings(&format!(
        "[api_keys]\nprefixes = [\"sk\"]\n{keys}\n{main}{login}[backends.b]\nurl = \"https://b.example\"\n{also}{rules}[[routes]]\n\
         path = \"/x\"\nauth = {auth}\n{lines}\n{rules}"
    ))
}

const OWN: &str = "header = \"x-api-key\"";

#[test]
fn tokens_and_fields_that_are_not_looked_at_may_be_handed_on() {
    for (keys, auth, lines) in [
        ("", "[\"main\"]", "forward_credential = true"),
        ("", "[\"api_key\", \"main\"]", "forward_credential = true"),
        ("", "[\"api_key\"]", "forward_credential = false"),
        ("", "[\"api_key\"]", "pass = [\"x-login\"]"),
        (OWN, "[\"api_key\"]", "pass = [\"Authorization\"]"),
        (OWN, "[]", "pass = [\"authorization\", \"x-login\"]"),
        (OWN, "[\"login\"]", "pass = [\"authorization\"]\nforward_credential = true"),
    ] {
        assert_eq!(of_route(keys, auth, lines), Vec::<String>::new(), "{keys} {auth} {lines}");
    }
}

#[test]
fn keys_and_what_the_gateway_reads_never_pass() {
    let no_token = "/routes/1/forward_credential: hands on tokens, and this route takes none: API keys and certificates are never \
                    handed on";
    let of_keys = "which holds API keys: a key never reaches a backend";
    let other = ". Let keys come in another field, such as [api_keys] header = \"x-api-key\"";
    for (keys, auth, lines, found) in [
        ("", "[\"api_key\"]", "forward_credential = true", no_token.to_owned()),
        ("", "[]", "forward_credential = true", no_token.to_owned()),
        (
            "",
            "[]",
            "pass = [\"authorization\"]",
            format!("/routes/1/pass/0: must not be authorization, {of_keys}{other}"),
        ),
        (OWN, "[]", "pass = [\"X_Api_Key\"]", format!("/routes/1/pass/0: must not be x_api_key, {of_keys}")),
        (
            OWN,
            "[\"api_key\", \"main\"]",
            "pass = [\"authorization\"]",
            "/routes/1/pass/0: must not be authorization, in which this route takes tokens of \"main\": write \
             forward_credential = true, which hands on what was verified"
                .to_owned(),
        ),
        (
            OWN,
            "[\"api_key\"]",
            "pass = [\"x-forwarded-for\"]",
            "/routes/1/pass/0: must not be x-forwarded-for, which holds no credential of [api_keys] or [[issuers]]: all other \
             fields pass anyway, or never"
                .to_owned(),
        ),
        (
            OWN,
            "[\"api_key\"]",
            "pass = [\"authorization\", \"Authorization\"]",
            "/routes/1/pass/1: authorization is a duplicate, as backends read field names".to_owned(),
        ),
    ] {
        assert_eq!(of_route(keys, auth, lines), [found], "{keys} {auth} {lines}");
    }
}

#[test]
fn ids_of_requests_are_kept_or_replaced() {
    let of = |line: &str| {
        findings(&format!(
            "[forward]\n{line}\n[backends.b]\nurl = \"https://b.example\"\n[[routes]]\npath = \"/x\"\nauth = []\n\
             rules = [{{ name = \"a\", to = \"b\" }}]\n"
        ))
    };
    for line in ["", "request_id = \"keep\"", "request_id = \"replace\""] {
        assert_eq!(of(line), Vec::<String>::new());
    }
    assert_eq!(of("request_id = \"trust\""), ["/forward/request_id: must be \"keep\" or \"replace\""]);
}
