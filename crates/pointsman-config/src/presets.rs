//! Presets of `[[issuers]]`: what the big issuers' own documents say of their tokens, so that a file says only what differs.
//!
//! A preset is filled in before anything else of the file is read: the rest of the check, and the Worker, see fields as if
//! somebody had written them. A field that is written wins. What a preset cannot know stays to be written.

use pointsman_checked::has_variables;
use serde_json::{Map, Value, json};

use super::findings::{Finding, Severity, nearest};

/// Fields that say where the keys come from: where one is written, the preset says nothing of keys.
const KEY_SOURCES: [&str; 5] = ["jwks_url", "discovery", "keys", "secret", "introspection"];

/// What is known of an issuer's tokens.
struct Preset {
    name: &'static str,
    /// What the file has to say: fields of the preset alone, with an example each.
    parameters: &'static [(&'static str, &'static str)],
    /// What `iss` is, with `<parameter>` in it; empty where only the file knows.
    issuer: &'static str,
    /// Where the JWK Set is; empty where discovery finds it.
    jwks_url: &'static str,
    algorithms: &'static [&'static str],
    audience_claims: &'static [&'static str],
    audience: Audience,
    /// The field that tokens come in; `None` where that is `Authorization`.
    header: Option<&'static str>,
}

/// Whom the tokens of an issuer are for.
enum Audience {
    /// Always this, with `<parameter>` in it.
    Known(&'static str),
    /// What the issuer's own documents call it.
    Asked(&'static str),
}

const AUD: &[&str] = &["aud"];
const RS256: &[&str] = &["RS256"];

/// In the order of their names, as documents list them.
const PRESETS: &[Preset] = &[
    Preset {
        name: "auth0",
        parameters: &[("domain", "acme.eu.auth0.com")],
        issuer: "https://<domain>/",
        jwks_url: "https://<domain>/.well-known/jwks.json",
        algorithms: RS256,
        audience_claims: AUD,
        audience: Audience::Asked("the API's identifier"),
        header: None,
    },
    Preset {
        name: "clerk",
        parameters: &[("domain", "clerk.example.com")],
        issuer: "https://<domain>",
        jwks_url: "https://<domain>/.well-known/jwks.json",
        algorithms: RS256,
        audience_claims: &["aud", "azp"],
        audience: Audience::Asked("the origins of the applications, as azp has them"),
        header: None,
    },
    Preset {
        name: "cloudflare-access",
        parameters: &[("team", "acme")],
        issuer: "https://<team>.cloudflareaccess.com",
        jwks_url: "https://<team>.cloudflareaccess.com/cdn-cgi/access/certs",
        algorithms: RS256,
        audience_claims: AUD,
        audience: Audience::Asked("the application's audience tag (AUD)"),
        header: Some("cf-access-jwt-assertion"),
    },
    Preset {
        name: "cognito",
        parameters: &[("region", "eu-west-1"), ("pool", "eu-west-1_Example")],
        issuer: "https://cognito-idp.<region>.amazonaws.com/<pool>",
        jwks_url: "https://cognito-idp.<region>.amazonaws.com/<pool>/.well-known/jwks.json",
        algorithms: RS256,
        audience_claims: &["aud", "client_id"],
        audience: Audience::Asked("the app client's id"),
        header: None,
    },
    Preset {
        name: "entra",
        parameters: &[],
        issuer: "https://login.microsoftonline.com/{tid}/v2.0",
        jwks_url: "https://login.microsoftonline.com/common/discovery/v2.0/keys",
        algorithms: RS256,
        audience_claims: AUD,
        audience: Audience::Asked("the application's client id"),
        header: None,
    },
    Preset {
        name: "firebase",
        parameters: &[("project", "acme-app")],
        issuer: "https://securetoken.google.com/<project>",
        jwks_url: "https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com",
        algorithms: RS256,
        audience_claims: AUD,
        audience: Audience::Known("<project>"),
        header: None,
    },
    Preset {
        name: "github-actions",
        parameters: &[],
        issuer: "https://token.actions.githubusercontent.com",
        jwks_url: "https://token.actions.githubusercontent.com/.well-known/jwks",
        algorithms: RS256,
        audience_claims: AUD,
        audience: Audience::Asked("what the workflow asks a token for"),
        header: None,
    },
    Preset {
        name: "google",
        parameters: &[],
        issuer: "https://accounts.google.com",
        jwks_url: "https://www.googleapis.com/oauth2/v3/certs",
        algorithms: RS256,
        audience_claims: AUD,
        audience: Audience::Asked("the OAuth client's id"),
        header: None,
    },
    Preset {
        name: "keycloak",
        parameters: &[("base_url", "https://sso.example.com"), ("realm", "acme")],
        issuer: "<base_url>/realms/<realm>",
        jwks_url: "<base_url>/realms/<realm>/protocol/openid-connect/certs",
        algorithms: RS256,
        audience_claims: AUD,
        audience: Audience::Asked("the client that an audience mapper adds to aud"),
        header: None,
    },
    Preset {
        name: "kubernetes",
        parameters: &[],
        issuer: "",
        jwks_url: "",
        algorithms: RS256,
        audience_claims: AUD,
        audience: Audience::Asked("the audience of the projected token"),
        header: None,
    },
    Preset {
        name: "okta",
        parameters: &[("domain", "acme.okta.com"), ("server", "default")],
        issuer: "https://<domain>/oauth2/<server>",
        jwks_url: "https://<domain>/oauth2/<server>/v1/keys",
        algorithms: RS256,
        audience_claims: AUD,
        audience: Audience::Asked("the authorization server's audience, such as api://default"),
        header: None,
    },
    Preset {
        name: "supabase",
        parameters: &[("project", "abcdefghijklmnopqrst")],
        issuer: "https://<project>.supabase.co/auth/v1",
        jwks_url: "https://<project>.supabase.co/auth/v1/.well-known/jwks.json",
        algorithms: &["ES256", "RS256"],
        audience_claims: AUD,
        audience: Audience::Known("authenticated"),
        header: None,
    },
];

/// The fields that only presets have.
const PARAMETERS: [&str; 8] = ["base_url", "domain", "pool", "project", "realm", "region", "server", "team"];

/// The names, in their order.
pub fn names() -> impl Iterator<Item = &'static str> {
    PRESETS.iter().map(|preset| preset.name)
}

/// A configuration with its presets filled in, for those who know none. Where a preset cannot be filled in, all stay.
#[must_use]
pub fn filled_in(document: Value) -> Value {
    let mut filled = document.clone();
    if expand(&mut filled).is_empty() { filled } else { document }
}

/// Fills in the presets of all issuers, before variables are: a parameter may be a variable.
pub(crate) fn expand(document: &mut Value) -> Vec<Finding> {
    let mut faults = Vec::new();
    let issuers = document.get_mut("issuers").and_then(Value::as_array_mut);
    for (index, issuer) in issuers.into_iter().flatten().enumerate() {
        if let Value::Object(members) = issuer {
            let mut issuer = Issuer { members, at: format!("/issuers/{index}"), faults: &mut faults };
            issuer.expand();
        }
    }
    faults
}

/// One entry, while its preset is filled in.
struct Issuer<'a> {
    members: &'a mut Map<String, Value>,
    at: String,
    faults: &'a mut Vec<Finding>,
}

impl Issuer<'_> {
    fn expand(&mut self) {
        let preset = match self.members.remove("preset") {
            None | Some(Value::Null) => return self.take_off(&[], None),
            Some(Value::String(name)) => match PRESETS.iter().find(|preset| preset.name == name) {
                Some(preset) => preset,
                None => {
                    self.unknown(&name);
                    return self.stand_in();
                }
            },
            Some(other) => {
                // Its kind is told where all members' are.
                self.members.insert("preset".to_owned(), other);
                return self.stand_in();
            }
        };
        let Some(values) = self.parameters(preset) else { return self.stand_in() };
        if preset.issuer.is_empty() && self.is_absent("issuer") {
            let what =
                format!("needs issuer: what iss is, since preset = \"{}\" cannot know it", preset.name);
            self.fault("", what);
            // Stands in for it, so that one fault is one finding.
            self.usual("issuer", || "https://preset.invalid".into());
        }
        if let Audience::Asked(meaning) = preset.audience
            && self.is_absent("audience")
        {
            self.fault(
                "",
                format!("needs audience: {meaning}, since preset = \"{}\" cannot know it", preset.name),
            );
        }
        let fill = |text: &str| {
            values
                .iter()
                .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("<{name}>"), value))
        };
        let has_keys = KEY_SOURCES.iter().any(|name| !self.is_absent(name));
        self.usual("issuer", || fill(preset.issuer).into());
        self.usual("algorithms", || json!(preset.algorithms));
        self.usual("audience_claims", || json!(preset.audience_claims));
        if let Some(header) = preset.header {
            self.usual("header", || header.into());
        }
        self.usual("audience", || match preset.audience {
            Audience::Known(audience) => fill(audience).into(),
            Audience::Asked(_) => "missing".into(),
        });
        match preset.jwks_url {
            _ if has_keys => {}
            "" => self.usual("discovery", || true.into()),
            url => self.usual("jwks_url", || fill(url).into()),
        }
    }

    /// The values of a preset's parameters; none where one is missing or cannot be used.
    fn parameters(&mut self, preset: &'static Preset) -> Option<Vec<(&'static str, String)>> {
        let before = self.faults.len();
        let written_out = !self.is_absent("issuer") && KEY_SOURCES.iter().any(|name| !self.is_absent(name));
        let known_audience = matches!(preset.audience, Audience::Known(audience) if audience.contains('<'));
        let mut values = Vec::new();
        for (name, example) in preset.parameters {
            match self.members.get(*name) {
                Some(Value::String(text)) if is_usable(name, text) => values.push((*name, text.clone())),
                Some(Value::String(_)) => {
                    let what = match *name {
                        "base_url" => {
                            format!("must be a URL without a slash at its end: {name} = \"{example}\"")
                        }
                        _ => format!("must be no URL, and have no slash: {name} = \"{example}\""),
                    };
                    self.fault(name, what);
                }
                None | Some(Value::Null) if written_out && !known_audience => {}
                None | Some(Value::Null) => {
                    self.fault(
                        "",
                        format!("needs {name} for preset = \"{}\": {name} = \"{example}\"", preset.name),
                    );
                }
                // Its kind is told where all members' are.
                Some(_) => return None,
            }
        }
        let own: Vec<_> = preset.parameters.iter().map(|(name, _)| *name).collect();
        self.take_off(&own, Some(preset.name));
        (self.faults.len() == before).then_some(values)
    }

    /// Takes the parameters off, which are no fields of an issuer, and says which are of no use.
    fn take_off(&mut self, own: &[&str], preset: Option<&str>) {
        for name in PARAMETERS {
            if !self.members.get(name).is_some_and(Value::is_string) {
                continue;
            }
            self.members.remove(name);
            if own.contains(&name) {
                continue;
            }
            let with: Vec<_> = PRESETS
                .iter()
                .filter(|preset| preset.parameters.iter().any(|(parameter, _)| *parameter == name))
                .map(|preset| format!("\"{}\"", preset.name))
                .collect();
            let here = preset.map_or_else(
                || "no preset is written here".to_owned(),
                |name| format!("\"{name}\" has none"),
            );
            self.fault(name, format!("is for preset = {}, and {here}: take it off", with.join(" or ")));
        }
    }

    fn unknown(&mut self, name: &str) {
        let all: Vec<_> = names().collect();
        let write = nearest(name, names())
            .map_or_else(|| format!("write one of {}", all.join(", ")), |near| format!("write \"{near}\""));
        self.fault("preset", format!("\"{name}\" is no preset: {write}"));
    }

    /// Stands in for what a faulty preset leaves open, so that one fault is one finding.
    fn stand_in(&mut self) {
        self.members.retain(|name, value| !(PARAMETERS.contains(&name.as_str()) && value.is_string()));
        let has_keys = KEY_SOURCES.iter().any(|name| !self.is_absent(name));
        let own = format!("https://preset.invalid{}", self.at);
        self.usual("issuer", || own.as_str().into());
        self.usual("algorithms", || json!(RS256));
        self.usual("audience", || "missing".into());
        if !has_keys {
            self.usual("jwks_url", || format!("{own}/jwks").into());
        }
    }

    fn is_absent(&self, name: &str) -> bool {
        self.members.get(name).is_none_or(Value::is_null)
    }

    fn usual(&mut self, name: &str, value: impl FnOnce() -> Value) {
        if self.is_absent(name) {
            self.members.insert(name.to_owned(), value());
        }
    }

    fn fault(&mut self, field: &str, what: String) {
        let pointer = if field.is_empty() { self.at.clone() } else { format!("{}/{field}", self.at) };
        self.faults.push(Finding { severity: Severity::Error, pointer, what: what.into() });
    }
}

/// Whether a parameter can stand where presets have it. Of a variable only the deployed Worker knows more.
fn is_usable(name: &str, text: &str) -> bool {
    if has_variables(text) {
        return true;
    }
    let fits = if name == "base_url" {
        text.contains("://") && !text.ends_with('/')
    } else {
        !text.contains(['/', ':', '?', '#', '@', ' '])
    };
    fits && !text.is_empty() && !text.contains(['<', '>', '{', '}'])
}
