//! Tokens that only their issuer can read (RFC 7662): what it says counts for a while, and what it does not say never does.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use pointsman_core::{base::time::Span, decide::decision::Outcome};
use pointsman_testkit::{
    GatewayToml, Isolate, Result_, Source, World, all_to, bearer, digest_of, mint, noon, public_jwk,
    thumbprint, token,
};
use serde_json::{Value, json};

const ENDPOINT: &str = "https://opaque.example.com/introspect";
const TOKEN: &str = "ory_at_9fK2";
const SECRET: &str = "only-for-the-issuer";

fn settings(lines: &str) -> GatewayToml {
    let issuer = format!(
        "name = \"opaque\"\nissuer = \"https://opaque.example.com/\"\n\
         introspection = {{ url = \"{ENDPOINT}\", client_id = \"gateway\", client_secret = \"{SECRET}\" }}\n{lines}"
    );
    GatewayToml::new()
        .table("[issuers]", &issuer)
        .table("customers", "claim = \"tenant\"")
        .table("api_keys", "prefixes = [\"sk_test\"]")
        .backend("b")
}

fn isolate(lines: &str) -> Isolate {
    Isolate::new(settings(lines).route("/{+path}", &["opaque"], &all_to("b")).gateway())
}

fn world(answer: &Value) -> World {
    let world = World::of_fixtures();
    world.answer(ENDPOINT, 200, &answer.to_string());
    world
}

fn active() -> Value {
    json!({ "active": true, "sub": "user-1", "scope": "read", "tenant": "acme-corp" })
}

fn ask(isolate: &Isolate, world: &World, token: &str) -> Result_ {
    isolate.get(world, "/x", &[("authorization", &bearer(token))])
}

fn calls(world: &World) -> usize {
    world.take_asked().iter().filter(|asked| asked.starts_with("post ")).count()
}

#[test]
fn what_the_issuer_calls_active_passes_and_is_remembered_for_a_while() {
    let (isolate, world) = (isolate(""), world(&active()));
    for _ in ["cold", "warm"] {
        let result = ask(&isolate, &world, TOKEN);
        assert!(matches!(result.outcome, Outcome::Forward(_)), "{:?}", result.refusal());
        assert_eq!(result.backend_fields["x-subject"], ["user-1"]);
        assert_eq!(result.backend_fields["x-customer-id"], ["acme-corp"]);
        assert_eq!(result.backend_fields["x-authenticated-by"], ["opaque"]);
        assert!(!result.backend_fields.contains_key("authorization"));
    }
    let asked = world.take_asked();
    assert_eq!(asked, [format!("post {ENDPOINT} token={TOKEN}&token_type_hint=access_token")]);
    // In the second half of its time it is asked again, behind the response.
    world.pass(Span::from_secs(29));
    assert_eq!((ask(&isolate, &world, TOKEN).refusal(), calls(&world)), (None, 0));
    world.pass(Span::from_secs(2));
    assert_eq!((ask(&isolate, &world, TOKEN).refusal(), calls(&world)), (None, 1));
    // It is ended: within that time nobody is let in by it any more.
    world.answer(ENDPOINT, 200, &json!({ "active": false }).to_string());
    world.pass(Span::from_secs(60));
    for calls_of in [1, 0] {
        let result = ask(&isolate, &world, TOKEN);
        assert_eq!((result.refusal(), calls(&world)), (Some("token_inactive"), calls_of));
    }
    // What was inactive may be a token that was not there yet.
    world.answer(ENDPOINT, 200, &active().to_string());
    world.pass(Span::from_secs(31));
    assert_eq!(ask(&isolate, &world, TOKEN).refusal(), None);
}

#[test]
fn an_answer_counts_no_longer_than_the_token() {
    let (isolate, world) = (isolate("fresh = \"5m\""), World::of_fixtures());
    let mut answer = active();
    answer["exp"] = json!(noon().millis() / 1000 + 10);
    world.answer(ENDPOINT, 200, &answer.to_string());
    assert_eq!(ask(&isolate, &world, TOKEN).refusal(), None);
    world.take_asked();
    world.pass(Span::from_secs(10));
    let result = ask(&isolate, &world, TOKEN);
    assert_eq!(
        (result.refusal(), calls(&world)),
        (Some("token_expired"), 1),
        "the issuer is asked, and is wrong"
    );
}

#[test]
fn what_is_no_answer_is_never_a_bad_token_and_the_issuer_is_left_alone() {
    for (status, body) in [(200, "[]"), (200, "{}"), (200, "{\"active\":1}"), (401, ""), (500, ""), (302, "")]
    {
        let (isolate, world) = (isolate(""), World::of_fixtures());
        world.answer(ENDPOINT, status, body);
        for calls_of in [1, 0] {
            let result = ask(&isolate, &world, TOKEN);
            let refused = Some("introspection_unavailable");
            assert_eq!((result.refusal(), calls(&world)), (refused, calls_of), "{status} {body}");
            let Outcome::Answer(answer) = &result.outcome else { panic!("forwarded") };
            assert_eq!(answer.status, 503);
        }
        assert!(world.warnings.borrow()[0].starts_with("introspection_failed: opaque: "));
        for warning in world.warnings.borrow().iter() {
            assert!(!warning.contains(TOKEN) && !warning.contains(SECRET), "{warning}");
        }
        world.answer(ENDPOINT, 200, &active().to_string());
        world.pass(Span::from_secs(40));
        assert_eq!(ask(&isolate, &world, TOKEN).refusal(), None, "{status}");
    }
    // Who is known stays served while the issuer is down, until the answer's own end.
    let (isolate, world) = (isolate(""), world(&active()));
    assert_eq!(ask(&isolate, &world, TOKEN).refusal(), None);
    world.documents.borrow_mut().insert(ENDPOINT.to_owned(), Source::Fails);
    world.pass(Span::from_secs(40));
    assert_eq!(ask(&isolate, &world, TOKEN).refusal(), None);
    world.pass(Span::from_secs(20));
    assert_eq!(ask(&isolate, &world, TOKEN).refusal(), Some("introspection_unavailable"));
}

#[test]
fn what_the_issuer_says_must_fit() {
    let later = noon().millis() / 1000 + 600;
    for (lines, member, value, refused) in [
        ("", "iss", json!("https://other.example.com/"), Some("token_issuer")),
        ("", "iss", json!("https://opaque.example.com/"), None),
        ("audience = \"api\"", "aud", json!("other"), Some("token_audience")),
        ("audience = \"api\"", "scope", json!("read"), Some("token_audience")),
        ("audience = \"api\"", "aud", json!(["other", "api"]), None),
        ("", "exp", json!("soon"), Some("token_expiry_malformed")),
        ("", "exp", json!(later), None),
        ("", "cnf", json!({ "jkt": "AAAA" }), Some("token_bound_to_key")),
        ("customers = [\"wayne-ent\"]", "tenant", json!("acme-corp"), Some("token_customer_not_of_issuer")),
        ("subject = \"client_id\"", "client_id", json!({}), Some("token_subject")),
        ("dpop = \"required\"", "scope", json!("read"), Some("token_not_bound")),
    ] {
        let mut answer = active();
        answer[member] = value;
        let (isolate, world) = (isolate(lines), world(&answer));
        for _ in ["cold", "warm"] {
            assert_eq!(ask(&isolate, &world, TOKEN).refusal(), refused, "{lines} {answer}");
        }
    }
}

#[test]
fn what_cannot_be_a_token_is_asked_of_nobody() {
    let (isolate, world) = (isolate(""), world(&active()));
    for value in [
        "Bearer",
        "Bearer a b",
        "Bearer a,b",
        "Bearer \u{e9}",
        "Basic b3J5",
        "Digest x",
        &bearer(&"a".repeat(4097)),
    ] {
        let result = isolate.get(&world, "/x", &[("authorization", value)]);
        assert!(result.refusal().is_some() && calls(&world) == 0, "{value}");
    }
    let result = isolate.get(&world, "/x", &[("authorization", &bearer(TOKEN)), ("x-api-key", "k")]);
    assert_eq!(result.refusal(), None, "no field for keys is configured beside it");
}

#[test]
fn keys_and_tokens_that_can_be_read_are_shown_to_nobody() {
    let toml = settings("").issuer("id").route("/{+path}", &["api_key", "opaque", "id"], &all_to("b"));
    let (isolate, world) = (Isolate::new(toml.gateway()), world(&active()));
    for credential in ["sk_test_DEMOsandbox00000000000_3Ak2IU", &token("good-es256")] {
        let result = ask(&isolate, &world, credential);
        assert!(calls(&world) == 0 && result.refusal() != Some("token_inactive"), "{credential}");
    }
    assert_eq!((ask(&isolate, &world, TOKEN).refusal(), calls(&world)), (None, 1));
    // Where the route takes no tokens that can be read, one of three parts is the issuer's too.
    let isolate = self::isolate("");
    assert_eq!((ask(&isolate, &world, "a.b.c").refusal(), calls(&world)), (None, 1));
    // And a route that takes none of its tokens shows it nothing.
    let isolate = Isolate::new(settings("").route("/{+path}", &["api_key"], &all_to("b")).gateway());
    assert_eq!((ask(&isolate, &world, TOKEN).refusal(), calls(&world)), (Some("credential_malformed"), 0));
}

#[test]
fn a_token_that_the_issuer_calls_bound_needs_its_proof() {
    let mut answer = active();
    answer["cnf"] = json!({ "jkt": thumbprint("es256-2") });
    let (isolate, world) = (isolate("dpop = \"accepted\""), world(&answer));
    assert_eq!(ask(&isolate, &world, TOKEN).refusal(), Some("token_bound_to_key"));
    let claims = json!({
        "jti": "1", "htm": "GET", "htu": "https://gateway.example.com/x", "iat": noon().millis() / 1000,
        "ath": digest_of(TOKEN),
    });
    let header = json!({ "alg": "ES256", "typ": "dpop+jwt", "jwk": public_jwk("es256-2") });
    let proof = mint("es256-2", &header, &claims);
    let authorization = format!("DPoP {TOKEN}");
    let result = isolate.get(&world, "/x", &[("authorization", &authorization), ("dpop", &proof)]);
    assert_eq!(result.refusal(), None);
}

#[test]
fn a_browser_s_websocket_can_show_one_and_an_explanation_shows_none() {
    let lines = format!("credential_in = {{ query = \"access_token\" }}\n{}", all_to("b"));
    let isolate = Isolate::new(settings("").route("/{+path}", &["opaque"], &lines).gateway());
    let world = world(&active());
    let result = isolate.get(&world, &format!("/x?access_token={TOKEN}&a=1"), &[]);
    assert_eq!(result.forwarded(), Some("https://b.example.com/x?a=1"));
    let fields = pointsman_testkit::TestFields {
        fields: vec![("authorization".to_owned(), bearer(TOKEN))],
        ..pointsman_testkit::TestFields::default()
    };
    let told = isolate.explain(&world, "GET", "/x", &fields, None);
    assert_eq!(told["outcome"], "forward");
    assert!(told.to_string().contains("opaque_token"));
    assert!(!told.to_string().contains(TOKEN) && !told.to_string().contains(SECRET));
}
