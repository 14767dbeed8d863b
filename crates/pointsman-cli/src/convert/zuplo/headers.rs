//! Fields that a policy sets on requests: those of one backend here.

use pointsman_config::can_be_field_of_backend;
use pointsman_core::http::fields::{MAX_FIXED, is_field_value};
use serde_json::{Map, Value};

use super::{
    trial,
    values::{Variables, only, text},
};
use crate::convert::draft::Use;

/// The fields of `SetHeadersInboundPolicy`, with their values.
///
/// # Errors
/// What of them has no equal.
pub(super) fn fixed(
    options: &Map<String, Value>,
    variables: &mut Variables,
) -> Result<Vec<(String, String)>, String> {
    only(options, &["headers"])?;
    let headers = options.get("headers").and_then(Value::as_array).ok_or("its headers are no list")?;
    headers.iter().map(|header| field(header, variables)).collect()
}

/// The fields that `RemoveHeadersInboundPolicy` keeps from backends.
///
/// # Errors
/// What of them cannot be written here.
pub(super) fn removed(options: &Map<String, Value>) -> Result<Vec<String>, String> {
    only(options, &["headers"])?;
    let headers = options.get("headers").and_then(Value::as_array).ok_or("its headers are no list")?;
    let name = |header: &Value| {
        header.as_str().map(str::to_ascii_lowercase).ok_or("its headers hold what is no name")
    };
    let names = headers.iter().map(name).collect::<Result<Vec<_>, _>>()?;
    if let Some(bad) = names.iter().find(|name| name.contains('*')) {
        return Err(format!("{bad:?} is no field's name"));
    }
    let gateway = serde_json::json!({
        "forward": { "remove": names },
        "backends": { "backend": { "url": "https://backend.example.com" } },
        "routes": [{ "path": "/", "auth": [], "rules": [{ "name": "all", "to": "backend" }] }],
    });
    trial::check(&gateway, &Variables::default()).map(|()| names)
}

fn field(header: &Value, variables: &mut Variables) -> Result<(String, String), String> {
    let header = header.as_object().ok_or("its headers hold what is no field")?;
    only(header, &["name", "value", "overwrite"])?;
    let name = header.get("name").and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
    if !can_be_field_of_backend(&name) {
        return Err(format!("{name:?} cannot be a field of one backend"));
    }
    if !matches!(header.get("overwrite"), None | Some(Value::Null | Value::Bool(true))) {
        return Err(format!("a client's own {name} would count, and here it never does"));
    }
    let value = text(header, "value", Use::Secret, variables)?.unwrap_or_default();
    if !is_field_value(&value, MAX_FIXED) {
        return Err(format!("the value of {name} is none that a field can have"));
    }
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(header: &Value) -> Result<Vec<(String, String)>, String> {
        let options = json!({ "headers": [header] });
        fixed(options.as_object().unwrap(), &mut Variables::default())
    }

    #[test]
    fn fields_are_those_of_one_backend() {
        for (header, name, value) in [
            (
                json!({ "name": "X-Secret", "value": "$env(SECRET)", "overwrite": true }),
                "x-secret",
                "${SECRET}",
            ),
            (
                json!({ "name": "authorization", "value": "Bearer $env(TOKEN)" }),
                "authorization",
                "Bearer ${TOKEN}",
            ),
            (json!({ "name": "x-tier", "value": "gold" }), "x-tier", "gold"),
        ] {
            assert_eq!(read(&header).unwrap(), [(name.to_owned(), value.to_owned())], "{header}");
        }
    }

    #[test]
    fn what_has_no_equal_closes_the_route() {
        for header in [
            json!({ "name": "x-secret", "value": "a", "overwrite": false }),
            json!({ "name": "host", "value": "a" }),
            json!({ "name": "x-subject", "value": "a" }),
            json!({ "name": "connection", "value": "a" }),
            json!({ "name": "x-a", "value": "" }),
            json!({ "name": "x-a", "value": 7 }),
            json!({ "name": "x-a", "value": "${request.user.sub}" }),
            json!({ "name": "x-a", "value": "a", "when": "b" }),
            json!({ "value": "a" }),
            json!("x-a"),
        ] {
            assert!(read(&header).is_err(), "{header}");
        }
    }
}
