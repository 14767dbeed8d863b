//! A world of files and a clock that stands where it is put, for journeys through the whole core.
#![allow(
    dead_code,
    missing_docs,
    unreachable_pub,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used
)]

mod gateway_toml;
mod ledger;

pub use self::{
    gateway_toml::{GatewayToml, all_to},
    ledger::OwnLedger,
};

use std::{
    borrow::Cow,
    cell::{Cell, RefCell},
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    rc::Rc,
};

use pointsman_core::{
    base::{
        digest::Digest,
        time::{Span, Timestamp},
    },
    decide::{
        decision::{Decision, Deferred, LoadedForRequest, Need, Outcome},
        request_log::Trace,
    },
    directory::{
        log::{self, Change, Epoch, Revision, Segment, ShardRef},
        record_key::RecordKey,
        row::Row,
    },
    http::{
        answer::Answer,
        cf::CfValue,
        head::{Fields, Head, MAX_FIELDS, PresentFields, RequestTarget},
    },
    identity::{algorithm::Algorithm, jwk_set::PublicKey, principal::Principal},
    state::{config::Gateway, directory::Directory, memory::Memory},
};
use pointsman_loader::{
    loader::Loader,
    native,
    ports::{DocumentRequest, FetchedDocument, HeadAnswer, LoadResult, Ports, SourceError, VerifyError},
};
use serde_json::{Map, Value};

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

pub fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

pub fn json(path: impl AsRef<Path>) -> Value {
    serde_json::from_str(&read(&path)).unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
}

/// The instant at which all golden cases happen.
pub fn noon() -> Timestamp {
    Timestamp::parse_rfc3339("2026-07-30T12:00:00Z").unwrap()
}

pub fn variables() -> HashMap<String, String> {
    let wrangler: toml::Table = read("wrangler.toml").parse().unwrap();
    let vars = wrangler["vars"].as_table().unwrap();
    let mut variables: HashMap<_, _> =
        vars.iter().map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect();
    variables.insert("CONFIG_API_TOKEN".to_owned(), "demo-config-token".to_owned());
    variables.insert(
        "OPERATOR_SECRET".to_owned(),
        "pso_DemoOperatorSecretIsPublicNotForProduction0_1mpS7r".to_owned(),
    );
    let keys = json("fixtures/keys/private.json");
    variables.insert("IDENTITY_KEY".to_owned(), keys["es256-1"].to_string());
    variables.insert("JWT_SECRET".to_owned(), read("fixtures/keys/hmac-secret.txt").trim().to_owned());
    variables
}

/// `demo` is the project's own `gateway.toml`; others stand in `fixtures/gateways`.
pub fn gateway(name: &str) -> Gateway {
    let path =
        if name == "demo" { "gateway.toml".to_owned() } else { format!("fixtures/gateways/{name}.toml") };
    gateway_of(&read(path))
}

pub fn gateway_of(toml_text: &str) -> Gateway {
    let value: Value = toml::from_str(toml_text).unwrap();
    match pointsman_config::parse(&value.to_string(), &variables()) {
        Ok(checked) => checked.gateway,
        Err(findings) => panic!("{findings:#?}"),
    }
}

/// What a document's address answers.
#[derive(Clone)]
pub enum Source {
    Answers(u16, Vec<u8>),
    Fails,
}

/// The outside, as data.
pub struct World {
    pub now: Cell<Timestamp>,
    pub store: RefCell<HashMap<String, Vec<u8>>>,
    pub store_fails: Cell<bool>,
    /// How many calls of the store go well until one fails; `None` where none does.
    fails_after: Cell<Option<usize>>,
    /// Whether a write of several entries that fails has taken half of them.
    pub half_taken: Cell<bool>,
    pub documents: RefCell<HashMap<String, Source>>,
    /// Whether documents have entity tags.
    pub tags: Cell<bool>,
    /// What was asked of it, in order: `kv <key> [<key>]`, `kv <n> at once`, `get <url>`, `verify <alg>`.
    pub asked: RefCell<Vec<String>>,
    pub warnings: RefCell<Vec<String>>,
    /// The directory's ledger, where there is one.
    pub ledger: RefCell<Option<LedgerStub>>,
    /// A real one in its place.
    pub own_ledger: RefCell<Option<OwnLedger>>,
}

/// What a ledger answers, as data.
#[derive(Default)]
pub struct LedgerStub {
    pub head: log::Head,
    /// Whether the location's cache has this head, which is as old as it says.
    pub cached: Option<log::Head>,
    pub segments: HashMap<Revision, Segment>,
    pub shards: HashMap<String, Vec<u8>>,
    /// What it knows of records that its head does not say.
    pub knows: HashMap<RecordKey, Row>,
    pub fails: bool,
    /// What it left in the store.
    pub tail: Option<log::Head>,
}

impl World {
    pub fn empty() -> Self {
        Self {
            now: Cell::new(noon()),
            store: RefCell::default(),
            store_fails: Cell::new(false),
            fails_after: Cell::new(None),
            half_taken: Cell::new(false),
            documents: RefCell::default(),
            tags: Cell::new(false),
            asked: RefCell::default(),
            warnings: RefCell::default(),
            ledger: RefCell::default(),
            own_ledger: RefCell::default(),
        }
    }

    /// The world of the golden cases.
    pub fn of_fixtures() -> Self {
        let world = Self::empty();
        for customer in json("fixtures/customers.json").as_array().unwrap() {
            let id = customer["customerId"].as_str().unwrap();
            world.put(&format!("customer:{id}"), &customer.to_string());
        }
        for key in json("fixtures/demo/keys.json").as_array().unwrap() {
            let digest = Digest::of(key["key"].as_str().unwrap().as_bytes());
            world.put(&format!("key:{digest}"), &key["record"].to_string());
        }
        for (name, value) in json("fixtures/kv.json").as_object().unwrap() {
            world.put(name, value.as_str().unwrap_or(&value.to_string()));
        }
        let jwks = read("fixtures/keys/issuer.jwks.json");
        world.answer("https://id.example.com/.well-known/jwks.json", 200, &jwks);
        world.answer("https://disco.example.com/keys", 200, &jwks);
        let metadata =
            r#"{"issuer":"https://disco.example.com","jwks_uri":"https://disco.example.com/keys"}"#;
        world.answer("https://disco.example.com/.well-known/openid-configuration", 200, metadata);
        let list = read("fixtures/config-api.json");
        world.answer("https://config.example.com/customers", 200, &list);
        for customer in json("fixtures/config-api.json").as_array().unwrap() {
            let id = customer["customerId"].as_str().unwrap();
            world.answer(&format!("https://config.example.com/customers/{id}"), 200, &customer.to_string());
        }
        world
    }

    pub fn put(&self, key: &str, value: &str) {
        self.store.borrow_mut().insert(key.to_owned(), value.as_bytes().to_vec());
    }

    pub fn answer(&self, url: &str, status: u16, body: &str) {
        self.documents.borrow_mut().insert(url.to_owned(), Source::Answers(status, body.as_bytes().to_vec()));
    }

    pub fn fault(&self, name: &str) {
        let host = match name {
            "kv" => return self.store_fails.set(true),
            "issuer" => "https://id.example.com",
            "config-api" => "https://config.example.com",
            other => panic!("unknown fault {other}"),
        };
        for (url, source) in self.documents.borrow_mut().iter_mut() {
            if url.starts_with(host) {
                *source = Source::Fails;
            }
        }
    }

    /// Lets so many calls of the store go well, and has the next one fail.
    pub fn fail_call(&self, after: usize) {
        self.fails_after.set(Some(after));
    }

    /// Lets every call of the store go well.
    pub fn never_fail(&self) {
        self.store_fails.set(false);
        self.fails_after.set(None);
    }

    fn call_store(&self) -> Result<(), SourceError> {
        let fails_now = self.fails_after.get() == Some(0);
        self.fails_after.set(self.fails_after.get().and_then(|left| left.checked_sub(1)));
        if self.store_fails.get() || fails_now {
            return Err(SourceError("the store is down".to_owned()));
        }
        Ok(())
    }

    pub fn pass(&self, span: Span) {
        self.now.set(self.now.get().plus(span));
    }

    /// What was asked since the last call.
    pub fn take_asked(&self) -> Vec<String> {
        self.asked.take()
    }
}

impl Ports for World {
    fn now(&self) -> Timestamp {
        self.now.get()
    }

    fn has_store(&self) -> bool {
        true
    }

    async fn stored(&self, key: &str, _: Span) -> Result<Option<Vec<u8>>, SourceError> {
        self.asked.borrow_mut().push(format!("kv {key}"));
        self.call_store()?;
        Ok(self.store.borrow().get(key).cloned())
    }

    async fn stored_many(&self, keys: &[String], _: Span) -> Result<Vec<Option<Vec<u8>>>, SourceError> {
        assert!(keys.len() <= 100, "KV reads at most 100 entries at once");
        let what = if keys.len() > 2 { format!("{} at once", keys.len()) } else { keys.join(" ") };
        self.asked.borrow_mut().push(format!("kv {what}"));
        self.call_store()?;
        Ok(keys.iter().map(|key| self.store.borrow().get(key).cloned()).collect())
    }

    async fn put_many(&self, entries: &[(String, String)], _: Span) -> Result<(), SourceError> {
        let result = self.call_store();
        let taken = match result {
            Ok(()) => entries.len(),
            Err(_) if self.half_taken.get() => entries.len() / 2,
            Err(_) => 0,
        };
        for (key, value) in entries.iter().take(taken) {
            self.asked.borrow_mut().push(format!("put {key}"));
            self.put(key, value);
        }
        result
    }

    async fn document(&self, request: DocumentRequest<'_>) -> Result<FetchedDocument, SourceError> {
        self.asked.borrow_mut().push(format!("get {}", request.url));
        assert_eq!(request.user_agent, concat!("pointsman/", env!("CARGO_PKG_VERSION")));
        let config_api = request.url.starts_with("https://config.example.com");
        assert_eq!(request.token.is_some(), config_api, "the config token goes to the config API alone");
        match self.documents.borrow().get(request.url) {
            Some(Source::Answers(status, body)) if body.len() <= request.max_bytes => {
                let etag = self.tags.get().then(|| format!("\"{}\"", Digest::of(body)));
                if etag.is_some() && request.etag == etag.as_deref() {
                    return Ok(FetchedDocument {
                        status: 304,
                        body: Vec::new(),
                        etag,
                        ..FetchedDocument::default()
                    });
                }
                Ok(FetchedDocument {
                    status: *status,
                    body: body.clone(),
                    etag,
                    ..FetchedDocument::default()
                })
            }
            Some(_) => Err(SourceError("no answer".to_owned())),
            None => Ok(FetchedDocument { status: 404, ..FetchedDocument::default() }),
        }
    }

    async fn head(&self, at_most: Span, _: Span) -> Result<HeadAnswer, SourceError> {
        if let Some(bytes) = self.poll_ledger() {
            return Ok(HeadAnswer { bytes, asked_at: Some(self.now()) });
        }
        let ledger = self.ledger.borrow();
        let ledger = ledger.as_ref().expect("a ledger");
        let young = |head: &&log::Head| at_most > Span::default() && self.now().since(head.as_of) <= at_most;
        if let Some(cached) = ledger.cached.as_ref().filter(young) {
            self.asked.borrow_mut().push("cached head".to_owned());
            return Ok(HeadAnswer { bytes: cached.encode(), asked_at: None });
        }
        self.asked.borrow_mut().push("head".to_owned());
        if ledger.fails {
            return Err(SourceError("the ledger is down".to_owned()));
        }
        let head = log::Head { as_of: self.now(), ..ledger.head.clone() };
        Ok(HeadAnswer { bytes: head.encode(), asked_at: Some(self.now()) })
    }

    async fn segment(&self, _: Epoch, first: Revision, _: Span) -> Result<Vec<u8>, SourceError> {
        self.asked.borrow_mut().push(format!("segment {first}"));
        if let Some(bytes) = self.segment_of_ledger(first) {
            return Ok(bytes);
        }
        let ledger = self.ledger.borrow();
        let segment = ledger.as_ref().and_then(|ledger| ledger.segments.get(&first));
        segment.map(Segment::encode).ok_or_else(|| SourceError("no such segment".to_owned()))
    }

    async fn shard(&self, name: &str, _: &ShardRef, _: Span) -> Result<Vec<u8>, SourceError> {
        self.asked.borrow_mut().push("shard".to_owned());
        if self.own_ledger.borrow().is_some() {
            let shard = self.store.borrow().get(name).cloned();
            return shard.ok_or_else(|| SourceError("no such shard".to_owned()));
        }
        let ledger = self.ledger.borrow();
        let shard = ledger.as_ref().and_then(|ledger| ledger.shards.get(name).cloned());
        shard.ok_or_else(|| SourceError("no such shard".to_owned()))
    }

    async fn ask_ledger(&self, name: &str, _: Span) -> Result<Vec<u8>, SourceError> {
        self.asked.borrow_mut().push("ask".to_owned());
        if let Some(bytes) = self.ask_own_ledger(name) {
            return Ok(bytes);
        }
        let ledger = self.ledger.borrow();
        let ledger = ledger.as_ref().expect("a ledger");
        if ledger.fails {
            return Err(SourceError("the ledger is down".to_owned()));
        }
        let named = |(key, _): &(&RecordKey, &Row)| name.starts_with(&format!("key:{}", key.hex()));
        let change = |(key, row): (&RecordKey, &Row)| Change { key: *key, row: Some(row.clone()) };
        let changes = ledger.knows.iter().find(named).map(change).into_iter().collect();
        let log::Head { epoch, revision, .. } = ledger.head;
        Ok(Segment { epoch, first: revision + 1, changes }.encode())
    }

    async fn take_list(&self, json: &str, _: Span) -> Result<String, SourceError> {
        self.asked.borrow_mut().push("take list".to_owned());
        self.take_list_of_ledger(json)
    }

    async fn provided(&self, behind: &[u8], limit: u32, _: Span) -> Result<Vec<u8>, SourceError> {
        self.asked.borrow_mut().push("provided".to_owned());
        Ok(self.provided_of_ledger(behind, limit))
    }

    async fn tail(&self, _: Span) -> Result<Option<Vec<u8>>, SourceError> {
        self.asked.borrow_mut().push("tail".to_owned());
        Ok(self.ledger.borrow().as_ref().and_then(|ledger| ledger.tail.as_ref().map(log::Head::encode)))
    }

    async fn wait_for_load(&self, flight: &str, _: Span) -> LoadResult {
        panic!("nobody else loads {flight} where requests come one by one")
    }

    fn complete_load(&self, _: &str, _: bool) {}

    async fn verify(
        &self,
        key: &PublicKey,
        algorithm: Algorithm,
        signing_input: &str,
        signature: &[u8],
    ) -> Result<bool, VerifyError> {
        self.asked.borrow_mut().push(format!("verify {}", algorithm.name()));
        native::verify(key, algorithm, signing_input, signature)
    }

    fn note(&self, event: &str, what: &str) {
        self.warn(event, what);
    }

    fn warn(&self, event: &str, what: &str) {
        self.warnings.borrow_mut().push(format!("{event}: {what}"));
    }
}

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
        let url = format!("https://gateway.example.com{path}");
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
        let url = format!("https://gateway.example.com{path}");
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
            assert!(!matches!(refresh.need, Need::Signature(_)), "a signature is never refreshed");
            deferred.append(pollster::block_on(loader.refresh(&refresh)));
        }
        assert!(deferred.refreshes.is_empty(), "a refresh asks for no refresh");
        for write in &deferred.writes {
            pollster::block_on(loader.write(write));
        }
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

pub fn token(name: &str) -> String {
    read(format!("fixtures/tokens/{name}.jwt")).trim().to_owned()
}

pub fn key(name: &str) -> String {
    let keys = json("fixtures/demo/keys.json");
    let found = keys.as_array().unwrap().iter().find(|key| key["name"] == name);
    found.unwrap_or_else(|| panic!("no demo key {name}"))["key"].as_str().unwrap().to_owned()
}

pub fn bearer(credential: &str) -> String {
    format!("Bearer {credential}")
}

/// All files below `folder` with this ending, sorted.
pub fn files(folder: &str, ending: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|found| found == ending) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
