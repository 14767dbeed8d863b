//! One entry of `[[issuers]]` for many tenants: what is one tenant's is not another's.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use pointsman_core::{
    base::time::Span,
    decide::decision::Outcome,
    directory::{log::Change, record_key::RecordKey, row::Row},
};
use pointsman_testkit::{GatewayToml, Isolate, KEY_SET, LedgerStub, World, all_to, bearer, read, token};

/// The same subject in two tenants.
const TENANTS: [&str; 2] = ["of-a-tenant", "of-another-tenant"];
const ISSUER: &str = r#"
    name = "entra"
    issuer = "https://login.example.com/{tid}/v2.0"
    audience = "https://api.example.com"
    jwks_url = "https://id.example.com/.well-known/jwks.json"
    algorithms = ["ES256"]
"#;

fn settings(route: &str) -> GatewayToml {
    GatewayToml::new().table("[issuers]", ISSUER).backend("b").route("/{+path}", &["entra"], route)
}

#[test]
fn a_limit_by_subject_counts_the_subjects_of_two_tenants_apart() {
    let limit = "binding = \"LIMIT\"\nlimit = 1\nperiod = \"60s\"\nby = \"$subject\"";
    let route = format!("{}\nlimits = [\"each\"]", all_to("b"));
    let isolate = Isolate::new(settings(&route).table("limits.each", limit).gateway());
    let world = World::of_issuer();
    let keys = TENANTS.map(|name| {
        let result = isolate.get(&world, "/x", &[("authorization", &bearer(&token(name)))]);
        let Outcome::Forward(forward) = result.outcome else { panic!("{:?}", result.refusal()) };
        forward.admission.expect("the route has a limit").asks[0].key.clone()
    });
    assert_ne!(keys[0], keys[1]);
}

#[test]
fn what_the_subject_of_one_tenant_meets_at_an_origin_counts_for_no_other_tenants() {
    let origins = "origins = [{ url = \"https://a.example.com\" }, { url = \"https://b.example.com\" }]";
    let two = GatewayToml::new().table("[issuers]", ISSUER).table("backends.two", origins);
    let isolate = Isolate::new(two.route("/{+path}", &["entra"], &all_to("two")).gateway());
    let world = World::of_issuer();
    let callers = TENANTS.map(|name| {
        let result = isolate.get(&world, "/x", &[("authorization", &bearer(&token(name)))]);
        let Outcome::Forward(forward) = result.outcome else { panic!("{:?}", result.refusal()) };
        forward.sending.plan().expect("there are two origins").caller.clone().unwrap()
    });
    assert_ne!(callers[0], callers[1]);
}

#[test]
fn a_key_of_another_tenant_signs_for_nobody_here() {
    let set = read("fixtures/keys/issuer.jwks.json");
    let iss = |tenant: &str| format!("https://login.example.com/{tenant}/v2.0");
    let own = "7f58f645-c190-4ce5-9de4-e2b7acd2a6ab";
    for (issuer, refused) in [
        (None, None),
        (Some(iss("{tenantid}")), None),
        (Some(iss(own)), None),
        (Some(iss("9188040d-6c67-4c5b-b112-36a304b66dad")), Some("token_key_unusable".to_owned())),
    ] {
        let mut set: serde_json::Value = serde_json::from_str(&set).unwrap();
        for key in set["keys"].as_array_mut().unwrap() {
            if let Some(issuer) = &issuer {
                key["issuer"] = issuer.as_str().into();
            }
        }
        let world = World::empty();
        world.answer(KEY_SET, 200, &set.to_string());
        let isolate = Isolate::new(settings(&all_to("b")).gateway());
        let result = isolate.get(&world, "/x", &[("authorization", &bearer(&token("of-a-tenant")))]);
        assert_eq!(result.refusal().map(str::to_owned), refused, "{issuer:?}");
    }
}

#[test]
fn a_revocation_is_of_one_tenant() {
    let iss = "https://login.example.com/7f58f645-c190-4ce5-9de4-e2b7acd2a6ab/v2.0";
    for (revoked, refused) in [(iss, true), ("https://login.example.com/{tid}/v2.0", false)] {
        let world = World::of_issuer();
        let change = Change { key: RecordKey::subject(revoked, "user-1"), row: Some(Row::of("{}")) };
        *world.ledger.borrow_mut() = Some(LedgerStub::of(vec![change]));
        let isolate = Isolate::following(settings(&all_to("b")).gateway());
        for _ in ["cold", "warm"] {
            let told = TENANTS.map(|name| {
                let result = isolate.get(&world, "/x", &[("authorization", &bearer(&token(name)))]);
                result.refusal().map(str::to_owned)
            });
            assert_eq!(told, [refused.then(|| "token_revoked".to_owned()), None], "{revoked}");
            world.pass(Span::from_secs(1));
        }
    }
}
