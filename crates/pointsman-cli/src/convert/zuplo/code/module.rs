//! A module: what it imports, what it defines, and the function that is the policy.

use std::collections::BTreeMap;

use oxc_ast::ast::{
    BindingPattern, Declaration, ExportDefaultDeclarationKind, Expression, FormalParameters, Function,
    ImportDeclaration, ImportDeclarationSpecifier, ImportOrExportKind, Program, Statement,
    VariableDeclaration, VariableDeclarationKind,
};
use oxc_span::GetSpan;

use super::Fault;

/// What Zuplo's runtime brings.
const RUNTIME: &str = "@zuplo/runtime";
/// A package that compares addresses, as Zuplo's example of a list of addresses uses it.
const RANGES: &str = "ip-range-check";

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Import<'a> {
    /// By its name there.
    Runtime(&'a str),
    /// A JSON file, as the module names it.
    Json(&'a str),
    RangeCheck,
}

#[derive(Clone, Copy)]
pub(super) struct Callable<'a> {
    pub(super) parameters: &'a FormalParameters<'a>,
    pub(super) body: &'a [Statement<'a>],
}

pub(super) struct Module<'a> {
    pub(super) imports: BTreeMap<&'a str, Import<'a>>,
    pub(super) functions: BTreeMap<&'a str, Callable<'a>>,
    /// Constants, in the order of the file.
    pub(super) constants: Vec<(&'a str, &'a Expression<'a>)>,
    pub(super) entry: Callable<'a>,
}

/// Reads a module whose policy is exported by this name.
///
/// # Errors
/// The first statement that is not understood.
pub(super) fn read<'a>(program: &'a Program<'a>, export: &str) -> Result<Module<'a>, Fault> {
    let mut reader = Reader {
        imports: BTreeMap::new(),
        functions: BTreeMap::new(),
        constants: Vec::new(),
        exported: None,
        export_of: None,
    };
    for statement in &program.body {
        reader.statement(statement, export)?;
    }
    let named = reader.export_of.and_then(|name| reader.functions.get(name).copied());
    let entry = reader
        .exported
        .or(named)
        .ok_or_else(|| Fault::at(program.span, "exports no function of that name"))?;
    Ok(Module { imports: reader.imports, functions: reader.functions, constants: reader.constants, entry })
}

struct Reader<'a> {
    imports: BTreeMap<&'a str, Import<'a>>,
    functions: BTreeMap<&'a str, Callable<'a>>,
    constants: Vec<(&'a str, &'a Expression<'a>)>,
    exported: Option<Callable<'a>>,
    /// The function that is exported by its name alone.
    export_of: Option<&'a str>,
}

impl<'a> Reader<'a> {
    fn statement(&mut self, statement: &'a Statement<'a>, export: &str) -> Result<(), Fault> {
        match statement {
            Statement::EmptyStatement(_)
            | Statement::TSTypeAliasDeclaration(_)
            | Statement::TSInterfaceDeclaration(_) => Ok(()),
            Statement::ImportDeclaration(import) => self.import(import),
            Statement::FunctionDeclaration(function) => self.function(function, false),
            Statement::VariableDeclaration(declaration) => self.constants(declaration, None),
            Statement::ExportDefaultDeclaration(exported) => {
                let is_entry = export == "default";
                match &exported.declaration {
                    ExportDefaultDeclarationKind::FunctionDeclaration(function) => {
                        self.function(function, is_entry)
                    }
                    ExportDefaultDeclarationKind::ArrowFunctionExpression(_) if is_entry => {
                        self.exported = exported.declaration.as_expression().and_then(callable);
                        Ok(())
                    }
                    ExportDefaultDeclarationKind::Identifier(name) if is_entry => {
                        self.export_of = Some(name.name.as_str());
                        Ok(())
                    }
                    ExportDefaultDeclarationKind::TSInterfaceDeclaration(_) => Ok(()),
                    _ => Err(Fault::at(exported.span, "exports what is no function")),
                }
            }
            Statement::ExportNamedDeclaration(exported) => {
                let unknown = || Fault::at(exported.span, "exports in a way that is not understood");
                if exported.export_kind == ImportOrExportKind::Type {
                    return Ok(());
                }
                match &exported.declaration {
                    Some(Declaration::FunctionDeclaration(function)) => {
                        let is_entry = function.id.as_ref().is_some_and(|id| id.name == export);
                        self.function(function, is_entry)
                    }
                    Some(Declaration::VariableDeclaration(declaration)) => {
                        self.constants(declaration, Some(export))
                    }
                    Some(Declaration::TSTypeAliasDeclaration(_) | Declaration::TSInterfaceDeclaration(_)) => {
                        Ok(())
                    }
                    _ => Err(unknown()),
                }
            }
            other => Err(Fault::at(other.span(), "runs when the module is loaded")),
        }
    }

    fn import(&mut self, import: &'a ImportDeclaration<'a>) -> Result<(), Fault> {
        if import.import_kind == ImportOrExportKind::Type {
            return Ok(());
        }
        let unknown = || Fault::at(import.span, "imports code that is not known here");
        let from = import.source.value.as_str();
        // Without names an import runs what it names.
        let specifiers = import.specifiers.as_ref().filter(|names| !names.is_empty()).ok_or_else(unknown)?;
        for specifier in specifiers {
            let (local, import) = match specifier {
                ImportDeclarationSpecifier::ImportSpecifier(own)
                    if own.import_kind == ImportOrExportKind::Type =>
                {
                    continue;
                }
                ImportDeclarationSpecifier::ImportSpecifier(own) if from == RUNTIME => {
                    (own.local.name.as_str(), Import::Runtime(own.imported.name().as_str()))
                }
                ImportDeclarationSpecifier::ImportDefaultSpecifier(own) if from.ends_with(".json") => {
                    (own.local.name.as_str(), Import::Json(from))
                }
                ImportDeclarationSpecifier::ImportDefaultSpecifier(own) if from == RANGES => {
                    (own.local.name.as_str(), Import::RangeCheck)
                }
                _ => return Err(unknown()),
            };
            self.imports.insert(local, import);
        }
        Ok(())
    }

    fn function(&mut self, function: &'a Function<'a>, is_entry: bool) -> Result<(), Fault> {
        let own = callable_of(function).ok_or_else(|| Fault::at(function.span, "is no plain function"))?;
        if is_entry {
            self.exported = Some(own);
        }
        if let Some(id) = &function.id {
            self.functions.insert(id.name.as_str(), own);
        }
        Ok(())
    }

    fn constants(
        &mut self,
        declaration: &'a VariableDeclaration<'a>,
        export: Option<&str>,
    ) -> Result<(), Fault> {
        if declaration.kind != VariableDeclarationKind::Const {
            return Err(Fault::at(declaration.span, "can change between requests"));
        }
        for declarator in &declaration.declarations {
            let (BindingPattern::BindingIdentifier(id), Some(init)) = (&declarator.id, &declarator.init)
            else {
                return Err(Fault::at(declarator.span, "takes a value apart"));
            };
            let name = id.name.as_str();
            match callable(init) {
                Some(function) => {
                    if export == Some(name) {
                        self.exported = Some(function);
                    }
                    self.functions.insert(name, function);
                }
                None => self.constants.push((name, init)),
            }
        }
        Ok(())
    }
}

/// A function that is written as an expression.
pub(super) fn callable<'a>(expression: &'a Expression<'a>) -> Option<Callable<'a>> {
    match expression {
        Expression::ArrowFunctionExpression(arrow) => {
            Some(Callable { parameters: &arrow.params, body: &arrow.body.statements })
        }
        Expression::FunctionExpression(function) => callable_of(function),
        _ => None,
    }
}

fn callable_of<'a>(function: &'a Function<'a>) -> Option<Callable<'a>> {
    let body = function.body.as_ref().filter(|_| !function.generator)?;
    Some(Callable { parameters: &function.params, body: &body.statements })
}

impl<'a> Callable<'a> {
    /// The names of its parameters.
    ///
    /// # Errors
    /// That it has others than plain ones.
    pub(super) fn names(&self) -> Result<Vec<&'a str>, Fault> {
        let fault = || Fault::at(self.parameters.span, "takes its parameters apart");
        if self.parameters.rest.is_some() {
            return Err(fault());
        }
        let name = |parameter: &'a oxc_ast::ast::FormalParameter<'a>| match &parameter.pattern {
            BindingPattern::BindingIdentifier(id) if parameter.initializer.is_none() => Ok(id.name.as_str()),
            _ => Err(fault()),
        };
        self.parameters.items.iter().map(name).collect()
    }
}
