//! One entry of `[[issuers]]` for many tenants: what is one tenant's is not another's.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use pointsman_core::{
    base::time::Span,
    decide::decision::Outcome,
    directory::{
        log::{Change, Complete, Epoch, Head, Manifest},
        record_key::RecordKey,
        row::Row,
    },
};
use pointsman_testkit::{GatewayToml, Isolate, LedgerStub, World, all_to, bearer, noon, read, token};

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

fn world() -> World {
    let world = World::empty();
    world.answer(
        "https://id.example.com/.well-known/jwks.json",
        200,
        &read("fixtures/keys/issuer.jwks.json"),
    );
    world
}

#[test]
fn a_limit_by_subject_counts_the_subjects_of_two_tenants_apart() {
    let limit = "binding = \"LIMIT\"\nlimit = 1\nperiod = \"60s\"\nby = \"$subject\"";
    let route = format!("{}\nlimits = [\"each\"]", all_to("b"));
    let isolate = Isolate::new(settings(&route).table("limits.each", limit).gateway());
    let world = world();
    let keys = TENANTS.map(|name| {
        let result = isolate.get(&world, "/x", &[("authorization", &bearer(&token(name)))]);
        let Outcome::Forward(forward) = result.outcome else { panic!("{:?}", result.refusal()) };
        forward.admission.expect("the route has a limit").asks[0].key.clone()
    });
    assert_ne!(keys[0], keys[1]);
}

#[test]
fn a_revocation_is_of_one_tenant() {
    let iss = "https://login.example.com/7f58f645-c190-4ce5-9de4-e2b7acd2a6ab/v2.0";
    for (revoked, refused) in [(iss, true), ("https://login.example.com/{tid}/v2.0", false)] {
        let world = world();
        let change = Change { key: RecordKey::subject(revoked, "user-1"), row: Some(Row::of("{}")) };
        let head = Head {
            epoch: Epoch([1; 16]),
            revision: 1,
            as_of: noon(),
            pace: 100,
            manifest: Manifest { complete: Complete { keys: true, customers: true }, ..Manifest::default() },
            first: 1,
            changes: vec![change],
        };
        *world.ledger.borrow_mut() = Some(LedgerStub { head, ..LedgerStub::default() });
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
