//! Who may have a browser send its cookies stands in the CORS policy: two routes that differ in it guard otherwise.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use pointsman_testkit::{GatewayToml, Isolate, TestFields, World, all_to, key};

#[test]
fn another_spelling_of_a_path_leads_around_no_policy() {
    let refusal = |lines: &str, path: &str| {
        let policy = "origins = [\"https://partner.example\"]\ncredentials = true";
        let both = format!("{}\nmethods = [\"POST\"]\n{lines}", all_to("b"));
        let toml = GatewayToml::new()
            .table("api_keys", "prefixes = [\"sk_live\", \"sk_test\"]")
            .table("cors.partners", policy)
            .backend("b")
            .route("/admin/{+path}", &["api_key"], &both)
            .route("/{+path}", &["api_key"], &format!("{both}\ncors = \"partners\""));
        let cookie = format!("session={}", key("acme"));
        let fields = [("cookie", cookie.as_str()), ("origin", "https://partner.example")];
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let fields = TestFields { fields, ..TestFields::default() };
        let result = Isolate::new(toml.gateway()).request(&World::of_fixtures(), "POST", path, fields);
        result.refusal().map(str::to_owned)
    };
    let with_cookie = "credential_in = { cookie = \"session\" }";
    assert_eq!(refusal(with_cookie, "/x").as_deref(), None);
    assert_eq!(refusal(with_cookie, "/admin/x").as_deref(), Some("cookie_origin"));
    assert_eq!(refusal(with_cookie, "//admin/x").as_deref(), Some("path_of_another_route"));
}
