//! From a Zuplo project to a gateway.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use pointsman_core::routing::pattern::{Pattern, Rewrite};

use super::{
    draft::{Act, BackendDraft, Draft, RouteDraft, RuleDraft},
    findings::{Finding, Kind},
};

mod advice;
mod code;
mod cors;
mod credentials;
mod guards;
mod handler;
mod headers;
mod item;
mod limits;
mod order;
mod path;
mod policies;
mod project;
mod providers;
mod routed;
mod template;
mod tokens;
mod trial;
mod values;
mod whole;

use self::{
    handler::Destination,
    item::{Item, Operation},
    order::Entry,
    path::Translated,
    policies::{Asked, CodeOfRoute, Reader, Said},
    project::{Project, RouteFile},
    routed::{RoutedRule, To},
    values::Variables,
};

const AUTHORIZATION: &str = "authorization";
const CLOSED: &str = "Nobody may pass here, until this is done by hand:";
const ROUTES: &str = "docs/configuration.md#routes";
const BACKENDS: &str = "docs/configuration.md#backendsname";
const CORS: &str = "docs/configuration.md#corsname";
const CODE: &str = "docs/import.md#code-that-becomes-rules";

/// Reads a project and writes it as a gateway, with what is to be known of that.
///
/// # Errors
/// The file that cannot be read, and why.
pub(super) fn import(folder: &Path) -> Result<(Draft, Vec<Finding>), String> {
    let project = project::read(folder)?;
    let mut importer = Importer::new(&project);
    for item in &project.items {
        importer.item(item);
    }
    Ok(importer.finish())
}

/// One method of one path, as it is written here.
struct Draught {
    name: String,
    pattern: Pattern,
    /// Whether the pattern takes more than the path did.
    wider: bool,
    /// Whether it lacks something that decided who may pass, or where to.
    lost: bool,
    /// Fields that its backend does not get.
    removed: BTreeSet<String>,
    /// Whether its backend gets an Authorization of the gateway's.
    sets_authorization: bool,
    /// What its code came to, which refuses some, too.
    routed: Vec<RoutedRule>,
    route: RouteDraft,
}

impl Draught {
    fn entry(&self) -> Entry<'_> {
        let method = self.route.methods.first().map_or("", String::as_str);
        Entry { method, pattern: &self.pattern, wider: self.wider }
    }
}

struct Importer<'a> {
    project: &'a Project,
    draft: Draft,
    variables: Variables,
    bucket: Option<Option<String>>,
    draughts: Vec<Draught>,
    findings: Vec<Finding>,
    /// Files of customers that code reads.
    customer_files: BTreeSet<String>,
}

impl<'a> Importer<'a> {
    fn new(project: &'a Project) -> Self {
        Self {
            project,
            draft: Draft::default(),
            variables: Variables::default(),
            bucket: None,
            draughts: Vec::new(),
            findings: Vec::new(),
            customer_files: BTreeSet::new(),
        }
    }

    fn say(&mut self, route: &str, (kind, what, see): Said) {
        let finding = Finding { kind, route: Some(route.to_owned()), what, see };
        // What is so of a whole path, each of its methods says.
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    fn item(&mut self, item: &Item) {
        for (name, kind, what) in &item.said {
            self.say(name, (*kind, what.clone(), ROUTES));
        }
        let translated = path::translate(&item.path, item.mode);
        for operation in &item.operations {
            self.operation(operation, &translated);
        }
    }

    fn operation(&mut self, operation: &Operation, translated: &Translated) {
        let name = operation.name.clone();
        let (asked, destination, routed, told) = match operation.closed.as_slice() {
            [] => self.parts(&operation.route, &translated.names),
            // What is missing there is no news where the whole is not understood.
            _ => (Asked::default(), None, Vec::new(), Vec::new()),
        };
        let mut said: Vec<Said> =
            operation.closed.iter().map(|why| (Kind::Closed, why.clone(), ROUTES)).collect();
        said.extend(told);
        let lost = said.iter().any(|(kind, ..)| *kind == Kind::Closed);
        if let (Some(part), []) = (&translated.wider, operation.closed.as_slice()) {
            let what = format!("its path can be written only wider than it is ({part}), so nobody may pass");
            said.push((Kind::Closed, what, ROUTES));
        }
        let cors = self.cors(operation.route.cors_policy.as_deref(), &mut said);
        let patterns: Vec<Pattern> =
            translated.paths.iter().filter_map(|path| Pattern::parse(path).ok()).collect();
        let usable = |pattern: &Pattern| {
            let rewrite = destination.as_ref().and_then(|destination| destination.rewrite.as_ref());
            rewrite.is_none_or(|rewrite| Rewrite::parse(rewrite, pattern).is_ok())
        };
        if !patterns.iter().any(usable) {
            said.push((Kind::Closed, "the path of its backend cannot be written here".to_owned(), ROUTES));
        }
        let closed = said.iter().any(|(kind, ..)| *kind == Kind::Closed);
        for (path, pattern) in translated.paths.iter().zip(&patterns) {
            let mut said_of_it = said.clone();
            let lacking = !closed && !usable(pattern);
            if lacking {
                let what = format!("{path} alone is closed: its backend's path has a part that it lacks");
                said_of_it.push((Kind::Closed, what.clone(), ROUTES));
                self.say(&name, (Kind::Closed, what, ROUTES));
            }
            let destination = destination.as_ref();
            let route =
                self.route(operation, path, &asked, (destination, &routed), cors.clone(), &said_of_it);
            let wider = translated.wider.is_some();
            let lost = lost || lacking;
            self.draughts.push(Draught {
                name: name.clone(),
                pattern: pattern.clone(),
                wider,
                lost,
                removed: asked.removed.clone(),
                sets_authorization: asked.headers.contains_key(AUTHORIZATION),
                routed: routed.clone(),
                route,
            });
        }
        for said in said {
            self.say(&name, said);
        }
    }

    /// Its policies and its handler.
    fn parts(
        &mut self,
        file: &RouteFile,
        names: &BTreeMap<String, String>,
    ) -> (Asked, Option<Destination>, Vec<RoutedRule>, Vec<Said>) {
        let mut reader = Reader {
            project: self.project,
            draft: &mut self.draft,
            variables: &mut self.variables,
            bucket: &mut self.bucket,
        };
        let mut asked = reader.read(&file.policies);
        let mut said = std::mem::take(&mut asked.said);
        let destination = match &file.handler {
            None => Err("it has no handler".to_owned()),
            Some(handler) => handler::destination(handler, names, &mut self.variables),
        };
        if let Some(differs) = destination.as_ref().ok().and_then(|destination| destination.differs) {
            said.push((Kind::Differs, differs.to_owned(), BACKENDS));
        }
        let destination = destination.map_err(|why| said.push((Kind::Closed, why, BACKENDS))).ok();
        let routed = match (&asked.code, &destination) {
            (Some(code), Some(destination)) => self.routed(code, destination),
            (None, Some(Destination { custom: Some(name), .. })) => Err(format!(
                "its backend is context.custom.{name}, and no policy that was understood sets it"
            )),
            _ => Ok(Vec::new()),
        };
        let routed = routed.map_err(|why| said.push((Kind::Closed, why, CODE))).unwrap_or_default();
        if let (Some(code), false) = (&asked.code, said.iter().any(|(kind, ..)| *kind == Kind::Closed)) {
            let mut what = format!(
                "its rules come from {}: compare the two, and try callers of each kind with `pointsman explain`",
                code.from.join(" and ")
            );
            if let [_, .., RoutedRule { when, to: To::Url(url) }] = routed.as_slice()
                && when.is_empty()
            {
                what.push_str(&format!(". Callers of whom no rule says anything go to {url}, as they did"));
            }
            said.push((Kind::Review, what, CODE));
            let to_customers = routed.iter().any(|rule| matches!(rule.to, To::Customer { .. }));
            if to_customers && !asked.headers.is_empty() {
                let names: Vec<_> = asked.headers.keys().map(String::as_str).collect();
                let what = format!(
                    "customers' own backends do not get {}: fields are those of one backend here, and secrets of yours are not for \
                     others",
                    names.join(", ")
                );
                said.push((Kind::Differs, what, "docs/configuration.md#fields-of-a-backend"));
            }
        }
        (asked, destination, routed, said)
    }

    /// The rules that code comes to.
    fn routed(&mut self, code: &CodeOfRoute, destination: &Destination) -> Result<Vec<RoutedRule>, String> {
        let from = code.from.join(" and ");
        let refused = |why| format!("{from} is code of the project: {why}: {}", advice::OWN_CODE);
        let (rules, customers) = routed::rules(code, destination, &mut self.variables).map_err(refused)?;
        match (&self.draft.customers, customers) {
            (Some(known), Some(own)) if *known != own => {
                return Err(format!(
                    "{from} finds customers in another way than a policy of another route, and there is one way here"
                ));
            }
            (_, Some(own)) => self.draft.customers = Some(own),
            _ => {}
        }
        if let Some(code::Source::File(file)) = code.lookup.as_ref().map(|lookup| &lookup.source) {
            self.customer_files.insert(file.clone());
        }
        Ok(rules)
    }

    fn cors(&mut self, name: Option<&str>, said: &mut Vec<Said>) -> Option<String> {
        let name = name.filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case("none"))?;
        if name == "anything-goes" {
            return Some(name.to_owned());
        }
        let policy = match self.project.cors.get(name) {
            None => Err("is in no policies.json".to_owned()),
            Some(file) => cors::policy(file).map_err(|why| format!("is not carried over: {why}")),
        };
        match policy {
            Ok(policy) => {
                self.draft.cors.insert(name.to_owned(), policy);
                Some(name.to_owned())
            }
            Err(why) => {
                said.push((Kind::Missing, format!("the CORS policy {name} {why}"), CORS));
                None
            }
        }
    }

    fn route(
        &mut self,
        operation: &Operation,
        path: &str,
        asked: &Asked,
        (destination, routed): (Option<&Destination>, &[RoutedRule]),
        cors: Option<String>,
        said: &[Said],
    ) -> RouteDraft {
        let remarks = said.iter().filter(|(kind, ..)| kind.is_left_to_do());
        let remark = |(kind, what, see): &Said| match kind {
            Kind::Review => format!("review: {what} ({see})"),
            _ => format!("{what} ({see})"),
        };
        let mut remarks: Vec<String> = remarks.map(remark).collect();
        let closed = said.iter().any(|(kind, ..)| *kind == Kind::Closed);
        let rules = match destination.filter(|_| !closed) {
            None => Vec::new(),
            Some(destination) if routed.is_empty() => {
                vec![RuleDraft::forward(self.backend(&destination.url, &asked.headers))]
            }
            Some(_) => self.rules(routed, &asked.headers, &asked.guards),
        };
        if closed {
            remarks.insert(0, CLOSED.to_owned());
            if let Some(destination) = destination.filter(|destination| destination.custom.is_none()) {
                remarks.push(format!("It went to {}", destination.url));
            }
        }
        RouteDraft {
            path: path.to_owned(),
            methods: vec![operation.method.clone()],
            auth: asked.auth.clone(),
            anonymous: asked.anonymous,
            cors,
            resource: asked.resource,
            rewrite: destination.filter(|_| !closed).and_then(|destination| destination.rewrite.clone()),
            scopes: asked.scopes.clone(),
            max_body: asked.max_body,
            limits: asked.limits.clone(),
            forward_credential: false,
            pass: Vec::new(),
            guards: asked.guards.clone(),
            rules,
            remarks,
        }
    }

    /// Rules that code came to, with names that no guard has.
    fn rules(
        &mut self,
        routed: &[RoutedRule],
        headers: &BTreeMap<String, String>,
        guards: &[RuleDraft],
    ) -> Vec<RuleDraft> {
        let mut rules: Vec<RuleDraft> = Vec::new();
        for rule in routed {
            let (base, act) = match &rule.to {
                To::Url(url) => {
                    let backend = self.backend(url, headers);
                    (backend.clone(), Act::To(backend))
                }
                To::Customer { next } => ("customer".to_owned(), Act::Customer { next: *next }),
                To::Deny(status) => ("refused".to_owned(), Act::Deny(*status)),
            };
            let mut name = base.clone();
            let mut number = 2;
            while rules.iter().chain(guards).any(|other| other.name == name) {
                name = format!("{base}-{number}");
                number += 1;
            }
            rules.push(RuleDraft { name, when: rule.when.clone(), act });
        }
        rules
    }

    /// The name of the backend with this URL, and with these fields of its own.
    fn backend(&mut self, url: &str, headers: &BTreeMap<String, String>) -> String {
        let own = BackendDraft { url: url.to_owned(), headers: headers.clone() };
        if let Some((name, _)) = self.draft.backends.iter().find(|(_, known)| **known == own) {
            return name.clone();
        }
        let plain = url.trim_start_matches("https://").replace("${", "").to_ascii_lowercase();
        let mut words: Vec<&str> = plain
            .split(|letter: char| !letter.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty())
            .collect();
        if words.len() > 1 && words.last() == Some(&"url") {
            words.pop();
        }
        let base = words.join("-");
        let base = if matches!(base.as_str(), "" | "customer") { "backend".to_owned() } else { base };
        let mut name = base.clone();
        let mut number = 2;
        while self.draft.backends.contains_key(&name) {
            name = format!("{base}-{number}");
            number += 1;
        }
        self.draft.backends.insert(name.clone(), own);
        name
    }
}
