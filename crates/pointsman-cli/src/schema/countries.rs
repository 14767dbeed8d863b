//! Countries as JSON, for programs that are not Rust: the console.

use pointsman_config::places::all_countries;
use serde_json::{Value, json};

/// The file that holds them, beside the schemas.
pub(super) const FILE: &str = "countries.json";

/// All countries by their codes: what the platform says of a client that is there.
pub(super) fn list() -> Value {
    let rows = all_countries().map(|country| {
        let mut row = json!({ "name": country.name, "continent": country.continent });
        if let (true, Some(members)) = (country.in_eu, row.as_object_mut()) {
            members.insert("eu".to_owned(), Value::Bool(true));
        }
        (country.code.to_owned(), row)
    });
    rows.collect()
}
