//! CORS policies.

use pointsman_core::http::cors::OriginPattern;
use serde_json::{Map, Value};

use crate::convert::draft::CorsDraft;

/// A policy of `corsPolicies`. Its methods are not carried over: a preflight is told those of the path.
///
/// # Errors
/// Why it cannot be written here. Then scripts of other origins are not let in.
pub(super) fn policy(file: &Map<String, Value>) -> Result<CorsDraft, String> {
    let origins = list(file, "allowedOrigins")?;
    let credentials = file.get("allowCredentials") == Some(&Value::Bool(true));
    let is_bad = |origin: &&String| OriginPattern::parse(origin).is_err();
    let any_without_credentials = origins == ["*"] && !credentials;
    if let Some(bad) = origins.iter().find(is_bad).filter(|_| !any_without_credentials) {
        return Err(match bad.as_str() {
            "*" => {
                "it lets any origin in: name them, or use anything-goes, which lets cookies along".to_owned()
            }
            _ if bad.contains("$env") => {
                format!(
                    "it takes its origins from {bad}: write each as a text, with ${{NAME}} for a whole one"
                )
            }
            _ => format!("its origin {bad} is none that can be compared"),
        });
    }
    if origins.is_empty() {
        return Err("it names no origins".to_owned());
    }
    let headers = list(file, "allowedHeaders")?;
    let expose = list(file, "exposeHeaders")?;
    if let Some(bad) = headers.iter().chain(&expose).find(|name| *name == "*" || name.contains('$')) {
        return Err(format!("it takes the field names {bad}: name each"));
    }
    Ok(CorsDraft {
        origins,
        headers,
        expose,
        max_age: file.get("maxAge").and_then(Value::as_u64),
        credentials,
    })
}

/// A list, or a text with commas.
fn list(file: &Map<String, Value>, name: &str) -> Result<Vec<String>, String> {
    let trimmed = |text: &str| text.trim().to_owned();
    match file.get(name) {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(text)) => {
            Ok(text.split(',').map(trimmed).filter(|item| !item.is_empty()).collect())
        }
        Some(Value::Array(items)) => {
            let text = |item: &Value| {
                item.as_str().map(trimmed).ok_or_else(|| format!("its {name} holds what is no text"))
            };
            items.iter().map(text).collect()
        }
        Some(_) => Err(format!("its {name} is no list")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_and_texts_with_commas_are_the_same() {
        let written = json!({
            "allowedOrigins": "https://a.example, https://*.b.example.com", "allowedHeaders": ["x-a"],
            "exposeHeaders": "x-b", "maxAge": 60, "allowCredentials": true,
        });
        let policy = policy(written.as_object().unwrap()).unwrap();
        assert_eq!(policy.origins, ["https://a.example", "https://*.b.example.com"]);
        assert_eq!(
            (policy.headers, policy.expose, policy.max_age),
            (vec!["x-a".to_owned()], vec!["x-b".to_owned()], Some(60))
        );
        assert!(policy.credentials);
    }

    #[test]
    fn any_origin_without_credentials_stays_that() {
        let written = json!({ "allowedOrigins": "*", "allowedHeaders": "x-a" });
        let policy = policy(written.as_object().unwrap()).unwrap();
        assert_eq!((policy.origins, policy.credentials), (vec!["*".to_owned()], false));
    }

    #[test]
    fn nobody_is_let_in_by_mistake() {
        for written in [
            json!({}),
            json!({ "allowedOrigins": "*", "allowCredentials": true }),
            json!({ "allowedOrigins": ["*", "https://a.example"] }),
            json!({ "allowedOrigins": ["https://a.example/"] }),
            json!({ "allowedOrigins": "$env(ORIGINS)" }),
            json!({ "allowedOrigins": ["https://a.example"], "allowedHeaders": "*" }),
            json!({ "allowedOrigins": 7 }),
        ] {
            assert!(policy(written.as_object().unwrap()).is_err(), "{written}");
        }
    }
}
