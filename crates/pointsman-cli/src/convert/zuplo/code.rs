//! Code of a project that does what rules do: its policies are read as TypeScript, run for every way through them, and what
//! comes of it is written as rules. Code is recognised by what it does, never by its name. Whatever of it is not understood
//! keeps the route closed.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    path::{Component, Path, PathBuf},
};

use oxc_allocator::Allocator;
use oxc_ast::ast::Expression;
use oxc_parser::Parser;
use oxc_span::{SourceType, Span};
use pointsman_core::{
    customer::{backend_url::AllowHttp, record::CustomerConfig},
    identity::customer_id::CustomerId,
};
use serde_json::{Map, Value};

use super::project::Handler;

mod condition;
mod loader;
mod module;
mod prove;
mod rows;
mod run;
mod value;

use self::run::Run;
pub(super) use self::{
    condition::{Part, Target, Tree},
    loader::Api,
    rows::{Act, rows},
};

/// Whether a policy that runs here finds a caller in `request.user`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Caller {
    /// No policy before it asks for a credential.
    Nobody,
    /// Where the caller has a credential.
    Maybe,
    Known,
}

/// What a policy does.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Code {
    /// The file, from the project's folder.
    pub(super) file: String,
    pub(super) tree: Tree,
    pub(super) lookup: Option<Lookup>,
    /// Variables that it takes to be set.
    pub(super) assumed: Vec<String>,
}

/// How customers are found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Lookup {
    /// The claim that names them.
    pub(super) claim: String,
    pub(super) source: Source,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Source {
    /// A file: as the module names it, and once it was read, from the project's folder.
    File(String),
    Api(Api),
}

/// What was not understood, and where.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Fault {
    at: Span,
    what: &'static str,
}

impl Fault {
    fn at(at: Span, what: &'static str) -> Self {
        Self { at, what }
    }

    /// In words, of a statement in this source.
    fn in_words(self, file: &str, source: &str) -> String {
        let start = usize::try_from(self.at.start).unwrap_or_default();
        let (before, rest) = source.split_at_checked(start).unwrap_or((source, ""));
        let line = before.matches('\n').count().saturating_add(1);
        let size = usize::try_from(self.at.end.saturating_sub(self.at.start)).unwrap_or_default();
        let own = rest.get(..size).unwrap_or(rest).lines().next().unwrap_or_default();
        let short: String = own.chars().take(80).collect();
        let dots = if short.len() < own.len() { " …" } else { "" };
        format!("{file}:{line} `{short}{dots}` {}", self.what)
    }
}

/// Reads the policy that a handler names, and runs it.
///
/// # Errors
/// What was not understood.
pub(super) fn read(folder: &Path, handler: &Handler, caller: Caller) -> Result<Code, String> {
    let (file, path) = find(folder, &handler.module)?;
    let source = std::fs::read_to_string(&path).map_err(|problem| format!("{file}: {problem}"))?;
    let kind = if file.ends_with(".ts") { SourceType::ts() } else { SourceType::mjs() };
    let mut code = policy(&source, kind, &handler.export, &handler.options, caller)
        .map_err(|fault| fault.in_words(&file, &source))?;
    if let Some(Lookup { source: Source::File(named), .. }) = &mut code.lookup {
        *named = customers(folder, &path, named)?;
    }
    Ok(Code { file, ..code })
}

/// Runs a policy.
///
/// # Errors
/// The first thing that is not understood.
fn policy(
    source: &str,
    kind: SourceType,
    export: &str,
    options: &Map<String, Value>,
    caller: Caller,
) -> Result<Code, Fault> {
    let allocator = Allocator::default();
    let parsed = Parser::new(&allocator, source, kind).parse();
    if !parsed.errors.is_empty() || parsed.panicked {
        return Err(Fault::at(Span::new(0, 0), "is no TypeScript that can be read"));
    }
    // What is borrowed for as long as the syntax tree lives.
    let program = allocator.alloc(parsed.program);
    let module = module::read(program, export)?;
    let parameters = module.entry.names()?;
    let mut run = Run {
        parameters: Vec::new(),
        constants: BTreeMap::new(),
        loaders: BTreeMap::new(),
        module: &module,
        options,
        caller: Caller::Nobody,
        steps: Cell::new(0),
        lookup: RefCell::new(None),
        cached: RefCell::new(Vec::new()),
        assumed: RefCell::new(Vec::new()),
    };
    for (name, init) in &module.constants {
        match init {
            Expression::NewExpression(new)
                if matches!(&new.callee, Expression::Identifier(own)
                    if loader::is_loader(module.imports.get(own.name.as_str()))) =>
            {
                let api = loader::read(&module, new)?;
                run.loaders.insert(name, api);
            }
            other => {
                let value = run.constant(other)?;
                run.constants.insert(name, value);
            }
        }
    }
    run.parameters = parameters;
    run.caller = caller;
    let tree = run.policy()?;
    let (lookup, assumed) = (run.lookup.take(), run.assumed.take());
    Ok(Code { file: String::new(), tree, lookup, assumed })
}

/// The file of `$import(./modules/name)`.
fn find(folder: &Path, module: &str) -> Result<(String, PathBuf), String> {
    let name = module.strip_prefix("$import(./").and_then(|rest| rest.strip_suffix(')'));
    let plain = |name: &&str| {
        let path = Path::new(name);
        path.components().all(|part| matches!(part, Component::Normal(_)))
    };
    let name = name.filter(plain).ok_or_else(|| format!("{module} is no file of the project"))?;
    let files = ["", ".ts", ".js"].map(|end| format!("{name}{end}"));
    let file = files
        .into_iter()
        .find(|file| (file.ends_with(".ts") || file.ends_with(".js")) && folder.join(file).is_file());
    let file = file.ok_or_else(|| format!("{name}.ts is not there"))?;
    let path = folder.join(&file);
    Ok((file, path))
}

/// The file of customers that a module names, from the project's folder. Each of them must be one here.
fn customers(folder: &Path, module: &Path, named: &str) -> Result<String, String> {
    let mut path: Vec<Component<'_>> = Vec::new();
    let beside = module.parent().and_then(|parent| parent.strip_prefix(folder).ok()).unwrap_or(Path::new(""));
    let whole = beside.join(named);
    for part in whole.components() {
        match part {
            Component::Normal(_) => path.push(part),
            Component::CurDir => {}
            Component::ParentDir if path.pop().is_some() => {}
            _ => return Err(format!("{named} lies outside the project")),
        }
    }
    let path: PathBuf = path.into_iter().collect();
    let file = path.to_string_lossy().replace('\\', "/");
    let text = std::fs::read_to_string(folder.join(&path)).map_err(|problem| format!("{file}: {problem}"))?;
    let list: Value = serde_json::from_str(&text).map_err(|problem| format!("{file}: {problem}"))?;
    let list = list.as_array().ok_or_else(|| format!("{file} is no list of customers"))?;
    let mut ids = std::collections::BTreeSet::new();
    for (index, entry) in list.iter().enumerate() {
        let id = entry.get("customerId").and_then(Value::as_str).unwrap_or_default();
        let parsed = CustomerId::parse(id)
            .ok_or_else(|| format!("{file}: /{index}/customerId is no customer's id"))?;
        if !ids.insert(id) {
            return Err(format!("{file}: /{index}/customerId {id} stands twice"));
        }
        CustomerConfig::parse(entry.to_string().as_bytes(), &parsed, AllowHttp::Never)
            .map_err(|problem| format!("{file}: /{index}: {problem}"))?;
    }
    Ok(file)
}
