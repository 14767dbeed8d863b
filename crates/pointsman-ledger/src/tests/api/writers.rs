//! Two writers with `If-Match`: whatever they do in whichever order, no change is lost.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{ALL, Api, field};

/// What one writer does next.
#[derive(Clone, Debug)]
enum Act {
    Read,
    Write,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_change_is_lost(acts in proptest::collection::vec((0_usize..2, prop_oneof![Just(Act::Read), Just(Act::Write)]), 1..40)) {
        let mut api = Api::new();
        let line = "/customers/shared";
        let record = |count: u64| json!({ "backendUrl": "https://c.example.com", "environmentName": count.to_string() });
        api.ok(ALL, &format!("PUT {line}"), &record(0));
        let mut seen: [Option<(String, u64)>; 2] = [None, None];
        let mut made = 0;
        for (writer, act) in acts {
            match act {
                Act::Read => {
                    let reply = api.call(ALL, &format!("GET {line}"), &[], &Value::Null);
                    let count = reply.body["record"]["environmentName"].as_str().unwrap().parse().unwrap();
                    seen[writer] = Some((field(&reply, "etag").unwrap().to_owned(), count));
                }
                Act::Write => {
                    let Some((tag, count)) = seen[writer].clone() else { continue };
                    let reply = api.call(ALL, &format!("PUT {line}"), &[("if-match", &tag)], &record(count + 1));
                    match reply.status {
                        200 => made += 1,
                        412 => {}
                        other => prop_assert!(false, "{other}: {:?}", reply.body),
                    }
                }
            }
        }
        let end = api.ok(ALL, &format!("GET {line}"), &Value::Null);
        prop_assert_eq!(&end["record"]["environmentName"], &json!(made.to_string()));
    }
}
