//! `gateway.toml`, from its text to a gateway that answers.

use std::{borrow::Cow, collections::HashMap};

use pointsman::{
    config::Gateway,
    decision::{Found, Outcome},
    memory::Memory,
    request::{Fields, Head, Seen, Target},
    settings::{
        self,
        findings::{Finding, Severity},
    },
    time::Timestamp,
};
use serde_json::Value;

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(document) = toml::from_str::<Value>(text) else { return };
    let variables = variables();
    // How the JSON is laid out says nothing.
    let compact = settings::parse(&document.to_string(), &variables);
    let pretty = settings::parse(&serde_json::to_string_pretty(&document).expect("it is JSON"), &variables);
    match (compact, pretty) {
        (Ok(one), Ok(other)) => {
            assert_eq!(one.warnings, other.warnings);
            assert!(one.warnings.iter().all(|warning| warning.severity == Severity::Warning));
            one.warnings.iter().for_each(names_a_place);
            for (method, path) in REQUESTS {
                assert_eq!(decide(&one.gateway, method, path), decide(&other.gateway, method, path));
            }
        }
        (Err(one), Err(other)) => {
            assert_eq!(one, other);
            assert!(
                one.iter().any(|finding| finding.severity == Severity::Error),
                "nothing is wrong with it"
            );
            one.iter().for_each(names_a_place);
        }
        _ => panic!("it can be used in one layout, and not in the other"),
    }
}

const REQUESTS: [(&str, &str); 5] = [
    ("GET", "/"),
    ("GET", "/x"),
    ("POST", "/a/b/c?d=e"),
    ("OPTIONS", "/x"),
    ("GET", "/.well-known/jwks.json"),
];

/// What a request without a credential comes to. A gateway never sends one on under a subject's or a customer's name.
fn decide(gateway: &Gateway, method: &str, path: &str) -> String {
    let url = format!("https://gateway.example.com{path}");
    let target = Target::parse(&url).expect("it is a URL");
    let head = Head { method, target, seen: Seen::default(), fields: &NoFields, request_id: "request-1" };
    let mut memory = Memory::new(gateway, 42);
    let now = Timestamp::from_millis(1_785_412_800_000);
    match gateway.decide(&head, &mut memory, &Found::default(), now).outcome {
        Outcome::Forward(forward) => {
            for (name, value) in forward.set.iter() {
                assert!(!value.contains(['\r', '\n', '\0']), "{name}: {value:?}");
                assert!(
                    !matches!(name, "x-subject" | "x-customer-id"),
                    "nobody was verified, and {name} is {value:?}"
                );
            }
            format!("to {}", forward.url)
        }
        Outcome::Answer(answer) => {
            assert!((200..=599).contains(&answer.status), "{}", answer.status);
            format!("{} {:?}", answer.status, answer.refusal)
        }
        // There is nothing to look up where there is no credential.
        Outcome::Load(need, _) => panic!("without a credential, {need:?} is asked for"),
    }
}

/// A finding says where, by a JSON Pointer (RFC 6901), and what.
fn names_a_place(finding: &Finding) {
    assert!(finding.pointer.is_empty() || finding.pointer.starts_with('/'), "{:?}", finding.pointer);
    assert!(!finding.what.is_empty());
}

/// The variables of `wrangler.toml` and the secrets that `gateway.toml` and `fixtures/gateways` name.
fn variables() -> HashMap<String, String> {
    let urls = ["SANDBOX", "PRODUCTION", "MULTI_TENANT", "SHARED"];
    let urls = urls.map(|name| {
        (
            format!("{name}_BACKEND_URL"),
            format!("https://{}.example.com", name.to_ascii_lowercase().replace('_', "-")),
        )
    });
    let others = [
        ("CUSTOMER_CONFIG_API_URL", "https://config.example.com/customers"),
        ("ALLOW_HTTP", "never"),
        ("CONFIG_API_TOKEN", "a token for the config API"),
        ("JWT_SECRET", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
    ];
    urls.into_iter().chain(others.map(|(name, value)| (name.to_owned(), value.to_owned()))).collect()
}

struct NoFields;

impl Fields for NoFields {
    fn get(&self, _: &str) -> Option<Cow<'_, str>> {
        None
    }
}
