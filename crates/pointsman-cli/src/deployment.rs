//! What `wrangler.toml` deploys: its top level, or one of its environments with what that takes over from the top
//! level. wrangler's rule: settings are taken over, as a whole each; variables and bindings are not.

use std::{fs, path::Path};

use toml::{Table, Value};

/// One Worker that `wrangler.toml` describes.
#[derive(Debug)]
pub(crate) struct Deployment {
    /// The file, as people know it.
    pub(crate) file: String,
    pub(crate) text: String,
    pub(crate) environment: Option<String>,
    own: Table,
    /// What is taken over, where `own` lacks it; empty at the top level.
    top: Table,
}

impl Deployment {
    /// Reads the file.
    ///
    /// # Errors
    /// Why it cannot be read, or that it has no such environment.
    pub(crate) fn read(file: &Path, environment: Option<&str>) -> Result<Self, String> {
        if is_json(file) {
            return Err("is wrangler's configuration as JSON, and only its TOML form is read here".to_owned());
        }
        let text = fs::read_to_string(file).map_err(|problem| match beside(file) {
            Some(json) => {
                format!("{problem}. There is {json}, and only the TOML form of wrangler's file is read here")
            }
            None => problem.to_string(),
        })?;
        Self::parse(&file.display().to_string(), text, environment)
    }

    /// Reads its text.
    ///
    /// # Errors
    /// As [`Deployment::read`].
    pub(crate) fn parse(file: &str, text: String, environment: Option<&str>) -> Result<Self, String> {
        let top: Table = text.parse().map_err(|problem: toml::de::Error| problem.to_string())?;
        let Some(name) = environment else {
            return Ok(Self { file: file.to_owned(), text, environment: None, own: top, top: Table::new() });
        };
        let own = top.get("env").and_then(|all| all.get(name)).and_then(Value::as_table).cloned();
        let own = own.ok_or_else(|| format!("has no [env.{name}]"))?;
        Ok(Self { file: file.to_owned(), text, environment: Some(name.to_owned()), own, top })
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

    /// How a table of it is written: `vars` is `env.staging.vars`.
    pub(crate) fn table(&self, name: &str) -> String {
        match &self.environment {
            Some(environment) => format!("env.{environment}.{name}"),
            None => name.to_owned(),
        }
    }

    /// What people call it.
    pub(crate) fn place(&self) -> String {
        match &self.environment {
            Some(environment) => format!("[env.{environment}] of {}", self.file),
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
        let Self { file, text, own, top, environment } = self;
        let own = if environment.is_some() { top } else { own };
        Self {
            file: file.clone(),
            text: text.clone(),
            environment: None,
            own: own.clone(),
            top: Table::new(),
        }
    }
}

/// Whether an entry of a list has this name in this field.
pub(crate) fn named(entry: &Value, field: &str, name: &str) -> bool {
    entry.get(field).and_then(Value::as_str) == Some(name)
}

fn find<'a>(table: &'a Table, path: &str) -> Option<&'a Value> {
    let mut steps = path.split('/');
    let first = table.get(steps.next()?)?;
    steps.try_fold(first, |value, step| value.get(step))
}

pub(crate) fn entries(list: Option<&Value>) -> impl Iterator<Item = &Value> {
    list.and_then(Value::as_array).into_iter().flatten()
}

fn is_json(file: &Path) -> bool {
    file.extension().is_some_and(|end| end == "json" || end == "jsonc")
}

/// The JSON form of the file, where that is what there is.
fn beside(file: &Path) -> Option<String> {
    let forms = ["jsonc", "json"].map(|end| file.with_extension(end));
    forms.into_iter().find(|form| form.exists()).map(|form| form.display().to_string())
}
