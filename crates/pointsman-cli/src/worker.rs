//! What `wrangler.toml` itself says of the Worker that it deploys: how it runs, and at which addresses it can be had.

use pointsman_config::findings::{Finding, Findings};
use serde_json::{Value, json};

use crate::deployment::{Deployment, entries, named};

/// Flags of the runtime that the gateway counts on, and what is so without them.
const FLAGS: [(&str, &str); 2] = [
    (
        "global_fetch_strictly_public",
        "backends in a zone of yours are called past their Workers and their firewall",
    ),
    ("enable_request_signal", "a client that leaves is not noticed, and its call of a backend goes on"),
];

/// What is to be said of the gateway's Worker, for `wrangler.toml`.
pub(crate) fn check(deployment: &Deployment) -> Vec<Finding> {
    let mut findings = Findings::default();
    let at = deployment.pointer();
    for (flag, without) in FLAGS {
        let flags = deployment.setting("compatibility_flags");
        if !entries(flags).any(|own| own.as_str() == Some(flag)) {
            let place = deployment.place();
            let what = format!("{place} lacks the flag \"{flag}\": {without}. Add it to compatibility_flags");
            findings.warn(format!("{at}/compatibility_flags"), what);
        }
    }
    let enabled = deployment.setting("cache").and_then(|cache| cache.get("enabled"));
    if enabled.and_then(Value::as_bool) == Some(true) {
        let what = "puts a cache in front of the gateway, whose key holds no credential: one caller would get another's answer";
        findings.error(format!("{at}/cache"), what);
    }
    previews(deployment, &mut findings);
    placeholders(deployment, &mut findings);
    services(deployment, &mut findings);
    if deployment.own("vars").is_some_and(|vars| vars.get("GATEWAY").is_some()) {
        let what = "is what the Worker reads in the place of gateway.toml: what is checked here does not run. Remove the variable";
        findings.warn(format!("{at}/vars/GATEWAY"), what);
    }
    findings.into_vec()
}

/// Ids that stand for those of an account, which wrangler deploys nowhere.
fn placeholders(deployment: &Deployment, findings: &mut Findings) {
    for (list, field, remedy) in [
        (
            "kv_namespaces",
            "id",
            "make the namespace by `npx wrangler kv namespace create POINTSMAN_KV`, and write its id",
        ),
        (
            "ratelimits",
            "namespace_id",
            "write a whole number that nothing else in the account has, such as \"1001\"",
        ),
    ] {
        for (index, entry) in deployment.bindings(list).enumerate() {
            let id = entry.get(field).and_then(Value::as_str).unwrap_or_default();
            if !id.is_empty() && id.bytes().all(|byte| b"0-".contains(&byte)) {
                let at = format!("{}/{list}/{index}/{field}", deployment.pointer());
                findings
                    .warn(at, format!("is no id but zeros in the place of one: before you deploy, {remedy}"));
            }
        }
    }
}

/// A binding without what it is bound to.
fn services(deployment: &Deployment, findings: &mut Findings) {
    for (index, entry) in deployment.bindings("services").enumerate() {
        let has = |field| entry.get(field).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
        if has("binding") && !has("service") {
            let at = format!("{}/services/{index}", deployment.pointer());
            findings.error(at, "binds no service: add the name of a Worker as its service");
        }
    }
}

/// Each uploaded version has a preview URL of its own, which anybody can call: an old version with an old configuration,
/// past what stands before the gateway's own address.
fn previews(deployment: &Deployment, findings: &mut Findings) {
    let flag = |name| deployment.setting(name).and_then(Value::as_bool);
    // wrangler's rule: on where there are no routes. An empty list is none.
    let has_routes =
        deployment.setting("route").is_some() || entries(deployment.setting("routes")).next().is_some();
    let workers_dev = flag("workers_dev").unwrap_or(!has_routes);
    let on = flag("preview_urls").unwrap_or(workers_dev);
    if on {
        let at = format!("{}/preview_urls", deployment.pointer());
        findings.warn(
            at,
            format!(
                "is not false: each version that was ever uploaded can be called at an address of its own, by anybody. Add {}",
                deployment.line("preview_urls", &json!(false))
            ),
        );
    }
}

/// What is to be said of the console's Worker.
pub(crate) fn check_console(deployment: &Deployment) -> Vec<Finding> {
    let mut findings = Findings::default();
    let at = deployment.pointer();
    for (list, name, member, whose) in [
        ("kv_namespaces", "POINTSMAN_KV", "id", "with the gateway's id"),
        ("services", "GATEWAY", "service", "with the gateway's name"),
    ] {
        if !deployment.bindings(list).any(|entry| named(entry, "binding", name)) {
            let entry = deployment.entry(list, &[("binding", json!(name)), (member, json!("…"))]);
            findings.error(
                format!("{at}/{list}"),
                format!("does not bind {name}, which the console needs: add {entry}, {whose}"),
            );
        }
    }
    if deployment.setting("triggers").is_some_and(|triggers| entries(triggers.get("crons")).next().is_some())
    {
        let line = deployment.line("triggers/crons", &json!([]));
        let what = format!("are the gateway's, and the console has nothing to do then: add {line}");
        findings.warn(format!("{at}/triggers"), what);
    }
    previews(deployment, &mut findings);
    placeholders(deployment, &mut findings);
    services(deployment, &mut findings);
    findings.into_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    const IN_ORDER: &str = "preview_urls = false\n\
        compatibility_flags = [\"global_fetch_strictly_public\", \"enable_request_signal\"]\n";

    fn of(text: &str, environment: Option<&str>) -> Vec<String> {
        let deployment = Deployment::parse("wrangler.toml", text.to_owned(), environment).unwrap();
        let found = if deployment.is_console() { check_console(&deployment) } else { check(&deployment) };
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn flags_and_preview_urls_are_taken_over_by_environments() {
        assert_eq!(of(IN_ORDER, None), Vec::<String>::new());
        assert_eq!(of(&format!("{IN_ORDER}[env.staging]\n"), Some("staging")), Vec::<String>::new());
        let own = format!("{IN_ORDER}[env.staging]\ncompatibility_flags = []\npreview_urls = true\n");
        let said = of(&own, Some("staging"));
        assert_eq!(said.len(), 3, "{said:?}");
        assert!(
            said[0].starts_with("/env/staging/compatibility_flags: [env.staging] of wrangler.toml lacks"),
            "{said:?}"
        );
    }

    #[test]
    fn preview_urls_are_warned_of_where_they_are_on() {
        let flags = IN_ORDER.replace("preview_urls = false\n", "");
        for (more, on) in [
            ("", true),
            ("preview_urls = true\nworkers_dev = false\n", true),
            ("workers_dev = true\n", true),
            ("workers_dev = false\n", false),
            ("routes = [\"a.example/*\"]\n", false),
            ("route = \"a.example/*\"\n", false),
            ("routes = []\n", true),
            ("routes = [\"a.example/*\"]\nworkers_dev = true\n", true),
        ] {
            assert_eq!(of(&format!("{more}{flags}"), None).len(), usize::from(on), "{more}");
        }
    }

    #[test]
    fn what_stands_for_something_else_is_named() {
        let zeros =
            "[[kv_namespaces]]\nbinding = \"POINTSMAN_KV\"\nid = \"00000000000000000000000000000000\"\n";
        let said = of(&format!("{IN_ORDER}{zeros}"), None);
        assert!(
            said.len() == 1 && said[0].starts_with("/kv_namespaces/0/id: is no id but zeros"),
            "{said:?}"
        );
        let said = of(&format!("{IN_ORDER}[env.b]\n{}", zeros.replace("[[", "[[env.b.")), Some("b"));
        assert!(said[0].starts_with("/env/b/kv_namespaces/0/id: "), "{said:?}");
        let id = zeros.replace("0000\"", "00a0\"");
        assert_eq!(of(&format!("{IN_ORDER}{id}"), None), Vec::<String>::new());
        let rate = "[[ratelimits]]\nname = \"L\"\nnamespace_id = \"0\"\n";
        assert!(of(&format!("{IN_ORDER}{rate}"), None)[0].starts_with("/ratelimits/0/namespace_id: "));
        let service = "[[services]]\nbinding = \"INNER\"\n";
        assert!(of(&format!("{IN_ORDER}{service}"), None)[0].starts_with("/services/0: binds no service"));
        let said = of(&format!("{IN_ORDER}[vars]\nGATEWAY = \"{{}}\"\n"), None);
        assert!(said[0].starts_with("/vars/GATEWAY: is what the Worker reads"), "{said:?}");
    }

    #[test]
    fn a_cache_in_front_is_a_fault() {
        assert!(
            of(&format!("{IN_ORDER}[cache]\nenabled = true\n"), None)[0].starts_with("/cache: puts a cache")
        );
        assert_eq!(of(&format!("{IN_ORDER}[cache]\nenabled = false\n"), None), Vec::<String>::new());
    }

    #[test]
    fn the_console_needs_its_own() {
        let text = "main = \"build/index.js\"\n[[kv_namespaces]]\nbinding = \"POINTSMAN_KV\"\n\
            [env.console]\nmain = \"console/index.js\"\npreview_urls = false\n";
        let said = of(text, Some("console"));
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(
            said[0].contains("[[env.console.kv_namespaces]]") && said[1].contains("[[env.console.services]]"),
            "{said:?}"
        );
    }
}
