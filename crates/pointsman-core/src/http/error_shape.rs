//! How the errors that the gateway answers with itself are written: as problems (RFC 9457), or in the words of an API that
//! its callers' clients were made for.

use serde_json::Value;

use crate::base::{
    json::{put, text},
    problem::Problem,
};

/// The media type of a problem (RFC 9457, section 3).
const PROBLEM: &str = "application/problem+json";

/// How errors are written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ErrorShape {
    /// As a problem, without the member `error`.
    ProblemAlone,
    /// As a text of the operator's own.
    Template(Template),
}

/// A text with places for what is known of an error.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Template {
    /// Its media type.
    pub content_type: String,
    /// The text.
    pub body: String,
}

/// One error, as a shape writes it.
#[derive(Clone, Copy, Debug)]
pub struct Told<'a> {
    /// The problem.
    pub problem: Problem,
    /// The HTTP status.
    pub status: u16,
    /// What the problem's type begins with.
    pub type_base: &'a str,
    /// The request's id.
    pub instance: &'a str,
}

/// What has a place in a template. All of them are words of the gateway's own, or ids of a narrow alphabet: none needs an
/// escape in JSON or in XML.
pub const PLACES: [&str; 6] = ["status", "code", "type", "title", "detail", "request_id"];

impl Told<'_> {
    fn place(&self, name: &str) -> Option<String> {
        Some(match name {
            "status" => self.status.to_string(),
            "code" => self.problem.slug().to_owned(),
            "type" => Problem::error_type(self.status).to_owned(),
            "title" => self.problem.title().to_owned(),
            "detail" => self.problem.detail().to_owned(),
            "request_id" => self.instance.to_owned(),
            _ => return None,
        })
    }

    /// The media type and the body. Without a shape it is a problem with the member `error`.
    #[must_use]
    pub fn write(&self, shape: Option<&ErrorShape>) -> (String, String) {
        if let Some(ErrorShape::Template(template)) = shape {
            return (template.content_type.clone(), template.fill(self));
        }
        let mut document = self.problem.document(self.status, self.type_base);
        if let Value::Object(members) = &mut document {
            if shape.is_some() {
                members.remove("error");
            }
            put(members, "instance", self.instance.into());
        }
        (PROBLEM.to_owned(), text(&document))
    }
}

impl Template {
    fn fill(&self, told: &Told<'_>) -> String {
        let mut body = String::with_capacity(self.body.len() + 128);
        for piece in pieces(&self.body) {
            match piece {
                Piece::Text(text) => body.push_str(text),
                Piece::Place(name) => body.push_str(&told.place(name).unwrap_or_default()),
            }
        }
        body
    }
}

/// A part of a template.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Piece<'a> {
    /// What stands there as it is.
    Text(&'a str),
    /// A name in braces. It may be none of [`PLACES`].
    Place(&'a str),
}

/// The parts of a template. Braces around anything but one word of small letters are text, as JSON has them.
pub fn pieces(template: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = template;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut from = 0;
        while let Some(open) = rest.get(from..).and_then(|tail| tail.find('{')).map(|at| at + from) {
            let inside = rest.get(open + 1..).unwrap_or_default();
            let length = inside.bytes().take_while(|byte| byte.is_ascii_lowercase() || *byte == b'_').count();
            if length == 0 || inside.as_bytes().get(length) != Some(&b'}') {
                from = open + 1;
                continue;
            }
            if open > 0 {
                let (text, tail) = rest.split_at(open);
                rest = tail;
                return Some(Piece::Text(text));
            }
            let (name, tail) = inside.split_at(length);
            rest = tail.get(1..).unwrap_or_default();
            return Some(Piece::Place(name));
        }
        Some(Piece::Text(std::mem::take(&mut rest)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(problem: Problem) -> Told<'static> {
        Told { problem, status: problem.status(), type_base: "urn:x:", instance: "8f1c2d3e" }
    }

    #[test]
    fn templates_are_filled_and_braces_of_json_stay() {
        let body = r#"{"error":{"code":"{code}","n":{status}},"x":{},"y":"{ a }","{UP}":"{nope}{type}"}"#;
        let template = Template { content_type: "application/json".to_owned(), body: body.to_owned() };
        let (media, text) = told(Problem::RateLimited).write(Some(&ErrorShape::Template(template)));
        assert_eq!(media, "application/json");
        let expected =
            r#"{"error":{"code":"rate-limited","n":429},"x":{},"y":"{ a }","{UP}":"rate_limit_error"}"#;
        assert_eq!(text, expected);
    }

    #[test]
    fn every_place_is_one_and_needs_no_escape() {
        for problem in Problem::ALL {
            for name in PLACES {
                let value = told(*problem).place(name).unwrap();
                let is_plain = |character: char| !matches!(character, '"' | '\\' | '<' | '&' | '\0'..='\x1f');
                assert!(!value.is_empty() && value.chars().all(is_plain), "{name}: {value}");
            }
        }
        assert_eq!(told(Problem::Denied).place("reason"), None);
        // A rule denies by a status of its own, and clients go by both.
        for (status, kind) in
            [(403, "permission_error"), (404, "invalid_request_error"), (429, "rate_limit_error")]
        {
            let told = Told { status, ..told(Problem::Denied) };
            assert_eq!(told.place("type").as_deref(), Some(kind));
            assert!(told.write(None).1.contains(kind));
        }
    }

    #[test]
    fn a_problem_alone_has_the_members_of_the_standard() {
        let (media, text) = told(Problem::Denied).write(Some(&ErrorShape::ProblemAlone));
        assert_eq!(media, PROBLEM);
        let document: Value = serde_json::from_str(&text).unwrap();
        let names: Vec<_> = document.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, ["detail", "instance", "status", "title", "type"]);
    }
}
