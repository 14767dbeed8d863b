//! `gateway.toml` with the variables of `wrangler.toml`: what every command that needs the configuration reads.

use std::{
    collections::{HashMap, HashSet},
    env, fs,
    path::{Path, PathBuf},
};

use pointsman::{
    config::Gateway,
    settings::{
        self, Variable, Variables,
        findings::{Finding, Severity},
    },
};
use serde_json::Value;

use crate::{
    bindings, dev_vars,
    ending::{Failure, input},
    findings::{At, Placed, errors, print_all},
    lines::{line_at, line_of},
    lints,
};

/// Where variables come from and KV is bound.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Project {
    /// Where variables are set ([vars]), secrets are named ([secrets] required) and KV is bound.
    #[arg(long, value_name = "FILE", default_value = WRANGLER)]
    wrangler: PathBuf,
    /// The environment of wrangler.toml that counts; as wrangler, else the one that CLOUDFLARE_ENV names.
    #[arg(long, value_name = "NAME")]
    env: Option<String>,
}

/// The configuration, for commands whose main matter is something else.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct GatewayFile {
    /// The configuration.
    #[arg(long, value_name = "FILE", default_value = GATEWAY)]
    gateway: PathBuf,
}

pub(crate) const GATEWAY: &str = "gateway.toml";
const WRANGLER: &str = "wrangler.toml";

impl Project {
    /// The path of `wrangler.toml`.
    pub(crate) fn wrangler(&self) -> PathBuf {
        upward(&self.wrangler, WRANGLER)
    }

    /// The environment that counts.
    pub(crate) fn environment(&self) -> Option<String> {
        let named = || env::var("CLOUDFLARE_ENV").ok().filter(|name| !name.is_empty());
        self.env.clone().or_else(named)
    }
}

impl GatewayFile {
    /// The path of `gateway.toml`.
    pub(crate) fn path(&self) -> PathBuf {
        upward(&self.gateway, GATEWAY)
    }

    /// The configuration, which must be in order. Secrets that `.dev.vars` has are known.
    ///
    /// # Errors
    /// That it cannot be read or has faults; these have been printed.
    pub(crate) fn load(&self, project: &Project) -> Result<Gateway, Failure> {
        let file = self.path();
        let Judged { gateway, findings } = Source::read(&file, project, Secrets::OfDevVars)?.judge();
        match gateway {
            Some(gateway) if errors(&findings) == 0 => Ok(gateway),
            _ => {
                print_all(&findings);
                Err(input(format!("{} has faults: mend them first", file.display())))
            }
        }
    }

    /// As [`GatewayFile::load`]; `None` where there is no such file and none was asked for.
    ///
    /// # Errors
    /// As [`GatewayFile::load`].
    pub(crate) fn load_if_there(&self, project: &Project) -> Result<Option<Gateway>, Failure> {
        if self.gateway == Path::new(GATEWAY) && !self.path().exists() {
            return Ok(None);
        }
        self.load(project).map(Some)
    }
}

/// A file by its usual name is looked for here and in the folders above, as wrangler does.
pub(crate) fn upward(path: &Path, usual: &str) -> PathBuf {
    if path != Path::new(usual) || path.exists() {
        return path.to_path_buf();
    }
    let depth = env::current_dir().map_or(0, |folder| folder.components().count());
    let mut found = path.to_path_buf();
    for _ in 0..depth {
        found = Path::new("..").join(found);
        if found.exists() {
            return found;
        }
    }
    path.to_path_buf()
}

/// Which secrets are known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Secrets {
    /// That they are declared, and no more: as for a deployment.
    Declared,
    /// What `.dev.vars` says of names that [vars] lacks.
    OfDevVars,
}

/// The configuration as it stands in its files.
pub(crate) struct Source {
    pub(crate) file: PathBuf,
    pub(crate) text: String,
    pub(crate) variables: WranglerVariables,
}

/// What is to be said of a configuration.
pub(crate) struct Judged {
    /// It, where the gateway could use it. A binding that it needs may be missing all the same.
    pub(crate) gateway: Option<Gateway>,
    /// In the order of the file.
    pub(crate) findings: Vec<Placed>,
}

impl Source {
    /// Reads the files.
    ///
    /// # Errors
    /// Which of them cannot be read, and why.
    pub(crate) fn read(file: &Path, project: &Project, secrets: Secrets) -> Result<Self, Failure> {
        let text =
            fs::read_to_string(file).map_err(|problem| input(format!("{}: {problem}", file.display())))?;
        let wrangler = project.wrangler();
        let variables = read_variables(&wrangler, project.environment().as_deref(), secrets)
            .map_err(|problem| input(format!("{}: {problem}", wrangler.display())))?;
        Ok(Self { file: file.to_path_buf(), text, variables })
    }

    /// Checks it with the code that runs at the edge, and the bindings of `wrangler.toml` with it.
    pub(crate) fn judge(&self) -> Judged {
        let value = match toml::from_str::<Value>(&self.text) {
            Ok(value) => value,
            Err(problem) => return Judged { gateway: None, findings: vec![self.not_toml(&problem)] },
        };
        let (gateway, found) = match settings::parse(&value.to_string(), &self.variables) {
            Ok(settings::Checked { gateway, mut warnings }) => {
                warnings.extend(bindings::check(&gateway, &self.variables.section));
                warnings.extend(lints::lint(&gateway, &value));
                (Some(gateway), warnings)
            }
            Err(findings) => (None, findings),
        };
        let place = |finding: Finding| self.place(line_of(&self.text, &finding.pointer), finding);
        let mut findings: Vec<Placed> = found.into_iter().map(place).collect();
        findings.sort_by_key(Placed::line);
        Judged { gateway, findings }
    }

    fn not_toml(&self, problem: &toml::de::Error) -> Placed {
        let line = problem.span().map_or(1, |span| line_at(&self.text, span.start));
        let what = format!("is not TOML: {}", problem.message());
        self.place(line, Finding { severity: Severity::Error, pointer: String::new(), what: what.into() })
    }

    fn place(&self, line: usize, finding: Finding) -> Placed {
        Placed { at: At::Line { file: self.file.display().to_string(), line }, finding }
    }
}

/// What `wrangler.toml` says of variables.
pub(crate) struct WranglerVariables {
    /// All that it says of the environment.
    section: toml::Table,
    vars: toml::Table,
    secrets: HashSet<String>,
    known: HashMap<String, String>,
}

impl Variables for WranglerVariables {
    fn variable(&self, name: &str) -> Variable {
        match (self.vars.get(name), self.known.get(name)) {
            (Some(toml::Value::String(value)), _) => Variable::Set(value.clone()),
            (Some(other), _) => Variable::Set(other.to_string()),
            (None, Some(value)) => Variable::Set(value.clone()),
            (None, None) if self.secrets.contains(name) => Variable::Secret,
            (None, None) => Variable::Missing,
        }
    }
}

fn read_variables(
    file: &Path,
    environment: Option<&str>,
    secrets: Secrets,
) -> Result<WranglerVariables, String> {
    let text = fs::read_to_string(file).map_err(|problem| problem.to_string())?;
    let whole: toml::Table = text.parse().map_err(|problem: toml::de::Error| problem.to_string())?;
    let section = match environment {
        None => &whole,
        Some(name) => {
            let found = whole
                .get("env")
                .and_then(|environments| environments.get(name))
                .and_then(toml::Value::as_table);
            found.ok_or_else(|| format!("has no [env.{name}]"))?
        }
    };
    let vars = section.get("vars").and_then(toml::Value::as_table).cloned().unwrap_or_default();
    let required = section.get("secrets").and_then(|secrets| secrets.get("required"));
    let names = required.and_then(toml::Value::as_array).into_iter().flatten();
    let declared = names.filter_map(|name| name.as_str().map(str::to_owned)).collect();
    let mut section = section.clone();
    // An environment has the migrations of all.
    if let Some(migrations) = whole.get("migrations") {
        section.entry("migrations").or_insert_with(|| migrations.clone());
    }
    let known = match secrets {
        Secrets::Declared => HashMap::new(),
        Secrets::OfDevVars => dev_vars::beside(file, environment)?,
    };
    Ok(WranglerVariables { vars, secrets: declared, section, known })
}
