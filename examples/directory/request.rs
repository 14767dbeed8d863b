//! A request of an API key, decided as the edge has it decided.

use std::{borrow::Cow, cell::RefCell, collections::HashMap};

use pointsman_core::{
    base::time::Timestamp,
    decide::decision::{Decision, LoadedForRequest, Outcome},
    http::{
        cf::CfValue,
        head::{Fields, Head, PresentFields, RequestTarget},
    },
    state::{config::Gateway, memory::Memory},
};
use pointsman_loader::{loader::Loader, ports::Ports};

/// A gateway that sends each caller to the caller's own backend. `memory` is what shards may take.
pub(crate) fn gateway(memory: &str) -> Result<Gateway, String> {
    let text = format!(
        r#"{{
          "api_keys": {{ "checksum": false }},
          "customers": {{}},
          "directory": {{ "memory": "{memory}" }},
          "routes": [{{ "path": "/{{+path}}", "auth": ["api_key"], "rules": [{{ "name": "customer", "to": "customer" }}] }}]
        }}"#
    );
    match pointsman_config::parse(&text, &HashMap::new()) {
        Ok(checked) => Ok(checked.gateway),
        Err(findings) => Err(format!("{findings:?}")),
    }
}

/// What came of a request.
pub(crate) struct Requested {
    pub(crate) decision: Decision,
    /// Whether it waited for anything.
    pub(crate) waited: bool,
}

struct Field(String);

impl Fields for Field {
    fn get(&self, name: &str) -> Option<Cow<'_, str>> {
        (name == "authorization").then_some(Cow::Borrowed(self.0.as_str()))
    }

    fn cf(&self, _: &str) -> Option<CfValue> {
        None
    }

    fn names(&self) -> Vec<String> {
        vec!["authorization".to_owned()]
    }
}

/// Decides a request with this key, and loads what that takes.
pub(crate) fn request<P: Ports>(
    gateway: &Gateway,
    memory: &RefCell<Memory>,
    loader: &Loader<'_, P>,
    key: &str,
    now: Timestamp,
) -> Option<Requested> {
    let field = Field(format!("Bearer {key}"));
    let target = RequestTarget::parse("https://gateway.example.com/x")?;
    let seen = PresentFields::default().and(gateway.fields().judge("authorization").seen);
    let head = Head { method: "GET", target, seen, fields: &field, request_id: "simulated" };
    let decision = gateway.decide(&head, &mut memory.borrow_mut(), &LoadedForRequest::default(), now);
    match decision.outcome {
        Outcome::Load(need, lease) => {
            let loaded = LoadedForRequest::default();
            let decision = pollster::block_on(loader.decide(&head, loaded, need, lease, decision.deferred));
            Some(Requested { decision, waited: true })
        }
        Outcome::Forward(_) | Outcome::Answer(_) => Some(Requested { decision, waited: false }),
    }
}
