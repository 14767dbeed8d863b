//! `[log]` and `[tracing]`: what the gateway tells of each request.

use pointsman_core::http::trace_context::{Joining, MILLION};
use serde_json::{Value, json};

use super::{
    file::{LogFile, TracingFile},
    findings::Findings,
};

/// Few requests make a trace worth looking at, and each that is sampled costs whoever keeps it.
const USUALLY_SAMPLED: u32 = MILLION / 100;

pub(super) fn log(file: Option<&LogFile>, findings: &mut Findings) -> Option<Value> {
    let LogFile { details, sample } = file?;
    let details = match details.as_deref() {
        None | Some("refused") => false,
        Some("all") => true,
        Some(_) => {
            findings.error("/log/details", "must be \"refused\" or \"all\"");
            false
        }
    };
    let sample = share(sample.as_deref(), MILLION, "/log/sample", findings);
    Some(json!({ "details": details, "sample": sample }))
}

pub(super) fn tracing(file: Option<&TracingFile>, findings: &mut Findings) -> Option<Value> {
    let TracingFile { context, sample, spans } = file?;
    if context.as_deref().is_some_and(|context| Joining::parse(context).is_none()) {
        findings.error("/tracing/context", "must be \"trust\", \"continue\" or \"new\"");
    }
    if sample.is_some() && context.is_none() {
        let what =
            "is for traces that the gateway takes part in: set context to \"trust\", \"continue\" or \"new\"";
        findings.error("/tracing/sample", what);
    }
    let sample = share(sample.as_deref(), USUALLY_SAMPLED, "/tracing/sample", findings);
    Some(json!({ "context": context, "sample": sample, "spans": spans.unwrap_or(false) }))
}

/// A share of requests, in millionths.
fn share(text: Option<&str>, usual: u32, pointer: &str, findings: &mut Findings) -> u32 {
    let Some(text) = text else { return usual };
    parse_share(text).unwrap_or_else(|| {
        findings
            .error(pointer, "must be a share from 0% to 100% with at most four decimals, such as 5% or 0.1%");
        usual
    })
}

/// A share of a hundred with up to four decimals, in millionths.
fn parse_share(text: &str) -> Option<u32> {
    let number = text.strip_suffix('%')?;
    let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !are_digits(whole) || !are_digits(decimals) || whole.len() > 3 || decimals.len() > 4 {
        return None;
    }
    let decimals: u32 = format!("{decimals:0<4}").parse().ok()?;
    let share = whole.parse::<u32>().ok()? * (MILLION / 100) + decimals;
    (share <= MILLION).then_some(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_have_up_to_four_decimals() {
        for (text, share) in [
            ("0%", 0),
            ("100%", MILLION),
            ("5%", 50_000),
            ("0.1%", 1_000),
            ("0.0001%", 1),
            ("12.5%", 125_000),
        ] {
            assert_eq!(parse_share(text), Some(share), "{text}");
        }
        for text in
            ["", "%", "1", "101%", "100.0001%", "-1%", "+1%", ".5%", "5.%", "0.00001%", "1e2%", "0001%"]
        {
            assert_eq!(parse_share(text), None, "{text}");
        }
    }
}
