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
            limits = ["standard"]
            [backends.shared]
            url = "https://shared.example"
            [limits.standard]
            binding = "LIMIT"
            limit = 100
            period = "60s"
            "#,
        )
        .unwrap();
        let json = serde_json::to_string(&gateway).unwrap();
        let checked = settings::parse(&json, &HashMap::new()).ok().unwrap();
        check(&checked.gateway, &wrangler.parse().unwrap()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_rate_limit_must_be_bound_as_it_is_described() {
        let good =
            "[[ratelimits]]\nname = \"LIMIT\"\nnamespace_id = \"1\"\nsimple = { limit = 100, period = 60 }";
        assert_eq!(findings(good), Vec::<String>::new());
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
