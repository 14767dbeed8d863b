//! The management API: keys, customers, revocations of tokens and the audit trail over HTTP, for whoever shows a root key.
//!
//! The edge hands in a request's head and body as they came, and sends the reply. All that decides is here, so that it runs
//! natively in tests and the request path's wasm has none of it. One request is one transaction: what it changes is made
//! whole or not at all.
//!
//! `call` says what a request asks for, `caller` who asks and what that root key may do, `keys`, `customers`, `tokens` and
//! `leaked_keys` what becomes of it, `change` makes it so and remembers it for a retry, `problem` is everything that is answered instead.

use pointsman_core::base::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::{
    api::{
        call::{Call, Read},
        caller::{Caller, Known},
        condition::Condition,
        problem::Problem,
    },
    ask::Asked,
    ledger::{Ledger, RANDOM_BYTES},
    settings::Source,
    storage::Storage,
};

mod body;
mod bulk;
mod call;
mod caller;
mod change;
mod condition;
mod cursor;
mod customers;
mod found;
mod keys;
mod leaked_keys;
mod lists;
mod mint;
mod problem;
mod rate;
mod reach;
mod tokens;
mod trail;

pub(crate) use rate::Rates;

/// A request to the management API.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ApiRequest {
    /// The method.
    pub method: String,
    /// The path at which the API stands, without a `/` at its end.
    pub base: String,
    /// The path behind it, as it was sent.
    pub path: String,
    /// The query's names and values, decoded.
    pub query: Vec<(String, String)>,
    /// The fields of the head that the API reads.
    pub fields: Fields,
    /// The client's address.
    pub address: String,
    /// The request's id.
    pub request_id: String,
    /// The body.
    pub body: String,
    /// Whether the body was too long to be handed on.
    pub is_too_large: bool,
    /// Whether this is asked before a long body is read, as if it were too long: then "too long" means "go on".
    pub is_ahead: bool,
    /// Whether the entry that [`ApiAnswer::Read`] names was read.
    pub was_read: bool,
    /// What became of [`ApiAnswer::ReadAll`].
    pub entries_read: EntriesRead,
    /// What is known of the signature by which a secret scanner reports keys.
    pub signature: Signature,
}

/// Whether the entries of reported keys were read from KV.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase")]
pub enum EntriesRead {
    /// Nobody has asked for that yet.
    #[default]
    No,
    /// They were.
    Yes,
    /// KV did not answer for all of them.
    Failed,
}

/// What is known of a signature over the body. Whoever checks it has the body's bytes.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase")]
pub enum Signature {
    /// There is none.
    #[default]
    None,
    /// There is one, and nobody has checked it.
    Unchecked,
    /// It is GitHub's.
    Right,
    /// It is nobody's.
    Wrong,
    /// GitHub's public keys cannot be had.
    Unknown,
}

/// Fields of a request's head.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Fields {
    /// `Authorization`.
    pub authorization: Option<String>,
    /// `Content-Type`.
    pub content_type: Option<String>,
    /// `If-Match`.
    pub if_match: Option<String>,
    /// `If-None-Match`.
    pub if_none_match: Option<String>,
    /// `Idempotency-Key`.
    pub idempotency_key: Option<String>,
}

/// What comes of a request.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ApiAnswer {
    /// A reply.
    Reply(Reply),
    /// The root key is not known here: its entry in KV is to be read (as for [`crate::Asked::Read`]), and the request made anew.
    Read(String),
    /// Of these reported keys nothing is known here: their entries in KV are to be read, and the request made anew.
    ReadAll(Vec<String>),
    /// The signature is to be checked, and the request made anew.
    Verify,
    /// The config API is to be asked anew for these customers, and what comes of it is the reply.
    Changed(Vec<String>),
    /// The API's description is the reply.
    Description,
}

/// A reply.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Reply {
    /// Its status.
    pub status: u16,
    /// Fields of its head beside those that every reply has.
    #[serde(default)]
    pub fields: Vec<(String, String)>,
    /// Its body.
    pub body: Value,
}

impl Reply {
    pub(crate) fn ok(body: Value) -> Self {
        Self { status: 200, fields: Vec::new(), body }
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.fields.push((name.to_owned(), value.into()));
        self
    }
}

/// What a request is answered in the course of its handling.
pub(crate) type Answered<T = Reply> = Result<T, Problem>;

impl<S: Storage> Ledger<S> {
    /// Answers a request to the management API.
    pub fn manage(&mut self, request: &ApiRequest, now: Timestamp, random: [u8; RANDOM_BYTES]) -> ApiAnswer {
        if request.signature != Signature::None && request.fields.authorization.is_none() {
            let answer = self.take_signed_report(request, now);
            return answer.unwrap_or_else(|problem| {
                ApiAnswer::Reply(problem.reply(&self.settings.problem_base, request))
            });
        }
        let caller = match self.caller(request, now) {
            Ok(Known::Caller(caller)) => {
                self.draw_secret(random);
                caller
            }
            Ok(Known::Read(name)) => return ApiAnswer::Read(name),
            Err(problem) => return ApiAnswer::Reply(problem.reply(&self.settings.problem_base, request)),
        };
        let answer = self.handle(&caller, request, now, random);
        answer.unwrap_or_else(|problem| ApiAnswer::Reply(problem.reply(&self.settings.problem_base, request)))
    }

    fn handle(
        &mut self,
        caller: &Caller,
        request: &ApiRequest,
        now: Timestamp,
        random: [u8; RANDOM_BYTES],
    ) -> Answered<ApiAnswer> {
        if request.is_too_large {
            return Err(Problem::TooLarge);
        }
        let call = Call::of(request)?;
        if let Some(scope) = call.scope() {
            caller.need(scope)?;
        }
        if let Some(name) = self.unseen(&call, request, now) {
            return Ok(ApiAnswer::Read(name));
        }
        let reply = match call {
            Call::Description => return Ok(ApiAnswer::Description),
            Call::Announce => {
                Condition::of(&request.fields)?.needs_none()?;
                if self.settings.source == Source::None {
                    return Err(Problem::Conflict(
                        "no-config-api",
                        "gateway.toml has no [customers] source that could be asked".to_owned(),
                    ));
                }
                let ids = body::announced(&request.body, request.fields.content_type.as_deref())?;
                ids.iter().try_for_each(|id| caller.need_customer(id))?;
                return Ok(ApiAnswer::Changed(ids));
            }
            Call::Oneself => Reply::ok(caller.describe()),
            Call::Read(read) => self.read(caller, &read, request, now)?,
            Call::Bulk => self.change_many(caller, request, now, random)?,
            Call::Change(change) => self.change_one(caller, &change, request, now, random)?,
            Call::LeakedKeys => return self.take_report(caller, request, now, random),
        };
        Ok(ApiAnswer::Reply(reply))
    }

    /// The entry of KV that is to be read first, where the ledger knows nothing of what a call names: somebody may have made it by
    /// hand a moment ago, and whoever writes a new record must not write over that.
    fn unseen(&mut self, call: &Call, request: &ApiRequest, now: Timestamp) -> Option<String> {
        let entry = call.names().filter(|_| !request.was_read)?;
        if self.record(&entry.record_key()).is_some_and(|record| record.is_there()) {
            return None;
        }
        match self.ask(&entry.name(), now) {
            Asked::Read(name) => Some(name),
            Asked::Known(..) | Asked::Invalid => None,
        }
    }

    fn read(&self, caller: &Caller, read: &Read, request: &ApiRequest, now: Timestamp) -> Answered {
        match read {
            Read::Key(digest) => self.show_key(caller, digest, now),
            Read::Keys => self.list_keys(caller, &request.query, now),
            Read::Customer(id) => self.show_customer(caller, id),
            Read::Customers => self.list_customers(caller, &request.query),
            Read::Audit => self.show_trail(caller, &request.query),
        }
    }
}

/// An object of members of which those that are nothing are left out.
pub(crate) fn members<const N: usize>(pairs: [(&str, Option<Value>); N]) -> Value {
    let members: Map<String, Value> =
        pairs.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
    Value::Object(members)
}

/// The revision that every reply to a change tells: a follower that has it has the change.
pub(crate) fn with_revision(mut body: Value, revision: u64) -> Value {
    if let Value::Object(members) = &mut body {
        members.insert("revision".to_owned(), json!(revision));
    }
    body
}
