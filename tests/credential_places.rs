//! Credentials in the query, in a cookie, among subprotocols and as the user of Basic: no place shows one, whatever becomes
//! of the request.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use base64ct::{Base64, Base64UrlUnpadded, Encoding};
use pointsman_core::decide::{decision::Outcome, request_log::LoggedRequest};
use pointsman_testkit::{Isolate, TestFields, World, bearer, key, noon, token};

const HANDSHAKE: [(&str, &str); 2] = [("upgrade", "websocket"), ("connection", "upgrade")];

fn with(fields: &[(&str, &str)]) -> TestFields {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    TestFields { fields, ..TestFields::default() }
}

/// Requests with these credentials, whether they pass or not.
fn requests(one: &str, other: &str, jwt: &str) -> Vec<(String, TestFields)> {
    let encoded = Base64UrlUnpadded::encode_string(one.as_bytes());
    let user = format!("Basic {}", Base64::encode_string(format!("{one}:").as_bytes()));
    let percent: String = one.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let mut all: Vec<(String, TestFields)> = [
        format!("api_key={one}"),
        format!("api_key={percent}&x=1"),
        format!("api_key={one}&api_key={other}"),
        format!("api%5Fkey={one}"),
        format!("access_token={jwt}"),
        format!("access_token={one}&api_key={jwt}"),
    ]
    .into_iter()
    .map(|query| (format!("/page/x?{query}"), with(&[])))
    .collect();
    let cookies = [format!("session={one}; a=1"), format!("session={one}; session={other}")];
    all.extend(cookies.iter().map(|cookie| ("/page/x".to_owned(), with(&[("cookie", cookie)]))));
    let elsewhere = ("origin", "https://evil.example");
    all.push(("/page/x".to_owned(), with(&[("cookie", &format!("session={jwt}")), elsewhere])));
    for offered in [
        format!("bearer, {one}, chat"),
        format!("base64url.bearer.example.{encoded}, chat"),
        format!("insecure-key.{jwt}, chat"),
        format!("bearer, {one}, insecure-key.{other}"),
        format!("bearer, {jwt}, bearer, {one}"),
    ] {
        let fields = [HANDSHAKE[0], HANDSHAKE[1], ("sec-websocket-protocol", offered.as_str())];
        all.push(("/ws/x".to_owned(), with(&fields)));
    }
    all.push((format!("/keys/x?other={one}"), with(&[("authorization", &user)])));
    all.push(("/access/x".to_owned(), with(&[("cf-access-jwt-assertion", jwt)])));
    all.push(("/any/x".to_owned(), with(&[("x-proxy-token", jwt), ("authorization", &bearer(one))])));
    all
}

#[test]
fn no_place_of_a_credential_is_shown() {
    let (isolate, world) = (Isolate::named("places"), World::of_fixtures());
    let (one, other, jwt) = (key("sandbox"), key("acme"), token("good-es256"));
    let encoded = Base64UrlUnpadded::encode_string(one.as_bytes());
    for (path, fields) in requests(&one, &other, &jwt) {
        let result = isolate.request(&world, "GET", &path, fields.clone());
        let subject = LoggedRequest { time: noon(), request_id: "request-1", method: "GET" };
        let mut shown = vec![
            result.trace.open(subject),
            isolate.explain(&world, "GET", &path, &fields, None).to_string(),
        ];
        match &result.outcome {
            Outcome::Answer(answer) => shown.push(format!("{answer:?}")),
            Outcome::Forward(forward) => {
                shown.push(format!("{forward:?}"));
                shown.push(format!("{:?}", result.backend_fields));
            }
            Outcome::Load(..) => panic!("{path} was not decided"),
        }
        for text in shown {
            for credential in [&one, &other, &jwt, &encoded] {
                assert!(!text.contains(credential.as_str()), "{path}: {credential} is in {text}");
            }
        }
    }
}
