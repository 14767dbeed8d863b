//! The platform as a location sees it: the location's cache, the ledger, KV; and what is asked of them.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
};

use pointsman_core::{
    base::{
        digest::Digest,
        time::{Span, Timestamp},
    },
    directory::{
        log::{Complete, Epoch, Head, Manifest, ShardRef},
        record_key::RecordKey,
        row::Row,
        shard,
    },
    identity::{algorithm::Algorithm, jwk_set::PublicKey},
};
use pointsman_loader::ports::{
    DocumentRequest, FetchedDocument, HeadAnswer, LoadResult, Ports, SourceError, VerifyError,
};

use crate::typical;

/// What a shard may be at most.
const LARGEST_SHARD: usize = 1 << 20;

/// All keys and customers, as shards.
pub(crate) struct Data {
    pub(crate) customers: u64,
    pub(crate) bytes: usize,
    manifest: Manifest,
    shards: HashMap<String, Vec<u8>>,
}

/// What an operator is told of a key's record stands in no row.
fn key_row(rank: u64) -> Row {
    Row::of(format!(r#"{{"subject":"c{rank:07}-ci","claims":{{"customerId":"{}"}}}}"#, typical::id(rank)))
}

pub(crate) fn key_of(rank: u64) -> String {
    format!("key-of-{rank}")
}

impl Data {
    pub(crate) fn new(customers: u64) -> Result<Self, String> {
        let mut rows: Vec<_> = (1..=customers)
            .flat_map(|rank| {
                let key = RecordKey::api_key(&Digest::of(key_of(rank).as_bytes()));
                let customer = RecordKey::customer(&typical::id(rank));
                [(key, key_row(rank)), (customer, Row::of(typical::entry(rank)))]
            })
            .collect();
        rows.sort_by_key(|(key, _)| *key);
        let mut prefix_bits = 0;
        while (rows.len() * 26) >> prefix_bits > LARGEST_SHARD {
            prefix_bits += 1;
        }
        let mut manifest = Manifest {
            complete: Complete { keys: true, customers: true },
            prefix_bits,
            ..Manifest::default()
        };
        let (mut shards, mut bytes) = (HashMap::new(), 0);
        for part in rows.chunk_by(|(one, _), (other, _)| one.prefix(prefix_bits) == other.prefix(prefix_bits))
        {
            let shard = shard::encode(part, prefix_bits);
            let size = u32::try_from(shard.len()).map_err(|error| error.to_string())?;
            let hash = *Digest::of(&shard).bytes().first_chunk().ok_or("a digest is longer")?;
            let named = ShardRef { revision: 1, hash, size };
            let prefix = part.first().map_or(0, |(key, _)| key.prefix(prefix_bits));
            bytes += shard.len();
            shards.insert(named.name(EPOCH, prefix, prefix_bits), shard);
            manifest.shards.push(named);
        }
        Ok(Self { customers, bytes, manifest, shards })
    }

    /// Each shard with its name in KV.
    pub(crate) fn shards(&self) -> impl Iterator<Item = (&String, &Vec<u8>)> {
        self.shards.iter()
    }

    pub(crate) fn head(&self, now: Timestamp) -> Head {
        // The ledger writes this at most once a second.
        let as_of = Timestamp::from_millis(now.millis() / 1000 * 1000);
        let manifest = self.manifest.clone();
        Head { epoch: EPOCH, revision: 1, as_of, pace: 100, manifest, first: 2, changes: Vec::new() }
    }
}

const EPOCH: Epoch = Epoch([1; 16]);

/// What one location's isolates see.
pub(crate) struct Platform {
    pub(crate) now: Cell<Timestamp>,
    pub(crate) data: Rc<Data>,
    kept: RefCell<Option<Head>>,
    pub(crate) polls: Cell<u64>,
    pub(crate) kv_reads: Cell<u64>,
}

impl Platform {
    pub(crate) fn new(data: Rc<Data>, now: Timestamp) -> Self {
        Self {
            now: Cell::new(now),
            data,
            kept: RefCell::default(),
            polls: Cell::default(),
            kv_reads: Cell::default(),
        }
    }
}

fn unused<T>() -> Result<T, SourceError> {
    Err(SourceError("nothing asks for this in the simulation".to_owned()))
}

impl Ports for Platform {
    fn now(&self) -> Timestamp {
        self.now.get()
    }

    fn has_store(&self) -> bool {
        true
    }

    async fn stored(&self, _: &str, _: Span) -> Result<Option<Vec<u8>>, SourceError> {
        // What does not fit into memory is looked up in KV, as before there was a directory.
        self.kv_reads.set(self.kv_reads.get() + 1);
        Ok(Some(br#"{"subject":"s","claims":{"customerId":"customer-0000001"}}"#.to_vec()))
    }

    async fn stored_many(&self, keys: &[String], _: Span) -> Result<Vec<Option<Vec<u8>>>, SourceError> {
        self.kv_reads.set(self.kv_reads.get() + keys.len() as u64);
        Ok(keys.iter().map(|_| Some(typical::entry(1).into_bytes())).collect())
    }

    async fn put_many(&self, _: &[(String, String)], _: Span) -> Result<(), SourceError> {
        unused()
    }

    async fn document(&self, _: DocumentRequest<'_>) -> Result<FetchedDocument, SourceError> {
        unused()
    }

    async fn head(&self, at_most: Span, _: Span) -> Result<HeadAnswer, SourceError> {
        let now = self.now.get();
        let mut kept = self.kept.borrow_mut();
        if let Some(head) = kept.as_ref().filter(|head| now.since(head.as_of) <= at_most) {
            return Ok(HeadAnswer { bytes: head.encode(), asked_at: None });
        }
        self.polls.set(self.polls.get() + 1);
        let head = self.data.head(now);
        let bytes = head.encode();
        *kept = Some(head);
        Ok(HeadAnswer { bytes, asked_at: Some(now) })
    }

    async fn shard(&self, name: &str, _: &ShardRef, _: Span) -> Result<Vec<u8>, SourceError> {
        self.kv_reads.set(self.kv_reads.get() + 1);
        self.data.shards.get(name).cloned().ok_or_else(|| SourceError("no such shard".to_owned()))
    }

    async fn wait_for_load(&self, _: &str, _: Span) -> LoadResult {
        LoadResult::Late
    }

    fn complete_load(&self, _: &str, _: bool) {}

    async fn verify(&self, _: &PublicKey, _: Algorithm, _: &str, _: &[u8]) -> Result<bool, VerifyError> {
        Err(VerifyError::UnusableKey)
    }

    fn note(&self, _: &str, _: &str) {}

    fn warn(&self, _: &str, _: &str) {}
}
