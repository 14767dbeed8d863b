//! An isolate that does what the edge does.

use std::{cell::RefCell, collections::HashMap, rc::Rc};

use pointsman_core::{
    decide::{
        decision::{Decision, Deferred, LoadedForRequest, Need, Outcome},
        request_log::Trace,
    },
    http::answer::Answer,
    identity::principal::Principal,
    state::{config::Gateway, directory::Directory, memory::Memory},
};
use pointsman_loader::loader::Loader;
use serde_json::Value;

use crate::{
    fixtures::gateway,
    request::{TestFields, head},
    world::World,
};

/// An isolate: a configuration and its memory.
pub struct Isolate {
    pub gateway: Gateway,
    pub memory: RefCell<Memory>,
}

/// What came of a request.
pub struct Result_ {
    pub outcome: Outcome,
    pub trace: Trace,
    /// The fields that the backend gets, in lower case.
    pub backend_fields: HashMap<String, Vec<String>>,
}

impl Isolate {
    pub fn new(gateway: Gateway) -> Self {
        let memory = RefCell::new(Memory::new(&gateway, 42));
        Self { gateway, memory }
    }

    /// An isolate that follows a ledger.
    pub fn following(gateway: Gateway) -> Self {
        let isolate = Self::new(gateway);
        isolate.memory.borrow_mut().directory = Some(Directory::new(&isolate.gateway, 42));
        isolate
    }

    pub fn named(name: &str) -> Self {
        Self::new(gateway(name))
    }

    pub fn get(&self, world: &World, path: &str, fields: &[(&str, &str)]) -> Result_ {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.request(world, "GET", path, TestFields { fields, ..TestFields::default() })
    }

    /// What an operator is told of a request, as itself or with these claims in place of a credential.
    pub fn explain(
        &self,
        world: &World,
        method: &str,
        path: &str,
        fields: &TestFields,
        claims: Option<&Value>,
    ) -> Value {
        let url = url_of(path);
        let head = head(&self.gateway, method, &url, fields);
        let loader = Loader::new(&self.gateway, &self.memory, world);
        let assumed = claims.map(|claims| Rc::new(Principal::assumed(claims.as_object().unwrap().clone())));
        let (told, deferred) = pollster::block_on(loader.explain(&head, assumed));
        self.finish(&loader, deferred);
        told
    }

    /// Does what the edge does: decide, load what is missing, and refresh what was promised behind the
    /// response.
    pub fn request(&self, world: &World, method: &str, path: &str, fields: TestFields) -> Result_ {
        let url = url_of(path);
        let policy = self.gateway.fields();
        let head = head(&self.gateway, method, &url, &fields);
        let decision = self.gateway.decide(
            &head,
            &mut self.memory.borrow_mut(),
            &LoadedForRequest::default(),
            world.now.get(),
        );
        let loader = Loader::new(&self.gateway, &self.memory, world);
        let Decision { outcome, trace, deferred } = match decision {
            Decision { outcome: Outcome::Load(need, claim), deferred, .. } => {
                pollster::block_on(loader.decide(&head, LoadedForRequest::default(), need, claim, deferred))
            }
            decided => decided,
        };
        self.finish(&loader, deferred);
        let backend_fields = match &outcome {
            Outcome::Forward(forward) => {
                let mut passed: HashMap<String, Vec<String>> = HashMap::new();
                for (name, value) in &fields.fields {
                    let name = name.to_ascii_lowercase();
                    // As the edge: by the bit that crosses.
                    if policy.judge(&name).bits() & 1 == 0 && !forward.remove.contains(&name) {
                        passed.entry(name).or_default().push(value.clone());
                    }
                }
                for (name, value) in forward.set.iter() {
                    passed.insert(name.to_owned(), vec![value.to_owned()]);
                }
                passed
            }
            _ => HashMap::new(),
        };
        Result_ { outcome, trace, backend_fields }
    }

    /// What happens behind a response.
    fn finish(&self, loader: &Loader<'_, World>, mut deferred: Deferred) {
        if deferred.follow {
            pollster::block_on(loader.follow());
        }
        for refresh in std::mem::take(&mut deferred.refreshes) {
            assert!(!matches!(refresh.need, Need::Signature(_) | Need::Proof(_)), "it is never refreshed");
            deferred.append(pollster::block_on(loader.refresh(&refresh)));
        }
        assert!(deferred.refreshes.is_empty(), "a refresh asks for no refresh");
        for write in &deferred.writes {
            pollster::block_on(loader.write(write));
        }
    }
}

/// The URL of a path, which may be whole already.
fn url_of(path: &str) -> String {
    if path.starts_with("https://") { path.to_owned() } else { format!("https://gateway.example.com{path}") }
}

impl Result_ {
    pub fn refusal(&self) -> Option<&'static str> {
        match &self.outcome {
            Outcome::Answer(answer) => answer.refusal.map(|refusal| refusal.id()),
            _ => None,
        }
    }

    pub fn answer(&self) -> &Answer {
        match &self.outcome {
            Outcome::Answer(answer) => answer,
            other => panic!("not answered: {other:?}"),
        }
    }

    /// The URL that is called.
    pub fn forwarded(&self) -> Option<&str> {
        match &self.outcome {
            Outcome::Forward(forward) => Some(forward.sending.url()),
            _ => None,
        }
    }
}
