//! The methods of routes.

use super::{file::RouteFile, findings::Findings, values};

const DEFAULT_METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
/// Methods that Fetch does not send.
const FORBIDDEN_METHODS: [&str; 3] = ["CONNECT", "TRACE", "TRACK"];

/// The methods of a route, with those that count where it names none.
pub(super) fn of_route(file: &RouteFile) -> Vec<String> {
    file.methods.clone().unwrap_or_else(|| DEFAULT_METHODS.map(str::to_owned).to_vec())
}

pub(super) fn check(file: &RouteFile, at: &str, findings: &mut Findings) {
    let Some(methods) = &file.methods else { return };
    if methods.is_empty() {
        findings.error(format!("{at}/methods"), "must name at least one method");
    }
    for (index, method) in methods.iter().enumerate() {
        let pointer = format!("{at}/methods/{index}");
        if FORBIDDEN_METHODS.contains(&method.to_ascii_uppercase().as_str()) {
            findings.error(pointer, format!("{method} cannot be forwarded"));
        } else if let Some(what) = values::not_a_method(method) {
            findings.error(pointer, what);
        }
    }
}
