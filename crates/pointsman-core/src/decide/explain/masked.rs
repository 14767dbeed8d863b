//! An explanation without the credential: clients send it in other places than the one where it is looked for, and what a
//! condition found is told too.

use serde_json::Value;

use crate::{
    base::percent::decode_lenient,
    http::{
        credential_copies::{self, SUBPROTOCOLS},
        fields::canonical,
        head::{Head, RequestTarget},
    },
    identity::{
        api_key::ApiKeys,
        credential::{self, find_credential},
        named_value::is_name,
        places::Places,
    },
    state::config::Gateway,
};

/// Shorter ones are words, and would mask what has nothing to do with them.
pub(in crate::decide) const SHORTEST: usize = 8;
pub(in crate::decide) const MASK: &str = "(credential)";

/// The credentials that a request brings, verified or not, in any place where a route looks for one.
pub(super) fn sent(head: &Head<'_>, gateway: &Gateway) -> Vec<String> {
    let mut found = Vec::new();
    let usual = Places::default();
    for places in [&usual].into_iter().chain(gateway.routes.iter().map(|route| &route.auth.places)) {
        add_sent(head, gateway.api_keys.as_ref(), places, &mut found);
    }
    found
}

/// Whether a value of the query looks like a credential. Where two came, or one was spelled otherwise, none is found.
fn may_be_credential(value: &str, api_keys: Option<&ApiKeys>) -> bool {
    let decoded = decode_lenient(value.as_bytes());
    let text = String::from_utf8_lossy(&decoded);
    credential::read_bare(&text, api_keys).is_ok()
}

// In loops: chains of iterators over all of this are some kB of wasm.
fn add_sent(head: &Head<'_>, api_keys: Option<&ApiKeys>, places: &Places, found: &mut Vec<String>) {
    add_field(head, "authorization", found);
    for name in api_keys.iter().flat_map(|keys| keys.sent().own()) {
        add_field(head, name, found);
    }
    for field in &places.fields {
        add_field(head, &field.name, found);
    }
    if !places.subprotocols.is_empty()
        && let Some(offered) = head.fields.get(SUBPROTOCOLS)
    {
        // Where it is not known which of the subprotocols are none, all may be.
        let offer = places.offer(head).ok().flatten();
        let told = offer
            .map_or_else(String::new, |offer| format!("{},{}", offer.rest, offer.answer.unwrap_or_default()));
        for name in offered.split(',').map(str::trim) {
            if !told.split(',').any(|other| other.trim() == name) {
                add(name, found);
            }
        }
    }
    if !places.query.is_empty()
        && let Some(query) = head.target.query
    {
        for part in query.split(['&', ';']) {
            let Some((name, value)) = part.split_once('=') else { continue };
            let is_place = |own: &String| is_name(name.trim(), &canonical(own));
            if places.query.iter().any(is_place) || may_be_credential(value, api_keys) {
                add(value, found);
            }
        }
    }
    // Within Basic credentials the key is encoded.
    if let Ok(Some(read)) = find_credential(head, api_keys, places) {
        add(read.credential.as_str(), found);
    }
}

/// Adds the last word of each element of a field.
#[inline(never)]
fn add_field(head: &Head<'_>, name: &str, found: &mut Vec<String>) {
    for element in head.fields.get(name).unwrap_or_default().split(',') {
        if let Some(text) = element.split_ascii_whitespace().next_back() {
            add(text, found);
        }
    }
}

/// Longer ones first: one may be the beginning of another.
#[inline(never)]
fn add(text: &str, found: &mut Vec<String>) {
    if text.len() < SHORTEST || found.iter().any(|other| other == text) {
        return;
    }
    let at = found.iter().position(|other| other.len() < text.len()).unwrap_or(found.len());
    found.insert(at, text.to_owned());
}

/// Masks them in all texts, and in URLs also where they are percent-encoded.
pub(super) fn mask(told: &mut Value, credentials: &[String]) {
    match told {
        Value::String(text) => {
            for credential in credentials {
                *text = masked(text, credential);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| mask(item, credentials)),
        Value::Object(members) => members.values_mut().for_each(|member| mask(member, credentials)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn masked(text: &str, credential: &str) -> String {
    let Some((before, query)) = text.split_once('?').filter(|_| RequestTarget::parse(text).is_some()) else {
        return masked_text(text, credential);
    };
    let mut told = masked_text(before, credential);
    told.push('?');
    // What is percent-encoded is found as it is found when it is forwarded.
    for part in query.split_inclusive(['&', ';']) {
        let bare = part.trim_end_matches(['&', ';']);
        if !credential_copies::is_parameter_with(bare, credential) {
            told.push_str(&part.replace(credential, MASK));
            continue;
        }
        let name = bare.split_once('=').map_or("", |(name, _)| name);
        told.push_str(&name.replace(credential, MASK));
        told.push('=');
        told.push_str(MASK);
        told.push_str(part.get(bare.len()..).unwrap_or_default());
    }
    told
}

/// A text without the credential. One in which it is percent-encoded, as in a path, is masked as a whole.
fn masked_text(text: &str, credential: &str) -> String {
    let plain = text.replace(credential, MASK);
    match plain.split('/').any(|part| credential_copies::is_parameter_with(part, credential)) {
        true => MASK.to_owned(),
        false => plain,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::http::head::test_support::TestFields;

    #[test]
    fn no_credential_is_told_wherever_it_was_sent() {
        let fields = TestFields::new(&[
            ("authorization", "Bearer sk_live_abc, Basic c2VjcmV0Og=="),
            ("apikey", "sk_live_abcdef"),
            ("cookie", "short"),
        ]);
        let head = Head { fields: &fields, seen: fields.seen(["apikey"]), ..Head::bare() };
        let keys = ApiKeys::for_tests("apikey", "", &["sk_live"]);
        let mut credentials = Vec::new();
        add_sent(&head, Some(&keys), &Places::default(), &mut credentials);
        assert_eq!(credentials, ["sk_live_abcdef", "c2VjcmV0Og==", "sk_live_abc"]);
        let mut told = json!({
            "request": { "url": "https://a.example/x?k=%73k_live_abcdef&y=1&sk_live_abcdef" },
            "steps": [{ "why_not": "$query:k is \"sk_live_abcdef\", and must be x" }, 7, null],
            "only": "https://a.example/x?k=sk_live_abc",
            "path": "/x/sk_live_abc",
        });
        mask(&mut told, &credentials);
        assert_eq!(
            told,
            json!({
                "request": { "url": "https://a.example/x?k=(credential)&y=1&=(credential)" },
                "steps": [{ "why_not": "$query:k is \"(credential)\", and must be x" }, 7, null],
                "only": "https://a.example/x?k=(credential)",
                "path": "/x/(credential)",
            })
        );
    }

    #[test]
    fn a_key_within_basic_credentials_is_masked_too() {
        let fields = TestFields::new(&[("authorization", "Basic c2tfbGl2ZV9hYmM6")]);
        let head = Head { fields: &fields, seen: fields.seen([]), ..Head::bare() };
        let keys = ApiKeys::sent_in(&["authorization"], &["Basic"], &["sk_live"]);
        let mut credentials = Vec::new();
        add_sent(&head, Some(&keys), &Places::default(), &mut credentials);
        assert_eq!(credentials, ["c2tfbGl2ZV9hYmM6", "sk_live_abc"]);
    }

    #[test]
    fn what_stands_under_a_place_of_the_query_is_masked_whatever_it_is() {
        let fields = TestFields::new(&[]);
        let keys = ApiKeys::for_tests("authorization", "Bearer", &["sk_live"]);
        let places = Places { query: vec!["api_key".to_owned()], ..Places::default() };
        for query in
            ["api_key=sk_live_A,sk_live_B", "Api-Key[]=Bearer%20sk_live_A", "x=1&api_key=sk_live_A%20"]
        {
            let target = Head::bare().target.with_query(query);
            let head = Head { fields: &fields, target, ..Head::bare() };
            let mut credentials = Vec::new();
            add_sent(&head, Some(&keys), &places, &mut credentials);
            let mut told = json!(format!("https://a.example/x?{query}"));
            mask(&mut told, &credentials);
            assert!(!told.to_string().contains("sk_live_"), "{told}");
        }
    }
}
