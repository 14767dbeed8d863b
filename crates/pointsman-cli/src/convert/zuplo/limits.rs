//! Rate limits.

use serde_json::{Map, Value};

use super::values::{flag, only};
use crate::convert::draft::{ByDraft, LimitDraft, MeasureDraft};

const KNOWN: [&str; 6] =
    ["rateLimitBy", "requestsAllowed", "timeWindowMinutes", "headerMode", "throwOnFailure", "mode"];

/// The limit of a policy.
///
/// # Errors
/// Why it cannot be written here.
pub(super) fn limit(name: &str, options: &Map<String, Value>) -> Result<LimitDraft, String> {
    let by = match options.get("rateLimitBy").and_then(Value::as_str) {
        None | Some("user") => ByDraft::Subject,
        Some("ip") => ByDraft::Address,
        Some("all") => ByDraft::Nothing,
        Some("function") => return Err("it counts by code of the project".to_owned()),
        Some(other) => return Err(format!("it counts by {other}, which is unknown")),
    };
    only(options, &KNOWN)?;
    let most = options.get("requestsAllowed").and_then(Value::as_u64).filter(|most| *most > 0);
    let most = most.ok_or("its requestsAllowed is no whole number from 1")?;
    let minutes = options.get("timeWindowMinutes").and_then(Value::as_u64);
    let measure = match minutes {
        Some(1) => MeasureDraft::Rate(most, 60),
        Some(60) => MeasureDraft::Quota(most, "hour"),
        Some(1440) => MeasureDraft::Quota(most, "day"),
        Some(43_200) => MeasureDraft::Quota(most, "month"),
        _ => {
            let window = options.get("timeWindowMinutes").map_or_else(|| "none".to_owned(), Value::to_string);
            return Err(format!(
                "its window of {window} minutes has no equal: there are 10 and 60 seconds, an hour, a day and a month"
            ));
        }
    };
    Ok(LimitDraft { binding: binding(name), measure, by, closed: flag(options, "throwOnFailure")? })
}

/// A limit's name as callers may see it.
pub(super) fn name(policy: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
    let name: String =
        policy.chars().take(64).map(|letter| if plain(letter) { letter } else { '-' }).collect();
    if matches!(name.as_str(), "" | "none") { "limit".to_owned() } else { name }
}

fn binding(policy: &str) -> String {
    let upper = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_uppercase() } else { '_' };
    format!("LIMIT_{}", name(policy).chars().map(upper).collect::<String>())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(by: &str, most: Value, minutes: Value) -> Result<LimitDraft, String> {
        let options = json!({ "rateLimitBy": by, "requestsAllowed": most, "timeWindowMinutes": minutes });
        limit("per minute", options.as_object().unwrap())
    }

    #[test]
    fn windows_that_there_are_become_limits_and_quotas() {
        let minute = of("ip", json!(5), json!(1)).unwrap();
        assert_eq!((minute.binding.as_str(), minute.by), ("LIMIT_PER_MINUTE", ByDraft::Address));
        assert_eq!(minute.measure, MeasureDraft::Rate(5, 60));
        assert_eq!(of("user", json!(5), json!(60)).unwrap().measure, MeasureDraft::Quota(5, "hour"));
        assert_eq!(of("all", json!(5), json!(1440)).unwrap().by, ByDraft::Nothing);
    }

    #[test]
    fn others_are_refused() {
        for (by, most, minutes) in [
            ("function", json!(5), json!(1)),
            ("moon", json!(5), json!(1)),
            ("ip", json!(0), json!(1)),
            ("ip", json!("$env(MOST)"), json!(1)),
            ("ip", json!(5), json!(5)),
            ("ip", json!(5), json!(0.5)),
        ] {
            assert!(of(by, most.clone(), minutes.clone()).is_err(), "{by} {most} {minutes}");
        }
    }
}
