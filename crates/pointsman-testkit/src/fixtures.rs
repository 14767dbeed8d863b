//! What the golden cases have in common: their time, their variables and gateways, and credentials.

use std::collections::HashMap;

use pointsman_core::{base::time::Timestamp, state::config::Gateway};
use serde_json::Value;

use crate::files::{json, read};

/// The instant at which all golden cases happen.
pub fn noon() -> Timestamp {
    Timestamp::parse_rfc3339("2026-07-30T12:00:00Z").unwrap()
}

pub fn variables() -> HashMap<String, String> {
    let wrangler: toml::Table = read("wrangler.toml").parse().unwrap();
    let vars = wrangler["vars"].as_table().unwrap();
    let mut variables: HashMap<_, _> =
        vars.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect();
    variables.insert("CONFIG_API_TOKEN".to_owned(), "demo-config-token".to_owned());
    variables.insert("BACKEND_SECRET".to_owned(), "demo-backend-secret".to_owned());
    variables.insert(
        "OPERATOR_SECRET".to_owned(),
        "pso_DemoOperatorSecretIsPublicNotForProduction0_1mpS7r".to_owned(),
    );
    variables.insert(
        "CUSTOMER_SECRETS_K1".to_owned(),
        "pso_OperatorSecretOfTheFixturesIsPublic00000000_2KJXj2".to_owned(),
    );
    let keys = json("fixtures/keys/private.json");
    variables.insert("IDENTITY_KEY".to_owned(), keys["es256-1"].to_string());
    variables.insert("DPOP_NONCE_SECRET".to_owned(), "0123456789abcdef0123456789abcdef".to_owned());
    variables.insert("INTROSPECTION_SECRET".to_owned(), "only-for-the-issuer".to_owned());
    variables.insert("JWT_SECRET".to_owned(), read("fixtures/keys/hmac-secret.txt").trim().to_owned());
    variables
}

/// `demo` is the project's own `gateway.toml`; others stand in `fixtures/gateways`.
pub fn gateway(name: &str) -> Gateway {
    let path =
        if name == "demo" { "gateway.toml".to_owned() } else { format!("fixtures/gateways/{name}.toml") };
    gateway_of(&read(path))
}

pub fn gateway_of(toml_text: &str) -> Gateway {
    let value: Value = toml::from_str(toml_text).unwrap();
    match pointsman_config::parse(&value.to_string(), &variables()) {
        Ok(checked) => checked.gateway,
        Err(findings) => panic!("{findings:#?}"),
    }
}

pub fn token(name: &str) -> String {
    read(format!("fixtures/tokens/{name}.jwt")).trim().to_owned()
}

pub fn key(name: &str) -> String {
    let keys = json("fixtures/demo/keys.json");
    let found = keys.as_array().unwrap().iter().find(|key| key["name"] == name);
    found.unwrap_or_else(|| panic!("no demo key {name}"))["key"].as_str().unwrap().to_owned()
}

pub fn bearer(credential: &str) -> String {
    format!("Bearer {credential}")
}
