//! What people read: colour only on a terminal, and never where `NO_COLOR` is set.

use std::{env, io::IsTerminal};

/// A text in a colour, if standard error is a terminal.
pub(crate) fn red(text: &str) -> String {
    paint(text, "31")
}

/// As [`red`].
pub(crate) fn yellow(text: &str) -> String {
    paint(text, "33")
}

fn paint(text: &str, colour: &str) -> String {
    let wanted = std::io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none();
    if wanted { format!("\u{1b}[{colour}m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// Says that something is wrong.
pub(crate) fn error(what: &str) {
    eprintln!("{}: {what}", red("error"));
}
