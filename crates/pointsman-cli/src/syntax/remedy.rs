//! What to write where a file is broken. A parser says where it stopped; what people did is seen in the line.

use self::line::{
    as_value, heading_name, in_list, is_bare, is_key, key_before, key_of, outside_quotes, quoted, value_at,
    without_comment,
};
use super::Fault;

mod line;

/// Quotes that word processors and chats put in the place of `"` and `'`.
const CURLY: &str =
    "\u{201c}\u{201d}\u{201e}\u{201f}\u{2018}\u{2019}\u{201a}\u{201b}\u{ab}\u{bb}\u{2033}\u{2032}";
/// Spaces that are not seen, and are no white space in TOML.
const INVISIBLE: &str = "\u{a0}\u{200b}\u{200c}\u{200d}\u{2060}\u{feff}\u{202f}\u{3000}\u{2009}";

/// The tables of gateway.toml and wrangler.toml that are lists.
const LISTS: [&str; 8] = [
    "routes",
    "issuers",
    "kv_namespaces",
    "services",
    "ratelimits",
    "migrations",
    "bindings",
    "vpc_services",
];

/// What is wrong with a text that is no TOML.
pub(super) fn of_toml(text: &str, problem: &toml::de::Error) -> Fault {
    let at = problem.span().map_or(0, |span| span.start).min(text.len());
    let message = problem.message().trim();
    let broken = Broken::find(text, at);
    let remedy = broken.remedy(message);
    let what = remedy.unwrap_or_else(|| message.to_owned());
    Fault { at: broken.at, what: format!("is not TOML: {what}") }
}

/// What is wrong with a text that is no JSON.
pub(super) fn of_json(text: &str, problem: &jsonc_parser::errors::ParseError) -> Fault {
    let at = problem.range().start.min(text.len());
    let broken = Broken::find(text, at);
    let message = problem.kind().to_string();
    let message = broken.unusual_letter().unwrap_or_else(|| message.trim_end_matches('.').to_lowercase());
    Fault { at, what: format!("is not JSON: {message}") }
}

/// A line at which a parser stopped.
struct Broken<'a> {
    text: &'a str,
    /// Where, in bytes of the whole text.
    at: usize,
    /// The line, and where in it the parser stopped.
    line: &'a str,
    column: usize,
}

impl<'a> Broken<'a> {
    fn find(text: &'a str, at: usize) -> Self {
        let at = (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
        let (before, behind) = text.split_at(at);
        let begin = before.rfind('\n').map_or(0, |place| place + 1);
        let end = at + behind.find('\n').unwrap_or(behind.len());
        let mut found = Self { text, at, line: text.get(begin..end).unwrap_or_default(), column: at - begin };
        // A parser that wanted more stops at the beginning of the next line, or at the end of the file.
        if found.line.trim().is_empty() && begin > 0 && before.trim_end().len() < before.len() {
            let at = before.trim_end().len();
            let begin = before.trim_end().rfind('\n').map_or(0, |place| place + 1);
            found = Self { text, at, line: text.get(begin..at).unwrap_or_default(), column: at - begin };
        }
        found
    }

    /// What to write, where that can be said.
    fn remedy(&self, message: &str) -> Option<String> {
        self.unusual_letter()
            .or_else(|| self.duplicate(message))
            .or_else(|| self.comment())
            .or_else(|| self.yaml())
            .or_else(|| self.unclosed_list(message))
            .or_else(|| self.heading())
            .or_else(|| self.unclosed(message))
            .or_else(|| self.escape(message))
            .or_else(|| self.colon())
            .or_else(|| self.other_equals_sign())
            .or_else(|| self.unquoted())
            .or_else(|| self.equals_sign())
            .or_else(|| self.comma())
    }

    /// Quotes and spaces that only look like those of TOML and JSON. Within a text in straight quotes they are good.
    fn unusual_letter(&self) -> Option<String> {
        let outside = outside_quotes(self.line);
        let open = quoted(self.line).1.is_some();
        let find = |letters: &str| {
            let all = if open { self.line } else { outside.as_str() };
            all.chars().find(|letter| letters.contains(*letter))
        };
        if let Some(quote) = find(CURLY) {
            return Some(format!(
                "{quote} is no quote of a file: write \" in its place, at both ends of the text"
            ));
        }
        let letter = find(INVISIBLE)?;
        Some(format!(
            "the line has a space that is none (U+{:04X}), as pages on the web do: delete it, and type the space anew",
            letter as u32
        ))
    }

    fn duplicate(&self, message: &str) -> Option<String> {
        if !message.contains("duplicate key") && !message.contains("redefine") {
            return None;
        }
        let line = self.line.trim();
        let end = self.text.get(..self.at)?.lines().count().saturating_sub(usize::from(self.column > 0));
        let earlier = self.text.lines().take(end);
        if let Some(name) = heading_name(line) {
            let is_same = |own: &str| heading_name(own.trim()).is_some_and(|own| own == name);
            let place =
                earlier.enumerate().filter(|(_, own)| is_same(own)).last().map(|(index, _)| index + 1);
            let is_list =
                line.starts_with("[[") || LISTS.iter().any(|own| name.rsplit('.').next() == Some(own));
            return Some(match place {
                Some(place) if is_list => {
                    format!("[{name}] stands in line {place} already: write [[{name}]] each time")
                }
                Some(place) => format!(
                    "[{name}] stands in line {place} already: write both parts under one [{name}], or give this one another name"
                ),
                None => format!("{name} has a value already: write its members in one place"),
            });
        }
        let name = self.line.get(self.column..).and_then(key_of).or_else(|| key_of(line))?;
        let within = earlier.collect::<Vec<_>>();
        let from =
            within.iter().rposition(|own| heading_name(own.trim()).is_some()).map_or(0, |place| place + 1);
        let is_same = |own: &str| key_of(own.trim()) == Some(name);
        let place =
            within.iter().enumerate().skip(from).find(|(_, own)| is_same(own)).map(|(index, _)| index + 1);
        Some(match place {
            Some(place) => format!("{name} stands in line {place} already: remove one of the two"),
            None => format!("{name} is there already: remove one of the two"),
        })
    }

    fn comment(&self) -> Option<String> {
        let line = self.line.trim_start();
        let behind = self.line.get(self.column..).unwrap_or_default().trim_start();
        let starts = |text: &str| ["//", "/*", ";", "--"].into_iter().find(|sign| text.starts_with(*sign));
        let outside = outside_quotes(self.line);
        let after_value = [" //", " /*"].into_iter().find(|sign| outside.contains(sign)).map(str::trim_start);
        starts(line)
            .or_else(|| starts(behind).filter(|sign| *sign != ";"))
            .or(after_value)
            .map(|sign| format!("a comment begins with #, not with {sign}"))
            .or_else(|| {
                behind.starts_with(';').then(|| "nothing stands behind a value: delete the ;".to_owned())
            })
    }

    fn yaml(&self) -> Option<String> {
        let line = self.line.trim_start();
        line.starts_with("- ").then(|| {
            "a list's item has no - before it: write [[routes]] above the members of each, or [ … ] with commas".to_owned()
        })
    }

    /// A table's name without one of its brackets.
    fn heading(&self) -> Option<String> {
        let line = without_comment(self.line).trim();
        let name = line.trim_matches(['[', ']']).trim();
        let opening = line.len() - line.trim_start_matches('[').len();
        let closing = line.len() - line.trim_end_matches(']').len();
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.\"' ".contains(&byte);
        if opening + closing == 0 || name.is_empty() || !name.bytes().all(is_name) {
            return None;
        }
        if opening == closing && opening <= 2 {
            let part =
                name.split('.').find(|part| part.trim().contains(' ') && !part.contains(['"', '\'']))?;
            let name = name.replace(part, &format!("\"{part}\""));
            let (open, close) = ("[".repeat(opening), "]".repeat(opening));
            return Some(format!("a name with a space stands in quotes: write {open}{name}{close}"));
        }
        // A list within a value closes with brackets too: only a name that is alone is a table's.
        if opening == 0 && (name.contains(' ') || name.starts_with(['"', '\''])) {
            return None;
        }
        let depth = if opening.max(closing) >= 2 { 2 } else { 1 };
        Some(format!(
            "a table's name stands in brackets: write {}{name}{}",
            "[".repeat(depth),
            "]".repeat(depth)
        ))
    }

    /// A list or a table that goes on in the next lines, up to one that is none of its items.
    fn unclosed_list(&self, message: &str) -> Option<String> {
        let is_next = key_of(self.line.trim()).is_some() || heading_name(self.line.trim()).is_some();
        let bracket = if message.contains("array") { "]" } else { "}" };
        (message.contains("missing comma")
            && is_next
            && self.column <= self.line.len() - self.line.trim_start().len())
        .then(|| format!("what a line above began is not closed: write {bracket} before this line"))
    }

    fn unclosed(&self, message: &str) -> Option<String> {
        if message.contains("multi-line") {
            let quote = if message.contains("literal") { "'''" } else { "\"\"\"" };
            return Some(format!("the text is not closed: write {quote} behind it"));
        }
        let line = without_comment(self.line);
        let quote = quoted(line).1?;
        let apostrophe = quote == '\'' && message.contains("expected newline");
        let what = if apostrophe {
            "the text ends at its second ': write it in double quotes, \"…\"".to_owned()
        } else {
            format!("the text is not closed: write {quote} at its end, in the same line")
        };
        Some(what)
    }

    fn escape(&self, message: &str) -> Option<String> {
        let escaped = message.contains("escape") || message.contains("unicode value");
        escaped.then(|| "\\ has a meaning within \"…\": write \\\\, or the text between ' and '".to_owned())
    }

    /// `name: value`, as JSON and YAML write it.
    fn colon(&self) -> Option<String> {
        let line = self.line;
        let outside = outside_quotes(line);
        let places = outside.match_indices(':').map(|(place, _)| place);
        // What stands behind an equals sign is a value, and its colon a part of it, as in https://…
        let named = places.filter_map(|place| {
            let name = line.get(..place)?;
            let begin = outside.get(..place)?.rfind([',', '{', '[', '=']).map_or(0, |before| before + 1);
            let name = name.get(begin..)?.trim();
            let is_value = outside.get(..begin)?.ends_with('=');
            (!is_value && is_key(name)).then_some((name, place))
        });
        let (name, colon) = named.min_by_key(|(_, place)| place.abs_diff(self.column))?;
        let behind = line.get(colon + 1..)?;
        let name = name.trim_matches(['"', '\'']);
        let name = if is_bare(name) { name.to_owned() } else { format!("\"{name}\"") };
        let value = value_at(behind, 0).trim().to_owned();
        let value = if value.is_empty() { "…".to_owned() } else { as_value(&value) };
        Some(format!("a name and its value have = between them: write {name} = {value}"))
    }

    /// A text without quotes, `true` in capitals, a span or a size without quotes.
    fn unquoted(&self) -> Option<String> {
        let line = self.line;
        let upto = line.get(..self.column)?;
        // The value that the parser was at, or behind: `30s` stops at the s.
        let begin = outside_quotes(upto).rfind(['=', '[', ',', '{']).map_or(0, |place| place + 1);
        let written = value_at(line, begin).trim();
        let sign = line.get(..begin)?.chars().last();
        if sign == Some('{') || sign.is_none() || written.is_empty() {
            return None;
        }
        if sign == Some(',') && written.contains('=') && !in_list(upto) {
            return None;
        }
        let first = written.chars().next()?;
        if "\"'[{=".contains(first) || ["true", "false", "inf", "nan"].contains(&written) {
            return None;
        }
        if written.parse::<f64>().is_ok() {
            return None;
        }
        if let Some((_, next)) = written.split_once(char::is_whitespace)
            && key_of(next).is_some()
        {
            return Some(format!(
                "each name stands in a line of its own: write {} in the next line",
                next.trim()
            ));
        }
        let name = if sign == Some('=') { key_before(line, begin) } else { None };
        let write = |value: &str| match name {
            Some(name) => format!("{name} = {value}"),
            None => value.to_owned(),
        };
        Some(match written.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => format!("write {}", write("true")),
            "false" | "no" | "off" => format!("write {}", write("false")),
            "null" | "nil" | "none" | "undefined" => {
                "there is no null in TOML: leave the member out".to_owned()
            }
            _ => format!("a text stands in quotes: write {}", write(&as_value(written))),
        })
    }

    fn other_equals_sign(&self) -> Option<String> {
        let line = without_comment(self.line).trim();
        ["=>", ":=", "=="].into_iter().find_map(|sign| {
            let (name, value) = line.split_once(sign)?;
            let (name, value) = (name.trim(), value.trim());
            is_key(name).then(|| format!("write {name} = {}", as_value(value)))
        })
    }

    fn equals_sign(&self) -> Option<String> {
        let line = without_comment(self.line).trim();
        if is_key(line) {
            return Some(format!("{line} has no value: write {line} = …"));
        }
        if let Some((name, "")) = line.split_once('=').map(|(name, value)| (name.trim(), value.trim())) {
            return is_key(name).then(|| format!("{name} has no value: write {name} = …"));
        }
        if let Some(value) = line.strip_prefix('=') {
            return Some(format!("the name is missing: write … = {}", value.trim()));
        }
        let (name, value) = line.split_once(char::is_whitespace)?;
        (is_key(name) && !line.contains('=')).then(|| {
            format!("a name and its value have = between them: write {name} = {}", as_value(value.trim()))
        })
    }

    fn comma(&self) -> Option<String> {
        let behind = self.line.get(self.column..).unwrap_or_default().trim_start();
        let upto = self.line.get(..self.column).unwrap_or_default().trim_end();
        if behind.starts_with(',') && upto.ends_with(',') {
            return Some("there are two commas: delete one".to_owned());
        }
        if behind.starts_with(',') {
            return Some(
                "no comma stands at the end of a line, outside of [ … ] and { … }: delete the ,".to_owned(),
            );
        }
        if behind.starts_with('}') || behind.starts_with(']') {
            return None;
        }
        let follows = behind.starts_with(['"', '\'', '{', '['])
            || is_key(behind.split(['=', ' ']).next().unwrap_or_default());
        let ends = upto.ends_with(['"', '\'', '}', ']'])
            || upto.ends_with(|letter: char| letter.is_ascii_alphanumeric());
        (follows && ends && (in_list(upto) || upto.contains('{')))
            .then(|| "there is no comma between the two: write , there".to_owned())
    }
}

#[cfg(test)]
mod tests;
