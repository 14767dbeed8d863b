//! Backend URLs with claims in the host: `https://{tenant_id}.api.example.com`.

use std::{fmt, rc::Rc};

use super::backend_url::{AllowHttp, BackendUrl, BackendUrlError, split_network, split_scheme};
use crate::{
    base::{identifier::identifier, refusal::Refusal},
    identity::claims::{ClaimPath, Claims},
};

/// A backend URL, fixed or with one or more labels of its host filled from claims.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum BackendTemplate {
    /// No placeholder: parsed once.
    Fixed(BackendUrl),
    /// Placeholders, each a whole label.
    Filled(FilledHost),
}

/// The pieces of a templated URL. All that is not a label's value was checked when it was read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FilledHost {
    /// `https://`, behind the private network where it stands in one.
    start: String,
    labels: Vec<Label>,
    /// `:port`, or nothing.
    port: String,
    base: Rc<str>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Label {
    Fixed(String),
    Claim(ClaimPath),
}

/// Why a template is not used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TemplateError {
    /// What the URL would be with its placeholders filled is no backend URL.
    Url(BackendUrlError),
    /// A placeholder outside the host, or one that is only part of a label.
    NotAWholeLabel,
    /// Fewer than two fixed labels at the end: the caller would choose the domain.
    DomainNotFixed,
    /// `{}` or a claim path that is none.
    Claim,
}

impl fmt::Display for TemplateError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(error) => error.fmt(formatter),
            Self::NotAWholeLabel => formatter
                .write_str("must have its {claims} only in the host, each as one whole label between dots"),
            Self::DomainNotFixed => formatter.write_str(
                "must end in at least two fixed labels (example.com), so that no claim chooses the domain",
            ),
            Self::Claim => {
                formatter.write_str("has a {claim} that is neither a claim's name nor a JSON Pointer")
            }
        }
    }
}

impl std::error::Error for TemplateError {}

impl From<BackendUrlError> for TemplateError {
    fn from(error: BackendUrlError) -> Self {
        Self::Url(error)
    }
}

impl BackendTemplate {
    /// Parses a URL that may hold `{claim}` or `{/json/pointer}` as whole labels of its host.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str, allow_http: AllowHttp) -> Result<Self, TemplateError> {
        if !text.contains(['{', '}']) {
            return Ok(Self::Fixed(BackendUrl::parse_place(text, allow_http)?));
        }
        let (_, rest) = split_scheme(split_network(text).1)?;
        let host_end = end_of_host(rest);
        let (host, tail) = rest.split_at_checked(host_end).ok_or(TemplateError::NotAWholeLabel)?;
        if tail.contains(['{', '}']) {
            return Err(TemplateError::NotAWholeLabel);
        }
        let labels = split_labels(host).into_iter().map(Label::parse).collect::<Result<Vec<_>, _>>()?;
        let fixed_at_end = labels.iter().rev().take_while(|label| matches!(label, Label::Fixed(_))).count();
        let is_localhost = matches!(labels.last(), Some(Label::Fixed(label)) if label == "localhost");
        if fixed_at_end < 2 && !is_localhost {
            return Err(TemplateError::DomainNotFixed);
        }
        // The longest value a claim can fill in proves the whole: length, port, base and scheme.
        let longest = "x".repeat(63);
        let filled: Vec<&str> = labels
            .iter()
            .map(|label| match label {
                Label::Fixed(label) => label.as_str(),
                Label::Claim(_) => longest.as_str(),
            })
            .collect();
        let start = text.strip_suffix(rest).unwrap_or_default().to_owned();
        let proof = BackendUrl::parse_place(&format!("{start}{}{tail}", filled.join(".")), allow_http)?;
        let port = tail.split('/').next().unwrap_or_default().to_owned();
        let base = Rc::clone(proof.base());
        Ok(Self::Filled(FilledHost { start, labels, port, base }))
    }
}

impl BackendTemplate {
    /// The binding of the private network that it stands in, if it does.
    #[must_use]
    pub fn network(&self) -> Option<&str> {
        match self {
            Self::Fixed(url) => url.network(),
            Self::Filled(host) => split_network(&host.start).0,
        }
    }
}

impl FilledHost {
    /// The origin for these claims. A value that is not one LDH label is refused and never falls to
    /// another backend: it would be somebody probing, or a customer sent to the wrong place.
    ///
    /// # Errors
    /// [`Refusal::ClaimNotALabel`].
    pub fn fill(&self, claims: &Claims) -> Result<String, Refusal> {
        let mut origin = self.start.clone();
        for (index, label) in self.labels.iter().enumerate() {
            if index > 0 {
                origin.push('.');
            }
            match label {
                Label::Fixed(label) => origin.push_str(label),
                Label::Claim(path) => match claims.find(path).and_then(identifier) {
                    Some(value) if is_ldh_label(&value) => origin.push_str(&value.to_ascii_lowercase()),
                    _ => return Err(Refusal::ClaimNotALabel),
                },
            }
        }
        origin.push_str(&self.port);
        Ok(origin)
    }

    /// The first claim that keeps the host from being filled, for people.
    #[must_use]
    pub fn unfit(&self, claims: &Claims) -> Option<&ClaimPath> {
        self.labels.iter().find_map(|label| match label {
            Label::Claim(path) => {
                let value = claims.find(path).and_then(identifier);
                (!value.as_deref().is_some_and(is_ldh_label)).then_some(path)
            }
            Label::Fixed(_) => None,
        })
    }

    /// The path that all requests are put behind.
    #[must_use]
    pub const fn base(&self) -> &Rc<str> {
        &self.base
    }
}

impl Label {
    fn parse(text: &str) -> Result<Self, TemplateError> {
        match text.strip_prefix('{').map(|rest| rest.strip_suffix('}')) {
            Some(Some(claim)) if claim.starts_with('$') => Err(TemplateError::Claim),
            Some(Some(claim)) if !claim.contains(['{', '}']) => {
                ClaimPath::parse(claim).map(Self::Claim).ok_or(TemplateError::Claim)
            }
            Some(_) => Err(TemplateError::NotAWholeLabel),
            None if text.contains(['{', '}']) => Err(TemplateError::NotAWholeLabel),
            None => Ok(Self::Fixed(text.to_ascii_lowercase())),
        }
    }
}

/// Where the host ends: at a `:` or `/` that is not inside braces (claims may hold both).
fn end_of_host(rest: &str) -> usize {
    let mut inside = false;
    for (index, byte) in rest.bytes().enumerate() {
        match byte {
            b'{' => inside = true,
            b'}' => inside = false,
            b':' | b'/' if !inside => return index,
            _ => {}
        }
    }
    rest.len()
}

/// Splits at the dots outside braces: a claim's name may hold dots.
fn split_labels(host: &str) -> Vec<&str> {
    let mut inside = false;
    host.split(|c: char| {
        match c {
            '{' => inside = true,
            '}' => inside = false,
            _ => {}
        }
        c == '.' && !inside
    })
    .collect()
}

/// Letters, digits and inner hyphens, at most 63 (RFC 5890, section 2.3.1), and no `xn--`: a name
/// that would show as other characters than it was checked as.
fn is_ldh_label(value: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let punycode = value.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("xn--"));
    (1..=63).contains(&value.len())
        && value.bytes().all(plain)
        && !value.starts_with('-')
        && !value.ends_with('-')
        && !punycode
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn filled(template: &str, claims: &Value) -> Result<String, Refusal> {
        let BackendTemplate::Filled(host) = BackendTemplate::parse(template, AllowHttp::Never).unwrap()
        else {
            panic!("{template} has no placeholder");
        };
        let Value::Object(members) = claims else { panic!("claims are an object") };
        host.fill(&Claims::new(members.clone()))
    }

    #[test]
    fn a_claim_fills_one_label() {
        let template = "https://{tenant_id}.api.example.com:8443/base";
        assert_eq!(
            filled(template, &json!({"tenant_id": "acme"})).unwrap(),
            "https://acme.api.example.com:8443"
        );
        assert_eq!(
            filled(template, &json!({"tenant_id": "ACME-7"})).unwrap(),
            "https://acme-7.api.example.com:8443"
        );
        let nested = "https://{/org/slug}.{https://x.example/region}.api.example.com";
        let claims = json!({"org": {"slug": "a"}, "https://x.example/region": "eu"});
        assert_eq!(filled(nested, &claims).unwrap(), "https://a.eu.api.example.com");
    }

    #[test]
    fn a_label_is_filled_inside_a_private_network_and_never_the_networks_name() {
        let template = "vpc:ACME_NET/http://{tenant_id}.svc.internal:8080/base";
        assert_eq!(
            filled(template, &json!({"tenant_id": "acme"})).unwrap(),
            "vpc:ACME_NET/http://acme.svc.internal:8080"
        );
        let read = BackendTemplate::parse(template, AllowHttp::Never).unwrap();
        assert_eq!(read.network(), Some("ACME_NET"));
        for chosen in ["vpc:{t}/http://api.svc.internal", "vpc:{t}/http://{t}.svc.internal"] {
            assert!(BackendTemplate::parse(chosen, AllowHttp::Never).is_err(), "{chosen}");
        }
    }

    #[test]
    fn anything_but_one_label_is_refused() {
        let long = "a".repeat(64);
        for value in [
            "", "a.b", ".", "a/", "-a", "a-", "xn--a", "XN--A", "a b", "a@b", "a:1", "é", "a\0", "a%2e",
            "a_b", &long,
        ] {
            let refused = filled("https://{t}.api.example.com", &json!({"t": value}));
            assert_eq!(refused, Err(Refusal::ClaimNotALabel), "{value:?}");
        }
        for value in [json!(42.5), json!(1e3), json!(-7), json!(null), json!(["a"]), json!({}), json!(true)] {
            let refused = filled("https://{t}.api.example.com", &json!({"t": value}));
            assert_eq!(refused, Err(Refusal::ClaimNotALabel), "{value}");
        }
        let number = filled("https://{t}.api.example.com", &json!({ "t": 1_122_334_455_667_788_992_u64 }));
        assert_eq!(number.as_deref(), Ok("https://1122334455667788992.api.example.com"));
        assert_eq!(filled("https://{t}.api.example.com", &json!({})), Err(Refusal::ClaimNotALabel));
    }

    #[test]
    fn templates_that_let_a_claim_choose_more_are_refused() {
        use TemplateError as E;
        for (template, error) in [
            ("https://{t}", E::DomainNotFixed),
            ("https://{t}.com", E::DomainNotFixed),
            ("https://a.{t}.com", E::DomainNotFixed),
            ("https://a-{t}.example.com", E::NotAWholeLabel),
            ("https://{t}a.example.com", E::NotAWholeLabel),
            ("https://api.example.com/{t}", E::NotAWholeLabel),
            ("https://api.example.com:{t}", E::NotAWholeLabel),
            ("https://{}.example.com", E::Claim),
            ("https://{$subject}.example.com", E::Claim),
            ("https://{t.example.com", E::NotAWholeLabel),
            ("{t}://api.example.com", E::Url(BackendUrlError::Scheme)),
            ("https://{t}@api.example.com", E::NotAWholeLabel),
            ("http://{t}.example.com", E::Url(BackendUrlError::HttpNotAllowed)),
        ] {
            assert_eq!(BackendTemplate::parse(template, AllowHttp::Never), Err(error), "{template}");
        }
    }

    proptest! {
        /// Promise 19 as a property: whatever the claim, the called host is the template's.
        #[test]
        fn the_called_host_is_always_the_templates(value in "\\PC{0,70}|[a-zA-Z0-9.@:/\\\\#?%-]{0,20}") {
            if let Ok(origin) = filled("https://{t}.api.example.com", &json!({"t": value})) {
                let url = url::Url::parse(&origin).unwrap();
                let host = url.host_str().unwrap();
                prop_assert_eq!(host.split('.').count(), 4);
                prop_assert!(host.ends_with(".api.example.com"));
                prop_assert_eq!(host.split('.').next().unwrap(), value.to_ascii_lowercase());
                prop_assert!(url.username().is_empty() && url.port().is_none() && url.path() == "/");
            }
        }
    }
}
