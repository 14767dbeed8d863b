//! The files of a Zuplo project.

use std::{collections::BTreeMap, fmt, fs, path::Path};

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::{Map, Value};

use super::path::Mode;

/// What a project says, as far as it is looked at.
pub(super) struct Project {
    /// In the order in which requests are matched: by file, then as they stand there.
    pub(super) operations: Vec<Operation>,
    pub(super) policies: BTreeMap<String, Policy>,
    pub(super) cors: BTreeMap<String, Map<String, Value>>,
}

/// A method of a path.
pub(super) struct Operation {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) mode: Result<Mode, String>,
    /// Its `x-zuplo-route`; `None` where it has none.
    pub(super) route: Option<RouteFile>,
}

impl Operation {
    /// How people know it: `GET /users/{id}`.
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RouteFile {
    pub(super) cors_policy: Option<String>,
    pub(super) handler: Option<Handler>,
    #[serde(default)]
    pub(super) policies: PolicyNames,
}

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct PolicyNames {
    #[serde(default)]
    pub(super) inbound: Vec<String>,
    #[serde(default)]
    pub(super) outbound: Vec<String>,
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

const METHODS: [&str; 8] = ["get", "head", "post", "put", "patch", "delete", "options", "trace"];

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
    let mut operations = Vec::new();
    for file in &files {
        let OpenApi { paths } = parse(file)?;
        for (path, item) in paths.0 {
            operations.extend(of_path(&path, &item).map_err(|what| format!("{}: {what}", file.display()))?);
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
    Ok(Project {
        operations,
        policies: policies.into_iter().map(|policy| (policy.name.clone(), policy)).collect(),
        cors: cors.collect(),
    })
}

fn parse<T: for<'de> Deserialize<'de>>(file: &Path) -> Result<T, String> {
    let text = fs::read_to_string(file).map_err(|problem| format!("{}: {problem}", file.display()))?;
    serde_json::from_str(&text).map_err(|problem| format!("{}: {problem}", file.display()))
}

fn of_path(path: &str, item: &Value) -> Result<Vec<Operation>, String> {
    let mode = match item.get("x-zuplo-path").and_then(|own| own.get("pathMode")).and_then(Value::as_str) {
        None | Some("open-api") => Ok(Mode::OpenApi),
        Some("url-pattern") => Ok(Mode::UrlPattern),
        Some(other) => Err(format!("the pathMode \"{other}\" is unknown")),
    };
    let mut operations = Vec::new();
    for method in METHODS {
        let Some(operation) = item.get(method) else { continue };
        let route = operation.get("x-zuplo-route").map(|route| {
            RouteFile::deserialize(route)
                .map_err(|problem| format!("/paths {path} {method} x-zuplo-route: {problem}"))
        });
        operations.push(Operation {
            method: method.to_ascii_uppercase(),
            path: path.to_owned(),
            mode: mode.clone(),
            route: route.transpose()?,
        });
    }
    Ok(operations)
}
