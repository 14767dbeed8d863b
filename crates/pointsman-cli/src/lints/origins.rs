//! Origins that let in more than was meant: hosts at which anybody can have a name.

use pointsman_config::findings::{Findings, escape};
use serde_json::Value;

/// Where anybody gets a host of their choice, and domains below which anybody can register one. The well-known ones: the
/// list of all (publicsuffix.org) has thousands and changes every week.
const SHARED: &[&str] = &[
    "amplifyapp.com",
    "app.github.dev",
    "appspot.com",
    "azureedge.net",
    "azurestaticapps.net",
    "azurewebsites.net",
    "bitbucket.io",
    "blogspot.com",
    "cloudfront.net",
    "codesandbox.io",
    "csb.app",
    "deno.dev",
    "edgeone.app",
    "firebaseapp.com",
    "fly.dev",
    "framer.app",
    "github.io",
    "gitlab.io",
    "glitch.me",
    "herokuapp.com",
    "loca.lt",
    "lovable.app",
    "myshopify.com",
    "netlify.app",
    "ngrok-free.app",
    "ngrok.app",
    "ngrok.io",
    "now.sh",
    "onrender.com",
    "pages.dev",
    "replit.app",
    "replit.dev",
    "run.app",
    "s3.amazonaws.com",
    "stackblitz.io",
    "surge.sh",
    "trycloudflare.com",
    "up.railway.app",
    "vercel.app",
    "vercel.dev",
    "web.app",
    "webcontainer.io",
    "webflow.io",
    "wixsite.com",
    "workers.dev",
    "ac.uk",
    "co.in",
    "co.jp",
    "co.kr",
    "co.nz",
    "co.uk",
    "co.za",
    "com.ar",
    "com.au",
    "com.br",
    "com.cn",
    "com.mx",
    "com.sg",
    "com.tr",
    "com.tw",
    "net.au",
    "ne.jp",
    "or.jp",
    "org.au",
    "org.uk",
];

/// Warns of policies with such origins.
pub(super) fn lint(file: &Value, findings: &mut Findings) {
    for (name, policy) in file.get("cors").and_then(Value::as_object).into_iter().flatten() {
        let at = format!("/cors/{}/origins", escape(name));
        let credentials = policy.get("credentials") == Some(&Value::Bool(true));
        match policy.get("origins") {
            Some(Value::String(origin)) => check(origin, credentials, at, findings),
            Some(Value::Array(origins)) => {
                for (index, origin) in origins.iter().enumerate() {
                    check(
                        origin.as_str().unwrap_or_default(),
                        credentials,
                        format!("{at}/{index}"),
                        findings,
                    );
                }
            }
            _ => {}
        }
    }
}

fn check(origin: &str, credentials: bool, at: String, findings: &mut Findings) {
    let host = origin.split_once("://").map_or("", |(_, host)| host);
    let host = host.split_once(':').map_or(host, |(host, _)| host);
    let Some((label, domain)) = host.split_once('.').filter(|(label, _)| label.contains('*')) else { return };
    if !SHARED.contains(&domain) {
        return;
    }
    if label == "*" {
        findings.warn(
            at,
            format!(
                "lets everybody in who has a name at {domain}: keep to names of your own, such as \
                 https://shop-git-*-team.{domain}"
            ),
        );
    } else if credentials {
        findings.warn(
            at,
            format!(
                "is sent with credentials, and anybody can take a name at {domain} that fits: leave credentials out, or use \
                 a domain of your own"
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use pointsman_testkit::{GatewayToml, all_to};

    use crate::lints::tests::lints;

    fn with(policy: &str) -> Vec<String> {
        let toml = GatewayToml::new().backend("b").table("cors.app", policy);
        lints(&toml.route("/{+path}", &[], &format!("cors = \"app\"\n{}", all_to("b"))).to_string())
    }

    #[test]
    fn shared_domains_are_named() {
        let said = with(
            "origins = [\"https://app.example.com\", \"https://*.vercel.app\", \"http://*.co.uk:8080\"]",
        );
        assert_eq!(
            said,
            [
                "/cors/app/origins/1: lets everybody in who has a name at vercel.app: keep to names of your own, such as \
                 https://shop-git-*-team.vercel.app",
                "/cors/app/origins/2: lets everybody in who has a name at co.uk: keep to names of your own, such as \
                 https://shop-git-*-team.co.uk",
            ]
        );
        assert_eq!(with("origins = \"https://*.pages.dev\"").len(), 1);
        let own = "origins = [\"https://*.example.com\", \"https://shop-git-*-team.vercel.app\", \"https://*.shop.pages.dev\", \
                   \"http://localhost:*\"]";
        assert_eq!(with(own), Vec::<String>::new());
        let said = with(&format!("{own}\ncredentials = true"));
        assert!(
            said.len() == 1 && said[0].starts_with("/cors/app/origins/1: is sent with credentials"),
            "{said:?}"
        );
        assert_eq!(with("origins = \"*\""), Vec::<String>::new());
    }
}
