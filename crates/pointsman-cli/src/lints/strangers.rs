//! Issuers of which anybody can get a token, on routes that say not whose tokens they take.

use pointsman_config::findings::Findings;
use pointsman_core::{
    identity::jwt::Issuer,
    routing::{
        condition::{Condition, Test},
        operand::Operand,
        rule::{Action, Rule},
        target::Target,
    },
    state::{config::Gateway, route::Route},
};

pub(super) fn lint(gateway: &Gateway, findings: &mut Findings) {
    for (index, issuer) in gateway.issuers().iter().enumerate() {
        let Some((whose, write)) = of_anybody(issuer).filter(|_| issuer.customers.is_none()) else {
            continue;
        };
        let routes = gateway.routes().iter().filter(|route| route.auth.all_issuers().any(|own| own == index));
        let open: Vec<_> = routes.filter(|route| lets_anybody_in(route)).map(|route| &*route.name).collect();
        if !open.is_empty() {
            let what = format!("has tokens of {whose}, and all of them pass on {}: {write}", open.join(", "));
            findings.warn(format!("/issuers/{index}"), what);
        }
    }
    certificates(gateway, findings);
}

/// Without records, whoever has a certificate of any of the provider's authorities is let in.
fn certificates(gateway: &Gateway, findings: &mut Findings) {
    if gateway.client_certificates().is_none_or(|own| own.records.is_some()) {
        return;
    }
    let routes = gateway.routes().iter().filter(|route| route.auth.client_certificate);
    let open: Vec<_> = routes.filter(|route| lets_anybody_in(route)).map(|route| &*route.name).collect();
    if !open.is_empty() {
        let what = format!(
            "lets in every certificate that the platform has verified, of whatever authority you gave it, and all of them pass on \
             {}: write require = {{ issuer_dn = \"…\" }} there, or ask for san_uri or san_dns",
            open.join(", ")
        );
        findings.warn("/client_certificates/records", what);
    }
}

/// Whose tokens an issuer of everybody's has, and what says whose tokens count.
fn of_anybody(issuer: &Issuer) -> Option<(String, String)> {
    if let Some(claim) = issuer.issuer.claim() {
        let whose = "every tenant of its provider, which anybody may open".to_owned();
        let write = format!("write tenants = [\"…\"] here, or require = {{ {claim} = \"…\" }} there");
        return issuer.issuer.tenants().is_none().then_some((whose, write));
    }
    let (whose, write) = match issuer.issuer.as_str() {
        "https://token.actions.githubusercontent.com" => (
            "the workflows of every repository at GitHub, which choose the audience",
            "write require = { repository = \"octo-org/octo-repo\" } there",
        ),
        "https://accounts.google.com" | "accounts.google.com" => (
            "everybody with a Google account, and of service accounts, which choose the audience",
            "write require = { hd = \"example.com\" } there, or ask for email or sub",
        ),
        _ => return None,
    };
    Some((whose.to_owned(), write.to_owned()))
}

/// Whether every token of an issuer gets to a backend. Who lets callers without a credential in asks nothing of tokens either.
fn lets_anybody_in(route: &Route) -> bool {
    let asks = route.authorize.as_ref().is_some_and(|authorize| authorize.closed);
    if route.auth.anonymous || asks || route.require.iter().any(selects) {
        return false;
    }
    for rule in &route.rules {
        if rule.when.iter().any(selects) {
            continue;
        }
        if leads_to_a_backend(rule) {
            return true;
        }
        // All strangers end here, refused, or as customers whom somebody listed.
        if rule.is_final() && rule.when.iter().all(excludes) {
            return false;
        }
    }
    false
}

fn leads_to_a_backend(rule: &Rule) -> bool {
    let is_backend = |target: &Target| matches!(target, Target::Backend(_));
    match &rule.action {
        Action::To(target) => is_backend(target),
        Action::Split(split) => split.variants.iter().any(|variant| is_backend(&variant.to)),
        Action::Deny(_) => false,
    }
}

/// Whether a condition holds of chosen callers only.
fn selects(condition: &Condition) -> bool {
    match condition {
        Condition::Is { of: Operand::Claim(_) | Operand::Subject | Operand::Ip, test } => test_selects(test),
        Condition::Is { .. } => false,
        Condition::All(all) => all.iter().any(selects),
        Condition::Any(all) => all.iter().all(selects),
        Condition::Not(other) => excludes(other),
        Condition::Named(named) => selects(&named.condition),
    }
}

/// Whether a condition holds of all but chosen callers.
fn excludes(condition: &Condition) -> bool {
    match condition {
        Condition::Is { of, test: Test::Not(test) } => {
            selects(&Condition::Is { of: of.clone(), test: (**test).clone() })
        }
        Condition::Is { .. } => false,
        Condition::All(all) => all.iter().all(excludes),
        Condition::Any(all) => all.iter().any(excludes),
        Condition::Not(other) => selects(other),
        Condition::Named(named) => excludes(&named.condition),
    }
}

fn test_selects(test: &Test) -> bool {
    match test {
        Test::Equals(_)
        | Test::OneOf(_)
        | Test::Contains(_)
        | Test::Has(_)
        | Test::Prefix(_)
        | Test::Suffix(_)
        | Test::Compares(..)
        | Test::Within(_) => true,
        Test::OneValue(_, inner) | Test::EachValue(_, inner) => test_selects(inner),
        Test::Exists(_) | Test::Not(_) => false,
        Test::All(tests) => tests.iter().any(test_selects),
    }
}

#[cfg(test)]
mod tests {
    use pointsman_testkit::{GatewayToml, all_to};

    use crate::lints::tests::lints;

    const GITHUB: &str = "preset = \"github-actions\"\naudience = \"a\"";
    const GOOGLE: &str = "preset = \"google\"\naudience = \"a\"";
    const ENTRA: &str = "preset = \"entra\"\naudience = \"a\"";

    fn with(issuer: &str, route: &str) -> Vec<String> {
        let toml = GatewayToml::new()
            .table("conditions", "ours = { repository = \"acme/api\" }")
            .table("customers", "claim = \"tid\"")
            .backend("b")
            .table("[issuers]", &format!("name = \"all\"\n{issuer}"));
        lints(&toml.route("/x/{+path}", &["all"], route).to_string())
    }

    #[test]
    fn a_route_says_whose_tokens_count_where_anybody_has_some() {
        let written = "issuer = \"accounts.google.com\"\naudience = \"a\"\nalgorithms = [\"RS256\"]\njwks_url = \"https://k.example\"";
        for (issuer, whose, write) in [
            (GITHUB, "the workflows of every repository", "write require = { repository = "),
            (GOOGLE, "everybody with a Google account", "write require = { hd = "),
            (written, "everybody with a Google account", "write require = { hd = "),
            (ENTRA, "every tenant of its provider", "write tenants = [\"…\"] here, or require = { tid = "),
        ] {
            let said = with(issuer, &all_to("b"));
            let begins = format!("/issuers/0: has tokens of {whose}");
            assert!(said.len() == 1 && said[0].starts_with(&begins), "{said:?}");
            assert!(said[0].contains(&format!("pass on /x/{{+path}}: {write}")), "{said:?}");
        }
        for issuer in [
            &format!("{ENTRA}\ntenants = [\"t\"]"),
            &format!("{ENTRA}\ncustomers = {{ claim = \"tid\" }}"),
            &format!("{GITHUB}\ncustomers = [\"acme\"]"),
            "preset = \"auth0\"\ndomain = \"acme.eu.auth0.com\"\naudience = \"a\"",
        ] {
            assert_eq!(with(issuer, &all_to("b")), Vec::<String>::new(), "{issuer}");
        }
    }

    #[test]
    fn certificates_without_records_need_a_word_of_whose_they_are() {
        let toml = |section: &str, route: &str| {
            let toml = GatewayToml::new().table("client_certificates", section).backend("b");
            lints(&toml.route("/x", &["client_certificate"], route).to_string())
        };
        let said = toml("records = false", &all_to("b"));
        assert!(
            said.len() == 1 && said[0].starts_with("/client_certificates/records: lets in every"),
            "{said:?}"
        );
        let chosen = format!("{}\nrequire = {{ issuer_dn = \"CN=Acme CA\" }}", all_to("b"));
        for (section, route) in [("records = false", &chosen), ("records = true", &all_to("b"))] {
            assert_eq!(toml(section, route), Vec::<String>::new());
        }
    }

    #[test]
    fn what_lets_chosen_callers_in_is_told_from_what_lets_all_in() {
        let all = all_to("b");
        let rules = |text: &str| format!("rules = [{text}]");
        for (route, is_open) in [
            (format!("{all}\nrequire = {{ repository = \"acme/api\" }}"), false),
            (format!("{all}\nrequire = \"ours\""), false),
            (format!("{all}\nrequire = {{ \"$subject\" = {{ prefix = \"repo:acme/\" }} }}"), false),
            (format!("{all}\nrequire = {{ repository = {{ exists = true }} }}"), true),
            (format!("{all}\nrequire = {{ repository = {{ not = \"acme/old\" }} }}"), true),
            (format!("{all}\nrequire = {{ \"$method\" = \"GET\" }}"), true),
            (format!("{all}\nanonymous = true"), false),
            (rules("{ name = \"a\", when = \"ours\", to = \"b\" }"), false),
            (rules("{ name = \"a\", when = \"ours\", to = \"b\" }, { name = \"b\", deny = 403 }"), false),
            (rules("{ name = \"a\", when = \"ours\", to = \"b\" }, { name = \"b\", to = \"b\" }"), true),
            (
                rules(
                    "{ name = \"a\", when = { repository = { not = \"acme/api\" } }, deny = 403 }, { name = \"b\", to = \"b\" }",
                ),
                false,
            ),
            (
                rules(
                    "{ name = \"a\", when = { \"$method\" = \"POST\" }, deny = 403 }, { name = \"b\", to = \"b\" }",
                ),
                true,
            ),
            (rules("{ name = \"a\", to = \"customer\" }"), false),
            (
                rules(
                    "{ name = \"a\", to = \"customer\", unlisted = \"next\" }, { name = \"b\", to = \"b\" }",
                ),
                true,
            ),
        ] {
            assert_eq!(!with(GITHUB, &route).is_empty(), is_open, "{route}");
        }
    }
}
