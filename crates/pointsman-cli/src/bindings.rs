//! Whether `wrangler.toml` binds what `gateway.toml` needs, in the environment that is deployed: an environment takes
//! over no bindings, and a Worker without them starts and refuses every caller. Of a limit, whether it is the one that is
//! described: the Worker itself cannot see, since a binding does not tell its own limit.

use pointsman_config::findings::{Finding, Findings, escape};
use pointsman_core::{
    forward::limit::{Limit, Measure},
    state::{bounds::Hears, config::Gateway},
};
use serde_json::{Value, json};

use crate::deployment::{Deployment, entries, named};

mod fetchers;
mod ledger;

pub(crate) use self::ledger::LedgerBinding;

/// The namespace of keys and customers, by the name that the Worker knows.
const STORE: &str = "POINTSMAN_KV";
/// Bindings of Durable Objects.
const OBJECTS: &str = "durable_objects/bindings";

/// What a gateway needs and is not bound, for its own file. `file` is the gateway as it is written.
pub(crate) fn check(gateway: &Gateway, file: &Value, deployment: &Deployment) -> Vec<Finding> {
    let mut findings = Findings::default();
    store(gateway, deployment, &mut findings);
    fetchers::check(gateway, file, deployment, &mut findings);
    for limit in gateway.limits() {
        let at = format!("/limits/{}", escape(&limit.name));
        match limit.measure {
            Measure::Rate { limit: most, period } => {
                rate(limit, most, period.secs_ceil(), &at, deployment, &mut findings);
            }
            Measure::Quota { .. } => quota(limit, &at, deployment, &mut findings),
        }
    }
    ledger::check(gateway, file, deployment, &mut findings);
    triggers(gateway, deployment, &mut findings);
    findings.into_vec()
}

/// How isolates of this deployment learn of changes.
pub(crate) fn hears(deployment: &Deployment) -> Hears {
    if ledger::bound_in(deployment).is_some() { Hears::Ledger } else { Hears::Kv }
}

/// Why a binding that the file has at its top level is none here.
fn not_taken_over(deployment: &Deployment, list: &str, field: &str, name: &str) -> &'static str {
    let above = deployment.is_above(list, field, name);
    if above { " (the top level has it, and an environment takes over no bindings)" } else { "" }
}

/// The names that are bound: a misspelt one is seen by them.
fn others(deployment: &Deployment, list: &str, field: &str) -> String {
    let names = deployment.bindings(list).filter_map(|entry| entry.get(field)?.as_str());
    let names: Vec<_> = names.collect();
    if names.is_empty() { String::new() } else { format!(" (what it binds there is {})", names.join(", ")) }
}

fn store(gateway: &Gateway, deployment: &Deployment, findings: &mut Findings) {
    if deployment.bindings("kv_namespaces").any(|entry| named(entry, "binding", STORE)) {
        return;
    }
    let why = not_taken_over(deployment, "kv_namespaces", "binding", STORE);
    let place = deployment.place();
    let entry = deployment.entry("kv_namespaces", &[("binding", json!(STORE)), ("id", json!("…"))]);
    let others = others(deployment, "kv_namespaces", "binding");
    let what =
        format!("needs the KV namespace {STORE}, which {place} does not bind{why}{others}: add {entry}");
    let needed = [("/api_keys", gateway.api_keys().is_some()), ("/customers", gateway.customers().is_some())];
    match needed.into_iter().find(|(_, needed)| *needed) {
        Some((pointer, _)) => findings.error(pointer, what),
        None if gateway.issuers().iter().any(|issuer| issuer.keys.is_fetched()) => {
            let what = format!(
                "{what}; without it each isolate asks every issuer for its keys, and has none while it is down"
            );
            findings.warn("/issuers", what);
        }
        None => {}
    }
}

fn rate(limit: &Limit, most: u64, period: u64, at: &str, deployment: &Deployment, findings: &mut Findings) {
    let bound = deployment.bindings("ratelimits").find(|entry| named(entry, "name", &limit.binding));
    let Some(bound) = bound else {
        let why = not_taken_over(deployment, "ratelimits", "name", &limit.binding);
        let place = deployment.place();
        let members = [
            ("name", json!(limit.binding)),
            ("namespace_id", json!("1001")),
            ("simple", json!({ "limit": most, "period": period })),
        ];
        let example = deployment.entry("ratelimits", &members);
        findings.error(
            format!("{at}/binding"),
            format!(
                "is no rate limit of {place}{why}{}, which needs {example}",
                others(deployment, "ratelimits", "name")
            ),
        );
        return;
    };
    for (field, own) in [("limit", most), ("period", period)] {
        let simple = bound.get("simple").and_then(|simple| simple.get(field));
        if simple.and_then(Value::as_u64) != Some(own) {
            let theirs = simple.map_or_else(|| "nothing".to_owned(), Value::to_string);
            findings.error(
                format!("{at}/{field}"),
                format!("is {own}, and {} says {theirs} of {}", deployment.place(), limit.binding),
            );
        }
    }
}

/// The class that the Worker has for quotas.
const CLASS: &str = "Quota";

fn quota(limit: &Limit, at: &str, deployment: &Deployment, findings: &mut Findings) {
    let at = format!("{at}/binding");
    let place = deployment.place();
    let Some(bound) = deployment.bindings(OBJECTS).find(|entry| named(entry, "name", &limit.binding)) else {
        let why = not_taken_over(deployment, OBJECTS, "name", &limit.binding);
        let members = [("name", json!(limit.binding)), ("class_name", json!(CLASS))];
        let example = deployment.entry(OBJECTS, &members);
        let others = others(deployment, OBJECTS, "name");
        findings.error(at, format!("is no Durable Object of {place}{why}{others}, which needs {example}"));
        return;
    };
    class_made_here(bound, CLASS, at, deployment, findings);
}

/// Whether the class of a Durable Object is the right one, and a migration makes it. One of another Worker is that Worker's
/// business.
fn class_made_here(bound: &Value, class: &str, at: String, deployment: &Deployment, findings: &mut Findings) {
    if bound.get("script_name").is_some() {
        return;
    }
    let place = deployment.place();
    if !named(bound, "class_name", class) {
        findings.error(at, format!("must have the class \"{class}\" as its class_name in {place}"));
        return;
    }
    let exported = deployment.setting("exports").and_then(|exports| exports.get(class));
    let is_exported = exported
        .is_some_and(|class| named(class, "type", "durable-object") && !named(class, "storage", "legacy-kv"));
    if !is_exported && !is_made(deployment, class) {
        let example = deployment
            .above()
            .entry("migrations", &[("tag", json!("v1")), ("new_sqlite_classes", json!([class]))]);
        findings.error(at, format!("has a class that no migration of {place} makes: it needs {example}"));
    }
}

/// Whether a migration makes this class, with SQLite. An environment takes migrations over.
fn is_made(deployment: &Deployment, class: &str) -> bool {
    entries(deployment.setting("migrations"))
        .flat_map(|migration| entries(migration.get("new_sqlite_classes")))
        .any(|made| made.as_str() == Some(class))
}

/// What a cron trigger does for everybody, each request waits for where there is none.
fn triggers(gateway: &Gateway, deployment: &Deployment, findings: &mut Findings) {
    let crons = deployment.setting("triggers").and_then(|triggers| triggers.get("crons"));
    if entries(crons).next().is_some() {
        return;
    }
    let source = gateway.customers().and_then(|customers| customers.source.as_ref());
    let (pointer, what) = if source.is_some_and(|source| !source.by_id) {
        ("/customers/source", "KV is not brought in line with the config API's list")
    } else if gateway.issuers().iter().any(|issuer| issuer.keys.is_fetched()) {
        ("/issuers", "the keys of issuers are not kept at hand")
    } else {
        return;
    };
    let (place, line) = (deployment.place(), deployment.line("triggers/crons", &json!(["*/2 * * * *"])));
    findings
        .warn(pointer, format!("{place} has no cron trigger: {what}, and requests wait for it. Add {line}"));
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use pointsman_testkit::{GatewayToml, all_to};

    use super::*;

    /// A limit and a quota.
    fn limited() -> GatewayToml {
        GatewayToml::new()
            .table("limits.standard", "binding = \"LIMIT\"\nlimit = 100\nperiod = \"60s\"")
            .table("limits.monthly", "binding = \"QUOTAS\"\nquota = 10000\nper = \"month\"")
    }

    fn limited_to(backend: &str) -> String {
        format!("limits = [\"standard\", \"monthly\"]\n{}", all_to(backend))
    }

    fn findings(wrangler: &str) -> Vec<String> {
        let toml = limited().backend("shared").route("/{+path}", &[], &limited_to("shared"));
        let gateway: Value = toml::from_str(&toml.to_string()).unwrap();
        let json = serde_json::to_string(&gateway).unwrap();
        let checked = pointsman_config::parse(&json, &HashMap::new()).ok().unwrap();
        let deployment = Deployment::parse("wrangler.toml", wrangler.to_owned(), None).unwrap();
        check(&checked.gateway, &gateway, &deployment).iter().map(ToString::to_string).collect()
    }

    const RATE: &str =
        "[[ratelimits]]\nname = \"LIMIT\"\nnamespace_id = \"1\"\nsimple = { limit = 100, period = 60 }\n";
    const OBJECT: &str = "[[durable_objects.bindings]]\nname = \"QUOTAS\"\nclass_name = \"Quota\"\n";
    const MIGRATION: &str = "[[migrations]]\ntag = \"v1\"\nnew_sqlite_classes = [\"Quota\"]\n";

    #[test]
    fn a_quota_needs_an_object_and_a_migration() {
        let only = |text: &str| {
            let said = findings(text);
            assert_eq!(said.len(), 1, "{said:?}");
            said.concat()
        };
        let missing = "/limits/monthly/binding: is no Durable Object of wrangler.toml";
        assert!(only(RATE).starts_with(missing));
        let unmade = "/limits/monthly/binding: has a class that no migration of wrangler.toml makes";
        assert!(only(&format!("{RATE}{OBJECT}")).starts_with(unmade));
        let without_sqlite = MIGRATION.replace("new_sqlite_classes", "new_classes");
        assert!(only(&format!("{RATE}{OBJECT}{without_sqlite}")).starts_with(unmade));
        let other = OBJECT.replace("Quota", "Counter");
        assert_eq!(
            only(&format!("{RATE}{other}{MIGRATION}")),
            "/limits/monthly/binding: must have the class \"Quota\" as its class_name in wrangler.toml"
        );
        let elsewhere = format!("{other}script_name = \"counters\"\n");
        assert_eq!(findings(&format!("{RATE}{elsewhere}")), Vec::<String>::new());
    }

    #[test]
    fn a_rate_limit_must_be_bound_as_it_is_described() {
        let good = format!("{RATE}{OBJECT}{MIGRATION}");
        assert_eq!(findings(&good), Vec::<String>::new());
        assert_eq!(
            findings(&good.replace("100", "50").replace("60", "10")),
            [
                "/limits/standard/limit: is 100, and wrangler.toml says 50 of LIMIT",
                "/limits/standard/period: is 60, and wrangler.toml says 10 of LIMIT"
            ]
        );
        let missing = findings(&good.replace("LIMIT", "OTHER"));
        assert!(missing[0].starts_with("/limits/standard/binding: is no rate limit"), "{missing:?}");
    }

    /// All that this gateway needs, as an environment has it: `{}` is what its tables begin with.
    const WHOLE: &str = r#"
        [[{}kv_namespaces]]
        binding = "POINTSMAN_KV"
        [[{}services]]
        binding = "INNER"
        service = "inner"
        [[{}ratelimits]]
        name = "LIMIT"
        simple = { limit = 100, period = 60 }
        [[{}durable_objects.bindings]]
        name = "QUOTAS"
        class_name = "Quota"
    "#;
    const SETTINGS: &str = r#"
        [[migrations]]
        new_sqlite_classes = ["Quota"]
        [triggers]
        crons = ["*/2 * * * *"]
    "#;

    fn needs_all(wrangler: &str, environment: Option<&str>) -> Vec<String> {
        let origins = r#"origins = [{ url = "https://near.example" }, { url = "binding:INNER/base" }]"#;
        let toml = limited()
            .table("api_keys", "prefixes = [\"sk\"]")
            .issuer("main")
            .table("customers.source", "url = \"https://config.example/customers\"")
            .table("backends.inner", origins)
            .route("/{+path}", &["api_key", "main"], &limited_to("inner"));
        let file: Value = toml::from_str(&toml.to_string()).unwrap();
        let checked = pointsman_config::parse(&file.to_string(), &HashMap::new())
            .unwrap_or_else(|all| panic!("{all:?}"));
        let deployment = Deployment::parse("wrangler.toml", wrangler.to_owned(), environment).unwrap();
        check(&checked.gateway, &file, &deployment).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn private_networks_are_bound_those_of_records_too() {
        let toml = GatewayToml::new()
            .table("customers", "networks = [\"ACME_NET\"]")
            .table("backends.own", "url = \"vpc:OWN_NET/http://10.0.0.5\"")
            .route("/{+path}", &[], &all_to("own"));
        let file: Value = toml::from_str(&toml.to_string()).unwrap();
        let checked = pointsman_config::parse(&file.to_string(), &HashMap::new()).ok().unwrap();
        let said = |wrangler: &str| {
            let text = format!("[[kv_namespaces]]\nbinding = \"POINTSMAN_KV\"\n{wrangler}");
            let deployment = Deployment::parse("wrangler.toml", text, None).unwrap();
            check(&checked.gateway, &file, &deployment).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let bind = |list: &str, name: &str| format!("[[{list}]]\nbinding = \"{name}\"\n");
        assert_eq!(said(&(bind("vpc_networks", "OWN_NET") + &bind("vpc_services", "ACME_NET"))), [""; 0]);
        // Another Worker is no network.
        let entry = |name: &str| format!("add [[vpc_networks]] binding = \"{name}\", network_id = \"…\"");
        let needed = [("/backends/own/url", "OWN_NET"), ("/customers/networks/0", "ACME_NET")];
        for (found, (at, name)) in said(&bind("services", "OWN_NET")).iter().zip(needed) {
            let start = format!("{at}: calls the private network {name}, which wrangler.toml does not bind");
            assert!(found.starts_with(&start) && found.ends_with(&entry(name)), "{found}");
        }
        assert_eq!(said("").len(), 2);
    }

    #[test]
    fn an_environment_binds_all_itself_and_takes_settings_over() {
        let top = format!("{}{SETTINGS}", WHOLE.replace("{}", ""));
        assert_eq!(needs_all(&top, None), Vec::<String>::new());
        let own = WHOLE.replace("{}", "env.staging.");
        assert_eq!(needs_all(&format!("{SETTINGS}{own}"), Some("staging")), Vec::<String>::new());
        let said = needs_all(&format!("{top}[env.staging.vars]\nA = \"1\""), Some("staging"));
        let starts = [
            ("/api_keys", "[[env.staging.kv_namespaces]] binding = \"POINTSMAN_KV\""),
            ("/backends/inner/origins/1/url", "[[env.staging.services]] binding = \"INNER\""),
            ("/limits/monthly/binding", "[[env.staging.durable_objects.bindings]] name = \"QUOTAS\""),
            ("/limits/standard/binding", "[[env.staging.ratelimits]] name = \"LIMIT\""),
        ];
        assert_eq!(said.len(), starts.len(), "{said:#?}");
        for (pointer, line) in starts {
            let found = said.iter().find(|one| one.starts_with(&format!("{pointer}: "))).unwrap();
            assert!(found.contains(line) && found.contains("[env.staging] of wrangler.toml"), "{found}");
            assert!(found.contains("takes over no bindings"), "{found}");
        }
        // Without any above, the same, and nothing is said of those.
        let said = needs_all(&format!("{SETTINGS}[env.staging]"), Some("staging"));
        assert!(said.len() == 4 && !said.concat().contains("takes over"), "{said:#?}");
        assert_eq!(needs_all(SETTINGS, None).len(), 4);
        let without_crons = format!("{top}[env.staging]\ntriggers = {{ crons = [] }}");
        assert!(
            needs_all(&without_crons, Some("staging"))
                .iter()
                .any(|one| one.starts_with("/customers/source: "))
        );
    }

    #[test]
    fn a_service_that_a_route_asks_must_be_bound() {
        let route = format!("authorize = {{ binding = \"POLICY\" }}\n{}", all_to("shared"));
        let toml = GatewayToml::new().backend("shared").route("/{+path}", &[], &route);
        let file: Value = toml::from_str(&toml.to_string()).unwrap();
        let checked = pointsman_config::parse(&file.to_string(), &HashMap::new()).ok().unwrap();
        let said = |wrangler: &str| -> Vec<String> {
            let deployment = Deployment::parse("wrangler.toml", wrangler.to_owned(), None).unwrap();
            check(&checked.gateway, &file, &deployment).iter().map(ToString::to_string).collect()
        };
        let bound = "[[services]]\nbinding = \"POLICY\"\nservice = \"policy\"\n";
        assert_eq!(said(bound), Vec::<String>::new());
        let other = bound.replace("POLICY", "POLICE");
        assert_eq!(
            said(&other),
            [
                "/routes/0/authorize/binding: asks the service binding POLICY, which wrangler.toml does not bind (what it binds \
              there is POLICE): add [[services]] binding = \"POLICY\", service = \"…\""
            ]
        );
    }

    #[test]
    fn a_class_may_be_an_export_and_a_service_any_binding_that_fetches() {
        let text = WHOLE.replace("{}", "").replace("[[services]]", "[[vpc_services]]");
        let exports =
            "[triggers]\ncrons = [\"* * * * *\"]\n[exports.Quota]\ntype = \"durable-object\"\nstorage = ";
        assert_eq!(needs_all(&format!("{text}{exports}\"sqlite\""), None), Vec::<String>::new());
        assert_eq!(needs_all(&format!("{text}{exports}\"legacy-kv\""), None).len(), 1);
    }
}
