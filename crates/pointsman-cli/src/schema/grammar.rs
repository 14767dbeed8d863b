//! What a text may be, as JSON Schema. A schema is for editors: it says less than `pointsman check`,
//! which knows variables and how parts refer to each other, and never refuses what that takes.

use serde_json::{Map, Value, json};

/// Matches whatever names a variable, whose value nobody knows here.
const OR_VARIABLE: &str = r"|\$\{";
/// A token of HTTP (RFC 9110, section 5.6.2).
const TOKEN: &str = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
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
    let forbidden = ["CONNECT", "TRACE", "TRACK"];
    let any =
        json!({ "type": "string", "pattern": "^[!#$%&'*+.^_`|~0-9A-Z-]+$", "not": { "enum": forbidden } });
    json!({ "anyOf": [{ "enum": METHODS }, any] })
}

/// An HTTP method that a key's record names.
pub(super) fn key_method() -> Value {
    json!({ "anyOf": [{ "enum": METHODS }, { "type": "string", "pattern": "^[A-Z-]+$" }] })
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
            "Claim",
            r"^([^/].*|/([^~]|~[01])*)$",
            "A claim's name, or a JSON Pointer into the claims: /org/plan.",
        ),
        ("Path", &path, "A path: text, {name} for a segment, {+name} last for the rest."),
        ("Rewrite", &path, "A path with the segments {name} or {+name} of the route's path."),
        ("OwnPath", r"^(/[A-Za-z0-9/_.~-]+)$", "A path that the gateway answers itself: /healthz."),
        (
            "BackendUrl",
            r"^(https?://[^\s?#@]+|binding:[A-Za-z0-9_]+(/[^\s?#]*)?)$",
            "https://host[:port][/base], with {claim} for a whole label of the host; or binding:NAME[/base].",
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
    let thing =
        special("|param:[A-Za-z0-9_]+", "What a condition looks at, or a split tells callers apart by.");
    all.insert("Thing".to_owned(), thing);
    let counted =
        special("|customer", "What a limit tells callers apart by; $customer is the customer's id.");
    all.insert("Counted".to_owned(), counted);
    all.insert("Conditions".to_owned(), conditions());
    all.insert("Test".to_owned(), test());
    all.insert("TestTable".to_owned(), test_table());
    all.insert("Tier".to_owned(), tier());
    all
}

fn describe(schema: &mut Value, what: &str) {
    if let Some(members) = schema.as_object_mut() {
        members.insert("description".to_owned(), Value::from(what));
    }
}

/// A claim, or one of what is named by `$`.
fn special(more: &str, what: &str) -> Value {
    let names = "subject|country|continent|region|eu|colo|ip|method|host";
    let mut schema = form(&format!(r"^([^$].*|\$({names}|header:{TOKEN}|query:.+{more}))$"));
    describe(&mut schema, what);
    schema
}

/// A table of conditions, or the name of one of `[conditions]`.
fn conditions() -> Value {
    let tables = list(&refer("Conditions"), 1);
    let ip = json!({ "anyOf": [one_or_many(&refer("AddressRange")), refer("TestTable")] });
    let mut properties = Map::new();
    for (name, schema, what) in [
        ("$all", tables.clone(), "All of these hold."),
        ("$any", tables, "One of these holds."),
        ("$not", refer("Conditions"), "This does not hold."),
        ("$is", one_or_many(&some_text()), "One of [conditions] by its name; of several, one of them."),
        ("$subject", refer("Test"), "The subject."),
        ("$country", refer("Test"), "The client's country, two letters: DE."),
        ("$continent", refer("Test"), "AF, AN, AS, EU, NA, OC or SA."),
        ("$region", refer("Test"), "The code of a part of the country: BY."),
        ("$eu", refer("Test"), "Whether the country is in the European Union."),
        ("$colo", refer("Test"), "The data centre that the client reached: FRA."),
        ("$ip", ip, "The client's address."),
        ("$method", refer("Test"), "The method."),
        ("$host", refer("Test"), "The host that was asked for, in lower case, without its port."),
    ] {
        let mut schema = schema;
        describe(&mut schema, what);
        properties.insert(name.to_owned(), schema);
    }
    let table = json!({
        "type": "object",
        "properties": properties,
        "patternProperties": {
            r"^\$param:[A-Za-z0-9_]+$": refer("Test"),
            format!(r"^\$header:{TOKEN}$"): refer("Test"),
            r"^\$query:.+$": refer("Test"),
            "^[^$]": refer("Test"),
        },
        "additionalProperties": false,
    });
    json!({
        "description": "Claims and things, and what they must be: all members must hold. Or the name of one of [conditions].",
        "anyOf": [some_text(), table],
    })
}

fn test() -> Value {
    let scalar = json!({ "type": ["string", "number", "boolean"] });
    json!({
        "description": "A value, a list of which it is one, or a table of tests.",
        "anyOf": [scalar, list(&scalar, 1), refer("TestTable")],
    })
}

fn test_table() -> Value {
    let scalar = json!({ "type": ["string", "number", "boolean"] });
    let texts = one_or_many(&some_text());
    let number = json!({ "type": "number" });
    let mut properties = Map::new();
    for (name, schema, what) in [
        ("exists", json!({ "type": "boolean" }), "Whether it is there."),
        ("equals", scalar.clone(), "Is this."),
        ("in", list(&scalar, 1), "Is one of these."),
        ("contains", scalar, "Is a list that holds this."),
        (
            "has",
            json!({ "type": "string", "pattern": "^[^ ]+$" }),
            "Is a list that holds this word, or a text of words of which it is one.",
        ),
        ("prefix", texts.clone(), "Is a text that begins with this, or with one of these."),
        ("suffix", texts, "Is a text that ends with this, or with one of these."),
        ("within", one_or_many(&refer("AddressRange")), "Is an address in this range, or in one of these."),
        (">", number.clone(), "Is a number above this."),
        (">=", number.clone(), "Is a number from this on."),
        ("<", number.clone(), "Is a number below this."),
        ("<=", number, "Is a number up to this."),
        ("any", refer("Test"), "One of its values passes: a parameter or a field may be sent twice."),
        ("all", refer("Test"), "It has a value, and each of its values passes."),
        ("not", refer("Test"), "Fails this test; what is not there fails every test but exists = false."),
    ] {
        let mut schema = schema;
        describe(&mut schema, what);
        properties.insert(name.to_owned(), schema);
    }
    json!({
        "description": "Tests, all of which must hold.",
        "type": "object",
        "properties": properties,
        "minProperties": 1,
        "additionalProperties": false,
    })
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
