//! The outside, as data.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
};

use pointsman_core::{
    base::{
        digest::Digest,
        identifier::identifier,
        time::{Span, Timestamp},
    },
    directory::{
        log::{self, Change, Complete, Epoch, Manifest, Revision, Segment, ShardRef},
        record_key::RecordKey,
        row::Row,
    },
    identity::{algorithm::Algorithm, jwk_set::PublicKey},
};
use pointsman_loader::{
    native,
    ports::{DocumentRequest, FetchedDocument, HeadAnswer, LoadResult, Ports, SourceError, VerifyError},
};

use crate::{
    files::{json, read},
    fixtures::noon,
    ledger::OwnLedger,
};

/// Where the issuer of the fixtures has its key set.
pub const KEY_SET: &str = "https://id.example.com/.well-known/jwks.json";

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
    /// By URL; of a service, by `binding:` and its name.
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
    /// How often that one has read KV for who asked.
    pub ledger_reads: Cell<u64>,
}

/// What a ledger answers, as data.
#[derive(Default)]
pub struct LedgerStub {
    pub head: log::Head,
    /// Whether the location's cache has this head, which is as old as it says.
    pub cached: Option<log::Head>,
    /// In which format the cache has it, and in which one the ledger answers; the newest where nothing is said.
    pub cached_format: Option<u8>,
    pub format: Option<u8>,
    /// Whether the location keeps what an isolate was answered, and whether it keeps it too long.
    pub keeps: bool,
    pub keeps_too_long: bool,
    pub segments: HashMap<Revision, Segment>,
    pub shards: HashMap<String, Vec<u8>>,
    /// What it knows of records that its head does not say.
    pub knows: HashMap<RecordKey, Row>,
    pub fails: bool,
    /// What it left in the store.
    pub tail: Option<log::Head>,
}

impl LedgerStub {
    /// A ledger that holds everything of keys and customers, and has only ever had these changes.
    pub fn of(changes: Vec<Change>) -> Self {
        let head = log::Head {
            epoch: Epoch([1; 16]),
            revision: changes.len() as u64,
            as_of: noon(),
            pace: 100,
            manifest: Manifest { complete: Complete { keys: true, customers: true }, ..Manifest::default() },
            first: 1,
            changes,
        };
        Self { head, ..Self::default() }
    }
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
            ledger_reads: Cell::default(),
        }
    }

    /// A world in which nothing is but the key set of `https://id.example.com/`.
    pub fn of_issuer() -> Self {
        let world = Self::empty();
        world.publish_keys();
        world
    }

    /// Has `https://id.example.com/` publish its key set.
    pub fn publish_keys(&self) {
        self.answer(KEY_SET, 200, &read("fixtures/keys/issuer.jwks.json"));
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
        for (binding, said) in json("fixtures/services.json").as_object().unwrap() {
            let status = said["status"].as_u64().and_then(|status| u16::try_from(status).ok()).unwrap();
            world.answer(&format!("binding:{binding}"), status, &said["body"].to_string());
        }
        world.publish_keys();
        world.answer("https://disco.example.com/keys", 200, &read("fixtures/keys/issuer.jwks.json"));
        let metadata =
            r#"{"issuer":"https://disco.example.com","jwks_uri":"https://disco.example.com/keys"}"#;
        world.answer("https://disco.example.com/.well-known/openid-configuration", 200, metadata);
        let list = read("fixtures/config-api.json");
        world.answer("https://config.example.com/customers", 200, &list);
        for customer in json("fixtures/config-api.json").as_array().unwrap() {
            let id = identifier(&customer["customerId"]).unwrap();
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
        let service = request.service.map(|call| format!("binding:{}", call.binding));
        let place = service.as_deref().unwrap_or(request.url);
        match request.body {
            None => self.asked.borrow_mut().push(format!("get {place}")),
            Some(body) => self.asked.borrow_mut().push(format!("post {place} {body}")),
        }
        assert_eq!(request.user_agent, concat!("pointsman/", env!("CARGO_PKG_VERSION")));
        let config_api = request.url.starts_with("https://config.example.com");
        let shown = request.authorization.map(|text| text.split(' ').next().unwrap_or_default());
        let expected = if config_api { Some("Bearer") } else { request.body.and(shown).map(|_| "Basic") };
        assert_eq!(shown, expected, "a secret goes to its own source alone");
        match self.documents.borrow().get(place) {
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
        let mut ledger = self.ledger.borrow_mut();
        let ledger = ledger.as_mut().expect("a ledger");
        let too_long = ledger.keeps_too_long;
        let young = |head: &&log::Head| {
            at_most > Span::default() && (too_long || self.now().since(head.as_of) <= at_most)
        };
        if let Some(cached) = ledger.cached.as_ref().filter(young) {
            self.asked.borrow_mut().push("cached head".to_owned());
            let bytes = cached.encode_as(ledger.cached_format.unwrap_or(log::FORMAT));
            return Ok(HeadAnswer { bytes, asked_at: None });
        }
        self.asked.borrow_mut().push("head".to_owned());
        if ledger.fails {
            return Err(SourceError("the ledger is down".to_owned()));
        }
        let head = log::Head { as_of: self.now(), ..ledger.head.clone() };
        let bytes = head.encode_as(ledger.format.unwrap_or(log::FORMAT));
        if ledger.keeps {
            ledger.cached = Some(head);
        }
        Ok(HeadAnswer { bytes, asked_at: Some(self.now()) })
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

    async fn learn(&self, json: &str, _: Span) -> Result<String, SourceError> {
        self.asked.borrow_mut().push("learn".to_owned());
        self.learn_of_ledger(json)
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
