//! What a route's policies come to.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{
    advice,
    code::{self, Caller, Lookup, Tree},
    credentials::{Credential, certificates, combine},
    guards, headers, limits,
    project::{Policy, PolicyNames, Project},
    tokens::{self, Left},
    values::{Variables, flag, only, text},
};
use crate::convert::{
    draft::{Draft, KeysDraft, RuleDraft, Use},
    findings::Kind,
};

/// What policies ask of requests.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Asked {
    pub(super) auth: Vec<String>,
    pub(super) anonymous: bool,
    /// Whether clients without a token are told who gives tokens.
    pub(super) resource: bool,
    pub(super) limits: Vec<String>,
    /// In KB.
    pub(super) max_body: Option<u64>,
    pub(super) scopes: Vec<String>,
    /// Fields that its backend gets, with their values.
    pub(super) headers: BTreeMap<String, String>,
    /// Fields that its backend does not get.
    pub(super) removed: BTreeSet<String>,
    /// Rules that deny.
    pub(super) guards: Vec<RuleDraft>,
    /// What its code comes to.
    pub(super) code: Option<CodeOfRoute>,
    pub(super) said: Vec<Said>,
}

/// Policies that are code of the project, one after the other.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct CodeOfRoute {
    pub(super) tree: Tree,
    pub(super) lookup: Option<Lookup>,
    /// Variables that are taken to be set.
    pub(super) assumed: Vec<String>,
    /// The files, each with its policy.
    pub(super) from: Vec<String>,
    /// The credentials that callers could have shown before each policy that reads who calls.
    callers: Vec<Vec<String>>,
}

/// A finding of a route.
pub(super) type Said = (Kind, String, &'static str);

/// How a route names certificates of clients.
pub(super) const CERTIFICATE: &str = "client_certificate";
pub(super) const AUTH: &str = "docs/configuration.md#routes";
const ISSUERS: &str = "docs/configuration.md#issuers";
const KEYS: &str = "docs/configuration.md#api_keys";
const RESOURCES: &str = "docs/configuration.md#protected-resources";
const LIMITS: &str = "docs/configuration.md#limitsname";
const RULES: &str = "docs/configuration.md#rules";
const FIELDS: &str = "docs/configuration.md#fields-of-a-backend";
const BACKENDS: &str = "docs/configuration.md#what-a-backend-gets";
const CERTIFICATES: &str = "docs/configuration.md#client_certificates";
const FORWARD: &str = "docs/configuration.md#forward";

/// Policies without which the same callers reach the same backend.
const INBOUND_ONLY_MISSED: [&str; 11] = [
    "AmberfloMeteringInboundPolicy",
    "AuditLogInboundPolicy",
    "CachingInboundPolicy",
    "HttpDeprecationInboundPolicy",
    "MoesifInboundPolicy",
    "OpenMeterInboundPolicy",
    "ReadmeMetricsInboundPolicy",
    "RequestArchiveInboundPolicy",
    "RequestValidationInboundPolicy",
    "SemanticCacheInboundPolicy",
    "SleepInboundPolicy",
];
/// Policies without which clients learn nothing more.
const OUTBOUND_ONLY_MISSED: [&str; 3] =
    ["AuditLogOutboundPolicy", "HttpDeprecationOutboundPolicy", "SetHeadersOutboundPolicy"];
/// Composites in composites, before somebody made a circle.
const DEEPEST: u8 = 8;

/// Reads the policies of one route. What is the same for all (issuers, limits, the form of keys) goes into
/// the draft.
pub(super) struct Reader<'a> {
    pub(super) project: &'a Project,
    pub(super) draft: &'a mut Draft,
    pub(super) variables: &'a mut Variables,
    /// The bucket of the keys, which all routes must share.
    pub(super) bucket: &'a mut Option<Option<String>>,
}

impl Reader<'_> {
    pub(super) fn read(&mut self, names: &PolicyNames) -> Asked {
        let mut asked = Asked::default();
        let mut credentials = Vec::new();
        for name in &names.inbound {
            self.inbound(name, 0, &mut asked, &mut credentials);
        }
        for name in &names.outbound {
            let (kind, what) = match self.project.policies.get(name) {
                None => (Kind::Closed, "is in no policies.json".to_owned()),
                Some(Policy { handler, .. }) => {
                    let known = OUTBOUND_ONLY_MISSED.contains(&handler.export.as_str());
                    let kind = if handler.is_built_in() && known { Kind::Missing } else { Kind::Closed };
                    (kind, format!("changes answers ({}), which the gateway does not", handler.export))
                }
            };
            asked.said.push((kind, format!("the policy {name} {what}"), BACKENDS));
        }
        let told: Vec<_> = credentials.iter().filter_map(Credential::told).collect();
        combine(credentials, &mut asked);
        for (policy, issuer) in told {
            self.tell(&policy, &issuer, &mut asked);
        }
        let callers = asked.code.iter().flat_map(|code| &code.callers);
        let unseen = |shown: &Vec<String>| asked.auth.iter().any(|name| !shown.contains(name));
        if callers.into_iter().any(unseen) {
            let what = "code reads who calls before a policy that asks for another credential".to_owned();
            asked.said.push((Kind::Closed, what, AUTH));
        }
        if !asked.scopes.is_empty() && asked.auth.is_empty() {
            let what = "scopes are asked for, and no token is: a rule for nobody".to_owned();
            asked.said.push((Kind::Closed, what, AUTH));
        }
        asked
    }

    fn inbound(&mut self, name: &str, depth: u8, asked: &mut Asked, credentials: &mut Vec<Credential>) {
        let close = |what: String, see| (Kind::Closed, format!("the policy {name} {what}"), see);
        let Some(policy) = self.project.policies.get(name) else {
            asked.said.push(close("is in no policies.json".to_owned(), RULES));
            return;
        };
        if self.project.ambiguous.contains(name) {
            asked.said.push(close(
                "stands twice in policies.json, and which one counts is not known".to_owned(),
                RULES,
            ));
            return;
        }
        let handler = &policy.handler;
        if let Some(member) = handler.unknown.keys().next() {
            asked.said.push(close(format!("has {member:?} in its handler, which is not known here"), RULES));
            return;
        }
        if !handler.is_built_in() {
            let caller = match credentials.as_slice() {
                [] => Caller::Nobody,
                some if some.iter().all(|credential| credential.optional) => Caller::Maybe,
                _ => Caller::Known,
            };
            let shown = credentials.iter().map(|credential| credential.name.clone()).collect();
            if let Err(why) = self.code(name, policy, (caller, shown), asked) {
                asked.said.push(close(format!("is code of the project: {why}: {}", advice::OWN_CODE), RULES));
            }
            return;
        }
        let options = &handler.options;
        match handler.export.as_str() {
            "CompositeInboundPolicy" => {
                let inner = options.get("policies").and_then(Value::as_array).filter(|_| depth < DEEPEST);
                let Some(inner) = inner else {
                    asked.said.push(close("is a composite of nothing that can be read".to_owned(), RULES));
                    return;
                };
                for inner in inner {
                    self.inbound(inner.as_str().unwrap_or_default(), depth + 1, asked, credentials);
                }
            }
            "ApiKeyInboundPolicy" | "ApiAuthKeyInboundPolicy" => match self.keys(policy) {
                Ok(optional) => {
                    let header = self.draft.api_keys.as_ref().map(|keys| keys.header.as_str());
                    if header.is_some_and(|header| asked.removed.contains(header)) {
                        let what = "looks for API keys in a field that another policy has removed";
                        asked.said.push(close(what.to_owned(), KEYS));
                    }
                    let name = "api_key".to_owned();
                    credentials.push(Credential { name, optional, told_by: None });
                }
                Err(why) => asked.said.push(close(format!("takes API keys, and {why}"), KEYS)),
            },
            export if tokens::is_about_tokens(export) => match self.issuer(name, policy) {
                Ok((issuer, optional, left)) => {
                    if let Some(left) = left {
                        asked.said.push(close(format!("takes tokens, and {}", left.what(&issuer)), left.see));
                    }
                    let is_told = options.get(tokens::METADATA) == Some(&Value::Bool(true));
                    let told_by = is_told.then(|| name.to_owned());
                    credentials.push(Credential { name: issuer, optional, told_by });
                }
                Err(why) => asked.said.push(close(format!("takes tokens, and {why}"), ISSUERS)),
            },
            export if limits::is_limit(export) => match self.limit(name, policy) {
                Ok((limit, differs)) => {
                    if !asked.limits.contains(&limit) {
                        asked.limits.push(limit);
                    }
                    let differs = differs.map(|what| format!("the policy {name} {what}"));
                    asked.said.extend(differs.map(|what| (Kind::Differs, what, LIMITS)));
                }
                Err(why) => {
                    asked.said.push((
                        Kind::Missing,
                        format!("the policy {name} limits requests, and {why}"),
                        LIMITS,
                    ));
                }
            },
            export if guards::is_guard(export) => match guards::rules(name, export, options) {
                Ok(rules) => asked.guard(rules),
                Err(why) => asked.said.push(close(format!("keeps callers out, and {why}"), RULES)),
            },
            "MTLSAuthInboundPolicy" => match certificates(options) {
                Ok(optional) => {
                    self.draft.client_certificates = true;
                    let what = "takes client certificates, and the project does not say of which authorities: switch them on for \
                                the gateway's host at Cloudflare, write `require = { issuer_dn = \"…\" }`, and then the rule";
                    asked.said.push(close(what.to_owned(), CERTIFICATES));
                    let name = CERTIFICATE.to_owned();
                    credentials.push(Credential { name, optional, told_by: None });
                }
                Err(why) => {
                    asked.said.push(close(format!("takes client certificates, and {why}"), CERTIFICATES))
                }
            },
            "RemoveHeadersInboundPolicy" => match headers::removed(options) {
                Ok(names) => {
                    let set = names.iter().find(|name| self.project.sets(name));
                    if let Some(name_of_both) = set {
                        let what = format!("removes {name_of_both}, which another policy sets");
                        asked.said.push(close(what, FORWARD));
                    } else if credentials.is_empty() && names.iter().any(|name| name == "authorization") {
                        let what = "removes authorization before a credential is looked for".to_owned();
                        asked.said.push(close(what, FORWARD));
                    } else {
                        asked.removed.extend(names);
                    }
                }
                Err(why) => asked.said.push(close(format!("removes fields, and {why}"), FORWARD)),
            },
            "RequestSizeLimitInboundPolicy" => {
                match options.get("maxSizeInBytes").and_then(Value::as_u64).filter(|bytes| *bytes > 0) {
                    Some(bytes) => self.max_body(name, bytes, asked),
                    None => asked.said.push(close("limits bodies to what is no number".to_owned(), AUTH)),
                }
            }
            "SetHeadersInboundPolicy" => match headers::fixed(options, self.variables) {
                Ok(fixed) => asked.headers.extend(fixed),
                Err(why) => asked.said.push(close(format!("sets fields, and {why}"), FIELDS)),
            },
            "JWTScopeValidationInboundPolicy" => {
                let scopes =
                    options.get("scopes").and_then(Value::as_array).filter(|scopes| !scopes.is_empty());
                let word = |scope: &Value| {
                    scope
                        .as_str()
                        .filter(|word| !word.is_empty() && !word.contains([' ', '$']))
                        .map(str::to_owned)
                };
                match scopes.and_then(|scopes| scopes.iter().map(word).collect::<Option<Vec<_>>>()) {
                    Some(scopes) => asked.scopes.extend(scopes),
                    None => asked.said.push(close("asks for scopes that are no words".to_owned(), AUTH)),
                }
            }
            export if INBOUND_ONLY_MISSED.contains(&export) => {
                let what = format!("the policy {name} ({export}) is left out: requests pass without it");
                asked.said.push((Kind::Missing, what, RULES));
            }
            export => {
                asked.said.push(close(format!("({export}) {}", advice::of(export)), RULES));
            }
        }
    }

    /// Reads a policy that is code of the project.
    fn code(
        &self,
        name: &str,
        policy: &Policy,
        (caller, shown): (Caller, Vec<String>),
        asked: &mut Asked,
    ) -> Result<(), String> {
        let own = code::read(&self.project.folder, &policy.handler, caller)?;
        let from = format!("{} (policy {name})", own.file);
        // Before all credentials nobody is known, and what comes of that does not change.
        let callers: Vec<_> = (caller != Caller::Nobody).then_some(shown).into_iter().collect();
        let Some(before) = &mut asked.code else {
            let code::Code { tree, lookup, assumed, .. } = own;
            asked.code = Some(CodeOfRoute { tree, lookup, assumed, from: vec![from], callers });
            return Ok(());
        };
        if before.lookup.is_some() && own.lookup.is_some() && before.lookup != own.lookup {
            return Err(format!(
                "{} looks for customers in another way than {}",
                own.file,
                before.from.join(", ")
            ));
        }
        before.tree = std::mem::replace(&mut before.tree, Tree::Deny(403)).then(&own.tree);
        before.lookup = before.lookup.take().or(own.lookup);
        before.assumed.extend(own.assumed);
        before.from.push(from);
        before.callers.extend(callers);
        Ok(())
    }

    fn keys(&mut self, policy: &Policy) -> Result<bool, String> {
        let options = &policy.handler.options;
        only(
            options,
            &[
                "allowUnauthenticatedRequests",
                "authHeader",
                "authScheme",
                "bucketName",
                "cacheTtlSeconds",
                "disableAutomaticallyAddingKeyHeaderToOpenApi",
            ],
        )?;
        let header = text(options, "authHeader", Use::Text, self.variables)?;
        let scheme = text(options, "authScheme", Use::Text, self.variables)?;
        let bucket = text(options, "bucketName", Use::Text, &mut Variables::default())?;
        let fresh = match options.get("cacheTtlSeconds") {
            None | Some(Value::Null) => None,
            Some(seconds) => Some(seconds.as_u64().ok_or("its cacheTtlSeconds is no whole number")?),
        };
        let own = KeysDraft {
            header: header.unwrap_or_else(|| "authorization".to_owned()).to_ascii_lowercase(),
            scheme: scheme.unwrap_or_else(|| "Bearer".to_owned()),
            fresh: fresh.filter(|seconds| *seconds != 60),
        };
        let bucket_of_all = self.bucket.get_or_insert_with(|| bucket.clone());
        if *bucket_of_all != bucket {
            return Err("there is one set of keys here, and another policy has another bucket".to_owned());
        }
        let keys = self.draft.api_keys.get_or_insert_with(|| own.clone());
        if (&keys.header, &keys.scheme) != (&own.header, &own.scheme) {
            return Err(
                "keys are sent in one way here, and another policy has another header or scheme".to_owned()
            );
        }
        // A revoked key must not work for longer than the strictest of them says.
        let shorter = keys.fresh.unwrap_or(60).min(own.fresh.unwrap_or(60));
        keys.fresh = (shorter != 60).then_some(shorter);
        flag(options, "allowUnauthenticatedRequests")
    }

    /// Has clients without a token told of an issuer, where it is one of the route's that has a URL.
    fn tell(&self, policy: &str, issuer: &str, asked: &mut Asked) {
        let own = self.draft.issuers.iter().find(|own| own.name == issuer && asked.auth.contains(&own.name));
        let (kind, what) = if own
            .is_some_and(|own| own.issuer.starts_with("http") || own.issuer.starts_with("${"))
        {
            asked.resource = true;
            let what =
                "the issuers in auth, and neither a name nor scopes: look at what the project's code names";
            (Kind::Note, format!("metadata of the protected resource name {what}"))
        } else {
            let what = "write `resource = { authorization_servers = [\"https://…\"] }` in the route";
            (
                Kind::Missing,
                format!("no URL is known of who gives tokens: for metadata of the protected resource {what}"),
            )
        };
        asked.said.push((kind, format!("the policy {policy} has {}: {what}", tokens::METADATA), RESOURCES));
    }

    fn issuer(&mut self, name: &str, policy: &Policy) -> Result<(String, bool, Option<Left>), String> {
        let options = &policy.handler.options;
        let (own, left) = tokens::issuer(name, &policy.handler.export, options, self.variables)?;
        let optional = flag(options, "allowUnauthenticatedRequests")?;
        let issuers = &mut self.draft.issuers;
        if let Some(known) = issuers.iter().find(|known| known.issuer == own.issuer) {
            let alike = crate::convert::draft::IssuerDraft { name: known.name.clone(), ..own };
            return if *known == alike {
                Ok((alike.name, optional, left))
            } else {
                Err("another policy trusts the same issuer with other settings, and an issuer has one entry: let that entry take the audiences of both, and each route `require` its own in aud"
                    .to_owned())
            };
        }
        let name = own.name.clone();
        issuers.push(own);
        Ok((name, optional, left))
    }

    fn limit(&mut self, name: &str, policy: &Policy) -> Result<(String, Option<&'static str>), String> {
        let (own, differs) = limits::limit(name, &policy.handler.export, &policy.handler.options)?;
        let name = limits::name(name);
        match self.draft.limits.get(&name) {
            Some(known) if *known != own => return Err(format!("another one is called {name} already")),
            Some(_) => {}
            None if self.draft.limits.values().any(|known| known.binding == own.binding) => {
                return Err(format!("another one has the binding {} already", own.binding));
            }
            None => drop(self.draft.limits.insert(name.clone(), own)),
        }
        Ok((name, differs))
    }

    fn max_body(&self, name: &str, bytes: u64, asked: &mut Asked) {
        let kilobytes = bytes.div_ceil(1024);
        if kilobytes > 512 * 1024 {
            let what =
                format!("the policy {name} lets larger bodies pass than any plan of the platform does");
            asked.said.push((Kind::Note, what, AUTH));
            return;
        }
        if !bytes.is_multiple_of(1024) {
            let what = format!(
                "the policy {name} takes {bytes} bytes, and here {kilobytes}KB are the nearest size above"
            );
            asked.said.push((Kind::Note, what, AUTH));
        }
        asked.max_body = Some(asked.max_body.map_or(kilobytes, |other| other.min(kilobytes)));
    }
}

impl Asked {
    /// Adds rules that deny; a policy that is named twice denies once.
    fn guard(&mut self, rules: Vec<RuleDraft>) {
        for mut rule in rules {
            if self.guards.contains(&rule) {
                continue;
            }
            while self.guards.iter().any(|other| other.name == rule.name) {
                rule.name.push_str("-also");
            }
            self.guards.push(rule);
        }
    }
}
