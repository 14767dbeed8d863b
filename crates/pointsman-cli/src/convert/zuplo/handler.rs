//! Where a route's requests go.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    project::Handler,
    template::{self, Piece},
    values::Variables,
};
use crate::convert::draft::Use;

/// A backend, and the path towards it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Destination {
    /// With `custom`, what comes behind the URL that code chose.
    pub(super) url: String,
    /// The member of `context.custom` that holds the URL.
    pub(super) custom: Option<String>,
    /// `None` keeps the path.
    pub(super) rewrite: Option<String>,
    /// What is different, if anything.
    pub(super) differs: Option<&'static str>,
}

/// Stands for what code chooses; no variable is called so.
const CHOSEN: &str = " chosen";
const REDIRECTS: &str = "redirects of the backend were followed; here clients get them as they are";
const SLASH: &str = "the backend was asked for the URL alone; here a / comes behind it";

/// Translates a handler; `names` says what parameters of the path are called here.
///
/// # Errors
/// Why it cannot be.
pub(super) fn destination(
    handler: &Handler,
    names: &BTreeMap<String, String>,
    variables: &mut Variables,
) -> Result<Destination, String> {
    if !handler.is_built_in() {
        let Handler { module, export, .. } = handler;
        return Err(format!(
            "its handler is code of the project ({export} of {module}), and no code runs here: let a Worker of your own answer, as a \
             backend with url = \"binding:NAME\""
        ));
    }
    match handler.export.as_str() {
        "urlForwardHandler" => {
            options(handler, "baseUrl")?;
            let (pieces, custom) = pieces(&text(handler, "baseUrl")?);
            let url = behind(custom.as_deref(), plain_url(&pieces, variables)?, variables)?;
            Ok(of(handler, custom, url, None, None))
        }
        "urlRewriteHandler" => {
            options(handler, "rewritePattern")?;
            let (pieces, custom) = pieces(&text(handler, "rewritePattern")?);
            let (url, rewrite, differs) = rewrite(pieces, names, handler, variables)?;
            let url = behind(custom.as_deref(), url, variables)?;
            Ok(of(handler, custom, url, rewrite, differs))
        }
        "redirectHandler" => {
            Err("it redirects, which the gateway does not do itself: have a backend answer".to_owned())
        }
        "webSocketHandler" | "webSocketPipelineHandler" => {
            Err("it forwards WebSockets: write a backend with https, and they pass like any request"
                .to_owned())
        }
        other => Err(format!(
            "its handler {other} answers in a way of its own: let a Worker of your own answer, as a backend with url = \
             \"binding:NAME\""
        )),
    }
}

/// The pieces of a URL. What code chooses stands for a variable, where it is the beginning.
fn pieces(text: &str) -> (Vec<Piece>, Option<String>) {
    let mut pieces = template::parse(text);
    let custom = match pieces.first_mut() {
        Some(first @ Piece::Custom(_)) => match std::mem::replace(first, Piece::Env(CHOSEN.to_owned())) {
            Piece::Custom(name) => Some(name),
            _ => None,
        },
        _ => None,
    };
    (pieces, custom)
}

/// What of a URL comes behind the part that code chooses.
fn behind(custom: Option<&str>, url: String, variables: &mut Variables) -> Result<String, String> {
    if custom.is_none() {
        return Ok(url);
    }
    variables.0.remove(CHOSEN);
    url.strip_prefix(&format!("${{{CHOSEN}}}"))
        .map(str::to_owned)
        .ok_or_else(|| "its backend has something before what code chose".to_owned())
}

fn of(
    handler: &Handler,
    custom: Option<String>,
    url: String,
    rewrite: Option<String>,
    differs: Option<&'static str>,
) -> Destination {
    let follows = handler.options.get("followRedirects") == Some(&Value::Bool(true));
    Destination { url, custom, rewrite, differs: if follows { Some(REDIRECTS) } else { differs } }
}

/// Refuses what would change where requests go, or what they are.
fn options(handler: &Handler, main: &str) -> Result<(), String> {
    let known = [main, "forwardSearch", "followRedirects"];
    match handler.options.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(format!("its handler has the option {name}, which the import does not know")),
        None => Ok(()),
    }
}

fn text(handler: &Handler, name: &str) -> Result<String, String> {
    let value = handler.options.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    value.map(str::to_owned).ok_or_else(|| format!("its handler has no {name}"))
}

fn drops_query(handler: &Handler) -> bool {
    handler.options.get("forwardSearch") == Some(&Value::Bool(false))
}

const QUERY: &str =
    "its handler makes a query of its own, or keeps the client's back; here the query is kept as it was sent";

/// A URL of texts and variables, without a query.
fn plain_url(pieces: &[Piece], variables: &mut Variables) -> Result<String, String> {
    let mut url = String::new();
    for (index, piece) in pieces.iter().enumerate() {
        match piece {
            Piece::Text(text) if text.contains(['?', '#']) => return Err(QUERY.to_owned()),
            Piece::Text(text) if text.contains(['{', '}', '$']) => {
                return Err(format!("its backend has a {text} that cannot stand in a URL"));
            }
            Piece::Text(text) => url.push_str(text),
            Piece::Env(name) => {
                let used = match index {
                    0 => Use::Url,
                    _ if url.ends_with("://") || !url.trim_start_matches("https://").contains('/') => {
                        Use::Host
                    }
                    _ => Use::Text,
                };
                url.push_str(&variables.name(name, used)?);
            }
            Piece::Param(_) | Piece::Pathname | Piece::Search | Piece::Custom(_) | Piece::Code(_) => {
                return Err(format!(
                    "its backend depends on the request ({}): rules say here which it is",
                    written(piece)
                ));
            }
        }
    }
    let url = url.trim_end_matches('/').to_owned();
    if url.starts_with("http://") {
        return Err("its backend is spoken to in plain http: see allow_http".to_owned());
    }
    let good = url.starts_with("https://") || matches!(pieces.first(), Some(Piece::Env(_)));
    if good { Ok(url) } else { Err(format!("its backend {url} is no https URL")) }
}

fn written(piece: &Piece) -> String {
    match piece {
        Piece::Text(text) | Piece::Code(text) => text.clone(),
        Piece::Env(name) => format!("env.{name}"),
        Piece::Param(name) => format!("params.{name}"),
        Piece::Pathname => "pathname".to_owned(),
        Piece::Search => "search".to_owned(),
        Piece::Custom(name) => format!("context.custom.{name}"),
    }
}

type Rewritten = (String, Option<String>, Option<&'static str>);

fn rewrite(
    mut pieces: Vec<Piece>,
    names: &BTreeMap<String, String>,
    handler: &Handler,
    variables: &mut Variables,
) -> Result<Rewritten, String> {
    let has_search = pieces.last() == Some(&Piece::Search);
    if has_search {
        pieces.pop();
    } else if drops_query(handler) {
        return Err(QUERY.to_owned());
    }
    if let Some(at) = pieces.iter().position(|piece| *piece == Piece::Pathname) {
        let (before, from) = pieces.split_at_checked(at).unwrap_or((&pieces, &[]));
        if from.len() > 1 {
            return Err("its backend's path goes on behind the client's, which has no equal".to_owned());
        }
        return Ok((plain_url(before, variables)?, None, None));
    }
    let (base, path) = split(pieces);
    let url = plain_url(&base, variables)?;
    if path.is_empty() {
        let differs = matches!(base.last(), Some(Piece::Env(_))).then_some(SLASH);
        return Ok((url, Some("/".to_owned()), differs));
    }
    let mut rewrite = String::new();
    for piece in &path {
        match piece {
            Piece::Text(text) if text.contains(['?', '#']) => return Err(QUERY.to_owned()),
            Piece::Text(text) if text.contains(['{', '}', '$']) => {
                return Err(format!("its backend's path has a {text} that cannot stand in one"));
            }
            Piece::Text(text) => rewrite.push_str(text),
            Piece::Param(name) => {
                let own = names.get(name).ok_or_else(|| format!("its path has no parameter {name}"))?;
                rewrite.push_str(&format!("{{{own}}}"));
            }
            other => {
                return Err(format!("its backend's path depends on more than the path ({})", written(other)));
            }
        }
    }
    Ok((url, Some(rewrite), None))
}

/// What is the same for all requests, as far as it is a URL's origin or ends in a variable, and the path
/// behind it.
fn split(pieces: Vec<Piece>) -> (Vec<Piece>, Vec<Piece>) {
    let last_env = pieces.iter().rposition(|piece| matches!(piece, Piece::Env(_)));
    let mut base = Vec::new();
    let mut path = Vec::new();
    let mut slashes = 0;
    for (index, piece) in pieces.into_iter().enumerate() {
        let in_base = last_env.is_some_and(|last| index <= last);
        match piece {
            piece if !path.is_empty() => path.push(piece),
            piece if in_base => {
                slashes = 3;
                base.push(piece);
            }
            Piece::Text(text) => {
                // Behind a variable comes the path; else the third slash begins it.
                let at = if slashes > 0 {
                    text.find('/')
                } else {
                    text.match_indices('/').nth(2).map(|(at, _)| at)
                };
                let (before, behind) = at.and_then(|at| text.split_at_checked(at)).unwrap_or((&text, ""));
                if !before.is_empty() {
                    base.push(Piece::Text(before.to_owned()));
                }
                if !behind.is_empty() {
                    path.push(Piece::Text(behind.to_owned()));
                }
            }
            other => base.push(other),
        }
    }
    (base, path)
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;

    fn to(export: &str, options: Value) -> Result<Destination, String> {
        let Value::Object(options) = options else { panic!("options are an object") };
        let module = "$import(@zuplo/runtime)".to_owned();
        let handler = Handler { export: export.to_owned(), module, options, unknown: Map::new() };
        let names = BTreeMap::from([("user-id".to_owned(), "user_id".to_owned())]);
        destination(&handler, &names, &mut Variables::default())
    }

    #[test]
    fn forwards_keep_the_path() {
        for (base, url) in [
            ("https://a.example/base/", "https://a.example/base"),
            ("${env.BASE_URL}", "${BASE_URL}"),
            ("$env(BASE_URL)/v1", "${BASE_URL}/v1"),
            ("https://${env.HOST}/v1", "https://${HOST}/v1"),
        ] {
            let found = to("urlForwardHandler", json!({ "baseUrl": base, "forwardSearch": true })).unwrap();
            assert_eq!((found.url.as_str(), found.rewrite), (url, None), "{base}");
        }
    }

    #[test]
    fn rewrites_are_split_into_backend_and_path() {
        for (pattern, url, rewrite) in [
            ("https://a.example", "https://a.example", Some("/")),
            ("https://a.example/v1/status", "https://a.example", Some("/v1/status")),
            ("https://a.example/v2/u/${params.user-id}", "", None),
            (
                "https://a.example/v2/u/${params[\"user-id\"]}/x",
                "https://a.example",
                Some("/v2/u/{user_id}/x"),
            ),
            ("${env.BASE}/u/${e(params['user-id'])}", "${BASE}", Some("/u/{user_id}")),
            ("https://a.example/${env.V}/u", "https://a.example/${V}", Some("/u")),
            ("https://a.example/v1${pathname}${search}", "https://a.example/v1", None),
            ("${env.BASE}${pathname}", "${BASE}", None),
        ] {
            match to("urlRewriteHandler", json!({ "rewritePattern": pattern })) {
                Ok(found) => {
                    assert_eq!((found.url.as_str(), found.rewrite.as_deref()), (url, rewrite), "{pattern}")
                }
                Err(why) => assert!(url.is_empty(), "{pattern}: {why}"),
            }
        }
    }

    #[test]
    fn what_has_no_equal_is_refused() {
        for (export, options) in [
            ("urlForwardHandler", json!({})),
            ("urlForwardHandler", json!({ "baseUrl": "http://a.example" })),
            ("urlForwardHandler", json!({ "baseUrl": "https://{x}.example" })),
            ("urlForwardHandler", json!({ "baseUrl": "https://${headers.get('x')}" })),
            ("urlForwardHandler", json!({ "baseUrl": "https://a.example", "mtlsCertificate": "c" })),
            ("urlRewriteHandler", json!({ "rewritePattern": "https://${params.x}.example/" })),
            ("urlRewriteHandler", json!({ "rewritePattern": "https://a.example/x?y=${query.y}" })),
            ("urlRewriteHandler", json!({ "rewritePattern": "https://a.example/x", "forwardSearch": false })),
            ("urlRewriteHandler", json!({ "rewritePattern": "https://a.example${pathname}/x" })),
            ("urlRewriteHandler", json!({ "rewritePattern": "https://a.example/${params.none}" })),
            ("redirectHandler", json!({ "location": "/docs" })),
            ("mcpServerHandler", json!({})),
        ] {
            assert!(to(export, options.clone()).is_err(), "{export} {options}");
        }
    }
}
