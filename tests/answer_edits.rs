//! What is done to answers that nobody else may be given, and to those of customers' own backends, by the whole core.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use pointsman_core::{
    decide::decision::Outcome,
    http::cors::{AnswerEdits, AnswerPrivacy},
};
use pointsman_testkit::{Isolate, World, bearer, key};

fn edits(gateway: &str, path: &str, credential: Option<(&str, &str)>) -> AnswerEdits {
    let (isolate, world) = (Isolate::named(gateway), World::of_fixtures());
    let fields: Vec<_> = credential.into_iter().collect();
    match isolate.get(&world, path, &fields).outcome {
        Outcome::Forward(forward) => forward.edits,
        _ => panic!("{path} is not forwarded"),
    }
}

#[test]
fn the_callers_own_answers_are_kept_from_shared_caches() {
    let acme = bearer(&key("acme"));
    let authorized = edits("demo", "/tiers/x", Some(("authorization", &acme)));
    assert_eq!(authorized.privacy, AnswerPrivacy::IfShareable);
    assert_eq!(edits("demo", "/hybrid/x", None).privacy, AnswerPrivacy::Untouched);
    let own_field = edits("own-field", "/keys/x", Some(("x-api-key", &key("acme"))));
    assert_eq!(own_field.privacy, AnswerPrivacy::UnlessPrivate);
}

#[test]
fn answers_of_a_customers_own_backend_do_not_speak_for_the_origin() {
    let acme = bearer(&key("acme"));
    let isolates = |path: &str| edits("demo", path, Some(("authorization", &acme))).isolates;
    assert!(isolates("/customers/x") && isolates("/hybrid/x") && isolates("/api/v1/x"));
    assert!(!isolates("/tiers/x") && !edits("demo", "/hybrid/x", None).isolates);
}

#[test]
fn a_handshake_is_never_answered_with_the_credential() {
    let (isolate, world) = (Isolate::named("places"), World::of_fixtures());
    let answered = |offered: &str| {
        let fields = [("upgrade", "websocket"), ("sec-websocket-protocol", offered)];
        match isolate.get(&world, "/ws/x", &fields).outcome {
            Outcome::Forward(forward) => {
                let own = forward.edits.set.iter().find(|(name, _)| *name == "sec-websocket-protocol");
                own.map(|(_, value)| value.clone())
            }
            other => panic!("{offered}: {other:?}"),
        }
    };
    let key = key("acme");
    assert_eq!(answered(&format!("v1, insecure-key.{key}")).as_deref(), Some("v1"));
    // A client may offer its key a second time, by itself.
    assert_eq!(answered(&format!("{key}, insecure-key.{key}")), None);
}
