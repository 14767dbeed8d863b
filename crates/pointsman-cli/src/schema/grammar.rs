//! What a text may be, as JSON Schema. A schema is for editors: it says less than `pointsman check`,
//! which knows variables and how parts refer to each other, and never refuses what that takes.

use pointsman_config::places::METHODS;
use serde_json::{Map, Value, json};

use super::conditions;

/// Matches whatever names a variable, whose value nobody knows here.
const OR_VARIABLE: &str = r"|\$\{";
/// A token of HTTP (RFC 9110, section 5.6.2).
pub(super) const TOKEN: &str = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
/// The methods that records name most.
const USUAL_METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const RANGE: &str = r"^[0-9A-Fa-f:.]+(/[0-9]{1,3})?$";

/// A text of this form, or one with a variable in it. The form is between `^` and `$`.
pub(super) fn form(pattern: &str) -> Value {
    json!({ "type": "string", "pattern": format!("{pattern}{OR_VARIABLE}") })
}

/// One of these words, or a text with a variable in it.
pub(super) fn word(words: &[&str]) -> Value {
    json!({ "anyOf": [{ "enum": words }, refer("Variable")] })
}

/// A text that is not empty.
pub(super) fn some_text() -> Value {
    json!({ "type": "string", "minLength": 1 })
}

/// One of the definitions.
pub(super) fn refer(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

/// A list of at least so many of these.
pub(super) fn list(of: &Value, least: usize) -> Value {
    let mut list = json!({ "type": "array", "items": of });
    if let Some(members) = list.as_object_mut().filter(|_| least > 0) {
        members.insert("minItems".to_owned(), Value::from(least));
    }
    list
}

/// One of these, or a list of them.
pub(super) fn one_or_many(of: &Value) -> Value {
    json!({ "anyOf": [of, list(of, 1)] })
}

/// A table of these by name.
pub(super) fn table(of: &Value) -> Value {
    json!({ "type": "object", "additionalProperties": of })
}

/// A whole number in these bounds.
pub(super) fn number(least: u64, most: u64) -> Value {
    json!({ "type": "integer", "minimum": least, "maximum": most })
}

/// A field name, or nothing where that means none.
pub(super) fn field_name(or_none: bool) -> Value {
    form(&if or_none { format!("^({TOKEN})?$") } else { format!("^{TOKEN}$") })
}

/// An address range, in a document without variables.
pub(super) fn range() -> Value {
    json!({ "type": "string", "pattern": RANGE })
}

/// An instant (RFC 3339), in a document without variables.
pub(super) fn instant() -> Value {
    let pattern = r"^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$";
    json!({ "type": "string", "format": "date-time", "pattern": pattern })
}

/// An HTTP method in upper case that can be forwarded.
pub(super) fn method() -> Value {
    let all: Vec<_> = METHODS.into_iter().filter(|method| *method != "TRACE").collect();
    json!({ "enum": all })
}

/// An HTTP method that a key's record names.
pub(super) fn key_method() -> Value {
    json!({ "anyOf": [{ "enum": USUAL_METHODS }, { "type": "string", "pattern": "^[A-Z-]+$" }] })
}

/// Exactly one of these members.
pub(super) fn exactly_one(names: &[&str]) -> Value {
    let each: Vec<Value> = names.iter().map(|name| json!({ "required": [name] })).collect();
    json!({ "oneOf": each })
}

const PLACEHOLDER: &str = r"\{[A-Za-z0-9_]+\}";
const LITERAL: &str = r"[A-Za-z0-9._~%!$&'()*+,;=:@-]*";

/// What fields refer to.
pub(super) fn definitions() -> Map<String, Value> {
    let path = format!(r"^(/({PLACEHOLDER}|{LITERAL}))*(/\{{\+[A-Za-z0-9_]+\}})?$");
    let texts = [
        ("Span", r"^[0-9]+(ms|s|m|h|d)$", "A whole number and a unit: 250ms, 30s, 5m, 24h or 7d."),
        ("Size", r"^[0-9]+(KB|MB)$", "A whole number and a unit of 1024: 512KB or 16MB."),
        ("Share", r"^[0-9]+%$", "A share of a hundred: 20%."),
        (
            "FineShare",
            r"^(100(\.0{1,4})?|[0-9]{1,2}(\.[0-9]{1,4})?)%$",
            "A share of a hundred with up to four decimals: 0.1%.",
        ),
        (
            "Claim",
            r"^([^/].*|/([^~]|~[01])*)$",
            "A claim's name, or a JSON Pointer into the claims: /org/plan.",
        ),
        ("Path", &path, "A path: text, {name} for a segment, {+name} last for the rest."),
        ("Rewrite", &path, "A path with the segments {name} or {+name} of the route's path."),
        ("OwnPath", r"^(/[A-Za-z0-9/_.~-]+)$", "A path that the gateway answers itself: /healthz."),
        (
            "BackendUrl",
            r"^((vpc:[A-Za-z0-9_]+/)?https?://[^\s?#@]+|binding:[A-Za-z0-9_]+(/[^\s?#]*)?)$",
            "https://host[:port][/base], with {claim} for a whole label of the host; behind vpc:NAME/ in a private network; or binding:NAME[/base].",
        ),
        ("DocumentUrl", r"^https?://\S+$", "The URL of a document."),
        ("AddressRange", RANGE, "An address or range: 192.0.2.0/24, 2001:db8::/32."),
    ];
    let mut all = Map::new();
    for (name, pattern, what) in texts {
        let mut text = form(pattern);
        describe(&mut text, what);
        all.insert(name.to_owned(), text);
    }
    let variable = json!({ "type": "string", "pattern": r"\$\{", "description": "${NAME}: a variable or secret of the Worker." });
    all.insert("Variable".to_owned(), variable);
    all.extend(conditions::definitions());
    all.insert("Tier".to_owned(), tier());
    all
}

pub(super) fn describe(schema: &mut Value, what: &str) {
    if let Some(members) = schema.as_object_mut() {
        members.insert("description".to_owned(), Value::from(what));
    }
}

/// A limit of a route, or one that is for some callers only.
fn tier() -> Value {
    json!({
        "description": "A limit's name or \"none\"; or that with when, for some callers only.",
        "anyOf": [
            some_text(),
            {
                "type": "object",
                "properties": { "use": some_text(), "when": refer("Conditions") },
                "required": ["use"],
                "additionalProperties": false,
            },
        ],
    })
}
