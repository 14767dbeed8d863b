//! `gateway.toml` with the variables of `wrangler.toml`: what every command that needs the configuration reads.

use std::{
    collections::{HashMap, HashSet},
    env, fs, io,
    path::{Path, PathBuf},
};

use pointsman_config::{
    Variable, Variables,
    findings::{Finding, Severity},
    unset_variable,
};
use pointsman_core::state::{bounds::Hears, config::Gateway};
use serde_json::Value;

use crate::{
    bindings,
    deployment::{Deployment, entries},
    dev_vars,
    ending::{Failure, input},
    findings::{At, Placed, errors, print_all},
    lines::{line_at, line_of},
    lints, worker,
};

/// Where variables come from and KV is bound.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Project {
    /// Where variables are set ([vars]), secrets are named ([secrets] required) and KV is bound.
    #[arg(long, value_name = "FILE", default_value = WRANGLER)]
    wrangler: PathBuf,
    /// The environment of wrangler.toml. Default the one that CLOUDFLARE_ENV names, as for wrangler.
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
        let Judged { gateway, findings, .. } = Source::read(&file, project, Secrets::OfDevVars)?.judge();
        match gateway {
            Some(gateway) if errors(&findings) == 0 => Ok(gateway),
            _ => {
                print_all(&findings);
                Err(input(format!("{} has faults: mend them first", file.display())))
            }
        }
    }

    /// How isolates of this deployment learn of an edit in KV.
    pub(crate) fn hears_of_kv(&self, project: &Project) -> Hears {
        match Source::read(&self.path(), project, Secrets::OfDevVars).map(|source| source.hears()) {
            Ok(Hears::Ledger | Hears::LedgerByPasses) => Hears::LedgerByPasses,
            Ok(Hears::Kv) | Err(_) => Hears::Kv,
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

/// Stands for standard input in the place of a file.
const STANDARD_INPUT: &str = "-";

/// A configuration as TOML, or as JSON where it begins with a brace: no TOML does.
///
/// # Errors
/// Where it is not TOML. What is wrong with JSON the reader of configurations says.
fn document(text: &str) -> Result<Value, toml::de::Error> {
    let json = text.trim_start().starts_with('{').then(|| serde_json::from_str(text).ok()).flatten();
    json.map_or_else(|| toml::from_str(text), Ok)
}

/// Which secrets are known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Secrets {
    /// That they are declared, and no more: as for a deployment.
    Declared,
    /// What `.dev.vars` says of names that [vars] lacks.
    OfDevVars,
    /// Every name that [vars] lacks may be one, declared or not.
    Any,
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
    /// It in checked form, as the Worker reads it.
    pub(crate) form: Option<Value>,
    /// In the order of the file.
    pub(crate) findings: Vec<Placed>,
}

impl Source {
    /// Reads the files.
    ///
    /// # Errors
    /// Which of them cannot be read, and why.
    pub(crate) fn read(file: &Path, project: &Project, secrets: Secrets) -> Result<Self, Failure> {
        let read = if file == Path::new(STANDARD_INPUT) {
            io::read_to_string(io::stdin())
        } else {
            fs::read_to_string(file)
        };
        let text = read.map_err(|problem| input(format!("{}: {problem}", file.display())))?;
        let wrangler = project.wrangler();
        let environment = project.environment();
        let failed = |problem| input(format!("{}: {problem}", wrangler.display()));
        let deployment = Deployment::read(&wrangler, environment.as_deref()).map_err(failed)?;
        let known = match secrets {
            Secrets::Declared | Secrets::Any => HashMap::new(),
            Secrets::OfDevVars => dev_vars::beside(&wrangler, environment.as_deref()).map_err(failed)?,
        };
        let mut variables = WranglerVariables::of(deployment, known);
        variables.any_secret = secrets == Secrets::Any;
        Ok(Self { file: file.to_path_buf(), text, variables })
    }

    /// What people call the environment, where it is the console's and not the gateway's.
    pub(crate) fn console(&self) -> Option<String> {
        let deployment = &self.variables.deployment;
        deployment.is_console().then(|| deployment.place())
    }

    /// As [`Source::judge`], for a deployment: what `wrangler.toml` must bind and say is checked with it.
    pub(crate) fn judge_deployment(self) -> Judged {
        let deployment = &self.variables.deployment;
        if deployment.is_console() {
            let of_console = self.place_in_wrangler(worker::check_console(deployment));
            // The console's variables are not the gateway's.
            let gateway = WranglerVariables::of(deployment.above(), HashMap::new());
            let mut judged = Self { variables: gateway, ..self }.judge();
            judged.findings.extend(of_console);
            return judged;
        }
        let mut judged = self.judge();
        for Placed { finding, .. } in &mut judged.findings {
            // A secret that the gateway would not take shuts something: reason enough not to deploy it.
            if finding.pointer == "/operator/secret" {
                finding.severity = Severity::Error;
            }
        }
        let (Some(gateway), Ok(file)) = (&judged.gateway, toml::from_str::<Value>(&self.text)) else {
            return judged;
        };
        judged.findings.extend(self.place_all(bindings::check(gateway, &file, deployment)));
        judged.findings.sort_by_key(Placed::line);
        judged.findings.extend(self.place_in_wrangler(worker::check(deployment)));
        judged
    }

    /// How isolates of this deployment learn of changes.
    pub(crate) fn hears(&self) -> Hears {
        bindings::hears(&self.variables.deployment)
    }

    /// Checks it with the code that runs at the edge.
    pub(crate) fn judge(&self) -> Judged {
        let value = match document(&self.text) {
            Ok(value) => value,
            Err(problem) => {
                return Judged { gateway: None, form: None, findings: vec![self.not_toml(&problem)] };
            }
        };
        let (gateway, form, found) = match pointsman_config::parse(&value.to_string(), &self.variables) {
            Ok(pointsman_config::Checked { gateway, form, mut warnings }) => {
                warnings.extend(lints::lint(&gateway, &value));
                (Some(gateway), Some(form), warnings)
            }
            Err(findings) => (None, None, findings),
        };
        let mut findings = self.place_all(found);
        findings.sort_by_key(Placed::line);
        Judged { gateway, form, findings }
    }

    fn place_all(&self, found: Vec<Finding>) -> Vec<Placed> {
        let place = |finding: Finding| self.place(line_of(&self.text, &finding.pointer), finding);
        found.into_iter().map(place).collect()
    }

    fn place_in_wrangler(&self, found: Vec<Finding>) -> Vec<Placed> {
        let Deployment { file, text, .. } = &self.variables.deployment;
        let at = |finding: &Finding| At::Line { file: file.clone(), line: line_of(text, &finding.pointer) };
        found.into_iter().map(|finding| Placed { at: at(&finding), finding }).collect()
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
    deployment: Deployment,
    vars: toml::Table,
    secrets: HashSet<String>,
    known: HashMap<String, String>,
    any_secret: bool,
}

impl WranglerVariables {
    fn of(deployment: Deployment, known: HashMap<String, String>) -> Self {
        let vars = deployment.own("vars").and_then(toml::Value::as_table).cloned().unwrap_or_default();
        let required = deployment.own("secrets").and_then(|secrets| secrets.get("required"));
        let secrets = entries(required).filter_map(|name| name.as_str().map(str::to_owned)).collect();
        Self { deployment, vars, secrets, known, any_secret: false }
    }
}

impl Variables for WranglerVariables {
    fn variable(&self, name: &str) -> Variable {
        match (self.vars.get(name), self.known.get(name)) {
            (Some(toml::Value::String(value)), _) => Variable::Set(value.clone()),
            (Some(other), _) => Variable::Set(other.to_string()),
            (None, Some(value)) => Variable::Set(value.clone()),
            (None, None) if self.any_secret || self.secrets.contains(name) => Variable::Secret,
            (None, None) => Variable::Missing,
        }
    }

    /// Says in which environment it is not set: that of the top level does not count there.
    fn unset(&self, name: &str) -> String {
        let Some(environment) = &self.deployment.environment else { return unset_variable(name) };
        format!(
            "the variable {name} is not set in [env.{environment}], which takes over none of the top level: add it \
             under [env.{environment}.vars] in wrangler.toml, or set the secret with `wrangler secret put {name} \
             --env {environment}` and list it under [env.{environment}.secrets] required"
        )
    }
}
