//! `pointsman import`: a `gateway.toml` from what another gateway is configured by.

use std::{
    fs,
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::{
    ending::{CommandResult, End, Failure, input},
    output::{self, counted},
};

mod draft;
mod findings;
mod zuplo;

use self::{draft::Draft, findings::Finding};

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Writes gateway.toml from a Zuplo project: config/*.oas.json and config/policies.json.
    ///
    /// Policies that are code are read, too: where the code does what rules do, rules are written and marked for review. What
    /// cannot be carried over is listed, route by route, with the section of docs/configuration.md that says how to do it by
    /// hand. A route that would let in a caller that Zuplo keeps out gets a rule that denies.
    #[command(
        after_help = "Exit codes: 0 everything was carried over, 1 the project cannot be read, 4 parts are left to do by hand, or to review.\n\nExamples:\n  pointsman import zuplo ../my-api --out gateway.toml\n  pointsman import zuplo ../my-api --json | jq .findings"
    )]
    Zuplo(Arguments),
}

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The project's folder, which has config/ in it.
    #[arg(value_name = "FOLDER")]
    project: PathBuf,
    /// Where gateway.toml is written; otherwise it is printed.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Where the lines that wrangler.toml needs are written. gateway.toml has them as a comment, too.
    #[arg(long, value_name = "FILE")]
    wrangler_out: Option<PathBuf>,
    /// Overwrites files that exist.
    #[arg(long)]
    force: bool,
    /// Prints findings as JSON, together with what is not written to files.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(command: &Command) -> CommandResult {
    let Command::Zuplo(arguments) = command;
    let (draft, findings) = zuplo::import(&arguments.project).map_err(input)?;
    if draft.routes.is_empty() {
        findings.iter().for_each(|finding| eprintln!("{}", finding.for_people()));
        return Err(input("no route of the project can be written here; nothing was written"));
    }
    let gateway = draft.to_toml(&findings);
    let wrangler = draft.wrangler();
    check(&gateway, &draft)?;
    if !arguments.force {
        // Both or none.
        [&arguments.out, &arguments.wrangler_out].into_iter().flatten().try_for_each(|file| untaken(file))?;
    }
    write(arguments.out.as_deref(), &gateway, arguments.force)?;
    write(arguments.wrangler_out.as_deref(), &wrangler, arguments.force)?;
    report(arguments, &draft, &findings, &gateway, &wrangler);
    let left = findings.iter().any(|finding| finding.kind.is_left_to_do());
    Ok(if left { End::Pending } else { End::Done })
}

/// What the check would refuse is our fault, or lies in a text that was taken as it was.
fn check(gateway: &str, draft: &Draft) -> Result<(), Failure> {
    let value: Value = toml::from_str(gateway).map_err(|problem| input(problem.to_string()))?;
    let Err(faults) = pointsman_config::parse(&value.to_string(), &draft.examples()) else { return Ok(()) };
    let faults: Vec<String> = faults.iter().map(|fault| format!("\n  {fault}")).collect();
    Err(input(format!("what came of it is not in order, and nothing was written:{}", faults.concat())))
}

fn untaken(file: &Path) -> Result<(), Failure> {
    if file.exists() { Err(taken(file)) } else { Ok(()) }
}

fn taken(file: &Path) -> Failure {
    input(format!("{} is there already, and nothing was written: --force writes over it", file.display()))
}

fn write(file: Option<&Path>, text: &str, force: bool) -> Result<(), Failure> {
    let Some(file) = file else { return Ok(()) };
    let failed = |problem: io::Error| match problem.kind() {
        ErrorKind::AlreadyExists => taken(file),
        _ => input(format!("{}: {problem}", file.display())),
    };
    if force {
        return fs::write(file, text).map_err(failed);
    }
    let mut new = fs::OpenOptions::new().write(true).create_new(true).open(file).map_err(failed)?;
    new.write_all(text.as_bytes()).map_err(failed)
}

fn report(arguments: &Arguments, draft: &Draft, findings: &[Finding], gateway: &str, wrangler: &str) {
    if arguments.json {
        let list: Vec<Value> = findings.iter().map(Finding::to_json).collect();
        let mut result = json!({ "routes": draft.routes.len(), "closed": draft.closed(), "findings": list });
        for (name, text, written) in
            [("gateway", gateway, &arguments.out), ("wrangler", wrangler, &arguments.wrangler_out)]
        {
            if let (Some(members), None) = (result.as_object_mut(), written) {
                members.insert(name.to_owned(), Value::from(text));
            }
        }
        output::line(&format!("{result:#}"));
        return;
    }
    if arguments.out.is_none() {
        output::line(gateway.trim_end());
    }
    for finding in findings {
        eprintln!("{}", finding.for_people());
    }
    let routes = counted(draft.routes.len(), "route", "routes");
    let reviews = findings.iter().filter(|finding| finding.kind == findings::Kind::Review).count();
    let left = findings.iter().filter(|finding| finding.kind.is_left_to_do()).count().saturating_sub(reviews);
    let left = match left {
        0 => "nothing is left to do by hand".to_owned(),
        _ => format!("{} left to do by hand", counted(left, "thing is", "things are")),
    };
    let left = match reviews {
        0 => left,
        _ => format!(
            "{left}; {} of rules that come from code",
            counted(reviews, "review is wanted", "reviews are wanted")
        ),
    };
    match draft.closed() {
        0 => eprintln!("{routes}; {left}"),
        closed => eprintln!("{routes}, {closed} of them closed; {left}"),
    }
    if let (Some(out), false) = (&arguments.out, wrangler.is_empty()) {
        eprintln!("wrangler.toml needs what stands as a comment at the end of {}", out.display());
    }
}
