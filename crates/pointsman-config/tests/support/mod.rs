//! What the tests of findings share.

use std::collections::HashMap;

/// What is found in a gateway.toml.
pub(crate) fn findings(toml_text: &str) -> Vec<String> {
    let file: serde_json::Value = toml::from_str(toml_text).unwrap();
    let none: HashMap<String, String> = HashMap::new();
    let found = match pointsman_config::parse(&file.to_string(), &none) {
        Ok(checked) => checked.warnings,
        Err(findings) => findings,
    };
    found.iter().map(ToString::to_string).collect()
}
