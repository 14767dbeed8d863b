//! `[errors]`: how the errors that the gateway answers with itself are written.

use pointsman_checked::errors::{MAX_TEMPLATE, is_media_type};
use pointsman_core::http::error_shape::{PLACES, Piece, pieces};
use serde_json::{Value, json};

use super::{
    file::{ErrorShapeFile, GatewayFile},
    findings::{Findings, Kind, escape},
};

/// What every problem is where nothing else is configured.
const PROBLEM: &str = "problem";
/// The same without the member `error`.
const PROBLEM_ALONE: &str = "problem-alone";
const JSON: &str = "application/json";

/// Shapes that need no section: what the clients of these protocols read errors from.
const BUILT_IN: [(&str, &str, &str); 3] = [
    // GraphQL, section 7.1.2. Most clients read it under this media type alone.
    (
        "graphql",
        JSON,
        r#"{"errors":[{"message":"{detail}","extensions":{"code":"{code}","status":{status}}}]}"#,
    ),
    // Amazon S3, "REST Error Responses".
    (
        "s3",
        "application/xml",
        r#"<?xml version="1.0" encoding="UTF-8"?>
<Error><Code>{code}</Code><Message>{detail}</Message><RequestId>{request_id}</RequestId></Error>"#,
    ),
    // AWS JSON 1.0 and 1.1, restJson1: the client reads the kind of error from `__type`.
    ("aws-json", JSON, r#"{"__type":"{code}","message":"{detail}"}"#),
];

/// The shapes that are used, as the checked form has them, and what routes refer to.
pub(super) struct Shapes<'a> {
    own: Vec<&'a str>,
    used: Vec<String>,
    forms: Vec<(String, Value)>,
    usual: Option<usize>,
}

impl<'a> Shapes<'a> {
    /// Reads `[errors]`, and which shapes routes use.
    pub(super) fn of(file: &'a GatewayFile, findings: &mut Findings) -> Self {
        let mut shapes = Self { own: Vec::new(), used: Vec::new(), forms: Vec::new(), usual: None };
        let Some(errors) = &file.errors else { return shapes };
        for (name, written) in errors.shapes.iter() {
            let at = format!("/errors/shapes/{}", escape(name));
            if is_built_in(name) {
                findings.error(&at, "this name is built in; call the shape something else");
            }
            let form = own(written, &at, findings);
            shapes.own.push(name);
            shapes.forms.push((name.to_owned(), form));
        }
        shapes.usual = shapes.place(errors.shape.as_deref(), "/errors/shape", findings);
        shapes
    }

    /// The place of a route's shape; `None` where its errors are problems.
    pub(super) fn of_route(
        &mut self,
        name: Option<&str>,
        at: &str,
        findings: &mut Findings,
    ) -> Option<usize> {
        match name {
            None => self.usual,
            name => self.place(name, &format!("{at}/errors"), findings),
        }
    }

    fn place(&mut self, name: Option<&str>, at: &str, findings: &mut Findings) -> Option<usize> {
        let name = name.filter(|name| *name != PROBLEM)?;
        if !self.forms.iter().any(|(known, _)| known == name) {
            let Some(form) = built_in(name) else {
                let mut all = self.own.clone();
                all.extend(built_in_names());
                let hint = "write \"problem\", \"problem-alone\", \"graphql\", \"s3\", \"aws-json\" or a name of [errors.shapes]";
                findings.unknown(Kind::Shape, at.to_owned(), name, all, hint);
                return None;
            };
            self.forms.push((name.to_owned(), form));
        }
        let place = self.used.iter().position(|used| used == name);
        Some(place.unwrap_or_else(|| {
            self.used.push(name.to_owned());
            self.used.len() - 1
        }))
    }

    /// The checked form: the shapes that are used, in the order of their places.
    pub(super) fn form(&self) -> Value {
        let form =
            |used: &String| self.forms.iter().find(|(name, _)| name == used).map(|(_, form)| form.clone());
        json!({ "shapes": self.used.iter().filter_map(form).collect::<Vec<_>>(), "usual": self.usual })
    }
}

fn built_in_names<'a>() -> impl Iterator<Item = &'a str> {
    [PROBLEM, PROBLEM_ALONE].into_iter().chain(BUILT_IN.iter().map(|(name, ..)| *name))
}

fn is_built_in(name: &str) -> bool {
    built_in_names().any(|own| own == name)
}

fn built_in(name: &str) -> Option<Value> {
    if name == PROBLEM_ALONE {
        return Some(json!({}));
    }
    let (_, media, body) = BUILT_IN.iter().find(|(own, ..)| *own == name)?;
    Some(json!({ "content_type": media, "body": body }))
}

fn own(written: &ErrorShapeFile, at: &str, findings: &mut Findings) -> Value {
    let media = written.content_type.as_deref().unwrap_or(JSON);
    if !is_media_type(media) {
        findings.error(format!("{at}/content_type"), "must be a media type: application/json");
    }
    let (body, body_at) = (written.body.as_str(), format!("{at}/body"));
    if body.len() > MAX_TEMPLATE {
        findings.error(&body_at, format!("must be at most {MAX_TEMPLATE} bytes"));
    }
    let mut sample = String::new();
    for piece in pieces(body) {
        match piece {
            Piece::Text(text) => sample.push_str(text),
            // Only this one is a number.
            Piece::Place("status") => sample.push('0'),
            Piece::Place(name) if PLACES.contains(&name) => sample.push('a'),
            Piece::Place(name) => {
                let all = PLACES.map(|place| format!("{{{place}}}")).join(", ");
                findings.error(&body_at, format!("{{{name}}} is no place; there are {all}"));
            }
        }
    }
    let is_json = media.split(';').next().is_some_and(|media| media.trim_end().ends_with("json"));
    if is_json && let Err(error) = serde_json::from_str::<Value>(&sample) {
        findings.error(&body_at, format!("is no JSON once its places are filled: {error}"));
    }
    let written = findings.write(&body_at, body);
    if written.as_str() != Some(body) {
        findings.error(
            &body_at,
            "must not have a variable in it: nobody can check what that would make of the body",
        );
    }
    json!({ "content_type": findings.write(&format!("{at}/content_type"), media), "body": written })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use pointsman_core::http::error_shape::ErrorShape;

    use crate::{Checked, findings::Finding, parse};

    fn read(toml_text: &str) -> Result<Checked, Vec<Finding>> {
        let value: serde_json::Value = toml::from_str(toml_text).unwrap();
        parse(&value.to_string(), &HashMap::<String, String>::new())
    }

    const ROUTES: &str = r#"
        [backends.b]
        url = "https://b.example"
        [[routes]]
        path = "/a"
        auth = []
        rules = [{ name = "all", to = "b" }]
        [[routes]]
        path = "/b"
        auth = []
        errors = "NAME"
        rules = [{ name = "all", to = "b" }]
    "#;

    #[test]
    fn routes_have_the_usual_shape_or_their_own_and_only_what_is_used_is_kept() {
        let errors = "[errors]\nshape = \"s3\"\n[errors.shapes.old]\nbody = '{\"e\":\"{detail}\"}'\n";
        let of_routes = |name: &str| {
            let gateway = read(&format!("{errors}{}", ROUTES.replace("NAME", name))).unwrap().gateway;
            let shapes: Vec<_> = gateway
                .routes()
                .iter()
                .map(|route| match route.errors.and_then(|place| gateway.errors().shapes.get(place)) {
                    None => "problem".to_owned(),
                    Some(ErrorShape::ProblemAlone) => "alone".to_owned(),
                    Some(ErrorShape::Template(own)) => own.content_type.clone(),
                })
                .collect();
            (shapes.join(" "), gateway.errors().shapes.len())
        };
        assert_eq!(of_routes("problem"), ("application/xml problem".to_owned(), 1));
        assert_eq!(of_routes("s3"), ("application/xml application/xml".to_owned(), 1));
        assert_eq!(of_routes("problem-alone"), ("application/xml alone".to_owned(), 2));
        assert_eq!(of_routes("old"), ("application/xml application/json".to_owned(), 2));
        let none = read(&ROUTES.replace("NAME", "graphql")).unwrap().gateway;
        let places: Vec<_> = none.routes().iter().map(|route| route.errors).collect();
        assert_eq!((places, none.errors().usual), (vec![None, Some(0)], None));
    }

    #[test]
    fn what_is_wrong_with_a_shape_is_said_with_its_place() {
        let found = |errors: &str, name: &str| {
            let read = read(&format!("{errors}{}", ROUTES.replace("NAME", name)));
            let findings = read.map_or_else(|findings| findings, |checked| checked.warnings);
            findings.iter().map(Finding::to_string).collect::<Vec<_>>().join("; ")
        };
        let shape = |lines: &str| format!("[errors.shapes.own]\n{lines}\n");
        for (errors, name, expected) in [
            (String::new(), "problm", "/routes/1/errors: \"problm\" is unknown: write \"problem\""),
            (
                "[errors]\nshape = \"nope\"\n".to_owned(),
                "problem",
                "/errors/shape: \"nope\" is unknown: write \"problem\", ",
            ),
            (
                shape("body = \"a\"\ncontent_type = \"text/plain\""),
                "problem",
                "/errors/shapes/own: no route has this shape",
            ),
            (
                shape("body = \"{detial}\"\ncontent_type = \"text/plain\""),
                "own",
                "{detial} is no place; there are {status}, ",
            ),
            (
                shape("body = '{\"code\":{code}}'"),
                "own",
                "/errors/shapes/own/body: is no JSON once its places are filled",
            ),
            (
                shape("body = \"a\"\ncontent_type = \"json\""),
                "own",
                "/errors/shapes/own/content_type: must be a media type",
            ),
            (
                "[errors.shapes.s3]\nbody = '{}'\n".to_owned(),
                "s3",
                "/errors/shapes/s3: this name is built in",
            ),
        ] {
            let said = found(&errors, name);
            assert!(said.contains(expected), "{said}");
        }
        let long = shape(&format!("content_type = \"text/plain\"\nbody = \"{}\"", "a".repeat(4097)));
        assert!(found(&long, "own").contains("must be at most 4096 bytes"));
        assert_eq!(found(&shape("body = '{\"n\":{status},\"c\":\"{code}\"}'"), "own"), "");
    }
}
