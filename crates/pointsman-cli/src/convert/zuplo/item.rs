//! Path items: which methods a path has, and whatever else stands there. A member that is not understood may be a
//! method with its guard. If it were passed over, a wider and laxer route would take its requests here, so the path
//! is closed for each method that is not accounted for.

use serde::Deserialize;
use serde_json::Value;

use super::{path::Mode, project::RouteFile};
use crate::convert::findings::Kind;

/// A path with what it says.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) path: String,
    pub(super) mode: Mode,
    pub(super) operations: Vec<Operation>,
    /// What is to be said of routes by their names.
    pub(super) said: Vec<(String, Kind, String)>,
}

/// A method of a path.
#[derive(Debug)]
pub(super) struct Operation {
    /// How people know it: `GET /users/{id}`, or the path alone where nobody wrote the method.
    pub(super) name: String,
    pub(super) method: String,
    /// Why nobody may pass, whatever its route says.
    pub(super) closed: Vec<String>,
    pub(super) route: RouteFile,
}

/// The methods that are forwarded, as a path item has them.
const METHODS: [&str; 7] = ["get", "head", "post", "put", "patch", "delete", "options"];
/// Those that no platform and no backend is sent.
const UNSENT: [&str; 2] = ["trace", "connect"];
/// Members that say something to readers only.
const WORDS: [&str; 3] = ["summary", "description", "parameters"];

/// Reads one.
///
/// # Errors
/// Which of its routes is none, and why.
pub(super) fn read(path: &str, item: &Value) -> Result<Item, String> {
    let mut reading = Reading { path, operations: Vec::new(), said: Vec::new(), unknown: Vec::new() };
    let mode = reading.mode(item.get("x-zuplo-path")).unwrap_or(Mode::Unknown);
    match item.as_object() {
        None => reading.unknown.push("it is no object".to_owned()),
        Some(members) => {
            for (name, value) in members {
                reading.member(name, value)?;
            }
        }
    }
    Ok(reading.finish(mode))
}

struct Reading<'a> {
    path: &'a str,
    operations: Vec<Operation>,
    said: Vec<(String, Kind, String)>,
    /// What was not understood.
    unknown: Vec<String>,
}

impl Reading<'_> {
    fn mode(&mut self, own: Option<&Value>) -> Option<Mode> {
        let Some(own) = own else { return Some(Mode::OpenApi) };
        let members = own.as_object().filter(|members| members.keys().all(|name| name == "pathMode"));
        let mode = members.and_then(|members| match members.get("pathMode").map(Value::as_str) {
            None | Some(Some("open-api")) => Some(Mode::OpenApi),
            Some(Some("url-pattern")) => Some(Mode::UrlPattern),
            Some(_) => None,
        });
        if mode.is_none() {
            self.unknown.push(format!("its x-zuplo-path {own} is unknown"));
        }
        mode
    }

    fn member(&mut self, name: &str, value: &Value) -> Result<(), String> {
        let is_route = value.get("x-zuplo-route").is_some();
        if let Some(methods) = methods(name) {
            for method in &methods.names {
                self.operation(method, value, methods.oddly.then_some(name))?;
            }
        } else if name == "x-zuplo-path" || (WORDS.contains(&name) && !is_route) {
        } else if name == "servers" {
            let what = "names servers, which are not looked at: its handler says where requests go";
            self.said.push((self.path.to_owned(), Kind::Differs, what.to_owned()));
        } else if name.starts_with("x-") && !name.starts_with("x-zuplo") && !is_route {
            self.said.push((self.path.to_owned(), Kind::Note, format!("its {name} is not looked at")));
        } else {
            self.unknown.push(format!("its member {name:?} is not understood"));
        }
        Ok(())
    }

    fn operation(&mut self, method: &str, value: &Value, oddly: Option<&str>) -> Result<(), String> {
        let name = format!("{} {}", method.to_ascii_uppercase(), self.path);
        if UNSENT.contains(&method) {
            let what = format!("{} cannot be forwarded: it is left out", method.to_ascii_uppercase());
            self.said.push((name, Kind::Missing, what));
            return Ok(());
        }
        let mut closed: Vec<String> = oddly
            .into_iter()
            .map(|key| format!("its method is written as {key:?}, which may mean something else"))
            .collect();
        let route = match value.get("x-zuplo-route") {
            None => {
                closed.push("it has no x-zuplo-route".to_owned());
                RouteFile::default()
            }
            Some(route) => RouteFile::deserialize(route)
                .map_err(|problem| format!("/paths {} {method} x-zuplo-route: {problem}", self.path))?,
        };
        closed.extend(
            route
                .unknown()
                .map(|member| format!("its x-zuplo-route has {member:?}, which is not known here")),
        );
        self.operations.push(Operation { name, method: method.to_ascii_uppercase(), closed, route });
        Ok(())
    }

    fn finish(mut self, mode: Mode) -> Item {
        let all: Vec<String> = self.operations.iter().map(|operation| operation.method.clone()).collect();
        for operation in &mut self.operations {
            if all.iter().filter(|method| **method == operation.method).count() > 1 {
                operation
                    .closed
                    .push("its method stands twice, and which one counts is not known".to_owned());
            }
        }
        if self.operations.is_empty() && self.unknown.is_empty() {
            self.unknown.push("it has no method that can be forwarded".to_owned());
        }
        // As methods are listed everywhere, and not as the names of members are sorted.
        let place = |method: &str| METHODS.iter().position(|own| own.eq_ignore_ascii_case(method));
        self.operations.sort_by_key(|operation| place(&operation.method));
        // An unknown mode changes what every route of the path takes.
        if mode == Mode::Unknown {
            for operation in &mut self.operations {
                operation.closed.extend(self.unknown.iter().cloned());
            }
        }
        let missing = METHODS.map(str::to_ascii_uppercase).into_iter().filter(|method| !all.contains(method));
        if !self.unknown.is_empty() {
            self.operations.extend(missing.map(|method| Operation {
                name: self.path.to_owned(),
                method,
                closed: self.unknown.clone(),
                route: RouteFile::default(),
            }));
        }
        Item { path: self.path.to_owned(), mode, operations: self.operations, said: self.said }
    }
}

/// The methods that a member stands for.
struct Methods {
    /// In lower case.
    names: Vec<String>,
    /// Whether they are written otherwise than Zuplo writes them.
    oddly: bool,
}

/// One method, or several with commas between them; `None` where one of them is none.
fn methods(member: &str) -> Option<Methods> {
    let names: Vec<String> = member.split(',').map(|name| name.trim().to_ascii_lowercase()).collect();
    let known = |name: &String| METHODS.contains(&name.as_str()) || UNSENT.contains(&name.as_str());
    let oddly = names.join(",") != member;
    names.iter().all(known).then_some(Methods { names, oddly })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn item(item: &Value) -> Item {
        read("/p", item).unwrap()
    }

    fn route() -> Value {
        json!({ "x-zuplo-route": { "handler": { "export": "urlForwardHandler" }, "policies": { "inbound": ["keys"] } } })
    }

    /// The methods that pass, and those that are closed.
    fn told(value: &Value) -> (Vec<String>, Vec<String>) {
        let (closed, open): (Vec<_>, Vec<_>) =
            item(value).operations.into_iter().partition(|operation| !operation.closed.is_empty());
        let names =
            |operations: Vec<Operation>| operations.into_iter().map(|operation| operation.method).collect();
        (names(open), names(closed))
    }

    #[test]
    fn methods_may_stand_in_one_member() {
        let all = "get,head,post,put,delete,connect,options,trace,patch";
        let (open, closed) = told(&json!({ all: route() }));
        assert_eq!(open, ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);
        assert_eq!(closed, Vec::<String>::new());
        let said = item(&json!({ all: route() })).said;
        assert_eq!(
            said.iter().map(|(name, ..)| name.as_str()).collect::<Vec<_>>(),
            ["CONNECT /p", "TRACE /p"]
        );
        for operation in item(&json!({ all: route() })).operations {
            assert_eq!(operation.route.policies.inbound, ["keys"], "{}", operation.name);
        }
        assert_eq!(told(&json!({ "get": route(), "post,put": route() })).0, ["GET", "POST", "PUT"]);
    }

    #[test]
    fn whatever_is_not_understood_closes_the_methods_that_it_may_mean() {
        let every = 7;
        for (value, open, closed) in [
            (json!({ "GET": route() }), 0, 1),
            (json!({ "Get": route(), "post": route() }), 1, 1),
            (json!({ "get, post": route() }), 0, 2),
            (json!({ " get": route() }), 0, 1),
            (json!({ "get,get": route() }), 0, 2),
            (json!({ "get": route(), "get,post": route() }), 1, 2),
            (json!({ "get;post": route() }), 0, every),
            (json!({ "get,": route() }), 0, every),
            (json!({ "get,fetch": route() }), 0, every),
            (json!({ "query": route() }), 0, every),
            (json!({ "*": route() }), 0, every),
            (json!({ "": route() }), 0, every),
            (json!({ "additionalOperations": { "COPY": route() } }), 0, every),
            (json!({ "x-any": route() }), 0, every),
            (json!({ "summary": route() }), 0, every),
            (json!({ "x-zuplo-route": {} }), 0, every),
            (json!({ "$ref": "#/components/pathItems/p" }), 0, every),
            (json!({ "get": route(), "$ref": "#/x" }), 1, every - 1),
            (json!({ "get": route(), "post ": null, "patch": {} }), 1, 2),
            (json!({ "get": { "x-zuplo-route": { "policies": { "inbond": ["keys"] } } } }), 0, 1),
            (json!({ "get": { "x-zuplo-route": { "guards": [] } } }), 0, 1),
            (json!({ "get": { "x-zuplo-route": { "handler": { "export": "x", "guard": 1 } } } }), 0, 1),
            (json!({ "get": null }), 0, 1),
            (json!({}), 0, every),
            (json!({ "trace": route() }), 0, every),
            (json!(null), 0, every),
            (json!([route()]), 0, every),
            (json!({ "get": route(), "x-zuplo-path": { "pathMode": "regex" } }), 0, every),
            (json!({ "get": route(), "x-zuplo-path": { "pathMode": 7 } }), 0, every),
            (json!({ "get": route(), "x-zuplo-path": { "mode": "url-pattern" } }), 0, every),
            (json!({ "get": route(), "x-zuplo-path": "url-pattern" }), 0, every),
        ] {
            let (passing, shut) = told(&value);
            assert_eq!((passing.len(), shut.len()), (open, closed), "{value}: {passing:?} {shut:?}");
        }
    }

    #[test]
    fn what_changes_no_route_is_said_at_the_most() {
        for (more, kinds) in [
            (json!({ "summary": "s", "description": "d", "parameters": [] }), vec![]),
            (json!({ "servers": [{ "url": "https://x.example" }] }), vec![Kind::Differs]),
            (json!({ "x-internal": true }), vec![Kind::Note]),
        ] {
            let mut value = more.clone();
            value["get"] = route();
            let found = item(&value);
            assert!(found.operations.iter().all(|operation| operation.closed.is_empty()), "{more}");
            assert_eq!(found.said.into_iter().map(|(_, kind, _)| kind).collect::<Vec<_>>(), kinds, "{more}");
        }
        assert!(read("/p", &json!({ "get": { "x-zuplo-route": 7 } })).is_err());
    }
}
