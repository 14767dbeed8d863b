//! What only the whole project says: the order of routes, what all of them share, and what none uses.

use std::collections::BTreeSet;

use super::{
    AUTHORIZATION, CLOSED, CORS, Draught, Importer, ROUTES,
    order::{self, Remark},
    policies,
};
use crate::convert::{
    draft::{Act, Draft, RouteDraft},
    findings::{Finding, Kind},
};

impl Importer<'_> {
    /// The gateway, when all routes are read.
    pub(super) fn finish(mut self) -> (Draft, Vec<Finding>) {
        let gone = self.order();
        self.hand_on(&gone);
        self.remove(&gone);
        let mut draft = std::mem::take(&mut self.draft);
        for (index, draught) in self.draughts.into_iter().enumerate() {
            if gone.contains(&index) {
                continue;
            }
            let RouteDraft { methods, .. } = &draught.route;
            let alike = |route: &&mut RouteDraft| {
                RouteDraft { methods: methods.clone(), ..(**route).clone() } == draught.route
            };
            match draft.routes.iter_mut().find(alike) {
                Some(route) => route.methods.extend(draught.route.methods),
                None => draft.routes.push(draught.route),
            }
        }
        draft.variables = self.variables.0;
        tidy(&mut draft);
        let mut findings = self.findings;
        findings.extend(general(&draft, self.project.hooks));
        if draft.customers.as_ref().is_some_and(|customers| customers.source.is_none()) {
            for file in &self.customer_files {
                let what = format!("bring the customers into KV: pointsman customers import {file}");
                let see = "docs/import.md#customers";
                findings.push(Finding { kind: Kind::Note, route: None, what, see });
            }
        }
        (draft, findings)
    }

    /// Has backends get the Authorization that they got: Zuplo forwards it, unless a policy takes it off or sets another.
    fn hand_on(&mut self, gone: &BTreeSet<usize>) {
        let holds_keys = self.draft.api_keys.as_ref().is_some_and(|keys| keys.header == AUTHORIZATION);
        let mut lacking = Vec::new();
        let draughts = self.draughts.iter_mut().enumerate().filter(|(index, _)| !gone.contains(index));
        for (_, draught) in draughts {
            let Draught { route, removed, sets_authorization, .. } = draught;
            if route.is_closed() || *sets_authorization || removed.contains(AUTHORIZATION) {
                continue;
            }
            let is_token = |name: &String| name != "api_key" && name != policies::CERTIFICATE;
            let takes_tokens = route.auth.iter().any(is_token);
            if takes_tokens {
                route.forward_credential = true;
            } else if !holds_keys {
                route.pass = vec![AUTHORIZATION.to_owned()];
            } else if !route.auth.iter().any(|name| name == "api_key") {
                lacking.push(draught.name.clone());
            }
        }
        lacking.dedup();
        if !lacking.is_empty() {
            let what = format!(
                "API keys are read from Authorization, so no backend gets what clients send there, and those of these routes did: \
                 {}. With [api_keys] header = \"x-api-key\" a route can have pass = [\"authorization\"]",
                lacking.join(", ")
            );
            let see = "docs/configuration.md#credentials-for-backends";
            self.findings.push(Finding { kind: Kind::Differs, route: None, what, see });
        }
    }

    /// Takes off what policies took off, which is for all routes here.
    fn remove(&mut self, gone: &BTreeSet<usize>) {
        let keys = self.draft.api_keys.as_ref().map(|keys| keys.header.clone());
        let here = self.draughts.iter().enumerate().filter(|(index, _)| !gone.contains(index));
        let here: Vec<_> = here.map(|(_, draught)| draught).collect();
        let names = here.iter().flat_map(|draught| &draught.removed);
        // No backend gets what holds API keys; of Authorization each route says.
        let names = names.filter(|name| *name != AUTHORIZATION && Some(*name) != keys.as_ref());
        let names: BTreeSet<String> = names.cloned().collect();
        for name in &names {
            let mut others = here.iter().filter(|draught| !draught.route.is_closed());
            if others.any(|draught| !draught.removed.contains(name)) {
                let what = format!(
                    "{name} was taken off on some routes, and [forward] remove keeps it from the backends of all: look whether \
                     one of them needs it"
                );
                let see = "docs/configuration.md#forward";
                self.findings.push(Finding { kind: Kind::Differs, route: None, what, see });
            }
        }
        self.draft.removed = names;
    }

    /// Says where the order mattered; gives those that are left out.
    fn order(&mut self) -> BTreeSet<usize> {
        let remarks = order::compare(&self.draughts.iter().map(Draught::entry).collect::<Vec<_>>());
        let mut gone = BTreeSet::new();
        for remark in remarks {
            let (kind, index, what) = match remark {
                Remark::NeverReached(first, second) => {
                    gone.insert(second);
                    let what = "stands before it and takes all its requests: it is left out";
                    (Kind::Note, second, format!("{} {what}", self.name(first)))
                }
                Remark::Taken(first, second) => {
                    gone.insert(second);
                    let what = "is closed and has the same path here, being written wider: it is left out";
                    (Kind::Missing, second, format!("{} {what}", self.name(first)))
                }
                Remark::GoesTo(first, second) => self.goes_to(first, second),
                Remark::Refused(first, others) => {
                    let mut names: Vec<String> = others.into_iter().map(|index| self.name(index)).collect();
                    names.dedup();
                    let what = "it took paths whose own routes lack the method, and here those get 405";
                    (Kind::Differs, first, format!("{what}: {}", names.join(", ")))
                }
            };
            let finding = Finding { kind, route: Some(self.name(index)), what, see: ROUTES };
            // Both forms of one path say the same.
            if !self.findings.contains(&finding) {
                self.findings.push(finding);
            }
        }
        gone
    }

    /// Requests that fit both come to the second here. Where the first asked for more of them, nobody may.
    fn goes_to(&mut self, first: usize, second: usize) -> (Kind, usize, String) {
        let what = format!(
            "{} stood before it and took requests that fit both; here they come to this one",
            self.name(first)
        );
        let guard = |index: usize| {
            self.draughts.get(index).map(|Draught { lost, route, routed, .. }| {
                let RouteDraft { auth, anonymous, scopes, guards, .. } = route;
                (*lost, auth.clone(), *anonymous, scopes.clone(), guards.clone(), routed.clone())
            })
        };
        let alike = guard(first) == guard(second);
        let Some(route) = self.draughts.get_mut(second).map(|draught| &mut draught.route) else {
            return (Kind::Differs, second, what);
        };
        route.remarks.push(format!("{what} ({ROUTES})"));
        if alike || route.is_closed() {
            return (Kind::Differs, second, what);
        }
        let backends = route.backends().filter_map(|name| self.draft.backends.get(name));
        let went: Vec<_> = backends.map(|own| format!("It went to {}", own.url)).collect();
        route.rules.clear();
        route.rewrite = None;
        route.remarks.insert(0, CLOSED.to_owned());
        route.remarks.extend(went);
        (Kind::Closed, second, format!("{what}, and other callers may"))
    }

    fn name(&self, index: usize) -> String {
        self.draughts.get(index).map(|draught| draught.name.clone()).unwrap_or_default()
    }
}

/// Takes out what no route uses any more, and variables that only it used.
fn tidy(draft: &mut Draft) {
    let used = draft.routes.iter().flat_map(RouteDraft::backends);
    let used: BTreeSet<_> = used.map(str::to_owned).collect();
    draft.backends.retain(|name, _| used.contains(name));
    let auth: BTreeSet<_> = draft.routes.iter().flat_map(|route| route.auth.iter().cloned()).collect();
    draft.issuers.retain(|issuer| auth.contains(&issuer.name));
    if !auth.contains("api_key") {
        draft.api_keys = None;
    }
    draft.client_certificates &= auth.contains(policies::CERTIFICATE);
    let rules = || draft.routes.iter().flat_map(|route| &route.rules);
    if !rules().any(|rule| matches!(rule.act, Act::Customer { .. })) {
        draft.customers = None;
    }
    let policies: BTreeSet<_> = draft.routes.iter().filter_map(|route| route.cors.clone()).collect();
    draft.cors.retain(|name, _| policies.contains(name));
    let limits: BTreeSet<_> = draft.routes.iter().flat_map(|route| route.limits.iter().cloned()).collect();
    draft.limits.retain(|name, _| limits.contains(name));
    let text = draft.to_toml(&[]);
    // Comments name them, too; what else has a variable in it is text.
    let written: String = text.lines().filter(|line| !line.starts_with('#')).collect();
    draft.variables.retain(|name, _| written.contains(&format!("${{{name}}}")));
}

/// What is so for the whole project.
fn general(draft: &Draft, hooks: Option<&str>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut say =
        |kind, what: &str, see| findings.push(Finding { kind, route: None, what: what.to_owned(), see });
    if let Some(file) = hooks {
        let what = format!("{file} is code that may run for every request, and no code runs here");
        say(Kind::Missing, &what, ROUTES);
    }
    if draft.api_keys.is_some() {
        let what =
            "the keys stay where they are: put the record of each into KV, under the SHA-256 of the key";
        say(Kind::Note, what, "docs/kv-schema.md");
    }
    if !draft.issuers.is_empty() {
        let what =
            "issuers are taken at the algorithms that such providers use: strike those that yours does not";
        say(Kind::Note, what, "docs/configuration.md#issuers");
    }
    if !draft.limits.is_empty() {
        let what = "a rate limit is counted in each location by itself, and a quota everywhere together";
        say(Kind::Note, what, "docs/configuration.md#limitsname");
    }
    if draft.routes.iter().any(|route| route.cors.is_none()) {
        let what = "without a CORS policy a backend's own Access-Control fields pass. A preflight gets 405, or goes the way of \
             any request where a route takes OPTIONS";
        say(Kind::Note, what, CORS);
    }
    if !draft.backends.is_empty() && draft.api_keys.is_some() {
        let what = "backends never get an API key; who calls stands in x-subject";
        say(Kind::Note, what, "docs/configuration.md#what-a-backend-gets");
    }
    if draft.routes.iter().any(|route| route.forward_credential) {
        let what = "backends get the callers' tokens, as they did (forward_credential): strike that where x-subject is enough";
        say(Kind::Note, what, "docs/configuration.md#credentials-for-backends");
    }
    if draft.routes.iter().any(|route| !route.pass.is_empty()) {
        let what = "backends get the clients' Authorization, as they did (pass), and nobody has verified it: strike that where no \
                    backend reads it";
        say(Kind::Note, what, "docs/configuration.md#credentials-for-backends");
    }
    findings
}
