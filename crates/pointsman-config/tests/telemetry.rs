//! What `[log]` and `[tracing]` may say, and what is said of everything else.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod support;

use support::findings;

fn of(section: &str) -> Vec<String> {
    findings(&format!(
        "{section}\n[backends.b]\nurl = \"https://b.example\"\n[[routes]]\npath = \"/x\"\nauth = []\n\
         rules = [{{ name = \"a\", to = \"b\" }}]\n"
    ))
}

#[test]
fn each_setting_takes_what_the_documents_say() {
    for section in [
        "[log]\ndetails = \"all\"\nsample = \"0.1%\"",
        "[log]\ndetails = \"refused\"\nsample = \"0%\"",
        "[tracing]\ncontext = \"trust\"",
        "[tracing]\ncontext = \"continue\"\nsample = \"100%\"",
        "[tracing]\ncontext = \"new\"\nspans = true",
        "[tracing]\nspans = true",
    ] {
        assert_eq!(of(section), Vec::<String>::new(), "{section}");
    }
}

#[test]
fn what_is_wrong_is_named_with_what_to_write() {
    let share = "must be a share from 0% to 100% with at most four decimals, such as 5% or 0.1%";
    for (section, found) in [
        ("[log]\ndetails = \"some\"", "/log/details: must be \"refused\" or \"all\"".to_owned()),
        ("[log]\nsample = \"0.5\"", format!("/log/sample: {share}")),
        ("[log]\nsample = \"101%\"", format!("/log/sample: {share}")),
        ("[tracing]\ncontext = \"always\"", "/tracing/context: must be \"trust\", \"continue\" or \"new\"".to_owned()),
        ("[tracing]\ncontext = \"new\"\nsample = \"-1%\"", format!("/tracing/sample: {share}")),
        (
            "[tracing]\nsample = \"5%\"",
            "/tracing/sample: is for traces that the gateway takes part in: set context to \"trust\", \"continue\" or \"new\""
                .to_owned(),
        ),
    ] {
        assert_eq!(of(section), [found], "{section}");
    }
}
