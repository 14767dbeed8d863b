//! What people read: colour only on a terminal, and never where `NO_COLOR` is set. Results go to standard
//! output, all else to standard error.

use std::{
    env,
    io::{self, IsTerminal, Write},
};

/// A text in a colour, if standard error is a terminal.
pub(crate) fn red(text: &str) -> String {
    paint(text, "31", io::stderr().is_terminal())
}

/// As [`red`].
pub(crate) fn yellow(text: &str) -> String {
    paint(text, "33", io::stderr().is_terminal())
}

/// A text in a colour of the terminal's numbers, if standard output is a terminal.
pub(crate) fn coloured(text: &str, colour: &str) -> String {
    paint(text, colour, io::stdout().is_terminal())
}

fn paint(text: &str, colour: &str, terminal: bool) -> String {
    let wanted = terminal && env::var_os("NO_COLOR").is_none();
    if wanted { format!("\u{1b}[{colour}m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// Says that something is wrong.
pub(crate) fn error(what: &str) {
    eprintln!("{}: {what}", red("error"));
}

/// Says that something is probably wrong.
pub(crate) fn warning(what: &str) {
    eprintln!("{}: {what}", yellow("warning"));
}

/// A line of the result. Whoever closed the pipe (`| head`) has seen enough: no reason to stop half-way
/// through something.
pub(crate) fn line(text: &str) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// A line that must have been seen before what comes next is done.
///
/// # Errors
/// Where it could not be written.
pub(crate) fn shown(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}

/// A number with its thousands apart: `12 000`.
pub(crate) fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// `1 entry`, `12 000 entries`.
pub(crate) fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{} {}", grouped(number), if number == 1 { one } else { many })
}

/// A text as one line that does nothing to a terminal: what stands in KV may have been written by anybody.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .flat_map(|letter| {
            let escaped = letter.is_control().then(|| letter.escape_default().to_string());
            escaped.unwrap_or_else(|| letter.to_string()).chars().collect::<Vec<_>>()
        })
        .collect()
}

/// Rows as columns that stand below each other.
pub(crate) fn table(rows: &[Vec<String>]) {
    let mut widths: Vec<usize> = Vec::new();
    for row in rows {
        for (index, cell) in row.iter().enumerate() {
            let width = cell.chars().count();
            match widths.get_mut(index) {
                Some(widest) => *widest = width.max(*widest),
                None => widths.push(width),
            }
        }
    }
    for row in rows {
        let mut text = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            text.push_str(cell);
            text.extend(std::iter::repeat_n(' ', width.saturating_sub(cell.chars().count()) + 2));
        }
        line(text.trim_end());
    }
}

/// How far a long task has come, on standard error: one line that is rewritten on a terminal.
pub(crate) struct Progress {
    total: usize,
    done: usize,
    what: String,
    quiet: bool,
}

impl Progress {
    /// `what` says what happens to the entries: "customers written".
    pub(crate) fn new(total: usize, what: &str) -> Self {
        Self { total, done: 0, what: what.to_owned(), quiet: false }
    }

    /// One that says nothing.
    pub(crate) fn silent() -> Self {
        Self { total: 0, done: 0, what: String::new(), quiet: true }
    }

    /// So many more are done.
    pub(crate) fn advance(&mut self, by: usize) {
        self.done += by;
        if self.quiet {
            return;
        }
        let text = format!("{} of {} {}", grouped(self.done), grouped(self.total), self.what);
        if io::stderr().is_terminal() {
            let end = if self.done >= self.total { "\n" } else { "" };
            eprint!("\r\u{1b}[2K{text}{end}");
        } else {
            eprintln!("{text}");
        }
    }
}

/// How far a task has come of which nobody knows how long it is: on a terminal, and nowhere else.
pub(crate) struct Counter {
    done: usize,
    shown: usize,
    what: &'static str,
    is_seen: bool,
}

impl Counter {
    /// `what` says what happens: "records asked about".
    pub(crate) fn new(what: &'static str) -> Self {
        Self { done: 0, shown: 0, what, is_seen: io::stderr().is_terminal() }
    }

    /// So many more are done.
    pub(crate) fn advance(&mut self, by: usize) {
        const STEP: usize = 10_000;
        self.done += by;
        if self.is_seen && self.done - self.shown >= STEP {
            self.shown = self.done;
            eprint!("\r\u{1b}[2K{} {}", grouped(self.done), self.what);
        }
    }

    /// Takes the line away: what came of it is said next.
    pub(crate) fn end(&self) {
        if self.is_seen && self.shown > 0 {
            eprint!("\r\u{1b}[2K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1 000"), (1_234_567, "1 234 567")] {
            assert_eq!(grouped(number), text);
        }
        assert_eq!(counted(1, "entry", "entries"), "1 entry");
        assert_eq!(counted(12_000, "entry", "entries"), "12 000 entries");
    }

    #[test]
    fn nothing_from_kv_reaches_the_terminal_as_a_command() {
        assert_eq!(plain("a\u{1b}[2Jb\nc é"), "a\\u{1b}[2Jb\\nc é");
    }
}
