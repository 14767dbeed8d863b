//! What wrangler's file deploys: its top level, or one of its environments with what that takes over from the top
//! level. wrangler's rule: settings are taken over, as a whole each; variables and bindings are not.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::{
    findings::{At, Placed},
    syntax::{self, Form},
};

/// One Worker that wrangler's file describes.
#[derive(Debug)]
pub(crate) struct Deployment {
    /// The file, as people know it.
    pub(crate) file: String,
    pub(crate) text: String,
    pub(crate) environment: Option<String>,
    /// How the file is written.
    pub(crate) form: Form,
    own: Map<String, Value>,
    /// What is taken over, where `own` lacks it; empty at the top level.
    top: Map<String, Value>,
}

impl Deployment {
    /// Reads the file.
    ///
    /// # Errors
    /// Why it cannot be read, or that it has no such environment.
    pub(crate) fn read(file: &Path, environment: Option<&str>) -> Result<Self, Placed> {
        let text = syntax::read_file(file)?;
        Self::parse(&file.display().to_string(), text, environment)
    }

    /// Reads its text.
    ///
    /// # Errors
    /// As [`Deployment::read`].
    pub(crate) fn parse(file: &str, text: String, environment: Option<&str>) -> Result<Self, Placed> {
        let form = Form::of_file(file);
        let read = match form {
            Form::Toml => syntax::toml(&text),
            Form::Json => syntax::jsonc(&text),
        };
        let failed = |fault: syntax::Fault| fault.placed(file, &text);
        let Value::Object(whole) = read.map_err(failed)? else {
            let at = At::Line { file: file.to_owned(), line: 1 };
            return Err(Placed::error(at, "", "must be an object: { \"name\": … }"));
        };
        let Some(name) = environment else {
            let (file, environment) = (file.to_owned(), None);
            return Ok(Self { file, text, environment, form, own: whole, top: Map::new() });
        };
        let own = whole.get("env").and_then(|all| all.get(name)).and_then(Value::as_object).cloned();
        let Some(own) = own else {
            let at = At::Line { file: file.to_owned(), line: 1 };
            return Err(Placed::error(at, "/env", no_environment(name, &whole, form)));
        };
        Ok(Self { file: file.to_owned(), text, environment: Some(name.to_owned()), form, own, top: whole })
    }

    /// A variable table, a binding: whatever each environment has to itself.
    pub(crate) fn own(&self, name: &str) -> Option<&Value> {
        self.own.get(name)
    }

    /// A setting, which an environment takes over where it does not set it.
    pub(crate) fn setting(&self, name: &str) -> Option<&Value> {
        self.own.get(name).or_else(|| self.top.get(name))
    }

    /// The bindings of a list, such as `kv_namespaces`, or `durable_objects/bindings`.
    pub(crate) fn bindings(&self, list: &str) -> impl Iterator<Item = &Value> {
        entries(find(&self.own, list))
    }

    /// Whether the top level has such a binding, which the environment does not take over.
    pub(crate) fn is_above(&self, list: &str, field: &str, name: &str) -> bool {
        entries(find(&self.top, list)).any(|entry| named(entry, field, name))
    }

    /// The other Workers that the same file describes, where this is its top level.
    pub(crate) fn environments(&self) -> impl Iterator<Item = &str> {
        let all = if self.environment.is_none() { self.own.get("env") } else { None };
        all.and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name.as_str())
    }

    /// What is to be written for one more entry of a list of bindings.
    pub(crate) fn entry(&self, list: &str, members: &[(&str, Value)]) -> String {
        match self.form {
            Form::Toml => {
                let members: Vec<_> =
                    members.iter().map(|(name, value)| format!("{name} = {}", toml(value))).collect();
                format!("[[{}]] {}", self.table(&list.replace('/', ".")), members.join(", "))
            }
            Form::Json => {
                let members: Map<_, _> =
                    members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
                self.written(list, &json!([members]))
            }
        }
    }

    /// What is to be written for a setting, which may stand in a table: `triggers/crons`.
    pub(crate) fn line(&self, setting: &str, value: &Value) -> String {
        match (self.form, setting.rsplit_once('/'), &self.environment) {
            (Form::Json, ..) => self.written(setting, value),
            (Form::Toml, Some((table, name)), _) => {
                format!("[{}] {name} = {}", self.table(table), toml(value))
            }
            (Form::Toml, None, Some(environment)) => {
                format!("[env.{environment}] {setting} = {}", toml(value))
            }
            (Form::Toml, None, None) => format!("{setting} = {}", toml(value)),
        }
    }

    /// Members of a JSON file, each in the one before.
    fn written(&self, path: &str, value: &Value) -> String {
        let path = match &self.environment {
            Some(environment) => format!("env/{environment}/{path}"),
            None => path.to_owned(),
        };
        let mut names = path.rsplit('/');
        let last = format!("{}: {}", json!(names.next().unwrap_or_default()), syntax::spaced(value));
        names.fold(last, |inner, name| format!("{}: {{ {inner} }}", json!(name)))
    }

    /// How its part of the file is called; nothing at the top level.
    pub(crate) fn called(&self) -> String {
        self.environment.as_ref().map(|name| environment_called(name, self.form)).unwrap_or_default()
    }

    fn table(&self, name: &str) -> String {
        match &self.environment {
            Some(environment) => format!("env.{environment}.{name}"),
            None => name.to_owned(),
        }
    }

    /// What people call it.
    pub(crate) fn place(&self) -> String {
        match &self.environment {
            Some(_) => format!("{} of {}", self.called(), self.file),
            None => self.file.clone(),
        }
    }

    /// Where its part of the file begins, as a JSON Pointer.
    pub(crate) fn pointer(&self) -> String {
        self.environment.as_ref().map(|name| format!("/env/{name}")).unwrap_or_default()
    }

    /// Whether it is the operators' console: a Worker of its own, of whose needs `gateway.toml` says nothing.
    pub(crate) fn is_console(&self) -> bool {
        let main = self.setting("main").and_then(Value::as_str);
        main.is_some_and(|main| Path::new(main).ends_with("console/index.js"))
    }

    /// The gateway beside the console: the top level of the same file.
    pub(crate) fn above(&self) -> Self {
        let Self { file, text, own, top, environment, form } = self;
        let own = if environment.is_some() { top } else { own };
        Self {
            file: file.clone(),
            text: text.clone(),
            environment: None,
            form: *form,
            own: own.clone(),
            top: Map::new(),
        }
    }
}

fn environment_called(name: &str, form: Form) -> String {
    if form == Form::Toml { format!("[env.{name}]") } else { format!("env.{name}") }
}

fn no_environment(name: &str, whole: &Map<String, Value>, form: Form) -> String {
    let called = |name: &str| environment_called(name, form);
    let all = whole.get("env").and_then(Value::as_object).into_iter().flatten();
    let all: Vec<_> = all.map(|(name, _)| called(name)).collect();
    let there = if all.is_empty() { "no environments".to_owned() } else { all.join(", ") };
    format!("has no {}: there are {there}", called(name))
}

/// A value as TOML has it within a line.
fn toml(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let members: Vec<_> =
                members.iter().map(|(name, value)| format!("{name} = {}", toml(value))).collect();
            format!("{{ {} }}", members.join(", "))
        }
        other => syntax::spaced(other),
    }
}

/// Whether an entry of a list has this name in this field.
pub(crate) fn named(entry: &Value, field: &str, name: &str) -> bool {
    entry.get(field).and_then(Value::as_str) == Some(name)
}

fn find<'a>(table: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let mut steps = path.split('/');
    let first = table.get(steps.next()?)?;
    steps.try_fold(first, |value, step| value.get(step))
}

pub(crate) fn entries(list: Option<&Value>) -> impl Iterator<Item = &Value> {
    list.and_then(Value::as_array).into_iter().flatten()
}
