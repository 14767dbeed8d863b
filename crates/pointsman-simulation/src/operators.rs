//! Those who change something: operators through the ledger, somebody by hand in KV, and the config API.

use std::{collections::BTreeMap, rc::Rc};

use pointsman_core::{
    base::{digest::Digest, time::Timestamp},
    directory::{
        log::{Change, Epoch, Revision, SEGMENT_CHANGES, Segment},
        record_key::RecordKey,
    },
};
use pointsman_ledger::{
    Asked, Commit, CommitError, Committed, Difference, Differences, Edit, Ledger, MemoryStorage, Revocation,
    RevokedBy, Says, TOUCHED_NAME, provided_key,
};

use crate::{
    kv::Entry,
    request::secret,
    truth::{Death, Of, Origin, number_in},
    world::{CUSTOMERS, KEYS, LOCATIONS, World},
};

const ISSUER: &str = "https://id.example.com/";
/// Customers that nobody asks for: they only make the log long.
const FILLERS: u64 = 600;
/// An operator's call is tried again so often where no answer came.
const ATTEMPTS: usize = 5;
/// Names that a tool says it has touched, at most.
const TOUCHED: usize = 10;
/// The ledger's word that a value is old is kept for a day; a little less, in milliseconds.
const REMEMBERED: u64 = 72_000_000;

/// The name of a record's entry in KV.
pub(crate) fn name_of(of: Of) -> String {
    match of {
        Of::Key(key) => format!("key:{}", digest_of(key)),
        Of::Customer(customer) => format!("customer:c{customer}"),
    }
}

fn digest_of(key: usize) -> String {
    Digest::of(secret(key).as_bytes()).to_string()
}

/// Which value of a record the ledger has.
pub(crate) fn number_held(ledger: &mut Ledger<MemoryStorage>, of: Of, now: Timestamp) -> Option<usize> {
    let Asked::Known(Change { row: Some(row), .. }, _) = ledger.ask(&name_of(of), now) else { return None };
    let text = String::from_utf8_lossy(&row.text).into_owned();
    let mark = if matches!(of, Of::Key(_)) { "." } else { "-v" };
    let from = if matches!(of, Of::Key(_)) { text.find(r#""k"#) } else { text.find("https://c") }?;
    Some(number_in(text.get(from..)?, mark)?.1)
}

/// Whether the ledger has this value of a record, and lets it in: whom the config API's list lacks keeps the value and is
/// disabled.
pub(crate) fn is_let_in(ledger: &mut Ledger<MemoryStorage>, of: Of, number: usize, now: Timestamp) -> bool {
    let Asked::Known(Change { row: Some(row), .. }, _) = ledger.ask(&name_of(of), now) else { return false };
    let is_disabled = String::from_utf8_lossy(&row.text).contains(r#""disabled":true"#);
    !is_disabled && number_held(ledger, of, now) == Some(number)
}

/// Whether whoever knows the log up to a revision knows all that the ledger has of a record. What is in no log waits for a
/// shard.
pub(crate) fn is_known_at(
    ledger: &Ledger<MemoryStorage>,
    of: Of,
    revision: Revision,
    now: Timestamp,
) -> bool {
    let record = match of {
        Of::Key(key) => RecordKey::api_key(&Digest::of(secret(key).as_bytes())),
        Of::Customer(customer) => RecordKey::customer(&format!("c{customer}")),
    };
    let mut first = Segment::first_of(revision.saturating_add(1));
    while let Some(segment) = ledger.segment(first).and_then(|segment| Segment::decode(&segment.bytes)) {
        let mut numbered = (segment.first..).zip(&segment.changes);
        if numbered.any(|(number, change)| number > revision && change.key == record) {
            return false;
        }
        first = first.saturating_add(SEGMENT_CHANGES);
    }
    ledger.status(now)["waitingForShards"] == 0
}

impl World {
    pub(crate) fn any_record(&self) -> Of {
        if self.once_in(2) { Of::Key(self.pick(KEYS)) } else { Of::Customer(self.pick(CUSTOMERS)) }
    }

    /// Whose a key is: mostly the same customer's, sometimes another's.
    fn owner(&self, of: Of) -> usize {
        match of {
            Of::Key(key) => (key + usize::from(self.once_in(6))) % CUSTOMERS,
            Of::Customer(customer) => customer,
        }
    }

    /// Somebody writes an entry into KV.
    pub(crate) fn put_by_hand(&self, of: Of) {
        let (now, owner) = (self.now(), self.owner(of));
        let lets_in = matches!(of, Of::Key(_)) || !self.once_in(6);
        let mut truth = self.truth.borrow_mut();
        // Whoever replaces a value by hand may put it back.
        truth.record(of).versions.iter_mut().for_each(|version| version.was_held = false);
        let number = truth.make(of, Origin::Hand, owner, lets_in, now);
        let text = truth.record(of).versions.last().map(|version| version.text.clone()).unwrap_or_default();
        let sha256 = self.once_in(2).then(|| Digest::of(text.as_bytes()).to_string());
        // KV takes no nearer expiry. When the ledger hears of it depends on its passes.
        let expiration = self.once_in(6).then(|| now / 1000 + 61 + self.throw(3600));
        let entry = Entry { sha256, expiration, ..Entry::of(text.as_bytes()) };
        self.kv.borrow_mut().put(&name_of(of), Some(entry), now);
        self.touch(of);
        self.tell(|| format!("by hand: {of:?} = {number}, ends: {expiration:?}"));
        self.count("hand edits");
    }

    /// Somebody deletes an entry in KV.
    pub(crate) fn delete_by_hand(&self, of: Of) {
        let mut truth = self.truth.borrow_mut();
        truth.record(of).touched_at = self.now();
        truth.record(of).versions.iter_mut().for_each(|version| version.was_held = false);
        self.kv.borrow_mut().put(&name_of(of), None, self.now());
        self.touch(of);
        self.tell(|| format!("by hand: {of:?} deleted"));
    }

    /// The tool says which name it has written, for the ledger; some tools do not.
    fn touch(&self, of: Of) {
        if self.once_in(2) {
            return;
        }
        let mut touched = self.touched.borrow_mut();
        touched.push(name_of(of));
        let last = touched.len().saturating_sub(TOUCHED);
        touched.drain(..last);
        let names = serde_json::json!(*touched).to_string();
        self.kv.borrow_mut().put(TOUCHED_NAME, Some(Entry::of(names.as_bytes())), self.now());
        self.count("names said to be touched");
    }

    /// Somebody's tool writes a value again that the ledger has replaced or removed.
    pub(crate) fn write_again(&self, of: Of) {
        let (now, epoch) = (self.now(), self.ledger(|ledger, _| ledger.epoch()).unwrap_or_default());
        let mut truth = self.truth.borrow_mut();
        let is_remembered = |death: &Death| death.epoch == epoch && now < death.answered + REMEMBERED;
        let record = truth.record(of);
        let recent = record.versions.iter().enumerate().rev().take(12);
        let old = recent
            .filter(|(_, version)| version.origin == Origin::Ledger && version.was_held)
            // What ended by itself was not revoked, and anybody may write it again.
            .filter(|(_, version)| version.expires.is_none())
            .find(|(_, version)| version.death.as_ref().is_some_and(is_remembered));
        let Some((number, text)) = old.map(|(number, version)| (number, version.text.clone())) else {
            return;
        };
        record.touched_at = now;
        if let Some(version) = record.versions.get_mut(number) {
            version.is_again = true;
        }
        self.kv.borrow_mut().put(&name_of(of), Some(Entry::of(text.as_bytes())), now);
        self.tell(|| format!("by hand: {of:?} = {number} again"));
        self.count("old values written again");
    }

    /// An operator calls the ledger until there is an answer.
    async fn commit(
        self: &Rc<Self>,
        edits: Vec<Edit>,
        of: Option<Of>,
    ) -> Option<(Committed, Option<usize>, Epoch)> {
        let operation = format!("op-{}-{}", self.now(), self.throw(1 << 40));
        let commit = Commit { operation, actor: "ann".to_owned(), from: String::new(), edits };
        for _ in 0..ATTEMPTS {
            if self.once_in(30) {
                self.tell(|| "the ledger's instance ends in a transaction".to_owned());
                self.lose_transaction(|ledger, now| drop(ledger.commit(&commit, now)));
            }
            let called = self.call_ledger(self.pick(LOCATIONS), 5000, |ledger, now| {
                let seen = of.and_then(|of| number_held(ledger, of, now));
                Some((ledger.commit(&commit, now), seen, ledger.epoch()))
            });
            match called.await {
                Ok((Ok(committed), seen, epoch)) => {
                    self.wake_ledger();
                    return Some((committed, seen, epoch));
                }
                Ok((Err(CommitError::Off), ..)) | Err(_) => self.wait(1000).await,
                Ok((Err(error), ..)) => {
                    self.violate(format!("the ledger refused what is right: {error:?}"));
                    return None;
                }
            }
        }
        None
    }

    /// An operator writes a record, or removes it.
    pub(crate) fn operate(self: &Rc<Self>, of: Of, removes: bool) {
        let now = self.now();
        if std::mem::replace(&mut self.truth.borrow_mut().record(of).is_busy, true) {
            return;
        }
        let world = Rc::clone(self);
        self.executor.spawn(0, async move {
            let owner = world.owner(of);
            let lets_in = matches!(of, Of::Key(_)) || !world.once_in(4);
            let (number, json) = {
                let mut truth = world.truth.borrow_mut();
                truth.record(of).touched_at = now;
                let number = (!removes).then(|| truth.make(of, Origin::Ledger, owner, lets_in, now));
                let json =
                    truth.record(of).versions.last().map(|version| version.text.clone()).unwrap_or_default();
                (number, json)
            };
            let expires = (!removes && world.once_in(5)).then(|| now / 1000 + 120 + world.throw(1800));
            let edit = match (of, removes) {
                (Of::Key(key), false) => {
                    Edit::PutKey { digest: digest_of(key), json, expires, expected: None }
                }
                (Of::Key(key), true) => Edit::RemoveKey { digest: digest_of(key), expected: None },
                (Of::Customer(id), false) => {
                    Edit::PutCustomer { id: format!("c{id}"), json, expires, expected: None }
                }
                (Of::Customer(id), true) => Edit::RemoveCustomer { id: format!("c{id}"), expected: None },
            };
            // Values made from now on are meant to come after this.
            let made = world.truth.borrow_mut().record(of).versions.len();
            let committed = world.commit(vec![edit], Some(of)).await;
            let mut truth = world.truth.borrow_mut();
            let record = truth.record(of);
            (record.touched_at, record.is_busy) = (world.now(), false);
            let Some((Committed { revision, .. }, seen, epoch)) = committed else { return };
            let death = Death { answered: world.now(), epoch, revision, is_removal: removes };
            record.end(number.unwrap_or(made), seen, Origin::Ledger, death);
            if let Some(version) = number.and_then(|number| record.versions.get_mut(number)) {
                (version.was_held, version.expires) = (true, expires);
                version.told = Some((world.now(), epoch));
            }
            world.tell(|| format!("committed as {revision}: {of:?} = {number:?}, ends: {expires:?}"));
            world.count("commits");
        });
    }

    /// An operator revokes the tokens of a subject, or allows them again.
    pub(crate) fn operate_on_tokens(self: &Rc<Self>) {
        if std::mem::replace(&mut self.truth.borrow_mut().token.is_busy, true) {
            return;
        }
        let world = Rc::clone(self);
        self.executor.spawn(0, async move {
            let by = RevokedBy::Sub("user-1".to_owned());
            let is_revoked = world.truth.borrow().token.revoked.is_some();
            if is_revoked {
                world.truth.borrow_mut().token.revoked = None;
                world.commit(vec![Edit::AllowToken { issuer: ISSUER.to_owned(), by }], None).await;
                world.tell(|| "tokens are allowed".to_owned());
            } else {
                let until = world.now() + 600_000 + world.throw(7_200_000);
                let revocation = Revocation { issuer: ISSUER.to_owned(), by, issued_before: None, until };
                let committed = world.commit(vec![Edit::RevokeToken(revocation)], None).await;
                if let Some((Committed { revision, .. }, _, epoch)) = committed {
                    let death = Death { answered: world.now(), epoch, revision, is_removal: true };
                    world.truth.borrow_mut().token.revoked = Some((death, until));
                    world.tell(|| format!("committed as {revision}: tokens are revoked"));
                }
            }
            world.truth.borrow_mut().token.is_busy = false;
        });
    }

    /// Hundreds of customers that nobody asks for are said to be there, or no more.
    pub(crate) fn fill(&self) {
        let (many, goes, salt) = (self.once_in(2), self.once_in(4), self.throw(1 << 30));
        let first = self.throw(FILLERS - 400);
        let operation = format!("fill-{}-{salt}", self.now());
        self.ledger(|ledger, now| {
            let versions = provided_versions(ledger);
            let difference = |number: u64| {
                let id = format!("f{number}");
                let version = versions.get(&provided_key(&id)).map_or(0, |(_, version)| *version);
                let json =
                    format!(r#"{{"customerId":"{id}","backendUrl":"https://{id}.{salt}.example.com"}}"#);
                let says = if goes { Says::Nothing } else { Says::Record(json) };
                Difference { id, says, version }
            };
            let edits = (first..first + 400).map(difference).collect();
            drop(ledger.provide(&Differences { operation, many, edits }, now));
        });
        self.tell(|| format!("400 customers: {}", if goes { "gone" } else { "there" }));
        self.wake_ledger();
        self.count("bulk changes");
    }
}

type Provided = BTreeMap<[u8; 17], ([u8; 8], u64)>;

/// What the ledger has of the config API.
fn provided_versions(ledger: &Ledger<MemoryStorage>) -> Provided {
    let page = ledger.provided_page(&[], 4096);
    let (entries, _) = page.as_chunks::<33>();
    let read = |entry: &[u8; 33]| {
        let (key, rest) = entry.split_first_chunk::<17>()?;
        let (digest, version) = rest.split_first_chunk::<8>()?;
        Some((*key, (*digest, u64::from_be_bytes(version.try_into().ok()?))))
    };
    entries.iter().filter_map(read).collect()
}
