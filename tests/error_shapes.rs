//! Errors that the gateway answers with itself, in the shape of their route, by the whole core.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use pointsman_core::decide::decision::Outcome;
use pointsman_testkit::{GatewayToml, Isolate, World, all_to};

/// A route of each shape; what no route takes has `usual`.
fn isolate(usual: &str) -> Isolate {
    let shape = r#"
        content_type = "text/plain; charset=utf-8"
        body = "{status} {code} {type}: {title}. {detail} ({request_id})"
    "#;
    let route = |shape: &str| format!("{}\nerrors = \"{shape}\"", all_to("b"));
    let toml = GatewayToml::new()
        .table("api_keys", "checksum = false")
        .table("errors", &format!("shape = \"{usual}\""))
        .table("errors.shapes.own", shape)
        .backend("b")
        .route("/usual/{+path}", &["api_key"], &all_to("b"))
        .route("/problem/{+path}", &["api_key"], &route("problem"))
        .route("/alone/{+path}", &["api_key"], &route("problem-alone"))
        .route("/s3/{+path}", &["api_key"], &route("s3"))
        .route("/aws/{+path}", &["api_key"], &route("aws-json"))
        .route("/graphql/{+path}", &["api_key"], &route("graphql"))
        .route("/own/{+path}", &["api_key"], &route("own"))
        .route("/open/{+path}", &[], &route("s3"));
    Isolate::new(toml.gateway())
}

/// Status, media type and body of an answer, without the request's id.
fn told(isolate: &Isolate, path: &str) -> (u16, String, String) {
    let result = isolate.get(&World::of_fixtures(), path, &[]);
    let answer = result.answer();
    let field = |name| answer.fields.iter().find(|(own, _)| *own == name).map(|(_, value)| value.as_str());
    assert_eq!(field("cache-control"), Some("no-store"), "{path}");
    let id = field("x-request-id").expect("every answer has an id");
    let body = answer.body.as_deref().unwrap();
    assert!(path.starts_with("/aws") || path.starts_with("/graphql") || body.contains(id), "{path}: {body}");
    (answer.status, field("content-type").unwrap().to_owned(), body.replace(id, "ID"))
}

const DETAIL: &str = "This request needs an API key or a token, and has none.";

#[test]
fn a_refusal_is_written_in_the_shape_of_its_route() {
    let isolate = isolate("problem");
    let problem = "application/problem+json";
    let standard = r#""instance":"ID","status":401,"title":"Credential required","type":"urn:pointsman:problem:credential-required"}"#;
    let whole = format!(
        r#"{{"detail":"{DETAIL}","error":{{"code":"credential-required","message":"{DETAIL}","type":"authentication_error"}},{standard}"#
    );
    for (path, media, body) in [
        ("/usual/x", problem, whole.as_str()),
        ("/problem/x", problem, &whole),
        ("/alone/x", problem, &format!(r#"{{"detail":"{DETAIL}",{standard}"#)),
        (
            "/s3/x",
            "application/xml",
            &format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>credential-required</Code><Message>{DETAIL}</Message><RequestId>ID</RequestId></Error>"
            ),
        ),
        (
            "/aws/x",
            "application/json",
            &format!(r#"{{"__type":"credential-required","message":"{DETAIL}"}}"#),
        ),
        (
            "/graphql/x",
            "application/json",
            &format!(
                r#"{{"errors":[{{"message":"{DETAIL}","extensions":{{"code":"credential-required","status":401}}}}]}}"#
            ),
        ),
        (
            "/own/x",
            "text/plain; charset=utf-8",
            &format!("401 credential-required authentication_error: Credential required. {DETAIL} (ID)"),
        ),
    ] {
        assert_eq!(told(&isolate, path), (401, media.to_owned(), body.to_owned()), "{path}");
    }
}

#[test]
fn what_no_route_takes_has_the_usual_shape() {
    let (status, media, body) = told(&isolate("own"), "/nowhere");
    assert_eq!((status, media.as_str()), (404, "text/plain; charset=utf-8"));
    assert!(body.starts_with("404 route-not-found invalid_request_error: "), "{body}");
    let (status, media, _) = told(&isolate("own"), "/usual/x");
    assert_eq!((status, media.as_str()), (401, "text/plain; charset=utf-8"));
    assert_eq!(told(&isolate("own"), "/problem/x").1, "application/problem+json");
}

#[test]
fn the_shape_goes_along_with_a_request_that_is_forwarded() {
    let isolate = isolate("problem");
    match isolate.get(&World::of_fixtures(), "/open/x", &[]).outcome {
        Outcome::Forward(forward) => {
            let shape = forward.edits.errors.and_then(|place| isolate.gateway.errors().shapes.get(place));
            assert!(shape.is_some());
            assert!(!forward.edits.are_conditional(), "what has a shape is not handed on by flags alone");
        }
        other => panic!("{other:?}"),
    }
}
