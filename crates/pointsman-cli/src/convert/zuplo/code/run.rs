//! Runs a policy without a request: every way through it, and what is asked on the way. Whatever is not known here, and
//! whatever might throw where the policy would then refuse, is a fault.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
};

use oxc_ast::ast::{
    AssignmentOperator, AssignmentTarget, BindingPattern, CallExpression, Expression, LogicalOperator,
    Statement, SwitchStatement, UnaryOperator, VariableDeclaration, VariableDeclarationKind,
};
use oxc_span::{GetSpan, Span};

use super::{
    Caller, Fault, Lookup, Source,
    condition::{Condition, Scalar, Target, Tree},
    loader::{self, Api},
    module::{Import, Module},
    value::Value,
};

mod calls;
mod expressions;
mod members;

/// More steps than a policy has that anybody would read as rules.
const MOST_STEPS: u32 = 20_000;

pub(super) struct Run<'a> {
    pub(super) module: &'a Module<'a>,
    /// The names of the policy's parameters, in their order.
    pub(super) parameters: Vec<&'a str>,
    pub(super) constants: BTreeMap<&'a str, Value>,
    pub(super) loaders: BTreeMap<&'a str, Api>,
    pub(super) options: &'a serde_json::Map<String, serde_json::Value>,
    pub(super) caller: Caller,
    pub(super) steps: Cell<u32>,
    /// How customers are found, where they are.
    pub(super) lookup: RefCell<Option<Lookup>>,
    /// Config APIs whose lists are kept by the policy itself.
    pub(super) cached: RefCell<Vec<Api>>,
    /// Variables that are taken to be set.
    pub(super) assumed: RefCell<Vec<String>>,
}

/// What is so at one place of one way.
#[derive(Clone, Default)]
pub(super) struct State<'a> {
    locals: BTreeMap<&'a str, Value>,
    custom: BTreeMap<String, Value>,
    facts: Vec<(Condition, bool)>,
}

type Next<'n, 'a> = &'n dyn Fn(State<'a>) -> Result<Tree, Fault>;

impl<'a> Run<'a> {
    /// What comes of the policy.
    ///
    /// # Errors
    /// The first thing that is not understood.
    pub(super) fn policy(&self) -> Result<Tree, Fault> {
        let statements: Vec<_> = self.module.entry.body.iter().collect();
        self.statements(&statements, State::default())
    }

    /// A constant of the module.
    ///
    /// # Errors
    /// That it is not understood.
    pub(super) fn constant(&self, init: &'a Expression<'a>) -> Result<Value, Fault> {
        self.value(init, &State::default())
    }

    fn statements(&self, statements: &[&'a Statement<'a>], state: State<'a>) -> Result<Tree, Fault> {
        let Some((first, rest)) = statements.split_first() else {
            return Err(Fault::at(self.module.entry.parameters.span, "ends without returning the request"));
        };
        self.steps.set(self.steps.get().saturating_add(1));
        if self.steps.get() > MOST_STEPS {
            return Err(Fault::at(first.span(), "has too many ways through it"));
        }
        if let Some((list, api)) = loader::cached(self.module, self.parameters.get(1).copied(), statements) {
            return self.cache(first.span(), list, api, statements, state);
        }
        match first {
            Statement::EmptyStatement(_)
            | Statement::TSTypeAliasDeclaration(_)
            | Statement::TSInterfaceDeclaration(_) => self.statements(rest, state),
            Statement::BlockStatement(block) => self.statements(&joined(&block.body, rest), state),
            Statement::VariableDeclaration(declaration) => self.declare(declaration, rest, state),
            Statement::ExpressionStatement(expression) => self.effect(&expression.expression, rest, state),
            Statement::IfStatement(test) => {
                let condition = self.condition(&test.test, &state)?;
                let yes: Vec<_> = [&test.consequent].into_iter().chain(rest.iter().copied()).collect();
                let no: Vec<_> = test.alternate.iter().chain(rest.iter().copied()).collect();
                self.branch(condition, state, &|state| self.statements(&yes, state), &|state| {
                    self.statements(&no, state)
                })
            }
            Statement::SwitchStatement(switch) => self.switch(switch, rest, state),
            Statement::ReturnStatement(returned) => {
                let argument = returned.argument.as_ref();
                let argument = argument.ok_or_else(|| Fault::at(returned.span, "returns nothing"))?;
                self.fork(argument, state, &|state, value| self.end(returned.span, state, &value))
            }
            // Whatever is thrown, the request does not go on.
            Statement::ThrowStatement(thrown) => match &thrown.argument {
                Expression::NewExpression(_) => Ok(Tree::Deny(500)),
                _ => Err(Fault::at(thrown.span, "throws what is no error")),
            },
            other => Err(Fault::at(other.span(), "is not understood")),
        }
    }

    /// Goes on behind three statements that load a list of customers and keep it.
    fn cache(
        &self,
        at: Span,
        list: &'a str,
        api: Api,
        statements: &[&'a Statement<'a>],
        mut state: State<'a>,
    ) -> Result<Tree, Fault> {
        if state.locals.contains_key(list) || self.is_known(list) {
            return Err(Fault::at(at, "gives a name another meaning"));
        }
        let mut cached = self.cached.borrow_mut();
        if !cached.contains(&api) {
            cached.push(api);
        }
        drop(cached);
        state.locals.insert(list, Value::Customers);
        self.statements(statements.get(3..).unwrap_or_default(), state)
    }

    fn end(&self, at: Span, state: State<'a>, value: &Value) -> Result<Tree, Fault> {
        match value {
            Value::Request => {
                let custom = state.custom.iter().map(|(name, value)| (name.clone(), value.target()));
                Ok(Tree::Forward(custom.collect::<BTreeMap<String, Target>>()))
            }
            Value::Refusal(status) => Ok(Tree::Deny(*status)),
            _ => Err(Fault::at(at, "returns neither the request nor a refusal")),
        }
    }

    fn declare(
        &self,
        declaration: &'a VariableDeclaration<'a>,
        rest: &[&'a Statement<'a>],
        state: State<'a>,
    ) -> Result<Tree, Fault> {
        let plain = matches!(declaration.kind, VariableDeclarationKind::Const | VariableDeclarationKind::Let);
        let (true, [declarator]) = (plain, declaration.declarations.as_slice()) else {
            return Err(Fault::at(declaration.span, "declares in a way that is not understood"));
        };
        let BindingPattern::BindingIdentifier(id) = &declarator.id else {
            return Err(Fault::at(declaration.span, "takes a value apart"));
        };
        let name = id.name.as_str();
        if state.locals.contains_key(name) || self.is_known(name) {
            return Err(Fault::at(declaration.span, "gives a name another meaning"));
        }
        let with = |mut state: State<'a>, value| {
            state.locals.insert(name, value);
            self.statements(rest, state)
        };
        match &declarator.init {
            None => with(state, Value::Undefined),
            Some(init) => self.fork(init, state, &with),
        }
    }

    /// Whether the module or the parameters give a name a meaning.
    fn is_known(&self, name: &str) -> bool {
        self.parameters.contains(&name)
            || self.constants.contains_key(name)
            || self.loaders.contains_key(name)
            || self.module.functions.contains_key(name)
            || self.module.imports.contains_key(name)
    }

    fn effect(
        &self,
        expression: &'a Expression<'a>,
        rest: &[&'a Statement<'a>],
        state: State<'a>,
    ) -> Result<Tree, Fault> {
        match expression {
            Expression::AssignmentExpression(assignment)
                if assignment.operator == AssignmentOperator::Assign =>
            {
                let fault = || Fault::at(assignment.span, "changes what is not known here");
                match &assignment.left {
                    AssignmentTarget::AssignmentTargetIdentifier(id) => {
                        let name = id.name.as_str();
                        if !state.locals.contains_key(name) {
                            return Err(fault());
                        }
                        self.fork(&assignment.right, state, &|mut state, value| {
                            state.locals.insert(name, value);
                            self.statements(rest, state)
                        })
                    }
                    AssignmentTarget::StaticMemberExpression(member) if !member.optional => {
                        if self.value(&member.object, &state)? != Value::Custom {
                            return Err(fault());
                        }
                        let name = member.property.name.as_str();
                        self.fork(&assignment.right, state, &|mut state, value| {
                            state.custom.insert(name.to_owned(), value);
                            self.statements(rest, state)
                        })
                    }
                    _ => Err(fault()),
                }
            }
            Expression::CallExpression(call) if self.is_log(call, &state)? => {
                for argument in &call.arguments {
                    let own = argument.as_expression();
                    self.value(own.ok_or_else(|| Fault::at(call.span, "is not understood"))?, &state)?;
                }
                self.statements(rest, state)
            }
            other => Err(Fault::at(other.span(), "does something that is not understood")),
        }
    }

    /// Whether a call writes to the log alone.
    fn is_log(&self, call: &'a CallExpression<'a>, state: &State<'a>) -> Result<bool, Fault> {
        let Expression::StaticMemberExpression(member) = &call.callee else { return Ok(false) };
        let writes = matches!(member.property.name.as_str(), "debug" | "info" | "log" | "warn" | "error");
        Ok(writes && !call.optional && !member.optional && self.value(&member.object, state)? == Value::Log)
    }

    fn switch(
        &self,
        switch: &'a SwitchStatement<'a>,
        rest: &[&'a Statement<'a>],
        state: State<'a>,
    ) -> Result<Tree, Fault> {
        let value = self.value(&switch.discriminant, &state)?;
        let mut arms: Vec<(Vec<Condition>, Vec<&'a Statement<'a>>)> = Vec::new();
        let mut waiting = Vec::new();
        let mut default = None;
        let count = switch.cases.len();
        for (index, case) in switch.cases.iter().enumerate() {
            let fault = |what| Fault::at(case.span, what);
            match &case.test {
                Some(test) => waiting.push(self.same(case.span, &value, &self.value(test, &state)?)?),
                None if index.saturating_add(1) == count && waiting.is_empty() => {}
                None => return Err(fault("has its default among other cases")),
            }
            if case.consequent.is_empty() && case.test.is_some() {
                continue;
            }
            let body = body_of(&case.consequent, index.saturating_add(1) == count)
                .ok_or_else(|| fault("goes on into the next case, or leaves the switch in the middle"))?;
            let mut statements: Vec<_> = body;
            statements.extend(rest.iter().copied());
            match case.test {
                Some(_) => arms.push((std::mem::take(&mut waiting), statements)),
                None => default = Some(statements),
            }
        }
        // Cases at the end without anything in them do nothing, as the default does.
        let default = default.unwrap_or_else(|| rest.to_vec());
        self.arms(&arms, &default, state)
    }

    fn arms(
        &self,
        arms: &[(Vec<Condition>, Vec<&'a Statement<'a>>)],
        default: &[&'a Statement<'a>],
        state: State<'a>,
    ) -> Result<Tree, Fault> {
        match arms.split_first() {
            None => self.statements(default, state),
            Some(((conditions, body), rest)) => self.branch(
                Condition::any(conditions.clone()),
                state,
                &|state| self.statements(body, state),
                &|state| self.arms(rest, default, state),
            ),
        }
    }

    /// Goes both ways, unless it is known which.
    fn branch(
        &self,
        condition: Condition,
        state: State<'a>,
        yes: Next<'_, 'a>,
        no: Next<'_, 'a>,
    ) -> Result<Tree, Fault> {
        match state.known(condition) {
            Condition::Const(true) => yes(state),
            Condition::Const(false) => no(state),
            condition => {
                let first = yes(state.with(&condition, true))?;
                let second = no(state.with(&condition, false))?;
                Ok(Tree::Branch(condition, Box::new(first), Box::new(second)))
            }
        }
    }

    /// Goes on with the value of an expression; of `a ? b : c` with both.
    fn fork(
        &self,
        expression: &'a Expression<'a>,
        state: State<'a>,
        next: &dyn Fn(State<'a>, Value) -> Result<Tree, Fault>,
    ) -> Result<Tree, Fault> {
        match bare(expression) {
            Expression::ConditionalExpression(choice) => {
                let condition = self.condition(&choice.test, &state)?;
                self.branch(condition, state, &|state| self.fork(&choice.consequent, state, next), &|state| {
                    self.fork(&choice.alternate, state, next)
                })
            }
            other => {
                let value = self.value(other, &state)?;
                next(state, value)
            }
        }
    }

    /// Remembers how customers are found, which must be one way.
    fn look_up(&self, at: Span, claim: &str, source: Source) -> Result<Value, Fault> {
        let own = Lookup { claim: claim.to_owned(), source };
        let mut lookup = self.lookup.borrow_mut();
        match &*lookup {
            Some(known) if *known != own => Err(Fault::at(at, "looks for customers in a second way")),
            _ => {
                *lookup = Some(own);
                Ok(Value::Customer(claim.to_owned()))
            }
        }
    }
}

impl<'a> State<'a> {
    /// A condition as far as it is not known yet.
    fn known(&self, condition: Condition) -> Condition {
        if let Some((_, value)) = self.facts.iter().find(|(known, _)| *known == condition) {
            return Condition::Const(*value);
        }
        match condition {
            Condition::Not(inner) => self.known(*inner).negated(),
            Condition::All(all) => Condition::all(all.into_iter().map(|one| self.known(one)).collect()),
            Condition::Any(any) => Condition::any(any.into_iter().map(|one| self.known(one)).collect()),
            Condition::In(of, values) => {
                let mut values = values;
                for (fact, holds) in &self.facts {
                    let Condition::In(own, known) = fact else { continue };
                    if *own != of {
                        continue;
                    }
                    match holds {
                        true if known.iter().all(|value| values.contains(value)) => {
                            return Condition::Const(true);
                        }
                        true => values.retain(|value| known.contains(value)),
                        false => values.retain(|value| !known.contains(value)),
                    }
                }
                if values.is_empty() { Condition::Const(false) } else { Condition::In(of, values) }
            }
            Condition::Truthy(of) => {
                let truthy = self.facts.iter().any(|(fact, holds)| {
                    *holds && matches!(fact, Condition::In(own, values) if *own == of && values.iter().all(Scalar::is_truthy))
                });
                if truthy { Condition::Const(true) } else { Condition::Truthy(of) }
            }
            other => other,
        }
    }

    fn with(&self, condition: &Condition, value: bool) -> Self {
        let mut state = self.clone();
        state.learn(condition, value);
        state
    }

    fn learn(&mut self, condition: &Condition, value: bool) {
        match condition {
            Condition::Not(inner) => self.learn(inner, !value),
            Condition::All(all) if value => all.iter().for_each(|one| self.learn(one, true)),
            Condition::Any(any) if !value => any.iter().for_each(|one| self.learn(one, false)),
            other => self.facts.push((other.clone(), value)),
        }
    }
}

fn joined<'a>(first: &'a [Statement<'a>], rest: &[&'a Statement<'a>]) -> Vec<&'a Statement<'a>> {
    first.iter().chain(rest.iter().copied()).collect()
}

/// What stands in a case, without the `break` that ends it; `None` where it goes on into the next one.
fn body_of<'a>(statements: &'a [Statement<'a>], is_last: bool) -> Option<Vec<&'a Statement<'a>>> {
    let statements = match statements {
        [Statement::BlockStatement(block)] => &block.body,
        other => other,
    };
    let (last, before) = match statements.split_last() {
        None if is_last => return Some(Vec::new()),
        None => return None,
        Some(split) => split,
    };
    match last {
        Statement::BreakStatement(ended) if ended.label.is_none() => Some(before.iter().collect()),
        // The default may end with the switch.
        last if is_last || leaves(last) => Some(statements.iter().collect()),
        _ => None,
    }
}

/// Whether nothing comes after a statement.
fn leaves(statement: &Statement<'_>) -> bool {
    match statement {
        Statement::ReturnStatement(_) | Statement::ThrowStatement(_) => true,
        Statement::BlockStatement(block) => block.body.last().is_some_and(leaves),
        Statement::IfStatement(test) => {
            leaves(&test.consequent) && test.alternate.as_ref().is_some_and(leaves)
        }
        _ => false,
    }
}

/// An expression without what says only of which type it is.
pub(super) fn bare<'e, 'a>(expression: &'e Expression<'a>) -> &'e Expression<'a> {
    match expression {
        Expression::ParenthesizedExpression(inner) => bare(&inner.expression),
        Expression::TSAsExpression(inner) => bare(&inner.expression),
        Expression::TSSatisfiesExpression(inner) => bare(&inner.expression),
        Expression::TSNonNullExpression(inner) => bare(&inner.expression),
        Expression::TSTypeAssertion(inner) => bare(&inner.expression),
        other => other,
    }
}

/// Whether this is `!`.
pub(super) fn is_not(operator: UnaryOperator) -> bool {
    operator == UnaryOperator::LogicalNot
}

/// Whether this is `&&` or `||`, and which.
pub(super) fn is_and(operator: LogicalOperator) -> Option<bool> {
    match operator {
        LogicalOperator::And => Some(true),
        LogicalOperator::Or => Some(false),
        LogicalOperator::Coalesce => None,
    }
}

/// Whether a name stands for what Zuplo's runtime calls so.
pub(super) fn is_runtime(import: Option<&Import<'_>>, name: &str) -> bool {
    import == Some(&Import::Runtime(name))
}
