//! The one text in which a request's head crosses from JavaScript, and the URL in it.

use pointsman_core::http::{head::RequestTarget, prelude::RequestPrelude};

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let survey = RequestPrelude::new(text.to_owned());
    // A part is what stands between two NULs, and what is missing is empty.
    let parts: Vec<&str> = text.split('\0').collect();
    let part = |index: usize| parts.get(index).copied().unwrap_or_default();
    assert_eq!(survey.seen().bits(), part(0).parse::<u32>().unwrap_or_default());
    assert_eq!((survey.method(), survey.url()), (part(1), part(2)));
    let fields: Vec<_> = survey.fields().collect();
    let pairs = parts.get(3..).unwrap_or_default().chunks(2);
    let expected: Vec<_> = pairs.map(|pair| (pair[0], pair.get(1).copied().unwrap_or_default())).collect();
    assert_eq!(fields, expected);
    for (name, _) in &fields {
        let first = fields.iter().find(|(other, _)| other == name).map(|(_, value)| *value);
        assert_eq!(survey.field(name), first, "the field {name:?}");
    }

    let printed = fields.iter().fold(
        format!("{}\0{}\0{}", survey.seen().bits(), survey.method(), survey.url()),
        |text, (name, value)| format!("{text}\0{name}\0{value}"),
    );
    let again = RequestPrelude::new(printed);
    assert_eq!(again.seen(), survey.seen());
    assert_eq!((again.method(), again.url()), (survey.method(), survey.url()));
    assert!(again.fields().eq(survey.fields()));
    url(survey.url());
}

fn url(text: &str) {
    let Some(target) = RequestTarget::parse(text) else { return };
    let RequestTarget { scheme, authority, path, query } = target;
    assert!(path.starts_with('/') && !path.contains(['?', '#']), "the path of {text:?} is {path:?}");
    assert!(!authority.contains(['/', '?', '#']), "the authority of {text:?} is {authority:?}");
    assert!(query.is_none_or(|query| !query.contains('#')), "the query of {text:?} is {query:?}");
    let query_printed = query.map(|query| format!("?{query}")).unwrap_or_default();
    let printed = format!("{scheme}://{authority}{path}{query_printed}");
    assert_eq!(RequestTarget::parse(&printed), Some(target));

    // What the runtime hands over is what the URL standard's serialiser wrote; there, its parser and ours agree.
    let Ok(parsed) = url::Url::parse(text) else { return };
    if parsed.as_str() == text && matches!(parsed.scheme(), "http" | "https") {
        assert_eq!((scheme, authority), (parsed.scheme(), parsed.authority()));
        assert_eq!((path, query), (parsed.path(), parsed.query()));
    }
}
