//! `pointsman check` and `pointsman compile`.

use std::{collections::HashSet, fs, path::PathBuf};

use pointsman::{
    bounds::{Bound, bounds},
    settings::{
        self, Variable, Variables,
        findings::{Finding, Severity},
    },
};
use serde_json::{Value, json};

use crate::{
    End, bindings,
    lines::{line_at, line_of},
    output::{error, red, yellow},
};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The configuration.
    #[arg(default_value = "gateway.toml")]
    file: PathBuf,
    /// Where variables are set ([vars]) and secrets are named ([secrets] required).
    #[arg(long, default_value = "wrangler.toml")]
    wrangler: PathBuf,
    /// The environment of wrangler.toml whose variables count.
    #[arg(long)]
    env: Option<String>,
    /// Prints findings as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
pub(crate) struct CompileArguments {
    /// The configuration.
    #[arg(default_value = "gateway.toml")]
    file: PathBuf,
}

/// A finding with its place.
struct Placed {
    finding: Finding,
    line: usize,
}

pub(crate) fn check(arguments: &Arguments) -> End {
    let text = match fs::read_to_string(&arguments.file) {
        Ok(text) => text,
        Err(problem) => {
            error(&format!("{}: {problem}", arguments.file.display()));
            return End::BadInput;
        }
    };
    let variables = match read_variables(arguments) {
        Ok(variables) => variables,
        Err(problem) => {
            error(&format!("{}: {problem}", arguments.wrangler.display()));
            return End::BadInput;
        }
    };
    let mut promised = Vec::new();
    let findings = match toml::from_str::<Value>(&text) {
        Ok(value) => {
            let found = match settings::parse(&value.to_string(), &variables) {
                Ok(checked) => {
                    promised = bounds(&checked.gateway);
                    let mut found = checked.warnings;
                    found.extend(bindings::check(&checked.gateway, &variables.section));
                    found
                }
                Err(findings) => findings,
            };
            found
                .into_iter()
                .map(|finding| Placed { line: line_of(&text, &finding.pointer), finding })
                .collect()
        }
        Err(problem) => vec![not_toml(&text, &problem)],
    };
    report(arguments, findings, &promised)
}

fn not_toml(text: &str, problem: &toml::de::Error) -> Placed {
    let line = problem.span().map_or(1, |span| line_at(text, span.start));
    let what = format!("is not TOML: {}", problem.message());
    Placed { finding: Finding { severity: Severity::Error, pointer: String::new(), what: what.into() }, line }
}

fn report(arguments: &Arguments, mut findings: Vec<Placed>, promised: &[Bound]) -> End {
    findings.sort_by_key(|placed| placed.line);
    let file = arguments.file.display().to_string();
    if arguments.json {
        let list: Vec<_> = findings.iter().map(|placed| as_json(&file, placed)).collect();
        let bounds: Vec<_> = promised.iter().map(Bound::to_json).collect();
        println!("{}", json!({ "findings": list, "bounds": bounds }));
    } else {
        for Placed { finding, line } in &findings {
            let severity = match finding.severity {
                Severity::Error => red("error"),
                Severity::Warning => yellow("warning"),
            };
            eprintln!("{file}:{line}: {severity}: {finding}");
        }
    }
    let errors = findings.iter().filter(|placed| placed.finding.severity == Severity::Error).count();
    if errors == 0 {
        if !arguments.json {
            eprintln!("{file} is in order");
            for bound in promised {
                eprintln!("  {bound}");
            }
        }
        return End::Done;
    }
    if !arguments.json {
        eprintln!("{errors} {} in {file}", if errors == 1 { "error" } else { "errors" });
    }
    End::BadInput
}

fn as_json(file: &str, placed: &Placed) -> Value {
    let severity = match placed.finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    json!({
        "severity": severity,
        "file": file,
        "line": placed.line,
        "pointer": placed.finding.pointer,
        "message": placed.finding.what,
    })
}

pub(crate) fn compile(arguments: &CompileArguments) -> End {
    let read = fs::read_to_string(&arguments.file).map_err(|problem| problem.to_string());
    let value = read.and_then(|text| toml::from_str::<Value>(&text).map_err(|problem| problem.to_string()));
    match value {
        Ok(value) => {
            println!("{value}");
            End::Done
        }
        Err(problem) => {
            error(&format!("{}: {problem}", arguments.file.display()));
            End::BadInput
        }
    }
}

/// What wrangler.toml says of variables.
struct WranglerVariables {
    /// All that it says of the environment.
    section: toml::Table,
    vars: toml::Table,
    secrets: HashSet<String>,
}

impl Variables for WranglerVariables {
    fn variable(&self, name: &str) -> Variable {
        match self.vars.get(name) {
            Some(toml::Value::String(value)) => Variable::Set(value.clone()),
            Some(other) => Variable::Set(other.to_string()),
            None if self.secrets.contains(name) => Variable::Secret,
            None => Variable::Missing,
        }
    }
}

fn read_variables(arguments: &Arguments) -> Result<WranglerVariables, String> {
    let text = fs::read_to_string(&arguments.wrangler).map_err(|problem| problem.to_string())?;
    let whole: toml::Table = text.parse().map_err(|problem: toml::de::Error| problem.to_string())?;
    let section = match &arguments.env {
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
    let secrets = names.filter_map(|name| name.as_str().map(str::to_owned)).collect();
    let mut section = section.clone();
    // An environment has the migrations of all.
    if let Some(migrations) = whole.get("migrations") {
        section.entry("migrations").or_insert_with(|| migrations.clone());
    }
    Ok(WranglerVariables { vars, secrets, section })
}
