//! What is expected of a decision.

use serde_json::{Map, Value};

/// Expectations by name.
pub(super) type Expectations = Map<String, Value>;

const DECISION: [&str; 9] =
    ["route", "auth", "subject", "customer", "environment", "rule", "backend", "variant", "bucket"];
const ANSWER: [&str; 3] = ["status", "problem", "reason"];

/// Reads `name=value`.
///
/// # Errors
/// Where it has no such form.
pub(super) fn read(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("write name=value, as in backend=shared")?;
    known(name)?;
    Ok((name.to_owned(), value.to_owned()))
}

fn known(name: &str) -> Result<(), String> {
    let plain = DECISION.contains(&name) || ANSWER.contains(&name) || ["outcome", "url"].contains(&name);
    if plain || name.strip_prefix("set.").is_some_and(|field| !field.is_empty()) {
        return Ok(());
    }
    let names: Vec<_> =
        DECISION.iter().chain(&ANSWER).copied().chain(["outcome", "url", "set.<field>"]).collect();
    Err(format!("\"{name}\" is nothing that can be expected: it is one of {}", names.join(", ")))
}

/// What is otherwise than expected, one text each.
///
/// # Errors
/// Where something is expected that there is not.
pub(super) fn unmet(told: &Value, expected: &Expectations) -> Result<Vec<String>, String> {
    let mut unmet = Vec::new();
    for (name, wanted) in expected {
        known(name)?;
        let got = found(told, name);
        if text(&got) != text(wanted) {
            let got = if got.is_null() { "nothing".to_owned() } else { text(&got) };
            let wanted = if wanted.is_null() { "nothing".to_owned() } else { text(wanted) };
            unmet.push(format!("{name} is {got}, not {wanted}"));
        }
    }
    if let (false, Some(reason)) = (unmet.is_empty(), told["answer"]["reason"].as_str()) {
        unmet.push(format!("refused because {reason}"));
    }
    Ok(unmet)
}

fn found(told: &Value, name: &str) -> Value {
    if let Some(field) = name.strip_prefix("set.") {
        let set = told["forward"]["set"].as_array().into_iter().flatten();
        let mut own = set.filter(|pair| pair[0].as_str().is_some_and(|own| own.eq_ignore_ascii_case(field)));
        return own.next().map_or(Value::Null, |pair| pair[1].clone());
    }
    match name {
        "outcome" => told["outcome"].clone(),
        "url" => told["forward"]["url"].clone(),
        _ if ANSWER.contains(&name) => told["answer"][name].clone(),
        _ => told["decision"][name].clone(),
    }
}

/// A flag can only give text, so that is what is compared.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told() -> Value {
        json!({
            "outcome": "forward",
            "decision": { "backend": "shared", "bucket": 17, "variant": null },
            "forward": { "url": "https://shared.example.com/x", "set": [["x-plan", "gold"]] },
        })
    }

    fn unmet_of(expected: &Value) -> Vec<String> {
        let expected =
            expected.as_object().unwrap().iter().map(|(name, value)| (name.clone(), value.clone()));
        unmet(&told(), &expected.collect()).unwrap()
    }

    #[test]
    fn what_is_as_expected_is_not_said() {
        let met = json!({ "outcome": "forward", "backend": "shared", "bucket": 17, "url": "https://shared.example.com/x", "set.X-Plan": "gold", "variant": null });
        assert_eq!(unmet_of(&met), Vec::<String>::new());
        assert_eq!(unmet_of(&json!({ "bucket": "17" })), Vec::<String>::new());
    }

    #[test]
    fn what_is_otherwise_is_said_with_what_it_is() {
        assert_eq!(unmet_of(&json!({ "backend": "own" })), ["backend is shared, not own"]);
        assert_eq!(unmet_of(&json!({ "status": 403 })), ["status is nothing, not 403"]);
        assert_eq!(unmet_of(&json!({ "set.x-plan": null })), ["set.x-plan is gold, not nothing"]);
    }

    #[test]
    fn nothing_unknown_is_expected() {
        assert!(read("bakend=shared").is_err());
        assert!(read("backend").is_err());
        assert_eq!(read("url=https://x/?a=b").unwrap().1, "https://x/?a=b");
    }
}
