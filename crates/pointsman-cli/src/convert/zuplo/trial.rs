//! What the check of a gateway says of a part of one, before the part is written. So a fault closes one route, and the rest
//! of the project is carried over.

use std::collections::HashMap;

use serde_json::Value;

use super::values::Variables;
use crate::convert::draft::Draft;

/// Checks a gateway that has this part alone.
///
/// # Errors
/// The first fault.
pub(super) fn check(gateway: &Value, variables: &Variables) -> Result<(), String> {
    let examples: HashMap<String, String> =
        Draft { variables: variables.0.clone(), ..Draft::default() }.examples();
    match pointsman_config::parse(&gateway.to_string(), &examples) {
        Ok(_) => Ok(()),
        Err(faults) => {
            let first = faults.first().map(|fault| format!("here {} {}", fault.pointer, fault.what));
            Err(first.unwrap_or_default())
        }
    }
}
