//! The questions that every caller is asked with: one for each route of either configuration, and for each method, host,
//! region and whatever else the rules of that route tell apart.

use std::fmt::Write;

use pointsman_core::{
    http::head::PresentFields,
    identity::places::RouteAuth,
    routing::{
        operand::Operand,
        pattern::{Pattern, Segment},
    },
    state::{config::Gateway, route::Route},
};
use serde_json::{Map, Value};

use super::values::{Distinctions, placeholder};

/// More combinations than these of one route are not all asked: each thing is then varied by itself.
const MOST: usize = 256;
/// The host where no condition names one.
const HOST: &str = "gateway.example.com";
/// Stands for whatever a placeholder takes.
const PARTS: [&str; 3] = ["example", "example-1", "pointsman-diff-example"];

/// A request without a caller.
#[derive(Clone, Debug)]
pub(super) struct Question {
    /// Methods that both configurations treat alike. The first is asked with, unless the caller may not use it.
    pub(super) methods: Vec<String>,
    pub(super) url: String,
    /// In lower case.
    pub(super) fields: Vec<(String, String)>,
    pub(super) cf: Map<String, Value>,
    /// The client's address, where conditions ask for it.
    pub(super) address: Option<String>,
    /// What each configuration makes of it, base first.
    pub(super) sides: [Taken; 2],
}

/// The route that a question takes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Taken {
    /// Its place; `None` where the configuration has none for it.
    pub(super) index: Option<usize>,
    pub(super) auth: RouteAuth,
    /// Which of the question's fields the core is told to be there.
    pub(super) seen: PresentFields,
}

/// All questions, and what is to be said of them.
#[derive(Debug, Default)]
pub(super) struct Questions {
    pub(super) all: Vec<Question>,
    pub(super) notes: Vec<String>,
}

/// Derives the questions from both configurations.
pub(super) fn derive(base: &Gateway, head: &Gateway) -> Questions {
    let mut questions = Questions::default();
    let mut paths: Vec<&str> = Vec::new();
    for route in base.routes().iter().chain(head.routes()) {
        if !paths.contains(&&*route.path) {
            paths.push(&route.path);
        }
    }
    for path in paths {
        questions.path(path, [base, head]);
    }
    questions
}

impl Questions {
    fn path(&mut self, path: &str, sides: [&Gateway; 2]) {
        let Ok(pattern) = Pattern::parse(path) else { return };
        // With a part that leads to a route of its own, the question would be that route's.
        let is_own = |filled: &str| {
            let own = sides.map(|side| {
                side.table().find(filled).is_some_and(|matched| {
                    let mut routes = matched.endpoints.iter().filter_map(|own| side.routes().get(own.route));
                    routes.any(|route| *route.path == *path)
                })
            });
            own.contains(&true)
        };
        let part = PARTS.into_iter().find(|part| is_own(&fill(&pattern, part, &[])));
        let Some(part) = part else {
            self.notes
                .push(format!("{path}: no request was found that takes this route; it is not compared"));
            return;
        };
        let plain = fill(&pattern, part, &[]);
        for (methods, routes) in methods(&plain, sides) {
            self.varied(&pattern, part, methods, routes, sides);
        }
    }

    fn varied(
        &mut self,
        pattern: &Pattern,
        part: &str,
        methods: Vec<String>,
        routes: [Option<usize>; 2],
        sides: [&Gateway; 2],
    ) {
        let mut distinctions = Distinctions::default();
        let mut name = None;
        for (side, index) in sides.iter().zip(routes) {
            if let Some(route) = index.and_then(|index| side.routes().get(index)) {
                distinctions.add(side, route);
                name = name.or_else(|| Some(route.name.to_string()));
            }
        }
        let Some(name) = name else { return };
        let combinations = combined(&distinctions.of);
        if combinations.is_none() {
            self.notes.push(format!(
                "route {name}: its conditions tell more than {MOST} kinds of requests apart; each thing that they look at is \
                 varied by itself"
            ));
        }
        let combinations = combinations.unwrap_or_else(|| one_by_one(&distinctions.of));
        for values in combinations {
            let mut question = blank(&methods);
            let parts: Vec<(String, &str)> = values
                .iter()
                .filter_map(|(of, value)| Some((placeholder(of)?.to_string(), value.as_str()?)))
                .collect();
            question.url = fill(pattern, part, &parts);
            question.say(&values);
            question.sides = [0, 1]
                .map(|side| taken(&question, sides.get(side).copied(), routes.get(side).copied().flatten()));
            self.all.push(question);
        }
    }
}

fn blank(methods: &[String]) -> Question {
    Question {
        methods: methods.to_vec(),
        url: String::new(),
        fields: Vec::new(),
        cf: Map::new(),
        address: None,
        sides: [Taken::default(), Taken::default()],
    }
}

impl Question {
    /// Says what the operands are to find; `url` is the path so far.
    fn say(&mut self, values: &[(&Operand, &Value)]) {
        let (mut host, mut query) = (HOST.to_owned(), String::new());
        for (of, value) in values {
            let text = || value.as_str().unwrap_or_default().to_owned();
            match of {
                Operand::Cf(own) => own.property.say((*value).clone(), &mut self.cf),
                Operand::Ip => self.address = Some(text()),
                Operand::Host => host = text(),
                Operand::Header(name) => self.fields.push((name.to_string(), text())),
                Operand::Query(name) => {
                    let joint = if query.is_empty() { '?' } else { '&' };
                    let _ = write!(query, "{joint}{}={}", encoded(name), encoded(&text()));
                }
                Operand::Claim(_) | Operand::Subject | Operand::Method | Operand::Param(..) => {}
            }
        }
        self.url = format!("https://{host}{}{query}", self.url);
    }

    /// The method to ask with: one that a caller of these methods may use, where there is one.
    pub(super) fn method(&self, allowed: Option<&[String]>) -> &str {
        let may = |method: &&String| allowed.is_none_or(|allowed| allowed.contains(method));
        self.methods.iter().find(may).or(self.methods.first()).map_or("GET", String::as_str)
    }

    /// Beside method and URL, for people.
    pub(super) fn circumstances(&self) -> Map<String, Value> {
        let mut said = self.cf.clone();
        said.extend(
            self.fields.iter().map(|(name, value)| (format!("header {name}"), Value::from(value.as_str()))),
        );
        if let Some(address) = &self.address {
            said.insert("ip".to_owned(), Value::from(address.as_str()));
        }
        said
    }
}

fn taken(question: &Question, side: Option<&Gateway>, index: Option<usize>) -> Taken {
    let Some(side) = side else { return Taken::default() };
    let seen = question
        .fields
        .iter()
        .fold(PresentFields::default(), |seen, (name, _)| seen.and(side.fields().judge(name).seen));
    let auth = index.and_then(|index| side.routes().get(index)).map(|route: &Route| route.auth.clone());
    Taken { index, auth: auth.unwrap_or_default(), seen }
}

/// The methods of a path, those together that both configurations treat alike.
fn methods(path: &str, sides: [&Gateway; 2]) -> Vec<(Vec<String>, [Option<usize>; 2])> {
    let found = sides.map(|side| side.table().find(path));
    let mut classes: Vec<(Vec<String>, [Option<usize>; 2])> = Vec::new();
    let endpoints = found.iter().flatten().flat_map(|matched| matched.endpoints);
    for method in endpoints.map(|endpoint| &endpoint.method) {
        let route = |side: usize| found.get(side)?.as_ref()?.route(method);
        let routes = [route(0), route(1)];
        let apart = sides.iter().zip(routes).any(|(side, index)| {
            let route = index.and_then(|index| side.routes().get(index));
            route.is_some_and(|route| {
                let mut distinctions = Distinctions::default();
                distinctions.add(side, route);
                distinctions.methods
            })
        });
        if classes.iter().any(|(methods, _)| methods.contains(method)) {
            continue;
        }
        match classes.iter_mut().find(|(_, own)| !apart && *own == routes) {
            Some((methods, _)) => methods.push(method.clone()),
            None => classes.push((vec![method.clone()], routes)),
        }
    }
    classes
}

type Values<'a> = Vec<(&'a Operand, &'a Value)>;

/// Every value of each with every value of the others; `None` where these are too many.
fn combined(of: &[(Operand, Vec<Option<Value>>)]) -> Option<Vec<Values<'_>>> {
    let count = of.iter().try_fold(1usize, |count, (_, values)| count.checked_mul(values.len()))?;
    if count > MOST {
        return None;
    }
    let mut all: Vec<Values<'_>> = vec![Vec::new()];
    for (operand, values) in of {
        let mut next = Vec::with_capacity(all.len() * values.len());
        for before in &all {
            for value in values {
                let mut with = before.clone();
                with.extend(value.as_ref().map(|value| (operand, value)));
                next.push(with);
            }
        }
        all = next;
    }
    Some(all)
}

/// Each value alone.
fn one_by_one(of: &[(Operand, Vec<Option<Value>>)]) -> Vec<Values<'_>> {
    let each = of
        .iter()
        .flat_map(|(operand, values)| values.iter().flatten().map(move |value| vec![(operand, value)]));
    std::iter::once(Vec::new()).chain(each).collect()
}

/// A path of the pattern; `parts` are the placeholders that take something of their own.
fn fill(pattern: &Pattern, part: &str, parts: &[(String, &str)]) -> String {
    let of = |name: &str| {
        let own = parts.iter().find(|(own, _)| own == name).map(|(_, value)| encoded(value));
        own.filter(|value| !value.is_empty()).unwrap_or_else(|| part.to_owned())
    };
    pattern.segments.iter().fold(String::new(), |path, segment| {
        let text = match segment {
            Segment::Literal(text) => text.clone(),
            Segment::One(name) | Segment::Rest(name) => of(name),
        };
        format!("{path}/{text}")
    })
}

/// A text as a part of a URL: all but what RFC 3986, section 2.3, calls unreserved is percent-encoded.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut all, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            all.push(char::from(byte));
        } else {
            let _ = write!(all, "%{byte:02X}");
        }
        all
    })
}
