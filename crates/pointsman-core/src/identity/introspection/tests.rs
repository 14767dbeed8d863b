use serde_json::json;

use super::*;

#[test]
fn the_form_has_one_reading() {
    let endpoint =
        Endpoint::new("https://id.example.com/i".to_owned(), "a:b", "p&ss w\u{f6}rd", ClientAuth::Post);
    let body = endpoint.body("t=1&token=2");
    let expected = "client_id=a%3Ab&client_secret=p%26ss%20w%C3%B6rd&token=t%3D1%26token%3D2&token_type_hint=access_token";
    assert_eq!(body, expected);
    assert_eq!(endpoint.authorization, None);
    let endpoint = Endpoint::new("https://id.example.com/i".to_owned(), "a:b", "s%", ClientAuth::Basic);
    // base64 of a%3Ab:s%25
    assert_eq!(endpoint.authorization.as_deref(), Some("Basic YSUzQWI6cyUyNQ=="));
    assert_eq!(endpoint.body("t"), "token=t&token_type_hint=access_token");
    assert_eq!(format!("{endpoint:?}"), "https://id.example.com/i", "the secret is in no message");
}

#[test]
fn an_answer_says_true_or_false_and_nothing_else_is_one() {
    let of = |value: Value| Answer::of(value.as_object().unwrap().clone());
    assert!(matches!(of(json!({ "active": false, "sub": "u" })), Some(Answer::Inactive)));
    assert!(matches!(of(json!({ "active": true })), Some(Answer::Active(_))));
    for bad in [json!({}), json!({ "active": "true" }), json!({ "active": 1 }), json!({ "active": null })] {
        assert!(of(bad.clone()).is_none(), "{bad}");
    }
}
