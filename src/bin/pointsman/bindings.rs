//! Whether the bindings that limits count by are in `wrangler.toml`, and are what `gateway.toml` says.
//! The Worker itself cannot see: a binding does not tell its own limit.

use pointsman::{
    config::Gateway,
    limit::{Limit, Measure},
    settings::findings::{Finding, Findings, escape},
};
use toml::{Table, Value};

/// What does not fit. `section` is the part of `wrangler.toml` that is deployed.
pub(crate) fn check(gateway: &Gateway, section: &Table) -> Vec<Finding> {
    let mut findings = Findings::default();
    for limit in &gateway.limits {
        let at = format!("/limits/{}", escape(&limit.name));
        match limit.measure {
            Measure::Rate { limit: most, period } => {
                rate(limit, most, period.secs_ceil(), &at, section, &mut findings);
            }
            Measure::Quota { .. } => quota(limit, &at, section, &mut findings),
        }
    }
    findings.into_vec()
}

fn rate(limit: &Limit, most: u64, period: u64, at: &str, section: &Table, findings: &mut Findings) {
    let bound = entries(section.get("ratelimits"))
        .find(|entry| entry.get("name").and_then(Value::as_str) == Some(&limit.binding));
    let Some(bound) = bound else {
        let example = format!(
            "[[ratelimits]] name = \"{}\", namespace_id = \"1001\", simple = {{ limit = {most}, period = {period} }}",
            limit.binding
        );
        findings.error(
            format!("{at}/binding"),
            format!("is no rate limit of wrangler.toml, which needs {example}"),
        );
        return;
    };
    for (field, own) in [("limit", most), ("period", period)] {
        let simple = bound.get("simple").and_then(|simple| simple.get(field));
        let theirs = simple.and_then(Value::as_integer);
        if theirs.and_then(|theirs| u64::try_from(theirs).ok()) != Some(own) {
            let theirs = theirs.map_or_else(|| "nothing".to_owned(), |theirs| theirs.to_string());
            findings.error(
                format!("{at}/{field}"),
                format!("is {own}, and wrangler.toml says {theirs} of {}", limit.binding),
            );
        }
    }
}

/// The class that the Worker has for quotas.
const CLASS: &str = "Quota";

fn quota(limit: &Limit, at: &str, section: &Table, findings: &mut Findings) {
    let at = format!("{at}/binding");
    let bindings = section.get("durable_objects").and_then(|objects| objects.get("bindings"));
    let bound =
        entries(bindings).find(|entry| entry.get("name").and_then(Value::as_str) == Some(&limit.binding));
    let Some(bound) = bound else {
        let example =
            format!("[[durable_objects.bindings]] name = \"{}\", class_name = \"{CLASS}\"", limit.binding);
        findings.error(at, format!("is no Durable Object of wrangler.toml, which needs {example}"));
        return;
    };
    // One of another Worker is that Worker's business.
    if bound.get("script_name").is_some() {
        return;
    }
    if bound.get("class_name").and_then(Value::as_str) != Some(CLASS) {
        findings.error(at, format!("must have class_name = \"{CLASS}\" in wrangler.toml"));
        return;
    }
    let mut classes = entries(section.get("migrations"))
        .flat_map(|migration| entries(migration.get("new_sqlite_classes")))
        .filter_map(Value::as_str);
    if !classes.any(|class| class == CLASS) {
        let example = format!("[[migrations]] tag = \"v1\", new_sqlite_classes = [\"{CLASS}\"]");
        findings
            .error(at, format!("has a class that no migration of wrangler.toml makes: it needs {example}"));
    }
}

fn entries(list: Option<&Value>) -> impl Iterator<Item = &Value> {
    list.and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use pointsman::settings;

    use super::*;

    fn findings(wrangler: &str) -> Vec<String> {
        let gateway: Value = toml::from_str(
            r#"
            [[routes]]
            path = "/{+path}"
            auth = []
            rules = [{ name = "all", to = "shared" }]
            limits = ["standard", "monthly"]
            [backends.shared]
            url = "https://shared.example"
            [limits.standard]
            binding = "LIMIT"
            limit = 100
            period = "60s"
            [limits.monthly]
            binding = "QUOTAS"
            quota = 10000
            per = "month"
            "#,
        )
        .unwrap();
        let json = serde_json::to_string(&gateway).unwrap();
        let checked = settings::parse(&json, &HashMap::new()).ok().unwrap();
        check(&checked.gateway, &wrangler.parse().unwrap()).iter().map(ToString::to_string).collect()
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
            "/limits/monthly/binding: must have class_name = \"Quota\" in wrangler.toml"
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
}
