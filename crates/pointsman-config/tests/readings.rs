//! What backends may make of a path, with gateways as they are configured.
#![allow(missing_docs, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::collections::HashMap;

use pointsman_core::http::path;
use pointsman_core::state::{config::Gateway, route::guard_alike};
use proptest::prelude::*;
use serde_json::json;

use pointsman_core::routing::readings::*;

/// A gateway with these routes: the path, and the claim that it requires of callers, if any.
fn gateway(routes: &[(&str, Option<&str>)], fold_case: bool) -> Gateway {
    let route = |(path, claim): &(&str, Option<&str>)| {
        let mut route = json!({ "path": path, "auth": [], "rules": [{ "name": path, "to": "b" }] });
        if let (Some(claim), Some(members)) = (claim, route.as_object_mut()) {
            members.insert("require".to_owned(), json!({ *claim: true }));
        }
        route
    };
    let file = json!({
        "backends": { "b": { "url": "https://b.example" } },
        "forward": { "case_insensitive": fold_case },
        "routes": routes.iter().map(route).collect::<Vec<_>>(),
    });
    match pointsman_config::parse(&file.to_string(), &HashMap::new()) {
        Ok(checked) => checked.gateway,
        Err(findings) => panic!("{findings:#?}"),
    }
}

/// The route that a request is forwarded under; `None` where it is refused.
fn forwarded(gateway: &Gateway, path: &str) -> Option<usize> {
    let spelling = path::check(path).ok()?;
    let matched = gateway.table().find(path)?;
    let own = matched.route("GET")?;
    let differ = gateway.readings().differ(
        spelling,
        &Taken { path, method: "GET", route: own, captures: &matched.captures },
        &|one, other| guard_alike(gateway.routes(), one, other),
    );
    (!differ).then_some(own)
}

const ADMIN: [(&str, Option<&str>); 2] = [("/admin/{+path}", Some("admin")), ("/{+path}", None)];

#[test]
fn other_spellings_of_a_stricter_route_are_refused() {
    let gateway = gateway(&ADMIN, false);
    for path in [
        "//admin/users",
        "/admin%2Fusers",
        "/admin%2fusers",
        "/admin;x=1/users",
        "/;/admin/users",
        "/;a=b/admin;c/users",
        "/%2Fadmin/users",
        "/%2561dmin/users",
        "/admin%252Fusers",
        "/admin%3Bx/users",
        "///admin//users",
        "/admin;/",
        "/%3b/admin/x",
    ] {
        assert_eq!(forwarded(&gateway, path), None, "{path}");
    }
    for path in ["/admin/users", "/admin//users", "/%61dmin/a%2Fb;c", "/admin/"] {
        assert_eq!(forwarded(&gateway, path), Some(0), "{path}");
    }
    for path in
        ["/a%2Fb", "/x;v=1/y", "/x//y", "/x/admin/y", "/Admin/x", "/adminx/y", "/x/", "/%20", "/x%2Fadmin"]
    {
        assert_eq!(forwarded(&gateway, path), Some(1), "{path}");
    }
}

#[test]
fn routes_that_guard_alike_are_not_told_apart() {
    for claim in [None, Some("known")] {
        let gateway = gateway(&[("/admin/{+path}", claim), ("/{+path}", claim)], false);
        // The rules have other names and the same meaning.
        assert_eq!(forwarded(&gateway, "//admin/users"), Some(1));
    }
}

#[test]
fn a_slash_at_the_end_leads_around_no_route_that_says_more() {
    let gateway = gateway(
        &[("/admin", Some("admin")), ("/{+path}", None), ("/docs", Some("key")), ("/docs/{+page}", None)],
        false,
    );
    assert_eq!(forwarded(&gateway, "/admin/"), None);
    assert_eq!(forwarded(&gateway, "/admin;x/"), None);
    assert_eq!(forwarded(&gateway, "/docs/"), Some(3), "whose path this is as well");
    assert_eq!(forwarded(&gateway, "/docs/a/"), Some(3));
}

#[test]
fn letters_of_either_case_are_one_where_backends_take_them_so() {
    let gateway = gateway(&[("/Admin/{+path}", Some("admin")), ("/{+path}", None)], true);
    for path in ["/admin/x", "/ADMIN/x", "/aDMIN;x/y", "/%61dmin/x"] {
        assert_eq!(forwarded(&gateway, path), None, "{path}");
    }
    assert_eq!(forwarded(&gateway, "/Admin/X"), Some(0));
    assert_eq!(forwarded(&gateway, "/Users/X"), Some(1));
}

#[test]
fn methods_that_a_stricter_route_does_not_have_are_no_way_in() {
    let file = json!({
        "backends": { "b": { "url": "https://b.example" } },
        "routes": [
            { "path": "/admin/{+path}", "methods": ["POST"], "auth": [], "rules": [{ "name": "all", "deny": 403 }] },
            { "path": "/{+path}", "auth": [], "rules": [{ "name": "all", "to": "b" }] },
        ],
    });
    let gateway =
        pointsman_config::parse(&file.to_string(), &HashMap::new()).unwrap_or_else(|_| panic!()).gateway;
    assert_eq!(forwarded(&gateway, "//admin/x"), None);
}

#[test]
fn a_part_of_the_path_that_conditions_look_at_has_one_reading() {
    let file = json!({
        "backends": { "b": { "url": "https://b.example" } },
        "routes": [{
            "path": "/t/{tenant}/{+path}",
            "auth": [],
            "rules": [{ "name": "closed", "when": { "$param:tenant": "a" }, "deny": 403 }, { "name": "all", "to": "b" }],
        }],
    });
    let gateway =
        pointsman_config::parse(&file.to_string(), &HashMap::new()).unwrap_or_else(|_| panic!()).gateway;
    for path in ["/t/a;x/y", "/t/a%3Bx/y", "/t/%2561/y", "/t/a%2Fx/y"] {
        assert_eq!(forwarded(&gateway, path), None, "{path}");
    }
    for path in ["/t/b/y;x/a%2Fb//c", "/t/b%40c/y", "/t/%61/y"] {
        assert_eq!(forwarded(&gateway, path), Some(0), "{path}");
    }
}

#[test]
fn one_path_in_two_spellings_is_a_fault() {
    let said = |paths: [&str; 2], fold_case: bool| {
        let route = |path: &str| json!({ "path": path, "auth": [], "rules": [{ "name": "all", "to": "b" }] });
        let file = json!({
            "backends": { "b": { "url": "https://b.example" } },
            "forward": { "case_insensitive": fold_case },
            "routes": paths.map(route),
        });
        let findings = pointsman_config::parse(&file.to_string(), &HashMap::new()).err().unwrap_or_default();
        findings.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let fault = [
        "/routes/1/path: is the path of another route in another spelling, and backends take the two for one",
    ];
    assert_eq!(said(["/@me", "/%40me"], false), fault);
    assert_eq!(said(["/Admin/{+path}", "/admin/{+rest}"], true), fault);
    assert_eq!(said(["/Admin/{+path}", "/admin/{+rest}"], false), Vec::<String>::new());
}

/// What backends make of a path: segments, decoded.
mod backends {
    use pointsman_core::http::path::decode_once;

    fn segments(path: &[u8]) -> Vec<Vec<u8>> {
        path.split(|byte| *byte == b'/').skip(1).map(<[u8]>::to_vec).collect()
    }

    fn without_parameters(path: &str) -> String {
        path.split('/').map(|segment| segment.split(';').next().unwrap()).collect::<Vec<_>>().join("/")
    }

    fn merged(path: &[u8]) -> Vec<u8> {
        let mut path = path.to_vec();
        path.dedup_by(|next, before| *next == b'/' && *before == b'/');
        path
    }

    /// `location` sees the path decoded, slashes merged.
    pub(super) fn nginx(path: &str) -> Vec<Vec<u8>> {
        segments(&merged(&decode_once(path.as_bytes(), b'/')))
    }

    /// The same with a second decoder behind it.
    pub(super) fn nginx_and_an_application_that_decodes(path: &str) -> Vec<Vec<u8>> {
        segments(&merged(&decode_once(&decode_once(path.as_bytes(), b'/'), b'/')))
    }

    /// Parameters go first, then it is decoded and normalized.
    pub(super) fn tomcat(path: &str) -> Vec<Vec<u8>> {
        segments(&merged(&decode_once(without_parameters(path).as_bytes(), b'/')))
    }

    /// `PathPattern` decodes segments one by one, without their parameters.
    pub(super) fn spring(path: &str) -> Vec<Vec<u8>> {
        let plain = without_parameters(path);
        segments(plain.as_bytes()).iter().map(|segment| decode_once(segment, b'/')).collect()
    }

    /// Express matches what was sent; parameters of the route are decoded one by one.
    pub(super) fn node(path: &str) -> Vec<Vec<u8>> {
        segments(path.as_bytes()).iter().map(|segment| decode_once(segment, b'/')).collect()
    }

    /// Merges slashes of what was sent, as path libraries of Node do.
    pub(super) fn node_that_normalizes(path: &str) -> Vec<Vec<u8>> {
        segments(&merged(path.as_bytes())).iter().map(|segment| decode_once(segment, b'/')).collect()
    }
}

/// The most specific of the patterns that match, found by trying all: a literal goes before a placeholder, and that before
/// the rest.
fn meant(routes: &[(&str, Option<&str>)], segments: &[Vec<u8>]) -> Option<usize> {
    let ranks = |pattern: &str| -> Option<Vec<u8>> {
        let mut ranks = Vec::new();
        let mut left = segments.iter();
        for part in pattern.split('/').skip(1) {
            if part.starts_with("{+") {
                // It needs a slash before it, and takes whatever is behind.
                left.next()?;
                ranks.push(0);
                return Some(ranks);
            }
            let segment = left.next()?;
            let is_placeholder = part.starts_with('{');
            if (is_placeholder && segment.is_empty()) || (!is_placeholder && segment != part.as_bytes()) {
                return None;
            }
            ranks.push(if is_placeholder { 1 } else { 2 });
        }
        left.next().is_none().then_some(ranks)
    };
    let ranked = routes.iter().enumerate().filter_map(|(index, (pattern, _))| Some((ranks(pattern)?, index)));
    ranked.max().map(|(_, index)| index)
}

const CLAIMS: [Option<&str>; 3] = [None, Some("admin"), Some("billing")];
const PATTERNS: [&str; 8] =
    ["/{+path}", "/a/{+path}", "/a/b/{+path}", "/a/b", "/{id}", "/{id}/b/{+path}", "/b/{id}", "/a/{id}/b"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    /// Whatever the spelling, the table and the backend: what is forwarded under a route is no request for a route that
    /// guards differently.
    #[test]
    fn no_backend_takes_a_forwarded_path_for_that_of_another_guard(
        guards in proptest::collection::vec(proptest::option::of(0usize..3), PATTERNS.len()),
        path in "(/(a|b|%61|%62|%2561|%62;x|;|;y|%3b|%253b|%2f|%252f|%20|){1,3}){1,4}/?",
    ) {
        let routes: Vec<_> = PATTERNS
            .iter()
            .zip(&guards)
            .filter_map(|(pattern, guard)| Some((*pattern, CLAIMS[(*guard)?])))
            .collect();
        prop_assume!(!routes.is_empty());
        let gateway = gateway(&routes, false);
        if let Some(own) = forwarded(&gateway, &path) {
            for backend in [
                backends::nginx,
                backends::nginx_and_an_application_that_decodes,
                backends::tomcat,
                backends::spring,
                backends::node,
                backends::node_that_normalizes,
            ] {
                let read = backend(&path);
                if let Some(other) = meant(&routes, &read) {
                    prop_assert_eq!(routes[own].1, routes[other].1, "{} is {:?}", path, read);
                }
            }
        }
    }

    /// A path that everybody reads alike is never refused.
    #[test]
    fn ordinary_paths_are_forwarded(path in "(/[a-c._~%@-]{1,4}){1,5}") {
        let path = path.replace('%', "");
        prop_assume!(path::check(&path).is_ok());
        let gateway = gateway(&ADMIN, false);
        prop_assert!(forwarded(&gateway, &path).is_some());
    }
}
