//! `pointsman reference`: documentation from what the program itself works with. docs/cli.md is from the definition that the
//! command line is parsed by, the table of operands in docs/configuration.md from their registry.

use std::{fmt::Write, fs, path::PathBuf};

use clap::{Arg, ArgAction, Command, CommandFactory, ValueEnum};

use crate::{
    ending::{CommandResult, End, input},
    output,
};

mod operands;

const HEAD: &str = "\
# The command line

Every command with its arguments, from the program's own definition. It is written by
`npm run pointsman -- reference --write docs/cli.md`; do not edit it by hand.

";

/// What is documented.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Part {
    /// All commands: docs/cli.md
    Commands,
    /// What conditions can look at: a part of docs/configuration.md
    Operands,
}

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What is documented.
    #[arg(value_enum, default_value = "commands")]
    part: Part,
    /// Writes it into this file instead: all commands over what is there, the operands into their place in it.
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
}

pub(crate) fn run<C: CommandFactory>(arguments: &Arguments) -> CommandResult {
    let Some(file) = &arguments.write else {
        let text = if arguments.part == Part::Commands { reference::<C>() } else { operands::table() };
        output::line(text.trim_end());
        return Ok(End::Done);
    };
    let failed = |problem: &dyn std::fmt::Display| input(format!("{}: {problem}", file.display()));
    let text = match arguments.part {
        Part::Commands => reference::<C>(),
        Part::Operands => {
            let before = fs::read_to_string(file).map_err(|problem| failed(&problem))?;
            operands::put_into(&before).map_err(|problem| failed(&problem))?
        }
    };
    fs::write(file, text).map_err(|problem| failed(&problem))?;
    Ok(End::Done)
}

fn reference<C: CommandFactory>() -> String {
    let mut root = C::command().disable_help_subcommand(true);
    root.build();
    let mut text = HEAD.to_owned();
    contents(&root, &mut text);
    text.push('\n');
    command(&root, &mut text);
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn visible(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|command| !command.is_hide_set())
}

/// The command as it is typed: `pointsman keys create`.
fn path(command: &Command) -> String {
    command.get_bin_name().unwrap_or_else(|| command.get_name()).to_owned()
}

fn contents(command: &Command, text: &mut String) {
    for inner in visible(command) {
        if visible(inner).next().is_some() {
            contents(inner, text);
            continue;
        }
        let path = path(inner);
        let about = first_line(&inner.get_about().map(ToString::to_string).unwrap_or_default());
        let _ = writeln!(text, "- [`{path}`](#{}): {about}", path.replace(' ', "-"));
    }
}

/// With the full stop that clap takes off.
fn sentence(text: &str) -> String {
    let open = !text.is_empty() && !text.ends_with(['.', ':', '?', '!']);
    if open { format!("{text}.") } else { text.to_owned() }
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().trim_end_matches('.').to_owned()
}

/// A command, and those in it. One that only holds others is its words alone.
fn command(command: &Command, text: &mut String) {
    let holds_others = visible(command).next().is_some();
    let is_root = command.get_bin_name().is_none_or(|name| !name.contains(' '));
    if is_root {
        paragraphs(command, text);
    } else if !holds_others {
        let _ = writeln!(text, "## `{}`\n", path(command));
        paragraphs(command, text);
        let usage = command.clone().render_usage().to_string();
        let _ = writeln!(text, "```text\n{}\n```\n", usage.trim_start_matches("Usage: ").trim());
        arguments(command, text);
    }
    if let Some(after) = command.get_after_long_help().or_else(|| command.get_after_help()) {
        after_help(&after.to_string(), text);
    }
    for inner in visible(command) {
        self::command(inner, text);
    }
}

fn paragraphs(command: &Command, text: &mut String) {
    let about = command.get_long_about().or_else(|| command.get_about());
    if let Some(about) = about {
        let _ = writeln!(text, "{}\n", sentence(about.to_string().trim()));
    }
}

/// Lines that are set in are an example; the others are prose.
fn after_help(after: &str, text: &mut String) {
    let mut in_example = false;
    for line in after.lines() {
        let example = line.starts_with("  ") || (in_example && line.starts_with(' '));
        match (in_example, example) {
            (false, true) => text.push_str("\n```sh\n"),
            (true, false) => text.push_str("```\n"),
            _ => {}
        }
        in_example = example;
        let _ = writeln!(text, "{}", if example { line.strip_prefix("  ").unwrap_or(line) } else { line });
    }
    text.push_str(if in_example { "```\n\n" } else { "\n" });
}

fn arguments(command: &Command, text: &mut String) {
    let own = |argument: &&Arg| {
        let usual = matches!(
            argument.get_action(),
            ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version
        );
        !argument.is_hide_set() && !usual
    };
    let positional = command.get_positionals().filter(own);
    let options = command.get_arguments().filter(|argument| !argument.is_positional()).filter(own);
    let rows: Vec<_> = positional.chain(options).map(row).collect();
    if rows.is_empty() {
        return;
    }
    text.push_str("| argument | default | meaning |\n| --- | --- | --- |\n");
    text.extend(rows);
    text.push('\n');
}

fn row(argument: &Arg) -> String {
    let defaults: Vec<_> =
        argument.get_default_values().iter().map(|value| value.to_string_lossy().into_owned()).collect();
    let takes_value = argument.get_action().takes_values();
    let default = match defaults.as_slice() {
        _ if !takes_value => String::new(),
        [] if argument.is_required_set() => "must be there".to_owned(),
        [] => String::new(),
        values => format!("`{}`", values.join(" ")),
    };
    let help = argument.get_long_help().or_else(|| argument.get_help());
    let mut meaning = sentence(&help.map(ToString::to_string).unwrap_or_default().replace('\n', " "));
    let values: Vec<_> =
        argument.get_possible_values().into_iter().filter(|value| !value.is_hide_set()).collect();
    if takes_value && !values.is_empty() {
        let values: Vec<_> = values
            .iter()
            .map(|value| match value.get_help() {
                Some(help) => format!("`{}` ({help})", value.get_name()),
                None => format!("`{}`", value.get_name()),
            })
            .collect();
        let _ = write!(meaning, " One of {}.", values.join(", "));
    }
    let name = shown(argument, takes_value);
    format!("| `{name}` | {default} | {} |\n", meaning.replace('|', "\\|"))
}

/// As it is typed: `--wrangler <WRANGLER>`, `<FILE>`, `-v, --verbose`.
fn shown(argument: &Arg, takes_value: bool) -> String {
    let names = argument.get_value_names().unwrap_or_default();
    let own = argument.get_id().as_str().to_uppercase();
    let names: Vec<&str> =
        if names.is_empty() { vec![&own] } else { names.iter().map(AsRef::as_ref).collect() };
    let value = names.iter().map(|name| format!("<{name}>")).collect::<Vec<_>>().join(" ");
    if argument.is_positional() {
        return value;
    }
    let short = argument.get_short().map(|short| format!("-{short}"));
    let long = argument.get_long().map(|long| format!("--{long}"));
    let flags = short.into_iter().chain(long).collect::<Vec<_>>().join(", ");
    if takes_value { format!("{flags} {value}") } else { flags }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_reference_is_that_of_the_program() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cli.md");
        let committed = fs::read_to_string(file).unwrap_or_default();
        let fresh = reference::<crate::Arguments>();
        let command = "npm run pointsman -- reference --write docs/cli.md";
        assert!(committed == fresh, "docs/cli.md is stale: run `{command}`");
    }

    #[test]
    fn what_is_hidden_stays_hidden() {
        assert!(!reference::<crate::Arguments>().contains("pointsman reference`\n"));
    }

    #[test]
    fn examples_are_set_apart_from_prose() {
        let mut text = String::new();
        after_help("Example:\n  a \\\n    b\nThe end.", &mut text);
        assert_eq!(text, "Example:\n\n```sh\na \\\n  b\n```\nThe end.\n\n");
    }
}
