//! Tokens that are bound to a key (DPoP, RFC 9449) or to a client certificate (RFC 8705): they are good for who holds that,
//! and for nobody else.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use pointsman_core::{base::time::Span, decide::decision::Outcome, http::answer::Answer};
use pointsman_testkit::{
    GatewayToml, Isolate, Result_, TestFields, World, all_to, digest_of, mint, noon, public_jwk, thumbprint,
};
use serde_json::{Value, json};

const FINGERPRINT: &str = "eddd913a5bfa3be9b3198616ebb43572cf137bcd6ac5880bb97ae2614fca8133";
/// The same in base64url.
const X5T: &str = "7d2ROlv6O-mzGYYW67Q1cs8Te81qxYgLuXriYU_KgTM";

fn settings(lines: &str) -> GatewayToml {
    let issuer = format!(
        "name = \"main\"\nissuer = \"https://id.example.com/\"\naudience = \"https://api.example.com\"\n\
         jwks_url = \"https://id.example.com/.well-known/jwks.json\"\nalgorithms = [\"ES256\"]\n{lines}"
    );
    GatewayToml::new().table("[issuers]", &issuer).backend("b").route("/{+path}", &["main"], &all_to("b"))
}

fn isolate(lines: &str) -> Isolate {
    Isolate::new(settings(lines).gateway())
}

fn token(cnf: &Value) -> String {
    let mut claims = json!({
        "iss": "https://id.example.com/",
        "aud": "https://api.example.com",
        "sub": "user-1",
        "exp": 4_102_444_800_u64,
    });
    if !cnf.is_null() {
        claims["cnf"] = cnf.clone();
    }
    mint("es256-1", &json!({ "alg": "ES256", "typ": "at+jwt", "kid": "es256-1" }), &claims)
}

/// A token of whoever holds the key `es256-2`.
fn bound() -> String {
    token(&json!({ "jkt": thumbprint("es256-2") }))
}

fn proof_header() -> Value {
    json!({ "alg": "ES256", "typ": "dpop+jwt", "jwk": public_jwk("es256-2") })
}

fn proof_claims(token: &str, jti: &str) -> Value {
    json!({
        "jti": jti,
        "htm": "GET",
        "htu": "https://gateway.example.com/a/b",
        "iat": noon().millis() / 1000,
        "ath": digest_of(token),
    })
}

fn proof(token: &str, jti: &str) -> String {
    mint("es256-2", &proof_header(), &proof_claims(token, jti))
}

fn with_proof(isolate: &Isolate, world: &World, token: &str, proof: &str) -> Result_ {
    let authorization = format!("DPoP {token}");
    isolate.get(world, "/a/b?q=1", &[("authorization", &authorization), ("dpop", proof)])
}

fn answer(result: &Result_) -> &Answer {
    match &result.outcome {
        Outcome::Answer(answer) => answer,
        _ => panic!("it was forwarded"),
    }
}

fn field<'a>(result: &'a Result_, name: &str) -> Option<&'a str> {
    answer(result).fields.iter().find(|(own, _)| *own == name).map(|(_, value)| value.as_str())
}

fn is_forwarded(result: &Result_) -> bool {
    matches!(result.outcome, Outcome::Forward(_))
}

#[test]
fn whoever_proves_to_hold_the_key_passes_and_a_copied_token_is_no_use() {
    let (isolate, world, token) = (isolate("dpop = \"accepted\""), World::of_fixtures(), bound());
    for jti in ["cold", "warm"] {
        let result = with_proof(&isolate, &world, &token, &proof(&token, jti));
        assert!(is_forwarded(&result), "{jti}: {:?}", result.refusal());
        for name in ["authorization", "dpop"] {
            assert!(!result.backend_fields.contains_key(name), "the backend got {name}");
        }
        assert_eq!(result.backend_fields["x-authenticated-by"], ["main"]);
    }
    let bearer = format!("Bearer {token}");
    for fields in [
        vec![("authorization", bearer.as_str())],
        vec![("authorization", bearer.as_str()), ("dpop", &proof(&token, "as-bearer"))],
    ] {
        assert_eq!(isolate.get(&world, "/a/b", &fields).refusal(), Some("token_bound_to_key"));
    }
    let dpop = format!("DPoP {token}");
    let result = isolate.get(&world, "/a/b", &[("authorization", &dpop)]);
    assert_eq!(result.refusal(), Some("dpop_proof_missing"));
    assert!(
        field(&result, "www-authenticate").unwrap().starts_with("DPoP error=\"invalid_dpop_proof\", algs=\"")
    );
}

#[test]
fn a_proof_counts_once_for_one_request_with_one_token_at_its_time() {
    let (isolate, world, token) = (isolate("dpop = \"accepted\""), World::of_fixtures(), bound());
    let other = self::token(&json!({ "jkt": thumbprint("es256-2"), "x5t#S256": X5T }));
    let with = |name: &str, value: Value| {
        let mut claims = proof_claims(&token, name);
        claims[name] = value;
        mint("es256-2", &proof_header(), &claims)
    };
    let headed = |name: &str, value: Value| {
        let mut header = proof_header();
        header[name] = value;
        mint("es256-2", &header, &proof_claims(&token, name))
    };
    let now = noon().millis() / 1000;
    let mut private = public_jwk("es256-2");
    private["d"] = json!("AAAA");
    let once = proof(&token, "once");
    assert!(is_forwarded(&with_proof(&isolate, &world, &token, &once)));
    let (good, stranger) =
        (proof(&token, "good"), mint("stranger", &proof_header(), &proof_claims(&token, "s")));
    for (what, proof, refused) in [
        ("a second time", once, "dpop_proof_replayed"),
        ("another jti is another proof, and the same one is not", with("iat", json!(now - 1)), ""),
        ("method", with("htm", json!("POST")), "dpop_proof_request"),
        ("method in lower case", with("htm", json!("get")), "dpop_proof_request"),
        ("path", with("htu", json!("https://gateway.example.com/a/c")), "dpop_proof_request"),
        ("host", with("htu", json!("https://other.example.com/a/b")), "dpop_proof_request"),
        ("scheme", with("htu", json!("http://gateway.example.com/a/b")), "dpop_proof_request"),
        ("no URL", with("htu", json!("/a/b")), "dpop_proof_request"),
        ("port", with("htu", json!("https://gateway.example.com:8443/a/b")), "dpop_proof_request"),
        ("encoded slash", with("htu", json!("https://gateway.example.com/a%2Fb")), "dpop_proof_request"),
        (
            "of another token",
            mint("es256-2", &proof_header(), &proof_claims(&other, "ath")),
            "dpop_proof_token",
        ),
        ("no ath", with("ath", Value::Null), "dpop_proof_malformed"),
        ("too old", with("iat", json!(now - 61)), "dpop_proof_time"),
        ("not made yet", with("iat", json!(now + 6)), "dpop_proof_time"),
        ("iat as text", with("iat", json!(now.to_string())), "dpop_proof_malformed"),
        ("no jti", with("jti", Value::Null), "dpop_proof_malformed"),
        ("empty jti", with("jti", json!("")), "dpop_proof_malformed"),
        ("typ", headed("typ", json!("JWT")), "dpop_proof_malformed"),
        ("no typ", headed("typ", Value::Null), "dpop_proof_malformed"),
        ("alg none", headed("alg", json!("none")), "dpop_proof_malformed"),
        ("alg of another kind", headed("alg", json!("RS256")), "dpop_proof_malformed"),
        ("a symmetric alg", headed("alg", json!("HS256")), "dpop_proof_malformed"),
        ("crit", headed("crit", json!(["x"])), "dpop_proof_malformed"),
        ("private key", headed("jwk", private.clone()), "dpop_proof_malformed"),
        ("no key", headed("jwk", Value::Null), "dpop_proof_malformed"),
        ("two proofs", format!("{good}, {good}"), "dpop_proof_malformed"),
        ("no JWT", "x".to_owned(), "dpop_proof_malformed"),
        ("another key", headed("jwk", public_jwk("stranger")), "dpop_proof_key"),
        ("signed with another key", stranger, "dpop_proof_signature"),
    ] {
        let result = with_proof(&isolate, &world, &token, &proof);
        assert_eq!(result.refusal().unwrap_or_default(), refused, "{what}");
    }
    for (name, htu) in [
        ("capitals", "HTTPS://GATEWAY.example.com/a/b"),
        ("usual port", "https://gateway.example.com:443/a/b"),
        ("query and fragment", "https://gateway.example.com/a/b?x=2#y"),
        ("encoded letter", "https://gateway.example.com/%61/b"),
    ] {
        let mut claims = proof_claims(&token, name);
        claims["htu"] = json!(htu);
        let result = with_proof(&isolate, &world, &token, &mint("es256-2", &proof_header(), &claims));
        assert!(is_forwarded(&result), "{name}: {:?}", result.refusal());
    }
}

#[test]
fn a_refused_proof_can_be_sent_again_and_a_question_uses_none_up() {
    let (isolate, world, token) = (isolate("dpop = \"accepted\""), World::of_fixtures(), bound());
    let fields = |proof: &str| TestFields {
        fields: vec![
            ("authorization".to_owned(), format!("DPoP {token}")),
            ("dpop".to_owned(), proof.to_owned()),
        ],
        ..TestFields::default()
    };
    let asked = proof(&token, "asked");
    for _ in 0..2 {
        let told = isolate.explain(&world, "GET", "/a/b", &fields(&asked), None);
        assert_eq!(told["outcome"], "forward", "{told}");
        let proof = &told["steps"][1]["proof"];
        assert_eq!(proof["expected"]["htu"], proof["claims"]["htu"]);
        assert_eq!(proof["expected"]["jkt"], thumbprint("es256-2"));
        assert!(!told.to_string().contains(&asked), "a proof stands in an explanation");
    }
    assert!(is_forwarded(&with_proof(&isolate, &world, &token, &asked)));
    // Somebody else's proof of the same jti is another proof.
    let other = mint(
        "es256-1",
        &json!({ "alg": "ES256", "kid": "es256-1" }),
        &json!({
            "iss": "https://id.example.com/", "aud": "https://api.example.com", "exp": 4_102_444_800_u64,
            "cnf": { "jkt": thumbprint("es256-3") },
        }),
    );
    let header = json!({ "alg": "ES256", "typ": "dpop+jwt", "jwk": public_jwk("es256-3") });
    let proof = mint("es256-3", &header, &proof_claims(&other, "asked"));
    assert!(is_forwarded(&with_proof(&isolate, &world, &other, &proof)));
}

#[test]
fn what_a_proof_is_for_is_asked_of_plain_tokens_too() {
    let world = World::of_fixtures();
    let (plain, token) = (token(&Value::Null), bound());
    let required = isolate("dpop = \"required\"");
    let bearer = format!("Bearer {plain}");
    let result = required.get(&world, "/a/b", &[("authorization", &bearer)]);
    assert_eq!(result.refusal(), Some("token_not_bound"));
    assert!(field(&result, "www-authenticate").unwrap().starts_with("DPoP error=\"invalid_token\", algs=\""));
    assert!(is_forwarded(&with_proof(&required, &world, &token, &proof(&token, "1"))));
    let accepted = isolate("dpop = \"accepted\"");
    assert!(is_forwarded(&accepted.get(&world, "/a/b", &[("authorization", &bearer)])));
    let result = accepted.get(&world, "/a/b", &[]);
    assert!(field(&result, "www-authenticate").unwrap().starts_with("Bearer, DPoP algs=\""));
    // Behind DPoP a token that is bound to nothing proves nothing.
    let result = with_proof(&accepted, &world, &plain, &proof(&plain, "2"));
    assert_eq!(result.refusal(), Some("token_not_bound"));
    // Where nobody configured it, nothing has changed.
    let refused = isolate("");
    let result = with_proof(&refused, &world, &token, &proof(&token, "3"));
    assert_eq!(result.refusal(), Some("token_bound_to_key"));
    assert_eq!(field(&result, "www-authenticate"), Some("Bearer error=\"invalid_token\""));
}

#[test]
fn a_nonce_is_given_out_and_counts_for_its_time() {
    let secret = "0123456789abcdef0123456789abcdef";
    let toml = settings("dpop = \"required\"")
        .table("dpop", &format!("nonce_secret = \"{secret}\"\nmax_age = \"30s\""));
    let (isolate, world, token) = (Isolate::new(toml.gateway()), World::of_fixtures(), bound());
    let with_nonce = |nonce: &str, jti: &str, world: &World| {
        let mut claims = proof_claims(&token, jti);
        claims["iat"] = json!(world.now.get().millis() / 1000);
        claims["nonce"] = json!(nonce);
        mint("es256-2", &proof_header(), &claims)
    };
    let result = with_proof(&isolate, &world, &token, &proof(&token, "none"));
    assert_eq!(result.refusal(), Some("dpop_nonce"));
    assert!(field(&result, "www-authenticate").unwrap().starts_with("DPoP error=\"use_dpop_nonce\", "));
    let nonce = field(&result, "dpop-nonce").unwrap().to_owned();
    assert_eq!(answer(&result).status, 401);
    let result = with_proof(&isolate, &world, &token, &with_nonce("made-up", "1", &world));
    assert_eq!(result.refusal(), Some("dpop_nonce"));
    let result = with_proof(&isolate, &world, &token, &with_nonce(&nonce, "2", &world));
    let Outcome::Forward(forward) = &result.outcome else { panic!("{:?}", result.refusal()) };
    assert!(forward.edits.set.iter().any(|(name, value)| *name == "dpop-nonce" && *value == nonce));
    // The one before still counts, and the answer has the next.
    world.pass(Span::from_secs(30));
    let result = with_proof(&isolate, &world, &token, &with_nonce(&nonce, "3", &world));
    let Outcome::Forward(forward) = &result.outcome else { panic!("{:?}", result.refusal()) };
    assert!(forward.edits.set.iter().any(|(name, value)| *name == "dpop-nonce" && *value != nonce));
    world.pass(Span::from_secs(30));
    let result = with_proof(&isolate, &world, &token, &with_nonce(&nonce, "4", &world));
    assert_eq!(result.refusal(), Some("dpop_nonce"));
}

#[test]
fn a_resource_says_how_tokens_must_be_bound() {
    for (lines, required) in
        [("dpop = \"required\"\ncertificate_bound = \"accepted\"", true), ("dpop = \"accepted\"", false)]
    {
        let route = format!("resource = {{}}\n{}", all_to("b"));
        let toml = settings(lines).route("/mcp", &["main"], &route);
        let (isolate, world) = (Isolate::new(toml.gateway()), World::of_fixtures());
        let result = isolate.get(&world, "/.well-known/oauth-protected-resource/mcp", &[]);
        let document: Value = serde_json::from_str(answer(&result).body.as_deref().unwrap()).unwrap();
        assert_eq!(document["dpop_bound_access_tokens_required"], required);
        let algorithms = document["dpop_signing_alg_values_supported"].as_array().unwrap();
        assert!(algorithms.contains(&json!("ES256")) && !algorithms.contains(&json!("HS256")));
        let by_certificate = &document["tls_client_certificate_bound_access_tokens"];
        assert_eq!(*by_certificate, if required { json!(true) } else { Value::Null });
    }
}

fn by_certificate(
    isolate: &Isolate,
    world: &World,
    token: &str,
    certificate: &Value,
) -> Option<&'static str> {
    let cf = json!({ "tlsClientAuth": certificate });
    let fields = TestFields {
        fields: vec![("authorization".to_owned(), format!("Bearer {token}"))],
        cf: cf.as_object().unwrap().clone(),
    };
    isolate.request(world, "GET", "/a/b", fields).refusal()
}

#[test]
fn a_token_of_a_certificate_is_good_on_that_certificate_s_connections() {
    let (isolate, world) = (isolate("certificate_bound = \"accepted\""), World::of_fixtures());
    let token = token(&json!({ "x5t#S256": X5T }));
    let good = json!({
        "certPresented": "1", "certVerified": "SUCCESS", "certRevoked": "0", "certFingerprintSHA256": FINGERPRINT,
    });
    let with = |name: &str, value: &str| {
        let mut certificate = good.clone();
        certificate[name] = json!(value);
        certificate
    };
    let missing = Some("client_certificate_missing");
    let other = FINGERPRINT.replace("ed", "de");
    for _ in ["cold", "warm"] {
        for (certificate, refused) in [
            (good.clone(), None),
            (with("certFingerprintSHA256", &FINGERPRINT.to_uppercase()), None),
            (with("certFingerprintSHA256", &other), Some("client_certificate_other")),
            (with("certFingerprintSHA256", ""), missing),
            (with("certVerified", "FAILED:self signed certificate"), missing),
            (with("certRevoked", "1"), missing),
            (with("certPresented", "0"), missing),
            (Value::Null, missing),
        ] {
            assert_eq!(by_certificate(&isolate, &world, &token, &certificate), refused, "{certificate}");
        }
    }
    // Bound in two ways: both are asked.
    let both = self::token(&json!({ "x5t#S256": X5T, "jkt": thumbprint("es256-2") }));
    assert_eq!(by_certificate(&isolate, &world, &both, &good), Some("token_bound_to_key"));
}
