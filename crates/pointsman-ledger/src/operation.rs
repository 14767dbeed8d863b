//! Operations, each of which happens once however often it is called, and the trail of who changed what.

use pointsman_core::base::time::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    keyspace::{AUDIT, OPERATION, OPERATION_AGE, after, end_of, key, load, save},
    ledger::{Cause, Ledger},
    record::{DAY, digest_of},
    storage::Storage,
};

/// How long an operation's answer is kept, in milliseconds.
const OPERATION_KEPT: u64 = DAY;
/// How long the trail is kept, in milliseconds. What is to be kept longer is exported from the log lines.
const AUDIT_KEPT: u64 = 400 * DAY;

/// What is known of an operation's id.
pub(crate) enum Known<T> {
    /// Nothing.
    New,
    /// The same was done before, with this answer.
    Done(T),
    /// Something else was done under it.
    Another,
}

#[derive(Deserialize, Serialize)]
struct Done<T> {
    at: u64,
    /// The digest of what was asked for.
    asked: String,
    answer: T,
}

/// One line of the trail.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Audit {
    /// The change's number.
    pub sequence: u64,
    /// The last change of the log before it.
    pub revision: u64,
    /// When, in milliseconds since 1970.
    pub at: u64,
    /// Who made it.
    pub actor: String,
    /// From which address; empty where nobody said.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub from: String,
    /// Where the key was found that has leaked; empty for all other changes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub found: String,
    /// By which operation.
    pub operation: String,
    /// What was done.
    pub action: String,
    /// With which entry.
    pub name: String,
}

impl<S: Storage> Ledger<S> {
    /// What is known of an operation's id. Without one a call happens as often as it is made.
    pub(crate) fn known_operation<T: DeserializeOwned>(
        &self,
        operation: &str,
        asked: &impl Serialize,
        now: Timestamp,
    ) -> Known<T> {
        let done: Option<Done<T>> = load(&self.storage, &key(OPERATION, &[operation.as_bytes()]));
        match done {
            Some(done) if !operation.is_empty() && now.millis() < done.at.saturating_add(OPERATION_KEPT) => {
                if done.asked == digest_of_asked(asked) {
                    Known::Done(done.answer)
                } else {
                    Known::Another
                }
            }
            _ => Known::New,
        }
    }

    pub(crate) fn note_operation<T: Serialize>(
        &mut self,
        operation: &str,
        asked: &impl Serialize,
        answer: &T,
        now: Timestamp,
    ) {
        if operation.is_empty() {
            return;
        }
        let done = Done { at: now.millis(), asked: digest_of_asked(asked), answer };
        save(&mut self.storage, &key(OPERATION, &[operation.as_bytes()]), &done);
        let age = key(OPERATION_AGE, &[&now.millis().to_be_bytes(), operation.as_bytes()]);
        self.storage.put(&age, &[]);
    }

    /// Gives a change its number, and notes who made it.
    pub(crate) fn next_sequence(&mut self, name: String, action: &str, cause: &Cause<'_>) -> u64 {
        self.state.sequence = self.state.sequence.saturating_add(1);
        let line = Audit {
            sequence: self.state.sequence,
            revision: self.state.revision,
            at: cause.now.millis(),
            actor: cause.actor.to_owned(),
            from: cause.from.to_owned(),
            found: cause.found.to_owned(),
            operation: cause.operation.to_owned(),
            action: action.to_owned(),
            name,
        };
        save(&mut self.storage, &key(AUDIT, &[&line.sequence.to_be_bytes()]), &line);
        self.state.sequence
    }

    /// The trail behind a change, oldest first.
    #[must_use]
    pub fn audit(&self, behind: u64, limit: usize) -> Vec<Audit> {
        let from = after(&key(AUDIT, &[&behind.to_be_bytes()]));
        let lines = self.storage.scan(&from, &end_of(AUDIT), limit);
        lines.into_iter().filter_map(|(_, line)| serde_json::from_slice(&line).ok()).collect()
    }

    /// Forgets operations and lines of the trail whose time is over, at most `limit` of each. Says whether more may be.
    pub(crate) fn forget_operations(&mut self, now: Timestamp, limit: usize) -> bool {
        let over = now.millis().saturating_sub(OPERATION_KEPT);
        let old = self.storage.scan(&[OPERATION_AGE], &key(OPERATION_AGE, &[&over.to_be_bytes()]), limit);
        for (age, _) in &old {
            let operation = age.get(9..).unwrap_or_default();
            let known: Option<Done<serde_json::Value>> = load(&self.storage, &key(OPERATION, &[operation]));
            // An id that was used again since has a younger entry of its own.
            if known.is_some_and(|done| done.at <= over) {
                self.storage.delete(&key(OPERATION, &[operation]));
            }
            self.storage.delete(age);
        }
        let over = now.millis().saturating_sub(AUDIT_KEPT);
        let lines = self.storage.scan(&[AUDIT], &end_of(AUDIT), limit);
        let is_old = |(_, line): &(Vec<u8>, Vec<u8>)| {
            serde_json::from_slice::<Audit>(line).is_ok_and(|line| line.at < over)
        };
        let expired = lines.iter().take_while(|line| is_old(line)).count();
        lines.iter().take(expired).for_each(|(key, _)| self.storage.delete(key));
        old.len() == limit || expired == limit
    }
}

fn digest_of_asked(asked: &impl Serialize) -> String {
    digest_of(&serde_json::to_vec(asked).unwrap_or_default())
}
