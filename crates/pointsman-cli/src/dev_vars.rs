//! `.dev.vars`, from which `wrangler dev` takes secrets.

use std::{collections::HashMap, fs, io, path::Path};

/// What the file beside `wrangler.toml` says: that of the environment, or else the common one. Nothing where
/// there is none.
///
/// # Errors
/// Where it cannot be read.
pub(crate) fn beside(wrangler: &Path, environment: Option<&str>) -> Result<HashMap<String, String>, String> {
    let names =
        environment.map(|name| format!(".dev.vars.{name}")).into_iter().chain([".dev.vars".to_owned()]);
    for name in names {
        let file = wrangler.with_file_name(name);
        match fs::read_to_string(&file) {
            Ok(text) => return Ok(parse(&text)),
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => {}
            Err(problem) => return Err(format!("{}: {problem}", file.display())),
        }
    }
    Ok(HashMap::new())
}

/// Lines `NAME=value`, as dotenv reads them: quotes are taken off, within double ones `\n` is a line break, and
/// what follows ` #` is a comment. A quoted value may have several lines.
fn parse(text: &str) -> HashMap<String, String> {
    let mut found = HashMap::new();
    let mut rest = text;
    while let Some((line, after)) = rest.split_once('\n').or_else(|| (!rest.is_empty()).then_some((rest, "")))
    {
        let begun = line.trim_start();
        let Some((name, value)) = begun.split_once('=').filter(|_| !begun.starts_with('#')) else {
            rest = after;
            continue;
        };
        let name = name.trim();
        let name = name.strip_prefix("export ").unwrap_or(name).trim();
        let (value, after) = quoted(value.trim_start(), rest).unwrap_or_else(|| {
            let bare = value.split_once(" #").map_or(value, |(value, _)| value);
            (bare.trim().to_owned(), after)
        });
        found.insert(name.to_owned(), value);
        rest = after;
    }
    found
}

/// The value between quotes, and what follows its line in `whole`, which holds it.
fn quoted<'a>(value: &str, whole: &'a str) -> Option<(String, &'a str)> {
    let quote = value.chars().next().filter(|quote| "\"'`".contains(*quote))?;
    let (_, behind) = whole.split_once('=')?;
    let (inner, behind) = behind.trim_start().strip_prefix(quote)?.split_once(quote)?;
    let after = behind.split_once('\n').map_or("", |(_, after)| after);
    let inner = if quote == '"' { inner.replace("\\n", "\n") } else { inner.to_owned() };
    Some((inner, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_dotenv_reads_them() {
        let text = "# a comment\nA=plain\n  export B = 'single # kept' \nC=\"two\\nlines\"\nD=x # said\r\n\
                    E=\"over\nlines\"\nF=\nnonsense\nG=a=b#c";
        let found = parse(text);
        for (name, value) in [
            ("A", "plain"),
            ("B", "single # kept"),
            ("C", "two\nlines"),
            ("D", "x"),
            ("E", "over\nlines"),
            ("F", ""),
            ("G", "a=b#c"),
        ] {
            assert_eq!(found.get(name).map(String::as_str), Some(value), "{name}");
        }
        assert_eq!(found.len(), 7);
    }
}
