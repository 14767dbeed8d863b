//! Identifiers that are whole numbers: `42` and `"42"` are one, wherever they come from.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use pointsman_core::{
    base::digest::Digest,
    directory::{log::Change, record_key::RecordKey, row::Row},
};
use pointsman_testkit::{GatewayToml, Isolate, LedgerStub, World, all_to, bearer, token};

const ISSUER: &str = r#"
    name = "main"
    issuer = "https://id.example.com/"
    audience = "https://api.example.com"
    jwks_url = "https://id.example.com/.well-known/jwks.json"
    algorithms = ["ES256"]
"#;

#[test]
fn tokens_of_a_numbered_subject_are_revoked_by_its_digits() {
    for (subject, refused) in [("1122334455667788992", true), ("1122334455667788993", false)] {
        let world = World::of_issuer();
        let key = RecordKey::subject("https://id.example.com/", subject);
        let change = Change { key, row: Some(Row::of("{}")) };
        *world.ledger.borrow_mut() = Some(LedgerStub::of(vec![change]));
        let toml =
            GatewayToml::new().table("[issuers]", ISSUER).backend("b").route("/x", &["main"], &all_to("b"));
        let isolate = Isolate::following(toml.gateway());
        let result = isolate.get(&world, "/x", &[("authorization", &bearer(&token("good-subject-number")))]);
        assert_eq!(result.refusal(), refused.then_some("token_revoked"), "{subject}");
    }
}

/// A key's record and a customer's, each with numbers for what names somebody.
#[test]
fn a_keys_customer_and_host_may_be_numbered() {
    for (claims, outcome) in [
        (r#"{"customerId":17,"tenant_id":17}"#, "https://t17.tenants.example.com/customer"),
        (r#"{"customerId":"17","tenant_id":17}"#, "https://t17.tenants.example.com/customer"),
        (r#"{"customerId":17.0,"tenant_id":17}"#, "customer_id_malformed"),
        (r#"{"customerId":18,"tenant_id":17}"#, "customer_unknown"),
        (r#"{"customerId":-0,"tenant_id":17}"#, "customer_id_malformed"),
    ] {
        let world = World::empty();
        let digest = Digest::of(b"key-of-17");
        world.put(&format!("key:{digest}"), &format!(r#"{{"subject":4,"claims":{claims}}}"#));
        world.put("customer:17", r#"{"customerId":17,"backendUrl":"https://t17.tenants.example.com"}"#);
        let isolate = Isolate::new(
            GatewayToml::new()
                .table("api_keys", "checksum = false")
                .table("customers", "claim = \"customerId\"")
                .table("backends.own", "url = \"https://{tenant_id}.api.example.com\"")
                .route("/customer", &["api_key"], "rules = [{ name = \"c\", to = \"customer\" }]")
                .route("/host", &["api_key"], &all_to("own"))
                .gateway(),
        );
        let told = |path: &str| {
            let result = isolate.get(&world, path, &[("authorization", "Bearer key-of-17")]);
            let subject = result.backend_fields.get("x-subject").cloned();
            (result.forwarded().or(result.refusal()).expect("an outcome").to_owned(), subject)
        };
        assert_eq!(told("/customer").0, outcome, "{claims}");
        let host = ("https://17.api.example.com/host".to_owned(), Some(vec!["4".to_owned()]));
        assert_eq!(told("/host"), host, "{claims}");
    }
}
