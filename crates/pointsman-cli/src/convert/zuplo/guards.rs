//! Policies that let in or keep out by where a request comes from: rules that deny.

use serde_json::{Map, Value, json};
use toml::{Table, Value as Toml};

use super::{
    limits, trial,
    values::{Variables, flag, only},
};
use crate::convert::draft::{Act, RuleDraft};

/// Whether a policy is one of these.
pub(super) fn is_guard(export: &str) -> bool {
    matches!(
        export,
        "GeoFilterInboundPolicy" | "IpAddressRestrictionInboundPolicy" | "RequireOriginInboundPolicy"
    )
}

/// The rules of a policy, each of which denies.
///
/// # Errors
/// Why it cannot be written here.
pub(super) fn rules(
    policy: &str,
    export: &str,
    options: &Map<String, Value>,
) -> Result<Vec<RuleDraft>, String> {
    let (status, conditions) = match export {
        "GeoFilterInboundPolicy" => (403, places(options)?),
        "IpAddressRestrictionInboundPolicy" => (403, addresses(options)?),
        _ => (400, origins(options)?),
    };
    if conditions.is_empty() {
        return Err("it has neither a list to allow nor one to block".to_owned());
    }
    let base = limits::name(policy);
    let rules = conditions.into_iter().enumerate().map(|(index, when)| RuleDraft {
        name: if index == 0 { base.clone() } else { format!("{base}-{}", index + 1) },
        when,
        act: Act::Deny(status),
    });
    let rules: Vec<_> = rules.collect();
    check(&rules)?;
    Ok(rules)
}

/// The check of a gateway knows which countries there are, and how addresses are written.
fn check(rules: &[RuleDraft]) -> Result<(), String> {
    let deny = |rule: &RuleDraft| json!({ "name": rule.name, "when": rule.when, "deny": 403 });
    let mut all: Vec<Value> = rules.iter().map(deny).collect();
    all.push(json!({ "name": "rest", "to": "backend" }));
    let gateway = json!({
        "backends": { "backend": { "url": "https://backend.example.com" } },
        "routes": [{ "path": "/", "auth": [], "rules": all }],
    });
    trial::check(&gateway, &Variables::default())
}

fn places(options: &Map<String, Value>) -> Result<Vec<Table>, String> {
    only(options, &["allow", "block", "ignoreUnknown"])?;
    let unknown_passes =
        options.get("ignoreUnknown").is_none_or(Value::is_null) || flag(options, "ignoreUnknown")?;
    let mut conditions = Vec::new();
    for (list, allows) in [("allow", true), ("block", false)] {
        let Some(own) = options.get(list).filter(|own| !own.is_null()) else { continue };
        let own = own.as_object().ok_or_else(|| format!("its {list} is no object"))?;
        only(own, &["countries", "regionCodes", "asns"])?;
        for (name, operand) in [("countries", "$country"), ("regionCodes", "$region"), ("asns", "$asn")] {
            let Some(values) = texts(own, name)? else { continue };
            let values = values.into_iter().map(|value| place(operand, value)).collect::<Result<_, _>>()?;
            conditions.push(listed(operand, Toml::Array(values), allows, unknown_passes));
        }
    }
    Ok(conditions)
}

fn place(operand: &str, value: String) -> Result<Toml, String> {
    match operand {
        "$asn" => value
            .parse::<u32>()
            .map(|number| Toml::Integer(number.into()))
            .map_err(|_| format!("{value:?} is no number of an autonomous system")),
        _ => Ok(Toml::String(value)),
    }
}

/// Who is kept out: whoever is not in a list that allows, and whoever is in one that blocks. Where nothing is known of a
/// client, `unknown_passes` says.
fn listed(operand: &str, values: Toml, allows: bool, unknown_passes: bool) -> Table {
    let test = match (allows, unknown_passes) {
        (true, true) => table([("exists", Toml::Boolean(true)), ("not", values)]),
        (true, false) => table([("not", values)]),
        (false, true) => return Table::from_iter([(operand.to_owned(), values)]),
        (false, false) => {
            let nothing = table([("exists", Toml::Boolean(false))]);
            let either = [Toml::Table(nothing), values];
            let either = either.map(|test| Toml::Table(Table::from_iter([(operand.to_owned(), test)])));
            return table([("$any", Toml::Array(either.to_vec()))]);
        }
    };
    Table::from_iter([(operand.to_owned(), Toml::Table(test))])
}

fn table<const N: usize>(members: [(&str, Toml); N]) -> Table {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn addresses(options: &Map<String, Value>) -> Result<Vec<Table>, String> {
    only(options, &["allow", "deny"])?;
    let mut conditions = Vec::new();
    for (list, allows) in [("allow", true), ("deny", false)] {
        let Some(own) = options.get(list).filter(|own| !own.is_null()) else { continue };
        let items = own.as_array().ok_or_else(|| format!("its {list} is no list"))?;
        let items = items.iter().map(|item| item.as_str().map(|text| Toml::String(text.trim().to_owned())));
        let items =
            items.collect::<Option<Vec<_>>>().ok_or_else(|| format!("its {list} holds what is no text"))?;
        if items.is_empty() {
            return Err(format!("its {list} is empty"));
        }
        let within = table([("within", Toml::Array(items))]);
        let test = if allows { table([("not", Toml::Table(within))]) } else { within };
        conditions.push(table([("$ip", Toml::Table(test))]));
    }
    Ok(conditions)
}

fn origins(options: &Map<String, Value>) -> Result<Vec<Table>, String> {
    only(options, &["origins", "failureDetail"])?;
    let origins = texts(options, "origins")?.ok_or("it names no origins")?;
    if let Some(bad) = origins.iter().find(|origin| origin.contains('*')) {
        return Err(format!("its origin {bad} is none that can be compared"));
    }
    let origins = origins.into_iter().map(Toml::String).collect();
    let test = table([("not", Toml::Array(origins))]);
    Ok(vec![table([("$header:origin", Toml::Table(test))])])
}

/// A text with commas; nothing where it is not there.
fn texts(options: &Map<String, Value>, name: &str) -> Result<Option<Vec<String>>, String> {
    let Some(value) = options.get(name).filter(|value| !value.is_null()) else { return Ok(None) };
    let text = value.as_str().ok_or_else(|| format!("its {name} is no text"))?;
    if text.contains('$') {
        return Err(format!("its {name} comes from {text}: write each as a text"));
    }
    let items: Vec<String> = text.split(',').map(|item| item.trim().to_owned()).collect();
    if items.iter().any(String::is_empty) {
        return Err(format!("its {name} has an empty item"));
    }
    Ok(Some(items))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(export: &str, options: &Value) -> Result<Vec<String>, String> {
        let rules = rules("guard", export, options.as_object().unwrap())?;
        Ok(rules.into_iter().map(|rule| format!("{:?} {}", rule.act, Toml::Table(rule.when))).collect())
    }

    #[test]
    fn lists_become_rules_that_deny() {
        let geo = "GeoFilterInboundPolicy";
        for (export, options, rules) in [
            (
                geo,
                json!({ "allow": { "countries": "US, CA" } }),
                vec![r#"Deny(403) { "$country" = { exists = true, not = ["US", "CA"] } }"#],
            ),
            (
                geo,
                json!({ "allow": { "countries": "US" }, "ignoreUnknown": false }),
                vec![r#"Deny(403) { "$country" = { not = ["US"] } }"#],
            ),
            (
                geo,
                json!({ "block": { "asns": "395747, 28304", "regionCodes": "TX" }, "ignoreUnknown": true }),
                vec![r#"Deny(403) { "$region" = ["TX"] }"#, r#"Deny(403) { "$asn" = [395747, 28304] }"#],
            ),
            (
                geo,
                json!({ "block": { "countries": "KP" }, "ignoreUnknown": false }),
                vec![
                    r#"Deny(403) { "$any" = [{ "$country" = { exists = false } }, { "$country" = ["KP"] }] }"#,
                ],
            ),
            (
                "IpAddressRestrictionInboundPolicy",
                json!({ "allow": ["203.0.113.42", "2001:db8::/32"], "deny": ["203.0.113.99"] }),
                vec![
                    r#"Deny(403) { "$ip" = { not = { within = ["203.0.113.42", "2001:db8::/32"] } } }"#,
                    r#"Deny(403) { "$ip" = { within = ["203.0.113.99"] } }"#,
                ],
            ),
            (
                "RequireOriginInboundPolicy",
                json!({ "origins": "https://a.example, https://b.example", "failureDetail": "no" }),
                vec![
                    r#"Deny(400) { "$header:origin" = { not = ["https://a.example", "https://b.example"] } }"#,
                ],
            ),
        ] {
            assert_eq!(read(export, &options).unwrap(), rules, "{options}");
        }
    }

    #[test]
    fn lists_that_cannot_be_kept_are_refused() {
        for (export, options) in [
            ("GeoFilterInboundPolicy", json!({})),
            ("GeoFilterInboundPolicy", json!({ "allow": {} })),
            ("GeoFilterInboundPolicy", json!({ "allow": { "countries": "Germany" } })),
            ("GeoFilterInboundPolicy", json!({ "allow": { "countries": "us" } })),
            ("GeoFilterInboundPolicy", json!({ "allow": { "countries": "US,," } })),
            ("GeoFilterInboundPolicy", json!({ "allow": { "countries": "$env(COUNTRIES)" } })),
            ("GeoFilterInboundPolicy", json!({ "allow": { "countries": ["US"] } })),
            ("GeoFilterInboundPolicy", json!({ "allow": { "states": "TX" } })),
            ("GeoFilterInboundPolicy", json!({ "block": { "asns": "AS1" } })),
            ("GeoFilterInboundPolicy", json!({ "block": { "countries": "US" }, "ignoreUnknown": "no" })),
            ("IpAddressRestrictionInboundPolicy", json!({})),
            ("IpAddressRestrictionInboundPolicy", json!({ "allow": [] })),
            ("IpAddressRestrictionInboundPolicy", json!({ "allow": ["office"] })),
            ("IpAddressRestrictionInboundPolicy", json!({ "allow": ["$env(OFFICE)"] })),
            ("IpAddressRestrictionInboundPolicy", json!({ "allow": "203.0.113.0/24" })),
            ("IpAddressRestrictionInboundPolicy", json!({ "deny": ["192.0.2.1"], "log": true })),
            ("RequireOriginInboundPolicy", json!({ "origins": "*" })),
            ("RequireOriginInboundPolicy", json!({})),
        ] {
            assert!(read(export, &options).is_err(), "{export} {options}");
        }
    }
}
