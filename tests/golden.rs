//! The golden cases of `fixtures/cases`, natively, each a test of its own by the name of its file, so that
//! `cargo test --test golden path/nul` runs one. `tests/workerd/golden.test.mjs` runs the same files through the
//! real Worker, by the same names.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::{collections::HashSet, fs, path::Path, process::ExitCode, sync::LazyLock};

use libtest_mimic::{Arguments, Trial};
use pointsman_core::{base::refusal::Refusal, decide::decision::Outcome};
use pointsman_testkit::{Isolate, TestFields, World, bearer, files, key, read, root, token};
use serde_json::Value;

const FOLDER: &str = "fixtures/cases";

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let cases = files(FOLDER, "json");
    // A run that finds no file would pass.
    assert!(cases.len() > 100, "only {} cases found", cases.len());
    let mut trials: Vec<Trial> = cases.iter().map(|path| trial(path)).collect();
    trials.push(Trial::test("every_refusal_has_a_case", || {
        every_refusal_has_a_case();
        Ok(())
    }));
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// The test of one file.
fn trial(path: &Path) -> Trial {
    let file = path.strip_prefix(root().join(FOLDER)).unwrap().display().to_string();
    let case: Value = match serde_json::from_str(&fs::read_to_string(path).unwrap()) {
        Ok(case) => case,
        Err(error) => return Trial::test(file, move || Err(error.into())),
    };
    match (&case["where"], case["because"].as_str()) {
        (Value::Null, _) => Trial::test(file, move || Ok(run(&case)?)),
        (Value::String(place), Some(_)) if place == "native" => Trial::test(file, move || Ok(run(&case)?)),
        (Value::String(place), Some(because)) if place == "workerd" => {
            let name = format!("{file} (workerd only: {because})");
            Trial::test(name, move || Ok(run(&case)?)).with_ignored_flag(true)
        }
        _ => Trial::test(file, || Err("\"where\" is native or workerd, and says \"because\"".into())),
    }
}

/// A refusal that no case shows is a refusal that nobody tried.
fn every_refusal_has_a_case() {
    let mut shown: HashSet<String> = HashSet::new();
    for path in files(FOLDER, "json") {
        let case: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        shown.extend(case["expect"]["reason"].as_str().map(str::to_owned));
    }
    // No request can show it: it takes a configuration that is broken after it was deployed.
    // Nor is any case asked often enough for a limit.
    let elsewhere = [
        (Refusal::Misconfigured, "tests/workerd/promises.test.mjs"),
        (Refusal::BodySizeUnknown, "tests/workerd/body-size.test.mjs"),
        (Refusal::RequestBodyBroken, "tests/workerd/request-bodies.test.mjs"),
        (Refusal::CustomerRecordNotPermitted, "tests/workerd/networks.test.mjs"),
        (Refusal::CustomerSecretUnusable, "tests/workerd/customer-secrets.test.mjs"),
        (Refusal::RateLimited, "tests/workerd/limits.test.mjs"),
        (Refusal::LimitUnavailable, "tests/workerd/limits.test.mjs"),
        // The cases have no ledger.
        (Refusal::TokenRevoked, "tests/directory.rs"),
        (Refusal::RevocationsUnavailable, "tests/directory.rs"),
        (Refusal::LedgerUnavailable, "tests/workerd/directory.test.mjs"),
        // A proof of possession is made for one request, and each case is one of several.
        (Refusal::DpopProofMalformed, "tests/possession.rs"),
        (Refusal::DpopProofKey, "tests/possession.rs"),
        (Refusal::DpopProofRequest, "tests/possession.rs"),
        (Refusal::DpopProofToken, "tests/possession.rs"),
        (Refusal::DpopProofTime, "tests/possession.rs"),
        (Refusal::DpopProofReplayed, "tests/possession.rs"),
        (Refusal::DpopProofSignature, "tests/possession.rs"),
        (Refusal::DpopNonce, "tests/possession.rs"),
        // Nor is there a form among what the fixed world answers.
        (Refusal::TokenInactive, "tests/introspection.rs"),
        (Refusal::IntrospectionUnavailable, "tests/introspection.rs"),
        // Nor is any known to provoke a fault of the gateway's own.
        (Refusal::InternalError, "tests/edge/outermost.test.mjs"),
    ];
    for (refusal, test) in elsewhere {
        assert!(read(test).contains(refusal.id()), "{test} does not show {}", refusal.id());
        shown.insert(refusal.id().to_owned());
    }
    let missing: Vec<_> =
        Refusal::ALL.iter().map(|refusal| refusal.id()).filter(|id| !shown.contains(*id)).collect();
    assert!(missing.is_empty(), "no golden case shows {missing:?}");
    let known: HashSet<_> = Refusal::ALL.iter().map(|refusal| refusal.id()).collect();
    let unknown: Vec<_> = shown.iter().filter(|id| !known.contains(id.as_str())).collect();
    assert!(unknown.is_empty(), "cases name unknown refusals {unknown:?}");
}

fn run(case: &Value) -> Result<(), String> {
    let world = World::of_fixtures();
    for fault in case["faults"].as_array().into_iter().flatten() {
        world.fault(fault.as_str().unwrap());
    }
    let isolate = Isolate::named(case["gateway"].as_str().unwrap());
    let request = &case["request"];
    let method = request["method"].as_str().unwrap_or("GET");
    let fields = fields_of(request, &isolate);
    let path = request["path"].as_str().unwrap();
    let path =
        request["host"].as_str().map_or_else(|| path.to_owned(), |host| format!("https://{host}{path}"));
    let expect = &case["expect"];
    // Twice: from cold caches and from warm ones the answer is the same.
    for round in ["cold", "warm"] {
        let result = isolate.request(&world, method, &path, fields.clone());
        check(&result, expect).map_err(|what| format!("{round}: {what}"))?;
    }
    let told = isolate.explain(&world, method, &path, &fields, None);
    agrees(&told, expect, &fields).map_err(|what| format!("explained: {what}"))
}

/// An explanation tells what happens, and gives no credential away.
fn agrees(told: &Value, expect: &Value, fields: &TestFields) -> Result<(), String> {
    let text = told.to_string();
    let mut url = expect["forward"].as_str().map(str::to_owned);
    let secrets = fields.fields.iter().filter(|(name, _)| name == "authorization" || name.contains("key"));
    for (name, value) in secrets {
        let credential = value.trim().rsplit(' ').next().unwrap_or_default();
        ensure(credential.len() < 8 || !text.contains(credential), || format!("{name} is in it"))?;
        if credential.len() >= 8 {
            url = url.map(|url| url.replace(credential, "(credential)"));
        }
    }
    for (name, value) in expect["log"].as_object().into_iter().flatten() {
        let told = &told["decision"][name];
        ensure(
            told == value || !["rule", "backend", "customer", "subject"].contains(&name.as_str()),
            || format!("{name} is {told}, not {value}"),
        )?;
    }
    if let Some(url) = url {
        ensure(told["forward"]["url"] == *url, || format!("goes to {}", told["forward"]["url"]))?;
        let set = told["forward"]["set"].as_array().unwrap();
        for (name, value) in expect["set"].as_object().into_iter().flatten() {
            let passed =
                fields.fields.iter().any(|(own, sent)| own.eq_ignore_ascii_case(name) && sent == value);
            // Of cookies an explanation says only that some are left, of a credential that it is set.
            let is_masked = |told: &Value| told == "(secret)" || told == "(credential)" || name == "cookie";
            let contains_credential = |pair: &&Value| pair[1] == *value || is_masked(&pair[1]);
            let is_set = set.iter().any(|pair| pair[0] == **name && contains_credential(&pair));
            ensure(passed || is_set, || format!("{name} is not set to {value}"))?;
        }
        return Ok(());
    }
    ensure(told["answer"]["status"] == expect["status"], || format!("status {}", told["answer"]["status"]))?;
    ensure(told["answer"]["reason"] == expect["reason"], || format!("reason {}", told["answer"]["reason"]))
}

fn fields_of(request: &Value, isolate: &Isolate) -> TestFields {
    let mut fields = Vec::new();
    if let Some(name) = request["key"].as_str() {
        let keys = isolate.gateway.api_keys().unwrap();
        let secret = key(name);
        let (name, value) = keys.sent().show(&secret);
        fields.push((name.to_owned(), value));
    }
    if let Some(name) = request["token"].as_str() {
        fields.push(("authorization".to_owned(), bearer(&token(name))));
    }
    for pair in request["headers"].as_array().into_iter().flatten() {
        fields.push((pair[0].as_str().unwrap().to_owned(), pair[1].as_str().unwrap().to_owned()));
    }
    if let Some(body) = request["body"].as_str() {
        fields.push(("content-length".to_owned(), body.len().to_string()));
    }
    let cf = request.get("cf").map(|cf| cf.as_object().expect("cf is an object").clone());
    TestFields { fields, cf: cf.unwrap_or_default() }
}

fn check(result: &pointsman_testkit::Result_, expect: &Value) -> Result<(), String> {
    let line = log_line(result)?;
    for (name, value) in expect["log"].as_object().into_iter().flatten() {
        ensure(line.get(name) == Some(value), || format!("log {name} is {:?}, not {value}", line.get(name)))?;
    }
    if let Some(url) = expect["forward"].as_str() {
        ensure(result.forwarded() == Some(url), || {
            format!("went to {:?}, not {url}: {}", result.forwarded(), result.refusal().unwrap_or(""))
        })?;
        for (name, value) in expect["set"].as_object().into_iter().flatten() {
            let got = result.backend_fields.get(name);
            let wanted = vec![value.as_str().unwrap().to_owned()];
            ensure(got == Some(&wanted), || format!("backend's {name} is {got:?}, not {value}"))?;
        }
        for name in expect["absent"].as_array().into_iter().flatten() {
            let name = name.as_str().unwrap();
            ensure(!result.backend_fields.contains_key(name), || format!("the backend got {name}"))?;
        }
        return Ok(());
    }
    let Outcome::Answer(answer) = &result.outcome else {
        return Err(format!("was forwarded to {:?}", result.forwarded()));
    };
    ensure(expect["status"] == answer.status, || format!("status {}, {:?}", answer.status, answer.refusal))?;
    ensure(result.refusal() == expect["reason"].as_str(), || {
        format!("refused because {:?}", result.refusal())
    })?;
    for (name, value) in expect["fields"].as_object().into_iter().flatten() {
        let got = answer.fields.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str());
        ensure(got == value.as_str(), || format!("field {name} is {got:?}, not {value}"))?;
    }
    if let Some(slug) = expect["problem"].as_str() {
        let body: Value = serde_json::from_str(answer.body.as_deref().unwrap_or_default()).unwrap();
        ensure(body["type"].as_str().is_some_and(|uri| uri.ends_with(slug)), || {
            format!("type is {}", body["type"])
        })?;
        ensure(body["status"] == answer.status, || format!("body's status is {}", body["status"]))?;
        let has = |name: &str| answer.fields.iter().any(|(own, _)| *own == name);
        ensure(answer.status != 401 || has("www-authenticate"), || "no challenge".to_owned())?;
        ensure(answer.status != 503 || has("retry-after"), || "no retry-after".to_owned())?;
        ensure(has("cache-control"), || "may be cached".to_owned())?;
    }
    Ok(())
}

/// What the schema of log lines says of a line, but for what its end adds.
static OPENING: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
    let mut schema = pointsman_testkit::json("schemas/log-line.schema.json");
    let Some(Value::Object(mut request)) = schema["$defs"].as_object_mut().unwrap().remove("request") else {
        panic!("the schema has no request");
    };
    request.remove("dependentRequired");
    request["required"] = serde_json::json!(["event", "time", "request_id", "method"]);
    request.insert("$defs".to_owned(), schema["$defs"].take());
    jsonschema::draft202012::new(&Value::Object(request)).unwrap()
});

fn log_line(result: &pointsman_testkit::Result_) -> Result<Value, String> {
    let subject = pointsman_core::decide::request_log::LoggedRequest {
        time: pointsman_testkit::noon(),
        request_id: "request-1",
        method: "GET",
    };
    let mut line: Value = serde_json::from_str(&(result.trace.open(subject) + "}")).unwrap();
    // Who was called only the end of a request knows; this is who will be.
    if let (Outcome::Forward(_), Some(origin)) = (&result.outcome, &result.trace.origin) {
        line["origin"] = Value::from(&**origin);
    }
    let faults: Vec<_> = OPENING.iter_errors(&line).map(|fault| fault.to_string()).collect();
    ensure(faults.is_empty(), || format!("{faults:?}: {line}"))?;
    Ok(line)
}

fn ensure(holds: bool, what: impl Fn() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}
