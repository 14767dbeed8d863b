//! The committed JSON Schemas, tried on documents that the gateway takes and on ones that it refuses.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use jsonschema::Validator;
use pointsman_testkit::{files, gateway_of, json as document, read};
use serde_json::{Value, json};

fn schema(name: &str) -> Validator {
    let schema = document(format!("schemas/{name}.schema.json"));
    assert!(jsonschema::meta::is_valid(&schema), "{name} is no schema of draft 2020-12");
    jsonschema::draft202012::new(&schema).unwrap()
}

/// What is wrong, each with its place.
fn faults(schema: &Validator, instance: &Value) -> Vec<String> {
    schema.iter_errors(instance).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

fn gateway(text: &str) -> Value {
    toml::from_str(text).unwrap()
}

#[test]
fn gateways_that_the_check_takes_fit() {
    let schema = schema("gateway");
    let mut gateways = files("fixtures/gateways", "toml");
    let imported = files("fixtures/import", "toml").into_iter();
    gateways.extend(imported.filter(|file| file.ends_with("gateway.toml")));
    gateways.push(pointsman_testkit::root().join("gateway.toml"));
    assert!(gateways.len() > 8, "only {} files found", gateways.len());
    for file in gateways {
        let faults = faults(&schema, &gateway(&read(&file)));
        assert!(faults.is_empty(), "{}: {faults:#?}", file.display());
    }
}

#[test]
fn the_recipes_fit() {
    let schema = schema("gateway");
    let documents = [read("README.md"), read("docs/recipes.md")].concat();
    let blocks = documents.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let recipes: Vec<_> = blocks.filter(|block| !block.starts_with("# wrangler.toml")).collect();
    assert!(recipes.len() > 13, "only {} recipes found", recipes.len());
    for recipe in recipes {
        let faults = faults(&schema, &gateway(recipe));
        assert!(faults.is_empty(), "{recipe}\n{faults:#?}");
        // The schema knows nothing of how parts of a file refer to each other.
        gateway_of(recipe);
    }
}

#[test]
fn the_examples_of_issuers_fit() {
    let schema = schema("gateway");
    let document = read("docs/issuers.md");
    let examples: Vec<_> =
        document.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    for name in pointsman_config::presets::names() {
        let line = format!("preset = \"{name}\"");
        assert!(examples.iter().any(|example| example.contains(&line)), "no example of {name}");
    }
    for example in examples {
        let name = example.lines().find_map(|line| line.strip_prefix("name = ")).expect("a name");
        let rest = format!(
            "[backends.b]\nurl = \"https://b.example\"\n[[routes]]\npath = \"/x\"\nauth = [{name}]\nrules = [{{ name = \"all\", \
             to = \"b\" }}]\n"
        );
        let example = format!("{example}\n{rest}");
        let faults = faults(&schema, &gateway(&example));
        assert!(faults.is_empty(), "{example}\n{faults:#?}");
        gateway_of(&example);
    }
}

#[test]
fn records_of_the_fixtures_fit() {
    let customers = document("fixtures/customers.json");
    assert_eq!(faults(&schema("customers"), &customers), Vec::<String>::new());
    let customer = schema("customer");
    for record in customers.as_array().unwrap() {
        assert_eq!(faults(&customer, record), Vec::<String>::new());
    }
    let (key, of_file) = (schema("key"), schema("keys"));
    let keys = document("fixtures/demo/keys.json");
    assert!(!keys.as_array().unwrap().is_empty());
    for entry in keys.as_array().unwrap() {
        assert_eq!(faults(&key, &entry["record"]), Vec::<String>::new(), "{}", entry["name"]);
        let mut written = entry["record"].clone();
        assert!(!of_file.is_valid(&json!([written])), "of no key");
        written["sha256"] = json!("0".repeat(64));
        assert_eq!(faults(&of_file, &json!([written])), Vec::<String>::new(), "{}", entry["name"]);
    }
}

/// `tests/support/log-schema.mjs` checks lines by a part of JSON Schema only; its test reads the same examples.
#[test]
fn log_lines_have_one_shape() {
    let schema = schema("log-line");
    let examples = document("fixtures/log-lines.json");
    for example in examples.as_array().unwrap() {
        let faults = faults(&schema, &example["line"]);
        assert_eq!(faults.is_empty(), example["valid"] == true, "{}: {faults:#?}", example["about"]);
    }
}

const SMALL: &str = r#"
    [backends.shared]
    url = "https://shared.example"
    timeout = "5s"
    [cors.app]
    origins = ["https://app.example.com"]
    [[issuers]]
    name = "main"
    issuer = "https://id.example.com/"
    audience = "api"
    algorithms = ["ES256"]
    discovery = true
    [limits.standard]
    binding = "LIMIT"
    limit = 100
    period = "60s"
    [[routes]]
    path = "/a/{id}/{+rest}"
    methods = ["GET"]
    auth = []
    require = { scope = { has = "a" } }
    limits = ["standard", [{ use = "standard", when = { plan = "gold" } }, "none"]]
    rules = [{ name = "all", when = { "$any" = [{ plan = ["a", "b"] }, "named"], "$ip" = "192.0.2.0/24" }, to = "shared" }]
"#;

#[test]
fn what_is_wrong_with_a_gateway_is_found_where_it_stands() {
    let schema = schema("gateway");
    let good = gateway(SMALL);
    assert_eq!(faults(&schema, &good), Vec::<String>::new());
    let wrong = [
        ("/name", json!("two words")),
        ("/allow_http", json!("sometimes")),
        ("/user_agent", json!("")),
        ("/user_agent", json!("a\nb")),
        ("/unknown", json!(1)),
        ("/routes", json!([])),
        ("/backends/shared/url", json!("shared.example")),
        ("/backends/shared/timeout", json!("5 seconds")),
        ("/backends/shared/timeout", json!(5)),
        ("/backends/shared/failure_ratio", json!("half")),
        ("/backends/shared/origins", json!([{ "url": "https://a.example" }])),
        ("/cors/app/origins/0", json!("https://app.example.com/")),
        ("/issuers/0/algorithms/0", json!("none")),
        ("/issuers/0/secret", json!("and discovery")),
        ("/issuers/0/name", json!("api_key")),
        ("/limits/standard/period", json!("30s")),
        ("/limits/standard/quota", json!(5)),
        ("/limits/standard/by", json!("$param:id")),
        ("/routes/0/path", json!("/a/{id}b")),
        ("/routes/0/methods/0", json!("get")),
        ("/routes/0/methods/0", json!("TRACE")),
        ("/routes/0/max_body", json!("10 MB")),
        ("/routes/0/require/scope/has", json!("two words")),
        ("/routes/0/limits/0", json!({ "name": "standard" })),
        ("/routes/0/limits/1/0/when/plan", json!(null)),
        ("/routes/0/rules/0/to", json!(["shared"])),
        ("/routes/0/rules/0/deny", json!(403)),
        ("/routes/0/rules/0/salt", json!("only for splits")),
        ("/routes/0/rules/0/when/$countri", json!("DE")),
        ("/routes/0/rules/0/when/$country", json!(49)),
        ("/routes/0/rules/0/when/$country", json!({ ">": 5 })),
        ("/routes/0/rules/0/when/$asn", json!("13335")),
        ("/routes/0/rules/0/when/$bot_score", json!({ "<": "30" })),
        ("/routes/0/rules/0/when/$eu", json!("1")),
        ("/routes/0/rules/0/when/$eu", json!({ "not": "1" })),
        ("/routes/0/rules/0/when/$header:x-beta", json!({ "contains": "a" })),
        ("/routes/0/rules/0/when/$ip", json!("everywhere")),
        ("/routes/0/rules/0/when/$any/0/plan", json!([])),
        ("/routes/0/rules/0/when/$any/0/plan", json!({ "is": "gold" })),
        ("/routes/0/rules/0/when/$any/0/plan", json!({ "not": { ">": "1" } })),
    ];
    for (pointer, value) in wrong {
        let mut document = good.clone();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        match document.pointer_mut(parent).unwrap_or_else(|| panic!("{pointer}")) {
            Value::Object(members) => drop(members.insert(name.to_owned(), value.clone())),
            Value::Array(items) => items[name.parse::<usize>().unwrap()] = value.clone(),
            _ => panic!("{pointer}"),
        }
        let faults = faults(&schema, &document);
        // The place is that of the value, or of what holds it.
        let section: String = pointer.split('/').take(3).collect::<Vec<_>>().join("/");
        let found = faults.iter().any(|fault| parent.is_empty() || fault.starts_with(&section));
        assert!(found, "{pointer} = {value} passes: {faults:?}");
    }
}

#[test]
fn variables_stand_in_any_text() {
    let schema = schema("gateway");
    let mut document = gateway(SMALL);
    document["backends"]["shared"] = json!({ "url": "${URL}/v1", "timeout": "${SECONDS}s" });
    document["allow_http"] = json!("${ALLOW_HTTP}");
    assert_eq!(faults(&schema, &document), Vec::<String>::new());
}

#[test]
fn what_is_wrong_with_a_record_is_found() {
    let (customer, customers) = (schema("customer"), schema("customers"));
    let (key, keys) = (schema("key"), schema("keys"));
    for record in [
        json!({ "customerId": "a" }),
        json!({ "customerId": "", "backendUrl": "https://a.example" }),
        json!({ "customerId": 7.5, "backendUrl": "https://a.example" }),
        json!({ "customerId": "a", "backendUrl": "a.example" }),
        json!({ "customerId": "a", "backendURL": "https://a.example" }),
        json!({ "customerId": "a", "backends": [] }),
        json!({ "customerId": "a", "backendUrl": "https://a.example", "allowedIps": ["everywhere"] }),
        json!({ "customerId": "a", "backendUrl": "https://a.example", "disabled": "yes" }),
    ] {
        assert!(!customer.is_valid(&record), "{record}");
        assert!(!customers.is_valid(&json!([record])), "{record}");
    }
    for record in [
        json!({ "claims": {} }),
        json!({ "subject": "" }),
        json!({ "subject": "s", "claims": [] }),
        json!({ "subject": "s", "expiresAt": "tomorrow" }),
        json!({ "subject": "s", "expires": "2027-01-01T00:00:00Z" }),
        json!({ "subject": "s", "methods": ["get"] }),
    ] {
        assert!(!key.is_valid(&record), "{record}");
    }
    for record in [
        json!({ "subject": "s", "sha256": "A".repeat(64) }),
        json!({ "subject": "s", "sha256": "0".repeat(64), "key": "sk_live_x" }),
        json!({ "subject": "s", "digest": "0".repeat(64) }),
    ] {
        assert!(!keys.is_valid(&json!([record])), "{record}");
    }
}
