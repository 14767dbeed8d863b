//! Texts with something of the request or the environment in them: `${env.NAME}`, `${params.id}`, `$env(NAME)`.

/// A part of such a text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Piece {
    Text(String),
    /// A variable of the environment.
    Env(String),
    /// A parameter of the path.
    Param(String),
    Pathname,
    Search,
    /// What code put into `context.custom`.
    Custom(String),
    /// Anything else, as it is written.
    Code(String),
}

/// Takes a text apart.
pub(super) fn parse(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let Some((before, from)) = rest.split_at_checked(at) else { break };
        let (open, close) = if from.starts_with("${") { ("${", '}') } else { ("$env(", ')') };
        let found = from.strip_prefix(open).and_then(|inner| inner.split_once(close));
        let Some((inner, after)) = found else {
            // A `$` that means nothing.
            let (dollar, after) = from.split_at_checked(1).unwrap_or((from, ""));
            push_text(&mut pieces, before);
            push_text(&mut pieces, dollar);
            rest = after;
            continue;
        };
        push_text(&mut pieces, before);
        pieces.push(if open == "$env(" { env(inner.trim(), inner) } else { expression(inner) });
        rest = after;
    }
    push_text(&mut pieces, rest);
    pieces
}

fn push_text(pieces: &mut Vec<Piece>, text: &str) {
    match pieces.last_mut() {
        _ if text.is_empty() => {}
        Some(Piece::Text(last)) => last.push_str(text),
        _ => pieces.push(Piece::Text(text.to_owned())),
    }
}

fn env(name: &str, written: &str) -> Piece {
    if is_name(name) { Piece::Env(name.to_owned()) } else { Piece::Code(written.to_owned()) }
}

fn expression(written: &str) -> Piece {
    let text = written.trim();
    let unwrapped = ["encodeURIComponent(", "e("]
        .iter()
        .find_map(|call| text.strip_prefix(call)?.strip_suffix(')'))
        .map_or(text, str::trim);
    let member = |object: &str| {
        let rest = unwrapped.strip_prefix(object)?;
        let dotted = rest.strip_prefix('.');
        let quoted = rest.strip_prefix("[\"").and_then(|rest| rest.strip_suffix("\"]"));
        let single = rest.strip_prefix("['").and_then(|rest| rest.strip_suffix("']"));
        dotted.filter(|name| is_name(name)).or(quoted).or(single)
    };
    match unwrapped {
        "pathname" if unwrapped == text => return Piece::Pathname,
        "search" if unwrapped == text => return Piece::Search,
        _ => {}
    }
    if let Some(name) = member("params").or_else(|| member("request.params")) {
        return Piece::Param(name.to_owned());
    }
    if let Some(name) = member("context.custom").filter(|_| unwrapped == text) {
        return Piece::Custom(name.to_owned());
    }
    match member("env").filter(|_| unwrapped == text) {
        Some(name) => env(name, written),
        None => Piece::Code(written.to_owned()),
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_taken_apart() {
        let text = |text: &str| Piece::Text(text.to_owned());
        let env = || Piece::Env("BASE".to_owned());
        let param = || Piece::Param("id".to_owned());
        for (written, pieces) in [
            ("https://a.example", vec![text("https://a.example")]),
            ("${env.BASE}${pathname}${search}", vec![env(), Piece::Pathname, Piece::Search]),
            ("$env(BASE)/x", vec![env(), text("/x")]),
            ("/a/${ params.id }/b", vec![text("/a/"), param(), text("/b")]),
            ("${encodeURIComponent(params.id)}${e(params[\"id\"])}", vec![param(), param()]),
            ("${request.headers.get('x')}", vec![Piece::Code("request.headers.get('x')".to_owned())]),
            ("${encodeURIComponent(pathname)}", vec![Piece::Code("encodeURIComponent(pathname)".to_owned())]),
            (
                "${context.custom.backendUrl}${pathname}",
                vec![Piece::Custom("backendUrl".to_owned()), Piece::Pathname],
            ),
            ("5$ and ${open", vec![text("5$ and ${open")]),
            ("$env(no name)", vec![Piece::Code("no name".to_owned())]),
        ] {
            assert_eq!(parse(written), pieces, "{written}");
        }
    }
}
