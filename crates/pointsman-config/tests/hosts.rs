//! Routes on which the host says whose a request is.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::collections::HashMap;

use serde_json::json;

/// What is found in a gateway with such a route; whether its customers are known by their hosts.
fn read(customer: &str, customers: bool) -> Result<bool, Vec<String>> {
    let mut file = json!({
        "backends": { "b": { "url": "https://b.example" } },
        "routes": [{ "path": "/", "auth": [], "customer": customer, "rules": [{ "name": "all", "to": "b" }] }],
    });
    if customers {
        file["customers"] = json!({});
    }
    let none: HashMap<String, String> = HashMap::new();
    match pointsman_config::parse(&file.to_string(), &none) {
        Ok(checked) => Ok(checked.gateway.routes().iter().all(|route| route.customer_by_host)),
        Err(findings) => Err(findings.iter().map(ToString::to_string).collect()),
    }
}

#[test]
fn the_host_says_whose_a_request_is_where_there_are_customers() {
    assert_eq!(read("$host", true), Ok(true));
    assert_eq!(
        read("$host", false),
        Err(vec!["/routes/0/customer: \"$host\" needs a [customers] section".to_owned()])
    );
}

#[test]
fn nothing_but_the_host_does() {
    for other in ["host", "customerId", "$header:x-customer", ""] {
        let found = read(other, true).unwrap_err();
        assert!(found[0].starts_with("/routes/0/customer: must be \"$host\""), "{found:?}");
    }
}
