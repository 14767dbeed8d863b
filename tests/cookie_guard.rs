//! Who may have a browser send its cookies, or its Basic credentials, stands in the CORS policy: two routes that differ in
//! it guard otherwise.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use base64ct::{Base64, Encoding};
use pointsman_testkit::{GatewayToml, Isolate, TestFields, World, all_to, key};

/// Two routes, of which only the wider one lists a partner's pages, and what becomes of such a page's request.
fn assert_guarded(scheme: &str, lines: &str, credential: (&str, String)) {
    let refusal = |path: &str| {
        let policy = "origins = [\"https://partner.example\"]\ncredentials = true";
        let both = format!("{}\nmethods = [\"POST\"]\n{lines}", all_to("b"));
        let toml = GatewayToml::new()
            .table("api_keys", &format!("prefixes = [\"sk_live\", \"sk_test\"]\nscheme = \"{scheme}\""))
            .table("cors.partners", policy)
            .backend("b")
            .route("/admin/{+path}", &["api_key"], &both)
            .route("/{+path}", &["api_key"], &format!("{both}\ncors = \"partners\""));
        let fields = [(credential.0, credential.1.as_str()), ("origin", "https://partner.example")];
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let fields = TestFields { fields, ..TestFields::default() };
        let result = Isolate::new(toml.gateway()).request(&World::of_fixtures(), "POST", path, fields);
        result.refusal().map(str::to_owned)
    };
    assert_eq!(refusal("/x").as_deref(), None);
    assert_eq!(refusal("/admin/x").as_deref(), Some("cookie_origin"));
    assert_eq!(refusal("//admin/x").as_deref(), Some("path_of_another_route"));
}

#[test]
fn another_spelling_of_a_path_leads_around_no_policy() {
    let cookie = ("cookie", format!("session={}", key("acme")));
    assert_guarded("Bearer", "credential_in = { cookie = \"session\" }", cookie);
    let user = Base64::encode_string(format!("{}:", key("acme")).as_bytes());
    assert_guarded("Basic", "", ("authorization", format!("Basic {user}")));
}
