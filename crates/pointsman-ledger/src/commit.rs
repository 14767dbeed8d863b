//! What operators change: by the management API, the console, and the command line with the gateway's address.

use pointsman_core::{
    base::{record::RecordError, time::Timestamp},
    directory::log::Change,
};
use serde::{Deserialize, Serialize};

use crate::{
    hosts::{HostsAfter, hosts_in},
    keyspace::{REMOVED, key},
    ledger::{Cause, Ledger},
    operation::Known,
    record::{Held, Record},
    rows::Entry,
    storage::Storage,
    tokens::{Revocation, RevokedBy},
};

/// Edits of one commit at most.
pub const MOST_EDITS: usize = 500;

/// Edits that are made together or not at all.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Commit {
    /// Names the commit: a second one with the same id and the same edits does nothing, and is answered as the first was.
    pub operation: String,
    /// Who makes it, for the audit trail.
    pub actor: String,
    /// From which address, for the audit trail; empty where nobody says. Whoever calls again from elsewhere makes the same commit.
    #[serde(default, skip_serializing)]
    pub from: String,
    /// What is changed, in this order.
    pub edits: Vec<Edit>,
}

/// One change by an operator.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "edit", deny_unknown_fields)]
pub enum Edit {
    /// Writes the record of an API key.
    PutKey {
        /// The SHA-256 digest of the key, in hexadecimal.
        digest: String,
        /// The record.
        json: String,
        /// When KV drops it, in seconds since 1970.
        expires: Option<u64>,
        /// The version that the caller saw, 0 for none; refused where the record has another one by now.
        expected: Option<u64>,
    },
    /// Removes an API key.
    RemoveKey {
        /// The SHA-256 digest of the key, in hexadecimal.
        digest: String,
        /// As for [`Edit::PutKey`].
        expected: Option<u64>,
    },
    /// Writes an operator's record of a customer.
    PutCustomer {
        /// The customer's id.
        id: String,
        /// The record.
        json: String,
        /// As for [`Edit::PutKey`].
        expires: Option<u64>,
        /// As for [`Edit::PutKey`].
        expected: Option<u64>,
    },
    /// Removes an operator's record of a customer; what the config API says counts again.
    RemoveCustomer {
        /// The customer's id.
        id: String,
        /// As for [`Edit::PutKey`].
        expected: Option<u64>,
    },
    /// Revokes tokens.
    RevokeToken(Revocation),
    /// Takes a revocation of tokens back.
    AllowToken {
        /// Whose tokens.
        issuer: String,
        /// Which.
        #[serde(flatten)]
        by: RevokedBy,
    },
}

/// What came of a commit.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Committed {
    /// The last change of the log: a follower that has it has all of this commit.
    pub revision: u64,
    /// The version of each edit's record from then on, in the order of the edits; 0 where there is none.
    pub versions: Vec<u64>,
}

/// Why a commit did nothing.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "error")]
pub enum CommitError {
    /// What it says cannot be used: 422.
    Invalid {
        /// Which edit, from 0 on.
        edit: usize,
        /// Where in the edit's record, and what is wrong there.
        faults: Vec<Fault>,
    },
    /// The record has changed since the caller saw it: 409.
    Changed {
        /// Which edit, from 0 on.
        edit: usize,
        /// The version that the record has.
        version: u64,
    },
    /// The host is another customer's by an operator's record: 409.
    HostTaken {
        /// Which edit, from 0 on.
        edit: usize,
        /// The host.
        host: String,
        /// The customer whose record lists it.
        customer: String,
    },
    /// There are as many revocations of tokens as there may be: 409. None is dropped for another.
    TooManyRevocations,
    /// The operation's id is another commit's: 409.
    OperationReused,
    /// Another run has begun to take the config API's list over: 409.
    Superseded,
    /// More edits than one commit may have: 413.
    TooManyEdits,
    /// Tokens are revoked, of which nobody would know any more: 409.
    RevocationsAlive {
        /// How many revocations there are.
        revocations: u64,
    },
    /// The ledger is off, or about to be: 503.
    Off,
}

impl CommitError {
    /// Of which edit it is, where it is of one.
    pub(crate) const fn edit(&self) -> Option<usize> {
        match self {
            Self::Invalid { edit, .. } | Self::Changed { edit, .. } | Self::HostTaken { edit, .. } => {
                Some(*edit)
            }
            _ => None,
        }
    }
}

/// Something that is wrong with a record.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Fault {
    /// Where (RFC 6901).
    pub pointer: String,
    /// What.
    pub message: String,
}

impl From<RecordError> for Fault {
    fn from(error: RecordError) -> Self {
        Self { pointer: error.pointer, message: error.what }
    }
}

/// An edit whose words were all understood.
enum Checked {
    Put { entry: Entry, held: Held, expected: Option<u64> },
    Remove { entry: Entry, expected: Option<u64> },
    Revoke(Revocation),
    Allow { issuer: String, by: RevokedBy },
}

/// Stands for a value that the ledger has never seen, so that a record is remembered which was removed all the same. It is
/// no value's digest.
const UNSEEN: &str = "00000000000000000000000000000000";

impl<S: Storage> Ledger<S> {
    /// Makes edits, all or none.
    ///
    /// # Errors
    /// Why nothing was done.
    pub fn commit(&mut self, commit: &Commit, now: Timestamp) -> Result<Committed, CommitError> {
        self.takes_changes()?;
        match self.known_operation(&commit.operation, commit, now) {
            Known::New => {}
            Known::Done(committed) => return Ok(committed),
            Known::Another => return Err(CommitError::OperationReused),
        }
        let Commit { operation, actor, from, edits } = commit;
        let cause = Cause { now, actor, operation, from, found: "", may_wait: false };
        let committed = self.commit_edits(edits, &cause, MOST_EDITS)?;
        self.note_operation(operation, commit, &committed, now);
        self.save();
        Ok(committed)
    }

    /// Makes so many edits at most, all or none, whether or not the same were made before.
    pub(crate) fn commit_edits(
        &mut self,
        edits: &[Edit],
        cause: &Cause<'_>,
        most: usize,
    ) -> Result<Committed, CommitError> {
        self.takes_changes()?;
        if edits.len() > most {
            return Err(CommitError::TooManyEdits);
        }
        let check = |(edit, change): (usize, &Edit)| {
            self.check(change, cause.now).map_err(|faults| CommitError::Invalid { edit, faults })
        };
        let checked = edits.iter().enumerate().map(check).collect::<Result<Vec<_>, _>>()?;
        self.compare(&checked, cause.now)?;
        let versions = checked.into_iter().map(|edit| self.apply(edit, cause)).collect();
        self.save();
        Ok(Committed { revision: self.state.revision, versions })
    }

    fn check(&self, edit: &Edit, now: Timestamp) -> Result<Checked, Vec<Fault>> {
        let fault = |pointer: &str, message: &str| {
            vec![Fault { pointer: pointer.to_owned(), message: message.to_owned() }]
        };
        let key = |digest: &str| {
            let message = "must be the SHA-256 digest of the key in 64 lower-case hexadecimal digits";
            Entry::key(digest).ok_or_else(|| fault("/digest", message))
        };
        let customer = |id: &str| {
            let message = "must be 1 to 256 bytes without control characters";
            Entry::customer(id).ok_or_else(|| fault("/id", message))
        };
        let put = |entry: Entry, json: &str, expires: Option<u64>, expected| {
            let faults = entry.check(json, self.settings.allow_http());
            if !faults.is_empty() {
                return Err(faults.into_iter().map(Fault::from).collect());
            }
            if expires.is_some_and(|seconds| seconds.saturating_mul(1000) <= now.millis()) {
                return Err(fault("/expires", "must lie in the future"));
            }
            Ok(Checked::Put { entry, held: Held::new(json.to_owned(), expires), expected })
        };
        match edit {
            Edit::PutKey { digest, json, expires, expected } => put(key(digest)?, json, *expires, *expected),
            Edit::PutCustomer { id, json, expires, expected } => {
                put(customer(id)?, json, *expires, *expected)
            }
            Edit::RemoveKey { digest, expected } => {
                Ok(Checked::Remove { entry: key(digest)?, expected: *expected })
            }
            Edit::RemoveCustomer { id, expected } => {
                Ok(Checked::Remove { entry: customer(id)?, expected: *expected })
            }
            Edit::RevokeToken(revocation) => match revocation.fault(now) {
                Some((pointer, message)) => Err(fault(pointer, message)),
                None => Ok(Checked::Revoke(revocation.clone())),
            },
            Edit::AllowToken { issuer, by } => Ok(Checked::Allow { issuer: issuer.clone(), by: by.clone() }),
        }
    }

    /// Whether the records are as the caller saw them, no host is another's, and there is room for the revocations.
    fn compare(&self, edits: &[Checked], now: Timestamp) -> Result<(), CommitError> {
        let mut revocations = 0;
        let mut after: Vec<HostsAfter> = Vec::new();
        for (edit, change) in edits.iter().enumerate() {
            let (entry, expected) = match change {
                Checked::Put { entry, expected, .. } | Checked::Remove { entry, expected } => {
                    (entry, expected)
                }
                Checked::Revoke(revocation) => {
                    revocations += u64::from(!self.is_revoked(revocation));
                    continue;
                }
                Checked::Allow { .. } => continue,
            };
            if let Entry::Customer(id) = entry {
                let hosts = match change {
                    Checked::Put { held, .. } => hosts_in(held.text.as_bytes()),
                    _ => Vec::new(),
                };
                // Of two edits of one customer the later one counts.
                after.retain(|before| before.id != *id);
                after.push(HostsAfter { edit, id: id.clone(), hosts });
            }
            let version = self.version(entry);
            if expected.is_some_and(|expected| expected != version) {
                return Err(CommitError::Changed { edit, version });
            }
        }
        if revocations > 0 && !self.has_room_for(revocations) {
            return Err(CommitError::TooManyRevocations);
        }
        self.refuse_taken_hosts(&after, now)
    }

    /// The version of an operator's record; 0 where there is none.
    pub(crate) fn version(&self, entry: &Entry) -> u64 {
        self.record(&entry.record_key()).and_then(|record| record.operator).map_or(0, |held| held.version)
    }

    fn apply(&mut self, edit: Checked, cause: &Cause<'_>) -> u64 {
        match edit {
            Checked::Put { entry, held, .. } => self.set_operator(&entry, Some(held), cause),
            Checked::Remove { entry, .. } => self.set_operator(&entry, None, cause),
            Checked::Revoke(revocation) => self.revoke(&revocation, cause),
            Checked::Allow { issuer, by } => self.allow(&issuer, &by, cause),
        }
    }

    /// Writes or removes an operator's record, and has KV follow. Says the record's version from then on.
    fn set_operator(&mut self, entry: &Entry, held: Option<Held>, cause: &Cause<'_>) -> u64 {
        let of = entry.record_key();
        let mut record =
            self.record(&of).unwrap_or_else(|| Record { name: entry.name(), ..Record::default() });
        // A removal of what nobody has seen is one all the same: KV may have an entry that no pass has come to yet.
        // What stood there until now may be listed for some time, and so may what is about to be written: what replaces
        // that again must know it for its own.
        let before = record.operator.as_ref().map(|held| held.digest.clone());
        let seen = record.seen.as_ref().map(|seen| seen.digest.clone());
        let next = held.as_ref().map(|held| held.digest.clone());
        for digest in before.iter().chain(&seen).chain(&next) {
            record.note_past(digest, cause.now, false);
        }
        if held.is_none() && before.is_none() && seen.is_none() {
            record.note_past(UNSEEN, cause.now, false);
        }
        record.note_removal(next.as_deref());
        let before = self.state.revision;
        let version = self.replace_operator(entry, record, held.clone(), cause);
        // Whoever does not hold everything asks KV, which may show for a while yet what this replaces. That may be another entry
        // than the ledger has, as after a restore.
        if self.state.revision == before && (held.is_none() || !self.is_complete(of.kind)) {
            self.append(Change { key: of, row: self.row(&of) });
        }
        self.write_behind(entry, held, cause.now);
        version
    }

    /// Puts another record into the operator's column. Followers are told, KV is not.
    pub(crate) fn replace_operator(
        &mut self,
        entry: &Entry,
        mut record: Record,
        held: Option<Held>,
        cause: &Cause<'_>,
    ) -> u64 {
        let of = entry.record_key();
        let end = |held: &Option<Held>| held.as_ref()?.expires.map(|seconds| seconds.saturating_mul(1000));
        let action = if held.is_some() { "put" } else { "remove" };
        let version = self.next_sequence(entry.name(), action, cause);
        self.set_end(&of, end(&record.operator), end(&held));
        // It stays when the record is written again: a database of before the removal has yet to hear of it.
        if held.is_none() {
            self.storage.put(&key(REMOVED, &[&of.to_bytes()]), &cause.now.millis().to_be_bytes());
        }
        record.operator = held.map(|held| Held { version, ..held });
        record.changed_at = cause.now.millis();
        record.name = entry.name();
        self.publish(entry, &record, cause);
        let version = record.operator.as_ref().map_or(0, |held| held.version);
        self.put_record(&of, record, cause.now);
        version
    }
}
