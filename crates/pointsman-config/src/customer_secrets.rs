//! `[customers.secrets]`: what secrets in customers' records are opened with, and which fields they may fill.

use pointsman_checked::SECRET_PLACEHOLDER;
use pointsman_core::{
    http::fields::{canonical, is_token},
    identity::operator_secret::is_minted,
};
use serde_json::{Map, Value};

use super::{
    backend_fields::{check_name, warn_of_plain_text},
    file::{CustomerSecretsFile, SealingKeyFile},
    findings::Findings,
};

/// As many as a change of keys ever needs, and more.
const MOST_KEYS: usize = 8;

/// Adds the form. `own` are the fields in which backends are told who is calling.
pub(super) fn add(
    file: &CustomerSecretsFile,
    own: &[String],
    form: &mut Map<String, Value>,
    findings: &mut Findings,
) {
    let usual = ["authorization".to_owned()];
    let names = file.fields.as_deref().unwrap_or(&usual);
    form.insert("secret_fields".to_owned(), fields(names, own, findings).into());
    form.insert("key_ring".to_owned(), key_ring(&file.keys, findings).into());
}

fn fields(names: &[String], own: &[String], findings: &mut Findings) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    for (index, name) in names.iter().enumerate() {
        let at = format!("/customers/secrets/fields/{index}");
        check_name(name, own, &at, findings);
        let folded = canonical(name);
        if seen.contains(&folded) {
            findings.error(&at, format!("{name} is a duplicate, as backends read field names"));
        }
        seen.push(folded);
    }
    names.iter().map(|name| name.to_ascii_lowercase()).collect()
}

/// Secrets by the ids of their keys.
fn key_ring(keys: &[SealingKeyFile], findings: &mut Findings) -> Map<String, Value> {
    const AT: &str = "/customers/secrets/keys";
    if keys.is_empty() || keys.len() > MOST_KEYS {
        findings.error(AT, format!("must be 1 to {MOST_KEYS} keys: {{ id, secret }}"));
    }
    let mut form = Map::new();
    for (index, SealingKeyFile { id, secret }) in keys.iter().enumerate() {
        let at = format!("{AT}/{index}");
        if !is_token(id) || form.contains_key(id) {
            let what = "must be a name that no other key has: letters, digits, - and _";
            findings.error(format!("{at}/id"), what);
        }
        let pointer = format!("{at}/secret");
        if secret != SECRET_PLACEHOLDER && !is_minted(secret) {
            findings.error(&pointer, "is none that `pointsman secret create` made");
        }
        warn_of_plain_text(&pointer, findings);
        form.insert(id.clone(), findings.write(&pointer, secret.as_str()));
    }
    form
}
