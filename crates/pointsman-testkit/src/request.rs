//! Requests, as the edge hands them to the core.

use std::borrow::Cow;

use pointsman_core::{
    http::{
        cf::CfValue,
        head::{Fields, Head, MAX_FIELDS, PresentFields, RequestTarget},
    },
    state::config::Gateway,
};
use serde_json::{Map, Value};

/// A request's fields, as sent.
#[derive(Clone, Default)]
pub struct TestFields {
    pub fields: Vec<(String, String)>,
    /// What the platform says of the client: `request.cf`.
    pub cf: Map<String, Value>,
}

impl Fields for TestFields {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        let mut values = self
            .fields
            .iter()
            .filter(|(own, _)| own.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str());
        let mut all = Cow::Borrowed(values.next()?);
        for value in values {
            all.to_mut().push_str(", ");
            all.to_mut().push_str(value);
        }
        Some(all)
    }

    fn cf(&self, path: &str) -> Option<CfValue> {
        CfValue::find(&self.cf, path)
    }

    fn names(&self) -> Vec<String> {
        self.fields.iter().map(|(name, _)| name.to_ascii_lowercase()).collect()
    }
}

pub fn head<'a>(gateway: &Gateway, method: &'a str, url: &'a str, fields: &'a TestFields) -> Head<'a> {
    let seen = fields.fields.iter().fold(PresentFields::default(), |seen, (name, _)| {
        seen.and(gateway.fields().judge(&name.to_ascii_lowercase()).seen)
    });
    let mut names = fields.names();
    names.sort_unstable();
    names.dedup();
    let seen = if names.len() > MAX_FIELDS as usize { seen.and(PresentFields::TOO_MANY) } else { seen };
    Head { method, target: RequestTarget::parse(url).unwrap(), seen, fields, request_id: "request-1" }
}
