//! `gateway.toml`, from its text to a gateway that answers, by way of the checked form that the Worker reads.

use super::probe::{answers, names_a_place, variables};
use pointsman_config::{
    findings::{Finding, Severity},
    parse,
};
use serde_json::Value;

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(document) = toml::from_str::<Value>(text) else { return };
    let variables = variables();
    // How the JSON is laid out says nothing.
    let compact = parse(&document.to_string(), &variables);
    let pretty = parse(&serde_json::to_string_pretty(&document).expect("it is JSON"), &variables);
    let (one, other) = match (compact, pretty) {
        (Ok(one), Ok(other)) => (one, other),
        (Err(one), Err(other)) => {
            assert_eq!(one, other);
            assert!(one.iter().any(is_error), "nothing is wrong with it");
            one.iter().for_each(|finding| names_a_place(&finding.pointer, &finding.what));
            return;
        }
        _ => panic!("it can be used in one layout, and not in the other"),
    };
    assert_eq!(one.warnings, other.warnings);
    assert!(!one.warnings.iter().any(is_error));
    one.warnings.iter().for_each(|finding| names_a_place(&finding.pointer, &finding.what));
    let expected = answers(&one.gateway);
    assert_eq!(answers(&other.gateway), expected);

    let shipped = one.form.to_string();
    match pointsman_checked::read(&shipped, &variables) {
        Ok(started) => assert_eq!(answers(&started.gateway), expected, "the Worker answers as the check did"),
        Err(faults) => panic!("the Worker refuses what was checked: {faults:?}"),
    }
}

fn is_error(finding: &Finding) -> bool {
    finding.severity == Severity::Error
}
