//! What stands in a line of TOML, or of something that was meant as TOML.

use std::iter::repeat_n;

/// Whether a list is open behind this.
pub(super) fn in_list(upto: &str) -> bool {
    let outside = outside_quotes(upto);
    let mut open = Vec::new();
    for letter in outside.chars() {
        match letter {
            '[' | '{' => open.push(letter),
            ']' | '}' => drop(open.pop()),
            _ => {}
        }
    }
    open.last() == Some(&'[')
}

/// The value that begins at `begin`, up to what ends it.
pub(super) fn value_at(line: &str, begin: usize) -> &str {
    let rest = line.get(begin..).unwrap_or_default();
    let outside = outside_quotes(rest);
    // A placeholder's braces are the value's own: ${NAME}, {tenant_id}.
    let mut depth = 0_usize;
    let mut end = outside.len();
    for (place, letter) in outside.char_indices() {
        match letter {
            '{' | '[' => depth += 1,
            '}' | ']' if depth > 0 => depth -= 1,
            '}' | ']' | ',' if depth == 0 => {
                end = place;
                break;
            }
            '#' if outside.get(..place).is_some_and(|before| before.ends_with(' ')) => {
                end = place;
                break;
            }
            _ => {}
        }
    }
    rest.get(..end).unwrap_or(rest).trim_end()
}

/// As it is where it is a value of TOML already, else as a text.
pub(super) fn as_value(written: &str) -> String {
    let is_value = written.starts_with(['"', '\'', '[', '{'])
        || ["true", "false"].contains(&written)
        || written.parse::<f64>().is_ok();
    if is_value {
        written.to_owned()
    } else {
        serde_json::Value::from(written.trim_end_matches([',', ';'])).to_string()
    }
}

/// The same with blanks in the place of all that stands in quotes, so that places stay.
pub(super) fn outside_quotes(line: &str) -> String {
    let (inside, _) = quoted(line);
    let letters = line.chars().zip(inside);
    // As many bytes as before.
    letters
        .flat_map(|(letter, inside)| {
            repeat_n(if inside { ' ' } else { letter }, if inside { letter.len_utf8() } else { 1 })
        })
        .collect()
}

/// Of each letter whether it stands within quotes, and the quote that is open at the end of the line.
pub(super) fn quoted(line: &str) -> (Vec<bool>, Option<char>) {
    let (mut within, mut escaped) = (None, false);
    let mut inside = Vec::new();
    for letter in line.chars() {
        let ends = within == Some(letter) && !escaped;
        inside.push(within.is_some() && !ends);
        escaped = within == Some('"') && letter == '\\' && !escaped;
        within = match within {
            None if letter == '"' || letter == '\'' => Some(letter),
            None if letter == '#' => break,
            _ if ends => None,
            open => open,
        };
    }
    // What stands in a comment is no text.
    inside.resize(line.chars().count(), false);
    (inside, within)
}

pub(super) fn without_comment(line: &str) -> &str {
    outside_quotes(line).find('#').and_then(|place| line.get(..place)).unwrap_or(line)
}

/// The name of the table that this line begins.
pub(super) fn heading_name(line: &str) -> Option<&str> {
    let line = without_comment(line).trim();
    let name = line.strip_prefix('[')?.strip_suffix(']')?;
    let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    (!name.contains(['[', ']', '=', ',', '{'])).then(|| name.trim())
}

/// The name that a line gives a value to.
pub(super) fn key_of(line: &str) -> Option<&str> {
    let (name, _) = line.split_once('=')?;
    is_key(name.trim()).then(|| name.trim())
}

/// The name before the equals sign at the end of `line[..end]`.
pub(super) fn key_before(line: &str, end: usize) -> Option<&str> {
    let before = line.get(..end)?.trim_end().strip_suffix('=')?;
    let name = before.rsplit([',', '{', '[']).next()?.trim();
    is_key(name).then_some(name)
}

pub(super) fn is_key(name: &str) -> bool {
    let quoted = name.len() > 1
        && (name.starts_with('"') && name.ends_with('"') || name.starts_with('\'') && name.ends_with('\''));
    quoted || is_bare(name) || (!name.is_empty() && name.split('.').all(|part| is_bare(part.trim())))
}

pub(super) fn is_bare(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}
