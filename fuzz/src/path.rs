//! Which paths are forwarded, and which of them have another route's meaning.

use super::oracle::{leaves_its_folder, merged_slashes, percent_decoded, without_parameters};
use pointsman_core::{
    http::path::{Spelling, check},
    routing::{
        pattern::Pattern,
        readings::{Readings, Taken},
        table::RouteTable,
    },
};

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // A target's path has neither `?` nor `#`, begins with a slash, and the runtime has escaped what is not visible ASCII,
    // which other parsers of URLs read over.
    if !text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#')) {
        return;
    }
    let path = format!("/{text}");
    let Ok(spelling) = check(&path) else { return };
    stays_below_its_base(&path);
    if spelling == Spelling::Plain {
        assert!(!path.contains(['%', ';', '\\', '\0']) && !path.contains("//"), "{path:?} is not plain");
    }
    has_no_other_routes_meaning(&path, spelling);
}

/// However often it is decoded, and whatever is cut from it, the path stays below what stands before it.
fn stays_below_its_base(path: &str) {
    let mut now = path.as_bytes().to_vec();
    loop {
        for reading in [now.clone(), without_parameters(&now)] {
            assert!(
                !leaves_its_folder(&reading),
                "{path:?} leaves its folder as {:?}",
                String::from_utf8_lossy(&reading)
            );
        }
        assert!(!now.contains(&0), "{path:?} is cut off by a NUL");
        let next = percent_decoded(&now);
        if next == now {
            break;
        }
        now = next;
    }
    let url = url::Url::parse(&format!("https://backend.example/base{path}")).expect("it is a URL");
    assert!(url.path().starts_with("/base/"), "{path:?} is {:?} for the URL standard", url.path());
}

const STRICT: usize = 0;
const LAX: usize = 1;

/// Of two routes that guard differently, no path is taken by the lax one that a backend would read as the strict one's.
fn has_no_other_routes_meaning(path: &str, spelling: Spelling) {
    let (mut table, mut readings) = (RouteTable::default(), Readings::new(false));
    for (route, pattern) in ["/admin/{+rest}", "/{+rest}"].into_iter().enumerate() {
        let pattern = Pattern::parse(pattern).expect("this is a pattern");
        assert!(table.insert(&pattern, "GET", route));
        readings.insert(&pattern, &["GET".to_owned()], Vec::new()).expect("these are two paths");
    }
    let guards_like = |one: usize, other: usize| one == other;
    readings.complete(guards_like);

    let matched = table.find(path).expect("the lax route takes any path");
    let route = matched.route("GET").expect("both routes take GET");
    let inside = path.get(1..).unwrap_or_default();
    assert!(matched.captures.iter().all(|part| inside.contains(part)), "captures are slices of the path");
    assert!(route == STRICT || !path.starts_with("/admin/"), "{path:?} is the strict route's");
    let taken = Taken { path, method: "GET", route, captures: &matched.captures };
    if route != LAX || readings.differ(spelling, &taken, &guards_like) {
        return;
    }
    let sent = path.as_bytes();
    for cut in [sent.to_vec(), without_parameters(sent)] {
        for decoded in [percent_decoded(&cut), percent_decoded(&percent_decoded(&cut))] {
            for reading in [merged_slashes(&decoded), merged_slashes(&without_parameters(&decoded)), decoded]
            {
                let text = String::from_utf8_lossy(&reading);
                assert!(!text.starts_with("/admin/"), "{path:?} is {text:?} to a backend, by the lax route");
            }
        }
    }
}
