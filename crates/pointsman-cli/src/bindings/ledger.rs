//! Whether the ledger that `gateway.toml` counts on is bound, and where it is.

use pointsman_config::findings::Findings;
use pointsman_core::state::config::Gateway;
use serde_json::{Value, json};

use super::{OBJECTS, class_made_here, is_made, not_taken_over};
use crate::deployment::{Deployment, named};

/// The ledger of the directory, by the name that the Worker knows.
const LEDGER: &str = "LEDGER";
/// The class that the Worker has for the ledger.
const LEDGER_CLASS: &str = "Ledger";

/// Where the ledger is that a deployment follows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum LedgerBinding {
    /// None is bound: isolates ask KV.
    None,
    /// It is this Worker's own.
    Own,
    /// It is that of the Worker of this name.
    Of(String),
}

impl LedgerBinding {
    /// The binding of a deployment.
    pub(crate) fn of(deployment: &Deployment) -> Self {
        let Some(bound) = bound_in(deployment) else { return Self::None };
        let script = bound.get("script_name").and_then(Value::as_str);
        script.map_or(Self::Own, |script| Self::Of(script.to_owned()))
    }

    /// What that means, for people.
    pub(crate) fn way(&self) -> String {
        match self {
            Self::None => "keys and customers are looked up in KV: no ledger is bound as LEDGER".to_owned(),
            Self::Own => "keys and customers are followed by the ledger of this Worker".to_owned(),
            Self::Of(script) => {
                format!("keys and customers are followed by the ledger of the Worker {script:?}")
            }
        }
    }

    /// The same as JSON.
    pub(crate) fn to_json(&self) -> Value {
        match self {
            Self::None => Value::Null,
            Self::Own => json!({ "script_name": null }),
            Self::Of(script) => json!({ "script_name": script }),
        }
    }
}

pub(super) fn bound_in(deployment: &Deployment) -> Option<&Value> {
    deployment.bindings(OBJECTS).find(|entry| named(entry, "name", LEDGER))
}

/// Whether the ledger that the file counts on is bound, and can be made.
pub(super) fn check(gateway: &Gateway, file: &Value, deployment: &Deployment, findings: &mut Findings) {
    let source = gateway.customers().and_then(|customers| customers.source.as_ref());
    let wanted = [
        ("/operator/ledger", gateway.operator().ledger.is_some(), "each call of it is answered with 503"),
        (
            "/customers/source/changes",
            source.is_some_and(|source| source.announced),
            "nothing can be announced, and a customer counts for [customers] fresh",
        ),
        ("/directory", file.get("directory").is_some(), "it has no effect, and isolates ask KV"),
    ];
    let Some(bound) = bound_in(deployment) else {
        let why = not_taken_over(deployment, OBJECTS, "name", LEDGER);
        let place = deployment.place();
        let entry =
            deployment.entry(OBJECTS, &[("name", json!(LEDGER)), ("class_name", json!(LEDGER_CLASS))]);
        for (pointer, _, without) in wanted.iter().filter(|(_, is_wanted, _)| *is_wanted) {
            findings.warn(
                *pointer,
                format!(
                    "needs the ledger {LEDGER}, which {place} does not bind{why}: {without}. Add {entry}"
                ),
            );
        }
        return;
    };
    let at = wanted.iter().find(|(_, is_wanted, _)| *is_wanted).map_or("", |(pointer, ..)| *pointer);
    if let Some(script) = bound.get("script_name").and_then(Value::as_str) {
        if is_made(deployment, LEDGER_CLASS) {
            let (place, what) = (deployment.place(), "makes a class of its own for a ledger");
            findings.warn(
                at,
                format!(
                    "{place} {what}, and follows that of {script:?}: an environment takes over the migrations of the top level. \
                     Add {}",
                    deployment.line("migrations", &json!([]))
                ),
            );
        }
        return;
    }
    class_made_here(bound, LEDGER_CLASS, at.to_owned(), deployment, findings);
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use pointsman_testkit::{GatewayToml, all_to};

    use super::*;

    const BOUND: &str = "[[durable_objects.bindings]]\nname = \"LEDGER\"\nclass_name = \"Ledger\"\n";
    const MIGRATION: &str = "[[migrations]]\ntag = \"v1\"\nnew_sqlite_classes = [\"Ledger\"]\n";

    /// What is said of a gateway whose customers are announced, in that order.
    fn said(wrangler: &str, environment: Option<&str>) -> (Vec<String>, LedgerBinding) {
        let secret = "pso_OperatorSecretOfTheFixturesIsPublic00000000_2KJXj2";
        let toml = GatewayToml::new()
            .table("api_keys", "checksum = false")
            .table("customers.source", "url = \"https://c.example\"\nby_id = true\nchanges = \"announced\"")
            .table("operator", &format!("ledger = \"/ledger\"\nsecret = \"{secret}\""))
            .table("directory", "max_staleness = \"10s\"")
            .backend("shared")
            .route("/{+path}", &["api_key"], &all_to("shared"));
        let file: Value = toml::from_str(&toml.to_string()).unwrap();
        let checked = pointsman_config::parse(&file.to_string(), &HashMap::new());
        let gateway = checked.unwrap_or_else(|all| panic!("{all:?}")).gateway;
        let deployment = Deployment::parse("wrangler.toml", wrangler.to_owned(), environment).unwrap();
        let mut findings = Findings::default();
        check(&gateway, &file, &deployment, &mut findings);
        let said = findings.into_vec().iter().map(ToString::to_string).collect();
        (said, LedgerBinding::of(&deployment))
    }

    #[test]
    fn a_ledger_that_is_counted_on_must_be_bound() {
        let (missing, way) = said("", None);
        assert_eq!((missing.len(), way.to_json()), (3, Value::Null));
        for (said, pointer) in
            missing.iter().zip(["/operator/ledger", "/customers/source/changes", "/directory"])
        {
            assert!(said.starts_with(&format!("{pointer}: needs the ledger LEDGER")), "{said}");
        }
        let (missing, _) = said(&format!("{BOUND}{MIGRATION}[env.staging]"), Some("staging"));
        assert!(missing[0].contains("takes over no bindings"), "{missing:?}");
        assert_eq!(said(&format!("{BOUND}{MIGRATION}"), None), (vec![], LedgerBinding::Own));
    }

    #[test]
    fn its_class_is_made_by_a_migration_with_sqlite() {
        for (wrangler, part) in [
            (BOUND.to_owned(), "has a class that no migration of wrangler.toml makes"),
            (format!("{BOUND}{}", MIGRATION.replace("new_sqlite", "new")), "no migration"),
            (
                format!("{}{MIGRATION}", BOUND.replace("\"Ledger", "\"Other")),
                "must have the class \"Ledger\"",
            ),
        ] {
            let (found, _) = said(&wrangler, None);
            assert!(found.len() == 1 && found[0].contains(part), "{found:?}");
        }
        let staging = BOUND.replace("[[", "[[env.staging.");
        let taken_over = said(&format!("{MIGRATION}{staging}"), Some("staging"));
        assert_eq!(taken_over, (vec![], LedgerBinding::Own));
    }

    #[test]
    fn one_of_another_worker_needs_no_migration_and_no_class_of_its_own() {
        let script = "script_name = \"pointsman\"\n";
        let way = LedgerBinding::Of("pointsman".to_owned());
        assert_eq!(said(&format!("{BOUND}{script}"), None), (vec![], way.clone()));
        assert!(way.way().contains("\"pointsman\""));
        let staging = format!("{MIGRATION}{}{script}", BOUND.replace("[[", "[[env.staging."));
        let (found, _) = said(&staging, Some("staging"));
        assert!(found.len() == 1 && found[0].contains("Add [env.staging] migrations = []"), "{found:?}");
        let (found, _) = said(&format!("{staging}[env.staging]\nmigrations = []"), Some("staging"));
        assert_eq!(found, Vec::<String>::new());
    }
}
