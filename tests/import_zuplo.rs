//! `pointsman import zuplo`, on the projects of `fixtures/import/zuplo`: what it writes, what it says,
//! that the check takes it, and where requests then go.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod support;

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use pointsman::{error::Refusal, settings};
use serde_json::{Value, json};
use support::{Isolate, World, json as document, read};

/// Each case with the exit code that it ends with.
const CASES: [(&str, i32); 3] = [("plain", 0), ("tokens", 0), ("by-hand", 4)];

fn pointsman(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pointsman"));
    command.current_dir(support::root()).env_remove("CLOUDFLARE_ENV").args(arguments).output().unwrap()
}

fn folder(case: &str) -> String {
    format!("fixtures/import/zuplo/{case}")
}

/// A folder of this test's own, empty.
fn scratch(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("import-{name}"));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn projects_come_to_what_is_committed() {
    let found = fs::read_dir(support::root().join("fixtures/import/zuplo")).unwrap().count();
    assert_eq!(found, CASES.len(), "a case is missing in CASES");
    for (case, code) in CASES {
        let folder = folder(case);
        let output = pointsman(&["import", "zuplo", &folder, "--json"]);
        assert_eq!(output.status.code(), Some(code), "{case}: {}", String::from_utf8_lossy(&output.stderr));
        let mut result: Value = serde_json::from_slice(&output.stdout).unwrap();
        let members = result.as_object_mut().unwrap();
        let gateway = members.remove("gateway").unwrap();
        let wrangler = members.remove("wrangler").unwrap();
        let anew = format!(
            "npm run pointsman -- import zuplo {folder} --force --json --out {folder}/expected/gateway.toml \
             --wrangler-out {folder}/expected/wrangler.toml > {folder}/expected/findings.json"
        );
        assert!(
            gateway == read(format!("{folder}/expected/gateway.toml")).as_str(),
            "{case}: if it is right, {anew}"
        );
        assert!(
            wrangler == read(format!("{folder}/expected/wrangler.toml")).as_str(),
            "{case}: if it is right, {anew}"
        );
        assert_eq!(
            result,
            document(format!("{folder}/expected/findings.json")),
            "{case}: if it is right, {anew}"
        );
    }
}

#[test]
fn the_check_takes_what_was_written() {
    for (case, _) in CASES {
        let expected = format!("{}/expected", folder(case));
        let (gateway, wrangler) = (format!("{expected}/gateway.toml"), format!("{expected}/wrangler.toml"));
        let output = pointsman(&["check", "--json", &gateway, "--wrangler", &wrangler]);
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((output.status.code(), &said["findings"]), (Some(0), &json!([])), "{case}");
    }
}

/// Whoever cannot be told apart any more must not get in.
#[test]
fn nobody_passes_a_route_that_lost_a_policy_of_its_own() {
    let findings = document("fixtures/import/zuplo/by-hand/expected/findings.json");
    let closed: Vec<&str> = findings["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["kind"] == "closed")
        .map(|finding| finding["route"].as_str().unwrap())
        .collect();
    assert!(closed.len() > 15, "{closed:?}");
    let (isolate, world) = (isolate("by-hand"), World::empty());
    for path in ["/basic", "/pool", "/unknown-policy", "/other-bucket", "/redirect", "/public/x"] {
        assert!(
            closed.iter().any(|route| *route == format!("GET {}", path.replace("/x", "/:name"))),
            "{path}"
        );
        let answer = isolate.get(&world, path, &[]);
        assert_eq!(
            answer.refusal(),
            Some(Refusal::DeniedByRule.id()),
            "{path} went to {:?}",
            answer.forwarded()
        );
    }
    for path in ["/own-policy", "/two-credentials", "/items/7"] {
        let answer = isolate.get(&world, path, &[]);
        assert_eq!(answer.forwarded(), None, "{path}");
    }
}

fn isolate(case: &str) -> Isolate {
    let expected = format!("{}/expected", folder(case));
    let wrangler: toml::Table = read(format!("{expected}/wrangler.toml")).parse().unwrap_or_default();
    let vars = wrangler.get("vars").and_then(toml::Value::as_table).cloned().unwrap_or_default();
    let variables: HashMap<String, String> =
        vars.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect();
    let gateway: Value = toml::from_str(&read(format!("{expected}/gateway.toml"))).unwrap();
    let checked = settings::parse(&gateway.to_string(), &variables);
    Isolate::new(checked.map_err(|findings| panic!("{findings:#?}")).ok().unwrap().gateway)
}

#[test]
fn requests_go_where_they_went() {
    let (isolate, world) = (isolate("plain"), World::empty());
    let key = "a-key-of-theirs";
    let digest = pointsman::digest::Digest::of(key.as_bytes());
    world.put(&format!("key:{digest}"), r#"{"subject":"acme"}"#);
    let own = [("x-api-key", key)];
    for (path, url) in [
        ("/orders?page=2", "https://orders-url.example.com/v1/orders?page=2"),
        ("/orders/7%2F8/lines?all", "https://lines.example.com/by-order/7%2F8?all"),
    ] {
        assert_eq!(isolate.get(&world, path, &own).forwarded(), Some(url), "{path}");
        assert_eq!(isolate.get(&world, path, &[]).refusal(), Some(Refusal::CredentialMissing.id()), "{path}");
        let other = isolate.get(&world, path, &[("x-api-key", "another")]);
        assert_eq!(other.forwarded(), None, "{path}");
    }
    let status = isolate.get(&world, "/status?x=1", &[]);
    assert_eq!(status.forwarded(), Some("https://status.example.com/v2/summary?x=1"));
    assert_eq!(isolate.get(&world, "/orders/7", &own).refusal(), Some(Refusal::RouteUnknown.id()));
}

#[test]
fn no_file_is_written_over_unasked() {
    let folder = scratch("force");
    let out = folder.join("gateway.toml");
    fs::write(&out, "mine").unwrap();
    let arguments = ["import", "zuplo", &self::folder("plain"), "--out", text(&out)];
    let output = pointsman(&arguments);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--force"));
    assert_eq!(fs::read_to_string(&out).unwrap(), "mine");
    let other = folder.join("other.toml");
    let both =
        ["import", "zuplo", &self::folder("plain"), "--out", text(&other), "--wrangler-out", text(&out)];
    assert_eq!(pointsman(&both).status.code(), Some(1));
    assert!(!other.exists(), "one of two files was written");
    let output = pointsman(&[&arguments[..], &["--force"]].concat());
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(fs::read_to_string(&out).unwrap(), read("fixtures/import/zuplo/plain/expected/gateway.toml"));
}

#[test]
fn what_cannot_be_read_is_named() {
    let folder = scratch("unreadable");
    let import = || {
        let output = pointsman(&["import", "zuplo", text(&folder)]);
        assert_eq!(output.status.code(), Some(1));
        assert!(output.stdout.is_empty());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(import().contains("config"));
    fs::create_dir(folder.join("config")).unwrap();
    assert!(import().contains("has no routes.oas.json"));
    fs::write(folder.join("config/routes.oas.json"), "{ \"paths\": [] }").unwrap();
    assert!(import().contains("routes.oas.json: invalid type"));
    fs::write(folder.join("config/routes.oas.json"), "{ \"paths\": {} }").unwrap();
    assert!(import().contains("no route of the project"));
    fs::write(folder.join("config/policies.json"), "[").unwrap();
    assert!(import().contains("policies.json: "));
}
