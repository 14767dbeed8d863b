//! How errors that the gateway answers with itself are written.

use pointsman_core::{
    http::error_shape::{ErrorShape, Template},
    state::config::Errors,
};

use super::{
    node::{Node, Read},
    routes::place,
};

/// The longest template, in bytes.
pub const MAX_TEMPLATE: usize = 4096;

/// Whether this can stand in `Content-Type`: a type and a subtype (RFC 9110, section 8.3.1), and maybe parameters.
#[must_use]
pub fn is_media_type(text: &str) -> bool {
    let of = text.split(';').next().unwrap_or_default().trim_end();
    let is_name = |name: &str| {
        let is_of = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte);
        !name.is_empty() && name.bytes().all(is_of)
    };
    let is_printable = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    is_printable && of.split_once('/').is_some_and(|(kind, sub)| is_name(kind) && is_name(sub))
}

#[inline(never)]
pub(super) fn errors(node: Node<'_>) -> Read<Errors> {
    let shapes = node.list("shapes", shape)?;
    let usual = node.option("usual", place(shapes.len()))?;
    Ok(Errors { shapes, usual })
}

fn shape(node: Node<'_>) -> Read<ErrorShape> {
    let media = |node: Node<'_>| {
        node.known("must be a media type", |text| is_media_type(text).then(|| text.to_owned()))
    };
    let Some(content_type) = node.option("content_type", media)? else { return Ok(ErrorShape::ProblemAlone) };
    let short = |text: &str| (text.len() <= MAX_TEMPLATE).then(|| text.to_owned());
    let body = node.read("body", |node| node.known("must be at most 4096 bytes", short))?;
    Ok(ErrorShape::Template(Template { content_type, body }))
}
