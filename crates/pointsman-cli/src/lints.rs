//! What is in order and yet hardly meant: names of regions that nobody is in, settings that change
//! nothing. The Worker needs none of this, so it is not in the core.

use std::collections::BTreeSet;

use pointsman_config::findings::{Finding, Findings, escape};
use pointsman_core::{
    forward::failover::Balance,
    routing::{
        rule::{Action, Rule},
        target::Target,
    },
    state::config::{Backend, Gateway},
};
use serde_json::Value;

mod conditions;
mod origins;
mod strangers;

/// What there is where the file has no `[regions]`.
const CONTINENTS: [&str; 8] = ["af", "an", "as", "eu", "na", "oc", "sa", "t1"];
/// What chooses between origins, or judges them.
const BETWEEN_ORIGINS: [&str; 5] = ["balance", "failure_statuses", "failures", "failure_ratio", "pause"];

/// Warnings of a configuration that can be used. `file` is the same as it is written.
pub(crate) fn lint(gateway: &Gateway, file: &Value) -> Vec<Finding> {
    let mut findings = Findings::default();
    regions(gateway, file, &mut findings);
    single_origins(gateway, file, &mut findings);
    deadlines(gateway, &mut findings);
    conditions::lint(gateway, file, &mut findings);
    origins::lint(file, &mut findings);
    unnamed_issuers(gateway, &mut findings);
    unnamed_tenants(gateway, &mut findings);
    strangers::lint(gateway, &mut findings);
    open_services(gateway, &mut findings);
    findings.into_vec()
}

fn regions(gateway: &Gateway, file: &Value, findings: &mut Findings) {
    let known: BTreeSet<&str> = match gateway.regions() {
        [] => CONTINENTS.into(),
        regions => regions.iter().map(|region| region.name.as_ref()).collect(),
    };
    let unknown = |region: &str| {
        let names: Vec<_> = known.iter().copied().collect();
        let what =
            format!("\"{region}\" is no region, so no client is ever in it: there are {}", names.join(", "));
        (!known.contains(region)).then_some(what)
    };
    for backend in gateway.backends() {
        let at = format!("/backends/{}", escape(&backend.name));
        let has_url = written(file, backend).and_then(|written| written.get("url")).is_some();
        for (index, origin) in backend.origins.iter().enumerate() {
            if let Some(what) = origin.region.as_deref().and_then(unknown) {
                let place =
                    if has_url { format!("{at}/region") } else { format!("{at}/origins/{index}/region") };
                findings.warn(place, what);
            }
        }
    }
    for (at, rule) in rules(gateway) {
        for what in rule.within.iter().filter_map(|region| unknown(region)) {
            findings.warn(format!("{at}/within"), what);
        }
    }
}

/// A backend as it stands in the file.
fn written<'a>(file: &'a Value, backend: &Backend) -> Option<&'a Value> {
    file.get("backends")?.get(backend.name.as_ref())
}

/// All rules with their places, those in the shadow too.
fn rules(gateway: &Gateway) -> impl Iterator<Item = (String, &Rule)> {
    gateway.routes().iter().enumerate().flat_map(|(index, route)| {
        let place =
            move |list: &'static str| move |position: usize| format!("/routes/{index}/{list}/{position}");
        let shadow = route.shadow.iter().enumerate();
        let shadow = shadow.map(move |(position, rule)| (place("shadow_rules")(position), rule));
        let rules = route.rules.iter().enumerate();
        rules.map(move |(position, rule)| (place("rules")(position), rule)).chain(shadow)
    })
}

fn single_origins(gateway: &Gateway, file: &Value, findings: &mut Findings) {
    for backend in gateway.backends().iter().filter(|backend| backend.origins.len() == 1) {
        let has = |field: &&str| written(file, backend).and_then(|written| written.get(field)).is_some();
        let at = format!("/backends/{}", escape(&backend.name));
        for field in BETWEEN_ORIGINS.iter().filter(|field| has(field)) {
            findings.warn(format!("{at}/{field}"), "changes nothing where there is one origin");
        }
        if has(&"deadline") {
            let what = "is for several origins; how long the only one may take is said by timeout";
            findings.warn(format!("{at}/deadline"), what);
        }
    }
}

/// A deadline that the first attempt can use up leaves nobody else to ask when that one hangs.
fn deadlines(gateway: &Gateway, findings: &mut Findings) {
    let several = |backend: &&Backend| backend.origins.len() > 1;
    for (index, backend) in gateway.backends().iter().enumerate().filter(|(_, backend)| several(backend)) {
        let Some(first) = first_timeout(backend) else { continue };
        let led_here = |rule: &Rule| match &rule.action {
            Action::To(target) => *target == Target::Backend(index),
            Action::Split(split) => split.variants.iter().any(|variant| variant.to == Target::Backend(index)),
            Action::Deny(_) => false,
        };
        let name = &backend.name;
        let mut too_short = false;
        for (position, route) in gateway.routes().iter().enumerate() {
            if !route.rules.iter().any(led_here) {
                continue;
            }
            let attempt = route.timeout.map_or(first, |timeout| timeout.min(first));
            match (backend.deadline, route.timeout) {
                (Some(deadline), _) => too_short |= deadline <= attempt,
                (None, Some(timeout)) if timeout <= first => {
                    let what = format!(
                        "is the deadline of {name} too, whose first origin may take as long ({first}): nobody is asked \
                         after it. Give its origins a shorter timeout, or {name} a deadline"
                    );
                    findings.warn(format!("/routes/{position}/timeout"), what);
                }
                (None, _) => {}
            }
        }
        if too_short {
            let what = format!("leaves no time for another origin: the first one may take as long ({first})");
            findings.warn(format!("/backends/{}/deadline", escape(name)), what);
        }
    }
}

/// Subjects of two issuers may have one name, and a backend that is not told the issuer takes the one for the other.
fn unnamed_issuers(gateway: &Gateway, findings: &mut Findings) {
    if gateway.identity().authenticated_by.is_some() {
        return;
    }
    for (index, route) in gateway.routes().iter().enumerate() {
        let issuers = route.auth.all_issuers().filter_map(|issuer| gateway.issuers().get(issuer));
        let api_key = route.auth.api_key.then_some("api_key");
        let kinds: Vec<_> = api_key.into_iter().chain(issuers.map(|issuer| &*issuer.name)).collect();
        if kinds.len() > 1 {
            let what = format!(
                "takes credentials of {}, and [identity] authenticated_by is \"\": a backend takes a subject of one for \
                 the same subject of another",
                kinds.join(", ")
            );
            findings.warn(format!("/routes/{index}/auth"), what);
        }
    }
}

/// Subjects of two tenants may have one name too, and the issuer's name is the same for both.
fn unnamed_tenants(gateway: &Gateway, findings: &mut Findings) {
    let identity = gateway.identity();
    let token = identity.token.iter().flat_map(|token| &token.claims);
    let told: Vec<_> = identity.claims.iter().chain(token).map(|(_, claim)| claim).collect();
    let customer = gateway.customers().map(|customers| &customers.claim);
    for (index, issuer) in gateway.issuers().iter().enumerate() {
        let Some(claim) = issuer.issuer.claim() else { continue };
        if !told.contains(&claim) && customer != Some(claim) {
            let what = format!(
                "has many tenants, whose subjects may have one name, and backends are not told the tenant: write [identity] \
                 claims = {{ \"x-tenant\" = \"{claim}\" }}"
            );
            findings.warn(format!("/issuers/{index}/issuer"), what);
        }
    }
}

/// Where nothing else is asked of callers, everybody passes while the service fails.
fn open_services(gateway: &Gateway, findings: &mut Findings) {
    for (index, route) in gateway.routes().iter().enumerate() {
        let is_open = route.authorize.as_ref().is_some_and(|authorize| !authorize.closed);
        if is_open && route.require.is_empty() && (route.auth.anonymous || !route.auth.needs_credential()) {
            let what = "lets everybody pass while the service gives no answer, and nothing else is asked of callers here: \
                        write on_failure = \"closed\", or auth or require";
            findings.warn(format!("/routes/{index}/authorize/on_failure"), what);
        }
    }
}

/// The shortest time that whoever is tried first may take: in the order of the file the first one, and
/// where the client's region or the weight decides, any.
fn first_timeout(backend: &Backend) -> Option<pointsman_core::base::time::Span> {
    let in_order =
        backend.balance == Balance::Ordered && backend.origins.iter().all(|origin| origin.region.is_none());
    let timeouts = backend.origins.iter().map(|origin| origin.timeout.unwrap_or(backend.timeout));
    if in_order { timeouts.take(1).min() } else { timeouts.min() }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use pointsman_testkit::{GatewayToml, all_to};

    use super::*;

    pub(super) fn lints(toml_text: &str) -> Vec<String> {
        let file: Value = toml::from_str(toml_text).unwrap();
        let checked = pointsman_config::parse(&file.to_string(), &HashMap::new());
        let checked = checked.map_err(|findings| format!("{findings:#?}"));
        lint(&checked.ok().unwrap().gateway, &file).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_service_that_fails_open_is_not_the_only_guard() {
        let said = |auth: &[&str], lines: &str| {
            let toml = GatewayToml::new().table("api_keys", "prefixes = [\"sk\"]").backend("b");
            let route =
                |more: &str| format!("authorize = {{ binding = \"POLICY\"{lines} }}\n{more}{}", all_to("b"));
            let toml = toml.route("/x", &["api_key"], &all_to("b"));
            ["", "require = { \"$country\" = \"DE\" }\n"]
                .map(|more| lints(&toml.clone().route("/{+path}", auth, &route(more)).to_string()).concat())
        };
        let warned = "/routes/1/authorize/on_failure: lets everybody pass";
        let [alone, required] = said(&[], ", on_failure = \"open\"");
        assert!(alone.starts_with(warned) && required.is_empty(), "{alone} {required}");
        assert_eq!(said(&[], ""), ["", ""]);
        assert_eq!(said(&["api_key"], ", on_failure = \"open\""), ["", ""]);
    }

    fn with(backend: &str, route: &str) -> Vec<String> {
        let toml = GatewayToml::new().route("/{+path}", &[], route).table("backends.b", backend);
        lints(&toml.to_string())
    }

    const PLAIN: &str = "rules = [{ name = \"all\", to = \"b\" }]";
    const TWO: &str =
        "origins = [{ url = \"https://a.example\" }, { url = \"https://b.example\", timeout = \"1s\" }]";

    #[test]
    fn regions_that_nobody_is_in_are_named() {
        let origins = |a: &str, b: &str| {
            format!(
                "origins = [{{ url = \"https://a.example\", region = \"{a}\" }}, {{ url = \"https://b.example\", region = \"{b}\" }}]"
            )
        };
        let within = "rules = [{ name = \"all\", to = \"b\", within = [\"eu\", \"mars\"] }]";
        let there = "there are af, an, as, eu, na, oc, sa, t1";
        assert_eq!(
            with(&origins("eu", "europe"), within),
            [
                format!(
                    "/backends/b/origins/1/region: \"europe\" is no region, so no client is ever in it: {there}"
                ),
                format!(
                    "/routes/0/rules/0/within: \"mars\" is no region, so no client is ever in it: {there}"
                ),
            ]
        );
        let own = "[regions]\neurope = { \"$continent\" = \"EU\" }\nmars = { \"$country\" = \"XX\" }\n";
        let said = with(&format!("{}\n{own}", origins("eu", "europe")), within);
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[0].starts_with("/backends/b/origins/0/region: \"eu\" is no region"), "{said:?}");
        assert!(said[1].ends_with("there are europe, mars"), "{said:?}");
        let said = with("url = \"https://a.example\"\nregion = \"moon\"", PLAIN);
        assert!(said[0].starts_with("/backends/b/region: \"moon\" is no region"), "{said:?}");
        assert_eq!(with(&origins("eu", "na"), PLAIN), Vec::<String>::new());
    }

    #[test]
    fn rules_in_the_shadow_are_looked_at() {
        let shadow =
            format!("{PLAIN}\nshadow_rules = [{{ name = \"x\", to = \"b\", within = [\"eu\", \"mars\"] }}]");
        let said = with("url = \"https://a.example\"\nregion = \"eu\"", &shadow);
        assert!(said[0].starts_with("/routes/0/shadow_rules/0/within: \"mars\""), "{said:?}");
    }

    #[test]
    fn what_chooses_between_origins_needs_several() {
        let settings = "balance = \"weighted\"\ndeadline = \"40s\"\nfailure_statuses = [503]\nfailures = 2\n\
                        failure_ratio = \"20%\"\npause = \"1s\"";
        let said = with(&format!("url = \"https://a.example\"\n{settings}"), PLAIN);
        assert_eq!(said.len(), 6, "{said:?}");
        let first = "/backends/b/balance: changes nothing where there is one origin";
        assert_eq!(said[0], first);
        assert!(said[5].starts_with("/backends/b/deadline: is for several origins"), "{said:?}");
        let one = format!("origins = [{{ url = \"https://a.example\", region = \"x\" }}]\n{settings}");
        let said = with(&one, PLAIN);
        assert_eq!(said.len(), 7, "{said:?}");
        assert!(said[0].starts_with("/backends/b/origins/0/region: "), "{said:?}");
        assert_eq!(with(&format!("{TWO}\n{settings}"), PLAIN), Vec::<String>::new());
    }

    #[test]
    fn a_tenant_is_told_where_subjects_of_several_may_meet() {
        let toml = |more: &str, claim: &str| {
            let issuer = format!(
                "name = \"entra\"\nissuer = \"https://login.example.com/{claim}/v2.0\"\naudience = \"a\"\nalgorithms = \
                 [\"RS256\"]\njwks_url = \"https://login.example.com/keys\"{}",
                if claim == "{tid}" { "\ntenants = [\"a\"]" } else { "" }
            );
            let toml = GatewayToml::new().backend("b").table("[issuers]", &issuer);
            format!("{}{more}", toml.route("/a", &["entra"], &all_to("b")))
        };
        let said = lints(&toml("", "{tid}"));
        assert!(said.len() == 1 && said[0].starts_with("/issuers/0/issuer: has many tenants"), "{said:?}");
        assert_eq!(lints(&toml("[identity]\nclaims = { \"x-sub\" = \"sub\" }", "{tid}")).len(), 1);
        for told in ["[identity]\nclaims = { \"x-tenant\" = \"tid\" }", "[customers]\nclaim = \"tid\""] {
            assert_eq!(lints(&toml(told, "{tid}")), Vec::<String>::new(), "{told}");
        }
        assert_eq!(lints(&toml("", "7f58f645")), Vec::<String>::new());
    }

    #[test]
    fn who_vouched_is_told_where_several_do() {
        let all = GatewayToml::new()
            .table("api_keys", "prefixes = [\"sk\"]")
            .backend("b")
            .issuer("staff")
            .issuer("partner")
            .route("/a", &["api_key", "staff"], &all_to("b"))
            .route("/b", &["staff"], &all_to("b"))
            .route("/c", &["staff", "partner"], &all_to("b"))
            .route("/d", &["api_key"], &all_to("b"))
            .to_string();
        assert_eq!(lints(&all), Vec::<String>::new());
        assert_eq!(lints(&format!("{all}[identity]\nauthenticated_by = \"x-by\"")), Vec::<String>::new());
        let said = lints(&format!("{all}[identity]\nauthenticated_by = \"\""));
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said[0].starts_with("/routes/0/auth: takes credentials of api_key, staff, and"), "{said:?}");
        assert!(said[1].starts_with("/routes/2/auth: takes credentials of staff, partner, and"), "{said:?}");
    }

    #[test]
    fn a_deadline_must_leave_time_for_a_second_origin() {
        let short =
            "/backends/b/deadline: leaves no time for another origin: the first one may take as long (30s)";
        assert_eq!(with(&format!("{TWO}\ndeadline = \"30s\""), PLAIN), [short]);
        assert_eq!(with(&format!("{TWO}\ndeadline = \"31s\""), PLAIN), Vec::<String>::new());
        assert_eq!(with(&format!("{TWO}\ntimeout = \"5s\"\ndeadline = \"6s\""), PLAIN), Vec::<String>::new());
        // A route's own timeout shortens each attempt.
        let quick = format!("{PLAIN}\ntimeout = \"2s\"");
        assert_eq!(with(&format!("{TWO}\ndeadline = \"30s\""), &quick), Vec::<String>::new());
        // By weight, the quicker one may be the first.
        let weighted = format!("{TWO}\nbalance = \"weighted\"\ndeadline = \"2s\"");
        assert_eq!(with(&weighted, PLAIN), Vec::<String>::new());
    }

    #[test]
    fn a_routes_timeout_is_the_deadline_where_there_is_no_other() {
        let quick = format!("{PLAIN}\ntimeout = \"10s\"");
        let said = with(TWO, &quick);
        assert!(said[0].starts_with("/routes/0/timeout: is the deadline of b too"), "{said:?}");
        assert_eq!(with(&format!("{TWO}\ntimeout = \"4s\""), &quick), Vec::<String>::new());
    }
}
