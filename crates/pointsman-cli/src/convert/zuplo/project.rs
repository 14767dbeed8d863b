//! The files of a Zuplo project.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs,
    path::{Path, PathBuf},
};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::{Map, Value};

use super::item::{self, Item};

/// What a project says, as far as it is looked at.
pub(super) struct Project {
    pub(super) folder: PathBuf,
    /// In the order in which requests are matched: by file, then as they stand there.
    pub(super) items: Vec<Item>,
    pub(super) policies: BTreeMap<String, Policy>,
    /// Names that several policies have: which of them counts is not known.
    pub(super) ambiguous: BTreeSet<String>,
    pub(super) cors: BTreeMap<String, Map<String, Value>>,
    /// A file of code that Zuplo runs for every request, where there is one.
    pub(super) hooks: Option<&'static str>,
}

impl Project {
    /// Whether a policy of Zuplo's sets this field on requests.
    pub(super) fn sets(&self, field: &str) -> bool {
        let own = self.policies.values().filter(|policy| policy.handler.export == "SetHeadersInboundPolicy");
        let fields = own.filter_map(|policy| policy.handler.options.get("headers")?.as_array()).flatten();
        let mut names = fields.filter_map(|header| header.get("name")?.as_str());
        names.any(|name| name.eq_ignore_ascii_case(field))
    }
}

/// `x-zuplo-route`. What is not known of it may decide who passes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RouteFile {
    pub(super) cors_policy: Option<String>,
    pub(super) handler: Option<Handler>,
    #[serde(default)]
    pub(super) policies: PolicyNames,
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

impl RouteFile {
    /// Members that are not known here.
    pub(super) fn unknown(&self) -> impl Iterator<Item = &str> {
        let handler = self.handler.iter().flat_map(|handler| handler.unknown.keys());
        self.unknown.keys().chain(self.policies.unknown.keys()).chain(handler).map(String::as_str)
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct PolicyNames {
    #[serde(default)]
    pub(super) inbound: Vec<String>,
    #[serde(default)]
    pub(super) outbound: Vec<String>,
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

/// Code that runs, and what it is told.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Handler {
    #[serde(default)]
    pub(super) export: String,
    #[serde(default)]
    pub(super) module: String,
    #[serde(default)]
    pub(super) options: Map<String, Value>,
    #[serde(flatten)]
    pub(super) unknown: Map<String, Value>,
}

impl Handler {
    /// Whether it is Zuplo's own and not the project's.
    pub(super) fn is_built_in(&self) -> bool {
        self.module == "$import(@zuplo/runtime)"
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(super) struct Policy {
    name: String,
    pub(super) handler: Handler,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PoliciesFile {
    #[serde(default)]
    policies: Vec<Policy>,
    #[serde(default)]
    cors_policies: Vec<Map<String, Value>>,
}

#[derive(Deserialize)]
struct OpenApi {
    #[serde(default)]
    paths: Ordered,
}

/// An object's members in the order of the file, which decides what matches first.
#[derive(Default)]
struct Ordered(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Ordered {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Ordered;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object of paths")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ordered, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Ordered(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// Where Zuplo looks for hooks that run for every request.
const HOOKS: [&str; 2] = ["modules/zuplo.runtime.ts", "modules/zuplo.runtime.js"];

/// Reads a project.
///
/// # Errors
/// The file that cannot be read, and why.
pub(super) fn read(folder: &Path) -> Result<Project, String> {
    let config = folder.join("config");
    let entries = fs::read_dir(&config).map_err(|problem| format!("{}: {problem}", config.display()))?;
    let mut files: Vec<_> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|file| file.to_string_lossy().ends_with(".oas.json"))
        .collect();
    files.sort();
    if files.is_empty() {
        return Err(format!("{}: has no routes.oas.json, nor any other .oas.json", config.display()));
    }
    let mut items = Vec::new();
    for file in &files {
        let OpenApi { paths } = parse(file)?;
        for (path, item) in paths.0 {
            items.push(item::read(&path, &item).map_err(|what| format!("{}: {what}", file.display()))?);
        }
    }
    let file = config.join("policies.json");
    let PoliciesFile { policies, cors_policies } = if file.exists() {
        parse(&file)?
    } else {
        PoliciesFile { policies: Vec::new(), cors_policies: Vec::new() }
    };
    let cors = cors_policies.into_iter().filter_map(|policy| {
        let name = policy.get("name")?.as_str()?.to_owned();
        Some((name, policy))
    });
    let mut names = BTreeSet::new();
    let twice = policies.iter().filter(|policy| !names.insert(policy.name.clone()));
    Ok(Project {
        folder: folder.to_owned(),
        items,
        ambiguous: twice.map(|policy| policy.name.clone()).collect(),
        hooks: HOOKS.into_iter().find(|file| folder.join(file).exists()),
        policies: policies.into_iter().map(|policy| (policy.name.clone(), policy)).collect(),
        cors: cors.collect(),
    })
}

fn parse<T: for<'de> Deserialize<'de>>(file: &Path) -> Result<T, String> {
    let text = fs::read_to_string(file).map_err(|problem| format!("{}: {problem}", file.display()))?;
    if text.starts_with('\u{feff}') {
        return Err(format!("{}: begins with a byte order mark: save it without", file.display()));
    }
    serde_json::from_str(&text).map_err(|problem| format!("{}: {problem}", file.display()))
}
