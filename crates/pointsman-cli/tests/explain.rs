//! `pointsman explain`, run as its users do. What it prints is compared with `fixtures/explain/*.txt`;
//! with the environment variable `REWRITE` set, these are written anew.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::{
    env, fs,
    path::PathBuf,
    process::{Command, Output},
};

use serde_json::Value;

fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

fn explain(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pointsman"));
    command.current_dir(root()).env("NO_COLOR", "1").env_remove("CLOUDFLARE_ENV");
    command.arg("explain").args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

const NOW: [&str; 2] = ["--now", "2026-07-30T12:00:00Z"];
const DATA: [&str; 2] = ["--data", "fixtures/explain/data"];
const ACME: &str = "sk_live_DEMOacmeCorp0000000000_4LCaYg";

fn token(name: &str) -> String {
    fs::read_to_string(root().join(format!("fixtures/tokens/{name}.jwt"))).unwrap().trim().to_owned()
}

#[test]
fn explanations_read_as_they_should() {
    let good = token("good-es256");
    let acme = token("customer-acme");
    let file = |name: &str, key: &str| {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::write(&path, format!("{key}\n")).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let known = file("key.txt", ACME);
    let unknown = file("unknown-key.txt", "sk_test_DEMOsandbox00000000000_3Ak2IU");
    let mistyped = file("mistyped-key.txt", "sk_live_DEMOacmeCorp0000000000_4LCaYh");
    let set = ["--jwks", "main=fixtures/keys/issuer.jwks.json"];
    let choices = ["--gateway", "fixtures/gateways/choices.toml"];
    let asks = ["--gateway", "fixtures/gateways/authorize.toml", "--claims", r#"{"environment":"sandbox"}"#];
    let cases: [(&str, Vec<&str>); 20] = [
        (
            "key",
            [
                &[
                    "--key-file",
                    &known,
                    "--path",
                    "/hybrid/orders?x=1",
                    "--header",
                    "X-Forwarded-For: 10.0.0.1",
                ],
                &DATA[..],
            ]
            .concat(),
        ),
        ("key-unknown", [&["--key-file", &unknown, "--path", "/hybrid/x"], &DATA[..]].concat()),
        ("key-checksum", vec!["--key-file", &mistyped, "--path", "/hybrid/x"]),
        (
            "token",
            [
                &["--jwt-file", "fixtures/tokens/customer-acme.jwt", "--path", "/customers/x"],
                &DATA[..],
                &set[..],
            ]
            .concat(),
        ),
        (
            "token-unchecked",
            vec!["--token-file", "fixtures/tokens/good-es256.jwt", "--path", "/environment/x"],
        ),
        (
            "claims",
            vec!["--claims", r#"{"subscription_tier":"enterprise","tenant_id":"a.b"}"#, "--path", "/tiers/x"],
        ),
        ("rules", [&["--path", "/where/x", "--country", "BR", "--ip", "192.0.2.1"], &choices[..]].concat()),
        ("nowhere", vec!["--path", "/nothing/here"]),
        ("bounds", vec!["--path", "/nothing/here", "--bounds"]),
        (
            "token-audience",
            [&["--jwt-file", "fixtures/tokens/bad-audience.jwt", "--path", "/environment/x"], &set[..]]
                .concat(),
        ),
        (
            "token-issuer",
            [&["--jwt-file", "fixtures/tokens/bad-issuer.jwt", "--path", "/environment/x"], &set[..]]
                .concat(),
        ),
        (
            "token-expired",
            [&["--jwt-file", "fixtures/tokens/bad-expired.jwt", "--path", "/environment/x"], &set[..]]
                .concat(),
        ),
        ("customer-missing", vec!["--claims", r#"{"sub":"x"}"#, "--path", "/customers/x"]),
        ("split", vec!["--claims", r#"{"sub":"x","customerId":"acme-corp"}"#, "--path", "/rollout/x"]),
        (
            "split-chosen",
            vec!["--claims", r#"{"sub":"x"}"#, "--path", "/rollout/x", "--header", "X-Variant: sandbox"],
        ),
        (
            "authorize",
            [
                &["--path", "/allowed/x", "--country", "FR", "--header", "X-Debug: 1"][..],
                &["--authorize", r#"{"allow":true,"claims":{"tier":"gold","environment":"production"}}"#],
                &asks[..],
            ]
            .concat(),
        ),
        ("authorize-not-asked", [&["--path", "/allowed/x"], &asks[..]].concat()),
        (
            "authorize-denied",
            [&["--path", "/allowed/x", "--authorize", r#"{"allow":false,"status":402}"#], &asks[..]].concat(),
        ),
        ("matched", [&["--path", "/where/x", "--country", "FR"], &choices[..]].concat()),
        (
            "told-otherwise",
            [&["--path", "/where/x", "--country", "FR", "--eu=false", "--continent", "NA"], &choices[..]]
                .concat(),
        ),
    ];
    for (name, arguments) in cases {
        let output = explain(&[&arguments[..], &NOW[..]].concat());
        assert!(output.status.success(), "{name}: {}", text(&output.stderr));
        assert_eq!(text(&output.stderr), "", "{name}");
        let file = root().join(format!("fixtures/explain/{name}.txt"));
        if env::var_os("REWRITE").is_some() {
            fs::write(&file, &output.stdout).unwrap();
        }
        let wanted = fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(text(&output.stdout), wanted, "{name}: REWRITE=1 cargo test --all-features cli_explain");
        for secret in [ACME, &good, &acme] {
            assert!(!text(&output.stdout).contains(secret), "{name}");
        }
    }
}

#[test]
fn expectations_decide_how_it_ends() {
    let claims = ["--claims", r#"{"environment":"sandbox"}"#, "--path", "/environment/x"];
    let met = [
        "--expect",
        "backend=sandbox",
        "--expect",
        "outcome=forward",
        "--expect",
        "set.x-request-id=explained",
    ];
    assert_eq!(explain(&[&claims[..], &met[..]].concat()).status.code(), Some(0));
    let output = explain(&[&claims[..], &["--expect", "backend=production"]].concat());
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("backend is sandbox, not production"), "{}", text(&output.stderr));
    assert_eq!(explain(&[&claims[..], &["--expect", "bakend=x"]].concat()).status.code(), Some(2));
}

#[test]
fn files_are_all_there_is_and_without_any_the_config_api_is_out_of_reach() {
    let unknown = ["--claims", r#"{"customerId":"nobody"}"#, "--path", "/customers/x"];
    let refused = ["--expect", "problem=customer-not-configured"];
    assert_eq!(explain(&[&unknown[..], &DATA[..], &refused[..]].concat()).status.code(), Some(0));
    let unavailable = ["--expect", "reason=customer_source_unavailable"];
    assert_eq!(explain(&[&unknown[..], &unavailable[..]].concat()).status.code(), Some(0));
}

#[test]
fn json_is_for_machines() {
    let output = explain(&["--claims", "{}", "--path", "/hybrid/x", "--json"]);
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["explanation"], 1);
    assert_eq!(told["decision"]["backend"], "multi-tenant");
}

#[test]
fn cases_are_a_test_suite() {
    let folder = env::temp_dir().join(format!("pointsman-cases-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    fs::write(
        folder.join("a.toml"),
        r#"
        [[cases]]
        name = "test keys go to the sandbox"
        request = { path = "/environment/x", claims = { environment = "sandbox" } }
        expect = { backend = "sandbox", "set.x-subject" = "nobody" }
        [[cases]]
        request = { path = "/environment/x", claims = { environment = "staging" }, authorize = { allow = false } }
        expect = { status = 403, problem = "no-backend" }
        "#,
    )
    .unwrap();
    let run = || {
        let output = explain(&["--cases", folder.to_str().unwrap()]);
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, said, _) = run();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("set.x-subject is nothing, not nobody"), "{said}");
    assert!(said.contains("1 of 2 cases as expected"), "{said}");
    fs::write(folder.join("b.json"), r#"{ "request": { "path": "/x", "pahts": 1 }, "expect": {} }"#).unwrap();
    let (code, said, wrong) = run();
    assert_eq!((code, said.as_str()), (Some(1), ""));
    assert!(wrong.contains("b.json") && wrong.contains("/request/pahts"), "{wrong}");
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn what_the_platform_says_is_given_by_options_and_by_members_of_a_case() {
    let choices = ["--gateway", "fixtures/gateways/choices.toml"];
    let from = |options: &[&str]| {
        let where_x: &[&str] = if options.contains(&"--path") { &[] } else { &["--path", "/where/x"] };
        let output = explain(&[where_x, &["--json"], options, &choices[..]].concat());
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        told["decision"]["rule"].as_str().unwrap_or_default().to_owned()
    };
    assert_eq!(from(&["--country", "AT", "--eu"]), "dach");
    assert_eq!(from(&["--region", "BY", "--colo", "MUC"]), "bavaria-of-old");
    assert_eq!(from(&["--country", "FR", "--eu"]), "in-the-union");
    assert_eq!(from(&["--continent", "EU"]), "europe");
    let network = |options: &[&str]| from(&[&["--path", "/network/x"], options].concat());
    assert_eq!(network(&["--asn", "64496"]), "abusive-network");
    assert_eq!(network(&["--asn", "64500", "--tls-version", "TLSv1.1"]), "old-tls");
    assert_eq!(network(&["--bot-score", "29"]), "bots");
    let wrong = explain(&["--path", "/network/x", "--asn", "AS64496"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(
        text(&wrong.stderr).contains("'AS64496' for '--asn <ASN>': is no number"),
        "{}",
        text(&wrong.stderr)
    );
    let file = env::temp_dir().join(format!("pointsman-platform-{}.json", std::process::id()));
    let cases = |country: &str| {
        let case = format!(
            r#"{{ "request": {{ "path": "/where/x", "country": {country}, "eu": true, "colo": null }}, "expect": {{ "rule": "in-the-union" }} }}"#
        );
        fs::write(&file, case).unwrap();
        let output = explain(&[&["--cases", file.to_str().unwrap()], &choices[..]].concat());
        (output.status.code(), text(&output.stderr))
    };
    assert_eq!(cases("\"FR\""), (Some(0), String::new()));
    let (code, wrong) = cases("49");
    assert_eq!(code, Some(1));
    assert!(wrong.contains("/request/country: must be text, not a number"), "{wrong}");
    fs::remove_file(file).unwrap();
}

#[test]
fn what_cannot_be_asked_says_why() {
    for (arguments, why) in [
        (&["--claims", "{", "--path", "/x"][..], "--claims is not a JSON object"),
        (&["--authorize", "[]", "--path", "/x"], "--authorize is not a JSON object"),
        (
            &["--authorize", r#"{"allow":true,"status":200}"#, "--path", "/x"],
            r#"authorize: is no answer of a service: write {"allow": true, "claims": { … }} or {"allow": false, "status": 403}"#,
        ),
        (&["--path", "/x", "--header", "nonsense"], "Name: value"),
        (&["--path", "/x", "--ip", "nowhere"], "ip: nowhere is no address"),
        (&["--path", "/x", "--now", "soon"], "now: soon is no instant"),
        (&["--path", "/x", "--jwks", "other=x.json"], "no issuer other"),
        (&["--path", "/x", "--jwks", "missing.json"], "missing.json"),
        (&["--path", "/x", "--gateway", "missing.toml"], "missing.toml"),
    ] {
        let output = explain(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(text(&output.stderr).contains(why), "{arguments:?}: {}", text(&output.stderr));
    }
}
