//! Zuplo's `BackgroundLoader`, where it loads customers from a config API.

use oxc_ast::ast::{
    AssignmentOperator, AssignmentTarget, Expression, NewExpression, ObjectExpression, ObjectPropertyKind,
    PropertyKind, Statement,
};

use super::{
    Fault,
    condition::Part,
    module::{Callable, Import, Module, callable},
    run::{bare, is_runtime},
};

/// A config API as a loader asks it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in super::super) struct Api {
    /// The variable that holds its URL.
    pub(in super::super) url: String,
    /// The variable that holds its token.
    pub(in super::super) token: Option<String>,
    /// Whether it is asked about one customer.
    pub(in super::super) by_id: bool,
    /// In seconds.
    pub(in super::super) fresh: u64,
    pub(in super::super) timeout: Option<u64>,
}

/// Reads `new BackgroundLoader(loader, options)`.
///
/// # Errors
/// That it loads otherwise than the gateway would.
pub(super) fn read<'a>(module: &Module<'a>, new: &'a NewExpression<'a>) -> Result<Api, Fault> {
    let fault = || Fault::at(new.span, "loads in a way that the gateway does not");
    let [loader, options] = new.arguments.as_slice() else { return Err(fault()) };
    let loader = bare(loader.as_expression().ok_or_else(fault)?);
    let function = match loader {
        Expression::Identifier(name) => module.functions.get(name.name.as_str()).copied(),
        other => callable(other),
    };
    let function = function.ok_or_else(fault)?;
    let Some(Expression::ObjectExpression(options)) = options.as_expression().map(bare) else {
        return Err(fault());
    };
    let (mut fresh, mut timeout) = (None, None);
    for (name, value) in members(options).ok_or_else(fault)? {
        let Expression::NumericLiteral(number) = bare(value) else { return Err(fault()) };
        let seconds = seconds(number.value).ok_or_else(fault)?;
        match name {
            "ttlSeconds" => fresh = Some(seconds),
            "loaderTimeoutSeconds" => timeout = Some(seconds),
            _ => return Err(fault()),
        }
    }
    let Fetch { url, token, by_id } = fetch(module, function).ok_or_else(fault)?;
    Ok(Api { url, token, by_id, fresh: fresh.ok_or_else(fault)?, timeout })
}

struct Fetch {
    url: String,
    token: Option<String>,
    by_id: bool,
}

/// A call, and what becomes of its answer.
struct Asked<'a> {
    url: String,
    token: Option<String>,
    by_id: bool,
    /// The name of the answer.
    answer: &'a str,
    /// What stands behind the call, and behind a check of its status.
    rest: &'a [Statement<'a>],
}

/// The one call that a loader makes, where its answer is what the loader gives.
fn fetch<'a>(module: &Module<'a>, function: Callable<'a>) -> Option<Fetch> {
    let names = function.names().ok()?;
    if names.iter().any(|name| module.imports.contains_key(name)) {
        return None;
    }
    let Asked { url, token, by_id, answer, rest } = asked(module, function.body, names.first().copied())?;
    let returned = match rest {
        [Statement::ReturnStatement(returned)] => returned.argument.as_ref()?,
        [parsed, Statement::ReturnStatement(returned)] => {
            let (name, value) = constant(parsed)?;
            let is_it =
                matches!(bare(returned.argument.as_ref()?), Expression::Identifier(own) if own.name == name);
            is_it.then_some(value)?
        }
        _ => return None,
    };
    is_body(returned, answer).then_some(Fetch { url, token, by_id })
}

/// `const answer = await fetch(…)`, and perhaps `if (!answer.ok) throw …`.
fn asked<'a>(module: &Module<'a>, statements: &'a [Statement<'a>], key: Option<&str>) -> Option<Asked<'a>> {
    let (first, rest) = statements.split_first()?;
    let (answer, init) = constant(first)?;
    let Expression::AwaitExpression(awaited) = bare(init) else { return None };
    let Expression::CallExpression(call) = bare(&awaited.argument) else { return None };
    let is_fetch = matches!(&call.callee, Expression::Identifier(name) if name.name == "fetch");
    let is_own = module.functions.contains_key("fetch") || module.imports.contains_key("fetch");
    if !is_fetch || is_own || call.optional {
        return None;
    }
    let (url, by_id) = url(module, call.arguments.first()?.as_expression()?, key)?;
    let token = match call.arguments.as_slice() {
        [_] => None,
        [_, init] => token(module, init.as_expression()?)?,
        _ => return None,
    };
    let rest = match rest.split_first()? {
        (Statement::IfStatement(test), rest) => {
            refuses_failure(test, answer)?;
            rest
        }
        _ => rest,
    };
    Some(Asked { url, token, by_id, answer, rest })
}

/// Three statements that keep a list of customers in Zuplo's `ZoneCache`: the cache, what it holds, and the call where it
/// holds nothing. Gives the name of the list, and where it comes from.
pub(super) fn cached<'a>(
    module: &Module<'a>,
    context: Option<&str>,
    statements: &[&'a Statement<'a>],
) -> Option<(&'a str, Api)> {
    let [made, held, loaded, ..] = statements else { return None };
    let (cache, made) = constant(made)?;
    let Expression::NewExpression(new) = bare(made) else { return None };
    let is_cache = matches!(&new.callee, Expression::Identifier(name)
        if is_runtime(module.imports.get(name.name.as_str()), "ZoneCache"));
    let [name, own] = new.arguments.as_slice() else { return None };
    let in_context = matches!(own.as_expression().map(bare), Some(Expression::Identifier(own)) if context == Some(own.name.as_str()));
    if !is_cache || !in_context || text(name.as_expression()?).is_none() {
        return None;
    }
    let (list, held) = constant(held)?;
    let (key, arguments) = of_cache(held, cache, "get")?;
    if !arguments.is_empty() {
        return None;
    }
    let Statement::IfStatement(test) = loaded else { return None };
    let Expression::UnaryExpression(not) = bare(&test.test) else { return None };
    let asks = is_name(&not.argument, list) && super::run::is_not(not.operator) && test.alternate.is_none();
    let Statement::BlockStatement(block) = &test.consequent else { return None };
    let Asked { url, token, by_id: false, answer, rest } = asked(module, &block.body, None)? else {
        return None;
    };
    let [Statement::ExpressionStatement(set), Statement::ExpressionStatement(put)] = rest else {
        return None;
    };
    let Expression::AssignmentExpression(set) = &set.expression else { return None };
    let sets = set.operator == AssignmentOperator::Assign
        && matches!(&set.left, AssignmentTarget::AssignmentTargetIdentifier(own) if own.name == list)
        && is_body(&set.right, answer);
    let (kept, arguments) = of_cache(&put.expression, cache, "put")?;
    let [value, ttl] = arguments.as_slice() else { return None };
    let Expression::NumericLiteral(ttl) = bare(ttl) else { return None };
    let fresh = seconds(ttl.value)?;
    let is_whole = asks && sets && kept == key && is_name(value, list) && answer != list && answer != cache;
    is_whole.then_some((list, Api { url, token, by_id: false, fresh, timeout: None }))
}

/// The key of `await cache.method(key, …)`, and the arguments behind it.
fn of_cache<'a>(
    expression: &'a Expression<'a>,
    cache: &str,
    method: &str,
) -> Option<(&'a str, Vec<&'a Expression<'a>>)> {
    let Expression::AwaitExpression(awaited) = bare(expression) else { return None };
    let Expression::CallExpression(call) = bare(&awaited.argument) else { return None };
    let Expression::StaticMemberExpression(member) = &call.callee else { return None };
    if call.optional || member.optional || !is_name(&member.object, cache) || member.property.name != method {
        return None;
    }
    let arguments = call.arguments.iter().map(|argument| argument.as_expression());
    let mut arguments = arguments.collect::<Option<Vec<_>>>()?;
    if arguments.is_empty() {
        return None;
    }
    Some((text(arguments.remove(0))?, arguments))
}

fn is_name(expression: &Expression<'_>, name: &str) -> bool {
    matches!(bare(expression), Expression::Identifier(own) if own.name == name)
}

fn text<'a>(expression: &'a Expression<'a>) -> Option<&'a str> {
    match bare(expression) {
        Expression::StringLiteral(text) => Some(text.value.as_str()),
        _ => None,
    }
}

fn constant<'a>(statement: &'a Statement<'a>) -> Option<(&'a str, &'a Expression<'a>)> {
    let Statement::VariableDeclaration(declaration) = statement else { return None };
    let [declarator] = declaration.declarations.as_slice() else { return None };
    let oxc_ast::ast::BindingPattern::BindingIdentifier(id) = &declarator.id else { return None };
    Some((id.name.as_str(), declarator.init.as_ref()?))
}

/// `environment.URL`, and whether `/key` comes behind it.
fn url<'a>(module: &Module<'a>, written: &'a Expression<'a>, key: Option<&str>) -> Option<(String, bool)> {
    if let Some(name) = variable(module, written) {
        return Some((name, false));
    }
    match parts(module, written, key)?.as_slice() {
        [Part::Env(name)] => Some((name.clone(), false)),
        [Part::Env(name), Part::Text(slash), Part::Claim(_)] if slash == "/" => Some((name.clone(), true)),
        _ => None,
    }
}

/// The pieces of a template, the loader's key standing for a claim.
fn parts<'a>(module: &Module<'a>, written: &'a Expression<'a>, key: Option<&str>) -> Option<Vec<Part>> {
    let Expression::TemplateLiteral(template) = bare(written) else { return None };
    let mut parts = Vec::new();
    let mut expressions = template.expressions.iter();
    for quasi in &template.quasis {
        let text = quasi.value.cooked.as_ref()?.as_str();
        if !text.is_empty() {
            parts.push(Part::Text(text.to_owned()));
        }
        let Some(expression) = expressions.next() else { continue };
        parts.push(match variable(module, expression) {
            Some(name) => Part::Env(name),
            None if is_key(module, expression, key?) => Part::Claim(key?.to_owned()),
            None => return None,
        });
    }
    Some(parts)
}

fn is_key(module: &Module<'_>, expression: &Expression<'_>, key: &str) -> bool {
    match bare(expression) {
        Expression::Identifier(name) => name.name == key,
        Expression::CallExpression(call) => {
            let encodes =
                matches!(&call.callee, Expression::Identifier(name) if name.name == "encodeURIComponent");
            let own = module.functions.contains_key("encodeURIComponent");
            let [argument] = call.arguments.as_slice() else { return false };
            encodes && !own && argument.as_expression().is_some_and(|inner| is_key(module, inner, key))
        }
        _ => false,
    }
}

fn variable(module: &Module<'_>, expression: &Expression<'_>) -> Option<String> {
    let Expression::StaticMemberExpression(member) = bare(expression) else { return None };
    let Expression::Identifier(object) = &member.object else { return None };
    let import = module.imports.get(object.name.as_str());
    (is_runtime(import, "environment") && !member.optional).then(|| member.property.name.as_str().to_owned())
}

/// The variable of the token in `{ headers: { Authorization: `Bearer ${…}` } }`. The outer nothing is that more is asked.
#[allow(clippy::option_option)]
fn token<'a>(module: &Module<'a>, init: &'a Expression<'a>) -> Option<Option<String>> {
    let Expression::ObjectExpression(init) = bare(init) else { return None };
    let mut token = None;
    for (name, value) in members(init)? {
        match (name, bare(value)) {
            ("method", Expression::StringLiteral(method)) if method.value == "GET" => {}
            ("headers", Expression::ObjectExpression(headers)) => {
                for (name, value) in members(headers)? {
                    if name.eq_ignore_ascii_case("authorization") {
                        token = Some(bearer(module, value)?);
                    } else {
                        let plain = ["accept", "content-type"].contains(&name.to_ascii_lowercase().as_str());
                        let Expression::StringLiteral(_) = bare(value) else { return None };
                        plain.then_some(())?;
                    }
                }
            }
            _ => return None,
        }
    }
    Some(token)
}

fn bearer<'a>(module: &Module<'a>, value: &'a Expression<'a>) -> Option<String> {
    match parts(module, value, None)?.as_slice() {
        [Part::Text(scheme), Part::Env(name)] if scheme == "Bearer " => Some(name.clone()),
        _ => None,
    }
}

/// `if (!answer.ok) { throw … }`.
fn refuses_failure<'a>(test: &'a oxc_ast::ast::IfStatement<'a>, answer: &str) -> Option<()> {
    let Expression::UnaryExpression(not) = bare(&test.test) else { return None };
    let Expression::StaticMemberExpression(member) = bare(&not.argument) else { return None };
    let of = matches!(&member.object, Expression::Identifier(name) if name.name == answer);
    let asks =
        super::run::is_not(not.operator) && of && member.property.name == "ok" && test.alternate.is_none();
    let throws = match &test.consequent {
        Statement::ThrowStatement(_) => true,
        Statement::BlockStatement(block) => matches!(block.body.as_slice(), [Statement::ThrowStatement(_)]),
        _ => false,
    };
    (asks && throws).then_some(())
}

/// `answer.json()`, waited for or not.
fn is_body(expression: &Expression<'_>, answer: &str) -> bool {
    match bare(expression) {
        Expression::AwaitExpression(awaited) => is_body(&awaited.argument, answer),
        Expression::CallExpression(call) if call.arguments.is_empty() && !call.optional => match &call.callee
        {
            Expression::StaticMemberExpression(member) => {
                let of = matches!(&member.object, Expression::Identifier(name) if name.name == answer);
                of && member.property.name == "json"
            }
            _ => false,
        },
        _ => false,
    }
}

fn members<'a>(object: &'a ObjectExpression<'a>) -> Option<Vec<(&'a str, &'a Expression<'a>)>> {
    let member = |property: &'a ObjectPropertyKind<'a>| match property {
        ObjectPropertyKind::ObjectProperty(own)
            if own.kind == PropertyKind::Init && !own.computed && !own.method =>
        {
            let name = match &own.key {
                oxc_ast::ast::PropertyKey::StaticIdentifier(name) => name.name.as_str(),
                oxc_ast::ast::PropertyKey::StringLiteral(name) => name.value.as_str(),
                _ => return None,
            };
            Some((name, &own.value))
        }
        _ => None,
    };
    object.properties.iter().map(member).collect()
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::float_cmp)]
fn seconds(number: f64) -> Option<u64> {
    ((1.0..=86_400.0).contains(&number) && number == number.trunc()).then_some(number as u64)
}

/// Whether an import is what makes loaders.
pub(super) fn is_loader(import: Option<&Import<'_>>) -> bool {
    is_runtime(import, "BackgroundLoader")
}
