//! What a gateway answers to requests without a credential.

use std::{borrow::Cow, collections::HashMap};

use pointsman_core::{
    base::time::Timestamp,
    decide::decision::{LoadedForRequest, Outcome},
    http::head::{Fields, Head, PresentFields, RequestTarget},
    state::{config::Gateway, memory::Memory},
};

use super::oracle::is_field_value;

const REQUESTS: [(&str, &str); 5] = [
    ("GET", "/"),
    ("GET", "/x"),
    ("POST", "/a/b/c?d=e"),
    ("OPTIONS", "/x"),
    ("GET", "/.well-known/jwks.json"),
];

/// What becomes of each of a few requests. None goes on under a subject's or a customer's name.
pub fn answers(gateway: &Gateway) -> Vec<String> {
    REQUESTS.map(|(method, path)| answer(gateway, method, path)).to_vec()
}

fn answer(gateway: &Gateway, method: &str, path: &str) -> String {
    let url = format!("https://gateway.example.com{path}");
    let target = RequestTarget::parse(&url).expect("it is a URL");
    let head =
        Head { method, target, seen: PresentFields::default(), fields: &NoFields, request_id: "request-1" };
    let mut memory = Memory::new(gateway, 42);
    let now = Timestamp::from_millis(1_785_412_800_000);
    match gateway.decide(&head, &mut memory, &LoadedForRequest::default(), now).outcome {
        Outcome::Forward(forward) => {
            for (name, value) in forward.set.iter() {
                assert!(is_field_value(value), "{name}: {value:?}");
                let names_somebody = matches!(name, "x-subject" | "x-customer-id");
                assert!(!names_somebody, "nobody was verified, and {name} is {value:?}");
            }
            format!("to {}", forward.sending.url())
        }
        Outcome::Answer(answer) => {
            assert!((200..=599).contains(&answer.status), "{}", answer.status);
            format!("{} {:?}", answer.status, answer.refusal)
        }
        // There is nothing to look up where there is no credential.
        Outcome::Load(need, _) => panic!("without a credential, {need:?} is asked for"),
    }
}

/// What is wrong has a place, by a JSON Pointer (RFC 6901), and words.
pub fn names_a_place(pointer: &str, what: &str) {
    assert!(pointer.is_empty() || pointer.starts_with('/'), "{pointer:?}");
    assert!(!what.is_empty());
}

/// The variables of `wrangler.toml` and the secrets that `gateway.toml` and `fixtures/gateways` name.
pub fn variables() -> HashMap<String, String> {
    let urls = ["SANDBOX", "PRODUCTION", "MULTI_TENANT", "SHARED"].map(|name| {
        let host = name.to_ascii_lowercase().replace('_', "-");
        (format!("{name}_BACKEND_URL"), format!("https://{host}.example.com"))
    });
    let others = [
        ("CUSTOMER_CONFIG_API_URL", "https://config.example.com/customers"),
        ("ALLOW_HTTP", "never"),
        ("CONFIG_API_TOKEN", "a-token-for-the-config-api"),
        ("JWT_SECRET", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"),
    ];
    let others = others.map(|(name, value)| (name.to_owned(), value.to_owned()));
    urls.into_iter().chain(others).collect()
}

struct NoFields;

impl Fields for NoFields {
    fn get(&self, _: &str) -> Option<Cow<'_, str>> {
        None
    }
}
