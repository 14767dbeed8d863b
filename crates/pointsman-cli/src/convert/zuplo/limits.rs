//! Rate limits.

use serde_json::{Map, Value};

use super::values::{flag, only};
use crate::convert::draft::{ByDraft, LimitDraft, MeasureDraft};

const KNOWN: [&str; 5] = ["rateLimitBy", "timeWindowMinutes", "headerMode", "throwOnFailure", "mode"];
/// What is counted where nobody's code says otherwise.
const REQUESTS: &str = "requests";
const COUNTED: &str =
    "counted answers of certain statuses only; here each request counts that limits let pass";
const MONTH: &str = "counted answers of certain statuses only, in months from a caller's first request; here each request \
    counts that limits let pass, in windows of 30 days";

/// Whether a policy limits how many requests there are.
pub(super) fn is_limit(export: &str) -> bool {
    matches!(
        export,
        "RateLimitInboundPolicy"
            | "BasicRateLimitInboundPolicy"
            | "ComplexRateLimitInboundPolicy"
            | "QuotaInboundPolicy"
    )
}

/// The limit of a policy, and what is different, if anything.
///
/// # Errors
/// Why it cannot be written here.
pub(super) fn limit(
    name: &str,
    export: &str,
    options: &Map<String, Value>,
) -> Result<(LimitDraft, Option<&'static str>), String> {
    match export {
        "QuotaInboundPolicy" => quota(name, options),
        "ComplexRateLimitInboundPolicy" => {
            only(options, &[&KNOWN[..], &["limits", "identifier"]].concat())?;
            let most = meter(options, "limits")?;
            rate(name, options, most).map(|limit| (limit, None))
        }
        _ => {
            only(options, &[&KNOWN[..], &["requestsAllowed", "identifier"]].concat())?;
            let most = options.get("requestsAllowed").and_then(Value::as_u64).filter(|most| *most > 0);
            rate(name, options, most.ok_or("its requestsAllowed is no whole number from 1")?)
                .map(|limit| (limit, None))
        }
    }
}

/// How many requests a table of meters allows. What else it counts, only code of the project knows.
fn meter(options: &Map<String, Value>, table: &str) -> Result<u64, String> {
    let meters =
        options.get(table).and_then(Value::as_object).ok_or_else(|| format!("its {table} are no object"))?;
    if let Some(other) = meters.keys().find(|meter| *meter != REQUESTS) {
        return Err(format!(
            "its {table} has the meter {other}, which code of the project counts: here requests alone are counted, so let the \
             backend count the rest"
        ));
    }
    let most = meters.get(REQUESTS).and_then(Value::as_u64).filter(|most| *most > 0);
    most.ok_or_else(|| format!("its {table} allow no whole number of requests from 1"))
}

fn quota(name: &str, options: &Map<String, Value>) -> Result<(LimitDraft, Option<&'static str>), String> {
    let known = ["period", "quotaBy", "quotaAnchorMode", "allowances", "quotaOnStatusCodes"];
    let by_code = |option: &str| options.get(option).and_then(Value::as_str) == Some("function");
    if by_code("quotaBy") {
        return Err(
            "it counts by code of the project: write [limits] with by = a claim, or \"$customer\"".to_owned()
        );
    }
    if by_code("quotaAnchorMode") {
        return Err("code of the project says when its windows begin: write [limits] with anchor = \"calendar\", if that is \
                    when"
            .to_owned());
    }
    only(options, &known)?;
    let word = |option: &str| options.get(option).and_then(Value::as_str);
    if !matches!(options.get("quotaBy"), None | Some(Value::Null)) && word("quotaBy") != Some("user") {
        return Err("it counts by what is unknown".to_owned());
    }
    if !matches!(options.get("quotaAnchorMode"), None | Some(Value::Null))
        && word("quotaAnchorMode") != Some("first-api-call")
    {
        return Err("its quotaAnchorMode is unknown".to_owned());
    }
    let (per, differs) = match word("period") {
        Some("hourly") => ("hour", COUNTED),
        Some("daily") => ("day", COUNTED),
        Some("monthly") => ("month", MONTH),
        Some("weekly") => {
            return Err("there are no quotas for a week: an hour, a day and a month there are".to_owned());
        }
        _ => return Err("its period is unknown".to_owned()),
    };
    let measure = MeasureDraft::Quota(meter(options, "allowances")?, per);
    Ok((LimitDraft { binding: binding(name), measure, by: ByDraft::Subject, closed: false }, Some(differs)))
}

fn rate(name: &str, options: &Map<String, Value>, most: u64) -> Result<LimitDraft, String> {
    let by = match options.get("rateLimitBy").and_then(Value::as_str) {
        None | Some("user") => ByDraft::Subject,
        Some("ip") => ByDraft::Address,
        Some("all") => ByDraft::Nothing,
        Some("function") => {
            return Err(
                "it counts by code of the project: write [limits] with by = a claim, and tiers in limits of the route"
                    .to_owned(),
            );
        }
        Some(other) => return Err(format!("it counts by {other}, which is unknown")),
    };
    if options.contains_key("identifier") {
        return Err("it has an identifier, which is code of the project".to_owned());
    }
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
        limit("per minute", "RateLimitInboundPolicy", options.as_object().unwrap()).map(|(limit, _)| limit)
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

    #[test]
    fn quotas_and_meters_of_requests_are_limits() {
        let read = |export: &str, options: Value| limit("q", export, options.as_object().unwrap());
        let (quota, differs) = read(
            "QuotaInboundPolicy",
            json!({ "period": "daily", "quotaBy": "user", "allowances": { "requests": 9 } }),
        )
        .unwrap();
        assert_eq!(
            (quota.measure, quota.by, differs),
            (MeasureDraft::Quota(9, "day"), ByDraft::Subject, Some(COUNTED))
        );
        let limits = json!({ "rateLimitBy": "ip", "limits": { "requests": 7 }, "timeWindowMinutes": 1 });
        assert_eq!(
            read("ComplexRateLimitInboundPolicy", limits).unwrap().0.measure,
            MeasureDraft::Rate(7, 60)
        );
        for (export, options) in [
            ("QuotaInboundPolicy", json!({ "period": "weekly", "allowances": { "requests": 9 } })),
            (
                "QuotaInboundPolicy",
                json!({ "period": "daily", "allowances": { "requests": 9, "bananas": 1 } }),
            ),
            ("QuotaInboundPolicy", json!({ "period": "daily", "allowances": {} })),
            ("QuotaInboundPolicy", json!({ "period": "daily" })),
            ("QuotaInboundPolicy", json!({ "period": "daily", "quotaBy": "function" })),
            (
                "QuotaInboundPolicy",
                json!({ "period": "daily", "quotaBy": 7, "allowances": { "requests": 9 } }),
            ),
            (
                "QuotaInboundPolicy",
                json!({ "period": "daily", "quotaAnchorMode": "function", "allowances": { "requests": 9 } }),
            ),
            ("ComplexRateLimitInboundPolicy", json!({ "limits": { "compute": 7 }, "timeWindowMinutes": 1 })),
            ("ComplexRateLimitInboundPolicy", json!({ "limits": 7, "timeWindowMinutes": 1 })),
        ] {
            assert!(read(export, options.clone()).is_err(), "{export} {options}");
        }
    }
}
