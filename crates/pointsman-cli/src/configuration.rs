//! `gateway.toml` with the variables of `wrangler.toml`: what every command that needs the configuration reads.

use std::{
    collections::{HashMap, HashSet},
    env,
    io::{self, Read},
    path::{Path, PathBuf},
};

use pointsman_config::{
    Variable, Variables,
    findings::{Finding, Severity, nearest},
    unset_variable,
};
use pointsman_core::state::{bounds::Hears, config::Gateway};
use serde_json::{Map, Value, json};

use crate::{
    bindings::{self, LedgerBinding},
    deployment::{Deployment, entries},
    dev_vars,
    ending::{Failure, input},
    findings::{At, Placed, errors, print_all},
    lines::line_of,
    lints,
    syntax::{self, Form},
    worker,
};

/// Where variables come from and KV is bound.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Project {
    /// Where variables are set ([vars]), secrets are named ([secrets] required) and KV is bound.
    /// Default wrangler.json, wrangler.jsonc or wrangler.toml, here or in a folder above, in the order of wrangler.
    #[arg(long, value_name = "FILE")]
    wrangler: Option<PathBuf>,
    /// The environment of wrangler's file. Default the one that CLOUDFLARE_ENV names, as for wrangler.
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
/// The names of wrangler's file, in the order in which wrangler looks for them.
const WRANGLER: [&str; 3] = ["wrangler.json", "wrangler.jsonc", "wrangler.toml"];

impl Project {
    /// The path of wrangler's file.
    pub(crate) fn wrangler(&self) -> PathBuf {
        let usual = |name| upward(Path::new(name), name);
        match &self.wrangler {
            Some(path) => {
                WRANGLER.into_iter().find(|name| path == Path::new(name)).map_or_else(|| path.clone(), usual)
            }
            None => WRANGLER
                .map(usual)
                .into_iter()
                .find(|path| path.exists())
                .unwrap_or_else(|| "wrangler.toml".into()),
        }
    }

    /// The files beside wrangler's that wrangler passes over for it, where nobody said which is meant.
    fn passed_over(&self) -> Vec<String> {
        let read = self.wrangler();
        let others = WRANGLER.map(|name| read.with_file_name(name)).into_iter();
        let others = others.filter(|other| self.wrangler.is_none() && *other != read && other.exists());
        others.filter_map(|other| Some(other.file_name()?.to_string_lossy().into_owned())).collect()
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
        self.load_with(project, Secrets::OfDevVars)
    }

    /// As [`GatewayFile::load`], whatever is known of its variables.
    ///
    /// # Errors
    /// As [`GatewayFile::load`].
    pub(crate) fn load_with(&self, project: &Project, secrets: Secrets) -> Result<Gateway, Failure> {
        let file = self.path();
        let Judged { gateway, findings, .. } = Source::read(&file, project, secrets)?.judge();
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
/// Where it is broken, and how it is mended.
fn document(text: &str) -> Result<Value, syntax::Fault> {
    if is_json(text) { syntax::json(text) } else { syntax::toml(text) }
}

fn is_json(text: &str) -> bool {
    text.trim_start().starts_with('{')
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
    passed_over: Vec<String>,
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
        let said = |placed: Placed| input(format!("{}: {}", placed.at, placed.finding.what));
        let text = if file == Path::new(STANDARD_INPUT) {
            let mut bytes = Vec::new();
            let read = io::stdin().read_to_end(&mut bytes);
            read.map_err(|problem| input(format!("{STANDARD_INPUT}: {problem}")))?;
            syntax::decode(STANDARD_INPUT, bytes)
        } else {
            syntax::read_file(file)
        };
        let text = text.map_err(said)?;
        let wrangler = project.wrangler();
        let environment = project.environment();
        let failed = |problem| input(format!("{}: {problem}", wrangler.display()));
        let deployment = Deployment::read(&wrangler, environment.as_deref()).map_err(said)?;
        let known = match secrets {
            Secrets::Declared | Secrets::Any => HashMap::new(),
            Secrets::OfDevVars => dev_vars::beside(&wrangler, environment.as_deref()).map_err(failed)?,
        };
        let mut variables = WranglerVariables::of(deployment, known);
        variables.any_secret = secrets == Secrets::Any;
        Ok(Self { file: file.to_path_buf(), text, variables, passed_over: project.passed_over() })
    }

    /// A configuration of which the texts are at hand, with the secrets that `.dev.vars` has.
    ///
    /// # Errors
    /// That `.dev.vars` cannot be read.
    pub(crate) fn of_texts(
        file: PathBuf,
        text: String,
        deployment: Deployment,
        project: &Project,
    ) -> Result<Self, Failure> {
        let wrangler = project.wrangler();
        let known = dev_vars::beside(&wrangler, project.environment().as_deref())
            .map_err(|problem| input(format!("{}: {problem}", wrangler.display())))?;
        let variables = WranglerVariables::of(deployment, known);
        Ok(Self { file, text, variables, passed_over: project.passed_over() })
    }

    /// It as it is written, variables and all; `None` where it is broken.
    pub(crate) fn written(&self) -> Option<Value> {
        document(&self.text).ok()
    }

    /// What people call the environment, where it is the console's and not the gateway's.
    pub(crate) fn console(&self) -> Option<String> {
        let deployment = &self.variables.deployment;
        deployment.is_console().then(|| deployment.place())
    }

    /// As [`Source::judge`], for a deployment: what `wrangler.toml` must bind and say is checked with it.
    pub(crate) fn judge_deployment(mut self) -> Judged {
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
        // What an environment lacks is said at once: that a variable is missing says nothing of its bindings.
        self.variables.any_secret = true;
        let otherwise = if judged.gateway.is_none() { self.judge().gateway } else { None };
        let gateway = judged.gateway.as_ref().or(otherwise.as_ref());
        let deployment = &self.variables.deployment;
        if let (Some(gateway), Ok(file)) = (gateway, document(&self.text)) {
            judged.findings.extend(self.place_all(bindings::check(gateway, &file, deployment)));
            judged.findings.sort_by_key(Placed::line);
        }
        judged.findings.extend(self.place_in_wrangler(worker::check(deployment)));
        judged.findings.extend(self.not_read());
        judged
    }

    /// A file that people take for the one that counts.
    fn not_read(&self) -> Option<Placed> {
        let at = At::Line { file: self.variables.deployment.file.clone(), line: 1 };
        let others = self.passed_over.join(" and ");
        let what = format!("is what wrangler reads, and not {others} beside it: remove what is not meant");
        (!self.passed_over.is_empty()).then(|| Placed::warning(at, "", what))
    }

    /// The environments of wrangler's file that are not looked at, where none was chosen.
    pub(crate) fn other_environments(&self) -> Vec<String> {
        self.variables.deployment.environments().map(str::to_owned).collect()
    }

    /// How isolates of this deployment learn of changes.
    pub(crate) fn hears(&self) -> Hears {
        bindings::hears(&self.variables.deployment)
    }

    /// Which ledger isolates of this deployment follow.
    pub(crate) fn ledger(&self) -> LedgerBinding {
        LedgerBinding::of(&self.variables.deployment)
    }

    /// Checks it with the code that runs at the edge.
    pub(crate) fn judge(&self) -> Judged {
        let value = match document(&self.text) {
            Ok(value) => value,
            Err(fault) => {
                let fault = fault.placed(&self.file.display().to_string(), &self.text);
                return Judged { gateway: None, form: None, findings: vec![fault] };
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
        let form = if is_json(&self.text) { Form::Json } else { Form::Toml };
        let place = |finding: Finding| self.place(line_of(&self.text, form, &finding.pointer), finding);
        found.into_iter().map(place).collect()
    }

    fn place_in_wrangler(&self, found: Vec<Finding>) -> Vec<Placed> {
        let Deployment { file, text, form, .. } = &self.variables.deployment;
        let line = |finding: &Finding| line_of(text, *form, &finding.pointer);
        let at = |finding: &Finding| At::Line { file: file.clone(), line: line(finding) };
        found.into_iter().map(|finding| Placed { at: at(&finding), finding }).collect()
    }

    fn place(&self, line: usize, finding: Finding) -> Placed {
        Placed { at: At::Line { file: self.file.display().to_string(), line }, finding }
    }
}

#[cfg(test)]
impl Source {
    /// A configuration that needs no variable.
    pub(crate) fn of_toml(text: &str) -> Self {
        let deployment = Deployment::parse("wrangler.toml", String::new(), None).unwrap();
        let variables = WranglerVariables::of(deployment, HashMap::new());
        Self { file: PathBuf::from(GATEWAY), text: text.to_owned(), variables, passed_over: Vec::new() }
    }
}

/// What `wrangler.toml` says of variables.
pub(crate) struct WranglerVariables {
    deployment: Deployment,
    vars: Map<String, Value>,
    secrets: HashSet<String>,
    known: HashMap<String, String>,
    any_secret: bool,
}

impl WranglerVariables {
    fn of(deployment: Deployment, known: HashMap<String, String>) -> Self {
        let vars = deployment.own("vars").and_then(Value::as_object).cloned().unwrap_or_default();
        let required = deployment.own("secrets").and_then(|secrets| secrets.get("required"));
        let secrets = entries(required).filter_map(|name| name.as_str().map(str::to_owned)).collect();
        Self { deployment, vars, secrets, known, any_secret: false }
    }
}

impl Variables for WranglerVariables {
    fn variable(&self, name: &str) -> Variable {
        match (self.vars.get(name), self.known.get(name)) {
            (Some(Value::String(value)), _) => Variable::Set(value.clone()),
            (Some(other), _) => Variable::Set(other.to_string()),
            (None, Some(value)) => Variable::Set(value.clone()),
            (None, None) if self.any_secret || self.secrets.contains(name) => Variable::Secret,
            (None, None) => Variable::Missing,
        }
    }

    /// Says in which environment it is not set: that of the top level does not count there.
    fn unset(&self, name: &str) -> String {
        let Self { deployment, .. } = self;
        let (form, environment) = (deployment.form, &deployment.environment);
        let names = self.vars.keys().chain(&self.secrets).map(String::as_str);
        let near = nearest(name, names)
            .map_or_else(String::new, |near| format!(". Did you mean {near}, which is there?"));
        if let (Form::Toml, None) = (form, environment) {
            return unset_variable(name) + &near;
        }
        let (place, option) = match environment {
            Some(environment) => (
                format!(" in {}, which takes over none of the top level", deployment.called()),
                format!(" --env {environment}"),
            ),
            None => (String::new(), String::new()),
        };
        format!(
            "the variable {name} is not set{place}: add {} to {}, or set the secret with `wrangler secret put {name}{option}` and \
             list it in {}{near}",
            deployment.line(&format!("vars/{name}"), &json!("…")),
            deployment.file,
            deployment.line("secrets/required", &json!([name])),
        )
    }
}
