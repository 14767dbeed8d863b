//! Members that `gateway.toml` does not have under that name: what it had in an earlier version, and what people bring from
//! standards and from other gateways. Each is told with the line to write instead, which matters most after an upgrade.

/// What stands for any one name or place in a path.
const ANY: &str = "*";

/// A member, and what to write for it.
struct Renamed {
    /// Where it stands: the steps of its JSON Pointer, without its own name.
    table: &'static [&'static str],
    names: &'static [&'static str],
    write: &'static str,
}

const fn renamed(
    table: &'static [&'static str],
    names: &'static [&'static str],
    write: &'static str,
) -> Renamed {
    Renamed { table, names, write }
}

const ISSUER: &[&str] = &["issuers", ANY];
const ROUTE: &[&str] = &["routes", ANY];
const RULE: &[&str] = &["routes", ANY, "rules", ANY];
const BACKEND: &[&str] = &["backends", ANY];
const CORS: &[&str] = &["cors", ANY];

/// A later version that renames a member adds the old name here, and says so in CHANGELOG.md.
const ALL: &[Renamed] = &[
    renamed(&[], &["route", "paths"], "[[routes]]"),
    renamed(&[], &["issuer", "jwt", "oidc"], "[[issuers]]"),
    renamed(&[], &["backend", "upstream", "upstreams", "origins", "services"], "[backends.NAME]"),
    renamed(&[], &["apiKeys", "apikeys", "keys"], "[api_keys]"),
    renamed(&[], &["customer", "tenants"], "[customers]"),
    renamed(&["api_keys"], &["ttl", "cache_ttl", "max_age"], "fresh = \"5m\""),
    renamed(&["api_keys"], &["stale_while_revalidate", "stale_if_error"], "stale = \"24h\""),
    renamed(&["api_keys"], &["prefix"], "prefixes = [\"…\"]"),
    renamed(&["customers"], &["ttl", "cache_ttl", "max_age"], "fresh = \"5m\""),
    renamed(&["customers"], &["stale_while_revalidate", "stale_if_error"], "stale = \"24h\""),
    renamed(&["customers"], &["url"], "source = { url = \"…\" }"),
    renamed(ISSUER, &["iss", "url"], "issuer = \"…\""),
    renamed(ISSUER, &["aud", "audiences"], "audience = [\"…\"]"),
    renamed(ISSUER, &["jwks", "jwks_uri", "jwksUri"], "jwks_url = \"…\""),
    renamed(ISSUER, &["alg", "algs"], "algorithms = [\"…\"]"),
    renamed(ISSUER, &["clock_skew", "clock_tolerance", "skew"], "leeway = \"…\""),
    renamed(ROUTE, &["method", "verbs"], "methods = [\"…\"]"),
    renamed(ROUTE, &["authentication", "issuers"], "auth = [\"…\"]"),
    renamed(ROUTE, &["strip_prefix", "prefix_rewrite"], "rewrite = \"…\""),
    renamed(ROUTE, &["rate_limit", "limit"], "limits = [\"…\"]"),
    renamed(RULE, &["backend", "target", "upstream", "forward_to"], "to = \"…\""),
    renamed(RULE, &["if", "match", "conditions"], "when = { … }"),
    renamed(BACKEND, &["target", "upstream", "origin", "address"], "url = \"…\""),
    renamed(BACKEND, &["urls", "endpoints", "targets"], "origins = [{ url = \"…\" }]"),
    renamed(CORS, &["allow_origins", "allowed_origins", "origin"], "origins = [\"…\"]"),
    renamed(CORS, &["allow_headers", "allowed_headers"], "headers = [\"…\"]"),
    renamed(CORS, &["expose_headers", "exposed_headers"], "expose = [\"…\"]"),
    renamed(CORS, &["allow_credentials"], "credentials = true"),
];

/// The member of the grammar that the line is about.
pub(crate) fn member_of(write: &'static str) -> &'static str {
    let name = write.trim_start_matches('[');
    name.split_once(['.', ']', ' ']).map_or(name, |(name, _)| name)
}

/// The line to write for the member at this JSON Pointer, which the grammar does not have.
pub(crate) fn write_instead(pointer: &str) -> Option<&'static str> {
    let steps: Vec<&str> = pointer.split('/').skip(1).collect();
    let (name, table) = steps.split_last()?;
    let fits = |wanted: &[&str]| {
        wanted.len() == table.len()
            && wanted.iter().zip(table).all(|(wanted, own)| *wanted == ANY || wanted == own)
    };
    let found = ALL.iter().find(|entry| fits(entry.table) && entry.names.contains(name))?;
    Some(found.write)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashMap};

    use serde_json::{Value, json};

    use super::*;
    use crate::{findings::Finding, parse};

    #[test]
    fn a_member_is_found_in_its_own_table_only() {
        assert_eq!(write_instead("/issuers/0/jwks_uri"), Some("jwks_url = \"…\""));
        assert_eq!(write_instead("/routes/3/rules/12/backend"), Some("to = \"…\""));
        for other in
            ["", "/", "/jwks_uri", "/issuers/jwks_uri", "/issuers/0/keys/0/jwks_uri", "/routes/0/backend"]
        {
            assert_eq!(write_instead(other), None, "{other}");
        }
    }

    #[test]
    fn each_name_is_there_once_in_a_table() {
        let all: Vec<_> =
            ALL.iter().flat_map(|entry| entry.names.iter().map(|name| (entry.table, *name))).collect();
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    }

    #[test]
    fn none_is_a_member_of_the_grammar_and_each_is_told() {
        let places = json!({
            "api_keys": {}, "customers": {}, "issuers": [{}], "backends": { "a": {} }, "cors": { "a": {} },
            "routes": [{ "rules": [{}] }],
        });
        for entry in ALL {
            for name in entry.names {
                let mut document = places.clone();
                let mut table = &mut document;
                let mut pointer = String::new();
                for step in entry.table {
                    let step = match (*step, &table) {
                        (ANY, Value::Array(_)) => "0",
                        (ANY, _) => "a",
                        (own, _) => own,
                    };
                    pointer = format!("{pointer}/{step}");
                    table = table.pointer_mut(&format!("/{step}")).unwrap();
                }
                table.as_object_mut().unwrap().insert((*name).to_owned(), "x".into());
                let found = parse(&document.to_string(), &HashMap::new()).err().unwrap();
                let said = format!("{pointer}/{name}: there is no `{name}` here: write {}", entry.write);
                assert!(found.iter().any(|finding| finding.to_string() == said), "{said}\n{found:#?}");
                // Whatever stands there is of the member that was meant, so that one is not missing.
                let member = format!("{pointer}/{name}");
                let of_member = |finding: &&Finding| {
                    finding
                        .pointer
                        .strip_prefix(&member)
                        .is_some_and(|inner| inner.is_empty() || inner.starts_with('/'))
                };
                assert_eq!(found.iter().filter(of_member).count(), 1, "{found:#?}");
                let missing = format!("missing field `{}`", member_of(entry.write));
                let is_missing = |finding: &Finding| finding.pointer == pointer && finding.what == missing;
                assert!(!found.iter().any(is_missing), "{said}\n{found:#?}");
            }
        }
    }
}
