//! A gateway as an import makes it, and its text.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt::Write,
};

use super::findings::{Finding, Kind};

mod rules;

pub(crate) use self::rules::{Act, RuleDraft};

/// What is to be written.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) api_keys: Option<KeysDraft>,
    pub(crate) issuers: Vec<IssuerDraft>,
    /// Whether certificates of clients are credentials.
    pub(crate) client_certificates: bool,
    pub(crate) customers: Option<CustomersDraft>,
    /// Fields that no client can send to a backend.
    pub(crate) removed: BTreeSet<String>,
    pub(crate) backends: BTreeMap<String, BackendDraft>,
    pub(crate) cors: BTreeMap<String, CorsDraft>,
    pub(crate) limits: BTreeMap<String, LimitDraft>,
    pub(crate) routes: Vec<RouteDraft>,
    /// What wrangler.toml must set.
    pub(crate) variables: BTreeMap<String, Use>,
}

/// What a variable is used as.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Use {
    Url,
    /// A part of one, behind `https://`.
    Host,
    Text,
    Secret,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct BackendDraft {
    pub(crate) url: String,
    /// Fields that are set on each request to it, with their values.
    pub(crate) headers: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct KeysDraft {
    /// In lower case.
    pub(crate) header: String,
    pub(crate) scheme: String,
    pub(crate) fresh: Option<u64>,
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct IssuerDraft {
    pub(crate) name: String,
    pub(crate) issuer: String,
    pub(crate) audience: Vec<String>,
    pub(crate) algorithms: Vec<&'static str>,
    pub(crate) keys: KeysAt,
    pub(crate) subject: Option<String>,
    /// Where a preset says more of it than the policy does.
    pub(crate) preset: Option<PresetDraft>,
}

/// A preset, which says what is not among its fields.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct PresetDraft {
    pub(crate) name: &'static str,
    /// Fields with their values.
    pub(crate) fields: Vec<(&'static str, String)>,
    /// The field that has [`NOT_KNOWN`] for a value, and what belongs there.
    pub(crate) unknown: (&'static str, &'static str),
}

/// A value that nobody's token has, in the place of one that only the operator knows.
pub(crate) const NOT_KNOWN: &str = "not-known-yet";

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum KeysAt {
    Url(String),
    Secret(String),
}

impl Default for KeysAt {
    fn default() -> Self {
        Self::Url(String::new())
    }
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct CustomersDraft {
    /// The claim that names them.
    pub(crate) claim: String,
    pub(crate) source: Option<SourceDraft>,
}

/// A config API of customers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct SourceDraft {
    pub(crate) url: String,
    pub(crate) token: Option<String>,
    pub(crate) by_id: bool,
    /// In seconds.
    pub(crate) fresh: u64,
    pub(crate) timeout: Option<u64>,
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct CorsDraft {
    pub(crate) origins: Vec<String>,
    pub(crate) headers: Vec<String>,
    pub(crate) expose: Vec<String>,
    pub(crate) max_age: Option<u64>,
    pub(crate) credentials: bool,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct LimitDraft {
    pub(crate) binding: String,
    pub(crate) measure: MeasureDraft,
    pub(crate) by: ByDraft,
    pub(crate) closed: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum MeasureDraft {
    /// So many in so many seconds.
    Rate(u64, u64),
    /// So many in an hour, a day or a month.
    Quota(u64, &'static str),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ByDraft {
    Subject,
    Address,
    /// All callers together.
    Nothing,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RouteDraft {
    pub(crate) path: String,
    pub(crate) methods: Vec<String>,
    pub(crate) auth: Vec<String>,
    pub(crate) anonymous: bool,
    pub(crate) cors: Option<String>,
    /// Whether clients without a token are told who gives tokens.
    pub(crate) resource: bool,
    pub(crate) rewrite: Option<String>,
    pub(crate) scopes: Vec<String>,
    /// In KB.
    pub(crate) max_body: Option<u64>,
    pub(crate) limits: Vec<String>,
    /// Whether backends get the token that was verified.
    pub(crate) forward_credential: bool,
    /// Fields of credentials that are for the backend.
    pub(crate) pass: Vec<String>,
    /// Rules that refuse, before those that say where requests go.
    pub(crate) guards: Vec<RuleDraft>,
    /// Where requests go; none where nobody may pass yet.
    pub(crate) rules: Vec<RuleDraft>,
    /// What is to be known of it, as comments.
    pub(crate) remarks: Vec<String>,
}

/// No caller has this claim, so whoever is counted by it is counted with all others.
const NOBODYS_CLAIM: &str = "counted-together";
const QUOTAS: &str = "QUOTAS";

impl Draft {
    /// How many routes nobody may pass.
    pub(crate) fn closed(&self) -> usize {
        self.routes.iter().filter(|route| route.is_closed()).count()
    }

    /// A value for each variable that has its form, to check with.
    pub(crate) fn examples(&self) -> HashMap<String, String> {
        self.variables.iter().map(|(name, used)| (name.clone(), example(name, *used))).collect()
    }

    /// The text of `gateway.toml`.
    pub(crate) fn to_toml(&self, findings: &[Finding]) -> String {
        let mut text = "#:schema ./schemas/gateway.schema.json\n# From a Zuplo project, by `pointsman import zuplo`. Look at it \
                        before you deploy it.\n"
            .to_owned();
        for finding in findings.iter().filter(|finding| finding.route.is_none() && finding.kind != Kind::Note)
        {
            let _ = writeln!(text, "# {}", one_line(&finding.what));
        }
        self.callers(&mut text);
        if let Some(customers) = &self.customers {
            customers.write(&mut text);
        }
        if !self.removed.is_empty() {
            let names: Vec<_> = self.removed.iter().collect();
            let _ = write!(text, "\n[forward]\nremove = {}\n", list(&names));
        }
        for (name, backend) in &self.backends {
            backend.write(name, &mut text);
        }
        for (name, policy) in &self.cors {
            policy.write(name, &mut text);
        }
        for (name, limit) in &self.limits {
            limit.write(name, &mut text);
        }
        for route in &self.routes {
            route.write(&mut text);
        }
        let wrangler = self.wrangler();
        if !wrangler.is_empty() {
            text.push_str("\n# wrangler.toml needs:\n#\n");
            for line in wrangler.lines() {
                let _ = writeln!(text, "{}", format!("#   {line}").trim_end());
            }
        }
        text
    }

    fn callers(&self, text: &mut String) {
        if let Some(keys) = &self.api_keys {
            text.push_str("\n[api_keys]\n");
            let usual = if keys.header == "authorization" { "Bearer" } else { "" };
            if keys.header != "authorization" {
                let _ = writeln!(text, "header = {}", quoted(&keys.header));
            }
            if keys.scheme != usual {
                let _ = writeln!(text, "scheme = {}", quoted(&keys.scheme));
            }
            text.push_str("checksum = false   # minted elsewhere\n");
            if let Some(seconds) = keys.fresh {
                let _ = writeln!(text, "fresh = \"{seconds}s\"");
            }
        }
        for issuer in &self.issuers {
            issuer.write(text);
        }
        if self.client_certificates {
            text.push_str("\n[client_certificates]\nrecords = false   # every certificate that Cloudflare has verified\n");
        }
    }

    /// What `wrangler.toml` must have; empty where it needs nothing.
    pub(crate) fn wrangler(&self) -> String {
        let mut text = String::new();
        let is_secret = |used: Use| used == Use::Secret;
        let vars: Vec<_> = self.variables.iter().filter(|(_, used)| !is_secret(**used)).collect();
        if !vars.is_empty() {
            text.push_str("[vars]\n");
            for (name, used) in vars {
                let _ = writeln!(text, "{} = {}", key(name), quoted(&example(name, *used)));
            }
        }
        let secrets: Vec<_> = self.variables.iter().filter(|(_, used)| is_secret(**used)).collect();
        if !secrets.is_empty() {
            let names: Vec<_> = secrets.iter().map(|(name, _)| quoted(name)).collect();
            let _ = write!(text, "\n[secrets]\nrequired = [{}]\n", names.join(", "));
        }
        if self.api_keys.is_some() || !self.issuers.is_empty() {
            text.push_str("\n[[kv_namespaces]]\nbinding = \"POINTSMAN_KV\"\nid = \"00000000000000000000000000000000\"\n");
        }
        let source = self.customers.as_ref().and_then(|customers| customers.source.as_ref());
        let takes_list = source.is_some_and(|source| !source.by_id);
        if takes_list || self.issuers.iter().any(|issuer| matches!(issuer.keys, KeysAt::Url(_))) {
            text.push_str("\n[triggers]\ncrons = [\"*/2 * * * *\"]\n");
        }
        let mut has_quota = false;
        let mut namespace = 1000;
        for limit in self.limits.values() {
            let MeasureDraft::Rate(most, seconds) = limit.measure else {
                has_quota = true;
                continue;
            };
            namespace += 1;
            let _ = write!(
                text,
                "\n[[ratelimits]]\nname = {}\nnamespace_id = \"{namespace}\"\nsimple = {{ limit = {most}, period = {seconds} }}\n",
                quoted(&limit.binding)
            );
        }
        if has_quota {
            let _ = write!(
                text,
                "\n[[durable_objects.bindings]]\nname = \"{QUOTAS}\"\nclass_name = \"Quota\"\n\n[[migrations]]\ntag = \"v1\"\nnew_sqlite_classes = [\"Quota\"]\n"
            );
        }
        text.trim_start().to_owned()
    }
}

impl CustomersDraft {
    fn write(&self, text: &mut String) {
        let _ = write!(text, "\n[customers]\nclaim = {}\n", quoted(&self.claim));
        let Some(source) = &self.source else { return };
        let _ = write!(text, "fresh = \"{}s\"\nsource = {{ url = {}", source.fresh, quoted(&source.url));
        if let Some(token) = &source.token {
            let _ = write!(text, ", token = {}", quoted(token));
        }
        if let Some(seconds) = source.timeout {
            let _ = write!(text, ", timeout = \"{seconds}s\"");
        }
        text.push_str(if source.by_id { ", by_id = true }\n" } else { " }\n" });
    }
}

impl BackendDraft {
    fn write(&self, name: &str, text: &mut String) {
        let _ = write!(text, "\n[backends.{}]\nurl = {}\n", key(name), quoted(&self.url));
        let headers: Vec<_> = self
            .headers
            .iter()
            .map(|(name, value)| format!("{} = {}", quoted(name), quoted(value)))
            .collect();
        if !headers.is_empty() {
            let _ = writeln!(text, "headers = {{ {} }}", headers.join(", "));
        }
    }
}

impl IssuerDraft {
    fn write(&self, text: &mut String) {
        let _ = write!(text, "\n[[issuers]]\nname = {}\n", quoted(&self.name));
        match &self.preset {
            Some(preset) => preset.write(text),
            None => self.write_out(text),
        }
        if let KeysAt::Secret(secret) = &self.keys {
            let _ = write!(text, "secret = {}\nalgorithms = {}\n", quoted(secret), list(&self.algorithms));
        }
        if let Some(subject) = &self.subject {
            let _ = writeln!(text, "subject = {}", quoted(subject));
        }
    }

    fn write_out(&self, text: &mut String) {
        let _ = writeln!(text, "issuer = {}", quoted(&self.issuer));
        match self.audience.as_slice() {
            [one] => {
                let _ = writeln!(text, "audience = {}", quoted(one));
            }
            several => {
                let _ = writeln!(text, "audience = {}", list(several));
            }
        }
        if let KeysAt::Url(url) = &self.keys {
            let _ = write!(text, "jwks_url = {}\nalgorithms = {}\n", quoted(url), list(&self.algorithms));
        }
    }
}

impl PresetDraft {
    fn write(&self, text: &mut String) {
        let _ = writeln!(text, "preset = {}", quoted(self.name));
        for (field, value) in &self.fields {
            let _ = writeln!(text, "{field} = {}", quoted(value));
        }
        let (field, meaning) = self.unknown;
        let _ =
            writeln!(text, "{field} = {}   # {meaning}, which the policy does not name", quoted(NOT_KNOWN));
    }
}

impl CorsDraft {
    fn write(&self, name: &str, text: &mut String) {
        let _ = write!(text, "\n[cors.{}]\norigins = {}\n", key(name), list(&self.origins));
        for (field, values) in [("headers", &self.headers), ("expose", &self.expose)] {
            if !values.is_empty() {
                let _ = writeln!(text, "{field} = {}", list(values));
            }
        }
        if let Some(seconds) = self.max_age {
            let _ = writeln!(text, "max_age = \"{seconds}s\"");
        }
        if self.credentials {
            text.push_str("credentials = true\n");
        }
    }
}

impl LimitDraft {
    fn write(&self, name: &str, text: &mut String) {
        let _ = writeln!(text, "\n[limits.{}]", key(name));
        match self.measure {
            MeasureDraft::Rate(most, seconds) => {
                let _ = write!(
                    text,
                    "binding = {}\nlimit = {most}\nperiod = \"{seconds}s\"\n",
                    quoted(&self.binding)
                );
            }
            MeasureDraft::Quota(most, per) => {
                let _ = write!(
                    text,
                    "binding = \"{QUOTAS}\"\nquota = {most}\nper = \"{per}\"\nanchor = \"first-use\"\n"
                );
            }
        }
        match self.by {
            ByDraft::Subject => text.push_str("by = \"$subject\"\n"),
            ByDraft::Address => text.push_str("by = \"$ip\"\n"),
            ByDraft::Nothing => {
                let _ = writeln!(
                    text,
                    "by = \"{NOBODYS_CLAIM}\"   # no caller has this claim: all are counted together"
                );
            }
        }
        if self.closed {
            text.push_str("on_failure = \"closed\"\n");
        }
    }
}

impl RouteDraft {
    /// Whether nobody may pass.
    pub(crate) fn is_closed(&self) -> bool {
        self.rules.is_empty()
    }

    /// The backends that its rules lead to.
    pub(crate) fn backends(&self) -> impl Iterator<Item = &str> {
        self.rules.iter().filter_map(|rule| match &rule.act {
            Act::To(backend) => Some(backend.as_str()),
            Act::Customer { .. } | Act::Deny(_) => None,
        })
    }

    fn write(&self, text: &mut String) {
        text.push('\n');
        for remark in &self.remarks {
            let _ = writeln!(text, "# {}", one_line(remark));
        }
        let _ = write!(
            text,
            "[[routes]]\npath = {}\nmethods = {}\nauth = {}\n",
            quoted(&self.path),
            list(&self.methods),
            list(&self.auth)
        );
        if self.anonymous {
            text.push_str("anonymous = true\n");
        }
        if let Some(cors) = &self.cors {
            let _ = writeln!(text, "cors = {}", quoted(cors));
        }
        if self.resource {
            text.push_str("resource = {}\n");
        }
        if let Some(rewrite) = &self.rewrite {
            let _ = writeln!(text, "rewrite = {}", quoted(rewrite));
        }
        match self.scopes.as_slice() {
            [] => {}
            [scope] => {
                let _ = writeln!(text, "require = {{ scope = {{ has = {} }} }}", quoted(scope));
            }
            scopes => {
                let each: Vec<_> = scopes
                    .iter()
                    .map(|scope| format!("{{ scope = {{ has = {} }} }}", quoted(scope)))
                    .collect();
                let _ = writeln!(text, "require = {{ \"$all\" = [{}] }}", each.join(", "));
            }
        }
        if let Some(kilobytes) = self.max_body {
            let _ = writeln!(text, "max_body = \"{kilobytes}KB\"");
        }
        if !self.limits.is_empty() {
            let _ = writeln!(text, "limits = {}", list(&self.limits));
        }
        if self.forward_credential {
            text.push_str("forward_credential = true\n");
        }
        if !self.pass.is_empty() {
            let _ = writeln!(text, "pass = {}", list(&self.pass));
        }
        if self.is_closed() {
            rules::write([&RuleDraft::not_imported()], text);
        } else {
            rules::write(self.guards.iter().chain(&self.rules), text);
        }
    }
}

/// A text as TOML has it.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn list<T: AsRef<str>>(items: &[T]) -> String {
    let items: Vec<_> = items.iter().map(|item| quoted(item.as_ref())).collect();
    format!("[{}]", items.join(", "))
}

/// A name as a key of TOML.
fn key(name: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if !name.is_empty() && name.bytes().all(bare) { name.to_owned() } else { quoted(name) }
}

/// Comments end with their line, and a control character must not begin another.
fn one_line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

fn example(name: &str, used: Use) -> String {
    let label: String = name
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' })
        .collect();
    let label = label.trim_matches('-').to_owned();
    match used {
        Use::Url => format!("https://{label}.example.com"),
        Use::Host => format!("{label}.example.com"),
        Use::Text => label,
        Use::Secret => format!(
            "https://{label}.example.com/0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
        ),
    }
}
