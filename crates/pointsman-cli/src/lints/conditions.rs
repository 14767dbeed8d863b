//! Conditions that hold always or never, and tests that a client evades by sending something twice.

use pointsman_config::findings::{Findings, escape};
use pointsman_core::{
    routing::{
        condition::{Condition, Test},
        operand::Operand,
        rule::Action,
    },
    state::config::Gateway,
};
use serde_json::{Map, Value};

use super::rules;

/// Warns of both.
pub(super) fn lint(gateway: &Gateway, file: &Value, findings: &mut Findings) {
    for (at, written) in tables(file) {
        shape(written, &at, findings);
    }
    for (at, rule) in rules(gateway) {
        let wanted = if matches!(rule.action, Action::Deny(_)) { Wanted::Denied } else { Wanted::LetIn };
        doubled(&rule.when, wanted, &format!("{at}/when"), findings);
    }
    for (index, route) in gateway.routes().iter().enumerate() {
        doubled(&route.require, Wanted::LetIn, &format!("/routes/{index}/require"), findings);
        for (choice, tiers) in route.limits.iter().enumerate() {
            for tier in tiers.0.iter().filter(|tier| tier.limit.is_some()) {
                let at = format!("/routes/{index}/limits/{choice}");
                doubled(&tier.when, Wanted::Denied, &at, findings);
            }
        }
    }
}

/// All places in the file where a table of conditions stands.
fn tables(file: &Value) -> Vec<(String, &Value)> {
    let mut found = Vec::new();
    for section in ["conditions", "regions"] {
        for (name, written) in file.get(section).and_then(Value::as_object).into_iter().flatten() {
            found.push((format!("/{section}/{}", escape(name)), written));
        }
    }
    for (index, route) in items(file.get("routes")).enumerate() {
        let at = format!("/routes/{index}");
        found.extend(route.get("require").map(|written| (format!("{at}/require"), written)));
        for list in ["rules", "shadow_rules"] {
            for (position, rule) in items(route.get(list)).enumerate() {
                found.extend(rule.get("when").map(|when| (format!("{at}/{list}/{position}/when"), when)));
            }
        }
        for (position, entry) in items(route.get("limits")).enumerate() {
            let at = format!("{at}/limits/{position}");
            found.extend(entry.get("when").map(|when| (format!("{at}/when"), when)));
            for (tier, entry) in items(Some(entry)).enumerate() {
                found.extend(entry.get("when").map(|when| (format!("{at}/{tier}/when"), when)));
            }
        }
    }
    found
}

fn items(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

/// Looks for tables that hold always, and for tests that nothing passes.
fn shape(written: &Value, at: &str, findings: &mut Findings) {
    let Value::Object(members) = written else { return };
    if members.is_empty() {
        findings
            .warn(at, "is empty, so it always holds: leave it out if that is meant, else say what must hold");
    }
    for (name, value) in members {
        let at = format!("{at}/{}", escape(name));
        match (name.as_str(), value) {
            ("$all" | "$any", Value::Array(items)) => {
                for (index, item) in items.iter().enumerate() {
                    shape(item, &format!("{at}/{index}"), findings);
                }
            }
            ("$not", Value::Object(inner)) if inner.is_empty() => {
                findings.warn(&at, "is empty, and so always holds: $not of it never does");
            }
            ("$not", _) => shape(value, &at, findings),
            (_, Value::Object(tests)) => contradiction(tests, &at, findings),
            _ => {}
        }
    }
}

/// Tests of one value that contradict each other.
fn contradiction(tests: &Map<String, Value>, at: &str, findings: &mut Findings) {
    let others = tests.keys().any(|name| !matches!(name.as_str(), "exists" | "not"));
    if tests.get("exists") == Some(&Value::Bool(false)) && others {
        findings.warn(at, "never holds: what is not there passes no other test");
    }
    if tests.get("not").is_some_and(|not| Some(not) == tests.get("equals") || Some(not) == tests.get("in")) {
        findings.warn(at, "never holds: what passes a test does not pass its not");
    }
    let bound = |names: [&str; 2]| {
        let number = |name| Some((tests.get(name)?.as_number()?, name == names[0]));
        number(names[0]).or_else(|| number(names[1]))
    };
    if let (Some((least, above)), Some((most, below))) = (bound([">", ">="]), bound(["<", "<="])) {
        let order = pointsman_core::base::number::order(least, most);
        if order.is_some_and(|order| order.is_gt() || (order.is_eq() && (above || below))) {
            findings.warn(at, "never holds: no number is above the one and below the other");
        }
    }
}

/// What a client wants of a condition.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Wanted {
    /// It denies or limits, so that clients want it not to hold.
    Denied,
    /// It lets in, so that they want it to hold.
    LetIn,
}

/// A plain test of a parameter or field fails where a client sends it twice. The backend may take one of the two all
/// the same, so that must not be the way round a rule.
fn doubled(when: &[Condition], wanted: Wanted, at: &str, findings: &mut Findings) {
    let mut evaded = Vec::new();
    for condition in when {
        of_condition(condition, wanted == Wanted::Denied, &mut evaded);
    }
    evaded.dedup();
    for of in evaded {
        let kind = if matches!(of, Operand::Header(_)) { "field" } else { "parameter" };
        let (way, write) = match wanted {
            Wanted::Denied => ("a doubled one evades this", "{ any = … }"),
            Wanted::LetIn => ("a doubled one passes this not", "{ not = { any = … } }"),
        };
        findings.warn(
            at,
            format!("tests {of} as one value, and {way}: write {write}, which looks at each {kind}"),
        );
    }
}

/// Collects what is tested as one value where the test's failing is what a client wants; `failing` says whether that
/// is so at this place.
fn of_condition<'c>(condition: &'c Condition, failing: bool, evaded: &mut Vec<&'c Operand>) {
    match condition {
        Condition::Is { of: of @ (Operand::Header(_) | Operand::Query(_)), test } => {
            if fails_doubled(test, failing, matches!(of, Operand::Header(_))) {
                evaded.push(of);
            }
        }
        Condition::Is { .. } => {}
        Condition::All(all) | Condition::Any(all) => {
            all.iter().for_each(|one| of_condition(one, failing, evaded))
        }
        Condition::Not(other) => of_condition(other, !failing, evaded),
        Condition::Named(named) => of_condition(&named.condition, failing, evaded),
    }
}

fn fails_doubled(test: &Test, failing: bool, is_field: bool) -> bool {
    match test {
        Test::Equals(_)
        | Test::OneOf(_)
        | Test::Prefix(_)
        | Test::Suffix(_)
        | Test::Compares(..)
        | Test::Within(_) => failing,
        // Words of a list are found, and not those between commas.
        Test::Has(_) => failing && is_field,
        // Each of the values has to pass: another one beside it is a way out.
        Test::EachValue(..) => failing,
        Test::OneValue(_, inner) => !failing && matches!(**inner, Test::Not(_)),
        Test::Exists(_) | Test::Contains(_) => false,
        Test::Not(inner) => fails_doubled(inner, !failing, is_field),
        Test::All(tests) => tests.iter().any(|test| fails_doubled(test, failing, is_field)),
    }
}

#[cfg(test)]
mod tests {
    use pointsman_testkit::GatewayToml;

    use crate::lints::tests::lints;

    fn with(rules: &str) -> Vec<String> {
        let toml = GatewayToml::new().backend("b").table("conditions", r#"debug = { "$query:debug" = "1" }"#);
        lints(&toml.route("/{+path}", &[], rules).to_string())
    }

    fn when(condition: &str, action: &str) -> Vec<String> {
        with(&format!(
            "rules = [{{ name = \"x\", when = {condition}, {action} }}, {{ name = \"r\", to = \"b\" }}]"
        ))
    }

    #[test]
    fn a_doubled_value_evades_no_deny_unnoticed() {
        for (condition, of) in [
            (r#"{ "$query:admin" = "1" }"#, "$query:admin"),
            (r#"{ "$query:admin" = ["1", "2"] }"#, "$query:admin"),
            (r#"{ "$header:X-Debug" = { prefix = "1" } }"#, "$header:x-debug"),
            (r#"{ "$header:x-debug" = { has = "on" } }"#, "$header:x-debug"),
            (r#"{ "$query:admin" = { all = "1" } }"#, "$query:admin"),
            (
                r#"{ "$any" = [{ plan = "a" }, { "$query:admin" = { exists = true, suffix = "1" } }] }"#,
                "$query:admin",
            ),
            (r#""debug""#, "$query:debug"),
            (r#"{ "$not" = { "$query:admin" = { not = "1" } } }"#, "$query:admin"),
        ] {
            let expected = format!(
                "/routes/0/rules/0/when: tests {of} as one value, and a doubled one evades this: write {{ any = … }}, which \
                 looks at each {}",
                if of.starts_with("$h") { "field" } else { "parameter" }
            );
            assert_eq!(when(condition, "deny = 403"), [expected], "{condition}");
            assert_eq!(when(condition, "to = \"b\""), Vec::<String>::new(), "{condition}");
        }
        for condition in [
            r#"{ "$query:admin" = { any = "1" } }"#,
            r#"{ "$query:admin" = { any = ["1", "2"] }, plan = "x" }"#,
            r#"{ "$query:admin" = { exists = true } }"#,
            r#"{ "$query:admin" = { has = "1" } }"#,
            r#"{ "$query:v" = { not = "2" } }"#,
            r#"{ "$query:v" = { not = { any = "2" } } }"#,
            r#"{ plan = "x", "$method" = "PUT", "$ip" = "192.0.2.1" }"#,
        ] {
            assert_eq!(when(condition, "deny = 403"), Vec::<String>::new(), "{condition}");
        }
    }

    #[test]
    fn a_doubled_value_passes_no_not_unnoticed() {
        for (condition, of) in [
            (r#"{ "$query:admin" = { not = "1" } }"#, "$query:admin"),
            (r#"{ "$not" = { "$header:x-admin" = "1" } }"#, "$header:x-admin"),
            (r#"{ "$query:admin" = { any = { not = "1" } } }"#, "$query:admin"),
            (r#"{ "$not" = "debug" }"#, "$query:debug"),
        ] {
            let said = when(condition, "to = \"b\"");
            let expected =
                format!("/routes/0/rules/0/when: tests {of} as one value, and a doubled one passes this not");
            assert!(said.len() == 1 && said[0].starts_with(&expected), "{said:?}");
        }
        for condition in
            [r#"{ "$query:a" = { not = { any = "1" } } }"#, r#"{ "$query:a" = { exists = false } }"#]
        {
            assert_eq!(when(condition, "to = \"b\""), Vec::<String>::new(), "{condition}");
        }
        let said =
            with("require = { \"$query:a\" = { not = \"1\" } }\nrules = [{ name = \"r\", to = \"b\" }]");
        assert!(said.len() == 1 && said[0].starts_with("/routes/0/require: tests $query:a"), "{said:?}");
    }

    #[test]
    fn limits_are_not_evaded_either() {
        let route = "limits = [{ use = \"l\", when = { \"$query:heavy\" = \"1\" } }]\nrules = [{ name = \"r\", to = \"b\" }]\n\
                     [limits.l]\nbinding = \"L\"\nlimit = 1\nperiod = \"60s\"";
        let said = with(route);
        assert!(said.len() == 1 && said[0].starts_with("/routes/0/limits/0: tests $query:heavy"), "{said:?}");
    }

    #[test]
    fn what_holds_always_or_never_is_named() {
        let always = "is empty, so it always holds: leave it out if that is meant, else say what must hold";
        for (condition, at, what) in [
            ("{}", "", always),
            ("{ \"$any\" = [{ plan = \"a\" }, {}] }", "/$any/1", always),
            ("{ \"$not\" = {} }", "/$not", "is empty, and so always holds: $not of it never does"),
            (
                "{ plan = { exists = false, equals = \"a\" } }",
                "/plan",
                "never holds: what is not there passes no other test",
            ),
            (
                "{ plan = { equals = \"a\", not = \"a\" } }",
                "/plan",
                "never holds: what passes a test does not pass its not",
            ),
            (
                "{ n = { \">\" = 5, \"<\" = 5 } }",
                "/n",
                "never holds: no number is above the one and below the other",
            ),
            (
                "{ n = { \">=\" = 6, \"<=\" = 5 } }",
                "/n",
                "never holds: no number is above the one and below the other",
            ),
        ] {
            let rules = format!(
                "rules = [{{ name = \"a\", when = {{ a = 1 }}, to = \"b\" }}, {{ name = \"x\", when = {condition}, to = \"b\" }}]"
            );
            assert_eq!(with(&rules), [format!("/routes/0/rules/1/when{at}: {what}")], "{condition}");
        }
        for condition in [
            "{ n = { \">=\" = 5, \"<=\" = 5 } }",
            "{ plan = { exists = true, not = \"a\" } }",
            "{ plan = { not = {exists = true} } }",
        ] {
            assert_eq!(when(condition, "to = \"b\""), Vec::<String>::new(), "{condition}");
        }
        let said = with("require = {}\nrules = [{ name = \"r\", to = \"b\" }]\n[regions]\neverywhere = {}");
        assert_eq!(said, [format!("/regions/everywhere: {always}"), format!("/routes/0/require: {always}")]);
    }
}
