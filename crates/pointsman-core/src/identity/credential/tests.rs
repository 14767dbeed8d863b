use super::*;
use crate::http::head::{RequestTarget, test_support::TestFields};

fn find(fields: &[(&str, &str)], keys: &ApiKeys) -> Result<Option<Credential<'static>>, Refusal> {
    let fields = TestFields::new(fields);
    let head = Head {
        method: "GET",
        target: RequestTarget::parse("https://api.example.com/").unwrap(),
        seen: fields.seen(keys.sent().own()),
        fields: &fields,
        request_id: "r",
    };
    let places = Places::default();
    let found = find_credential(&head, Some(keys), &places);
    found.map(|found| found.map(|found| found.credential.into_owned()))
}

fn bearer() -> ApiKeys {
    ApiKeys::for_tests("authorization", "Bearer", &["sk_live", "sk_test"])
}

fn own() -> ApiKeys {
    ApiKeys::for_tests("x-api-key", "", &["sk_live"])
}

#[test]
fn the_form_tells_keys_from_tokens() {
    let key = find(&[("authorization", "Bearer sk_live_abc")], &bearer()).unwrap();
    assert!(matches!(key, Some(Credential::ApiKey(key)) if key == "sk_live_abc"));
    let token = find(&[("authorization", "bearer a.b.c")], &bearer()).unwrap();
    assert!(matches!(token, Some(Credential::Token(token)) if token == "a.b.c"));
    let own_field = find(&[("x-api-key", "sk_live_abc")], &own()).unwrap();
    assert!(matches!(own_field, Some(Credential::ApiKey(_))));
    assert!(find(&[], &bearer()).unwrap().is_none());
}

/// RFC 9110, sections 5.5 and 11.4; RFC 6750, section 2.1.
#[test]
fn white_space_around_a_credential_is_no_part_of_it() {
    for credential in ["sk_live_a", "a.b.c"] {
        for (before, between, after) in
            [("", "  ", ""), ("", " ", " "), ("", " ", "\t"), ("\t ", "    ", " \t "), (" ", " ", "")]
        {
            let value = format!("{before}Bearer{between}{credential}{after}");
            let found = find(&[("authorization", &value)], &bearer()).unwrap();
            let Some(Credential::ApiKey(text) | Credential::Token(text)) = found else { panic!("{value:?}") };
            assert_eq!(text, credential);
        }
    }
    for value in ["sk_live_a ", " sk_live_a", "\tsk_live_a\t"] {
        let found = find(&[("x-api-key", value)], &own()).unwrap();
        assert!(matches!(found, Some(Credential::ApiKey(key)) if key == "sk_live_a"), "{value:?}");
    }
    let scheme = ApiKeys::for_tests("x-api-key", "Key", &["sk_live"]);
    let found = find(&[("x-api-key", " key   sk_live_a\t")], &scheme).unwrap();
    assert!(matches!(found, Some(Credential::ApiKey(key)) if key == "sk_live_a"));
    let nothing = ApiKeys::for_tests("authorization", "", &["sk_live"]);
    let found = find(&[("authorization", " sk_live_a ")], &nothing).unwrap();
    assert!(matches!(found, Some(Credential::ApiKey(key)) if key == "sk_live_a"));
}

#[test]
fn two_credentials_are_ambiguous() {
    for value in
        ["Bearer a.b.c, Bearer a.b.c", "Bearer sk_live_a, Basic dTpw", "Bearer sk_live_a,Bearer sk_live_b"]
    {
        assert_eq!(
            find(&[("authorization", value)], &bearer()).err(),
            Some(Refusal::CredentialRepeated),
            "{value}"
        );
    }
    let both = find(&[("authorization", "Bearer a.b.c"), ("x-api-key", "sk_live_a")], &own());
    assert_eq!(both.err(), Some(Refusal::CredentialInTwoFields));
    let repeated = find(&[("x-api-key", "sk_live_a, sk_live_b")], &own());
    assert_eq!(repeated.err(), Some(Refusal::CredentialRepeated));
}

fn both(schemes: &[&str]) -> ApiKeys {
    ApiKeys::sent_in(&["x-api-key", "authorization", "apikey"], schemes, &["sk_live"])
}

#[test]
fn a_key_may_come_in_any_of_several_fields() {
    let keys = both(&["Bearer"]);
    for field in [("x-api-key", "sk_live_a"), ("apikey", "sk_live_a"), ("authorization", "Bearer sk_live_a")]
    {
        let found = find(&[field], &keys).unwrap();
        assert!(matches!(found, Some(Credential::ApiKey(key)) if key == "sk_live_a"), "{field:?}");
    }
    // The scheme is that of `Authorization`.
    for (field, refusal) in [
        (("x-api-key", "Bearer sk_live_a"), Refusal::CredentialMalformed),
        (("authorization", "sk_live_a"), Refusal::CredentialScheme),
    ] {
        assert_eq!(find(&[field], &keys).err(), Some(refusal), "{field:?}");
    }
    let token = find(&[("authorization", "Bearer a.b.c")], &keys).unwrap();
    assert!(matches!(token, Some(Credential::Token(_))));
}

#[test]
fn one_credential_in_several_fields_is_one_and_two_are_ambiguous() {
    let keys = both(&["Bearer", "Basic"]);
    let one =
        [("x-api-key", "sk_live_a"), ("apikey", " sk_live_a"), ("authorization", "Basic c2tfbGl2ZV9hOg==")];
    for fields in [&one[..], &one[..2], &one[1..]] {
        let found = find(fields, &keys).unwrap();
        assert!(matches!(found, Some(Credential::ApiKey(key)) if key == "sk_live_a"), "{fields:?}");
    }
    for other in [
        ("apikey", "sk_live_b"),
        ("apikey", ""),
        ("apikey", "other"),
        ("authorization", "Bearer sk_live_b"),
        ("authorization", "Bearer a.b.c"),
        ("authorization", "Basic dTpw"),
        ("authorization", "Digest sk_live_a"),
    ] {
        let found = find(&[("x-api-key", "sk_live_a"), other], &keys);
        assert_eq!(found.err(), Some(Refusal::CredentialInTwoFields), "{other:?}");
    }
    let repeated = find(&[("apikey", "sk_live_a, sk_live_a")], &keys);
    assert_eq!(repeated.err(), Some(Refusal::CredentialRepeated));
}

#[test]
fn a_key_is_read_behind_each_of_the_schemes_and_behind_no_other() {
    let keys = ApiKeys::sent_in(&["authorization"], &["", "Basic", "Bearer", "ApiKey"], &["sk_live"]);
    for value in ["sk_live_a", "bearer sk_live_a", "BASIC c2tfbGl2ZV9hOg==", "apikey  sk_live_a "] {
        let found = find(&[("authorization", value)], &keys).unwrap();
        assert!(matches!(found, Some(Credential::ApiKey(key)) if key == "sk_live_a"), "{value:?}");
    }
    for (value, refusal) in [
        ("Basic sk_live_a", Refusal::CredentialMalformed),
        // sk_live_a:x, and other:
        ("Basic c2tfbGl2ZV9hOng=", Refusal::CredentialMalformed),
        ("Basic b3RoZXI6", Refusal::CredentialMalformed),
        ("ApiKey other", Refusal::CredentialMalformed),
        ("ApiKey a.b.c", Refusal::CredentialMalformed),
        ("Digest sk_live_a", Refusal::CredentialScheme),
        ("other", Refusal::CredentialScheme),
        ("sk_live_a, Basic c2tfbGl2ZV9hOg==", Refusal::CredentialRepeated),
        ("Basic c2tfbGl2ZV9hOg==, ApiKey sk_live_a", Refusal::CredentialRepeated),
    ] {
        assert_eq!(find(&[("authorization", value)], &keys).err(), Some(refusal), "{value:?}");
    }
    let token = find(&[("authorization", "Bearer a.b.c")], &keys).unwrap();
    assert!(matches!(token, Some(Credential::Token(_))));
}

/// What is no token may be a key there, whatever it looks like, but not with a space in it.
#[test]
fn keys_of_another_maker_are_told_from_schemes() {
    let keys = ApiKeys::sent_in(&["authorization"], &["", "Bearer"], &[]);
    for (value, key) in [("anything", "anything"), ("Bearer anything", "anything")] {
        let found = find(&[("authorization", value)], &keys).unwrap();
        assert!(matches!(found, Some(Credential::ApiKey(found)) if found == key), "{value:?}");
    }
    let basic = find(&[("authorization", "Basic dTpw")], &keys);
    assert_eq!(basic.err(), Some(Refusal::CredentialMalformed));
    let token = find(&[("authorization", "Bearer a.b.c")], &keys).unwrap();
    assert!(matches!(token, Some(Credential::Token(_))));
}

#[test]
fn a_token_behind_dpop_is_told_apart_and_nothing_else_stands_there() {
    let found = find(&[("authorization", "dpop  a.b.c ")], &bearer()).unwrap().unwrap();
    assert!(found == Credential::DpopToken("a.b.c".into()));
    for value in ["DPoP", "DPoP a.b", "DPoP sk_live_a", "DPoP a.b.c.d.e"] {
        let refusal = find(&[("authorization", value)], &bearer()).err();
        assert_eq!(refusal, Some(Refusal::CredentialMalformed), "{value}");
    }
    let twice = find(&[("authorization", "Bearer a.b.c, DPoP a.b.c")], &bearer()).err();
    assert_eq!(twice, Some(Refusal::CredentialRepeated));
}

#[test]
fn what_is_no_credential_is_malformed_or_of_another_scheme() {
    for value in [
        "Bearer",
        "Bearer ",
        "Bearer \tsk_live_a",
        "Bearer sk_live_a\u{a0}",
        "Bearer sk_live_a \r",
        "Bearer   ",
        "Bearer sk_live_a b",
        "Bearer sk_live_a,b",
        "Bearer a.b",
        "Bearer a.b.c.d.e",
        "Bearer sk_prod_a",
        "Bearer sk_live_é",
        "Bearer a.b.c,",
        "Bearer sk_live_a, b c",
    ] {
        assert_eq!(
            find(&[("authorization", value)], &bearer()).err(),
            Some(Refusal::CredentialMalformed),
            "{value}"
        );
    }
    for value in ["Basic dTpw", "Bearer\tsk_live_a", "sk_live_abc", "Digest x=y", ""] {
        assert_eq!(
            find(&[("authorization", value)], &bearer()).err(),
            Some(Refusal::CredentialScheme),
            "{value}"
        );
    }
    assert_eq!(find(&[("x-api-key", "hello")], &own()).err(), Some(Refusal::CredentialMalformed));
}
